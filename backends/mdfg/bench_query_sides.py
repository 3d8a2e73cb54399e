"""The two sides of ``bench corpus-query``, each run as ``python -m backends.mdfg.bench_query_sides NAME RUN STEPS``.

Prints one JSON line: wall times of the steps and their mean CPU time (all threads), the answers (documents shown,
histogram by verdict, places of the page), the largest answer in bytes and the peak memory of the process.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from backends.mdfg.explore.charts import histogram
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.counts import edges_of
from backends.mdfg.explore.loading import Column
from backends.mdfg.explore.pages import page, snippet
from backends.mdfg.explore.selection import Selection
from backends.mdfg.explore.texts import TextReader
from backends.mdfg.recipes import parse_recipe
from backends.mdfg.rules.verdicts import decide
from workbench.contract import Json
from workbench.fields import to_json

Side = Literal["ours", "pandas"]
Answer = list[Json]
Step = Mapping[str, Any]
Answerer = Callable[[Step], tuple[Answer, list[Any]]]
"""Answers a step; the second part is what a page would be sent."""
CHART, BINS, ROWS = "quality", 40, 50
ALIAS = {"quality": "given.quality", "toxicity": "given.toxicity"}


def sorts() -> tuple[str, ...]:
    """Columns that pages are sorted by."""
    return ("place", "quality", "toxicity", "n_chars", "dup_ratio")


def ours(run: Path) -> tuple[Answerer, dict[str, list[float]]]:
    """Open a corpus and answer as the page does; also the times of the parts of a step."""
    corpus = Corpus.open(run)
    spent: dict[str, list[float]] = {"histogram": [], "page": []}

    def answer(step: Step) -> tuple[Answer, list[Any]]:
        selection = Selection.from_query(step["query"])
        began = time.perf_counter()
        chart = histogram(corpus, CHART, selection, BINS)
        between = time.perf_counter()
        listed = page(corpus, selection, step["sort"], step["descending"], step["offset"], ROWS)
        spent["histogram"].append(between - began)
        spent["page"].append(time.perf_counter() - between)
        rows: Json = [[row.place, row.id] for row in listed.rows]
        return [listed.count.shown, list(chart.shown), list(chart.kept), rows], [chart, listed]
    return answer, spent


def pandas_side(run: Path) -> tuple[Answerer, dict[str, list[float]]]:
    """The same with a data frame in memory; the texts of the page are read from the same files by the same reader."""
    import pandas as pd  # type: ignore[import-untyped]

    frame = pd.read_parquet(run / "artifacts" / "attributes.parquet")
    reader = TextReader(run / "artifacts" / "documents")
    tests = parse_recipe((run / "artifacts" / "recipe.yaml").read_text(encoding="utf-8")).tests
    values = frame[ALIAS[CHART]]
    edges = np.array(edges_of(Column(CHART, "score", float(values.min()), float(values.max()), 0), BINS))
    highest = {name: float(frame[ALIAS.get(name, name)].max()) for name in ("n_chars", "quality", "toxicity")}

    def answer(step: Step) -> tuple[Answer, list[Any]]:
        selection = Selection.from_query(step["query"])
        kept = frame["kept"].to_numpy()
        if selection.moved:
            moved = list(tests)
            for index, limit in selection.moved:
                moved[index] = replace(moved[index], limit=limit)
            kept = decide({test.column: frame[test.column].to_numpy() for test in moved}, moved, len(frame)).kept
        around = np.ones(len(frame), dtype=bool) if selection.show == "all" else kept == (selection.show == "kept")
        mask = around.copy()
        for span in selection.spans:
            column = frame[ALIAS.get(span.column, span.column)].to_numpy()
            inside = column >= span.low
            if span.high is not None and span.high < highest[span.column]:
                inside &= column < span.high
            mask &= inside
            around = around & inside if span.column != CHART else around
        chosen = pd.DataFrame({"bin": pd.cut(values[around], edges, right=False, labels=False), "kept": kept[around]})
        chosen.loc[values[around] == edges[-1], "bin"] = len(edges) - 2
        counts = chosen.groupby(["bin", "kept"]).size().unstack(fill_value=0)
        counts = counts.reindex(index=range(len(edges) - 1), columns=[False, True], fill_value=0)
        rows = [(place, int(frame["part"].iat[place]), int(frame["row"].iat[place]))
                for place in _page(frame, mask, step)]
        listed = [[document.place, document.id] for document in reader.read(rows, light=True)
                  if snippet(document.text)]
        return [int(mask.sum()), counts.sum(axis=1).tolist(), counts[True].tolist(), listed], []
    return answer, {}


def _page(frame: Any, mask: Any, step: Step) -> list[int]:
    """Places of a page of a data frame; documents without the value come last, equal ones in order."""
    places = np.flatnonzero(mask)
    if step["sort"] == "place":
        places = places[::-1] if step["descending"] else places
    else:
        chosen = frame[ALIAS.get(step["sort"], step["sort"])][mask]
        places = places[_order(chosen.to_numpy(), step["descending"])]
    return [int(place) for place in places[step["offset"]:step["offset"] + ROWS]]


def _order(values: Any, descending: bool) -> Any:
    return np.argsort(-values.astype(float) if descending else values, kind="stable")


def measure(name: Side, run: Path, steps: Sequence[Step]) -> dict[str, Json]:
    """Open, answer two steps unmeasured, then all of them."""
    began = time.perf_counter()
    answer, spent = (ours if name == "ours" else pandas_side)(run)
    opened = time.perf_counter() - began
    for step in steps[:2]:
        answer(step)
    for times in spent.values():
        times.clear()
    times, answers, payload, worked = [], [], 0, 0.0
    for step in steps:
        began, before = time.perf_counter(), time.process_time()
        found, sent = answer(step)
        times.append(1e3 * (time.perf_counter() - began))
        worked += 1e3 * (time.process_time() - before) / len(steps)
        answers.append(found)
        payload = max(payload, len(json.dumps(to_json(sent), ensure_ascii=False).encode()))
    return {"name": name, "p50_ms": float(np.median(times)), "p95_ms": float(np.quantile(times, 0.95)),
            "longest_ms": max(times), "cpu_ms": worked, "open_s": opened, "peak_mb": peak_mb(), "payload": payload,
            "answers": answers, "parts": {part: 1e3 * float(np.median(several)) for part, several in spent.items()}}


def peak_mb() -> float:
    """Highest resident memory of this process in MB; a child's ``ru_maxrss`` would begin with its parent's."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


def main(arguments: Sequence[str]) -> None:
    """Measure one side and print what it found."""
    name, run, steps = arguments
    chosen: Side = "ours" if name == "ours" else "pandas"
    print(json.dumps(measure(chosen, Path(run), json.loads(Path(steps).read_text()))))


if __name__ == "__main__":
    main(sys.argv[1:])
