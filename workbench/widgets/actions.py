"""The row of actions under every output: which run made it, run again, copy as command or Python."""

from __future__ import annotations

from workbench.contract import UserError
from workbench.service import Service
from workbench.text import say
from workbench.widgets.badge import run_badge
from workbench.widgets.markup import copy_button, element, esc, open_link


def bar(service: Service, visitor: str, run_id: str, lang: str) -> str:
    """The row as HTML; a short sentence instead when the run is gone or not this visitor's."""
    try:
        service.run(visitor, run_id)
    except UserError as error:
        return element("p", esc(error), class_="wb-dim")
    badge = run_badge(as_list(service.inputs(visitor, run_id)), service.result(visitor, run_id), lang)
    parts = [element("code", esc(run_id), title=say(lang, "run.id")), badge,
             open_link("runs", run_id, say(lang, "actions.again"), verb="again"),
             *copies(service, visitor, run_id, lang),
             open_link("runs", run_id, say(lang, "actions.open"))]
    return element("div", "".join(part for part in parts if part), class_="wb-bar")


def copies(service: Service, visitor: str, run_id: str, lang: str) -> list[str]:
    """The two copy buttons."""
    return [copy_button(service.as_command(visitor, run_id), say(lang, "actions.command")),
            copy_button(service.as_python(visitor, run_id), say(lang, "actions.python"))]


def as_list(inputs: object) -> list[dict[str, object]]:
    """``inputs.json`` (a table by reference) as a list of resources, whatever a hand-edited file holds."""
    if isinstance(inputs, dict):
        inputs = [{"reference": name, **item} for name, item in inputs.items() if isinstance(item, dict)]
    return [item for item in inputs if isinstance(item, dict)] if isinstance(inputs, list) else []
