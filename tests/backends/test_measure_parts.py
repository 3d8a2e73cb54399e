"""The parts of the measuring task one by one, with numbers worked out by hand: draws, notes, sources, strategies,
words, course, quality control and the files."""

from __future__ import annotations

import csv
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.sweetiechat import measure
from backends.sweetiechat.measure_draws import Draws, draw
from backends.sweetiechat.measure_notes import note, of_interval, of_preference
from backends.sweetiechat.measure_quality import quality_of
from backends.sweetiechat.measure_report import COLUMNS, Measured, differences, source_json, write_csv
from backends.sweetiechat.measure_request import MeasureRequest
from backends.sweetiechat.measure_sources import (
    Pair,
    Source,
    commonest_set,
    holds_predictions,
    pairs_of_lines,
    places,
    read_source,
    set_of_labels,
    with_strategies,
)
from backends.sweetiechat.measure_strategies import (
    Vector,
    agreement_figures,
    each_strategy,
    reference_shares,
    third_counts,
    usable,
    usage,
    use_figures,
)
from backends.sweetiechat.measure_texts import (
    course_figures,
    distinct_figures,
    reply_figures,
    stop_reasons,
    word_figures,
)
from backends.sweetiechat.metrics.intervals import interval_of
from backends.sweetiechat.metrics.tokens import tokenizer
from backends.sweetiechat.objects import Dialogue, Strategy, StrategySet, dialogue_to_json
from backends.sweetiechat.reviews import DIALOGUES, QUARANTINED, REVIEWS
from tests.backends.quality_cases import SET, dialogue, said
from tests.backends.test_measure import a_run, talk, write
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.settings import Settings

REQUEST = MeasureRequest(resamples=20)
CHARS, WORDS = tokenizer("chars"), tokenizer("words")
EVEN = dict.fromkeys(SET.keys, 5.0)
Make = Callable[..., Measured]


def drawer(rows: np.ndarray, statistic: Callable[[np.ndarray], Sequence[float]]) -> Draws:
    """Twenty draws of a fixed seed."""
    return draw(rows, statistic, random.Random(0), 20)


def values(vectors: Sequence[Vector]) -> dict[str, float]:
    """Every number by its name."""
    return {name: float(v.drawn.values[i]) for v in vectors for i, name in enumerate(v.names)}


def chat(name: str, *strategies: str | None, levels: Sequence[int | None] = ()) -> Dialogue:
    """A dialogue of as many rounds as strategies; ``levels``: the seeker's intensity in each round."""
    rows = []
    for place, key in enumerate(strategies):
        level = levels[place] if place < len(levels) else None
        rows += [("seeker", f"Round {place} of {name}.", None, level), ("supporter", f"Reply {place}.", key)]
    return dialogue(rows, name)


def source_of(*dialogues: Dialogue, pairs: Sequence[Pair] = (), reference: str = "path:a", language: str = "en",
              strategies: StrategySet = SET) -> Source:
    return Source(reference, dialogues, tuple(pairs), len(dialogues), strategies, language, "synthetic", (), ())


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> MemoryContext:
    """Where the parts are measured; nothing is written there."""
    return MemoryContext(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="module")
def made_of(context: MemoryContext) -> Make:
    """Measures a source against the same share of every strategy."""
    def made(source: Source, seeds: tuple[int, int] = (0, 0), counts: Mapping[str, float] = EVEN) -> Measured:
        reference = measure.Reference("even", source.strategies, counts, "synthetic")
        return measure.measure(source, reference, REQUEST, context, seeds)
    return made


# --- draws -----------------------------------------------------------------------------------------------------------

def test_one_dialogue_gives_the_same_number_in_every_draw_and_no_interval() -> None:
    found = draw(np.array([[3, 6]]), lambda s: [s[0] / s[1], s[1]], random.Random(4), 7)
    assert found.draws.shape == (7, 2) and found.draws.tolist() == [[0.5, 6.0]] * 7
    whole = found.interval(1, 0.95)
    assert (whole.value, whole.low, whole.high) == (6.0, None, None)


