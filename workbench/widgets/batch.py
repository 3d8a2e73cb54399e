"""A batch of dialogues at work: how many are done, how fast, why they ended and which strategies were used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

from workbench.contract import Json
from workbench.widgets import outcome, quality
from workbench.widgets.casefile import counts_bars

Say = Callable[..., str]


def figures(progress: Mapping[str, Json], seconds: float) -> tuple[int, int, float, float]:
    """Dialogues done, dialogues asked for, turns per second and new tokens per second.

    Turns of the running batch count too: ``turns`` of finished dialogues + ``running`` times ``turn``.
    """
    done, count = _whole(progress.get("done")), _whole(progress.get("count"))
    turns = _whole(progress.get("turns")) + _whole(progress.get("running")) * _whole(progress.get("turn"))
    if seconds <= 0:
        return done, count, 0.0, 0.0
    return done, count, turns / seconds, _whole(progress.get("tokens")) / seconds


def _whole(value: Json) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else 0


def progress(status: str, state: Mapping[str, Json], seconds: float, message: str, failure: Mapping[str, str] | None,
             labels: Mapping[str, str], say: Say) -> str:
    """The whole right side of the view; ``labels`` are names of strategies by key."""
    done, count, turns, tokens = figures(state, seconds)
    words = _words(status, state, message, say)
    cells = ((say("dialogue.many.done"), f"{done} / {count}" if count else str(done)),
             (say("dialogue.strip.elapsed"), outcome.duration(seconds)),
             (say("dialogue.many.turns"), f"{turns:.2f}" if turns else "–"),
             (say("dialogue.strip.speed"), say("dialogue.strip.rate", rate=f"{tokens:.1f}") if tokens else "–"))
    figure = "".join(f"<span><em>{escape(name)}</em>{escape(value)}</span>" for name, value in cells)
    share = 100 * done / count if count else 0.0
    strip = (f'<div class="dt dt-strip dt-is-{escape(status, quote=True)}"><div class="dt-phase" role="status">'
             f'<i class="dt-dot"></i>{escape(words)}</div><div class="dt-figures">{figure}</div>'
             f'<div class="dt-line"><span style="width:{share:.1f}%"></span></div></div>')
    failed = outcome.failure(str(failure.get("cause", "")), str(failure.get("advice", "")), say) if failure else ""
    return strip + failed + _counts(state, labels, say)


def _words(status: str, state: Mapping[str, Json], message: str, say: Say) -> str:
    if status != "running":
        return say(f"dialogue.many.{status}")
    if not _whole(state.get("tokens")):
        return message or say("dialogue.phase.loading")
    return say("dialogue.many.at", running=_whole(state.get("running")), turn=_whole(state.get("turn")) + 1)


def _counts(state: Mapping[str, Json], labels: Mapping[str, str], say: Say) -> str:
    reasons = state.get("stop_reasons")
    stops = outcome.stop_table(reasons, say) if isinstance(reasons, Mapping) else ""
    used = state.get("strategies")
    counts = [(labels.get(str(key), str(key)), value) for key, value in used.items()
              if isinstance(value, int) and value > 0] if isinstance(used, Mapping) else []
    mix = counts_bars(sorted(counts, key=lambda pair: -pair[1]))
    parts = ((say("dialogue.many.stops"), stops), (say("dialogue.case.mix"), mix))
    body = "".join(f"<section><h4>{escape(title)}</h4>{html}</section>" for title, html in parts if html)
    body += quality.counts(state, say)
    return f'<div class="dt dt-case dt-batch">{body}</div>' if body else ""
