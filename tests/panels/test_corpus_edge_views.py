"""Duplicates, Label, the lab and Scorers at their edges: unknown and other people's runs, stray and undone labels,
damaged files, texts that would run, very long names, one document, 50 and 51 clusters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends.mdfg.domain_requests import DomainRoundsRequest
from backends.mdfg.explore import decisions
from backends.mdfg.explore.clusters import clusters, open_cluster
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.labels import Label, command_of, read_labels, undo_of
from backends.mdfg.explore.shelf import Shelf
from backends.mdfg.recipes import dump_recipe, parse_recipe
from panels import corpus_agreement as agreement
from panels import corpus_duplicates as duplicates
from panels import corpus_lab as lab
from panels import corpus_label_files as files
from panels import corpus_label_work as work
from panels import corpus_scorers_domains as domains
from panels import corpus_scorers_kinds as kinds
from panels import corpus_scorers_make as make
from panels import corpus_scorers_review as review
from panels import corpus_scorers_show as show
from panels import corpus_scorers_try as trying
from panels.corpus_label_desk import LabelDesk, at_work, learned, value_name
from tests.panels.corpus_label_cases import SCRIPT, commands, corpus, desk_of, job, put_run, records, shell_of
from tests.panels.test_corpus_label_view import HELD, place_of
from tests.panels.test_corpus_scorers_view import JUDGED, ROUND, ROUNDED, ROUNDS_OF_DOMAINS, TRAINED
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.runs import Run
from workbench.text import say

LONG = "很长的名字" * 400
TRAIN, ROUNDS, DOMAINS = (kinds.KINDS[name].task for name in ("train", "rounds", "domains"))
NO_RUNS = ["", "x", "20260101T000000-abcdef", "../..", SCRIPT, LONG]
TRACK, CARD, HISTORY = range(3)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("edges")) as built:
        yield built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("source"), records=records(40), near_duplicates="mark")


@pytest.fixture
def run(page: Page, source: Path) -> Run:
    return put_run(page, source)


@pytest.fixture(scope="module")
def one(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A corpus of one document, which the rules drop: it says one thing only."""
    folder = tmp_path_factory.mktemp("one")
    return put_run(page, corpus(folder, near_duplicates="mark", records=[
        {"text": "一" * 300, "title": LONG, "quality_score": 0.5, "toxicity": {"label": 0, "score": 0.1}}]))


@pytest.fixture(scope="module")
def desk() -> LabelDesk:
    return desk_of(Shelf())


@pytest.fixture(scope="module")
def shown() -> duplicates.Duplicates:
    nothing: Any = None
    return duplicates.Duplicates(Shelf(), nothing, nothing, nothing, nothing, {}, {}, {})


def label(page: Page, run: Run, place: int, value: str = "good", by: str = "Ann", **more: Any) -> Label:
    """Give a label as the page would, without asking the queue."""
    made = Label(place, f"id{place}", more.pop("what", "quality"), value, by, **{"drawn": "bins", **more})
    page.service.command(ANN, run.id, command_of(made))
    return made


def working(page: Page, desk: LabelDesk, run_id: str, lang: str = "en", **changed: Any) -> list[str]:
    return work.looks(shell_of(page), desk, asking(lang=lang), {"corpus": run_id, **HELD, **changed})


def agreeing(page: Page, desk: LabelDesk, run_id: str, show: str = "all", what: str = "quality") -> list[str]:
    return agreement.looks(shell_of(page), desk, asking(), (run_id, what, show), "")


def clustered(page: Page, shown: duplicates.Duplicates, *values: Any) -> list[str]:
    return duplicates.looks(shell_of(page), shown, asking(), duplicates.asked_of(values))


# --- runs that there are not --------------------------------------------------------------------------------------