def test_each_draw_takes_as_many_dialogues_as_there_are() -> None:
    found = draw(np.array([[1, 10], [1, 20], [1, 30]]), lambda s: [s[0], s[1]], random.Random(1), 50)
    assert set(found.draws[:, 0]) == {3.0} and found.values.tolist() == [3.0, 60.0]
    assert set(found.draws[:, 1]) <= {30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0} and len(set(found.draws[:, 1])) > 3


def test_dialogues_that_are_all_alike_have_an_interval_of_no_width() -> None:
    found = draw(np.full((12, 2), 4), lambda s: [s[0] / s[1]], random.Random(1), 30).interval(0, 0.9)
    assert (found.low, found.value, found.high, found.notes) == (1.0, 1.0, 1.0, ())


def test_a_table_of_counts_keeps_its_shape_in_every_draw() -> None:
    shapes = []
    draw(np.ones((4, 2, 3)), lambda s: shapes.append(s.shape) or [s.sum()], random.Random(0), 5)
    assert shapes == [(2, 3)] * 6


@pytest.mark.parametrize(("resamples", "ticks"), [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_a_cancel_is_asked_for_once_in_a_hundred_draws(resamples: int, ticks: int) -> None:
    seen: list[int] = []
    draw(np.ones((2, 1)), lambda s: [s[0]], random.Random(0), resamples, lambda: seen.append(1))
    assert len(seen) == ticks


def test_a_statistic_that_no_dialogue_defines_is_an_error_at_once() -> None:
    def never(total: np.ndarray) -> list[float]:
        raise UserError("no label at all")
    with pytest.raises(UserError, match="no label at all"):
        draw(np.ones((3, 1)), never, random.Random(0), 5)


def test_quantiles_lie_where_the_level_says() -> None:
    five = Draws(np.array([2.0]), np.arange(5.0).reshape(5, 1), 20)
    assert [(i.low, i.high) for i in (five.interval(0, 0.5), five.interval(0, 0.999))] == [
        (1.0, 3.0), (pytest.approx(0.002), pytest.approx(3.998))]


def test_parts_and_differences_keep_their_draws_beside_their_values() -> None:
    first = Draws(np.array([1.0, 2.0, 3.0]), np.array([[1.0, 2.0, 3.0], [0.0, 2.0, 4.0]]), 9)
    second = Draws(np.array([5.0]), np.array([[6.0], [5.0]]), 4)
    part = first.part(2, 3)
    assert part.values.tolist() == [3.0] and part.draws.tolist() == [[3.0], [4.0]] and part.dialogues == 9
    apart = second.minus(part)
    assert apart.values.tolist() == [2.0] and apart.draws.tolist() == [[3.0], [1.0]] and apart.dialogues == 4


# --- notes -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("dialogues", "codes"), [(1, ["one"]), (2, ["few"]), (9, ["few"]), (10, []), (500, [])])
def test_an_interval_over_few_dialogues_says_how_few(dialogues: int, codes: list[str]) -> None:
    found = of_interval(interval_of(1.0, [1.0, 2.0], dialogues, 0.95))
    assert [n.code for n in found] == codes and all(n.values.get("n", dialogues) == dialogues for n in found)


def test_draws_without_a_value_are_counted_in_the_note() -> None:
    found = of_interval(interval_of(1.0, [1.0, math.nan, math.inf, 2.0], 40, 0.95))
    assert [(n.code, n.values) for n in found] == [("undefined", {"n": 2, "draws": 4})]
    assert found[0].text == "undefined in 2 of 4 draws, which are left out"


def test_what_a_note_is_filled_with_is_not_filled_in_again() -> None:
    assert note("skipped", n=1, first="line 3: {total} 行").text.endswith("the first: line 3: {total} 行")
    assert note("never-gold", keys="提问, 安慰").values == {"keys": "提问, 安慰"}


@pytest.mark.parametrize(("code", "values_"), [("few", {}), ("unheard of", {"n": 1})])
def test_a_note_without_its_words_or_values_is_a_mistake_in_the_code(code: str, values_: dict[str, int]) -> None:
    with pytest.raises(KeyError):
        note(code, **values_)


def test_other_warnings_of_preference_are_no_notes() -> None:
    assert of_preference(["something else", "问 is never confused; its preference is taken as 1"]) == (
        note("never-confused", key="问"),)


# --- sources ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("name", "first", "expected"), [
    ("p.jsonl", {"gold": "question", "said": "others"}, True), ("p.jsonl", {"gold": "", "response": "嗯。"}, True),
    ("p.jsonl", {"gold": "question"}, False), ("p.jsonl", {"said": "question"}, False),
    ("p.jsonl", {"gold": "a", "said": "b", "turns": []}, False), ("p.json", {"gold": "a", "said": "b"}, False),
])
def test_predictions_are_known_by_the_names_in_their_first_line(tmp_path: Path, name: str, first: dict[str, object],
                                                                 expected: bool) -> None:
    (tmp_path / name).write_text(json.dumps(first) + "\n", encoding="utf-8")
    assert holds_predictions(tmp_path / name) is expected


