"""Read the ``model.bin`` of CTranslate2: named arrays, one after the other, and names that stand for others.

Layout, little-endian (CTranslate2 binary version 4 to 6)::

    uint32 binary version | string specification | uint32 revision | uint32 number of arrays
    for each:  string name | uint8 rank | uint32 x rank shape | uint8 type | uint32 bytes | the bytes
    uint32 number of aliases | for each:  string alias | string name
    string = uint16 length with the closing zero, then the characters

Nothing in such a file is code. Every length is held against the size of the file before anything is read.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from workbench.contract import UserError

Arrays = Mapping[str, "np.ndarray[Any, Any]"]
TYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}
VERSIONS = range(4, 7)
LONGEST_NAME, MOST_DIMENSIONS, MOST_ARRAYS = 512, 8, 100_000


@dataclass(frozen=True)
class Ct2Model:
    """What the file holds. ``arrays`` has every name, aliases too; an alias shares its array."""

    specification: str
    revision: int
    arrays: Arrays

    def number(self, name: str) -> int:
        """A whole number that is stored as an array of no dimensions. ``UserError`` where there is none."""
        if name not in self.arrays or self.arrays[name].size != 1:
            raise UserError(f"model.bin has no number {name}.", advice="It is not a Whisper of CTranslate2.")
        return int(self.arrays[name].reshape(-1)[0])


def read_ct2(path: Path) -> Ct2Model:
    """Read a file whole. Raises ``UserError`` for a file that is no CTranslate2 model or is cut short."""
    if not path.is_file():
        raise UserError(f"There is no file {path}.", advice="Give the path of a model.bin of CTranslate2.")
    with path.open("rb") as file:
        reader = _Reader(file, path.stat().st_size, path.name)
        version = reader.number("<I")
        if version not in VERSIONS:
            raise reader.wrong(f"its binary version is {version}, readable are {VERSIONS[0]} to {VERSIONS[-1]}")
        specification, revision = reader.text(), reader.number("<I")
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        for _ in range(reader.count()):
            name = reader.text()
            arrays[name] = reader.array(name)
        for _ in range(reader.count()):
            alias, name = reader.text(), reader.text()
            if name not in arrays:
                raise reader.wrong(f"{alias} stands for {name}, which is not in it")
            arrays[alias] = arrays[name]
    return Ct2Model(specification, revision, arrays)


class _Reader:
    """One pass over the file; knows how much of it is left."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self._file, self._size, self._name = file, size, name

    def wrong(self, why: str) -> UserError:
        return UserError(f"{self._name} cannot be read as a CTranslate2 model: {why}.",
                         advice="The file may be damaged or of another kind; fetch it again.")

    def take(self, size: int) -> bytes:
        here = self._file.tell()
        if size > self._size - here:
            raise self.wrong(f"at byte {here} it promises {size} more and has {self._size - here}")
        return self._file.read(size)

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def count(self) -> int:
        found = self.number("<I")
        if found > MOST_ARRAYS:
            raise self.wrong(f"it claims {found} entries")
        return found

    def text(self) -> str:
        length = self.number("<H")
        if not 0 < length <= LONGEST_NAME:
            raise self.wrong(f"a name has {length} characters")
        try:
            return self.take(length).rstrip(b"\0").decode("ascii")
        except UnicodeDecodeError:
            raise self.wrong("a name is not plain text") from None

    def array(self, name: str) -> np.ndarray[Any, Any]:
        rank = self.number("<B")
        if rank > MOST_DIMENSIONS:
            raise self.wrong(f"{name} has {rank} dimensions")
        shape = tuple(self.number("<I") for _ in range(rank))
        kind, size = self.number("<B"), self.number("<I")
        if kind not in TYPES:
            raise self.wrong(f"{name} has the type {kind}, readable are {', '.join(map(str, TYPES))}")
        if math.prod(shape) * np.dtype(TYPES[kind]).itemsize != size:
            raise self.wrong(f"{name} has the shape {shape} and {size} bytes")
        return np.frombuffer(self.take(size), dtype=TYPES[kind]).reshape(shape)
