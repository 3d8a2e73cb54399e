"""The task ``sweetiechat.evaluate.v1``: a supporter on held-out dialogues, turn by turn, against the real supporter.

Dialogues are measured in groups that go on in step, so that each turn goes on from what the model has read of its
dialogue. Every step is appended to ``artifacts/predictions.jsonl``; a run that was stopped goes on with the first step
that is not whole. Dialogues that an agent was trained on are never measured: its folder says which they are.
"""

from __future__ import annotations

import dataclasses
import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from backends.common.language import open_model
from backends.sweetiechat.agent import check_agent
from backends.sweetiechat.cast import Cast, Opener, close_cast, forget
from backends.sweetiechat.classifier_at_work import open_trained
from backends.sweetiechat.evaluate_figures import figures, strategy_uses
from backends.sweetiechat.evaluate_requests import EvaluateRequest, EvaluateResult
from backends.sweetiechat.evaluate_turns import Case, Prediction, cases_of, predict
from backends.sweetiechat.metrics.tokens import default_name, tokenizer
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.supporter_alone import open_alone
from backends.sweetiechat.train_data import read_one, refused
from backends.sweetiechat.train_kept import HELD_OUT, known_dialogues
from workbench.contract import Context, UserError
from workbench.fields import from_json, to_json
from workbench.files import append_line, read_lines, write_json, write_text

PREDICTIONS = "predictions.jsonl"


def run(request: EvaluateRequest, context: Context, opener: Opener = open_model) -> EvaluateResult:
    """Measure as asked. Raises ``UserError`` for data without a turn to measure, of several languages or strategy sets,
    and for a model that does not fit the request."""
    began = time.monotonic()
    context.report(0, 0, "reading the dialogues")
    dialogues, left_out = read(request, context)
    steps = list(steps_of(dialogues, request))
    context.report(0, len(steps), "opening the model")
    cast = open_for(request, dialogues[0], context, opener)
    try:
        forget(cast, dialogues)
        found = measure(steps, request, context, cast)
        forget(cast, dialogues)
    finally:
        close_cast(cast)
    declared, cut = dialogues[0].strategy_set.keys, tokenizer(default_name(dialogues[0].language))
    uses, warnings = strategy_uses(found, declared)
    context.report(len(steps), len(steps), "adding up")
    asked = "chat" if cast.agent else "prompts"
    mode = "oracle: the real strategy was given away" if request.mode == "oracle" else request.mode
    result = EvaluateResult(
        cast.references["supporter"], asked, mode, len({p.dialogue for p in found}), len(found),
        figures(found, declared, cut, request.seed, request.resamples), uses, left_out, warnings,
        round(time.monotonic() - began, 2))
    path = context.run / "artifacts" / "figures.json"
    write_json(path, to_json(result))
    context.artifact("figures.json", path, "figures")
    return result


def read(request: EvaluateRequest, context: Context) -> tuple[list[Dialogue], tuple[str, ...]]:
    """The dialogues to measure on, and what was left out."""
    references = request.data or (held_out_of(request, context),)
    known = known_dialogues(model_folder(request, context))
    found: list[Dialogue] = []
    notes: list[str] = []
    for number, reference in enumerate(references):
        dialogues, skipped = read_one(reference, context)
        fresh = [d for d in dialogues if not known.has(d)]
        kept = [d for d in fresh if not refused(d) and cases_of(d, 0)]
        notes += [f"{reference}: {line}" for line in skipped[:5]]
        notes += [f"{reference}: {count} dialogues {why}" for count, why in (
            (len(dialogues) - len(fresh), "that the agent was trained on"),
            (len(fresh) - len(kept), "without a turn to measure, or not accepted by quality control")) if count]
        found += [dataclasses.replace(d, id=f"{number}/{d.id}") for d in kept]
    check(found, request)
    if 0 < request.dialogues < len(found):
        notes.append(f"{len(found) - request.dialogues} of {len(found)} dialogues, as asked")
        found = random.Random(request.seed).sample(found, request.dialogues)
    return found, tuple(notes)


def check(dialogues: Sequence[Dialogue], request: EvaluateRequest) -> None:
    """Raise ``UserError`` for dialogues that no one model could be measured on in one table."""
    if not dialogues:
        raise UserError("No dialogue is left to measure on.",
                        advice="Give dialogues with strategies that the agent was not trained on.")
    for what, values in (("languages", {d.language for d in dialogues}),
                         ("strategy sets", {d.strategy_set.name for d in dialogues})):
        if len(values) > 1:
            raise UserError(f"The dialogues have several {what}: {', '.join(sorted(values))}.",
                            advice="Measure on each in a run of its own.")