def test_an_empty_file_holds_no_predictions(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_bytes(b"")
    assert not holds_predictions(tmp_path / "p.jsonl")


@pytest.mark.parametrize(("line", "expected"), [
    ({"dialogue": 7, "gold": " question ", "said": "\tothers\n"}, Pair("7", "question", "others")),
    ({"gold": "  ", "said": 5, "reference": None, "response": ["x"]}, Pair("0", None, None)),
    ({"reference": " 为什么？ ", "response": " 好的。"}, Pair("0", None, None, "为什么？", "好的。")),
    ({}, Pair("0", None, None)),
])
def test_a_line_of_predictions_is_trimmed_and_odd_values_are_nothing(line: dict[str, object], expected: Pair) -> None:
    assert pairs_of_lines([line]) == [expected]


def test_a_run_is_read_file_by_file_and_empty_files_are_passed_over(settings: Settings, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run", settings=settings)
    row = {"gold": "question", "said": "question"}
    run = a_run(settings, {DIALOGUES: [], "predictions.jsonl": [row]})
    assert [path.name for path in places(f"run:{run}", context)] == ["predictions.jsonl"]
    assert [path.name for path in places(f"run:{run}/predictions.jsonl", context)] == ["predictions.jsonl"]
    with pytest.raises(UserError, match="has no artifact"):
        places(f"run:{run}/other.jsonl", context)


def test_a_decision_counts_for_the_quarantined_dialogue_it_names_only(settings: Settings, tmp_path: Path) -> None:
    waiting = {"report": {"status": "quarantined", "verdicts": []}}
    rows = [dialogue_to_json(replace(talk(n, "question"), qc=waiting)) for n in (1, 2)]
    decided = [{"dialogue": "d001", "decision": "accept", "at": "now"}, {"dialogue": "d003", "decision": "accept"}]
    run = a_run(settings, {QUARANTINED: rows, REVIEWS: decided})
    context = MemoryContext(tmp_path / "run", settings=settings)
    for accepted, names in (("all", ["d001", "d002"]), ("accepted", ["d001"]), ("refused", ["d002"])):
        request = replace(REQUEST, data=f"run:{run}", accepted=accepted)
        assert [d.id for d in read_source(request.data, request, context).dialogues] == names, accepted


def test_dialogues_and_pairs_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", [talk(3, "others"), talk(1, "question")])
    found = read_source(f"  path:{path} ", REQUEST, MemoryContext(tmp_path / "run"))
    assert [d.id for d in found.dialogues] == ["d001", "d003"] and found.reference == f"path:{path}"
    lines = [{"dialogue": name, "gold": "question", "said": "others", "reference": "为什么难过？", "response": "嗯"}
             for name in ("b", "a")]
    (tmp_path / "p.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n", encoding="utf-8")
    other = read_source(f"path:{tmp_path / 'p.jsonl'}", REQUEST, MemoryContext(tmp_path / "run"))
    assert [p.unit for p in other.pairs] == ["a", "b"] and (other.total, other.dialogues) == (0, ())
    assert (other.language, other.strategies.name, other.provenance) == ("zh", "esconv-8", "")


@pytest.mark.parametrize(("second", "provenance"), [
    ({"models": {"seeker": "m1"}}, "synthetic"), ({"qc": {"source": {"made_by": "people"}}}, ""), ({}, "")])
def test_only_sources_of_one_kind_have_a_provenance(tmp_path: Path, second: dict[str, object],
                                                    provenance: str) -> None:
    first = talk(1, "question", models={"seeker": "m1", "supporter": "m2"})
    path = write(tmp_path / "d.jsonl", [first, talk(2, "others", **second)])
    found = read_source(f"path:{path}", REQUEST, MemoryContext(tmp_path / "run"))
    assert found.provenance == provenance and found.models == ("m1", "m2")


def test_the_set_of_most_dialogues_is_measured_and_the_first_of_equals() -> None:
    own = chat("a", "question")
    other = replace(own, strategy_set=StrategySet("two", "1", SET.items[:2]))
    assert commonest_set([other, own, own]).name == "three" and commonest_set([other, own]).name == "two"


def test_no_label_at_all_belongs_to_the_first_set() -> None:
    assert set_of_labels(set()).name == "esconv-8"


def test_mapped_strategies_that_have_no_place_are_none_and_other_sets_stay() -> None:
    pairs = [Pair("a", "question", "others"), Pair("a", None, "suggestions")]
    far = replace(chat("z", "question"), strategy_set=StrategySet("far", "1", SET.items[:1]))
    two = StrategySet("two", "1", SET.items[:2])
    made = with_strategies(source_of(far, chat("a", "question", "others", None), pairs=pairs), two,
                           {"question": "affirmation", "suggestions": "question"})
    assert [t.strategy for t in made.dialogues[0].said_by("supporter")] == ["affirmation", None, None]
    assert made.dialogues[1] is far and made.strategies is two
    assert [(p.gold, p.said) for p in made.pairs] == [("affirmation", None), (None, "question")]
    assert made.notes[-1] == note("mapped", **{"from": "three"})


# --- strategies ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("turns", "thirds"), [
    (1, [0, 1, 0]), (2, [1, 0, 1]), (3, [1, 1, 1]), (4, [1, 2, 1]), (5, [2, 1, 2]), (7, [2, 3, 2])])
