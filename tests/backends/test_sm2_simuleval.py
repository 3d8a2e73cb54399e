"""Latency and logs against SimulEval: its formulas written down slowly, its way of reading a log, its lengths."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.sm2.curve import run as curve
from backends.sm2.latency import average_lagging, differentiable_lagging, latency
from backends.sm2.logs import belonging, line_of, make_log, read_line
from backends.sm2.policy import Trace
from backends.sm2.requests import CurveRequest
from backends.sm2.vocabulary import SPACE, begun_of, learn, words
from workbench.context import MemoryContext

FEW = settings(max_examples=60, deadline=None)


def slow_al(delays: list, source: int, target: int, reference: int | None = None) -> float:
    """AL, or with ``reference`` LAAL, term by term as the papers write it."""
    if delays[0] > source:
        return delays[0]
    rate = max(target, reference or 0) / source
    terms = []
    for i in range(1, len(delays) + 1):
        terms.append(delays[i - 1] - (i - 1) / rate)
        if delays[i - 1] >= source:
            break
    return sum(terms) / len(terms)


def slow_dal(delays: list, source: int) -> float:
    """DAL with its recursion spelled out."""
    rate = len(delays) / source
    shifted = [delays[0]]
    for delay in delays[1:]:
        shifted.append(max(delay, shifted[-1] + 1 / rate))
    return sum(late - i / rate for i, late in enumerate(shifted)) / len(delays)


def walk(generator: random.Random) -> tuple[list[int], int]:
    source = generator.randint(1, 25)
    return sorted(generator.randint(1, source) for _ in range(generator.randint(1, 30))), source


@pytest.mark.parametrize("seed", range(30))
def test_every_formula_by_the_slow_way(seed: int) -> None:
    generator = random.Random(seed)
    for _ in range(20):
        delays, source = walk(generator)
        reference = generator.randint(1, 30)
        found = latency(delays, source, reference)
        assert found.al == pytest.approx(slow_al(delays, source, len(delays)))
        assert average_lagging(delays, source, reference) == pytest.approx(slow_al(delays, source, reference))
        assert found.laal == pytest.approx(slow_al(delays, source, len(delays), reference))
        assert found.dal == pytest.approx(slow_dal(delays, source))
        assert found.ap == pytest.approx(sum(delays) / (source * len(delays)))


@FEW
@given(st.lists(st.floats(0.5, 30), min_size=1, max_size=12).map(sorted), st.integers(1, 20), st.integers(1, 20))
def test_delays_need_not_be_whole(delays: list, source: int, reference: int) -> None:
    """Speech has delays in milliseconds, and a first delay may lie beyond the source."""
    assert average_lagging(delays, source, reference) == pytest.approx(slow_al(delays, source, reference))
    assert differentiable_lagging(delays, source) == pytest.approx(slow_dal(delays, source))


@pytest.mark.parametrize(
    ("delays", "source", "al"),
    [([6, 6, 6], 5, 6), ([5, 5, 5], 5, 5), ([5], 5, 5), ([1, 5, 5, 5], 5, (1 + 5 - 5 / 4) / 2), ([3, 3], 5, 1.75)],
)
def test_the_last_word_that_counts_is_the_first_after_the_whole_source(delays: list, source: int, al: float) -> None:
    """What is written when everything has been read costs nothing more; a text that ends early counts to its end."""
    assert average_lagging(delays, source, len(delays)) == pytest.approx(al)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("   ", 0),
        ("Hello world", 2),
        ("  a   b ", 2),
        ("it's well-known .", 3),
        ("我们去北京。", 6),
        ("我用 Python 写", 4),
        ("我用Python写", 4),
        ("日本語 text", 4),
        ("naïve café", 2),
    ],
)
def test_words_of_a_reference_are_counted_like_words_of_a_translation(text: str, expected: int) -> None:
    assert len(words(text)) == expected == begun_of([SPACE + SPACE.join(text.split())])[-1]
    assert "".join(words(text)) == "".join(text.split())


@FEW
@given(st.text(alphabet="ab c我。們1-", max_size=20))
def test_the_two_counts_agree_on_any_text(text: str) -> None:
    """LAAL compares them, so a text must not be longer as a reference than as a translation."""
    vocabulary = learn(["ab c 我 。 們 1 -"] * 3, 40)
    ids = vocabulary.encode(text)
    line = " ".join(text.split())
    assert len(words(line)) == vocabulary.begun(vocabulary.encode(line))[-1]
    assert vocabulary.begun(ids)[-1] >= 0


class Instance:
    """A line of ``instances.log`` as SimulEval's scorers take it up: every key an attribute, words split at spaces."""

    def __init__(self, line: str) -> None:
        for key, value in json.loads(line.strip()).items():
            setattr(self, key, value)
        self.reference_length = len(self.reference.split(" "))

    def al(self) -> float:
        """With the length of the reference, as SimulEval does when there is one."""
        return slow_al(self.delays, self.source_length, self.reference_length)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    context = MemoryContext(tmp_path_factory.mktemp("simuleval") / "run")
    curve(CurveRequest(sentences=25, thresholds=(0.5,), waits=(3,), full=False, resamples=10), context)
    folder = context.run / "artifacts" / "logs"
    return [line for file in sorted(folder.iterdir()) for line in file.read_text(encoding="utf-8").splitlines()]


