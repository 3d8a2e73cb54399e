"""The whole contract between a method and the workbench, on one page.

A method offers *tasks*. A task is a function ``run(request, context)``; the page, the command line
and the tests all call that one function. ``request`` and ``result`` are frozen dataclasses of plain
JSON values, so that a form, a command line, a provenance record and a documentation table can be made
from the same definition. ``context`` is everything the function may touch of the world outside.

Standard library only: a form imports this module and must never pay for torch.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

Json = Any
"""A value that ``json.dumps`` accepts. (An exact recursive type costs more than it catches here.)"""

Kind = Literal["job", "call", "stream"]
Status = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled", "lost"]
TERMINAL: tuple[Status, ...] = ("succeeded", "failed", "cancelled", "lost")


class UserError(Exception):
    """Something the person at the page can put right; the text is shown to them as it stands.

    ``UserError("beta is 3; it must lie between 0.01 and 1.", advice="Choose a smaller beta.")``
    """

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(f"{message} {advice}".strip())
        self.message, self.advice = message, advice


def unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not in a table: says the name, the nearest ones and how to list all."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or sorted(names)
    return UserError(f"There is no {what} named {name!r}.", advice=f"Did you mean {' or '.join(near)}?")


class MissingResource(UserError):
    """A model, data set or program that is not on this machine; ``advice`` is the command that brings it."""


class Cancelled(Exception):
    """Raised inside ``Context.report`` when the person asked the run to end. A task lets it pass."""


class Paused(Exception):
    """Raised by ``Context.pause``: the run waits for a person; its process ends and its files stay."""


@dataclass(frozen=True)
class Knob:
    """How one request field is explained, limited and shown. Used as ``Annotated[float, Knob("...")]``.

    ``low``/``high`` bound a number, and the length of a string or a tuple. ``shown_if`` names another
    field and the values of it for which this one matters, e.g. ``("counselor", ("scored",))``.
    ``widget`` asks for a special component: ``"model"``, ``"text"`` (many lines) or ``"hidden"``.
    """

    help: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    group: str = ""
    shown_if: tuple[str, tuple[Json, ...]] | None = None
    widget: str = ""


@dataclass(frozen=True)
class Needs:
    """What a job holds while it runs. ``slots``: ``"cpu"``, ``"gpu"`` or nothing (it only talks to models). A ``gpu``
    slot means ``cpu`` on a machine without one. ``gpu_if``: dotted path of a function of the request's fields (plain
    JSON) that says whether this request would use it; where it says no, the job takes a ``cpu`` slot."""

    slots: tuple[str, ...] = ("cpu",)
    memory_gb: float = 1.0
    packages: tuple[str, ...] = ()
    gpu_if: str = ""

    def of(self, fields: Mapping[str, Json]) -> Needs:
        """What a request with these fields needs."""
        if "gpu" not in self.slots or not self.gpu_if or load(self.gpu_if)(fields):
            return self
        return replace(self, slots=("cpu",))


@dataclass(frozen=True)
class Task:
    """One thing a method can do. ``name`` ends in a version that rises when a request changes meaning."""

    name: str
    title: str
    kind: Kind
    request: type
    result: type
    run: str
    example: Any
    needs: Needs = field(default_factory=Needs)

    def function(self) -> Callable[[Any, Context], Any]:
        """Import and return the task's function. Only a child process or a test calls this."""
        function: Callable[[Any, Context], Any] = load(self.run)
        return function


def load(dotted: str) -> Any:
    """Import ``"package.module:name"`` and return the named object."""
    module, _, name = dotted.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class Artifact:
    """A file that a run made, as listed in its ``artifacts.jsonl``. ``path`` is relative to the run."""

    name: str
    path: str
    kind: str


class Model(Protocol):
    """A line to a resident model process: one operation at a time, answered by a stream of events.

    Closing the iterator cancels the operation. ``card`` is what the model can do (see ``hub.ModelCard``).
    """

    card: Mapping[str, Json]

    def ask(self, operation: str, payload: Json) -> Iterator[Json]: ...

    def close(self) -> None: ...


class Context(Protocol):
    """What a task is given. Worker, terminal and memory versions behave the same to the task."""

    run: Path
    """The run directory: the only place a task writes to."""
    device: str
    """``"cpu"`` or ``"cuda:0"``."""
    default_model: str
    """Reference of the language model that is taken where a request names none."""
    rank: int
    world: int
    """Place of this process among the processes of one run, and their number (1 unless distributed)."""

    def report(self, step: int, total: int, message: str = "") -> None:
        """Say how far the run is. Cheap; also the cancel point: call it at least every half second.

        Raises ``Cancelled`` when the person asked the run to end."""

    def metric(self, step: int, **values: float) -> None:
        """Append one line to ``metrics.jsonl`` (the live curves)."""

    def live(self, value: Json) -> None:
        """Overwrite ``live.json``: what is happening this second (a half-written turn). At most 10 a second
        reach the disk; the last one always does when the task calls ``live`` or ``report`` again."""

    def artifact(self, name: str, path: Path, kind: str) -> None:
        """List a file under ``artifacts/`` as a product of this run. Listing a name again replaces it."""

    def resource(self, reference: str) -> Path:
        """Resolve a model or data reference to a local path and record it in ``inputs.json``.

        Raises ``MissingResource`` with the command that brings it."""

    def model(self, reference: str) -> Model:
        """Open a line to the resident process of a local model, starting it when there is none."""

    def generator(self, seed: int) -> random.Random:
        """A source of randomness for this seed; the only one a task uses."""

    def commands(self) -> Sequence[Mapping[str, Json]]:
        """Every command a person has given to this run so far, oldest first (``commands.jsonl``)."""

    def pause(self, reason: str) -> None:
        """End this process and wait for a person: raises ``Paused``. A later ``resume`` runs the task again
        in the same directory, so whatever must survive is already in its files."""
