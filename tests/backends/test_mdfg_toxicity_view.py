"""What the page shows of toxicity rounds: figures beside their control, every judgement, the judge against people."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from backends.mdfg import toxicity_task
from backends.mdfg.explore.labels import Label, command_of
from backends.mdfg.explore.rounds import judged_texts, rounds_view
from backends.mdfg.records import document_id
from backends.mdfg.scorer_requests import ToxicityRoundsRequest
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.fields import to_json
from workbench.files import append_line, write_json


def vote(toxic, **rest):
    return {"prompt": "Text: ...", "raw": '{"toxic": 1}', "toxic": toxic, "category": "insult", "evidence": "x",
            "tokens": 10, "seconds": 0.5, **rest}


def made(folder: Path, lines: list, **result) -> Path:
    """A finished rounds run with these lines of judgements."""
    (folder / "artifacts").mkdir(parents=True)
    (folder / "artifacts" / "judgements.jsonl").write_text(
        "".join((line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)) + "\n" for line in lines))
    figures = {"name": "R0", "f1": 0.5, "auc": 0.9, "precision_at_99": None, "recall_at_99": 0.0, "judged": 3,
               "found_toxic": 1, "for_people": 1}
    later = {**figures, "name": "R1"}
    write_json(folder / "result.json", {"judge": "hub:some/model", "rounds": [figures, {**later, "f1": 0.7}],
                                        "control": [figures, {**later, "f1": 0.6}], "kappa": 0.4, "compared": 12,
                                        "provenance": "real data", **result})
    return folder


def line(number: int, text: str, toxic, *votes):
    return {"round": number, "text": text, "judge": "hub:some/model", "toxic": toxic, "votes": list(votes)}


LINES = [line(1, "第一段", True, vote(True), vote(True)), line(1, "第二段", None, vote(True), vote(False)),
         line(1, "第三段", False, vote(False), vote(False)), line(2, "第四段 <script>", True, vote(True), vote(True))]


def people_say(run: Path, place: int, value: str, by: str = "ann") -> None:
    text = LINES[place]["text"]
    append_line(run / "commands.jsonl", command_of(Label(place, document_id(text), "toxicity", value, by,
                                                         drawn="toxic")))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run with the simulated judge."""
    context = MemoryContext(tmp_path_factory.mktemp("rounds") / "run")
    result = toxicity_task.run(ToxicityRoundsRequest(practice=80, budget=12), context)
    write_json(context.run / "result.json", to_json(result))
    return context.run


def test_a_real_run_is_shown_as_it_ended(real: Path) -> None:
    result = json.loads((real / "result.json").read_text())
    found = rounds_view(real)
    assert found.simulated and found.judge.startswith("simulated") and found.provenance == "synthetic"
    assert [row.name for row in found.rows] == ["R0", "R1", "R2"]
    assert [row.f1 for row in found.rows] == [one["f1"] for one in result["rounds"]]
    assert [row.control_f1 for row in found.rows] == [one["f1"] for one in result["control"]]
    assert found.rows[0].gain == 0.0, "R0 is the same with and without the judge"
    assert found.judged == sum(row.judged for row in found.rows) and found.known_texts == found.judged
    assert found.known_kappa == result["kappa"] and found.people_kappa is None and found.people_texts == 0


def test_every_judgement_of_a_real_run_has_its_prompt(real: Path) -> None:
    page, total = judged_texts(real)
    assert total == rounds_view(real).judged and len(page) == min(50, total)
    assert [one.place for one in page] == list(range(len(page)))
    assert all(one.votes[0]["prompt"] and one.id == document_id(one.text) for one in page)


def test_figures_beside_the_control(tmp_path: Path) -> None:
    found = rounds_view(made(tmp_path, LINES))
    assert not found.simulated and (found.judged, found.undecided, found.tokens, found.seconds) == (4, 1, 80, 4.0)
    assert math.isclose(found.rows[1].gain or 0, 0.1) and found.rows[1].control_auc == 0.9
    assert found.rows[0].precision_at_99 is None and found.known_kappa == 0.4 and found.known_texts == 12


