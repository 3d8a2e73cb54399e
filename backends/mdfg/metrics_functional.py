"""Functional tests of a toxicity model: how often it is right for each thing that such models get wrong.

HateCheck (Röttger et al. 2021) and Multilingual HateCheck give short cases for each functionality (slurs, negated
hate, quoted hate, spelling tricks ...) with the right answer. One accuracy over all says little; the table by
functionality says where a model must not be trusted, so it stands next to the score in every card.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.mdfg.scorers.base import Scorer
from workbench.contract import UserError

TEXT, KIND, GOLD = ("test_case",), ("functionality",), ("label_gold",)


@dataclass(frozen=True)
class Case:
    """One case: ``hateful`` is the right answer."""

    functionality: str
    text: str
    hateful: bool


@dataclass(frozen=True)
class Functionality:
    """Accuracy of one row of the table. ``hateful`` of its ``cases`` are hateful; ``wrong`` holds up to three texts."""

    name: str
    cases: int
    hateful: int
    accuracy: float
    wrong: tuple[str, ...]


def read_cases(path: Path) -> list[Case]:
    """Cases of a HateCheck table (CSV with ``functionality``, ``test_case``, ``label_gold``).

    Raises ``UserError`` for another table or a label that is neither ``hateful`` nor ``non-hateful``."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path.name} cannot be read as CSV ({error}).", advice="Save it as UTF-8 CSV.") from error
    cases = []
    for number, row in enumerate(rows, 2):
        missing = [name for name in (*TEXT, *KIND, *GOLD) if not row.get(name)]
        if missing or row[GOLD[0]] not in ("hateful", "non-hateful"):
            raise UserError(f"Line {number} of {path.name} is no HateCheck case (missing or wrong: "
                            f"{', '.join(missing) or GOLD[0]}).",
                            advice="It needs functionality, test_case and label_gold (hateful or non-hateful).")
        cases.append(Case(row[KIND[0]], row[TEXT[0]], row[GOLD[0]] == "hateful"))
    return cases


def functional_table(scorer: Scorer, cases: Sequence[Case], threshold: float = 0.5, output: int = 0,
                     shown: int = 3) -> tuple[Functionality, ...]:
    """Accuracy for each functionality, the weakest first."""
    if not cases:
        raise UserError("There is no functional case to test with.")
    said = scorer.score([case.text for case in cases])[:, output] >= threshold
    groups: dict[str, list[tuple[Case, bool]]] = {}
    for case, answer in zip(cases, said.tolist(), strict=True):
        groups.setdefault(case.functionality, []).append((case, answer))
    rows = [Functionality(name, len(group), sum(case.hateful for case, _ in group),
                          sum(case.hateful == answer for case, answer in group) / len(group),
                          tuple(case.text for case, answer in group if case.hateful != answer)[:shown])
            for name, group in groups.items()]
    return tuple(sorted(rows, key=lambda row: (row.accuracy, row.name)))
