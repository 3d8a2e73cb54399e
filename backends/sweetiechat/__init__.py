"""SweetieChat / ServeForEmo: strategy-enhanced role-play for emotional support (COLING 2025, arXiv 2412.08389).

Implemented here: the role-play of Seeker, Strategy Counselor and Supporter. Only the abstract and reviews of the
paper were available, so this is a re-implementation from the published description; prompts, strategy texts,
stopping values and every hyper-parameter are ours. Training, quality control and metrics are not part of this yet.

=================  =====================================================================================
objects            Scenario, SeekerCard, StrategySet, Turn, Dialogue (JSON round trip)
requests           what a watched dialogue and a batch can be asked for
views              ``view_for(role, ...)``: the only place where a prompt is made; the information barrier
counselor          the strategy decision: ``prompt``, ``scored``, ``none``, ``you``
seeker, supporter  what each role's model output is turned into
stopping, crisis   why a dialogue ends (A.6)
loop               advances many dialogues in lockstep; a watched dialogue is a batch of one
play, generate     the two tasks
exchange           JSONL (exact), ESConv layout, chat messages, CSV
=================  =====================================================================================

Departures and defaults of ours
    * The seeker's private state is scored by default (``seeker_state="scored"``): the model continues "the
      feeling is ..." with five levels, calibrated against the first turn, at most one level a turn, and falling
      more slowly for closed people (openness 1); facts count as revealed by overlap of words. A capable chat
      model can return ``{"utterance", "private"}`` as JSON instead (``seeker_state="json"``).
    * ``scored`` strategies: S(s) = mean log p(label | h) - beta * mean log p(label | empty history), plus
      stage_weight * fit of the stage - repeat_weight * uses among the last three; all terms are logged.
    * SmolLM2-135M speaks English only and is small: it keeps to the topic and to the chosen strategy's form, but
      repeats itself, sometimes swaps perspective (a seeker who advises), and knows nothing. Read its dialogues as
      a demonstration of the method, not as data of ServeForEmo's quality; give a larger model for that.

The artifact ``dialogue.json`` is a ``Dialogue`` as JSON plus the state of the run, see ``table.table_to_json``.
"""

from backends.sweetiechat.import_request import ImportRequest, ImportResult
from backends.sweetiechat.requests import DialogueRequest, DialogueResult, GenerateRequest, GenerateResult
from workbench.contract import Needs, Task

TASKS = (
    Task("sweetiechat.dialogue.v1", "Watch a dialogue", "job", DialogueRequest, DialogueResult,
         "backends.sweetiechat.play:run",
         DialogueRequest(min_turns=2, max_turns=4, max_new_tokens=24), Needs(slots=(), memory_gb=0.3)),
    Task("sweetiechat.generate.v1", "Generate many dialogues", "job", GenerateRequest, GenerateResult,
         "backends.sweetiechat.generate:run",
         GenerateRequest(count=2, batch=2, min_turns=2, max_turns=4, max_new_tokens=24),
         Needs(slots=(), memory_gb=0.3)),
    Task("sweetiechat.import.v1", "Import dialogues", "job", ImportRequest, ImportResult,
         "backends.sweetiechat.bring:run", ImportRequest(), Needs(slots=(), memory_gb=0.3)),
)
