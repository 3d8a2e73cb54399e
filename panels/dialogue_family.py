"""Families of branches: which dialogues come from one origin, read out of the runs that a visitor may see.

A member is named by its key ``<run id>/<place in the run's file>``, as in the library; a family by the key of its
origin, or by the origin's id where that lies in no run (a bundled talk). A run that has not written a dialogue yet is
shown as its request says that it begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from backends.sweetiechat import branch
from backends.sweetiechat.objects import dialogue_to_json
from backends.sweetiechat.requests import DialogueRequest
from panels import dialogue_cases as cases
from panels import dialogue_shelf as shelf
from workbench.contract import Json, UserError
from workbench.fields import from_json
from workbench.runs import Run
from workbench.service import Service
from workbench.widgets.loose import table, tables

TASK = "sweetiechat.dialogue.v1"
Say = Callable[..., str]


@dataclass(frozen=True)
class Member:
    """One dialogue of a family: where it lies, and of what and how it is a branch (nothing for the origin)."""

    key: str
    created: float
    id: str
    note: Mapping[str, Json]
    problem: str
    opening: str


@dataclass(frozen=True)
class Family:
    """An origin (when it can be read) and its branches, oldest first."""

    key: str
    members: tuple[Member, ...]

    def letter(self, key: str) -> str:
        """A for the first member, B for the next, ..., AA after Z."""
        place = next((n for n, member in enumerate(self.members) if member.key == key), 0)
        return (chr(64 + place // 26) if place >= 26 else "") + chr(65 + place % 26)


def families(service: Service, visitor: str) -> list[Family]:
    """Every family of two or more dialogues that this visitor may see, the one with the newest branch first."""
    found: dict[str, list[Member]] = {}
    for run in shelf.runs(service, visitor):
        if run.task == TASK and (member := member_of(run)) and member.note:
            found.setdefault(root_key(member.note), []).append(member)
    whole = []
    for key, branches in found.items():  # runs come newest first, and so do the families
        origin = _origin(service, visitor, branches[0].note)
        members = ([origin] if origin else []) + sorted(branches, key=lambda member: member.created)
        if len(members) > 1:
            whole.append(Family(key, tuple(members)))
    return whole


def note_of(dialogue: Mapping[str, Json]) -> Mapping[str, Json]:
    """``qc["branch"]`` of a dialogue's JSON; empty for one that is no branch."""
    return table(table(dialogue.get("qc")).get("branch"))


def root_key(note: Mapping[str, Json]) -> str:
    """The family that a branch belongs to: its root's place, else its root's id."""
    root = table(note.get("root"))
    return f"{root['run']}/{root.get('number') or 0}" if root.get("run") else str(root.get("id") or "")


def family_of(service: Service, visitor: str, run_id: str) -> tuple[str, str]:
    """The family's key for a run that is a branch or an origin, and the run's own key. Raises ``UserError`` for a run
    that one may not see."""
    member = member_of(service.run(visitor, run_id))
    key = f"{run_id}/0"
    return (root_key(member.note) if member and member.note else key), key


def member_of(run: Run) -> Member | None:
    """A watched dialogue as a member; nothing when it has neither a dialogue nor an origin."""
    path = shelf.file_of(run)
    value = head(path) if path is not None else beginning(run.fields)
    return _member(f"{run.id}/0", run.created, value) if value else None


def head(path: Path) -> Mapping[str, Json]:
    """What a family needs of a ``dialogue.json``, kept while the file rests."""
    try:
        stat = path.stat()
        return _head(path, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=512)
def _head(path: Path, size: int, changed: int) -> Mapping[str, Json]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    if not isinstance(value, Mapping):
        return {}
    scenario = {"problem_type_id": table(value.get("scenario")).get("problem_type_id")}
    return {"id": value.get("id"), "qc": {"branch": note_of(value)}, "scenario": scenario,
            "turns": tables(value.get("turns"))[:1]}


