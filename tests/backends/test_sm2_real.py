"""The real-text part of the reproduction on made-up files of Multi30k's form: trained, measured, claimed."""

from __future__ import annotations

import gzip
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.common.mt.scores import mean_statistics, segment_scorer
from backends.sm2 import reproduce, reproduce_models, reproduce_real
from backends.sm2.corpora import as_text
from backends.sm2.frontier import Cloud
from backends.sm2.order_language import sentences
from backends.sm2.reproduce_real import (
    above,
    claim,
    kept,
    regained,
    replace_latency,
    stated,
    told,
    trainings,
)
from backends.sm2.requests import Gain
from backends.sm2.storage import open_translator
from tests.backends.sm2_cases import LANGUAGE
from workbench.evidence import Claim

BASE = reproduce_real.base


def made(path: Path) -> Path:
    """Files of Multi30k's names with sentences of the order language."""
    path.mkdir()
    for name, count, seed in (("train", 120, 1), ("test_2016_flickr", 25, 2)):
        text = as_text(LANGUAGE, sentences(LANGUAGE, count, random.Random(seed)))
        for side, lines in (("de", text.source), ("en", text.target)):
            (path / f"{name}.{side}.gz").write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return path


@pytest.fixture
def small_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def tiny(steps: int = reproduce_real.STEPS):
        return replace(BASE(steps), vocabulary=200, width=16, inner=32, heads=2, layers=1, tokens=256, held_out=10)

    monkeypatch.setattr(reproduce_real, "DATA", made(tmp_path / "multi30k"))
    monkeypatch.setattr(reproduce_real, "base", tiny)
    monkeypatch.setattr(reproduce_real, "THRESHOLDS", (0.5,))
    monkeypatch.setattr(reproduce_real, "WAITS", (1, 3))
    return tmp_path


