"""The Dialogue tab as it is wired on the real page: every handler with its own inputs and outputs, no browser."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from backends.sweetiechat.requests import DialogueRequest, GenerateRequest
from panels import dialogue as tab
from panels import dialogue_bring as bringing
from panels import dialogue_many as many
from panels import dialogue_models as models
from panels import dialogue_watch as watching
from tests.panels.test_dialogue_library import stored
from tests.panels.test_dialogue_panel import GEMMA, SMOL, in_play, put_run, skipped
from workbench import hub, text
from workbench import shell as page_shell
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.security import VISITOR_COOKIE, visitor_id
from workbench.service import Service
from workbench.settings import Settings, load_settings

COOKIE, OTHER = "a" * 32, "b" * 32
ANN, BOB = visitor_id(COOKIE), visitor_id(OTHER)


def asking(cookie: str = COOKIE, lang: str = "en") -> SimpleNamespace:
    """What a handler needs of a request: who asks, and in which language."""
    return SimpleNamespace(cookies={VISITOR_COOKIE: cookie, text.COOKIE: lang}, headers={})


def pressed(**data: str) -> SimpleNamespace:
    """A press on a button of one of our widgets."""
    return SimpleNamespace(_data={"act": "", "key": "", "turn": "", **data})


def tabs_around(part: Any) -> str:
    """Ids of the tabs that a component lies in, the outer one first: ``speech/set``."""
    found: list[str] = []
    while part is not None:
        found = [str(part.id), *found] if isinstance(part, gr.Tab) else found
        part = part.parent
    return "/".join(found)


class Page:
    """The built page with a way to its handlers by module and name."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.blocks = page_shell.build(service)
        self.made: list[tuple[str, dict, dict]] = []
        self.resumed: list[str] = []
        self.cancelled: list[str] = []

    def handlers(self, module: str = "panels.dialogue") -> Iterator[Any]:
        for block in self.blocks.fns.values():
            if block.fn is not None and str(getattr(block.fn, "__module__", "")).startswith(module):
                yield block

    def followed(self, block: Any) -> list[Any]:
        """The components whose events a handler answers."""
        return [self.blocks.blocks[target] for target, _ in block.targets if target in self.blocks.blocks]

    def find(self, module: str, name: str, number: int = 0, within: str = "") -> Any:
        """A handler by its name; ``within`` tells those of a module that several views share apart by the tabs around
        what they follow or change: ``speech/set``."""
        found = [b for b in self.handlers(f"panels.{module}") if b.fn.__name__ == name
                 and (not within or within in map(tabs_around, [*b.outputs, *self.followed(b)]))]
        assert found, f"no handler {name} in {module}"
        return found[number]

    def call(self, module: str, name: str, *values: Any, number: int = 0, within: str = "") -> Any:
        """Call a handler; a list or tuple it returns must have one value for each of its outputs."""
        block = self.find(module, name, number, within)
        result = block.fn(*values)
        if isinstance(result, list | tuple) and len(block.outputs) != 1:
            assert len(result) == len(block.outputs), f"{name}: {len(result)} values for {len(block.outputs)} outputs"
        return result


@contextmanager
def noting(home: Path) -> Iterator[Page]:
    """The built page; its service notes what it would start instead of starting it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(home))
        service = Service(load_settings())
        built = Page(service)
        patch.setattr(service, "submit",
                      lambda task, fields, **more: built.made.append((task, fields, more)) or "r-new")
        patch.setattr(service, "resume", lambda visitor, run_id: built.resumed.append(run_id))
        patch.setattr(service, "cancel", lambda visitor, run_id: built.cancelled.append(run_id))
        yield built


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("wiring")) as built:
        yield built


@pytest.fixture
def paused(page: Page) -> str:
    """A paused dialogue of Ann's."""
    return put_run(page.service.settings, in_play(), owner=ANN).id


# --- rules that every handler keeps --------------------------------------------------------------------------------

def test_every_handler_of_the_tab_is_private(page: Page) -> None:
    blocks = list(page.handlers())
    assert len(blocks) > 30
    assert {block.api_visibility for block in blocks} == {"private"}


def test_what_a_person_does_goes_through_the_queue_where_refusals_are_shown(page: Page) -> None:
    """The page shows an error of a queued event only; an unqueued one fails in silence."""
    for block in page.handlers():
        events = {event for _, event in block.targets}
        guarded = hasattr(block.fn, "__wrapped__")
        if guarded and events & {"click", "select", "upload", "input"}:
            assert block.queue, f"{block.fn.__module__}.{block.fn.__name__} would fail in silence"


