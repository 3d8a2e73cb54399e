"""Requests and results of the BLSP-Emo tasks; forms, command line and records are made from these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from backends.blsp_emo.requests_text import (
    DATA,
    EXPERT,
    MODEL,
    STEPS,
    GateRequest,
    GateResult,
    Language,
    Stage0Request,
    Stage0Result,
)
from backends.common.speech.practice import PRACTICE
from workbench.contract import Json, Knob, UserError
from workbench.fields import validate

__all__ = ["DATA", "EXPERT", "MODEL", "STEPS", "TAUGHT", "WHISPER", "ContinuationsRequest", "ContinuationsResult",
           "Encoder", "EvaluateRequest", "EvaluateResult", "Folder", "GateRequest", "GateResult", "Held", "Language",
           "Manifest", "Stage0Request", "Stage0Result", "Stage1Request", "Stage2Request", "StageFields", "StageResult"]

Manifest = Annotated[str, Knob("Manifest with one clip a line: audio, text, emotion (path: or run:; practice: the "
                               "clips that come with the project)", 1, 500, group=DATA)]
Folder = Annotated[str, Knob("Folder that relative audio paths begin at (path:; empty: the manifest's own)", None, 500,
                             group=DATA)]
Encoder = Annotated[str, Knob("Speech encoder: a Whisper, path:, package: or hub:", 1, 500, group=MODEL,
                              widget="model")]
Mix = Annotated[bool, Knob("Let the adapter mix all encoder layers, by weights that it learns (ours; off: one layer)",
                           group=MODEL)]
WHISPER = "package:whisper-tiny-en"
TAUGHT = "bundled:blsp-emo-practice"


@dataclass(frozen=True)
class ContinuationsRequest:
    """Let the language model write what the speech model shall learn to answer (spec A.3.1 and A.4.1)."""

    manifest: Manifest = PRACTICE
    root: Folder = ""
    model: Language = ""
    stage: Annotated[Literal[1, 2], Knob("1: continue the transcript; 2: continue it in the clip's emotion",
                                         group=DATA)] = 1
    every_emotion: Annotated[bool, Knob("Stage 2: also write answers.jsonl, one for each of the five emotions",
                                        group=DATA, shown_if=("stage", (2,)))] = False
    limit: Annotated[int, Knob("Take at most so many clips (0: all)", 0, 10_000_000, 100, group=DATA)] = 0
    max_new_tokens: Annotated[int, Knob("Longest continuation (paper: 48)", 1, 512, 1, group=EXPERT)] = 48
    together: Annotated[int, Knob("Prompts at once", 1, 256, 1, group=EXPERT)] = 8

    def __post_init__(self) -> None:
        validate(self)
        if self.every_emotion and self.stage == 1:
            raise UserError("every_emotion is on and stage is 1; only stage 2 names emotions.")


@dataclass(frozen=True)
class ContinuationsResult:
    """``rows`` were written to ``continuations.jsonl``; ``dropped`` counts refusals by pattern, ``cut`` those that
    the length limit ended, ``faults`` rows of the manifest that could not be used."""

    path: str
    rows: int
    prompts: int
    cut: int
    dropped: dict[str, Json]
    faults: int


@dataclass(frozen=True)
class StageFields:
    """What both stages of training share. Defaults marked (paper) are the authors'."""

    manifest: Annotated[str, Knob("Continuations to learn, as blsp_emo.continuations writes them (practice: those that "
                                  "come with the project)", 1, 500, group=DATA)] = PRACTICE
    root: Folder = ""
    validation: Annotated[tuple[str, ...], Knob("Speakers to stop early by, not trained on (empty: the last tenth of "
                                                "the speakers)", None, 1000, group=DATA)] = ()
    leave_out: Annotated[tuple[str, ...], Knob("Speakers of the test, not used at all", None, 10_000, group=DATA)] = ()
    longest_text: Annotated[int, Knob("Leave out rows with more tokens of text and answer (paper: 256 with "
                                      "the instructions)", 8, 8192, 8, group=DATA)] = 256
    shortest: Annotated[float, Knob("Shortest clip in seconds (paper: 1)", 0.2, 30, 0.1, group=DATA)] = 1.0
    longest: Annotated[float, Knob("Longest clip in seconds (paper: 30)", 0.2, 30, 1, group=DATA)] = 30.0
    gate: Annotated[str, Knob("Report of blsp_emo.gate on the language model (empty: gate.json in its folder)", None,
                              500, group=MODEL)] = ""
    epochs: Annotated[float, Knob("How often every clip is heard", 0.01, 1000, 1, group=STEPS)] = 1.0
    max_steps: Annotated[int, Knob("Stop after so many steps (0: after the epochs)", 0, 10_000_000, 1,
                                   group=STEPS)] = 0
    batch: Annotated[int, Knob("Clips a step", 1, 100_000, 1, group=STEPS)] = 16
    micro: Annotated[int, Knob("Clips in one pass; changes nothing but memory and time", 1, 1024, 1, group=EXPERT)] = 4
    learning_rate: Annotated[float, Knob("Highest learning rate", 1e-8, 1, group=STEPS)] = 1e-4
    warmup: Annotated[int, Knob("Steps in which the rate rises, at most a tenth of all; it then falls to 0", 1,
                                1_000_000, 10, group=STEPS)] = 1000
    weight_decay: Annotated[float, Knob("Weight decay (paper: 0.05)", 0, 1, 0.01, group=EXPERT)] = 0.05
    clip: Annotated[float, Knob("Longest gradient (paper: 1; 0: no limit)", 0, 1000, 0.1, group=EXPERT)] = 1.0
    evaluate_every: Annotated[int, Knob("Steps between measurements (0: once an epoch)", 0, 10_000_000, 1,
                                        group=STEPS)] = 0
    patience: Annotated[int, Knob("Stop after so many measurements without progress (0: never)", 0, 1000, 1,
                                  group=STEPS)] = 0
    save_every: Annotated[int, Knob("Steps between checkpoints (0: about once a minute)", 0, 10_000_000, 1,
                                    group=EXPERT)] = 0
    spec_augment: Annotated[bool, Knob("Blank stripes of time and pitch while training (SpecAugment; paper: off)",
                                       group=STEPS)] = False
    half: Annotated[bool, Knob("Keep the trained weights in 16 bits (half the size)", group=EXPERT)] = False
    name: Annotated[str, Knob("Name of the model", 1, 80, group=EXPERT)] = "BLSP-Emo"
    licence: Annotated[str, Knob("Licence of the model; the data's may bind it", 1, 100, group=EXPERT)] = "other"
    seed: Annotated[int, Knob("Same seed, same weights on one processor (paper: 1)", 0, 2**31 - 1, 1,
                              group=EXPERT)] = 1

    def check(self) -> None:
        """Bounds, and what no single bound can say."""
        validate(self)
        if self.shortest > self.longest:
            raise UserError(f"shortest is {self.shortest:g} s and longest {self.longest:g} s; no clip is both.")
        both = sorted(set(self.validation) & set(self.leave_out))
        if both:
            raise UserError(f"The speaker {both[0]} is in validation and in leave_out; choose one.")


