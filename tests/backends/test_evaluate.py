"""Measuring a supporter: which turns, what is given away, which dialogues, going on after a stop."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from backends.sweetiechat import evaluate
from backends.sweetiechat.evaluate import finished, steps_of
from backends.sweetiechat.evaluate_requests import EvaluateRequest, EvaluateResult
from backends.sweetiechat.evaluate_turns import Prediction, cases_of, chosen, spread
from backends.sweetiechat.exchange import to_jsonl
from backends.sweetiechat.objects import Dialogue, Ranked
from backends.sweetiechat.train_data import Source
from backends.sweetiechat.train_kept import HELD_OUT, keep_held_out, keep_marks, known_dialogues
from tests.backends.agent_cases import SET, agent_folder, heads, open_tiny, talk
from tests.backends.sweetie import ScriptedModel, make_cast
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError
from workbench.files import read_json, read_lines


def numbered(number: int, turns: int = 6) -> Dialogue:
    """A talk with a scenario and words of its own."""
    made = talk(turns)
    told = tuple(dataclasses.replace(t, text=f"{t.text} Number {number} it is, and so on and on.") for t in made.turns)
    scenario = dataclasses.replace(made.scenario, id=f"scenario-{number}",
                                   situation=f"Situation {number} is told here at some length, so that it counts.")
    return dataclasses.replace(made, id=f"talk-{number}", scenario=scenario, turns=told, stop_reason="imported")


@pytest.fixture
def data(tmp_path: Path) -> str:
    path = tmp_path / "talks.jsonl"
    path.write_text(to_jsonl([numbered(n) for n in range(4)]))
    return f"path:{path}"


@pytest.fixture
def context(tmp_path: Path, settings) -> MemoryContext:
    return MemoryContext(tmp_path / "run", settings=settings)


def measured(context: MemoryContext, data: str, scripted=None, **fields) -> tuple[EvaluateResult, ScriptedModel]:
    model = scripted or ScriptedModel()
    request = EvaluateRequest(**{"data": (data,), "resamples": 20, "batch": 3, **fields})
    return evaluate.run(request, context, lambda c, r: model), model


def predictions(context: MemoryContext) -> list[dict]:
    return read_lines(context.run / "artifacts" / evaluate.PREDICTIONS)


def figure(result: EvaluateResult, name: str):
    return next(f for f in result.figures if f.name == name)


# --- which turns ------------------------------------------------------------------------------------------------


def test_a_case_knows_what_was_said_before_and_nothing_of_the_turn_itself() -> None:
    cases = cases_of(talk(7), 0)
    assert [(c.turn, c.gold) for c in cases] == [(n, SET.keys[n // 2]) for n in (1, 3, 5)]
    for case in cases:
        assert len(case.history.turns) == case.turn and case.history.turns[-1].role == "seeker"
        assert case.reference not in "".join(t.text for t in case.history.turns)
        assert not case.history.ended


def test_turns_without_words_strategy_or_question_are_no_cases() -> None:
    base = talk(6)
    turns = [dataclasses.replace(base.turns[1], strategy=None), dataclasses.replace(base.turns[1], strategy="singing"),
             dataclasses.replace(base.turns[1], text="  ")]
    for turn in turns:
        found = cases_of(dataclasses.replace(base, turns=(base.turns[0], turn, *base.turns[2:])), 0)
        assert [c.turn for c in found] == [3, 5]
    first = dataclasses.replace(base, turns=base.turns[1:])
    assert [c.turn for c in cases_of(first, 0)] == [3, 5], "the opening turn answers nothing"


@pytest.mark.parametrize("count, most, expected", [
    (5, 0, [0, 1, 2, 3, 4]), (5, 9, [0, 1, 2, 3, 4]), (5, 1, [2]), (5, 2, [0, 4]), (10, 4, [0, 3, 6, 9]), (0, 3, [])])
def test_turns_are_spread_evenly(count: int, most: int, expected: list[int]) -> None:
    assert spread(range(count), most) == expected  # type: ignore[arg-type]


def test_dialogues_of_a_group_go_on_in_step() -> None:
    dialogues = [numbered(0, 6), numbered(1, 2), numbered(2, 4)]
    steps = [[(c.history.id, c.turn) for c in step] for step in steps_of(dialogues, EvaluateRequest(batch=2))]
    assert steps == [[("talk-0", 1), ("talk-1", 1)], [("talk-0", 3)], [("talk-0", 5)], [("talk-2", 1)], [("talk-2", 3)]]


# --- modes ------------------------------------------------------------------------------------------------------


def test_the_oracle_must_be_asked_for_by_name() -> None:
    with pytest.raises(UserError, match="labelled_oracle is off"):
        EvaluateRequest(mode="oracle")
    assert EvaluateRequest(mode="oracle", labelled_oracle=True).mode == "oracle"


def test_the_oracle_is_right_every_time_and_its_result_says_why(context: MemoryContext, data: str) -> None:
    result, _model = measured(context, data, mode="oracle", labelled_oracle=True)
    assert figure(result, "strategy-accuracy").value == 1.0 and "given away" in result.mode
    assert figure(result, "preference-bias").value == 0.0


def test_no_mode_but_the_oracle_sees_the_real_strategy(context: MemoryContext, tmp_path: Path, settings) -> None:
    """The same talks with other gold strategies at the measured turns: the model is asked the same questions."""
    def seen(shift: int) -> list:
        last = numbered(0, 2)
        key = SET.keys[shift]
        changed = dataclasses.replace(last, turns=(last.turns[0], dataclasses.replace(last.turns[1], strategy=key)))
        path = tmp_path / f"{shift}.jsonl"
        path.write_text(to_jsonl([changed]))
        model = ScriptedModel()
        measured(MemoryContext(tmp_path / f"run-{shift}", settings=settings), f"path:{path}", model)
        return [model.prompts, model.scored]

    assert seen(0) == seen(3)


def test_an_agent_chooses_by_its_own_p_and_replies_under_that_head(context: MemoryContext, data: str, tiny_lm: Path,
                                                                   tmp_path: Path) -> None:
    folder = agent_folder(tiny_lm, tmp_path / "agent")

    def scores(prompt, texts):
        return [[-1.0 if "Information" in text else -3.0] if text.startswith("[") else [-0.5, -0.5] for text in texts]
    result, model = measured(context, data, ScriptedModel(replies=heads, scores=scores), model=f"path:{folder}")
    assert result.asked == "chat" and {row["said"] for row in predictions(context)} == {"information"}
    assert {p.prefill for p in model.prompts} == {"[Information]"}
    assert figure(result, "perplexity-of-real-reply").value == pytest.approx(math.exp(0.5))
    said = next(s for s in result.strategies if s.key == "information")
    assert said.said == result.turns == 12 and said.gold == 0


def test_a_temperature_draws_strategies_instead_of_taking_the_first() -> None:
    rows = tuple(Ranked(key, -float(n)) for n, key in enumerate(SET.keys))
    request = dataclasses.replace(make_cast().settings, choice_temperature=2.0)
    cast = dataclasses.replace(make_cast(), settings=request)
    drawn = {chosen(rows, dataclasses.replace(talk(3), id=str(n)), cast) for n in range(40)}
    assert len(drawn) > 2
    cold = dataclasses.replace(cast, settings=dataclasses.replace(request, choice_temperature=0.0))
    assert {chosen(rows, dataclasses.replace(talk(3), id=str(n)), cold) for n in range(9)} == {SET.keys[0]}


def test_an_ordinary_model_counsels_itself_unless_the_chat_is_asked_for(context: MemoryContext, data: str,
                                                                        tmp_path: Path, settings) -> None:
    result, model = measured(context, data, dialogues=1, turns=1)
    assert result.asked == "prompts" and not any(p.prefill.startswith("[") for p in model.prompts)
    other = MemoryContext(tmp_path / "chat", settings=settings)
    result, model = measured(other, data, dialogues=1, turns=1, asked="chat")
    assert result.asked == "chat" and all(p.prefill.startswith("[") for p in model.prompts)


def test_a_counselor_decides_for_an_agent_too(context: MemoryContext, data: str, tiny_lm: Path, tmp_path: Path) -> None:
    folder = agent_folder(tiny_lm, tmp_path / "given", "given")
    result, _model = measured(context, data, ScriptedModel(replies=heads), model=f"path:{folder}", mode="counselor",
                             dialogues=2, turns=1)
    assert result.mode == "counselor" and all(row["said"] in SET.keys for row in predictions(context))
    with pytest.raises(UserError, match="chooses none"):
        measured(context, data, ScriptedModel(replies=heads), model=f"path:{folder}")


def test_a_plain_agent_has_texts_but_no_strategies(context: MemoryContext, data: str, tiny_lm: Path,
                                                   tmp_path: Path) -> None:
    folder = agent_folder(tiny_lm, tmp_path / "plain", "plain")
    result, _ = measured(context, data, model=f"path:{folder}", dialogues=2)
    assert result.strategies == () and not any(f.name.startswith("strategy") for f in result.figures)
    assert figure(result, "bleu-2").items == result.turns and "without strategies" in result.warnings[0]


def test_a_real_model_gives_the_same_figures_twice(tmp_path: Path, settings, data: str, tiny_lm: Path) -> None:
    folder = agent_folder(tiny_lm, tmp_path / "agent")
    request = EvaluateRequest(model=f"path:{folder}", data=(data,), dialogues=2, turns=2, max_new_tokens=8,
                              min_new_tokens=0, resamples=10)
    found = [evaluate.run(request, MemoryContext(tmp_path / name, settings=settings), open_tiny) for name in "ab"]
    assert found[0].figures == found[1].figures and found[0].turns == 4
    rows = predictions(MemoryContext(tmp_path / "a", settings=settings))
    assert all(row["nll_tokens"] > 0 and row["rank"] >= 1 for row in rows)


# --- data -------------------------------------------------------------------------------------------------------


def test_dialogues_that_an_agent_was_trained_on_are_left_out(context: MemoryContext, data: str, tiny_lm: Path,
                                                             tmp_path: Path) -> None:
    folder = agent_folder(tiny_lm, tmp_path / "agent")
    trained = tuple(dataclasses.replace(numbered(n), id=f"0/other-{n}") for n in (0, 2))
    keep_marks([Source("x", trained, (), ())], folder)
    assert known_dialogues(folder).has(numbered(2)) and not known_dialogues(folder).has(numbered(1))
    result, _ = measured(context, data, ScriptedModel(replies=heads), model=f"path:{folder}")
    assert {row["dialogue"] for row in predictions(context)} == {"0/talk-1", "0/talk-3"}
    assert any("2 dialogues that the agent was trained on" in line for line in result.left_out)
    keep_marks([Source("x", tuple(numbered(n) for n in range(4)), (), ())], folder)
    with pytest.raises(UserError, match="No dialogue is left"):
        measured(context, data, ScriptedModel(replies=heads), model=f"path:{folder}")
    assert "Number" not in (folder / "trained_on.json").read_text(), "hashes, not words"


def test_without_data_the_held_out_dialogues_of_the_training_are_taken(context: MemoryContext, tiny_lm: Path) -> None:
    training = MemoryContext(context.run.parent / "training", settings=context.settings)
    source = Source("x", (), tuple(dataclasses.replace(numbered(n), id=f"0/talk-{n}") for n in range(2)), ())
    keep_held_out([source], training)
    folder = agent_folder(tiny_lm, training.run / "artifacts" / "model")
    assert (training.run / "artifacts" / HELD_OUT).is_file()
    request = EvaluateRequest(model=f"path:{folder}", resamples=10)
    result = evaluate.run(request, context, lambda c, r: ScriptedModel(replies=heads))
    assert result.dialogues == 2
    with pytest.raises(UserError, match="no held-out dialogues"):
        evaluate.run(EvaluateRequest(model=f"path:{tiny_lm}"), context, lambda c, r: ScriptedModel())


def test_nothing_held_out_writes_nothing(context: MemoryContext) -> None:
    keep_held_out([Source("x", (numbered(0),), (), ())], context)
    assert not (context.run / "artifacts" / HELD_OUT).exists() and known_dialogues(None).marks == frozenset()


@pytest.mark.parametrize("change, says", [
    ({"language": "zh"}, "several languages"),
    ({"strategy_set": dataclasses.replace(SET, name="mine")}, "several strategy sets")])
def test_dialogues_that_do_not_go_together_are_refused(context: MemoryContext, tmp_path: Path, change: dict,
                                                       says: str) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_text(to_jsonl([numbered(0), dataclasses.replace(numbered(1), **change)]))
    with pytest.raises(UserError, match=says):
        measured(context, f"path:{path}")


@pytest.mark.parametrize("fields, says", [
    ({"mode": "counselor", "counselor": "classifier"}, "classifier is empty"),
    ({"min_new_tokens": 50}, "must not be above"), ({"batch": 0}, "batch"), ({"resamples": 1}, "resamples")])
def test_a_request_that_makes_no_sense_is_refused(fields: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        EvaluateRequest(**fields)


# --- going on ---------------------------------------------------------------------------------------------------


def test_a_stopped_run_goes_on_to_the_same_predictions(tmp_path: Path, settings, data: str) -> None:
    whole = MemoryContext(tmp_path / "whole", settings=settings)
    measured(whole, data)
    broken = MemoryContext(tmp_path / "broken", settings=settings)

    def until(prompt):
        if len(killed.prompts) > 3:  # in the middle of the second step
            raise Cancelled
        return None

    killed = ScriptedModel(replies=until)
    with pytest.raises(Cancelled):
        measured(broken, data, killed)
    assert 0 < len(predictions(broken)) < 12
    again = MemoryContext(tmp_path / "broken", settings=settings)
    result, model = measured(again, data)
    assert predictions(again) == predictions(whole) and result.turns == 12
    assert len(model.prompts) < 12, "what was done is not done again"
    finished_ = MemoryContext(tmp_path / "broken", settings=settings)
    _, idle = measured(finished_, data)
    assert not idle.prompts


def test_half_a_step_is_taken_out_and_done_again(tmp_path: Path) -> None:
    steps = list(steps_of([numbered(n) for n in range(3)], EvaluateRequest()))
    path = tmp_path / "p.jsonl"
    rows = [Prediction(c.history.id, c.turn, c.gold, "others", 0.5, 1, "a", "b", 1.0, 1, 1, "stop")
            for step in steps for c in step]
    from workbench.fields import to_json
    from workbench.files import append_line

    for row in rows[:4]:
        append_line(path, to_json(row))
    assert finished(path, steps) == rows[:3] and len(read_lines(path)) == 3
    assert finished(tmp_path / "none.jsonl", steps) == []


def test_a_cancel_before_anything_is_heard(tmp_path: Path, settings, data: str) -> None:
    with pytest.raises(Cancelled):
        measured(MemoryContext(tmp_path / "run", settings=settings, cancel_after=1), data)


def test_the_result_lies_beside_the_predictions(context: MemoryContext, data: str) -> None:
    result, _ = measured(context, data, dialogues=2)
    assert read_json(context.run / "artifacts" / "figures.json", {})["turns"] == result.turns == 6
    listed = {row["name"] for row in read_lines(context.run / "artifacts.jsonl")}
    assert listed == {"figures.json", evaluate.PREDICTIONS} and context.metrics and context.lives
    assert "2 of 4 dialogues, as asked" in result.left_out[-1]
