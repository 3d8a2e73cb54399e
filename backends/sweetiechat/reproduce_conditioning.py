"""``reproduce`` part: a reply is likelier under its own strategy than under none or a wrong one (spec 1.G).

Three learners on the same split (training: ESConv's official development file; test: PPDPP's validation dialogues,
with overlaps left out): a word bigram model with strategy back-off, a small Transformer from scratch, and LoRA on the
default language model. ``quick`` counts bigrams only, and without the data it measures planted dialogues, whose control
plants nothing. The two neural learners keep checkpoints under ``<home>/reproduce``, so that an ended run goes on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from backends.common.training.plan import Plan
from backends.sweetiechat import conditioning_models, conditioning_ngram, conditioning_small
from backends.sweetiechat.conditioning_claims import Conditions, claims
from backends.sweetiechat.conditioning_data import SHARED, Corpus, load_corpus, planted
from backends.sweetiechat.conditioning_models import Arm
from backends.sweetiechat.conditioning_small import Size
from workbench import hub
from workbench.evidence import Claim, Reproduction
from workbench.settings import Settings

Say = Callable[[str], None]


@dataclass(frozen=True)
class Scale:
    """How much of each learner is run. The defaults took about half an hour for the Transformer and for each arm of the
    language model on one crowded core; on a GPU or a free machine give more dialogues, tokens and epochs."""

    seed: int = 0
    small: Size = field(default_factory=Size)
    train: int = 80
    test: int = 60
    length: int = 320
    epochs: float = 1.5
    rate: float = 3e-4
    precision: str = "bfloat16"


def conditioning(settings: Settings, quick: bool = False, folder: Path = SHARED, scale: Scale | None = None,
                 say: Say = print) -> Reproduction:
    """The claims of every learner that was run."""
    began, scale = time.monotonic(), scale or Scale()
    corpus = load_corpus(folder)
    if corpus is None:
        return Reproduction("conditioning", tuple(on_planted(scale.seed)), time.monotonic() - began)
    found = [conditioning_ngram.run(corpus.train, corpus.test, scale.seed)]
    if not quick:
        home = settings.home / "reproduce"
        found.append(from_scratch(corpus, home / f"conditioning-small-{scale.seed}", scale, say))
        found.append(with_lora(corpus, home / f"conditioning-lora-{scale.seed}", scale, settings, say))
    made = [claim for one in found for claim in claims(one, scale.seed)]
    return Reproduction("conditioning", tuple(made), time.monotonic() - began)


def from_scratch(corpus: Corpus, folder: Path, scale: Scale, say: Say = print) -> Conditions:
    """The small Transformer on all training dialogues."""
    return conditioning_small.run(corpus.train, corpus.more, corpus.test, folder, scale.seed, scale.small, say)


def lora_arm(scale: Scale) -> Arm:
    """How the language model is tuned."""
    plan = Plan(epochs=scale.epochs, batch=4, micro_tokens=512, learning_rate=scale.rate, warmup=0.1, seed=scale.seed,
                precision=scale.precision)  # type: ignore[arg-type]
    return Arm("LoRA on the default language model", "lora", scale.length, plan, scale.precision)


def with_lora(corpus: Corpus, folder: Path, scale: Scale, settings: Settings, say: Say = print) -> Conditions:
    """LoRA on the default language model, on the first dialogues of both parts."""
    path = hub.resolve(settings.default_model, settings, None).path
    return conditioning_models.run(path, lora_arm(scale), corpus.train[:scale.train], [], corpus.test[:scale.test],
                                   folder, scale.seed, say)


def on_planted(seed: int) -> list[Claim]:
    """The measurement where the answer is known: the effect is found where it was planted, and only there."""
    generator = random.Random(seed)
    found = conditioning_ngram.run(planted(generator, 80), planted(generator, 40), seed)
    nothing = conditioning_ngram.run(planted(generator, 80, 0.0), planted(generator, 40, 0.0), seed)
    gain = nothing.gain("none", "oracle", random.Random(seed))
    made = [Claim(f"planted dialogues (synthetic), {c.what}", c.value, c.target, c.holds, c.control, c.interval)
            for c in claims(found, seed)]
    control = Claim("planted dialogues without any effect (synthetic): no gain of oracle over none, in nats a token",
                    gain.value, 0.0, gain.value <= 0.0, None,
                    (gain.low, gain.high) if gain.low is not None and gain.high is not None else None)
    return [*made, control]
