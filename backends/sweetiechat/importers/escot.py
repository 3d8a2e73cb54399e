"""ESCoT (Zhang et al. 2024): a dialogue up to one supporter reply, with the chain of thought behind its strategy.

``[{id, original_data: {dialog: [{speaker, content}], strategy, response}, cot_data: {emotion, emotion_stimuli,
individual_appraisal, recognized_strategy, strategy_reason}}]``. Only the last reply has a strategy; the chain stays in
its ``meta["cot"]``. A dialogue often occurs up to several of its replies; they share their opening words.
"""

from __future__ import annotations

from collections.abc import Mapping

from backends.sweetiechat.importers.draft import Draft, Format, Said, list_in, shown, speaker, text_in, text_of
from workbench.contract import Json, UserError


def read(entry: Json) -> Draft:
    """One dialogue with its reply as the last turn."""
    data, chain = _table(entry, "original_data"), _table(entry, "cot_data")
    said = [Said(speaker(message.get("speaker")), text) for number, message in enumerate(list_in(data, "dialog"), 1)
            for text in [text_in(message, "content", f"message {number}")]]
    reply = Said("supporter", text_in(data, "response", "original_data"), (text_in(data, "strategy", "original_data"),),
                 meta={"cot": {name: text_of(chain, name) for name in chain}})
    return Draft((*said, reply), trigger=text_of(chain, "emotion_stimuli"),
                 notes={"id": text_of(entry, "id")} if "id" in entry else {})


def _table(entry: Json, name: str) -> Mapping[str, Json]:
    value = entry.get(name) if isinstance(entry, Mapping) else None
    if not isinstance(value, Mapping):
        raise UserError(f"{name} is {shown(value)}; it must be a table")
    return value


def _looks(entry: Json) -> bool:
    return isinstance(entry, Mapping) and "cot_data" in entry and "original_data" in entry


FORM = Format("escot", "ESCoT (chain of thought for one reply)", _looks, read, strategies="escot-13", language="en",
              made_by="model")