def test_polls_stay_out_of_the_queue_and_at_four_a_second(page: Page) -> None:
    timers = {block.fn.__name__: block for block in page.handlers() if ("tick" in {e for _, e in block.targets})}
    assert len(timers) >= 2 and not any(block.queue for block in timers.values())
    waits = [b.value for b in page.blocks.blocks.values() if isinstance(b, gr.Timer)]
    assert min(waits) >= watching.FAST >= 0.25


def test_no_value_that_is_sent_with_the_page_is_large(page: Page) -> None:
    for block in page.blocks.blocks.values():
        value = getattr(block, "value", None)
        if not isinstance(value, str):
            assert len(json.dumps(value, default=str)) < 50_000
        assert not isinstance(block, gr.Dataframe | gr.Chatbot)


def test_no_handler_takes_a_heap_of_named_values(page: Page) -> None:
    for block in page.handlers():
        named = [p for p in inspect.signature(block.fn).parameters.values() if p.kind is not p.VAR_POSITIONAL]
        assert len(named) <= 7, block.fn.__name__


# --- the set-up form -----------------------------------------------------------------------------------------------

def opened_values(page: Page, module: str, name: str) -> list[Any]:
    """The values that a handler's inputs have when the page opens."""
    return [component.value for component in page.find(module, name).inputs]


def test_start_as_the_page_opens_asks_for_the_default_dialogue(page: Page) -> None:
    page.made.clear()
    assert page.call("dialogue_act", "begin", asking(), *opened_values(page, "dialogue_act", "begin")) == "r-new"
    task, fields, more = page.made[-1]
    request = from_json(DialogueRequest, fields)
    assert task == watching.TASK and more["visitor"] == ANN and more["title"] == "Sleep problems"
    assert (request.scenario, request.card, request.counselor) == ("sleep", "sleep-1", "scored")
    defaults = DialogueRequest()
    for name in ("temperature", "top_p", "max_turns", "beta", "seed", "redraws", "seeker_state", "pause_after_turn"):
        assert getattr(request, name) == getattr(defaults, name), name


def test_the_title_of_a_run_is_in_the_readers_language(page: Page) -> None:
    page.call("dialogue_act", "begin_example", asking(lang="zh-CN"))
    assert page.made[-1][2]["title"] == "睡眠问题"


def test_the_example_needs_nothing_from_the_form(page: Page) -> None:
    assert page.find("dialogue_act", "begin_example").inputs == []
    page.call("dialogue_act", "begin_example", asking())
    request = from_json(DialogueRequest, page.made[-1][1])
    assert request.language == "en" and request.seeker_model == SMOL


@pytest.mark.parametrize(("index", "value", "said"), [
    ("language", "zh", "SmolLM2"), ("strategy_set", "own", "empty"), ("model", "nonsense", "nonsense"),
])
def test_what_cannot_work_is_said_before_anything_is_made(page: Page, index: str, value: str, said: str) -> None:
    names = list(page_names(page))
    values = opened_values(page, "dialogue_act", "begin")
    values[names.index(index)] = value
    count = len(page.made)
    with pytest.raises(gr.Error, match=said):
        page.call("dialogue_act", "begin", asking(), *values)
    assert len(page.made) == count


def page_names(page: Page) -> list[str]:
    """The names of the form's fields, as the Start handler holds them."""
    begin = inspect.unwrap(page.find("dialogue_act", "begin").fn)
    return list(inspect.getclosurevars(begin).nonlocals["form"].names)


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize("spoken", ["en", "zh"])
def test_the_pickers_are_drawn_in_the_readers_language(page: Page, lang: str, spoken: str) -> None:
    problems, cards = page.call("dialogue_setup", "draw", "sleep", "sleep-2", spoken, asking(lang=lang))
    assert ("Sleep problems" in problems) is (lang == "en") and ("睡眠问题" in problems) is (lang != "en")
    assert problems.count('data-act="problem"') == 30 and problems.count('aria-pressed="true"') == 1
    assert cards.count('data-act="card"') == 3 and cards.count('aria-pressed="true"') == 1
    assert ("开放度" in cards) is (lang != "en")


