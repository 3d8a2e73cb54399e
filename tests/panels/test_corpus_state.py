"""What every press of the Inspect view does to its state, and that the state survives the address."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backends.mdfg.explore.query import Query
from backends.mdfg.explore.selection import Selection, Span
from panels import corpus_state as states
from panels.corpus_state import State, changed, query_of, read, searched, select, taught
from workbench.contract import UserError

FULL = State("r1", Selection(
    show="dropped", failed=("length", "a,b~c"), first="script", only="", spans=(
        Span("n_chars", 10.0, None), Span("quality", None, 0.1), Span("dup_ratio")),
    domains=("law", ""), sources=("1/a b.jsonl",), words=("赌场", "a;b&c=d"), cluster=4,
    search=Query("words", '你好 "a b" -c', least=2.0), moved=((0, 250.0), (3, 0.125))),
    sort="quality", down=True, offset=100, opened=17, charts=("n_chars", "quality"))


def press(state: State, *presses: tuple[str, ...]) -> State:
    """The state after several presses."""
    for one in presses:
        state = changed(state, *one)
    return state


# --- the line of the address -----------------------------------------------------------------------------------------

def test_a_fresh_state_is_an_empty_line() -> None:
    assert State("r1").text == "" and read("", "r1") == State("r1")


def test_everything_survives_the_line() -> None:
    assert read(FULL.text, "r1") == FULL and read("?" + FULL.text, "r1") == FULL


@pytest.mark.parametrize("state", [
    State("r1", opened=0), State("r1", sort="score", down=False), State("r1", down=True), State("r1", offset=50),
    State("r1", charts=("toxicity",)), State("r1", Selection(domains=("",))),
    State("r1", Selection(search=Query("concept", like=(1, 2), unlike=(3,), least=0.5))),
    State("r1", Selection(search=Query("regex", r"\d{3}&x=[^;]+"))), State("r1", Selection(moved=((2, -1e-9),)))])
def test_single_parts_survive_the_line(state: State) -> None:
    assert read(state.text, "r1") == state


def test_the_line_of_another_corpus_means_nothing_here() -> None:
    assert read(FULL.text, "r2") == State("r2")


def test_a_line_without_a_corpus_is_read_for_this_one() -> None:
    assert read("show=kept&doc=3", "r9") == State("r9", Selection(show="kept"), opened=3)


@pytest.mark.parametrize("text", ["show=some", "range=n_chars", "range=n_chars~x~y", "limit=a~1", "limit=1~nan",
                                  "cluster=x", "find=guess:x"])
def test_parts_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(UserError):
        read(text, "r1")


@pytest.mark.parametrize("text", ["doc=x", "doc=-1", "from=1e3", "doc=99999999999999999999", "unknown=1", "%%%"])
def test_odd_places_are_left_out(text: str) -> None:
    assert read(text, "r1") == State("r1")


# --- verdicts --------------------------------------------------------------------------------------------------------

def test_rules_that_fail_are_toggled_one_by_one() -> None:
    state = press(State("r1"), ("failed", "length"), ("failed", "script"))
    assert state.selection.failed == ("length", "script")
    assert press(state, ("failed", "length")).selection.failed == ("script",)


@pytest.mark.parametrize("act", ["first", "only"])
def test_a_first_or_only_rule_is_exchanged_and_pressed_away(act: str) -> None:
    state = press(State("r1"), (act, "length"), (act, "script"))
    assert getattr(state.selection, act) == "script"
    assert press(state, (act, "script")).selection == Selection()


def test_the_verdict_is_one_of_three() -> None:
    assert press(State("r1"), ("show", "kept")).selection.show == "kept"
    assert press(FULL, ("show", "all")).selection.show == "all" and press(FULL, ("show", "")).selection.show == "all"
    with pytest.raises(UserError, match="some"):
        press(State("r1"), ("show", "some"))


# --- ranges ----------------------------------------------------------------------------------------------------------

def test_a_brush_takes_the_place_of_the_earlier_one() -> None:
    state = press(State("r1"), ("brush", "n_chars", "10 20"), ("brush", "quality", "0.5 1.0"),
                  ("brush", "n_chars", "30 40.5"))
    assert state.selection.spans == (Span("quality", 0.5, 1.0), Span("n_chars", 30.0, 40.5))


@pytest.mark.parametrize("value", ["", "10", "a b", "nan 1", "1 inf"])
def test_a_brush_without_two_numbers_is_refused(value: str) -> None:
    with pytest.raises(UserError, match="no number"):
        press(State("r1"), ("brush", "n_chars", value))


def test_ends_are_written_one_by_one_and_emptied() -> None:
    state = press(State("r1"), ("low", "n_chars", "10"))
    assert state.selection.spans == (Span("n_chars", 10.0, None),)
    state = press(state, ("high", "n_chars", "99"))
    assert state.selection.spans == (Span("n_chars", 10.0, 99.0),)
    state = press(state, ("low", "n_chars", " "))
    assert state.selection.spans == (Span("n_chars", None, 99.0),)
    assert press(state, ("high", "n_chars", "")).selection.spans == ()


def test_documents_without_a_value_are_a_range_too() -> None:
    state = press(State("r1"), ("missing", "quality"))
    assert state.selection.spans == (Span("quality"),)
    assert press(state, ("missing", "quality")).selection.spans == ()
    assert press(state, ("low", "quality", "0.5")).selection.spans == (Span("quality", 0.5, None),)


def test_a_cell_is_two_ranges_and_pressed_again_none() -> None:
    cell = ("cell", "quality toxicity", "0 0.5 0.1 1")
    state = press(State("r1"), ("brush", "n_chars", "1 2"), cell)
    assert state.selection.spans == (Span("n_chars", 1.0, 2.0), Span("quality", 0.0, 0.5), Span("toxicity", 0.1, 1.0))
    assert press(state, cell).selection.spans == (Span("n_chars", 1.0, 2.0),)


@pytest.mark.parametrize("value", ["", "1 2 3", "1 2 3 4 5", "a b c d"])
def test_a_cell_has_four_numbers(value: str) -> None:
    with pytest.raises(UserError):
        press(State("r1"), ("cell", "quality toxicity", value))


# --- lists, limits, clusters -----------------------------------------------------------------------------------------

def test_values_of_lists_are_toggled() -> None:
    state = press(State("r1"), ("pick", "domains", "law"), ("pick", "domains", ""), ("pick", "words", "赌场"))
    assert (state.selection.domains, state.selection.words) == (("law", ""), ("赌场",))
    assert press(state, ("pick", "domains", "law")).selection.domains == ("",)
    with pytest.raises(UserError, match="list"):
        press(state, ("pick", "show", "kept"))


def test_limits_are_moved_and_put_back() -> None:
    state = press(State("r1"), ("move", "2", "0.5"), ("move", "0", "250"), ("move", "2", "0.25"))
    assert state.selection.moved == ((0, 250.0), (2, 0.25))
    assert press(state, ("reset", "0")).selection.moved == ((2, 0.25),)
    assert press(state, ("reset", "")).selection.moved == ()


@pytest.mark.parametrize(("key", "value"), [("x", "1"), ("-1", "1"), ("0", ""), ("0", "nan"), ("0", "1,5")])
def test_a_limit_needs_a_test_and_a_number(key: str, value: str) -> None:
    with pytest.raises(UserError):
        press(State("r1"), ("move", key, value))


def test_a_cluster_is_shown_and_left() -> None:
    state = press(State("r1"), ("cluster", "12"))
    assert state.selection.cluster == 12 and press(state, ("cluster", "12")).selection.cluster is None
    with pytest.raises(UserError):
        press(State("r1"), ("cluster", "-1"))


# --- chips -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("key", "part", "left"), [
    ("show", "show", "all"), ("first", "first", ""), ("cluster", "cluster", None), ("search", "search", None),
    ("failed.length", "failed", ("a,b~c",)), ("domains.law", "domains", ("",)), ("domains.", "domains", ("law",)),
    ("sources.1/a b.jsonl", "sources", ()), ("words.赌场", "words", ("a;b&c=d",)),
    ("moved.0", "moved", ((3, 0.125),)), ("range.quality", "spans", (Span("n_chars", 10.0, None), Span("dup_ratio")))])
def test_each_chip_takes_its_own_part_away(key: str, part: str, left: object) -> None:
    after = press(FULL, ("unchip", key))
    assert getattr(after.selection, part) == left
    others = {name for name in ("show", "failed", "first", "spans", "domains", "sources", "words", "cluster", "search",
                                "moved") if name != part}
    assert all(getattr(after.selection, name) == getattr(FULL.selection, name) for name in others)


def test_a_chip_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="part of the filter"):
        press(FULL, ("unchip", "opened"))


def test_clearing_keeps_charts_and_the_open_document() -> None:
    assert press(FULL, ("clear",)) == State("r1", opened=17, charts=("n_chars", "quality"))


# --- the list --------------------------------------------------------------------------------------------------------

def test_sorting_begins_with_the_largest_and_turns_around() -> None:
    state = press(State("r1", offset=50), ("sort", "quality"))
    assert (state.sort, state.down, state.offset) == ("quality", True, 0)
    assert press(state, ("sort", "quality")).down is False
    assert (press(state, ("sort", "place")).sort, press(state, ("sort", "place")).down) == ("place", False)


def test_pages_and_documents_are_opened_by_number() -> None:
    assert press(State("r1"), ("page", "50"), ("open", "7")) == State("r1", offset=50, opened=7)
    for act in ("page", "open"):
        with pytest.raises(UserError, match="place"):
            press(State("r1"), (act, "7.5"))


@pytest.mark.parametrize("one", [("failed", "length"), ("show", "kept"), ("brush", "quality", "0 1"), ("clear",),
                                 ("pick", "words", "x"), ("move", "0", "1"), ("reset", "0"), ("unchip", "show")])
def test_every_change_of_the_filter_goes_back_to_the_first_page(one: tuple[str, ...]) -> None:
    assert press(FULL, one).offset == 0


@pytest.mark.parametrize("one", [("open", "3"), ("page", "150")])
def test_reading_does_not_change_the_filter(one: tuple[str, ...]) -> None:
    assert press(FULL, one).selection == FULL.selection


def test_a_forged_press_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="change of the filter"):
        changed(State("r1"), "drop table", "docs")


# --- searches --------------------------------------------------------------------------------------------------------

def test_a_search_brings_the_best_hits_first_and_leaves_with_its_order() -> None:
    state = searched(State("r1", offset=50), query_of("words", " 你好 ", None))
    assert state.selection.search == Query("words", "你好") and (state.sort, state.down, state.offset) == (
        "score", True, 0)
    assert searched(state, None) == State("r1")
    assert searched(replace(state, sort="quality"), None).sort == "quality"


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_search_is_none(text: str) -> None:
    assert query_of("words", text, 3.0) is None


def test_an_unknown_kind_of_search_is_refused() -> None:
    with pytest.raises(UserError, match="kind of search"):
        query_of("guess", "x", None)


def test_a_least_match_goes_along() -> None:
    assert query_of("meaning", "x", 0.4) == Query("meaning", "x", least=0.4)


def test_a_concept_grows_from_examples() -> None:
    state = taught(State("r1"), "like", 3)
    assert state.selection.search == Query("concept", like=(3,), least=0.5) and state.sort == "score"
    state = taught(taught(state, "unlike", 9), "like", 4)
    assert state.selection.search == Query("concept", like=(3, 4), unlike=(9,), least=0.5)
    assert taught(state, "unlike", 3).selection.search == Query("concept", like=(4,), unlike=(9, 3), least=0.5)
    assert taught(state, "like", 9).selection.search == Query("concept", like=(3, 4, 9), least=0.5)


def test_the_last_example_taken_back_ends_the_concept() -> None:
    assert taught(taught(State("r1"), "like", 3), "like", 3) == State("r1")


def test_a_concept_does_not_begin_with_a_counter_example() -> None:
    with pytest.raises(UserError, match="begins with an example"):
        taught(State("r1"), "unlike", 3)
    with pytest.raises(UserError, match="way to teach"):
        taught(State("r1"), "love", 3)


def test_a_concept_takes_the_place_of_another_search() -> None:
    assert taught(FULL, "like", 3).selection.search == Query("concept", like=(3,), least=0.5)


def test_select_replaces_parts_only() -> None:
    assert select(FULL, cluster=None).selection == replace(FULL.selection, cluster=None)
    assert states.span_of(FULL.selection, "quality") == Span("quality", None, 0.1)
    assert states.span_of(FULL.selection, "toxicity") is None
