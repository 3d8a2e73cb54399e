"""Make a folder for transformers of a Whisper that was converted to CTranslate2, and check it by reading it back.

``python -m backends.common.speech.whisper_convert FOLDER/model.bin OUT_DIR``; ``config.json``, ``tokenizer.json`` and
``vocabulary.txt`` lie beside ``model.bin``. The map is one to one: ``linear_0`` of a self-attention is q, k and v one
below the other (Whisper's k has no bias, so that part must be zero), ``linear_0``/``linear_1``/``linear_2`` of a
cross-attention are q, k and v, out. Weights stay in float16, as they are in the file, so nothing is rounded. The
CTranslate2 files are kept under ``ct2/``, because faster-whisper reads those.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backends.common.converting import told
from backends.common.speech.ct2 import Arrays, Ct2Model, read_ct2
from workbench.contract import Json, UserError
from workbench.files import load_json, write_json

Say = Callable[[str], None]
Array = np.ndarray[Any, Any]
BESIDE = ("config.json", "tokenizer.json", "vocabulary.txt")
CT2 = "ct2"


@dataclass(frozen=True)
class Converted:
    """What was written: where, its sizes, and the largest difference between the weights written and read back."""

    path: str
    architecture: str
    parameters: int
    encoder_parameters: int
    layers: int
    width: int
    multilingual: bool
    largest_difference: float


def convert(model_bin: Path, out: Path, say: Say = print) -> Converted:
    """Write ``model_bin`` as a model folder ``out`` (absent or empty).

    Raises ``UserError`` for a file that is no Whisper of CTranslate2 in floats, for a missing companion file, and
    where a weight is missing, left over or of another shape."""
    missing = [name for name in BESIDE if not (model_bin.parent / name).is_file()]
    if missing:
        raise UserError(f"{', '.join(missing)} is missing beside {model_bin.name}.",
                        advice="Give the whole folder of the CTranslate2 model.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} already exists and is not empty.", advice="Choose another folder or delete it first.")
    say(f"reading {model_bin.name}")
    source = read_ct2(model_bin)
    tokens = special_tokens(model_bin.parent / "tokenizer.json")
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        return _write(source, tokens, model_bin, out, say)
    except BaseException:
        shutil.rmtree(out, ignore_errors=True) if made else None
        raise


def _write(source: Ct2Model, tokens: Mapping[str, int], model_bin: Path, out: Path, say: Say) -> Converted:
    import torch
    from transformers import WhisperFeatureExtractor

    model = build(source, tokens)
    parameters = sum(p.numel() for p in model.parameters())
    say(f"writing {parameters / 1e6:.0f} million weights as float16")
    stated = load_json(model_bin.parent / "config.json")
    model.generation_config = generation(stated, tokens, model.config)
    model.half().save_pretrained(out)
    WhisperFeatureExtractor(feature_size=model.config.num_mel_bins).save_pretrained(out)
    write_tokenizer(model_bin.parent / "tokenizer.json", out, tokens)
    (out / CT2).mkdir()
    for name in (model_bin.name, *BESIDE):
        shutil.copyfile(model_bin.parent / name, out / CT2 / ("model.bin" if name == model_bin.name else name))
    say("checking what was written")
    again = type(model).from_pretrained(out, dtype=torch.float16, local_files_only=True).state_dict()
    difference = max(float((again[name].float() - value.float()).abs().max())
                     for name, value in model.state_dict().items())
    if difference > 0:
        raise UserError(f"The weights written differ by {difference:g} from those read.",
                        advice="The folder is not to be used; report this file.")
    return Converted(str(out), type(model).__name__, parameters,
                     sum(p.numel() for p in model.model.encoder.parameters()), model.config.encoder_layers,
                     model.config.d_model, several_languages(model.config), difference)


def build(source: Ct2Model, tokens: Mapping[str, int]) -> Any:
    """The ``WhisperForConditionalGeneration`` of the arrays, float32, with no weight missing and none left over."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    if source.specification != "WhisperSpec":
        raise UserError(f"model.bin holds a {source.specification}, not a Whisper.",
                        advice="Give the CTranslate2 model of a Whisper.")
    shape = config(source, tokens)
    model = WhisperForConditionalGeneration(WhisperConfig(**shape)).eval()
    wanted = model.state_dict()
    found = hf_weights(source.arrays, shape["encoder_layers"], shape["decoder_layers"])
    found["proj_out.weight"] = found["model.decoder.embed_tokens.weight"]
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    other = [name for name in set(found) & set(wanted) if tuple(found[name].shape) != tuple(wanted[name].shape)]
    if missing or extra or other:
        raise UserError(f"The Whisper does not fit: missing {missing[:3]}, left over {extra[:3]}, of another shape "
                        f"{sorted(other)[:3]}.",
                        advice="It may be of another revision of CTranslate2; report this file.")
    state = {name: torch.from_numpy(np.array(array, dtype=np.float32)) for name, array in found.items()}
    model.load_state_dict(state, strict=True)
    return model


