"""What views of a run share: the list of earlier ones, one look of the timer, the result that is looked into, forms."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from panels import drawn_form, look_notes, result_view, run_list, run_watch
from panels.form_fields import Form
from panels.result_files import stamps
from panels.result_view import Reader, View
from panels.run_watch import Parts
from tests.panels.test_dialogue_panel import skipped
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, asking, tabs_around
from tests.panels.translation_runs import put as put_run
from workbench import text
from workbench.contract import Json, UserError
from workbench.runs import Run
from workbench.shell import PageShell
from workbench.widgets.loose import pairs

TASK, ANOTHER = "sm2.train.v1", "sm2.curve.v1"


def put(shell: PageShell, task: str = TASK, result: Mapping[str, Json] | None = None, **more: Any) -> Run:
    """A run of Ann's, known to the index."""
    run = put_run(shell.service.settings, task, {}, result, **more)
    shell.service.index.sync()
    return shell.service.run(str(more.get("owner", ANN)), run.id)


# --- the list of earlier runs ---


def test_a_run_is_called_by_its_title_with_its_id_or_its_time(shell: PageShell) -> None:
    run = put(shell, title="Quiet <b>")
    assert run_list.line(run, "en") == f"Quiet <b> · {run.id}"
    assert run_list.dated(run, "en") == f"Quiet <b> · {run_list.when(run)}" and len(run_list.when(run)) == 16
    assert run_list.line(replace(run, title=""), "en") == f"{TASK} · {run.id}"
    assert run_list.when(replace(run, created=None)).startswith("19"), "a run without a time has one all the same"


def test_the_newest_of_this_visitors_runs_are_offered(shell: PageShell) -> None:
    settings = shell.service.settings
    found = [put_run(settings, task, {}, None, title=f"Run {number}") for number, task in
             enumerate((TASK, ANOTHER, TASK, "sm2.states.v1"))]
    put_run(settings, TASK, {}, None, owner=BOB)
    shell.service.index.sync()
    offered = run_list.choices(shell, ANN, "en", (TASK, ANOTHER), 10)
    assert {run_id for _, run_id in offered} == {run.id for run in found[:3]}
    times = [shell.service.run(ANN, run_id).created or 0 for _, run_id in offered]
    assert times == sorted(times, reverse=True)
    assert len(run_list.choices(shell, ANN, "en", (TASK, ANOTHER), 1)) == 2, "one of each task"
    assert run_list.choices(shell, ANN, "en", (), 10) == []


def test_the_list_shows_the_run_of_the_view_and_choosing_another_shows_that(shell: PageShell) -> None:
    asked = []

    def offered(of: Any, visitor: str, lang: str) -> list[tuple[str, str]]:
        asked.append((of, visitor, lang))
        return [("One", "r-1")]
    with gr.Blocks() as page:
        run, earlier = gr.Textbox("", visible=False), gr.Dropdown([])
        run_list.wire(shell, run, earlier, [run.change, earlier.focus], offered)
    fill, choose = (block.fn for block in page.fns.values())
    assert fill.__name__ == "list_runs" and {block.api_visibility for block in page.fns.values()} == {"private"}
    assert fill("r-1", asking(lang="zh-CN")) == gr.update(choices=[("One", "r-1")], value="r-1")
    assert fill("", asking())["value"] is None
    assert asked == [(shell, ANN, "zh-CN"), (shell, ANN, "en")]
    assert (choose("r-2"), choose(None)) == ("r-2", "")


# --- one look of the timer ---

PARTS = Parts(("head", "body"), ("stop",), {"done": ""}, refusal="body")
LOOK: Mapping[str, Json] = {"head": "<b>Head</b>", "body": "", "stop": True, "done": "r"}


def look_at(run_id: str, sent: str, look: Mapping[str, Json] = LOOK, lang: str = "en") -> Any:
    return run_watch.tick(PARTS, run_id, sent, lang, lambda: look, lambda found: found)


def test_a_view_without_a_run_is_emptied_once() -> None:
    assert PARTS.empty == {"head": "", "body": "", "stop": False, "done": ""}
    assert list(PARTS.empty) == list(LOOK), "in the order in which parts are sent"
    assert skipped(look_at("", "")) and skipped(look_at("", "{}"))
    *_, sent = look_at("r", "{}")
    head, body, stop, done, note = look_at("", sent)
    assert (head, body, done, note) == ("", "", "", "{}") and stop["visible"] is False


