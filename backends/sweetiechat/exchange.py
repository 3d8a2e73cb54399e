"""Dialogues to and from files: own JSONL (exact), ESConv's layout, chat messages for fine-tuning, CSV for tables.

=========  ====================================================================================================
jsonl      one ``Dialogue`` a line; reading it back gives equal objects
esconv     a list of {emotion_type, problem_type, situation, survey_score, dialog: [{speaker, annotation, content}]}
chat       one {"messages": [...]} a line; the seeker is the user; "[Strategy] text" with ``strategy_tokens``
csv        one row a turn, for spreadsheets; a cell that a spreadsheet would run as a formula gets a leading '
=========  ====================================================================================================

``FORMATS`` maps each to (function, file name ending, media type).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from backends.sweetiechat.library import ASSETS, choose_strategies
from backends.sweetiechat.objects import Dialogue, Private, Scenario, Turn, dialogue_from_json, dialogue_to_json
from workbench.contract import Json, UserError

SPEAKERS = {"seeker": "seeker", "usr": "seeker", "user": "seeker", "speaker": "seeker",
            "supporter": "supporter", "sys": "supporter",
            "listener": "supporter"}
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


def to_esconv(dialogues: Iterable[Dialogue]) -> str:
    """ESConv's layout as JSON text: strategies by English label on supporter turns, intensities where known."""
    return json.dumps([_esconv(d) for d in dialogues], ensure_ascii=False, indent=1)


def _esconv(dialogue: Dialogue) -> dict[str, Json]:
    labels = {item.key: item.label_en for item in dialogue.strategy_set.items}
    states = [turn.private.intensity for turn in dialogue.turns if turn.private]
    rows = []
    for turn in dialogue.turns:
        marks: dict[str, Json] = {}
        if turn.role == "supporter" and turn.strategy:
            marks["strategy"] = labels.get(turn.strategy, turn.strategy)
        if "feedback" in turn.meta:
            marks["feedback"] = turn.meta["feedback"]
        rows.append({"speaker": turn.role, "annotation": marks, "content": turn.text})
    scores = {"initial_emotion_intensity": str(dialogue.scenario.intensity_0)}
    if states:
        scores["final_emotion_intensity"] = str(states[-1])
    return {"experience_type": "", "emotion_type": dialogue.scenario.emotion,
            "problem_type": dialogue.scenario.problem_type_id, "situation": dialogue.scenario.situation,
            "survey_score": {"seeker": scores, "supporter": {}}, "dialog": rows}


def from_esconv(text: str) -> list[Dialogue]:
    """Dialogues in ESConv's layout (raw or failed ones). Labels go through the normaliser; a label that it does not
    know raises ``UserError``, so that no spelling becomes a class of its own."""
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise UserError(f"The file is not JSON: {error}.") from error
    if not isinstance(rows, list):
        raise UserError("The file holds no list; ESConv's layout is a list of dialogues.")
    normal = label_table("esconv-8")
    return [_from_esconv(number, row, normal) for number, row in enumerate(rows)]


def _from_esconv(number: int, row: Json, normal: Mapping[str, str]) -> Dialogue:
    if not isinstance(row, dict) or not isinstance(row.get("dialog"), list):
        raise UserError(f"Entry {number} of the file has no list named dialog.")
    scores = (row.get("survey_score") or {}).get("seeker") or {}
    first = _level(scores.get("initial_emotion_intensity"), 3)
    scenario = Scenario(f"esconv-{number}", str(row.get("problem_type") or "unknown"),
                        str(row.get("emotion_type") or "unknown"), first,
                        str(row.get("situation") or "").strip()[:4000] or "(not given)")
    turns = [_turn(place, entry, number, normal) for place, entry in enumerate(row["dialog"])]
    last = _level(scores.get("final_emotion_intensity"), 0)
    spoken = [turn.idx for turn in turns if turn.role == "seeker"]
    if last and spoken:
        old = turns[spoken[-1]]
        turns[spoken[-1]] = Turn(old.idx, old.role, old.text, private=Private(scenario.emotion, last, level=last),
                                 meta=old.meta)
    return Dialogue(f"esconv-{number}", scenario, None, choose_strategies("esconv-8"), tuple(turns), "imported",
                    counselor="none")


def _level(value: Json, default: int) -> int:
    text = str(value).strip()
    return int(text) if text in {"1", "2", "3", "4", "5"} else default


def _turn(place: int, entry: Json, number: int, normal: Mapping[str, str]) -> Turn:
    role = SPEAKERS.get(str(entry.get("speaker", "")).lower()) if isinstance(entry, dict) else None
    if role is None:
        raise UserError(f"Turn {place} of entry {number} has the speaker {entry!r:.60}; known are "
                        f"{', '.join(SPEAKERS)}.")
    marks = entry.get("annotation") or {}
    label = marks.get("strategy")
    key = normalise(str(label), normal) if label and role == "supporter" else None
    meta = {"author": "imported", **({"feedback": marks["feedback"]} if "feedback" in marks else {})}
    text = str(entry.get("content", "")).strip()
    return Turn(place, "seeker" if role == "seeker" else "supporter", text, key, meta=meta)


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
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t"):
        return "'" + value
    return "" if value is None else value


FORMATS: Mapping[str, tuple[Callable[[Sequence[Dialogue]], str], str, str]] = {
    "jsonl": (to_jsonl, "dialogues.jsonl", "application/jsonl"),
    "esconv": (to_esconv, "dialogues.esconv.json", "application/json"),
    "chat": (to_chat, "dialogues.chat.jsonl", "application/jsonl"),
    "csv": (to_csv, "dialogues.csv", "text/csv"),
}


def export(dialogues: Sequence[Dialogue], name: str) -> str:
    """The dialogues in one of ``FORMATS``."""
    if name not in FORMATS:
        raise UserError(f"There is no export format {name!r}; there are {', '.join(FORMATS)}.")
    if not dialogues:
        raise UserError("There is no dialogue to export yet.", advice="Wait for the first one to end.")
    return FORMATS[name][0](dialogues)
