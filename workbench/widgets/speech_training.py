"""Figures of training a model that hears: what the gate found, what was measured, what a finished model hears."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workbench.contract import Json
from workbench.widgets.bars import Bar, Value, bars
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.markup import element, esc, pairs
from workbench.widgets.measured import grid, number

Say = Callable[..., str]
NEEDED, CHANCE = 0.8, 0.2
"""Share of replies that must show the emotion that was asked for; and of five emotions guessed by lot."""


def percent(value: Json) -> str:
    """A share as whole percent; a dash for what was not measured (-1) or is no number."""
    return f"{100 * value:.0f} %" if finite(value) and value >= 0 else "–"


def note(words: str) -> str:
    """A line of explanation."""
    return element("p", esc(words), class_="tr-note")


def gate(report: Mapping[str, Json], names: Mapping[str, str], say: Say) -> str:
    """The gate: passed or why not, the share for each emotion against what is needed, and its own checks."""
    if not isinstance(report.get("passed"), bool):
        return ""
    passed = bool(report["passed"])
    verdict = say("speech.train.gate.passed") if passed else say("speech.train.gate.failed", why=report.get("why", ""))
    head = element("p", esc(verdict), class_=f"sn-verdict sn-is-{'done' if passed else 'failed'}")
    each = [Bar(names.get(str(name), str(name)), (Value(float(value)),))
            for name, value in table(report.get("by_emotion")).items() if finite(value)]
    chart = bars(each, line=NEEDED, label=say("speech.train.gate.chart")) if each else ""
    rows = [(esc(say(f"speech.train.gate.{name}")), percent(report.get(name)))
            for name in ("separated", "content", "classifier")]
    words = say("speech.train.gate.help", replies=report.get("replies", 0), pool=report.get("pool", 0))
    return head + chart + pairs(rows) + note(words)


def measurements(result: Mapping[str, Json], stage: int, say: Say) -> str:
    """What was measured on the validation speakers, one line a measurement; the kept one is marked."""
    rows = tables(result.get("measured"))
    if not rows:
        return note(say("speech.train.unmeasured"))
    names = ("response", *(("emotion", "accuracy") if stage == 2 else ()))
    head = [esc(say("speech.train.held.step")), *(esc(say(f"speech.train.held.{n}.{stage}" if n == "response" else
                                                          f"speech.train.held.{n}")) for n in names)]
    cells = [[esc(row.get("step", "")), *(percent(row.get(n)) if n == "accuracy" else number(row.get(n))
                                          for n in names)] for row in rows]
    kept = [place for place, row in enumerate(rows) if row.get("step") == result.get("kept_step")]
    return (grid(head, cells, kept[-1] if kept else -1)
            + note(say(f"speech.train.held.help.{stage}", count=result.get("held", 0))))


def heard(result: Mapping[str, Json], say: Say) -> str:
    """What a model hears against what its words alone tell, with intervals and the line of chance."""
    rows = []
    for name in ("heard", "told", "head"):
        value, span = result.get(name), listed(result.get(f"{name}_interval"))
        ends = (float(span[0]), float(span[1])) if len(span) == 2 and all(map(finite, span)) else (None, None)
        if finite(value):
            rows.append(Bar(say(f"speech.train.evaluated.{name}"), (Value(float(value), *ends),)))
    if not rows:
        return ""
    apart = result.get("reply_gap")
    more = [(esc(say("speech.train.evaluated.weighted")), percent(result.get("heard_weighted"))),
            (esc(say("speech.train.evaluated.gap")), number(result.get("gap"))),
            (esc(say("speech.train.evaluated.reply_gap")), number(apart) if finite(apart) and apart >= 0 else "–"),
            (esc(say("speech.train.evaluated.content", pool=result.get("content_pool", 0))),
             percent(result.get("content"))),
            (esc(say("speech.train.evaluated.contrast")), percent(result.get("contrast")))]
    return (bars(rows, line=CHANCE, label=say("speech.train.evaluated.chart")) + pairs(more)
            + note(say("speech.train.evaluated.help", clips=result.get("clips", 0))))


def confusion(counts: Json, names: Sequence[str], say: Say) -> str:
    """Clips by the emotion that was acted (rows) and the one that was heard (columns); nothing for another shape."""
    rows = [listed(row)[:len(names)] for row in listed(counts)]
    if len(rows) != len(names) or any(len(row) != len(names) or not all(map(finite, row)) for row in rows):
        return ""
    cells = [[esc(name), *(element("b", esc(n)) if here == there else esc(n) if n else "·"
                           for there, n in enumerate(row))]
             for here, (name, row) in enumerate(zip(names, rows, strict=True)) if sum(row)]
    head = [esc(say("speech.train.confusion.corner")), *map(esc, names)]
    return element("h4", esc(say("speech.train.confusion"))) + grid(head, cells) if cells else ""


def continuations(rows: Sequence[Mapping[str, Json]], names: Mapping[str, str], say: Say) -> str:
    """The first continuations: what was said, in which emotion, and what the language model answered."""
    lines = "".join(
        f'<li><b>{esc(row.get("text", ""))}</b>'
        + (element("i", esc(names.get(str(row["emotion"]), str(row["emotion"])))) if row.get("emotion") else "")
        + f'<span>{esc(row.get("output", ""))}{"…" if row.get("early_stop") is True else ""}</span></li>'
        for row in rows)
    title = element("h4", esc(say("speech.train.words.title")))
    return title + f'<ul class="sn-words">{lines}</ul>' if lines else ""


def faults(found: Json, say: Say) -> str:
    """Rows that were left out, by reason; nothing where none was."""
    rows = [(esc(reason), esc(count)) for reason, count in table(found).items()]
    return element("h4", esc(say("speech.train.faults"))) + pairs(rows) if rows else ""
