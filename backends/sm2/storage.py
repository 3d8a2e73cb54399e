"""A translation model as a folder: ``config.json``, ``model.safetensors``, its vocabulary, ``README.md`` as its card.

A folder of Hugging Face's Marian opens too (:mod:`~backends.sm2.marian`); its confidence head is then new, which
``ready`` says: a model without a trained head can translate whole sentences and by wait-k, but not by SM2.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from backends.sm2.marian import is_marian, read_marian
from backends.sm2.model import Shape, Sm2
from backends.sm2.models import facts
from backends.sm2.vocabulary import Vocabulary, open_vocabulary
from backends.sm2.weights import read_weights
from workbench.contract import Json, MissingResource, UserError
from workbench.fields import from_json, to_json

KIND = "sm2"
ALPHA = 0.1
"""The authors' weight of the confidence loss, where a model does not say its own."""


@dataclass(frozen=True)
class Translator:
    """An open model. ``ready`` is whether its confidence head has been trained; ``objective`` what it was trained
    for; ``alpha`` the weight of its confidence loss, which gives the floor of its confidences."""

    model: Sm2
    vocabulary: Vocabulary
    ready: bool
    objective: str
    title: str
    alpha: float = ALPHA


def open_translator(folder: Path, device: str = "cpu") -> Translator:
    """Open a model folder for translating. Raises ``UserError`` or ``MissingResource`` naming what is wrong with it."""
    if not (folder / "config.json").is_file():
        raise MissingResource(f"The folder {folder.name} holds no model.", advice="It must have a config.json.")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"config.json of {folder.name} is not valid JSON ({error}).") from error
    if not isinstance(config, dict):
        raise UserError(f"config.json of {folder.name} holds no object; it describes no model.")
    vocabulary = open_vocabulary(folder)
    if is_marian(config):
        model = read_marian(folder, config)
        _fits(vocabulary, model, folder)
        return Translator(model.to(device).eval(), vocabulary, False, "offline", folder.name)
    if config.get("model_type") != KIND:
        raise UserError(f"{folder.name} is a model of type {config.get('model_type')!r}; this method opens {KIND!r} "
                        "and 'marian'.", advice="Choose a translation model.")
    model = Sm2(from_json(Shape, config.get("shape") or {}))
    weights, own = read_weights(folder / "model.safetensors"), model.state_dict()
    wrong = sorted(name for name in {*own} | {*weights}
                   if name not in own or name not in weights or own[name].shape != weights[name].shape)
    if wrong:
        raise UserError(f"The weights of {folder.name} do not fit its config.json: {len(wrong)} differ, for example "
                        f"{wrong[0]}.", advice="Copy the folder again.")
    _fits(vocabulary, model, folder)
    model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    told = facts(folder)
    return Translator(model.to(device).eval(), vocabulary, config.get("objective") == "sm2",
                      str(config.get("objective", "")), str(config.get("title", folder.name)),
                      told.alpha if told else ALPHA)


def _fits(vocabulary: Vocabulary, model: Sm2, folder: Path) -> None:
    if vocabulary.size > model.shape.vocabulary:
        raise UserError(f"The vocabulary of {folder.name} has {vocabulary.size:,} pieces and its model takes "
                        f"{model.shape.vocabulary:,}; they do not belong together.", advice="Copy the folder again.")


def save_translator(translator: Translator, out: Path, card: str, facts: Mapping[str, Json],
                    half: bool = False) -> Path:
    """Write a folder; it gets its name when everything in it is written. ``half`` keeps weights in 16 bits."""
    folder = out.with_name(f".{out.name}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    dtype = torch.float16 if half else torch.float32
    weights = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in
               translator.model.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    config = {"model_type": KIND, "is_encoder_decoder": True, "title": translator.title,
              "objective": translator.objective, "shape": to_json(translator.model.shape), **facts}
    (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1), encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")
    translator.vocabulary.save(folder)
    shutil.rmtree(out, ignore_errors=True)
    folder.replace(out)
    return out
