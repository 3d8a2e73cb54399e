"""Runs that a reproduction makes once, keeps under the workbench's home, and reads again.

A run's folder is named after its request: a file that the request names counts with its bytes, a model folder with its
weights. So another model, another list of clips or another option is another run, and a second reproduction prints at
once. A training that was cut off goes on from its checkpoint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from backends.common.engine import LocalModel
from backends.common.training.checkpoint import fingerprint
from workbench.context import MemoryContext
from workbench.contract import Context, Json
from workbench.fields import from_json, to_json
from workbench.files import read_json, write_json

R = TypeVar("R")
COUNTED = (".safetensors", ".jsonl", ".json")
"""Files of a folder that count."""


class Kept:
    """Runs under ``folder``; language models are opened in this process."""

    def __init__(self, folder: Path, settings: Any) -> None:
        self.folder, self.settings = folder, settings

    def context(self, place: Path) -> MemoryContext:
        """A context whose models lie in this process."""
        threads = max(1, int(getattr(self.settings, "threads", 0) or 1))

        def opened(reference: str) -> LocalModel:
            return LocalModel(context.resource(reference), threads=threads)

        context = MemoryContext(place, settings=self.settings, model_factory=opened)
        return context

    def once(self, name: str, request: Any, work: Callable[[Any, Context], R], kind: type[R]) -> R:
        """The result of a run: kept, or made now."""
        place = self.folder / f"{name}-{self.key(request)}"
        known: Json = read_json(place / "kept.json", None)
        if isinstance(known, dict):
            return from_json(kind, known)
        result = work(request, self.context(place))
        write_json(place / "kept.json", to_json(result))
        return result

    def key(self, request: Any) -> str:
        """12 hex digits of a request and of the bytes it names."""
        asked = {name: self._by_bytes(value) for name, value in to_json(request).items()}
        return fingerprint([type(request).__name__, asked])[:12]

    def _by_bytes(self, value: Json) -> Json:
        if not isinstance(value, str) or not value.startswith("path:"):
            return value
        path = Path(value.removeprefix("path:"))
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        return [hashed(one) for one in files if one.is_file() and (one == path or one.suffix in COUNTED)]


def hashed(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
