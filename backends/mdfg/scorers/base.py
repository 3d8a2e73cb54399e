"""What a scorer is: texts in, one row of float32 outputs a text out. It annotates; it never drops (spec A).

Every scorer, from the folded n-gram table to BERTEval on a GPU, is used through this one interface, so the engine
knows no model. ``version`` is a hash of the weights and settings: it is part of the provenance of every record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from workbench.contract import UserError

Scores = npt.NDArray[np.float32]
"""Shape (texts, outputs); probabilities lie in [0, 1], not-a-number means that a text could not be scored."""


class Scorer(Protocol):
    """One model that scores texts. ``name`` is the attribute's prefix (``quality``, ``domain``, ``toxicity``)."""

    @property
    def name(self) -> str:
        """Prefix of its attributes."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of its columns."""
        ...

    @property
    def version(self) -> str:
        """Hash of its weights and settings."""
        ...

    def score(self, texts: Sequence[str]) -> Scores:
        """Scores of shape (len(texts), len(outputs)); row i depends on text i only."""
        ...


Opener = Callable[[str], Scorer]
"""Opens a scorer from the folder of its files, inside the process that uses it."""


@dataclass(frozen=True)
class ScorerReference:
    """How a worker process opens a scorer: ``opener`` is the dotted path of an :data:`Opener`, ``path`` its folder."""

    name: str
    opener: str
    path: str


def columns(scorer: Scorer) -> tuple[str, ...]:
    """Names of a scorer's attributes: ``toxicity.1`` for the output ``1`` of the scorer ``toxicity``. Several scorers
    in one name their outputs in full already."""
    return tuple(output if "." in output else f"{scorer.name}.{output}" for output in scorer.outputs)


def checked(scorer: Scorer, texts: Sequence[str]) -> Scores:
    """Score and check the shape. Raises ``UserError`` when a scorer does not keep its word."""
    values = np.asarray(scorer.score(texts), dtype=np.float32)
    wanted = (len(texts), len(scorer.outputs))
    if values.shape != wanted:
        raise UserError(f"The scorer {scorer.name} returned scores of shape {values.shape}; it must be {wanted}.",
                        advice="Check the model's card: it must list one output a column.")
    return values
