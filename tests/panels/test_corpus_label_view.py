"""The Label view: the queue and its reasons, answers and undo, hidden scores, agreement, acceptance, files, rights."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.labels import Label, command_of, read_labels
from backends.mdfg.explore.queue import queue
from backends.mdfg.explore.shelf import Shelf
from panels import corpus_agreement as agreement
from panels import corpus_label_desk as desks
from panels import corpus_label_files as files
from panels import corpus_label_work as work
from tests.panels.corpus_label_cases import SCRIPT, commands, corpus, desk_of, pressed, put_run, records, shell_of
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from workbench.contract import UserError
from workbench.runs import Run

HELD: dict[str, Any] = {"what": "quality", "show": "all", "by": "Ann", "kind": "bins", "blind": True, "size": 20,
                        "people": 2, "bins": 10, "seed": 0, "threshold": 0.5, "note": "", "skipped": ""}
TRACK, CARD, HISTORY = range(3)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("label")) as built:
        yield built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("source"), records=records(60))


@pytest.fixture
def run(page: Page, source: Path) -> Run:
    return put_run(page, source)


@pytest.fixture(scope="module")
def desk() -> desks.LabelDesk:
    return desk_of(Shelf())


def looks(page: Page, desk: desks.LabelDesk, run: Run | str, lang: str = "en", **changed: Any) -> list[str]:
    run_id = run if isinstance(run, str) else run.id
    return work.looks(shell_of(page), desk, asking(lang=lang), {"corpus": run_id, **HELD, **changed})


def answer(page: Page, desk: desks.LabelDesk, run: Run, press: tuple[str, str, str], cookie: str = "",
           **changed: Any) -> str:
    request = asking(cookie) if cookie else asking()
    return work.answer(shell_of(page), desk, request, {"corpus": run.id, **HELD, **changed}, press)


def place_of(html: str) -> str:
    return re.findall(r'data-place="(\d*)"', html)[0]


def labelled(page: Page, desk: desks.LabelDesk, run: Run, count: int, value: Any = "good", **changed: Any) -> list[str]:
    """Label the next documents; their places in the order they came."""
    places = []
    for number in range(count):
        place = place_of(looks(page, desk, run, **changed)[CARD])
        given = value(number, place) if callable(value) else value
        answer(page, desk, run, ("label", given, place), **changed)
        places.append(place)
    return places


# --- the queue ----------------------------------------------------------------------------------------------------

def test_the_first_document_is_the_queue_s_first(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    found = desks.at_work(shell_of(page), desk, asking(), run.id, "quality", "all")
    first = queue(found.population, found.labels, work.ask_of({"corpus": run.id, **HELD})).items[0]
    assert place_of(looks(page, desk, run)[CARD]) == str(first.place)
    assert "0 of 20 labelled by you" in looks(page, desk, run)[TRACK]


def test_answers_go_through_the_queue_until_it_is_done(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    places = labelled(page, desk, run, 6, size=6)
    assert len(set(places)) == 6
    answer_ = looks(page, desk, run, size=6)
    assert "6 of 6 labelled by you" in answer_[TRACK] and "Nothing is left for you" in answer_[CARD]
    held = read_labels(page.service.commands(ANN, run.id))
    assert [str(one.place) for one in held.current] == places
    assert {(one.value, one.by, one.drawn, one.shown) for one in held.current} == {("good", "Ann", "bins", "")}


def test_a_second_person_gets_the_same_documents_with_the_reason(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    first = labelled(page, desk, run, 4, size=4)
    second = looks(page, desk, run, size=4, by="Bo")
    assert place_of(second[CARD]) in first and "A second opinion: 1 labelled it before you" in second[CARD]
    assert sorted(labelled(page, desk, run, 4, "bad", size=4, by="Bo")) == sorted(first)
    assert "4 by enough people" in looks(page, desk, run, size=4)[TRACK]


@pytest.mark.parametrize(("kind", "what", "blind", "open_words"), [
    ("bins", "quality", "every score bin is seen", r"with a score from [\d.]+ to [\d.]+ \(its score: [\d.]+\)"),
    ("uncertain", "quality", "The scorer is unsure", r"Its score [\d.]+ is one of the nearest"),
    ("toxic", "toxicity", "look toxic to the scorer", r"look toxic \(p [\d.]+\)"),
    ("random", "quality", "Drawn at random from", "Drawn at random from")])
def test_every_queue_says_why_and_hides_scores_while_blind(page: Page, desk: desks.LabelDesk, run: Run, kind: str,
                                                           what: str, blind: str, open_words: str) -> None:
    hidden = looks(page, desk, run, kind=kind, what=what)[CARD]
    shown = looks(page, desk, run, kind=kind, what=what, blind=False)[CARD]
    assert blind in hidden and "The scorer says" not in hidden
    assert re.search(open_words, shown) and "The scorer says" in shown


def test_hidden_means_no_number_of_the_score_in_the_page(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    html = looks(page, desk, run)[CARD]
    place = int(place_of(html))
    (score,), = Corpus.open(run.path).rows("SELECT quality FROM docs WHERE place = ?", [place])
    assert f"{score:.3g}" not in re.sub(r'<div class="cl-document".*?</div>', "", html, flags=re.DOTALL)


def test_kept_and_dropped_documents_can_be_labelled_apart(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    held = Corpus.open(run.path)
    for show, kept in (("kept", True), ("dropped", False)):
        place = int(place_of(looks(page, desk, run, show=show)[CARD]))
        assert held.rows("SELECT kept FROM docs WHERE place = ?", [place]) == [(kept,)]
        answer(page, desk, run, ("label", "good", str(place)), show=show)
    within = {one.within for one in read_labels(page.service.commands(ANN, run.id)).current}
    assert len(within) == 2 and "" not in within, "they stand for their selection, not for the corpus"


def test_later_puts_a_document_off_and_it_comes_back(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    first = place_of(looks(page, desk, run, size=2)[CARD])
    skipped = answer(page, desk, run, ("skip", "", first), size=2)
    assert skipped == first
    second = place_of(looks(page, desk, run, size=2, skipped=skipped)[CARD])
    assert second != first
    skipped = answer(page, desk, run, ("skip", "", second), size=2, skipped=skipped)
    assert place_of(looks(page, desk, run, size=2, skipped=skipped)[CARD]) == first, "put off longest ago"
    assert answer(page, desk, run, ("label", "good", first), size=2, skipped=skipped) == second
    assert not [one for one in commands(page, run) if one["do"] != "label"]


def test_settings_out_of_bounds_are_named_in_the_card(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    assert "size is 20000; it must lie between 1 and 10000" in looks(page, desk, run, size=20_000)[CARD]
    assert "no document" in looks(page, desk, run, what="quality", size=None)[CARD].lower() or looks(
        page, desk, run, size=None)[CARD], "an emptied number is its default"


# --- answers ------------------------------------------------------------------------------------------------------

def test_undo_takes_the_last_answer_back_and_the_document_returns(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    places = labelled(page, desk, run, 3)
    answer(page, desk, run, ("undo", "", ""))
    assert commands(page, run)[-1] == {"do": "unlabel", "place": int(places[-1]), "what": "quality", "by": "Ann"}
    assert place_of(looks(page, desk, run)[CARD]) == places[-1]
    for _ in range(2):
        answer(page, desk, run, ("undo", "", ""))
    with pytest.raises(UserError, match="Ann has no label to take back"):
        answer(page, desk, run, ("undo", "", ""))


def test_a_remark_is_kept_with_its_answer_and_one_s_own_labels_are_listed(page: Page, desk: desks.LabelDesk,
                                                                          run: Run) -> None:
    place = place_of(looks(page, desk, run)[CARD])
    answer(page, desk, run, ("label", "bad", place), note=SCRIPT)
    made = commands(page, run)[-1]
    assert made["note"] == SCRIPT and made["value"] == "bad"
    assert "bad" in looks(page, desk, run)[HISTORY] and "<script" not in looks(page, desk, run)[HISTORY]
    assert looks(page, desk, run, by="Bo")[HISTORY] == ""


def test_the_automatic_label_that_was_seen_is_kept(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    html = looks(page, desk, run, blind=False)[CARD]
    said = re.findall(r"The scorer says: (\w+)", html)[0]
    answer(page, desk, run, ("label", "good", place_of(html)), blind=False)
    assert commands(page, run)[-1]["shown"] == said


def test_domains_take_several_answers_and_quality_one(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    html = looks(page, desk, run, what="domain")[CARD]
    place = place_of(html)
    assert html.count('data-act="toggle"') >= 3 and "Confirm" in html
    names = re.findall(r'data-act="toggle" data-key="(\w+)"', html)
    answer(page, desk, run, ("label", "|".join(names[:2]), place), what="domain")
    assert commands(page, run)[-1]["value"] == "|".join(names[:2])
    first = place_of(looks(page, desk, run)[CARD])
    with pytest.raises(UserError, match="it takes one"):
        answer(page, desk, run, ("label", "good|bad", first))


@pytest.mark.parametrize("value", ["excellent", "", SCRIPT, "law"])
def test_an_answer_that_the_dimension_does_not_know_is_refused(page: Page, desk: desks.LabelDesk, run: Run,
                                                               value: str) -> None:
    place = place_of(looks(page, desk, run)[CARD])
    with pytest.raises(UserError, match=r"quality|value"):
        answer(page, desk, run, ("label", value, place))
    assert not commands(page, run)


@pytest.mark.parametrize("by", ["", "   ", None])
def test_without_a_name_nothing_is_labelled(page: Page, desk: desks.LabelDesk, run: Run, by: str | None) -> None:
    place = place_of(looks(page, desk, run, by=by)[CARD])
    with pytest.raises(UserError, match="Write your name first"):
        answer(page, desk, run, ("label", "good", place), by=by)
    assert not commands(page, run)


def test_a_name_is_counted_without_stray_spaces(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    answer(page, desk, run, ("label", "good", place_of(looks(page, desk, run)[CARD])), by="  Ann   Lee ")
    assert commands(page, run)[-1]["by"] == "Ann Lee"
    assert work.names(shell_of(page), desk, asking(), run.id, "quality", "all") == ["Ann Lee"]


def test_a_document_that_was_not_drawn_cannot_be_passed_off_as_drawn(page: Page, desk: desks.LabelDesk,
                                                                     run: Run) -> None:
    found = desks.at_work(shell_of(page), desk, asking(), run.id, "quality", "all")
    drawn = {item.place for item in queue(found.population, found.labels,
                                          work.ask_of({"corpus": run.id, **HELD, "size": 3})).items}
    stranger = next(place for place in found.population.places.tolist() if place not in drawn)
    for turn in (str(stranger), "999999", "", "x", "-1"):
        answer(page, desk, run, ("label", "good", turn), size=3)
    assert not commands(page, run)


def test_two_quick_presses_label_one_document(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    place = place_of(looks(page, desk, run)[CARD])
    for _ in range(2):
        answer(page, desk, run, ("label", "good", place))
    assert len(commands(page, run)) == 1


def test_a_shared_run_is_seen_but_not_labelled(page: Page, desk: desks.LabelDesk, source: Path) -> None:
    run = put_run(page, source, owner=BOB, shared=True)
    place = place_of(looks(page, desk, run)[CARD])
    with pytest.raises(UserError, match="belongs to somebody else"):
        answer(page, desk, run, ("label", "good", place))
    assert not page.service.commands(BOB, run.id)


def test_a_private_run_is_not_there(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    with pytest.raises(UserError, match="There is no run"):
        answer(page, desk, run, ("label", "good", "0"), cookie=OTHER)
    html = work.looks(shell_of(page), desk, asking(OTHER), {"corpus": run.id, **HELD})[CARD]
    assert "There is no run" in html and "cl-document" not in html


def test_before_a_corpus_is_chosen_and_without_a_score_it_says_so(page: Page, desk: desks.LabelDesk,
                                                                  tmp_path: Path) -> None:
    assert "cl-why" in looks(page, desk, "")[CARD]
    bare = put_run(page, corpus(tmp_path, records=[{"text": f"第{n}篇，没有分数的文档。" * 30} for n in range(12)]))
    html = looks(page, desk, bare)[CARD]
    assert "score of quality" in html and "Filter it again with a scorer" in html


def test_both_languages_have_every_text(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    for what in desks.WHATS:
        html = "".join(looks(page, desk, run, "zh-CN", what=what))
        assert not re.search(r"label\.[a-z]", html)
        assert re.search("[一-龥]", re.sub(r'<div class="cl-document".*?</div>', "", html, flags=re.DOTALL))


def test_scores_are_read_once_a_corpus_and_dimension(page: Page, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.mdfg.explore import scored

    asked: list[str] = []
    real = scored.population
    monkeypatch.setattr(scored, "population", lambda *given: asked.append(given[2]) or real(*given))
    fresh = desk_of(Shelf())
    run = put_run(page, source)
    for what in ("quality", "quality", "toxicity", "quality"):
        looks(page, fresh, run, what=what)
    assert asked == ["quality", "toxicity"]


# --- agreement and acceptance -------------------------------------------------------------------------------------

def stated(page: Page, run: Run, votes: dict[str, list[str]], what: str = "quality") -> list[int]:
    """Give the first documents these labels, by person; their places."""
    held = Corpus.open(run.path)
    places = list(range(max(map(len, votes.values()))))
    for by, values in votes.items():
        for place, value in zip(places, values, strict=False):
            page.service.command(ANN, run.id, command_of(
                Label(place, held.texts([place])[0].id, what, value, by, drawn="bins")))
    return places


def shown(page: Page, desk: desks.LabelDesk, run: Run, threshold: str = "", what: str = "quality",
          lang: str = "en") -> list[str]:
    return agreement.looks(shell_of(page), desk, asking(lang=lang), (run.id, what, "all"), threshold)


def test_kappa_of_two_people_is_cohen_s(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    stated(page, run, {"Ann": ["good"] * 25 + ["bad"] * 25, "Bo": ["good"] * 20 + ["bad"] * 5 + ["good"] * 10
                       + ["bad"] * 15})
    html = shown(page, desk, run)[1]
    assert "Ann · Bo" in html and "70.0 %" in html and ">0.400<" in html, "the textbook table 20 5 10 15"


def test_one_person_gives_no_agreement(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    stated(page, run, {"Ann": ["good"] * 5})
    assert "No document has labels of two people" in shown(page, desk, run)[1]
    assert "5 labels of 5 documents by 1 people" in shown(page, desk, run)[0]


def test_acceptance_follows_the_threshold(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    stated(page, run, {"Ann": ["good"] * 30})
    low, high = shown(page, desk, run, "0")[2], shown(page, desk, run, "1")[2]
    value = [float(re.findall(r"<b>([\d.]+) %", html)[0]) for html in (low, high)]
    assert value[0] == 100.0 and value[1] == 0.0, "from 0 on all are good, from 1 on none is"


@pytest.mark.parametrize("threshold", ["x", "1.5", "-1", "nan", "inf"])
def test_a_threshold_that_is_none_is_named(page: Page, desk: desks.LabelDesk, run: Run, threshold: str) -> None:
    assert "it must be a number between 0 and 1" in shown(page, desk, run, threshold)[0]


def test_unsure_and_hand_picked_labels_are_left_out_and_said(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    held = Corpus.open(run.path)
    stated(page, run, {"Ann": ["good", "unsure"]})
    page.service.command(ANN, run.id, command_of(Label(5, held.texts([5])[0].id, "quality", "good", "Ann")))
    html = shown(page, desk, run)[2]
    assert "1 of documents chosen by hand" in html and "1 unsure" in html


def test_broken_commands_are_counted_not_followed(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    stated(page, run, {"Ann": ["good"]})
    page.service.command(ANN, run.id, {"do": "label", "place": "five", "what": "quality"})
    page.service.command(ANN, run.id, {"do": "cluster", "cluster": 1, "keep": []})
    assert "1 labels of 1 documents" in shown(page, desk, run)[0] and "1 commands could not be read" in \
        shown(page, desk, run)[0]


def test_acceptance_of_domains_is_by_their_names(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    held = Corpus.open(run.path)
    rows = held.rows("SELECT place, domain FROM docs WHERE domain IS NOT NULL ORDER BY place LIMIT 10")
    for place, domain in rows:
        page.service.command(ANN, run.id, command_of(
            Label(place, held.texts([place])[0].id, "domain", str(domain), "Ann", drawn="bins")))
    assert "<b>100.0 %" in shown(page, desk, run, what="domain")[2]


def test_agreement_in_chinese_and_without_a_corpus(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    stated(page, run, {"Ann": ["good"] * 3, "Bo": ["bad"] * 3})
    html = "".join(shown(page, desk, run, lang="zh-CN"))
    assert "一致性" in html and not re.search(r"label\.[a-z]", html)
    assert agreement.looks(shell_of(page), desk, asking(), ("", "quality", "all"), "")[1:] == ["", ""]


def test_documents_that_the_scorer_learned_from_do_not_speak_about_it(page: Page, desk: desks.LabelDesk,
                                                                      source: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from backends.mdfg.recipes import dump_recipe
    from tests.panels.corpus_label_cases import job

    run = put_run(page, source)
    held = Corpus.open(run.path)
    data = tmp_path / "train.jsonl"
    data.write_text("".join(json.dumps({"text": one.text, "label": "good"}) + "\n" for one in held.texts([0, 1])))
    training = job(page, files.TRAIN, {"data": [f"path:{data}"]}, None)
    (training.path / "inputs.json").write_text(json.dumps({f"path:{data}": {"path": str(data)}}))
    trained = replace(held.recipe, scorers=(f"run:{training.id}/scorer", "run:20200101T000000-abcdef/scorer"))
    (run.path / "artifacts" / "recipe.yaml").write_text(dump_recipe(trained))
    stated(page, run, {"Ann": ["good"] * 8})
    work_ = desks.at_work(shell_of(page), desk, asking(), run.id, "quality", "all")
    left = desks.learned(shell_of(page), asking(), work_, "quality")
    assert {0, 1} <= set(left.places) and len(left.places) < 8
    gone = "run:20200101T000000-abcdef/scorer"
    assert left.unknown == (gone,), "its run was deleted"
    html = shown(page, desk, run)[2]
    assert f"{len(left.places)} seen in training" in html and f"It is not known what {gone} learned from" in html
    theirs = desks.learned(shell_of(page), asking(OTHER), work_, "quality")
    assert theirs == desks.Learned((), (f"run:{training.id}/scorer", gone)), "not theirs to read, whoever looked before"


def with_scorers(page: Page, source: Path, *scorers: str) -> Run:
    """A corpus whose recipe names these scorers."""
    from dataclasses import replace

    from backends.mdfg.recipes import dump_recipe

    run = put_run(page, source)
    recipe = replace(Corpus.open(run.path).recipe, scorers=scorers)
    (run.path / "artifacts" / "recipe.yaml").write_text(dump_recipe(recipe))
    return run


@pytest.mark.parametrize(("scorers", "named"), [
    (("bundled:mdfg-zh-quality",), ""), ((), ""), (("path:/a/b",), "path:/a/b"),
    (("run:20200101T000000-abcdef/scorer", "path:/c"), "run:20200101T000000-abcdef/scorer, path:/c")])
def test_scorers_of_unknown_texts_are_named_in_both_languages(page: Page, desk: desks.LabelDesk, source: Path,
                                                              scorers: tuple[str, ...], named: str) -> None:
    from panels import corpus_lab

    run = with_scorers(page, source, *scorers)
    stated(page, run, {"Ann": ["good", "bad"] * 15})
    for lang, said in (("en", f"It is not known what {named} learned from"), ("zh-CN", f"不清楚 {named} 是用哪些文本")):
        figures = corpus_lab.looks(shell_of(page), desk, asking(lang=lang), (run.id, "quality", "all"), 0.5, "")[0]
        for html in (figures, shown(page, desk, run, lang=lang)[2]):
            assert (said in html) == bool(named) and "label.not_known" not in html
            assert named or not re.search("It is not known|不清楚", html)


def test_nothing_is_unknown_while_nothing_is_labelled(page: Page, desk: desks.LabelDesk, source: Path) -> None:
    run = with_scorers(page, source, "path:/a/b")
    held = desks.at_work(shell_of(page), desk, asking(), run.id, "quality", "all")
    assert desks.learned(shell_of(page), asking(), held, "quality") == desks.Learned()


def test_texts_are_compared_once_and_rights_are_asked_for_at_every_look(
        page: Page, desk: desks.LabelDesk, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.mdfg.explore import training_overlap
    from panels import corpus_lab
    from tests.panels.corpus_label_cases import job

    data = tmp_path / "train.jsonl"
    data.write_text('{"text": "别的文字，和语料没有关系。", "label": "good"}\n')
    training = job(page, files.TRAIN, {"data": [f"path:{data}"]}, None)
    (training.path / "inputs.json").write_text(json.dumps({f"path:{data}": {"path": str(data)}}))
    run = with_scorers(page, source, f"run:{training.id}/scorer")
    stated(page, run, {"Ann": ["good", "bad"] * 15})
    compared, real = list[int](), training_overlap.overlap
    monkeypatch.setattr(training_overlap, "overlap",
                        lambda texts, path: compared.append(len(texts)) or real(texts, path))

    def look(threshold: float) -> str:
        return corpus_lab.looks(shell_of(page), desk, asking(), (run.id, "quality", "all"), threshold, "")[0]
    assert len({look(threshold) for threshold in (0.2, 0.5, 0.8)}) == 3 and compared == [30], "a slider moves"
    assert "It is not known" not in look(0.5)
    stated(page, run, {"Bo": ["good"] * 31})
    look(0.5)
    assert compared == [30, 31], "one more document"
    held = desks.at_work(shell_of(page), desk, asking(), run.id, "quality", "all")
    assert desks.learned(shell_of(page), asking(OTHER), held, "quality").unknown == (f"run:{training.id}/scorer",)
    assert compared == [30, 31], "what was compared for somebody else tells a stranger nothing"


# --- files --------------------------------------------------------------------------------------------------------

def test_labels_leave_as_json_lines_and_csv(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    stated(page, run, {"Ann": ["good", "bad", "good"], "Bo": ["good", "good", "good"]})
    asked = (run.id, "quality", "all")
    path = files.write(shell_of(page), desk, asking(), asked, "documents", "jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [row["label"] for row in rows] == ["good", "good"] and all(row["text"] for row in rows), "1 has no majority"
    answers = files.write(shell_of(page), desk, asking(), asked, "answers", "csv")
    with answers.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 6 and {row["by"] for row in table} == {"Ann", "Bo"} and table[0]["score"]
    assert path.parent != answers.parent and len(path.parent.name) == 32, "nobody can guess where a file lies"


def test_nothing_to_export_is_said(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    for rows in files.ROWS:
        with pytest.raises(UserError, match="export"):
            files.write(shell_of(page), desk, asking(), (run.id, "quality", "all"), rows, "jsonl")
    with pytest.raises(UserError, match="export"):
        files.trained(shell_of(page), desk, asking(), (run.id, "quality", "all"))
    assert not list((page.service.settings.home / "labels").glob(f"{run.id}-*"))


@pytest.mark.parametrize(("what", "value", "fields"), [
    ("quality", "good", {"name": "quality", "yes": ["good"]}),
    ("toxicity", "toxic", {"name": "toxicity", "yes": ["toxic"]}),
    ("domain", "law", {"name": "domain", "target": "labels"})])
def test_a_scorer_is_trained_on_the_labels(page: Page, desk: desks.LabelDesk, run: Run, what: str, value: str,
                                           fields: dict[str, Any]) -> None:
    from backends.mdfg.labelled import read_table
    from backends.mdfg.scorer_requests import TrainScorerRequest
    from workbench.fields import from_json

    stated(page, run, {"Ann": [value] * 12}, what)
    page.made.clear()
    html = files.trained(shell_of(page), desk, asking(), (run.id, what, "all"))
    task, asked, more = page.made[-1]
    assert task == files.TRAIN and more["parents"] == (run.id,) and "r-new" in html
    assert {name: asked[name] for name in fields} == fields
    from_json(TrainScorerRequest, asked)
    path = Path(asked["data"][0].removeprefix("path:"))
    assert [row.labels for row in read_table(path)] == [(value,)] * 12


# --- the page -----------------------------------------------------------------------------------------------------

def test_bins_are_a_choice_of_the_numbers_that_may_be_drawn(page: Page, desk: desks.LabelDesk, run: Run) -> None:
    from backends.mdfg.explore.strata import DRAWN

    assert work.BINS == DRAWN
    for bins in work.BINS:
        assert work.ask_of({**HELD, "bins": bins}).bins == bins
        assert "cl-document" in looks(page, desk, run, bins=bins)[CARD]
    refused = looks(page, desk, run, bins=7)[CARD]
    assert "bins is 7; it must be one of 1, 2, 5, 10" in refused and "cl-document" not in refused
    with pytest.raises(UserError, match="weighed in 10"):
        answer(page, desk, run, ("label", "good", "0"), bins=3)
    assert not commands(page, run)


def test_the_handlers_of_the_page_answer_presses(page: Page, run: Run) -> None:
    held = {**HELD, "corpus": run.id}
    names = ["corpus", "what", "show", "by", "kind", "blind", "size", "people", "bins", "seed", "threshold", "note",
             "skipped"]
    values = [held[name] for name in names]
    drawn = page.call("corpus_label_work", "draw", asking(), *values)
    place = place_of(drawn[CARD])
    after = page.call("corpus_label_work", "press", asking(), pressed("label", "good", place), *values)
    assert place_of(after[CARD]) != place and "1 of 20" in after[TRACK] and after[4] == ""
    undone = page.call("corpus_label_work", "press", asking(), pressed("undo"), *values)
    assert place_of(undone[CARD]) == place
    assert page.call("corpus_label_work", "people", run.id, "quality", "all", asking())["choices"] == []
    assert len(page.call("corpus_agreement", "draw", run.id, "quality", "all", "", asking())) == 3


@pytest.mark.parametrize(("text", "value"), [("", None), (None, None), (" 40 % ", 40.0), ("0", 0.0), ("1e1", 10.0)])
def test_numbers_that_may_be_empty(text: str | None, value: float | None) -> None:
    assert desks.written(text, "x", 0, 100) == value


@pytest.mark.parametrize("text", ["a", "101", "-0.1", "nan", "1,5", "inf"])
def test_numbers_out_of_bounds(text: str) -> None:
    with pytest.raises(UserError, match=r"x is .* between 0 and 100, or empty"):
        desks.written(text, "x", 0, 100)
