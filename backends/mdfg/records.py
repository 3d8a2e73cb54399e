"""Records: what is written of a document, in our superset and in the exact form of ChineseWebText 2.0.

    {"text", "domain": {"single_label", "multi_label"}, "toxicity": {"label", "score"}, "quality_score"}

Labels are decided by :mod:`backends.mdfg.domain` and :mod:`backends.mdfg.toxicity` (spec A4, A5). The exact form has no
place for why; our superset says it in ``flags``: ``empty`` (nothing to judge), ``symbols`` (mostly digits and symbols:
never toxic), ``below`` (no domain reaches its threshold: ``multi_label`` is empty). Values come from scorers, else from
what an imported record already said (columns ``given.*``), whose labels stay as they are.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.contract import Json, UserError

GIVEN_COLUMNS = ("given.quality", "given.toxicity", "given.toxic", "given.domain", "given.domains")
Attributes = Mapping[str, Any]


def document_id(text: str) -> str:
    """blake2b of the text, 32 hex digits: equal texts have equal ids."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def given_of(record: Mapping[str, Json] | None) -> tuple[float, float, float, str, list[str]]:
    """:data:`GIVEN_COLUMNS` of an imported record; what is missing or of another type is not-a-number or empty."""
    record = record or {}
    toxicity, domain = _table(record.get("toxicity")), _table(record.get("domain"))
    labels = domain.get("multi_label")
    return (_number(record.get("quality_score")), _number(toxicity.get("score")), _number(toxicity.get("label")),
            _short(domain.get("single_label")), [_short(x) for x in labels[:50]] if isinstance(labels, list) else [])


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Json) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return math.nan
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return math.nan
    return number if math.isfinite(number) else math.nan


def _short(value: Json) -> str:
    return value[:200].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def judged(text: str, attributes: Attributes) -> dict[str, Json]:
    """``domain``, ``toxicity`` and ``quality_score`` of a document, those that something has scored, and ``flags``
    where there are any."""
    from backends.mdfg.scorers.ngram import is_empty

    empty = is_empty(text)
    domain, below = _domain(attributes, empty)
    toxicity, flag = _toxicity(text, attributes)
    quality = quality_of(attributes)
    flags = [name for name, on in (("empty", empty), ("symbols", flag == "symbols"), ("below", below)) if on]
    found = {"domain": domain, "toxicity": toxicity, "quality_score": quality, "flags": flags or None}
    return {name: value for name, value in found.items() if value is not None}


def _domain(attributes: Attributes, empty: bool) -> tuple[dict[str, Json] | None, bool]:
    """(the labels, whether none reaches the threshold)."""
    import numpy as np

    from backends.mdfg.domain import decide

    scores = {name.partition(".")[2]: value for name, value in attributes.items() if _kind(name) == "domain"}
    if scores and not any(_missing(value) for value in scores.values()):
        verdict = decide(np.array([list(scores.values())], dtype=np.float64), tuple(scores), empty=(empty,))[0]
        return {"single_label": verdict.single_label, "multi_label": list(verdict.multi_label)}, verdict.below
    if attributes.get("given.domain"):
        several = list(attributes.get("given.domains") or [])
        return {"single_label": attributes["given.domain"], "multi_label": several}, not several
    return None, False


def _toxicity(text: str, attributes: Attributes) -> tuple[dict[str, Json] | None, str]:
    """(label and score, the rule that decided)."""
    from backends.mdfg.toxicity import decide

    score = _toxic(attributes)
    if score is not None:
        verdict = decide([text], [score])[0]
        return {"label": verdict.label, "score": score}, verdict.flag
    if _missing(attributes.get("given.toxicity")):
        return None, ""
    score, label = float(attributes["given.toxicity"]), attributes.get("given.toxic")
    if label in (0, 1):
        return {"label": int(label), "score": score}, ""
    verdict = decide([text], [score])[0]
    return {"label": verdict.label, "score": score}, verdict.flag


def quality_of(attributes: Attributes) -> float | None:
    """The quality score: a scorer's first output, else the imported one."""
    name = quality_column(tuple(attributes))
    return None if not name or _missing(attributes[name]) else float(attributes[name])


def quality_column(names: Sequence[str]) -> str:
    """The column that says how good a text is; empty where there is none."""
    scored = [name for name in names if _kind(name) == "quality"]
    return scored[0] if scored else "given.quality" if "given.quality" in names else ""


def _toxic(attributes: Attributes) -> float | None:
    names = [name for name in attributes if _kind(name) == "toxicity"]
    best = next((name for name in names if name.partition(".")[2] in ("toxic", "1")), names[-1] if names else "")
    return None if not best or _missing(attributes[best]) else float(attributes[best])


def _kind(column: str) -> str:
    scorer, dot, _ = column.partition(".")
    return scorer.split("-")[0] if dot else ""


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def cwt2_record(text: str, attributes: Attributes) -> dict[str, Json]:
    """The exact form of ChineseWebText 2.0. Raises ``UserError`` when a score is missing: the form has no gaps."""
    found = judged(text, attributes)
    missing = [name for name in ("domain", "toxicity", "quality_score") if name not in found]
    if missing:
        raise UserError(f"A document has no {' and no '.join(missing)}, which a record of ChineseWebText 2.0 needs.",
                        advice="Add the scorers of domain, toxicity and quality, or export our own records.")
    return {"text": text, "domain": found["domain"], "toxicity": found["toxicity"],
            "quality_score": found["quality_score"]}


def superset_record(text: str, attributes: Attributes, document: Attributes, rules: Sequence[str],
                    config: str, judge: str = "") -> dict[str, Json]:
    """Our record: the form above with what was measured, which rules failed, duplicates and provenance, and, where a
    quality scorer has cut the text, ``quality {score, segments[], model}``; ``judge`` is that scorer's name.
    ``flags`` is always there."""
    mask = int(attributes["rule_fail"])
    plain = {name: _finite(value) for name, value in attributes.items()
             if name not in ("id", "source", "number", "part", "row", *GIVEN_COLUMNS, "given.domains")}
    return {"id": attributes["id"], "text": text, "flags": [], **judged(text, attributes),
            **_pieces(attributes, document, judge),
            "source": {"name": attributes["source"], "number": attributes["number"],
                       **{key: document[key] for key in ("title", "url", "site") if document.get(key)}},
            "rules_failed": [rule for i, rule in enumerate(rules) if mask >> i & 1], "attributes": plain,
            "spans": {name.removesuffix("_spans"): list(document[name] or []) for name in document
                      if name.endswith("_spans")},
            "config": config}


def _pieces(attributes: Attributes, document: Attributes, judge: str) -> dict[str, Json]:
    ends = list(document.get("quality_ends") or [])
    if not ends:
        return {}
    segments = [{"begin": begin, "end": end, "score": _finite(score)}
                for begin, end, score in zip((0, *ends), ends, document["quality_scores"], strict=False)]
    return {"quality": {"score": quality_of(attributes), "segments": segments, "model": judge}}


def _finite(value: Any) -> Json:
    return None if _missing(value) else value
