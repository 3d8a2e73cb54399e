"""The training loop of both stages: what learns, when it is measured, what is kept, how a killed run goes on.

A step is ``batch`` clips; their order, dropout and the learning rate are functions of (seed, step), so a run that was
cut off goes on from its newest checkpoint to the same weights. Measured on speakers that are not trained on; the
weights of the best measurement are kept. Sums are divided by the response tokens (and emotion weights) of the whole
step, so micro batches and processes change rounding only.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from backends.blsp_emo.clips import Clips
from backends.blsp_emo.lessons import SUMS, Lesson, Pass
from backends.blsp_emo.requests import Held, StageFields
from backends.common.training import checkpoint
from workbench.contract import Context, UserError
from workbench.fields import from_json, to_json

PRIME = 1_000_003
SAVE_SECONDS = 60.0


@dataclass(frozen=True)
class Trained:
    """How a run ended."""

    steps: int
    kept_step: int
    first: float
    last: float
    measured: tuple[Held, ...]
    frozen_same: bool
    seconds: float


class Training:
    """One run. What it remembers besides weights is in ``state`` and goes into the checkpoints."""

    def __init__(self, request: StageFields, one: Pass, parts: Sequence[str], ser_weight: float,
                 train: Sequence[Lesson], held: Sequence[Lesson], clips: Clips, context: Context,
                 accelerator: Any) -> None:
        self.request, self.plain, self.context, self.accelerator = request, one, context, accelerator
        self.train, self.held, self.clips, self.ser_weight = list(train), list(held), clips, ser_weight
        self.parts = tuple(parts)
        self.trained = one.model.train_only(self.parts)
        self.objective, self.optimizer = accelerator.prepare(one, torch.optim.AdamW(
            self._groups(), lr=request.learning_rate, weight_decay=request.weight_decay))
        self.epoch_steps = math.ceil(len(self.train) / request.batch)
        self.total = request.max_steps or max(1, round(request.epochs * self.epoch_steps))
        self.folder = context.run / "checkpoints"
        lessons = [[to_json(one) for one in part] for part in (train, held)]
        self.name = checkpoint.fingerprint([to_json(request), lessons, sorted(self.trained)])
        self.state: dict[str, Any] = {"step": 0, "first": 0.0, "last": 0.0, "best": None, "kept": 0, "worse": 0,
                                      "measured": [], "stopped": False}
        self.best: dict[str, torch.Tensor] = {}

    def _groups(self) -> list[dict[str, Any]]:
        """What learns, the encoder apart: it may take smaller steps than what is new."""
        ears = [p for name, p in self.trained.items() if name.startswith("encoder.")]
        rest = [p for name, p in self.trained.items() if not name.startswith("encoder.")]
        share = getattr(self.request, "encoder_share", 1.0)
        return [{"params": p, "share": s} for p, s in ((ears, share), (rest, 1.0)) if p]

    def run(self) -> Trained:
        """Train to the end, from the newest checkpoint if there is one."""
        began, saved = time.monotonic(), time.monotonic()
        before = self.plain.model.frozen_hash()
        self._resume()
        every = self.request.evaluate_every or self.epoch_steps
        if not self.state["measured"]:
            self._measure()
        while self.state["step"] < self.total and not self.state["stopped"]:
            self._step()
            done = self.state["step"]
            if done == self.total or done % every == 0:
                self._measure()
            late = not self.request.save_every and time.monotonic() - saved >= SAVE_SECONDS and self.context.world == 1
            if done < self.total and (late or (self.request.save_every and done % self.request.save_every == 0)):
                self._save()
                saved = time.monotonic()
        kept = self.state["step"]
        if self.best:
            kept = self.state["kept"]
            with torch.no_grad():
                for name, parameter in self.trained.items():
                    parameter.copy_(self.best[name])
        same = self.plain.model.frozen_hash() == before
        if not same:
            raise RuntimeError("weights that must stay have changed")
        return Trained(self.state["step"], kept, self.state["first"], self.state["last"],
                       tuple(from_json(Held, one) for one in self.state["measured"]), same,
                       round(time.monotonic() - began, 2))

    def rate(self, step: int) -> float:
        """Factor of the learning rate: (step + 1) / w over w = min(warmup, total / 10) steps, then linearly to 0 at the
        end (WarmupDecayLR)."""
        warm = max(1, min(self.request.warmup, self.total // 10))
        return (step + 1) / warm if step < warm else max(0.0, (self.total - step) / max(1, self.total - warm))

    def chosen(self, step: int) -> list[Lesson]:
        """The lessons of a step: every epoch in an order of its own."""
        epoch, place = divmod(step, self.epoch_steps)
        order = list(range(len(self.train)))
        self.context.generator(self.request.seed * PRIME + epoch).shuffle(order)
        return [self.train[i] for i in order[place * self.request.batch:(place + 1) * self.request.batch]]

    def _step(self) -> None:
        request, step = self.request, int(self.state["step"])
        lessons = self.chosen(step)
        tokens, weight = self.plain.counts(lessons)
        mine = lessons[self.context.rank::self.context.world]
        share = 1.0 if mine else 0.0
        mine = mine or lessons[:1]
        for group in self.optimizer.param_groups:
            group["lr"] = request.learning_rate * group["share"] * self.rate(step)
        torch.manual_seed((request.seed * PRIME + step) * PRIME + self.context.rank)
        whole = torch.zeros(SUMS, dtype=torch.float64)
        for start in range(0, len(mine), request.micro):
            part = mine[start:start + request.micro]
            sums = self.objective(part, self.clips.states([one.place for one in part], self._blanked(part, step)))
            loss = sums[0] / tokens + self.ser_weight * sums[1] / max(1e-9, weight)
            self.accelerator.backward(loss * share * self.context.world)
            whole += sums.detach().double().cpu() * share
            self.context.report(step, self.total, f"step {step + 1}, {start + len(part)} of {len(mine)} clips")
        norm = self.accelerator.clip_grad_norm_(list(self.trained.values()), request.clip or math.inf)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.context.world > 1:
            whole = self.accelerator.reduce(whole.to(self.accelerator.device), "sum").cpu()
        response, emotion = float(whole[0]) / tokens, float(whole[1]) / max(1e-9, weight)
        loss_value = response + self.ser_weight * emotion
        if not math.isfinite(loss_value):
            raise UserError(f"The loss of step {step + 1} is {loss_value}: training has come apart.",
                            advice="Choose a smaller learning rate or more warm-up.")
        self.state["first"] = self.state["first"] if step else loss_value
        self.state.update(step=step + 1, last=loss_value)
        self.context.metric(step + 1, loss=loss_value, response=response, emotion=emotion, gradient_norm=float(norm),
                            learning_rate=request.learning_rate * self.rate(step))
        self.context.report(step + 1, self.total, f"step {step + 1}, loss {loss_value:.3f}")

    def _blanked(self, lessons: Sequence[Lesson], step: int) -> list[random.Random]:
        """A generator for each clip, the same however a step is cut into passes; none without SpecAugment."""
        if not self.request.spec_augment:
            return []
        return [self.context.generator((self.request.seed * PRIME + step) * PRIME + one.place) for one in lessons]

    def measured(self, lessons: Sequence[Lesson]) -> Held:
        """Figures on some lessons with the model as it is."""
        self.plain.model.train_only(())
        total = torch.zeros(SUMS, dtype=torch.float64)
        try:
            with torch.no_grad():
                for start in range(0, len(lessons), self.request.micro):
                    part = lessons[start:start + self.request.micro]
                    total += self.plain(part, self.clips.states([one.place for one in part])).double().cpu()
                    self.context.report(self.state["step"], self.total, "measuring validation clips")
        finally:
            self.plain.model.train_only(self.parts)
        tokens, weight = self.plain.counts(lessons)
        labelled = sum(one.emotion >= 0 for one in lessons)
        return Held(int(self.state["step"]), float(total[0]) / max(1.0, tokens), float(total[1]) / max(1e-9, weight),
                    float(total[3]) / labelled if labelled else -1.0)

    def _measure(self) -> None:
        if not self.held:
            return
        found = self.measured(self.held)
        self.state["measured"].append(to_json(found))
        self.context.metric(found.step, held_out_response=found.response, held_out_emotion=found.emotion,
                            held_out_accuracy=found.accuracy)
        score = found.response + self.ser_weight * found.emotion
        if self.state["best"] is None or score < self.state["best"]:
            self.state.update(best=score, kept=found.step, worse=0)
            self.best = {name: value.detach().to("cpu", copy=True) for name, value in self.trained.items()}
        else:
            self.state["worse"] += 1
            self.state["stopped"] = bool(self.request.patience) and self.state["worse"] >= self.request.patience

    def _save(self) -> None:
        if self.context.rank == 0:
            names = {id(parameter): name for name, parameter in self.trained.items()}
            inner = getattr(self.optimizer, "optimizer", self.optimizer)
            weights = {name: value.detach().cpu().contiguous() for name, value in self.trained.items()}
            checkpoint.save(self.folder, weights, checkpoint.optimizer_tensors(inner, names),
                            {**self.state, "plan": self.name}, self.best)
        self.accelerator.wait_for_everyone()

    def _resume(self) -> None:
        saved = checkpoint.latest(self.folder, self.name)
        if saved is None:
            return
        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(saved.weights[name])
        inner = getattr(self.optimizer, "optimizer", self.optimizer)
        checkpoint.restore_optimizer(inner, saved.optimizer, self.trained)
        self.state = {key: value for key, value in saved.state.items() if key != "plan"}
        self.best = saved.best
