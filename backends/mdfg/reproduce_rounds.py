"""Toxicity rounds against random judging (spec G3): does it matter WHICH pages the judge is shown?

R0 learns from posts (COLD train, SWSR, toxic rows counted twice, benign web texts). It is then used on long pages,
which it has never seen: several harmless posts about the same topics, on 4 % of the pages with two toxic ones. The
judge is simulated: the known label, wrong in 5 % of the cases. Pages for judging and for measuring share no post.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.mdfg.labelled import Labelled, read_cold, read_swsr, rows_of
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.train_ngram import Recipe
from backends.mdfg.toxicity_data import TOXIC, TrainingSet, r0
from backends.mdfg.toxicity_judges import SimulatedJudge
from backends.mdfg.toxicity_rounds import Figures, HeldOut, Plan, run_rounds

PAGES, TOXIC_SHARE, POSTS, NOISE = 4000, 0.04, (3, 6), 0.05
BUDGET = 400
RECIPE = Recipe(Grams(1, 3, 18), epochs=2)


@dataclass(frozen=True)
class Posts:
    """Labelled posts for R0, and what pages are made of."""

    labelled: list[Labelled]
    benign: list[str]
    fillers: list[str]
    toxic: list[str]


@dataclass(frozen=True)
class RoundsOutcome:
    """Figures of R0, R1, R2 and of the control's R1 and R2."""

    rounds: tuple[Figures, ...]
    control: tuple[Figures, ...]
    judged: tuple[int, ...]


def read_posts(folder: Path, generator: random.Random, train: int = 0) -> Posts:
    """The data beside the project; ``train`` limits the labelled posts (0 = all)."""
    labelled = read_cold(folder / "coldataset_train.csv") + read_swsr(folder / "swsr_SexComment.csv")
    if train:
        labelled = generator.sample(labelled, min(train, len(labelled)))
    held = read_cold(folder / "coldataset_dev.csv")
    reviews = [str(row["review"]) for _, row in rows_of(folder / "waimai_10k.csv")]
    lines = (folder / "fewclue_tnews_unlabeled.json").read_text(encoding="utf-8").split("\n")
    heads = [str(json.loads(line)["sentence"]) for line in lines if line.strip()]
    generator.shuffle(reviews)
    generator.shuffle(heads)
    harmless = [row.text for row in held if not row.labels]
    return Posts(labelled, [*reviews[:3000], *heads[:3000]], harmless,
                 [row.text for row in held if row.labels])


def pages(fillers: Sequence[str], toxic: Sequence[str], count: int,
          generator: random.Random) -> tuple[list[str], list[bool]]:
    """Long pages, of which ``TOXIC_SHARE`` hold two toxic posts."""
    texts, labels = [], []
    for number in range(count):
        parts = generator.sample(fillers, generator.randint(*POSTS))
        bad = number < round(count * TOXIC_SHARE)
        if bad:
            parts[:2] = generator.sample(toxic, 2)
            generator.shuffle(parts)
        texts.append("\n".join(parts))
        labels.append(bad)
    order = list(range(count))
    generator.shuffle(order)
    return [texts[i] for i in order], [labels[i] for i in order]


def _halves(values: Sequence[str], generator: random.Random) -> tuple[list[str], list[str]]:
    order = list(values)
    generator.shuffle(order)
    return order[::2], order[1::2]


def one_seed(posts: Posts, seed_of: random.Random, count: int = PAGES, budget: int = BUDGET) -> RoundsOutcome:
    """R0 to R2 and the control, from the same start, pool and test."""
    fill, fill_test = _halves(posts.fillers, seed_of)
    bad, bad_test = _halves(posts.toxic, seed_of)
    pool, truth = pages(fill, bad, count, seed_of)
    texts, labels = pages(fill_test, bad_test, count, seed_of)
    test = HeldOut(tuple(texts), tuple(labels))
    start: TrainingSet = r0(posts.labelled, posts.benign)
    judge = SimulatedJudge(truth, NOISE, seed_of)
    state = seed_of.getstate()
    _, rounds = run_rounds(start, pool, judge, Plan(2, budget, recipe=RECIPE), seed_of, test)
    judged = tuple(len(one.judged) for one in rounds[:-1])
    seed_of.setstate(state)
    _, control = run_rounds(start, pool, judge, Plan(2, budget, judged, RECIPE), seed_of, test)
    return RoundsOutcome(tuple(one.figures for one in rounds if one.figures),
                         tuple(one.figures for one in control if one.figures), judged)


def labels_used(posts: Posts) -> dict[str, int]:
    """How many labelled posts are toxic, by source: what stands in the report."""
    return {source: sum(TOXIC in row.labels for row in posts.labelled if row.source == source)
            for source in dict.fromkeys(row.source for row in posts.labelled)}
