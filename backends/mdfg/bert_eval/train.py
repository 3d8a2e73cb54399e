"""The two stages of BERTEval as a run makes them: a network for what is there, stage 1, and self-training."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

import torch

from backends.mdfg.bert_eval.encoders import BertEncoder, NgramEncoder
from backends.mdfg.bert_eval.fit import OFFICIAL, OFFICIAL_2, SMALL, SMALL_2, Plan, first_pieces, fit
from backends.mdfg.bert_eval.network import BertEval
from backends.mdfg.bert_eval.objective import Ranking
from backends.mdfg.bert_eval.segments import pieces
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.ust_fit import Scheme, UstPlan, UstRound, disjoint, self_train
from workbench.contract import Context


def make_network(path: Path | None, grams: Grams, generator: random.Random, device: str) -> BertEval:
    """A network with the BERT of a folder, or with n-grams where there is none; weights drawn from the generator."""
    source = torch.Generator().manual_seed(generator.getrandbits(62))
    encoder = NgramEncoder(grams, generator=source) if path is None else BertEncoder.open(path)
    network = BertEval(encoder, generator=source)
    network.to(device)
    return network


def plans(network: BertEval) -> tuple[Plan, Plan]:
    """Plans of stage 1 and 2: the official ones for a BERT, ours for n-grams."""
    return (OFFICIAL, OFFICIAL_2) if isinstance(network.encoder, BertEncoder) else (SMALL, SMALL_2)


def stage_1(network: BertEval, texts: Sequence[str], labels: Sequence[float], epochs: int, learning_rate: float,
            ranking: Ranking, generator: random.Random, context: Context) -> None:
    """Train on the first piece of every text; 0 epochs or learning rate 0 mean the plan's own."""
    plan = plans(network)[0]
    plan = dataclasses.replace(plan, epochs=epochs or plan.epochs, learning_rate=learning_rate or plan.learning_rate,
                               terms=dataclasses.replace(plan.terms, mr=ranking))
    pairs = [(first, label) for text, label in zip(texts, labels, strict=True) for first in first_pieces([text])]

    def say(step: int, total: int, loss: float) -> None:
        context.metric(step, loss=loss)
        context.report(step, total, f"stage 1, step {step}, loss {loss:.3f}")
    fit(network, [text for text, _ in pairs], [label for _, label in pairs], plan, generator, report=say)


def stage_2(network: BertEval, pool: Sequence[str], curated: Sequence[str], test: Sequence[str], rounds: int,
            scheme: Scheme, ranking: Ranking, generator: random.Random, context: Context) -> list[UstRound]:
    """Self-training on the pieces of a crawl. Raises ``UserError`` when it shares a text with the test set."""
    disjoint(pool, test)
    plan = plans(network)[1]
    plan = dataclasses.replace(plan, terms=dataclasses.replace(plan.terms, mr=ranking))
    crawl = [piece for text in pool for piece in pieces(text)]

    def say(done: UstRound) -> None:
        context.metric(done.number, pseudo_positives=done.positives, pseudo_negatives=done.negatives)
        context.report(done.number, rounds, f"self-training, round {done.number} of {rounds}")
    ust = UstPlan(rounds, candidates=max(2, min(20_000, len(crawl))), scheme=scheme, fit=plan,
                  size=min(2000, max(2, len(crawl) // 4)))
    return self_train(network, crawl, first_pieces(curated), ust, generator, report=say)
