"""Figures of training and evaluation as tables: value, interval, what they are compared with; scores by strategy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from workbench.contract import Json
from workbench.text import known
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.markup import element, esc

Say = Callable[..., str]
GUESS = math.log(8)
"""Nats of a strategy guessed among eight."""


def number(value: Json) -> str:
    """A figure in at most four digits with a real minus sign; a dash for what is not known."""
    if not finite(value):
        return "–"
    shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}" if abs(value) >= 10 else f"{value:.3f}"
    return shown.replace("-", "\u2212")


def interval(low: Json, high: Json) -> str:
    """``[.24, .27]`` of a bootstrap; empty where there is none."""
    return f"[{number(low)}, {number(high)}]" if finite(low) and finite(high) else ""


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], marked: int = -1) -> str:
    """A table of cells of HTML; the first cell of a row names it, the row ``marked`` stands out."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(f'<tr{" class=tr-kept" * (place == marked)}><th scope="row">{row[0]}</th>'
                   + "".join(f"<td>{cell}</td>" for cell in row[1:]) + "</tr>" for place, row in enumerate(rows))
    return f'<div class="tr-grid"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def measurements(result: Mapping[str, Json], say: Say) -> str:
    """What was measured on held-out dialogues while an agent was trained, one line a measurement; the kept one is
    marked. Without held-out dialogues, a sentence that says so."""
    rows = tables(result.get("measured"))
    if not rows:
        return element("p", esc(say("train.unmeasured")), class_="tr-note")
    kept = [place for place, row in enumerate(rows) if row.get("step") == result.get("kept_step")]
    strategies = any(finite(row.get("strategy_nats")) for row in rows)
    names = ["step", "perplexity", *(["strategy_nats"] if strategies else []), "loss"]
    cells = [[number(row.get(name)) if name != "step" else esc(row.get("step", "")) for name in names] for row in rows]
    words = say("train.measured.help", count=result.get("held_out", 0), guess=f"{GUESS:.2f}")
    return (grid([esc(say(f"train.measured.{name}")) for name in names], cells, kept[-1] if kept else -1)
            + element("p", esc(words), class_="tr-note"))


def classified(result: Mapping[str, Json], labels: Mapping[str, str], say: Say, *, baseline: bool) -> str:
    """A classifier's figures beside the majority's and, for one that reads histories, those of the last turn alone;
    then the F1 of every strategy."""
    names = ["majority", *(["last_turn"] if baseline else [])]
    rows = [[esc(_name(str(row.get("name")), say)), number(row.get("value")),
             esc(interval(row.get("low"), row.get("high"))), *(number(row.get(name)) for name in names)]
            for row in tables(result.get("figures"))]
    if not rows:
        return ""
    head = ["", esc(say("train.classified.value")), esc(say("train.interval")),
            *(esc(say(f"train.classified.{name}")) for name in names)]
    each = [(labels.get(str(key), str(key)), float(value)) for key, value in table(result.get("each")).items()
            if finite(value)]
    words = say("train.classified.help", dialogues=result.get("dialogues", 0), turns=result.get("turns", 0),
                bias=number(result.get("bias")))
    return (grid(head, rows) + element("p", esc(words), class_="tr-note")
            + element("h4", esc(say("train.each"))) + shares(each) + notes(result.get("warnings")))


def evaluated(result: Mapping[str, Json], labels: Mapping[str, str], say: Say, gloss: Callable[[str], str]) -> str:
    """Every figure of an evaluation with interval, unit, number of turns and tokenizer, then the strategies."""
    figures = tables(result.get("figures"))
    marks = list(dict.fromkeys(str(note) for row in figures for note in listed(row.get("notes"))))
    rows = [_figure(row, marks, say, gloss) for row in figures]
    if not rows:
        return ""
    names = ("value", "unit", "items", "tokenizer")
    head = ["", esc(say("train.evaluated.value")), esc(say("train.interval")),
            *(esc(say(f"train.evaluated.{name}")) for name in names[1:])]
    used = [[esc(labels.get(str(row.get("key")), str(row.get("key")))), esc(row.get("gold", "")),
             esc(row.get("said", "")), number(row.get("f1")), number(row.get("preference"))]
            for row in tables(result.get("strategies"))]
    words = say("train.evaluated.help", dialogues=result.get("dialogues", 0), turns=result.get("turns", 0),
                mode=gloss(str(result.get("mode"))), asked=gloss(str(result.get("asked"))))
    told = "".join(f"<li><sup>{place}</sup> {esc(gloss(note))}</li>" for place, note in enumerate(marks, 1))
    return (element("p", esc(words), class_="tr-note") + grid(head, rows)
            + (f'<ol class="tr-marks">{told}</ol>' if told else "")
            + (grid(["", *(esc(say(f"train.use.{n}")) for n in ("gold", "said", "f1", "preference"))], used)
               if used else "") + notes([*listed(result.get("left_out")), *listed(result.get("warnings"))]))


def _figure(row: Mapping[str, Json], marks: Sequence[str], say: Say, gloss: Callable[[str], str]) -> list[str]:
    """The cells of one figure; its notes are marks, explained once below the table."""
    places = ", ".join(str(marks.index(str(note)) + 1) for note in listed(row.get("notes")))
    name = esc(_name(str(row.get("name")), say)) + (f" <sup>{places}</sup>" if places else "")
    return [name, number(row.get("value")), esc(interval(row.get("low"), row.get("high"))),
            esc(_name(str(row.get("unit")), say, "unit")), esc(row.get("items", "")),
            esc(gloss(str(row.get("tokenizer", ""))))]


def shares(values: Sequence[tuple[str, float]]) -> str:
    """Named values between 0 and 1 as bars on one scale."""
    rows = "".join(
        f'<li class="dt-bar"><span class="dt-barname" title="{esc(name)}">{esc(name)}</span><span class="dt-track">'
        f'<span class="dt-fill" style="width:{100 * min(1.0, max(0.0, value)):.1f}%"></span></span>'
        f'<span class="dt-num">{number(value)}</span></li>' for name, value in values)
    return f'<ol class="dt-counts">{rows}</ol>' if rows else ""


def notes(lines: Json) -> str:
    """What was left out or is to be minded, one line each."""
    rows = "".join(f"<li>{esc(line)}</li>" for line in listed(lines))
    return f'<ul class="tr-left">{rows}</ul>' if rows else ""


def _name(name: str, say: Say, kind: str = "figure") -> str:
    key = f"train.{kind}.{name}"
    return say(key) if known(key) else name
