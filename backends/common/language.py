"""What a method may ask of a language model, wherever that model lives. No torch here.

``open_model(context, reference)`` gives a :class:`LanguageModel`: a line to the resident process of a
local model (``workbench.sessions``) or to an OpenAI-compatible server (``endpoint:`` references).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from workbench.contract import Context, Json, Knob, Model, UserError
from workbench.fields import from_json, to_json, validate

OnToken = Callable[[int, str], None]
"""Called with (row, new text); the text is whole characters, never half of one."""


@dataclass(frozen=True)
class Message:
    """One turn of a chat as the model's own template writes it."""

    role: Literal["system", "user", "assistant"]
    content: str

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Prompt:
    """What a reply is asked for: chat ``messages``, or raw ``text`` for a base model; exactly one of the two.

    ``prefill`` is how the reply begins; it is part of ``Completion.text`` and is not closed. ``key`` names a
    conversation: prompts of one key that share a beginning reuse its keys and values, and the key (or else the
    place in the batch) is what a row's random numbers depend on, never the other rows.
    """

    messages: tuple[Message, ...] = ()
    text: str = ""
    prefill: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        validate(self)
        if bool(self.messages) == bool(self.text):
            raise UserError("A prompt needs either chat messages or raw text, and not both; "
                            f"this one has {len(self.messages)} messages and {len(self.text)} characters of text.")


@dataclass(frozen=True)
class Decoding:
    """How the next token is chosen. ``temperature=0`` is greedy; top-k, top-p and seed then do nothing.

    Order of the steps: repetition penalty, no-repeat n-grams, minimum length, temperature, top-k, top-p (as in
    ``transformers``). Defaults are ours.
    """

    max_new_tokens: Annotated[int, Knob("Most tokens in one reply.", 1, 8192, 1)] = 40
    min_new_tokens: Annotated[int, Knob("Fewest tokens in one reply; no end before.", 0, 8192, 1)] = 0
    temperature: Annotated[float, Knob("0 always takes the likeliest token; 1 samples as the model says.",
                                       0.0, 5.0, 0.05)] = 0.7
    top_p: Annotated[float, Knob("Sample from the likeliest tokens that hold this share of probability.",
                                 0.01, 1.0, 0.01)] = 0.9
    top_k: Annotated[int, Knob("Sample from this many likeliest tokens; 0 = no limit.", 0, 100_000, 1)] = 0
    repetition_penalty: Annotated[float, Knob("Above 1: tokens that have occurred become less likely.",
                                              0.1, 5.0, 0.05)] = 1.0
    no_repeat_ngram: Annotated[int, Knob("No run of this many tokens occurs twice; 0 = off.", 0, 100, 1)] = 0
    stop: Annotated[tuple[str, ...], Knob("The reply ends before any of these texts.", 0, 16)] = ()
    seed: Annotated[int, Knob("Same seed, same reply.", 0, 2**63 - 1, 1)] = 0

    def __post_init__(self) -> None:
        validate(self)
        if self.min_new_tokens > self.max_new_tokens:
            raise UserError(f"min_new_tokens is {self.min_new_tokens}; it must not exceed "
                            f"max_new_tokens ({self.max_new_tokens}).")
        if any(not text for text in self.stop):
            raise UserError("stop holds an empty text; every stop text needs at least one character.")


@dataclass(frozen=True)
class Completion:
    """One reply. ``tokens`` new ones in ``text`` (prefill not counted); ``reused_tokens`` of the prompt were cached."""

    text: str
    tokens: int
    prompt_tokens: int
    reused_tokens: int
    seconds: float
    finish: Literal["stop", "length"]


class LanguageModel(Protocol):
    """A model that continues prompts and scores continuations."""

    card: Mapping[str, Json]
    """What the model can do: the fields of ``hub.ModelCard``, e.g. ``kind``, ``languages``, ``can_score``."""

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding, on_token: OnToken | None = None,
                 cancelled: Callable[[], None] | None = None) -> list[Completion]:
        """Reply to every prompt, batched. ``cancelled`` is called often and ends the work by raising."""

    def score(self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]) -> list[list[list[float]]]:
        """Natural-log probability of every token of every continuation: ``[prompt][continuation][token]``."""

    def forget(self, keys: Sequence[str]) -> None:
        """Drop what is cached for these conversations."""

    def close(self) -> None:
        """Give the line back. A resident model stays for the next one."""


class ResidentModel:
    """A :class:`LanguageModel` over a line to a resident model process."""

    def __init__(self, line: Model) -> None:
        self._line = line
        self.card: Mapping[str, Json] = line.card

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding, on_token: OnToken | None = None,
                 cancelled: Callable[[], None] | None = None) -> list[Completion]:
        if not prompts:
            return []
        payload = {"prompts": to_json(prompts), "decoding": to_json(decoding), "stream": on_token is not None}
        result = self._run("generate", payload, on_token, cancelled)
        return [from_json(Completion, item) for item in result]

    def score(self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]) -> list[list[list[float]]]:
        payload = {"prompts": to_json(prompts), "continuations": to_json(continuations)}
        result: list[list[list[float]]] = self._run("score", payload, None, None)
        return result

    def forget(self, keys: Sequence[str]) -> None:
        self._run("forget", {"keys": list(keys)}, None, None)

    def info(self) -> dict[str, Json]:
        """Precision, threads, cache size and context length of the running model."""
        found: dict[str, Json] = self._run("info", {}, None, None)
        return found

    def close(self) -> None:
        self._line.close()

    def _run(self, operation: str, payload: Json, on_token: OnToken | None,
             cancelled: Callable[[], None] | None) -> Json:
        events: Iterator[Json] = iter(self._line.ask(operation, payload))
        try:
            for event in events:
                if cancelled is not None:
                    cancelled()
                if "delta" in event and on_token is not None:
                    row, text = event["delta"]
                    on_token(row, text)
                if "result" in event:
                    return event["result"]
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()
        raise UserError(f"The model process ended {operation} without an answer.", advice="Try once more.")


def open_model(context: Context, reference: str) -> LanguageModel:
    """The language model behind a reference ("" is the default one of the settings).

    The context answers for local models with a line to their process, and for ``endpoint:`` references, after it
    has checked that they are allowed, with a card that holds the server's address and model name."""
    line = context.model(reference)
    server = line.card.get("endpoint")
    if server:
        from backends.common.endpoint import EndpointModel  # an HTTP client is only loaded when one is asked for
        from backends.common.server import Server

        return EndpointModel(Server(server["base"]), server["model"], line.card)
    return ResidentModel(line)
