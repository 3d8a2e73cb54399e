"""Vectors from any BERT-like encoder: the mean of its last outputs over the text, centred and turned to fewer numbers.

    h = mean over tokens of the last hidden state,  vector = unit((h - m) P)

with m the mean of a sample and P its first principal directions. Outputs of a BERT crowd in a narrow cone, where every
cosine is near 1; taking the mean off undoes most of it (our choice). Texts are cut at 512 tokens, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.mdfg.explore.projector import Matrix, unit
from workbench.contract import UserError

BATCH = 32
STATE = "encoder.safetensors"
CHARS = 4000
"""Characters of a text that the tokenizer is given; 512 tokens are about 500 of Chinese or 2,500 of English."""


class Encoder:
    """Texts to vectors. :meth:`learn` or :meth:`load` comes first; ``cut`` counts the texts that were too long."""

    def __init__(self, bert: Any, dimensions: int, device: str) -> None:
        self.bert, self.dimensions, self.device = bert.to(device).eval(), min(dimensions, bert.width), device
        self.mean, self.turn = np.zeros(0, dtype=np.float32), np.zeros((0, 0), dtype=np.float32)
        self.tick: Callable[[], None] = lambda: None

    @property
    def cut(self) -> int:
        """Texts of more tokens than the model reads."""
        return int(self.bert.cut)

    @staticmethod
    def open(folder: Path, dimensions: int, device: str = "cpu") -> Encoder:
        """Read a BERT from its folder. Raises ``MissingResource`` and ``UserError`` as ``BertEncoder.open`` does."""
        from backends.mdfg.bert_eval.encoders import BertEncoder

        return Encoder(BertEncoder.open(folder, 0), dimensions, device)

    def learn(self, texts: Sequence[str]) -> Matrix:
        """Learn mean and directions from a sample; returns the vectors of the sample."""
        hidden = self._hidden(texts)
        self.bert.cut = 0
        self.mean = hidden.mean(axis=0)
        _, values, right = np.linalg.svd(hidden - self.mean, full_matrices=False)
        good = int(np.sum(values[:self.dimensions] > 1e-5 * max(float(values[0]), 1e-30)))
        if not good:
            raise UserError(f"The encoder gives the same vector for all {len(texts)} texts of the sample.",
                            advice="Choose another encoder.")
        self.turn = np.ascontiguousarray(right[:good].T, dtype=np.float32)
        return unit((hidden - self.mean) @ self.turn)

    def vectors(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors (texts, directions); zeros for white space."""
        found = unit((self._hidden(texts) - self.mean) @ self.turn)
        found[[not text.strip() for text in texts]] = 0
        return found

    def save(self, folder: Path) -> None:
        """Keep what was learned."""
        from safetensors.numpy import save_file

        save_file({"mean": self.mean, "turn": self.turn}, folder / STATE)

    def load(self, folder: Path) -> None:
        """What :meth:`save` kept."""
        from safetensors.numpy import load_file

        read = load_file(folder / STATE)
        self.mean, self.turn = read["mean"], read["turn"]

    def _hidden(self, texts: Sequence[str]) -> Matrix:
        import torch

        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = np.zeros((len(texts), self.bert.width), dtype=np.float32)
        with torch.inference_mode():
            for begin in range(0, len(order), BATCH):
                chosen = order[begin:begin + BATCH]
                batch = self.bert.prepare([texts[i][:CHARS] for i in chosen])
                batch = {name: value.to(self.device) for name, value in batch.items()}
                tokens, _ = self.bert(batch)
                mask = batch["attention_mask"][..., None].to(tokens.dtype)
                mean = (tokens * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
                out[chosen] = mean.float().cpu().numpy()
                self.tick()
        return out
