"""A rule as data: drop a document when a column compares so with a limit. Verdicts need no text.

All rules are evaluated for all documents; ``rule_fail`` has bit i set when rule i (in the recipe's order) fails, and
``first_fail`` is the first of them, which is what the paper counts. A rule may have several tests; one is enough.
Moving a limit is a new call of :func:`decide` over stored columns; ``Test.sql`` is the same comparison for DuckDB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.contract import Knob, UserError
from workbench.fields import validate

Comparison = Literal["<", "<=", ">", ">="]
_COMPARE: Mapping[str, Any] = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
KEPT = -1
MOST_RULES = 32


@dataclass(frozen=True)
class Test:
    """Drop a document by ``rule`` when ``column`` is ``drop_if`` ``limit``. A value that is missing drops nothing."""

    __test__ = False

    rule: Annotated[str, Knob("Name of the rule", 1, 60)]
    column: Annotated[str, Knob("The measured value", 1, 80)]
    drop_if: Annotated[Comparison, Knob("Comparison that drops")]
    limit: Annotated[float, Knob("Limit of the value")]

    def __post_init__(self) -> None:
        validate(self)

    @property
    def sql(self) -> str:
        """The comparison as SQL over the attributes; a missing value compares as false. The limit is a DOUBLE, as a
        bare number would be a DECIMAL that loses its last digit; for a FLOAT column round the limit first."""
        column = '"' + self.column.replace('"', '""') + '"'
        return f"coalesce({column} {self.drop_if} '{float(self.limit)!r}'::DOUBLE and not isnan({column}), false)"

    def fails(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which documents the test drops."""
        with np.errstate(invalid="ignore"):
            found: NDArray[np.bool_] = np.asarray(_COMPARE[self.drop_if](values, self.limit), dtype=np.bool_)
        return found


@dataclass(frozen=True)
class Verdicts:
    """``rule_fail`` (uint32 mask) and ``first_fail`` (index of a rule, -1 for kept) of many documents."""

    rule_fail: NDArray[np.uint32]
    first_fail: NDArray[np.int8]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Documents that no rule drops."""
        clear: NDArray[np.bool_] = self.rule_fail == 0
        return clear


def rule_names(tests: Sequence[Test]) -> tuple[str, ...]:
    """Names of the rules in their order, which is the order of the bits."""
    return tuple(dict.fromkeys(test.rule for test in tests))


def decide(columns: Mapping[str, NDArray[Any]], tests: Sequence[Test], documents: int) -> Verdicts:
    """Verdicts of ``documents`` documents from their columns. Raises ``UserError`` for a column that is not there."""
    names = rule_names(tests)
    if len(names) > MOST_RULES:
        raise UserError(f"The recipe has {len(names)} rules; it may have at most {MOST_RULES}.",
                        advice="Put tests that belong together under one rule name.")
    mask = np.zeros(documents, dtype=np.uint32)
    for test in tests:
        if test.column not in columns:
            raise UserError(f"The rule {test.rule} needs the value {test.column!r}, which was not measured; measured "
                            f"are {', '.join(sorted(columns))}.",
                            advice="Switch the measurement or the scorer on, or take the rule out.")
        mask |= test.fails(columns[test.column]).astype(np.uint32) << np.uint32(names.index(test.rule))
    return Verdicts(mask, first_of(mask))


def first_of(mask: NDArray[np.uint32]) -> NDArray[np.int8]:
    """Index of the lowest set bit, -1 where there is none."""
    lowest = (mask & (~mask + np.uint32(1))).astype(np.float64)
    first = np.full(mask.shape, KEPT, dtype=np.int8)
    some = mask != 0
    first[some] = np.log2(lowest[some]).astype(np.int8)
    return first


@dataclass(frozen=True)
class Tally:
    """What rules dropped. ``first``: by the first rule that failed (the paper's funnel); ``every``: by each rule,
    whatever the others say; ``only``: by this rule alone; ``overlap[i][j]``: by both rules i and j."""

    rules: tuple[str, ...]
    documents: int
    kept: int
    first: tuple[int, ...]
    every: tuple[int, ...]
    only: tuple[int, ...]
    overlap: tuple[tuple[int, ...], ...]


def tally(masks: Mapping[int, int], tests: Sequence[Test]) -> Tally:
    """Counts from how often each mask occurs: the whole funnel of any number of documents."""
    names = rule_names(tests)
    first, every, only = [0] * len(names), [0] * len(names), [0] * len(names)
    overlap = [[0] * len(names) for _ in names]
    for mask, count in masks.items():
        failed = [i for i in range(len(names)) if mask >> i & 1]
        for i in failed:
            every[i] += count
            for j in failed:
                overlap[i][j] += count
        if failed:
            first[failed[0]] += count
        if len(failed) == 1:
            only[failed[0]] += count
    return Tally(names, sum(masks.values()), masks.get(0, 0), tuple(first), tuple(every), tuple(only),
                 tuple(map(tuple, overlap)))


def mask_counts(mask: NDArray[np.uint32]) -> dict[int, int]:
    """How often each mask occurs: the input of :func:`tally`; counts of shards add up."""
    values, counts = np.unique(mask, return_counts=True)
    return {int(value): int(count) for value, count in zip(values, counts, strict=True)}
