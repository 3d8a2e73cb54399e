"""The drawings of a scored set: the verdict, the confusion, the speakers, the clips, and one clip opened."""

from __future__ import annotations

from panels import speech_set_data as data
from panels.speech_set_data import Scored
from panels.speech_set_look import Look, cell
from workbench.contract import Json, UserError
from workbench.text import known, say
from workbench.widgets import outcome, speech_clips, speech_set, speech_wave
from workbench.widgets.loose import finite, listed, tables
from workbench.widgets.markup import duration, element
from workbench.widgets.speech_clips import emotion


def verdict(of: Scored, look: Look, lang: str) -> str:
    """Remarks first, then the scores and how they came about, then what was left out."""
    return (speech_set.remarks(tables(of.told.get("warnings")), lang)
            + speech_set.verdict(of.measures, of.chance, of.human, facts(of, lang), lang)
            + speech_set.faults(tables(of.told.get("faults")), whole(of.told.get("fault_count")), lang))


def facts(of: Scored, lang: str) -> list[tuple[str, str]]:
    """How the score came about, as names and values."""
    told = of.told
    by = str(told.get("told_by") or "")
    key = f"speech_set.by.{by.replace(' ', '_')}"
    rows = [("by", say(lang, key) if known(key) else by),
            ("scored", say(lang, "speech_set.scored", clips=f"{whole(told.get('clips')):,}",
                           speakers=f"{whole(told.get('speakers')):,}")),
            ("learned", say(lang, "speech_set.learned.folds", folds=whole(told.get("folds")),
                            clips=f"{whole(told.get('learned_on')):,}") if whole(told.get("folds")) > 1
             else f"{whole(told.get('learned_on')):,}" if whole(told.get("learned_on")) else ""),
            ("certain", say(lang, "speech_set.certain", share=speech_set.percent(data.share(told.get("certain"))),
                            limit=f"{100 * of.uncertain:.0f}")),
            ("references", f"{whole(told.get('references')):,}" if whole(told.get("references")) else ""),
            ("outside", f"{whole(told.get('outside')):,}" if whole(told.get("outside")) else ""),
            ("time", duration(float(told["encode_seconds"]), lang) if finite(told.get("encode_seconds")) else "")]
    return [(say(lang, f"speech_set.fact.{name}"), value) for name, value in rows if value]


def whole(value: Json) -> int:
    """A count; 0 for what is none."""
    return int(value) if finite(value) and value >= 0 else 0


def confusion(of: Scored, look: Look, lang: str) -> str:
    """The table of what was told of what."""
    return speech_set.confusion(of.classes, of.told.get("confusion"), listed(of.told.get("recall")), look.cell, lang)


def speakers(of: Scored, look: Look, lang: str) -> str:
    """Everybody's scores."""
    return speech_set.speakers(of.speakers, look.speaker, of.human, lang)


def listing(of: Scored, look: Look, lang: str) -> str:
    """The page of clips."""
    found = data.chosen(of, look)
    offset = look.page - look.page % speech_clips.PAGE if look.page < len(found) else 0
    return speech_clips.table(speech_clips.Listing(
        tuple(found[offset:offset + speech_clips.PAGE]), offset, len(found), len(of.clips), look.kind, look.sort,
        look.search, chips(look, lang), look.open, look.play), lang)


def chips(look: Look, lang: str) -> tuple[tuple[str, str], ...]:
    """What the list is narrowed to."""
    pair = cell(look.cell)
    made = [("cell", f"{emotion(pair[0], lang)} → {emotion(pair[1], lang)}")] if pair else []
    made += [("speaker", look.speaker)] if look.speaker else []
    return (*made, ("search", f"“{look.search}”")) if look.search else tuple(made)


def reader(of: Scored, look: Look, lang: str) -> str:
    """The opened clip; nothing where none is."""
    if not 0 <= look.open < len(of.clips):
        return ""
    one = of.clips[look.open]
    try:
        found = data.sound(of, look.open)
        heard = speech_wave.sound(found.drawn, lang, source=found.address, name=one.name)
        if look.play:
            heard = heard.replace("<audio ", "<audio autoplay ", 1)
    except UserError as error:
        heard = element("div", outcome.refusal(error.message, error.advice), class_="ss-gone")
    return speech_clips.reader(one, len(of.clips), of.chances[look.open], of.uncertain, heard, of.classes, lang)
