"""Metrics of whole dialogues: does the feeling ease, when, in how many turns, and does the supporter repeat itself.

What a person said afterwards (ESConv's survey) is read from ``dialogue.qc["survey"]``, where importers put it:
``{"initial", "final", "empathy", "relevance", "feedback"}``, each 1..5 or absent. Without it the seeker's own
private states give the first and last intensity, and the last seeker turn with ``meta["feedback"]`` the feedback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.sweetiechat.metrics.text import ngrams
from backends.sweetiechat.metrics.tokens import Tokenizer, Tokens
from backends.sweetiechat.objects import Dialogue
from workbench.contract import Json, UserError


@dataclass(frozen=True)
class Survey:
    """How a dialogue went, each 1 (low) to 5 (high), ``None`` where nobody said."""

    initial: int | None = None
    final: int | None = None
    empathy: int | None = None
    relevance: int | None = None
    feedback: int | None = None

    @property
    def drop(self) -> int | None:
        """Initial minus final intensity: above 0 when the feeling eased."""
        return None if self.initial is None or self.final is None else self.initial - self.final


@dataclass(frozen=True)
class Drop:
    """Mean fall of intensity over the dialogues where both ends are known; ``fell`` is the share that fell."""

    mean: float | None
    fell: float | None
    measured: int
    missing: int


@dataclass(frozen=True)
class Repetition:
    """Repeated n-grams of a dialogue's supporter turns, as shares (0..1).

    ``within``: n-grams that came before in the same turn; ``across``: different n-grams of a turn that an earlier
    supporter turn already had, over all turns after the first; 0 when there is no such n-gram.
    """

    within: float
    across: float
    n: int
    tokenizer: str


def survey_of(dialogue: Dialogue) -> Survey:
    """Read the survey, filling its gaps from the seeker's private states and feedback.

    Raises ``UserError`` for a value that is not a whole number from 1 to 5.
    """
    told = dialogue.qc.get("survey") or {}
    if not isinstance(told, Mapping):
        raise UserError(f"The survey of dialogue {dialogue.id} is {told!r}; it must be a table.")
    seeker = dialogue.said_by("seeker")
    states = [turn.private.intensity for turn in seeker if turn.private is not None]
    stars = [turn.meta["feedback"] for turn in seeker if turn.meta.get("feedback") is not None]
    guesses: dict[str, Json] = {"initial": states[0] if states else None, "final": states[-1] if states else None,
                                "empathy": None, "relevance": None, "feedback": stars[-1] if stars else None}
    values = {name: told.get(name) if told.get(name) is not None else guess for name, guess in guesses.items()}
    return Survey(**{name: _level(value, name, dialogue.id) for name, value in values.items()})


def _level(value: Json, name: str, dialogue: str) -> int | None:
    """A level from 1 to 5; ESConv writes them as text."""
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if isinstance(value, bool) or number not in (1, 2, 3, 4, 5):
        raise UserError(f"{name} of dialogue {dialogue} is {value!r}; it must be a whole number from 1 to 5.")
    return int(number)


def intensity_drop(dialogues: Sequence[Dialogue]) -> Drop:
    """Mean of initial minus final intensity; dialogues without both ends are counted, never guessed."""
    drops = [drop for drop in (survey_of(d).drop for d in dialogues) if drop is not None]
    count = len(drops)
    return Drop(sum(drops) / count if count else None, sum(d > 0 for d in drops) / count if count else None,
                count, len(dialogues) - count)


def solved_at(dialogue: Dialogue, intensity: int = 1) -> int | None:
    """The round in which the seeker's intensity first came down to ``intensity``: the number of supporter turns
    before that state. ``None`` when it never did; a dialogue that starts there is not solved by anybody.

    In place of PPDPP's critic, which is a model's opinion; pass your own rounds to ``success_rate`` to use one.
    """
    rounds = 0
    for turn in dialogue.turns:
        rounds += turn.role == "supporter"
        if rounds and turn.private is not None and turn.private.intensity <= intensity:
            return rounds
    return None


def success_rate(solved: Sequence[int | None], turn: int) -> float:
    """Share of dialogues solved in round ``turn`` or earlier (PPDPP's success rate at turn t)."""
    return sum(round_ is not None and round_ <= turn for round_ in _some(solved)) / len(solved)


def average_turns(solved: Sequence[int | None], limit: int) -> float:
    """Mean rounds until solved; a dialogue that never is counts ``limit`` rounds (PPDPP's average turn)."""
    late = [round_ for round_ in _some(solved) if round_ is not None and not 1 <= round_ <= limit]
    if late:
        raise UserError(f"A dialogue was solved in round {late[0]}; rounds go from 1 to the limit {limit}.")
    return sum(limit if round_ is None else round_ for round_ in solved) / len(solved)


def repetition(dialogue: Dialogue, cut: Tokenizer, n: int = 3) -> Repetition:
    """How much the supporter repeats itself, within a turn and across turns (n = 3 as in the stop rule of A.6)."""
    seen: set[Tokens] = set()
    within = total = again = different = 0
    for position, turn in enumerate(dialogue.said_by("supporter")):
        grams = ngrams(cut(turn.text), n)
        own = set(grams)
        within += len(grams) - len(own)
        total += len(grams)
        if position:
            again += len(own & seen)
            different += len(own)
        seen |= own
    return Repetition(within / max(total, 1), again / max(different, 1), n, cut.name)


def _some(solved: Sequence[int | None]) -> Sequence[int | None]:
    if not solved:
        raise UserError("There is no dialogue to measure.", advice="Give at least one.")
    return solved
