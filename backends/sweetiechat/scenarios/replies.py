"""What a model wrote -> candidates and fields, strictly: a form that is not exactly right is an error in words.

Two forms. JSON for models that can write it. For small ones lines: a type is ``category | name | gloss``, a text is a
line for each field that begins with the field's label. Nothing is searched for inside other words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.sweetiechat.counselor_prompted import first_object

BAR = "|"
CELLS = 3


@dataclass(frozen=True)
class Candidate:
    """A proposed type. ``category`` is as the model wrote it; ``problem`` says why the form is wrong, if it is."""

    name: str
    gloss: str
    category: str
    parent: str = ""
    problem: str = ""


def types_from_lines(text: str, cut_off: bool) -> list[Candidate]:
    """One candidate a line. ``cut_off``: the model ran out of room, so its last line is not whole."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    found = []
    for place, line in enumerate(lines):
        cells = [cell.strip() for cell in line.split(BAR)]
        if cut_off and place == len(lines) - 1:
            found.append(Candidate("", line[:200], "", problem="the line was cut off"))
        elif len(cells) != CELLS or not all(cells):
            problem = f"the line has {sum(map(bool, cells))} of {CELLS} parts"
            found.append(Candidate("", line[:200], "", problem=problem))
        else:
            found.append(Candidate(cells[1], cells[2], cells[0]))
    return found


def types_from_json(text: str) -> list[Candidate] | str:
    """The candidates of ``{"types": [{name, gloss, category, parent}]}``; what is wrong when it is something else."""
    value = first_object(text)
    if value is None:
        return "there is no JSON object in it"
    rows = value.get("types")
    if not isinstance(rows, list) or not rows:
        return 'it has no list named "types"'
    for number, row in enumerate(rows, 1):
        missing = [name for name in ("name", "gloss", "category") if not isinstance(row, Mapping)
                   or not isinstance(row.get(name), str) or not row[name].strip()]
        if missing:
            return f"type {number} has no text for {', '.join(missing)}"
    return [Candidate(row["name"].strip(), row["gloss"].strip(), row["category"].strip(), str(row.get("parent") or ""))
            for row in rows]


def fields_from_lines(text: str, labels: Mapping[str, str], cut_off: bool) -> tuple[dict[str, str], str]:
    """The fields of a text and what is wrong with it (empty: nothing).

    Every line must begin with the label of the next field, in order; the good fields before the first wrong line are
    returned, so that the model can be asked to go on from there.
    """
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    found: dict[str, str] = {}
    for place, (name, label) in enumerate(labels.items()):
        if place >= len(lines):
            return found, f"there is no line {label!r}"
        if not lines[place].startswith(label):
            return found, f"line {place + 1} does not begin with {label!r}"
        value = lines[place][len(label):].strip()
        if not value:
            return found, f"the line {label!r} is empty"
        if cut_off and place == len(lines) - 1:
            return found, f"the line {label!r} was cut off"
        found[name] = value
    return found, ""


def fields_from_json(text: str, names: Sequence[str]) -> tuple[dict[str, str], str]:
    """The fields of a JSON object, all of them texts, and what is wrong with it (empty: nothing)."""
    value = first_object(text)
    if value is None:
        return {}, "there is no JSON object in it"
    found = {name: value[name].strip() for name in names
             if isinstance(value.get(name), str) and value[name].strip()}
    missing = [name for name in names if name not in found]
    return found, f"there is no text for {', '.join(missing)}" if missing else ""
