"""Word lists for rule 3: a small one of our own (advertising, gambling, spam), and anybody's file.

A list has one entry a line, ``category<TAB>word`` or just ``word``; ``#`` begins a comment line. The published list of
the paper is not part of this project: its owner gives it by path. No political list is shipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workbench.contract import UserError, unknown

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "corpus" / "words"
NONE, BUNDLED = "none", "bundled:"
LARGEST_MB, MOST = 32, 1_000_000
Resolve = Callable[[str], Path]


@dataclass(frozen=True)
class WordList:
    """Distinct entries in file order with their categories; ``hash`` is of both."""

    name: str
    words: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """blake2b of the entries, 16 hex digits."""
        lines = "\n".join(f"{c}\t{w}" for c, w in zip(self.categories, self.words, strict=True))
        return hashlib.blake2b(lines.encode("utf-8", "replace"), digest_size=8).hexdigest()

    def category(self, entry: int) -> str:
        """Category of an entry; empty where the file gives none."""
        return self.categories[entry]


def load_words(reference: str, resolve: Resolve) -> WordList:
    """``none``, ``bundled:zh``, ``bundled:en``, or a reference that ``resolve`` (``context.resource``) turns to a path.

    Raises ``UserError`` for a file that is no word list, with its line.
    """
    if reference in ("", NONE):
        return WordList(NONE)
    if reference.startswith(BUNDLED):
        known = {path.stem: path for path in sorted(FOLDER.glob("*.txt"))}
        name = reference.removeprefix(BUNDLED)
        if name not in known:
            raise unknown("bundled word list", name, known)
        return read_words(known[name], reference)
    return read_words(resolve(reference), reference)


def read_words(path: Path, name: str = "") -> WordList:
    """Read a file of entries; one that occurs again is taken once, with its first category."""
    called = path.name
    if path.stat().st_size > LARGEST_MB * 2**20:
        raise UserError(f"The word list {called} has {path.stat().st_size / 2**20:.0f} MB; at most {LARGEST_MB} MB are "
                        "read.", advice="Choose a list with one word a line.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"The word list {called} is not UTF-8 text (byte {error.start}).",
                        advice="Save it as UTF-8, one word a line.") from error
    entries: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if "\0" in line:
            raise UserError(f"{called}, line {number}: it is binary, not a word.", advice="Choose a plain text file.")
        category, tab, word = line.rstrip("\r").partition("\t")
        entry = (word if tab else category).strip()
        if entry and not line.startswith("#"):
            entries.setdefault(entry, category.strip() if tab else "")
        if len(entries) > MOST:
            raise UserError(f"The word list {called} has more than {MOST:,} words.", advice="Choose a smaller one.")
    if not entries:
        raise UserError(f"The word list {called} has no word.", advice="Write one word a line, or take words: none.")
    return WordList(name or called, tuple(entries), tuple(entries.values()))
