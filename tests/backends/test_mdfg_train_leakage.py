"""A scorer is measured on texts that have no near-copy among those it learned from."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from backends.mdfg import train_scorer_task
from backends.mdfg.labelled import Labelled
from backends.mdfg.leakage import leaks
from backends.mdfg.scorer_requests import TrainScorerRequest
from backends.mdfg.train_scorer_task import LEAST_HELD, fair, notes, unseen
from workbench.context import MemoryContext
from workbench.contract import UserError


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def drawn(number: int, size: int = 60) -> str:
    """A text of its own: no two of them are near-copies."""
    draw = random.Random(number)
    return "".join(chr(0x4E00 + draw.randrange(3000)) for _ in range(size))


def row(text: str, good: bool) -> Labelled:
    return Labelled(text, ("good",) if good else (), "x")


def table(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return f"path:{path}"


REQUEST = TrainScorerRequest(data=("path:x",))
KNOWN = [row(drawn(i), bool(i % 2)) for i in range(40)]
OTHER = [row(drawn(1000 + i), bool(i % 2)) for i in range(LEAST_HELD + 4)]


@pytest.mark.parametrize("change", [lambda t: t + "。", lambda t: t[1:], lambda t: t[:30] + " " + t[30:],
                                    lambda t: "\n" + t])
def test_near_copies_are_taken_out_of_the_held_out_texts(change: Any) -> None:
    copies = [row(change(KNOWN[i].text), i % 2 == 0) for i in range(5)]
    held, near = fair(REQUEST, KNOWN, [*OTHER, *copies])
    assert held == OTHER and near == 5
    assert not leaks([r.text for r in KNOWN], [r.text for r in held])


def test_texts_without_near_copies_all_stay() -> None:
    assert fair(REQUEST, KNOWN, OTHER) == (OTHER, 0)
    assert fair(REQUEST, KNOWN, OTHER[:3]) == (OTHER[:3], 0), "few texts are no reason to complain"


@pytest.mark.parametrize("rest", [[], OTHER[:LEAST_HELD - 1], [r for r in OTHER if r.labels],
                                  [row(drawn(2000 + i), False) for i in range(30)]])
def test_all_stay_when_too_little_would_be_left(rest: list[Labelled]) -> None:
    copies = [row(KNOWN[i].text + "。", bool(i % 2)) for i in range(6)]
    held, near = fair(REQUEST, KNOWN, [*rest, *copies])
    assert held == [*rest, *copies] and near == 6


@pytest.mark.parametrize(("near", "drawn_count", "said"), [
    (0, 250, None), (7, 257, "7 of 257 held-out texts have a near-copy among the training texts; they were left out."),
    (7, 250, "7 of 250 held-out texts have a near-copy among the training texts, too many to leave out: the figures "
             "are too good.")])
def test_the_notes_say_what_was_done(near: int, drawn_count: int, said: str | None) -> None:
    found = notes(REQUEST, [KNOWN[0]] * 250, near, drawn_count)
    assert found == (() if said is None else (said,))


def test_a_run_leaves_near_copies_out_and_counts_them(tmp_path: Path) -> None:
    """Sixty texts, twenty of them twice with another ending: copies of one text often fall on both sides."""
    rows = [{"text": ("好" if i % 2 else "坏") * 3 + drawn(i) + end, "label": "good" if i % 2 else "bad"}
            for i in range(60) for end in (("", "！") if i < 20 else ("",))]
    request = TrainScorerRequest(data=(table(tmp_path / "a.jsonl", rows),), bits=11, epochs=2, held_out=0.4)
    result = train_scorer_task.run(request, MemoryContext(tmp_path / "run"))
    assert result.near_copies > 0 and result.texts + result.held_out + result.near_copies == 80
    assert result.notes[0] == (f"{result.near_copies} of 32 held-out texts have a near-copy among the training texts; "
                               "they were left out.")


def test_texts_of_one_mould_are_measured_with_a_warning(tmp_path: Path) -> None:
    rows = [{"text": ("今天的会议讨论了三个方案第{}号" if i % 2 else "点击购买优惠全场包邮{}").format(i),
             "label": "good" if i % 2 else "bad"} for i in range(60)]
    request = TrainScorerRequest(data=(table(tmp_path / "a.jsonl", rows),), bits=11, epochs=2)
    result = train_scorer_task.run(request, MemoryContext(tmp_path / "run"))
    assert result.held_out == 12 and result.near_copies > 0
    assert "too many to leave out" in result.notes[0]


def test_what_is_held_out_is_not_in_the_pool_either() -> None:
    test, pool = [drawn(1), drawn(2)], [drawn(1) + "。", drawn(3), drawn(2)[1:], drawn(4)]
    assert unseen(pool, test) == [drawn(3), drawn(4)]
    with pytest.raises(UserError, match="1 of 2 texts of the pool are also in the test set"):
        unseen([drawn(1), drawn(3)], test)
    with pytest.raises(UserError, match="Every text of the pool is a near-copy"):
        unseen([drawn(1) + "。"], test)


def test_self_training_never_sees_a_near_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.mdfg.bert_eval import train

    seen: list[list[str]] = []
    monkeypatch.setattr(train, "stage_2", lambda network, pool, *rest: seen.append(list(pool)))
    rows = [{"text": drawn(i), "label": "good" if i % 2 else "bad"} for i in range(60)]
    data = table(tmp_path / "a.jsonl", rows)
    pool = table(tmp_path / "p.jsonl", [*({"text": row["text"] + "。"} for row in rows), {"text": drawn(500)}])
    request = TrainScorerRequest(data=(data,), pool=(pool,), method="berteval", bits=8, high=1, epochs=1)
    result = train_scorer_task.run(request, MemoryContext(tmp_path / "run"))
    assert len(seen[0]) == 61 - result.held_out and drawn(500) in seen[0]
