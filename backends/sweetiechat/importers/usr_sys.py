"""Two layouts of ESConv with ``usr`` and ``sys``: MultiESC's merged turns, PPDPP's single messages.

MultiESC (Cheng et al. 2022): one dialogue a line, ``init_intensity``, ``final_intensity``, per turn ``all_strategy``
(every strategy of a merged turn), valence-arousal-dominance, the cause and the stars. Its "Providing Suggestions or
Information" merges two of ESConv's classes and counts as suggestions; "Greeting" is one of the others.
PPDPP (Deng et al. 2024): emotion, problem, situation, and messages with one strategy each.
"""

from __future__ import annotations

from collections.abc import Mapping

from backends.sweetiechat.importers.draft import (
    Draft,
    Format,
    Said,
    has_list,
    list_in,
    shown,
    speaker,
    text_in,
    text_of,
)
from workbench.contract import Json, UserError

KEPT = ("vad", "cause")


def read(entry: Json) -> Draft:
    """One dialogue of either layout."""
    said = tuple(_said(message, number) for number, message in enumerate(list_in(entry, "dialog"), 1))
    survey = {name: entry.get(name) for name in ("init_intensity", "final_intensity") if name in entry}
    return Draft(said, text_of(entry, "situation"), text_of(entry, "emotion_type"), text_of(entry, "problem_type"),
                 survey=survey)


def _said(message: Json, number: int) -> Said:
    text = text_in(message, "text", f"message {number}")
    every = message.get("all_strategy")
    if every is not None and (not isinstance(every, list) or not all(isinstance(label, str) for label in every)):
        raise UserError(f"all_strategy of message {number} is {shown(every)}; it must be a list of labels")
    one = text_of(message, "strategy")
    labels = tuple(every) if every else (one,) if one else ()
    meta = {name: message[name] for name in KEPT if message.get(name)}
    role = speaker(message.get("speaker"))
    return Said(role, text, labels if role == "supporter" else (), message.get("feedback"), meta)


def _merged(entry: Json) -> bool:
    return isinstance(entry, Mapping) and ("init_intensity" in entry or any(
        "all_strategy" in message for message in entry["dialog"][:20] if isinstance(message, Mapping)))


def _plain(entry: Json) -> bool:
    return has_list(entry, "dialog", "text", "speaker")


MULTIESC = Format("multiesc", "MultiESC (merged turns, all strategies, VAD)",
                  lambda entry: _plain(entry) and _merged(entry), read, strategies="esconv-8", language="en",
                  made_by="people")
PPDPP = Format("ppdpp", "PPDPP (ESConv with usr and sys)", lambda entry: _plain(entry) and not _merged(entry), read,
               strategies="esconv-8", language="en", made_by="people")
