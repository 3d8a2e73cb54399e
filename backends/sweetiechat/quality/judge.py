"""All rules over a dialogue: accepted, rejected or quarantined, with every rule's value and reason.

Crisis comes first: a quarantined dialogue waits for a person whatever the other rules say, and so does one whose
crisis rule could not be checked. Otherwise one failed rule rejects; a rule that could not be checked (no scorer,
nobody rated) does not, and is listed in ``Report.unchecked``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from backends.sweetiechat.metrics.tokens import Tokenizer, default_name, tokenizer
from backends.sweetiechat.objects import Dialogue, Language
from backends.sweetiechat.quality import crisis
from backends.sweetiechat.quality.diversity import check_diversity
from backends.sweetiechat.quality.format import check_format
from backends.sweetiechat.quality.near_duplicates import Seen, check_near_duplicates
from backends.sweetiechat.quality.outcome import RULE as OUTCOME
from backends.sweetiechat.quality.outcome import check_outcome
from backends.sweetiechat.quality.role_flip import check_role_flip
from backends.sweetiechat.quality.strategy_consistency import Scorer, check_strategy_consistency
from backends.sweetiechat.quality.verdict import Limits, Verdict

Status = Literal["accepted", "rejected", "quarantined"]
STATUSES: tuple[Status, ...] = ("accepted", "rejected", "quarantined")


@dataclass(frozen=True)
class Report:
    """What quality control says about one dialogue; goes to JSON and back through ``workbench.fields``.

    The importers' ratings stay in ``dialogue.qc["survey"]``; write this beside them, as ``qc["report"]``.
    """

    dialogue: str
    status: Status
    verdicts: tuple[Verdict, ...]

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The rules that failed."""
        return tuple(verdict for verdict in self.verdicts if verdict.passed is False)

    @property
    def unchecked(self) -> tuple[Verdict, ...]:
        """The rules that could not be checked."""
        return tuple(verdict for verdict in self.verdicts if verdict.passed is None)

    @property
    def reason(self) -> str:
        """Why it is not accepted, in one line; empty for an accepted dialogue."""
        doubts = [v for v in self.unchecked if v.rule == crisis.RULE]
        return "; ".join(f"{verdict.rule}: {verdict.reason}" for verdict in (*self.failed, *doubts))


@dataclass(frozen=True)
class Tally:
    """Counts over many reports: dialogues by status, and failed and unchecked dialogues by rule."""

    statuses: Mapping[str, int]
    failed: Mapping[str, int]
    unchecked: Mapping[str, int]


def judge(dialogue: Dialogue, limits: Limits | None = None, *, seen: Seen | None = None, scorer: Scorer | None = None,
          screen: crisis.Screen | None = crisis.bundled) -> Report:
    """Check one dialogue by every rule.

    ``seen`` holds the dialogues it must differ from (the caller adds to it, or uses :func:`judge_all`), ``scorer``
    gives p(strategy | utterance), ``screen`` finds words of crisis (the bundled English and Chinese phrases).
    """
    limits = limits or Limits()
    cut = cut_for(dialogue.language)
    verdicts = (
        check_format(dialogue, cut, limits),
        check_role_flip(dialogue, limits),
        check_near_duplicates(dialogue, cut, limits, seen),
        check_strategy_consistency(dialogue, scorer, limits),
        check_diversity(dialogue, cut, limits),
        check_outcome(dialogue) if limits.outcome else Verdict(OUTCOME, None, None, "not checked: not asked for"),
        crisis.check_crisis(dialogue, screen))
    return Report(dialogue.id, _status(verdicts), verdicts)


def judge_all(dialogues: Iterable[Dialogue], limits: Limits | None = None, *, scorer: Scorer | None = None,
              screen: crisis.Screen | None = crisis.bundled) -> list[Report]:
    """Check dialogues in order, each against the earlier ones of its language that were not rejected.

    A copy of a rejected dialogue is judged for itself: it duplicates nothing that is kept.
    """
    limits = limits or Limits()
    kept: dict[Language, Seen] = {}
    reports = []
    for dialogue in dialogues:
        seen = kept.setdefault(dialogue.language, Seen(cut_for(dialogue.language), limits.shingle))
        report = judge(dialogue, limits, seen=seen, scorer=scorer, screen=screen)
        if report.status != "rejected":
            seen.add(dialogue)
        reports.append(report)
    return reports


def cut_for(language: Language) -> Tokenizer:
    """The tokenizer that the rules count with: the default one of the language."""
    return tokenizer(default_name(language))


def tally(reports: Iterable[Report]) -> Tally:
    """Count what happened; every status is listed, with 0 where there is none."""
    reports = list(reports)
    statuses = Counter(report.status for report in reports)
    return Tally({status: statuses[status] for status in STATUSES},
                 dict(Counter(verdict.rule for report in reports for verdict in report.failed)),
                 dict(Counter(verdict.rule for report in reports for verdict in report.unchecked)))


def _status(verdicts: Iterable[Verdict]) -> Status:
    verdicts = list(verdicts)
    if any(verdict.rule == crisis.RULE and verdict.passed is not True for verdict in verdicts):
        return "quarantined"
    return "rejected" if any(verdict.passed is False for verdict in verdicts) else "accepted"
