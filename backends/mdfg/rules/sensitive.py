"""Rule 3: words of a list. ``sens_distinct`` / L > 0.5 drops a document (the code), and not the occurrences (the text).

Every entry that occurs as a substring counts, also inside another one, which is why matches overlap. L is the number of
lines, so a text that lost its newlines is dropped by a single word: a page must show the words and L.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ahocorasick_rs import AhoCorasick, Implementation
from numpy.typing import NDArray

from workbench.files import whole

STORED = 50
"""Places stored a document, besides the first place of every word."""


class WordFinder:
    """Finds all entries of a word list in a text at once (Aho-Corasick, as a DFA)."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(dict.fromkeys(whole(word) for word in words if word))
        self._finder = AhoCorasick(self.words, implementation=Implementation.DFA) if self.words else None

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """Every match as (entry, begin, end), overlapping ones too."""
        if self._finder is None:
            return []
        try:
            return self._finder.find_matches_as_indexes(text, overlapping=True)
        except UnicodeEncodeError:  # half a surrogate pair: replaced by one character, so places stay right
            return self._finder.find_matches_as_indexes(whole(text), overlapping=True)


def matches(texts: Sequence[str], finder: WordFinder) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Counts (distinct entries, occurrences) of shape (texts, 2), and places (text, begin, end, entry)."""
    counts = np.zeros((len(texts), 2), dtype=np.int32)
    places = []
    for row, text in enumerate(texts):
        found = finder.find(text)
        if found:
            counts[row] = len({entry for entry, _, _ in found}), len(found)
            places += [(row, begin, end, entry) for entry, begin, end in _stored(found)]
    return counts, np.array(places, dtype=np.int32).reshape(-1, 4)


def _stored(found: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The first :data:`STORED` matches and the first one of every other word: which words occur is never cut off."""
    if len(found) <= STORED:
        return found
    firsts = {match[0]: match for match in reversed(found)}
    return sorted({*found[:STORED], *firsts.values()}, key=lambda match: match[1:])
