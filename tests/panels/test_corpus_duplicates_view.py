"""The Duplicates view: pages of clusters, members and why, side by side, decisions on whole clusters, rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.mdfg.explore import decisions
from backends.mdfg.explore.clusters import clusters, compare, open_cluster
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.diff import Piece
from backends.mdfg.explore.shelf import Shelf
from panels import corpus_duplicates as view
from tests.panels.corpus_label_cases import SCRIPT, commands, corpus, pressed, put_run, shell_of
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from workbench import text
from workbench.contract import UserError
from workbench.runs import Run


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("duplicates")) as built:
        yield built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("source"), near_duplicates="mark")


@pytest.fixture(scope="module")
def dropped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("dropped"), near_duplicates="drop")


@pytest.fixture
def run(page: Page, source: Path) -> Run:
    return put_run(page, source)


@pytest.fixture(scope="module")
def shown(page: Page) -> view.Duplicates:
    nothing: Any = None
    return view.Duplicates(Shelf(), nothing, nothing, nothing, nothing, {}, {}, {})


def looks(page: Page, shown: view.Duplicates, *, lang: str = "en", cookie: str = "", **asked: Any) -> list[str]:
    request = asking(cookie, lang) if cookie else asking(lang=lang)
    return view.looks(shell_of(page), shown, request, view.Asked(**asked))


HEAD, LIST, MEMBERS, SIDES, FIRST, OPENED, BESIDE = range(7)


# --- the list -----------------------------------------------------------------------------------------------------

def test_every_copy_that_was_planted_is_in_a_cluster(page: Page, shown: view.Duplicates, run: Run,
                                                     source: Path) -> None:
    answer = looks(page, shown, run=run.id)
    held = Corpus.open(source)
    found = clusters(held)
    assert found.total >= 12 and found.documents >= 24
    assert f"of {found.shown:,} ({found.total:,} in all); they hold {found.documents} of {held.total} documents" in \
        answer[HEAD]
    assert answer[LIST].count('aria-label="') == found.shown


def test_the_first_cluster_is_open_with_its_best_member_and_another(page: Page, shown: view.Duplicates,
                                                                    run: Run) -> None:
    answer = looks(page, shown, run=run.id)
    assert answer[OPENED] == re.findall(r'data-key="(\d+)" aria-pressed="true"', answer[LIST])[0]
    assert answer[BESIDE] and f'data-key="{answer[BESIDE]}" aria-pressed="true"' in answer[MEMBERS]
    assert "Kept: " in answer[SIDES] and "Other: " in answer[SIDES]


def test_the_policy_of_the_recipe_is_told_in_both_languages(page: Page, shown: view.Duplicates, run: Run) -> None:
    assert "similarity of 0.7" in looks(page, shown, run=run.id)[HEAD]
    assert "highest quality" in looks(page, shown, run=run.id)[HEAD]
    assert "质量最高" in looks(page, shown, run=run.id, lang="zh-CN")[HEAD]


def test_a_run_that_drops_duplicates_keeps_one_of_each(page: Page, shown: view.Duplicates, dropped: Path) -> None:
    run = put_run(page, dropped)
    answer = looks(page, shown, run=run.id)
    assert "dropped but for one" in answer[HEAD]
    kept = [int(one) for one in re.findall(r'aria-label="\d+ documents, (\d+) kept"', answer[LIST])]
    assert kept and max(kept) <= 1


@pytest.mark.parametrize("sort", view.SORTS)
def test_orders(page: Page, shown: view.Duplicates, run: Run, source: Path, sort: str) -> None:
    numbers = [int(n) for n in re.findall(r'data-act="open" data-key="(\d+)" aria', looks(page, shown, run=run.id,
                                                                                          sort=sort)[LIST])]
    assert numbers == [row.number for row in clusters(Corpus.open(source), sort=sort).rows]  # type: ignore[arg-type]


def test_no_cluster_is_as_large_as_asked(page: Page, shown: view.Duplicates, run: Run) -> None:
    answer = looks(page, shown, run=run.id, least=50)
    assert "no cluster of this size" in answer[LIST] and answer[MEMBERS] == answer[SIDES] == ""
    assert answer[OPENED] == answer[BESIDE] == ""


def test_pages_end_where_the_list_ends(page: Page, shown: view.Duplicates, run: Run,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "PAGE", 5)
    total = clusters(Corpus.open(run.path)).shown
    last = (total - 1) // 5 * 5
    assert looks(page, shown, run=run.id, first=last)[FIRST] == str(last)
    assert looks(page, shown, run=run.id, first=10_000)[FIRST] == str(last)
    assert f"Clusters {last + 1} – {total} of" in looks(page, shown, run=run.id, first=10_000)[HEAD]
    values = (run.id, "size", 2, False, "0", "", "")
    on = view.turned(shell_of(page), shown, asking(), values, 5)
    assert on[FIRST] == "5" and on[LIST] != looks(page, shown, run=run.id)[LIST]
    assert view.turned(shell_of(page), shown, asking(), values, -5)[FIRST] == "0"


# --- one cluster --------------------------------------------------------------------------------------------------

def test_members_name_the_reason_the_likeness_and_the_kept_one(page: Page, shown: view.Duplicates, run: Run) -> None:
    number = int(looks(page, shown, run=run.id)[OPENED])
    opened = open_cluster(Corpus.open(run.path), number)
    html = looks(page, shown, run=run.id, opened=number)[MEMBERS]
    assert text.say("en", f"label.clusters.why.{opened.why}").replace("'", "&#x27;") in html
    ticked = re.findall(r'data-act="toggle" data-key="(\d+)" aria-pressed="true"', html)
    assert ticked == [str(opened.members[0].place)], "as the run has it: the best one stays"
    for member in opened.members[1:]:
        assert f"{member.jaccard:.3f} of the shingles" in html


def test_the_difference_is_the_planted_one(page: Page, shown: view.Duplicates, run: Run) -> None:
    held = Corpus.open(run.path)
    pairs = [(row.number, one.members) for row in clusters(held).rows
             if (one := open_cluster(held, row.number)).cluster.size == 2]
    planted = [number for number, (best, other) in pairs
               if (found := compare(held, best.place, other.place)).removed + found.added == 4]
    assert planted, "a copy with （转载） behind it is in a cluster of its own"
    html = looks(page, shown, run=run.id, opened=planted[0])[SIDES]
    assert "（转载）" in re.sub(r"<[^>]+>", "", "".join(re.findall(r"<(?:ins|del)>.*?</(?:ins|del)>", html)))
    assert re.search(r"\b4 characters only in the kept one, 0 only|\b0 characters only in the kept one, 4 only", html)


def test_long_equal_stretches_are_folded_unless_asked_for(page: Page, shown: view.Duplicates, run: Run) -> None:
    folded = looks(page, shown, run=run.id)
    whole = looks(page, shown, run=run.id, whole=True)
    assert "equal characters" in folded[SIDES] and "equal characters" not in whole[SIDES]
    assert len(whole[SIDES]) > len(folded[SIDES])


def test_titles_and_texts_from_the_data_never_run(page: Page, shown: view.Duplicates, run: Run) -> None:
    for row in clusters(Corpus.open(run.path)).rows:
        for part in looks(page, shown, run=run.id, opened=row.number)[:4]:
            assert "<script" not in part
    assert any("&lt;script&gt;" in looks(page, shown, run=run.id, opened=row.number)[MEMBERS]
               for row in clusters(Corpus.open(run.path)).rows), SCRIPT


def test_a_place_that_is_no_member_falls_back_to_one(page: Page, shown: view.Duplicates, run: Run) -> None:
    answer = looks(page, shown, run=run.id, other=10**6)
    assert answer[BESIDE] == looks(page, shown, run=run.id)[BESIDE]


def test_a_cluster_that_there_is_not_is_refused(page: Page, shown: view.Duplicates, run: Run) -> None:
    with pytest.raises(UserError, match="There is no cluster 999999"):
        looks(page, shown, run=run.id, opened=999_999)


def test_a_page_stays_small_with_long_texts() -> None:
    pieces = [Piece("same", "长" * 20_000, 20_000), Piece("removed", "短" * 20_000, 20_000), Piece("added", "x", 1)]
    kept = view.clipped(pieces)
    assert sum(piece.length for piece in kept if piece.sort != "left out") == 30_000
    assert kept[-1] == Piece("left out", "", 10_001)
    assert view.clipped(pieces[:1]) == pieces[:1]


def test_a_gap_costs_nothing() -> None:
    pieces = [Piece("left out", "", 10**6), Piece("same", "ab", 2)]
    assert view.clipped(pieces, 10) == pieces


# --- decisions ----------------------------------------------------------------------------------------------------

def decide(page: Page, shown: view.Duplicates, run: Run, act: str, number: int, key: str = "",
           cookie: str = "") -> None:
    request = asking(cookie) if cookie else asking()
    view.decide(shell_of(page), shown, request, run.id, act, number, key)


@pytest.mark.parametrize(("act", "kept"), [("all", 2), ("none", 0)])
def test_a_whole_cluster_is_accepted_or_rejected(page: Page, shown: view.Duplicates, run: Run, act: str,
                                                 kept: int) -> None:
    opened = next(one for row in clusters(Corpus.open(run.path)).rows
                  if (one := open_cluster(Corpus.open(run.path), row.number)).cluster.size == 2)
    decide(page, shown, run, act, opened.cluster.number)
    made = decisions.decisions(page.service.commands(ANN, run.id))[opened.cluster.number]
    assert len(made.keep) == kept
    answer = looks(page, shown, run=run.id, opened=opened.cluster.number)
    assert f"{kept} of 2 kept" in answer[LIST] and f"{kept} of 2 kept" in answer[MEMBERS]
    assert "Decisions on 1 clusters change" in answer[HEAD]
    ticked = re.findall(r'data-act="toggle" data-key="\d+" aria-pressed="true"', answer[MEMBERS])
    assert len(ticked) == kept


def test_the_chosen_members_are_kept_and_a_decision_is_taken_back(page: Page, shown: view.Duplicates, run: Run) -> None:
    number = int(looks(page, shown, run=run.id)[OPENED])
    places = [member.place for member in open_cluster(Corpus.open(run.path), number).members]
    decide(page, shown, run, "keep", number, "|".join(map(str, places[1:])))
    assert commands(page, run)[-1] == {"do": "cluster", "cluster": number, "keep": sorted(places[1:]), "by": "",
                                       "note": ""}
    decide(page, shown, run, "accept", number)
    assert commands(page, run)[-1]["keep"] is None
    assert "Decisions on" not in looks(page, shown, run=run.id)[HEAD]


def test_what_decisions_change_is_counted_against_the_run(page: Page, shown: view.Duplicates, dropped: Path) -> None:
    run = put_run(page, dropped)
    held = Corpus.open(run.path)
    row = next(row for row in clusters(held).rows if row.kept and row.passing > 1)
    decide(page, shown, run, "all", row.number)
    effect = decisions.changed(held, decisions.decisions(page.service.commands(ANN, run.id)))
    assert effect.stays and not effect.goes
    assert f"{len(effect.stays)} are kept that the run drops, 0 are dropped" in looks(page, shown, run=run.id)[HEAD]


@pytest.mark.parametrize(("key", "problem"), [("999999", "is not in cluster"), ("<b>|-3", None)])
def test_only_members_can_be_kept(page: Page, shown: view.Duplicates, run: Run, key: str, problem: str | None) -> None:
    number = int(looks(page, shown, run=run.id)[OPENED])
    if problem:
        with pytest.raises(UserError, match=problem):
            decide(page, shown, run, "keep", number, key)
    else:
        decide(page, shown, run, "keep", number, key)
        assert commands(page, run)[-1]["keep"] == [], "nothing that is a place was named"


def test_a_shared_run_can_be_seen_but_not_decided_on(page: Page, shown: view.Duplicates, source: Path) -> None:
    run = put_run(page, source, owner=BOB, shared=True)
    answer = looks(page, shown, run=run.id)
    assert answer[LIST]
    with pytest.raises(UserError, match="belongs to somebody else"):
        decide(page, shown, run, "none", int(answer[OPENED]))
    assert not page.service.commands(BOB, run.id)


def test_a_private_run_of_somebody_else_is_not_there(page: Page, shown: view.Duplicates, run: Run) -> None:
    answer = looks(page, shown, cookie=OTHER, run=run.id)
    assert "There is no run" in answer[HEAD] and answer[LIST] == ""


# --- what has no clusters -----------------------------------------------------------------------------------------

def test_before_a_corpus_is_chosen_it_says_so(page: Page, shown: view.Duplicates) -> None:
    answer = looks(page, shown, run="")
    assert "tr-note" in answer[HEAD] and answer[1:] == ["", "", "", "0", "", ""]


def test_a_run_that_did_not_look_for_duplicates_says_so(page: Page, shown: view.Duplicates,
                                                        tmp_path: Path) -> None:
    run = put_run(page, corpus(tmp_path, near_duplicates="off"))
    assert "did not look for near-duplicates" in looks(page, shown, run=run.id)[HEAD]


def test_a_run_that_failed_or_is_of_another_kind_is_no_corpus(page: Page, shown: view.Duplicates) -> None:
    failed = put_run(page, status="failed")
    other = put_run(page, task="mdfg.score.v1")
    for run in (failed, other):
        assert "tr-note" in looks(page, shown, run=run.id)[HEAD]


# --- the page -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("values", [
    ("", None, None, None, None, None, None), ("r", "sideways", 0, "x", "-4", "a", "1e9"),
    (None, "size", -5, True, "7", "3", "2")])
def test_whatever_the_page_sends_is_read(values: tuple[Any, ...]) -> None:
    asked = view.asked_of(values)
    assert asked.sort in view.SORTS and asked.least >= 2 and asked.first >= 0


def test_the_handlers_of_the_page_answer_presses(page: Page, run: Run) -> None:
    values = [run.id, "size", 2, False, "0", "", ""]
    first = page.call("corpus_duplicates", "draw", asking(), *values)
    assert len(first) == 7
    following = re.findall(r'data-key="(\d+)" data-shortcut="j', first[LIST])[0]
    opened = page.call("corpus_duplicates", "press", asking(), pressed("open", following), *values)
    assert opened[OPENED] == following
    values[4:] = opened[4:]
    members = [one.place for one in open_cluster(Corpus.open(run.path), int(following)).members]
    beside = page.call("corpus_duplicates", "press", asking(), pressed("compare", str(members[-1])), *values)
    assert beside[BESIDE] == str(members[-1])
    rejected = page.call("corpus_duplicates", "press", asking(), pressed("none", "", following), *values)
    assert f"0 of {len(members)} kept" in rejected[MEMBERS]
    again = page.call("corpus_duplicates", "again", asking(), *values)
    assert again[FIRST] == "0"
    for name in ("back", "on"):
        assert len(page.call("corpus_duplicates", name, asking(), *values)) == 7


def test_a_press_that_means_nothing_changes_nothing(page: Page, run: Run) -> None:
    values = [run.id, "size", 2, False, "0", "", ""]
    for act, turn in (("burn", "3"), ("none", "x"), ("", "")):
        page.call("corpus_duplicates", "press", asking(), pressed(act, "", turn), *values)
    assert not page.service.commands(ANN, run.id)


# --- long texts ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("lang", "said"), [
    ("en", "Of 2 long texts only the first 100 characters were compared."),
    ("zh-CN", "有 2 篇长文本只比较了前 100 个字符。")])
def test_it_is_said_when_texts_were_compared_at_their_beginnings(
        page: Page, shown: view.Duplicates, source: Path, monkeypatch: pytest.MonkeyPatch, lang: str,
        said: str) -> None:
    from backends.mdfg.explore import clusters as clustering

    run = put_run(page, source)
    held = Corpus.open(source)
    number = next(row.number for row in clusters(held).rows if row.size == 2)
    assert all(member.length > 100 for member in open_cluster(held, number).members)
    assert said not in looks(page, shown, run=run.id, opened=number, lang=lang)[MEMBERS]
    monkeypatch.setattr(clustering, "COMPARED", 100)
    fresh = put_run(page, source)
    html = looks(page, shown, run=fresh.id, opened=number, lang=lang)[MEMBERS]
    assert said in html and "label.clusters" not in html
    assert said in looks(page, shown, run=fresh.id, opened=number, lang=lang)[MEMBERS], "kept answers say it too"