@pytest.mark.parametrize("run_id", NO_RUNS)
@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_a_run_that_there_is_not_is_a_sentence_in_every_view(page: Page, desk: LabelDesk, run_id: str, lang: str,
                                                             shown: duplicates.Duplicates) -> None:
    shell, asked = shell_of(page), asking(lang=lang)
    drawn = [work.looks(shell, desk, asked, {"corpus": run_id, **HELD})[CARD],
             agreement.looks(shell, desk, asked, (run_id, "quality", "all"), "")[0],
             lab.looks(shell, desk, asked, (run_id, "quality", "all"), 0.5, "")[0],
             duplicates.looks(shell, shown, asked, duplicates.Asked(run_id))[0]]
    words = say(lang, "corpus.choose_first") if not run_id else "There is no run"
    assert all(words in html and "<script" not in html for html in drawn)
    assert work.names(shell, desk, asked, run_id, "quality", "all") == []


@pytest.mark.parametrize("run_id", NO_RUNS[1:])
def test_nothing_is_written_trained_or_exported_for_a_run_that_there_is_not(
        page: Page, desk: LabelDesk, shown: duplicates.Duplicates, run_id: str) -> None:
    shell, asked = shell_of(page), (run_id, "quality", "all")
    page.made.clear()
    for press in (lambda: work.answer(shell, desk, asking(), {"corpus": run_id, **HELD}, ("label", "good", "0")),
                  lambda: files.write(shell, desk, asking(), asked, "answers", "jsonl"),
                  lambda: files.trained(shell, desk, asking(), asked),
                  lambda: lab.recipe_text(shell, desk, asking(), run_id, "quality", 0.5),
                  lambda: duplicates.decide(shell, shown, asking(), run_id, "none", 0, ""),
                  lambda: review.shown(shell, asking(), review.Asked(run_id)),
                  lambda: review.next_round(shell, asking(), run_id, '{"law|a": "accept"}'),
                  lambda: trying.open_for(shell, ANN, f"run:{run_id}/scorer")):
        with pytest.raises(UserError, match="no run"):
            press()
    assert not page.made


def test_another_visitor_s_labels_files_and_rounds_are_not_there(page: Page, desk: LabelDesk, run: Run) -> None:
    label(page, run, 0)
    shell, other = shell_of(page), asking(OTHER)
    judged = job(page, ROUNDS, {}, ROUNDED, files={"judgements.jsonl": JUDGED})
    for press in (lambda: files.write(shell, desk, other, (run.id, "quality", "all"), "answers", "csv"),
                  lambda: files.trained(shell, desk, other, (run.id, "quality", "all")),
                  lambda: lab.run_with(shell, other, run.id, dump_recipe(Corpus.open(run.path).recipe)),
                  lambda: review.shown(shell, other, review.Asked(judged.id)),
                  lambda: make.tick(shell, judged.id, "{}", other)):
        with pytest.raises(UserError, match="There is no run"):
            press()
    assert work.names(shell, desk, other, run.id, "quality", "all") == []


def test_a_shared_run_of_judged_texts_shows_no_buttons_to_others(page: Page) -> None:
    judged = job(page, ROUNDS, {}, ROUNDED, owner=BOB, shared=True, files={"judgements.jsonl": JUDGED})
    html = review.shown(shell_of(page), asking(), review.Asked(judged.id, only="all"))
    assert "第三条" in html and "<button" not in html
    with pytest.raises(UserError, match="belongs to somebody else"):
        review.decide(shell_of(page), asking(), review.Asked(judged.id, by="Ann"), "toxic", "0")


# --- duplicates ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", ["9" * 30, "9" * 5000, "²", "-1", SCRIPT, "一"])
def test_notes_of_the_page_that_are_no_numbers_draw_the_first_page(page: Page, shown: duplicates.Duplicates, run: Run,
                                                                   text: str) -> None:
    usual = clustered(page, shown, run.id, "size", 2, False, "0", "", "")
    assert clustered(page, shown, run.id, "size", 2, False, text, text, text) == usual
    assert duplicates.asked_of((run.id, "size", 2.0, 0, 7, 5, None)) == duplicates.Asked(run.id, first=7, opened=5)


