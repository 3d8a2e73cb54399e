"""Training does not depend on one architecture: every family here learns, packs exactly, is saved and opens again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from backends.common.loading import open_weights
from backends.common.training.batches import collate
from backends.common.training.examples import apart, pack
from backends.common.training.fit import accelerated, fit
from backends.common.training.objective import Objective, loss_of
from backends.common.training.weights import Lora, open_trainee, save_model
from tests.backends.training_cases import chat, examples, plan, tokenizer_of
from tests.tiny import make_tokenizer
from workbench.context import MemoryContext

SHAPE: dict[str, Any] = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
                         "num_key_value_heads": 2, "max_position_embeddings": 2048, "initializer_range": 0.2}
FAMILIES = ("llama", "qwen2", "qwen3", "mistral", "gemma2", "gemma3", "phi3", "gpt2", "gpt_neox")


def build(family: str) -> Any:
    """A random two-layer model of a family, with the class and the configuration of transformers."""
    import transformers as t

    tokenizer = make_tokenizer()
    common = {**SHAPE, "vocab_size": len(tokenizer) + 6, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    makers = {
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**common)),
        "qwen2": lambda: t.Qwen2ForCausalLM(t.Qwen2Config(**common, tie_word_embeddings=True)),
        "qwen3": lambda: t.Qwen3ForCausalLM(t.Qwen3Config(**common, head_dim=12)),
        "mistral": lambda: t.MistralForCausalLM(t.MistralConfig(**common, sliding_window=None)),
        "gemma2": lambda: t.Gemma2ForCausalLM(t.Gemma2Config(**common, head_dim=12, sliding_window=2048)),
        "gemma3": lambda: t.Gemma3ForCausalLM(t.Gemma3TextConfig(**common, head_dim=12, sliding_window=64, layer_types=[
            "sliding_attention", "full_attention"])),
        "phi3": lambda: t.Phi3ForCausalLM(t.Phi3Config(**common)),
        "gpt2": lambda: t.GPT2LMHeadModel(t.GPT2Config(
            vocab_size=len(tokenizer) + 6, n_embd=48, n_layer=2, n_head=4, n_positions=2048, bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1, initializer_range=0.2)),
        "gpt_neox": lambda: t.GPTNeoXForCausalLM(t.GPTNeoXConfig(**{
            k: v for k, v in common.items() if k != "num_key_value_heads"})),
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return makers[family](), tokenizer


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model, tokenizer = build(request.param)
    path = tmp_path_factory.mktemp("families") / request.param
    model.save_pretrained(path, safe_serialization=True)
    tokenizer.save_pretrained(path)
    return path


def test_packing_has_the_loss_of_one_example_a_reply(folder: Path) -> None:
    model, tokenizer = open_weights(folder, "float32", "cpu"), tokenizer_of(folder)
    replies = chat(3, turns=3)
    found = []
    for rows in (pack(tokenizer, "c", replies, 2048), apart(tokenizer, "c", replies, 2048)):
        with torch.no_grad():
            values = [Objective(model)(collate([row], 1)) for row in rows]
        found.append(float(sum(loss_of(v, 1.0, 3.0) for v in values)))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_padding_on_the_right_changes_nothing(folder: Path) -> None:
    model, tokenizer = open_weights(folder, "float32", "cpu"), tokenizer_of(folder)
    rows = examples(tokenizer, 3)
    assert len({len(row.ids) for row in rows}) > 1
    with torch.no_grad():
        together = Objective(model)(collate(rows, tokenizer.pad_token_id))
        alone = sum(Objective(model)(collate([row], tokenizer.pad_token_id)) for row in rows)
    assert torch.allclose(together, alone, rtol=1e-3)


def test_adapters_are_found_learn_and_are_merged(folder: Path, tmp_path: Path) -> None:
    trainee = open_trainee(folder, "lora", seed=1, lora=Lora(4, 8, 0.0))
    trained, total = trainee.counts()
    assert 0 < trained < total / 2
    context = MemoryContext(tmp_path / "run")
    with accelerated(context, "", "test", {}) as accelerator:
        fitted = fit(trainee, [examples(trainee.tokenizer, 4)], [], plan(epochs=4.0), context, accelerator)
    assert fitted.last < fitted.first
    trainee.model.eval()
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        expected = trainee.model(input_ids=ids).logits
        saved = save_model(trainee, tmp_path / "model", "card", {})
        again = open_weights(saved, "float32", "cpu")(input_ids=ids).logits
    assert torch.allclose(again, expected, atol=1e-3 * float(expected.abs().max()))


def test_every_weight_learns_in_full_training(folder: Path, tmp_path: Path) -> None:
    trainee = open_trainee(folder, "full", seed=1)
    before = {name: p.detach().clone() for name, p in trainee.trained().items()}
    context = MemoryContext(tmp_path / "run")
    with accelerated(context, "", "test", {}) as accelerator:
        fitted = fit(trainee, [examples(trainee.tokenizer, 4)], [], plan(max_steps=2), context, accelerator)
    assert fitted.steps == 2 and len(before) == len(trainee.names)
    unmoved = [name for name, p in trainee.trained().items() if torch.equal(p, before[name])]
    assert not unmoved, unmoved
