"""A finished filtering run, opened to be looked at: its table in DuckDB, its texts on demand, its searches.

Corpora of more than :data:`IN_MEMORY` documents (our default) are kept in a temporary file that DuckDB reads in parts,
so memory stays bounded; the queries are the same.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import duckdb

from backends.mdfg.explore.bounds import MEMORY, Turns, config, enough_memory
from backends.mdfg.explore.judging import Moved, joined_sql, moved_mask_sql, moved_tests, verdicts_sql
from backends.mdfg.explore.kept import Kept
from backends.mdfg.explore.loading import Column, Loaded, load_table
from backends.mdfg.explore.query import Hits, Query
from backends.mdfg.explore.scratch import Scratch
from backends.mdfg.explore.texts import Document, TextReader
from backends.mdfg.recipes import Recipe, parse_recipe
from backends.mdfg.words import load_words
from workbench.contract import Json, UserError, unknown
from workbench.files import read_json, read_lines

if TYPE_CHECKING:
    from backends.mdfg.rules.evaluate import Evaluator

IN_MEMORY = 500_000
SEARCHES, BINNED, VERDICTS, ANSWERS = 24, 64, 8, 256
"""Searches, binned columns, verdicts under moved limits and answers that are kept."""
MADE = "made"
"""A second database, in memory, for the small tables that are made while somebody looks."""
T = TypeVar("T")


class Corpus:
    """Open one with :meth:`open`; every method may be called from several threads.

    ``run`` is the folder of the run, ``index`` that of an index run of it (vectors for search by meaning) if there is
    one, ``total`` its documents, ``recipe`` the recipe that judged them, ``scans`` bounds its searches."""

    def __init__(self, run: Path, index: Path | None, recipe: Recipe, connection: duckdb.DuckDBPyConnection,
                 loaded: Loaded, scratch: Scratch) -> None:
        self.run, self.index, self.recipe = run, index, recipe
        self.total, self.columns, self.domains, self._single = (loaded.rows, loaded.columns, loaded.domains,
                                                                loaded.single)
        self._connection, self._scratch, self.scans = connection, scratch, Turns()
        weakref.finalize(self, scratch.remove)
        self._texts = TextReader(run / "artifacts" / "documents")
        self._local = threading.local()
        self._searches = Kept[tuple[Hits, str]](SEARCHES, lambda found: self._drop(found[1]))
        self._binned = Kept[str](BINNED, lambda name: self._drop(f"{MADE}.{name}"))
        self._verdicts = Kept[str](VERDICTS, lambda name: self._drop(f"{MADE}.{name}"))
        self._answers = Kept[Any](ANSWERS)
        self._numbers = itertools.count(1)

    @classmethod
    def open(cls, run: Path, index: Path | None = None, *, in_memory: int = IN_MEMORY, scratch: Path | None = None,
             memory: str = MEMORY) -> Corpus:
        """Open the tables of a run. What DuckDB writes lies in a folder of its own in ``scratch`` (``None``: where the
        system has temporary files). Raises ``UserError`` when the tables are not there or damaged, saying which."""
        artifacts = run / "artifacts"
        attributes = artifacts / "attributes.parquet"
        recipe = _recipe(artifacts / "recipe.yaml")
        if not attributes.is_file():
            raise UserError(f"The run {run.name} has no table of documents (attributes.parquet).",
                            advice="Choose a filtering run that has finished.")
        folder, connection = Scratch(scratch), None
        try:
            with enough_memory():
                connection = _connect(folder.path, attributes, in_memory, memory)
                loaded = load_table(connection, attributes, recipe.tests)
        except duckdb.Error as error:
            _give_up(connection, folder)
            raise UserError(f"The table attributes.parquet of the run {run.name} cannot be read: "
                            f"{' '.join(str(error).split())[:160]}.", advice="Run the filter again.") from error
        except BaseException:
            _give_up(connection, folder)
            raise
        return cls(run, index, recipe, connection, loaded, folder)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """The DuckDB cursor of this thread."""
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self._connection.cursor()
        return cursor

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""
        with enough_memory():
            found: list[tuple[Any, ...]] = self.cursor().execute(sql, list(parameters)).fetchall()
        return found

    def judged(self, moved: Moved, *binned: str) -> str:
        """What to write after FROM: ``docs`` with verdicts under the moved limits, and the columns of binned tables.
        Verdicts of the last limits that were asked for are kept, so the charts of a moved slider decide once."""
        if moved_tests(self.recipe, moved) == self.recipe.tests:
            return joined_sql(binned, made=f"{MADE}.")

        def make() -> str:
            name = f"verdicts_{next(self._numbers)}"
            self.rows(f"CREATE TABLE {MADE}.{name} AS {verdicts_sql(self.recipe, moved, self._single)}")
            return name
        return joined_sql(binned, self._verdicts.get(moved, make), f"{MADE}.")

    def mask(self, moved: Moved) -> str:
        """The mask of failed rules under the moved limits, as SQL over ``docs``."""
        return moved_mask_sql(self.recipe, moved, self._single)

    @property
    def single(self) -> frozenset[str]:
        """Columns of 32-bit floats."""
        return self._single

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> Column:
        """A column of numbers by name. Raises ``UserError`` naming the nearest ones."""
        if name not in self._by_name:
            raise unknown("column of numbers in this corpus", name, self._by_name)
        return self._by_name[name]

    @cached_property
    def summary(self) -> Mapping[str, Json]:
        """``summary.json`` of the run."""
        value = read_json(self.run / "artifacts" / "summary.json", {})
        return value if isinstance(value, dict) else {}

    @cached_property
    def evaluator(self) -> Evaluator:
        """The rules of the run with its word list, to find again what they acted on. Raises ``UserError`` when the
        list is no longer where the run read it."""
        from backends.mdfg.rules.evaluate import Evaluator

        inputs = read_json(self.run / "inputs.json", {})

        def resolve(reference: str) -> Path:
            entry = inputs.get(reference) if isinstance(inputs, dict) else None
            path = Path(str(entry.get("path"))) if isinstance(entry, dict) else None
            if path is None or not path.is_file():
                raise UserError(f"the list {reference} is no longer where the run read it.")
            return path
        return Evaluator(self.recipe, load_words(self.recipe.measure.words, resolve))

    def commands(self) -> list[Mapping[str, Json]]:
        """What people said about this run (labels, decisions on clusters), oldest first; read anew at every call."""
        return list(read_lines(self.run / "commands.jsonl"))

    def parts(self) -> list[Path]:
        """The Parquet files of the texts, in the order of the documents."""
        return [self._texts.path(part) for (part,) in self.rows("SELECT DISTINCT part FROM docs ORDER BY part")]

    def texts(self, places: Sequence[int], light: bool = False) -> list[Document]:
        """Documents by place, in that order; ``light``: without address and the record that was imported. Raises
        ``UserError`` for a place that is not in the corpus."""
        for place in places:
            if not 0 <= place < self.total:
                raise UserError(f"There is no document {place:,}; this corpus has {self.total:,}, from 0.")
        known = {place: (place, part, row) for place, part, row in self.rows(
            "SELECT place, part, row FROM docs WHERE place IN (SELECT unnest(?::BIGINT[]))", [list(map(int, places))])}
        return self._texts.read([known[int(place)] for place in places], light)

    def hits(self, query: Query) -> Hits:
        """What a search finds; the answers to the last ones are kept."""
        return self._searches.get(query, lambda: self._found(query))[0]

    def hits_table(self, query: Query) -> str:
        """Name of a table (place BIGINT, score DOUBLE) of the hits."""
        return self._searches.get(query, lambda: self._found(query))[1]

    def binned(self, key: Hashable, expression: str) -> str:
        """Name of a table with one column of the same name, TINYINT: an expression over ``docs``, row by row, for a
        ``docs POSITIONAL JOIN`` of it. What was computed for a key is kept."""
        def make() -> str:
            name = f"bins_{next(self._numbers)}"
            self.rows(f"CREATE TABLE {MADE}.{name} AS SELECT ({expression})::TINYINT AS {name} FROM docs")
            return name
        return self._binned.get(key, make)

    def answer(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` says, computed once: the tables of a run never change."""
        return cast(T, self._answers.get(key, make))

    def _found(self, query: Query) -> tuple[Hits, str]:
        import pyarrow as pa  # type: ignore[import-untyped]

        from backends.mdfg.explore.search import find

        found = find(self, query)
        name = f"{MADE}.hits_{next(self._numbers)}"
        cursor = self._connection.cursor()
        cursor.register("found", pa.table({"place": found.places, "score": found.scores}))
        with enough_memory():
            cursor.execute(f"CREATE TABLE {name} AS SELECT place::BIGINT AS place, score::DOUBLE AS score FROM found")
        cursor.close()
        return found, name

    def _drop(self, table: str) -> None:
        self._connection.cursor().execute(f"DROP TABLE IF EXISTS {table}")

    def close(self) -> None:
        """Give back memory, files and the temporary folder."""
        self._texts.close()
        _give_up(self._connection, self._scratch)


def _recipe(path: Path) -> Recipe:
    try:
        return parse_recipe(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The run {path.parents[1].name} has no recipe that can be read ({path.name}).",
                        advice="Choose a filtering run that has finished.") from error


def _connect(scratch: Path, attributes: Path, in_memory: int, memory: str) -> duckdb.DuckDBPyConnection:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        rows = pq.read_metadata(attributes).num_rows
    except (OSError, ValueError) as error:
        raise UserError(f"The table {attributes.name} of the run {attributes.parents[1].name} is damaged: "
                        f"{' '.join(str(error).split())[:160]}.", advice="Run the filter again.") from error
    place = ":memory:" if rows <= in_memory else str(scratch / "corpus.duckdb")
    connection = duckdb.connect(place, config=config(str(scratch), memory))
    connection.execute(f"ATTACH ':memory:' AS {MADE}")
    return connection


def _give_up(connection: duckdb.DuckDBPyConnection | None, scratch: Scratch) -> None:
    if connection is not None:
        connection.close()
    scratch.remove()
