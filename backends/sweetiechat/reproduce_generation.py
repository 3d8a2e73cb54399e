"""``reproduce`` part: dialogues are generated, judged, exported and read again without loss (acceptance 7).

200 dialogues of the default model (8 with ``--quick``), judged as they end. Every dialogue has a named stop reason,
every one that is not accepted has a reason, the two exact layouts give equal dialogues back, the others their words. In
full, also how strategies are mixed under each counselor, beside ESConv's mix. An unfinished run goes on in
``<home>/reproduce/generation``. What a counselor does to the bias is :mod:`reproduce_bias`'s.
"""

from __future__ import annotations

import dataclasses
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat import exports, generate
from backends.sweetiechat.classifier import StrategyClassifier, train_linear
from backends.sweetiechat.classifier_features import cases_of
from backends.sweetiechat.conditioning_data import SHARED, load_corpus, planted
from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.importers.zipped import is_zip, unpack
from backends.sweetiechat.metrics.intervals import paired_sums
from backends.sweetiechat.metrics.usage import ESCONV_COUNTS, jensen_shannon
from backends.sweetiechat.objects import Dialogue, dialogue_from_json
from backends.sweetiechat.quality.gate import report_of, status_of
from backends.sweetiechat.reproduce_bias import bias
from backends.sweetiechat.requests import GenerateRequest
from backends.sweetiechat.reviews import DIALOGUES, QUARANTINED
from backends.sweetiechat.train_text import lines_of
from workbench import hub
from workbench.context import MemoryContext
from workbench.evidence import Claim
from workbench.fields import to_json
from workbench.files import read_lines
from workbench.settings import Settings

Say = Callable[[str], None]
COUNT, TURNS, BATCH, WORDS = (200, 8), (12, 4), (25, 8), (32, 16)
"""Dialogues, most turns, batch and most new tokens, in full and with ``--quick`` (our budget)."""
SIDE = 40
"""Dialogues generated for the mix of strategies under each other counselor (in full only)."""
RESAMPLES = 1000


def claims(settings: Settings, quick: bool, say: Say) -> list[Claim]:
    """All claims of this part. Raises ``UserError`` where the default model is not on this machine."""
    with opened(settings) as model, place(settings, quick) as folder:
        corpus = load_corpus(SHARED) if SHARED.is_dir() else None
        known, asked = (corpus.train, corpus.test) if corpus else halves()
        classifier = train_linear([c for n, d in enumerate(known) for c in cases_of(lines_of(d), n)], "history")
        made = run(folder / "scored", request(quick), model, say)
        found = [*whole(made, say), *exact(made, say)]
        found += bias(model, classifier, asked, corpus is not None, quick, say)
        if not quick:
            found += mixes(folder, made, model, classifier, say)
        return found


@contextmanager
def opened(settings: Settings) -> Iterator[Any]:
    """The default model in this process."""
    from backends.common.engine import LocalModel

    found = hub.resolve(settings.default_model, settings)
    model = LocalModel(found.path, to_json(found.card), threads=settings.threads, device=settings.device)
    try:
        yield model
    finally:
        model.close()


@contextmanager
def place(settings: Settings, quick: bool) -> Iterator[Path]:
    """Where dialogues are kept: in the home, so that a long run can go on, or for the moment only."""
    if not quick:
        yield settings.home / "reproduce" / "generation"
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def halves() -> tuple[tuple[Dialogue, ...], tuple[Dialogue, ...]]:
    """Planted dialogues to train and to test on, where the real ones are not beside the project."""
    every = planted(random.Random(5), 120)
    return every[:80], every[80:]


def request(quick: bool, **changes: object) -> GenerateRequest:
    """The batch that is generated."""
    place = int(quick)
    values: dict[str, Any] = {"count": COUNT[place], "batch": BATCH[place], "max_turns": TURNS[place], "min_turns": 4,
                              "max_new_tokens": WORDS[place], "redraws": 0 if quick else 1, "seed": 7}
    return GenerateRequest(**{**values, **changes})


