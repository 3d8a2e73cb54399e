"""What a dialogue run is doing now and how it ended: the strip above a transcript and the cards below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from workbench.contract import Json
from workbench.widgets import private
from workbench.widgets.casefile import counts_bars
from workbench.widgets.loose import finite, table, tables

Say = Callable[..., str]
STOP_REASONS = ("want_to_stop", "goodbye", "relieved", "max_turns", "repetition", "safety", "budget", "user",
                "imported")
PHASES = ("loading model", "seeker", "counselor", "supporter")


def duration(seconds: float) -> str:
    """``75`` -> ``1:15``; hours when there are any."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def phase(status: str, dialogue: Mapping[str, Json], live: Json, message: str, say: Say) -> str:
    """One phrase for what happens this moment; the run's own message where it says more than we can."""
    if status in ("failed", "cancelled", "lost", "queued"):
        return say(f"dialogue.phase.{status}")
    if status == "succeeded" or dialogue.get("state") == "ended":
        return say("dialogue.phase.ended")
    if dialogue.get("state") == "waiting" and dialogue.get("waiting_for"):
        return say(f"dialogue.phase.waiting.{dialogue['waiting_for']}")
    if status == "paused":
        return say("dialogue.phase.paused")
    now = str(live.get("phase") or "") if isinstance(live, Mapping) else ""
    if now == "loading model" or (not now and message):
        return message or say("dialogue.phase.loading")
    if now in PHASES and not dialogue.get("turns") and not live.get("text"):
        return say("dialogue.phase.opening")  # a model that is still loading answers nothing
    return say(f"dialogue.busy.{now}") if now in PHASES else say("dialogue.phase.starting")


def speed(turns: Sequence[Mapping[str, Json]]) -> float | None:
    """New tokens per second over the turns that a model wrote (tokens and ``latency_ms`` of their meta)."""
    tokens = seconds = 0.0
    for turn in turns:
        meta = table(turn.get("meta"))
        made, took = meta.get("tokens"), meta.get("latency_ms")
        if finite(made) and finite(took) and took > 0:
            tokens += made
            seconds += took / 1000
    return tokens / seconds if seconds else None


def status_strip(status: str, dialogue: Mapping[str, Json], live: Json, *, seconds: float, message: str, limit: int,
                 say: Say) -> str:
    """Phase, turn count, elapsed time and speed in one line."""
    turns = tables(dialogue.get("turns"))
    fast = speed(turns)
    figures = [(say("dialogue.strip.turns"), f"{len(turns)} / {limit}" if limit else str(len(turns))),
               (say("dialogue.strip.elapsed"), duration(seconds)),
               (say("dialogue.strip.speed"), say("dialogue.strip.rate", rate=f"{fast:.1f}") if fast else "–")]
    cells = "".join(f"<span><em>{escape(name)}</em>{escape(value)}</span>" for name, value in figures)
    words = escape(phase(status, dialogue, live, message, say))
    done = max(0.0, min(1.0, len(turns) / limit)) if limit else 0.0
    return (f'<div class="dt dt-strip dt-is-{escape(status, quote=True)}"><div class="dt-phase" role="status">'
            f'<i class="dt-dot"></i>{words}</div><div class="dt-figures">{cells}</div>'
            f'<div class="dt-line"><span style="width:{100 * done:.1f}%"></span></div></div>')


def ending(dialogue: Mapping[str, Json], say: Say) -> str:
    """Why the dialogue ended and what became of the intensity; nothing while it runs."""
    reason = dialogue.get("stop_reason")
    if reason not in STOP_REASONS:
        return ""
    turns = tables(dialogue.get("turns"))
    levels = [level for turn in turns if (level := private.intensity(turn.get("private"))) is not None]
    change = say("dialogue.end.intensity", first=levels[0], last=levels[-1]) if len(levels) > 1 else ""
    return (f'<div class="dt"><div class="dt-end dt-end-{reason}"><b>{escape(say(f"dialogue.stop.{reason}"))}</b>'
            f'<span>{escape(say(f"dialogue.stop.{reason}.why"))}</span>'
            f'<span class="dt-num">{escape(say("dialogue.end.turns", count=len(turns)))} {escape(change)}</span>'
            f"</div></div>")


def failure(cause: str, advice: str, say: Say) -> str:
    """A run that failed, in the words of its failure record."""
    return (f'<div class="dt"><div class="dt-end dt-failed" role="alert"><b>{escape(say("dialogue.end.failed"))}</b>'
            f"<span>{escape(cause)}</span><span>{escape(advice)}</span></div></div>")


def refusal(message: str, advice: str) -> str:
    """Why there is nothing to show, in the words of the error."""
    return (f'<div class="dt"><div class="dt-end dt-failed" role="alert"><b>{escape(message)}</b>'
            f"<span>{escape(advice)}</span></div></div>")


def crisis_card(resources: Sequence[str], say: Say) -> str:
    """Where a real person in danger finds help; shown whenever a dialogue stops for safety."""
    rows = "".join(f"<li>{escape(str(line))}</li>" for line in resources)
    return (f'<div class="dt"><div class="dt-crisis" role="alert"><b>{escape(say("dialogue.crisis.title"))}</b>'
            f"<ul>{rows}</ul></div></div>")


def stop_table(counts: Mapping[str, Json], say: Say) -> str:
    """Stop reasons of many dialogues as bars, most frequent first."""
    known = [(say(f"dialogue.stop.{reason}") if reason in STOP_REASONS else str(reason), int(count))
             for reason, count in counts.items() if isinstance(count, int) and count > 0]
    return counts_bars(sorted(known, key=lambda pair: -pair[1]))
