"""Many texts as one array of Unicode code points, which is what every compiled loop reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Offsets = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function in machine code, kept on disk for the next process; it runs without the interpreter's lock."""
    return cast(Function, numba.njit(cache=True, nogil=True)(function))


def codes_of(texts: Sequence[str]) -> tuple[Codes, Offsets]:
    """Code points of all texts, and where each text begins (one entry more than texts).

    Halves of a surrogate pair, which no valid text has, stay what they are: they must not stop a run, and two of them
    that meet stay two.
    """
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4"), offsets
