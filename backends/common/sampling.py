"""Choosing the next token of one row: the steps of transformers' ``generate`` in its order, without full sorts.

Written by hand because transformers' warpers sort the whole vocabulary for every row and step (3 ms for 49,152
tokens, 50 ms a step of 16 rows, more than half of the forward pass); here only the likeliest tokens are ordered.
A row draws one number a token from its own generator, so it does not depend on its neighbours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from backends.common.language import Decoding

NUCLEUS = 256
"""How many of the likeliest tokens are ordered first; the whole vocabulary only if they do not reach top-p."""


def row_generator(seed: int, key: str, prompt: Sequence[int]) -> torch.Generator:
    """The source of randomness of one row: the same for the same seed, key (or place) and prompt tokens."""
    text = f"{seed}|{key}|{','.join(map(str, prompt))}"
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") & (2**63 - 1))


def penalize(logits: torch.Tensor, seen: Sequence[int], made: int, decoding: Decoding, ends: Sequence[int]) -> None:
    """Change the row's ``logits`` (vocabulary,) in place before a token is chosen.

    Repetition penalty r: a token of ``seen`` (prompt and reply) gets ``l / r`` if ``l > 0`` else ``l * r``
    (Keskar et al. 2019). No-repeat n: a token that would complete an n-gram of ``seen`` a second time is
    forbidden. End tokens are forbidden while fewer than ``min_new_tokens`` are ``made``."""
    if decoding.repetition_penalty != 1.0:
        index = torch.tensor(sorted(set(seen)), device=logits.device)
        values = logits[index]
        penalty = decoding.repetition_penalty
        logits[index] = torch.where(values > 0, values / penalty, values * penalty)
    if decoding.no_repeat_ngram:
        banned = repeated(seen, decoding.no_repeat_ngram)
        if banned:
            logits[torch.tensor(banned, device=logits.device)] = -torch.inf
    if made < decoding.min_new_tokens and ends:
        logits[torch.tensor(list(ends), device=logits.device)] = -torch.inf


def repeated(seen: Sequence[int], size: int) -> list[int]:
    """Tokens that after the last ``size - 1`` of ``seen`` would repeat one of its n-grams of that size."""
    if len(seen) < size:
        return []
    tail = list(seen[len(seen) - size + 1:])
    return sorted({seen[i + size - 1] for i in range(len(seen) - size + 1) if list(seen[i:i + size - 1]) == tail})


def choose(logits: torch.Tensor, decoding: Decoding, generator: torch.Generator) -> int:
    """The next token from the row's ``logits`` (vocabulary,) in float32.

    Temperature 0: the likeliest. Else ``p = softmax(logits / temperature)`` is cut to the ``top_k`` likeliest
    and then to the smallest set of likeliest tokens whose share reaches ``top_p``, and one is drawn."""
    if decoding.temperature == 0.0:
        return int(logits.argmax())
    scaled = (logits / decoding.temperature).double()
    limit = min(decoding.top_k or scaled.shape[0], scaled.shape[0])
    values, tokens = scaled.topk(min(limit, NUCLEUS))
    if limit <= NUCLEUS:
        total = values.logsumexp(0)
    else:
        total = scaled.logsumexp(0)
        if float((values - total).exp().sum()) < decoding.top_p or decoding.top_p == 1.0:
            values, tokens = scaled.topk(limit)
            total = values.logsumexp(0)
        elif limit < scaled.shape[0]:
            total = scaled.topk(limit).values.logsumexp(0)
    shares = (values - total).exp().cumsum(0)
    inside = int((shares < decoding.top_p).sum()) + 1
    shares = shares[:inside]
    draw = torch.rand((), generator=generator, dtype=torch.float64).item() * float(shares[-1])
    return int(tokens[min(int((shares <= draw).sum()), shares.shape[0] - 1)])
