"""Chat layouts, in and out: ``{messages: [{role, content}]}`` and ShareGPT's ``{conversations: [{from, value}]}``.

The user is the seeker, the assistant the supporter; system texts are noted. A strategy in brackets at the start of a
reply ("[Question] How long ...") is read as its label when a bundled set knows it, and is part of the text otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache

from backends.sweetiechat.exchange import bare, chat_messages, label_table
from backends.sweetiechat.importers.draft import Draft, Format, Said, has_list, list_in, shown, speaker, text_of
from backends.sweetiechat.library import strategy_sets
from backends.sweetiechat.objects import Dialogue
from workbench.contract import Json, UserError

_MARK = re.compile(r"\s*\[([^\[\]\n]{1,60})\]\s*(\S.*)", re.DOTALL)
_SYSTEM = ("system", "developer")


def read(entry: Json) -> Draft:
    """One conversation of either layout."""
    chat = "messages" in entry
    rows = list_in(entry, "messages" if chat else "conversations")
    role, content = ("role", "content") if chat else ("from", "value")
    said: list[Said] = []
    system: list[str] = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise UserError(f"message {number} is {shown(row)}; it must be a table")
        text = _text(row.get(content), number)
        if str(row.get(role)).casefold() in _SYSTEM:
            system.append(text)
        else:
            said.append(_said(row.get(role), text))
    notes = {"id": text_of(entry, "id"), "system": "\n".join(system)}
    return Draft(tuple(said), notes={name: text for name, text in notes.items() if text})


def _text(content: Json, number: int) -> str:
    """The text of a message; several parts of type text are joined, anything else (images, calls) is refused."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content and all(
            isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in content):
        return "\n".join(part["text"] for part in content)
    raise UserError(f"the content of message {number} is {shown(content)}; it must be text")


def _said(name: Json, text: str) -> Said:
    role = speaker(name)
    mark = _MARK.fullmatch(text) if role == "supporter" else None
    if mark and bare(mark[1]) in _known_labels():
        return Said(role, mark[2], (mark[1],))
    return Said(role, text)


@cache
def _known_labels() -> frozenset[str]:
    return frozenset(label for name in strategy_sets() for label in label_table(name))


def to_sharegpt(dialogues: Iterable[Dialogue], strategy_tokens: bool = False) -> str:
    """ShareGPT's layout as JSON text: human and gpt in turn; "[Strategy] text" with ``strategy_tokens``."""
    names = {"user": "human", "assistant": "gpt"}
    rows = [{"id": dialogue.id, "conversations": [
        {"from": names[message["role"]], "value": message["content"]}
        for message in chat_messages(dialogue, strategy_tokens)]} for dialogue in dialogues]
    return json.dumps(rows, ensure_ascii=False, indent=1)


CHAT = Format("chat", "Chat messages (role, content)",
              lambda entry: has_list(entry, "messages", "role", "content"), read)
SHAREGPT = Format("sharegpt", "ShareGPT (from, value)",
                  lambda entry: has_list(entry, "conversations", "from", "value"), read)
