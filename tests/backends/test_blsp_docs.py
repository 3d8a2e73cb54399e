"""The pages about BLSP-Emo: both languages say the same things, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backends.blsp_emo import refusal
from backends.blsp_emo.lengths import speech_tokens
from backends.blsp_emo.requests import TAUGHT, WHISPER
from backends.common.speech.practice import CLIPS
from workbench import hub, registry
from workbench.contract import load

DOCS = Path(__file__).resolve().parents[2] / "assets" / "docs"
TASKS = [name for name in registry.tasks() if name.startswith("blsp_emo.")]


@pytest.fixture(scope="module")
def texts() -> tuple[str, str]:
    return tuple((DOCS / f"blsp_emo{end}.md").read_text(encoding="utf-8") for end in ("", ".zh-CN"))  # type: ignore[return-value]


def test_both_languages_have_the_same_sections_tables_and_formulas(texts: tuple[str, str]) -> None:
    english, chinese = texts
    for mark in (r"^# ", r"^## ", r"^```", r"^\|", r"^\* "):
        assert len(re.findall(mark, english, re.M)) == len(re.findall(mark, chinese, re.M)), mark
    assert len(re.findall(r"^## ", english, re.M)) >= 8
    assert len(re.findall(r"[\u4e00-\u9fff]", chinese)) > 1200 and not re.search(r"[\u4e00-\u9fff]", english)


def test_both_languages_give_the_same_figures_and_names(texts: tuple[str, str]) -> None:
    english, chinese = texts
    for pattern in (r"(?<![\w.])\d*\.\d+", r"`[^`\n]+`", r"launch\.py [^`\n]+", r"\d+ %"):
        assert sorted(re.findall(pattern, english)) == sorted(re.findall(pattern, chinese)), pattern


def test_commands_that_are_named_are_there(texts: tuple[str, str]) -> None:
    for text in texts:
        named = re.findall(r"launch\.py (reproduce|bench) ([\w-]+)", text)
        assert {name for _, name in named} >= {"blsp-emo", "ser", "speech"}
        for verb, said in named:
            table = registry.REPRODUCTIONS if verb == "reproduce" else registry.BENCHES
            assert callable(load(table[said])), said


def test_every_task_is_named_twice_and_no_other(texts: tuple[str, str]) -> None:
    for text in texts:
        assert not [task for task in TASKS if text.count(f"`{task}`") < 2]
        assert set(re.findall(r"`(blsp_emo\.\w+\.v\d)`", text)) == set(TASKS)


def test_the_requests_of_the_table_are_fields(texts: tuple[str, str]) -> None:
    for text, title in zip(texts, ("## Tasks", "## 任务"), strict=True):
        rows = re.findall(r"^\| `(blsp_emo\.\w+\.v1)` \| ([^|]+) \| ", text[text.index(title):], re.M)
        assert [task for task, _ in rows] == TASKS
        for task, words in rows:
            known = set(registry.task(task).request.__dataclass_fields__)
            assert {word.strip() for word in words.split(",")} <= known, task


def test_the_example_sets_fields_that_exist(texts: tuple[str, str]) -> None:
    for text in texts:
        for task, rest in re.findall(r"launch\.py run (\S+) (.+)", text):
            assert set(re.findall(r"--set (\w+)=", rest)) <= set(registry.task(task).request.__dataclass_fields__)


def test_figures_of_the_method_are_those_of_the_code(texts: tuple[str, str]) -> None:
    assert speech_tokens(1600) == 100 and "6.25" in texts[0], "16 seconds are 100 tokens"
    assert len(refusal.PUBLISHED) == 5 and len(refusal.OWN) == 3 and "five patterns" in texts[0]
    assert len(CLIPS.read_text(encoding="utf-8").splitlines()) == 8


def test_models_that_are_named_are_known(texts: tuple[str, str]) -> None:
    for text in texts:
        assert TAUGHT in text and WHISPER in text
        for name in re.findall(r"`((?:bundled|package|hub):[^`]+)`", text):
            assert str(hub.parse(name)) == name


def test_limits_are_said_in_both_languages(texts: tuple[str, str]) -> None:
    english, chinese = texts
    for word in ("is claimed", "no diagnosis", "synthetic", "41.6 %", "https", "does not know surprise"):
        assert word in " ".join(english.split()), word
    for word in ("不作声明", "不是诊断", "合成", "41.6 %", "https", "不认识惊讶"):
        assert word in chinese, word


def test_no_line_names_a_place_of_one_machine(texts: tuple[str, str]) -> None:
    for text in texts:
        assert not re.search(r"/(?:work|home|root|tmp)/", text)
