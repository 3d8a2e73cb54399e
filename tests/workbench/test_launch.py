"""launch.py for real, on a small copy of the project: set up once, again, at once, interrupted, and failing."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import launch
from workbench import environment
from workbench.environment import SetupFailed, explain, is_fresh, pins

ROOT = Path(launch.__file__).parent
CLI = """
import os, sys
print("cli", sys.argv[1:], sys.executable, os.environ["PYTHONPATH"].split(os.pathsep)[0])
sys.exit(int(os.environ.get("CLI_CODE", "0")))
"""


def make_wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """A wheel of one empty module."""
    info = f"{name}-{version}.dist-info"
    files = {f"{name}.py": "", f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
             f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
                                 + (f"Requires-Dist: {requires}\n" if requires else "")}
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def make_project(root: Path) -> Path:
    """launch.py and what it needs, with four tiny packages instead of the real ones, and a stand-in for the cli."""
    (root / "workbench").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "links").mkdir()
    shutil.copy(ROOT / "launch.py", root)
    for name in ("__init__.py", "environment.py"):
        shutil.copy(ROOT / "workbench" / name, root / "workbench")
    (root / "workbench" / "cli.py").write_text(CLI)
    for name, version, requires in (("torch", "2.13.0", "helper>=1"), ("helper", "1.0", ""), ("helper", "2.0", ""),
                                    ("alpha", "1.0", "helper"), ("alpha", "1.1", ""), ("probe", "1.0", "")):
        make_wheel(root / "links", name, version, requires)
    (root / "requirements.txt").write_text("# pins\ntorch==2.13.0   # first\nalpha==1.0  # why\n\nhelper==1.0\n")
    (root / "tests" / "requirements.txt").write_text("probe==1.0\n")
    return root


def environ_of(root: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_") and name != "PYTHONPATH"}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(root / "links"),
            "PIP_RETRIES": "0", **more}


def start(root: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, str(root / "launch.py"), *arguments], env=environ_of(root, **more),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root.parent)


def run(root: Path, *arguments: str, **more: str) -> tuple[int, str, str]:
    child = start(root, *arguments, **more)
    out, err = child.communicate(timeout=120)
    return child.returncode, out, err


def installed(root: Path) -> set[str]:
    found = (path.name.removesuffix(".dist-info") for path in
             (root / ".venv").glob("lib/python*/site-packages/*.dist-info"))
    return {name for name in found if name.split("-")[0] not in ("pip", "setuptools")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str, str]:
    """A project that was set up once, and what that said."""
    root = make_project(tmp_path_factory.mktemp("project") / "here")
    return (root, *run(root, "runs", "--json", CLI_CODE="7"))


def test_the_first_start_sets_up_and_hands_over(made: tuple[Path, int, str, str]) -> None:
    root, code, out, err = made
    assert code == 7, "the exit code is the cli's"
    assert out.strip() == f"cli ['runs', '--json'] {root}/.venv/bin/python {root}"
    assert installed(root) == {"torch-2.13.0", "alpha-1.0", "helper-1.0"}
    for part in ("Setting up in", "Python environment", "torch", "packages", "Set up in"):
        assert part in err
    assert "Processing" not in err, "pip's own words go to the log"
    assert "Processing" in (root / ".venv" / "setup.log").read_text()
    assert not (root / ".venv" / "tmp").exists()
    assert len(err.splitlines()) < 15


def test_torch_is_installed_first_within_the_pins(made: tuple[Path, int, str, str]) -> None:
    log = (made[0] / ".venv" / "setup.log").read_text()
    assert log.index("links/torch-2.13.0") < log.index("links/alpha-1.0")
    assert "helper-2.0" not in log


def test_the_second_start_repeats_nothing(made: tuple[Path, int, str, str]) -> None:
    root = made[0]
    before = (root / ".venv" / "setup.log").stat().st_mtime_ns
    code, out, err = run(root)
    assert (code, err) == (0, "") and out.startswith("cli []")
    assert (root / ".venv" / "setup.log").stat().st_mtime_ns == before
    began = time.perf_counter()
    environment.ensure(root, ("base",))
    assert time.perf_counter() - began < 0.05


def test_the_test_verb_brings_the_test_tools(made: tuple[Path, int, str, str]) -> None:
    root = made[0]
    code, out, _ = run(root, "test", "--only", "style")
    assert code == 0 and "cli ['test', '--only', 'style']" in out
    assert "probe-1.0" in installed(root)
    assert run(root, "test")[2] == ""


def test_no_setup_uses_the_running_interpreter(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    code, out, err = run(root, "--no-setup", "runs")
    assert (code, err) == (0, "") and out.startswith(f"cli ['runs'] {sys.executable}")
    assert not (root / ".venv").exists()


def test_help_needs_no_set_up(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    assert run(root, "run", "--help")[1].startswith("cli ['run', '--help']")
    assert not (root / ".venv").exists()


def test_changed_pins_are_installed_and_a_second_start_at_the_same_time_waits(
        made: tuple[Path, int, str, str]) -> None:
    root = made[0]
    (root / "requirements.txt").write_text("torch==2.13.0\nalpha==1.1\nhelper==2.0\n")
    children = [start(root, name) for name in ("one", "two", "three")]
    outcomes = [child.communicate(timeout=120) for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert {"torch-2.13.0", "alpha-1.1", "helper-2.0"} <= installed(root)
    errors = [err for _, err in outcomes]
    assert sum("Setting up in" in err for err in errors) == 1
    assert sum("Another set-up of this folder is running" in err for err in errors) == 2


def test_a_wheel_that_does_not_exist_is_named(made: tuple[Path, int, str, str]) -> None:
    root = made[0]
    before = (root / "requirements.txt").read_text()
    (root / "requirements.txt").write_text(before + "nowhere==3.0\n")
    code, out, err = run(root)
    assert (code, out) == (1, "")
    assert "The set-up stopped: pip finds no version of nowhere==3.0 at all for this machine (Python 3." in err
    assert "Traceback" not in err
    assert not is_fresh(root, "base")
    (root / "requirements.txt").write_text(before)
    assert run(root)[0] == 0


def test_no_network_is_said_plainly(made: tuple[Path, int, str, str]) -> None:
    root = made[0]
    before = (root / "requirements.txt").read_text()
    (root / "requirements.txt").write_text(before + "nowhere==3.0\n")
    child = subprocess.run(
        [sys.executable, str(root / "launch.py")], capture_output=True, text=True, timeout=120, check=False,
        env={**{k: v for k, v in environ_of(root).items() if k != "PIP_NO_INDEX"},
             "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"})
    (root / "requirements.txt").write_text(before)
    assert child.returncode == 1
    assert "the package registry cannot be reached" in child.stderr and "Traceback" not in child.stderr


def test_ctrl_c_leaves_a_state_that_the_next_start_repairs(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    child = start(root)
    end = time.monotonic() + 30
    while not (root / ".venv" / "bin" / "python").exists() and time.monotonic() < end:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, "")
    assert "Stopped. The same command goes on from here." in err and "Traceback" not in err
    shutil.rmtree(next((root / ".venv").glob("lib/python*/site-packages")) / "pip", ignore_errors=True)
    code, out, err = run(root)
    assert code == 0 and "Python environment" in err
    assert installed(root) == {"torch-2.13.0", "alpha-1.0", "helper-1.0"}


def test_too_little_room_is_found_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_project(tmp_path / "p")
    monkeypatch.setattr(environment, "NEED_GB", 1e9)
    with pytest.raises(SetupFailed, match=r"GB free\. About 4 GB are needed"):
        environment.ensure(root, ("base",))
    assert not (root / ".venv").exists()


def test_a_missing_list_is_a_sentence(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    (root / "requirements.txt").unlink()
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").touch()
    (root / ".venv" / "setup-base.stamp").touch()
    (root / "launch.py").unlink()
    with pytest.raises(SetupFailed, match="No such file"):
        environment.ensure(root, ("base",))


@pytest.mark.parametrize(("text", "says"), [
    ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
    ("The virtual environment was not created successfully because ensurepip is not\navailable.", "python3-venv"),
    ("/usr/bin/python3: No module named venv", "python3-venv"),
    ("[Errno 30] Read-only file system: '/opt/p/.venv'", "cannot be written"),
    ("[Errno 13] Permission denied: '/opt/p/.venv'", "cannot be written"),
    ("NewConnectionError: Failed to establish a new connection: [Errno 111] Connection refused\n"
     "ERROR: No matching distribution found for torch==2.13.0", "registry cannot be reached"),
    ("Temporary failure in name resolution\nERROR: No matching distribution found for x", "registry cannot be reached"),
    ("ReadTimeoutError: HTTPSConnectionPool: Read timed out.", "registry cannot be reached"),
    ("ERROR: No matching distribution found for numba==0.68.1", "no wheel of numba==0.68.1"),
    ("ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: none)",
     "no version of torch==2.13.0 at all"),
    ("ERROR: Could not find a version that satisfies the requirement numba==0.68.1 (from versions: 0.50, 0.51)",
     "no wheel of numba==0.68.1"),
    ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES: sha256 mismatch", "did not arrive as it was published"),
    ("a line\nERROR: something new\nlast", "ERROR: something new"),
    ("only this", "only this"),
    ("", "no reason was given"),
])
def test_reasons_are_plain(tmp_path: Path, text: str, says: str) -> None:
    assert says in explain(text, tmp_path)


@pytest.mark.parametrize(("version", "here", "says"), [
    ((3, 9, 1), None, "This is Python 3.9; the workbench needs 3.11 to 3.14. Install one of those"),
    ((3, 9, 1), "/usr/bin/python3.12", "Run `python3.14 launch.py`; it is here."),
    ((3, 99, 0), None, "This is Python 3.99"),
])
def test_a_python_that_does_not_fit(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], here: str | None,
                                    says: str) -> None:
    monkeypatch.setattr(launch.sys, "version_info", version)
    monkeypatch.setattr(launch.shutil, "which", lambda name: here)
    with pytest.raises(SystemExit) as caught:
        launch.check_python()
    assert says in str(caught.value)


def test_this_python_fits() -> None:
    launch.check_python()


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in
            names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}}


def test_launch_is_short_and_needs_nothing_installed() -> None:
    assert len((ROOT / "launch.py").read_text().splitlines()) < 120
    assert imported(ROOT / "launch.py") - set(sys.stdlib_module_names) == {"workbench"}
    assert imported(ROOT / "workbench" / "environment.py") <= set(sys.stdlib_module_names)
    assert imported(ROOT / "workbench" / "__init__.py") == set()


def test_launch_can_be_read_by_an_old_python() -> None:
    """A Python that is too old must reach the sentence that says so, and not stop at the grammar."""
    ast.parse((ROOT / "launch.py").read_text(), feature_version=(3, 8))


def test_every_requirement_is_pinned_exactly_and_torch_comes_first() -> None:
    base, test = pins(ROOT / "requirements.txt"), pins(ROOT / "tests" / "requirements.txt")
    assert base[0] == "torch==2.13.0"
    assert all(pin.count("==") == 1 and " " not in pin for pin in base + test)
    names = [pin.partition("==")[0].lower().replace("_", "-") for pin in base + test]
    assert len(set(names)) == len(names)
    assert {"pytest", "ruff", "mypy", "playwright", "hypothesis"}.isdisjoint(names[:len(base)])


def test_only_what_is_published_as_plain_source_may_come_without_a_wheel() -> None:
    options = [line.split("#")[0].split() for line in (ROOT / "requirements.txt").read_text().splitlines()
               if line.startswith("-")]
    assert options == [["--no-binary", "zhconv"]]
    names = {pin.partition("==")[0] for pin in pins(ROOT / "requirements.txt")}
    assert {name for _, name in options} <= names


def test_every_direct_requirement_says_why() -> None:
    first_block = (ROOT / "requirements.txt").read_text().split("# What those bring along")[0]
    lines = [line for line in first_block.splitlines() if "==" in line and not line.startswith("#")]
    assert len(lines) > 15
    assert all("#" in line for line in lines)


def test_gradio_and_plotly_stay_in_the_range_that_fits_together() -> None:
    found = dict(pin.split("==") for pin in pins(ROOT / "requirements.txt"))
    assert found["gradio"].startswith("6.") and found["plotly"].startswith("6.")


def test_the_ci_script_calls_the_test_verb() -> None:
    path = ROOT / ".ci" / "run"
    text = path.read_text()
    assert "set -euo pipefail" in text and "python3 launch.py test" in text
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", str(path)], check=True)


@pytest.mark.parametrize(("log", "total", "says"), [
    ("", 5, "starting"),
    ("Collecting a\nCollecting b\n", 5, "fetching 2 of 5"),
    ("Processing a\nCollecting b\n", 5, "fetching 2 of 5"),
    ("Collecting a\n" * 9, 5, "fetching 5 of 5"),
    ("Collecting a\n", 0, "fetching"),
    ("Collecting a\nInstalling collected packages: a\n", 3, "installing 1 of 3"),
])
def test_progress_is_read_from_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str, total: int,
                                       says: str) -> None:
    (tmp_path / "lib" / "python3.11" / "site-packages" / "a-1.dist-info").mkdir(parents=True)
    step = environment.Step("packages", (), total)
    phase = environment._progress(step, tmp_path, log, 75.0, "")
    line = capsys.readouterr().err
    assert says in line and line.endswith("1:15\n") and says.startswith(phase)
    assert environment._progress(step, tmp_path, log, 76.0, phase) == phase
    assert capsys.readouterr().err == "", "a phase is told once where there is no terminal"
    environment._progress(step, tmp_path, log, 77.0, phase, done=True)
    assert "done" in capsys.readouterr().err


def test_on_a_terminal_the_line_stays_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(environment.sys.stderr, "isatty", lambda: True, raising=False)
    step = environment.Step("torch", (), 0)
    for second in range(3):
        environment._progress(step, tmp_path, "Collecting torch\n", second, "fetching")
    environment._progress(step, tmp_path, "", 3, "fetching", done=True)
    err = capsys.readouterr().err
    assert err.count("\r\033[2K") == 4 and err.count("\n") == 1


def test_an_environment_of_another_python_is_not_used(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    (venv / "lib" / "python3.1").mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(sys.executable)
    assert not environment._usable(venv, venv / "bin" / "python")


def test_a_stamp_is_of_the_list_the_python_and_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = make_project(tmp_path / "one"), make_project(tmp_path / "two")
    first = environment._stamp(one, "base")
    assert first == environment._stamp(one, "base") != environment._stamp(one, "test")
    assert first != environment._stamp(two, "base"), "a moved environment has wrong paths in it"
    (one / "requirements.txt").write_text("alpha==1.0\n")
    assert environment._stamp(one, "base") != first
    monkeypatch.setattr(environment.sys, "version_info", (3, 12, 0))
    assert environment._stamp(two, "base") != first
