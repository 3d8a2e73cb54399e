"""``doctor``: every check of this machine and this copy of the project, each with one line of advice."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from workbench.fields import to_json
from workbench.settings import Settings
from workbench.verbs import FAILED, OK, json_flag, print_json

Grade = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """What one check found. ``advice`` says what to do, and is empty where all is well."""

    name: str
    grade: Grade
    detail: str
    advice: str = ""


Check = Callable[[Settings], Iterable[Finding]]


def arguments(parser: ArgumentParser) -> None:
    """``--online`` also asks the model hub; nothing else here uses the network."""
    parser.add_argument("--online", action="store_true", help="also ask whether the model hub can be reached")
    json_flag(parser)


def examine(settings: Settings, online: bool = False) -> Iterator[Finding]:
    """Run every check. One that breaks is itself a finding, so that the others still run."""
    from workbench.doctor_machine import CHECKS as MACHINE
    from workbench.doctor_machine import hub_reachable
    from workbench.doctor_project import CHECKS as PROJECT

    checks: list[Check] = [*MACHINE, *PROJECT]
    if online:
        checks.append(hub_reachable)
    for check in checks:
        try:
            yield from check(settings)
        except Exception as error:  # whatever a broken installation raises is what doctor is here to show
            yield Finding(check.__name__.replace("_", " "), "fail", f"{type(error).__name__}: {error}",
                          "This check itself could not run; the message says what it stumbled on.")


def doctor(options: Namespace, settings: Settings) -> int:
    """Print every finding as it comes; the exit code is 1 when one of them failed."""
    found = []
    for finding in examine(settings, options.online):
        found.append(finding)
        if not options.json:
            print(f"{finding.grade:<5}{finding.name}: {finding.detail}", flush=True)
            if finding.advice:
                print(f"     -> {finding.advice}", flush=True)
    failed = sum(finding.grade == "fail" for finding in found)
    if options.json:
        print_json({"findings": to_json(found), "failed": failed, "home": str(settings.home)})
    else:
        warned = sum(finding.grade == "warn" for finding in found)
        print(f"\n{len(found)} checks: {failed} failed, {warned} to look at")
    return FAILED if failed else OK
