"""The drawings of the Compare view, and the run that answers a side exactly."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr

from backends.mdfg.explore.compare import CELLS, DIFFER, Comparison, Examples, Side, notes
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.measured import Difference
from backends.mdfg.recipes import dump_recipe
from panels import corpus_compare_sides as sides
from panels.corpus_desk import FILTER
from workbench.asking import as_command
from workbench.contract import Json, UserError
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import say
from workbench.widgets import corpus_sides, outcome
from workbench.widgets.corpus_numbers import count, rule_name


@dataclass(frozen=True)
class Held:
    """Both sides opened: as they came and with their limits moved; or why one of them cannot be."""

    own: Mapping[str, Side]
    now: Mapping[str, Side]
    wrong: Mapping[str, UserError]


def opened(shell: Shell, visitor: str, corpus: Corpus, state: sides.Sides) -> Held:
    """Open both sides; an error of one does not hide the other."""
    own: dict[str, Side] = {}
    now: dict[str, Side] = {}
    wrong: dict[str, UserError] = {}
    for name in sides.NAMES:
        chosen = state.of_side(name)
        try:
            own[name] = sides.base(shell, visitor, corpus, chosen)
            now[name] = sides.side(corpus, own[name], chosen.moved)
        except UserError as error:
            wrong[name] = error
    return Held(own, now, wrong)


def editor(corpus: Corpus, held: Held, name: sides.SideName, run: Run, lang: str) -> str:
    """The limits of a side and its recipe to take away, or why there is none."""
    if name in held.wrong:
        return refused(held.wrong[name])
    now, own = held.now[name], held.own[name]
    groups: dict[tuple[str, str, str], list[Difference]] = {}
    for note in notes(corpus, now):
        groups.setdefault((note.setting, str(note.was), str(note.wanted)), []).append(note)
    warned = [corpus_sides.warning([note.column for note in group], group[0].setting, group[0].was, group[0].wanted,
                                   lang) for group in groups.values()]
    if own.run and now.run:
        warned.insert(0, say(lang, "corpus_compare.as_run"))
    file = sides.file_name(now.recipe)
    return corpus_sides.editor(corpus_sides.Editor(
        name, now.recipe.tests, own.recipe.tests, now.recipe.hash, dump_recipe(now.recipe), file,
        command(run.fields, file), tuple(warned)), lang)


def fields_for(fields: Mapping[str, Json], recipe: str) -> dict[str, Json]:
    """The request of a run with another recipe: the recipe holds scorers and near-duplicates itself."""
    return {**fields, "recipe": recipe, "scorers": [], "near_duplicates": "recipe"}


def command(fields: Mapping[str, Json], file: str) -> str:
    """The shell command that filters the same texts by the recipe in a file."""
    plain = fields_for(fields, "zh-paper-code")  # the default, which is left out
    return f"{as_command(FILTER, plain)} --set-file {shlex.quote(f'recipe={file}')}"


def result(found: Comparison, cell: str, rule: str, lang: str) -> str:
    """The four outcomes and the rules."""
    cells = [corpus_sides.Outcome(name, found.cells[name].documents, found.cells[name].characters,
                                  found.cells[name].quality, found.cells[name].toxicity) for name in CELLS]
    return (corpus_sides.outcomes(cells, cell, found.compared, found.total, found.hash, lang)
            + corpus_sides.rules(found.rules, rule, lang))


def listing(found: Examples, compared: Comparison, cell: str, rule: str, lang: str) -> str:
    """One page of documents, and a sentence that says which."""
    parts = [say(lang, f"corpus_compare.cell.{cell or DIFFER}")] if cell or not rule else []
    parts += [say(lang, "corpus_compare.by_rule", rule=rule_name(rule, lang))] if rule else []
    what = say(lang, "corpus_compare.shown", n=count(found.shown), total=count(compared.compared),
               what=" · ".join(parts), filter=compared.hash)
    rows = [corpus_sides.Listed(row.place, f"{row.source}:{row.number}", row.characters, row.snippet, row.failed_a,
                                row.failed_b) for row in found.rows]
    return corpus_sides.documents(rows, found.shown, found.offset, found.limit, what, lang)


def refused(error: UserError) -> str:
    """Why something cannot be compared."""
    return outcome.refusal(error.message, str(error).removeprefix(error.message).strip())


def start(shell: Shell, request: gr.Request, run: Run, side: Side) -> str:
    """Filter the texts of the corpus by the recipe of a side; the id of the new run."""
    lang = shell.lang(request)
    title = shell.t(lang, "corpus_compare.run_title", name=side.recipe.name, title=run.title)
    return shell.service.submit(FILTER, fields_for(run.fields, dump_recipe(side.recipe)),
                                visitor=shell.visitor(request), title=title[:120], parents=(run.id,))
