"""The bundled sample as a corpus inside another run: filtered with the default recipe, under the run's checkpoints.

The files of texts are the same to the byte as those of a filtering run over the sample, so an index of one is an index
of the other.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from backends.mdfg.filter_task import run
from backends.mdfg.requests import FilterRequest
from workbench.contract import Context, Json, Model


def sample_of(context: Context) -> Path:
    """Folder of the artifacts of a filtering run over the sample; what is there already is used again."""
    inner = Inner(context, context.run / "checkpoints" / "sample")
    run(FilterRequest(exports=()), inner)
    return inner.run / "artifacts"


class Inner:
    """The context of a task that runs as a part of another one: a folder of its own, and nothing listed."""

    rank, world = 0, 1

    def __init__(self, outer: Context, folder: Path) -> None:
        for name in ("artifacts", "checkpoints"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.run, self.device, self.default_model, self._outer = folder, outer.device, outer.default_model, outer

    def report(self, step: int, total: int, message: str = "") -> None:
        """Tell the outer run, which may be ended here."""
        self._outer.report(0, 0, message)

    def metric(self, step: int, **values: float) -> None:
        """Curves of the part are not those of the whole."""

    def live(self, value: Json) -> None:
        """Nor is what happens in it this second."""

    def artifact(self, name: str, path: Path, kind: str) -> None:
        """Its files are no products of the outer run."""

    def resource(self, reference: str) -> Path:
        """As the outer run has it."""
        return self._outer.resource(reference)

    def model(self, reference: str) -> Model:
        """As the outer run has it."""
        return self._outer.model(reference)

    def generator(self, seed: int) -> random.Random:
        """As the outer run has it."""
        return self._outer.generator(seed)

    def commands(self) -> Sequence[Mapping[str, Json]]:
        """Commands are for the outer run."""
        return ()

    def pause(self, reason: str) -> None:
        """As the outer run has it."""
        self._outer.pause(reason)