def test_every_turn_lies_in_one_third(turns: int, thirds: list[int]) -> None:
    found = third_counts([chat("a", *["question"] * turns)], SET)
    assert found.shape == (1, 3, 4) and found[0, :, 0].tolist() == thirds and found[0, :, 1:].sum() == 0


def test_turns_without_a_strategy_count_for_thirds_but_not_in_them() -> None:
    found = third_counts([chat("a", None, "others", None), replace(chat("b"), turns=())], SET)
    assert found.shape == (1, 3, 4) and found[0].tolist() == [[0] * 4, [0, 0, 0, 1], [0] * 4]


def test_a_label_that_the_set_does_not_declare_is_named() -> None:
    with pytest.raises(UserError, match="'hypnosis' is not among"):
        third_counts([chat("a", "hypnosis")], SET)


def test_transitions_do_not_cross_a_gap_or_two_dialogues() -> None:
    found = usage([chat("a", "question", None, "others"), chat("b", "others", "question", "question")], SET)
    assert (found.labelled, found.turns) == (5, 6)
    assert found.transitions.counts == ((1, 0, 0, 0), (0,) * 4, (0,) * 4, (1, 0, 0, 0))


def test_shares_stages_entropy_and_distance_by_hand() -> None:
    talks = [chat("a", "question", "affirmation"), chat("b", "question", "suggestions")]
    found = values(use_figures(talks, SET, EVEN, drawer))
    assert [found[f"share/{key}"] for key in SET.keys] == [0.5, 0.25, 0.25, 0.0]
    assert [found[f"stage/first/{s}"] for s in ("exploration", "comforting", "action", "any")] == [1.0, 0, 0, 0]
    assert found["stage/last/action"] == 0.5 and math.isnan(found["stage/middle/any"])
    assert found["entropy/all"] == 1.5 and found["entropy/first"] == 0.0 and found["entropy/last"] == 1.0
    assert math.isnan(found["entropy/middle"])
    middle = [0.375, 0.25, 0.25, 0.125]
    assert found["js-reference"] == pytest.approx(-sum(p * math.log2(p) for p in middle) - (1.5 + 2.0) / 2)


