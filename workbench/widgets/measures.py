"""The whole report of a measuring run: sources, strategies, stages, transitions, agreement, words, course, quality.

Drawn from ``measure.json`` as it stands; whatever is missing or of another shape is left out. Everything is escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workbench.contract import Json
from workbench.text import known, say
from workbench.widgets.badge import badge
from workbench.widgets.bars import Bar, Value, bars, key, stacked
from workbench.widgets.casefile import counts_bars
from workbench.widgets.figures import figure_name, figures, note_text
from workbench.widgets.heatmap import heatmap
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.markup import element, esc
from workbench.widgets.outcome import STOP_REASONS
from workbench.widgets.rejections import rule_name

STAGES = ("exploration", "comforting", "action", "any")
PARTS = ("first", "middle", "last", "all")
GROUPS = ("use", "agreement", "words", "replies", "course")
STATUSES = ("accepted", "rejected", "quarantined")
Row = Mapping[str, Json]


def measures(report: Json, titles: Mapping[str, str], lang: str) -> str:
    """Every section that the report has something for; ``titles`` are names of references."""
    sources = tables(table(report).get("sources"))[:2]
    if not sources:
        return ""
    names = [_title(source, titles, lang) for source in sources]
    reference = table(table(report).get("reference"))
    sections = [
        ("sources", _heads(sources, names, lang)),
        ("mix", _mix(sources, names, reference, titles, lang)),
        ("stages", _pairwise(sources, names, lambda source: _stages(source, titles.get(
            str(reference.get("name")), str(reference.get("name"))), lang))),
        ("transitions", _pairwise(sources, names, lambda source: _transitions(source, lang))),
        ("agreement", _agreement(sources, names, lang)),
        *((f"figures.{group}", _figures(group, sources, names, tables(table(report).get("differences")), lang))
          for group in GROUPS),
        ("stops", _pairwise(sources, names, lambda source: _stops(source, lang))),
        ("quality", _pairwise(sources, names, lambda source: _quality(source, lang)))]
    inner = "".join(_section(name, html, lang) for name, html in sections if html)
    return element("div", inner, class_="ms dt ms-one" if len(sources) == 1 else "ms dt")


def _title(source: Row, titles: Mapping[str, str], lang: str) -> str:
    reference = str(source.get("reference") or "")
    return titles.get(reference) or reference.removeprefix("path:").rpartition("/")[2] or say(lang, "measure.source")


def _section(name: str, html: str, lang: str) -> str:
    help_key = f"measure.section.{name}.help"
    words = element("p", esc(say(lang, help_key)), class_="ms-help") if known(help_key) else ""
    title = element("h3", esc(say(lang, f"measure.section.{name}"))) if name != "sources" else ""
    return element("section", title + words + html, class_=f"ms-{name.replace('.', '-')}")


def _heads(sources: Sequence[Row], names: Sequence[str], lang: str) -> str:
    """Who is measured: provenance, counts, and everything that was left out."""
    def card(place: int, source: Row) -> str:
        counts = [say(lang, "measure.head", **{k: source.get(k, 0) for k in ("dialogues", "total", "turns", "labelled")}
                      )] if source.get("dialogues") else []
        counts += [say(lang, "measure.pairs", n=source["pairs"])] if source.get("pairs") else []
        told = " · ".join(counts)
        how = say(lang, "measure.how", set=table(source.get("strategies")).get("name", ""),
                  tokenizer=source.get("tokenizer", ""), language=say(lang, f"dialogue.language.{source['language']}")
                  if source.get("language") in ("en", "zh") else "–")
        made = badge(str(source.get("provenance") or say(lang, "measure.unknown")),
                     [str(m) for m in listed(source.get("models"))], lang)
        notes = "".join(element("li", esc(note_text(n, lang))) for n in tables(source.get("notes")))
        head = element("h3", element("i", class_=f"br-s{place + 1}") + esc(names[place]))
        return element("div", head + made + element("p", esc(told)) + element("p", esc(how), class_="ms-help")
                       + (element("ul", notes, class_="ms-notes") if notes else ""), class_="ms-source")
    return element("div", "".join(card(i, s) for i, s in enumerate(sources)), class_="ms-sources")


def _labels(source: Row, lang: str) -> dict[str, str]:
    """Strategy labels by key, in the reader's language."""
    field = "label_zh" if lang == "zh-CN" else "label_en"
    items = tables(table(source.get("strategies")).get("items"))
    return {str(i.get("key")): str(i.get(field) or i.get("key")) for i in items}


def _value(row: Json, name: str = "value", low: str = "low", high: str = "high") -> Value:
    found = [table(row).get(field) for field in (name, low, high)]
    value, bottom, top = (v if finite(v) else None for v in found)
    return Value(value, bottom, top)


