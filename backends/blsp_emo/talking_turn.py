"""One turn of a conversation: hear it, answer it both ways, answer it again when it was put right.

    sound -> speech? (VAD) -> vectors and emotion -> reply that hears
                           -> transcript          -> reply of the same language model to the words alone (cascade)

Where nobody speaks there is no emotion and no reply. What is wrong with a sound or a process becomes the turn's
``problem``; the conversation goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from backends.blsp_emo.calibrated import label_of
from backends.blsp_emo.talking_lines import sound_of
from backends.blsp_emo.talking_race import Way, race
from backends.blsp_emo.talking_replies import cascade_reply, growing, heard_reply, words_reply
from backends.blsp_emo.talking_room import LIMITS, Room, past, reading, since, twice
from backends.blsp_emo.talking_state import SIDES, Talk, Told, Turn, WhatIf, save
from backends.blsp_emo.talking_voice import spoken_replies
from backends.common.speech import vad
from backends.common.speech.audio import RATE, Clip, load
from workbench.contract import Json, UserError
from workbench.fields import to_json


def by_voice(room: Room, talk: Talk, place: int, reference: str, heard_ms: float = 0.0) -> Talk:
    """The conversation with a turn that was said."""
    number, began = len(talk.turns), time.perf_counter()
    room.live(number, "listening")
    turn = Turn(place, time.time(), times={"heard_ms": heard_ms} if heard_ms else {})
    try:
        clip = load(sound_of(reference, room.context), LIMITS)
        turn = kept(room, turn, number, clip)
        if turn.silence:
            return talk.with_turn(turn.changed(done=True))
        turn = felt(room, talk, turn, number)
    except UserError as error:
        return talk.with_turn(turn.changed(problem=str(error), done=True))
    return answered(room, talk, turn, number, began)


def in_writing(room: Room, talk: Talk, place: int, text: str) -> Talk:
    """The conversation with a turn that was typed: no emotion, one reply."""
    turn = Turn(place, time.time(), by="text", transcript=text)
    return answered(room, talk, turn, len(talk.turns), time.perf_counter())


def kept(room: Room, turn: Turn, number: int, clip: Clip) -> Turn:
    """The turn with its sound as an artifact (16 kHz mono), and where in it somebody speaks."""
    import soundfile  # type: ignore[import-untyped]

    name = f"turn-{number + 1:03d}.wav"
    path = room.context.run / "artifacts" / name
    soundfile.write(path, clip.wave, RATE, subtype="PCM_16")
    room.context.artifact(name, path, "audio")
    began = time.perf_counter()
    found = vad.speech(clip.wave)
    times = {**turn.times, "vad_ms": since(began)}
    return turn.changed(audio=name, seconds=round(clip.seconds, 3), notes=tuple(note.text for note in clip.notes),
                        times=times, silence=found is None,
                        speech=(round(found.start, 3), round(found.end, 3)) if found else None)


def felt(room: Room, talk: Talk, turn: Turn, number: int) -> Turn:
    """The turn with its emotion; its vectors are kept where the speech model lives."""
    began = time.perf_counter()
    payload = {"sound": room.sound(turn, number), "emotions": list(talk.emotions),
               "neutral": talk.calibration["neutral"] if talk.calibration else None}
    told = twice(lambda: room.lines.ask("speech", "hear", payload, room.halt))
    chances = told["chances"]
    return turn.changed(emotion=Told(chances, label_of(chances, talk.uncertain), "head"),
                        times={**turn.times, "encode_ms": since(began)})


def answered(room: Room, talk: Talk, turn: Turn, number: int, began: float) -> Talk:
    """The conversation with a new turn and its replies."""
    held, texts = [turn], dict[str, str]()
    save(talk.with_turn(turn).changed(state="working"), room.context)
    room.live(number, "transcribing" if turn.audio else "replying")

    def news(side: str, what: str, value: Json) -> None:
        if what == "transcript":
            held[0] = with_words(held[0], value)
            save(talk.with_turn(held[0]).changed(state="working"), room.context)
        else:
            texts[side] = str(value)
            if value and "first_ms" not in held[0].times:
                held[0] = held[0].changed(times={**held[0].times, "first_ms": since(began)})
        room.live(number, "replying" if held[0].transcript else "transcribing", texts)

    ways: dict[str, Callable[[Way], Json]] = {"speech": lambda way: heard_reply(room, talk, turn, number, way)}
    if turn.audio:
        ways["cascade"] = lambda way: cascade_reply(room, talk, turn, number, way)
    results, failed = race(ways, news, room.look)
    made = finished(room, talk, held[0], number, results, failed)
    made = made.changed(times={**made.times, "total_ms": since(began)})
    firsts = {f"{side}_first_ms": float(reply["first_ms"]) for side, reply in made.replies.items()}
    room.context.metric(number, **{name: value for name, value in made.times.items() if name != "heard_ms"}, **firsts)
    return talk.with_turn(made)


def finished(room: Room, talk: Talk, turn: Turn, number: int, results: Mapping[str, Json],
             failed: Mapping[str, UserError]) -> Turn:
    """The turn with what both ways have brought."""
    replies = {side: to_json(results[side]) for side in SIDES if results.get(side) is not None}
    turn = turn.changed(replies=replies, sides=drawn(room, talk, number, tuple(replies), len(turn.corrections)),
                        problem=" ".join(str(error) for error in failed.values()) or None)
    if room.request.speak:
        room.live(number, "speaking", {side: reply["text"] for side, reply in replies.items()})
        turn = spoken_replies(room.context, turn, number, room.request.language)
    return turn.changed(done=True)


def with_words(turn: Turn, told: Mapping[str, Json]) -> Turn:
    """The turn with its transcript."""
    return turn.changed(transcript=told["text"], words=tuple(told["words"]),
                        times={**turn.times, "asr_ms": told["asr_ms"]})


def drawn(room: Room, talk: Talk, number: int, sides: tuple[str, ...], again: int) -> tuple[str, ...]:
    """Which reply is a and which b: drawn for every turn from the seed where it is to be hidden."""
    if len(sides) < 2 or not talk.hide:
        return sides
    generator = room.context.generator(room.request.seed * 1_000_003 + number * 1_009 + again)
    return sides if generator.random() < 0.5 else (sides[1], sides[0])


def what_if(room: Room, talk: Talk, number: int, emotion: str) -> Talk:
    """The conversation with the reply to the same words, had they been said in ``emotion``."""
    turn, texts = talk.turns[number], dict[str, str]()
    room.live(number, "replying")
    payload = {"history": past(room, talk, number), "text": turn.transcript, "emotion": emotion,
               "reading": reading(room, number)}

    def way(way: Way) -> Json:
        return growing(way, 0.0, lambda heard: room.lines.ask("speech", "reply", payload, way.halt, heard))

    results, failed = race({"speech": way}, lambda side, _, value: room.live(number, "replying", texts | {side: value}),
                           room.look)
    if failed:
        raise failed["speech"]
    made = results["speech"]
    others = tuple(one for one in turn.what_if if one.emotion != emotion)
    return talk.with_turn(turn.changed(what_if=(*others, WhatIf(emotion, made.text, made.finish))), number)


def again(room: Room, talk: Talk, number: int, changed: Turn, words: bool) -> Talk:
    """The conversation with a turn that was put right and answered again: in the emotion that a person named, or
    else as it was heard; the cascade only where the ``words`` changed."""
    texts = dict[str, str]()
    save(talk.with_turn(talk.turns[number].changed(done=False), number).changed(state="working"), room.context)
    room.live(number, "replying")

    def news(side: str, what: str, value: Json) -> None:
        texts[side] = str(value)
        room.live(number, "replying", texts)

    ways: dict[str, Callable[[Way], Json]] = {"speech": lambda way: heard_reply(room, talk, changed, number, way)}
    if words and talk.cascade and changed.by == "voice":
        ways["cascade"] = lambda way: words_reply(room, talk, changed.transcript, number, way, 0.0)
    results, failed = race(ways, news, room.look)
    if failed:
        raise next(iter(failed.values()))
    kept_ones = {side: reply for side, reply in changed.replies.items() if side not in results}
    turn = finished(room, talk, changed.changed(vote=None), number, {**kept_ones, **results}, {})
    return talk.with_turn(turn, number)


def neutral_of(room: Room, references: Sequence[str]) -> Json:
    """The head's mean scores on a speaker's neutral sounds. Raises ``UserError`` where somebody does not speak."""
    sounds, seconds = [], 0.0
    for reference in references:
        path: Path = sound_of(reference, room.context)
        found = vad.speech(load(path, LIMITS).wave)
        if found is None:
            raise UserError(f"Nobody speaks in {path.name}.", advice="Record a calm sentence.")
        sounds.append({"key": "", "audio": str(path), "start": found.start, "end": found.end})
        seconds += found.seconds
    told = twice(lambda: room.lines.ask("speech", "calibrate", {"sounds": sounds}, room.halt))
    return {**told, "seconds": round(seconds, 2)}
