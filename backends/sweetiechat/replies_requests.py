"""Request and result of ``sweetiechat.replies.v1``: one candidate reply for every strategy. No torch.

The events of the stream, in this order::

    {"ranking": [{"strategy", "label", "probability", "score"}, ...], "asked": "chat" | "prompts", "mode": ...}
    {"text": {"strategy": key, "text": "what is written so far"}}          # many; all rows grow at the same time
    {"row": {...Candidate...}}                                             # one a strategy, in the order of the set
    {"done": {...RepliesResult...}}

``asked`` is ``chat`` for a trained agent and ``prompts`` for any other model; ``mode`` says whose ranking it is:
``agent`` (the agent's own p(s | h)), ``scored`` (the counselor's formula) or ``none`` (the model gives no
probabilities, and every probability is 0).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from backends.sweetiechat.requests import check_lengths
from workbench.contract import Json, Knob
from workbench.fields import validate

TALK, MODEL, WORDS = "Dialogue", "Model", "Decoding"


@dataclass(frozen=True)
class RepliesRequest:
    """A talk in which the supporter is to speak next, and who is to speak. Decoding as in a dialogue (``requests``)."""

    dialogue: Annotated[dict[str, Json], Knob(
        "The talk so far as a dialogue's JSON (empty: the beginning of the first practice dialogue)", widget="hidden",
        group=TALK)] = field(default_factory=dict)
    turns: Annotated[int, Knob("Turns of the talk to keep (-1: all); the last one must be the seeker's", -1, 100_000, 1,
                               group=TALK)] = -1
    model: Annotated[str, Knob("Who replies: a trained agent (run:ID/model) or any model (empty: the default model)",
                               None, 500, group=MODEL, widget="model")] = ""
    strategies: Annotated[tuple[str, ...], Knob("Keys of the strategies to try (empty: all of the dialogue's set)",
                                                None, 200, group=TALK)] = ()
    max_new_tokens: Annotated[int, Knob("Longest reply in tokens", 8, 400, 1, group=WORDS)] = 40
    min_new_tokens: Annotated[int, Knob("Shortest reply in tokens", 0, 100, 1, group=WORDS)] = 6
    temperature: Annotated[float, Knob("0 always takes the likeliest word", 0, 2, 0.05, group=WORDS)] = 0.6
    top_p: Annotated[float, Knob("Share of probability that words are drawn from", 0.05, 1, 0.05, group=WORDS)] = 0.9
    repetition_penalty: Annotated[float, Knob("Above 1 makes used words less likely", 1, 2, 0.01, group=WORDS)] = 1.05
    redraws: Annotated[int, Knob("How often a reply that breaks a rule is drawn again", 0, 5, 1, group=WORDS)] = 1
    seed: Annotated[int, Knob("Same seed, same replies", 0, 2**31 - 1, 1, group=WORDS)] = 0

    def __post_init__(self) -> None:
        validate(self)
        check_lengths(self.min_new_tokens, self.max_new_tokens)


@dataclass(frozen=True)
class Candidate:
    """One reply: its strategy, p(strategy | talk) over the whole set, and what is left wrong with the text."""

    strategy: str
    label: str
    probability: float
    text: str
    tokens: int
    finish: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class RepliesResult:
    """All candidates in the order of the strategy set."""

    candidates: tuple[Candidate, ...]
    asked: str
    mode: str
    model: str
    seconds: float
