"""``tasks``: what can be run here, with every field a task takes."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser, Namespace

from workbench import registry
from workbench.contract import Json, Knob, Task
from workbench.fields import describe, fields_of, to_json
from workbench.settings import Settings
from workbench.verbs import OK, Verb, asked, json_flag, print_json, table


def task_json(task: Task) -> dict[str, Json]:
    """A task as JSON: name, title, kind, what it needs, its example, and its fields with types and bounds."""
    return {"name": task.name, "title": task.title, "kind": task.kind, "needs": to_json(task.needs),
            "example": to_json(task.example), "fields": [_field(s.name, s.kind, s.default, s.knob)
                                                         for s in fields_of(task.request)]}


def _field(name: str, kind: object, default: Json, knob: Knob) -> dict[str, Json]:
    required = default is dataclasses.MISSING
    return {"name": name, "type": describe(kind), "required": required,
            "default": None if required else to_json(default), "help": knob.help, "low": knob.low, "high": knob.high,
            "step": knob.step, "group": knob.group, "shown_if": to_json(knob.shown_if), "widget": knob.widget}


def _bounds(field: dict[str, Json]) -> str:
    low, high = field["low"], field["high"]
    if low is None and high is None:
        return ""
    return f"{'' if low is None else format(low, 'g')}..{'' if high is None else format(high, 'g')}"


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="one task, with its fields")
    json_flag(parser)


def _tasks(options: Namespace, settings: Settings) -> int:
    with asked():
        found = [registry.task(options.name)] if options.name else list(registry.tasks().values())
    if options.json:
        print_json([task_json(task) for task in found])
    elif options.name:
        _one(found[0])
    else:
        print(table([(task.name, task.kind, task.title) for task in found], ("task", "kind", "what it does")))
        print("\nFields of one: python3 launch.py tasks NAME. Run one: python3 launch.py run NAME --set KEY=VALUE")
    return OK


def _one(task: Task) -> None:
    described = task_json(task)
    print(f"{task.name}: {task.title} ({task.kind})\n")
    rows = [(field["name"], field["type"], _bounds(field),
             "(must be given)" if field["required"] else repr(field["default"])[:40], field["help"])
            for field in described["fields"]]
    print(table(rows, ("field", "type", "bounds", "default", "meaning")))


VERBS = {"tasks": Verb("list what can be run, or the fields of one task", _arguments, _tasks)}
