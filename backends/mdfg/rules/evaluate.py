"""All rules over a batch of texts at once: the columns that decisions are made from, and the places that explain them.

========================  ==================================================================================
n_chars, n_lines          code points, lines (rule 1)
mean_line                 n_chars / n_lines
script_ratio              characters of the recipe's script / n_chars (0 for an empty text)
trad_changes, trad_chars  places that zh-cn changes, traditional characters; trad_ratio = trad_chars / script
sens_distinct, sens_hits  distinct words of the list, occurrences; sens_ratio, sens_rate = those / n_lines
dup_ratio                 share of repeated windows
phones, identities, emails  personal data
========================  ==================================================================================

Columns of :mod:`lines` and :mod:`words` follow where a recipe asks for them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.recipes import Recipe
from backends.mdfg.rules import counting, duplication, lines, sensitive, traditional, words
from backends.mdfg.text import personal
from backends.mdfg.text.codes import Codes, Offsets, codes_of
from backends.mdfg.text.splitting import splitter
from backends.mdfg.text.variants import variants
from backends.mdfg.words import WordList

Columns = dict[str, NDArray[Any]]
Places = NDArray[np.int32]
CHINESE = ("han",)
PERSONAL = ("phones", "identities", "emails")


@dataclass
class Stopwatch:
    """CPU seconds by stage, of this process."""

    seconds: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.process_time)

    def start(self) -> None:
        """What was spent until now belongs to no stage."""
        self._last = time.process_time()

    def lap(self, stage: str) -> None:
        """What was spent since the last call belongs to ``stage``."""
        now = time.process_time()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


@dataclass(frozen=True)
class Measured:
    """Columns of a batch, each of shape (texts,); ``traditional`` and ``sensitive`` are places (text, begin, end,
    entry). ``codes`` and ``offsets`` are the texts again, for the stages that follow."""

    columns: Columns
    traditional: Places
    sensitive: Places
    codes: Codes
    offsets: Offsets


class Evaluator:
    """Measures texts as a recipe asks; holds the word list's automaton and the tables, so make one a process."""

    def __init__(self, recipe: Recipe, word_list: WordList) -> None:
        self.recipe, self.word_list = recipe, word_list
        self._script = counting.script_table(recipe.measure.script)
        self._finder = sensitive.WordFinder(word_list.words)
        self._variants = variants() if recipe.measure.script in CHINESE else None
        self._split = splitter(recipe.measure.splitter) if recipe.measure.splitter else None
        self._stop = frozenset(recipe.measure.stop_words)

    def measure(self, texts: Sequence[str], watch: Stopwatch | None = None) -> Measured:
        """All columns and places of a batch."""
        watch = watch or Stopwatch()
        texts, ask = list(texts), self.recipe.measure
        codes, offsets = codes_of(texts)
        n = np.diff(offsets).astype(np.int32)
        counts = counting.counted(codes, offsets, self._script)
        n_lines = counts[:, counting.NEWLINES] + 1
        letters = counts[:, counting.SCRIPT]
        columns: Columns = {"n_chars": n, "n_lines": n_lines, "mean_line": n / n_lines,
                            "script_ratio": _share(letters, n)}
        watch.lap("characters")
        changed, trad_places = self._traditional(codes, offsets, len(texts))
        columns |= {"trad_changes": changed[:, 0], "trad_chars": changed[:, 1],
                    "trad_ratio": _share(changed[:, 1], letters)}
        watch.lap("traditional")
        found, sens_places = sensitive.matches(texts, self._finder)
        columns |= {"sens_distinct": found[:, 0], "sens_hits": found[:, 1], "sens_ratio": found[:, 0] / n_lines,
                    "sens_rate": found[:, 1] / n_lines}
        watch.lap("sensitive")
        columns["dup_ratio"] = duplication.ratios(texts, codes, offsets, ask.gram, ask.last_window)
        watch.lap("duplication")
        if ask.personal:
            columns |= _personal(texts, counts)
            watch.lap("personal")
        if ask.lines:
            columns |= _table(lines.COLUMNS, [lines.measure(text) for text in texts])
            watch.lap("lines")
        if self._split is not None:
            columns |= _table(words.COLUMNS, [words.measure(text, self._split(text), self._stop) for text in texts])
            watch.lap("words")
        return Measured(columns, trad_places, sens_places, codes, offsets)

    def _traditional(self, codes: Codes, offsets: Offsets, texts: int) -> tuple[NDArray[np.int32], Places]:
        if self._variants is None:
            return np.zeros((texts, 2), dtype=np.int32), np.zeros((0, 4), dtype=np.int32)
        return traditional.changes(codes, offsets, self._variants)

    def replacement(self, entry: int) -> str:
        """What the conversion puts in the place of a traditional entry."""
        return self._variants.entries[entry] if self._variants is not None else ""

    def evidence(self, text: str) -> dict[str, list[tuple[int, int, str]]]:
        """Every place that explains a value: (begin, end, what) under ``traditional`` (the replacement), ``sensitive``
        (the category), ``duplication`` and ``personal`` (the kind). For one open document: nothing is cut off."""
        table = self._variants
        return {"traditional": table.spans(text, max(1, len(text))) if table is not None else [],
                "sensitive": [(begin, end, self.word_list.category(entry))
                              for entry, begin, end in self._finder.find(text)],
                "duplication": [(a, b, "") for a, b in
                                duplication.spans(text, self.recipe.measure.gram, self.recipe.measure.last_window)],
                "personal": list(personal.find(text))}


def _share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    share = np.zeros(len(whole), dtype=np.float64)
    np.divide(part, whole, out=share, where=whole != 0)
    return share


def _personal(texts: Sequence[str], counts: NDArray[np.int32]) -> Columns:
    table = np.zeros((len(texts), 3), dtype=np.int32)
    maybe = (counts[:, counting.RUN] >= personal.LONGEST_RUN) | (counts[:, counting.AT] > 0)
    for row in np.flatnonzero(maybe).tolist():
        table[row] = personal.counts(texts[row])
    return {name: table[:, i] for i, name in enumerate(PERSONAL)}


def _table(names: Sequence[str], rows: Sequence[tuple[float, ...]]) -> Columns:
    values = np.array(rows, dtype=np.float64).reshape(-1, len(names))
    return {name: values[:, i] for i, name in enumerate(names)}
