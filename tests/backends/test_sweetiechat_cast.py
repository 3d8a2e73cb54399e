"""The cast: who plays whom, seeds, decoding, the supporter's one strategy - and the two proofs on a tiny model."""

from __future__ import annotations

import dataclasses
import random

import pytest

from backends.sweetiechat import bench, reproduce
from backends.sweetiechat.cast import check_language, close_cast, open_cast, seed_of
from backends.sweetiechat.objects import Counsel
from backends.sweetiechat.requests import DialogueRequest, GenerateRequest
from backends.sweetiechat.speaking import speak
from backends.sweetiechat.supporter import supporter_turns
from backends.sweetiechat.views import view_for
from tests.backends.sweetie import (
    BASE,
    LARGE,
    SMALL,
    ScriptedModel,
    make_cast,
    make_counsel,
    make_dialogue,
    wording_of,
    words,
)
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.settings import Settings

ROLES = ("seeker", "counselor", "supporter")


class Opened:
    """Opens a scripted model for each reference and remembers the order."""

    def __init__(self, **cards):
        self.cards, self.models = cards, {}

    def __call__(self, context, reference):
        assert reference not in self.models, "one line for one reference"
        if self.cards.get(reference) == "missing":
            raise UserError(f"There is no model {reference}.")
        self.models[reference] = ScriptedModel(card=self.cards.get(reference))
        return self.models[reference]


@pytest.fixture
def context(tmp_path):
    return MemoryContext(tmp_path, settings=Settings(home=tmp_path, default_model="path:/default"))


# opening

@pytest.mark.parametrize(("fields", "opened"), [
    ({}, {"path:/default"}), ({"seeker_model": "path:/a"}, {"path:/a", "path:/default"}),
    ({f"{role}_model": "path:/a" for role in ROLES}, {"path:/a"}), ({"seeker_model": "  "}, {"path:/default"}),
    ({f"{role}_model": f"path:/{role}" for role in ROLES}, {f"path:/{role}" for role in ROLES})])
def test_one_line_for_each_different_model_and_the_default_for_the_rest(context, fields, opened):
    opener = Opened()
    cast = open_cast(context, DialogueRequest(**fields), ROLES, opener)
    assert set(opener.models) == opened
    assert {role: cast.references[role] for role in ROLES} == {
        role: fields.get(f"{role}_model", "").strip() or "path:/default" for role in ROLES}
    close_cast(cast)
    assert all(model.closed == 1 for model in opener.models.values())


@pytest.mark.parametrize("bad", [{"path:/b": "missing"}, {"path:/b": {**LARGE, "languages": ["zh"]}}])
def test_when_one_model_will_not_do_the_others_are_given_back(context, bad):
    opener = Opened(**bad)
    request = DialogueRequest(seeker_model="path:/a", supporter_model="path:/b")
    with pytest.raises(UserError, match=r"path:/b|speaks Chinese only; it cannot play the supporter in English"):
        open_cast(context, request, ROLES, opener)
    assert opener.models["path:/a"].closed == 1


@pytest.mark.parametrize(("languages", "language", "fits"), [
    ([], "zh", True), (None, "zh", True), (["en"], "en", True), (["en"], "zh", False), (["en", "zh"], "zh", True),
    (["de", "fr"], "en", False)])
def test_who_speaks_what(languages, language, fits):
    model = ScriptedModel(card={**LARGE, "title": "Polly", "languages": languages})
    if fits:
        check_language(model, "path:/p", "seeker", language)
        return
    with pytest.raises(UserError, match=r"Polly speaks .* only"):
        check_language(model, "path:/p", "seeker", language)


# seeds and decoding

def test_seeds_are_the_same_everywhere_and_differ_by_every_part():
    assert seed_of(0, "a", 1) == 272896649205633 == seed_of("0", "a", "1")
    seeds = {seed_of(seed, name, turn,
        role) for seed in range(3) for name in "ab" for turn in range(4) for role in ROLES}
    assert len(seeds) == 72 and all(0 <= seed < 2**48 for seed in seeds)


def test_the_request_decides_the_decoding():
    request = DialogueRequest(max_new_tokens=33, min_new_tokens=3, temperature=0.9, top_p=0.8, top_k=7,
                              repetition_penalty=1.2, no_repeat_ngram=3)
    decoding = make_cast(request=request).decoding(11, stop=("\n",))
    for name in ("max_new_tokens", "min_new_tokens", "temperature", "top_p", "top_k", "repetition_penalty",
                 "no_repeat_ngram"):
        assert getattr(decoding, name) == getattr(request, name)
    assert decoding.seed == 11 and decoding.stop == ("\n",)


@pytest.mark.parametrize(("card", "language", "stop"), [
    (SMALL, "en", ("\n",)), ({**BASE, "languages": []}, "zh", ("\n",)), (LARGE, "en", ())])
