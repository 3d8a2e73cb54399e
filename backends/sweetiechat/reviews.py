"""A person's decisions on quarantined dialogues, and which dialogues of a run count after them.

A run keeps its quarantined dialogues apart, in ``quarantined.jsonl``; decisions are appended to ``reviews.jsonl`` as
``{"dialogue": id, "decision": "accept" | "reject", "at": UTC time}``, the last one counts. A reader puts it into
``qc["review"]``. Nothing ever becomes accepted without such a line.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, get_args

from backends.sweetiechat.objects import Dialogue, dialogue_from_json
from backends.sweetiechat.quality.gate import status_of
from workbench.contract import Json, UserError
from workbench.files import append_line, read_lines

DIALOGUES, QUARANTINED, REVIEWS = "dialogues.jsonl", "quarantined.jsonl", "reviews.jsonl"
REVIEW = "review"
Decision = Literal["accept", "reject"]
BECOMES: Mapping[str, str] = {"accept": "accepted", "reject": "rejected"}


def standing(qc: Mapping[str, Json]) -> str:
    """``accepted``, ``rejected``, ``quarantined``, or empty where nobody judged; a person's decision goes before the
    rules', but only where the rules left the dialogue to a person."""
    status, review = status_of(qc), qc.get(REVIEW)
    if status == "quarantined" and isinstance(review, Mapping):
        return BECOMES.get(str(review.get("decision")), status)
    return status


def decide(folder: Path, dialogue: str, decision: str) -> dict[str, Json]:
    """Keep a decision on one quarantined dialogue of a run's folder of artifacts; the line that was written.

    Raises ``UserError`` for another word than accept or reject, and for a dialogue that is not in quarantine there.
    """
    if decision not in get_args(Decision):
        raise UserError(f"decision is {decision[:40]!r}; it must be accept or reject.")
    if dialogue not in {str(row.get("id")) for row in read_lines(folder / QUARANTINED)}:
        raise UserError(f"There is no quarantined dialogue {dialogue[:60]!r} in this run.",
                        advice="Look at the list again.")
    line = {"dialogue": dialogue, "decision": decision, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    append_line(folder / REVIEWS, line, durable=True)
    return line


def reviews_of(folder: Path) -> dict[str, dict[str, Json]]:
    """The last decision on each dialogue, as it stands in ``qc["review"]``."""
    found: dict[str, dict[str, Json]] = {}
    for line in read_lines(folder / REVIEWS):
        if isinstance(line, dict) and line.get("decision") in BECOMES:
            found[str(line.get("dialogue"))] = {"decision": line["decision"], "at": str(line.get("at", ""))}
    return found


def reviewed(qc: Mapping[str, Json], name: str, reviews: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    """A dialogue's ``qc`` with the decision on it, if there is one."""
    return {**qc, REVIEW: dict(reviews[name])} if name in reviews else dict(qc)


def released(folder: Path) -> list[Dialogue]:
    """The quarantined dialogues of a run that a person accepted, with the decision in them."""
    reviews = reviews_of(folder)
    found = map(dialogue_from_json, read_lines(folder / QUARANTINED)) if reviews else ()
    every = (dataclasses.replace(d, qc=reviewed(d.qc, d.id, reviews)) for d in found)
    return [d for d in every if standing(d.qc) == "accepted"]


def with_released(path: Path, dialogues: Iterable[Dialogue]) -> list[Dialogue]:
    """The dialogues that were read from ``path``; for a run's ``dialogues.jsonl`` the released ones after them."""
    known = list(dialogues)
    return [*known, *released(path.parent)] if path.name == DIALOGUES else known
