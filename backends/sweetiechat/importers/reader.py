"""``import_dialogues``: a file or a folder of any known format -> dialogues, cards, and what was left out and why."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from backends.sweetiechat.importers.building import build
from backends.sweetiechat.importers.convokit import UTTERANCES
from backends.sweetiechat.importers.draft import Draft, Format, RoleCard, Row
from backends.sweetiechat.importers.formats import AUTO, format_named, is_entry, sniff
from backends.sweetiechat.importers.labels import Normalisers, normalisers
from backends.sweetiechat.importers.reading import read_rows
from backends.sweetiechat.objects import Dialogue, Scenario, SeekerCard
from workbench.contract import MissingResource, UserError

ENDINGS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt")
PEEK = 20
"""Entries that are looked at to tell a format: the first ones may be broken."""
Skipped = tuple[str, str]
"""Where (file and line) and why."""


@dataclass(frozen=True)
class Imported:
    """What a file held. ``format`` names its format (those of a folder's files, joined by +); a card's scenario has
    its ``scenario_id``. Every entry of the file is a dialogue, a card or in ``skipped``."""

    dialogues: tuple[Dialogue, ...]
    cards: tuple[SeekerCard, ...]
    skipped: tuple[Skipped, ...]
    format: str
    scenarios: tuple[Scenario, ...] = ()


@dataclass
class _Gathered:
    """What has been read so far; ``names`` counts ids, so that a dialogue that occurs twice gets two."""

    limit: int | None
    dialogues: list[Dialogue] = dataclasses.field(default_factory=list)
    roles: list[RoleCard] = dataclasses.field(default_factory=list)
    skipped: list[Skipped] = dataclasses.field(default_factory=list)
    formats: dict[str, None] = dataclasses.field(default_factory=dict)
    names: Counter[str] = dataclasses.field(default_factory=Counter)

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return self.limit is not None and len(self.dialogues) + len(self.roles) >= self.limit

    def add(self, made: Dialogue | RoleCard) -> None:
        """Keep one more."""
        name = made.id if isinstance(made, Dialogue) else made.scenario.id
        self.names[name] += 1
        again = f"{name}-{self.names[name]}" if self.names[name] > 1 else name
        if isinstance(made, Dialogue):
            self.dialogues.append(dataclasses.replace(made, id=again))
        else:
            self.roles.append(RoleCard(dataclasses.replace(made.card, id=f"{again}-1", scenario_id=again),
                                       dataclasses.replace(made.scenario, id=again)))


def import_dialogues(path: Path, format: str = AUTO, limit: int | None = None, strategy_set: str = "", name: str = "",
                     cancelled: Callable[[int], None] | None = None) -> Imported:
    """Read a file, or every file of a folder, in the named format or the one that it looks like.

    Good entries are kept, bad ones reported. ``limit`` ends after so many; ``strategy_set`` overrides the set whose
    labels a format uses; ``name`` is what people call the file; ``cancelled`` is called with the number read so far
    and may end the work by raising. Raises ``UserError`` when nothing at all can be used, saying why.
    """
    gathered, known = _Gathered(limit), normalisers()
    files = files_of(path)
    for file in files:
        try:
            called = name if name and len(files) == 1 else file.name
            _read(file, called, format, strategy_set, known, gathered, cancelled)
        except UserError as error:
            if len(files) == 1:
                raise
            gathered.skipped.append((file.name, error.message))
        if gathered.full:
            break
    if not gathered.dialogues and not gathered.roles:
        where, why = gathered.skipped[0] if gathered.skipped else (name or path.name, "it has no entry")
        raise UserError(f"Nothing in {name or path.name} can be imported. {where}: {why}.",
                        advice="Choose another file, or name its format if it was taken for another one.")
    return Imported(tuple(gathered.dialogues), tuple(role.card for role in gathered.roles), tuple(gathered.skipped),
                    "+".join(gathered.formats), tuple(role.scenario for role in gathered.roles))


def files_of(path: Path) -> list[Path]:
    """The file itself; of a folder ConvoKit's utterances, or all of its data files by name."""
    if path.is_dir():
        if (path / UTTERANCES).is_file():
            return [path / UTTERANCES]
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS and file.is_file())
        if not found:
            raise MissingResource(f"The folder {path.name} holds no data file.",
                                  advice=f"It must hold files ending in {', '.join(ENDINGS)}.")
        return found
    if not path.is_file():
        raise MissingResource(f"There is no file {path.name}.", advice="Check the path.")
    return [path]


def _read(file: Path, called: str, name: str, strategy_set: str, known: Normalisers, gathered: _Gathered,
          cancelled: Callable[[int], None] | None) -> None:
    rows = read_rows(file, is_entry, called)
    head = list(islice(rows, PEEK))
    form = sniff(head, called) if name == AUTO else format_named(name)
    if strategy_set:
        form = dataclasses.replace(form, strategies=known.of(strategy_set).strategies.name)
    gathered.formats[form.name] = None
    every: Iterator[Row] = chain(head, rows)
    for row in form.group(every) if form.group else every:
        if gathered.full:
            return
        if cancelled is not None:
            cancelled(len(gathered.dialogues) + len(gathered.roles))
        if row.problem:
            gathered.skipped.append((row.where, row.problem))
            continue
        try:
            gathered.add(_made(row, form, called, known))
        except UserError as error:
            gathered.skipped.append((row.where, error.message.rstrip(".")))


def _made(row: Row, form: Format, file: str, known: Normalisers) -> Dialogue | RoleCard:
    try:
        made = form.read(row.value)
    except (TypeError, KeyError, AttributeError, IndexError, ValueError) as error:  # an entry of quite another shape
        why = f"{type(error).__name__}: {str(error)[:80]}"
        raise UserError(f"it is no entry of the format {form.name} ({why})") from error
    return build(made, form, row.where, file, known) if isinstance(made, Draft) else made
