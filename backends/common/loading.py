"""Open a model folder: weights, tokenizer, the tokens that end a reply, and the runner that is right for it.

Safetensors only. Before a model is used, a short prompt goes through its own forward pass and through the packed one;
only where both agree is the packed path taken, so an architecture that it does not fit runs slower but never wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from backends.common.attention import register
from backends.common.cache import Store
from backends.common.linear import pack_linears
from backends.common.runner import Fill, PackedRunner, PlainRunner, Runner
from workbench.contract import MissingResource, UserError

KNOWN_LAYERS = {"full_attention", "sliding_attention"}


@dataclass(frozen=True)
class Loaded:
    """A model ready to run. ``window`` is its context length in tokens, 0 when it does not say."""

    tokenizer: Any
    runner: Runner
    ends: tuple[int, ...]
    window: int
    vocabulary: int
    dtype: str
    device: str
    packed: bool
    parameters: int


def open_folder(path: Path, dtype: str, device: str, cache_bytes: int, trust_remote_code: bool = False,
                fast: bool = True) -> Loaded:
    """Load the model folder ``path``. ``fast=False`` keeps torch's linear layers and attention.

    Raises ``MissingResource`` or ``UserError`` for a folder that is no causal language model in safetensors."""
    tokenizer = open_tokenizer(path, trust_remote_code)
    model = open_weights(path, dtype, device, trust_remote_code)
    parameters = sum(p.numel() for p in model.parameters())
    runner: Runner | None = open_packed(model, torch.device(device), cache_bytes) if fast else None
    if runner is None and fast:
        model = open_weights(path, dtype, device, trust_remote_code)
    packed = runner is not None
    text = model.config.get_text_config()
    return Loaded(tokenizer, runner or PlainRunner(model, torch.device(device)), end_tokens(model, tokenizer),
                  int(getattr(text, "max_position_embeddings", 0) or 0), int(text.vocab_size), dtype, device,
                  packed, parameters)


def open_tokenizer(path: Path, trust_remote_code: bool = False) -> Any:
    """The tokenizer of a model folder."""
    from transformers import AutoTokenizer

    if not path.is_dir():
        raise MissingResource(f"There is no model folder {path}.", advice="Fetch the model or correct the path.")
    try:
        return AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=trust_remote_code)
    except Exception as error:  # tokenizer files fail in many ways, all of them the folder's
        raise UserError(f"The tokenizer in {path} cannot be read: {str(error)[:300]}",
                        advice="Save the model together with its tokenizer (tokenizer.json).") from error


def open_weights(path: Path, dtype: str, device: str, trust_remote_code: bool = False) -> Any:
    """The model of a folder in ``dtype`` on ``device``, from safetensors."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    if not any(path.glob("*.safetensors")):
        raise UserError(f"{path} holds no *.safetensors file.", advice="Other formats can run code when they are "
                        "read. Save the model with save_pretrained, or convert a GGUF with backends.common.convert.")
    try:
        model = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype), local_files_only=True,
                                                     use_safetensors=True, trust_remote_code=trust_remote_code)
    except Exception as error:  # as above: whatever is wrong lies in the folder
        raise UserError(f"The model in {path} cannot be read: {str(error)[:300]}",
                        advice="It must be a causal language model that transformers knows, in safetensors.") from error
    return model.to(device).eval()


def open_packed(model: Any, device: torch.device, cache_bytes: int) -> Runner | None:
    """The packed runner of ``model``, or None where its result differs from the model's own. Changes the model:
    the caller loads it anew after None."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if not kinds <= KNOWN_LAYERS or not getattr(model, "_supports_attention_backend", False):
        return None
    ids = [i % config.vocab_size for i in range(5, 5 + 7)]
    try:
        with torch.inference_mode():
            expected = model(input_ids=torch.tensor([ids], device=device), use_cache=False).logits[0, -2:].float()
        model.set_attn_implementation(register())
        if device.type == "cpu":
            pack_linears(model)
        runner = PackedRunner(model, config.num_hidden_layers, device, Store(cache_bytes))
        with torch.inference_mode():
            got = probe(runner, ids)
    except Exception:  # an attention the packed one does not fit may fail anywhere; the plain path remains
        return None
    spread = float(expected.std()) or 1.0
    close = float((got - expected).abs().max()) / spread < (1e-3 if model.dtype == torch.float32 else 0.25)
    return runner if close else None


def probe(runner: Runner, ids: Sequence[int]) -> torch.Tensor:
    """Logits after the last two of ``ids``, by two fills and a step beside another row, as in real use."""
    runner.enter(0, "", ids, len(ids))
    runner.enter(1, "", ids[1:], len(ids))
    runner.fill([Fill(0, 0, ids[:3]), Fill(1, 0, ids[1:4])])
    first = runner.fill([Fill(0, 3, ids[3:-1], (len(ids) - 5,))])
    second = runner.step([(1, 3, ids[4]), (0, len(ids) - 1, ids[-1])])[1:]
    runner.leave(0, "", ())
    runner.leave(1, "", ())
    return torch.cat([first, second])


def end_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every token that ends a reply: those of the generation configuration and the tokenizer's own."""
    named = getattr(model.generation_config, "eos_token_id", None)
    found = set(named if isinstance(named, list | tuple) else [named]) | {tokenizer.eos_token_id}
    return tuple(sorted(int(token) for token in found if token is not None))
