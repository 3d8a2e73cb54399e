"""A document cut into pieces that a BERT can read: at most 510 characters, each ended where a sentence ends.

Inside a window of 510 characters the last newline (cut before it) or one of . ? ! and their Chinese forms (cut after
it) ends a piece, whichever stands later; without any, or when the rest of the text fits, the piece ends at 510.
The official code drops every piece below 200 characters, so short ends vanish and short documents crash it. Here every
piece is kept and by default scored; with ``tails="official"`` short ones are marked as not scored, never lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.contract import UserError

WINDOW, LEAST = 510, 200
ENDS = "\n.?!。！？"
Tails = Literal["score", "official"]


@dataclass(frozen=True)
class Segment:
    """The piece ``text[begin:end]``; ``scored`` is false for one that is too short to be judged."""

    begin: int
    end: int
    scored: bool


def segments(text: str, tails: Tails = "score", window: int = WINDOW, least: int = LEAST) -> tuple[Segment, ...]:
    """Pieces in order that together are the whole text; white space alone is never scored.

    Raises ``UserError`` for a window that is not larger than the shortest piece."""
    if not 0 < least < window:
        raise UserError(f"least is {least} and window {window}; least must lie between 1 and window - 1.")
    found, begin = [], 0
    while begin < len(text):
        end = min(_end(text, begin, window), len(text))
        piece = text[begin:end]
        found.append(Segment(begin, end, bool(piece.strip()) and (tails == "score" or end - begin >= least)))
        begin = end
    return tuple(found)


def _end(text: str, begin: int, window: int) -> int:
    if begin + window >= len(text) - 1:
        return begin + window
    best = max(text.rfind(mark, begin + 1, begin + window) for mark in ENDS)
    return begin + window if best < 0 else best if text[best] == "\n" else best + 1


def pieces(text: str, tails: Tails = "score") -> list[str]:
    """The texts of the pieces that are scored."""
    return [text[part.begin:part.end] for part in segments(text, tails) if part.scored]
