"""Counts of single characters: length, lines, script, and marks that say whether a closer look is worth it.

n = code points; L = pieces of ``text.split("\\n")``, so at least 1, blank ones counted. Rule 1a drops n <= 200
(``paper_code``) or n < 200 (``paper_text``), 1b drops n / L < 10 (n counts the newlines too), 2a drops
script / n < 0.3, where script counts U+4E00..U+9FA5 and the denominator counts everything (spec A2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.rules.scripts import SCRIPTS
from backends.mdfg.text.codes import Codes, Offsets, compiled
from workbench.contract import unknown

NEWLINES, SCRIPT, RUN, AT = range(4)


def script_table(name: str) -> NDArray[np.uint8]:
    """One entry a code point: whether it belongs to a script."""
    if name not in SCRIPTS:
        raise unknown("script", name, SCRIPTS)
    table = np.zeros(0x110000, dtype=np.uint8)
    for low, high in SCRIPTS[name]:
        table[low:high + 1] = 1
    return table


@compiled
def count(codes: Any, offsets: Any, script: Any, out: Any) -> None:
    """Fill ``out`` of shape (texts, 4): newlines, characters of the script, longest run of digits (one space or hyphen
    inside a run does not end it), whether an @ occurs."""
    for text in range(len(offsets) - 1):
        newlines, letters, run, longest, at = 0, 0, 0, 0, 0
        for place in range(offsets[text], offsets[text + 1]):
            code = codes[place]
            letters += script[code]
            if 48 <= code <= 57:
                run += 1
                longest = max(longest, run)
            elif code == 10:
                newlines += 1
                run = 0
            elif code != 32 and code != 45:
                run = 0
                if code == 64:
                    at = 1
        out[text, 0], out[text, 1], out[text, 2], out[text, 3] = newlines, letters, longest, at


def counted(codes: Codes, offsets: Offsets, script: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Counts of shape (texts, 4); see :func:`count`."""
    out = np.zeros((len(offsets) - 1, 4), dtype=np.int32)
    count(codes, offsets, script, out)
    return out
