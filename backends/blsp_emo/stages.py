"""The tasks ``blsp_emo.stage1.v1`` and ``blsp_emo.stage2.v1``: open the parts, choose clips, train, keep the model."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.blsp_emo.clips import Clips
from backends.blsp_emo.gate import require
from backends.blsp_emo.lessons import Lesson, Pass, divided, lessons_of, shuffled, usable
from backends.blsp_emo.model import BlspEmo
from backends.blsp_emo.plora import PloraShape
from backends.blsp_emo.requests import Stage1Request, Stage2Request, StageFields, StageResult
from backends.blsp_emo.ser import class_weights
from backends.blsp_emo.storage import Setup, base_of, build, load_weights, read_setup, save_model
from backends.blsp_emo.train import Trained, Training
from backends.common.speech.audio import Limits
from backends.common.speech.manifests import Manifest, read_manifest, readable
from backends.common.speech.practice import CONTINUATIONS, EMOTIONAL, located
from workbench.contract import Context, Json, UserError
from workbench.fields import to_json


def stage1(request: Stage1Request, context: Context) -> StageResult:
    """Semantic alignment. Raises ``UserError`` for data that cannot be used or a language model without its gate."""
    setup = Setup(1, base_of(request.model or context.default_model, request.encoder, context), request.bottleneck,
                  request.dropout, request.layer, request.mix, request.padded, name=request.name)
    model = build(setup, context, request.seed)
    one = Pass(model, 1, temperature=request.temperature, official_mask=request.official_mask)
    return _run(request, setup, model, one, ("adapter",), 0.0, context)


def stage2(request: Stage2Request, context: Context) -> StageResult:
    """Emotion alignment, from a model of stage 1 or (as an ablation) from nothing."""
    plora = PloraShape(request.rank, request.alpha, request.lora_dropout) if request.rank else None
    if request.start:
        folder = context.resource(request.start)
        before = read_setup(folder)
        if before.stage != 1:
            raise UserError(f"{folder.name} is a model of stage {before.stage}; stage 2 begins with one of stage 1.")
        model = build(dataclasses.replace(before, dropout=request.dropout), context, request.seed)
        load_weights(model, before, folder)
        setup = dataclasses.replace(before, stage=2, plora=plora, tuned=request.tune_encoder, name=request.name,
                                    dropout=request.dropout)
    else:
        base = base_of(request.model or context.default_model, request.encoder, context)
        setup = Setup(2, base, request.bottleneck, request.dropout, request.layer, request.mix, plora=plora,
                      tuned=request.tune_encoder, name=request.name)
        model = build(dataclasses.replace(setup, plora=None), context, request.seed)
    if plora is not None:
        model.add_plora(plora, request.seed)
    parts = [name for name, used in (("encoder", request.tune_encoder), ("adapter", True), ("plora", plora is not None),
                                     ("head", request.ser_weight > 0)) if used]
    return _run(request, setup, model, Pass(model, 2), parts, request.ser_weight, context)


def _run(request: StageFields, setup: Setup, model: BlspEmo, one: Pass, parts: Sequence[str], ser_weight: float,
         context: Context) -> StageResult:
    from backends.common.training.fit import accelerated

    context.report(0, 0, "reading the clips")
    require(request.gate, context.resource(setup.base.model), setup.base.model_sha256, context)
    bundled = CONTINUATIONS if setup.stage == 1 else EMOTIONAL
    manifest = read_manifest(located(request.manifest, bundled, context), "continuation",
                             context.resource(request.root) if request.root else None, within=readable(context))
    target = getattr(request, "target", "continuation")
    every = lessons_of(manifest.rows, setup.stage, target, getattr(request, "conversation", False))
    lessons, why = usable(every, model.layout, request.longest_text)
    sources = [manifest.source(row) for row in manifest.rows]
    clips = Clips(sources, model, Limits(request.shortest, request.longest), keep="encoder" not in parts,
                  augmented=request.spec_augment)
    lessons = heard(lessons, clips, why, context)
    why.update({"not a usable row": manifest.left_out} if manifest.left_out else {})
    train, held = divided(lessons, request.validation, request.leave_out)
    if getattr(request, "shuffled", False):
        train = shuffled(train, context.generator(request.seed))
    if getattr(request, "balanced", False) and ser_weight:
        one.weights = tuple(class_weights([lesson.emotion for lesson in train]))
    with accelerated(context, "", "blsp_emo", {}) as accelerator:
        fit = Training(request, one, parts, ser_weight, train, held, clips, context, accelerator)
        found = fit.run()
        result = summary(request, found, fit, why, context)
        if context.rank == 0:
            out = context.run / "artifacts" / "model"
            save_model(model, setup, out, card(request, setup, result, manifest), facts(request, result), request.half)
            context.artifact("model", out, "model")
            context.artifact("model-card.md", out / "README.md", "text")
        accelerator.wait_for_everyone()
    return result


def heard(lessons: Sequence[Lesson], clips: Clips, why: Counter[str], context: Context) -> list[Lesson]:
    """The lessons whose sound can be used; the others are counted by reason."""
    kept = []
    for number, lesson in enumerate(lessons):
        try:
            clips.mel(lesson.place)
            kept.append(lesson)
        except UserError as error:
            why[_reason(error.message, clips.sources[lesson.place])] += 1
        context.report(0, 0, f"{number + 1} of {len(lessons)} clips heard")
    if not kept:
        first = next(iter(why), "")
        raise UserError(f"No clip can be used{': ' + first if first else ''}.",
                        advice="Check shortest and longest, and where the audio files lie.")
    return kept


def _reason(message: str, source: str) -> str:
    """The sentence without the name of the file, so that equal reasons are counted together."""
    name = Path(source.split(":")[0]).name
    return " ".join(message.replace(name, "a clip").split(";")[0].split())[:120]


def summary(request: StageFields, found: Trained, fit: Training, why: Counter[str], context: Context) -> StageResult:
    """The result of a run."""
    return StageResult(str(context.run / "artifacts" / "model"), found.steps, found.kept_step,
                       sum(p.numel() for p in fit.trained.values()), len(fit.train), len(fit.held), dict(why),
                       found.first, found.last, found.measured, found.frozen_same, found.seconds)


def bare(value: Any) -> Any:
    """References without the folders of the machine they were used on."""
    return value.rstrip("/").rpartition("/")[2] if isinstance(value, str) and value.startswith("path:") else value


def facts(request: StageFields, result: StageResult) -> dict[str, Json]:
    """What ``config.json`` keeps of the training; files by name only, since a model is passed on."""
    asked = {name: bare(value) for name, value in to_json(request).items()}
    return {"training": {"request": asked, "steps": result.steps, "kept_step": result.kept_step, "rows": result.rows,
                         "measured": to_json(result.measured)}}


def card(request: StageFields, setup: Setup, result: StageResult, manifest: Manifest) -> str:
    """The card as Markdown with front matter."""
    last = next((m for m in result.measured if m.step == result.kept_step), None)
    kind = "KL from the transcript" if setup.stage == 1 else "negative log-likelihood"
    lines = ["---", f"license: {request.licence}", "tags: [speech, emotion]", "---", "", f"# {setup.name}", "",
             f"BLSP-Emo (arXiv 2406.03872), stage {setup.stage}: {result.trained:,} trained weights on "
             f"`{bare(setup.base.model)}` and `{bare(setup.base.encoder)}`, which are not in this folder.", "",
             f"- {result.rows:,} clips to learn from, {result.held:,} of other speakers to stop by; "
             f"{sum(result.faults.values())} left out.",
             f"- {result.steps:,} steps of {request.batch} clips, learning rate {request.learning_rate:g}, seed "
             f"{request.seed}; weights of step {result.kept_step:,} are kept."]
    if last:
        lines.append(f"- Validation speakers: {last.response:.3f} nats a token ({kind})"
                     + (f", emotion head right in {last.accuracy:.1%}." if setup.stage == 2 and last.accuracy >= 0
                        else "."))
    if setup.stage == 2 and getattr(request, "shuffled", False):
        lines.append("- CONTROL: emotions were shuffled on purpose. This model hears no emotion.")
    lines.append("- What it says of a person's emotion is a guess from the sound, no diagnosis; people agree with an "
                 "actor's intention in 41.6 % of voices (CREMA-D, six emotions).")
    return "\n".join([*lines, ""])
