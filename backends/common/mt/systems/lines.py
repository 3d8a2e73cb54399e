"""A text into lines that any system takes, and groups of lines of which a bad one spoils no other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence

from workbench.contract import Cancelled, Json, UserError

Line = tuple[int, str]
"""Place of a line in the text (from 0), and its text, which is never empty."""
Say = Callable[[dict[str, Json]], None]
"""Takes an event of one system: ``{"line", "delta"}``, ``{"line", "text", "tokens", ..}`` or ``{"line", "error"}``."""
MOST_LINES = 20_000
PATIENCE = 3
"""Lines that may fail before the first that succeeds; then the system itself is what is wrong (our default)."""
MARK, NO_TEXT = "\ufeff", ("Cc", "Zl", "Zp", "Cs")
BREAKS = re.compile(r"\r\n?|\n")


def split(text: str) -> list[str]:
    """The lines of a text without what stands around them. Control characters and the rarer line ends become spaces:
    only ``\\n`` and ``\\r`` end a line, as in every tool that the lines are compared with."""
    rows = [clean(row) for row in BREAKS.split(text)]
    while rows and not rows[-1]:
        rows.pop()
    if len(rows) > MOST_LINES:
        raise UserError(f"The text has {len(rows):,} lines; at most {MOST_LINES:,} are translated in one run.",
                        advice="Split it into several runs.")
    return rows


def clean(row: str) -> str:
    """One line of ordinary characters: controls, separators of lines, lone surrogates and the mark of UTF-8 files
    become spaces."""
    return " ".join("".join(" " if c == MARK or unicodedata.category(c) in NO_TEXT else c for c in row).split())


def wanted(rows: Sequence[str]) -> list[Line]:
    """The lines that there is something to translate in."""
    return [(place, row) for place, row in enumerate(rows) if row]


def grouped(lines: Sequence[Line], size: int) -> Iterator[Sequence[Line]]:
    """Neighbouring lines, ``size`` at a time."""
    for start in range(0, len(lines), size):
        yield lines[start:start + size]


def by_groups(groups: Iterable[Sequence[Line]], attempt: Callable[[Sequence[Line]], None], say: Say) -> None:
    """Attempt every group; one that fails is tried again line by line, and only a line that fails alone is in error.

    Raises the error when lines have failed :data:`PATIENCE` times and none has succeeded, or when none did at all."""
    done, failed = 0, list[UserError]()
    for group in groups:
        try:
            attempt(group)
            done += len(group)
            continue
        except UserError as error:
            trouble = error
        for line in group:
            if len(group) > 1:
                try:
                    attempt([line])
                    done += 1
                    continue
                except UserError as error:
                    trouble = error
            failed.append(trouble)
            say({"line": line[0], "error": problem(trouble)})
            if not done and len(failed) >= PATIENCE:
                raise trouble
    if failed and not done:
        raise failed[-1]


def problem(error: BaseException) -> dict[str, str]:
    """Cause and advice of an error, one line each."""
    if isinstance(error, Cancelled):
        return {"cause": "It was stopped.", "advice": ""}
    if isinstance(error, UserError):
        return {"cause": error.message, "advice": error.advice}
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return {"cause": f"Memory ran out: {_short(error)}",
                "advice": "Take a smaller model, or let fewer systems work at once."}
    return {"cause": f"{type(error).__name__}: {_short(error)}", "advice": "The log of the run says more."}


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
