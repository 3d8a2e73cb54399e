"""Comparing translations: reading, scoring, paired tests, human scores. No torch.

========================  ===========================================================================
words                     CJK-aware words and characters, diffs
reading, tables, uploads  files of people into aligned columns, with a sentence for everything odd
scores                    sacreBLEU metrics as sufficient statistics; tokeniser by target language
paired                    paired bootstrap and approximate randomisation of all pairs, Holm, wins
segments, buckets         where systems differ: segment table, n-gram wins, length / frequency / domain
bias                      references that were made from one of the systems
human, human_wmt, campaigns  human scores: WMT DA, ESA and MQM, Pearmut and Appraise campaigns
correlation               metric against human scores
compare                   the task that does all of it
========================  ===========================================================================

All figures of sacreBLEU 2.6 (Post 2018); the paired tests are its tests (Koehn 2004; Riezler and Maxwell 2005).
"""

from backends.common.mt.requests import CompareRequest, CompareResult
from workbench.contract import Needs, Task

TASKS = (
    Task("common.compare.v1", "Compare translations", "job", CompareRequest, CompareResult,
         "backends.common.mt.compare:run", CompareRequest(resamples=100, trials=100), Needs(memory_gb=0.5)),
)
