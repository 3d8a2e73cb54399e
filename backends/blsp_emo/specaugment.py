"""SpecAugment: bands of the log-mel picture are blanked while training (Park and others, Interspeech 2019).

    time:      n_t stripes of t ~ U{0, min(T, p L)} frames at a random place of the clip's L true frames
    frequency: n_f stripes of f ~ U{0, F} bins

Stripes take the clip's mean, which is what zero is on features of zero mean. Nothing behind the end of a clip is
touched. No time warp (the paper finds it adds least). Ours: off in paper mode, against over-fitting on few clips.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from backends.common.speech.whisper import Mels
from workbench.contract import UserError


@dataclass(frozen=True)
class Masks:
    """How much is blanked: stripes, their greatest width (bins; frames), and the greatest share of a clip that one
    stripe of time takes. Sizes are our default for clips of 1 to 4 seconds."""

    bands: int = 2
    bins: int = 12
    gaps: int = 2
    frames: int = 25
    share: float = 0.15

    def __post_init__(self) -> None:
        if min(self.bands, self.bins, self.gaps, self.frames) < 0 or not 0 <= self.share <= 1:
            raise UserError(f"The masks are {self}; numbers must not be negative and share must lie in [0, 1].")


def masked(mels: Mels, generator: random.Random, masks: Masks | None = None) -> Mels:
    """A copy of clips (B, bins, frames) with stripes drawn for each clip; the given features stay as they are."""
    masks = masks or Masks()
    values = mels.values.clone()
    for row, frames in enumerate(mels.frames.tolist()):
        clip = values[row, :, :frames]
        blank = clip.mean()
        for _ in range(masks.bands):
            width = generator.randint(0, min(masks.bins, clip.shape[0]))
            start = generator.randint(0, clip.shape[0] - width)
            clip[start:start + width] = blank
        for _ in range(masks.gaps):
            width = generator.randint(0, min(masks.frames, int(masks.share * frames)))
            start = generator.randint(0, frames - width)
            clip[:, start:start + width] = blank
    return Mels(values, mels.frames, mels.padded)
