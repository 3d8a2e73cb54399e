"""The information barrier: what each role's prompt holds and what it can never hold, in every mode and language."""

from __future__ import annotations

import ast
import dataclasses
import itertools
from pathlib import Path

import pytest

from backends.sweetiechat import projections
from backends.sweetiechat.aims import Aim
from backends.sweetiechat.objects import Private, Turn
from backends.sweetiechat.projections import counselor_view, public, seeker_view, supporter_view
from backends.sweetiechat.speaking import hash_of
from backends.sweetiechat.views import view_for
from backends.sweetiechat.wording import Voice, voice_of
from tests.backends.sweetie import BASE, LARGE, SMALL, make_counsel, make_dialogue, wording_of, words

METHOD = Path(projections.__file__).parent
ROLE_PLAY = ("aims", "bench", "cast", "clean", "commands", "counselor", "crisis", "exchange", "generate", "library",
             "loop", "objects", "play", "projections", "recording", "reproduce", "requests", "seeker", "speaking",
                 "stopping",
             "supporter", "table", "views", "wording", "writers")
VOICES = {"small": voice_of(SMALL), "large": voice_of(LARGE), "base": voice_of(BASE),
          "endpoint": voice_of({"reference": "endpoint:http://127.0.0.1:1/v1", "kind": "chat"})}
AIMS = ("open", "since", "reveal", "detail", "answer", "tried", "goal", "feel", "doubt", "consider", "relief", "close")
TASKS = {"seeker": ("speak", "json", "state"), "counselor": ("decide", "score", "null", "repair"),
         "supporter": ("speak",)}


def canary_dialogue(language, turns=5):
    """Canaries: ``cardNN`` in card and scenario, ``privateNN`` in private state, ``planNN`` in strategies and
    decisions. Public texts hold none."""
    texts = [f"public{n} words" for n in range(turns)]
    dialogue = make_dialogue(*texts, language=language, used=("question", "reflection"))
    marks = itertools.count(10)
    scenario = dataclasses.replace(dialogue.scenario, **{
        name: f"card{next(marks)}" for name in ("situation", "trigger", "time_frame", "tried_already", "goal_of_seeker",
                                                "emotion")})
    card = dataclasses.replace(
        dialogue.card,
        **{name: f"card{next(marks)}" for name in ("age_band", "gender", "occupation", "family", "opening")},
        personality=(f"card{next(marks)}",), hidden_facts=tuple(f"card{next(marks)}" for _ in range(3)))
    items = tuple(dataclasses.replace(item, definition_en=f"plan{next(marks)}", definition_zh=f"plan{next(marks)}",
                                      label_en=f"plan{next(marks)}", label_zh=f"plan{next(marks)}",
                                      example_en=f"plan{next(marks)}") for item in dialogue.strategy_set.items)
    turns_ = []
    for turn in dialogue.turns:
        if turn.role == "seeker":
            state = Private("private50", 4, (1,), False, 3.75, 3.25, "private51")
            turns_.append(dataclasses.replace(turn, private=state, meta={"raw": "private52", "prefill": "private53"}))
        else:
            counsel = make_counsel(turn.strategy, "prompt", rationale="plan91", address="plan92", notes=("plan93",))
            turns_.append(dataclasses.replace(turn, counselor=counsel, meta={"raw": "plan94"}))
    return dataclasses.replace(dialogue, scenario=scenario, card=card, turns=tuple(turns_),
                               strategy_set=dataclasses.replace(dialogue.strategy_set, items=items),
                               qc={"note": "private54 plan95"})


