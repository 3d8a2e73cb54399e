"""What a comparison of translations can be asked for, and what it gives; forms and records are made from these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from workbench.contract import Knob, UserError
from workbench.fields import validate

DATA, SCORES, TESTS, PEOPLE = "Data", "Scores", "Tests", "Human scores"
HUMAN_FORMATS = ("wmt-da", "wmt-esa", "mqm", "pearmut")
METRICS = ("bleu", "chrf", "chrf++", "ter")


@dataclass(frozen=True)
class CompareRequest:
    """Compare systems on the same segments. Without files the practice sample is compared."""

    systems: Annotated[tuple[str, ...], Knob(
        "Files of translations (path:/file), one segment a line, or tables with several columns", None, 200,
        group=DATA)] = ()
    references: Annotated[tuple[str, ...], Knob("Files of reference translations", None, 20, group=DATA)] = ()
    source: Annotated[str, Knob("File of the source text (empty: none)", None, 500, group=DATA)] = ""
    domains: Annotated[str, Knob("File with the domain of each segment (empty: none)", None, 500, group=DATA)] = ""
    language: Annotated[str, Knob("Target language, for example en, zh, de; it decides BLEU's tokeniser", None, 20,
                                  group=SCORES)] = ""
    tokenizer: Annotated[Literal["", "13a", "zh", "ja-mecab", "ko-mecab", "char", "intl", "none"], Knob(
        "BLEU's tokeniser (empty: the right one for the language)", group=SCORES)] = ""
    metrics: Annotated[tuple[str, ...], Knob("bleu, chrf, chrf++, ter (ter takes a minute for 2,000 segments)", 1, 4,
                                             group=SCORES)] = ("bleu", "chrf")
    resamples: Annotated[int, Knob("Draws of the paired bootstrap (0: none)", 0, 100_000, 100, group=TESTS)] = 1000
    trials: Annotated[int, Knob("Trials of the approximate randomisation (0: none)", 0, 100_000, 1000,
                                group=TESTS)] = 10_000
    level: Annotated[float, Knob("A difference counts when its corrected p-value is at most this", 0.0001, 0.5, 0.01,
                                 group=TESTS)] = 0.05
    parts: Annotated[int, Knob("Buckets of length and of word frequency", 1, 20, 1, group=TESTS)] = 4
    human: Annotated[str, Knob("File of human scores (empty: none)", None, 500, group=PEOPLE)] = ""
    human_format: Annotated[Literal["wmt-da", "wmt-esa", "mqm", "pearmut"], Knob("How that file is written",
                                                                                 group=PEOPLE)] = "wmt-da"
    human_pair: Annotated[str, Knob("Language pair of a WMT ESA file with several, for example eng-zho", None, 20,
                                    group=PEOPLE, shown_if=("human_format", ("wmt-esa",)))] = ""
    seed: Annotated[int, Knob("Same seed, same draws (sacreBLEU's is 12345)", 0, 2**31 - 1, 1, group=TESTS)] = 12345

    def __post_init__(self) -> None:
        validate(self)
        wrong = [name for name in self.metrics if name not in METRICS]
        if wrong:
            raise UserError(f"metrics has {', '.join(wrong)}; it may have {', '.join(METRICS)}.")
        if not self.resamples and not self.trials:
            raise UserError("resamples and trials are both 0; at least one of the tests is needed.")


@dataclass(frozen=True)
class SystemRow:
    """One score of one system; ``low`` and ``high`` are the bootstrap's 95 % interval. ``wins`` and ``losses`` count
    the systems it is better and worse than."""

    metric: str
    system: str
    score: float
    low: float
    high: float
    wins: int
    losses: int


@dataclass(frozen=True)
class CompareResult:
    """The comparison in short; the artifacts ``comparison.json`` and ``segments.jsonl`` have everything."""

    segments: int
    references: int
    signatures: dict[str, str]
    rows: tuple[SystemRow, ...]
    warnings: tuple[str, ...]
    seconds: float
