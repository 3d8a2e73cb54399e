"""ESConv's raw layout, and its failed dialogues, where the seeker is called ``speaker`` and the supporter ``listener``.

``[{experience_type, emotion_type, problem_type, situation, survey_score: {seeker, supporter}, dialog: [{speaker,
annotation: {strategy | feedback}, content}]}]`` (Liu et al. 2021). :func:`to_esconv` writes it back with the survey and
the messages as they were before merging; a generated dialogue has the intensities of its seeker there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

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
from backends.sweetiechat.objects import Dialogue, Turn
from workbench.contract import Json, UserError


def read(entry: Json) -> Draft:
    """One dialogue with what its people said of it afterwards."""
    said = tuple(_said(message, number) for number, message in enumerate(list_in(entry, "dialog"), 1))
    scores = entry.get("survey_score") or {}
    seeker = (scores.get("seeker") or {}) if isinstance(scores, Mapping) else None
    supporter = (scores.get("supporter") or {}) if isinstance(scores, Mapping) else None
    if not isinstance(seeker, Mapping) or not isinstance(supporter, Mapping):
        raise UserError(f"survey_score is {shown(scores)}; it must hold the tables seeker and supporter")
    survey = {**seeker, "supporter_relevance": supporter.get("relevance")}
    notes = {"experience_type": text_of(entry, "experience_type")} if entry.get("experience_type") else {}
    return Draft(said, text_of(entry, "situation"), text_of(entry, "emotion_type"), text_of(entry, "problem_type"),
                 survey=survey, notes=notes)


def _said(message: Json, number: int) -> Said:
    text = text_in(message, "content", f"message {number}")
    marks = message.get("annotation") or {}
    if not isinstance(marks, Mapping):
        raise UserError(f"the annotation of message {number} is {shown(marks)}; it must be a table")
    role = speaker(message.get("speaker"))
    label = text_of(marks, "strategy")
    return Said(role, text, (label,) if label and role == "supporter" else (), marks.get("feedback"))


def _names(entry: Json) -> set[str]:
    return {str(message.get("speaker")) for message in entry["dialog"][:50] if isinstance(message, Mapping)}


def _raw(entry: Json) -> bool:
    return has_list(entry, "dialog", "speaker", "content")


FORM = Format("esconv", "ESConv, raw layout", lambda entry: _raw(entry) and not _names(entry) & {"listener"}, read,
              strategies="esconv-8", language="en", made_by="people")
FAILED = Format("failed-esconv", "ESConv's failed dialogues (speaker / listener)",
                lambda entry: _raw(entry) and bool(_names(entry) & {"listener"}), read,
                strategies="esconv-8", language="en", made_by="people")


def to_esconv(dialogues: Iterable[Dialogue]) -> str:
    """The raw layout as JSON text: survey and stars where known, messages that were merged apart again."""
    return json.dumps([_entry(dialogue) for dialogue in dialogues], ensure_ascii=False, indent=1)


def _entry(dialogue: Dialogue) -> dict[str, Json]:
    labels = {item.key: item.label_en for item in dialogue.strategy_set.items}
    survey, source = dialogue.qc.get("survey") or {}, dialogue.qc.get("source") or {}
    states: list[int | None] = [turn.private.intensity for turn in dialogue.turns if turn.private]
    states = states or [None]
    seeker = {"initial_emotion_intensity": survey.get("initial", states[0]), "empathy": survey.get("empathy"),
              "relevance": survey.get("relevance"), "final_emotion_intensity": survey.get("final", states[-1])}
    supporter = {"relevance": survey.get("supporter_relevance")}
    rows = [row for turn in dialogue.turns for row in _messages(turn, labels)]
    return {"experience_type": source.get("experience_type", ""), "emotion_type": dialogue.scenario.emotion,
            "problem_type": dialogue.scenario.problem_type_id, "situation": dialogue.scenario.situation,
            "survey_score": {"seeker": _given(seeker), "supporter": _given(supporter)}, "dialog": rows}


def _given(scores: Mapping[str, Json]) -> dict[str, str]:
    return {name: str(value) for name, value in scores.items() if value is not None}


def _messages(turn: Turn, labels: Mapping[str, str]) -> list[dict[str, Json]]:
    """The messages of a turn; stars go to the last one, strategies to theirs where there is one for each."""
    parts = [str(part) for part in turn.meta.get("parts") or [turn.text]]
    keys = list(turn.meta.get("all_strategy") or ([turn.strategy] if turn.strategy else []))
    each = keys if len(keys) == len(parts) else keys[:1] * len(parts)
    rows: list[dict[str, Json]] = []
    for place, text in enumerate(parts):
        marks = {"strategy": labels.get(each[place], each[place])} if turn.role == "supporter" and each else {}
        if turn.meta.get("feedback") is not None and place == len(parts) - 1:
            marks["feedback"] = str(turn.meta["feedback"])
        rows.append({"speaker": turn.role, "annotation": marks, "content": text})
    return rows
