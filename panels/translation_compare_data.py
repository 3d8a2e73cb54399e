"""A finished comparison as its files tell it, checked: they may have been edited by hand, or be of an older version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from backends.common.mt.words import is_cjk
from panels.result_files import stamps
from panels.translation_compare_look import Look, numbers
from workbench.contract import Json, UserError
from workbench.files import read_json, read_lines
from workbench.runs import Run
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.mt_charts import Bucket, Scatter
from workbench.widgets.mt_scores import Pair, Row

CACHED = 4
TESTS = ("bootstrap", "bootstrap_holm", "randomisation", "randomisation_holm")
"""Names of the p-values of a pair."""


@dataclass(frozen=True)
class Segment:
    """A segment: its number from 0, its texts, and each system's score on it."""

    index: int
    source: str
    domain: str
    references: tuple[str, ...]
    translations: tuple[str, ...]
    scores: tuple[float, ...]
    spread: float


@dataclass(frozen=True)
class Compared:
    """A comparison: names in order, what ``comparison.json`` says, and every segment by its number."""

    systems: tuple[str, ...]
    references: tuple[str, ...]
    told: Mapping[str, Json]
    segments: tuple[Segment, ...]
    segment_metric: str
    sign: float

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(table(self.told.get("metrics")))

    def metric(self, name: str) -> str:
        """The metric of this name, else the first one."""
        return name if name in self.metrics else next(iter(self.metrics), "")

    def of(self, metric: str) -> Mapping[str, Json]:
        """What is told of a metric."""
        return table(table(self.told.get("metrics")).get(metric))

    def pair(self, look: Look) -> tuple[int, int] | None:
        """The pair that is looked at, if these systems have it."""
        found = numbers(look.pair)
        return found if found and max(found) < len(self.systems) else None


def load(run: Run) -> Compared:
    """The comparison of a run that has succeeded. Raises ``UserError`` where its files are gone or not whole."""
    changed = stamps(run, ("comparison.json", "segments.jsonl"), "comparison", "Compare again.")
    return _load(run.path / "artifacts", *changed)


@lru_cache(maxsize=CACHED)
def _load(folder: Path, *changed: int) -> Compared:
    told = table(read_json(folder / "comparison.json", {}))
    systems, references = (tuple(str(name) for name in listed(told.get(key))) for key in ("systems", "references"))
    rows = tables(read_lines(folder / "segments.jsonl"))
    found = sorted((_segment(row, systems, references) for row in rows), key=lambda one: one.index)
    if not systems or not found or [one.index for one in found] != list(range(len(found))):
        raise UserError("The files of this comparison are not whole.", advice="Compare again.")
    metric = str(rows[0].get("metric") or "")
    sign = table(table(told.get("metrics")).get(metric)).get("sign", 1.0)
    return Compared(systems, references, told, tuple(found), metric, -1.0 if sign == -1 else 1.0)


def _segment(row: Mapping[str, Json], systems: Sequence[str], references: Sequence[str]) -> Segment:
    index, spread, scores = row.get("index"), row.get("disagreement"), table(row.get("scores"))
    texts = {key: table(row.get(key)) for key in ("references", "translations")}
    return Segment(int(index) if finite(index) else -1, str(row.get("source") or ""), str(row.get("domain") or ""),
                   tuple(str(texts["references"].get(name, "")) for name in references),
                   tuple(str(texts["translations"].get(name, "")) for name in systems),
                   tuple(_number(scores.get(name)) for name in systems), _number(spread))


def _number(value: Json) -> float:
    return float(value) if finite(value) else 0.0


def rows(of: Compared, metric: str) -> list[Row]:
    """The table of systems of a metric, best first."""
    return [Row(str(row.get("system")), _number(row.get("score")), _number(row.get("low")), _number(row.get("high")),
                int(_number(row.get("wins"))), int(_number(row.get("losses"))))
            for row in tables(of.told.get("rows")) if row.get("metric") == metric]


def order(of: Compared, metric: str) -> list[int]:
    """Numbers of the systems, best first under a metric; those it does not name come last."""
    place = {name: number for number, name in enumerate(of.systems)}
    ranked = [place[row.system] for row in rows(of, metric) if row.system in place]
    return list(dict.fromkeys([*ranked, *range(len(of.systems))]))


