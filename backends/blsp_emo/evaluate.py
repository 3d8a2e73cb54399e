"""The task ``blsp_emo.evaluate.v1``: what a model hears, without a judge and without reading its answers (spec A.7).

    behavioural SER   argmax_e log p(y_e | speech), y_e: the language model's own continuation in emotion e (chance 0.2)
    told              the same from the transcript alone: on one sentence in five tones it must be at chance
    alignment gap     mean KL(text || speech) a response token, by the clip's emotion
    reply gap         the same for replies in the clip's emotion, KL(text, told the emotion || speech that has it)
    content           R@1 over a pool of sentences: argmax_i log p(y_i | speech_j) = j, in the clip's emotion
    contrast          share of pairs (same sentence, other emotion) whose replies differ in the right direction, by the
                      frozen text classifier: each reply shows its own emotion more than the other one does
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch

from backends.blsp_emo import objective, prompts
from backends.blsp_emo.clips import Clips
from backends.blsp_emo.continuations import read_answers
from backends.blsp_emo.encoder import States
from backends.blsp_emo.gate import ToneClassifier, frozen_classifier
from backends.blsp_emo.generate import Reading, likelihood, reply
from backends.blsp_emo.lessons import Lesson
from backends.blsp_emo.model import BlspEmo, Speech
from backends.blsp_emo.requests import EvaluateRequest, EvaluateResult
from backends.blsp_emo.sequences import Heard, pack
from backends.blsp_emo.ser import EMOTIONS, NONE
from backends.blsp_emo.storage import open_model
from backends.common.speech.audio import Limits
from backends.common.speech.manifests import Row, read_manifest, readable
from backends.common.speech.practice import ANSWERS, ENGLISH, located
from backends.common.speech.scores import score
from workbench.contract import Context, UserError
from workbench.fields import to_json
from workbench.files import write_json

Answers = Mapping[str, Mapping[str, tuple[str, bool]]]
CONTRASTS = 2000
"""Pairs at most (our default)."""


def run(request: EvaluateRequest, context: Context) -> EvaluateResult:
    """Measure a model. Raises ``UserError`` where no clip of the speakers has an answer in every emotion."""
    context.report(0, 0, "opening the model")
    model, _ = open_model(context.resource(request.model), context)
    manifest = read_manifest(located(request.manifest, ENGLISH, context), "ser",
                             context.resource(request.root) if request.root else None, within=readable(context))
    answers = read_answers(located(request.answers, ANSWERS, context))
    rows = wanted(manifest.rows, answers, request, context)
    clips = Clips([manifest.source(row) for row in rows], model, Limits(), keep=True)
    eyes = {text: read(model, text, answers) for text in dict.fromkeys(row.text for row in rows)}
    found = [{**measured(model, row, place, clips, answers, rows, request, context), "told": eyes[row.text]}
             for place, row in enumerate(rows)]
    truth, people = [row.emotion for row in rows], [row.speaker or str(i) for i, row in enumerate(rows)]
    heard, told, head = (score(truth, [one[kind] for one in found], people, EMOTIONS, seed=request.seed)
                         for kind in ("heard", "told", "head"))
    gaps, replied = gaps_of(model, rows, clips, answers, context)
    inside = [one["content"] for one in found if one["content"]]
    contrast = contrast_of(model, rows, clips, frozen_classifier()[0], context) if request.replies else -1.0
    path = context.run / "artifacts" / "clips.json"
    write_json(path, [{"audio": row.audio, "speaker": row.speaker, "emotion": row.emotion, **one}
                      for row, one in zip(rows, found, strict=True)])
    context.artifact("clips.json", path, "json")
    return EvaluateResult(len(rows), heard.ua, tuple(heard.ua_interval), heard.wa, told.ua, tuple(told.ua_interval),
                          head.ua, sum(gaps.values()) / len(gaps), to_json(gaps),
                          inside.count("yes") / len(inside) if inside else -1.0, min(request.pool, len(answers)),
                          contrast, heard.confusion, replied)


def wanted(rows: Sequence[Row], answers: Answers, request: EvaluateRequest, context: Context) -> list[Row]:
    """Clips of the asked speakers that have an emotion and answers; ``limit`` of them by lot."""
    found = [row for row in rows if row.emotion and row.text in answers
             and (not request.speakers or row.speaker in request.speakers)]
    missing = sorted(set(request.speakers) - {row.speaker for row in found})
    if missing or not found:
        raise UserError(f"No clip with answers in every emotion is by {missing[0] if missing else 'anybody'}.",
                        advice="Write answers for this manifest: blsp_emo.continuations with stage 2, every_emotion.")
    if request.limit and request.limit < len(found):
        found = [found[i] for i in sorted(context.generator(request.seed).sample(range(len(found)), request.limit))]
    return found


def measured(model: BlspEmo, row: Row, place: int, clips: Clips, answers: Answers, rows: Sequence[Row],
             request: EvaluateRequest, context: Context) -> dict[str, str]:
    """Emotion by ear and by the head, and whether the words were told from others of the pool."""
    context.report(place, len(rows), f"{place} of {len(rows)} clips")
    told, states = prompts.heard(), clips.states([place])
    speech = model.listen(states)
    line, own = model.layout.line, answers[row.text]
    ear = likelihood(model, [line(told, Heard(0), *own[e]) for e in EMOTIONS], speech)
    others = sorted(set(answers) - {row.text})
    context.generator(request.seed + place).shuffle(others)
    pool = [row.text, *others[:request.pool - 1]]
    content = ""
    if len(pool) > 1:
        chances = likelihood(model, [line(told, Heard(0), *answers[text][row.emotion]) for text in pool], speech)
        content = "yes" if chances[0] > max(chances[1:]) else "no"
    scores = model.emotions(speech)[0]
    return {"heard": EMOTIONS[ear.index(max(ear))], "head": EMOTIONS[int(scores.argmax())], "content": content}


def read(model: BlspEmo, text: str, answers: Answers) -> str:
    """The emotion whose answer is likeliest from the transcript alone: the same for every tone it is said in."""
    line = model.layout.line
    eye = likelihood(model, [line(prompts.heard(), text, *answers[text][e]) for e in EMOTIONS], None)
    return EMOTIONS[eye.index(max(eye))]


def distance(model: BlspEmo, lesson: Lesson, telling: prompts.Told, states: States) -> float:
    """Nats a response token of KL(text under ``telling`` || speech under ``lesson.told``) at the published T = 2."""
    layout, padding = model.layout, model.layout.padding
    speech = model.listen(states)
    lengths = speech.lengths.tolist()
    twins = [(pack([layout.line(lesson.told, Heard(0), lesson.output, lesson.early_stop)], lengths, padding), speech),
             (pack([layout.line(telling, lesson.text, lesson.output, lesson.early_stop)], [], padding), None)]
    found = []
    with torch.no_grad():
        for packed, heard in twins:
            there = packed.to(model.device)
            rows = objective.response_rows(there.labels)
            columns = objective.columns_of(rows)
            found.append(model.logits(there, heard, columns)[rows[:, columns]])
        return float(objective.response_kl(found[0], found[1])) / len(found[0])


def gaps_of(model: BlspEmo, rows: Sequence[Row], clips: Clips, answers: Answers, context: Context) \
        -> tuple[dict[str, float], float]:
    """Nats a token by emotion, on the neutral continuation under stage 1's prompt; and of replies in the clip's own
    emotion, where the twin that reads is told the emotion."""
    found: dict[str, list[float]] = {}
    replies = []
    for place, row in enumerate(rows):
        context.report(place, len(rows), "distance of speech and text")
        states = clips.states([place])
        plain = Lesson(place, row.text, NONE, *answers[row.text]["neutral"], prompts.semantic())
        toned = Lesson(place, row.text, NONE, *answers[row.text][row.emotion], prompts.heard())
        found.setdefault(row.emotion, []).append(distance(model, plain, plain.told, states))
        replies.append(distance(model, toned, prompts.emotional(row.emotion), states))
    return {emotion: sum(found[emotion]) / len(found[emotion]) for emotion in EMOTIONS if emotion in found}, \
        sum(replies) / len(replies)


def contrast_of(model: BlspEmo, rows: Sequence[Row], clips: Clips, classifier: ToneClassifier,
                context: Context) -> float:
    """Share of pairs in the right direction; equal replies are none. -1 where no sentence has two emotions."""
    told, made = prompts.heard(), list[str]()
    for place in range(len(rows)):
        context.report(place, len(rows), "replies")
        speech: Speech = model.listen(clips.states([place]))
        made.append(reply(model, model.layout.line(told, Heard(0)), speech, Reading(48, 0.0)))
    return contrast(rows, made, classifier)


def contrast(rows: Sequence[Row], made: Sequence[str], classifier: ToneClassifier) -> float:
    """The share, for replies that were made."""
    chances = classifier.chances([text or "." for text in made])
    pairs = [(a, b) for a, b in itertools.combinations(range(len(rows)), 2)
             if rows[a].text == rows[b].text and rows[a].emotion != rows[b].emotion][:CONTRASTS]
    right = sum(chances[a][rows[a].emotion] > chances[b][rows[a].emotion]
                and chances[b][rows[b].emotion] > chances[a][rows[b].emotion] for a, b in pairs)
    return right / len(pairs) if pairs else -1.0
