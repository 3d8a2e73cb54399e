"""The model pickers at work: what they offer in a language, the note below them, accepting a licence, fetching."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from panels import dialogue_models as models
from panels.dialogue_form import MODEL_ROLES, Form
from workbench import hub
from workbench.contract import TERMINAL, Json, UserError
from workbench.panel import LATEST, QUEUED, QUICK, Shell

PICKERS = ("model", *(f"{role}_model" for role in MODEL_ROLES))


def wire(shell: Shell, form: Form) -> None:
    """Connect the pickers of models with the dialogue's language, their note and the two buttons."""
    language, pickers = form.fields["language"], form.of(PICKERS)
    wire_choices(shell, language, pickers)
    note = [form.pickers["models"], form.buttons["accept"], form.buttons["fetch"]]
    run = shell.note()

    def describe(request: gr.Request, spoken: str, *chosen: Json) -> tuple[Any, ...]:
        return described(shell, shell.lang(request), spoken, [str(value or "") for value in chosen])

    def bring(request: gr.Request, *chosen: Json) -> str:
        return start_fetch(shell, request, [str(value or "") for value in chosen])

    def follow(run_id: str, request: gr.Request) -> tuple[Any, Any]:
        return progress(shell, run_id, request)
    gr.on(None, shell.guard(describe), [language, *pickers, run], note, **LATEST)
    for button in (form.buttons["accept"], form.buttons["fetch"]):
        button.click(shell.guard(bring), pickers, [run], **QUEUED)
    shell.on_poll(follow, [run], [form.pickers["fetching"], run])


def wire_choices(shell: Shell, language: Component, pickers: Sequence[Component]) -> None:
    """Fill pickers (the shared one, then one a role) when the page opens and when the dialogue's language changes."""
    def offer(request: gr.Request, spoken: str, *chosen: Json) -> list[Any]:
        return offered(shell, shell.lang(request), spoken, [str(value or "") for value in chosen])

    def first(request: gr.Request) -> list[Any]:
        return offered(shell, shell.lang(request), "en", [""] * len(PICKERS))
    gr.on(None, shell.guard(first), None, list(pickers), **QUICK)
    language.change(shell.guard(offer), [language, *pickers], list(pickers), **QUEUED)


def offered(shell: Shell, lang: str, language: str, chosen: Sequence[str]) -> list[Any]:
    """New choices for every picker; a chosen model that does not speak the language gives way to the default."""
    settings, say = shell.service.settings, partial(shell.t, lang)
    options = models.choices(language, settings, say)
    unfit = {offer.reference for offer in models.offers(language, settings)[1]}
    shared = chosen[0] if chosen[0] and chosen[0] not in unfit else models.default(language, settings)
    same = [(say("dialogue.model.same"), "")]
    return [gr.update(choices=options, value=shared),
            *(gr.update(choices=same + options, value="" if value in unfit else value) for value in chosen[1:])]


def described(shell: Shell, lang: str, language: str, chosen: Sequence[str]) -> tuple[Any, ...]:
    """The note below the pickers, and whether there is a licence to accept or a model to fetch."""
    settings = shell.service.settings
    names = list(chosen[:len(PICKERS)])
    waiting = {offer.status for name in names if name and (offer := known(name, shell))}
    accept = "needs acceptance" in waiting
    return (models.note(names, language, settings, partial(shell.t, lang)), gr.update(visible=accept),
            gr.update(visible=bool(waiting & {"to fetch", "to convert"}) and not accept))


def known(reference: str, shell: Shell) -> models.Offer | None:
    """What is known of a reference, or nothing when it is none."""
    try:
        return models.look_up(reference, shell.service.settings)
    except UserError:
        return None


def start_fetch(shell: Shell, request: gr.Request, chosen: Sequence[str]) -> str:
    """Accept what the person agreed to by pressing, start a fetch for the first chosen model that is not here."""
    settings = shell.service.settings
    for reference in dict.fromkeys(name for name in chosen if name):
        offer = models.look_up(reference, settings)
        if offer.status == "needs acceptance":
            hub.accept(reference, settings)
        if offer.status in ("needs acceptance", "to fetch", "to convert"):
            title = shell.t(shell.lang(request), "dialogue.model.fetching", title=offer.card.title)
            return shell.service.submit(models.FETCH_TASK, {"reference": reference}, visitor=shell.visitor(request),
                                        title=title)
    return ""


def progress(shell: Shell, run_id: str, request: gr.Request) -> tuple[Any, Any]:
    """What the fetch says now; its note is emptied when it is over, which draws the models anew."""
    if not run_id:
        return gr.skip(), gr.skip()
    run = shell.service.run(shell.visitor(request), run_id)
    if run.status == "succeeded":
        return "", ""
    words = str((run.failure or {}).get("cause") or "") if run.status in TERMINAL else run.message
    title = escape(run.title)
    html = f'<div class="dt dt-models"><p role="status"><b>{title}</b><br>{escape(words)}</p></div>'
    return html, "" if run.status in TERMINAL else gr.skip()
