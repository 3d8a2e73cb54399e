"""A request as text: the shell command and the Python lines that do the same again."""

from __future__ import annotations

import dataclasses
import json
import pprint
import re
import shlex
from collections.abc import Mapping

from workbench import registry
from workbench.contract import Json, UserError
from workbench.fields import fields_of, from_json, to_json
from workbench.runs import RUN_ID

INSIDE = re.compile(rf"\brun:({RUN_ID.pattern})\b")
"""A reference to a run inside a longer text."""


def checked(task_name: str, fields: Mapping[str, Json]) -> dict[str, Json]:
    """The fields of a request with every default filled in. Raises ``UserError`` naming what is wrong."""
    task = registry.task(task_name)
    if not isinstance(fields, Mapping):
        raise UserError(f"The fields of {task_name} must be a table of names and values.")
    try:
        plain = to_json(from_json(task.request, fields))
        json.dumps(plain)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"The request for {task_name} does not fit: {error}.",
                        advice=f"Its fields are {', '.join(spec.name for spec in fields_of(task.request))}.") from error
    return dict(plain)


def runs_named(fields: Mapping[str, Json]) -> list[str]:
    """Ids of the runs that a request refers to as ``run:id`` or ``run:id/artifact``: in a text, in a list of texts, or
    inside a longer text such as a recipe. Tables are records of where something came from; they ask for nothing."""
    found: list[str] = []
    for value in fields.values():
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str):
                whole = re.match(r"\s*run:([^\s/]+)", text)
                found += [whole[1]] if whole else []
                found += INSIDE.findall(text)
    return list(dict.fromkeys(found))


def changed(task_name: str, fields: Mapping[str, Json]) -> dict[str, Json]:
    """Only the fields that differ from their defaults (all of them when the task is no longer known)."""
    try:
        request = registry.task(task_name).request
    except UserError:
        return dict(fields)
    needed = {f.name for f in dataclasses.fields(request)
              if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING}
    defaults = {spec.name: to_json(spec.default) for spec in fields_of(request) if spec.name not in needed}
    return {name: value for name, value in fields.items() if name not in defaults or defaults[name] != value}


def as_command(task_name: str, fields: Mapping[str, Json], processes: int = 1) -> str:
    """The shell command; text stays as it is, every other value is JSON."""
    parts = ["python3", "launch.py", "run", task_name]
    for name, value in changed(task_name, fields).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        parts += ["--set", f"{name}={text}"]
    if processes > 1:
        parts += ["--processes", str(processes)]
    return shlex.join(parts)


def as_python(task_name: str, fields: Mapping[str, Json], processes: int = 1) -> str:
    """A script, to be run in the project's folder with its interpreter."""
    literal = pprint.pformat(changed(task_name, fields), sort_dicts=False, width=100)
    extra = f", processes={processes}" if processes > 1 else ""
    return "\n".join([
        "from workbench.service import Service",
        "from workbench.settings import load_settings",
        "",
        "service = Service(load_settings())",
        f"fields = {literal}",
        f'run_id = service.submit({task_name!r}, fields, visitor="cli", shared=True{extra})',
        'run = service.wait("cli", run_id)',
        'print(run.status, run.message, service.result("cli", run_id))',
        ""])
