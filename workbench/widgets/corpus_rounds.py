"""Rounds with a judge in the loop: figures of each round beside its control, and texts that wait for a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from workbench.contract import Json
from workbench.widgets.loose import finite, listed
from workbench.widgets.markup import element, esc
from workbench.widgets.measured import grid, number

Say = Callable[..., str]
FIGURES = ("f1", "auc", "precision_at_99", "recall_at_99")
COUNTS = ("judged", "found_toxic", "for_people")
LONGEST = 400
ANSWERS = ("toxic", "harmless", "unsure")


@dataclass(frozen=True)
class Round:
    """One round: ``figures`` and those of the ``control`` in the order of :data:`FIGURES`, ``gain`` in F1, ``counts``
    in the order of :data:`COUNTS`."""

    name: str
    figures: tuple[float | None, ...]
    control: tuple[float | None, ...]
    gain: float | None
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Judged:
    """One judged text: the judge's ``verdict`` (empty: none) with its raw answers, and what a person said."""

    place: int
    round: int
    text: str
    verdict: str
    answers: tuple[str, ...]
    person: str


def counted(value: Json) -> str:
    """A whole number with thousands marked; a dash for anything else."""
    return f"{value:,.0f}" if finite(value) else "–"


def rounds(rows: Sequence[Round], say: Say) -> str:
    """One line a round: its figures, in small letters those of the control (as many judged texts, drawn at random)."""
    control = any(value is not None for row in rows for value in row.control)
    lines = []
    for row in rows:
        cells = [number(value) + (f"<small>{number(other)}</small>" if other is not None else "")
                 for value, other in zip(row.figures, row.control, strict=True)]
        gain = "–" if row.gain is None else f"{row.gain:+.3f}".replace("-", "\u2212")
        lines.append([esc(row.name), *cells, *([gain] if control else []), *(f"{count:,}" for count in row.counts)])
    names = (*FIGURES, *(("gain",) if control else ()), *COUNTS)
    words = element("p", esc(say("label.rounds.help" if control else "label.rounds.alone")), class_="tr-note")
    table = grid(["", *(esc(say(f"label.rounds.{name}")) for name in names)], lines)
    return f'<h3>{esc(say("label.rounds.title"))}</h3>{words}<div class="cl-rounds">{table}</div>'


def queue(rows: Sequence[Judged], total: int, mine: bool, say: Say) -> str:
    """Judged texts with what the judge answered; where the run is ``mine``, with buttons for a person's answer."""
    if not rows:
        return f'<div class="dt">{element("p", esc(say("label.rounds.none")), class_="tr-note")}</div>'
    lines = "".join(_judged(row, mine, say) for row in rows)
    count = say("label.rounds.count", shown=len(rows), total=f"{total:,}")
    return (f'<section class="dt"><h4>{esc(say("label.rounds.queue"))}</h4><p class="tr-note" role="status">'
            f'{esc(count)}</p><ol class="cl-queue">{lines}</ol></section>')


def _judged(row: Judged, mine: bool, say: Say) -> str:
    votes = "".join(f"<code>{esc(answer[:120])}</code>" for answer in row.answers)
    verdict = say(f"label.value.{row.verdict}") if row.verdict else say("label.rounds.open")
    buttons = "".join(element("button", esc(say(f"label.value.{value}")), type="button", data_act=value,
                              data_key=row.place, aria_pressed=str(row.person == value).lower(), class_="cl-value")
                      for value in ANSWERS) if mine else ""
    cut = "…" if len(row.text) > LONGEST else ""
    return (f'<li><span class="cl-round">R{row.round} · {esc(say("label.rounds.said", verdict=verdict))}</span>'
            f'<p>{esc(row.text[:LONGEST])}{cut}</p><div class="cl-votes">{votes}</div>'
            f'<div class="cl-answers cl-others">{buttons}</div></li>')


def proposals(labels: Sequence[tuple[str, str, Sequence[Mapping[str, Json]]]], picks: Mapping[str, str],
              say: Say) -> str:
    """Proposed keywords by domain; each can be accepted or rejected. ``labels`` are (key, name, proposals)."""
    sections = []
    for key, name, found in labels:
        words = "".join(_proposal(key, row, picks.get(f"{key}|{row.get('word')}", ""), say) for row in found)
        if words:
            sections.append(f'<section><h4>{esc(name)}</h4><ul class="cl-words">{words}</ul></section>')
    if not sections:
        return element("p", esc(say("label.words.none")), class_="tr-note")
    accepted = sum(value == "accept" for value in picks.values())
    rejected = sum(value == "reject" for value in picks.values())
    count = say("label.words.count", accepted=accepted, rejected=rejected)
    return (f'<div class="dt cl-proposals"><h3>{esc(say("label.words.title"))}</h3>'
            f'<p class="tr-note">{esc(say("label.words.help"))}</p><p role="status">{esc(count)}</p>'
            f'<div class="cl-grid">{"".join(sections)}</div></div>')


def _proposal(key: str, row: Mapping[str, Json], decided: str, say: Say) -> str:
    word = str(row.get("word", ""))
    told = say("label.words.support", inside=counted(row.get("inside")), outside=counted(row.get("outside")),
               strength=f"{row['strength']:.1f}" if finite(row.get("strength")) else "–")
    buttons = "".join(element("button", "✓" if act == "accept" else "✕", type="button", data_act=act,
                              data_key=f"{key}|{word}", aria_pressed="true" if decided == act else "false",
                              aria_label=f"{say(f'label.words.{act}')}: {word}", class_=f"cl-{act}")
                      for act in ("accept", "reject"))
    example = str(row.get("example", ""))
    return (f'<li class="cl-is-{decided or "open"}" title="{esc(example)}"><b>{esc(word)}</b><small>{esc(told)}</small>'
            f'<span class="cl-decide">{buttons}</span></li>')


def changes(rows: Sequence[Mapping[str, Json]], say: Say, name_of: Callable[[str], str]) -> str:
    """Which texts have other labels than in the round before."""
    lines = []
    for row in rows:
        gained = "".join(f'<ins>+ {esc(name_of(str(one)))}</ins>' for one in listed(row.get("gained")))
        lost = "".join(f'<del>− {esc(name_of(str(one)))}</del>' for one in listed(row.get("lost")))
        text = str(row.get("snippet", row.get("text", "")))
        lines.append(f'<li><span class="cl-change">{gained}{lost}</span><p>{esc(text[:160])}</p></li>')
    return f'<ol class="cl-changes">{"".join(lines)}</ol>' if lines else ""
