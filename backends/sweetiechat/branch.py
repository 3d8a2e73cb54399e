"""Branches: a recorded dialogue up to one turn, something changed there, and played on from there.

``DialogueRequest.origin`` is the recorded dialogue as JSON; beside the fields of ``Dialogue`` it may have ``run`` and
``number`` (where it lies) and ``edited`` = ``{"turn", "text", "strategy"}`` (other words for a kept turn and, for a
supporter's, the strategy that they carry out). ``fork_turn`` turns of it are kept with all that is known of them, the
seeker's private states included; nothing of a later turn is: neither words nor states nor what was judged of the whole
dialogue afterwards. A branch has an id of its own and knows where it comes from::

    qc["branch"] = {"of": id, "run": ..., "number": ..., "turn": place of the first turn that may differ,
                    "changed": {"strategy" | "text" | "counselor" | "seeker_model" | ... | "seed": {"from", "to"}},
                    "root": {"id", "run", "number"},        # the dialogue at the beginning of all forks
                    "lineage": [id of the root, ..., id of the parent]}

Draws are seeded by the root's id, so a branch with nothing changed repeats the original wherever its models repeat
themselves. An edited seeker's turn has no private state, as when a person speaks: the old one came from other words.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping

from backends.sweetiechat.cast import seed_of
from backends.sweetiechat.commands import human_text
from backends.sweetiechat.counselor_terms import stage_of
from backends.sweetiechat.crisis import load_rules
from backends.sweetiechat.loop import safety_note
from backends.sweetiechat.objects import CODE_VERSION, Counsel, Dialogue, Role, Turn, dialogue_from_json
from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.table import Table
from backends.sweetiechat.wording import load_wording
from workbench.contract import Json, UserError
from workbench.fields import to_json

ROLES: tuple[Role, ...] = ("seeker", "counselor", "supporter")


def start(request: DialogueRequest) -> Table:
    """The table of a branch before its first turn of its own. Raises ``UserError`` where it cannot be forked so."""
    origin = read_origin(request.origin)
    keep = kept_turns(request, origin)
    edited = request.origin.get("edited")
    turns = origin.turns[:keep]
    if edited is not None:
        turns = edited_turns(turns, edited, origin)
    branch = branch_note(request, origin, keep)
    dialogue = Dialogue(
        branch_id(request, origin), origin.scenario, origin.card, origin.strategy_set, turns, "running",
        origin.language, request.counselor, origin.models, request.seed, {"branch": branch}, origin.split,
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), CODE_VERSION)
    pending = _pending(request, origin, dialogue) if request.fork_strategy else None
    if turns and load_rules().found(turns[-1].text):  # the words it would go on from call for help, not for a reply
        dialogue = dataclasses.replace(dialogue, stop_reason="safety",
                                       qc={**dialogue.qc, "safety": safety_note(dialogue, load_rules())})
        pending = None
    held: tuple[Role, ...] = (*request.human_roles, *(("counselor",) if request.counselor == "you" else ()))
    return Table(dialogue, pending, held)


def read_origin(value: Mapping[str, Json]) -> Dialogue:
    """The recorded dialogue. Raises ``UserError`` when the JSON is none."""
    try:
        return dialogue_from_json(value)
    except (UserError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"origin is no dialogue: {str(error).rstrip('.')}.",
                        advice="Give a dialogue as dialogue.json or a line of dialogues.jsonl holds it.") from error


def kept_turns(request: DialogueRequest, origin: Dialogue) -> int:
    """How many turns stay. Raises ``UserError`` for more than there are, no room for another, or another language."""
    count = len(origin.turns)
    keep = count if request.fork_turn == -1 else request.fork_turn
    if keep > count:
        raise UserError(f"fork_turn is {keep}; the recorded dialogue has {count} turns, so it must lie between 0 and "
                        f"{count}.")
    if keep >= request.max_turns:
        raise UserError(f"The branch keeps {keep} turns and max_turns is {request.max_turns}; nothing would be said.",
                        advice=f"Set max_turns to {keep + 2} or more, or fork at an earlier turn.")
    if request.language != origin.language:
        raise UserError(f"language is {request.language!r} and the recorded dialogue is in {origin.language!r}; a "
                        "branch goes on in the language that it began in.")
    return keep


def edited_turns(turns: tuple[Turn, ...], edited: Json, origin: Dialogue) -> tuple[Turn, ...]:
    """The kept turns with a person's words in one of them; what was said there before is kept in its history."""
    place = edited.get("turn") if isinstance(edited, Mapping) else None
    if not isinstance(edited, Mapping) or not isinstance(place, int) or isinstance(place, bool) or not (
            0 <= place < len(turns)):
        raise UserError(f"edited is {edited!r}; it must be a table with the place of a kept turn (0 to "
                        f"{len(turns) - 1}) and its new text.")
    old = turns[place]
    history = [*old.meta.get("history", ()), {"text": old.text, "author": old.meta.get("author", "model")}]
    new = dataclasses.replace(old, text=human_text(edited.get("text")), private=None,
                              meta={**old.meta, "history": history, "author": "person"})
    key = str(edited.get("strategy") or "")
    if key and old.role == "supporter" and key != old.strategy:
        origin.strategy_set.get(key)
        counsel = old.counselor and dataclasses.replace(old.counselor, chosen=key, mode="you",
                                                        rationale=_why(origin))
        new = dataclasses.replace(new, strategy=key, counselor=counsel)
    return (*turns[:place], new, *turns[place + 1:])


