"""Which requests are worth an accelerator: those that run a network. Counting n-grams never waits for one.

A scorer that comes with the program counts n-grams or words. Any other may be BERTEval, which is known only when its
folder is opened; so a request that names one takes an accelerator where there is one. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping

from backends.mdfg.index_request import LSA
from workbench.contract import Json

BUNDLED = "bundled:"


def scorer(reference: Json) -> bool:
    """Whether a scorer may be a network."""
    name = reference.strip() if isinstance(reference, str) else ""
    return bool(name) and not name.startswith(BUNDLED)


def training(fields: Mapping[str, Json]) -> bool:
    """``mdfg.train_scorer.v1``: BERTEval is trained, or is the teacher."""
    return fields.get("method") == "berteval" or scorer(fields.get("teacher"))


def scoring(fields: Mapping[str, Json]) -> bool:
    """``mdfg.score.v1``: any scorer may be a network."""
    named = fields.get("scorers")
    return isinstance(named, list | tuple) and any(scorer(one) for one in named)


def indexing(fields: Mapping[str, Json]) -> bool:
    """``mdfg.index.v1``: an encoder makes the vectors."""
    return bool(fields.get("method", LSA) != LSA)
