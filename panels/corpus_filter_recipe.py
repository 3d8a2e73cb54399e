"""The recipe of the form as it is written: checked at once, and shown as a sheet, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backends.mdfg.explore.measured import not_measured
from backends.mdfg.recipes import Recipe, load_recipe
from workbench.contract import UserError
from workbench.text import known, say
from workbench.widgets.corpus_recipe import plain, sheet, wrong

ASKED = ("script", "words", "gram", "last_window", "splitter", "stop_words")


def shown(text: str, scorers: Sequence[str], near: str, lang: str) -> str:
    """The sheet of a recipe with what the form adds to it (scorers, near-duplicates), or why it is none."""
    try:
        recipe = load_recipe(text).with_scorers(tuple(str(name) for name in scorers))
        if near != "recipe":
            recipe = replace(recipe, near=replace(recipe.near, mode=mode_of(near)))
    except UserError as error:
        return wrong(error.message, str(error).removeprefix(error.message).strip(), lang)
    return described(recipe, lang)


def mode_of(near: str) -> Any:
    """A mode of near-duplicates; what is none of the form's choices leaves them unmarked."""
    return near if near in ("mark", "drop") else "off"


def described(recipe: Recipe, lang: str) -> str:
    """A recipe as a sheet."""
    warnings = [say(lang, "corpus_filter.not_measured", rule=test.rule, column=test.column)
                for test in not_measured(recipe)]
    facts = [(say(lang, f"corpus_filter.set.{name}"), plain(value, lang)) for name in ASKED
             if (value := getattr(recipe.measure, name)) not in ("", ())]
    near = recipe.near
    words = say(lang, f"corpus_filter.knob.near_duplicates.{near.mode}")
    if near.mode != "off":
        words = say(lang, "corpus_filter.set.near.words", mode=words, similarity=f"{near.similarity:g}",
                    keep=say(lang, f"corpus_filter.keep.{near.keep}"), functions=near.functions, shingle=near.shingle)
    facts += [(say(lang, "corpus_filter.set.near"), words),
              (say(lang, "corpus_filter.scorers"), ", ".join(name.removeprefix("bundled:") for name in recipe.scorers))]
    key = f"corpus_filter.note.{recipe.name}"
    note = say(lang, key) if known(key) else recipe.note
    return sheet(recipe.tests, facts, warnings, note, recipe.hash, lang)
