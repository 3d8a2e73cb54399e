"""The synthetic order language: when the verb comes is told by the first word, so a good policy must adapt.

Source: an order word, then subject words S, object words O (no word twice) and a verb V, each kind with words of its
own. ``svo``: S V O; ``sov``: S O V. Target: always S V O, word for word by a dictionary. So the target's verb needs one
more source word after the subject in the first order, and the whole source in the second. The alignment of every target
word is known: a_i = the source words that must have been read before it can be written (counted from 1). The end of the
target needs the end token in the first order; in the second the verb, always the last word, tells it already.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from backends.sm2.data import Pair

SPECIAL = 3
"""pad 0, begin 1, end 2; then the two order words."""
SVO, SOV = SPECIAL, SPECIAL + 1


@dataclass(frozen=True)
class Language:
    """Sizes: ``nouns`` for subject words, ``things`` for object words, ``verbs``; lengths of subject and object are
    uniform within their bounds. The target word of a source word is its number plus :attr:`shift`."""

    nouns: int = 12
    things: int = 16
    verbs: int = 12
    subject: tuple[int, int] = (2, 4)
    object: tuple[int, int] = (4, 8)

    @property
    def shift(self) -> int:
        """From a source word to its translation."""
        return self.nouns + self.things + self.verbs

    @property
    def vocabulary(self) -> int:
        """Number of ids, special ones and order words too."""
        return SPECIAL + 2 + 2 * self.shift

    @property
    def longest(self) -> int:
        """Most tokens of a source with its end token."""
        return self.subject[1] + self.object[1] + 3


@dataclass(frozen=True)
class Sentence:
    """A pair with its order and alignment: ``needed[i]`` source tokens must be read for target token i."""

    pair: Pair
    sov: bool
    needed: tuple[int, ...]


def sentence(language: Language, generator: random.Random) -> Sentence:
    """Draw one."""
    noun = SPECIAL + 2
    s, o = generator.randint(*language.subject), generator.randint(*language.object)
    thing = noun + language.nouns
    verb = thing + language.things + generator.randrange(language.verbs)
    sov = generator.random() < 0.5
    subject = [noun + word for word in generator.sample(range(language.nouns), s)]
    rest = [thing + word for word in generator.sample(range(language.things), o)]
    source = [SOV, *subject, *rest, verb, 2] if sov else [SVO, *subject, verb, *rest, 2]
    target = [word + language.shift for word in (*subject, verb, *rest)]
    places = [*range(2, s + 2), s + o + 2 if sov else s + 2]
    places += [*range(s + 2, s + o + 2)] if sov else [*range(s + 3, s + o + 3)]
    end = len(source) - 1 if sov else len(source)
    return Sentence(Pair(tuple(source), (*target, 2)), sov, (*places, end))


def sentences(language: Language, count: int, generator: random.Random) -> list[Sentence]:
    """Draw many."""
    return [sentence(language, generator) for _ in range(count)]


def staircase(needed: Sequence[int], size: int) -> list[list[bool]]:
    """The true grid: [i][j - 1] is whether target token i may be written after j source tokens, given the gold target
    before it."""
    return [[j >= need for j in range(1, size + 1)] for need in needed]
