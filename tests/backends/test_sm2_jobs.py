"""Training as a job of the workbench: killed and continued, on two processes; a Marian model fine-tuned."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backends.sm2.corpora import as_text
from backends.sm2.requests import TrainRequest
from backends.sm2.storage import open_translator
from backends.sm2.train import run
from tests.backends.sm2_cases import LANGUAGE, some
from workbench import process
from workbench.context import MemoryContext
from workbench.fields import to_json
from workbench.runs import load_run
from workbench.service import Service
from workbench.settings import Settings

TRAIN = "sm2.train.v1"


@pytest.fixture
def service(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("WORKBENCH_PLUGINS", "backends.sm2")
    yield Service(settings)
    for path in (settings.home / "runs").glob("2*"):
        assert process.sweep(path.name)


def request(**fields) -> TrainRequest:
    return TrainRequest(
        **{
            "pairs": 400,
            "held_out": 20,
            "width": 16,
            "inner": 32,
            "heads": 2,
            "layers": 1,
            "tokens": 256,
            "learning_rate": 5e-3,
            "warmup": 4,
            "schedule": "cosine",
            "dropout": 0.1,
            "seed": 2,
            "save_every": 2,
            **fields,
        }
    )


def until(condition, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def test_a_killed_job_continues_to_the_same_weights(service: Service) -> None:
    asked = request(max_steps=60)
    run_id = service.submit(TRAIN, to_json(asked), visitor="ann")
    folder = service.settings.home / "runs" / run_id
    until(lambda: list((folder / "checkpoints").glob("step-*")) or not load_run(folder).active)
    running = load_run(folder)
    assert running.active and running.pid, service.log_tail("ann", run_id)
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: service.run("ann", run_id).status == "lost")
    service.resume("ann", run_id)
    done = service.wait("ann", run_id, 240)
    assert done.status == "succeeded", service.log_tail("ann", run_id)
    whole = MemoryContext(service.settings.home / "whole", settings=service.settings)
    result = run(asked, whole)
    one, two = (load_file(path / "artifacts" / "model" / "model.safetensors") for path in (folder, whole.run))
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    assert service.result("ann", run_id)["last_loss"] == result.last_loss


@pytest.mark.parametrize("objective", ["offline"])
def test_two_processes_make_one_model(service: Service, objective: str) -> None:
    asked = request(max_steps=6, dropout=0.0, objective=objective)
    run_id = service.submit(TRAIN, to_json(asked), visitor="ann", processes=2)
    done = service.wait("ann", run_id, 240)
    assert done.status == "succeeded", service.log_tail("ann", run_id)
    alone = run(asked, MemoryContext(service.settings.home / "alone", settings=service.settings))
    told = service.result("ann", run_id)
    assert told["first_loss"] == pytest.approx(alone.first_loss, rel=1e-4)
    assert told["last_loss"] == pytest.approx(alone.last_loss, rel=1e-2)


def marian_folder(out: Path, lines: list[str]) -> Path:
    """A Marian checkpoint with random weights and vocabularies learned from these lines."""
    import sentencepiece
    from transformers import MarianConfig, MarianMTModel

    out.mkdir()
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=made, vocab_size=80, hard_vocab_limit=False, minloglevel=2
    )
    model = sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())
    pieces: dict[str, int] = {"</s>": 0, "<unk>": 1}
    for number in range(model.get_piece_size()):
        pieces.setdefault(model.id_to_piece(number), len(pieces))
    pieces["<pad>"] = len(pieces)
    for side in ("source", "target"):
        (out / f"{side}.spm").write_bytes(made.getvalue())
    (out / "vocab.json").write_text(json.dumps(pieces), encoding="utf-8")
    (out / "tokenizer_config.json").write_text('{"source_lang": "a", "target_lang": "b"}', encoding="utf-8")
    pad = pieces["<pad>"]
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=len(pieces),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=128,
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        forced_eos_token_id=0,
        scale_embedding=True,
        activation_function="swish",
    )
    MarianMTModel(config).save_pretrained(out)
    return out


def test_a_marian_model_is_fine_tuned_and_opens_again(tmp_path: Path) -> None:
    text = as_text(LANGUAGE, some(60, 1))
    for name, lines in (("s.txt", text.source), ("t.txt", text.target)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    start = marian_folder(tmp_path / "marian", [*text.source, *text.target])
    first = open_translator(start)
    assert not first.ready and first.objective == "offline"
    asked = request(
        start=f"path:{start}",
        source=(f"path:{tmp_path}/s.txt",),
        target=(f"path:{tmp_path}/t.txt",),
        max_steps=6,
        held_out=4,
        pairs=0,
    )
    result = run(asked, MemoryContext(tmp_path / "run"))
    tuned = open_translator(Path(result.path))
    assert tuned.ready and tuned.model.shape == first.model.shape
    assert tuned.vocabulary.encode(text.source[0]) == first.vocabulary.encode(text.source[0])
    assert not torch.equal(tuned.model.embedding.weight, first.model.embedding.weight)
    assert not torch.equal(tuned.model.confidence.weight, first.model.confidence.weight)
