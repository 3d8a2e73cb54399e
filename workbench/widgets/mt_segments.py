"""The segments of a comparison: the table with its filter, and one segment opened with differences marked.

A press or field sends ``open`` of a segment's number, ``page`` of an offset, ``search`` with a value, ``unchip`` of
``pair``, ``search`` or ``bucket``, ``sort``, ``against`` and ``unit`` with a value, ``step`` by the keys j and k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.text import say
from workbench.widgets.markup import element, esc
from workbench.widgets.mt_scores import metric_name, pager

PAGE = 50
SNIPPET = 220
SORTS = ("spread", "index")
LONGEST = 20_000
"""Characters of one text that are shown."""


SHOW = """
let last = '';
new MutationObserver(() => {
  const head = element.querySelector('.mt-read-head h4'), now = head ? head.textContent : '';
  if (now && now !== last && matchMedia('(max-width: 900px)').matches) element.scrollIntoView({block: 'start'});
  last = now;
}).observe(element, {childList: true, subtree: true});
"""
"""Brings a segment into view that was opened where it stands below the list."""


@dataclass(frozen=True)
class Line:
    """One segment of the table: its number from 0, its text, two named scores and how far apart they are."""

    index: int
    text: str
    first: str
    first_score: float
    second: str
    second_score: float
    spread: float


@dataclass(frozen=True)
class Listing:
    """One page: ``shown`` of ``total`` segments pass the filter, ``chips`` are (key, text) of what it holds;
    ``pair`` are the names of the two systems that are looked at, if any."""

    lines: tuple[Line, ...]
    offset: int
    shown: int
    total: int
    metric: str
    sort: str
    search: str
    chips: tuple[tuple[str, str], ...]
    pair: tuple[str, str] | None
    opened: int | None


def table(of: Listing, lang: str) -> str:
    """The filter's bar, the page and its pager."""
    bar = _bar(of, lang)
    if not of.lines:
        return element("div", bar + element("p", esc(say(lang, "translation_compare.segments.none")), class_="co-dim"),
                       class_="co mt")
    first, second = of.pair or (say(lang, "translation_compare.best"), say(lang, "translation_compare.worst"))
    spread = say(lang, "translation_compare.difference" if of.pair else "translation_compare.spread")
    heads = [("#", "co-v"), (say(lang, "translation_compare.text"), ""), (first, "mt-who"), (second, "mt-who"),
             (spread, "co-v")]
    head = "".join(element("th", element("bdi", esc(text)), scope="col", class_=kind or None) for text, kind in heads)
    body = "".join(_line(line, of) for line in of.lines)
    inner = element("table", element("thead", element("tr", head)) + element("tbody", body))
    told = element("p", esc(say(lang, "translation_compare.segments.by", metric=metric_name(of.metric))),
                   class_="co-dim")
    return element("div", bar + element("div", inner, class_="co-table", data_keys="list", tabindex="0",
                                        aria_label=say(lang, "translation_compare.segments"))
                   + pager(of.offset, len(of.lines), of.shown, PAGE, "page", lang) + told, class_="co mt mt-segments")


def _bar(of: Listing, lang: str) -> str:
    counted = element("span", esc(say(lang, "translation_compare.segments.count", shown=f"{of.shown:,}",
                                      total=f"{of.total:,}")), class_="co-count", role="status")
    search = element("input", "", type="search", value=of.search, data_act="search", data_focus="search",
                     placeholder=say(lang, "translation_compare.search"), maxlength=200,
                     aria_label=say(lang, "translation_compare.search"))
    options = "".join(element("option", esc(say(lang, f"translation_compare.sort.{name}")), value=name,
                              selected=name == of.sort) for name in SORTS)
    sort = element("select", options, data_act="sort", data_focus="sort",
                   aria_label=say(lang, "translation_compare.sort"))
    chips = "".join(element("button", esc(text) + ' <i aria-hidden="true">×</i>', type="button", class_="co-chip",
                            data_act="unchip", data_key=key, data_focus=f"chip.{key}",
                            aria_label=say(lang, "translation_compare.chip.remove", name=text))
                    for key, text in of.chips)
    return element("div", counted + search + sort + element("div", chips, class_="co-chips"), class_="co-bar mt-tools")


def _line(line: Line, of: Listing) -> str:
    opened = line.index == of.opened
    text = element("button", esc(line.text[:SNIPPET]) or "–", type="button", class_="co-open", data_act="open",
                   data_key=line.index, data_focus=f"open.{line.index}", dir="auto",
                   aria_current="true" if opened else None)

    def who(name: str, score: float) -> str:
        named = "" if of.pair else f"<bdi>{esc(name)}</bdi> "
        return element("td", f"{named}<b>{score:.1f}</b>", class_="mt-who")
    cells = element("td", f"{line.index + 1:,}", class_="co-v co-dim") + element("td", text)
    cells += who(line.first, line.first_score) + who(line.second, line.second_score)
    spread = f"{line.spread:+.1f}" if of.pair else f"{line.spread:.1f}"
    return element("tr", cells + element("td", spread, class_="co-v"), class_="co-opened" if opened else None)


