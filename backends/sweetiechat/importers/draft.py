"""What a reader of one format hands over: utterances with their labels as written, before anything is decided.

Readers only find their fields; merging, cleaning, labels and ids are the same for every format (:mod:`building`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from backends.sweetiechat.objects import Dialogue, Language, Scenario, SeekerCard, Speaker
from workbench.contract import Json, UserError

MadeBy = Literal["people", "model", "unknown"]
SEEKER = frozenset({"seeker", "help-seeker", "help seeker", "usr", "user", "client", "human", "patient", "speaker",
                    "求助者", "来访者", "倾诉者", "用户", "患者"})
SUPPORTER = frozenset({"supporter", "sys", "listener", "counselor", "counsellor", "assistant", "gpt", "bot", "model",
                       "therapist", "helper", "ai", "支持者", "倾听者", "咨询师", "心理咨询师", "助手", "医生"})


@dataclass(frozen=True)
class Row:
    """One entry of a file: where it stands, and its value or what is wrong with it."""

    where: str
    value: Json = None
    problem: str = ""


@dataclass(frozen=True)
class Said:
    """One message. ``labels`` are strategies as the file spells them, ``stars`` a seeker's feedback."""

    role: Speaker
    text: str
    labels: tuple[str, ...] = ()
    stars: Json = None
    meta: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """A dialogue as a file tells it. Empty texts are what the file does not say; ``notes`` go to ``qc["source"]``."""

    said: tuple[Said, ...]
    situation: str = ""
    emotion: str = ""
    problem: str = ""
    trigger: str = ""
    survey: Mapping[str, Json] = field(default_factory=dict)
    notes: Mapping[str, Json] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class RoleCard:
    """A seeker card with the scenario that it tells, as ESC-Eval has them in one."""

    card: SeekerCard
    scenario: Scenario


Made = Draft | RoleCard | Dialogue


@dataclass(frozen=True)
class Format:
    """A file format. ``looks`` knows one of its entries; ``read`` turns an entry into a draft (``UserError`` says what
    is wrong with it); ``group`` gathers the rows of a table into entries first. ``strategies`` names the set of its
    labels; empty: the first bundled set that knows all labels of a dialogue."""

    name: str
    title: str
    looks: Callable[[Json], bool]
    read: Callable[[Json], Made]
    group: Callable[[Iterable[Row]], Iterator[Row]] | None = None
    strategies: str = ""
    language: Language | None = None
    made_by: MadeBy = "unknown"


def speaker(value: Json) -> Speaker:
    """Which of the two a name of a speaker means. Raises ``UserError`` for a name that is not known."""
    name = value.strip().casefold() if isinstance(value, str) else ""
    if name in SEEKER:
        return "seeker"
    if name in SUPPORTER:
        return "supporter"
    raise UserError(f"the speaker is {shown(value)}, which is neither a seeker nor a supporter")


def text_in(entry: Json, name: str, what: str = "the message") -> str:
    """The text of a field that must be there."""
    if not isinstance(entry, Mapping):
        raise UserError(f"{what} is {shown(entry)}; it must be a table with the field {name}")
    value = entry.get(name)
    if not isinstance(value, str):
        raise UserError(f"{name} of {what} is {shown(value)}; it must be text" if name in entry
                        else f"{what} has no field {name}; it has {fields(entry)}")
    return value


def text_of(entry: Mapping[str, Json], name: str) -> str:
    """The text of a field that may be absent or null; a number counts as its digits."""
    value = entry.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UserError(f"{name} is {shown(value)}; it must be text")
    return str(value)


def list_in(entry: Json, name: str) -> list[Json]:
    """The list of a field that must be there and hold something."""
    value = entry.get(name) if isinstance(entry, Mapping) else None
    if not isinstance(value, list) or not value:
        raise UserError(f"{name} is {shown(value)}; it must be a list of messages")
    return value


def has_list(value: Json, name: str, *keys: str) -> bool:
    """Whether an entry has a list of this name whose first item has all of ``keys``."""
    found = value.get(name) if isinstance(value, Mapping) else None
    first = found[0] if isinstance(found, list) and found else None
    return isinstance(first, Mapping) and all(key in first for key in keys)


def fields(entry: Mapping[str, Json]) -> str:
    """The names of an entry's fields for a sentence, at most eight of them."""
    names = [str(name)[:40] for name in entry]
    return (", ".join(names[:8]) + (" ..." if len(names) > 8 else "")) or "no field at all"


def shown(value: Json) -> str:
    """A value for a sentence, cut to sixty characters."""
    if value is None:
        return "missing"
    text = repr(value[:60] if isinstance(value, str) else value) if not isinstance(value, list | dict) else (
        f"a list of {len(value)}" if isinstance(value, list) else f"a table with {fields(value)}")
    return text if len(text) <= 120 else f"{text[:117]}..."
