"""WMT's own files on the page: Chinese under two tokenisers, and a reference that was made from a system."""

from __future__ import annotations

from pathlib import Path

import pytest

from panels import translation_compare_data as data
from panels import translation_compare_draw as draw
from panels import translation_compare_held as holding
from panels.translation_compare_data import Compared
from panels.translation_compare_look import Look
from tests.panels.compare_cases import finished, parsed

LANGS = ("en", "zh-CN")


def place(shared: Path, name: str, pair: str = "en-zh") -> str:
    """The reference of a file of WMT22."""
    return f"path:{shared}/mt/wmt22/{pair}/generaltest2022.{pair}.{name}"


def chinese(shared: Path, folder: Path, tokenizer: str, *references: str) -> Compared:
    """Two systems into Chinese against some of WMT's references."""
    names = [f"hyp.{name}.zh" for name in ("LanguageX", "Online-B")]
    files = [*names, *(f"ref.{letter}.zh" for letter in references), "src.en"]
    return finished(folder, files=tuple(place(shared, name) for name in files), tokenizer=tokenizer, language="zh",
                    metrics=("bleu",), resamples=0, trials=20)


def warned(html: str, kind: str) -> int:
    return sum(str(a.get("class")) == kind for _, a in parsed(html).tags)


@pytest.mark.parametrize(("tokenizer", "score", "warnings"), [("", "54.35", 0), ("13a", "20.31", 1)])
def test_chinese_under_13a_is_warned_of_beside_its_score(
    tokenizer: str, score: str, warnings: int, shared: Path, tmp_path: Path
) -> None:
    of = chinese(shared, tmp_path, tokenizer, "A")
    for lang in LANGS:
        html = draw.verdict(of, Look(), lang)
        assert f"<b>{score}</b>" in html and warned(html, "mt-warn") == warnings and warned(html, "mt-bias") == 0
        assert f"tok:{tokenizer or 'zh'}|" in html
    assert ("far too low" in draw.verdict(of, Look(), "en")) is bool(warnings)


def test_the_reference_that_was_made_from_a_system_is_told_first(shared: Path, tmp_path: Path) -> None:
    of = chinese(shared, tmp_path, "13a", "A", "B")
    html = draw.verdict(of, Look(), "en")
    assert warned(html, "mt-bias") == 1 and html.index('"mt-bias"') < html.index('"mt-warn"') < html.index("mt-systems")
    assert "ref B looks made from Online-B" in html and "favour Online-B" in html
    assert data.rows(of, "bleu")[0].system == "Online-B" and "nrefs:2" in html


@pytest.mark.parametrize(("tokenizer", "warns"), [("", False), ("zh", False), ("13a", True), ("char", False)])
def test_the_tokeniser_is_shown_before_anything_is_compared(tokenizer: str, warns: bool, shared: Path) -> None:
    lines = [Path(place(shared, name).removeprefix("path:")).read_text(encoding="utf-8").split("\n")[:60]
             for name in ("hyp.LanguageX.zh", "ref.A.zh")]
    uploads = [holding.Opened(holding.Upload(name, "\n".join(text).encode(), role),
                              holding.read_table(name, "\n".join(text).encode()))
               for name, text, role in zip(("LanguageX.txt", "ref.txt"), lines, ("system", "reference"), strict=True)]
    words, warning = holding.token(holding.side_by_side(uploads), "", tokenizer, "en")
    assert (tokenizer or "zh") in words and ("far too low" in warning) is warns
