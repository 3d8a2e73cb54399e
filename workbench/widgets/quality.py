"""Quality control on the page: what every rule found in one dialogue, with its limits; and counts over many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from workbench.contract import Json
from workbench.widgets.casefile import counts_bars
from workbench.widgets.loose import finite, table, tables

Say = Callable[..., str]
STATUSES = ("accepted", "rejected", "quarantined")
RULES = ("format", "role_flip", "near_duplicates", "strategy_consistency", "diversity", "outcome", "crisis")
DECISIONS: Mapping[str, str] = {"accept": "accepted", "reject": "rejected"}
LIMITS: Mapping[str, Sequence[str]] = {
    "format": ("min_tokens", "max_tokens", "max_odd_lengths"), "role_flip": ("fact_overlap", "max_advising"),
    "near_duplicates": ("shingle", "max_similarity"), "strategy_consistency": ("top_k", "min_consistent"),
    "diversity": ("min_distinct",)}
"""Which limits a rule uses; the words for them are those of the form."""


def standing(qc: Json) -> str:
    """``accepted``, ``rejected``, ``quarantined`` or empty: the rules' word, or a person's on a quarantined one."""
    checks = table(qc)
    status = str(table(checks.get("report")).get("status") or "")
    decision = str(table(checks.get("review")).get("decision") or "")
    return DECISIONS.get(decision, status) if status == "quarantined" else status


def mark(status: str, say: Say) -> str:
    """A status as a small coloured word; nothing for a dialogue that nobody judged."""
    if status not in STATUSES:
        return ""
    return f'<span class="qc-mark qc-{status}">{escape(say(f"quality.status.{status}"))}</span>'


def report(dialogue: Mapping[str, Json], say: Say) -> str:
    """Every rule of one dialogue: passed, failed or not checked, the reason, what was measured, and the limits."""
    qc = table(dialogue.get("qc"))
    verdicts = tables(table(qc.get("report")).get("verdicts"))
    if not verdicts:
        return ""
    limits = table(qc.get("limits"))
    rows = "".join(_rule(verdict, limits, say) for verdict in verdicts)
    review = table(qc.get("review"))
    decided = ""
    if review.get("decision") in DECISIONS:
        words = say(f"quality.decided.{review['decision']}", at=str(review.get("at") or "–"))
        decided = f'<p class="qc-decided">{escape(words)}</p>'
    failed = sum(verdict.get("passed") is False for verdict in verdicts)
    opened = " open" if failed else ""
    title = say("quality.title", failed=failed, count=len(verdicts))
    return (f'<div class="dt"><details class="qc"{opened}><summary>{mark(standing(qc), say)} {escape(title)}</summary>'
            f'{decided}<ol class="qc-rules">{rows}</ol></details></div>')


def _rule(verdict: Mapping[str, Json], limits: Mapping[str, Json], say: Say) -> str:
    name = str(verdict.get("rule") or "")
    passed = verdict.get("passed")
    kind = "unchecked" if passed is None else "passed" if passed else "failed"
    known = say(f"quality.rule.{name}") if name in RULES else name
    used = [f"{say(f'pipeline.knob.{limit}')} {_number(limits[limit])}" for limit in LIMITS.get(name, ())
            if limit in limits]
    held = f'<span class="qc-limit">{escape(" · ".join(used))}</span>' if used else ""
    value = _value(verdict.get("value"))
    found = f'<span class="qc-value">{escape(value)}</span>' if value else ""
    return (f'<li class="qc-is-{kind}"><b>{escape(known)}</b><em>{escape(say(f"quality.{kind}"))}</em>'
            f'<span>{escape(str(verdict.get("reason") or ""))}</span>{found}{held}</li>')


def _value(value: Json) -> str:
    """What was measured in one line: numbers and names; empty lists and notes on the tokenizer are left out."""
    if isinstance(value, Mapping):
        parts = [f"{key} {_number(item)}" for key, item in value.items()
                 if item not in (None, "", [], {}) and not isinstance(item, bool) and key != "tokenizer"
                 and not _nested(item)]
        return " · ".join(parts)
    return "" if value in (None, "", []) or isinstance(value, list) else _number(value)


def _nested(item: Json) -> bool:
    return isinstance(item, Mapping) or (isinstance(item, list) and any(isinstance(i, list | dict) for i in item))


def _number(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(map(_number, value[:12]))
    return f"{value:.3g}" if finite(value) and isinstance(value, float) else str(value)


def counts(state: Mapping[str, Json], say: Say) -> str:
    """How many dialogues were accepted, rejected and kept for a person, and which rules failed, as bars."""
    statuses = table(state.get("quality"))
    known = [(say(f"quality.status.{name}"), int(statuses.get(name) or 0)) for name in STATUSES if name in statuses]
    if not known:
        return ""
    parts = [(say("quality.statuses"), counts_bars(known)),
             (say("quality.failed_rules"), _by_rule(state, "failed", say)),
             (say("quality.unchecked_rules"), _by_rule(state, "unchecked", say))]
    return "".join(f"<section><h4>{escape(title)}</h4>{html}</section>" for title, html in parts if html)


def _by_rule(state: Mapping[str, Json], which: str, say: Say) -> str:
    found = table(state.get(which))
    rows = [(say(f"quality.rule.{name}") if name in RULES else str(name), count) for name, count in found.items()
            if isinstance(count, int) and count > 0]
    return counts_bars(sorted(rows, key=lambda row: -row[1]))
