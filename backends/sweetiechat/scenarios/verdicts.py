"""What every rule about a generated text needs: patterns, lengths, sentences, and the crisis screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from backends.sweetiechat.crisis import CrisisRules, load_rules
from backends.sweetiechat.objects import Language
from backends.sweetiechat.quality.verdict import Verdict

TABLE = Path(__file__).with_name("rules.yaml")
SHORT = {"en": 15, "zh": 30}
RUN = {"en": (3, 4, 3), "zh": (4, 7, 4)}
"""Words (characters) of a short text; the length of a run that may not stand twice in a short and in a longer one, and
how many equal ones in a row are too many ("家里里里外外" is good Chinese)."""
_SENTENCE = re.compile(r"[^.!?。！？…]*\w[^.!?。！？…]*(?:[.!?。！？…]+[\"'”’)]*|$)")
_PIECES = {"en": re.compile(r"\w+(?:['’]\w+)*"), "zh": re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+")}


@dataclass(frozen=True)
class Words:
    """The patterns of one language, compiled, with the crisis phrases of both."""

    language: Language
    not_allowed: re.Pattern[str]
    solution: tuple[re.Pattern[str], ...]
    placeholder: re.Pattern[str]
    role_label: re.Pattern[str]
    first_person: re.Pattern[str]
    advice_name: re.Pattern[str]
    crisis: CrisisRules

    def pieces(self, text: str) -> list[str]:
        """Words of a text in lower case (characters in Chinese)."""
        return _PIECES[self.language].findall(text.lower())


@cache
def load_words(language: Language) -> Words:
    """The patterns of a language; read once, never changed."""
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))

    def compiled(pattern: str) -> re.Pattern[str]:
        return re.compile(pattern, re.IGNORECASE)
    return Words(language, compiled(table["not_allowed"][language]),
                 tuple(compiled(pattern) for pattern in table["solution"][language]), compiled(table["placeholder"]),
                 compiled(table["role_label"]), compiled(table["first_person"][language]),
                 compiled(table["advice_name"][language]), load_rules())


def sentences(text: str) -> list[str]:
    """The sentences of a text, without those that have no word."""
    return [found.strip() for found in _SENTENCE.findall(text) if found.strip()]


def bounded(rule: str, what: str, count: int, low: int, high: int, unit: str) -> Verdict:
    """Whether a count lies in its bounds."""
    return Verdict(rule, low <= count <= high, count, f"{what} has {count} {unit}; {low} to {high} are allowed")


def repeats(pieces: Sequence[str], size: int, row: int) -> str:
    """A run of ``size`` pieces that stands twice in a text, or a piece ``row`` times in a row; empty for none."""
    runs = Counter(tuple(pieces[i:i + size]) for i in range(len(pieces) - size + 1))
    twice = next((" ".join(run) for run, count in runs.items() if count > 1), "")
    return twice or next((pieces[i] for i in range(len(pieces) - row + 1) if len(set(pieces[i:i + row])) == 1), "")


def clean_form(words: Words, texts: Mapping[str, str]) -> Verdict:
    """No placeholder, no label of a role or field, no run of words twice. Value: what was found where."""
    found = []
    for name, text in texts.items():
        for pattern in (words.placeholder, words.role_label):
            if match := pattern.search(text):
                found.append(f"{name}: {match[0].strip()!r}")
        pieces = words.pieces(text)
        short, long, row = RUN[words.language]
        if run := repeats(pieces, short if len(pieces) <= SHORT[words.language] else long, row):
            found.append(f"{name}: {run!r} twice")
    return Verdict("form", not found, found, "; ".join(found) or "the form is right")


def safe(words: Words, texts: Mapping[str, str]) -> Verdict:
    """No sign of a crisis and no kind of problem that a support chat is not for. Value: what was found where."""
    found = [f"{name}: {phrase}" for name, text in texts.items() for phrase in words.crisis.found(text)]
    found += [f"{name}: {match[0]}" for name, text in texts.items() if (match := words.not_allowed.search(text))]
    return Verdict("safety", not found, found, f"not for a support chat: {'; '.join(found)}" if found else "safe")


def no_solution(words: Words, texts: Mapping[str, str]) -> Verdict:
    """No advice, cure or happy end. Value: what was found where."""
    found = [f"{name}: {match[0]}" for name, text in texts.items() for pattern in words.solution
             if (match := pattern.search(text.replace("’", "'")))]
    return Verdict("no_solution", not found, found,
                   f"it contains a solution: {'; '.join(found)}" if found else "it contains no solution")


def passed(verdicts: Sequence[Verdict]) -> bool:
    """Whether no rule failed; one that could not be checked does not fail."""
    return all(verdict.passed is not False for verdict in verdicts)
