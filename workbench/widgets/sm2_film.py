"""The playback as a picture (PNG) and as a film (GIF), drawn by Pillow: what the page shows, without a browser.

A film has a frame for every action. Chinese, Japanese and Korean need a font of the system that has their characters;
:func:`lacks_glyphs` says whether there is none.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from workbench.theme import PALETTE
from workbench.widgets.sm2_states import SIDE, Piece, Play, Track

CELL, GAP, FRAME_MS, LAST_MS = (26, 20), 16, 420, 2600
MOST_FRAMES, MOST_PIXELS = 200, 120_000_000
"""Of a whole film (our defaults); a larger one leaves actions out evenly."""
KEY = 44
"""Width of a key of the legend, in pixels."""
LABEL = 14
"""Most characters of a label (ours), as in the browser."""
CJK_FONTS = (("NotoSansCJK-Regular.ttc", 2), ("NotoSansCJKsc-Regular.otf", 0), ("NotoSansSC-Regular.otf", 0),
             ("SourceHanSansSC-Regular.otf", 0), ("NotoSerifCJK-Regular.ttc", 2), ("NotoSerifCJK-Bold.ttc", 2),
             ("wqy-microhei.ttc", 0), ("PingFang.ttc", 0), ("msyh.ttc", 0))
FONTS = (("IBMPlexSans-Regular.ttf", 0), ("DejaVuSans.ttf", 0), ("Arial.ttf", 0))
CJK = 0x2E7F
DASHES = {"wait-k": ("c2", 7), "full": ("c4", 3)}
"""Colour and length of the dashes of a policy's path."""
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Shot:
    """What is drawn: a translation, the threshold it was made at (0: none), and a line under the picture. ``names``
    are what the other policies are called there, in the order of :class:`Play`."""

    play: Play
    track: Track
    threshold: float
    caption: str
    scale: int = 1
    dark: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """Where things stand, in pixels: corner and size of the grid, size of the picture, the rotated heads."""

    left: int
    top: int
    columns: int
    rows: int
    width: int
    height: int
    scale: int
    heads: tuple[Any, ...]
    font: Any
    lines: tuple[tuple[tuple[Piece, int, int], ...], ...]

    def x(self, read: int) -> int:
        """The right edge of the last column that was read."""
        return self.left + min(read, self.columns) * CELL[0] * self.scale

    def y(self, written: int) -> int:
        """The lower edge of the last row that was written."""
        return self.top + min(written, self.rows) * CELL[1] * self.scale


def still(shot: Shot, at: int | None = None) -> bytes:
    """A PNG after ``at`` actions (the end without it), drawn twice as large."""
    big = replace(shot, scale=2)
    sheet = _sheet(big)
    out = io.BytesIO()
    last = len(shot.track.actions)
    _frame(big, sheet, _ground(big, sheet), last if at is None else min(max(at, 0), last)).save(out, "PNG")
    return out.getvalue()


def film(shot: Shot) -> bytes:
    """A GIF of all actions, at most :data:`MOST_FRAMES` frames of :data:`MOST_PIXELS` together, that begins again
    when it has ended."""
    sheet, last = _sheet(shot), len(shot.track.actions)
    ground = _ground(shot, sheet)
    most = max(2, min(MOST_FRAMES, MOST_PIXELS // (sheet.width * sheet.height)))
    every = -(-(last + 1) // most)
    places = [*[*range(0, last, every)][:most - 1], last]
    end = _frame(shot, sheet, ground, last)
    palette = end.quantize(96)
    frames = [_frame(shot, sheet, ground, at).quantize(palette=palette, dither=Image.Dither.NONE) for at in places]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], loop=0, optimize=False,
                   duration=[FRAME_MS] * (len(places) - 1) + [LAST_MS])
    return out.getvalue()


def lacks_glyphs(play: Play) -> bool:
    """Whether the sentence has CJK characters and no font of this system has them."""
    return _has_cjk(play) and _first(CJK_FONTS, 12) is None


def _has_cjk(play: Play) -> bool:
    return any(ord(c) > CJK for piece in (*play.source, *play.pieces) for c in piece.label)


def _first(names: Sequence[tuple[str, int]], size: int) -> Any:
    for name, index in names:
        try:
            return ImageFont.truetype(name, size, index=index)
        except OSError:
            continue
    return None


def _font(play: Play, size: int) -> Any:
    found = _first(CJK_FONTS, size) if _has_cjk(play) else None
    return found or _first(FONTS, size) or ImageFont.load_default(size)


def _colour(name: str, dark: bool) -> Colour:
    text = PALETTE[name][dark]
    return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a * share + b * (1 - share)) for a, b in zip(one, other, strict=True))
    return (red, green, blue)