@pytest.mark.parametrize(("counts", "distance"), [({"question": 3.0}, 0.0), ({"others": 1.0}, 1.0),
                                                  ({"question": 1.0, "far": 9.0}, 0.0), (None, None)])
def test_the_distance_goes_from_nothing_to_one_bit(counts: dict[str, float] | None, distance: float | None) -> None:
    found = values(use_figures([chat("a", "question", "question")], SET, counts, drawer))
    assert found.get("js-reference") == distance


def test_use_without_a_label_is_nothing_and_gaps_and_doubles_are_told() -> None:
    assert use_figures([chat("a", None, None)], SET, None, drawer) == []
    odd = chat("a", "question", None)
    turns = tuple(replace(t, meta={"all_strategy": ["question", "others"]}) if t.strategy else t for t in odd.turns)
    shares, bits = use_figures([replace(odd, turns=turns)], SET, None, drawer)
    assert shares.notes == () and (shares.shown, shares.total) == (1, 2)
    assert bits.notes == (note("unlabelled", n=1, total=2), note("several", n=1), note("tilted"))


JUDGED = [Pair("a", "question", "question"), Pair("a", "question", "affirmation"),
          Pair("b", "affirmation", "affirmation"), Pair("b", "others", "nonsense"), Pair("c", None, "question")]


def test_only_pairs_with_two_strategies_of_the_set_are_usable() -> None:
    assert usable(JUDGED, SET.keys) == JUDGED[:3] and usable(JUDGED, ()) == []


def test_agreement_by_hand() -> None:
    vectors = agreement_figures(JUDGED, SET, drawer)
    found = values(vectors)
    assert found["accuracy"] == pytest.approx(2 / 3) and found["weighted-f1"] == pytest.approx(2 / 3)
    assert found["macro-f1"] == pytest.approx(1 / 3), "four declared strategies, two of them never said"
    assert [found[f"f1/{key}"] for key in SET.keys] == pytest.approx([2 / 3, 2 / 3, 0, 0])
    liked = [found[f"preference/{key}"] for key in SET.keys]
    assert liked == pytest.approx([2 / 3, 4 / 3, 1, 1]), "won once, half a miss assumed: twice as strong"
    assert found["bias"] == pytest.approx(math.sqrt(2 / 36))
    assert {(v.shown, v.total, v.counted, v.drawn.dialogues) for v in vectors} == {(3, 5, "pairs", 2)}
    assert vectors[0].notes == (note("never-gold", keys="suggestions, others"), note("unknown-label", n=1))
    assert [n.values["key"] for n in vectors[1].notes] == ["affirmation", "suggestions", "others"]


def test_rows_of_strategies_by_hand_and_none_without_gold() -> None:
    rows = {row["key"]: row for row in each_strategy(JUDGED, SET)}
    assert [(rows[k]["gold"], rows[k]["predicted"]) for k in SET.keys] == [(2, 1), (1, 2), (0, 0), (0, 0)]
    assert (rows["question"]["precision"], rows["question"]["recall"]) == (1.0, 0.5)
    assert each_strategy(JUDGED[3:], SET) == [] and agreement_figures(JUDGED[3:], SET, drawer) == []


