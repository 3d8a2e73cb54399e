"""Campaigns of Appraise and Pearmut, and plain JSON arrays, as a table of segments: the texts in them can be compared.

Only items that count are taken; attention checks and tutorials hold texts that were broken on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backends.common.mt.campaigns import Item, read_appraise, read_pearmut
from workbench.contract import Json, UserError


def looks_like(value: Mapping[str, Json]) -> bool:
    """Whether an object is a campaign of Pearmut, a batch of Appraise, or an entry or an export of answers."""
    lists = {key for key, inner in value.items() if isinstance(inner, list)}
    return "items" in lists or {"item", "annotation"} <= lists or ("data" in lists and "info" in value) or bool(
        value and len(lists) == len(value) and all(rows and isinstance(rows[0], dict) and "annotation" in rows[0]
                                                   for rows in value.values()))


def rows_of(value: Json, name: str) -> list[Mapping[str, Json]]:
    """The segments of a JSON file as rows {source, reference, system: text}. Raises ``UserError`` for JSON that holds
    none."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict) and looks_like(first):
        appraise = isinstance(first.get("items"), list)
        return _rows(_merged(read_appraise(value, name).items) if appraise else read_pearmut(value, name).items)
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return value
    raise UserError(f"{name} is JSON, but neither a list of objects nor a campaign of Appraise or Pearmut.",
                    advice='A list looks like [{"src": "...", "ref": "...", "my system": "..."}].')


def _merged(items: Sequence[Item]) -> list[Item]:
    """Appraise has an item for each system: put those of one segment together."""
    found: dict[tuple[str, str, str], Item] = {}
    for item in items:
        key = (item.document, item.name, item.source)
        if item.kind == "target" and key in found:
            found[key].targets.update(item.targets)
        elif item.kind == "target":
            found[key] = Item(item.name, item.document, item.source, dict(item.targets), "target", item.reference)
    return list(found.values())


def _rows(items: Sequence[Item]) -> list[Mapping[str, Json]]:
    """One row an item; a system that is called like the source or the reference is called a system beside its name."""
    rows: list[Mapping[str, Json]] = []
    for item in items:
        if item.kind == "target":
            row = {"source": item.source, **({"reference": item.reference} if item.reference else {})}
            rows.append({**row, **{f"{name} (system)" if name in row else name: text
                                   for name, text in item.targets.items()}})
    return rows
