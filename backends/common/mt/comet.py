"""COMET through its own program ``comet-score`` (package unbabel-comet), which needs an environment of its own.

unbabel-comet 2.2 wants transformers 4 and numpy 1, so it cannot live beside this workbench: it is found on PATH, run as
a child process, and its memory is given back with it. Source, translation and one reference go in as files, segment
scores come out (here in percent). A COMET checkpoint is a pickle; before it is handed over, the names in it are read
without running anything, and one that is no plain container of weights is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.contract import MissingResource, UserError

PROGRAM = "comet-score"
VERSION = "2.2.7"
"""The version that this was written for."""
INSTALL = f"pipx install unbabel-comet=={VERSION}"
HARMLESS = ("argparse.", "collections.", "numpy.", "torch.", "pytorch_lightning.", "lightning.", "lightning_fabric.",
            "omegaconf.", "pathlib.")
"""Where the names in a checkpoint may come from."""
BATCH = 16
POLL_S = 0.2
ERROR_LINES = 6
_ENDS = re.compile(r"[\r\n]+")
Tick = Callable[[], None]


@dataclass(frozen=True)
class Model:
    """A COMET checkpoint: its file, the name of its folder, and the first digits of its sha256."""

    checkpoint: Path
    name: str
    digest: str


def program() -> Path:
    """Where ``comet-score`` is. Raises ``MissingResource`` with the command that brings it."""
    found = shutil.which(PROGRAM) or shutil.which(PROGRAM, path=str(Path(sys.executable).parent))
    if not found:
        raise MissingResource("COMET needs the program comet-score, which is not on PATH.",
                              advice=f"It wants an environment of its own: {INSTALL}, then start the workbench again.")
    return Path(found)


def version(script: Path) -> str:
    """The version of unbabel-comet that a ``comet-score`` belongs to, or "unknown"."""
    root = script.resolve().parent.parent
    found = sorted(root.glob("lib/python3*/site-packages/unbabel_comet-*.dist-info"))
    return found[-1].name.removesuffix(".dist-info").split("-", 1)[1] if found else "unknown"


def open_model(path: Path, tick: Tick) -> Model:
    """The checkpoint of a model folder as COMET publishes it (``checkpoints/*.ckpt`` beside ``hparams.yaml``).

    Raises ``MissingResource`` where there is none, ``UserError`` for one that holds more than weights."""
    files = [path] if path.suffix == ".ckpt" else sorted(path.glob("checkpoints/*.ckpt")) if path.is_dir() else []
    if not files or not files[0].is_file() or not (files[0].parents[1] / "hparams.yaml").is_file():
        raise MissingResource(f"{path.name} is no COMET model: it needs checkpoints/model.ckpt and hparams.yaml.",
                              advice="Bring one with: huggingface-cli download Unbabel/wmt22-comet-da --local-dir "
                              "wmt22-comet-da, then name path:/.../wmt22-comet-da.")
    names = strangers(files[0])
    if names:
        raise UserError(f"The checkpoint in {path.name} holds {', '.join(names[:5])}, which is more than weights and "
                        "could run any code when it is read.", advice="Take the model from its publisher again.")
    digest = hashlib.sha256()
    with files[0].open("rb") as file:
        while block := file.read(1 << 24):
            digest.update(block)
            tick()
    return Model(files[0], files[0].parents[1].name, digest.hexdigest()[:12])


def strangers(checkpoint: Path) -> list[str]:
    """Names in a checkpoint that no container of weights needs; nothing of it is run."""
    from torch.serialization import get_unsafe_globals_in_checkpoint

    try:
        named: list[str] = get_unsafe_globals_in_checkpoint(checkpoint)
    except Exception as error:  # an old, cut or foreign file fails in many ways
        raise UserError(f"{checkpoint.name} is no checkpoint that can be read ({str(error)[:120]}).",
                        advice="Bring the model again; the file may be cut short.") from error
    return sorted(name for name in named if not name.startswith(HARMLESS))


def comet(script: Path, model: Model, systems: Mapping[str, Sequence[str]], source: Sequence[str],
          reference: Sequence[str], device: str, tick: Tick) -> dict[str, list[float]]:
    """Segment scores in percent of every system; one run of the program for all. ``tick`` may end it by raising."""
    with tempfile.TemporaryDirectory(prefix="comet") as name:
        folder = Path(name)
        _lines(folder / "source.txt", source)
        _lines(folder / "reference.txt", reference)
        files = [f"{number}.txt" for number in range(len(systems))]
        for file, lines in zip(files, systems.values(), strict=True):
            _lines(folder / file, lines)
        command = [str(script), "-s", "source.txt", "-t", *files, "-r", "reference.txt", "--model",
                   str(model.checkpoint.resolve()), "--to_json", "scores.json", "--gpus", str(int(device != "cpu")),
                   "--batch_size", str(BATCH), "--only_system", "--quiet"]
        _run(command, folder, tick)
        return dict(zip(systems, _scores(folder / "scores.json", files, len(source)), strict=True))


def _lines(path: Path, segments: Sequence[str]) -> None:
    """One segment a line: a line end inside a segment becomes a space."""
    path.write_text("".join(_ENDS.sub(" ", segment) + "\n" for segment in segments), encoding="utf-8")


def _run(command: Sequence[str], folder: Path, tick: Tick) -> None:
    """Run the program to its end; whatever interrupts the wait ends it with all its children."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    with (folder / "errors.txt").open("wb") as errors:
        child = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=errors, env=environment, start_new_session=True)
        try:
            while True:
                try:
                    code = child.wait(POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    tick()
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
    if code:
        told = (folder / "errors.txt").read_text(encoding="utf-8", errors="replace").strip().split("\n")
        raise UserError(f"comet-score ended with {code}: {' / '.join(told[-ERROR_LINES:])[:600]}",
                        advice="If it misses the tokenizer of its encoder, run comet-score once by hand while online.")


def _scores(path: Path, files: Sequence[str], size: int) -> list[list[float]]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        found = [[100 * float(row["COMET"]) for row in told[file]] for file in files]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"What comet-score wrote cannot be read ({error}).",
                        advice=f"Version {VERSION} is known to work: {INSTALL}.") from error
    if any(len(scores) != size for scores in found):
        raise UserError(f"comet-score gave {', '.join(str(len(s)) for s in found)} scores for {size} segments.")
    return found