@pytest.mark.parametrize("cluster", [10**30, 2**63, -1, True, "0", None, 1.0])
def test_decisions_that_nobody_could_make_are_passed_over(page: Page, shown: duplicates.Duplicates, run: Run,
                                                          cluster: Any) -> None:
    page.service.command(ANN, run.id, {"do": "cluster", "cluster": cluster, "keep": []})
    page.service.command(ANN, run.id, {"do": "cluster", "cluster": 0, "keep": [10**30]})
    page.service.command(ANN, run.id, {"do": "cluster", "cluster": 0, "keep": "all"})
    assert "Decisions on" not in clustered(page, shown, run.id, "size", 2, False, "0", "", "")[0]


def test_a_decision_on_a_cluster_that_is_gone_changes_nothing_and_one_with_a_name_is_signed(
        page: Page, shown: duplicates.Duplicates, run: Run) -> None:
    number = clusters(Corpus.open(run.path)).rows[0].number
    page.service.command(ANN, run.id, {"do": "cluster", "cluster": 999_999, "keep": []})
    page.service.command(ANN, run.id, {"do": "cluster", "cluster": number, "keep": [], "by": SCRIPT, "note": LONG})
    head, _, members = clustered(page, shown, run.id, "size", 2, False, "0", str(number), "")[:3]
    assert "Decisions on 2 clusters" in head and "<script" not in members and "&lt;script&gt;" in members
    assert decisions.changed(Corpus.open(run.path), decisions.decisions(page.service.commands(ANN, run.id))).unfit == 1


def test_a_key_with_members_and_strangers_keeps_nothing_of_it(page: Page, shown: duplicates.Duplicates,
                                                              run: Run) -> None:
    opened = open_cluster(Corpus.open(run.path), clusters(Corpus.open(run.path)).rows[0].number)
    key = f"{opened.members[0].place}|{'9' * 30}"
    with pytest.raises(UserError, match="is not in cluster"):
        duplicates.decide(shell_of(page), shown, asking(), run.id, "keep", opened.cluster.number, key)
    assert not commands(page, run)


def test_one_document_is_no_cluster(page: Page, shown: duplicates.Duplicates, one: Run) -> None:
    answer = clustered(page, shown, one.id, "length", 2, True, "0", "", "")
    assert "Clusters 0 – 0 of 0" in answer[0] and answer[2:] == ["", "", "0", "", ""]


@pytest.mark.parametrize("count", [50, 51])
def test_fifty_clusters_are_one_page_and_fifty_one_are_two(page: Page, shown: duplicates.Duplicates, tmp_path: Path,
                                                           count: int) -> None:
    digits = "零一二三四五六七八九"
    texts = ["".join(digits[(number * 7919 + place * place * (number + 3)) % 10] + chr(0x4E00 + number * 90 + place)
                     for place in range(90)) for number in range(count)]
    run = put_run(page, corpus(tmp_path, near_duplicates="mark",
                               records=[{"text": text, "quality_score": 0.5} for text in texts for _ in range(2)]))
    first = clustered(page, shown, run.id, "number", 2, False, "0", "", "")
    after = duplicates.turned(shell_of(page), shown, asking(), (run.id, "number", 2, False, "0", "", ""),
                              duplicates.PAGE)
    assert first[1].count("<li>") == 50 and f"1 – 50 of {count}" in first[0]
    assert (after[4], after[1].count("<li>")) == (("50", 1) if count > 50 else ("0", 50))
    assert sum(len(part.encode()) for part in first[:4]) < 200_000


# --- labels -------------------------------------------------------------------------------------------------------

def test_a_label_of_a_document_that_is_not_in_the_corpus_stops_nothing(page: Page, desk: LabelDesk, run: Run) -> None:
    label(page, run, 10**6)
    label(page, run, 0, "bad")
    drawn = working(page, desk, run.id)
    assert "cl-document" in drawn[CARD] and drawn[HISTORY].count("<li>") == 1 and "bad" in drawn[HISTORY]
    assert "2 labels of 2 documents" in agreeing(page, desk, run.id)[0]
    held = at_work(shell_of(page), desk, asking(), run.id, "quality", "all")
    assert learned(shell_of(page), asking(), held, "quality").places == ()


