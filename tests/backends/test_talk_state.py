"""The state of a conversation, its commands and its export: values and files, no models."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from backends.blsp_emo import talking_commands as commands
from backends.blsp_emo.ser import EMOTIONS
from backends.blsp_emo.talking_export import packed, rows, sounds
from backends.blsp_emo.talking_requests import SelftestRequest, SelftestResult, TalkRequest, TalkResult
from backends.blsp_emo.talking_state import (
    Correction,
    Reply,
    Talk,
    Told,
    Turn,
    Vote,
    WhatIf,
    annotate,
    load_talk,
    save,
    summary,
    talk_from_json,
    talk_to_json,
)
from backends.common.speech.manifests import read_manifest
from tests.backends.talk_cases import wave, write
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.fields import from_json, to_json
from workbench.files import read_json, read_lines

BOTH = {"speech": to_json(Reply("I am sorry.", 90.0, 300.0, 4)),
        "cascade": to_json(Reply("All right.", 500.0, 700.0, 3))}
SAID = Turn(0, 1.0, done=True, audio="turn-001.wav", seconds=2.0, speech=(0.1, 1.9), transcript="The door is open.",
            words=({"text": "The", "start": 0.1, "end": 0.2},), emotion=Told({"sad": 0.7, "happy": 0.3}, "sad", "head"),
            replies=BOTH, sides=("cascade", "speech"), times={"vad_ms": 3.0, "total_ms": 900.0})
SILENT = Turn(1, 2.0, done=True, audio="turn-002.wav", seconds=1.0, silence=True)
BROKEN = Turn(2, 3.0, done=True, problem="x.wav is empty (0 bytes).")
TYPED = Turn(3, 4.0, by="text", done=True, transcript="Hi", replies={"speech": BOTH["speech"]}, sides=("speech",))
BUSY = Turn(4, 5.0, audio="turn-005.wav", transcript="Not yet")
TALK = Talk(applied=4, turns=(SAID, SILENT, BROKEN, TYPED), emotions=EMOTIONS, models={"speech": "bundled:x"})
EVERY = SAID.changed(vote=Vote("a", "cascade", 9.0), corrections=(Correction(8.0, "emotion", "happy", "sad"),),
                     what_if=(WhatIf("angry", "Oh!"),), notes=("mixed from 2 channels",))


@pytest.mark.parametrize("talk", [Talk(), TALK, TALK.changed(turns=(EVERY, BUSY), state="working", calibration={
    "neutral": [0.1] * 5, "clips": 2, "seconds": 3.0}, selftest={"passed": True, "checks": [], "at": 1.0},
    refused=({"command": 1, "do": "x", "why": "y"},))])
def test_a_conversation_survives_json(talk: Talk) -> None:
    value = json.loads(json.dumps(talk_to_json(talk)))
    assert talk_from_json(value) == talk and value["calibrated"] is (talk.calibration is not None)


def test_the_contract_with_the_page() -> None:
    """The names that the page reads; a change here is a change there."""
    value = talk_to_json(TALK.changed(turns=(EVERY,)))
    assert {"turns", "state", "applied", "opened", "refused", "calibrated", "calibration", "selftest", "models",
            "emotions", "hide", "cascade", "uncertain"} == set(value)
    turn = value["turns"][0]
    assert {"place", "at", "by", "done", "audio", "seconds", "speech", "notes", "silence", "problem", "transcript",
            "words", "emotion", "replies", "sides", "what_if", "vote", "corrections", "times"} == set(turn)
    assert set(turn["emotion"]) == {"chances", "label", "by"}
    assert set(turn["replies"]["speech"]) == {"text", "first_ms", "total_ms", "tokens", "finish", "voice", "dropped"}
    assert set(turn["vote"]) == {"choice", "side", "at"} and set(turn["what_if"][0]) == {"emotion", "text", "finish"}
    assert set(turn["corrections"][0]) == {"at", "field", "was", "now"}


def test_saving_and_loading(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    path = context.run / "artifacts" / "talk.json"
    assert load_talk(path) is None
    assert save(TALK, context) == TALK == load_talk(path)
    assert read_lines(context.run / "artifacts.jsonl") == [
        {"name": "talk.json", "path": "artifacts/talk.json", "kind": "talk"}]


@pytest.mark.parametrize("text", ["{", "[]", '{"turns": [{"nonsense": 1}]}', '{"turns": 7}', '{"mood": 1}', "null"])
def test_a_state_that_somebody_broke_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "talk.json"
    path.write_text(text)
    with pytest.raises(UserError, match="cannot be read"):
        loaded = load_talk(path)
        raise AssertionError(loaded)


@pytest.mark.parametrize(("applied", "opened", "places", "kept"), [
    (2, 0, (0, 1), (0, 1)), (1, 0, (0, 1), (0,)), (0, 0, (0,), ()), (0, 2, (-1, -2), (-1, -2)),
    (0, 1, (-1, -2), (-1,)), (3, 1, (-1, 0, 2), (-1, 0, 2)), (2, 1, (-1, 0, 2), (-1, 0))])
def test_what_was_cut_off_goes(applied: int, opened: int, places: tuple[int, ...], kept: tuple[int, ...]) -> None:
    talk = Talk(applied=applied, opened=opened, turns=tuple(Turn(place, 0.0) for place in places)).settled()
    assert tuple(turn.place for turn in talk.turns) == kept and all(turn.done for turn in talk.turns)


def test_turns_are_added_and_replaced() -> None:
    talk = Talk().with_turn(SAID).with_turn(TYPED)
    assert talk.turns == (SAID, TYPED)
    assert talk.with_turn(SILENT, 0).turns == (SILENT, TYPED) and talk.turns == (SAID, TYPED)


def test_the_reply_of_a_side() -> None:
    assert (SAID.reply("speech"), SAID.reply("cascade")) == ("I am sorry.", "All right.")
    assert TYPED.reply("cascade") == "I am sorry.", "a typed turn has one reply, which both histories know"
    assert SILENT.reply("speech") == "" and SAID.changed(replies={}).reply("cascade") == ""


def test_the_figures() -> None:
    cut = SAID.changed(replies={"speech": {**BOTH["speech"], "finish": "interrupted"}})
    talk = Talk(turns=(EVERY, SILENT, BROKEN, TYPED, SAID.changed(vote=Vote("a", "speech", 1.0)),
                       SAID.changed(vote=Vote("same", "same", 1.0)), cut))
    assert summary(talk) == TalkResult(7, 4, 1, 1, 1, 3, 1, 1, 1)
    assert summary(Talk()) == TalkResult(*[0] * 9)


def test_an_annotation_says_what_it_is_about(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    annotate(context, TALK, 0, "vote", choice="a", side="cascade", command=4)
    annotate(context, TALK, 0, "correction", field="transcript", was="x", now="y")
    first, second = read_lines(context.run / "artifacts" / "annotations.jsonl")
    assert (first["run"], first["turn"], first["audio"], first["emotion"]) == ("run", 0, "turn-001.wav", "sad")
    assert (first["kind"], first["choice"], first["side"], first["command"]) == ("vote", "a", "cascade", 4)
    assert (second["kind"], second["field"], second["was"], second["now"]) == ("correction", "transcript", "x", "y")
    assert first["at"] > 1e9 and first["transcript"] == "The door is open."


GOOD: list[dict[str, Any]] = [
    {"do": "say", "audio": "path:/x.wav"}, {"do": "say", "audio": "practice/a.flac"}, {"do": "say", "text": "Hi"},
    {"do": "correct", "turn": 0, "transcript": "Other words"}, {"do": "correct", "turn": 0, "emotion": "happy"},
    {"do": "correct", "turn": 0, "emotion": "sad"}, {"do": "correct", "turn": 3, "transcript": "Ho"},
    {"do": "what_if", "turn": 0, "emotion": "surprise"}, {"do": "vote", "turn": 0, "choice": "same"},
    {"do": "calibrate", "audio": []}, {"do": "calibrate", "audio": ["path:a", "practice"]}, {"do": "selftest"},
    {"do": "interrupt"}, {"do": "end"}]


@pytest.mark.parametrize("command", GOOD)
def test_commands_that_fit(command: dict[str, Any]) -> None:
    commands.check(TALK, command)
    commands.check(json.loads(json.dumps(talk_to_json(TALK))), command)


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "no command 'None'"), ({"do": "dance"}, "no command 'dance'"), ({"do": "say"}, "either audio or text"),
    ({"do": "say", "text": "a", "audio": "path:x"}, "either audio or text"), ({"do": "say", "text": " \n"}, "is empty"),
    ({"do": "say", "text": "x" * 2001}, "2,001 characters"), ({"do": "say", "text": 3}, "is empty"),
    ({"do": "say", "audio": "run:x"}, "must be a path:"), ({"do": "say", "audio": "practiced"}, "must be a path:"),
    ({"do": "correct", "turn": 0}, "changes nothing"), ({"do": "correct", "turn": 9}, "no turn 9"),
    ({"do": "correct", "turn": True, "transcript": "x"}, "no turn True"), ({"do": "correct"}, "no turn None"),
    ({"do": "correct", "turn": -1, "transcript": "x"}, "no turn -1"),
    ({"do": "correct", "turn": 0, "transcript": "The door  is open."}, "changes nothing"),
    ({"do": "correct", "turn": 0, "transcript": ""}, "is empty"),
    ({"do": "correct", "turn": 0, "emotion": "bored"}, "bored"),
    ({"do": "correct", "turn": 1, "emotion": "sad"}, "nothing was heard"),
    ({"do": "correct", "turn": 2, "emotion": "sad"}, "nothing was heard"),
    ({"do": "what_if", "turn": 0}, "no emotion named 'None'"),
    ({"do": "what_if", "turn": 1, "emotion": "sad"}, "nothing was"),
    ({"do": "vote", "turn": 0, "choice": "c"}, "choice is 'c'"),
    ({"do": "vote", "turn": 3, "choice": "a"}, "one reply"),
    ({"do": "vote", "turn": 0}, "choice is None"), ({"do": "calibrate"}, "list of up to 10"),
    ({"do": "calibrate", "audio": "path:x"}, "list of up to 10"),
    ({"do": "calibrate", "audio": ["path:x"] * 11}, "up to 10"),
    ({"do": "calibrate", "audio": ["hub:x"]}, "must be a path:")]


@pytest.mark.parametrize(("command", "words"), BAD)
def test_commands_that_do_not_fit(command: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        commands.check(TALK, command)


def test_commands_wait_for_the_answer_and_stop_at_the_end() -> None:
    busy = Talk(turns=(BUSY,))
    for do in ({"do": "vote", "choice": "a"}, {"do": "correct", "transcript": "x"},
               {"do": "what_if", "emotion": "sad"}):
        with pytest.raises(UserError, match="not answered yet"):
            commands.check(busy, {**do, "turn": 0})
    for command in GOOD:
        with pytest.raises(UserError, match="has ended"):
            commands.check(TALK.changed(state="ended"), command)
    with pytest.raises(UserError, match="has its vote"):
        commands.check(Talk(turns=(EVERY,)), {"do": "vote", "turn": 0, "choice": "a"})
    with pytest.raises(UserError, match="words of this turn are not known"):
        commands.check(Talk(turns=(SAID.changed(transcript=""),)), {"do": "what_if", "turn": 0, "emotion": "sad"})


def test_a_person_may_agree_with_the_head_once() -> None:
    assert commands.corrected(SAID, {"emotion": "sad"}) == {"emotion": ("sad", "sad")}
    agreed = SAID.changed(emotion=Told({}, "sad", "person"))
    with pytest.raises(UserError, match="changes nothing"):
        commands.corrected(agreed, {"emotion": "sad"})


def test_words_lose_what_cannot_be_printed() -> None:
    assert commands.words(" a\x00b\x1b[31m\n c\u2028d ") == "ab[31m c d"
    assert commands.words("早上好 😀") == "早上好 😀"


@pytest.mark.parametrize(("fields", "words"), [
    ({"emotions": ()}, "emotions"), ({"emotions": ("sad", "bored")}, "bored"), ({"emotions": ("sad", "sad")}, "twice"),
    ({"uncertain": 1.5}, "uncertain"), ({"max_new_tokens": 0}, "max_new_tokens"), ({"temperature": -1.0}, "temperat"),
    ({"seed": -1}, "seed"), ({"clips": ("a",) * 101}, "clips")])
def test_requests_are_checked(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        TalkRequest(**fields)
    assert from_json(TalkRequest, to_json(TalkRequest(emotions=("sad",)))) == TalkRequest(emotions=("sad",))
    assert SelftestRequest().first == "practice" and from_json(SelftestResult, {"passed": True, "checks": []}).passed


@pytest.fixture
def run(tmp_path: Path) -> Path:
    context = MemoryContext(tmp_path / "run")
    voiced = SAID.changed(replies={**BOTH, "cascade": {**BOTH["cascade"], "voice": "turn-001-a.wav"}})
    save(TALK.changed(turns=(voiced, SILENT, BROKEN, TYPED)), context)
    annotate(context, TALK, 0, "vote", choice="a", side="cascade")
    for name in ("turn-001.wav", "turn-002.wav", "turn-001-a.wav"):
        write(context.run / "artifacts" / name, wave(0)[:16_000])
    (context.run / "artifacts" / "other.txt").write_text("not of the conversation")
    return context.run


def test_the_export_is_one_zip_with_everything_and_nothing_else(run: Path) -> None:
    data = packed(run)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {"README.txt", "conversation.jsonl", "talk.json", "annotations.jsonl",
                                           "turn-001.wav", "turn-002.wav", "turn-001-a.wav"}
        assert archive.read("turn-001.wav") == (run / "artifacts" / "turn-001.wav").read_bytes()
        assert json.loads(archive.read("talk.json")) == read_json(run / "artifacts" / "talk.json", None)
        assert b"no diagnosis" in archive.read("README.txt")
    assert packed(run) == data, "the same conversation gives the same bytes"


def test_an_unpacked_export_is_a_data_set(run: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(packed(run))) as archive:
        archive.extractall(tmp_path / "out")
    made = read_manifest(tmp_path / "out" / "conversation.jsonl", "ser")
    assert [(row.audio, row.text, row.emotion) for row in made.rows] == [("turn-001.wav", "The door is open.", "sad")]
    assert made.faults == () and Path(made.source(made.rows[0])).is_file()
    again = read_manifest(tmp_path / "out" / "conversation.jsonl", "continuation").rows[0]
    assert again.output == "I am sorry." and again.early_stop is False


def test_rows_hold_corrections_and_no_guess_that_was_uncertain() -> None:
    unsure = SAID.changed(emotion=Told({"sad": 0.3}, "uncertain", "head"),
                          replies={"speech": {**BOTH["speech"], "finish": "length"}})
    person = SAID.changed(emotion=Told({"sad": 0.3}, "angry", "person"), transcript="Corrected.")
    found = rows(Talk(turns=(unsure, person, TYPED, SILENT)))
    assert [(row["text"], row["emotion"], row["emotion_by"], row["early_stop"]) for row in found] == [
        ("The door is open.", "", "head", True), ("Corrected.", "angry", "person", False)]
    assert [row["turn"] for row in found] == [0, 1]


def test_an_export_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Nothing has been said"):
        packed(tmp_path)
    context = MemoryContext(tmp_path / "run")
    save(Talk(), context)
    with pytest.raises(UserError, match="Nothing has been said"):
        packed(context.run)


def test_names_in_a_state_cannot_lead_elsewhere(run: Path) -> None:
    """A hand-edited talk.json must not pull other files of the machine into a zip."""
    evil = SAID.changed(audio="../../secret.wav", replies={"cascade": {**BOTH["cascade"], "voice": "/etc/passwd"}},
                        sides=("cascade",))
    assert sounds(Talk(turns=(evil,))) == []
