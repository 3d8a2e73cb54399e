"""The reader of CTranslate2 files and the converter: nothing missing, nothing left over, nothing rounded."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from backends.common.speech import whisper_convert
from backends.common.speech.ct2 import read_ct2
from backends.common.speech.whisper import open_hf, open_whisper
from backends.common.speech.whisper_convert import (
    BESIDE,
    convert,
    generation,
    hf_weights,
    layers,
    main,
    several_languages,
    special_tokens,
)
from tests.backends.speech_cases import ct2_arrays, ct2_bytes, entry, need, string, tiny_hf, tone, write_ct2
from workbench.contract import UserError


@pytest.fixture(scope="module")
def model():
    return tiny_hf()


@pytest.fixture
def arrays(model):
    return ct2_arrays(model)


def put(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


def test_every_type_and_shape_comes_back(tmp_path: Path) -> None:
    kinds = {"<f4": "a", "<i1": "b", "<i2": "c", "<i4": "d", "<f2": "e"}
    held = {name: np.arange(6).reshape(2, 3).astype(kind) for kind, name in kinds.items()}
    held |= {"scalar": np.array(7, "<i2"), "empty": np.zeros((0, 4), "<f4"), "deep": np.ones((1, 2, 3, 1), "<f4")}
    found = read_ct2(put(tmp_path / "m.bin", ct2_bytes(held, [("other", "a")], revision=9)))
    assert (found.specification, found.revision, found.number("scalar")) == ("WhisperSpec", 9, 7)
    for name, array in held.items():
        assert found.arrays[name].dtype == array.dtype and np.array_equal(found.arrays[name], array)
    assert found.arrays["other"] is found.arrays["a"]
    for name in ("a", "none"):
        with pytest.raises(UserError, match=f"no number {name}"):
            found.number(name)


def head(count: int = 1, version: int = 6) -> bytes:
    return struct.pack("<I", version) + string("WhisperSpec") + struct.pack("<II", 3, count)


ARRAY = np.ones((2, 2), "<f4")


@pytest.mark.parametrize(("raw", "words"), [
    (b"", "promises 4 more and has 0"), (b"GG", "promises 4 more"), (head(version=2), "binary version is 2"),
    (head(version=99), "binary version is 99"), (b"\x80\x04\x95pickle", "binary version"),
    (head(), "promises"), (head(count=10**9), "claims 1000000000 entries"),
    (struct.pack("<IH", 6, 0), "a name has 0 characters"), (struct.pack("<IH", 6, 60000), "60000 characters"),
    (struct.pack("<IH", 6, 3) + b"\xff\xff\0", "not plain text"),
    (head() + string("x") + b"\xff", "255 dimensions"),
    (head() + entry("x", ARRAY, code=9), "type 9"), (head() + entry("x", ARRAY, size=15), "and 15 bytes"),
    (head() + string("x") + struct.pack("<BIIBI", 2, 2**31, 2**31, 0, 16), "the shape"),
    (head() + string("x") + struct.pack("<BIBI", 1, 2**28, 0, 2**30), "promises 1073741824 more"),
    (head() + entry("x", ARRAY), "promises 4 more"),
    (head() + entry("x", ARRAY) + struct.pack("<I", 1) + string("a") + string("b"), "a stands for b"),
])
def test_damaged_and_hostile_files(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(UserError) as caught:
        read_ct2(put(tmp_path / "m.bin", raw))
    assert words in str(caught.value)


def test_every_cut_of_a_file_is_an_error(tmp_path: Path) -> None:
    raw = ct2_bytes({"x": ARRAY, "y": ARRAY}, [("z", "x")])
    for size in range(len(raw)):
        with pytest.raises(UserError):
            read_ct2(put(tmp_path / "m.bin", raw[:size]))
    assert len(read_ct2(put(tmp_path / "m.bin", raw)).arrays) == 3
    with pytest.raises(UserError, match="There is no file"):
        read_ct2(tmp_path / "gone.bin")


@pytest.mark.parametrize("dtype", ["<f4", "<f2"])
def test_a_model_survives_the_way_there_and_back(tmp_path: Path, model, dtype: str) -> None:
    import torch

    said: list[str] = []
    done = convert(write_ct2(tmp_path / "in", ct2_arrays(model, dtype)), tmp_path / "out", said.append)
    assert (done.layers, done.width, done.largest_difference, done.multilingual) == (3, 32, 0.0, False)
    assert done.parameters == sum(p.numel() for p in model.parameters()) and len(said) == 3
    again = open_hf(tmp_path / "out").state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(again[name], value.half().float()), name
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json",
            "generation_config.json", "ct2"} == names
    assert {path.name for path in (tmp_path / "out" / "ct2").iterdir()} == {"model.bin", *BESIDE}
    assert (tmp_path / "out" / "ct2" / "model.bin").read_bytes() == (tmp_path / "in" / "model.bin").read_bytes()


def test_the_written_settings_of_decoding(tmp_path: Path, arrays) -> None:
    convert(write_ct2(tmp_path / "in", arrays), tmp_path / "out", lambda _: None)
    found = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    tokens = special_tokens(tmp_path / "in" / "tokenizer.json")
    assert found["suppress_tokens"] == [1, 2] and found["begin_suppress_tokens"] == [220]
    assert found["no_timestamps_token_id"] == tokens["<|notimestamps|>"] and found["alignment_heads"] == [[1, 0]]
    assert found["decoder_start_token_id"] == tokens["<|startoftranscript|>"] and not found["is_multilingual"]


@pytest.mark.parametrize(("size", "several"), [(51864, False), (51865, True), (51866, True), (300, False)])
def test_a_multilingual_model_is_told_by_its_vocabulary(size: int, several: bool) -> None:
    from types import SimpleNamespace

    names = ("<|translate|>", "<|transcribe|>", "<|notimestamps|>", "<|startofprev|>", "<|en|>", "<|de|>")
    tokens = {name: 10 + place for place, name in enumerate(names)}
    shape = SimpleNamespace(vocab_size=size, decoder_start_token_id=1, eos_token_id=2, pad_token_id=2, bos_token_id=2,
                            max_target_positions=64)
    found = generation({"lang_ids": [14, 15], "suppress_ids": [3]}, tokens, shape)
    assert found.is_multilingual is several and several_languages(shape) is several
    assert found.suppress_tokens == [3] and found.begin_suppress_tokens == []
    if several:
        assert found.lang_to_id == {"<|en|>": 14, "<|de|>": 15}
        assert found.task_to_id == {"translate": 10, "transcribe": 11}
    else:
        assert not hasattr(found, "lang_to_id") and not hasattr(found, "task_to_id")


def without(name):
    return lambda arrays: {key: value for key, value in arrays.items() if key != name}


def changed(name, make):
    return lambda arrays: {**arrays, name: make(arrays[name])}


@pytest.mark.parametrize(("change", "words"), [
    (without("encoder/conv1/bias"), "no encoder/conv1/bias"),
    (without("decoder/layer_1/attention/linear_2/weight"), "no decoder/layer_1/attention/linear_2/weight"),
    (without("encoder/position_encodings/encodings"), "no encoder/position_encodings/encodings"),
    (without("encoder/num_heads"), "no number encoder/num_heads"),
    (changed("encoder/layer_0/self_attention/linear_0/bias", lambda a: a + 1), "has a bias of k"),
    (changed("encoder/layer_0/self_attention/linear_0/weight", lambda a: a[:-1]), "95 rows"),
    (changed("encoder/layer_0/ffn/linear_1/weight", lambda a: a[:, :-1]), "of another shape"),
    (changed("encoder/conv2/weight", lambda a: a.astype("<i1")), "stored as whole numbers"),
])
def test_a_whisper_that_does_not_fit(tmp_path: Path, arrays, change, words: str) -> None:
    with pytest.raises(UserError) as caught:
        convert(write_ct2(tmp_path / "in", change(arrays)), tmp_path / "out", lambda _: None)
    assert words in str(caught.value) and not (tmp_path / "out").exists()


def test_another_kind_of_model(tmp_path: Path, arrays) -> None:
    with pytest.raises(UserError, match="holds a TransformerSpec"):
        convert(write_ct2(tmp_path / "in", arrays, specification="TransformerSpec"), tmp_path / "out", lambda _: None)


def test_companions_and_the_target_folder(tmp_path: Path, arrays) -> None:
    path = write_ct2(tmp_path / "in", arrays, beside=False)
    with pytest.raises(UserError, match=r"config\.json, tokenizer\.json, vocabulary\.txt is missing"):
        convert(path, tmp_path / "out")
    write_ct2(tmp_path / "in", arrays)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="is not empty"):
        convert(path, tmp_path / "full")
    assert (tmp_path / "full" / "mine.txt").is_file()
    (tmp_path / "in" / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="holds no added_tokens"):
        convert(path, tmp_path / "out", lambda _: None)


def test_layers_are_counted_and_names_are_those_of_transformers(model, arrays) -> None:
    assert (layers(arrays, "encoder"), layers(arrays, "decoder")) == (3, 2)
    found = hf_weights(arrays, 3, 2)
    assert set(found) | {"proj_out.weight"} == set(model.state_dict())
    wanted = model.model.encoder.layers[1].self_attn.v_proj.weight.detach().numpy()
    assert np.array_equal(found["model.encoder.layers.1.self_attn.v_proj.weight"], wanted)


def test_the_command(tmp_path: Path, arrays, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_ct2(tmp_path / "in", arrays)
    assert main([str(path), str(tmp_path / "out")]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["architecture"] == "WhisperForConditionalGeneration"
    assert main([str(path), str(tmp_path / "out")]) == 1 and "is not empty" in capsys.readouterr().err
    assert whisper_convert.CT2 == "ct2"


def test_the_real_one_hears_what_ctranslate2_hears(whisper_tiny: Path) -> None:
    need("ctranslate2")
    import ctranslate2

    whisper = open_whisper(whisper_tiny)
    mels = whisper.mels([tone(1.5, 220), tone(2.0, 500, loud=0.1)], padded=True)
    peer = ctranslate2.models.Whisper(str(whisper_tiny / "ct2"), device="cpu", compute_type="float32", intra_threads=1)
    theirs = np.array(peer.encode(ctranslate2.StorageView.from_array(mels.values.numpy())))
    ours = whisper.encode(mels)
    for row, length in enumerate(ours.lengths.tolist()):
        assert np.abs(theirs[row, :length] - ours.states[row, :length].numpy()).max() < 1e-3
