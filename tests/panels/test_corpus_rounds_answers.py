"""What people say of the judged texts of toxicity rounds leaves as a file, and a scorer is trained on that file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from backends.mdfg import train_scorer_task
from backends.mdfg.explore.labels import Label, command_of
from backends.mdfg.explore.rounds import answered, judged_texts
from backends.mdfg.labelled import read_table
from backends.mdfg.records import document_id
from backends.mdfg.scorer_requests import TrainScorerRequest
from panels import corpus_scorers_rounds as rounds
from panels import corpus_scorers_show as show
from tests.panels.corpus_label_cases import job, shell_of
from tests.panels.test_dialogue_wiring import ANN, OTHER, Page, asking, noting
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.runs import Run

ROUND = {"name": "R0", "f1": 0.5, "auc": 0.9, "precision_at_99": None, "recall_at_99": 0.0, "judged": 2,
         "found_toxic": 1, "for_people": 1}
RESULT = {"judge": "simulated", "rounds": [ROUND], "control": [], "kappa": None, "compared": 0}
VERDICTS = (None, True, False, True)
Said = tuple[int, str, str]
"""Place of a judged text, what is said of it, who says it."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with noting(tmp_path_factory.mktemp("answers")) as built:
        yield built


def judged(page: Page, said: Sequence[Said] = (), texts: Sequence[str] = ("=一", "二", "三", "四"), **more: Any) -> Run:
    """A finished run whose judged texts people answered in this way."""
    rows = [{"round": 1 + number % 2, "text": text, "judge": "j", "toxic": VERDICTS[number % 4], "votes": []}
            for number, text in enumerate(texts)]
    run = job(page, rounds.TASK, {}, RESULT, files={"judgements.jsonl": rows}, **more)
    for place, value, by in said:
        page.service.command(ANN, run.id, command_of(Label(place, document_id(texts[place]), "toxicity", value, by)))
    return run