def _short(label: str) -> str:
    return label if len(label) <= LABEL else label[:LABEL - 1] + "…"


def _sheet(shot: Shot) -> Sheet:
    play, scale = shot.play, shot.scale
    font = _font(play, 12 * scale)
    heads = [_short(piece.label) for piece in play.source[:SIDE]]
    labels = [_short(play.pieces[number].label) for number in shot.track.pieces[:SIDE]]
    masks = tuple(_rotated(label, font) for label in heads)
    gap = GAP * scale
    left = gap + 10 * scale + max([30 * scale, *(int(font.getlength(label)) for label in labels)])
    grid = len(heads) * CELL[0] * scale
    lean = masks[-1].width if masks else 0
    keys = sum(KEY * scale + int(font.getlength(name)) for name, _ in _keys(shot))
    width = max(left + grid + lean + gap, int(font.getlength(shot.caption)) + 2 * gap, keys + 2 * gap, 420 * scale)
    lines, depth = [], gap
    for pieces in (play.source, tuple(play.pieces[number] for number in shot.track.pieces)):
        placed, depth = _wrapped(pieces, font, width - 2 * gap, gap, depth, 22 * scale)
        lines.append(placed)
    top = depth + gap + max([20 * scale, *(mask.height for mask in masks)])
    height = top + len(labels) * CELL[1] * scale + gap + (44 if keys else 22) * scale
    return Sheet(left, top, len(heads), len(labels), width, height, scale, masks, font, tuple(lines))


def _wrapped(pieces: Sequence[Piece], font: Any, room: int, left: int, top: int,
             line: int) -> tuple[tuple[tuple[Piece, int, int], ...], int]:
    """Pieces with their places, broken into lines; and where the next line begins."""
    found, x, y = [], 0, top
    for piece in pieces:
        before = int(font.getlength(" " if piece.label == "</s>" else piece.glue))
        size = int(font.getlength(piece.label))
        if x and x + before + size > room:
            x, y, before = 0, y + line, 0
        found.append((piece, left + x + before, y))
        x += before + size
    return tuple(found), y + line


def _rotated(label: str, font: Any) -> Any:
    box = font.getbbox(label or " ")
    flat = Image.new("L", (max(1, int(box[2]) + 2), max(1, int(box[3]) + 2)))
    ImageDraw.Draw(flat).text((0, 0), label, font=font, fill=255)
    return flat.rotate(45, expand=True, resample=Image.Resampling.BICUBIC)


def _ground(shot: Shot, sheet: Sheet) -> Any:
    """What stays the same in every frame: cells, dots and the staircases of the other policies."""
    def paint(name: str) -> Colour:
        return _colour(name, shot.dark)
    picture = Image.new("RGB", (sheet.width, sheet.height), paint("paper"))
    draw, s = ImageDraw.Draw(picture), sheet.scale
    draw.rectangle((sheet.left, sheet.top, sheet.x(sheet.columns), sheet.y(sheet.rows)), fill=paint("shade"))
    for i, row in enumerate(shot.play.grid(shot.track)):
        for j, c in enumerate(row):
            if c is None:
                continue
            x, y = sheet.x(j), sheet.y(i)
            draw.rectangle((x + 1, y + 1, x + CELL[0] * s - 1, y + CELL[1] * s - 1),
                           fill=_mixed(paint("accent"), paint("sheet"), c))
            if shot.threshold and c >= shot.threshold:
                middle, half, r = x + CELL[0] * s // 2, y + CELL[1] * s // 2, 2 * s
                draw.ellipse((middle - r, half - r, middle + r, half + r), fill=paint("paper"), outline=paint("ink"))
    for other in shot.play.others:
        if other is not shot.track:
            corners = _corners(sheet, other, len(other.actions))
            draw.line(corners, paint("paper"), 4 * s, joint="curve")
            _dashed(draw, corners, paint(DASHES[other.kind][0]), DASHES[other.kind][1] * s, 2 * s)
    _captions(draw, shot, sheet)
    return picture


