"""Small random encoders on disk, and a slow BERTScore by the formulas of the paper, for the tests of neural metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "mat", "dog", "house", "hill",
              "reads", "book", "##s", "##ing", *"abcdefghijklmnopqrstuvwxyz.,'",
              *[f"##{c}" for c in "abcdefghijklmnop"], *"我们去北京南猫狗")


def make_encoder(path: Path, family: str = "bert", seed: int = 0, positions: int = 64) -> Path:
    """Save a random three-layer encoder of a family (``bert``, ``roberta``, ``t5``) with a word-piece tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import (
        BertConfig,
        BertModel,
        PreTrainedTokenizerFast,
        RobertaConfig,
        RobertaModel,
        T5Config,
        T5ForConditionalGeneration,
    )

    inner = Tokenizer(models.WordPiece({word: i for i, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]",
                                        cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
                                        model_max_length=positions)
    shape = {"vocab_size": len(VOCABULARY), "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2,
             "intermediate_size": 32, "initializer_range": 0.5}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if family == "t5":
            model = T5ForConditionalGeneration(T5Config(
                vocab_size=len(VOCABULARY), d_model=24, d_kv=12, d_ff=32, num_layers=3, num_heads=2, pad_token_id=0,
                eos_token_id=3, decoder_start_token_id=0))
        elif family == "roberta":
            model = RobertaModel(RobertaConfig(**shape, max_position_embeddings=positions + 2, pad_token_id=0))
        else:
            model = BertModel(BertConfig(**shape, max_position_embeddings=positions))
    model.save_pretrained(path, safe_serialization=True)
    tokenizer.save_pretrained(path)
    return path


def slow_bertscore(encoder, hypothesis: str, reference: str, weights: dict[int, float] | None = None,
                   unseen: float = 1.0) -> tuple[float, float, float]:
    """One pair, alone, by loops over its pieces: no padding, no batch, nothing shared with what is tested."""
    import torch

    sides = []
    for text in (hypothesis, reference):
        ids = encoder.tokenizer(text.strip())["input_ids"]
        with torch.inference_mode():
            out = encoder.network(input_ids=torch.tensor([ids]), output_hidden_states=True)
        rows = [[float(x) for x in row] for row in out.hidden_states[encoder.layer][0]]
        rows = [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in rows]
        own = {encoder.tokenizer.cls_token_id, encoder.tokenizer.sep_token_id}
        sides.append((rows, [0.0 if i in own else 1.0 if weights is None else weights.get(i, unseen) for i in ids]))

    def directed(one: tuple, two: tuple) -> float:
        best = [max(sum(a * b for a, b in zip(x, y, strict=True)) for y in two[0]) for x in one[0]]
        total = sum(one[1])
        return sum(w * b for w, b in zip(one[1], best, strict=True)) / total if total else 0.0

    if not sum(sides[0][1]) or not sum(sides[1][1]):
        return 0.0, 0.0, 0.0
    p, r = directed(*sides), directed(*reversed(sides))
    return 100 * p, 100 * r, 100 * 2 * p * r / (p + r)


def document_frequencies(encoder, references: Sequence[str]) -> tuple[dict[int, float], float]:
    """idf of every piece, and that of a piece that no reference has."""
    sets = [set(encoder.tokenizer(text.strip())["input_ids"]) for text in references]
    count = len(sets)
    pieces = set().union(*sets)
    return ({p: math.log((count + 1) / (sum(p in s for s in sets) + 1)) for p in pieces}, math.log(count + 1))
