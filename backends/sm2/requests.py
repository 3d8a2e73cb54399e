"""Requests and results of the simultaneous-translation tasks; forms, command line and records are made from these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from workbench.contract import Json, Knob, UserError
from workbench.fields import validate

DATA, MODEL, STEPS, POLICY, EXPERT = "Data", "Model", "Optimisation", "Policy", "Expert"
OWN = ("start", ("",))
SM2_ONLY = ("objective", ("sm2",))
ModelField = Annotated[str, Knob("Translation model: 'practice' (the order language), path:, run: or hub: of an SM2 or "
                                 "Marian model", 1, 500, group=MODEL, widget="model")]


@dataclass(frozen=True)
class TrainRequest:
    """Train a simultaneous translator from scratch, or fine-tune one of whole sentences.

    Without files the synthetic order language is learned. Defaults marked (paper) are the authors'; sizes are ours,
    for two cores."""

    source: Annotated[tuple[str, ...], Knob(
        "Files of source sentences (path:/file, gz too), or tables with a source and a target column; empty: the "
        "order language", None, 50, group=DATA)] = ()
    target: Annotated[tuple[str, ...], Knob("Files of target sentences, one for each of source; empty with tables",
                                            None, 50, group=DATA)] = ()
    swap: Annotated[bool, Knob("Tables have the target column first", group=DATA)] = False
    pairs: Annotated[int, Knob("Use at most so many pairs (0: all; order language: 20,000)", 0, 100_000_000, 1000,
                               group=DATA)] = 0
    held_out: Annotated[int, Knob("Pairs to measure on, at most a tenth", 0, 100_000, 100, group=DATA)] = 500
    longest: Annotated[int, Knob("Leave out pairs with more tokens on a side", 4, 1000, 1, group=DATA)] = 100
    start: Annotated[str, Knob("Model to fine-tune: path:, run: or hub: (empty: from scratch)", None, 500, group=MODEL,
                               widget="model")] = ""
    objective: Annotated[Literal["sm2", "offline", "prefix", "multipath"], Knob(
        "sm2; offline: whole sentences; prefix: SM2 without confidence; multipath: wait-k for every k",
        group=MODEL)] = "sm2"
    encoder: Annotated[Literal["both", "causal"], Knob("Whether the encoder looks both ways", group=MODEL,
                                                       shown_if=OWN)] = "both"
    vocabulary: Annotated[int, Knob("Pieces of the joined vocabulary", 100, 100_000, 100, group=MODEL,
                                    shown_if=OWN)] = 8000
    width: Annotated[int, Knob("Size of a state", 8, 4096, 8, group=MODEL, shown_if=OWN)] = 256
    inner: Annotated[int, Knob("Size of the feed-forward layers", 8, 16_384, 8, group=MODEL, shown_if=OWN)] = 1024
    heads: Annotated[int, Knob("Attention heads", 1, 64, 1, group=MODEL, shown_if=OWN)] = 4
    layers: Annotated[int, Knob("Layers of the encoder, and of the decoder", 1, 24, 1, group=MODEL, shown_if=OWN)] = 3
    dropout: Annotated[float, Knob("Dropout (paper: 0.1)", 0, 0.9, 0.05, group=MODEL)] = 0.1
    alpha: Annotated[float, Knob("Weight of the confidence loss (paper: 0.1); c never falls below alpha / (1 + alpha)",
                                 0.001, 10, 0.01, group=STEPS, shown_if=SM2_ONLY)] = 0.1
    smoothing: Annotated[float, Knob("Label smoothing (paper: 0.1)", 0, 0.9, 0.05, group=STEPS)] = 0.1
    prefix: Annotated[Literal["batch", "sentence"], Knob(
        "batch: one prefix length for a batch (paper); sentence: one for each", group=STEPS)] = "sentence"
    detach_omt: Annotated[bool, Knob("Keep the modified loss from training the full pass (paper: off)", group=EXPERT,
                                     shown_if=SM2_ONLY)] = False
    epochs: Annotated[float, Knob("How often every pair is seen", 0.001, 1000, 1, group=STEPS)] = 10.0
    max_steps: Annotated[int, Knob("Stop after so many steps (0: after the epochs)", 0, 10_000_000, 1,
                                   group=STEPS)] = 0
    tokens: Annotated[int, Knob("Tokens of the longer side in a step, with padding (paper: 8192)", 16, 1_000_000, 16,
                                group=STEPS)] = 4096
    learning_rate: Annotated[float, Knob("Highest learning rate (paper: 5e-4)", 1e-7, 1, group=STEPS)] = 5e-4
    warmup: Annotated[int, Knob("Steps in which the rate rises (paper: 4000)", 1, 1_000_000, 100, group=STEPS)] = 400
    schedule: Annotated[Literal["inverse-sqrt", "cosine"], Knob("How the rate falls (paper: inverse-sqrt)",
                                                                group=STEPS)] = "inverse-sqrt"
    clip: Annotated[float, Knob("Longest gradient (0: no limit)", 0, 1000, 0.1, group=EXPERT)] = 1.0
    average: Annotated[float, Knob("Average the weights over this last share of the steps (paper: a quarter)", 0, 1,
                                   0.05, group=EXPERT)] = 0.25
    precision: Annotated[Literal["auto", "float32", "bfloat16"], Knob("auto: bfloat16 on a GPU", group=EXPERT)] = "auto"
    evaluate_every: Annotated[int, Knob("Steps between measurements (0: at the end)", 0, 10_000_000, 1,
                                        group=EXPERT)] = 0
    save_every: Annotated[int, Knob("Steps between checkpoints (0: about once a minute)", 0, 10_000_000, 1,
                                    group=EXPERT)] = 0
    half: Annotated[bool, Knob("Keep the weights in 16 bits", group=EXPERT)] = False
    name: Annotated[str, Knob("Name of the model", 1, 80, group=EXPERT)] = "SM2"
    licence: Annotated[str, Knob("Licence for the card", None, 80, group=EXPERT)] = ""
    seed: Annotated[int, Knob("Same seed, same weights on one processor", 0, 2**31 - 1, 1, group=EXPERT)] = 0

    def __post_init__(self) -> None:
        validate(self)
        if self.target and len(self.target) != len(self.source):
            raise UserError(f"source has {len(self.source)} files and target {len(self.target)}; each source file "
                            "needs its target file, or target is empty and the files are tables.")
        if self.objective == "multipath" and self.encoder != "causal" and not self.start:
            raise UserError("objective is 'multipath' and encoder 'both'; wait-k paths need an encoder that does not "
                            "look ahead.", advice="Set encoder to causal.")


@dataclass(frozen=True)
class Held:
    """Held-out figures after ``step`` steps: nats a token with the whole source, with a random prefix, of the mixture,
    and the mean confidence."""

    step: int
    full: float
    prefix: float
    mixed: float
    confidence: float


@dataclass(frozen=True)
class TrainResult:
    """What came of it; ``path:`` followed by ``path`` is the model's reference."""

    path: str
    steps: int
    pairs: int
    held_out: int
    left_out: int
    weights: int
    vocabulary: int
    first_loss: float
    last_loss: float
    measured: tuple[Held, ...]
    train_seconds: float
    tokens_per_second: float


