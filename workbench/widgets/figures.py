"""Figures as a table: one row a figure, a column a source, the difference, and the notes that belong to them.

Every figure names its variant, how many of how many went into it and how its text was cut; a note that several figures
share is written once, below, and marked by its letter.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping, Sequence

from workbench.contract import Json
from workbench.text import known, say
from workbench.widgets.loose import finite, table, tables
from workbench.widgets.markup import element, esc

_NUMBERED = re.compile(r"(success|average-turn)-(\d+)")
DIGITS = {"percent": 2, "share": 4, "bits": 3, "tokens": 2, "turns": 2, "points": 2, "rounds": 2, "": 4}
Figure = Mapping[str, Json]


def figures(sources: Sequence[Sequence[Figure]], titles: Sequence[str], differences: Sequence[Figure],
            lang: str) -> str:
    """The table of the figures of one or two sources, in the order of the first one that has each."""
    names = list(dict.fromkeys(str(f.get("name")) for own in sources for f in own if finite(f.get("value"))))
    if not names:
        return ""
    by_name = [{str(f.get("name")): f for f in own} for own in sources]
    apart = {str(d.get("name")): d for d in differences} if len(sources) > 1 else {}
    notes = _Notes(lang)
    body = "".join(_row(name, [own.get(name) for own in by_name], apart.get(name), bool(apart), notes, lang)
                   for name in names)
    heads = [say(lang, "measure.column.figure"), *(titles if len(sources) > 1 else [say(lang, "measure.column.value")])]
    heads += [say(lang, "measure.column.difference")] if apart else []
    heads += [say(lang, "measure.column.n"), say(lang, "measure.column.tokenizer")]
    head = "".join(element("th", esc(text), scope="col") for text in heads)
    made = element("table", element("thead", element("tr", head)) + element("tbody", body))
    return element("div", made + notes.html(), class_="fg", tabindex="0")


def figure_name(name: str, lang: str) -> str:
    """The figure in the reader's words; its own name where there are none."""
    match = _NUMBERED.fullmatch(name)
    key = f"measure.figure.{match[1] if match else name.replace('/', '.')}"
    return say(lang, key, n=match[2] if match else "") if known(key) else name


def note_text(note: Json, lang: str) -> str:
    """A note in the reader's words."""
    found, key = table(note), f"measure.note.{table(note).get('code')}"
    return say(lang, key, **{str(k): v for k, v in table(found.get("values")).items()}) if known(key) \
        else str(found.get("text") or "")


class _Notes:
    """Letters for notes, the same letter for the same words."""

    def __init__(self, lang: str) -> None:
        self._lang, self._texts = lang, list[str]()

    def marks(self, notes: Json) -> str:
        """The letters of some notes, as a superscript."""
        letters = []
        for note in tables(notes):
            text = note_text(note, self._lang)
            if text and text not in self._texts:
                self._texts.append(text)
            letters += [_letter(self._texts.index(text))] if text else []
        return element("sup", esc(" ".join(dict.fromkeys(letters)))) if letters else ""

    def html(self) -> str:
        """Every note with its letter."""
        rows = "".join(element("li", element("sup", _letter(i)) + esc(text)) for i, text in enumerate(self._texts))
        return element("ul", rows, class_="fg-notes") if rows else ""


def _letter(place: int) -> str:
    return string.ascii_lowercase[place % 26] * (place // 26 + 1)


def _row(name: str, found: Sequence[Figure | None], apart: Figure | None, compared: bool, notes: _Notes,
         lang: str) -> str:
    first = next(f for f in found if f is not None)
    unit = str(first.get("unit") or "")
    words = esc(figure_name(name, lang)) + (element("small", esc(say(lang, f"measure.unit.{unit}"))) if unit else "")
    cells = "".join(element("td", _value(f, unit, notes.marks(f.get("notes"))) if f else "–") for f in found)
    if compared:
        sure = apart is not None and _excludes_zero(apart)
        mark = element("small", esc(say(lang, "measure.paired"))) if apart and apart.get("paired") else ""
        cells += element("td", _value(apart, unit, mark, signed=True) if apart else "–",
                         class_="fg-sure" if sure else None)
    count = "<br>".join(esc(_count(f, lang)) for f in found if f is not None)
    cut = ", ".join(dict.fromkeys(str(f["tokenizer"]) for f in found if f and f.get("tokenizer")))
    return element("tr", element("th", words, scope="row") + cells + element("td", count, class_="fg-n")
                   + element("td", esc(cut or "–"), class_="fg-n"))


def _count(figure: Figure, lang: str) -> str:
    """``62 of 62 supporter turns``."""
    counted = str(figure.get("counted") or "")
    key = f"measure.counted.{counted}"
    return say(lang, "measure.n", shown=_whole(figure.get("shown")), total=_whole(figure.get("total")),
               counted=say(lang, key) if known(key) else counted)


def _whole(value: Json) -> str:
    return f"{int(value):,}" if finite(value) else "–"


def _value(figure: Figure, unit: str, marks: str = "", *, signed: bool = False) -> str:
    """The number with its marks, and its interval below it."""
    low, high = figure.get("low"), figure.get("high")
    span = ""
    if finite(low) and finite(high):
        ends = decimals(low, unit, signed), decimals(high, unit, signed)
        span = f"[{ends[0]}, {ends[1]}]" if signed else f"{ends[0]} – {ends[1]}"
    value = figure.get("value")
    return element("b", esc(decimals(value, unit, signed))) + (marks if finite(value) else "") + element(
        "small", esc(span))


def decimals(value: Json, unit: str, signed: bool = False) -> str:
    """A number in the decimals of its unit; a true minus sign; a dash for none."""
    if not finite(value) or not math.isfinite(value):
        return "–"
    digits = DIGITS.get(unit, 3)
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def _excludes_zero(figure: Figure) -> bool:
    low, high = figure.get("low"), figure.get("high")
    return finite(low) and finite(high) and not low <= 0 <= high
