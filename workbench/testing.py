"""The ``test`` verb: what the tests need from the system, then ruff, mypy and pytest.

Debian packages are installed where that is possible without asking (root and apt-get); elsewhere the tests that
need them skip, and the person is told which and why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from argparse import REMAINDER, ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from workbench.contract import UserError
from workbench.hub_cards import ROOT
from workbench.settings import Settings
from workbench.verbs import FAILED, OK

TOOLS = ("pytest", "pytest_timeout", "pytest_rerunfailures", "xdist", "playwright", "hypothesis", "ruff", "mypy")
CJK_FONTS = Path("/usr/share/fonts/opentype/noto")
CHROMIUM = "/usr/bin/chromium"
PAGE, WORKERS = "tests/browser", 4
"""The tests of the page, which run alone because they wait for what the machine does, and most processes for the others
(our default)."""


@dataclass(frozen=True)
class SystemPackage:
    """A Debian package, whether it is here, and what cannot be tested without it."""

    name: str
    here: bool
    skips: str


def system_packages() -> list[SystemPackage]:
    """What tests need besides Python."""
    browser = Path(CHROMIUM).exists() or shutil.which("chromium") is not None
    return [SystemPackage("chromium", browser, "every test in tests/browser"),
            SystemPackage("fonts-noto-cjk", any(CJK_FONTS.glob("*CJK*")), "the looks of Chinese text in screenshots"),
            *(SystemPackage(voice, shutil.which(voice) is not None, f"what {voice} says in tests of speech")
              for voice in ("espeak-ng", "flite"))]


def install_system_packages(packages: Sequence[SystemPackage]) -> list[SystemPackage]:
    """Install the missing ones with apt-get where this process may; returns those still missing."""
    missing = [package for package in packages if not package.here]
    if not missing or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return missing
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    names = [package.name for package in missing]
    print(f"Installing {', '.join(names)}", flush=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names]
    for command in (["apt-get", "update", "-qq"], install):
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if ended.returncode and command is install:
            print(ended.stderr[-1500:], file=sys.stderr)
    return [package for package in system_packages() if not package.here]


def arguments(parser: ArgumentParser) -> None:
    """Parts can be left out; what follows ``--`` goes to pytest."""
    parser.add_argument("--only", choices=("style", "types", "tests", "page"),
                        help="do only this part; tests: all but those of the page")
    parser.add_argument("pytest", nargs=REMAINDER, help="after --: paths and flags for pytest")


def steps(only: str | None, extra: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The parts with their commands, in order. With paths or flags of somebody's own, one process tests all of it."""
    python = sys.executable
    chosen = [item for item in extra if item != "--"]
    paths = [] if any((ROOT / item.split("::")[0]).exists() for item in chosen) else ["tests"]
    tests = [python, "-m", "pytest", "--timeout=300", "-ra"]
    parts = {"style": [python, "-m", "ruff", "check", "."], "types": [python, "-m", "mypy"]}
    if chosen and only == "page":
        parts["page"] = [*tests, *([PAGE] if paths else []), *chosen]
    elif chosen:
        parts["tests"] = [*tests, *paths, *chosen]
    else:
        parts |= {"tests": [*tests, *workers(), "tests", f"--ignore={PAGE}"], "page": [*tests, PAGE]}
    return [(name, command) for name, command in parts.items() if only in (None, name)]


def workers() -> list[str]:
    """A process for each processor; a file's tests stay together, since they share what is slow to make."""
    count = min(WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return ["-n", str(count), "--dist", "loadfile"] if count > 1 else []


def test(options: Namespace, settings: Settings) -> int:
    """Run the parts one after the other, all of them even when one fails; 0 when all went well."""
    absent = [name for name in TOOLS if find_spec(name) is None]
    if absent:
        raise UserError(f"The test tools are not installed: {', '.join(absent)}.",
                        advice="Run `python3 launch.py test`, which installs them, or install tests/requirements.txt.")
    if options.only in (None, "tests", "page"):
        for package in install_system_packages(system_packages()):
            print(f"{package.name} is not here: this skips {package.skips}. Debian: apt-get install {package.name}")
    results = [(name, *_timed(command)) for name, command in steps(options.only, options.pytest)]
    for name, code, seconds in results:
        print(f"{'ok    ' if code == 0 else 'FAILED'} {name} {seconds:.0f} s")
    return OK if all(code == 0 for _, code, _ in results) else FAILED


def _timed(command: Sequence[str]) -> tuple[int, float]:
    print(f"\n== {' '.join(command[1:])}", flush=True)
    began = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return code, time.monotonic() - began
