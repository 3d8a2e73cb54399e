"""A concept learned from examples: logistic regression on the vectors of the index, and which documents to ask about.

    minimise  sum_i c_i ln(1 + exp(-s_i (w . x_i + b))) + (strength / 2) |w|^2,   s_i = +1 or -1
    P = sigmoid(w . x + b)

with c_i such that both classes weigh the same, solved by Newton's method in the space of the examples (w lies in it).
Where nobody gave counter-examples, documents drawn from the corpus stand in for them (most do not show the concept);
the note of the hits says so. The weakness is that of the vectors: a concept that is not a topic (irony, a rare name) is
not found this way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.explore.query import Hits, Note, Query
from backends.mdfg.explore.semantic import Index, best, cosines, open_index
from workbench.contract import UserError

if TYPE_CHECKING:
    from backends.mdfg.explore.search import Searched

STRENGTH = 0.05
"""Weight of |w|^2 / 2 (our default): a handful of examples then gives probabilities away from one half."""
LEAST = 0.5
ASSUMED, SEED, TRIED = 64, 5, 50
ROUNDS, SMALL = 50, 1e-9
ALIKE = 0.95
"""Two documents of a larger cosine are not both suggested."""
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Concept:
    """``weights`` (dimensions,) and ``bias``; what it was learned from: ``rows`` (examples, dimensions), ``signs``
    (examples,) and how many of the last rows nobody gave (``assumed``)."""

    weights: Vector
    bias: float
    rows: Vector
    signs: Vector
    assumed: int


@dataclass(frozen=True)
class Ask:
    """A document about which the concept is unsure; ``probability`` of the concept."""

    place: int
    probability: float


def find_concept(corpus: Searched, query: Query) -> Hits:
    """The documents in which a concept is more likely than not (or as likely as the query asks)."""
    index = open_index(corpus)
    concept = learn(index, query)
    found = best(query, probabilities(index, concept), query.least or LEAST, len(index.vectors))
    told: list[Note] = []
    right, tried = left_out(concept)
    if concept.assumed:
        told.append(Note("assumed", (("count", f"{concept.assumed:,}"),)))
    if tried:
        told.append(Note("tried", (("right", str(right)), ("tried", str(tried)))))
    return Hits(query, found.places, found.scores, (*found.notes, *told))


def learn(index: Index, query: Query, strength: float = STRENGTH) -> Concept:
    """Learn a concept from the examples of a query; its text is one more example.

    Raises ``UserError`` for a document on both sides, or without any example."""
    both = sorted(set(query.like) & set(query.unlike))
    if both:
        raise UserError(f"Document {both[0]} is an example and a counter-example.", advice="Take it off one side.")
    like = index.of(query.like).astype(np.float64)
    if query.text.strip():
        like = np.vstack([like, index.projector.query(query.text)[0][None]])
    drawn = () if query.unlike else _drawn(len(index.vectors), query.like)
    unlike = index.of(query.unlike or drawn).astype(np.float64)
    if not len(like) or not len(unlike):
        raise UserError(f"There are {len(like)} examples and {len(unlike)} counter-examples; a concept needs one each.",
                        advice="Mark a document that shows it and one that does not.")
    rows, signs = np.vstack([like, unlike]), np.repeat([1.0, -1.0], [len(like), len(unlike)])
    weights, bias = fit(rows, signs, strength)
    return Concept(weights, bias, rows, signs, len(drawn))


def _drawn(total: int, like: tuple[int, ...]) -> tuple[int, ...]:
    draw = np.random.Generator(np.random.PCG64(SEED))
    taken = set(like)
    return tuple(int(place) for place in np.sort(draw.permutation(total)[:ASSUMED]) if int(place) not in taken)


def fit(rows: Vector, signs: Vector, strength: float = STRENGTH) -> tuple[Vector, float]:
    """(w, b) of rows (n, d) and signs (n,); the bias is not held back."""
    if len(rows) < rows.shape[1]:
        basis = np.linalg.qr(rows.T)[0]
        inner, bias = fit(rows @ basis, signs, strength)
        return basis @ inner, bias
    counts = {sign: int(np.sum(signs == sign)) for sign in (1.0, -1.0)}
    worth = np.where(signs > 0, len(signs) / (2 * max(1, counts[1.0])), len(signs) / (2 * max(1, counts[-1.0])))
    wide = np.hstack([rows, np.ones((len(rows), 1))])
    held = np.full(wide.shape[1], strength)
    held[-1] = 1e-6
    w = np.zeros(wide.shape[1])
    loss = _loss(wide, signs, worth, held, w)
    for _ in range(ROUNDS):
        p = _sigmoid(wide @ w)
        slope = wide.T @ (worth * (p - (signs > 0))) + held * w
        step = np.linalg.solve(wide.T @ (wide * (worth * p * (1 - p))[:, None]) + np.diag(held), slope)
        size = 1.0
        while (now := _loss(wide, signs, worth, held, w - size * step)) > loss and size > SMALL:
            size /= 2
        if loss - now <= SMALL:
            break
        w, loss = w - size * step, now
    return w[:-1], float(w[-1])


def _loss(wide: Vector, signs: Vector, worth: Vector, held: Vector, w: Vector) -> float:
    return float(np.sum(worth * np.logaddexp(0, -signs * (wide @ w))) + np.sum(held * w * w) / 2)


def _sigmoid(z: Vector) -> Vector:
    return np.asarray(np.where(z >= 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z)))))


def left_out(concept: Concept, strength: float = STRENGTH) -> tuple[int, int]:
    """(right, tried): examples that a concept learned from the others gets right. At most 50 are tried, spread evenly;
    none where a class would be left with nothing."""
    rows, signs = concept.rows, concept.signs
    given = len(rows) - concept.assumed
    right = tried = 0
    for place in range(0, given, max(1, -(-given // TRIED))):
        rest = np.arange(len(rows)) != place
        if len(set(signs[rest].tolist())) == 2:
            w, b = fit(rows[rest], signs[rest], strength)
            tried, right = tried + 1, right + bool((rows[place] @ w + b > 0) == (signs[place] > 0))
    return right, tried


def probabilities(index: Index, concept: Concept) -> Vector:
    """Probability of the concept for every document, (documents,)."""
    return _sigmoid(cosines(index, concept.weights.astype(np.float32)) + concept.bias)


def ask_next(index: Index, concept: Concept, known: tuple[int, ...], count: int = 10) -> list[Ask]:
    """The documents nearest to one half that nobody has marked, the most uncertain first, near-copies left out."""
    found = probabilities(index, concept)
    chosen: list[Ask] = []
    taken = set(known)
    for place in np.argsort(np.abs(found - 0.5), kind="stable")[:20 * count + len(known)].tolist():
        if place in taken or not index.vectors[place].any():
            continue
        if chosen and float((index.of([ask.place for ask in chosen]) @ index.of([place])[0]).max()) > ALIKE:
            continue
        chosen.append(Ask(place, float(found[place])))
        if len(chosen) == count:
            break
    return chosen
