"""Make a folder of safetensors, configuration and tokenizer out of one GGUF file.

``python -m backends.common.convert MODEL.gguf OUT_DIR [--dtype float32|bfloat16]``

Reading a GGUF takes ten times as long and twice the memory of reading safetensors, so it is done once. The
default is float32: a dequantised 4-bit weight is a product and a sum of 16-bit floats, which bfloat16 would
round once more, and only float32 gives the logits of the GGUF back exactly; the engine rounds on loading when
it runs in bfloat16. The written folder is read again and its logits compared before the command succeeds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.common.converting import told
from workbench.contract import UserError

PROBE = "The weather was cold, so she put on her"
MAGIC = b"GGUF"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Converted:
    """What was written: where, the class and size of the model, and how far its logits are from the GGUF's."""

    path: str
    architecture: str
    parameters: int
    dtype: str
    largest_difference: float
    chat_template: bool


def convert(gguf: Path, out: Path, dtype: str = "float32", say: Say = print) -> Converted:
    """Write ``gguf`` as a model folder ``out`` (must be absent or empty) and check it by reading it back.

    Raises ``UserError`` for a file that is no GGUF, an architecture that transformers cannot read, or a
    folder whose logits differ by more than rounding to ``dtype`` explains."""
    check_input(gguf, out)
    import torch

    torch.set_num_threads(max(1, torch.get_num_threads()))
    say(f"reading {gguf.name}")
    model, tokenizer = read_gguf(gguf)
    before = probe_logits(model, tokenizer)
    parameters = sum(p.numel() for p in model.parameters())
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        say(f"writing {parameters / 1e6:.0f} million weights as {dtype}")
        model.to(getattr(torch, dtype)).save_pretrained(out)
        tokenizer.save_pretrained(out)
        del model
        say("checking what was written")
        difference = compare(out, before)
    except BaseException:
        shutil.rmtree(out, ignore_errors=True) if made else None
        raise
    allowed = 1e-4 if dtype == "float32" else 0.05 * float(before.abs().max())
    if difference > allowed:
        raise UserError(f"The converted model's logits differ by {difference:g} from the GGUF's; "
                        f"at most {allowed:g} is rounding.", advice="The folder is not to be used; report this file.")
    config = json.loads((out / "config.json").read_text())
    return Converted(str(out), config["architectures"][0], parameters, dtype, difference,
                     bool(tokenizer.chat_template))


def check_input(gguf: Path, out: Path) -> None:
    """Raise ``UserError`` unless ``gguf`` is a GGUF file and ``out`` is free."""
    if not gguf.is_file():
        raise UserError(f"There is no file {gguf}.", advice="Give the path of a .gguf file.")
    with gguf.open("rb") as file:
        head = file.read(4)
    if head != MAGIC:
        raise UserError(f"{gguf.name} is not a GGUF file: it begins with {head!r} instead of {MAGIC!r}.",
                        advice="The download may be damaged; fetch it again.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} already exists and is not empty.", advice="Choose another folder or delete it first.")


def read_gguf(gguf: Path) -> tuple[Any, Any]:
    """The float32 model and the tokenizer of a GGUF file, freed of the flag that forbids saving."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    except Exception as error:  # a damaged or unknown file fails in many ways, all of them the file's
        raise UserError(f"{gguf.name} could not be read as a language model: {str(error)[:300]}",
                        advice="Use a GGUF of an architecture that transformers reads, such as Llama, Qwen2 or Gemma3."
                        ) from error
    clear_quantized_flag(model)
    return model.eval(), tokenizer


def clear_quantized_flag(model: Any) -> None:
    """Drop what marks a model read from GGUF as quantised: its weights are plain floats by now, and the mark
    makes ``save_pretrained`` refuse ("quantized with gguf and is not serializable")."""
    for owner, name in ((model, "hf_quantizer"), (model, "quantization_method"),
                        (model.config, "quantization_config")):
        if hasattr(owner, name):
            delattr(owner, name)
    model.is_quantized = False


def probe_logits(model: Any, tokenizer: Any) -> Any:
    """Logits of a fixed sentence, shape (tokens, vocabulary), in float32."""
    import torch

    with torch.inference_mode():
        return model(**tokenizer(PROBE, return_tensors="pt", return_token_type_ids=False)).logits[0].float()


def compare(folder: Path, expected: Any) -> float:
    """Largest absolute difference between ``expected`` and the probe logits of the model in ``folder``."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    got = probe_logits(model, AutoTokenizer.from_pretrained(folder, local_files_only=True))
    return float("inf") if got.shape != expected.shape else float((got - expected).abs().max())


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; the last line on stdout is the :class:`Converted` as JSON, errors go to stderr with code 1."""
    parser = argparse.ArgumentParser(prog="python -m backends.common.convert", description="GGUF to safetensors")
    parser.add_argument("gguf", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    options = parser.parse_args(argv)
    return told(lambda say: convert(options.gguf, options.out, options.dtype, say))


if __name__ == "__main__":
    sys.exit(main())
