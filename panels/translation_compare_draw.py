"""The drawings of a finished comparison: verdict, pairs, parts, people, segments, and one segment opened."""

from __future__ import annotations

import re
from functools import lru_cache

from backends.common.mt.segments import ngram_wins
from backends.common.mt.words import CJK, difference
from panels import translation_compare_data as data
from panels.translation_compare_data import Compared, Segment
from panels.translation_compare_look import Look
from workbench.text import say
from workbench.widgets import mt_charts, mt_scores, mt_segments
from workbench.widgets.loose import listed, table, tables
from workbench.widgets.markup import element, esc

WORDS, CHARACTERS = 1200, 3000
"""Longest texts whose differences are marked by words and by characters; comparing takes quadratic time (ours)."""
ORDER, GRAMS = 2, 8


def verdict(of: Compared, look: Look, lang: str) -> str:
    """Warnings, then the table of systems under the chosen metric."""
    metric = of.metric(look.metric)
    told = [str(row.get("text")) for row in tables(of.told.get("bias"))]
    others = [text for text in map(str, listed(of.told.get("warnings"))) if text not in told]
    about = say(lang, "translation_compare.about", systems=len(of.systems), references=len(of.references),
                segments=f"{len(of.segments):,}", level=of.told.get("level", 0.05))
    made = of.of(metric)
    head = element("div", mt_scores.metrics(of.metrics, metric, lang) + element("span", esc(about), class_="co-dim"),
                   class_="mt-row")
    sign = made.get("sign") if made.get("sign") in (1, -1) else 1
    inner = mt_scores.systems(data.rows(of, metric), metric, float(sign), str(made.get("signature") or ""), lang)
    return mt_scores.warnings(told, others, lang) + element("div", head + inner, class_="co mt")


def pairs(of: Compared, look: Look, lang: str) -> str:
    """The matrix and the p-values."""
    metric = of.metric(look.metric)
    found, pair = data.pairs(of, metric), of.pair(look)
    wins = table(table(of.of(metric).get("tests")).get("wins"))
    signs = {(i, j): {1: 1, -1: -1}.get(table(wins.get(a)).get(b), 0) for i, a in enumerate(of.systems)
             for j, b in enumerate(of.systems)}
    by = {(min(one.first, one.second), max(one.first, one.second)): one for one in found}
    matrix = mt_scores.matrix(of.systems, data.order(of, metric), signs, by, pair, lang)
    inner = element("h4", esc(say(lang, "translation_compare.matrix"))) + matrix
    if found:
        offset = look.pairs if look.pairs < len(found) else 0
        summary = element("summary", esc(say(lang, "translation_compare.ps", n=len(found))))
        inner += element("details", summary + mt_scores.p_values(of.systems, found, pair, offset, lang),
                         open=bool(look.pairs) or len(found) <= 6)
    return element("div", inner, class_="co mt mt-pairs")


def grams(of: Compared, look: Look, lang: str) -> str:
    """The n-grams that each of the chosen pair has right more often than the other; nothing where none is chosen."""
    pair = of.pair(look)
    if pair is None:
        return ""
    names = [of.systems[number] for number in pair]
    inner = ""
    for winner, loser in (pair, pair[::-1]):
        found = _counted(_Same(of), winner, loser)
        inner += mt_segments.ngrams(of.systems[winner], of.systems[loser], found, lang)
    title = element("h4", esc(say(lang, "translation_compare.pair", first=names[0], second=names[1])))
    return element("div", title + element("div", inner, class_="mt-two"), class_="co mt mt-words")


class _Same:
    """A comparison by identity, so that what is counted once need not be hashed as a whole."""

    def __init__(self, of: Compared) -> None:
        self.of = of

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.of is self.of

    def __hash__(self) -> int:
        return id(self.of)


@lru_cache(maxsize=64)
def _counted(same: _Same, winner: int, loser: int) -> tuple[mt_segments.Gram, ...]:
    segments = same.of.segments
    systems = {str(number): [one.translations[number] for one in segments] for number in (winner, loser)}
    references = [[one.references[k] for one in segments] for k in range(len(same.of.references))]
    found = ngram_wins(systems, references, str(winner), str(loser), ORDER, GRAMS)
    return tuple(mt_segments.Gram(_closed(win.text), win.ahead, win.behind, win.segments) for win in found)


def _closed(text: str) -> str:
    """An n-gram without the spaces between Chinese or Japanese characters."""
    return re.sub(rf"(?<=[{CJK}]) (?=[{CJK}])", "", text)


