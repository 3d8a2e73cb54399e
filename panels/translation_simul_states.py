"""What the Simultaneous view asks for and what came of it: the request, its result, and the files made of it."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import gradio as gr

from backends.sm2.models import BUNDLED, Facts, default_model
from backends.sm2.requests import StatesRequest
from panels.translation_models import facts_of
from workbench import asking, hub
from workbench.contract import Json, UserError
from workbench.fields import from_json
from workbench.panel import Shell
from workbench.widgets import sm2_film
from workbench.widgets.badge import badge
from workbench.widgets.loose import finite, table
from workbench.widgets.markup import copy_button, element, esc
from workbench.widgets.sm2_player import named, page
from workbench.widgets.sm2_states import Play, play_of

TASK, VIEW = "sm2.states.v1", "simul"
LONGEST = 300
"""Most characters of a sentence: all states of all its prefixes are computed (our default)."""
KEPT = 24
"""Sentences whose states stay in memory, for files to be made of them (our default)."""
ORDER = ("sov n1 n2 o4 o5 o6 o7 v3", "svo n1 n2 n5 v3 o4 o5 o6 o7", "sov n8 n3 n1 o9 o2 o11 o6 o1 v10")
EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "de": ("Ich habe gestern meinen alten Freund in der Stadt getroffen.",
           "Er sagte, dass er morgen nicht kommen kann.",
           "Wenn es regnet, bleiben wir zu Hause."),
    "zh": ("我昨天在城里见到了我的老朋友。", "他说他明天不能来。", "如果下雨，我们就待在家里。")}
"""Sentences by source language (ours): the verb comes late in German, the place early in Chinese."""


@dataclass(frozen=True)
class Asked:
    """A sentence to play. ``threshold`` is where the slider stands; ``nonce`` tells two presses apart."""

    text: str
    model: str
    k: int = 3
    min_read: int = 2
    forbid_early_end: bool = False
    threshold: float = 0.5
    nonce: str = ""

    @property
    def fields(self) -> dict[str, Json]:
        """The fields of the request."""
        return {name: value for name, value in asdict(self).items() if name not in ("threshold", "nonce")}

    def note(self, now: bool = False) -> str:
        """As the text of a note; ``now`` makes it differ from every one before."""
        value = {"view": VIEW, **asdict(replace(self, nonce=f"{time.time():.3f}" if now else ""))}
        return json.dumps({name: one for name, one in value.items() if one != ""}, ensure_ascii=False)


def asked(note: str) -> Asked | None:
    """What a note asks for; nothing of an empty one, of another view's, or of one that somebody wrote by hand into
    something that cannot be asked."""
    try:
        value = table(json.loads(note or "{}"))
        if value.get("view") != VIEW:
            return None
        made = from_json(Asked, {name: one for name, one in value.items() if name != "view"})
        return checked(made) if 0 < made.threshold <= 1 else None
    except (UserError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def checked(wanted: Asked) -> Asked:
    """The same with one line of text. Raises ``UserError`` naming the field that does not fit."""
    text = " ".join(wanted.text.split())
    if not text:
        raise UserError("There is no sentence to play.", advice="Write one, or press an example.")
    if len(text) > LONGEST:
        raise UserError(f"The sentence has {len(text)} characters; this view takes {LONGEST}.",
                        advice="Play one sentence at a time. The task sm2.translate.v1 takes long texts.")
    model = wanted.model.strip() or default_model()
    StatesRequest(text, model, wanted.k, wanted.min_read, wanted.forbid_early_end)
    return replace(wanted, text=text, model=model)


def wanted_of(text: str, model: str, k: Json, min_read: Json, forbid: bool, threshold: float = 0.5) -> Asked:
    """Of the components' values. Raises ``UserError`` for numbers that are none."""
    for name, value in (("k", k), ("min_read", min_read)):
        if not finite(value) or value != int(value):
            raise UserError(f"{name} is {value!r}; it must be a whole number of at least 1.")
    return checked(Asked(str(text or ""), str(model or ""), int(k), int(min_read), bool(forbid), threshold))


@dataclass(frozen=True)
class Shelf:
    """The newest sentences with their states, each for the visitor who asked. Safe to use from many threads."""

    plays: OrderedDict[str, Play] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, visitor: str, wanted: Asked, play: Play) -> None:
        """Keep one, and forget the oldest beyond :data:`KEPT`."""
        with self.lock:
            self.plays[_key(visitor, wanted)] = play
            while len(self.plays) > KEPT:
                self.plays.popitem(last=False)

    def get(self, visitor: str, wanted: Asked) -> Play | None:
        """The states of what this visitor asked for."""
        with self.lock:
            return self.plays.get(_key(visitor, wanted))