@dataclass(frozen=True)
class PolicyFields:
    """When to read and when to write."""

    kind: Annotated[Literal["sm2", "wait-k", "multipath", "full"], Knob("sm2: by confidence; wait-k: k words behind; "
                                                                        "full: at the end", group=POLICY)] = "sm2"
    threshold: Annotated[float, Knob("Write where the confidence reaches this; below 0.09 nothing is ever waited for",
                                     0.001, 1, 0.01, group=POLICY)] = 0.5
    k: Annotated[int, Knob("Source tokens that wait-k is behind", 1, 1000, 1, group=POLICY)] = 3
    min_read: Annotated[int, Knob("Tokens that SM2 reads first (paper: 2)", 1, 100, 1, group=POLICY)] = 2
    forbid_early_end: Annotated[bool, Knob("Never end before the whole source is read", group=POLICY)] = False

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class TranslateRequest:
    """Translate lines simultaneously, many at once."""

    text: Annotated[str, Knob("Source sentences, one a line", 1, 1_000_000, group=DATA, widget="text")]
    model: ModelField = "practice"
    policy: Annotated[PolicyFields, Knob("When to read and when to write", group=POLICY)] = field(
        default_factory=PolicyFields)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Translated:
    """The last event of a translation; every sentence came before as ``{"log": {...}}``."""

    sentences: int
    al_words: float | None
    seconds: float


