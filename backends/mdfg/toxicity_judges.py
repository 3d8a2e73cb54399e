"""Who decides whether a text is toxic in the LLM-in-the-loop rounds: a language model, or one that is named simulated.

The paper's judge is Qwen2.5-32B; its prompt is not public. Ours asks for JSON {"toxic": 0|1, "category", "evidence"} at
temperature 0, twice with the two answers named in different order. Two different votes, or an answer that cannot be
read, decide nothing: such texts go to the human queue. Every prompt and raw answer is kept, with tokens and seconds.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from backends.common.language import Decoding, LanguageModel, Message, Prompt
from workbench.contract import UserError

SYSTEM = ("You decide whether a text is toxic: it insults, threatens, demeans or spreads hatred of a person or group. "
          "Reporting, quoting or criticising toxic words is not toxic. Answer with one line of JSON and nothing else.")
ASKS = ('Text:\n<<<\n{text}\n>>>\nAnswer as {{"toxic": 1 for toxic or 0 for harmless, "category": "insult", "threat", '
        '"hate", "sexual" or "none", "evidence": "the words that decide, copied from the text"}}.',
        'Text:\n<<<\n{text}\n>>>\nAnswer as {{"toxic": 0 for harmless or 1 for toxic, "category": "none", "sexual", '
        '"hate", "threat" or "insult", "evidence": "the words that decide, copied from the text"}}.')
CHARS = 1500
_OBJECT, _FRAME = re.compile(r"\{[^{}]*\}", re.DOTALL), re.compile(r"<{3,}|>{3,}")


@dataclass(frozen=True)
class Vote:
    """One answer: the ``prompt`` as sent, the ``raw`` reply, and what was read from it (``toxic`` is ``None`` when
    nothing could be)."""

    prompt: str
    raw: str
    toxic: bool | None
    category: str = ""
    evidence: str = ""
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Judgement:
    """The votes on one text; ``toxic`` is ``None`` where they differ or cannot be read: a person must look."""

    text: str
    judge: str
    toxic: bool | None
    votes: tuple[Vote, ...]


class Judge(Protocol):
    """Decides about texts. ``name`` goes to every log and figure; a simulated judge says so in it."""

    @property
    def name(self) -> str:
        """Who judged."""
        ...

    def judge(self, texts: Sequence[str], places: Sequence[int]) -> list[Judgement]:
        """A judgement of each text; ``places`` are their places in the pool."""
        ...


class SimulatedJudge:
    """No language model: the known label, wrong with probability ``noise``. For trying the rounds out, and for figures
    that say so: its name begins with "simulated"."""

    def __init__(self, truth: Sequence[bool], noise: float, generator: random.Random) -> None:
        if not 0 <= noise < 0.5:
            raise UserError(f"noise is {noise:g}; it must lie between 0 and .5.")
        self.name = f"simulated (known labels, {noise:.0%} wrong)"
        self._answers = [bool(label) != (generator.random() < noise) for label in truth]

    def judge(self, texts: Sequence[str], places: Sequence[int]) -> list[Judgement]:
        """The label of each place; the same place always gets the same answer."""
        return [Judgement(text, self.name, self._answers[place],
                          (Vote("(no prompt: simulated)", str(int(self._answers[place])), self._answers[place]),))
                for text, place in zip(texts, places, strict=True)]


class ModelJudge:
    """A language model behind any reference: a local one, or an OpenAI-compatible server."""

    def __init__(self, model: LanguageModel, reference: str, votes: int = 2,
                 cancelled: Callable[[], None] | None = None) -> None:
        if not 1 <= votes <= len(ASKS):
            raise UserError(f"votes is {votes}; it must be 1 or {len(ASKS)}.")
        self.name, self._model, self._votes, self._cancelled = reference, model, votes, cancelled

    def judge(self, texts: Sequence[str], places: Sequence[int]) -> list[Judgement]:
        """Ask for every text as often as there are votes, in one batch."""
        asked = [self._prompt(text, ask) for text in texts for ask in ASKS[:self._votes]]
        decoding = Decoding(max_new_tokens=120, temperature=0.0)
        answers = self._model.generate(asked, decoding, cancelled=self._cancelled) if asked else []
        votes = [read_vote(prompt.messages[-1].content, answer.text, answer.prompt_tokens + answer.tokens,
                           answer.seconds) for prompt, answer in zip(asked, answers, strict=True)]
        return [decided(text, self.name, votes[i * self._votes:(i + 1) * self._votes]) for i, text in enumerate(texts)]

    def _prompt(self, text: str, ask: str) -> Prompt:
        held = _FRAME.sub(lambda match: match[0][:2], text[:CHARS])  # the text must not close its own frame
        return Prompt((Message("system", SYSTEM), Message("user", ask.format(text=held))))


def read_vote(prompt: str, raw: str, tokens: int = 0, seconds: float = 0.0) -> Vote:
    """Read an answer: the first JSON object in it with ``toxic`` 0 or 1. Never evaluated, only parsed."""
    for match in _OBJECT.finditer(raw):
        try:
            value = json.loads(match[0])
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and value.get("toxic") in (0, 1, "0", "1"):
            return Vote(prompt, raw, bool(int(value["toxic"])), str(value.get("category", ""))[:40],
                        str(value.get("evidence", ""))[:200], tokens, seconds)
    return Vote(prompt, raw, None, tokens=tokens, seconds=seconds)


def decided(text: str, judge: str, votes: Sequence[Vote]) -> Judgement:
    """One judgement of the votes: their common answer, or none."""
    answers = {vote.toxic for vote in votes}
    return Judgement(text, judge, answers.pop() if len(answers) == 1 else None, tuple(votes))
