"""Numbers about the words and the course of dialogues, and about replies beside their references (spec A.9).

Distinct has no interval: a redrawn dialogue repeats its own n-grams, so that every draw would be lower than the
corpus. The mean Distinct-2 within a dialogue has one. Words of another language than the source's are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np

from backends.sweetiechat.measure_draws import Array
from backends.sweetiechat.measure_notes import note
from backends.sweetiechat.measure_request import Figure
from backends.sweetiechat.measure_sources import Pair, Source
from backends.sweetiechat.measure_strategies import Drawer, Vector
from backends.sweetiechat.metrics.dialogue import average_turns, repetition, solved_at, success_rate, survey_of
from backends.sweetiechat.metrics.text import (
    bleu_of_rows,
    bleu_rows,
    corpus,
    distinct,
    ngrams,
    rouge_l_each,
    unigram_f1_each,
)
from backends.sweetiechat.metrics.tokens import Tokenizer
from backends.sweetiechat.objects import Dialogue
from workbench.contract import Json

ORDERS = (1, 2, 3)


def distinct_figures(texts: Sequence[str], group: str, counted: str, total: int, cut: Tokenizer) -> list[Figure]:
    """Distinct-1..3 of the corpus, correct and as ESConv's released code computes it; none without a text."""
    if not texts:
        return []
    tokens, figures = corpus(texts, None, cut), []
    for compat in (False, True):
        for n in ORDERS:
            score = distinct(tokens, n, esconv_compat=compat)
            notes = (note("size"), *((note("short"),) if score.notes else ()))
            figures.append(Figure(group, score.name, score.value, None, None, "percent", len(texts), total, counted,
                                  cut.name, notes))
    return figures


def word_figures(source: Source, cut: Tokenizer, draw: Drawer) -> tuple[list[Figure], list[Vector]]:
    """What supporters say: Distinct, length, repetition; and the length of what seekers say."""
    own = [d for d in source.dialogues if d.language == source.language and d.said_by("supporter")]
    if not own:
        return [], []
    turns = [turn.text for d in own for turn in d.said_by("supporter")]
    total = sum(len(d.said_by("supporter")) for d in source.dialogues)
    notes = (note("other-language", n=len(source.dialogues) - len(own), total=len(source.dialogues)),) \
        if any(d.language != source.language for d in source.dialogues) else ()
    rows = np.array([_words(d, cut) for d in own])
    counted = (len(own), len(source.dialogues), "dialogues")

    def means(pairs: Sequence[tuple[int, int]], total: Array) -> list[float]:
        return [float(total[a] / total[b]) if total[b] else float("nan") for a, b in pairs]
    drawn = draw(rows, lambda total: [*means([(0, 1), (2, 3)], total), *(100 * v for v in means(
        [(4, 5), (6, 8), (7, 8)], total))])
    vectors = [Vector("words", ("length-supporter", "length-seeker"), drawn.part(0, 2), "tokens", *counted,
                      cut.name, notes),
               Vector("words", ("distinct-2-within", "repetition-within", "repetition-across"),
                      drawn.part(2, len(drawn.values)), "percent", *counted, cut.name)]
    return distinct_figures(turns, "words", "supporter turns", total, cut), vectors


def _words(dialogue: Dialogue, cut: Tokenizer) -> list[float]:
    """Sums of one dialogue: tokens and turns of both, Distinct-2 and 1, repetition within and across and 1."""
    supporter, seeker = ([cut(t.text) for t in dialogue.said_by(role)] for role in ("supporter", "seeker"))
    grams = [gram for tokens in supporter for gram in ngrams(tokens, 2)]
    again = repetition(dialogue, cut)
    return [sum(map(len, supporter)), len(supporter), sum(map(len, seeker)), len(seeker),
            len(set(grams)) / max(len(grams), 1), float(bool(grams)), again.within, again.across, 1.0]


