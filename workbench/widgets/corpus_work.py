"""A filtering run at work and when it is done: speed, stages, what the rules did, rows that could not be read.

Numbers come from the run's own files, which may have been edited by hand: what is missing is left out, all is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.contract import Json
from workbench.text import known, say
from workbench.widgets.corpus_numbers import rule_name
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.markup import duration, element, esc

PROBLEMS = 50
"""Rows that could not be read that are shown; the run's file lists more."""
ENOUGH = 0.5
"""Seconds before a speed means something."""


def number(value: Json) -> str:
    """A count with thousands marks; a dash for what is none."""
    return f"{value:,.0f}" if finite(value) else "–"


def percent(part: Json, whole: Json) -> str:
    """``41.8 %``; a dash where there is no whole."""
    return f"{100 * part / whole:.1f} %" if finite(part) and finite(whole) and whole else "–"


def rate(value: Json) -> str:
    """A speed in three digits at least: ``8,306``, ``21.0``, ``0.35``."""
    if not finite(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def seconds_of(value: float) -> str:
    """Seconds in about three digits that matter: ``0.0072``, ``0.524``, ``12.4``, ``1,204``."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 3 if value >= 0.1 else 4
    return f"{value:,.{digits}f}"


def strip(status: str, words: str, share: float | None, documents: int, megabytes: float, seconds: float,
          lang: str) -> str:
    """One line with a bar: what happens now, documents and megabytes so far and a second of the clock."""
    cells = []
    if documents:
        cells.append((say(lang, "corpus_filter.documents"), number(documents)))
    if seconds > ENOUGH and documents:
        cells += [(say(lang, "corpus_filter.speed"), say(lang, "corpus_filter.speed.both", n=rate(documents / seconds),
                                                   mb=rate(megabytes / seconds)))]
    if seconds:
        cells.append((say(lang, "corpus_filter.took"), duration(seconds, lang)))
    figures = "".join(f"<span><em>{esc(name)}</em>{esc(value)}</span>" for name, value in cells)
    bar = "" if share is None else element(
        "div", f'<i style="width:{100 * share:.1f}%"></i>', class_="cf-bar", role="progressbar", aria_valuemin=0,
        aria_valuemax=100, aria_valuenow=round(100 * share), aria_label=say(lang, "corpus_filter.progress"))
    phase = element("div", f'<i class="dt-dot"></i>{esc(words)}', class_="dt-phase", role="status")
    return element("div", phase + element("div", figures, class_="dt-figures") + bar,
                   class_=f"dt dt-strip cf-strip dt-is-{status}")


def stages(throughput: Json, note: str, lang: str) -> str:
    """CPU seconds, documents and megabytes a CPU second of every stage, the whole last; a bar for its share."""
    rows = [(name, table(row)) for name, row in table(throughput).items() if finite(table(row).get("cpu_seconds"))]
    if not rows:
        return ""
    whole = next((row["cpu_seconds"] for name, row in rows if name == "all"), 0) or 1
    head = "".join(f'<th scope="col">{esc(say(lang, f"corpus_filter.stage.{name}"))}</th>'
                   for name in ("name", "seconds", "documents", "mb"))
    body = "".join(_stage(name, row, whole, lang) for name, row in rows)
    told = element("p", esc(note), class_="cf-help") if note else ""
    grid = f'<div class="cf-grid cf-stages"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    return section(say(lang, "corpus_filter.stages"), grid + told)


def _stage(name: str, row: Mapping[str, Json], whole: float, lang: str) -> str:
    key = f"corpus_filter.stage.of.{name}"
    share = row["cpu_seconds"] / whole
    bar = "" if name == "all" else f'<i class="cf-share" style="width:{100 * min(1, share):.1f}%"></i>'
    cells = (seconds_of(row["cpu_seconds"]), rate(row.get("documents_per_second")), rate(row.get("mb_per_second")))
    figures = "".join(f"<td>{cell}</td>" for cell in cells)
    return (f'<tr class="{"cf-whole" if name == "all" else ""}"><th scope="row">'
            f"{esc(say(lang, key) if known(key) else name)}{bar}</th>{figures}</tr>")


def outcome(summary: Mapping[str, Json], lang: str) -> str:
    """What became of the documents: kept and dropped, the funnel of the rules, duplicates, files, hashes."""
    documents, kept = summary.get("documents"), summary.get("kept")
    if not finite(documents) or not finite(kept):
        return ""
    share = kept / documents if documents else 0.0
    told = say(lang, "corpus_filter.kept_of", n=number(documents), share=percent(kept, documents))
    figures = "".join(
        f"<div><b>{value}</b><span>{esc(words)}</span></div>" for value, words in (
            (number(kept), told),
            (percent(summary.get("characters_kept"), summary.get("characters")), say(lang, "corpus_filter.characters")),
            (number(table(summary.get("near_duplicates")).get("clusters")), say(lang, "corpus_filter.clusters")),
            (number(summary.get("problems")), say(lang, "corpus_filter.unread"))))
    bar = (f'<div class="cf-kept" role="img" aria-label="{esc(percent(kept, documents))}">'
           f'<i style="width:{100 * share:.2f}%"></i></div>')
    return element("div", f'<div class="cf-figures">{figures}</div>{bar}', class_="cf-outcome") + _funnel(summary, lang)


def _funnel(summary: Mapping[str, Json], lang: str) -> str:
    rules = [str(rule) for rule in listed(summary.get("rules"))]
    if not rules:
        return ""
    counts = {name: table(summary.get(name)) for name in ("first", "every", "only")}
    most = max((value for value in counts["every"].values() if finite(value)), default=0) or 1
    head = "".join(f'<th scope="col" title="{esc(say(lang, f"corpus_filter.funnel.{name}.help"))}">'
                   f'{esc(say(lang, f"corpus_filter.funnel.{name}"))}</th>' for name in ("rule", *counts))
    body = ""
    for rule in rules:
        every, first = counts["every"].get(rule), counts["first"].get(rule)
        bar = "".join(f'<i class="cf-share cf-{kind}" style="width:{100 * count / most:.1f}%"></i>'
                      for kind, count in (("every", every), ("first", first)) if finite(count) and count)
        cells = "".join(f"<td>{number(values.get(rule))}</td>" for values in counts.values())
        body += f'<tr><th scope="row">{esc(rule_name(rule, lang))}<span class="cf-two">{bar}</span></th>{cells}</tr>'
    grid = f'<div class="cf-grid"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    return section(say(lang, "corpus_filter.funnel"), grid + element("p", esc(say(lang, "corpus_filter.funnel.help")),
                                                               class_="cf-help"))


def problems(rows: Sequence[Json], count: int, lang: str) -> str:
    """Rows that could not be read: file and line, and why."""
    if not count:
        return ""
    lines = "".join(f"<li><b>{esc(row.get('where', ''))}</b><span>{esc(row.get('why', ''))}</span>"
                    "</li>" for row in tables(list(rows))[:PROBLEMS])
    shown = min(PROBLEMS, len(rows))
    more = element("p", esc(say(lang, "corpus_filter.problems.more", n=number(count - shown))), class_="cf-help") * (
        count > shown)
    return section(say(lang, "corpus_filter.problems", n=number(count)), f'<ul class="cf-problems">{lines}</ul>{more}')


def section(title: str, inner: str, *classes: str) -> str:
    """A titled part of the view."""
    return element("section", f"<h4>{esc(title)}</h4>{inner}", class_=" ".join(("cf-part", *classes)))


