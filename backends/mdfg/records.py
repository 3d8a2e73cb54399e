"""Records: what is written of a document, in our superset and in the exact form of ChineseWebText 2.0.

    {"text", "domain": {"single_label", "multi_label"}, "toxicity": {"label", "score"}, "quality_score"}

single_label = the most probable domain; multi_label = those of probability 0.3 or more (it may be empty, or miss the
single label); toxicity label = 1 when P(toxic) >= 0.99 (spec A4, A5). Values come from scorers, else from what an
imported record already said (columns ``given.*``).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.contract import Json, UserError

MULTI_LABEL, TOXIC = 0.3, 0.99
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


def judged(attributes: Attributes) -> dict[str, Json]:
    """``domain``, ``toxicity`` and ``quality_score`` of a document, those that something has scored."""
    found: dict[str, Json] = {}
    domains = {name.partition(".")[2]: value for name, value in attributes.items() if _kind(name) == "domain"}
    if domains and not any(_missing(value) for value in domains.values()):
        found["domain"] = {"single_label": max(domains, key=lambda label: domains[label]),
                           "multi_label": [label for label, value in domains.items() if value >= MULTI_LABEL]}
    elif attributes.get("given.domain"):
        found["domain"] = {"single_label": attributes["given.domain"],
                           "multi_label": list(attributes.get("given.domains") or [])}
    toxic = _toxic(attributes)
    if toxic is not None:
        found["toxicity"] = {"label": int(toxic >= TOXIC), "score": toxic}
    elif not _missing(attributes.get("given.toxicity")):
        label = attributes.get("given.toxic")
        score = float(attributes["given.toxicity"])
        found["toxicity"] = {"label": int(label) if label in (0, 1) else int(score >= TOXIC), "score": score}
    quality = quality_of(attributes)
    if quality is not None:
        found["quality_score"] = quality
    return found


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
    found = judged(attributes)
    missing = [name for name in ("domain", "toxicity", "quality_score") if name not in found]
    if missing:
        raise UserError(f"A document has no {' and no '.join(missing)}, which a record of ChineseWebText 2.0 needs.",
                        advice="Add the scorers of domain, toxicity and quality, or export our own records.")
    return {"text": text, "domain": found["domain"], "toxicity": found["toxicity"],
            "quality_score": found["quality_score"]}


def superset_record(text: str, attributes: Attributes, document: Attributes, rules: Sequence[str],
                    config: str, judge: str = "") -> dict[str, Json]:
    """Our record: the form above with what was measured, which rules failed, duplicates and provenance, and, where a
    quality scorer has cut the text, ``quality {score, segments[], model}``; ``judge`` is that scorer's name."""
    mask = int(attributes["rule_fail"])
    plain = {name: _finite(value) for name, value in attributes.items()
             if name not in ("id", "source", "number", "part", "row", *GIVEN_COLUMNS, "given.domains")}
    return {"id": attributes["id"], "text": text, **judged(attributes), **_pieces(attributes, document, judge),
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
