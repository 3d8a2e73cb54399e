"""From an opened corpus to what :mod:`queue`, :mod:`acceptance` and :mod:`lab` work on: scores and automatic labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from backends.mdfg.explore.bounds import enough_memory
from backends.mdfg.explore.judging import quoted
from backends.mdfg.explore.labels import Dimension, dimension
from backends.mdfg.explore.population import Population
from backends.mdfg.explore.selection import Selection
from backends.mdfg.rules.verdicts import Test
from workbench.contract import UserError

if TYPE_CHECKING:
    from backends.mdfg.explore.corpus import Corpus


def dimension_of(corpus: Corpus, what: str) -> Dimension:
    """What can be said about a document of this corpus in one dimension; domains are those of its scorer."""
    return dimension(what, corpus.domains)


def score_column(corpus: Corpus, what: str) -> str:
    """The stored column whose threshold decides about quality or toxicity. Raises ``UserError`` where there is none."""
    if not dimension(what).positive:
        raise UserError(f"{what} is one of many labels; it has no score with one threshold.",
                        advice="Choose quality or toxicity.")
    found = next((column.alias for column in corpus.columns if column.name == what and column.low is not None), "")
    if not found:
        raise UserError(f"No document of this corpus has a score of {what}.",
                        advice=f"Filter it again with a scorer, such as bundled:mdfg-zh-{what}.")
    return found


def population(corpus: Corpus, selection: Selection, what: str) -> Population:
    """Place, score and length of every document of a selection. The score of a domain is the probability of the
    likeliest one; imported labels have none and count as 1, which is one bin."""
    where, single = selection.where(corpus), False
    if dimension(what).positive:
        name = score_column(corpus, what)
        score, single = quoted(name), name in corpus.single
    else:
        names = [column.name for column in corpus.columns
                 if "." in column.name and column.name.partition(".")[0].split("-")[0] == "domain"]
        score = f"greatest({', '.join(map(quoted, names))})" if names else "CASE WHEN domain IS NOT NULL THEN 1.0 END"
    sql = (f"SELECT place, ({score})::DOUBLE AS score, n_chars::BIGINT AS size FROM {corpus.judged(selection.moved)} "
           f"{where.clause} ORDER BY place")
    with enough_memory():
        found = corpus.cursor().execute(sql, list(where.parameters)).fetchnumpy()
    scores = np.ma.filled(np.ma.asarray(found["score"], dtype=np.float64), np.nan)
    known = ~np.isnan(scores)
    return Population(what, np.asarray(found["place"], dtype=np.int64)[known], scores[known],
                      np.asarray(found["size"], dtype=np.int64)[known], int((~known).sum()),
                      "" if selection.empty else selection.hash, single)


def said(corpus: Corpus, places: Sequence[int], what: str, threshold: float | None = None) -> dict[int, str]:
    """The automatic label of some documents; those without a score are left out. ``threshold`` is the dimension's own
    where none is given: at or above it a document is good, or toxic."""
    scale = dimension_of(corpus, what)
    column = score_column(corpus, what) if scale.positive else "domain"
    rows = corpus.rows(f"SELECT place, {quoted(column)} FROM docs WHERE {quoted(column)} IS NOT NULL "
                       "AND place IN (SELECT unnest(?::BIGINT[]))", [list(map(int, places))])
    if not scale.positive:
        return {int(place): str(value) for place, value in rows}
    limit = float(scale.threshold if threshold is None else threshold)
    limit = float(np.float32(limit)) if column in corpus.single else limit
    return {int(place): scale.positive if value >= limit else scale.negative for place, value in rows}


def as_rule(corpus: Corpus, what: str, threshold: float) -> Test:
    """A threshold as a rule of a recipe: quality below it is dropped, or toxicity at or above it."""
    return Test(what, score_column(corpus, what), "<" if what == "quality" else ">=", float(threshold))
