"""SM2: Self-Modifying State Modeling for simultaneous machine translation (Yu and others, ACL 2024; arXiv 2406.02237).

A translator that decides at every state (i target tokens written, j source tokens read) whether to write or to read,
by a confidence that it has learned for every state on its own. Re-implemented in plain PyTorch from the paper and its
published code (EurekaForNLP/SM2, fairseq).

================  ================================================================================================
model, marian     the Transformer with its confidence head; Marian checkpoints as that model
objective         two passes, self-modified prediction, losses in log space, prefix sampling
train             the training task: from scratch, or from an offline checkpoint
policy, decode    SM2, wait-k, multi-path wait-k, full sentence; many sentences at once with kept states
states            all states of one sentence, for playback and a threshold that answers at once
latency           AL, LAAL, AP, DAL, CW of tokens and words; ``alignment``: sufficiency
logs              decode logs that SimulEval reads
curve             quality against latency, with intervals
order_language    the synthetic language with a known alignment
================  ================================================================================================

Departures: padding never counts in the confidence loss (it does in the authors' code); the logarithm of the mixture is
computed in log space; one prefix length for each sentence by default (``prefix="batch"`` is the authors'); an end token
before the end of the source is allowed as in their code, and ``forbid_early_end`` forbids it; padding is never written
(as in fairseq). The paper's corpora and result tables were not available: no figure of the paper is claimed.
"""

from backends.sm2.requests import (
    CurveRequest,
    CurveResult,
    StatesRequest,
    StatesResult,
    TrainRequest,
    TrainResult,
    Translated,
    TranslateRequest,
)
from workbench.contract import Needs, Task

TASKS = (
    Task("sm2.train.v1", "Train a simultaneous translator", "job", TrainRequest, TrainResult, "backends.sm2.train:run",
         TrainRequest(pairs=200, held_out=20, width=16, inner=32, heads=2, layers=1, tokens=128, max_steps=4),
         Needs(memory_gb=2.0)),
    Task("sm2.translate.v1", "Translate simultaneously", "stream", TranslateRequest, Translated,
         "backends.sm2.translate:run", TranslateRequest("svo n1 n2 v3 o4 o5 o6 o7\nsov n1 n2 o4 o5 o6 o7 v3"),
         Needs(slots=(), memory_gb=0.5)),
    Task("sm2.states.v1", "All states of a sentence", "call", StatesRequest, StatesResult,
         "backends.sm2.translate:states", StatesRequest("sov n1 n2 o4 o5 o6 o7 v3"), Needs(slots=(), memory_gb=0.5)),
    Task("sm2.curve.v1", "Quality against latency", "job", CurveRequest, CurveResult, "backends.sm2.curve:run",
         CurveRequest(sentences=20, thresholds=(0.5,), waits=(3,), resamples=50), Needs(memory_gb=1.0)),
)
