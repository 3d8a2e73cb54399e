"""What can follow ``launch.py``: one module a group of verbs, imported when one of its verbs is asked for.

A verb parses its own arguments and is handed the settings; gradio, torch and the database are imported inside its
function, so that ``launch.py runs`` answers at once.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from workbench.contract import Json, UserError
from workbench.settings import Settings

OK, FAILED, WRONG_USE, CANCELLED = 0, 1, 2, 130


class WrongUse(UserError):
    """The command line asks for something that there is not; ends with code 2."""


@dataclass(frozen=True)
class Verb:
    """One verb: the line of help, its arguments, and the function that does it and returns the exit code."""

    help: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Settings], int]


@contextmanager
def asked() -> Iterator[None]:
    """What goes wrong inside is the command line's fault: an unknown name, a bad value."""
    try:
        yield
    except WrongUse:
        raise
    except UserError as error:
        raise WrongUse(error.message, advice=error.advice) from error


def json_flag(parser: ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON for another program")


def print_json(value: Json, indent: int | None = 1) -> None:
    """Print JSON; ``indent=None`` for the one line that other programs read."""
    print(json.dumps(value, ensure_ascii=False, indent=indent), flush=True)


def table(rows: Sequence[Sequence[object]], heads: Sequence[str]) -> str:
    """Columns of text, as wide as their widest cell; the last one is not padded."""
    cells = [[str(cell).replace("\n", " ") for cell in row] for row in [heads, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                     for row in cells)
