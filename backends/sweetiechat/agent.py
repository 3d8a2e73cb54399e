"""A trained agent in use: a model folder with ``training.json`` is spoken to in the text that it was trained on.

Wherever such a folder is the supporter's model (watched dialogues, generation, candidate replies, evaluation), its
turns are made with :mod:`train_text` instead of the role-play's prompts, whatever the counselor:

=================  ===============================================================================================
counselor          what the agent does
=================  ===============================================================================================
``agent``          it writes ``[Strategy] response`` by itself (variant ``joint`` only)
a strategy given   the reply begins with the given head: counselor-guided, or picked by a person
``none``           variant ``plain`` only, which knows no strategies
=================  ===============================================================================================

p(s | h) of the agent is exact: every head ends with its closing bracket, so no head is the beginning of another, and

    p(s | h) = prod_k p(tok_k of head s | h, tok_<k) / sum over the set of the same
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.common.language import LanguageModel, Message, Prompt
from backends.sweetiechat.objects import Dialogue, Language, Ranked, StrategySet
from backends.sweetiechat.projections import BLOCK, HISTORY_CHARACTERS
from backends.sweetiechat.train_text import Variant, heads_of, prompt_for, read_reply
from workbench.contract import Context, MissingResource, UserError
from workbench.fields import from_json

FACTS = "training.json"
HEAD_ROOM = 16
"""New tokens that a head may take beside the response (our default; ESConv's take up to ten in SmolLM2's words)."""
WITH_FILES = ("path:", "run:", "bundled:", "hub:")
"""References that can be a trained agent's folder."""


@dataclass(frozen=True)
class Agent:
    """What the folder says of itself: the variant, and the strategies it was trained with (none for ``plain``)."""

    reference: str
    variant: Variant
    strategies: StrategySet | None

    @property
    def chooses(self) -> bool:
        """Whether it chooses its strategy by itself."""
        return self.variant == "joint"

    def prompt(self, dialogue: Dialogue, strategy: str = "") -> Prompt:
        """The prompt of the next reply; ``strategy`` (a key) makes it begin with that head. Of a long talk the oldest
        lines go, by the same rule as for the other prompts."""
        prompt = prompt_for(dialogue, self.variant, strategy)
        return dataclasses.replace(prompt, messages=_newest(prompt.messages), key=f"{dialogue.root}/supporter")

    def read(self, text: str, dialogue: Dialogue) -> tuple[str | None, str]:
        """(strategy key, response) of what it wrote."""
        if self.variant == "plain":
            return None, text.strip()
        return read_reply(text, dialogue.strategy_set, dialogue.language)


def _newest(messages: Sequence[Message]) -> tuple[Message, ...]:
    system, lines = list(messages[:1]), list(messages[1:])
    while len(lines) > BLOCK and sum(len(message.content) for message in lines) > HISTORY_CHARACTERS:
        del lines[:BLOCK]
    while len(lines) > 1 and lines[0].role == "assistant":
        del lines[0]
    return (*system, *lines)


def partial_response(text: str) -> str:
    """The response inside a reply that is still being written: nothing until its head is closed."""
    if not text.lstrip().startswith("["):
        return text.strip()
    return text.partition("]")[2].strip()


def read_agent(folder: Path, reference: str) -> Agent | None:
    """The agent in a model folder; nothing for a model that this project did not train.

    Raises ``UserError`` when ``training.json`` is there and cannot be read."""
    try:
        value = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{FACTS} of {reference} cannot be read: {error}.", advice="Train the agent again.") from error
    if not isinstance(value, dict) or value.get("method") != "sweetiechat":
        return None
    variant, table = value.get("variant"), value.get("strategy_set")
    if variant not in ("joint", "given", "plain"):
        raise UserError(f"{FACTS} of {reference} names the variant {variant!r}; it must be joint, given or plain.")
    return Agent(reference, variant, from_json(StrategySet, table) if table else None)


def find_agent(context: Context, reference: str) -> Agent | None:
    """The agent behind a model reference ("" is the default model); nothing where it is an ordinary model."""
    reference = reference.strip() or context.default_model
    if not reference.startswith(WITH_FILES):
        return None
    try:
        return read_agent(context.resource(reference), reference)
    except MissingResource:
        return None  # whoever opens the model says what is missing, and how to get it


def check_agent(agent: Agent | None, counselor: str, strategies: StrategySet, reference: str = "") -> None:
    """Refuse what would only look as if it worked. Raises ``UserError`` for an agent that has no strategies but is
    given some, or has some but is given none, and for strategies that it was not trained with."""
    if agent is None:
        if counselor == "agent":
            raise UserError(f"counselor is 'agent' and the supporter, {reference or 'the default model'}, is no "
                            "trained agent: it would write no strategy.",
                            advice="Choose a trained agent (run:ID/model) as supporter, or another counselor.")
        return
    if agent.variant == "plain" and counselor != "none":
        raise UserError(f"{agent.reference} was trained without strategies (variant plain), and the counselor is "
                        f"{counselor!r}: it could not follow one.", advice="Choose the counselor none.")
    if agent.variant != "plain" and counselor == "none":
        raise UserError(f"{agent.reference} was trained with strategies (variant {agent.variant}), and the counselor "
                        "is 'none'.", advice="Choose agent (it decides by itself), or a counselor that decides."
                        if agent.chooses else "Choose a counselor that decides.")
    if agent.variant == "given" and counselor == "agent":
        raise UserError(f"{agent.reference} was trained to be given a strategy (variant given); it chooses none.",
                        advice="Choose a counselor that decides, or train the variant joint.")
    if agent.strategies is not None and agent.strategies.keys != strategies.keys:
        raise UserError(f"{agent.reference} was trained with the strategies {agent.strategies.name}; this dialogue has "
                        f"{strategies.name}.", advice=f"Choose the strategy set {agent.strategies.name}.")


def rankings(model: LanguageModel, prompts: Sequence[Prompt], strategies: StrategySet,
             language: Language) -> list[tuple[Ranked, ...]]:
    """p(s | h) of every prompt over the set, the likeliest first; ``score`` is the head's log-probability."""
    heads = heads_of(strategies, language)
    found = model.score([dataclasses.replace(p, prefill="") for p in prompts], [heads] * len(prompts))
    return [ranking(strategies.keys, [math.fsum(tokens) for tokens in row]) for row in found]


def ranking(keys: Sequence[str], logs: Sequence[float]) -> tuple[Ranked, ...]:
    """Log-probabilities of disjoint events as a ranking with probabilities that add up to 1."""
    best = max(logs)
    weights = [math.exp(value - best) for value in logs]
    total = math.fsum(weights)
    rows = [Ranked(key, round(value, 4), round(weight / total, 6), {"head": round(value, 4)})
            for key, value, weight in zip(keys, logs, weights, strict=True)]
    return tuple(sorted(rows, key=lambda row: -row.score))
