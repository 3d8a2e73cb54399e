"""How large and how long a training would be: weights exactly, lines by counting, time from earlier trainings."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from backends.sm2.estimate import (
    LOOKED_AT,
    RATE,
    STEP,
    SYNTHETIC_PAIRS,
    Size,
    estimate,
    formula,
    passes,
    size_of,
    slowness_of,
    weights,
)
from backends.sm2.model import Shape, Sm2
from backends.sm2.requests import TrainRequest

OWN = TrainRequest(source=("path:/a",), target=("path:/b",), vocabulary=300, width=32, inner=48, heads=2, layers=2)


@pytest.mark.parametrize(("vocabulary", "width", "inner", "heads", "layers"),
                         [(300, 32, 48, 2, 2), (100, 8, 8, 1, 1), (517, 24, 100, 4, 3)])
def test_weights_are_those_of_the_real_model(vocabulary: int, width: int, inner: int, heads: int, layers: int) -> None:
    request = replace(OWN, vocabulary=vocabulary, width=width, inner=inner, heads=heads, layers=layers)
    model = Sm2(Shape(vocabulary, width, heads, inner, layers, layers))
    assert weights(request) == sum(p.numel() for p in model.parameters())


def test_the_order_language_has_its_own_vocabulary() -> None:
    request = TrainRequest(width=64, inner=128, heads=4, layers=2, vocabulary=9000)
    assert weights(request) == 173_185, "as the card of the bundled practice model says"


@pytest.mark.parametrize(("objective", "expected"), [("sm2", 2), ("prefix", 2), ("offline", 1), ("multipath", 1)])
def test_two_passes_take_twice_as_long(objective: str, expected: int) -> None:
    assert passes(objective) == expected
    request = replace(OWN, max_steps=100, encoder="causal", objective=objective)  # type: ignore[arg-type]
    found = estimate(request, [Size(10, 40.0)])
    plain = estimate(replace(request, objective="offline"), [Size(10, 40.0)])
    assert found and plain
    overhead = 100 * STEP
    assert found.seconds - overhead == pytest.approx(expected * (plain.seconds - overhead))


def test_lines_of_plain_and_packed_files(tmp_path: Path) -> None:
    text = "ein Haus\nzwei Häuser\ndrei"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    plain, packed = size_of(tmp_path / "a.txt"), size_of(tmp_path / "a.txt.gz")
    assert plain == packed == Size(3, len(text.encode()) / 3)
    (tmp_path / "b.txt").write_text(text + "\n", encoding="utf-8")
    ended = size_of(tmp_path / "b.txt")
    assert ended and ended.lines == 3


def test_a_long_file_is_counted_in_its_first_part(tmp_path: Path) -> None:
    line = b"a line of thirty-two characters\n"
    count = 2 * LOOKED_AT // len(line)
    (tmp_path / "long.txt").write_bytes(line * count)
    (tmp_path / "long.txt.gz").write_bytes(gzip.compress(line * count, 1))
    plain, packed = size_of(tmp_path / "long.txt"), size_of(tmp_path / "long.txt.gz")
    assert plain and plain.lines == count and plain.bytes_a_line == len(line)
    assert packed and packed.lines == pytest.approx(count, rel=0.25), "what was unpacked is in proportion to the file"


@pytest.mark.parametrize("name", ["a.xlsx", "a.json"])
def test_tables_of_other_kinds_have_no_size(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\n\n")
    assert size_of(tmp_path / name) is None


def test_what_cannot_be_read_has_no_size(tmp_path: Path) -> None:
    assert size_of(tmp_path / "none.txt") is None
    assert size_of(tmp_path) is None
    (tmp_path / "empty.txt").write_bytes(b"")
    assert size_of(tmp_path / "empty.txt") is None
    (tmp_path / "broken.gz").write_bytes(b"no archive at all")
    assert size_of(tmp_path / "broken.gz") is None
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"a line\n" * 10_000)[:40])
    assert size_of(tmp_path / "cut.gz") is None
    data = gzip.compress(b"".join(b"line %d\n" % (i * 7919 % 10_007) for i in range(20_000)))
    (tmp_path / "spoilt.gz").write_bytes(data[:40] + b"\xff" * 50 + data[90:])
    assert size_of(tmp_path / "spoilt.gz") is None


def test_steps_follow_pairs_epochs_and_the_size_of_a_step() -> None:
    request = replace(OWN, epochs=2.0, tokens=1000)
    one, two = estimate(request, [Size(10_000, 40.0)]), estimate(request, [Size(20_000, 40.0)])
    assert one and two and two.steps == pytest.approx(2 * one.steps, rel=0.01)
    more = estimate(replace(request, epochs=4.0), [Size(10_000, 40.0)])
    large = estimate(replace(request, tokens=2000), [Size(10_000, 40.0)])
    assert more and large and more.steps == two.steps
    assert large.steps == pytest.approx(one.steps / 2, rel=0.01)
    spent = large.seconds - large.steps * STEP
    assert spent == pytest.approx(one.seconds - one.steps * STEP, rel=0.01), "the work is the same"


def test_asked_steps_and_pairs_win() -> None:
    found = estimate(replace(OWN, max_steps=7, pairs=50), [Size(10_000, 40.0)])
    assert found and (found.steps, found.pairs) == (7, 50)
    few = estimate(replace(OWN, max_steps=7, pairs=50_000), [Size(100, 40.0)])
    assert few and few.pairs == 100, "no more pairs than there are"


def test_files_of_unknown_size_need_a_number_of_steps() -> None:
    assert estimate(OWN, []) is None
    found = estimate(replace(OWN, max_steps=10), [])
    assert found and found.steps == 10


def test_without_files_the_order_language_is_meant() -> None:
    found = estimate(TrainRequest(max_steps=10), [])
    assert found and found.pairs == SYNTHETIC_PAIRS
    some = estimate(TrainRequest(pairs=300), [])
    assert some and some.pairs == 300 and some.steps >= 1


def test_a_model_that_is_fine_tuned_keeps_its_weights() -> None:
    request = replace(OWN, start="run:x/model", max_steps=5)
    found, unknown = estimate(request, [Size(10, 10.0)], known=123_456), estimate(request, [Size(10, 10.0)])
    assert found and found.weights == 123_456
    assert unknown and unknown.weights == 0


def test_slowness_is_what_earlier_trainings_took_against_the_formula() -> None:
    def run(objective: str, factor: float, count: float = 1e6, steps: int = 100) -> tuple[dict, dict]:
        took = factor * formula(objective, count, steps, 50_000)
        return {"objective": objective}, {"weights": count, "steps": steps, "train_seconds": took,
                                          "tokens_per_second": 50_000 / took}
    assert slowness_of([]) is None
    assert slowness_of([run("sm2", 2.0)]) == pytest.approx(2.0)
    assert slowness_of([run("offline", 0.5)]) == pytest.approx(0.5), "one pass"
    assert slowness_of([run("sm2", 2.0), run("sm2", 9.0), run("multipath", 1.5)]) == pytest.approx(2.0), "the median"
    broken = [({}, {}), ({}, {"weights": "many", "steps": 1, "train_seconds": 1, "tokens_per_second": 1}),
              run("sm2", 1.0, count=0)]
    assert slowness_of(broken) is None and slowness_of([*broken, run("sm2", 3.0)]) == pytest.approx(3.0)


def test_what_was_measured_is_said_and_used() -> None:
    request = replace(OWN, max_steps=100)
    guessed, measured = estimate(request, [Size(10, 40.0)]), estimate(request, [Size(10, 40.0)], slowness=4.0)
    assert guessed and measured and not guessed.measured and measured.measured
    assert measured.seconds == pytest.approx(4 * guessed.seconds)


def test_a_step_costs_something_even_where_there_is_little_to_do() -> None:
    assert formula("sm2", 0, 100, 0) == pytest.approx(100 * STEP)
    assert formula("sm2", 1e6, 0, 9000) == pytest.approx(2e6 * 9000 / RATE)
