"""``reproduce`` part: the strategy metrics against published reference output (Kang et al., ACL 2024; spec A.9).

The reference figures are what the authors' own ``metrics.py`` prints for the 1,611 predictions of their results file.
Only the counts of (predicted, gold) pairs are kept here, which is all that the metrics read; where the file itself lies
beside the project, the counts are taken from it and must be the same.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.conditioning_data import SHARED
from backends.sweetiechat.metrics.preference import preference
from backends.sweetiechat.metrics.strategy import accuracy, macro_f1, table, weighted_f1
from workbench.evidence import Claim, Reproduction
from workbench.settings import Settings

FILE = "kang2024_results.json"
LABELS = ("question", "restatement or paraphrasing", "reflection of feelings", "self-disclosure",
          "affirmation and reassurance", "providing suggestions", "information", "others")
COUNTS = ((36, 22, 20, 22, 31, 10, 12, 5), (10, 5, 3, 2, 7, 4, 4, 0), (37, 14, 38, 17, 23, 21, 14, 6),
          (9, 8, 7, 37, 19, 13, 11, 2), (118, 32, 67, 59, 135, 97, 54, 39), (59, 28, 37, 50, 67, 97, 63, 14),
          (1, 0, 1, 9, 3, 13, 14, 2), (6, 2, 11, 7, 10, 3, 12, 32))
"""Turns with the predicted strategy of the row and the gold strategy of the column, in the order of ``LABELS``."""
REFERENCE = {"macro-F1": 0.21890, "weighted F1": 0.22498, "bias B": 0.76658, "accuracy": 0.24457}
PREFERENCES = (0.6322, 0.3102, 1.0206, 0.4792, 2.5360, 1.9146, 0.2188, 0.8884)


def metrics(settings: Settings, quick: bool = False, folder: Path = SHARED) -> Reproduction:
    """The claims; a moment with and without ``quick``."""
    began = time.monotonic()
    path = folder / FILE
    counts = from_file(path) if path.is_file() else np.array(COUNTS)
    return Reproduction("metrics", tuple(claims(counts, path.is_file())), time.monotonic() - began)


def from_file(path: Path) -> NDArray[np.int64]:
    """The counts of the authors' results file."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    gold, said = ([row[name].lower() for row in rows] for name in ("strg_gold", "strg_pred"))
    return table(gold, said, LABELS)


def claims(counts: NDArray[np.int64], read: bool) -> list[Claim]:
    """Every figure to five digits; control: the same number of predictions, drawn without looking at the turns."""
    found = figures(counts)
    chance = figures(shuffled(counts, random.Random(0)))
    where = "the authors' results file" if read else "the counts of the authors' results file"
    made = [Claim(f"{name} of {where}, {int(counts.sum())} turns, to five digits", round(found[name], 5), value,
                  round(found[name], 5) == value, round(chance[name], 5)) for name, value in REFERENCE.items()]
    off = max(abs(a - b) for a, b in zip(preference(counts).values, PREFERENCES, strict=True))
    made.append(Claim("largest distance of a strategy's preference p from the authors' (four digits)", round(off, 6),
                      5e-5, off < 5.1e-5))
    if read:
        same = int(np.abs(counts - np.array(COUNTS)).sum())
        made.append(Claim("differences between the counts kept here and those of the file", float(same), 0.0, not same))
    return made


def figures(counts: NDArray[np.int64]) -> dict[str, float]:
    """The four figures of a table of counts."""
    return {"macro-F1": macro_f1(counts), "weighted F1": weighted_f1(counts), "bias B": preference(counts).bias,
            "accuracy": accuracy(counts)}


def shuffled(counts: NDArray[np.int64], generator: random.Random) -> NDArray[np.int64]:
    """A table with the same predictions and the same gold strategies, put together at random."""
    said = [i for i, row in enumerate(counts) for _ in range(int(row.sum()))]
    gold = [j for j, column in enumerate(counts.T) for _ in range(int(column.sum()))]
    generator.shuffle(said)
    made = np.zeros_like(counts)
    np.add.at(made, (said, gold), 1)
    return made
