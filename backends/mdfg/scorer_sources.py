"""Texts for the scorers' tasks: from references to files and folders, or practice texts; and fair splits of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from backends.mdfg.labelled import Labelled, read_table, rows_of
from backends.mdfg.ust_fit import text_key
from workbench.contract import Context, MissingResource, UserError

SUFFIXES = (".jsonl", ".json", ".ndjson", ".csv")
REPORT_EVERY = 2000


def files_of(references: Sequence[str], context: Context) -> list[Path]:
    """The tables behind references, folders opened. Raises ``MissingResource`` for a folder without any."""
    found: list[Path] = []
    for reference in references:
        path = context.resource(reference)
        inside = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        if not inside:
            raise MissingResource(f"{path.name} holds no table.",
                                  advice=f"Give files that end in {', '.join(SUFFIXES)}.")
        found += inside
    return found


def labelled_texts(references: Sequence[str], text_field: str, label_field: str, context: Context) -> list[Labelled]:
    """Every labelled row of all tables."""
    rows: list[Labelled] = []
    for path in files_of(references, context):
        rows += read_table(path, text_field, label_field)
        context.report(0, 0, f"read {len(rows)} texts")
    return rows


def plain_texts(references: Sequence[str], text_field: str, context: Context) -> list[str]:
    """Every text of all tables, labels or not. Raises ``UserError`` naming the line without one."""
    texts: list[str] = []
    for text in each_text(files_of(references, context), text_field):
        texts.append(text)
        if len(texts) % REPORT_EVERY == 0:
            context.report(0, 0, f"read {len(texts)} texts")
    return texts


def each_text(files: Sequence[Path], text_field: str) -> Iterator[str]:
    """The texts of all tables one by one. Raises ``UserError`` naming the line without one."""
    for path in files:
        for number, row in rows_of(path):
            if not isinstance(row.get(text_field), str):
                raise UserError(f"Line {number} of {path.name} has no text in the field {text_field!r}; its fields are "
                                f"{', '.join(map(str, row)) or '(none)'}.")
            yield str(row[text_field])


def split(rows: Sequence[Any], text_of: Callable[[Any], str], share: float,
          generator: random.Random) -> tuple[list[Any], list[Any]]:
    """(rest, share) of rows; copies of one text always fall on the same side.

    Raises ``UserError`` when one side would be empty."""
    groups: dict[str, list[Any]] = {}
    for row in rows:
        groups.setdefault(text_key(text_of(row)), []).append(row)
    keys = list(groups)
    generator.shuffle(keys)
    count = round(len(keys) * share)
    if not 0 < count < len(keys):
        raise UserError(f"{len(keys)} different texts cannot be split into {1 - share:.0%} and {share:.0%}.",
                        advice="Give more texts.")
    taken = set(keys[:count])
    rest = [row for key, held in groups.items() if key not in taken for row in held]
    return rest, [row for key, held in groups.items() if key in taken for row in held]
