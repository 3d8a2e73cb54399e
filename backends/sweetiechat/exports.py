"""Every layout that dialogues leave in, by name; two of them come back exactly.

=========  ==========================================================================================  =======
jsonl      the workbench's own: one dialogue a line, every field                                          exact
convokit   a zip of ConvoKit's five files; every field in the metadata                                    exact
esconv     ESConv's list, with survey and stars where they are known                                      words
chat       one {"messages": [...]} a line for fine-tuning                                                 words
sharegpt   a list of {"conversations": [{from, value}]}                                                   words
csv        one row a turn, for spreadsheets                                                               words
=========  ==========================================================================================  =======

*words*: texts, speakers and (but for chat and ShareGPT) strategies come back, the rest does not.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

from backends.sweetiechat.exchange import to_chat, to_csv, to_jsonl
from backends.sweetiechat.importers.convokit import to_convokit
from backends.sweetiechat.importers.esconv import to_esconv
from backends.sweetiechat.importers.messages import to_sharegpt
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.reviews import standing
from workbench.contract import UserError

Which = Literal["accepted", "rejected", "all"]
EXACT = ("jsonl", "convokit")
DAWN = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive: the same dialogues give the same bytes."""


def convokit_zip(dialogues: Sequence[Dialogue]) -> bytes:
    """ConvoKit's files in one archive; the importer reads it as it stands."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in to_convokit(dialogues).items():
            item = zipfile.ZipInfo(f"corpus/{name}", DAWN)
            item.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(item, text.encode("utf-8"))
    return out.getvalue()


def _text(write: Callable[[Sequence[Dialogue]], str]) -> Callable[[Sequence[Dialogue]], bytes]:
    return lambda dialogues: write(dialogues).encode("utf-8")


FORMATS: Mapping[str, tuple[Callable[[Sequence[Dialogue]], bytes], str, str]] = {
    "jsonl": (_text(to_jsonl), "dialogues.jsonl", "application/jsonl"),
    "esconv": (_text(to_esconv), "dialogues.esconv.json", "application/json"),
    "chat": (_text(to_chat), "dialogues.chat.jsonl", "application/jsonl"),
    "sharegpt": (_text(to_sharegpt), "dialogues.sharegpt.json", "application/json"),
    "convokit": (convokit_zip, "dialogues.convokit.zip", "application/zip"),
    "csv": (_text(to_csv), "dialogues.csv", "text/csv"),
}


def export(dialogues: Sequence[Dialogue], name: str) -> bytes:
    """The dialogues in one of ``FORMATS``."""
    if name not in FORMATS:
        raise UserError(f"There is no export format {name!r}; there are {', '.join(FORMATS)}.")
    if not dialogues:
        raise UserError("There is no dialogue to export.", advice="Wait for the first one to end, or choose others.")
    return FORMATS[name][0](dialogues)


def chosen(dialogues: Sequence[Dialogue], which: str) -> tuple[list[Dialogue], int]:
    """The dialogues that leave, and how many wait for a person and therefore stay.

    ``accepted``: those, and those that nobody judged; ``rejected``; ``all``: both. One in quarantine leaves only after
    a person's decision.
    """
    if which not in get_args(Which):
        raise UserError(f"which is {which[:40]!r}; it must be accepted, rejected or all.")
    wanted = {"accepted": ("accepted", ""), "rejected": ("rejected",), "all": ("accepted", "rejected", "")}[which]
    waiting = sum(standing(d.qc) == "quarantined" for d in dialogues)
    return [d for d in dialogues if standing(d.qc) in wanted], waiting
