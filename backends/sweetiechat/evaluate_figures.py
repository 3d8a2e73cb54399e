"""From predictions to figures, each with an interval over dialogues; and the differences of two systems, paired.

A :class:`Measure` keeps one row of counts a dialogue and a function of their sum, so that figures and paired
differences come from the same rows. Distinct is no function of such sums: a dialogue that is drawn twice repeats all
its own n-grams, and every bootstrap draw would lie below the corpus. Its interval is value +- 1.96 SE by the jackknife:

    SE^2 = (n - 1) / n * sum over dialogues i of (D without i - mean of those)^2
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.evaluate_requests import Figure, StrategyUse
from backends.sweetiechat.evaluate_turns import Prediction
from backends.sweetiechat.metrics.intervals import Interval, bootstrap_sums, mean_of_sums, paired_sums
from backends.sweetiechat.metrics.preference import preference_bias
from backends.sweetiechat.metrics.strategy import accuracy, agreement, macro_f1, table, weighted_f1
from backends.sweetiechat.metrics.text import bleu_of_rows, bleu_rows, corpus, ngrams, rouge_l_each
from backends.sweetiechat.metrics.tokens import Tokenizer, Tokens
from backends.sweetiechat.metrics.usage import jensen_shannon

Array = NDArray[np.float64]
ORDERS, BLEUS = (1, 2, 3), (1, 2, 4)
NORMAL = 1.96
JACKKNIFE = "interval by the jackknife over dialogues"
FIRST = 3


@dataclass(frozen=True)
class Measure:
    """``rows[i]`` holds the counts of dialogue i; ``statistic`` turns their sum into the figure."""

    name: str
    unit: str
    rows: Array
    statistic: Callable[[Array], float]
    items: int
    tokenizer: str = ""


def by_dialogue(predictions: Sequence[Prediction]) -> list[list[Prediction]]:
    """The turns of each dialogue together; dialogues in the order of their ids."""
    ordered = sorted(predictions, key=lambda p: (p.dialogue, p.turn))
    return [list(group) for _, group in groupby(ordered, key=lambda p: p.dialogue)]


def measures(groups: Sequence[Sequence[Prediction]], declared: Sequence[str], cut: Tokenizer) -> list[Measure]:
    """Everything that adds up over dialogues."""
    return [*_strategies(groups, declared), *_texts(groups, cut), *_likelihood(groups)]


def _strategies(groups: Sequence[Sequence[Prediction]], declared: Sequence[str]) -> list[Measure]:
    if not any(p.said for group in groups for p in group):
        return []
    tables = np.stack([table([p.gold for p in g], [p.said for p in g], declared) for g in groups]).astype(float)
    turns = sum(map(len, groups))
    found = [Measure(name, unit, tables, statistic, turns) for name, unit, statistic in (
        ("strategy-accuracy", "share", accuracy), ("strategy-macro-f1", "share", macro_f1),
        ("strategy-weighted-f1", "share", weighted_f1), ("preference-bias", "points", preference_bias),
        ("strategy-js-to-real", "bits", _divergence))]
    ranked = [[p for p in group if p.rank] for group in groups]
    if any(ranked):
        rows = np.array([[sum(p.rank <= FIRST for p in group), len(group)] for group in ranked], dtype=float)
        found.append(Measure("strategy-in-first-3", "share", rows, mean_of_sums, sum(map(len, ranked))))
    return found


def _divergence(w: Array) -> float:
    said, gold = (dict(enumerate(np.asarray(w).sum(axis=axis).tolist())) for axis in (1, 0))
    return jensen_shannon({str(k): v for k, v in said.items()}, {str(k): v for k, v in gold.items()})


def _texts(groups: Sequence[Sequence[Prediction]], cut: Tokenizer) -> list[Measure]:
    flat = [p for group in groups for p in group]
    texts = corpus([p.response for p in flat], [p.reference for p in flat], cut)
    starts = np.cumsum([0, *map(len, groups)][:-1])

    def summed(rows: Sequence[Sequence[float]] | Array) -> Array:
        return np.add.reduceat(np.asarray(rows, dtype=float), starts, axis=0)

    found = [Measure(f"bleu-{n}", "percent", summed(bleu_rows(texts, n)), bleu_of_rows, len(flat), cut.name)
             for n in BLEUS]
    for beta in (1.2, 1.0):
        each = [(100 * score, 1.0) for score in rouge_l_each(texts, beta)]
        found.append(Measure(f"rouge-l-beta-{beta:g}", "percent", summed(each), mean_of_sums, len(flat), cut.name))
    for name, tokens in (("length-reply", texts.hypotheses), ("length-real", [r[0] for r in texts.references])):
        sizes = [(float(len(t)), 1.0) for t in tokens]
        found.append(Measure(name, "tokens", summed(sizes), mean_of_sums, len(flat), cut.name))
    return found


def _likelihood(groups: Sequence[Sequence[Prediction]]) -> list[Measure]:
    rows = np.array([[sum(p.nll for p in g), sum(p.nll_tokens for p in g)] for g in groups], dtype=float)
    if not rows[:, 1].sum():
        return []
    return [Measure("perplexity-of-real-reply", "perplexity", rows, _perplexity, sum(map(len, groups)),
                    "the model's own tokens")]


def _perplexity(total: Array) -> float:
    return math.exp(min(700.0, total[0] / total[1])) if total[1] else math.nan


def figures(predictions: Sequence[Prediction], declared: Sequence[str], cut: Tokenizer, seed: int,
            resamples: int) -> tuple[Figure, ...]:
    """Every figure; strategies first, then Distinct, then the words beside the real ones."""
    groups = by_dialogue(predictions)
    found = [_figure(m, bootstrap_sums(m.rows, m.statistic, random.Random(seed), resamples))
             for m in measures(groups, declared, cut)]
    strategies = [f for f in found if f.name.startswith(("strategy", "preference"))]
    return (*strategies, *distinct_figures(groups, cut), *(f for f in found if f not in strategies))


def _figure(measure: Measure, interval: Interval) -> Figure:
    return Figure(measure.name, interval.value, interval.low, interval.high, measure.unit, measure.items,
                  measure.tokenizer, interval.notes)


def differences(first: Sequence[Prediction], second: Sequence[Prediction], declared: Sequence[str], cut: Tokenizer,
                seed: int, resamples: int) -> tuple[Figure, ...]:
    """second - first of every figure that both have, on the same turns (paired by dialogue)."""
    ours, theirs = by_dialogue(first), by_dialogue(second)
    other = {m.name: m for m in measures(theirs, declared, cut)}
    found = [_figure(m, paired_sums(m.rows, other[m.name].rows, m.statistic, random.Random(seed), resamples))
             for m in measures(ours, declared, cut) if m.name in other]
    return (*found, *_distinct_differences(ours, theirs, cut))


def _grams(groups: Sequence[Sequence[Prediction]], cut: Tokenizer, n: int, compat: bool) -> list[list[Tokens]]:
    return [[gram for p in group for gram in ngrams(cut(p.response)[:-1] if compat else cut(p.response), n)]
            for group in groups]


def leave_one_out(grams: Sequence[Sequence[Tokens]]) -> tuple[float, Array]:
    """Distinct x 100 of all dialogues, and without each one of them."""
    total: Counter[Tokens] = Counter()
    for one in grams:
        total.update(one)
    size, kinds, without = total.total(), len(total), []
    for one in grams:
        own = Counter(one)
        gone = sum(count == total[gram] for gram, count in own.items())
        without.append(100 * (kinds - gone) / max(size - own.total(), 1))
    return 100 * kinds / max(size, 1), np.array(without)


def jackknife(value: float, without: Array, least: float = -math.inf,
              most: float = math.inf) -> tuple[float | None, float | None]:
    """value +- 1.96 SE, cut at what the figure can be; nothing for fewer than two dialogues."""
    count = len(without)
    if count < 2:
        return None, None
    spread = NORMAL * math.sqrt((count - 1) / count * float(((without - without.mean()) ** 2).sum()))
    return max(least, value - spread), min(most, value + spread)


def distinct_figures(groups: Sequence[Sequence[Prediction]], cut: Tokenizer) -> list[Figure]:
    """Distinct-1..3 of the replies, correct and as ESConv's released code computes it."""
    items, found = sum(map(len, groups)), []
    for compat in (False, True):
        for n in ORDERS:
            value, without = leave_one_out(_grams(groups, cut, n, compat))
            found.append(Figure(f"distinct-{n}{'-esconv' if compat else ''}", value,
                                *jackknife(value, without, 0.0, 100.0), "percent", items, cut.name, (JACKKNIFE,)))
    return found


def _distinct_differences(first: Sequence[Sequence[Prediction]], second: Sequence[Sequence[Prediction]],
                          cut: Tokenizer) -> list[Figure]:
    found, items = [], sum(map(len, first))
    for compat in (False, True):
        for n in ORDERS:
            (a, lost_a), (b, lost_b) = (leave_one_out(_grams(groups, cut, n, compat)) for groups in (first, second))
            found.append(Figure(f"distinct-{n}{'-esconv' if compat else ''}", b - a, *jackknife(b - a, lost_b - lost_a),
                                "percent", items, cut.name, (JACKKNIFE,)))
    return found


def strategy_uses(predictions: Sequence[Prediction],
                  declared: Sequence[str]) -> tuple[tuple[StrategyUse, ...], tuple[str, ...]]:
    """Every strategy with its counts, F1 and preference, and what to beware of; nothing without strategies."""
    if not any(p.said for p in predictions):
        return (), ("the agent was trained without strategies: there are no figures about them",)
    made = agreement([p.gold for p in predictions], [p.said for p in predictions], declared)
    return tuple(StrategyUse(s.key, s.gold, s.predicted, s.f1, s.preference) for s in made.strategies), made.warnings
