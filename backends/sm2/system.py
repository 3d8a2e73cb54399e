"""An SM2 model as one of several translation systems: whole sentences, without looking at the latency.

Opened by ``common.translate.v1`` in a process of its own, by the dotted name of :func:`open_system`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backends.common.mt.systems.lines import Line, Say, by_groups, grouped
from workbench.contract import Json

if TYPE_CHECKING:
    from backends.sm2.storage import Translator

TOGETHER = 8
"""Lines that are decoded together; the first of a text alone, so that something is there at once (our default)."""


def practice() -> Path:
    """The folder of the small model of the order language that comes with the project."""
    return Path(__file__).parents[2] / "assets" / "sm2" / "order-language"


def open_system(folder: Path, options: Mapping[str, Json]) -> WholeSentences:
    """Open a model folder. ``options``: longest, threads, device (languages are the model's own)."""
    import torch

    from backends.sm2.storage import open_translator

    torch.set_num_threads(int(options.get("threads") or 1))
    return WholeSentences(open_translator(folder, str(options.get("device") or "cpu")))


class WholeSentences:
    """An open model that reads each line to its end before it writes."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator

    def translate(self, lines: Sequence[Line], say: Say) -> None:
        """Say every translation as soon as its group is decoded."""
        from backends.sm2.decode import translate
        from backends.sm2.policy import Policy

        model, words = self._translator.model, self._translator.vocabulary

        def attempt(group: Sequence[Line]) -> None:
            began = time.monotonic()
            traces = translate(model, [words.encode(text) for _, text in group], Policy("full"), TOGETHER)
            took = (time.monotonic() - began) / len(group)
            for (place, _), trace in zip(group, traces, strict=True):
                cut = bool(trace.tokens) and trace.tokens[-1] != model.shape.end
                say({"line": place, "text": words.decode(trace.tokens), "tokens": len(trace.tokens),
                     "seconds": round(took, 3), "cut": cut})
        by_groups([lines[:1], *grouped(lines[1:], TOGETHER)], attempt, say)

    def close(self) -> None:
        """The process that holds the model is ended from outside."""
