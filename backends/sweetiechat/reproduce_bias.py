"""``reproduce`` part: what a counselor does to the bias of strategy use (acceptance 4, spec 1.G.4).

Real histories of ESConv dialogues that the classifier did not see (planted ones without the data). Every counselor says
which strategy it would take, without draw, stage or repetition term; B is the preference bias of Kang et al. (2024)
of said against gold, with intervals by dialogue. ``none`` decides nothing and has no B: in its place stands ``scored``
with beta = 0, the model's own taste in labels. ``prompt`` falls to ``scored`` where a small model writes no valid JSON;
how often is said.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.cast import Cast
from backends.sweetiechat.classifier import StrategyClassifier
from backends.sweetiechat.classifier_at_work import Trained
from backends.sweetiechat.counselor import decide
from backends.sweetiechat.crisis import load_rules
from backends.sweetiechat.metrics.intervals import Interval, bootstrap_sums, paired_sums
from backends.sweetiechat.metrics.preference import preference_bias
from backends.sweetiechat.metrics.strategy import table
from backends.sweetiechat.objects import Counsel, Dialogue
from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.wording import load_wording
from workbench.context import MemoryContext
from workbench.evidence import Claim

Say = Callable[[str], None]
Asked = list[tuple[Dialogue, str]]
HISTORIES, EACH, PROMPTED = (80, 18), 3, (12, 0)
"""Held-out dialogues (in full, with ``--quick``), histories of each, and dialogues for which ``prompt`` is asked."""
DEEPEST, BATCH = 12, 12
"""Histories are taken from the first turns of a dialogue: a longer one costs more. Histories in one model call."""
RESAMPLES = (1000, 200)


def bias(model: Any, classifier: StrategyClassifier, dialogues: Sequence[Dialogue], real: bool, quick: bool,
         say: Say) -> list[Claim]:
    """B of every counselor on the same histories, and how far it lies below that of the uncalibrated score."""
    asked = [histories(d) for d in dialogues[:HISTORIES[int(quick)]]]
    asked = [group for group in asked if group]
    calibrated = decisions(asked, plain(beta=1.0), model, classifier)
    trained = plain(counselor="classifier", classifier="path:trained")
    said = {"scored, beta 0": [uncalibrated(counsel) for counsel in calibrated], "scored, beta 1": calibrated,
            "classifier": decisions(asked, trained, model, classifier)}
    tables = {name: _tables(asked, found) for name, found in said.items()}
    source = f"{sum(map(len, asked))} histories of {len(asked)} {'ESConv' if real else 'planted (synthetic)'} dialogues"
    base = tables["scored, beta 0"]
    resamples = RESAMPLES[int(quick)]
    control = bootstrap_sums(base, preference_bias, random.Random(0), resamples)
    found = []
    for name in ("scored, beta 1", "classifier"):
        own = bootstrap_sums(tables[name], preference_bias, random.Random(0), resamples)
        gain = paired_sums(base, tables[name], preference_bias, random.Random(0), resamples)
        text = (f"bias B of {name} minus B of the uncalibrated score ({own.value:.3f} {_shown(own)} against "
                f"{control.value:.3f} {_shown(control)}), {source}")
        say(text)
        found.append(Claim(text, gain.value, 0.0, gain.value < 0 and gain.excludes(0.0), control.value, _pair(gain)))
    for name, values in tables.items():
        say(f"strategies said by {name}: {shares(values, asked[0][0][0])}")
    if PROMPTED[int(quick)]:
        found.append(prompted(model, classifier, asked[:PROMPTED[int(quick)]], say))
    return found


def uncalibrated(counsel: Counsel) -> Counsel:
    """The decision with beta = 0, out of one with beta = 1: the term of the history alone (no other term counts)."""
    best = max(counsel.ranking, key=lambda ranked: ranked.terms["history"])
    return dataclasses.replace(counsel, chosen=best.strategy)


def plain(**changes: Any) -> DialogueRequest:
    """A request under which a counselor takes the best strategy, with no term but its own."""
    return DialogueRequest(**{"choice_temperature": 0.0, "stage_weight": 0.0, "repeat_weight": 0.0, **changes})


def histories(dialogue: Dialogue) -> Asked:
    """At most ``EACH`` (history, gold strategy) of a dialogue, at even distances among its first turns."""
    found = []
    for place, turn in enumerate(dialogue.turns[:DEEPEST]):
        if place and turn.role == "supporter" and turn.strategy and dialogue.turns[place - 1].role == "seeker":
            cut = dataclasses.replace(dialogue, id=f"{dialogue.id}/{place}", turns=dialogue.turns[:place],
                                      stop_reason="running", qc={})
            found.append((cut, turn.strategy))
    step = max(1, len(found) // EACH)
    return found[::step][:EACH]


def decisions(asked: Sequence[Asked], kind: DialogueRequest, model: Any,
              classifier: StrategyClassifier) -> list[Counsel]:
    """The decision on every history, in the order of the groups."""
    every = [history for group in asked for history, _ in group]
    with tempfile.TemporaryDirectory() as folder:
        context = MemoryContext(Path(folder))
        cast = Cast({"counselor": model}, {"counselor": "reproduce"}, kind, load_wording("en"), load_rules(),
                    context.generator, trained=Trained(classifier, None, None, {}))
        found: list[Counsel] = []
        for first in range(0, len(every), BATCH):
            batch = [dataclasses.replace(d, counselor=kind.counselor) for d in every[first:first + BATCH]]
            found += decide(batch, cast)
            model.forget([f"{d.id}/counselor" for d in batch])
    return found


def _tables(asked: Sequence[Asked], said: Sequence[Counsel]) -> NDArray[np.int64]:
    """One table of (said, gold) counts a dialogue."""
    keys, left = asked[0][0][0].strategy_set.keys, list(said)
    found = []
    for group in asked:
        own, left = left[:len(group)], left[len(group):]
        found.append(table([gold for _, gold in group], [counsel.chosen for counsel in own], keys))
    return np.stack(found)


def shares(tables: NDArray[np.int64], dialogue: Dialogue) -> str:
    """How often each strategy was said, the most frequent first, as text."""
    counts = tables.sum(axis=0).sum(axis=1)
    pairs = sorted(zip(dialogue.strategy_set.keys, (counts / counts.sum()).tolist(), strict=True),
                   key=lambda pair: -pair[1])
    return ", ".join(f"{key} {share:.0%}" for key, share in pairs)


def prompted(model: Any, classifier: StrategyClassifier, asked: Sequence[Asked], say: Say) -> Claim:
    """How often the model answers ``prompt`` in valid JSON; the rest are scored, so their B is that of beta = 1."""
    said = decisions(asked, plain(counselor="prompt"), model, classifier)
    valid = sum(counsel.mode == "prompt" and not counsel.notes for counsel in said)
    own = preference_bias(_tables(asked, said).sum(axis=0))
    text = (f"answers of the counselor mode prompt that are valid JSON with a strategy of the set (of {len(said)}; the "
            f"others fell to scored and say so); B of what it said {own:.3f}")
    say(text)
    return Claim(text, float(valid), 0.0, all(counsel.notes or counsel.mode == "prompt" for counsel in said))


def _shown(interval: Interval) -> str:
    return f"[{interval.low:.3f}, {interval.high:.3f}]" if interval.low is not None else "[no interval]"


def _pair(interval: Interval) -> tuple[float, float] | None:
    return (interval.low, interval.high) if interval.low is not None and interval.high is not None else None
