"""The order of examples, the mix of sources, padding and the learning rate."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import pytest
import torch

from backends.common.training.batches import IGNORED, Order, collate, micro_batches, shares
from backends.common.training.examples import CONTEXT, END, GIVEN, HEAD, TEXT, Example
from backends.common.training.schedule import warm_cosine
from tests.backends.training_cases import examples, tokenizer_of
from workbench.contract import UserError


def example(size: int, name: str = "e") -> Example:
    return Example(name, tuple(range(1, size + 1)), (CONTEXT,) * (size - 2) + (TEXT, END), 1)


@pytest.mark.parametrize(("sizes", "weights", "expected"), [
    ((5, 3), (), [5, 3]),
    ((5, 3), (1.0, 1.0), [4, 4]),
    ((5, 3), (3.0, 1.0), [6, 2]),
    ((10, 10, 10), (1.0, 2.0, 3.0), [5, 10, 15]),
    ((4, 4, 3), (1.0, 1.0, 1.0), [4, 4, 3]),
    ((4, 0), (1.0, 0.0), [4, 0]),
])
def test_weights_split_an_epoch_of_the_same_size(sizes, weights, expected) -> None:
    assert shares(sizes, weights) == expected
    assert sum(shares(sizes, weights)) == sum(sizes)


@pytest.mark.parametrize(("sizes", "weights", "words"), [
    ((5, 3), (1.0,), "2 data sources and 1 weights"), ((5,), (-1.0,), "negative"), ((5, 3), (0.0, 0.0), "above 0"),
    ((5, 0), (1.0, 1.0), "no example"),
])
def test_weights_that_make_no_sense_are_refused(sizes, weights, words) -> None:
    with pytest.raises(UserError, match=words):
        shares(sizes, weights)


def order(sizes=(7, 4), weights=(), batch=3, seed=1) -> Order:
    return Order(tuple(sizes), tuple(weights), batch, seed, random.Random)


def test_every_epoch_has_every_example_once_in_another_order() -> None:
    o = order()
    everything = sorted((s, i) for s, size in enumerate((7, 4)) for i in range(size))
    assert sorted(o.epoch(0)) == everything and sorted(o.epoch(1)) == everything
    assert o.epoch(0) != o.epoch(1)
    assert o.epoch(0) == order().epoch(0) != order(seed=2).epoch(0)


def test_a_step_is_a_function_of_its_number() -> None:
    o = order()
    assert o.steps == 4
    first = [pair for step in range(o.steps) for pair in o.at(step)]
    assert first == o.epoch(0) and len(o.at(3)) == 2, "the last step of an epoch takes what is left"
    assert o.at(4) == o.epoch(1)[:3]


def test_a_source_that_must_give_more_than_it_has_is_gone_through_evenly() -> None:
    counts = Counter(order((6, 2), (1.0, 1.0)).epoch(0))
    assert [counts[(1, i)] for i in range(2)] == [2, 2]
    assert sorted(counts[(0, i)] for i in range(6)) == [0, 0, 1, 1, 1, 1]
    uneven = Counter(order((6, 3), (1.0, 2.0)).epoch(0))
    assert {uneven[(1, i)] for i in range(3)} == {2}


def test_over_many_steps_the_mix_has_the_weights() -> None:
    o = order((30, 30, 30), (6.0, 3.0, 1.0), batch=9)
    seen = Counter(source for step in range(o.steps * 10) for source, _ in o.at(step))
    assert [seen[s] / sum(seen.values()) for s in range(3)] == pytest.approx([0.6, 0.3, 0.1])


def test_collate_shifts_labels_and_masks_everything_else(tiny_lm: Path) -> None:
    tokenizer = tokenizer_of(tiny_lm)
    rows = examples(tokenizer, 3)
    batch = collate(rows, tokenizer.pad_token_id)
    assert batch.ids.shape == batch.mask.shape == batch.labels.shape == batch.kinds.shape
    for row, e in enumerate(rows):
        size = len(e.ids)
        assert batch.ids[row, :size].tolist() == list(e.ids)
        assert batch.mask[row].sum() == size and batch.mask[row, :size].all()
        learned = batch.labels[row] != IGNORED
        assert int(learned.sum()) == e.learned
        places = learned.nonzero()[:, 0].tolist()
        assert [e.ids[p + 1] for p in places] == batch.labels[row][places].tolist()
        assert all(e.kinds[p + 1] in (HEAD, TEXT, END) for p in places)
        assert (batch.labels[row, size - 1:] == IGNORED).all(), "padding and what follows the end teach nothing"


def test_a_given_head_and_the_first_token_are_never_labels() -> None:
    e = Example("e", (5, 6, 7, 8), (GIVEN, GIVEN, TEXT, END), 1)
    assert collate([e], 0).labels.tolist() == [[IGNORED, 7, 8, IGNORED]]


@pytest.mark.parametrize("tokens", [1, 10, 25, 1000])
def test_micro_batches_hold_what_they_may_and_lose_nothing(tokens: int) -> None:
    rows = [example(size, str(n)) for n, size in enumerate((5, 9, 3, 9, 4, 12))]
    groups = micro_batches(rows, tokens)
    assert sorted(e.name for g in groups for e in g) == [str(n) for n in range(6)]
    assert all(len(g) == 1 or max(len(e.ids) for e in g) * len(g) <= tokens for g in groups)
    assert micro_batches(list(reversed(rows)), tokens) == groups, "the order they come in does not matter"


def test_batches_move_to_a_device() -> None:
    batch = collate([example(4)], 0).to("meta")
    assert {t.device.type for t in (batch.ids, batch.mask, batch.labels, batch.kinds)} == {"meta"}
    assert isinstance(batch.ids, torch.Tensor)


@pytest.mark.parametrize(("step", "total", "warmup", "floor", "expected"), [
    (0, 100, 0.1, 0.0, 0.1), (9, 100, 0.1, 0.0, 1.0), (10, 100, 0.1, 0.0, 1.0),
    (55, 100, 0.1, 0.0, 0.5), (100, 100, 0.1, 0.0, 0.0), (100, 100, 0.1, 0.2, 0.2), (55, 100, 0.1, 0.2, 0.6),
    (0, 10, 0.0, 0.0, 1.0), (5, 10, 0.0, 0.0, 0.5), (0, 1, 1.0, 0.0, 1.0), (0, 3, 0.03, 0.0, 1.0),
])
def test_the_learning_rate_warms_up_and_falls_on_a_cosine(step, total, warmup, floor, expected) -> None:
    assert warm_cosine(step, total, warmup, floor) == pytest.approx(expected)


def test_the_learning_rate_is_never_zero_before_the_end_and_never_above_one() -> None:
    values = [warm_cosine(step, 37, 0.2) for step in range(37)]
    assert all(0 < value <= 1 for value in values)
    top = values.index(max(values))
    assert values[:top + 1] == sorted(values[:top + 1]) and values[top:] == sorted(values[top:], reverse=True)
    assert values[-1] < 0.01 and math.isclose(max(values), 1.0)