@dataclass(frozen=True)
class Text:
    """One text of an opened segment. ``pieces`` are (kind, text) with kind ``same``, ``added`` or ``removed``, against
    the text chosen; empty where nothing is marked."""

    key: str
    name: str
    role: str
    text: str
    score: float | None = None
    pieces: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Opened:
    """A segment: its texts, which of them the others are marked against, and by what unit."""

    index: int
    total: int
    domain: str
    texts: tuple[Text, ...]
    against: str
    unit: str
    plain: bool = False


def reader(of: Opened, lang: str) -> str:
    """The opened segment."""
    title = say(lang, "translation_compare.segment", n=f"{of.index + 1:,}", total=f"{of.total:,}")
    domain = element("span", esc(of.domain)) if of.domain else ""
    against = "".join(element("option", esc(text.name), value=text.key, selected=text.key == of.against)
                      for text in of.texts if text.role != "source")
    none = element("option", esc(say(lang, "translation_compare.against.none")), value="none",
                   selected=of.against == "none")
    choose = element("label", esc(say(lang, "translation_compare.against")) + " " + element(
        "select", against + none, data_act="against", data_focus="against"), class_="mt-against")
    units = "".join(element("button", esc(say(lang, f"translation_compare.unit.{name}")), type="button",
                            data_act="unit", data_key=name, data_focus=f"unit.{name}",
                            aria_pressed=str(name == of.unit).lower()) for name in ("word", "char"))
    head = element("div", element("h4", esc(title)) + domain + choose
                   + element("span", units, class_="co-shows", role="group"), class_="mt-read-head")
    note = element("p", esc(say(lang, "translation_compare.long")), class_="co-dim") if of.plain else ""
    body = "".join(_text(text, of.against, lang) for text in of.texts)
    key = (f'<p class="co-dim mt-key"><ins>{esc(say(lang, "translation_compare.added"))}</ins> '
           f'<del>{esc(say(lang, "translation_compare.removed"))}</del></p>')
    return element("div", head + note + body + key, class_="co mt mt-reader")


def _text(text: Text, against: str, lang: str) -> str:
    score = element("b", f"{text.score:.1f}") if text.score is not None else ""
    role = say(lang, f"translation_compare.role.{text.role}")
    name = element("header", element("span", esc(role), class_="mt-role") + element("bdi", esc(text.name)) + score)
    inner = "".join(_piece(kind, part) for kind, part in text.pieces) if text.pieces else esc(text.text[:LONGEST])
    if not text.text.strip():
        inner = element("i", esc(say(lang, "translation_compare.empty.segment")))
    if len(text.text) > LONGEST:
        inner += "…"
    return element("article", name + element("p", inner, dir="auto"),
                   class_=f"mt-text mt-is-{text.role}" + (" mt-against-this" if text.key == against else ""))


def _piece(kind: str, text: str) -> str:
    tag = {"added": "ins", "removed": "del"}.get(kind)
    return element(tag, esc(text)) if tag else esc(text)


@dataclass(frozen=True)
class Gram:
    """An n-gram that one system has right more often: how often, how often the other, and segments that show it."""

    text: str
    ahead: int
    behind: int
    segments: tuple[int, ...]


def ngrams(winner: str, loser: str, grams: Sequence[Gram], lang: str) -> str:
    """The n-grams of the references that the winner has right more often."""
    title = say(lang, "translation_compare.ngrams", winner=winner, loser=loser)
    rows = ""
    for gram in grams:
        places = " ".join(element("button", f"{place + 1:,}", type="button", class_="wb-link", data_act="open",
                                  data_key=place, aria_label=say(lang, "translation_compare.segment.open", n=place + 1))
                          for place in gram.segments)
        rows += element("tr", element("td", esc(gram.text), dir="auto") + element("td", str(gram.ahead), class_="co-v")
                        + element("td", str(gram.behind), class_="co-v") + element("td", places, class_="mt-places"))
    if not rows:
        return element("section", element("h5", esc(title), title=title) + element(
            "p", esc(say(lang, "translation_compare.ngrams.none")), class_="co-dim"), class_="mt-grams")
    heads = (("ngram", ""), ("ahead", "co-v"), ("behind", "co-v"), ("where", ""))
    head = "".join(element("th", esc(say(lang, f"translation_compare.head.{name}")), scope="col", class_=kind or None)
                   for name, kind in heads)
    table = element("table", element("thead", element("tr", head)) + element("tbody", rows))
    return element("section", element("h5", esc(title), title=title) + element("div", table, class_="co-table"),
                   class_="mt-grams")
