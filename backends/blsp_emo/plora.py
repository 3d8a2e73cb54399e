"""PLoRA: low-rank adapters that act on speech positions only (spec A.4.5; ``plora.py`` with ``lora_scope="audio"``).

    y_t = W x_t + m_t * (alpha / r) * B A dropout(x_t)

m_t is 1 at positions of speech and 0 elsewhere. Text and generated tokens run through the untouched language model:
with m = 0 the results are equal bit for bit, and without a mask (the teacher's pass, generation after the prompt) the
adapter is not even computed. peft has no token mask, hence our own wrapper.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from workbench.contract import UserError

TARGETS = (("c_attn", "c_proj", "w1", "w2"),
           ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"))
"""Linear layers by architecture: Qwen (the paper's), Llama and most others (the same layers by other names)."""


@dataclass(frozen=True)
class PloraShape:
    """Rank, alpha, dropout (the paper's defaults) and names of the linear layers (empty: by the architecture)."""

    rank: int = 16
    alpha: float = 16.0
    dropout: float = 0.05
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise UserError(f"rank is {self.rank}; it must be at least 1.")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout is {self.dropout}; it must lie between 0 and 1.")


class Scope:
    """The mask that all wrapped layers of one model look at: (B, T) or nothing."""

    def __init__(self) -> None:
        self.mask: torch.Tensor | None = None


class TokenLora(nn.Module):  # type: ignore[misc]
    """A linear layer with an adapter for some positions."""

    def __init__(self, base: nn.Linear, shape: PloraShape, scope: Scope, generator: torch.Generator) -> None:
        super().__init__()
        self.base, self.scope = base, scope
        self.factor, self.dropout = shape.alpha / shape.rank, shape.dropout
        bound = (3 / base.in_features) ** 0.5
        start = torch.rand(shape.rank, base.in_features, generator=generator) * 2 * bound - bound
        self.lora_a = nn.Parameter(start.to(base.weight.device))
        self.lora_b = nn.Parameter(torch.zeros(base.out_features, shape.rank, device=base.weight.device))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, in) -> (B, T, out)."""
        y: torch.Tensor = self.base(x)
        mask = self.scope.mask
        if mask is None:
            return y
        if mask.shape != x.shape[:-1]:
            raise UserError(f"The speech mask is {tuple(mask.shape)} and the batch {tuple(x.shape[:-1])}; every token "
                            "needs its place in the mask.", advice="Repeat the mask with the rows of the batch.")
        low = F.linear(F.dropout(x.to(self.lora_a.dtype), self.dropout, self.training), self.lora_a)
        change = F.linear(low, self.lora_b) * self.factor * mask[..., None]
        return y + change.to(y.dtype)


class Plora:
    """The adapters of one language model."""

    def __init__(self, shape: PloraShape, layers: Mapping[str, TokenLora], scope: Scope) -> None:
        self.shape, self.layers, self.scope = shape, dict(layers), scope

    @contextlib.contextmanager
    def on(self, mask: torch.Tensor) -> Iterator[None]:
        """Let the adapters act where ``mask`` (B, T) is 1, until the block ends."""
        before, self.scope.mask = self.scope.mask, mask
        try:
            yield
        finally:
            self.scope.mask = before

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """``"<layer>.lora_a"`` and ``"<layer>.lora_b"``."""
        return {f"{name}.{part}": getattr(layer, part) for name, layer in self.layers.items()
                for part in ("lora_a", "lora_b")}


def attach(model: Any, shape: PloraShape, seed: int = 0) -> Plora:
    """Wrap the target layers of a causal language model in place; at first nothing changes, B being zero.

    Raises ``UserError`` when the model has no such layer."""
    named = dict(model.named_modules())
    if any(isinstance(module, TokenLora) for module in named.values()):
        raise UserError("This language model has speech adapters already.", advice="Open the model anew.")
    targets = shape.targets or _known(named)
    found = {name: module for name, module in named.items() if name.rpartition(".")[2] in targets}
    wrong = sorted(name for name, module in found.items() if not isinstance(module, nn.Linear))
    if not found or wrong:
        linear = sorted({name.rpartition(".")[2] for name, module in named.items() if isinstance(module, nn.Linear)})
        raise UserError(f"No linear layer of this language model is named {', '.join(targets) or 'as expected'}"
                        f"{': ' + wrong[0] + ' is of another kind' if wrong else ''}.",
                        advice=f"Its linear layers are named {', '.join(linear)}; put some into targets.")
    generator, scope, layers = torch.Generator().manual_seed(seed), Scope(), dict[str, TokenLora]()
    for name, module in found.items():
        parent, _, last = name.rpartition(".")
        layers[name] = TokenLora(module, shape, scope, generator).eval()
        setattr(named[parent], last, layers[name])
    return Plora(shape, layers, scope)


def _known(named: Mapping[str, Any]) -> Sequence[str]:
    ends = {name.rpartition(".")[2] for name in named}
    return next((names for names in TARGETS if ends.issuperset(names)), ())
