"""BERTEval behind the interface of every scorer: a document in, the mean and the smallest of its pieces' scores out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.mdfg.bert_eval import network as files
from backends.mdfg.bert_eval.fit import predict
from backends.mdfg.bert_eval.network import BertEval
from backends.mdfg.bert_eval.segments import Tails, segments
from backends.mdfg.bert_eval.selection import Merged, merge
from backends.mdfg.scorers.base import Scores


class BertEvalScorer:
    """A ``Scorer`` with the outputs ``score`` (length-weighted mean of the pieces) and ``least``.

    A document without a piece to score (empty, white space; with ``tails="official"`` also one under 200 characters)
    gets 0 for both: use :meth:`detail` to tell it from a bad one."""

    outputs = ("score", "least")

    def __init__(self, network: BertEval, card: dict[str, Any] | None = None, *, name: str = "quality",
                 tails: Tails = "score", batch: int = 32) -> None:
        self.network, self.card, self.name, self.tails, self.batch = network, card or {}, name, tails, batch
        digest = hashlib.sha256(f"{tails}{network.pooling}{network.encoder.settings()}".encode())
        for key, value in sorted(network.state_dict().items()):
            digest.update(key.encode() + value.detach().cpu().float().numpy().tobytes())
        self.version = digest.hexdigest()[:16]

    @staticmethod
    def open(folder: Path, device: str = "cpu", tails: Tails = "score") -> BertEvalScorer:
        """Read one from its folder."""
        network, card = files.load(folder)
        return BertEvalScorer(network.to(device), card, name=str(card.get("name", "quality")), tails=tails)

    def detail(self, texts: Sequence[str]) -> list[Merged]:
        """Every piece's score and the merged ones, text by text."""
        cut = [segments(text, self.tails) for text in texts]
        parts = [text[s.begin:s.end] for text, found in zip(texts, cut, strict=True) for s in found if s.scored]
        scores = predict(self.network, parts, self.batch).tolist() if parts else []
        merged, place = [], 0
        for found in cut:
            count = sum(s.scored for s in found)
            merged.append(merge(found, scores[place:place + count]))
            place += count
        return merged

    def score(self, texts: Sequence[str]) -> Scores:
        """(texts, 2) scores in [0, 1]."""
        rows = [(found.score or 0.0, found.least or 0.0) for found in self.detail(texts)]
        return np.asarray(rows, dtype=np.float32).reshape(len(rows), 2)
