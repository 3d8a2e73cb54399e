"""Verdicts under moved limits: the mask of failed rules as SQL over stored values, and the recipe that says the same.

mask = sum over rules i of 2^i where a test of rule i drops the document, first = index of the lowest bit, as in
:func:`backends.mdfg.rules.verdicts.decide`; nothing is measured again. Which document of a cluster of near-duplicates
is kept was chosen by the run under its own limits and stays: a run of the moved recipe may choose another one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from backends.mdfg.recipes import NEAR, Recipe
from backends.mdfg.rules.verdicts import Test, rule_names
from workbench.contract import UserError

Moved = tuple[tuple[int, float], ...]
"""Index of a test in ``recipe.tests``, and its limit now."""


def quoted(name: str) -> str:
    """A column's name as SQL, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def moved_tests(recipe: Recipe, moved: Moved) -> tuple[Test, ...]:
    """The tests with their limits now. Raises ``UserError`` for a test that is not there or a limit that is none."""
    tests = list(recipe.tests)
    for index, limit in moved:
        if not 0 <= index < len(tests):
            raise UserError(f"The recipe has no test {index}; its tests are 0 to {len(tests) - 1}.",
                            advice="Take the limits of another recipe out of the address.")
        if not math.isfinite(limit):
            raise UserError(f"The limit of {tests[index].rule} is {limit}; it must be a finite number.")
        tests[index] = replace(tests[index], limit=float(limit))
    return tuple(tests)


def moved_recipe(recipe: Recipe, moved: Moved, name: str = "") -> Recipe:
    """The recipe with the limits as they are now, to be saved and run. The test that drops near-duplicates has no limit
    of its own and must stay."""
    tests = moved_tests(recipe, moved)
    fixed = NEAR not in recipe.rules and NEAR in recipe.tests
    if fixed and tests[-1] != NEAR:
        raise UserError(f"The limit of {NEAR.rule} is {tests[-1].limit:g}; a recipe that drops near-duplicates has it "
                        f"at {NEAR.limit:g}.", advice="Move it back.")
    return replace(recipe, rules=tests[:-1] if fixed else tests, name=name or recipe.name)


def condition(test: Test, single: Collection[str]) -> str:
    """A test as SQL. A column of 32-bit floats is compared with the limit as a 32-bit float, as the run does."""
    return (replace(test, limit=float(np.float32(test.limit))) if test.column in single else test).sql


def mask_sql(tests: Sequence[Test], single: Collection[str]) -> str:
    """The mask of failed rules as an SQL expression over ``docs`` (UINTEGER)."""
    return " | ".join(_bits(tests, single, rule_names(tests))) or "0::UINTEGER"


def moved_mask_sql(recipe: Recipe, moved: Moved, single: Collection[str]) -> str:
    """The same under moved limits; the bits of rules without a moved test are those that ``docs`` holds."""
    tests = moved_tests(recipe, moved)
    changed = {test.rule for test, was in zip(tests, recipe.tests, strict=True) if test != was}
    stay = sum(1 << bit for bit, rule in enumerate(recipe.names) if rule not in changed)
    return " | ".join([f"(rule_fail & {stay}::UINTEGER)", *_bits(tests, single, changed)])


def _bits(tests: Sequence[Test], single: Collection[str], rules: Collection[str]) -> list[str]:
    """One expression a rule. A comparison with a missing value is NULL, which CASE takes for false."""
    return [f"(CASE WHEN {' OR '.join(_bare(test, single) for test in tests if test.rule == rule)} "
            f"THEN {1 << bit}::UINTEGER ELSE 0::UINTEGER END)"
            for bit, rule in enumerate(rule_names(tests)) if rule in rules]


def _bare(test: Test, single: Collection[str]) -> str:
    limit = float(np.float32(test.limit)) if test.column in single else float(test.limit)
    return f"{quoted(test.column)} {test.drop_if} '{limit!r}'::DOUBLE"


def verdicts_sql(recipe: Recipe, moved: Moved, single: Collection[str]) -> str:
    """SELECT of ``rule_fail``, ``first_fail`` and ``kept`` under moved limits, one row a document of ``docs``."""
    lowest = "log2(greatest(rule_fail::BIGINT & (-(rule_fail::BIGINT)), 1))::TINYINT"
    first = f"CASE WHEN rule_fail = 0 THEN -1::TINYINT ELSE {lowest} END"
    return (f"SELECT rule_fail, {first} AS first_fail, rule_fail = 0 AS kept "
            f"FROM (SELECT {moved_mask_sql(recipe, moved, single)} AS rule_fail FROM docs)")


def joined_sql(tables: Sequence[str], verdicts: str = "", made: str = "") -> str:
    """What to write after FROM: ``docs`` side by side with tables of one row a document each, which lie in the database
    ``made``; ``verdicts``, if there is one, takes the place of the verdicts in ``docs``."""
    joined = " POSITIONAL JOIN ".join(("docs", *(f"{made}{table}" for table in (*tables, verdicts) if table)))
    if not verdicts:
        return joined
    others = ", ".join(("docs.* EXCLUDE (rule_fail, first_fail, kept)", *(f"{table}.*" for table in tables)))
    return f"(SELECT {others}, {verdicts}.* FROM {joined})"