def test_only_what_has_changed_is_sent() -> None:
    head, body, stop, done, sent = look_at("r", "{}")
    assert (head, body, done) == ("<b>Head</b>", "", "r") and stop["visible"] is True
    assert all(skipped(part) for part in look_at("r", sent))
    again = look_at("r", sent, {**LOOK, "body": "new"})
    assert [skipped(part) for part in again] == [True, False, True, True, False] and again[1] == "new"
    for other in (look_at("r", sent, lang="zh-CN"), look_at("r2", sent)):
        assert not any(skipped(part) for part in other), "another language or run is sent whole"


def test_why_a_run_cannot_be_read_is_said_in_its_place_once() -> None:
    def refused() -> Any:
        raise UserError("There is no run <x>.", advice="Choose another.")
    head, body, stop, done, sent = run_watch.tick(PARTS, "x", "{}", "en", refused, lambda found: LOOK)
    assert "no run &lt;x&gt;" in body and "Choose another" in body
    assert (head, done) == ("", "") and stop["visible"] is False
    assert all(skipped(part) for part in run_watch.tick(PARTS, "x", sent, "en", refused, lambda found: LOOK))


def test_what_goes_wrong_while_drawing_is_no_refusal() -> None:
    def broken(found: Any) -> Any:
        raise UserError("Bad drawing.")
    with pytest.raises(UserError, match="Bad drawing"):
        run_watch.tick(PARTS, "r", "{}", "en", lambda: None, broken)


@pytest.mark.parametrize(("status", "given"), [("succeeded", "['made']"), ("running", "[]"), ("failed", "[]")])
def test_products_are_asked_for_once_a_run_has_succeeded(shell: PageShell, status: str, given: str) -> None:
    run = put(shell, status=status)

    def looks(of: Run, made: list[str], visitor: str, lang: str) -> dict[str, Json]:
        return {**LOOK, "head": f"{of.status} {made} {visitor == ANN} {lang}"}
    head, *_ = run_watch.tick_result(PARTS, shell, run.id, "{}", asking(lang="zh-CN"), lambda *_: ["made"], looks)
    assert head == f"{of_index(shell, run).status} {given} True zh-CN"
    _, body, *_ = run_watch.tick_result(PARTS, shell, run.id, "{}", asking(OTHER), lambda *_: ["made"], looks)
    assert "There is no run" in body, "it is somebody else's"
    assert skipped(run_watch.tick_result(PARTS, shell, "", "{}", asking(), lambda *_: ["made"], looks))


def of_index(shell: PageShell, run: Run) -> Run:
    return shell.service.run(ANN, run.id)


# --- files of a result ---


def test_the_stamps_of_files_change_with_them_and_a_lost_one_is_named(shell: PageShell) -> None:
    run = put(shell)
    folder = run.path / "artifacts"
    folder.mkdir(exist_ok=True)
    for name in ("a.json", "b.jsonl"):
        (folder / name).write_text("{}")
    first = stamps(run, ("a.json", "b.jsonl"), "scores", "Measure again.")
    assert len(first) == 2 and first == stamps(run, ("a.json", "b.jsonl"), "scores", "Measure again.")
    os.utime(folder / "b.jsonl", ns=(5, 5))
    assert stamps(run, ("a.json", "b.jsonl"), "scores", "") == [first[0], 5]
    (folder / "b.jsonl").unlink()
    with pytest.raises(UserError, match=r"has no scores to show: b\.jsonl is missing") as told:
        stamps(run, ("a.json", "b.jsonl"), "scores", "Measure again.")
    assert told.value.advice == "Measure again."


# --- a result that is looked into ---


@dataclass(frozen=True)
class Look:
    """What is looked at in the toy result: a page of numbers, the opened one."""

    of: str = ""
    page: int = 0
    open: int = -1
    search: str = ""
    sort: str = "up"

    def note(self) -> str:
        return look_notes.write(self, Look())


@dataclass(frozen=True)
class Item:
    """One that is listed."""

    index: int