@dataclass(frozen=True)
class StatesRequest:
    """Everything that the playback of one sentence needs."""

    text: Annotated[str, Knob("One source sentence", 1, 20_000, group=DATA, widget="text")]
    model: ModelField = "practice"
    k: Annotated[int, Knob("wait-k to lay over", 1, 1000, 1, group=POLICY)] = 3
    min_read: Annotated[int, Knob("Tokens that SM2 reads first (paper: 2)", 1, 100, 1, group=POLICY)] = 2
    forbid_early_end: Annotated[bool, Knob("Never end before the whole source is read", group=POLICY)] = False

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class StatesResult:
    """``ranges``: every different translation with the thresholds (``low``, ``high``] that give it, as a log with
    token delays; ``grids``: c_ij of each, under its text; ``overlay``: the wait-k and full-sentence logs. ``floor`` is
    the lowest confidence that the model's training allows; ``complete`` is false where a sentence has more translations
    than are listed, so that some thresholds between them are missing."""

    source_pieces: tuple[str, ...]
    ranges: tuple[dict[str, Json], ...]
    grids: tuple[Json, ...]
    overlay: dict[str, Json]
    ready: bool
    floor: float
    complete: bool = True


@dataclass(frozen=True)
class CurveRequest:
    """Translate a test set by several policies: quality against latency."""

    model: ModelField = "practice"
    source: Annotated[str, Knob("File of source sentences (empty: the order language)", None, 500, group=DATA)] = ""
    target: Annotated[str, Knob("File of reference translations", None, 500, group=DATA)] = ""
    sentences: Annotated[int, Knob("At most so many sentences", 1, 1_000_000, 100, group=DATA)] = 1000
    language: Annotated[str, Knob("Target language, for BLEU's tokeniser", None, 20, group=DATA)] = "en"
    thresholds: Annotated[tuple[float, ...], Knob("Thresholds of SM2", None, 50, group=POLICY)] = (0.2, 0.5, 0.9)
    waits: Annotated[tuple[int, ...], Knob("k of wait-k", None, 50, group=POLICY)] = (1, 3, 5, 7)
    multipath: Annotated[bool, Knob("Keep wait-k's states from token to token (models trained so)",
                                    group=POLICY)] = False
    full: Annotated[bool, Knob("Also translate at the end of each sentence", group=POLICY)] = True
    min_read: Annotated[int, Knob("Tokens that SM2 reads first (paper: 2)", 1, 100, 1, group=POLICY)] = 2
    forbid_early_end: Annotated[bool, Knob("Never end before the whole source is read", group=POLICY)] = False
    rows: Annotated[int, Knob("Sentences that are translated together", 1, 4096, 1, group=EXPERT)] = 128
    resamples: Annotated[int, Knob("Draws of the bootstrap over sentences", 10, 100_000, 10, group=EXPERT)] = 1000
    seed: Annotated[int, Knob("Same seed, same draws", 0, 2**31 - 1, 1, group=EXPERT)] = 12345

    def __post_init__(self) -> None:
        validate(self)
        if bool(self.source) != bool(self.target):
            raise UserError("Only one of source and target is given; a curve needs both, or neither.")
        if not (self.thresholds or self.waits or self.full):
            raise UserError("No policy is asked for.", advice="Give thresholds, waits, or full.")
        if any(not 0 < t <= 1 for t in self.thresholds) or any(k < 1 for k in self.waits):
            raise UserError(f"thresholds are {list(self.thresholds)} and waits {list(self.waits)}; thresholds lie "
                            "above 0 and at most at 1, waits are at least 1.")


@dataclass(frozen=True)
class Point:
    """One policy on the test set; intervals are 95 % of the bootstrap over sentences. ``sufficiency`` is exact for
    the order language; for at least 100 pairs of files it is rough, by IBM model 1 of these pairs (compare policies
    with it, not languages); otherwise not known. Latencies of ``tokens`` count end tokens, ``words*`` do not."""

    policy: str
    kind: str
    setting: float
    bleu: float
    bleu_low: float
    bleu_high: float
    words: dict[str, float | None]
    words_al_low: float
    words_al_high: float
    tokens: dict[str, float | None]
    exact: float
    sufficiency: float | None
    undefined: int
    seconds: float


@dataclass(frozen=True)
class Gain:
    """``gain`` in quality over a family of policies at the same ``latency``, with its 95 % interval. ``beyond`` says
    that the family has no point so early or so late (:mod:`backends.sm2.frontier`)."""

    policy: str
    latency: float
    quality: float
    gain: float
    low: float
    high: float
    beyond: bool


@dataclass(frozen=True)
class CurveResult:
    """All points; logs for SimulEval are the artifacts ``logs/<policy>.log``. ``gains``: each threshold over wait-k and
    the full sentence of the same model, at the same AL of words. ``test`` is a fingerprint of the test set: runs with
    the same one can be compared (:mod:`backends.sm2.compare_curves` reads their ``statistics.npz``)."""

    points: tuple[Point, ...]
    signature: str
    sentences: int
    gains: tuple[Gain, ...] = ()
    test: str = ""
