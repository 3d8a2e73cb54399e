"""Too few draws for so many pairs: no difference could count, and the comparison says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backends.common.mt.compare import run
from backends.common.mt.paired import holm, too_coarse
from backends.common.mt.requests import CompareRequest
from tests.backends.mt_cases import systems
from workbench.context import MemoryContext


@pytest.mark.parametrize(
    ("count", "resamples", "trials", "level", "least"),
    [
        (12, 1000, 10_000, 0.05, ""),
        (12, 200, 500, 0.05, "1,319 trials"),
        (12, 1000, 0, 0.05, "1,319 resamples"),
        (3, 100, 100, 0.05, ""),
        (3, 1000, 58, 0.05, "59 trials"),
        (3, 58, 59, 0.05, ""),
        (2, 0, 18, 0.05, "19 trials"),
        (2, 0, 19, 0.05, ""),
        (2, 0, 1000, 0.0001, "9,999 trials"),
        (1, 0, 1, 0.05, ""),
        (0, 1, 0, 0.05, ""),
    ],
)
def test_the_least_p_value_of_the_deciding_test_is_held_against_the_level(
    count: int, resamples: int, trials: int, level: float, least: str
) -> None:
    told = too_coarse(count, resamples, trials, level)
    assert bool(told) is bool(least) and (not least or f"at least {least}." in told)


@pytest.mark.parametrize(("count", "level"), [(2, 0.05), (3, 0.01), (12, 0.05), (30, 0.1), (7, 0.0123)])
def test_what_it_asks_for_is_just_enough(count: int, level: float) -> None:
    needed = int(re.search(r"at least ([\d,]+) trials", too_coarse(count, 0, 1, level))[1].replace(",", ""))  # type: ignore[index]
    pairs = count * (count - 1) // 2
    for trials, enough in ((needed, True), (needed - 1, False)):
        assert (too_coarse(count, 0, trials, level) == "") is enough
        assert (holm([1 / (trials + 1)] + [1.0] * (pairs - 1))[0] <= level) is enough


@pytest.mark.parametrize(("trials", "warned"), [(20, True), (300, False)])
def test_the_comparison_warns_where_nothing_could_be_told_apart(trials: int, warned: bool, tmp_path: Path) -> None:
    made, reference = systems(4, 40)
    paths = {}
    for name, lines in {**made, "worst": ["x"] * 40, "reference": reference}.items():
        paths[name] = tmp_path / f"{name}.txt"
        paths[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
    request = CompareRequest(files=tuple(f"path:{path}" for path in paths.values()), metrics=("chrf",), resamples=0,
                             trials=trials)
    result = run(request, MemoryContext(tmp_path / "run"))
    assert any(text.startswith("No difference can count") for text in result.warnings) is warned
    assert any(row.wins for row in result.rows) is not warned
