"""What a rule says about a dialogue, and the limits that the rules use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from workbench.contract import Json, Knob
from workbench.fields import validate


@dataclass(frozen=True)
class Verdict:
    """One rule's answer. ``passed`` is ``None`` when the rule could not be checked; ``reason`` then says why.

    ``value`` is what was measured (a number, or a table of turn numbers), always plain JSON.
    """

    rule: str
    passed: bool | None
    value: Json
    reason: str


@dataclass(frozen=True)
class Limits:
    """Where the rules draw the line. Length and the duplicate limit are the spec's, the rest are our defaults.

    People write turns like "hi" and "ok": the length rule as it stands rejects 121 of 195 real ESConv dialogues.
    It is meant for generated ones; give ``max_odd_lengths`` for others.
    """

    min_tokens: Annotated[int, Knob("Shortest turn in tokens", 1, 1000, 1, group="Quality")] = 3
    max_tokens: Annotated[int, Knob("Longest turn in tokens", 1, 10_000, 1, group="Quality")] = 80
    max_odd_lengths: Annotated[int, Knob("Turns that may be shorter or longer than that", 0, 1000, 1,
                                         group="Quality")] = 0
    shingle: Annotated[int, Knob("Tokens in a shingle", 1, 20, 1, group="Quality")] = 5
    max_similarity: Annotated[float, Knob("Above this Jaccard similarity two texts are duplicates", 0, 1, 0.05,
                                          group="Quality")] = 0.7
    fact_overlap: Annotated[float, Knob("Share of a fact's words from which a sentence tells that fact", 0.1, 1, 0.05,
                                        group="Quality")] = 0.7
    max_advising: Annotated[int, Knob("Turns in which the seeker may give advice", 0, 100, 1, group="Quality")] = 1
    top_k: Annotated[int, Knob("The planned strategy must be among the first k of the scorer", 1, 50, 1,
                               group="Quality")] = 3
    min_consistent: Annotated[float, Knob("Share of supporter turns that must carry out their strategy", 0, 1, 0.05,
                                          group="Quality")] = 0.6
    min_distinct: Annotated[float, Knob("Smallest Distinct-2 of a dialogue in percent", 0, 100, 1,
                                        group="Quality")] = 50.0
    outcome: Annotated[bool, Knob("Reject a dialogue that did not help, by ESConv's rule for failed ones",
                                  group="Quality")] = True

    def __post_init__(self) -> None:
        validate(self)


def turns_named(numbers: list[int]) -> str:
    """``turn 3`` or ``turns 3, 5 and 8``, counted from 1 as people do; long lists are cut."""
    shown = [str(number + 1) for number in numbers[:6]]
    if len(numbers) > 6:
        shown.append(f"{len(numbers) - 6} more")
    head, last = ", ".join(shown[:-1]), shown[-1]
    return f"turns {head} and {last}" if head else f"turn {last}"
