"""The .venv beside launch.py: made from the pinned lists, repaired when it was left half-made, else left alone.

Standard library only: this is what runs before anything is installed. Everything that pip prints is kept in
``.venv/setup.log``; the person sees one line a phase.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LISTS = {"base": "requirements.txt", "test": "tests/requirements.txt"}
NEED_GB = 4.0
"""2.4 GB installed and the downloads on the way, measured with the CPU build of torch."""
ROOM = f"About {NEED_GB:g} GB are needed (10 GB with a CUDA build of torch)."
PIP = ("-m", "pip", "install", "--only-binary", ":all:", "--progress-bar", "off", "--no-input",
       "--disable-pip-version-check")
REASONS = (
    (r"no space left", f"the disk is full. {ROOM}"),
    (r"ensurepip is not|no module named '?(venv|ensurepip)", "this Python cannot make environments. Install its venv "
     "package (on Debian or Ubuntu: apt-get install python3-venv) and start again."),
    (r"read-only file system|permission denied", "the folder cannot be written. Copy the project to one of yours."),
    (r"name resolution|failed to establish|unreachable|timed out|connection (?:refused|reset|broken|aborted)"
     r"|proxyerror|sslerror|getaddrinfo", "the package registry cannot be reached. Check the network, and the proxy "
     "and index that pip is set to. The same command goes on from here."),
    (r"requirement ([^\s;(]+) \(from versions: none\)", "pip finds no version of {0} at all for this machine ({1}). "
     "Check the network and the index that pip is set to."),
    (r"(?:no matching distribution found for|satisfies the requirement) ([^\s;(]+)", "there is no wheel of {0} for "
     "this machine ({1}). Other versions of Python, or Linux on x86-64, may have one."),
    (r"(?:hash|sha256).*(?:mismatch|do not match)|hashes are required", "a package did not arrive as it was "
     "published. Try again; if it stays so, the registry or proxy changes files."),
)


class SetupFailed(SystemExit):
    """Ends the program with the reason, as a sentence on standard error and exit code 1."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The set-up stopped: {why}")


@dataclass(frozen=True)
class Step:
    """One phase of the set-up: its label, the command, and how many packages it is about (0: not counted)."""

    label: str
    command: Sequence[str | Path]
    packages: int = 0


def python_of(root: Path) -> Path:
    """The interpreter of the environment."""
    return root / ".venv" / "bin" / "python"


