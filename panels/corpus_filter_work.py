"""The right half of the Filter view: a run at work, and what it has made."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import gradio as gr

from panels import run_list
from panels.corpus_filter_form import TASK
from panels.dialogue_watch import changes_of
from workbench.contract import TERMINAL, Artifact, Json
from workbench.files import read_json, read_lines
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import gloss, say
from workbench.widgets import corpus_work, facts, outcome
from workbench.widgets.badge import badge
from workbench.widgets.loose import finite, table
from workbench.widgets.markup import element, esc, moment

PARTS = ("strip", "outcome", "files", "stages", "problems")
CONTROLS = ("look", "compare", "stop", "continue")
DOCUMENTS = re.compile(r"([\d,]+) documents$")
GIVEN = ("attributes.parquet", "recipe.yaml", "summary.json", "problems.jsonl")
SHARDS = 2000
"""Finished shards whose stages are added up while a run goes on; its summary has all of them."""


def tick(shell: Shell, run_id: str, sent: str, request: gr.Request) -> Any:
    """One look at the run: an update for every part, or nothing new."""
    if not run_id:
        return gr.skip()
    visitor, lang = shell.visitor(request), shell.lang(request)
    run = shell.service.run(visitor, run_id)
    mark = f"{run_id}/{lang}/{run.status if run.status in TERMINAL else 'going'}"
    if run.status in TERMINAL and _sent(sent) == mark:
        return gr.skip()
    made = files_of(shell, visitor, run) if run.status == "succeeded" else []
    look = looks(run, made, run.owner == visitor, lang)
    return changes_of(look, sent, mark, CONTROLS)


def _sent(sent: str) -> str:
    try:
        return str(table(json.loads(sent or "{}")).get("run"))
    except ValueError:
        return ""


def files_of(shell: Shell, visitor: str, run: Run) -> list[tuple[Artifact, int]]:
    """What the run made for people to take away, with sizes; exports first."""
    found = []
    for item in shell.service.artifacts(visitor, run.id):
        path = shell.service.artifact_path(visitor, run.id, item.name)
        if path.is_file() and (item.kind == "export" or item.name in GIVEN):
            found.append((item, path.stat().st_size))
    return sorted(found, key=lambda pair: pair[0].kind != "export")


def looks(run: Run, made: list[tuple[Artifact, int]], mine: bool, lang: str) -> dict[str, Json]:
    """What every part of the view must show now, by name."""
    done = run.status == "succeeded"
    summary = table(read_json(run.path / "artifacts" / "summary.json", {})) if done else {}
    count = summary.get("problems")
    return {
        "strip": strip(run, lang),
        "outcome": head(run, summary, lang) + corpus_work.outcome(summary, lang) if done else "",
        "files": corpus_work.section(say(lang, "corpus_filter.files"), facts.files(run.id, made, lang)) if done else "",
        "stages": speeds(run, summary, lang),
        "problems": corpus_work.problems(_problems(run), int(count), lang) if finite(count) else "",
        "look": done, "compare": done, "stop": mine and run.status not in TERMINAL,
        "continue": mine and run.status in ("failed", "cancelled", "lost", "paused")}


def _problems(run: Run) -> list[Json]:
    """The first problems; the file may list ten thousand."""
    path = run.path / "artifacts" / "problems.jsonl"
    return _lines(path, path.stat().st_mtime_ns) if path.is_file() else []


@lru_cache(maxsize=8)
def _lines(path: Path, changed: int) -> list[Json]:
    return read_lines(path)[:corpus_work.PROBLEMS + 1]


def strip(run: Run, lang: str) -> str:
    """What the run does now, or why it ended without a result."""
    if run.status == "failed" and run.failure:
        cause, advice = str(run.failure.get("cause", "")), str(run.failure.get("advice", ""))
        return outcome.failure(cause, advice, partial(say, lang))
    found = DOCUMENTS.search(run.message)
    documents = int(found[1].replace(",", "")) if found else 0
    words = say(lang, f"corpus_filter.is.{run.status}")
    if run.status == "running" and not found:
        words = gloss(lang, run.message) or words
    result = table(read_json(run.path / "result.json", {})) if run.status == "succeeded" else {}
    documents = int(value) if finite(value := result.get("documents")) else documents
    share = run.step / run.total if run.total and run.status != "succeeded" else None
    return corpus_work.strip(run.status, words, share, documents, (run.step or run.total) / 1024, run.seconds, lang)


def head(run: Run, summary: Mapping[str, Json], lang: str) -> str:
    """Which texts and which recipe the figures below are of."""
    hashes = say(lang, "corpus_filter.hashes", recipe=summary.get("recipe_hash", "–"),
                 config=summary.get("config", "–"))
    title = element("h3", esc(gloss(lang, run.title) or run.task))
    made = badge(str(summary.get("provenance") or ""), [], lang) if summary.get("provenance") else ""
    return element("div", f"{title}<p>{moment(run.finished)} {made} <code>{esc(hashes)}</code></p>",
                   class_="cf-head")


def speeds(run: Run, summary: Mapping[str, Json], lang: str) -> str:
    """Speed of every stage: of the whole run when it is done, of its finished shards while it works."""
    if summary:
        return corpus_work.stages(summary.get("throughput_per_second"), say(lang, "corpus_filter.stages.help"), lang)
    if run.status not in ("running", "paused", "cancelled", "failed", "lost"):
        return ""
    shards = finished(run.path)
    note = say(lang, "corpus_filter.stages.so_far", n=len(shards))
    return corpus_work.stages(throughput(shards), note, lang) if shards else ""


def finished(folder: Path) -> list[Mapping[str, Json]]:
    """What the finished shards of a run say of themselves, at most :data:`SHARDS` of them."""
    found = islice((folder / "checkpoints" / "shards").glob("*/done.json"), SHARDS)
    values = []
    for path in found:
        try:
            values.append(_shard(path, path.stat().st_mtime_ns))
        except OSError:
            continue  # it is being written again
    return [value for value in values if value]


@lru_cache(maxsize=2 * SHARDS)
def _shard(path: Path, changed: int) -> Mapping[str, Json]:
    return table(read_json(path, {}))


def throughput(shards: list[Mapping[str, Json]]) -> dict[str, Json]:
    """CPU seconds, documents and megabytes a CPU second by stage, as ``summary.json`` has them in the end."""
    documents = sum(value for shard in shards if finite(value := shard.get("documents")))
    megabytes = sum(value for shard in shards if finite(value := shard.get("bytes"))) / 2**20
    seconds: Counter[str] = Counter()
    for shard in shards:
        spent = table(shard.get("seconds"))
        seconds.update({name: value for name, value in spent.items() if name != "wall" and finite(value)})
    seconds["all"] = sum(seconds.values())
    return {name: {"cpu_seconds": spent, "documents_per_second": documents / spent, "mb_per_second": megabytes / spent}
            for name, spent in seconds.items() if spent > 0}


def choices(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, run id) of this visitor's filtering runs, newest first."""
    return run_list.choices(shell, visitor, lang, (TASK,), 50)
