"""Latency by hand-computed values and the conventions; words; sufficiency; logs that SimulEval reads."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from backends.sm2.alignment import aligned, ibm1, pharaoh, sufficiency
from backends.sm2.corpora import words_of
from backends.sm2.latency import (
    average_lagging,
    average_proportion,
    consecutive_wait,
    differentiable_lagging,
    in_words,
    latency,
    mean,
)
from backends.sm2.logs import line_of, make_log, read_line
from backends.sm2.policy import Trace
from backends.sm2.vocabulary import begun_of
from tests.backends.sm2_cases import LANGUAGE
from workbench.contract import UserError


@pytest.mark.parametrize("k", [1, 2, 5, 10])
def test_wait_k_of_equal_lengths_lags_by_k(k: int) -> None:
    """Pitfall 4."""
    delays = [min(k + i, 10) for i in range(10)]
    assert average_lagging(delays, 10, 10) == pytest.approx(k)
    assert differentiable_lagging(delays, 10) >= average_lagging(delays, 10, 10) - 1e-9


def test_the_full_sentence_lags_by_its_length() -> None:
    found = latency([7] * 5, 7, 5)
    assert found.al == 7 and found.ap == 1 and found.cw == 7 and found.laal == 7
    assert found.dal == pytest.approx(7)


@pytest.mark.parametrize(
    ("delays", "source", "target", "al", "ap", "dal", "cw"),
    [
        ([1, 2, 3, 4], 4, 4, 1.0, 10 / 16, 1.0, 1.0),
        ([2, 2, 4, 4], 4, 4, (2 + 1 + 2) / 3, 12 / 16, (2 + 2 + 2 + 2) / 4, 2.0),
        ([3, 3], 3, 2, 3.0, 1.0, 3.0, 3.0),
        ([2, 4, 4], 4, 3, (2 + 4 - 4 / 3) / 2, 10 / 12, (2 + (4 - 4 / 3) + (16 / 3 - 8 / 3)) / 3, 2.0),
        ([1], 5, 1, 1.0, 0.2, 1.0, 1.0),
    ],
)
def test_by_hand(delays: list, source: int, target: int, al: float, ap: float, dal: float, cw: float) -> None:
    assert average_lagging(delays, source, target) == pytest.approx(al)
    assert average_proportion(delays, source) == pytest.approx(ap)
    assert differentiable_lagging(delays, source) == pytest.approx(dal)
    assert consecutive_wait(delays) == pytest.approx(cw)


def test_hypothesis_and_reference_length_give_different_al() -> None:
    """SimulEval divides by the reference, SM2's code by the hypothesis: say which."""
    delays = [1, 2, 3, 4, 4, 4, 4, 4]
    by_hypothesis, by_reference = (average_lagging(delays, 4, n) for n in (8, 4))
    assert by_hypothesis == pytest.approx((1 + 1.5 + 2 + 2.5) / 4) and by_reference == pytest.approx(1.0)
    found = latency(delays, 4, 4)
    assert found.laal == found.al == by_hypothesis
    assert latency([1, 2], 4, 8).laal > latency([1, 2], 4, 8).al, "too short an output does not look fast"


def test_odd_sentences() -> None:
    assert average_lagging([9, 9], 5, 2) == 9, "SimulEval's rule for a first delay beyond the source"
    nothing = latency([], 5, 3)
    assert all(math.isnan(value) for value in nothing.values().values())
    found = mean([latency([2, 3], 3, 2), nothing])
    assert found.undefined == 1 and found.al == latency([2, 3], 3, 2).al and math.isnan(mean([]).al)
    with pytest.raises(UserError, match="0 units"):
        average_lagging([1], 0, 1)
    with pytest.raises(UserError, match="must not fall"):
        latency([2, 1], 3, 2)
    assert math.isnan(consecutive_wait([0, 0]))


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["▁Hel", "lo", "▁world", "</s>"], [1, 1, 2, 2]),
        (["▁我们", "去", "北京", "。", "</s>"], [2, 3, 5, 6, 6]),
        (["▁用", "Py", "thon", "▁写"], [1, 2, 2, 3]),
        (["lo", "▁", "x"], [1, 1, 2]),
        (["<s>", "▁a"], [0, 1]),
        ([], []),
    ],
)
def test_words_begun(pieces: list, expected: list) -> None:
    assert begun_of(pieces) == expected


