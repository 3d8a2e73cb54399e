"""What is trained and how it is kept: LoRA adapters beside frozen weights, or the whole model.

A finished model is a folder that every part of the workbench opens by ``path:``: configuration, tokenizer with its
chat template, safetensors, and a README with front matter as its card. Adapters are merged for that; the adapter
alone (peft's layout) is a few megabytes and can be kept beside it or instead.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from backends.common.loading import open_tokenizer, open_weights
from backends.common.training.examples import prepare
from workbench.contract import Json, UserError

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Layers that adapters are put on where a model has them; other architectures get them on every linear layer."""
PAPERS = "README.md"


@dataclass(frozen=True)
class Lora:
    """Rank, scale (``alpha / rank`` multiplies the adapter) and dropout of the adapters."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05


@dataclass(frozen=True)
class Trainee:
    """A model with its tokenizer; ``names`` are the parameters that are trained, in a fixed order."""

    model: Any
    tokenizer: Any
    base: Path
    method: Literal["lora", "full"]
    names: tuple[str, ...]

    def trained(self) -> dict[str, nn.Parameter]:
        """The trained parameters by name."""
        known = dict(self.model.named_parameters())
        return {name: known[name] for name in self.names}

    def counts(self) -> tuple[int, int]:
        """Numbers of trained and of all weights."""
        total = sum(p.numel() for p in self.model.parameters())
        return sum(p.numel() for p in self.trained().values()), total


def open_trainee(path: Path, method: Literal["lora", "full"], *, seed: int, dtype: str = "float32",
                 device: str = "cpu", lora: Lora | None = None, gradient_checkpointing: bool = False) -> Trainee:
    """Load a model folder and decide what of it is trained. Frozen weights are held in ``dtype``; trained ones are
    always float32, because small steps vanish in 16 bits. An adapter starts as no change, its weights from ``seed``."""
    tokenizer = prepare(open_tokenizer(path))
    model = open_weights(path, dtype if method == "lora" else "float32", device)
    check_vocabulary(model, tokenizer, path)
    if gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    if method == "lora":
        model = adapted(model, lora or Lora(), seed)
    model.train()
    names = tuple(name for name, parameter in model.named_parameters() if parameter.requires_grad)
    return Trainee(model, tokenizer, path, method, names)


def check_vocabulary(model: Any, tokenizer: Any, path: Path) -> None:
    """Refuse a tokenizer with more tokens than the model has rows for."""
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise UserError(f"The tokenizer in {path} has {len(tokenizer)} tokens, the model {rows} rows for them.",
                        advice="Save the model and the tokenizer that belong together.")


def adapted(model: Any, lora: Lora, seed: int) -> Any:
    """The model with adapters; the caller's random state is untouched."""
    from peft import LoraConfig, get_peft_model

    present = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    targets: list[str] | str = [name for name in PROJECTIONS if name in present] or "all-linear"
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets,
                        bias="none", task_type="CAUSAL_LM")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = get_peft_model(model, config)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model


def groups(trainee: Trainee, weight_decay: float) -> list[dict[str, Any]]:
    """Optimizer groups: decay on matrices, none on vectors (norms, biases)."""
    parameters = list(trainee.trained().values())
    return [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0}]


def snapshot(trainee: Trainee) -> dict[str, torch.Tensor]:
    """Copies of the trained weights on the processor, by name."""
    return {name: p.detach().to("cpu", copy=True).contiguous() for name, p in trainee.trained().items()}


def restore(trainee: Trainee, weights: Mapping[str, torch.Tensor]) -> None:
    """Put weights back. Raises ``UserError`` when they belong to another model or other adapters."""
    own = trainee.trained()
    wrong = sorted({*own} ^ {*weights}) or [n for n in own if own[n].shape != weights[n].shape]
    if wrong:
        raise UserError(f"The saved weights do not fit this model: {len(wrong)} differ, for example {wrong[0]}.",
                        advice="Go on with the model, method and rank that the run began with.")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])


def save_adapter(trainee: Trainee, out: Path, card: str) -> Path:
    """Write the adapter in peft's layout with the tokenizer and the card."""
    with _fresh(out) as folder:
        trainee.model.save_pretrained(folder, safe_serialization=True)
        trainee.tokenizer.save_pretrained(folder)
        (folder / PAPERS).write_text(card, encoding="utf-8")
    return out


def save_model(trainee: Trainee, out: Path, card: str, facts: Mapping[str, Json]) -> Path:
    """Write the whole model (adapters merged, in the precision of the frozen weights) with tokenizer and card;
    ``facts`` go into ``training.json``. Afterwards the trainee is used up: its adapters are gone."""
    model = trainee.model
    if trainee.method == "lora":
        model = model.merge_and_unload()
    limit = getattr(model.config, "max_position_embeddings", None)
    if limit:
        trainee.tokenizer.model_max_length = limit
    model.generation_config.eos_token_id = _ends(model, trainee.tokenizer)
    with _fresh(out) as folder:
        model.save_pretrained(folder, safe_serialization=True)
        trainee.tokenizer.save_pretrained(folder)
        (folder / PAPERS).write_text(card, encoding="utf-8")
        (folder / "training.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")
    return out


def _ends(model: Any, tokenizer: Any) -> int | list[int]:
    named = model.generation_config.eos_token_id
    found = list(dict.fromkeys([*(named if isinstance(named, list | tuple) else [named]), tokenizer.eos_token_id]))
    ends = [int(token) for token in found if token is not None]
    return ends if len(ends) > 1 else ends[0]


class _fresh:
    """A folder that gets its name when everything in it is written."""

    def __init__(self, out: Path) -> None:
        self.out, self.folder = out, out.with_name(f".{out.name}.part")

    def __enter__(self) -> Path:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return self.folder

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            shutil.rmtree(self.out, ignore_errors=True)
            self.folder.replace(self.out)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

