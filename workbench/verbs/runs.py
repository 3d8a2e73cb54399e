"""``runs`` and ``cancel``: what was done on this machine, and ending what is being done."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from workbench.contract import TERMINAL
from workbench.fields import to_json
from workbench.settings import Settings
from workbench.verbs import FAILED, OK, Verb, asked, json_flag, print_json, table

if TYPE_CHECKING:
    from workbench.runs import Run
    from workbench.service import Service


def _runs_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", help="show this run only")
    parser.add_argument("--task", default="", help="only runs of this task")
    parser.add_argument("--status", default="", help="only runs in this state")
    parser.add_argument("--limit", type=int, default=30, help="how many (30)")
    parser.add_argument("--share", metavar="ID", help="let every visitor of the page see this run")
    parser.add_argument("--hide", metavar="ID", help="take that back")
    parser.add_argument("--reindex", action="store_true", help="rebuild the index from the run folders")
    parser.add_argument("--log", action="store_true", help="with an ID: the end of its log")
    json_flag(parser)


def _runs(options: Namespace, settings: Settings) -> int:
    from workbench.service import Service

    service = Service(settings)
    if options.reindex:
        from workbench.store import Index

        count = Index(settings.home).reindex()
        print(f"{count} runs are in the index of {settings.home}.")
        return OK
    if options.share or options.hide:
        with asked():
            service.share("cli", options.share or options.hide, bool(options.share))
        return OK
    if options.id:
        with asked():
            run = service.run("cli", options.id)
        return _one(run, options, service)
    with asked():
        found, total = service.runs("cli", task=options.task, status=options.status, limit=options.limit)
    if options.json:
        print_json({"runs": [to_json(run) for run in found], "total": total})
    elif not found:
        print(f"There are no runs in {settings.home} yet. See what can be run: python3 launch.py tasks")
    else:
        print(table([_row(run) for run in found], ("id", "state", "task", "done", "when", "title")))
        print(f"{len(found)} of {total} runs" if total > len(found) else f"{total} run{'' if total == 1 else 's'}")
    return OK


def _one(run: Run, options: Namespace, service: Service) -> int:
    if options.log:
        print(service.log_tail("cli", run.id))
    elif options.json:
        print_json({**to_json(run), "request": service.request("cli", run.id), "result": service.result("cli", run.id)})
    else:
        print(table([(name, value) for name, value in to_json(run).items() if value not in ("", None, [], ())],
                    ("field", "value")))
    return OK


def _row(run: Run) -> tuple[object, ...]:
    done = f"{run.step}/{run.total}" if run.total else ""
    doing = run.message if run.status != "succeeded" else ""
    return (run.id, run.status, run.task, done, _ago(run.created), " - ".join(filter(None, [run.title, doing]))[:90])


def _ago(when: object) -> str:
    """A time as "3 min ago"; an empty text where none is known."""
    if not isinstance(when, int | float) or not when:
        return ""
    seconds = max(0.0, time.time() - when)
    for limit, size, unit in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h"), (float("inf"), 86400, "d")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit} ago"
    return ""


def _cancel_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", nargs="+", help="the run, or several")


def _cancel(options: Namespace, settings: Settings) -> int:
    from workbench.jobs import Jobs
    from workbench.service import Service

    service, code = Service(settings), OK
    for run_id in options.id:
        with asked():
            run = service.run("cli", run_id)
        if run.status in TERMINAL:
            print(f"{run_id} is {run.status} already.")
            continue
        Jobs(settings).cancel(run_id, wait=True)
        status = service.run("cli", run_id).status
        print(f"{run_id} is {status}.")
        code = code if status in ("cancelled", "succeeded") else FAILED
    return code


VERBS = {"runs": Verb("list the runs of this machine, newest first", _runs_arguments, _runs),
         "cancel": Verb("end a run", _cancel_arguments, _cancel)}
