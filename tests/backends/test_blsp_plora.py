"""PLoRA acts on speech positions and nowhere else; the teacher is the language model as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backends.blsp_emo.plora import PloraShape, TokenLora, attach
from backends.common.loading import open_weights
from tests.backends.blsp_cases import wake
from workbench.contract import UserError

IDS = torch.tensor([[5, 9, 30, 41, 7, 77], [8, 8, 100, 2, 60, 61]])


@pytest.fixture
def pair(tiny_lm: Path):
    """A language model as it is, and the same with PLoRA whose weights are not zero."""
    plain, model = open_weights(tiny_lm, "float32", "cpu"), open_weights(tiny_lm, "float32", "cpu")
    plora = attach(model, PloraShape(rank=4, alpha=8, dropout=0.0), seed=3)
    wake(plora)
    return plain, model, plora


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS, use_cache=False).logits


def test_it_begins_as_no_change(tiny_lm: Path) -> None:
    model = open_weights(tiny_lm, "float32", "cpu")
    before = logits(model)
    plora = attach(model, PloraShape(), seed=1)
    with plora.on(torch.ones(2, 6)):
        assert torch.equal(logits(model), before)
    assert len(plora.layers) == 14 and plora.shape.rank == 16, "seven linear layers in two blocks"


def test_without_a_mask_and_with_zeros_the_model_is_untouched_bit_for_bit(pair) -> None:
    plain, model, plora = pair
    assert torch.equal(logits(model), logits(plain))
    with plora.on(torch.zeros(2, 6)):
        assert torch.equal(logits(model), logits(plain))
    with plora.on(torch.ones(2, 6)):
        assert not torch.allclose(logits(model), logits(plain), atol=1e-2)
    assert torch.equal(logits(model), logits(plain)), "the mask ends with the block"


@pytest.mark.parametrize("place", range(6))
def test_one_position_changes_itself_and_what_follows(pair, place: int) -> None:
    plain, model, plora = pair
    mask = torch.zeros(2, 6)
    mask[1, place] = 1
    with plora.on(mask):
        found = logits(model)
    base = logits(plain)
    assert torch.equal(found[0], base[0]), "another row"
    assert torch.allclose(found[1, :place], base[1, :place], atol=1e-6), "before"
    assert all((found[1, at] - base[1, at]).abs().max() > 1e-5 for at in range(place, 6)), "at and after"


def test_the_formula(tiny_lm: Path) -> None:
    model = open_weights(tiny_lm, "float32", "cpu")
    plora = attach(model, PloraShape(rank=4, alpha=8, dropout=0.0))
    wake(plora)
    name, layer = next(iter(plora.layers.items()))
    x, mask = torch.randn(2, 3, layer.base.in_features), torch.tensor([[1.0, 0, 1], [0, 0, 1]])
    with plora.on(mask), torch.no_grad():
        expected = layer.base(x) + (x @ layer.lora_a.T @ layer.lora_b.T) * 2.0 * mask[..., None]
        assert torch.allclose(layer(x), expected, atol=1e-5)
    assert set(plora.named_parameters()) >= {f"{name}.lora_a", f"{name}.lora_b"}


def test_blocks_may_lie_inside_one_another(pair) -> None:
    _, _, plora = pair
    outer, inner = torch.ones(2, 6), torch.zeros(2, 6)
    with plora.on(outer):
        with plora.on(inner):
            assert plora.scope.mask is inner
        assert plora.scope.mask is outer
    with pytest.raises(ValueError), plora.on(outer):
        raise ValueError
    assert plora.scope.mask is None


def test_a_mask_of_another_shape_is_refused(pair) -> None:
    """Several beams or rows with the mask of one: the published code multiplies them somehow."""
    _, model, plora = pair
    with plora.on(torch.ones(1, 6)), pytest.raises(UserError, match=r"mask is \(1, 6\) and the batch \(2, 6\)"):
        logits(model)


def test_dropout_acts_in_training_only(tiny_lm: Path) -> None:
    model = open_weights(tiny_lm, "float32", "cpu")
    plora = attach(model, PloraShape(dropout=0.5))
    wake(plora)
    with plora.on(torch.ones(2, 6)):
        assert torch.equal(logits(model), logits(model))
        for layer in plora.layers.values():
            layer.training = True
        assert not torch.equal(logits(model), logits(model))


def test_named_targets_and_seeds(tiny_lm: Path) -> None:
    only = PloraShape(targets=("q_proj",))
    made = [attach(open_weights(tiny_lm, "float32", "cpu"), only, seed) for seed in (1, 1, 2)]
    first = [next(iter(plora.layers.values())).lora_a for plora in made]
    assert len(made[0].layers) == 2 and all(name.endswith("q_proj") for name in made[0].layers)
    assert torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])


def test_a_paper_model_gets_the_papers_layers() -> None:
    """Qwen's names: attention and both halves of the gate, in every block."""
    block = torch.nn.ModuleDict({name: torch.nn.Linear(4, 4) for name in ("c_attn", "c_proj", "w1", "w2", "other")})
    plora = attach(torch.nn.ModuleList([block]), PloraShape(rank=2))
    assert {name.rpartition(".")[2] for name in plora.layers} == {"c_attn", "c_proj", "w1", "w2"}
    assert isinstance(block["w1"], TokenLora) and isinstance(block["other"], torch.nn.Linear)


def test_layers_that_cannot_be_wrapped(tiny_lm: Path) -> None:
    model = open_weights(tiny_lm, "float32", "cpu")
    with pytest.raises(UserError, match="Its linear layers are named"):
        attach(model, PloraShape(targets=("c_attn",)))
    with pytest.raises(UserError, match="of another kind"):
        attach(model, PloraShape(targets=("embed_tokens",)))
    attach(model, PloraShape())
    with pytest.raises(UserError, match="already"):
        attach(model, PloraShape())


@pytest.mark.parametrize(("fields", "words"), [({"rank": 0}, "rank is 0"), ({"dropout": 1.0}, "between 0 and 1")])
def test_shapes_are_checked(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        PloraShape(**fields)
