"""The requests and results of the dialogue tasks; forms, command line and records are made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from backends.sweetiechat.objects import Language
from backends.sweetiechat.quality.verdict import Limits
from workbench.contract import Json, Knob, UserError
from workbench.fields import validate

MODELS, TALK, COUNSEL, WORDS, QUALITY = "Models", "Dialogue", "Counselor", "Decoding", "Quality"


def check_lengths(least: int, most: int) -> None:
    """Raise ``UserError`` where the shortest utterance would be longer than the longest."""
    if least > most:
        raise UserError(f"min_new_tokens is {least} and max_new_tokens is {most}; "
                        "min_new_tokens must not be above max_new_tokens.")


@dataclass(frozen=True)
class TalkSettings:
    """What a watched dialogue and a batch of them have in common. Decoding follows ESConv's script (top-p 0.9, no
    top-k, at most 40 new tokens) but for what read best with the embedded model: temperature 0.6 instead of 0.7,
    at least 6 tokens instead of 10, repetition penalty 1.05; no-repeat-3 is off: it forbids the card's own words."""

    language: Annotated[Language, Knob("Language of the dialogue", group=TALK)] = "en"
    library: Annotated[str, Knob("Scenarios and cards: empty for the bundled ones, or run:ID of a run of the scenario "
                                 "engine", None, 200, group=TALK)] = ""
    strategy_set: Annotated[str, Knob("esconv-8, extes-16, escot-13, or your own set as YAML text", 1, 100_000,
                                      group=COUNSEL, widget="text")] = "esconv-8"
    classifier: Annotated[str, Knob("The trained strategy classifier that counsels: run:ID/classifier, or path: and "
                                    "its folder", None, 500, group=COUNSEL,
                                    shown_if=("counselor", ("classifier",)))] = ""
    seeker_model: Annotated[str, Knob("Who plays the seeker (empty: the default model)", None, 500, group=MODELS,
                                      widget="model")] = ""
    counselor_model: Annotated[str, Knob("Who counsels (empty: the default model)", None, 500, group=MODELS,
                                         widget="model")] = ""
    supporter_model: Annotated[str, Knob("Who plays the supporter (empty: the default model)", None, 500,
                                         group=MODELS, widget="model")] = ""
    seeker_state: Annotated[Literal["scored", "json"], Knob(
        "How the seeker's private state is read: scored after each turn (works with small models), or returned by "
        "the model as JSON", group=MODELS)] = "scored"
    min_turns: Annotated[int, Knob("The seeker does not end the talk before this many turns", 2, 200, 1,
                                   group=TALK)] = 8
    max_turns: Annotated[int, Knob("The talk ends at this many turns", 2, 200, 1, group=TALK)] = 24
    stop_early: Annotated[bool, Knob("Off: only max_turns, a safety stop, the budget or Stop end the talk",
                                     group=TALK)] = True
    beta: Annotated[float, Knob("How much of the label's own prior is taken off its score", 0, 2, 0.05,
                                group=COUNSEL, shown_if=("counselor", ("scored", "prompt")))] = 1.0
    choice_temperature: Annotated[float, Knob("0 takes the best strategy; above 0 samples softmax(score / T)", 0, 5,
                                              0.05, group=COUNSEL,
                                              shown_if=("counselor", ("scored", "prompt", "classifier")))] = 0.7
    stage_weight: Annotated[float, Knob("Bonus for strategies that fit the stage of the talk", 0, 5, 0.05,
                                        group=COUNSEL,
                                        shown_if=("counselor", ("scored", "prompt", "classifier")))] = 0.5
    repeat_weight: Annotated[float, Knob("Penalty for each use among the last three strategies", 0, 5, 0.05,
                                         group=COUNSEL,
                                         shown_if=("counselor", ("scored", "prompt", "classifier")))] = 0.5
    choice_top_k: Annotated[int, Knob("Draw among the best strategies only, so many (0: all)", 0, 100, 1, group=COUNSEL,
                                      shown_if=("counselor", ("scored", "prompt", "classifier")))] = 0
    rebalance: Annotated[float, Knob("Class re-weighting of the classifier: a strategy gains this times "
                                     "log(1 / its frequency)", 0, 3, 0.05, group=COUNSEL,
                                     shown_if=("counselor", ("classifier",)))] = 0.0
    max_new_tokens: Annotated[int, Knob("Longest utterance in tokens", 8, 400, 1, group=WORDS)] = 40
    min_new_tokens: Annotated[int, Knob("Shortest utterance in tokens", 0, 100, 1, group=WORDS)] = 6
    temperature: Annotated[float, Knob("0 always takes the likeliest word", 0, 2, 0.05, group=WORDS)] = 0.6
    top_p: Annotated[float, Knob("Share of probability that words are drawn from", 0.05, 1, 0.05, group=WORDS)] = 0.9
    top_k: Annotated[int, Knob("Words to draw from (0: no limit)", 0, 1000, 1, group=WORDS)] = 0
    repetition_penalty: Annotated[float, Knob("Above 1 makes used words less likely", 1, 2, 0.01,
                                              group=WORDS)] = 1.05
    no_repeat_ngram: Annotated[int, Knob("No run of this many tokens twice in an utterance or its prompt "
                                         "(0: off)", 0, 10, 1, group=WORDS)] = 0
    redraws: Annotated[int, Knob("How often an utterance that breaks a rule (role swapped, said before) is drawn "
                                 "again", 0, 5, 1, group=WORDS)] = 2
    seed: Annotated[int, Knob("Same seed, same words", 0, 2**31 - 1, 1, group=TALK)] = 0
    budget_tokens: Annotated[int, Knob("Stop when this many new tokens were made in all (0: no limit)", 0, 10**9, 1,
                                       group=TALK)] = 0

    def __post_init__(self) -> None:
        validate(self)
        counselor = getattr(self, "counselor", "")
        if counselor == "classifier" and not self.classifier.strip():
            raise UserError("counselor is 'classifier' and classifier is empty; there is no classifier to ask.",
                            advice="Train one (sweetiechat.classifier.v1) and give it as run:ID/classifier.")
        check_lengths(self.min_new_tokens, self.max_new_tokens)


