"""The drawings of the Inspect view: what a corpus says about a selection, put into widgets.

Every function takes an opened corpus and a state and returns HTML; nothing here knows of the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from backends.mdfg.explore import queries
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.judging import moved_tests
from backends.mdfg.explore.query import Query
from backends.mdfg.explore.selection import Selection, Span
from backends.mdfg.recipes import NEAR
from panels.corpus_state import SHOWN, State, span_of
from workbench.text import say
from workbench.widgets import corpus_bars, corpus_funnel, corpus_heat, corpus_histogram, corpus_table
from workbench.widgets.corpus_numbers import amount, column_name, count, part, rule_name
from workbench.widgets.markup import element, esc

BINS, CELLS, POINTS = 32, 12, 32
CHARTS = 12
"""Most histograms at once (ours): each is a query and some kilobytes."""
SEARCH_TEXT = 40
BARRED = {"domains": "domain", "sources": "source", "words": "words"}


def bar(corpus: Corpus, state: State, lang: str) -> str:
    """How many documents are shown, by which verdict, and the chips of the filter."""
    found = queries.count(corpus, state.selection)
    shows = "".join(element("button", esc(say(lang, f"corpus.{name}")), type="button", data_act="show", data_key=name,
                            data_focus=f"show.{name}", aria_pressed=str(state.selection.show == name).lower())
                    for name in ("all", "kept", "dropped") if name in SHOWN)
    group = element("div", shows, class_="co-shows", role="group", aria_label=say(lang, "corpus.show"))
    counted = corpus_table.counted(found.shown, found.total, found.filter, lang)
    return element("div", group + counted + corpus_table.chips(chips(corpus, state.selection, lang), lang)
                   + _noted(corpus, state.selection.search, lang), class_="co co-bar")


def _noted(corpus: Corpus, search: Query | None, lang: str) -> str:
    """What should be known about the hits of the search, such as that only the best ones are shown."""
    notes = corpus.hits(search).notes if search else ()
    said = " ".join(say(lang, f"corpus.hits.{note.key}", **dict(note.values)) for note in notes)
    return element("p", esc(said), class_="co-dim", role="note") if said else ""


def chips(corpus: Corpus, selection: Selection, lang: str) -> list[tuple[str, str]]:
    """What the filter holds besides the verdict: ``(key, text)`` as :func:`panels.corpus_state.changed` undoes it."""
    tell = partial(say, lang)
    found = [(f"failed.{rule}", tell("corpus.chip.failed", rule=rule_name(rule, lang))) for rule in selection.failed]
    for name in ("first", "only"):
        if rule := getattr(selection, name):
            found.append((name, tell(f"corpus.chip.{name}", rule=rule_name(rule, lang))))
    found += [(f"range.{span.column}", _ranged(span, lang)) for span in selection.spans]
    for name, key in BARRED.items():
        text = f"corpus.chip.{'word' if key == 'words' else key}"
        found += [(f"{name}.{value}", tell(text, name=corpus_bars.value_name(name, value, lang)))
                  for value in getattr(selection, name)]
    if selection.cluster is not None:
        found.append(("cluster", tell("corpus.chip.cluster", n=selection.cluster)))
    if selection.search is not None:
        found.append(("search", searched(selection.search, lang)))
    tests = moved_tests(corpus.recipe, selection.moved)
    found += [(f"moved.{i}", tell("corpus.chip.moved", rule=rule_name(tests[i].rule, lang), limit=amount(limit)))
              for i, limit in selection.moved]
    return found


def searched(query: Query, lang: str) -> str:
    """A search in few words."""
    kind = say(lang, f"corpus.search.{query.kind}")
    if query.text:
        return say(lang, "corpus.chip.search", kind=kind, text=query.text[:SEARCH_TEXT])
    return say(lang, "corpus.chip.search", kind=kind, text=say(
        lang, "corpus.chip.taught", plus=len(query.like), minus=len(query.unlike)))


def _ranged(span: Span, lang: str) -> str:
    name = column_name(span.column, lang)
    if span.low is None and span.high is None:
        return say(lang, "corpus.chip.missing", name=name)
    low, high = ("" if value is None else amount(value) for value in (span.low, span.high))
    return say(lang, "corpus.chip.span", name=name, low=low, high=high).strip()


def rules(corpus: Corpus, state: State, lang: str) -> str:
    """The funnel with its sliders, what moved limits do, and which rules fail together."""
    selection = state.selection
    told = queries.tallied(corpus, selection)
    sliders = _sliders(corpus, selection)
    before, steps = told.documents, []
    for i, rule in enumerate(told.rules):
        steps.append(corpus_funnel.Step(rule, before, told.first[i], told.every[i], told.only[i],
                                        tuple(slider for name, slider in sliders if name == rule)))
        before -= told.first[i]
    chosen = [f"failed {rule}" for rule in selection.failed]
    chosen += [f"{name} {rule}" for name in ("first", "only") if (rule := getattr(selection, name))]
    head = element("h4", esc(say(lang, "corpus.rules"))) + element("p", esc(say(lang, "corpus.rules.help")),
                                                                   class_="co-help")
    now = element("p", element("b", esc(say(lang, "corpus.rules.now", kept=count(told.kept), total=count(
        told.documents), share=part(told.kept, told.documents).removesuffix(" %")))), role="status")
    drawn = corpus_funnel.funnel(steps, told.documents, chosen, lang)
    return element("section", head + now + _moved(corpus, selection, lang) + drawn + _together(told.rules, told.overlap,
                                                                                            lang), class_="co co-rules")


def _sliders(corpus: Corpus, selection: Selection) -> list[tuple[str, corpus_funnel.Slider]]:
    found = []
    for i, test in enumerate(corpus.recipe.tests):
        if test == NEAR:  # kept or not: there is nothing to slide over
            continue
        held = queries.margin(corpus, selection, i, POINTS)
        found.append((test.rule, corpus_funnel.Slider(i, test.column, test.drop_if, held.recipe_limit, held.test.limit,
                                                      held.limits, held.kept)))
    return found


def _moved(corpus: Corpus, selection: Selection, lang: str) -> str:
    """What the moved limits do to the whole selection against the recipe's own."""
    if not selection.moved:
        return ""
    about = selection.unjudged()
    where = about.where(corpus)
    more, less = corpus.rows(
        f"SELECT count(*) FILTER (now.kept AND NOT docs.kept), count(*) FILTER (docs.kept AND NOT now.kept) FROM "
        f"(SELECT place, kept FROM {corpus.judged(about.moved)} {where.clause}) AS now JOIN docs USING (place)",
        where.parameters)[0]
    said = say(lang, "corpus.rules.moved", n=len(selection.moved), more=count(more), less=count(less))
    near = element("p", esc(say(lang, "corpus.rules.near")), class_="co-dim") if NEAR in corpus.recipe.tests else ""
    button = element("button", esc(say(lang, "corpus.rules.reset")), type="button", class_="wb-link", data_act="reset")
    return element("p", esc(said) + " " + button, role="status") + near


