"""From a role's projection to a prompt. Nothing but :mod:`views` calls these, and they see nothing else.

Every prompt begins with what stays (the system text), goes on with what grows (the history) and ends with this
turn's instruction, so that a turn shares a long token prefix with the one before and the engine can reuse it.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.common.language import Message, Prompt
from backends.sweetiechat.aims import details_of
from backends.sweetiechat.objects import Strategy
from backends.sweetiechat.projections import CounselorView, Line, SeekerView, SupporterView
from backends.sweetiechat.wording import Voice, Wording
from workbench.contract import Json


def seeker(view: SeekerView, wording: Wording, voice: Voice, task: str, key: str, pick: int) -> Prompt:
    """The seeker's prompt: ``speak``, ``json`` (utterance and state together) or ``state`` (to be scored)."""
    part = wording.part("seeker")
    facts = card_fields(view, wording)
    system = part["small" if voice.small else "system"].format(**facts)
    if task == "json":
        system += "\n" + part["json"].format()
        now, begin = str(part["json_now"]), ""
    elif task == "state":
        now = part["state_now"].format(emotion=view.scenario.emotion)
        begin = part["state_begin"].format(emotion=view.scenario.emotion)
    else:
        aim, named = part["aims"][view.aim.kind], {**facts, **aim_fields(view, wording)}
        tell = aim.get("tell_small", "") if voice.small else aim["tell"]
        now = f"({tell.format(**named)})" if tell else ""
        begin = _pick(aim["begin"], pick).format(**named) if voice.small else ""
    lines = [Line("supporter", str(wording.table["greeting"])), *view.lines]
    return _chat(system, lines, "seeker", now, begin, wording, voice, key)


def card_fields(view: SeekerView, wording: Wording) -> dict[str, str]:
    """What the templates of the seeker may name, as plain text."""
    part, card, scenario = wording.part("seeker"), view.card, view.scenario
    about = {name: str(getattr(card, name, "") or "") for name in ("age_band", "gender", "occupation", "family")}
    about["personality"] = ", ".join(card.personality) if card else ""
    details = [template.format(getattr(scenario, name)) for name, template in part["details"].items()
               if getattr(scenario, name)]
    hidden = card.hidden_facts if card else ()
    return {
        "who": _listing(part["who"].format(**about)), "who_small": _listing(part["who_small"].format(**about)),
        "situation": scenario.situation, "emotion": scenario.emotion, "intensity": str(scenario.intensity_0),
        "details": " ".join(details), "opening": card.opening if card else "",
        "talk_style": part["talk_styles"][card.talk_style if card else "guarded"],
        "openness": str(card.openness if card else 3), "facts_line": " ".join(hidden),
        "facts": "\n".join(f"{number}. {fact}" for number, fact in enumerate(hidden, 1)) or "-",
    }


def aim_fields(view: SeekerView, wording: Wording) -> dict[str, str]:
    """What the templates of one aim may name: the fact to tell and the first words of the card's texts."""
    card, scenario, aim = view.card, view.scenario, view.aim
    fact = card.hidden_facts[aim.item] if card and aim.kind == "reveal" and aim.item is not None else ""
    detail = details_of(scenario)[aim.item] if aim.kind == "detail" and aim.item is not None else ""
    tried, goal = (text[:1].lower() + text[1:] for text in (scenario.tried_already, scenario.goal_of_seeker))
    opening = card.opening if card and card.opening else ""
    return {"fact": fact, "fact_start": wording.beginning(fact, "fact"),
            "detail": detail, "detail_start": wording.beginning(detail, "fact"), "tried": tried, "goal": goal,
            "tried_start": wording.beginning(tried, "tried"), "goal_start": wording.beginning(goal, "tried"),
            "time_frame": scenario.time_frame,
            "opening_start": wording.beginning(opening, "opening") if opening
            else wording.beginning(scenario.situation, "situation")}


def _listing(text: str) -> str:
    """A list with gaps where the card says nothing, without the gaps."""
    return ", ".join(part.strip() for part in text.split(",") if part.strip() not in ("", "a")).strip()


