"""The seeker's own state of one turn and its course over the dialogue: for the researcher's eyes only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from workbench.contract import Json

Say = Callable[..., str]
LEVELS = 5


def intensity(private: Json) -> int | None:
    """The intensity 1..5 of a private state, or nothing when it is absent or out of range."""
    value = private.get("intensity") if isinstance(private, Mapping) else None
    good = isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= LEVELS
    return round(value) if good else None  # type: ignore[arg-type]


def meter(level: int | None, label: str = "") -> str:
    """Five cells, filled up to ``level``."""
    cells = "".join(f'<i class="{"dt-on" if level is not None and i < level else ""}"></i>' for i in range(LEVELS))
    return f'<span class="dt-meter" role="img" aria-label="{escape(label, quote=True)}">{cells}</span>'


def strip(private: Json, facts: Sequence[str], say: Say) -> str:
    """Emotion, intensity, facts told in this turn and the wish to stop, marked as hidden from the other two."""
    if not isinstance(private, Mapping) or not private:
        return ""
    level, emotion = intensity(private), str(private.get("emotion") or "")
    reading = say("dialogue.private.intensity", level=level, levels=LEVELS) if level is not None else ""
    parts = [f'<div class="dt-feeling">{meter(level, reading)}<b>{escape(emotion)}</b>'
             f'<span class="dt-num">{escape(reading)}</span></div>']
    now = escape(say("dialogue.private.revealed"))
    for fact in _told(private.get("revealed"), facts):
        parts.append(f'<div class="dt-fact"><span>{now}</span> {escape(fact)}</div>')
    if private.get("want_to_stop"):
        parts.append(f'<div class="dt-flag">{escape(say("dialogue.private.want_to_stop"))}</div>')
    return (f'<div class="dt-private">{"".join(parts)}'
            f'<div class="dt-hidden">{escape(say("dialogue.private.hidden"))}</div></div>')


def _told(revealed: Json, facts: Sequence[str]) -> list[str]:
    """The texts of the revealed facts, which are named by their place in the card."""
    places = revealed if isinstance(revealed, list | tuple) else ()
    return [facts[place] for place in places if isinstance(place, int) and 0 <= place < len(facts)]


def course(turns: Sequence[Mapping[str, Json]], say: Say, *, width: int = 220, height: int = 44) -> str:
    """A small step line of the seeker's intensity over the dialogue, or nothing before two readings."""
    points = [(place, level) for place, turn in enumerate(turns)
              if (level := intensity(turn.get("private"))) is not None]
    if len(points) < 2:
        return ""
    last = max(points[-1][0], 1)
    xs = [4 + place / last * (width - 8) for place, _ in points]
    ys = [4 + (LEVELS - level) / (LEVELS - 1) * (height - 8) for _, level in points]
    path = f"M{xs[0]:.1f} {ys[0]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in zip(xs[1:], ys[1:], strict=True))
    grid = "".join(f'<line x1="0" x2="{width}" y1="{y:.1f}" y2="{y:.1f}"/>' for y in (4, height / 2, height - 4))
    label = escape(say("dialogue.private.course", first=points[0][1], last=points[-1][1]), quote=True)
    return (f'<svg class="dt-course" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
            f'<g class="dt-grid">{grid}</g><path d="{path}"/>'
            f'<circle cx="{xs[-1]:.1f}" cy="{ys[-1]:.1f}" r="2.6"/></svg>')
