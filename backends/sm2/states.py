"""Every state of a sentence, kept: a threshold is then changed at once, because most states are known already.

All prefixes of the source are encoded together once. For a target prefix, one pass gives the next token and the
confidence under *every* source prefix. A threshold's translation walks through these columns; another threshold shares
them as long as its target is the same. A decision only changes where the threshold passes a confidence that was met on
the way, so all different translations of a sentence can be listed with the ranges of thresholds they hold for.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backends.sm2.decode import check, likeliest, traced
from backends.sm2.model import Cache, Sm2, States
from backends.sm2.policy import Policy, Trace
from workbench.contract import UserError

LONGEST = 160
"""Most source tokens of a sentence whose states are all kept: their number grows with the square (our default)."""

SPAN, FREE = (0.02, 0.9999), 0.3
"""Thresholds between which ranges are spread where there are too many, and the share that may crowd at the beginning
(our defaults)."""


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
    """One source sentence with its states. ``computed`` counts the target prefixes that were looked at.

    Every source prefix is a row with an encoding of its own, so a target prefix that grows by a token needs the new
    position only: keys and values of the last ``path`` stay, and those of a beginning that it shares with the next."""

    def __init__(self, model: Sm2, source: Sequence[int]) -> None:
        check(model, [source], Policy("full"))
        if len(source) > LONGEST:
            raise UserError(f"The sentence has {len(source)} tokens; the states of at most {LONGEST} are kept.",
                            advice="Split it into shorter sentences.")
        self.model, self.source, self.size, self.computed = model.eval(), tuple(source), len(source), 0
        device = model.embedding.weight.device
        self.there = torch.ones(self.size, self.size, dtype=torch.bool, device=device).tril()
        ids = torch.tensor([self.source], device=device).expand(self.size, -1).masked_fill(~self.there, model.shape.pad)
        with torch.inference_mode():
            self.encoded = model.encode(ids, self.there)
            self.cross = model.cross_keys(self.encoded)
        self.path: list[int] = []
        self.own: list[tuple[Tensor, Tensor]] = []
        self.columns: dict[tuple[int, ...], Column] = {}
        self.grids: dict[tuple[int, ...], list[list[float]]] = {}

    def column(self, written: tuple[int, ...]) -> Column:
        """What every source prefix makes of a target prefix."""
        if written not in self.columns:
            with torch.inference_mode():
                states, shape = self._after([self.model.shape.begin, *written]), self.model.shape
                tokens, others = (likeliest(states.logits[:, 0], shape, [endless] * self.size).tolist()
                                  for endless in (False, True))
                self.columns[written] = Column(tuple(tokens), tuple(others),
                                               tuple(states.confidence[:, 0].sigmoid().tolist()))
            self.computed += 1
        return self.columns[written]

    def _after(self, tokens: list[int]) -> States:
        """The states at the last of these target inputs, which may share their beginning with the last ones."""
        self._room(len(tokens))
        same = next((i for i, (one, two) in enumerate(zip(self.path, tokens, strict=False)) if one != two),
                    min(len(self.path), len(tokens)))
        rows = torch.ones(self.size, dtype=torch.long, device=self.encoded.device)
        for place in range(min(same, len(tokens) - 1), len(tokens)):
            own = [(key[:, :, :place + 1], value[:, :, :place + 1]) for key, value in self.own]
            states: States = self.model.step(tokens[place] * rows, place * rows, Cache(own, self.cross, self.there))
        self.path = tokens
        return states

    def _room(self, length: int) -> None:
        """Room for the keys and values of so many target positions."""
        old = self.own[0][0].shape[2] if self.own else 0
        if length > old:
            shape = self.model.shape
            more = torch.zeros(self.size, shape.heads, max(length, 16), shape.width // shape.heads,
                               dtype=self.encoded.dtype, device=self.encoded.device)
            self.own = [(torch.cat([key, more], 2), torch.cat([value, more], 2)) for key, value in self.own] or [
                (more.clone(), more.clone()) for _ in range(shape.decoder_layers)]

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

        A translation holds above the highest confidence that was too low, up to the lowest one that was good enough,
        of those met while source was left. At most ``most`` ranges are made: where a sentence has more, thresholds are
        skipped evenly by their log odds, and the last range still reaches 1."""
        policy = policy or Policy()
        found: list[Range] = []
        threshold = 1e-6
        while len(found) < most:
            trace = self.trace(dataclasses.replace(policy, kind="sm2", threshold=threshold))
            met = [c for c, left in zip(trace.confidence, _left(trace), strict=True) if c is not None and left]
            high = min((c for c in met if c >= threshold), default=1.0)
            found.append(Range(max((c for c in met if c < threshold), default=0.0), min(1.0, high), trace))
            if high >= 1.0:
                break
            threshold = min(1.0, max(math.nextafter(high, 2.0), _due(len(found) + 1, most)))
        return found

    def grid(self, target: Sequence[int]) -> list[list[float]]:
        """c_ij (target tokens, source prefixes) with this target, its end token included if it has one."""
        key = tuple(target)
        rows = [self.columns[key[:place]].confidence for place in range(len(key)) if key[:place] in self.columns]
        if key not in self.grids and len(rows) == len(key):
            self.grids[key] = [list(row) for row in rows]
        elif key not in self.grids:
            device = self.encoded.device
            inputs = torch.tensor([[self.model.shape.begin, *target[:-1]]], device=device).expand(self.size, -1)
            with torch.inference_mode():
                states = self.model.decode(inputs, self.encoded, self.there)
            self.grids[key] = states.confidence.sigmoid().T.tolist()
        return self.grids[key]


def whole(ranges: Sequence[Range]) -> bool:
    """Whether ranges hold every threshold from 0 to 1."""
    ends = [0.0, *(one.high for one in ranges)]
    return ends[-1] >= 1.0 and all(one.low <= end for one, end in zip(ranges, ends, strict=False))


def _due(number: int, most: int) -> float:
    """The threshold that the range of this number must not fall behind: nothing for the first :data:`FREE` of all,
    then evenly up to 1 for the last."""
    if number >= most:
        return 1.0
    share = (number / most - FREE) / (1 - FREE)
    low, high = (math.log(t / (1 - t)) for t in SPAN)
    return 0.0 if share <= 0 else 1 / (1 + math.exp(-(low + share * (high - low))))


def _left(trace: Trace) -> list[bool]:
    """For each action, whether source was left when it was decided."""
    read, found = 0, []
    for action in trace.actions:
        found.append(read < trace.size)
        read += action == "R"
    return found
