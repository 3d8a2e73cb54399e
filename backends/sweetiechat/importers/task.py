"""The task ``sweetiechat.import.v2``: a file, folder or zip archive of a known format becomes a run of dialogues.

The dialogues are written in one step after the whole file was read, so a run holds all that is good in the file.
Beside them: ``skipped.jsonl`` ({where, why}), and for role cards ``cards.jsonl`` and ``scenarios.jsonl``.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backends.sweetiechat.bring import place_of
from backends.sweetiechat.importers.reader import Imported, import_dialogues
from backends.sweetiechat.importers.request import SAMPLE, CorpusRequest, CorpusResult
from backends.sweetiechat.importers.zipped import is_zip, unpack
from backends.sweetiechat.objects import Dialogue, dialogue_to_json
from workbench.contract import Context, Json
from workbench.fields import to_json
from workbench.files import dumps, write_json, write_text

PROVENANCE = {"people": "real data", "model": "synthetic"}
EVERY = 25


def run(request: CorpusRequest, context: Context) -> CorpusResult:
    """Read the file and write what is good in it. Raises ``UserError`` when nothing is."""
    context.report(0, 0, "reading the file")

    def cancelled(count: int) -> None:
        if count % EVERY == 0:
            context.report(count, request.limit, f"{count} read")
    place = place_of(request.source, context)
    with _opened(place, request.name or place.name, context.run / "unpacked") as path:
        called = request.name or ("" if path == place else place.name)
        found = import_dialogues(path, request.format, request.limit or None, request.strategy_set, called, cancelled)
    folder = context.run / "artifacts"
    folder.mkdir(exist_ok=True)
    result = summary(found)
    if request.source == SAMPLE:  # written for this project in ESConv's layout: nobody lived it
        result = dataclasses.replace(result, provenance="synthetic")
    _write(context, folder / "dialogues.jsonl", "dialogues", map(dialogue_to_json, found.dialogues))
    _write(context, folder / "skipped.jsonl", "skipped", ({"where": w, "why": why} for w, why in found.skipped))
    if found.cards:
        _write(context, folder / "cards.jsonl", "cards", map(to_json, found.cards))
        _write(context, folder / "scenarios.jsonl", "scenarios", map(to_json, found.scenarios))
    write_json(folder / "progress.json", _progress(result))
    context.artifact("progress.json", folder / "progress.json", "progress")
    total = result.dialogues + result.cards
    context.report(total, total, f"{result.dialogues} dialogues, {result.cards} cards, {result.skipped} left out")
    return result


@contextmanager
def _opened(path: Path, name: str, folder: Path) -> Iterator[Path]:
    """The file or folder itself; of a zip archive, a folder with what was in it, which is gone afterwards."""
    if not is_zip(path):
        yield path
        return
    try:
        yield unpack(path, folder, name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(context: Context, path: Path, kind: str, values: Iterable[Json]) -> None:
    write_text(path, "".join(f"{dumps(value)}\n" for value in values))
    context.artifact(path.name, path, kind)


def summary(found: Imported) -> CorpusResult:
    """Counts of what was read. ``provenance`` is ``real data`` only when people wrote all of it."""
    made = {PROVENANCE.get(made_by(dialogue), "") for dialogue in found.dialogues}
    provenance = made.pop() if len(made) == 1 else ("real data" if not made and found.cards else "")
    return CorpusResult(
        found.format, len(found.dialogues), sum(len(d.turns) for d in found.dialogues), len(found.cards),
        len(found.skipped), provenance,
        _counts([*(d.language for d in found.dialogues), *(s.language for s in found.scenarios)]),
        _counts(key for d in found.dialogues for turn in d.turns
                for key in turn.meta.get("all_strategy", [turn.strategy] if turn.strategy else [])),
        _counts(d.scenario.problem_type_id for d in found.dialogues))


def made_by(dialogue: Dialogue) -> str:
    """Who wrote a dialogue as far as it says: ``people``, ``model`` (also where any model took part) or ``unknown``."""
    if dialogue.models:
        return "model"
    source = dialogue.qc.get("source")
    return str(source.get("made_by", "unknown")) if isinstance(source, dict) else "unknown"


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _progress(result: CorpusResult) -> dict[str, Json]:
    """The counts in the form of a generated run's ``progress.json``, for the page."""
    return {"count": result.dialogues, "done": result.dialogues, "running": 0, "turn": 0, "tokens": 0,
            "turns": result.turns, "stop_reasons": {"imported": result.dialogues}, "strategies": result.strategies}
