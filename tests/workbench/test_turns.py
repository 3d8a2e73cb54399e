"""What a task must hold here, which device it gets, and the wait for it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from workbench import machine, process, turns
from workbench.contract import Cancelled, MissingResource, Needs
from workbench.machine import environment, gpus, packages
from workbench.runs import Run, create_run
from workbench.settings import Settings
from workbench.store import Index, Slots
from workbench.turns import Wanted, device_for, restrict, wait, wanted


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with two accelerators, as far as the device files say."""
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    monkeypatch.setattr(machine, "_DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


@pytest.fixture
def no_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_DEVICES", tmp_path / "none")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(("device", "visible", "expected"), [
    ("auto", None, ("0", "1")), ("cpu", None, ()), ("cuda", None, ("0", "1")), ("cuda:1", None, ("1",)),
    ("cuda:7", None, ()), ("auto", "1", ("1",)), ("auto", "", ()), ("auto", "-1", ()), ("auto", "1,0", ("1", "0")),
    ("cuda:0", "3, 1", ("3",)), ("auto", "GPU-abc", ("GPU-abc",)), ("cpu", "0", ())])
def test_accelerators_that_may_be_used(device: str, visible: str | None, expected: tuple[str, ...], two_cards: Path,
                                       settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus(replace(settings, device=device)) == expected


@pytest.mark.parametrize(("slots", "processes", "expected"), [
    ((), 1, None), (("cpu",), 1, Wanted("cpu", ("cpu:0", "cpu:1"), 1)),
    (("cpu",), 4, Wanted("cpu", ("cpu:0", "cpu:1"), 1)),
    (("gpu",), 1, Wanted("gpu", ("gpu:0", "gpu:1"), 1)), (("gpu",), 2, Wanted("gpu", ("gpu:0", "gpu:1"), 2)),
    (("gpu",), 5, Wanted("gpu", ("gpu:0", "gpu:1"), 2)), (("cpu", "gpu"), 1, Wanted("gpu", ("gpu:0", "gpu:1"), 1))])
def test_what_is_wanted_with_accelerators(slots: tuple[str, ...], processes: int, expected: Wanted | None,
                                          two_cards: Path, settings: Settings) -> None:
    assert wanted(Needs(slots=slots), replace(settings, slots_cpu=2), processes) == expected


@pytest.mark.usefixtures("no_cards")
def test_without_accelerators_gpu_means_cpu_unless_one_was_asked_for(settings: Settings) -> None:
    needs = Needs(slots=("gpu",))
    assert wanted(needs, settings, 2) == Wanted("cpu", ("cpu:0",), 1)
    with pytest.raises(MissingResource, match="device is cuda, but there is no such accelerator"):
        wanted(needs, replace(settings, device="cuda"), 1)
    assert wanted(Needs(slots=("cpu",)), replace(settings, device="cuda"), 1) == Wanted("cpu", ("cpu:0",), 1)


@pytest.mark.parametrize(("slots", "rank", "device", "visible"), [
    ((), 0, "cpu", ""), (("cpu:0",), 0, "cpu", ""), (("gpu:3",), 0, "cuda:0", "3"),
    (("gpu:1", "gpu:0"), 1, "cuda:1", "1,0"), (("gpu:0", "gpu:1"), 0, "cuda:0", "0,1")])
def test_a_process_sees_only_what_it_holds(slots: tuple[str, ...], rank: int, device: str, visible: str,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    restrict(slots)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible
    assert device_for(slots, rank) == device


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(("task", "expected"), [("toys.gpu.v1", 2), ("toys.train.v1", 0), ("toys.count.v1", 0),
                                                ("gone.task.v1", 0)])
def test_accelerators_of_a_run(task: str, expected: int, two_cards: Path, settings: Settings) -> None:
    run = create_run(settings.home, task, {}, owner="a", processes=2)
    assert turns.accelerators(run, settings) == expected


class TestWait:
    WANT = Wanted("cpu", ("cpu:0",), 1)

    @pytest.fixture
    def run(self, settings: Settings) -> Run:
        return create_run(settings.home, "t", {}, owner="a")

    def test_a_free_slot_is_given_at_once(self, run: Run, settings: Settings) -> None:
        said: list[str] = []
        assert wait(Index(settings.home), run, self.WANT, lambda: None, said.append) == ("cpu:0",)
        assert said == []

    def test_the_wait_is_told_once_and_ends(self, run: Run, settings: Settings) -> None:
        index, said, looks = Index(settings.home), [], []
        pid, when = os.getpid(), process.started(os.getpid()) or 0.0
        Slots(index).take("other", "cpu", ("cpu:0",), 1, since=0.0, pid=pid, pid_started=when)

        def check() -> None:
            looks.append(1)
            if len(looks) == 3:
                Slots(index).release("other", pid)

        assert wait(index, run, self.WANT, check, said.append) == ("cpu:0",)
        assert said == ["Waiting for its turn: 1 run before it."]

    def test_giving_up_frees_the_place(self, run: Run, settings: Settings) -> None:
        index = Index(settings.home)
        pid, when = os.getpid(), process.started(os.getpid()) or 0.0
        Slots(index).take("other", "cpu", ("cpu:0",), 1, since=0.0, pid=pid, pid_started=when)
        looks: list[int] = []

        def check() -> None:
            looks.append(1)
            if len(looks) == 2:
                raise Cancelled

        with pytest.raises(Cancelled):
            wait(index, run, self.WANT, check, lambda text: None)
        Slots(index).release("other", pid)
        turn = Slots(index).take("later", "cpu", ("cpu:0",), 1, since=9e12, pid=pid, pid_started=when)
        assert turn.slots == ("cpu:0",), "nobody waits before it any more"


class TestMachine:
    def test_the_record_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        record = environment("cpu", ("cpu:0",))
        assert record["python"].startswith("3.") and record["device"] == "cpu" and record["slots"] == ["cpu:0"]
        assert record["threads"] == "3" and record["processors"] == os.cpu_count()
        assert {"commit", "dirty", "platform", "machine", "packages"} <= set(record)

    def test_packages_have_their_exact_versions(self) -> None:
        import psutil
        import pytest as pytest_package

        found = packages()
        assert found["psutil"] == psutil.__version__ and found["pytest"] == pytest_package.__version__

    def test_without_git_there_is_no_commit(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(machine, "ROOT", tmp_path)
        assert machine._commit() == ("", "")
        (tmp_path / ".git").mkdir()
        monkeypatch.setenv("PATH", str(tmp_path))
        assert machine._commit() == ("", ""), "no git program either"

    def test_a_changed_tree_has_a_hash_beside_its_commit(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        import subprocess

        def git(*words: str) -> None:
            who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
            subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

        git("init")
        (tmp_path / "f").write_text("1")
        git("add", "f")
        git("commit", "-m", "one")
        monkeypatch.setattr(machine, "ROOT", tmp_path)
        commit, dirty = machine._commit()
        assert len(commit) == 40 and dirty == ""
        (tmp_path / "f").write_text("2")
        assert machine._commit()[0] == commit and len(machine._commit()[1]) == 16

    @pytest.mark.parametrize(("device", "expected"), [("auto", "cuda x2"), ("cpu", "cpu"), ("cuda:1", "cuda")])
    def test_the_device_in_words(self, device: str, expected: str, two_cards: Path, settings: Settings) -> None:
        assert machine.device_name(replace(settings, device=device)) == expected

    def test_memory(self) -> None:
        used, total = machine.memory_mb()
        assert 0 < used < total
