"""How well emotions were told: the score beside chance and beside people, the confusion, every speaker, the remarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.contract import Json
from workbench.text import known, say
from workbench.widgets.loose import listed, table
from workbench.widgets.markup import element, esc, pairs
from workbench.widgets.speech_clips import emotion

FAULTS = 12
"""Rows left out that are told one by one on the page; the file has more."""
DARKEST = 45


@dataclass(frozen=True)
class Measure:
    """A share with its interval, where it has one."""

    name: str
    value: float
    interval: tuple[float, ...] = ()


@dataclass(frozen=True)
class Speaker:
    """One person: clips, share told right, mean recall."""

    name: str
    clips: int
    wa: float
    ua: float


def percent(share: float) -> str:
    """``79.6``; shares lie in [0, 1]."""
    return f"{100 * share:.1f}"


def verdict(measures: Sequence[Measure], chance: float, human: float, facts: Sequence[tuple[str, str]],
            lang: str) -> str:
    """The scores on one scale from 0 to 100 %, with a mark at chance and one at how well people do on voices alone."""
    rows = "".join(_measure(one, chance, human, lang) for one in measures)
    key = "".join(f'<span><i class="ss-{name}"></i>{esc(words)}</span>' for name, words in (
        ("chance", say(lang, "speech_set.chance", share=percent(chance))),
        ("human", say(lang, "speech_set.human", share=percent(human)))))
    told = element("p", esc(say(lang, "speech_set.human.help", share=percent(human))), class_="ss-note")
    return element("div", element("div", rows, class_="ss-measures", role="table",
                                  aria_label=say(lang, "speech_set.scores"))
                   + element("p", key, class_="ss-key") + told + pairs((esc(a), esc(b)) for a, b in facts),
                   class_="co ss")


def _measure(one: Measure, chance: float, human: float, lang: str) -> str:
    value = max(0.0, min(1.0, one.value))
    whisker, span = "", ""
    if len(one.interval) == 2:
        low, high = (max(0.0, min(1.0, end)) for end in one.interval)
        whisker = f'<i class="ss-span" style="left:{100 * low:.2f}%;width:{100 * max(0, high - low):.2f}%"></i>'
        span = f"{percent(low)} – {percent(high)}"
    marks = "".join(f'<i class="ss-{kind}" style="left:{100 * at:.2f}%"></i>'
                    for kind, at in (("chance", chance), ("human", human)))
    track = f'<span class="ss-scale"><i class="ss-fill" style="width:{100 * value:.2f}%"></i>{whisker}{marks}</span>'
    name = element("span", esc(say(lang, f"speech_set.measure.{one.name}")), role="rowheader",
                   title=say(lang, f"speech_set.measure.{one.name}.help"))
    figure = element("span", f"<b>{percent(one.value)} %</b><small>{esc(span)}</small>", role="cell",
                     class_="ss-figure")
    return element("div", name + figure + track, class_="ss-measure", role="row")


def remarks(warnings: Sequence[Mapping[str, Json]], lang: str) -> str:
    """What to know before believing the score."""
    items = "".join(element("li", esc(_words(warning, lang)), class_=f"ss-w-{'bad' if bad(warning) else 'mild'}")
                    for warning in warnings)
    return element("ul", items, class_="ss-remarks", role="note") if items else ""


def bad(warning: Mapping[str, Json]) -> bool:
    """Whether a warning says that the score flatters (the others say that it is not worth much)."""
    return warning.get("code") in ("leaky", "all", "seen")


def _words(warning: Mapping[str, Json], lang: str) -> str:
    key = f"speech_set.warning.{warning.get('code')}"
    values = {str(k): v for k, v in table(warning.get("values")).items()}
    if "names" in values:
        values["names"] = ", ".join(emotion(name, lang) if known(f"speech_set.emotion.{name}") else name
                                    for name in str(values["names"]).split(", "))
    return say(lang, key, **values) if known(key) else str(warning.get("text") or "")


def faults(rows: Sequence[Mapping[str, Json]], count: int, lang: str) -> str:
    """Rows and sounds that were left out, with the reason of each; nothing without any."""
    if not count:
        return ""
    items = "".join(element("li", f"<b>{esc(_where(row, lang))}</b> {esc(row.get('why') or '')}")
                    for row in rows[:FAULTS])
    more = element("li", esc(say(lang, "speech_set.faults.more", n=f"{count - len(rows[:FAULTS]):,}"))) if (
        count > len(rows[:FAULTS])) else ""
    title = element("summary", esc(say(lang, "speech_set.faults", n=f"{count:,}")))
    return element("details", title + element("ul", items + more), class_="ss-faults", open=True)


def _where(row: Mapping[str, Json], lang: str) -> str:
    return say(lang, "speech_set.line", n=row["line"]) if "line" in row else str(row.get("audio") or "")


def confusion(classes: Sequence[str], counts: Json, recall: Sequence[Json], cell: str, lang: str) -> str:
    """What was told (columns) of what (rows); every cell with clips is a button. The shade is its share of the row."""
    rows = [[int(n) if isinstance(n, int) and not isinstance(n, bool) and n >= 0 else 0 for n in listed(row)]
            for row in listed(counts)]
    if len(rows) != len(classes) or any(len(row) != len(classes) + 1 for row in rows):
        return ""
    columns = [place for place in range(len(classes) + 1)
               if any(row[place] for row in rows) or (place < len(classes) and any(rows[place]))]
    names = ["" if place == len(classes) else classes[place] for place in columns]
    head = element("td", esc(say(lang, "speech_set.corner")), class_="ss-corner") + "".join(
        element("th", esc(emotion(name, lang)), scope="col") for name in names) + element(
        "th", esc(say(lang, "speech_set.recall")), scope="col")
    told = [recall[i] if i < len(recall) else None for i in range(len(rows))]
    body = "".join(_row(name, names, [row[place] for place in columns], told[i], cell, lang)
                   for i, (name, row) in enumerate(zip(classes, rows, strict=True)) if sum(row))
    title = element("h4", esc(say(lang, "speech_set.confusion")))
    made = element("table", element("thead", element("tr", head)) + element("tbody", body))
    return element("div", title + element("div", made, class_="ss-confusion") + element(
        "p", esc(say(lang, "speech_set.confusion.help")), class_="ss-note"), class_="co ss")


def _row(truth: str, names: Sequence[str], counts: Sequence[int], recall: Json, cell: str, lang: str) -> str:
    total = sum(counts)
    cells = ""
    for told, count in zip(names, counts, strict=True):
        share, key = count / total, f"{truth}.{told}"
        words = say(lang, "speech_set.cell", truth=emotion(truth, lang), told=emotion(told, lang), n=count,
                    share=f"{100 * share:.0f}")
        inner = element("button", str(count), type="button", data_act="cell", data_key=key, data_focus=f"cell.{key}",
                        aria_pressed="true" if key == cell else "false", title=words,
                        aria_label=words) if count else "·"
        cells += element("td", inner, class_="ss-hit" if told == truth else "ss-miss",
                         style=f"--s:{DARKEST * share:.0f}%")
    told = f"{percent(recall)} %" if isinstance(recall, float | int) and not isinstance(recall, bool) else "–"
    return element("tr", element("th", esc(emotion(truth, lang)), scope="row") + cells
                   + element("td", told, class_="ss-recall"))


def speakers(found: Sequence[Speaker], chosen: str, human: float, lang: str) -> str:
    """Everybody's share told right, the worst first; a press narrows the list of clips to one."""
    if len(found) < 2:
        return ""
    rows = "".join(_speaker(one, chosen, human, lang) for one in sorted(found, key=lambda one: (one.ua, one.name)))
    title = element("h4", esc(say(lang, "speech_set.speakers", n=f"{len(found):,}")))
    head = element("div", f"<span></span><span></span><b>UA</b><b>WA</b><b>{esc(say(lang, 'speech_set.clips.n'))}</b>",
                   class_="ss-person ss-person-head")
    return element("div", title + element("div", head + rows, class_="ss-people"), class_="co ss")


def _speaker(one: Speaker, chosen: str, human: float, lang: str) -> str:
    name = element("button", esc(one.name or "–"), type="button", class_="wb-link", data_act="speaker",
                   data_key=one.name, data_focus=f"speaker.{one.name}",
                   aria_pressed="true" if chosen and one.name == chosen else "false")
    track = (f'<span class="ss-scale"><i class="ss-fill" style="width:{100 * max(0.0, min(1.0, one.ua)):.1f}%"></i>'
             f'<i class="ss-human" style="left:{100 * human:.1f}%"></i></span>')
    figures = f"<b>{percent(one.ua)}</b><span>{percent(one.wa)}</span><span>{one.clips:,}</span>"
    return element("div", name + track + figures, class_="ss-person")
