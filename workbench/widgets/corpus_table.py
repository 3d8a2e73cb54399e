"""The list of documents: fifty rows with a snippet each, and the chips of the filter above it.

A row is one line that opens the document; only what the list shows is sent, never a whole text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.text import say
from workbench.widgets.corpus_bars import value_name
from workbench.widgets.corpus_numbers import amount, column_name, count, rule_name
from workbench.widgets.markup import element, esc

RULES = 3
"""Rules that a row names (ours)."""


@dataclass(frozen=True)
class Line:
    """One document: ``failed`` rules in order (empty for a kept one), ``values`` of the listed columns, and in the
    snippet the begin and end of what it is about (0, 0: nothing)."""

    place: int
    source: str
    number: int
    snippet: str
    failed: tuple[str, ...]
    domain: str
    values: tuple[float | None, ...]
    mark: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Listing:
    """One page of the list: ``columns`` are those of the values, ``sort`` is one of them, ``place`` or ``score``."""

    lines: tuple[Line, ...]
    columns: tuple[str, ...]
    shown: int
    offset: int
    limit: int
    sort: str
    descending: bool
    opened: int | None = None


def chips(held: Sequence[tuple[str, str]], lang: str) -> str:
    """What the filter holds, each with a cross: ``(key, text)``; nothing without a filter."""
    if not held:
        return ""
    made = "".join(element("button", esc(text) + ' <i aria-hidden="true">×</i>', type="button", class_="co-chip",
                           data_act="unchip", data_key=key, data_focus=f"chip.{key}",
                           aria_label=say(lang, "corpus.chip.remove", name=text)) for key, text in held)
    clear = element("button", esc(say(lang, "corpus.chip.clear")), type="button", class_="wb-link", data_act="clear")
    return element("div", made + clear, class_="co-chips", role="group", aria_label=say(lang, "corpus.chip.label"))


def counted(shown: int, total: int, digits: str, lang: str) -> str:
    """``123 of 600 documents (20.5 %) · filter 1a2b3c4d``: the sentence that every count of the page carries."""
    key = "corpus.count" if shown != total else "corpus.count.all"
    share = f"{100 * shown / total:.1f}" if total else "0"
    return element("span", esc(say(lang, key, shown=count(shown), total=count(total), share=share, filter=digits)),
                   class_="co-count", role="status")


def table(of: Listing, lang: str) -> str:
    """The page of the list; a sentence where nothing is shown."""
    if not of.lines:
        return element("div", element("p", esc(say(lang, "corpus.table.none")), class_="co-dim"), class_="co-table")
    heads = element("th", esc(say(lang, "corpus.table.text")), scope="col")
    heads += element("th", esc(say(lang, "corpus.table.rules")), scope="col")
    heads += element("th", esc(say(lang, "corpus.table.domain")), scope="col")
    heads += "".join(_head(column, of, lang) for column in of.columns)
    body = "".join(_line(line, of, lang) for line in of.lines)
    inner = element("table", element("thead", element("tr", _head("place", of, lang) + heads)) + element("tbody", body))
    return element("div", inner, class_="co-table", data_keys="list", tabindex="0", aria_label=say(
        lang, "corpus.table.label")) + _pager(of, lang)


def _head(column: str, of: Listing, lang: str) -> str:
    on = of.sort == column
    name = say(lang, "corpus.table.place") if column == "place" else column_name(column, lang)
    arrow = (" ↓" if of.descending else " ↑") if on else ""
    button = element("button", esc(name + arrow), type="button", data_act="sort", data_key=column,
                     data_focus=f"sort.{column}", title=say(lang, "corpus.table.sort", name=name))
    return element("th", button, scope="col", class_="co-v",
                   aria_sort=("descending" if of.descending else "ascending") if on else None)


def _line(line: Line, of: Listing, lang: str) -> str:
    opened = line.place == of.opened
    begin, end = line.mark
    about = f"<mark>{esc(line.snippet[begin:end])}</mark>" if end > begin else ""
    snippet = esc(line.snippet[:begin]) + about + esc(line.snippet[max(begin, end):])
    text = element("button", snippet.strip() or esc(say(lang, "corpus.table.empty")), type="button", class_="co-open",
                   data_act="open", data_key=line.place, data_focus=f"open.{line.place}", dir="auto",
                   title=f"{line.source}:{line.number}", aria_current="true" if opened else None)
    names = [element("span", esc(rule_name(rule, lang)), class_="co-tag co-bad") for rule in line.failed[:RULES]]
    if len(line.failed) > RULES:
        names.append(element("span", f"+{len(line.failed) - RULES}", class_="co-tag"))
    if not line.failed:
        names = [element("span", esc(say(lang, "corpus.kept")), class_="co-tag co-good")]
    values = "".join(element("td", esc(amount(value)), class_="co-v") for value in line.values)
    cells = element("td", count(line.place), class_="co-v co-dim") + element("td", text)
    cells += element("td", "".join(names), class_="co-tags")
    cells += element("td", esc(value_name("domains", line.domain, lang) if line.domain else "–"))
    return element("tr", cells + values, class_="co-opened" if opened else None)


def _pager(of: Listing, lang: str) -> str:
    last = of.offset + len(of.lines)
    place = element("span", esc(say(lang, "corpus.table.page", first=count(of.offset + 1), last=count(last),
                                    shown=count(of.shown))))
    back = element("button", esc(say(lang, "corpus.table.back")), type="button", class_="wb-small", data_act="page",
                   data_key=max(0, of.offset - of.limit), data_focus="page.back", disabled=of.offset == 0)
    on = element("button", esc(say(lang, "corpus.table.on")), type="button", class_="wb-small", data_act="page",
                 data_key=last, data_focus="page.on", disabled=last >= of.shown)
    return element("div", back + place + on, class_="co-pager")
