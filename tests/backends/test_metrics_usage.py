"""Use of strategies: mixes, thirds, transitions, divergence, stages; hand values and scipy as the oracle."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy

from backends.sweetiechat.metrics import usage
from tests.backends.quality_cases import GOOD_EN, SET, dialogue
from workbench.contract import UserError

AB = ("a", "b")
counts = st.lists(st.integers(0, 50), min_size=1, max_size=8)


def test_a_sequence_is_what_the_supporter_did() -> None:
    assert usage.sequence(dialogue(GOOD_EN)) == ("question", "affirmation", "suggestions")
    assert usage.sequence(dialogue([("seeker", "hi"), ("supporter", "hello")])) == (None,)


def test_mix_counts_declared_strategies_only() -> None:
    assert usage.mix([["a", None, "a"], ["b"]], ("a", "b", "c")) == {"a": 2, "b": 1, "c": 0}
    with pytest.raises(UserError, match="'Question' is not among the declared strategies a, b"):
        usage.mix([["a", "Question"]], AB)


@pytest.mark.parametrize(("values", "expected"), [
    ([1, 1], 1.0), ([1, 1, 1, 1], 2.0), ([5], 0.0), ([0, 3], 0.0), ([], 0.0), ([3, 1], 0.8112781244591328)])
def test_entropy_by_hand(values: list, expected: float) -> None:
    assert usage.entropy(values) == pytest.approx(expected)


@given(counts)
def test_entropy_equals_scipy_and_is_bounded(values: list) -> None:
    assume(sum(values))
    assert usage.entropy(values) == pytest.approx(scipy_entropy(values, base=2))
    assert 0 <= usage.entropy(values) <= usage.entropy([1] * len(values)) + 1e-9


@pytest.mark.parametrize(("length", "expected"), [
    (1, "m"), (2, "fl"), (3, "fml"), (4, "fmml"), (5, "ffmll"), (6, "ffmmll"), (9, "fffmmmlll")])
def test_which_third_a_turn_belongs_to(length: int, expected: str) -> None:
    assert "".join(usage.third_of(i, length)[0] for i in range(length)) == expected


def test_use_by_third_by_hand() -> None:
    first, middle, last = usage.by_third([["a", "a", "b"], ["b", "a", "b"], ["a", None]], AB)
    assert (first.third, first.counts, first.entropy) == ("first", {"a": 2, "b": 1}, pytest.approx(0.9182958340544896))
    assert (middle.third, middle.counts, middle.entropy) == ("middle", {"a": 2, "b": 0}, 0)
    assert (last.third, last.counts, last.entropy) == ("last", {"a": 0, "b": 2}, 0)


def test_transitions_stay_inside_a_dialogue_and_stop_at_a_gap() -> None:
    found = usage.transitions([["a", "b", "b"], ["a", "a", None, "b"], []], ("a", "b", "c"))
    assert found.strategies == ("a", "b", "c")
    assert found.counts == ((1, 1, 0), (0, 1, 0), (0, 0, 0))
    assert found.shares == ((0.5, 0.5, 0), (0, 1, 0), (0, 0, 0)), "nothing follows c: its row is all 0"
    with pytest.raises(UserError, match="'x'"):
        usage.transitions([["x"]], AB)


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=8), max_size=5))
def test_transitions_count_every_step_and_rows_are_shares(sequences: list) -> None:
    found = usage.transitions(sequences, "abc")
    assert sum(map(sum, found.counts)) == sum(max(len(s) - 1, 0) for s in sequences)
    assert all(sum(row) == pytest.approx(1) or sum(row) == 0 for row in found.shares)


@pytest.mark.parametrize(("first", "second", "expected"), [
    ({"a": 1}, {"a": 9}, 0.0), ({"a": 1}, {"b": 1}, 1.0), ({"a": 1, "b": 1}, {"a": 1}, 0.31127812445913283)])
def test_divergence_by_hand(first: dict, second: dict, expected: float) -> None:
    assert usage.jensen_shannon(first, second) == pytest.approx(expected)


mixes = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 40), min_size=1).filter(lambda m: sum(m.values()))


@given(mixes, mixes)
def test_divergence_is_the_square_of_scipys_distance_symmetric_and_bounded(first: dict, second: dict) -> None:
    p, q = ([m.get(k, 0) for k in "abcde"] for m in (first, second))
    value = usage.jensen_shannon(first, second)
    assert value == pytest.approx(float(jensenshannon(p, q, base=2)) ** 2, abs=1e-7)
    assert value == pytest.approx(usage.jensen_shannon(second, first), abs=1e-12)
    assert 0 <= value <= 1 and usage.jensen_shannon(first, first) == 0


@pytest.mark.parametrize(("first", "second"), [({}, {"a": 1}), ({"a": 1}, {"a": 0}), ({"a": -1, "b": 3}, {"a": 1})])
def test_divergence_of_nothing_is_refused(first: dict, second: dict) -> None:
    with pytest.raises(UserError, match="nothing to compare"):
        usage.jensen_shannon(first, second)


def test_stage_mix_by_hand() -> None:
    assert usage.stage_mix([["question", "question", "affirmation"], ["others", None]], SET) == {
        "exploration": 0.5, "comforting": 0.25, "action": 0.0, "any": 0.25}
    assert set(usage.stage_mix([], SET).values()) == {0.0}
    with pytest.raises(UserError, match="'chat'"):
        usage.stage_mix([["chat"]], SET)


def test_esconvs_counts_give_the_printed_shares() -> None:
    """README of ESConv: 20.7, 5.9, 7.8, 9.3, 15.4, 16.1, 6.6 and 18.2 percent."""
    total = sum(usage.ESCONV_COUNTS.values())
    shares = {key: round(100 * n / total, 1) for key, n in usage.ESCONV_COUNTS.items()}
    assert shares == {"question": 20.7, "restatement": 5.9, "reflection": 7.8, "self-disclosure": 9.3,
                      "affirmation": 15.4, "suggestions": 16.1, "information": 6.6, "others": 18.2}
    with pytest.raises(TypeError):
        usage.ESCONV_COUNTS["question"] = 1  # type: ignore[index]


def test_esconvs_counts_fit_the_bundled_strategy_set() -> None:
    from pathlib import Path

    import yaml

    path = Path(__file__).resolve().parents[2] / "assets" / "dialogue" / "strategies" / "esconv-8.yaml"
    items = yaml.safe_load(path.read_text(encoding="utf-8"))["items"]
    assert {item["key"] for item in items} == set(usage.ESCONV_COUNTS)


def test_the_mix_of_a_corpus_against_the_reference() -> None:
    even = dict.fromkeys(usage.ESCONV_COUNTS, 1)
    only = {"question": 1}
    assert usage.jensen_shannon(usage.ESCONV_COUNTS, usage.ESCONV_COUNTS) == 0
    assert usage.jensen_shannon(even, usage.ESCONV_COUNTS) < usage.jensen_shannon(only, usage.ESCONV_COUNTS)
