"""The role-play on real engines: a tiny random model in this process, and SmolLM2 for what only it can show."""

from __future__ import annotations

import itertools
import json

import pytest

from backends.sweetiechat import generate, play
from backends.sweetiechat.objects import dialogue_from_json
from backends.sweetiechat.requests import DialogueRequest, GenerateRequest
from workbench.context import MemoryContext
from workbench.contract import UserError

CARD = {"title": "Tiny", "kind": "chat", "languages": [], "parameters": 100_000, "can_score": True}


@pytest.fixture(scope="module")
def tiny(tiny_lm):
    from backends.common.engine import LocalModel

    return LocalModel(tiny_lm, CARD, threads=1, dtype="float32")


class Kept:
    """The same model for many runs: closing the line must not close it."""

    def __init__(self, model):
        self.card, self.generate, self.score, self.forget = model.card, model.generate, model.score, model.forget

    def close(self):
        pass


def dialogues(path):
    text = (path / "artifacts" / "dialogues.jsonl").read_text(encoding="utf-8")
    return [dialogue_from_json(json.loads(line)) for line in text.splitlines()]


def run(path, model, **changes):
    request = GenerateRequest(**{"count": 3, "batch": 3, "max_turns": 4, "min_turns": 2, "max_new_tokens": 12,
                                 "redraws": 0, "stop_early": False, **changes})
    generate.run(request, MemoryContext(path), lambda _c, _r: Kept(model))
    return dialogues(path)


@pytest.mark.parametrize("changes", [
    {}, {"counselor": "none"}, {"counselor": "prompt"}, {"seeker_state": "json"}, {"language": "zh"},
    {"strategy_set": "extes-16"}, {"temperature": 0.0, "choice_temperature": 0.0}])
def test_every_mode_runs_on_the_engine_and_repeats(tiny, tmp_path, changes):
    first, second = run(tmp_path / "a", tiny, **changes), run(tmp_path / "b", tiny, **changes)
    assert first == second and len(first) == 3
    for dialogue in first:
        assert len(dialogue.turns) == 4 and all(turn.text for turn in dialogue.turns)
        for turn in dialogue.said_by("supporter"):
            assert (turn.strategy is None) is (dialogue.counselor == "none")


def test_prompts_reuse_the_keys_and_values_of_the_turn_before(tiny, tmp_path):
    context = MemoryContext(tmp_path)
    request = DialogueRequest(max_turns=8, min_turns=8, max_new_tokens=12, redraws=0, stop_early=False)
    play.run(request, context, lambda _c, _r: Kept(tiny))
    turns = json.loads((tmp_path / "artifacts" / "dialogue.json").read_text(encoding="utf-8"))["turns"]
    shares = [turn["meta"]["reused_tokens"] / turn["meta"]["prompt_tokens"] for turn in turns]
    print([round(share, 2) for share in shares])
    assert min(shares[2:]) > 0.3 and sum(shares[2:]) / len(shares[2:]) > 0.5


def test_a_dialogue_is_the_same_alone_and_in_a_batch(tiny, tmp_path):
    alone, together = run(tmp_path / "a", tiny, batch=1), run(tmp_path / "b", tiny, batch=3)
    assert [[t.text for t in d.turns] for d in alone] == [[t.text for t in d.turns] for d in together]


def test_a_watched_dialogue_streams_from_the_engine(tiny, tmp_path):
    context = MemoryContext(tmp_path)
    request = DialogueRequest(max_turns=2, min_turns=2, max_new_tokens=30, redraws=0)
    play.run(request, context, lambda _c, _r: Kept(tiny))
    written = [live["text"] for live in context.lives if live["phase"] == "seeker"]
    assert len(set(written)) > 5 and all(len(a) <= len(b) for a, b in itertools.pairwise(written))


def test_a_prompt_longer_than_the_window_is_a_sentence(tiny, tmp_path):
    request = DialogueRequest(scenario="I am sad. " * 390, max_turns=2, min_turns=2, seeker_state="json")
    with pytest.raises(UserError, match="context window"):
        play.run(request, MemoryContext(tmp_path), lambda _c, _r: Kept(tiny))


# SmolLM2, the embedded model

@pytest.fixture(scope="module")
def small(smollm):
    from backends.common.engine import LocalModel
    from workbench import hub
    from workbench.fields import to_json
    from workbench.settings import load_settings

    found = hub.resolve(smollm, load_settings())
    return LocalModel(found.path, to_json(found.card), threads=1)


def test_smollm_holds_a_dialogue_about_its_card(small, tmp_path):
    found = run(tmp_path, small, count=2, max_turns=6, max_new_tokens=32, redraws=1)
    for dialogue in found:
        told = " ".join(turn.text.lower() for turn in dialogue.said_by("seeker"))
        source = " ".join([dialogue.scenario.situation, dialogue.card.opening, *dialogue.card.hidden_facts]).lower()
        shared = {w for w in source.split() if len(w) > 4} & set(told.split())
        assert len(shared) >= 4, "the seeker speaks of what is on the card"
        for turn in dialogue.turns:
            assert turn.text[0].isupper() or not turn.text[0].isalpha()
            assert turn.text.endswith((".", "!", "?", "…", '"')) and len(turn.text.split()) <= 60
            assert "as an ai" not in turn.text.lower() and not turn.text.lower().startswith(("seeker:", "supporter:"))
        for turn in dialogue.said_by("supporter"):
            assert turn.text.startswith(turn.meta["prefill"].split(",")[0][:10])
            assert len(turn.counselor.ranking) == 8 and set(turn.counselor.ranking[0].terms) == {
                "history", "prior", "stage", "repeat"}


def test_smollm_is_refused_for_chinese(small, tmp_path):
    with pytest.raises(UserError, match="speaks English only"):
        run(tmp_path, small, language="zh")


def test_two_strategies_on_one_history_give_two_replies(small, tmp_path):
    from backends.sweetiechat.supporter import supporter_turns
    from tests.backends.sweetie import make_cast, make_counsel, make_dialogue

    dialogue = make_dialogue("My boyfriend left six weeks ago, and the evenings are the hardest part.")
    cast = make_cast(Kept(small))
    replies = {}
    for key in ("question", "suggestions", "reflection"):
        ((turn, _),) = supporter_turns([dialogue], [make_counsel(key)], cast)
        replies[key] = turn.text
    assert len(set(replies.values())) == 3 and replies["question"] != replies["reflection"]
