"""The worked example of ``assets/docs/add-a-method.md`` runs as it is printed there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "assets" / "docs" / "add-a-method.md"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The page's files in a ``backends/zipf`` beside the real packages (by extending the package path)."""
    folder = tmp_path / "extra" / "zipf"
    folder.mkdir(parents=True)
    blocks = re.findall(r"```python file=(\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert [name for name, _ in blocks] == ["requests.py", "infer.py", "__init__.py"]
    for name, code in blocks:
        (folder / name).write_text(code, encoding="utf-8")
    (tmp_path / "sitecustomize.py").write_text(f"import backends\nbackends.__path__.append({str(folder.parent)!r})\n")
    return tmp_path


def run(example: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(example), str(ROOT)]),
                   "WORKBENCH_PLUGINS": "backends.zipf", "WORKBENCH_HOME": str(home)}
    return subprocess.run([sys.executable, "-m", "workbench.cli", *arguments], cwd=ROOT, env=environment, text=True,
                          capture_output=True, timeout=120)


def test_the_new_task_is_listed_with_its_limits(example: Path, home: Path) -> None:
    done = run(example, home, "tasks", "--json")
    listed = {t["name"]: t for t in json.loads(done.stdout)}
    assert "zipf.fit.v1" in listed, done.stderr
    assert "0.5" in json.dumps(listed["zipf.fit.v1"])


def test_it_runs_and_finds_the_exponent(example: Path, home: Path) -> None:
    done = run(example, home, "run", "zipf.fit.v1", "--set", "exponent=1.5", "--set", "tokens=20000")
    assert done.returncode == 0, done.stderr
    directory = next((home / "runs").iterdir())
    result = json.loads((directory / "result.json").read_text())
    assert result["error"] <= 0.05 and abs(result["exponent"] - 1.5) <= 0.05
    assert (directory / "artifacts" / "counts.json").exists()
    assert len((directory / "metrics.jsonl").read_text().splitlines()) == 20


def test_a_bad_value_is_refused_before_anything_starts(example: Path, home: Path) -> None:
    done = run(example, home, "run", "zipf.fit.v1", "--set", "exponent=9")
    assert done.returncode == 2
    assert "exponent is 9; it must lie between 0.5 and 3." in done.stderr + done.stdout
    assert not (home / "runs").exists() or not list((home / "runs").iterdir())


def test_the_page_is_lint_clean(example: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "ruff.toml"),
                           str(example / "extra")], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout
