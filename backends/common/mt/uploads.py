"""Files of people, put side by side: which column is a source, a reference or a system, and do the lines match?

Nothing that was given is lost: a file that cannot be used stays in :class:`Gathered` with the reason, the others go
on. Columns whose number of lines differs are not cut to fit; the diagnosis says by how many lines they differ and where
the shift probably is.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from backends.common.mt.reading import COLUMN, Format, Note, Table, read_table
from backends.common.mt.roles import Choice
from backends.common.mt.words import words
from workbench.contract import UserError

Role = Literal["", "source", "reference", "system", "domain", "ignore"]
SOURCES = re.compile(r"^(src|source|sources|input|orig)\b", re.IGNORECASE)
REFERENCES = re.compile(r"^(ref|refs|reference|references|target|gold)", re.IGNORECASE)
DOMAINS = re.compile(r"^(domain|genre|topic|doc|document)s?$", re.IGNORECASE)
IGNORED = re.compile(r"^(id|index|line|segment|seg_id|#)$", re.IGNORECASE)
PREVIEW = 5
SHIFT_LOOK = 400
LOOK = 2000
"""Characters of a segment that are looked at to find a shift."""


@dataclass(frozen=True)
class Upload:
    """A file as it was given. An empty ``role`` is told by the names; a table's columns each have their own.
    ``columns`` and ``names`` say what somebody has chosen for a column instead, by its head (``text`` in a txt)."""

    name: str
    data: bytes
    role: Role = ""
    format: Format = ""
    columns: Mapping[str, Role] = dataclasses.field(default_factory=dict)
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Opened:
    """A file that was read, or why it could not be."""

    upload: Upload
    table: Table | None
    problem: str = ""


@dataclass(frozen=True)
class Head:
    """A column of a file by the head it has there, with the role and the name it goes by."""

    column: str
    role: Role
    name: str


@dataclass(frozen=True)
class Column:
    """One column of segments with its role and the name it is shown by."""

    role: Role
    name: str
    segments: tuple[str, ...]
    file: str


@dataclass(frozen=True)
class Comparison:
    """Aligned segments: every list has ``size`` of them. ``domains`` and ``source`` may be ``None``."""

    systems: dict[str, tuple[str, ...]]
    references: dict[str, tuple[str, ...]]
    source: tuple[str, ...] | None = None
    domains: tuple[str, ...] | None = None

    @property
    def size(self) -> int:
        """Number of segments."""
        return len(next(iter(self.systems.values())))


@dataclass(frozen=True)
class Gathered:
    """What came of some files. ``comparison`` is ``None`` while there is a problem; ``preview`` holds the first
    segments of every column that could be read."""

    columns: tuple[Column, ...]
    notes: tuple[Note, ...]
    problems: tuple[str, ...]
    preview: tuple[dict[str, str], ...]
    comparison: Comparison | None


def with_choices(upload: Upload, said: Sequence[Choice]) -> Upload:
    """The upload with the roles and names that somebody has chosen for its columns."""
    roles: dict[str, Role] = {choice.column: choice.role for choice in said if choice.role}  # type: ignore[misc]
    return dataclasses.replace(upload, columns=roles,
                               names={choice.column: choice.name for choice in said if choice.name})


def gather(uploads: Sequence[Upload]) -> Gathered:
    """Read the files and put them side by side. Never raises for a bad file: its reason is a problem."""
    return side_by_side([opened(upload) for upload in uploads])


def opened(upload: Upload) -> Opened:
    """Read one file; never raises, an unreadable one has its reason."""
    try:
        return Opened(upload, read_table(upload.name, upload.data, upload.format))
    except UserError as error:
        return Opened(upload, None, str(error))


def side_by_side(files: Sequence[Opened]) -> Gathered:
    """Put files side by side that were read already."""
    columns: list[Column] = []
    notes: list[Note] = []
    problems: list[str] = []
    for file in files:
        if file.table is None:
            problems.append(file.problem)
            continue
        notes += file.table.notes
        columns += [Column(head.role, head.name, file.table.columns[head.column], file.upload.name)
                    for head in heads(file) if head.role != "ignore"]
    columns, renamed = _unique(columns)
    doubled, turned = by_ids(files)
    problems += [*check(columns), *turned]
    made = None if problems else compared(columns)
    return Gathered(tuple(columns), (*notes, *renamed, *doubled), tuple(problems), preview(columns), made)


def by_ids(files: Sequence[Opened]) -> tuple[list[Note], list[str]]:
    """What the columns of ids tell, which are not compared: ids that stand twice, and files in another order."""
    notes, problems = [], []
    first: dict[frozenset[str], tuple[str, tuple[str, ...]]] = {}
    for file in files:
        for head in heads(file) if file.table else ():
            if head.role != "ignore" or not IGNORED.match(head.column) or not file.table:
                continue
            name, ids = file.upload.name, file.table.columns[head.column]
            seen = Counter(ids)
            twice = next((value for value in ids if seen[value] > 1), None)
            if twice is not None:
                notes.append(Note(name, ids.index(twice) + 1, f"{head.column!r} has {twice[:40]!r} {seen[twice]:,} "
                                  "times; segments are put side by side by their lines, not by ids"))
                continue
            other, known = first.setdefault(frozenset(seen), (name, ids))
            if known != ids:
                line = next(i for i, (a, b) in enumerate(zip(known, ids, strict=True)) if a != b)
                problems.append(f"{name} has the ids of {other} in another order (entry {line + 1} is "
                                f"{ids[line][:40]!r} and there {known[line][:40]!r}). Sort both by {head.column!r}.")
    return notes, problems


def heads(file: Opened) -> list[Head]:
    """Every column of a file, also those to be ignored: chosen role and name, else what its head suggests."""
    upload, columns = file.upload, file.table.columns if file.table else {}
    single = list(columns) == [COLUMN]
    found = []
    for head in columns:
        label = stem(upload.name) if single else head
        role = upload.columns.get(head) or (upload.role if single else "") or guess(label)
        found.append(Head(head, role, upload.names.get(head) or label))
    return found


def stem(name: str) -> str:
    """The name people know a file by: WMT's ``test.zh-en.hyp.SYSTEM.en`` is ``SYSTEM``; else without its ending."""
    found = re.search(r"\.(?:hyp|ref|src)\.?([^/]*)\.[a-z]{2,3}(?:\.txt)?$", name)
    if found:
        mark = name[found.start() + 1:found.start() + 4]
        return found.group(1) if mark == "hyp" else f"{mark} {found.group(1)}".strip()
    found = re.match(r"(system-outputs|references|sources)\.(.+)\.txt$", name)
    if found:
        kind, rest = found.groups()
        return rest if kind == "system-outputs" else f"{kind} {rest}"
    return re.sub(r"\.(txt|jsonl?|tsv|csv|xlsx|[a-z]{2})$", "", name) or name


def guess(label: str) -> Role:
    """The role that a name suggests; a column of another name is a system."""
    for pattern, role in ((SOURCES, "source"), (REFERENCES, "reference"), (DOMAINS, "domain"), (IGNORED, "ignore")):
        if pattern.search(label):
            return role  # type: ignore[return-value]
    return "system"


def _unique(columns: Sequence[Column]) -> tuple[list[Column], list[Note]]:
    """Give every second column of a name a name of its own, so that neither is lost."""
    seen: Counter[tuple[Role, str]] = Counter()
    taken = {(column.role, column.name) for column in columns}
    found, notes = [], []
    for column in columns:
        key = (column.role, column.name)
        seen[key] += 1
        if seen[key] > 1:
            number = next(n for n in range(2, len(columns) + 3) if (column.role, f"{column.name} ({n})") not in taken)
            again = f"{column.name} ({number})"
            taken.add((column.role, again))
            notes.append(Note(column.file, 0, f"two {column.role}s are named {column.name!r}; the one from "
                              f"{column.file} is shown as {again!r}"))
            column = dataclasses.replace(column, name=again)
        found.append(column)
    return found, notes


def check(columns: Sequence[Column]) -> list[str]:
    """What stands in the way of a comparison, one sentence each."""
    problems = []
    systems = [column for column in columns if column.role == "system"]
    if not systems:
        problems.append("There is no system. Give at least one file of translations, or mark a column as a system.")
    for role in ("source", "domain"):
        several = [column.name for column in columns if column.role == role]
        if len(several) > 1:
            problems.append(f"{len(several)} columns are marked as {role} ({', '.join(several)}); there can be one. "
                            "Mark the others as something else.")
    sizes = Counter(len(column.segments) for column in columns)
    if len(sizes) > 1:
        asked = {len(column.segments) for column in columns if column.role in ("source", "reference")}
        usual = max(sizes, key=lambda size: (sizes[size], size in asked))
        peer = next(column for column in columns if len(column.segments) == usual)
        problems += [_unequal(column, peer) for column in columns if len(column.segments) != usual]
    problems += [f"Every segment of {column.name} ({column.file}) is empty. Check that it is the right file."
                 for column in systems if not any(s.strip() for s in column.segments)]
    return problems


