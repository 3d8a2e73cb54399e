"""Training an n-gram scorer in torch: an EmbeddingBag over hashed character n-grams, fastText's two losses.

    h = (sum over n-grams g of E[bucket(g)]) / count**power        E (buckets, d)
    z = W h + b                                                    W (K, d);  d = 0: E itself has K columns, no W
    "ova":      sum over k of BCE(sigmoid(z_k), y_k)       y any subset of the outputs
    "softmax":  cross entropy of softmax(z)                y exactly one of them

SparseAdam on E and Adam on the rest, learning rate falling to 0 in a line. Without a hidden layer (our default) this
is logistic regression, which on COLD was as accurate as fastText's hidden layer and is half as slow. ``drop`` leaves
n-grams out at random, against learning single words by heart. Afterwards E W^T is folded to one table, rounded to half
precision, and calibrated on the texts held out for it. Randomness comes only from the passed generator.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from backends.mdfg.scorers.calibration import platt, temperature
from backends.mdfg.scorers.hashing import Grams, buckets_of
from backends.mdfg.scorers.ngram import Link, NgramScorer
from backends.mdfg.scorers.ngram_files import rounded
from workbench.contract import Json, UserError

Labels = NDArray[np.float32]
Report = Callable[[int, int, float], None]
"""Called with (step, steps, loss); may raise to end the training."""
FEWEST_TO_CALIBRATE = 100


@dataclass(frozen=True)
class Recipe:
    """How to train. Defaults are ours, chosen on COLD's own training split."""

    grams: Grams = field(default_factory=Grams)
    link: Link = "ova"
    dim: int = 0
    power: float = 0.5
    epochs: int = 3
    batch: int = 256
    learning_rate: float = 0.05
    drop: float = 0.0
    held_out: float = 0.1
    """Share of the texts that is kept for calibration."""


def labels_of(wanted: Sequence[Sequence[str]], outputs: Sequence[str]) -> Labels:
    """The 0/1 table (texts, outputs). Raises ``UserError`` for a label that is not an output."""
    column = {name: place for place, name in enumerate(outputs)}
    table = np.zeros((len(wanted), len(outputs)), dtype=np.float32)
    for row, names in enumerate(wanted):
        for name in names:
            if name not in column:
                raise UserError(f"Text {row + 1} has the label {name!r}; the labels are {', '.join(outputs)}.")
            table[row, column[name]] = 1.0
    return table


def train(name: str, texts: Sequence[str], labels: Labels, outputs: Sequence[str], recipe: Recipe,
          generator: random.Random, *, empty: Sequence[float] = (), weights: Sequence[float] = (),
          card: Mapping[str, Json] | None = None, report: Report | None = None) -> NgramScorer:
    """Train, fold, calibrate. ``empty`` are the probabilities of a text without content (zeros where not given);
    ``weights`` count a text more or less. Raises ``UserError`` for data that cannot be learned from."""
    _check(texts, labels, outputs, recipe)
    order = list(range(len(texts)))
    generator.shuffle(order)
    held = order[:round(len(order) * recipe.held_out)]
    known = order[len(held):]
    importance = np.asarray(weights, dtype=np.float32) if len(weights) else np.ones(len(texts), dtype=np.float32)
    table, bias = fit([texts[i] for i in known], labels[known], importance[known], recipe, generator, report)
    one, zero = np.ones(len(outputs)), np.zeros(len(outputs))
    blank = np.asarray(empty, dtype=np.float64) if len(empty) else zero
    scorer = rounded(NgramScorer(name, tuple(outputs), recipe.grams, table, bias, one, zero, blank, recipe.link,
                                 recipe.power, dict(card or {})))
    return calibrated(scorer, [texts[i] for i in held], labels[held])


def _check(texts: Sequence[str], labels: Labels, outputs: Sequence[str], recipe: Recipe) -> None:
    if labels.shape != (len(texts), len(outputs)):
        raise UserError(f"There are {len(texts)} texts and {len(outputs)} outputs, but labels of shape {labels.shape}.")
    if len(texts) < 2:
        raise UserError(f"There are {len(texts)} texts to learn from; at least two are needed.")
    if recipe.link == "softmax" and not np.array_equal(labels.sum(axis=1), np.ones(len(texts), dtype=np.float32)):
        raise UserError("softmax needs exactly one label for each text.", advice='Take the link "ova" instead.')
    counts = labels.sum(axis=0)
    bare = [name for name, count in zip(outputs, counts, strict=True) if count == 0]
    if bare:
        raise UserError(f"No text has the label {', '.join(bare)}.", advice="Add texts for it, or take the label out.")
    if len(outputs) == 1 and counts[0] == len(texts):
        raise UserError(f"Every text has the label {outputs[0]}; there is nothing to tell apart.",
                        advice="Add texts that do not have it.")


