"""Every dialogue that a visitor may read, out of the files of their runs: listed, filtered, paged, found again.

A watched run holds one dialogue (``dialogue.json``), a generated or imported one many (``dialogues.jsonl``, one a
line), and those that wait for a person apart (``quarantined.jsonl``). Summaries are kept by path, size and time of the
file, so that looking again costs nothing while it rests.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from backends.sweetiechat.reviews import BECOMES, QUARANTINED, reviewed, reviews_of
from backends.sweetiechat.reviews import decide as review
from panels import dialogue_cases as cases
from workbench.contract import Json, UserError
from workbench.runs import Run
from workbench.service import Service
from workbench.widgets import private
from workbench.widgets.dialogue_table import Summary
from workbench.widgets.transcript import strategy_labels

METHOD = "sweetiechat"
FILES = ("dialogues.jsonl", "dialogue.json")
PAGE = 30
MOST_RUNS = 500
OPENING = 90
APART = "q"
UNJUDGED = "unjudged"
"""In the filter: dialogues that nobody judged."""


@dataclass(frozen=True)
class Filter:
    """What the list is narrowed to; an empty value does not narrow. ``run`` is a run id."""

    problem: str = ""
    strategy: str = ""
    stop_reason: str = ""
    language: str = ""
    status: str = ""
    text: str = ""
    run: str = ""


@dataclass(frozen=True)
class Entry:
    """One dialogue of one file: where its line begins, and what filters and the list need of it.

    ``strategies`` are the used ones as key, English and Chinese label; ``first`` and ``last`` are intensities."""

    offset: int
    problem: str
    emotion: str
    language: str
    turns: int
    first: int | None
    last: int | None
    stop_reason: str
    strategies: tuple[tuple[str, str, str], ...]
    models: tuple[str, ...]
    opening: str
    name: str = ""
    status: str = ""


def find(service: Service, visitor: str, wanted: Filter, lang: str) -> Iterator[Summary]:
    """Every dialogue that fits, newest run first, in the order of its file."""
    for run in runs(service, visitor, wanted.run):
        for path, place in files_of(run):
            decided = _decided(path)
            for number, entry in enumerate(entries(path)):
                status = BECOMES.get(decided.get(entry.name, ""), entry.status)
                if wanted.status and wanted.status != (status or UNJUDGED):
                    continue
                if fits(entry, wanted) and (not wanted.text or _has_text(path, entry, wanted.text)):
                    yield _summary(run, f"{place}{number}", entry, status, lang)


def page(service: Service, visitor: str, wanted: Filter, lang: str, number: int) -> tuple[list[Summary], int]:
    """The rows of one page (from 0) and the number of all that fit."""
    first, count, rows = number * PAGE, 0, []
    for count, row in enumerate(find(service, visitor, wanted, lang), 1):
        if first < count <= first + PAGE:
            rows.append(row)
    return rows, count


def runs(service: Service, visitor: str, run_id: str = "") -> list[Run]:
    """The runs of the dialogue method that this visitor may see, newest first."""
    if run_id:
        return [service.run(visitor, run_id)]
    found, _ = service.runs(visitor, task=METHOD, limit=MOST_RUNS)
    return found


def file_of(run: Run) -> Path | None:
    """The file with this run's dialogues, when it has written one."""
    return next((path for name in FILES if (path := run.path / "artifacts" / name).is_file()), None)


def files_of(run: Run) -> list[tuple[Path, str]]:
    """The files with dialogues of a run, each with what its keys have before the number."""
    main, apart = file_of(run), run.path / "artifacts" / QUARANTINED
    return [*([(main, "")] if main else []), *([(apart, APART)] if apart.is_file() else [])]


def _decided(path: Path) -> dict[str, str]:
    """What a person decided on the dialogues of a file of quarantined ones, by their ids."""
    if path.name != QUARANTINED:
        return {}
    return {name: str(review["decision"]) for name, review in reviews_of(path.parent).items()}


def entries(path: Path) -> tuple[Entry, ...]:
    """The entries of a file as it is now."""
    stat = path.stat()
    return _entries(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=512)
def _entries(path: Path, size: int, changed: int) -> tuple[Entry, ...]:
    found, offset = [], 0
    with path.open("rb") as file:
        for line in [file.read()] if path.name == FILES[1] else file:
            value = _parsed(line)
            if value is not None:
                found.append(_entry(offset, value))
            offset += len(line)
    return tuple(found)


