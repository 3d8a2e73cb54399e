"""One filtering run of ``bench corpus-resume``: ``python -m backends.mdfg.bench_resume_side RUN CORPUS WORKERS``.

Prints a line when the run begins, and at its end one JSON line with the seconds since then and the peak memory of this
process and of the largest of its workers. The same call on the same folder continues a run that was killed.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from backends.mdfg.bench_query_sides import peak_mb
from backends.mdfg.filter_task import run
from backends.mdfg.requests import FilterRequest
from workbench.context import MemoryContext

BEGUN = "begun"
SHARD_MB = 8.0
"""The default of a filtering run; small corpora are cut into a hundred shards, so that a kill falls between some."""
SCORERS = ("bundled:mdfg-zh-quality",)


def request(corpus: Path, workers: int) -> FilterRequest:
    """What is run: all rules, a bundled scorer, near-duplicates dropped, kept documents and the ledger written."""
    shard_mb = min(SHARD_MB, max(0.01, corpus.stat().st_size / 2**20 / 100))
    return FilterRequest(sources=(f"path:{corpus}",), near_duplicates="drop", scorers=SCORERS, workers=workers,
                         shard_mb=shard_mb, exports=("jsonl", "ledger"))


def main(arguments: Sequence[str]) -> None:
    """Run or continue, and print what it took."""
    folder, corpus, workers = arguments
    asked = request(Path(corpus), int(workers))
    print(BEGUN, flush=True)
    began = time.perf_counter()
    run(asked, MemoryContext(Path(folder)))
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": time.perf_counter() - began, "peak_mb": peak_mb(), "worker_mb": largest}))


if __name__ == "__main__":
    main(sys.argv[1:])
