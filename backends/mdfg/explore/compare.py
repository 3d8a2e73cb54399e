"""What two recipes do to the same documents: kept by both, by one alone, by none, and which rules make the difference.

A side is a recipe over the values that the corpus holds, so a moved limit needs no new run; or a run over the same
texts with its own verdicts, matched by the id of the text (the n-th copy of a text with its n-th copy there). Values
that a recipe would measure otherwise are told by :func:`notes`; only a run answers those exactly.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import duckdb

from backends.mdfg.explore.judging import mask_sql
from backends.mdfg.explore.measured import NEAR, Difference, columns_of, differences
from backends.mdfg.recipes import Recipe, parse_recipe
from backends.mdfg.rules.verdicts import Test
from workbench.contract import UserError, unknown

if TYPE_CHECKING:
    from backends.mdfg.explore.corpus import Corpus

CellName = Literal["both", "only_a", "only_b", "neither"]
CELLS: tuple[CellName, ...] = get_args(CellName)
_CELL_SQL: Mapping[str, str] = {"both": "a = 0 AND b = 0", "only_a": "a = 0 AND b <> 0", "only_b": "a <> 0 AND b = 0",
                                "neither": "a <> 0 AND b <> 0", "differ": "(a = 0) <> (b = 0)"}
DIFFER = "differ"
"""Not an outcome but two: the documents that only one side keeps."""
PAGE, SNIPPET, DIGITS = 50, 160, 9
"""Documents a page, characters of a snippet, digits of a mean: threads add up in any order."""
WAIT, WAITS = 0.05, 1200
"""Seconds between two looks, and looks, at a table that another thread makes."""


@dataclass(frozen=True)
class Side:
    """One of the two: a recipe, and the folder of the run whose verdicts are taken as they are, if it is one."""

    recipe: Recipe
    run: Path | None = None

    @property
    def key(self) -> str:
        """What the side decides by: the hash of its recipe, or its run."""
        return f"{self.recipe.hash}/{self.run.name if self.run else ''}"


@dataclass(frozen=True)
class Cell:
    """Documents with one outcome, their characters, and the means of quality and toxicity where there are scores."""

    documents: int = 0
    characters: int = 0
    quality: float | None = None
    toxicity: float | None = None


@dataclass(frozen=True)
class RulePair:
    """One rule on both sides. ``a``, ``b``: documents that fail it, ``None`` where a side has no such rule; ``more_a``,
    ``more_b``: those that fail it on one side only; ``blamed_a``: documents that only B keeps and that fail it in A,
    ``blamed_b`` the other way round. A document that fails several rules is counted for each of them."""

    rule: str
    a: int | None
    b: int | None
    more_a: int
    more_b: int
    blamed_a: int
    blamed_b: int
    tests_a: tuple[Test, ...] = ()
    tests_b: tuple[Test, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """The four outcomes and every rule. ``compared`` of ``total`` documents are on both sides; ``hash`` names the pair
    of sides, in 8 hex digits."""

    total: int
    compared: int
    cells: Mapping[CellName, Cell]
    rules: tuple[RulePair, ...]
    hash: str

    def kept(self, side: Literal["a", "b"]) -> int:
        """Documents that a side keeps."""
        return self.cells["both"].documents + self.cells["only_a" if side == "a" else "only_b"].documents


@dataclass(frozen=True)
class Example:
    """One document: where it is, the beginning of its text, the rules that it fails on each side."""

    place: int
    source: str
    number: int
    characters: int
    snippet: str
    failed_a: tuple[str, ...]
    failed_b: tuple[str, ...]


@dataclass(frozen=True)
class Examples:
    """One page of documents: ``shown`` fit, these are the ones from ``offset``."""

    rows: tuple[Example, ...]
    shown: int
    offset: int
    limit: int


def run_side(folder: Path) -> Side:
    """A finished run as a side. Raises ``UserError`` when its recipe or table is not there."""
    try:
        recipe = parse_recipe((folder / "artifacts" / "recipe.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The run {folder.name} has no recipe that can be read.",
                        advice="Choose a filtering run that has finished.") from error
    if not (folder / "artifacts" / "attributes.parquet").is_file():
        raise UserError(f"The run {folder.name} has no table of documents.",
                        advice="Choose a filtering run that has finished.")
    return Side(recipe, folder)


def notes(corpus: Corpus, side: Side) -> tuple[Difference, ...]:
    """Values of the corpus that the side's recipe would measure otherwise; none for a run."""
    known = held(corpus)
    return () if side.run else tuple(note for note in differences(corpus.recipe, side.recipe) if note.column in known)


