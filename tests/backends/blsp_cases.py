"""Tiny Whispers, language models and made sounds that the tests of BLSP-Emo share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backends.blsp_emo.encoder import WhisperStates, open_encoder
from backends.blsp_emo.model import BlspEmo
from backends.common.loading import open_tokenizer, open_weights
from backends.common.speech.whisper import Mels


def make_tiny_whisper(path: Path, seed: int = 0) -> Path:
    """Save a Whisper of two layers and 16 dimensions with its front end (80 bins, 30 seconds), as a real one lies."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    config = WhisperConfig(vocab_size=64, d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
                           decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=80,
                           pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
                           max_target_positions=32, init_std=0.2, suppress_tokens=None, begin_suppress_tokens=None)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = WhisperForConditionalGeneration(config)
    model.save_pretrained(path)
    WhisperFeatureExtractor().save_pretrained(path)
    return path


def tone(seconds: float = 1.0, pitch: float = 220.0, loud: float = 0.5, wobble: float = 0.0, seed: int = 0) -> Any:
    """A voice-like sound: harmonics of a pitch that may wobble, and a little noise. float32, 16 kHz."""
    time = np.arange(int(16_000 * seconds)) / 16_000
    phase = 2 * math.pi * np.cumsum(pitch * (1 + wobble * np.sin(2 * math.pi * 5 * time))) / 16_000
    wave = sum(np.sin(n * phase) / n for n in range(1, 6))
    noise = np.random.default_rng(seed).normal(0, 0.01, len(time))
    return (loud * (wave / 2.3 + noise)).astype(np.float32)


def tiny_model(whisper: Path, lm: Path, **options: Any) -> BlspEmo:
    """All parts with random weights; the whole runs in milliseconds."""
    options = {"bottleneck": 8, **options}
    return BlspEmo(open_encoder(whisper), open_weights(lm, "float32", "cpu"), open_tokenizer(lm), **options)


def some_mels(encoder: WhisperStates, *seconds: float) -> list[Mels]:
    """Features of tones of these lengths, each of another pitch."""
    return encoder.mels([tone(length, 150.0 + 70 * number, seed=number) for number, length in enumerate(seconds)])


def wake(plora: Any, size: float = 0.3, seed: int = 1) -> None:
    """Give the second matrices of PLoRA random weights, so that it changes something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in plora.layers.values():
            layer.lora_b.copy_(torch.randn(layer.lora_b.shape, generator=generator) * size)


PITCH = {"neutral": 150.0, "happy": 240.0, "angry": 200.0, "sad": 110.0, "surprise": 320.0}
WOBBLE = {"neutral": 0.0, "happy": 0.04, "angry": 0.08, "sad": 0.01, "surprise": 0.02}
SENTENCES = ("Kids are talking by the door.", "Dogs are sitting by the door.")


def make_data(folder: Path, speakers: int = 3, seconds: float = 0.6) -> Path:
    """Made sounds whose tone is their pitch, as WAV files with a manifest; every speaker says both sentences."""
    import json

    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for person in range(speakers):
        for number, text in enumerate(SENTENCES):
            for emotion, pitch in PITCH.items():
                name = f"s{person}-{number}-{emotion}.wav"
                wave = tone(seconds + 0.05 * number, pitch * (1 + 0.05 * person), wobble=WOBBLE[emotion], seed=person)
                soundfile.write(folder / name, wave, 16_000)
                lines.append({"audio": name, "text": text, "emotion": emotion, "speaker": f"s{person}",
                              "output": f"{emotion[:2]}!", "early_stop": number == 1, "instruction": ""})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    answers = [{"text": text, "emotion": emotion, "output": f"{emotion[:2]}! {text[:4]}", "early_stop": False}
               for text in SENTENCES for emotion in PITCH]
    (folder / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)) + "\n", encoding="utf-8")
    return folder


def gated(lm: Path, out: Path, passed: bool = True, **fields: Any) -> Path:
    """A report of the gate about this language model, as a stronger one would have got it."""
    from backends.blsp_emo.requests import GateResult
    from backends.blsp_emo.storage import weights_hash
    from workbench.fields import to_json
    from workbench.files import write_json

    why = "" if passed else "only 30% of its replies show the emotion that was asked for, 80% are needed"
    result = GateResult(passed, 0.9 if passed else 0.3, 0.9, 10, 0.99, 100, weights_hash(lm), why)
    write_json(out, {**to_json(result), **fields})
    return out


class Direct:
    """A line to a language model in this process, as the resident process would answer it; it counts requests."""

    def __init__(self, path: Path) -> None:
        from backends.common.engine import LocalModel

        self.local, self.card, self.asked = LocalModel(path, threads=1), {"reference": f"path:{path}"}, 0

    def ask(self, operation: str, payload: Any):
        self.asked += len(payload.get("prompts", ()))
        yield {"result": self.local._run(operation, payload, None, None)}

    def close(self) -> None:
        """The model stays for the next one."""
