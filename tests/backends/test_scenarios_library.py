"""What a scenario run or an import of role cards made, as the library that dialogues are generated from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.sweetiechat.importers import task as importing
from backends.sweetiechat.importers.request import CorpusRequest
from backends.sweetiechat.library import load_library
from backends.sweetiechat.scenarios.library import choose_library, library_of
from tests.backends import importer_cases as cases
from tests.backends.importer_cases import put
from tests.backends.test_scenarios_task import go
from workbench.context import MemoryContext
from workbench.contract import MissingResource, UserError
from workbench.fields import to_json


def test_a_run_is_a_library(tmp_path: Path) -> None:
    context, result = go(tmp_path / "run")
    library = library_of(context.run / "artifacts", "en")
    assert len(library.scenarios) == result.scenarios and len(library.cards) == result.cards
    assert len(library.problems) == 18 and len(library.categories) == 5
    for scenario in library.scenarios:
        assert library.problem(scenario.problem_type_id).category in {c["id"] for c in library.categories}
        assert len(library.cards_of(scenario.id)) == 2
    pairs = library.seeds(())
    assert len(pairs) == 10 and all(card.scenario_id == scenario.id for scenario, card in pairs)
    assert len({scenario.id for scenario, _ in pairs[:5]}) == 5
    one = library.scenarios[0].problem_type_id
    assert {scenario.problem_type_id for scenario, _ in library.seeds((one,))} == {one}


def test_imported_role_cards_are_a_library(home: Path, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    importing.run(CorpusRequest(source=f"path:{put(tmp_path, 'c.json', [cases.ESCEVAL, cases.ESCEVAL_ZH])}"), context)
    english = library_of(context.run / "artifacts", "en")
    chinese = library_of(context.run / "artifacts", "zh")
    assert len(english.scenarios) == len(chinese.scenarios) == 1
    assert english.seeds(())[0][1].occupation == "teacher" and chinese.seeds(())[0][0].language == "zh"
    assert [kind.id for kind in english.problems] == ["relationships_family"]


def test_scenarios_without_cards_and_without_a_pool(tmp_path: Path) -> None:
    bundled = load_library("en")
    put(tmp_path, "scenarios.jsonl", [to_json(scenario) for scenario in bundled.scenarios[:3]])
    library = library_of(tmp_path, "en")
    assert [kind.id for kind in library.problems] == [scenario.problem_type_id for scenario in bundled.scenarios[:3]]
    assert len(library.seeds(())) == 3 and library.seeds(())[0][1].id.endswith("-plain")


def test_cards_of_scenarios_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    bundled = load_library("en")
    put(tmp_path, "scenarios.jsonl", [to_json(bundled.scenarios[0])])
    put(tmp_path, "cards.jsonl", [to_json(card) for card in bundled.cards[:6]])
    assert {card.scenario_id for card in library_of(tmp_path, "en").cards} == {bundled.scenarios[0].id}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_library_has_one_language(tmp_path: Path, language: str) -> None:
    every = [*load_library("en").scenarios[:2], *load_library("zh").scenarios[:2]]
    put(tmp_path, "scenarios.jsonl", [to_json(scenario) for scenario in every])
    assert {scenario.language for scenario in library_of(tmp_path, language).scenarios} == {language}


def test_what_is_missing_or_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match=r"has no scenarios\.jsonl"):
        library_of(tmp_path, "en")
    put(tmp_path, "scenarios.jsonl", [to_json(load_library("zh").scenarios[0])])
    with pytest.raises(UserError, match="None of the 1 scenarios is in the language en"):
        library_of(tmp_path, "en")
    put(tmp_path, "pool.json", "{broken")
    with pytest.raises(UserError, match=r"pool\.json cannot be read"):
        library_of(tmp_path, "zh")
    put(tmp_path, "scenarios.jsonl", [{**to_json(load_library("zh").scenarios[0]), "intensity_0": 9}])
    with pytest.raises(UserError, match="intensity_0 is 9"):
        library_of(tmp_path, "zh")


def test_a_pool_of_a_run_names_types_that_have_no_scenario_yet(tmp_path: Path) -> None:
    context, _ = go(tmp_path / "run")
    folder = context.run / "artifacts"
    lines = (folder / "scenarios.jsonl").read_text(encoding="utf-8").splitlines()
    put(folder, "scenarios.jsonl", [json.loads(lines[0])])
    assert len(library_of(folder, "en").problems) == 18


def test_a_request_names_a_run_of_its_home_or_nothing(tmp_path: Path) -> None:
    name = "20250102T030405-a1b2c3"
    go(tmp_path / name)
    mine = tmp_path / "20250102T030406-ffffff"
    assert choose_library("", "en", mine) == load_library("en")
    assert choose_library(f" {name} ", "en", mine) == library_of(tmp_path / name / "artifacts", "en")
    with pytest.raises(MissingResource, match="20250101T000000-000000 has no scenarios"):
        choose_library("20250101T000000-000000", "en", mine)


@pytest.mark.parametrize(
    "name", ["../../etc", "a/b", "run", "20250102T030405-a1b2c3/..", "20250102T030405-XYZ123", "."]
)
def test_a_library_is_never_read_from_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="it must be empty"):
        choose_library(name, "en", tmp_path / "run")
