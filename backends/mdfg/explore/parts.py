"""The texts of a filtering run, file by file: places, counts, a fingerprint, and a stream that holds one batch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.contract import MissingResource, UserError

BATCH = 256
_NAME = re.compile(r"part-(\d{5,})\.parquet")


@dataclass(frozen=True)
class Part:
    """One file of texts. ``first`` is the place of its first document, ``rows`` how many it has."""

    path: Path
    number: int
    first: int
    rows: int


def parts_of(artifacts: Path) -> tuple[Part, ...]:
    """The files of a run in the order of its documents.

    Raises ``MissingResource`` where there is none, ``UserError`` for one that cannot be read."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    found = sorted((int(match[1]), path) for path in (artifacts / "documents").glob("part-*.parquet")
                   if (match := _NAME.fullmatch(path.name)))
    if not found:
        raise MissingResource(f"There are no texts in {artifacts.parent.name}.",
                              advice="Choose a filtering run (mdfg.filter.v1) that has ended.")
    parts: list[Part] = []
    for number, path in found:
        try:
            rows = pq.read_metadata(path).num_rows
        except (OSError, pa.ArrowException) as error:
            raise UserError(f"{path.name} cannot be read: {error}.", advice="Run the filter again.") from error
        parts.append(Part(path, number, parts[-1].first + parts[-1].rows if parts else 0, rows))
    return tuple(parts)


def total(parts: Sequence[Part]) -> int:
    """How many documents there are."""
    return parts[-1].first + parts[-1].rows if parts else 0


def fingerprint(artifacts: Path) -> str:
    """16 hex digits that change when the files of texts do: their names and sizes."""
    found = sorted((path.name, path.stat().st_size) for path in (artifacts / "documents").glob("part-*.parquet"))
    told = "".join(f"{name} {size}\n" for name, size in found)
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def stream(part: Part, batch: int = BATCH) -> Iterator[tuple[int, list[str]]]:
    """(place of the first, texts) of the batches of a file."""
    import pyarrow.parquet as pq

    place = part.first
    with pq.ParquetFile(part.path) as file:
        for rows in file.iter_batches(batch, columns=["text"], use_threads=False):
            texts = rows.column(0).to_pylist()
            yield place, texts
            place += len(texts)
