"""What every Train view shows alike: the head of a run, who may steer it, the card of its model, lists of runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from panels import train_parts as parts
from tests.panels.test_dialogue_wiring import ANN, BOB
from tests.panels.translation_runs import artifact, put
from workbench import shell as page_shell
from workbench.runs import Run
from workbench.settings import Settings


@pytest.fixture
def run(settings: Settings) -> Run:
    return put(settings, "sm2.train.v1", {}, {}, title="<b>Mine</b>")


def test_the_head_has_title_status_and_progress(run: Run) -> None:
    html = parts.head(replace(run, status="running", step=3, total=10, message="step 3"), "en")
    assert "&lt;b&gt;Mine&lt;/b&gt;" in html and "<b>Mine" not in html and "30%" in html and "step 3" in html


def test_the_last_message_of_a_run_that_succeeded_says_nothing(run: Run) -> None:
    assert "step 9" not in parts.head(replace(run, status="succeeded", message="step 9"), "en")
    assert "step 9" in parts.head(replace(run, status="cancelled", message="step 9"), "en")


def test_a_failure_comes_with_its_advice(run: Run) -> None:
    failure = {"class": "user error", "cause": "The loss is nan.", "advice": "Choose a smaller rate."}
    html = parts.head(replace(run, status="failed", failure=failure), "en")
    assert "The loss is nan." in html and "Choose a smaller rate." in html


def test_a_run_without_a_title_is_called_by_its_task(run: Run) -> None:
    assert "sm2.train.v1" in parts.head(replace(run, title=""), "zh-CN")


@pytest.mark.parametrize(("status", "stop", "go_on"), [
    ("queued", True, False), ("running", True, False), ("paused", True, True), ("succeeded", False, False),
    ("failed", False, True), ("cancelled", False, True), ("lost", False, True)])
def test_only_its_owner_steers_a_run(run: Run, status: str, stop: bool, go_on: bool) -> None:
    shown = replace(run, status=status)  # type: ignore[arg-type]
    assert parts.steering(shown, ANN) == {"stop": stop, "continue": go_on}
    assert parts.steering(shown, BOB) == {"stop": False, "continue": False}


def test_a_sheet_escapes_its_title_and_keeps_its_figures() -> None:
    html = parts.sheet("<i>", "<span>badge</span>", "<table></table>")
    assert "&lt;i&gt;" in html and "<span>badge</span>" in html and "<table></table>" in html


def test_the_card_is_folded_escaped_and_without_its_front_matter(run: Run) -> None:
    assert parts.card(run, "Card") == ""
    folder = run.path / "artifacts" / "model"
    folder.mkdir()
    artifact(run, "model", "model")
    assert parts.card(run, "Card") == "", "a model without a card"
    (folder / "README.md").write_text("---\nlicense: x\n---\n\n# <b>Mine</b>\n" + "long " * 5000, encoding="utf-8")
    html = parts.card(run, "Card")
    assert html.startswith("<details") and "license" not in html and "&lt;b&gt;" in html and "<b>Mine" not in html
    assert len(html) < parts.CARD_CHARACTERS + 300


def test_the_first_product_with_a_card_gives_it(run: Run) -> None:
    for name in ("model", "adapter"):
        (run.path / "artifacts" / name).mkdir()
        artifact(run, name, "model")
    (run.path / "artifacts" / "adapter" / "README.md").write_text("The adapter.", encoding="utf-8")
    assert "The adapter." in parts.card(run, "Card", ("model", "adapter")) and parts.card(run, "Card") == ""


def test_a_card_that_is_no_text_is_left_out(run: Run, tmp_path: Path) -> None:
    (run.path / "artifacts" / "model" / "README.md").mkdir(parents=True)
    artifact(run, "model", "model")
    assert parts.card(run, "Card") == ""


def test_lists_hold_the_runs_of_several_tasks_newest_first(shell: page_shell.PageShell) -> None:
    settings = shell.service.settings
    mine = [put(settings, task, {}, None) for task in ("sm2.train.v1", "sm2.curve.v1", "sm2.train.v1")]
    put(settings, "sm2.train.v1", {}, None, owner=BOB)
    put(settings, "sm2.states.v1", {}, None)
    shell.service.index.sync()
    found = parts.newest(shell, ANN, ("sm2.train.v1", "sm2.curve.v1"), 10)
    assert {run.id for run in found} == {run.id for run in mine}
    times = [run.created for run in found]
    assert times == sorted(times, reverse=True)
    assert len(parts.newest(shell, ANN, ("sm2.train.v1",), 1)) == 1
