"""What people decide about clusters of near-duplicates, and what it changes.

A decision is a command of the filtering run: ``{"do": "cluster", "cluster": n, "keep": [places], "by": name}``. The
latest one of a cluster counts; ``"keep": null`` takes decisions back. No file of the run is rewritten: what is kept in
the end is worked out from its verdicts and the decisions.

    kept in the end = the other rules keep it and (decided: it is among the chosen; else: as the run has it)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from backends.mdfg.explore.clusters import passing
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.judging import Moved
from backends.mdfg.explore.labels import MOST_PLACE
from backends.mdfg.explore.selection import Selection, Where
from workbench.contract import Json, UserError

DO = "cluster"
MOST = 10_000
"""Members that one decision may name."""


@dataclass(frozen=True)
class Decision:
    """``keep``: places of the members that stay, ascending. ``at``: seconds since 1970."""

    cluster: int
    keep: tuple[int, ...]
    by: str = ""
    note: str = ""
    at: float = 0.0


@dataclass(frozen=True)
class Change:
    """Documents that the decisions change against the run. ``stays``: places that the run drops and that are now
    kept; ``goes``: places that the run keeps and that are now dropped; ``blocked``: chosen members that another rule
    drops all the same; ``decided``: clusters with a decision; ``unfit``: decisions on clusters that there are not."""

    decided: int
    stays: tuple[int, ...]
    goes: tuple[int, ...]
    blocked: tuple[int, ...]
    unfit: int

    @property
    def documents(self) -> int:
        """How many documents change."""
        return len(self.stays) + len(self.goes)


def decide(corpus: Corpus, number: int, keep: Sequence[int], by: str = "", note: str = "") -> dict[str, Json]:
    """The command for a decision. Raises ``UserError`` for a place that is not in the cluster."""
    members = {place for (place,) in corpus.rows("SELECT place FROM docs WHERE dup_cluster = ?", [number])}
    if number < 0 or not members:
        raise UserError(f"There is no cluster {number}.", advice="Choose one from the list.")
    strangers = sorted(set(keep) - members)
    if strangers:
        raise UserError(f"Document {strangers[0]} is not in cluster {number}.",
                        advice=f"Its {len(members)} members begin with {min(members)}.")
    if len(keep) > MOST:
        raise UserError(f"{len(keep):,} documents are to stay; one decision names at most {MOST:,}.")
    return {"do": DO, "cluster": number, "keep": sorted(set(map(int, keep))), "by": by[:200], "note": note[:1000]}


def accept_all(corpus: Corpus, number: int, by: str = "") -> dict[str, Json]:
    """The command that keeps every member: these are no duplicates."""
    rows = corpus.rows("SELECT place FROM docs WHERE dup_cluster = ? ORDER BY place LIMIT ?", [number, MOST + 1])
    return decide(corpus, number, [place for (place,) in rows], by)


def reject_all(corpus: Corpus, number: int, by: str = "") -> dict[str, Json]:
    """The command that keeps none."""
    return decide(corpus, number, (), by)


def undo(number: int, by: str = "") -> dict[str, Json]:
    """The command that takes the decisions on a cluster back."""
    return {"do": DO, "cluster": number, "keep": None, "by": by[:200]}


def decisions(commands: Iterable[Mapping[str, Json]]) -> dict[int, Decision]:
    """The decision that counts for each cluster, by number. Other commands and broken ones are passed over."""
    found: dict[int, Decision] = {}
    for command in commands:
        number, keep = command.get("cluster"), command.get("keep", ())
        if command.get("do") != DO or not isinstance(number, int) or not _whole(number):
            continue
        if keep is None:
            found.pop(number, None)
        elif isinstance(keep, list) and all(map(_whole, keep)):
            at = command.get("at")
            found[number] = Decision(number, tuple(sorted(set(keep))), str(command.get("by") or ""),
                                     str(command.get("note") or ""), float(at) if isinstance(at, int | float) else 0.0)
    return dict(sorted(found.items()))


def _whole(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_PLACE


@dataclass(frozen=True)
class Decided(Selection):
    """A selection whose ``kept`` and ``dropped`` are meant after decisions: ``stays`` are kept, ``goes`` are dropped.
    Its other parts, rules that fail among them, stay as the run measured them."""

    stays: tuple[int, ...] = ()
    goes: tuple[int, ...] = ()

    def where(self, corpus: Corpus) -> Where:
        """The condition of the selection with the verdicts after the decisions."""
        if self.show == "all":
            return super().where(corpus)
        rest = Selection.where(replace(self, show="all"), corpus)
        kept = ("((kept OR place IN (SELECT unnest(?::BIGINT[]))) AND "
                "place NOT IN (SELECT unnest(?::BIGINT[])))")
        return Where(f"{rest.sql} AND {'' if self.show == 'kept' else 'NOT '}{kept}",
                     (*rest.parameters, list(self.stays), list(self.goes)))


def decided_selection(selection: Selection, change: Change) -> Decided:
    """The selection after the decisions. ``change`` must be of the same moved limits."""
    parts = {field: getattr(selection, field) for field in Selection.__dataclass_fields__}
    return Decided(**parts, stays=change.stays, goes=change.goes)


def changed(corpus: Corpus, decided: Mapping[int, Decision], moved: Moved = ()) -> Change:
    """What decisions change against the verdicts of the run, or against those under moved limits."""
    chosen = {place for decision in decided.values() for place in decision.keep}
    rows = corpus.rows(f"SELECT place, kept, {passing(corpus.recipe)}, dup_cluster FROM "
                       f"{corpus.judged(moved)} WHERE dup_cluster IN (SELECT unnest(?::BIGINT[])) AND dup_cluster >= 0 "
                       "ORDER BY place", [list(decided)])
    mine = [(place, kept, passes, place in chosen and place in decided[number].keep)
            for place, kept, passes, number in rows]
    return Change(
        len(decided), tuple(place for place, kept, passes, stays in mine if stays and passes and not kept),
        tuple(place for place, kept, passes, stays in mine if kept and not stays),
        tuple(place for place, _, passes, stays in mine if stays and not passes),
        len(set(decided) - {number for *_, number in rows}))
