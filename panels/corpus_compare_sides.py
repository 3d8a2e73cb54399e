"""What the Compare view holds of its two sides: where each recipe comes from and which limits were moved, as a note.

A side comes from the run of the corpus (``own``), a preset (``preset:NAME``), another run (``run:ID``: its verdicts as
they are, unless a limit is moved) or YAML that was typed in (``yaml``). Its scorers are those of the corpus too, so
that a saved recipe gives a run all the columns that are compared here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Literal

from backends.mdfg.explore.compare import Side, run_side
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.judging import Moved, moved_recipe
from backends.mdfg.explore.measured import columns_of, differences
from backends.mdfg.recipes import Recipe, load_recipe, parse_recipe, presets
from panels.corpus_desk import FILTER
from workbench.contract import Json, UserError
from workbench.fields import to_json
from workbench.panel import Shell
from workbench.text import gloss
from workbench.widgets.loose import finite, listed, table

SideName = Literal["a", "b"]
NAMES: tuple[SideName, ...] = ("a", "b")
OWN, YAML, PRESET, RUN = "own", "yaml", "preset:", "run:"
MOST = 50
"""Other runs that a list offers."""
CHANGED = " *"
"""What the name of a recipe with moved limits ends in."""


@dataclass(frozen=True)
class Chosen:
    """One side: where its recipe comes from, its YAML if that was typed, and the limits that were moved."""

    source: str = OWN
    text: str = ""
    moved: Moved = ()


@dataclass(frozen=True)
class Sides:
    """Both sides, for the corpus of a run."""

    of: str = ""
    a: Chosen = field(default_factory=Chosen)
    b: Chosen = field(default_factory=Chosen)

    @property
    def note(self) -> str:
        """The text that the browser keeps."""
        return json.dumps(to_json(self), ensure_ascii=False, separators=(",", ":"))

    def of_side(self, name: str) -> Chosen:
        """The side of a name; ``b`` for any other name than ``a``."""
        return self.a if name == "a" else self.b

    def put(self, name: str, chosen: Chosen) -> Sides:
        """The same with one side changed."""
        return replace(self, a=chosen) if name == "a" else replace(self, b=chosen)


def read(note: str, of: str) -> Sides | None:
    """The sides of a note; nothing when it is of another corpus or cannot be read."""
    try:
        value = table(json.loads(note or "{}"))
    except ValueError:
        return None
    if not of or value.get("of") != of:
        return None
    return Sides(of, *(_chosen(value.get(name)) for name in NAMES))


def _chosen(value: Json) -> Chosen:
    part = table(value)
    pairs = map(listed, listed(part.get("moved")))
    moved = [pair for pair in pairs if len(pair) == 2 and all(map(finite, pair))]
    return Chosen(str(part.get("source") or OWN), str(part.get("text") or ""),
                  tuple((int(index), float(limit)) for index, limit in moved))


def first(of: str, recipe: Recipe) -> Sides:
    """The sides that are shown at first: the recipe of the run against a preset that its values can answer exactly."""
    return Sides(of, Chosen(), Chosen(next((PRESET + name for name in presets() if _fits(recipe, name)), OWN)))


def _fits(recipe: Recipe, name: str) -> bool:
    other = load_recipe(name)
    return (other.language == recipe.language and other.rules != recipe.rules and not differences(recipe, other)
            and all(test.column in columns_of(recipe) for test in other.tests))


def against(of: str, moved: Moved) -> str:
    """A note for the recipe of a run against itself with moved limits; what the Inspect view hands over."""
    return Sides(of, Chosen(), Chosen(moved=moved)).note


def choices(shell: Shell, visitor: str, lang: str, of: str, recipe: Recipe | None) -> list[tuple[str, str]]:
    """(words, source): the recipe of the run, the presets, this visitor's other finished runs, own YAML."""
    found = [(shell.t(lang, "corpus_compare.own", name=recipe.name if recipe else "–"), OWN)]
    found += [(shell.t(lang, f"corpus_filter.preset.{name}"), PRESET + name) for name in presets()]
    runs, _ = shell.service.runs(visitor, task=FILTER, status="succeeded", limit=MOST)
    found += [(shell.t(lang, "corpus_compare.run", title=gloss(lang, run.title) or run.task, run=run.id), RUN + run.id)
              for run in runs if run.id != of]
    return [*found, (shell.t(lang, "corpus_compare.own_yaml"), YAML)]


def base(shell: Shell, visitor: str, corpus: Corpus, chosen: Chosen) -> Side:
    """A side before its limits were moved. Raises ``UserError`` for a source that is not there or not readable."""
    if chosen.source == OWN:
        return Side(corpus.recipe)
    if chosen.source == YAML:
        return Side(_scored(parse_recipe(chosen.text), corpus))
    if chosen.source.startswith(RUN):
        run = shell.service.run(visitor, chosen.source.removeprefix(RUN))
        if run.task != FILTER or run.status != "succeeded":
            raise UserError(f"The run {run.id} is not a filtering run that has succeeded.",
                            advice="Choose another one, or wait until it has ended.")
        return run_side(run.path)
    return Side(_scored(load_recipe(chosen.source.removeprefix(PRESET)), corpus))


def _scored(recipe: Recipe, corpus: Corpus) -> Recipe:
    return recipe.with_scorers(corpus.recipe.scorers)


def side(corpus: Corpus, own: Side, moved: Moved) -> Side:
    """A side with its limits moved: over the values of the corpus then, even when it came from another run."""
    real = tuple((index, limit) for index, limit in moved
                 if not 0 <= index < len(own.recipe.tests) or own.recipe.tests[index].limit != limit)
    if not real:
        return own
    recipe = moved_recipe(own.recipe, real)
    return Side(replace(recipe, name=f"{own.recipe.name.removesuffix(CHANGED)}{CHANGED}"))


def move(chosen: Chosen, index: int, limit: float) -> Chosen:
    """The side with one more limit moved."""
    return replace(chosen, moved=tuple(sorted({**dict(chosen.moved), index: limit}.items())))


def file_name(recipe: Recipe) -> str:
    """A name for the file of a recipe: plain letters, and its hash."""
    plain = re.sub(r"[^\w-]+", "-", recipe.name, flags=re.ASCII).strip("-")[:60] or "recipe"
    return f"{plain}-{recipe.hash[:8]}.yaml"

