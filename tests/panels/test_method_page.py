"""The page of a method inside its tab: there for every method, in both languages, and never markup from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from panels.method_page import DOCS, page
from workbench import registry

METHODS = sorted({name.split(".")[0] for name in registry.tasks()} - {"common"})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_every_method_has_a_page_in_both_languages(method: str, lang: str) -> None:
    text = page(method, lang)
    assert text.startswith("# ")
    chinese = len(re.findall(r"[\u4e00-\u9fff]", text))
    assert (chinese > 300) == (lang == "zh-CN")


@pytest.mark.parametrize("method", METHODS)
def test_it_names_every_task_of_the_method(method: str) -> None:
    names = [name for name in registry.tasks() if name.startswith(f"{method}.")]
    for lang in ("en", "zh-CN"):
        assert not [name for name in names if name not in page(method, lang)]


def test_a_language_without_a_page_gets_the_english_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.md").write_text("# English\n")
    monkeypatch.setattr("panels.method_page.DOCS", tmp_path)
    assert page("m", "zh-CN") == page("m", "en") == "# English\n"


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda p: p.name)
def test_the_pages_link_only_to_what_is_there(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_both_languages_have_the_same_sections_and_formulas() -> None:
    for method in METHODS:
        pages = [page(method, lang) for lang in ("en", "zh-CN")]
        assert len({text.count("\n## ") for text in pages}) == 1
        assert len({text.count("```") for text in pages}) == 1
