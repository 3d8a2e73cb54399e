"""Rule 4: share of the 13-character windows of a text that occur more than once, all copies counted.

s = the text stripped, in lower case, without " ", "\\n" and "\\t" (other white space, such as U+3000, stays).
grams = s[i:i+13] for i = 0 .. len(s)-14: the published code leaves the last window out (``last_window`` puts it back),
so len(s) = 13 gives no gram and a ratio of 0; len(s) < 13 gives one gram, s itself. ratio = occurrences of grams that
occur more than once / number of grams; a document with a ratio above 0.5 is dropped.

A rolling hash finds equal windows and the characters are then compared, so the ratio is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.text.codes import Codes, Offsets, codes_of, compiled
from backends.mdfg.text.tables import SPECIAL, tables

BASE = np.uint64(0x9E3779B97F4A7C15)
MIXER = np.uint64(0xBF58476D1CE4E5B9)
UNDECIDED = -1.0


@compiled
def normalise(codes: Any, begin: int, end: int, lower: Any, space: Any, out: Any, where: Any) -> int:
    """Write s to ``out`` and the place of each of its characters to ``where``; returns its length, or -1 - length when
    a character has no single lower-case form (it is then kept as it is)."""
    special = False
    while begin < end and space[codes[begin]]:
        begin += 1
    while end > begin and space[codes[end - 1]]:
        end -= 1
    size = 0
    for place in range(begin, end):
        code = codes[place]
        if code == 32 or code == 10 or code == 9:
            continue
        if code < LAST:
            small = lower[code]
            if small == HARD:
                special = True
            else:
                code = small
        out[size], where[size] = code, place
        size += 1
    return -1 - size if special else size


LAST, HARD = np.uint32(0x1F000), np.uint32(SPECIAL)


@compiled
def _windows(s: Any, size: int, n: int, last: bool, slots: Any, counts: Any, slot_of: Any) -> int:
    """Count equal windows: ``slot_of[i]`` is the slot of window i, ``counts[slot]`` how often it occurs. Returns the
    number of windows."""
    grams = size - n + (1 if last else 0)
    if grams <= 0:
        return 0
    bits = 4
    while (1 << bits) < 2 * grams:
        bits += 1
    mask, shift = (1 << bits) - 1, np.uint64(64 - bits)
    slots[:mask + 1] = -1
    power, value = np.uint64(1), np.uint64(0)
    for i in range(n):
        power = power * BASE
        value = value * BASE + np.uint64(s[i])
    for i in range(grams):
        if i > 0:
            value = value * BASE + np.uint64(s[i + n - 1]) - power * np.uint64(s[i - 1])
        mixed = value ^ (value >> np.uint64(29))
        slot = np.int64((mixed * MIXER) >> shift)
        while slots[slot] >= 0:
            other, same = slots[slot], True
            for k in range(n):
                if s[other + k] != s[i + k]:
                    same = False
                    break
            if same:
                break
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            slots[slot], counts[slot] = i, 0
        counts[slot] += 1
        slot_of[i] = slot
    return grams


@compiled
def _ratio(s: Any, size: int, n: int, last: bool, slots: Any, counts: Any, slot_of: Any) -> float:
    grams = _windows(s, size, n, last, slots, counts, slot_of)
    repeated = 0
    for i in range(grams):
        if counts[slot_of[i]] > 1:
            repeated += 1
    return repeated / grams if grams > 0 else 0.0


@compiled
def _ratios(codes: Any, offsets: Any, lower: Any, space: Any, n: int, last: bool, out: Any) -> None:
    longest = 16
    for text in range(len(offsets) - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    room = 32
    while room < 2 * longest:
        room *= 2
    s, where = np.empty(longest, dtype=np.uint32), np.empty(longest, dtype=np.int64)
    slots, counts = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    slot_of = np.empty(longest, dtype=np.int64)
    for text in range(len(offsets) - 1):
        size = normalise(codes, offsets[text], offsets[text + 1], lower, space, s, where)
        out[text] = _ratio(s, size, n, last, slots, counts, slot_of) if size >= 0 else UNDECIDED


def ratios(texts: list[str], codes: Codes, offsets: Offsets, n: int = 13, last: bool = False) -> NDArray[np.float64]:
    """Ratio of every text, of shape (texts,)."""
    table = tables()
    out = np.zeros(len(texts), dtype=np.float64)
    _ratios(codes, offsets, table.lower, table.space, n, last, out)
    special = np.flatnonzero(out == UNDECIDED)  # their lower case is no work for a table
    if len(special):
        s, edges = codes_of([_normal(texts[row]) for row in special])
        plain = np.zeros(len(special), dtype=np.float64)
        _ratios(s, edges, np.arange(len(table.lower), dtype=np.uint32), np.zeros_like(table.space), n, last, plain)
        out[special] = plain
    return out


def _normal(text: str) -> str:
    return text.strip().lower().replace(" ", "").replace("\n", "").replace("\t", "")


def spans(text: str, n: int = 13, last: bool = False) -> list[tuple[int, int]]:
    """Places of a text that repeated windows cover, merged: the evidence of the rule."""
    codes, _ = codes_of([text])
    table, room = tables(), len(codes) + 16
    s, where = np.empty(room, dtype=np.uint32), np.empty(room, dtype=np.int64)
    size = normalise(codes, 0, len(codes), table.lower, table.space, s, where)
    size = -1 - size if size < 0 else size
    slots, counts = np.empty(4 * room, dtype=np.int32), np.empty(4 * room, dtype=np.int32)
    slot_of = np.empty(room, dtype=np.int64)
    grams = _windows(s, size, n, last, slots, counts, slot_of)
    out = np.empty((room, 2), dtype=np.int64)
    return [(begin, end) for begin, end in out[:_merged(grams, n, counts, slot_of, where, out)].tolist()]


@compiled
def _merged(grams: int, n: int, counts: Any, slot_of: Any, where: Any, out: Any) -> int:
    """Write the places of repeated windows, those that touch as one; returns how many places."""
    places = 0
    for gram in range(grams):
        if counts[slot_of[gram]] > 1:
            begin, end = where[gram], where[gram + n - 1] + 1
            if places > 0 and begin <= out[places - 1, 1]:
                out[places - 1, 1] = end
            else:
                out[places, 0], out[places, 1] = begin, end
                places += 1
    return places