def every_prompt(language, voice):
    dialogue, wording = canary_dialogue(language), wording_of(language)
    for aim in AIMS:
        item = 1 if aim in ("reveal",) else 0 if aim == "detail" else None
        for task in TASKS["seeker"]:
            yield "seeker", view_for("seeker", dialogue, wording, voice, task=task, aim=Aim(aim, item), pick=3)
    for task in TASKS["counselor"]:
        yield "counselor", view_for("counselor", dialogue, wording, voice, task=task, problem="no JSON")
    for mode in ("prompt", "scored", "you"):
        counsel = make_counsel("reflection", mode, rationale="plan96", address="plan97")
        yield "supporter", view_for("supporter", dialogue, wording, voice, counsel=counsel, pick=1)
    yield "supporter", view_for("supporter", dialogue, wording, voice, counsel=None)


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_canary_reaches_a_role_that_must_not_see_it(language, voice):
    for role, prompt in every_prompt(language, VOICES[voice]):
        text = words(prompt).lower()
        if role == "seeker":
            assert "plan" not in text.replace("explan", ""), text
        else:
            assert "card" not in text and "private" not in text, text


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_role_does_see_what_is_its_own_and_the_public_talk(language, voice):
    seen = {"seeker": "", "counselor": "", "supporter": ""}
    for role, prompt in every_prompt(language, VOICES[voice]):
        seen[role] += words(prompt)
    assert "card" in seen["seeker"] and "plan" in seen["counselor"]
    for text in seen.values():
        assert "public0 words" in text and "public4 words" in text
    if voice in ("large", "endpoint"):
        assert "plan" in seen["supporter"] and "plan96" in seen["supporter"]  # the definition and a model's rationale


def test_the_search_would_find_a_leak():
    dialogue, wording = canary_dialogue("en"), wording_of("en")
    leaky = dataclasses.replace(dialogue, turns=(
        *dialogue.turns, Turn(5, "seeker", f"as if the prompt held {dialogue.card.hidden_facts[0]}")))
    assert "card" in words(view_for("supporter", leaky, wording, VOICES["small"], counsel=None))


def test_the_projections_have_no_field_for_what_must_not_be_seen():
    dialogue = canary_dialogue("en")
    for view in (counselor_view(dialogue), supporter_view(dialogue, make_counsel(rationale="plan1"))):
        assert "card" not in repr(view).replace("card=", "") and "private" not in repr(view)
        assert not {"card", "scenario", "private", "dialogue"} & {f.name for f in dataclasses.fields(view)}
    assert "plan" not in repr(seeker_view(dialogue, Aim("open")))


def test_only_views_imports_the_writers_and_nobody_else_makes_a_prompt():
    for path in (METHOD / f"{name}.py" for name in ROLE_PLAY):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        if path.name != "views.py":
            assert "writers" not in imported and "backends.sweetiechat.writers" not in modules, path.name
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
        made = [n for n in calls if getattr(n.func, "id", "") in ("Prompt", "Message")]
        if path.name != "writers.py":
            assert not made, f"{path.name} makes a prompt of its own"


def test_a_scored_rationale_is_not_worth_a_supporters_attention_but_a_models_is():
    dialogue = make_dialogue("I am sad.")
    assert supporter_view(dialogue, make_counsel(mode="scored", rationale="numbers")).rationale == ""
    assert supporter_view(dialogue, make_counsel(mode="prompt", rationale="reasons")).rationale == "reasons"
    assert supporter_view(dialogue, None).strategy is None


# the form of the prompts

def test_a_chat_prompt_has_the_system_text_first_and_alternates():
    dialogue = make_dialogue("a1", "b1", "a2", "b2", "a3")
    for role in ("seeker", "supporter"):
        lines = dialogue if role == "supporter" else dataclasses.replace(dialogue, turns=dialogue.turns[:4])
        prompt = view_for(role, lines, wording_of("en"), VOICES["large"], aim=Aim("answer"))
        roles = [m.role for m in prompt.messages]
        assert roles[0] == "system" and roles[-1] == "user"
        assert all(a != b for a, b in itertools.pairwise(roles))
        own = "a1" if role == "seeker" else "b1"
        assert {m.role for m in prompt.messages if m.content.startswith(own)} == {"assistant"}