def _keys(shot: Shot) -> list[tuple[str, Track]]:
    """The other policies that are drawn, each with its name."""
    return [(name, other) for name, other in zip(shot.names, shot.play.others, strict=False) if other is not shot.track]


def _captions(draw: Any, shot: Shot, sheet: Sheet) -> None:
    s, dim, keys = sheet.scale, _colour("dim", shot.dark), _keys(shot)
    x, y = GAP * s, sheet.height - (44 if keys else 22) * s
    draw.text((x, y), shot.caption, font=sheet.font, fill=dim)
    for name, other in keys:
        middle, (colour, dash) = y + 30 * s, DASHES[other.kind]
        _dashed(draw, [(x, middle), (x + 24 * s, middle)], _colour(colour, shot.dark), dash * s, 2 * s)
        draw.text((x + 30 * s, y + 22 * s), name, font=sheet.font, fill=dim)
        x += KEY * s + int(sheet.font.getlength(name))


def _corners(sheet: Sheet, track: Track, count: int) -> list[tuple[int, int]]:
    read = written = 0
    found = [(sheet.x(0), sheet.y(0))]
    for action in track.actions[:count]:
        read, written = read + (action == "R"), written + (action == "W")
        found.append((sheet.x(read), sheet.y(written)))
    return found


def _dashed(draw: Any, corners: Sequence[tuple[int, int]], colour: Colour, dash: int, width: int) -> None:
    drawn = 0
    for (x, y), (to_x, to_y) in pairwise(corners):
        length = abs(to_x - x) + abs(to_y - y)
        right, down = (to_x > x) - (to_x < x), (to_y > y) - (to_y < y)
        for start in range(0, length, dash):
            if drawn % 2 == 0:
                end = min(length, start + dash)
                draw.line((x + right * start, y + down * start, x + right * end, y + down * end), colour, width)
            drawn += 1


def _frame(shot: Shot, sheet: Sheet, ground: Any, at: int) -> Any:
    """One frame after ``at`` actions."""
    ink, dim, paper = (_colour(name, shot.dark) for name in ("ink", "dim", "paper"))
    picture, s = ground.copy(), sheet.scale
    done = shot.track.actions[:at]
    read, written = done.count("R"), done.count("W")
    if at < len(shot.track.actions):
        _veil(picture, (sheet.x(read), sheet.top, sheet.x(sheet.columns), sheet.y(sheet.rows)), paper)
        _veil(picture, (sheet.left, sheet.y(written + 1), sheet.x(read), sheet.y(sheet.rows)), paper)
    draw = ImageDraw.Draw(picture)
    pale = _mixed(dim, paper, 0.45)
    for number, mask in enumerate(sheet.heads):
        place = (sheet.x(number) + CELL[0] * s // 2 - 4 * s, sheet.top - mask.height - 2 * s)
        picture.paste(ink if number < read else pale, place, mask)
    for number, piece in enumerate(shot.track.pieces[:sheet.rows]):
        label = _short(shot.play.pieces[piece].label)
        place = (sheet.left - 8 * s - sheet.font.getlength(label), sheet.y(number) + 2 * s)
        draw.text(place, label, font=sheet.font, fill=ink if number < written else pale)
    for (line, count), hidden in zip(zip(sheet.lines, (read, written), strict=True), (pale, paper), strict=True):
        for number, (word, x, y) in enumerate(line):
            draw.text((x, y), word.label, font=sheet.font, fill=ink if number < count else hidden)
    corners = _corners(sheet, shot.track, at)
    if len(corners) > 1:
        draw.line(corners, paper, 6 * s, joint="curve")
        draw.line(corners, ink, 3 * s, joint="curve")
    x, y = corners[-1]
    draw.ellipse((x - 5 * s, y - 5 * s, x + 5 * s, y + 5 * s), fill=_colour("c2", shot.dark), outline=paper)
    return picture


def _veil(picture: Any, box: tuple[int, int, int, int], paper: Colour) -> None:
    left, top, right, bottom = box
    if right > left and bottom > top:
        picture.paste(paper, box, Image.new("L", (right - left, bottom - top), 158))