@pytest.mark.parametrize("value", [SCRIPT, "excellent", "good|bad", "|", "法律"])
def test_labels_outside_the_list_are_shown_as_text_and_speak_for_nothing(page: Page, desk: LabelDesk, run: Run,
                                                                         value: str) -> None:
    for place in range(25):
        label(page, run, place, value)
    drawn = "".join([*working(page, desk, run.id), *agreeing(page, desk, run.id)])
    assert "<script" not in drawn
    refused = lab.looks(shell_of(page), desk, asking(), (run.id, "quality", "all"), 0.5, "")
    assert "needed" in refused[0] and refused[1] == "" and "<script" not in refused[0]


def test_an_undone_label_gives_way_to_the_one_before_it_and_can_be_given_again(page: Page, desk: LabelDesk,
                                                                               run: Run) -> None:
    label(page, run, 3, "good")
    second = label(page, run, 3, "bad")
    page.service.command(ANN, run.id, undo_of(second))
    assert [one.value for one in read_labels(page.service.commands(ANN, run.id)).current] == ["good"]
    page.service.command(ANN, run.id, undo_of(second))
    page.service.command(ANN, run.id, undo_of(second))
    assert working(page, desk, run.id)[HISTORY] == "" and "0 labels" in agreeing(page, desk, run.id)[0]
    label(page, run, 3, "bad")
    assert "bad" in working(page, desk, run.id)[HISTORY]


def test_an_undo_takes_back_one_s_own_label_whatever_else_came_after(page: Page, desk: LabelDesk, run: Run) -> None:
    label(page, run, 1, by="Ann")
    label(page, run, 2, by="王芳")
    label(page, run, 1, "law", by="Ann", what="domain")
    work.answer(shell_of(page), desk, asking(), {"corpus": run.id, **HELD, "by": "王芳"}, ("undo", "", ""))
    assert [(one.by, one.what) for one in read_labels(page.service.commands(ANN, run.id)).current] == [
        ("Ann", "quality"), ("Ann", "domain")]


@pytest.mark.parametrize(("by", "kept"), [("王 芳", "王 芳"), ("n" * 500, "n" * 60), ("\t李\n雷 ", "李 雷"),
                                          (SCRIPT, SCRIPT)])
def test_names_of_people_are_cut_and_shown_as_text(page: Page, desk: LabelDesk, run: Run, by: str, kept: str) -> None:
    place = place_of(working(page, desk, run.id, by=by)[CARD])
    work.answer(shell_of(page), desk, asking(), {"corpus": run.id, **HELD, "by": by}, ("label", "bad", place))
    assert commands(page, run)[-1]["by"] == kept
    label(page, run, int(place), "good", by="Bo")
    drawn = working(page, desk, run.id, by=by) + agreeing(page, desk, run.id)
    assert "<script" not in "".join(drawn) and "cl-history" in drawn[HISTORY]


@pytest.mark.parametrize(("note", "length"), [("", 0), ("好" * 2000, 2000), ("好" * 9000, 2000), (None, 0)])
def test_a_remark_is_cut_at_what_a_label_holds(page: Page, desk: LabelDesk, run: Run, note: str | None,
                                               length: int) -> None:
    place = place_of(working(page, desk, run.id)[CARD])
    held = {"corpus": run.id, **HELD, "note": note}
    work.answer(shell_of(page), desk, asking(), held, ("label", "good", place))
    assert len(commands(page, run)[-1].get("note", "")) == length


@pytest.mark.parametrize("changed", [{"kind": "odd"}, {"what": "../x"}, {"what": SCRIPT}, {"bins": 0}, {"bins": 3},
                                     {"people": 21}, {"size": 0}, {"seed": -1}, {"threshold": float("nan")}])
def test_settings_that_there_are_not_are_said_in_the_card(page: Page, desk: LabelDesk, run: Run,
                                                          changed: dict[str, Any]) -> None:
    card = working(page, desk, run.id, **changed)[CARD]
    assert "cl-document" not in card and re.search(r"must (be|lie)|There is no dimension", card)
    assert "<script" not in card


def test_an_odd_choice_of_documents_is_all_of_them(page: Page, desk: LabelDesk, run: Run) -> None:
    assert working(page, desk, run.id, show=SCRIPT) == working(page, desk, run.id)


