"""The measuring task: sources of every kind, figures against the metrics they are made of, differences, the files."""

from __future__ import annotations

import csv
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.sweetiechat import measure, measure_sources
from backends.sweetiechat.library import ASSETS, choose_strategies
from backends.sweetiechat.measure_draws import Draws, draw
from backends.sweetiechat.measure_notes import TEXTS, note, of_interval, of_preference
from backends.sweetiechat.measure_quality import quality_of
from backends.sweetiechat.measure_request import Figure, MeasureRequest
from backends.sweetiechat.measure_sources import Pair, pairs_of_lines, set_of_labels
from backends.sweetiechat.measure_strategies import reference_shares, third_counts, usable, usage
from backends.sweetiechat.metrics.intervals import bootstrap_sums, interval_of
from backends.sweetiechat.metrics.preference import preference
from backends.sweetiechat.metrics.strategy import agreement
from backends.sweetiechat.metrics.text import bleu, corpus, distinct, rouge_l
from backends.sweetiechat.metrics.tokens import tokenizer
from backends.sweetiechat.metrics.usage import ESCONV_COUNTS, entropy, jensen_shannon, mix, sequence, stage_mix
from backends.sweetiechat.objects import dialogue_to_json
from tests.backends.sweetie import make_dialogue
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError
from workbench.files import append_line
from workbench.runs import create_run

EIGHT = choose_strategies("esconv-8")
FAST = MeasureRequest(resamples=60)


def talk(number: int, *used: str, language: str = "en", states: tuple[int, ...] = (5, 3, 1), **changes):
    """A dialogue of as many supporter turns as strategies."""
    say = "我睡不着 {}" if language == "zh" else "I cannot sleep, number {}."
    answer = "那听起来很难 {}" if language == "zh" else "That sounds hard, tell me more about night {}."
    texts = [part.format(number * 10 + i) for i in range(len(used)) for part in (say, answer)]
    made = make_dialogue(*texts, language=language, used=used, states=states, id=f"d{number:03d}", **changes)
    return replace(made, stop_reason=changes.get("stop_reason", "max_turns"))


DIALOGUES = [talk(1, "question", "reflection", "suggestions"), talk(2, "question", "question", "affirmation"),
             talk(3, "reflection", "suggestions", "others", stop_reason="relieved")]


def write(path: Path, dialogues) -> Path:
    path.write_text("".join(json.dumps(dialogue_to_json(d)) + "\n" for d in dialogues), encoding="utf-8")
    return path


def a_run(settings, files: dict[str, list], task: str = "sweetiechat.generate.v1") -> str:
    """A run of these lines; its id."""
    run = create_run(settings.home, task, {}, owner="ann")
    folder = run.path / "artifacts"
    folder.mkdir(exist_ok=True)
    for name, lines in files.items():
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        append_line(run.path / "artifacts.jsonl", {"name": name, "path": f"artifacts/{name}", "kind": "table"})
    return run.id


def measured(tmp_path: Path, request: MeasureRequest, **options) -> tuple[dict, MemoryContext]:
    context = MemoryContext(tmp_path / "run", **options)
    result = measure.run(request, context)
    table = json.loads((context.run / "artifacts" / "measure.json").read_text(encoding="utf-8"))
    return {"result": result, **table}, context


def figure(source: dict, name: str) -> dict:
    return next(f for f in source["figures"] if f["name"] == name)


# --- the request -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("fields", "words"), [
    ({"data": ""}, "data"), ({"level": 1.0}, "level is 1"), ({"resamples": 5}, "resamples"),
    ({"tokenizer": "bpe"}, "tokenizer"), ({"data": "practice", "compare": " practice "}, "every difference would be 0"),
])
def test_a_bad_request_is_refused_by_name(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        MeasureRequest(**fields)


# --- draws -----------------------------------------------------------------------------------------------------------

def test_many_numbers_at_once_have_the_intervals_of_each_alone() -> None:
    rows = np.array([[3, 4], [1, 5], [2, 2], [0, 7], [6, 6]], dtype=float)
    both = draw(rows, lambda s: [s[0] / s[1], s[0]], random.Random(3), 300)
    alone = bootstrap_sums(rows, lambda s: float(s[0] / s[1]), random.Random(3), 300)
    assert both.interval(0, 0.95).value == alone.value == 12 / 24
    assert both.interval(0, 0.95).low == pytest.approx(alone.low, abs=0.12)
    assert both.interval(1, 0.95).value == 12


def test_draws_repeat_with_the_seed_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(20.0).reshape(10, 2)
    first = draw(rows, lambda s: [s[0]], random.Random(1), 250)
    monkeypatch.setattr("backends.sweetiechat.measure_draws.MOST_WEIGHTS", 30)
    second = draw(rows, lambda s: [s[0]], random.Random(1), 250)
    assert (first.draws == second.draws).all() and (first.draws != draw(
        rows, lambda s: [s[0]], random.Random(2), 250).draws).any()


def test_a_statistic_without_anything_to_count_is_left_out_of_its_draws() -> None:
    def only_with_first(s):
        if s[0] == 0:
            raise UserError("nothing")
        return [s[1] / s[0]]
    found = draw(np.array([[1.0, 2.0], [0.0, 1.0], [0.0, 1.0]]), only_with_first, random.Random(0), 200)
    assert np.isnan(found.draws).any() and "undefined" in found.interval(0, 0.95).notes[0]
    assert {n.code for n in of_interval(found.interval(0, 0.95))} == {"undefined", "few"}
    with pytest.raises(UserError, match="no dialogue"):
        draw(np.zeros((0, 2)), lambda s: [0.0], random.Random(0), 10)


def test_a_cancel_is_seen_between_draws() -> None:
    def tick() -> None:
        raise Cancelled
    with pytest.raises(Cancelled):
        draw(np.ones((3, 1)), lambda s: [s[0]], random.Random(0), 10, tick)


def test_a_paired_difference_is_narrower_than_an_unpaired_one() -> None:
    rows = np.random.default_rng(0).normal(10, 3, size=(40, 1))
    first, second = (draw(r, lambda s: [s[0]], random.Random(7), 400) for r in (rows, rows + 0.5))
    other = draw(rows + 0.5, lambda s: [s[0]], random.Random(8), 400)
    paired, apart = second.minus(first).interval(0, 0.95), other.minus(first).interval(0, 0.95)
    assert paired.value == pytest.approx(20) and paired.high - paired.low < 0.2 * (apart.high - apart.low)


# --- notes -----------------------------------------------------------------------------------------------------------

def test_every_note_fills_its_places() -> None:
    values = {"n": 1, "draws": 2, "total": 3, "set": "x", "from": "y", "first": "z", "keys": "k", "key": "k"}
    for code in TEXTS:
        made = note(code, **values)
        assert made.code == code and "{" not in made.text
    assert of_interval(interval_of(1.0, [1.0], 1, 0.95))[0].code == "one"


def test_warnings_of_preference_keep_their_strategy() -> None:
    warnings = preference(np.array([[1, 2, 0], [0, 1, 0], [0, 0, 5]]), ["a", "b", "c"]).warnings
    assert [(n.code, n.values["key"]) for n in of_preference(warnings)] == [("half-loss", "a"),
                                                                           ("never-confused", "c")]


# --- sources ---------------------------------------------------------------------------------------------------------

def test_practice_is_synthetic_and_has_no_gold(tmp_path: Path) -> None:
    found, context = measured(tmp_path, FAST)
    source = found["sources"][0]
    assert source["provenance"] == found["result"].provenance == "synthetic"
    assert source["each"] == [] and "no-gold" in [n["code"] for n in source["notes"]]
    assert found["result"].left_out and found["result"].pairs == 0
    assert context.reports[-1][2] == "done"


def test_a_run_gives_its_dialogues_its_quarantine_and_its_predictions(settings, tmp_path: Path) -> None:
    waiting = {"report": {"status": "quarantined", "verdicts": []}}
    rows = [dialogue_to_json(d) for d in DIALOGUES]
    apart = dialogue_to_json(replace(talk(9, "question"), qc=waiting))
    lines = [{"dialogue": "x", "gold": "question", "said": "question"}]
    run = a_run(settings, {"dialogues.jsonl": rows, "quarantined.jsonl": [apart], "predictions.jsonl": lines,
                           "reviews.jsonl": [{"dialogue": "d009", "decision": "accept", "at": "now"}]})
    found, _ = measured(tmp_path, replace(FAST, data=f"run:{run}"), settings=settings)
    source = found["sources"][0]
    assert source["dialogues"] == 4 and source["pairs"] == 1
    assert source["quality"]["reviews"] == {"accept": 1} and source["quality"]["statuses"]["quarantined"] == 1


def test_a_run_without_anything_to_measure_says_so(settings, tmp_path: Path) -> None:
    run = a_run(settings, {"pool.json": []})
    with pytest.raises(UserError, match="neither dialogues nor predictions"):
        measured(tmp_path, replace(FAST, data=f"run:{run}"), settings=settings)
    with pytest.raises((UserError, MissingResource)):
        measured(tmp_path / "two", replace(FAST, data="run:20260101T000000-ffffff"), settings=settings)


def test_broken_lines_are_counted_and_named(tmp_path: Path) -> None:
    path = write(tmp_path / "some.jsonl", DIALOGUES)
    path.write_text(path.read_text() + "{ broken\n", encoding="utf-8")
    source = measured(tmp_path, replace(FAST, data=f"path:{path}"))[0]["sources"][0]
    skipped = next(n for n in source["notes"] if n["code"] == "skipped")
    assert source["dialogues"] == 3 and skipped["values"]["n"] == 1 and "line 4" in skipped["text"]


@pytest.mark.parametrize(("accepted", "ids"), [("all", 3), ("accepted", 2), ("refused", 1)])
def test_quality_control_decides_what_is_measured(tmp_path: Path, accepted: str, ids: int) -> None:
    bad = replace(DIALOGUES[2], qc={"report": {"status": "rejected", "verdicts": [
        {"rule": "format", "passed": False, "value": 1, "reason": "r"}]}})
    path = write(tmp_path / "some.jsonl", [*DIALOGUES[:2], bad])
    source = measured(tmp_path, replace(FAST, data=f"path:{path}", accepted=accepted))[0]["sources"][0]
    assert source["dialogues"] == ids and source["total"] == 3
    assert ("filtered" in [n["code"] for n in source["notes"]]) == (accepted != "all")


def test_nothing_left_is_an_error_and_a_limit_is_a_note(tmp_path: Path) -> None:
    path = write(tmp_path / "some.jsonl", DIALOGUES)
    with pytest.raises(UserError, match="nothing to measure"):
        measured(tmp_path, replace(FAST, data=f"path:{path}", accepted="refused"))
    source = measured(tmp_path / "two", replace(FAST, data=f"path:{path}", limit=1))[0]["sources"][0]
    assert source["dialogues"] == 1 and "limited" in [n["code"] for n in source["notes"]]


def test_labels_find_their_bundled_set_and_strange_ones_are_refused() -> None:
    assert set_of_labels({"question"}).name == "esconv-8"
    assert set_of_labels({"question", "imagery"}).name == "escot-13"
    with pytest.raises(UserError, match="none of the bundled sets"):
        set_of_labels({"hypnosis"})


def test_a_table_of_predictions_is_told_from_dialogues(tmp_path: Path) -> None:
    rows = [{"dialogue": "a", "gold": "question", "said": "information", "reference": "Why?", "response": "So."}]
    table = tmp_path / "predictions.jsonl"
    table.write_text(json.dumps(rows[0]) + "\n")
    assert measure_sources.holds_predictions(table)
    assert not measure_sources.holds_predictions(write(tmp_path / "d.jsonl", DIALOGUES))
    assert not measure_sources.holds_predictions(ASSETS / "practice.esconv.json")
    assert pairs_of_lines([*rows, {"gold": "", "said": None}]) == [
        Pair("a", "question", "information", "Why?", "So."), Pair("1", None, None)]


# --- strategies ------------------------------------------------------------------------------------------------------

def test_use_is_what_the_metrics_say(tmp_path: Path) -> None:
    path = write(tmp_path / "some.jsonl", DIALOGUES)
    source = measured(tmp_path, replace(FAST, data=f"path:{path}"))[0]["sources"][0]
    found = [sequence(d) for d in DIALOGUES]
    counts = mix(found, EIGHT.keys)
    shares = {row["key"]: row["value"] for row in source["mix"]}
    assert shares == pytest.approx({key: counts[key] / 9 for key in EIGHT.keys})
    assert figure(source, "entropy/all")["value"] == pytest.approx(entropy(counts.values()))
    assert figure(source, "js-reference")["value"] == pytest.approx(jensen_shannon(counts, ESCONV_COUNTS))
    stages = {stage: row["value"] for stage, row in source["stages"]["all"].items()}
    assert stages == pytest.approx(stage_mix(found, EIGHT))
    assert sum(source["stages"]["reference"].values()) == pytest.approx(1)
    assert {row["reference"] for row in source["mix"]} == set(
        reference_shares(ESCONV_COUNTS, EIGHT)["shares"].values())


def test_thirds_and_transitions_count_each_turn_once() -> None:
    counts = third_counts(DIALOGUES, EIGHT)
    assert counts.shape == (3, 3, 8) and counts.sum() == 9 and (counts.sum(axis=(0, 2)) == 3).all()
    found = usage(DIALOGUES, EIGHT)
    assert (found.labelled, found.turns) == (9, 9)
    assert sum(map(sum, found.transitions.counts)) == 6


def test_turns_without_a_strategy_and_dialogues_of_other_sets_are_said(tmp_path: Path) -> None:
    plain = make_dialogue("Hello there you.", "Tell me more about it.", id="plain", stop_reason="user")
    other = make_dialogue("I am low today.", "Picture a calm beach.", strategies="escot-13", used=("imagery",),
                          id="other", stop_reason="user")
    path = write(tmp_path / "some.jsonl", [*DIALOGUES, plain, other])
    source = measured(tmp_path, replace(FAST, data=f"path:{path}"))[0]["sources"][0]
    assert (source["labelled"], source["turns"]) == (9, 10)
    assert "other-set" in [n["code"] for n in source["notes"]]
    assert "unlabelled" in [n["code"] for n in figure(source, "entropy/all")["notes"]]
    nothing = measured(tmp_path / "two", replace(FAST, data=f"path:{write(tmp_path / 'p.jsonl', [plain])}"))
    assert nothing[0]["sources"][0]["mix"] == []
    assert "no-labels" in [n["code"] for n in nothing[0]["sources"][0]["notes"]]


def test_another_set_is_mapped_for_the_reference_and_when_asked(tmp_path: Path) -> None:
    own = [make_dialogue("I am low today.", "Picture a calm beach.", "I try.", "What exactly happened?",
                         strategies="escot-13", used=("imagery", "specify"), id=f"e{i}", stop_reason="user")
           for i in range(3)]
    path = write(tmp_path / "e.jsonl", own)
    request = replace(FAST, data=f"path:{path}")
    kept = measured(tmp_path, request)[0]["sources"][0]
    assert kept["strategies"]["name"] == "escot-13" and {row["reference"] for row in kept["mix"]} == {None}
    js = figure(kept, "js-reference")
    assert js["value"] == pytest.approx(jensen_shannon({"suggestions": 1, "question": 1}, ESCONV_COUNTS))
    assert [n["code"] for n in js["notes"]][:1] == ["mapped"]
    eight = measured(tmp_path / "two", replace(request, strategies="esconv-8"))[0]["sources"][0]
    assert {row["key"]: row["value"] for row in eight["mix"] if row["value"]} == {"question": 0.5, "suggestions": 0.5}
    assert "mapped" in [n["code"] for n in eight["notes"]]


def test_a_set_of_ones_own_is_never_mapped() -> None:
    own = choose_strategies("name: mine\nversion: 1\nitems:\n  - {key: a, label: A}\n  - {key: b, label: B}\n")
    assert measure.mapping_of(own) is None and measure.mapping_of(EIGHT) == {key: key for key in EIGHT.keys}
    for name in ("extes-16", "escot-13"):
        chosen = choose_strategies(name)
        assert set(measure.mapping_of(chosen)) == set(chosen.keys)
        assert set(measure.mapping_of(chosen).values()) <= set(EIGHT.keys)


def test_a_reference_of_ones_own_dialogues(tmp_path: Path) -> None:
    path = write(tmp_path / "some.jsonl", DIALOGUES)
    found, _ = measured(tmp_path, replace(FAST, reference=f"path:{path}"))
    assert found["reference"]["labels"] == 9 and found["reference"]["name"] == f"path:{path}"
    with pytest.raises(UserError, match="no strategy of the set"):
        reference_shares({"hypnosis": 3}, EIGHT)


# --- agreement -------------------------------------------------------------------------------------------------------

PAIRS = [("a", "question", "question"), ("a", "reflection", "question"), ("b", "suggestions", "affirmation"),
         ("b", "affirmation", "affirmation"), ("c", "question", "reflection"), ("c", "others", "nonsense")]


def test_agreement_is_what_the_metrics_say_and_unknown_labels_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    rows = [{"dialogue": d, "gold": g, "said": s} for d, g, s in PAIRS[:5]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = measured(tmp_path, replace(FAST, data=f"path:{path}"))[0]["sources"][0]
    made = agreement([g for _, g, _ in PAIRS[:5]], [s for *_, s in PAIRS[:5]], EIGHT.keys)
    assert figure(source, "macro-f1")["value"] == pytest.approx(made.macro_f1)
    assert figure(source, "bias")["value"] == pytest.approx(made.bias)
    each = {row["key"]: row for row in source["each"]}
    assert each["question"]["preference"] == pytest.approx(made.strategies[0].preference)
    assert each["question"]["gold"] == 2 and each["question"]["preference_low"] is not None
    assert figure(source, "accuracy")["shown"] == 5 and "never-gold" in [
        n["code"] for n in figure(source, "accuracy")["notes"]]
    assert [p.said for p in usable([Pair(*row) for row in PAIRS], EIGHT.keys)] == [s for *_, s in PAIRS[:5]]


def test_the_released_file_of_kang_et_al_gives_the_published_figures(shared: Path, tmp_path: Path) -> None:
    path = shared / "dialogue" / "kang2024_results.json"
    source = measured(tmp_path, MeasureRequest(data=f"path:{path}", resamples=20))[0]["sources"][0]
    expected = {"accuracy": 0.24457, "macro-f1": 0.21890, "weighted-f1": 0.22498, "bias": 0.76658}
    assert {name: round(figure(source, name)["value"], 5) for name in expected} == expected
    liking = {row["key"]: round(row["preference"], 4) for row in source["each"]}
    assert liking == {"question": 0.6322, "restatement": 0.3102, "reflection": 1.0206, "self-disclosure": 0.4792,
                      "affirmation": 2.5360, "suggestions": 1.9146, "information": 0.2188, "others": 0.8884}
    assert source["dialogues"] == 0 and source["pairs"] == 1611
    assert {"samples", "samples-as-units"} <= {n["code"] for n in source["notes"]}


# --- words and course ------------------------------------------------------------------------------------------------

def test_replies_are_measured_against_their_references_by_dialogue(tmp_path: Path) -> None:
    texts = [("You feel sad today.", "You sound sad."), ("Why is that?", "Why is that so?"),
             ("Go for a walk.", "Rest.")]
    rows = [{"dialogue": str(i // 2), "gold": "question", "said": "question", "reference": ref, "response": said}
            for i, (said, ref) in enumerate(texts)]
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = measured(tmp_path, replace(FAST, data=f"path:{path}"))[0]["sources"][0]
    cut = corpus([a for a, _ in texts], [b for _, b in texts], tokenizer("treebank"))
    for name, score in (("bleu-2", bleu(cut, 2)), ("rouge-l-beta-1.2", rouge_l(cut)),
                        ("rouge-l-beta-1", rouge_l(cut, 1)),
                        ("distinct-2", distinct(cut, 2)), ("distinct-2-esconv", distinct(cut, 2, esconv_compat=True))):
        assert figure(source, name)["value"] == pytest.approx(score.value), name
        assert figure(source, name)["tokenizer"] == "treebank"
    assert figure(source, "distinct-2")["low"] is None and figure(source, "bleu-2")["low"] is not None


def test_the_course_of_dialogues(tmp_path: Path) -> None:
    path = write(tmp_path / "some.jsonl", [*DIALOGUES, talk(4, "question", states=())])
    source = measured(tmp_path, replace(FAST, data=f"path:{path}", rounds=2))[0]["sources"][0]
    assert source["stops"] == {"max_turns": 3, "relieved": 1}
    assert figure(source, "turns")["value"] == pytest.approx((6 * 3 + 2) / 4)
    assert figure(source, "intensity-drop")["value"] == pytest.approx(3.0, abs=1.0)
    assert figure(source, "success-2")["value"] == pytest.approx(0.75)
    assert figure(source, "average-turn-2")["value"] == 2


def test_chinese_is_cut_into_characters_and_other_languages_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "zh.jsonl", [talk(i, "question", "reflection", language="zh") for i in (1, 2)]
                 + [talk(3, "question")])
    source = measured(tmp_path, replace(FAST, data=f"path:{path}"))[0]["sources"][0]
    length = figure(source, "length-supporter")
    assert (source["language"], source["tokenizer"], length["tokenizer"]) == ("zh", "chars", "chars")
    assert (length["shown"], length["total"]) == (2, 3) and length["value"] == pytest.approx(7)
    assert "other-language" in [n["code"] for n in length["notes"]]
    assert figure(source, "distinct-1")["shown"] == 4


def test_quality_is_as_stored_or_judged_anew() -> None:
    stored = quality_of(DIALOGUES, anew=False)
    assert stored["judged"] == 0 and stored["statuses"] == {} and stored["total"] == 3
    anew = quality_of(DIALOGUES, anew=True)
    assert anew["judged"] == sum(anew["statuses"].values()) == 3
    assert "strategy_consistency" in anew["unchecked"]


# --- two sources and the files ---------------------------------------------------------------------------------------

def test_the_same_dialogues_are_paired_and_others_are_not(tmp_path: Path) -> None:
    first = write(tmp_path / "one.jsonl", DIALOGUES)
    longer = [replace(d, turns=tuple(replace(t, text=t.text + " Yes, really so.") if t.role == "supporter" else t
                                     for t in d.turns)) for d in DIALOGUES]
    request = replace(FAST, data=f"path:{first}", compare=f"path:{write(tmp_path / 'two.jsonl', longer)}")
    found, context = measured(tmp_path, request)
    apart = {row["name"]: row for row in found["differences"]}
    assert apart["length-supporter"]["value"] > 3 and all(row["paired"] for row in apart.values())
    assert apart["share/question"]["value"] == apart["share/question"]["low"] == 0
    with (context.run / "artifacts" / "figures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["group"] for row in rows} >= {"use", "words", "course", "transitions", "stops"}
    assert any(row["source"] == "difference" and row["notes"] == "paired by dialogue" for row in rows)
    third = write(tmp_path / "three.jsonl", [talk(7, "question", "others"), talk(8, "reflection"), talk(9, "others")])
    other, _ = measured(tmp_path / "again", replace(request, compare=f"path:{third}"))
    assert not any(row["paired"] for row in other["differences"])


def test_two_sets_are_both_mapped(tmp_path: Path) -> None:
    other = [make_dialogue("I am low today.", "Picture a calm beach.", strategies="escot-13", used=("imagery",),
                           id=f"e{i}", stop_reason="user") for i in range(2)]
    request = replace(FAST, data=f"path:{write(tmp_path / 'a.jsonl', DIALOGUES)}",
                      compare=f"path:{write(tmp_path / 'b.jsonl', other)}")
    found, _ = measured(tmp_path, request)
    assert [s["strategies"]["name"] for s in found["sources"]] == ["esconv-8", "esconv-8"]


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    texts = [(measured(tmp_path / name, replace(FAST, seed=seed))[1].run / "artifacts" / "measure.json").read_text()
             for name, seed in (("a", 0), ("b", 0), ("c", 5))]
    assert texts[0] == texts[1]
    intervals = [[f["low"] for f in json.loads(text)["sources"][0]["figures"]] for text in texts]
    assert intervals[0] != intervals[2]


def test_a_cancel_ends_the_task(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        measured(tmp_path, FAST, cancel_after=1)


def test_no_number_of_the_result_is_undefined(tmp_path: Path) -> None:
    result = measured(tmp_path, FAST)[0]["result"]
    assert {f.name for f in result.figures} >= {"js-reference", "distinct-2", "length-supporter"}
    assert all(isinstance(f, Figure) and f.value is not None and math.isfinite(f.value) for f in result.figures)
    assert isinstance(draw(np.ones((2, 1)), lambda s: [s[0]], random.Random(0), 5), Draws)
