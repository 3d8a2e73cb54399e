"""Small models, sentences and random weights that the tests of simultaneous translation share."""

from __future__ import annotations

import random
from pathlib import Path

import torch

from backends.sm2.corpora import words_of
from backends.sm2.data import Batch, Pair, collate
from backends.sm2.model import Shape, Sm2
from backends.sm2.order_language import Language, Sentence, sentences
from backends.sm2.storage import Translator, save_translator

LANGUAGE = Language()


def small(seed: int = 0, **fields) -> Sm2:
    """A model of 2 + 2 layers with random weights, ready to translate; its confidences spread over 0 to 1."""
    torch.manual_seed(seed)
    shape = Shape(
        **{
            "vocabulary": LANGUAGE.vocabulary,
            "width": 16,
            "heads": 2,
            "inner": 32,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "dropout": 0.0,
            "positions": 64,
            **fields,
        }
    )
    model = Sm2(shape).eval()
    with torch.no_grad():
        model.confidence.weight.mul_(3)
    return model


def some(count: int = 6, seed: int = 3) -> list[Sentence]:
    """Sentences of the order language."""
    return sentences(LANGUAGE, count, random.Random(seed))


def batch_of(count: int = 6, wider: int = 0, seed: int = 3) -> Batch:
    """A padded batch of them."""
    return collate([one.pair for one in some(count, seed)], 0, 1, wider)


def pair(source: int, target: int) -> Pair:
    """A pair of these lengths, end tokens included."""
    return Pair((*range(5, 4 + source), 2), (*range(5, 4 + target), 2))


def folder_of(out: Path, model: Sm2 | None = None, objective: str = "sm2") -> Path:
    """A saved model of the order language."""
    made = Translator(model or small(), words_of(LANGUAGE), objective == "sm2", objective, "a small model")
    return save_translator(made, out, "# card\n", {})
