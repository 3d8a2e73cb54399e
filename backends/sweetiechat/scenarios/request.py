"""Request and result of the scenario task (:mod:`task`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from backends.sweetiechat.objects import Language
from workbench.contract import Knob
from workbench.fields import validate

TYPES, TEXTS, WORDS = "Problem types", "Scenarios and cards", "Decoding"
Form = Literal["auto", "json", "lines"]


@dataclass(frozen=True)
class ScenarioRequest:
    """How many problem types to evolve, and how many scenarios to write for them. Target, limit, dry spell and number
    of examples follow the published description of the evolving pool; everything else is our default."""

    language: Annotated[Language, Knob("Language of the texts", group=TYPES)] = "en"
    model: Annotated[str, Knob("Who writes (empty: the default model)", None, 500, widget="model", group=TYPES)] = ""
    form: Annotated[Form, Knob("How the model answers: as JSON, or in lines with fixed labels (small models); auto "
                               "goes by its size", group=TYPES)] = "auto"
    seeds: Annotated[Literal["esconv", "bundled", "esconv+extes"], Knob(
        "Where the pool starts: ESConv's 12 topics, all bundled types, or ESConv's topics and ExTES' scenes",
        group=TYPES)] = "esconv"
    target: Annotated[int, Knob("The pool is full at so many types", 1, 2000, 1, group=TYPES)] = 45
    max_similarity: Annotated[float, Knob("A new type must be less like every other one (ROUGE-L of name and gloss)",
                                          0.05, 1, 0.05, group=TYPES)] = 0.5
    dry_rounds: Annotated[int, Knob("Stop after so many rounds without a new type", 1, 100, 1, group=TYPES)] = 5
    max_rounds: Annotated[int, Knob("Stop after so many rounds", 0, 10_000, 1, group=TYPES)] = 60
    prompts: Annotated[int, Knob("Prompts a round, each about another category", 1, 50, 1, group=TYPES)] = 5
    per_prompt: Annotated[int, Knob("New types asked for in one prompt", 1, 10, 1, group=TYPES)] = 2
    examples: Annotated[int, Knob("Types shown in a prompt: half seeds, half evolved ones", 2, 12, 1, group=TYPES)] = 4
    fit: Annotated[bool, Knob("Let the model's own scores check that a gloss fits its name and a situation its problem",
                              group=TYPES)] = True
    scenarios: Annotated[int, Knob("How many scenarios to write", 0, 100_000, 1, group=TEXTS)] = 45
    cards: Annotated[int, Knob("Seeker cards for each scenario", 0, 10, 1, group=TEXTS)] = 1
    redraws: Annotated[int, Knob("How often a rejected text is written again", 0, 10, 1, group=TEXTS)] = 2
    batch: Annotated[int, Knob("How many are written together", 1, 64, 1, group=TEXTS)] = 8
    temperature: Annotated[float, Knob("0 always takes the likeliest word", 0, 2, 0.05, group=WORDS)] = 0.7
    top_p: Annotated[float, Knob("Share of probability that words are drawn from", 0.05, 1, 0.05, group=WORDS)] = 0.9
    seed: Annotated[int, Knob("Same seed, same texts", 0, 2**31 - 1, 1, group=WORDS)] = 0

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class ScenarioResult:
    """What came out. ``accepted`` and ``rejected`` count candidates for types, ``stop`` says why the pool stopped
    growing; ``reasons`` counts the rules that candidates and texts failed."""

    types: int
    accepted: int
    rejected: int
    rounds: int
    stop: str
    scenarios: int
    cards: int
    scenario_attempts: int
    card_attempts: int
    provenance: str = "synthetic"
    reasons: Mapping[str, int] = field(default_factory=dict)