@pytest.mark.parametrize("skipped", ["x y", "999999 -5", " ".join(map(str, range(200))), SCRIPT])
def test_places_put_off_that_are_not_in_the_queue_change_nothing(page: Page, desk: LabelDesk, run: Run,
                                                                 skipped: str) -> None:
    assert "cl-document" in working(page, desk, run.id, skipped=skipped)[CARD]
    held = {"corpus": run.id, **HELD, "skipped": skipped}
    after = work.answer(shell_of(page), desk, asking(), held, ("skip", "", "7")).split()
    assert after[-1] == "7" and after.count("7") == 1 and len(after) <= work.MOST_SKIPPED


def test_one_document_is_labelled_and_its_queue_is_done(page: Page, desk: LabelDesk, one: Run) -> None:
    assert "0 of 1 labelled by you" in working(page, desk, one.id)[TRACK]
    work.answer(shell_of(page), desk, asking(), {"corpus": one.id, **HELD}, ("label", "good", "0"))
    drawn = working(page, desk, one.id, "zh-CN")
    assert "共 1 篇，你已标注 1 篇" in drawn[TRACK] and 'data-place=""' in drawn[CARD]
    for part in (working(page, desk, one.id, show="kept")[CARD], agreeing(page, desk, one.id, "kept")[0]):
        assert "No document has a score of quality" in part, "no document is kept: a sentence in the place of each part"
    curve = lab.looks(shell_of(page), desk, asking(), (one.id, "quality", "kept"), 0.5, "")
    assert "0 drawn documents have a label" in curve[0] and curve[1] == ""


def test_an_empty_text_can_be_looked_at_and_labelled(page: Page, desk: LabelDesk, tmp_path: Path) -> None:
    made = corpus(tmp_path, records=[{"text": text, "quality_score": 0.5} for text in (" ", "", "一段文字")])
    empty = put_run(page, made)
    for _ in range(Corpus.open(empty.path).total):
        place = place_of(working(page, desk, empty.id)[CARD])
        work.answer(shell_of(page), desk, asking(), {"corpus": empty.id, **HELD}, ("label", "unsure", place))
    assert "Nothing is left for you" in working(page, desk, empty.id)[CARD]


@pytest.mark.parametrize("what", ["../../x", SCRIPT, "", LONG])
def test_a_dimension_never_becomes_a_path(page: Page, desk: LabelDesk, run: Run, what: str) -> None:
    label(page, run, 0)
    for press in (lambda: files.write(shell_of(page), desk, asking(), (run.id, what, "all"), "answers", "jsonl"),
                  lambda: files.trained(shell_of(page), desk, asking(), (run.id, what, "all"))):
        with pytest.raises(UserError, match="no dimension"):
            press()


def test_a_label_that_a_spreadsheet_would_run_leaves_as_text(page: Page, desk: LabelDesk, run: Run) -> None:
    label(page, run, 0, note="=HYPERLINK(1)", by="+王")
    asked = (run.id, "quality", "all")
    table = files.write(shell_of(page), desk, asking(), asked, "answers", "csv").read_text(encoding="utf-8")
    assert "'=HYPERLINK(1)" in table and "'+王" in table
    lines = files.write(shell_of(page), desk, asking(), asked, "answers", "odd").read_text(encoding="utf-8")
    assert json.loads(lines)["by"] == "+王", "a form that there is not is JSON lines"


# --- the lab ------------------------------------------------------------------------------------------------------

def test_an_emptied_threshold_gives_the_recipe_of_a_half(page: Page, desk: LabelDesk, run: Run) -> None:
    made = [lab.recipe_text(shell_of(page), desk, asking(), run.id, "quality", value) for value in (None, 0.5)]
    assert made[0] == made[1] and parse_recipe(made[0]).rules[-1].limit == 0.5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_threshold_that_is_no_number_gives_no_recipe(page: Page, desk: LabelDesk, run: Run, value: float) -> None:
    with pytest.raises(UserError, match="limit"):
        lab.recipe_text(shell_of(page), desk, asking(), run.id, "quality", value)


