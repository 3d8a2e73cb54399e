"""The task ``sweetiechat.measure.v1``: strategies, words and course of one or two sources.

Every figure has its interval by dialogue where there is one. Artifacts: ``measure.json`` (all that the page draws) and
``figures.csv`` (one number a line). Two sources with different strategy sets are mapped to ESConv's eight. A second
source gives differences (second - first), paired when both hold the same dialogues.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import yaml

from backends.sweetiechat.library import ASSETS, choose_strategies
from backends.sweetiechat.measure_draws import draw
from backends.sweetiechat.measure_notes import note, of_interval
from backends.sweetiechat.measure_quality import quality_of
from backends.sweetiechat.measure_report import Measured, differences, source_json, write_csv
from backends.sweetiechat.measure_request import ESCONV, Figure, MeasureRequest, MeasureResult, Note
from backends.sweetiechat.measure_sources import Source, read_source, with_strategies
from backends.sweetiechat.measure_strategies import (
    Drawer,
    Vector,
    agreement_figures,
    each_strategy,
    reference_shares,
    usable,
    usage,
    use_figures,
)
from backends.sweetiechat.measure_texts import course_figures, reply_figures, stop_reasons, word_figures
from backends.sweetiechat.metrics.tokens import default_name, tokenizer
from backends.sweetiechat.metrics.usage import ESCONV_COUNTS, mix, sequence
from backends.sweetiechat.objects import StrategySet
from workbench.contract import Context, Json
from workbench.fields import to_json
from workbench.files import write_json

EIGHT = "esconv-8"
HEADLINES = ("js-reference", "entropy/all", "accuracy", "macro-f1", "weighted-f1", "bias", "distinct-1", "distinct-2",
             "distinct-3", "distinct-2-esconv", "length-supporter", "intensity-drop", "turns", "bleu-2",
             "rouge-l-beta-1.2")


@dataclass(frozen=True)
class Reference:
    """The mix that sources are held against: counts by the keys of its own set."""

    name: str
    strategies: StrategySet
    counts: Mapping[str, float]
    provenance: str


def run(request: MeasureRequest, context: Context) -> MeasureResult:
    """Read, count, draw, write. Raises ``UserError`` for a source that holds nothing to measure."""
    context.report(0, 0, "reading")
    names = [name for name in (request.data.strip(), request.compare.strip()) if name]
    sources = [read_source(name, request, context) for name in names]
    reference = _reference(request, context)
    if request.strategies == EIGHT or len({source.strategies.keys for source in sources}) > 1:
        sources = [mapped(source) for source in sources]
    made = []
    for number, source in enumerate(sources):
        context.report(number, len(sources), f"measuring {source.reference}")
        made.append(measure(source, reference, request, context, _seeds(sources, number, request.seed)))
    table = {"request": to_json(request), "sources": [source_json(m) for m in made],
             "reference": {"name": reference.name, "set": reference.strategies.name,
                           "provenance": reference.provenance, "labels": int(sum(reference.counts.values()))},
             "differences": differences(made[0], made[1], request.level) if len(made) == 2 else []}
    folder = context.run / "artifacts"
    folder.mkdir(exist_ok=True)
    write_json(folder / "measure.json", table)
    write_csv(folder / "figures.csv", made, table["differences"])
    context.artifact("measure.json", folder / "measure.json", "measures")
    context.artifact("figures.csv", folder / "figures.csv", "table")
    context.report(len(sources), len(sources), "done")
    return _result(made)


def _result(made: Sequence[Measured]) -> MeasureResult:
    first, rest = made[0], made[1:]
    provenance = {m.source.provenance for m in made}
    shown = tuple(f for name in HEADLINES for f in first.figures if f.name == name)
    return MeasureResult(
        len(first.source.dialogues), sum(len(d.turns) for d in first.source.dialogues), len(first.source.pairs),
        sum(len(m.source.dialogues) for m in rest), sum(len(m.source.pairs) for m in rest),
        provenance.pop() if len(provenance) == 1 else "", shown, tuple(n.text for n in first.notes))


def _reference(request: MeasureRequest, context: Context) -> Reference:
    name = request.reference.strip()
    if name == ESCONV:
        return Reference(name, choose_strategies(EIGHT), dict(ESCONV_COUNTS), "real data")
    source = read_source(name, dataclasses.replace(request, accepted="all"), context)
    if request.strategies == EIGHT:
        source = mapped(source)
    counts = mix([sequence(d) for d in source.dialogues if d.strategy_set.keys == source.strategies.keys],
                 source.strategies.keys)
    reference_shares(counts, source.strategies)  # says at once that there is none
    return Reference(name, source.strategies, counts, source.provenance)


def mapping_of(strategies: StrategySet) -> Mapping[str, str] | None:
    """From each strategy of a set to one of ESConv's eight, nothing for a set that has no table."""
    eight = choose_strategies(EIGHT)
    if strategies.keys == eight.keys:
        return {key: key for key in eight.keys}
    tables = yaml.safe_load((ASSETS / "strategies" / "mappings.yaml").read_text(encoding="utf-8"))["maps"]
    found: Mapping[str, str] = tables.get(strategies.name, {})
    return found if set(strategies.keys) <= set(found) else None


