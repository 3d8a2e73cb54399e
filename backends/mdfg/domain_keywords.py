"""Labels from keywords, and better keywords from labels (spec A4): how a domain classifier starts without labels.

A text has a domain when at least three DIFFERENT keywords of it occur (a keyword counts once); with none it is
``general``. Candidates for new keywords are the character runs (Chinese) or words (elsewhere) that mark the confident
texts of a domain: by the log-odds ratio of document frequencies with a prior, divided by its standard deviation
(Monroe, Colaresi and Quinn 2008; prior .5 a side, ours). A person accepts or rejects them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from backends.mdfg.domain import REST
from backends.mdfg.domain_runs import frequent_runs
from workbench.contract import Json, UserError

Keywords = Mapping[str, tuple[str, ...]]
LEAST = 3
FEWEST = 5
"""Texts that a candidate occurs in, at least."""


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
    return parse_keywords(value, path.name)


def parse_keywords(value: Json, name: str) -> dict[str, tuple[str, ...]]:
    """Keyword lists from a value; ``name`` is where it comes from. Raises ``UserError`` for another shape."""
    if not isinstance(value, dict) or not value or not all(isinstance(w, list) and w for w in value.values()):
        raise UserError(f"{name} must map each label to a list of words.", advice="Write `law: [court, judge]`.")
    for label, words in value.items():
        for word in words:
            if not isinstance(word, str | int | float) or isinstance(word, bool) or not str(word).strip():
                raise UserError(f"{name} has the word {str(word)[:60]!r} for the label {label}; each word must be text "
                                "with a character to look for.", advice="Write words like yes, no or null in quotes.")
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


def candidates(texts: Sequence[str], confident: Sequence[Sequence[str]], keywords: Keywords,
               count: int = 10, refused: Keywords | None = None,
               tick: Callable[[], None] = lambda: None) -> dict[str, tuple[Candidate, ...]]:
    """The strongest new keywords of each domain; ``confident[i]`` are the labels that text i surely has.

    A run that is part of a keyword or of a stronger run, or holds one, is left out: the same characters would count as
    two different keywords. So are words that were ``refused``. ``tick`` is called for every text, twice; it may raise
    to end it."""
    every: Counter[str] = Counter()
    inside = {label: Counter[str]() for label in keywords}
    for found, labels in zip(frequent_runs(texts, FEWEST, tick), confident, strict=True):
        every.update(found)
        for label in labels:
            if label in inside:
                inside[label].update(found)
    counts = Counter(label for labels in confident for label in set(labels))
    no, result = refused or {}, {}
    for label, mine in inside.items():
        ranked = sorted((_candidate(label, word, hits, every[word] - hits, counts[label], len(texts) - counts[label])
                         for word, hits in mine.items() if every[word] >= FEWEST and word not in no.get(label, ())),
                        key=lambda c: (-c.strength, -len(c.word), c.word))
        result[label] = _without_parts(ranked, count, keywords[label])
    return result


def _candidate(label: str, word: str, hits: int, others: int, inside: int, outside: int) -> Candidate:
    a, b, c, d = hits + 0.5, inside - hits + 0.5, others + 0.5, outside - others + 0.5
    strength = (math.log(a / b) - math.log(c / d)) / math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return Candidate(label, word, hits, others, strength)


def _without_parts(ranked: Sequence[Candidate], count: int, known: Sequence[str]) -> tuple[Candidate, ...]:
    kept: list[Candidate] = []
    words = list(known)
    for one in ranked:
        if len(kept) == count or one.strength <= 0:
            break
        if not any(one.word in other or other in one.word for other in words):
            kept.append(one)
            words.append(one.word)
    return tuple(kept)


def difference(before: Sequence[Sequence[str]], after: Sequence[Sequence[str]]) -> list[Change]:
    """The texts whose labels changed, and how."""
    return [Change(place, tuple(sorted(set(new) - set(old))), tuple(sorted(set(old) - set(new))))
            for place, (old, new) in enumerate(zip(before, after, strict=True)) if set(old) != set(new)]
