"""Decoding: batched with kept states equals one at a time from scratch; policies; replay; states and their sweep."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
import torch

from backends.sm2.decode import translate, translate_plainly
from backends.sm2.policy import Policy, Trace, replayed
from backends.sm2.states import Session
from tests.backends.sm2_cases import small, some
from workbench.contract import Cancelled, UserError

POLICIES = [
    Policy("sm2", threshold=0.3),
    Policy("sm2", threshold=0.5),
    Policy("sm2", threshold=0.8, min_read=1),
    Policy("sm2", threshold=0.6, forbid_early_end=True),
    Policy("sm2", threshold=1.0),
    Policy("wait-k", k=1),
    Policy("wait-k", k=4, forbid_early_end=True),
    Policy("full"),
    Policy("sm2", threshold=0.5, ratio=0.3, extra=2),
]


def sources(count: int = 7) -> list[tuple[int, ...]]:
    return [one.pair.source for one in some(count)]


def same(one: Trace, two: Trace) -> bool:
    close = all(
        (a is None) == (b is None) and (a is None or abs(a - b) < 1e-4)
        for a, b in zip(one.confidence, two.confidence, strict=True)
    )
    return close and dataclasses.replace(one, confidence=()) == dataclasses.replace(two, confidence=())


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: f"{p.label} {p.forbid_early_end} {p.ratio}")
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_many_at_once_decide_as_one_at_a_time(policy: Policy, norm: str) -> None:
    """Pitfall 6: states are never used after they are out of date."""
    model = small(norm=norm)
    plain = [translate_plainly(model, source, policy) for source in sources()]
    for rows in (1, 3, 64):
        for one, two in zip(translate(model, sources(), policy, rows), plain, strict=True):
            assert same(one, two), (one, two)


@pytest.mark.parametrize("k", [1, 3, 20])
def test_multipath_keeps_the_states_it_wrote_with(k: int) -> None:
    model, policy = small(causal_encoder=True), Policy("multipath", k=k)
    for one, source in zip(translate(model, sources(), policy, 4), sources(), strict=True):
        assert same(one, translate_plainly(model, source, policy))
    again = translate(model, sources(), Policy("wait-k", k=k))
    if k == 20:
        assert [t.tokens for t in again] == [t.tokens for t in translate(model, sources(), policy)], (
            "k beyond J: the same"
        )


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p.label)
def test_the_log_replays(policy: Policy) -> None:
    """Pitfall 5: reading just what the log says gives the same tokens."""
    model = small()
    for trace, source in zip(translate(model, sources(), policy), sources(), strict=True):
        assert replayed(trace.actions) == list(trace.delays) and len(trace.confidence) == len(trace.actions)
        assert all(b >= a for a, b in zip(trace.delays, trace.delays[1:], strict=False)) and max(trace.delays) <= len(
            source
        )
        for place, (token, read) in enumerate(zip(trace.tokens, trace.delays, strict=True)):
            prefix = torch.tensor([source[:read]])
            there = torch.ones_like(prefix, dtype=torch.bool)
            logits = model.decode(
                torch.tensor([[1, *trace.tokens[:place]]]), model.encode(prefix, there), there
            ).logits[0, -1]
            if policy.forbid_early_end and read < len(source):
                logits[2] = -torch.inf
            assert int(logits.argmax()) == token


def test_what_was_not_read_does_not_matter() -> None:
    """A source that differs only beyond the last token read gives the same trace, to the bit."""
    model, policy, source = small(), Policy("wait-k", k=1, ratio=0.1, extra=2), sources(1)[0]
    one = translate(model, [source], policy)[0]
    assert max(one.delays) < len(source) - 1
    changed = (*source[: max(one.delays)], *[9] * (len(source) - max(one.delays)))
    assert translate(model, [changed], policy)[0] == one


def test_policies_read_what_they_must() -> None:
    model = small()
    size = len(sources(1)[0])
    wait = translate(model, sources(1), Policy("wait-k", k=3))[0]
    assert list(wait.delays) == [min(3 + i, size) for i in range(len(wait.delays))]
    whole = translate(model, sources(1), Policy("full"))[0]
    assert set(whole.delays) == {size} and whole.actions.startswith("R" * size + "W")
    eager = translate(model, sources(1), Policy("sm2", threshold=1e-6, min_read=2))[0]
    assert set(eager.delays) == {2}, "a threshold below every confidence never reads on"
    assert whole.confidence[0] is None and whole.confidence[size] is not None


def test_a_translation_ends_at_its_limit_or_its_end_token() -> None:
    model = small()
    for trace in translate(model, sources(), Policy("full", ratio=0.5, extra=1)):
        assert len(trace.tokens) <= int(0.5 * trace.size) + 1
        assert 2 not in trace.tokens[:-1]


def test_early_ends_can_be_forbidden() -> None:
    model = small()
    with torch.no_grad():
        model.embedding.weight[2] *= 40  # the end token is often the likeliest
    free = [
        t for s in range(4) for t in translate(model, [one.pair.source for one in some(20, s)], Policy("wait-k", k=1))
    ]
    early = [t for t in free if t.tokens[-1] == 2 and t.delays[-1] < t.size]
    held = [
        t
        for s in range(4)
        for t in translate(
            model, [one.pair.source for one in some(20, s)], Policy("wait-k", k=1, forbid_early_end=True)
        )
    ]
    assert early and not any(t.tokens[-1] == 2 and t.delays[-1] < t.size for t in held)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"threshold": 1.1}, "threshold"),
        ({"k": 0}, "k is 0"),
        ({"min_read": 0}, "min_read 0"),
        ({"kind": "beam"}, "kind is 'beam'"),
    ],
)
def test_policies_are_checked(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Policy(**fields)


def test_what_cannot_be_translated() -> None:
    with pytest.raises(UserError, match="no token"):
        translate(small(), [(5, 2), ()], Policy())
    with pytest.raises(UserError, match="causal encoder"):
        translate(small(), sources(1), Policy("multipath"))
    with pytest.raises(UserError, match="70 tokens"):
        translate_plainly(small(), [5] * 70, Policy())
    with pytest.raises(UserError, match="'X' is no action"):
        replayed("RWX")
    assert translate(small(), [], Policy()) == []


def test_a_cancel_reaches_into_decoding_and_leaves_the_model_as_it_was() -> None:
    model = small().train()

    def tick() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        translate(model, sources(), Policy(), tick=tick)
    assert model.training


@pytest.mark.parametrize("policy", [p for p in POLICIES if p.kind != "multipath"], ids=lambda p: p.label)
def test_kept_states_give_the_same_translation(policy: Policy) -> None:
    model = small()
    for source in sources(3):
        assert same(Session(model, source).trace(policy), translate_plainly(model, source, policy))


def test_a_second_threshold_uses_the_states_of_the_first() -> None:
    session = Session(small(), sources(1)[0])
    one = session.trace(Policy("sm2", threshold=0.5))
    made = session.computed
    assert session.trace(Policy("sm2", threshold=0.5)) == one and session.computed == made
    assert made <= len(one.tokens)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_sweep_lists_every_translation(seed: int) -> None:
    session = max((Session(small(seed), source) for source in sources()), key=lambda one: len(one.sweep()))
    ranges = session.sweep()
    assert ranges[0].low == 0.0 and ranges[-1].high == 1.0 and len(ranges) > 2
    assert all(a.high == b.low for a, b in pairwise(ranges))
    for one in ranges:
        for threshold in (one.low + (one.high - one.low) * share for share in (0.01, 0.5, 1.0)):
            found = session.trace(Policy("sm2", threshold=max(1e-6, threshold)))
            assert found.tokens == one.trace.tokens, (threshold, one.low, one.high)
            assert found.actions == one.trace.actions


def test_a_grid_has_the_confidence_of_every_state() -> None:
    model, source = small(), sources(1)[0]
    session = Session(model, source)
    trace = session.trace(Policy("sm2", threshold=0.5))
    grid = session.grid(trace.tokens)
    assert len(grid) == len(trace.tokens) and {len(row) for row in grid} == {len(source)}
    written = [c for a, c in zip(trace.actions, trace.confidence, strict=True) if a == "W"]
    assert [grid[i][read - 1] for i, read in enumerate(trace.delays)] == pytest.approx(written, abs=1e-5)
    with pytest.raises(UserError, match="multi-path"):
        session.trace(Policy("multipath"))
