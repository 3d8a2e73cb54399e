"""Dialogues for the conditioning experiment: ESConv's, read where they lie beside the project, or planted ones.

Training dialogues are those of ESConv's official development file; test dialogues are PPDPP's validation set (the same
corpus, another split). The splits overlap, so every training dialogue that shares a scenario, an opening or a fifth of
its longer supporter turns with a test dialogue is left out. For pre-training the small model, failed ESConv dialogues
and ESCoT's synthetic ones are added.

Planted dialogues, for a machine without the data: every strategy has words of its own that it prefers, so the effect is
there by construction. They test the measurement, not the method.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.importers.splitting import grouped
from backends.sweetiechat.library import choose_strategies
from backends.sweetiechat.objects import Dialogue, Scenario, Strategy, StrategySet, Turn

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "dialogue"
TRAIN, TEST, MORE = "devWithStrategy_short.tsv", "ppdpp_valid.jsonl", ("FailedESConv.json", "escot_val.json")
OVERLAP, LETTERS = 0.2, 30
NEUTRAL = StrategySet("none", "1", (Strategy("reply", "Reply", "回复"), Strategy("other", "Other", "其他")))
"""The set of the arm without strategies: every turn carries the same mark, so that both arms read the same tokens."""


@dataclass(frozen=True)
class Corpus:
    """What to train on, what to test on, and more text for pre-training; ``real`` says whether people wrote it."""

    train: tuple[Dialogue, ...]
    test: tuple[Dialogue, ...]
    more: tuple[Dialogue, ...]
    real: bool
    name: str


def load_corpus(folder: Path = SHARED) -> Corpus | None:
    """The real corpus, or ``None`` where its files are not beside the project."""
    if not all((folder / name).is_file() for name in (TRAIN, TEST)):
        return None
    test = usable(import_dialogues(folder / TEST).dialogues)
    train = apart_from(usable(import_dialogues(folder / TRAIN).dialogues), test)
    more = [d for name in MORE if (folder / name).is_file() for d in import_dialogues(folder / name).dialogues]
    return Corpus(train, test, apart_from(usable(more), test), True,
                  f"{len(train)} ESConv dialogues, tested on {len(test)} others")


def usable(dialogues: Sequence[Dialogue]) -> tuple[Dialogue, ...]:
    """Dialogues with at least four turns and two strategies."""
    return tuple(d for d in dialogues if len(d.turns) >= 4 and sum(t.strategy is not None for t in d.turns) >= 2)


def apart_from(train: Sequence[Dialogue], test: Sequence[Dialogue]) -> tuple[Dialogue, ...]:
    """The training dialogues that are no test dialogue in another spelling, each once."""
    seen = {letters(turn.text) for d in test for turn in d.said_by("supporter")}
    known = {place for group in grouped([*train, *test]) if max(group) >= len(train) for place in group}
    kept: dict[str, Dialogue] = {}
    for place, dialogue in enumerate(train):
        said = [letters(turn.text) for turn in dialogue.said_by("supporter")]
        long = [text for text in said if len(text) > LETTERS]
        copied = sum(text in seen for text in long) / max(1, len(long))
        if place not in known and copied <= OVERLAP:
            kept.setdefault("".join(said), dialogue)
    return tuple(kept.values())


def letters(text: str) -> str:
    """Letters and digits only."""
    return re.sub(r"[\W_]+", "", text.casefold())


def neutral(dialogue: Dialogue) -> Dialogue:
    """The dialogue with the same mark on every supporter turn that has a strategy."""
    turns = tuple(dataclasses.replace(t, strategy="reply" if t.strategy else None) for t in dialogue.turns)
    return dataclasses.replace(dialogue, strategy_set=NEUTRAL, turns=turns)


def planted(generator: random.Random, count: int, strength: float = 0.3) -> tuple[Dialogue, ...]:
    """Dialogues whose supporter draws each word with probability ``strength`` from its strategy's own ten words, else
    from words that all share. ``strength`` 0 plants nothing: the control."""
    strategies = choose_strategies("esconv-8")
    shared = [f"word{n}" for n in range(60)]
    own = {key: [f"{key.replace('-', '')}{n}" for n in range(10)] for key in strategies.keys}
    everything = shared + [word for some in own.values() for word in some]
    return tuple(_planted(number, generator, strategies, own, everything, strength) for number in range(count))


def _planted(number: int, generator: random.Random, strategies: StrategySet, own: dict[str, list[str]],
             everything: Sequence[str], strength: float) -> Dialogue:
    turns = []
    for place in range(12):
        if place % 2 == 0:
            turns.append(Turn(place, "seeker", " ".join(generator.choices(everything, k=8))))
            continue
        key = generator.choice(strategies.keys)
        said = [generator.choice(own[key] if generator.random() < strength else everything) for _ in range(10)]
        turns.append(Turn(place, "supporter", " ".join(said), key))
    scenario = Scenario(f"planted-{number}", "planted", "none", 3, f"Planted dialogue {number}: words by strategy.")
    return Dialogue(f"planted-{number}", scenario, None, strategies, tuple(turns), "imported", counselor="none")
