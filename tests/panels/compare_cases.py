"""Shared by the tests of the Compare view: finished comparisons, files in a home, presses, and HTML read back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from backends.common.mt.compare import run as compare_run
from backends.common.mt.requests import CompareRequest
from panels.translation_compare_data import Compared, load
from panels.translation_compare_held import Held
from panels.translation_files import take_text
from tests.panels.test_dialogue_wiring import ANN
from workbench.context import MemoryContext
from workbench.panel import Shell
from workbench.runs import Run, create_run
from workbench.service import Service

TASK = "common.compare.v1"
SCRIPT = "<script>alert(1)</script>"
VOID = {"input", "br", "img", "hr", "meta", "link"}


class Balanced(HTMLParser):
    """Reads HTML and notes every tag, attribute and what was not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def parsed(html: str) -> Balanced:
    """The tags of a piece of HTML, which must be balanced and without a script or a handler of anybody's."""
    reader = Balanced()
    reader.feed(html)
    assert not reader.wrong and not reader.open, (reader.wrong, reader.open)
    for tag, attributes in reader.tags:
        assert tag != "script" and not any(name.startswith("on") for name in attributes), (tag, attributes)
    assert "translation_compare." not in html, html[html.index("translation_compare.") :][:80]
    return reader


def acts(html: str, act: str) -> list[str]:
    """The keys of everything that can be pressed for ``act``."""
    return [str(a.get("data-key")) for _, a in parsed(html).tags if a.get("data-act") == act]


def pressing(act: str, key: Any = "", value: Any = "") -> SimpleNamespace:
    """The event of a press."""
    return SimpleNamespace(_data={"act": act, "key": str(key), "value": str(value)})


def finished(folder: Path, **fields: Any) -> Compared:
    """A comparison that was really made."""
    context = MemoryContext(folder / "run")
    compare_run(CompareRequest(**{"resamples": 50, "trials": 50, **fields}), context)
    return load(Run("r", context.run))


def written(folder: Path, texts: Mapping[str, Sequence[str] | bytes]) -> dict[str, str]:
    """Files by name; a list is one segment a line. Their ``path:`` references."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in texts.items():
        data = lines if isinstance(lines, bytes) else ("\n".join(lines) + "\n").encode()
        (folder / name).write_bytes(data)
    return {name: f"path:{folder / name}" for name in texts}


def holding(shell: Shell, texts: Mapping[str, str]) -> Held:
    """Pasted texts as they are held."""
    return Held(tuple(take_text(shell, name, text) for name, text in texts.items()))


def put(
    service: Service,
    artifacts: Path | None = None,
    *,
    owner: str = ANN,
    status: str = "succeeded",
    task: str = TASK,
    fields: Mapping[str, Any] | None = None,
    **state: Any,
) -> Run:
    """A comparison of this home, with the files of ``artifacts``."""
    run = create_run(service.settings.home, task, dict(fields or {}), owner=owner, title="Some systems")
    folder = run.path / "artifacts"
    folder.mkdir(exist_ok=True)
    if artifacts is not None:
        for path in artifacts.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
            kind = "export" if path.suffix in (".tsv", ".md", ".tex") else path.stem
            line = json.dumps({"name": path.name, "kind": kind, "path": f"artifacts/{path.name}"})
            with (run.path / "artifacts.jsonl").open("a", encoding="utf-8") as file:
                file.write(line + "\n")
    now = json.loads((run.path / "state.json").read_text())
    now |= {"status": status, "started": 1.0, "finished": 3.5, **state}
    (run.path / "state.json").write_text(json.dumps(now))
    service.index.sync()
    return service.run(owner, run.id)
