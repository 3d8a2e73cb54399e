"""Ways in which people write so that a toxicity model does not see it, as functions: the weaknesses in a card.

They stand in for functional tests where none are at hand (HateCheck and its Mandarin version are tables of their own,
see ``metrics_functional``). Each takes a text and a generator; the words stay readable for a person. The
homophones are a short list of common characters, ours.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backends.mdfg.scorers.base import Scorer
from workbench.contract import UserError, unknown

Disguise = Callable[[str, random.Random], str]
HOMOPHONES = str.maketrans("的是不我你人黑女男猪狗死滚傻蠢脑贱恶心垃圾骂歧视外地佬鬼国妈废物白痴",
                           "滴素布窝妮银嘿钕楠珠苟四棍沙纯恼剑饿芯拉鸡码奇示歪弟老轨果马费勿百吃")
LEET = str.maketrans("aeiost", "431057")


@dataclass(frozen=True)
class Weakness:
    """Recall at .5 of toxic texts as they are, and under one disguise."""

    name: str
    texts: int
    plain: float
    disguised: float


def homophones(text: str, _generator: random.Random) -> str:
    """Common Chinese characters replaced by others that sound alike."""
    return text.translate(HOMOPHONES)


def spaced(text: str, _generator: random.Random) -> str:
    """A space after every character."""
    return " ".join(text)


def dotted(text: str, generator: random.Random) -> str:
    """A dot inside one word of three, between two Chinese characters of three."""
    return "".join(c + ("." if c.isalpha() and generator.random() < 1 / 3 else "") for c in text)


def masked(text: str, generator: random.Random) -> str:
    """One letter or character of five replaced by a star."""
    return "".join("*" if c.isalpha() and generator.random() < 0.2 else c for c in text)


def leet(text: str, _generator: random.Random) -> str:
    """Letters replaced by digits that look alike."""
    return text.lower().translate(LEET)


def swapped(text: str, generator: random.Random) -> str:
    """Two neighbouring characters exchanged at one place of six."""
    units = list(text)
    for place in range(len(units) - 1):
        if units[place].isalpha() and units[place + 1].isalpha() and generator.random() < 1 / 6:
            units[place], units[place + 1] = units[place + 1], units[place]
    return "".join(units)


DISGUISES: Mapping[str, Mapping[str, Disguise]] = {
    "zh": {"homophones": homophones, "spaces between characters": spaced, "dots inside words": dotted,
           "masked characters": masked, "swapped characters": swapped},
    "en": {"digits for letters": leet, "spaces between characters": spaced, "dots inside words": dotted,
           "masked characters": masked, "swapped characters": swapped}}


def weaknesses(scorer: Scorer, toxic: Sequence[str], language: str, generator: random.Random,
               output: int = 0) -> tuple[Weakness, ...]:
    """Recall under every disguise of the language, the worst first. Raises ``UserError`` for no text, or a language
    without disguises."""
    if language not in DISGUISES:
        raise unknown("language", language, DISGUISES)
    if not toxic:
        raise UserError("There is no toxic text to disguise.")

    def recall(texts: Sequence[str]) -> float:
        return float((scorer.score(texts)[:, output] >= 0.5).mean())
    plain = recall(toxic)
    rows = [Weakness(name, len(toxic), plain, recall([change(text, generator) for text in toxic]))
            for name, change in DISGUISES[language].items()]
    return tuple(sorted(rows, key=lambda row: row.disguised))
