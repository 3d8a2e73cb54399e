"""The benchmark's parts: equal decisions, figures that make sense; and the planted documents that it runs on."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from backends.mdfg import bench, official, sample
from backends.mdfg.text import personal
from backends.mdfg.words import FOLDER, read_words
from workbench.evidence import Bench
from workbench.fields import from_json


def test_a_quick_bench_compares_equal_decisions(settings, monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "QUICK", (400, 60))
    found = from_json(Bench, bench.run(settings, quick=True))
    assert found.same_result
    assert found.name == "corpus"
    assert found.ratio > 1.5, "compiled loops against plain Python"
    assert found.ratio == pytest.approx(found.theirs / found.ours, rel=0.02)
    told = capsys.readouterr().out
    assert all(stage in told for stage in ("read", "traditional", "minhash", "scorers", "write", "whole pass"))


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
