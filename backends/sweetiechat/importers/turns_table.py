"""A table with one message a row (CSV, TSV, or JSON objects): the workbench's own CSV and what people keep in sheets.

Columns by their usual names: the dialogue, who speaks, the text; and, where there are, strategy, situation, feeling,
problem, feedback. A cell that our export guarded against spreadsheet formulas (``'=...``) is taken as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from backends.sweetiechat.importers.draft import Draft, Format, Row, Said, fields, speaker
from workbench.contract import Json, UserError

NEEDED: Mapping[str, tuple[str, ...]] = {
    "dialogue": ("dialogue", "dialogue_id", "dialog_id", "conversation_id", "conversation", "transcript_id", "conv_id"),
    "role": ("role", "speaker", "interlocutor", "speaker_role"),
    "text": ("text", "content", "utterance", "utterance_text", "message")}
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "strategy": ("strategy", "strategy_label"), "situation": ("situation",), "emotion": ("emotion", "emotion_type"),
    "problem": ("problem", "problem_type"), "feedback": ("feedback",)}
GUARDED = ("'=", "'+", "'-", "'@", "'\t")


def columns(entry: Json) -> dict[str, str]:
    """Our names of the columns -> theirs, as far as they are there."""
    if not isinstance(entry, Mapping):
        return {}
    own = {str(name).strip().casefold(): name for name in entry}
    return {ours: next(own[name] for name in names if name in own) for ours, names in {**NEEDED, **OPTIONAL}.items()
            if any(name in own for name in names)}


def group(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows of one dialogue as one entry, in the order of the file; wrong rows as they come."""
    found: dict[str, tuple[str, list[dict[str, str]]]] = {}
    for row in rows:
        names = columns(row.value)
        missing = [name for name in NEEDED if name not in names]
        if row.problem or missing:
            has = fields(row.value) if isinstance(row.value, Mapping) else "no columns"
            lacking = f"it has no column {' and '.join(missing)}; it has {has}"
            yield row if row.problem else Row(row.where, problem=lacking)
            continue
        cells = {ours: _cell(row.value[theirs]) for ours, theirs in names.items()}
        found.setdefault(cells["dialogue"], (row.where, []))[1].append(cells)
    yield from (Row(where, cells) for where, cells in found.values())


def _cell(value: Json) -> str:
    text = "" if value is None else str(value)
    return text[1:] if text.startswith(GUARDED) else text


def read(entry: Json) -> Draft:
    """One dialogue from its rows; situation, feeling and problem are those of its first row that has them."""
    if not isinstance(entry, list):
        raise UserError("it is no row of a table")
    first = {name: next((row[name] for row in entry if row.get(name, "").strip()), "") for name in OPTIONAL}
    return Draft(tuple(_said(row) for row in entry), first["situation"], first["emotion"], first["problem"],
                 notes={"id": entry[0]["dialogue"]})


def _said(row: Mapping[str, str]) -> Said:
    role, label = speaker(row["role"]), row.get("strategy", "")
    return Said(role, row["text"], (label,) if label.strip() and role == "supporter" else (),
                row.get("feedback", "").strip() or None if role == "seeker" else None)


FORM = Format("csv", "Table with one message a row (CSV, TSV)",
              lambda entry: set(NEEDED) <= set(columns(entry)), read, group)
