"""One reply in the making: its tokens, the text that may be shown already, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch

from backends.common.language import Completion, Decoding
from backends.common.shown import Detokenizer, Shown


@dataclass
class Row:
    """One prompt being answered. ``prompt`` are its tokens; ``say`` hears each new piece of text."""

    number: int
    prompt: list[int]
    prefill: str
    key: str
    decoding: Decoding
    generator: torch.Generator
    detokenizer: Detokenizer
    shown: Shown
    say: Callable[[str], None] | None = None
    made: list[int] = field(default_factory=list)
    filled: int = 0
    """How many tokens of prompt + made have keys and values."""
    reused: int = 0
    began: float = field(default_factory=time.perf_counter)
    finish: Literal["stop", "length"] | None = None

    @property
    def tokens(self) -> list[int]:
        return self.prompt + self.made

    def accept(self, token: int, ends: Sequence[int]) -> None:
        """Take the chosen token; sets ``finish`` when the reply is complete."""
        if token in ends:
            self._close("stop")
            return
        self.made.append(token)
        free = len(self.made) >= self.decoding.min_new_tokens
        if self.shown.add(self.detokenizer.add(token), free):
            self._close("stop", cut=True)
        elif len(self.made) >= self.decoding.max_new_tokens:
            self._close("length")
        else:
            self._tell(self.shown.ready())

    def begin(self) -> None:
        """Show the prefill, which is part of the reply."""
        self.shown.begin(self.prefill)
        self._tell(self.shown.ready())

    def completion(self) -> Completion:
        """The finished reply."""
        return Completion(self.shown.text, len(self.made), len(self.prompt), self.reused,
                          time.perf_counter() - self.began, self.finish or "length")

    def _close(self, why: Literal["stop", "length"], cut: bool = False) -> None:
        if not cut and self.shown.add(self.detokenizer.finish()):
            why = "stop"
        self.finish = why
        self._tell(self.shown.ready(last=True))

    def _tell(self, text: str) -> None:
        if text and self.say is not None:
            self.say(text)
