"""What a filtering run can be asked for, and what it says in the end (:mod:`filter_task`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from workbench.contract import Json, Knob
from workbench.fields import validate

SAMPLE = "sample"
ExportName = Literal["jsonl", "cwt2", "parquet", "csv", "datasets", "ledger"]
MODEL_GROUP, SPEED = "scores", "speed"


@dataclass(frozen=True)
class FilterRequest:
    """Which texts, which recipe, what to write."""

    sources: Annotated[tuple[str, ...], Knob(
        "path:/folder or path:/folder/file (JSON lines, CSV, Parquet, a folder of HF datasets), hub:datasets/ORG/NAME, "
        "run:ID/kept.parquet, the sha256 of a file that the page took in, or 'sample'", 1, 1000)] = (SAMPLE,)
    recipe: Annotated[str, Knob("Name of a preset, or the recipe as YAML", None, 200_000, widget="text")] = \
        "zh-paper-code"
    text_field: Annotated[str, Knob("Field or column of the text (empty: text, raw_content or content)", None,
                                    200)] = ""
    near_duplicates: Annotated[Literal["recipe", "off", "mark", "drop"], Knob(
        "Near-duplicates between documents (ours, MinHash): as the recipe says, not looked for, marked, or all but the "
        "best one dropped")] = "recipe"
    scorers: Annotated[tuple[str, ...], Knob("References of scorers to add (quality, domain, toxicity)", None, 16,
                                             group=MODEL_GROUP)] = ()
    exports: Annotated[tuple[ExportName, ...], Knob(
        "Files to write: kept documents as jsonl, cwt2, parquet, csv or datasets; ledger: the dropped ones with the "
        "reasons", None, 6)] = ("jsonl", "ledger")
    limit: Annotated[int, Knob("Read at most so many rows (0: all)", 0, 10_000_000_000, 1)] = 0
    workers: Annotated[int, Knob("Processes", 1, 256, 1, group=SPEED)] = 1
    engine: Annotated[Literal["local", "ray"], Knob("local: processes of this machine; ray: a Ray cluster that sees "
                                                    "the same files", group=SPEED)] = "local"
    shard_mb: Annotated[float, Knob("Size of a shard; what a crash costs at most", 0.01, 4096, group=SPEED)] = 8.0

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class FilterResult:
    """What happened to the documents; ``summary.json`` says more. ``first`` counts by the first rule that failed,
    ``every`` by each rule for itself. documents + problems = rows that were read."""

    documents: int
    kept: int
    problems: int
    recipe: str
    recipe_hash: str
    config: str
    provenance: str
    clusters: int = 0
    first: Mapping[str, int] = field(default_factory=dict)
    every: Mapping[str, int] = field(default_factory=dict)
    exports: tuple[str, ...] = ()
    throughput_per_second: Mapping[str, Json] = field(default_factory=dict)
