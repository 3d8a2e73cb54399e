"""The model that writes, how it is asked, and with which seeds: what every stage of a run shares."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backends.common.language import Completion, Decoding, LanguageModel, Prompt
from backends.sweetiechat.cast import NAMES, seed_of
from backends.sweetiechat.objects import Language
from backends.sweetiechat.scenarios.request import ScenarioRequest
from backends.sweetiechat.scenarios.verdicts import Words, load_words
from backends.sweetiechat.scenarios.wording import Words as Wording
from backends.sweetiechat.scenarios.wording import load_wording
from backends.sweetiechat.wording import voice_of
from workbench.contract import UserError

ROOM = {"types": 40, "scenario": 220, "card": 180}
"""New tokens for one type, and for a scenario or a card in lines; twice as many in JSON (our default)."""


@dataclass(frozen=True)
class Writer:
    """A model with the wording of one language and the rules of its texts."""

    model: LanguageModel
    reference: str
    wording: Wording
    words: Words
    request: ScenarioRequest
    generator: Callable[[int], random.Random]
    cancelled: Callable[[], None]

    def write(self, prompts: Sequence[Prompt], kind: str, seed: int, count: int = 1) -> list[Completion]:
        """A reply to every prompt. A row depends on the seed and its prompt's key, never on the other rows."""
        lines, room = self.wording.lines, ROOM[kind] * count
        stop = () if not lines else ("\n",) if kind == "types" else ("\n\n",)
        decoding = Decoding(max_new_tokens=room if lines else 2 * room + 60, temperature=self.request.temperature,
                            top_p=self.request.top_p, stop=stop, seed=seed)
        replies = self.model.generate(prompts, decoding, None, self.cancelled)
        self.model.forget([prompt.key for prompt in prompts if prompt.key])
        return replies

    def seed(self, *parts: object) -> int:
        """A seed from the request's and anything with a stable text."""
        return seed_of(self.request.seed, *parts)

    def rng(self, *parts: object) -> random.Random:
        """A source of randomness of its own for anything with a stable text."""
        return self.generator(self.seed(*parts))


def make_writer(model: LanguageModel, reference: str, request: ScenarioRequest,
                generator: Callable[[int], random.Random], cancelled: Callable[[], None]) -> Writer:
    """A writer in the form that the request names, or that fits the model: lines for small ones, JSON for others.

    Raises ``UserError`` for a model that does not speak the language.
    """
    check_language(model, reference, request.language)
    lines = voice_of(model.card).small if request.form == "auto" else request.form == "lines"
    if lines and reference.startswith("endpoint:"):
        raise UserError("The form is lines, which need a model that continues a text; this one is behind a server.",
                        advice="Choose the form json, or a model of this machine.")
    return Writer(model, reference, load_wording(request.language, lines), load_words(request.language), request,
                  generator, cancelled)


def check_language(model: LanguageModel, reference: str, language: Language) -> None:
    """Refuse a model whose card names its languages and does not name this one."""
    spoken = tuple(model.card.get("languages") or ())
    if spoken and language not in spoken:
        title, known = model.card.get("title") or reference, ", ".join(NAMES.get(code, code) for code in spoken)
        raise UserError(f"{title} speaks {known} only; it cannot write in {NAMES[language]}.",
                        advice="Choose a model that speaks the language, or change the language.")
