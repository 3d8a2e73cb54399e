"""Resident model processes: shared, cancelled, killed, idle, unloaded; mostly with a stand-in model without torch."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.workbench import parrot
from workbench import process, sessions, wire
from workbench.contract import MissingResource, UserError
from workbench.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def model(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Settings, str]]:
    """Settings and the reference of a model folder that the stand-in loader opens."""
    folder = tmp_path / "parrot"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    (folder / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    monkeypatch.setattr(sessions, "LOADER", "tests.workbench.parrot:load")
    settings, reference = Settings(home=home, model_idle_minutes=5, threads=1), f"path:{folder}"
    yield settings, reference
    sessions.unload(settings, reference)


def ask(line, operation: str, **payload) -> list:
    return list(line.ask(operation, payload))


def result(line, operation: str, **payload):
    return ask(line, operation, **payload)[-1]["result"]


def wait(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def pid_of(settings: Settings) -> int:
    return sessions.processes(settings)[0].pid


def test_a_model_is_started_once_and_shared(model) -> None:
    settings, reference = model
    lines = [None] * 4

    def open_one(i: int) -> None:
        lines[i] = sessions.connect(settings, reference)

    threads = [threading.Thread(target=open_one, args=(i,)) for i in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len({result(line, "pid") for line in lines}) == 1
    found = sessions.processes(settings)
    assert [m.reference for m in found] == [reference]
    assert found[0].rss_mb > 5 and lines[0].card["reference"] == reference


def test_the_process_is_a_session_of_its_own_and_carries_no_run(model, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, reference = model
    monkeypatch.setenv(process.MARK, "some-run#1")
    sessions.connect(settings, reference)
    pid = pid_of(settings)
    assert os.getsid(pid) == pid != os.getsid(0)
    assert process.marked("some-run") == []


def test_only_the_owner_can_reach_the_socket(model) -> None:
    settings, reference = model
    sessions.connect(settings, reference)
    folder = wire.place(settings.home, reference).socket.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    with pytest.raises(UserError, match="only you can enter"):
        wire.socket_folder(settings.home)
    folder.chmod(0o700)


def test_events_come_one_by_one_while_the_model_works(model) -> None:
    line = sessions.connect(*model)
    times = [(time.monotonic(), event) for event in line.ask("count", {"to": 3, "pause": 0.15}) if "delta" in event]
    assert [event["delta"] for _, event in times] == [[0, "0"], [0, "1"], [0, "2"]]
    assert times[2][0] - times[0][0] > 0.2


def test_callers_are_served_together(model) -> None:
    line = sessions.connect(*model)
    result(line, "pid")
    began, done = time.monotonic(), []

    def one() -> None:
        done.append(result(line, "count", to=10, pause=0.1))

    threads = [threading.Thread(target=one) for _ in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(done) == 3 and time.monotonic() - began < 2.5, "three at once must not take three times as long"


def test_a_caller_that_hangs_up_is_dropped_within_a_second(model) -> None:
    settings, reference = model
    line = sessions.connect(settings, reference)
    events = line.ask("count", {"to": 10_000, "pause": 0.05})
    next(e for e in events if "delta" in e)
    assert sessions.processes(settings)[0].busy
    began = time.monotonic()
    events.close()
    wait(lambda: not sessions.processes(settings)[0].busy, 5.0)
    assert time.monotonic() - began < 1.0
    assert result(line, "dropped") == 1


def test_waiting_callers_get_ticks(model) -> None:
    line = sessions.connect(*model)
    events = ask(line, "sleep", seconds=0.9)
    assert sum("tick" in event for event in events) >= 2


def test_an_error_is_told_and_the_process_goes_on(model) -> None:
    line = sessions.connect(*model)
    before = result(line, "pid")
    with pytest.raises(UserError, match="cannot say that") as caught:
        ask(line, "refuse")
    assert caught.value.advice == "Say something else."
    assert result(line, "pid") == before


@pytest.mark.parametrize("how", ["crash", "memory"])
def test_a_fault_ends_the_process_is_told_and_the_next_call_starts_anew(model, how: str) -> None:
    line = sessions.connect(*model)
    before = result(line, "pid")
    with pytest.raises(UserError, match="model process failed"):
        ask(line, how)
    assert result(line, "pid") != before


def test_a_killed_process_is_told_and_the_next_call_starts_anew(model) -> None:
    settings, reference = model
    line = sessions.connect(settings, reference)
    events = line.ask("count", {"to": 10_000, "pause": 0.05})
    next(e for e in events if "delta" in e)
    pid = pid_of(settings)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(UserError, match="ended in the middle") as caught:
        list(events)
    assert "started again" in caught.value.advice
    wait(lambda: sessions.processes(settings) == [])
    assert result(line, "pid") not in (pid, None)


def test_a_model_that_cannot_be_loaded_says_why(model) -> None:
    settings, reference = model
    Path(reference.removeprefix("path:"), "broken").touch()
    with pytest.raises(UserError, match="The parrot is dead"):  # while it starts, or at the first request
        ask(sessions.connect(settings, reference), "pid")
    with pytest.raises(UserError, match="The parrot is dead"):  # and again
        ask(sessions.connect(settings, reference), "pid")
    assert sessions.processes(settings) == []


@pytest.mark.parametrize(("log", "words"), [
    ("", ""), ("\n\n", ""), ("a\nMemoryError\n\n", "MemoryError"),
    ("Traceback\nworkbench.contract.UserError: No model here. Fetch it.\n", "No model here. Fetch it."),
    ("RuntimeError: CUDA error: x", "CUDA error: x"), ("x" * 999, "x" * 300)])
def test_last_words_of_a_log(tmp_path: Path, log: str, words: str) -> None:
    (tmp_path / "log").write_text(log)
    assert sessions.last_words(tmp_path / "log") == words
    assert sessions.last_words(tmp_path / "none") == ""


def test_asking_again_after_a_failed_load_tries_again(model) -> None:
    settings, reference = model
    broken = Path(reference.removeprefix("path:"), "broken")
    broken.touch()
    with pytest.raises(UserError):
        ask(sessions.connect(settings, reference), "pid")
    broken.unlink()
    assert result(sessions.connect(settings, reference), "pid") == pid_of(settings)


def test_two_models_live_side_by_side_and_one_can_go(model, tmp_path: Path) -> None:
    settings, reference = model
    second = tmp_path / "second"
    second.mkdir()
    for name in ("config.json", "model.safetensors"):
        (second / name).write_bytes(Path(reference.removeprefix("path:"), name).read_bytes())
    first_line, second_line = sessions.connect(settings, reference), sessions.connect(settings, f"path:{second}")
    first, other = result(first_line, "pid"), result(second_line, "pid")
    assert {m.pid for m in sessions.processes(settings)} == {first, other}
    sessions.unload(settings, f"path:{second}")
    assert [m.pid for m in sessions.processes(settings)] == [first] == [result(first_line, "pid")]


def test_two_homes_do_not_share_a_process(model, tmp_path: Path) -> None:
    settings, reference = model
    (tmp_path / "other").mkdir()
    other = Settings(home=tmp_path / "other", threads=1)
    try:
        assert result(sessions.connect(settings, reference), "pid") != result(sessions.connect(other, reference), "pid")
    finally:
        sessions.unload(other, reference)


def test_busy_and_idle_are_shown_as_they_are(model) -> None:
    settings, reference = model
    line = sessions.connect(settings, reference)
    result(line, "pid")
    time.sleep(0.3)
    (idle,) = sessions.processes(settings)
    assert not idle.busy and 0.1 < idle.idle_s < 30 and idle.started > 0
    events = line.ask("count", {"to": 100, "pause": 0.05})
    next(e for e in events if "delta" in e)
    (busy,) = sessions.processes(settings)
    assert busy.busy and busy.idle_s == 0.0
    events.close()


def test_callers_wait_for_a_slow_load(model) -> None:
    settings, reference = model
    Path(reference.removeprefix("path:"), "slow").touch()
    said: list[str] = []
    line = sessions.connect(settings, reference, said.append)
    assert said and "starting" in said[-1]
    events = ask(line, "pid")
    assert any("tick" in event for event in events[:-1])
    assert events[-1]["result"] == pid_of(settings)


def test_idle_for_too_long_ends_the_process(model) -> None:
    settings, reference = model
    brief = Settings(home=settings.home, model_idle_minutes=0.01, threads=1)
    line = sessions.connect(brief, reference)
    first = result(line, "pid")
    result(line, "sleep", seconds=1.0)  # longer than the idle time, but not idle
    assert process.started(first) is not None
    wait(lambda: sessions.processes(brief) == [], 5.0)
    assert not wire.place(settings.home, reference).socket.exists()
    assert result(line, "pid") != first, "the next call starts it again"


def test_unload_ends_the_process_and_its_memory(model) -> None:
    settings, reference = model
    line = sessions.connect(settings, reference)
    pid = result(line, "hold", megabytes=64)
    assert sessions.processes(settings)[0].rss_mb > 64
    sessions.unload(settings, reference)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert sessions.processes(settings) == []
    sessions.unload(settings, reference)  # again is no error


def test_a_process_that_ignores_the_polite_signal_is_killed(model) -> None:
    settings, reference = model
    line = sessions.connect(settings, reference)
    pid = result(line, "pid")
    os.kill(pid, signal.SIGSTOP)  # a stopped process answers no signal but SIGKILL
    began = time.monotonic()
    sessions.unload(settings, reference)
    assert process.started(pid) is None and time.monotonic() - began < 6.0


def test_status_does_not_wait_for_a_busy_or_stopped_process(model) -> None:
    settings, reference = model
    sessions.connect(settings, reference)
    os.kill(pid_of(settings), signal.SIGSTOP)
    began = time.monotonic()
    assert len(sessions.processes(settings)) == 1
    assert time.monotonic() - began < 0.2


def test_it_survives_the_death_of_whoever_started_it(model) -> None:
    settings, reference = model
    code = ("import sys, os\nfrom pathlib import Path\nfrom workbench import sessions\n"
            "from workbench.settings import Settings\nsessions.LOADER = 'tests.workbench.parrot:load'\n"
            f"line = sessions.connect(Settings(home=Path({str(settings.home)!r})), {reference!r})\n"
            "print(list(line.ask('pid', {}))[-1]['result'], 'torch' in sys.modules, flush=True)\n"
            "os.kill(os.getpid(), 9)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    pid, torch = done.stdout.split()
    assert (done.returncode, torch) == (-signal.SIGKILL, "False")
    assert pid_of(settings) == int(pid)
    assert result(sessions.connect(settings, reference), "pid") == int(pid)


def test_leftovers_of_a_dead_process_do_not_fool_anyone(model) -> None:
    settings, reference = model
    place = wire.place(settings.home, reference)
    place.socket.touch()
    place.record.write_text(json.dumps({"reference": reference, "pid": os.getpid(), "pid_started": 1.0}))
    place.state.write_text("busy")
    assert sessions.processes(settings) == []
    assert result(sessions.connect(settings, reference), "pid") == pid_of(settings)


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"pid": "x"}', '{"socket": 3}'])
def test_a_record_edited_by_hand_is_no_harm(model, text: str) -> None:
    settings, reference = model
    wire.place(settings.home, reference).record.write_text(text)
    assert sessions.processes(settings) == []
    assert result(sessions.connect(settings, reference), "pid") == pid_of(settings)


@pytest.mark.parametrize("line", [b"hello\n", b"[]\n", b'{"operation": "pid"}\n', b'{"payload": 3, "operation": 1}\n'])
def test_nonsense_on_the_socket_is_answered_and_harmless(model, line: bytes) -> None:
    settings, reference = model
    good = sessions.connect(settings, reference)
    before = result(good, "pid")
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(5)
        raw.connect(str(wire.place(settings.home, reference).socket))
        raw.sendall(line)
        assert "must be JSON with operation" in json.loads(raw.recv(4096))["error"]
    assert result(good, "pid") == before


def test_a_message_above_the_limit_is_refused_on_both_sides(model, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, reference = model
    line = sessions.connect(settings, reference)
    before = result(line, "pid")
    with pytest.raises(UserError, match=r"at most 16,777,216"):
        ask(line, "pid", text="x" * wire.MESSAGE_BYTES)
    monkeypatch.setattr(wire, "MESSAGE_BYTES", 10 * wire.MESSAGE_BYTES)  # a caller that does not check itself
    with pytest.raises(UserError):
        ask(line, "pid", text="x" * (20 * 2**20))
    assert result(line, "pid") == before


def test_long_texts_of_any_script_go_through_whole(model) -> None:
    text = "难过 😢 \u2028 end" * 20_000
    assert result(sessions.connect(*model), "echo", text=text) == text


def test_a_long_home_still_has_a_short_socket_path(tmp_path: Path) -> None:
    home = tmp_path / ("very-long-name-" * 12)
    assert len(os.fsencode(wire.place(home, "path:/x").socket)) <= wire.SOCKET_PATH_BYTES


def test_another_temporary_folder_finds_the_same_process(model, monkeypatch, tmp_path: Path) -> None:
    settings, reference = model
    before = result(sessions.connect(settings, reference), "pid")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert result(sessions.connect(settings, reference), "pid") == before


def test_what_is_not_here_is_said_before_anything_starts(home: Path) -> None:
    settings = Settings(home=home)
    with pytest.raises(MissingResource):
        sessions.connect(settings, "path:/nowhere/at/all")
    with pytest.raises(UserError):
        sessions.connect(settings, "nonsense")
    assert sessions.processes(settings) == []


def test_an_endpoint_has_a_card_and_no_process(home: Path) -> None:
    line = sessions.connect(Settings(home=home), "endpoint:http://127.0.0.1:9/v1#small")
    assert line.card["endpoint"] == {"base": "http://127.0.0.1:9/v1", "model": "small"}
    assert line.card["can_score"] is False
    with pytest.raises(UserError, match="server of its own"):
        ask(line, "generate")
    line.close()
    guarded = Settings(home=home, host="0.0.0.0", endpoints=("http://10.0.0.1/v1",))
    with pytest.raises(UserError, match="not among the model servers"):
        sessions.connect(guarded, "endpoint:http://127.0.0.1:9/v1#small")


def test_the_stand_in_keeps_to_what_the_engine_offers() -> None:
    from backends.common.engine import Engine

    assert all(hasattr(Engine, name) for name in ("submit", "cancel", "step", "busy"))
    assert all(hasattr(parrot.Parrot, name) for name in ("submit", "cancel", "step", "busy"))


@pytest.mark.parametrize(("config", "loader"), [
    ('{"model_type": "whisper"}', "backends.common.speech.serve:load"),
    ('{"model_type": "blsp_emo", "setup": {}}', "backends.blsp_emo.serve:load"),
    ('{"model_type": "llama"}', sessions.LOADER), ('{"model_type": ["whisper"]}', sessions.LOADER),
    ("{}", sessions.LOADER), ("[]", sessions.LOADER), ("{", sessions.LOADER), (None, sessions.LOADER)])
def test_what_opens_a_model_is_its_type(tmp_path: Path, config: str | None, loader: str) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    assert sessions.loader_of(tmp_path) == loader


def test_every_server_can_be_imported() -> None:
    from workbench import registry
    from workbench.contract import load

    for dotted in (*registry.SERVERS.values(), sessions.LOADER):
        assert callable(load(dotted)), dotted


def test_a_model_that_is_made_of_others_finds_them_by_the_callers_settings(model, tmp_path: Path) -> None:
    """The process has the settings of who started it, its models folder too, whatever its own environment says."""
    settings, reference = model
    line = sessions.connect(settings, reference)
    assert result(line, "resource", reference=reference) == reference.removeprefix("path:")
    with pytest.raises(UserError, match="nothing at"):
        ask(line, "resource", reference=f"path:{tmp_path / 'none'}")
    sessions.unload(settings, reference)
    offline = Settings(home=settings.home, models_cache=tmp_path / "empty", offline=True, threads=1)
    with pytest.raises(UserError, match="offline"):
        ask(sessions.connect(offline, reference), "resource", reference="package:whisper-tiny-en")