@pytest.mark.parametrize("text", ["a: [", "\t", "- 1", "{", "name: x\nrules: [{rule: a}]", f"name: '{SCRIPT}'", "\0",
                                  "&a [*a]", "名: 值", "x" * 300_000])
def test_yaml_that_is_no_recipe_starts_nothing(page: Page, run: Run, text: str) -> None:
    page.made.clear()
    with pytest.raises(UserError):
        lab.run_with(shell_of(page), asking(), run.id, text)
    assert not page.made


# --- scorers ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("damage", [
    {"rounds": [5, None, "x"]}, {"rounds": [{**ROUND, "f1": "x"}]}, {"rounds": [{**ROUND, "judged": "x"}]},
    {"rounds": [{**ROUND, "judged": None, "name": None}]}, {"rounds": []}, {"control": [{"name": []}, 5]},
    {"control": "x"}, {"compared": "x"}, {"compared": [1]}, {"kappa": "x"}, {"judge": 5},
    {"rounds": [{**ROUND, "name": SCRIPT, "judged": 10**400, "auc": 10**400}]}])
def test_a_result_of_rounds_that_was_damaged_is_still_drawn(page: Page, damage: dict[str, Any]) -> None:
    made = job(page, ROUNDS, {}, {**ROUNDED, **damage}, files={"judgements.jsonl": [*JUDGED, {"text": 5}, {
        "text": "", "votes": [{"raw": None, "tokens": "x", "seconds": True}], "round": "x", "toxic": "yes"}]})
    html = show.looks(shell_of(page), ANN, made, "zh-CN")["result"]
    assert "各轮结果" in html and "<script" not in html and "评判 4 条" in html
    assert "第一条" in review.shown(shell_of(page), asking(), review.Asked(made.id, only="all"))


@pytest.mark.parametrize("damage", [
    {"proposals": "x"}, {"proposals": [{"word": 5}, 7]}, {"counts": "x", "changed": "many"}, {"number": SCRIPT},
    {"unused": [SCRIPT, None]}, {"figures": {SCRIPT: 0.5, "b": "c"}}, {"texts": None, "counts": {LONG: 1}}])
def test_a_result_of_domains_that_was_damaged_is_still_drawn(page: Page, damage: dict[str, Any]) -> None:
    made = job(page, DOMAINS, {}, {**ROUNDS_OF_DOMAINS, **damage}, title=f"{SCRIPT}{LONG}")
    look = show.looks(shell_of(page), ANN, made, "en")
    drawn = look["head"] + look["result"] + review.shown(shell_of(page), asking(), review.Asked(made.id))
    assert "<script" not in drawn and "tr-sheet" in drawn and look["next"]


@pytest.mark.parametrize("damage", [{"figures": "x"}, {"outputs": None}, {"size_mb": "x"}, {"notes": [5, None, SCRIPT]},
                                    {"version": SCRIPT, "texts": "x"}])
def test_a_result_of_a_training_that_was_damaged_is_still_drawn(page: Page, damage: dict[str, Any]) -> None:
    html = show.looks(shell_of(page), ANN, job(page, TRAIN, {}, {**TRAINED, **damage}), "en")["result"]
    assert "On texts that it did not learn from" in html and "<script" not in html


@pytest.mark.parametrize("picks", ["{}", "null", "[1]", "broken", '{"law|a": "burn"}', '{"law": "accept"}', "[" * 3000,
                                   '{"|": "accept"}', '{"law|": "reject"}', '{"|a": "accept"}', '{"law|a": {"b": 1}}'])
def test_decisions_that_say_nothing_start_no_round(page: Page, picks: str) -> None:
    made = job(page, DOMAINS, {}, ROUNDS_OF_DOMAINS)
    assert domains.held(picks) == {}
    with pytest.raises(UserError, match="Accept or reject at least one"):
        review.next_round(shell_of(page), asking(), made.id, picks)
    assert "0 accepted, 0 rejected" in review.shown(shell_of(page), asking(), review.Asked(made.id, picks))


