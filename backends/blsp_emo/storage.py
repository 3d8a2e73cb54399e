"""A trained model as a folder: what was learned, and by checksum what it was learned on.

``config.json`` (stage, sizes, references and sha256 of language model and encoder, facts of the training),
``model.safetensors`` (``adapter.*``, ``head.*``, ``plora.*``, and ``encoder.*`` only where it was tuned) and
``README.md``. Language model and encoder are not copied: they are named, and opening them checks that they are the
same. The published checkpoints hold all of it (whisper, adapter, Qwen) in one ``pytorch_model.bin`` of 17 GB; they
open with their own code.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from backends.blsp_emo.encoder import open_encoder
from backends.blsp_emo.model import BlspEmo
from backends.blsp_emo.plora import PloraShape
from backends.common.loading import open_tokenizer, open_weights
from workbench.contract import Context, Json, Knob, MissingResource, UserError
from workbench.fields import from_json, to_json, validate
from workbench.files import read_json

KIND = "blsp_emo"


@dataclass(frozen=True)
class Base:
    """What a model stands on: references and checksums of language model and encoder."""

    model: str
    model_sha256: str
    encoder: str
    encoder_sha256: str


@dataclass(frozen=True)
class Setup:
    """How the parts are put together. ``plora`` is nothing before stage 2."""

    stage: Annotated[int, Knob("1 or 2", 1, 2)]
    base: Base
    bottleneck: int = 512
    dropout: float = 0.0
    layer: int = -1
    mix: bool = False
    padded: bool = False
    plora: PloraShape | None = None
    tuned: bool = False
    name: str = "BLSP-Emo"


def weights_hash(folder: Path) -> str:
    """sha256 over the safetensors files of a folder, by name."""
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        total.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def licence_of(folder: Path) -> str:
    """The licence that the card of a model folder names, or ``"other"``."""
    card = folder / "README.md"
    lines = card.read_text(encoding="utf-8").splitlines() if card.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("license:")), "") or "other"


def base_of(model: str, encoder: str, context: Context) -> Base:
    """Resolve both references and take their checksums."""
    return Base(model, weights_hash(context.resource(model)), encoder, weights_hash(context.resource(encoder)))


def build(setup: Setup, context: Context, seed: int = 0) -> BlspEmo:
    """A model with new adapter, head and PLoRA on its base. Raises ``UserError`` where the base has changed."""
    folders = {"language model": (context.resource(setup.base.model), setup.base.model_sha256),
               "speech encoder": (context.resource(setup.base.encoder), setup.base.encoder_sha256)}
    for what, (folder, expected) in folders.items():
        if weights_hash(folder) != expected:
            raise UserError(f"The {what} {folder.name} is not the one that this model was trained on.",
                            advice="Bring back the old one, or train again.")
    lm_folder, ears = folders["language model"][0], folders["speech encoder"][0]
    lm = open_weights(lm_folder, precision(lm_folder, context.device), context.device)
    model = BlspEmo(open_encoder(ears, context.device), lm,
                    open_tokenizer(lm_folder), seed=seed, dropout=setup.dropout, bottleneck=setup.bottleneck,
                    layer=setup.layer, mix=setup.mix, padded=setup.padded)
    if setup.plora is not None:
        model.add_plora(setup.plora, seed)
    return model


def precision(folder: Path, device: str) -> str:
    """Numbers of the frozen language model: bfloat16 on a graphics card where its files have 16 bits (7 billion weights
    take 15 GB instead of 30), else float32. What is learned has 32 bits everywhere."""
    config = read_json(folder / "config.json", {})
    stated = str(config.get("dtype") or config.get("torch_dtype") or "") if isinstance(config, dict) else ""
    return "bfloat16" if device.startswith("cuda") and stated in ("float16", "bfloat16") else "float32"


def stored(model: BlspEmo, tuned: bool) -> dict[str, nn.Parameter]:
    """The parameters that are kept: ``"<part>.<name>"``."""
    return {f"{part}.{name}": value for part, named in model.parts().items() if part != "encoder" or tuned
            for name, value in named.items()}


def save_model(model: BlspEmo, setup: Setup, out: Path, card: str, facts: Mapping[str, Json],
               half: bool = False) -> Path:
    """Write a folder, with weights in 16 bits where ``half``; it gets its name when everything in it is written."""
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    kind = torch.float16 if half else torch.float32
    weights = {name: value.detach().to("cpu", kind, copy=True).contiguous() for name, value in
               stored(model, setup.tuned).items()}
    save_file(weights, part / "model.safetensors")
    config = {"model_type": KIND, "setup": to_json(setup), **facts}
    (part / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1), encoding="utf-8")
    (part / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    part.replace(out)
    return out


def read_setup(folder: Path) -> Setup:
    """The setup of a model folder. Raises ``MissingResource`` or ``UserError`` naming what is wrong with it."""
    if not (folder / "config.json").is_file():
        raise MissingResource(f"The folder {folder.name} holds no model.", advice="It must have a config.json.")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"config.json of {folder.name} is not valid JSON ({error}).") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != KIND:
        raise UserError(f"{folder.name} is a model of type {kind!r}; a speech chat model has the type {KIND!r}.",
                        advice="Choose a model that blsp_emo.stage1 or blsp_emo.stage2 has made.")
    told = config.get("setup")
    try:
        setup: Setup = from_json(Setup, told if isinstance(told, dict) else {})
        for part in (setup, setup.base):
            validate(part)
    except (UserError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"config.json of {folder.name} is not whole: {error}",
                        advice="Copy the folder again.") from error
    return setup


def open_model(folder: Path, context: Context) -> tuple[BlspEmo, Setup]:
    """Open a folder for listening. Its base must be reachable by the references it names."""
    setup = read_setup(folder)
    model = build(setup, context)
    load_weights(model, setup, folder)
    return model, setup


def load_weights(model: BlspEmo, setup: Setup, folder: Path) -> None:
    """Put the weights of a folder into a model of the same setup."""
    file = folder / "model.safetensors"
    if not file.is_file():
        raise MissingResource(f"The folder {folder.name} has no weights.", advice="Bring model.safetensors too.")
    try:
        weights = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"model.safetensors of {folder.name} is damaged ({error}).",
                        advice="Copy the folder again.") from error
    own = stored(model, setup.tuned)
    wrong = sorted(name for name in {*own} | {*weights}
                   if name not in own or name not in weights or own[name].shape != weights[name].shape)
    if wrong:
        raise UserError(f"The weights of {folder.name} do not fit its config.json: {len(wrong)} differ, for example "
                        f"{wrong[0]}.", advice="Copy the folder again.")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])
