"""Packed attention against the textbook formula, row by row, with every mask."""

from __future__ import annotations

import pytest
import torch

from backends.common.attention import Group, Plan, Segment, packed_attention, register, seen_width
from backends.common.cache import SMALLEST, Bin

HEADS, KV, DIM = 6, 2, 8


class Layer:
    layer_idx = 0


def draw(tokens: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((1, HEADS, tokens, DIM), (1, KV, tokens, DIM), (1, KV, tokens, DIM))
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)  # type: ignore[return-value]


def textbook(query, keys, values, allowed, scale: float, softcap: float | None) -> torch.Tensor:
    """One row: query (heads, n, dim), keys and values (kv, m, dim), allowed (n, m) -> (n, heads, dim)."""
    keys, values = (t.repeat_interleave(HEADS // KV, 0) for t in (keys, values))
    scores = query @ keys.transpose(1, 2) * scale
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    weights = scores.masked_fill(~allowed, -torch.inf).softmax(-1)
    return (weights @ values).transpose(0, 1)


def causal(first: int, count: int, window: int = 0) -> torch.Tensor:
    asked, known = torch.arange(first, first + count)[:, None], torch.arange(first + count)[None]
    return (known <= asked) & ((asked - known < window) if window else torch.tensor(True))


@pytest.mark.parametrize("window", [0, 3])
@pytest.mark.parametrize("softcap", [None, 2.0])
@pytest.mark.parametrize("scale", [None, 0.5])
def test_prompts_then_steps_of_two_rows(window: int, softcap: float | None, scale: float | None) -> None:
    home = Bin(SMALLEST, 1)
    lengths = (5, 9)
    slots = [home.add(row) for row in (0, 1)]
    q, k, v = draw(sum(lengths), 0)
    options = {"scaling": scale, "sliding_window": window or None, "softcap": softcap}
    used = DIM ** -0.5 if scale is None else scale
    plan = Plan(segments=[Segment(home, slots[0], 0, 0, 5), Segment(home, slots[1], 5, 0, 9)])
    out = packed_attention(Layer(), q, k, v, None, packed=plan, **options)[0][0]
    own = {0: (k[0, :, :5], v[0, :, :5]), 1: (k[0, :, 5:], v[0, :, 5:])}
    for row, here in ((0, slice(0, 5)), (1, slice(5, 14))):
        expected = textbook(q[0, :, here], *own[row], causal(0, lengths[row], window), used, softcap)
        assert torch.allclose(out[here], expected, atol=1e-5)
    q, k, v = draw(2, 1)
    plan = Plan(groups=[Group(home, 0, torch.tensor(lengths), 10)])
    out = packed_attention(Layer(), q, k, v, None, packed=plan, **options)[0][0]
    for row, length in enumerate(lengths):
        keys, values = (torch.cat([old, new[0, :, row:row + 1]], 1) for old, new in zip(own[row], (k, v), strict=True))
        expected = textbook(q[0, :, row:row + 1], keys, values, causal(length, 1, window), used, softcap)
        assert torch.allclose(out[row:row + 1], expected, atol=1e-5)


@pytest.mark.parametrize("window", [0, 4])
def test_branches_do_not_see_one_another(window: int) -> None:
    home, prompt, branches = Bin(SMALLEST, 1), 6, (3, 2)
    slot = home.add(0)
    q, k, v = draw(prompt, 2)
    options = {"sliding_window": window or None}
    packed_attention(Layer(), q, k, v, None, packed=Plan(segments=[Segment(home, slot, 0, 0, prompt)]), **options)
    bq, bk, bv = draw(sum(branches), 3)
    number = torch.tensor([0, 0, 0, 1, 1])
    own = torch.tensor([6, 7, 8, 6, 7])
    tree = (number[:, None] == number[None]) & (own[:, None] >= own[None])
    segment = Segment(home, slot, 0, prompt, 5, tree, torch.cat([torch.arange(prompt), own]))
    out = packed_attention(Layer(), bq, bk, bv, None, packed=Plan(segments=[segment]), **options)[0][0]
    for here in (slice(0, 3), slice(3, 5)):
        keys, values = torch.cat([k[0], bk[0, :, here]], 1), torch.cat([v[0], bv[0, :, here]], 1)
        count = here.stop - here.start
        expected = textbook(bq[0, :, here], keys, values, causal(prompt, count, window), DIM ** -0.5, None)
        assert torch.allclose(out[here], expected, atol=1e-5)


def test_a_second_piece_of_a_prompt_sees_the_first() -> None:
    home = Bin(SMALLEST, 1)
    slot = home.add(0)
    q, k, v = draw(10, 4)
    for first, count in ((0, 4), (4, 6)):
        part = slice(first, first + count)
        plan = Plan(segments=[Segment(home, slot, 0, first, count)])
        out = packed_attention(Layer(), q[:, :, part], k[:, :, part], v[:, :, part], None, packed=plan)[0][0]
    assert torch.allclose(out, textbook(q[0, :, 4:], k[0], v[0], causal(4, 6), DIM ** -0.5, None), atol=1e-5)


def test_sixteen_bits_look_at_the_whole_slot_and_get_the_same() -> None:
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        home = Bin(SMALLEST, 1)
        home.add(0)
        q, k, v = (t.to(dtype) for t in draw(4, 5))
        packed_attention(Layer(), q, k, v, None, packed=Plan(segments=[Segment(home, 0, 0, 0, 4)]))
        group = Group(home, 0, torch.tensor([4]), 5)
        step = [t[:, :, :1] for t in (q, k, v)]
        results.append(packed_attention(Layer(), *step, None, packed=Plan(groups=[group]))[0].float())
        assert seen_width(group, home.keys[0]) == (5 if dtype == torch.float32 else SMALLEST)
    assert torch.allclose(*results, atol=0.05)


def test_what_lies_beyond_a_rows_end_in_its_slot_is_never_seen() -> None:
    """A slot is used again and again: leftovers of an earlier row must not matter, not even broken numbers."""
    outs = []
    for dirt in (0.0, 1e4):
        home = Bin(SMALLEST, 1)
        home.add(0)
        q, k, v = draw(3, 6)
        keys, values = home.layer(0, k, v)
        keys.fill_(dirt)
        values.fill_(dirt)
        packed_attention(Layer(), q, k, v, None, packed=Plan(segments=[Segment(home, 0, 0, 0, 3)]))
        step = [t[:, :, :1] for t in (q, k, v)]
        plan = Plan(groups=[Group(home, 0, torch.tensor([3]), SMALLEST)])
        outs.append(packed_attention(Layer(), *step, None, packed=plan)[0])
    assert torch.equal(*outs)


def test_without_a_plan_it_says_so_and_its_name_is_known_to_transformers() -> None:
    from transformers import AttentionInterface

    with pytest.raises(RuntimeError, match="without a plan"):
        packed_attention(Layer(), *draw(2, 0), None)
    assert register() == register()
    assert AttentionInterface()[register()] is packed_attention
