"""Dialogues as text: own JSONL (exact), chat messages for fine-tuning, CSV for tables; and strategy labels by name.

=========  ====================================================================================================
jsonl      one ``Dialogue`` a line; reading it back gives equal objects
chat       one {"messages": [...]} a line; the seeker is the user; "[Strategy] text" with ``strategy_tokens``
csv        one row a turn, for spreadsheets; a cell that a spreadsheet would run as a formula gets a leading '
=========  ====================================================================================================

Other layouts are written where they are read, in :mod:`importers`; :mod:`exports` knows them all.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.objects import Dialogue, dialogue_from_json, dialogue_to_json
from workbench.contract import Json, UserError

COLUMNS = ("dialogue", "turn", "role", "strategy", "stage", "intensity", "text", "author", "scenario", "card",
           "emotion", "stop_reason", "counselor", "model", "seed")


def to_jsonl(dialogues: Iterable[Dialogue]) -> str:
    """One JSON object a line, every field kept."""
    return "".join(_line(dialogue_to_json(d)) for d in dialogues)


def _line(value: Json) -> str:
    """One JSON line; the two characters that some readers take for line ends are written as escapes."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029") + "\n"


def from_jsonl(text: str) -> list[Dialogue]:
    """The inverse of :func:`to_jsonl`. Raises ``UserError`` naming the line that is no dialogue."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(dialogue_from_json(json.loads(line)))
        except (ValueError, TypeError, AttributeError, UserError) as error:
            raise UserError(f"Line {number} is not a dialogue: {error}.",
                            advice="Each line must be one dialogue as the workbench exports it.") from error
    return found


def label_table(set_name: str, folder: Path = ASSETS) -> dict[str, str]:
    """Every known spelling of a strategy set's labels, in normal form, with its key."""
    sets = yaml.safe_load((folder / "labels.yaml").read_text(encoding="utf-8"))["sets"]
    return {variant: key for key, variants in sets[set_name].items() for variant in (*variants, bare(key))}


def bare(label: str) -> str:
    """A label in normal form: no brackets, no case, runs of space _ - / & as one space, no final stop or colon."""
    return re.sub(r"[\s_\-/&]+", " ", label.strip().strip("[]").casefold()).strip().rstrip(".:").strip()


def normalise(label: str, table: Mapping[str, str]) -> str:
    """The key of a label. Raises ``UserError`` for one that is not in the table."""
    if bare(label) not in table:
        raise UserError(f"The strategy label {label!r} is not known.",
                        advice="Add it to assets/dialogue/labels.yaml under the strategy that it means.")
    return table[bare(label)]


def to_chat(dialogues: Iterable[Dialogue], strategy_tokens: bool = False) -> str:
    """Chat messages for supervised fine-tuning, one dialogue a line; turns of one speaker in a row are joined."""
    return "".join(_line({"messages": chat_messages(d, strategy_tokens)}) for d in dialogues)


def chat_messages(dialogue: Dialogue, strategy_tokens: bool = False) -> list[dict[str, str]]:
    """One dialogue as user and assistant messages."""
    labels = {item.key: item.label(dialogue.language) for item in dialogue.strategy_set.items}
    messages: list[dict[str, str]] = []
    for turn in dialogue.turns:
        mark = f"[{labels[turn.strategy]}] " if strategy_tokens and turn.strategy in labels else ""
        role = "user" if turn.role == "seeker" else "assistant"
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += "\n" + mark + turn.text
        else:
            messages.append({"role": role, "content": mark + turn.text})
    return messages


def to_csv(dialogues: Iterable[Dialogue]) -> str:
    """One row a turn, with a header; starts with a byte order mark so that spreadsheets read Chinese."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180; also makes it quote a lone \r
    writer.writerow(COLUMNS)
    for d in dialogues:
        for turn in d.turns:
            writer.writerow([_cell(value) for value in (
                d.id, turn.idx, turn.role, turn.strategy, turn.counselor.stage if turn.counselor else None,
                turn.private.intensity if turn.private else None, turn.text, turn.meta.get("author", ""), d.scenario.id,
                d.card.id if d.card else None, d.scenario.emotion, d.stop_reason, d.counselor,
                turn.meta.get("model", ""), d.seed)])
    return "\ufeff" + out.getvalue()


def _cell(value: Json) -> Json:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return "" if value is None else value