def compare(corpus: Corpus, a: Side, b: Side) -> Comparison:
    """Count every pair of outcomes: one pass over the table. Raises ``UserError`` for a value that is not there."""
    sums = corpus.rows(f"SELECT a, b, count(*), sum(n_chars), sum(quality), count(quality), sum(toxicity), "
                       f"count(toxicity) FROM {_masks(corpus, a, b)} GROUP BY a, b")
    pairs = {(int(x), int(y)): tuple(rest) for x, y, *rest in sums}
    counts = {masks: int(rest[0]) for masks, rest in pairs.items()}
    compared = sum(counts.values())
    if not compared:
        raise UserError("The two sides have no document in common.", advice="Choose a run over the same texts.")
    cells = {name: _cell([rest for masks, rest in pairs.items() if cell_of(*masks) == name]) for name in CELLS}
    return Comparison(corpus.total, compared, cells, tuple(_rules(counts, a.recipe, b.recipe)), pair_hash(a, b))


def cell_of(a: int, b: int) -> CellName:
    """The outcome of a document that fails the rules of these masks."""
    return CELLS[(2 if a else 0) + (1 if b else 0)]


def pair_hash(a: Side, b: Side) -> str:
    """8 hex digits that name a pair of sides; a pair and its mirror image differ."""
    return hashlib.blake2b(f"{a.key}\n{b.key}".encode(), digest_size=4).hexdigest()


