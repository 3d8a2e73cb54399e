"""The two replies of a turn: of the model that hears it, and of the language model to its transcript (the cascade)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from backends.blsp_emo import prompts
from backends.blsp_emo.talking_race import Halted, Way
from backends.blsp_emo.talking_room import TOP_P, Room, past, reading, said, since, twice
from backends.blsp_emo.talking_state import Reply, Talk, Turn
from backends.common.language import Decoding, Message, Prompt
from workbench.contract import Json, UserError


def heard_reply(room: Room, talk: Talk, turn: Turn, number: int, way: Way) -> Reply:
    """The reply of the model that hears; of words, where the turn was typed or put right."""
    before = turn.times.get("vad_ms", 0.0) + turn.times.get("encode_ms", 0.0)
    payload = {"history": past(room, talk, number), **said(room, turn, number), "reading": reading(room, number)}
    return growing(way, before, lambda heard: room.lines.ask("speech", "reply", payload, way.halt, heard))


def cascade_reply(room: Room, talk: Talk, turn: Turn, number: int, way: Way) -> Reply | None:
    """Transcript, then the reply of the language model to it; nothing where no cascade is wanted or no word known."""
    began = time.perf_counter()
    payload = {"audio": room.sound(turn, number)["audio"], "start": turn.speech[0] if turn.speech else 0.0,
               "end": turn.speech[1] if turn.speech else 0.0, "language": room.request.language, "words": True}
    told = twice(lambda: room.lines.ask("recogniser", "transcribe", payload, way.give_up))
    offset = turn.speech[0] if turn.speech else 0.0
    words = [{**word, "start": round(word["start"] + offset, 2), "end": round(word["end"] + offset, 2)}
             for word in told["words"]]
    spent = since(began)
    way.say("transcript", {"text": told["text"], "words": words, "asr_ms": spent})
    before = turn.times.get("vad_ms", 0.0) + spent
    return words_reply(room, talk, told["text"], number, way, before)


def words_reply(room: Room, talk: Talk, text: str, number: int, way: Way, before: float) -> Reply | None:
    """The language model's reply to words; old turns that do not fit are left out, whole ones."""
    model = room.lines.language
    if model is None or not text:
        return None
    decoding = Decoding(max_new_tokens=room.request.max_new_tokens, temperature=room.request.temperature, top_p=TOP_P,
                        seed=room.request.seed + number)
    before_it = [(turn.transcript, turn.reply("cascade")) for turn in talk.turns[:number]
                 if turn.transcript and turn.reply("cascade")]

    def ask(heard: Callable[[str], None]) -> Json:
        for dropped in range(len(before_it) + 1):
            prompt = Prompt(tuple(messages(before_it[dropped:], text)))
            try:
                made = model.generate([prompt], decoding, lambda _, piece: heard(piece), way.halt)[0]
            except UserError as error:
                if dropped < len(before_it) and "context window" in error.message:
                    continue
                raise
            return {"text": made.text.strip(), "tokens": made.tokens, "finish": made.finish, "dropped": dropped}
        return None

    return growing(way, before, ask)


def messages(before_it: Sequence[tuple[str, str]], text: str) -> list[Message]:
    """A conversation in words, under the system line that the speech model has too."""
    found = [Message("system", prompts.chat().system)]
    for asked, reply in before_it:
        found += [Message("user", asked), Message("assistant", reply)]
    return [*found, Message("user", text)]


def growing(way: Way, before: float, ask: Callable[[Callable[[str], None]], Json]) -> Reply:
    """A reply while it grows; what there is of it when it was stopped. A process that ended is asked once more."""
    began, parts, first = time.perf_counter(), list[str](), list[float]()

    def heard(piece: str) -> None:
        parts.append(piece)
        first.extend([] if first else [since(began)])
        way.say("text", "".join(parts).strip())

    def fresh() -> Json:
        parts.clear()
        return ask(heard)

    try:
        made = twice(fresh)
    except Halted:
        made = {"text": "".join(parts).strip(), "tokens": len(parts), "finish": "interrupted"}
    total = since(began)
    return Reply(made["text"], round(before + (first[0] if first else total), 1), round(before + total, 1),
                 made["tokens"], made["finish"], dropped=made.get("dropped", 0))
