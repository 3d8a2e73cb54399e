"""All states of a sentence, packed for the page: every translation with the thresholds it holds for, in few bytes.

Translations of one sentence share most of their beginnings, and the confidences of a target token hang on what was
written before it only. So pieces and rows of confidences are kept once and named by number. A confidence takes two
characters (12 bits, off by at most 1.3e-4). The page then re-decides for any threshold without asking the server.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from workbench.contract import Json, UserError
from workbench.files import whole
from workbench.widgets.loose import finite, listed, table

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
LEVELS = 64 * 64 - 1
SIDE = 80
"""Most source tokens, and most target tokens, that a chart shows (our default)."""
MOST_BYTES = 150_000
"""Most bytes of one packed sentence; rows of narrow ranges stay behind first (our default)."""
SPACE = "\u2581"
FIGURES = ("AL", "LAAL", "AP", "DAL", "CW")
Kind = Literal["sm2", "wait-k", "full"]


@dataclass(frozen=True)
class Piece:
    """A token as it is shown, and what stands before it in the text: a space or nothing."""

    label: str
    glue: str


@dataclass(frozen=True)
class Track:
    """One translation: SM2's for thresholds above ``low`` up to ``high``, or another policy's (``name``).

    ``pieces`` and ``rows`` are numbers into :class:`Play`; without ``rows`` only the confidences met on the way are
    known (``path``, one for each action, ``None`` where the policy did not look). ``words`` and ``tokens`` are
    :data:`FIGURES`."""

    kind: Kind
    name: str
    low: float
    high: float
    pieces: tuple[int, ...]
    actions: str
    rows: tuple[int, ...]
    path: tuple[float | None, ...]
    words: tuple[float | None, ...]
    tokens: tuple[float | None, ...]

    @property
    def delays(self) -> list[int]:
        """Source tokens read when each target token was written."""
        read, found = 0, []
        for action in self.actions:
            read += action == "R"
            if action == "W":
                found.append(read)
        return found


@dataclass(frozen=True)
class Play:
    """Everything that the playback of a sentence needs. ``ranges`` lie in order of their thresholds and may have gaps
    (then not every translation was computed); they are empty for a model whose confidence was never trained."""

    text: str
    model: str
    source: tuple[Piece, ...]
    pieces: tuple[Piece, ...]
    rows: tuple[str, ...]
    ranges: tuple[Track, ...]
    others: tuple[Track, ...]
    floor: float
    k: int = 3
    min_read: int = 2

    def at(self, threshold: float) -> Track:
        """SM2's translation at a threshold: of the last range that begins below it. ``UserError`` without ranges."""
        if not self.ranges:
            raise UserError("This model has no trained confidence: there is no threshold to choose.",
                            advice="Choose wait-k or the full sentence.")
        return max((track for track in self.ranges if track.low < threshold), key=lambda track: track.low,
                   default=self.ranges[0])

    def written(self, track: Track) -> str:
        """The text of a translation, without its end token."""
        found = [self.pieces[number] for number in track.pieces]
        return "".join(piece.glue + piece.label for piece in found if piece.label != "</s>").strip()

    def grid(self, track: Track) -> list[list[float | None]]:
        """c_ij by target token and source prefix, at most :data:`SIDE` of each; ``None`` where it is not known."""
        width = min(SIDE, len(self.source))
        if track.rows:
            return [list(unpacked(self.rows[row])) for row in track.rows]
        found: list[list[float | None]] = [[None] * width for _ in track.pieces[:SIDE]]
        read = written = 0
        for action, confidence in zip(track.actions, track.path, strict=True):
            if confidence is not None and 0 < read <= width and written < len(found):
                found[written][read - 1] = confidence
            read, written = read + (action == "R"), written + (action == "W")
        return found


def packed(row: Sequence[Json]) -> str:
    """A row of confidences (0 to 1) in two characters each."""
    levels = [round(min(1.0, max(0.0, float(c) if finite(c) else 0.0)) * LEVELS) for c in row]
    return "".join(ALPHABET[level >> 6] + ALPHABET[level & 63] for level in levels)


def unpacked(text: str) -> list[float]:
    """The confidences of :func:`packed`."""
    places = [ALPHABET.index(character) for character in text]
    return [(high * 64 + low) / LEVELS for high, low in zip(places[::2], places[1::2], strict=True)]


def shown(pieces: Sequence[str], spaced: bool) -> list[Piece]:
    """Pieces as they are shown. ``spaced``: a space is a mark in front of a piece; else every piece is a word."""
    return [Piece(piece.replace(SPACE, " ").strip() or piece.replace(SPACE, "␣"),
                  " " if piece.startswith(SPACE) or not spaced else "") for piece in pieces]


