"""What is looked at in a scored set: which clips, in which order, the opened one. Kept as a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from backends.common.speech.emotions import EMOTIONS
from panels import look_notes
from panels.look_notes import LONGEST
from workbench.contract import Json
from workbench.widgets.speech_clips import KINDS, SORTS


@dataclass(frozen=True)
class Look:
    """``kind`` of clips, ``cell`` of the confusion (``"sad.angry"``), ``speaker``, ``search`` in texts and names;
    ``open`` the number of a clip (-1: none), ``page`` an offset, ``play``: a clip sounds when it is opened; ``of`` is
    the run that all this is about. Empty: as it comes."""

    of: str = ""
    kind: str = "wrong"
    cell: str = ""
    speaker: str = ""
    search: str = ""
    sort: str = "sure"
    page: int = 0
    open: int = -1
    play: bool = True

    def note(self) -> str:
        """As the text of a note: only what is not as it comes."""
        return look_notes.write(self, Look())


def look(note: str, run: str = "") -> Look:
    """What a note says; what is not understood is as it comes, and so is a note about another ``run``."""
    made = Look(**look_notes.read(note, Look()))
    if run and made.of != run:
        return Look(of=run, play=made.play)
    return replace(made, kind=made.kind if made.kind in KINDS else "wrong", page=max(0, made.page),
                   sort=made.sort if made.sort in SORTS else "sure", cell=made.cell if cell(made.cell) else "")


def cell(text: str) -> tuple[str, str] | None:
    """``"sad.angry"`` as truth and what was told; told may be nothing (``"sad."``)."""
    truth, dot, told = text.partition(".")
    return (truth, told) if dot and truth in EMOTIONS and (told in EMOTIONS or not told) else None


def pressed(now: Look, data: Mapping[str, Json], order: Mapping[int, int] | None = None) -> Look:
    """The look after a press; ``order`` are the listed clips by place, for the keys that go to the next one."""
    act, key = (str(data.get(name) or "") for name in ("act", "key"))
    if act == "cell" and cell(key):
        return replace(now, cell="" if now.cell == key else key, page=0, kind="all" if now.cell != key else "wrong")
    if act == "speaker":
        return replace(now, speaker="" if now.speaker == key else key[:LONGEST], page=0)
    if act == "kind" and key in KINDS:
        return replace(now, kind=key, page=0)
    if act == "unchip":
        return replace(now, page=0, cell="" if key == "cell" else now.cell,
                       speaker="" if key == "speaker" else now.speaker, search="" if key == "search" else now.search)
    if act == "play":
        return replace(now, play=not now.play)
    return look_notes.in_list(now, data, SORTS, order)
