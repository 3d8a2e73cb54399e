"""Where a sound lies: a file, some frames of a file, or some bytes of an uncompressed zip.

The form of the published manifests: ``path``, ``path:start:frames`` (frames of the file's own rate), and
``archive.zip:offset:length`` (bytes; the member is stored, not packed).
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from workbench.contract import MissingResource, UserError

LARGEST = 512 * 1_000_000
"""Bytes of a sound file that is opened at all (our default)."""
_SLICE = re.compile(r"(?P<path>.+?):(?P<start>\d+):(?P<count>\d+)")


@dataclass(frozen=True)
class Place:
    """A file and the part of it that is meant; ``count`` 0 is the whole of it."""

    path: Path
    start: int = 0
    count: int = 0

    @property
    def zipped(self) -> bool:
        """Whether ``start`` and ``count`` are bytes of an archive."""
        return self.path.suffix.lower() == ".zip"


def parse(text: str | Path, root: Path | None = None) -> Place:
    """Read ``path``, ``path:start:frames`` or ``archive.zip:offset:length``; relative paths begin at ``root``.

    ``UserError`` for an empty text or a slice of nothing."""
    shown = str(text)
    if not shown.strip() or "\0" in shown:
        raise UserError(f"{shown!r} names no sound file.", advice="Write path or path:start:frames.")
    found = _SLICE.fullmatch(shown)
    path = Path(found["path"] if found else shown)
    place = Place((root / path) if root else path, int(found["start"]), int(found["count"])) if found else Place(
        (root / path) if root else path)
    if found and place.count == 0:
        raise UserError(f"{shown} is a slice of nothing.", advice="Write path:start:frames with at least one frame.")
    if place.zipped and not found:
        raise UserError(f"{path.name} is an archive, not a sound.",
                        advice=f"Name a part of it as {path.name}:offset:length in bytes.")
    return place


def is_file(path: Path) -> bool:
    """Whether there is a file; a path that no disk can hold (a name of 300 letters) is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def open_file(place: Place) -> Path | BytesIO:
    """What a sound reader opens: the file itself, or the bytes that lie in an archive.

    ``MissingResource`` where there is no file; ``UserError`` for an empty or too large one, or a slice that is not
    wholly in one stored member of its archive."""
    if not is_file(place.path):
        raise MissingResource(f"There is no sound file {str(place.path)[:200]}.",
                              advice="Correct the path or put it there.")
    size = place.path.stat().st_size
    if size == 0:
        raise UserError(f"{place.path.name} is empty (0 bytes).", advice="Record or export it again.")
    if place.zipped:
        return _stored(place)
    if size > LARGEST:
        raise UserError(f"{place.path.name} has {size // 1_000_000} MB; at most {LARGEST // 1_000_000} MB are opened.",
                        advice="Cut it into pieces first.")
    return place.path


def _stored(place: Place) -> BytesIO:
    if place.count > LARGEST:
        raise UserError(f"The slice of {place.path.name} has {place.count // 1_000_000} MB; at most "
                        f"{LARGEST // 1_000_000} MB are opened.", advice="Cut it into pieces first.")
    try:
        with zipfile.ZipFile(place.path) as archive:
            held = [item for item in archive.infolist() if item.header_offset <= place.start
                    < item.header_offset + item.file_size + 30 + 2 * 65535]
            packed = [item.filename for item in held if item.compress_type != zipfile.ZIP_STORED]
            ends = archive.start_dir
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{place.path.name} is no zip archive: {error}.", advice="Make the archive again.") from error
    if place.start + place.count > ends:
        raise UserError(f"{place.path.name} ends before {place.start} + {place.count} bytes.",
                        advice="The manifest belongs to another archive; make it again.")
    if packed and len(packed) == len(held):
        raise UserError(f"{packed[0]} is packed inside {place.path.name}; only stored members can be read in slices.",
                        advice="Make the archive with `zip -0`.")
    with place.path.open("rb") as file:
        file.seek(place.start)
        return BytesIO(file.read(place.count))
