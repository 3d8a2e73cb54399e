"""What a training run learned from, found again from the files of the run.

================  ==================================================================================================
any training      tables named in ``data`` (held-out texts are in them too)
self-training     also the ``pool`` of a BERTEval with stage 2
toxicity rounds   also the judged texts with a verdict (``judgements.jsonl``): the next round learns from them
domain rounds     the texts of ``round/labels.jsonl``; a continued round keeps the references in ``round/state.json``
practice texts    made again from the seed
================  ==================================================================================================

References stand in ``request.json``, their files in ``inputs.json``. Lines that cannot be read are passed over: the
file has changed since, and what can be read is compared.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.mdfg.domain_keywords import read_keywords
from backends.mdfg.domain_state import State, load
from backends.mdfg.domain_texts import SUFFIXES, column_texts, practice_texts
from backends.mdfg.labelled import rows_of
from backends.mdfg.practice import practice
from backends.mdfg.records import document_id
from backends.mdfg.scorer_requests import ToxicityRoundsRequest, TrainScorerRequest
from workbench.contract import Json, UserError
from workbench.fields import from_json
from workbench.files import read_json, read_lines

TRAIN, TOXICITY, DOMAINS = "mdfg.train_scorer.v1", "mdfg.toxicity_rounds.v1", "mdfg.domain_rounds.v1"
KEYWORDS = Path(__file__).resolve().parents[3] / "assets" / "corpus" / "keywords.zh.yaml"


@dataclass(frozen=True)
class Taught:
    """Tables with their ``column`` of texts, and texts that stand in the run itself or were ``made`` again. ``only``
    are the ids (hashes) of the texts that were drawn from all these, where that is known. ``gone``: something that the
    run learned from is no longer here."""

    files: tuple[Path, ...]
    column: str
    made: tuple[str, ...] = ()
    only: frozenset[str] | None = None
    gone: bool = False

    def texts(self) -> Iterator[str]:
        """Every text with content, one by one."""
        for text in self._all():
            if text.strip() and (self.only is None or document_id(text) in self.only):
                yield text

    def _all(self) -> Iterator[str]:
        for path in self.files:
            yield from _read(path, self.column)
        yield from self.made


def taught(run: Path) -> Taught:
    """What the run in this folder learned from; nothing, and ``gone``, where that does not stand in it."""
    request, inputs = _table(read_json(run / "request.json", {})), _table(read_json(run / "inputs.json", {}))
    task, fields = str(request.get("task") or ""), _table(request.get("fields"))
    if task == DOMAINS:
        return _of_round(run, fields, inputs)
    pool = _listed(fields.get("pool")) if fields.get("method") == "berteval" else ()
    files, gone = _files((*_listed(fields.get("data")), *pool), inputs)
    made = () if _listed(fields.get("data")) else _practice(task, fields)
    if task == TOXICITY:
        log = run / "artifacts" / "judgements.jsonl"
        made += tuple(str(row["text"]) for row in read_lines(log)
                      if isinstance(row.get("text"), str) and row.get("toxic") is not None)
        gone = gone or not log.is_file()
    return Taught(files, _column(fields), made, None, gone)


def _of_round(run: Path, fields: Mapping[str, Json], inputs: Mapping[str, Json]) -> Taught:
    """A domain round. Its sample was drawn at random: the ids of the drawn texts tell which they were."""
    folder = run / "artifacts" / "round"
    try:
        state, _ = load(folder)
    except UserError:
        files, _ = _files(_listed(fields.get("data")), inputs)
        return Taught(files, _column(fields), gone=True)
    files, gone = _files(state.data, inputs)
    only = frozenset(str(row.get("id")) for row in read_lines(folder / "labels.jsonl"))
    return Taught(files, state.text_field, _practice_of(state), only, gone)


def _practice_of(state: State) -> tuple[str, ...]:
    if not state.practice:
        return ()
    return tuple(row.text for row in practice_texts(read_keywords(KEYWORDS), state.practice, random.Random(state.seed)))


def _practice(task: str, fields: Mapping[str, Json]) -> tuple[str, ...]:
    """The practice texts of a training without data: always the same for a seed."""
    try:
        if task == TOXICITY:
            rounds: ToxicityRoundsRequest = from_json(ToxicityRoundsRequest, fields)
            return _texts_for("toxicity", rounds)
        if task == TRAIN:
            asked: TrainScorerRequest = from_json(TrainScorerRequest, fields)
            return _texts_for(asked.name, asked)
    except UserError:
        pass  # a request that is none: nothing is known about it
    return ()


def _texts_for(name: str, asked: TrainScorerRequest | ToxicityRoundsRequest) -> tuple[str, ...]:
    rows = practice("toxicity" if name == "toxicity" else "quality", asked.language, asked.practice,
                    random.Random(asked.seed))
    return tuple(row.text for row in rows)


def _read(path: Path, column: str) -> Iterator[str]:
    try:
        if path.suffix.lower() == ".parquet":
            yield from column_texts(path, column)
            return
        for _, row in rows_of(path):
            if isinstance(row.get(column), str):
                yield str(row[column])
    except (UserError, OSError):
        return  # changed since the training; what could be read was compared


def _files(references: Iterable[str], inputs: Mapping[str, Json]) -> tuple[tuple[Path, ...], bool]:
    """(the tables behind references, whether one of these is no longer there)."""
    found: list[Path] = []
    gone = False
    for reference in references:
        given = _table(inputs.get(reference)).get("path")
        tables = _tables(Path(given)) if isinstance(given, str) else []
        gone = gone or not tables
        found += tables
    return tuple(found), gone


def _tables(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        return []
    return sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES and one.is_file())


def _column(fields: Mapping[str, Json]) -> str:
    return str(fields.get("text_field") or "text")


def _listed(value: Json) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
