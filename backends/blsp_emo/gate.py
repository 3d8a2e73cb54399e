"""The gate before stages 1 and 2 (spec G.2): does the language model answer one sentence differently by the emotion?

    separated = share of replies whose emotion a frozen classifier of words finds (chance 0.2; to pass: 0.8)
    content   = share of replies that are likelier after their own sentence than after any other of a pool, in one tone

The second keeps out a model that says "I am sorry to hear that" to everything. The classifier (tf-idf of words and
pairs, logistic regression) learns from replies of the practice talk that no model has written and is the same every
time; its own accuracy on unseen reference replies is reported. A language model that passes nothing has nothing that
stage 2 could teach: any "empathy" would be the classifier's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.blsp_emo import prompts, talk
from backends.blsp_emo.requests import GateRequest, GateResult
from backends.blsp_emo.ser import EMOTIONS
from backends.blsp_emo.storage import weights_hash
from backends.common.language import Decoding, LanguageModel, Message, Prompt, open_model
from workbench.contract import Context, Json, MissingResource, UserError
from workbench.fields import from_json, to_json
from workbench.files import read_json, write_json

NEEDED, POOL, REPORT = 0.8, 10, "gate.json"
CLASSIFIER_SEED = 20_240_606
"""Of the classifier's reference replies: fixed, so that the classifier is the same for every model."""


class ToneClassifier:
    """Tells the five tones of a reply apart by its words."""

    def __init__(self, texts: Sequence[str], emotions: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

        self.words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        self.model = LogisticRegression(C=10.0, max_iter=500).fit(self.words.fit_transform(texts), list(emotions))

    def chances(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Probability of every tone for every text."""
        rows = self.model.predict_proba(self.words.transform(list(texts)))
        return [dict(zip(map(str, self.model.classes_), map(float, row), strict=True)) for row in rows]

    def tell(self, texts: Sequence[str]) -> list[str]:
        """The likeliest tone of every text."""
        return [max(row, key=lambda name: row[name]) for row in self.chances(texts)]


def frozen_classifier() -> tuple[ToneClassifier, float]:
    """The classifier and its accuracy on reference replies to sentences it has not seen."""
    train, test = talk.divided(CLASSIFIER_SEED, 300, 100)
    generator = random.Random(CLASSIFIER_SEED)
    known, unseen = ([p for p in talk.pairs(part, generator) if p.emotion] for part in (train, test))
    made = ToneClassifier([p.output for p in known], [p.emotion for p in known])
    told = made.tell([p.output for p in unseen])
    right = sum(a == p.emotion for a, p in zip(told, unseen, strict=True))
    return made, right / len(unseen)


def asked(text: str, emotion: str) -> Prompt:
    """The prompt that names an emotion, as in the construction of stage 2's data; without one stage 1's."""
    told = prompts.emotional(emotion) if emotion else prompts.semantic()
    return Prompt((Message("system", told.system), Message("user", told.instruction + text)))


def check(model: LanguageModel, texts: Sequence[str], weights: str, tick: Callable[[], None]) -> GateResult:
    """Ask about every text in every emotion. ``tick`` is called often and may end the work by raising."""
    classifier, own = frozen_classifier()
    decoding, replies = Decoding(max_new_tokens=48, min_new_tokens=1, temperature=0.0), dict[str, list[str]]()
    for emotion in EMOTIONS:
        made = model.generate([asked(text, emotion) for text in texts], decoding, cancelled=tick)
        replies[emotion] = [one.text.strip() for one in made]
    hits = {emotion: sum(told == emotion for told in classifier.tell(made)) / len(made)
            for emotion, made in replies.items()}
    separated = sum(hits.values()) / len(hits)
    content, pool = content_of(model, texts, replies, tick)
    enough = content >= max(0.5, 2 / pool)
    why = "" if separated >= NEEDED and enough else (
        f"only {separated:.0%} of its replies show the emotion that was asked for, {NEEDED:.0%} are needed"
        if separated < NEEDED else f"its replies fit their own sentence in only {content:.0%} of {pool} cases")
    return GateResult(not why, round(separated, 4), round(content, 4), pool, round(own, 4), len(texts) * len(EMOTIONS),
                      weights, why, {name: round(value, 4) for name, value in hits.items()})


def content_of(model: LanguageModel, texts: Sequence[str], replies: Mapping[str, Sequence[str]],
               tick: Callable[[], None]) -> tuple[float, int]:
    """R@1 over a pool of sentences in one tone: argmax_i log p(reply_j | sentence_i) = j."""
    pool, hits, total = min(POOL, len(texts)), 0, 0
    for emotion in EMOTIONS:
        chosen = [reply or "." for reply in replies[emotion][:pool]]
        tick()
        scores = model.score([asked(text, emotion) for text in texts[:pool]], [chosen] * pool)
        sums = [[sum(tokens) for tokens in row] for row in scores]
        for place in range(pool):
            column = [row[place] for row in sums]
            hits += column.index(max(column)) == place and column.count(max(column)) == 1
            total += 1
    return hits / total, pool


def run(request: GateRequest, context: Context) -> GateResult:
    """The task ``blsp_emo.gate.v1``: check a model and write ``gate.json``."""
    reference = request.model or context.default_model
    weights = weights_hash(context.resource(reference))
    _, said = talk.divided(request.seed, 1, request.checked)
    model = open_model(context, reference)
    try:
        result = check(model, [one.text for one in said], weights,
                       lambda: context.report(0, 0, "asking in five emotions"))
    finally:
        model.close()
    path = context.run / "artifacts" / REPORT
    write_json(path, to_json(result))
    context.artifact(REPORT, path, "json")
    return result


def require(reference: str, folder: Path, weights: str, context: Context) -> None:
    """Refuse a language model without a passed gate. ``reference``: its report, empty for the one in its folder.

    Raises ``UserError`` or ``MissingResource`` with the reason."""
    found: Any = context.resource(reference) if reference else folder
    report: Json = read_json(found / REPORT if found.is_dir() else found, None)
    advice = "Run blsp_emo.stage0 to make one that passes, or blsp_emo.gate on this one and name its report as gate."
    if report is None:
        raise MissingResource(f"Nobody has checked whether the language model {folder.name} answers by emotion, and "
                              "without that there is nothing to learn.", advice=advice)
    result: GateResult = from_json(GateResult, report)
    if result.weights != weights:
        raise UserError(f"The report of the gate is about other weights than those of {folder.name}.", advice=advice)
    if not result.passed:
        raise UserError(f"The language model {folder.name} did not pass the gate: {result.why}.", advice=advice)
