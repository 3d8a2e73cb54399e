"""The files of a finished run that a view reads: whether they are there, and when they were last written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.contract import UserError
from workbench.runs import Run


def stamps(run: Run, names: Sequence[str], what: str, advice: str) -> list[int]:
    """When these artifacts of a run were last written, in nanoseconds: what a cache of them is keyed by.

    Raises ``UserError`` naming the first that is gone: the run has no ``what`` to show."""
    try:
        return [(run.path / "artifacts" / name).stat().st_mtime_ns for name in names]
    except OSError as error:
        raise UserError(f"{run.id} has no {what} to show: {Path(error.filename or '').name} is missing.",
                        advice=advice) from error
