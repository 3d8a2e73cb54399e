"""Request and result of ``sweetiechat.evaluate.v1``: a supporter measured on dialogues it has not seen. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from backends.sweetiechat.requests import check_lengths
from workbench.contract import Knob, UserError
from workbench.fields import validate

DATA, MODEL, STRATEGY, WORDS, EXPERT = "Data", "Model", "Strategy", "Decoding", "Expert"


@dataclass(frozen=True)
class EvaluateRequest:
    """At every supporter turn of real dialogues, what strategy and reply would the model have given?"""

    model: Annotated[str, Knob("Who is measured: a trained agent (run:ID/model) or any model (empty: the default "
                               "model)", None, 500, group=MODEL, widget="model")] = ""
    asked: Annotated[Literal["fitting", "chat", "prompts"], Knob(
        "How the model is spoken to. chat: the text that agents are trained on; prompts: the role-play's prompts; "
        "fitting: chat for trained agents, prompts for others", group=MODEL)] = "fitting"
    data: Annotated[tuple[str, ...], Knob(
        "Dialogues to measure on: 'practice', run:ID, path:/folder/file of any known format (empty: those that the "
        "agent's training held out)", None, 20, group=DATA)] = ()
    dialogues: Annotated[int, Knob("Most dialogues to measure on, drawn by the seed (0: all)", 0, 1_000_000, 1,
                                   group=DATA)] = 0
    turns: Annotated[int, Knob("Most supporter turns of each, spread evenly over it (0: all)", 0, 10_000, 1,
                               group=DATA)] = 0
    mode: Annotated[Literal["auto", "counselor", "oracle"], Knob(
        "Who chooses the strategy. auto: the model itself; counselor: a counselor; oracle: the real supporter's own "
        "strategy is given away, which must be asked for", group=STRATEGY)] = "auto"
    labelled_oracle: Annotated[bool, Knob("Yes, measure with the real strategies given away; every figure says so",
                                          group=STRATEGY, shown_if=("mode", ("oracle",)))] = False
    counselor: Annotated[Literal["scored", "classifier"], Knob(
        "scored: the labels are scored by the counselor model; classifier: a trained one", group=STRATEGY,
        shown_if=("mode", ("counselor",)))] = "scored"
    counselor_model: Annotated[str, Knob("Who scores the labels (empty: the default model)", None, 500,
                                         group=STRATEGY, widget="model", shown_if=("counselor", ("scored",)))] = ""
    classifier: Annotated[str, Knob("The trained strategy classifier: run:ID/classifier, or path: and its folder",
                                    None, 500, group=STRATEGY, shown_if=("counselor", ("classifier",)))] = ""
    choice_temperature: Annotated[float, Knob("0 takes the likeliest strategy; above 0 samples softmax(score / T)", 0,
                                              5, 0.05, group=STRATEGY)] = 0.0
    max_new_tokens: Annotated[int, Knob("Longest reply in tokens", 8, 400, 1, group=WORDS)] = 40
    min_new_tokens: Annotated[int, Knob("Shortest reply in tokens", 0, 100, 1, group=WORDS)] = 10
    temperature: Annotated[float, Knob("0 always takes the likeliest word", 0, 2, 0.05, group=WORDS)] = 0.7
    top_p: Annotated[float, Knob("Share of probability that words are drawn from", 0.05, 1, 0.05, group=WORDS)] = 0.9
    repetition_penalty: Annotated[float, Knob("Above 1 makes used words less likely", 1, 2, 0.01, group=WORDS)] = 1.0
    batch: Annotated[int, Knob("How many dialogues are measured together", 1, 256, 1, group=EXPERT)] = 16
    resamples: Annotated[int, Knob("Draws of the bootstrap over dialogues", 10, 100_000, 10, group=EXPERT)] = 1000
    seed: Annotated[int, Knob("Same seed, same dialogues and words", 0, 2**31 - 1, 1, group=EXPERT)] = 0

    def __post_init__(self) -> None:
        validate(self)
        if self.mode == "oracle" and not self.labelled_oracle:
            raise UserError("mode is 'oracle' and labelled_oracle is off: the real strategies would be given to the "
                            "model, and its figures would look better than it is.",
                            advice="Choose auto or counselor, or turn labelled_oracle on; the figures then say so.")
        if self.mode == "counselor" and self.counselor == "classifier" and not self.classifier.strip():
            raise UserError("counselor is 'classifier' and classifier is empty; there is no classifier to ask.",
                            advice="Train one (sweetiechat.classifier.v1) and give it as run:ID/classifier.")
        check_lengths(self.min_new_tokens, self.max_new_tokens)


@dataclass(frozen=True)
class Figure:
    """One figure with its percentile interval over dialogues (none where it cannot be known). ``name`` says the
    variant, ``items`` how many turns are in it; ``tokenizer`` is empty where no text was cut."""

    name: str
    value: float
    low: float | None
    high: float | None
    unit: str
    items: int
    tokenizer: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StrategyUse:
    """One strategy: how often it was the real one and how often the model's, its F1, and its preference p (above 1:
    over-used)."""

    key: str
    gold: int
    said: int
    f1: float
    preference: float


@dataclass(frozen=True)
class EvaluateResult:
    """What was measured; one line a turn is in ``predictions.jsonl``. ``asked`` and ``mode`` are what was really done;
    ``left_out`` says which turns and dialogues are not in the figures, and why."""

    model: str
    asked: str
    mode: str
    dialogues: int
    turns: int
    figures: tuple[Figure, ...]
    strategies: tuple[StrategyUse, ...]
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: float
