"""Labels from a teacher: a slow scorer judges a pool, and a fast one learns what it was surest of (spec A3: FastText
distilled from BERTEval, there with texts that BERTEval took as positives and as negatives).

The share of the pool with the highest scores means yes, as large a share with the lowest means no; texts between them
are left out. Texts without content and those that the teacher cannot score are never labels. The shares are our
default: the paper names how many texts it took and not from which scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.labelled import Labelled
from backends.mdfg.scorers.base import Scorer, checked
from backends.mdfg.scorers.ngram import is_empty
from workbench.contract import Context, UserError

BATCH = 1000
SOURCE = "teacher"


def distilled(texts: Sequence[str], teacher: Scorer, share: float, yes: str, context: Context) -> list[Labelled]:
    """The surest texts of a pool, best first, with the label ``yes`` or none.

    Raises ``UserError`` for a teacher that does not give one score, for a pool too small for the share, and when the
    teacher cannot tell the best from the worst."""
    place = output_of(teacher)
    scores = scored([text for text in texts if not is_empty(text)], teacher, place, context)
    count = int(len(scores) * share)
    if not count:
        raise UserError(f"The pool has {len(scores)} texts that the teacher can score, and {share:.0%} of them are "
                        "none.", advice="Give more texts.")
    best, worst = scores[:count], scores[-count:]
    if best[-1][0] <= worst[0][0]:
        raise UserError(f"The teacher {teacher.name} gives the best and the worst texts of the pool the same score "
                        f"({worst[0][0]:.3g}).", advice="Give another pool or another teacher.")
    return [*(Labelled(text, (yes,), SOURCE) for _, text in best), *(Labelled(text, (), SOURCE) for _, text in worst)]


def output_of(teacher: Scorer) -> int:
    """Which output of a teacher is its score: the one named so, or the only one."""
    if "score" in teacher.outputs:
        return teacher.outputs.index("score")
    if len(teacher.outputs) == 1:
        return 0
    raise UserError(f"The scorer {teacher.name} gives {', '.join(teacher.outputs)}; a teacher must give one score.",
                    advice="Take a scorer of quality or toxicity.")


def scored(texts: Sequence[str], teacher: Scorer, place: int, context: Context) -> list[tuple[float, str]]:
    """(score, text), the highest first and in the order of the pool where scores are equal."""
    found: list[tuple[float, str]] = []
    for begin in range(0, len(texts), BATCH):
        part = texts[begin:begin + BATCH]
        column: NDArray[np.float32] = checked(teacher, part)[:, place]
        found += [(float(value), text) for value, text in zip(column, part, strict=True) if np.isfinite(value)]
        context.report(begin + len(part), len(texts), "the teacher is reading")
    return sorted(found, key=lambda pair: -pair[0])
