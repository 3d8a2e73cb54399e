"""The threshold lab on real posts: COLD's dev split as the corpus, its human labels as the annotators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.mdfg.explore.acceptance import acceptance
from backends.mdfg.explore.lab import at_threshold, lab, sample
from backends.mdfg.explore.labels import TOXICITY, Label, Labels
from backends.mdfg.explore.population import Population
from backends.mdfg.explore.queue import Ask, queue
from backends.mdfg.labelled import read_cold
from backends.mdfg.metrics_binary import at_threshold as plain_figures
from backends.mdfg.scorers.opening import open_scorer

SCORER = Path(__file__).resolve().parents[2] / "assets" / "models" / "mdfg-zh-toxicity"
Posts = tuple[Population, np.ndarray]


@pytest.fixture(scope="module")
def posts(shared: Path) -> Posts:
    """COLD dev, thinned out to 8 % toxic posts as a crawl may be, with the bundled scorer's p(toxic)."""
    paths = sorted((shared / "corpus").rglob("*dev*.csv"))
    cold = next((path for path in paths if "cold" in str(path).lower()), None)
    if cold is None or not SCORER.is_dir():
        pytest.skip("COLD dev or the bundled scorer is not here")
    rows = read_cold(cold)
    draw = np.random.default_rng(0)
    rows = [row for row in rows if not row.labels or draw.random() < 0.09]
    scores = open_scorer(SCORER).score([row.text for row in rows])[:, 0].astype(np.float64)
    lengths = np.array([len(row.text) for row in rows], dtype=np.int64)
    return Population("toxicity", np.arange(len(rows)), scores, lengths), np.array([bool(row.labels) for row in rows])


def annotated(posts: Posts, size: int, seed: int) -> list[Label]:
    population, truth = posts
    items = queue(population, Labels(), Ask(what="toxicity", size=size, seed=seed)).items
    return [Label(item.place, f"id{item.place}", "toxicity", TOXICITY.values[not truth[item.place]], "COLD",
                  drawn="bins") for item in items]


def test_precision_and_recall_are_predicted_from_200_labels(posts: Posts) -> None:
    population, truth = posts
    assert 0.03 < truth.mean() < 0.15
    held = np.zeros(3)
    errors, naive = [], []
    for seed in range(30):
        known = sample(population, annotated(posts, 200, seed), TOXICITY)
        found, every = at_threshold(population, known, 0.7), lab(population, known, points=5)
        real = plain_figures(population.scores, truth, 0.7)
        pairs = ((found.precision, real.precision), (found.recall, real.recall), (every.prevalence, truth.mean()))
        held += [one.low - 1e-9 <= value <= one.high + 1e-9 for one, value in pairs]
        errors.append(abs((found.precision.value or 0) - (real.precision or 0)))
        naive.append(abs((plain_figures(known.scores, known.truth, 0.7).precision or 0) - (real.precision or 0)))
    assert (held >= 26).all(), held
    assert np.mean(errors) < 0.08 and np.mean(errors) < 0.8 * np.mean(naive), "without weights it is further off"


def test_acceptance_of_automatic_labels_is_predicted(posts: Posts) -> None:
    population, truth = posts
    said = {place: TOXICITY.values[not score >= 0.5] for place, score in enumerate(population.scores.tolist())}
    real = float(((population.scores >= 0.5) == truth).mean())
    held, plain = 0, []
    for seed in range(30):
        found = acceptance(population, annotated(posts, 200, seed), said)
        held += found.corpus.low - 1e-9 <= real <= found.corpus.high + 1e-9
        plain.append(found.sample.value or 0)
    assert held >= 26
    assert real - np.mean(plain) > 0.02, "without weights the rare, doubtful scores make it look worse than it is"
