"""What reads a piece of text for BERTEval: a Hugging Face BERT, or hashed n-grams where there is no GPU.

Both give (token outputs (B, L, width), pooled output (B, width)), so that one head, one loss and one self-training
loop serve both. The BERT is frozen below its last layers (11 of 12 in the official configuration, embeddings too). The
n-gram encoder is one "token": h = Dropout(sum of E / count**.5), pooled = tanh(W h). It is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from backends.mdfg.scorers.hashing import Grams, buckets_of
from workbench.contract import MissingResource, UserError

TOKENS = 512
Read = tuple[torch.Tensor, torch.Tensor]


class NgramEncoder(nn.Module):  # type: ignore[misc]
    """Hashed character n-grams; a few seconds of training on one core where a BERT needs hours."""

    kind = "ngram"

    def __init__(self, grams: Grams | None = None, width: int = 32, dropout: float = 0.3,
                 generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.grams, self.width, self.rate = grams or Grams(1, 3, 16), width, dropout
        self.bag = nn.EmbeddingBag(self.grams.buckets, width, mode="sum", sparse=True)
        self.mix = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            self.bag.weight.normal_(0.0, 0.1, generator=generator)
            self.mix.weight.normal_(0.0, width**-0.5, generator=generator)
            self.mix.bias.zero_()

    def prepare(self, texts: Sequence[str], full: bool = False) -> dict[str, torch.Tensor]:
        """Buckets, where each text's begin, and the weight of each."""
        ids, ends = buckets_of(texts, self.grams)
        sizes = np.diff(ends)
        weights = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
        return {"ids": torch.from_numpy(ids), "starts": torch.from_numpy(ends[:-1].copy()),
                "weights": torch.from_numpy(weights)}

    def forward(self, batch: dict[str, torch.Tensor]) -> Read:
        """(h (B, 1, width), tanh(W h) (B, width))."""
        found = self.dropout(self.bag(batch["ids"], batch["starts"], per_sample_weights=batch["weights"]))
        return found[:, None, :], torch.tanh(self.mix(found))

    def sparse(self) -> list[nn.Parameter]:
        """Parameters with sparse gradients."""
        return [self.bag.weight]

    def settings(self) -> dict[str, Any]:
        """What is needed to make it again."""
        from workbench.fields import to_json

        return {"kind": self.kind, "grams": to_json(self.grams), "width": self.width, "dropout": self.rate}


class BertEncoder(nn.Module):  # type: ignore[misc]
    """Any BERT-like Hugging Face model. ``frozen_layers`` counts from the bottom; embeddings are frozen too."""

    kind = "bert"

    def __init__(self, model: Any, tokenizer: Any, frozen_layers: int) -> None:
        super().__init__()
        self.model, self.tokenizer, self.frozen_layers = model, tokenizer, frozen_layers
        self.width = int(model.config.hidden_size)
        self.length = min(TOKENS, int(getattr(model.config, "max_position_embeddings", TOKENS)))
        self.cut = 0
        layers = model.encoder.layer
        if not 0 <= frozen_layers <= len(layers):
            raise UserError(f"frozen_layers is {frozen_layers}; this model has {len(layers)} layers.")
        held = [model.embeddings, *layers[:frozen_layers]] if frozen_layers else []
        for part in held:
            part.requires_grad_(False)

    @staticmethod
    def open(path: Path, frozen_layers: int = 11) -> BertEncoder:
        """Read model and tokenizer from a folder (safetensors only). Raises ``MissingResource`` where there is none,
        ``UserError`` for a model that is no BERT."""
        from transformers import AutoModel, AutoTokenizer

        if not (path / "config.json").is_file():
            raise MissingResource(f"{path.name} holds no model (there is no config.json).",
                                  advice="Give the folder of a BERT, for example hub:google-bert/bert-base-chinese.")
        model: Any = AutoModel.from_pretrained(path, use_safetensors=True)
        if not hasattr(model, "embeddings") or not hasattr(getattr(model, "encoder", None), "layer"):
            raise UserError(f"{path.name} is a {type(model).__name__}; BERTEval needs a BERT-like encoder.")
        return BertEncoder(model, AutoTokenizer.from_pretrained(path), min(frozen_layers, len(model.encoder.layer)))

    def prepare(self, texts: Sequence[str], full: bool = False) -> dict[str, torch.Tensor]:
        """Token ids, types and mask, padded to the longest text, or to all 512 tokens where ``full``.

        Texts of more tokens than the model reads are cut
        (the official code would fail); ``cut`` counts them."""
        sizes = [len(ids) for ids in self.tokenizer(list(texts), verbose=False)["input_ids"]]
        self.cut += sum(size > self.length for size in sizes)
        made = self.tokenizer(list(texts), padding="max_length" if full else True, truncation=True,
                              max_length=self.length, return_tensors="pt")
        return {name: made[name] for name in ("input_ids", "token_type_ids", "attention_mask") if name in made}

    def forward(self, batch: dict[str, torch.Tensor]) -> Read:
        """(last hidden states (B, L, width), pooler output (B, width))."""
        out = self.model(**batch)
        pooled = out.pooler_output if getattr(out, "pooler_output", None) is not None else out.last_hidden_state[:, 0]
        return out.last_hidden_state, pooled

    def sparse(self) -> list[nn.Parameter]:
        """There are none."""
        return []

    def settings(self) -> dict[str, Any]:
        """What is needed to make it again, beside the folder of the model."""
        return {"kind": self.kind, "frozen_layers": self.frozen_layers}
