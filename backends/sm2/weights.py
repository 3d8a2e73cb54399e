"""The tensors of a safetensors file, or a sentence that says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from workbench.contract import MissingResource, UserError


def read_weights(file: Path) -> dict[str, Tensor]:
    """The tensors of a file. Raises ``MissingResource`` or ``UserError`` naming what is wrong with it."""
    if not file.is_file():
        raise MissingResource(f"The folder {file.parent.name} has no weights.", advice=f"Bring {file.name} too.")
    try:
        weights: dict[str, Tensor] = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{file.name} of {file.parent.name} is damaged ({error}).",
                        advice="Copy the folder again.") from error
    return weights
