"""Where a file lies that a person wants to bring in: on this machine, among what the page took in, or the sample."""

from __future__ import annotations

import re
from pathlib import Path

from backends.sweetiechat.importers.request import SAMPLE
from backends.sweetiechat.library import ASSETS
from workbench.contract import Context, UserError

UPLOAD = re.compile(r"[0-9a-f]{64}")


def place_of(source: str, context: Context) -> Path:
    """The file or folder that a request names; which paths may be read is decided by ``context.resource``."""
    if source == SAMPLE:
        return ASSETS / "sample.esconv.json"
    if UPLOAD.fullmatch(source):
        path = upload_path(source, context.run.parents[1])
        if not path.is_file():
            raise UserError(f"The file {source[:12]}… that was taken in is no longer here.", advice="Import it again.")
        return path
    if not source.startswith("path:"):
        raise UserError(f"source is {source[:80]!r}; it must be path:/folder/file, the sha256 of a file that the page "
                        "took in, or 'sample'.")
    return context.resource(source)


def upload_path(sha256: str, home: Path) -> Path:
    """Where the page keeps a file that a person brought, by the sha256 of its bytes: beside the folder of runs."""
    return home / "uploads" / f"{sha256}.txt"