def test_small_and_script_models_stop_at_the_end_of_the_line(card, language, stop):
    model = ScriptedModel(card=card)
    cast = make_cast(model, GenerateRequest(language=language))
    supporter_turns([make_dialogue("a", language=language)], [make_counsel()], cast)
    assert model.decodings[0].stop == stop


def test_a_fixed_length_has_no_stops():
    model = ScriptedModel()
    supporter_turns([make_dialogue("a")], [None], make_cast(model, DialogueRequest(min_new_tokens=9, max_new_tokens=9)))
    assert model.decodings[0].stop == ()


def test_every_turn_and_redraw_has_its_own_seed():
    model = ScriptedModel(card=LARGE, replies=lambda prompt: "Please help me.")
    cast = make_cast(model)
    for turns in (1, 3, 5):
        supporter_turns([make_dialogue(*["a", "b", "c", "d", "e"][:turns])], [None], cast)
    assert len({d.seed for d in model.decodings}) == len(model.decodings) == 9


# the supporter

@pytest.mark.parametrize("key", make_dialogue().strategy_set.keys)
def test_the_supporter_is_told_one_strategy_only(key):
    dialogue, wording = make_dialogue("I am sad."), wording_of("en")
    cast = make_cast(ScriptedModel(card=LARGE))
    text = words(view_for("supporter", dialogue, wording, cast.voice("supporter"), counsel=make_counsel(key)))
    assert dialogue.strategy_set.get(key).definition_en in " ".join(text.split())
    others = [item for item in dialogue.strategy_set.items if item.key != key]
    assert not [item.key for item in others if item.definition_en in " ".join(text.split())]


def test_two_strategies_on_one_history_give_two_texts():
    dialogues = [make_dialogue("I am sad.")] * 2
    made = supporter_turns(dialogues, [make_counsel("question"), make_counsel("suggestions")], make_cast())
    assert made[0][0].text != made[1][0].text and [t.strategy for t, _ in made] == ["question", "suggestions"]


def test_without_a_decision_there_is_no_strategy():
    ((turn, _),) = supporter_turns([make_dialogue("I am sad.")], [None], make_cast())
    assert turn.strategy is None and turn.counselor is None
    free = Counsel("any", (), "", "", "none")
    ((turn, _),) = supporter_turns([make_dialogue("I am sad.")], [free], make_cast())
    assert turn.strategy is None


def test_an_own_strategy_set_reaches_the_supporter_of_a_small_model_too():
    from backends.sweetiechat.library import parse_strategies

    own = parse_strategies("items:\n- {key: hum, label: Hum, definition: Hum a tune.}\n- {key: nod, label: Nod}")
    dialogue = dataclasses.replace(make_dialogue("I am sad."), strategy_set=own)
    voice = make_cast().voice("supporter")
    hum = view_for("supporter", dialogue, wording_of("en"), voice, counsel=make_counsel("hum"))
    nod = view_for("supporter", dialogue, wording_of("en"), voice, counsel=make_counsel("nod"))
    assert "Hum a tune." in words(hum) and "Nod" in words(nod) and hum.prefill == nod.prefill == ""


# speaking

def test_the_text_so_far_is_told_by_row_and_begins_with_the_first_words():
    seen = []
    dialogues = [dataclasses.replace(make_dialogue("I am sad."), id=name) for name in "ab"]
    cast = make_cast(request=DialogueRequest(redraws=0))
    made = supporter_turns(dialogues, [make_counsel(), make_counsel("reflection")], cast,
                           lambda row, text: seen.append((row, text)))
    assert {row for row, _ in seen} == {0, 1}
    for row, (turn, _) in enumerate(made):
        parts = [text for place, text in seen if place == row]
        assert all(text.startswith(turn.meta["prefill"]) for text in parts) and len(parts[0]) < len(parts[-1])


def test_a_redraw_of_one_row_streams_to_that_row():
    rows = []
    model = ScriptedModel(card=LARGE,
        replies=lambda p: "Please help me." if p.key.startswith("b") else "You are not alone.")
    dialogues = [dataclasses.replace(make_dialogue("I am sad."), id=name) for name in "ab"]
    supporter_turns(dialogues, [None, None], make_cast(model), lambda row, text: rows.append(row))
    assert rows[:4] == [0, 0, 1, 1] and set(rows[4:]) == {1}


def test_whoever_cancels_stops_the_speaking():
    class Stop(Exception):
        pass

    def cancelled():
        raise Stop

    with pytest.raises(Stop):
        supporter_turns([make_dialogue("a")], [None], make_cast(), None, cancelled)


