"""One problem type of the pool in full: where it comes from, and the scenarios and seeker cards written for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.contract import Json
from workbench.text import say
from workbench.widgets import private
from workbench.widgets.loose import listed, table, tables
from workbench.widgets.markup import element, esc, pairs
from workbench.widgets.problem_tree import name_of

MOST = 12
"""Scenarios that are shown of one type; the rest is counted."""
SCENARIO = ("trigger", "time_frame", "tried_already", "goal_of_seeker")
PERSON = ("occupation", "age_band", "gender", "family")
STYLES = ("terse", "chatty", "guarded")
Row = Mapping[str, Json]


def scenario_sheet(pool: Json, picked: str, scenarios: Sequence[Row], cards: Sequence[Row], lang: str) -> str:
    """The type ``picked`` of a pool with its scenarios, each with its cards; a hint while nothing is picked."""
    types = {str(row["id"]): row for row in tables(table(pool).get("types")) if row.get("id")}
    if picked not in types:
        return element("div", element("p", esc(say(lang, "scenarios.pick"))), class_="sc sc-none")
    row = types[picked]
    own = [s for s in scenarios if s.get("problem_type_id") == picked]
    by_scenario: dict[str, list[Row]] = {}
    for card in cards:
        by_scenario.setdefault(str(card.get("scenario_id")), []).append(card)
    made = "".join(_scenario(s, by_scenario.get(str(s.get("id")), []), lang) for s in own[:MOST])
    count = element("p", esc(say(lang, "scenarios.count", n=len(own), cards=sum(
        len(by_scenario.get(str(s.get("id")), [])) for s in own))), class_="sc-dim")
    more = element("p", esc(say(lang, "scenarios.more", n=len(own) - MOST)), class_="sc-dim") \
        if len(own) > MOST else ""
    return element("div", _type(row, types, lang) + count + made + more, class_="sc")


def _type(row: Row, types: Mapping[str, Row], lang: str) -> str:
    """Name, gloss, and the line of ancestors as far as it goes without a circle."""
    line, at, seen = [], types.get(str(row.get("parent_id"))), {str(row.get("id"))}
    while at is not None and str(at.get("id")) not in seen:
        seen.add(str(at.get("id")))
        line.append(name_of(at, lang))
        at = types.get(str(at.get("parent_id")))
    grown = element("p", esc(say(lang, "scenarios.from", line=" ← ".join(line))), class_="sc-dim") if line else ""
    gloss = name_of(row, lang, "gloss")
    return element("h3", esc(name_of(row, lang))) + (element("p", esc(gloss)) if gloss else "") + grown


def _scenario(scenario: Row, cards: Sequence[Row], lang: str) -> str:
    level = private.intensity({"intensity": scenario.get("intensity_0")})
    words = say(lang, "dialogue.private.intensity", level=level, levels=private.LEVELS) if level else ""
    head = element("h4", private.meter(level, words) + element("b", esc(scenario.get("emotion") or ""))
                   + element("code", esc(scenario.get("id") or "")))
    told = pairs((esc(say(lang, f"dialogue.field.{name}")), esc(scenario.get(name) or "")) for name in SCENARIO)
    return element("section", head + element("p", esc(scenario.get("situation") or "")) + told
                   + "".join(_card(card, lang) for card in cards), class_="sc-scenario")


def _card(card: Row, lang: str) -> str:
    who = " · ".join(str(card[name]) for name in PERSON if card.get(name))
    style = str(card.get("talk_style") or "")
    traits = [*map(str, listed(card.get("personality"))), say(lang, f"dialogue.style.{style}") if style in STYLES
              else style, say(lang, "scenarios.openness", level=card.get("openness", "–"))]
    facts = element("ol", "".join(element("li", esc(fact)) for fact in listed(card.get("hidden_facts"))))
    opening = element("p", esc(say(lang, "scenarios.opening", text=card["opening"]))) if card.get("opening") else ""
    return element("div", element("b", esc(who)) + element("p", esc(", ".join(t for t in traits if t)), class_="sc-dim")
                   + facts + opening, class_="sc-card")
