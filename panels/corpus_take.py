"""Take away: the shown documents as a file, and the limits as they are now as a recipe that can be run."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import orjson

from backends.mdfg.explore import decisions, pages, queries
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.decisions import Change
from backends.mdfg.explore.judging import moved_recipe, quoted
from backends.mdfg.explore.shelf import Shelf
from backends.mdfg.recipes import Recipe, dump_recipe
from panels.corpus_compare_sides import against
from panels.corpus_desk import FILTER, Desk, corpus_of, folder_of
from panels.corpus_state import State, read
from workbench.contract import UserError, unknown
from workbench.panel import LATEST, QUEUED, QUICK, Shell

MOST = 20_000
"""Documents in one file (ours): more is the work of a run, which streams."""
CHARACTERS = 64_000_000
"""Characters of text in one file (ours): what a page may hold in memory for a moment."""
BATCH = 200
LAYOUTS = ("jsonl", "csv")


@dataclass(frozen=True)
class Take:
    """The components: the part that folds; layout, "apply the decisions on clusters", button and file of the export;
    name, button, YAML, file, "run it" and "compare" of the recipe."""

    part: gr.Accordion
    layout: gr.Radio
    decided: gr.Checkbox
    export: gr.Button
    file: gr.File
    name: gr.Textbox
    save: gr.Button
    yaml: gr.Textbox
    recipe: gr.File
    run: gr.Button
    compare: gr.Button


@dataclass(frozen=True)
class Elsewhere:
    """Notes of other views: the run that Filter watches, the two sides that Compare holds."""

    filtering: gr.Textbox
    sides: gr.Textbox


def lay_out(shell: Shell) -> Take:
    """Make the components."""
    with gr.Accordion(shell.label("corpus.take"), open=False, elem_classes="wb-group") as part:
        with gr.Row(elem_classes="co-row"):
            layout = gr.Radio([(shell.label(f"corpus.take.{name}"), name) for name in LAYOUTS], value="jsonl",
                              show_label=False, container=False, elem_classes="dt-row")
            export = gr.Button(shell.label("corpus.take.selection"), size="sm")
        decided = gr.Checkbox(True, visible=False, label=shell.label("corpus.take.decided.plain"))
        file = gr.File(visible=False, label=shell.label("corpus.take.file"), interactive=False)
        with gr.Row(elem_classes="co-row"):
            name = gr.Textbox("", label=shell.label("corpus.recipe.name"), max_lines=1)
            save = gr.Button(shell.label("corpus.recipe.save"), size="sm")
            run = gr.Button(shell.label("corpus.recipe.run"), size="sm", visible=False)
            compare = gr.Button(shell.label("corpus.recipe.compare"), size="sm")
        yaml = gr.Textbox("", visible=False, label=shell.label("corpus.recipe.file"), lines=8, max_lines=16,
                          interactive=False, elem_classes="cf-yaml")
        recipe = gr.File(visible=False, label=shell.label("corpus.recipe.file"), interactive=False)
    return Take(part, layout, decided, export, file, name, save, yaml, recipe, run, compare)


def wire(shell: Shell, view: Take, shelf: Shelf, state: gr.Textbox, desk: Desk, elsewhere: Elsewhere) -> None:
    """Connect the buttons."""
    def give(layout: str, run_id: str, text: str, apply: bool, request: gr.Request) -> Any:
        corpus, held, lang = corpus_of(shell, shelf, request, run_id), read(text, run_id), shell.lang(request)
        change = effect(corpus, held) if apply else None
        path, written, shown = write(shell, corpus, held, layout, change)
        key = "corpus.take.done" if written == shown else "corpus.take.bound"
        said = shell.t(lang, key, n=f"{written:,}", shown=f"{shown:,}", most=f"{MOST:,}")
        gr.Info(f"{said} {told(shell, lang, change)}" if change else said, duration=8)
        return gr.update(value=str(path), visible=True)

    def offer(run_id: str, text: str, request: gr.Request) -> Any:
        try:
            corpus, held = corpus_of(shell, shelf, request, run_id), read(text, run_id)
        except UserError:  # the view itself says what is wrong
            return gr.update(visible=False)
        return offered(shell, shell.lang(request), corpus, held)

    def keep(name: str, run_id: str, text: str, request: gr.Request) -> list[Any]:
        made = recipe_of(corpus_of(shell, shelf, request, run_id), read(text, run_id), name)
        path = _folder(shell) / f"{_safe(made.name)}.yaml"
        path.write_text(dump_recipe(made), encoding="utf-8")
        said = shell.t(shell.lang(request), "corpus.recipe.saved", name=made.name, hash=made.hash)
        return [gr.update(value=dump_recipe(made), visible=True, label=said), gr.update(value=str(path), visible=True),
                gr.update(visible=True)]

    def again(yaml: str, run_id: str, request: gr.Request) -> list[Any]:
        return [start(shell, request, run_id, yaml), gr.Tabs(selected="filter")]

    def side_by_side(run_id: str, text: str) -> list[Any]:
        return [against(run_id, read(text, run_id).selection.moved), gr.Tabs(selected="compare")]
    view.export.click(shell.guard(give), [view.layout, desk.corpus, state, view.decided], [view.file], **QUEUED)
    gr.on([view.part.expand, desk.modes.select, desk.corpus.change, state.change], shell.guard(offer),
          [desk.corpus, state], [view.decided], **LATEST)
    view.save.click(shell.guard(keep), [view.name, desk.corpus, state], [view.yaml, view.recipe, view.run], **QUEUED)
    view.run.click(shell.guard(again), [view.yaml, desk.corpus], [elsewhere.filtering, desk.modes], **QUEUED)
    view.compare.click(side_by_side, [desk.corpus, state], [elsewhere.sides, desk.modes], **QUICK)


def recipe_of(corpus: Corpus, state: State, name: str = "") -> Recipe:
    """The recipe with the limits as they are now; called as asked, else after the recipe with "moved" behind it."""
    own = corpus.recipe.name
    called = name.strip()[:200] or (f"{own} moved" if state.selection.moved else own)
    return moved_recipe(corpus.recipe, state.selection.moved, called)


def start(shell: Shell, request: gr.Request, run_id: str, yaml: str) -> str:
    """Filter the same texts with another recipe; the run id. Everything else is as that run was asked."""
    folder_of(shell, request, run_id)
    visitor, lang = shell.visitor(request), shell.lang(request)
    fields = dict(shell.service.run(visitor, run_id).fields)
    name = next((line.partition(":")[2].strip() for line in yaml.splitlines() if line.startswith("name:")), "")
    return shell.service.submit(FILTER, {**fields, "recipe": yaml}, visitor=visitor, parents=(run_id,),
                                title=shell.t(lang, "corpus.recipe.title", name=name)[:120])


def effect(corpus: Corpus, state: State) -> Change | None:
    """What the decisions on clusters change under the limits as they are now; ``None`` where there is none."""
    made = decisions.decisions(corpus.commands())
    return decisions.changed(corpus, made, state.selection.moved) if made else None


def told(shell: Shell, lang: str, change: Change) -> str:
    """What the decisions change, in a sentence."""
    return shell.t(lang, "label.clusters.effect", decided=f"{change.decided:,}", documents=f"{change.documents:,}",
                   stays=f"{len(change.stays):,}", goes=f"{len(change.goes):,}")


def offered(shell: Shell, lang: str, corpus: Corpus, state: State) -> Any:
    """The option that applies decisions, with how many documents it changes; hidden where nothing was decided."""
    change = effect(corpus, state)
    if change is None:
        return gr.update(visible=False)
    return gr.update(visible=True, label=shell.t(
        lang, "corpus.take.decided", documents=f"{change.documents:,}", total=f"{corpus.total:,}",
        stays=f"{len(change.stays):,}", goes=f"{len(change.goes):,}"))


def write(shell: Shell, corpus: Corpus, state: State, layout: str,
          change: Change | None = None) -> tuple[Path, int, int]:
    """Write the shown documents in the order of the list; the file, how many are in it, how many are shown.

    With ``change`` documents are kept or dropped as people decided about clusters. At most :data:`MOST` documents and
    about :data:`CHARACTERS` characters. Raises ``UserError`` when nothing is shown."""
    if layout not in LAYOUTS:
        raise unknown("layout", layout, LAYOUTS)
    selection = decisions.decided_selection(state.selection, change) if change else state.selection
    shown = queries.count(corpus, selection).shown
    if not shown:
        raise UserError("The filter shows no document, so there is nothing to export.",
                        advice="Take something out of the filter.")
    listed = pages.places(corpus, selection, state.sort, state.down, 0, MOST)
    path = _folder(shell) / f"selection.{layout}"
    writer = _csv if layout == "csv" else _jsonl
    written = 0
    with path.open("wb") as file:
        for line in writer(_records(corpus, state, listed, change)):
            file.write(line)
            written += 1
    return path, written - (layout == "csv"), shown


def _folder(shell: Shell) -> Path:
    """A folder whose name nobody can guess."""
    folder: Path = shell.service.settings.home / "cache" / "page" / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return folder


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60].strip("-") or "recipe"


def _records(corpus: Corpus, state: State, listed: list[int],
             change: Change | None = None) -> Iterator[dict[str, Any]]:
    """Records of documents: what was measured, the verdict under the limits as they are now, the text.

    ``rules_failed`` is what the rules say, ``cluster_decision`` what people changed (``kept``, ``dropped``, or
    nothing), ``kept`` what comes of both."""
    names = [column.name for column in corpus.columns]
    asked = ", ".join(quoted(name) for name in ("place", "id", "source", "number", "domain", "rule_fail", *names))
    people = {**dict.fromkeys(change.stays, "kept"), **dict.fromkeys(change.goes, "dropped")} if change else {}
    source, rules, room = corpus.judged(state.selection.moved), corpus.recipe.names, CHARACTERS
    for begin in range(0, len(listed), BATCH):
        part = listed[begin:begin + BATCH]
        rows = {row[0]: row for row in corpus.rows(
            f"SELECT {asked} FROM {source} WHERE place IN (SELECT unnest(?::BIGINT[]))", [part])}
        for document in corpus.texts(part):
            _, own, file, number, domain, mask, *values = rows[document.place]
            if (room := room - len(document.text)) < 0:
                return
            yield {"id": own, "text": document.text, "title": document.title, "url": document.url,
                   "source": file, "number": number, "domain": domain, "filter": state.selection.hash,
                   "rules_failed": [rule for i, rule in enumerate(rules) if mask >> i & 1],
                   "kept": people.get(document.place, "dropped" if mask else "kept") == "kept",
                   "cluster_decision": people.get(document.place), **dict(zip(names, values, strict=True))}


def _jsonl(records: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for record in records:
        yield orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _csv(records: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """Lines with a head. A text that a spreadsheet would run as a formula gets an apostrophe before it."""
    def line(values: Iterator[Any]) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow([_cell(value) for value in values])
        return text.getvalue().encode("utf-8", "replace")
    for number, record in enumerate(records):
        if not number:
            yield line(iter(record))
        yield line(iter(record.values()))


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return "|".join(map(str, value))
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value
