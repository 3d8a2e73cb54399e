"""Sounds and small models for the tests of speech: tones, speech-like bursts, a CTranslate2 file written by hand."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path

import numpy as np
import pytest

RATE = 16_000
SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>",
           "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>")
CODES = {np.dtype("<f4"): 0, np.dtype("<i1"): 1, np.dtype("<i2"): 2, np.dtype("<i4"): 3, np.dtype("<f2"): 4}


def tone(seconds=1.0, pitch=440.0, rate=RATE, loud=0.5):
    return (loud * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def noise(seconds, seed=0, loud=0.1):
    return (loud * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def need(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


def string(text):
    raw = text.encode() + b"\0"
    return struct.pack("<H", len(raw)) + raw


def entry(name, array, code=None, size=None):
    raw = array.tobytes()
    return (string(name) + struct.pack("<B", array.ndim) + b"".join(struct.pack("<I", n) for n in array.shape)
            + struct.pack("<BI", CODES[array.dtype] if code is None else code, len(raw) if size is None else size)
            + raw)


def ct2_bytes(arrays, aliases=(), version=6, specification="WhisperSpec", revision=3):
    return b"".join([struct.pack("<I", version), string(specification), struct.pack("<II", revision, len(arrays)),
                     *(entry(name, array) for name, array in arrays.items()), struct.pack("<I", len(aliases)),
                     *(string(a) + string(b) for a, b in aliases)])


def tokenizer_json():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(SPECIAL))
    return made.to_str()


def tiny_hf(seed=0, layers=3, vocabulary=300, positions=1500):
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    ids = {name: 256 + i for i, name in enumerate(SPECIAL)}
    shape = WhisperConfig(vocab_size=vocabulary, d_model=32, encoder_layers=layers, decoder_layers=2,
                          encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64,
                          max_source_positions=positions, max_target_positions=64, num_mel_bins=80,
                          pad_token_id=ids["<|endoftext|>"], bos_token_id=ids["<|endoftext|>"],
                          eos_token_id=ids["<|endoftext|>"], decoder_start_token_id=ids["<|startoftranscript|>"],
                          suppress_tokens=None, begin_suppress_tokens=None)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = WhisperForConditionalGeneration(shape).eval()
        for name, parameter in model.named_parameters():
            if "conv" in name or "proj" in name or "fc" in name:
                torch.nn.init.normal_(parameter, std=0.15)
    return model


def save_tiny(folder: Path, **more):
    from transformers import WhisperFeatureExtractor

    model = tiny_hf(**more)
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer_json())
    return folder


def ct2_arrays(model, dtype="<f4"):
    """The arrays that CTranslate2 would store for a Whisper of transformers."""
    state = {name: value.detach().numpy().astype(dtype) for name, value in model.state_dict().items()}
    out = {}

    def pair(to, name):
        out[f"{to}/weight"], out[f"{to}/bias"] = state[f"{name}.weight"], state[f"{name}.bias"]

    def norm(to, name):
        out[f"{to}/gamma"], out[f"{to}/beta"] = state[f"{name}.weight"], state[f"{name}.bias"]

    def stacked(to, name, parts):
        zero = np.zeros(len(state[f"{name}.q_proj.bias"]), dtype)
        out[f"{to}/weight"] = np.concatenate([state[f"{name}.{p}_proj.weight"] for p in parts])
        out[f"{to}/bias"] = np.concatenate([zero if p == "k" else state[f"{name}.{p}_proj.bias"] for p in parts])

    for conv in ("conv1", "conv2"):
        pair(f"encoder/{conv}", f"model.encoder.{conv}")
    for side, count in (("encoder", model.config.encoder_layers), ("decoder", model.config.decoder_layers)):
        out[f"{side}/position_encodings/encodings"] = state[f"model.{side}.embed_positions.weight"]
        out[f"{side}/num_heads"] = np.array(4, "<i2")
        norm(f"{side}/layer_norm", f"model.{side}.layer_norm")
        for n in range(count):
            here, name = f"{side}/layer_{n}", f"model.{side}.layers.{n}"
            stacked(f"{here}/self_attention/linear_0", f"{name}.self_attn", "qkv")
            pair(f"{here}/self_attention/linear_1", f"{name}.self_attn.out_proj")
            norm(f"{here}/self_attention/layer_norm", f"{name}.self_attn_layer_norm")
            if side == "decoder":
                stacked(f"{here}/attention/linear_0", f"{name}.encoder_attn", "q")
                stacked(f"{here}/attention/linear_1", f"{name}.encoder_attn", "kv")
                pair(f"{here}/attention/linear_2", f"{name}.encoder_attn.out_proj")
                norm(f"{here}/attention/layer_norm", f"{name}.encoder_attn_layer_norm")
            pair(f"{here}/ffn/linear_0", f"{name}.fc1")
            pair(f"{here}/ffn/linear_1", f"{name}.fc2")
            norm(f"{here}/ffn/layer_norm", f"{name}.final_layer_norm")
    out["decoder/embeddings/weight"] = state["model.decoder.embed_tokens.weight"]
    return out


def write_ct2(folder: Path, arrays, beside=True, **more):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.bin").write_bytes(
        ct2_bytes(arrays, [("decoder/projection/weight", "decoder/embeddings/weight")], **more))
    if beside:
        (folder / "config.json").write_text(json.dumps({
            "suppress_ids": [1, 2], "suppress_ids_begin": [220], "lang_ids": [258, 259], "alignment_heads": [[1, 0]]}))
        (folder / "tokenizer.json").write_text(tokenizer_json())
        (folder / "vocabulary.txt").write_text("a\nb\n")
    return folder / "model.bin"
