"""Checkpoints that a kill cannot halve: a folder gets its name only when every file in it is on the disk.

``step-00000120/`` holds ``weights.safetensors`` (trained parameters), ``optimizer.safetensors`` (both moments of Adam
and its step count for each), ``state.json`` (steps done, the fingerprint of the plan, the best evaluation so far,
running figures) and perhaps ``best.safetensors``. Nothing random is saved because everything random is a function of
(seed, step). The schedule is one too, so the step is all there is to save of it, and of the position in the data.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from workbench.contract import Json, UserError

NAME = "step-{:08d}"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")
FULL = (28, 122)
"""errno of a full disk and of a spent quota."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint as read. ``state["step"]`` optimizer steps were done."""

    path: Path
    weights: dict[str, torch.Tensor]
    optimizer: dict[str, torch.Tensor]
    state: dict[str, Json]
    best: dict[str, torch.Tensor] = field(default_factory=dict)


def fingerprint(value: Json) -> str:
    """The first 16 hex digits of the sha256 of a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save(folder: Path, weights: Mapping[str, torch.Tensor], optimizer: Mapping[str, torch.Tensor],
         state: Mapping[str, Json], best: Mapping[str, torch.Tensor], keep: int = 2) -> Path:
    """Write a checkpoint of ``state["step"]`` and drop all but the newest ``keep``.

    Raises ``UserError`` when the disk is full; earlier checkpoints are then intact."""
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / NAME.format(state["step"])
    part = folder / f".{out.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir()
        for name, tensors in (("weights", weights), ("optimizer", optimizer), ("best", best)):
            if tensors:
                save_file(dict(tensors), part / f"{name}.safetensors")
        (part / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        for path in part.iterdir():
            _sync(path)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        if error.errno in FULL:
            raise UserError(f"The disk is full: the checkpoint of step {state['step']} could not be written.",
                            advice="Earlier checkpoints are intact. Free some space and continue the run.") from error
        raise
    shutil.rmtree(out, ignore_errors=True)
    part.replace(out)
    _sync(folder)
    for old in steps(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return out


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def steps(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    found = [path for path in folder.glob("step-*") if re.fullmatch(r"step-\d{8}", path.name)]
    return sorted(found)


def latest(folder: Path, plan: str) -> Saved | None:
    """The newest checkpoint that can be read, or ``None``; one that is damaged is passed over for the one before.

    Raises ``UserError`` when it belongs to another plan (``plan`` is the fingerprint of this one)."""
    for path in reversed(steps(folder)):
        saved = _read(path)
        if saved is None:
            continue
        if saved.state.get("plan") != plan:
            raise UserError(f"The checkpoint {path.name} belongs to other settings or other data than this run now "
                            "has, so going on would mix the two.", advice="Start a new run.")
        return saved
    return None


def _read(path: Path) -> Saved | None:
    try:
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        weights, optimizer = (load_file(path / f"{name}.safetensors") for name in ("weights", "optimizer"))
        best = load_file(path / "best.safetensors") if (path / "best.safetensors").is_file() else {}
        return Saved(path, weights, optimizer, {**state, "step": int(state["step"])}, best)
    except Exception:  # a damaged file fails in as many ways as there are bytes; the checkpoint before is used
        return None


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: Mapping[int, str]) -> dict[str, torch.Tensor]:
    """Adam's state as ``"<parameter>|<moment>"``; ``names`` gives the name of each parameter by ``id``."""
    found = {}
    for parameter, values in optimizer.state.items():
        for moment in MOMENTS:
            found[f"{names[id(parameter)]}|{moment}"] = values[moment].detach().to("cpu", copy=True).contiguous()
    return found


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor],
                      parameters: Mapping[str, Any]) -> None:
    """The inverse of :func:`optimizer_tensors`. A step count stays on the processor, as torch keeps it."""
    for name, parameter in parameters.items():
        values = {moment: tensors[f"{name}|{moment}"] for moment in MOMENTS if f"{name}|{moment}" in tensors}
        if values:
            optimizer.state[parameter] = {moment: value if moment == "step" else value.to(parameter.device)
                                          for moment, value in values.items()}