def beginning(fields: Mapping[str, Json]) -> Mapping[str, Json]:
    """The dialogue of a branch that has not begun, out of its request; nothing when there is no origin."""
    if not fields.get("origin"):
        return {}
    try:
        return dialogue_to_json(branch.start(from_json(DialogueRequest, fields)).dialogue)
    except (UserError, AttributeError, KeyError, TypeError, ValueError):
        return {}  # the run says itself what is wrong with it


def _member(key: str, created: float, value: Mapping[str, Json]) -> Member:
    turns = tables(value.get("turns"))
    return Member(key, created, str(value.get("id") or ""), note_of(value),
                  str(table(value.get("scenario")).get("problem_type_id") or ""),
                  str(turns[0].get("text") or "") if turns else "")


def _origin(service: Service, visitor: str, note: Mapping[str, Json]) -> Member | None:
    root = table(note.get("root"))
    if not root.get("run"):
        return None
    key = root_key(note)
    try:
        created = service.run(visitor, str(root["run"])).created
        return _member(key, created, shelf.read(service, visitor, key))
    except UserError:
        return None  # deleted, or not this visitor's any more


def read(service: Service, visitor: str, key: str) -> tuple[Run, Mapping[str, Json]]:
    """The run of a member and its dialogue as it is now."""
    run = service.run(visitor, key.partition("/")[0])
    if shelf.file_of(run) is None:
        return run, beginning(run.fields)
    return run, shelf.read(service, visitor, key)


def title(family: Family, lang: str, say: Say) -> str:
    """Problem and first words, with the number of dialogues."""
    first = family.members[0]
    words = first.opening[:60] + ("…" if len(first.opening) > 60 else "")
    problem = cases.problem_name(first.problem, lang)
    return say("compare.family", problem=problem, opening=words, count=len(family.members))


def changed(note: Mapping[str, Json], labels: Mapping[str, str], say: Say) -> str:
    """What a branch changed, in words: ``Turn 4: strategy Question → Information``."""
    if not note:
        return say("compare.original")
    parts = list(_changes(table(note.get("changed")), labels, say)) or [say("compare.unchanged")]
    turn = note.get("turn")
    return say("compare.changed", turn=turn + 1 if isinstance(turn, int) else "?", what="; ".join(parts))


def _changes(found: Mapping[str, Json], labels: Mapping[str, str], say: Say) -> Iterator[str]:
    for name, change in found.items():
        old, new = str(table(change).get("from", "")), str(table(change).get("to", ""))
        if name == "strategy":
            yield say("compare.change.strategy", old=labels.get(old, old) or "–", new=labels.get(new, new))
        elif name == "text":
            yield say("compare.change.text")
        elif name == "counselor":
            yield say("compare.change.counselor", old=mode_name(old, say), new=mode_name(new, say))
        elif name == "seed":
            yield say("compare.change.seed", old=old, new=new)
        elif name.endswith("_model"):
            role = say(f"dialogue.role.{name.removesuffix('_model')}")
            yield say("compare.change.model", role=role, new=new)


MODES = ("scored", "prompt", "classifier", "agent", "oracle", "none", "you")


def mode_name(mode: str, say: Say) -> str:
    """A counselor mode in words; one that this page does not know is shown as it is."""
    return say(f"branch.counselor.{mode}") if mode in MODES else mode


def reference(key: str, run: Run) -> str:
    """How a request names a member: ``run:ID``, or ``run:ID/dialogues.jsonl#N`` in a file of many."""
    run_id, _, number = key.partition("/")
    return f"run:{run_id}" if run.task == TASK else f"run:{run_id}/{shelf.FILES[0]}#{number}"


def names(family: Family, keys: Sequence[str], lang: str, labels: Mapping[str, str], say: Say) -> list[str]:
    """Letter and change of each of these members, for a list of choices."""
    notes = {member.key: member.note for member in family.members}
    return [f"{family.letter(key)} · {changed(notes.get(key, {}), labels, say)}" for key in keys]
