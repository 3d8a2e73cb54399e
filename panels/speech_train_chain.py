"""The way to a model that hears: seven steps, the runs that took them, and what the next one is made from.

Runs hang together by the references in their requests (``run:ID/model``, ``run:ID/continuations.jsonl``); a chain is
the run that is shown with everything it was made from and the newest of what was made from it. Nothing of it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.common.speech.practice import PRACTICE
from panels.speech_desk import EVALUATE, GATE, STAGE0, STAGE1, STAGE2, WORDS
from workbench.contract import Json
from workbench.files import read_json
from workbench.runs import Run
from workbench.widgets.loose import listed, table

STEPS = ("stage0", "gate", "words", "stage1", "tones", "stage2", "evaluate")
TASKS: Mapping[str, str] = {"stage0": STAGE0, "gate": GATE, "words": WORDS, "stage1": STAGE1, "tones": WORDS,
                            "stage2": STAGE2, "evaluate": EVALUATE}
BUNDLED_LM, BUNDLED = "bundled:blsp-emo-lm", "bundled:blsp-emo-practice"
MODELS = Path(__file__).resolve().parents[1] / "assets" / "models"


def step_of(run: Run) -> str:
    """The step that a run takes; nothing for a run of another method."""
    if run.task == WORDS:
        return "tones" if run.fields.get("stage") == 2 else "words"
    return next((step for step, task in TASKS.items() if task == run.task), "")


def named(run: Run) -> list[str]:
    """Ids of the runs that a request names."""
    texts = [text for value in run.fields.values() for text in (listed(value) or (value,)) if isinstance(text, str)]
    return [text.removeprefix("run:").partition("/")[0] for text in texts if text.startswith("run:")]


@dataclass(frozen=True)
class Chain:
    """The runs of one way by step; none is shown where nothing was chosen."""

    runs: Mapping[str, Run]

    def done(self, step: str) -> Run | None:
        """The run of a step, where it has succeeded."""
        run = self.runs.get(step)
        return run if run and run.status == "succeeded" else None

    def made(self, step: str, product: str) -> str:
        """Reference of what a finished step has made; empty without one."""
        run = self.done(step)
        return f"run:{run.id}/{product}" if run else ""

    @property
    def language_model(self) -> str:
        """The language model of this way: the one of stage 0, else the one its runs name, else the bundled one."""
        if self.runs.get("stage0"):
            return self.made("stage0", "model")
        given = [str(run.fields.get("model") or "") for step, run in self.runs.items() if step != "evaluate"]
        return next((name for name in given if name), BUNDLED_LM)

    @property
    def data(self) -> str:
        """The manifest of the clips: the one that continuations were written for, else the practice clips."""
        asked = [run.fields.get("manifest") for step in ("tones", "words") if (run := self.runs.get(step))]
        return str(next((name for name in asked if name), PRACTICE))

    @property
    def root(self) -> str:
        """The folder that goes with :attr:`data`."""
        asked = [run.fields.get("root") for step in ("tones", "words") if (run := self.runs.get(step))]
        return str(next((name for name in asked if name), ""))

    def people(self, field: str) -> list[str]:
        """Speakers that the newest training of this way kept apart, by the field of its request that names them."""
        named = [run.fields.get(field) for step in ("stage2", "stage1") if (run := self.runs.get(step))]
        return next(([str(one) for one in listed(names)] for names in named if names), [])

    def report(self) -> Mapping[str, Json]:
        """What the gate says of the language model; empty where nobody has asked it."""
        for step, key in (("gate", ""), ("stage0", "gate")):
            run = self.done(step)
            if run:
                result = table(read_json(run.path / "result.json", {}))
                return table(result.get(key)) if key else result
        name = self.language_model
        return bundled_report(name) if name.startswith("bundled:") else {}

    @property
    def passed(self) -> bool:
        """Whether the language model may be used."""
        return self.report().get("passed") is True


def bundled_report(name: str) -> Mapping[str, Json]:
    """The report of the gate that lies with a bundled language model."""
    folder = name.removeprefix("bundled:")
    if "/" in folder or folder.startswith("."):
        return {}
    return table(read_json(MODELS / folder / "gate.json", {}))


def chain_of(runs: Sequence[Run], shown: Run | None) -> Chain:
    """The way that ``shown`` lies on. ``runs``: all that this visitor may see, newest first."""
    known = {run.id: run for run in runs}
    found: dict[str, Run] = {}

    def take(run: Run) -> None:
        if step_of(run) and step_of(run) not in found:
            found[step_of(run)] = run
            for one in named(run):
                if one in known:
                    take(known[one])
    if shown is None:
        return Chain({})
    take(shown)
    more = True
    while more:
        ids = {run.id for run in found.values()}
        new = [run for run in runs if step_of(run) and step_of(run) not in found and ids & set(named(run))]
        for run in new[:1]:
            take(run)
        more = bool(new)
    return Chain({step: found[step] for step in STEPS if step in found})


def lacking(chain: Chain, step: str) -> str:
    """The earlier step that must be taken before this one; empty where nothing is missing."""
    if step in ("words", "stage1", "tones", "stage2") and not chain.passed:
        return "stage0" if chain.report() or not chain.language_model else "gate"
    if step == "gate" and not chain.language_model:
        return "stage0"
    if step == "stage2" and not chain.done("stage1"):
        return "stage1"
    before = {"stage1": "words", "stage2": "tones"}.get(step, "")
    if before and not chain.done(before) and not given(chain, before):
        return before
    if step == "evaluate" and chain.runs and not (chain.done("stage2") or chain.done("stage1")):
        return "stage2"
    return ""


def given(chain: Chain, step: str) -> bool:
    """Whether something stands ready in place of a step that nobody has taken: the answers to the practice clips, which
    the bundled language model has written, or what the next stage was told to learn from."""
    if step in chain.runs:
        return False
    if step == "stage0":
        return bool(chain.language_model)
    if step not in ("words", "tones"):
        return False
    later = chain.runs.get("stage1" if step == "words" else "stage2")
    return later is not None or (chain.data == PRACTICE and chain.language_model == BUNDLED_LM)


def following(chain: Chain) -> str:
    """The next step to take: the first one that is not done and for which nothing is missing; empty at the end."""
    state = {step: state_of(chain, step) for step in STEPS}
    return next((step for step in STEPS if state[step] in ("open", "failed") and not lacking(chain, step)), "")


def state_of(chain: Chain, step: str) -> str:
    """``done``, ``working``, ``failed`` (also a gate that is not passed), ``given`` (comes with the project or was
    named), ``open`` or ``blocked``."""
    run = chain.runs.get(step)
    if step == "gate" and (report := chain.report()):
        return "done" if report.get("passed") is True else "failed"
    if run:
        return {"succeeded": "done", "failed": "failed", "cancelled": "failed", "lost": "failed"}.get(
            run.status, "working")
    if given(chain, step):
        return "given"
    return "blocked" if lacking(chain, step) else "open"


def filled(chain: Chain, step: str) -> dict[str, Json]:
    """The fields of a step's request that follow from the steps before it."""
    model, gate = chain.language_model, chain.made("gate", "gate.json")
    words = {"words": 1, "tones": 2}
    if step in words:
        return {"model": model, "stage": words[step], "every_emotion": step == "tones", "manifest": chain.data,
                "root": chain.root}
    if step == "gate":
        return {"model": model}
    if step == "stage1":
        return {"model": model, "gate": gate,
                "manifest": chain.made("words", "continuations.jsonl") or PRACTICE, "root": ""}
    if step == "stage2":
        return {"start": chain.made("stage1", "model"), "model": model, "gate": gate,
                "manifest": chain.made("tones", "continuations.jsonl") or PRACTICE, "root": "",
                **{name: chain.people(name) for name in ("validation", "leave_out")}}
    if step == "evaluate":
        tuned = chain.made("stage2", "model") or chain.made("stage1", "model") or BUNDLED
        return {"model": tuned, "manifest": chain.data, "root": chain.root,
                "speakers": chain.people("leave_out") or chain.people("validation"),
                "answers": chain.made("tones", "answers.jsonl") or PRACTICE}
    return {}