def mapped(source: Source) -> Source:
    """The source in ESConv's eight strategies; as it is, with a note, where its set has no table."""
    mapping = mapping_of(source.strategies)
    if mapping is None:
        return dataclasses.replace(source, notes=(*source.notes, note("unmapped", **{"from": source.strategies.name})))
    eight = choose_strategies(EIGHT)
    return source if source.strategies.keys == eight.keys else with_strategies(source, eight, mapping)


def _seeds(sources: Sequence[Source], number: int, seed: int) -> tuple[int, int]:
    """Seeds for dialogues and for pairs: the second source has those of the first where both hold the same ones."""
    if not number:
        return seed, seed
    first, second = sources
    return (seed if [d.id for d in first.dialogues] == [d.id for d in second.dialogues] else seed + 1,
            seed if [p.unit for p in first.pairs] == [p.unit for p in second.pairs] else seed + 1)


def measure(source: Source, reference: Reference, request: MeasureRequest, context: Context,
            seeds: tuple[int, int]) -> Measured:
    """Everything about one source."""
    cut = tokenizer(default_name(source.language) if request.tokenizer == "auto" else request.tokenizer)

    def drawer(seed: int) -> Drawer:
        def made(rows: Json, statistic: Json) -> Json:
            tick = partial(context.report, 0, 0, f"drawing for {source.reference}")
            return draw(rows, statistic, context.generator(seed), request.resamples, tick)
        return made
    dialogues, pairs = drawer(seeds[0]), drawer(seeds[1])
    used = _use(source, reference, dialogues)
    words, word_vectors = word_figures(source, cut, dialogues)
    replies, reply_vectors = reply_figures(source.pairs, cut, pairs)
    vectors = [*used, *agreement_figures(source.pairs, source.strategies, pairs), *word_vectors, *reply_vectors,
               *course_figures(source.dialogues, request.rounds, dialogues)]
    return Measured(
        source, cut.name, tuple(vectors), figures_of(vectors, request.level) + tuple(words) + tuple(replies),
        usage(source.dialogues, source.strategies), each_strategy(source.pairs, source.strategies),
        reference_shares(reference.counts, source.strategies)
        if reference.strategies.keys == source.strategies.keys else None,
        stop_reasons(source.dialogues), quality_of(source.dialogues, request.quality == "now"),
        (*source.notes, *_doubts(source, used)), seeds)


def _use(source: Source, reference: Reference, draw: Drawer) -> list[Vector]:
    """Use of strategies; the distance to a reference of another set is that of the mapped strategies."""
    same = reference.strategies.keys == source.strategies.keys
    used = use_figures(source.dialogues, source.strategies, reference.counts if same else None, draw)
    eight = choose_strategies(EIGHT)
    if same or not used or reference.strategies.keys != eight.keys or mapping_of(source.strategies) is None:
        return used
    other = use_figures(mapped(source).dialogues, eight, reference.counts, draw)[1]
    place = other.names.index("js-reference")
    drawn = other.drawn.part(place, place + 1)
    notes = (note("mapped", **{"from": source.strategies.name}),)
    return [*used, dataclasses.replace(other, names=("js-reference",), drawn=drawn, notes=notes)]


def _doubts(source: Source, used: Sequence[Vector]) -> tuple[Note, ...]:
    """What cannot be computed, said plainly."""
    doubts = [note("no-labels")] if source.dialogues and not used else []
    return (*doubts, *((note("no-gold"),) if not usable(source.pairs, source.strategies.keys) else ()))


def figures_of(vectors: Sequence[Vector], level: float) -> tuple[Figure, ...]:
    """Every number of the vectors as a figure with its interval."""
    return tuple(_figure(vector, place, level) for vector in vectors for place in range(len(vector.names)))


def _figure(vector: Vector, place: int, level: float) -> Figure:
    found = vector.drawn.interval(place, level)
    value = found.value if found.value == found.value else None
    return Figure(vector.group, vector.names[place], value, found.low, found.high, vector.unit, vector.shown,
                  vector.total, vector.counted, vector.tokenizer, (*vector.notes, *of_interval(found)))


