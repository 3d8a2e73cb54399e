"""Text while it is being made: whole characters only, and nothing that may turn out to be a stop text. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BROKEN = "\ufffd"
"""What a decoder writes for bytes that are no whole character (yet)."""
HELD = 3
"""Most marks at the end of a text that the next token can still turn into a character (UTF-8: 4 bytes)."""
LONGEST = 64
"""Tokens without a whole character at their end after which the window moves on all the same (garbage)."""


class Detokenizer:
    """Turns tokens into text piece by piece; a piece never ends inside a character of several tokens.

    Decodes a short window and shows only what the newest tokens added, because the text of a token can depend on
    the one before it (a leading space) and decoding everything each step is quadratic."""

    def __init__(self, tokenizer: Any, prompt: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = list(prompt[-4:])
        self._start, self._shown = 0, len(self._tokens)
        self._sent = 0

    def add(self, token: int) -> str:
        """Take one token and return the text that is certain now, possibly none."""
        self._tokens.append(token)
        text = self._pending()
        certain = len(text) - min(HELD, len(text) - len(text.rstrip(BROKEN)))
        piece = text[self._sent:certain]
        self._sent = max(self._sent, certain)
        if text and (certain == len(text) or len(self._tokens) - self._shown >= LONGEST):
            piece += text[self._sent:]
            self._start, self._shown, self._sent = self._shown, len(self._tokens), 0
        return piece

    def finish(self) -> str:
        """What is left; bytes that never became a character are dropped."""
        return self._pending()[self._sent:].rstrip(BROKEN)

    def _pending(self) -> str:
        before = self._decode(self._tokens[self._start:self._shown])
        return self._decode(self._tokens[self._start:])[len(before):]

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


class Shown:
    """Text that grows, with the part that might be the beginning of a stop text held back."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self.text = ""
        self._sent = self._own = 0

    def begin(self, prefill: str) -> None:
        """Put the prefill at the head: it is part of the text, and no stop text is looked for in it."""
        self.text, self._own = prefill, len(prefill)

    def add(self, piece: str, may_stop: bool = True) -> bool:
        """Append ``piece``; true when a stop text is complete, and then the text ends before it."""
        before = len(self.text)
        self.text += piece
        if not may_stop:
            return False
        places = (self.text.find(s, max(self._own, before - len(s) + 1)) for s in self._stops)
        found = min((place for place in places if place >= 0), default=-1)
        if found >= 0:
            self.text = self.text[:found]
        return found >= 0

    def ready(self, last: bool = False) -> str:
        """New text that can be shown: all of it when ``last``."""
        end = len(self.text) if last else max(self._sent, len(self.text) - self._held())
        piece, self._sent = self.text[self._sent:end], max(self._sent, end)
        return piece

    def _held(self) -> int:
        unsent = self.text[max(self._sent, self._own):]
        return max((n for s in self._stops for n in range(1, len(s)) if unsent.endswith(s[:n])), default=0)