def _key(visitor: str, wanted: Asked) -> str:
    return hashlib.sha256(json.dumps([visitor, wanted.fields], sort_keys=True).encode()).hexdigest()


def computed(shell: Shell, shelf: Shelf, request: gr.Request, wanted: Asked, again: bool = True) -> Play:
    """All states of the sentence, by a process of its own; those that are kept unless ``again``.

    Raises ``UserError`` for a model that is not there or may not be read, and for a text it cannot take."""
    visitor = shell.visitor(request)
    kept = None if again else shelf.get(visitor, wanted)
    if kept:
        return kept
    result: Json = None
    for event in shell.service.stream(TASK, wanted.fields, visitor=visitor):
        result = event
    play = play_of(table(result), wanted.model, wanted.k, wanted.min_read)
    shelf.put(visitor, wanted, play)
    return play


def bar(shell: Shell, lang: str, wanted: Asked) -> str:
    """What made this, and the request as command and as Python."""
    parts = [badge("synthetic", [wanted.model], lang),
             copy_button(asking.as_command(TASK, wanted.fields), shell.t(lang, "actions.command")),
             copy_button(asking.as_python(TASK, wanted.fields), shell.t(lang, "actions.python"))]
    return element("div", "".join(parts), class_="wb-bar")


def examples(shell: Shell, request: gr.Request, model: str) -> tuple[str, ...]:
    """Sentences that a model can read: of the order language, or of the languages that its card names."""
    told = facts_of(shell, shell.visitor(request), model)
    if told is None and model != BUNDLED:
        return ()
    if told and of_order(told):
        return ORDER
    try:
        languages = hub.card(model, shell.service.settings).languages
    except UserError:
        languages = ()
    chosen = [name for name in EXAMPLES if name in languages]
    return tuple(text for name in chosen for text in EXAMPLES[name])


def of_order(told: Facts) -> bool:
    """Whether a translator was trained on the order language, which needs no files."""
    return not table(told.training.get("request")).get("source")


def example_buttons(shell: Shell, lang: str, sentences: tuple[str, ...]) -> str:
    """The sentences as buttons; nothing without any."""
    if not sentences:
        return ""
    buttons = "".join(element("button", esc(text), type="button", class_="wb-link", data_act="example", data_key=text)
                      for text in sentences)
    return element("p", f"<span>{esc(shell.t(lang, 'translation_simul.examples'))}</span>{buttons}",
                   class_="sm-examples")


def save(play: Play, data: Mapping[str, Json], lang: str, folder: Path, shell: Shell) -> tuple[Path, str]:
    """Write a file of what the player shows (``data``: kind, threshold, track, at); its path, and a remark or
    nothing. Raises ``UserError`` for a kind that there is not."""
    kind, threshold, number, at = (data.get(name) for name in ("kind", "threshold", "track", "at"))
    threshold = float(threshold) if finite(threshold) and 0 < threshold <= 1 else 0.5
    chosen = int(number) if finite(number) and 0 <= number < len(play.others) else -1
    track = play.others[chosen] if chosen >= 0 or not play.ranges else play.at(threshold)
    name = named(play, track, threshold, lang)
    facts = {shell.t(lang, "translation_simul.fact.model"): play.model,
             shell.t(lang, "translation_simul.fact.policy"): name,
             shell.t(lang, "translation_simul.fact.made"): shell.t(lang, "translation_simul.fact.by")}
    if kind == "html":
        made = page(play, threshold, lang, facts).encode()
    elif kind in ("png", "gif"):
        lag = f"{track.tokens[0]:.2f}" if track.tokens[0] is not None else "–"
        shot = sm2_film.Shot(play, track, threshold if track.kind == "sm2" else 0.0,
                             f"{name} · AL {lag} · {play.model}",
                             names=tuple(named(play, other, threshold, lang) for other in play.others))
        made = sm2_film.film(shot) if kind == "gif" else sm2_film.still(shot, int(at) if finite(at) else None)
    else:
        raise UserError(f"The file {kind!r} cannot be made; there are html, png and gif.")
    slug = re.sub(r"[^\w.-]+", "-", f"{name} {play.text}")[:60].strip("-")
    path = folder / f"{slug or 'sentence'}.{kind}"
    path.write_bytes(made)
    blank = kind in ("png", "gif") and sm2_film.lacks_glyphs(play)
    return path, shell.t(lang, "translation_simul.no_font") if blank else ""