def read(run: Run) -> list[Item]:
    if not (run.path / "artifacts" / "numbers.json").is_file():
        raise UserError("The numbers are gone.", advice="Count again.")
    return [Item(number) for number in json.loads((run.path / "artifacts" / "numbers.json").read_text())]


def read_look(note: str, run: str = "") -> Look:
    made = Look(**look_notes.read(note, Look()))
    return made if made.of == run else Look(of=run)


def press(now: Look, data: Mapping[str, Json], order: Mapping[int, int] | None = None) -> Look:
    return look_notes.in_list(now, data, ("up", "down"), order)


def chosen(of: list[Item], now: Look) -> Sequence[Item]:
    return of if now.sort == "up" else of[::-1]


READER: Reader[list[Item], Look] = Reader(read, read_look, press, chosen, 2, {
    "list": lambda of, now, lang: f"{lang}: {[one.index for one in chosen(of, now)][now.page:now.page + 2]}",
    "one": lambda of, now, lang: f"open {now.open}"})


@pytest.fixture
def counted(shell: PageShell) -> Run:
    run = put(shell)
    (run.path / "artifacts").mkdir(exist_ok=True)
    (run.path / "artifacts" / "numbers.json").write_text("[10, 11, 12, 13, 14]")
    return run


def test_a_result_is_drawn_as_it_is_looked_at(shell: PageShell, counted: Run) -> None:
    assert READER.drawing(shell, asking(), "", "{}") == ["", ""]
    assert READER.drawing(shell, asking(), counted.id, "{}") == ["en: [10, 11]", "open -1"]
    note = Look(of=counted.id, page=2, open=13, sort="down").note()
    assert READER.drawing(shell, asking(lang="zh-CN"), counted.id, note) == ["zh-CN: [12, 11]", "open 13"]
    other = Look(of="another", page=2, open=13).note()
    assert READER.drawing(shell, asking(), counted.id, other) == ["en: [10, 11]", "open -1"]


def test_a_result_that_cannot_be_read_is_said_in_the_first_pane(shell: PageShell, counted: Run) -> None:
    first, second = READER.drawing(shell, asking(OTHER), counted.id, "{}")
    assert "There is no run" in first and second == ""
    (counted.path / "artifacts" / "numbers.json").unlink()
    first, second = READER.drawing(shell, asking(), counted.id, "{}")
    assert "The numbers are gone" in first and "Count again" in first and second == ""


@pytest.mark.parametrize(("sort", "steps"), [("up", [10, 11, 12, 13, 14, 14]), ("down", [14, 13, 12, 11, 10, 10])])
def test_steps_go_along_the_list_and_turn_its_pages(shell: PageShell, counted: Run, sort: str, steps: list) -> None:
    note, seen = Look(of=counted.id, sort=sort).note(), []
    for _ in steps:
        note = READER.after(shell, asking(), counted.id, note, {"act": "step", "value": "1"})
        seen.append((read_look(note, counted.id).open, read_look(note, counted.id).page))
    assert seen == [(number, page) for number, page in zip(steps, (0, 0, 2, 2, 4, 4), strict=True)]
    note = READER.after(shell, asking(), counted.id, note, {"act": "step", "value": "-1"})
    assert read_look(note, counted.id) == Look(counted.id, 2, steps[3], sort=sort)


def test_a_press_that_is_no_step_reads_no_files(shell: PageShell, counted: Run) -> None:
    (counted.path / "artifacts" / "numbers.json").unlink()
    note = READER.after(shell, asking(), counted.id, "{}", {"act": "open", "key": "12"})
    assert read_look(note, counted.id) == Look(counted.id, open=12)
    with pytest.raises(UserError, match="gone"):
        READER.after(shell, asking(), counted.id, note, {"act": "step", "value": "1"})


