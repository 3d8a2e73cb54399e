"""One language model through the whole chain: continuations, stage 1, stage 2 and its ablations, measured on people who
were in no training. Every run is kept (:mod:`~backends.blsp_emo.reproduce_kept`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from backends.blsp_emo import continuations, evaluate, stages
from backends.blsp_emo.reproduce_kept import Kept
from backends.blsp_emo.requests import (
    WHISPER,
    ContinuationsRequest,
    ContinuationsResult,
    EvaluateRequest,
    EvaluateResult,
    Stage1Request,
    Stage2Request,
    StageResult,
)

ABLATIONS: dict[str, dict[str, Any]] = {
    "stage2": {},
    "shuffled": {"shuffled": True},
    "no-ser": {"ser_weight": 0.0},
    "no-stage1": {"start": ""},
    "label": {"target": "label"},
    "multitask": {"target": "both"},
}
"""Stage 2 and what each variant of it changes."""


@dataclass(frozen=True)
class Data:
    """Where one chain learns from. ``semantic``: made speech for stage 1, whose voices ``unheard`` stop the training;
    ``content``: other sentences in other voices, which it is measured on, in a neutral tone; ``toned``: clips with
    emotions, of whose speakers some train, some stop and some test."""

    semantic: Path
    content: Path
    unheard: tuple[str, ...]
    toned: Path
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Steps:
    """How long each stage takes. ``layer``: the encoder layer that the adapter reads; ``mix``: it mixes all of them
    instead; ``tuned``: stage 2 trains the encoder too, as in the paper, at a ``share`` of the rate; ``limit``: clips
    that are tested at most."""

    epochs: float
    rate: float
    toned_epochs: float
    toned_rate: float
    batch: int = 16
    patience: int = 3
    toned_patience: int = 5
    layer: int = -1
    mix: bool = False
    dropout: float = 0.1
    tuned: bool = False
    spec_augment: bool = False
    limit: int = 0
    encoder: str = WHISPER


class Track:
    """The runs of one chain. ``model`` is the reference of the language model, ``gate`` of its report."""

    def __init__(self, kept: Kept, model: str, data: Data, steps: Steps, gate: str = "") -> None:
        self.kept, self.model, self.data, self.steps, self.gate = kept, model, data, steps, gate

    def written(self, name: str, manifest: Path, stage: Literal[1, 2], every: bool = False) -> ContinuationsResult:
        """What the language model says to the clips of a manifest."""
        return self.kept.once(name, ContinuationsRequest(f"path:{manifest}", model=self.model, stage=stage,
                                                         every_emotion=every), continuations.run, ContinuationsResult)

    def stage1(self) -> StageResult:
        """Semantic alignment on made speech; stopped by sentences and voices that are not learned."""
        steps = self.steps
        said = self.written("said", self.data.semantic, 1)
        request = Stage1Request(f"path:{said.path}", **self._common(steps.epochs, steps.rate, steps.patience),
                                validation=self.data.unheard, model=self.model, encoder=steps.encoder,
                                layer=steps.layer, mix=steps.mix)
        return self._told("stage1", self.kept.once("stage1", request, stages.stage1, StageResult))

    def stage2(self, name: str) -> StageResult:
        """Emotion alignment, or one of its variants."""
        steps, changes = self.steps, ABLATIONS[name]
        start = "" if "start" in changes else f"path:{self.stage1().path}"
        common = self._common(steps.toned_epochs, steps.toned_rate, steps.toned_patience)
        request = Stage2Request(f"path:{self.answered().path}", **common, validation=self.data.validation,
                                leave_out=self.data.test, start=start, model="" if start else self.model,
                                encoder=steps.encoder, layer=-1 if start else steps.layer, mix=not start and steps.mix,
                                tune_encoder=steps.tuned, spec_augment=steps.spec_augment,
                                **{key: value for key, value in changes.items() if key != "start"})
        return self._told(name, self.kept.once(name, request, stages.stage2, StageResult))

    def answered(self) -> ContinuationsResult:
        """The toned clips with answers in their emotion, and ``answers.jsonl`` with those in every emotion."""
        return self.written("toned", self.data.toned, 2, every=True)

    def heard(self, name: str, model: Path | str) -> EvaluateResult:
        """A model on the speakers of the test."""
        answers = Path(self.answered().path).with_name(continuations.ANSWERS)
        return self.judged(f"heard-{name}", model, self.data.toned, answers, self.data.test, self.steps.limit)

    def understood(self, name: str, model: Path | str) -> EvaluateResult:
        """A model on unseen sentences in unheard voices: are they told apart?"""
        answers = Path(self.written("asked", self.data.content, 2, every=True).path).with_name(continuations.ANSWERS)
        return self.judged(f"content-{name}", model, self.data.content, answers)

    def judged(self, name: str, model: Path | str, manifest: Path, answers: Path, speakers: Sequence[str] = (),
               limit: int = 0) -> EvaluateResult:
        """``blsp_emo.evaluate`` on some clips."""
        request = EvaluateRequest(f"path:{model}", f"path:{manifest}", f"path:{answers}", speakers=tuple(speakers),
                                  limit=limit)
        found = self.kept.once(name, request, evaluate.run, EvaluateResult)
        low, high = found.heard_interval or (found.heard, found.heard)
        print(f"{name}: {found.clips} clips, behavioural SER {found.heard:.3f} ({low:.3f} to {high:.3f}), from the "
              f"text {found.told:.3f}, head {found.head:.3f}, content {found.content:.3f} of {found.content_pool}, gap "
              f"{found.gap:.3f}, reply gap {found.reply_gap:.3f}", flush=True)
        return found

    def _common(self, epochs: float, rate: float, patience: int) -> dict[str, Any]:
        steps = self.steps
        return {"epochs": epochs, "learning_rate": rate, "batch": steps.batch, "micro": min(16, steps.batch),
                "patience": patience, "dropout": steps.dropout, "shortest": 0.3, "gate": self.gate}

    def _told(self, name: str, result: StageResult) -> StageResult:
        kept = next(one for one in result.measured if one.step == result.kept_step)
        print(f"{name}: {result.rows} clips, {result.steps} steps (kept {result.kept_step}), {result.trained:,} "
              f"weights, {result.train_seconds:.0f} s; validation {result.measured[0].response:.3f} -> "
              f"{kept.response:.3f} nats a token, head {kept.accuracy:.3f}", flush=True)
        return result
