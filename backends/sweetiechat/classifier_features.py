"""What a linear classifier reads: words of the last turns, and which strategies came before. No torch, no scikit-learn.

A case is a supporter turn with all that was said before it. Features of ``history`` (what should come next):

* ``now`` words and word pairs of the last seeker turn; ``before`` of the supporter turn before; ``past`` words of the
  two seeker turns before that: term frequency 1 + log(n), times idf = 1 + log((1 + cases) / (1 + df)), each field
  scaled to its length of ``WEIGHTS``;
* ``last1``, ``last2``, ``last3`` the three latest strategies, ``used`` 0.3 log(1 + count) of each strategy so far;
* ``place`` how many supporter turns came before, in steps; ``asks``, ``long`` of the last seeker turn.

Features of ``utterance`` (which strategy a reply carries out): ``now`` of the reply itself, its ``asks`` and ``long``.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.projections import Line
from backends.sweetiechat.train_text import lines_of

PLACES = (1, 2, 3, 5, 8, 12)
LONG = (5, 15, 40)
WEIGHTS: Mapping[str, float] = {"now": 1.0, "before": 0.7, "past": 0.5}
"""Length that each field of words is scaled to (our default)."""
USED = 0.3
"""Scale of the counts of strategies (our default: the order tells more than the counts)."""
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_]+(?:'\w+)?|[?!]")


@dataclass(frozen=True)
class Case:
    """A supporter turn: the lines before it, its text, its strategy, and the dialogue it belongs to."""

    dialogue: int
    lines: tuple[Line, ...]
    text: str
    label: str

    @property
    def used(self) -> tuple[str, ...]:
        """Strategies so far, the oldest first."""
        return tuple(line.used for line in self.lines if line.role == "supporter" and line.used)


def cases_of(lines: Sequence[Line], dialogue: int, history: bool = True) -> list[Case]:
    """Every supporter turn with a strategy. For ``history`` the opening turn, which answers nothing, is left out."""
    return [Case(dialogue, tuple(lines[:place]), line.text, line.used) for place, line in enumerate(lines)
            if line.role == "supporter" and line.used and (place or not history)]


def next_case(dialogue: Dialogue) -> Case:
    """The turn that would come next."""
    return Case(0, lines_of(dialogue), "", "")


def words(text: str) -> list[str]:
    """Lower-case words, single Chinese characters, question and exclamation marks."""
    return _WORD.findall(text.lower().replace(" ' ", "'"))


def grams(text: str) -> Iterator[str]:
    """Words and pairs of neighbours."""
    found = words(text)
    yield from found
    yield from (f"{a} {b}" for a, b in itertools.pairwise(found))


def said(lines: Sequence[Line], role: str, back: int) -> str:
    """The turn of a speaker, counted from the newest (0); empty where there is none."""
    turns = [line.text for line in lines if line.role == role]
    return turns[-1 - back] if back < len(turns) else ""


def text_fields(case: Case, reads: str) -> dict[str, Counter[str]]:
    """Counted words by field."""
    if reads == "utterance":
        return {"now": Counter(grams(case.text))}
    past = " ".join(said(case.lines, "seeker", back) for back in (1, 2))
    return {"now": Counter(grams(said(case.lines, "seeker", 0))), "past": Counter(words(past)),
            "before": Counter(grams(said(case.lines, "supporter", 0)))}


def plain_features(case: Case, reads: str) -> dict[str, float]:
    """Everything that is not words."""
    now = case.text if reads == "utterance" else said(case.lines, "seeker", 0)
    count = len(words(now))
    found = {f"long:{sum(count >= limit for limit in LONG)}": 1.0, "asks": float("?" in now)}
    if reads == "utterance":
        return found
    used = case.used
    turns = sum(line.role == "supporter" for line in case.lines)
    found[f"place:{sum(turns >= limit for limit in PLACES)}"] = 1.0
    found |= {f"last{back}:{used[-back]}": 1.0 for back in (1, 2, 3) if back <= len(used)}
    return found | {f"used:{key}": USED * math.log1p(number) for key, number in Counter(used).items()}


@dataclass(frozen=True)
class Vocabulary:
    """Numbers of the features, and idf of the words. ``names`` are in the order of their numbers."""

    reads: str
    names: tuple[str, ...]
    idf: Mapping[str, float]

    @staticmethod
    def of(cases: Sequence[Case], reads: str, rare: int = 2) -> Vocabulary:
        """From training cases; words in fewer than ``rare`` of them are left out."""
        df: Counter[str] = Counter()
        plain: Counter[str] = Counter()
        for case in cases:
            df.update(f"{field}:{gram}" for field, counts in text_fields(case, reads).items() for gram in counts)
            plain.update(plain_features(case, reads))
        idf = {name: 1 + math.log((1 + len(cases)) / (1 + count)) for name, count in sorted(df.items())
               if count >= rare}
        return Vocabulary(reads, (*idf, *sorted(plain)), idf)

    def numbers(self) -> dict[str, int]:
        """Number of each feature."""
        return {name: number for number, name in enumerate(self.names)}

    def row(self, case: Case, numbers: Mapping[str, int]) -> dict[int, float]:
        """The features of a case as {number: value}; unknown ones are left out."""
        found: dict[int, float] = {}
        for field, counts in text_fields(case, self.reads).items():
            values = {f"{field}:{gram}": (1 + math.log(n)) * self.idf[f"{field}:{gram}"] for gram, n in counts.items()
                      if f"{field}:{gram}" in self.idf}
            length = math.sqrt(sum(value * value for value in values.values())) or 1.0
            found |= {numbers[name]: WEIGHTS[field] * value / length for name, value in values.items()}
        for name, value in plain_features(case, self.reads).items():
            if name in numbers:
                found[numbers[name]] = value
        return found
