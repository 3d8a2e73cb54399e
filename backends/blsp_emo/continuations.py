"""The task ``blsp_emo.continuations.v1``: the language model writes what speech shall be answered with.

Greedy, at most 48 new tokens and at least one, as published. Stage 1 asks for a coherent continuation of the
transcript, stage 2 for one in the clip's emotion under the empathy line. Refusals are dropped by name; one that the
length cut off is marked ``early_stop``. Every prompt is asked once however many clips share it, and what was written
is kept, so a run that was cut off goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from backends.blsp_emo.gate import asked
from backends.blsp_emo.prompts import heard, semantic
from backends.blsp_emo.refusal import refusal
from backends.blsp_emo.requests import ContinuationsRequest, ContinuationsResult
from backends.blsp_emo.ser import EMOTIONS
from backends.common.language import Decoding, open_model
from backends.common.speech.manifests import Manifest, Row, read_manifest, readable, write_manifest
from backends.common.speech.practice import ENGLISH, located
from workbench.contract import Context, Json, UserError
from workbench.files import append_line, dumps, read_lines, write_text

Key = tuple[str, str]
"""Transcript and emotion (``""`` in stage 1)."""
FILE, ANSWERS = "continuations.jsonl", "answers.jsonl"


def run(request: ContinuationsRequest, context: Context) -> ContinuationsResult:
    """Write the continuations of a manifest. Raises ``UserError`` where no row is usable or all are refused."""
    context.report(0, 0, "reading the manifest")
    manifest = read_manifest(located(request.manifest, ENGLISH, context), "asr" if request.stage == 1 else "ser",
                             context.resource(request.root) if request.root else None, within=readable(context))
    rows = [row for row in manifest.rows if row.text.strip()][:request.limit or None]
    if not rows:
        raise UserError("No row of the manifest has a transcript, so there is nothing to continue.",
                        advice='Give each row its "text".')
    keys = list(dict.fromkeys((row.text, emotion) for row in rows for emotion in emotions_of(row, request)))
    written = write(keys, request, context)
    kept, why = chosen(rows, request.stage, written, manifest)
    if not kept:
        raise UserError(f"The language model refused every prompt ({', '.join(why)}).",
                        advice="Choose a model that continues sentences.")
    out = context.run / "artifacts" / FILE
    write_manifest(out, kept)
    context.artifact(FILE, out, "jsonl")
    if request.every_emotion:
        answers = context.run / "artifacts" / ANSWERS
        write_text(answers, "".join(dumps({"text": text, "emotion": emotion, "output": written[(text, emotion)][0],
                                           "early_stop": written[(text, emotion)][1]}) + "\n"
                                    for text, emotion in keys))
        context.artifact(ANSWERS, answers, "jsonl")
    return ContinuationsResult(str(out), len(kept), len(keys), sum(row.early_stop for row in kept), dict(why),
                               manifest.left_out)


def emotions_of(row: Row, request: ContinuationsRequest) -> Sequence[str]:
    """In which emotions a row is continued."""
    if request.stage == 1:
        return ("",)
    return EMOTIONS if request.every_emotion else (row.emotion,)


def write(keys: Sequence[Key], request: ContinuationsRequest, context: Context) -> Mapping[Key, tuple[str, bool]]:
    """The text of every prompt and whether its length ended it; only those that are not written yet are asked."""
    memory = context.run / "checkpoints" / "written.jsonl"
    memory.parent.mkdir(parents=True, exist_ok=True)
    done = read_written(memory)
    open_keys = [key for key in keys if key not in done]
    if not open_keys:
        return done
    model = open_model(context, request.model)
    decoding = Decoding(max_new_tokens=request.max_new_tokens, min_new_tokens=1, temperature=0.0)
    try:
        for start in range(0, len(open_keys), request.together):
            part = open_keys[start:start + request.together]
            context.report(len(done), len(keys), f"{len(done)} of {len(keys)} continuations")
            made = model.generate([asked(text, emotion) for text, emotion in part], decoding,
                                  cancelled=lambda: context.report(len(done), len(keys), "writing"))
            for key, completion in zip(part, made, strict=True):
                done[key] = (completion.text.strip(), completion.finish == "length")
                append_line(memory, {"text": key[0], "emotion": key[1], "output": done[key][0],
                                     "early_stop": done[key][1]})
    finally:
        model.close()
    return done


def read_written(memory: Path) -> dict[Key, tuple[str, bool]]:
    """What an earlier attempt of this run wrote."""
    lines: list[Json] = read_lines(memory)
    return {(line["text"], line["emotion"]): (line["output"], bool(line["early_stop"])) for line in lines
            if isinstance(line, dict) and {"text", "emotion", "output", "early_stop"} <= set(line)}


def chosen(rows: Sequence[Row], stage: int, written: Mapping[Key, tuple[str, bool]],
           manifest: Manifest) -> tuple[list[Row], Counter[str]]:
    """Rows with their continuation under the instruction that training gives (no emotion in it), and refusals."""
    kept, why = [], Counter[str]()
    told = semantic() if stage == 1 else heard()
    for row in rows:
        output, early_stop = written[(row.text, "" if stage == 1 else row.emotion)]
        name = refusal(output)
        if name:
            why[name] += 1
            continue
        kept.append(replace(row, audio=manifest.source(row), instruction=told.instruction, output=output,
                            early_stop=early_stop))
    return kept, why


def read_answers(path: Path) -> dict[str, dict[str, tuple[str, bool]]]:
    """``answers.jsonl``: for every transcript the continuation in each of the five emotions.

    Raises ``UserError`` where a transcript lacks one or the file holds none."""
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for (text, emotion), answer in read_written(path).items():
        found.setdefault(text, {})[emotion] = answer
    lacking = next((text for text, answers in found.items() if set(answers) != set(EMOTIONS)), None)
    if not found or lacking is not None:
        what = "has no answers" if not found else f"lacks an emotion for {lacking!r}"
        raise UserError(f"{path.name} {what}.", advice="Run blsp_emo.continuations with stage 2 and every_emotion; it "
                        f"writes {ANSWERS}.")
    return found
