"""Tiny translation models on disk, and programs and contexts, that the tests of several systems share."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backends.common.mt.systems.lines import Line, Say
from backends.common.mt.systems.requests import SystemsRequest
from backends.common.mt.systems.task import run
from workbench.context import MemoryContext
from workbench.contract import Json, Model
from workbench.settings import Settings

CORPUS = ["ich sehe den alten hund", "du siehst das neue haus", "the old dog sees the house", "he reads a book now",
          "wir gehen heute nach hause", "we go home today"] * 5
ORDER = "svo n1 n2 v3 o4 o5 o6 o7\nsov n1 n2 o4 o5 o6 o7 v3"
ORDER_RIGHT = ["N1 N2 V3 O4 O5 O6 O7", "N1 N2 V3 O4 O5 O6 O7"]
"""What the practice model must write: the order language has the verb second on the target side."""
APERTIUM = """#!/bin/sh
if [ "$1" = "-l" ]; then printf '  eng-spa\\n  spa-eng\\n'; exit 0; fi
mode="$2"
read -r line
case "$line" in
  *explode*) echo "Error: no such thing" >&2; exit 1 ;;
  *) printf '%s  %s\\n' "$mode" "$(printf '%s' "$line" | tr a-z A-Z)" ;;
esac
"""
"""A program with apertium's command line: ``-l`` lists directions, ``-u MODE`` translates stdin."""


def tiny_marian(path: Path, seed: int = 0, codes: tuple[str, ...] = ()) -> Path:
    """A Marian checkpoint with random weights: real sentencepiece models, real tokenizer, 2 + 2 layers."""
    import sentencepiece
    import torch
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    path.mkdir(parents=True)
    (path / "corpus").write_text("\n".join(CORPUS), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(path / "corpus"), model_prefix=str(path / "source"), vocab_size=80, model_type="bpe", bos_id=-1,
        eos_id=0, unk_id=1, pad_id=-1, minloglevel=2)
    (path / "source.model").replace(path / "source.spm")
    (path / "target.spm").write_bytes((path / "source.spm").read_bytes())
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(path / "source.spm"))
    words = [*(pieces.id_to_piece(i) for i in range(pieces.get_piece_size())), *codes, "<pad>"]
    (path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}), encoding="utf-8")
    MarianTokenizer(str(path / "source.spm"), str(path / "target.spm"), str(path / "vocab.json"), source_lang="de",
                    target_lang="en", model_max_length=64).save_pretrained(path)
    pad = len(words) - 1
    config = MarianConfig(
        vocab_size=len(words), d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64,
        pad_token_id=pad, decoder_start_token_id=pad, eos_token_id=0, forced_eos_token_id=0, scale_embedding=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        MarianMTModel(config).save_pretrained(path)
    return path


def tiny_t5(path: Path, seed: int = 0) -> Path:
    """A T5 with random weights over bytes: it knows no languages but by its instruction."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    from tests.tiny import make_tokenizer

    tokenizer = make_tokenizer()
    config = T5Config(vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2,
                      decoder_start_token_id=tokenizer.pad_token_id, pad_token_id=tokenizer.pad_token_id,
                      eos_token_id=tokenizer.eos_token_id)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        T5ForConditionalGeneration(config).save_pretrained(path)
    tokenizer.model_max_length = 512
    tokenizer.save_pretrained(path)
    return path


def program(folder: Path, script: str = APERTIUM) -> Path:
    """An executable called apertium in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "apertium"
    path.write_text(script, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return path


def context_in(path: Path, models: Callable[[str], Model] | None = None, **more: Any) -> MemoryContext:
    """A run directory with settings of its own."""
    settings = Settings(home=path / "home", threads=1, models_cache=path / "models")
    return MemoryContext(path / "run", settings=settings, model_factory=models, **more)


def translated(context: MemoryContext, text: str = ORDER, **fields: Any) -> list[Json]:
    """All events of a request."""
    return list(run(SystemsRequest(text, **fields), context))


def of(events: list[Json], name: str, key: str) -> dict[int, Json]:
    """What the events of one system say under a key, by line."""
    return {event["line"]: event[key] for event in events
            if event.get("system") == name and "line" in event and key in event}


class Chatty:
    """A system whose library prints to stdout."""

    def translate(self, lines: list[Line], say: Say) -> None:
        print("a line that is no event")
        os.write(1, b"nor is this\n")
        for place, text in lines:
            say({"line": place, "text": text.upper()})


def open_chatty(folder: Path, options: Any) -> Chatty:
    """Open it as a model is opened."""
    return Chatty()
