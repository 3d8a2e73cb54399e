"""Rule 2b over a batch: how many places the conversion to ``zh-cn`` changes, how many characters are traditional.

``paper``: text != convert(text, "zh-cn"), i.e. ``trad_changes > 0``: one changed place drops a document, and a place
may be a regional word or a quotation mark. ``strict-char``: ``trad_chars`` counts single characters that the table of
``zh-hans`` changes. ``ratio``: those over the characters of the script.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.text.codes import Codes, Offsets, compiled
from backends.mdfg.text.variants import Variants, walk

STORED = 20
"""Places stored a document; the reader finds all of them again."""


@compiled
def _all(codes: Any, offsets: Any, trie: Any, single: Any, counts: Any, spans: Any) -> int:
    """Counts of shape (texts, 2) and all stored places (text, begin, end, entry); returns how many places."""
    buffer, total = np.empty((STORED, 3), dtype=np.int32), 0
    for text in range(len(offsets) - 1):
        begin, end, characters = offsets[text], offsets[text + 1], 0
        for place in range(begin, end):
            characters += single[codes[place]]
        counts[text, 1] = characters
        found = walk(codes, begin, end, trie, buffer)
        counts[text, 0] = found
        for i in range(min(found, STORED)):
            if total < len(spans):
                spans[total, 0] = text
                spans[total, 1:] = buffer[i]
                total += 1
    return total


def changes(codes: Codes, offsets: Offsets, table: Variants) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Counts (places, traditional characters) of shape (texts, 2), and places (text, begin, end, entry)."""
    texts = len(offsets) - 1
    counts = np.zeros((texts, 2), dtype=np.int32)
    spans = np.empty((texts * STORED, 4), dtype=np.int32)
    total = _all(codes, offsets, table.arrays, table.single, counts, spans)
    return counts, spans[:total]
