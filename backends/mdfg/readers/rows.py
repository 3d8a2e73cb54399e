"""A document as it is read, and the sentence for one that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from workbench.contract import Json

MOST_CHARACTERS = 5_000_000
"""Longest text that is taken (our default); ChineseWebText 2.0's longest has 103,000."""
TEXT_FIELDS = ("text", "raw_content", "content", "document", "body")
GIVEN = ("domain", "toxicity", "quality_score")
"""Fields of ChineseWebText 2.0 that are taken over as they are."""
DEPTH = 8
"""How deep those may be nested; deeper parts are left out (theirs have two)."""
_SHORT = 2000


class Row(NamedTuple):
    """One document. ``number`` is its line or row in the file, from 1; ``given`` what a record already said."""

    number: int
    text: str
    title: str = ""
    url: str = ""
    site: str = ""
    given: Mapping[str, Json] | None = None


class Problem(NamedTuple):
    """One row that cannot be used: its line or row (0: the whole file), and why."""

    number: int
    why: str


Read = Row | Problem


def row_of(value: Json, number: int, text_field: str = "") -> Read:
    """The document in a JSON object. ``text_field`` names the field; empty takes the first of ``TEXT_FIELDS``."""
    if not isinstance(value, Mapping):
        return Problem(number, f"it is {_kind(value)}; a document is an object with a text")
    name = text_field or text_name(value)
    if not name or name not in value:
        wanted = text_field or " or ".join(TEXT_FIELDS[:3])
        return Problem(number, f"it has no field {wanted}; it has {_listed(value)}")
    text = value[name]
    problem = wrong_text(text, name)
    if problem:
        return Problem(number, problem)
    given = {key: _plain(value[key]) for key in GIVEN if key in value}
    if "quality_score" not in given and isinstance(value.get("score"), float):
        given["quality_score"] = value["score"]  # ChineseWebText 1.0
    site = value.get("source_domain") or value.get("source") or ""
    return Row(number, text, _short(value.get("title")), _short(value.get("url")), _short(site), given or None)


def _plain(value: Any, depth: int = DEPTH) -> Json:
    """What JSON can hold of a value: a column of a table may hold bytes or dates, which say nothing here."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, depth - 1) for key, inner in value.items()} if depth else None
    if isinstance(value, list):
        return [_plain(inner, depth - 1) for inner in value] if depth else None
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, str | int | float) else None


def text_name(names: Iterable[str]) -> str:
    """The field that holds the text among ``names``; upper and lower case are the same. Empty where there is none."""
    known = {name.casefold(): name for name in names if isinstance(name, str)}
    return next((known[name] for name in TEXT_FIELDS if name in known), "")


def wrong_text(text: Json, name: str) -> str:
    """What is wrong with a text; empty when nothing is."""
    if not isinstance(text, str):
        return f"its field {name} is {_kind(text)}; it must be text"
    if len(text) > MOST_CHARACTERS:
        return f"its text has {len(text):,} characters; at most {MOST_CHARACTERS:,} are taken"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"its text is not valid Unicode (half a surrogate pair at character {error.start + 1})"
    return ""


def _kind(value: Json) -> str:
    if value is None:
        return "empty"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a table"}
    return names.get(type(value), f"of the type {type(value).__name__}")


def _listed(value: Mapping[str, Json]) -> str:
    names = [str(name)[:40] for name in list(value)[:8]]
    return (", ".join(names) + (f" and {len(value) - 8:,} more" if len(value) > 8 else "")) or "none"


def _short(value: Json) -> str:
    return value[:_SHORT].encode("utf-8", "replace").decode() if isinstance(value, str) else ""