def pins(path: Path) -> list[str]:
    """The ``name==version`` of every line of a list, comments left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("#")[0].strip() for line in lines if re.match(r"\w", line)]


def _stamp(root: Path, name: str) -> str:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return hashlib.sha256((root / LISTS[name]).read_bytes() + f"{version} {root}".encode()).hexdigest()


def is_fresh(root: Path, name: str) -> bool:
    """Whether a list is installed as it stands, for this Python, in this place."""
    mark = root / ".venv" / f"setup-{name}.stamp"
    try:
        return python_of(root).exists() and mark.read_text(encoding="utf-8") == _stamp(root, name)
    except FileNotFoundError:
        return False


def ensure(root: Path, wanted: Sequence[str]) -> None:
    """Install the wanted lists where they are not. One process at a time; a second one waits for the first.

    Raises ``SetupFailed`` with a plain reason."""
    try:
        if all(is_fresh(root, name) for name in wanted):
            return
        with (root / "launch.py").open(encoding="utf-8") as lock:
            _wait_for(lock.fileno())
            if not all(is_fresh(root, name) for name in wanted):
                _set_up(root, wanted)
    except OSError as error:
        raise SetupFailed(explain(f"{error}", root)) from error


def _wait_for(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _print("Another set-up of this folder is running; waiting for it.\n")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _set_up(root: Path, wanted: Sequence[str]) -> None:
    venv, python = root / ".venv", python_of(root)
    free = shutil.disk_usage(root).free / 1e9
    if free < NEED_GB and not (venv / "setup-base.stamp").exists():
        raise SetupFailed(f"{root} has only {free:.1f} GB free. {ROOM}")
    _print(f"Setting up in {venv} (once)\n")
    began = time.monotonic()
    if not _usable(venv, python):
        command = (sys.executable, "-m", "venv", "--clear", venv)
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise SetupFailed(explain(made.stdout + made.stderr, root))
        _print(f"  {'Python environment':<20}{'done':<24}0:{time.monotonic() - began:02.0f}\n")
    (venv / "tmp").mkdir(exist_ok=True)
    for name in wanted:
        if is_fresh(root, name):
            continue
        path = root / LISTS[name]
        names = pins(path)
        if name == "base":
            torch = [pin for pin in names if pin.startswith("torch==")]
            run(root, Step("torch", (python, *PIP, *torch, "-c", path)))
        run(root, Step("packages" if name == "base" else "test tools", (python, *PIP, "-r", path), len(names)))
        (venv / f"setup-{name}.stamp").write_text(_stamp(root, name), encoding="utf-8")
    shutil.rmtree(venv / "tmp", ignore_errors=True)
    _print(f"Set up in {time.monotonic() - began:.0f} s\n")


def _usable(venv: Path, python: Path) -> bool:
    """Whether the environment is of this Python and its pip runs. A stopped set-up may have left less."""
    if not (venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}").is_dir() or not python.exists():
        return False
    return subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def run(root: Path, step: Step) -> None:
    """Run one step with one line of progress; raise ``SetupFailed`` with the reason when it fails.

    Output goes to the log and is read from there. pip downloads to ``.venv/tmp``: /tmp may be small."""
    venv, began, last = root / ".venv", time.monotonic(), ""
    environ = {**os.environ, "TMPDIR": str(venv / "tmp")} if (venv / "tmp").is_dir() else dict(os.environ)
    log = venv / "setup.log"
    with log.open("w" if step.label == "torch" else "a", encoding="utf-8") as out:
        start = out.tell()
        child = subprocess.Popen([str(part) for part in step.command], stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=subprocess.STDOUT, env=environ)
        try:
            while (code := _ended(child)) is None:
                last = _progress(step, venv, _tail(log, start), time.monotonic() - began, last)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    text = _tail(log, start)
    if code:
        raise SetupFailed(explain(text, root))
    _progress(step, venv, text, time.monotonic() - began, last, done=True)


def _ended(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(0.5)
    except subprocess.TimeoutExpired:
        return None


def _tail(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode("utf-8", "replace")


def _progress(step: Step, venv: Path, text: str, seconds: float, last: str, done: bool = False) -> str:
    """Show the line of a step: in place on a terminal, a line a phase elsewhere. Returns the phase."""
    phase, count = "starting", 0
    if "Installing collected packages" in text:
        phase, count = "installing", len(list(venv.glob("lib/python*/site-packages/*.dist-info")))
    elif begun := re.findall(r"^(?:Collecting|Processing) ", text, re.MULTILINE):
        phase, count = "fetching", len(begun)
    amount = f" {min(count, step.packages)} of {step.packages}" if step.packages and count else ""
    line = f"  {step.label:<20}{'done' if done else phase + amount:<24}{int(seconds // 60)}:{int(seconds % 60):02d}"
    if sys.stderr.isatty():
        _print(f"\r\033[2K{line}" + ("\n" if done else ""))
    elif done or phase != last:
        _print(f"{line}\n")
    return phase


def _print(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)


def explain(text: str, root: Path) -> str:
    """The plain reason in what pip, venv or the system said; its last error line where none is known."""
    machine = f"Python {sys.version_info[0]}.{sys.version_info[1]}, {sys.platform}"
    for pattern, reason in REASONS:
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return reason.format(found.group(1) if found.groups() else "", machine)
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines
    return f"{errors[-1] if errors else 'no reason was given'} (all of it: {root / '.venv' / 'setup.log'})"
