"""What one round of keyword bootstrapping leaves for the next: lists, refused words, labels of every text.

The folder ``round`` holds ``state.json`` and ``labels.jsonl`` (one line a text: id, labels, sure). The next round reads
the same texts again by the same references, sample and seed; it refuses to go on when they have changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.mdfg.domain import REST
from backends.mdfg.records import document_id
from workbench.contract import UserError
from workbench.fields import from_json, to_json, validate
from workbench.files import Damaged, dumps, load_json, read_lines, write_json, write_text

FORMAT = "mdfg.domain_round.v1"
Lists = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class State:
    """After round ``number``. ``texts`` is a hash of all texts; ``practice`` is 0 where texts came from ``data``."""

    number: int
    keywords: Mapping[str, tuple[str, ...]]
    rejected: Mapping[str, tuple[str, ...]]
    data: tuple[str, ...]
    text_field: str
    sample: int
    practice: int
    seed: int
    texts: str
    format: str = FORMAT


@dataclass(frozen=True)
class Labelling:
    """Labels of every text, and those its classifier is sure of."""

    labels: tuple[tuple[str, ...], ...]
    sure: tuple[tuple[str, ...], ...]


def texts_hash(texts: Sequence[str]) -> str:
    """blake2b over all texts in order, 16 hex digits."""
    found = hashlib.blake2b(digest_size=8)
    for text in texts:
        found.update(document_id(text).encode())
    return found.hexdigest()


def save(folder: Path, state: State, labelling: Labelling, texts: Sequence[str]) -> None:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = zip(texts, labelling.labels, labelling.sure, strict=True)
    write_text(folder / "labels.jsonl", "".join(
        f"{dumps({'id': document_id(text), 'labels': list(labels), 'sure': list(sure)})}\n"
        for text, labels, sure in rows))
    write_json(folder / "state.json", to_json(state))


def load(folder: Path) -> tuple[State, Labelling]:
    """Read a round. Raises ``UserError`` when the folder holds none, or a damaged one."""
    try:
        value = load_json(folder / "state.json")
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        raw: State = from_json(State, value)
        validate(raw)
        state = State(**{**raw.__dict__, "keywords": _lists(raw.keywords), "rejected": _lists(raw.rejected)})
        rows = read_lines(folder / "labels.jsonl")
        return state, Labelling(tuple(tuple(map(str, row["labels"])) for row in rows),
                                tuple(tuple(map(str, row["sure"])) for row in rows))
    except (OSError, Damaged, ValueError, KeyError, TypeError, AttributeError, UserError) as error:
        raise UserError(f"{folder.name} is no round of keyword bootstrapping ({error}).",
                        advice="Give run:ID/round of a finished round.") from error


def _lists(value: Mapping[str, Sequence[str]]) -> Lists:
    if any(isinstance(words, str) for words in value.values()):
        raise ValueError("its words are no lists")
    return {str(label): tuple(map(str, words)) for label, words in value.items()}


def reviewed(entries: Sequence[str], labels: Sequence[str], what: str) -> Lists:
    """Words by label from entries ``label: word``. Raises ``UserError`` for another form or an unknown label."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        label, colon, word = entry.partition(":")
        if not colon or not word.strip() or label.strip() not in labels or label.strip() == REST:
            raise UserError(f"{what} holds {entry[:80]!r}; each entry must look like 'label: word', with one of the "
                            f"labels {', '.join(label for label in labels if label != REST)}.")
        found.setdefault(label.strip(), []).append(word.strip().lower())
    return {label: tuple(dict.fromkeys(words)) for label, words in found.items()}


def joined(first: Mapping[str, Sequence[str]], second: Mapping[str, Sequence[str]]) -> Lists:
    """The words of both, each once, by label."""
    return {label: tuple(dict.fromkeys((*first.get(label, ()), *second.get(label, ()))))
            for label in dict.fromkeys((*first, *second))}


def without(lists: Mapping[str, Sequence[str]], words: Mapping[str, Sequence[str]]) -> Lists:
    """The lists without these words."""
    return {label: tuple(word for word in held if word not in words.get(label, ())) for label, held in lists.items()}
