"""``bench speech`` on tiny models: the steps add up, both ways alternate, what it reports has the shape of a bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.blsp_emo import bench as made
from backends.blsp_emo.bench import Bench, Times, conversation, measure, padding
from backends.blsp_emo.serve import Listener
from backends.blsp_emo.storage import open_model
from tests.backends.talk_cases import Stand, clip, make_stand, wave
from workbench import registry
from workbench.context import MemoryContext
from workbench.contract import load
from workbench.evidence import read_bench
from workbench.settings import Settings


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, tiny_lm: Path, whisper_tiny: Path) -> Stand:
    return make_stand(tmp_path_factory.mktemp("stand"), tiny_lm, whisper_tiny)


@pytest.fixture(scope="module")
def bench(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    from backends.common.engine import LocalModel
    from backends.common.speech.transcribe import open_recogniser

    context = MemoryContext(tmp_path_factory.mktemp("opening"))
    model, setup = open_model(Path(stand.speech.removeprefix("path:")), context)
    language = LocalModel(Path(stand.language.removeprefix("path:")), threads=1, dtype="float32", device="cpu")
    return Bench(Listener(model, setup), language, open_recogniser(Path(stand.recogniser.removeprefix("path:"))), 4)


def test_the_bench_has_a_name() -> None:
    assert load(registry.BENCHES["speech"]) is made.run


def test_the_steps_of_a_way_add_up(bench: Bench) -> None:
    mine, other = bench.ours(clip(0), wave(0)), bench.theirs(wave(0))
    assert set(mine) == {"vad", "encode", "first", "total"} and set(other) == {"vad", "asr", "first", "total"}
    for steps, middle in ((mine, "encode"), (other, "asr")):
        assert min(steps.values()) > 0
        assert steps["vad"] + steps[middle] <= steps["first"] <= steps["total"]
    assert len(bench.listener.kept) == 0, "nothing is kept from one repeat to the next"


def test_the_first_piece_is_not_the_whole_reply(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    def slow(payload: Any) -> Any:
        yield None
        yield {"delta": [0, "a"]}
        time.sleep(0.05)
        yield {"delta": [0, "b"]}
        return {}

    monkeypatch.setattr(bench.listener, "reply", slow)
    assert bench.first({}) < 0.04


def test_the_language_models_are_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.same(["Hello there.", "I lost my keys."]) == 2
    monkeypatch.setattr(type(bench), "answer", lambda *_: "something else")
    assert bench.same(["Hello there."]) == 0


def test_what_is_measured_and_printed(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    found = measure(bench, [clip(0), clip(1)], 2, "tiny")
    told = capsys.readouterr().out
    assert found["same"] and found["ours"] > 0 and found["theirs"] > 0
    assert "tiny: 2 clips" in told and "heard:" in told and "cascade:" in told and "asr" in told
    assert "padded to 30 s" in told and "kept vectors" in told


def test_padding_costs_and_is_taken_back(bench: Bench) -> None:
    plain, full = padding(bench, [wave(0)], 1)
    assert full > plain > 0 and bench.listener.model.padded is False


def test_a_conversation_with_and_without_kept_vectors(bench: Bench) -> None:
    before = bench.listener.kept.made
    kept, again = conversation(bench, [clip(0), clip(1)], 1)
    assert kept > 0 and again > 0 and len(bench.listener.kept) == 0
    assert bench.listener.kept.made - before == made.TURNS + made.TURNS, "once each, and then all of them again"


def test_medians_in_words() -> None:
    times = Times()
    for value in (3.0, 900.0, 5.0):
        times.add(vad=value, first=value + 1)
    assert times.median("vad") == 5.0 and times.line() == "vad 5, first 6"


def test_the_report_has_the_shape_of_a_bench(bench: Bench, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "opened", lambda *_: bench)
    monkeypatch.setattr(made, "QUICK", (1, 4))
    monkeypatch.setattr(made, "read_lines", lambda path: [{"audio": clip(0).name}, {"audio": clip(1).name}])
    found = read_bench("speech", made.run(Settings(home=home, threads=1), quick=True))
    assert found.name == "speech" and found.ratio > 0 and found.same_result
    assert found.ratio == pytest.approx(found.theirs / found.ours, rel=0.02)
