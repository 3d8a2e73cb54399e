"""The benchmark's parts: equal decisions, figures that make sense; and the planted documents that it runs on."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from backends.mdfg import bench, bench_processes, official, sample
from backends.mdfg.stage import Done
from backends.mdfg.text import personal
from backends.mdfg.words import FOLDER, read_words
from workbench.evidence import Bench
from workbench.fields import from_json


def test_a_quick_bench_compares_equal_decisions(settings, monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "QUICK", (400, 60))
    monkeypatch.setattr(bench_processes, "run", lambda settings, quick: {"same_result": True})
    found = from_json(Bench, bench.run(settings, quick=True))
    assert found.same_result
    assert found.name == "corpus"
    assert found.ratio > 1.5, "compiled loops against plain Python"
    assert found.ratio == pytest.approx(found.theirs / found.ours, rel=0.02)
    told = capsys.readouterr().out
    assert all(stage in told for stage in ("read", "traditional", "minhash", "scorers", "write", "whole pass"))
    assert "peers on the first 60 of them" in told and "at least 4,000" in told and "at least 20 times" in told


def rounds_of(monkeypatch: pytest.MonkeyPatch, speeds: list[float], peers: list[list[float]], same: bool = True,
              mask: int = 0) -> list[str]:
    """Replace every side by figures; returns the order in which the sides are asked."""
    asked: list[str] = []

    def ours(*_: object) -> list[Done]:
        asked.append("ours")
        return [Done(0, 400, 0, 0, 0, {"read": 0.02 * asked.count("ours"), "wall": 9.0})]

    def published(texts: list[str], words: object) -> tuple[float, np.ndarray]:
        asked.append("published")
        return speeds.pop(0), np.full(len(texts), mask, dtype=np.uint32)

    def peer(texts: list[str]) -> list[float]:
        asked.append("peer")
        return peers.pop(0)

    for name, side in (("_pass", ours), ("published", published), ("_peer", peer),
                       ("_decisions", lambda folder, count: np.zeros(count, dtype=np.uint32))):
        monkeypatch.setattr(bench, name, side)
    monkeypatch.setattr(bench, "QUICK", (400, 60))
    monkeypatch.setattr(bench_processes, "run", lambda settings, quick: {"same_result": same})
    return asked


def test_every_side_is_measured_in_every_round(settings, monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    asked = rounds_of(monkeypatch, [900.0, 200.0, 100.0], [[50.0], [4000.0], [90.0]])
    found = from_json(Bench, bench.run(settings, quick=True))
    assert asked == ["ours", "published", "peer"] * 3
    assert (found.ratio, found.theirs, found.ours) == (50.0, 1 / 200, 1 / 10_000), "medians of three"
    told = capsys.readouterr().out
    assert "whole pass 10,000 documents/s: meets at least 4,000" in told
    assert "ours is 50.0 times as fast, meets at least 20 times" in told
    assert "signatures) 90 documents/s: ours is 111.1 times as fast, meets at least 5 times" in told


def test_targets_that_are_missed_are_told_and_fail_nothing(settings, monkeypatch: pytest.MonkeyPatch,
                                                           capsys: pytest.CaptureFixture[str]) -> None:
    rounds_of(monkeypatch, [2500.0] * 3, [[5000.0], [5000.0], [5000.0]])
    monkeypatch.setattr(bench, "SPEED", 40_000.0)
    assert bench.run(settings, quick=True)["same_result"] is True
    told = capsys.readouterr().out
    for words in ("misses at least 40,000", "4.0 times as fast, misses at least 20", "2.0 times as fast, misses at"):
        assert words in told


@pytest.mark.parametrize(("same", "mask"), [(False, 0), (True, 1)])
def test_other_decisions_or_other_bytes_fail(settings, monkeypatch: pytest.MonkeyPatch, same: bool, mask: int) -> None:
    rounds_of(monkeypatch, [100.0] * 3, [[], [], []], same, mask)
    assert bench.run(settings, quick=True)["same_result"] is False


def test_a_peer_that_is_not_installed_is_not_compared(settings, monkeypatch: pytest.MonkeyPatch,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    rounds_of(monkeypatch, [100.0] * 3, [[], [], []])
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    bench.run(settings, quick=True)
    told = capsys.readouterr().out
    assert "datatrove is not installed: not compared" in told and "rules only: jieba is not installed" in told
    assert "a target for the steps with word splitting" in told


def test_the_published_steps_at_their_limits() -> None:
    text = "中" * 5
    assert official.measure(text, []).fails == (True, True, False, False, False, False)
    assert official.measure("", []).script_ratio == 0.0
    assert official.measure("甲乙\n甲", ["甲", "乙"]).sens_ratio == 1.0
    assert [official.duplication("中" * n) for n in (0, 12, 13, 14, 15)] == [0.0, 0.0, 0.0, 0.0, 1.0]
    speed, masks = bench.published([text, sample.sentence(sample.Draw(1))], read_words(FOLDER / "zh.txt"))
    assert speed > 0
    assert masks.dtype == np.uint32
    assert masks[0] == 3


def test_planted_documents_are_the_same_for_a_seed_and_have_every_defect() -> None:
    one, two = list(sample.documents(1500, seed=3)), list(sample.documents(1500, seed=3))
    assert one == two
    assert one != list(sample.documents(1500, seed=4))
    counts = Counter(defect for _, defect in one)
    assert set(counts) == {"", *sample.DEFECTS}
    assert 0.5 < counts[""] / 1500 < 0.6
    assert not [text for text, defect in sample.documents(50, share=0.0) if defect]


def test_planted_documents_hold_what_they_say() -> None:
    held = {"spam": lambda t: any(word in t for word in sample.SPAM), "markup": lambda t: "<script>" in t,
            "personal": lambda t: personal.counts(t) == (1, 0, 1), "quotes": lambda t: "」" in t,
            "one_traditional": official.traditional,
            "thin_lines": lambda t: len(t) / (t.count("\n") + 1) < 10}
    for text, defect in sample.documents(800, seed=6):
        assert defect not in held or held[defect](text), (defect, text)


def test_addresses_of_planted_documents_belong_to_nobody() -> None:
    for text, defect in sample.documents(400, seed=2):
        if defect == "personal":
            assert "@example.com" in text
