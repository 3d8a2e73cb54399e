"""Outcome gate: the rule by which ESConv's authors set their 196 failed dialogues apart.

A dialogue of more than two turns in which both spoke fails if the intensity did not fall, or empathy <= 2, or
relevance <= 2, or the last feedback <= 2 (levels 1 to 5). What nobody rated is not held against it.
"""

from __future__ import annotations

from dataclasses import asdict

from backends.sweetiechat.metrics.dialogue import Survey, survey_of
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.quality.verdict import Verdict

LOW = 2
RULE = "outcome"


def failures(survey: Survey) -> list[str]:
    """Every way in which these ratings fail, in words; empty when they pass or say nothing."""
    found = []
    if survey.drop is not None and survey.drop <= 0:
        found.append(f"the intensity did not fall ({survey.initial} to {survey.final})")
    for name in ("empathy", "relevance", "feedback"):
        level = getattr(survey, name)
        if level is not None and level <= LOW:
            found.append(f"{'the last feedback' if name == 'feedback' else name} is {level}")
    return found


def check_outcome(dialogue: Dialogue, survey: Survey | None = None) -> Verdict:
    """Value: the ratings. Not checked for a dialogue that hardly began or that nobody rated."""
    survey = survey_of(dialogue) if survey is None else survey
    value = asdict(survey)
    if len(dialogue.turns) <= 2 or not dialogue.said_by("seeker") or not dialogue.said_by("supporter"):
        return Verdict(RULE, None, value, "not checked: the dialogue is over before it began")
    if survey.drop is None and survey.empathy is None and survey.relevance is None and survey.feedback is None:
        return Verdict(RULE, None, value, "not checked: nobody rated this dialogue")
    found = failures(survey)
    return Verdict(RULE, not found, value, "; ".join(found) or "the dialogue helped")
