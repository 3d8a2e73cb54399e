"""Evaluation with other deciders, in Chinese, over servers; and the supporter that is opened without a role-play."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from backends.sweetiechat import evaluate
from backends.sweetiechat.agent import Agent
from backends.sweetiechat.classifier import train_linear
from backends.sweetiechat.classifier_features import cases_of as classifier_cases
from backends.sweetiechat.evaluate_requests import EvaluateRequest
from backends.sweetiechat.evaluate_turns import Case, cases_of, decisions, likelihoods, predict
from backends.sweetiechat.exchange import to_jsonl
from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.supporter_alone import open_alone
from backends.sweetiechat.train_text import lines_of
from tests.backends.agent_cases import SET, agent_folder, heads, talk
from tests.backends.sweetie import ScriptedModel, make_cast, make_counsel, make_dialogue
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.files import read_lines

PRACTICE = import_dialogues(ASSETS / "practice.esconv.json").dialogues
SERVER = {"title": "Server", "kind": "chat", "languages": [], "can_score": False, "reference": "endpoint:x"}


@pytest.fixture
def context(tmp_path: Path, settings) -> MemoryContext:
    return MemoryContext(tmp_path / "run", settings=settings)


def written(path: Path, dialogues: list[Dialogue]) -> str:
    path.write_text(to_jsonl(dialogues))
    return f"path:{path}"


def classifier(folder: Path) -> str:
    cases = [case for place, d in enumerate(PRACTICE) for case in classifier_cases(lines_of(d), place)]
    train_linear(cases, "history").save(folder)
    return f"path:{folder}"


def test_a_trained_classifier_counsels(context: MemoryContext, tmp_path: Path) -> None:
    request = EvaluateRequest(data=(written(tmp_path / "d.jsonl", list(PRACTICE[:2])),), mode="counselor", resamples=10,
                              counselor="classifier", classifier=classifier(tmp_path / "classifier"), turns=2)
    model = ScriptedModel()
    result = evaluate.run(request, context, lambda c, r: model)
    rows = read_lines(context.run / "artifacts" / evaluate.PREDICTIONS)
    assert result.mode == "counselor" and len(rows) == 4 and all(row["said"] in SET.keys for row in rows)
    assert not any("[" in p.prefill for p in model.prompts)
    assert len(model.scored) == 4, "nothing but the real replies is scored: the classifier ranks without the model"


def test_the_counselor_may_be_another_model_than_the_supporter(context: MemoryContext, tmp_path: Path) -> None:
    opened: dict[str, ScriptedModel] = {}

    def opener(_, reference: str) -> ScriptedModel:
        return opened.setdefault(reference, ScriptedModel())
    request = EvaluateRequest(model="endpoint:one", counselor_model="endpoint:two", mode="counselor", turns=1,
                              data=(written(tmp_path / "d.jsonl", [talk(4)]),), resamples=10)
    evaluate.run(request, context, opener)
    one, two = opened["endpoint:one"], opened["endpoint:two"]
    assert one.prompts and not two.prompts and two.scored and one.closed == two.closed == 1


def test_a_server_without_probabilities_is_measured_with_a_counselor_of_its_own(context: MemoryContext,
                                                                                tmp_path: Path) -> None:
    models = {"endpoint:x": ScriptedModel(SERVER)}
    request = EvaluateRequest(model="endpoint:x", mode="counselor", data=(written(tmp_path / "d.jsonl", [talk(4)]),),
                              resamples=10)
    result = evaluate.run(request, context, lambda c, r: models.setdefault(r, ScriptedModel()))
    assert not any(f.name.startswith("perplexity") for f in result.figures) and result.turns == 2
    assert models["endpoint:x"].scored == []


def test_chinese_dialogues_are_cut_into_characters(context: MemoryContext, tmp_path: Path) -> None:
    texts = ("我最近总是睡不着，很难受。", "你愿意说说发生了什么吗？", "工作压力太大了。", "听起来你很累。")
    dialogue = make_dialogue(*texts, language="zh", scenario="sleep", used=("question", "reflection"))
    model = ScriptedModel({**SERVER, "can_score": True}, replies=lambda p: "我听到了，你真的很不容易。")
    request = EvaluateRequest(data=(written(tmp_path / "d.jsonl", [dialogue]),), resamples=10)
    result = evaluate.run(request, context, lambda c, r: model)
    assert {f.tokenizer for f in result.figures if f.name.startswith(("bleu", "length"))} == {"chars"}
    length = next(f for f in result.figures if f.name == "length-real")
    assert length.value == (12 + 7) / 2 and result.turns == 2


def test_a_model_of_another_language_is_refused(context: MemoryContext, tmp_path: Path) -> None:
    dialogue = make_dialogue("我睡不着。", "怎么了？", language="zh", scenario="sleep", used=("question",))
    model = ScriptedModel()
    with pytest.raises(UserError, match="speaks English only"):
        evaluate.run(EvaluateRequest(data=(written(tmp_path / "d.jsonl", [dialogue]),)), context, lambda c, r: model)
    assert model.closed == 1


# --- single pieces ----------------------------------------------------------------------------------------------


def test_the_likelihood_is_of_the_real_words_after_what_was_said() -> None:
    seen: list[tuple[str, str]] = []

    def scores(prompt, texts):
        seen.extend((prompt.prefill, text) for text in texts)
        return [[-1.0, -0.5] for _ in texts]
    (case,) = cases_of(talk(2), 0)
    cast = dataclasses.replace(make_cast(ScriptedModel(scores=scores)), agent=Agent("x", "joint", SET))
    assert likelihoods([case], [make_counsel("others")], cast) == [(1.5, 2)]
    assert seen == [("[Others]", f" {case.reference}")]
    seen.clear()
    likelihoods([case], [make_counsel("others")], make_cast(ScriptedModel(scores=scores)))
    assert seen == [("", case.reference)], "an ordinary model is not given the first words of a reply"


def test_whoever_decides_is_written_down() -> None:
    (case,) = cases_of(talk(2), 0)
    joint = dataclasses.replace(make_cast(), agent=Agent("x", "joint", SET))
    plain = dataclasses.replace(make_cast(), agent=Agent("x", "plain", None))
    modes = [decisions([case], mode, cast)[0] for mode, cast in (
        ("auto", joint), ("oracle", joint), ("counselor", joint), ("auto", make_cast()))]
    assert [c.mode if c else None for c in modes] == ["agent", "oracle", "scored", "scored"]
    assert decisions([case], "auto", plain) == [None] and modes[1] is not None and modes[1].chosen == case.gold


def test_the_place_of_the_real_strategy_in_the_ranking_is_kept() -> None:
    keys = list(SET.keys)

    def scores(prompt, texts):
        return [[-float(keys.index(k))] for k in keys] if len(texts) == len(keys) else [[-1.0] for _ in texts]
    case = cases_of(talk(2), 0)[0]
    late = Case(case.history, case.turn, keys[5], case.reference)
    cast = dataclasses.replace(make_cast(ScriptedModel(replies=heads, scores=scores), DialogueRequest(redraws=0)),
                               agent=Agent("x", "joint", SET))
    found = [predict([one], "auto", cast)[0] for one in (case, late)]
    assert [p.rank for p in found] == [1, 6] and {p.said for p in found} == {keys[0]}
    assert found[0].probability > 0.5 and found[0].response == "Tell me more about it."


@pytest.mark.parametrize("how, agent", [({}, "joint"), ({"prompts": True}, None), ({"chat": "plain"}, "joint")])
def test_a_trained_model_is_spoken_to_as_asked(context: MemoryContext, tiny_lm: Path, tmp_path: Path, how: dict,
                                               agent: str | None) -> None:
    folder = agent_folder(tiny_lm, tmp_path / "agent")
    cast = open_alone(context, DialogueRequest(supporter_model=f"path:{folder}"), lambda c, r: ScriptedModel(), **how)
    assert (cast.agent.variant if cast.agent else None) == agent
    assert cast.references["counselor"] == cast.references["supporter"]


def test_an_ordinary_model_can_be_asked_in_the_text_of_agents(context: MemoryContext) -> None:
    cast = open_alone(context, DialogueRequest(), lambda c, r: ScriptedModel(), chat="joint")
    assert cast.agent == Agent(context.default_model, "joint", None)
    assert open_alone(context, DialogueRequest(), lambda c, r: ScriptedModel()).agent is None
