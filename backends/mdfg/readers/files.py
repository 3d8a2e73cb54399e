"""Which files a source holds, and in which format each is: told by its first bytes, its ending, then its first line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backends.mdfg.readers.jsonl import BOM
from backends.mdfg.readers.tables import SUFFIXES
from workbench.contract import MissingResource, UserError
from workbench.files import Damaged, load_json, whole

Format = Literal["jsonl", "array", "csv", "tsv", "parquet", "arrow"]
ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".pq", ".arrow")
HEAD = 1 << 16
MOST_FILES = 100_000
_NOT_READ = {b"PK\x03\x04": "a zip archive or an Office file", b"\x1f\x8b": "a gzip archive",
             b"\x28\xb5\x2f\xfd": "a zstd archive", b"%PDF": "a PDF", b"SQLite": "a database", b"\x80\x04": "a pickle",
             b"\x80\x05": "a pickle", b"BZh": "a bzip2 archive", b"\xfd7zXZ": "an xz archive", b"\x7fELF": "a program"}


@dataclass(frozen=True)
class Source:
    """One file: where it lies and what it is called in reports (its path inside the source)."""

    path: Path
    name: str


def files_of(root: Path) -> list[Source]:
    """The file itself, or every data file of a folder by name. A folder that HF ``datasets`` saved gives the Arrow
    files that it lists; a folder of several splits gives all of them."""
    if root.is_file():
        return [Source(root, whole(root.name))]
    if not root.is_dir():
        raise MissingResource(f"There is no file or folder {root.name}.", advice="Check the path.")
    listed = _saved(root)
    if listed is None:
        found = [path for path in sorted(root.rglob("*")) if path.suffix.lower() in ENDINGS and path.is_file()
                 and not any(part.startswith((".", "_")) for part in path.relative_to(root).parts)]
        listed = [path for path in found if path.name not in ("dataset_info.json", "state.json", "dataset_dict.json")]
    if not listed:
        raise MissingResource(f"The folder {root.name} holds no data file.",
                              advice=f"It must hold files ending in {', '.join(ENDINGS)}.")
    if len(listed) > MOST_FILES:
        raise UserError(f"The folder {root.name} holds {len(listed):,} files; at most {MOST_FILES:,} are read.",
                        advice="Put them together, or name a folder inside.")
    return [Source(path, whole(path.relative_to(root).as_posix())) for path in listed]


def _saved(root: Path) -> list[Path] | None:
    """Arrow files of a folder that ``save_to_disk`` made; nothing for another folder."""
    splits = _listing(root / "dataset_dict.json").get("splits")
    if isinstance(splits, list):
        return [path for split in splits for path in _saved(root / Path(str(split)).name) or []]
    entries = _listing(root / "state.json").get("_data_files")
    if not isinstance(entries, list):
        return None
    names = [str(entry.get("filename", "")) for entry in entries if isinstance(entry, Mapping)]
    return [root / Path(name).name for name in names if (root / Path(name).name).is_file()]


def _listing(path: Path) -> Mapping[str, object]:
    try:
        value = load_json(path)
    except (OSError, Damaged):
        return {}
    return value if isinstance(value, Mapping) else {}


def format_of(path: Path) -> Format:
    """The format of a file. Raises ``UserError`` for one that cannot be read, saying what it is."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip():
        raise UserError("it is empty", advice="Choose another file.")
    if head.startswith(b"PAR1"):
        return "parquet"
    suffix = path.suffix.lower()
    if head.startswith(b"ARROW1") or (suffix == ".arrow" and head.startswith(b"\xff\xff\xff\xff")):
        return "arrow"
    kind = next((words for magic, words in _NOT_READ.items() if head.startswith(magic)), "")
    if not kind and b"\0" in head:
        kind = f"binary or UTF-16 (byte 0 at position {head.index(0) + 1})"
    if not kind and suffix in (".parquet", ".pq", ".arrow"):
        kind = f"no {suffix[1:]} file, whatever its name says"
    if kind:
        raise UserError(f"it is {kind}, not text or Parquet", advice="Unpack or convert it first.")
    return _text_format(head.removeprefix(BOM).lstrip(), suffix)


def _text_format(head: bytes, suffix: str) -> Format:
    if suffix in SUFFIXES:
        return "csv" if suffix == ".csv" else "tsv"
    line = head.split(b"\n", 1)[0].rstrip()
    if line == b"{" or (head.startswith(b"[") and not line.endswith(b"]")):
        return "array"
    if head.startswith(b"[") and b"\n" not in head.rstrip():
        return "array"
    if suffix in (".jsonl", ".ndjson", ".json") or head.startswith((b"{", b"[")):
        return "jsonl"
    if b"\t" in line:
        return "tsv"
    if b"," in line:
        return "csv"
    raise UserError("it is neither JSON lines nor a table with a header",
                    advice=f"Give the file the ending of its format: {', '.join(ENDINGS)}.")