def fit(texts: Sequence[str], labels: Labels, importance: NDArray[np.float32], recipe: Recipe,
        generator: random.Random, report: Report | None) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """(table, bias) after training, folded."""
    model = Bag(recipe, labels.shape[1], torch.Generator().manual_seed(generator.getrandbits(62)))
    ids, ends = buckets_of(texts, recipe.grams)
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.SparseAdam(list(model.bag.parameters()), lr=recipe.learning_rate),
        torch.optim.Adam(model.rest(), lr=recipe.learning_rate)]
    total = recipe.epochs * -(-len(texts) // recipe.batch)
    for step, rows in enumerate(_order(len(texts), recipe, generator)):
        for optimizer in optimizers:
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * (1 - step / total)
        wanted, weight = torch.from_numpy(labels[rows]), torch.from_numpy(importance[rows])
        loss = (_loss(model(*model.gather(ids, ends, rows)), wanted, recipe.link) * weight).sum() / weight.sum()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        if report is not None:
            report(step + 1, total, float(loss.detach()))
    return model.folded()


def _order(count: int, recipe: Recipe, generator: random.Random) -> Iterator[NDArray[np.int64]]:
    for _ in range(recipe.epochs):
        rows = list(range(count))
        generator.shuffle(rows)
        for begin in range(0, count, recipe.batch):
            yield np.array(rows[begin:begin + recipe.batch])


def _loss(logits: torch.Tensor, wanted: torch.Tensor, link: Link) -> torch.Tensor:
    if link == "softmax":
        return functional.cross_entropy(logits, wanted.argmax(dim=1), reduction="none")
    return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(dim=1)


class Bag(nn.Module):  # type: ignore[misc]
    """The network while it is trained."""

    def __init__(self, recipe: Recipe, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.recipe, self.generator = recipe, generator
        self.bag = nn.EmbeddingBag(recipe.grams.buckets, recipe.dim or outputs, mode="sum", sparse=True)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.head = nn.Parameter(torch.zeros(outputs, recipe.dim)) if recipe.dim else None
        with torch.no_grad():
            self.bag.weight.zero_()
            if self.head is not None:
                self.bag.weight.uniform_(-1 / recipe.dim, 1 / recipe.dim, generator=generator)
                self.head.normal_(0.0, 0.1, generator=generator)

    def rest(self) -> list[nn.Parameter]:
        """The parameters that are not sparse."""
        return [self.bias] if self.head is None else [self.bias, self.head]

    def gather(self, ids: NDArray[np.int64], ends: NDArray[np.int64],
               rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(buckets, where each text's begin, weight of each n-gram) of some texts."""
        parts = [ids[ends[row]:ends[row + 1]] for row in rows]
        sizes = np.array([len(part) for part in parts])
        weights = np.repeat(1.0 / np.maximum(sizes, 1) ** self.recipe.power, sizes).astype(np.float32)
        starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)[:-1]])
        held = torch.from_numpy(weights)
        if self.recipe.drop:
            kept = torch.rand(len(held), generator=self.generator) >= self.recipe.drop
            held = held * kept / (1 - self.recipe.drop)
        return torch.from_numpy(np.concatenate(parts)), torch.from_numpy(starts), held

    def forward(self, ids: torch.Tensor, starts: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Logits (texts, outputs)."""
        hidden: torch.Tensor = self.bag(ids, starts, per_sample_weights=weights)
        return hidden + self.bias if self.head is None else hidden @ self.head.T + self.bias

    def folded(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """The one table and the bias that say the same."""
        with torch.no_grad():
            table = self.bag.weight if self.head is None else self.bag.weight @ self.head.T
            return np.ascontiguousarray(table.numpy(), dtype=np.float32), self.bias.numpy().astype(np.float64)


def calibrated(scorer: NgramScorer, texts: Sequence[str], labels: Labels) -> NgramScorer:
    """The scorer with ``scale`` and ``shift`` fitted on held-out texts; an output with fewer than 100 of them, or with
    one class only, keeps what it had."""
    if len(texts) < FEWEST_TO_CALIBRATE:
        return scorer
    logits, bare = scorer.logits(texts)
    logits, labels = logits[~bare], labels[~bare]
    scale, shift = scorer.scale.copy(), scorer.shift.copy()
    if scorer.link == "softmax":
        scale[:] = 1 / temperature(logits, labels.argmax(axis=1))
        return replace(scorer, scale=scale)
    for place in range(len(scorer.outputs)):
        truth = labels[:, place] > 0.5
        if truth.any() and not truth.all():
            a, b = platt(logits[:, place], truth)
            if a > 0:
                scale[place], shift[place] = a, b
    return replace(scorer, scale=scale, shift=shift)


