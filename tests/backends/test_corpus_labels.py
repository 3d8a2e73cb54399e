"""Labels as commands: the latest counts, undo brings the one before back, and nothing that is broken does harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.explore.labels import (
    DIMENSIONS,
    DOMAIN,
    QUALITY,
    TOXICITY,
    Label,
    agreed,
    carried,
    checked,
    command_of,
    dimension,
    read_labels,
    undo_of,
)
from backends.mdfg.explore.sampled import sampled
from tests.backends.label_cases import label, made
from workbench.contract import UserError
from workbench.files import append_line, read_lines


def given_(place: int, value: str, by: str = "ann", what: str = "quality", **rest):
    return {"do": "label", "place": place, "id": f"id{place}", "what": what, "value": value, "by": by, **rest}


def test_the_latest_label_of_a_person_counts() -> None:
    found = read_labels([given_(1, "good"), given_(2, "bad"), given_(1, "bad", at=3.5)])
    assert [(one.place, one.value) for one in found.current] == [(2, "bad"), (1, "bad")], "in the order they were given"
    assert (found.given, found.undone, found.broken) == (3, 0, 0) and found.current[1].at == 3.5


def test_people_and_dimensions_do_not_replace_each_other() -> None:
    found = read_labels([given_(1, "good"), given_(1, "bad", by="bob"), given_(1, "toxic", what="toxicity")])
    assert len(found.current) == 3 and len(found.of("quality")) == 2 and len(found.of("quality", "bob")) == 1
    assert found.counts("quality") == {1: 2} and found.counts("domain") == {}
    assert [one.what for one in found.at(1)] == ["quality", "quality", "toxicity"] and not found.at(2)


def test_an_undo_brings_back_what_was_said_before() -> None:
    undo = {"do": "unlabel", "place": 1, "what": "quality", "by": "ann"}
    steps = [given_(1, "good"), given_(2, "good"), given_(1, "bad")]
    assert [one.value for one in read_labels([*steps, undo]).at(1)] == ["good"]
    twice = read_labels([*steps, undo, undo])
    assert not twice.at(1) and twice.undone == 2 and twice.given == 3
    assert read_labels([*steps, undo, undo, undo]).undone == 2, "nothing is left to undo"
    assert read_labels([undo]).current == ()
    again = read_labels([*steps, undo, given_(1, "unsure")])
    assert again.at(1)[0].value == "unsure"


def test_an_undo_is_of_one_person_and_dimension() -> None:
    steps = [given_(1, "good"), given_(1, "bad", by="bob"), given_(1, "toxic", what="toxicity")]
    left = read_labels([*steps, undo_of(label(1, by="bob"))])
    assert {(one.by, one.what) for one in left.current} == {("ann", "quality"), ("ann", "toxicity")}


def test_the_last_label_is_what_undo_takes_back() -> None:
    commands = [given_(1, "good"), given_(2, "bad", by="bob"), given_(3, "bad"), given_(1, "bad")]
    found = read_labels(commands)
    last = found.last("ann")
    assert last is not None and (last.place, last.value) == (1, "bad")
    then = read_labels([*commands, undo_of(last)])
    after = then.last("ann")
    assert after is not None and after.place == 3, "the older label of document 1 was given before that of 3"
    assert found.last("nobody") is None and found.annotators("quality") == ("ann", "bob")


@pytest.mark.parametrize("broken", [
    {"do": "label"}, given_(-1, "good"), {**given_(1, "good"), "place": "1"}, {**given_(1, "good"), "place": True},
    {**given_(1, "good"), "place": 1.5}, {**given_(1, "good"), "id": ""}, {**given_(1, "good"), "value": ""},
    {**given_(1, "good"), "value": None}, {**given_(1, "good"), "by": ""}, {**given_(1, "good"), "by": ["a"]},
    {**given_(1, "good"), "note": "x" * 2001}, {**given_(1, "good"), "value": {"a": 1}}, given_(1, "v" * 401)])
def test_what_is_no_label_is_counted_and_left_out(broken) -> None:
    found = read_labels([given_(5, "good"), broken, given_(6, "bad")])
    assert [one.place for one in found.current] == [5, 6] and found.broken == 1 and found.given == 2


@pytest.mark.parametrize("other", [
    {"do": "cluster", "cluster": 3, "keep": [1]}, {}, {"do": None}, {"do": ["label"]}, {"text": "x"},
    {"do": "unlabel"}, {"do": "unlabel", "place": [], "what": {}, "by": 3}])
def test_commands_of_other_kinds_are_passed_over(other) -> None:
    found = read_labels([other, given_(1, "good"), other])
    assert len(found.current) == 1 and (found.given, found.undone, found.broken) == (1, 0, 0)


def test_unknown_fields_of_a_newer_program_do_no_harm() -> None:
    found = read_labels([{**given_(1, "good"), "colour": "red", "at": 12.0}])
    assert found.current == (Label(1, "id1", "quality", "good", "ann", at=12.0),)


def test_a_file_with_torn_lines_is_read(tmp_path: Path) -> None:
    path = tmp_path / "commands.jsonl"
    append_line(path, given_(1, "good"))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"do": "label", "place": 2, "id"')
    append_line(path, given_(3, "bad", note="<script>alert(1)</script> 说明\u2028行"))
    found = read_labels(read_lines(path))
    assert [one.place for one in found.current] == [1, 3] and "\u2028" in found.current[1].note


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["good", "bad"]), st.sampled_from(["a", "b"]),
                          st.booleans()), max_size=30))
def test_labels_equal_a_slow_reading_of_the_history(steps) -> None:
    commands, history = [], []
    for place, value, by, undo in steps:
        if undo:
            commands.append({"do": "unlabel", "place": place, "what": "quality", "by": by})
            mine = [i for i, (p, _, b) in enumerate(history) if (p, b) == (place, by)]
            if mine:
                del history[mine[-1]]
        else:
            commands.append(given_(place, value, by))
            history.append((place, value, by))
    latest = {(place, by): value for place, value, by in history}
    found = {(one.place, one.by): one.value for one in read_labels(commands).current}
    assert found == latest


def test_a_command_gives_the_same_label_back() -> None:
    first = Label(7, "abc", "domain", "law|news", "ann", "why", "bins", "0f0f0f0f", "law")
    command = command_of(first)
    assert command["do"] == "label" and "at" not in command
    assert read_labels([command]).current == (first,)
    assert command_of(label(1)) == given_(1, "good", drawn="bins"), "what is empty is not written"


@pytest.mark.parametrize(("one", "scale", "message"), [
    (label(1, "great"), QUALITY, "quality is great; it must be one of good, bad, unsure"),
    (label(1, "good|bad"), QUALITY, "it takes one"),
    (label(1, "toxic", what="toxicity"), QUALITY, "toxic"),
    (label(1, "law|cooking", what="domain"), DOMAIN, "domain is cooking"),
    (label(1, "law|unsure", what="domain"), DOMAIN, "it takes one"),
    (label(1, "|", what="domain"), DOMAIN, "nothing"),
    (label(1, by="  "), QUALITY, "no name")])
def test_labels_that_say_nothing_known_are_refused(one: Label, scale, message: str) -> None:
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        checked(one, scale)


def test_labels_that_fit_are_taken() -> None:
    for value in ("good", "bad", "unsure"):
        assert checked(label(1, value), QUALITY).value == value
    assert checked(label(1, "law|news", what="domain"), DOMAIN).values == ("law", "news")
    assert checked(label(1, "rock", what="domain"), dimension("domain", ("rock", "jazz"))).values == ("rock",)


def test_dimensions_know_what_a_high_score_stands_for() -> None:
    assert (QUALITY.positive, QUALITY.negative) == ("good", "bad")
    assert (TOXICITY.positive, TOXICITY.negative, TOXICITY.threshold) == ("toxic", "harmless", 0.99)
    assert DOMAIN.positive == "" == DOMAIN.negative and len(DOMAIN.values) == 11
    assert dimension("quality", ("x", "y")) is QUALITY, "only domains differ between corpora"
    assert len({one.what for one in DIMENSIONS}) == 3
    with pytest.raises(UserError, match="no dimension named 'qualty'"):
        dimension("qualty")


def test_annotators_agree_by_majority() -> None:
    given = [label(1), label(1, by="bob"), label(1, "bad", "cat"),
             label(2), label(2, "bad", "bob"), label(3, "unsure"), label(3, "bad", "bob"), label(4, "unsure")]
    found = {one.place: one for one in agreed(given)}
    assert [found[place].value for place in (1, 2, 3, 4)] == [("good",), (), ("bad",), ()]
    assert [(found[p].people, found[p].unsure) for p in (1, 2, 3, 4)] == [(3, 0), (2, 0), (1, 1), (0, 1)]
    assert found[1].id == "id1" and agreed(()) == ()


def test_several_domains_are_agreed_one_by_one() -> None:
    given = [label(1, "law|news", "a", "domain"), label(1, "law", "b", "domain"), label(1, "news|law", "c", "domain"),
             label(2, "law|law", "a", "domain"), label(2, "news", "b", "domain")]
    assert [one.value for one in agreed(given)] == [("law", "news"), ()], "a word said twice is one vote"


def test_labels_are_carried_to_a_run_over_the_same_texts() -> None:
    moved = carried([label(1), label(2, "bad", note="n")], {"id2": 40})
    assert moved == (label(2, "bad", note="n").__class__(40, "id2", "quality", "bad", "ann", "n", "bins"),)


def test_only_fair_draws_speak_for_the_corpus() -> None:
    population = made([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    given = [label(0), label(1, drawn=""), label(2, drawn="chosen"), label(3, drawn="uncertain"),
             label(4, within="aaaa0000"), label(5, "unsure"), label(6), label(99), label(6, by="bob", drawn="random")]
    found = sampled(population, given, without={6})
    assert [one.place for one in found.labels] == [0]
    assert dict(found.left_out) == {"chosen": 2, "uncertain": 1, "selection": 1, "training": 2, "score": 1, "unsure": 1}
    inside = sampled(made([0.1] * 7, within="aaaa0000"), given)
    assert [one.place for one in inside.labels] == [0, 4, 6, 6], "drawn from all of it, or from this very selection"
