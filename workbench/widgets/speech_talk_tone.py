"""How something was said, as five bars with their numbers, and how that went over the turns of a conversation.

Nothing is told by colour alone: every bar has its name and number, a reading is a dot, one that a person gave a
square, an uncertain one a ring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.contract import Json
from workbench.text import say
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.markup import element, esc

EMOTIONS = ("neutral", "happy", "angry", "sad", "surprise")
UNCERTAIN = "uncertain"
HUMAN = 41.6
"""Percent of CREMA-D's 7,442 clips in which the majority of listeners, hearing the voice alone, chose the emotion that
was meant (six classes; counted in the published votes)."""
WIDTH, LEFT, RIGHT, TOP, ROW, BOTTOM = 330, 62, 8, 6, 22, 20
MOST, FEWEST = 40, 6
"""Turns that the chart shows at once, and the columns that it has at least."""


@dataclass(frozen=True)
class Reading:
    """What was heard in one turn: ``label`` is one of :data:`EMOTIONS`, ``uncertain`` or nothing; ``person``: a person
    said so."""

    chances: Mapping[str, float]
    label: str
    person: bool = False

    @property
    def top(self) -> str:
        """The likeliest emotion; nothing without chances."""
        return max(self.chances, key=lambda name: self.chances[name], default="")


def reading(turn: Mapping[str, Json]) -> Reading:
    """The reading of a turn of ``talk.json``; whatever a hand-edited file holds instead is left out."""
    told = table(turn.get("emotion"))
    chances = {name: min(1.0, max(0.0, float(value))) for name in EMOTIONS
               if finite(value := table(told.get("chances")).get(name))}
    label = str(told.get("label") or "")
    return Reading(chances, label if label in (*EMOTIONS, UNCERTAIN) else "", told.get("by") == "person")


def name_of(emotion: str, lang: str) -> str:
    """An emotion in the reader's language."""
    return say(lang, f"speech_talk.emotion.{emotion}") if emotion in (*EMOTIONS, UNCERTAIN) else emotion


def percent(share: float) -> str:
    """``0.714`` -> ``"71 %"``; below one percent it says so."""
    return "< 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def bars(found: Reading, uncertain: float, lang: str) -> str:
    """The label above, then one bar for every emotion that could be told; nothing where nothing was heard."""
    if not found.chances and not found.label:
        return ""
    head = element("p", _verdict(found, uncertain, lang), class_=f"tk-label tk-e-{found.label or UNCERTAIN}")
    rows = "".join(_bar(name, found, lang) for name in EMOTIONS if name in found.chances)
    return element("div", head + (element("div", rows, class_="tk-bars", role="img", aria_label=spoken(found, lang))
                                  if rows else ""), class_="tk-tone")


def _verdict(found: Reading, uncertain: float, lang: str) -> str:
    if found.person:
        return f"<b>{esc(name_of(found.label, lang))}</b> <span>{esc(say(lang, 'speech_talk.tone.person'))}</span>"
    if found.label == UNCERTAIN:
        told = say(lang, "speech_talk.tone.uncertain", share=percent(uncertain))
        return f"<b>{esc(name_of(UNCERTAIN, lang))}</b> <span>{esc(told)}</span>"
    share = percent(found.chances[found.label]) if found.label in found.chances else ""
    return f"<b>{esc(name_of(found.label, lang))}</b> <span>{esc(share)}</span>"


def _bar(name: str, found: Reading, lang: str) -> str:
    share, chosen = found.chances[name], name == found.label
    track = element("span", f'<i style="width:{100 * share:.1f}%"></i>', class_="tk-track")
    return (f'<div class="tk-bar tk-e-{name}{" tk-on" * chosen}"><span>{esc(name_of(name, lang))}</span>{track}'
            f"<em>{esc(percent(share))}</em></div>")


def spoken(found: Reading, lang: str) -> str:
    """The chances in words, the likeliest first, for those who hear the page."""
    order = sorted(found.chances, key=lambda name: -found.chances[name])
    return ", ".join(f"{name_of(name, lang)} {percent(found.chances[name])}" for name in order)


