"""A spoken conversation: for each turn the sound, what was said, how it was said, and the replies beside one another.

Pure functions from ``talk.json`` and ``live.json`` to HTML. Every text that a person, a recogniser or a model wrote is
escaped here. While a vote is to be blind, nothing that is sent tells which reply is whose: no name, no time, no class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from workbench.contract import Json
from workbench.text import say
from workbench.widgets import speech_talk_times as times
from workbench.widgets import speech_talk_tone as tone
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.markup import element, esc

WINDOW = 40
"""Turns that are drawn at once; earlier ones come on request (our default)."""
SIDES = ("speech", "cascade")
LETTERS = "AB"
CHOICES = ("a", "same", "b")


@dataclass(frozen=True)
class Look:
    """For whom a conversation is drawn: language, its run, whether its owner may act on it now, whether votes are
    blind, waves (SVG) by the name of the sound, and how many turns are shown."""

    lang: str
    run: str = ""
    acts: bool = False
    blind: bool = True
    uncertain: float = 0.4
    waves: Mapping[str, str] = field(default_factory=dict)
    shown: int = WINDOW


def address(run: str, name: str) -> str:
    """Where a sound of a run lies; whoever asks for it is asked for rights again."""
    return f"/workbench/runs/{quote(run)}/{quote(name)}"


def conversation(talk: Mapping[str, Json], look: Look) -> str:
    """Every turn that is done, the last ``look.shown`` of them; nothing before the first. An earlier turn that is being
    answered again keeps its place, dimmed, while its new replies grow below."""
    turns = tables(talk.get("turns"))
    last = len(turns) - 1
    done = [(place, turn) for place, turn in enumerate(turns) if turn.get("done") is not False or place < last]
    first = max(0, len(done) - max(1, look.shown))
    earlier = element("button", esc(say(look.lang, "speech_talk.earlier", n=first)), type="button",
                      class_="wb-link tk-earlier", data_act="earlier") if first else ""
    rows = "".join(_turn(place, turn, look, tone.allowed(talk)) for place, turn in done[first:])
    return element("div", earlier + rows, class_="tk") if rows else ""


def unfinished(talk: Mapping[str, Json], live: Json, look: Look) -> str:
    """The turn that is being worked on: what is known of it, and the replies as far as they have come."""
    now, turns = table(live), tables(talk.get("turns"))
    place = next((place for place, turn in enumerate(turns) if turn.get("done") is False), None)
    phase = str(now.get("phase") or "")
    if talk.get("state") != "working" and place is None:
        return ""
    turn = turns[place] if place is not None else {}
    partial = {side: text for side in SIDES if (text := str(now.get(side) or ""))}
    number = place if place is not None else len(turns)
    head = element("header", f"<b>{number + 1}</b>", class_="tk-no")
    said = _said(number, turn, look) if turn.get("transcript") or turn.get("audio") else ""
    hears = tone.bars(tone.reading(turn), look.uncertain, look.lang)
    cards = "".join(_card(letter, side, {"text": partial.get(side, "")}, look, _named(turn, look), growing=True)
                    for letter, side in zip(LETTERS, _sides(turn), strict=False) if partial)
    wait = "" if partial else element("p", f'<i class="tk-dots"></i>{esc(phase_name(phase, look.lang))}',
                                      class_="tk-wait")
    body = element("div", element("div", said, class_="tk-words") + hears, class_="tk-said") if said or hears else ""
    return element("div", element("article", head + element("div", body + element(
        "div", cards, class_="tk-replies") + wait, class_="tk-body"), class_="tk-turn tk-live"), class_="tk")


def phase_name(phase: str, lang: str) -> str:
    """What is being done, in words; "working" for a phase this page does not know."""
    known = ("loading", "listening", "transcribing", "replying", "speaking")
    return say(lang, f"speech_talk.phase.{phase if phase in known else 'working'}")


def _sides(turn: Mapping[str, Json]) -> list[str]:
    return [str(side) for side in listed(turn.get("sides")) if side in SIDES]


def _named(turn: Mapping[str, Json], look: Look) -> bool:
    """Whether the replies of a turn may say whose they are."""
    return not look.blind or len(_sides(turn)) < 2 or bool(table(turn.get("vote")))


def _turn(place: int, turn: Mapping[str, Json], look: Look, allowed: Sequence[str]) -> str:
    head = element("header", f"<b>{place + 1}</b>", class_="tk-no")
    words = element("div", _said(place, turn, look) + _troubles(turn, look.lang) + _corrected(turn, look.lang)
                    + _tools(place, turn, look, allowed), class_="tk-words")
    hears = tone.bars(tone.reading(turn), look.uncertain, look.lang)
    return element("article", head + element("div", element("div", words + hears, class_="tk-said")
                                             + _replies(place, turn, look), class_="tk-body"),
                   class_="tk-turn tk-again" if turn.get("done") is False else "tk-turn")


def _said(place: int, turn: Mapping[str, Json], look: Look) -> str:
    """The sound with its wave, and what was said."""
    name, length = str(turn.get("audio") or ""), turn.get("seconds")
    sound = ""
    if name:
        number = f"{length:.1f} s" if finite(length) else ""
        wave = element("span", look.waves.get(name, "") + '<i class="tk-now"></i>', class_="tk-wave")
        sound = element("div", play(address(look.run, name), say(look.lang, "speech_talk.play", n=place + 1))
                        + wave + f"<em>{esc(number)}</em>", class_="tk-sound")
    text = str(turn.get("transcript") or "")
    return sound + (element("p", f"<bdi>{esc(text)}</bdi>", class_="tk-text") if text else "")


def play(source: str, label: str) -> str:
    """A button that plays a sound, and stops it; the sound itself is the page's one player."""
    return element("button", "", type="button", class_="tk-play", data_tk_play=source, aria_label=label, title=label,
                   aria_pressed="false")


