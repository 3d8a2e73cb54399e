"""Was enough source read when a word was written? Sufficiency from alignments (our measure of a policy).

    sufficiency = mean_i [ a_i <= g(i) ],  a_i = furthest source token aligned with target token i (from 1)

Target tokens without an alignment do not count. Alignments come from the synthetic language, from Pharaoh files
("0-0 1-2": source-target from 0, as compare-mt's), or from IBM model 1 trained here (Brown 1993), whose alignments
are rough: compare policies with them, not languages. :class:`Dictionary` learns it from the pairs of a test set and
then aligns the words of any translation of it. A wrong guess of an eager policy is explained by no source word, and
then does not count, or by the wrong one: read sufficiency beside BLEU.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from backends.sm2.vocabulary import words
from workbench.contract import UserError

NULL = -1
LEAST, MOST = 100, 3000
"""Fewest pairs that a dictionary is learned from, and most that are used (our defaults)."""


def sufficiency(delays: Sequence[int], needed: Sequence[int | None]) -> float | None:
    """The share of aligned target tokens that were written when all their source had been read; ``None`` when no token
    is aligned. Tokens beyond the shorter of the two lists do not count."""
    pairs = [(delay, need) for delay, need in zip(delays, needed, strict=False) if need is not None]
    return sum(need <= delay for delay, need in pairs) / len(pairs) if pairs else None


def pharaoh(line: str, size: int) -> list[int | None]:
    """``needed`` of ``size`` target tokens from a Pharaoh line. Raises ``UserError`` for anything else."""
    furthest: list[int | None] = [None] * size
    for pair in line.split():
        source, _, target = pair.partition("-")
        if not (source.isdigit() and target.isdigit()) or int(target) >= size:
            raise UserError(f"{pair!r} is no alignment of a sentence of {size} target tokens; it must look like 0-0.")
        place = int(target)
        furthest[place] = max(furthest[place] or 0, int(source) + 1)
    return furthest


def ibm1(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], rounds: int = 5) -> dict[int, dict[int, float]]:
    """t(target | source) by expectation maximisation: t[source][target], with a source word NULL in every sentence."""
    if not pairs or rounds < 1:
        raise UserError("IBM model 1 needs sentence pairs and at least one round.")
    table: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(lambda: 1.0))
    for _ in range(rounds):
        counts: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        for source, target in pairs:
            words = (NULL, *source)
            for y in target:
                total = sum(table[x][y] for x in words)
                for x in words:
                    counts[x][y] += table[x][y] / total
        table = defaultdict(dict)
        for x, row in counts.items():
            whole = sum(row.values())
            table[x] = defaultdict(float, {y: value / whole for y, value in row.items()})
    return {x: dict(row) for x, row in table.items()}


def aligned(table: dict[int, dict[int, float]], source: Sequence[int], target: Sequence[int]) -> list[int | None]:
    """``needed`` by the likeliest source word of each target word; ``None`` where that is NULL."""
    found: list[int | None] = []
    for y in target:
        scores = [table.get(x, {}).get(y, 0.0) for x in (NULL, *source)]
        best = max(range(len(scores)), key=lambda i: scores[i])
        found.append(best if best and scores[best] > 0 else None)
    return found


@dataclass(frozen=True)
class Dictionary:
    """IBM model 1 over words (lower case, a CJK character is a word)."""

    numbers: dict[str, int]
    table: dict[int, dict[int, float]]

    def needed(self, source: str, target: str) -> list[int | None]:
        """For each word of ``target`` the source words that must have been read, counted from 1."""
        one, two = ([self.numbers.get(word, NULL - 1) for word in words(text.lower())] for text in (source, target))
        return aligned(self.table, one, two)


def dictionary(source: Sequence[str], target: Sequence[str], rounds: int = 5) -> Dictionary | None:
    """Learn from lines that are translations of each other; ``None`` of fewer than :data:`LEAST`."""
    if len(source) < LEAST:
        return None
    numbers: dict[str, int] = {}
    sides = [[[numbers.setdefault(word, len(numbers)) for word in words(line.lower())] for line in lines[:MOST]]
             for lines in (source, target)]
    return Dictionary(numbers, ibm1(list(zip(*sides, strict=True)), rounds))
