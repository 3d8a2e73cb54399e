"""A zip archive of data files (a ConvoKit corpus, a folder of JSON files): unpacked beside the run, then read.

Only files with a known ending are taken, by their own names, so that no entry can leave the folder; what hides behind
one name twice, too many or too large is refused before a byte is written. Entries of system programs are passed over.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from backends.sweetiechat.importers.reader import ENDINGS
from workbench.contract import UserError

MOST_FILES, MOST_MB = 20_000, 1024
"""Files in an archive, and megabytes of all of them unpacked (our default)."""
MAGIC = b"PK\x03\x04"


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip archive does; a folder is none."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def unpack(path: Path, folder: Path, name: str) -> Path:
    """Unpack the data files of an archive into ``folder``, which is made anew; the folder.

    Raises ``UserError`` for an archive that is broken, locked by a password, too large, without a data file, or with
    two data files of one name.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            chosen = _chosen(archive, name)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for short, item in chosen.items():
                with archive.open(item) as source, (folder / short).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UserError(f"{name} is a zip archive that cannot be unpacked ({error}).",
                        advice="Pack it again without a password, or give the files themselves.") from error
    return folder


def _chosen(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The data files by the names that they get."""
    found: dict[str, zipfile.ZipInfo] = {}
    for item in archive.infolist():
        place = PurePosixPath(item.filename.replace("\\", "/"))
        hidden = place.name.startswith(".") or "__MACOSX" in place.parts
        if item.is_dir() or hidden or place.suffix.lower() not in ENDINGS:
            continue
        if place.name in found:
            raise UserError(f"{name} holds two files named {place.name}.",
                            advice="Import one folder of the archive at a time.")
        found[place.name] = item
    size = sum(item.file_size for item in found.values()) / 2**20
    if not found:
        raise UserError(f"{name} is a zip archive without a data file.",
                        advice=f"It must hold files ending in {', '.join(ENDINGS)}.")
    if len(found) > MOST_FILES or size > MOST_MB:
        raise UserError(f"{name} holds {len(found):,} files of {size:,.0f} MB together; at most {MOST_FILES:,} files "
                        f"and {MOST_MB:,} MB are read.", advice="Import it in parts.")
    return found
