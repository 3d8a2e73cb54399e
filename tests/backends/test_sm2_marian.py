"""Marian checkpoints: greedy as Hugging Face's own, fine-tuned into SM2, saved, opened, fine-tuned again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from backends.sm2.corpora import as_text
from backends.sm2.decode import translate
from backends.sm2.policy import Policy
from backends.sm2.requests import PolicyFields, StatesRequest, TrainRequest, TranslateRequest
from backends.sm2.storage import open_translator
from backends.sm2.train import run as train
from backends.sm2.translate import run as translated
from backends.sm2.translate import states
from tests.backends.sm2_cases import LANGUAGE, some
from tests.backends.test_sm2_jobs import marian_folder
from workbench.context import MemoryContext
from workbench.contract import MissingResource, UserError

TEXT = as_text(LANGUAGE, some(60, 1))


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights, whose bias makes the padding the likeliest token, as in Helsinki's models."""
    folder = marian_folder(tmp_path_factory.mktemp("marian") / "opus-mt-a-b", [*TEXT.source, *TEXT.target])
    weights = load_file(folder / "model.safetensors")
    pad = json.loads((folder / "config.json").read_text(encoding="utf-8"))["pad_token_id"]
    generator = torch.Generator().manual_seed(5)
    bias = torch.randn(1, weights["model.shared.weight"].shape[0], generator=generator)
    bias[0, pad] = 50.0
    weights["final_logits_bias"] = bias
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture
def copy(marian: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(marian, tmp_path / "opus-mt-a-b"))


