"""What the engine's tests share: small models of several families, prompts, and transformers' own answers."""

from __future__ import annotations

from pathlib import Path

import torch

from backends.common.engine import LocalModel
from backends.common.language import Message, Prompt
from backends.common.prompts import encode

FAMILIES = ("llama", "gemma3", "qwen2", "gpt2")
TEXTS = ("I lost my job.", "My dog died last week and I cannot stop thinking about it, day and night. What now?", "Hi",
         "我今天很难过，不知道该怎么办。", "Tell me something that is a little longer than the others, please. " * 3)


def chat(text: str, key: str = "", prefill: str = "", system: str = "You are kind.") -> Prompt:
    return Prompt((Message("system", system), Message("user", text)), prefill=prefill, key=key)


def make(path: Path, family: str) -> Path:
    """A random model of this family under ``path``; Llama and Gemma3 are the suite's own."""
    from tests.tiny import make_tiny_lm, make_tokenizer

    if path.exists():
        return path
    if family in ("llama", "gemma3"):
        return make_tiny_lm(path, family=family)
    import transformers

    tokenizer = make_tokenizer()
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "initializer_range": 0.3}
    shape = {"vocab_size": len(tokenizer), "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 6, **ends}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        if family == "qwen2":
            config = transformers.Qwen2Config(**shape, intermediate_size=96, num_key_value_heads=3)
            model = transformers.Qwen2ForCausalLM(config)
        elif family == "gpt2":
            model = transformers.GPT2LMHeadModel(transformers.GPT2Config(
                vocab_size=len(tokenizer), n_embd=48, n_layer=2, n_head=6, n_positions=1024, **ends))
        else:
            model = transformers.BloomForCausalLM(transformers.BloomConfig(
                vocab_size=len(tokenizer), hidden_size=48, n_layer=2, n_head=6, **ends))
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def open_local(path: Path, dtype: str = "float32", **settings) -> LocalModel:
    return LocalModel(path, dtype=dtype, threads=1, device="cpu", **settings)


def reference(path: Path, dtype: str = "float32"):
    """The plain transformers model of a folder."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype)).eval()


def greedy(model, tokenizer, prompt: Prompt, new: int, least: int = 0, **more) -> str:
    """Text that ``generate`` gives to this prompt alone, without an unfinished character at its end."""
    made = greedy_ids(model, tokenizer, prompt, new, least, **more)
    return prompt.prefill + whole(tokenizer.decode(made, skip_special_tokens=True))


def greedy_ids(model, tokenizer, prompt: Prompt, new: int, least: int = 0, **more) -> list[int]:
    """Tokens that ``generate`` gives to this prompt alone."""
    ids = torch.tensor([encode(tokenizer, prompt)])
    return model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, min_new_tokens=least,
                          do_sample=False, pad_token_id=1, **more)[0, ids.shape[1]:].tolist()


def whole(text: str) -> str:
    """The text without the marks of broken bytes at its end (a random model writes many)."""
    return text.rstrip("\ufffd")


def log_probabilities(model, tokenizer, prompt: Prompt, continuation: list[int]) -> list[float]:
    """Natural-log probability of each continuation token, from one plain forward pass."""
    ids = encode(tokenizer, prompt)
    with torch.inference_mode():
        logits = model(torch.tensor([ids + continuation])).logits[0].float().log_softmax(-1)
    return [float(logits[len(ids) - 1 + i, token]) for i, token in enumerate(continuation)]