def reply_figures(pairs: Sequence[Pair], cut: Tokenizer, draw: Drawer) -> tuple[list[Figure], list[Vector]]:
    """Predicted replies beside the real ones: BLEU-1..4, ROUGE-L in both variants, F1 of words, lengths, Distinct."""
    kept = [p for p in pairs if p.response and p.reference]
    if not kept:
        return [], []
    texts = corpus([p.response for p in kept], [p.reference for p in kept], cut)
    each = np.array([rouge_l_each(texts, 1.2), rouge_l_each(texts, 1.0), unigram_f1_each(texts),
                     [len(t) for t in texts.hypotheses], [len(r[0]) for r in texts.references]]).T
    matches = np.hstack([bleu_rows(texts, n) for n in range(1, 5)])
    rows = np.hstack([each, np.ones((len(kept), 1)), matches])
    places = [len(list(group)) for _, group in groupby(kept, key=lambda p: p.unit)]
    units = np.add.reduceat(rows, np.cumsum([0, *places[:-1]]), axis=0)
    ends = np.cumsum([6, *(2 * n + 2 for n in range(1, 5))]).tolist()

    def statistic(total: Array) -> list[float]:
        bleus = [bleu_of_rows(total[a:b]) for a, b in pairwise(ends)]
        return [*bleus, *(100 * float(v / total[5]) for v in total[:3]), *(float(v / total[5]) for v in total[3:5])]
    drawn = draw(units, statistic)
    names = ("bleu-1", "bleu-2", "bleu-3", "bleu-4", "rouge-l-beta-1.2", "rouge-l-beta-1", "unigram-f1",
             "length-reply", "length-reference")
    counted = (len(kept), len(pairs), "pairs")
    vectors = [Vector("replies", names[a:b], drawn.part(a, b), unit,
                      *counted, cut.name) for a, b, unit in ((0, 7, "percent"), (7, 9, "tokens"))]
    return distinct_figures([p.response for p in kept], "replies", "pairs", len(pairs), cut), vectors


def course_figures(dialogues: Sequence[Dialogue], rounds: int, draw: Drawer) -> list[Vector]:
    """How dialogues go: turns, fall of the intensity, and success within so many rounds, each over those that say."""
    if not dialogues:
        return []
    total = len(dialogues)
    lengths = draw(np.array([[len(d.turns), 1] for d in dialogues]), lambda s: [float(s[0] / s[1])])
    found = [Vector("course", ("turns",), lengths, "turns", total, total, "dialogues")]
    drops = [drop for drop in (survey_of(d).drop for d in dialogues) if drop is not None]
    if drops:
        drawn = draw(np.array([[drop, drop > 0, 1] for drop in drops], dtype=float),
                     lambda s: [float(s[0] / s[2]), float(s[1] / s[2])])
        for place, (name, unit) in enumerate((("intensity-drop", "points"), ("intensity-fell", "share"))):
            found.append(Vector("course", (name,), drawn.part(place, place + 1), unit, len(drops), total, "dialogues"))
    return [*found, *_success(dialogues, rounds, draw)]


def _success(dialogues: Sequence[Dialogue], rounds: int, draw: Drawer) -> list[Vector]:
    """Success rate and average rounds where the seeker's states are known."""
    known = [d for d in dialogues if any(t.private is not None for t in d.turns)]
    if not known:
        return []
    solved = [r if r is not None and r <= rounds else None for r in map(solved_at, known)]
    rows = np.array([[success_rate([r], rounds), average_turns([r], rounds), 1] for r in solved])
    drawn = draw(rows, lambda s: [float(s[0] / s[2]), float(s[1] / s[2])])
    counted = (len(known), len(dialogues), "dialogues")
    return [Vector("course", (f"success-{rounds}",), drawn.part(0, 1), "share",
                   *counted),
            Vector("course", (f"average-turn-{rounds}",), drawn.part(1, len(drawn.values)),
                   "rounds", *counted)]


def stop_reasons(dialogues: Sequence[Dialogue]) -> dict[str, Json]:
    """How often each reason ended a dialogue, the most frequent first."""
    return dict(Counter(d.stop_reason for d in dialogues).most_common())
