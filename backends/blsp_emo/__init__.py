"""BLSP-Emo: a language model that hears what is said and how (Wang and others, EMNLP 2024; arXiv 2406.03872).

Re-implemented in plain PyTorch from the published code (cwang621/blsp-emo @ e0f4504); the paper's text was not
available, and no figure of the paper is claimed.

====================  ==========================================================================================
lengths, adapter      mel frames to speech tokens; the convolutional adapter with masks before every convolution
plora, ser            adapters for speech positions only; the emotion head
sequences, objective  twins of text and speech; response KL, response CE, emotion loss
gate, stage0, talk    does the language model answer by emotion at all, and a small one that does
continuations         what the language model itself says to every clip (behaviour alignment), refusals dropped
stages, train         stages 1 and 2, with checkpoints and early stopping on speakers of their own
evaluate              behavioural SER, alignment gap, content, contrast
generate, infer       the emotion of a clip, conversation with kept vectors and whole-turn trimming
serve, kept           a model in a process of its own; vectors kept by key; ``calibrated``: a speaker's own voice
talking and talking_* the task of a conversation by voice: state, commands, both replies, export; ``selftest``
recognise and _*      the emotions of a data set told and measured, with the clips to listen to
probe, reproduce_ser  how much emotion is in the frozen encoder's layers
====================  ==========================================================================================

Departures, each with a switch where the published way is wanted: the first response token is distilled
(``official_mask``); clips need not be padded to 30 s (``padded``); early stopping on validation speakers; the emotion
loss lets classes count alike (``balanced``); warm-up takes at most a tenth of the steps; stage 0 and its gate are
ours.
"""

from backends.blsp_emo.recognise_requests import RecogniseRequest, RecogniseResult
from backends.blsp_emo.requests import (
    ContinuationsRequest,
    ContinuationsResult,
    EvaluateRequest,
    EvaluateResult,
    GateRequest,
    GateResult,
    Stage0Request,
    Stage0Result,
    Stage1Request,
    Stage2Request,
    StageResult,
)
from backends.blsp_emo.talking_requests import SelftestRequest, SelftestResult, TalkRequest, TalkResult
from workbench.contract import Needs, Task

BUNDLED = "bundled:blsp-emo-lm"
TASKS = (
    Task("blsp_emo.stage0.v1", "Teach a small model to answer by emotion", "job", Stage0Request, Stage0Result,
         "backends.blsp_emo.stage0:run",
         Stage0Request(width=32, layers=1, vocabulary=300, sentences=20, max_steps=3, batch=4, checked=2),
         Needs(memory_gb=2.0)),
    Task("blsp_emo.gate.v1", "Does a model answer by emotion?", "job", GateRequest, GateResult,
         "backends.blsp_emo.gate:run", GateRequest(BUNDLED, checked=2), Needs(slots=(), memory_gb=0.5)),
    Task("blsp_emo.continuations.v1", "Write what speech is answered with", "job", ContinuationsRequest,
         ContinuationsResult, "backends.blsp_emo.continuations:run",
         ContinuationsRequest(model=BUNDLED, limit=2, max_new_tokens=8), Needs(slots=(), memory_gb=0.5)),
    Task("blsp_emo.stage1.v1", "Speech as its transcript (stage 1)", "job", Stage1Request, StageResult,
         "backends.blsp_emo.stages:stage1", Stage1Request(model=BUNDLED, batch=2, max_steps=2),
         Needs(("gpu",), memory_gb=4.0)),
    Task("blsp_emo.stage2.v1", "Speech in its emotion (stage 2)", "job", Stage2Request, StageResult,
         "backends.blsp_emo.stages:stage2", Stage2Request(model=BUNDLED, batch=2, max_steps=2),
         Needs(("gpu",), memory_gb=4.0)),
    Task("blsp_emo.evaluate.v1", "What a speech model hears", "job", EvaluateRequest, EvaluateResult,
         "backends.blsp_emo.evaluate:run", EvaluateRequest(limit=2, pool=2), Needs(("gpu",), memory_gb=4.0)),
    Task("blsp_emo.talk.v1", "Talk with a model that hears how it is said", "job", TalkRequest, TalkResult,
         "backends.blsp_emo.talking:run", TalkRequest(clips=("practice",), close=True, max_new_tokens=12),
         Needs(slots=(), memory_gb=0.3)),
    Task("blsp_emo.selftest.v1", "Does the sound matter to a speech model?", "call", SelftestRequest, SelftestResult,
         "backends.blsp_emo.selftest:run", SelftestRequest(), Needs(slots=(), memory_gb=0.3)),
    Task("blsp_emo.recognise.v1", "How well emotions are heard", "job", RecogniseRequest, RecogniseResult,
         "backends.blsp_emo.recognise:run", RecogniseRequest(), Needs(("gpu",), memory_gb=2.0)),
)
