"""From the attributes of a run to one DuckDB table ``docs``, and what its columns are.

=====================================  =======================================================================
place                                  number of the document in the run, from 0
id, part, row, source, number          which text, where its text lies, where it came from
sensitive_words                        the listed words that occur (VARCHAR[])
every measured value and score         as the run wrote it; not-a-number is NULL
quality, toxicity, domain              by scorers, else what an imported record said (NULL: nothing)
rule_fail, first_fail, kept            verdicts of the run's own limits
dup_cluster, dup_keep, dup_size        near-duplicates (-1, 1, 1 where they were not looked for)
=====================================  =======================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from backends.mdfg.explore.judging import quoted
from backends.mdfg.records import quality_column
from backends.mdfg.rules.verdicts import Test
from workbench.contract import UserError

if TYPE_CHECKING:
    import duckdb

Kind = Literal["number", "share", "count", "score"]
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "FLOAT", "DOUBLE")
FLOATS = ("FLOAT", "DOUBLE")
PLACES = ("id", "part", "row", "source", "number", "sensitive_words")
VERDICTS = ("rule_fail", "first_fail", "kept")
NEAR: Mapping[str, str] = {"dup_cluster": "-1::BIGINT", "dup_keep": "1::INTEGER", "dup_size": "1::INTEGER"}
MADE = ("place", "quality", "toxicity", "domain")
PLACE = ".place"
BATCH = 65_536


@dataclass(frozen=True)
class Column:
    """A column of numbers: its lowest and highest value (``None`` when all are missing), how many are missing, the
    rules that test it, and for ``quality`` and ``toxicity`` the column that they are."""

    name: str
    kind: Kind
    low: float | None
    high: float | None
    missing: int
    rules: tuple[str, ...] = ()
    alias: str = ""


@dataclass(frozen=True)
class Loaded:
    """The table's columns of numbers, those stored as 32-bit floats, the domains that a scorer knows, the rows."""

    columns: tuple[Column, ...]
    single: frozenset[str]
    domains: tuple[str, ...]
    rows: int


def load_table(connection: duckdb.DuckDBPyConnection, path: Path, tests: Sequence[Test]) -> Loaded:
    """Make ``docs`` from ``attributes.parquet``. Raises ``UserError`` for a table that no filtering run wrote."""
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    with pq.ParquetFile(path) as file:
        return _loaded(connection, file, path.name, tests)


def _loaded(connection: duckdb.DuckDBPyConnection, file: Any, called: str, tests: Sequence[Test]) -> Loaded:
    connection.register("raw", _numbered(file))
    kinds = {name: kind for name, kind, *_ in connection.execute("DESCRIBE SELECT * FROM raw").fetchall()}
    missing = [name for name in (*PLACES, *VERDICTS) if name not in kinds]
    missing += [test.column for test in tests if kinds.get(test.column) not in NUMBERS]
    if missing:
        raise UserError(f"{called} has no column {', '.join(dict.fromkeys(missing))}, so it is not the table of a "
                        "filtering run with this recipe.", advice="Run the filter again.")
    connection.register("raw", _numbered(file))
    connection.execute(f"CREATE TABLE docs AS {_select(kinds)} FROM raw")
    connection.unregister("raw")
    aliases = {"quality": quality_column(tuple(kinds)), "toxicity": _toxicity(kinds)}
    return Loaded(_profiles(connection, kinds, tests, aliases),
                  frozenset(name for name, kind in kinds.items() if kind == "FLOAT"),
                  tuple(name.partition(".")[2] for name in _scored(kinds, "domain")),
                  _rows(connection))


def _numbered(file: Any) -> Any:
    """The rows of a Parquet file in order with their place, as a stream. DuckDB's own reader is not asked: it takes
    the file's least and greatest values, which leave not-a-number out, as a proof that there is none."""
    import pyarrow as pa

    def batches() -> Iterator[Any]:
        place = 0
        for batch in file.iter_batches(BATCH, use_threads=False):
            yield pa.RecordBatch.from_arrays(
                [pa.array(np.arange(place, place + batch.num_rows, dtype=np.int64)), *batch.columns], schema=schema)
            place += batch.num_rows
    schema = pa.schema([pa.field(PLACE, pa.int64()), *file.schema_arrow])
    return pa.RecordBatchReader.from_batches(schema, batches())


