"""What somebody says about the columns of their files: role and name, as one text a column in a request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.contract import Json, UserError

ROLES = ("source", "reference", "system", "domain", "ignore")
LONGEST_NAME = 120


@dataclass(frozen=True)
class Choice:
    """Column ``column`` of file number ``file`` (from 1) is a ``role`` called ``name``; either may be empty: as its
    head suggests."""

    file: int
    column: str
    role: str = ""
    name: str = ""

    def text(self) -> str:
        """As it stands in a request: ``[1, "text", "system", "mine"]``."""
        return json.dumps([self.file, self.column, self.role, self.name], ensure_ascii=False)


def choices(texts: Sequence[str], files: int) -> list[Choice]:
    """The choices of a request, the last one for a column alone. Raises ``UserError`` for a text that is none, a file
    that there is not, and an unknown role."""
    found = {}
    for text in texts:
        choice = _choice(text)
        if not 1 <= choice.file <= files:
            raise UserError(f"columns names file {choice.file}; there are {files} files, counted from 1.")
        if choice.role and choice.role not in ROLES:
            raise UserError(f"columns gives {choice.column!r} the role {choice.role!r}; it may be {', '.join(ROLES)}.")
        found[choice.file, choice.column] = choice
    return list(found.values())


def _choice(text: str) -> Choice:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    right = (isinstance(value, list) and 2 <= len(value) <= 4 and type(value[0]) is int
             and all(isinstance(part, str) for part in value[1:]))
    if not right:
        raise UserError(f"columns has {text[:80]!r}, which is no choice.",
                        advice='Write [number of the file, "column", "role", "name"], for example '
                               '[1, "text", "system", "mine"].')
    number, column, *rest = value
    role, name = [*rest, "", ""][:2]
    return Choice(number, column, role, name.strip()[:LONGEST_NAME])
