"""Model folders: written whole or not at all, read with a sentence for everything that is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from backends.blsp_emo.encoder import open_encoder, together
from backends.blsp_emo.lengths import adapter_tokens, halved
from backends.blsp_emo.model import BlspEmo
from backends.blsp_emo.plora import PloraShape
from backends.blsp_emo.sequences import Heard, Layout, Text, pack
from backends.blsp_emo.storage import (
    Base,
    Setup,
    base_of,
    load_weights,
    open_model,
    read_setup,
    save_model,
    weights_hash,
)
from tests.backends.blsp_cases import some_mels, tiny_model, tone, wake
from tests.tiny import make_tokenizer
from workbench.context import MemoryContext
from workbench.contract import MissingResource, UserError


@pytest.fixture
def base(whisper: Path, tiny_lm: Path, tmp_path: Path) -> Base:
    return base_of(f"path:{tiny_lm}", f"path:{whisper}", MemoryContext(tmp_path / "base"))


def taught(whisper: Path, lm: Path, seed: int = 0) -> BlspEmo:
    """A model whose every part is other than at the start."""
    made = tiny_model(whisper, lm, seed=seed)
    made.add_plora(PloraShape(2, dropout=0.0))
    wake(made.plora)
    with torch.no_grad():
        made.head.weight.copy_(torch.randn(made.head.weight.shape, generator=torch.Generator().manual_seed(3)))
    return made


def setup(base: Base, **fields: object) -> Setup:
    return Setup(2, base, bottleneck=8, plora=PloraShape(2, dropout=0.0), **fields)


def same(one: BlspEmo, two: BlspEmo, parts: tuple[str, ...]) -> bool:
    return all(torch.equal(value, two.parts()[part][name]) for part in parts for name, value in
               one.parts()[part].items())


@pytest.mark.parametrize("tuned", [False, True])
def test_what_was_learned_comes_back_and_nothing_else_is_kept(whisper: Path, tiny_lm: Path, base: Base, tmp_path: Path,
                                                              tuned: bool) -> None:
    made = taught(whisper, tiny_lm)
    with torch.no_grad():
        made.ears.conv1.weight.add_(0.25)
    folder = save_model(made, setup(base, tuned=tuned), tmp_path / "model", "# card", {"training": {"steps": 3}})
    names = set(load_file(folder / "model.safetensors"))
    assert {name.split(".")[0] for name in names} == {"adapter", "head", "plora", *(["encoder"] if tuned else [])}
    opened, told = open_model(folder, MemoryContext(tmp_path / "open"))
    assert told == setup(base, tuned=tuned) and same(made, opened, ("adapter", "head", "plora"))
    assert same(made, opened, ("encoder",)) is tuned, "a frozen encoder is that of its base, whatever it was in memory"
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["training"] == {"steps": 3}
    assert (folder / "README.md").read_text(encoding="utf-8") == "# card"


def test_half_the_bits_give_nearly_the_same_answers(whisper: Path, tiny_lm: Path, base: Base, tmp_path: Path) -> None:
    made = taught(whisper, tiny_lm)
    whole = save_model(made, setup(base), tmp_path / "whole", "", {})
    half = save_model(made, setup(base), tmp_path / "half", "", {}, half=True)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (whole, half)]
    assert sizes[1] < 0.6 * sizes[0]
    opened, _ = open_model(half, MemoryContext(tmp_path / "open"))
    assert opened.head.weight.dtype == torch.float32
    with torch.no_grad():
        found = [one.emotions(one.listen(one.encode(one.features([tone(0.5)])))) for one in (made, opened)]
    assert torch.allclose(found[0], found[1], atol=0.02)


def test_a_folder_that_was_there_is_replaced_whole(whisper: Path, tiny_lm: Path, base: Base, tmp_path: Path) -> None:
    save_model(taught(whisper, tiny_lm), setup(base), tmp_path / "model", "old", {})
    (tmp_path / "model" / "left.txt").write_text("x", encoding="utf-8")
    (tmp_path / ".model.part").mkdir()
    (tmp_path / ".model.part" / "half.txt").write_text("cut off", encoding="utf-8")
    save_model(taught(whisper, tiny_lm), setup(base), tmp_path / "model", "new", {})
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["README.md", "config.json",
                                                                            "model.safetensors"]
    assert not (tmp_path / ".model.part").exists()


def test_a_save_that_fails_leaves_the_old_folder(whisper: Path, tiny_lm: Path, base: Base, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    import backends.blsp_emo.storage as storage

    folder = save_model(taught(whisper, tiny_lm), setup(base), tmp_path / "model", "old", {})
    before = weights_hash(folder)
    monkeypatch.setattr(storage, "save_file", lambda *_: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(OSError, match="no room"):
        save_model(taught(whisper, tiny_lm, seed=1), setup(base), tmp_path / "model", "new", {})
    assert weights_hash(folder) == before and (folder / "README.md").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(("content", "words"), [
    ("{", "not valid JSON"), ("[]", "type None"), ("{}", "type None"), ('{"model_type": "llama"}', "type 'llama'"),
    ('{"model_type": "blsp_emo"}', "not whole"), ('{"model_type": "blsp_emo", "setup": {"stage": 1}}', "field base"),
    ('{"model_type": "blsp_emo", "setup": 3}', "not whole"), ('{"model_type": "blsp_emo", "setup": []}', "not whole"),
    ('{"model_type": "blsp_emo", "setup": {"stage": 1, "base": {}}}', "field model"),
    ('{"model_type": "blsp_emo", "setup": {"stage": 1, "base": 7}}', "not whole"),
    (json.dumps({"model_type": "blsp_emo", "setup": {"stage": "two", "base": dict.fromkeys(
        ("model", "model_sha256", "encoder", "encoder_sha256"), "x")}}), "not whole"),
    (json.dumps({"model_type": "blsp_emo", "setup": {"stage": 3, "base": dict.fromkeys(
        ("model", "model_sha256", "encoder", "encoder_sha256"), "x")}}), "stage is 3")])
def test_settings_that_are_none(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=words):
        read_setup(tmp_path)


def test_folders_without_what_they_need(whisper: Path, tiny_lm: Path, base: Base, tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="holds no model"):
        read_setup(tmp_path)
    made = taught(whisper, tiny_lm)
    folder = save_model(made, setup(base), tmp_path / "model", "", {})
    weights = folder / "model.safetensors"
    good = weights.read_bytes()
    for raw in (b"", b"x", good[:100], good[:-20]):
        weights.write_bytes(raw)
        with pytest.raises(UserError, match="is damaged"):
            load_weights(made, setup(base), folder)
    weights.unlink()
    with pytest.raises(MissingResource, match="has no weights"):
        open_model(folder, MemoryContext(tmp_path / "open"))


@pytest.mark.parametrize("change", ["shape", "missing", "extra"])
def test_weights_that_do_not_fit_are_not_filled_up(whisper: Path, tiny_lm: Path, base: Base, tmp_path: Path,
                                                   change: str) -> None:
    made = taught(whisper, tiny_lm)
    folder = save_model(made, setup(base), tmp_path / "model", "", {})
    weights = load_file(folder / "model.safetensors")
    if change == "shape":
        weights["head.weight"] = torch.zeros(6, 4)
    elif change == "missing":
        del weights["head.weight"]
    else:
        weights["head.bias"] = torch.zeros(5)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"do not fit its config\.json: 1 differ, for example head"):
        open_model(folder, MemoryContext(tmp_path / "open"))


def test_a_changed_language_model_is_noticed(whisper: Path, tiny_lm: Path, base: Base, tmp_path: Path) -> None:
    import shutil

    folder = save_model(taught(whisper, tiny_lm), setup(base), tmp_path / "model", "", {})
    other = tmp_path / "other"
    shutil.copytree(tiny_lm, other)
    weights = load_file(other / "model.safetensors")
    weights[min(weights)] = weights[min(weights)] + 1
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["setup"]["base"]["model"] = f"path:{other}"
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UserError, match="language model other is not the one that this model was trained on"):
        open_model(folder, MemoryContext(tmp_path / "open"))


def test_parts_that_are_not_there_cannot_be_trained(whisper: Path, tiny_lm: Path) -> None:
    with pytest.raises(UserError, match="no part lm; there are encoder, adapter, plora, head"):
        tiny_model(whisper, tiny_lm).train_only(("lm",))
    made = taught(whisper, tiny_lm)
    assert not made.train_only(()) and not any(p.requires_grad for p in made.parameters())
    learned = made.train_only(("encoder",))
    assert not any("embed_positions" in name for name in learned), "Whisper's positions are constants"


def test_speech_in_a_line_needs_speech_beside_it(whisper: Path, tiny_lm: Path) -> None:
    made = tiny_model(whisper, tiny_lm)
    packed = pack([(Text((1, 2)), Heard(0))], [3], 0)
    with pytest.raises(UserError, match="no speech was given"):
        made.embed(packed, None)


def test_clips_of_one_batch_in_any_order_are_what_they_are_alone(whisper: Path) -> None:
    ears = open_encoder(whisper)
    mels = some_mels(ears, 0.3, 0.9, 0.5)
    with torch.no_grad():
        one, two = ears.encode(mels), ears.encode(mels[::-1])
        for row in range(3):
            assert torch.allclose(one.one(row), two.one(2 - row), atol=1e-5)
    assert together(mels).frames.tolist() == [30, 90, 50] and not together(mels).values[0, :, 30:].any()


@pytest.mark.parametrize(("length", "expected"), [(0, 0), (1, 1), (2, 1), (3, 2), (3000, 1500)])
def test_halving(length: int, expected: int) -> None:
    assert halved(length) == expected
    assert adapter_tokens(length, 0) == length and adapter_tokens(length, 1) == expected


@pytest.mark.parametrize("text", ["", "plain", "<|im_end|>", "a\n<|im_start|>b", "naïve 中文 🙂", " lead", "trail "])
def test_words_of_people_come_back_as_they_were_written(text: str) -> None:
    layout = Layout(make_tokenizer())
    ids = layout.words(text)
    assert layout.tokenizer.decode(ids) == text
    assert not set(ids) & set(layout.tokenizer.all_special_ids)
