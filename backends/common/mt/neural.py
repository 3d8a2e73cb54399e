"""Metrics that run a network, as what the rest of the comparison knows: a signature and statistics of each segment.

Their corpus score is the mean of segment scores (in percent), which is also what the paired tests draw again. torch is
loaded when such a metric is asked for, never before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backends.common.mt.requests import CompareRequest
from backends.common.mt.scores import Array, Scorer, mean_statistics, segment_scorer
from backends.common.mt.uploads import Comparison
from workbench.contract import Context, UserError
from workbench.files import write_json

BLOCK = 1 << 24


@dataclass(frozen=True)
class Measured:
    """A metric with the statistics of every system; what people should know is the warning of the metric."""

    metric: Scorer
    statistics: dict[str, Array]


def measured(name: str, comparison: Comparison, request: CompareRequest, context: Context) -> Measured:
    """Run ``bertscore`` or ``comet``. Raises ``MissingResource`` for what is not on this machine."""
    return _bertscore(comparison, request, context) if name == "bertscore" else _comet(comparison, request, context)


def _bertscore(comparison: Comparison, request: CompareRequest, context: Context) -> Measured:
    from backends.common.mt.bertscore import bertscore, open_encoder

    path = context.resource(request.neural_model)
    context.report(0, 0, "bertscore: opening the model")
    encoder = open_encoder(path, request.neural_layer, context.device)
    digest = fingerprint(path, context)
    found = bertscore(encoder, comparison.systems, list(comparison.references.values()), request.neural_idf,
                      lambda done, total: context.report(done, total, "bertscore: segments"))
    signature = (f"nrefs:{len(comparison.references)}|model:{label(request.neural_model)}|hash:{digest}|"
                 f"layer:{encoder.layer}|idf:{'yes' if request.neural_idf else 'no'}|rescaled:no|scale:100")
    remarks = [f"bertscore: {found.cut:,} of {found.texts:,} texts are longer than the {encoder.window} word pieces "
               "that the model reads; what lies behind was not compared"] if found.cut else []
    remarks += ["bertscore: the model sees only what stands before a word, not what follows; an encoder such as BERT "
                "is what the metric was made for"] if encoder.one_sided else []
    _parts(found.systems, signature, context)
    return Measured(replace(segment_scorer("bertscore"), signature=signature, warning="; ".join(remarks)),
                    {system: mean_statistics(table[:, 2].tolist()) for system, table in found.systems.items()})


def _parts(systems: dict[str, Array], signature: str, context: Context) -> None:
    """Keep precision and recall beside F: the comparison shows only F."""
    path = context.run / "artifacts" / "bertscore.json"
    path.parent.mkdir(exist_ok=True)
    write_json(path, {"signature": signature, "systems": {
        name: dict(zip(("precision", "recall", "f"), np.round(table.mean(0), 4).tolist(), strict=True))
        for name, table in systems.items()}})
    context.artifact("bertscore.json", path, "comparison")


def _comet(comparison: Comparison, request: CompareRequest, context: Context) -> Measured:
    from backends.common.mt.comet import comet, open_model, program, version

    if comparison.source is None:
        raise UserError("comet needs the source text and there is none.", advice="Add the source, or leave comet out.")
    script = program()
    model = open_model(context.resource(request.comet_model), lambda: context.report(0, 0, "comet: reading the model"))
    name, reference = next(iter(comparison.references.items()))
    scores = comet(script, model, comparison.systems, comparison.source, reference, context.device,
                   lambda: context.report(0, 0, f"comet: scoring {len(comparison.systems)} systems"))
    signature = f"nrefs:1|model:{model.name}|hash:{model.digest}|scale:100|unbabel-comet:{version(script)}"
    warning = f"comet compares with one reference; {name} was taken" if len(comparison.references) > 1 else ""
    return Measured(replace(segment_scorer("comet"), signature=signature, warning=warning),
                    {system: mean_statistics(values) for system, values in scores.items()})


def label(reference: str) -> str:
    """The name of a model without where it lies: ``hub:google-bert/bert-base-cased@main`` is ``bert-base-cased``."""
    return reference.partition(":")[2].rstrip("/").split("/")[-1].split("@")[0]


def fingerprint(path: Path, context: Context) -> str:
    """The first 12 digits of the sha256 of the files that decide the scores: configuration, tokenizer, weights."""
    digest = hashlib.sha256()
    for file in sorted(path.glob("*")):
        if file.name not in ("config.json", "tokenizer.json", "vocab.txt") and file.suffix not in (".safetensors",
                                                                                                    ".model"):
            continue
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
                context.report(0, 0, "bertscore: checking the model")
    return digest.hexdigest()[:12]