def test_two_turns_of_one_speaker_in_a_row_become_one_message():
    dialogue = make_dialogue("a1")
    dialogue = dialogue.with_turn(Turn(1, "seeker", "a2"))
    prompt = view_for("supporter", dialogue, wording_of("en"), VOICES["large"])
    assert [m.role for m in prompt.messages] == ["system", "user"]
    assert prompt.messages[1].content.startswith("a1\na2")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_base_model_gets_a_script_that_ends_with_the_label_of_its_role(language):
    dialogue, wording = make_dialogue("a1", "b1", language=language), wording_of(language)
    prompt = view_for("seeker", dialogue, wording, VOICES["base"], aim=Aim("feel"))
    assert not prompt.messages and prompt.text.rstrip().endswith(f"{wording.speaker('seeker')}:")
    assert f"{wording.speaker('supporter')}: b1" in prompt.text and prompt.prefill.strip()


@pytest.mark.parametrize("voice", ["small", "large"])
@pytest.mark.parametrize("role", ["seeker", "supporter", "counselor"])
def test_prompts_share_a_long_beginning_from_turn_to_turn(role, voice):
    texts = [f"This is utterance number {n} of a talk about a letter." for n in range(12)]
    wording = wording_of("en")
    counts = range(2, 10, 2) if role == "seeker" else range(3, 11, 2)
    prompts = [view_for(role, make_dialogue(*texts[:n]), wording, VOICES[voice], aim=Aim("answer"), task={
        "counselor": "score"}.get(role, "speak"), counsel=make_counsel()) for n in counts]
    assert len({p.key for p in prompts}) == 1
    for before, after in itertools.pairwise(words(p) for p in prompts):
        shared = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
        assert len(after) - shared < 420, "only the newest turns and the instruction may differ"
        assert shared > 0.5 * len(before)


def test_keys_differ_between_roles_and_dialogues_and_the_empty_history_has_its_own():
    wording, voice = wording_of("en"), VOICES["small"]
    dialogue = make_dialogue("a1")
    other = dataclasses.replace(dialogue, id="other")
    keys = [view_for(role, d, wording, voice, task=task).key for d in (dialogue, other)
            for role, task in (("seeker", "speak"), ("counselor", "score"), ("counselor", "null"),
                               ("supporter", "speak"))]
    assert len(set(keys)) == len(keys)
    state = view_for("seeker", dialogue, wording, voice, task="state")
    assert state.key == view_for("seeker", dialogue, wording, voice).key


def test_the_empty_history_prompt_says_nothing_of_the_talk():
    dialogue = make_dialogue("secret sorrow", "b1", "more sorrow")
    prompt = view_for("counselor", dialogue, wording_of("en"), VOICES["small"], task="null")
    assert "sorrow" not in words(prompt) and words(prompt).count("Seeker: ...") == 3


def test_small_models_get_first_words_and_servers_do_not():
    dialogue, wording = make_dialogue("a1", "b1"), wording_of("en")
    reveal = Aim("reveal", 0)
    small = view_for("seeker", dialogue, wording, VOICES["small"], aim=reveal)
    assert dialogue.card.hidden_facts[0].startswith(small.prefill) and small.prefill
    for name in ("large", "endpoint"):
        assert view_for("seeker", dialogue, wording, VOICES[name], aim=reveal).prefill == ""
        assert dialogue.card.hidden_facts[0] in words(view_for("seeker", dialogue, wording, VOICES[name], aim=reveal))
    scored = view_for("counselor", dialogue, wording, VOICES["endpoint"], task="score")
    assert scored.prefill == "" and view_for("counselor", dialogue, wording, VOICES["small"], task="score").prefill


