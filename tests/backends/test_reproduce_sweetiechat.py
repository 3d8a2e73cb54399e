"""``reproduce sweetiechat``: its parts on small things, and that a claim fails where nothing is there to be found."""

from __future__ import annotations

import dataclasses
import random
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from backends.common.training.examples import pack
from backends.sweetiechat import reproduce_agent, reproduce_metrics, reproduce_sweetiechat, reproduce_training
from backends.sweetiechat.agent import Agent
from backends.sweetiechat.conditioning_small import make_model, tokenizer_for
from backends.sweetiechat.evaluate_turns import Prediction
from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.metrics.tokens import tokenizer
from backends.sweetiechat.reproduce_agent import Scale, agent, as_table, claims, in_process, practice
from backends.sweetiechat.reproduce_training import SMALL, compare_ids, taken_apart, weights
from backends.sweetiechat.train_text import replies_of
from tests.backends.agent_cases import SET
from tests.backends.training_cases import tokenizer_of
from workbench import registry
from workbench.context import MemoryContext
from workbench.contract import MissingResource, load
from workbench.evidence import Claim, Reproduction, read_reproduction
from workbench.settings import Settings

WORDS = tokenizer("words")
PRACTICE = import_dialogues(ASSETS / "practice.esconv.json").dialogues


# --- the strategy metrics ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [Path("/nowhere"), None])
def test_the_reference_output_is_met_with_and_without_the_file(folder: Path | None, settings: Settings,
                                                               request: pytest.FixtureRequest) -> None:
    where = folder or request.getfixturevalue("shared") / "dialogue"
    found = reproduce_metrics.metrics(settings, folder=where)
    assert found.holds and len(found.claims) == (5 if folder else 6)
    assert [c.value for c in found.claims[:4]] == [0.2189, 0.22498, 0.76658, 0.24457]


def test_other_counts_do_not_hold() -> None:
    wrong = np.array(reproduce_metrics.COUNTS)
    wrong[0, 0] += 3
    found = reproduce_metrics.claims(wrong, read=True)
    assert not all(c.holds for c in found) and not found[-1].holds and found[-1].value == 3


def test_the_control_keeps_the_margins_and_loses_the_agreement() -> None:
    counts = np.array(reproduce_metrics.COUNTS)
    mixed = reproduce_metrics.shuffled(counts, random.Random(1))
    assert mixed.sum(0).tolist() == counts.sum(0).tolist() and mixed.sum(1).tolist() == counts.sum(1).tolist()
    assert reproduce_metrics.figures(mixed)["macro-F1"] < reproduce_metrics.figures(counts)["macro-F1"]


# --- what training must prove -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("small") / "model", tokenizer_for(PRACTICE[:3], SMALL), SMALL, 0)


def test_mask_packing_gradient_and_ends_hold(small: Path) -> None:
    found = taken_apart(small, PRACTICE)
    assert len(found) == 4 and all(claim.holds for claim in found), [c for c in found if not c.holds]
    assert found[0].control is not None and found[0].control > 0, "with nothing masked the count is another"
    assert found[2].control is not None and found[2].control > 0 == found[2].value


