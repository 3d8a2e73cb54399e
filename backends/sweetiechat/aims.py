"""What the seeker means to do in the next turn: decided from what the seeker knows, before any word is made.

Spec A.4 asks for facts told little by little, resistance to advice, no gratitude loop, and the freedom to end
the talk. A large model can be asked for all that; a small one needs it decided, so this plan is our default:

* the first turn opens; "how long" is answered once with the time frame;
* a hidden fact comes out every ``GAPS[openness]`` seeker turns;
* advice meets, once, what was tried already, else thought (with probability openness / 6) or doubt;
* a question gets a detail of the situation while there are any, else a plain answer;
* comfort gets a feeling, a detail, once the hope behind the talk, or relief when the level has fallen by 1;
* from ``min_turns`` on, when the facts are told, the seeker ends the talk with probability
  ``0.1 + 0.25 * max(0, intensity_0 - level)`` per turn.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from backends.sweetiechat.objects import Dialogue, Scenario
    from backends.sweetiechat.wording import Wording

AimKind = Literal["open", "since", "reveal", "detail", "answer", "tried", "goal", "feel", "doubt", "consider", "relief",
                  "close"]
GAPS = {1: 5, 2: 4, 3: 3, 4: 2, 5: 2}
"""Seeker turns from one told fact to the next, by openness (our default)."""


@dataclass(frozen=True)
class Aim:
    """A plan for one seeker turn; ``item`` numbers the hidden fact or the detail to tell (from 0)."""

    kind: AimKind
    item: int | None = None

    def __str__(self) -> str:
        return self.kind if self.item is None else f"{self.kind}:{self.item}"


def details_of(scenario: Scenario) -> tuple[str, ...]:
    """What there is to tell of a situation: its sentences, and what set it off."""
    sentences = [s.strip() for s in re.findall(r"[^.!?。！？]+[.!?。！？]+|[^.!?。！？]+$", scenario.situation)]
    return tuple(s for s in (*sentences, scenario.trigger.strip()) if s)


def next_aim(dialogue: Dialogue, wording: Wording, rng: random.Random, min_turns: int) -> Aim:
    """The seeker's plan for the next turn (see above). Looks at nothing the seeker does not know."""
    own = dialogue.said_by("seeker")
    if not own:
        return Aim("open")
    done = [turn.private.aim for turn in own if turn.private]
    private, scenario = dialogue.last_private(), dialogue.scenario
    fallen = scenario.intensity_0 - (private.level if private and private.level else float(scenario.intensity_0))
    left = _facts_left(dialogue)
    if not left and len(dialogue.turns) + 1 >= min_turns and rng.random() < 0.1 + 0.25 * max(0.0, fallen):
        return Aim("close")
    heard = dialogue.turns[-1].text if dialogue.turns[-1].role == "supporter" else ""
    if wording.pattern("seeker", "asks_since").search(heard) and scenario.time_frame and "since" not in done:
        return Aim("since")
    openness = dialogue.card.openness if dialogue.card else 3
    if left and _turns_since(done, "reveal") >= GAPS[openness] - 1:
        return Aim("reveal", left[0])
    if wording.pattern("seeker", "sounds_like_advice").search(heard):
        if scenario.tried_already and "tried" not in done:
            return Aim("tried")
        return Aim("consider" if rng.random() < openness / 6 else "doubt")
    more = [Aim("detail", n) for n in range(len(details_of(scenario))) if f"detail:{n}" not in done]
    if heard.rstrip().endswith(("?", "？")):
        return more[0] if more else Aim("answer")
    hope = [Aim("goal")] if scenario.goal_of_seeker and "goal" not in done and len(own) > len(more) else []
    choices = [Aim("relief" if fallen >= 1 else "feel"), *more[:1], *hope]
    return choices[rng.randrange(len(choices))]


def _facts_left(dialogue: Dialogue) -> list[int]:
    if dialogue.card is None:
        return []
    private = dialogue.last_private()
    told = set(private.revealed) if private else set()
    return [i for i in range(len(dialogue.card.hidden_facts)) if i not in told]


def _turns_since(done: list[str], kind: str) -> int:
    return next((n for n, aim in enumerate(reversed(done)) if aim.startswith(kind)), len(done))
