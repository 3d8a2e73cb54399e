"""From a reference to what can be measured: dialogues, and pairs of what is right and what a model said.

A run may hold dialogues (``dialogues.jsonl`` or ``dialogue.json``, and ``quarantined.jsonl``), predictions
(``predictions.jsonl`` of a trained classifier or of an evaluation: one line a turn with ``gold`` and ``said``, perhaps
``reference`` and ``response``), or both. Released predictions (Kang et al.) are samples with a whole history each: only
their replies are measured, since the histories would count the same turn many times.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.importers.labels import normalisers
from backends.sweetiechat.importers.task import PROVENANCE, made_by
from backends.sweetiechat.library import choose_strategies, strategy_sets
from backends.sweetiechat.measure_notes import note
from backends.sweetiechat.measure_request import MeasureRequest, Note
from backends.sweetiechat.objects import Dialogue, Language, StrategySet
from backends.sweetiechat.reviews import DIALOGUES, QUARANTINED, reviewed, reviews_of
from backends.sweetiechat.train_data import PRACTICE, path_of, refused
from workbench.contract import Context, Json, UserError
from workbench.files import read_lines

FILES = (DIALOGUES, "dialogue.json")
PREDICTIONS = "predictions.jsonl"


@dataclass(frozen=True)
class Pair:
    """One supporter turn with a right answer and a model's. ``unit`` is what is redrawn together: the dialogue, or the
    situation where many samples come from one dialogue. A strategy is ``None`` where there is none."""

    unit: str
    gold: str | None
    said: str | None
    reference: str = ""
    response: str = ""


@dataclass(frozen=True)
class Source:
    """What one reference holds. ``total`` counts its dialogues before any was left out."""

    reference: str
    dialogues: tuple[Dialogue, ...]
    pairs: tuple[Pair, ...]
    total: int
    strategies: StrategySet
    language: Language
    provenance: str
    models: tuple[str, ...]
    notes: tuple[Note, ...]


def read_source(reference: str, request: MeasureRequest, context: Context) -> Source:
    """Read a reference. Raises ``UserError`` when it holds nothing that could be measured."""
    paths = places(reference.strip(), context)
    found, pairs, notes = list[Dialogue](), list[Pair](), list[Note]()
    for path in paths:
        if holds_predictions(path):
            pairs += pairs_of_lines(read_lines(path))
        else:
            dialogues, skipped = _dialogues(path, context)
            found += dialogues
            notes += [note("skipped", n=len(skipped), first=": ".join(skipped[0]))] if skipped else []
    samples = [d for d in found if _predicted(d)]
    if samples:
        found = [d for d in found if not _predicted(d)]
        notes += [note("samples", n=len(samples)), note("samples-as-units")]
        pairs += [_pair(d) for d in samples]
    kept = [d for d in found if request.accepted == "all" or refused(d) == (request.accepted == "refused")]
    if len(kept) < len(found):
        notes.append(note("filtered", n=len(found) - len(kept), total=len(found)))
    if request.limit and len(kept) > request.limit:
        kept = kept[:request.limit]
        notes.append(note("limited", n=request.limit))
    if not kept and not pairs:
        raise UserError(f"{reference} holds nothing to measure after {len(found)} dialogues were left out.",
                        advice="Choose other dialogues, or measure all of them.")
    return _source(reference.strip(), kept, pairs, len(found), samples, notes)


def places(reference: str, context: Context) -> list[Path]:
    """The files of a reference; of a run, those among its artifacts that can be measured."""
    run, slash, _ = reference.removeprefix("run:").partition("/")
    if not reference.startswith("run:") or slash:
        return [context.resource(reference) if reference.startswith("run:") else path_of(reference, context)]
    found = list[Path]()
    for names in (FILES, (QUARANTINED,), (PREDICTIONS,)):
        for name in names:
            try:
                found.append(context.resource(f"run:{run}/{name}"))
                break
            except UserError:
                continue
    found = [path for path in found if path.stat().st_size]
    if not found:
        raise UserError(f"The run {run} holds neither dialogues nor predictions.",
                        advice="Choose a run that generated, imported or evaluated dialogues.")
    return found


def holds_predictions(path: Path) -> bool:
    """Whether a file's first line is a prediction."""
    if path.suffix != ".jsonl":
        return False
    with path.open("rb") as file:
        first = file.readline(1 << 20)
    return b'"turns"' not in first and b'"gold"' in first and (b'"said"' in first or b'"response"' in first)


