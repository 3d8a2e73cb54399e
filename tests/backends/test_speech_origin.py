"""Who speaks in clips: voices of a program are told from people by the names that this project gives them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from backends.blsp_emo import reproduce_speech as made
from backends.common.speech import origin, practice


@pytest.mark.parametrize(("speaker", "expected"), [
    ("espeak-en-us.m5-170-50", True), ("flite-slt-170-50", True), ("espeak-", True), ("emodb_03", False), ("", False),
    ("espeak", False), ("Espeak-en", False), ("my-espeak-en", False), ("flitewick-1", False)])
def test_a_made_voice_is_named_after_its_program(speaker: str, expected: bool) -> None:
    assert origin.is_made(speaker) is expected


@pytest.mark.parametrize("voices", [made.LEARNED, made.UNHEARD, made.TESTED, made.TONED])
def test_every_voice_that_is_made_here_is_known_as_one(voices: tuple[made.Speaker, ...]) -> None:
    assert voices and all(origin.is_made(voice.title) for voice in voices)
    assert {voice.program for voice in voices} <= set(origin.PROGRAMS)


@pytest.mark.parametrize(("name", "expected"), [("said", "synthetic"), ("manifest", "real data"),
                                                ("english", "real data"), ("continuations", "real data")])
def test_the_practice_clips_are_people_and_the_example_of_a_conversation_is_not(name: str, expected: str) -> None:
    lines = (practice.FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    assert origin.provenance(json.loads(line)["speaker"] for line in lines) == expected


@pytest.mark.parametrize(("speakers", "expected"), [
    ([], "real data"), ([""], "real data"), (["espeak-a"], "synthetic"), (["espeak-a", "flite-b"], "synthetic"),
    (["espeak-a", ""], "real data"), (["ann", "espeak-a"], "real data")])
def test_data_is_synthetic_where_nobody_speaks(speakers: list[str], expected: str) -> None:
    assert origin.provenance(speakers) == expected


def test_no_more_speakers_are_asked_for_than_needed() -> None:
    def named() -> Iterator[str]:
        yield "espeak-a"
        yield "ann"
        raise AssertionError("the rest of a long list is not read")
    assert origin.provenance(named()) == "real data"
