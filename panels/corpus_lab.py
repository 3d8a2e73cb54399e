"""The threshold lab: what a threshold means in this corpus, from human labels, and the recipe that takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from panels.corpus_desk import corpus_of
from panels.corpus_label_desk import LabelDesk, Say, Work, at_work, learned, left_out, not_known, note, written
from panels.dialogue_form import pane
from workbench.contract import UserError
from workbench.panel import LATEST, QUEUED, Shell
from workbench.widgets import corpus_lab as shown
from workbench.widgets.casepicker import PRESS
from workbench.widgets.markup import element, esc

if TYPE_CHECKING:
    from backends.mdfg.explore.lab import Lab, Point
    from backends.mdfg.explore.shares import Share
    from backends.mdfg.recipes import Recipe
    from backends.mdfg.rules.verdicts import Test

HALF = 0.5
"""The threshold while the slider's number is empty."""


@dataclass(frozen=True)
class LabView:
    """The components."""

    threshold: gr.Slider
    prevalence: gr.Textbox
    recipe: gr.Textbox
    buttons: Mapping[str, gr.Button]
    html: Mapping[str, gr.HTML]

    def inputs(self, desk: LabelDesk) -> list[Any]:
        """Run, dimension, documents, threshold, prevalence in percent."""
        return [*desk.inputs, self.threshold, self.prevalence]


def lay_out(shell: Shell) -> LabView:
    """Make the components."""
    with gr.Row(elem_classes="cl-setup"):
        threshold = gr.Slider(0, 1, value=0.5, step=0.005, label=shell.label("label.threshold"),
                              info=shell.label("label.lab.threshold.help"))
        prevalence = gr.Textbox("", max_lines=1, max_length=20, label=shell.label("label.lab.elsewhere"),
                                info=shell.label("label.lab.elsewhere.help"))
    html = {"figures": pane(), "charts": pane(PRESS)}
    with gr.Row(elem_classes="dt-controls"):
        buttons = {"recipe": gr.Button(shell.label("label.lab.recipe"), size="sm")}
    recipe = gr.Textbox("", lines=8, max_lines=20, visible=False, elem_classes="dt-code",
                        label=shell.label("label.lab.yaml"), buttons=["copy"])
    with gr.Row(elem_classes="dt-controls"):
        buttons["run"] = gr.Button(shell.label("label.lab.run"), size="sm", variant="primary", visible=False)
        html["made"] = pane()
    return LabView(threshold, prevalence, recipe, buttons, html)


def wire(shell: Shell, view: LabView, desk: LabelDesk, tabs: Sequence[gr.Tab]) -> None:
    """Connect the slider, the points of the curve and the recipe."""
    inputs, drawn = view.inputs(desk), [view.html["figures"], view.html["charts"]]

    def draw(request: gr.Request, *values: Any) -> list[str]:
        return looks(shell, desk, request, values[:3], values[3], values[4])

    def pick(event: gr.EventData) -> Any:
        try:
            return float(str(event._data.get("key")))
        except ValueError:
            return gr.skip()

    def write(run_id: str, what: str, threshold: float | None, request: gr.Request) -> list[Any]:
        text = recipe_text(shell, desk, request, run_id, what, threshold)
        return [gr.update(value=text, visible=True), gr.update(visible=True), ""]

    def filter_with(run_id: str, text: str, request: gr.Request) -> str:
        return run_with(shell, request, run_id, text)
    gr.on([*(tab.select for tab in tabs), desk.corpus.change, desk.what.change, desk.show.change,
           view.threshold.change, view.prevalence.change], shell.guard(draw), inputs, drawn, **LATEST)
    view.html["charts"].select(shell.guard(pick), None, [view.threshold], **QUEUED)
    view.buttons["recipe"].click(shell.guard(write), [desk.corpus, desk.what, view.threshold],
                                 [view.recipe, view.buttons["run"], view.html["made"]], **QUEUED)
    view.buttons["run"].click(shell.guard(filter_with), [desk.corpus, view.recipe], [view.html["made"]], **QUEUED)


def looks(shell: Shell, desk: LabelDesk, request: gr.Request, asked: Sequence[str], threshold: float | None,
          percent: str | None) -> list[str]:
    """The figures at a threshold and the two charts; a sentence where there are too few labels."""
    from backends.mdfg.explore.lab import at_threshold, lab, sample

    say = partial(shell.t, shell.lang(request))
    if not asked[0]:
        return [note(say("corpus.choose_first")), ""]
    try:
        elsewhere = written(percent, say("label.lab.elsewhere"), 0, 100)
        work = at_work(shell, desk, request, asked[0], asked[1], asked[2])
        seen = learned(shell, request, work, asked[1])
        known = sample(work.population, work.labels.of(asked[1]), work.scale, seen.places)
        every = lab(work.population, known)
        now = at_threshold(work.population, known, HALF if threshold is None else float(threshold))
    except UserError as error:
        return [note(str(error)), ""]
    return [figures(work, every, now, elsewhere, say, not_known(seen, say)), charts(work, every, now, say)]


