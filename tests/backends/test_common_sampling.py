"""Sampling against transformers' own processors as the oracle."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    MinNewTokensLengthLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from backends.common import sampling
from backends.common.language import Decoding
from backends.common.sampling import choose, penalize, repeated, row_generator

SEEN = [3, 5, 5, 9, 3, 5]


def logits(size: int = 40, seed: int = 0) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize("penalty", [1.0, 1.2, 0.7])
@pytest.mark.parametrize("size", [0, 1, 2, 3])
@pytest.mark.parametrize("least", [0, 4])
def test_penalties_are_transformers_own(penalty: float, size: int, least: int) -> None:
    ids = torch.tensor([SEEN])
    oracle = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(penalty)])
    if size:
        oracle.append(NoRepeatNGramLogitsProcessor(size))
    if least:
        oracle.append(MinNewTokensLengthLogitsProcessor(4, least, [1, 7], device="cpu"))
    expected = oracle(ids, logits()[None].clone())[0]
    mine = logits()
    decoding = Decoding(repetition_penalty=penalty, no_repeat_ngram=size, min_new_tokens=least)
    penalize(mine, SEEN, 2, decoding, [1, 7])
    assert torch.equal(mine, expected)


def test_the_least_length_is_over_once_it_is_reached() -> None:
    mine = logits()
    penalize(mine, SEEN, 4, Decoding(min_new_tokens=4), [1, 7])
    assert torch.equal(mine, logits())


@pytest.mark.parametrize(("seen", "size", "banned"), [
    ([1, 2, 3, 1, 2], 3, [3]), ([1, 2, 3, 1, 2], 2, [3]), ([1, 2, 3], 1, [1, 2, 3]), ([1], 3, []), ([], 1, []),
    ([4, 4, 4], 2, [4])])
def test_repeated_by_hand(seen: list[int], size: int, banned: list[int]) -> None:
    assert repeated(seen, size) == banned


def allowed(scores: torch.Tensor, decoding: Decoding) -> dict[int, float]:
    """The distribution that transformers' warpers leave: token -> probability."""
    oracle = LogitsProcessorList([TemperatureLogitsWarper(decoding.temperature)])
    if decoding.top_k:
        oracle.append(TopKLogitsWarper(decoding.top_k))
    if decoding.top_p < 1.0:
        oracle.append(TopPLogitsWarper(decoding.top_p))
    shares = oracle(torch.tensor([[0]]), scores[None].clone())[0].double().softmax(-1)
    return {int(i): float(shares[i]) for i in shares.nonzero()[:, 0]}


@pytest.mark.parametrize("decoding", [
    Decoding(temperature=1.0, top_p=0.9), Decoding(temperature=0.6, top_p=0.5), Decoding(temperature=1.0, top_p=1.0),
    Decoding(temperature=1.5, top_p=1.0, top_k=5), Decoding(temperature=1.0, top_p=0.7, top_k=12),
    Decoding(temperature=1.0, top_p=0.01), Decoding(temperature=1.0, top_p=1.0, top_k=1)])
def test_draws_follow_the_warped_distribution(decoding: Decoding) -> None:
    scores, generator, draws = logits(), torch.Generator().manual_seed(1), 3000
    expected = allowed(scores, decoding)
    counts = Counter(choose(scores, decoding, generator) for _ in range(draws))
    assert set(counts) <= set(expected), "a token outside the cut was drawn"
    for token, share in expected.items():
        sigma = (share * (1 - share) / draws) ** 0.5
        assert abs(counts[token] / draws - share) < 5 * sigma + 2 / draws


@pytest.mark.parametrize("decoding", [
    Decoding(temperature=1.0, top_p=0.95), Decoding(temperature=2.0, top_p=0.9, top_k=30),
    Decoding(temperature=1.0, top_p=1.0), Decoding(temperature=1.0, top_p=0.9, top_k=8)])
def test_ordering_few_tokens_first_changes_nothing(decoding: Decoding, monkeypatch: pytest.MonkeyPatch) -> None:
    """The short cut over the likeliest tokens draws the same as ordering the whole vocabulary."""
    flat = logits(200) / 6
    usual = [choose(flat, decoding, torch.Generator().manual_seed(seed)) for seed in range(60)]
    monkeypatch.setattr(sampling, "NUCLEUS", 10)
    assert [choose(flat, decoding, torch.Generator().manual_seed(seed)) for seed in range(60)] == usual


def test_temperature_zero_takes_the_likeliest() -> None:
    scores = logits()
    picks = {choose(scores, Decoding(temperature=0.0), torch.Generator().manual_seed(s)) for s in range(5)}
    assert picks == {int(scores.argmax())}


def test_forbidden_tokens_are_never_drawn() -> None:
    scores = logits()
    scores[2:] = -torch.inf
    draws = {choose(scores, Decoding(temperature=5.0, top_p=1.0), torch.Generator().manual_seed(s)) for s in range(50)}
    assert draws == {0, 1}


def test_a_rows_generator_depends_on_seed_key_and_prompt_only() -> None:
    def draw(seed: int, key: str, prompt: list[int]) -> float:
        return torch.rand((), generator=row_generator(seed, key, prompt)).item()

    base = draw(1, "a", [1, 2])
    assert draw(1, "a", [1, 2]) == base
    assert len({base, draw(2, "a", [1, 2]), draw(1, "b", [1, 2]), draw(1, "a", [1, 3]), draw(1, "a", [12])}) == 5
