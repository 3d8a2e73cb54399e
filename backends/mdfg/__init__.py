"""MDFG-tool: rules, scorers and records of ChineseWebText 2.0, at speed and with the reason of every decision.

Implemented from the published code and paper (ChineseWebText 2.0, and EvalWeb of ChineseWebText 1.0). Rules measure and
decide; scorers annotate and never drop by themselves.

==================  ======================================================================================
recipes, words      what is measured and which limits drop: YAML with a hash; word lists
text, rules         compiled measurements, the rules as data, verdicts, evidence
dedup               near-duplicates by MinHash (an addition of ours)
readers             JSON lines, CSV, Parquet, HF datasets; shards
stage, pool         one shard's work; worker processes. ``ray_engine``: the same on a Ray cluster
assembly, exports   the table of attributes with verdicts; files for others
records             our record and the exact form of ChineseWebText 2.0
filter_task         the task that runs all of it
explore             one filtered corpus under the eyes of a person: selections, search, clusters, labels, comparisons
index_task          vectors of meaning for ``explore`` (``index_fit``, ``index_encoder``, ``index_sample``)
pieces              quality piece by piece: length-weighted mean, the least, the list
scorers, bert_eval  n-gram scorers and BERTEval behind one interface
sample, official    synthetic documents with planted defects; the published rules, slow, to compare with
bench               documents a CPU-second against the published steps
==================  ======================================================================================

Departures and defaults of ours
    * Every rule is evaluated for every document; the published code stops at the first that fails.
    * The published word list is not part of this project; ``bundled:zh`` is a small one of our own (advertising,
      gambling, spam). Give the published one by ``words: path:...``.
    * Lines are parsed, never evaluated; a row that cannot be read is reported with its line and does not end the run.
    * Removing near-duplicates between documents is ours and off in every preset (they are only marked).
"""

from backends.mdfg.domain_requests import DomainRoundsRequest, DomainRoundsResult
from backends.mdfg.index_request import IndexRequest, IndexResult
from backends.mdfg.requests import FilterRequest, FilterResult
from backends.mdfg.scorer_requests import (
    ScoreRequest,
    ScoreResult,
    ToxicityRoundsRequest,
    ToxicityRoundsResult,
    TrainScorerRequest,
    TrainScorerResult,
)
from workbench.contract import Needs, Task

TASKS = (
    Task("mdfg.filter.v1", "Filter a corpus and say why", "job", FilterRequest, FilterResult,
         "backends.mdfg.filter_task:run", FilterRequest(limit=200, exports=("jsonl", "ledger")), Needs(memory_gb=1.0)),
    Task("mdfg.train_scorer.v1", "Train a scorer", "job", TrainScorerRequest, TrainScorerResult,
         "backends.mdfg.train_scorer_task:run", TrainScorerRequest(),
         Needs(slots=("gpu",), memory_gb=1.0, gpu_if="backends.mdfg.accelerated:training")),
    Task("mdfg.toxicity_rounds.v1", "Teach a toxicity scorer with a judge", "job", ToxicityRoundsRequest,
         ToxicityRoundsResult, "backends.mdfg.toxicity_task:run", ToxicityRoundsRequest(practice=120, budget=20),
         Needs(memory_gb=1.0)),
    Task("mdfg.score.v1", "Score texts", "job", ScoreRequest, ScoreResult, "backends.mdfg.score_task:run",
         ScoreRequest(), Needs(slots=("gpu",), memory_gb=1.0, gpu_if="backends.mdfg.accelerated:scoring")),
    Task("mdfg.domain_rounds.v1", "Label domains by keywords, round after round", "job", DomainRoundsRequest,
         DomainRoundsResult, "backends.mdfg.domain_task:run", DomainRoundsRequest(), Needs(memory_gb=1.0)),
    Task("mdfg.index.v1", "Make a corpus searchable by meaning", "job", IndexRequest, IndexResult,
         "backends.mdfg.index_task:run", IndexRequest(sample=200),
         Needs(slots=("gpu",), memory_gb=1.5, gpu_if="backends.mdfg.accelerated:indexing")),
)
