"""The pages on translation: both languages say the same things, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backends.sm2.models import bundled, facts, folder_of
from backends.sm2.objective import floor
from workbench import registry
from workbench.contract import load

DOCS = Path(__file__).resolve().parents[2] / "assets" / "docs"
PAGES = ("sm2", "translation")
BUNDLED = "bundled:sm2-tatoeba-en"


def texts(name: str) -> tuple[str, str]:
    return tuple((DOCS / f"{name}{end}.md").read_text(encoding="utf-8") for end in ("", ".zh-CN"))  # type: ignore[return-value]


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_have_the_same_sections_tables_and_formulas(name: str) -> None:
    english, chinese = texts(name)
    for mark in (r"^# ", r"^## ", r"^```", r"^\|", r"^\* "):
        assert len(re.findall(mark, english, re.M)) == len(re.findall(mark, chinese, re.M)), mark
    assert len(re.findall(r"^## ", english, re.M)) >= 8
    assert len(re.findall(r"[\u4e00-\u9fff]", chinese)) > 1200 and not re.search(r"[\u4e00-\u9fff]", english)


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_give_the_same_figures_and_names(name: str) -> None:
    english, chinese = texts(name)
    for pattern in (r"(?<![\w.])\d*\.\d+", r"`[^`\n]+`", r"launch\.py [^`\n]+"):
        assert sorted(re.findall(pattern, english)) == sorted(re.findall(pattern, chinese)), pattern


@pytest.mark.parametrize("name", PAGES)
def test_commands_and_tasks_that_are_named_are_there(name: str) -> None:
    for text in texts(name):
        for verb, said in re.findall(r"launch\.py (reproduce|bench) ([\w-]+)", text):
            table = registry.REPRODUCTIONS if verb == "reproduce" else registry.BENCHES
            assert said in table, said
            assert callable(load(table[said]))
        tasks = set(re.findall(r"`((?:sm2|common)\.\w+\.v\d)`", text))
        assert tasks and tasks <= set(registry.tasks())


def test_every_task_of_translation_is_named_twice() -> None:
    """Once where it is introduced, once in the table of what it writes."""
    wanted = {"sm2": [n for n in registry.tasks() if n.startswith("sm2.")],
              "translation": ["common.compare.v1", "common.translate.v1"]}
    for name, tasks in wanted.items():
        for text in texts(name):
            assert not [task for task in tasks if text.count(task) < (2 if name == "sm2" else 1)]


def test_the_example_commands_set_fields_that_exist() -> None:
    for name in PAGES:
        for text in texts(name):
            for task, rest in re.findall(r"launch\.py run (\S+) (.+)", text):
                known = set(registry.task(task).request.__dataclass_fields__)
                assert set(re.findall(r"--set (\w+)=", rest)) <= known


def test_requests_and_artifacts_of_the_table_are_real() -> None:
    """Every plain word in the column of requests is a field of that task's request, where it is written in Latin."""
    english, _ = texts("sm2")
    for task, asked in re.findall(r"^\| `(sm2\.\w+\.v1)` \| ([^|]+) \|", english, re.M):
        known = set(registry.task(task).request.__dataclass_fields__)
        words = [word.strip() for word in asked.split(",")]
        if any("train" in word for word in words) or " " in words[0]:
            continue  # the overview has sentences there
        assert {word for word in words if re.fullmatch(r"[a-z_]+", word)} - {"sizes", "steps"} <= known, task


def test_the_floor_is_the_one_of_the_code() -> None:
    for text in texts("sm2"):
        assert f"{floor(0.1):.4f}".removeprefix("0") in text


def test_models_that_come_with_the_project_are_named_with_their_size() -> None:
    for reference in bundled():
        folder = folder_of(reference)
        assert folder is not None and facts(folder) is not None
        megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        row = next(line for line in texts("sm2")[0].splitlines() if line.startswith(f"| `{reference}`"))
        said = float(re.search(r"([\d.]+) MB", row)[1])  # type: ignore[index]
        assert megabytes <= said + 0.05


def test_limits_are_said_in_both_languages() -> None:
    english, chinese = texts("sm2")
    for word in ("no figure of the paper is claimed", "synthetic", "A threshold is not a latency", "ours"):
        assert word in english, word
    for word in ("对论文中的任何数字不作声明", "合成的", "阈值不是延迟", "我们的"):
        assert word in chinese, word
    english, chinese = texts("translation")
    for word in ("signature", "not told apart", "synthetic", "disagree"):
        assert word in english, word
    for word in ("签名", "分不出高下", "合成的", "意见不一"):
        assert word in chinese, word


@pytest.mark.parametrize("name", PAGES)
def test_no_line_names_a_place_of_one_machine(name: str) -> None:
    for text in texts(name):
        assert not re.search(r"/(?:work|home|root|tmp)/", text)
