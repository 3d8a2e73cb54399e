"""Systems, files and real data that the tests of translation comparison share."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Sequence
from pathlib import Path

REFERENCE = [
    "the cat sat on the mat",
    "there is a house on the hill",
    "he reads a book",
    "we will go home now",
    "it rains in the north",
    "she sings well",
    "the train is late again",
    "please close the door",
]


def systems(count: int = 3, size: int = 40, seed: int = 1) -> tuple[dict[str, list[str]], list[str]]:
    """``count`` systems that drop and swap more and more words of a reference of ``size`` segments."""
    generator = random.Random(seed)
    reference = [f"{REFERENCE[i % len(REFERENCE)]} {generator.choice('abcdefgh')}{i}" for i in range(size)]

    def spoiled(line: str, rate: float) -> str:
        words = [word for word in line.split() if generator.random() > rate]
        if len(words) > 1 and generator.random() < rate:
            words[0], words[1] = words[1], words[0]
        return " ".join(words)

    return {f"system {k}": [spoiled(line, 0.06 * (k + 1)) for line in reference] for k in range(count)}, reference


def wmt(path: Path) -> list[str]:
    """The segments of a WMT file."""
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def workbook(rows: Sequence[Sequence[object]], sheets: int = 1) -> bytes:
    """An xlsx file with these rows on its first sheet."""
    from openpyxl import Workbook

    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    for number in range(1, sheets):
        book.create_sheet(f"more {number}").append(["nothing"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def jsonl(rows: Sequence[dict]) -> bytes:
    """JSON lines."""
    return ("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n").encode()
