"""What must hold for any sentence, any delays, any batch: simultaneous translation."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.sm2.alignment import sufficiency
from backends.sm2.data import Order, Pair, clean, collate, padded
from backends.sm2.decode import translate, translate_plainly
from backends.sm2.latency import (
    average_lagging,
    average_proportion,
    differentiable_lagging,
    in_words,
    latency,
    mean,
)
from backends.sm2.objective import best_confidence, confidence_loss, cut, floor, modified, sample_prefix
from backends.sm2.order_language import Language, sentence, staircase
from backends.sm2.policy import Policy, replayed
from backends.sm2.states import Session
from backends.sm2.vocabulary import SPACE, begun_of
from tests.backends.sm2_cases import small

FEW = settings(max_examples=40, deadline=None)
SLOW = settings(max_examples=12, deadline=None)


@st.composite
def walks(draw: st.DrawFn) -> tuple[list[int], int]:
    """Delays that do not fall, and a source they fit in."""
    source = draw(st.integers(1, 15))
    delays = sorted(draw(st.lists(st.integers(1, source), min_size=1, max_size=15)))
    return delays, source


IDS = st.lists(st.integers(3, 60), min_size=1, max_size=10).map(lambda ids: (*ids, 2))
POLICIES = st.builds(
    Policy,
    kind=st.sampled_from(["sm2", "wait-k", "full"]),
    threshold=st.floats(0.05, 1.0),
    k=st.integers(1, 12),
    min_read=st.integers(1, 4),
    forbid_early_end=st.booleans(),
)


@FEW
@given(walks())
def test_bounds_of_the_latencies(walk: tuple) -> None:
    delays, source = walk
    found = latency(delays, source, len(delays))
    assert 0 < found.ap <= 1 and found.cw > 0
    assert found.al <= source + 1e-9 and found.dal >= found.al - 1e-9
    assert found.laal == pytest.approx(found.al), "the reference is as long as the output"


@FEW
@given(walks(), st.integers(0, 30))
def test_laal_is_never_below_al(walk: tuple, reference: int) -> None:
    delays, source = walk
    found = latency(delays, source, reference)
    assert found.laal >= found.al - 1e-9


@FEW
@given(walks())
def test_waiting_longer_never_lowers_a_latency(walk: tuple) -> None:
    delays, source = walk
    later = [min(source, delay + 1) for delay in delays]
    assert average_proportion(later, source) >= average_proportion(delays, source)
    assert differentiable_lagging(later, source) >= differentiable_lagging(delays, source) - 1e-9


@FEW
@given(st.integers(1, 12), st.integers(1, 20))
def test_wait_k_of_equal_lengths_has_al_k(k: int, size: int) -> None:
    delays = [min(k + i, size) for i in range(size)]
    assert average_lagging(delays, size, size) == pytest.approx(min(k, size))


@FEW
@given(st.lists(walks(), max_size=6))
def test_means_leave_out_what_is_undefined(walked: list) -> None:
    each = [latency(delays, source, 3) for delays, source in walked]
    nothing = latency([], 4, 3)
    with_nothing, without = mean([*each, nothing]), mean(each)
    assert with_nothing.undefined == without.undefined + 1
    if each:
        assert with_nothing.al == without.al


PIECES = st.lists(st.sampled_from(["▁a", "b", "▁我们", "去", "▁", "x", "1", "。", "</s>"]), max_size=10)


@FEW
@given(PIECES)
def test_words_never_become_fewer(pieces: list) -> None:
    begun = begun_of(pieces)
    assert len(begun) == len(pieces) and all(b >= a for a, b in pairwise(begun))
    text = "".join(piece for piece in pieces if piece != "</s>").replace(SPACE, " ")
    spaced = "".join(f" {c} " if ord(c) > 0x2FFF and c != "。" else c for c in text)
    assert (begun[-1] if begun else 0) >= len(spaced.split()) - text.count("。")


@FEW
@given(walks(), st.data())
def test_word_delays_are_as_many_as_words_and_do_not_fall(walk: tuple, data: st.DataObject) -> None:
    delays, source = walk
    target, count = [], 0
    for _ in delays:
        count += data.draw(st.integers(0, 2))
        target.append(count)
    begun = sorted(data.draw(st.lists(st.integers(0, source), min_size=source, max_size=source)))
    found = in_words(delays, begun, target)
    assert len(found) == count and all(b >= a for a, b in pairwise(found))


@FEW
@given(walks())
def test_reading_everything_is_always_enough(walk: tuple) -> None:
    delays, source = walk
    assert sufficiency([source] * len(delays), delays) == 1.0
    assert sufficiency(delays, delays) == 1.0
    assert sufficiency(delays, [None] * len(delays)) is None


@SLOW
@given(st.lists(IDS, min_size=1, max_size=5), POLICIES)
def test_batched_and_plain_decoding_agree(sources: list, policy: Policy) -> None:
    model = small()
    for one, source in zip(translate(model, sources, policy, 3), sources, strict=True):
        two = translate_plainly(model, source, policy)
        near = any(c is not None and abs(c - policy.threshold) < 1e-5 for c in two.confidence)
        assert near or (one.tokens, one.actions) == (two.tokens, two.actions)


@SLOW
@given(IDS, POLICIES)
def test_a_trace_is_consistent(source: tuple, policy: Policy) -> None:
    trace = translate(small(), [source], policy)[0]
    assert replayed(trace.actions) == list(trace.delays)
    assert len(trace.actions) == len(trace.confidence) == len(trace.tokens) + trace.actions.count("R")
    assert trace.actions.count("R") <= trace.size == len(source) and trace.actions.endswith("W")
    assert all(delay >= policy.least(i, trace.size) for i, delay in enumerate(trace.delays))
    if policy.kind == "sm2":
        sure = [c for c, d in zip(trace.written, trace.delays, strict=True) if d < trace.size]
        assert all(c >= policy.threshold for c in sure)


@SLOW
@given(IDS, st.floats(0.01, 1.0))
def test_the_sweep_holds_every_threshold(source: tuple, threshold: float) -> None:
    session = Session(small(), source)
    ranges = session.sweep()
    assert ranges[0].low == 0 and ranges[-1].high == 1
    found = next(one for one in ranges if one.low < threshold <= one.high)
    trace = session.trace(Policy("sm2", threshold=threshold))
    assert (found.trace.tokens, found.trace.actions) == (trace.tokens, trace.actions)


@SLOW
@given(IDS)
def test_latency_of_the_sweep_rises_with_the_threshold_where_the_text_stays(source: tuple) -> None:
    ranges = Session(small(), source).sweep()
    for one, two in pairwise(ranges):
        if one.trace.tokens == two.trace.tokens:
            assert sum(two.trace.delays) >= sum(one.trace.delays)


@FEW
@given(st.floats(0, 1), st.floats(0.001, 1), st.floats(0.01, 2))
def test_the_confidence_never_falls_below_its_floor(p: float, q: float, alpha: float) -> None:
    found = best_confidence(p, q, alpha)
    assert floor(alpha) - 1e-12 <= found <= 1
    assert best_confidence(p, min(1.0, q + 0.1), alpha) <= found + 1e-12 or q <= p


@FEW
@given(st.floats(-60, 60), st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_the_mixture_is_a_distribution(z: float, p: float, q: float) -> None:
    logs = [torch.tensor([[[v, 1 - v]]], dtype=torch.float64).log() for v in (p, q)]
    mixed = modified(*logs, torch.full((1, 1), z, dtype=torch.float64)).exp()
    assert float(mixed.sum()) == pytest.approx(1)
    assert min(p, q) - 1e-9 <= float(mixed[0, 0, 0]) <= max(p, q) + 1e-9
    there = torch.ones(1, 1, dtype=torch.bool)
    assert float(confidence_loss(torch.full((1, 1), z, dtype=torch.float64), there)) >= 0


@FEW
@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.booleans(), st.integers(0, 99), st.integers(1, 3))
def test_prefixes_fit_their_sentences(lengths: list, each: bool, seed: int, least: int) -> None:
    found = sample_prefix(lengths, each, random.Random(seed), least)
    assert len(found) == len(lengths) and all(1 <= j <= length for j, length in zip(found, lengths, strict=True))
    assert each or len(set(found)) == 1


PAIRS = st.lists(st.builds(Pair, IDS, IDS), min_size=1, max_size=6)


@FEW
@given(PAIRS, st.integers(0, 4), st.integers(0, 99))
def test_a_batch_holds_its_pairs_and_nothing_else(pairs: list, wider: int, seed: int) -> None:
    batch = collate(pairs, 0, 1, wider)
    for row, pair in enumerate(pairs):
        assert batch.source[row][batch.there[row]].tolist() == list(pair.source)
        assert batch.labels[row][batch.wanted[row]].tolist() == list(pair.target)
        assert batch.inputs[row][: len(pair.target)].tolist() == [1, *pair.target[:-1]]
    prefix = sample_prefix([len(pair.source) for pair in pairs], True, random.Random(seed))
    source, there = cut(batch, prefix)
    assert there.sum(1).tolist() == prefix and source.shape[1] == max(prefix)
    assert (source[~there] == 0).all()


@FEW
@given(st.lists(st.integers(2, 30), min_size=1, max_size=60), st.integers(16, 200), st.integers(0, 9))
def test_every_epoch_sees_every_pair_once(lengths: list, tokens: int, seed: int) -> None:
    order = Order(tuple(lengths), tokens, seed, random.Random)
    batches = order.epoch(seed)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= tokens for batch in batches)


@FEW
@given(PAIRS, st.integers(4, 12))
def test_what_is_kept_is_usable(pairs: list, longest: int) -> None:
    usable = [pair for pair in pairs if max(len(pair.source), len(pair.target)) <= longest]
    if usable:
        assert clean(pairs, longest) == (usable, len(pairs) - len(usable))


@FEW
@given(st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=5), st.integers(0, 9))
def test_padding_can_be_taken_off_again(rows: list, width: int) -> None:
    ids, there = padded(rows, 77, width)
    assert [ids[i][there[i]].tolist() for i in range(len(rows))] == rows
    assert ids.shape[1] == max(width, *map(len, rows)) and (ids[~there] == 77).all()


@FEW
@given(st.integers(0, 10_000))
def test_a_sentence_of_the_order_language_fits_its_alignment(seed: int) -> None:
    language = Language()
    one = sentence(language, random.Random(seed))
    source, target = one.pair.source, one.pair.target
    assert len(one.needed) == len(target) and max(one.needed) <= len(source) <= language.longest
    assert all(a != b for a, b in pairwise(source)) and max(target) < language.vocabulary
    grid = staircase(one.needed, len(source))
    assert all(not later or earlier <= later for row in grid for earlier, later in pairwise(row))
