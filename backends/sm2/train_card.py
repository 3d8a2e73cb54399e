"""The card of a trained translator: what it is, what it learned from, how, and what it cannot do."""

from __future__ import annotations

from backends.sm2.objective import floor
from backends.sm2.requests import TrainRequest, TrainResult
from workbench.contract import Json
from workbench.fields import to_json


def bare(reference: str) -> str:
    """A reference without the folders of the machine it was used on."""
    folders, path, name = reference.rstrip("/").rpartition("/")
    return name.removeprefix("path:") if (folders + path + name).startswith("path:") else reference


def facts(request: TrainRequest, result: TrainResult) -> dict[str, Json]:
    """What ``config.json`` keeps of the training; files by name only, since a model is passed on."""
    asked = {**to_json(request), "source": [bare(name) for name in request.source],
             "target": [bare(name) for name in request.target], "start": bare(request.start)}
    return {"training": {"request": asked, "steps": result.steps, "pairs": result.pairs,
                         "measured": to_json(result.measured)}}


def card(request: TrainRequest, result: TrainResult) -> str:
    """The card as Markdown with front matter."""
    data = ", ".join(bare(name) for name in request.source) or "the synthetic order language"
    held = result.measured[-1] if result.measured else None
    lines = ["---", f"license: {request.licence or 'other'}", "tags: [translation, simultaneous]", "---", "",
             f"# {request.name}", "",
             f"Encoder-decoder Transformer with {result.weights:,} weights and {result.vocabulary:,} pieces, "
             f"objective `{request.objective}`.", "",
             f"- Data: {data}; {result.pairs:,} pairs, {result.held_out:,} held out, {result.left_out:,} left out.",
             f"- {result.steps:,} steps of at most {request.tokens:,} tokens, learning rate {request.learning_rate:g}, "
             f"seed {request.seed}{f', begun from {bare(request.start)}' if request.start else ''}."]
    if held:
        lines.append(f"- Held out, nats a token: {held.full:.3f} with the whole source, {held.prefix:.3f} with a "
                     f"random prefix; mean confidence {held.confidence:.2f}.")
    if request.objective == "sm2":
        lines.append(f"- Confidence lies above {floor(request.alpha):.3f}: a lower threshold never waits.")
    else:
        lines.append("- The confidence head is not trained: use wait-k or the full sentence, not SM2's threshold.")
    return "\n".join([*lines, ""])
