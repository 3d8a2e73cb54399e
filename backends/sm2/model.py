"""The encoder-decoder Transformer of SM2 with its confidence head, in plain PyTorch (Vaswani 2017; SM2 section A).

A decoder state is h_ij: after the last layer (and the final layer norm, if pre-norm), at target position i, given the
source prefix x_1..x_j encoded on its own. Two readings of it:

    p_ij = softmax(E h_ij + b)     (vocabulary; E is the embedding table)
    c_ij = sigmoid(w . h_ij + b_c) (one number: is this state good enough to write?)

With a bidirectional encoder h_ij depends on all of x_1..x_j, so after a READ the encoder and every decoder state must
be computed again; :meth:`Sm2.prefill` does that, :meth:`Sm2.step` adds one target token while j stays. Shapes: B rows,
J source tokens, I target tokens, H heads, d = width / H. Masks are boolean, True where something is.

The options cover Hugging Face's Marian models exactly (post-norm, swish, sinusoids with sines first, output bias), so
such a checkpoint is read into this same model (see ``marian``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.contract import UserError
from workbench.fields import validate

Norm = Literal["pre", "post"]


@dataclass(frozen=True)
class Shape:
    """Everything that fixes the weights' shapes and the arithmetic; saved as ``config.json``."""

    vocabulary: int
    width: int = 256
    heads: int = 4
    inner: int = 1024
    encoder_layers: int = 3
    decoder_layers: int = 3
    dropout: float = 0.1
    norm: Norm = "pre"
    activation: Literal["relu", "swish", "gelu"] = "relu"
    causal_encoder: bool = False
    output_bias: bool = False
    positions: int = 512
    pad: int = 0
    begin: int = 1
    end: int = 2

    def __post_init__(self) -> None:
        validate(self)
        if self.width % self.heads or self.width % 2:
            raise UserError(f"width is {self.width} and heads {self.heads}; the width must be even and a multiple of "
                            "the heads.")
        if min(self.vocabulary, self.width, self.heads, self.inner, self.encoder_layers, self.decoder_layers) < 1:
            raise UserError("Every size of a model must be at least 1.")


@dataclass
class Cache:
    """Keys and values that stay while the source prefix does: per layer (B, H, I, d) of the target so far and
    (B, H, J, d) of the source. ``source`` (B, J) says where there is source."""

    own: list[tuple[Tensor, Tensor]]
    cross: list[tuple[Tensor, Tensor]]
    source: Tensor


@dataclass(frozen=True)
class States:
    """Decoder outputs: ``logits`` (B, I, V) and ``confidence`` (B, I), the latter before the sigmoid."""

    logits: Tensor
    confidence: Tensor


def sinusoids(count: int, width: int) -> Tensor:
    """(count, width): sin(p / 10000^(2k/width)) in the first half, cosines in the second (Marian's order)."""
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10_000.0) / width))
    angles = torch.arange(count, dtype=torch.float64)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1).float()


