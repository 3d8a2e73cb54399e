"""Self-training against extra supervised steps (spec G4): does stage 2 of BERTEval teach something that more of stage 1
does not?

Curated texts are clips of news and long documents. The crawl is 40 % clips of OTHER documents of the same kind and
60 % bad texts: planted damage (``planted``) of those clips, and forum posts. Stage 1 learns curated against crawl, so
two in five of its negatives are good texts. From there two copies go on: one by self-training on a second crawl, the
other by as many more supervised steps on what stage 1 had. Documents are split first, so no document is on two sides.
The encoder is the n-gram one: real network, head, losses and sampler, without the BERT.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from backends.mdfg.bert_eval.encoders import NgramEncoder
from backends.mdfg.bert_eval.fit import SMALL, SMALL_2, fit, predict
from backends.mdfg.bert_eval.network import BertEval
from backends.mdfg.labelled import read_cold
from backends.mdfg.metrics_binary import auc, precision_at
from backends.mdfg.planted import KINDS, clips, plant
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.ust_fit import UstPlan, self_train

SIZE = 160
GOOD_SHARE = 0.4
SHARES = (0.35, 0.2, 0.3, 0.15)
"""Shares of the documents: curated, first crawl, pool, test."""
ROUNDS, PASSES = 3, 4


@dataclass(frozen=True)
class UstData:
    """Curated clips; crawl, pool and test with what is good in them."""

    curated: list[str]
    crawl: list[str]
    pool: list[str]
    pool_good: list[bool]
    test: list[str]
    test_good: list[bool]


@dataclass(frozen=True)
class UstOutcome:
    """AUC and P@20 % on the test texts of stage 1, self-training and the control; purities of the last round."""

    stage_1: tuple[float, float]
    ust: tuple[float, float]
    control: tuple[float, float]
    negative_purity: float


def read_documents(folder: Path) -> tuple[list[str], list[str]]:
    """(good long documents, forum posts) of the data beside the project."""
    news = (folder / "thucnews_full_500docs.txt").read_text(encoding="utf-8").split("\n")
    documents = [line.split("\t", 1)[1] for line in news if "\t" in line]
    with (folder / "flagdata_example_data.jsonl").open(encoding="utf-8") as file:
        documents += [str(json.loads(line)["raw_content"]) for line in file if line.strip()]
    return documents, [row.text for row in read_cold(folder / "coldataset_dev.csv")]


def make_data(documents: Sequence[str], posts: Sequence[str], generator: random.Random) -> UstData:
    """Split documents, cut clips, mix the crawls."""
    order = list(documents)
    generator.shuffle(order)
    parts, begin = [], 0
    for share in SHARES:
        count = round(len(order) * share)
        found = [clip for text in order[begin:begin + count] for clip in clips(text, SIZE)]
        generator.shuffle(found)
        parts.append(found)
        begin += count
    crawl, _ = _crawl(parts[1], posts, generator)
    pool, pool_good = _crawl(parts[2], posts, generator)
    test, test_good = _crawl(parts[3], posts, generator)
    known = set(test)
    keep = [place for place, text in enumerate(pool) if text not in known]
    return UstData(parts[0], crawl, [pool[i] for i in keep], [pool_good[i] for i in keep], test, test_good)


def _crawl(good: Sequence[str], posts: Sequence[str], generator: random.Random) -> tuple[list[str], list[bool]]:
    bad = []
    for _ in range(round(len(good) * (1 - GOOD_SHARE) / GOOD_SHARE)):
        kind = generator.choice((*KINDS, "posts"))
        made = _posts(posts, generator) if kind == "posts" else plant(kind, generator.choice(good), "zh", generator)
        bad.append(made)
    rows = [(text, True) for text in good] + [(text, False) for text in bad]
    generator.shuffle(rows)
    return [text for text, _ in rows], [yes for _, yes in rows]


def _posts(posts: Sequence[str], generator: random.Random) -> str:
    text = ""
    while len(text) < SIZE:
        text += generator.choice(posts) + "\n"
    return text[:SIZE]


def one_seed(data: UstData, generator: random.Random, epochs: int = SMALL.epochs) -> UstOutcome:
    """Train stage 1, then both continuations from copies of it."""
    source = torch.Generator().manual_seed(generator.getrandbits(62))
    network = BertEval(NgramEncoder(Grams(1, 2, 15), 32, 0.3, source), generator=source)
    texts = [*data.curated, *data.crawl]
    labels = [1.0] * len(data.curated) + [0.0] * len(data.crawl)
    fit(network, texts, labels, dataclasses.replace(SMALL, epochs=epochs), generator)
    other = copy.deepcopy(network)
    first = _measured(network, data)
    plan = UstPlan(ROUNDS, len(data.pool), PASSES, size=2 * (len(data.pool) // 6), fit=SMALL_2)
    truth = np.array(data.pool_good)
    rounds = self_train(network, data.pool, data.curated, plan, generator, truth=truth, test=data.test)
    more = _as_many(texts, labels, ROUNDS * plan.size, generator)
    fit(other, [text for text, _ in more], [label for _, label in more], SMALL_2, generator)
    purity = rounds[-1].negative_purity
    return UstOutcome(first, _measured(network, data), _measured(other, data), purity if purity is not None else 0.0)


def _as_many(texts: Sequence[str], labels: Sequence[float], count: int,
             generator: random.Random) -> list[tuple[str, float]]:
    rows = list(zip(texts, labels, strict=True))
    found: list[tuple[str, float]] = []
    while len(found) < count:
        generator.shuffle(rows)
        found += rows
    return found[:count]


def _measured(network: BertEval, data: UstData) -> tuple[float, float]:
    scores = predict(network, data.test, 256)
    return (auc(scores, data.test_good) or 0.0, precision_at(scores, data.test_good, len(data.test) // 5))
