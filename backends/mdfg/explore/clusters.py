"""Clusters of near-duplicates: how large they are, who is in them, how alike, which document is kept and why.

A run that looks for near-duplicates puts every document of a cluster under the number of its first one
(``dedup.clusters``). Kept is one that the other rules keep before one that they drop, then the highest quality, then
the longest, then the first. Similarities are made again from the texts: the MinHash estimate that the run used, and the
exact share of 5-character shingles that two texts have in common (Jaccard). Of a long text its first :data:`COMPARED`
characters are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.diff import Difference, difference
from backends.mdfg.recipes import Recipe
from workbench.contract import UserError

NEAR = ("dup_keep", "dup_cluster", "dup_size")
SNIPPET, MEMBERS, LIMIT = 160, 50, 50
COMPARED = 50_000
"""Characters of each text from which its likeness is made (our default)."""
Sort = Literal["size", "number", "length"]
Why = Literal["rules", "quality", "length", "first"]
ORDER = {"size": "size DESC, number", "number": "number", "length": "longest DESC, number"}


@dataclass(frozen=True)
class Cluster:
    """``number`` is the place of its first document; ``best`` the place of the one that is kept; ``passing``: members
    that the other rules keep; ``kept``: members that the run keeps; ``longest``: characters of the longest."""

    number: int
    size: int
    best: int
    passing: int
    kept: int
    longest: int


@dataclass(frozen=True)
class Clusters:
    """One page of clusters; ``shown`` is what the page leafs through, ``documents`` how many documents those hold."""

    rows: tuple[Cluster, ...]
    shown: int
    total: int
    documents: int


@dataclass(frozen=True)
class Member:
    """One document of a cluster. ``estimate`` and ``jaccard`` are its likeness to the one that is kept."""

    place: int
    id: str
    source: str
    length: int
    quality: float | None
    passes: bool
    kept: bool
    best: bool
    estimate: float
    jaccard: float
    title: str
    snippet: str


@dataclass(frozen=True)
class Opened:
    """A cluster with its members, the kept one first, then by place; ``why`` the best one was chosen before the
    others. Of a large cluster only the first members are listed; ``cluster.size`` says how many there are. ``cut`` of
    the listed texts are longer than what is compared of them."""

    cluster: Cluster
    members: tuple[Member, ...]
    why: Why
    cut: int = 0


def passing(recipe: Recipe) -> str:
    """SQL: whether the rules that do not look at near-duplicates keep a document."""
    names = list(dict.fromkeys(test.rule for test in recipe.tests))
    near = sum(1 << i for i, name in enumerate(names)
               if all(test.column in NEAR for test in recipe.tests if test.rule == name))
    return f"(rule_fail & {~near & 0xFFFFFFFF}::UINTEGER) = 0"


def _grouped(recipe: Recipe) -> str:
    return (f"SELECT dup_cluster AS number, count(*) AS size, arg_max(place, dup_keep) AS best, "
            f"count(*) FILTER (WHERE {passing(recipe)}) AS passing, count(*) FILTER (WHERE kept) AS kept, "
            "max(n_chars) AS longest FROM docs WHERE dup_cluster >= 0")


def clusters(corpus: Corpus, least: int = 2, sort: Sort = "size", offset: int = 0, limit: int = LIMIT) -> Clusters:
    """Clusters of at least ``least`` documents. Raises ``UserError`` for an order that there is not."""
    if sort not in ORDER:
        raise UserError(f"Clusters cannot be ordered by {sort!r}.", advice=f"Choose one of {', '.join(ORDER)}.")
    grouped = f"{_grouped(corpus.recipe)} GROUP BY dup_cluster"
    rows = corpus.rows(f"SELECT * FROM ({grouped}) WHERE size >= ? ORDER BY {ORDER[sort]} LIMIT ? OFFSET ?",
                       [least, max(0, limit), max(0, offset)])
    (shown, total, documents), = corpus.rows(
        f"SELECT count(*) FILTER (WHERE size >= $1), count(*), coalesce(sum(size) FILTER (WHERE size >= $1), 0) "
        f"FROM ({grouped})", [least])
    return Clusters(tuple(Cluster(*map(int, row)) for row in rows), int(shown), int(total), int(documents))


def open_cluster(corpus: Corpus, number: int, most: int = MEMBERS) -> Opened:
    """A cluster with its members; those that were opened lately are kept. Raises ``UserError`` when there is none of
    this number."""
    return corpus.answer(("cluster", number, most), lambda: _opened(corpus, number, most))


def _opened(corpus: Corpus, number: int, most: int) -> Opened:
    found = corpus.rows(f"{_grouped(corpus.recipe)} AND dup_cluster = ? GROUP BY dup_cluster", [number])
    if not found:
        mode = corpus.recipe.near.mode
        advice = "The run did not look for near-duplicates." if mode == "off" else "Choose one from the list."
        raise UserError(f"There is no cluster {number}.", advice=advice)
    cluster = Cluster(*map(int, found[0]))
    rows = corpus.rows(
        f"SELECT place, id, source, n_chars, quality, {passing(corpus.recipe)}, kept, dup_keep = 1 FROM docs "
        "WHERE dup_cluster = ? ORDER BY dup_keep DESC, place LIMIT ?", [number, max(1, most)])
    documents = corpus.texts([row[0] for row in rows[:most]], light=True)
    likeness = alike([document.text[:COMPARED] for document in documents], corpus.recipe)
    members = tuple(
        Member(place, name, source, length, quality, bool(passes), bool(kept), bool(best), estimate, exact,
               document.title[:SNIPPET], " ".join(document.text[:2 * SNIPPET].split())[:SNIPPET])
        for (place, name, source, length, quality, passes, kept, best), document, (estimate, exact)
        in zip(rows[:most], documents, likeness, strict=True))
    return Opened(cluster, members, _why(corpus, number, rows[0]),
                  sum(len(document.text) > COMPARED for document in documents))


def _why(corpus: Corpus, number: int, best: Sequence[Any]) -> Why:
    """The first thing in which the kept one is before all that were still level with it: counted, not fetched."""
    keep = corpus.recipe.near.keep
    merits: list[tuple[Why, str, Any]] = [("rules", passing(corpus.recipe), bool(best[5]))]
    if keep == "quality":
        merits.append(("quality", "coalesce(quality, -1)", -1.0 if best[4] is None else best[4]))
    if keep != "first":
        merits.append(("length", "n_chars", best[3]))
    level = [" AND ".join(f"({sql}) = ${place}" for place, (_, sql, _) in enumerate(merits[:count], 2))
             for count in range(1, len(merits) + 1)]
    (counts,) = corpus.rows(f"SELECT {', '.join(f'count(*) FILTER (WHERE {one})' for one in level)} FROM docs "
                            "WHERE dup_cluster = $1", [number, *(value for _, _, value in merits)])
    return next((name for (name, _, _), count in zip(merits, counts, strict=True) if count == 1), "first")


def alike(texts: Sequence[str], recipe: Recipe) -> list[tuple[float, float]]:
    """(MinHash estimate, exact Jaccard of shingles) of the first text with each, itself included."""
    if not texts:
        return []
    from backends.mdfg.dedup.minhash import signatures, similarity
    from backends.mdfg.text.codes import codes_of

    made = signatures(*codes_of(texts), recipe.near.shingle, recipe.near.functions)
    estimates = similarity(np.broadcast_to(made[0], made.shape), made)
    best = shingles(texts[0], recipe.near.shingle)
    return [(float(estimate), jaccard(best, shingles(text, recipe.near.shingle)))  # one set beside the best at a time
            for estimate, text in zip(estimates, texts, strict=True)]


def shingles(text: str, size: int) -> frozenset[str]:
    """Windows of ``size`` characters of the text in lower case without spaces, tabs and line ends, as MinHash reads it;
    a text that is shorter is one shingle, an empty one has none."""
    plain = text.strip().lower().replace(" ", "").replace("\n", "").replace("\t", "")
    return frozenset(plain[i:i + size] for i in range(max(1, len(plain) - size + 1))) if plain else frozenset()


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Size of what two sets share over the size of what either has; 1 for two empty ones."""
    either = len(one | other)
    return len(one & other) / either if either else 1.0


def compare(corpus: Corpus, first: int, second: int) -> Difference:
    """The difference of two documents by place."""
    one, other = corpus.texts([first, second])
    return difference(one.text, other.text)