def run(folder: Path, asked: GenerateRequest, model: Any, say: Say,
        trained: StrategyClassifier | None = None) -> list[Dialogue]:
    """Generate the dialogues of a request, or what is missing of them; all of them, quarantined ones last."""
    if trained is not None:
        trained.save(folder.parent / "classifier")
        asked = dataclasses.replace(asked, counselor="classifier", classifier=f"path:{folder.parent / 'classifier'}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    context = MemoryContext(folder)
    result = generate.run(asked, context, lambda _context, _reference: _Shared(model))
    say(f"{folder.name}: {result.dialogues} dialogues, {result.turns} turns, {json.dumps(dict(result.quality))}")
    rows = [row for name in (DIALOGUES, QUARANTINED) for row in read_lines(folder / "artifacts" / name)]
    return [dialogue_from_json(row) for row in rows]


class _Shared:
    """The model under another handle: a task closes what it opens, and this one is used again."""

    def __init__(self, model: Any) -> None:
        self.card, self.generate, self.score, self.forget = model.card, model.generate, model.score, model.forget

    def close(self) -> None:
        """The model stays open."""


def whole(made: Sequence[Dialogue], say: Say) -> list[Claim]:
    """Stop reasons, statuses and the reasons for them."""
    reasons = Counter(d.stop_reason for d in made)
    named = ", ".join(f"{name} {count}" for name, count in reasons.most_common())
    statuses = Counter(status_of(d.qc) for d in made)
    failed = Counter(verdict.rule for d in made for report in [report_of(d.qc)] if report for verdict in report.failed)
    rules = ", ".join(f"{rule} {count}" for rule, count in failed.most_common()) or "none"
    judged = ", ".join(f"{name} {count}" for name, count in statuses.most_common())
    say(f"stop reasons: {named}; statuses: {judged}; failed rules: {rules}")
    silent = sum(status_of(d.qc) != "accepted" and not (report_of(d.qc) or _Nothing()).reason for d in made)
    return [
        Claim(f"generated dialogues that ended with a named reason ({named})", float(sum(d.ended for d in made)),
              float(len(made)), all(d.ended for d in made) and len(made) > 0),
        Claim(f"dialogues that were judged ({judged})", float(sum(bool(status_of(d.qc)) for d in made)),
              float(len(made)), all(status_of(d.qc) for d in made)),
        Claim(f"rejected or quarantined dialogues without a reason (rules that failed: {rules})", float(silent), 0.0,
              silent == 0, float(statuses["rejected"] + statuses["quarantined"]))]


@dataclasses.dataclass(frozen=True)
class _Nothing:
    reason: str = ""


def exact(made: Sequence[Dialogue], say: Say) -> list[Claim]:
    """Out in every layout and in again: equal dialogues from the exact ones, equal words from the others."""
    found = []
    for name in exports.FORMATS:
        back = again(made, name)
        if name in exports.EXACT:
            same = sum(one == other for one, other in zip(made, back, strict=False)) if len(made) == len(back) else 0
        else:
            same = sum(spoken(one) == spoken(other) for one, other in zip(made, back, strict=False))
        what = "equal dialogues" if name in exports.EXACT else "dialogues with equal words and speakers"
        found.append(Claim(f"{what} after export as {name} and import", float(same), float(len(made)),
                           same == len(made) == len(back)))
    say(f"layouts: {', '.join(f'{c.what.split()[-3]} {c.value:g}/{c.target:g}' for c in found)}")
    return found


def again(made: Sequence[Dialogue], layout: str) -> list[Dialogue]:
    """The dialogues after export and import."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / exports.FORMATS[layout][1]
        path.write_bytes(exports.export(made, layout))
        return list(import_dialogues(unpack(path, Path(folder) / "out", path.name) if is_zip(path) else path).dialogues)


def spoken(dialogue: Dialogue) -> list[tuple[str, str]]:
    """Who said what, with runs of space as one space: what every layout keeps."""
    return [(turn.role, " ".join(turn.text.split())) for turn in dialogue.turns]


def mixes(folder: Path, made: Sequence[Dialogue], model: Any, classifier: StrategyClassifier, say: Say) -> list[Claim]:
    """Strategies in generated dialogues under each counselor: distance to ESConv's mix, with intervals by dialogue."""
    first = request(False, count=SIDE)
    keys = made[0].strategy_set.keys
    rows = {"scored, beta 1": counted(made[:SIDE], keys),
            "scored, beta 0": counted(run(folder / "beta0", dataclasses.replace(first, beta=0.0), model, say), keys),
            "classifier": counted(run(folder / "classified", first, model, say, classifier), keys)}

    def distance(total: NDArray[np.float64]) -> float:
        return jensen_shannon(dict(zip(keys, total.tolist(), strict=True)), ESCONV_COUNTS)
    found = []
    base = rows["scored, beta 0"]
    for name, own in rows.items():
        shares = own.sum(axis=0) / own.sum()
        mix = ", ".join(f"{key} {share:.0%}" for key, share in sorted(zip(keys, shares, strict=True),
                                                                     key=lambda pair: -pair[1]))
        say(f"generated with {name}: {mix}")
        if name == "scored, beta 0":
            continue
        gain = paired_sums(base, own, distance, random.Random(0), RESAMPLES)
        found.append(Claim(f"Jensen-Shannon divergence (bits) from ESConv's mix, {SIDE} generated dialogues "
                           f"with {name} ({distance(own.sum(axis=0)):.3f}: {mix}) minus that of beta 0",
                           gain.value, 0.0, gain.value < 0 and gain.excludes(0.0), distance(base.sum(axis=0)),
                           (gain.low, gain.high) if gain.low is not None and gain.high is not None else None))
    return found


def counted(dialogues: Sequence[Dialogue], keys: Sequence[str]) -> NDArray[np.float64]:
    """How often each strategy is used in each dialogue; shape (dialogues, strategies)."""
    return np.array([[sum(t.strategy == key for t in d.turns) for key in keys] for d in dialogues], dtype=np.float64)