def _mix(sources: Sequence[Row], names: Sequence[str], reference: Row, titles: Mapping[str, str], lang: str) -> str:
    """Shares of the strategies, with the reference's as a mark."""
    mixes = [{str(row.get("key")): row for row in tables(source.get("mix"))} for source in sources]
    labels = {k: v for source in sources for k, v in _labels(source, lang).items()}
    keys = list(dict.fromkeys(k for mix in mixes for k in mix))
    rows = []
    for k in keys:
        held = next((mix[k].get("reference") for mix in mixes if k in mix), None)
        rows.append(Bar(labels.get(k, k), tuple(_value(mix.get(k)) for mix in mixes), held if finite(held) else None))
    marks = {name: f"br-s{i + 1}" for i, name in enumerate(names)} if len(names) > 1 else {}
    if any(row.reference is not None for row in rows):
        called = titles.get(str(reference.get("name")), str(reference.get("name")))
        labelled = reference.get("labels")
        marks[say(lang, "measure.reference", name=called, n=f"{labelled:,}" if finite(labelled) else "–")] = "br-ref"
    return bars(rows, label=say(lang, "measure.section.mix")) + key(marks) if rows else ""


def _stages(source: Row, reference: str, lang: str) -> str:
    """Stages in the thirds of a talk and over all of it; the reference knows no thirds."""
    rows: list[tuple[str, Sequence[float | None]]] = []
    found = table(source.get("stages"))
    for part in PARTS:
        shares = [_value(table(found.get(part)).get(stage)).value for stage in STAGES]
        if any(share is not None for share in shares):
            rows.append((say(lang, f"measure.part.{part}"), shares))
    if held := table(found.get("reference")):
        rows.append((reference, [v if finite(v := held.get(stage)) else None for stage in STAGES]))
    return stacked(rows, [say(lang, f"dialogue.stage.{stage}") for stage in STAGES],
                   say(lang, "measure.section.stages")) if rows else ""


def _pairwise(sources: Sequence[Row], names: Sequence[str], draw: Callable[[Row], str]) -> str:
    """The same picture for each source, side by side where there are two."""
    drawn = [draw(source) for source in sources]
    if not any(drawn):
        return ""
    parts = [(element("h4", esc(name)) if len(sources) > 1 else "") + (html or element("p", "–", class_="ms-help"))
             for name, html in zip(names, drawn, strict=True)]
    return element("div", "".join(element("div", part) for part in parts), class_="ms-two")


def _transitions(source: Row, lang: str) -> str:
    found, labels = table(source.get("transitions")), _labels(source, lang)
    return heatmap([labels.get(str(k), str(k)) for k in listed(found.get("keys"))], found.get("counts"),
                   found.get("shares"), lang)


def _agreement(sources: Sequence[Row], names: Sequence[str], lang: str) -> str:
    """Preference (1 is neutral) and F1 of every strategy; a plain word where there is no gold."""
    each = [{str(row.get("key")): row for row in tables(source.get("each"))} for source in sources]
    keys = list(dict.fromkeys(k for own in each for k in own))
    if not keys:
        return element("p", esc(say(lang, "measure.no_gold")), class_="ms-plain")
    labels = {k: v for source in sources for k, v in _labels(source, lang).items()}
    marks = key({name: f"br-s{i + 1}" for i, name in enumerate(names)}) if len(names) > 1 else ""
    drawn = []
    for name, line in (("preference", 1.0), ("f1", None)):
        rows = [Bar(labels.get(k, k), tuple(_value(own.get(k), name, f"{name}_low", f"{name}_high") for own in each))
                for k in keys]
        drawn.append(element("div", element("h4", esc(say(lang, f"measure.each.{name}")))
                             + bars(rows, percent=False, line=line, label=figure_name(name, lang))))
    return element("div", "".join(drawn), class_="ms-two") + marks


def _figures(group: str, sources: Sequence[Row], names: Sequence[str], differences: Sequence[Row], lang: str) -> str:
    own = [[f for f in tables(source.get("figures")) if f.get("group") == group] for source in sources]
    return figures(own, names, [d for d in differences if d.get("group") == group], lang)


def _stops(source: Row, lang: str) -> str:
    found = table(source.get("stops"))
    rows = [(say(lang, f"dialogue.stop.{name}") if name in (*STOP_REASONS, "running") else str(name), int(count))
            for name, count in found.items() if finite(count) and count > 0]
    return counts_bars(rows)


def _quality(source: Row, lang: str) -> str:
    """Dialogues by status, failed ones by rule, and how many were judged at all."""
    found = table(source.get("quality"))
    judged = int(found["judged"]) if finite(found.get("judged")) else 0
    if not finite(found.get("total")) or not found["total"]:
        return ""
    told = say(lang, "measure.judged" if not found.get("anew") else "measure.judged_anew", n=judged,
               total=int(found["total"]))
    statuses = [(say(lang, f"measure.status.{name}"), int(count)) for name in STATUSES
                if finite(count := table(found.get("statuses")).get(name))]
    parts = element("p", esc(told), class_="ms-help") + counts_bars(statuses)
    for name in ("failed", "unchecked"):
        rows = [(rule_name(str(rule), lang), int(count)) for rule, count in table(found.get(name)).items()
                if finite(count)]
        parts += element("h5", esc(say(lang, f"measure.{name}"))) + counts_bars(rows) if rows else ""
    return parts
