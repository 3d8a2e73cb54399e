"""Requests and results of the tasks on text alone: stage 0 and its gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from workbench.contract import Json, Knob
from workbench.fields import validate

DATA, MODEL, STEPS, EXPERT = "Data", "Model", "Optimisation", "Expert"
Language = Annotated[str, Knob("Language model: path:, run:, package: or hub: (empty: the default one)", None, 500,
                               group=MODEL, widget="model")]


@dataclass(frozen=True)
class Stage0Request:
    """Teach a small language model to answer one sentence in five ways, by the emotion that is named (spec G.2)."""

    model: Annotated[str, Knob("Language model to tune (empty: a new one of 2 to 5 million weights)", None, 500,
                               group=MODEL, widget="model")] = ""
    method: Annotated[Literal["lora", "full"], Knob("What is tuned of a model that is named", group=MODEL)] = "lora"
    width: Annotated[int, Knob("Width of the new model", 16, 1024, 16, group=MODEL, shown_if=("model", ("",)))] = 192
    layers: Annotated[int, Knob("Layers of the new model", 1, 24, 1, group=MODEL, shown_if=("model", ("",)))] = 5
    vocabulary: Annotated[int, Knob("Pieces of the new model", 300, 20_000, 100, group=MODEL,
                                    shown_if=("model", ("",)))] = 1200
    sentences: Annotated[int, Knob("Sentences of the practice talk, each answered in five ways", 20, 100_000, 100,
                                   group=DATA)] = 3000
    sayings: Annotated[int, Knob("How often the ten sentences of the practice clips come on top", 0, 1000, 1,
                                 group=DATA)] = 0
    pairs: Annotated[str, Knob("Own pairs instead: lines with emotion, text, output (path: or run:)", None, 500,
                               group=DATA)] = ""
    epochs: Annotated[float, Knob("How often every pair is seen", 0.01, 100, 1, group=STEPS)] = 2.0
    max_steps: Annotated[int, Knob("Stop after so many steps (0: after the epochs)", 0, 1_000_000, 1, group=STEPS)] = 0
    batch: Annotated[int, Knob("Pairs a step", 1, 1024, 1, group=STEPS)] = 32
    learning_rate: Annotated[float, Knob("Highest learning rate", 1e-7, 1, group=STEPS)] = 2e-3
    checked: Annotated[int, Knob("Sentences that the gate asks about, in every emotion", 2, 1000, 1, group=EXPERT)] = 40
    half: Annotated[bool, Knob("Keep the weights in 16 bits (half the size)", group=EXPERT)] = False
    seed: Annotated[int, Knob("Same seed, same weights on one processor", 0, 2**31 - 1, 1, group=EXPERT)] = 0

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class GateRequest:
    """Ask a language model in all emotions and let a frozen text classifier tell them apart (acceptance 3)."""

    model: Language = ""
    checked: Annotated[int, Knob("Sentences, each in five emotions", 2, 1000, 1, group=DATA)] = 40
    seed: Annotated[int, Knob("Chooses the sentences", 0, 2**31 - 1, 1, group=EXPERT)] = 0

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class GateResult:
    """``separated``: share of replies whose emotion the classifier finds (chance 0.2); ``content``: share whose own
    sentence makes them likelier than the other sentences do (chance 1 / ``pool``); ``classifier``: its accuracy on
    reference replies it has not seen; ``weights``: sha256 of the model that was asked."""

    passed: bool
    separated: float
    content: float
    pool: int
    classifier: float
    replies: int
    weights: str
    why: str
    by_emotion: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage0Result:
    """The tuned model and what the gate says of it."""

    path: str
    gate: GateResult
    pairs: int
    steps: int
    parameters: int
    first_loss: float
    last_loss: float
    train_seconds: float
