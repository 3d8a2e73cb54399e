"""A conversation at every moment: what each part of the view shows, and what has changed since the last look."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from panels import run_list, run_watch
from panels import speech_talk_sound as sounds
from panels.run_watch import Parts
from panels.speech_desk import MOST, TALK
from panels.speech_talk_act import own, talk_of
from workbench.contract import TERMINAL, Json
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import gloss, say
from workbench.widgets import outcome, speech_talk, speech_talk_tone
from workbench.widgets.loose import finite, table, tables
from workbench.widgets.markup import duration, element, esc
from workbench.widgets.speech_talk import Look

FAST, SLOW = 0.3, 1.0
"""Seconds between two looks at a conversation whose process is there, and at one that sleeps."""
PARTS = ("strip", "turns", "live", "end", "course", "neutral", "tested", "facts")
CONTROLS = ("interrupt", "finish", "continue")
SHEET = Parts(PARTS, CONTROLS, {"pace": str(SLOW)}, refusal="end")


def tick(shell: Shell, run_id: str, sent: str, shown: str, request: gr.Request) -> Any:
    """One look at the run: an update for every part that has changed."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    count = int(shown) if shown.isdecimal() and len(shown) < 6 else speech_talk.WINDOW

    def read() -> tuple[Run, Mapping[str, Json], Json]:
        run = own(shell, request, run_id)
        return run, talk_of(shell, visitor, run), shell.service.live(visitor, run_id)

    def drawn(found: tuple[Run, Mapping[str, Json], Json]) -> dict[str, Json]:
        run, talk, live = found
        return looks(run, talk, live, run.owner == visitor, lang, count)
    return run_watch.tick(SHEET, run_id, sent, lang, read, drawn)


def looks(run: Run, talk: Mapping[str, Json], live: Json, mine: bool, lang: str,
          shown: int = speech_talk.WINDOW) -> dict[str, Json]:
    """What every part must show now, by name."""
    over = run.status == "succeeded" or talk.get("state") == "ended"
    asleep = run.status in ("failed", "cancelled", "lost")
    working = not over and not asleep and run.status != "paused" and talk.get("state") == "working"
    uncertain = talk.get("uncertain")
    look = Look(lang, run.id, mine and not over and not asleep, talk.get("hide") is not False,
                float(uncertain) if finite(uncertain) else 0.4, waves(run, talk, shown), shown)
    return {
        "strip": strip(run, talk, live, lang), "turns": speech_talk.conversation(talk, look),
        "live": speech_talk.unfinished(talk, live, look) if working else "", "end": ending(run, talk, lang),
        "course": course(talk, lang), "neutral": neutral(talk, lang), "tested": tested(talk, lang),
        "facts": facts(talk, lang), "interrupt": mine and working, "finish": mine and not over and not asleep,
        "continue": mine and asleep, "pace": str(FAST if run.status in ("queued", "running") else SLOW)}


def waves(run: Run, talk: Mapping[str, Json], shown: int) -> dict[str, str]:
    """Waves of the sounds of the shown turns, by name."""
    names = [Path(str(turn["audio"])).name for turn in tables(talk.get("turns"))[-shown - 1:] if turn.get("audio")]
    return {name: sounds.wave_of(run.path / "artifacts" / name) for name in names}


def strip(run: Run, talk: Mapping[str, Json], live: Json, lang: str) -> str:
    """Whose turn it is or what is being done; for the script the state and how many turns are done."""
    turns = tables(talk.get("turns"))
    done = sum(turn.get("done") is not False for turn in turns)
    state = str(talk.get("state") or "loading") if run.status not in TERMINAL else "ended"
    words = phase(run, talk, live, lang)
    figures = [(say(lang, "speech_talk.strip.turns"), str(len(turns)))]
    figures += [(say(lang, "speech_talk.strip.elapsed"), duration(run.seconds, lang))] if run.seconds else []
    cells = "".join(f"<span><em>{esc(name)}</em>{esc(value)}</span>" for name, value in figures)
    head = element("div", f'<i class="dt-dot"></i>{esc(words)}', class_="dt-phase", role="status")
    return element("div", head + element("div", cells, class_="dt-figures") + refused(talk, lang),
                   class_=f"dt dt-strip tk-strip dt-is-{run.status}", data_tk_state=state, data_tk_turns=done)