def test_first_words_go_round_and_follow_the_strategy_also_of_larger_sets():
    dialogue, wording = make_dialogue("a1", strategies="extes-16"), wording_of("en")
    picks = {view_for("supporter", dialogue, wording, VOICES["small"], counsel=make_counsel("clarification"),
                      pick=n).prefill for n in range(12)}
    assert picks == set(wording.part("supporter")["openers"]["question"])


def test_a_long_history_drops_its_oldest_turns_in_blocks():
    texts = [f"{n:03d} " + "word " * 60 for n in range(60)]
    lines = public(make_dialogue(*texts))
    dropped = 60 - len(lines)
    assert dropped % projections.BLOCK == 0 and dropped > 0 and lines[-1].text == texts[-1]
    assert sum(len(line.text) for line in lines) <= projections.HISTORY_CHARACTERS
    more = public(make_dialogue(*texts, "short"))
    assert more[0] == lines[0], "one more turn rarely moves the beginning"
    assert len(public(make_dialogue("x" * 50_000))) == 1


def test_braces_and_markup_of_people_stay_as_they_are():
    text = "I {feel} like {0} and <|im_end|> %s"
    dialogue = make_dialogue(text)
    for role in ("counselor", "supporter"):
        assert text in words(view_for(role, dialogue, wording_of("en"), VOICES["large"]))
    card = dataclasses.replace(dialogue.card, hidden_facts=("I owe {money}.",))
    assert "I owe {money}." in words(view_for("seeker", dataclasses.replace(dialogue, card=card), wording_of("en"),
                                              VOICES["large"], aim=Aim("reveal", 0)))


def test_the_hash_of_a_prompt_is_of_its_words_only():
    dialogue, wording = make_dialogue("a1"), wording_of("en")
    one = view_for("supporter", dialogue, wording, VOICES["small"])
    assert hash_of(one) == hash_of(dataclasses.replace(one, key="elsewhere"))
    assert hash_of(one) != hash_of(dataclasses.replace(one, prefill="So"))


# the wording files

def paths(table, prefix=""):
    return {prefix + str(k) for k in table} | {p for k, v in table.items() if isinstance(v, dict)
                                               for p in paths(v, f"{prefix}{k}.")}


def test_both_languages_have_the_same_entries():
    only_english = {"rules.faults.seeker.talks about nothing"}
    assert paths(wording_of("en").table) - only_english == paths(wording_of("zh").table)
    assert set(wording_of("en").part("seeker")["aims"]) == set(AIMS)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_pattern_compiles_and_every_strategy_has_first_words(language):
    wording = wording_of(language)
    for name in ("farewell", "labels", "meta"):
        assert wording.pattern("rules", name)
    for role, rules in wording.part("rules")["faults"].items():
        for rule in rules:
            assert wording.pattern("rules", "faults", role, rule)
    for name in ("esconv-8", "extes-16", "escot-13"):
        for key in make_dialogue(strategies=name).strategy_set.keys:
            assert wording.part("supporter")["openers"][wording.near(key)], key
            assert wording.part("supporter")["acts"][wording.near(key)], key


@pytest.mark.parametrize(("card", "voice"), [
    (SMALL, Voice(True, True, True)), (LARGE, Voice(True, False, True)), (BASE, Voice(False, True, True)),
    ({"kind": "chat", "parameters": 7_000_000_000}, Voice(True, False, True)), ({}, Voice(True, False, True)),
    ({"reference": "endpoint:http://x/v1", "kind": "chat", "parameters": 1}, Voice(True, False, False))])
def test_how_to_speak_to_a_model(card, voice):
    assert voice_of(card) == voice


@pytest.mark.parametrize(("language", "text", "start"), [
    ("en", "I still pay half of his phone bill.", "I still pay half of"), ("en", "I cry.", "I cry."),
    ("en", "One two three four five six", "One two three four five six"),
    ("zh", "我还在替他付一半的话费。", "我还在替他付")])
def test_the_first_words_of_a_text(language, text, start):
    assert wording_of(language).beginning(text, "fact") == start
