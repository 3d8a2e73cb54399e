"""Branches of one dialogue side by side: what they share, and the figures in which they may differ.

Distinct and length are taken over the supporter's turns after the shared part only, since the shared ones are the same
by construction; n is stated because Distinct falls with the size of the text. No figure here is an average over
dialogues: one pair of branches shows what one choice did in one talk, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.sweetiechat.metrics.text import average_length, corpus, distinct
from backends.sweetiechat.metrics.tokens import default_name, tokenizer
from backends.sweetiechat.objects import Dialogue
from workbench.contract import Json, UserError

MOST = 4
"""Branches that are compared at once (our default: four columns are what a wide screen holds)."""


@dataclass(frozen=True)
class Figures:
    """One branch in numbers; ``None`` where nothing can be said.

    ``first`` and ``last`` are the seeker's intensities (1..5), ``drop`` their difference (above 0: the feeling eased);
    ``distinct`` is Distinct-1, -2, -3 x 100 of ``supporter_turns`` supporter turns after the shared part, ``length``
    their mean number of tokens, all by ``tokenizer``. ``strategies`` are the keys after the shared part, in order.
    """

    turns: int
    stop_reason: str
    first: int | None
    last: int | None
    drop: int | None
    supporter_turns: int
    distinct: tuple[float, float, float] | None
    length: float | None
    tokenizer: str
    strategies: tuple[str, ...]
    models: Mapping[str, str]
    counselor: str


def shared_turns(dialogues: Sequence[Dialogue]) -> int:
    """How many first turns are the same in all: speaker, words and strategy. Raises ``UserError`` for fewer than two.
    """
    if len(dialogues) < 2:
        raise UserError(f"There are {len(dialogues)} dialogues to compare; there must be two at least.")
    count = 0
    for turns in zip(*(dialogue.turns for dialogue in dialogues), strict=False):
        if len({(turn.role, turn.text, turn.strategy) for turn in turns}) > 1:
            break
        count += 1
    return count


def check_family(dialogues: Sequence[Dialogue]) -> int:
    """The number of shared turns. Raises ``UserError`` unless all come from one origin: the same root, or the same
    situation and at least one turn in common."""
    shared = shared_turns(dialogues)
    one_root = len({dialogue.root for dialogue in dialogues}) == 1
    one_talk = shared > 0 and len({dialogue.scenario.situation for dialogue in dialogues}) == 1
    if not one_root and not one_talk:
        raise UserError("These dialogues are no branches of one origin: they begin differently.",
                        advice="Choose branches of one dialogue; the Compare view lists them by their origin.")
    return shared


def intensities(dialogue: Dialogue) -> list[tuple[int, float]]:
    """(place of the turn, the seeker's intensity there), in order; the level before rounding where it is known."""
    return [(turn.idx, turn.private.level or float(turn.private.intensity)) for turn in dialogue.turns if turn.private]


def figures(dialogue: Dialogue, shared: int) -> Figures:
    """The figures of one branch of which the first ``shared`` turns are those of the others too."""
    said = [turn for turn in dialogue.turns[shared:] if turn.role == "supporter"]
    cut = tokenizer(default_name(dialogue.language))
    texts = corpus([turn.text for turn in said], None, cut) if said else None
    levels = [turn.private.intensity for turn in dialogue.turns if turn.private]
    first, last = (levels[0], levels[-1]) if len(levels) > 1 else (None, None)
    return Figures(
        len(dialogue.turns), dialogue.stop_reason, first, last,
        first - last if first is not None and last is not None else None, len(said),
        (distinct(texts, 1).value, distinct(texts, 2).value, distinct(texts, 3).value) if texts else None,
        average_length(texts).value if texts else None, cut.name,
        tuple(turn.strategy for turn in said if turn.strategy), dict(dialogue.models), dialogue.counselor)


def branch_of(dialogue: Dialogue) -> Mapping[str, Json]:
    """``qc["branch"]``, or an empty table for a dialogue that is no branch."""
    found = dialogue.qc.get("branch")
    return found if isinstance(found, Mapping) else {}
