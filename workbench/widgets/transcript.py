"""The dialogue as an annotated transcript: what was said in the middle, what was decided or felt beside it.

Pure functions from the dialogue's JSON (``dialogue.json``) and the run's live JSON to HTML. Every text that a
person or a model wrote is escaped here, so a script in a card or a turn is inert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from workbench.contract import Json
from workbench.widgets import private, ranking
from workbench.widgets.loose import listed, table, tables

Say = Callable[..., str]
WINDOW = 60
"""Turns drawn at once; earlier ones come on request (a page with more gets slow, architecture.md 5)."""
ROLES = ("seeker", "counselor", "supporter")


def strategy_labels(dialogue: Mapping[str, Json], lang: str) -> dict[str, str]:
    """Label of every strategy of the dialogue's set in the reader's language, by key."""
    field = "label_zh" if lang.startswith("zh") else "label_en"
    labels = {}
    for item in tables(table(dialogue.get("strategy_set")).get("items")):
        if item.get("key"):
            labels[str(item["key"])] = str(item.get(field) or item.get("label_en") or item["key"])
    return labels


def transcript(dialogue: Mapping[str, Json], say: Say, lang: str, *, shown: int = WINDOW,
               tools: Sequence[str] = ("edit", "views")) -> str:
    """All turns, the last ``shown`` of them drawn; ``tools`` are the links under each: edit it, see its prompts."""
    turns = tables(dialogue.get("turns"))
    if not turns:
        return ""
    labels, facts = strategy_labels(dialogue, lang), card_facts(dialogue)
    first = max(0, len(turns) - max(1, shown))
    earlier = ""
    if first:
        earlier = (f'<button type="button" class="dt-earlier" data-act="earlier">'
                   f'{escape(say("dialogue.turn.earlier", count=first))}</button>')
    news = newly_told(turns)
    rows = [turn_row(turn, place, labels, facts, news[place], say, tools=tools)
            for place, turn in enumerate(turns) if place >= first]
    return f'<div class="dt"><div class="dt-turns">{earlier}{"".join(rows)}</div></div>'


def card_facts(dialogue: Mapping[str, Json]) -> tuple[str, ...]:
    """The hidden facts of the seeker card, in order."""
    return tuple(str(fact) for fact in listed(table(dialogue.get("card")).get("hidden_facts")))


def newly_told(turns: Sequence[Mapping[str, Json]]) -> list[list[Json]]:
    """For each turn the revealed facts that no earlier turn had listed."""
    seen: set[str] = set()
    news: list[list[Json]] = []
    for turn in turns:
        fresh = [fact for fact in listed(table(turn.get("private")).get("revealed")) if str(fact) not in seen]
        seen.update(str(fact) for fact in fresh)
        news.append(fresh)
    return news


def turn_row(turn: Mapping[str, Json], place: int, labels: Mapping[str, str], facts: Sequence[str],
             told: Sequence[Json], say: Say, *, tools: Sequence[str]) -> str:
    """One finished turn: number and role, the utterance, and the note beside it."""
    role = role_of(turn)
    if role == "supporter":
        note = decision(turn, labels, say, fold=f"dt-fold-{place}")
    else:
        state = turn.get("private")
        note = private.strip({**state, "revealed": list(told)} if isinstance(state, Mapping) else state, facts, say)
    links = _tools(place, tools, say)
    return (f'<article class="dt-turn dt-{role}"><header class="dt-gutter"><span class="dt-no">{place + 1}</span>'
            f'<span class="dt-role">{escape(say(f"dialogue.role.{role}"))}</span>{_made_by(turn, say)}</header>'
            f'<div class="dt-body"><p class="dt-text">{paragraph(turn.get("text"))}</p>'
            f'{_edited(turn, place, say)}{links}</div><aside class="dt-note">{note}</aside></article>')


def role_of(turn: Mapping[str, Json]) -> str:
    """``seeker``, ``supporter`` or ``counselor``; anything else is drawn as the seeker."""
    role = turn.get("role")
    return str(role) if role in ROLES else "seeker"


def paragraph(text: Json) -> str:
    """Escaped text with its line breaks."""
    return escape("" if text is None else str(text)).replace("\n", "<br>")


def decision(turn: Mapping[str, Json], labels: Mapping[str, str], say: Say, *, fold: str) -> str:
    """Strategy tag, stage and mode, the ranking as bars and the rationale of a supporter turn."""
    counsel = table(turn.get("counselor"))
    key = turn.get("strategy") or counsel.get("chosen")
    if not key and not counsel:
        return ""
    tag = f'<span class="dt-tag">{escape(labels.get(str(key), str(key)))}</span>' if key else ""
    details = [escape(say(f"dialogue.stage.{counsel['stage']}"))] if counsel.get("stage") in (
        "exploration", "comforting", "action", "any") else []
    if counsel.get("mode"):
        details.append(escape(mode_name(str(counsel["mode"]), say)))
    if counsel.get("mode") == "scored" and (share := ranking.drawn(counsel)) is not None:
        details.append(escape(say("dialogue.ranking.drawn", share=f"{share:.2f}")))
    why = str(counsel.get("rationale") or "")
    rationale = f'<p class="dt-why">{escape(why)}</p>' if why else ""
    head = f'<div class="dt-head">{tag}<span class="dt-sub">{" · ".join(details)}</span></div>'
    return (f'<div class="dt-decision">{head}'
            f"{ranking.bars(counsel, labels, say, fold=fold)}{rationale}</div>")


MODES = ("prompt", "scored", "classifier", "agent", "oracle", "none", "you")


def mode_name(mode: str, say: Say) -> str:
    """The counselor mode in words; a mode this page does not know is shown as it is."""
    return say(f"dialogue.counselor.{mode}") if mode in MODES else mode


def _made_by(turn: Mapping[str, Json], say: Say) -> str:
    meta = table(turn.get("meta"))
    bits = []
    if meta.get("author") == "person":
        bits.append(say("dialogue.turn.by_person"))
    if meta.get("picked_by") == "person":
        bits.append(say("replies.picked"))
    if meta.get("tokens"):
        bits.append(say("dialogue.turn.tokens", count=meta["tokens"]))
    latency = meta.get("latency_ms")
    if isinstance(latency, int | float) and not isinstance(latency, bool):
        bits.append(say("dialogue.turn.seconds", seconds=f"{latency / 1000:.1f}"))
    inner = "".join(f"<span>{escape(bit)}</span>" for bit in bits)
    return f'<span class="dt-meta">{inner}</span>' if bits else ""


def _edited(turn: Mapping[str, Json], place: int, say: Say) -> str:
    history = listed(table(turn.get("meta")).get("history"))
    if not history:
        return ""
    first = history[0]
    before = first.get("text") if isinstance(first, Mapping) else first
    name = f"dt-was-{place}"
    return (f'<div class="dt-edited"><input type="checkbox" class="dt-fold" id="{name}"><label for="{name}">'
            f'{escape(say("dialogue.turn.edited", count=len(history)))}</label>'
            f'<p class="dt-was">{paragraph(before)}</p></div>')


def _tools(place: int, tools: Sequence[str], say: Say) -> str:
    links = "".join(f'<button type="button" data-act="{act}" data-turn="{place}">'
                    f'{escape(say(f"dialogue.turn.{act}"))}</button>' for act in tools)
    return f'<div class="dt-tools">{links}</div>' if links else ""


def live_turn(live: Json, dialogue: Mapping[str, Json], say: Say, lang: str) -> str:
    """The half-written turn, or the counselor at work; nothing when nobody is writing."""
    if not isinstance(live, Mapping):
        return ""
    phase, role = str(live.get("phase") or ""), str(live.get("role") or "")
    role = role if role in ROLES else phase
    turns = listed(dialogue.get("turns"))
    if role not in ROLES or (isinstance(live.get("idx"), int) and live["idx"] < len(turns)):
        return ""
    labels = strategy_labels(dialogue, lang)
    text = paragraph(live.get("text")) if role != "counselor" else ""
    busy = "" if text else f'<span class="dt-wait">{escape(say(f"dialogue.busy.{role}"))}</span>'
    chosen = live.get("strategy")
    pending = {"strategy": chosen, "counselor": {"chosen": chosen, "ranking": live.get("ranking") or ()}}
    note = decision(pending, labels, say, fold="dt-fold-live") if chosen or live.get("ranking") else ""
    return (f'<div class="dt"><article class="dt-turn dt-live dt-{role}"><header class="dt-gutter">'
            f'<span class="dt-no">{len(turns) + 1}</span><span class="dt-role">{escape(say(f"dialogue.role.{role}"))}'
            f'</span></header><div class="dt-body"><p class="dt-text">{text}{busy}<span class="dt-caret"></span></p>'
            f'</div><aside class="dt-note">{note}</aside></article></div>')
