"""Texts that read like documents, put together from topics written for this project (``assets/corpus/library.*.yaml``).

A topic has a domain, titles and lines in order. A line is a sentence in which ``{a|b}`` is one of the choices,
``{#3-9}`` a number and ``{@place}`` a word of the file's tables. A document takes the first and the last line of its
topic and some of those between, so two documents of a topic are about the same thing in other words.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from backends.mdfg.domain import LABELS
from workbench.contract import UserError

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "corpus"
LANGUAGES = ("zh", "en")
FEWEST, MOST = 8, 12
"""Lines that a document has (our default); fewer where its topic has fewer."""
PARAGRAPH = (2, 4)
_SLOT = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"#(\d+)-(\d+)")


@dataclass(frozen=True)
class Topic:
    """What documents can be written about: a domain, titles, and at least three lines."""

    domain: str
    name: str
    titles: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """A document, its title and its topic."""

    text: str
    title: str
    topic: Topic


@dataclass(frozen=True)
class Library:
    """The topics of a language and the words that its slots may name."""

    language: str
    topics: tuple[Topic, ...]
    tables: Mapping[str, tuple[str, ...]]

    def write(self, topic: Topic, draw: random.Random) -> Written:
        """A new document about a topic, in paragraphs of two to four sentences."""
        inner = range(1, len(topic.lines) - 1)
        count = min(len(inner), draw.randint(FEWEST, MOST) - 2)
        chosen = [0, *sorted(draw.sample(inner, count)), len(topic.lines) - 1]
        sentences = [self.fill(topic.lines[place], draw) for place in chosen]
        return Written(self._paragraphs(sentences, draw), draw.choice(topic.titles), topic)

    def write_on(self, written: Written, draw: random.Random) -> Written:
        """The document, followed by one about another topic of its domain where there is one."""
        others = [topic for topic in self.topics if topic.domain == written.topic.domain and topic != written.topic]
        if not others:
            return written
        return replace(written, text=f"{written.text}\n{self.write(draw.choice(others), draw).text}")

    def _paragraphs(self, sentences: list[str], draw: random.Random) -> str:
        gap, paragraphs = "" if self.language == "zh" else " ", []
        while sentences:
            size = draw.randint(*PARAGRAPH)
            paragraphs.append(gap.join(sentences[:size]))
            sentences = sentences[size:]
        return "\n".join(paragraphs)

    def fill(self, line: str, draw: random.Random) -> str:
        """The line with every slot filled, inner ones first. Raises ``UserError`` for a table that there is not."""
        while _SLOT.search(line):
            line = _SLOT.sub(lambda match: self._choice(match[1], draw), line)
        return line

    def _choice(self, slot: str, draw: random.Random) -> str:
        if number := _NUMBER.fullmatch(slot):
            return str(draw.randint(int(number[1]), int(number[2])))
        if slot.startswith("@"):
            if slot[1:] not in self.tables:
                raise UserError(f"There is no table {slot[1:]!r} in the {self.language} library; there are "
                                f"{', '.join(self.tables) or 'none'}.")
            return draw.choice(self.tables[slot[1:]])
        return draw.choice(slot.split("|"))


@cache
def library(language: str) -> Library:
    """The bundled library of a language. Raises ``UserError`` for one that there is not."""
    if language not in LANGUAGES:
        raise UserError(f"There is no library in {language!r}; there are {' and '.join(LANGUAGES)}.")
    return read_library(FOLDER / f"library.{language}.yaml", language)


def read_library(path: Path, language: str) -> Library:
    """A library from YAML (``tables``, ``topics``). Raises ``UserError`` naming the topic that cannot be used."""
    value = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(value, Mapping) or not isinstance(value.get("topics"), list):
        raise UserError(f"{path.name} must have a list named topics.")
    tables = {str(name): tuple(map(str, words)) for name, words in (value.get("tables") or {}).items()}
    return Library(language, tuple(_topic(entry, path) for entry in value["topics"]), tables)


def _topic(entry: Any, path: Path) -> Topic:
    if not isinstance(entry, Mapping) or not entry.get("topic"):
        raise UserError(f"{path.name}: {str(entry)[:60]!r} is not a topic.",
                        advice="Write domain, topic, titles and text.")
    name, lines = str(entry["topic"]), _lines(str(entry.get("text") or ""))
    if entry.get("domain") not in LABELS:
        raise UserError(f"{path.name}: the topic {name} has the domain {entry.get('domain')!r}; it must be one of "
                        f"{', '.join(LABELS)}.")
    if len(lines) < 3 or not entry.get("titles"):
        raise UserError(f"{path.name}: the topic {name} has {len(lines)} lines and {len(entry.get('titles') or [])} "
                        "titles; it needs at least three lines and a title.")
    for line in lines:
        rest = line
        while _SLOT.search(rest):
            rest = _SLOT.sub("", rest)
        if "{" in rest or "}" in rest:
            raise UserError(f"{path.name}: a brace is left open in the topic {name}: {line[:60]}")
    return Topic(str(entry["domain"]), name, tuple(map(str, entry["titles"])), lines)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
