"""SpecAugment: what it blanks, what it leaves, and that training with it is still a function of its seed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backends.blsp_emo.clips import Clips
from backends.blsp_emo.requests import Stage2Request
from backends.blsp_emo.specaugment import Masks, masked
from backends.blsp_emo.stages import stage2
from backends.common.speech.audio import Limits
from backends.common.speech.manifests import read_manifest
from backends.common.speech.whisper import Mels
from tests.backends.blsp_cases import gated, make_data, some_mels, tiny_model
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("clips"), speakers=2, seconds=0.3)


def picture(frames: int, wide: int = 0, seed: int = 0) -> Mels:
    """Noise of 80 bins with zeros behind its end, as a batch leaves it."""
    values = torch.zeros(1, 80, wide or frames)
    values[0, :, :frames] = torch.randn(80, frames, generator=torch.Generator().manual_seed(seed))
    return Mels(values, torch.tensor([frames]), False)


def blanked(before: Mels, after: Mels) -> torch.Tensor:
    """(bins, frames) bool: where something changed, within the clip."""
    frames = int(before.frames[0])
    return (before.values != after.values)[0, :, :frames]


@pytest.mark.parametrize("seed", range(8))
def test_whole_stripes_take_the_mean_and_nothing_else_changes(seed: int) -> None:
    mels = picture(200, 260, seed)
    found = masked(mels, random.Random(seed))
    changed = blanked(mels, found)
    rows, columns = changed.all(1), changed.all(0)
    assert bool((changed == (rows[:, None] | columns[None])).all()), "only whole bins and whole frames"
    assert int(rows.sum()) <= 24 and int(columns.sum()) <= 50
    assert not found.values[0, :, 200:].any() and found.frames.tolist() == [200] and not found.padded
    if changed.any():
        first = mels.values[0, :, :200].mean()
        assert torch.allclose(found.values[0, :, :200][changed], first, atol=1e-6)


def test_the_given_features_stay() -> None:
    mels = picture(120)
    copy = mels.values.clone()
    masked(mels, random.Random(3))
    assert torch.equal(mels.values, copy)


def test_the_same_generator_blanks_the_same() -> None:
    mels = picture(150)
    one, two, other = (masked(mels, random.Random(seed)).values for seed in (5, 5, 6))
    assert torch.equal(one, two) and not torch.equal(one, other)


def test_stripes_are_drawn_for_each_clip() -> None:
    alone = picture(100)
    both = Mels(alone.values.repeat(2, 1, 1), torch.tensor([100, 100]), False)
    found = masked(both, random.Random(1)).values
    assert not torch.equal(found[0], found[1])


@pytest.mark.parametrize(("frames", "share"), [(10, 0.15), (40, 0.15), (400, 0.15), (40, 1.0), (7, 0.0)])
def test_a_stripe_of_time_takes_no_more_than_its_share(frames: int, share: float) -> None:
    masks = Masks(bands=0, gaps=1, frames=25, share=share)
    for seed in range(20):
        mels = picture(frames, seed=seed)
        assert int(blanked(mels, masked(mels, random.Random(seed), masks)).all(0).sum()) <= min(25, share * frames)


def test_stripes_reach_both_ends() -> None:
    seen = torch.zeros(80, dtype=torch.bool)
    for seed in range(200):
        mels = picture(60, seed=1)
        seen |= blanked(mels, masked(mels, random.Random(seed), Masks(gaps=0))).all(1)
    assert bool(seen.all()), "every bin is blanked by some draw"


def test_no_masks_change_nothing() -> None:
    mels = picture(90)
    assert torch.equal(masked(mels, random.Random(0), Masks(0, 12, 0, 25)).values, mels.values)


@pytest.mark.parametrize("fields", [{"bands": -1}, {"share": 1.5}, {"frames": -3}])
def test_masks_are_checked(fields: dict) -> None:
    with pytest.raises(UserError, match="must not be negative"):
        Masks(**fields)


def test_clips_are_blanked_only_where_it_is_asked_for(whisper: Path, tiny_lm: Path, data: Path) -> None:
    model = tiny_model(whisper, tiny_lm)
    manifest = read_manifest(data / "manifest.jsonl", "ser")
    clips = Clips([manifest.source(row) for row in manifest.rows], model, Limits(), keep=True, augmented=True)
    plain = clips.states([0, 3])
    with torch.no_grad():
        drawn = clips.states([0, 3], [random.Random(1), random.Random(2)])
        again = clips.states([3, 0], [random.Random(2), random.Random(1)])
    assert drawn.lengths.tolist() == plain.lengths.tolist() and not torch.allclose(drawn.values, plain.values)
    assert torch.allclose(drawn.one(0), again.one(1), atol=1e-5), "what is drawn belongs to the clip"
    assert torch.equal(clips.states([0, 3]).values, plain.values), "measuring sees whole clips"


def test_gradients_reach_the_encoder_through_blanked_clips(whisper: Path, tiny_lm: Path) -> None:
    model = tiny_model(whisper, tiny_lm)
    learned = model.train_only(("encoder",))
    mels = [masked(one, random.Random(0)) for one in some_mels(model.speech_encoder, 0.4)]
    model.encode(mels).values.sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in learned.values())


@pytest.fixture
def ask(whisper: Path, data: Path, tmp_path: Path, tiny_lm: Path):
    gate = gated(tiny_lm, tmp_path / "gate.json")

    def made(**fields) -> Stage2Request:
        return Stage2Request(f"path:{data}/manifest.jsonl", gate=f"path:{gate}", shortest=0.2, batch=5, max_steps=4,
                             learning_rate=3e-3, warmup=1, validation=("s1",), rank=2, bottleneck=8,
                             model=f"path:{tiny_lm}", encoder=f"path:{whisper}",
                             **{"micro": 5, "tune_encoder": False, **fields})
    return made


def learned(request: Stage2Request, run: Path) -> dict[str, torch.Tensor]:
    stage2(request, MemoryContext(run))
    return load_file(run / "artifacts" / "model" / "model.safetensors")


def test_training_with_it_is_another_training(ask, tmp_path: Path) -> None:
    with_it, without = (learned(ask(spec_augment=flag), tmp_path / str(flag)) for flag in (True, False))
    assert any(not torch.equal(with_it[name], without[name]) for name in with_it)


def test_a_killed_run_draws_the_same_stripes(ask, tmp_path: Path) -> None:
    request = ask(spec_augment=True, save_every=1)
    whole = learned(request, tmp_path / "whole")
    with pytest.raises(Cancelled):
        stage2(request, MemoryContext(tmp_path / "cut", cancel_after=28))
    found = learned(request, tmp_path / "cut")
    assert all(torch.equal(whole[name], found[name]) for name in whole)


def test_the_size_of_a_pass_does_not_change_what_is_blanked(ask, tmp_path: Path) -> None:
    large, small = (learned(ask(spec_augment=True, micro=micro, lora_dropout=0.0), tmp_path / str(micro))
                    for micro in (5, 2))
    assert all(torch.allclose(large[name], small[name], atol=1e-3) for name in large)