def test_choosing_a_problem_fills_its_texts_and_its_first_card(page: Page) -> None:
    values = page.call("dialogue_setup", "press_problem", "en", pressed(act="problem", key="friends"))
    assert values[:2] == ["friends", "friends-1"] and "four old friends" in values[2]
    chinese = page.call("dialogue_setup", "press_problem", "zh", pressed(act="problem", key="friends"))
    assert chinese[0] == "friends" and chinese[2] != values[2]


def test_choosing_a_card_changes_the_card_only(page: Page) -> None:
    first = page.call("dialogue_setup", "press_card", "friends", "en", pressed(act="card", key="friends-1"))
    third = page.call("dialogue_setup", "press_card", "friends", "en", pressed(act="card", key="friends-3"))
    assert first[0] == "friends-1" and third[0] == "friends-3" and first[1:] != third[1:]


@pytest.mark.parametrize("key", ["", "no-such-problem", "<script>"])
def test_a_press_with_a_made_up_key_falls_back_to_a_bundled_case(page: Page, key: str) -> None:
    assert page.call("dialogue_setup", "press_problem", "en", pressed(key=key))[0] == "sleep"
    assert page.call("dialogue_setup", "press_card", "sleep", "en", pressed(key=key))[0] == "sleep-1"


def test_another_language_of_the_dialogue_brings_the_texts_in_it(page: Page) -> None:
    values = page.call("dialogue_setup", "fill", "sleep", "zh")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in values[2]) and values[:2] == ["sleep", "sleep-1"]


# --- models --------------------------------------------------------------------------------------------------------

def test_the_pickers_of_models_open_with_the_default(page: Page) -> None:
    updates = page.call("dialogue_bring", "first", asking())
    assert updates[0]["value"] == SMOL and [update["value"] for update in updates[1:]] == ["", "", ""]
    assert ("as above", "") in updates[1]["choices"] and ("as above", "") not in updates[0]["choices"]


@pytest.mark.parametrize(("chosen", "expected"), [
    ([SMOL, "", SMOL, ""], [GEMMA, "", "", ""]), ([GEMMA, "", "", "hub:a/b"], [GEMMA, "", "", "hub:a/b"]),
    (["endpoint:http://127.0.0.1:9/v1", "", "", ""], ["endpoint:http://127.0.0.1:9/v1", "", "", ""]),
    (["", "", "", ""], [GEMMA, "", "", ""]),
])
def test_chinese_takes_english_models_out_and_leaves_the_others(page: Page, chosen: list[str],
                                                                expected: list[str]) -> None:
    updates = page.call("dialogue_bring", "offer", asking(), "zh", *chosen)
    assert [update["value"] for update in updates] == expected
    assert SMOL not in [value for _, value in updates[0]["choices"]]


