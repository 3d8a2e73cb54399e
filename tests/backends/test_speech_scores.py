"""Accuracy and recall by hand, intervals over speakers, folds that never share anybody."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from backends.common.speech.folds import Fold, at_random, by_list, by_speaker, checked, read_list
from backends.common.speech.scores import class_weights, confusion, human_reference, intervals, score, ua_of, wa_of
from workbench.contract import MissingResource, UserError

AB = ("a", "b")


def test_by_hand() -> None:
    truth, told = ["a"] * 8 + ["b"] * 2, ["a"] * 8 + ["a", "b"]
    found = score(truth, told, [f"p{i % 2}" for i in range(10)], AB)
    assert (found.wa, found.ua, found.recall) == (0.9, 0.75, (1.0, 0.5))
    assert found.confusion == ((8, 0, 0), (1, 1, 0)) and found.unparsed_rate == 0.0 and found.clips == 10
    assert [(one.speaker, one.clips) for one in found.speakers] == [("p0", 5), ("p1", 5)]
    assert found.wa_interval[0] <= 0.9 <= found.wa_interval[1]


def test_always_the_large_class_is_seen_through_by_ua() -> None:
    found = score(["a"] * 95 + ["b"] * 5, ["a"] * 100, ["p"] * 100, AB)
    assert (found.wa, found.ua) == (0.95, 0.5) and found.wa_interval == ()


def test_no_answer_is_wrong_and_counted() -> None:
    found = score(["a", "a", "b", "b"], ["a", "", "b", "fear"], ["p", "q", "p", "q"], AB)
    assert (found.wa, found.unparsed_rate) == (0.5, 0.5) and found.confusion == ((1, 0, 1), (0, 1, 1))


def test_a_class_that_does_not_occur_is_no_zero() -> None:
    found = score(["a", "a"], ["a", "b"], ["p", "q"], ("a", "b", "c"), draws=0)
    assert found.ua == 0.5 and found.recall == (0.5, None, None) and found.ua_interval == ()


@pytest.mark.parametrize(("truth", "told", "speakers", "words"), [
    ([], [], [], "at least one"), (["a"], [], [], "1 true labels and 0 answers"),
    (["x"], ["a"], ["p"], "'x' is not among"),
    (["a"], ["a"], [], "0 speakers and 1 clips"),
])
def test_scores_of_nothing(truth, told, speakers, words: str) -> None:
    with pytest.raises(UserError, match=words):
        score(truth, told, speakers, AB)


def test_intervals_are_over_speakers_and_not_over_clips() -> None:
    good, bad = confusion(["a"] * 50, ["a"] * 50, AB), confusion(["a"] * 50, ["b"] * 50, AB)
    wa, ua = intervals([good, bad], 500, 1)
    assert wa == (0.0, 1.0) and ua == (0.0, 1.0)
    same = intervals([good + bad] * 20, 200, 1)[0]
    assert same == (0.5, 0.5)
    assert intervals([good, bad, good], 300, 5) == intervals([good, bad, good], 300, 5)


@limits(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("a", "b", "c", ""))), min_size=1, max_size=40))
def test_figures_are_shares_and_wa_is_the_diagonal(pairs) -> None:
    truth, told = [a for a, _ in pairs], [b for _, b in pairs]
    table = confusion(truth, told, ("a", "b", "c"))
    assert table.sum() == len(pairs) and 0 <= ua_of(table) <= 1
    assert wa_of(table) == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))


def test_class_weights() -> None:
    labels = ["a"] * 96 + ["b"] * 192
    weights = class_weights(labels, ("a", "b", "c"))
    assert weights == (1.5, 0.75, 0.0)
    assert sum(weights[("a", "b", "c").index(label)] for label in labels) == pytest.approx(len(labels))
    for bad, words in (([], "no labels"), (["z"], "not among")):
        with pytest.raises(UserError, match=words):
            class_weights(bad, AB)


def people(count: int = 7, each: int = 5) -> list[str]:
    return [f"ravdess_{i + 1:02d}" for i in range(count) for _ in range(each)]


@pytest.mark.parametrize("folds", [2, 3, 6, 7])
def test_nobody_is_on_both_sides_and_everybody_is_tested_once(folds: int) -> None:
    speakers = people()
    found = by_speaker(speakers, folds)
    assert len(found) == folds
    assert sorted(np.concatenate([fold.test for fold in found]).tolist()) == list(range(len(speakers)))
    for fold in found:
        assert not {speakers[i] for i in fold.train} & {speakers[i] for i in fold.test}


@limits(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("pqrstu"), min_size=8, max_size=50).filter(lambda x: len(set(x)) >= 3))
def test_any_mixture_of_speakers_is_kept_apart(speakers) -> None:
    for fold in by_speaker(speakers, 3):
        assert not {speakers[i] for i in fold.train} & {speakers[i] for i in fold.test}


@pytest.mark.parametrize(("speakers", "folds", "words"), [
    (["p"] * 9, 2, "2 folds of 1 speakers"), (people(3), 4, "4 folds of 3"), (people(3), 1, "1 folds of 3"),
    (["p", ""], 2, "1 of 2 clips have no speaker"), ([], 2, "0 of 0 clips"),
])
def test_folds_that_cannot_be(speakers, folds: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        by_speaker(speakers, folds)


def test_a_published_list_of_folds() -> None:
    speakers = people(4, 2)
    found = by_list(speakers, {"1": ["01", "04"], "2": ["02"], "3": ["ravdess_03"], "4": ["99"]})
    assert [fold.test.tolist() for fold in found] == [[0, 1, 6, 7], [2, 3], [4, 5]]
    with pytest.raises(UserError, match="ravdess_03 is in no fold"):
        by_list(speakers, {"1": ["01", "04"], "2": ["02"]})
    with pytest.raises(UserError, match="Speaker 01 is in the folds 1 and 2"):
        by_list(speakers, {"1": ["01"], "2": ["01"]})


def test_the_file_of_a_list(tmp_path: Path) -> None:
    path = tmp_path / "folds.json"
    path.write_text(json.dumps({"1": ["01", 2]}))
    assert read_list(path) == {"1": ["01", "2"]}
    for text in ("[1]", "{", '{"1": 5}', "3"):
        path.write_text(text)
        with pytest.raises(UserError, match="no list of folds"):
            read_list(path)
    with pytest.raises(MissingResource):
        read_list(tmp_path / "gone.json")


def test_a_split_that_leaks_is_refused() -> None:
    speakers = ["p", "p", "q"]
    with pytest.raises(UserError, match="p would be learned from and tested on"):
        checked(Fold(np.array([0, 2]), np.array([1])), speakers)
    with pytest.raises(UserError, match="0 clips to learn from"):
        checked(Fold(np.array([], int), np.array([1])), speakers)
    fold = Fold(np.array([0, 1]), np.array([2]))
    assert checked(fold, speakers) is fold


def test_the_random_split_mixes_people_on_purpose() -> None:
    speakers = people(4, 12)
    found = at_random(["a", "b"] * 24, 4, seed=3)
    assert any({speakers[i] for i in f.train} & {speakers[i] for i in f.test} for f in found)
    assert [f.test.tolist() for f in found] == [f.test.tolist() for f in at_random(["a", "b"] * 24, 4, seed=3)]


def test_how_often_people_are_right(tmp_path: Path, shared: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("FileName,VoiceVote,FaceVote,MultiModalVote\n1_I_ANG_XX,A,A,A\n2_I_SAD_XX,N,S,S\n3_I_HAP_X,H:N,N,H\n")
    found = human_reference(path)
    assert (found["clips"], found["voice"], found["face"], found["both"]) == (
        3, pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0)
    real = shared / "speech" / "cremad_votes" / "summaryTable.csv"
    if real.is_file():
        assert human_reference(real)["voice"] == pytest.approx(0.416, abs=0.001)
        assert human_reference(real)["both"] == pytest.approx(0.722, abs=0.001)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "FileName,VoiceVote\n"])
def test_tables_without_votes(tmp_path: Path, text: str) -> None:
    (tmp_path / "v.csv").write_text(text)
    with pytest.raises(UserError, match="has no votes"):
        human_reference(tmp_path / "v.csv")
    with pytest.raises(MissingResource):
        human_reference(tmp_path / "gone.csv")
