"""From rows of a manifest to what one pass needs: twins of text and speech, emotions, and who is held out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from backends.blsp_emo import objective, prompts
from backends.blsp_emo.encoder import States
from backends.blsp_emo.model import BlspEmo
from backends.blsp_emo.sequences import Heard, Layout, pack
from backends.blsp_emo.ser import emotion_id
from backends.common.speech.manifests import Row
from workbench.contract import UserError

SUMS = 4


@dataclass(frozen=True)
class Lesson:
    """One clip and its answer. ``place`` finds its sound; ``told`` is what is said before the speech."""

    place: int
    text: str
    emotion: int
    output: str
    early_stop: bool
    told: prompts.Told
    speaker: str = ""


def lessons_of(rows: Sequence[Row], stage: int, target: str = "continuation",
               conversation: bool = False) -> list[Lesson]:
    """What a stage learns from its rows; the emotion is never in ``told``. ``target``: the continuation, the emotion's
    name as the answer to a question, or both as lessons of their own. ``conversation``: every second row is told as the
    turn of a conversation, where nothing stands before the speech."""
    if target == "both":
        labels = (one for one in lessons_of(rows, stage, "label") if one.emotion >= 0)
        return [*lessons_of(rows, stage, conversation=conversation), *labels]
    told = prompts.semantic() if stage == 1 else prompts.heard() if target == "continuation" else prompts.question()
    found = []
    for place, row in enumerate(rows):
        output = row.output if target == "continuation" else row.emotion
        here = prompts.chat() if conversation and target == "continuation" and place % 2 else told
        found.append(Lesson(place, row.text, emotion_id(row.emotion), output,
                            row.early_stop and target == "continuation", here, row.speaker))
    return found


def shuffled(lessons: Sequence[Lesson], generator: random.Random) -> list[Lesson]:
    """Emotion and answer of another clip of the same sentence: words still fit, the tone does not."""
    groups: dict[str, list[int]] = {}
    for number, lesson in enumerate(lessons):
        groups.setdefault(lesson.text, []).append(number)
    found = list(lessons)
    for places in groups.values():
        other = list(places)
        generator.shuffle(other)
        for place, source in zip(places, other, strict=True):
            given = lessons[source]
            found[place] = replace(lessons[place], emotion=given.emotion, output=given.output,
                                   early_stop=given.early_stop)
    return found


def usable(lessons: Sequence[Lesson], layout: Layout, longest: int) -> tuple[list[Lesson], Counter[str]]:
    """Those that have a text and an answer and fit, and why others do not."""
    kept, why = [], Counter[str]()
    for lesson in lessons:
        size = len(layout.words(lesson.text)) + len(layout.words(lesson.output))
        if not lesson.text.strip() or not lesson.output.strip():
            why["no text or no answer"] += 1
        elif size > longest:
            why[f"more than {longest} tokens"] += 1
        else:
            kept.append(lesson)
    return kept, why


def divided(lessons: Sequence[Lesson], validation: Sequence[str], leave_out: Sequence[str]) \
        -> tuple[list[Lesson], list[Lesson]]:
    """Lessons to train on and to stop by, of different speakers. Without ``validation`` the last tenth of the speakers
    (by name) validates; where rows have no speaker, the last tenth of the rows.

    Raises ``UserError`` for speakers that do not occur, and when nothing is left to train on."""
    speakers = sorted({lesson.speaker for lesson in lessons if lesson.speaker})
    missing = sorted({*validation, *leave_out} - set(speakers))
    if missing:
        raise UserError(f"No clip is by the speaker {missing[0]}.",
                        advice=f"The speakers are {', '.join(speakers[:12]) or 'not named in the manifest'}.")
    rest = [lesson for lesson in lessons if lesson.speaker not in leave_out]
    if not speakers:
        cut = len(rest) - len(rest) // 10
        train, held = rest[:cut], rest[cut:]
    else:
        free = [s for s in speakers if s not in leave_out]
        chosen = set(validation) or set(free[len(free) - len(free) // 10:])
        train = [lesson for lesson in rest if lesson.speaker not in chosen]
        held = [lesson for lesson in rest if lesson.speaker in chosen]
    if not train:
        raise UserError("No clip is left to train on.", advice="Leave out fewer speakers, or give more data.")
    return train, held


class Pass(nn.Module):  # type: ignore[misc]
    """One pass over some lessons: (4,) sums of the response loss, of the weighted emotion loss, of rows, of hits."""

    def __init__(self, model: BlspEmo, stage: int, *, temperature: float = objective.TEMPERATURE,
                 official_mask: bool = False, weights: Sequence[float] = ()) -> None:
        super().__init__()
        self.model, self.stage = model, stage
        self.temperature, self.official, self.weights = temperature, official_mask, tuple(weights)

    def forward(self, lessons: Sequence[Lesson], states: States) -> torch.Tensor:
        """``states`` in the order of ``lessons``."""
        model = self.model
        speech = model.listen(states)
        heard = pack([model.layout.line(one.told, Heard(i), one.output, one.early_stop)
                      for i, one in enumerate(lessons)], speech.lengths.tolist(), model.layout.padding)
        heard = heard.to(model.device)
        rows = objective.response_rows(heard.labels, self.official and self.stage == 1)
        columns = objective.columns_of(rows)
        student = model.logits(heard, speech, columns)[rows[:, columns]]
        if self.stage == 1:
            response = objective.response_kl(student, self.teacher(lessons), self.temperature)
        else:
            response = objective.response_ce(student, objective.next_labels(heard.labels)[rows])
        scores = model.emotions(speech)
        emotions = torch.tensor([one.emotion for one in lessons], device=model.device)
        emotion = objective.emotion_ce(scores, emotions, self.weights)
        hits = ((scores.argmax(1) == emotions) & (emotions >= 0)).sum()
        return torch.stack([response, emotion, rows.sum().to(response.dtype), hits.to(response.dtype)])

    def teacher(self, lessons: Sequence[Lesson]) -> torch.Tensor:
        """(N, V): what the untouched language model predicts after the transcripts, without gradients."""
        model = self.model
        told = pack([model.layout.line(one.told, one.text, one.output, one.early_stop) for one in lessons], [],
                    model.layout.padding).to(model.device)
        rows = objective.response_rows(told.labels, self.official)
        columns = objective.columns_of(rows)
        with torch.no_grad():
            return model.logits(told, None, columns)[rows[:, columns]]

    def counts(self, lessons: Sequence[Lesson]) -> tuple[float, float]:
        """Divisors of a whole step: response rows, and the weight of its emotions."""
        layout = self.model.layout
        rows = sum(len(layout.words(one.output)) + (0 if one.early_stop else len(layout.closing)) for one in lessons)
        return float(rows), objective.emotion_weight([one.emotion for one in lessons], self.weights)
