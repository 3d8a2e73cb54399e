"""Reading JSON whose shape nobody vouches for: a run's files may have been edited by hand."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TypeGuard

from workbench.contract import Json


def table(value: Json) -> Mapping[str, Json]:
    """The value when it is a table, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Json) -> tuple[Json, ...]:
    """The entries of a list; nothing for anything else (a text is no list)."""
    return tuple(value) if isinstance(value, list | tuple) else ()


def tables(value: Json) -> tuple[Mapping[str, Json], ...]:
    """The tables in a list; other entries are left out."""
    return tuple(entry for entry in listed(value) if isinstance(entry, Mapping))


def pairs(value: Json) -> tuple[tuple[str, str], ...]:
    """The pairs in a list, as texts: (words, value) of something to choose from; other entries are left out."""
    return tuple((str(pair[0]), str(pair[1])) for pair in map(listed, listed(value)) if len(pair) == 2)


def finite(value: Json) -> TypeGuard[float]:
    """Whether it is a number that one can count and draw with (true and false are none)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max  # a whole number may be larger than any float