def counselor(view: CounselorView, wording: Wording, voice: Voice, task: str, key: str, problem: str) -> Prompt:
    """The counselor's prompt: ``decide`` and ``repair`` (JSON), ``score`` and ``null`` (labels to be scored)."""
    part = wording.part("counselor")
    scored = task in ("score", "null")
    system = _strategies(view, wording, short=scored)
    lines = _without_content(wording) if task == "null" else view.lines
    transcript = part["transcript"].format(lines=_transcript(lines, view, wording))
    labels = {item.key: item.label(view.language) for item in view.strategies}
    if scored:
        now, begin = str(part["score_now"]), str(part["score_begin"])
        key = f"{key}/null" if task == "null" else key
    else:
        used = ", ".join(labels.get(name, name) for name in view.used) or str(part["nobody_yet"])
        now, begin = part["decide"].format(used=used, turn=view.turn), ""
    if task == "repair":
        now += "\n" + part["repair"].format(problem=problem, keys=", ".join(labels))
    if not voice.chat:
        return Prompt(text=f"{system}\n\n{transcript}\n{now}\n{begin}", key=key)
    messages = (Message("system", system), Message("user", f"{transcript}\n\n{now}"))
    return Prompt(messages=messages, prefill=begin if voice.prefill else "", key=key)


def _without_content(wording: Wording) -> tuple[Line, ...]:
    texts = wording.table["null_talk"]
    return tuple(Line("supporter" if number % 2 else "seeker", text) for number, text in enumerate(texts))


def _strategies(view: CounselorView, wording: Wording, *, short: bool) -> str:
    part = wording.part("counselor")
    rows = [part["strategy_line_short" if short else "strategy_line"].format(
        key=item.key, label=item.label(view.language), definition=item.definition(view.language),
        gist=_gist(item, view), stage=item.stage) for item in view.strategies]
    if short:
        return str(part["small"]).format(strategies_short="\n".join(rows))
    return str(part["system"]).format(strategies="\n".join(rows))


def _gist(item: Strategy, view: CounselorView) -> str:
    definition = item.definition(view.language)
    for mark in (". ", "。"):
        definition = definition.split(mark)[0]
    return definition.rstrip(".。")


def _transcript(lines: Sequence[Line], view: CounselorView, wording: Wording) -> str:
    labels = {item.key: item.label(view.language) for item in view.strategies}
    rows = []
    for line in lines:
        used = wording.part("counselor")["used"].format(label=labels[line.used]) if line.used in labels else ""
        rows.append(f"{wording.speaker(line.role)}{used}: {line.text}")
    return "\n".join(rows) or str(wording.table["nothing_said"])


def supporter(view: SupporterView, wording: Wording, voice: Voice, key: str, pick: int) -> Prompt:
    """The supporter's prompt: the public talk, and the one strategy that the reply must carry out."""
    part = wording.part("supporter")
    system = str(part["small" if voice.small else "system"])
    now = _now_small(view, wording) if voice.small else _now(view, part)
    openers = part["openers"].get(wording.near(view.strategy.key), ()) if view.strategy and voice.small else ()
    return _chat(system, view.lines, "supporter", now, _pick(openers, pick), wording, voice, key)


def _pick(choices: Sequence[str], pick: int) -> str:
    return str(choices[pick % len(choices)]) if choices else ""


def _now(view: SupporterView, part: Json) -> str:
    if view.strategy is None:
        return str(part["now_free"])
    text = part["now"].format(label=view.strategy.label(view.language), rationale=view.rationale,
                              definition=view.strategy.definition(view.language), address=view.address)
    return " ".join(text.split())


def _now_small(view: SupporterView, wording: Wording) -> str:
    part, item = wording.part("supporter"), view.strategy
    if item is None:
        return str(part["now_small_free"])
    act = part["acts"].get(wording.near(item.key)) or item.definition(view.language) or item.label(view.language)
    return str(part["now_small"].format(act=act))


def _chat(system: str, lines: Sequence[Line], own: str, now: str, begin: str, wording: Wording, voice: Voice,
          key: str) -> Prompt:
    """History as a chat in which ``own`` is the assistant, or as a script; the instruction comes last."""
    if not voice.chat:
        rows = [f"{wording.speaker(line.role)}: {line.text}" for line in lines]
        label = wording.speaker("seeker" if own == "seeker" else "supporter")
        end = f"{now}\n{label}:" if now else f"{label}:"
        return Prompt(text="\n".join([system, "", *rows, end]), prefill=f" {begin}" if begin else "", key=key)
    messages = [Message("system", system)]
    for line in lines:
        role = "assistant" if line.role == own else "user"
        if messages[-1].role == role:
            messages[-1] = Message(messages[-1].role, f"{messages[-1].content}\n{line.text}")
        else:
            messages.append(Message("assistant" if role == "assistant" else "user", line.text))
    if now or messages[-1].role != "user":
        heard = messages.pop().content + "\n\n" if messages[-1].role == "user" else ""
        messages.append(Message("user", (heard + now).strip() or "..."))
    return Prompt(messages=tuple(messages), prefill=begin if voice.prefill else "", key=key)

