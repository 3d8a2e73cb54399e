"""The training loop: one process, or several under ``accelerate launch``; killed and continued, or not at all.

Each step takes ``batch`` examples from :class:`~backends.common.training.batches.Order`, which every process computes
for itself; process r takes every ``world``-th. The loss is divided by the number of replies of the *whole* step, which
all know without asking, and gradients are averaged once a step, so the number of processes and the size of the micro
batches change nothing but rounding. FSDP's sharded states are not handled: several GPUs each hold the model.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from backends.common.training import checkpoint
from backends.common.training.batches import Order, collate, micro_batches
from backends.common.training.examples import LEARNED, Example
from backends.common.training.measure import measure, perplexity
from backends.common.training.objective import Objective, Sums, loss_of
from backends.common.training.plan import Evaluation, Fitted, Plan, Progress
from backends.common.training.schedule import warm_cosine
from backends.common.training.weights import Trainee, groups, restore, snapshot
from workbench.contract import Context, MissingResource, UserError
from workbench.fields import from_json, to_json

SAVE_SECONDS = 60.0
PRIME = 1_000_003


class Fit:
    """One run of :func:`fit`. ``sources`` are lists of examples that are mixed by ``plan.weights``."""

    def __init__(self, trainee: Trainee, sources: Sequence[Sequence[Example]], held_out: Sequence[Example], plan: Plan,
                 context: Context, accelerator: Any, name: str) -> None:
        self.trainee, self.sources, self.held_out = trainee, sources, held_out
        self.plan, self.context, self.accelerator = plan, context, accelerator
        self.order = Order(tuple(map(len, sources)), plan.weights, plan.batch, plan.seed, context.generator)
        self.total = plan.max_steps or max(1, math.ceil(plan.epochs * self.order.steps))
        self.folder = context.run / "checkpoints"
        self.fingerprint = checkpoint.fingerprint([to_json(plan), name, _digest(sources), _digest([held_out])])
        self.plain = Objective(trainee.model)
        self.objective, self.optimizer = accelerator.prepare(
            self.plain, torch.optim.AdamW(groups(trainee, plan.weight_decay), lr=plan.learning_rate))
        self.progress = Progress()
        self.best: dict[str, torch.Tensor] = {}
        self.saved_at = time.monotonic()

    def run(self) -> Fitted:
        """Train to the end, from the newest checkpoint if there is one."""
        began, tokens = time.monotonic(), 0
        self._resume()
        resumed = self.progress.step
        if not self.progress.evaluations:
            self._evaluate(0)
        while self.progress.step < self.total:
            tokens += self._step(self.progress.step)
            done = self.progress.step
            if self._due(done, self.plan.evaluate_every or self.order.steps):
                self._evaluate(done)
            if self._save_now(done):
                self._save()
        if self.best and self.plan.keep == "best":
            restore(self.trainee, self.best)
        p = self.progress
        kept = p.best_step if self.best and self.plan.keep == "best" else p.step
        return Fitted(p.step, resumed, p.first, p.last, p.evaluations, kept, tokens, time.monotonic() - began)

    def _due(self, done: int, every: int) -> bool:
        return done == self.total or done % every == 0

    def _save_now(self, done: int) -> bool:
        late = self.context.world == 1 and time.monotonic() - self.saved_at >= SAVE_SECONDS
        return self._due(done, self.plan.save_every or self.order.steps) or (not self.plan.save_every and late)

    def _step(self, step: int) -> int:
        """One optimizer step; returns the tokens this process went through."""
        plan, context, began = self.plan, self.context, time.monotonic()
        chosen = [self.sources[source][place] for source, place in self.order.at(step)]
        count = _count(chosen, plan)
        mine = chosen[context.rank::context.world]
        factor = warm_cosine(step, self.total, plan.warmup, plan.floor)
        for group in self.optimizer.param_groups:
            group["lr"] = plan.learning_rate * factor
        torch.manual_seed((plan.seed * PRIME + step) * PRIME + context.rank)
        sums, tokens = self._gradients(mine or chosen[:1], 1.0 if mine else 0.0, count, step)
        norm = self.accelerator.clip_grad_norm_(list(self.trainee.trained().values()), plan.clip or math.inf)
        self.optimizer.step()
        self.optimizer.zero_grad()
        whole = self._together(sums)
        loss = (plan.head_weight * whole.head + whole.rest) / count
        if not math.isfinite(loss):
            raise UserError(f"The loss of step {step + 1} is {loss}: training has come apart.",
                            advice="Choose a smaller learning rate, more warm-up, or float32.")
        first = self.progress.first if step else loss
        self.progress = dataclasses.replace(self.progress, step=step + 1, first=first, last=loss)
        seconds = max(1e-9, time.monotonic() - began)
        self._say(step + 1, loss=loss, learning_rate=plan.learning_rate * factor, gradient_norm=float(norm),
                  tokens_per_second=tokens / seconds, **_means(whole))
        speed = f"{tokens / seconds:.0f} tokens a second"
        context.report(step + 1, self.total, f"step {step + 1}, loss {loss:.3f}, {speed}")
        return tokens

    def _gradients(self, examples: Sequence[Example], share: float, count: float, step: int) -> tuple[Sums, int]:
        """Backward over the micro batches; gradients travel between processes with the last one only.

        A process without an example in a short last batch goes through one with weight 0, because all must meet."""
        sums, tokens = Sums(), 0
        parts = micro_batches(examples, self.plan.micro_tokens)
        for number, group in enumerate(parts):
            last = number == len(parts) - 1
            quiet = contextlib.nullcontext() if last else self.accelerator.no_sync(self.objective)
            batch = collate(group, self.trainee.tokenizer.pad_token_id).to(self.accelerator.device)
            with quiet:
                with self._precision():
                    values = self.objective(batch)
                loss = loss_of(values, self.plan.head_weight, count) * share * self.context.world
                self.accelerator.backward(loss)
            if share:
                sums += Sums.of(values.detach(), sum(e.replies for e in group))
                tokens += sum(len(e.ids) for e in group)
            self.context.report(step, self.total, f"step {step + 1}, part {number + 1} of {len(parts)}")
        return sums, tokens

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.plan.precision == "float32":
            return contextlib.nullcontext()
        cast: contextlib.AbstractContextManager[Any] = torch.autocast(self.accelerator.device.type, torch.bfloat16)
        return cast

    def _together(self, sums: Sums) -> Sums:
        """The sums of all processes."""
        if self.context.world == 1:
            return sums
        values = torch.tensor([float(v) for v in dataclasses.astuple(sums)], dtype=torch.float64,
                              device=self.accelerator.device)
        head, rest, *counts = self.accelerator.reduce(values, "sum").tolist()
        return Sums(head, rest, *(round(c) for c in counts))

    def _evaluate(self, done: int) -> None:
        if not self.held_out:
            return
        mine = self.held_out[self.context.rank::self.context.world]
        with self._precision():
            sums = self._together(measure(self.plain, mine, self.plan.micro_tokens, self.accelerator.device,
                                          lambda: self.context.report(done, self.total, "measuring held-out replies")))
        found = Evaluation(done, sums)
        earlier = [self._score(e.sums) for e in self.progress.evaluations]
        better = not earlier or self._score(sums) < min(earlier)
        self.progress = dataclasses.replace(self.progress, evaluations=(*self.progress.evaluations, found),
                                            best_step=done if better else self.progress.best_step)
        if better and self.plan.keep == "best":
            self.best = snapshot(self.trainee)
        self._say(done, **{f"held_out_{name}": value for name, value in _means(sums).items()},
                  held_out_perplexity=perplexity(sums.rest, sums.rest_tokens))

    def _score(self, sums: Sums) -> float:
        return (self.plan.head_weight * sums.head + sums.rest) / max(1, sums.replies)

    def _say(self, step: int, **values: float) -> None:
        self.context.metric(step, **values)
        self.accelerator.log(values, step=step)

    def _save(self) -> None:
        if self.context.rank == 0:
            names = {id(p): name for name, p in self.trainee.trained().items()}
            state = {**to_json(self.progress), "plan": self.fingerprint}
            checkpoint.save(self.folder, snapshot(self.trainee),
                            checkpoint.optimizer_tensors(_bare(self.optimizer), names), state, self.best)
        self.accelerator.wait_for_everyone()
        self.saved_at = time.monotonic()

    def _resume(self) -> None:
        saved = checkpoint.latest(self.folder, self.fingerprint)
        if saved is None:
            return
        restore(self.trainee, saved.weights)
        checkpoint.restore_optimizer(_bare(self.optimizer), saved.optimizer, self.trainee.trained())
        self.progress = from_json(Progress, {k: v for k, v in saved.state.items() if k != "plan"})
        self.best = saved.best


def _bare(optimizer: Any) -> torch.optim.Optimizer:
    """The torch optimizer inside accelerate's."""
    inner: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
    return inner