@pytest.mark.parametrize("counts", [{}, {"question": 0}, {"hypnosis": 3}, {"question": -1.0}])
def test_a_reference_without_a_strategy_of_the_set_is_refused(counts: dict[str, float]) -> None:
    with pytest.raises(UserError, match="no strategy of the set"):
        reference_shares(counts, SET)


def test_a_reference_has_shares_and_stages_that_add_up_to_one() -> None:
    found = reference_shares({"question": 3, "others": 1, "hypnosis": 90}, SET)
    assert found == {"shares": {"question": 0.75, "affirmation": 0.0, "suggestions": 0.0, "others": 0.25},
                     "stages": {"exploration": 0.75, "comforting": 0, "action": 0, "any": 0.25}, "labels": 4}


# --- words and course ------------------------------------------------------------------------------------------------

def test_distinct_of_chinese_characters_by_hand() -> None:
    found = {f.name: f for f in distinct_figures(["好好", "好"], "words", "supporter turns", 9, CHARS)}
    assert found["distinct-1"].value == pytest.approx(100 / 3) and found["distinct-2"].value == 100.0
    assert [n.code for n in found["distinct-3"].notes] == ["size", "short"] and len(found) == 6
    assert {(f.shown, f.total, f.tokenizer, f.low) for f in found.values()} == {(2, 9, "chars", None)}
    assert distinct_figures([], "words", "supporter turns", 0, CHARS) == []


def test_length_and_repetition_of_a_supporter_who_says_it_twice() -> None:
    twice = said("我很难过", "我很难过", name="a", language="zh")
    found = values(word_figures(source_of(twice, language="zh"), CHARS, drawer)[1])
    assert found["length-supporter"] == 4.0 and found["distinct-2-within"] == 50.0
    assert (found["repetition-within"], found["repetition-across"]) == (0.0, 100.0)


def test_words_need_a_supporter_who_speaks_the_sources_language() -> None:
    silent = dialogue([("seeker", "Is anybody there?")], "a")
    for source in (source_of(), source_of(silent), source_of(said("Yes.", name="b"), language="zh")):
        assert word_figures(source, CHARS, drawer) == ([], [])


def test_equal_replies_are_perfect_and_pairs_without_words_do_not_count() -> None:
    text = "she did all that anyone could do today"
    pairs = [Pair("a", None, None, text, text), Pair("a", None, None, "", text), Pair("b", None, None, text, text)]
    figures, vectors = reply_figures(pairs, WORDS, drawer)
    found = values(vectors)
    assert [found[name] for name in vectors[0].names] == pytest.approx([100.0] * 7)
    assert (found["length-reply"], found["length-reference"]) == (8.0, 8.0)
    assert {(v.shown, v.total, v.drawn.dialogues) for v in vectors} == {(2, 3, 2)}
    assert figures[0].value == pytest.approx(50.0), "eight words, each said twice"
    assert reply_figures(pairs[1:2], WORDS, drawer) == ([], [])


@pytest.mark.parametrize(("levels", "rounds", "success", "average"), [
    ((4, 4, 4, 1), 3, 1.0, 3.0), ((4, 4, 4, 1), 2, 0.0, 2.0), ((4, 1, 5, 5), 3, 1.0, 1.0), ((1, 4, 4, 4), 5, 0.0, 5.0)])
def test_success_counts_the_supporter_turns_before_the_feeling_is_down(levels: tuple[int, ...], rounds: int,
                                                                     success: float, average: float) -> None:
    found = values(course_figures([chat("a", None, None, None, None, levels=levels)], rounds, drawer))
    assert (found[f"success-{rounds}"], found[f"average-turn-{rounds}"]) == (success, average)


