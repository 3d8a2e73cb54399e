"""The task ``sweetiechat.pair.v1``: branches of one dialogue as blind pairs for human evaluation.

``artifacts/pairs.jsonl``, one object a pair::

    {"id": "...", "kind": "dialogue-pair", "language": "en", "question": "...", "shared_turns": 5,
     "situation": "...",                                     # may be shown: the seeker's own words
     "left":  {"run": "...", "label": "...", "shown": [{"role", "text"}, ...], "dialogue": {...}},
     "right": {...}, "order": {"seed": 0, "swapped": true}}

People who judge are to see ``situation`` and ``shown`` only: the words, without strategies, models, scores or private
states. ``label``, ``run`` and ``dialogue`` are for the analysis. Which branch is left is drawn from the seed and the
pair's id, one fair coin a pair, so that no branch has a side of its own. Pairs come in the order of the branches:
(1, 2), (1, 3), (2, 3), ...
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from backends.sweetiechat.cast import seed_of
from backends.sweetiechat.compare import check_family
from backends.sweetiechat.importers.reader import import_dialogues
from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.objects import Dialogue, dialogue_from_json, dialogue_to_json
from backends.sweetiechat.pair_request import PairRequest, PairResult
from workbench.contract import Context, Json, UserError
from workbench.files import Damaged, dumps, load_json, write_text

BUNDLED = ASSETS / "branches.esconv.json"
QUESTIONS = {"en": "Both talks begin alike. Whom would you rather talk to: the supporter on the left, or on the right?",
             "zh": "两段谈话的开头相同。您更愿意与左边还是右边的支持者交谈？"}


def run(request: PairRequest, context: Context) -> PairResult:
    """Read the branches and write their pairs. Raises ``UserError`` for dialogues that are not of one origin."""
    names = request.branches or ("", "")
    context.report(0, len(names), "reading the branches")
    dialogues = [read(name, context) for name in request.branches] or list(import_dialogues(BUNDLED).dialogues)
    shared = check_family(dialogues)
    if len({dialogue.language for dialogue in dialogues}) > 1:
        raise UserError("The branches are in different languages; one person must be able to judge both.")
    labels = request.labels or tuple("ABCD"[:len(dialogues)])
    sides = [_side(name, label, dialogue) for name, label, dialogue in zip(names, labels, dialogues, strict=True)]
    pairs: list[dict[str, Json]] = []
    for first, second in combinations(range(len(sides)), 2):
        context.report(len(pairs), len(sides) * (len(sides) - 1) // 2, "making the pairs")
        pairs.append(pair_of(sides[first], sides[second], dialogues[first], dialogues[second], request))
    path = context.run / "artifacts" / "pairs.jsonl"
    path.parent.mkdir(exist_ok=True)
    write_text(path, "".join(dumps(pair) + "\n" for pair in pairs))
    context.artifact("pairs.jsonl", path, "pairs")
    context.report(len(pairs), len(pairs), f"{len(pairs)} pairs")
    return PairResult(len(pairs), len(sides), shared, dialogues[0].language)


def read(name: str, context: Context) -> Dialogue:
    """The dialogue of a reference. Raises ``UserError`` when there is none at its place."""
    reference, _, place = name.strip().partition("#")
    if place and not place.isdecimal():
        raise UserError(f"{name!r} names no place: after # must stand a number, counted from 0.")
    if reference.startswith("run:") and "/" not in reference:
        reference += "/dialogue.json"
    path = context.resource(reference)
    value = _value(path, int(place or 0))
    try:
        found = dialogue_from_json(value)
    except (UserError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{name!r} is no dialogue: {str(error).rstrip('.')}.",
                        advice="Choose a run of dialogues.") from error
    if not found.turns:
        raise UserError(f"The dialogue {name!r} has no turns yet.", advice="Wait until it has ended.")
    return found


def _value(path: Path, number: int) -> Json:
    try:
        if path.suffix != ".jsonl":
            return load_json(path)
        with path.open(encoding="utf-8") as lines:
            for place, line in enumerate(lines):
                if place == number:
                    return json.loads(line)
    except (Damaged, ValueError) as error:
        raise UserError(f"{path.name} cannot be read: {error}.", advice="Choose another run of dialogues.") from error
    raise UserError(f"{path.name} has no dialogue at place {number} (counted from 0).")


def _side(name: str, label: str, dialogue: Dialogue) -> dict[str, Json]:
    run_id = name.strip().removeprefix("run:").partition("/")[0] if name.strip().startswith("run:") else ""
    shown = [{"role": turn.role, "text": turn.text} for turn in dialogue.turns]
    return {"run": run_id, "label": label, "shown": shown, "dialogue": dialogue_to_json(dialogue)}


def pair_of(first: dict[str, Json], second: dict[str, Json], one: Dialogue, other: Dialogue,
            request: PairRequest) -> dict[str, Json]:
    """One line of ``pairs.jsonl``; the coin is seeded by the request's seed and the pair's own id."""
    key = f"{seed_of(one.id, other.id, _words(one), _words(other)):012x}"
    swapped = bool(seed_of(request.seed, key, "left") % 2)
    left, right = (second, first) if swapped else (first, second)
    question = request.question.strip() or QUESTIONS[one.language]
    return {"id": key, "kind": "dialogue-pair", "language": one.language, "question": question,
            "shared_turns": check_family([one, other]), "situation": one.scenario.situation, "left": left,
            "right": right, "order": {"seed": request.seed, "swapped": swapped}}


def _words(dialogue: Dialogue) -> Sequence[str]:
    return [turn.text for turn in dialogue.turns]
