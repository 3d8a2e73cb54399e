"""The list of documents and the reader: one page of rows, one document with the evidence for its verdict."""

from __future__ import annotations

from collections.abc import Sequence

from backends.mdfg.explore import pages, reader
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.selection import Selection
from panels.corpus_state import PAGE, State
from workbench.text import say
from workbench.widgets import corpus_marks, corpus_table
from workbench.widgets.corpus_bars import value_name
from workbench.widgets.corpus_numbers import amount, column_name, count, rule_name
from workbench.widgets.facts import fold
from workbench.widgets.markup import element, esc, pairs

COLUMNS = ("n_chars", "quality", "toxicity")


def listing(corpus: Corpus, state: State, lang: str) -> str:
    """Fifty rows of the selection with a pager. Raises ``UserError`` for an order that the corpus cannot give."""
    page = pages.page(corpus, state.selection, state.sort, state.down, state.offset, PAGE)
    columns = _columns(corpus, state)
    lines = tuple(corpus_table.Line(row.place, row.source, row.number, row.snippet, row.failed, row.domain,
                                    tuple(_value(row, column, state.sort) for column in columns), row.mark)
                  for row in page.rows)
    return element("div", corpus_table.table(corpus_table.Listing(
        lines, columns, page.count.shown, state.offset, PAGE, state.sort, state.down, state.opened), lang), class_="co")


def _columns(corpus: Corpus, state: State) -> tuple[str, ...]:
    names = {column.name for column in corpus.columns}
    found = [name for name in COLUMNS if name in names]
    if state.selection.search is not None:
        found.insert(0, "score")
    return tuple(dict.fromkeys((*found, *([state.sort] if state.sort not in ("place", "score") else ()))))


def _value(row: pages.Row, column: str, sort: str) -> float | None:
    known = {"n_chars": float(row.n_chars), "quality": row.quality, "toxicity": row.toxicity, "score": row.score}
    return known.get(column, row.value if column == sort else None)


def stepped(corpus: Corpus, state: State, step: int) -> tuple[int, int] | None:
    """Place and page offset of the document after (1) or before (-1) the open one; of the first when none is open.

    ``None`` at either end of the list."""
    listed = pages.places(corpus, state.selection, state.sort, state.down, state.offset, PAGE)
    if not listed:
        return None
    if state.opened not in listed:
        return listed[0 if step > 0 else -1], state.offset
    at = listed.index(state.opened) + (1 if step > 0 else -1)
    if 0 <= at < len(listed):
        return listed[at], state.offset
    offset = state.offset + (PAGE if step > 0 else -PAGE)
    if offset < 0:
        return None
    other = pages.places(corpus, state.selection, state.sort, state.down, offset, PAGE)
    return (other[0 if step > 0 else -1], offset) if other else None


def document(corpus: Corpus, state: State, lang: str) -> str:
    """The open document: what it is, its text with the evidence, every value beside its limit."""
    if state.opened is None:
        return element("div", element("p", esc(say(lang, "corpus.reader.none")), class_="co-dim"),
                       class_="co co-reader")
    read = reader.read(corpus, state.opened, state.selection)
    inner = _head(read, state, lang) + _tools(read, state.selection, lang) + _about(read, lang)
    inner += corpus_marks.legend(list(read.marked.items()), lang)
    inner += corpus_marks.marked([_piece(piece) for piece in read.pieces], lang)
    inner += corpus_marks.values([_judged(one) for one in read.judgements], lang) + _values(read, lang)
    inner += "".join(element("p", esc(note), class_="co-dim") for note in read.notes)
    return element("div", inner, class_="co co-reader")


def _head(read: reader.Reading, state: State, lang: str) -> str:
    verdict = (say(lang, "corpus.kept"), "co-good") if read.kept else (
        say(lang, "corpus.reader.dropped", rule=rule_name(read.first, lang)), "co-bad")
    parts = [read.document.title, say(lang, "corpus.reader.from", source=read.source, number=count(read.number)),
             read.document.url, value_name("domains", read.domain, lang) if read.domain else ""]
    title = element("h4", esc(say(lang, "corpus.reader.title", place=count(read.document.place))))
    return element("div", title + element("span", esc(verdict[0]), class_=f"co-tag {verdict[1]}")
                   + "".join(element("span", esc(part)) for part in parts if part), class_="co-read-head")


def _tools(read: reader.Reading, selection: Selection, lang: str) -> str:
    def button(act: str, key: str, words: str, pressed: bool | None = None, value: str = "") -> str:
        return element("button", esc(words), type="button", class_="wb-small", data_act=act, data_key=key,
                       data_value=value, data_focus=f"{act}.{value}",
                       aria_pressed=None if pressed is None else str(pressed).lower())
    place = read.document.place
    search = selection.search
    made = button("step", "", say(lang, "corpus.reader.back"), value="-1")
    made += button("step", "", say(lang, "corpus.reader.on"), value="1")
    made += button("like", str(place), say(lang, "corpus.reader.like"), bool(search and place in search.like))
    made += button("unlike", str(place), say(lang, "corpus.reader.unlike"), bool(search and place in search.unlike))
    if read.cluster_size > 1:
        made += button("cluster", str(read.cluster), say(lang, "corpus.reader.cluster", n=count(read.cluster_size)),
                       selection.cluster == read.cluster)
    return element("div", made, class_="co-reads")


def _about(read: reader.Reading, lang: str) -> str:
    """The listed words and the lines they are divided by: what the rule of listed words hangs on."""
    if not read.words:
        return ""
    return element("p", esc(say(lang, "corpus.reader.words", words="、".join(read.words[:20]), lines=amount(
        read.values.get("n_lines")))), class_="co-dim")


def _piece(piece: reader.Piece) -> corpus_marks.Piece:
    notes = dict.fromkeys(mark.note for mark in piece.marks if mark.note)
    return corpus_marks.Piece(piece.text, tuple(dict.fromkeys(mark.kind for mark in piece.marks)), ", ".join(notes))


def _judged(one: reader.Judgement) -> corpus_marks.Judged:
    return corpus_marks.Judged(one.rule, one.column, one.value, one.drop_if, one.limit, one.fails, one.first, one.moved)


def _values(read: reader.Reading, lang: str) -> str:
    rows: Sequence[tuple[str, str]] = [(esc(column_name(name, lang)), esc(amount(value)))
                                       for name, value in read.values.items()]
    return fold("corpus.values", say(lang, "corpus.reader.all"), pairs(rows))
