"""ConvoKit's corpus layout, in and out, without the library: ``utterances.jsonl`` and four small JSON files.

Fields as in ConvoKit 3: id, conversation_id (the id of the first utterance), speaker, text, reply-to, timestamp, meta,
vectors; older corpora say ``user`` and ``root``. Who is the seeker is told by ``meta.role`` of the utterance or by the
speaker's name. Our own export keeps the whole dialogue in the metadata, so it reads back exactly.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from backends.sweetiechat.importers.draft import Draft, Format, Made, Row, Said, shown, speaker, text_in, text_of
from backends.sweetiechat.importers.own import read as read_own
from backends.sweetiechat.objects import Dialogue, dialogue_to_json
from workbench.contract import Json, UserError

OURS = "sweetiechat"
"""Key of the metadata that holds what ConvoKit has no field for."""
UTTERANCES = "utterances.jsonl"


def group(rows: Iterable[Row]) -> Iterator[Row]:
    """The utterances of one conversation as one entry, in the order of the file (of their times where all have one)."""
    found: dict[str, tuple[str, list[Json]]] = {}
    for row in rows:
        name = row.value.get("conversation_id", row.value.get("root")) if isinstance(row.value, Mapping) else None
        if row.problem or not isinstance(name, str | int):
            yield row if row.problem else Row(row.where, problem=f"conversation_id is {shown(name)}; it must be text")
            continue
        found.setdefault(str(name), (row.where, []))[1].append(row.value)
    for where, utterances in found.values():
        times = [utterance.get("timestamp") for utterance in utterances]
        timed = all(isinstance(time, int | float) and not isinstance(time, bool) for time in times)
        yield Row(where, sorted(utterances, key=lambda u: u["timestamp"]) if timed else utterances)


def read(entry: Json) -> Made:
    """One conversation; ours come back as they were."""
    kept = _meta(entry[0]).get(OURS)
    if isinstance(kept, Mapping) and "dialogue" in kept:
        turns = [{**_ours(utterance), "text": utterance.get("text")} for utterance in entry]
        return read_own({**kept["dialogue"], "turns": turns})
    said = tuple(_said(utterance, number) for number, utterance in enumerate(entry, 1))
    first = _meta(entry[0])
    return Draft(said, text_of(first, "situation"), text_of(first, "emotion_type"), text_of(first, "problem_type"),
                 notes={"conversation_id": str(entry[0].get("conversation_id", entry[0].get("root")))})


def _meta(utterance: Mapping[str, Json]) -> Mapping[str, Json]:
    meta = utterance.get("meta") or {}
    if not isinstance(meta, Mapping):
        raise UserError(f"meta is {shown(meta)}; it must be a table")
    return meta


def _ours(utterance: Mapping[str, Json]) -> Mapping[str, Json]:
    kept = _meta(utterance).get(OURS)
    turn = kept.get("turn") if isinstance(kept, Mapping) else None
    if not isinstance(turn, Mapping):
        raise UserError(f"the utterance {shown(utterance.get('id'))} has no metadata of the workbench, others have")
    return turn


def _said(utterance: Mapping[str, Json], number: int) -> Said:
    meta = _meta(utterance)
    name = utterance.get("speaker", utterance.get("user"))
    try:
        role = speaker(meta.get("role") or name)
    except UserError as error:
        raise UserError(f"nothing says whether the speaker {shown(name)} is the seeker or the supporter",
                        advice='Give each utterance "meta": {"role": "seeker"} or "supporter".') from error
    label = text_of(meta, "strategy")
    text = text_in(utterance, "text", f"utterance {number}")
    if role == "seeker":
        return Said(role, text, stars=meta.get("feedback"))
    return Said(role, text, (label,) if label else ())


def to_convokit(dialogues: Iterable[Dialogue]) -> dict[str, str]:
    """The five files of a corpus by name, as text. Speakers are the two roles; one conversation a dialogue."""
    lines, conversations, seen = list[str](), dict[str, Json](), Counter[str]()
    for dialogue in dialogues:
        whole = dialogue_to_json(dialogue)
        turns = whole.pop("turns")
        seen[dialogue.id] += 1  # two runs of one request make dialogues of one id
        name = f"{dialogue.id}~{seen[dialogue.id]}" if seen[dialogue.id] > 1 else dialogue.id
        first = f"{name}/0"
        conversations[first] = {"meta": {
            "situation": dialogue.scenario.situation, "emotion_type": dialogue.scenario.emotion,
            "problem_type": dialogue.scenario.problem_type_id, "stop_reason": dialogue.stop_reason}, "vectors": []}
        for place, turn in enumerate(turns):
            text = turn.pop("text")
            kept = {"turn": turn, **({"dialogue": whole} if place == 0 else {})}
            meta = {"role": turn["role"], "strategy": turn["strategy"], OURS: kept}
            lines.append(json.dumps({
                "id": f"{name}/{place}", "conversation_id": first, "text": text, "speaker": turn["role"],
                "meta": meta, "reply-to": f"{name}/{place - 1}" if place else None, "timestamp": place,
                "vectors": []}, ensure_ascii=False))
    return {UTTERANCES: "".join(f"{line}\n" for line in lines), "conversations.json": _json(conversations),
            "speakers.json": _json({role: {"meta": {}, "vectors": []} for role in ("seeker", "supporter")}),
            "corpus.json": _json({"name": OURS}), "index.json": _json(_index())}


def _index() -> dict[str, Json]:
    """The types of the metadata, as ConvoKit's loader wants them."""
    text = ["<class 'str'>"]
    return {"utterances-index": {"role": text, "strategy": text, OURS: ["<class 'dict'>"]}, "speakers-index": {},
            "conversations-index": dict.fromkeys(("situation", "emotion_type", "problem_type", "stop_reason"), text),
            "overall-index": {"name": text}, "version": 1, "vectors": []}


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def write_convokit(dialogues: Iterable[Dialogue], folder: Path) -> None:
    """Write a corpus into a folder, which is made; ``convokit.Corpus(filename=folder)`` opens it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in to_convokit(dialogues).items():
        (folder / name).write_text(text, encoding="utf-8")


def _looks(entry: Json) -> bool:
    return isinstance(entry, Mapping) and "text" in entry and ("speaker" in entry or "user" in entry) and (
        "conversation_id" in entry or "root" in entry) and "id" in entry


FORM = Format("convokit", "ConvoKit (utterances.jsonl)", _looks, read, group)
