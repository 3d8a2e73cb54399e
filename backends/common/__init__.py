"""Language models for every method: a batched engine over the transformers model classes, and endpoints.

Not a paper's method but what the methods stand on. ``language`` is the interface (no torch), ``engine`` the
local model, ``endpoint`` a line to an OpenAI-compatible server, ``convert`` makes a safetensors folder of a GGUF.
"""

from backends.common import mt
from backends.common.tasks import FetchedModel, FetchModel, TriedModel, TryModel
from workbench.contract import Needs, Task

TASKS = (
    Task("common.fetch_model.v1", "Bring a model here", "job", FetchModel, FetchedModel,
         "backends.common.tasks:fetch_model", FetchModel(), Needs(slots=(), memory_gb=2.0)),
    Task("common.try_model.v1", "Try a model", "stream", TryModel, TriedModel,
         "backends.common.tasks:try_model", TryModel("Say hello in one sentence."), Needs(slots=(), memory_gb=0.3)),
    *mt.TASKS,
)
