"""Clusters of near-duplicates: counted, opened, explained; what people decide about them and what it changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.mdfg.explore import clusters as found_by
from backends.mdfg.explore.clusters import Member, clusters, compare, jaccard, open_cluster, passing, shingles
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.decisions import (
    MOST,
    accept_all,
    changed,
    decide,
    decisions,
    reject_all,
    undo,
)
from backends.mdfg.recipes import load_recipe
from tests.backends.corpus_cases import good_text
from tests.backends.explore_cases import filtered, table
from tests.backends.search_cases import topical
from workbench.contract import UserError
from workbench.files import append_line, read_lines

BASE = [record["text"] for record in topical(12, 5)]


def planted() -> list[dict[str, Any]]:
    """Twelve different documents, then copies: of 0 two equal ones (the first better), of 1 a longer and a shorter
    one, of 2 one that a rule drops although it is better and longer, of 3 five equal ones without a score."""
    copies = [{"text": BASE[0], "quality_score": 0.9}, {"text": BASE[0], "quality_score": 0.4},
              {"text": BASE[1] + "最后再补一句话。", "quality_score": 0.5},
              {"text": BASE[1][:-6], "quality_score": 0.5},
              {"text": BASE[2] + "國國國國國國國國國國", "quality_score": 1.0}, *[{"text": BASE[3]}] * 5]
    return [*({"text": text, "quality_score": 0.5} for text in BASE), *copies]


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    corpus = Corpus.open(filtered(tmp_path_factory.mktemp("marked"), records=planted(), near_duplicates="mark"))
    yield corpus
    corpus.close()


@pytest.fixture(scope="module")
def dropped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    corpus = Corpus.open(filtered(tmp_path_factory.mktemp("dropped"), records=planted(), near_duplicates="drop"))
    yield corpus
    corpus.close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    corpus = Corpus.open(filtered(tmp_path_factory.mktemp("sample"), 400, seed=4, near_duplicates="drop"))
    yield corpus
    corpus.close()


def by_cluster(corpus: Corpus) -> dict[int, list[dict[str, Any]]]:
    """Members of every cluster from the file of the run, without DuckDB."""
    held: dict[int, list[dict[str, Any]]] = {}
    for place, row in enumerate(table(corpus.run)):
        if row["dup_cluster"] >= 0:
            held.setdefault(row["dup_cluster"], []).append({**row, "place": place})
    return held


def test_the_list_agrees_with_the_table(sample: Corpus) -> None:
    held, page = by_cluster(sample), clusters(sample, limit=10_000)
    assert len(held) > 5
    assert (page.shown, page.total) == (len(held), len(held))
    assert page.documents == sum(map(len, held.values()))
    assert {row.number: row.size for row in page.rows} == {number: len(rows) for number, rows in held.items()}
    for row in page.rows:
        rows = held[row.number]
        assert row.best == next(member["place"] for member in rows if member["dup_keep"])
        assert row.kept == sum(member["kept"] for member in rows)
        assert row.longest == max(member["n_chars"] for member in rows)
        assert row.number == min(member["place"] for member in rows)
        assert row.kept <= min(1, row.passing), "drop keeps at most one"


@pytest.mark.parametrize(("sort", "key"), [
    ("size", lambda row: (-row.size, row.number)), ("number", lambda row: row.number),
    ("length", lambda row: (-row.longest, row.number))])
def test_orders_and_pages(sample: Corpus, sort: Any, key: Any) -> None:
    every = clusters(sample, sort=sort, limit=10_000).rows
    assert list(every) == sorted(every, key=key)
    pages = [clusters(sample, sort=sort, offset=offset, limit=3).rows for offset in range(0, len(every), 3)]
    assert [row for page in pages for row in page] == list(every)
    assert clusters(sample, offset=10_000).rows == ()


def test_only_large_ones(sample: Corpus) -> None:
    page, every = clusters(sample, 3), clusters(sample)
    assert {row.size for row in page.rows} and min(row.size for row in page.rows) >= 3
    assert page.shown == sum(row.size >= 3 for row in every.rows) < page.total == every.total
    assert page.documents == sum(row.size for row in page.rows)


def test_an_order_that_there_is_not(sample: Corpus) -> None:
    with pytest.raises(UserError, match="size, number, length"):
        clusters(sample, sort="dup_size; DROP TABLE docs")  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["off", "mark"])
def test_a_corpus_without_clusters(tmp_path: Path, mode: str) -> None:
    corpus = Corpus.open(filtered(tmp_path, texts=BASE[:4], near_duplicates=mode))
    page = clusters(corpus)
    assert (page.rows, page.shown, page.total, page.documents) == ((), 0, 0, 0)
    with pytest.raises(UserError, match="no cluster 0") as error:
        open_cluster(corpus, 0)
    assert ("did not look" in str(error.value)) == (mode == "off")
    assert changed(corpus, {}).documents == 0
    corpus.close()


def test_why_a_document_is_kept(marked: Corpus) -> None:
    kept = {number: (opened.cluster.best, opened.why) for number in range(4)
            for opened in [open_cluster(marked, number)]}
    assert kept == {0: (12, "quality"), 1: (14, "length"), 2: (2, "rules"), 3: (3, "quality")}


def test_equal_documents_keep_the_first(tmp_path: Path) -> None:
    corpus = Corpus.open(filtered(tmp_path, texts=[BASE[4], BASE[5], BASE[5], BASE[4]]))
    assert [(open_cluster(corpus, n).cluster.best, open_cluster(corpus, n).why) for n in (0, 1)] == [(0, "first"),
                                                                                                 (1, "first")]
    corpus.close()


@pytest.mark.parametrize(("keep", "best", "why"), [("quality", 0, "quality"), ("length", 1, "length"),
                                                   ("first", 0, "first")])
def test_the_policy_of_the_recipe_decides(tmp_path: Path, keep: str, best: int, why: str) -> None:
    from backends.mdfg.recipes import dump_recipe

    text = dump_recipe(load_recipe("zh-paper-code"))
    assert "keep: quality" in text
    rows = [{"text": BASE[6], "quality_score": 0.9}, {"text": BASE[6] + "补充一句。", "quality_score": 0.1}]
    corpus = Corpus.open(filtered(tmp_path, records=rows, recipe=text.replace("keep: quality", f"keep: {keep}")))
    opened = open_cluster(corpus, 0)
    assert (opened.cluster.best, opened.why) == (best, why)
    corpus.close()


def test_members_are_told_with_their_likeness(marked: Corpus) -> None:
    opened = open_cluster(marked, 1)
    assert [member.place for member in opened.members] == [14, 1, 15]
    best, first, short = opened.members
    assert (best.best, first.best, short.best) == (True, False, False)
    assert best.estimate == best.jaccard == 1.0
    texts = {place: document.text for place, document in zip((14, 1, 15), marked.texts([14, 1, 15]), strict=True)}
    for member in (first, short):
        exact = jaccard(shingles(texts[14], 5), shingles(texts[member.place], 5))
        assert member.jaccard == exact
        assert abs(member.estimate - exact) < 0.15, "128 minima: a standard error of 0.044 at most"
        assert member.length == len(texts[member.place])
        assert texts[member.place].startswith(member.snippet[:20])
    assert opened.cluster.size == 3 and opened.cluster.passing == 3


def test_long_texts_are_compared_at_their_beginnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [BASE[7], BASE[7] + "补充" * 3, BASE[7]]
    corpus = Corpus.open(filtered(tmp_path, texts=texts))
    whole = open_cluster(corpus, 0)
    assert whole.cut == 0 and min(member.jaccard for member in whole.members) < 1
    corpus.close()
    monkeypatch.setattr(found_by, "COMPARED", len(BASE[7]))
    again = Corpus.open(corpus.run)
    opened = open_cluster(again, 0)
    assert opened.cut == 1, "one of three is longer than what is compared"
    assert [(member.jaccard, member.estimate) for member in opened.members] == [(1.0, 1.0)] * 3
    assert [member.length for member in opened.members] == [member.length for member in whole.members]
    again.close()


def test_texts_beyond_fifty_thousand_characters_are_cut_and_counted(tmp_path: Path) -> None:
    sentences = "".join(f"第{number}句说的是第{number * 7}件事。" for number in range(8_000))
    texts = [sentences, sentences + "多一句。", sentences[:len(sentences) // 2]]
    corpus = Corpus.open(filtered(tmp_path, texts=texts, near_duplicates="mark"))
    page = clusters(corpus)
    assert page.rows and page.rows[0].longest > 2 * found_by.COMPARED
    opened = open_cluster(corpus, page.rows[0].number)
    assert opened.cut == len(opened.members) >= 2 and {member.jaccard for member in opened.members} == {1.0}
    corpus.close()


def test_a_cluster_is_compared_once(marked: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, asked = Corpus.open(marked.run), list[int]()
    real = found_by.alike
    monkeypatch.setattr(found_by, "alike", lambda texts, recipe: asked.append(len(texts)) or real(texts, recipe))
    first = open_cluster(corpus, 3)
    assert open_cluster(corpus, 3) is first and asked == [6]
    assert len(open_cluster(corpus, 3, most=2).members) == 2 and asked == [6, 2]
    for _ in range(2):
        with pytest.raises(UserError, match="no cluster 999"):
            open_cluster(corpus, 999)
    assert asked == [6, 2]
    corpus.close()


def test_of_a_giant_cluster_only_the_listed_members_are_fetched(tmp_path: Path,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    records = [{"text": BASE[8], "quality_score": 0.5}] * 300 + [{"text": BASE[8], "quality_score": 0.9}]
    corpus, most = Corpus.open(filtered(tmp_path, records=records, near_duplicates="mark")), list[int]()
    real = corpus.rows
    monkeypatch.setattr(corpus, "rows", lambda *given: most.append(len(found := real(*given))) or found)
    opened = open_cluster(corpus, 0)
    assert (opened.cluster.size, len(opened.members), opened.why) == (301, found_by.MEMBERS, "quality")
    assert max(most) == found_by.MEMBERS and opened.members[0].place == 300 == opened.cluster.best
    corpus.close()


def test_why_of_every_cluster_equals_the_slow_way(sample: Corpus) -> None:
    """The merits one after the other over all members, without SQL."""
    keep, near = sample.recipe.near.keep, [test.rule for test in sample.recipe.tests if test.column == "dup_keep"]
    names = list(dict.fromkeys(test.rule for test in sample.recipe.tests))
    mask = sum(1 << place for place, name in enumerate(names) if name not in near)
    merits = [("rules", lambda row: not row["rule_fail"] & mask),
              *([("quality", lambda row: -1.0 if row["quality"] is None else row["quality"])] * (keep == "quality")),
              *([("length", lambda row: row["n_chars"])] * (keep != "first"))]
    seen = set()
    quality = dict(sample.rows("SELECT place, quality FROM docs"))
    for number, members in by_cluster(sample).items():
        level = [{**row, "quality": quality[row["place"]]} for row in members]
        best, why = next(row for row in level if row["dup_keep"]), "first"
        for name, merit in merits:
            level = [row for row in level if merit(row) == merit(best)]
            if len(level) == 1:
                why = name
                break
        assert open_cluster(sample, number).why == why
        seen.add(why)
    assert len(seen) > 1


def test_a_better_document_that_a_rule_drops_is_not_the_one(marked: Corpus) -> None:
    opened = open_cluster(marked, 2)
    dropped = next(member for member in opened.members if member.place == 16)
    assert not dropped.passes and dropped.quality == 1.0 and not dropped.best
    assert opened.cluster.passing == 1


def test_a_large_cluster_lists_its_first_members(marked: Corpus) -> None:
    opened = open_cluster(marked, 3, most=2)
    assert opened.cluster.size == 6 and [member.place for member in opened.members] == [3, 17]
    assert all(isinstance(member, Member) for member in opened.members)
    assert [member.place for member in open_cluster(marked, 3).members] == [3, 17, 18, 19, 20, 21]


def test_titles_and_texts_are_given_as_they_are_and_short(tmp_path: Path) -> None:
    text = "<script>alert(1)</script>\n\n" + good_text(300)
    corpus = Corpus.open(filtered(tmp_path, records=[{"text": text, "title": "<b>" * 200}] * 2))
    member = open_cluster(corpus, 0).members[1]
    assert member.snippet.startswith("<script>alert(1)</script> ") and len(member.snippet) <= found_by.SNIPPET
    assert len(member.title) == found_by.SNIPPET
    corpus.close()


@pytest.mark.parametrize(("text", "size", "wanted"), [
    ("", 5, []), ("  \n", 5, []), ("ab", 5, ["ab"]), ("abcde", 5, ["abcde"]), ("ABCdef", 5, ["abcde", "bcdef"]),
    ("a b\tc\nde", 5, ["abcde"]), ("全　角字符数", 5, ["全　角字符", "　角字符数"])])
def test_shingles(text: str, size: int, wanted: list[str]) -> None:
    assert shingles(text, size) == set(wanted)


def test_jaccard() -> None:
    assert jaccard(frozenset("ab"), frozenset("bc")) == pytest.approx(1 / 3)
    assert jaccard(frozenset(), frozenset()) == 1.0
    assert jaccard(frozenset("a"), frozenset()) == 0.0
    assert found_by.alike([], load_recipe("zh-paper-code")) == []


def test_two_members_side_by_side(marked: Corpus) -> None:
    found = compare(marked, 1, 14)
    assert [(piece.sort, piece.text) for piece in found.pieces] == [("same", BASE[1]), ("added", "最后再补一句话。")]
    assert compare(marked, 0, 12).removed == compare(marked, 0, 12).added == 0
    with pytest.raises(UserError, match="no document"):
        compare(marked, 0, 10_000)


def test_what_the_other_rules_keep_does_not_depend_on_the_mode(marked: Corpus, dropped: Corpus) -> None:
    def kept(corpus: Corpus) -> list[int]:
        return [place for (place,) in corpus.rows(f"SELECT place FROM docs WHERE {passing(corpus.recipe)} ORDER BY 1")]

    assert kept(marked) == kept(dropped) == [place for place in range(22) if place != 16]
    assert [place for place, row in enumerate(table(dropped.run)) if row["kept"]] == [*range(2, 13), 14]


# Decisions

def test_the_latest_decision_of_a_cluster_counts() -> None:
    told = [{"do": "cluster", "cluster": 7, "keep": [9, 8, 8], "by": "a", "at": 3.5},
            {"do": "cluster", "cluster": 2, "keep": []},
            {"do": "cluster", "cluster": 7, "keep": [7], "note": "the newest"},
            {"do": "cluster", "cluster": 4, "keep": [4]}, {"do": "cluster", "cluster": 4, "keep": None}]
    found = decisions(told)
    assert list(found) == [2, 7]
    assert (found[7].keep, found[7].note, found[2].keep) == ((7,), "the newest", ())
    first = decisions(told[:1])[7]
    assert (first.keep, first.by, first.at) == ((8, 9), "a", 3.5)


@pytest.mark.parametrize("command", [
    {}, {"do": "label", "cluster": 1, "keep": [1]}, {"do": "cluster"}, {"do": "cluster", "cluster": "1", "keep": [1]},
    {"do": "cluster", "cluster": True, "keep": [1]}, {"do": "cluster", "cluster": -1, "keep": [1]},
    {"do": "cluster", "cluster": 1, "keep": "12"}, {"do": "cluster", "cluster": 1, "keep": [1.5]},
    {"do": "cluster", "cluster": 1, "keep": [True]}, {"do": "cluster", "cluster": 1, "keep": [-3]},
    {"do": "cluster", "cluster": 1, "keep": {"1": 1}}, {"do": "cluster", "cluster": [1], "keep": [1]},
    {"do": "cluster", "cluster": 1}], ids=repr)
def test_broken_decisions_and_other_commands_are_passed_over(command: dict[str, Any]) -> None:
    assert decisions([command, {"do": "cluster", "cluster": 5, "keep": [5]}]).keys() == {5}
    assert decisions([{"do": "cluster", "cluster": 1, "keep": [1]}, command])[1].keep == (1,)


def test_decisions_are_made_of_members_only(marked: Corpus) -> None:
    assert decide(marked, 3, [17, 3, 17], "林", "both") == {"do": "cluster", "cluster": 3, "keep": [3, 17], "by": "林",
                                                        "note": "both"}
    with pytest.raises(UserError, match="Document 5 is not in cluster 3"):
        decide(marked, 3, [3, 5])
    for number in (5, -1, 999):
        with pytest.raises(UserError, match=f"no cluster {number}"):
            decide(marked, number, [])
    assert len(decide(marked, 3, [], "x" * 999, "y" * 9999)["by"]) == 200


def test_a_whole_cluster_is_accepted_or_rejected(marked: Corpus) -> None:
    assert accept_all(marked, 3)["keep"] == [3, 17, 18, 19, 20, 21]
    assert reject_all(marked, 3)["keep"] == []
    assert undo(3) == {"do": "cluster", "cluster": 3, "keep": None, "by": ""}
    assert MOST >= 1000


def test_what_decisions_change_where_duplicates_are_dropped(dropped: Corpus) -> None:
    accepted = changed(dropped, decisions([accept_all(dropped, 3)]))
    assert (accepted.stays, accepted.goes, accepted.documents) == ((17, 18, 19, 20, 21), (), 5)
    rejected = changed(dropped, decisions([reject_all(dropped, 3)]))
    assert (rejected.stays, rejected.goes) == ((), (3,))
    other = changed(dropped, decisions([decide(dropped, 0, [0])]))
    assert (other.stays, other.goes) == ((0,), (12,))
    same = changed(dropped, decisions([decide(dropped, 0, [12])]))
    assert same.documents == 0 and same.decided == 1


def test_what_decisions_change_where_duplicates_are_marked(marked: Corpus) -> None:
    """Marking drops nothing, so accepting changes nothing and rejecting takes every member out."""
    assert changed(marked, decisions([accept_all(marked, 3)])).documents == 0
    assert changed(marked, decisions([reject_all(marked, 3)])).goes == (3, 17, 18, 19, 20, 21)
    assert changed(marked, decisions([decide(marked, 3, [3])])).goes == (17, 18, 19, 20, 21)


def test_no_decision_keeps_what_another_rule_drops(dropped: Corpus) -> None:
    found = changed(dropped, decisions([decide(dropped, 2, [16])]))
    assert (found.stays, found.goes, found.blocked) == ((), (2,), (16,))


def test_several_decisions_add_up_and_unfit_ones_are_counted(dropped: Corpus) -> None:
    told = [accept_all(dropped, 3), reject_all(dropped, 0), {"do": "cluster", "cluster": 999, "keep": [0]},
            {"do": "cluster", "cluster": 1, "keep": [12, 14]}]
    found = changed(dropped, decisions(told))
    assert (found.decided, found.unfit) == (4, 1)
    assert found.goes == (12,), "the place of a stranger does not count"
    assert found.stays == (17, 18, 19, 20, 21)


def test_decisions_on_the_sample_agree_with_the_slow_way(sample: Corpus) -> None:
    held = by_cluster(sample)
    told = [decide(sample, number, [row["place"] for row in rows[::2]]) for number, rows in list(held.items())[::2]]
    found = changed(sample, decisions(told))
    near = sum(1 << i for i, name in enumerate(dict.fromkeys(test.rule for test in sample.recipe.tests))
               if name == next(test.rule for test in sample.recipe.tests if test.column == "dup_keep"))
    stays, goes = [], []
    for command in told:
        for row in held[command["cluster"]]:
            after = row["place"] in command["keep"] and not row["rule_fail"] & ~near
            if after != row["kept"]:
                (stays if after else goes).append(row["place"])
    assert (list(found.stays), list(found.goes)) == (sorted(stays), sorted(goes))
    assert found.documents > 3


def test_decisions_are_read_from_the_commands_of_the_run(dropped: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "commands.jsonl"
    append_line(path, {**accept_all(dropped, 3, "林"), "at": 12.0})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"do": "cluster", "clus\n[1, 2]\n')
    append_line(path, {"do": "label", "place": 3, "what": "quality", "value": "good"})
    append_line(path, reject_all(dropped, 0))
    found = decisions(read_lines(path))
    assert set(found) == {0, 3} and (found[3].by, found[3].at) == ("林", 12.0)
    append_line(path, undo(3))
    assert set(decisions(read_lines(path))) == {0}