def figures(work: Work, every: Lab, now: Point, percent: float | None, say: Say, more: str = "") -> str:
    """Precision, recall, what is kept, prevalence, what these are made of, and ``more`` to be known about them."""
    kept = kept_of(work, now)
    rows = [(say("label.lab.precision"), told(now.precision), say("label.lab.precision.help")),
            (say("label.lab.recall"), told(now.recall), say(f"label.lab.recall.{every.what}")),
            (say("label.lab.kept"), kept[0], kept[1]),
            (say("label.lab.prevalence"), told(every.prevalence), say(f"label.lab.prevalence.{every.what}")),
            (say("label.lab.area"), f"{every.average_precision:.3f}", "")]
    if percent is not None:
        elsewhere = now.at_prevalence(percent / 100)
        rows.insert(1, (say("label.lab.at", percent=f"{percent:g}"),
                        "–" if elsewhere is None else f"{100 * elsewhere:.1f} %", say("label.lab.at.help")))
    base = say("label.lab.base", documents=every.documents, positives=every.positives, labelled=now.precision.documents,
               covered=f"{100 * every.covered:.0f}",
               undecided=every.undecided, total=f"{work.population.documents:,}")
    return shown.figures(rows) + note(" ".join(filter(None, (base, left_out(every.left_out, say), more))))


def kept_of(work: Work, now: Point) -> tuple[str, str]:
    """(documents that stay, characters that stay): at or above the threshold for quality, below it for toxicity."""
    keeps = work.scale.what != "toxicity"
    every = work.population
    documents = now.chosen.documents if keeps else every.documents - now.chosen.documents
    total = int(every.characters.sum())
    characters = now.chosen.characters if keeps else total - now.chosen.characters
    share = documents / every.documents if every.documents else 0.0
    return (f"{documents:,} / {every.documents:,} ({100 * share:.1f} %)",
            f"{characters:,} / {total:,} ({100 * characters / total if total else 0:.1f} %)")


def told(value: Share) -> str:
    """A share in percent with its interval."""
    if value.value is None:
        return "–"
    return f"{100 * value.value:.1f} % [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def charts(work: Work, every: Lab, now: Point, say: Say) -> str:
    """Precision against recall, and both against the threshold."""
    dots = [dot for dot in map(dot_of, every.curve) if dot is not None]
    here = dot_of(now)
    low, high = float(work.population.scores.min()), float(work.population.scores.max())
    low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    return (f'<div class="dt cl-charts"><div>{shown.curve(dots, here, every.prevalence.value, say)}</div>'
            f"<div>{shown.against_threshold(dots, here, low, high, say)}</div></div>")


def dot_of(point: Point) -> shown.Dot | None:
    """A point that can be drawn; none where precision or recall is not known."""
    if point.precision.value is None or point.recall.value is None:
        return None
    return shown.Dot(point.threshold, point.precision.value, point.precision.low, point.precision.high,
                     point.recall.value, point.chosen.share)


def recipe_text(shell: Shell, desk: LabelDesk, request: gr.Request, run_id: str, what: str,
                threshold: float | None) -> str:
    """The corpus's recipe with this threshold as a rule, as YAML. Raises ``UserError`` where there is no such score."""
    from backends.mdfg.explore.scored import as_rule
    from backends.mdfg.recipes import dump_recipe

    corpus = corpus_of(shell, desk.shelf, request, run_id)
    limit = HALF if threshold is None else float(threshold)
    return dump_recipe(with_rule(corpus.recipe, as_rule(corpus, what, limit)))


def with_rule(recipe: Recipe, test: Test) -> Recipe:
    """The recipe with a test on one column: in the place of an earlier one on it that looks the same way, else last."""
    same = [place for place, one in enumerate(recipe.rules)
            if one.column == test.column and one.drop_if[0] == test.drop_if[0]]
    rules = list(recipe.rules)
    for place in reversed(same[1:]):
        del rules[place]
    if same:
        rules[same[0]] = replace(test, rule=rules[same[0]].rule)
    else:
        rules.append(test)
    return replace(recipe, rules=tuple(rules), name=f"{recipe.name[:180]} + {test.rule}"[:200])


def run_with(shell: Shell, request: gr.Request, run_id: str, text: str) -> str:
    """Filter the same sources with the recipe; a link to the new run. Raises ``UserError`` for a wrong recipe."""
    from backends.mdfg.recipes import dump_recipe, parse_recipe

    lang, recipe = shell.lang(request), parse_recipe(text)
    new = shell.service.again(shell.visitor(request), run_id, recipe=dump_recipe(recipe), scorers=[],
                              near_duplicates="recipe")
    words = shell.t(lang, "label.lab.started", hash=recipe.hash)
    return element("p", f"{esc(words)} {shell.open_link('corpus', new, shell.t(lang, 'label.lab.open'))}",
                   class_="tr-note")
