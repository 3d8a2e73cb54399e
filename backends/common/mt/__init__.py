"""Comparing translations: reading, scoring, paired tests, human scores. No torch but in BERTScore and COMET.

========================  ===========================================================================
words                     CJK-aware words and characters, diffs
reading, tables, uploads  files of people into aligned columns, with a sentence for everything odd
scores                    sacreBLEU metrics as sufficient statistics; tokeniser by target language
neural, bertscore, comet  metrics that run a network, as segment scores; the only ones that load torch
paired                    paired bootstrap and approximate randomisation of all pairs, Holm, wins
segments, buckets         where systems differ: segment table, n-gram wins, length / frequency / domain
bias                      references that were made from one of the systems
human, human_wmt          human scores: WMT's DA, ESA and MQM files; z; segments numbered as in the test set
campaigns                 Pearmut and Appraise in; ``campaign_files`` out; ``campaign_table``: their texts
human_files, exports      WMT's files out; what a comparison writes on demand
correlation, people       metric against human scores, with intervals; the file of scores of a comparison
compare                   the task that does all of it
systems                   several systems on one text at once: the task that makes what is compared
========================  ===========================================================================

All figures of sacreBLEU 2.6 (Post 2018); the paired tests are its tests (Koehn 2004; Riezler and Maxwell 2005).
"""

from backends.common.mt.requests import CompareRequest, CompareResult
from backends.common.mt.systems.requests import SystemsRequest, SystemsResult
from workbench.contract import Needs, Task

TASKS = (
    Task("common.compare.v1", "Compare translations", "job", CompareRequest, CompareResult,
         "backends.common.mt.compare:run", CompareRequest(resamples=100, trials=100),
         Needs(slots=("gpu",), memory_gb=0.5, gpu_if="backends.common.mt.requests:accelerated")),
    Task("common.translate.v1", "Translate with several systems", "stream", SystemsRequest, SystemsResult,
         "backends.common.mt.systems.task:run", SystemsRequest("sov n1 n2 o4 o5 o6 o7 v3"),
         Needs(slots=(), memory_gb=1.0)),
)
