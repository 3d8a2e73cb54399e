"""The wave and the spectrogram of a sound: what is drawn is what was heard, and the picture is a picture."""

from __future__ import annotations

import base64
import io
import re
import wave as wavefile
from itertools import pairwise

import numpy as np
import pytest

from backends.common.speech.shown import mel_filters, picture
from tests.panels.compare_cases import parsed
from workbench import text
from workbench.theme import stylesheet
from workbench.widgets import speech_wave

RATE = 16_000


def tone(pitch: float, seconds: float = 1.0, loud: float = 0.5) -> np.ndarray:
    return (loud * np.sin(2 * np.pi * pitch * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def pixels(address: str) -> np.ndarray:
    """The spectrogram read back as levels from 0 to 255, the highest pitch in the first row."""
    from PIL import Image

    kind, data = address.split(",", 1)
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.mode == "P"
        return np.asarray(image)


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_a_sound_is_drawn_whole_with_a_player(lang: str) -> None:
    address = speech_wave.wav_address(b"\0\0" * 100, RATE)
    html = speech_wave.sound(picture(tone(200)), lang, source=address, name='a"<b>')
    tags = parsed(html).tags
    names = [name for name, _ in tags]
    assert names.count("svg") == names.count("img") == names.count("audio") == 1
    audio = next(attributes for name, attributes in tags if name == "audio")
    assert audio["src"] == address and audio["preload"] == "metadata" and "autoplay" not in audio
    assert html.count("sw-now") == 2 and html.count("data-sw-seek") == 2
    assert 'a&quot;&lt;b&gt;' in html and "speech_wave." not in html


def test_without_an_address_there_is_nothing_to_press() -> None:
    html = speech_wave.sound(picture(tone(200), bands=0), "en")
    assert "audio" not in html and "data-sw-seek" not in html and "sw-mel" not in html and "<svg" in html


def test_a_sound_of_a_run_is_loaded_when_it_is_pressed() -> None:
    """A hundred bubbles must not fetch a hundred files."""
    assert 'preload="none"' in speech_wave.player("/workbench/runs/r/turn.wav", "turn 1", "en")


def test_silence_says_so() -> None:
    html = speech_wave.sound(picture(np.zeros(RATE, np.float32)), "en")
    assert "nothing to hear" in html and "nan" not in html.lower()
    assert "nothing to hear" not in speech_wave.sound(picture(tone(200, loud=0.01)), "en")


def test_the_wave_has_the_outline_of_the_sound() -> None:
    sound = np.concatenate([tone(200, 0.5, 0.1), tone(200, 0.5, 1.0)])
    svg = speech_wave.wave_svg(picture(sound, columns=10))
    points = [tuple(map(float, pair.split(","))) for pair in re.findall(r"[\d.]+,[\d.]+", svg)]
    assert len(points) == 20 and [x for x, _ in points[:10]] == [i + 0.5 for i in range(10)]
    heights = [30 - y for _, y in points[:10]]
    assert heights[7] == pytest.approx(30, abs=0.5) and heights[1] == pytest.approx(3, abs=0.5)
    assert [x for x, _ in points[10:]] == [i + 0.5 for i in range(9, -1, -1)], "back along the lower side"


def test_a_quiet_sound_is_as_high_as_a_loud_one() -> None:
    quiet, loud = (speech_wave.wave_svg(picture(tone(200, loud=level), columns=50)) for level in (0.01, 0.9))
    highest = [max(30 - float(y) for _, y in re.findall(r"([\d.]+),([\d.]+)", svg)) for svg in (quiet, loud)]
    assert highest[0] == pytest.approx(highest[1], abs=1.5)


@pytest.mark.parametrize(("pitch", "row"), [(150, "low"), (7000, "high")])
def test_pitch_goes_upwards(pitch: float, row: str) -> None:
    levels = pixels(speech_wave.mel_address(picture(tone(pitch)).mel)).mean(axis=1)
    loudest = int(levels.argmax())
    assert (loudest > len(levels) * 0.7) if row == "low" else (loudest < len(levels) * 0.3)


def test_the_picture_is_the_spectrogram_turned_over() -> None:
    drawn = picture(np.concatenate([tone(300, 0.5), tone(3000, 0.5)]), columns=60, bands=20)
    assert pixels(speech_wave.mel_address(drawn.mel)).tolist() == [list(row) for row in reversed(drawn.mel)]


def test_odd_levels_stay_inside_the_palette() -> None:
    assert pixels(speech_wave.mel_address([[-5, 300], [0, 255]])).tolist() == [[0, 255], [0, 255]]


def test_louder_is_lighter_all_the_way() -> None:
    colours = speech_wave.palette()
    assert len(colours) == 3 * 256
    light = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in zip(colours[::3], colours[1::3], colours[2::3],
                                                                    strict=True)]
    assert light[0] < 15 and light[-1] > 240
    assert all(after >= before - 0.6 for before, after in pairwise(light))


def test_a_picture_is_small() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)
    assert len(speech_wave.sound(picture(sound), "en")) < 45_000


