"""Curves of several models against each other from what their runs have kept, and what a curve's run keeps."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.common.mt.scores import scorer
from backends.sm2.compare_curves import STATISTICS, Curve, gains_over, read_statistics, save_statistics
from backends.sm2.curve import run
from backends.sm2.frontier import Cloud, gains
from backends.sm2.requests import CurveRequest, CurveResult, Point
from tests.backends.sm2_cases import folder_of
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.fields import from_json, to_json
from workbench.files import read_json

REQUEST = CurveRequest(sentences=16, thresholds=(0.3, 0.8), waits=(1, 4), resamples=60)


def point(policy: str, kind: str) -> Point:
    return Point(policy, kind, 0.0, 1.0, 0.0, 2.0, {"AL": 1.0}, 0.5, 1.5, {"AL": 1.0}, 0.0, None, 0, 0.1)


def cloud(matches: float, latency: float, size: int = 12, seed: int = 0) -> Cloud:
    """A policy with about this share of matching words."""
    generator = np.random.default_rng(seed)
    there = np.full((size, 10), 20.0)
    there[:, 2:6] = np.clip(generator.normal(20 * matches, 1.0, (size, 4)), 0, 20)
    return Cloud(there, (latency + generator.normal(0, 0.1, size)).tolist())


def curve(name: str, test: str = "t", thresholds: float = 0.8, waits: float = 0.5) -> Curve:
    """A curve with one threshold and three points of a family."""
    points = (point("SM2 0.5", "sm2"), point("wait-1", "wait-k"), point("wait-5", "wait-k"), point("full", "full"))
    clouds = (cloud(thresholds, 3.0), cloud(waits, 1.0, seed=1), cloud(waits + 0.05, 5.0, seed=2),
              cloud(waits + 0.1, 9.0, seed=3))
    return Curve(name, CurveResult(points, "bleu|x", 12, (), test), clouds)


def test_statistics_come_back_as_they_were(tmp_path: Path) -> None:
    clouds = [cloud(0.5, 2.0), replace(cloud(0.7, 3.0), latency=[math.nan, *[2.0] * 11])]
    save_statistics(tmp_path / STATISTICS, clouds)
    for kept, made in zip(read_statistics(tmp_path / STATISTICS), clouds, strict=True):
        assert np.array_equal(kept.quality, made.quality)
        assert np.array_equal(kept.latency, made.latency, equal_nan=True)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATISTICS).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read") as error:
        read_statistics(tmp_path / STATISTICS)
    assert "Measure the curve again" in str(error.value)


def test_a_missing_file_and_one_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_statistics(tmp_path / STATISTICS)
    np.savez(tmp_path / STATISTICS, quality=np.zeros((1, 2, 10)))
    with pytest.raises(UserError, match="cannot be read"):
        read_statistics(tmp_path / STATISTICS)
    np.savez(tmp_path / STATISTICS, quality=np.array([{"a": 1}], dtype=object), latency=np.zeros((1, 2)))
    with pytest.raises(UserError, match="cannot be read"):
        read_statistics(tmp_path / STATISTICS)  # pickled objects are never loaded


def test_gains_over_a_family_are_those_of_the_frontier() -> None:
    mine, theirs = curve("mine"), curve("theirs", waits=0.3)
    found = gains_over([mine, theirs], theirs, 50)
    assert set(found) == {"mine", "theirs"}
    metric = scorer("bleu", [["a"]], "en")
    family = {p.policy: c for p, c in theirs.of(("wait-k", "full"))}
    direct = gains({"SM2 0.5": mine.clouds[0]}, family, metric, 50)
    assert found["mine"] == direct
    assert found["mine"][0].gain > 0 and found["mine"][0].low > 0


def test_a_family_of_its_own_and_of_another_differ() -> None:
    low, high = curve("low", waits=0.3), curve("high", waits=0.7)
    over_low, over_high = gains_over([low], low, 50)["low"][0], gains_over([low], high, 50)["low"][0]
    assert over_low.gain > over_high.gain


def test_curves_of_different_sentences_are_not_compared() -> None:
    with pytest.raises(UserError, match="measured on different sentences") as error:
        gains_over([curve("mine"), curve("other", test="another")], curve("family"))
    assert "other and family" in str(error.value) and "mine" not in str(error.value)


def test_a_family_needs_two_points() -> None:
    whole = curve("short")
    short = Curve("short", replace(whole.result, points=whole.result.points[:2]), whole.clouds[:2])
    with pytest.raises(UserError, match="has 1 point of wait-k or the full sentence"):
        gains_over([curve("mine")], short)


def test_a_curve_without_thresholds_has_no_gains() -> None:
    whole = curve("waits")
    waits = Curve("waits", replace(whole.result, points=whole.result.points[1:]), whole.clouds[1:])
    assert gains_over([waits], waits, 50) == {}
    assert set(gains_over([curve("mine"), waits], waits, 50)) == {"mine"}


# --- what the task keeps -------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CurveResult]:
    folder = tmp_path_factory.mktemp("curve")
    model = folder_of(folder / "model")
    context = MemoryContext(folder / "run")
    return folder / "run", run(replace(REQUEST, model=f"path:{model}"), context)


def test_the_run_keeps_statistics_and_gains(measured: tuple[Path, CurveResult]) -> None:
    folder, result = measured
    clouds = read_statistics(folder / "artifacts" / STATISTICS)
    assert len(clouds) == len(result.points) == 5
    assert all(len(one.latency) == len(one.quality) == result.sentences == 16 for one in clouds)
    assert [gain.policy for gain in result.gains] == [p.policy for p in result.points if p.kind == "sm2"]
    for gain in result.gains:
        assert gain.low <= gain.gain <= gain.high or math.isclose(gain.low, gain.high)


def test_points_can_be_made_again_from_the_statistics(measured: tuple[Path, CurveResult]) -> None:
    folder, result = measured
    metric = scorer("bleu", [["a"]], "en")
    for point, cloud in zip(result.points, read_statistics(folder / "artifacts" / STATISTICS), strict=True):
        assert float(metric.score(cloud.quality.sum(0))) == pytest.approx(point.bleu)
        known = [lag for lag in cloud.latency if math.isfinite(lag)]
        assert point.words["AL"] == pytest.approx(float(np.mean(known)))


def test_gains_of_the_run_are_those_over_its_own_waits(measured: tuple[Path, CurveResult]) -> None:
    folder, result = measured
    own = Curve("own", result, read_statistics(folder / "artifacts" / STATISTICS))
    again = gains_over([own], own, REQUEST.resamples, REQUEST.seed)["own"]
    assert [(g.policy, round(g.gain, 9), round(g.low, 9)) for g in again] == \
        [(g.policy, round(g.gain, 9), round(g.low, 9)) for g in result.gains]


def test_the_result_survives_its_file(measured: tuple[Path, CurveResult]) -> None:
    folder, result = measured
    assert from_json(CurveResult, read_json(folder / "artifacts" / "curve.json", {})) == result
    older = {key: value for key, value in to_json(result).items() if key not in ("gains", "test")}
    assert from_json(CurveResult, older).gains == ()


def test_the_fingerprint_tells_test_sets_apart(tmp_path: Path, measured: tuple[Path, CurveResult]) -> None:
    _, result = measured
    model = f"path:{folder_of(tmp_path / 'other', objective='offline')}"
    waits = replace(REQUEST, model=model, thresholds=(), waits=(2,), full=True)
    same = run(waits, MemoryContext(tmp_path / "same"))
    fewer = run(replace(waits, sentences=15), MemoryContext(tmp_path / "fewer"))
    assert same.test == result.test and len(result.test) == 16, "another model, other policies, the same sentences"
    assert fewer.test != result.test
    assert same.gains == (), "there is no threshold"
    lone = run(replace(REQUEST, model=f"path:{folder_of(tmp_path / 'lone')}", waits=(2,), full=False),
               MemoryContext(tmp_path / "lone-run"))
    assert lone.gains == (), "one point of wait-k is no curve"
