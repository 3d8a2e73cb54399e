"""What a decision depends on, as one hash: recipe, word list, scorers, libraries, and the form of our own tables.

Every record and summary names the hash. A shard that was finished under another one, or from a file that has changed
since, is worked on again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from backends.mdfg.recipes import Recipe
from backends.mdfg.words import WordList

FORM = 2
"""Rises when the columns of the tables or the meaning of one change."""
PACKAGES = ("zhconv", "ahocorasick-rs", "rjieba", "pyarrow")
"""Their versions may change a value or a byte of the output."""


def config_hash(recipe: Recipe, words: WordList, scorers: Sequence[str]) -> str:
    """blake2b, 16 hex digits; ``scorers`` are the versions of the scorers."""
    parts = [str(FORM), recipe.hash, words.hash, *scorers, *(f"{name} {_version(name)}" for name in PACKAGES)]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
