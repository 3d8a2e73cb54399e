"""The reproduction of public figures: its claims, what it does without data, and what would make a claim fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.common.mt import bench, reproduce
from backends.common.mt.human import Rating, Ratings
from workbench.contract import MissingResource


def test_without_the_data_it_says_what_to_bring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reproduce, "DATA", tmp_path / "nothing")
    with pytest.raises(MissingResource, match="shared/data/mt"):
        reproduce.run(None, quick=True)


@pytest.mark.parametrize(
    ("value", "target", "digits", "holds"),
    [(33.5149, 33.51, 2, True), (33.5151, 33.51, 2, False), (0.6404, 0.640, 3, True), (90.94, 90.9, 1, True)],
)
def test_a_figure_holds_to_the_printed_digits(value: float, target: float, digits: int, holds: bool) -> None:
    assert reproduce.exact("x", value, target, digits).holds is holds


def test_our_p_values_are_sacrebleus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "DATA", tmp_path / "nothing")
    claim = reproduce.same_tests(quick=True)[0]
    assert claim.holds and claim.value == 0.0 and "words dropped" in claim.what


def test_a_wrong_seed_would_show(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "DATA", tmp_path / "nothing")
    monkeypatch.setenv("SACREBLEU_SEED", "999")
    assert not reproduce.same_tests(quick=True)[0].holds


def test_the_made_up_systems_of_the_benchmark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "DATA", tmp_path / "nothing")
    systems, reference, what = bench.data(12)
    assert len(systems) == 12 and {len(lines) for lines in systems.values()} == {len(reference)}
    kept = [sum(len(line.split()) for line in lines) for lines in systems.values()]
    assert kept[0] > kept[-1] and "random" in what, "the last drops more words than the first"
    assert bench.data(12)[0] == systems


def test_every_claim_about_human_scores_holds(shared: Path) -> None:
    claims = reproduce.human(shared / "mt")
    assert len(claims) == 8 and all(claim.holds for claim in claims), claims


def test_systems_and_references_of_wmt22(shared: Path) -> None:
    systems, references = reproduce.wmt22(shared / "mt", "zh-en")
    assert set(systems) == set(reproduce.ZH_EN) and set(references) == {"A", "B"}
    assert {len(lines) for lines in (*systems.values(), *references.values())} == {1875}
    chinese, _ = reproduce.wmt22(shared / "mt", "en-zh")
    assert len(chinese) == 13 and {len(lines) for lines in chinese.values()} == {2037}


def test_published_system_scores_take_the_place_of_means(shared: Path) -> None:
    found = reproduce.official(shared / "mt", Ratings("DA", (Rating("A", 0, 1, "x"),), ("a note",)))
    assert len(found.ratings) == 13 and found.notes == ("a note",)
    assert {rating.annotator for rating in found.ratings} == {"WMT"}
