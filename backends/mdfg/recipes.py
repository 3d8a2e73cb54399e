"""A recipe: what is measured, which limits drop a document, whether near-duplicates go. YAML with a hash.

``recipe.hash`` is of the meaning (not of name, note or layout), so the same recipe has the same hash wherever it lies,
and a run that names it can be replayed. Presets are the files of ``assets/corpus/recipes``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import yaml

from backends.mdfg.rules.scripts import SCRIPTS
from backends.mdfg.rules.verdicts import MOST_RULES, Test, rule_names
from backends.mdfg.text.splitting import SPLITTERS
from workbench.contract import Json, Knob, UserError, unknown
from workbench.fields import from_json, to_json, validate
from workbench.files import dumps

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "corpus" / "recipes"
DEFAULT = "zh-paper-code"
LARGEST = 200_000
Keep = Literal["quality", "length", "first"]
NearMode = Literal["off", "mark", "drop"]
NEAR = Test("near_duplicate", "dup_keep", "<", 1.0)
"""The rule that ``near.mode: drop`` adds at the end; like every rule it can be written in a recipe itself."""


@dataclass(frozen=True)
class Measure:
    """What is measured of every text. ``lines`` and a ``splitter`` add the values of FineWeb's and Gopher's rules."""

    script: Annotated[str, Knob("Script whose share is measured")] = "han"
    words: Annotated[str, Knob("Word list: none, bundled:zh, bundled:en or a reference", None, 4000)] = "bundled:zh"
    gram: Annotated[int, Knob("Characters of a window of the duplication rule", 2, 200)] = 13
    last_window: Annotated[bool, Knob("Count the last window too; the published code leaves it out")] = False
    lines: Annotated[bool, Knob("Measure lines and paragraphs (FineWeb, Gopher)")] = False
    splitter: Annotated[str, Knob("Cut words by spaces, jieba or characters (empty: no words)")] = ""
    stop_words: Annotated[tuple[str, ...], Knob("Stop words to look for", None, 5000)] = ()
    personal: Annotated[bool, Knob("Count telephone and identity numbers and e-mail addresses")] = True

    def __post_init__(self) -> None:
        validate(self)
        if self.script not in SCRIPTS:
            raise unknown("script", self.script, SCRIPTS)
        if self.splitter and self.splitter not in SPLITTERS:
            raise unknown("word splitter", self.splitter, SPLITTERS)


@dataclass(frozen=True)
class Near:
    """How near-duplicates between documents are found and which one is kept (ours; the paper has no such step)."""

    mode: Annotated[NearMode, Knob("off: not looked for; mark: clusters are found; drop: only the best one "
                                   "of a cluster is kept")] = "mark"
    shingle: Annotated[int, Knob("Characters of a shingle", 1, 50)] = 5
    functions: Annotated[int, Knob("Hash functions", 16, 512)] = 128
    bands: Annotated[int, Knob("Bands", 1, 512)] = 21
    rows: Annotated[int, Knob("Minima of a band", 1, 64)] = 6
    similarity: Annotated[float, Knob("Estimated Jaccard similarity that links two documents", 0.1, 1.0)] = 0.7
    keep: Annotated[Keep, Knob("Which document of a cluster is kept")] = "quality"

    def __post_init__(self) -> None:
        validate(self)
        if self.bands * self.rows > self.functions:
            raise UserError(f"bands x rows is {self.bands * self.rows}; it must be at most functions, which is "
                            f"{self.functions}.", advice="Take fewer bands or rows.")


@dataclass(frozen=True)
class Recipe:
    """The whole recipe. ``scorers`` are references of models that add columns, which rules may use."""

    name: Annotated[str, Knob("Name", 1, 200)]
    language: Annotated[str, Knob("Language code", 1, 20)]
    rules: Annotated[tuple[Test, ...], Knob("Tests in the order of the rules", None, 200)]
    note: Annotated[str, Knob("Where it comes from", None, 4000)] = ""
    measure: Annotated[Measure, Knob("What is measured")] = field(default_factory=Measure)
    near: Annotated[Near, Knob("Near-duplicates")] = field(default_factory=Near)
    scorers: Annotated[tuple[str, ...], Knob("References of scorers", None, 16)] = ()

    def __post_init__(self) -> None:
        validate(self)
        if len(self.names) > MOST_RULES:
            raise UserError(f"The recipe {self.name} has {len(self.names)} rules; it may have at most {MOST_RULES}.",
                            advice="Put tests that belong together under one rule name.")
        for test in self.rules:
            if not math.isfinite(test.limit):
                raise UserError(f"The limit of {test.rule} is {test.limit}; it must be a finite number.")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rules in order."""
        return rule_names(self.tests)

    @property
    def tests(self) -> tuple[Test, ...]:
        """Every test, that of near-duplicates at the end where they are dropped."""
        return (*self.rules, NEAR) if self.near.mode == "drop" and NEAR not in self.rules else self.rules

    @cached_property
    def hash(self) -> str:
        """blake2b of everything that changes a decision, 16 hex digits."""
        meaning = {key: value for key, value in to_json(self).items() if key not in ("name", "note")}
        text = dumps(_sorted(meaning))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def with_scorers(self, scorers: tuple[str, ...]) -> Recipe:
        """The recipe with more scorers, each once."""
        return replace(self, scorers=tuple(dict.fromkeys((*self.scorers, *scorers))))


def _sorted(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value


def presets() -> tuple[str, ...]:
    """Names of the bundled recipes."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load_recipe(text: str) -> Recipe:
    """A recipe from the name of a preset or from YAML text. Raises ``UserError`` saying what is wrong where."""
    name = text.strip() or DEFAULT
    if "\n" not in name and ":" not in name and len(name) <= 80:
        if name not in presets():
            raise unknown("recipe", name, presets())
        return parse_recipe((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return parse_recipe(text)


def parse_recipe(text: str) -> Recipe:
    """A recipe from YAML text (JSON is YAML too)."""
    if len(text) > LARGEST:
        raise UserError(f"The recipe has {len(text):,} characters; at most {LARGEST:,} are read.")
    try:
        value = yaml.load(text, Loader=_Plain)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"The recipe is not valid YAML: {' '.join(str(error).split())[:200]}.",
                        advice="Compare it with a preset.") from error
    if not isinstance(value, Mapping):
        raise UserError("The recipe is not a table of name, language, measure and rules.",
                        advice=f"Write the name of a preset ({', '.join(presets())}) or YAML like theirs.")
    return _recipe({key: inner for key, inner in value.items() if key != "hash"})


class _Plain(yaml.SafeLoader):
    """Plain values only, and no anchors: an alias could be nested until it fills the memory."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read")
        return super().compose_node(parent, index)


def _recipe(value: Mapping[str, Json]) -> Recipe:
    try:
        recipe: Recipe = from_json(Recipe, value)
    except (TypeError, AttributeError) as error:
        raise UserError(f"The recipe has a part of the wrong form ({error}).",
                        advice="Compare it with a preset.") from error
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML with its hash; :func:`load_recipe` gives the same recipe back."""
    value = to_json(recipe)
    tests = value.pop("rules")
    head = yaml.safe_dump({"hash": recipe.hash, **value}, allow_unicode=True, sort_keys=False, width=110)
    lines = [yaml.safe_dump(test, default_flow_style=True, allow_unicode=True, sort_keys=False, width=1000).strip()
             for test in tests]
    return head + ("rules:\n" + "".join(f"  - {line}\n" for line in lines) if lines else "rules: []\n")
