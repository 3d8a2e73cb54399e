"""SMILE (Qiu et al. 2024): Chinese counselling with ``client`` and ``counselor``.

Its own files hold one dialogue each, ``[{role, content}]``; re-packed ones ``{id, dialog: [{role, content, ...}]}``.
"""

from __future__ import annotations

from collections.abc import Mapping

from backends.sweetiechat.importers.draft import Draft, Format, Said, has_list, list_in, speaker, text_in, text_of
from workbench.contract import Json

ROLES = {"client", "counselor"}


def read(entry: Json) -> Draft:
    """One dialogue; it has no strategies."""
    messages = list_in(entry, _name(entry))
    said = tuple(Said(speaker(message.get("role")), text) for number, message in enumerate(messages, 1)
                 for text in [text_in(message, "content", f"message {number}")])
    return Draft(said, notes={"id": text_of(entry, "id")} if "id" in entry else {})


def _name(entry: Json) -> str:
    return "dialog" if isinstance(entry, Mapping) and "dialog" in entry else "messages"


def _looks(entry: Json) -> bool:
    return has_list(entry, _name(entry), "role", "content") and any(
        message.get("role") in ROLES for message in entry[_name(entry)][:4] if isinstance(message, Mapping))


FORM = Format("smile", "SMILE (client / counselor)", _looks, read, strategies="esconv-8", language="zh",
              made_by="model")
