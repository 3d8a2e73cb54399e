"""How far a run of the scenario engine is: types, rounds, candidates, scenarios and cards in one strip."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.contract import Json
from workbench.text import say
from workbench.widgets import outcome
from workbench.widgets.loose import finite
from workbench.widgets.markup import element, esc


def scenario_strip(status: str, state: Mapping[str, Json], seconds: float, message: str,
                   failure: Mapping[str, str] | None, lang: str) -> str:
    """Phase, figures and a line of progress; the failure below it."""
    types, target, seeds = (_whole(state.get(name)) for name in ("types", "target", "seeds"))
    cells, count = _whole(state.get("cells")), _whole(state.get("count"))
    figures = (("types", f"{types} / {target}" if target else "–"), ("rounds", str(_whole(state.get("rounds")))),
               ("rejected", str(_whole(state.get("rejected")))), ("cells", f"{cells} / {count}"),
               ("scenarios", str(_whole(state.get("scenarios")))), ("cards", str(_whole(state.get("cards")))),
               ("elapsed", outcome.duration(seconds)))
    told = "".join(element("span", element("em", esc(say(lang, f"scenarios.figure.{name}"))) + esc(value))
                   for name, value in figures)
    words = _words(status, state, message, lang)
    share = (min(types, target) - seeds + cells) / max(1, target - seeds + count) if target else 0.0
    line = f'<div class="dt-line"><span style="width:{100 * max(0.0, min(1.0, share)):.1f}%"></span></div>'
    phase = f'<div class="dt-phase" role="status"><i class="dt-dot"></i>{esc(words)}</div>'
    failed = outcome.failure(str(failure.get("cause", "")), str(failure.get("advice", "")),
                             lambda key, **values: say(lang, key, **values)) if failure else ""
    strip = f'<div class="dt dt-strip dt-is-{esc(status)}">{phase}<div class="dt-figures">{told}</div>{line}</div>'
    return strip + failed


def _words(status: str, state: Mapping[str, Json], message: str, lang: str) -> str:
    if status == "queued":
        return message or say(lang, "scenarios.queued")
    if status != "running":
        return say(lang, f"scenarios.{status}")
    phase = state.get("phase")
    if phase == "texts":
        return say(lang, "scenarios.writing")
    if phase == "types":
        dry, most = _whole(state.get("dry")), _whole(state.get("dry_rounds"))
        words = say(lang, "scenarios.evolving", round=_whole(state.get("rounds")) + 1)
        return f"{words} · {say(lang, 'scenarios.dry', n=dry, most=most)}" if dry else words
    return message or say(lang, "dialogue.phase.loading")


def _whole(value: Json) -> int:
    return int(value) if finite(value) and value >= 0 else 0
