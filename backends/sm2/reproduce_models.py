"""Models that a reproduction trains once, keeps under the workbench's home, and uses again.

A model's folder is named after its request, in which every file is replaced by its name and the SHA-256 of its bytes,
and a model to begin with by the bytes of its weights and vocabulary. So the same training has the same name wherever
project and home lie, and another name as soon as a byte of its data differs.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from backends.common.training.checkpoint import fingerprint
from backends.sm2.requests import TrainRequest
from backends.sm2.train import run as train
from workbench.context import MemoryContext
from workbench.contract import Json, MissingResource
from workbench.fields import to_json
from workbench.files import read_json, write_json

TOLD = ("README.md", "config.json")
"""Files of a model's folder that say when and how it was trained; they do not change what is learned from it."""


def key(request: TrainRequest) -> str:
    """12 hex digits. Raises ``MissingResource`` for a file or folder that is not there."""
    asked = {**to_json(request), "source": [_by_bytes(name) for name in request.source],
             "target": [_by_bytes(name) for name in request.target], "start": _by_bytes(request.start)}
    return fingerprint(asked)[:12]


def _by_bytes(reference: str) -> Json:
    """A ``path:`` reference as its last name and a hash; any other as it is."""
    if not reference.startswith("path:"):
        return reference
    path = Path(reference.removeprefix("path:")).expanduser()
    if not path.exists():
        raise MissingResource(f"{path.name} is not at {path.parent}.", advice="Put it there, or name another file.")
    inside = sorted(path.iterdir()) if path.is_dir() else [path]
    return [path.name, [_hash(one) for one in inside if one.is_file() and one.name not in TOLD]]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def trained(request: TrainRequest, folder: Path, name: str, settings: Any) -> Path:
    """The model of a request under ``folder``, at ``<name>-<key>/artifacts/model``: the one that is there already, one
    that was begun and is trained to its end, or a new one."""
    place = folder / f"{name}-{key(request)}"
    model = place / "artifacts" / "model"
    if (model / "config.json").is_file():
        return model
    asked = to_json(request)
    if read_json(place / "request.json", asked) != asked:  # begun while the data lay elsewhere; checkpoints say where
        shutil.rmtree(place / "checkpoints", ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / "request.json", asked)
    result = train(request, MemoryContext(place, settings=settings))
    held = f", held out {result.measured[-1].full:.3f} nats a token with the whole source" if result.measured else ""
    print(f"{name}: {result.weights:,} weights, {result.steps} steps, {result.train_seconds / 60:.1f} minutes{held}")
    return model
