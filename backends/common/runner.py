"""Forward passes for many rows at once: which tokens go in, where their keys and values lie, which logits come out.

:class:`PackedRunner` puts the new tokens of all rows into one sequence (``attention``), so nothing is padded and
prompts and single steps share one path. :class:`PlainRunner` is for models whose attention cannot be replaced: one
row at a time with the model's own cache, slower and sure. ``loading.open_runner`` compares the two and picks.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from backends.common.attention import Group, Plan, Segment
from backends.common.cache import Arena, Store

LOGITS_AT_ONCE = 2**26
"""Most logits (rows x vocabulary) that one forward pass returns: 256 MB in float32."""


@dataclass(frozen=True)
class Fill:
    """Tokens of one row that have no keys and values yet; they follow ``start`` earlier ones. ``wanted`` are the
    places among them whose logits are asked for."""

    row: int
    start: int
    tokens: Sequence[int]
    wanted: Sequence[int] = ()


@dataclass(frozen=True)
class Branches:
    """Several continuations of one row after its first ``start`` tokens, side by side, none seeing another."""

    row: int
    start: int
    tokens: Sequence[Sequence[int]]


class Runner(Protocol):
    """Where rows live while they are worked on."""

    store: Store

    def enter(self, row: int, key: str, tokens: Sequence[int], room: int) -> int:
        """Make room for a row of at most ``room`` tokens; returns how many first ``tokens`` need no computing."""

    def leave(self, row: int, key: str, tokens: Sequence[int]) -> None:
        """Free the row; ``tokens`` (those with keys and values) are kept for the next prompt of ``key``."""

    def step(self, rows: Sequence[tuple[int, int, int]]) -> torch.Tensor:
        """One token a row: (row, column, token). Logits (rows, vocabulary) in float32, in the order given."""

    def fill(self, fills: Sequence[Fill]) -> torch.Tensor:
        """Many tokens a row. Logits of the wanted places (places, vocabulary) in float32, in order."""

    def branch(self, work: Sequence[Branches]) -> torch.Tensor:
        """Logits after every branch token (tokens, vocabulary) in float32, in order."""

    def memory(self) -> dict[str, int]:
        """Bytes held: ``slots`` being worked on and ``kept`` conversations."""


@dataclass
class PackedRunner:
    """The fast path. ``layers`` is the number of attention layers of ``model``."""

    model: Any
    layers: int
    device: torch.device
    store: Store
    arena: Arena = field(init=False)

    def __post_init__(self) -> None:
        self.arena = Arena(self.layers)

    def enter(self, row: int, key: str, tokens: Sequence[int], room: int) -> int:
        self.arena.enter(row, room)
        shared, entry = self.store.longest(key, tokens)
        shared = min(shared, len(tokens) - 1)
        if entry is not None and shared > 0:
            self.arena.load(row, entry, shared)
        return max(shared, 0)

    def leave(self, row: int, key: str, tokens: Sequence[int]) -> None:
        if key and tokens:
            self.store.put(key, self.arena.save(row, tokens))
        self.arena.leave(row)

    def step(self, rows: Sequence[tuple[int, int, int]]) -> torch.Tensor:
        given = {row: (column, token) for row, column, token in rows}
        plan, order = Plan(), list[int]()
        for home in self.arena.bins.values():
            here = [row for row in home.rows if row in given]
            if not here:
                continue
            if here != home.rows[:len(here)]:
                self._sort(home, here)
            columns = [given[row][0] for row in here]
            plan.groups.append(Group(home, len(order), self._tensor(columns), max(columns) + 1))
            order.extend(here)
        ids = [given[row][1] for row in order]
        places = [given[row][0] for row in order]
        logits = self._forward(ids, places, plan, list(range(len(order))))
        if order == [row for row, _, _ in rows]:
            return logits
        back = {row: index for index, row in enumerate(order)}
        return logits[self._tensor([back[row] for row, _, _ in rows])]

    def fill(self, fills: Sequence[Fill]) -> torch.Tensor:
        plan = Plan()
        ids, places, wanted = list[int](), list[int](), list[int]()
        for work in fills:
            home, slot = self.arena.slot(work.row)
            plan.segments.append(Segment(home, slot, len(ids), work.start, len(work.tokens)))
            wanted.extend(len(ids) + place for place in work.wanted)
            ids.extend(work.tokens)
            places.extend(range(work.start, work.start + len(work.tokens)))
        return self._forward(ids, places, plan, wanted)

    def branch(self, work: Sequence[Branches]) -> torch.Tensor:
        plan, ids, places = Plan(), list[int](), list[int]()
        for one in work:
            own = [one.start + i for branch in one.tokens for i in range(len(branch))]
            number = self._tensor([n for n, branch in enumerate(one.tokens) for _ in branch])
            where = self._tensor([*range(one.start), *own])
            later = where[one.start:]
            tree = (number[:, None] == number[None]) & (later[:, None] >= later[None])
            home, slot = self.arena.slot(one.row)
            plan.segments.append(Segment(home, slot, len(ids), one.start, len(own), tree, where))
            ids.extend(token for branch in one.tokens for token in branch)
            places.extend(own)
        return self._forward(ids, places, plan, list(range(len(ids))))

    def memory(self) -> dict[str, int]:
        return {"slots": self.arena.bytes, "kept": self.store.used}

    def _sort(self, home: Any, first: Sequence[int]) -> None:
        """Bring the rows of a step to the first slots of their bin (others are still filling their prompts)."""
        chosen = set(first)
        order = [i for i, r in enumerate(home.rows) if r in chosen] + [
            i for i, r in enumerate(home.rows) if r not in chosen]
        index = self._tensor(order)
        for tensors in (home.keys, home.values):
            for tensor in tensors:
                if tensor is not None:
                    tensor[:len(order)] = tensor[index]
        home.rows = [home.rows[i] for i in order]

    def _tensor(self, values: Sequence[int]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.long, device=self.device)

    def _forward(self, ids: Sequence[int], places: Sequence[int], plan: Plan, wanted: Sequence[int]) -> torch.Tensor:
        with torch.inference_mode():
            keep = self._tensor(wanted or [0])
            out = self.model(input_ids=self._tensor(ids)[None], position_ids=self._tensor(places)[None],
                             use_cache=False, logits_to_keep=keep, packed=plan)
            logits: torch.Tensor = out.logits[0].float()
            return logits if wanted else logits[:0]


@dataclass
class PlainRunner:
    """The sure path: each row alone, with the cache object the model itself makes. Nothing is kept between prompts."""

    model: Any
    device: torch.device
    store: Store = field(default_factory=lambda: Store(0))
    caches: dict[int, Any] = field(default_factory=dict)

    def enter(self, row: int, key: str, tokens: Sequence[int], room: int) -> int:
        self.caches[row] = None
        return 0

    def leave(self, row: int, key: str, tokens: Sequence[int]) -> None:
        del self.caches[row]

    def step(self, rows: Sequence[tuple[int, int, int]]) -> torch.Tensor:
        return torch.cat([self._forward(row, [token])[-1:] for row, _, token in rows])

    def fill(self, fills: Sequence[Fill]) -> torch.Tensor:
        parts = [self._forward(work.row, work.tokens)[list(work.wanted)] for work in fills]
        return torch.cat(parts)

    def branch(self, work: Sequence[Branches]) -> torch.Tensor:
        """Each branch is read after a copy of the row's cache, so that the cache itself stays as it was."""
        parts = []
        for one in work:
            kept = self.caches[one.row]
            for branch in one.tokens:
                self.caches[one.row] = copy.deepcopy(kept)
                parts.append(self._forward(one.row, branch))
            self.caches[one.row] = kept
        return torch.cat(parts)

    def memory(self) -> dict[str, int]:
        return {"slots": 0, "kept": 0}

    def _forward(self, row: int, tokens: Sequence[int]) -> torch.Tensor:
        with torch.inference_mode():
            ids = torch.tensor([list(tokens)], device=self.device)
            out = self.model(input_ids=ids, past_key_values=self.caches[row], use_cache=True)
            self.caches[row] = out.past_key_values
            logits: torch.Tensor = out.logits[0].float()
            return logits