def test_a_wrong_mask_would_be_found(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaky(tokenizer, name, replies, length):
        every = pack(tokenizer, name, replies, length)
        return [dataclasses.replace(e, kinds=tuple(2 if k == 0 and n > 3 else k for n, k in enumerate(e.kinds)))
                for e in every]
    monkeypatch.setattr(reproduce_training, "pack", leaky)
    assert not taken_apart(small, PRACTICE)[0].holds


@pytest.mark.parametrize("variant", ["joint", "given", "plain"])
def test_ids_of_use_are_compared_for_every_turn(small: Path, variant: str) -> None:
    wrong, total = compare_ids(tokenizer_of(small), PRACTICE[0], Agent("", variant, None))
    assert wrong == 0 < total


def test_other_ids_would_be_found(small: Path) -> None:
    class Wrong(Agent):
        def prompt(self, dialogue, strategy=""):
            made = super().prompt(dialogue, strategy)
            return dataclasses.replace(made, prefill=f" {made.prefill}x")

    wrong, total = compare_ids(tokenizer_of(small), PRACTICE[0], Wrong("", "joint", None))
    assert wrong == total > 0
    assert replies_of(PRACTICE[0], "joint"), "there was something to compare"


def test_a_run_that_is_killed_and_continued_ends_with_the_same_bits(tmp_path: Path, small: Path,
                                                                    settings: Settings) -> None:
    claim = reproduce_training.killed(tmp_path, small, settings, "lora")
    assert claim.holds and claim.value == 0 < (claim.control or 0), claim
    assert "killed with SIGKILL after step" in claim.what
    kept = weights(tmp_path / "lora-whole")
    assert kept and kept == weights(tmp_path / "lora-broken") != weights(tmp_path / "lora-other")


# --- tuned against untuned --------------------------------------------------------------------------------------


TINY = Scale(train=2, max_steps=2, length=1500, batch=1, rank=2, precision="float32", test=2, turns=1, tokens=8,
             resamples=20)


def test_the_whole_road_with_a_tiny_model(tmp_path: Path, tiny_lm: Path) -> None:
    settings = Settings(home=tmp_path / "home", threads=1, default_model=f"path:{tiny_lm}")
    said: list[str] = []
    found = agent(settings, quick=True, scale=TINY, say=said.append)
    assert read_reproduction("agent", found, 0.0).claims and all(c.interval for c in found.claims)
    assert "| figure | tuned | untuned chat |" in said[-1]
    (home,) = (settings.home / "reproduce").iterdir()
    assert (home / "table.md").is_file() and (home / "done.json").is_file()
    assert (home / "train" / "artifacts" / "model" / "training.json").is_file()
    must = [c for c in found.claims if "must be" in c.what]
    assert [c.what.split()[0] for c in must] == ["perplexity-of-real-reply"]


def row(number: int, said: str, nll: float, response: str = "a b") -> Prediction:
    return Prediction(f"d{number}", 1, "question", said, 0.5, 1, "a b c", response, nll, 3, 3, "stop")


def systems(better: bool) -> dict[str, list[Prediction]]:
    good = [row(n, "question" if n % 3 else "others", 3.0 + n / 10) for n in range(12)]
    bad = [row(n, "others", 6.0 + n / 7, "c d") for n in range(12)]
    return {"tuned": good if better else bad, "untuned chat": bad if better else good, "untuned prompts": bad}


def test_the_one_claim_holds_where_training_helped_and_fails_where_it_did_not() -> None:
    good, bad = (claims(systems(better), SET.keys, WORDS, TINY, "x") for better in (True, False))
    assert all(c.holds for c in good)
    assert [c.what.split()[0] for c in bad if not c.holds and "minus untuned chat" in c.what] == [
        "perplexity-of-real-reply"]
    assert all(c.control is not None and c.interval is not None for c in good)
    assert {c.what.split()[0] for c in good} >= {"strategy-macro-f1", "preference-bias", "distinct-2", "length-reply"}


def test_a_lower_perplexity_by_chance_is_no_claim() -> None:
    generator = random.Random(3)
    first = [row(n, "others", 5 + generator.random()) for n in range(12)]
    second = [row(n, "others", 5 + generator.random()) for n in range(12)]
    low, high = sorted((first, second), key=lambda rows: sum(p.nll for p in rows))
    found = claims({"tuned": low, "untuned chat": high}, SET.keys, WORDS, TINY, "x")
    (one,) = [c for c in found if "must be" in c.what]
    assert one.value < 0 and one.interval is not None and one.interval[1] > 0 and not one.holds


def test_the_table_has_a_row_a_figure_and_a_column_a_system() -> None:
    lines = as_table(systems(True), SET.keys, WORDS, TINY).splitlines()
    assert lines[0].count("|") == 6 and len({line.count("|") for line in lines}) == 1
    assert any(line.startswith("| strategy-macro-f1 | 0.") and "[" in line for line in lines)


def test_practice_is_split_by_dialogue() -> None:
    corpus = practice()
    assert corpus.train and corpus.test and not {d.id for d in corpus.train} & {d.id for d in corpus.test}


def test_models_are_opened_in_this_process(tmp_path: Path, tiny_lm: Path, settings: Settings) -> None:
    model = in_process(dataclasses.replace(settings, threads=1))(MemoryContext(tmp_path / "run"), f"path:{tiny_lm}")
    assert type(model).__name__ == "LocalModel"
    model.close()


# --- all of it --------------------------------------------------------------------------------------------------


@pytest.fixture
def parts() -> dict[str, str]:
    module = types.ModuleType("sweetie_parts")

    def good(settings: Settings, quick: bool) -> Reproduction:
        return Reproduction("good", (Claim("it is so", 1.0, 1.0, True, 0.0, (0.5, 1.5)),), 0.0)

    def missing(settings: Settings, quick: bool) -> Reproduction:
        raise MissingResource("There is no model.", advice="Fetch it.")

    module.good, module.missing = good, missing  # type: ignore[attr-defined]
    sys.modules["sweetie_parts"] = module
    yield {"first": "sweetie_parts:good", "second": "sweetie_parts:missing", "third": "sweetie_parts:good"}
    del sys.modules["sweetie_parts"]


def test_every_part_is_named_and_one_that_cannot_run_does_not_hold(parts: dict[str, str], settings: Settings) -> None:
    found = reproduce_sweetiechat.sweetiechat(settings, True, parts)
    assert [(c.what.split(":")[0], c.holds) for c in found.claims] == [
        ("first", True), ("second", False), ("third", True)]
    assert not found.holds and "There is no model. Fetch it." in found.claims[1].what
    assert found.claims[0].interval == (0.5, 1.5)


def test_all_parts_and_names_can_be_imported() -> None:
    for dotted in reproduce_sweetiechat.PARTS.values():
        assert callable(load(dotted)), dotted
    assert {name for name in registry.REPRODUCTIONS if name.startswith("sweetiechat")} >= {
        "sweetiechat", "sweetiechat-agent", "sweetiechat-training", "sweetiechat-metrics"}


def test_the_agent_part_reads_what_it_made_before(tmp_path: Path, settings: Settings,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was ended after training does not train again."""
    folder = tmp_path / "agent" / "train"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{}")

    def never(*_: object) -> None:
        raise AssertionError("it trained again")

    monkeypatch.setattr(reproduce_agent.train, "run", never)
    made = reproduce_agent.trained(practice(), tmp_path / "agent", TINY, settings, print)
    assert made == folder / "artifacts" / "model"
