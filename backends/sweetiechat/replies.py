"""The task ``sweetiechat.replies.v1``: for one turn, a candidate reply under every strategy, all written side by side.

A trained agent begins each reply with the strategy's head; any other model gets the role-play's prompt with that
strategy chosen. The talk is read once, and all candidates are written in one batch.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any

from backends.common.language import open_model
from backends.sweetiechat.agent import check_agent, rankings
from backends.sweetiechat.cast import Cast, Opener, close_cast, forget
from backends.sweetiechat.counselor_scored import scored
from backends.sweetiechat.counselor_terms import stage_of
from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.objects import Counsel, Dialogue, Ranked, Turn, dialogue_from_json
from backends.sweetiechat.replies_requests import Candidate, RepliesRequest, RepliesResult
from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.supporter import supporter_turns
from backends.sweetiechat.supporter_alone import open_alone
from backends.sweetiechat.train_data import PRACTICE, path_of
from backends.sweetiechat.views import view_for
from workbench.contract import Cancelled, Context, Json, UserError
from workbench.fields import to_json

EXAMPLE_TURNS = 5
SHOWN_EVERY = 0.15
"""Seconds between two events of one half-written reply (our default)."""
Tell = Callable[[Json], None]


def run(request: RepliesRequest, context: Context, opener: Opener = open_model) -> Iterator[Json]:
    """Stream the events of :mod:`replies_requests`. Raises ``UserError`` for a talk that ends with the supporter, for
    an unknown strategy, and for a model that cannot follow one."""
    dialogue = talk(request, context)
    keys = [dialogue.strategy_set.get(key).key for key in request.strategies] or list(dialogue.strategy_set.keys)
    cast = open_alone(context, settings_of(request, dialogue), opener)
    try:
        if cast.agent is not None:
            check_agent(cast.agent, "you", dialogue.strategy_set)
        yield from streamed(lambda tell, wanted: candidates(dialogue, keys, cast, tell, wanted))
    finally:
        close_cast(cast)


def talk(request: RepliesRequest, context: Context) -> Dialogue:
    """The talk up to the turn that is asked about; its last word must be the seeker's."""
    if request.dialogue:
        whole, turns = dialogue_from_json(request.dialogue), request.turns
    else:
        whole = import_dialogues(path_of(PRACTICE, context)).dialogues[0]
        turns = request.turns if request.turns >= 0 else _first_question(whole)
    kept = whole.turns if turns < 0 else whole.turns[:turns]
    if not kept or kept[-1].role != "seeker":
        who = f"turn {len(kept) - 1}, the last one, is the {kept[-1].role}'s" if kept else "nothing was said yet"
        raise UserError(f"The supporter cannot reply now: {who}.",
                        advice="Keep the turns up to one of the seeker's.")
    return dataclasses.replace(whole, turns=kept, stop_reason="running")


def _first_question(dialogue: Dialogue) -> int:
    places = [turn.idx + 1 for turn in dialogue.turns if turn.role == "seeker" and turn.idx + 1 >= EXAMPLE_TURNS]
    return places[0] if places else len(dialogue.turns)


def settings_of(request: RepliesRequest, dialogue: Dialogue) -> DialogueRequest:
    """The request as the settings of a dialogue."""
    return DialogueRequest(
        language=dialogue.language, supporter_model=request.model, max_new_tokens=request.max_new_tokens,
        min_new_tokens=request.min_new_tokens, temperature=request.temperature,
        top_p=request.top_p, repetition_penalty=request.repetition_penalty, redraws=request.redraws, seed=request.seed)


def candidates(dialogue: Dialogue, keys: Sequence[str], cast: Cast, tell: Tell,
               wanted: Callable[[], None]) -> RepliesResult:
    """Rank the strategies, write every reply, and tell all of it as it comes."""
    began = time.monotonic()
    forget(cast, [dialogue])
    ranked, mode = ranked_strategies(dialogue, cast)
    asked = "chat" if cast.agent else "prompts"
    labels = {item.key: item.label(dialogue.language) for item in dialogue.strategy_set.items}
    tell({"ranking": [{"strategy": r.strategy, "label": labels[r.strategy], "probability": r.probability,
                       "score": r.score} for r in ranked], "asked": asked, "mode": mode})
    warm(dialogue, cast)
    shown = [0.0] * len(keys)

    def on_text(row: int, text: str) -> None:
        now = time.monotonic()
        if now - shown[row] >= SHOWN_EVERY:
            shown[row] = now
            tell({"text": {"strategy": keys[row], "text": text}})

    stage = stage_of(dialogue, cast.settings.max_turns)
    counsels = [Counsel(stage, (), key, "", "you") for key in keys]
    made = supporter_turns([dialogue] * len(keys), counsels, cast, on_text, wanted)
    chance = {r.strategy: r.probability for r in ranked}
    rows = tuple(candidate(key, labels[key], chance.get(key, 0.0), turn)
                 for key, (turn, _) in zip(keys, made, strict=True))
    for row in rows:
        tell({"row": to_json(row)})
    return RepliesResult(rows, asked, mode, cast.references["supporter"], round(time.monotonic() - began, 2))


def ranked_strategies(dialogue: Dialogue, cast: Cast) -> tuple[tuple[Ranked, ...], str]:
    """p(s | h) over the set and whose it is: the agent's own, the scored counselor's, or all 0 where nobody knows."""
    unknown = tuple(Ranked(key, 0.0) for key in dialogue.strategy_set.keys)
    if not cast.can_score("supporter") or (cast.agent and not cast.agent.chooses):
        return unknown, "none"
    if cast.agent:
        prompt = cast.agent.prompt(dialogue)
        return rankings(cast.models["supporter"], [prompt], dialogue.strategy_set, dialogue.language)[0], "agent"
    return scored([dialogue], cast)[0].ranking, "scored"


def warm(dialogue: Dialogue, cast: Cast) -> None:
    """Let the model read the talk once, so that the rows of the batch begin with what it remembers of it. An agent
    has read it when it ranked the strategies."""
    if cast.agent is None and cast.can_score("supporter"):
        prompt = view_for("supporter", dialogue, cast.wording, cast.voice("supporter"))
        cast.models["supporter"].score([dataclasses.replace(prompt, prefill="")], [["..."]])


def candidate(key: str, label: str, probability: float, turn: Turn) -> Candidate:
    """A turn as a row of the table."""
    return Candidate(key, label, probability, turn.text, int(turn.meta["tokens"]), str(turn.meta["finish"]),
                     tuple(turn.meta["faults"]))


def streamed(work: Callable[[Tell, Callable[[], None]], RepliesResult]) -> Iterator[Json]:
    """What ``work`` tells, as it is told, and then what it returns as ``done``. When nobody reads any more, the
    second function that ``work`` was given raises ``Cancelled``."""
    events: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    stopped: list[bool] = []

    def wanted() -> None:
        if stopped:
            raise Cancelled("nobody is reading any more")

    def labour() -> None:
        try:
            events.put(("done", work(lambda event: events.put(("event", event)), wanted)))
        except BaseException as error:  # carried over to the generator, which raises it
            events.put(("error", error))

    thread = Thread(target=labour, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = events.get()
            if kind == "error":
                raise value
            yield {"done": to_json(value)} if kind == "done" else value
            if kind == "done":
                return
    finally:
        stopped.append(True)
        thread.join()
