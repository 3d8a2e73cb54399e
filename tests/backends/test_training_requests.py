"""What can be asked of the training tasks: limits, words, forms, names, and how data are put together."""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.common.training.batches import Order, micro_batches, shares
from backends.common.training.examples import CONTEXT, END, TEXT, Example
from backends.sweetiechat.library import choose_strategies, parse_strategies
from backends.sweetiechat.objects import Dialogue, Scenario, Strategy, StrategySet, Turn
from backends.sweetiechat.train_data import path_of, read_sources
from backends.sweetiechat.train_requests import (
    ClassifierRequest,
    ClassifierResult,
    Measured,
    SavedModel,
    Scored,
    TrainRequest,
    TrainResult,
)
from backends.sweetiechat.train_text import SYSTEM, head_of, heads_of, lines_of, prompt_for, read_reply, replies_of
from tests.backends.training_plugin import _BOTH
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.fields import fields_of, from_json, to_json

ROOT = Path(__file__).resolve().parents[2]
SET = choose_strategies("esconv-8")
REQUESTS = (TrainRequest, ClassifierRequest)


def numbers(request: type) -> list[tuple[str, float, float, type]]:
    """(field, low, high, type) of every bounded number."""
    return [(s.name, s.knob.low, s.knob.high, s.kind) for s in fields_of(request)
            if s.kind in (int, float) and s.knob.low is not None and s.knob.high is not None]


@pytest.mark.parametrize(("request_", "name", "low", "high", "kind"),
                         [(r, *row) for r in REQUESTS for row in numbers(r)])
def test_every_number_is_held_within_its_limits(request_, name, low, high, kind) -> None:
    for value in (low - 1, high + 1):
        with pytest.raises(UserError, match=f"{name} is"):
            request_(**{name: kind(value)})
    assert getattr(request_(**{name: kind(high)}), name) == high


@pytest.mark.parametrize("request_", REQUESTS)
def test_every_field_is_explained_and_has_a_default(request_) -> None:
    for spec in fields_of(request_):
        assert spec.knob.help and spec.knob.group, spec.name
    assert from_json(request_, {}) == request_()


@pytest.mark.parametrize(("request_", "fields", "words"), [
    (TrainRequest, {"data": "practice"}, "data is 'practice'"), (TrainRequest, {"epochs": "3"}, "epochs is '3'"),
    (TrainRequest, {"batch": 2.5}, "batch is 2.5"), (TrainRequest, {"batch": True}, "batch is True"),
    (TrainRequest, {"weights": (1.0, "x")}, "weights is"), (TrainRequest, {"save": "pickle"}, "one of 'model'"),
    (TrainRequest, {"method": "qlora"}, "one of 'lora', 'full'"),
    (TrainRequest, {"learning_rate": float("nan")}, "nan"),
    (TrainRequest, {"name": ""}, "name is 0 characters"), (TrainRequest, {"precision": "fp8"}, "one of 'auto'"),
    (ClassifierRequest, {"folds": 1}, "folds is 1"), (ClassifierRequest, {"kind": "forest"}, "one of 'linear'"),
    (ClassifierRequest, {"reads": "card"}, "one of 'history'"), (ClassifierRequest, {"data": ()}, "data is 0 entries"),
])
def test_what_is_wrong_is_named_with_its_value(request_, fields, words) -> None:
    with pytest.raises(UserError, match=words):
        request_(**fields)


@pytest.mark.parametrize("request_", REQUESTS)
def test_an_unknown_field_of_a_hand_edited_file_is_named(request_) -> None:
    with pytest.raises(UserError, match="has no field colour"):
        from_json(request_, {"colour": "red"})


@pytest.mark.parametrize("task", _BOTH, ids=lambda task: task.name)
def test_tasks_keep_the_contract(task) -> None:
    assert task.name.startswith("sweetiechat.") and task.name.endswith(".v1") and task.kind == "job"
    assert task.run.startswith("backends.sweetiechat.") and callable(task.function())
    assert isinstance(task.example, task.request) and "cpu" in task.needs.slots


def test_results_survive_json() -> None:
    trained = TrainResult((SavedModel("model", "/x"),), 3, 3, 8, 2, 80, 900, ("a note",), 10, 100, 9.5, 8.5,
                          (Measured(0, 30.0, 2.1, 60.0), Measured(3, 20.0, None, 50.0)), 1.5, 100.0)
    counted = ClassifierResult((SavedModel("linear", "/y"),), 10, 40, (Scored("macro_f1", 0.3, None, 0.4, 0.1, 0.2),),
                               {"question": 0.5}, 0.7, (), 1.0)
    for value in (trained, counted):
        assert from_json(type(value), json.loads(json.dumps(to_json(value)))) == value


