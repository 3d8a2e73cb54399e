"""The model: encoder -> adapter -> language model with PLoRA, and the emotion head beside it (spec A.2).

The language model and the encoder may belong to anybody; what this method learns is the adapter, the head, PLoRA and,
in the paper's stage 2, the encoder. ``parts`` names them, ``frozen_hash`` proves what stayed as it was.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from backends.blsp_emo.adapter import Adapter, AdapterShape, masked_mean
from backends.blsp_emo.encoder import SpeechEncoder, States
from backends.blsp_emo.plora import Plora, PloraShape, attach
from backends.blsp_emo.sequences import Layout, Packed
from backends.blsp_emo.ser import head
from backends.common.speech.audio import Wave
from backends.common.speech.whisper import Mels
from workbench.contract import UserError

PARTS = ("encoder", "adapter", "plora", "head")


@dataclass(frozen=True)
class Speech:
    """What the adapter made of sounds: vectors (B, T', H) and valid lengths (B,)."""

    vectors: torch.Tensor
    lengths: torch.Tensor


class BlspEmo(nn.Module):  # type: ignore[misc]
    """All parts. ``plora`` is nothing until stage 2; ``layer`` and ``padded`` say how the encoder is used."""

    def __init__(self, encoder: SpeechEncoder, lm: Any, tokenizer: Any, *, seed: int = 0, dropout: float = 0.0,
                 bottleneck: int = 512, layer: int = -1, mix: bool = False, padded: bool = False) -> None:
        super().__init__()
        self.lm, self.speech_encoder, self.ears = lm, encoder, encoder.module
        self.layout, self.layer, self.padded = Layout(tokenizer), None if mix else layer, padded
        width = int(lm.get_input_embeddings().weight.shape[1])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.adapter = Adapter(AdapterShape(encoder.width, width, bottleneck, dropout=dropout,
                                                mixed=encoder.layers + 1 if mix else 0))
        self.head = head(width)
        self.plora: Plora | None = None
        self.adapter.to(self.device)
        self.head.to(self.device)
        self.columns = "logits_to_keep" in inspect.signature(lm.forward).parameters
        self.train_only(())

    @property
    def device(self) -> torch.device:
        """Where the language model lies."""
        found: torch.device = self.lm.get_input_embeddings().weight.device
        return found

    def add_plora(self, shape: PloraShape, seed: int = 0) -> None:
        """Put adapters for speech positions into the language model (stage 2)."""
        self.plora = attach(self.lm, shape, seed)

    def parts(self) -> dict[str, dict[str, nn.Parameter]]:
        """The parameters that this method may learn, by part and name."""
        return {"encoder": dict(self.ears.named_parameters()), "adapter": dict(self.adapter.named_parameters()),
                "plora": self.plora.named_parameters() if self.plora else {},
                "head": dict(self.head.named_parameters())}

    def train_only(self, parts: Iterable[str]) -> dict[str, nn.Parameter]:
        """Freeze everything but these parts; their parameters as ``"<part>.<name>"``."""
        wanted = set(parts)
        if not wanted <= set(PARTS):
            raise UserError(f"There is no part {', '.join(sorted(wanted - set(PARTS)))}; there are {', '.join(PARTS)}.")
        for parameter in self.parameters():
            parameter.requires_grad_(False)
        found = {f"{part}.{name}": parameter for part, named in self.parts().items() if part in wanted
                 for name, parameter in named.items() if not name.startswith("embed_positions")}
        for parameter in found.values():
            parameter.requires_grad_(True)
        self.train(False)
        self.ears.train("encoder" in wanted)
        self.adapter.train("adapter" in wanted)
        for layer in self.plora.layers.values() if self.plora else ():
            layer.training = "plora" in wanted
        return found

    def frozen_hash(self) -> str:
        """sha256 over all parameters that are not trained, by name."""
        total = hashlib.sha256()
        for name, parameter in sorted(self.named_parameters()):
            if not parameter.requires_grad:
                total.update(name.encode())
                total.update(parameter.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
        return total.hexdigest()

    def features(self, sounds: Sequence[Wave]) -> list[Mels]:
        """Log-mel of each sound, padded or not as this model has it."""
        return self.speech_encoder.mels(sounds, self.padded)

    def encode(self, mels: Sequence[Mels]) -> States:
        """Encoder states of sounds, with a gradient only where the encoder is trained."""
        learning = any(p.requires_grad for p in self.ears.parameters())
        with torch.set_grad_enabled(torch.is_grad_enabled() and learning):
            return self.speech_encoder.encode(mels, self.layer)

    def listen(self, states: States) -> Speech:
        """The adapter over encoder states."""
        return Speech(*self.adapter(states.values.float(), states.lengths))

    def emotions(self, speech: Speech) -> torch.Tensor:
        """(B, 5) scores of the head on the masked mean of the adapter's output."""
        found: torch.Tensor = self.head(masked_mean(speech.vectors, speech.lengths))
        return found

    def embed(self, packed: Packed, speech: Speech | None) -> torch.Tensor:
        """(B, L, H): embeddings of the tokens, speech vectors where speech stands."""
        tokens: torch.Tensor = self.lm.get_input_embeddings()(packed.ids)
        if speech is None:
            if bool(packed.spoken.any()):
                raise UserError("These sequences have speech in them, but no speech was given.")
            return tokens
        flat = speech.vectors.reshape(-1, speech.vectors.shape[-1]).to(tokens.dtype)
        chosen = flat[packed.source.clamp(min=0)]
        return torch.where(packed.spoken[..., None], chosen, tokens)

    def logits(self, packed: Packed, speech: Speech | None, columns: torch.Tensor | None = None) -> torch.Tensor:
        """(B, len(columns), V); without ``columns`` all of them. With speech, PLoRA acts on its positions; a sequence
        of text alone runs through the untouched language model (the teacher)."""
        embedded = self.embed(packed, speech)
        keep = {"logits_to_keep": columns} if columns is not None and self.columns else {}
        call = {"inputs_embeds": embedded, "attention_mask": packed.mask, "position_ids": packed.positions,
                "use_cache": False, **keep}
        if self.plora is not None and speech is not None:
            with self.plora.on(packed.spoken):
                logits: torch.Tensor = self.lm(**call).logits
        else:
            logits = self.lm(**call).logits
        return logits if columns is None or self.columns else logits[:, columns]
