"""The two tasks of every model, through a real context and a real resident process of the tiny model."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.common import TASKS
from backends.common.language import Decoding, Prompt, open_model
from backends.common.tasks import FetchModel, TryModel, as_prompt, fetch_model, try_model
from tests.backends.engine_cases import chat, open_local
from workbench import process, sessions
from workbench.context import MemoryContext
from workbench.contract import MissingResource, UserError
from workbench.fields import from_json, to_json
from workbench.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
GREEDY = Decoding(temperature=0.0, max_new_tokens=16)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemoryContext]:
    home = tmp_path_factory.mktemp("home")
    made = MemoryContext(home / "run", settings=Settings(home=home, threads=1, models_cache=home / "models"))
    yield made
    for model in sessions.processes(made.settings):
        sessions.unload(made.settings, model.reference)


def test_a_model_is_tried_piece_by_piece(context: MemoryContext, tiny_lm: Path) -> None:
    events = list(try_model(TryModel("hello", f"path:{tiny_lm}", "Be kind.", GREEDY), context))
    assert [set(event) for event in events[:-1]] == [{"delta"}] * (len(events) - 1)
    done = events[-1]["done"]
    assert "".join(event["delta"] for event in events[:-1]) == done["completion"]["text"]
    assert done["completion"]["tokens"] <= 16 and done["tokens_per_second"] >= 0 and done["first_token_seconds"] > 0


def test_closing_the_stream_frees_the_model(context: MemoryContext, tiny_lm: Path) -> None:
    endless = Decoding(temperature=0.0, max_new_tokens=3900, min_new_tokens=3900)
    events = try_model(TryModel("hi", f"path:{tiny_lm}", "", endless), context)
    assert "delta" in next(events)
    events.close()
    deadline = time.monotonic() + 5
    while sessions.processes(context.settings)[0].busy:
        assert time.monotonic() < deadline, "the model still works for nobody"
        time.sleep(0.02)


def test_what_goes_wrong_is_raised_to_the_caller(context: MemoryContext, tiny_lm: Path) -> None:
    with pytest.raises(UserError, match="context window holds 4096"):
        list(try_model(TryModel("x" * 5000, f"path:{tiny_lm}"), context))
    with pytest.raises(MissingResource):
        list(try_model(TryModel("x", "path:/nowhere"), context))


def test_the_resident_model_is_the_local_one(context: MemoryContext, tiny_lm: Path) -> None:
    model = open_model(context, f"path:{tiny_lm}")
    dtype = model.info()["dtype"]
    local, prompts = open_local(tiny_lm, dtype), [chat("hello", key="a"), chat("难过", key="b")]
    assert [c.text for c in model.generate(prompts, GREEDY)] == [c.text for c in local.generate(prompts, GREEDY)]
    again = model.generate(prompts, GREEDY)
    assert all(c.reused_tokens == c.prompt_tokens - 1 for c in again)
    model.forget(["a", "b"])
    assert model.info()["bytes"]["kept"] == 0
    found = model.score(prompts, [["Question"], ["x", "yz"]])
    for mine, theirs in zip(found, local.score(prompts, [["Question"], ["x", "yz"]]), strict=True):
        assert [v for r in mine for v in r] == pytest.approx([v for r in theirs for v in r], abs=1e-3)


def test_two_callers_at_once_get_their_own_replies(context: MemoryContext, tiny_lm: Path) -> None:
    model = open_model(context, f"path:{tiny_lm}")
    alone = [model.generate([chat(str(i), key=f"r{i}")], GREEDY)[0].text for i in range(4)]
    together: dict[int, str] = {}

    def one(i: int) -> None:
        together[i] = open_model(context, f"path:{tiny_lm}").generate([chat(str(i), key=f"s{i}")], GREEDY)[0].text

    threads = [threading.Thread(target=one, args=(i,)) for i in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    if model.info()["dtype"] == "float32":
        assert [together[i] for i in range(4)] == alone
    assert len(together) == 4


def test_all_memory_comes_back_and_the_caller_never_loads_torch(tmp_path: Path, tiny_lm: Path) -> None:
    """The caller's process ends within 50 MB of its start, without torch, while the model's process is gone."""
    code = f"""
import os, sys, psutil
from pathlib import Path
from backends.common.language import Decoding, Message, Prompt, ResidentModel
from workbench import sessions
from workbench.settings import Settings
me = psutil.Process()
before = me.memory_info().rss
settings = Settings(home=Path({str(tmp_path)!r}), threads=1, models_cache=Path({str(tmp_path)!r}))
model = ResidentModel(sessions.connect(settings, {f"path:{tiny_lm}"!r}))
reply = model.generate([Prompt((Message("user", "hi"),))], Decoding(max_new_tokens=4))
found = sessions.processes(settings)[0]
sessions.unload(settings, found.reference)
print(found.pid, found.rss_mb, (me.memory_info().rss - before) / 1e6, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    pid, held, grown, torch = done.stdout.split()
    assert process.started(int(pid)) is None and float(held) > 100
    assert float(grown) < 50 and torch == "False"


def test_fetching_what_lies_here_reports_its_size(context: MemoryContext, tiny_lm: Path) -> None:
    done = fetch_model(FetchModel(f"path:{tiny_lm}"), context)
    assert done.path == str(tiny_lm) and done.size_mb > 0.1
    assert context.reports[-1][:2] == (1, 1)
    with pytest.raises(MissingResource):
        fetch_model(FetchModel("path:/nowhere"), context)


@pytest.mark.parametrize(("kind", "system", "prompt"), [
    ("chat", "", ["hello"]), ("chat", "Be kind.", ["Be kind.", "hello"]), ("base", "", "hello"),
    ("base", "Be kind.", "Be kind.\n\nhello")])
def test_a_base_model_is_given_raw_text(kind: str, system: str, prompt) -> None:
    made = as_prompt(TryModel("hello", "x", system), kind)
    assert made == Prompt(text=prompt) if kind == "base" else [m.content for m in made.messages] == prompt


def test_requests_are_checked_and_survive_json() -> None:
    with pytest.raises(UserError, match="text is 0 characters"):
        TryModel("")
    with pytest.raises(UserError, match="text is 100000 characters"):
        TryModel("x" * 100_000)
    with pytest.raises(UserError, match="reference"):
        FetchModel("")
    request = TryModel("hi", "path:/x", "", GREEDY)
    assert from_json(TryModel, to_json(request)) == request


def test_the_tasks_are_named_and_torch_stays_out() -> None:
    assert [(t.name, t.kind, t.needs.slots) for t in TASKS] == [
        ("common.fetch_model.v1", "job", ()), ("common.try_model.v1", "stream", ()),
        ("common.compare.v1", "job", ("gpu",)), ("common.translate.v1", "stream", ())]
    code = "import sys, backends.common, backends.common.endpoint, workbench.sessions; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.stdout.strip() == "False", done.stderr
