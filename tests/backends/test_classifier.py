"""The strategy classifier: features, the regression, files, cross-validation by dialogue, the task, real data."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.sweetiechat import classifier_features as cf
from backends.sweetiechat.classifier import StrategyClassifier, class_weights, softmax, solve, top, train_linear
from backends.sweetiechat.classifier_features import Case, Vocabulary, cases_of, next_case, plain_features, said, words
from backends.sweetiechat.classifier_lm import LmHead, Reader, index, read_all, together, train_head
from backends.sweetiechat.classifier_task import run
from backends.sweetiechat.classifier_validation import (
    advantage,
    cross_validate,
    figures,
    folds_of,
    last_turn,
    linear,
    majority,
)
from backends.sweetiechat.conditioning_data import planted
from backends.sweetiechat.library import choose_strategies
from backends.sweetiechat.objects import Dialogue, Scenario, Turn, dialogue_to_json
from backends.sweetiechat.projections import Line
from backends.sweetiechat.quality.strategy_consistency import check_strategy_consistency
from backends.sweetiechat.quality.verdict import Limits
from backends.sweetiechat.train_requests import ClassifierRequest
from backends.sweetiechat.train_text import lines_of
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError
from workbench.fields import to_json
from workbench.files import read_lines

SET = choose_strategies("esconv-8")
LINES = (Line("seeker", "I am sad."), Line("supporter", "Why?", "question"), Line("seeker", "My dog died"),
         Line("supporter", "That hurts.", "reflection"), Line("seeker", "Yes! What now?"),
         Line("supporter", "Cry.", "suggestions"))


def test_a_case_is_a_supporter_turn_with_what_was_before_it() -> None:
    cases = cases_of(LINES, 4)
    assert [(c.dialogue, c.label, len(c.lines), c.text) for c in cases] == [
        (4, "question", 1, "Why?"), (4, "reflection", 3, "That hurts."), (4, "suggestions", 5, "Cry.")]
    assert cases[2].used == ("question", "reflection") and cases[0].used == ()


def test_an_opening_turn_answers_nothing_and_counts_only_for_utterances() -> None:
    lines = (Line("supporter", "Hello!", "others"), *LINES)
    assert len(cases_of(lines, 0)) == 3 and len(cases_of(lines, 0, history=False)) == 4
    assert cases_of((Line("seeker", "a"), Line("supporter", "b", "")), 0) == [], "a turn without a strategy is no case"


@pytest.mark.parametrize(("text", "expected"), [
    ("I don't KNOW...", ["i", "don't", "know"]), ("I don ' t know", ["i", "don't", "know"]),
    ("why?!", ["why", "?", "!"]), ("我很累。", ["我", "很", "累"]), ("", []), ("a_b 3x", ["a", "b", "3x"]),
])
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(("role", "back", "expected"), [
    ("seeker", 0, "Yes! What now?"), ("seeker", 1, "My dog died"), ("supporter", 0, "Cry."), ("supporter", 3, "")])
def test_said_counts_back_from_the_newest(role: str, back: int, expected: str) -> None:
    assert said(LINES, role, back) == expected


def test_plain_features_of_a_history() -> None:
    case = cases_of(LINES, 0)[2]
    found = plain_features(case, "history")
    assert found["asks"] == 1.0 and found["place:2"] == 1.0 and found["long:1"] == 1.0
    assert found["last1:reflection"] == found["last2:question"] == 1.0 and "last3:question" not in found
    assert found["used:question"] == pytest.approx(cf.USED * math.log(2))
    assert set(plain_features(case, "utterance")) == {"asks", "long:0"}, "an utterance is read without its history"


def test_a_row_is_scaled_and_leaves_out_what_training_did_not_show() -> None:
    cases = cases_of(LINES, 0) * 2
    vocabulary = Vocabulary.of(cases, "history")
    numbers = vocabulary.numbers()
    row = vocabulary.row(cases[1], numbers)
    now = [value for number, value in row.items() if vocabulary.names[number].startswith("now:")]
    assert math.sqrt(sum(v * v for v in now)) == pytest.approx(cf.WEIGHTS["now"])
    strange = Case(0, (Line("seeker", "zebra quagga"),), "", "")
    known = {vocabulary.names[n] for n in vocabulary.row(strange, numbers)}
    assert known <= {"asks", "long:0", "place:0"}
    assert Vocabulary.of(cases[:1], "history").idf == {}, "a word of one case only is rare"


def test_idf_by_hand() -> None:
    texts = ("sad", "sad", "glad", "glad glad", "sad")
    idf = Vocabulary.of([Case(i, (Line("seeker", t),), "", "x") for i, t in enumerate(texts)], "history").idf
    assert idf["now:sad"] == pytest.approx(1 + math.log(6 / 4))
    assert idf["now:glad"] == pytest.approx(1 + math.log(6 / 3))


def sample(count: int = 40, seed: int = 1, strength: float = 0.9) -> list[Case]:
    """Planted dialogues: the words of a reply give its strategy away."""
    dialogues = planted(random.Random(seed), count, strength)
    return [case for place, d in enumerate(dialogues) for case in cases_of(lines_of(d), place, history=False)]


def test_class_weights() -> None:
    labels = ["a"] * 6 + ["b"] * 3
    assert class_weights(labels, 0.0) == {"a": 1.0, "b": 1.0}
    full = class_weights(labels, 1.0)
    assert full["b"] == pytest.approx(2 * full["a"])
    assert (6 * full["a"] + 3 * full["b"]) / 9 == pytest.approx(1.0)
    half = class_weights(labels, 0.5)
    assert half["b"] / half["a"] == pytest.approx(math.sqrt(2))


def test_probabilities_equal_those_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), np.array(["a", "b", "c"])[rng.integers(0, 3, 60)]
    keys, weights, bias = solve(x, list(y), 1.0, 0.0)
    reference = LogisticRegression(C=1.0, tol=1e-3, max_iter=300).fit(x, y)
    assert keys == tuple(reference.classes_)
    assert softmax(x @ weights.T + bias) == pytest.approx(reference.predict_proba(x), abs=1e-9)


def test_two_strategies_are_enough_and_one_is_not() -> None:
    x = np.array([[0.0], [1.0], [0.1], [0.9]])
    keys, weights, bias = solve(x, ["a", "b", "a", "b"], 10.0, 0.0)
    chances = softmax(x @ weights.T + bias)
    assert keys == ("a", "b") and chances.shape == (4, 2) and chances.sum(1) == pytest.approx(1)
    assert chances[1, 1] > 0.5 > chances[0, 1]
    with pytest.raises(UserError, match="Only the strategy a"):
        solve(x, ["a"] * 4, 1.0, 0.0)


def test_it_learns_what_is_planted_and_nothing_where_nothing_is() -> None:
    scores = {}
    for strength in (0.9, 0.0):
        known, asked = sample(60, 1, strength), sample(30, 2, strength)
        model = train_linear(known, "utterance")
        table = model.scores(asked)
        assert table.shape == (len(asked), 8) and table.sum(1) == pytest.approx(1)
        said_ = [model.keys[i] for i in table.argmax(1)]
        scores[strength] = sum(s == c.label for s, c in zip(said_, asked, strict=True)) / len(asked)
    assert scores[0.9] > 0.9 and scores[0.0] < 0.3


def test_gamma_moves_the_choice_towards_rare_strategies() -> None:
    rng = random.Random(0)
    cases = [Case(i, (Line("seeker", rng.choice(("hm", "oh"))),), "", "a" if i % 10 else "b") for i in range(200)]
    shares = []
    for gamma in (0.0, 1.0):
        model = train_linear(cases, "history", gamma=gamma)
        shares.append(model.scores(cases[:20])[:, model.keys.index("b")].mean())
    assert shares[0] == pytest.approx(0.1, abs=0.03) and shares[1] == pytest.approx(0.5, abs=0.08)


def test_a_classifier_comes_back_from_its_files_without_sklearn_or_pickle(tmp_path: Path) -> None:
    cases = sample(20)
    model = train_linear(cases, "utterance", facts={"data": ["x"]})
    folder = model.save(tmp_path / "c")
    assert {p.name for p in folder.iterdir()} == {"weights.npz", "classifier.json"}
    again = StrategyClassifier.load(folder)
    assert again.keys == model.keys and again.facts == {"data": ["x"]}
    assert again.scores(cases[:9]) == pytest.approx(model.scores(cases[:9]), abs=1e-5)
    import subprocess
    import sys

    code = ("import sys\nfrom pathlib import Path\nfrom backends.sweetiechat.classifier import StrategyClassifier\n"
            f"StrategyClassifier.load(Path({str(folder)!r})).of_utterances(['hello'])\n"
            "print([m for m in ('sklearn', 'torch', 'scipy') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("damage", ["missing", "json", "npz", "shape", "object"])
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    folder = train_linear(sample(10), "utterance").save(tmp_path / "c")
    if damage == "missing":
        (folder / "weights.npz").unlink()
    elif damage == "json":
        (folder / "classifier.json").write_text("{")
    elif damage == "npz":
        (folder / "weights.npz").write_bytes(b"nothing")
    elif damage == "shape":
        np.savez(folder / "weights.npz", weights=np.zeros((2, 2)), bias=np.zeros(2), idf=np.zeros(2))
    else:
        np.savez(folder / "weights.npz", weights=np.array([{"a": 1}], dtype=object), bias=np.zeros(2), idf=np.zeros(2))
    with pytest.raises(UserError, match="no strategy classifier"):
        StrategyClassifier.load(folder)


def talk(*turns: tuple[str, str, str | None], name: str = "d") -> Dialogue:
    made = tuple(Turn(i, "seeker" if role == "s" else "supporter", text, key)  # type: ignore[arg-type]
                 for i, (role, text, key) in enumerate(turns))
    return Dialogue(name, Scenario("s", "p", "sadness", 3, "I am sad about my dog."), None, SET, made, "imported")


def test_it_counsels_on_the_turn_that_comes_next() -> None:
    dialogues = [talk(("s", "help", None), ("p", "w", "question"), ("s", "ok", None), ("p", "w", "suggestions"))
                 for _ in range(20)]
    cases = [c for i, d in enumerate(dialogues) for c in cases_of(lines_of(d), i)]
    model = train_linear(cases, "history")
    first = model.next_strategy(talk(("s", "help", None)))
    second = model.next_strategy(talk(("s", "help", None), ("p", "w", "question"), ("s", "ok", None)))
    assert top(first, 1) == ["question"] and top(second, 1) == ["suggestions"]
    assert sum(first.values()) == pytest.approx(1)
    assert next_case(dialogues[0]).lines == lines_of(dialogues[0])
    with pytest.raises(UserError, match="reads the history"):
        model.of_utterances(["hello"])


def test_it_scores_utterances_for_quality_control() -> None:
    model = train_linear(sample(60), "utterance")
    good = sample(3, 7)
    turns = [turn for c in good[:3] for turn in (("s", "hm", None), ("p", c.text, c.label))]
    verdict = check_strategy_consistency(talk(*turns), model.of_utterances, Limits())
    assert verdict.passed
    with pytest.raises(UserError, match="reads the utterance"):
        model.next_strategy(talk(("s", "help", None)))


def test_top_keeps_the_order_of_the_set_for_ties() -> None:
    assert top({"a": 0.2, "b": 0.5, "c": 0.2}, 2) == ["b", "a"]


def test_folds_hold_whole_dialogues_and_are_even() -> None:
    cases = sample(23)
    fold_of = folds_of(cases, 5, random.Random(0))
    assert sorted(Counter(fold_of.values()).values()) == [4, 4, 5, 5, 5]
    assert fold_of == folds_of(cases, 5, random.Random(0)) != folds_of(cases, 5, random.Random(1))
    with pytest.raises(UserError, match="23 dialogues with strategies and 24 folds"):
        folds_of(cases, 24, random.Random(0))


def test_no_case_is_predicted_by_a_classifier_that_knows_its_dialogue() -> None:
    cases = sample(12)
    seen = []

    def spy(known, asked):
        seen.append(({c.dialogue for c in known}, {c.dialogue for c in asked}))
        return [{"question": 1.0} for _ in asked]

    found = cross_validate(cases, spy, 4, 0)
    assert all(not known & asked for known, asked in seen)
    assert set().union(*(asked for _, asked in seen)) == {c.dialogue for c in cases}
    assert found.cases == tuple(cases) and set(found.said) == {"question"}


def test_figures_tables_and_intervals_belong_together() -> None:
    cases = sample(30)
    found = cross_validate(cases, linear("utterance", 0.5, 0.6), 5, 0)
    tables = found.tables(SET.keys)
    assert tables.shape == (30, 8, 8) and tables.sum() == len(cases)
    values = figures(found, SET.keys, 0, 200)
    assert set(values) == {"macro_f1", "weighted_f1", "accuracy", "top_3"}
    right = sum(s == c.label for s, c in zip(found.said, cases, strict=True)) / len(cases)
    assert values["accuracy"].value == pytest.approx(right)
    assert values["top_3"].value == pytest.approx(sum(found.near) / len(cases)) and values["top_3"].value >= right
    assert all(v.low <= v.value <= v.high for v in values.values() if v.low is not None and v.high is not None)


def test_the_majority_baseline_is_what_its_name_says() -> None:
    cases = [dataclasses.replace(c, label="question" if i % 3 else "others") for i, c in enumerate(sample(10))]
    found = cross_validate(cases, majority, 5, 0)
    assert set(found.said) == {"question"}
    share = sum(c.label == "question" for c in cases) / len(cases)
    assert figures(found, SET.keys, 0, 50)["accuracy"].value == pytest.approx(share)
    assert figures(found, SET.keys, 0, 50)["macro_f1"].value == pytest.approx(2 * share / (1 + share) / 8)


def test_the_advantage_over_a_baseline_is_paired() -> None:
    cases = sample(30)
    good, low = (cross_validate(cases, p, 5, 0) for p in (linear("utterance", 0.5, 0.6), majority))
    gain = advantage(good, low, SET.keys, 0, 200)
    assert gain.excludes(0.0) and gain.value > 0.5
    assert not advantage(good, good, SET.keys, 0, 50).excludes(0.0)


def test_the_last_turn_baseline_knows_nothing_else() -> None:
    (case,) = last_turn(cases_of(LINES, 0)[2:])
    assert case.lines == (LINES[4],) and case.used == () and case.label == "suggestions"


def test_the_task_on_the_practice_data(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    request = ClassifierRequest(folds=5, resamples=50)
    result = run(request, context)
    assert result.dialogues == 10 and result.turns > 35
    by_name = {f.name: f for f in result.figures}
    assert set(by_name) == {"macro_f1", "weighted_f1", "accuracy", "top_3"}
    assert 0 <= by_name["macro_f1"].value <= 1 and by_name["macro_f1"].low <= by_name["macro_f1"].high
    assert set(result.each) == set(SET.keys)
    model = StrategyClassifier.load(Path(result.saved[0].path))
    assert model.keys and sum(model.next_strategy(talk(("s", "hello", None))).values()) == pytest.approx(1)
    rows = read_lines(context.run / "artifacts" / "predictions.jsonl")
    assert len(rows) == result.turns and set(rows[0]) == {"dialogue", "turn", "gold", "said", "near"}
    again = run(request, MemoryContext(tmp_path / "again"))
    assert again.figures == result.figures and again.each == result.each
    json.dumps(to_json(result))


def test_the_task_reads_utterances(tmp_path: Path) -> None:
    result = run(ClassifierRequest(reads="utterance", folds=2, resamples=20), MemoryContext(tmp_path / "run"))
    assert StrategyClassifier.load(Path(result.saved[0].path)).of_utterances(["Why?"])


@pytest.mark.parametrize("kind", ["lm", "both"])
def test_the_task_with_a_language_model(kind: str, tiny_lm: Path, tmp_path: Path) -> None:
    request = ClassifierRequest(kind=kind, model=f"path:{tiny_lm}", folds=2, resamples=20)
    result = run(request, MemoryContext(tmp_path / "run"))
    folder = Path(result.saved[0].path)
    head = LmHead.load(folder)
    assert head.model == f"path:{tiny_lm}" and head.reads == "history"
    assert (folder / "classifier.json").is_file() == (kind == "both")
    again = run(request, MemoryContext(tmp_path / "again"))
    assert again.figures == result.figures


def test_a_cancel_ends_the_task(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        run(ClassifierRequest(), MemoryContext(tmp_path / "run", cancel_after=3))


@pytest.mark.parametrize(("dialogues", "words_"), [
    ([talk(("s", "hi", None), ("p", "yes", None))], "No dialogue of the data has strategies"),
    ([talk(("s", "hi", None), ("p", "yes", "question"))], "1 dialogues with strategies and 5 folds"),
])
def test_data_without_what_is_needed_are_refused(dialogues: list[Dialogue], words_: str, tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps(dialogue_to_json(d)) + "\n" for d in dialogues))
    with pytest.raises(UserError, match=words_):
        run(ClassifierRequest(data=(f"path:{path}",)), MemoryContext(tmp_path / "run"))


def test_two_strategy_sets_in_one_classifier_are_refused(tmp_path: Path) -> None:
    other = dataclasses.replace(talk(("s", "hi", None), ("p", "yes", "clarification")),
                                strategy_set=choose_strategies("extes-16"))
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps(dialogue_to_json(other)) + "\n")
    with pytest.raises(UserError, match="esconv-8, extes-16"):
        run(ClassifierRequest(data=("practice", f"path:{path}")), MemoryContext(tmp_path / "run"))


@pytest.fixture(scope="module")
def reader(tiny_lm: Path) -> Reader:
    return Reader(tiny_lm, length=600)


TALK = talk(("p", "Hello!", "others"), ("s", "I am sad.", None), ("p", "Why?", "question"), ("s", "My dog.", None),
            ("p", "Oh.", None), ("s", "Yes.", None), ("p", "That hurts.", "reflection"))


@pytest.mark.parametrize("reads", ["history", "utterance"])
def test_there_is_a_state_for_every_case(reader: Reader, reads: str) -> None:
    cases = cases_of(lines_of(TALK), 0, reads == "history")
    states = reader.states(TALK, reads)
    assert states.shape == (len(cases), 48) and len(cases) == (2 if reads == "history" else 3)
    found = index(cases, [states])
    assert all((found[id(case)] == states[place]).all() for place, case in enumerate(cases))


def test_the_state_before_a_reply_knows_the_history_and_not_the_reply(reader: Reader) -> None:
    before = reader.states(TALK, "history")
    other = dataclasses.replace(TALK, turns=(*TALK.turns[:-1], dataclasses.replace(
        TALK.turns[-1], text="Something else.", strategy="information")))
    assert reader.states(other, "history") == pytest.approx(before, abs=1e-5)
    changed = dataclasses.replace(TALK, turns=(TALK.turns[0], dataclasses.replace(TALK.turns[1], text="I am glad!"),
                                               *TALK.turns[2:]))
    assert not np.allclose(reader.states(changed, "history"), before, atol=1e-3)


def test_the_state_of_an_utterance_knows_its_words_and_not_its_strategy(reader: Reader) -> None:
    before = reader.states(TALK, "utterance")
    relabelled = dataclasses.replace(TALK, turns=(*TALK.turns[:-1], dataclasses.replace(TALK.turns[-1],
                                                                                      strategy="information")))
    assert reader.states(relabelled, "utterance") == pytest.approx(before, abs=1e-6)
    said_ = dataclasses.replace(TALK, turns=(*TALK.turns[:-1], dataclasses.replace(TALK.turns[-1], text="Go away.")))
    assert not np.allclose(reader.states(said_, "utterance")[-1], before[-1], atol=1e-3)


def test_the_next_state_is_the_one_that_training_saw(reader: Reader) -> None:
    so_far = dataclasses.replace(TALK, turns=TALK.turns[:-1])
    assert reader.next_state(so_far)[0] == pytest.approx(reader.states(TALK, "history")[-1], abs=1e-5)


def test_a_turn_that_does_not_fit_has_a_state_of_zeros(reader: Reader) -> None:
    long = talk(("s", "x" * 2000, None), ("p", "Why?", "question"), ("s", "hm", None), ("p", "Oh.", "reflection"))
    states = reader.states(long, "history")
    assert not states[0].any() and states[1].any(), "the second forgets the long turn and fits"
    assert len(read_all(reader, [long, TALK], "history")) == 2
    assert reader.states(talk(("s", "alone", None)), "history").shape == (0, 48)


def test_a_head_learns_and_comes_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = ["question", "others", "information"] * 30
    centre = {"question": 0.0, "others": 3.0, "information": -3.0}
    states = np.array([[centre[y], rng.normal(), 5.0] for y in labels])
    head = train_head(states, labels, "history", "path:/m", strength=1.0)
    said_ = [head.keys[i] for i in head.scores(states).argmax(1)]
    assert sum(a == b for a, b in zip(said_, labels, strict=True)) > 85
    again = LmHead.load(head.save(tmp_path / "h"))
    assert again.keys == head.keys and again.scores(states) == pytest.approx(head.scores(states), abs=1e-5)
    (tmp_path / "h" / "lm-head.npz").write_bytes(b"x")
    with pytest.raises(UserError, match="no head"):
        LmHead.load(tmp_path / "h")


def test_two_opinions_together_are_probabilities_between_both() -> None:
    both = together(np.array([[0.9, 0.1]]), np.array([[0.1, 0.9]]))
    assert both == pytest.approx(np.array([[0.5, 0.5]]))
    assert together(np.array([[0.8, 0.2]]), np.array([[0.8, 0.2]])) == pytest.approx(np.array([[0.8, 0.2]]))


WORD_TEXTS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40)


@given(st.lists(st.tuples(WORD_TEXTS, st.sampled_from(SET.keys)), min_size=2, max_size=8))
@settings(max_examples=40, deadline=None)
def test_any_text_has_a_finite_row_of_known_length(said_: list[tuple[str, str]]) -> None:
    lines = [line for text, key in said_ for line in (Line("seeker", text), Line("supporter", text, key))]
    for reads in ("history", "utterance"):
        cases = cases_of(lines, 0, reads == "history")
        vocabulary = Vocabulary.of(cases, reads, rare=1)
        numbers = vocabulary.numbers()
        assert len(numbers) == len(vocabulary.names), "no feature has two numbers"
        for case in cases:
            row = vocabulary.row(case, numbers)
            assert all(math.isfinite(value) for value in row.values())
            for field, length in cf.WEIGHTS.items():
                values = [v for n, v in row.items() if vocabulary.names[n].startswith(f"{field}:")]
                assert not values or math.sqrt(sum(v * v for v in values)) == pytest.approx(length)


@given(st.lists(st.floats(-700, 700), min_size=2, max_size=9))
@settings(max_examples=50, deadline=None)
def test_softmax_is_a_probability_for_any_scores(scores: list[float]) -> None:
    (row,) = softmax(np.array([scores]))
    assert row.sum() == pytest.approx(1) and (row >= 0).all()
    assert row.argmax() == int(np.argmax(scores)) or row.max() == pytest.approx(row[int(np.argmax(scores))])


def test_chinese_dialogues_are_read_and_kept(tmp_path: Path) -> None:
    talks = [dataclasses.replace(talk(("s", text, None), ("p", "嗯", key)), language="zh") for text, key in (
        ("我睡不着觉", "question"), ("谢谢你再见", "others"), ("我很难过", "reflection")) for _ in range(6)]
    cases = [c for place, d in enumerate(talks) for c in cases_of(lines_of(d), place)]
    model = StrategyClassifier.load(train_linear(cases, "history", strength=50.0).save(tmp_path / "c"))
    asked = dataclasses.replace(talk(("s", "我今天又睡不着", None)), language="zh")
    assert top(model.next_strategy(asked), 1) == ["question"]


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_order_of_cases_does_not_matter(order: int) -> None:
    cases = sample(15)
    shuffled = list(cases)
    random.Random(order).shuffle(shuffled)
    one, two = train_linear(cases, "utterance"), train_linear(shuffled, "utterance")
    assert one.vocabulary == two.vocabulary and one.keys == two.keys
    assert one.scores(cases) == pytest.approx(two.scores(cases), abs=0.02), "up to where the solver stops"


@pytest.mark.parametrize("gamma", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("counts", [(1, 1), (10, 1), (5, 3, 1)])
def test_weights_never_change_the_total(counts: tuple[int, ...], gamma: float) -> None:
    labels = [str(n) for n, count in enumerate(counts) for _ in range(count)]
    weights = class_weights(labels, gamma)
    assert sum(weights[label] for label in labels) == pytest.approx(len(labels))
    rarest_first = sorted(range(len(counts)), key=lambda n: counts[n])
    values = [weights[str(n)] for n in rarest_first]
    assert values == sorted(values, reverse=True), "the rarer, the heavier"