def examples(corpus: Corpus, a: Side, b: Side, cell: str = "", rule: str = "", offset: int = 0,
             limit: int = PAGE) -> Examples:
    """Documents with one outcome (empty: any, :data:`DIFFER`: kept by one side alone) that fail ``rule`` on one side
    only (empty: whatever they fail)."""
    if cell and cell not in _CELL_SQL:
        raise unknown("outcome", cell, _CELL_SQL)
    where = " AND ".join([_CELL_SQL.get(cell, "true"), _differs(a.recipe, b.recipe, rule)])
    masks = _masks(corpus, a, b)
    shown = int(corpus.rows(f"SELECT count(*) FROM {masks} WHERE {where}")[0][0])
    offset = max(0, min(offset, (shown - 1) // limit * limit)) if shown else 0
    found = corpus.rows(f"SELECT place, source, number, n_chars, a, b FROM {masks} WHERE {where} ORDER BY place "
                        "LIMIT ? OFFSET ?", [limit, offset])
    texts = corpus.texts([int(row[0]) for row in found])
    rows = tuple(Example(int(place), source, int(number), int(size), " ".join(document.text[:4 * SNIPPET].split())[
        :SNIPPET], failed(a.recipe, mask_a), failed(b.recipe, mask_b))
        for (place, source, number, size, mask_a, mask_b), document in zip(found, texts, strict=True))
    return Examples(rows, shown, offset, limit)


def failed(recipe: Recipe, mask: int) -> tuple[str, ...]:
    """Names of the rules in a mask, in their order."""
    return tuple(name for bit, name in enumerate(recipe.names) if int(mask) >> bit & 1)


def _differs(a: Recipe, b: Recipe, rule: str) -> str:
    if not rule:
        return "true"
    known = list(dict.fromkeys((*a.names, *b.names)))
    if rule not in known:
        raise unknown("rule", rule, known)
    bits = [f"(({side} >> {recipe.names.index(rule)}) & 1)" if rule in recipe.names else "0"
            for side, recipe in (("a", a), ("b", b))]
    return f"{bits[0]} <> {bits[1]}"


def _masks(corpus: Corpus, a: Side, b: Side) -> str:
    """What to write after FROM: every document that both sides have, with its mask in each."""
    sources, joins = [], []
    for name, side in (("a", a), ("b", b)):
        if side.run is None:
            _has(corpus, side.recipe)
            sources.append(f"{mask_sql(side.recipe.tests, corpus.single)} AS {name}")
        elif side.run == corpus.run:
            sources.append(f"rule_fail AS {name}")
        else:
            joins.append(f"JOIN {_matched(corpus, side.run)} AS of_{name} USING (place)")
            sources.append(f"of_{name}.mask AS {name}")
    return (f"(SELECT place, source, number, n_chars, quality, toxicity, {', '.join(sources)} "
            f"FROM docs {' '.join(joins)})")


def held(corpus: Corpus) -> frozenset[str]:
    """Names of the values that the corpus holds; clusters only where they were looked for."""
    known = frozenset(column.name for column in corpus.columns) | columns_of(corpus.recipe)
    return known - frozenset(NEAR) if corpus.recipe.near.mode == "off" else known


def _has(corpus: Corpus, recipe: Recipe) -> None:
    """Raise ``UserError`` for a test whose value the corpus does not hold."""
    known = held(corpus)
    for test in recipe.tests:
        if test.column not in known:
            raise UserError(f"The rule {test.rule} of {recipe.name} reads the value {test.column}, which this corpus "
                            "does not hold.", advice="Filter the same texts with this recipe, then compare the runs.")


def _matched(corpus: Corpus, run: Path) -> str:
    """Name of a table (place, mask) of another run's verdicts on the documents of this corpus, made once."""
    table = run / "artifacts" / "attributes.parquet"
    facts = table.stat()
    name = "of_" + hashlib.blake2b(f"{table}\n{facts.st_size}\n{facts.st_mtime_ns}".encode(), digest_size=8).hexdigest()
    copy = "row_number() OVER (PARTITION BY id ORDER BY {})"
    made = (f"CREATE TABLE IF NOT EXISTS {name} AS SELECT place, mask FROM "
            f"(SELECT place, id, {copy.format('place')} AS copy FROM docs) JOIN "
            f"(SELECT id, rule_fail::UINTEGER AS mask, {copy.format('part, row')} AS copy FROM read_parquet(?)) "
            "USING (id, copy)")
    for patience in range(WAITS, -1, -1):
        try:
            corpus.rows(made, [str(table)])
            break
        except duckdb.TransactionException:  # another thread makes the same table just now
            if not patience:
                raise
            time.sleep(WAIT)
    return name


def _cell(sums: list[tuple[Any, ...]]) -> Cell:
    def mean(total: int) -> float | None:
        count = sum(row[total + 1] for row in sums)
        return round(sum(row[total] or 0.0 for row in sums) / count, DIGITS) if count else None
    return Cell(int(sum(row[0] for row in sums)), int(sum(row[1] or 0 for row in sums)), mean(2), mean(4))


def _rules(counts: Mapping[tuple[int, int], int], a: Recipe, b: Recipe) -> Iterator[RulePair]:
    for rule in dict.fromkeys((*a.names, *b.names)):
        at = [recipe.names.index(rule) if rule in recipe.names else None for recipe in (a, b)]
        found: Counter[str] = Counter()
        for masks, count in counts.items():
            fails = [bit is not None and bool(mask >> bit & 1) for mask, bit in zip(masks, at, strict=True)]
            cell = cell_of(*masks)
            found["a"] += count * fails[0]
            found["b"] += count * fails[1]
            found["more_a"] += count * (fails[0] and not fails[1])
            found["more_b"] += count * (fails[1] and not fails[0])
            found["blamed_a"] += count * (fails[0] and cell == "only_b")
            found["blamed_b"] += count * (fails[1] and cell == "only_a")
        yield RulePair(rule, None if at[0] is None else found["a"], None if at[1] is None else found["b"],
                       found["more_a"], found["more_b"], found["blamed_a"], found["blamed_b"],
                       tuple(test for test in a.tests if test.rule == rule),
                       tuple(test for test in b.tests if test.rule == rule))
