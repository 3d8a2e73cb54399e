"""Personal data as a signal: mainland mobile numbers, identity numbers with a right check digit, e-mail addresses.

An addition of ours: the paper has no such rule, and nothing is dropped unless a recipe says so. An identity number of
18 characters has a date of birth at 7-14 and a check character by ISO 7064 (MOD 11-2):
sum of digit_i * weight_i modulo 11, weights 7 9 10 5 8 4 2 1 6 3 7 9 10 5 8 4 2, looked up in ``10X98765432``.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Literal

Kind = Literal["phone", "identity", "email"]
KINDS: tuple[Kind, ...] = ("phone", "identity", "email")
Found = tuple[int, int, Kind]
LONGEST_RUN = 11
"""A text without so long a run of digits holds neither a mobile number nor an identity number."""
_PHONE = re.compile(r"(?<![0-9A-Za-z])(?:\+?86[- ]?)?1[3-9][0-9](?:[0-9]{8}|[- ][0-9]{4}[- ][0-9]{4})(?![0-9A-Za-z])")
_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])")
_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@"
                    r"(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def find(text: str) -> list[Found]:
    """Every piece of personal data with its place, in order."""
    return sorted(_found(text))


def counts(text: str) -> tuple[int, int, int]:
    """How many of each of :data:`KINDS`."""
    kinds = [kind for _, _, kind in _found(text)]
    return kinds.count("phone"), kinds.count("identity"), kinds.count("email")


def valid_identity(number: str) -> bool:
    """Whether 18 characters are an identity number: a date that exists and the right check character."""
    if not _IDENTITY.fullmatch(number):
        return False
    try:
        datetime.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def _found(text: str) -> Iterator[Found]:
    yield from ((m.start(), m.end(), "phone") for m in _PHONE.finditer(text))
    yield from ((m.start(), m.end(), "identity") for m in _IDENTITY.finditer(text) if valid_identity(m[0]))
    if "@" in text:
        yield from ((m.start(), m.end(), "email") for m in _EMAIL.finditer(text))
