"""Checks of this copy of the project: tasks, panels, texts, documents, the default model, dotted names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

from workbench import hub, registry
from workbench.contract import Task, load
from workbench.doctor import Check, Finding
from workbench.hub_cards import ROOT
from workbench.settings import Settings

DOCS = ROOT / "assets" / "docs"
WHISPER = "package:whisper-tiny-en"
"""The speech encoder and recogniser that the Speech tab takes where nobody names one."""


def default_model(settings: Settings) -> Iterator[Finding]:
    """Whether the default model can be used, or what it waits for."""
    state = hub.state(settings.default_model, settings)
    if state.status == "ready":
        yield Finding("default model", "ok", f"{settings.default_model} in {state.detail}")
    else:
        yield Finding("default model", "warn", f"{settings.default_model}: {state.status} ({state.detail})",
                      f"python3 launch.py models --fetch {settings.default_model}")


def speech_model(settings: Settings) -> Iterator[Finding]:
    """Whether the Whisper that hears for the Speech tab is here. It is fetched when it is first used."""
    state = hub.state(WHISPER, settings)
    if state.status == "ready":
        yield Finding("speech model", "ok", f"{WHISPER} in {state.detail}")
    else:
        yield Finding("speech model", "warn", f"{WHISPER}: {state.status} ({state.detail})",
                      f"The Speech tab needs it: python3 launch.py models --fetch {WHISPER}")


def microphone(settings: Settings) -> Iterator[Finding]:
    """Whether browsers will give the page a microphone: they do on this machine's own address and by https."""
    if settings.loopback:
        yield Finding("microphone", "ok", f"browsers allow it at {settings.host}; elsewhere through an SSH tunnel")
    else:
        yield Finding("microphone", "warn", f"browsers refuse it at http://{settings.host}",
                      "Serve the page by https (a reverse proxy), or use an SSH tunnel; sound files work anyway.")


def methods(_: Settings) -> Iterator[Finding]:
    """Every method imports and every function of its tasks can be found."""
    for dotted in registry.methods():
        try:
            tasks: tuple[Task, ...] = tuple(getattr(import_module(dotted), "TASKS", ()))
            for task in tasks:
                task.function()
        except Exception as error:  # any failure of a method's code is the finding
            yield Finding(f"method {dotted}", "fail", f"{type(error).__name__}: {error}",
                          "Its tasks cannot run; the others can.")
            continue
        yield Finding(f"method {dotted}", "ok", f"{len(tasks)} task{'' if len(tasks) == 1 else 's'}")


def panels(_: Settings) -> Iterator[Finding]:
    """Every tab imports and offers a ``PANEL``."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    for dotted in registry.panels():
        try:
            panel = import_module(dotted).PANEL
        except Exception as error:  # as above
            yield Finding(f"panel {dotted}", "fail", f"{type(error).__name__}: {error}",
                          "Its tab shows this error; the other tabs work.")
            continue
        yield Finding(f"panel {dotted}", "ok", f"tab {panel.id}")


def figures(_: Settings) -> Iterator[Finding]:
    """Every reproduction and benchmark names a function that there is."""
    named: Mapping[str, str] = {**registry.REPRODUCTIONS, **registry.BENCHES}
    for name, dotted in named.items():
        try:
            load(dotted)
        except Exception as error:  # as above
            yield Finding(f"figure {name}", "fail", f"{type(error).__name__}: {error}", f"Correct {dotted}.")
            continue
        yield Finding(f"figure {name}", "ok", dotted)


def documents(_: Settings) -> Iterator[Finding]:
    """Every task is named in a page under assets/docs."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("*.md")))
    missing = undocumented(registry.tasks(), text)
    yield Finding("documents", "warn" if missing else "ok",
                  f"not named in assets/docs: {', '.join(missing)}" if missing else "every task is named",
                  "Add a line on each to the page of its method." if missing else "")


def undocumented(tasks: Mapping[str, Task], text: str) -> list[str]:
    """The tasks of the project's own methods that a text does not name."""
    return sorted(name for name, task in tasks.items() if task.run.startswith("backends.") and name not in text)


def texts(_: Settings) -> Iterator[Finding]:
    """Both languages of the page have the same keys with the same places."""
    from workbench.text import LANGUAGES, catalogue, places

    first, *others = [catalogue(lang) for lang in LANGUAGES]
    wrong = sorted({key for other in others for key in set(first) ^ set(other)}
                   | {key for other in others for key in set(first) & set(other)
                      if places(first[key]) != places(other[key])})
    yield Finding("texts", "fail" if wrong else "ok",
                  f"differ between languages: {', '.join(wrong[:10])}" if wrong else f"{len(first)} in each language",
                  "Add or correct them in assets/text." if wrong else "")


def tree(_: Settings) -> Iterator[Finding]:
    """The files that everything else is read from are there."""
    missing = [name for name in ("launch.py", "requirements.txt", "assets/models.toml", "assets/data.toml", "README.md")
               if not Path(ROOT / name).is_file()]
    yield Finding("files of the project", "fail" if missing else "ok",
                  f"missing: {', '.join(missing)}" if missing else str(ROOT),
                  "Restore them: copy the project again." if missing else "")


CHECKS: tuple[Check, ...] = (tree, default_model, speech_model, microphone, methods, panels, figures, documents, texts)
