"""Scoring continuations: the probability a model gives to texts it did not choose itself."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch

from backends.common.batch import PIECE, ROWS
from backends.common.runner import LOGITS_AT_ONCE, Branches, Fill, Runner

Scores = Generator[list[list[list[float]]] | None, None, None]


@dataclass(frozen=True)
class Question:
    """One prompt whose continuations are scored: a row number, its key, its tokens and theirs."""

    row: int
    key: str
    prompt: list[int]
    continuations: list[list[int]]


def score(runner: Runner, questions: Sequence[Question], vocabulary: int,
          piece: int = PIECE) -> Scores:
    """Natural-log probability of every token of every continuation, batched over the questions.

    Each prompt is computed once (and reused by its key); its continuations then stand side by side after it in one
    pass, each seeing the prompt and itself. Yields ``None`` after every forward pass and the scores at the end."""
    limit = max(1, min(piece, LOGITS_AT_ONCE // vocabulary))
    result: list[list[list[float]]] = []
    for start in range(0, len(questions), ROWS):
        part = questions[start:start + ROWS]
        filled = {q.row: runner.enter(q.row, q.key, q.prompt, len(q.prompt) + sum(map(len, q.continuations)))
                  for q in part}
        try:
            heads: dict[int, torch.Tensor] = {}
            while len(heads) < len(part):
                heads.update(_fill_some(runner, [q for q in part if q.row not in heads], filled,
                                        piece))
                yield None
            tails = yield from _branch_all(runner, part, limit)
        finally:
            for q in part:
                runner.leave(q.row, q.key, q.prompt[:filled[q.row]])
        result.extend(_collect(q, heads[q.row], tails.get(q.row, [])) for q in part)
    yield result


def _fill_some(runner: Runner, questions: Sequence[Question], filled: dict[int, int],
               left: int) -> dict[int, torch.Tensor]:
    """Fill up to a piece of the questions' prompts; log-probabilities after each prompt that is complete."""
    work, done = list[Fill](), list[int]()
    for q in questions:
        begin = filled[q.row]
        take = min(left, len(q.prompt) - begin)
        if take == 0:
            break
        last = begin + take == len(q.prompt)
        work.append(Fill(q.row, begin, q.prompt[begin:begin + take], (take - 1,) if last else ()))
        filled[q.row] += take
        left -= take
        done.extend([q.row] if last else [])
    logits = runner.fill(work)
    return dict(zip(done, logits.log_softmax(-1), strict=True))


def _branch_all(runner: Runner, questions: Sequence[Question],
                limit: int) -> Generator[None, None, dict[int, list[float]]]:
    """Run the continuations' tokens but the last of each; returns, per row, the log-probability of each next token."""
    found: dict[int, list[float]] = {}
    work: list[Branches] = []
    wanted: list[tuple[int, int]] = []
    for q in questions:
        branches = [c[:-1] for c in q.continuations if len(c) > 1]
        size = sum(map(len, branches))
        if work and len(wanted) + size > limit:
            _branch(runner, work, wanted, found)
            yield None
            work, wanted = [], []
        if branches:
            work.append(Branches(q.row, len(q.prompt), branches))
            wanted.extend((q.row, token) for c in q.continuations for token in c[1:])
    if work:
        _branch(runner, work, wanted, found)
        yield None
    return found


def _branch(runner: Runner, work: Sequence[Branches], wanted: Sequence[tuple[int, int]],
            found: dict[int, list[float]]) -> None:
    logits = runner.branch(work)
    tokens = torch.tensor([token for _, token in wanted], device=logits.device)
    values = (logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(-1)).tolist()
    for (row, _), value in zip(wanted, values, strict=True):
        found.setdefault(row, []).append(value)


def _collect(q: Question, head: torch.Tensor, tail: list[float]) -> list[list[float]]:
    rest = iter(tail)
    return [[float(head[c[0]]), *(next(rest) for _ in c[1:])] for c in q.continuations]
