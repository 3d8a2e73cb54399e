"""The modality adapter ("Subsampler", spec A.2): encoder states (B, T, E) to vectors the language model reads (B, T',
H).

    x_0 = states, or of several layers sum_l softmax(w)_l LayerNorm(states_l) (a learned mix; ours, spec G.2)
    x_i = GLU(Conv1d(x_{i-1} * m_{i-1}; kernel 5, stride 2, padding 2))   for i = 1, 2, 3
    y   = LayerNorm(x_3 + W_2 GELU(W_1 x_3)),   W_1: H -> 512, W_2: 512 -> H, both without bias, eps 1e-5

The first two convolutions keep the width E (E -> 2E -> GLU -> E), the last one changes it (E -> 2H -> GLU -> H). The
mask m is applied before *every* convolution, so a clip gives the same vectors alone and beside a longer one. In the
published code no convolution is masked: beside a longer clip a shorter one is heard together with what the encoder and
the convolutions before made of its padding.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from workbench.contract import UserError


@dataclass(frozen=True)
class AdapterShape:
    """Sizes. ``states``: width E of the encoder; ``model``: width H of the language model. ``dropout`` (ours, off in
    the paper) acts on the encoder states while training, against over-fitting on few clips."""

    states: int
    model: int
    bottleneck: int = 512
    kernel: int = 5
    layers: int = 3
    dropout: float = 0.0
    mixed: int = 0
    """Encoder layers that are mixed; 0: the states are those of one layer (the paper)."""

    def __post_init__(self) -> None:
        if min(self.states, self.model, self.bottleneck, self.layers) < 1:
            raise UserError(f"The adapter's sizes are {self}; each must be at least 1.")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise UserError(f"kernel is {self.kernel}; it must be odd, or lengths would not halve exactly.")
        if self.mixed < 0:
            raise UserError(f"{self.mixed} layers cannot be mixed; 0 takes one layer.")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout is {self.dropout}; it must lie between 0 and 1.")


class Adapter(nn.Module):  # type: ignore[misc]
    """Three masked convolutions with gates, a residual bottleneck, a normalisation."""

    def __init__(self, shape: AdapterShape) -> None:
        super().__init__()
        self.shape = shape
        widths = [shape.states] * shape.layers + [shape.model]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, 2 * after, shape.kernel, stride=2, padding=shape.kernel // 2)
            for before, after in itertools.pairwise(widths))
        self.mix = nn.Parameter(torch.zeros(shape.mixed)) if shape.mixed else None
        self.down = nn.Linear(shape.model, shape.bottleneck, bias=False)
        self.up = nn.Linear(shape.bottleneck, shape.model, bias=False)
        self.norm = nn.LayerNorm(shape.model, eps=1e-5)

    def forward(self, states: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``states`` (B, T, E), or (B, T, L, E) of L layers to mix, with ``lengths`` (B,) valid ones -> vectors (B, T',
        H), zero where invalid, and their lengths (B,)."""
        if self.mix is not None:
            even = F.layer_norm(states, states.shape[-1:])
            states = torch.einsum("btle,l->bte", even, torch.softmax(self.mix, 0))
        x = F.dropout(states, self.shape.dropout, self.training).transpose(1, 2)
        for convolution in self.convolutions:
            x = F.glu(convolution(x * valid(lengths, x.shape[2])[:, None]), dim=1)
            lengths = torch.div(lengths - 1, 2, rounding_mode="floor") + 1
        x = x.transpose(1, 2)
        y = self.norm(x + self.up(F.gelu(self.down(x))))
        return y * valid(lengths, y.shape[1])[:, :, None], lengths


def valid(lengths: torch.Tensor, size: int) -> torch.Tensor:
    """(B, size) bool: place < length."""
    return torch.arange(size, device=lengths.device)[None] < lengths[:, None]


def masked_mean(values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """(B, T, H) -> (B, H): the mean over the valid places only."""
    mask = valid(lengths, values.shape[1])[:, :, None]
    total: torch.Tensor = (values * mask).sum(1) / lengths.clamp(min=1)[:, None]
    return total
