"""SweetieChat / ServeForEmo: strategy-enhanced role-play for emotional support (COLING 2025, arXiv 2412.08389).

Only the abstract and reviews of the paper were available, so this is a re-implementation from the published
description; prompts, strategy texts, stopping values, quality rules and every hyper-parameter are ours.

=========================  =============================================================================
objects, requests          Scenario, SeekerCard, StrategySet, Turn, Dialogue; what tasks can be asked for
views                      ``view_for(role, ...)``: the prompts of the role-play; the information barrier
seeker, supporter          what each role's model output is turned into
counselor                  the strategy decision: ``counselor_*`` is one way each
stopping, crisis, loop     why a dialogue ends (A.6); many dialogues in lockstep
play, generate             watched dialogues and batches
quality, reviews           every rule with value and reason (A.7); what a person decided
scenarios, library         the evolving pool of problem types; scenarios and cards (A.3)
importers, exports         other people's corpora in and out
train, train_*             ``[Strategy] response`` (A.8)
agent, replies, evaluate   a trained agent in use: in dialogues, one reply a strategy, on held-out talks
classifier                 p(strategy | history) and p(strategy | utterance)
metrics, measure           A.9, with named variants; reports about collections
branch, compare, pair      another strategy, model or text at any turn, and what it changed
reproduce_*                the claims, each against a control
=========================  =============================================================================

Departures and defaults of ours
    * What the seeker does in a turn (open, tell a fact, answer, doubt, end the talk, ...) is decided before any word is
      made, from the seeker's own card and state and the public talk (``aims``).
    * A model under one thousand million weights gets short prompts and its reply's first words: the seeker's come from
      its card ("I still pay half of"), the supporter's from a list per strategy ("It sounds like you feel"); the model
      writes on from there. Such models follow how a sentence begins far better than an instruction. The words given
      are kept in ``meta.prefill``, the raw text in ``meta.raw``. Larger models and servers get instructions only.
    * An utterance is cleaned (labels, asides, talk about the task, half and repeated sentences) and one that breaks a
      rule of ``prompts.<lang>.yaml`` is drawn again up to ``redraws`` times; ``meta`` says what was taken off and left.
    * The seeker's private state is scored by default (``seeker_state="scored"``, see ``seeker``): the model's own words
      for the strength of the feeling, calibrated against the turn before. For a small model this is close to noise. A
      capable chat model can return ``{"utterance", "private"}`` as JSON instead (``seeker_state="json"``).
    * ``scored`` strategies follow the formula of ``counselor``; the null history is a talk without content.
    * SmolLM2-135M speaks English only and is small: its seeker tells what is on the card, its supporter keeps the
      form of the chosen strategy, but both lose the thread within a few turns, misread each other and know nothing.
      Read its dialogues as a demonstration of the method, not as data of ServeForEmo's quality.

The artifact ``dialogue.json`` is a ``Dialogue`` as JSON plus the state of the run, see ``table.table_to_json``.
"""

from backends.sweetiechat.evaluate_requests import EvaluateRequest, EvaluateResult
from backends.sweetiechat.importers.request import CorpusRequest, CorpusResult
from backends.sweetiechat.measure_request import MeasureRequest, MeasureResult
from backends.sweetiechat.pair_request import PairRequest, PairResult
from backends.sweetiechat.replies_requests import RepliesRequest, RepliesResult
from backends.sweetiechat.requests import DialogueRequest, DialogueResult, GenerateRequest, GenerateResult
from backends.sweetiechat.scenarios.request import ScenarioRequest, ScenarioResult
from backends.sweetiechat.train_requests import ClassifierRequest, ClassifierResult, TrainRequest, TrainResult
from workbench.contract import Needs, Task

TASKS = (
    Task("sweetiechat.dialogue.v1", "Watch a dialogue", "job", DialogueRequest, DialogueResult,
         "backends.sweetiechat.play:run",
         DialogueRequest(min_turns=2, max_turns=4, max_new_tokens=24), Needs(slots=(), memory_gb=0.3)),
    Task("sweetiechat.generate.v1", "Generate many dialogues", "job", GenerateRequest, GenerateResult,
         "backends.sweetiechat.generate:run",
         GenerateRequest(count=2, batch=2, min_turns=2, max_turns=4, max_new_tokens=24),
         Needs(slots=(), memory_gb=0.3)),
    Task("sweetiechat.import.v2", "Import a corpus", "job", CorpusRequest, CorpusResult,
         "backends.sweetiechat.importers.task:run", CorpusRequest(), Needs(slots=(), memory_gb=0.5)),
    Task("sweetiechat.scenarios.v1", "Make scenarios and cards", "job", ScenarioRequest, ScenarioResult,
         "backends.sweetiechat.scenarios.task:run",
         ScenarioRequest(target=13, max_rounds=1, prompts=1, per_prompt=1, scenarios=1, redraws=0),
         Needs(slots=(), memory_gb=0.3)),
    Task("sweetiechat.train.v1", "Train a support agent", "job", TrainRequest, TrainResult,
         "backends.sweetiechat.train:run",
         TrainRequest(max_steps=2, batch=1, length=96, rank=4, alpha=8, save="adapter"), Needs(memory_gb=3.0)),
    Task("sweetiechat.classifier.v1", "Train a strategy classifier", "job", ClassifierRequest, ClassifierResult,
         "backends.sweetiechat.classifier_task:run", ClassifierRequest(folds=2, resamples=50), Needs(memory_gb=0.5)),
    Task("sweetiechat.replies.v1", "Try every strategy for one turn", "stream", RepliesRequest, RepliesResult,
         "backends.sweetiechat.replies:run", RepliesRequest(strategies=("question", "information"), max_new_tokens=12),
         Needs(slots=(), memory_gb=0.3)),
    Task("sweetiechat.evaluate.v1", "Measure a supporter on held-out dialogues", "job", EvaluateRequest,
         EvaluateResult, "backends.sweetiechat.evaluate:run",
         EvaluateRequest(data=("practice",), dialogues=2, turns=1, max_new_tokens=12, min_new_tokens=0, resamples=50),
         Needs(slots=(), memory_gb=0.4)),
    Task("sweetiechat.pair.v1", "Pair branches for human evaluation", "job", PairRequest, PairResult,
         "backends.sweetiechat.pair:run", PairRequest(), Needs(slots=(), memory_gb=0.2)),
    Task("sweetiechat.measure.v1", "Measure dialogues", "job", MeasureRequest, MeasureResult,
         "backends.sweetiechat.measure:run", MeasureRequest(resamples=100), Needs(slots=(), memory_gb=0.5)),
)