def test_the_note_and_the_two_buttons_follow_the_models_state(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    for status, accept, fetch in (("ready", False, False), ("to fetch", False, True), ("to convert", False, True),
                                  ("needs acceptance", True, False), ("missing", False, False)):
        monkeypatch.setattr(hub, "state", lambda reference, settings, status=status: hub.State(status, "why"))
        note, first, second = page.call("dialogue_bring", "describe", asking(), "en", SMOL, "", "", "", "")
        assert (first["visible"], second["visible"]) == (accept, fetch), status
        assert text.say("en", f"dialogue.model.{status.replace(' ', '_')}", size=93) in note


def test_accepting_is_recorded_and_the_fetch_is_a_run(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    agreed: list[str] = []
    monkeypatch.setattr(hub, "accept", lambda reference, settings: agreed.append(reference))
    monkeypatch.setattr(hub, "state", lambda reference, settings: hub.State("needs acceptance"))
    assert page.call("dialogue_bring", "bring", asking(), GEMMA, "", "", "") == "r-new"
    task, fields, more = page.made[-1]
    assert agreed == [GEMMA] and task == models.FETCH_TASK and fields == {"reference": GEMMA}
    assert "Gemma" in more["title"] and more["visitor"] == ANN


def test_nothing_is_fetched_that_is_ready(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "state", lambda reference, settings: hub.State("ready"))
    count = len(page.made)
    assert page.call("dialogue_bring", "bring", asking(), SMOL, SMOL, "", "") == ""
    assert len(page.made) == count


@pytest.mark.parametrize(("status", "message", "words", "kept"), [
    ("running", "12 of 93 MB", "12 of 93 MB", True), ("succeeded", "", "", False), ("failed", "x", "It broke", False),
])
def test_the_progress_of_a_fetch_is_shown_in_words(page: Page, status: str, message: str, words: str,
                                                   kept: bool) -> None:
    run = put_run(page.service.settings, in_play(), owner=ANN, status=status)
    state = json.loads((run.path / "state.json").read_text())
    failure = {"class": "bug", "cause": "It broke", "advice": ""} if status == "failed" else None
    (run.path / "state.json").write_text(json.dumps({**state, "message": message, "failure": failure}))
    html, note = bringing.progress(page_shell.PageShell(page.service), run.id, asking())
    assert words in html and (skipped(note) is kept)
    assert all(map(skipped, bringing.progress(page_shell.PageShell(page.service), "", asking())))


# --- the watch view ------------------------------------------------------------------------------------------------

def test_a_tick_fills_every_output_of_the_timer(page: Page, paused: str) -> None:
    updates = page.call("dialogue_watch", "look", paused, "{}", "60", asking())
    assert "I cannot sleep." in updates[2]
    assert page.call("dialogue_watch", "look", "", "{}", "60", asking()) is not None


def test_the_stage_is_seen_with_a_run_and_the_form_without(page: Page) -> None:
    with_run, without = page.call("dialogue_watch", "show", "r1"), page.call("dialogue_watch", "show", "")
    assert [u["visible"] for u in with_run] == [False, True] and [u["visible"] for u in without] == [True, False]


@pytest.mark.parametrize(("number", "command"), [(0, {"do": "pause"}), (1, {"do": "continue"}), (2, {"do": "stop"})])
def test_the_three_buttons_write_their_commands(page: Page, paused: str, number: int, command: dict) -> None:
    page.call("dialogue_act", "pressed", paused, asking(), number=number)
    kept = page.service.commands(ANN, paused)[-1]
    assert {name: value for name, value in kept.items() if name != "at"} == command
    assert page.resumed[-1] == paused


def test_somebody_else_presses_in_vain(page: Page, paused: str) -> None:
    for number in range(3):
        with pytest.raises(gr.Error, match="There is no run"):
            page.call("dialogue_act", "pressed", paused, asking(OTHER), number=number)
    assert page.service.commands(ANN, paused) == []


def test_change_and_start_again_fills_the_whole_form(page: Page, paused: str) -> None:
    values = page.call("dialogue_act", "again", paused, asking())
    assert values[:2] == ["", "60"] and len(values) == 2 + len(page_names(page))
    assert dict(zip(page_names(page), values[2:], strict=True))["language"] == "en"


def waiting(page: Page, role: str) -> str:
    """A dialogue of Ann's that waits for a person in this role."""
    turns = {"seeker": 0, "supporter": 1, "counselor": 1}[role]
    value = in_play()
    value |= {"turns": value["turns"][:turns], "state": "waiting", "waiting_for": role, "next": role, "held": [role],
              "paused": False, "counselor": "none" if role == "supporter" else "you"}
    return put_run(page.service.settings, value, owner=ANN).id


@pytest.mark.parametrize("role", ["seeker", "supporter"])
def test_a_person_speaks_for_the_role_that_is_waited_for(page: Page, role: str) -> None:
    run = waiting(page, role)
    assert page.call("dialogue_act", "speak", run, "  My own words. ", asking()) == ""
    kept = page.service.commands(ANN, run)[-1]
    assert (kept["do"], kept["role"], kept["text"]) == ("say", role, "My own words.")


@pytest.mark.parametrize(("words", "said"), [
    ("", "write a sentence"), ("   ", "write a sentence"), ("x" * 2001, "2,001"),
])
def test_words_that_will_not_do_are_refused(page: Page, words: str, said: str) -> None:
    run = waiting(page, "seeker")
    with pytest.raises(gr.Error, match=said):
        page.call("dialogue_act", "speak", run, words, asking())
    assert page.service.commands(ANN, run) == []


def test_nobody_speaks_when_nobody_is_waited_for(page: Page, paused: str) -> None:
    with pytest.raises(gr.Error, match="not waiting"):
        page.call("dialogue_act", "speak", paused, "Hello", asking())


def test_a_person_chooses_as_the_counselor(page: Page) -> None:
    run = waiting(page, "counselor")
    page.call("dialogue_act", "choose", run, pressed(act="strategy", key="reflection"), asking())
    assert page.service.commands(ANN, run)[-1]["key"] == "reflection"
    with pytest.raises(gr.Error, match="shout"):
        page.call("dialogue_act", "choose", run, pressed(act="strategy", key="shout"), asking())


@pytest.mark.parametrize(("held", "wanted", "commands"), [
    ([], ["seeker"], [("take", "seeker")]), (["seeker"], [], [("release", "seeker")]),
    (["seeker"], ["supporter"], [("release", "seeker"), ("take", "supporter")]), (["seeker"], ["seeker"], []),
])
def test_taking_over_and_giving_back_roles(page: Page, held: list[str], wanted: list[str], commands: list) -> None:
    run = put_run(page.service.settings, in_play(held=held), owner=ANN).id
    page.call("dialogue_act", "take", run, wanted, asking())
    assert [(c["do"], c["role"]) for c in page.service.commands(ANN, run)] == commands


# --- below the transcript ------------------------------------------------------------------------------------------

def test_the_link_of_a_turn_opens_the_editor_with_its_text(page: Page, paused: str) -> None:
    updates = page.call("dialogue_desk", "press", paused, "60", pressed(act="edit", turn="2"), asking())
    assert updates[1:3] == ["2", "An error at work."] and updates[3]["visible"] and not updates[4]["visible"]


def test_saving_writes_the_edit_and_closes_the_editor(page: Page, paused: str) -> None:
    closed = page.call("dialogue_act", "save", paused, "2", " It was my fault. ", True, asking())
    kept = page.service.commands(ANN, paused)[-1]
    assert (kept["do"], kept["turn"], kept["text"], kept["keep_rest"]) == ("edit", 2, "It was my fault.", True)
    assert closed["visible"] is False


def test_an_empty_edit_is_refused_in_the_readers_language(page: Page, paused: str) -> None:
    for lang in text.LANGUAGES:
        with pytest.raises(Exception, match=text.say(lang, "dialogue.edit.empty")):
            inspect.unwrap(page.find("dialogue_act", "save").fn)(paused, "2", " ", True, asking(lang=lang))


def test_the_link_shows_what_each_role_sees(page: Page, paused: str) -> None:
    updates = page.call("dialogue_desk", "press", paused, "60", pressed(act="views", turn="3"), asking())
    assert updates[4]["visible"] and "dt-barrier" in updates[5] and "Three weeks awake." in updates[5]


@pytest.mark.parametrize(("count", "expected"), [("60", "120"), ("", "120"), ("120", "180")])
def test_earlier_turns_come_in_steps(page: Page, paused: str, count: str, expected: str) -> None:
    updates = page.call("dialogue_desk", "press", paused, count, pressed(act="earlier"), asking())
    assert updates[0] == expected and all(map(skipped, updates[1:]))


@pytest.mark.parametrize("turn", ["", "-1", "99", "x", "1e3"])
def test_a_link_to_a_turn_that_is_not_there_is_refused(page: Page, paused: str, turn: str) -> None:
    with pytest.raises(gr.Error, match="has no turn"):
        page.call("dialogue_desk", "press", paused, "60", pressed(act="edit", turn=turn), asking())


# --- generate many, library, hand-over -----------------------------------------------------------------------------

def test_generate_as_the_view_opens_asks_for_the_defaults(page: Page) -> None:
    values = opened_values(page, "dialogue_many", "begin")
    assert page.call("dialogue_many", "begin", asking(), *values) == "r-new"
    task, fields, more = page.made[-1]
    request, defaults = from_json(GenerateRequest, fields), GenerateRequest()
    assert task == many.TASK and more["title"] == "16 dialogues"
    assert (request.count, request.batch, request.problems) == (defaults.count, defaults.batch, ())
    assert request.seeker_model == SMOL and request.max_turns == defaults.max_turns


def test_the_empty_state_of_generate_many_starts_a_small_batch(page: Page) -> None:
    page.call("dialogue_many", "begin_example", asking())
    assert from_json(GenerateRequest, page.made[-1][1]).count == 4


def test_a_batch_is_cancelled_and_continued(page: Page) -> None:
    page.call("run_controls", "stop", "r5", asking())
    page.call("run_controls", "proceed", "r5", asking())
    assert page.cancelled[-1] == "r5" and page.resumed[-1] == "r5"


def test_problems_and_categories_can_be_drawn_from(page: Page) -> None:
    update = page.call("dialogue_many_choices", "names", "", "en", ["sleep", "gone"], asking())
    assert len(update["choices"]) == 35 and ("Sleep problems", "sleep") in update["choices"]
    assert update["value"] == ["sleep"], "what the library does not have is no longer chosen"


def test_the_lists_of_the_batch_form_follow_library_and_counselor(page: Page) -> None:
    [bundled] = page.call("dialogue_many_choices", "offer", asking())["choices"]
    assert bundled == ("bundled with the workbench", "")
    assert page.call("dialogue_many_choices", "counsel", "classifier", "", asking())["visible"] is True
    assert page.call("dialogue_many_choices", "counsel", "scored", "run:x/classifier", asking())["visible"] is False
    assert page.call("dialogue_many_choices", "checkers", asking())["choices"] == [("nobody (not checked)", "")]


def test_a_person_decides_on_a_dialogue_in_quarantine(page: Page) -> None:
    run = put_run(page.service.settings, [stored(0)], task=many.TASK, name="dialogues.jsonl", owner=ANN)
    waits = {**stored(1), "qc": {"report": {"status": "quarantined", "verdicts": [
        {"rule": "crisis", "passed": False, "value": [], "reason": "words"}]}}}
    (run.path / "artifacts" / "quarantined.jsonl").write_text(json.dumps(waits) + "\n", encoding="utf-8")
    notes = [*[""] * 6, run.id, "0", "[]"]
    opened = page.call("dialogue_library", "press", asking(), pressed(act="open", key=f"{run.id}/q0"), *notes, "")
    assert "waits for a person" in opened[7] and [u["visible"] for u in opened[8:10]] == [True, True]
    plain = page.call("dialogue_library", "press", asking(), pressed(act="open", key=f"{run.id}/0"), *notes, "")
    assert plain[7] == "" and [u["visible"] for u in plain[8:10]] == [False, False]
    after = page.call("dialogue_library", "decided", asking(), *notes, f"{run.id}/q0")
    assert "qc-accepted" in after[0] and "A person accepted it" in after[5]
    with pytest.raises(gr.Error, match="There is no run"):
        page.call("dialogue_library", "decided", asking(OTHER), *notes, f"{run.id}/q0")


def test_the_library_lists_opens_and_ticks(page: Page) -> None:
    run = put_run(page.service.settings, [stored(0), stored(1)], task=many.TASK, name="dialogues.jsonl", owner=ANN)
    notes = [*[""] * 6, run.id, "0", "[]", ""]
    table, count, number = page.call("dialogue_library", "draw", asking(), *notes)
    assert "Hello 0" in table and "of 2" in count and number == "0"
    picked = page.call("dialogue_library", "press", asking(), pressed(act="pick", key=f"{run.id}/1"), *notes)
    assert json.loads(picked[3]) == [f"{run.id}/1"] and 'aria-checked="true"' in picked[0] and "1 selected" in picked[1]
    back = page.call("dialogue_library", "press", asking(), pressed(act="pick", key=f"{run.id}/1"),
                     *notes[:8], picked[3], "")
    assert json.loads(back[3]) == []
    opened = page.call("dialogue_library", "press", asking(), pressed(act="open", key=f"{run.id}/1"), *notes)
    assert opened[4] == f"{run.id}/1" and "Hello 1" in opened[6] and "ward nurse" in opened[5]
    assert "dt-opened" in opened[0]


def test_a_changed_filter_starts_at_the_first_page(page: Page) -> None:
    run = put_run(page.service.settings, [stored(i) for i in range(70)], task=many.TASK, name="dialogues.jsonl",
                  owner=ANN)
    notes = [*[""] * 6, run.id, "1", "[]", ""]
    assert page.call("dialogue_library", "draw", asking(), *notes)[2] == "1"
    assert page.call("dialogue_library", "on", asking(), *notes)[2] == "2"
    assert page.call("dialogue_library", "back", asking(), *notes)[2] == "0"
    assert page.call("dialogue_library", "fresh", asking(), *notes)[2] == "0"


def test_a_dialogue_of_somebody_else_is_not_opened(page: Page) -> None:
    run = put_run(page.service.settings, [stored(0)], task=many.TASK, name="dialogues.jsonl", owner=ANN)
    with pytest.raises(gr.Error, match="There is no run"):
        page.call("dialogue_library", "press", asking(OTHER), pressed(act="open", key=f"{run.id}/0"),
                  *[""] * 7, "0", "[]", "")


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_the_filters_offer_problems_and_strategies_by_name(page: Page, lang: str) -> None:
    problems, strategies = page.call("dialogue_library", "names", asking(lang=lang))
    assert len(problems["choices"]) == 31 and len(strategies["choices"]) > 20
    assert (text.say(lang, "dialogue.library.all"), "") in problems["choices"]


def test_an_export_is_a_file_to_take(page: Page) -> None:
    run = put_run(page.service.settings, [stored(0)], task=many.TASK, name="dialogues.jsonl", owner=ANN)
    update = page.call("dialogue_exchange", "give", asking(), "csv", "all", *[""] * 6, run.id, "0", "[]", "")
    assert update["visible"] and Path(update["value"]).name == "dialogues.csv"


def opened(page: Page, run_id: str, cookie: str = COOKIE) -> tuple[str, dict[str, str]]:
    return tab.opening(page_shell.PageShell(page.service), run_id, asking(cookie))


def test_the_address_opens_the_view_of_its_run(page: Page, paused: str) -> None:
    batch = put_run(page.service.settings, [stored(0)], task=many.TASK, name="dialogues.jsonl", owner=ANN).id
    assert opened(page, paused) == ("watch", {"watch": paused})
    assert opened(page, batch) == ("many", {"many": batch})


def test_a_run_of_somebody_else_opens_the_view_that_says_there_is_none(page: Page, paused: str) -> None:
    assert opened(page, paused, OTHER) == ("watch", {"watch": paused})
    shown = page.call("dialogue_watch", "look", paused, "{}", "60", asking(OTHER))
    assert "There is no run" in shown[4] and "I cannot sleep." not in json.dumps(shown, default=str)


def test_without_a_run_in_the_address_ones_own_open_dialogue_comes_back(settings: Settings) -> None:
    service = Service(settings)
    shell = page_shell.PageShell(service)
    assert tab.opening(shell, "", asking()) == ("watch", {})
    put_run(settings, in_play(), owner=ANN, status="succeeded")
    put_run(settings, in_play(), owner=BOB, status="paused", shared=True)
    service.index.sync()
    assert tab.opening(shell, "", asking()) == ("watch", {})
    over = put_run(settings, in_play(), owner=ANN, status="succeeded")
    state = json.loads((over.path / "state.json").read_text())
    for finished, shown in ((time.time() - 60, over.id), (time.time() - 2 * tab.RECENT, "")):
        (over.path / "state.json").write_text(json.dumps({**state, "finished": finished}))
        service.index.sync()
        assert tab.opening(shell, "", asking()) == ("watch", {"watch": shown} if shown else {})
    mine = put_run(settings, in_play(), owner=ANN, status="paused").id
    service.index.sync()
    assert tab.opening(shell, "", asking()) == ("watch", {"watch": mine})
    batch = put_run(settings, [stored(0)], task=many.TASK, name="dialogues.jsonl", owner=BOB, status="paused").id
    service.index.sync()
    assert tab.opening(shell, "", asking(OTHER))[1]["many"] == batch


def test_a_visitor_without_a_cookie_is_refused(page: Page, paused: str) -> None:
    with pytest.raises(UserError, match="visitor cookie"):
        tab.opening(page_shell.PageShell(page.service), paused, SimpleNamespace(cookies={}, headers={}))


def test_every_view_with_a_run_has_the_two_buttons(page: Page) -> None:
    """One piece wires them all; each pair acts on the note of its own view."""
    pairs = {name: [b for b in page.handlers("panels.run_controls") if b.fn.__name__ == name]
             for name in ("stop", "proceed")}
    notes = [[block.inputs[0]._id for block in blocks] for blocks in pairs.values()]
    assert notes[0] == notes[1] and len(set(notes[0])) == len(notes[0]) >= 8


@pytest.mark.parametrize(("tab", "module"), [("dialogue", "dialogue"), ("corpus", "corpus"),
                                             ("translation", "tab_views"), ("speech", "tab_views")])
def test_opening_the_page_without_a_run_takes_back_no_press(tab: str, module: str, page: Page) -> None:
    """The answer to the page's load may come after a first press; it must not empty the note that this has filled."""
    block = next(b for b in page.handlers(f"panels.{module}") if b.fn.__module__ == f"panels.{module}"
                 and b.fn.__name__ == "opened" and any(tabs_around(part).split("/")[0] == tab for part in b.outputs))
    found = block.fn("?", asking())
    assert len(found) == len(block.outputs) and all(skipped(value) for value in found)