def test_a_run_without_control_or_test_texts_has_no_gain(tmp_path: Path) -> None:
    bare = {"name": "R0", "f1": None, "auc": None, "judged": 2, "found_toxic": 0, "for_people": 2}
    found = rounds_view(made(tmp_path, LINES, control=[], rounds=[bare], kappa=None, compared=0))
    assert found.rows[0].gain is None and found.rows[0].control_f1 is None and found.known_kappa is None


def test_the_judge_is_compared_with_people(tmp_path: Path) -> None:
    run = made(tmp_path, LINES)
    for place, value in ((0, "toxic"), (2, "harmless"), (3, "harmless"), (1, "toxic")):
        people_say(run, place, value)
    found = rounds_view(run)
    assert found.people_texts == 3, "the judge decided nothing about the second text"
    agreed, chance = 2 / 3, (2 / 3) * (1 / 3) + (1 / 3) * (2 / 3)
    assert math.isclose(found.people_kappa or 0, (agreed - chance) / (1 - chance))
    page, total = judged_texts(run, "against")
    against = [("第二段", "toxic"), ("第四段 <script>", "harmless")]
    assert total == 2 and [(one.text, one.person) for one in page] == against
    people_say(run, 3, "toxic", "bob")
    assert rounds_view(run).people_texts == 2, "two people who differ say nothing together"
    append_line(run / "commands.jsonl", {"do": "unlabel", "place": 3, "what": "toxicity", "by": "ann"})
    assert rounds_view(run).people_kappa == 1.0


@pytest.mark.parametrize(("only", "texts"), [
    ("all", ["第一段", "第二段", "第三段", "第四段 <script>"]), ("undecided", ["第二段"]), ("harmless", ["第三段"]),
    ("toxic", ["第一段", "第四段 <script>"]), ("against", [])])
def test_judgements_by_what_was_decided(tmp_path: Path, only, texts: list[str]) -> None:
    page, total = judged_texts(made(tmp_path, LINES), only)
    assert [one.text for one in page] == texts and total == len(texts)


def test_judgements_by_round_and_page(tmp_path: Path) -> None:
    run = made(tmp_path, LINES)
    assert [one.place for one in judged_texts(run, number=2)[0]] == [3]
    page, total = judged_texts(run, offset=1, limit=2)
    assert [one.place for one in page] == [1, 2] and total == 4
    assert judged_texts(run, offset=9) == ([], 4)


def test_broken_lines_move_no_label(tmp_path: Path) -> None:
    odd = {"text": "无轮次", "votes": "x", "toxic": "yes"}
    run = made(tmp_path, [LINES[0], "{torn", '{"text": 3}', "[]", odd, LINES[3]])
    people_say(run, 0, "toxic")
    page, total = judged_texts(run)
    assert [(one.place, one.text) for one in page] == [(0, "第一段"), (4, "无轮次"), (5, "第四段 <script>")]
    assert total == 3
    assert page[1].toxic is None and page[1].votes == () and page[1].round == 0 and page[0].person == "toxic"
    assert rounds_view(run).judged == 3


def test_votes_without_numbers_cost_nothing(tmp_path: Path) -> None:
    found = rounds_view(made(tmp_path, [line(1, "甲", True, vote(True, tokens=None, seconds="long"), {"raw": "x"})]))
    assert found.tokens == 0 and found.seconds == 0.0


@pytest.mark.parametrize("result", [None, [], {"judge": "x"}, {"rounds": "none"}])
def test_a_run_without_rounds_says_so(tmp_path: Path, result) -> None:
    if result is not None:
        write_json(tmp_path / "result.json", result)
    with pytest.raises(UserError, match="no rounds to show"):
        rounds_view(tmp_path)
    assert judged_texts(tmp_path) == ([], 0)
