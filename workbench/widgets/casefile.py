"""The case file beside a transcript: scenario, seeker card with its hidden facts, models, and how it goes so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from html import escape

from workbench.contract import Json
from workbench.widgets import private
from workbench.widgets.badge import badge
from workbench.widgets.loose import listed, table, tables
from workbench.widgets.transcript import paragraph, strategy_labels

Say = Callable[..., str]
SCENARIO_FIELDS = ("trigger", "time_frame", "tried_already", "goal_of_seeker")
CARD_FIELDS = ("age_band", "gender", "occupation", "family", "personality", "talk_style", "openness")


def casefile(dialogue: Mapping[str, Json], say: Say, lang: str) -> str:
    """Everything that was set before the first word, and the course of the dialogue until now."""
    turns = tables(dialogue.get("turns"))
    parts = (_progress(turns, strategy_labels(dialogue, lang), say), _scenario(dialogue.get("scenario"), say),
             _card(dialogue.get("card"), turns, say), _models(dialogue, say, lang))
    return f'<div class="dt dt-case">{"".join(parts)}</div>'


def _section(title: str, body: str, *, mark: str = "") -> str:
    note = f'<span class="dt-hidden">{escape(mark)}</span>' if mark else ""
    return f'<section><h4>{escape(title)}{note}</h4>{body}</section>' if body else ""


def _progress(turns: Sequence[Mapping[str, Json]], labels: Mapping[str, str], say: Say) -> str:
    course = _section(say("dialogue.case.course"), private.course(turns, say))
    return course + _section(say("dialogue.case.mix"), strategy_mix(turns, labels))


def strategy_mix(turns: Sequence[Mapping[str, Json]], labels: Mapping[str, str]) -> str:
    """How often each strategy was used so far, most used first."""
    used = Counter(str(turn["strategy"]) for turn in turns if turn.get("strategy"))
    return counts_bars([(labels.get(key, key), count) for key, count in used.most_common()])


def counts_bars(counts: Sequence[tuple[str, int]]) -> str:
    """Named counts as bars; the longest fills the track."""
    most = max((count for _, count in counts), default=0)
    rows = [f'<li class="dt-bar"><span class="dt-barname">{escape(name)}</span><span class="dt-track">'
            f'<span class="dt-fill" style="width:{100 * count / most:.1f}%"></span></span>'
            f'<span class="dt-num">{count}</span></li>' for name, count in counts if most]
    return f'<ol class="dt-barlist dt-counts">{"".join(rows)}</ol>' if rows else ""


def _scenario(scenario: Json, say: Say) -> str:
    if not isinstance(scenario, Mapping):
        return ""
    feeling = ""
    if scenario.get("emotion"):
        level = private.intensity({"intensity": scenario.get("intensity_0")})
        feeling = f'<div class="dt-feeling">{private.meter(level)}<b>{escape(str(scenario["emotion"]))}</b></div>'
    situation = f'<p>{paragraph(scenario.get("situation"))}</p>'
    return _section(say("dialogue.case.scenario"), feeling + situation + _facts(scenario, SCENARIO_FIELDS, say))


def _card(card: Json, turns: Sequence[Mapping[str, Json]], say: Say) -> str:
    if not isinstance(card, Mapping):
        return ""
    told = told_facts(turns)
    rows = []
    for place, fact in enumerate(listed(card.get("hidden_facts"))):
        known = place in told
        when = say("dialogue.case.told", turn=told[place] + 1) if known else say("dialogue.case.untold")
        rows.append(f'<li class="{"dt-told" if known else ""}">{escape(str(fact))} <span>{escape(when)}</span></li>')
    facts = f'<h5>{escape(say("dialogue.case.hidden_facts"))}</h5><ol class="dt-facts">{"".join(rows)}</ol>'
    return _section(say("dialogue.case.card"), _facts(card, CARD_FIELDS, say) + (facts if rows else ""),
                    mark=say("dialogue.case.seeker_only"))


def told_facts(turns: Sequence[Mapping[str, Json]]) -> dict[int, int]:
    """Place of each revealed fact in the card -> place of the turn that first told it."""
    told: dict[int, int] = {}
    for place, turn in enumerate(turns):
        for fact in listed(table(turn.get("private")).get("revealed")):
            if isinstance(fact, int):
                told.setdefault(fact, place)
    return told


def _facts(value: Mapping[str, Json], names: Sequence[str], say: Say) -> str:
    rows = []
    for name in names:
        shown = value.get(name)
        if shown in (None, "", (), []):
            continue
        text = ", ".join(str(v) for v in shown) if isinstance(shown, list | tuple) else str(shown)
        if name == "talk_style" and text in ("terse", "chatty", "guarded"):
            text = say(f"dialogue.style.{text}")
        if name == "openness":
            text = f"{text} / 5"
        rows.append(f'<dt>{escape(say(f"dialogue.field.{name}"))}</dt><dd>{paragraph(text)}</dd>')
    return f'<dl>{"".join(rows)}</dl>' if rows else ""


def _models(dialogue: Mapping[str, Json], say: Say, lang: str) -> str:
    models = table(dialogue.get("models"))
    rows = []
    for role in ("seeker", "counselor", "supporter"):
        name = models.get(role)
        if name:
            rows.append(f'<dt>{escape(say(f"dialogue.role.{role}"))}</dt><dd><code>{escape(str(name))}</code></dd>')
    chosen = table(dialogue.get("strategy_set"))
    if chosen.get("name"):
        version = f' · {chosen["version"]}' if chosen.get("version") else ""
        rows.append(f'<dt>{escape(say("dialogue.field.strategy_set"))}</dt>'
                    f"<dd>{escape(str(chosen['name']) + version)}</dd>")
    if dialogue.get("seed") is not None:
        rows.append(f'<dt>{escape(say("dialogue.field.seed"))}</dt><dd>{escape(str(dialogue["seed"]))}</dd>')
    made = list(dict.fromkeys(map(str, models.values())))
    mark = f'<div class="dt-made">{badge("synthetic", made, lang)}</div>' if made else ""
    return _section(say("dialogue.case.models"), mark + (f'<dl>{"".join(rows)}</dl>' if rows else ""))