class Attention(nn.Module):  # type: ignore[misc]
    """Multi-head attention; keys and values are made by :meth:`keys` so that they can be kept."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def split(self, x: Tensor) -> Tensor:
        """(B, T, width) to (B, H, T, d)."""
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def keys(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a sequence."""
        return self.split(self.key(x)), self.split(self.value(x))

    def forward(self, x: Tensor, keys: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """``mask`` broadcasts to (B, H, queries, keys), True where a query may look. A query that may look nowhere
        gets zeros, never not-a-number."""
        rate = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(self.split(self.query(x)), *keys, attn_mask=mask, dropout_p=rate)
        mixed = torch.where(mask.any(-1, keepdim=True), mixed, 0.0)
        joined: Tensor = self.out(mixed.transpose(1, 2).reshape(x.shape))
        return joined


class Layer(nn.Module):  # type: ignore[misc]
    """An encoder layer, or with ``cross`` a decoder layer."""

    def __init__(self, shape: Shape, cross: bool) -> None:
        super().__init__()
        self.pre = shape.norm == "pre"
        self.own = Attention(shape.width, shape.heads, shape.dropout)
        self.own_norm = nn.LayerNorm(shape.width)
        self.cross = Attention(shape.width, shape.heads, shape.dropout) if cross else None
        self.cross_norm = nn.LayerNorm(shape.width) if cross else None
        self.up, self.down = nn.Linear(shape.width, shape.inner), nn.Linear(shape.inner, shape.width)
        self.feed_norm = nn.LayerNorm(shape.width)
        known: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "swish": F.silu, "gelu": F.gelu}
        self.activation = known[shape.activation]
        self.drop = nn.Dropout(shape.dropout)

    def before(self, x: Tensor, norm: nn.LayerNorm) -> Tensor:
        """What a sublayer reads."""
        read: Tensor = norm(x) if self.pre else x
        return read

    def after(self, x: Tensor, made: Tensor, norm: nn.LayerNorm) -> Tensor:
        """The residual sum that a sublayer leaves."""
        x = x + self.drop(made)
        left: Tensor = x if self.pre else norm(x)
        return left

    def source(self, x: Tensor, keys: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """The cross-attention sublayer of a decoder layer."""
        assert self.cross is not None and self.cross_norm is not None
        return self.after(x, self.cross(self.before(x, self.cross_norm), keys, mask), self.cross_norm)

    def feed(self, x: Tensor) -> Tensor:
        """The feed-forward sublayer."""
        made = self.down(self.drop(self.activation(self.up(self.before(x, self.feed_norm)))))
        return self.after(x, made, self.feed_norm)


class Sm2(nn.Module):  # type: ignore[misc]
    """See the module. One table serves source, target and output (joined vocabulary)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.encoder = nn.ModuleList(Layer(shape, cross=False) for _ in range(shape.encoder_layers))
        self.decoder = nn.ModuleList(Layer(shape, cross=True) for _ in range(shape.decoder_layers))
        self.encoder_norm = nn.LayerNorm(shape.width) if shape.norm == "pre" else nn.Identity()
        self.decoder_norm = nn.LayerNorm(shape.width) if shape.norm == "pre" else nn.Identity()
        self.output_bias = nn.Parameter(torch.zeros(shape.vocabulary)) if shape.output_bias else None
        self.confidence = nn.Linear(shape.width, 1)
        self.drop = nn.Dropout(shape.dropout)
        self.register_buffer("places", sinusoids(shape.positions, shape.width), persistent=False)
        self._begin()

    def _begin(self) -> None:
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        nn.init.normal_(self.embedding.weight, std=self.shape.width ** -0.5)
        nn.init.zeros_(self.confidence.bias)

    def embed(self, ids: Tensor, first: Tensor | int = 0) -> Tensor:
        """Embeddings of (B, T) ids whose first column stands at position ``first`` (a number, or one for each row)."""
        start = torch.as_tensor(first, device=ids.device).reshape(-1, 1)
        places = start + torch.arange(ids.shape[1], device=ids.device)
        if ids.shape[1] and int(places.max()) >= self.shape.positions:
            raise UserError(f"A sentence has {int(places.max()) + 1} tokens; this model takes {self.shape.positions}.",
                            advice="Split it into shorter sentences.")
        made: Tensor = self.drop(self.embedding(ids) * math.sqrt(self.shape.width) + self.places[places])
        return made

    def encode(self, ids: Tensor, there: Tensor) -> Tensor:
        """Encoder states (B, J, width) of ids (B, J) that are there; others are not looked at by anyone."""
        mask = there[:, None, None, :]
        if self.shape.causal_encoder:
            mask = mask & triangle(ids.shape[1], ids.device)
        x = self.embed(ids)
        for layer in self.encoder:
            read = layer.before(x, layer.own_norm)
            x = layer.feed(layer.after(x, layer.own(read, layer.own.keys(read), mask), layer.own_norm))
        found: Tensor = self.encoder_norm(x)
        return found

    def read(self, hidden: Tensor) -> States:
        """Logits and confidences of decoder states (B, I, width)."""
        hidden = self.decoder_norm(hidden)
        return States(F.linear(hidden, self.embedding.weight, self.output_bias), self.confidence(hidden)[..., 0])

    def decode(self, target: Tensor, encoded: Tensor, there: Tensor) -> States:
        """States of all positions of target inputs (B, I), which begin with the begin token. ``there`` is (B, J), or
        (B, I, J) where every position has a source prefix of its own (wait-k paths)."""
        return self._run(target, encoded, there)[0]

    def prefill(self, target: Tensor, encoded: Tensor, there: Tensor, at: Tensor) -> tuple[States, Cache]:
        """As :meth:`decode` with ``there`` (B, J), keeping keys and values for :meth:`step`; the vocabulary is only
        computed at one position ``at`` (B,) of each row, so states are (B, 1, ...)."""
        return self._run(target, encoded, there, at)

    def _run(self, target: Tensor, encoded: Tensor, there: Tensor, at: Tensor | None = None) -> tuple[States, Cache]:
        """With ``at`` the last layer works at that position alone; its keys and values are made for all."""
        own = triangle(target.shape[1], target.device)
        source = there[:, None, None, :] if there.dim() == 2 else there[:, None]
        x, kept, crossed = self.embed(target), [], []
        for layer in self.decoder:
            read = layer.before(x, layer.own_norm)
            keys = layer.own.keys(read)
            if at is not None and layer is self.decoder[-1]:
                rows = torch.arange(len(x), device=x.device)
                x, read = x[rows, at][:, None], read[rows, at][:, None]
                own = (torch.arange(target.shape[1], device=x.device) <= at[:, None])[:, None, None, :]
            x = layer.after(x, layer.own(read, keys, own), layer.own_norm)
            across = layer.cross.keys(encoded)
            x = layer.feed(layer.source(x, across, source))
            kept.append(keys)
            crossed.append(across)
        return self.read(x), Cache(kept, crossed, there)

    def cross_keys(self, encoded: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of encoder states for every decoder layer."""
        return [layer.cross.keys(encoded) for layer in self.decoder]

    def step(self, token: Tensor, place: Tensor, cache: Cache) -> States:
        """One more target token (B,) at position ``place`` (B,) of each row; ``cache.own`` has room for it and gets it.

        Rows may stand at different positions. Returns states (B, 1, ...)."""
        x = self.embed(token[:, None], place)
        rows = torch.arange(len(token), device=token.device)
        size = cache.own[0][0].shape[2]
        own = (torch.arange(size, device=token.device) <= place[:, None])[:, None, None, :]
        source = cache.source[:, None, None, :]
        for number, layer in enumerate(self.decoder):
            read = layer.before(x, layer.own_norm)
            key, value = layer.own.keys(read)
            cache.own[number][0][rows, :, place] = key[:, :, 0]
            cache.own[number][1][rows, :, place] = value[:, :, 0]
            x = layer.after(x, layer.own(read, cache.own[number], own), layer.own_norm)
            x = layer.feed(layer.source(x, cache.cross[number], source))
        return self.read(x)


def triangle(size: int, device: torch.device) -> Tensor:
    """(1, 1, size, size), True where a position may look: itself and what is before it."""
    return torch.ones(size, size, dtype=torch.bool, device=device).tril()[None, None]
