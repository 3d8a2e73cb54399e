"""The card of a trained agent: what it was made of, how, what was measured, and what it is not for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from backends.sweetiechat.train_data import Source, strategy_counts
from backends.sweetiechat.train_requests import TrainRequest, TrainResult
from workbench.contract import Json
from workbench.fields import to_json

LIMITS = """## Limits
It is a research instrument for strategies in support dialogues. It is no therapist and must not be used as one: it
knows nothing, makes things up, and does not notice a crisis by itself. Its training data may forbid commercial use;
that binds the model too."""


def card(request: TrainRequest, sources: Sequence[Source], reference: str, result: TrainResult) -> str:
    """README.md with the front matter that the workbench and the hub read."""
    languages = sorted({d.language for s in sources for d in s.trained})
    front = ["---", f"model_name: {json.dumps(request.name, ensure_ascii=False)}",
             f"license: {json.dumps(request.licence or 'other', ensure_ascii=False)}", "language:",
             *(f"- {language}" for language in languages), f"base_model: {json.dumps(reference)}",
             "tags:", "- emotional-support", "- sweetiechat", "---"]
    measured = [f"| {m.step} | {m.perplexity:.2f} | {_shown(m.strategy_nats)} | {m.loss:.3f} |"
                for m in result.measured] or ["| - | - | - | - |"]
    lines = [
        *front, "", f"# {request.name}", "",
        f"A support agent in the manner of SweetieChat (COLING 2025): `{reference}` fine-tuned ({request.method}, "
        f"variant `{request.variant}`) on the supporter's turns. A re-implementation "
        "from the published description; it is not the authors' model.", "",
        "## Data", *(f"- {line}" for line in data_lines(sources)), "",
        "## Measured on held-out dialogues",
        f"Dialogues that share no scenario with the training data: {result.held_out}.", "",
        "| step | perplexity of responses | nats a strategy | nats a reply |", "|---|---|---|---|", *measured, "",
        "## Training", f"Steps {result.steps}, dialogues {result.dialogues}, replies {result.replies}, "
        f"learned tokens {result.learned_tokens}; {result.trained_weights} of {result.all_weights} weights were "
        f"trained; those of step {result.kept_step} were kept.", "",
        "```json", json.dumps(to_json(request), ensure_ascii=False, indent=1), "```", "", LIMITS, ""]
    return "\n".join(lines)


def data_lines(sources: Sequence[Source]) -> list[str]:
    """One line a source: how many dialogues, which strategies."""
    found = []
    for source in sources:
        counts = ", ".join(f"{key} {count}" for key, count in strategy_counts(source.trained).items())
        found.append(f"`{source.reference}`: dialogues for training {len(source.trained)}, held out "
                     f"{len(source.held_out)}; {counts or 'no strategies'}")
    return found


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def facts(request: TrainRequest, sources: Sequence[Source], reference: str, result: TrainResult) -> dict[str, Json]:
    """What a program must know to talk with the model: variant, strategies and language, beside the request."""
    sets = {d.strategy_set.name: d.strategy_set for s in sources for d in s.trained}
    first: Mapping[str, Json] = to_json(next(iter(sets.values()))) if sets else {}
    return {"method": "sweetiechat", "variant": request.variant, "base_model": reference,
            "strategy_set": dict(first), "strategy_sets": sorted(sets),
            "languages": sorted({d.language for s in sources for d in s.trained}),
            "request": to_json(request), "result": {k: v for k, v in to_json(result).items() if k != "saved"}}
