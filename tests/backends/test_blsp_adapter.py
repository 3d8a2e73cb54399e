"""Lengths, encoder and adapter: exact maps, padding that changes nothing, pooling that leaves padding out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor

from backends.blsp_emo.adapter import Adapter, AdapterShape, masked_mean, valid
from backends.blsp_emo.encoder import open_encoder
from backends.blsp_emo.lengths import TOKENS_PER_SECOND, WINDOW, adapter_tokens, encoder_states, halved, speech_tokens
from tests.backends.blsp_cases import make_tiny_whisper, some_mels, tone
from workbench.contract import MissingResource, UserError


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory):
    return open_encoder(make_tiny_whisper(tmp_path_factory.mktemp("whisper") / "tiny"))


def small(**fields) -> Adapter:
    torch.manual_seed(0)
    return Adapter(AdapterShape(**{"states": 6, "model": 10, "bottleneck": 4, **fields})).eval()


def test_the_length_map_is_exact_for_every_mel_length() -> None:
    """The formula against real convolutions: Whisper's strided one, then three of the adapter."""
    strided = [torch.nn.Conv1d(1, 1, 3, stride=2, padding=1), *(torch.nn.Conv1d(1, 1, 5, 2, 2) for _ in range(3))]
    strided = [convolution.to("meta") for convolution in strided]
    with torch.no_grad():
        for mel in range(1, WINDOW + 1):
            x = torch.empty(1, mel, device="meta")
            for number, convolution in enumerate(strided):
                x = convolution(x)
                if number == 0:
                    assert x.shape[1] == encoder_states(mel) == halved(mel)
            assert x.shape[1] == speech_tokens(mel) == adapter_tokens(encoder_states(mel)), mel


@pytest.mark.parametrize(("mel", "states", "tokens"), [(1, 1, 1), (2, 1, 1), (3, 2, 1), (16, 8, 1), (17, 9, 2),
                                                       (110, 55, 7), (1600, 800, 100), (3000, 1500, 188)])
def test_known_lengths(mel: int, states: int, tokens: int) -> None:
    assert (encoder_states(mel), speech_tokens(mel)) == (states, tokens)


def test_sixteen_frames_make_a_token() -> None:
    assert all(speech_tokens(16 * n) == n for n in range(1, 188))
    assert TOKENS_PER_SECOND == 100 / 16
    assert [halved(n) for n in (0, -3, 1, 2, 5)] == [0, 0, 1, 1, 3]


@pytest.mark.parametrize("mel", [0, -1, WINDOW + 1])
def test_lengths_that_whisper_cannot_hear_are_refused(mel: int) -> None:
    with pytest.raises(UserError, match=f"{mel} mel frames"):
        encoder_states(mel)


def test_the_tensor_lengths_agree_with_the_integers() -> None:
    states = torch.arange(1, 1501)
    lengths = states
    for _ in range(3):
        lengths = torch.div(lengths - 1, 2, rounding_mode="floor") + 1
    assert lengths.tolist() == [adapter_tokens(n) for n in range(1, 1501)]


