"""The Inspect view as a whole: any state survives the address, any presses end in a view that can be drawn, search by
meaning over a real index, how events are wired, what the page keeps in its address, what the web process imports."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.query import Query
from backends.mdfg.explore.selection import Selection, Span
from backends.mdfg.index_request import IndexRequest
from backends.mdfg.index_task import run as make_index
from panels import corpus_draw as drawing
from panels import corpus_inspect as view
from panels import corpus_reader as reading
from panels.corpus_state import State, changed, read, taught
from tests.backends.explore_cases import filtered, full_texts
from tests.panels.test_corpus_inspect import listed, plain
from tests.panels.test_dialogue_wiring import Page, noting
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.theme import FOLDER
from workbench.widgets import corpus_funnel, corpus_histogram, corpus_marks
from workbench.widgets.corpus_numbers import amount, exact
from workbench.widgets.corpus_press import GIVE, TAKE

ROOT = Path(__file__).resolve().parents[2]
QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.text(min_size=1, max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)
PLACES = st.integers(0, 10**9)
SPANS = st.builds(Span, NAMES, st.none() | NUMBERS, st.none() | NUMBERS)
QUERIES = st.builds(Query, st.sampled_from(["words", "regex", "meaning"]), st.text(min_size=1, max_size=20).filter(
    str.strip), st.just(()), st.just(()), st.floats(0, 10))
CONCEPTS = st.builds(lambda like, unlike: Query("concept", like=tuple(like), unlike=tuple(unlike), least=0.5),
                     st.lists(PLACES, min_size=1, max_size=4), st.lists(PLACES, max_size=4))
SELECTIONS = st.builds(
    Selection, show=st.sampled_from(["all", "kept", "dropped"]), failed=st.lists(NAMES, max_size=3).map(tuple),
    first=st.just("") | NAMES, only=st.just("") | NAMES, spans=st.lists(SPANS, max_size=3).map(tuple),
    domains=st.lists(NAMES, max_size=2).map(tuple), sources=st.lists(NAMES, max_size=2).map(tuple),
    words=st.lists(NAMES, max_size=2).map(tuple), cluster=st.none() | PLACES,
    search=st.none() | QUERIES | CONCEPTS,
    moved=st.dictionaries(st.integers(0, 40), NUMBERS, max_size=3).map(lambda d: tuple(sorted(d.items()))))
STATES = st.builds(State, st.just("20261122T171537-ece0df"), SELECTIONS, st.sampled_from(["place", "score", "quality"]),
                   st.booleans(), PLACES, st.none() | PLACES,
                   st.lists(st.sampled_from(["n_chars", "quality", "zh.good"]), max_size=3).map(tuple))
PRESSES = st.lists(st.one_of(
    st.tuples(st.sampled_from(["failed", "first", "only"]), st.sampled_from(["length", "script", "duplication"]),
              st.just("")),
    st.tuples(st.just("show"), st.sampled_from(["all", "kept", "dropped"]), st.just("")),
    st.tuples(st.just("brush"), st.sampled_from(["n_chars", "quality", "dup_ratio"]),
              st.tuples(st.floats(-5, 500), st.floats(-5, 500)).map(lambda pair: f"{min(pair)} {max(pair)}")),
    st.tuples(st.sampled_from(["low", "high"]), st.just("n_chars"), st.sampled_from(["", "10", "200"])),
    st.tuples(st.just("missing"), st.just("quality"), st.just("")),
    st.tuples(st.just("pick"), st.sampled_from(["domains", "words", "sources"]),
              st.sampled_from(["law", "source.jsonl", "赌场", "'; DROP TABLE docs; --"])),
    st.tuples(st.just("pick"), st.just("domains"), st.just("")),
    st.tuples(st.just("move"), st.sampled_from("012345"), st.sampled_from(["0", "0.3", "100", "-1e9", "1e9"])),
    st.tuples(st.just("reset"), st.sampled_from(["", "0", "5"]), st.just("")),
    st.tuples(st.just("cluster"), st.sampled_from("012"), st.just("")),
    st.tuples(st.just("sort"), st.sampled_from(["place", "quality", "n_chars"]), st.just("")),
    st.tuples(st.just("page"), st.sampled_from(["0", "50", "100000"]), st.just("")),
    st.tuples(st.just("open"), st.sampled_from(["0", "7"]), st.just("")),
    st.tuples(st.just("clear"), st.just(""), st.just(""))), max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filtered(tmp_path_factory.mktemp("whole"), 90, seed=3)


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Iterator[Corpus]:
    opened = Corpus.open(folder)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with noting(tmp_path_factory.mktemp("whole_page")) as built:
        yield built


# --- any state, any presses ------------------------------------------------------------------------------------------

@QUICK
@given(STATES)
def test_any_state_survives_the_address(state: State) -> None:
    assert read(state.text, state.of) == state and read(state.text, "another").selection == Selection()


@QUICK
@given(PRESSES)
def test_any_presses_end_in_a_view_that_can_be_drawn(corpus: Corpus, presses: list[tuple[str, str, str]]) -> None:
    state = State("r")
    for act, key, value in presses:
        state = changed(state, act, key, value)
        assert read(state.text, "r") == state
    made = view.draw(corpus, state, "en")
    shown = drawing.queries.count(corpus, state.selection).shown
    assert f"{shown:,} of 90 documents" in plain(made["bar"]) or (shown == 90 and "all 90" in plain(made["bar"]))
    assert len(listed(made["table"])) == max(0, min(50, shown - state.offset))
    assert sum(len(part.encode()) for part in made.values()) < 200_000


@QUICK
@given(PRESSES)
def test_every_chip_that_is_shown_takes_something_away(corpus: Corpus, presses: list[tuple[str, str, str]]) -> None:
    state = State("r")
    for act, key, value in presses:
        state = changed(state, act, key, value)
    chips = drawing.chips(corpus, state.selection, "zh-CN")
    assert len({key for key, _ in chips}) == len(chips)
    for key, _ in chips:
        state = changed(state, "unchip", key)
    assert state.selection == Selection(show=state.selection.show) and not drawing.chips(corpus, state.selection, "en")


# --- drawings --------------------------------------------------------------------------------------------------------

@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30, unique=True).map(sorted), st.data())
def test_positions_rise_with_values_and_stay_inside(edges: list[float], data: st.DataObject) -> None:
    low, high = sorted((data.draw(st.floats(-2e6, 2e6)), data.draw(st.floats(-2e6, 2e6))))
    places = [corpus_histogram.position(value, edges) for value in (low, high)]
    assert 0 <= places[0] <= places[1] <= 1
    bins = len(edges) - 1
    for i, edge in enumerate(edges):
        assert corpus_histogram.position(edge, edges) == pytest.approx(i / bins, abs=1e-6)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=60))
def test_curves_stay_in_their_box(kept: list[int]) -> None:
    drawn = corpus_funnel.curve(kept)
    points = drawn.split('<polyline points="')[1].split('"')[0].split()
    heights = [float(point.split(",")[1]) for point in points]
    assert len(points) == len(kept) and all(1.9 <= high <= corpus_funnel.HEIGHT - 1.9 for high in heights)
    assert heights[kept.index(max(kept))] == min(heights) and heights[kept.index(min(kept))] == max(heights)


@given(st.floats(-1e300, 1e300))
def test_numbers_are_short_and_exact_ones_are_exact(value: float) -> None:
    assert float(exact(value)) == value and len(amount(value)) <= 24
    assert math.isclose(float(amount(value).replace(",", "")), value, rel_tol=0.06, abs_tol=0.06)


@given(st.lists(st.tuples(st.text(max_size=20), st.lists(st.sampled_from(["sensitive", "personal"]), max_size=2)),
                max_size=8))
def test_marked_text_is_the_text(parts: list[tuple[str, list[str]]]) -> None:
    import html
    import re

    drawn = corpus_marks.marked([corpus_marks.Piece(text, tuple(kinds)) for text, kinds in parts], "en")
    inner = re.sub(r"</?mark[^>]*>", "", drawn.partition(">")[2].rpartition("</div>")[0])
    assert html.unescape(inner) == html.unescape(html.escape("".join(text for text, _ in parts)))


# --- search by meaning over a real index -----------------------------------------------------------------------------

@pytest.fixture(scope="module")
def indexed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """The corpus with an index of meaning."""
    context = MemoryContext(tmp_path_factory.mktemp("index") / "run")
    make_index(IndexRequest(f"path:{folder / 'artifacts'}", dimensions=16, sample=90), context)
    opened = Corpus.open(folder, context.run)
    yield opened
    opened.close()


def test_a_search_by_meaning_lists_the_closest_first(indexed: Corpus, folder: Path) -> None:
    texts = full_texts(folder)
    place = max(range(len(texts)), key=lambda i: len(texts[i]))
    state = State("r", Selection(search=Query("meaning", texts[place][:300])), sort="score", down=True)
    drawn = reading.listing(indexed, state, "en")
    same = [i for i, text in enumerate(texts) if text[:100] == texts[place][:100]]
    assert listed(drawn)[0] in same and "match ↓" in drawn
    assert "meaning: " in plain(drawing.bar(indexed, state, "en"))


def test_a_concept_is_taught_in_the_reader(indexed: Corpus) -> None:
    state = taught(taught(State("r", opened=3), "like", 3), "unlike", 5)
    made = view.draw(indexed, state, "en")
    assert "concept: 1 examples, 1 counter-examples" in plain(made["bar"])
    assert 'data-act="like" data-key="3"' in made["reader"] and 'aria-pressed="true"' in made["reader"]
    found = listed(reading.listing(indexed, state, "en"))
    assert 5 not in found


def test_without_an_index_the_search_says_what_to_do(corpus: Corpus) -> None:
    with pytest.raises(UserError, match="index"):
        reading.listing(corpus, State("r", Selection(search=Query("meaning", "雨")), sort="score"), "en")


# --- wiring ----------------------------------------------------------------------------------------------------------

def events(page: Page, name: str) -> list[Any]:
    return [block for block in page.handlers("panels.corpus_inspect") if block.fn.__name__ == name]


def test_every_pane_answers_presses_and_drops_none(page: Page) -> None:
    found = events(page, "press")
    assert len(found) == len(view.PARTS) and {block.trigger_mode for block in found} == {"multiple"}
    assert all(len(block.outputs) == 2 + 2 * len(view.PARTS) + 4 for block in found)


@pytest.mark.parametrize(("name", "times"), [("press", 5), ("search", 1), ("choose", 1), ("ask", 1)])
def test_what_changes_the_state_takes_and_gives_back_its_turn(page: Page, name: str, times: int) -> None:
    """An answer and a refusal both let the next one begin; what is no press waits for its turn first."""
    blocks, found = page.blocks.fns, events(page, name)
    assert len(found) == times
    for block in found:
        after = [one for one in blocks.values() if one.trigger_after == block._id]
        assert {(one.trigger_only_on_success, one.trigger_only_on_failure, one.js) for one in after} == {
            (True, False, GIVE), (False, True, GIVE)}
        if name != "press":
            assert blocks[block.trigger_after].js == TAKE and blocks[block.trigger_after].trigger_mode == "multiple"


def test_what_is_polled_is_quick_and_moves_no_layout(page: Page) -> None:
    for name in ("look", "wait"):
        (block,) = events(page, name)
        assert block.queue is False and {type(part).__name__ for part in block.outputs} <= {"HTML", "Textbox"}


def test_no_handler_of_the_tab_is_public(page: Page) -> None:
    names = [block for block in page.handlers("panels.corpus") if block.api_visibility != "private"]
    assert names == []


def test_nothing_of_the_corpus_is_in_the_page_before_it_is_asked_for(page: Page) -> None:
    sent = str(page.blocks.config)
    assert "co-funnel" not in sent and "sample.jsonl" not in sent


def test_the_state_is_kept_in_the_address_and_put_back(page: Page) -> None:
    scripts = [str(block.js) for block in page.blocks.fns.values() if block.js]
    assert sum("wb.hold('corpus'" in script for script in scripts) == 1
    assert sum("wb.held('corpus')" in script for script in scripts) == 1
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    assert "wb.hold = " in script and "wb.held = " in script


def test_the_view_needs_no_heavy_library() -> None:
    code = ("import sys, panels.corpus; bad = [m for m in ('torch', 'transformers', 'sklearn') if m in sys.modules]; "
            "print(bad); sys.exit(bool(bad))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


# --- corners ---------------------------------------------------------------------------------------------------------

def test_a_selection_of_nothing_is_counted_with_moved_limits(corpus: Corpus) -> None:
    state = changed(changed(State("r"), "pick", "sources", "no such file"), "move", "0", "10")
    made = view.draw(corpus, state, "en")
    assert "0 of 90 documents" in plain(made["bar"]) and "0 of 0 kept (0.0 %)" in plain(made["rules"])
    assert "0 more documents are kept and 0 more are dropped" in plain(made["rules"])
    assert "Take something out of it" in made["table"] and "No shown document has both values." in made["charts"]


def test_one_document_is_a_corpus(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, texts=["春天的雨下了一整夜。" * 40]))
    made = view.draw(opened, State("r", opened=0), "en")
    assert "all 1 documents" in plain(made["bar"]) and listed(made["table"]) == [0]
    assert made["charts"].count("<svg") == len(drawing.shown_columns(opened, State("r")))
    moved = view.draw(opened, changed(State("r"), "move", "0", "1000000"), "en")
    assert "0 of 1 kept" in plain(moved["rules"])
    opened.close()


@pytest.mark.parametrize("recipe", ["zh-fineweb2", "zh-ratio", "zh-paper-text", "zh-strict-char", "en-fineweb"])
def test_every_preset_can_be_looked_at(tmp_path: Path, recipe: str) -> None:
    opened = Corpus.open(filtered(tmp_path, 24, recipe=recipe))
    for lang in ("en", "zh-CN"):
        made = view.draw(opened, State("r", opened=1), lang)
        assert made["rules"].count('type="range"') == len(opened.recipe.tests)
        assert sum(len(part.encode()) for part in made.values()) < 200_000
    assert len(drawing.shown_columns(opened, State("r"))) <= drawing.CHARTS
    opened.close()