def taken(page: Page, run: Run, form: str = "jsonl") -> list[dict[str, Any]]:
    path, count = rounds.answers(shell_of(page), asking(), run.id, form)
    assert path.name == f"labels-toxicity.{form}" and len(path.parent.name) == 32
    if form == "csv":
        with path.open(encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
    else:
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(found) == count
    return found


def test_answers_leave_beside_what_the_judge_said(page: Page) -> None:
    run = judged(page, [(0, "toxic", "Ann"), (1, "harmless", "Ann"), (2, "harmless", "Ann"), (2, "harmless", "Bo")])
    assert taken(page, run) == [
        {"id": document_id("=一"), "text": "=一", "label": "toxic", "people": 1, "judge": "", "round": 1},
        {"id": document_id("二"), "text": "二", "label": "harmless", "people": 1, "judge": "toxic", "round": 2},
        {"id": document_id("三"), "text": "三", "label": "harmless", "people": 2, "judge": "harmless", "round": 1}]


@pytest.mark.parametrize(("said", "labels"), [
    ([(0, "toxic", "Ann"), (0, "harmless", "Bo"), (1, "toxic", "Ann")], {"二": ("toxic", 1)}),
    ([(0, "toxic", "Ann"), (0, "toxic", "Bo"), (0, "harmless", "Cy")], {"=一": ("toxic", 3)}),
    ([(0, "toxic", "Ann"), (0, "harmless", "Ann")], {"=一": ("harmless", 1)}),
    ([(3, "unsure", "Ann"), (2, "toxic", "Ann"), (2, "unsure", "Bo")], {"三": ("toxic", 1)})])
def test_a_text_has_the_label_of_the_majority_who_are_sure(page: Page, said: list[Said],
                                                           labels: dict[str, tuple[str, int]]) -> None:
    run = judged(page, said)
    assert {row["text"]: (row["label"], row["people"]) for row in taken(page, run)} == labels
    assert [one.text for one in answered(run.path)] == list(labels)
    assert [one.people for one in judged_texts(run.path)[0] if one.person] == [many for _, many in labels.values()]


@pytest.mark.parametrize("said", [[], [(0, "unsure", "Ann")], [(0, "toxic", "Ann"), (0, "harmless", "Bo")]])
def test_without_a_common_answer_there_is_no_file(page: Page, said: list[Said]) -> None:
    run = judged(page, said)
    with pytest.raises(UserError, match="no judged text on which people agree"):
        rounds.answers(shell_of(page), asking(), run.id, "jsonl")


def test_a_spreadsheet_runs_nothing(page: Page) -> None:
    found = taken(page, judged(page, [(0, "toxic", "Ann"), (1, "harmless", "Ann")]), "csv")
    assert [row["text"] for row in found] == ["'=一", "二"] and [row["label"] for row in found] == ["toxic", "harmless"]


@pytest.mark.parametrize("form", rounds.FORMS)
def test_a_scorer_is_trained_on_the_file(page: Page, tmp_path: Path, form: str) -> None:
    """With the columns and the word for yes that the request has of its own."""
    texts = [f"第{number}条，{'滚开，你这个蠢货' if number % 2 else '今天的天气很好'}。" for number in range(40)]
    run = judged(page, [(place, "toxic" if place % 2 else "harmless", "Ann") for place in range(40)], texts)
    path, count = rounds.answers(shell_of(page), asking(), run.id, form)
    assert {row.labels for row in read_table(path)} == {("toxic",), ("harmless",)}
    request = TrainScorerRequest("toxicity", (f"path:{path}",), bits=10, epochs=2)
    assert "toxic" in request.yes and "harmless" not in request.yes
    result = train_scorer_task.run(request, MemoryContext(tmp_path / "run"))
    assert result.texts + result.held_out == count == 40


# --- the page ---------------------------------------------------------------------------------------------------------

def test_only_finished_rounds_have_answers(page: Page) -> None:
    other = job(page, "mdfg.train_scorer.v1", {}, {})
    going = judged(page, [(0, "toxic", "Ann")], status="running")
    for run in (other, going):
        with pytest.raises(UserError, match="has no judged texts"):
            rounds.answers(shell_of(page), asking(), run.id, "jsonl")
        assert not show.looks(shell_of(page), ANN, run, "en")["answers"]
    assert show.looks(shell_of(page), ANN, judged(page), "en")["answers"] is True


def test_a_stranger_and_a_forged_form_get_nothing(page: Page) -> None:
    run = judged(page, [(0, "toxic", "Ann")])
    with pytest.raises(UserError, match="There is no run"):
        rounds.answers(shell_of(page), asking(OTHER), run.id, "jsonl")
    for form in ("exe", "../x", ""):
        with pytest.raises(UserError, match="no layout named"):
            rounds.answers(shell_of(page), asking(), run.id, form)


@pytest.mark.parametrize(("lang", "words"), [("en", "2 texts on which people agree"),
                                             ("zh-CN", "2 条人工意见一致的文本")])
def test_the_button_gives_the_file_and_says_what_reads_it(page: Page, monkeypatch: pytest.MonkeyPatch, lang: str,
                                                          words: str) -> None:
    told: list[str] = []
    monkeypatch.setattr(gr, "Info", lambda said, duration: told.append(said))
    run = judged(page, [(0, "toxic", "Ann"), (1, "harmless", "Ann")])
    given = page.call("corpus_scorers_rounds", "give", run.id, "jsonl", asking(lang=lang))
    assert given["visible"] and Path(given["value"]).is_relative_to(page.service.settings.home / "cache" / "page")
    assert words in told[0]
    with pytest.raises(gr.Error, match="There is no run"):
        page.call("corpus_scorers_rounds", "give", run.id, "jsonl", asking(OTHER))


def test_another_run_takes_the_file_away(page: Page) -> None:
    (gone,) = [block for block in page.handlers("panels.corpus_scorers_rounds") if block.fn.__name__ != "give"]
    assert gone.fn() == gr.update(value=None, visible=False)
    assert gone.outputs == page.find("corpus_scorers_rounds", "give").outputs
