"""When somebody says that they may be in danger: stop the play and show where help is.

Phrase rules in English and Chinese and the resource texts are in ``assets/dialogue/crisis.yaml``, with the sentences
that must and must not trigger them. This is a plain net, not a clinical instrument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from backends.sweetiechat.library import ASSETS


@dataclass(frozen=True)
class CrisisRules:
    """Compiled phrases of both languages (people mix them) and the resources for each."""

    phrases: tuple[re.Pattern[str], ...]
    resources: Mapping[str, tuple[str, ...]]

    def found(self, text: str) -> tuple[str, ...]:
        """The phrases of the rules in a text; empty when there is no sign of a crisis."""
        return tuple(match.group(0) for pattern in self.phrases if (match := pattern.search(text)))


def load_rules(folder: Path = ASSETS) -> CrisisRules:
    """Read the bundled rules."""
    table = yaml.safe_load((folder / "crisis.yaml").read_text(encoding="utf-8"))
    patterns = [*table["phrases_en"], *table["phrases_zh"]]
    return CrisisRules(tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns),
                       {"en": tuple(table["resources_en"]), "zh": tuple(table["resources_zh"])})
