"""Small dialogues for the tests of metrics and quality control, and readers of the real files they check against."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from backends.sweetiechat.objects import Dialogue, Private, Scenario, SeekerCard, Strategy, StrategySet, Turn

SET = StrategySet("three", "1", (
    Strategy("question", "Question", "提问", stage="exploration"),
    Strategy("affirmation", "Affirmation and Reassurance", "肯定与安慰", stage="comforting"),
    Strategy("suggestions", "Providing Suggestions", "提供建议", stage="action"),
    Strategy("others", "Others", "其他", stage="any")))

GOOD_EN = (
    ("seeker", "My sister moved out last week and the flat feels far too quiet now.", None, 4),
    ("supporter", "What do you miss most when you come home in the evening?", "question", None),
    ("seeker", "The noise, I think. She always had music on while she cooked.", None, 4),
    ("supporter", "Missing her music shows how close the two of you are.", "affirmation", None),
    ("seeker", "We are. I just did not expect an empty kitchen to hurt.", None, 3),
    ("supporter", "Perhaps you could call her while you make dinner tonight.", "suggestions", None),
    ("seeker", "That would be nice, she might even like it. Thank you.", None, 2))
GOOD_ZH = (
    ("seeker", "妹妹上周搬走了，家里安静得让人难受。", None, 4),
    ("supporter", "晚上回到家的时候，你最想念的是什么？", "question", None),
    ("seeker", "是声音吧，她做饭时总是放着音乐。", None, 4),
    ("supporter", "这么想念她的音乐，说明你们感情很深。", "affirmation", None),
    ("seeker", "嗯，说出来以后心里轻松了一些。", None, 2))


def dialogue(turns=GOOD_EN, name="d", language="en", facts=(), situation="My sister left our flat. I miss her.",
             stop_reason="want_to_stop", qc=None, strategies=SET) -> Dialogue:
    """A dialogue from (role, text, strategy, intensity) rows; rows may be shorter."""
    made = []
    for row in turns:
        role, text, strategy, intensity = (*row, None, None)[:4]
        private = Private("sad", intensity, level=float(intensity)) if intensity is not None else None
        made.append(Turn(len(made), role, text, strategy, None, private, {}))
    scenario = Scenario("s", "friends", "sadness", 4, situation, language=language)
    card = SeekerCard("c", "s", hidden_facts=tuple(facts)) if facts else None
    return Dialogue(name, scenario, card, strategies, tuple(made), stop_reason, language, "scored", qc=qc or {})


def said(*texts, strategies=(), name="d", language="en") -> Dialogue:
    """A dialogue whose supporter says these texts between short answers of the seeker."""
    keys = (*strategies, *[None] * len(texts))
    rows = [row for text, key in zip(texts, keys, strict=False)
            for row in (("seeker", f"Answer number {len(text)} of mine."), ("supporter", text, key))]
    return dialogue(rows, name, language)


def with_turn(base: Dialogue, place: int, text: str) -> Dialogue:
    """The dialogue with another text at one place."""
    turns = list(base.turns)
    turns[place] = dataclasses.replace(turns[place], text=text)
    return dataclasses.replace(base, turns=tuple(turns))


def kang(shared: Path) -> list[dict]:
    """The 1,611 samples of Kang et al."""
    return json.loads(real(shared, "kang2024_results.json").read_text(encoding="utf-8"))


def real(shared: Path, name: str) -> Path:
    """A real file; the test is skipped where it is not."""
    import pytest

    path = shared / "dialogue" / name
    if not path.exists():
        pytest.skip(f"{name} is not beside the project")
    return path


def failed_esconv(shared: Path) -> list[Dialogue]:
    """ESConv's published failures, messages of one speaker in a row joined."""
    return [_failed(i, item) for i, item in enumerate(json.loads(real(shared, "FailedESConv.json").read_text("utf-8")))]


def _failed(number: int, item: dict) -> Dialogue:
    turns: list[Turn] = []
    for message in item["dialog"]:
        role = "seeker" if message["speaker"] == "speaker" else "supporter"
        stars = message["annotation"].get("feedback")
        if turns and turns[-1].role == role:
            last = turns.pop()
            text, meta = f"{last.text} {message['content'].strip()}", dict(last.meta)
        else:
            text, meta = message["content"].strip(), {}
        turns.append(Turn(len(turns), role, text, meta={**meta, **({"feedback": stars} if stars else {})}))
    score = item["survey_score"]["seeker"]
    survey = {"initial": score.get("initial_emotion_intensity"), "final": score.get("final_emotion_intensity"),
              "empathy": score.get("empathy"), "relevance": score.get("relevance")}
    scenario = Scenario(f"f{number}", "p", "sad", 3, item["situation"] or "unknown")
    return Dialogue(f"f{number}", scenario, None, SET, tuple(turns), "imported", qc={"survey": survey})


def multiesc(shared: Path) -> list[Dialogue]:
    """195 real ESConv dialogues with merged turns and both intensities."""
    lines = real(shared, "multiesc_valid.jsonl").read_text("utf-8").splitlines()
    return [_multi(i, json.loads(line)) for i, line in enumerate(lines)]


def _multi(number: int, item: dict) -> Dialogue:
    turns = tuple(Turn(i, "supporter" if t["speaker"] == "sys" else "seeker", t["text"],
                       meta={"feedback": t["feedback"]} if t.get("feedback") else {})
                  for i, t in enumerate(item["dialog"]))
    survey = {"initial": item["init_intensity"] or None, "final": item["final_intensity"] or None}
    scenario = Scenario(f"m{number}", "p", "sad", 3, item["situation"] or "unknown")
    return Dialogue(f"m{number}", scenario, None, SET, turns, "imported", qc={"survey": survey})
