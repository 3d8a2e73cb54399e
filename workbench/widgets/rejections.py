"""What a run of the scenario engine did not keep, and why: by rule, and the newest candidates with their reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from workbench.contract import Json
from workbench.text import known, say
from workbench.widgets.casefile import counts_bars
from workbench.widgets.loose import listed, table, tables
from workbench.widgets.markup import element, esc

KINDS = ("type", "scenario", "card")
MOST, LONGEST = 15, 260
"""Candidates of a kind that are listed, the newest first, and letters of one text of theirs."""
Row = Mapping[str, Json]


def rejections(lines: Sequence[Row], lang: str) -> str:
    """One folded part a kind (types, scenarios, cards); nothing when everything was kept."""
    parts = [_kind(kind, [line for line in lines if line.get("what") == kind], lang) for kind in KINDS]
    return element("div", "".join(parts), class_="rj dt") if any(parts) else ""


def rule_name(rule: str, lang: str) -> str:
    """A rule in the reader's words; its own name where there are none."""
    return say(lang, f"rule.{rule}") if known(f"rule.{rule}") else rule


def _kind(kind: str, lines: Sequence[Row], lang: str) -> str:
    if not lines:
        return ""
    counts = Counter(str(rule) for line in lines for rule in listed(line.get("reasons")))
    bars = counts_bars([(rule_name(rule, lang), count) for rule, count in counts.most_common()])
    rows = "".join(_line(line, lang) for line in reversed(lines[-MOST:]))
    more = element("p", esc(say(lang, "rejections.more", n=len(lines) - MOST)), class_="rj-dim") \
        if len(lines) > MOST else ""
    title = element("summary", esc(say(lang, f"rejections.{kind}", n=len(lines))))
    return element("details", title + element("div", bars + element("ol", rows, class_="rj-list") + more,
                                              class_="rj-body"), data_wb_fold=f"rejected-{kind}")


def _line(line: Row, lang: str) -> str:
    failed = [v for v in tables(line.get("verdicts")) if v.get("passed") is False]
    why = "".join(element("li", element("b", esc(rule_name(str(v.get("rule")), lang))) + " "
                          + esc(_cut(str(v.get("reason") or "")))) for v in failed)
    return element("li", element("div", _what(line, lang), class_="rj-what") + element("ul", why, class_="rj-why"))


def _what(line: Row, lang: str) -> str:
    """The candidate itself, and in which round or for which problem it was written."""
    candidate = table(line.get("candidate"))
    if candidate:
        where = say(lang, "tree.born", round=int(line["round"]) + 1) if isinstance(line.get("round"), int) else ""
        gloss = str(candidate.get("gloss") or "")
        return (element("b", esc(_cut(str(candidate.get("name") or "–")))) + element("span", esc(_cut(gloss)))
                + element("i", esc(" · ".join(part for part in (str(candidate.get("category") or ""), where) if part))))
    about, texts = table(line.get("about")), table(line.get("fields"))
    said = "".join(element("span", esc(_cut(str(text)))) for text in texts.values() if text)
    return element("b", esc(" · ".join(str(v) for v in about.values() if v))) + said


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
