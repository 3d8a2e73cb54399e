"""How far a run is, and why it failed: the two things that are read first."""

from __future__ import annotations

import re
from collections.abc import Mapping

from workbench import text
from workbench.failures import ADVICE
from workbench.runs import Run
from workbench.text import say
from workbench.widgets.markup import duration, element, esc, pairs


def progress(run: Run, lang: str) -> str:
    """Bar, step, time taken and left, and the run's last message."""
    share = min(1.0, run.step / run.total) if run.total else None
    done = say(lang, "runs.steps", step=run.step, total=run.total) if run.total else (
        say(lang, "runs.step", step=run.step) if run.step else "")
    took = run.seconds if run.seconds < 10 or run.finished else float(int(run.seconds))
    facts = [done, duration(took, lang) if run.started else "", _left(run, lang)]
    percent = f"{share:.0%}" if share is not None and run.status != "succeeded" else ""
    bar = ""
    if share is not None or run.active:
        bar = element("div", f'<i style="width:{(share or 0):.1%}"></i>', class_="wb-bar-track" + (
            " wb-unknown" if share is None and run.status == "running" else ""), role="progressbar", aria_valuemin=0,
            aria_valuemax=100, aria_valuenow=round((share or 0) * 100), aria_label=say(lang, "runs.progress"))
    line = element("p", f"<b>{percent}</b> " * bool(percent) + esc(" · ".join(f for f in facts if f)),
                   class_="wb-facts")
    message = element("p", esc(run.message), class_="wb-message") if run.message and not run.failure else ""
    return element("div", bar + line + message, class_=f"wb-progress wb-is-{run.status}")


def _left(run: Run, lang: str) -> str:
    if run.status != "running" or not run.total or not 0 < run.step < run.total or run.seconds < 5:
        return ""
    left = run.seconds / run.step * (run.total - run.step)
    return say(lang, "runs.left", t=duration(max(1.0, float(f"{left:.1g}")), lang))


def failure_card(failure: Mapping[str, str] | None, lang: str) -> str:
    """Class, cause and advice of a failed run. Class and usual advice are translated, the rest is as it was written."""
    if not failure:
        return ""
    kind, advice = str(failure.get("class", "bug")), failure.get("advice", "")
    slug = kind.replace(" ", "_")
    title = say(lang, f"failure.{slug}") if text.known(f"failure.{slug}") else kind
    if advice == ADVICE.get(kind) and text.known(f"advice.{slug}"):
        advice = say(lang, f"advice.{slug}")
    rows = [(say(lang, "runs.failure.cause"), failure.get("cause", "")), (say(lang, "runs.failure.advice"), advice)]
    inner = pairs((esc(term), _code(value)) for term, value in rows)
    return element("section", f"<h3>{esc(title)}</h3>{inner}", class_="wb-failure", role="alert")


def _code(value: str) -> str:
    """Escaped, with `` `code` `` set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", esc(value))
