"""The strategy decision before each supporter turn (spec A.5), for many dialogues at once.

==============  ==========================================================================================
``scored``      the language model's score of each label, calibrated (:mod:`counselor_scored`)
``prompt``      the model answers in JSON; repaired once, then scored (:mod:`counselor_prompted`)
``classifier``  p(s | h) of a trained classifier, words or a language model's state (:mod:`counselor_trained`)
``oracle``      the strategies of a recorded dialogue in their order (:mod:`counselor_recorded`)
``none``        no decision is asked for
``agent``       the trained supporter writes its own strategy; no decision is asked for
``you``         a person's choice, see :mod:`commands`
==============  ==========================================================================================

``scored`` and ``classifier`` add the same terms for the stage and against repetition (:mod:`counselor_terms`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backends.sweetiechat.cast import Cast
from backends.sweetiechat.counselor_prompted import prompted
from backends.sweetiechat.counselor_recorded import recorded
from backends.sweetiechat.counselor_scored import scored
from backends.sweetiechat.counselor_trained import classified
from backends.sweetiechat.objects import Counsel, Dialogue


def decide(dialogues: Sequence[Dialogue], cast: Cast, cancelled: Callable[[], None] | None = None) -> list[Counsel]:
    """One decision for each dialogue, in the mode that they were started with (``scored`` where a person who was to
    choose has given the role back)."""
    mode = dialogues[0].counselor
    if mode == "prompt":
        return prompted(dialogues, cast, cancelled)
    if mode == "classifier":
        return classified(dialogues, cast)
    if mode == "oracle":
        return recorded(dialogues, cast)
    return scored(dialogues, cast)
