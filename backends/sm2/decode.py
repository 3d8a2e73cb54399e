"""Simultaneous greedy decoding: many sentences at once with kept states, and one at a time as the authors do it.

Both make the same decisions. The plain loop encodes the prefix and decodes the whole target prefix again for every
single state. The batched one keeps, for every sentence, keys and values of source and target: after a WRITE one token
is added (:meth:`Sm2.step`), and only sentences that have READ compute their states again, all of them in one pass.
Sentences stand at different places of source and target; none waits for another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from backends.sm2.data import padded
from backends.sm2.model import Cache, Shape, Sm2
from backends.sm2.policy import Policy, Trace
from workbench.contract import UserError

Tick = Callable[[], None]
ROWS = 128


class Rows:
    """A batch of sentences in the middle of their translation. A sentence has a row here while it is not finished;
    ``names`` says which sentence a row is, ``found`` has the traces of those that are."""

    def __init__(self, model: Sm2, sources: Sequence[Sequence[int]], policy: Policy) -> None:
        shape, device = model.shape, model.embedding.weight.device
        self.model, self.policy = model, policy
        self.sizes = [len(source) for source in sources]
        self.source = padded(sources, shape.pad)[0].to(device)
        count = len(sources)
        self.limits = [min(policy.longest(size), shape.positions - 1) for size in self.sizes]
        width = max(self.limits) + 1
        self.tokens = torch.full((count, width), shape.pad, device=device)
        self.tokens[:, 0] = shape.begin
        self.read, self.written, self.stale = [0] * count, [0] * count, [True] * count
        self.output: list[list[int]] = [[] for _ in sources]
        self.actions: list[list[str]] = [[] for _ in sources]
        self.sure: list[list[float | None]] = [[] for _ in sources]
        self.names, self.active, self.found = list(range(count)), list(range(count)), dict[int, Trace]()
        size = shape.width // shape.heads
        layers = range(shape.decoder_layers)
        dtype = model.embedding.weight.dtype

        def room(length: int) -> list[tuple[Tensor, Tensor]]:
            return [(torch.zeros(count, shape.heads, length, size, dtype=dtype, device=device),
                     torch.zeros(count, shape.heads, length, size, dtype=dtype, device=device)) for _ in layers]

        self.own, self.cross = room(width), room(max(self.sizes))

    def advance(self) -> None:
        """One decision for every active sentence."""
        for row in self.active:
            self._read(row, self.policy.least(self.written[row], self.sizes[row]) - self.read[row], None)
        stale = [row for row in self.active if self.stale[row]]
        fresh = [row for row in self.active if not self.stale[row]]
        if stale and self.policy.again:
            self._decide(stale, *self._again(stale))
        elif stale:
            self._reach(stale)
            fresh = self.active
        if fresh:
            self._decide(fresh, *self._step(fresh))
        done = [row for row in self.active if self._done(row)]
        if done:
            self.found.update({self.names[row]: traced(self.output[row], self.actions[row], self.sure[row],
                                                       self.sizes[row]) for row in done})
            self.active = [row for row in self.active if not self._done(row)]
            if self.active and 4 * len(self.active) <= 3 * len(self.names):
                self._shrink()

    def _shrink(self) -> None:
        """Keep only the rows that are active, so that the others cost nothing any more."""
        rows = self.active
        for name in ("sizes", "limits", "read", "written", "stale", "output", "actions", "sure", "names"):
            held: list[Any] = getattr(self, name)
            setattr(self, name, [held[row] for row in rows])
        place = torch.tensor(rows, device=self.tokens.device)
        self.source, self.tokens = self.source[place], self.tokens[place]
        self.own = [(key[place], value[place]) for key, value in self.own]
        self.cross = [(key[place], value[place]) for key, value in self.cross]
        self.active = list(range(len(rows)))

    def _read(self, row: int, count: int, confidence: float | None) -> None:
        if count > 0:
            self.read[row] += count
            self.stale[row] = True
            self.actions[row] += "R" * count
            self.sure[row] += [confidence] * count

    def _prefixes(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Encoder states and mask of what these sentences have read; the rest is not there as ids either."""
        sizes = torch.tensor([self.read[row] for row in rows], device=self.source.device)
        width = int(sizes.max())
        there = torch.arange(width, device=sizes.device) < sizes[:, None]
        ids = self.source[rows, :width].masked_fill(~there, self.model.shape.pad)
        return self.model.encode(ids, there), there

    def _again(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """All states anew with the prefixes as they are now."""
        encoded, there = self._prefixes(rows)
        at = torch.tensor([self.written[row] for row in rows], device=encoded.device)
        width = int(at.max()) + 1
        states, cache = self.model.prefill(self.tokens[rows, :width], encoded, there, at)
        place = torch.tensor(rows, device=encoded.device)
        for number, (own, cross) in enumerate(zip(cache.own, cache.cross, strict=True)):
            for kind in (0, 1):
                self.own[number][kind][place, :, :width] = own[kind]
                self.cross[number][kind][place, :, :there.shape[1]] = cross[kind]
        return states.logits[:, 0], states.confidence[:, 0]

    def _reach(self, rows: Sequence[int]) -> None:
        """New source, old states: only the keys of the source are made."""
        encoded, there = self._prefixes(rows)
        place = torch.tensor(rows, device=encoded.device)
        for number, cross in enumerate(self.model.cross_keys(encoded)):
            for kind in (0, 1):
                self.cross[number][kind][place, :, :there.shape[1]] = cross[kind]
        for row in rows:
            self.stale[row] = False

    def _step(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The states of the newest tokens.

        When most rows take part all of them are computed, on the kept states where they lie; what the others get is
        not looked at: they are finished, or this very state is computed again when their turn comes."""
        most = 4 * len(rows) >= 3 * len(self.names)
        chosen = range(len(self.names)) if most else rows
        device = self.tokens.device
        at = torch.tensor([self.written[row] for row in chosen], device=device)
        read = torch.tensor([self.read[row] for row in chosen], device=device)
        width, wide = int(at.max()) + 1, int(read.max())
        place = torch.tensor(chosen, device=device)
        there = torch.arange(wide, device=device) < read[:, None]

        def part(kept: list[tuple[Tensor, Tensor]], length: int) -> list[tuple[Tensor, Tensor]]:
            views = [(key[:, :, :length], value[:, :, :length]) for key, value in kept]
            return views if most else [(key[place], value[place]) for key, value in views]

        own = part(self.own, width)
        states = self.model.step(self.tokens[place, at], at, Cache(own, part(self.cross, wide), there))
        if most:
            picked = torch.tensor(rows, device=device)
            return states.logits[picked, 0], states.confidence[picked, 0]
        each = torch.arange(len(rows), device=device)
        for kept, made in zip(self.own, own, strict=True):
            for kind in (0, 1):
                kept[kind][place, :, at] = made[kind][each, :, at]
        return states.logits[:, 0], states.confidence[:, 0]

    def _decide(self, rows: Sequence[int], logits: Tensor, confidence: Tensor) -> None:
        early = [self.policy.forbid_early_end and self.read[row] < self.sizes[row] for row in rows]
        tokens, sure = likeliest(logits, self.model.shape, early).tolist(), confidence.sigmoid().tolist()
        wrote = []
        for row, token, c in zip(rows, tokens, sure, strict=True):
            self.stale[row] = False
            if self.read[row] < self.sizes[row] and not self.policy.writes(c):
                self._read(row, 1, c)
                continue
            self.written[row] += 1
            self.output[row].append(token)
            self.actions[row].append("W")
            self.sure[row].append(c)
            wrote.append((row, self.written[row], token))
        if wrote:
            row, place, token = torch.tensor(wrote, device=self.tokens.device).T
            self.tokens[row, place] = token

    def _done(self, row: int) -> bool:
        output = self.output[row]
        return len(output) >= self.limits[row] or (self.actions[row][-1] == "W" and output[-1] == self.model.shape.end)


def likeliest(logits: Tensor, shape: Shape, endless: Sequence[bool]) -> Tensor:
    """The likeliest token of each row of (B, V) logits; never the padding (as in fairseq; Marian's checkpoints give it
    weight), and where ``endless`` not the end token. What is barred is set to -inf in ``logits`` itself."""
    logits[:, shape.pad] = -torch.inf
    if any(endless):
        logits[torch.tensor(endless, device=logits.device), shape.end] = -torch.inf
    return logits.argmax(-1)


def traced(tokens: Sequence[int], actions: Sequence[str], sure: Sequence[float | None], size: int) -> Trace:
    """A trace of raw lists."""
    read, delays = 0, []
    for action in actions:
        read += action == "R"
        if action == "W":
            delays.append(read)
    return Trace(tuple(tokens), tuple(delays), "".join(actions), tuple(sure), size)


def translate(model: Sm2, sources: Sequence[Sequence[int]], policy: Policy, rows: int = ROWS,
              tick: Tick = lambda: None) -> list[Trace]:
    """Translate source ids (each with its end token), ``rows`` at a time with like lengths together; in order.

    ``tick`` is called after every decision. Raises ``UserError`` for an empty source, and for ``multipath`` with a
    model whose encoder looks both ways."""
    check(model, sources, policy)
    was, found = model.training, dict[int, Trace]()
    model.eval()
    try:
        with torch.inference_mode():
            order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
            for start in range(0, len(order), rows):
                places = order[start:start + rows]
                batch = Rows(model, [sources[i] for i in places], policy)
                while batch.active:
                    batch.advance()
                    tick()
                found.update({place: batch.found[number] for number, place in enumerate(places)})
    finally:
        model.train(was)
    return [found[i] for i in range(len(sources))]


def translate_plainly(model: Sm2, source: Sequence[int], policy: Policy) -> Trace:
    """One sentence without any kept state, as the authors' loop: encode the prefix, decode the whole target prefix,
    look at its last position; for every state again. (``multipath`` keeps every position's own prefix.)"""
    check(model, [source], policy)
    was, shape, size = model.training, model.shape, len(source)
    device = model.embedding.weight.device
    model.eval()
    read, tokens, actions = 0, [shape.begin], list[str]()
    sure: list[float | None] = []
    prefixes: list[int] = []
    try:
        with torch.inference_mode():
            while len(tokens) - 1 < min(policy.longest(size), shape.positions - 1):
                least = max(0, policy.least(len(tokens) - 1, size) - read)
                read, actions, sure = read + least, [*actions, *"R" * least], [*sure, *[None] * least]
                logits, confidence = _last(model, source[:read], tokens, [*prefixes, read], policy, device)
                c = float(confidence.sigmoid())
                sure.append(c)
                if read < size and not policy.writes(c):
                    read += 1
                    actions.append("R")
                    continue
                actions.append("W")
                prefixes.append(read)
                tokens.append(int(likeliest(logits[None], shape, [policy.forbid_early_end and prefixes[-1] < size])[0]))
                if tokens[-1] == shape.end:
                    break
    finally:
        model.train(was)
    return traced(tokens[1:], actions, sure, size)


def _last(model: Sm2, source: Sequence[int], tokens: Sequence[int], prefixes: Sequence[int], policy: Policy,
          device: torch.device) -> tuple[Tensor, Tensor]:
    ids = torch.tensor([source], device=device)
    there = torch.ones_like(ids, dtype=torch.bool)
    encoded = model.encode(ids, there)
    if not policy.again:
        each = torch.tensor(prefixes, device=device)
        there = (torch.arange(len(source), device=device) < each[:, None])[None]
    states = model.decode(torch.tensor([tokens], device=device), encoded, there)
    return states.logits[0, -1], states.confidence[0, -1]


def check(model: Sm2, sources: Sequence[Sequence[int]], policy: Policy) -> None:
    """Refuse what cannot be translated, before any of it is. Raises ``UserError`` naming the sentence."""
    for number, source in enumerate(sources, 1):
        which = f"Sentence {number:,}" if len(sources) > 1 else "The sentence"
        if not source:
            raise UserError(f"{which} has no token.", advice="Leave empty lines out, or give text.")
        if len(source) > model.shape.positions:
            raise UserError(f"{which} has {len(source):,} tokens; this model takes {model.shape.positions:,}.",
                            advice="Split it into shorter sentences.")
    if policy.kind == "multipath" and not model.shape.causal_encoder:
        raise UserError("multi-path wait-k keeps states while source is added, which needs a model with a causal "
                        "encoder; this one looks both ways.",
                        advice="Take wait-k, or a model trained with encoder 'causal'.")
