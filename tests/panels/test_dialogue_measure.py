"""The Measure view: what can be chosen, the request that is made, looks at runs, files to take away, rights."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from backends.sweetiechat.measure_request import MeasureRequest
from panels import dialogue_measure as view
from panels import dialogue_sources as sources
from tests.panels.test_dialogue_library import stored
from tests.panels.test_dialogue_scenarios import shell_of
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from tests.workbench.test_measure_widgets import a_report, a_source
from workbench import text
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.files import append_line
from workbench.runs import Run, create_run


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("measure")) as built:
        yield built


def put(page: Page, files: dict[str, str], task: str = "sweetiechat.generate.v1", owner: str = ANN,
        status: str = "succeeded", failure: dict | None = None, title: str = "Ten dialogues") -> Run:
    """A run with these artifacts."""
    run = create_run(page.service.settings.home, task, {}, owner=owner, title=title)
    state = json.loads((run.path / "state.json").read_text())
    state |= {"status": status, "started": 1.0, "finished": 2.0, "failure": failure, "message": "drawing"}
    (run.path / "state.json").write_text(json.dumps(state))
    folder = run.path / "artifacts"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
        append_line(run.path / "artifacts.jsonl", {"name": name, "path": f"artifacts/{name}", "kind": "table"})
    page.service.index.sync()
    return page.service.run(owner, run.id)


def measured(page: Page, owner: str = ANN, **more: str) -> Run:
    report = json.dumps(a_report(a_source()))
    return put(page, {"measure.json": report, "figures.csv": "source,group\n"}, view.TASK, owner, **more)


# --- what can be chosen ----------------------------------------------------------------------------------------------

def test_runs_with_dialogues_or_predictions_are_offered_and_no_others(page: Page) -> None:
    dialogues = put(page, {"dialogues.jsonl": json.dumps(stored(0)) + "\n"})
    predictions = put(page, {"predictions.jsonl": "{}\n"}, "sweetiechat.classifier.v1")
    nothing = put(page, {"pool.json": "{}"}, "sweetiechat.scenarios.v1")
    bobs = put(page, {"dialogues.jsonl": "{}\n"}, owner=BOB)
    found = {reference: name for name, reference in sources.offered(shell_of(page), ANN, "en")}
    assert next(iter(found)) == "practice"
    assert {f"run:{dialogues.id}", f"run:{predictions.id}"} <= set(found)
    assert not {f"run:{nothing.id}", f"run:{bobs.id}"} & set(found)
    assert found[f"run:{dialogues.id}"] == f"Ten dialogues · {dialogues.id}"


def test_the_three_lists_differ_in_their_first_entry(page: Page) -> None:
    data, compare, reference = view.choices(shell_of(page), asking(lang="zh-CN"))
    assert data["choices"][0][1] == "practice" and compare["choices"][0] == ("不比较", "")
    assert reference["choices"][0][1] == "esconv"
    assert data["choices"] == compare["choices"][1:] == reference["choices"][1:]


def test_titles_name_every_reference(page: Page) -> None:
    assert sources.titles(shell_of(page), ANN, "en")["esconv"] == "ESConv (published counts)"


# --- the request -----------------------------------------------------------------------------------------------------

def test_the_form_as_it_opens_asks_for_the_defaults(page: Page) -> None:
    page.made.clear()
    block = page.find("dialogue_measure", "begin")
    assert block.fn(asking(), *[component.value for component in block.inputs]) == "r-new"
    task, fields, more = page.made[-1]
    assert task == view.TASK and from_json(MeasureRequest, fields) == MeasureRequest() and more["visitor"] == ANN
    assert more["title"] == "Measured: Practice dialogues of the workbench"


def test_every_field_of_the_request_is_on_the_form() -> None:
    assert {*view.NAMES, *view.SIZE, *view.MORE} == set(view.SPECS)


def test_every_knob_has_texts_in_both_languages() -> None:
    for name in (*view.SIZE, *view.MORE):
        for key in (f"measure.knob.{name}", f"measure.knob.{name}.help"):
            assert all(key in text.catalogue(lang) for lang in text.LANGUAGES), key


@pytest.mark.parametrize(("name", "typed", "expected"), [
    ("data", "20261122T133020-54df97", "run:20261122T133020-54df97"), ("data", "path:/a", "path:/a"),
    ("data", " /some/file.json ", "path:/some/file.json"), ("data", "~/file.json", "path:~/file.json"),
    ("data", "practice", "practice"), ("compare", None, ""), ("compare", "run:x", "run:x"),
    ("reference", "esconv", "esconv"), ("limit", 5, 5),
])
def test_what_is_typed_becomes_a_reference(name: str, typed: object, expected: object) -> None:
    assert view._plain(name, typed) == expected


def test_two_sources_are_named_in_the_title(page: Page) -> None:
    page.made.clear()
    run = put(page, {"dialogues.jsonl": "{}\n"})
    view.make(shell_of(page), asking(), {"data": f"run:{run.id}", "compare": "practice", "resamples": 50.0})
    _, fields, more = page.made[-1]
    assert more["title"] == "Measured: Ten dialogues against Practice dialogues of the workbench"
    assert fields["resamples"] == 50 and isinstance(fields["resamples"], int)


def test_nothing_chosen_is_refused_in_the_readers_language(page: Page) -> None:
    with pytest.raises(UserError, match="请选择"):
        view.make(shell_of(page), asking(lang="zh-CN"), {"data": "  ", "compare": ""})


# --- looks -----------------------------------------------------------------------------------------------------------

def test_a_finished_run_is_drawn_once_with_its_files(page: Page) -> None:
    run = measured(page)
    updates = view.tick(shell_of(page), run.id, "{}", asking())
    strip, report, stop, proceed, sent = updates
    assert "figures.csv" in strip and f"/workbench/runs/{run.id}/measure.json" in strip
    assert "ms-mix" in report and "Practice dialogues of the workbench" in report
    assert stop["visible"] is False and proceed["visible"] is False
    again = view.tick(shell_of(page), run.id, sent, asking())
    assert isinstance(again, dict) and again["__type__"] == "update"
    chinese = view.tick(shell_of(page), run.id, sent, asking(lang="zh-CN"))
    assert "所用策略" in chinese[1]


def test_a_run_at_work_shows_what_it_does_and_is_drawn_when_it_ends(page: Page) -> None:
    run = put(page, {}, view.TASK, status="running")
    updates = view.tick(shell_of(page), run.id, "{}", asking())
    assert "drawing" in updates[0] and updates[1] == "" and updates[2]["visible"] is True
    (run.path / "artifacts" / "measure.json").write_text(json.dumps(a_report(a_source())))
    state = json.loads((run.path / "state.json").read_text()) | {"status": "succeeded"}
    (run.path / "state.json").write_text(json.dumps(state))
    page.service.index.sync()
    assert "ms-mix" in view.tick(shell_of(page), run.id, updates[-1], asking())[1]


def test_a_failed_run_says_why_and_can_go_on(page: Page) -> None:
    failure = {"class": "user error", "cause": "There is nothing.", "advice": "Choose others."}
    run = put(page, {}, view.TASK, status="failed", failure=failure)
    strip, report, stop, proceed, _ = view.tick(shell_of(page), run.id, "{}", asking())
    assert "There is nothing." in strip and "Choose others." in strip and report == ""
    assert stop["visible"] is False and proceed["visible"] is True


def test_somebody_elses_figures_are_not_there(page: Page) -> None:
    run = measured(page, BOB)
    with pytest.raises(UserError, match="There is no run"):
        view.tick(shell_of(page), run.id, "{}", asking())
    assert "ms-mix" in view.tick(shell_of(page), run.id, "{}", asking(OTHER))[1]


def test_without_a_run_nothing_changes(page: Page) -> None:
    assert view.tick(shell_of(page), "", "{}", asking())["__type__"] == "update"


def test_the_page_opens_a_measuring_run_in_this_view(page: Page) -> None:
    from panels import dialogue as tab

    run = measured(page)
    assert tab.opening(shell_of(page), run.id, asking()) == ("measure", {"measure": run.id})