def test_the_address_is_a_wav_that_can_be_read() -> None:
    samples = (tone(440, 0.25) * 32767).astype("<i2")
    address = speech_wave.wav_address(samples.tobytes(), RATE)
    with wavefile.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1]))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        assert np.array_equal(np.frombuffer(file.readframes(10**6), "<i2"), samples)


@pytest.mark.parametrize(("seconds", "marks"), [
    (0.3, ["0", "0.25"]),
    (1.7, ["0", "0.25", "0.5", "0.75", "1", "1.25", "1.5"]),
    (7.9, ["0", "1", "2", "3", "4", "5", "6", "7"]),
    (30.0, ["0", "5", "10", "15", "20", "25", "30"]),
    (900.0, ["0", "120"]),
])
def test_seconds_are_marked_at_whole_steps(seconds: float, marks: list[str]) -> None:
    html = speech_wave._seconds(seconds, "en")
    assert re.findall(r"%\">([\d.]+)<", html)[:len(marks)] == marks
    assert len(re.findall(r"<span", html)) <= 9


def test_hertz_stand_where_mel_puts_them() -> None:
    places = [speech_wave._mel_place(hertz) for hertz in (0, *speech_wave.TICKS_HERTZ, speech_wave.TOP_HERTZ)]
    assert places[0] == 0 and places[-1] == pytest.approx(1) and places == sorted(places)
    filters = mel_filters(40)
    for hertz, place in zip(speech_wave.TICKS_HERTZ, places[1:-1], strict=True):
        line = round(hertz / 40)
        band = int(filters[:, line].argmax())
        assert (band + 1) / 41 == pytest.approx(place, abs=0.04), "the mark is at the band that holds the tone"


def test_the_mel_scale_is_librosas() -> None:
    """Ours is drawn without librosa, which takes seconds to import; its scale must be the same one (HTK's)."""
    librosa = pytest.importorskip("librosa.core.convert")
    for hertz in (100.0, 500.0, 1000.0, 4000.0, 7900.0):
        share = librosa.hz_to_mel(hertz, htk=True) / librosa.hz_to_mel(8000.0, htk=True)
        assert speech_wave._mel_place(hertz) == pytest.approx(share, abs=1e-3)


def test_the_style_knows_every_class() -> None:
    html = speech_wave.sound(picture(np.zeros(RATE, np.float32)), "en", source="/x")
    used = set(re.findall(r"sw[\w-]*", " ".join(re.findall(r'class="([^"]*)"', html))))
    assert used >= {"sw", "sw-wave", "sw-mel", "sw-now", "sw-hertz", "sw-seconds", "sw-note"}
    assert all(f".{name}" in stylesheet() for name in used)
