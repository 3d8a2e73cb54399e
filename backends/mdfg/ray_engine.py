"""The same shards on a Ray cluster, through Ray Data: the extra for more than one machine.

Every node must see the run directory and the sources under the same paths (a shared file system). A shard is a row of a
Ray data set; a pool of actors, each with the stage opened once, maps over it. Completion markers are those of the local
engine, so a run may be begun on one and finished on the other. ``pip install ray`` brings it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.mdfg.pool import Progress
from backends.mdfg.readers.plan import Shard
from backends.mdfg.stage import Done, Stage, Work, finished
from workbench.contract import MissingResource

ROOT = Path(__file__).resolve().parents[2]


class Actor:
    """One worker of the cluster; Ray makes it once and calls it with one shard after another."""

    def __init__(self, work: Work, shards: Sequence[Shard]) -> None:
        self.stage, self.shards = Stage(work), {shard.index: shard for shard in shards}

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Work on the shards of a batch and give their numbers back."""
        for index in batch["shard"]:
            self.stage.run(self.shards[int(index)])
        return {"shard": np.asarray(batch["shard"])}


def run(work: Work, shards: Sequence[Shard], workers: int, progress: Progress) -> Iterator[Done]:
    """Work on shards and give back what became of each. Joins the cluster of ``RAY_ADDRESS`` or starts one here."""
    left = []
    for shard in shards:
        done = finished(work, shard.index)
        if done is None:
            left.append(shard)
        else:
            yield done
    if left:
        yield from _mapped(work, left, min(workers, len(left)), progress)


def runtime() -> dict[str, Any]:
    """What workers need to import this project: where this process finds its modules."""
    return {"env_vars": {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}}


def _mapped(work: Work, shards: Sequence[Shard], workers: int, progress: Progress) -> Iterator[Done]:
    ray, data = _ray()
    ours = not ray.is_initialized()
    if ours:
        ray.init(log_to_driver=False, include_dashboard=False, configure_logging=False, runtime_env=runtime())
    try:
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        made = data.from_items([{"shard": shard.index} for shard in shards], override_num_blocks=len(shards))
        mapped = made.map_batches(Actor, fn_constructor_args=(work, list(shards)), batch_size=1,
                                  compute=data.ActorPoolStrategy(size=workers), num_cpus=1)
        for row in mapped.iter_rows():
            progress(0)
            done = finished(work, int(row["shard"]))
            if done is None:
                raise MissingResource(f"Shard {row['shard']} was worked on, but its files are not here.",
                                      advice="Every node must see the run directory under the same path.")
            yield done
    finally:
        if ours:
            ray.shutdown()


def _ray() -> tuple[Any, Any]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody unless a person wishes it
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingResource("Ray is not installed; it is an extra.",
                              advice='Install it with: pip install "ray[data]==2.60.0", or take the engine local.'
                              ) from error
    return ray, ray.data
