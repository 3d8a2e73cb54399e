"""The rules as they were published, one document at a time: what tests compare with and the benchmark's peer.

Written anew from the description in section A2 of the method (ChineseWebText 2.0, preprocess.py): plain Python, the
pure-Python converter zhconv and a loop of ``in`` over the word list. Slow on purpose: nothing here is shared with the
fast path.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

HAN = re.compile("[\u4e00-\u9fa5]")
RULES = ("length", "line_length", "script", "traditional", "sensitive", "duplication")


@dataclass(frozen=True)
class Values:
    """What the published steps measure of one text."""

    n_chars: int
    mean_line: float
    script_ratio: float
    traditional: bool
    sens_ratio: float
    dup_ratio: float

    @property
    def fails(self) -> tuple[bool, ...]:
        """Which of :data:`RULES` drop the text, each for itself, at the published limits."""
        return (self.n_chars <= 200, self.mean_line < 10, self.script_ratio < 0.3, self.traditional,
                self.sens_ratio > 0.5, self.dup_ratio > 0.5)


def measure(text: str, words: Sequence[str]) -> Values:
    """All values of a text; ``words`` are the distinct entries of the list."""
    lines = len(text.split("\n"))
    return Values(len(text), len(text) / lines, len(HAN.findall(text)) / len(text) if text else 0.0,
                  traditional(text), sum(word in text for word in words) / lines, duplication(text))


def traditional(text: str) -> bool:
    """Whether zhconv changes anything. Needs the package zhconv."""
    from zhconv import convert  # type: ignore[import-untyped]

    return bool(text != convert(text, "zh-cn"))


def duplication(text: str, n: int = 13) -> float:
    """Share of repeated windows, without the last one."""
    plain = text.strip().lower().replace(" ", "").replace("\n", "").replace("\t", "")
    grams = [plain] if len(plain) < n else [plain[i:i + n] for i in range(len(plain) - n)]
    counts = Counter(grams)
    return sum(count for count in counts.values() if count > 1) / len(grams) if grams else 0.0