def test_from_files_to_claims_and_used_again(
    settings, small_scale: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = reproduce_real.run(settings, small_scale / "run", steps=6)
    printed = capsys.readouterr().out
    assert all(isinstance(one, Claim) and one.interval for one in claims)
    assert sum(one.what.startswith("BLEU at full sentence") for one in claims) == 1
    for family in ("multi-path wait-k", "multi-path wait-k (fine-tuned from offline)"):  # claimed, or said why not
        named = [one for one in claims if f"BLEU of SM2 0.5 over {family} at " in one.what]
        assert len(named) + printed.count(f"over {family} (no equal latency") == 1
    assert "over test-time wait-k of the same model" in printed
    folders = sorted((settings.home / "reproduce").iterdir())
    assert [path.name.rsplit("-", 1)[0] for path in folders] == ["sm2-multipath", "sm2-offline", "sm2-sm2", "sm2-tuned"]
    ready = {path.name.split("-")[1]: open_translator(path / "artifacts" / "model").ready for path in folders}
    assert ready == {"multipath": False, "offline": False, "sm2": True, "tuned": True}
    assert printed.count("weights,") == 4 and printed.count("AL words") == 4 + 3 + 1 + 2

    def never(*_: object) -> None:
        raise AssertionError("trained twice")

    monkeypatch.setattr(reproduce_models, "train", never)
    assert reproduce_real.run(settings, small_scale / "again", steps=6) == claims


def test_the_trainings_differ_in_the_objective_only() -> None:
    found = trainings(500)
    assert {name: one.objective for name, one in found.items()} == {
        "sm2": "sm2",
        "offline": "offline",
        "multipath": "multipath",
    }
    alike = {replace(one, objective="sm2", encoder="both", name="x") for one in found.values()}
    assert len(alike) == 1 and next(iter(alike)).max_steps == 500
    assert found["multipath"].encoder == "causal" and found["sm2"].encoder == "both"


def gain(value: float, low: float, high: float, beyond: bool = False) -> Gain:
    return Gain("SM2 0.5", 3.25, 30.0, value, low, high, beyond)


@pytest.mark.parametrize(("value", "holds"), [(1, True), (0.01, True), (-0.1, False), (0, False)])
def test_a_claim_holds_above_zero_and_names_its_control(value: float, holds: bool) -> None:
    made = claim(gain(value, -2, 2), "wait-k", gain(0.5, 0, 1))
    assert made.holds is holds and made.interval == (-2, 2) and "3.25 words" in made.what
    assert made.target == 0 and made.control == 0.5 and claim(gain(value, -2, 2), "wait-k").control is None


def test_where_wait_k_has_no_equal_latency_nothing_is_claimed_and_it_is_said(capsys: Any) -> None:
    found = stated([gain(-9, -10, -8, beyond=True), gain(1, 0, 2)], "multi-path wait-k")
    assert [claim.value for claim in found] == [1]
    said = capsys.readouterr().out
    assert "no equal latency" in said and "BLEU -9.00 [-10.00, -8.00] over multi-path wait-k" in said
    assert "no equal" not in told(gain(1, 0, 2), "x")


class Desk(reproduce_real.Desk):
    """A desk whose policies are given as clouds, scored by a mean."""

    def __init__(self) -> None:
        object.__setattr__(self, "metric", segment_scorer("quality"))

    def clouds(self, measured: dict) -> dict[str, Cloud]:
        return measured


def cloud(quality: float, latency: float) -> Cloud:
    return Cloud(mean_statistics([quality] * 12), [latency] * 12)


def test_sm2_is_held_against_both_kinds_of_wait_k() -> None:
    sm2 = {"SM2 0.5": cloud(30, 3), "wait-1": cloud(10, 1), "wait-3": cloud(20, 3), "full sentence": cloud(31, 9)}
    paths = {"multi-path wait-1": cloud(15, 1), "multi-path wait-3": cloud(28, 3), "full sentence": cloud(29, 9)}
    found = above(Desk(), sm2, paths)
    assert [(one.value, one.control, one.holds) for one in found] == [(2.0, pytest.approx(10.0), True)]
    worse = above(Desk(), {**sm2, "SM2 0.5": cloud(12, 3)}, paths)
    assert not any(one.holds for one in worse)


@pytest.mark.parametrize(("tuned", "holds"), [(30.0, True), (31.5, True), (29.01, True), (28.9, False)])
def test_fine_tuning_may_cost_a_point_at_full_sentence(tuned: float, holds: bool) -> None:
    offline = {"full sentence": cloud(30, 9)}
    (found,) = kept(Desk(), offline, {"full sentence": cloud(tuned, 11), "SM2 0.5": cloud(1, 1)})
    assert found.holds is holds and found.value == pytest.approx(tuned - 30) and found.target == -1.0


def test_only_quality_is_compared_where_latency_does_not_matter() -> None:
    one = replace_latency(cloud(5, 7))
    assert one.latency == [0.0] * 12 and one.quality.tolist() == cloud(5, 7).quality.tolist()


def test_the_fine_tuned_model_is_held_against_wait_k() -> None:
    adapted = {"SM2 0.5": cloud(30, 2), "SM2 0.9": cloud(30, 4), "full sentence": cloud(40, 9)}
    paths = {"multi-path wait-1": cloud(20, 1), "multi-path wait-5": cloud(40, 5)}
    found = regained(Desk(), adapted, paths)
    assert [one.value for one in found] == pytest.approx([5.0, -5.0]) and [one.holds for one in found] == [True, False]
    assert all("fine-tuned from offline" in one.what for one in found)


@pytest.mark.parametrize("there", [True, False])
def test_the_reproduction_takes_real_text_where_it_is(
    settings, small_scale: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: bool
) -> None:
    """Only without ``quick``, and with a line that says so where the data are not beside the project."""
    if not there:
        monkeypatch.setattr(reproduce_real, "DATA", small_scale / "nowhere")
    asked = []

    def run(settings_: object, folder: Path) -> list[Claim]:
        asked.append(folder)
        return [Claim("real text", 1.0, 0.0, True)]

    monkeypatch.setattr(reproduce_real, "run", run)
    found = reproduce.real_claims(settings)
    assert len(found) == len(asked) == there
    assert ("Multi30k is not at" in capsys.readouterr().out) is not there
    assert all(settings.home in folder.parents for folder in asked)


def test_quick_is_the_order_language_alone(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.backends.test_sm2_reproduce import tiny

    monkeypatch.setattr(reproduce, "request", tiny)
    monkeypatch.setattr(reproduce, "real_claims", lambda _: [Claim("real text", 1.0, 0.0, True)])
    assert "real text" not in [one.what for one in reproduce.run(settings, quick=True).claims]
    assert "real text" in [one.what for one in reproduce.run(settings).claims]


def test_multi30k_as_it_lies_there(shared: Path) -> None:
    for name, count in (("train", 29_000), ("test_2016_flickr", 1000)):
        for side in ("de", "en"):
            path = shared / "mt" / "multi30k" / f"{name}.{side}.gz"
            assert gzip.decompress(path.read_bytes()).count(b"\n") == count