def test_only_decisions_that_can_be_read_go_into_the_next_round(page: Page) -> None:
    made = job(page, DOMAINS, {"practice": 600}, ROUNDS_OF_DOMAINS)
    picks = json.dumps({"law|上诉|a": "accept", "law|x": "burn", "news": "reject", "news|记者": "reject"})
    fields = review.next_round(shell_of(page), asking(), made.id, picks)
    assert (fields["accepted"], fields["rejected"]) == (["law: 上诉|a"], ["news: 记者"])
    assert from_json(DomainRoundsRequest, fields).previous == f"run:{made.id}/round"


@pytest.mark.parametrize("text", ["一", "。", "👩‍👩‍👧", "\u202eabc", "a" * 20_000, "汉" * 20_000, f"{SCRIPT}\n法院"])
def test_texts_of_any_kind_get_scores_and_an_explanation(page: Page, text: str) -> None:
    references = ["bundled:mdfg-zh-toxicity", "bundled:mdfg-zh-domain"]
    scores, why, chosen = trying.answer(shell_of(page), asking(lang="zh-CN"), text, [*references, references[0]], "")
    assert scores.count('class="cl-scorer"') == 2 and chosen.startswith(references[0])
    assert "<script" not in scores + why and ">nan<" not in scores


def test_scorers_beyond_the_most_are_not_opened(page: Page) -> None:
    asked = ["bundled:mdfg-zh-quality"] * trying.MOST_SCORERS + ["bundled:nothing", "path:/etc"]
    scores, _, chosen = trying.answer(shell_of(page), asking(), "法院", asked, "")
    assert scores.count('class="cl-scorer"') == 1 and chosen == "bundled:mdfg-zh-quality|score"


@pytest.mark.parametrize(("value", "en", "zh"), [("law", "law", "法律"), ("unsure", "unsure", "不确定"),
                                                 (SCRIPT, SCRIPT, SCRIPT), ("", "", "")])
def test_answers_have_names_and_others_are_themselves(page: Page, value: str, en: str, zh: str) -> None:
    assert [value_name("domain", value, partial(say, lang)) for lang in ("en", "zh-CN")] == [en, zh]


# --- the page -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("data", [{}, {"act": None, "key": None, "turn": None}, {"act": 5, "key": [1], "turn": {}},
                                  {"act": "label", "key": "good"}, {"act": "open", "key": SCRIPT}])
def test_presses_without_sense_write_nothing(page: Page, run: Run, data: dict[str, Any]) -> None:
    held = [run.id, *(HELD[name] for name in ("what", "show", "by", "kind", "blind", "size", "people", "bins", "seed",
                                              "threshold", "note", "skipped"))]
    event = SimpleNamespace(_data=data)
    assert "cl-document" in page.call("corpus_label_work", "press", asking(), event, *held)[CARD]
    assert page.call("corpus_duplicates", "press", asking(), event, run.id, "size", 2, False, "0", "", "")[1]
    assert not commands(page, run)


@pytest.mark.parametrize(("count", "kept"), [(0, 1), (7, 8), (8, 8), (51, 8)])
def test_a_scorer_that_is_brought_comes_first_and_no_more_than_fit_stay(page: Page, count: int, kept: int) -> None:
    made = job(page, TRAIN, {}, TRAINED)
    scorers = [f"bundled:{number}" for number in range(count)]
    _, update, chosen = page.call("corpus_scorers", "try_it", made.id, [*scorers, f"run:{made.id}/scorer"], asking())
    assert update["value"] == [f"run:{made.id}/scorer", *scorers][:kept] and chosen == f"run:{made.id}/scorer|"


def test_runs_and_texts_beyond_the_most_are_not_offered(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        job(page, TRAIN, {}, TRAINED, title=f"{number}{SCRIPT}{LONG}")
    assert len(kinds.choices(shell_of(page), ANN, "zh-CN")) > 3
    monkeypatch.setattr(kinds, "MOST", 1)
    found = [value for _, value in kinds.choices(shell_of(page), ANN, "zh-CN")]
    assert len(found) <= len(kinds.TASKS) and len(found) == len(set(found))
    strangers = [value for _, value in kinds.choices(shell_of(page), "nobody", "en")]
    assert all(page.service.run(ANN, value).shared for value in strangers)
    assert kinds.sources(shell_of(page), "nobody", "en", "train") == []