def pairs_of_lines(lines: Sequence[Mapping[str, Json]]) -> list[Pair]:
    """The pairs of a table of predictions."""
    def text(line: Mapping[str, Json], name: str) -> str:
        return value.strip() if isinstance(value := line.get(name), str) else ""
    return [Pair(str(line.get("dialogue", number)), text(line, "gold") or None, text(line, "said") or None,
                 text(line, "reference"), text(line, "response")) for number, line in enumerate(lines)]


def _dialogues(path: Path, context: Context) -> tuple[list[Dialogue], list[tuple[str, str]]]:
    """The dialogues of a file; those that wait for a person with the decision on them, if there is one."""
    imported = import_dialogues(path, cancelled=lambda count: context.report(0, 0, f"read {count} dialogues"))
    decided = reviews_of(path.parent) if path.name == QUARANTINED else {}
    found = [dataclasses.replace(d, qc=reviewed(d.qc, d.id, decided)) for d in imported.dialogues]
    return found, list(imported.skipped)


def _predicted(dialogue: Dialogue) -> bool:
    return bool(dialogue.turns) and isinstance(dialogue.turns[-1].meta.get("predicted"), Mapping)


def _pair(dialogue: Dialogue) -> Pair:
    """The last turn of a sample; a predicted label that the set does not know is no strategy."""
    last = dialogue.turns[-1]
    predicted = last.meta["predicted"]
    known = normalisers().of(dialogue.strategy_set.name)
    return Pair(dialogue.scenario.situation, last.strategy, known.key(str(predicted.get("strategy") or "")), last.text,
                str(predicted.get("text") or ""))


def _source(reference: str, kept: Sequence[Dialogue], pairs: Sequence[Pair], total: int, samples: Sequence[Dialogue],
            notes: list[Note]) -> Source:
    every = [*kept, *samples]
    strategies = commonest_set(every) if every else set_of_labels(
        {key for pair in pairs for key in (pair.gold, pair.said) if key})
    others = sum(d.strategy_set.keys != strategies.keys for d in kept)
    if others:
        notes.append(note("other-set", n=others, set=strategies.name))
    language = Counter(d.language for d in every).most_common(1)[0][0] if every else _language(pairs)
    made = {PROVENANCE.get(made_by(d), "") for d in every}
    provenance = "synthetic" if reference == PRACTICE else made.pop() if len(made) == 1 else ""
    models = tuple(dict.fromkeys(str(name) for d in every for name in d.models.values()))[:4]
    return Source(reference, tuple(sorted(kept, key=lambda d: d.id)), tuple(sorted(pairs, key=lambda p: p.unit)), total,
                  strategies, language, provenance, models, tuple(notes))


def commonest_set(dialogues: Sequence[Dialogue]) -> StrategySet:
    """The strategy set that most dialogues use (the first of several)."""
    counts = Counter(d.strategy_set.keys for d in dialogues)
    keys = counts.most_common(1)[0][0]
    return next(d.strategy_set for d in dialogues if d.strategy_set.keys == keys)


def set_of_labels(labels: set[str]) -> StrategySet:
    """The first bundled set that has all of these keys. Raises ``UserError`` when none has."""
    for name in strategy_sets():
        found = choose_strategies(name)
        if labels <= set(found.keys):
            return found
    raise UserError(f"The strategies {', '.join(sorted(labels))[:200]} belong to none of the bundled sets.",
                    advice="Measure the dialogues that they were predicted for: these carry their own set.")


def _language(pairs: Sequence[Pair]) -> Language:
    from backends.sweetiechat.importers.building import language_of

    return language_of(pair.reference or pair.response for pair in pairs[:200])


def with_strategies(source: Source, strategies: StrategySet, mapping: Mapping[str, str]) -> Source:
    """The source with every strategy replaced by what it is mapped to, and a note that says so."""
    def mapped(key: str | None) -> str | None:
        return mapping.get(key) if key else None
    changed = tuple(dataclasses.replace(
        d, strategy_set=strategies, turns=tuple(dataclasses.replace(t, strategy=mapped(t.strategy)) for t in d.turns))
        for d in source.dialogues if d.strategy_set.keys == source.strategies.keys)
    rest = tuple(d for d in source.dialogues if d.strategy_set.keys != source.strategies.keys)
    pairs = tuple(dataclasses.replace(p, gold=mapped(p.gold), said=mapped(p.said)) for p in source.pairs)
    return dataclasses.replace(source, dialogues=(*changed, *rest), pairs=pairs, strategies=strategies,
                               notes=(*source.notes, note("mapped", **{"from": source.strategies.name})))
