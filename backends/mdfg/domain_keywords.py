"""Labels from keywords, and better keywords from labels (spec A4): how a domain classifier starts without labels.

A text has a domain when at least three DIFFERENT keywords of it occur (a keyword counts once); with none it is
``general``. Candidates for new keywords are the character runs (Chinese) or words (elsewhere) that mark the confident
texts of a domain: by the log-odds ratio of document frequencies with a prior, divided by its standard deviation
(Monroe, Colaresi and Quinn 2008; prior .5 a side, ours). A person accepts or rejects them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from backends.mdfg.domain import REST
from workbench.contract import UserError

Keywords = Mapping[str, tuple[str, ...]]
LEAST = 3
_CHINESE, _WORD = re.compile(r"[一-龥]+"), re.compile(r"[^\W\d_]{3,}")
FEWEST, MOST_RUN = 5, 4


@dataclass(frozen=True)
class Candidate:
    """A proposed keyword of a domain: in ``inside`` confident texts of it and ``outside`` others; ``strength`` is z."""

    label: str
    word: str
    inside: int
    outside: int
    strength: float


@dataclass(frozen=True)
class Change:
    """One text whose labels differ between two rounds."""

    text: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]


def read_keywords(path: Path) -> dict[str, tuple[str, ...]]:
    """Keyword lists from YAML, ``label: [word, ...]``. Raises ``UserError`` for another shape."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path.name} cannot be read as keyword lists ({error}).") from error
    if not isinstance(value, dict) or not all(isinstance(words, list) and words for words in value.values()):
        raise UserError(f"{path.name} must map each label to a list of words.", advice="Write `law: [court, judge]`.")
    return {str(label): tuple(dict.fromkeys(str(word).lower() for word in words)) for label, words in value.items()}


def found_in(text: str, words: Iterable[str]) -> list[str]:
    """The different keywords that occur in a text."""
    low = text.lower()
    return [word for word in words if word in low]


def keyword_labels(texts: Sequence[str], keywords: Keywords, least: int = LEAST) -> list[tuple[str, ...]]:
    """Labels of every text; several are possible, none becomes ``general``."""
    if least < 1:
        raise UserError(f"least is {least}; a text needs at least one keyword.")
    found = []
    for text in texts:
        low = text.lower()
        labels = tuple(label for label, words in keywords.items() if _enough(low, words, least))
        found.append(labels or (REST,))
    return found


def _enough(low: str, words: Sequence[str], least: int) -> bool:
    count = 0
    for word in words:
        if word in low:
            count += 1
            if count >= least:
                return True
    return False


def runs_of(text: str) -> set[str]:
    """Candidate words of a text: runs of 2 to 4 Chinese characters, and words of other scripts."""
    found = set(_WORD.findall(_CHINESE.sub(" ", text.lower())))
    for match in _CHINESE.finditer(text):
        piece = match[0]
        found.update(piece[i:i + size] for size in range(2, MOST_RUN + 1) for i in range(len(piece) - size + 1))
    return found


def candidates(texts: Sequence[str], confident: Sequence[Sequence[str]], keywords: Keywords,
               count: int = 10) -> dict[str, tuple[Candidate, ...]]:
    """The strongest new keywords of each domain; ``confident[i]`` are the labels that text i surely has.

    A run that only occurs inside a stronger one is left out."""
    runs = [runs_of(text) for text in texts]
    every = Counter(word for found in runs for word in found)
    result = {}
    for label in keywords:
        inside = [found for found, labels in zip(runs, confident, strict=True) if label in labels]
        mine = Counter(word for found in inside for word in found if every[word] >= FEWEST)
        ranked = sorted((_candidate(label, word, hits, every[word] - hits, len(inside), len(texts) - len(inside))
                         for word, hits in mine.items() if word not in keywords[label]),
                        key=lambda c: (-c.strength, -len(c.word), c.word))
        result[label] = _without_parts(ranked, count)
    return result


def _candidate(label: str, word: str, hits: int, others: int, inside: int, outside: int) -> Candidate:
    a, b, c, d = hits + 0.5, inside - hits + 0.5, others + 0.5, outside - others + 0.5
    strength = (math.log(a / b) - math.log(c / d)) / math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return Candidate(label, word, hits, others, strength)


def _without_parts(ranked: Sequence[Candidate], count: int) -> tuple[Candidate, ...]:
    kept: list[Candidate] = []
    for one in ranked:
        if len(kept) == count or one.strength <= 0:
            break
        if not any(one.word in other.word or other.word in one.word for other in kept):
            kept.append(one)
    return tuple(kept)


def difference(before: Sequence[Sequence[str]], after: Sequence[Sequence[str]]) -> list[Change]:
    """The texts whose labels changed, and how."""
    return [Change(place, tuple(sorted(set(new) - set(old))), tuple(sorted(set(old) - set(new))))
            for place, (old, new) in enumerate(zip(before, after, strict=True)) if set(old) != set(new)]
