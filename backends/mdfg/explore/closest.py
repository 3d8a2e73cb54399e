"""Which sentences of a document made a search by meaning or concept find it: those that speak most clearly for it.

    score = (vector . query) |raw| / sqrt(characters)

``raw`` is the vector before it is given length 1: a sentence of which the index knows little has a short one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from backends.mdfg.explore.query import Query
from backends.mdfg.explore.semantic import open_index, query_vector

if TYPE_CHECKING:
    from backends.mdfg.explore.search import Searched

MOST, SENTENCES = 3, 500
SHORTEST = 4
_SENTENCE = re.compile(r"[^。！？；!?;\n]+[。！？；!?;\n]?")


def sentences(corpus: Searched, query: Query, text: str, most: int = MOST) -> tuple[tuple[int, int], ...]:
    """(begin, end) of at most ``most`` sentences of the first 500, ascending: those above the mean of the document that
    are the closest to the query. An index of an encoder is read through its projector here."""
    found = [match.span() for match in _SENTENCE.finditer(text)]
    found = [(begin, end) for begin, end in found if len(text[begin:end].strip()) >= SHORTEST][:SENTENCES]
    if len(found) < 2:
        return ()
    index = open_index(corpus)
    cut = [text[begin:end] for begin, end in found]
    clear = np.linalg.norm(index.projector.raw(cut), axis=1) / np.sqrt([len(one) for one in cut])
    vectors = index.projector.vectors(cut) * clear[:, None].astype(np.float32)
    if query.kind == "concept":
        from backends.mdfg.explore.concept import learn

        scores = vectors @ learn(index, query).weights.astype(np.float32)
    else:
        scores = vectors @ query_vector(index, query)
    above = np.flatnonzero(scores > max(0.0, float(scores.mean())))
    chosen = above[np.argsort(-scores[above], kind="stable")[:most]]
    return tuple(found[number] for number in sorted(chosen.tolist()))
