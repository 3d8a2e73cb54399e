"""Texts of single documents, read from the Parquet parts of a run by part and row; only the row groups that hold them.

What was read lately is kept (:data:`KEPT` characters), because a page and its reader ask for the same few documents.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.contract import Json, UserError

SPANS = ("sensitive", "traditional", "duplication")
LIGHT = ["id", "text", "title", *(f"{kind}_spans" for kind in SPANS)]
KEPT, OPEN_PARTS = 4_000_000, 8


@dataclass(frozen=True)
class Document:
    """One text with what is stored beside it. ``spans``: by kind, begin, end, begin, end ... in code points, as many as
    the run stored; ``segments``: (begin, end, quality) of the pieces that a quality scorer judged, ``None`` for one it
    left out; ``given``: the record that it was imported with."""

    place: int
    id: str
    text: str
    title: str = ""
    url: str = ""
    site: str = ""
    spans: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    segments: tuple[tuple[int, int, float | None], ...] = ()
    given: Json = None


@dataclass
class _Part:
    file: Any
    offsets: NDArray[np.int64]


class TextReader:
    """Reads documents of one run; every method may be called from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: OrderedDict[int, _Part] = OrderedDict()
        self._kept: OrderedDict[tuple[int, bool], Document] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def path(self, part: int) -> Path:
        """File of a part."""
        return self._folder / f"part-{part:05d}.parquet"

    def read(self, where: Sequence[tuple[int, int, int]], light: bool = False) -> list[Document]:
        """Documents for (place, part, row), in that order; ``light`` ones have only what :data:`LIGHT` names. Raises
        ``UserError`` when their file is not there."""
        with self._lock:
            found = {place: self._kept[place, light] for place, _, _ in where if (place, light) in self._kept}
            wanted: dict[tuple[int, int], list[tuple[int, int]]] = {}
            for place, part, row in where:
                if place not in found:
                    offsets = self._part(part).offsets
                    group = int(np.searchsorted(offsets, row, "right")) - 1
                    wanted.setdefault((part, group), []).append((row - int(offsets[group]), place))
            for (part, group), rows in wanted.items():
                found |= {document.place: document for document in self._read(part, group, rows, light)}
            self._keep(found.values(), light)
        return [found[place] for place, _, _ in where]

    def _read(self, part: int, group: int, rows: Sequence[tuple[int, int]], light: bool) -> list[Document]:
        file = self._part(part).file
        try:
            table = file.read_row_group(group, columns=LIGHT if light else None, use_threads=False).take(
                [row for row, _ in rows])
        except (OSError, IndexError, ValueError) as error:
            raise UserError(f"The texts of this corpus cannot be read: {self.path(part).name} "
                            f"({' '.join(str(error).split())[:120]}).", advice="Run the filter again.") from error
        return [_document(place, record) for (_, place), record in zip(rows, table.to_pylist(), strict=True)]

    def _part(self, part: int) -> _Part:
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        if part not in self._parts:
            try:
                file = pq.ParquetFile(self.path(part))
            except (OSError, ValueError) as error:
                raise UserError(f"The texts of this corpus cannot be read: {self.path(part).name} "
                                f"({' '.join(str(error).split())[:120]}).", advice="Run the filter again.") from error
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            self._parts[part] = _Part(file, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))
            while len(self._parts) > OPEN_PARTS:
                self._parts.popitem(last=False)[1].file.close()
        self._parts.move_to_end(part)
        return self._parts[part]

    def _keep(self, documents: Iterable[Document], light: bool) -> None:
        for document in documents:
            key = (document.place, light)
            if key not in self._kept:
                self._size += len(document.text)
            self._kept[key] = document
            self._kept.move_to_end(key)
        while self._size > KEPT and self._kept:
            self._size -= len(self._kept.popitem(last=False)[1].text)

    def close(self) -> None:
        """Close every file."""
        with self._lock:
            for part in self._parts.values():
                part.file.close()
            self._parts.clear()
            self._kept.clear()
            self._size = 0


def _document(place: int, record: Mapping[str, Any]) -> Document:
    import orjson

    spans = {kind: tuple(record.get(f"{kind}_spans") or ()) for kind in SPANS}
    given = record.get("given")
    return Document(place, record["id"], record["text"], record.get("title") or "", record.get("url") or "",
                    record.get("site") or "", spans, _segments(record), orjson.loads(given) if given else None)


def _segments(record: Mapping[str, Any]) -> tuple[tuple[int, int, float | None], ...]:
    ends, scores = list(record.get("quality_ends") or ()), list(record.get("quality_scores") or ())
    return tuple((begin, end, None if score is None or math.isnan(score) else float(score))
                 for begin, end, score in zip((0, *ends), ends, scores, strict=False))
