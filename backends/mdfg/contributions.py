"""What in a text pushed a score: the sum of a linear scorer, given back to the characters that it was made of.

    n-grams    z = base + sum over n-grams g of w_g        base = scale_k b_k + shift_k,
               w_g = scale_k table[bucket(g), k] / count**power;   p = sigmoid(z)
    keywords   bits = sum over the different keywords found of 1/4;   p = 1 - 2**-bits

Each w_g is shared equally by the characters of its n-gram, so the shares of all characters and the base add up to z
exactly. Where exactly one output is right (softmax), w_g is taken less its mean over the outputs: what speaks for this
one rather than for any. White space that the scorer joins counts for its last character. A number here says what the
model summed, not why a person would agree with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.domain import REST
from backends.mdfg.scorers.base import Scorer
from backends.mdfg.scorers.keywords import HALF, KeywordScorer
from backends.mdfg.scorers.ngram import NgramScorer
from workbench.contract import UserError

LONGEST = 20_000
"""Characters of a text that is explained (our default): the answer must come at once."""
MOST_PARTS = 12
SPACES = frozenset(" \t\n\r\x0b\x0c\xa0\u3000\ufeff\u200b")
"""What the n-gram scorers read as white space (see :mod:`backends.mdfg.scorers.hashing`)."""


@dataclass(frozen=True)
class Part:
    """An n-gram or a keyword, how often it occurs, and what all its occurrences add to the sum."""

    text: str
    times: int
    push: float


@dataclass(frozen=True)
class Explained:
    """``shares[i]`` is what character i adds; ``base`` is there without any text; ``total`` = base + sum of shares.

    ``unit`` says what is added up: ``logit`` or ``bits``. ``parts`` are the strongest, those that push up or down."""

    output: str
    score: float
    base: float
    total: float
    unit: str
    shares: tuple[float, ...]
    parts: tuple[Part, ...]


def explain(scorer: Scorer, text: str, output: str) -> Explained | None:
    """What pushed one output of a scorer for one text; ``None`` for a scorer that is not a sum (BERTEval).

    Raises ``UserError`` for an output that it has not, or a text of more than :data:`LONGEST` characters."""
    if output not in scorer.outputs:
        raise UserError(f"The scorer {scorer.name} has no output {output!r}; it has {', '.join(scorer.outputs)}.")
    if len(text) > LONGEST:
        raise UserError(f"The text has {len(text):,} characters; at most {LONGEST:,} are explained.",
                        advice="Take a part of it.")
    if isinstance(scorer, NgramScorer):
        return _ngrams(scorer, text, scorer.outputs.index(output))
    if isinstance(scorer, KeywordScorer):
        return _keywords(scorer, text, output)
    return None


def plain_places(text: str) -> list[int]:
    """For each character that the n-gram scorers read, its place in the text: a run of white space is one character
    (the last of the run), and there is none at the ends."""
    places: list[int] = []
    space = -1
    for place, character in enumerate(text):
        if character in SPACES:
            space = place if places else -1
            continue
        if space >= 0:
            places.append(space)
            space = -1
        places.append(place)
    return places


def _ngrams(scorer: NgramScorer, text: str, output: int) -> Explained:
    from backends.mdfg.scorers.hashing import buckets_of

    read = text[:scorer.grams.chars] if scorer.grams.chars else text
    places = np.array(plain_places(read), dtype=np.int64)
    begins, orders = _spans(len(places), scorer.grams.low, scorer.grams.high)
    found, _ = buckets_of([read], scorer.grams)
    rows = scorer.table[found].astype(np.float64)
    weights = rows[:, output] * scorer.scale[output]
    base = float(scorer.bias[output] * scorer.scale[output] + scorer.shift[output])
    if scorer.link == "softmax":
        weights = weights - (rows * scorer.scale).mean(axis=1)
        base -= float((scorer.bias * scorer.scale + scorer.shift).mean())
    weights = weights / max(1, len(found)) ** scorer.power
    shares = np.zeros(len(text))
    if len(found):
        steps = np.zeros(len(places) + 1)
        np.add.at(steps, begins, weights / orders)
        np.add.at(steps, begins + orders, -weights / orders)
        shares[places] = np.cumsum(steps)[:-1]
    score = float(scorer.score([text])[0, output])
    parts = strongest(_summed([read[places[b]:places[b + n - 1] + 1] for b, n in zip(begins, orders, strict=True)],
                              weights))
    return Explained(scorer.outputs[output], score, base, base + float(weights.sum()), "logit",
                     tuple(shares.tolist()), parts)


def _spans(size: int, low: int, high: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(begin, length) of every n-gram, in the order in which they are hashed."""
    orders = np.arange(low, high + 1)
    rows, columns = np.nonzero(np.arange(size)[:, None] + orders[None, :] <= size)
    return rows.astype(np.int64), orders[columns].astype(np.int64)


def _summed(grams: Sequence[str], weights: NDArray[Any]) -> list[Part]:
    sums: dict[str, tuple[int, float]] = {}
    for gram, weight in zip(grams, weights.tolist(), strict=True):
        times, push = sums.get(gram, (0, 0.0))
        sums[gram] = (times + 1, push + weight)
    return [Part(gram, times, push) for gram, (times, push) in sums.items()]


def strongest(parts: Sequence[Part], most: int = MOST_PARTS) -> tuple[Part, ...]:
    """The parts that push hardest, either way; one that lies inside a stronger one of the same sign is left out."""
    kept: list[Part] = []
    for part in sorted(parts, key=lambda p: (-abs(p.push), -len(p.text), p.text)):
        if len(kept) == most or not part.push:
            break
        if part.text.strip() and not any((part.text in other.text or other.text in part.text)
                                         and (part.push > 0) == (other.push > 0) for other in kept):
            kept.append(part)
    return tuple(kept)


def _keywords(scorer: KeywordScorer, text: str, output: str) -> Explained:
    score = float(scorer.score([text])[0, scorer.outputs.index(output)])
    shares = [0.0] * len(text)
    parts: list[Part] = []
    low = text.lower()
    if len(low) != len(text):  # a few letters grow when they are lowered; then places would be wrong
        low = "".join(lowered if len(lowered := one.lower()) == 1 else one for one in text)
    for word in () if output == REST else dict.fromkeys(word.lower() for word in scorer.keywords[output]):
        begins = _places(low, word)
        for begin in begins:
            for place in range(begin, begin + len(word)):
                shares[place] += 1 / HALF / len(begins) / len(word)
        if begins:
            parts.append(Part(word, len(begins), 1 / HALF))
    total = len(parts) / HALF
    ordered = tuple(sorted(parts, key=lambda p: (-p.times, p.text)))
    return Explained(output, score, 0.0, total, "bits", tuple(shares), ordered)


def _places(text: str, word: str) -> list[int]:
    found, place = [], text.find(word)
    while place >= 0:
        found.append(place)
        place = text.find(word, place + 1)
    return found