@dataclass(frozen=True)
class Stage1Request(StageFields):
    """Semantic alignment: only the adapter learns, so that speech is answered as its transcript is (spec A.3)."""

    model: Language = ""
    encoder: Encoder = WHISPER
    layer: Annotated[int, Knob("Encoder layer that the adapter reads (-1, paper: the last)", -1, 64, 1,
                               group=MODEL)] = -1
    mix: Mix = False
    padded: Annotated[bool, Knob("Pad every clip to 30 seconds (paper); off: the fast approximation",
                                 group=MODEL)] = False
    bottleneck: Annotated[int, Knob("Width of the adapter's bottleneck (paper: 512)", 1, 8192, 1, group=MODEL)] = 512
    dropout: Annotated[float, Knob("Dropout on what the adapter hears (paper: 0)", 0, 0.9, 0.05, group=MODEL)] = 0.0
    temperature: Annotated[float, Knob("Temperature of the response KL (paper: 2)", 0.1, 100, 0.1,
                                       group=EXPERT)] = 2.0
    official_mask: Annotated[bool, Knob("Compare the rows that the published code compares, one too late",
                                        group=EXPERT)] = False

    def __post_init__(self) -> None:
        self.check()


@dataclass(frozen=True)
class Stage2Request(StageFields):
    """Emotion alignment: encoder, adapter, PLoRA and emotion head learn from continuations in the clip's emotion."""

    learning_rate: Annotated[float, Knob("Highest learning rate (paper: 2e-5)", 1e-8, 1, group=STEPS)] = 2e-5
    warmup: Annotated[int, Knob("Steps in which the rate rises (paper: 200), at most a tenth of all", 1, 1_000_000, 10,
                                group=STEPS)] = 200
    epochs: Annotated[float, Knob("How often every clip is heard (paper: 3)", 0.01, 1000, 1, group=STEPS)] = 3.0
    start: Annotated[str, Knob("Model of stage 1 (path: or run:; empty: without stage 1)", None, 500, group=MODEL,
                               widget="model")] = ""
    model: Language = ""
    encoder: Encoder = WHISPER
    layer: Annotated[int, Knob("Encoder layer that the adapter reads where there is no stage 1 (-1, paper: the last)",
                               -1, 64, 1, group=MODEL, shown_if=("start", ("",)))] = -1
    mix: Annotated[bool, Knob("Without stage 1: let the adapter mix all encoder layers (ours; off: one layer)",
                              group=MODEL, shown_if=("start", ("",)))] = False
    bottleneck: Annotated[int, Knob("Width of the adapter's bottleneck where there is no stage 1 (paper: 512)", 1, 8192,
                                    1, group=MODEL, shown_if=("start", ("",)))] = 512
    tune_encoder: Annotated[bool, Knob("Train the encoder (the paper; the released script leaves it frozen)",
                                       group=MODEL)] = True
    encoder_share: Annotated[float, Knob("The encoder's learning rate as a share of the others' (paper: 1)", 0.001, 1,
                                         0.01, group=STEPS, shown_if=("tune_encoder", (True,)))] = 1.0
    rank: Annotated[int, Knob("Rank of PLoRA (paper: 16; 0: none)", 0, 1024, 1, group=MODEL)] = 16
    alpha: Annotated[float, Knob("Scale of PLoRA (paper: 16)", 0.1, 1024, 1, group=MODEL)] = 16.0
    lora_dropout: Annotated[float, Knob("Dropout of PLoRA (paper: 0.05)", 0, 0.9, 0.05, group=MODEL)] = 0.05
    dropout: Annotated[float, Knob("Dropout on what the adapter hears (paper: 0)", 0, 0.9, 0.05, group=MODEL)] = 0.0
    ser_weight: Annotated[float, Knob("Weight of the emotion loss (paper: 1; 0: without)", 0, 100, 0.1,
                                      group=STEPS)] = 1.0
    balanced: Annotated[bool, Knob("Let every emotion count alike in the emotion loss", group=EXPERT)] = True
    target: Annotated[Literal["continuation", "label", "both"], Knob(
        "label: answer the emotion question with its name instead (BLSP-SER, a baseline that ruins conversation); "
        "both: two tasks side by side (BLSP-MultiTask)", group=EXPERT)] = "continuation"
    conversation: Annotated[bool, Knob("Tell every second clip as a turn of conversation, without an instruction "
                                       "(paper: off)", group=DATA)] = False
    shuffled: Annotated[bool, Knob("Control: give every clip the emotion and answer of another clip of its sentence",
                                   group=EXPERT)] = False

    def __post_init__(self) -> None:
        self.check()