def test_the_fall_of_the_feeling_is_over_those_who_say() -> None:
    talks = [chat("a", None, None, levels=(5, 3)), chat("b", None, levels=(3,)), chat("c", None, None, None)]
    talks[1] = replace(talks[1], qc={"survey": {"initial": "2", "final": "3"}})
    vectors = course_figures(talks, 8, drawer)
    found = values(vectors)
    assert found["turns"] == 4.0 and found["intensity-drop"] == 0.5 and found["intensity-fell"] == 0.5
    assert {(v.names[0], v.shown, v.total) for v in vectors[:2]} == {("turns", 3, 3), ("intensity-drop", 2, 3)}


def test_a_person_who_plays_the_seeker_leaves_only_the_number_of_turns() -> None:
    assert list(values(course_figures([chat("a", None, None)], 8, drawer))) == ["turns"]
    assert course_figures([], 8, drawer) == []


def test_a_level_that_is_none_is_named_with_its_dialogue() -> None:
    with pytest.raises(UserError, match="initial of dialogue a is 9"):
        course_figures([replace(chat("a", None), qc={"survey": {"initial": 9, "final": 1}})], 8, drawer)


def test_the_most_frequent_reason_to_stop_comes_first() -> None:
    talks = [replace(chat(str(n)), stop_reason=reason) for n, reason in enumerate(("user", "goodbye", "goodbye"))]
    assert list(stop_reasons(talks).items()) == [("goodbye", 2), ("user", 1)] and stop_reasons([]) == {}


# --- quality control -------------------------------------------------------------------------------------------------

def test_stored_reports_are_counted_once_a_rule_and_odd_ones_passed_over() -> None:
    answers = (("format", False), ("format", False), ("crisis", None))
    twice = [{"rule": rule, "passed": passed} for rule, passed in answers]
    told = [{"report": {"status": "rejected", "verdicts": twice}}, {"report": {"status": "odd", "verdicts": "x"}},
            {"report": {"status": "quarantined", "verdicts": [None, {"rule": "format", "passed": False}]},
             "review": {"decision": "reject"}}, {"report": "accepted", "review": "accept"}, {}]
    found = quality_of([dialogue(name=str(n), qc=qc) for n, qc in enumerate(told)], anew=False)
    assert found == {"judged": 3, "total": 5, "anew": False, "reviews": {"reject": 1}, "failed": {"format": 2},
                     "statuses": {"accepted": 0, "rejected": 1, "quarantined": 1}, "unchecked": {"crisis": 1}}


def test_judged_anew_the_stored_word_does_not_count_and_copies_are_found() -> None:
    stored = {"report": {"status": "rejected", "verdicts": []}, "review": {"decision": "accept"}}
    found = quality_of([dialogue(name="a", qc=stored), dialogue(name="b")], anew=True)
    assert found["statuses"] == {"accepted": 1, "rejected": 1, "quarantined": 0}
    assert found["failed"] == {"near_duplicates": 1} and found["reviews"] == {"accept": 1}
    assert quality_of([], anew=True)["statuses"] == {}


# --- the table and the files -----------------------------------------------------------------------------------------

def test_a_source_without_labels_has_no_mix_and_says_so(made_of: Make) -> None:
    found = source_json(made_of(source_of(chat("a", None, None))))
    assert found["mix"] == [] and found["stages"] == {} and found["labelled"] == 0
    assert [n["code"] for n in found["notes"]] == ["no-labels", "no-gold"]


def test_pictures_are_kept_out_of_the_list_of_figures(made_of: Make) -> None:
    found = source_json(made_of(source_of(chat("a", "question", "others"), pairs=JUDGED)))
    names = [f["name"] for f in found["figures"]]
    assert not [n for n in names if n.startswith(("share/", "stage/", "f1/", "preference/"))] and "bias" in names
    assert [row["value"] for row in found["mix"]] == [0.5, 0.0, 0.0, 0.5]
    assert {row["reference"] for row in found["mix"]} == {0.25}
    assert set(found["each"][0]) >= {"f1_low", "f1_high", "preference_low", "preference_high"}
    json.dumps(found)