def _rows(connection: duckdb.DuckDBPyConnection) -> int:
    found = connection.execute("SELECT count(*) FROM docs").fetchone()
    return int(found[0]) if found else 0


def _select(kinds: Mapping[str, str]) -> str:
    values = [name for name, kind in kinds.items()
              if kind in NUMBERS and name not in (*PLACES, *VERDICTS, *NEAR, *MADE, PLACE)]
    parts = [f"{quoted(PLACE)} AS place", *PLACES, *(f"{_clean(name, kinds)} AS {quoted(name)}"
                                                            for name in values)]
    parts += [f"{_clean(name, kinds) if name else 'NULL::DOUBLE'} AS {made}"
              for made, name in (("quality", quality_column(tuple(kinds))), ("toxicity", _toxicity(kinds)))]
    parts += [f"{_domain(kinds)} AS domain", *VERDICTS]
    parts += [name if name in kinds else f"{absent} AS {name}" for name, absent in NEAR.items()]
    return f"SELECT {', '.join(parts)}"


def _clean(name: str, kinds: Mapping[str, str]) -> str:
    column = quoted(name)
    return f"CASE WHEN isnan({column}) THEN NULL ELSE {column} END" if kinds[name] in FLOATS else column


def _scored(names: Mapping[str, str], kind: str) -> list[str]:
    """Columns of a scorer whose name is ``kind`` or begins with ``kind-``."""
    return [name for name in names if "." in name and name.partition(".")[0].split("-")[0] == kind]


def _toxicity(kinds: Mapping[str, str]) -> str:
    """The column that :mod:`records` takes as the probability of being toxic; empty where there is none."""
    names = _scored(kinds, "toxicity")
    fallback = names[-1] if names else "given.toxicity" if "given.toxicity" in kinds else ""
    return next((name for name in names if name.partition(".")[2] in ("toxic", "1")), fallback)


def _domain(kinds: Mapping[str, str]) -> str:
    """The most probable domain (the first of equal ones), else the imported single label."""
    given = "nullif(\"given.domain\", '')" if "given.domain" in kinds else "NULL::VARCHAR"
    names = _scored(kinds, "domain")
    if not names:
        return given
    best = f"greatest({', '.join(map(quoted, names))})"
    cases = " ".join(f"WHEN {quoted(name)} = {best} THEN {_text(name.partition('.')[2])}" for name in names)
    unknown = " OR ".join(f"coalesce(isnan({quoted(name)}), true)" for name in names)
    return f"CASE WHEN {unknown} THEN {given} {cases} END"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _profiles(connection: duckdb.DuckDBPyConnection, kinds: Mapping[str, str], tests: Sequence[Test],
              aliases: Mapping[str, str]) -> tuple[Column, ...]:
    names = [name for name, kind in kinds.items()
             if kind in NUMBERS and name not in (*PLACES, *VERDICTS, *MADE, PLACE, "dup_cluster", "dup_keep")]
    shown = [*(made for made, name in aliases.items() if name), *names]
    asked = ", ".join(f"min({x}) FILTER (isfinite({x})), max({x}) FILTER (isfinite({x})), count({x})"
                      for x in map(quoted, shown))
    row = connection.execute(f"SELECT count(*), {asked} FROM docs" if shown else "SELECT count(*) FROM docs").fetchone()
    rows, *found = row or (0,)
    columns = []
    for i, name in enumerate(shown):
        low, high, known = found[3 * i:3 * i + 3]
        real = aliases.get(name, "")
        rules = dict.fromkeys(test.rule for test in tests if test.column in (name, real))
        columns.append(Column(name, _kind(name, kinds.get(real or name, ""), low, high),
                              None if low is None else float(low), None if high is None else float(high),
                              rows - known, tuple(rules), real))
    return tuple(columns)


def _kind(name: str, kind: str, low: float | None, high: float | None) -> Kind:
    if name in ("quality", "toxicity") or ("." in name and kind in FLOATS):
        return "score"
    if kind not in FLOATS:
        return "count"
    return "share" if low is not None and high is not None and low >= 0 and high <= 1 else "number"