def view_of(shell: PageShell) -> tuple[gr.Blocks, View]:
    """A page with one tab that has such a view, connected."""
    with gr.Blocks() as page, gr.Tabs(), gr.Tab("toy", id="toy") as tab:
        notes = [gr.Textbox("{}", visible=False) for _ in range(4)]
        with gr.Accordion("form") as folded:
            form = Form(("number",), fields={"number": gr.Number(1)})
        html = {name: gr.HTML("") for name in ("head", "body", "list", "one")}
        buttons = {name: gr.Button(name) for name in ("stop", "continue")}
        view = View(*notes, form, folded, gr.Dropdown([]), html, buttons,
                    Parts(("head", "body"), ("stop", "continue"), {"done": ""}), tuple(READER.panes))
        result_view.follow_run(shell, view, tab, lambda *_: [("One", "r-1")], lambda *given: list(given[1:3]))
        result_view.look_into(shell, view, READER, ("list",))
    return page, view


def test_the_view_sends_its_parts_in_order_and_draws_its_panes(shell: PageShell) -> None:
    _, view = view_of(shell)
    assert view.polled == [view.html["head"], view.html["body"], view.buttons["stop"], view.buttons["continue"],
                           view.done, view.sent]
    assert view.drawn == [view.html["list"], view.html["one"]]
    assert tabs_around(view.html["list"]) == "toy"


def test_the_view_is_connected_to_its_run_and_its_result(shell: PageShell, counted: Run) -> None:
    page, view = view_of(shell)
    handlers = {block.fn.__name__: block for block in page.fns.values() if block.fn is not None}
    assert {"list_runs", "fold", "stop", "proceed", "follow", "redraw", "press"} <= set(handlers)
    assert {block.api_visibility for block in handlers.values()} == {"private"}
    assert handlers["fold"].fn("r") == gr.update(open=False) and handlers["fold"].fn("")["open"] is True
    assert handlers["follow"].outputs == view.polled and not handlers["follow"].queue
    first = handlers["redraw"].fn(counted.id, "{}", "{}", asking())
    assert first[:2] == ["en: [10, 11]", "open -1"] and len(first) == len(handlers["redraw"].outputs)
    again = handlers["redraw"].fn(counted.id, Look(of=counted.id, open=12).note(), first[-1], asking())
    assert skipped(again[0]) and again[1] == "open 12"
    reading = {block.fn.__name__ for block in page.fns.values() if view.html["list"]._id in
               {target for target, _ in block.targets} and block.fn is not None}
    unread = {target for block in page.fns.values() for target, _ in block.targets}
    assert reading == {"press"} and view.html["one"]._id not in unread


# --- forms ---


def test_a_form_gives_its_notes_and_then_its_fields_in_the_order_of_their_names() -> None:
    with gr.Blocks():
        form = Form(("b", "a"), ("held",))
        form.fields["a"], form.fields["b"], form.parts["held"] = gr.Number(1), gr.Number(2), gr.Textbox("x")
        form.parts["button"] = gr.Button("no input")
    assert form.inputs == [form.parts["held"], form.fields["b"], form.fields["a"]]
    assert Form(("a",)).fields is not Form(("a",)).fields, "two forms share nothing"
    with pytest.raises(KeyError):
        _ = Form(("missing",)).inputs


@pytest.mark.parametrize(("note", "laid"), [('{"step": 1}', [({"step": 1}, "more")]), ("", [])])
def test_a_form_is_drawn_when_its_note_asks_for_one(note: str, laid: list) -> None:
    found: list[Any] = []
    with gr.Blocks() as page:
        asked, other, column = gr.Textbox(""), gr.Textbox(""), gr.Column()
        drawn_form.draw(column, [asked, other], drawn_form.plan_of, lambda *given: found.append(given))
    (drawn,) = page.renderables
    assert drawn.inputs == [asked, other]
    assert [(one.block, one.event_name) for one in drawn.triggers] == [(asked, "change")]
    drawn.fn(note, "more")
    assert found == laid


@pytest.mark.parametrize(("value", "found"), [
    ([["a", "b"], ("c", 4)], (("a", "b"), ("c", "4"))), ([["a"], "ab", 3, None, ["a", "b", "c"]], ()), ("ab", ()),
    (None, ()), ({"a": "b"}, ())])
def test_pairs_to_choose_from_are_read_with_care(value: Json, found: tuple) -> None:
    assert pairs(value) == found


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_a_line_of_a_list_is_in_the_readers_language(shell: PageShell, lang: str) -> None:
    run = replace(put(shell), title="", task="common.nothing.v1", path=Path("/none"))
    assert run_list.line(run, lang) == f"common.nothing.v1 · {run.id}"
