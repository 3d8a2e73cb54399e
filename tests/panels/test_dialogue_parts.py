"""Small parts of the Dialogue tab: what can be measured, knobs, trained products, hand-over, a chart of no levels."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import gradio as gr
import pytest

from backends.sweetiechat.objects import Dialogue, dialogue_to_json
from panels import dialogue_cases as cases
from panels import dialogue_compared as compared
from panels import dialogue_handover as handover
from panels import dialogue_knobs as knobs
from panels import dialogue_sources as sources
from panels import dialogue_trained as trained
from panels.dialogue_compared import Column
from panels.run_list import line, when
from tests.backends.sweetie import make_dialogue
from tests.panels.test_dialogue_train import put, put_agent, put_classifier, synced
from tests.panels.test_dialogue_wiring import ANN, BOB, asking
from workbench import shell as page_shell
from workbench import text
from workbench.contract import Knob, UserError
from workbench.files import write_json
from workbench.runs import load_run
from workbench.service import Service
from workbench.settings import Settings
from workbench.widgets.branches import Branch

EN, ZH = partial(text.say, "en"), partial(text.say, "zh-CN")


@pytest.fixture
def desk(settings: Settings) -> page_shell.PageShell:
    """A shell over an empty home."""
    return page_shell.PageShell(Service(settings))


# --- sources to measure ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_a_new_visitor_can_measure_the_practice_dialogues_only(desk: page_shell.PageShell, lang: str) -> None:
    assert sources.offered(desk, ANN, lang) == [(text.say(lang, "measure.practice"), "practice")]
    assert list(sources.titles(desk, ANN, lang)) == ["practice", "esconv"]


@pytest.mark.parametrize(("name", "expected"), [
    ("dialogues.jsonl", True), ("dialogue.json", True), ("predictions.jsonl", True), ("measure.json", False)])
def test_a_run_holds_something_to_measure_by_the_names_of_its_files(settings: Settings, name: str,
                                                                     expected: bool) -> None:
    run = put(settings, trained.CLASSIFIER, {})
    assert not sources.holds(run)
    (run.path / "artifacts" / name).write_text("", encoding="utf-8")
    assert sources.holds(run) is expected
    (run.path / "artifacts" / name).unlink()
    (run.path / "artifacts" / name).mkdir()
    assert not sources.holds(run), "a folder of that name is no file"


@pytest.mark.parametrize(("title", "shown"), [("十个对话", "十个对话"), ("", trained.EVALUATE), ("<b>x", "<b>x")])
def test_a_run_is_called_by_its_title_or_else_its_task(settings: Settings, title: str, shown: str) -> None:
    run = replace(put(settings, trained.EVALUATE, {}), title=title)
    assert line(run, "zh-CN") == f"{shown} · {run.id}"


# --- knobs -----------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Asked:
    """One field of every kind that a form can show."""

    count: Annotated[int, Knob("How many", 1, 9, 2)] = 3
    share: Annotated[float, Knob("Which share", 0, 1)] = 0.5
    sure: Annotated[bool, Knob("Whether")] = True
    kind: Annotated[Literal["a+b", "c"], Knob("Which")] = "c"
    words: Annotated[str, Knob("What")] = "好"


SPECS = knobs.specs_of(Asked)


@pytest.mark.parametrize(("name", "kind", "value"), [
    ("count", gr.Number, 3), ("share", gr.Number, 0.5), ("sure", gr.Checkbox, True), ("kind", gr.Dropdown, "c"),
    ("words", gr.Textbox, "好")])
def test_every_kind_of_field_has_its_component_with_the_default(desk: page_shell.PageShell, name: str, kind: type,
                                                               value: object) -> None:
    made: Any = knobs.knob(desk, SPECS[name], "part")
    assert isinstance(made, kind) and made.value == value
    assert made.label == text.mark(f"part.knob.{name}") and made.info == text.mark(f"part.knob.{name}.help")


def test_numbers_keep_their_limits_steps_and_decimals(desk: page_shell.PageShell) -> None:
    count: Any = knobs.knob(desk, SPECS["count"], "p")
    share: Any = knobs.knob(desk, SPECS["share"], "p")
    assert (count.minimum, count.maximum, count.step, count.precision) == (1, 9, 2, 0)
    assert (share.minimum, share.maximum, share.step, share.precision) == (0, 1, 1, None)


def test_choices_have_texts_of_their_own_whose_keys_hold_no_plus(desk: page_shell.PageShell) -> None:
    made: Any = knobs.knob(desk, SPECS["kind"], "p")
    assert [tuple(choice) for choice in made.choices] == [(text.mark("p.knob.kind.a-b"), "a+b"),
                                                          (text.mark("p.knob.kind.c"), "c")]


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("count", 2.6, 3), ("count", "4", 4), ("count", 0, 0), ("share", 1, 1.0), ("share", 0, 0.0), ("sure", False, False),
    ("words", "", ""), ("words", " 好 ", " 好 "), ("kind", "a+b", "a+b")])
def test_what_a_form_holds_becomes_the_fields_own_type(name: str, value: object, expected: object) -> None:
    found = knobs.fields_from(SPECS, [(name, value)])
    assert found == {name: expected} and type(found[name]) is type(expected)


@pytest.mark.parametrize(("name", "value"), [("count", None), ("count", ""), ("share", ""), ("kind", ""),
                                             ("sure", None), ("words", None)])
def test_what_was_emptied_takes_its_default(name: str, value: object) -> None:
    assert Asked(**knobs.fields_from(SPECS, [(name, value)])) == Asked()


# --- trained products ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("facts", "variant", "languages"), [
    ({"variant": "given", "languages": ["en", "zh"]}, "given", ("en", "zh")), ({}, "", ()),
    ({"variant": None, "languages": "zh"}, "", ())])
def test_facts_of_another_shape_say_nothing(facts: dict[str, object], variant: str, languages: tuple[str, ...]) -> None:
    found = trained.Trained("run:x/model", "x", facts)
    assert found.variant == variant and found.languages == languages


@pytest.mark.parametrize("result", [{}, {"figures": []}, {"figures": [{"name": "accuracy", "value": 0.9}]},
                                    {"figures": "x"}, {"figures": [None, 3]}])
def test_a_classifier_without_its_figure_is_offered_with_a_dash(desk: page_shell.PageShell,
                                                               result: dict[str, object]) -> None:
    run = put_classifier(desk.service.settings)
    write_json(run.path / "result.json", result)
    [found] = trained.classifiers(synced(desk).service, ANN, "en")
    assert "macro-F1 –" in found.title and found.reference == f"run:{run.id}/classifier"


@pytest.mark.parametrize("status", ["running", "failed", "cancelled", "lost"])
def test_what_is_not_done_is_not_offered(desk: page_shell.PageShell, status: str) -> None:
    put_agent(desk.service.settings, status=status)
    put_classifier(desk.service.settings, status=status)
    service = synced(desk).service
    assert trained.agents(service, ANN, "en") == [] and trained.classifiers(service, ANN, "en") == []


def test_a_classifier_without_its_folder_and_an_agent_without_its_facts_are_not_offered(
        desk: page_shell.PageShell) -> None:
    (put_classifier(desk.service.settings).path / "artifacts" / "classifier").rmdir()
    (put_agent(desk.service.settings).path / "artifacts" / "model" / "training.json").write_text("[1]")
    service = synced(desk).service
    assert trained.classifiers(service, ANN, "en") == [] and trained.agents(service, ANN, "en") == []


@pytest.mark.parametrize(("shared", "visitor", "expected"), [(False, ANN, True), (False, BOB, False),
                                                             (True, BOB, True)])
def test_a_run_is_readable_to_its_owner_and_to_all_once_it_is_shared(desk: page_shell.PageShell, shared: bool,
                                                                    visitor: str, expected: bool) -> None:
    run = put_agent(desk.service.settings, shared=shared)
    synced(desk)
    for reference in (f"run:{run.id}", f"run:{run.id}/model", f"run:{run.id}/model/../../x"):
        assert trained.readable(desk.service, visitor, reference) is expected


@pytest.mark.parametrize("reference", ["run:", "run:../x", "run:nobody/model"])
def test_a_run_of_nobody_is_not_readable_and_other_references_are(desk: page_shell.PageShell, reference: str) -> None:
    assert not trained.readable(desk.service, ANN, reference)
    assert trained.readable(desk.service, ANN, reference.replace("run:", "path:"))


def test_a_run_without_a_time_has_one_all_the_same(settings: Settings) -> None:
    run = put(settings, trained.TRAIN, {})
    assert when(replace(run, created=None)).startswith("19") and len(when(load_run(run.path))) == 16


# --- the hand-over ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("value", [{}, {"name": ""}, {"name": None}])
def test_strategies_without_a_name_are_the_first_bundled_set(value: dict[str, object]) -> None:
    assert handover.set_of(value) == cases.STRATEGY_SETS[0]


def test_bundled_sets_go_by_name_and_others_as_text_that_keeps_chinese() -> None:
    assert [handover.set_of({"name": name, "items": []}) for name in cases.STRATEGY_SETS] == list(cases.STRATEGY_SETS)
    own = {"name": "自己的", "version": "1", "items": [{"key": "a", "label_zh": "倾听"}]}
    assert json.loads(handover.set_of(own)) == own and "倾听" in handover.set_of(own)


def test_nobody_talks_to_an_agent_of_somebody_else(desk: page_shell.PageShell) -> None:
    run = put_agent(desk.service.settings, owner=BOB)
    with pytest.raises(UserError, match="There is no run"):
        handover.talk(synced(desk), asking(), run.id)


def test_an_agent_without_facts_is_talked_to_as_one_that_chooses(desk: page_shell.PageShell) -> None:
    run = put(desk.service.settings, trained.TRAIN, {})
    values = handover.talk(synced(desk), asking(lang="zh-CN"), run.id)
    assert values["counselor"] == "agent" and values["supporter_model"] == f"run:{run.id}/model"


# --- a comparison ----------------------------------------------------------------------------------------------------

def column(letter: str, levels: tuple[int, ...] | None, last: str) -> Column:
    """A branch; without levels a person spoke as the seeker."""
    made: Dialogue = make_dialogue("I am low.", "Why?", "Work.", last, "Yes.", states=levels or (),
                                   used=("question",) * 2, stop_reason="max_turns")
    if levels is None:
        made = replace(made, turns=tuple(replace(t, private=None) for t in made.turns))
    return Column(letter, load_run(Path("nowhere")), made, Branch(letter, dialogue_to_json(made), letter))


@pytest.mark.parametrize(("say", "lang", "words"), [(EN, "en", "No intensity to draw"),
                                                    (ZH, "zh-CN", "没有可绘制的情绪强度")])
def test_a_comparison_without_any_intensity_says_so_where_the_chart_would_be(say: partial[str], lang: str,
                                                                             words: str) -> None:
    found = [column(letter, None, f"Tell me {letter}.") for letter in "AB"]
    html = compared.look(found, lang, say, mark=True, cells=48)["chart"]
    assert words in html and say("compare.chart.title") in html and "<svg" not in html


def test_one_branch_with_intensities_is_enough_for_the_chart() -> None:
    found = [column("A", None, "Tell me."), column("B", (4, 3, 2), "Go on.")]
    html = compared.look(found, "en", EN, mark=True, cells=48)["chart"]
    assert "<svg" in html and EN("compare.chart.none") not in html and html.count(EN("compare.chart.title")) == 1


def test_before_two_branches_are_chosen_no_chart_is_missed() -> None:
    look = compared.look([column("A", None, "Tell me.")], "en", EN, mark=True, cells=48)
    assert look["chart"] == "" and EN("compare.few") in look["legend"]
