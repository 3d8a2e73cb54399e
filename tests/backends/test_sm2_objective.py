"""The loss: closed form of the confidence, log space, padding, prefix sampling, the four objectives."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
import torch

from backends.sm2.data import Batch, Order, Pair, clean, collate
from backends.sm2.objective import (
    Objective,
    Weights,
    best_confidence,
    confidence_loss,
    cut,
    floor,
    modified,
    sample_prefix,
    smoothed,
)
from backends.sm2.reproduce import floor_claim
from tests.backends.sm2_cases import batch_of, pair, small
from workbench.contract import UserError


def test_the_learned_confidence_is_its_closed_form() -> None:
    """Pitfall 2: mixing with the one-hot label instead of the full pass has another optimum."""
    claim = floor_claim()
    assert claim.holds and claim.value < 1e-3
    assert floor(0.1) == pytest.approx(0.0909, abs=1e-4)
    one_hot = best_confidence(0.3, 1.0, 0.1)
    assert abs(one_hot - best_confidence(0.3, 0.9, 0.1)) > 1e-3


@pytest.mark.parametrize(
    ("p", "q", "expected"),
    [(0.0, 0.9, 0.0909), (0.9, 0.9, 1.0), (0.95, 0.9, 1.0), (0.82, 0.9, 1.0), (0.45, 0.9, 0.1818)],
)
def test_where_the_confidence_ends(p: float, q: float, expected: float) -> None:
    assert best_confidence(p, q, 0.1) == pytest.approx(expected, abs=1e-4)


def test_confidence_rises_to_one_at_the_ratio_of_the_spec() -> None:
    alpha, q = 0.1, 0.8
    assert best_confidence(q / (1 + alpha) + 1e-9, q, alpha) == 1.0
    assert best_confidence(q / (1 + alpha) - 1e-3, q, alpha) < 1.0


def test_the_mixture_is_the_mixture() -> None:
    generator = torch.Generator().manual_seed(0)
    prefix, full = (torch.randn(2, 3, 5, generator=generator).log_softmax(-1) for _ in range(2))
    z = torch.randn(2, 3, generator=generator)
    c = z.sigmoid()[..., None]
    assert torch.allclose(modified(prefix, full, z).exp(), c * prefix.exp() + (1 - c) * full.exp(), atol=1e-6)


@pytest.mark.parametrize("z", [-1e4, -200.0, 0.0, 200.0, 1e4])
def test_extreme_confidences_are_finite_with_gradients(z: float) -> None:
    """Pitfall 3: c of exactly 0 or 1."""
    value = torch.full((1, 1), z, requires_grad=True)
    prefix, full = torch.tensor([[[-50.0, -1e-9]]]), torch.tensor([[[-1e-9, -50.0]]])
    loss = -modified(prefix, full, value).sum() + confidence_loss(value, torch.ones(1, 1, dtype=torch.bool))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(value.grad).all()


@pytest.mark.parametrize("kind", ["sm2", "offline", "prefix", "multipath"])
def test_more_padding_does_not_change_the_loss(kind: str) -> None:
    """Pitfall 3: the authors' code counts the confidence of pads."""
    model = small(causal_encoder=kind == "multipath")
    objective = Objective(model, kind)
    prefix = [2, 3, 4, 5, 6, 7]
    one, two = objective(batch_of(), prefix), objective(batch_of(wider=9), prefix)
    assert torch.allclose(one, two, rtol=1e-4), (one, two)
    assert float(one[5]) == int(batch_of().wanted.sum())


def test_the_loss_is_its_three_parts() -> None:
    model, batch = small(), batch_of()
    objective = Objective(model, "sm2", Weights(alpha=0.3, smoothing=0.1))
    prefix = [4] * 6
    full = model.decode(batch.inputs, model.encode(batch.source, batch.there), batch.there).logits.log_softmax(-1)
    source, there = cut(batch, prefix)
    states = model.decode(batch.inputs, model.encode(source, there), there)
    mixed = torch.log(
        states.confidence.sigmoid()[..., None] * states.logits.softmax(-1)
        + (1 - states.confidence.sigmoid()[..., None]) * full.exp()
    )
    parts = [smoothed(part, batch.labels, batch.wanted, 0.1)[0] for part in (full, mixed)]
    third = -(states.confidence.sigmoid().log() * batch.wanted).sum()
    assert torch.allclose(objective(batch, prefix)[0], parts[0] + parts[1] + 0.3 * third, rtol=1e-5)


def test_smoothing_is_fairseqs() -> None:
    log_p = torch.tensor([[[0.5, 0.3, 0.2]]]).log()
    loss, nll = smoothed(log_p, torch.tensor([[0]]), torch.ones(1, 1, dtype=torch.bool), 0.1)
    share = 0.1 / 2
    assert float(loss) == pytest.approx(
        (1 - 0.1 - share) * -math.log(0.5) + share * -sum(map(math.log, (0.5, 0.3, 0.2))), rel=1e-5
    )
    assert float(nll) == pytest.approx(-math.log(0.5), rel=1e-5)


