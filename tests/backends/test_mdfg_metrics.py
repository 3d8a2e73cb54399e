"""Figures against scikit-learn, hand-computed values and the official predictions."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as oracle

from backends.mdfg.metrics_binary import (
    at_threshold,
    auc,
    average_precision,
    kappa,
    precision_at,
    precision_at_prevalence,
    ranks,
    spearman,
    wilson,
)
from backends.mdfg.metrics_domain import domain_figures, read_gold, read_official
from backends.mdfg.metrics_functional import functional_table, read_cases
from workbench.contract import UserError


@pytest.mark.parametrize("seed", range(4))
def test_ranking_figures_equal_scikit_learn_with_ties(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    scores, truth = numbers.integers(0, 12, 200) / 11, numbers.random(200) < 0.3
    assert math.isclose(auc(scores, truth) or 0, oracle.roc_auc_score(truth, scores))
    assert math.isclose(average_precision(scores, truth) or 0, oracle.average_precision_score(truth, scores))
    said = scores >= 0.5
    found = at_threshold(scores, truth, 0.5)
    assert math.isclose(found.precision or 0, oracle.precision_score(truth, said))
    assert math.isclose(found.recall or 0, oracle.recall_score(truth, said))
    assert math.isclose(found.macro_f1, oracle.f1_score(truth, said, average="macro"))
    assert math.isclose(kappa(said, truth) or 0, oracle.cohen_kappa_score(said, truth))
    from scipy.stats import spearmanr

    assert math.isclose(spearman(scores, truth.astype(float)) or 0, spearmanr(scores, truth).statistic)


def test_precision_at_the_prevalence_of_the_corpus() -> None:
    assert math.isclose(precision_at_prevalence(0.9, 0.1, 0.5) or 0, 0.9)
    assert math.isclose(precision_at_prevalence(0.9, 0.1, 1e-4) or 0, 0.9e-4 / (0.9e-4 + 0.1 * 0.9999))
    assert precision_at_prevalence(0.0, 0.0, 0.1) is None
    with pytest.raises(UserError, match="prevalence is 2"):
        precision_at_prevalence(0.9, 0.1, 2)


def test_the_correction_at_the_test_sets_own_prevalence_changes_nothing() -> None:
    numbers = np.random.default_rng(0)
    scores, truth = numbers.random(500), numbers.random(500) < 0.2
    found = at_threshold(scores, truth, 0.7)
    assert math.isclose(found.corrected or 0, found.precision or 1)
    rare = at_threshold(scores, truth, 0.7, 0.001)
    assert (rare.corrected or 1) < 0.01 < (rare.precision or 0), "the balanced figure would mislead"


def test_figures_that_do_not_exist_are_none() -> None:
    found = at_threshold([0.1, 0.2], [True, True], 0.5)
    assert found.precision is None and found.false_positive_rate is None and found.recall == 0
    assert auc([0.1, 0.2], [True, True]) is None and average_precision([0.1], [False]) is None
    assert spearman([1, 1], [1, 2]) is None and kappa([1, 1], [1, 1]) is None


def test_precision_at_k_shares_ties_fairly() -> None:
    assert precision_at([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 2) == 0.75
    assert precision_at([0.9, 0.1], [1, 0], 1) == 1
    with pytest.raises(UserError, match="count is 3"):
        precision_at([0.9, 0.1], [1, 0], 3)
    assert ranks([3, 1, 3]).tolist() == [2.5, 1, 2.5]


@pytest.mark.parametrize(("scores", "truth"), [([], []), ([0.1], [1, 0]), ([math.nan], [1])])
def test_lists_that_do_not_fit_are_refused(scores, truth) -> None:
    with pytest.raises(UserError):
        auc(scores, truth)


def test_wilsons_interval() -> None:
    low, high = wilson(45, 50)
    assert round(low, 3) == 0.786 and round(high, 3) == 0.957
    assert wilson(0, 0) == (0, 1) and wilson(0, 10)[0] == 0 and round(wilson(10, 10)[1], 9) == 1
    with pytest.raises(UserError):
        wilson(3, 2)


def test_domain_figures_by_hand() -> None:
    found = domain_figures([("a",), ("a", "b"), ()], [("a", "b"), ("b",), ("c",)])
    assert math.isclose(found.precision, (1 + 0.5 + 0) / 3) and math.isclose(found.recall, (0.5 + 1 + 0) / 3)
    assert math.isclose(found.micro_precision, 2 / 3) and math.isclose(found.micro_recall, 2 / 4)
    assert math.isclose(found.micro_f1, 2 * 2 / (3 + 4)) and found.subset_accuracy == 0
    by_label = {one.label: one for one in found.labels}
    assert math.isclose(by_label["b"].f1, 2 / 3) and by_label["c"].f1 == 0 and by_label["a"].said == 2
    assert math.isclose(found.macro_f1, (2 / 3 + 2 / 3 + 0) / 3)


@pytest.mark.parametrize(("said", "gold", "message"), [
    ([], [], "at least one"), ([("a",)], [("a",), ("b",)], "same documents"), ([("a",)], [()], "no right label")])
def test_domain_lists_that_do_not_fit(said, gold, message: str) -> None:
    with pytest.raises(UserError, match=message):
        domain_figures(said, gold)


def test_the_authors_predictions_give_the_authors_figures(shared: Path) -> None:
    folder = shared / "corpus"
    if not (folder / "cwt2_domain_test.txt").is_file():
        pytest.skip("the authors' test set is not here")
    _, gold = read_gold(folder / "cwt2_domain_test.txt")
    single, several = read_official(folder / "cwt2_domain_result_test.json")
    one, many = domain_figures(single, gold), domain_figures(several, gold)
    assert [round(v, 3) for v in (one.precision, one.recall, many.precision, many.recall)] == [.900, .644, .811, .839]
    assert [round(v, 3) for v in (many.micro_precision, many.micro_recall, many.micro_f1)] == [.837, .842, .840]
    assert round(many.subset_accuracy, 3) == .597 and {x.label: x.f1 for x in many.labels}["math"] == 0
    assert round({x.label: x.f1 for x in many.labels}["medicine"], 3) == .929


def test_files_of_another_shape_name_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "gold.txt").write_text("__label__law a b\nno label here\n")
    with pytest.raises(UserError, match="Line 2"):
        read_gold(tmp_path / "gold.txt")
    (tmp_path / "said.json").write_text('[{"label_top1": ["x"]}]')
    with pytest.raises(UserError, match="label_multi"):
        read_official(tmp_path / "said.json")


class Shouting:
    """A scorer that takes every text with an exclamation mark for toxic."""

    name, outputs, version = "toxicity", ("score",), "1"

    def score(self, texts):
        return np.array([[0.9 if "!" in text else 0.1] for text in texts], dtype=np.float32)


def test_the_functional_table_shows_the_weakest_first(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    rows = [("slur", "you x!", "hateful"), ("slur", "x.", "hateful"), ("negated", "not x", "non-hateful"),
            ("quoted", "he said x!", "non-hateful")]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("functionality", "test_case", "label_gold"), *rows])
    table = functional_table(Shouting(), read_cases(path))
    assert [(r.name, r.accuracy) for r in table] == [("quoted", 0.0), ("slur", 0.5), ("negated", 1.0)]
    assert table[0].wrong == ("he said x!",) and table[1].hateful == 2
    path.write_text("functionality,test_case,label_gold\nslur,x,maybe\n")
    with pytest.raises(UserError, match="Line 2"):
        read_cases(path)
    with pytest.raises(UserError, match="no functional case"):
        functional_table(Shouting(), [])
