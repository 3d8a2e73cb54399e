"""The verdict of a comparison: warnings, the table of systems under one metric, the matrix of pairs, p-values.

A press sends ``metric`` of a name, ``pair`` of ``FIRST.SECOND`` (numbers of systems), ``pairs`` of an offset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.text import say
from workbench.widgets.markup import copy_button, element, esc

PAGE, MATRIX = 50, 20
"""Pairs of a page, and the best systems that the matrix shows: 400 cells are about 130 kB."""
SIGNS = {1: "▲", 0: "=", -1: "▽"}


@dataclass(frozen=True)
class Row:
    """A system under one metric: score, 95 % interval, rank (1 + systems significantly better), wins and losses."""

    system: str
    score: float
    low: float
    high: float
    wins: int
    losses: int


@dataclass(frozen=True)
class Pair:
    """A pair of systems by their numbers, ``difference`` = first - second; a p-value is ``None`` where no test was
    made; ``better`` is 1 (first), -1 (second) or 0."""

    first: int
    second: int
    difference: float
    bootstrap: float | None
    bootstrap_holm: float | None
    randomisation: float | None
    randomisation_holm: float | None
    better: int


def warnings(bias: Sequence[str], others: Sequence[str], lang: str) -> str:
    """What must be known before a score is believed: references made from a system first."""
    if not bias and not others:
        return ""
    first = "".join(element("p", f"<b>{esc(say(lang, 'translation_compare.bias'))}</b> {esc(text)}", class_="mt-bias",
                            role="alert") for text in bias)
    shown = "".join(element("p", esc(text), class_="mt-warn") for text in others[:3])
    rest = "".join(element("p", esc(text), class_="mt-warn") for text in others[3:])
    if rest:
        summary = element("summary", esc(say(lang, "translation_compare.more", n=len(others) - 3)))
        rest = element("details", summary + rest)
    return element("div", first + shown + rest, class_="co mt mt-warnings")


def metrics(names: Sequence[str], chosen: str, lang: str) -> str:
    """Buttons to choose the metric."""
    made = "".join(element("button", esc(metric_name(name)), type="button", data_act="metric", data_key=name,
                           data_focus=f"metric.{name}", aria_pressed=str(name == chosen).lower()) for name in names)
    return element("span", made, class_="co-shows", role="group",
                   aria_label=say(lang, "translation_compare.metric"))


def metric_name(name: str) -> str:
    """How a metric is written."""
    return {"bleu": "BLEU", "chrf": "chrF", "chrf++": "chrF++", "ter": "TER", "bertscore": "BERTScore",
            "comet": "COMET"}.get(name, name)


def systems(rows: Sequence[Row], metric: str, sign: float, signature: str, lang: str) -> str:
    """One line a system, best first, with a bar of the interval; the signature with a copy button below."""
    low, high = min((r.low for r in rows), default=0.0), max((r.high for r in rows), default=1.0)
    span = (high - low) or 1.0
    heads = [("rank", "co-v"), ("system", ""), ("score", "co-v"), ("interval", "co-v"), ("", "mt-bar"),
             ("wins", "co-v"), ("losses", "co-v")]
    head = "".join(element("th", esc(say(lang, f"translation_compare.head.{name}")) if name else "", scope="col",
                           class_=kind or None,
                           title=say(lang, f"translation_compare.head.{name}.help") if name else None)
                   for name, kind in heads)
    body = "".join(_system(row, low, span) for row in rows)
    arrow = say(lang, "translation_compare.less" if sign < 0 else "translation_compare.greater",
                metric=metric_name(metric))
    table = element("table", element("thead", element("tr", head)) + element("tbody", body))
    signed = element("p", f"<code>{esc(signature)}</code>"
                     + copy_button(signature, say(lang, "translation_compare.signature.copy")), class_="mt-sign")
    return element("div", table, class_="co-table mt-systems", tabindex="0") + element(
        "p", esc(arrow), class_="co-dim") + signed


def _system(row: Row, low: float, span: float) -> str:
    left, wide = 100 * (row.low - low) / span, 100 * (row.high - row.low) / span
    dot = 100 * (row.score - low) / span
    bar = (f'<span class="mt-span"><i style="left:{left:.1f}%;width:{max(0.5, wide):.1f}%"></i>'
           f'<b style="left:{dot:.1f}%"></b></span>')
    cells = [(str(1 + row.losses), "co-v"), (element("bdi", esc(row.system)), "mt-name"),
             (f"<b>{row.score:.2f}</b>", "co-v"), (f"{row.low:.2f} – {row.high:.2f}", "co-v"), (bar, "mt-bar"),
             (str(row.wins), "co-v"), (str(row.losses), "co-v")]
    return element("tr", "".join(element("td", text, class_=kind) for text, kind in cells))


def matrix(names: Sequence[str], order: Sequence[int], wins: Mapping[tuple[int, int], int],
           pairs: Mapping[tuple[int, int], Pair], chosen: tuple[int, int] | None, lang: str) -> str:
    """Row against column, in ``order`` (best first): better, not told apart, worse. A press looks at the two."""
    if len(names) < 2:
        return element("p", esc(say(lang, "translation_compare.one")), class_="co-dim")
    shown = list(order)[:MATRIX]
    head = "<td></td>" + "".join(element("th", element("span", str(place)), scope="col", title=names[j])
                                 for place, j in enumerate(shown, 1))
    body = ""
    for place, i in enumerate(shown, 1):
        cells = "".join(_cell(i, j, names, wins, pairs, chosen, lang) for j in shown)
        body += element("tr", element("th", f"<small>{place}</small> <bdi>{esc(names[i])}</bdi>", scope="row",
                                      title=names[i]) + cells)
    key = " · ".join(f"{SIGNS[value]} {say(lang, f'translation_compare.matrix.{word}')}"
                     for value, word in ((1, "better"), (0, "same"), (-1, "worse")))
    table = element("table", element("thead", element("tr", head)) + element("tbody", body))
    return element("div", table, class_="mt-matrix", tabindex="0", role="group",
                   aria_label=say(lang, "translation_compare.matrix")) + element("p", esc(key), class_="co-dim") + (
        element("p", esc(say(lang, "translation_compare.matrix.most", n=MATRIX, total=len(names))), class_="co-dim")
        if len(order) > MATRIX else "")


def _cell(i: int, j: int, names: Sequence[str], wins: Mapping[tuple[int, int], int],
          pairs: Mapping[tuple[int, int], Pair], chosen: tuple[int, int] | None, lang: str) -> str:
    if i == j:
        return element("td", "", class_="mt-self")
    value = wins.get((i, j), 0)
    pair = pairs.get((min(i, j), max(i, j)))
    p = p_value(_decisive(pair)) if pair else "–"
    words = say(lang, "translation_compare.matrix.cell", first=names[i], second=names[j],
                what=say(lang, f"translation_compare.matrix.{ {1: 'better', 0: 'same', -1: 'worse'}[value] }"), p=p)
    button = element("button", SIGNS[value], type="button", data_act="pair", data_key=f"{i}.{j}", title=words,
                     data_focus=f"pair.{i}.{j}", aria_label=words, aria_pressed=str(chosen == (i, j)).lower())
    return element("td", button, class_={1: "mt-win", 0: "mt-tie", -1: "mt-loss"}[value])


def _decisive(pair: Pair) -> float | None:
    return pair.bootstrap_holm if pair.randomisation_holm is None else pair.randomisation_holm


def p_value(value: float | None) -> str:
    """``0.012``; ``< 0.001`` for less; a dash for none."""
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def p_values(names: Sequence[str], pairs: Sequence[Pair], chosen: tuple[int, int] | None, offset: int,
             lang: str) -> str:
    """Every pair with both tests, plain and corrected, fifty a page."""
    shown = pairs[offset:offset + PAGE]
    heads = ("pair", "difference", "bootstrap", "holm", "randomisation", "holm")
    head = "".join(element("th", esc(say(lang, f"translation_compare.head.{name}")), scope="col",
                           title=say(lang, f"translation_compare.head.{name}.help"), class_="co-v" if place else None)
                   for place, name in enumerate(heads))
    body = "".join(_pair(names, pair, chosen) for pair in shown)
    table = element("div", element("table", element("thead", element("tr", head)) + element("tbody", body)),
                    class_="co-table mt-ps", tabindex="0")
    return table + pager(offset, len(shown), len(pairs), PAGE, "pairs", lang)


def _pair(names: Sequence[str], pair: Pair, chosen: tuple[int, int] | None) -> str:
    first, second = element("bdi", esc(names[pair.first])), element("bdi", esc(names[pair.second]))
    mark = {1: " &gt; ", -1: " &lt; ", 0: " = "}[pair.better]
    on = chosen is not None and set(chosen) == {pair.first, pair.second}
    name = element("button", first + mark + second, type="button", class_="co-open", data_act="pair",
                   data_key=f"{pair.first}.{pair.second}", data_focus=f"row.{pair.first}.{pair.second}")
    cells = [f"{pair.difference:+.2f}", *(esc(p_value(p)) for p in (
        pair.bootstrap, pair.bootstrap_holm, pair.randomisation, pair.randomisation_holm))]
    return element("tr", element("td", name) + "".join(element("td", cell, class_="co-v") for cell in cells),
                   class_="co-opened" if on else None)


def pager(offset: int, shown: int, total: int, size: int, act: str, lang: str) -> str:
    """``1 to 50 of 2,037`` with back and on; nothing where all is shown."""
    if total <= size and offset == 0:
        return ""
    words = say(lang, "translation_compare.page", first=f"{min(offset + 1, total):,}", last=f"{offset + shown:,}",
                total=f"{total:,}")
    back = element("button", esc(say(lang, "translation_compare.back")), type="button", class_="wb-small", data_act=act,
                   data_key=max(0, offset - size), data_focus=f"{act}.back", disabled=offset == 0)
    on = element("button", esc(say(lang, "translation_compare.on")), type="button", class_="wb-small", data_act=act,
                 data_key=offset + size, data_focus=f"{act}.on", disabled=offset + shown >= total)
    return element("div", back + element("span", esc(words)) + on, class_="co-pager")
