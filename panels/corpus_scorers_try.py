"""Try scorers on a text of one's own: every score, the verdicts made of them, and what in the text pushed a score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from panels.dialogue_form import pane
from workbench import hub, hub_local
from workbench.contract import UserError
from workbench.panel import QUEUED, QUICK, Shell
from workbench.text import known
from workbench.widgets.casepicker import PRESS
from workbench.widgets.corpus_scores import Scored, pushed, scored

if TYPE_CHECKING:
    from backends.mdfg.scorers.base import Scorer

TASKS = ("mdfg.train_scorer.v1", "mdfg.toxicity_rounds.v1", "mdfg.domain_rounds.v1")
"""Tasks whose runs leave a scorer in the artifact ``scorer``."""
KINDS = ("scorer.json", "keywords.json")
"""Files of scorers that are sums and need no torch; BERTEval scores in runs only."""
MOST_RUNS, MOST_SCORERS = 40, 8
Say = Callable[..., str]


@dataclass(frozen=True)
class Try:
    """The components. ``chosen`` is the output that is explained, ``reference|output``."""

    text: gr.Textbox
    scorers: gr.Dropdown
    chosen: gr.Textbox
    buttons: dict[str, gr.Button]
    html: dict[str, gr.HTML]

    @property
    def drawn(self) -> list[Any]:
        """What an answer fills."""
        return [self.html["scores"], self.html["why"], self.chosen]


def bundled() -> list[tuple[str, str]]:
    """(title, reference) of the scorers that come with the project, the Chinese ones first."""
    found = [path.name for path in hub_local.BUNDLED.glob("mdfg-*") if any((path / name).is_file() for name in KINDS)]
    return [(name, f"bundled:{name}") for name in sorted(found, key=lambda name: ("-zh-" not in name, name))]


def offered(shell: Shell, visitor: str) -> list[tuple[str, str]]:
    """The bundled scorers, then those that this visitor's runs have made."""
    found = []
    for task in TASKS:
        found += shell.service.runs(visitor, task=task, status="succeeded", limit=MOST_RUNS)[0]
    found.sort(key=lambda run: run.created or 0.0, reverse=True)
    return bundled() + [(f"{run.title} · {run.id}", f"run:{run.id}/scorer") for run in found[:MOST_RUNS]
                        if any((run.path / "artifacts" / "scorer" / name).is_file() for name in KINDS)]


def lay_out(shell: Shell) -> Try:
    """Make the components."""
    chosen, buttons = shell.note(""), {}
    with gr.Row(elem_classes="dt-hello"):
        gr.HTML(f'<h3 class="dt-title">{shell.label("label.try.title")}</h3><p>{shell.label("label.try.about")}</p>',
                apply_default_css=False)
        buttons["example"] = shell.example_button("label.try.example")
    with gr.Row(elem_classes="cl-split"):
        with gr.Column(min_width=300):
            text = gr.Textbox("", lines=9, max_lines=24, max_length=20_000, label=shell.label("label.try.text"))
            references = [reference for _, reference in bundled()]
            scorers = gr.Dropdown(bundled(), value=references[:MOST_SCORERS], multiselect=True,
                                  max_choices=MOST_SCORERS, label=shell.label("label.try.scorers"))
            with gr.Row(elem_classes="dt-controls"):
                buttons["score"] = gr.Button(shell.label("label.try.score"), variant="primary")
        with gr.Column(min_width=300):
            scores = pane(PRESS)
    why = pane()
    return Try(text, scorers, chosen, buttons, {"scores": scores, "why": why})


def wire(shell: Shell, view: Try, tab: gr.Tab) -> None:
    """Connect the buttons, the press on an output and the list of scorers."""
    inputs = [view.text, view.scorers, view.chosen]

    def score(text: str, scorers: list[str], chosen: str, request: gr.Request) -> list[Any]:
        return answer(shell, request, text, scorers, chosen)

    def explain(text: str, scorers: list[str], _chosen: str, request: gr.Request, event: gr.EventData) -> list[Any]:
        return answer(shell, request, text, scorers, str(event._data.get("key") or ""))

    def example(scorers: list[str], chosen: str, request: gr.Request) -> list[Any]:
        text = shell.t(shell.lang(request), "label.try.sample")
        return [text, *answer(shell, request, text, scorers, chosen)]

    def offer(request: gr.Request) -> Any:
        return gr.update(choices=offered(shell, shell.visitor(request)))
    view.buttons["score"].click(shell.guard(score), inputs, view.drawn, **QUEUED)
    view.buttons["example"].click(shell.guard(example), inputs[1:], [view.text, *view.drawn], **QUEUED)
    view.html["scores"].select(shell.guard(explain), inputs, view.drawn, **QUEUED)
    gr.on([tab.select, view.scorers.focus], offer, None, [view.scorers], **QUICK)


