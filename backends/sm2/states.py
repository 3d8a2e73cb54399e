"""Every state of a sentence, kept: a threshold is then changed at once, because most states are known already.

All prefixes of the source are encoded together once. For a target prefix, one pass gives the next token and the
confidence under *every* source prefix. A threshold's translation walks through these columns; another threshold shares
them as long as its target is the same. A decision only changes where the threshold passes a confidence that was met on
the way, so all different translations of a sentence can be listed with the ranges of thresholds they hold for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from backends.sm2.decode import check, traced
from backends.sm2.model import Sm2
from backends.sm2.policy import Policy, Trace
from workbench.contract import UserError


@dataclass(frozen=True)
class Column:
    """For one target prefix: the next token under every source prefix (and the next but the end token), and the
    confidence; entry j - 1 is for j tokens."""

    tokens: tuple[int, ...]
    others: tuple[int, ...]
    confidence: tuple[float, ...]


@dataclass(frozen=True)
class Range:
    """A translation and the thresholds above ``low`` and up to ``high`` that give it."""

    low: float
    high: float
    trace: Trace


class Session:
    """One source sentence with its states. ``computed`` counts the passes made so far."""

    def __init__(self, model: Sm2, source: Sequence[int]) -> None:
        check(model, [source], Policy("full"))
        self.model, self.source, self.size, self.computed = model.eval(), tuple(source), len(source), 0
        device = model.embedding.weight.device
        self.there = torch.ones(self.size, self.size, dtype=torch.bool, device=device).tril()
        ids = torch.tensor([self.source], device=device).expand(self.size, -1).masked_fill(~self.there, model.shape.pad)
        with torch.inference_mode():
            self.encoded = model.encode(ids, self.there)
        self.columns: dict[tuple[int, ...], Column] = {}

    def column(self, written: tuple[int, ...]) -> Column:
        """What every source prefix makes of a target prefix."""
        if written not in self.columns:
            shape = self.model.shape
            target = torch.tensor([[shape.begin, *written]], device=self.encoded.device).expand(self.size, -1)
            with torch.inference_mode():
                last = torch.full((self.size,), len(written), device=self.encoded.device)
                states, _ = self.model.prefill(target, self.encoded, self.there, last)
                logits = states.logits[:, 0].clone()
                tokens = logits.argmax(-1).tolist()
                logits[:, shape.end] = -torch.inf
                self.columns[written] = Column(tuple(tokens), tuple(logits.argmax(-1).tolist()),
                                               tuple(states.confidence[:, 0].sigmoid().tolist()))
            self.computed += 1
        return self.columns[written]

    def trace(self, policy: Policy) -> Trace:
        """The translation by a policy; the same as :func:`~backends.sm2.decode.translate_plainly` gives.

        Raises ``UserError`` for multi-path wait-k, whose states are of another kind."""
        if not policy.again:
            raise UserError("multi-path wait-k keeps states of its own; its translation cannot be made from these.",
                            advice="Take wait-k.")
        read, written, actions = 0, list[int](), list[str]()
        sure: list[float | None] = []
        while len(written) < min(policy.longest(self.size), self.model.shape.positions - 1):
            least = max(0, policy.least(len(written), self.size) - read)
            read, actions, sure = read + least, [*actions, *"R" * least], [*sure, *[None] * least]
            column = self.column(tuple(written))
            while True:
                c = column.confidence[read - 1]
                sure.append(c)
                if read >= self.size or policy.writes(c):
                    break
                read += 1
                actions.append("R")
            actions.append("W")
            early = policy.forbid_early_end and read < self.size
            written.append((column.others if early else column.tokens)[read - 1])
            if written[-1] == self.model.shape.end:
                break
        return traced(written, actions, sure, self.size)

    def sweep(self, policy: Policy | None = None, most: int = 200) -> list[Range]:
        """Every different translation over thresholds from 0 to 1, lowest first; ``policy`` gives the other settings.

        The next threshold that changes anything is the lowest confidence that was good enough although source was
        left. At most ``most`` ranges are made."""
        policy = policy or Policy()
        found: list[Range] = []
        low, threshold = 0.0, 1e-6
        while len(found) < most:
            trace = self.trace(dataclasses.replace(policy, kind="sm2", threshold=threshold))
            choices = [c for c, left in zip(trace.confidence, _left(trace), strict=True)
                       if c is not None and left and c >= threshold]
            high = min(choices, default=1.0)
            found.append(Range(low, min(1.0, high), trace))
            if high >= 1.0:
                break
            low = high
            threshold = min(1.0, float(torch.nextafter(torch.tensor(high, dtype=torch.float64), torch.tensor(
                2.0, dtype=torch.float64))))
        return found

    def grid(self, target: Sequence[int]) -> list[list[float]]:
        """c_ij (target tokens, source prefixes) with this target, its end token included if it has one."""
        device = self.encoded.device
        inputs = torch.tensor([[self.model.shape.begin, *target[:-1]]], device=device).expand(self.size, -1)
        with torch.inference_mode():
            states = self.model.decode(inputs, self.encoded, self.there)
        rows: list[list[float]] = states.confidence.sigmoid().T.tolist()
        return rows


def _left(trace: Trace) -> list[bool]:
    """For each action, whether source was left when it was decided."""
    read, found = 0, []
    for action in trace.actions:
        found.append(read < trace.size)
        read += action == "R"
    return found
