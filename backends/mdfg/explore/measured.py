"""Which values a recipe measures, and which of its settings each value depends on.

A limit can be moved over stored values without a new run only while the values mean the same: ``dup_ratio`` of windows
of 13 characters says nothing about windows of 5. :func:`differences` finds such settings for two recipes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.mdfg.recipes import Recipe
from backends.mdfg.records import GIVEN_COLUMNS
from backends.mdfg.rules import lines, words
from backends.mdfg.rules.verdicts import Test
from workbench.contract import Json

ALWAYS = ("n_chars", "n_lines", "mean_line", "script_ratio", "trad_changes", "trad_chars", "trad_ratio",
          "sens_distinct", "sens_hits", "sens_ratio", "sens_rate", "dup_ratio")
PERSONAL = ("phones", "identities", "emails")
NEAR = ("dup_cluster", "dup_keep", "dup_size")
GIVEN = tuple(name for name in GIVEN_COLUMNS if name in ("given.quality", "given.toxicity", "given.toxic"))
"""Imported values that are numbers; a rule may use them."""
_WINDOWS, _WORDS = ("measure.gram", "measure.last_window"), ("measure.words",)
_NEAR = tuple(f"near.{name}" for name in ("shingle", "functions", "bands", "rows", "similarity"))
SETTINGS: Mapping[str, Sequence[str]] = {
    "script_ratio": ("measure.script",), "trad_ratio": ("measure.script",),
    "trad_changes": ("measure.script",), "trad_chars": ("measure.script",),
    **dict.fromkeys(("sens_distinct", "sens_hits", "sens_ratio", "sens_rate"), _WORDS),
    "dup_ratio": _WINDOWS,
    **dict.fromkeys(words.COLUMNS, ("measure.splitter",)), "stop_words": ("measure.splitter", "measure.stop_words"),
    "dup_cluster": _NEAR, "dup_size": _NEAR, "dup_keep": (*_NEAR, "near.keep", "rules")}
"""Settings by value. ``dup_keep`` depends on the other rules too: the best document is looked for among those that they
keep. Values of scorers depend on ``scorers``; values that are not listed depend on the text alone."""


@dataclass(frozen=True)
class Difference:
    """A value that was measured otherwise than a recipe wants: the setting, what it was, what it should be."""

    column: str
    setting: str
    was: Json
    wanted: Json


def columns_of(recipe: Recipe) -> frozenset[str]:
    """Names of the numbers that a run of the recipe stores, without those of its scorers."""
    found = [*ALWAYS, *GIVEN]
    found += PERSONAL if recipe.measure.personal else ()
    found += lines.COLUMNS if recipe.measure.lines else ()
    found += words.COLUMNS if recipe.measure.splitter else ()
    found += NEAR if recipe.near.mode != "off" else ()
    return frozenset(found)


def not_measured(recipe: Recipe) -> tuple[Test, ...]:
    """Tests whose value the recipe does not measure itself; with scorers in it, only values that no scorer can give
    (a scorer's value has a dot in its name)."""
    known = columns_of(recipe)
    return tuple(test for test in recipe.tests
                 if test.column not in known and not (recipe.scorers and "." in test.column))


def differences(was: Recipe, wanted: Recipe) -> tuple[Difference, ...]:
    """For every value that the tests of ``wanted`` read: settings under which ``was`` measured it otherwise."""
    found = []
    for column in dict.fromkeys(test.column for test in wanted.tests):
        scored = "." in column and not column.startswith("given.")
        for setting in ("scorers",) if scored else SETTINGS.get(column, ()):
            before, after = setting_of(was, setting), setting_of(wanted, setting)
            if before != after:
                found.append(Difference(column, setting, before, after))
    return tuple(found)


def setting_of(recipe: Recipe, setting: str) -> Json:
    """The value of ``measure.gram``, ``near.keep``, ``scorers``; of ``rules`` those that decide which documents of a
    cluster may be kept."""
    if setting == "rules":
        return tuple(test for test in recipe.tests if test.column not in NEAR)
    if setting == "scorers":
        return tuple(sorted(recipe.scorers))
    part, _, name = setting.partition(".")
    return getattr(getattr(recipe, part), name)
