"""The words of every prompt and the phrase rules of one language: a view of ``assets/dialogue/prompts.<lang>.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.objects import Language, Role
from workbench.contract import Json

SMALL_MODEL = 1_000_000_000
"""Below this many weights a model gets the short wording and its reply's first words (our default)."""


@dataclass(frozen=True)
class Voice:
    """How to speak to a model: as a chat or as a script (base models), and in short or in full words. A ``trained``
    agent has its own text (:mod:`agent`)."""

    chat: bool = True
    small: bool = False
    prefill: bool = True
    trained: bool = False


def voice_of(card: Mapping[str, Json]) -> Voice:
    """The voice for a model of this card. Unknown sizes count as large; a server cannot be given first words."""
    parameters = card.get("parameters") or 0
    endpoint = str(card.get("reference", "")).startswith("endpoint:")
    chat = card.get("kind", "chat") != "base"
    return Voice(chat=chat, small=not endpoint and (not chat or 0 < parameters < SMALL_MODEL), prefill=not endpoint)


@dataclass(frozen=True)
class Wording:
    """The file as read, with its patterns at hand. ``part(role)`` is the section of one role."""

    language: Language
    version: str
    table: Mapping[str, Json]
    maps: Mapping[str, str]

    def near(self, key: str) -> str:
        """The strategy of the first set that a bundled strategy is nearest to; any other key as it is."""
        return self.maps.get(key, key)

    def part(self, role: Role | str) -> Mapping[str, Json]:
        """The section of a role, or ``rules``."""
        section: Mapping[str, Json] = self.table[role]
        return section

    def speaker(self, role: Role) -> str:
        """How a role is called in a transcript."""
        return str(self.table["speakers"][role])

    def pattern(self, *path: str) -> re.Pattern[str]:
        """A rule of the file as a compiled pattern that ignores case."""
        value: Json = self.table
        for name in path:
            value = value[name]
        return re.compile(value, re.IGNORECASE | re.MULTILINE)

    def beginning(self, text: str, what: str) -> str:
        """The first few words (characters in Chinese) of a text, as many as ``starts`` says for ``what``."""
        count, text = int(self.table["starts"][what]), text.strip()
        if self.table["start_unit"] == "character":
            return re.sub(r"[\s，。！？；、：]+$", "", text[:count])
        words = text.split()
        return text if len(words) <= count + 1 else " ".join(words[:count]).rstrip(",;:")


def load_wording(language: Language, folder: Path = ASSETS) -> Wording:
    """Read the prompts of one language."""
    table = yaml.safe_load((folder / f"prompts.{language}.yaml").read_text(encoding="utf-8"))
    tables = yaml.safe_load((folder / "strategies" / "mappings.yaml").read_text(encoding="utf-8"))["maps"]
    maps = {source: target for pairs in tables.values() for source, target in pairs.items()}
    return Wording(language, str(table["version"]), table, maps)
