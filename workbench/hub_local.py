"""Models and data in folders of this machine: which may be read, and the card that their own files give."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from workbench import reading
from workbench.contract import Json, MissingResource, UserError
from workbench.hub_cards import ROOT, ModelCard, Reference
from workbench.hub_files import read_object
from workbench.registry import SERVERS
from workbench.runs import run_path
from workbench.settings import Settings

BUNDLED = ROOT / "assets" / "models"
LABELS = "labels"
"""Folder of the home with labels that people gave, written for a training run."""
UPLOADS = "uploads"
"""Folder of the home with files that people brought; each lies in a folder of its own, named by its sha256."""
_HEADER_LIMIT = 100_000_000
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_sequence_length")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def locate(reference: Reference, settings: Settings) -> Path:
    """The existing file or folder of a ``path:``, ``bundled:`` or ``run:`` reference, links resolved.

    Raises ``MissingResource`` where there is nothing, and ``UserError`` for a path outside ``data_roots`` when
    the page can be reached from other machines (a visitor must not read the server's disk). Files of labels and
    files that were brought are readable by their name, which nobody can guess; their folders are not."""
    if reference.kind == "bundled":
        path = BUNDLED / reference.name
        if not path.is_dir():
            known = sorted(p.name for p in BUNDLED.glob("*") if p.is_dir())
            raise MissingResource(f"There is no bundled model {reference.name!r}.",
                                  advice=f"Bundled are {', '.join(known) or 'none'}.")
        return path
    if reference.kind == "run":
        return _product(reference, settings)
    path = Path(reference.name).resolve()
    home = settings.home.resolve()
    brought = path.parent == home / LABELS or path.parent.parent == home / UPLOADS
    if (not settings.loopback and not brought
            and not any(path.is_relative_to(root.resolve()) for root in settings.data_roots)):
        allowed = ", ".join(map(str, settings.data_roots)) or "none"
        raise UserError(f"{reference} lies outside the folders this server may read (allowed: {allowed}).",
                        advice="Whoever runs the server can add the folder to data_roots in settings.toml.")
    if not path.exists():
        raise MissingResource(f"There is nothing at {path}.", advice="Check the path; copy the files there.")
    return path


def _product(reference: Reference, settings: Settings) -> Path:
    """An artifact of a run, or the folder of all of them. Who may read a run is checked where a request is taken
    (:meth:`workbench.service.Service.submit`), not here."""
    run_id, slash, name = reference.name.partition("/")
    run = run_path(settings.home, run_id)
    if run is None or not run.is_dir():
        raise MissingResource(f"There is no run {run_id!r}.", advice="It may have been deleted: choose another run.")
    if slash:
        return reading.artifact_path(run, name)
    return run / "artifacts"


def check_weights(path: Path) -> None:
    """Refuse a model folder without safetensors. A pickle can run any code when it is read, so none is."""
    if not is_model(path) or any(path.glob("*.safetensors")):
        return
    pickles = sorted(file.name for pattern in _PICKLES for file in path.glob(pattern))
    if pickles:
        raise UserError(f"{path} has its weights as {pickles[0]}, a pickle, which could run any code when read.",
                        advice="Save the model again as safetensors (`save_pretrained` writes them).")
    raise MissingResource(f"{path} has a config.json but no *.safetensors.", advice="Copy the weights there too.")


def is_model(path: Path) -> bool:
    """Whether a folder looks like a transformers model."""
    return (path / "config.json").is_file()


def card_of(reference: str, path: Path, title: str = "") -> ModelCard:
    """The card that a folder's own files give: config.json, safetensors headers, README front matter."""
    title = title or path.name
    if not is_model(path):
        return ModelCard(reference, title, "data", size_mb=0, can_score=False)
    config = read_object(path / "config.json")
    text = config.get("text_config")
    config = {**config, **text} if isinstance(text, dict) else config
    front = _front_matter(path / "README.md")
    size = sum(file.stat().st_size for file in path.glob("*.safetensors"))
    named = front.get("model_name") or _text(config.get("title")) or title
    return ModelCard(
        reference, str(named), _kind(config, path),
        languages=_languages(front.get("language")), parameters=_parameters(path),
        size_mb=size // 1_000_000, disk_mb=size // 1_000_000, licence=_text(front.get("license")),
        licence_url=_text(front.get("license_link")), notes=_text(config.get("model_type")),
        context_length=next((config[key] for key in _CONTEXT_KEYS if isinstance(config.get(key), int)), 0))


def _kind(config: Mapping[str, Json], path: Path) -> Literal["chat", "base", "translation", "speech"]:
    """What has a server of its own hears, other pairs of encoder and decoder translate, a model with a chat template
    is a chat model. ``notes`` of a card tell a recogniser (whisper) from a speech model (blsp_emo)."""
    if config.get("model_type") in tuple(SERVERS):
        return "speech"
    if config.get("is_encoder_decoder") is True:
        return "translation"
    stated = read_object(path / "tokenizer_config.json").get("chat_template")
    return "chat" if stated or (path / "chat_template.jinja").is_file() else "base"


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _languages(value: Json) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(code for code in found if isinstance(code, str) and code.lower() != "multilingual")


def _front_matter(readme: Path) -> Mapping[str, Json]:
    """The YAML block between the two ``---`` at the top of a README; ``{}`` where there is none."""
    try:
        with readme.open(encoding="utf-8", errors="replace") as file:
            head = file.read(200_000)
    except OSError:
        return {}
    if not head.startswith("---"):
        return {}
    import yaml  # here, because most commands never read a README

    try:
        value = yaml.safe_load(head[3:].split("\n---", 1)[0])
    except yaml.YAMLError:
        return {}
    return value if isinstance(value, dict) else {}


def _parameters(path: Path) -> int:
    """Number of weights, from the headers of the safetensors files (names and shapes, never the data)."""
    return sum(_count(file) for file in path.glob("*.safetensors"))


def _count(file: Path) -> int:
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length)) if length <= _HEADER_LIMIT else {}
        return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return 0
