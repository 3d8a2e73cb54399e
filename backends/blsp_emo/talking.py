"""The task ``blsp_emo.talk.v1``: a conversation by voice with a model that hears how it is said.

After every step the whole state is written to ``artifacts/talk.json`` in one atomic step, so a run that was killed goes
on from there: a turn that was cut off is heard again. While nobody speaks the run waits a minute and then pauses (its
process ends); a command and a resume go on. The speech model, the recogniser and the language model are processes of
their own that all conversations share; each of them is asked with the history of this run alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from backends.blsp_emo import talking_commands as commands
from backends.blsp_emo import talking_turn as turns
from backends.blsp_emo.talking_lines import LAST_CLIP, Lines, open_lines, sound_of
from backends.blsp_emo.talking_requests import TalkRequest, TalkResult
from backends.blsp_emo.talking_room import Room
from backends.blsp_emo.talking_state import (
    ANNOTATIONS,
    TALK,
    Correction,
    Talk,
    Told,
    Vote,
    annotate,
    load_talk,
    save,
    summary,
)
from backends.common.speech import vad
from workbench.contract import Context, Json, UserError
from workbench.files import read_lines

LINGER_SECONDS = 60.0
POLL_SECONDS = 0.1
"""How long a waiting run stays awake for a command, and how often it looks (our default)."""
Opener = Callable[[Context, str, str, bool], Lines]


def run(request: TalkRequest, context: Context, opener: Opener = open_lines, linger: float = LINGER_SECONDS
        ) -> TalkResult:
    """Talk until a person ends it. Raises ``UserError`` or ``MissingResource`` for a model that will not do, and
    ``Paused`` where nobody speaks."""
    talk = load_talk(context.run / "artifacts" / TALK) or Talk(
        emotions=request.emotions, hide=request.hide, cascade=request.cascade, uncertain=request.uncertain)
    if talk.state == "ended":
        return summary(talk)
    context.report(len(talk.turns), 0, "opening the models")
    context.live({"turn": len(talk.turns), "phase": "loading", "speech": "", "cascade": ""})
    vad.silero()  # without it silence cannot be told from speech
    lines = opener(context, request.model, request.recogniser, request.cascade)
    try:
        lines.ready(lambda: context.report(len(talk.turns), 0, "loading the models"))
        talk = save(talk.settled().changed(models=dict(lines.references), state="waiting"), context)
        talk = _play(talk, request, context, lines, linger)
        lines.ask("speech", "forget", {"prefix": f"{context.run.name}/"}, lambda: None)
    finally:
        lines.close()
    context.live({"turn": len(talk.turns), "phase": "ended", "speech": "", "cascade": ""})
    context.report(len(talk.turns), len(talk.turns), "ended")
    return summary(talk)


def _play(talk: Talk, request: TalkRequest, context: Context, lines: Lines, linger: float) -> Talk:
    looked = Looking(context, talk)
    room = Room(request, context, lines, looked)
    for number in range(talk.opened, len(request.clips)):
        talk = turns.by_voice(room, talk, -1 - number, request.clips[number])
        talk = save(talk.changed(opened=number + 1, state="waiting"), context)
    while talk.state != "ended":
        given = context.commands()
        if talk.applied < len(given):
            looked.place = talk.applied
            talk = apply(room, talk, given[talk.applied])
            talk = save(talk.changed(applied=talk.applied + 1), context)
        elif request.close:
            talk = save(talk.changed(state="ended"), context)
        else:
            _wait(talk, context, linger)
    return talk


class Looking:
    """Whether a person has asked to stop what is being done; also where a cancel is noticed."""

    def __init__(self, context: Context, talk: Talk) -> None:
        self._context, self.place, self._next = context, talk.applied - 1, 0.0

    def __call__(self) -> bool:
        """Cheap: the commands are read ten times a second at most."""
        self._context.report(0, 0, "answering")
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + POLL_SECONDS
        return any(one.get("do") in commands.STOPPING for one in self._context.commands()[self.place + 1:])


def _wait(talk: Talk, context: Context, linger: float) -> None:
    context.live({"turn": len(talk.turns), "phase": "waiting", "speech": "", "cascade": ""})
    until = time.monotonic() + linger
    while time.monotonic() < until:
        context.report(len(talk.turns), 0, "waiting for somebody to speak")
        if len(context.commands()) > talk.applied:
            return
        time.sleep(POLL_SECONDS)
    context.pause("waiting for somebody to speak")


def apply(room: Room, talk: Talk, command: Mapping[str, Json]) -> Talk:
    """The conversation after one command; one that does not fit, or that a process cannot do, changes nothing and is
    listed under ``refused``."""
    try:
        commands.check(talk, command)
        return ACTIONS[command["do"]](room, talk, command).changed(**_after(command))
    except UserError as error:
        note = {"command": talk.applied, "do": str(command.get("do"))[:40], "why": str(error)}
        return talk.changed(refused=(*talk.refused, note), state="waiting")


def _after(command: Mapping[str, Json]) -> dict[str, Json]:
    return {"state": "ended" if command["do"] == "end" else "waiting"}


def _say(room: Room, talk: Talk, command: Mapping[str, Json]) -> Talk:
    if "text" in command:
        return turns.in_writing(room, talk, talk.applied, commands.words(command["text"]))
    spent = command.get("heard_ms")
    return turns.by_voice(room, talk, talk.applied, commands.sound(command["audio"]),
                          float(spent) if isinstance(spent, int | float) and 0 <= spent < 1e6 else 0.0)


def _correct(room: Room, talk: Talk, command: Mapping[str, Json]) -> Talk:
    number, turn = commands.turn_of(talk, command)
    changes = commands.corrected(turn, command)
    at = float(command.get("at") or time.time())
    listed = tuple(Correction(at, name, was, now) for name, (was, now) in changes.items())
    changed = turn.changed(corrections=(*turn.corrections, *listed))
    if "transcript" in changes:
        changed = changed.changed(transcript=changes["transcript"][1], words=())
    if "emotion" in changes:
        changed = changed.changed(emotion=Told(turn.emotion.chances, changes["emotion"][1], "person"))
    talk = turns.again(room, talk, number, changed, "transcript" in changes)
    for one in listed:
        _note(room, talk, number, "correction", field=one.field, was=one.was, now=one.now)
    return talk


def _vote(room: Room, talk: Talk, command: Mapping[str, Json]) -> Talk:
    number, turn = commands.turn_of(talk, command)
    choice = str(command["choice"])
    side = "same" if choice == "same" else turn.sides["ab".index(choice)]
    talk = talk.with_turn(turn.changed(vote=Vote(choice, side, float(command.get("at") or time.time()))), number)
    _note(room, talk, number, "vote", choice=choice, side=side)
    return talk


def _note(room: Room, talk: Talk, number: int, kind: str, **what: Json) -> None:
    """Log an annotation once, though its command may be done twice when a run was killed in between."""
    path = room.context.run / "artifacts" / ANNOTATIONS
    place = {"command": talk.applied, "field": what.get("field", "")}
    if not any(place.items() <= line.items() for line in read_lines(path)):
        annotate(room.context, talk, number, kind, **what, command=talk.applied)


def _what_if(room: Room, talk: Talk, command: Mapping[str, Json]) -> Talk:
    return turns.what_if(room, talk, commands.turn_of(talk, command)[0], commands.emotion(command["emotion"]))


def _calibrate(room: Room, talk: Talk, command: Mapping[str, Json]) -> Talk:
    sounds = [commands.sound(one) for one in command["audio"]]
    return talk.changed(calibration=turns.neutral_of(room, sounds) if sounds else None)


def _selftest(room: Room, talk: Talk, command: Mapping[str, Json]) -> Talk:
    said = [(number, turn) for number, turn in enumerate(talk.turns) if turn.speech]
    mine = room.sound(said[-1][1], said[-1][0]) if said else {"audio": str(sound_of("practice", room.context))}
    payload = {"first": mine, "second": {"audio": str(sound_of(LAST_CLIP, room.context))}}
    return talk.changed(selftest={"at": time.time(), **room.lines.ask("speech", "selftest", payload, room.halt)})


ACTIONS: Mapping[str, Callable[[Room, Talk, Mapping[str, Json]], Talk]] = {
    "say": _say, "correct": _correct, "what_if": _what_if, "vote": _vote, "calibrate": _calibrate,
    "selftest": _selftest, "interrupt": lambda room, talk, command: talk, "end": lambda room, talk, command: talk}
