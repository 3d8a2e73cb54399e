"""Texts of known bad quality, made from good ones or from nothing: what a quality scorer is taught and tested with.

========  =================================================================================================
scramble  the characters (Chinese) or words of every stretch of a good text in random order
repeat    one fragment of a good text over and over
holes     a share of the characters (words) of a good text left out
menu      the navigation of a web page: names of sections, separators, page numbers
advert    advertising in the manner of link farms
codes     product codes, dates and figures without a sentence
========  =================================================================================================

Made from the same good texts, the first three differ from them in form only, so a model cannot win by topic. All words
of menus and advertising are ours. Randomness only from the passed generator.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from workbench.contract import UserError

Language = Literal["zh", "en"]
KINDS = ("scramble", "repeat", "holes", "menu", "advert", "codes")
FROM_GOOD = ("scramble", "repeat", "holes")
LANGUAGES = ("zh", "en")
TABLES = Path(__file__).resolve().parents[2] / "assets" / "corpus" / "planted.yaml"
_WORDS = re.compile(r"\S+\s*")


def plant(kind: str, good: str, language: Language, generator: random.Random) -> str:
    """A bad text of this kind, about as long as ``good`` (which ``menu``, ``advert`` and ``codes`` do not use).

    Raises ``UserError`` for a kind or language that there is not."""
    if kind not in KINDS or language not in LANGUAGES:
        raise UserError(f"There is no planted {kind!r} text in {language!r}; kinds are {', '.join(KINDS)}, "
                        "languages zh and en.")
    size = max(40, len(good))
    if kind in FROM_GOOD:
        units = list(good) if language == "zh" else _WORDS.findall(good)
        return _DAMAGE[kind](units, generator)
    made: list[str] = []
    while sum(map(len, made)) < size:
        made.append(_invent(kind, language, generator))
    return "".join(made)[:size]


@cache
def _words() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = yaml.safe_load(TABLES.read_text(encoding="utf-8"))
    return found


def _scrambled(units: Sequence[str], generator: random.Random) -> str:
    out: list[str] = []
    for begin in range(0, len(units), 30):
        stretch = list(units[begin:begin + 30])
        generator.shuffle(stretch)
        out += stretch
    return "".join(out)


def _repeated(units: Sequence[str], generator: random.Random) -> str:
    size = min(len(units), generator.randint(4, 16))
    begin = generator.randrange(max(1, len(units) - size))
    piece = list(units[begin:begin + size]) or [" "]
    return "".join((piece * (len(units) // len(piece) + 1))[:max(len(units), 1)])


def _with_holes(units: Sequence[str], generator: random.Random) -> str:
    share = generator.uniform(0.3, 0.6)
    return "".join(unit for unit in units if generator.random() >= share)


_DAMAGE = {"scramble": _scrambled, "repeat": _repeated, "holes": _with_holes}


def _invent(kind: str, language: Language, generator: random.Random) -> str:
    if kind == "menu":
        gap = generator.choice((" | ", " > ", "\n", "  ", " - "))
        return gap.join(generator.sample(_words()["menu"][language], generator.randint(4, 9))) + generator.choice(
            ("\n", f" {generator.randint(1, 99)} "))
    if kind == "advert":
        line = generator.choice(_words()["advert"][language]).format(n=generator.randint(2, 99))
        return line + generator.choice(("", " ", "\n"))
    return generator.choice((
        f"{''.join(generator.choices('ABCDEFGHKLMNPRSTXYZ', k=3))}-{generator.randint(100, 99999)} ",
        f"{generator.randint(1995, 2024)}-{generator.randint(1, 12):02d}-{generator.randint(1, 28):02d} ",
        f"{generator.uniform(0, 9999):.2f} ", f"{generator.randint(1, 999)}x{generator.randint(1, 999)} ",
        generator.choice(("\t", "| ", "; ", "# ", "\n"))))


def clips(text: str, size: int) -> list[str]:
    """Stretches of about ``size`` characters, cut after a sentence that ends nearby; shorter rests are left out."""
    plain, found, begin = re.sub(r"[ \t\r]+", " ", text).strip(), [], 0
    while begin + size <= len(plain):
        end = begin + size
        marks = [place for place in range(end - 1, end - size // 3, -1) if plain[place] in "。！？.!?\n"]
        end = marks[0] + 1 if marks else end
        found.append(plain[begin:end].strip())
        begin = end
    return [clip for clip in found if len(clip) >= size // 2]
