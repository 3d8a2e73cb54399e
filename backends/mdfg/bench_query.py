"""``bench corpus-query``: a million documents filtered, charted and listed, against pandas doing the same.

The million rows are the attributes of a real run over the sample's documents, tiled, with noise on every value and
drawn scores (nobody has a million sample documents); verdicts are decided again, and every row points at a text that
exists. A step is what a brush on the page costs: a filter of three ranges, half of the time with two limits moved, the
histogram of a score by verdict, and a page of 50 rows sorted by a drawn column, with the snippets of their texts. Both
sides run in a process of their own, so that peak memory can be told, and read those texts in the same way.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from backends.mdfg import sample
from backends.mdfg.bench_query_sides import Side, sorts
from backends.mdfg.bench_targets import target
from backends.mdfg.explore.selection import Selection, Span
from backends.mdfg.filter_task import run as filter_texts
from backends.mdfg.recipes import load_recipe
from backends.mdfg.requests import FilterRequest
from backends.mdfg.rules.verdicts import decide
from workbench.context import MemoryContext
from workbench.contract import Json, UserError
from workbench.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ROWS, DOCUMENTS, STEPS, ROUNDS = 1_000_000, 12_000, 60, 3
QUICK = (100_000, 1_500, 12, 1)
TARGET_MS, PAYLOAD = 200.0, 200_000
GROUP = 65_536
DOMAINS = ("encyclopedia", "book", "dialogue", "education", "finance", "law", "math", "news", "medicine", "technology",
           "general")


def run(settings: Settings, quick: bool = False) -> dict[str, Json]:
    """Measure and return the shape of ``workbench.evidence.Bench``; ``ratio`` is pandas' median step over ours."""
    rows, documents, steps, rounds = QUICK if quick else (ROWS, DOCUMENTS, STEPS, ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        run_folder = corpus(Path(folder), rows, documents)
        (Path(folder) / "steps.json").write_text(json.dumps(drawn(steps)))
        found = [[side(name, run_folder, Path(folder) / "steps.json") for name in ("ours", "pandas")]
                 for _ in range(rounds)]
    ours, theirs = (sorted(several, key=lambda one: one["p50_ms"])[rounds // 2] for several in zip(*found, strict=True))
    print(f"{rows:,} documents (attributes of {documents:,} sample documents, tiled with noise), {steps} steps of "
          f"filter + histogram + page of 50, wall clock, middle of {rounds} rounds in turn")
    for one in (ours, theirs):
        print(f"  {one['name']:<8} p50 {one['p50_ms']:>6.1f} ms, p95 {one['p95_ms']:>6.1f} ms, longest "
              f"{one['longest_ms']:>6.1f} ms, mean CPU time {one['cpu_ms']:>6.1f} ms; opening {one['open_s']:.1f} s; "
              f"peak memory {one['peak_mb']:,.0f} MB")
    for part in ours["parts"]:
        print(f"  {part:<10} p50 {ours['parts'][part]:>6.1f} ms")
    print(f"p95 {ours['p95_ms']:.1f} ms: {target(ours['p95_ms'], 'at most', TARGET_MS, 'ms')}")
    print(f"largest answer {ours['payload']:,} bytes: {target(ours['payload'], 'below', PAYLOAD, 'bytes')}")
    print(f"peak memory {ours['peak_mb']:,.0f} MB against {theirs['peak_mb']:,.0f} MB of pandas "
          f"({theirs['peak_mb'] / ours['peak_mb']:.1f} times ours)")
    same = ours["answers"] == theirs["answers"] and ours["payload"] < PAYLOAD
    return {"name": "corpus-query", "peer": "pandas with the table in memory",
            "ratio": round(theirs["p50_ms"] / ours["p50_ms"], 2), "ours": round(ours["p50_ms"] / 1e3, 6),
            "theirs": round(theirs["p50_ms"] / 1e3, 6), "same_result": same}


def corpus(folder: Path, rows: int, documents: int, seed: int = 5) -> Path:
    """Folder of a run whose table has ``rows`` rows over the texts of ``documents`` sample documents."""
    source = folder / "source.parquet"
    pq.write_table(pa.table({"text": [text for text, _ in sample.documents(documents, seed=23)]}), source)
    context = MemoryContext(folder / "run")
    filter_texts(FilterRequest(sources=(f"path:{source}",), exports=(), shard_mb=4.0), context)
    path = context.run / "artifacts" / "attributes.parquet"
    tiled(pq.read_table(path), rows, path, np.random.Generator(np.random.PCG64(seed)))
    return context.run


def tiled(table: pa.Table, rows: int, path: Path, draw: np.random.Generator) -> None:
    """Write ``rows`` rows like those of a table: shuffled copies, values times 1 + 5 % noise, drawn scores, verdicts
    by the recipe's limits on the new values."""
    tests = load_recipe("zh-paper-code").tests
    writer = None
    for begin in range(0, rows, GROUP):
        count = min(GROUP, rows - begin)
        part = table.take(pa.array(draw.integers(0, table.num_rows, count)))
        columns: dict[str, Any] = {name: part.column(name) for name in part.schema.names}
        for name, column in columns.items():
            if pa.types.is_floating(column.type):
                columns[name] = pa.array(np.round(column.to_numpy() * (1 + 0.05 * draw.standard_normal(count)), 6))
        length = part.column("n_chars").to_numpy()
        columns["n_chars"] = pa.array((length * (1 + 0.05 * draw.standard_normal(count))).astype(np.int32))
        columns["given.quality"] = pa.array(np.where(draw.random(count) < 0.02, np.nan, draw.beta(3, 2, count)))
        columns["given.toxicity"] = pa.array(draw.beta(0.4, 6, count))
        columns["given.domain"] = pa.array(np.array(DOMAINS)[draw.integers(0, len(DOMAINS), count)].tolist())
        columns["number"] = pa.array(np.arange(begin + 1, begin + count + 1))
        values = {name: column.to_numpy() for name, column in columns.items()
                  if name in {test.column for test in tests}}
        verdicts = decide(values, tests, count)
        columns |= {"rule_fail": pa.array(verdicts.rule_fail), "first_fail": pa.array(verdicts.first_fail),
                    "kept": pa.array(verdicts.kept)}
        made = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, made.schema, compression="zstd")
        writer.write_table(made)
    if writer is not None:
        writer.close()


def drawn(steps: int, seed: int = 9) -> list[dict[str, Json]]:
    """Steps: the filter as an address, the column to sort by, and where the page begins."""
    draw = np.random.Generator(np.random.PCG64(seed))
    found: list[dict[str, Json]] = []
    for number in range(steps):
        low, width = float(draw.uniform(0, 0.6)), float(draw.uniform(0.2, 0.4))
        chars = float(draw.integers(0, 300))
        spans = (Span("n_chars", chars, chars + float(draw.integers(200, 900))), Span("quality", low, low + width),
                 Span("toxicity", 0.0, float(draw.uniform(0.02, 0.4))))
        moved = ((0, float(draw.integers(50, 400))), (5, round(float(draw.uniform(0.1, 0.9)), 3))) if number % 2 else ()
        selection = Selection(show=("all", "kept", "dropped")[int(draw.integers(3))], spans=spans, moved=moved)
        found.append({"query": selection.to_query(), "sort": sorts()[int(draw.integers(len(sorts())))],
                      "descending": bool(draw.integers(2)), "offset": int(draw.integers(0, 40)) * 50})
    return found


def side(name: Side, run_folder: Path, steps: Path) -> dict[str, Any]:
    """What one side measured, in a process of its own. Raises ``UserError`` when it failed, with its last line."""
    done = subprocess.run([sys.executable, "-m", "backends.mdfg.bench_query_sides", name, str(run_folder), str(steps)],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"The side {name} of the benchmark ended with {done.returncode}: "
                        f"{(done.stderr.strip() or 'nothing said').splitlines()[-1][:300]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
