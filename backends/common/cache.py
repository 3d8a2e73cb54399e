"""Keys and values: slots that decoding writes into in place, and a store of finished conversations.

A *bin* holds the slots of one capacity (a power of two), one pair of tensors a layer of shape
``(slots, kv_heads, capacity, head_dim)``. The rows being decoded are always the first slots of their bin, so a
step reads them as one view; a row that leaves is replaced by the last one. Nothing is concatenated while decoding.

The *store* keeps keys and values of earlier prompts by conversation key, least recently used out first, so that
the next turn of a conversation computes only what is new. Columns of a slot are positions, counted from 0.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

SMALLEST = 128
"""Capacity of the smallest bin in tokens (ours: below it, padding costs less than another bin)."""


def capacity_for(tokens: int) -> int:
    """The bin capacity for a row of at most ``tokens``: the next of 128, 192, 256, 384, 512, 768 ..."""
    size = SMALLEST
    while size < tokens:
        if size * 3 // 2 >= tokens:
            return size * 3 // 2
        size *= 2
    return size


class Bin:
    """Slots of one capacity. Layers are allocated when the first forward pass shows their shape."""

    def __init__(self, capacity: int, layers: int) -> None:
        self.capacity, self.slots = capacity, 4
        self.keys: list[torch.Tensor | None] = [None] * layers
        self.values: list[torch.Tensor | None] = [None] * layers
        self.rows: list[int] = []
        """Row number in each used slot."""

    def add(self, row: int) -> int:
        """Give ``row`` the next slot; the tensors double when they are full."""
        if len(self.rows) == self.slots:
            self.slots *= 2
            self.keys = [_grown(t, self.slots) for t in self.keys]
            self.values = [_grown(t, self.slots) for t in self.values]
        self.rows.append(row)
        return len(self.rows) - 1

    def remove(self, row: int) -> None:
        """Free the slot of ``row``; the last used slot moves into it."""
        slot, last = self.rows.index(row), len(self.rows) - 1
        if slot != last:
            self.rows[slot] = self.rows[last]
            for tensors in (self.keys, self.values):
                for tensor in tensors:
                    if tensor is not None:
                        tensor[slot] = tensor[last]
        self.rows.pop()

    def layer(self, index: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The tensors of one layer; ``key``/``value`` of shape (1, kv_heads, tokens, dim) show what to allocate."""
        keys, values = self.keys[index], self.values[index]
        if keys is None or values is None:
            keys = key.new_zeros((self.slots, key.shape[1], self.capacity, key.shape[3]))
            values = value.new_zeros((self.slots, value.shape[1], self.capacity, value.shape[3]))
            self.keys[index], self.values[index] = keys, values
        return keys, values


def _grown(tensor: torch.Tensor | None, slots: int) -> torch.Tensor | None:
    if tensor is None:
        return None
    bigger = tensor.new_zeros((slots, *tensor.shape[1:]))
    bigger[:tensor.shape[0]] = tensor
    return bigger


@dataclass
class Entry:
    """Keys and values of one earlier prompt: one pair of (kv_heads, tokens, dim) a layer, None where unused."""

    tokens: list[int]
    keys: list[torch.Tensor | None]
    values: list[torch.Tensor | None]

    @property
    def bytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in (*self.keys, *self.values) if t is not None)


@dataclass
class Store:
    """Finished conversations by key, at most ``limit`` bytes, least recently used out first."""

    limit: int
    entries: OrderedDict[str, Entry] = field(default_factory=OrderedDict)
    used: int = 0

    def put(self, key: str, entry: Entry) -> None:
        """Keep ``entry`` under ``key`` in place of an older one; an entry above the limit is not kept."""
        self.drop(key)
        size = entry.bytes
        if size > self.limit:
            return
        self.entries[key] = entry
        self.used += size
        while self.used > self.limit:
            self.drop(next(iter(self.entries)))

    def drop(self, key: str) -> None:
        entry = self.entries.pop(key, None)
        if entry is not None:
            self.used -= entry.bytes

    def longest(self, key: str, tokens: Sequence[int]) -> tuple[int, Entry | None]:
        """How many first tokens some entry shares with ``tokens``, and that entry.

        The conversation's own entry wins a tie, so that its place in the order of use is renewed; another
        conversation's serves where it shares more, such as the same instructions to a role."""
        best, found, name = 0, None, ""
        for other in (key, *self.entries):
            entry = self.entries.get(other)
            if entry is not None and min(len(entry.tokens), len(tokens)) > best:
                shared = common_prefix(entry.tokens, tokens)
                if shared > best:
                    best, found, name = shared, entry, other
        if found is not None:
            self.entries.move_to_end(name)
        return best, found


def common_prefix(one: Sequence[int], two: Sequence[int]) -> int:
    """Length of the longest common beginning of two token lists."""
    limit = min(len(one), len(two))
    for index in range(limit):
        if one[index] != two[index]:
            return index
    return limit


@dataclass
class Arena:
    """All bins of a model and where each row's keys and values lie."""

    layers: int
    bins: dict[int, Bin] = field(default_factory=dict)
    place: dict[int, int] = field(default_factory=dict)
    """Capacity of the bin that each row is in."""

    def enter(self, row: int, tokens: int) -> None:
        """Give ``row`` a slot for at most ``tokens``."""
        capacity = capacity_for(tokens)
        self.bins.setdefault(capacity, Bin(capacity, self.layers)).add(row)
        self.place[row] = capacity

    def leave(self, row: int) -> None:
        """Free the row's slot; an empty bin of more than four slots gives its memory back."""
        home = self.bins[self.place.pop(row)]
        home.remove(row)
        if not home.rows and home.capacity > 1024:
            del self.bins[home.capacity]

    def slot(self, row: int) -> tuple[Bin, int]:
        home = self.bins[self.place[row]]
        return home, home.rows.index(row)

    def load(self, row: int, entry: Entry, tokens: int) -> None:
        """Copy the first ``tokens`` of ``entry`` into the row's slot."""
        home, slot = self.slot(row)
        for layer, (keys, values) in enumerate(zip(entry.keys, entry.values, strict=True)):
            if keys is not None and values is not None:
                k, v = home.layer(layer, keys[None], values[None])
                k[slot, :, :tokens] = keys[:, :tokens]
                v[slot, :, :tokens] = values[:, :tokens]

    def save(self, row: int, tokens: Sequence[int]) -> Entry:
        """Copy the keys and values of ``tokens``, the first columns of the row's slot, out of it."""
        home, slot = self.slot(row)
        count = len(tokens)
        return Entry(list(tokens), [None if k is None else k[slot, :, :count].clone() for k in home.keys],
                     [None if v is None else v[slot, :, :count].clone() for v in home.values])

    @property
    def bytes(self) -> int:
        tensors = (t for home in self.bins.values() for t in (*home.keys, *home.values))
        return sum(t.numel() * t.element_size() for t in tensors if t is not None)