def play_of(result: Mapping[str, Json], model: str, k: int = 3, min_read: int = 2) -> Play:
    """Pack the result of ``sm2.states.v1`` that was asked for with this k and min_read.

    Raises ``UserError`` for a table that is none."""
    try:
        return _fitted(replace(_play(result, model), k=k, min_read=min_read))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UserError(f"These are no states of a sentence ({error!r}).", advice="Translate the sentence again."
                        ) from error


def _play(result: Mapping[str, Json], model: str) -> Play:
    source = [str(piece) for piece in listed(result["source_pieces"])]
    ranges = [table(one) for one in listed(result["ranges"])]
    logs = [table(one["log"]) for one in ranges]
    others = {str(name): table(log) for name, log in table(result["overlay"]).items()}
    every = [str(piece) for log in (*logs, *others.values()) for piece in listed(log["target_pieces"])]
    spaced = any(piece.startswith(SPACE) for piece in (*source, *every))
    pieces = {piece: number for number, piece in enumerate(dict.fromkeys(every))}
    rows: dict[str, int] = {}
    made = []
    for one, log, grid in zip(ranges, logs, listed(result["grids"]), strict=True):
        cells = [packed(listed(row)[:SIDE]) for row in listed(grid)[:SIDE]]
        numbers = tuple(rows.setdefault(row, len(rows)) for row in cells)
        made.append(_track("sm2", "", log, pieces, (float(one["low"]), float(one["high"])), numbers))
    text = next((str(log["source"]) for log in (*logs, *others.values())), "")
    beside = [_track("full" if name.startswith("full") else "wait-k", name, log, pieces)
              for name, log in others.items()]
    if not made:  # its numbers are those of a head that was never trained: they must not look like confidences
        beside = [replace(track, path=(None,) * len(track.path)) for track in beside]
    return Play(text, model, tuple(shown(source, spaced)), tuple(shown(list(pieces), spaced)), tuple(rows),
                tuple(made), tuple(beside), float(result["floor"]))


def _track(kind: Kind, name: str, log: Mapping[str, Json], pieces: Mapping[str, int],
           span: tuple[float, float] = (0.0, 1.0), rows: tuple[int, ...] = ()) -> Track:
    path = tuple(round(float(c), 4) if finite(c) else None for c in listed(log["confidence"]))
    figures = [tuple(_figure(table(log[unit]).get(name)) for name in FIGURES) for unit in ("words", "tokens")]
    return Track(kind, name, *span, tuple(pieces[str(piece)] for piece in listed(log["target_pieces"])),
                 str(log["actions"]), rows, path, *figures)


def _figure(value: Json) -> float | None:
    return round(float(value), 3) if finite(value) else None


def _fitted(play: Play) -> Play:
    """The same with rows of the widest ranges only, as many as fit :data:`MOST_BYTES`."""
    if len(as_json(play)) <= MOST_BYTES:
        return play
    room = MOST_BYTES - len(as_json(replace(play, rows=(), ranges=tuple(replace(t, rows=()) for t in play.ranges))))
    kept: dict[int, int] = {}
    whole: set[Track] = set()
    for track in sorted(play.ranges, key=lambda track: place(track.low) - place(track.high)):
        new = [row for row in dict.fromkeys(track.rows) if row not in kept]
        room -= sum(len(play.rows[row]) + 3 for row in new) + 6 * len(track.rows)
        if room < 0:
            break
        kept.update({row: len(kept) + n for n, row in enumerate(new)})
        whole.add(track)
    ranges = tuple(replace(t, rows=tuple(kept[row] for row in t.rows) if t in whole else ()) for t in play.ranges)
    return replace(play, rows=tuple(play.rows[row] for row in kept), ranges=ranges)


LOWEST, HIGHEST = 0.02, 0.9999


def place(threshold: float) -> float:
    """Where a threshold stands on the slider, 0 to 1: by its log odds, for changes crowd near both ends."""
    low, high = (math.log(t / (1 - t)) for t in (LOWEST, HIGHEST))
    held = min(HIGHEST, max(LOWEST, threshold))
    return (math.log(held / (1 - held)) - low) / (high - low)


def as_json(play: Play) -> str:
    """The packed sentence as the script reads it; safe between tags."""
    def line(track: Track) -> dict[str, Json]:
        found: dict[str, Json] = {"pieces": track.pieces, "actions": track.actions, "words": track.words,
                                  "tokens": track.tokens}
        found |= {"low": track.low, "high": track.high} if track.kind == "sm2" else {
            "kind": track.kind, "name": track.name}
        return found | ({"rows": track.rows} if track.rows else {"path": track.path})
    value = {"text": play.text, "model": play.model, "source": [[p.label, p.glue] for p in play.source],
             "pieces": [[p.label, p.glue] for p in play.pieces], "rows": play.rows,
             "ranges": [line(track) for track in play.ranges], "others": [line(track) for track in play.others],
             "floor": play.floor, "k": play.k, "min_read": play.min_read, "side": SIDE, "alphabet": ALPHABET,
             "span": [LOWEST, HIGHEST]}
    text = whole(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