@dataclass(frozen=True)
class Held:
    """Figures on the validation speakers after ``step`` steps: nats a response token (KL in stage 1, CE in stage 2),
    nats a clip of the emotion head, and its accuracy (-1 where no clip has an emotion)."""

    step: int
    response: float
    emotion: float
    accuracy: float


@dataclass(frozen=True)
class StageResult:
    """``path:`` followed by ``path`` is the model. ``kept_step`` is the measurement whose weights were kept;
    ``frozen_same`` that every frozen weight is what it was; ``faults`` rows that were left out, by reason."""

    path: str
    steps: int
    kept_step: int
    trained: int
    rows: int
    held: int
    faults: dict[str, Json]
    first_loss: float
    last_loss: float
    measured: tuple[Held, ...]
    frozen_same: bool
    train_seconds: float


@dataclass(frozen=True)
class EvaluateRequest:
    """Behavioural emotion recognition, alignment gap and content of a model on speakers it has not heard (spec A.7)."""

    model: Annotated[str, Knob("Model of stage 1 or 2 (path:, run: or bundled:)", 1, 500, group=MODEL,
                               widget="model")] = TAUGHT
    manifest: Manifest = PRACTICE
    answers: Annotated[str, Knob("answers.jsonl of blsp_emo.continuations (stage 2, every_emotion): what the language "
                                 "model says in each emotion (practice: the bundled one)", 1, 500,
                                 group=DATA)] = PRACTICE
    root: Folder = ""
    speakers: Annotated[tuple[str, ...], Knob("Speakers to test on (empty: all)", None, 10_000, group=DATA)] = ()
    limit: Annotated[int, Knob("Clips at most (0: all)", 0, 1_000_000, 10, group=DATA)] = 0
    replies: Annotated[bool, Knob("Also let it reply, for the contrast rate", group=DATA)] = False
    pool: Annotated[int, Knob("Sentences that content is told apart from", 2, 200, 1, group=EXPERT)] = 10
    seed: Annotated[int, Knob("Chooses clips, sentences and resamples", 0, 2**31 - 1, 1, group=EXPERT)] = 0

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class EvaluateResult:
    """Shares in [0, 1]. ``heard``, ``told``: unweighted accuracy of argmax_e log p(y_e | speech) and of the same from
    the transcript alone; ``head``: of the emotion head. Intervals: 95 %, resampled speakers. ``gap``: nats a token of
    KL(text || speech), by emotion of the clip; ``reply_gap``: nats a token from what the language model says when it is
    told words and emotion to what is said from hearing them. ``contrast`` and ``content`` are -1 where not measured."""

    clips: int
    heard: float
    heard_interval: tuple[float, ...]
    heard_weighted: float
    told: float
    told_interval: tuple[float, ...]
    head: float
    gap: float
    gap_by_emotion: dict[str, Json]
    content: float
    content_pool: int
    contrast: float
    confusion: tuple[tuple[int, ...], ...]
    reply_gap: float = -1.0