def config(source: Ct2Model, tokens: Mapping[str, int]) -> dict[str, Json]:
    """The sizes, read off the shapes of the arrays, and the special tokens."""
    arrays = source.arrays
    try:
        positions, width = arrays["encoder/position_encodings/encodings"].shape
        targets = arrays["decoder/position_encodings/encodings"].shape[0]
        end, start = tokens["<|endoftext|>"], tokens["<|startoftranscript|>"]
        return {"vocab_size": arrays["decoder/embeddings/weight"].shape[0], "d_model": width,
                "num_mel_bins": arrays["encoder/conv1/weight"].shape[1],
                "max_source_positions": positions, "max_target_positions": targets,
                "encoder_layers": layers(arrays, "encoder"), "decoder_layers": layers(arrays, "decoder"),
                "encoder_attention_heads": source.number("encoder/num_heads"),
                "decoder_attention_heads": source.number("decoder/num_heads"),
                "encoder_ffn_dim": arrays["encoder/layer_0/ffn/linear_0/weight"].shape[0],
                "decoder_ffn_dim": arrays["decoder/layer_0/ffn/linear_0/weight"].shape[0],
                "bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start,
                "suppress_tokens": None, "begin_suppress_tokens": None}
    except KeyError as error:
        raise UserError(f"The Whisper has no {error.args[0]}.",
                        advice="Give the CTranslate2 model of a Whisper.") from None


def layers(arrays: Arrays, side: str) -> int:
    """How many layers a side has."""
    return len({name.split("/")[1] for name in arrays if name.startswith(f"{side}/layer_") and name.count("/") > 2})


def hf_weights(arrays: Arrays, encoder_layers: int, decoder_layers: int) -> dict[str, Array]:
    """The arrays under the names of transformers. Raises ``UserError`` for whole-number weights or a bias of k."""
    whole = [name for name in arrays if name.endswith("/weight") and arrays[name].dtype.kind != "f"]
    if whole:
        raise UserError(f"{whole[0]} is stored as whole numbers.", advice="Give a float16 or float32 conversion.")
    found: dict[str, Array] = {}
    for conv in ("conv1", "conv2"):
        _pair(found, arrays, f"model.encoder.{conv}", f"encoder/{conv}")
    found["model.decoder.embed_tokens.weight"] = _take(arrays, "decoder/embeddings/weight")
    for side, count in (("encoder", encoder_layers), ("decoder", decoder_layers)):
        found[f"model.{side}.embed_positions.weight"] = _take(arrays, f"{side}/position_encodings/encodings")
        _norm(found, arrays, f"model.{side}.layer_norm", f"{side}/layer_norm")
        for number in range(count):
            _layer(found, arrays, f"model.{side}.layers.{number}", f"{side}/layer_{number}", side == "decoder")
    return found


def _layer(found: dict[str, Array], arrays: Arrays, to: str, here: str, cross: bool) -> None:
    _attention(found, arrays, f"{to}.self_attn", f"{here}/self_attention", ("linear_0",))
    _norm(found, arrays, f"{to}.self_attn_layer_norm", f"{here}/self_attention/layer_norm")
    if cross:
        _attention(found, arrays, f"{to}.encoder_attn", f"{here}/attention", ("linear_0", "linear_1"))
        _norm(found, arrays, f"{to}.encoder_attn_layer_norm", f"{here}/attention/layer_norm")
    _pair(found, arrays, f"{to}.fc1", f"{here}/ffn/linear_0")
    _pair(found, arrays, f"{to}.fc2", f"{here}/ffn/linear_1")
    _norm(found, arrays, f"{to}.final_layer_norm", f"{here}/ffn/layer_norm")


