"""A sound to look at and to listen to: its wave, its mel spectrogram, and a player whose place runs over both.

The wave is drawn in the page's colours; the spectrogram is a small picture with a palette of its own, dark where it is
quiet. A press on either plays from there. One pane may hold any number of sounds; the one that begins stops the others.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from typing import Protocol

from workbench.text import say
from workbench.widgets.markup import element, esc

HEIGHT, TOP_HERTZ = 60, 8000
TICKS_HERTZ = (500, 1000, 2000, 4000)
COLOURS = ((10, 11, 40), (66, 24, 110), (140, 41, 99), (203, 71, 58), (240, 134, 21), (250, 202, 92), (252, 255, 214))
"""From the quietest to the loudest, evenly spaced; lightness rises throughout, so it reads without colour as well."""
PLAY = """{
const sound = (e) => e.target.closest && e.target.closest('.sw');
const show = (a) => {
  const s = a.closest('.sw');
  if (!s) return;
  const share = a.duration > 0 ? Math.min(1, a.currentTime / a.duration) : 0;
  for (const line of s.querySelectorAll('.sw-now')) {
    line.style.left = (100 * share) + '%';
    line.hidden = !a.currentTime;
  }
};
const run = (a) => { show(a); if (!a.paused && a.isConnected) requestAnimationFrame(() => run(a)); };
element.addEventListener('play', (e) => {
  document.querySelectorAll('audio').forEach((a) => { if (a !== e.target) a.pause(); });
  run(e.target);
}, true);
for (const name of ['seeked', 'pause', 'ended']) element.addEventListener(name, (e) => show(e.target), true);
element.addEventListener('click', (e) => {
  const box = e.target.closest && e.target.closest('[data-sw-seek]');
  const a = box && sound(e) && sound(e).querySelector('audio');
  if (!a || !(a.duration > 0)) return;
  const at = box.getBoundingClientRect();
  a.currentTime = a.duration * Math.max(0, Math.min(1, (e.clientX - at.left) / Math.max(1, at.width)));
  a.play();
});
}"""
"""``js_on_load`` of a ``gr.HTML`` that shows sounds; it may be added to another script of the same pane."""


class Drawn(Protocol):
    """What is drawn, as :func:`backends.common.speech.shown.picture` gives it: ``low`` and ``high`` of every column in
    [-1, 1]; ``mel`` rows from low to high pitch, whole numbers from 0 to 255, or nothing."""

    @property
    def seconds(self) -> float:
        """Length of the sound."""

    @property
    def peak(self) -> float:
        """Largest sample."""

    @property
    def low(self) -> Sequence[float]:
        """Lowest sample of each column."""

    @property
    def high(self) -> Sequence[float]:
        """Highest sample of each column."""

    @property
    def mel(self) -> Sequence[Sequence[int]]:
        """The spectrogram."""


def sound(drawn: Drawn, lang: str, *, source: str = "", name: str = "") -> str:
    """Wave, spectrogram, axis of seconds and, where ``source`` is an address (``data:`` or of a run's file), a player.

    ``name`` is what the sound is called for those who cannot see it. The pane needs the script :data:`PLAY`."""
    told = say(lang, "speech_wave.label", name=name or say(lang, "speech_wave.sound"), seconds=f"{drawn.seconds:.1f}")
    now = '<i class="sw-now" hidden></i>'
    seek = {"data_sw_seek": True} if source else {}
    inner = element("div", wave_svg(drawn) + now, class_="sw-wave", role="img", aria_label=told, **seek)
    if drawn.mel:
        picture = element("img", "", src=mel_address(drawn.mel), alt=say(lang, "speech_wave.mel"), draggable="false")
        inner += element("div", picture + _hertz() + now, class_="sw-mel", **seek)
    inner += _seconds(drawn.seconds, lang)
    if drawn.peak < 1e-4:
        inner += element("p", esc(say(lang, "speech_wave.silent")), class_="sw-note")
    return element("div", inner + (player(source, name, lang) if source else ""), class_="sw")


def player(source: str, name: str, lang: str) -> str:
    """A player alone; nothing is loaded before it is pressed."""
    return element("audio", "", src=source, controls=True, preload="metadata" if source.startswith("data:") else "none",
                   aria_label=say(lang, "speech_wave.play", name=name or say(lang, "speech_wave.sound")))


def wave_svg(drawn: Drawn) -> str:
    """The wave as one filled shape on a scale of its own, so that a quiet recording can be seen as well."""
    columns, scale = len(drawn.high), max(drawn.peak, 1e-4)
    middle = HEIGHT / 2
    up = [(i + 0.5, middle - max(0.35, middle * value / scale)) for i, value in enumerate(drawn.high)]
    down = [(i + 0.5, middle - min(-0.35, middle * value / scale)) for i, value in enumerate(drawn.low)]
    points = " ".join(f"{x:g},{y:.1f}" for x, y in (*up, *reversed(down)))
    return (f'<svg viewBox="0 0 {max(1, columns)} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
            f'<polygon points="{points}"/></svg>')


def mel_address(mel: Sequence[Sequence[int]]) -> str:
    """The spectrogram as the address of a PNG, high pitches above; about 7 kB for 240 columns of 40 bands."""
    width, height = len(mel[0]), len(mel)
    rows = b"".join(b"\0" + bytes(max(0, min(255, value)) for value in row) for row in reversed(mel))
    data = (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
            + _chunk(b"PLTE", palette()) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b""))
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def palette() -> bytes:
    """256 colours, red green blue, evenly between :data:`COLOURS`."""
    steps = len(COLOURS) - 1
    made = bytearray()
    for level in range(256):
        place = level * steps / 255
        first = min(int(place), steps - 1)
        made += bytes(round(a + (b - a) * (place - first)) for a, b in zip(COLOURS[first], COLOURS[first + 1],
                                                                           strict=True))
    return bytes(made)


def wav_address(samples: bytes, rate: int) -> str:
    """Mono 16-bit samples (little-endian) as the address of a WAV file that a player takes."""
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2,
                       16, b"data", len(samples))
    return "data:audio/wav;base64," + base64.b64encode(head + samples).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _mel_place(hertz: float) -> float:
    """Share of the height below a frequency: mel = 2595 log10(1 + f / 700)."""
    return math.log10(1 + hertz / 700) / math.log10(1 + TOP_HERTZ / 700)


def _hertz() -> str:
    marks = "".join(f'<span style="bottom:{100 * _mel_place(hertz):.1f}%">'
                    f'{f"{hertz // 1000} kHz" if hertz >= 1000 else f"{hertz} Hz"}</span>' for hertz in TICKS_HERTZ)
    return element("div", marks, class_="sw-hertz", aria_hidden="true")


def _seconds(seconds: float, lang: str) -> str:
    """Marks at whole steps of 0.25, 0.5, 1, 2, 5, or 10 seconds, at most eight of them."""
    step = next((step for step in (0.25, 0.5, 1, 2, 5, 10, 30, 60) if seconds / step <= 8), 120)
    marks = "".join(f'<span style="left:{100 * number * step / seconds:.2f}%">{number * step:g}</span>'
                    for number in range(int(seconds / step) + 1)) if seconds > 0 else ""
    return element("div", marks + f"<em>{esc(say(lang, 'speech_wave.unit'))}</em>", class_="sw-seconds",
                   aria_hidden="true")
