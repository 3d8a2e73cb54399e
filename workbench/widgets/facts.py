"""What a run was asked, what it read, where it ran, what it made: folded sections of plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from workbench.contract import Artifact, Json
from workbench.text import say
from workbench.widgets.markup import element, esc, pairs, size

LONGEST, MOST = 2000, 50
"""Characters of one value and entries of one list that are shown; the files hold the whole."""


def fold(name: str, title: str, inner: str, opened: bool = False) -> str:
    """A section that opens and closes; ``page.js`` keeps the reader's choice while the content changes."""
    return element("details", f"<summary>{esc(title)}</summary><div class='wb-fold'>{inner}</div>", data_wb_fold=name,
                   open=opened)


def table(values: Mapping[str, Json]) -> str:
    """A table of names and values; nested ones are indented under their name."""
    return pairs((esc(name), value(item)) for name, item in values.items())


def value(item: Json) -> str:
    """One JSON value as HTML; long text is cut with a mark that it was."""
    if isinstance(item, Mapping):
        return table(item) or "–"
    if isinstance(item, list):
        if all(not isinstance(part, Mapping | list) for part in item):
            return esc(", ".join(map(str, item[:MOST]))) or "–"
        return f"<ol>{''.join(f'<li>{value(part)}</li>' for part in item[:MOST])}</ol>"
    said = item if isinstance(item, str) else json.dumps(item)
    return esc(said if len(said) <= LONGEST else f"{said[:LONGEST]} … ({len(said)})") or "–"


def inputs(found: Sequence[Mapping[str, Json]], lang: str) -> str:
    """Each resource: reference, path, size, checksum."""
    if not found:
        return _none("runs.inputs.none", lang)
    rows = []
    for item in found:
        files = [f for f in item.get("files") or [item] if isinstance(f, Mapping)]
        told = "".join(_file(f) for f in files[:20])
        rows.append(f"<li><b>{esc(item.get('reference', ''))}</b>{told}</li>")
    return f"<ul class='wb-inputs'>{''.join(rows)}</ul>"


def _file(item: Mapping[str, Json]) -> str:
    parts = [esc(item.get("path", ""))]
    if isinstance(item.get("size"), int | float):
        parts.append(esc(size(float(item["size"]))))
    if item.get("sha256"):
        parts.append(f"<code title='sha256'>{esc(str(item['sha256'])[:16])}</code>")
    return f"<span class='wb-dim'>{' · '.join(p for p in parts if p)}</span>" if any(parts) else ""


def files(run_id: str, found: Sequence[tuple[Artifact, int]], lang: str) -> str:
    """Every artifact with size and a download link; the link asks for rights again."""
    if not found:
        return _none("runs.files.none", lang)
    rows = "".join(
        f"<li><a class='wb-link' href='/workbench/runs/{run_id}/{quote(item.name)}' download>{esc(item.name)}</a>"
        f"<span class='wb-dim'>{esc(item.kind)} · {esc(size(count))}</span></li>" for item, count in found)
    return f"<ul class='wb-files'>{rows}</ul>"


def _none(key: str, lang: str) -> str:
    return element("p", esc(say(lang, key)), class_="wb-dim")