def model_folder(request: EvaluateRequest, context: Context) -> Path | None:
    """The folder of a model that could be an agent of ours."""
    reference = request.model.strip() or context.default_model
    return context.resource(reference) if reference.startswith(("path:", "run:", "bundled:", "hub:")) else None


def held_out_of(request: EvaluateRequest, context: Context) -> str:
    """The dialogues that an agent's training kept apart: a file beside the model in its run."""
    folder = model_folder(request, context)
    path = folder.parent / HELD_OUT if folder else None
    if path is None or not path.is_file():
        raise UserError(f"data is empty, and {request.model or 'the default model'} has no held-out dialogues of its "
                        "own.", advice="Name the dialogues to measure on, for example practice or run:ID.")
    reference = request.model.strip()
    return f"{reference.rpartition('/')[0]}/{HELD_OUT}" if reference.startswith("run:") else f"path:{path}"


def open_for(request: EvaluateRequest, first: Dialogue, context: Context, opener: Opener) -> Cast:
    """The model to be measured, and who counsels it."""
    counselled = request.mode == "counselor"
    trained = open_trained(context, request.classifier.strip()) if counselled and request.counselor == "classifier" \
        else None
    other = request.counselor_model.strip() or context.default_model
    settings = DialogueRequest(
        language=first.language, supporter_model=request.model, seed=request.seed, redraws=0,
        counselor_model=other if counselled and not trained else "",
        max_new_tokens=request.max_new_tokens, min_new_tokens=request.min_new_tokens, temperature=request.temperature,
        top_p=request.top_p, repetition_penalty=request.repetition_penalty,
        choice_temperature=request.choice_temperature)
    cast = open_alone(context, settings, opener, chat="joint" if request.asked == "chat" else None,
                      prompts=request.asked == "prompts", trained=trained)
    try:
        if cast.agent is not None:
            plain = cast.agent.variant == "plain"
            own = "none" if plain and request.mode == "auto" else "agent" if request.mode == "auto" else "scored"
            check_agent(cast.agent, own, first.strategy_set)
    except BaseException:
        close_cast(cast)
        raise
    return cast


def steps_of(dialogues: Sequence[Dialogue], request: EvaluateRequest) -> Iterator[list[Case]]:
    """Groups of dialogues in step: the first case of each, then the second, and so on."""
    for first in range(0, len(dialogues), request.batch):
        rows = [cases_of(d, request.turns) for d in dialogues[first:first + request.batch]]
        for place in range(max(map(len, rows), default=0)):
            yield [cases[place] for cases in rows if place < len(cases)]


def measure(steps: Sequence[Sequence[Case]], request: EvaluateRequest, context: Context,
            cast: Cast) -> list[Prediction]:
    """The predictions of every step; those of an earlier part of this run are read again."""
    path = context.run / "artifacts" / PREDICTIONS
    path.parent.mkdir(exist_ok=True)
    found = finished(path, steps)
    done = len(found)
    context.artifact(PREDICTIONS, path, "table")
    passed = 0
    for number, cases in enumerate(steps):
        passed += len(cases)
        if passed <= done:
            continue

        def look(number: int = number, turns: int = len(found)) -> None:
            context.report(number, len(steps), f"{turns} turns measured")

        look()
        made = predict(cases, request.mode, cast, look)
        found += made
        for prediction in made:
            append_line(path, to_json(prediction))
        right = sum(p.said == p.gold for p in found)
        context.metric(number + 1, turns=len(found), accuracy=right / len(found))
        last = made[-1]
        context.live({"turns": len(found), "gold": last.gold, "said": last.said, "response": last.response})
    return found


def finished(path: Path, steps: Sequence[Sequence[Case]]) -> list[Prediction]:
    """The predictions of the whole steps that the file begins with; what else it holds is taken out of it."""
    rows: list[Prediction] = [from_json(Prediction, value) for value in read_lines(path)]
    kept = 0
    for cases in steps:
        here = rows[kept:kept + len(cases)]
        if [(p.dialogue, p.turn) for p in here] != [(c.history.id, c.turn) for c in cases]:
            break
        kept += len(cases)
    write_text(path, "".join(json.dumps(to_json(row), ensure_ascii=False) + "\n" for row in rows[:kept]))
    return rows[:kept]
