"""Continuous batching: rows come and go at any step; prompts are filled in pieces, then all rows step together."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from backends.common.rows import Row
from backends.common.runner import Fill, Runner
from backends.common.sampling import choose, penalize

ROWS = 32
"""Most rows that step together (ours: beyond it a CPU gains little and each row waits longer)."""
PIECE = 512
"""Most prompt tokens of one forward pass of a small model, so that a cancel and other rows never wait long."""


def piece_for(parameters: int, device: str) -> int:
    """Prompt tokens of one forward pass: fewer for larger models (a pass stays below half a second or so on a CPU
    core up to some billion parameters), many on a GPU. Ours."""
    return 4096 if device != "cpu" else max(64, min(PIECE, 2**36 // max(1, parameters)))


@dataclass
class Batcher:
    """The rows being answered. ``ends`` are the tokens that end a reply."""

    runner: Runner
    ends: Sequence[int]
    piece: int = PIECE
    rows: dict[int, Row] = field(default_factory=dict)
    waiting: deque[Row] = field(default_factory=deque)

    @property
    def busy(self) -> bool:
        return bool(self.rows or self.waiting)

    def add(self, row: Row) -> None:
        """Queue a row; it starts with the next step that has room."""
        self.waiting.append(row)

    def drop(self, number: int) -> None:
        """Forget a row, whatever it is doing; what it computed so far is kept for its conversation."""
        self.waiting = deque(row for row in self.waiting if row.number != number)
        row = self.rows.pop(number, None)
        if row is not None:
            self._leave(row)

    def step(self) -> list[Row]:
        """One forward pass for whoever needs one; returns the rows that it finished."""
        while self.waiting and len(self.rows) < ROWS:
            self._admit(self.waiting.popleft())
        filling = [row for row in self.rows.values() if row.filled < len(row.prompt)]
        chosen = self._fill(filling) if filling else self._step(list(self.rows.values()))
        finished = []
        for row in chosen:
            if row.finish is not None:
                del self.rows[row.number]
                self._leave(row)
                finished.append(row)
        return finished

    def _admit(self, row: Row) -> None:
        room = len(row.prompt) + row.decoding.max_new_tokens
        row.filled = row.reused = self.runner.enter(row.number, row.key, row.prompt, room)
        self.rows[row.number] = row
        row.begin()

    def _leave(self, row: Row) -> None:
        self.runner.leave(row.number, row.key, row.tokens[:row.filled])

    def _fill(self, filling: Sequence[Row]) -> list[Row]:
        work, done, left = [], [], self.piece
        for row in filling:
            take = min(left, len(row.prompt) - row.filled)
            if take == 0:
                break
            last = row.filled + take == len(row.prompt)
            work.append(Fill(row.number, row.filled, row.prompt[row.filled:row.filled + take],
                             (take - 1,) if last else ()))
            row.filled += take
            left -= take
            done.extend([row] if last else [])
        self._choose(done, self.runner.fill(work))
        return done

    def _step(self, rows: list[Row]) -> list[Row]:
        if rows:
            work = [(row.number, len(row.prompt) + len(row.made) - 1, row.made[-1]) for row in rows]
            logits = self.runner.step(work)
            for row in rows:
                row.filled += 1
            self._choose(rows, logits)
        return rows

    def _choose(self, rows: Sequence[Row], logits: torch.Tensor) -> None:
        if not rows:
            return
        for row, scores in zip(rows, logits, strict=True):
            penalize(scores, row.tokens if needs_history(row) else (), len(row.made), row.decoding, self.ends)
        for row, scores in zip(rows, logits, strict=True):
            row.accept(choose(scores, row.decoding, row.generator), self.ends)


def needs_history(row: Row) -> bool:
    """Whether the row's decoding looks at the tokens before."""
    return row.decoding.repetition_penalty != 1.0 or row.decoding.no_repeat_ngram > 0
