"""Forking and comparing on the page, without a browser: families and rights, the form, the hand-over to evaluation."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from backends.sweetiechat import branch
from backends.sweetiechat.branch_request import Change, request_of
from backends.sweetiechat.objects import dialogue_from_json, dialogue_to_json
from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.table import table_to_json
from panels import dialogue_branch as forking
from panels import dialogue_compare as comparing
from panels import dialogue_compared as compared
from panels import dialogue_family as family
from panels import dialogue_many as many
from panels.dialogue_compared import Pick, picked
from tests.backends.sweetie import make_dialogue
from tests.panels.test_dialogue_panel import SMOL, put_run, skipped
from tests.panels.test_dialogue_wiring import ANN, BOB, Page, asking, pressed
from workbench import text
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.files import append_line, read_json, write_json
from workbench.runs import Run
from workbench.service import Service
from workbench.settings import load_settings

EN, ZH = partial(text.say, "en"), partial(text.say, "zh-CN")
WORDS = ("I lost my job.", "What happened?", "They closed it.", "That is hard.", "It is.")


def talk(**changes: Any) -> dict:
    return dialogue_to_json(make_dialogue(*WORDS, states=(4, 4, 3), used=("question", "reflection"),
                                          stop_reason="max_turns", models=dict.fromkeys(branch.ROLES, SMOL), **changes))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One page; its service notes what it would start instead of starting it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(tmp_path_factory.mktemp("compare")))
        service = Service(load_settings())
        built = Page(service)
        patch.setattr(service, "submit",
                      lambda task, fields, **more: built.made.append((task, fields, more)) or "20260101T000000-abcdef")
        yield built


@pytest.fixture
def service(page: Page) -> Any:
    """Its runs are gone after each test."""
    page.made.clear()
    yield page.service
    for run in page.service.runs("cli", limit=500)[0]:
        page.service.delete("cli", run.id)


def put(service: Service, value: Any, **more: Any) -> Run:
    run = put_run(service.settings, value, **{"status": "succeeded", "owner": ANN, **more})
    service.index.refresh(run.path)
    return run


def forked(service: Service, run: Run, place: int, change: Change, *, number: int = 0, value: dict | None = None,
           going: bool = False, **more: Any) -> Run:
    """A branch as its run leaves it after one more turn of the supporter (or, ``going``, before its first turn)."""
    fields = request_of(value or talk(), place, change, run=run.id, number=number, settings={"max_turns": 8})
    made = branch.start(from_json(DialogueRequest, fields)).dialogue
    text_of = f"branched {place}"
    turn = {"idx": len(made.turns), "role": "supporter" if len(made.turns) % 2 else "seeker", "text": text_of,
            "strategy": change.strategy or None}
    ended = {**dialogue_to_json(made), "turns": [*dialogue_to_json(made)["turns"], turn], "stop_reason": "goodbye"}
    branch_run = put(service, ended, **more)
    request = read_json(branch_run.path / "request.json", {})
    write_json(branch_run.path / "request.json", {**request, "fields": fields})
    if going:
        (branch_run.path / "artifacts" / "dialogue.json").unlink()
    return branch_run


def keys(found: list[family.Family]) -> list[list[str]]:
    return [[member.key.partition("/")[0] for member in one.members] for one in found]


# --- families ------------------------------------------------------------------------------------------------------

def test_branches_are_gathered_under_their_origin_however_often_forked(service: Service) -> None:
    origin = put(service, talk())
    one = forked(service, origin, 3, Change("information"))
    deep = forked(service, one, 3, Change("others"), value=read_json(one.path / "artifacts" / "dialogue.json", {}))
    put(service, talk(id="alone"))
    found = family.families(service, ANN)
    assert keys(found) == [[origin.id, one.id, deep.id]] and found[0].key == f"{origin.id}/0"
    assert [found[0].letter(member.key) for member in found[0].members] == ["A", "B", "C"]
    assert family.family_of(service, ANN, deep.id) == (found[0].key, f"{deep.id}/0")
    assert family.family_of(service, ANN, origin.id)[0] == found[0].key


def test_a_dialogue_of_a_generated_run_can_be_the_origin(service: Service) -> None:
    origin = put(service, [talk(id="00000-a"), talk(id="00001-b")], task=many.TASK, name="dialogues.jsonl")
    one = forked(service, origin, 3, Change("information"), number=1, value=talk(id="00001-b"))
    found = family.families(service, ANN)
    assert found[0].key == f"{origin.id}/1" and found[0].members[0].id == "00001-b"
    run, value = family.read(service, ANN, f"{origin.id}/1")
    assert value["id"] == "00001-b" and family.reference(f"{origin.id}/1", run) == f"run:{origin.id}/dialogues.jsonl#1"
    assert family.reference(f"{one.id}/0", one) == f"run:{one.id}"


def test_a_family_keeps_its_rights_and_outlives_its_origin(service: Service) -> None:
    origin = put(service, talk())
    forked(service, origin, 3, Change("information"))
    forked(service, origin, 1, Change("others"))
    assert family.families(service, BOB) == []
    service.delete(ANN, origin.id)
    assert [len(one.members) for one in family.families(service, ANN)] == [2]
    with pytest.raises(UserError, match="There is no run"):
        family.family_of(service, BOB, origin.id)


def test_a_branch_that_has_not_begun_is_there_already(service: Service) -> None:
    origin = put(service, talk())
    early = forked(service, origin, 3, Change("information"), going=True)
    found = family.families(service, ANN)
    assert keys(found) == [[origin.id, early.id]]
    _, value = family.read(service, ANN, f"{early.id}/0")
    assert [turn["text"] for turn in value["turns"]] == list(WORDS[:3])


def test_damaged_runs_hide_themselves_and_not_the_list(service: Service) -> None:
    origin = put(service, talk())
    forked(service, origin, 3, Change("information"))
    for damage in ("{", "[1]", '{"qc": {"branch": 3}, "turns": "x"}', '{"qc": {"branch": {"root": 5}}, "turns": []}'):
        run = put(service, talk())
        (run.path / "artifacts" / "dialogue.json").write_text(damage)
    assert family.beginning({"origin": {"id": 3}}) == {} and family.beginning({}) == {}
    assert keys(family.families(service, ANN))[-1][0] == origin.id


@pytest.mark.parametrize(("changes", "words"), [
    ({"strategy": {"from": "question", "to": "others"}}, "strategy Frage → others"), ({}, "nothing changed"),
    ({"text": {"from": "a", "to": "b"}}, "other words"), ({"seed": {"from": 3, "to": 4}}, "seed 3 → 4"),
    ({"counselor": {"from": "scored", "to": "oracle"}}, "Scored labels → Oracle"),
    ({"supporter_model": {"from": "x", "to": "run:1/model"}}, "Supporter: run:1/model"),
    ({"odd": 3}, "nothing changed"),
])
def test_what_was_changed_is_said_in_words(changes: dict, words: str) -> None:
    said = family.changed({"of": "x", "turn": 3, "changed": changes}, {"question": "Frage"}, EN)
    assert said.startswith("turn 4: ") and words in said


def test_the_original_is_called_so_and_letters_go_on_after_z() -> None:
    assert family.changed({}, {}, ZH) == "原对话"
    members = tuple(family.Member(f"r/{n}", 0.0, "", {}, "", "") for n in range(30))
    assert [family.Family("k", members).letter(f"r/{n}") for n in (0, 25, 26, 29)] == ["A", "Z", "AA", "AD"]


# --- the fork ------------------------------------------------------------------------------------------------------

def test_the_form_shows_the_turn_its_strategies_and_leaves_everything_as_before(page: Page, service: Service) -> None:
    run = put(service, talk())
    values = page.call("dialogue_branch", "press", run.id, pressed(act="branch", turn="3"), asking())
    shown = dict(zip(("desk", "key", "place", "head", *forking.FIELDS), values, strict=True))
    assert shown["key"] == f"{run.id}/0" and shown["place"] == "3" and shown["text"] == WORDS[3]
    assert "turn 4" in shown["head"] and "Reflection" in shown["head"]
    assert len(shown["strategy"]["choices"]) == 9 and shown["strategy"]["value"] == ""
    assert shown["counselor"] == "" and shown["seed"] is None and shown["seeker_model"]["value"] == ""
    seekers = page.call("dialogue_branch", "press", run.id, pressed(act="branch", turn="2"), asking(lang="zh-CN"))
    assert "求助者" in seekers[3] and "回复" in seekers[4]["info"]


def test_other_links_are_left_to_others(page: Page, service: Service) -> None:
    run = put(service, talk())
    assert all(map(skipped, page.call("dialogue_branch", "press", run.id, pressed(act="views", turn="3"), asking())))
    assert all(map(skipped, page.call("dialogue_desk", "press", run.id, "60", pressed(act="branch", turn="3"),
                                      asking())))


@pytest.mark.parametrize("number", [0, 1])
def test_starting_makes_a_run_with_the_origin_as_its_parent(page: Page, service: Service, number: int) -> None:
    run = put(service, talk())
    values = ["information", WORDS[3], "", "", "", "", "", None]
    result = page.call("dialogue_branch", "begin_now", asking(), f"{run.id}/0", "3", *values, number=number)
    assert result[1] == "20260101T000000-abcdef" and len(result) == 2 + number
    task, fields, more = page.made[-1]
    assert task == family.TASK and more["parents"] == (run.id,) and more["visitor"] == ANN
    assert fields["fork_turn"] == 3 and fields["fork_strategy"] == "information" and fields["max_turns"] == 24
    assert fields["origin"]["run"] == run.id and "edited" not in fields["origin"]
    made = branch.start(from_json(DialogueRequest, fields))
    assert made.pending.chosen == "information" and len(made.dialogue.turns) == 3


def test_other_words_model_counselor_and_seed_go_into_the_request(page: Page, service: Service) -> None:
    origin = put(service, [talk(), talk(id="two")], task=many.TASK, name="dialogues.jsonl")
    values = ["", "You did nothing wrong.", "none", "", "", "", SMOL, 7]
    page.call("dialogue_branch", "begin_now", asking(), f"{origin.id}/1", "3", *values)
    fields = page.made[-1][1]
    assert fields["origin"]["edited"]["text"] == "You did nothing wrong." and fields["origin"]["number"] == 1
    assert fields["counselor"] == "none" and fields["seed"] == 7 and fields["origin"]["id"] == "two"
    page.call("dialogue_branch", "begin_now", asking(), f"{origin.id}/1", "3", "", WORDS[3], "classifier",
              "run:x/classifier", "", "", "", None)
    assert page.made[-1][1]["classifier"] == "run:x/classifier"


def test_a_fork_of_somebody_elses_dialogue_needs_that_it_is_shared(page: Page, service: Service) -> None:
    theirs = put(service, talk(), owner=BOB)
    with pytest.raises(UserError, match="There is no run"):
        forking.filled(page_shell(page), asking(), f"{theirs.id}/0", "3")
    with pytest.raises(UserError, match="There is no run"):
        forking.start(page_shell(page), asking(), f"{theirs.id}/0", "3", {})
    service.share(BOB, theirs.id, True)
    forking.start(page_shell(page), asking(), f"{theirs.id}/0", "3", {})
    assert page.made[-1][2]["visitor"] == ANN


@pytest.mark.parametrize("place", ["", "5", "-1", "x"])
def test_a_turn_that_is_not_there_is_refused(page: Page, service: Service, place: str) -> None:
    run = put(service, talk())
    with pytest.raises(UserError, match="has no turn"):
        forking.filled(page_shell(page), asking(), f"{run.id}/0", place)


def test_a_branch_says_beside_its_case_file_where_it_comes_from(service: Service) -> None:
    origin = put(service, talk())
    one = forked(service, origin, 3, Change("information"))
    value = read_json(one.path / "artifacts" / "dialogue.json", {})
    html = forking.case(one.id, value, EN, "en")
    assert f"run={one.id}&amp;do=compare" in html and "Information" in html and "dt-lineage" in html
    assert "dt-lineage" not in forking.case(origin.id, talk(), EN, "en")


def page_shell(page: Page) -> Any:
    """A shell as the handlers know it."""
    from workbench.widgets.page_shell import PageShell

    return PageShell(page.service)


# --- the comparison ------------------------------------------------------------------------------------------------

def opened(page: Page, run: Run | None = None) -> tuple[Pick, list[Any]]:
    shell = page_shell(page)
    values = comparing.opened(shell, asking(), run.id) if run else comparing.fill(shell, asking(), Pick())
    return picked(values[0]), values


def test_without_branches_there_is_only_the_example(page: Page, service: Service) -> None:
    put(service, talk())
    pick, values = opened(page)
    assert pick == Pick() and values[3]["visible"] and not values[4]["visible"]


def test_opening_a_branch_compares_it_with_its_origin(page: Page, service: Service) -> None:
    origin = put(service, talk())
    one, two = (forked(service, origin, 3, Change(key)) for key in ("information", "others"))
    pick, values = opened(page, one)
    assert pick.members == (f"{origin.id}/0", f"{one.id}/0") and pick.letters == ("A", "B")
    assert [value for _, value in values[2]["choices"]] == [f"{r.id}/0" for r in (origin, one, two)]
    assert values[2]["choices"][0][0] == "A · Original" and "Others" in values[2]["choices"][2][0]
    assert opened(page)[0].members == (f"{origin.id}/0", f"{two.id}/0"), "without a choice: the newest branch"
    assert opened(page, origin)[0].members == (f"{origin.id}/0", f"{two.id}/0")


def test_every_part_is_drawn_and_sent_only_when_it_changes(page: Page, service: Service) -> None:
    origin = put(service, talk())
    one = forked(service, origin, 3, Change("information"))
    pick, _ = opened(page, one)
    first = page.call("dialogue_compare", "look", pick.note, True, "48", "{}", asking())
    parts = dict(zip((*comparing.PARTS, "sent"), first, strict=True))
    assert "3 turns that all of them share" in parts["trunk"] and WORDS[0] in parts["trunk"]
    assert "branched 3" in parts["columns"] and WORDS[3] in parts["columns"] and WORDS[0] not in parts["columns"]
    assert "Information" in parts["table"] and "n = 1 / 1" in parts["table"] and "treebank" in parts["table"]
    assert "dt-trunk" in parts["chart"] and "synthetic" in parts["legend"] and one.id in parts["legend"]
    again = page.call("dialogue_compare", "look", pick.note, True, "48", parts["sent"], asking())
    assert all(map(skipped, again))
    other = page.call("dialogue_compare", "look", pick.note, False, "48", parts["sent"], asking())
    assert [skipped(value) for value in other][:4] == [True] * 4
    assert all(len(value) < 50_000 for value in first)


def test_a_branch_that_is_being_played_shows_its_words_as_they_come(page: Page, service: Service) -> None:
    origin = put(service, talk())
    early = forked(service, origin, 3, Change("information"), going=True, status="running")
    state = read_json(early.path / "state.json", {})
    write_json(early.path / "state.json", {**state, "status": "paused"})
    write_json(early.path / "live.json", {"phase": "supporter", "role": "supporter", "idx": 3, "text": "Half a"})
    pick, _ = opened(page, early)
    parts = page.call("dialogue_compare", "look", pick.note, True, "48", "{}", asking())
    assert "Half a" in parts[4] and "dt-caret" in parts[4] and EN("dialogue.phase.paused") in parts[0]


def test_a_safety_stop_shows_where_help_is(page: Page, service: Service) -> None:
    origin = put(service, talk(qc={}))
    one = forked(service, origin, 2, Change(text="I want to kill myself."))
    value = read_json(one.path / "artifacts" / "dialogue.json", {})
    write_json(one.path / "artifacts" / "dialogue.json", {**value, "stop_reason": "safety"})
    pick, _ = opened(page, one)
    assert "dt-crisis" in page.call("dialogue_compare", "look", pick.note, True, "48", "{}", asking())[0]


def test_at_most_four_stand_side_by_side_in_the_familys_order(page: Page, service: Service) -> None:
    origin = put(service, talk())
    runs = [origin, *(forked(service, origin, 3, Change(key)) for key in
                      ("information", "others", "question", "suggestions"))]
    all_keys = [f"{run.id}/0" for run in runs]
    pick, _ = opened(page)
    with pytest.raises(Exception, match="at most 4"):
        page.call("dialogue_compare", "tick", pick.note, all_keys, asking())
    now = picked(page.call("dialogue_compare", "tick", pick.note, [all_keys[4], all_keys[1]], asking()))
    assert now.members == (all_keys[1], all_keys[4]) and now.letters == ("B", "E")


@pytest.mark.parametrize("note", ["", "{", "[]", '{"members": 3}', '{"family": "x", "members": ["no/0"]}'])
def test_a_note_that_somebody_changed_breaks_nothing(page: Page, service: Service, note: str) -> None:
    result = page.call("dialogue_compare", "look", note, True, "x", "{}", asking())
    assert len(result) == len(comparing.PARTS) + 1
    assert comparing.fill(page_shell(page), asking(), picked(note))[3]["visible"]


def test_the_view_of_another_visitor_shows_nothing(page: Page, service: Service) -> None:
    origin = put(service, talk())
    one = forked(service, origin, 3, Change("information"))
    pick, _ = opened(page, one)
    parts = page.call("dialogue_compare", "look", pick.note, True, "48", "{}", asking("b" * 32))
    assert WORDS[0] not in json.dumps(parts[:5]) and EN("compare.few") in parts[0]


def test_more_turns_come_on_request(page: Page, service: Service) -> None:
    assert page.call("dialogue_compare", "more", "48", SimpleNamespace(_data={"act": "more"})) == "96"
    assert page.call("dialogue_compare", "more", "48", SimpleNamespace(_data={"act": "else"})) == "48"


def test_the_example_starts_two_branches_of_a_bundled_talk(page: Page, service: Service) -> None:
    pick = compared.example(page_shell(page), asking())
    assert len(pick.members) == 2 and pick.family == compared.bundled().id
    strategies = [fields["fork_strategy"] for _, fields, _ in page.made]
    assert strategies == list(compared.EXAMPLE_STRATEGIES)
    for _, fields, more in page.made:
        table = branch.start(from_json(DialogueRequest, fields))
        assert len(table.dialogue.turns) == compared.EXAMPLE_TURN and table.next == "supporter"
        assert fields["max_turns"] == compared.EXAMPLE_TURN + compared.EXAMPLE_TURNS and more["visitor"] == ANN
        assert table_to_json(table)["qc"]["branch"]["changed"]["strategy"]["from"] == "reflection"


# --- the hand-over -------------------------------------------------------------------------------------------------

def test_a_pair_is_sent_by_references_with_labels_and_parents(page: Page, service: Service) -> None:
    origin = put(service, [talk(id="00000-a")], task=many.TASK, name="dialogues.jsonl")
    one = forked(service, origin, 3, Change("information"), value=talk(id="00000-a"))
    pick, _ = opened(page, one)
    assert page.call("dialogue_compare", "give", pick.note, " Whom? ", asking()) == "20260101T000000-abcdef"
    task, fields, more = page.made[-1]
    assert task == comparing.PAIR and fields["question"] == "Whom?" and more["parents"] == [origin.id, one.id]
    assert fields["branches"] == [f"run:{origin.id}/dialogues.jsonl#0", f"run:{one.id}"]
    assert fields["labels"][0] == "A: Original" and "Information" in fields["labels"][1]


def test_a_branch_that_goes_on_is_not_sent(page: Page, service: Service) -> None:
    origin = put(service, talk())
    one = forked(service, origin, 3, Change("information"), status="paused")
    pick, _ = opened(page, one)
    with pytest.raises(Exception, match="still being played"):
        page.call("dialogue_compare", "give", pick.note, "", asking())
    with pytest.raises(Exception, match="two branches or more"):
        page.call("dialogue_compare", "give", Pick("x", (f"{one.id}/0",), ("A",)).note, "", asking())


def test_a_pair_run_opens_the_comparison_that_it_was_made_of(page: Page, service: Service) -> None:
    origin = put(service, talk())
    one = forked(service, origin, 3, Change("information"))
    run = put(service, [], task=comparing.PAIR, name="pairs.jsonl")
    request = read_json(run.path / "request.json", {})
    fields = {"branches": [f"run:{one.id}", f"run:{origin.id}"]}
    write_json(run.path / "request.json", {**request, "fields": fields})
    assert opened(page, run)[0].members == (f"{origin.id}/0", f"{one.id}/0")
    write_json(run.path / "request.json", {**request, "fields": {"branches": []}})
    assert opened(page, run)[0].members


def test_the_dialogue_of_a_branch_reads_back_as_one(service: Service) -> None:
    origin = put(service, talk())
    one = forked(service, origin, 3, Change("information"))
    assert dialogue_from_json(family.read(service, ANN, f"{one.id}/0")[1]).root == "test"
    append_line(one.path / "commands.jsonl", {"do": "stop"}, durable=False)