def _count(examples: Sequence[Example], plan: Plan) -> float:
    if plan.loss_per == "reply":
        return float(sum(example.replies for example in examples))
    return float(max(1, sum(kind in LEARNED for example in examples for kind in example.kinds[1:])))


def _means(sums: Sums) -> dict[str, float]:
    """What the curves show: nats a reply for the head (only where heads are learned), nats a token for the rest."""
    found = {"response_loss": sums.rest / max(1, sums.rest_tokens)}
    return {"strategy_loss": sums.head / max(1, sums.replies), **found} if sums.head_tokens else found


def _digest(sources: Sequence[Sequence[Example]]) -> str:
    return checkpoint.fingerprint([[[e.name, e.ids, e.kinds] for e in source] for source in sources])


@contextlib.contextmanager
def accelerated(context: Context, tracker: str, project: str, config: Mapping[str, Any]) -> Iterator[Any]:
    """Accelerate's view of this process: device, wrapping, trackers. Ends trackers and the process group."""
    from accelerate import Accelerator, DistributedDataParallelKwargs

    if tracker and find_spec(tracker) is None:
        raise MissingResource(f"The tracker {tracker} is not installed.",
                              advice=f"Install it (pip install {tracker}), or train without a tracker: the curves are "
                                     "in the run either way.")
    # processes may have different numbers of micro batches, so a forward pass must not wait for the others
    alone = DistributedDataParallelKwargs(broadcast_buffers=False)
    accelerator = Accelerator(cpu=context.device == "cpu", log_with=tracker or None, kwargs_handlers=[alone],
                              project_dir=Path(context.run) / "trackers" if tracker else None)
    if accelerator.num_processes != context.world:
        raise UserError(f"This run has {context.world} processes but {accelerator.num_processes} found each other.",
                        advice="Start it again; under accelerate launch every process must reach the first one.")
    if tracker:
        accelerator.init_trackers(project, config={k: v for k, v in config.items() if isinstance(v, int | float | str)})
    try:
        with torch.random.fork_rng(devices=[]):
            yield accelerator
    finally:
        accelerator.end_training()
        if context.world > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def fit(trainee: Trainee, sources: Sequence[Sequence[Example]], held_out: Sequence[Example], plan: Plan,
        context: Context, accelerator: Any, name: str = "") -> Fitted:
    """Train and return how it went; the trainee then holds the last or the best weights. ``name`` is whatever else
    must be the same for a checkpoint to be gone on from (the model's checksum, say).

    Raises ``UserError`` without a reply to learn, with fewer examples a step than processes, for a checkpoint of other
    settings, and for a loss that is no number; passes ``Cancelled`` from ``context.report``."""
    if not any(example.learned for source in sources for example in source):
        raise UserError("There is no reply to learn from in the data.",
                        advice="Check that it has supporter turns, with strategies where they are to be learned.")
    if plan.batch < context.world:
        raise UserError(f"batch is {plan.batch}; it must be at least the number of processes, {context.world}.")
    return Fit(trainee, sources, held_out, plan, context, accelerator, name).run()
