"""``reproduce`` part: the tuned agent against the untuned model, on dialogues that neither has seen (spec 1.G, 1.H).

LoRA on the default language model, trained on ESConv's development file and measured on PPDPP's validation dialogues
(overlaps left out, see :mod:`conditioning_data`). Four systems answer the same turns, and every difference is paired
by dialogue:

==================  =========================================================================================
``tuned``           the agent, in the text that it was trained on; its strategy is the likeliest of its p(s | h)
``tuned, drawn``    the same agent; its strategy is drawn from p(s | h), as when it talks
``untuned chat``    the same text and the same scoring of heads, with the weights before training
``untuned prompts`` the role-play as it is without training: counselor ``scored``, then the supporter's prompt
==================  =========================================================================================

The turns are measured in mode auto: no system is told the real strategy. Where the data is absent, and with ``quick``,
a few steps on the practice dialogues show that the measurement works, not what training achieves.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from backends.common.language import LanguageModel
from backends.sweetiechat import evaluate, train
from backends.sweetiechat.cast import Opener
from backends.sweetiechat.conditioning_data import SHARED, Corpus, load_corpus, usable
from backends.sweetiechat.evaluate_figures import differences, figures
from backends.sweetiechat.evaluate_requests import EvaluateRequest, Figure
from backends.sweetiechat.evaluate_turns import Prediction
from backends.sweetiechat.exchange import to_jsonl
from backends.sweetiechat.importers import import_dialogues, split
from backends.sweetiechat.importers.building import digest
from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.metrics.tokens import Tokenizer, default_name, tokenizer
from backends.sweetiechat.train_requests import TrainRequest
from workbench.context import MemoryContext
from workbench.contract import Context
from workbench.evidence import Claim, Reproduction
from workbench.fields import from_json, to_json
from workbench.files import read_lines, write_json, write_text
from workbench.settings import Settings

Say = Callable[[str], None]
SYSTEMS: Mapping[str, tuple[bool, str, float]] = {
    "tuned": (True, "chat", 0.0), "untuned chat": (False, "chat", 0.0), "untuned prompts": (False, "prompts", 0.0),
    "tuned, drawn": (True, "chat", 1.0)}
"""Whether the weights are tuned, how the model is asked, and the temperature at which its strategy is drawn."""
IN_QUICK = ("tuned", "untuned chat")
MUST_FALL = "perplexity-of-real-reply"
"""What training minimises, and so must be lower afterwards, with an interval below 0. Every other figure is shown,
whatever it is: whether a small model with little data chooses strategies better is what the table is for."""
SHOWN = ("strategy-accuracy", "strategy-macro-f1", "strategy-weighted-f1", "strategy-in-first-3", "preference-bias",
         "strategy-js-to-real", "distinct-1", "distinct-2", "length-reply", "bleu-2", "rouge-l-beta-1.2")


@dataclass(frozen=True)
class Scale:
    """How much is trained and measured. Training with the defaults takes about a quarter of an hour on one free
    core, measuring about four minutes a system."""

    seed: int = 0
    train: int = 130
    epochs: float = 1.0
    max_steps: int = 0
    length: int = 1280
    batch: int = 4
    rate: float = 1e-3
    rank: int = 16
    precision: str = "bfloat16"
    test: int = 60
    turns: int = 5
    tokens: int = 40
    resamples: int = 2000


QUICK = Scale(train=4, max_steps=4, length=192, batch=2, rank=8, precision="float32", test=4, turns=2, tokens=12,
              resamples=200)
DONE = "done.json"


def agent(settings: Settings, quick: bool = False, folder: Path = SHARED, scale: Scale | None = None,
          say: Say = print) -> Reproduction:
    """Train, measure the systems, and compare them. A run that was ended goes on from what it left in
    ``<home>/reproduce``; one that came to its end is made anew."""
    began = time.monotonic()
    corpus = None if quick else load_corpus(folder)
    small, corpus = corpus is None, corpus or practice()
    scale = scale or (QUICK if small else Scale())
    home = settings.home / "reproduce" / f"agent-{digest(repr(scale), corpus.name)}"
    if (home / DONE).is_file():
        shutil.rmtree(home)
    made = trained(corpus, home, scale, settings, say)
    found = {name: measured(name, made, home, scale, settings, say) for name in (IN_QUICK if small else SYSTEMS)}
    cut, declared = tokenizer(default_name(corpus.test[0].language)), corpus.test[0].strategy_set.keys
    text = as_table(found, declared, cut, scale)
    write_text(home / "table.md", text)
    say(text)
    what = "practice dialogues (the measurement, not the method)" if small else corpus.name
    result = Reproduction("agent", tuple(claims(found, declared, cut, scale, what)), time.monotonic() - began)
    write_json(home / DONE, result.to_json())
    return result


def practice() -> Corpus:
    """The dialogues that come with the project, half to train on and half to measure on."""
    parts = split(usable(import_dialogues(ASSETS / "practice.esconv.json").dialogues), {"train": 0.5, "test": 0.5}, 0)
    return Corpus(parts["train"], parts["test"], (), False, "practice dialogues")


def trained(corpus: Corpus, home: Path, scale: Scale, settings: Settings, say: Say) -> Path:
    """The folder of the tuned agent; trained here unless it is there already."""
    context = _context(home / "train", settings, say)
    model = context.run / "artifacts" / "model"
    write_text(home / "train.jsonl", to_jsonl(corpus.train[:scale.train or None]))
    write_text(home / "test.jsonl", to_jsonl(corpus.test))
    if (home / "train" / "result.json").is_file():
        return model
    request = TrainRequest(
        data=(f"path:{home / 'train.jsonl'}",), held_out=0.0, model=settings.default_model, rank=scale.rank,
        alpha=2 * scale.rank, length=scale.length, epochs=scale.epochs, max_steps=scale.max_steps, batch=scale.batch,
        learning_rate=scale.rate, warmup=0.1, micro_tokens=1280, precision=scale.precision,  # type: ignore[arg-type]
        name="SweetieChat (reproduction)", seed=scale.seed)
    result = train.run(request, context)
    write_json(home / "train" / "result.json", to_json(result))
    say(f"trained {result.steps} steps on {result.dialogues} dialogues in {result.train_seconds:.0f} s, loss a reply "
        f"{result.first_loss:.2f} -> {result.last_loss:.2f}")
    return model


def measured(name: str, model: Path, home: Path, scale: Scale, settings: Settings, say: Say) -> list[Prediction]:
    """The predictions of one system on the test dialogues."""
    tuned, asked, heat = SYSTEMS[name]
    context = _context(home / name.replace(",", "").replace(" ", "-"), settings, say)
    request = EvaluateRequest(
        model=f"path:{model}" if tuned else settings.default_model, asked=asked,  # type: ignore[arg-type]
        choice_temperature=heat,
        data=(f"path:{home / 'test.jsonl'}",), dialogues=scale.test, turns=scale.turns, seed=scale.seed,
        max_new_tokens=scale.tokens, min_new_tokens=min(10, scale.tokens), resamples=10)
    began = time.monotonic()
    evaluate.run(request, context, in_process(settings))
    rows = [from_json(Prediction, row) for row in read_lines(context.run / "artifacts" / evaluate.PREDICTIONS)]
    say(f"{name}: {len(rows)} turns measured in {time.monotonic() - began:.0f} s")
    return rows


def in_process(settings: Settings) -> Opener:
    """Open models in this process, so that none stays behind."""
    def open_here(context: Context, reference: str) -> LanguageModel:
        from backends.common.engine import LocalModel
        from workbench import hub

        found = hub.resolve(reference, settings)
        model: LanguageModel = LocalModel(found.path, to_json(found.card), threads=settings.threads,
                                          device=settings.device)
        return model
    return open_here


def _context(folder: Path, settings: Settings, say: Say) -> MemoryContext:
    class Telling(MemoryContext):
        """Says now and then how far it is."""

        said = 0.0

        def report(self, step: int, total: int, message: str = "") -> None:
            super().report(step, total, message)
            if time.monotonic() - self.said > 30:
                self.said = time.monotonic()
                say(f"{folder.name}: {step} of {total}, {message}")

    folder.parent.mkdir(parents=True, exist_ok=True)
    return Telling(folder, settings=settings, device="cpu" if settings.device == "auto" else settings.device)


def claims(found: Mapping[str, list[Prediction]], declared: tuple[str, ...], cut: Tokenizer, scale: Scale,
           what: str) -> list[Claim]:
    """Tuned minus each untuned system: what must be lower, and what is only shown."""
    made = []
    tuned = {f.name: f for f in figures(found["tuned"], declared, cut, scale.seed, 10)}
    for name in [one for one in found if one.startswith("untuned")]:
        before = {f.name: f for f in figures(found[name], declared, cut, scale.seed, 10)}
        for figure in differences(found[name], found["tuned"], declared, cut, scale.seed, scale.resamples):
            if figure.name == MUST_FALL or figure.name in SHOWN:
                made.append(_claim(figure, name, tuned[figure.name].value, before[figure.name].value, what))
    return made


def _claim(figure: Figure, name: str, after: float, before: float, what: str) -> Claim:
    interval = (figure.low, figure.high) if figure.low is not None and figure.high is not None else None
    must = figure.name == MUST_FALL
    holds = not must or (figure.high is not None and figure.high < 0)
    text = "must be lower" if must else "shown, whatever it is"
    return Claim(f"{figure.name} of the tuned agent, {after:.3f}, minus {name}, {before:.3f}, on {figure.items} turns "
                 f"({what}); {text}", figure.value, 0.0, holds, before, interval)


def as_table(found: Mapping[str, list[Prediction]], declared: tuple[str, ...], cut: Tokenizer, scale: Scale) -> str:
    """A table for the docs: one row a figure, one column a system, 95 % intervals, and the paired difference."""
    every = {name: {f.name: f for f in figures(rows, declared, cut, scale.seed, scale.resamples)}
             for name, rows in found.items()}
    apart = {f.name: f for f in differences(found["untuned chat"], found["tuned"], declared, cut, scale.seed,
                                            scale.resamples)}
    lines = ["| figure | " + " | ".join(every) + " | tuned - untuned chat |", "|---|" + "---|" * (len(every) + 1)]
    lines += [f"| {name} | " + " | ".join(_shown(table.get(name)) for table in every.values())
              + f" | {_shown(apart.get(name))} |" for name in every["tuned"]]
    return "\n".join(lines) + "\n"


def _shown(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    places = 1 if abs(figure.value) >= 100 else 2 if figure.unit in ("percent", "tokens", "perplexity") else 3
    if figure.low is None or figure.high is None:
        return f"{figure.value:.{places}f}"
    return f"{figure.value:.{places}f} [{figure.low:.{places}f}, {figure.high:.{places}f}]"
