"""Where the time of a turn went: one bar a path, from the end of the sound to the last word of the reply.

The path that hears the voice is: finding speech, encoding it, first token, the rest; the path by the transcript:
finding speech, writing it down, first token, the rest. Both bars have one scale, so that they can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.contract import Json
from workbench.text import say
from workbench.widgets.loose import finite, table
from workbench.widgets.markup import element, esc

BEFORE = {"speech": ("vad", "encode"), "cascade": ("vad", "asr")}
"""What each path does before its language model begins, in order; the keys of ``times`` without ``_ms``."""


@dataclass(frozen=True)
class Path:
    """One path: (part, milliseconds) in order, milliseconds to the first token and to the last."""

    side: str
    parts: tuple[tuple[str, float], ...]
    first: float
    total: float


def paths(turn: Mapping[str, Json], sides: Sequence[str]) -> list[Path]:
    """The paths of a turn in the order of ``sides``, as far as they were measured.

    What the parts before the model do not explain of ``first_ms`` is the model's first token."""
    times, replies = table(turn.get("times")), table(turn.get("replies"))
    found = []
    for side in sides:
        first, total = table(replies.get(side)).get("first_ms"), table(replies.get(side)).get("total_ms")
        if side not in BEFORE or not finite(first) or not finite(total):
            continue
        before = [(name, float(ms)) for name in BEFORE[side] if finite(ms := times.get(f"{name}_ms")) and ms >= 0]
        token = max(0.0, first - sum(ms for _, ms in before))
        rest = max(0.0, total - first)
        found.append(Path(side, (*before, ("token", token), ("rest", rest)), float(first), float(total)))
    return found


def seconds(ms: float) -> str:
    """``412`` -> ``"0.41 s"``, ``18400`` -> ``"18.4 s"``."""
    return f"{ms / 1000:.2f} s" if ms < 10_000 else f"{ms / 1000:.1f} s"


def breakdown(turn: Mapping[str, Json], sides: Sequence[str], lang: str) -> str:
    """The bars of a turn with a legend; nothing where nothing was measured."""
    found = paths(turn, sides)
    longest = max((max(path.total, sum(ms for _, ms in path.parts)) for path in found), default=0.0)
    if longest <= 0:
        return ""
    rows = "".join(_row(path, longest, lang) for path in found)
    used = dict.fromkeys(name for path in found for name, ms in path.parts if ms > 0)
    legend = "".join(f'<span class="tk-t-{name}"><i></i>{esc(say(lang, f"speech_talk.time.{name}"))}</span>'
                     for name in used)
    return element("div", rows + element("p", legend, class_="tk-legend"), class_="tk-times")


def _row(path: Path, longest: float, lang: str) -> str:
    parts = "".join(element("i", "", class_=f"tk-t-{name}", style=f"width:{100 * ms / longest:.2f}%",
                            title=f"{say(lang, f'speech_talk.time.{name}')}: {seconds(ms)}")
                    for name, ms in path.parts if ms > 0)
    told = say(lang, "speech_talk.time.told", first=seconds(path.first), total=seconds(path.total))
    spoken = ", ".join(f"{say(lang, f'speech_talk.time.{name}')} {seconds(ms)}" for name, ms in path.parts)
    name = esc(say(lang, f"speech_talk.side.{path.side}.short"))
    return (f'<div class="tk-time"><span>{name}</span>'
            f'{element("span", parts, class_="tk-stack", role="img", aria_label=spoken)}<em>{esc(told)}</em></div>')


def waited(turn: Mapping[str, Json], lang: str) -> str:
    """How long the person waited, without saying for which path: for a vote that is still to be given."""
    times = table(turn.get("times"))
    first, total = times.get("first_ms"), times.get("total_ms")
    if not finite(first) or not finite(total):
        return ""
    return element("p", esc(say(lang, "speech_talk.time.waited", first=seconds(first), total=seconds(total))),
                   class_="tk-waited")
