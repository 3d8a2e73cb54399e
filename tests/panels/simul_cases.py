"""Shared by the tests of the Simultaneous view: states of a real sentence, and states written by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.contract import Json
from workbench.fields import to_json

SENTENCE = "sov n1 n2 o4 o5 o6 o7 v3"
END = "</s>"


@lru_cache(maxsize=8)
def practice(text: str = SENTENCE, k: int = 3, min_read: int = 2) -> Mapping[str, Json]:
    """The result of ``sm2.states.v1`` for the practice model, computed here."""
    from backends.sm2.requests import StatesRequest
    from backends.sm2.translate import states
    from workbench.context import MemoryContext

    with tempfile.TemporaryDirectory() as folder:
        context = MemoryContext(Path(folder) / "run")
        return dict(to_json(states(StatesRequest(text, "practice", k, min_read), context)))


def log(source: Sequence[str], target: Sequence[str], actions: str, confidence: float = 0.6,
        al: float | None = 1.0) -> dict[str, Any]:
    """A log as the task gives it."""
    figures = {"AL": al, "LAAL": al, "AP": 0.5, "DAL": 2.0, "CW": 1.0}
    return {"source": "".join(source).replace("▁", " ").replace(END, "").strip(), "target_pieces": list(target),
            "actions": actions, "confidence": [confidence if action == "W" else None for action in actions],
            "words": figures, "tokens": figures}


def made(source: Sequence[str], targets: Sequence[tuple[float, float, Sequence[str], str]],
         overlay: Mapping[str, tuple[Sequence[str], str]] | None = None, floor: float = 0.0909) -> dict[str, Any]:
    """A result by hand: ``targets`` are low, high, pieces and actions. Confidence is (i + j) / (I + J)."""
    size = len(source)
    ranges = [{"low": low, "high": high, "log": log(source, pieces, actions)} for low, high, pieces, actions in targets]
    grids = [[[round((i + j) / (len(pieces) + size), 4) for j in range(1, size + 1)] for i in range(len(pieces))]
             for _, _, pieces, _ in targets]
    whole = "R" * size
    hi = "▁Hi" if any("▁" in piece for piece in source) else "Hi"
    beside = overlay or {"wait-3": ((hi, END), "R" * min(3, size) + "WW"),
                         "full sentence": ((hi, END), whole + "WW")}
    return {"source_pieces": list(source), "ranges": ranges, "grids": grids, "ready": bool(targets), "floor": floor,
            "overlay": {name: log(source, pieces, actions) for name, (pieces, actions) in beside.items()},
            "complete": True}


def small() -> dict[str, Any]:
    """Two translations of three tokens, spaces as marks."""
    return made(("▁Guten", "▁Tag", END), [(0.0, 0.4, ("▁Good", END), "RWRRW"),
                                            (0.4, 1.0, ("▁Good", "▁day", END), "RRWRWW")])


def long(count: int = 120, ranges: int = 1) -> dict[str, Any]:
    """More tokens than a chart shows; every range has rows of its own."""
    source = [f"▁s{n}" for n in range(count - 1)] + [END]
    found = []
    for number in range(ranges):
        pieces = [f"▁t{number}x{n}" for n in range(count - 1)] + [END]
        found.append((number / ranges, (number + 1) / ranges, pieces, "RW" * count))
    result = made(source, found)
    for number, grid in enumerate(result["grids"]):
        result["grids"][number] = [[(c + number / 7) % 1 for c in row] for row in grid]
    return result


def curve_result() -> dict[str, Json]:
    """A result of ``sm2.curve.v1`` with all kinds of policies."""
    def point(kind: str, setting: float, lag: float | None, bleu: float) -> dict[str, Json]:
        return {"policy": f"{kind} {setting}", "kind": kind, "setting": setting, "bleu": bleu, "bleu_low": bleu - 2,
                "bleu_high": bleu + 2, "words": {"AL": lag}, "words_al_low": (lag or 0) - 0.2,
                "words_al_high": (lag or 0) + 0.2, "tokens": {"AL": lag}, "exact": 0.1, "sufficiency": None,
                "undefined": 0, "seconds": 1.0}
    return {"points": [point("sm2", 0.2, 1.5, 60), point("sm2", 0.9, 2.5, 90), point("wait-k", 1, 1.0, 30),
                       point("wait-k", 5, 5.0, 70), point("multipath", 3, 3.0, 40), point("full", 0, 9.0, 95)],
            "signature": "nrefs:1|tok:13a", "sentences": 200}