def test_simuleval_reads_our_logs(logs: list[str]) -> None:
    assert len(logs) == 50
    for line in logs:
        one = Instance(line)
        assert len(one.delays) == len(one.elapsed) == one.prediction_length == len(one.prediction.split())
        assert all(1 <= delay <= one.source_length for delay in one.delays) and sorted(one.delays) == one.delays
        assert isinstance(one.source, str) and len(one.source.split()) == one.source_length
        assert one.al() == pytest.approx(average_lagging(one.delays, one.source_length, one.reference_length))


def test_our_own_reader_accepts_every_line_and_words_come_from_tokens(logs: list[str]) -> None:
    for number, line in enumerate(logs):
        one = read_line(line, f"line {number}")
        assert one["actions"].count("W") == len(one["token_delays"]) == len(one["target_pieces"])
        assert one["actions"].count("R") <= one["token_source_length"] == len(one["source_pieces"])
        without_end = [d for d, piece in zip(one["token_delays"], one["target_pieces"], strict=True) if piece != "</s>"]
        assert one["delays"] == [min(d, one["source_length"]) for d in without_end], "a token is a word here"
        assert len(one["confidence"]) == len(one["actions"])


def test_delays_of_pieces_become_delays_of_words() -> None:
    """A word is written with its last piece; a source word counts as read with its first."""
    vocabulary = learn(["lower lowest newer newest wider widest"] * 2, 16)
    source, target = vocabulary.encode("lower newest"), vocabulary.encode("newest wider")
    pieces = vocabulary.pieces(target)
    size = len(source)
    delays = [min(size, 1 + i) for i in range(len(target))]
    actions, read = "", 0
    for delay in delays:
        actions += "R" * (delay - read) + "W"
        read = delay
    trace = Trace(tuple(target), tuple(delays), actions, (0.5,) * len(actions), size)
    log = make_log(0, trace, source, "lower newest", "newest wider", vocabulary, 2)
    second = next(i for i, piece in enumerate(pieces) if i and piece.startswith("▁"))
    begun = vocabulary.begun(source)
    assert log.prediction == "newest wider" and log.source_length == 2 and len(pieces) > 5
    assert pieces[second] == "▁" and begun[delays[second] - 1] == 2, "this space would already be too late"
    assert list(log.delays) == [begun[delays[second - 1] - 1], begun[delays[len(target) - 2] - 1]]
    assert read_line(line_of(log), "x")["prediction_length"] == 2


@pytest.mark.parametrize(
    ("pieces", "begun", "expected"),
    [
        (["▁a", "▁", "b"], [1, 1, 2], [1, 2, 2]),
        (["▁", "a", "b"], [0, 1, 1], [1, 1, 1]),
        (["▁a", "▁", "我们"], [1, 1, 3], [1, 1, 3]),
        (["▁a", "▁", "▁", "b"], [1, 1, 1, 2], [1, 2, 2, 2]),
        (["▁a", "▁"], [1, 1], [1, 1]),
        (["n1", "V2"], [1, 2], [1, 2]),
        ([], [], []),
    ],
)
def test_a_space_of_its_own_belongs_to_the_word_behind_it(pieces: list, begun: list, expected: list) -> None:
    assert belonging(begun, pieces) == expected and begun == sorted(begun), "what is given stays as it was"


@pytest.mark.parametrize("text", ["我们去北京", "今天天气很好 ok"])
def test_chinese_is_counted_by_the_character(text: str) -> None:
    vocabulary = learn([text, "we go"] * 3, 40)
    ids = vocabulary.encode(text)
    trace = Trace(tuple(ids), (2,) * len(ids), "RR" + "W" * len(ids), (None, None, *[0.9] * len(ids)), 3)
    log = make_log(0, trace, vocabulary.encode("we go"), "we go", text, vocabulary, 2)
    assert len(log.delays) == len(words(text)) and log.words().laal == log.words().al


def test_an_empty_translation_is_a_log_too() -> None:
    vocabulary = learn(["we go"] * 2, 20)
    log = make_log(4, Trace((2,), (1,), "RW", (None, 0.4), 3), vocabulary.encode("we go"), "we go", "", vocabulary, 2)
    made = read_line(line_of(log), "x")
    assert made["delays"] == [] and made["prediction"] == "" and made["index"] == 4 and made["token_delays"] == [1]


def test_a_log_is_one_line_whatever_is_in_it(tmp_path: Path) -> None:
    vocabulary = learn(["we go"] * 2, 20)
    text = 'a "quoted"\u2028line\twith\x0bodd\x85things'
    log = make_log(0, Trace((2,), (1,), "RW", (None, 0.4), 3), vocabulary.encode("we go"), text, text, vocabulary, 2)
    (tmp_path / "x.log").write_text(line_of(log) + "\n", encoding="utf-8")
    lines = (tmp_path / "x.log").read_text(encoding="utf-8").split("\n")
    assert len(lines) == 2 and json.loads(lines[0])["source"] == text
