"""The reproduction's own parts: what counts as exact, when a claim fails, and B of counselors on planted dialogues."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest

from backends.sweetiechat import reproduce_bias as rb
from backends.sweetiechat import reproduce_generation as rg
from backends.sweetiechat.classifier import train_linear
from backends.sweetiechat.classifier_features import cases_of
from backends.sweetiechat.conditioning_data import planted
from backends.sweetiechat.train_text import lines_of
from tests.backends.sweetie import LARGE, ScriptedModel, make_dialogue
from workbench.settings import Settings

SAID: list[str] = []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list:
    folder = tmp_path_factory.mktemp("generation") / "scored"
    return rg.run(folder, rg.request(True), ScriptedModel(), SAID.append)


def trained(dialogues: tuple) -> object:
    return train_linear([c for n, d in enumerate(dialogues) for c in cases_of(lines_of(d), n)], "history")


# --- generation -----------------------------------------------------------------------------------------------------

def test_the_claims_about_generated_dialogues_hold(made: list) -> None:
    found = [*rg.whole(made, SAID.append), *rg.exact(made, SAID.append)]
    assert len(made) == 8 and all(claim.holds for claim in found), [c.what for c in found if not c.holds]
    assert [c.target for c in found if "equal" in c.what] == [8.0] * 6
    assert any("stop reasons:" in line for line in SAID)


def test_a_dialogue_without_a_reason_or_a_report_breaks_its_claim(made: list) -> None:
    running = [dataclasses.replace(made[0], stop_reason="running"), *made[1:]]
    assert not rg.whole(running, SAID.append)[0].holds
    unjudged = [dataclasses.replace(made[0], qc={}), *made[1:]]
    assert not rg.whole(unjudged, SAID.append)[1].holds
    silent = {"report": {"dialogue": "x", "status": "rejected", "verdicts": []}}
    claim = rg.whole([dataclasses.replace(made[0], qc=silent), *made[1:]], SAID.append)[2]
    assert not claim.holds and claim.value == 1.0


def test_a_layout_that_loses_something_breaks_its_claim(made: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rg, "again", lambda dialogues, _name: dialogues[:-1])
    assert not any(claim.holds for claim in rg.exact(made, SAID.append))
    monkeypatch.setattr(rg, "again", lambda dialogues, _name: [dataclasses.replace(d, seed=d.seed + 1)
                                                              for d in dialogues])
    held = {claim.what.split()[-3]: claim.holds for claim in rg.exact(made, SAID.append)}
    assert held == {"jsonl": False, "convokit": False, "esconv": True, "chat": True, "sharegpt": True, "csv": True}


def test_an_unfinished_run_goes_on(tmp_path: Path) -> None:
    first = rg.run(tmp_path / "a", rg.request(True, count=2, batch=1), ScriptedModel(), SAID.append)
    model = ScriptedModel()
    again = rg.run(tmp_path / "a", rg.request(True, count=2, batch=1), model, SAID.append)
    assert again == first and not model.prompts and not model.closed, "nothing is asked twice, the model stays open"


def test_mixes_compare_every_counselor_with_the_uncalibrated_one(made: list, tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rg, "SIDE", 4)
    monkeypatch.setattr(rg, "RESAMPLES", 20)
    monkeypatch.setattr(rg, "TURNS", (4, 4))
    found = rg.mixes(tmp_path, made, ScriptedModel(), trained(planted(random.Random(3), 12)), SAID.append)
    assert len(found) == 2 and all("Jensen-Shannon" in claim.what and claim.interval for claim in found)
    assert rg.counted(made, made[0].strategy_set.keys).shape == (8, 8)


# --- bias -----------------------------------------------------------------------------------------------------------

def test_histories_end_with_the_seeker_and_hold_nothing_of_the_reply() -> None:
    for dialogue in planted(random.Random(1), 5):
        group = rb.histories(dialogue)
        assert 1 <= len(group) <= rb.EACH
        for history, gold in group:
            place = len(history.turns)
            assert history.turns[-1].role == "seeker" and gold == dialogue.turns[place].strategy
            assert dialogue.turns[place].text not in [t.text for t in history.turns] and history.qc == {}
    assert rb.histories(make_dialogue("a")) == []


def skewed(prompt: object, texts: list[str]) -> list[list[float]]:
    """A model that loves one label whatever was said; the null talk shows the same love."""
    return [[-0.1] if "Suggest" in text else [-3.0 - 0.01 * len(text)] for text in texts]


def test_a_skewed_prior_shows_as_bias_and_the_classifier_lowers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rb, "HISTORIES", (20, 20))
    monkeypatch.setattr(rb, "RESAMPLES", (40, 40))
    every = planted(random.Random(2), 90, 0.6)
    seen: list[str] = []
    found = rb.bias(ScriptedModel(card=LARGE, scores=skewed), trained(every[:60]), every[60:], False, True, seen.append)
    assert len(found) == 2 and "planted (synthetic)" in found[0].what
    beta_one, classifier = found
    assert beta_one.control == classifier.control and beta_one.control > 1.5, "one label only: B is high"
    assert classifier.holds and classifier.interval[1] < 0
    assert any(line.startswith("strategies said by scored, beta 0: suggestions 100%") for line in seen)


def test_the_uncalibrated_decision_is_that_of_beta_0() -> None:
    group = [rb.histories(d) for d in planted(random.Random(8), 4)]
    model = ScriptedModel(card=LARGE)
    one = [rb.uncalibrated(c).chosen for c in rb.decisions(group, rb.plain(beta=1.0), model, None)]
    assert one == [c.chosen for c in rb.decisions(group, rb.plain(beta=0.0), model, None)]


def test_how_often_prompt_is_valid_is_counted() -> None:
    group = [rb.histories(d) for d in planted(random.Random(4), 3)]
    good = ScriptedModel(card=LARGE, replies=lambda p: '{"chosen": "question", "ranking": [], "rationale": "x"}')
    claim = rb.prompted(good, trained(planted(random.Random(5), 12)), group, SAID.append)
    assert claim.value == sum(map(len, group)) and claim.holds
    bad = rb.prompted(ScriptedModel(card=LARGE, replies=lambda p: "no"), None, group, SAID.append)
    assert bad.value == 0.0 and bad.holds, "every fall is in the notes"


def test_the_tables_hold_every_decision_once() -> None:
    group = [rb.histories(d) for d in planted(random.Random(6), 4)]
    said = rb.decisions(group, rb.plain(), ScriptedModel(card=LARGE), None)
    tables = rb._tables(group, said)
    assert tables.shape == (4, 8, 8) and tables.sum() == sum(map(len, group)) == len(said)
    assert np.array_equal(tables.sum(axis=(1, 2)), [len(g) for g in group])
    assert "%" in rb.shares(tables, group[0][0][0])


def test_without_the_data_the_claims_are_made_on_planted_dialogues() -> None:
    known, asked = rg.halves()
    assert len(known) == 80 and len(asked) == 40 and not {d.id for d in known} & {d.id for d in asked}


def test_the_whole_part_runs_on_a_small_model(tiny_lm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the default model to the last claim; a random model proves nothing, so only their number is looked at."""
    monkeypatch.setattr(rg, "SHARED", tmp_path / "nowhere")
    monkeypatch.setattr(rg, "COUNT", (4, 2))
    monkeypatch.setattr(rg, "TURNS", (4, 4))
    monkeypatch.setattr(rb, "HISTORIES", (4, 2))
    monkeypatch.setattr(rb, "RESAMPLES", (10, 10))
    settings = Settings(home=tmp_path / "home", default_model=f"path:{tiny_lm}", threads=1)
    found = rg.claims(settings, True, SAID.append)
    assert len(found) == 3 + 6 + 2 and all(claim.holds for claim in found[:9])
