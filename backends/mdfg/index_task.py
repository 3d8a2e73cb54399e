"""The task ``mdfg.index.v1``: one vector for every document of a filtering run.

Artifacts: ``vectors.npy`` (documents, dimensions; float16, rows of length 1, in the order of the documents),
``projector.safetensors`` (turns a query into such a vector) and ``index.json``. Texts are read in batches and vectors
go to a mapped file, so memory does not grow with the corpus. A run that was killed goes on with the file it was at.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from backends.mdfg.explore import parts as texts_of
from backends.mdfg.explore.projector import FORMAT, GRAMS, Matrix, Projector, load_projector, save_projector
from backends.mdfg.index_fit import fit_projector, turned
from backends.mdfg.index_request import LSA, IndexRequest, IndexResult
from backends.mdfg.index_sample import sample_of
from backends.mdfg.requests import SAMPLE
from workbench.contract import Context, UserError
from workbench.fields import to_json
from workbench.files import disk_full, dumps, is_full, read_json, write_json

VECTORS, PROJECTOR, FACTS = "vectors.npy", "projector.safetensors", "index.json"
RESERVE = 1.1
"""Free space that must be there before the work begins, times what the vectors take."""


class Vectors(Protocol):
    """What makes vectors of texts."""

    def vectors(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors (texts, dimensions)."""


@dataclass(frozen=True)
class Ready:
    """What was learned from the sample: the maker of the vectors, the projector of the queries, and figures."""

    maker: Vectors
    projector: Projector
    facts: dict[str, float]


def run(request: IndexRequest, context: Context) -> IndexResult:
    """Learn from a sample, then make the vectors. Raises ``UserError`` when there is nothing to learn from."""
    began = time.monotonic()
    artifacts = sample_of(context) if request.corpus == SAMPLE else context.resource(request.corpus)
    parts = texts_of.parts_of(artifacts)
    total, mark = texts_of.total(parts), texts_of.fingerprint(artifacts)
    config = hashlib.blake2b(dumps([FORMAT, to_json(request), mark]).encode(), digest_size=8).hexdigest()
    folder = context.run / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    ready = _ready(request, context, parts, folder, config)
    width = ready.projector.dimensions
    unknown, cut, made, spent = _written(context, ready.maker, parts, folder, config, width)
    result = IndexResult(
        total, width, request.method, int(ready.facts["sampled"]), len(ready.projector.buckets),
        round(ready.facts["explained"], 4), round(ready.facts["agreement"], 4), unknown, cut, mark,
        time.monotonic() - began, made / spent if spent else 0.0)
    _listed(context, request, result, folder)
    context.report(total, total, f"{total:,} documents, {width} numbers each")
    return result


def _listed(context: Context, request: IndexRequest, result: IndexResult, folder: Path) -> None:
    artifacts = context.run / "artifacts"
    artifacts.mkdir(exist_ok=True)
    (folder / VECTORS).replace(artifacts / VECTORS)
    (folder / "progress.json").unlink(missing_ok=True)
    save_projector(load_projector(folder / PROJECTOR), artifacts / PROJECTOR)
    write_json(artifacts / FACTS, {"corpus": request.corpus, **to_json(result)})
    for name, kind in ((VECTORS, "vectors"), (PROJECTOR, "projector"), (FACTS, "index")):
        context.artifact(name, artifacts / name, kind)


def _ready(request: IndexRequest, context: Context, parts: Sequence[texts_of.Part], folder: Path,
           config: str) -> Ready:
    """What was learned, from a run that was ended if it was the same."""
    encoder: Any = None
    if request.method != LSA:
        from backends.mdfg.index_encoder import Encoder

        context.report(0, 0, "opening the encoder")
        encoder = Encoder.open(context.resource(request.method), request.dimensions, context.device)
        encoder.tick = lambda: context.report(0, 0, "the encoder is reading")
    kept = read_json(folder / "learned.json", {})
    if isinstance(kept, dict) and kept.get("config") == config and (folder / PROJECTOR).is_file():
        projector = load_projector(folder / PROJECTOR)
        if encoder is not None:
            encoder.load(folder)
        return Ready(encoder or projector, projector, kept)
    (folder / "progress.json").unlink(missing_ok=True)
    sample = list(_sample(request, context, parts))
    fitted = fit_projector(sample, request.dimensions, request.seed,
                           lambda done, every: context.report(done, every, "learning the directions"))
    projector, facts = fitted.projector, {"sampled": len(sample), "explained": fitted.explained, "agreement": 1.0}
    if encoder is not None:
        projector, facts["agreement"] = turned(projector, sample, encoder.learn(sample))
        encoder.save(folder)
    save_projector(projector, folder / PROJECTOR)
    write_json(folder / "learned.json", {"config": config, **facts})
    return Ready(encoder or load_projector(folder / PROJECTOR), projector, facts)


def _sample(request: IndexRequest, context: Context, parts: Sequence[texts_of.Part]) -> Iterator[str]:
    """Documents drawn from the seed, in order, cut to what is read of them."""
    total = texts_of.total(parts)
    chosen = sorted(context.generator(request.seed).sample(range(total), min(request.sample, total)))
    at = 0
    for part in parts:
        if at >= len(chosen) or chosen[at] >= part.first + part.rows:
            continue
        for first, texts in texts_of.stream(part):
            while at < len(chosen) and chosen[at] < first + len(texts):
                yield texts[chosen[at] - first][:GRAMS.chars]
                at += 1
            context.report(at, len(chosen), "drawing the sample")


def _written(context: Context, maker: Vectors, parts: Sequence[texts_of.Part], folder: Path, config: str,
             width: int) -> tuple[int, int, int, float]:
    """(documents with a zero vector, texts that were cut, documents made now, seconds for them); fills ``vectors.npy``
    of the folder."""
    total, path = texts_of.total(parts), folder / VECTORS
    done, unknown, cut = _begun(path, folder / "progress.json", config)
    try:
        if not done:
            _room(folder, total * width * 2)
        out = np.lib.format.open_memmap(path, mode="r+" if done else "w+", dtype=np.float16, shape=(total, width))
        made, began = 0, time.monotonic()
        for part in parts[done:]:
            for first, texts in texts_of.stream(part):
                rows = maker.vectors(texts)
                out[first:first + len(texts)] = rows
                unknown, made = unknown + int((~rows.any(axis=1)).sum()), made + len(texts)
                context.report(first + len(texts), total, f"{first + len(texts):,} documents")
            out.flush()
            done += 1
            kept = {"config": config, "parts": done, "unknown": unknown, "cut": cut + getattr(maker, "cut", 0)}
            write_json(folder / "progress.json", kept)
        spent = time.monotonic() - began
        del out
    except OSError as error:
        if is_full(error):
            raise disk_full(path) from error
        raise
    return unknown, cut + int(getattr(maker, "cut", 0)), made, spent


def _begun(path: Path, progress: Path, config: str) -> tuple[int, int, int]:
    """(files done, documents with a zero vector, texts that were cut) of a run that was ended; zeros for another."""
    kept = read_json(progress, {})
    if not path.is_file() or not isinstance(kept, dict) or kept.get("config") != config:
        return 0, 0, 0
    return int(kept["parts"]), int(kept["unknown"]), int(kept["cut"])


def _room(folder: Path, size: int) -> None:
    import shutil

    free = shutil.disk_usage(folder).free
    if free < size * RESERVE:
        raise UserError(f"The vectors take {size / 2**20:,.0f} MB and {free / 2**20:,.0f} MB are free in {folder}.",
                        advice="Free some space, or ask for fewer dimensions.")
