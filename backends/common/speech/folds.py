"""Splits of clips in which nobody speaks on both sides.

Speaker-independent by default; the random split is there only to show how much it flatters. A fold is a pair of
index arrays (train, test).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.contract import MissingResource, UserError
from workbench.files import Damaged, load_json

Indices = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Fold:
    """Indices of the clips to learn from and of those to be measured on."""

    train: Indices
    test: Indices


def by_speaker(speakers: Sequence[str], folds: int = 6) -> tuple[Fold, ...]:
    """``folds`` groups of whole speakers with about as many clips each (scikit-learn's GroupKFold).

    ``UserError`` where a clip has no speaker or there are fewer speakers than folds."""
    from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

    _named(speakers)
    different = len(set(speakers))
    if not 2 <= folds <= different:
        raise UserError(f"{folds} folds of {different} speakers; there must be 2 to {different}.",
                        advice="Use fewer folds, or clips of more people.")
    places = np.zeros(len(speakers))
    return tuple(checked(Fold(train, test), speakers)
                 for train, test in GroupKFold(folds).split(places, groups=np.asarray(speakers)))


def by_list(speakers: Sequence[str], folds: Mapping[str, Sequence[str]]) -> tuple[Fold, ...]:
    """The folds of a published list: name of the fold -> its test speakers, as the speaker or the end of it after
    ``_`` (EmoBox writes ``01``, the manifest ``ravdess_01``). Speakers of the list that are not there are ignored.

    ``UserError`` for a speaker in no fold or in two."""
    _named(speakers)
    place: dict[str, str] = {}
    for name, members in folds.items():
        for member in members:
            if member in place:
                raise UserError(f"Speaker {member} is in the folds {place[member]} and {name}.",
                                advice="A speaker may be tested in one fold only.")
            place[member] = name
    short = [speaker.rpartition("_")[2] for speaker in speakers]
    found = [place.get(whole, place.get(end, "")) for whole, end in zip(speakers, short, strict=True)]
    if "" in found:
        raise UserError(f"Speaker {speakers[found.index('')]} is in no fold.", advice="Use the list of this corpus.")
    names = np.asarray(found)
    return tuple(checked(Fold(np.flatnonzero(names != name), np.flatnonzero(names == name)), speakers)
                 for name in folds if (names == name).any())


def read_list(path: Path) -> dict[str, list[str]]:
    """A file ``{"1": ["01", "11"], ...}`` of test speakers by fold."""
    if not path.is_file():
        raise MissingResource(f"There is no list of folds {path}.", advice="Use folds by speaker instead.")
    try:
        value = load_json(path)
        return {str(name): [str(member) for member in members] for name, members in value.items()
                if not isinstance(members, str)}
    except (Damaged, AttributeError, TypeError) as error:
        raise UserError(f"{path.name} is no list of folds: {error}.",
                        advice='It looks like {"1": ["01", "11"], "2": ["04"]}.') from error


def at_random(labels: Sequence[str], folds: int = 6, seed: int = 0) -> tuple[Fold, ...]:
    """Folds of clips regardless of who speaks. They leak: only to be shown beside the others."""
    from sklearn.model_selection import StratifiedKFold

    split = StratifiedKFold(folds, shuffle=True, random_state=seed).split(np.zeros(len(labels)), np.asarray(labels))
    return tuple(Fold(train, test) for train, test in split)


def checked(fold: Fold, speakers: Sequence[str]) -> Fold:
    """The same fold. ``UserError`` where somebody speaks on both sides, or a side is empty."""
    people = np.asarray(speakers)
    if not len(fold.train) or not len(fold.test):
        raise UserError(f"A fold has {len(fold.train)} clips to learn from and {len(fold.test)} to be measured on.",
                        advice="Use clips of more people.")
    both = sorted(set(people[fold.train]) & set(people[fold.test]))
    if both:
        raise UserError(f"{', '.join(both[:3])} would be learned from and tested on; the score would say nothing.",
                        advice="Split by speaker.")
    return fold


def _named(speakers: Sequence[str]) -> None:
    unnamed = sum(not speaker for speaker in speakers)
    if unnamed or not speakers:
        raise UserError(f"{unnamed} of {len(speakers)} clips have no speaker.",
                        advice="Add the field speaker to the manifest; without it a score cannot be trusted.")