def test_what_is_remembered_of_a_making():
    dialogue, cast = make_dialogue("I am sad."), make_cast()
    (spoken,) = speak("supporter", [dialogue], lambda row, draw: view_for(
        "supporter", dialogue, cast.wording, cast.voice("supporter"), counsel=make_counsel(), pick=draw), cast)
    assert set(spoken.meta) == {
        "author", "model", "seed", "temperature", "prompt_hash", "prompts", "tokens", "prompt_tokens", "reused_tokens",
        "latency_ms", "finish", "prefill", "raw", "removed", "faults", "redraws"}
    assert spoken.meta["model"] == "path:supporter" and spoken.meta["raw"].startswith(spoken.meta["prefill"])
    assert len(spoken.meta["prompt_hash"]) == 16 and spoken.meta["prompts"] == cast.wording.version


# the two proofs, on the tiny model

@pytest.fixture
def tiny_settings(tmp_path, tiny_lm):
    return Settings(home=tmp_path, threads=1, default_model=f"path:{tiny_lm}", device="cpu")


def test_the_benchmark_does_the_same_work_on_both_sides(tiny_settings, capsys, monkeypatch):
    monkeypatch.setattr(bench, "QUICK", (3, 4, 8))
    found = bench.run(tiny_settings, quick=True)
    assert found["same_result"] and found["ours"] > 0 and found["theirs"] > 0
    assert found["ratio"] == pytest.approx(found["theirs"] / found["ours"], rel=0.05)
    assert set(found) == {"name", "peer", "ratio", "ours", "theirs", "same_result"}
    assert "tokens 96 and 96" in capsys.readouterr().out


def test_the_proof_of_the_barrier_on_an_engine(tiny_settings, monkeypatch):
    monkeypatch.setattr(reproduce, "QUICK", (3, 3, 3))
    found = reproduce.barrier(tiny_settings, quick=True)
    assert found.holds and found.claims[0].value == 0.0 and found.claims[0].control > 0
    assert "3 dialogues" in found.claims[0].what


def test_nothing_here_touches_the_global_random_state():
    before = random.getstate()
    supporter_turns([make_dialogue("a")], [make_counsel()], make_cast())
    assert random.getstate() == before


# what is planted for the proof

@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_private_field_and_every_strategy_carries_a_canary(language):
    dialogue = reproduce.planted(3, GenerateRequest(language=language))
    for thing, names in ((dialogue.scenario, ("emotion", "situation", "trigger", "time_frame", "tried_already",
                                              "goal_of_seeker")),
                         (dialogue.card, ("age_band", "gender", "occupation", "family", "opening"))):
        for name in names:
            assert getattr(thing, name).startswith(reproduce.PRIVATE), name
    assert reproduce.PRIVATE in dialogue.card.personality
    assert all(fact.startswith(reproduce.PRIVATE) for fact in dialogue.card.hidden_facts)
    for item in dialogue.strategy_set.items:
        assert item.definition(language).startswith(reproduce.STRATEGY)


def test_the_proof_takes_other_people_for_other_numbers():
    request = GenerateRequest()
    cards = {reproduce.planted(number, request).card.id for number in range(20)}
    assert len(cards) == 20 and len({reproduce.planted(n, request).id for n in range(20)}) == 20


def test_the_manners_are_spoken_to_in_three_ways():
    from backends.sweetiechat.wording import voice_of

    voices = [voice_of({**SMALL, **changes}) for changes in reproduce.MANNERS.values()]
    assert [(voice.chat, voice.small) for voice in voices] == [(True, True), (True, False), (False, True)]


@pytest.mark.parametrize(("key", "word", "counted"), [
    ("d/seeker", reproduce.STRATEGY, "leaks"), ("d/seeker", reproduce.PRIVATE, "own"),
    ("d/counselor", reproduce.PRIVATE, "leaks"), ("d/counselor", reproduce.STRATEGY, "own"),
    ("d/supporter", reproduce.PRIVATE, "leaks"), ("d/supporter", reproduce.STRATEGY, "own"),
    ("d/counselor/null", reproduce.PRIVATE, "leaks")])
def test_the_search_knows_what_each_role_must_not_see(key, word, counted):
    from backends.common.language import Prompt

    dialogue = make_dialogue("I am sad.")
    counts = reproduce.look_through([Prompt(text=f"I am sad. {word.upper()}", key=key)], dialogue)
    assert counts[counted] == 1 and counts["leaks" if counted == "own" else "own"] == 0


def test_what_was_said_aloud_is_no_leak():
    from backends.common.language import Prompt

    dialogue = make_dialogue(f"I am {reproduce.PRIVATE} sad.")
    prompt = Prompt(text=f"Seeker: I am {reproduce.PRIVATE} sad.", key="d/supporter")
    counts = reproduce.look_through([prompt], dialogue)
    assert counts["leaks"] == 0 and counts["aloud"] == 1
