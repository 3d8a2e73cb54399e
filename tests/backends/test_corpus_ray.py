"""The same run on a real local Ray cluster of two workers gives the bytes of the local engine."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from backends.mdfg import sample
from tests.backends.corpus_cases import filtered
from workbench.contract import MissingResource

HERE = importlib.util.find_spec("ray") is not None
NEEDS = pytest.mark.skipif(not HERE, reason='Ray is an extra that is not installed here: pip install "ray[data]"')


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Ray, connected to two nodes of one processor each, on this machine; skips where its processes may not be started.

    Importing it puts its own copies of other packages on the path of modules: the tests after this one find the path
    as it was.
    """
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setattr(sys, "path", [*sys.path])
    import ray
    from ray.cluster_utils import Cluster

    from backends.mdfg.ray_engine import runtime

    try:
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        made.add_node(num_cpus=1)
        ray.init(address=made.address, log_to_driver=False, configure_logging=False, runtime_env=runtime())
    except (OSError, RuntimeError, ConnectionError, TimeoutError) as error:
        pytest.skip(f"Ray does not start on this machine: {error}")
    yield ray
    ray.shutdown()
    made.shutdown()


@NEEDS
@pytest.mark.timeout(300)
def test_two_workers_of_a_cluster_give_the_bytes_of_one_process(ray: ModuleType, tmp_path: Path) -> None:
    assert len(ray.nodes()) == 2
    path = sample.write_jsonl(tmp_path / "a.jsonl", 600)
    fields = {"sources": (path,), "shard_mb": 0.2, "exports": ("jsonl",), "near_duplicates": "drop"}
    whole, one = filtered(tmp_path / "local", **fields)
    found, two = filtered(tmp_path / "ray", engine="ray", workers=2, **fields)
    assert (found.documents, found.kept, found.first) == (whole.documents, whole.kept, whole.first)
    for name in ("attributes.parquet", "kept.jsonl", "recipe.yaml"):
        assert (two.run / "artifacts" / name).read_bytes() == (one.run / "artifacts" / name).read_bytes()
    marks = sorted((two.run / "checkpoints" / "shards").glob("*/done.json"))
    before = [mark.stat().st_mtime_ns for mark in marks]
    marks[3].unlink()
    again, _ = filtered(tmp_path / "ray", engine="ray", workers=2, **fields)
    assert again.kept == whole.kept
    after = [mark.stat().st_mtime_ns for mark in marks]
    assert [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [3], "only what was gone"


@pytest.mark.skipif(HERE, reason="Ray is installed")
def test_without_ray_it_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match=r'pip install "ray\[data\]'):
        filtered(tmp_path / "run", engine="ray", limit=10)
