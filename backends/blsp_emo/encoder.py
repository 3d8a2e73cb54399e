"""What the method asks of a speech encoder, and Whisper as one: single clips in, a batch of states out.

The work is done by :mod:`backends.common.speech.whisper`, padded (the paper) or unpadded (fast). Here clips are kept
one by one, because training draws them into ever new batches: joined in any order, they give the states they give
alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F

from backends.common.speech.audio import Wave
from backends.common.speech.whisper import Mels, Whisper, open_whisper
from workbench.contract import UserError


@dataclass(frozen=True)
class States:
    """Encoder states (B, T, E), zero where invalid, and the number of valid ones (B,)."""

    values: torch.Tensor
    lengths: torch.Tensor

    def one(self, row: int) -> torch.Tensor:
        """The valid states of one clip, (T_row, E)."""
        return self.values[row, :int(self.lengths[row])]


class SpeechEncoder(Protocol):
    """``module`` holds the weights, ``width`` is E, ``layers`` their number."""

    module: Any
    width: int
    layers: int

    def mels(self, sounds: Sequence[Wave], padded: bool = False) -> list[Mels]:
        """Features of each sound on its own."""

    def encode(self, mels: Sequence[Mels], layer: int | None = -1) -> States:
        """States of ``layer`` (0: what enters the first; -1: the last, normalised); none: of all, (B, T, layers + 1,
        E)."""


class WhisperStates:
    """A :class:`SpeechEncoder` over an open Whisper."""

    def __init__(self, whisper: Whisper) -> None:
        self.whisper, self.module = whisper, whisper.encoder
        self.width, self.layers = whisper.width, whisper.layers

    def mels(self, sounds: Sequence[Wave], padded: bool = False) -> list[Mels]:
        """Raises ``UserError`` for an empty or an overlong sound."""
        return [self.whisper.mels([sound], padded) for sound in sounds]

    def encode(self, mels: Sequence[Mels], layer: int | None = -1) -> States:
        """With gradients where the encoder's weights ask for them."""
        if layer is None:
            every = self.whisper.every_layer(together(mels))
            return States(torch.stack([one.states for one in every], 2), every[0].lengths)
        found = self.whisper.encode(together(mels), layer)
        return States(found.states, found.lengths)


def together(mels: Sequence[Mels]) -> Mels:
    """Clips as one batch, zeros behind the shorter ones."""
    if not mels:
        raise UserError("There is no sound to encode.", advice="Give at least one.")
    if len({mel.padded for mel in mels}) > 1:
        raise UserError("Clips padded to 30 seconds and clips that are not cannot share a batch.")
    every: list[Any] = [mel.values for mel in mels]
    size = max(values.shape[2] for values in every)
    values = torch.cat([F.pad(values, (0, size - values.shape[2])) for values in every])
    return Mels(values, torch.cat([mel.frames for mel in mels]), mels[0].padded)


def open_encoder(folder: Path, device: str = "cpu") -> WhisperStates:
    """Open a Whisper folder. Raises ``MissingResource`` or ``UserError`` as ``open_whisper`` does."""
    return WhisperStates(open_whisper(folder, device))
