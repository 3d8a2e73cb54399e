"""The clips of a manifest as encoder states: read once, encoded once where the encoder is frozen."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from backends.blsp_emo.encoder import States
from backends.blsp_emo.model import BlspEmo
from backends.blsp_emo.specaugment import masked
from backends.common.speech.audio import Limits, load
from backends.common.speech.whisper import Mels


class Clips:
    """Sounds by place. ``keep``: the encoder does not change, so states are kept (384 numbers for 20 ms of tiny.en:
    about 77 kB a second); without it, features are kept and encoded at every call. ``augmented``: they will be asked
    for with stripes blanked, so features are kept in any case."""

    def __init__(self, sources: Sequence[str], model: BlspEmo, limits: Limits, keep: bool,
                 augmented: bool = False) -> None:
        self.sources, self.model, self.limits, self.keep = sources, model, limits, keep
        self.augmented = augmented
        self._mels: dict[int, Mels] = {}
        self._states: dict[int, torch.Tensor] = {}

    def mel(self, place: int) -> Mels:
        """Features of one clip. Raises ``UserError`` when the file cannot be used."""
        if place not in self._mels:
            sound = load(self.sources[place], self.limits).wave
            self._mels[place] = self.model.features([sound])[0]
        return self._mels[place]

    def states(self, places: Sequence[int], blanked: Sequence[random.Random] = ()) -> States:
        """States of some clips as a padded batch; with gradients where the encoder learns. ``blanked``: a generator
        for each clip, by which stripes of it are blanked (SpecAugment)."""
        if blanked:
            drawn = zip(places, blanked, strict=True)
            return self.model.encode([masked(self.mel(place), generator) for place, generator in drawn])
        if not self.keep:
            return self.model.encode([self.mel(place) for place in places])
        for place in places:
            if place not in self._states:
                with torch.no_grad():
                    self._states[place] = self.model.encode([self.mel(place)]).one(0).cpu().clone()
                if not self.augmented:
                    self._mels.pop(place, None)
        return joined([self._states[place] for place in places], self.model.device)


def joined(states: Sequence[torch.Tensor], device: torch.device | str = "cpu") -> States:
    """Single clips (T_i, E) as a batch with zeros behind."""
    values = torch.nn.utils.rnn.pad_sequence(list(states), batch_first=True).to(device)
    return States(values, torch.tensor([len(s) for s in states], device=device))
