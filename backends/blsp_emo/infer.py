"""Listening: the emotion of a clip, and conversation of several turns with what was heard kept as vectors.

A conversation is a value: every turn makes a new one, so two visitors cannot share a history. What was said is
encoded once and its vectors are kept (the published demo encodes all past speech again at every turn); when the
window is full whole turns are dropped, the oldest first, and the newest stays (the published code cuts turns in
half).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from backends.blsp_emo import prompts
from backends.blsp_emo.clips import joined
from backends.blsp_emo.generate import Reading, reply, stream
from backends.blsp_emo.model import BlspEmo, Speech
from backends.blsp_emo.sequences import Heard, Line, Piece, Text
from backends.blsp_emo.ser import EMOTIONS
from backends.common.speech.audio import Wave
from workbench.contract import UserError

WINDOW = 6144
"""Tokens of prompt and reply together, where the language model holds as many (the published default)."""


@dataclass(frozen=True, eq=False)
class Turn:
    """What a person said, as speech vectors (T', H) or as text, and the reply (``""`` until it is there)."""

    spoken: torch.Tensor | None = None
    text: str = ""
    reply: str = ""

    def __post_init__(self) -> None:
        if (self.spoken is None) == (not self.text):
            raise UserError("A turn is either speech or text.", advice="Say something, or write something.")


@dataclass(frozen=True, eq=False)
class Conversation:
    """Finished turns, oldest first."""

    turns: tuple[Turn, ...] = ()

    def after(self, turn: Turn, said: str) -> Conversation:
        """The conversation with this turn and its reply."""
        return Conversation((*self.turns, replace(turn, reply=said)))


@dataclass(frozen=True)
class Emotion:
    """The head's probabilities, and the answer in words with what was parsed from it (``""``: unparsed)."""

    chances: dict[str, float]
    answer: str
    parsed: str


def hear(model: BlspEmo, sound: Wave) -> torch.Tensor:
    """(T', H): the speech vectors of a sound, to be kept with its turn."""
    with torch.no_grad():
        states = model.encode(model.features([sound]))
        speech = model.listen(states)
    return speech.vectors[0, :int(speech.lengths[0])].clone()


def emotion(model: BlspEmo, spoken: torch.Tensor) -> Emotion:
    """Both ways of telling the emotion: the head, and the question put to the language model (greedy)."""
    speech = batch_of([spoken], model)
    with torch.no_grad():
        chances = torch.softmax(model.emotions(speech)[0].float(), 0).tolist()
    answer = reply(model, model.layout.line(prompts.question(), Heard(0)), speech, Reading(16, 0.0))
    return Emotion(dict(zip(EMOTIONS, chances, strict=True)), answer, prompts.parse_emotion(answer))


def unparsed_rate(answers: Sequence[Emotion]) -> float:
    """Share of answers that name no emotion; they count as wrong."""
    if not answers:
        raise UserError("There is no answer to count.")
    return sum(not one.parsed for one in answers) / len(answers)


def chat(model: BlspEmo, conversation: Conversation, turn: Turn, reading: Reading | None = None) -> Iterator[str]:
    """The reply to a turn, in pieces; the caller keeps it with :meth:`Conversation.after`."""
    reading = reading or Reading()
    turns = trimmed(model, (*conversation.turns, turn), reading.max_new_tokens)
    line, spoken = line_of(model, turns)
    return stream(model, line, batch_of(spoken, model) if spoken else None, reading)


def trimmed(model: BlspEmo, turns: Sequence[Turn], max_new_tokens: int) -> tuple[Turn, ...]:
    """The newest turns that fit; the last one is always there. Raises ``UserError`` where it does not fit alone."""
    holds = int(getattr(model.lm.config, "max_position_embeddings", 0) or WINDOW)
    room = min(WINDOW, holds) - max_new_tokens
    kept = tuple(turns)
    while size_of(model, kept) > room:
        if len(kept) == 1:
            raise UserError(f"This turn has {size_of(model, kept)} tokens; with a reply of {max_new_tokens} there is "
                            f"room for {max(0, room)}.", advice="Say it in fewer words, or allow a shorter reply.")
        kept = kept[1:]
    return kept


def size_of(model: BlspEmo, turns: Sequence[Turn]) -> int:
    """Tokens of the prompt, speech included."""
    line, spoken = line_of(model, turns)
    return sum(len(piece.ids) if isinstance(piece, Text) else len(spoken[piece.place]) for piece in line)


def line_of(model: BlspEmo, turns: Sequence[Turn]) -> tuple[Line, list[torch.Tensor]]:
    """The prompt of the last turn, and the vectors that its pieces of speech name."""
    told = prompts.chat()
    frames = model.layout.frame(told.system, [("", one.reply) for one in turns[:-1]])
    line: list[Piece] = []
    spoken: list[torch.Tensor] = []
    for frame, one in zip(frames, turns, strict=False):
        line.append(Text(frame))
        if one.spoken is None:
            line.append(Text(model.layout.words(one.text)))
        else:
            line.append(Heard(len(spoken)))
            spoken.append(one.spoken)
    line.append(Text(frames[-1]))
    return tuple(line), spoken


def batch_of(spoken: Sequence[torch.Tensor], model: BlspEmo) -> Speech:
    """Kept vectors as a batch."""
    states = joined(spoken, model.device)
    return Speech(states.values, states.lengths)