def phase(run: Run, talk: Mapping[str, Json], live: Json, lang: str) -> str:
    """One phrase for this moment; the run's own message while it begins."""
    if run.status in ("failed", "cancelled", "lost"):
        return say(lang, f"speech_talk.is.{run.status}")
    if run.status == "succeeded" or talk.get("state") == "ended":
        return say(lang, "speech_talk.is.ended")
    if not talk or run.status == "queued":
        return gloss(lang, run.message) or say(lang, "speech_talk.phase.loading")
    if talk.get("state") == "waiting" or run.status == "paused":
        return say(lang, "speech_talk.is.waiting")
    return speech_talk.phase_name(str(table(live).get("phase") or ""), lang)


def refused(talk: Mapping[str, Json], lang: str) -> str:
    """Why the last thing that was asked for was not done; nothing once something else was."""
    last = tables(talk.get("refused"))[-1:]
    applied = talk.get("applied")
    if not last or not isinstance(applied, int) or last[0].get("command") != applied - 1:
        return ""
    return element("p", esc(say(lang, "speech_talk.refused", why=last[0].get("why") or "")), class_="tk-problem",
                   role="alert")


def ending(run: Run, talk: Mapping[str, Json], lang: str) -> str:
    """Why the run failed, or that the conversation is over."""
    if run.status == "failed" and run.failure:
        return outcome.failure(str(run.failure.get("cause", "")), str(run.failure.get("advice", "")),
                               partial(say, lang))
    if run.status == "succeeded" or talk.get("state") == "ended":
        return element("p", esc(say(lang, "speech_talk.over")), class_="tk-over")
    return ""


def course(talk: Mapping[str, Json], lang: str) -> str:
    """The trajectory of the emotions, with how far people agree about voices."""
    chart = speech_talk_tone.trajectory(tables(talk.get("turns")), lang)
    if not chart:
        return ""
    head = element("h4", esc(say(lang, "speech_talk.course")))
    return element("div", head + chart + speech_talk_tone.human(lang), class_="tk")


def neutral(talk: Mapping[str, Json], lang: str) -> str:
    """Whether the voice of this speaker is known."""
    known = table(talk.get("calibration"))
    if not talk.get("calibrated"):
        return ""
    length = known.get("seconds")
    told = say(lang, "speech_talk.neutral.known", n=known.get("clips") or 1,
               seconds=f"{length:.1f}" if finite(length) else "–")
    return element("p", esc(told), class_="tk-good")


def tested(talk: Mapping[str, Json], lang: str) -> str:
    """What came of the self-test: every check with its two differences."""
    found = table(talk.get("selftest"))
    if not found:
        return ""
    passed = bool(found.get("passed"))
    rows = ""
    for check in tables(found.get("checks")):
        name = str(check.get("name") or "").replace(" ", "_")
        words = say(lang, f"speech_talk.test.{name}") if name in ("other_clip", "silence", "zeroed") else name
        cells = "".join(f"<td>{number(check.get(key))}</td>" for key in ("vectors", "logits"))
        good = "yes" if check.get("passed") else "no"
        told = esc(say(lang, f"speech_talk.test.{good}"))
        rows += f'<tr><th scope="row">{esc(words)}</th>{cells}<td>{told}</td></tr>'
    heads = "".join(f'<th scope="col">{esc(say(lang, f"speech_talk.test.{key}"))}</th>'
                    for key in ("check", "vectors", "logits", "differs"))
    verdict = element("p", esc(say(lang, f"speech_talk.test.{'passed' if passed else 'failed'}")),
                      class_="tk-good" if passed else "tk-problem")
    return element("div", verdict + f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>",
                   class_="tk tk-test")


def number(value: Json) -> str:
    """A difference with two digits that count; a dash for none."""
    return f"{value:.2g}" if finite(value) else "–"


def facts(talk: Mapping[str, Json], lang: str) -> str:
    """Which models take part."""
    models = table(talk.get("models"))
    rows = "".join(f"<div><dt>{esc(say(lang, f'speech_talk.model.{name}'))}</dt><dd>{esc(value)}</dd></div>"
                   for name in ("speech", "language", "recogniser") if (value := models.get(name)))
    return f'<dl class="wb-pairs tk-facts">{rows}</dl>' if rows else ""


def choices(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, run id) of this visitor's conversations, newest first."""
    return run_list.choices(shell, visitor, lang, (TALK,), MOST)