def _troubles(turn: Mapping[str, Json], lang: str) -> str:
    """Silence, or what was wrong with the sound; small remarks about it below."""
    told = ""
    if turn.get("problem"):
        told = element("p", esc(turn["problem"]), class_="tk-problem", role="alert")
    elif turn.get("silence"):
        told = element("p", esc(say(lang, "speech_talk.silence")), class_="tk-silence")
    notes = " · ".join(str(note) for note in listed(turn.get("notes")))
    return told + (element("p", esc(notes), class_="tk-notes") if notes else "")


def _corrected(turn: Mapping[str, Json], lang: str) -> str:
    rows = []
    for change in tables(turn.get("corrections")):
        name = str(change.get("field") or "")
        if name not in ("transcript", "emotion"):
            continue
        was, now = (tone.name_of(str(change.get(key) or ""), lang) if name == "emotion" else str(change.get(key) or "")
                    for key in ("was", "now"))
        rows.append(element("p", f'{esc(say(lang, f"speech_talk.corrected.{name}"))} <del>{esc(was or "–")}</del> '
                                 f"<ins>{esc(now)}</ins>", class_="tk-was"))
    return "".join(rows)


def _tools(place: int, turn: Mapping[str, Json], look: Look, allowed: Sequence[str]) -> str:
    """Links under what was said: look at the sound, correct, and the same words in another tone."""
    links = [_press("look", place, "", say(look.lang, "speech_talk.look"))] if turn.get("audio") else []
    if look.acts and turn.get("replies"):
        links.append(_press("correct", place, "", say(look.lang, "speech_talk.correct")))
    if look.acts and turn.get("replies") and turn.get("transcript"):
        made = {str(other.get("emotion")) for other in tables(turn.get("what_if"))}
        label = tone.reading(turn).label
        names = "".join(_press("what_if", place, name, tone.name_of(name, look.lang), name in made or name == label)
                        for name in allowed)
        links.append(element("span", f"<span>{esc(say(look.lang, 'speech_talk.what_if'))}</span>{names}",
                             class_="tk-ifs"))
    return element("div", "".join(links), class_="tk-tools") if links else ""