def parts(of: Compared, look: Look, lang: str) -> str:
    """Scores by length, rarity and domain; then the metrics against people."""
    metric = of.metric(look.metric)
    kinds = data.buckets(of, metric)
    kind, _, number = look.bucket.rpartition(".")
    names = [row.system for row in data.rows(of, metric)] or list(of.systems)
    charts = "".join(mt_charts.buckets(name, [row for row, _ in rows], names, metric,
                                       int(number) if name == kind and number.isdecimal() else None, lang)
                     for name, rows in kinds.items())
    if charts:
        charts = (element("h4", esc(say(lang, "translation_compare.buckets", metric=mt_scores.metric_name(metric))))
                  + mt_charts.legend(names) + element("div", charts, class_="mt-charts"))
    people = "".join(mt_charts.scatter(one, lang) for one in data.scatters(of))
    if people:
        people = element("h4", esc(say(lang, "translation_compare.human"))) + element("div", people, class_="mt-charts")
    return element("div", charts + people, class_="co mt") if charts or people else ""


def listing(of: Compared, look: Look, lang: str) -> str:
    """The page of segments."""
    found, pair = data.chosen(of, look), of.pair(look)
    offset = look.page - look.page % mt_segments.PAGE if look.page < len(found) else 0
    lines = tuple(_line(of, one, pair) for one in found[offset:offset + mt_segments.PAGE])
    names = (of.systems[pair[0]], of.systems[pair[1]]) if pair else None
    return mt_segments.table(mt_segments.Listing(
        lines, offset, len(found), len(of.segments), of.segment_metric, look.sort, look.search,
        tuple(_chips(of, look, lang)), names, look.open if look.open >= 0 else None), lang)


def _chips(of: Compared, look: Look, lang: str) -> list[tuple[str, str]]:
    pair, part = of.pair(look), data.bucket_of(of, look)
    chips = []
    if pair:
        chips.append(("pair", say(lang, "translation_compare.chip.pair", first=of.systems[pair[0]],
                                  second=of.systems[pair[1]])))
    if part:
        chips.append(("bucket", mt_charts.label(part[0].label, lang)))
    return [*chips, ("search", f"“{look.search}”")] if look.search else chips


def _line(of: Compared, one: Segment, pair: tuple[int, int] | None) -> mt_segments.Line:
    text = one.source or (one.references[0] if one.references else "")
    if pair:
        first, second = pair
        return mt_segments.Line(one.index, text, of.systems[first], one.scores[first], of.systems[second],
                                one.scores[second], data.gap(one, pair))
    ranked = sorted(range(len(of.systems)), key=lambda number: -of.sign * one.scores[number])
    best, worst = ranked[0], ranked[-1]
    return mt_segments.Line(one.index, text, of.systems[best], one.scores[best], of.systems[worst], one.scores[worst],
                            one.spread)


def reader(of: Compared, look: Look, lang: str) -> str:
    """The opened segment; nothing where none is."""
    if not 0 <= look.open < len(of.segments):
        return ""
    one = of.segments[look.open]
    plain = _texts(of, one, of.pair(look))
    keys = {text.key for text in plain}
    against = look.against if look.against in keys | {"none"} else "r0" if "r0" in keys else "none"
    base = next((text.text for text in plain if text.key == against), None)
    unit = data.unit_of(one, look)
    limit = 6 * WORDS if unit == "word" else CHARACTERS
    long = base is not None and any(len(text.text) + len(base) > limit for text in plain)
    texts = [text if base is None or text.key == against or text.role == "source" or len(text.text) + len(base) > limit
             else _marked(text, base, unit) for text in plain]
    return mt_segments.reader(mt_segments.Opened(one.index, len(of.segments), one.domain, tuple(texts), against, unit,
                                                 long), lang)


def _marked(text: mt_segments.Text, base: str, unit: str) -> mt_segments.Text:
    pieces = tuple((piece.kind, piece.text) for piece in difference(base, text.text, unit))
    return mt_segments.Text(text.key, text.name, text.role, text.text, text.score, pieces)


def _texts(of: Compared, one: Segment, pair: tuple[int, int] | None) -> list[mt_segments.Text]:
    """Source, references, then translations by score (of the pair alone where one is looked at)."""
    found = [mt_segments.Text("s", "", "source", one.source)] if one.source else []
    found += [mt_segments.Text(f"r{k}", name, "reference", one.references[k]) for k, name in enumerate(of.references)]
    shown = list(pair) if pair else sorted(range(len(of.systems)), key=lambda number: -of.sign * one.scores[number])
    return [*found, *(mt_segments.Text(f"t{k}", of.systems[k], "system", one.translations[k], one.scores[k])
                      for k in shown)]
