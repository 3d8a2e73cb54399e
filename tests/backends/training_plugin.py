"""Offers the two training tasks to a test's child processes, as long as the method does not list them itself."""

from __future__ import annotations

from backends import sweetiechat
from backends.sweetiechat.train_requests import ClassifierRequest, ClassifierResult, TrainRequest, TrainResult
from workbench.contract import Needs, Task

_BOTH = (
    Task("sweetiechat.train.v1", "Train a support agent", "job", TrainRequest, TrainResult,
         "backends.sweetiechat.train:run", TrainRequest(), Needs(slots=("cpu",), memory_gb=4.0)),
    Task("sweetiechat.classifier.v1", "Train a strategy classifier", "job", ClassifierRequest, ClassifierResult,
         "backends.sweetiechat.classifier_task:run", ClassifierRequest(), Needs(slots=("cpu",), memory_gb=1.0)),
)
TASKS = tuple(task for task in _BOTH if task.name not in {known.name for known in sweetiechat.TASKS})
