"""The Transformer: masks that leak nothing, states added one by one, Marian's checkpoints to the last digit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backends.sm2.marian import read_marian, shape_of
from backends.sm2.model import Cache, Shape, sinusoids
from backends.sm2.objective import cut
from backends.sm2.storage import open_translator
from tests.backends.sm2_cases import batch_of, folder_of, small
from workbench.contract import MissingResource, UserError


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_source_that_was_not_read_leaks_nowhere(norm: str) -> None:
    """Pitfall 1: change x after j; probabilities and confidences are the same to the last bit."""
    model, batch = small(norm=norm), batch_of()
    for j in (1, 3, 5):
        source, there = cut(batch, [j] * 6)
        one = model.decode(batch.inputs, model.encode(source, there), there)
        changed = batch.source.clone()
        changed[:, j:] = torch.randint(5, 60, changed[:, j:].shape)
        other = type(batch)(changed, batch.there, batch.inputs, batch.labels, batch.wanted)
        source, there = cut(other, [j] * 6)
        two = model.decode(batch.inputs, model.encode(source, there), there)
        assert torch.equal(one.logits, two.logits) and torch.equal(one.confidence, two.confidence)


def test_the_leak_test_would_find_a_leak() -> None:
    """The wrong way (encode everything, mask the cross attention) is caught by the same comparison."""
    model, batch = small(), batch_of()
    changed = batch.source.clone()
    changed[:, 3:] = torch.where(batch.there[:, 3:], torch.full_like(changed[:, 3:], 7), changed[:, 3:])
    there = batch.there & (torch.arange(batch.there.shape[1]) < 3)
    one, two = (
        model.decode(batch.inputs, model.encode(ids, batch.there), there).confidence for ids in (batch.source, changed)
    )
    assert not torch.equal(one, two)


def test_a_causal_encoder_does_not_look_ahead() -> None:
    model, batch = small(causal_encoder=True), batch_of()
    changed = batch.source.clone()
    changed[:, 4:] = 9
    one, two = model.encode(batch.source, batch.there), model.encode(changed, batch.there)
    assert torch.equal(one[:, :4], two[:, :4]) and not torch.equal(one[:, 4:], two[:, 4:])


def test_later_target_tokens_do_not_change_earlier_states() -> None:
    model, batch = small(), batch_of()
    encoded = model.encode(batch.source, batch.there)
    changed = batch.inputs.clone()
    changed[:, 3:] = 11
    one, two = (model.decode(ids, encoded, batch.there).logits for ids in (batch.inputs, changed))
    assert torch.equal(one[:, :3], two[:, :3])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_padding_changes_nothing(norm: str) -> None:
    model = small(norm=norm)
    one, two = (
        model.decode(b.inputs, model.encode(b.source, b.there), b.there) for b in (batch_of(), batch_of(wider=7))
    )
    wanted = batch_of().wanted
    size = wanted.shape[1]
    assert torch.allclose(one.logits[wanted], two.logits[:, :size][wanted], atol=1e-5)
    assert torch.allclose(one.confidence[wanted], two.confidence[:, :size][wanted], atol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_states_added_one_by_one_are_the_states_from_scratch(norm: str) -> None:
    """Pitfall 6, for rows that stand at different places."""
    model, batch = small(norm=norm), batch_of(4)
    encoded = model.encode(batch.source, batch.there)
    whole = model.decode(batch.inputs, encoded, batch.there)
    first = 3
    at = torch.tensor([first - 1, 0, 1, first - 1])
    states, cache = model.prefill(batch.inputs[:, :first], encoded, batch.there, at)
    assert torch.allclose(states.logits[:, 0], whole.logits[torch.arange(4), at], atol=1e-5)
    room = [
        tuple(torch.cat([t, torch.zeros(4, 2, batch.inputs.shape[1] - first, 8)], 2) for t in pair)
        for pair in cache.own
    ]
    cache = Cache(room, cache.cross, cache.source)
    place = torch.tensor([first] * 4)
    for turn in range(3):
        rows = torch.arange(4)
        states = model.step(batch.inputs[rows, place], place, cache)
        assert torch.allclose(states.logits[:, 0], whole.logits[rows, place], atol=1e-5), turn
        assert torch.allclose(states.confidence[:, 0], whole.confidence[rows, place], atol=1e-5)
        place = place + 1


def test_a_row_without_any_source_gives_numbers() -> None:
    model, batch = small(), batch_of(2)
    there = batch.there.clone()
    there[0] = False
    states = model.decode(batch.inputs, model.encode(batch.source, there), there)
    assert torch.isfinite(states.logits).all() and torch.isfinite(states.confidence).all()


def test_every_target_position_may_have_its_own_prefix() -> None:
    model, batch = small(causal_encoder=True), batch_of(2)
    encoded = model.encode(batch.source, batch.there)
    size = batch.inputs.shape[1]
    same = batch.there[:, None].expand(-1, size, -1)
    assert torch.allclose(
        model.decode(batch.inputs, encoded, same).logits,
        model.decode(batch.inputs, encoded, batch.there).logits,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"width": 15}, "width is 15"), ({"heads": 3}, "heads 3"), ({"encoder_layers": 0}, "at least 1")],
)
def test_shapes_are_checked(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Shape(**{"vocabulary": 10, "width": 16, "heads": 2, **fields})


def test_a_sentence_that_is_too_long_is_refused() -> None:
    with pytest.raises(UserError, match="65 tokens; this model takes 64"):
        small().encode(torch.ones(1, 65, dtype=torch.long), torch.ones(1, 65, dtype=torch.bool))


def marian_config(**fields):
    from transformers import MarianConfig

    return MarianConfig(
        **{
            "vocab_size": 61,
            "d_model": 16,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 24,
            "decoder_ffn_dim": 24,
            "max_position_embeddings": 32,
            "pad_token_id": 60,
            "decoder_start_token_id": 60,
            "eos_token_id": 0,
            "forced_eos_token_id": 0,
            "scale_embedding": True,
            "activation_function": "swish",
            "dropout": 0.0,
            **fields,
        }
    )


def test_a_marian_checkpoint_gives_marians_own_logits(tmp_path: Path) -> None:
    from transformers import MarianMTModel

    torch.manual_seed(4)
    theirs = MarianMTModel(marian_config()).eval()
    with torch.no_grad():
        theirs.final_logits_bias.normal_()
    theirs.save_pretrained(tmp_path)
    model = read_marian(tmp_path, theirs.config.to_dict()).eval()
    source = torch.tensor([[5, 6, 7, 8, 0], [9, 4, 0, 60, 60]])
    there = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)
    target = torch.tensor([[60, 11, 12, 13], [60, 14, 15, 16]])
    with torch.no_grad():
        wanted = theirs(input_ids=source, attention_mask=there.long(), decoder_input_ids=target).logits
        found = model.decode(target, model.encode(source, there), there)
    assert torch.allclose(found.logits, wanted, atol=1e-5)
    assert torch.allclose(found.confidence.sigmoid(), torch.full((2, 4), 0.9526), atol=1e-3), "a new head is sure"
    assert model.shape.begin == model.shape.pad == 60 and model.shape.end == 0


def test_positions_are_marians() -> None:
    from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding

    theirs = MarianSinusoidalPositionalEmbedding(20, 16)
    weight = theirs.create_weight() if hasattr(theirs, "create_weight") else theirs.weight
    weight = theirs.weight if weight is None else weight
    assert torch.allclose(sinusoids(20, 16), weight.detach().reshape(20, 16), atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"scale_embedding": False}, "scale_embedding False"),
        ({"decoder_ffn_dim": 48}, "different sizes"),
        ({"activation_function": "tanh"}, "activation_function tanh"),
    ],
)
def test_another_kind_of_marian_is_refused(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        shape_of(marian_config(**fields).to_dict())


def test_a_model_folder_opens_as_it_was_saved(tmp_path: Path) -> None:
    model = small()
    opened = open_translator(folder_of(tmp_path / "m", model))
    batch = batch_of()
    one, two = (
        m.decode(batch.inputs, m.encode(batch.source, batch.there), batch.there).logits for m in (model, opened.model)
    )
    assert torch.equal(one, two) and opened.ready and opened.title == "a small model"
    assert not open_translator(folder_of(tmp_path / "o", model, "offline")).ready


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda p: (p / "config.json").unlink(), MissingResource, "holds no model"),
        (lambda p: (p / "config.json").write_text("{"), UserError, "not valid JSON"),
        (lambda p: (p / "config.json").write_text('{"model_type": "llama"}'), UserError, "type 'llama'"),
        (lambda p: (p / "words.txt").unlink(), MissingResource, "no vocabulary"),
    ],
)
def test_a_broken_folder_is_refused(tmp_path: Path, spoil, error: type, words: str) -> None:
    folder = folder_of(tmp_path / "m")
    spoil(folder)
    with pytest.raises(error, match=words):
        open_translator(folder)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    folder, other = folder_of(tmp_path / "m"), folder_of(tmp_path / "n", small(decoder_layers=1))
    (folder / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    with pytest.raises(UserError, match="do not fit"):
        open_translator(folder)
