"""A judge whose answers are kept as they come: a run of rounds that was killed does not ask again.

A language model takes seconds a text, so this is where the time of a long run goes. Rounds choose the same texts again
when they are run again (everything else is drawn from the seed), and texts that were judged get the answer they had.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.mdfg.records import document_id
from backends.mdfg.toxicity_judges import Judge, Judgement
from workbench.contract import UserError
from workbench.fields import from_json, to_json
from workbench.files import append_line, read_lines

GROUP = 16
"""Texts that are judged before their answers are written: what a crash costs at most."""


class KeptJudge:
    """A :class:`Judge` around another one; ``path`` is a file of JSON lines that it reads and appends to."""

    def __init__(self, judge: Judge, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.name, self._judge, self._path = judge.name, judge, path
        self._known: dict[str, Judgement] = {}
        for line in read_lines(path):
            if (found := _read(line)) is not None and found.judge == judge.name:
                self._known[document_id(found.text)] = found

    @property
    def known(self) -> int:
        """How many different texts have an answer."""
        return len(self._known)

    def judge(self, texts: Sequence[str], places: Sequence[int]) -> list[Judgement]:
        """Judgements of all texts, asking only for those without one."""
        asked = [(text, place) for text, place in zip(texts, places, strict=True)
                 if document_id(text) not in self._known]
        for begin in range(0, len(asked), GROUP):
            group = asked[begin:begin + GROUP]
            for found in self._judge.judge([text for text, _ in group], [place for _, place in group]):
                self._known[document_id(found.text)] = found
                append_line(self._path, to_json(found))
        return [self._known[document_id(text)] for text in texts]


def _read(line: Any) -> Judgement | None:
    """A judgement from its line; ``None`` for a line that is none."""
    try:
        found: Judgement = from_json(Judgement, line)
    except (ValueError, TypeError, KeyError, UserError):
        return None
    return found if isinstance(found.toxic, bool | None) and found.votes else None
