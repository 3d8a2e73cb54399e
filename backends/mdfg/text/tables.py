"""What Python's string methods say of every code point, as arrays: white space and the lower-case form.

Two characters have no single lower-case form: U+0130 becomes two characters and the Greek capital sigma depends on
what follows. They are marked ``SPECIAL``; a text that holds one goes through ``str.lower`` itself.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

SPECIAL = 0xFFFFFFFF
LAST_CASED = 0x1F000
"""No character from here on has a lower-case form (a test looks at all of them)."""


@dataclass(frozen=True)
class Tables:
    """``lower[c]``: the lower-case code point of c; ``space[c]``: whether ``str.strip`` takes c off."""

    lower: NDArray[np.uint32]
    space: NDArray[np.uint8]


@cache
def tables() -> Tables:
    """The tables of this Python's Unicode version; made once a process, in 20 ms."""
    lower = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    space = np.zeros(sys.maxunicode + 1, dtype=np.uint8)
    for code in range(LAST_CASED):
        character = chr(code)
        small = character.lower()
        if small != character:
            lower[code] = ord(small) if len(small) == 1 else SPECIAL
        space[code] = character.isspace()
    lower[ord("Σ")] = SPECIAL
    return Tables(lower, space)