def _parsed(line: bytes) -> Mapping[str, Json] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None  # the last line may be half written; a damaged one hides one dialogue, not the list
    return value if isinstance(value, Mapping) and isinstance(value.get("turns"), list) else None


def _entry(offset: int, value: Mapping[str, Json]) -> Entry:
    turns = [turn for turn in value["turns"] if isinstance(turn, Mapping)]
    scenario, models = _table(value.get("scenario")), _table(value.get("models"))
    levels = [level for turn in turns if (level := private.intensity(turn.get("private"))) is not None]
    keys = dict.fromkeys(str(turn["strategy"]) for turn in turns if turn.get("strategy"))
    english, chinese = strategy_labels(value, "en"), strategy_labels(value, "zh-CN")
    used = tuple((key, english.get(key, key), chinese.get(key, key)) for key in keys)
    opening = str(turns[0].get("text") or "") if turns else ""
    return Entry(offset, str(scenario.get("problem_type_id") or ""), str(scenario.get("emotion") or ""),
                 str(value.get("language") or ""), len(turns), levels[0] if levels else None,
                 levels[-1] if levels else None, str(value.get("stop_reason") or ""), used,
                 tuple(dict.fromkeys(str(m) for m in models.values())),
                 opening[:OPENING] + ("…" if len(opening) > OPENING else ""), str(value.get("id") or ""),
                 str(_table(_table(value.get("qc")).get("report")).get("status") or ""))


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def fits(entry: Entry, wanted: Filter) -> bool:
    """Whether an entry passes every filter but the text."""
    return ((not wanted.problem or entry.problem == wanted.problem)
            and (not wanted.strategy or wanted.strategy in [key for key, *_ in entry.strategies])
            and (not wanted.stop_reason or entry.stop_reason == wanted.stop_reason)
            and (not wanted.language or entry.language == wanted.language))


def _has_text(path: Path, entry: Entry, text: str) -> bool:
    value = _at(path, entry)
    needle = text.casefold()
    return any(needle in str(turn.get("text") or "").casefold() for turn in value["turns"] if isinstance(turn, Mapping))


def _at(path: Path, entry: Entry) -> Mapping[str, Json]:
    with path.open("rb") as file:
        file.seek(entry.offset)
        value = _parsed(file.read() if path.name == FILES[1] else file.readline())
    return value or {"turns": []}


def _summary(run: Run, place: str, entry: Entry, status: str, lang: str) -> Summary:
    spoken = 2 if lang.startswith("zh") else 1
    return Summary(f"{run.id}/{place}", run.id, cases.problem_name(entry.problem, lang), entry.emotion, entry.language,
                   entry.turns, entry.first, entry.last, entry.stop_reason,
                   tuple(used[spoken] for used in entry.strategies), entry.models,
                   time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created)), entry.opening, status)


def read(service: Service, visitor: str, key: str) -> Mapping[str, Json]:
    """One whole dialogue by its key ``<run id>/<place>``, with a person's decision; the rights are those of its run."""
    _, path, number = locate(service, visitor, key)
    value = _at(path, entries(path)[number])
    if path.name != QUARANTINED:
        return value
    qc = reviewed(_table(value.get("qc")), str(value.get("id") or ""), reviews_of(path.parent))
    return {**value, "qc": qc}


def locate(service: Service, visitor: str, key: str) -> tuple[Run, Path, int]:
    """Run, file and place in the file of a dialogue. Raises ``UserError`` where there is none."""
    run_id, _, place = key.partition("/")
    run = service.run(visitor, run_id)
    number = place.removeprefix(APART)
    path = {before: file for file, before in files_of(run)}.get(APART if place.startswith(APART) else "")
    if path is None or not number.isdecimal() or int(number) >= len(entries(path)):
        raise UserError(f"There is no dialogue {key!r}.", advice="Look at the list again: its run may have changed.")
    return run, path, int(number)


def decide(service: Service, visitor: str, key: str, decision: str) -> None:
    """Keep a person's decision on a quarantined dialogue beside it. Only the owner of the run decides."""
    run, path, number = locate(service, visitor, key)
    if run.owner != visitor:
        raise UserError("This run belongs to somebody else; only its owner decides on its dialogues.")
    if path.name != QUARANTINED:
        raise UserError("This dialogue is not in quarantine; the rules have decided on it.")
    review(path.parent, entries(path)[number].name, decision)
