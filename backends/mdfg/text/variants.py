"""Traditional characters (rule 2b): what the conversion to ``zh-cn`` would change in a text, with the places.

The rule compares a text with ``zhconv.convert(text, "zh-cn")``. That function walks the text from the left and
replaces the longest entry of its table at every place. Here the same table is a trie of arrays and the same walk is
compiled, so the verdict is zhconv's own (a test compares them) at more than ten times the speed, and the changed words
are known. ``zh-cn`` also changes regional words and quotation marks; ``characters`` counts traditional characters only.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from backends.mdfg.text.codes import codes_of, compiled
from workbench.contract import MissingResource

MIXER = np.uint64(0x9E3779B97F4A7C15)
TOP, BITS = 0x110000, 21
IDEOGRAPHS = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""The table of zh-hans also changes quotation marks, which are no traditional characters."""
Span = tuple[int, int, str]
"""Begin, end and replacement."""


@dataclass(frozen=True)
class Variants:
    """A conversion table as a trie. ``first[c]`` is the node after character c (0: none), ``keys``/``nodes`` an open
    hash table from ``node << 21 | c`` to the next node, ``word[node]`` the entry that ends there (-1: none),
    ``changed[i]`` whether entry i differs from its replacement ``entries[i]``, ``single[c]`` whether c by itself is a
    traditional character."""

    first: NDArray[np.int32]
    keys: NDArray[np.uint64]
    nodes: NDArray[np.int32]
    word: NDArray[np.int32]
    changed: NDArray[np.bool_]
    single: NDArray[np.uint8]
    entries: tuple[str, ...]

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What :func:`walk` reads, in its order."""
        return self.first, self.keys, self.nodes, self.word, self.changed

    def spans(self, text: str, limit: int = 1000) -> list[Span]:
        """Every place that the conversion changes, at most ``limit`` of them."""
        codes, _ = codes_of([text])
        out = np.empty((limit, 3), dtype=np.int32)
        found = min(walk(codes, 0, len(codes), self.arrays, out), limit)
        return [(int(a), int(b), self.entries[entry]) for a, b, entry in out[:found]]


@cache
def variants() -> Variants:
    """The table of ``zh-cn`` that comes with zhconv (MediaWiki's); made once a process."""
    found = importlib.util.find_spec("zhconv")
    if found is None or not found.submodule_search_locations:
        raise MissingResource("The package zhconv, whose table tells traditional characters, is not installed.",
                              advice="Install it with: pip install zhconv==1.4.3")
    raw = orjson.loads((Path(found.submodule_search_locations[0]) / "zhcdict.json").read_bytes())
    return build({**raw["zh2Hans"], **raw["zh2CN"]}, raw["zh2Hans"])


def build(table: Mapping[str, str], simplified: Mapping[str, str]) -> Variants:
    """A trie of ``table``; ``simplified`` says which single characters are traditional ones."""
    useful = {word: new for word, new in table.items() if word and (len(word) > 1 or word != new)}
    children: dict[tuple[int, int], int] = {}
    word: list[int] = [-1]
    for entry, text in enumerate(useful):
        node = 0
        for code in map(ord, text):
            node = children.setdefault((node, code), len(word))
            if node == len(word):
                word.append(-1)
        word[node] = entry
    first, single = np.zeros(TOP, dtype=np.int32), np.zeros(TOP, dtype=np.uint8)
    for (node, code), child in children.items():
        if node == 0:
            first[code] = child
    for character, new in simplified.items():
        if len(character) == 1 and character != new and IDEOGRAPHS.fullmatch(character):
            single[ord(character)] = 1
    keys, nodes = _hashed({key: child for key, child in children.items() if key[0]})
    changed = np.array([text != new for text, new in useful.items()], dtype=np.bool_)
    return Variants(first, keys, nodes, np.array(word, dtype=np.int32), changed, single, tuple(useful.values()))


def _hashed(children: Mapping[tuple[int, int], int]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    size = 1 << max(4, (4 * len(children) - 1).bit_length())
    keys, nodes = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.int32)
    for (node, code), child in children.items():
        key = (node << BITS) | code
        slot = ((key * int(MIXER)) & (2**64 - 1)) >> 32 & (size - 1)
        while keys[slot]:
            slot = (slot + 1) & (size - 1)
        keys[slot], nodes[slot] = key, child
    return keys, nodes


@compiled
def _child(node: int, code: int, keys: Any, nodes: Any) -> int:
    key = (np.uint64(node) << np.uint64(21)) | np.uint64(code)
    mask = np.uint64(len(keys) - 1)
    slot = ((key * MIXER) >> np.uint64(32)) & mask
    while keys[slot] != 0:
        if keys[slot] == key:
            return int(nodes[slot])
        slot = (slot + np.uint64(1)) & mask
    return 0


@compiled
def walk(codes: Any, begin: int, end: int, trie: Any, out: Any) -> int:
    """Number of changed entries in ``codes[begin:end]``; the first ``len(out)`` of them are written to ``out`` as
    (begin, end, entry), counted from ``begin``."""
    first, keys, nodes, word, changed = trie
    found, place = 0, begin
    while place < end:
        node = first[codes[place]]
        if node == 0:
            place += 1
            continue
        entry, after, ahead = -1, place + 1, place
        while node > 0:
            if word[node] >= 0:
                entry, after = word[node], ahead + 1
            ahead += 1
            node = _child(node, codes[ahead], keys, nodes) if ahead < end else 0
        if entry >= 0 and changed[entry]:
            if found < len(out):
                out[found, 0], out[found, 1], out[found, 2] = place - begin, after - begin, entry
            found += 1
        place = after
    return found
