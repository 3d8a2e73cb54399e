"""GGUF to safetensors: a small GGUF written here is read, cleaned, saved, read again and gives the same logits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from backends.common import convert as module
from backends.common.convert import clear_quantized_flag, convert, main
from workbench.contract import UserError

ROOT = Path(__file__).resolve().parents[2]
WIDTH, INNER, HEADS, KV, LAYERS = 64, 96, 4, 2, 2
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"


def write_gguf(path: Path, architecture: str = "llama") -> Path:
    """A random two-layer Llama with a byte-level tokenizer, some of its weights in four bits (Q4_1)."""
    import gguf
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(ByteLevel.alphabet()), "Ġt"]
    writer, random = gguf.GGUFWriter(path, architecture), np.random.default_rng(0)
    writer.add_context_length(256)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3, *[1] * (len(tokens) - 3)])
    writer.add_token_merges(["Ġ t"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)

    def add(name: str, *shape: int, four_bits: bool = False) -> None:
        values = (random.standard_normal(shape) * 0.2).astype(np.float32)
        if four_bits:
            kind = gguf.GGMLQuantizationType.Q4_1
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)

    add("token_embd.weight", len(tokens), WIDTH)
    add("output_norm.weight", WIDTH)
    for layer in range(LAYERS):
        side = WIDTH // HEADS * KV
        for name, shape in (("attn_q", (WIDTH, WIDTH)), ("attn_k", (side, WIDTH)), ("attn_v", (side, WIDTH)),
                            ("attn_output", (WIDTH, WIDTH)), ("ffn_gate", (INNER, WIDTH)),
                            ("ffn_up", (INNER, WIDTH)), ("ffn_down", (WIDTH, INNER))):
            add(f"blk.{layer}.{name}.weight", *shape, four_bits=name.startswith("ffn"))
        add(f"blk.{layer}.attn_norm.weight", WIDTH)
        add(f"blk.{layer}.ffn_norm.weight", WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.Q4_1.gguf")


def test_the_saved_folder_gives_the_logits_of_the_gguf(gguf_file: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    said: list[str] = []
    done = convert(gguf_file, tmp_path / "out", say=said.append)
    assert done.largest_difference == 0.0
    assert (done.architecture, done.dtype, done.chat_template) == ("LlamaForCausalLM", "float32", True)
    assert len(said) == 3
    before, tokenizer = module.read_gguf(gguf_file)
    after = AutoModelForCausalLM.from_pretrained(done.path)
    assert torch.equal(module.probe_logits(before, tokenizer), module.probe_logits(after, tokenizer))
    saved = AutoTokenizer.from_pretrained(done.path)
    assert saved.chat_template == TEMPLATE
    assert saved("the 难")["input_ids"] == tokenizer("the 难")["input_ids"]
    assert saved.decode(saved("the 难", add_special_tokens=False)["input_ids"]) == "the 难"
    assert (saved.eos_token, saved.pad_token) == ("<|im_end|>", "<|im_end|>")
    assert not list(Path(done.path).glob("*.bin")) and list(Path(done.path).glob("*.safetensors"))


def test_the_engine_runs_what_was_converted(gguf_file: Path, tmp_path: Path) -> None:
    from backends.common.language import Decoding
    from tests.backends.engine_cases import chat, greedy, open_local, reference, whole

    convert(gguf_file, tmp_path / "out", say=lambda _: None)
    model = open_local(tmp_path / "out")
    done = model.generate([chat("hi")], Decoding(temperature=0.0, max_new_tokens=12))[0]
    assert whole(done.text) == greedy(reference(tmp_path / "out"), model.engine.loaded.tokenizer, chat("hi"), 12)


def test_half_the_size_is_offered_and_within_its_rounding(gguf_file: Path, tmp_path: Path) -> None:
    done = convert(gguf_file, tmp_path / "half", "bfloat16", say=lambda _: None)
    assert done.largest_difference > 0
    size = {name: sum(f.stat().st_size for f in (tmp_path / name).glob("*.safetensors")) for name in ("half",)}
    assert size["half"] < 2.3 * done.parameters + 20_000


def test_a_model_read_from_gguf_cannot_be_saved_before_the_clean_up(gguf_file: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(gguf_file.parent, gguf_file=gguf_file.name)
    try:
        model.save_pretrained(tmp_path / "before")
        was_refused = False
    except ValueError:
        was_refused = True
    clear_quantized_flag(model)
    model.save_pretrained(tmp_path / "after")
    config = json.loads((tmp_path / "after" / "config.json").read_text())
    assert "quantization_config" not in config
    assert was_refused or not getattr(model, "is_quantized", True)
    clear_quantized_flag(model)  # twice does no harm


@pytest.mark.parametrize(("name", "content", "says"), [
    ("absent.gguf", None, "There is no file"), ("page.gguf", b"<html>", "not a GGUF file.*<htm"),
    ("empty.gguf", b"", "not a GGUF file"), ("cut.gguf", b"GGUF\x03\x00\x00\x00", "could not be read")])
def test_files_that_are_no_model(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=says):
        convert(path, tmp_path / "out", say=lambda _: None)
    assert not (tmp_path / "out").exists()


def test_an_unknown_architecture_is_told(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "odd.gguf", "no_such_architecture")
    with pytest.raises(UserError, match=r"odd.gguf could not be read as a language model"):
        convert(path, tmp_path / "out", say=lambda _: None)


def test_nothing_is_overwritten(gguf_file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match="not empty"):
        convert(gguf_file, tmp_path, say=lambda _: None)
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_logits_that_differ_are_an_error(gguf_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "compare", lambda *_: 0.5)
    with pytest.raises(UserError, match=r"logits differ by 0\.5"):
        convert(gguf_file, tmp_path / "out", say=lambda _: None)


def test_a_failed_write_leaves_no_half_folder(gguf_file: Path, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> float:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "compare", full)
    with pytest.raises(OSError, match="No space"):
        convert(gguf_file, tmp_path / "out", say=lambda _: None)
    assert not (tmp_path / "out").exists()


def test_the_command_ends_with_one_json_line(gguf_file: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "backends.common.convert", str(gguf_file), str(tmp_path / "out")],
                          cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["largest_difference"] == 0.0


def test_the_command_fails_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.gguf"), str(tmp_path / "out")]) == 1
    assert "There is no file" in capsys.readouterr().err
