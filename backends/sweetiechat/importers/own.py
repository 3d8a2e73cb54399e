"""The workbench's own JSONL (``exchange.to_jsonl``): read back exactly, with every value checked."""

from __future__ import annotations

from collections.abc import Mapping

from backends.sweetiechat.importers.draft import Format, has_list, shown
from backends.sweetiechat.objects import Counsel, Dialogue, Private, Turn, dialogue_from_json
from workbench.contract import Json, UserError
from workbench.fields import validate

OURS = {"scenario", "turns", "stop_reason", "strategy_set"}


def read(entry: Json) -> Dialogue:
    """One dialogue. Raises ``UserError`` naming the field that is missing, unknown or of another type."""
    try:
        dialogue = dialogue_from_json(entry)
        check(dialogue)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"it is no dialogue of the workbench ({str(error)[:120]})") from error
    return dialogue


def check(dialogue: Dialogue) -> None:
    """Hold every part against its declared type; what a file says is not to be trusted."""
    for part in (dialogue, dialogue.scenario, dialogue.card, dialogue.strategy_set, *dialogue.strategy_set.items):
        if part is not None:
            validate(part)
    for place, turn in enumerate(dialogue.turns):
        _check_turn(turn, place)


def _check_turn(turn: Turn, place: int) -> None:
    validate(turn)
    if turn.idx != place:
        raise UserError(f"turn {place} says that it is number {shown(turn.idx)}; turns are numbered from 0")
    counsel: Counsel | None = turn.counselor
    private: Private | None = turn.private
    for part in (counsel, private, *(counsel.ranking if counsel else ())):
        if part is not None:
            validate(part)


def _looks(entry: Json) -> bool:
    return isinstance(entry, Mapping) and set(entry) >= OURS and (has_list(entry, "turns", "role", "text")
                                                                 or entry["turns"] == [])


FORM = Format("jsonl", "The workbench's own dialogues", _looks, read)
