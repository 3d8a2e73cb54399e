"""Small random models for tests: the real transformers classes at sizes that load in milliseconds."""

from __future__ import annotations

from pathlib import Path

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|im_start|>", "<|im_end|>")


def make_tokenizer():
    """A byte-level tokenizer (256 bytes, no merges) with ChatML's two markers: every text round-trips."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate((*SPECIAL, *alphabet))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=SPECIAL[0], eos_token=SPECIAL[1],
                                   pad_token=SPECIAL[1])
    fast.chat_template = CHAT_TEMPLATE
    return fast


def make_tiny_lm(path: Path, seed: int = 0, family: str = "llama") -> Path:
    """Save a two-layer model with grouped-query attention under ``path`` (safetensors) and return it."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    shape = {"vocab_size": len(tokenizer), "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2,
             "num_attention_heads": 6, "num_key_value_heads": 2, "max_position_embeddings": 4096,
             "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
             "pad_token_id": tokenizer.pad_token_id, "initializer_range": 0.3}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if family == "gemma3":
            windowed = Gemma3TextConfig(**shape, head_dim=8, sliding_window=32,
                                        layer_types=["sliding_attention", "full_attention"])
            model = Gemma3ForCausalLM(windowed)
        else:
            model = LlamaForCausalLM(LlamaConfig(**shape))
    model.save_pretrained(path, safe_serialization=True)
    tokenizer.save_pretrained(path)
    return path