def test_padding_with_infinite_logits_does_not_reach_the_loss() -> None:
    log_p = torch.tensor([[[-0.1, -2.0], [-torch.inf, -torch.inf]]])
    loss, _ = smoothed(log_p, torch.tensor([[0, 0]]), torch.tensor([[True, False]]), 0.0)
    assert float(confidence_loss(torch.tensor([[0.0, -torch.inf]]), torch.tensor([[True, False]]))) == pytest.approx(
        math.log(2)
    )
    assert float(loss) == pytest.approx(0.1)


@pytest.mark.parametrize("detach", [True, False])
def test_detaching_keeps_the_mixture_from_training_the_full_pass(detach: bool) -> None:
    model, batch = small(), batch_of(2)
    objective = Objective(model, "sm2", Weights(alpha=0.1, detach_omt=detach))
    full = model.decode(batch.inputs, model.encode(batch.source, batch.there), batch.there)
    target = full.logits.log_softmax(-1)
    target.retain_grad()
    prefix = torch.randn_like(target).log_softmax(-1)
    mixed = modified(prefix, target.detach() if detach else target, torch.zeros(target.shape[:2]))
    smoothed(mixed, batch.labels, batch.wanted, 0.1)[0].backward() if mixed.requires_grad else None
    assert (target.grad is None) is detach
    assert torch.isfinite(objective(batch, [2, 2])).all()


def test_prefix_lengths_are_uniform_on_one_to_the_shortest() -> None:
    """Pitfall 7: sampled anew for each batch, never the longest only."""
    generator, lengths = random.Random(0), [6, 9, 12]
    drawn = Counter(sample_prefix(lengths, False, generator)[0] for _ in range(6000))
    assert set(drawn) == set(range(1, 7)) and all(850 < n < 1150 for n in drawn.values())
    assert all(len(set(sample_prefix(lengths, False, generator))) == 1 for _ in range(50))


def test_prefix_lengths_of_sentences_are_uniform_on_their_own_length() -> None:
    generator = random.Random(0)
    drawn = [sample_prefix([3, 9], True, generator) for _ in range(9000)]
    for column, length in ((0, 3), (1, 9)):
        counts = Counter(row[column] for row in drawn)
        assert set(counts) == set(range(1, length + 1))
        assert all(abs(n - 9000 / length) < 0.15 * 9000 / length for n in counts.values())
    with pytest.raises(UserError, match="must have a token"):
        sample_prefix([0], True, generator)


def test_a_prefix_is_cut_out_and_not_masked_over() -> None:
    batch = batch_of(3)
    source, there = cut(batch, [2, 4, 1])
    assert source.shape == (3, 4) and there.sum(1).tolist() == [2, 4, 1]
    assert (source[~there] == 0).all() and torch.equal(source[1, :4], batch.source[1, :4])


def test_wait_k_paths_see_k_plus_i_minus_one() -> None:
    model, batch = small(causal_encoder=True), batch_of(2)
    objective = Objective(model, "multipath")
    changed = Batch(batch.source.clone(), batch.there, batch.inputs, batch.labels, batch.wanted)
    changed.source[:, 5:] = 8
    wanted = torch.zeros_like(batch.wanted)
    wanted[:, :3] = True
    early = [Batch(b.source, b.there, b.inputs, b.labels, wanted) for b in (batch, changed)]
    assert torch.equal(*(objective(b, [3, 3]) for b in early)), "positions 1 to 3 see 3, 4, 5 tokens"
    assert not torch.equal(*(objective(b, [4, 4]) for b in early)), "the third now sees the sixth"


@pytest.mark.parametrize(("kind", "words"), [("multipath", "looks both ways"), ("sm3", "objective named 'sm3'")])
def test_objectives_that_cannot_be(kind: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Objective(small(), kind)


def test_batches_hold_every_pair_once_and_repeat_with_the_seed() -> None:
    lengths = tuple(random.Random(1).randint(3, 30) for _ in range(500))
    order = Order(lengths, 200, 5, random.Random)
    epoch = order.epoch(0)
    assert sorted(i for batch in epoch for i in batch) == list(range(500))
    assert all(max(lengths[i] for i in b) * len(b) <= 200 for b in epoch)
    assert (
        order.epoch(0) == epoch and order.epoch(1) != epoch and Order(lengths, 200, 6, random.Random).epoch(0) != epoch
    )
    waste = sum(max(lengths[i] for i in b) * len(b) for b in epoch) / sum(lengths)
    assert waste < 1.25, "like lengths stand together"
    assert Order((500, 3), 100, 0, random.Random).epoch(0) in ([[0], [1]], [[1], [0]]), "a long one stands alone"


def test_pairs_that_cannot_be_used_are_left_out() -> None:
    kept, left = clean([pair(3, 3), pair(1, 3), pair(3, 1), pair(30, 3)], 10)
    assert len(kept) == 1 and left == 3
    with pytest.raises(UserError, match="None of the 1 sentence pairs"):
        clean([pair(1, 1)], 10)


def test_inputs_are_labels_one_later() -> None:
    batch = collate([Pair((5, 6, 2), (7, 8, 9, 2)), Pair((5, 2), (7, 2))], 0, 1)
    assert batch.inputs.tolist() == [[1, 7, 8, 9], [1, 7, 0, 0]] and batch.labels.tolist() == [
        [7, 8, 9, 2],
        [7, 2, 0, 0],
    ]
    assert batch.wanted.sum(1).tolist() == [4, 2] and batch.there.tolist() == [[True] * 3, [True, True, False]]
