"""``run TASK``: do one thing, in this terminal or detached; the same function as on the page."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from workbench import registry
from workbench.contract import Json, Task, UserError
from workbench.files import dumps
from workbench.settings import Settings
from workbench.verbs import CANCELLED, FAILED, OK, Verb, asked, json_flag, print_json
from workbench.verbs.values import request_fields

if TYPE_CHECKING:
    from workbench.runs import Run
    from workbench.service import Service

OWNER = "cli"
EXIT = {"succeeded": OK, "paused": OK, "cancelled": CANCELLED}


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("task", help="its name; `launch.py tasks` lists them")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="one field; dots go inside (decoding.seed=3), values are JSON or text")
    parser.add_argument("--set-file", action="append", default=[], metavar="KEY=FILE",
                        help="one field from a text file")
    parser.add_argument("--example", action="store_true", help="begin with the example of the task")
    parser.add_argument("--title", default="", help="a name for the list of runs")
    parser.add_argument("--private", action="store_true", help="do not show the run to visitors of the page")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="train on N processes (accelerate)")
    parser.add_argument("--detach", action="store_true", help="start it and return; it outlives this terminal")
    json_flag(parser)


def _run(options: Namespace, settings: Settings) -> int:
    with asked():
        task = registry.task(options.task)
        fields = request_fields(task, options.set, options.set_file, options.example)
        if not 1 <= options.processes <= 64:
            raise UserError(f"--processes is {options.processes}; it must lie between 1 and 64.")
    from workbench.service import Service

    if task.kind != "job":
        return _stream(Service(settings), task, fields, options)
    if options.detach or options.processes > 1:
        return _submit(Service(settings), task, fields, options)
    from workbench.terminal import run_here

    run = run_here(settings, task.name, fields, owner=OWNER, shared=not options.private, title=options.title)
    return _finish(Service(settings), run, options)


def _submit(service: Service, task: Task, fields: Mapping[str, Json], options: Namespace) -> int:
    run_id = service.submit(task.name, fields, visitor=OWNER, title=options.title, shared=not options.private,
                            processes=options.processes)
    if options.detach:
        print_json({"id": run_id}, indent=None) if options.json else print(run_id)
        return OK
    print(f"run {run_id}", file=sys.stderr, flush=True)
    try:
        run, shown = service.wait(OWNER, run_id, 1.0), ""
        while run.active:
            line = f"{run.step}/{run.total} {run.message}" if run.total else run.message
            shown = _tell(line, shown)
            run = service.wait(OWNER, run_id, 1.0)
    except KeyboardInterrupt:
        service.cancel(OWNER, run_id, wait=True)
        run = service.run(OWNER, run_id)
    return _finish(service, run, options)


def _tell(line: str, shown: str) -> str:
    if line and line != shown:
        print(line, file=sys.stderr, flush=True)
    return line


def _finish(service: Service, run: Run, options: Namespace) -> int:
    """Say how a run ended and where its files are; with ``--json`` one line with its result."""
    result = service.result(OWNER, run.id)
    if options.json:
        print_json({"id": run.id, "status": run.status, "message": run.message, "failure": run.failure,
                    "path": str(run.path), "result": result}, indent=None)
        return EXIT.get(run.status, FAILED)
    print(f"{run.status}: {run.message}" if run.message else run.status)
    if run.failure:
        print(f"{run.failure['class']}: {run.failure['cause']} {run.failure['advice']}".strip(), file=sys.stderr)
    if run.status == "paused":
        print("It waits for a person: open the page (python3 launch.py) and the Runs tab.")
    if result is not None:
        print_json(result)
    print(f"files: {run.path}")
    return EXIT.get(run.status, FAILED)


def _stream(service: Service, task: Task, fields: Mapping[str, Json], options: Namespace) -> int:
    """Print the events of a call or stream as they come: text as text, the rest as JSON lines."""
    inside = False  # a line of text is open
    for event in service.stream(task.name, fields, visitor=OWNER):
        delta = event.get("delta") if isinstance(event, dict) and not options.json else None
        if isinstance(delta, str):
            print(delta, end="", flush=True)
        else:
            print_json(event, indent=None) if not inside else print(f"\n{dumps(event)}", flush=True)
        inside = isinstance(delta, str)
    if inside:
        print()
    return OK


VERBS = {"run": Verb("run one task", _arguments, _run)}