@dataclass(frozen=True)
class DialogueRequest(TalkSettings):
    """One dialogue that a person watches and may take part in."""

    scenario: Annotated[str | dict[str, Json], Knob(
        "A bundled scenario's id, your own situation in a few sentences, or a table of scenario fields",
        widget="text", group=TALK)] = "sleep"
    card: Annotated[str | dict[str, Json], Knob(
        "A bundled card's id (empty: the scenario's first card), or a table of card fields",
        widget="text", group=TALK)] = ""
    counselor: Annotated[Literal["scored", "prompt", "classifier", "agent", "oracle", "none", "you"], Knob(
        "How the strategy is chosen: the labels are scored, the model writes JSON, a trained classifier, the trained "
        "agent itself, the strategies of the recorded dialogue, no strategy, or you choose", group=COUNSEL)] = "scored"
    human_roles: Annotated[tuple[Literal["seeker", "supporter"], ...], Knob(
        "Roles that a person plays from the start", None, 2, group=TALK)] = ()
    pause_after_turn: Annotated[bool, Knob("Wait for Continue after every turn", group=TALK)] = False
    origin: Annotated[dict[str, Json], Knob("A recorded dialogue as JSON that this one branches off (empty: none)",
                                            widget="hidden", group=TALK)] = field(default_factory=dict)
    fork_turn: Annotated[int, Knob("Turns of the recorded dialogue to keep (-1: all)", -1, 100_000, 1,
                                   widget="hidden", group=TALK)] = -1
    fork_strategy: Annotated[str, Knob("Strategy of the next supporter turn (empty: as the counselor decides)", None,
                                       100, widget="hidden", group=TALK)] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.counselor == "oracle" and not self.origin:
            raise UserError("counselor is 'oracle' and origin is empty; there is no recorded dialogue whose strategies "
                            "could be followed.", advice="Branch a recorded dialogue, or choose another counselor.")


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class GenerateRequest(TalkSettings):
    """Many dialogues, advanced together in batches; scenario and card are balanced over the problems."""

    count: Annotated[int, Knob("How many dialogues", 1, 100_000, 1, group=TALK)] = 16
    batch: Annotated[int, Knob("How many are advanced together", 1, 256, 1, group=TALK)] = 16
    problems: Annotated[tuple[str, ...], Knob("Problem ids or categories to draw from (empty: all)", None, 200,
                                              group=TALK)] = ()
    counselor: Annotated[Literal["scored", "prompt", "classifier", "agent", "none"], Knob(
        "How the strategy is chosen: the labels are scored, the model writes JSON, a trained classifier, the trained "
        "agent itself, or no strategy", group=COUNSEL)] = "scored"
    quality: Annotated[bool, Knob("Judge every dialogue when it ends; rejected ones are marked and kept as negatives",
                                  group=QUALITY)] = True
    checker: Annotated[str, Knob("A classifier of utterances that checks whether a reply carries out its strategy: "
                                 "run:ID/classifier (empty: not checked)", None, 500, group=QUALITY)] = ""
    limits: Annotated[Limits, Knob("Where quality control draws the line", group=QUALITY)] = DEFAULT_LIMITS


@dataclass(frozen=True)
class DialogueResult:
    """How a watched dialogue ended; the dialogue itself is the artifact ``dialogue.json``."""

    dialogue: str
    stop_reason: str
    turns: int
    tokens: int
    intensity_first: int
    intensity_last: int


@dataclass(frozen=True)
class GenerateResult:
    """What a batch made; the dialogues are the artifact ``dialogues.jsonl``, one a line, and ``quarantined.jsonl`` for
    a person to look at. ``quality`` counts dialogues by status, ``failed`` and ``unchecked`` by rule."""

    dialogues: int
    turns: int
    tokens: int
    stop_reasons: Mapping[str, int] = field(default_factory=dict)
    strategies: Mapping[str, int] = field(default_factory=dict)
    quality: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    unchecked: Mapping[str, int] = field(default_factory=dict)
