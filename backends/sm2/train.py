"""The task ``sm2.train.v1``: pairs in, a simultaneous translator out; from scratch or from an offline model.

A step is a batch of pairs of similar length; its prefix lengths, its dropout and its place in the data are functions of
(seed, step), so a killed run that goes on from its newest checkpoint ends at the same weights. With several processes
each takes every n-th pair of the step, and sums are divided by the target tokens of the whole step.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from typing import Any

import torch

from backends.common.training import checkpoint
from backends.common.training.schedule import warm_cosine
from backends.sm2.corpora import Parallel, read_parallel, synthetic, words_of
from backends.sm2.data import Order, Pair, clean, collate
from backends.sm2.model import Shape, Sm2
from backends.sm2.objective import Objective, Weights, sample_prefix
from backends.sm2.order_language import Language
from backends.sm2.requests import Held, TrainRequest, TrainResult
from backends.sm2.storage import Translator, open_translator, save_translator
from backends.sm2.train_card import card, facts
from backends.sm2.translate import model_folder
from backends.sm2.vocabulary import learn
from workbench.contract import Context, UserError
from workbench.fields import from_json, to_json

PRIME = 1_000_003
SAVE_SECONDS = 60.0
SUMS = 6


def run(request: TrainRequest, context: Context) -> TrainResult:
    """Train as asked. Raises ``UserError`` for data or settings that cannot work, ``Cancelled`` when asked to end."""
    from backends.common.training.fit import accelerated

    context.report(0, 0, "reading the pairs")
    text = read(request, context)
    with accelerated(context, "", "sm2", {}) as accelerator:
        torch.manual_seed(request.seed)
        translator = opened(request, text, context)
        pairs, left_out = encoded(request, translator, text, context)
        fit = Training(request, translator, pairs, context, accelerator)
        result = fit.run(left_out)
        if context.rank == 0:
            out = context.run / "artifacts" / "model"
            save_translator(translator, out, card(request, result), facts(request, result), request.half)
            context.artifact("model", out, "model")
            context.artifact("model-card.md", out / "README.md", "text")
        accelerator.wait_for_everyone()
    return result


def read(request: TrainRequest, context: Context) -> Parallel:
    """The pairs that are asked for."""
    if not request.source:
        return synthetic(Language(), request.pairs, request.seed, context)
    text = read_parallel(request.source, request.target, request.swap, context)
    if request.pairs and request.pairs < len(text.source):
        chosen = sorted(context.generator(request.seed).sample(range(len(text.source)), request.pairs))
        return Parallel(tuple(text.source[i] for i in chosen), tuple(text.target[i] for i in chosen), text.notes)
    return text


def opened(request: TrainRequest, text: Parallel, context: Context) -> Translator:
    """The model to begin with: a new one with a vocabulary learned from the pairs, or the one that is named."""
    if request.start:
        found = open_translator(model_folder(request.start, context))
        for module in found.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = request.dropout
        return Translator(found.model, found.vocabulary, request.objective == "sm2", request.objective, request.name)
    context.report(0, 0, "learning the vocabulary")
    vocabulary = learn([*text.source, *text.target], request.vocabulary) if request.source else words_of(Language())
    shape = Shape(vocabulary.size, request.width, request.heads, request.inner, request.layers, request.layers,
                  request.dropout, causal_encoder=request.encoder == "causal", positions=max(256, 2 * request.longest))
    return Translator(Sm2(shape), vocabulary, request.objective == "sm2", request.objective, request.name)


def encoded(request: TrainRequest, translator: Translator, text: Parallel, context: Context) -> tuple[list[Pair], int]:
    """All pairs as ids, and how many were left out."""
    pairs = []
    for number, (source, target) in enumerate(zip(text.source, text.target, strict=True)):
        if number % 1000 == 0:
            context.report(0, 0, f"{number:,} of {len(text.source):,} pairs as tokens")
        pairs.append(Pair(tuple(translator.vocabulary.encode(source)),
                          tuple(translator.vocabulary.encode(target, target=True))))
    return clean(pairs, min(request.longest, translator.model.shape.positions - 1))


class Training:
    """One run. What it remembers besides weights is in ``state`` and goes into the checkpoints."""

    def __init__(self, request: TrainRequest, translator: Translator, pairs: list[Pair], context: Context,
                 accelerator: Any) -> None:
        self.request, self.context, self.accelerator = request, context, accelerator
        self.model = translator.model
        places = list(range(len(pairs)))
        context.generator(request.seed).shuffle(places)
        count = min(request.held_out, len(pairs) // 10)
        self.held = [pairs[i] for i in places[:count]]
        self.pairs = [pairs[i] for i in sorted(places[count:])]
        lengths = tuple(max(len(pair.source), len(pair.target)) for pair in self.pairs)
        self.order = Order(lengths, request.tokens, request.seed, context.generator)
        self.plain = Objective(self.model, request.objective,
                               Weights(request.alpha, request.smoothing, request.detach_omt))
        self.objective, self.optimizer = accelerator.prepare(self.plain, torch.optim.Adam(
            self.model.parameters(), lr=request.learning_rate, betas=(0.9, 0.98), eps=1e-9))
        self.total = request.max_steps or self._steps()
        self.folder = context.run / "checkpoints"
        self.name = checkpoint.fingerprint([to_json(request), [[p.source, p.target] for p in pairs]])
        self.state: dict[str, Any] = {"step": 0, "first": 0.0, "last": 0.0, "averaged": 0, "held": []}
        self.mean: dict[str, torch.Tensor] = {}

    def _steps(self) -> int:
        whole, part = divmod(self.request.epochs, 1)
        steps = sum(len(self.order.epoch(n)) for n in range(int(whole)))
        return max(1, steps + round(part * len(self.order.epoch(int(whole)))))

    def batches(self, first: int) -> Iterator[list[int]]:
        """The batches from step ``first`` on."""
        step, number = 0, 0
        while True:
            epoch = self.order.epoch(number)
            yield from epoch[max(0, first - step):]
            step, number = step + len(epoch), number + 1

    def run(self, left_out: int) -> TrainResult:
        """Train to the end, from the newest checkpoint if there is one."""
        began, saved, tokens = time.monotonic(), time.monotonic(), 0
        self._resume()
        request = self.request
        self.model.train()
        batches = self.batches(int(self.state["step"]))
        while self.state["step"] < self.total:
            tokens += self._step(next(batches))
            done = self.state["step"]
            if done == self.total or (request.evaluate_every and done % request.evaluate_every == 0):
                self._measure()
            late = not request.save_every and time.monotonic() - saved >= SAVE_SECONDS and self.context.world == 1
            if done < self.total and (late or (request.save_every and done % request.save_every == 0)):
                self._save()
                saved = time.monotonic()
        if self.mean:
            self.model.load_state_dict({name: value.to(self.model.embedding.weight) for name, value in
                                        self.mean.items()})
        seconds = time.monotonic() - began
        return TrainResult(str(self.context.run / "artifacts" / "model"), self.total, len(self.pairs), len(self.held),
                           left_out, sum(p.numel() for p in self.model.parameters()), self.model.shape.vocabulary,
                           self.state["first"], self.state["last"],
                           tuple(from_json(Held, held) for held in self.state["held"]), round(seconds, 2),
                           round(tokens / max(1e-9, seconds), 1))

    def rate(self, step: int) -> float:
        """Factor of the learning rate of step ``step`` (from 0): w = ``warmup`` steps of rise, then sqrt(w / step) or a
        half cosine to a fiftieth."""
        warm = min(self.request.warmup, self.total)
        if self.request.schedule == "cosine":
            return warm_cosine(step, self.total, warm / self.total, 0.02)
        return min((step + 1) / warm, math.sqrt(warm / (step + 1)))

    def prefix(self, lengths: list[int], step: int) -> list[int]:
        """Prefix lengths of a step; for wait-k paths one k for all, up to the longest source."""
        generator = self.context.generator((self.request.seed * PRIME + step) * PRIME + 7)
        if self.request.objective == "multipath":
            return [generator.randint(1, max(lengths))] * len(lengths)
        return sample_prefix(lengths, self.request.prefix == "sentence", generator)

    def _step(self, places: list[int]) -> int:
        request, context, step = self.request, self.context, int(self.state["step"])
        chosen = [self.pairs[i] for i in places]
        prefix = self.prefix([len(pair.source) for pair in chosen], step)
        mine = list(range(len(chosen)))[context.rank::context.world]
        share = 1.0 if mine else 0.0
        mine = mine or [0]
        shape = self.model.shape
        batch = collate([chosen[i] for i in mine], shape.pad, shape.begin).to(self.accelerator.device)
        count = sum(len(pair.target) for pair in chosen)
        for group in self.optimizer.param_groups:
            group["lr"] = request.learning_rate * self.rate(step)
        torch.manual_seed((request.seed * PRIME + step) * PRIME + context.rank)
        began = time.monotonic()
        with self._precision():
            sums = self.objective(batch, [prefix[i] for i in mine])
        self.accelerator.backward(sums[0] * share * context.world / count)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), request.clip or math.inf)
        self.optimizer.step()
        self.optimizer.zero_grad()
        whole = self.accelerator.reduce(sums.detach() * share, "sum") if context.world > 1 else sums.detach()
        loss, full, partial, mixed, sure = (float(value) / count for value in whole[:5])
        if not math.isfinite(loss):
            raise UserError(f"The loss of step {step + 1} is {loss}: training has come apart.",
                            advice="Choose a smaller learning rate, more warm-up, or float32.")
        self.state["first"] = self.state["first"] if step else loss
        self.state.update(step=step + 1, last=loss)
        self._average(step + 1)
        context.metric(step + 1, loss=loss, full=full, prefix=partial, mixed=mixed, confidence=sure,
                       learning_rate=request.learning_rate * self.rate(step), gradient_norm=float(norm),
                       tokens_per_second=count / max(1e-9, time.monotonic() - began))
        context.report(step + 1, self.total, f"step {step + 1}, loss {loss:.3f}, confidence {sure:.2f}")
        return count

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        device = self.accelerator.device.type
        if self.request.precision == "bfloat16" or (self.request.precision == "auto" and device == "cuda"):
            cast: contextlib.AbstractContextManager[Any] = torch.autocast(device, torch.bfloat16)
            return cast
        return contextlib.nullcontext()

    def _average(self, done: int) -> None:
        """Keep the running mean of the weights over the last share of the steps."""
        if done <= self.total * (1 - self.request.average):
            return
        self.state["averaged"] += 1
        count = self.state["averaged"]
        for name, value in self.model.state_dict().items():
            new = value.detach().double().cpu()
            self.mean[name] = new if count == 1 else self.mean[name] + (new - self.mean[name]) / count

    def _measure(self) -> None:
        """Held-out figures; prefixes are the same at every measurement."""
        if not self.held:
            return
        self.model.eval()
        total = torch.zeros(SUMS, dtype=torch.float64)
        generator = self.context.generator(self.request.seed)
        shape = self.model.shape
        with torch.no_grad():
            for start in range(0, len(self.held), 64):
                part = self.held[start:start + 64]
                sizes = [len(pair.source) for pair in part]
                batch = collate(part, shape.pad, shape.begin).to(self.accelerator.device)
                total += self.plain(batch, sample_prefix(sizes, True, generator)).double().cpu()
                self.context.report(self.state["step"], self.total, "measuring held-out pairs")
        self.model.train()
        full, partial, mixed, sure = (float(value / total[5]) for value in total[1:5])
        self.state["held"].append(to_json(Held(self.state["step"], full, partial, mixed, sure)))
        self.context.metric(self.state["step"], held_out_full=full, held_out_prefix=partial)

    def _save(self) -> None:
        if self.context.rank == 0:
            names = {id(p): name for name, p in self.model.named_parameters()}
            inner = getattr(self.optimizer, "optimizer", self.optimizer)
            weights = {name: value.detach().cpu().contiguous() for name, value in self.model.state_dict().items()}
            checkpoint.save(self.folder, weights, checkpoint.optimizer_tensors(inner, names),
                            {**self.state, "plan": self.name}, self.mean)
        self.accelerator.wait_for_everyone()

    def _resume(self) -> None:
        saved = checkpoint.latest(self.folder, self.name)
        if saved is None:
            return
        self.model.load_state_dict(saved.weights)
        inner = getattr(self.optimizer, "optimizer", self.optimizer)
        checkpoint.restore_optimizer(inner, saved.optimizer, dict(self.model.named_parameters()))
        self.state = {key: value for key, value in saved.state.items() if key != "plan"}
        self.mean = saved.best
