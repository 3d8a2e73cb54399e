"""Problem topics and feelings as files spell them -> our ids and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from backends.sweetiechat.exchange import bare
from backends.sweetiechat.objects import Language

TABLE = Path(__file__).with_name("topics.yaml")
UNKNOWN: Mapping[str, str] = {"en": "unknown", "zh": "未知"}
"""The feeling of a dialogue whose file names none."""


@cache
def _topics() -> Mapping[str, str]:
    tables = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return {spelling: key for name in ("esconv", "extes") for key, spellings in tables[name].items()
            for spelling in spellings}


def problem_id(topic: str) -> str:
    """The id of a problem type: a bundled one where the topic is known, else made from its words; ``unknown`` for
    an empty topic."""
    known = _topics().get(bare(topic))
    return known or re.sub(r"\W+", "-", topic.strip().casefold()).strip("-")[:60] or "unknown"


def feeling(emotion: str, language: Language) -> str:
    """The feeling in lower case, cut to the sixty characters that a scenario holds."""
    return emotion.strip().casefold()[:60] or UNKNOWN[language]