def _press(act: str, place: int, key: str, label: str, off: bool = False) -> str:
    return element("button", esc(label), type="button", class_="wb-link", data_act=act, data_turn=place,
                   data_key=key or None, disabled=off)


def _replies(place: int, turn: Mapping[str, Json], look: Look) -> str:
    """The replies in their drawn order, the vote, what would have been said in another tone, and the times."""
    sides, named, replies = _sides(turn), _named(turn, look), table(turn.get("replies"))
    cards = "".join(_card(letter if len(sides) > 1 else "", side, table(replies.get(side)), look, named,
                          str(table(turn.get("vote")).get("side") or ""))
                    for letter, side in zip(LETTERS, sides, strict=False) if side in replies)
    if not cards:
        return ""
    other = "".join(element("p", f"<b>{esc(say(look.lang, 'speech_talk.as_if', emotion=emotion))}</b> "
                                 f"<bdi>{esc(made.get('text') or '')}</bdi>", class_="tk-if")
                    for made in tables(turn.get("what_if"))
                    if (emotion := tone.name_of(str(made.get("emotion") or ""), look.lang)))
    took = times.breakdown(turn, sides, look.lang) if named else times.waited(turn, look.lang)
    return (element("div", cards, class_="tk-replies") + _vote(place, turn, look, sides, named)
            + (element("div", other, class_="tk-others") if other else "") + took)


def _card(letter: str, side: str, reply: Mapping[str, Json], look: Look, named: bool, winner: str = "",
          growing: bool = False) -> str:
    """One reply. ``named`` is False while a blind vote is open: then only its letter is told."""
    name = say(look.lang, f"speech_talk.side.{side}") if named else ""
    chosen = named and winner == side
    head = "".join((f"<b>{letter}</b>" if letter else "", f"<span>{esc(name)}</span>" if name else "",
                    f'<i class="tk-won">{esc(say(look.lang, "speech_talk.won"))}</i>' if chosen else ""))
    voice = str(reply.get("voice") or "")
    listen = play(address(look.run, voice), say(look.lang, "speech_talk.play.reply", letter=letter)) if voice else ""
    caret = '<i class="tk-caret"></i>' if growing else ""
    text = element("p", f"<bdi>{esc(reply.get('text') or '')}</bdi>{caret}", class_="tk-reply-text")
    return element("section", (element("header", listen + head) if head or listen else "") + text
                   + _remarks(reply, look.lang), class_="tk-reply" + " tk-chosen" * chosen)


def _remarks(reply: Mapping[str, Json], lang: str) -> str:
    found = []
    if reply.get("finish") in ("length", "interrupted"):
        found.append(say(lang, f"speech_talk.finish.{reply['finish']}"))
    if finite(dropped := reply.get("dropped")) and dropped > 0:
        found.append(say(lang, "speech_talk.dropped", n=int(dropped)))
    return element("p", esc(" · ".join(found)), class_="tk-notes") if found else ""


def _vote(place: int, turn: Mapping[str, Json], look: Look, sides: Sequence[str], named: bool) -> str:
    """The three choices, or what was chosen; nothing where there is one reply."""
    if len(sides) < 2 or any(not table(table(turn.get("replies")).get(side)).get("text") for side in sides):
        return ""
    given = table(turn.get("vote"))
    if given:
        side = str(given.get("side") or "same")
        told = say(look.lang, f"speech_talk.voted.{side if side in SIDES else 'same'}")
        return element("p", esc(told), class_="tk-voted")
    if not look.acts:
        return ""
    buttons = "".join(element("button", esc(say(look.lang, f"speech_talk.vote.{choice}")), type="button",
                              class_="wb-small", data_act="vote", data_turn=place, data_key=choice)
                      for choice in CHOICES)
    return element("div", f"<span>{esc(say(look.lang, 'speech_talk.vote'))}</span>{buttons}"
                   + ("" if named else f"<em>{esc(say(look.lang, 'speech_talk.vote.blind'))}</em>"), class_="tk-vote")
