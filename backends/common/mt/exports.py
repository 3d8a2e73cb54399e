"""What a comparison also writes on demand: campaigns for annotators of its translations, and the human scores again.

All of it is made before any score is computed, so that what cannot be written is said at once.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from backends.common.mt.campaign_files import appraise_batches, items_of, pearmut_campaign
from backends.common.mt.human import Ratings
from backends.common.mt.human_files import da_csv, esa_csv, mqm_tsv
from backends.common.mt.requests import CompareRequest
from backends.common.mt.uploads import Comparison
from workbench.contract import UserError
from workbench.files import dumps

UNKNOWN = "und"
"""Three letters for a language that nobody has named (ISO 639-3)."""


def exports(request: CompareRequest, comparison: Comparison, ratings: Ratings | None) -> Mapping[str, str]:
    """Text by name of file. Raises ``UserError`` for a campaign without a source, and for scores that do not fit."""
    source, target = (*request.human_pair.split("-"), UNKNOWN, UNKNOWN)[:2] if request.human_pair else (UNKNOWN,) * 2
    found = {}
    for name in request.human_exports:
        if name == "pearmut":
            found["pearmut.json"] = dumps(pearmut_campaign(items_of(comparison), "comparison")) + "\n"
        elif name == "appraise":
            batches = appraise_batches(items_of(comparison), source, target, random.Random(request.seed))
            found["appraise.json"] = dumps(batches) + "\n"
        elif ratings is not None:
            found.update(_scores(name, comparison, ratings, (source, target)))
    return found


def _scores(name: str, comparison: Comparison, ratings: Ratings, pair: tuple[str, str]) -> Mapping[str, str]:
    if name == "wmt-da":
        return {"scores.da.csv": da_csv(ratings)}
    if name == "wmt-esa":
        return {"scores.esa.csv": esa_csv(ratings, *pair)}
    if comparison.source is None:
        raise UserError("There is no source text, which an MQM table has in every line.", advice="Add the source.")
    return {"scores.mqm.tsv": mqm_tsv(ratings, comparison.source, comparison.systems)}
