"""The task ``mdfg.filter.v1``: sources and a recipe become tables of texts and attributes, a summary, and exports.

Artifacts: ``documents/part-N.parquet`` (texts), ``attributes.parquet`` (one row a document, in order), ``recipe.yaml``,
``summary.json``, ``problems.jsonl``, and the exports. A run that was killed goes on with its unfinished shards when it
is continued, and ends with the same files as one that was not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from backends.mdfg import assembly, example, exports, pool
from backends.mdfg.pieces import model_of
from backends.mdfg.provenance import config_hash
from backends.mdfg.readers import files
from backends.mdfg.readers.plan import Plan, Shard, plan
from backends.mdfg.recipes import Recipe, dump_recipe, load_recipe
from backends.mdfg.requests import SAMPLE, FilterRequest, FilterResult
from backends.mdfg.rules.verdicts import Tally, tally
from backends.mdfg.stage import Done, Work, open_scorers, warm
from backends.mdfg.words import load_words
from workbench.contract import Context, Json, UserError
from workbench.fields import to_json
from workbench.files import dumps, read_lines, write_json, write_text

UPLOAD = re.compile(r"([0-9a-f]{64})(?:/([^/\\\x00-\x1f]{1,200}))?")
"""A file that the page took in, by the sha256 of its bytes, and what it is called in reports."""
PROBLEMS = 10_000
"""Problems that the run lists; all are counted."""


def run(request: FilterRequest, context: Context) -> FilterResult:
    """Filter the sources. Raises ``UserError`` when nothing at all can be read, saying why."""
    context.report(0, 0, "reading the recipe")
    recipe = recipe_of(request)
    words = load_words(recipe.measure.words, context.resource)
    folders = tuple(str(context.resource(reference)) for reference in recipe.scorers)
    opened = open_scorers(folders)
    versions = [scorer.version for scorer in opened]
    context.report(0, 0, "looking through the files")
    made = plan(list(_sources(request.sources, context)), request.text_field, int(request.shard_mb * 2**20),
                request.limit)
    if not made.shards:
        raise _nothing(made)
    work = Work(recipe, words, str(context.run), config_hash(recipe, words, versions), made.hash, folders,
                model_of(opened))
    warm(work, lambda: context.report(0, 0, "compiling (once on a machine)"))
    dones = list(_worked(work, made, request, context))
    dones.sort(key=lambda done: done.index)
    return _finished(request, context, work, made, dones)


def recipe_of(request: FilterRequest) -> Recipe:
    """The recipe with what the request changes in it."""
    own = load_recipe(request.recipe)
    for reference in (own.measure.words, *own.scorers):
        _plainly(reference.strip(), request.recipe)
    recipe = own.with_scorers(request.scorers)
    if request.near_duplicates == "recipe":
        return recipe
    return replace(recipe, near=replace(recipe.near, mode=request.near_duplicates))


def _plainly(reference: str, written: str) -> None:
    """Whoever takes a request in looks for runs in its text, to see who may read them; so a run that only an escape of
    YAML spells is refused."""
    run = reference.partition("/")[0]
    if run.startswith("run:") and not re.search(rf"\b{re.escape(run)}\b", written):
        raise UserError(f"The recipe names {reference} by escapes.", advice="Write run:ID/artifact as it is.")


def _sources(references: Sequence[str], context: Context) -> Iterator[files.Source]:
    several = len(references) > 1
    for number, reference in enumerate(references, 1):
        upload = UPLOAD.fullmatch(reference.strip())
        for source in files.files_of(_place(reference.strip(), context)):
            name = upload[2] if upload and upload[2] else source.name
            yield replace(source, name=f"{number}/{name}" if several else name)


def _place(reference: str, context: Context) -> Path:
    if reference == SAMPLE:
        path = context.run / "checkpoints" / "sample.jsonl"
        path.parent.mkdir(exist_ok=True)
        return path if path.is_file() else example.write_jsonl(path)
    if upload := UPLOAD.fullmatch(reference):
        path = context.run.parents[1] / "uploads" / f"{upload[1]}.txt"
        if not path.is_file():
            raise UserError(f"The file {upload[2] or f'{upload[1][:12]}…'} that was taken in is no longer here.",
                            advice="Bring it again.")
        return path
    return context.resource(reference)


def _nothing(made: Plan) -> UserError:
    where, why = made.unread[0] if made.unread else ("The source", "it holds no row")
    return UserError(f"Nothing can be read. {where}: {why}.",
                     advice="Choose other files, or name the field of the text.")


def _worked(work: Work, made: Plan, request: FilterRequest, context: Context) -> Iterator[Done]:
    """What became of every shard; reports as they end, in megabytes of input."""
    total, ready, documents = max(1, made.bytes >> 10), 0, 0

    def say(running: int) -> None:
        context.report(min(ready, total), total, f"{documents + running:,} documents")

    say(0)
    for done in _engine(work, made.shards, request, say):
        ready, documents = ready + (done.bytes >> 10), documents + done.documents
        context.metric(documents, documents=documents)
        say(0)
        yield done


def _engine(work: Work, shards: Sequence[Shard], request: FilterRequest, say: pool.Progress) -> Iterator[Done]:
    if request.engine == "ray":
        from backends.mdfg import ray_engine

        return ray_engine.run(work, shards, request.workers, say)
    return pool.run(work, shards, request.workers, say)


def _finished(request: FilterRequest, context: Context, work: Work, made: Plan, dones: list[Done]) -> FilterResult:
    folder, total = context.run / "artifacts", max(1, made.bytes >> 10)

    def step(message: str) -> None:
        context.report(total, total, message)
    problems = _problems(folder / "problems.jsonl", work, made, dones)
    if not sum(done.documents for done in dones):
        raise _empty(folder / "problems.jsonl", made)
    found = assembly.assemble(work, dones, folder / "attributes.parquet", step)
    counts = tally(found.masks, work.recipe.tests)
    write_text(folder / "recipe.yaml", dump_recipe(work.recipe))
    written = [exports.write(kind, exports.Tables(work, folder / "attributes.parquet"), folder, step)
               for kind in dict.fromkeys(request.exports)]
    provenance = "synthetic" if set(request.sources) == {SAMPLE} else "real data"
    result = FilterResult(
        found.documents, found.kept, problems, work.recipe.name, work.recipe.hash, work.config, provenance,
        found.clusters, _by_rule(counts, counts.first), _by_rule(counts, counts.every),
        tuple(path.name for path in written), assembly.throughput(dones))
    write_json(folder / "summary.json", summary(result, found, counts, work, made, dones))
    for name, kind in (("attributes.parquet", "attributes"), ("recipe.yaml", "recipe"), ("summary.json", "summary"),
                       ("problems.jsonl", "problems")):
        context.artifact(name, folder / name, kind)
    context.artifact("documents", folder / "documents", "documents")
    for path in written:
        context.artifact(path.name, path, "export")
    step(f"{found.kept:,} of {found.documents:,} documents kept, {problems:,} rows could not be read")
    return result


def _by_rule(counts: Tally, values: Sequence[int]) -> dict[str, int]:
    return dict(zip(counts.rules, values, strict=True))


def _problems(path: Path, work: Work, made: Plan, dones: Sequence[Done]) -> int:
    """Write the list of everything that could not be read; returns how many there are in all."""
    lines: list[Json] = [{"file": name, "number": 0, "where": name, "why": why} for name, why in made.unread]
    for done in dones:
        if done.problems and len(lines) < PROBLEMS:
            lines += read_lines(work.shard_folder(done.index) / "problems.jsonl")
    write_text(path, "".join(f"{dumps(line)}\n" for line in lines[:PROBLEMS]))
    return len(made.unread) + sum(done.problems for done in dones)


def _empty(path: Path, made: Plan) -> UserError:
    first = next(iter(read_lines(path)), {"where": "The source", "why": "it holds no row"})
    return UserError(f"Nothing can be read. {first['where']}: {first['why']}.",
                     advice="Choose other files, or name the field of the text.")


def summary(result: FilterResult, found: assembly.Assembled, counts: Tally, work: Work, made: Plan,
            dones: Sequence[Done]) -> Mapping[str, Json]:
    """``summary.json``: the funnel by first failure, all failures, failures of one rule only, their overlap, words,
    sources, near-duplicates, speed. ``rows_read`` = documents + problems of rows."""
    return {**to_json(result), "rows_read": result.documents + sum(done.problems for done in dones),
            "files_not_read": len(made.unread), "characters": sum(done.characters for done in dones),
            "characters_kept": found.characters_kept, "rules": counts.rules, "only": _by_rule(counts, counts.only),
            "overlap": counts.overlap, "masks": {str(mask): count for mask, count in sorted(found.masks.items())},
            "near_duplicates": {"mode": work.recipe.near.mode, "clusters": found.clusters,
                                "documents_in_clusters": found.in_clusters,
                                "note": "MinHash between documents is an addition of this workbench"},
            "words": found.words, "sources": {name: {"documents": all_of, "kept": kept}
                                              for name, (all_of, kept) in found.sources.items()},
            "shards": len(dones)}