def answer(shell: Shell, request: gr.Request, text: str, references: list[str], chosen: str) -> list[Any]:
    """Scores, explanation and the output that is explained: the asked one where it exists, else the first.

    Raises ``UserError`` without a text or a scorer, and for a scorer that this visitor may not read."""
    from backends.mdfg.contributions import LONGEST

    visitor, lang = shell.visitor(request), shell.lang(request)
    say = partial(shell.t, lang)
    if not text.strip():
        raise UserError(say("label.try.no_text"))
    if len(text) > LONGEST:
        raise UserError(say("label.try.long", most=f"{LONGEST:,}", count=f"{len(text):,}"))
    if not references:
        raise UserError(say("label.try.no_scorer"))
    opened = {reference: open_for(shell, visitor, reference) for reference in references[:MOST_SCORERS]}
    names = {reference: title for title, reference in offered(shell, visitor)}
    rows = [row_of(reference, names.get(reference, reference), scorer, text, say)
            for reference, scorer in opened.items()]
    picked = tuple(chosen.partition("|")[::2])
    if not any((row.reference, name) == picked for row in rows for name, _, _ in row.outputs):
        picked = (rows[0].reference, strongest(rows[0]))
    return [scored(rows, (picked[0], picked[1]), say), why(opened[picked[0]], text, picked[1], say), "|".join(picked)]


def strongest(row: Scored) -> str:
    """The output with the highest probability."""
    return max(row.outputs, key=lambda output: output[2])[0]


def open_for(shell: Shell, visitor: str, reference: str) -> Scorer:
    """The scorer of a reference that this visitor may use. Only bundled ones and those of runs: a page names no
    paths of the server. Raises ``UserError``."""
    kind, _, rest = reference.partition(":")
    if kind == "run":
        shell.service.run(visitor, rest.partition("/")[0])
    elif kind != "bundled":
        raise UserError(f"{reference!r} is no scorer of this list.", advice="Choose one of the list.")
    folder = hub_local.locate(hub.parse(reference), shell.service.settings)
    facts = next((folder / name for name in KINDS if (folder / name).is_file()), None)
    if facts is None:
        raise UserError(f"{reference!r} holds no scorer that can be tried here.",
                        advice="BERTEval models score in a run: start mdfg.score.v1 in the Runs tab.")
    return _opened(folder, facts.stat().st_mtime_ns)


@lru_cache(maxsize=12)
def _opened(folder: Path, changed: int) -> Scorer:
    from backends.mdfg.scorers.opening import open_scorer

    return open_scorer(folder)


def row_of(reference: str, title: str, scorer: Scorer, text: str, say: Say) -> Scored:
    """A scorer's outputs for a text, and the verdict that the task would make of them."""
    table = scorer.score([text])
    outputs = tuple((name, output_name(scorer.name, name, say), float(value))
                    for name, value in zip(scorer.outputs, table[0].tolist(), strict=True))
    if scorer.name == "domain":
        outputs = tuple(sorted(outputs, key=lambda output: -output[2]))
    return Scored(reference, title, outputs, verdict(scorer, text, table, say))


def output_name(scorer: str, output: str, say: Say) -> str:
    """What an output is called: the scorer's own name for a single score, a domain by its name."""
    for key in (f"label.output.{scorer}.{output}", f"label.domain.{output}"):
        if known(key):
            return say(key)
    return output if output != "score" else scorer


def verdict(scorer: Scorer, text: str, table: Any, say: Say) -> str:
    """The verdict in words: toxic or not from .99 on, the single and the other labels of a domain."""
    if scorer.name == "toxicity" and len(scorer.outputs) == 1:
        from backends.mdfg.toxicity import decide as toxic

        found = toxic([text], table[:, 0])[0]
        return say(f"label.toxic.{found.flag or found.label}")
    if scorer.name == "domain":
        from backends.mdfg.domain import decide as domains

        said = domains(table, scorer.outputs)[0]
        several = say("label.and").join(output_name("domain", name, say) for name in said.multi_label)
        return several or say("label.domain_below", name=output_name("domain", said.single_label, say))
    return ""


def why(scorer: Scorer, text: str, output: str, say: Say) -> str:
    """What pushed one output, as HTML."""
    from backends.mdfg.contributions import explain

    found = explain(scorer, text, output)
    if found is None:
        return ""
    head = say(f"label.try.sum.{found.unit}", name=output_name(scorer.name, output, say), score=f"{found.score:.3f}",
               base=f"{found.base:+.2f}".replace("-", "−"), total=f"{found.total:+.2f}".replace("-", "−"))
    return pushed(text, found.shares, [(part.text, part.times, part.push) for part in found.parts], head, say)