def _together(rules: Sequence[str], counts: Sequence[Sequence[int]], lang: str) -> str:
    if len(rules) < 2:
        return ""
    table = corpus_funnel.overlap(rules, counts, lang)
    return element("details", element("summary", esc(say(lang, "corpus.overlap")))
                   + element("p", esc(say(lang, "corpus.overlap.help")), class_="co-help") + table,
                   data_wb_fold="corpus.overlap")


def shown_columns(corpus: Corpus, state: State) -> list[str]:
    """The columns that have a chart: those that were chosen, else the recipe's, quality and toxicity."""
    names = [column.name for column in corpus.columns]
    if state.charts:
        return [name for name in state.charts if name in names][:CHARTS]
    aliased = {column.alias: column.name for column in corpus.columns if column.alias}
    first = dict.fromkeys(aliased.get(test.column, test.column) for test in corpus.recipe.tests)
    return [name for name in dict.fromkeys((*_scores(corpus), *first)) if name in names][:CHARTS]


def _scores(corpus: Corpus) -> list[str]:
    """``quality`` and ``toxicity``, those of which any document has a value."""
    return [column.name for column in corpus.columns
            if column.name in ("quality", "toxicity") and column.low is not None]


def offered_columns(corpus: Corpus, lang: str) -> list[tuple[str, str]]:
    """Every column that can have a chart as ``(name, column)``; scorers' columns behind an alias once."""
    hidden = {column.alias for column in corpus.columns if column.alias}
    return [(column_name(column.name, lang), column.name) for column in corpus.columns if column.name not in hidden]


def charts(corpus: Corpus, state: State, lang: str) -> str:
    """Histograms, the map of quality and toxicity, and the bars."""
    drawn = "".join(_histogram(corpus, name, state.selection, lang) for name in shown_columns(corpus, state))
    heat = _heat(corpus, state.selection, lang) if len(_scores(corpus)) == 2 else ""
    domains, *others = (_bars(corpus, name, state.selection, lang) for name in BARRED)
    maps = element("div", heat + domains + element("div", "".join(others), class_="co-stack"), class_="co-maps")
    return element("div", element("div", drawn, class_="co-charts") + maps, class_="co")


def _histogram(corpus: Corpus, column: str, selection: Selection, lang: str) -> str:
    found = queries.histogram(corpus, column, selection, BINS)
    span = span_of(selection, column)
    real = next((one.alias for one in corpus.columns if one.name == column), "") or column
    limits = tuple(dict.fromkeys(test.limit for test in moved_tests(corpus.recipe, selection.moved)
                                 if test.column in (column, real) and test != NEAR))
    alone = span == Span(column)
    return corpus_histogram.histogram(corpus_histogram.Histogram(
        column, found.edges, found.total, found.shown, found.kept, found.missing[1], alone, limits,
        (span.low, span.high) if span and not alone else None), lang)


def _heat(corpus: Corpus, selection: Selection, lang: str) -> str:
    found = queries.heat(corpus, "quality", "toxicity", selection, CELLS)
    x, y = span_of(selection, "quality"), span_of(selection, "toxicity")
    chosen = None
    if x and y and x.low is not None and x.high is not None and y.low is not None and y.high is not None:
        chosen = x.low, x.high, y.low, y.high
    cells = tuple(zip(*found.shown, strict=True))  # widgets count rows from below, the query columns first
    return corpus_heat.heat(corpus_heat.Heat(found.x, found.y, found.x_edges, found.y_edges, cells, chosen), lang)


def _bars(corpus: Corpus, name: str, selection: Selection, lang: str) -> str:
    found = queries.bars(corpus, BARRED[name], selection, 12)  # type: ignore[arg-type]
    rows = [corpus_bars.Bar(one.value, one.shown, one.total) for one in found.bars]
    if name == "domains" and not corpus.domains and all(not row.value for row in rows):
        rows = []
    return corpus_bars.bars(name, rows, getattr(selection, name), lang, found.others)
