"""Slots and the store of conversations: what is kept, moved and thrown out, checked number by number."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backends.common.cache import SMALLEST, Arena, Bin, Entry, Store, capacity_for, common_prefix


def entry(tokens: list[int], fill: float = 1.0) -> Entry:
    shape = (2, len(tokens), 4)
    return Entry(tokens, [torch.full(shape, fill), None], [torch.full(shape, -fill), None])


@pytest.mark.parametrize(("tokens", "capacity"), [
    (1, 128), (128, 128), (129, 192), (192, 192), (193, 256), (300, 384), (512, 512), (513, 768), (8192, 8192)])
def test_capacities(tokens: int, capacity: int) -> None:
    assert capacity_for(tokens) == capacity


@given(st.integers(1, 100_000))
def test_a_capacity_holds_the_row_and_wastes_at_most_half(tokens: int) -> None:
    assert tokens <= capacity_for(tokens) <= max(SMALLEST, 1.5 * tokens)


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_common_prefix(one: list[int], two: list[int]) -> None:
    shared = common_prefix(one, two)
    assert one[:shared] == two[:shared]
    assert shared == min(len(one), len(two)) or one[shared] != two[shared]


def written(home: Bin, row: int) -> float:
    keys, _ = home.layer(0, torch.zeros(1, 2, 1, 4), torch.zeros(1, 2, 1, 4))
    return float(keys[home.rows.index(row), 0, 0, 0])


def test_rows_keep_their_values_while_others_come_and_go() -> None:
    home = Bin(SMALLEST, 2)
    for row in range(9):  # twice as many as there is room for at first, and one more
        slot = home.add(row)
        keys, values = home.layer(0, torch.zeros(1, 2, 1, 4), torch.zeros(1, 2, 1, 4))
        keys[slot], values[slot] = row, row
    for gone in (0, 8, 4):
        home.remove(gone)
    assert sorted(home.rows) == [1, 2, 3, 5, 6, 7]
    assert [written(home, row) for row in home.rows] == home.rows
    assert home.keys[1] is None, "a layer that was never used takes no memory"


def test_an_arena_sorts_rows_by_capacity_and_gives_large_bins_back() -> None:
    arena = Arena(1)
    for row, tokens in enumerate((10, 100, 300, 5000)):
        arena.enter(row, tokens)
        home, _ = arena.slot(row)
        home.layer(0, torch.zeros(1, 2, 1, 4), torch.zeros(1, 2, 1, 4))
    assert sorted(arena.bins) == [128, 384, 6144]
    assert arena.bins[128].rows == [0, 1]
    before = arena.bytes
    arena.leave(3)
    assert sorted(arena.bins) == [128, 384]
    assert arena.bytes < before
    arena.leave(0)
    assert arena.slot(1) == (arena.bins[128], 0)


def test_saved_keys_come_back_in_another_slot() -> None:
    arena, tokens = Arena(2), [5, 6, 7]
    arena.enter(1, 10)
    home, slot = arena.slot(1)
    keys, values = home.layer(0, torch.zeros(1, 2, 1, 4), torch.zeros(1, 2, 1, 4))
    keys[slot, :, :3], values[slot, :, :3] = torch.rand(2, 3, 4), torch.rand(2, 3, 4)
    saved = arena.save(1, tokens)
    keys[slot] = 0
    arena.enter(2, 400)
    arena.load(2, saved, 2)
    home, slot = arena.slot(2)
    assert home.keys[0] is not None and saved.keys[0] is not None
    assert torch.equal(home.keys[0][slot, :, :2], saved.keys[0][:, :2])
    assert not home.keys[0][slot, :, 2].any(), "only the shared part is copied"
    assert saved.keys[1] is None


def test_the_store_throws_out_what_was_used_longest_ago() -> None:
    one = entry([1, 2, 3])
    store = Store(3 * one.bytes)
    for key in "abc":
        store.put(key, entry([ord(key), 2, 3]))
    assert store.longest("a", [ord("a"), 2, 9])[0] == 2  # uses a
    store.put("d", entry([4, 4, 4]))
    assert list(store.entries) == ["c", "a", "d"]
    assert store.used == 3 * one.bytes


def test_putting_a_key_again_replaces_it_and_counts_its_bytes_once() -> None:
    store = Store(10**6)
    store.put("a", entry([1, 2, 3]))
    store.put("a", entry([1, 2, 3, 4]))
    assert store.used == entry([1, 2, 3, 4]).bytes
    store.drop("a")
    store.drop("a")
    assert store.used == 0 and not store.entries


def test_what_is_larger_than_the_store_is_not_kept_and_throws_nothing_out() -> None:
    small = entry([1])
    store = Store(small.bytes)
    store.put("small", small)
    store.put("large", entry([1, 2]))
    assert list(store.entries) == ["small"]


@pytest.mark.parametrize(("key", "tokens", "shared", "found"), [
    ("a", [1, 2, 3, 4], 3, [1, 2, 3]), ("a", [1, 9], 1, [1, 2, 3]), ("b", [7, 8], 2, [7, 8, 9]), ("new", [9], 0, None),
    ("new", [1, 2], 2, [1, 2, 3]), ("a", [7, 8, 1], 2, [7, 8, 9]), ("a", [], 0, None)])
def test_the_longest_shared_beginning(key: str, tokens: list[int], shared: int, found: list[int] | None) -> None:
    store = Store(10**6)
    store.put("a", entry([1, 2, 3]))
    store.put("b", entry([7, 8, 9]))
    length, best = store.longest(key, tokens)
    assert (length, best.tokens if best else None) == (shared, found)
