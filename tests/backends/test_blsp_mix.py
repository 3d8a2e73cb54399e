"""A learned mix of all encoder layers as what the adapter reads: the formula, masks, gradients, folders."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from backends.blsp_emo.adapter import Adapter, AdapterShape
from backends.blsp_emo.clips import joined
from backends.blsp_emo.model import BlspEmo
from backends.blsp_emo.requests import Stage1Request, Stage2Request
from tests.backends.blsp_cases import make_tiny_whisper, some_mels, tiny_model
from workbench.contract import UserError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_lm: Path) -> BlspEmo:
    return tiny_model(make_tiny_whisper(tmp_path_factory.mktemp("whisper") / "tiny"), tiny_lm, mix=True).eval()


def test_the_mix_is_the_softmax_of_its_weights_over_even_layers() -> None:
    torch.manual_seed(0)
    adapter = Adapter(AdapterShape(6, 10, 4, mixed=3)).eval()
    plain = Adapter(AdapterShape(6, 10, 4)).eval()
    plain.load_state_dict({name: value for name, value in adapter.state_dict().items() if name != "mix"})
    states, lengths = torch.randn(2, 9, 3, 6) * torch.tensor([1.0, 30.0, 0.01])[:, None], torch.tensor([9, 5])
    weights = torch.tensor([0.5, -1.0, 2.0])
    with torch.no_grad():
        adapter.mix.copy_(weights)
        share = weights.exp() / weights.exp().sum()
        expected = sum(share[n] * F.layer_norm(states[:, :, n], (6,)) for n in range(3))
        for mixed, alone in zip(adapter(states, lengths), plain(expected, lengths), strict=True):
            assert torch.allclose(mixed, alone, atol=1e-5)


def test_it_begins_with_every_layer_alike_and_learns() -> None:
    adapter = Adapter(AdapterShape(6, 10, 4, mixed=3))
    assert adapter.mix.tolist() == [0, 0, 0]
    vectors, _ = adapter(torch.randn(2, 9, 3, 6), torch.tensor([9, 5]))
    vectors.square().sum().backward()
    assert adapter.mix.grad.abs().max() > 0


def test_one_layer_has_no_mix() -> None:
    assert "mix" not in dict(Adapter(AdapterShape(6, 10, 4)).named_parameters())
    with pytest.raises(UserError, match="-1 layers cannot be mixed"):
        AdapterShape(6, 10, 4, mixed=-1)


def test_all_layers_are_those_one_by_one(model: BlspEmo) -> None:
    mels = some_mels(model.speech_encoder, 0.4, 0.9)
    with torch.no_grad():
        every = model.encode(mels)
        assert every.values.shape[2] == model.speech_encoder.layers + 1 == len(model.adapter.mix)
        for layer in range(model.speech_encoder.layers + 1):
            one = model.speech_encoder.encode(mels, layer)
            assert torch.equal(every.values[:, :, layer], one.values) and torch.equal(every.lengths, one.lengths)


def test_a_clip_gives_the_same_vectors_beside_a_longer_one(model: BlspEmo) -> None:
    """Padding must not be heard (spec H), also where kept states are joined."""
    mels = some_mels(model.speech_encoder, 0.4, 0.9)
    with torch.no_grad():
        together = model.listen(model.encode(mels))
        kept = joined([model.encode([mel]).one(0) for mel in mels])
        rejoined = model.listen(kept)
        for row, mel in enumerate(mels):
            alone = model.listen(model.encode([mel]))
            size = int(alone.lengths[0])
            for batch in (together, rejoined):
                assert int(batch.lengths[row]) == size
                assert torch.allclose(batch.vectors[row, :size], alone.vectors[0], atol=1e-4)


def test_the_mix_is_learned_with_the_adapter_and_saved_with_it(model: BlspEmo) -> None:
    assert "adapter.mix" in model.train_only(("adapter",))
    model.train_only(())
    assert Stage1Request("practice", mix=True).mix and not Stage1Request("practice").mix
    assert Stage2Request("practice", mix=True).mix
