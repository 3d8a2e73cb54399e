"""The gate at the end of a generated dialogue: judged at once, against what the same run has kept so far.

``qc["report"]`` then holds the :class:`Report` as JSON, ``qc["limits"]`` the limits it was made with. Which
dialogues an equal text is compared with depends on the order in which dialogues end, so a near-duplicate may be the
other one of a pair when the batch size changes; the texts themselves do not depend on it. A gate made anew from the
kept dialogues of a file goes on where the old one stood.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from backends.sweetiechat.objects import Dialogue, Language
from backends.sweetiechat.quality.judge import Report, Tally, cut_for, judge, tally
from backends.sweetiechat.quality.near_duplicates import Seen
from backends.sweetiechat.quality.strategy_consistency import Scorer
from backends.sweetiechat.quality.verdict import Limits
from workbench.contract import Json, UserError
from workbench.fields import from_json, to_json

REPORT, LIMITS = "report", "limits"


class Gate:
    """Judges dialogues of one run in the order in which they end."""

    def __init__(self, limits: Limits, scorer: Scorer | None = None, kept: Iterable[Dialogue] = ()) -> None:
        self._limits, self._scorer = limits, scorer
        self._seen: dict[Language, Seen] = {}
        for dialogue in kept:
            if status_of(dialogue.qc) != "rejected":
                self._of(dialogue).add(dialogue)

    def _of(self, dialogue: Dialogue) -> Seen:
        language = dialogue.language
        if language not in self._seen:
            self._seen[language] = Seen(cut_for(language), self._limits.shingle)
        return self._seen[language]

    def judged(self, dialogue: Dialogue) -> Dialogue:
        """The dialogue with its report; one that is not rejected is remembered for those that end later."""
        seen = self._of(dialogue)
        report = judge(dialogue, self._limits, seen=seen, scorer=self._scorer)
        if report.status != "rejected":
            seen.add(dialogue)
        return dataclasses.replace(dialogue, qc={**dialogue.qc, REPORT: to_json(report), LIMITS: to_json(self._limits)})


def report_of(qc: Mapping[str, Json]) -> Report | None:
    """The report in a dialogue's ``qc``; nothing where it was never judged or the report cannot be read."""
    value = qc.get(REPORT)
    if not isinstance(value, Mapping):
        return None
    try:
        report: Report = from_json(Report, value)
    except (UserError, TypeError, AttributeError):
        return None
    return report


def status_of(qc: Mapping[str, Json]) -> str:
    """``accepted``, ``rejected`` or ``quarantined`` as the rules left it; empty where nobody judged."""
    value = qc.get(REPORT)
    return str(value.get("status", "")) if isinstance(value, Mapping) else ""


def tally_of(dialogues: Iterable[Dialogue]) -> Tally:
    """Counts of statuses and rules over the dialogues that were judged."""
    return tally(report for d in dialogues for report in [report_of(d.qc)] if report is not None)
