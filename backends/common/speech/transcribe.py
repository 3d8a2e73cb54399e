"""The words of a clip, by faster-whisper where it is installed, else by the same Whisper in transformers.

Both decode greedily from one folder, so they should say the same; the transcript says which one it was. Whisper
invents words for silence: with a detector, a clip without speech gives an empty transcript and the model is not asked.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from backends.common.speech.audio import RATE, Wave
from backends.common.speech.vad import Listening, speech
from backends.common.speech.whisper import check_folder, front_end, open_hf
from backends.common.speech.whisper_convert import CT2
from workbench.contract import MissingResource, UserError

Engine = Literal["faster-whisper", "transformers"]
MOST_TOKENS = 224


@dataclass(frozen=True)
class Word:
    """A word with its place in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Transcript:
    """What was said. ``speech`` false: nobody spoke, nothing was asked of the model. ``seconds`` is the work's time."""

    text: str
    language: str
    engine: Engine
    words: tuple[Word, ...] = ()
    speech: bool = True
    seconds: float = 0.0


class Recogniser(Protocol):
    """Something that writes down what it hears."""

    engine: Engine

    def hear(self, wave: Wave, language: str, words: bool) -> tuple[str, str, Sequence[Word]]:
        """Text, language and words (only where they are asked for) of a wave of at most 30 s."""


def open_recogniser(folder: Path, device: str = "cpu", engine: Engine | None = None, threads: int = 1) -> Recogniser:
    """The recogniser of a Whisper folder; ``engine`` asks for one, else faster-whisper where it can be used.

    ``MissingResource`` where the asked one is not installed or its files are not in the folder."""
    check_folder(folder)
    can = find_spec("faster_whisper") is not None
    files = (folder / CT2 / "model.bin").is_file()
    if engine == "faster-whisper" and not (can and files):
        raise MissingResource("faster-whisper is not installed." if not can else
                              f"{folder} has no {CT2}/model.bin, which faster-whisper reads.",
                              advice="pip install faster-whisper==1.2.1" if not can else
                              "Use package:whisper-tiny-en or package:whisper-base, or the engine transformers.")
    if engine != "transformers" and can and files:
        return _Faster(folder / CT2, device, threads)
    return _Hf(folder, device)


def transcribe(recogniser: Recogniser, wave: Wave, language: str = "", *, words: bool = False,
               listening: Listening | None = None, detect: bool = True) -> Transcript:
    """Write down a wave. ``language`` ``""`` lets a multilingual model find it. ``detect`` asks the detector first."""
    began = time.perf_counter()
    if len(wave) > 30 * RATE:
        raise UserError(f"The clip is {len(wave) / RATE:.1f} s long; at most 30 s are heard at once.",
                        advice="Cut it first.")
    if not np.any(wave) or (detect and speech(wave, listening) is None):
        return Transcript("", language, recogniser.engine, speech=False, seconds=time.perf_counter() - began)
    text, found, told = recogniser.hear(wave, language, words)
    return Transcript(" ".join(text.split()), found, recogniser.engine, tuple(told),
                      seconds=time.perf_counter() - began)


class _Faster:
    """faster-whisper on the CTranslate2 files; int8 weights on a processor."""

    engine: Engine = "faster-whisper"

    def __init__(self, folder: Path, device: str, threads: int) -> None:
        on_gpu = device.startswith("cuda")
        self._model = import_module("faster_whisper").WhisperModel(
            str(folder), device="cuda" if on_gpu else "cpu", cpu_threads=threads,
            compute_type="float16" if on_gpu else "int8", local_files_only=True)

    def hear(self, wave: Wave, language: str, words: bool) -> tuple[str, str, Sequence[Word]]:
        asked = _language(language, bool(self._model.model.is_multilingual))
        parts, told = self._model.transcribe(
            wave, language=asked or None, beam_size=1, best_of=1, temperature=0.0, vad_filter=False,
            condition_on_previous_text=False, word_timestamps=words, without_timestamps=not words)
        found = list(parts)
        return ("".join(part.text for part in found), str(told.language),
                [Word(word.word.strip(), float(word.start), float(word.end))
                 for part in found for word in (part.words or ())])


class _Hf:
    """The model of transformers, in float32 on a processor. A folder whose generation config names no alignment heads
    gives the text without places of words."""

    engine: Engine = "transformers"

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import WhisperTokenizer

        self._model = open_hf(folder, device)
        self._extractor = front_end(folder)
        made = self._model.generation_config
        made.max_length = None  # max_new_tokens is given with every clip
        self._times = all(getattr(made, name, None) for name in ("no_timestamps_token_id", "alignment_heads"))
        self._tokenizer: Any = WhisperTokenizer.from_pretrained(folder, local_files_only=True)

    def hear(self, wave: Wave, language: str, words: bool) -> tuple[str, str, Sequence[Word]]:
        import torch

        several = bool(getattr(self._model.generation_config, "is_multilingual", False))
        asked, words = _language(language, several), words and self._times
        heard = self._extractor(wave, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
        mels, mask = (heard[name].to(self._model.device) for name in ("input_features", "attention_mask"))
        with torch.inference_mode():
            spoken = asked or self._language_of(mels)
            options: dict[str, Any] = {"task": "transcribe", "language": spoken} if several else {}
            if words:
                options["return_timestamps"] = True
            out = self._model.generate(mels, attention_mask=mask, do_sample=False, num_beams=1,
                                       max_new_tokens=MOST_TOKENS, return_dict_in_generate=True,
                                       return_token_timestamps=words, **options)
        tokens = [int(token) for token in out["sequences"][0]]
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return text, spoken, self._words(tokens, out) if words else ()

    def _language_of(self, mels: Any) -> str:
        """The language that the model hears, as its code."""
        named: Mapping[str, int] = self._model.generation_config.lang_to_id
        heard = int(self._model.detect_language(mels)[0])
        return next((name.strip("<|>") for name, number in named.items() if number == heard), "en")

    def _words(self, tokens: Sequence[int], out: Any) -> list[Word]:
        """Tokens joined to words at spaces. The time of a token is when it ends; it begins where the last one ended."""
        times = [float(value) for value in out["token_timestamps"][0]]
        words: list[tuple[list[int], float, float]] = []
        special = set(self._tokenizer.all_special_ids)
        for place, (token, at) in enumerate(zip(tokens, times, strict=False)):
            if token in special or token >= self._model.generation_config.no_timestamps_token_id:
                continue
            if words and not self._tokenizer.decode([token]).startswith(" "):
                words[-1] = ([*words[-1][0], token], words[-1][1], at)
            else:
                words.append(([token], times[place - 1] if place else 0.0, at))
        return [Word(self._tokenizer.decode(ids).strip(), round(start, 2), round(max(start, end), 2))
                for ids, start, end in words]


def _language(asked: str, several: bool) -> str:
    """The language for the model: an English one only hears English."""
    code = asked.strip().lower().split("-")[0]
    if not several and code not in ("", "en"):
        raise UserError(f"This Whisper hears English only, not {asked!r}.",
                        advice="Use package:whisper-base for other languages.")
    return code if several else "en"
