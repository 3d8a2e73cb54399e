"""Who chooses the strategy: the modes that fit the supporter, the trained classifiers, and a line that explains.

With a trained agent as supporter the modes are the four ways to talk to it: auto (``agent``: it writes its own
strategy), counselor-guided (``scored``, ``prompt``, ``classifier``), user-picked (``you``), and, in the dialogue
itself, all strategies for a turn (:mod:`panels.dialogue_replies`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr

from panels import dialogue_models as models
from panels import dialogue_trained as trained
from panels.dialogue_form import MODES, Form
from workbench.contract import Json
from workbench.panel import LATEST, QUICK, Shell
from workbench.text import gloss
from workbench.widgets.markup import element, esc

GUIDED = ("scored", "prompt", "classifier")


def modes_for(variant: str) -> tuple[str, ...]:
    """The modes that fit a supporter: any model (``""``), or an agent of this variant.

    An agent trained without strategies reads none; one that was only given strategies cannot choose one."""
    if not variant:
        return tuple(mode for mode in MODES if mode != "agent")
    return {"joint": ("agent", *GUIDED, "you"), "given": (*GUIDED, "you"), "plain": ("none",)}.get(variant, MODES)


def named_modes(shell: Shell, lang: str, modes: Sequence[str]) -> list[tuple[str, Json]]:
    """(words, mode) of some modes."""
    return [(shell.t(lang, f"dialogue.counselor.{name}"), name) for name in modes]


def supporters(shell: Shell, visitor: str, lang: str, language: str) -> list[tuple[str, str]]:
    """(words, reference) of whoever may be the supporter: nobody in particular, trained agents, models."""
    own = [(agent.title, agent.reference) for agent in trained.agents(shell.service, visitor, lang)
           if not agent.languages or language in agent.languages]
    say = partial(shell.t, lang)
    return [(say("dialogue.model.same"), ""), *own, *models.choices(language, shell.service.settings, say)]


def words(shell: Shell, lang: str, mode: str, agent: trained.Trained | None, known: int) -> str:
    """What the chosen mode means here."""
    lines = []
    if agent is not None:
        lines.append(shell.t(lang, "replies.agent", variant=gloss(lang, agent.variant)))
        lines.append(shell.t(lang, f"replies.agent.{agent.variant}") if agent.variant else "")
    if mode == "classifier" and not known:
        lines.append(shell.t(lang, "replies.no_classifier"))
    inner = "".join(element("p", esc(line)) for line in lines if line)
    return element("div", inner, class_="dt dt-models") if inner else ""


def describe(shell: Shell, request: gr.Request, mode: str, shared: str, supporter: str, chosen: str,
             language: str) -> list[Any]:
    """Updates of the modes, the list of classifiers, the explaining line and the list of supporters.

    A value is sent only where the present one does not fit: a person may have chosen another one meanwhile."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    agent = trained.agent_of(shell.service, visitor, (supporter or shared or "").strip())
    fit = modes_for(agent.variant if agent else "")
    kept = {} if mode in fit else {"value": fit[0]}
    mode = mode if mode in fit else fit[0]
    known = trained.classifiers(shell.service, visitor, lang) if mode == "classifier" else []
    named = [(one.title, one.reference) for one in known]
    picked = {"value": named[0][1]} if named and not chosen else {}
    return [gr.update(choices=named_modes(shell, lang, fit), **kept),
            gr.update(choices=named, visible=mode == "classifier", **picked),
            words(shell, lang, mode, agent, len(named)),
            gr.update(choices=supporters(shell, visitor, lang, language))]


def wire(shell: Shell, form: Form) -> None:
    """Follow the chosen models, mode and language."""
    def follow(mode: str, shared: str, supporter: str, chosen: str, language: str, request: gr.Request) -> list[Any]:
        return describe(shell, request, mode, shared, supporter, chosen, language)

    def offer(language: str, request: gr.Request) -> Any:
        return gr.update(choices=supporters(shell, shell.visitor(request), shell.lang(request), language))

    def list_classifiers(request: gr.Request) -> Any:
        found = trained.classifiers(shell.service, shell.visitor(request), shell.lang(request))
        return gr.update(choices=[(one.title, one.reference) for one in found])
    mode, shared, supporter, classifier, language = form.of(
        ("counselor", "model", "supporter_model", "classifier", "language"))
    gr.on(None, shell.guard(follow), [mode, shared, supporter, classifier, language],
          [mode, classifier, form.pickers["counselor"], supporter], **LATEST)
    supporter.focus(offer, [language], [supporter], **QUICK)
    classifier.focus(list_classifiers, None, [classifier], **QUICK)
