"""What this machine has, found out without torch: accelerators, memory, processors, and the record of them."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

import psutil

from workbench.contract import Json
from workbench.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
_DEVICES = Path("/dev")


def gpus(settings: Settings) -> tuple[str, ...]:
    """Indices of the CUDA devices that the settings let us use, e.g. ``("0", "1")``."""
    if settings.device == "cpu":
        return ()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        found = [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    else:
        nodes = (re.fullmatch(r"nvidia(\d+)", path.name) for path in _DEVICES.glob("nvidia*"))
        found = sorted((node.group(1) for node in nodes if node), key=int)
    if ":" in settings.device:
        wanted = int(settings.device.partition(":")[2])
        return tuple(found[wanted:wanted + 1])
    return tuple(found)


def device_name(settings: Settings) -> str:
    """The device as the status strip shows it: ``cpu`` or ``cuda x2``."""
    count = len(gpus(settings))
    return "cpu" if count == 0 else "cuda" if count == 1 else f"cuda x{count}"


def memory_mb() -> tuple[float, float]:
    """Memory in use by anybody and in all, in MB (10^6 bytes)."""
    memory = psutil.virtual_memory()
    return (memory.total - memory.available) / 1e6, memory.total / 1e6


def environment(device: str, slots: Sequence[str]) -> dict[str, Json]:
    """The provenance record of a run: code, python, platform, device, threads and every package version."""
    commit, dirty = _commit()
    return {"commit": commit, "dirty": dirty, "python": platform.python_version(), "implementation":
            platform.python_implementation(), "platform": platform.platform(), "machine": platform.machine(),
            "processors": os.cpu_count(), "device": device, "slots": list(slots),
            "threads": os.environ.get("OMP_NUM_THREADS", ""), "argv": sys.argv, "packages": packages()}


def packages() -> dict[str, str]:
    """Version by name of every installed package, read from the names of their ``.dist-info`` folders."""
    found = {}
    for entry in distributions():
        folder = getattr(entry, "_path", None)
        name, _, version = Path(str(folder)).name.removesuffix(".dist-info").partition("-")
        if name and version:
            found[name] = version
    return dict(sorted(found.items()))


def _commit() -> tuple[str, str]:
    """The commit of the code and, when the tree differs from it, a hash of the difference."""
    if not (ROOT / ".git").exists():
        return "", ""
    commit = _git("rev-parse", "HEAD").strip()
    changes = _git("status", "--porcelain") + _git("diff", "HEAD") if commit else ""
    if not changes.strip():
        return commit, ""
    import hashlib

    return commit, hashlib.sha256(changes.encode("utf-8", "replace")).hexdigest()[:16]


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", "--no-optional-locks", "-C", str(ROOT), *arguments], capture_output=True,
                              text=True, errors="replace", timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""
