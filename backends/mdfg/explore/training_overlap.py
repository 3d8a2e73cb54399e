"""Labelled documents that a scorer has been trained on: a figure measured on them says nothing (spec H).

What a scorer of this workbench was trained on stands in its training run: references in ``request.json``, their files
in ``inputs.json``. Equal texts and near-copies (:mod:`leakage`, similarity .8) count. Bundled scorers name their public
data in their cards; those texts are not on this machine, so nothing can be said about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.mdfg.labelled import rows_of
from backends.mdfg.leakage import leaks
from workbench.contract import Json, UserError
from workbench.files import read_json

TABLES = (".jsonl", ".json", ".ndjson", ".csv")
MOST = 100_000
"""Training texts that are compared at most."""


@dataclass(frozen=True)
class Overlap:
    """``places`` of labelled documents with a copy among ``texts`` training texts. ``known`` is false where the
    training texts are not on this machine; ``cut`` says that there were more than are compared."""

    places: tuple[int, ...]
    texts: int
    known: bool
    cut: bool = False


def overlap(documents: Mapping[int, str], training_run: Path) -> Overlap:
    """Compare labelled documents (place -> text) with what the run in ``training_run`` learned from."""
    found = list(training_texts(training_run, MOST + 1))
    if not found:
        return Overlap((), 0, False)
    places = list(documents)
    copies = leaks(found[:MOST], [documents[place] for place in places])
    return Overlap(tuple(sorted(places[copy.test] for copy in copies)), min(len(found), MOST), True, len(found) > MOST)


def training_texts(run: Path, most: int = MOST) -> Iterator[str]:
    """Texts that a training run read as labelled data, at most ``most``; none where its files are gone."""
    request, inputs = _table(read_json(run / "request.json", {})), _table(read_json(run / "inputs.json", {}))
    fields = _table(request.get("fields"))
    name, data = str(fields.get("text_field") or "text"), fields.get("data")
    given = 0
    for reference in data if isinstance(data, Sequence) and not isinstance(data, str) else ():
        for path in _files(_table(inputs.get(str(reference))).get("path")):
            for text in _texts(path, name):
                if given == most:
                    return
                given += 1
                yield text


def _texts(path: Path, name: str) -> Iterator[str]:
    try:
        for _, row in rows_of(path):
            if isinstance(row.get(name), str) and str(row[name]).strip():
                yield str(row[name])
    except (UserError, OSError):
        return  # changed since the training; what could be read was compared


def _files(path: Json) -> list[Path]:
    found = Path(path) if isinstance(path, str) else None
    if found is None or not found.exists():
        return []
    return [found] if found.is_file() else sorted(one for one in found.iterdir() if one.suffix.lower() in TABLES)


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
