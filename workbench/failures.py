"""What went wrong, in three short texts: a class, one line of cause, one line of advice."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import sys
import traceback
import zipfile
from collections.abc import Callable

from workbench.contract import MissingResource, UserError
from workbench.files import Damaged, is_full

LINE = 300
"""Characters of a cause or an advice (our default)."""

Failure = dict[str, str]

_MEMORY = re.compile(r"out of memory|can't allocate memory|cannot allocate memory|DefaultCPUAllocator|"
                     r"CUBLAS_STATUS_ALLOC_FAILED|std::bad_alloc", re.IGNORECASE)
_BAD_DATA_NAMES = {"ArrowInvalid", "ParserError", "SafetensorError", "YAMLError", "ScannerError", "ImageFileError",
                   "LibsndfileError", "UnpicklingError", "DatasetGenerationError"}

ADVICE = {
    "out of memory": "Choose a smaller batch, a shorter length or a smaller model, or unload models; then continue.",
    "disk full": "Free some space, for example by deleting old runs, then continue: what was saved is intact.",
    "missing resource": "Bring it to this machine, then continue.",
    "missing package": "Run the set-up again: python3 launch.py",
    "bad data": "Correct the file or choose another one, then continue.",
    "user error": "Change the request and run again.",
    "connection": "Check that the server is up and its address right, then continue.",
    "not permitted": "Check who owns the file or folder, then continue.",
    "lost": "Continue takes it up from its last checkpoint.",
    "bug": "This is a fault in the program. The log's last lines show where; please report it with them.",
}
"""Every class of failure, and the advice that is given when the error brings none of its own."""


def failure(kind: str, cause: str, advice: str = "") -> Failure:
    """A failure record; ``advice`` defaults to that of its class."""
    return {"class": kind, "cause": _line(cause), "advice": _line(advice or ADVICE[kind])}


def classify(error: BaseException) -> Failure:
    """Class, cause and advice of an exception, looking through ``raise ... from`` to what lies behind it."""
    chain = _chain(error)
    for kind, matches in _TESTS:
        for link in chain:
            if matches(link):
                shown = error if isinstance(error, UserError) else link
                return failure(kind, _cause(shown), shown.advice if isinstance(shown, UserError) else "")
    return failure("bug", _cause(error))


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__
    return chain


def _out_of_memory(error: BaseException) -> bool:
    named = isinstance(error, MemoryError) or type(error).__name__ in ("OutOfMemoryError", "_ArrayMemoryError")
    return named or (isinstance(error, RuntimeError | OSError) and _MEMORY.search(str(error)) is not None)


def _bad_data(error: BaseException) -> bool:
    kinds = (UnicodeDecodeError, json.JSONDecodeError, csv.Error, zipfile.BadZipFile, Damaged, EOFError)
    return isinstance(error, kinds) or any(kind.__name__ in _BAD_DATA_NAMES for kind in type(error).__mro__)


def _connection(error: BaseException) -> bool:
    names = {"URLError", "HTTPError", "ConnectTimeout", "ConnectError", "ReadTimeout", "RequestException"}
    return isinstance(error, ConnectionError | TimeoutError) or any(k.__name__ in names for k in type(error).__mro__)


_TESTS: tuple[tuple[str, Callable[[BaseException], bool]], ...] = (
    ("disk full", is_full),
    ("out of memory", _out_of_memory),
    ("missing resource", lambda error: isinstance(error, MissingResource)),
    ("user error", lambda error: isinstance(error, UserError)),
    ("missing package", lambda error: isinstance(error, ImportError)),
    ("bad data", _bad_data),
    ("connection", _connection),
    ("missing resource", lambda error: isinstance(error, FileNotFoundError | NotADirectoryError)),
    ("not permitted", lambda error: isinstance(error, PermissionError)),
)


def _cause(error: BaseException) -> str:
    if isinstance(error, UserError):
        return error.message
    text = str(error).strip()
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= LINE else f"{flat[:LINE - 3]}..."


def trace(error: BaseException) -> str:
    """The traceback as text, for the log."""
    return "".join(traceback.format_exception(error))


def log(text: str) -> None:
    """Write to stderr, which is a run's ``log.txt``. A full disk must not keep us from what comes next."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
