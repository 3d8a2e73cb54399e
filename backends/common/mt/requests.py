"""What a comparison of translations can be asked for, and what it gives; forms and records are made from these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from backends.common.mt.roles import choices
from workbench.contract import Json, Knob, UserError
from workbench.fields import validate

DATA, SCORES, TESTS, PEOPLE = "Data", "Scores", "Tests", "Human scores"
HUMAN_FORMATS = ("table", "wmt-da", "wmt-esa", "mqm", "pearmut")
SCORE_FILES = ("wmt-da", "wmt-esa", "mqm")
EXPORTS = ("pearmut", "appraise", *SCORE_FILES)
NEURAL = ("bertscore", "comet")
METRICS = ("bleu", "chrf", "chrf++", "ter", *NEURAL)


@dataclass(frozen=True)
class CompareRequest:
    """Compare systems on the same segments. Without files the practice sample is compared."""

    systems: Annotated[tuple[str, ...], Knob(
        "Files of translations (path:/file), one segment a line, or tables with several columns", None, 200,
        group=DATA)] = ()
    references: Annotated[tuple[str, ...], Knob("Files of reference translations", None, 20, group=DATA)] = ()
    source: Annotated[str, Knob("File of the source text (empty: none)", None, 500, group=DATA)] = ""
    domains: Annotated[str, Knob("File with the domain of each segment (empty: none)", None, 500, group=DATA)] = ""
    files: Annotated[tuple[str, ...], Knob(
        "Files whose columns are told apart by their names; instead of systems and references", None, 200,
        group=DATA)] = ()
    columns: Annotated[tuple[str, ...], Knob(
        'What a column of files is, where its name does not say it: [number of the file, "column", "role", "name"]',
        None, 2000, group=DATA)] = ()
    language: Annotated[str, Knob("Target language, for example en, zh, de; it decides BLEU's tokeniser (empty: told "
                                  "from the script)", None, 20, group=SCORES)] = ""
    tokenizer: Annotated[Literal["", "13a", "zh", "ja-mecab", "ko-mecab", "char", "intl", "none"], Knob(
        "BLEU's tokeniser (empty: the right one for the language)", group=SCORES)] = ""
    metrics: Annotated[tuple[str, ...], Knob(
        "bleu, chrf, chrf++, ter (a minute for 2,000 segments), bertscore and comet (a model each)", 1, 6,
        group=SCORES)] = ("bleu", "chrf")
    neural_model: Annotated[str, Knob(
        "Encoder of BERTScore, for example hub:google-bert/bert-base-multilingual-cased", None, 500,
        group=SCORES)] = ""
    neural_layer: Annotated[int, Knob("Layer whose vectors BERTScore matches (0: the one that is usual for the model)",
                                      0, 200, 1, group=SCORES)] = 0
    neural_idf: Annotated[bool, Knob("BERTScore: rare word pieces of the references count more", group=SCORES)] = False
    comet_model: Annotated[str, Knob("Folder of a COMET model, for example path:/models/wmt22-comet-da", None, 500,
                                     group=SCORES)] = ""
    resamples: Annotated[int, Knob("Draws of the paired bootstrap (0: none)", 0, 100_000, 100, group=TESTS)] = 1000
    trials: Annotated[int, Knob("Trials of the approximate randomisation (0: none)", 0, 100_000, 1000,
                                group=TESTS)] = 10_000
    level: Annotated[float, Knob("A difference counts when its corrected p-value is at most this", 0.0001, 0.5, 0.01,
                                 group=TESTS)] = 0.05
    parts: Annotated[int, Knob("Buckets of length and of word frequency", 1, 20, 1, group=TESTS)] = 4
    human: Annotated[str, Knob("File of human scores (empty: none)", None, 500, group=PEOPLE)] = ""
    human_format: Annotated[Literal["table", "wmt-da", "wmt-esa", "mqm", "pearmut"], Knob("How that file is written",
                                                                                 group=PEOPLE)] = "wmt-da"
    human_pair: Annotated[str, Knob("Language pair of a WMT ESA file with several, for example eng-zho", None, 20,
                                    group=PEOPLE, shown_if=("human_format", ("wmt-esa",)))] = ""
    human_exports: Annotated[tuple[str, ...], Knob(
        "Also write the translations for annotators (pearmut, appraise) and the human scores as another file (wmt-da, "
        "wmt-esa, mqm)", None, 5, group=PEOPLE)] = ()
    seed: Annotated[int, Knob("Same seed, same draws (sacreBLEU's is 12345)", 0, 2**31 - 1, 1, group=TESTS)] = 12345

    def __post_init__(self) -> None:
        validate(self)
        wrong = [name for name in self.metrics if name not in METRICS]
        if wrong:
            raise UserError(f"metrics has {', '.join(wrong)}; it may have {', '.join(METRICS)}.")
        twice = sorted({name for name in self.metrics if self.metrics.count(name) > 1})
        if twice:
            raise UserError(f"metrics has {', '.join(twice)} more than once.", advice="Name each metric once.")
        if "bertscore" in self.metrics and not self.neural_model:
            raise UserError("bertscore needs a model and neural_model is empty.",
                            advice="Name an encoder that knows the target language, for example "
                            "hub:google-bert/bert-base-multilingual-cased.")
        if "comet" in self.metrics and not self.comet_model:
            raise UserError("comet needs a model and comet_model is empty.",
                            advice="Name the folder of a COMET model, for example path:/models/wmt22-comet-da.")
        if self.files and (self.systems or self.references or self.source or self.domains):
            raise UserError("files is given and also systems, references, source or domains; only one way is read.",
                            advice="Say the roles in columns, or leave files empty.")
        choices(self.columns, len(self.files))
        wrong = [name for name in self.human_exports if name not in EXPORTS]
        if wrong:
            raise UserError(f"human_exports has {', '.join(wrong)}; it may have {', '.join(EXPORTS)}.")
        scores = [name for name in self.human_exports if name in SCORE_FILES]
        if scores and not self.human:
            raise UserError(f"human_exports has {', '.join(scores)} and human is empty: there are no scores to write.",
                            advice="Name a file of human scores, or ask for pearmut or appraise.")
        if not self.resamples and not self.trials:
            raise UserError("resamples and trials are both 0; at least one of the tests is needed.")


def accelerated(fields: Mapping[str, Json]) -> bool:
    """Whether a request runs a network, so that an accelerator is worth waiting for."""
    named = fields.get("metrics")
    return isinstance(named, list | tuple) and any(name in NEURAL for name in named)


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
