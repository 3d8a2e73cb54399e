"""JSON files as rows of texts: JSON lines, one JSON array, or a campaign of Appraise or Pearmut."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence

from backends.common.mt.campaign_table import looks_like, rows_of
from backends.common.mt.campaigns import parsed
from workbench.contract import Json, UserError


def json_rows(name: str, text: str, lines: Sequence[str]) -> Sequence[Mapping[str, Json]]:
    """The objects of a JSON file. ``UserError`` names the line that is none."""
    whole = _whole(name, text)
    return whole if whole is not None else [_row(name, number, line) for number, line in enumerate(lines, 1)]


def _whole(name: str, text: str) -> Sequence[Mapping[str, Json]] | None:
    """The rows of a file that is one JSON value or holds a campaign; ``None`` for JSON lines."""
    with contextlib.suppress(ValueError, RecursionError):
        first = json.loads(text.lstrip().partition("\n")[0])
        if isinstance(first, dict) and not looks_like(first):
            return None
    try:
        value = parsed(text, name)
    except UserError:
        return None  # the reader of lines says in which one
    return rows_of(value, name)


def _row(name: str, number: int, line: str) -> Mapping[str, Json]:
    if not line.strip():
        raise UserError(f"{name}, line {number} is empty; every line must hold one JSON object.",
                        advice="Remove the empty line, or write an object with empty texts.")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name}, line {number} is not valid JSON ({_why(error)}).",
                        advice="Write one JSON object a line.") from error
    if not isinstance(value, dict):
        raise UserError(f"{name}, line {number} is {type(value).__name__}; it must be a JSON object.",
                        advice='For example {"src": "...", "ref": "...", "my system": "..."}.')
    return value


def _why(error: Exception) -> str:
    return f"{error.msg} at character {error.colno}" if isinstance(error, json.JSONDecodeError) else "too deep"
