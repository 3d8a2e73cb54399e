"""Requests and results of the scorers' tasks: train one, teach one with a judge, score texts. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from workbench.contract import Json, Knob, UserError
from workbench.fields import validate

Data = Annotated[tuple[str, ...], Knob("References of CSV or JSONL files (or folders of them) with labelled texts; "
                                       "none: practice texts made by the program.", 0, 64)]
TextField = Annotated[str, Knob("Column or key that holds the text.", 1, 200, group="columns")]
LabelField = Annotated[str, Knob("Column or key that holds the labels (parted by |).", 1, 200, group="columns")]
Seed = Annotated[int, Knob("Same seed, same result.", 0, 2**31 - 1, 1)]
PracticeLanguage = Annotated[Literal["zh", "en"], Knob("Language of the practice texts.")]


@dataclass(frozen=True)
class TrainScorerRequest:
    """Train a quality, toxicity or domain scorer, or one of any labels."""

    name: Annotated[str, Knob("What it judges: quality, toxicity, domain, or a word of your own.", 1, 40)] = "quality"
    data: Data = ()
    text_field: TextField = "text"
    label_field: LabelField = "label"
    target: Annotated[Literal["yes or no", "labels"], Knob("One probability (yes or no), or one for each label.")] = (
        "yes or no")
    yes: Annotated[tuple[str, ...], Knob("Labels that mean yes.", 1, 64, shown_if=("target", ("yes or no",)))] = (
        "1", "yes", "true", "toxic", "good", "score")
    method: Annotated[Literal["n-grams", "berteval"], Knob(
        "n-grams: seconds on a processor. berteval: the network of the paper, with a BERT where one is named.")] = (
        "n-grams")
    encoder: Annotated[str, Knob("Reference of a BERT; empty: hashed n-grams in its place.", 0, 400,
                                 shown_if=("method", ("berteval",)))] = ""
    low: Annotated[int, Knob("Shortest n-gram in characters.", 1, 8, 1, group="n-grams")] = 1
    high: Annotated[int, Knob("Longest n-gram in characters.", 1, 8, 1, group="n-grams")] = 3
    bits: Annotated[int, Knob("2 to this power buckets; 18 are 0.5 MB for each output.", 8, 22, 1,
                              group="n-grams")] = 18
    dim: Annotated[int, Knob("Width of fastText's hidden layer; 0: none, which is faster and as good.", 0, 256, 1,
                             group="n-grams")] = 0
    drop: Annotated[float, Knob("Share of n-grams left out at random while training.", 0.0, 0.9, 0.05,
                                group="n-grams")] = 0.0
    epochs: Annotated[int, Knob("Passes over the data; 0: the method's default.", 0, 200, 1)] = 0
    learning_rate: Annotated[float, Knob("Step size; 0: the method's default.", 0.0, 1.0)] = 0.0
    margin_ranking: Annotated[Literal["corrected", "official"], Knob(
        "Corrected, or as in the official code, where this loss is always 0.", shown_if=("method", ("berteval",)))] = (
        "corrected")
    pool: Annotated[tuple[str, ...], Knob("Unlabelled texts: for self-training (stage 2 of BERTEval), or for the "
                                          "teacher.", 0, 64)] = ()
    teacher: Annotated[str, Knob("Reference of a scorer, such as a BERTEval: what it scores best and worst in the pool "
                                 "is learned from (distillation); empty: no teacher.", 0, 400,
                                 shown_if=("method", ("n-grams",)))] = ""
    teacher_share: Annotated[float, Knob("Share of the pool that the teacher calls good, and as large a share bad.",
                                         0.01, 0.5, 0.01, shown_if=("method", ("n-grams",)))] = 0.3
    rounds: Annotated[int, Knob("Rounds of self-training.", 1, 100, 1, shown_if=("method", ("berteval",)))] = 2
    scheme: Annotated[Literal["paradigm", "ust", "ust_paradigm"], Knob(
        "Where positives of self-training come from: curated (official), crawl, or mostly curated.",
        shown_if=("method", ("berteval",)))] = "paradigm"
    held_out: Annotated[float, Knob("Share of the texts that figures are measured on.", 0.05, 0.5, 0.05)] = 0.2
    practice: Annotated[int, Knob("How many practice texts, where no data are given.", 40, 20_000, 1)] = 400
    language: PracticeLanguage = "zh"
    seed: Seed = 0

    def __post_init__(self) -> None:
        validate(self)
        if self.high < self.low:
            raise UserError(f"high is {self.high}; it must not be below low ({self.low}).")
        if self.method == "berteval" and self.target == "labels":
            raise UserError("BERTEval gives one score; it cannot be trained on labels.",
                            advice='Take the method "n-grams", or the target "yes or no".')
        taught = bool(self.teacher.strip())
        if taught and (self.method == "berteval" or self.target == "labels"):
            raise UserError("A teacher gives one score, which n-grams learn.",
                            advice='Take the method "n-grams" and the target "yes or no", or no teacher.')
        if taught and not self.pool:
            raise UserError("There is a teacher but no pool of texts for it to score.", advice="Give a pool.")
        if self.pool and not taught and self.method == "n-grams":
            raise UserError("There is a pool, but n-grams learn from one only with a teacher.",
                            advice='Name a teacher, take the method "berteval", or leave the pool out.')
        if not self.data and self.target == "labels":
            raise UserError("There are no practice texts with several labels.", advice="Give data.")


@dataclass(frozen=True)
class TrainScorerResult:
    """``figures`` of the held-out texts by name; ``path`` is the folder of the scorer inside the run. ``held_out``
    counts the texts that were measured on, ``near_copies`` held-out texts with a near-copy among those trained on."""

    path: str
    name: str
    version: str
    outputs: tuple[str, ...]
    texts: int
    held_out: int
    figures: Mapping[str, float | None]
    size_mb: float
    provenance: str
    notes: tuple[str, ...]
    seconds: float
    near_copies: int = 0


@dataclass(frozen=True)
class ToxicityRoundsRequest:
    """R0, R1, R2: what a judge in the loop adds to a toxicity scorer."""

    data: Data = ()
    pool: Annotated[tuple[str, ...], Knob("Texts that are scored and judged; with human labels in the label column, "
                                          "a share of them measures the rounds.", 0, 64)] = ()
    text_field: TextField = "text"
    label_field: LabelField = "label"
    yes: Annotated[tuple[str, ...], Knob("Labels that mean toxic.", 1, 64)] = ("1", "yes", "true", "toxic", "score")
    judge: Annotated[Literal["simulated", "model"], Knob(
        "simulated: the known label with some noise, no language model. model: a language model decides.")] = (
        "simulated")
    model: Annotated[str, Knob("Reference of the judging model; empty: the default one.", 0, 400, widget="model",
                               shown_if=("judge", ("model",)))] = ""
    votes: Annotated[int, Knob("How often the model is asked about each text.", 1, 2, 1,
                               shown_if=("judge", ("model",)))] = 2
    noise: Annotated[float, Knob("Share of wrong answers of the simulated judge.", 0.0, 0.49, 0.01,
                                 shown_if=("judge", ("simulated",)))] = 0.05
    rounds: Annotated[int, Knob("Rounds after R0.", 1, 10, 1)] = 2
    budget: Annotated[int, Knob("Texts judged in each round, at most.", 1, 100_000, 1)] = 200
    control: Annotated[bool, Knob("Also judge as many texts drawn at random, to compare.")] = True
    test_share: Annotated[float, Knob("Share of a labelled pool that measures the rounds.", 0.1, 0.9, 0.05)] = 0.5
    practice: Annotated[int, Knob("How many practice texts, where no data are given.", 40, 20_000, 1)] = 400
    language: PracticeLanguage = "zh"
    seed: Seed = 0

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class RoundFigures:
    """One round: figures on the test texts (``None`` without any), and what was judged for the next round."""

    name: str
    f1: float | None
    auc: float | None
    precision_at_99: float | None
    recall_at_99: float | None
    judged: int
    found_toxic: int
    for_people: int


@dataclass(frozen=True)
class ToxicityRoundsResult:
    """``control`` are the rounds with texts drawn at random. ``kappa`` compares the judge with human labels."""

    path: str
    judge: str
    rounds: tuple[RoundFigures, ...]
    control: tuple[RoundFigures, ...]
    kappa: float | None
    compared: int
    tokens: int
    provenance: str
    seconds: float


@dataclass(frozen=True)
class ScoreRequest:
    """Score texts with any scorers; nothing is dropped."""

    data: Data = ()
    text_field: TextField = "text"
    scorers: Annotated[tuple[str, ...], Knob("References of scorers: bundled:NAME, path:FOLDER, run:ID/scorer.",
                                             1, 16)] = ("bundled:mdfg-zh-quality", "bundled:mdfg-zh-toxicity",
                                                        "bundled:mdfg-zh-domain")
    toxic_from: Annotated[float, Knob("p(toxic) from which a text is labelled toxic.", 0.0, 1.0, 0.01)] = 0.99
    domain_from: Annotated[float, Knob("Probability from which a domain is one of a text's labels.", 0.0, 1.0,
                                       0.01)] = 0.3
    practice: Annotated[int, Knob("How many practice texts, where no data are given.", 40, 20_000, 1)] = 100
    language: PracticeLanguage = "zh"
    seed: Seed = 0

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class ScoreResult:
    """``means`` by column; ``counts`` of verdicts (toxic, empty, each domain)."""

    path: str
    texts: int
    columns: tuple[str, ...]
    means: Mapping[str, float]
    counts: Mapping[str, int]
    scorers: Mapping[str, Json] = field(default_factory=dict)
    seconds: float = 0.0