def _why(origin: Dialogue) -> str:
    return str(load_wording(origin.language).part("counselor")["rationale_you"])


def _pending(request: DialogueRequest, origin: Dialogue, dialogue: Dialogue) -> Counsel:
    """The strategy that was chosen for the next supporter turn, with the ranking that was made for the same words."""
    origin.strategy_set.get(request.fork_strategy)
    keep = len(dialogue.turns)
    then = origin.turns[keep].counselor if keep < len(origin.turns) and "edited" not in request.origin else None
    return Counsel(stage_of(dialogue, request.max_turns), then.ranking if then else (), request.fork_strategy,
                   _why(origin), "you")


def branch_id(request: DialogueRequest, origin: Dialogue) -> str:
    """An id made from the root's and from all that was asked: the same branch has the same id."""
    asked = json.dumps(to_json(request), ensure_ascii=False, sort_keys=True)
    return f"{origin.root}~{seed_of(asked) % 16**8:08x}"


def branch_note(request: DialogueRequest, origin: Dialogue, keep: int) -> dict[str, Json]:
    """Where the branch comes from and what was changed there (see above)."""
    edited = request.origin.get("edited")
    before = origin.qc.get("branch")
    before = before if isinstance(before, Mapping) else {}
    here = {"run": str(request.origin.get("run") or ""), "number": int(request.origin.get("number") or 0)}
    return {"of": origin.id, **here, "turn": int(edited["turn"]) if edited else keep,
            "changed": changes(request, origin, keep),
            "root": dict(before.get("root") or {"id": origin.id, **here}),
            "lineage": [*(before.get("lineage") or ()), origin.id]}


def changes(request: DialogueRequest, origin: Dialogue, keep: int) -> dict[str, Json]:
    """What the request asks to be otherwise than it was, each as ``{"from", "to"}``.

    Models are compared where the origin names its own (an imported dialogue names none)."""
    found: dict[str, Json] = {}
    edited = request.origin.get("edited")
    if edited:
        old = origin.turns[int(edited["turn"])]
        found["text"] = {"from": old.text, "to": human_text(edited.get("text"))}
        if edited.get("strategy") and edited["strategy"] != old.strategy and old.role == "supporter":
            found["strategy"] = {"from": old.strategy or "", "to": str(edited["strategy"])}
    if request.fork_strategy:
        then = next((turn.strategy for turn in origin.turns[keep:] if turn.role == "supporter"), None)
        if then != request.fork_strategy:
            found["strategy"] = {"from": then or "", "to": request.fork_strategy}
    pairs: list[tuple[str, Json, Json]] = [("counselor", origin.counselor, request.counselor),
                                           ("seed", origin.seed, request.seed)]
    pairs += [(f"{role}_model", origin.models.get(role, ""), getattr(request, f"{role}_model")) for role in ROLES]
    made = bool(origin.models)  # a corpus of people's talks has neither models nor seed nor counselor
    found |= {name: {"from": old, "to": new} for name, old, new in pairs if made and new not in ("", old)}
    return found
