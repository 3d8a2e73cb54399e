"""Events that change what a page holds, one after the other: each begins when the answer to the one before has come.

An event carries the notes of the page as they are when it is sent. Two that are sent at once would both start from the
same notes, and the later answer would undo the other. So all of them share one queue in the browser
(:mod:`workbench.widgets.corpus_press`): none is lost, none starts from notes of a moment ago.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from workbench.panel import QUEUED, QUICK
from workbench.widgets.corpus_press import GIVE, TAKE

EVERY: Mapping[str, Any] = {**QUEUED, "trigger_mode": "multiple"}
"""No press is dropped. (``always_last`` repeats an earlier press's data in place of the last one's: seen in 6.31.)"""
AT_ONCE: Mapping[str, Any] = {**QUICK, "trigger_mode": "multiple"}


def pressed(pane: gr.HTML, handler: Callable[..., Any], inputs: Sequence[Component],
            outputs: Sequence[Component]) -> None:
    """Answer the presses of a pane that has the script ``PRESS``."""
    _give_back(pane.select(handler, inputs, outputs, **EVERY))


def in_turn(triggers: Sequence[Any], handler: Callable[..., Any], inputs: Sequence[Component],
            outputs: Sequence[Component]) -> None:
    """Answer other events in their turn among the presses; ``inputs`` are those of that moment."""
    _give_back(gr.on(list(triggers), None, None, None, js=TAKE, **AT_ONCE).then(handler, inputs, outputs, **EVERY))


def _give_back(event: Any) -> None:
    """Let the next one begin. (``then`` does not follow a refused event: seen in 6.31.)"""
    for after in (event.success, event.failure):
        after(None, None, None, js=GIVE, **AT_ONCE)