def _unequal(column: Column, peer: Column) -> str:
    gap = len(column.segments) - len(peer.segments)
    text = (f"{column.name} ({column.file}) has {len(column.segments):,} lines and {peer.name} ({peer.file}) "
            f"{len(peer.segments):,}: {abs(gap):,} too {'many' if gap > 0 else 'few'}.")
    place = shift(column.segments, peer.segments)
    hint = f" The lines seem to shift at line {place}; look there." if place else ""
    return f"{text}{hint} Every file must have one line for each segment."


def shift(first: Sequence[str], second: Sequence[str]) -> int:
    """The line (from 1) from which two columns of unequal length fit better with the shift than without; 0 if that
    cannot be told.

    Fit of two lines is the share of common words or, for languages without any, how near their lengths are. The sum of
    fits before a line at shift 0 and after it at the full shift is largest where the lines went missing."""
    gap, size = len(second) - len(first), min(len(first), len(second))
    if not gap or size > 50 * SHIFT_LOOK:
        return 0
    plain = [_fit(first[i], second[i]) for i in range(size)]
    moved = [_fit(first[i + max(0, -gap)], second[i + max(0, gap)]) for i in range(size)]
    best, total, place = sum(moved), sum(moved), 0
    for i in range(size):
        total += plain[i] - moved[i]
        if total > best + 1e-9:
            best, place = total, i + 1
    return place + 1 if best > 1.02 * min(sum(plain), sum(moved)) else 0


def _fit(one: str, two: str) -> float:
    a, b = set(words(one[:LOOK])[:200]), set(words(two[:LOOK])[:200])
    common = len(a & b) / max(1, len(a | b))
    return common + 0.2 * min(len(one), len(two)) / max(1, len(one), len(two))


def preview(columns: Sequence[Column], rows: int = PREVIEW) -> tuple[dict[str, str], ...]:
    """The first segments side by side; a column that has ended shows nothing."""
    longest = max((len(column.segments) for column in columns), default=0)
    return tuple({f"{column.role}: {column.name}": column.segments[i] if i < len(column.segments) else ""
                  for column in columns} for i in range(min(rows, longest)))


def compared(columns: Sequence[Column]) -> Comparison:
    """The comparison of columns that :func:`check` found nothing wrong with."""
    def named(role: Role) -> dict[str, tuple[str, ...]]:
        return {column.name: column.segments for column in columns if column.role == role}

    source, domains = list(named("source").values()), list(named("domain").values())
    return Comparison(named("system"), named("reference"), source[0] if source else None,
                      domains[0] if domains else None)
