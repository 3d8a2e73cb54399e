"""The promises of the comparison on public data and against sacreBLEU's own tests, through the task."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

from backends.common.mt import reproduce
from backends.common.mt.compare import run
from backends.common.mt.paired import all_pairs, bootstrap_scores
from backends.common.mt.requests import CompareRequest
from backends.common.mt.scores import mean_statistics, scorer, segment_scorer, sentence
from tests.backends.mt_cases import systems, wmt
from workbench.context import MemoryContext

PEERS = {"bleu": lambda refs: BLEU(references=refs), "chrf": lambda refs: CHRF(references=refs),
         "chrf++": lambda refs: CHRF(word_order=2, references=refs), "ter": lambda refs: TER(references=refs)}


def asked(folder: Path, names: tuple, references: str, **more) -> CompareRequest:
    base = f"path:{folder}/generaltest2022.en-zh"
    return CompareRequest(systems=tuple(f"{base}.hyp.{name}.zh" for name in names), language="zh",
                          references=tuple(f"{base}.ref.{letter}.zh" for letter in references),
                          **{"metrics": ("bleu",), "resamples": 20, "trials": 20, **more})


def test_golden_bleu_of_all_systems_of_wmt22_and_its_agreement_with_people(shared: Path) -> None:
    claims = reproduce.golden(shared / "mt", quick=True)
    assert [claim.target for claim in claims] == [*(bleu for bleu, _ in reproduce.ZH_EN.values()), 0.640]
    assert len(claims) == 13 and all(claim.holds for claim in claims), claims


def test_reference_b_is_online_b_in_373_lines(shared: Path) -> None:
    folder = shared / "mt" / "wmt22" / "en-zh"
    reference = wmt(folder / "generaltest2022.en-zh.ref.B.zh")
    same = {name: sum(a == b for a, b in zip(reference, wmt(folder / f"generaltest2022.en-zh.hyp.{name}.zh"),
                                             strict=True)) for name in ("Online-B", "HuaweiTSC")}
    assert same == {"Online-B": 373, "HuaweiTSC": 140} and len(reference) == 2037


def test_the_biased_reference_of_wmt22_through_the_task(shared: Path, tmp_path: Path) -> None:
    folder = shared / "mt" / "wmt22" / "en-zh"
    result = run(asked(folder, ("LanguageX", "Online-B"), "AB"), MemoryContext(tmp_path / "run"))
    scores = {row.system: round(row.score, 2) for row in result.rows}
    assert scores["Online-B"] == 79.99 and 62 <= scores["LanguageX"] <= 73, "the jump"
    alone = scorer("bleu", [wmt(folder / "generaltest2022.en-zh.ref.A.zh")], "zh")
    lines = wmt(folder / "generaltest2022.en-zh.hyp.Online-B.zh")
    assert round(float(alone.score(alone.statistics(lines).sum(0))), 2) == 49.10
    assert result.signatures["bleu"] == "nrefs:2|case:mixed|eff:no|tok:zh|smooth:exp|version:2.6.0"
    flagged = [text for text in result.warnings if "looks made from" in text]
    assert len(flagged) == 1 and "Reference ref B looks made from Online-B" in flagged[0]
    assert "of 2,037 segments are the same" in flagged[0]


@pytest.mark.parametrize(("tokenizer", "score", "warned"), [("", 54.35, False), ("13a", 20.31, True)])
def test_chinese_with_the_right_and_the_wrong_tokeniser(tokenizer: str, score: float, warned: bool, shared: Path,
                                                        tmp_path: Path) -> None:
    folder = shared / "mt" / "wmt22" / "en-zh"
    result = run(asked(folder, ("LanguageX",), "A", tokenizer=tokenizer), MemoryContext(tmp_path / "run"))
    assert round(result.rows[0].score, 2) == score
    assert any("Use zh" in text for text in result.warnings) is warned


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("test", ["bs", "ar"])
def test_p_values_of_every_metric_with_two_references_are_sacrebleus(name: str, test: str) -> None:
    made, reference = systems(3, size=25)
    references = [reference, [line.upper() if i % 2 else line for i, line in enumerate(reference)]]
    metric = scorer(name, references)
    stats = {key: metric.statistics(lines) for key, lines in made.items()}
    found = {(p.first, p.second): p for p in all_pairs(metric, stats, 100, 100).pairs}
    for place, baseline in enumerate(list(made)[:-1]):
        table = PairedTest([(key, made[key]) for key in list(made)[place:]], {"m": PEERS[name](references)}, None,
                           test_type=test, n_samples=100)()[1]
        column = next(key for key in table if key != "System")
        for other, result in zip(table["System"][1:], table[column][1:], strict=True):
            pair = found[baseline, other]
            assert (pair.bootstrap if test == "bs" else pair.randomisation) == result.p_value


def test_another_seed_gives_other_draws_and_the_same_scores() -> None:
    made, reference = systems(2)
    metric = scorer("bleu", [reference])
    stats = {key: metric.statistics(lines) for key, lines in made.items()}
    one, two = (all_pairs(metric, stats, 100, 100, seed) for seed in (1, 2))
    assert one.pairs != two.pairs or one.estimates != two.estimates
    assert [e.score for e in one.estimates] == [e.score for e in two.estimates]


def test_every_resample_is_a_corpus_score_of_the_same_segments_for_all() -> None:
    """Paired: the difference of two systems that differ in one segment is 0 whenever that segment is not drawn."""
    made, reference = systems(1, size=20)
    other = [*made["system 0"][:-1], "something else entirely"]
    metric = scorer("chrf", [reference])
    drawn = bootstrap_scores(metric, {"a": metric.statistics(made["system 0"]), "b": metric.statistics(other)}, 200)
    same = np.isclose(drawn["a"], drawn["b"])
    assert 0.2 < same.mean() < 0.55, "a draw of 20 misses a given one of 20 with probability 0.36"
    places = np.random.default_rng(12345).choice(20, size=(200, 20), replace=True)
    assert (same == ~(places == 19).any(1)).all()
    rows = places[0]
    part = scorer("chrf", [[reference[i] for i in rows]])
    expected = float(part.score(part.statistics([made["system 0"][i] for i in rows]).sum(0)))
    assert drawn["a"][0] == pytest.approx(expected)


def test_no_difference_is_found_significant_about_as_often_as_the_level_says() -> None:
    """Two systems whose segment scores come from one distribution: at most about 5 % of p-values are below 0.05."""
    generator = np.random.default_rng(3)
    hits = 0
    for trial in range(150):
        stats = {name: mean_statistics(generator.normal(size=60).tolist()) for name in "ab"}
        hits += (all_pairs(segment_scorer("x"), stats, 0, 200, trial).pairs[0].randomisation or 0) <= 0.05
    assert 1 <= hits <= 16


def test_holm_keeps_twelve_equal_systems_apart_from_winners() -> None:
    """66 comparisons of systems that differ by chance only: uncorrected some look different, corrected none does."""
    generator = np.random.default_rng(8)
    stats = {f"s{k}": mean_statistics(generator.normal(size=80).tolist()) for k in range(12)}
    found = all_pairs(segment_scorer("x"), stats, 0, 1000)
    assert len(found.pairs) == 66
    assert any((pair.randomisation or 1) <= 0.05 for pair in found.pairs)
    assert not any(pair.verdict for pair in found.pairs)
    assert all(value == 0 for row in found.wins.values() for value in row.values())


def test_wins_are_turned_over_on_the_other_side() -> None:
    made, reference = systems(4, size=60)
    metric = scorer("chrf", [reference])
    stats = {key: metric.statistics(lines) for key, lines in {**made, "best": reference}.items()}
    wins = all_pairs(metric, stats, 100, 300).wins
    for one, two in itertools.product(wins, wins):
        assert wins[one][two] == -wins[two][one]
    assert all(wins["best"][name] == 1 for name in made)


def test_a_warning_is_no_reason_to_hide_a_signature(tmp_path: Path) -> None:
    result = run(CompareRequest(metrics=("bleu", "chrf", "chrf++", "ter"), language="zh", tokenizer="13a", resamples=10,
                                trials=10), MemoryContext(tmp_path / "run"))
    assert set(result.signatures) == {"bleu", "chrf", "chrf++", "ter"}
    assert "tok:13a" in result.signatures["bleu"] and "norm:yes" in result.signatures["ter"]
    assert all(f"version:{version}" in text for version in ("2.6.0",) for text in result.signatures.values())
    assert len(result.rows) == 12


def test_segment_scores_of_a_mean_metric_are_what_was_given() -> None:
    given = [3.0, 4.0, float("nan")]
    assert sentence(segment_scorer("x"), mean_statistics(given)).tolist() == [3.0, 4.0, 0.0]