def _attention(found: dict[str, Array], arrays: Arrays, to: str, here: str, stacked: Sequence[str]) -> None:
    """q, k and v of the stacked linear layers, the last layer is the way out."""
    for part in ("weight", "bias"):
        together = np.concatenate([_take(arrays, f"{here}/{name}/{part}") for name in stacked])
        if len(together) % 3:
            raise UserError(f"{here} has {len(together)} rows, not three times something.",
                            advice="It may be of another revision of CTranslate2; report this file.")
        for name, array in zip("qkv", np.split(together, 3), strict=True):
            if name == "k" and part == "bias":
                if np.any(array):
                    raise UserError(f"{here} has a bias of k, which Whisper has not.", advice="Report this file.")
                continue
            found[f"{to}.{name}_proj.{part}"] = array
    _pair(found, arrays, f"{to}.out_proj", f"{here}/linear_{len(stacked)}")


def _pair(found: dict[str, Array], arrays: Arrays, to: str, here: str) -> None:
    for part in ("weight", "bias"):
        found[f"{to}.{part}"] = _take(arrays, f"{here}/{part}")


def _norm(found: dict[str, Array], arrays: Arrays, to: str, here: str) -> None:
    found[f"{to}.weight"], found[f"{to}.bias"] = _take(arrays, f"{here}/gamma"), _take(arrays, f"{here}/beta")


def _take(arrays: Arrays, name: str) -> Array:
    if name not in arrays:
        raise UserError(f"The Whisper has no {name}.", advice="Give the CTranslate2 model of a Whisper.")
    return arrays[name]


def special_tokens(path: Path) -> dict[str, int]:
    """The tokens in angle brackets and their numbers, out of ``tokenizer.json``."""
    try:
        added = load_json(path)["added_tokens"]
        return {str(token["content"]): int(token["id"]) for token in added}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path.name} holds no added_tokens: {error}.", advice="Fetch the model again.") from error


def generation(stated: Mapping[str, Json], tokens: Mapping[str, int], shape: Any) -> Any:
    """How the model is decoded: suppressed tokens and alignment heads of the CTranslate2 config, the rest by name."""
    from transformers import GenerationConfig

    languages = {name: number for name, number in tokens.items() if number in set(stated.get("lang_ids", ()))}
    several = several_languages(shape)
    tasks = {name: tokens[f"<|{name}|>"] for name in ("translate", "transcribe")}
    extra = {"lang_to_id": languages, "task_to_id": tasks} if several else {}
    return GenerationConfig(
        decoder_start_token_id=shape.decoder_start_token_id, eos_token_id=shape.eos_token_id,
        pad_token_id=shape.pad_token_id, bos_token_id=shape.bos_token_id, max_length=shape.max_target_positions,
        suppress_tokens=list(stated.get("suppress_ids", ())),
        begin_suppress_tokens=list(stated.get("suppress_ids_begin", ())),
        alignment_heads=stated.get("alignment_heads"), is_multilingual=several, max_initial_timestamp_index=50,
        no_timestamps_token_id=tokens["<|notimestamps|>"], prev_sot_token_id=tokens["<|startofprev|>"],
        return_timestamps=False, **extra)


def several_languages(shape: Any) -> bool:
    """Whether it is a multilingual Whisper: those have one token more than the English ones (51,864)."""
    return int(shape.vocab_size) >= 51865


def write_tokenizer(source: Path, out: Path, tokens: Mapping[str, int]) -> None:
    """The tokenizer file as it is, with the few lines that tell transformers which class reads it."""
    shutil.copyfile(source, out / "tokenizer.json")
    end = "<|endoftext|>"
    write_json(out / "tokenizer_config.json", {
        "tokenizer_class": "WhisperTokenizer", "bos_token": end, "eos_token": end, "unk_token": end, "pad_token": end,
        "model_max_length": 1024, "errors": "replace", "add_prefix_space": False,
        "processor_class": "WhisperProcessor"})


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; the last line on stdout is the :class:`Converted` as JSON, errors go to stderr with code 1."""
    parser = argparse.ArgumentParser(prog="python -m backends.common.speech.whisper_convert",
                                     description="Whisper of CTranslate2 to safetensors")
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(argv)
    return told(lambda say: convert(options.model, options.out, say))


if __name__ == "__main__":
    sys.exit(main())
