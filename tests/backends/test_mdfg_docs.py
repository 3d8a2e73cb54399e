"""The pages about the method: both languages say the same things, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backends.mdfg.recipes import FOLDER, load_recipe
from backends.mdfg.toxicity_data import TOXIC
from workbench import registry

DOCS = Path(__file__).resolve().parents[2] / "assets" / "docs"
ROOT = DOCS.parent.parent
PAGES = {"en": DOCS / "mdfg.md", "zh": DOCS / "mdfg.zh-CN.md"}
TASKS = ("mdfg.filter.v1", "mdfg.score.v1", "mdfg.train_scorer.v1", "mdfg.toxicity_rounds.v1", "mdfg.domain_rounds.v1",
         "mdfg.index.v1")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {language: path.read_text(encoding="utf-8") for language, path in PAGES.items()}


def figures(text: str) -> list[str]:
    """Measured numbers: those with a point."""
    return sorted(re.findall(r"(?<![\w.])\d?\.\d+", text))


def test_both_pages_have_the_same_sections_tables_and_formulas(texts) -> None:
    english, chinese = texts["en"], texts["zh"]
    for mark in (r"^# ", r"^## ", r"^```", r"^\|", r"^\* "):
        assert len(re.findall(mark, english, re.M)) == len(re.findall(mark, chinese, re.M)), mark
    assert len(re.findall(r"^## ", english, re.M)) >= 10


def test_both_pages_give_the_same_figures(texts) -> None:
    assert figures(texts["en"]) == figures(texts["zh"]) and len(figures(texts["en"])) > 50


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_named_twice_in_each_page(texts, task: str) -> None:
    for text in texts.values():
        assert text.count(task) >= 2, "once in the overview, once in the table of tasks"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_presets_commands_and_modules_that_are_named_are_there(texts, language: str) -> None:
    text = texts[language]
    presets = set(re.findall(r"`((?:zh|en)-[a-z0-9-]+)`", text))
    assert presets == {path.stem for path in FOLDER.glob("*.yaml")}
    assert all(load_recipe(name).name == name for name in presets)
    for verb, name in re.findall(r"launch\.py (reproduce|bench) ([\w-]+)", text):
        assert name in (registry.REPRODUCTIONS if verb == "reproduce" else registry.BENCHES), name
    for name in set(re.findall(r"`(mdfg-[a-z-]+)`", text)):
        assert (ROOT / "assets" / "models" / name).is_dir(), name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_pages_repeat_the_figures_of_the_cards(texts, language: str) -> None:
    for path in sorted((ROOT / "assets" / "models").glob("mdfg-*/README.md")):
        card = path.read_text(encoding="utf-8")
        row = next(line for line in texts[language].splitlines() if line.startswith(f"| `{path.parent.name}`"))
        known = {value.removeprefix("0") for value in re.findall(r"\d\.\d{3}", card)}
        for figure in re.findall(r"(?<!\d)\.\d{3}", row):
            assert figure in known or figure == ".840", (path.parent.name, figure)


def test_weaknesses_are_said_and_the_sample_is_called_synthetic(texts) -> None:
    for word in ("not a toxicity model", "prevalence", "synthetic", "not claimed", "ours"):
        assert word in texts["en"], word
    for word in ("词表不是毒性模型", "合成的", "不作声明", "我们的"):
        assert word in texts["zh"], word
    assert TOXIC == "toxic"


def test_no_line_names_a_place_of_one_machine(texts) -> None:
    for text in texts.values():
        assert not re.search(r"/(?:work|home|root|tmp)/", text)
