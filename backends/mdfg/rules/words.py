"""Rules on words, from Gopher (Rae et al. 2021, section A.1 and table A1) as FineWeb-2 uses them; for presets only.

=================  ===============================================================================
words              words that are more than punctuation
word_length        mean length of those
alpha_words        share of all words with a letter
stop_words         how many different stop words of the recipe occur
newlines_a_word    newlines / words
hashes_a_word      "#" / words
ellipses_a_word    ("..." and "…") / words
top_2gram ..       characters of the commonest 2-, 3-, 4-gram of words (all copies) / n
again_5gram ..     characters of 5- to 10-grams of words that occurred before / n
=================  ===============================================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

TOP, AGAIN = (2, 3, 4), (5, 6, 7, 8, 9, 10)
COLUMNS = ("words", "word_length", "alpha_words", "stop_words", "newlines_a_word", "hashes_a_word", "ellipses_a_word",
           *(f"top_{n}gram" for n in TOP), *(f"again_{n}gram" for n in AGAIN))


def measure(text: str, words: Sequence[str], stop_words: frozenset[str]) -> tuple[float, ...]:
    """The values of :data:`COLUMNS` of a text and its words; all 0 for a text without words."""
    if not words:
        return (0.0,) * len(COLUMNS)
    real = [word for word in words if any(character.isalnum() for character in word)]
    total, n = len(words), len(text)
    return (float(len(real)), sum(map(len, real)) / max(1, len(real)),
            sum(any(map(str.isalpha, word)) for word in words) / total,
            float(len(stop_words.intersection(words))),
            text.count("\n") / total, text.count("#") / total, (text.count("...") + text.count("…")) / total,
            *(_top(words, size) / n for size in TOP), *(_again(words, size) / n for size in AGAIN))


def _top(words: Sequence[str], size: int) -> int:
    """Length of the commonest run of ``size`` words (joined by spaces, as published) times its number; 1.0 at most
    when words are few, like the published code."""
    runs = Counter(zip(*(words[i:] for i in range(size)), strict=False))
    if not runs:
        return 0
    best, count = runs.most_common(1)[0]
    return (sum(map(len, best)) + size - 1) * count


def _again(words: Sequence[str], size: int) -> int:
    """Characters of runs of ``size`` words that occurred before; a counted run is stepped over, so none is twice."""
    seen: set[str] = set()
    place = characters = 0
    while place < len(words) - size + 1:
        run = "".join(words[place:place + size])
        if run in seen:
            characters, place = characters + len(run), place + size
        else:
            seen.add(run)
            place += 1
    return characters
