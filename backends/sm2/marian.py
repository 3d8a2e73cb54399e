"""Hugging Face's Marian checkpoints as our model: same arithmetic, other names.

Marian is post-norm with sinusoids (sines first), embeddings scaled by the root of the width, one table for source,
target and output with a bias on the logits, and the padding id as the first target token. Only checkpoints of that
kind open; anything else is refused by the name of the setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backends.sm2.model import Shape, Sm2
from backends.sm2.weights import read_weights
from workbench.contract import Json, MissingResource, UserError

ATTENTION = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "out"}
PARTS = {"self_attn_layer_norm": "own_norm", "encoder_attn_layer_norm": "cross_norm", "fc1": "up", "fc2": "down",
         "final_layer_norm": "feed_norm"}
EXPECTED: Mapping[str, Json] = {"scale_embedding": True, "normalize_before": False, "add_final_layer_norm": False,
                                "share_encoder_decoder_embeddings": True, "normalize_embedding": False}
NEEDED = ("vocab_size", "d_model", "encoder_attention_heads", "decoder_attention_heads", "encoder_ffn_dim",
          "decoder_ffn_dim", "encoder_layers", "decoder_layers", "activation_function", "max_position_embeddings",
          "pad_token_id", "decoder_start_token_id", "eos_token_id")
ACTIVATIONS = {"swish": "swish", "silu": "swish", "relu": "relu", "gelu": "gelu"}


def is_marian(config: Mapping[str, Json]) -> bool:
    """Whether a ``config.json`` is Marian's."""
    return config.get("model_type") == "marian"


def shape_of(config: Mapping[str, Json]) -> Shape:
    """Our shape of Marian's configuration. Raises ``UserError`` for a setting that this model does not have."""
    lacking = [key for key in NEEDED if key not in config]
    if lacking:
        raise UserError(f"The config.json of this Marian model lacks {', '.join(lacking)}.",
                        advice="Copy the folder again.")
    wrong = [f"{key} {config[key]}" for key, value in EXPECTED.items() if config.get(key, value) != value]
    if config["encoder_attention_heads"] != config["decoder_attention_heads"] or \
            config["encoder_ffn_dim"] != config["decoder_ffn_dim"]:
        wrong.append("encoder and decoder of different sizes")
    if config["activation_function"] not in ACTIVATIONS:
        wrong.append(f"activation_function {config['activation_function']}")
    if wrong:
        raise UserError(f"This Marian model has {', '.join(wrong)}, which is not supported.")
    activation: Any = ACTIVATIONS[config["activation_function"]]
    return Shape(config["vocab_size"], config["d_model"], config["encoder_attention_heads"], config["encoder_ffn_dim"],
                 config["encoder_layers"], config["decoder_layers"], float(config.get("dropout", 0.1)), "post",
                 activation, False, True, config["max_position_embeddings"], config["pad_token_id"],
                 config["decoder_start_token_id"], config["eos_token_id"])


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Marian's tensors under our names; its tables of positions are computed, not stored."""
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        parts = name.removeprefix("model.").split(".")
        if parts[0] == "shared":
            found["embedding.weight"] = tensor
        elif name == "final_logits_bias":
            found["output_bias"] = tensor.reshape(-1)
        elif parts[1] == "layers":
            found[".".join([parts[0], parts[2], *_inner(parts[3:])])] = tensor
    return found


def _inner(parts: list[str]) -> list[str]:
    if parts[0] in ("self_attn", "encoder_attn"):
        return ["own" if parts[0] == "self_attn" else "cross", ATTENTION[parts[1]], *parts[2:]]
    return [PARTS[parts[0]], *parts[1:]]


def read_marian(folder: Path, config: Mapping[str, Json]) -> Sm2:
    """The model with Marian's weights and a new confidence head, which at first is sure of everything (c = 0.95)."""
    files = sorted(folder.glob("*.safetensors"))
    if files:
        weights = {name: tensor for file in files for name, tensor in read_weights(file).items()}
    elif (folder / "pytorch_model.bin").is_file():
        weights = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    else:
        raise MissingResource(f"The folder {folder.name} has no weights.", advice="Bring model.safetensors too.")
    model = Sm2(shape_of(config))
    mine = renamed(weights)
    if "embedding.weight" not in mine and "model.encoder.embed_tokens.weight" in weights:
        mine["embedding.weight"] = weights["model.encoder.embed_tokens.weight"]
    missing = [name for name in model.state_dict() if name not in mine and not name.startswith("confidence")]
    if missing:
        raise UserError(f"The Marian weights in {folder.name} lack {len(missing)} tensors, for example {missing[0]}.")
    own = model.state_dict()
    own.update({name: tensor.float() for name, tensor in mine.items()})
    model.load_state_dict(own)
    torch.nn.init.zeros_(model.confidence.weight)
    torch.nn.init.constant_(model.confidence.bias, 3.0)
    return model
