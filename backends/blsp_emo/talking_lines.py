"""Whom a conversation talks to: the speech model, the recogniser and the language model, each a process of its own.

No torch here: the worker of a conversation is small, and what is heavy is loaded once for all visitors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from backends.blsp_emo.requests import TAUGHT, WHISPER
from backends.common.language import LanguageModel, open_model
from backends.common.serving import result_of
from backends.common.speech.practice import CLIPS, FOLDER, PRACTICE, SAID
from workbench.contract import Context, Json, MissingResource, Model, UserError
from workbench.files import read_json, read_lines

KIND = "blsp_emo"
LAST_CLIP = f"{PRACTICE}/-1"
Halt = Callable[[], None]
"""Called often while something is waited for; ends it by raising."""


@dataclass(frozen=True)
class Lines:
    """Open lines. ``references``: what is behind them, by ``speech``, ``recogniser`` and ``language``."""

    speech: Model
    recogniser: Model
    language: LanguageModel | None
    references: Mapping[str, str]

    def ask(self, whom: str, operation: str, payload: Json, halt: Halt,
            heard: Callable[[str], None] | None = None) -> Json:
        """The result of an operation; ``heard`` gets each piece of text that comes before it."""
        def hear(event: Json) -> None:
            halt()
            if "delta" in event and heard is not None:
                heard(event["delta"][1])

        events: Iterator[Json] = (self.speech if whom == "speech" else self.recogniser).ask(operation, payload)
        return result_of(events, hear)

    def ready(self, halt: Halt) -> None:
        """Wait until every process has loaded its model, so that no turn's times have that in them."""
        for whom in ("speech", "recogniser"):
            self.ask(whom, "info", {}, halt)
        info = getattr(self.language, "info", None)
        if info is not None:
            info()
        halt()

    def close(self) -> None:
        """Give the lines back; the processes stay."""
        for line in (self.speech, self.recogniser, self.language):
            if line is not None:
                line.close()


def open_lines(context: Context, model: str, recogniser: str, cascade: bool) -> Lines:
    """Open what a conversation needs, fetching and starting what is not there. What the speech model stands on is
    brought here too, where it is said and recorded. Raises ``MissingResource`` or ``UserError``."""
    speech, ears = model or TAUGHT, recogniser or WHISPER
    base = base_of(context.resource(speech))
    context.resource(base["encoder"])
    context.resource(base["model"])
    context.resource(ears)
    language = open_model(context, base["model"]) if cascade else None
    return Lines(context.model(speech), context.model(ears), language,
                 {"speech": speech, "recogniser": ears, "language": base["model"]})


def base_of(folder: Path) -> dict[str, str]:
    """References of language model and encoder that a speech model's config.json names. Raises ``UserError`` where it
    is no speech model."""
    config = read_json(folder / "config.json", {})
    kind = config.get("model_type") if isinstance(config, dict) else None
    setup = config.get("setup") if kind == KIND else None
    base = setup.get("base") if isinstance(setup, dict) else None
    if not isinstance(base, dict) or not all(isinstance(base.get(name), str) for name in ("model", "encoder")):
        raise UserError(f"{folder.name} is {f'a model of type {kind!r}' if kind else 'no model'}; a conversation by "
                        f"voice needs one of type {KIND!r}.",
                        advice="Choose a model that blsp_emo.stage1 or blsp_emo.stage2 has made.")
    return {"model": base["model"], "encoder": base["encoder"]}


def sound_of(reference: str, context: Context) -> Path:
    """The file of a sound: a reference, ``practice`` (the first practice clip), ``practice/-1`` (the last) or
    ``practice/NAME``.

    Raises ``MissingResource`` where there is none."""
    head, _, name = reference.partition("/")
    if head != PRACTICE:
        return context.resource(reference)
    names = [str(row.get("audio")) for row in read_lines(CLIPS)]
    name = names[-1] if names and reference == LAST_CLIP else name
    names += [str(row.get("audio")) for row in read_lines(SAID)]
    if not names or (name and name not in names):
        raise MissingResource(f"There is no practice clip {name or 'at all'}.",
                              advice=f"There are {', '.join(names)}." if names else "Copy the project again.")
    return FOLDER / (name or names[0])
