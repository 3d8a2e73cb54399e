"""Generate many: batches, seeds, live counts, budget, resume after kill -9 - and the benchmark's and proof's parts."""

from __future__ import annotations

import dataclasses
import json

import pytest

from backends.sweetiechat import bench, generate, reproduce
from backends.sweetiechat.objects import STOP_REASONS, dialogue_from_json
from backends.sweetiechat.recording import Recorder, words_of
from backends.sweetiechat.requests import GenerateRequest
from backends.sweetiechat.views import view_for
from tests.backends.sweetie import LARGE, SMALL, ScriptedModel, make_dialogue, wording_of
from tests.backends.test_sweetiechat_play import kill_when
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError

SMALL_RUN = {"count": 5, "batch": 2, "max_turns": 4, "min_turns": 2, "seed": 5}


def run(path, model=None, cancel_after=None, **changes):
    model = model or ScriptedModel()
    context = MemoryContext(path, cancel_after=cancel_after)
    return generate.run(GenerateRequest(**{**SMALL_RUN, **changes}), context, lambda _c, _r: model), context


def lines(path):
    return (path / "artifacts" / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()


def test_every_dialogue_is_there_once_whole_and_ended(tmp_path):
    result, _ = run(tmp_path)
    found = [dialogue_from_json(json.loads(line)) for line in lines(tmp_path)]
    assert result.dialogues == 5 == len({d.id for d in found}) and all(d.ended for d in found)
    assert result.turns == sum(len(d.turns) for d in found) and result.tokens > 0
    assert sum(result.stop_reasons.values()) == 5 and set(result.stop_reasons) == set(STOP_REASONS) - {"imported"}
    assert len({d.scenario.problem_type_id for d in found}) == 5, "spread over the problems"
    progress = json.loads((tmp_path / "artifacts" / "progress.json").read_text())
    assert progress["done"] == progress["count"] == 5 and progress["running"] == 0
    assert progress["stop_reasons"] == dict(result.stop_reasons) and progress["strategies"] == dict(result.strategies)
    assert sum(result.strategies.values()) == sum(t.strategy is not None for d in found for t in d.turns)


def test_live_counts_rise_while_it_runs(tmp_path):
    _, context = run(tmp_path)
    counts = [live["done"] for live in context.lives]
    assert counts == sorted(counts) and len(set(counts)) >= 3
    assert any(live["running"] == 2 and live["turn"] for live in context.lives)


def test_the_same_seed_gives_the_same_file_byte_for_byte(tmp_path):
    run(tmp_path / "a")
    run(tmp_path / "b")
    run(tmp_path / "c", seed=6)
    assert lines(tmp_path / "a") == lines(tmp_path / "b") != lines(tmp_path / "c")
    assert "latency_ms" not in lines(tmp_path / "a")[0]


def test_a_dialogue_does_not_depend_on_the_batch_it_is_in(tmp_path):
    run(tmp_path / "a", batch=1)
    run(tmp_path / "b", batch=5)
    assert sorted(lines(tmp_path / "a")) == sorted(lines(tmp_path / "b"))


def test_dialogues_of_one_run_differ_even_with_the_same_card(tmp_path):
    run(tmp_path, count=8, problems=("sleep",))
    texts = [tuple(t["text"] for t in json.loads(line)["turns"]) for line in lines(tmp_path)]
    cards = [json.loads(line)["card"]["id"] for line in lines(tmp_path)]
    assert len(set(texts)) == 8 and len(set(cards)) == 3


def test_a_batch_makes_one_call_a_move(tmp_path):
    model = ScriptedModel()
    run(tmp_path, model, count=6, batch=6, redraws=0, stop_early=False)
    assert model.calls == 4 and len(model.prompts) == 24
    assert model.forgotten and model.closed == 1


@pytest.mark.parametrize("budget", [1, 40, 100])
def test_the_budget_ends_what_runs_and_starts_no_more(tmp_path, budget):
    result, _ = run(tmp_path, budget_tokens=budget, stop_early=False)
    assert (result.stop_reasons["budget"] >= 1 and result.dialogues < 5) or result.tokens < budget
    assert all(json.loads(line)["stop_reason"] in ("budget", "max_turns") for line in lines(tmp_path))
    again, _ = run(tmp_path, budget_tokens=budget, stop_early=False)
    assert again.dialogues >= result.dialogues


def test_enough_budget_changes_nothing(tmp_path):
    run(tmp_path / "a")
    run(tmp_path / "b", budget_tokens=10**6)
    assert lines(tmp_path / "a") == lines(tmp_path / "b")


@pytest.mark.parametrize("after", [2, 6, 11, 17])
def test_a_cancelled_run_goes_on_with_the_missing_ones(tmp_path, after):
    with pytest.raises(Cancelled):
        run(tmp_path / "cut", cancel_after=after)
    run(tmp_path / "cut")
    run(tmp_path / "whole")
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")


def test_a_finished_run_asks_no_model_again(tmp_path):
    run(tmp_path)
    before, model = lines(tmp_path), ScriptedModel()
    run(tmp_path, model)
    assert lines(tmp_path) == before and not model.prompts


@pytest.mark.parametrize("done", [1, 4])
def test_kill_9_and_resume_give_the_file_of_an_unbroken_run(tmp_path, done):
    file = tmp_path / "cut" / "artifacts" / "dialogues.jsonl"

    def ready():
        return file.exists() and file.read_text(encoding="utf-8").count("\n") >= done

    assert kill_when(tmp_path / "cut", "generate", ready)
    request = GenerateRequest(count=7, batch=3, max_turns=6, seed=5, stop_early=False)
    for name in ("cut", "whole"):
        generate.run(request, MemoryContext(tmp_path / name), lambda _c, _r: ScriptedModel())
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole") and len(lines(tmp_path / "cut")) == 7


def test_a_torn_last_line_is_made_again(tmp_path):
    run(tmp_path / "a")
    whole = lines(tmp_path / "a")
    file = tmp_path / "a" / "artifacts" / "dialogues.jsonl"
    file.write_text("\n".join(whole[:2]) + "\n" + whole[2][:100], encoding="utf-8")
    (tmp_path / "a" / "checkpoints" / "batch.json").unlink()
    run(tmp_path / "a")
    assert sorted(lines(tmp_path / "a")) == sorted(whole)


@pytest.mark.parametrize(("changes", "says"), [
    ({"problems": ("slep",)}, "sleep"), ({"strategy_set": "x: ["}, "YAML"), ({"language": "zh"}, "English only")])
def test_bad_requests(tmp_path, changes, says):
    with pytest.raises(UserError, match=says):
        run(tmp_path, **changes)


def test_chinese_dialogues_with_a_model_that_speaks_it(tmp_path):
    run(tmp_path, ScriptedModel(card=LARGE), language="zh", count=2)
    assert all(json.loads(line)["language"] == "zh" for line in lines(tmp_path))


def test_prompt_mode_and_json_state_in_batches(tmp_path):
    def reply(prompt):
        last = prompt.messages[-1].content
        if "ranking" in last:
            return '{"stage": "comforting", "chosen": "reflection", "ranking": [], "rationale": "Sad."}'
        if "JSON" in last:
            return json.dumps({"utterance": f"I miss it all {len(last)}",
                               "private": {"intensity": 3, "want_to_stop": False}})
        return None

    result, _ = run(tmp_path, ScriptedModel(card=LARGE, replies=reply), counselor="prompt", seeker_state="json")
    found = [json.loads(line) for line in lines(tmp_path)]
    assert result.strategies == {"reflection": sum(t["role"] == "supporter" for d in found for t in d["turns"])}
    assert {t["meta"]["state"] for d in found for t in d["turns"] if t["role"] == "seeker"} == {"json"}


# the proof of the barrier, with the scripted model

@pytest.fixture
def settings(tmp_path):
    from workbench.settings import Settings

    return Settings(home=tmp_path / "home")


@pytest.mark.parametrize("plan", reproduce.plans()[:12], ids=lambda plan: "-".join(plan.values()))
def test_no_plan_of_the_proof_leaks_and_its_control_does(plan, settings):
    counts = reproduce.play(ScriptedModel(), range(2), plan, 4, settings)
    assert len(counts) == 2
    for one in counts:
        assert one["leaks"] == 0 and one["control"] > 0 and one["own"] > 0 and one["prompts"] >= 4


def test_the_first_plans_cover_every_pair_of_modes():
    assert len(reproduce.plans()) == 36 == len({tuple(p.items()) for p in reproduce.plans()})
    first = reproduce.plans()[: reproduce.FULL[1]]
    for one, other in (("counselor", "language"), ("counselor", "manner"), ("counselor", "seeker_state"),
                       ("seeker_state", "manner")):
        everything = {(p[one], p[other]) for p in reproduce.plans()}
        assert {(p[one], p[other]) for p in first} == everything, (one, other)
    assert {p["counselor"] for p in reproduce.plans()[: reproduce.QUICK[1]]} == {"scored", "prompt", "none"}
    assert {(p["language"], p["seeker_state"]) for p in first} == {(a, b) for a in ("en", "zh") for b in ("scored",
        "json")}
    assert {(p["language"], p["manner"]) for p in first} == {(a, b) for a in ("en", "zh") for b in reproduce.MANNERS}


def test_the_proof_finds_a_leak_that_is_there(monkeypatch, settings):
    from backends.sweetiechat import projections, views

    real = projections.supporter_view

    def leaky(dialogue, counsel):
        view = real(dialogue, counsel)
        line = projections.Line("seeker", dialogue.card.family)
        return dataclasses.replace(view, lines=(*view.lines, line))

    monkeypatch.setattr(views, "supporter_view", leaky)
    plan = {"counselor": "scored", "seeker_state": "scored", "language": "en", "manner": "small chat model"}
    assert sum(one["leaks"] for one in reproduce.play(ScriptedModel(), range(1), plan, 4, settings)) > 0


@pytest.mark.parametrize(("leaks", "control", "own", "holds"), [
    (0, 9, 4, (True, True)), (1, 9, 4, (False, True)), (0, 0, 4, (False, True)), (0, 9, 0, (True, False))])
def test_the_claims_need_both_silence_and_something_to_be_found(leaks, control, own, holds):
    tally = {"dialogues": 3, "prompts": 9, "leaks": leaks, "own": own, "control": control, "aloud": 0}
    assert tuple(claim.holds for claim in reproduce.claims(tally)) == holds


def test_public_words_are_taken_out_before_the_search():
    assert reproduce.without("He said zqprivate and left. Hidden.",
        ["He said zqprivate and left."]).strip() == "hidden."


def test_a_recorder_keeps_prompts_and_replies_and_can_cut_them():
    inner = ScriptedModel()
    record = Recorder(inner, {**SMALL, "title": "other"}, limit=4)
    prompt = view_for("supporter", make_dialogue("I am sad."), wording_of("en"), generate_voice(record))
    from backends.common.language import Decoding

    replies = record.generate([prompt], Decoding(max_new_tokens=40, min_new_tokens=6))
    record.score([prompt], [[" a", " b"]])
    assert record.prompts == [prompt, prompt] and record.replies == [(prompt, replies[0])]
    assert inner.decodings[0].max_new_tokens == 4 == inner.decodings[0].min_new_tokens
    record.forget(["x"])
    record.close()
    assert inner.forgotten == ["x"] and inner.closed == 0 and "I am sad." in words_of(prompt)


def generate_voice(record):
    from backends.sweetiechat.wording import voice_of

    return voice_of(record.card)


def test_our_half_of_the_benchmark_makes_a_fixed_number_of_turns(settings):
    model = ScriptedModel()
    seconds, record = bench._ours(model, (3, 4, 8), "none", settings)
    assert seconds > 0 and len(record.replies) == 12 and not model.scored
    decoding = model.decodings[0]
    assert decoding.min_new_tokens == decoding.max_new_tokens == 8
    assert decoding.temperature == 0.0 and decoding.stop == ()
    _, scored = bench._ours(ScriptedModel(), (2, 4, 8), "scored", settings)
    assert len(scored.prompts) > len(scored.replies) == 8
