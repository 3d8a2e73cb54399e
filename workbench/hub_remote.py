"""Models from elsewhere: the Hugging Face hub (and its local cache), and servers that speak the OpenAI API.

The cache is read by its documented layout (``models--ORG--NAME/refs/REVISION`` and ``snapshots/COMMIT``), so
that asking what is here costs no import. Fetching is done by a child process that can be cancelled at once:
``python -m workbench.hub_remote NAME REVISION CODE``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from workbench.contract import MissingResource, UserError
from workbench.hub_cards import Reference
from workbench.hub_files import Say, run_child
from workbench.hub_local import check_weights
from workbench.hub_package import child_path
from workbench.settings import Settings, is_loopback

MODEL_FILES = ("*.safetensors", "*.json", "*.model", "*.jinja", "*.txt", "*.tiktoken", "README.md", "LICENSE*")
DATA_FILES = ("*.parquet", "*.json", "*.jsonl", "*.csv", "*.tsv", "*.txt", "*.gz", "*.zst", "README.md", "LICENSE*")
SKIPPED = ("onnx/*", "openvino/*", "original/*", "*.bin", "*.pt", "*.pth", "*.pkl")


def is_offline(settings: Settings) -> bool:
    """Whether the hub must not be asked: by our setting or by huggingface_hub's own variable."""
    return settings.offline or os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def cache_folder() -> Path:
    """huggingface_hub's cache, by its own variables, so that models that are here already are used."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def cached(reference: Reference) -> Path | None:
    """The snapshot of a hub reference in the local cache, or ``None`` where it is absent or incomplete."""
    is_data = reference.name.startswith("datasets/")
    name = reference.name.removeprefix("datasets/").replace("/", "--")
    base = cache_folder() / f"{'datasets' if is_data else 'models'}--{name}"
    revision = reference.revision or "main"
    try:
        commit = (base / "refs" / revision).read_text(encoding="utf-8").strip()
    except OSError:
        commit = revision
    snapshot = base / "snapshots" / commit
    if not snapshot.is_dir():
        return None
    return snapshot if _complete(snapshot, is_data) else None


def _complete(snapshot: Path, is_data: bool) -> bool:
    """Whether a snapshot has what it needs: huggingface_hub also leaves snapshots of single files behind."""
    if is_data:
        return any(path.is_file() and path.name not in ("README.md", ".gitattributes")
                   for path in snapshot.rglob("*"))
    index = snapshot / "model.safetensors.index.json"
    if not (snapshot / "config.json").is_file():
        return False
    if not index.is_file():
        return any(path.exists() for path in snapshot.glob("*.safetensors"))
    try:
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    return all((snapshot / shard).exists() for shard in shards)


def fetch(reference: Reference, settings: Settings, say: Say) -> Path:
    """The local snapshot of a hub reference, downloaded when it is not here.

    Raises ``MissingResource`` when offline or unreachable, ``UserError`` when the hub knows no such name."""
    here = cached(reference)
    if here:
        return here
    command = f"python3 launch.py models --fetch {reference}"
    if is_offline(settings):
        raise MissingResource(f"{reference} is not on this machine and the workbench is offline.",
                              advice=f"With a network: {command}. The cache is {cache_folder()}; "
                                     "its folder can be copied from another machine.")
    began = time.monotonic()

    def progress(_: Sequence[str]) -> None:
        say(f"fetching {reference} ({time.monotonic() - began:.0f} s)")

    ended = run_child((sys.executable, "-m", "workbench.hub_remote", reference.name, reference.revision,
                       "code" if settings.trust_remote_code else ""), progress,
                      {**child_path(), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"})
    try:
        answer = json.loads(ended.last)
    except ValueError:
        answer = {"error": "network", "text": ended.last or f"the child ended with code {ended.code}"}
    if "path" in answer:
        path = Path(answer["path"])
        check_weights(path)
        return path
    raise _refusal(reference, str(answer.get("error")), str(answer.get("text"))[:300], command)


def _refusal(reference: Reference, kind: str, text: str, command: str) -> UserError:
    if kind == "gated":
        return UserError(f"{reference} must be asked for on its hub page: {text}",
                         advice=f"Accept its terms there, log in with `hf auth login`, then {command}.")
    if kind == "unknown":
        return UserError(f"The hub has no {reference}: {text}", advice="Check ORG/NAME and the revision.")
    if kind == "full":
        return UserError(f"The disk is full: {reference} could not be stored in {cache_folder()}.",
                         advice="Free some space, or set HF_HOME to a folder on another disk.")
    return MissingResource(f"{reference} is not on this machine and the hub cannot be reached: {text}",
                           advice=f"Check the network, then {command}.")


def check_endpoint(reference: Reference, settings: Settings) -> tuple[str, str]:
    """Base address and model name of an ``endpoint:`` reference, if this server may talk to it.

    A page that only this machine reaches may use any; otherwise only the listed ``endpoints``, because a
    visitor could else send requests from inside the server's network."""
    base = reference.name
    if not settings.loopback and base not in {url.rstrip("/") for url in settings.endpoints}:
        allowed = ", ".join(settings.endpoints) or "none"
        raise UserError(f"{base} is not among the model servers this workbench may use (allowed: {allowed}).",
                        advice="Whoever runs the server can add it to endpoints in settings.toml.")
    if settings.offline and not is_loopback(urlsplit(base).hostname or ""):
        raise MissingResource(f"{base} is on another machine and the workbench is offline.",
                              advice="Use a model server on this machine, or start without --offline.")
    return base, reference.revision


def main(arguments: Sequence[str]) -> int:
    """Child: download one snapshot and print one JSON line, ``{"path"}`` or ``{"error", "text"}``."""
    from huggingface_hub import errors, snapshot_download

    name, revision, code = arguments
    is_data = name.startswith("datasets/")
    patterns = [*(DATA_FILES if is_data else MODEL_FILES), *(["*.py"] if code else [])]
    try:
        path = snapshot_download(
            name.removeprefix("datasets/"), repo_type="dataset" if is_data else "model",
            revision=revision or None, allow_patterns=patterns, ignore_patterns=list(SKIPPED))
    except errors.GatedRepoError as error:
        answer = {"error": "gated", "text": _first_line(error)}
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError) as error:
        answer = {"error": "unknown", "text": _first_line(error)}
    except OSError as error:  # also every connection error of the HTTP libraries in use
        answer = {"error": "full" if error.errno == 28 else "network", "text": _first_line(error)}
    except Exception as error:  # a child's last word must be JSON, whatever its library raised
        answer = {"error": "network", "text": f"{type(error).__name__}: {_first_line(error)}"}
    else:
        answer = {"path": path}
    print(json.dumps(answer))
    return 0


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
