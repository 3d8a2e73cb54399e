"""Does a text belong to what it was written for? By the model's own scores, with nothing to parse.

fit = mean_k log p(tok_k | own context) - max over other contexts of mean_k log p(tok_k | other), in nats a token.
Above 0 the text is likelier under its own context than under every other one shown; the text's own likelihood, which
fluency and length move, drops out. The idea is that of contextual calibration; its use here is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends.common.language import LanguageModel, Prompt
from backends.sweetiechat.quality.verdict import Verdict


@dataclass(frozen=True)
class Question:
    """A text with the context it was written for and others that it should fit less well."""

    text: str
    own: str
    others: tuple[str, ...]


def fits(model: LanguageModel, questions: Sequence[Question]) -> list[Verdict]:
    """One verdict a question; not checked where the model gives no scores or there is nothing to compare with."""
    asked = [q for q in questions if q.others]
    if not model.card.get("can_score", True) or not asked:
        return [Verdict("fit", None, None, "not checked: the model gives no scores") for _ in questions]
    prompts = [Prompt(text=context) for q in asked for context in (q.own, *q.others)]
    texts = [[f" {q.text}"] for q in asked for _ in range(len(q.others) + 1)]
    scores = [_mean(row[0]) for row in model.score(prompts, texts)]
    verdicts, place = {}, 0
    for question in asked:
        part = scores[place:place + len(question.others) + 1]
        place += len(part)
        verdicts[id(question)] = _verdict(part[0] - max(part[1:]))
    unchecked = Verdict("fit", None, None, "not checked: there is nothing to compare with")
    return [verdicts.get(id(question), unchecked) for question in questions]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)


def _verdict(margin: float) -> Verdict:
    word = "better" if margin > 0 else "no better"
    return Verdict("fit", margin > 0, round(margin, 4), f"it fits what it was written for {word} than others "
                   f"({margin:+.3f} nats a token)")
