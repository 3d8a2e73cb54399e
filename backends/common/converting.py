"""The end of a command line that converts a model: progress and the result on stdout, errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from workbench.contract import UserError


def told(convert: Callable[[Callable[[str], None]], Any]) -> int:
    """Run ``convert``, which is given a function that prints a line of progress and returns a dataclass; that is the
    last line on stdout, as JSON. The exit code: 0, or 1 after a ``UserError``, which goes to stderr."""
    try:
        done = convert(lambda text: print(text, flush=True))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(done)))
    return 0
