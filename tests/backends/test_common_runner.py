"""Forward passes of the two runners, called directly: rows in any order, pieces, branches, what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backends.common.loading import open_folder
from backends.common.runner import Branches, Fill, Runner
from tests.backends.engine_cases import reference

IDS = {1: [5, 6, 7, 8, 9], 2: [20, 21], 3: [30] * 200, 4: [40, 41, 42]}


@pytest.fixture(scope="module")
def plain(tiny_lm: Path):
    return reference(tiny_lm)


@pytest.fixture(params=["packed", "plain"])
def runner(request: pytest.FixtureRequest, tiny_lm: Path) -> Runner:
    loaded = open_folder(tiny_lm, "float32", "cpu", 10**7, fast=request.param == "packed")
    assert loaded.packed == (request.param == "packed")
    return loaded.runner


@pytest.fixture(autouse=True)
def quiet():
    with torch.inference_mode():
        yield


def truth(plain, tokens: list[int]) -> torch.Tensor:
    return plain(torch.tensor([tokens])).logits[0].float()


def close(one: torch.Tensor, two: torch.Tensor) -> bool:
    return one.shape == two.shape and torch.allclose(one, two, atol=1e-4)


def enter(runner: Runner, *rows: int) -> None:
    for row in rows:
        assert runner.enter(row, "", IDS[row], len(IDS[row]) + 20) == 0


def test_prompts_of_different_lengths_in_one_pass(runner: Runner, plain) -> None:
    enter(runner, 1, 2, 3)
    found = runner.fill([Fill(1, 0, IDS[1], (0, 4)), Fill(2, 0, IDS[2], (1,)), Fill(3, 0, IDS[3], (199,))])
    one, two, three = (truth(plain, IDS[n]) for n in (1, 2, 3))
    assert close(found, torch.stack([one[0], one[4], two[1], three[199]]))


def test_a_pass_that_wants_no_logits_gives_none(runner: Runner) -> None:
    enter(runner, 1)
    assert runner.fill([Fill(1, 0, IDS[1][:3])]).shape[0] == 0


def test_a_prompt_in_pieces_is_the_prompt(runner: Runner, plain) -> None:
    enter(runner, 3)
    for start in range(0, 200, 60):
        part = IDS[3][start:start + 60]
        found = runner.fill([Fill(3, start, part, (len(part) - 1,))])
    assert close(found, truth(plain, IDS[3])[-1:])


def test_steps_in_any_order_and_of_some_rows_only(runner: Runner, plain) -> None:
    enter(runner, 1, 2, 3, 4)
    runner.fill([Fill(n, 0, IDS[n], (len(IDS[n]) - 1,)) for n in (1, 2, 3, 4)])
    history = {n: list(IDS[n]) for n in IDS}
    for order in ([3, 1, 4, 2], [4, 2], [2, 3, 1], [1], [4, 3, 2, 1]):
        work = [(n, len(history[n]), 50 + n) for n in order]
        found = runner.step(work)
        for n in order:
            history[n].append(50 + n)
        assert close(found, torch.stack([truth(plain, history[n])[-1] for n in order]))


def test_the_rows_that_stay_are_not_hurt_by_those_that_go(runner: Runner, plain) -> None:
    enter(runner, 1, 2, 4)
    runner.fill([Fill(n, 0, IDS[n], (0,)) for n in (1, 2, 4)])
    runner.leave(1, "", ())
    found = runner.step([(4, 3, 60), (2, 2, 61)])
    assert close(found, torch.stack([truth(plain, [*IDS[4], 60])[-1], truth(plain, [*IDS[2], 61])[-1]]))
    enter(runner, 1)
    assert close(runner.fill([Fill(1, 0, IDS[1], (4,))]), truth(plain, IDS[1])[-1:])


def test_branches_leave_the_row_as_it_was(runner: Runner, plain) -> None:
    enter(runner, 1, 2)
    runner.fill([Fill(n, 0, IDS[n], (0,)) for n in (1, 2)])
    tails = {1: [[70, 71], [72], [70, 73, 74]], 2: [[80, 81, 82]]}
    found = runner.branch([Branches(n, len(IDS[n]), tails[n]) for n in (1, 2)])
    expected = [truth(plain, IDS[n] + tail)[len(IDS[n]):] for n in (1, 2) for tail in tails[n]]
    assert close(found, torch.cat(expected))
    assert close(runner.step([(1, 5, 90)]), truth(plain, [*IDS[1], 90])[-1:])


def test_what_is_kept_under_a_key_is_used_by_the_fast_runner_only(runner: Runner, plain) -> None:
    packed = runner.store.limit > 0
    enter(runner, 1)
    runner.fill([Fill(1, 0, IDS[1], (4,))])
    runner.leave(1, "talk", IDS[1])
    longer = [*IDS[1][:4], 99, 98]
    assert runner.enter(7, "talk", longer, 40) == (4 if packed else 0)
    start = 4 if packed else 0
    assert close(runner.fill([Fill(7, start, longer[start:], (len(longer) - start - 1,))]), truth(plain, longer)[-1:])
    assert runner.enter(8, "talk", IDS[1], 40) == (4 if packed else 0), "the last token is always computed"
    assert (runner.memory()["kept"] > 0) == packed


def test_nothing_is_kept_without_a_key(runner: Runner) -> None:
    enter(runner, 1)
    runner.fill([Fill(1, 0, IDS[1], (4,))])
    runner.leave(1, "", IDS[1])
    assert not runner.store.entries


def test_slots_of_one_bin_are_brought_to_the_front(tiny_lm: Path, plain) -> None:
    """Rows that still fill their prompts lie between those that step; the order in memory changes, not the result."""
    runner = open_folder(tiny_lm, "float32", "cpu", 0).runner
    for row in range(6):
        runner.enter(row, "", [row + 10] * 3, 30)
    runner.fill([Fill(row, 0, [row + 10] * 3, (2,)) for row in range(6)])
    found = runner.step([(5, 3, 1), (2, 3, 2)])
    assert close(found, torch.stack([truth(plain, [15] * 3 + [1])[-1], truth(plain, [12] * 3 + [2])[-1]]))
    (home,) = runner.arena.bins.values()
    assert home.rows[:2] == [2, 5] and sorted(home.rows) == list(range(6))
    found = runner.step([(row, 4 if row in (2, 5) else 3, 3) for row in range(6)])
    histories = [[row + 10] * 3 + {2: [2], 5: [1]}.get(row, []) + [3] for row in range(6)]
    assert close(found, torch.stack([truth(plain, history)[-1] for history in histories]))
