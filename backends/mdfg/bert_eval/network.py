"""The network of BERTEval: score = sigmoid(w . Dropout([m ; c]) + b), m the maximum over tokens, c the pooled output.

The official head does not mask padding in the maximum and pads everything to 512 tokens; ``pooling="official"`` does
the same. By default padding is left out of the maximum, so that a text's score does not depend on the texts beside it.
The official bias starts at 7 (every score begins at .9991, where the sigmoid hardly moves); ours starts at 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from backends.mdfg.bert_eval.encoders import BertEncoder, NgramEncoder
from backends.mdfg.scorers.hashing import Grams
from workbench.contract import MissingResource, UserError
from workbench.fields import from_json
from workbench.files import Damaged, load_json, write_json

Pooling = Literal["masked", "official"]
FORMAT = "mdfg.berteval.v1"
FACTS, WEIGHTS, ENCODER = "berteval.json", "berteval.safetensors", "encoder"
OFFICIAL_BIAS = 7.0


class BertEval(nn.Module):  # type: ignore[misc]
    """Encoder and head. ``bias`` is where the head's bias starts."""

    def __init__(self, encoder: BertEncoder | NgramEncoder, bias: float = 0.0, pooling: Pooling = "masked",
                 dropout: float = 0.1, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.encoder, self.pooling, self.rate = encoder, pooling, dropout
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * encoder.width, 1)
        with torch.no_grad():
            limit = (6 / (2 * encoder.width + 1)) ** 0.5  # Xavier's
            self.head.weight.uniform_(-limit, limit, generator=generator)
            self.head.bias.fill_(bias)

    def logits(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """z of every text (B,)."""
        tokens, pooled = self.encoder(batch)
        mask = batch.get("attention_mask")
        if mask is not None and self.pooling == "masked":
            tokens = tokens.masked_fill(mask[..., None] == 0, torch.finfo(tokens.dtype).min)
        joined = torch.cat([tokens.amax(dim=1), pooled], dim=1)
        found: torch.Tensor = self.head(self.dropout(joined))
        return found[:, 0]

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Scores in [0, 1] (B,), in float32: a sigmoid in half precision has no gradient near 1."""
        return torch.sigmoid(self.logits(batch).float())

    def prepare(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """The batch of some texts, on the device of the network."""
        batch = self.encoder.prepare(texts, full=self.pooling == "official")
        device = self.head.weight.device
        return {name: value.to(device) for name, value in batch.items()}

    def trained(self) -> dict[str, nn.Parameter]:
        """Parameters that are trained, by name."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}


def save(network: BertEval, folder: Path, card: dict[str, Any] | None = None) -> Path:
    """Write ``berteval.json``, ``berteval.safetensors`` and, for a BERT, its whole folder beside them."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    encoder = network.encoder
    if isinstance(encoder, BertEncoder):
        encoder.model.save_pretrained(folder / ENCODER)
        encoder.tokenizer.save_pretrained(folder / ENCODER)
        own = {name: value for name, value in network.state_dict().items() if not name.startswith("encoder.")}
    else:
        own = network.state_dict()
    save_file({name: value.detach().cpu().contiguous() for name, value in own.items()}, folder / WEIGHTS)
    write_json(folder / FACTS, {"format": FORMAT, "pooling": network.pooling, "dropout": network.rate,
                                "encoder": encoder.settings(), "card": card or {}})
    return folder


def load(folder: Path) -> tuple[BertEval, dict[str, Any]]:
    """(network, card). Raises ``MissingResource`` where there is none, ``UserError`` where it cannot be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not (folder / FACTS).is_file():
        raise MissingResource(f"{folder.name} holds no BERTEval model (there is no {FACTS}).",
                              advice="Train one with the task mdfg.train_scorer.v1.")
    try:
        facts = load_json(folder / FACTS)
        if facts["format"] != FORMAT:
            raise ValueError(f"its format is {facts['format']!r}, this program reads {FORMAT!r}")
        network = BertEval(_encoder(facts["encoder"], folder), pooling=facts["pooling"], dropout=facts["dropout"])
        missing, extra = network.load_state_dict(load_file(folder / WEIGHTS), strict=False)
        lost = [name for name in missing if not (name.startswith("encoder.") and facts["encoder"]["kind"] == "bert")]
        if lost or extra:
            raise ValueError(f"its weights lack {lost} and have {list(extra)} too many")
    except (Damaged, OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"The BERTEval model in {folder.name} cannot be read: {error}.",
                        advice="Copy its files again, or train it anew.") from error
    return network.eval(), dict(facts["card"])


def _encoder(settings: dict[str, Any], folder: Path) -> BertEncoder | NgramEncoder:
    if settings["kind"] == "bert":
        return BertEncoder.open(folder / ENCODER, int(settings["frozen_layers"]))
    return NgramEncoder(from_json(Grams, settings["grams"]), int(settings["width"]), float(settings["dropout"]))