def test_a_reference_of_another_set_leaves_no_mark(context: MemoryContext) -> None:
    source = source_of(chat("a", "question"))
    other = measure.Reference("far", StrategySet("far", "1", SET.items[:2]), {"question": 1.0}, "")
    found = source_json(measure.measure(source, other, REQUEST, context, (0, 0)))
    assert [row["reference"] for row in found["mix"]] == [None] * 4 and found["stages"]["reference"] is None


@pytest.mark.parametrize(("seeds", "others", "paired"), [((0, 0), 2, True), ((1, 1), 2, False), ((0, 0), 3, False)])
def test_a_difference_is_paired_with_the_same_draws_of_as_many_dialogues(
        made_of: Make, seeds: tuple[int, int], others: int, paired: bool) -> None:
    first = made_of(source_of(chat("a", "question"), chat("b", "others")))
    second = made_of(source_of(*(chat(str(n), "question") for n in range(others))), seeds)
    found = {row["name"]: row for row in differences(first, second, 0.95)}
    assert found["share/question"]["value"] == 0.5 and found["share/question"]["paired"] is paired
    assert "entropy/first" not in found, "no number on either side"


def test_only_what_both_have_differs(made_of: Make) -> None:
    both = made_of(source_of(chat("a", "question"), pairs=JUDGED))
    found = {row["name"] for row in differences(both, made_of(source_of(chat("b", "others"))), 0.95)}
    assert "turns" in found and not found & {"accuracy", "bias", "bleu-2"}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_counts_stand_in_the_file_with_what_they_are_shares_of(made_of: Make, tmp_path: Path) -> None:
    qc = {"report": {"status": "rejected", "verdicts": [{"rule": "format", "passed": False}]}}
    talks = [replace(chat("a", "question", "others", "others"), qc=qc), chat("b", "others", "question")]
    write_csv(tmp_path / "f.csv", [made_of(source_of(*talks))], [])
    found = {(row["group"], row["name"]): row for row in rows_of(tmp_path / "f.csv")}
    assert float(found["transitions", "others > others"]["value"]) == 0.5
    assert [found["transitions", "question > others"][c] for c in ("shown", "total", "unit")] == ["1", "1", "share"]
    assert float(found["stops", "want_to_stop"]["value"]) == 1.0
    assert [found["quality", n]["shown"] for n in ("rejected", "accepted", "failed/format")] == ["1", "0", "1"]
    assert found["use", "share/others"]["value"] == "0.6" and found["use", "entropy/first"]["tokenizer"] == ""


@pytest.mark.parametrize("attack", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "=提问"])
def test_no_cell_of_the_file_is_a_formula(made_of: Make, tmp_path: Path, attack: str) -> None:
    own = StrategySet("own", "1", (Strategy(attack, "A", "甲"), Strategy("b", "B", "乙")))
    talks = [replace(chat(name, attack, "b", attack), strategy_set=own) for name in ("a", "b")]
    pairs = [Pair("a", "b", attack), Pair("b", "b", "b")]
    made = made_of(source_of(*talks, pairs=pairs, reference=attack, strategies=own), counts={attack: 1.0})
    write_csv(tmp_path / "f.csv", [made], [])
    found = rows_of(tmp_path / "f.csv")
    cells = [cell for row in found for name in ("source", "name", "notes") for cell in [row[name]]]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert f"'{attack} > b" in cells and found[0]["source"] == f"'{attack}"


def test_words_with_commas_lines_and_quotes_come_back_whole(made_of: Make, tmp_path: Path) -> None:
    name = 'path:/a, b/"练习"\nc.json'
    row = {"group": "words", "name": "x", "value": -0.5, "low": None, "high": None, "unit": "", "paired": True}
    write_csv(tmp_path / "f.csv", [made_of(source_of(chat("a", "question"), reference=name))], [row])
    found = rows_of(tmp_path / "f.csv")
    assert tuple(found[0]) == COLUMNS and found[0]["source"] == name
    last = [found[-1][column] for column in ("source", "value", "low", "notes")]
    assert last == ["difference", "-0.5", "", "paired by dialogue"]
