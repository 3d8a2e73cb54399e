"""Translators that come with the project, what a folder says of itself, and which model the page begins with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.sm2 import models
from backends.sm2.objective import floor
from backends.sm2.storage import open_translator
from tests.backends.sm2_cases import folder_of
from workbench import hub
from workbench.settings import Settings


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An assets folder of this test's own, with the practice model in it."""
    folder_of(tmp_path / "sm2" / "order-language")
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(models, "ASSETS", tmp_path)
    return tmp_path


def test_the_practice_model_is_there_and_opens() -> None:
    folder = models.folder_of(models.PRACTICE)
    assert folder is not None
    told = models.facts(folder)
    assert told and told.ready and told.title == open_translator(folder).title
    assert told.floor == pytest.approx(floor(0.1))


def test_the_default_is_the_bundled_one_where_it_is_there(assets: Path) -> None:
    assert models.default_model() == models.PRACTICE
    assert models.bundled() == [models.PRACTICE]
    folder_of(assets / "models" / "sm2-tatoeba-en")
    assert models.default_model() == models.BUNDLED
    assert models.bundled() == [models.BUNDLED, models.PRACTICE], "practice stays usable beside it"


def test_a_folder_without_weights_is_not_offered(assets: Path) -> None:
    folder = folder_of(assets / "models" / "sm2-tatoeba-en")
    (folder / "model.safetensors").unlink()
    assert models.folder_of(models.BUNDLED) is None and models.default_model() == models.PRACTICE


@pytest.mark.parametrize("reference", ["bundled:mdfg-zh-quality", "hub:org/name", "run:x/model", "", "path:/x",
                                       "bundled:sm2-none"])
def test_other_references_are_not_ours(reference: str) -> None:
    assert models.folder_of(reference) is None


@pytest.mark.parametrize(("objective", "ready"), [("sm2", True), ("offline", False), ("multipath", False)])
def test_only_a_trained_confidence_takes_thresholds(tmp_path: Path, objective: str, ready: bool) -> None:
    told = models.facts(folder_of(tmp_path / "model", objective=objective))
    assert told and told.ready is ready and told.objective == objective
    assert open_translator(tmp_path / "model").ready is ready, "the page and the task agree"


def test_alpha_of_the_training_sets_the_floor(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["training"] = {"request": {"alpha": 0.5}}
    (folder / "config.json").write_text(json.dumps(config))
    told = models.facts(folder)
    assert told and told.floor == pytest.approx(floor(0.5))


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"model_type": "marian"}', '{"model_type": 3}'])
def test_what_is_no_folder_of_ours_has_no_facts(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    assert models.facts(tmp_path) is None
    assert models.facts(tmp_path / "nothing") is None


@pytest.mark.parametrize("training", ["[]", "{}", '{"request": 3}', '{"request": {"alpha": "much"}}',
                                      '{"request": {"alpha": -1}}'])
def test_a_card_that_was_edited_by_hand_is_read_with_care(tmp_path: Path, training: str) -> None:
    (tmp_path / "config.json").write_text(f'{{"model_type": "sm2", "objective": "sm2", "training": {training}}}')
    told = models.facts(tmp_path)
    assert told and told.alpha == 0.1 and told.title == tmp_path.name


def test_a_translator_is_offered_to_no_dialogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder looks like a model; but it writes no replies."""
    folder_of(tmp_path / "sm2-small")
    monkeypatch.setattr("workbench.hub.BUNDLED", tmp_path)
    found = [card for card in hub.catalogue(Settings()) if card.reference == "bundled:sm2-small"]
    assert [card.kind for card in found] == ["translation"] and not found[0].writes
    assert found[0].title == "a small model" and found[0].parameters > 0


def test_bundled_translators_of_the_project_say_what_they_are() -> None:
    for reference in models.bundled():
        folder = models.folder_of(reference)
        assert folder is not None
        config = json.loads((folder / "config.json").read_text())
        assert config["is_encoder_decoder"] is True and config["model_type"] == "sm2", reference
        front = (folder / "README.md").read_text(encoding="utf-8").split("---\n")[1]
        assert "license: " in front, reference
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 25e6
    assert hub.card(models.BUNDLED, Settings()).languages == ("de", "zh", "en"), "its examples follow from these"
