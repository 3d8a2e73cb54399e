"""Conversations over the real processes: two visitors at once, a process that is killed, a run that pauses."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.blsp_emo.talking import run as talk_run
from backends.blsp_emo.talking_lines import open_lines
from backends.common.serving import result_of
from tests.backends.talk_cases import Lines, Stand, clip, make_stand, say, talked
from workbench import sessions
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.fields import to_json
from workbench.files import read_json
from workbench.service import Service
from workbench.settings import Settings


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, tiny_lm: Path, whisper_tiny: Path) -> Stand:
    return make_stand(tmp_path_factory.mktemp("stand"), tiny_lm, whisper_tiny)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, stand: Stand) -> Iterator[Settings]:
    """A home whose model processes all tests here share, as visitors do."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), threads=1, model_idle_minutes=5,
                        models_cache=Path(os.environ["WORKBENCH_MODELS"]))
    yield settings
    for reference in (stand.speech, stand.recogniser, stand.language):
        sessions.unload(settings, reference)


def pid_of(settings: Settings, reference: str) -> int:
    return next(one.pid for one in sessions.processes(settings) if one.reference == reference)


def test_each_kind_of_model_gets_its_own_server(place: Settings, stand: Stand) -> None:
    served = {stand.speech: "hear", stand.recogniser: "transcribe", stand.language: "generate"}
    for reference, operation in served.items():
        line = sessions.connect(place, reference)
        with pytest.raises(UserError, match=f"cannot 'fly'; it can .*{operation}"):
            result_of(line.ask("fly", {}))
        assert result_of(line.ask("info", {}))


def test_two_conversations_at_once_never_mix(place: Settings, stand: Stand, tmp_path: Path) -> None:
    """Both talk to the same three processes at the same time, one says other things than the other; each must be told
    exactly what it is told when it is alone."""
    mine, other = (say(0), {"do": "say", "text": "I lost my keys."}, say(1)), \
                  (say(3), {"do": "say", "text": "What a day!"}, say(2))
    found: dict[str, Any] = {}

    def one(name: str, commands: tuple[Any, ...]) -> None:
        context = MemoryContext(tmp_path / name, settings=place)
        found[name] = talked(stand.request(max_new_tokens=16), tmp_path, None, *commands, context=context)[1]

    one("alone", mine)
    threads = [threading.Thread(target=one, args=pair) for pair in (("a", mine), ("b", other), ("c", mine))]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    def words(name: str) -> list[Any]:
        return [(turn["transcript"], turn["emotion"]["chances"],
                 {side: reply["text"] for side, reply in turn["replies"].items()}) for turn in found[name]["turns"]]

    assert words("a") == words("alone") == words("c")
    assert words("b") != words("a") and len(words("b")) == 3
    assert not {turn["transcript"] for turn in found["b"]["turns"]} & {t["transcript"] for t in found["a"]["turns"]}
    assert len(sessions.processes(place)) == 3, "three processes for all of them"


def test_an_answer_to_one_visitor_does_not_hold_up_another(place: Settings, stand: Stand) -> None:
    line = sessions.connect(place, stand.speech)
    reading = {"max_new_tokens": 2000, "temperature": 1.0}
    long = line.ask("reply", {"text": "Tell me everything.", "reading": reading})
    next(event for event in long if "delta" in event)
    began = time.monotonic()
    assert result_of(line.ask("hear", {"sound": {"key": "", "audio": str(clip(0))}}))["chances"]
    assert time.monotonic() - began < 5.0
    assert sessions.processes(place), "the long one goes on"
    long.close()  # type: ignore[attr-defined]


def test_a_killed_process_is_started_again_within_the_turn(place: Settings, stand: Stand, tmp_path: Path) -> None:
    """The speech model is killed between turns and its kept vectors with it: the next turn is answered all the same,
    and as it would have been."""
    context = MemoryContext(tmp_path / "one", settings=place)
    talked(stand.request(cascade=False), tmp_path, None, say(0), context=context)
    os.kill(pid_of(place, stand.speech), signal.SIGKILL)
    _, talk = talked(stand.request(cascade=False), tmp_path, None, say(1), context=context)
    _, whole = talked(stand.request(cascade=False), tmp_path / "whole", Lines(stand), say(0), say(1))
    assert talk["turns"][1]["problem"] is None
    assert talk["turns"][1]["replies"]["speech"]["text"] == whole["turns"][1]["replies"]["speech"]["text"]


def test_a_process_killed_in_the_middle_of_a_reply(place: Settings, stand: Stand, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run", settings=place)
    context.give({"do": "say", "text": "Tell me a long story."})
    done: list[Any] = []

    def work() -> None:
        done.append(talked(stand.request(cascade=False, max_new_tokens=600), tmp_path, None, context=context)[1])

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 100
    while not any(value.get("speech") for value in context.lives) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(pid_of(place, stand.speech), signal.SIGKILL)
    thread.join(200)
    turn = done[0]["turns"][0]
    assert turn["done"] and turn["problem"] is None and turn["replies"]["speech"]["text"]


def test_a_run_of_the_service_belongs_to_its_visitor(home: Path, stand: Stand, place: Settings) -> None:
    """Through the service: a real worker without torch, its commands, and the artifacts of a visitor alone."""
    service = Service(place)
    fields = to_json(stand.request(cascade=False))
    run_id = service.submit("blsp_emo.talk.v1", fields, visitor="ann")
    service.command("ann", run_id, say(0))
    deadline = time.monotonic() + 200
    while (talk := service.read_artifact("ann", run_id, "talk.json") or {}).get("applied") != 1:
        assert time.monotonic() < deadline, service.log_tail("ann", run_id)
        time.sleep(0.1)
    assert talk["turns"][0]["replies"]["speech"]["tokens"] >= 1
    maps = Path(f"/proc/{service.run('ann', run_id).pid}/maps")
    assert "libtorch" not in maps.read_text(), "the worker of a conversation stays small"
    with pytest.raises(UserError, match="There is no run"):
        service.read_artifact("bob", run_id, "talk.json")
    with pytest.raises(UserError, match="There is no run"):
        service.command("bob", run_id, {"do": "end"})
    service.command("ann", run_id, {"do": "end"})
    assert service.wait("ann", run_id, 100).status == "succeeded"
    assert service.result("ann", run_id)["turns"] == 1
    assert service.artifact_path("ann", run_id, "turn-001.wav").stat().st_size > 20_000


def test_what_is_opened_is_recorded_and_started(place: Settings, stand: Stand, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run", settings=place)
    lines = open_lines(context, stand.speech, stand.recogniser, cascade=True)
    assert dict(lines.references) == {"speech": stand.speech, "recogniser": stand.recogniser,
                                      "language": stand.language}
    files = read_json(context.run / "inputs.json", {})[stand.speech]["files"]
    assert all(len(file["sha256"]) == 64 for file in files)
    assert lines.ask("speech", "info", {}, lambda: None)["name"] == "Tiny"
    with pytest.raises(UserError, match="stop"):
        lines.ask("speech", "reply", {"text": "Hi", "reading": {"max_new_tokens": 50}}, _stop)
    lines.close()


def _stop() -> None:
    raise UserError("stop")


def test_a_waiting_run_says_so_and_ends_its_process(stand: Stand, place: Settings, tmp_path: Path) -> None:
    from workbench.contract import Paused

    context = MemoryContext(tmp_path / "run", settings=place)
    with pytest.raises(Paused, match="waiting for somebody to speak"):
        talk_run(stand.request(cascade=False), context, linger=0.2)
    assert context.lives[-1]["phase"] == "waiting"
