"""The tasks with the practice model: translate, all states, the curve; the benchmark and the reproduction's claims."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from backends.sm2 import TASKS, bench, reproduce
from backends.sm2.curve import run as curve
from backends.sm2.order_language import Language, sentences
from backends.sm2.requests import CurveRequest, PolicyFields, StatesRequest, TranslateRequest
from backends.sm2.storage import open_translator
from backends.sm2.translate import PRACTICE, run, states
from tests.backends.sm2_cases import folder_of
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError
from workbench.fields import fields_of, from_json, to_json

TEXT = "sov n1 n2 o4 o5 o6 o7 v3"


@pytest.fixture
def context(tmp_path: Path) -> MemoryContext:
    return MemoryContext(tmp_path / "run")


def test_the_practice_model_translates_and_waits_where_it_must(context: MemoryContext) -> None:
    events = list(run(TranslateRequest("svo n1 n2 v3 o4 o5 o6 o7\n\nsov n1 n2 o4 o5 o6 o7 v3\n"), context))
    svo, sov = (event["log"] for event in events[:2])
    assert svo["prediction"] == sov["prediction"] == "N1 N2 V3 O4 O5 O6 O7"
    assert sov["token_delays"][2] >= 8 > svo["token_delays"][2], "the verb is last in the second"
    assert events[-1]["done"]["sentences"] == 2 and svo["words"]["AL"] < sov["words"]["AL"]


@pytest.mark.parametrize("policy", [{"kind": "wait-k", "k": 20}, {"kind": "full"}])
def test_late_policies_are_right_too(context: MemoryContext, policy: dict) -> None:
    events = list(run(TranslateRequest(TEXT, policy=PolicyFields(**policy)), context))
    assert events[0]["log"]["prediction"] == "N1 N2 V3 O4 O5 O6 O7"
    assert events[0]["log"]["words"]["AL"] == pytest.approx(8)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": " \n "}, "no text"),
        ({"text": "the cat"}, "no word 'the'"),
        ({"text": TEXT, "policy": PolicyFields("multipath")}, "causal encoder"),
    ],
)
def test_what_cannot_be_translated_is_said(context: MemoryContext, fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        list(run(TranslateRequest(**fields), context))


def test_a_threshold_needs_a_trained_confidence(context: MemoryContext, tmp_path: Path) -> None:
    model = f"path:{folder_of(tmp_path / 'm', objective='offline')}"
    with pytest.raises(UserError, match="no trained confidence"):
        list(run(TranslateRequest(TEXT, model=model), context))
    assert len(list(run(TranslateRequest(TEXT, model=model, policy=PolicyFields("wait-k")), context))) == 2
    found = states(StatesRequest(TEXT, model=model), context)
    assert not found.ready and found.ranges == () and set(found.overlay) == {"wait-3", "full sentence"}


def test_all_states_of_a_sentence(context: MemoryContext) -> None:
    found = states(StatesRequest(TEXT), context)
    assert (
        found.source_pieces[0] == "sov"
        and found.source_pieces[-1] == "</s>"
        and found.floor == pytest.approx(0.0909, abs=1e-4)
    )
    assert found.ranges[0]["low"] == 0.0 and found.ranges[-1]["high"] == 1.0 and len(found.grids) == len(found.ranges)
    middle = next(r for r in found.ranges if r["low"] < 0.5 <= r["high"])
    assert middle["log"]["prediction"] == "N1 N2 V3 O4 O5 O6 O7"
    grid = found.grids[found.ranges.index(middle)]
    assert len(grid) == len(middle["log"]["target_pieces"]) and len(grid[0]) == 9
    assert max(grid[2][:7]) < 0.5 < grid[2][7], "the verb's row is low until the verb is read"
    assert json.loads(json.dumps(to_json(found))) == to_json(found)


def test_a_curve_of_the_order_language(context: MemoryContext) -> None:
    found = curve(CurveRequest(sentences=40, thresholds=(0.9, 0.3), waits=(1, 5), resamples=50), context)
    assert [p.policy for p in found.points] == ["SM2 0.3", "SM2 0.9", "wait-1", "wait-5", "full sentence"]
    points = {p.policy: p for p in found.points}
    assert (
        points["SM2 0.9"].bleu > points["wait-1"].bleu
        and points["SM2 0.9"].words["AL"] < points["full sentence"].words["AL"]
    )
    assert (
        points["SM2 0.9"].sufficiency > 0.95 > points["wait-1"].sufficiency
        and points["full sentence"].sufficiency == 1.0
    )
    assert all(
        p.bleu_low <= p.bleu <= p.bleu_high and p.words_al_low <= p.words["AL"] <= p.words_al_high for p in found.points
    )
    assert found.signature.startswith("nrefs:1") and found.sentences == 40
    lines = (context.run / "artifacts" / "logs" / "sm2-0.9.log").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 40 and len(json.loads(lines[0])["delays"]) == json.loads(lines[0])["prediction_length"]
    assert json.loads((context.run / "artifacts" / "curve.json").read_text(encoding="utf-8"))["sentences"] == 40


def test_a_curve_of_files(context: MemoryContext, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("svo n1 n2 v3 o4 o5 o6 o7\n" * 3, encoding="utf-8")
    (tmp_path / "t.txt").write_text("N1 N2 V3 O4 O5 O6 O7\n" * 3, encoding="utf-8")
    asked = CurveRequest(
        source=f"path:{tmp_path}/s.txt",
        target=f"path:{tmp_path}/t.txt",
        thresholds=(0.5,),
        waits=(),
        full=False,
        resamples=10,
    )
    found = curve(asked, context)
    assert (
        found.points[0].bleu == pytest.approx(100)
        and found.points[0].sufficiency is None
        and found.points[0].exact == 1.0
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"source": "path:/x"}, "Only one of source and target"),
        ({"thresholds": (), "waits": (), "full": False}, "No policy"),
        ({"thresholds": (0.0,)}, "thresholds lie above 0"),
        ({"waits": (0,)}, "waits are at least 1"),
    ],
)
def test_curve_requests_are_checked(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        CurveRequest(**fields)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_examples_run_and_repeat(task, tmp_path: Path) -> None:
    assert from_json(task.request, json.loads(json.dumps(to_json(task.example)))) == task.example
    assert not [spec.name for spec in fields_of(task.request) if not spec.knob.help]
    results = []
    for number in range(2):
        made = task.function()(task.example, MemoryContext(tmp_path / str(number)))
        results.append(list(made)[:-1] if task.kind == "stream" else _without_times(to_json(made)))
    assert results[0] == results[1]


def _without_times(value):
    if isinstance(value, dict):
        return {k: _without_times(v) for k, v in value.items() if "second" not in k and k != "path"}
    return [_without_times(v) for v in value] if isinstance(value, list) else value


def test_a_cancel_ends_a_curve(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        curve(CurveRequest(sentences=20, resamples=10), MemoryContext(tmp_path / "run", cancel_after=5))


def test_the_claims_hold_for_the_practice_model() -> None:
    model = open_translator(PRACTICE).model
    test = sentences(Language(), 80, random.Random(reproduce.SEED))
    claims = [*reproduce.policy_claims(model, test), *reproduce.staircase_claims(model, test[:20])]
    assert all(claim.holds for claim in claims), claims


def test_the_claims_fail_for_a_model_that_learned_nothing() -> None:
    from tests.backends.sm2_cases import small

    test = sentences(Language(), 10, random.Random(1))
    assert not all(c.holds for c in reproduce.policy_claims(small(), test))
    assert not reproduce.staircase_claims(small(), test)[0].holds


def test_the_benchmark_gives_the_same_and_is_faster(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "QUICK", (64, 8))
    found = bench.run(settings, quick=True)
    assert found["same_result"] and found["ratio"] > 3


def test_the_practice_model_is_small_and_carries_its_card() -> None:
    assert sum(path.stat().st_size for path in PRACTICE.iterdir()) < 2**20
    assert "order language" in (PRACTICE / "README.md").read_text(encoding="utf-8")