def trajectory(turns: Sequence[Mapping[str, Json]], lang: str) -> str:
    """Emotions down, turns to the right: darker where an emotion was likelier, a line through what was told.

    Nothing before the first turn with a reading; of a long conversation the last :data:`MOST` turns."""
    found = [(number, made) for number, turn in enumerate(turns, 1) if (made := reading(turn)).chances or made.label]
    found = found[-MOST:]
    if not found:
        return ""
    step = (WIDTH - LEFT - RIGHT) / max(FEWEST, len(found))
    cells = "".join(_column(place, made, step) for place, (_, made) in enumerate(found))
    points = [(_x(place, step), _y(row)) for place, (_, made) in enumerate(found) if (row := _row(made)) is not None]
    path = f'<path class="tk-way" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>' if len(points) > 1 else ""
    marks = "".join(_mark(place, number, made, step, lang) for place, (number, made) in enumerate(found))
    told = "; ".join(f"{number}: {name_of(made.label, lang)}" for number, made in found)
    svg = element("svg", _frame(found, step, lang) + cells + path + marks, role="img", class_="tk-course",
                  viewBox=f"0 0 {WIDTH} {TOP + ROW * len(EMOTIONS) + BOTTOM}",
                  aria_label=say(lang, "speech_talk.course.label", told=told))
    return svg + element("p", _key(found, lang), class_="tk-key")


def _x(place: int, step: float) -> float:
    return LEFT + (place + 0.5) * step


def _y(row: int) -> float:
    return TOP + (row + 0.5) * ROW


def _row(made: Reading) -> int | None:
    """The row of what was told; of an uncertain reading the likeliest one."""
    name = made.label if made.label in EMOTIONS else made.top
    return EMOTIONS.index(name) if name in EMOTIONS else None


def _column(place: int, made: Reading, step: float) -> str:
    left = LEFT + place * step
    return "".join(f'<rect class="tk-cell" x="{left + .5:.1f}" y="{TOP + row * ROW + .5:.1f}" width="{step - 1:.1f}" '
                   f'height="{ROW - 1}" style="opacity:{0.04 + 0.5 * made.chances[name]:.2f}"/>'
                   for row, name in enumerate(EMOTIONS) if name in made.chances)


def _mark(place: int, number: int, made: Reading, step: float, lang: str) -> str:
    row = _row(made)
    if row is None:
        return ""
    x, y = _x(place, step), _y(row)
    title = f"<title>{number} · {esc(name_of(made.label, lang))}: {esc(spoken(made, lang))}</title>"
    if made.person:
        return f'<rect class="tk-mark" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8">{title}</rect>'
    kind = "tk-ring" if made.label == UNCERTAIN else "tk-mark"
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4">{title}</circle>'


def _frame(found: Sequence[tuple[int, Reading]], step: float, lang: str) -> str:
    rows = "".join(f'<text x="{LEFT - 6}" y="{_y(row) + 4:.1f}" text-anchor="end">{esc(name_of(name, lang))}</text>'
                   f'<path d="M{LEFT} {TOP + (row + 1) * ROW}H{WIDTH - RIGHT}"/>' for row, name in enumerate(EMOTIONS))
    every = max(1, -(-len(found) // 10))
    foot = TOP + ROW * len(EMOTIONS) + 14
    turns = "".join(f'<text x="{_x(place, step):.1f}" y="{foot}" text-anchor="middle">{number}</text>'
                    for place, (number, _) in enumerate(found) if place % every == 0)
    return f'<g class="tk-frame">{rows}{turns}</g>'


def _key(found: Sequence[tuple[int, Reading]], lang: str) -> str:
    """What the marks mean, as far as they occur."""
    shapes = [("told", '<circle class="tk-mark" cx="6" cy="6" r="4"/>', any(
                  made.label in EMOTIONS and not made.person for _, made in found)),
              ("uncertain", '<circle class="tk-ring" cx="6" cy="6" r="4"/>', any(
                  made.label == UNCERTAIN for _, made in found)),
              ("person", '<rect class="tk-mark" x="2" y="2" width="8" height="8"/>', any(
                  made.person for _, made in found))]
    return "".join(f'<span><svg viewBox="0 0 12 12" aria-hidden="true">{shape}</svg>'
                   f'{esc(say(lang, f"speech_talk.course.{name}"))}</span>' for name, shape, occurs in shapes if occurs)


def human(lang: str) -> str:
    """The figure that stands beside every emotion that a machine tells: how often people agree on a voice."""
    return element("p", esc(say(lang, "speech_talk.human", share=f"{HUMAN:.1f} %")), class_="tk-human")


def allowed(talk: Mapping[str, Json]) -> tuple[str, ...]:
    """The emotions that a conversation may tell, in the published order; all where it does not say."""
    named = [name for name in EMOTIONS if name in listed(talk.get("emotions"))]
    return tuple(named) or EMOTIONS


def counted(talk: Mapping[str, Json]) -> dict[str, int]:
    """How often each label was told, for the head of the page."""
    found = [reading(turn).label for turn in tables(talk.get("turns"))]
    return {name: found.count(name) for name in (*EMOTIONS, UNCERTAIN) if name in found}
