"""The right half of the Translate view: systems at work, and what may be done with their translations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import gradio as gr

from backends.common.mt.systems.board import BOARD, merged
from backends.common.mt.systems.lines import split
from panels import run_list
from panels import translation_files as files
from panels.dialogue_watch import changes_of
from panels.translation_desk import COMPARE, MOST
from panels.translation_systems_form import TASK
from workbench.contract import TERMINAL, Artifact, Json, UserError
from workbench.files import read_json
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import gloss
from workbench.widgets import corpus_work, facts, outcome, systems_board
from workbench.widgets.badge import badge
from workbench.widgets.loose import listed, table, tables
from workbench.widgets.markup import element, esc
from workbench.widgets.progress import failure_card
from workbench.widgets.runlist import status_mark

PARTS = ("head", "systems", "table", "files")
CONTROLS = ("stop", "again", "compare")
SHOWN = (*CONTROLS, "references")
KEPT = ("source.txt", "reference.txt")


def tick(shell: Shell, run_id: str, sent: str, start: str, request: gr.Request) -> Any:
    """One look at the run: an update for every part, or nothing new."""
    if not run_id:
        return gr.skip()
    visitor, lang = shell.visitor(request), shell.lang(request)
    try:
        run = shell.service.run(visitor, run_id)
    except UserError as error:  # an address may name a run that is gone, or somebody else's
        said = {"head": outcome.refusal(error.message, error.advice)}
        return changes_of({name: said.get(name, "") for name in (*PARTS, *SHOWN)}, sent, run_id, SHOWN)
    if run.task != TASK:
        return gr.skip()
    mark = f"{run_id}/{lang}/{start}/{run.status if run.status in TERMINAL else 'going'}"
    if run.status in TERMINAL and _sent(sent) == mark:
        return gr.skip()
    return changes_of(looks(shell, visitor, run, int(start) if start.isdecimal() else 0, lang), sent, mark, SHOWN)


def _sent(sent: str) -> str:
    try:
        return str(table(json.loads(sent or "{}")).get("run"))
    except ValueError:
        return ""


def looks(shell: Shell, visitor: str, run: Run, start: int, lang: str) -> dict[str, Json]:
    """What every part of the view must show now, by name."""
    ended, mine = run.status in TERMINAL, run.owner == visitor
    board = board_of(run)
    texts = outputs(run) if ended else []
    title = element("div", f"<h3>{esc(gloss(lang, run.title) or run.task)}</h3>{status_mark(run.status, lang)}",
                    class_="wb-title")
    used = [str(one.get("reference", "")) for one in tables(board["systems"]) if one.get("done")]
    made_by = badge("synthetic", used, lang) if texts else ""
    made = [(item, path.stat().st_size) for item, path in texts]
    return {
        "head": title + element("div", made_by, class_="dt-made") + failure_card(run.failure, lang),
        "systems": systems_board.heads(board, run.seconds, partial(shell.t, lang), lang),
        "table": systems_board.side_by_side(board, start, partial(shell.t, lang)),
        "files": corpus_work.section(shell.t(lang, "translation_systems.files"), facts.files(run.id, made, lang))
        if made else "",
        "stop": mine and not ended, "again": ended, "compare": bool(translated(run)) and ended,
        "references": bool(translated(run)) and ended}


def board_of(run: Run) -> dict[str, Json]:
    """The translations of a run as they are this moment."""
    path = run.path / "artifacts" / BOARD
    try:
        whole = _saved(path, path.stat().st_mtime_ns)
    except OSError:
        whole = {}
    return merged(whole, {} if run.status in TERMINAL else read_json(run.path / "live.json", {}))


@lru_cache(maxsize=4)
def _saved(path: Path, changed: int) -> Mapping[str, Json]:
    return table(read_json(path, {}))


def outputs(run: Run) -> list[tuple[Artifact, Path]]:
    """The text files of a run with their paths: translations, source, reference."""
    from workbench import reading

    found = []
    for item in reading.artifacts(run.path):
        path = reading.artifact_path(run.path, item.name) if item.kind == "text" else run.path
        if path.is_file():
            found.append((item, path))
    return found


def translated(run: Run) -> list[str]:
    """Names of the files of translations."""
    return [item.name for item, _ in outputs(run) if item.name not in KEPT]


def compare(shell: Shell, request: gr.Request, run_id: str, pasted: str) -> str:
    """Start a comparison of what the systems of a run wrote; its id. A pasted reference goes before the run's own.

    Raises ``UserError`` without a reference, and for one that has not a line for each of the text."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    run = shell.service.run(visitor, run_id)
    names, rows = translated(run), len(listed(board_of(run)["rows"]))
    if not names:
        raise UserError(shell.t(lang, "translation_systems.nothing"))
    references = []
    if pasted.strip():
        lines = split(pasted)
        if len(lines) != rows:
            raise UserError(shell.t(lang, "translation_systems.unequal", lines=len(lines), rows=rows))
        references = [files.take_text(shell, "reference.txt", "\n".join(lines) + "\n")]
    elif KEPT[1] in [item.name for item, _ in outputs(run)]:
        references = [f"run:{run_id}/{KEPT[1]}"]
    if not references:
        raise UserError(shell.t(lang, "translation_systems.no_reference"))
    fields = {"systems": [f"run:{run_id}/{name}" for name in names], "references": references,
              "source": f"run:{run_id}/{KEPT[0]}", "language": str(run.fields.get("target") or "")}
    return shell.service.submit(COMPARE, fields, visitor=visitor, parents=(run_id,),
                                title=shell.t(lang, "translation_systems.compared", n=len(names)))


def choices(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, run id) of this visitor's translations, newest first."""
    return run_list.choices(shell, visitor, lang, (TASK,), MOST)
