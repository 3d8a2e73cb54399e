"""Debian's apertium: a rule-based translator, one short process for each line.

A line of its own for each process keeps lines apart whatever is in them (some formats join lines), and costs a quarter
of a second of one core with eng-spa. ``-u`` leaves out the stars before words that the dictionaries lack.
"""

from __future__ import annotations

import difflib
import shutil
import subprocess
import time
from collections.abc import Sequence

from backends.common.mt.systems.languages import language
from backends.common.mt.systems.lines import Line, Say, by_groups, grouped
from workbench.contract import MissingResource, UserError

PROGRAM = "apertium"
SECONDS = 60.0
"""Longest time for one line (our default)."""
COMMAND, SEARCH = "sudo apt install apertium apertium-eng-spa", "apt-cache search ^apertium-"
"""What installs it with one pair of languages, and what lists the other pairs."""
INSTALL = f"Install it with: {COMMAND} (or another pair: {SEARCH})."


def program() -> str:
    """The path of the program. Raises ``MissingResource`` with the command that installs it."""
    found = shutil.which(PROGRAM)
    if found is None:
        raise MissingResource("The program apertium is not on this machine.", advice=INSTALL)
    return found


def modes() -> tuple[str, ...]:
    """The directions that are installed, as apertium names them (``eng-spa``); none without the program."""
    found = shutil.which(PROGRAM)
    if found is None:
        return ()
    try:
        done = subprocess.run([found, "-l"], capture_output=True, text=True, timeout=SECONDS, check=False,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(sorted({line.strip() for line in done.stdout.splitlines() if line.strip()}))


def mode_for(wish: str, source: str, target: str, known: Sequence[str]) -> str:
    """The mode that is asked for, or the one of these languages where none is. Raises ``UserError`` naming others."""
    one, two = language(source), language(target)
    wishes = [wish] if wish else [f"{a}-{b}" for a in (one.long, one.short) for b in (two.long, two.short)]
    found = next((mode for mode in wishes if mode in known), "")
    if found:
        return found
    near = difflib.get_close_matches(wishes[0], known, n=5, cutoff=0.3) or list(known[:5])
    raise UserError(f"Apertium has no direction {wishes[0]} on this machine; it has {', '.join(near) or 'none'}.",
                    advice=f"Install its pair ({SEARCH}), or name another direction.")


class Apertium:
    """One direction of apertium."""

    def __init__(self, wish: str, source: str, target: str) -> None:
        self._program = program()
        self._mode = mode_for(wish, source, target, modes())
        self._closed = False

    def translate(self, lines: Sequence[Line], say: Say) -> None:
        """Translate line by line."""
        def attempt(group: Sequence[Line]) -> None:
            (place, text), began = group[0], time.monotonic()
            made = self._one(text)
            say({"line": place, "text": made, "tokens": len(made.split()),
                 "seconds": round(time.monotonic() - began, 3)})
        by_groups((group for group in grouped(lines, 1) if not self._closed), attempt, say)

    def _one(self, text: str) -> str:
        try:
            done = subprocess.run([self._program, "-u", self._mode], input=f"{text}\n", capture_output=True,
                                  encoding="utf-8", errors="replace", timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise UserError(f"Apertium did not answer a line of {len(text)} characters in {SECONDS:.0f} seconds.",
                            advice="Split the line.") from error
        except OSError as error:
            raise UserError(f"Apertium cannot be started: {error.strerror}.", advice=INSTALL) from error
        if done.returncode:
            raise UserError(f"Apertium failed: {' '.join(done.stderr.split())[:200] or f'status {done.returncode}'}.",
                            advice=f"Try it in a terminal: echo text | apertium {self._mode}")
        return " ".join(done.stdout.split())

    def close(self) -> None:
        """Translate no further lines."""
        self._closed = True
