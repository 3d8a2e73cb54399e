"""A language model that keeps every prompt it is given: for the benchmark and for the proof of the barrier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from backends.common.language import Completion, Decoding, LanguageModel, OnToken, Prompt
from workbench.contract import Json


@dataclass
class Recorder:
    """Passes everything on to ``inner``. ``card`` may say other things of it, e.g. another size or language;
    ``limit`` cuts every reply at so many new tokens (0: as asked)."""

    inner: LanguageModel
    card: Mapping[str, Json]
    prompts: list[Prompt] = field(default_factory=list)
    replies: list[tuple[Prompt, Completion]] = field(default_factory=list)
    limit: int = 0

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding, on_token: OnToken | None = None,
                 cancelled: Callable[[], None] | None = None) -> list[Completion]:
        """As the inner model; prompts and replies are kept."""
        self.prompts.extend(prompts)
        if self.limit:
            most = min(self.limit, decoding.max_new_tokens)
            decoding = replace(decoding, max_new_tokens=most, min_new_tokens=min(most, decoding.min_new_tokens))
        replies = self.inner.generate(prompts, decoding, on_token, cancelled)
        self.replies.extend(zip(prompts, replies, strict=True))
        return replies

    def score(self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]) -> list[list[list[float]]]:
        """As the inner model; prompts are kept."""
        self.prompts.extend(prompts)
        return self.inner.score(prompts, continuations)

    def forget(self, keys: Sequence[str]) -> None:
        """As the inner model."""
        self.inner.forget(keys)

    def close(self) -> None:
        """The inner model stays open: whoever made the recorder closes it."""


def words_of(prompt: Prompt) -> str:
    """Every word of a prompt, whatever its form."""
    return "\n".join([*(message.content for message in prompt.messages), prompt.text, prompt.prefill])