def asked(tmp_path: Path, start: Path, **fields) -> TrainRequest:
    for name, lines in (("s.txt", TEXT.source), ("t.txt", TEXT.target)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return TrainRequest(
        **{
            "start": f"path:{start}",
            "source": (f"path:{tmp_path}/s.txt",),
            "target": (f"path:{tmp_path}/t.txt",),
            "tokens": 256,
            "max_steps": 8,
            "held_out": 4,
            "learning_rate": 5e-3,
            "warmup": 2,
            "dropout": 0.0,
            "seed": 1,
            **fields,
        }
    )


def test_greedy_decoding_is_hugging_faces(marian: Path) -> None:
    from transformers import MarianMTModel

    theirs = MarianMTModel.from_pretrained(marian).eval()
    opened = open_translator(marian)
    shape = opened.model.shape
    for line in TEXT.source[:6]:
        ids = opened.vocabulary.encode(line)
        mine = translate(opened.model, [ids], Policy("full", ratio=0.0, extra=12))[0].tokens
        with torch.no_grad():
            made = theirs.generate(
                input_ids=torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                max_new_tokens=12,
                num_beams=1,
                do_sample=False,
                bad_words_ids=[[shape.pad]],
                forced_eos_token_id=None,
            )[0].tolist()
        assert made[0] == shape.begin and list(mine[:11]) == made[1:12], "the last one they may force to end"
        assert shape.pad not in mine and len(mine) >= min(12, len(made) - 1)


def test_the_padding_would_be_written_if_it_were_not_barred(marian: Path) -> None:
    opened = open_translator(marian)
    ids = torch.tensor([opened.vocabulary.encode(TEXT.source[0])])
    there = torch.ones_like(ids, dtype=torch.bool)
    first = torch.tensor([[opened.model.shape.begin]])
    logits = opened.model.decode(first, opened.model.encode(ids, there), there).logits
    assert int(logits.argmax()) == opened.model.shape.pad


def test_an_offline_checkpoint_waits_but_has_no_threshold(marian: Path, tmp_path: Path) -> None:
    context, model = MemoryContext(tmp_path / "run"), f"path:{marian}"
    events = list(translated(TranslateRequest(TEXT.source[0], model, PolicyFields("wait-k", k=2)), context))
    assert events[0]["log"]["token_delays"][0] == 2 and events[-1]["done"]["sentences"] == 1
    with pytest.raises(UserError, match="no trained confidence"):
        list(translated(TranslateRequest(TEXT.source[0], model), context))
    found = states(StatesRequest(TEXT.source[0], model), context)
    assert not found.ready and found.ranges == () and set(found.overlay) == {"wait-3", "full sentence"}


def test_fine_tuned_saved_opened_and_fine_tuned_again(marian: Path, tmp_path: Path) -> None:
    first = open_translator(marian)
    result = train(asked(tmp_path, marian, max_steps=25, alpha=0.2), MemoryContext(tmp_path / "one"))
    folder = tmp_path / "passed on"
    shutil.copytree(result.path, folder)
    shutil.rmtree(tmp_path / "one")
    one = open_translator(folder)
    assert one.ready and one.alpha == 0.2 and one.model.shape == first.model.shape
    assert [one.vocabulary.encode(line) for line in TEXT.source] == [first.vocabulary.encode(x) for x in TEXT.source]
    assert one.vocabulary.encode(TEXT.target[0], target=True) == first.vocabulary.encode(TEXT.target[0], target=True)
    assert result.last_loss < result.first_loss
    context = MemoryContext(tmp_path / "run")
    log = next(iter(translated(TranslateRequest(TEXT.source[0], f"path:{folder}"), context)))["log"]
    again = next(iter(translated(TranslateRequest(TEXT.source[0], f"path:{folder}"), context)))["log"]
    assert log == again and "<pad>" not in log["target_pieces"]
    found = states(StatesRequest(TEXT.source[0], f"path:{folder}"), context)
    assert found.ready and found.floor == pytest.approx(0.2 / 1.2) and found.ranges[-1]["high"] == 1.0
    second = train(asked(tmp_path, folder, max_steps=3, half=True), MemoryContext(tmp_path / "two"))
    two = open_translator(Path(second.path))
    assert two.model.shape == first.model.shape and two.alpha == 0.1 and two.ready
    assert load_file(Path(second.path) / "model.safetensors")["embedding.weight"].dtype == torch.float16
    assert "begun from passed on" in (Path(second.path) / "README.md").read_text(encoding="utf-8")


def test_a_model_that_is_passed_on_names_no_folder_of_this_machine(marian: Path, tmp_path: Path) -> None:
    result = train(asked(tmp_path, marian, max_steps=1), MemoryContext(tmp_path / "one"))
    for name in ("config.json", "README.md"):
        text = (Path(result.path) / name).read_text(encoding="utf-8")
        assert str(tmp_path) not in text and "path:" not in text and "opus-mt-a-b" in text and "s.txt" in text


def test_fine_tuning_offline_keeps_the_confidence_untrained(marian: Path, tmp_path: Path) -> None:
    result = train(asked(tmp_path, marian, objective="offline", max_steps=3), MemoryContext(tmp_path / "one"))
    found = open_translator(Path(result.path))
    assert not found.ready and found.objective == "offline"
    assert float(found.model.confidence.weight.abs().sum()) == 0.0


def test_weights_of_the_older_kind_open_too(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    torch.save(weights, copy / "pytorch_model.bin")
    assert open_translator(copy).model.shape.width == 16


def test_weights_in_several_files_open_too(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    names = sorted(weights)
    for number, part in enumerate((names[::2], names[1::2])):
        save_file({name: weights[name] for name in part}, copy / f"model-{number}.safetensors")
    one = open_translator(copy).model
    assert torch.equal(one.embedding.weight, weights["model.shared.weight"])


def drop(folder: Path, *names: str) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in weights.items() if k not in names}, folder / "model.safetensors")


def configure(folder: Path, **fields) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.update(fields)
    config = {key: value for key, value in config.items() if value is not ...}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda p: (p / "model.safetensors").unlink(), MissingResource, "has no weights"),
        (lambda p: (p / "model.safetensors").write_bytes(b"nothing of the kind"), UserError, "is damaged"),
        (lambda p: drop(p, "model.decoder.layers.0.fc1.weight"), UserError, "lack 1 tensors, for example decoder.0.up"),
        (lambda p: configure(p, d_model=...), UserError, "lacks d_model"),
        (lambda p: configure(p, eos_token_id=..., vocab_size=...), UserError, "lacks vocab_size, eos_token_id"),
        (lambda p: configure(p, normalize_before=True), UserError, "normalize_before True"),
        (lambda p: (p / "source.spm").write_bytes(b"no model"), UserError, "source.spm of opus-mt-a-b is damaged"),
    ],
)
def test_a_broken_checkpoint_says_what_is_wrong(copy: Path, spoil, error: type, words: str) -> None:
    spoil(copy)
    with pytest.raises(error, match=words):
        open_translator(copy)


def test_a_text_with_the_name_of_the_end_token_does_not_end(marian: Path) -> None:
    vocabulary = open_translator(marian).vocabulary
    ids = vocabulary.encode("svo n1 </s> n2")
    assert ids.count(0) == 1 and ids[-1] == 0
