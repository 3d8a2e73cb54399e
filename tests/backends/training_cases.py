"""Chats, tokenizers and plans that the training tests share."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from backends.common.language import Message
from backends.common.training.examples import Example, Reply, pack
from backends.common.training.plan import Plan

SYSTEM = Message("system", "You support people.")
WORDS = ("sorry", "sleep", "work", "friend", "tired", "hope", "why", "maybe", "walk", "talk")
HEADS = ("[Question]", "[Information]", "[Others]")


def chat(seed: int, turns: int = 3, heads: bool = True, given: bool = False) -> list[Reply]:
    """A chat of ``turns`` replies with random words; every reply knows the messages before it."""
    generator = random.Random(seed)
    messages, replies = [SYSTEM], []
    for _ in range(turns):
        messages.append(Message("user", " ".join(generator.choices(WORDS, k=generator.randint(1, 6)))))
        head = generator.choice(HEADS) if heads else ""
        text = " ".join(generator.choices(WORDS, k=generator.randint(1, 6)))
        text = f" {text}" if heads else text
        replies.append(Reply(tuple(messages), text, head, given))
        messages.append(Message("assistant", head + text))
    return replies


def examples(tokenizer: Any, count: int, length: int = 512, **options: Any) -> list[Example]:
    """Packed examples of ``count`` chats."""
    return [e for seed in range(count) for e in pack(tokenizer, f"chat-{seed}", chat(seed, **options), length)]


def tokenizer_of(path: Path) -> Any:
    """The tokenizer of a model folder, ready for training."""
    from backends.common.loading import open_tokenizer
    from backends.common.training.examples import prepare

    return prepare(open_tokenizer(path))


def plan(**values: Any) -> Plan:
    """A plan that takes a second: four steps of four chats."""
    return Plan(**{"epochs": 2.0, "batch": 4, "learning_rate": 1e-2, "seed": 3, "save_every": 1, **values})
