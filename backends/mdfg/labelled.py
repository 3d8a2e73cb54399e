"""Labelled texts from files: the public data sets that scorers are trained on, and any table with two columns.

=========  =======================================================  ===================================================
COLD       Apache-2.0, offensive Chinese posts                      label 1 is offensive
SWSR       MIT, sexist Weibo comments                               gender and place of the writer are never read
EDOS       CC0-1.0, sexist English posts                            the majority label of the aggregated file
Davidson   MIT, hateful and offensive English tweets                0 hate and 1 offensive are toxic, 2 is not
=========  =======================================================  ===================================================

Rows are only ever parsed as CSV or JSON. A row that cannot be used stops the reading with its line number.
"""

from __future__ import annotations

import csv
import html
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.contract import Json, UserError

_MENTION, _ADDRESS, _RETWEET = re.compile(r"@\w+"), re.compile(r"https?://\S+"), re.compile(r"^[\"!\s]*RT\b[\s:]*")


@dataclass(frozen=True)
class Labelled:
    """One text; ``split`` is the data set's own (``train``, ``dev``, ``test`` or empty)."""

    text: str
    labels: tuple[str, ...]
    source: str
    split: str = ""


def rows_of(path: Path) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """(line number, row) of a CSV with a header or a JSONL file. Raises ``UserError`` for a line that is neither."""
    if path.suffix.lower() in (".jsonl", ".json", ".ndjson"):
        yield from _json_rows(path)
        return
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                yield reader.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path.name} cannot be read as CSV ({error}).", advice="Save it as UTF-8 CSV.") from error


def _json_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Json]]]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"Line {number} of {path.name} is not JSON ({error}).") from error
            if not isinstance(row, dict):
                raise UserError(f"Line {number} of {path.name} is no object; each line must be one, with named fields.")
            yield number, row


def read_table(path: Path, text_field: str = "text", label_field: str = "label") -> list[Labelled]:
    """Any table: labels are a name, a number, a list, or names parted by ``|``. An empty label list is allowed.

    Raises ``UserError`` naming the line and the field that is missing."""
    found = []
    for number, row in rows_of(path):
        if not isinstance(row.get(text_field), str):
            raise UserError(f"Line {number} of {path.name} has no text in the field {text_field!r}; its fields are "
                            f"{', '.join(map(str, row)) or '(none)'}.")
        if label_field not in row:
            raise UserError(f"Line {number} of {path.name} has no field {label_field!r}; its fields are "
                            f"{', '.join(map(str, row))}.")
        found.append(Labelled(str(row[text_field]), _labels(row[label_field]), path.stem, str(row.get("split") or "")))
    if not found:
        raise UserError(f"{path.name} has no row.")
    return found


def _labels(value: Json) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(one) for one in value)
    return tuple(part.strip() for part in str("" if value is None else value).split("|") if part.strip())


def _yes_no(path: Path, text: str, judged: Callable[[Mapping[str, Json]], bool], split: str, source: str,
            clean: Callable[[str], str] = str.strip) -> list[Labelled]:
    found = []
    for number, row in rows_of(path):
        try:
            found.append(Labelled(clean(str(row[text])), ("toxic",) if judged(row) else (), source,
                                  str(row.get(split) or "")))
        except (KeyError, ValueError) as error:
            raise UserError(f"Line {number} of {path.name} is no row of {source} ({error} is missing or "
                            "wrong).") from error
    return found


def read_cold(path: Path) -> list[Labelled]:
    """COLD: columns split, topic, label (1 offensive), TEXT."""
    return _yes_no(path, "TEXT", lambda row: bool(int(row["label"])), "split", "COLD")


def read_swsr(path: Path) -> list[Labelled]:
    """SWSR comments: comment_text and label (1 sexist); nothing else is read."""
    return _yes_no(path, "comment_text", lambda row: bool(int(row["label"])), "", "SWSR")


def read_edos(path: Path) -> list[Labelled]:
    """EDOS aggregated: text, label_sexist, split."""
    return _yes_no(path, "text", lambda row: _one_of(row["label_sexist"], "sexist", "not sexist"), "split", "EDOS")


def _one_of(value: Json, yes: str, no: str) -> bool:
    if value not in (yes, no):
        raise ValueError(f"the label {value!r}")
    return bool(value == yes)


def read_davidson(path: Path) -> list[Labelled]:
    """Davidson: tweet and class (0 hate, 1 offensive, 2 neither); names of users and addresses become place holders."""
    return _yes_no(path, "tweet", lambda row: int(row["class"]) < 2, "", "Davidson", tweet)


def tweet(text: str) -> str:
    """A tweet without what a model should not learn by heart: who wrote to whom, links, HTML escapes."""
    plain = _RETWEET.sub("", html.unescape(text))
    return _ADDRESS.sub("[URL]", _MENTION.sub("[USER]", plain)).strip()
