"""A domain scorer that counts keywords: what a corpus is labelled with before anything has been trained on it.

    c_k = how many DIFFERENT keywords of label k occur in the text (overlapping ones all count)
    p_k = 1 - 2**(-c_k / 4)          .29 for two keywords, .41 for three: from three on a label is said at .3
    p_general = 1 - max over k of p_k

Nothing is learned, so what it says can be read off the lists. The numbers are ours; a classifier trained by keyword
rounds (``domain_rounds``) on the corpus itself replaces it. Kept as ``keywords.json``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import ahocorasick_rs
import numpy as np

from backends.mdfg.domain import REST
from backends.mdfg.scorers.base import Scores
from workbench.contract import Json, MissingResource, UserError
from workbench.files import Damaged, load_json, whole, write_json

FORMAT, FACTS = "mdfg.keywords.v1", "keywords.json"
HALF = 4.0


@dataclass(frozen=True)
class KeywordScorer:
    """A ``Scorer``. ``keywords`` maps each label but ``general`` to its words, in lower case."""

    name: str
    outputs: tuple[str, ...]
    keywords: Mapping[str, tuple[str, ...]]
    card: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wanted = set(self.outputs) - {REST}
        if set(self.keywords) != wanted or not all(self.keywords.values()):
            raise UserError(f"The labels are {', '.join(self.outputs)}, the keyword lists are for "
                            f"{', '.join(self.keywords)}; each label but {REST} needs one list with words.")

    @cached_property
    def version(self) -> str:
        """The first 16 hex digits of the sha256 of labels, lists and numbers."""
        text = json.dumps([self.outputs, sorted(self.keywords.items()), HALF], ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _words(self) -> tuple[ahocorasick_rs.AhoCorasick, tuple[tuple[int, ...], ...]]:
        columns: dict[str, list[int]] = {}
        for label, words in self.keywords.items():
            for word in dict.fromkeys(word.lower() for word in words):
                columns.setdefault(word, []).append(self.outputs.index(label))
        return ahocorasick_rs.AhoCorasick(list(columns)), tuple(map(tuple, columns.values()))

    def counts(self, texts: Sequence[str]) -> Scores:
        """Different keywords of every label in every text (texts, outputs)."""
        finder, columns = self._words
        found = np.zeros((len(texts), len(self.outputs)), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in {match[0] for match in finder.find_matches_as_indexes(whole(text.lower()), overlapping=True)}:
                for column in columns[word]:
                    found[row, column] += 1
        return found

    def score(self, texts: Sequence[str]) -> Scores:
        """Probabilities (texts, outputs); an empty text is ``general``."""
        found = 1 - 2 ** (-self.counts(texts) / HALF)
        if REST in self.outputs:
            place = self.outputs.index(REST)
            found[:, place] = 0
            found[:, place] = 1 - (found.max(axis=1) if len(found) else 0)
        return np.asarray(found, dtype=np.float32)


def save(scorer: KeywordScorer, folder: Path) -> Path:
    """Write ``keywords.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FACTS, {"format": FORMAT, "name": scorer.name, "outputs": list(scorer.outputs),
                                "keywords": {k: list(v) for k, v in scorer.keywords.items()},
                                "card": dict(scorer.card)})
    return folder


def load(folder: Path) -> KeywordScorer:
    """Read one. Raises ``MissingResource`` where there is none, ``UserError`` where it cannot be read."""
    if not (folder / FACTS).is_file():
        raise MissingResource(f"{folder.name} holds no keyword scorer (there is no {FACTS}).")
    try:
        facts = load_json(folder / FACTS)
        if facts["format"] != FORMAT:
            raise ValueError(f"its format is {facts['format']!r}, this program reads {FORMAT!r}")
        return KeywordScorer(str(facts["name"]), tuple(map(str, facts["outputs"])),
                             {str(k): tuple(map(str, v)) for k, v in facts["keywords"].items()}, dict(facts["card"]))
    except (Damaged, OSError, KeyError, TypeError, ValueError, AttributeError, UserError) as error:
        raise UserError(f"The keyword scorer in {folder.name} cannot be read: {error}.") from error
