"""Requests and results of the training tasks; forms, command line and records are made from them. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from workbench.contract import Knob, UserError
from workbench.fields import validate

DATA, MODEL, STEPS, KEEP, EXPERT = "Data", "Model", "Optimisation", "What is kept", "Expert"
LORA = ("method", ("lora",))


@dataclass(frozen=True)
class TrainRequest:
    """Fine-tune a language model on the supporter's turns. Defaults are spec A.8's (ours; the paper's are not public),
    with batch and clipping in our units: a batch counts dialogues, the loss is a sum over a reply."""

    data: Annotated[tuple[str, ...], Knob(
        "Where the dialogues are: 'practice', path:/folder/file of any known format, or a hub data set", 1, 20,
        group=DATA)] = ("practice",)
    weights: Annotated[tuple[float, ...], Knob(
        "Share of each data source in an epoch, for example 3, 1, 1 (empty: every dialogue once)", None, 20,
        group=DATA)] = ()
    held_out: Annotated[float, Knob("Share of dialogues to measure on; they share no scenario with the others", 0, 0.9,
                                    0.05, group=DATA)] = 0.1
    only_accepted: Annotated[bool, Knob("Leave out dialogues that quality control rejected or keeps for a person",
                                        group=DATA)] = True
    variant: Annotated[Literal["joint", "given", "plain"], Knob(
        "joint: the agent writes its strategy and the reply; given: a counselor gives the strategy; plain: none",
        group=DATA)] = "joint"
    strategy_weight: Annotated[float, Knob("Weight of the strategy's tokens in the loss", 0, 10, 0.1, group=DATA,
                                           shown_if=("variant", ("joint",)))] = 1.0
    model: Annotated[str, Knob("Model to start from (empty: the default model)", None, 500, group=MODEL,
                               widget="model")] = ""
    method: Annotated[Literal["lora", "full"], Knob("lora: small adapters on a frozen model; full: every weight",
                                                    group=MODEL)] = "lora"
    rank: Annotated[int, Knob("Rank of the adapters", 1, 512, 1, group=MODEL, shown_if=LORA)] = 16
    alpha: Annotated[int, Knob("Scale of the adapters: alpha / rank", 1, 2048, 1, group=MODEL, shown_if=LORA)] = 32
    dropout: Annotated[float, Knob("Share of adapter inputs left out at random", 0, 0.9, 0.01, group=MODEL,
                                   shown_if=LORA)] = 0.05
    length: Annotated[int, Knob("Longest sequence in tokens; longer dialogues are cut as in use", 32, 131_072, 1,
                                group=MODEL)] = 2048
    epochs: Annotated[float, Knob("How often every dialogue is seen", 0.01, 1000, 0.5, group=STEPS)] = 3.0
    max_steps: Annotated[int, Knob("Stop after so many steps (0: after the epochs)", 0, 10_000_000, 1,
                                   group=STEPS)] = 0
    batch: Annotated[int, Knob("Dialogues a step (ESConv's have 11 replies each)", 1, 4096, 1, group=STEPS)] = 8
    learning_rate: Annotated[float, Knob("Highest learning rate", 1e-8, 1, group=STEPS)] = 1e-4
    warmup: Annotated[float, Knob("Share of the steps in which the rate rises", 0, 1, 0.01, group=STEPS)] = 0.03
    weight_decay: Annotated[float, Knob("Pull of matrices towards 0", 0, 1, 0.01, group=STEPS)] = 0.0
    clip: Annotated[float, Knob("Longest gradient (0: no limit); a reply's loss is a sum of about 20 tokens", 0, 1e6, 1,
                                group=STEPS)] = 20.0
    loss_per: Annotated[Literal["reply", "token"], Knob("What the loss is a mean over", group=EXPERT)] = "reply"
    micro_tokens: Annotated[int, Knob("Most tokens in one pass; lower it when memory runs out", 32, 10_000_000, 1,
                                      group=EXPERT)] = 4096
    gradient_checkpointing: Annotated[bool, Knob("Compute activations twice to save memory", group=EXPERT)] = False
    precision: Annotated[Literal["auto", "float32", "bfloat16"], Knob(
        "auto: bfloat16 on a GPU, float32 on the processor", group=EXPERT)] = "auto"
    evaluate_every: Annotated[int, Knob("Steps between measurements (0: once an epoch)", 0, 10_000_000, 1,
                                        group=EXPERT)] = 0
    save_every: Annotated[int, Knob("Steps between checkpoints (0: about once a minute)", 0, 10_000_000, 1,
                                    group=EXPERT)] = 0
    tracker: Annotated[Literal["", "tensorboard", "trackio", "wandb"], Knob(
        "Also send the curves to this tracker, if it is installed (wandb sends them to its server)",
        group=EXPERT)] = ""
    keep: Annotated[Literal["last", "best"], Knob("Keep the last weights, or those with the lowest held-out loss",
                                                  group=KEEP)] = "last"
    save: Annotated[Literal["model", "adapter", "both"], Knob(
        "model: a folder that opens everywhere; adapter: a few MB that need the model they were trained on",
        group=KEEP)] = "model"
    name: Annotated[str, Knob("Name of the trained model", 1, 80, group=KEEP)] = "SweetieChat"
    licence: Annotated[str, Knob("Licence for the card; data that forbids commercial use binds the model too", None,
                                 80, group=KEEP)] = ""
    seed: Annotated[int, Knob("Same seed, same weights on one processor", 0, 2**31 - 1, 1, group=EXPERT)] = 0

    def __post_init__(self) -> None:
        validate(self)
        if self.weights and len(self.weights) != len(self.data):
            raise UserError(f"weights has {len(self.weights)} entries and data has {len(self.data)}; "
                            "give one weight for each data source.")
        if self.keep == "best" and self.held_out == 0:
            raise UserError("keep is 'best' and held_out is 0; the best weights cannot be known without a measurement.",
                            advice="Hold out a share of the dialogues, for example 0.1.")
        if self.save != "model" and self.method == "full":
            raise UserError(f"save is {self.save!r} and method is 'full'; there is no adapter to save.",
                            advice="Set save to model.")


@dataclass(frozen=True)
class SavedModel:
    """A folder that the run made: ``path:`` followed by ``path`` is its reference."""

    kind: str
    path: str


@dataclass(frozen=True)
class Measured:
    """Held-out figures after ``step`` steps: perplexity of the responses with their end tokens, for ``joint`` nats a
    reply of the strategies (2.08 would be guessing among eight), and nats a reply of both together."""

    step: int
    perplexity: float
    strategy_nats: float | None
    loss: float


@dataclass(frozen=True)
class TrainResult:
    """What came of it. Losses are nats a reply (or a token), as asked; ``measured`` has one entry a measurement."""

    saved: tuple[SavedModel, ...]
    steps: int
    kept_step: int
    dialogues: int
    held_out: int
    replies: int
    learned_tokens: int
    left_out: tuple[str, ...]
    trained_weights: int
    all_weights: int
    first_loss: float
    last_loss: float
    measured: tuple[Measured, ...]
    train_seconds: float
    tokens_per_second: float


@dataclass(frozen=True)
class ClassifierRequest:
    """Train p(strategy | history), which counsels, or p(strategy | utterance), which checks; test it by dialogue."""

    data: Annotated[tuple[str, ...], Knob(
        "Where the dialogues are: 'practice', path:/folder/file of any known format, or a hub data set", 1, 20,
        group=DATA)] = ("practice",)
    reads: Annotated[Literal["history", "utterance"], Knob(
        "history: the strategy that should come next; utterance: the strategy that a reply carries out",
        group=DATA)] = "history"
    only_accepted: Annotated[bool, Knob("Leave out dialogues that quality control rejected or keeps for a person",
                                        group=DATA)] = True
    kind: Annotated[Literal["linear", "lm", "both"], Knob(
        "linear: words and strategy history; lm: hidden state of a language model; both: side by side",
        group=MODEL)] = "linear"
    model: Annotated[str, Knob("Language model that reads (empty: the default model)", None, 500, group=MODEL,
                               widget="model", shown_if=("kind", ("lm", "both")))] = ""
    strength: Annotated[float, Knob("How freely weights may grow (C of the logistic regression)", 1e-6, 1e6,
                                    group=MODEL)] = 0.5
    gamma: Annotated[float, Knob("Weight of a strategy: (1 / its frequency) ** gamma", 0, 2, 0.1, group=MODEL)] = 0.6
    folds: Annotated[int, Knob("Parts of the cross-validation; a dialogue is in one part only", 2, 50, 1,
                               group=EXPERT)] = 5
    resamples: Annotated[int, Knob("Draws of the bootstrap over dialogues", 10, 100_000, 10, group=EXPERT)] = 1000
    seed: Annotated[int, Knob("Same seed, same folds", 0, 2**31 - 1, 1, group=EXPERT)] = 0

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Scored:
    """One figure of the cross-validation with its interval over dialogues, and the figures of two baselines."""

    name: str
    value: float
    low: float | None
    high: float | None
    majority: float
    last_turn: float


@dataclass(frozen=True)
class ClassifierResult:
    """How well the strategies are told; the classifier itself was then trained on all dialogues. ``each`` is the F1 of
    every strategy."""

    saved: tuple[SavedModel, ...]
    dialogues: int
    turns: int
    figures: tuple[Scored, ...]
    each: dict[str, float]
    bias: float
    warnings: tuple[str, ...]
    train_seconds: float
