"""Strategy labels as files spell them -> keys of a strategy set; a label that is not in the table is an error.

The table is ``assets/dialogue/labels.yaml``. One cell may hold several labels ("Affirmation, Offer Hope") and an
abbreviation ("Reflective Statements (RS)"); it counts only when every part is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from backends.sweetiechat.exchange import bare, label_table
from backends.sweetiechat.library import choose_strategies, strategy_sets
from backends.sweetiechat.objects import StrategySet
from workbench.contract import UserError, unknown

_PARTS = re.compile(r"\s*[,;|+，；、]\s*")
_AND = re.compile(r"\s+(?:and|&)\s+")
_ABBREVIATION = re.compile(r"\s*[(（][^()（）]{1,12}[)）]\s*$")


@dataclass(frozen=True)
class Labels:
    """The normaliser of one strategy set."""

    strategies: StrategySet
    table: Mapping[str, str]

    def keys(self, label: str) -> tuple[str, ...]:
        """The keys that a cell names, in order; none for an empty cell. Raises ``UserError`` for an unknown label."""
        if not label.strip():
            return ()
        if (whole := self.key(label)) is not None:
            return (whole,)
        parts = [piece for part in _PARTS.split(label) if part
                 for piece in ([part] if self.key(part) is not None else _AND.split(part))]
        found = [self.key(part) for part in parts]
        missing = [part for part, key in zip(parts, found, strict=True) if key is None]
        if missing:
            raise UserError(f"the strategy label {missing[0][:60]!r} is not known in the set {self.strategies.name}",
                            advice="Add it to assets/dialogue/labels.yaml under the strategy that it means.")
        return tuple(key for key in found if key is not None)

    def key(self, label: str) -> str | None:
        """The key of one label, or nothing when the table does not have it."""
        return self.table.get(bare(label)) or self.table.get(bare(_ABBREVIATION.sub("", label)))

    def knows(self, label: str) -> bool:
        """Whether every part of a cell is in the table."""
        try:
            self.keys(label)
        except UserError:
            return False
        return True


@cache
def normalisers() -> Normalisers:
    """The normalisers of all bundled sets; read once, never changed."""
    return Normalisers()


class Normalisers:
    """The normalisers of all bundled sets."""

    def __init__(self) -> None:
        self._known = {name: Labels(choose_strategies(name), label_table(name)) for name in strategy_sets()}

    def of(self, name: str) -> Labels:
        """The normaliser of a bundled set. Raises ``UserError`` for another name."""
        if name not in self._known:
            raise unknown("strategy set", name, self._known)
        return self._known[name]

    def fitting(self, labels: Iterable[str]) -> Labels:
        """The first set (the default one comes first) that knows all of these labels; else the first set, whose
        :meth:`Labels.keys` then names the unknown one."""
        wanted = list(dict.fromkeys(labels))
        sets = list(self._known.values())
        return next((found for found in sets if all(found.knows(label) for label in wanted)), sets[0])
