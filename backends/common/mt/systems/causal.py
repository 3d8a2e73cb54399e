"""Language models that translate by a prompt: resident ones of this machine, and servers."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence

from backends.common.language import Completion, Decoding, LanguageModel, Message, Prompt, open_model
from backends.common.mt.systems.languages import language
from backends.common.mt.systems.lines import Line, Say, by_groups, grouped
from backends.common.mt.systems.requests import SystemsRequest
from workbench.contract import Cancelled, Context, Json

TOGETHER = 4
"""Lines that are written together (our default)."""
PLACES = re.compile(r"\{(source|target|text)\}")


def filled(template: str, text: str, source: str, target: str) -> str:
    """A template with its places filled in once: a text that has ``{target}`` in it keeps it."""
    values = {"source": language(source).name, "target": language(target).name, "text": text}
    return PLACES.sub(lambda place: values[place[1]], template)


def prompt_of(text: str, request: SystemsRequest, kind: str) -> Prompt:
    """The prompt for one line: a message to a chat model, the beginning of a text to a base model."""
    asked = filled(request.template, text, request.source, request.target)
    return Prompt(text=asked) if kind == "base" else Prompt((Message("user", asked),))


def decoding_for(request: SystemsRequest, kind: str) -> Decoding:
    """Greedy. A base model's translation ends with its line; a chat model's with its first paragraph, because models
    that were tuned to talk like to add an explanation."""
    return Decoding(max_new_tokens=request.longest, temperature=0.0, stop=("\n",) if kind == "base" else ("\n\n",))


def first_line(text: str) -> str:
    """The translation in an answer: its first line with anything in it."""
    return next((" ".join(line.split()) for line in text.split("\n") if line.strip()), "")


class Causal:
    """One language model. Closing it ends what it writes; a resident model stays for whoever comes next."""

    def __init__(self, context: Context, reference: str, request: SystemsRequest) -> None:
        self._request, self._stop = request, threading.Event()
        self._model: LanguageModel = open_model(context, reference)
        self._kind = str(self._model.card.get("kind") or "chat")

    def translate(self, lines: Sequence[Line], say: Say) -> None:
        """Translate :data:`TOGETHER` lines at a time; every new piece of text is said at once."""
        def attempt(group: Sequence[Line]) -> None:
            prompts = [prompt_of(text, self._request, self._kind) for _, text in group]
            began = time.monotonic()
            done = self._model.generate(prompts, decoding_for(self._request, self._kind),
                                        lambda row, piece: say({"line": group[row][0], "delta": piece}), self._wanted)
            for (place, _), completion in zip(group, done, strict=True):
                say({"line": place, **written(completion, time.monotonic() - began, len(group))})
        try:
            by_groups(grouped(lines, TOGETHER), attempt, say)
        finally:
            self._model.close()

    def _wanted(self) -> None:
        if self._stop.is_set():
            raise Cancelled

    def close(self) -> None:
        """End the work at the next token."""
        self._stop.set()


def written(completion: Completion, seconds: float, together: int) -> Mapping[str, Json]:
    """The end of a line; its time is its share of the group's."""
    return {"text": first_line(completion.text), "tokens": completion.tokens,
            "seconds": round(seconds / max(1, together), 3), "cut": completion.finish == "length"}
