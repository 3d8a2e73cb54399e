"""For the dialogue tests: a scripted language model (tests only, never reachable by a person) and shorthands."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from functools import lru_cache

from backends.common.language import Completion
from backends.sweetiechat.cast import Cast
from backends.sweetiechat.crisis import load_rules
from backends.sweetiechat.library import choose_strategies, load_library
from backends.sweetiechat.objects import Counsel, Dialogue, Private, Ranked, Turn
from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.wording import load_wording

library_of, wording_of, rules, strategies_of = (
    lru_cache(f) for f in (load_library, load_wording, load_rules, choose_strategies))
SMALL = {"title": "Scripted", "kind": "chat", "languages": ["en"], "parameters": 135_000_000, "can_score": True}
LARGE = {"title": "Scripted large", "kind": "chat", "languages": [], "parameters": None, "can_score": True}
BASE = {"title": "Scripted base", "kind": "base", "languages": [], "parameters": 2_000_000_000, "can_score": True}
WORDS = (
    "river", "table", "window", "garden", "letter", "kitchen", "winter", "morning", "silence",
    "corner", "bread", "coat", "street", "music", "paper", "stone", "candle", "shoulder",
    "market", "ladder", "mirror", "blanket", "engine", "pocket", "forest",
)


class ScriptedModel:
    """Deterministic: the reply depends on the prompt's words, its key and the seed only. ``replies`` overrides it:
    a function of the prompt that returns the text, or nothing for the default."""

    def __init__(self, card=None, replies=None, scores=None):
        self.card, self._replies, self._scores = dict(card or SMALL), replies, scores
        self.prompts, self.scored, self.decodings, self.forgotten, self.closed = [], [], [], [], 0
        self.calls = 0

    def generate(self, prompts, decoding, on_token=None, cancelled=None):
        self.prompts += prompts
        self.decodings.append(decoding)
        self.calls += 1
        result = []
        for row, prompt in enumerate(prompts):
            if cancelled:
                cancelled()
            text = self._replies(prompt) if self._replies else None
            text = self.default(prompt, decoding.seed) if text is None else text
            new = text[len(prompt.prefill):] if prompt.prefill and text.startswith(prompt.prefill) else text
            for piece in (prompt.prefill, new[: len(new) // 2], new[len(new) // 2:]):
                if on_token and piece:
                    on_token(row, piece)
            whole = text if text.startswith(prompt.prefill) else prompt.prefill + text
            result.append(Completion(whole, max(1, len(new.split())), 10, 5, 0.01, "stop"))
        return result

    def default(self, prompt, seed):
        words = "\n".join([*(m.content for m in prompt.messages), prompt.text, prompt.key, str(seed)])
        rng = random.Random(hashlib.sha256(words.encode()).digest())
        return f"{prompt.prefill} {' '.join(rng.sample(WORDS, 8))}."

    def score(self, prompts, continuations):
        self.scored += prompts
        if self._scores:
            return [self._scores(p, c) for p, c in zip(prompts, continuations, strict=True)]
        rows = []
        for prompt, texts in zip(prompts, continuations, strict=True):
            words = "\n".join([*(m.content for m in prompt.messages), prompt.text])
            rng = random.Random(hashlib.sha256(words.encode()).digest())
            rows.append([[-rng.random() * 3 for _ in text.split()] for text in texts])
        return rows

    def forget(self, keys):
        self.forgotten += keys

    def close(self):
        self.closed += 1


def make_cast(model=None, request=None, **models):
    request = request or DialogueRequest()
    model = model or ScriptedModel()
    everyone = {role: models.get(role, model) for role in ("seeker", "counselor", "supporter")}
    return Cast(everyone, {role: f"path:{role}" for role in everyone}, request, wording_of(request.language),
                rules(), random.Random)


def make_dialogue(*texts, language="en", scenario="breakup", card=None, counselor="scored", strategies="esconv-8",
                  states=(), used=(), **changes):
    """A dialogue with these utterances, the seeker's first; ``states``: the seeker's intensities in order."""
    library = library_of(language)
    chosen = library.scenario(scenario)
    seeker_card = library.card(card) if card else library.cards_of(scenario)[0]
    turns = []
    for number, text in enumerate(texts):
        if number % 2 == 0:
            place = number // 2
            level = states[place] if place < len(states) else chosen.intensity_0
            state = Private(chosen.emotion, round(level), level=float(level))
            turns.append(Turn(number, "seeker", text, private=state))
        else:
            key = used[number // 2] if number // 2 < len(used) else None
            turns.append(Turn(number, "supporter", text, key))
    dialogue = Dialogue("test", chosen, seeker_card, strategies_of(strategies), tuple(turns), "running", language,
                        counselor)
    return dataclasses.replace(dialogue, **changes)


def make_counsel(key="question", mode="scored", **changes):
    counsel = Counsel("exploration", (Ranked(key, 1.0, 0.9, {"history": 1.0}),), key, "It fits.", mode)
    return dataclasses.replace(counsel, **changes)


def words(prompt):
    """Every word of a prompt."""
    return "\n".join([*(m.content for m in prompt.messages), prompt.text, prompt.prefill])
