"""Encoder-decoder models of transformers: Marian, NLLB, M2M-100, mBART, T5, MADLAD and what is built like them.

Which languages a model is told, and how, is read off its own vocabulary (:mod:`languages`): a token that the decoder
begins with, a token in front of the source, or T5's instruction. A bilingual model is told nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from backends.common.mt.systems.languages import LANGUAGES, language, token_of
from backends.common.mt.systems.lines import Line, Say, by_groups, grouped
from backends.common.shown import Detokenizer
from workbench.contract import Json, UserError

SEEN = 24
"""Up to so many lines are written one by one, so that one sees them grow; more go in groups (our default)."""
TOGETHER = 8
UNLIMITED = 100_000
"""A tokenizer that states no length says something larger than this."""


def open_system(folder: Path, options: Mapping[str, Json]) -> Seq2Seq:
    """Open a model folder. ``options``: source, target, longest, beams, threads, device.

    Raises ``UserError`` for a folder that cannot be read, and for a language that the model does not have."""
    torch.set_num_threads(int(options.get("threads") or 1))
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSeq2SeqLM.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except Exception as error:  # model folders fail in many ways, all of them the folder's
        raise UserError(f"The model in {folder.name} cannot be read: {' '.join(str(error).split())[:300]}",
                        advice="Its folder must hold config.json, *.safetensors and the tokenizer's files.") from error
    return Seq2Seq(tokenizer, model.to(str(options.get("device") or "cpu")).eval(), options)


class Seq2Seq:
    """An open model that knows which languages it is asked for."""

    def __init__(self, tokenizer: Any, model: Any, options: Mapping[str, Json]) -> None:
        self.tokenizer, self.model = tokenizer, model
        self.longest, self.beams = int(options["longest"]), int(options["beams"])
        self.prefix, self.first = told(tokenizer, str(model.config.model_type), str(options["source"]),
                                       str(options["target"]))
        self.window = window(tokenizer, model.config)

    def translate(self, lines: Sequence[Line], say: Say) -> None:
        """Translate line by line where that is worth seeing, else in groups."""
        seen = self.beams == 1 and len(lines) <= SEEN

        def attempt(group: Sequence[Line]) -> None:
            began = time.monotonic()
            streamer = Streamer(self.tokenizer, group[0][0], say) if seen else None
            made = self._generate([self.prefix + text for _, text in group], streamer)
            took = (time.monotonic() - began) / len(group)
            for (place, _), tokens in zip(group, made, strict=True):
                text = str(self.tokenizer.decode(tokens, skip_special_tokens=True))
                say({"line": place, "text": " ".join(text.split()), "tokens": len(tokens), "seconds": round(took, 3),
                     "cut": self._cut(tokens)})
        by_groups(grouped(lines, 1 if seen else TOGETHER), attempt, say)

    def close(self) -> None:
        """The process that holds the model is ended from outside."""

    def _generate(self, texts: Sequence[str], streamer: Streamer | None) -> list[list[int]]:
        given = self.tokenizer(list(texts), return_tensors="pt", padding=True).to(self.model.device)
        size = int(given["attention_mask"].sum(1).max())
        if size > self.window:
            raise UserError(f"A line has {size} tokens; this model takes {self.window}.",
                            advice="Split it into shorter lines.")
        more = {"forced_bos_token_id": self.first} if self.first is not None else {}
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=given["input_ids"], attention_mask=given["attention_mask"], do_sample=False,
                num_beams=self.beams, max_new_tokens=min(self.longest, self.window - 1), streamer=streamer, **more)
        return [self._own(row) for row in out[:, 1:].tolist()]

    def _cut(self, tokens: Sequence[int]) -> bool:
        """Whether a translation ended because there was no more room (some models write an end token there too)."""
        full = len(tokens) >= min(self.longest, self.window - 1)
        forced = getattr(self.model.generation_config, "forced_eos_token_id", None) is not None
        return full and (forced or tokens[-1] not in self._ends())

    def _own(self, row: list[int]) -> list[int]:
        """The tokens of one row without what fills it up."""
        ends = self._ends()
        stop = next((i + 1 for i, token in enumerate(row) if token in ends), len(row))
        return row[:stop]

    def _ends(self) -> set[int]:
        named = self.model.generation_config.eos_token_id
        return set(named if isinstance(named, list) else [named]) | {self.tokenizer.eos_token_id}


class Streamer:
    """What ``generate`` tells every new token: it becomes whole characters of one line."""

    def __init__(self, tokenizer: Any, place: int, say: Say) -> None:
        self._text, self._place, self._say = Detokenizer(tokenizer), place, say
        self._began = False

    def put(self, value: torch.Tensor) -> None:
        """New tokens; the first call brings what the decoder was given."""
        if not self._began:
            self._began = True
            return
        for token in value.flatten().tolist():
            piece = self._text.add(int(token))
            if piece:
                self._say({"line": self._place, "delta": piece})

    def end(self) -> None:
        """What is left is in the line's whole text, which follows."""


def told(tokenizer: Any, model_type: str, source: str, target: str) -> tuple[str, int | None]:
    """What stands in front of every source, and the token that a translation begins with (``None``: nothing).

    Raises ``UserError`` for a language that a model of several languages does not have."""
    vocabulary = {**tokenizer.get_vocab(), **getattr(tokenizer, "lang_token_to_id", {})}
    mark = token_of(target, vocabulary)
    if mark.startswith((">>", "<2")):
        return f"{mark} ", None
    if mark:
        start = token_of(source, vocabulary)
        if not start:
            raise _lacks(source, vocabulary)
        tokenizer.src_lang = start.strip("_") if start.startswith("__") else start
        return "", int(vocabulary[mark])
    if model_type in ("nllb", "m2m_100", "mbart") or getattr(tokenizer, "supported_language_codes", None):
        raise _lacks(target, vocabulary)
    if model_type in ("t5", "mt5"):
        return f"translate {language(source).name} to {language(target).name}: ", None
    return "", None


def _lacks(code: str, vocabulary: Mapping[str, int]) -> UserError:
    has = [short for short in LANGUAGES if token_of(short, vocabulary)]
    return UserError(f"This model has no language {code!r}; of the known ones it has {', '.join(has) or 'none'}.",
                     advice="Choose one of these, or write the model's own mark of the language.")


def window(tokenizer: Any, config: Any) -> int:
    """Tokens that the model takes: its positions, else what its tokenizer states."""
    places = getattr(config, "max_position_embeddings", None)
    stated = int(tokenizer.model_max_length)
    if isinstance(places, int) and places > 0:
        return min(places, stated)
    return stated if stated <= UNLIMITED else UNLIMITED
