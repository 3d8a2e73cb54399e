"""What quality control says of a source: counts by status and by rule, as stored or judged anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.quality.judge import STATUSES, judge_all
from workbench.contract import Json
from workbench.fields import to_json


def quality_of(dialogues: Sequence[Dialogue], anew: bool) -> dict[str, Json]:
    """``judged`` dialogues of all, counts by status, failed and unchecked ones by rule, and what people decided.

    Only dialogues that carry a report count, unless they are judged anew (in their order, as ``quality.judge_all``
    does, without a scorer of strategies)."""
    reports = [to_json(report) for report in judge_all(dialogues)] if anew else [
        report for d in dialogues if isinstance(report := d.qc.get("report"), Mapping)]
    statuses = Counter(str(report.get("status")) for report in reports)
    reviews = [review.get("decision") for d in dialogues if isinstance(review := d.qc.get("review"), Mapping)]
    return {"judged": len(reports), "total": len(dialogues), "anew": anew,
            "statuses": {name: statuses[name] for name in STATUSES} if reports else {},
            "failed": _rules(reports, False), "unchecked": _rules(reports, None),
            "reviews": dict(Counter(str(decision) for decision in reviews))}


def _rules(reports: Sequence[Mapping[str, Json]], passed: bool | None) -> dict[str, int]:
    """Dialogues by rule, where the rule has this answer."""
    found: Counter[str] = Counter()
    for report in reports:
        verdicts = report.get("verdicts")
        found.update({str(v.get("rule")) for v in (verdicts if isinstance(verdicts, list | tuple) else ())
                      if isinstance(v, Mapping) and v.get("passed") is passed})
    return dict(found.most_common())
