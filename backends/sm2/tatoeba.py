"""Tatoeba's sentence pairs into English (CC BY 2.0 FR) for the bundled model: reading, cleaning, splitting.

One English sentence often has several translations, so the split is by English sentence: every pair of a sentence is
on the same side, whatever its source language. Case, punctuation and spaces do not make a sentence another one.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.contract import MissingResource

LANGUAGES = {"de": "deu.txt", "zh": "cmn.txt"}
SHARE = 0.025
"""Share of English sentences that are held out (our default)."""


@dataclass(frozen=True)
class Pairs:
    """Sources and their English sides, in the order of the file."""

    source: tuple[str, ...]
    target: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Pairs to learn from and pairs to test on, by source language."""

    train: dict[str, Pairs]
    test: dict[str, Pairs]


def key(text: str) -> str:
    """What makes an English sentence the same: its letters and digits, lower case."""
    return " ".join("".join(c if c.isalnum() else " " for c in unicodedata.normalize("NFKC", text).lower()).split())


def held_out(text: str, share: float = SHARE) -> bool:
    """Whether a sentence is for testing: a function of the sentence alone, so no later file can move it."""
    digest = hashlib.blake2b(key(text).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def read_pairs(lines: Iterable[str]) -> list[tuple[str, str]]:
    """(source, English) of lines "English<TAB>source"; lines of another form or with a byte 0, and repeated pairs, are
    left out."""
    found: dict[tuple[str, str], None] = {}
    for line in lines:
        parts = [part.strip() for part in line.rstrip("\r\n").split("\t")]
        if len(parts) >= 2 and "\0" not in line and key(parts[0]) and any(c.isalpha() for c in parts[1]):
            found[parts[1], parts[0]] = None
    return list(found)


def split(pairs: Sequence[tuple[str, str]], share: float = SHARE) -> tuple[Pairs, Pairs]:
    """Pairs to learn from and to test on. Of a test sentence with several translations the first is taken, so that
    every English test sentence counts once; a source text that is learned from is never tested on."""
    train = [pair for pair in pairs if not held_out(pair[1], share)]
    known = {source for source, _ in train}
    test: dict[str, tuple[str, str]] = {}
    for source, target in pairs:
        if held_out(target, share) and source not in known:
            test.setdefault(key(target), (source, target))
    return _columns(train), _columns(list(test.values()))


def _columns(pairs: Sequence[tuple[str, str]]) -> Pairs:
    return Pairs(tuple(source for source, _ in pairs), tuple(target for _, target in pairs))


def read(folder: Path, share: float = SHARE) -> Split:
    """Both languages. Raises ``MissingResource`` where a file is not there."""
    train, test = {}, {}
    for language, name in LANGUAGES.items():
        path = folder / name
        if not path.is_file():
            raise MissingResource(f"Tatoeba's {name} is not at shared/data/mt/tatoeba beside the project.",
                                  advice="Tab-separated English-first pairs, as manythings.org/anki gives them.")
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            train[language], test[language] = split(read_pairs(lines), share)
    return Split(train, test)
