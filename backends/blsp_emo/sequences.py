"""Sequences of text and speech: ``start | instruction | input | suffix`` (spec A.2), and the twin that reads the
text.

    start  = system turn + head of the user's turn          input  = tokens of the transcript, or speech vectors
    suffix = end of the user's turn + head of the assistant's + response + closing

The texts around come from the tokenizer's own chat template (ChatML for Qwen and SmolLM2), cut at places marked by a
word that stands for the user's turn and for the reply. ``closing`` is what ends a reply; it is left out where the
continuation was cut off by its length (``early_stop``), or the model would learn to stop in mid-sentence. Labels are
-100 except on response and closing. ``position_ids = cumsum(mask) - 1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from backends.blsp_emo.prompts import Told
from backends.common.language import Message
from backends.common.prompts import render
from backends.common.training.examples import end_ids
from workbench.contract import UserError

IGNORED = -100
MARK = "\u2063input\u2063"


@dataclass(frozen=True)
class Text:
    """A piece of tokens; ``learned`` ones are labels too."""

    ids: tuple[int, ...]
    learned: bool = False


@dataclass(frozen=True)
class Heard:
    """A piece of speech: row ``place`` of the speech vectors of the batch."""

    place: int


Piece = Text | Heard
Line = tuple[Piece, ...]
"""One sequence."""


@dataclass(frozen=True)
class Packed:
    """Sequences as a padded batch, all (B, L). ``source``: place in the flattened speech vectors, -1 for a token."""

    ids: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    source: torch.Tensor

    @property
    def spoken(self) -> torch.Tensor:
        """(B, L) bool: where speech stands; the mask of PLoRA."""
        return self.source >= 0

    def to(self, device: torch.device | str) -> Packed:
        """The batch on a device."""
        return Packed(*(t.to(device) for t in (self.ids, self.mask, self.positions, self.labels, self.source)))


class Layout:
    """How one tokenizer writes a conversation."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.closing = tuple(end_ids(tokenizer))
        self.padding = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)

    def words(self, text: str) -> tuple[int, ...]:
        """Tokens of what a person wrote or said; markers of the template in it are plain letters."""
        if not text:
            return ()
        return tuple(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def frame(self, system: str, history: Sequence[tuple[str, str]] = ()) -> tuple[tuple[int, ...], ...]:
        """The tokens between the inputs: with n earlier turns (their inputs stand outside, their replies inside) n + 2
        pieces. The first is the start, the last ends where the reply begins. Replies are tokenized on their own, as
        they were learned: what is written in one cannot close its turn or take the place of an input."""
        messages = [Message("system", system)]
        for _ in history:
            messages += [Message("user", MARK), Message("assistant", MARK)]
        pieces = render(self.tokenizer, [*messages, Message("user", MARK)]).split(MARK)
        if len(pieces) != 2 * len(history) + 2:
            raise UserError("The chat template of this language model changes what the user says, so speech cannot "
                            "take its place.", advice="Choose a model whose template leaves turns as they are.")
        ids = [tuple(self.tokenizer(piece, add_special_tokens=False)["input_ids"]) for piece in pieces]
        between = [(*ids[2 * n + 1], *self.words(reply), *ids[2 * n + 2]) for n, (_, reply) in enumerate(history)]
        return (ids[0], *between, ids[-1])

    def line(self, told: Told, spoken: Heard | str, response: str = "", early_stop: bool = False,
             learn: bool = True) -> Line:
        """One turn and its response (none: the prompt of a reply)."""
        start, suffix = self.frame(told.system)
        middle: Piece = spoken if isinstance(spoken, Heard) else Text(self.words(spoken))
        line: list[Piece] = [Text(start), Text(self.words(told.instruction)), middle, Text(suffix)]
        if response:
            line.append(Text((*self.words(response), *(() if early_stop else self.closing)), learn))
        return tuple(line)


def pack(lines: Sequence[Line], lengths: Sequence[int], padding: int, holes: bool = False) -> Packed:
    """Lay sequences out. ``lengths`` are those of the speech vectors, whose padded width is their maximum.

    ``holes``: every piece begins in the same column in all rows, as in the published code; masks and positions make it
    the same to the model, so by default rows are filled from the left."""
    wide = max(lengths, default=0)
    sizes = [[len(p.ids) if isinstance(p, Text) else int(lengths[p.place]) for p in line] for line in lines]
    if holes and len({len(line) for line in lines}) > 1:
        raise UserError("Sequences with holes need the same number of pieces each.")
    columns = [max(row[i] for row in sizes) for i in range(len(sizes[0]))] if holes else []
    total = sum(columns) if holes else max(sum(row) for row in sizes)
    ids = torch.full((len(lines), total), padding)
    mask, labels, source = torch.zeros_like(ids), torch.full_like(ids, IGNORED), torch.full_like(ids, -1)
    for row, line in enumerate(lines):
        at = 0
        for number, (piece, size) in enumerate(zip(line, sizes[row], strict=True)):
            here = slice(at, at + size)
            mask[row, here] = 1
            if isinstance(piece, Heard):
                source[row, here] = torch.arange(size) + piece.place * wide
            else:
                ids[row, here] = torch.tensor(piece.ids, dtype=torch.long)
                if piece.learned:
                    labels[row, here] = ids[row, here]
            at += columns[number] if holes else size
    return Packed(ids, mask, (mask.cumsum(1) - 1).clamp(min=0), labels, source)