def pairs(of: Compared, metric: str) -> list[Pair]:
    """Every tested pair of a metric by numbers of systems, the better one first, in the order of the table."""
    place = {name: number for number, name in enumerate(of.systems)}
    rank = {number: at for at, number in enumerate(order(of, metric))}
    found = []
    for row in tables(table(of.of(metric).get("tests")).get("pairs")):
        first, second = place.get(str(row.get("first"))), place.get(str(row.get("second")))
        if first is None or second is None:
            continue
        ps = {key: float(p) if finite(p) else None for key in TESTS for p in (row.get(key),)}
        gap, turned = _number(row.get("difference")), rank[first] > rank[second]
        one, other = (second, first) if turned else (first, second)
        verdict = str(row.get("verdict") or "")
        better = 1 if verdict == of.systems[one] else -1 if verdict == of.systems[other] else 0
        found.append(Pair(one, other, -gap if turned else gap, **ps, better=better))
    return sorted(found, key=lambda pair: (rank[pair.first], rank[pair.second]))


def buckets(of: Compared, metric: str) -> dict[str, list[tuple[Bucket, frozenset[int]]]]:
    """Parts by kind, each with the numbers of its segments."""
    found = {}
    for kind, parts in table(of.of(metric).get("buckets")).items():
        made = []
        for part in tables(parts):
            members = frozenset(int(i) for i in listed(part.get("segments")) if finite(i))
            scores = {name: float(score) for name, score in table(part.get("scores")).items() if finite(score)}
            made.append((Bucket(str(part.get("label")), len(members), scores, part.get("small") is True), members))
        found[str(kind)] = made
    return found


def scatters(of: Compared) -> list[Scatter]:
    """Every metric against people."""
    found = []
    for row in tables(of.told.get("correlations")):
        points = tuple((str(p[0]), float(p[1]), float(p[2])) for p in map(listed, listed(row.get("points")))
                       if len(p) == 3 and finite(p[1]) and finite(p[2]))
        tau = row.get("segment_tau")
        spans = {name: (float(span[0]), float(span[1])) for name, value in table(row.get("intervals")).items()
                 if len(span := listed(value)) == 2 and finite(span[0]) and finite(span[1])}
        found.append(Scatter(str(row.get("metric")), points, _number(row.get("pearson")), _number(row.get("spearman")),
                             _number(row.get("kendall")), float(tau) if finite(tau) else None,
                             int(_number(row.get("segments"))), str(row.get("warning") or ""), spans))
    return found


def chosen(of: Compared, look: Look) -> list[Segment]:
    """The segments that the look lets through, in its order."""
    pair, members = of.pair(look), _members(of, look)
    wanted = look.search.casefold()
    found = [one for one in of.segments if (members is None or one.index in members)
             and (pair is None or one.translations[pair[0]] != one.translations[pair[1]])
             and (not wanted or wanted in text_of(one, pair).casefold())]
    if look.sort == "spread":
        found.sort(key=lambda one: -(abs(gap(one, pair)) if pair else one.spread))
    return found


def _members(of: Compared, look: Look) -> frozenset[int] | None:
    part = bucket_of(of, look)
    return part[1] if part else None


def bucket_of(of: Compared, look: Look) -> tuple[Bucket, frozenset[int]] | None:
    """The part that is looked at, if there is one of that name."""
    kind, _, number = look.bucket.rpartition(".")
    parts = buckets(of, of.metric(look.metric)).get(kind, [])
    return parts[int(number)] if number.isdecimal() and int(number) < len(parts) else None


def text_of(one: Segment, pair: tuple[int, int] | None) -> str:
    """Every text of a segment that is shown, to search in."""
    translations = one.translations if pair is None else (one.translations[pair[0]], one.translations[pair[1]])
    return "\n".join([one.source, *one.references, *translations])


def gap(one: Segment, pair: tuple[int, int]) -> float:
    """By how much the first of the pair scores higher than the second."""
    return one.scores[pair[0]] - one.scores[pair[1]]


def unit_of(one: Segment, look: Look) -> str:
    """``char`` for Chinese and Japanese, else ``word``, unless it was chosen."""
    return look.unit or ("char" if is_cjk("".join(one.references or one.translations)) else "word")
