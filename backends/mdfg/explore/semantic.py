"""Search by meaning: documents whose vectors point where the query's does, and more like some documents.

    q = u(text) + mean u(like) - 0.25 mean u(unlike),   score = cos(q, document)

u are the unit vectors of the index (``mdfg.index.v1``). Rocchio (1971) subtracts counter-examples in the same way;
their weight is ours. A hit has a cosine of at least .3 where the query asks for nothing else (our default), and only
the best 2,000 are hits. Nothing in here imports torch: an index made with an encoder comes with a projector that leads
queries to the encoder's space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.explore.query import Hits, Note, Query
from workbench.contract import MissingResource, UserError
from workbench.files import read_json

if TYPE_CHECKING:
    from backends.mdfg.explore.projector import Matrix, Projector
    from backends.mdfg.explore.search import Searched

LEAST, MOST = 0.3, 2000
UNLIKE = 0.25
KNOWN = 0.5
"""Below this share of known n-grams of a query the hits carry a warning (our default)."""
CHUNK = 65_536
FACTS, VECTORS, PROJECTOR = "index.json", "vectors.npy", "projector.safetensors"


@dataclass(frozen=True, eq=False)
class Index:
    """The vectors of a corpus, mapped from their file, and what turns a text into one."""

    vectors: NDArray[np.float16]
    projector: Projector
    facts: dict[str, Any]

    def of(self, places: Sequence[int]) -> Matrix:
        """The vectors (places, dimensions) of some documents. Raises ``UserError`` for a place that there is not."""
        for place in places:
            if not 0 <= place < len(self.vectors):
                raise UserError(f"There is no document {place}; the last one is {len(self.vectors) - 1}.")
        return np.asarray(self.vectors[np.asarray(places, dtype=np.int64)], dtype=np.float32)


def open_index(corpus: Searched) -> Index:
    """The index of a corpus. Raises ``UserError`` when there is none, or it is of other texts."""
    if corpus.index is None:
        raise UserError("A search by meaning needs an index of this corpus, and there is none.",
                        advice="Make one with the task mdfg.index.v1.")
    index = read_index(corpus.index)
    if len(index.vectors) != corpus.total or index.facts.get("fingerprint") != _mark(corpus.run):
        raise UserError(f"The index is of {len(index.vectors):,} other documents; this corpus has {corpus.total:,}.",
                        advice="Make an index of this corpus (mdfg.index.v1).")
    return index


def read_index(folder: Path) -> Index:
    """The index in the folder of a run, or of its artifacts."""
    from backends.mdfg.explore.projector import load_projector

    inside = folder / "artifacts" if (folder / "artifacts").is_dir() else folder
    if not (inside / VECTORS).is_file():
        raise MissingResource(f"{folder.name} holds no index (there is no {VECTORS}).",
                              advice="Make one with the task mdfg.index.v1; it may still be running.")
    projector = load_projector(inside / PROJECTOR)
    try:
        vectors = np.load(inside / VECTORS, mmap_mode="r", allow_pickle=False)
        if vectors.ndim != 2 or vectors.dtype != np.float16 or vectors.shape[1] != projector.dimensions:
            raise ValueError(f"its shape is {vectors.shape}, its type {vectors.dtype}")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{VECTORS} of {folder.name} cannot be read: {error}.",
                        advice="Make the index again (mdfg.index.v1).") from error
    facts = read_json(inside / FACTS, {})
    return Index(vectors, projector, facts if isinstance(facts, dict) else {})


def _mark(run: Path) -> str:
    from backends.mdfg.explore.parts import fingerprint

    return fingerprint(run / "artifacts")


def find_meaning(corpus: Searched, query: Query) -> Hits:
    """The documents that are the closest to a text and to examples; examples themselves are found too."""
    index = open_index(corpus)
    found = best(query, cosines(index, query_vector(index, query)), query.least or LEAST)
    known = index.projector.query(query.text)[1] if query.text.strip() else 1.0
    if known >= KNOWN:
        return found
    return replace(found, notes=(*found.notes, Note("known", (("share", f"{known:.0%}"),))))


def query_vector(index: Index, query: Query) -> Matrix:
    """Where a query points, (dimensions,), of length 1.

    Raises ``UserError`` when nothing of it is known to the index."""
    from backends.mdfg.explore.projector import unit

    towards = np.zeros((1, index.projector.dimensions), dtype=np.float32)
    if query.text.strip():
        towards += index.projector.query(query.text)[0]
    if query.like:
        towards += unit(index.of(query.like).mean(axis=0, keepdims=True))
    if query.unlike:
        towards -= UNLIKE * unit(index.of(query.unlike).mean(axis=0, keepdims=True))
    if not towards.any():
        raise UserError("Nothing of this search occurs in the documents from which the index was learned.",
                        advice="Use other words, or search for the words themselves.")
    return np.asarray(unit(towards)[0], dtype=np.float32)


def cosines(index: Index, towards: Matrix) -> NDArray[np.float64]:
    """Cosine of every document with a unit vector; computed a chunk at a time."""
    out = np.zeros(len(index.vectors))
    for begin in range(0, len(out), CHUNK):
        rows = np.asarray(index.vectors[begin:begin + CHUNK], dtype=np.float32)
        out[begin:begin + len(rows)] = rows @ towards
    return out


def best(query: Query, scores: NDArray[np.float64], least: float, most: int = MOST) -> Hits:
    """Documents of at least the score ``least``, by place; of more than ``most``, the best ones and a note."""
    places = np.flatnonzero(scores >= least)
    notes: tuple[Note, ...] = ()
    if len(places) > most:
        notes = (Note("best", (("most", f"{most:,}"), ("found", f"{len(places):,}"))),)
        order = np.lexsort((places, -scores[places]))[:most]
        places = np.sort(places[order])
    return Hits(query, places.astype(np.int64), scores[places], notes)