@pytest.mark.parametrize("module", ["train_requests", "train", "classifier_task", "train_text", "classifier"])
def test_a_form_never_pays_for_torch(module: str) -> None:
    heavy = ("torch", "transformers", "peft", "accelerate", "sklearn", "gradio")
    code = f"import sys, backends.sweetiechat.{module}\nprint([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.data())
@settings(max_examples=80, deadline=None)
def test_any_weights_split_an_epoch_without_rest(sizes: list[int], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.01, 100), min_size=len(sizes), max_size=len(sizes)))
    counts = shares(sizes, weights)
    assert sum(counts) == sum(sizes) and min(counts) >= 0
    for count, weight in zip(counts, weights, strict=True):
        assert abs(count - sum(sizes) * weight / sum(weights)) < 1


@given(st.lists(st.integers(1, 12), min_size=1, max_size=3), st.integers(1, 9), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_any_epoch_is_cut_into_its_steps(sizes: list[int], batch: int, seed: int) -> None:
    order = Order(tuple(sizes), (), batch, seed, random.Random)
    seen = [pair for step in range(order.steps) for pair in order.at(step)]
    assert sorted(seen) == sorted((s, i) for s, size in enumerate(sizes) for i in range(size))
    assert all(len(order.at(step)) == batch for step in range(order.steps - 1))


@given(st.lists(st.integers(2, 50), min_size=1, max_size=20), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_any_examples_are_grouped_without_loss(sizes: list[int], tokens: int) -> None:
    rows = [Example(str(n), (1,) * size, (CONTEXT,) * (size - 2) + (TEXT, END), 1) for n, size in enumerate(sizes)]
    groups = micro_batches(rows, tokens)
    assert sorted(e.name for g in groups for e in g) == sorted(e.name for e in rows)
    assert all(len(g) == 1 or len(g) * max(len(e.ids) for e in g) <= tokens for g in groups)


def custom(*labels: str) -> StrategySet:
    return StrategySet("own", "1", tuple(Strategy(f"k{n}", label, label) for n, label in enumerate(labels)))


@pytest.mark.parametrize("label", ["Ask [more]", "a]b", "[x]", "Ask: more.", "  two  words ", "提问[开放]", "Q&A",
                                   "x/y-z_w"])
def test_labels_of_an_own_set_are_read_back_whatever_is_in_them(label: str) -> None:
    strategies = custom(label, "Other thing")
    head = head_of(strategies.items[0], "en")
    assert head.startswith("[") and head.endswith("]") and head.count("]") == 1
    assert read_reply(f"{head} and so on", strategies, "en") == ("k0", "and so on")


@given(st.text(max_size=40), st.sampled_from(SET.keys))
@settings(max_examples=100, deadline=None)
def test_any_text_behind_a_head_is_read_back(text: str, key: str) -> None:
    said = " ".join(text.split())
    assert read_reply(f"{head_of(SET.get(key), 'en')} {said}", SET, "en") == (key, said)


def test_an_own_set_in_yaml_trains_like_a_bundled_one() -> None:
    strategies = parse_strategies("name: own\nitems:\n- {key: hug, label: Hug}\n- {key: joke, label: Joke}\n")
    turns = (Turn(0, "seeker", "I am sad."), Turn(1, "supporter", "Come here.", "hug"))
    talk = Dialogue("d", Scenario("s", "p", "sadness", 3, "I am sad today."), None, strategies, turns, "imported")
    (reply,) = replies_of(talk, "joint")
    assert reply.head + reply.text == "[Hug] Come here." and heads_of(strategies, "en") == ["[Hug]", "[Joke]"]


@pytest.mark.parametrize(("variant", "strategy", "prefill"), [
    ("joint", "", ""), ("joint", "question", "[Question]"), ("given", "question", "[Question]"),
    ("plain", "question", ""), ("plain", "", "")])
def test_the_four_modes_differ_in_how_the_reply_begins(variant, strategy, prefill) -> None:
    talk = Dialogue("d-7", Scenario("s", "p", "sadness", 3, "I am sad today."), None, SET,
                    (Turn(0, "seeker", "I am sad."),), "running")
    prompt = prompt_for(talk, variant, strategy)
    assert prompt.prefill == prefill and prompt.key == "d-7/agent"
    assert [m.role for m in prompt.messages] == ["system", "user"]
    assert prompt.messages[0].content == SYSTEM["en", variant != "plain"]


def test_an_unknown_strategy_is_named() -> None:
    talk = Dialogue("d", Scenario("s", "p", "sadness", 3, "I am sad today."), None, SET, (), "running")
    with pytest.raises(UserError, match="'hug' is not a strategy of esconv-8"):
        prompt_for(talk, "joint", "hug")


def test_a_supporter_who_spoke_last_is_answered_by_silence() -> None:
    talk = Dialogue("d", Scenario("s", "p", "sadness", 3, "I am sad today."), None, SET,
                    (Turn(0, "seeker", "Hi"), Turn(1, "supporter", "Hello.", "others")), "running")
    assert [m.role for m in prompt_for(talk, "joint").messages] == ["system", "user", "assistant", "user"]


def test_data_are_named_in_the_forms_that_the_workbench_has(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    assert path_of("practice", context).name == "practice.esconv.json"
    assert path_of("sample", context).name == "sample.esconv.json"
    file = tmp_path / "own.json"
    file.write_text("[]")
    assert path_of(f"path:{file}", context) == file
    assert f"path:{file}" in json.loads((context.run / "inputs.json").read_text()), "what was read is in the record"


@pytest.mark.parametrize(("text", "words"), [
    ("[]", "can be imported|cannot be read"), ("{", "can be imported|cannot be read"),
    ('{"a": 1}', "none of the known formats")])
def test_files_that_hold_no_dialogue_are_refused(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    file.write_text(text)
    with pytest.raises(UserError, match=words):
        read_sources([f"path:{file}"], 0.0, 0, MemoryContext(tmp_path / "run"))


def test_two_references_to_one_file_do_not_leak_into_the_held_out_part(tmp_path: Path) -> None:
    sources = read_sources(["practice", "practice"], 0.3, 2, MemoryContext(tmp_path / "run"))
    trained = {d.scenario.situation for s in sources for d in s.trained}
    assert not trained & {d.scenario.situation for s in sources for d in s.held_out}
    assert [len(s.trained) for s in sources] == [7, 7]


def test_a_seed_chooses_what_is_held_out(tmp_path: Path) -> None:
    found = [read_sources(["practice"], 0.3, seed, MemoryContext(tmp_path / f"r{seed}")) for seed in range(6)]
    parts = [tuple(d.id for d in sources[0].held_out) for sources in found]
    assert len(set(parts)) > 1 and all(len(part) == 3 for part in parts)


def test_skipped_entries_are_listed_with_place_and_reason(tmp_path: Path) -> None:
    good = json.loads((ROOT / "assets" / "dialogue" / "practice.esconv.json").read_text())
    file = tmp_path / "half.json"
    file.write_text(json.dumps([*good[:3], {**good[3], "dialog": "gone"}]))
    (source,) = read_sources([f"path:{file}"], 0.0, 0, MemoryContext(tmp_path / "run"))
    assert len(source.trained) == 3 and len(source.left_out) == 1 and "half.json" in source.left_out[0]


def test_requests_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainRequest().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(("rows", "expected"), [
    ([("seeker", "Hi", None)], [("seeker", "Hi", "")]),
    ([("seeker", "Hi", None), ("seeker", "you", None)], [("seeker", "Hi you", "")]),
    ([("supporter", "A", None), ("supporter", "B", "question")], [("supporter", "A B", "question")]),
    ([("supporter", "A", "others"), ("supporter", "B", "question")], [("supporter", "A B", "others")]),
    ([("seeker", " \n ", None), ("supporter", "A", "others")], [("supporter", "A", "others")]),
    ([("seeker", "a\tb\n c", None)], [("seeker", "a b c", "")]),
    ([], []),
])
def test_turns_become_lines(rows: list[tuple[str, str, str | None]], expected: list[tuple[str, str, str]]) -> None:
    turns = tuple(Turn(n, role, text, key) for n, (role, text, key) in enumerate(rows))  # type: ignore[arg-type]
    talk = Dialogue("d", Scenario("s", "p", "sadness", 3, "I am sad today."), None, SET, turns, "imported")
    assert [(line.role, line.text, line.used) for line in lines_of(talk)] == expected


def test_a_strategy_of_another_set_is_no_head() -> None:
    turns = (Turn(0, "seeker", "Hi"), Turn(1, "supporter", "Tell me.", "clarification"))
    talk = Dialogue("d", Scenario("s", "p", "sadness", 3, "I am sad today."), None, SET, turns, "imported")
    assert replies_of(talk, "joint") == [] and [r.text for r in replies_of(talk, "plain")] == ["Tell me."]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_variant_has_its_system_text_and_only_strategies_speak_of_brackets(language: str) -> None:
    with_, without = SYSTEM[language, True], SYSTEM[language, False]
    assert with_.startswith(without[:12]) and with_ != without
    assert ("bracket" in with_ or "方括号" in with_) and not ("bracket" in without or "方括号" in without)
