"""Practice texts with known labels, put together from a few sentences: to try training and scoring on a bare machine.

They are synthetic and say so wherever a figure stands beside them. Yes/no labels: ``score`` (the output of the quality
and toxicity scorers) or none.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from backends.mdfg.labelled import Labelled
from backends.mdfg.planted import KINDS, Language, plant
from workbench.contract import UserError

SENTENCES = Path(__file__).resolve().parents[2] / "assets" / "corpus" / "practice.yaml"
Purpose = Literal["quality", "toxicity"]
YES = ("score",)


@cache
def _sentences() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = yaml.safe_load(SENTENCES.read_text(encoding="utf-8"))
    return found


def practice(purpose: Purpose, language: Language, count: int, generator: random.Random) -> list[Labelled]:
    """``count`` texts, about half of them good (or toxic). Raises ``UserError`` for an unknown purpose or language."""
    if purpose not in ("quality", "toxicity") or language not in _sentences():
        raise UserError(f"There are no practice texts for {purpose!r} in {language!r}.",
                        advice="There are quality and toxicity, in zh and en.")
    tables: dict[str, Any] = _sentences()[language]
    make = _quality if purpose == "quality" else _toxicity
    return [make(tables, language, bool(place % 2), generator) for place in range(count)]


def rude_posts(language: Language, count: int, generator: random.Random) -> list[str]:
    """Different rude sentences, at most as many as there are, each about a topic."""
    tables = _sentences()[language]
    chosen = generator.sample(tables["rude"], min(count, len(tables["rude"])))
    return [line.format(t=generator.choice(tables["topics"])) for line in chosen]


def _several(sentences: list[str], topics: list[str], count: int, generator: random.Random) -> str:
    chosen = generator.sample(sentences, min(count, len(sentences)))
    return "".join(sentence.format(t=generator.choice(topics)) for sentence in chosen)


def _quality(tables: dict[str, Any], language: Language, yes: bool, generator: random.Random) -> Labelled:
    good = _several(tables["good"], tables["topics"], generator.randint(4, 8), generator)
    if yes:
        return Labelled(good, YES, "practice")
    return Labelled(plant(generator.choice(KINDS), good, language, generator), (), "practice")


def _toxicity(tables: dict[str, Any], language: Language, yes: bool, generator: random.Random) -> Labelled:
    polite = _several(tables["polite"], tables["topics"], generator.randint(1, 3), generator)
    if yes:
        polite += _several(tables["rude"], tables["topics"], generator.randint(1, 2), generator)
    return Labelled(polite, YES if yes else (), "practice")
