"""A request as text: what is printed does the same again."""

from __future__ import annotations

import math
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from workbench import asking, registry
from workbench.contract import Task, UserError
from workbench.service import Service
from workbench.settings import Settings
from workbench.verbs.values import request_fields

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("toys")

NOTES = ["", "plain", "two words", "it's \"quoted\"", "$HOME `id` \\ !", "line\nbreak", "汉字 é", "-v", "a=b", "null",
         "3",
         '{"a": 1}', "[1, 2]", "true"]


def test_defaults_are_filled_in() -> None:
    assert asking.checked("toys.count.v1", {"steps": 3}) == {"steps": 3, "delay": 0.0, "seed": 0, "note": ""}


@pytest.mark.parametrize(("task", "fields", "message"), [
    ("toys.count.v9", {}, "There is no task named 'toys.count.v9'. Did you mean toys.count.v1"),
    ("toys.count.v1", {"stepz": 3}, "CountRequest has no field stepz; it has steps, delay, seed, note"),
    ("toys.count.v1", {"steps": 0}, "steps is 0; it must lie between 1 and 1e+06"),
    ("toys.count.v1", {"steps": "3"}, "steps is '3'; it must be a whole number"),
    ("toys.count.v1", {"steps": None}, "steps is None"),
    ("toys.count.v1", {"delay": math.nan}, "delay is nan"),
    ("toys.count.v1", {"note": "x" * 10_001}, "note is 10001 characters; it must lie at most 10000"),
    ("toys.count.v1", {"note": ["a"]}, "note is ['a']; it must be text"),
    ("toys.add.v1", {"a": 1.0}, "AddRequest needs the field b"),
    ("toys.fail.v1", {"how": "sideways"}, "how is 'sideways'; it must be one of 'bug'"),
    ("toys.count.v1", [1], "must be a table"), ("toys.count.v1", "steps=3", "must be a table")])
def test_a_bad_request_names_the_field_and_what_is_allowed(task: str, fields: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        asking.checked(task, fields)
    assert message in str(caught.value)


@pytest.mark.parametrize("note", NOTES)
def test_the_command_line_gives_the_same_request(note: str) -> None:
    fields = asking.checked("toys.count.v1", {"steps": 7, "delay": 0.25, "note": note})
    words = shlex.split(asking.as_command("toys.count.v1", fields))
    assert words[:4] == ["python3", "launch.py", "run", "toys.count.v1"]
    pairs = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    assert request_fields(registry.task("toys.count.v1"), pairs, [], False) == fields


@pytest.mark.parametrize("note", NOTES)
def test_the_python_lines_give_the_same_request(note: str) -> None:
    fields = asking.checked("toys.count.v1", {"steps": 7, "note": note})
    code = asking.as_python("toys.count.v1", fields)
    scope: dict[str, object] = {}
    assignment = code.split("service = Service(load_settings())\n")[1].split("run_id =")[0]
    exec(assignment, scope)
    assert asking.checked("toys.count.v1", scope["fields"]) == fields  # type: ignore[arg-type]


def test_the_python_lines_run(settings: Settings) -> None:
    code = asking.as_python("toys.count.v1", {"steps": 3})
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("succeeded counted 3 {'counted': 3")
    runs, count = Service(settings).runs("somebody else")
    assert count == 1 and runs[0].owner == "cli" and runs[0].shared


def test_only_what_differs_from_the_defaults_is_written() -> None:
    assert asking.as_command("toys.count.v1", asking.checked("toys.count.v1", {})) == (
        "python3 launch.py run toys.count.v1")
    assert asking.as_command("toys.add.v1", {"a": 1.0, "b": 2.0}) == (
        "python3 launch.py run toys.add.v1 --set a=1.0 --set b=2.0")


def test_processes_are_part_of_it() -> None:
    assert asking.as_command("toys.train.v1", {}, 2).endswith("--processes 2")
    assert "processes=2" in asking.as_python("toys.train.v1", {}, 2)


def test_a_task_that_is_gone_still_reads() -> None:
    assert asking.as_command("gone.task.v1", {"a": [1, {"b": None}]}) == (
        "python3 launch.py run gone.task.v1 --set 'a=[1, {\"b\": null}]'")


@dataclass(frozen=True)
class Odd:
    """A request whose check breaks in a way of its own."""

    a: int = 1

    def __post_init__(self) -> None:
        _ = self.a + 1


def test_a_check_that_breaks_is_the_requests_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task("odd.odd.v1", "Odd", "job", Odd, Odd, "tests.toys:count", Odd())
    monkeypatch.setattr(registry, "task", lambda name: task)
    with pytest.raises(UserError, match=r"does not fit.*Its fields are a\."):
        asking.checked("odd.odd.v1", {"a": "text"})