@pytest.mark.parametrize("lengths", [(5, 40), (1, 33), (17, 16, 64), (40, 40)])
def test_a_clip_gives_the_same_vectors_alone_and_beside_a_longer_one(lengths: tuple[int, ...]) -> None:
    """With rubbish instead of zeros in the padding: only masks before every convolution keep it out."""
    adapter = small()
    torch.manual_seed(1)
    states = torch.randn(len(lengths), max(lengths), 6) * 3
    together, out = adapter(states, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone, one = adapter(states[row:row + 1, :length], torch.tensor([length]))
        assert out[row] == one[0] == adapter_tokens(length)
        assert torch.allclose(together[row, :one[0]], alone[0], atol=1e-5)
        assert not together[row, one[0]:].any(), "invalid places are zero"


def test_without_masks_inside_the_padding_would_be_heard() -> None:
    """The published way (only the first input is clean) gives another answer: our test can fail."""
    adapter = small()
    states = torch.randn(1, 40, 6)
    states[:, 9:] = 0
    x = states.transpose(1, 2)
    for convolution in adapter.convolutions:
        x = torch.nn.functional.glu(convolution(x), dim=1)
    x = x.transpose(1, 2)
    leaky = adapter.norm(x + adapter.up(torch.nn.functional.gelu(adapter.down(x))))
    clean, lengths = adapter(states[:, :9], torch.tensor([9]))
    assert not torch.allclose(leaky[:, :int(lengths)], clean, atol=1e-4)


def test_the_paper_sizes() -> None:
    with torch.device("meta"):
        paper = Adapter(AdapterShape(1280, 4096))
        ours = Adapter(AdapterShape(384, 576))
    shapes = [tuple(c.weight.shape) for c in paper.convolutions]
    assert shapes == [(2560, 1280, 5), (2560, 1280, 5), (8192, 1280, 5)]
    assert paper.down.weight.shape == (512, 4096) and paper.down.bias is None and paper.norm.eps == 1e-5
    assert round(sum(p.numel() for p in paper.parameters()) / 1e6) == 89
    assert sum(p.numel() for p in ours.parameters()) == pytest.approx(5.75e6, rel=0.01)


@pytest.mark.parametrize(("fields", "words"), [({"kernel": 4}, "odd"), ({"bottleneck": 0}, "at least 1"),
                                               ({"dropout": 1.0}, "between 0 and 1"), ({"states": 0}, "at least 1")])
def test_shapes_are_checked(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        small(**fields)


def test_dropout_acts_only_while_training() -> None:
    adapter, states = small(dropout=0.5), torch.randn(1, 20, 6)
    assert torch.equal(adapter(states, torch.tensor([20]))[0], adapter(states, torch.tensor([20]))[0])
    adapter.train()
    assert not torch.equal(adapter(states, torch.tensor([20]))[0], adapter(states, torch.tensor([20]))[0])


def test_pooling_equals_the_mean_of_each_item_alone() -> None:
    values, lengths = torch.randn(3, 7, 4), torch.tensor([7, 2, 1])
    pooled = masked_mean(values, lengths)
    for row, length in enumerate(lengths.tolist()):
        assert torch.allclose(pooled[row], values[row, :length].mean(0), atol=1e-6)
    assert valid(torch.tensor([0, 2]), 3).tolist() == [[False] * 3, [True, True, False]]


def test_unpadded_batches_give_what_single_clips_give(whisper) -> None:
    mels = some_mels(whisper, 0.5, 1.3, 0.91)
    with torch.no_grad():
        for layer in (-1, 0, 1, 2):
            together = whisper.encode(mels, layer)
            for row, mel in enumerate(mels):
                alone = whisper.encode([mel], layer)
                assert together.lengths[row] == alone.lengths[0] == encoder_states(int(mel.frames[0]))
                assert torch.allclose(together.one(row), alone.one(0), atol=1e-4)
                assert not together.values[row, int(together.lengths[row]):].any()


def test_the_padded_mode_is_whispers_own_encoder(whisper) -> None:
    sounds = [tone(0.8), tone(1.5, 300)]
    full = WhisperFeatureExtractor()(sounds, sampling_rate=16_000, return_tensors="pt")["input_features"]
    with torch.no_grad():
        expected = whisper.module(full).last_hidden_state
        found = whisper.encode(whisper.mels(sounds, padded=True))
    assert found.lengths.tolist() == [40, 75] and found.values.shape[1] == 75
    for row in (0, 1):
        length = int(found.lengths[row])
        assert torch.allclose(found.one(row), expected[row, :length], atol=1e-4)
    fast = whisper.encode(whisper.mels(sounds))
    assert not torch.allclose(fast.values, found.values, atol=1e-2), "the fast mode is an approximation, and says so"


def test_different_sounds_give_different_states(whisper) -> None:
    one, two = whisper.mels([tone(1.0, 150), tone(1.0, 300, wobble=0.1)])
    with torch.no_grad():
        found = whisper.encode([one, two])
    assert (found.one(0) - found.one(1)).abs().max() > 0.05


def test_an_encoder_that_learns_passes_gradients(whisper) -> None:
    whisper.module.conv1.weight.requires_grad_(True)
    values = whisper.encode(some_mels(whisper, 0.4, 0.6)).values
    values.square().sum().backward()
    assert whisper.module.conv1.weight.grad.abs().sum() > 0
    whisper.module.zero_grad()
    whisper.module.requires_grad_(False)


@pytest.mark.parametrize(("layer", "words"), [(3, "has 0 to 2"), (-4, "has 0 to 2")])
def test_layers_that_are_not_there(whisper, layer: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        whisper.encode(some_mels(whisper, 0.3), layer)


def test_sounds_that_cannot_be_encoded(whisper) -> None:
    with pytest.raises(UserError, match="no sound"):
        whisper.encode([])
    with pytest.raises(UserError, match="0 samples"):
        whisper.mels([np.zeros(0, np.float32)])
    with pytest.raises(UserError, match="at most 30 s"):
        whisper.mels([np.zeros(16_000 * 31, np.float32)])
    with pytest.raises(UserError, match="cannot share a batch"):
        whisper.encode([*whisper.mels([tone(0.3)]), *whisper.mels([tone(0.3)], padded=True)])


def test_folders_that_hold_no_whisper(tmp_path: Path, tiny_lm: Path) -> None:
    for folder in (tmp_path, tiny_lm):
        with pytest.raises(UserError, match="hisper"):
            open_encoder(folder)
    with pytest.raises(MissingResource):
        open_encoder(tmp_path / "nowhere")
    broken = make_tiny_whisper(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(UserError, match="cannot be read"):
        open_encoder(broken)
