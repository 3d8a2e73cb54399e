"""The clips of a scored set: a list to go through by ear, and one of them opened with its wave and probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.text import say
from workbench.widgets.markup import element, esc
from workbench.widgets.mt_scores import pager

KINDS = ("wrong", "unsure", "right", "all")
SORTS = ("sure", "doubt", "index")
PAGE = 50


@dataclass(frozen=True)
class Line:
    """One clip of the list: its number from 0, what it is called, who speaks, the label, what was told (nothing: none
    of the emotions) with what probability, and whether that reaches the limit. One that is not ``scored`` was spent on
    the calibration."""

    index: int
    name: str
    text: str
    speaker: str
    truth: str
    told: str
    chance: float
    certain: bool
    scored: bool = True


@dataclass(frozen=True)
class Listing:
    """One page of the list, and how it was chosen: ``chips`` are (key, words) of what it is narrowed to."""

    lines: tuple[Line, ...]
    offset: int
    shown: int
    total: int
    kind: str
    sort: str
    search: str
    chips: tuple[tuple[str, str], ...]
    opened: int
    play: bool


def emotion(name: str, lang: str) -> str:
    """An emotion in the reader's language; a dash for none."""
    return say(lang, f"speech_set.emotion.{name}") if name else "–"


def table(of: Listing, lang: str) -> str:
    """The bar, the page of clips and its pager."""
    bar = _bar(of, lang)
    if not of.lines:
        none = "speech_set.none.wrong" if of.kind == "wrong" and not of.chips and not of.search else "speech_set.none"
        return element("div", bar + element("p", esc(say(lang, none)), class_="co-dim"), class_="co ss-clips")
    heads = [("#", "co-v"), (say(lang, "speech_set.clip"), ""), (say(lang, "speech_set.truth"), ""),
             (say(lang, "speech_set.told"), ""), (say(lang, "speech_set.speaker"), "ss-wide")]
    head = "".join(element("th", esc(words), scope="col", class_=kind or None) for words, kind in heads)
    body = "".join(_line(line, of, lang) for line in of.lines)
    inner = element("table", element("thead", element("tr", head)) + element("tbody", body))
    return element("div", bar + element("div", inner, class_="co-table", data_keys="list", tabindex="0",
                                        aria_label=say(lang, "speech_set.clips"))
                   + pager(of.offset, len(of.lines), of.shown, PAGE, "page", lang), class_="co ss-clips")


def _bar(of: Listing, lang: str) -> str:
    counted = element("span", esc(say(lang, "speech_set.count", shown=f"{of.shown:,}", total=f"{of.total:,}")),
                      class_="co-count", role="status")
    kinds = "".join(element("button", esc(say(lang, f"speech_set.kind.{kind}")), type="button", class_="wb-small",
                            data_act="kind", data_key=kind, data_focus=f"kind.{kind}",
                            aria_pressed="true" if kind == of.kind else "false") for kind in KINDS)
    options = "".join(element("option", esc(say(lang, f"speech_set.sort.{name}")), value=name,
                              selected=name == of.sort) for name in SORTS)
    sort = element("select", options, data_act="sort", data_focus="sort", aria_label=say(lang, "speech_set.sort"))
    search = element("input", "", type="search", value=of.search, data_act="search", data_focus="search",
                     placeholder=say(lang, "speech_set.search"), maxlength=200,
                     aria_label=say(lang, "speech_set.search"))
    play = element("button", esc(say(lang, "speech_set.play")), type="button", class_="wb-small", data_act="play",
                   data_focus="play", aria_pressed="true" if of.play else "false",
                   title=say(lang, "speech_set.play.help"))
    chips = "".join(element("button", esc(words) + ' <i aria-hidden="true">×</i>', type="button", class_="co-chip",
                            data_act="unchip", data_key=key, data_focus=f"chip.{key}",
                            aria_label=say(lang, "speech_set.chip.remove", name=words)) for key, words in of.chips)
    group = element("span", kinds, class_="ss-kinds", role="group", aria_label=say(lang, "speech_set.kind"))
    return element("div", counted + group + sort + search + play + element("div", chips, class_="co-chips"),
                   class_="co-bar ss-bar")


def _line(line: Line, of: Listing, lang: str) -> str:
    opened = line.index == of.opened
    words = (f'<i class="ss-ear" aria-hidden="true">▸</i>{esc(line.name)}'
             + (f" <small>{esc(line.text)}</small>" if line.text else ""))
    name = element("button", words, type="button", class_="co-open", data_act="open", data_key=line.index,
                   data_focus=f"open.{line.index}", aria_current="true" if opened else None)
    wrong = line.told != line.truth
    mark = "" if line.certain else element("small", " " + esc(say(lang, "speech_set.unsure")))
    told = element("b", esc(emotion(line.told, lang)), class_="ss-no" if wrong else "ss-yes") + (
        f" <span>{100 * line.chance:.0f} %</span>" + mark)
    if not line.scored:
        told = element("small", esc(say(lang, "speech_set.spent")))
    cells = element("td", f"{line.index + 1:,}", class_="co-v co-dim") + element("td", name)
    cells += element("td", esc(emotion(line.truth, lang))) + element("td", told, class_="ss-told")
    return element("tr", cells + element("td", esc(line.speaker or "–"), class_="ss-wide"),
                   class_="co-opened" if opened else None)


def reader(line: Line, total: int, chances: Mapping[str, float], uncertain: float, sound: str, place: Sequence[str],
           lang: str) -> str:
    """The opened clip: who says what, its sound (HTML), and the probabilities with the limit of "uncertain".

    ``place`` are the names of the emotions in their order."""
    title = element("h4", esc(say(lang, "speech_set.clip.of", n=f"{line.index + 1:,}", total=f"{total:,}")))
    facts = " · ".join(part for part in (line.name, line.speaker) if part)
    text = element("p", esc(line.text), class_="ss-said", dir="auto") if line.text else ""
    rows = "".join(_chance(name, chances.get(name, 0.0), uncertain, name == line.truth, name == line.told, lang)
                   for name in place)
    told = element("div", rows, class_="ss-chances", role="table", aria_label=say(lang, "speech_set.chances"))
    limit = element("p", esc(say(lang, "speech_set.limit", share=f"{100 * uncertain:.0f}")), class_="co-dim")
    return element("div", element("div", title + element("span", esc(facts)), class_="co-read-head") + text + sound
                   + told + limit, class_="co co-reader ss-reader")


def _chance(name: str, chance: float, uncertain: float, truth: bool, told: bool, lang: str) -> str:
    share = 100 * max(0.0, min(1.0, chance))
    marks = " ".join(esc(say(lang, f"speech_set.is.{key}")) for key, on in (("truth", truth), ("told", told)) if on)
    kind = "ss-is-right" if truth and told else "ss-is-truth" if truth else "ss-is-told" if told else None
    bar = (f'<span class="ss-track"><i style="width:{share:.1f}%"></i>'
           f'<u style="left:{100 * uncertain:.1f}%"></u></span>')
    return element("div", element("span", esc(emotion(name, lang)), role="rowheader") + bar
                   + element("b", f"{share:.0f} %", role="cell") + element("small", marks), role="row", class_=kind)
