"""The supporter: one short utterance that carries out the counselor's strategy and nothing else (spec A.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from backends.sweetiechat.agent import HEAD_ROOM, Agent, partial_response, rankings
from backends.sweetiechat.cast import Cast, seed_of
from backends.sweetiechat.counselor_terms import stage_of
from backends.sweetiechat.objects import Counsel, Dialogue, Ranked, Turn
from backends.sweetiechat.speaking import PLAIN, Form, OnText, Spoken, speak
from backends.sweetiechat.views import view_for
from workbench.contract import Json


def supporter_turns(dialogues: Sequence[Dialogue], counsels: Sequence[Counsel | None], cast: Cast,
                    on_text: OnText | None = None,
                    cancelled: Callable[[], None] | None = None) -> list[tuple[Turn, int]]:
    """The next supporter turn of every dialogue and the new tokens it took. A small model's first words go
    round the strategy's list, from a place that the dialogue's seed decides. A trained agent has its own text."""
    if cast.agent is not None:
        return agent_turns(dialogues, counsels, cast, cast.agent, on_text, cancelled)
    voice = cast.voice("supporter")
    starts = [cast.generator(seed_of(cast.settings.seed, d.root, "opener")).randrange(1000) + len(d.turns) // 2
              for d in dialogues]
    spoken = speak("supporter", dialogues, lambda row, draw: view_for(
        "supporter", dialogues[row], cast.wording, voice, counsel=counsels[row], pick=starts[row] + draw),
        cast, PLAIN, on_text, cancelled)
    return [(supporter_turn(d, s.text, counsel, s.meta), s.tokens)
            for d, counsel, s in zip(dialogues, counsels, spoken, strict=True)]


def agent_turns(dialogues: Sequence[Dialogue], counsels: Sequence[Counsel | None], cast: Cast, agent: Agent,
                on_text: OnText | None = None,
                cancelled: Callable[[], None] | None = None) -> list[tuple[Turn, int]]:
    """The same by a trained agent: under the strategy that was decided, or with one that it writes by itself. Its own
    p(s | h) over the set then goes with the turn, as a decision of mode ``agent``."""
    given = [counsel.chosen if counsel else "" for counsel in counsels]
    room = 0 if all(given) or agent.variant == "plain" else HEAD_ROOM  # a head that is given costs no new tokens
    form = Form(lambda text: (agent.read(text, dialogues[0])[1], None), partial_response, room)
    spoken = speak("supporter", dialogues, lambda row, draw: agent.prompt(dialogues[row], given[row]), cast, form,
                   on_text, cancelled)
    free = [row for row, counsel in enumerate(counsels) if counsel is None and agent.chooses]
    own = dict(zip(free, own_decisions([dialogues[row] for row in free], [spoken[row] for row in free], cast, agent),
                   strict=True))
    return [(supporter_turn(d, s.text, own.get(row, counsels[row]), s.meta), s.tokens)
            for row, (d, s) in enumerate(zip(dialogues, spoken, strict=True))]


def own_decisions(dialogues: Sequence[Dialogue], spoken: Sequence[Spoken], cast: Cast, agent: Agent) -> list[Counsel]:
    """What the agent decided by what it wrote; a reply without a strategy of the set says so and has none."""
    if not dialogues:
        return []
    rows: list[tuple[Ranked, ...]] = [()] * len(dialogues)
    if cast.can_score("supporter"):
        rows = rankings(cast.models["supporter"], [agent.prompt(d) for d in dialogues], dialogues[0].strategy_set,
                        dialogues[0].language)
    found = []
    for dialogue, one, ranking in zip(dialogues, spoken, rows, strict=True):
        key = agent.read(str(one.meta["raw"]), dialogue)[0]
        notes = () if key else ("the agent wrote no strategy of the set",)
        found.append(Counsel(stage_of(dialogue, cast.settings.max_turns), ranking, key or "", "", "agent", notes=notes))
    return found


def supporter_turn(dialogue: Dialogue, text: str, counsel: Counsel | None, meta: Mapping[str, Json]) -> Turn:
    """A supporter turn with the decision it followed."""
    return Turn(len(dialogue.turns), "supporter", text, counsel.chosen or None if counsel else None, counsel,
                meta=meta)