def test_a_word_is_written_with_its_last_token_and_read_with_its_first() -> None:
    source, target = [1, 1, 2, 3, 3], [1, 1, 2]
    assert in_words([1, 3, 4], source, target) == [2, 3]
    assert in_words([5], source, [2]) == [3, 3], "one token of two words writes both"
    assert in_words([], source, []) == []
    with pytest.raises(UserError, match="2 delays and 1 target"):
        in_words([1, 2], source, [1])


def test_sufficiency() -> None:
    assert sufficiency([2, 2, 5], [1, 3, 5]) == pytest.approx(2 / 3)
    assert sufficiency([2, 2], [None, 1]) == 1.0 and sufficiency([2], [None]) is None and sufficiency([], []) is None


def test_pharaoh_lines() -> None:
    assert pharaoh("0-0 2-1 1-1 4-3", 5) == [1, 3, None, 5, None] and pharaoh("", 2) == [None, None]
    for line in ("0:0", "0-9", "x-1"):
        with pytest.raises(UserError, match="no alignment"):
            pharaoh(line, 3)


def test_the_alignments_of_ted(shared: Path) -> None:
    folder = shared / "mt" / "compare_mt_ted"
    lines = (folder / "ted.ref.align").read_text(encoding="utf-8").split("\n")[:50]
    texts = (folder / "ted.ref.eng").read_text(encoding="utf-8").split("\n")[:50]
    needed = [pharaoh(line, len(text.split())) for line, text in zip(lines, texts, strict=True)]
    late = [sufficiency([99] * len(n), n) for n in needed]
    assert all(value == 1.0 for value in late if value is not None) and sum(v is not None for v in late) > 45


def test_ibm_model_1_finds_a_dictionary() -> None:
    pairs = [((1, 2), (11, 12)), ((2, 3), (13, 12)), ((1, 3), (11, 13)), ((1, 2, 3), (12, 13, 11))] * 3
    table = ibm1(pairs, 10)
    assert aligned(table, (3, 1), (11, 13)) == [2, 1] and aligned(table, (1,), (99,)) == [None]
    with pytest.raises(UserError, match="needs sentence pairs"):
        ibm1([])


def log():
    vocabulary = words_of(LANGUAGE)
    source = vocabulary.encode("sov n1 n2 v3")
    trace = Trace((41, 42, 2), (2, 4, 5), "RRWRRWRW", (None, None, 0.9, 0.1, 0.2, 0.8, 0.3, 0.95), 5)
    return make_log(3, trace, source, "sov n1 n2 v3", "N1 V3", vocabulary, 2)


def test_a_log_has_simulevals_fields_and_ours() -> None:
    made = json.loads(line_of(log()))
    assert made["delays"] == [2, 4] and made["source_length"] == 4 and made["prediction_length"] == 2
    assert made["token_delays"] == [2, 4, 5] and made["token_source_length"] == 5 and made["actions"] == "RRWRRWRW"
    assert made["confidence"][:3] == [None, None, 0.9] and made["reference"] == "N1 V3" and made["index"] == 3
    assert len(made["delays"]) == len(made["prediction"].split()), "SimulEval wants a delay for each word"
    assert made["source_pieces"][-1] == "</s>"


def test_a_logs_latency_is_of_words_and_of_tokens() -> None:
    made = log()
    assert made.words() == latency([2, 4], 4, 2) and made.tokens(3) == latency([2, 4, 5], 5, 3)


def test_logs_are_read_back_and_tampering_shows() -> None:
    line = line_of(log())
    assert read_line(line, "line 1")["prediction"] == log().prediction
    changed = json.loads(line)
    changed["token_delays"][0] = 1
    for text, words in (
        (json.dumps(changed), "do not lead"),
        ("{", "not valid JSON"),
        ("{}", "lacks index"),
        (json.dumps({**json.loads(line), "delays": ["x"]}), "must be numbers"),
        (json.dumps({**json.loads(line), "delays": None}), "must be numbers"),
        (json.dumps({**json.loads(line), "delays": [float("inf")]}), "must be numbers"),
        (json.dumps({**json.loads(line), "actions": "RXW"}), "'X' is no action"),
        (json.dumps({**json.loads(line), "actions": 5}), "'5' is no action"),
        ("5", "holds no object"),
        ("[]", "holds no object"),
        ("null", "holds no object"),
    ):
        with pytest.raises(UserError, match=words):
            read_line(text, "line 1")
    assert read_line('{"index": 0, "prediction": "a", "delays": [1], "source_length": 2}', "x")["delays"] == [1]
