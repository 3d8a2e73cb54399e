"""ESConv's official training files: one line a supporter message with up to four messages before it, joined by EOS.

Each message is ``<loss> <speaker 0|1> <number> [Strategy] text``. The lines of one dialogue follow each other and
overlap, so the dialogue can be put together again by its message numbers; a new one begins where the numbers fall.
Where a line reached back too little, messages are missing: ``qc["source"]["missing_messages"]`` names them.
The files give no situation, feeling, problem or survey.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from backends.sweetiechat.importers.draft import Draft, Format, Row, Said
from backends.sweetiechat.importers.reading import ESCONV_LINE
from workbench.contract import Json, UserError

_MESSAGE = re.compile(r"\s*\d+(?:\.\d+)? ([01]) (\d+) (.*)", re.DOTALL)
_LABEL = re.compile(r"\[([^\[\]]{1,80})\] ?(.*)", re.DOTALL)
Message = tuple[int, str, str]
"""Number in the dialogue, speaker (0 seeker, 1 supporter), text with its label."""


def group(rows: Iterable[Row]) -> Iterator[Row]:
    """The windows of one dialogue as one entry, named by its first line."""
    where, messages = "", dict[int, Message]()
    for row in rows:
        if row.problem or not isinstance(row.value, str):
            yield row if row.problem else Row(row.where, problem="it is no line of ESConv's tsv")
            continue
        try:
            window = _window(row.value)
        except UserError as error:
            yield Row(row.where, problem=error.message)
            continue
        if messages and _new(window, messages):
            yield Row(where, list(messages.values()))
            messages = {}
        where = where if messages else row.where
        messages |= {message[0]: message for message in window}
    if messages:
        yield Row(where, list(messages.values()))


def _window(line: str) -> list[Message]:
    found = []
    for part in line.split(" EOS "):
        match = _MESSAGE.fullmatch(part)
        if match is None:
            raise UserError(f"{part[:60]!r} is no message; it must be '<loss> <0 or 1> <number> text'")
        found.append((int(match[2]), match[1], match[3]))
    return found


def _new(window: list[Message], messages: dict[int, Message]) -> bool:
    """Whether a window belongs to another dialogue: its numbers do not go on, or it says something else."""
    return window[-1][0] <= max(messages) or any(messages.get(message[0], message) != message for message in window)


def read(entry: Json) -> Draft:
    """One dialogue put together from its windows."""
    numbers = [number for number, _, _ in entry]
    said = tuple(_said(side, text) for _, side, text in entry)
    missing = sorted(set(range(max(numbers) + 1)) - set(numbers))
    return Draft(said, notes={"missing_messages": missing} if missing else {})


def _said(side: str, text: str) -> Said:
    if side == "0":
        return Said("seeker", text)
    label = _LABEL.match(text)
    return Said("supporter", label[2], (label[1],)) if label else Said("supporter", text)


FORM = Format("esconv-tsv", "ESConv's official tsv (windows joined by EOS)",
              lambda entry: isinstance(entry, str) and bool(ESCONV_LINE.match(entry)), read, group,
              strategies="esconv-8", language="en", made_by="people")
