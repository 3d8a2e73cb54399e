"""Populations, score bins and queues: counts against numpy, draws that are fair, stable and the same for everybody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.explore import acceptance, lab
from backends.mdfg.explore.labels import Labels
from backends.mdfg.explore.population import Population
from backends.mdfg.explore.queue import KINDS, Ask, allotted, queue, shuffled
from backends.mdfg.explore.strata import DRAWN, WEIGHED, merged, strata
from tests.backends.label_cases import label, made, world
from workbench.contract import UserError

SCORES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60)


@settings(max_examples=80, deadline=None)
@given(SCORES, st.floats(-0.25, 1.25, width=32))
def test_volumes_equal_a_plain_count(scores: list[float], threshold: float) -> None:
    lengths = [10 + place for place in range(len(scores))]
    found = made(scores, characters=lengths).volume(threshold)
    above = [length for score, length in zip(scores, lengths, strict=True) if score >= threshold]
    assert (found.documents, found.characters) == (len(above), sum(above))
    assert found.share == len(above) / len(scores) and np.isclose(found.character_share, sum(above) / sum(lengths))


def test_an_empty_population_has_no_volume() -> None:
    found = made([]).volume(0.5)
    assert (found.documents, found.characters, found.share, found.character_share) == (0, 0, 0.0, 0.0)
    assert np.isnan(made([]).scores_of([1])).all()


def test_scores_are_looked_up_by_place() -> None:
    population = Population("quality", np.array([3, 8, 9]), np.array([0.3, 0.8, 0.9]), np.array([1, 1, 1]))
    found = population.scores_of([9, 3, 4, 100, -5, 8])
    assert np.array_equal(found, [0.9, 0.3, np.nan, np.nan, np.nan, 0.8], equal_nan=True)
    assert population.scores_of([]).shape == (0,)


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(UserError, match="2 places, 1 scores"):
        Population("quality", np.array([0, 1]), np.array([0.5]), np.array([1, 1]))


def test_limits_are_compared_in_the_precision_of_the_scores() -> None:
    stored = float(np.float32(0.37))
    assert stored > 0.37, "a 32-bit float is not the number that was typed"
    tight = made([float(np.float32(0.3))], single=True)
    assert tight.volume(0.3).documents == 1 and tight.limit(0.3) == float(np.float32(0.3))
    assert made([stored]).limit(0.37) == 0.37


@settings(max_examples=80, deadline=None)
@given(SCORES, st.integers(1, 20), st.one_of(st.none(), st.floats(0, 1, width=32)))
def test_every_document_is_in_exactly_one_bin(scores: list[float], bins: int, threshold: float | None) -> None:
    found = strata(made(scores), bins, threshold)
    assert found.documents.sum() == len(scores) and len(found.edges) == len(found) + 1
    member = found.of(scores)
    assert np.array_equal(np.bincount(member, minlength=len(found)), found.documents)
    assert np.array_equal(found.counted(scores), found.documents)
    if threshold is not None and found.edges[0] < threshold <= 1:
        assert all((found.edges[h] >= threshold) == (score >= threshold)
                   for h, score in zip(member.tolist(), scores, strict=True)), "a bin lies on one side of the threshold"


def test_bins_by_hand() -> None:
    found = strata(made([0.0, 0.05, 0.1, 0.95, 1.0]), 10)
    assert np.allclose(found.edges, np.linspace(0, 1, 11)) and found.documents.tolist() == [2, 1, *[0] * 7, 2]
    wide = strata(made([-2.0, 0.0, 6.0]), 4)
    assert wide.edges.tolist() == [-2, 0, 2, 4, 6] and wide.documents.tolist() == [1, 1, 0, 1]
    one = strata(made([3.0, 3.0]), 5)
    assert one.documents.tolist() == [2] and one.of([3.0, 99.0]).tolist() == [0, 0]
    top = strata(made([0.2, 1.0, 1.0]), 2, 1.0)
    assert top.documents.tolist() == [1, 0, 2], "documents at the greatest score can be chosen alone"


@pytest.mark.parametrize("bins", [0, -1, 51])
def test_other_numbers_of_bins_are_refused(bins: int) -> None:
    with pytest.raises(UserError, match="between 1 and 50"):
        strata(made([0.5]), bins)


def test_a_corpus_without_scores_says_what_to_do() -> None:
    with pytest.raises(UserError, match="No document has a score of quality"):
        strata(made([]), 10)
    with pytest.raises(UserError, match="No document has a score of toxicity"):
        queue(made([], "toxicity"), Labels(), Ask(what="toxicity"))


def test_bins_without_labels_join_a_neighbour_but_never_across_the_threshold() -> None:
    found = strata(made([0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]), 10)
    joined = merged(found, np.array([2, 0, 0, 1, 0, 0, 3, 0, 0, 1]), found.edges[5])
    assert joined.documents.sum() == 10 and found.edges[5] in joined.edges
    assert all(count for count in joined.counted([0.05, 0.35, 0.65, 0.95]))
    lone = merged(found, np.array([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), found.edges[5])
    assert lone.edges.tolist() == [0, 0.5, 1] and lone.documents.tolist() == [5, 5], "the other side stays unlabelled"
    assert merged(found, np.zeros(10, dtype=np.int64)).edges.tolist() == [0, 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=8, max_size=8), st.integers(1, 7))
def test_joined_bins_keep_every_document_and_label(labelled: list[int], cut: int) -> None:
    found = strata(made(np.linspace(0, 1, 40).tolist()), 8)
    threshold = float(found.edges[cut])
    joined = merged(found, np.array(labelled), threshold)
    assert joined.documents.sum() == 40 and set(joined.edges) <= set(found.edges) and threshold in joined.edges
    for low, high in ((0, cut), (cut, 8)):
        inside = [h for h in range(len(joined)) if found.edges[low] <= joined.edges[h] < found.edges[high]]
        counts = [sum(labelled[k] for k in range(8) if joined.edges[h] <= found.edges[k] < joined.edges[h + 1])
                  for h in inside]
        assert all(counts) or (len(counts) == 1 and not any(labelled[low:high]))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(1, 200))
def test_shares_of_bins_are_as_equal_as_they_can_be(documents: list[int], size: int) -> None:
    share = allotted(np.array(documents), size)
    assert share.sum() == min(size, sum(documents)) and (share <= documents).all()
    open_bins = [int(s) for s, d in zip(share, documents, strict=True) if s < d]
    if open_bins:
        assert max(share) - min(open_bins) <= 1, "a bin with documents left is at most one behind the fullest"


def test_places_are_shuffled_by_seed_alone() -> None:
    places = np.arange(1000)
    first = shuffled(places, 3)
    assert np.array_equal(first, shuffled(places, 3)) and not np.array_equal(first, shuffled(places, 4))
    assert len(np.unique(first)) == 1000
    assert shuffled(np.array([7]), 3)[0] == first[7], "it does not depend on the other documents"
    ranks = np.argsort(np.argsort(first))
    assert abs(np.corrcoef(ranks, places)[0, 1]) < 0.1


def test_the_queue_by_bins_sees_rare_scores() -> None:
    population, _ = world(5, rare=True)
    found = queue(population, Labels(), Ask(size=100))
    bins = np.bincount([min(9, int(item.score * 10)) for item in found.items], minlength=10)
    assert len(found.items) == found.drawn == 100 and found.candidates == 4000
    most = strata(population, 10).documents
    assert all(bins[h] == most[h] or bins[h] >= 10 for h in range(10)), "equal shares, or all there are"
    scores = [item.score for item in found.items]
    assert scores != sorted(scores) and scores != sorted(scores, reverse=True), "not in the order of the score"
    for item in found.items:
        assert item.low <= item.score <= item.high and item.of == most[min(9, int(item.score * 10 + 1e-9))]


def test_the_uncertain_queue_is_nearest_to_the_threshold_first() -> None:
    population, _ = world(1)
    found = queue(population, Labels(), Ask(kind="uncertain", size=20, threshold=0.7))
    distances = [abs(item.score - 0.7) for item in found.items]
    assert distances == sorted(distances)
    assert distances[-1] == np.sort(np.abs(population.scores - 0.7))[19]


def test_the_toxic_queue_holds_scores_above_a_half_only() -> None:
    population = made([0.2, 0.5, 0.51, 0.9, 0.7], "toxicity")
    found = queue(population, Labels(), Ask(kind="toxic", what="toxicity", size=50))
    assert {item.place for item in found.items} == {2, 3, 4} and found.candidates == 3 == found.drawn
    assert all(item.of == 3 and item.low == 0.5 for item in found.items)
    assert queue(made([0.1, 0.2], "toxicity"), Labels(), Ask(kind="toxic", what="toxicity")).items == ()


def test_random_draws_are_fair() -> None:
    population, _ = world(2, 500)
    hits = np.zeros(500)
    for seed in range(300):
        for item in queue(population, Labels(), Ask(kind="random", size=50, seed=seed)).items:
            hits[item.place] += 1
    assert abs(hits.mean() - 30) < 1e-9 and 0.75 < hits.var() / 27 < 1.3, "binomial with p = .1"


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_gets_the_same_documents_until_enough_people_labelled_them(kind) -> None:
    population, _ = world(3, 400)
    ask = Ask(kind=kind, size=12, by="ann", people=2)
    mine = queue(population, Labels(), ask)
    assert mine == queue(population, Labels(), ask)
    first = mine.items[0].place
    after = Labels((label(first),))
    rest = queue(population, after, ask)
    assert rest.done == 1 and rest.complete == 0 and first not in [item.place for item in rest.items]
    theirs = queue(population, after, Ask(kind=kind, size=12, by="bob", people=2))
    assert theirs.items[0].place == first and theirs.items[0].others == 1, "second opinions come first"
    assert {item.place for item in theirs.items} == {item.place for item in mine.items}
    both = Labels((label(first), label(first, by="bob")))
    third = queue(population, both, Ask(kind=kind, size=12, by="cat", people=2))
    assert first not in [item.place for item in third.items] and third.complete == 1 and third.drawn == 12


def test_labels_of_another_dimension_do_not_count() -> None:
    population, _ = world(3, 50)
    given = Labels(tuple(label(place, "toxic", what="toxicity") for place in range(50)))
    found = queue(population, given, Ask(size=10, by="ann"))
    assert found.done == 0 and len(found.items) == 10 and all(item.others == 0 for item in found.items)


def test_a_longer_queue_begins_with_the_documents_of_the_shorter_one() -> None:
    population, _ = world(4)
    short, long = (queue(population, Labels(), Ask(size=size)) for size in (40, 80))
    assert {item.place for item in short.items} <= {item.place for item in long.items}


def test_every_item_says_why_it_is_there() -> None:
    population, _ = world(6, 100)
    for kind in KINDS:
        item = queue(population, Labels(), Ask(kind=kind, size=3)).items[0]
        reason, numbers = item.why
        assert reason == kind and set(numbers) == {"score", "low", "high", "of", "others"}
    second = queue(population, Labels((label(item.place, by="bob"),)), Ask(kind=kind, size=3, by="ann")).items[0]
    assert second.why[0] == "second" and second.why[1]["others"] == 1


@pytest.mark.parametrize("bad", [{"size": 0}, {"bins": 99}, {"people": 0}, {"kind": "best"}, {"seed": -1},
                                 {"by": "x" * 61}])
def test_questions_that_cannot_be_are_refused(bad) -> None:
    with pytest.raises(UserError, match=next(iter(bad))):
        Ask(**bad)


@pytest.mark.parametrize("bins", range(1, WEIGHED + 1))
def test_bins_of_a_draw_never_lie_across_bins_of_weighing(bins: int) -> None:
    if bins in (1, 2, 5, 10):
        assert Ask(bins=bins).bins == bins
        scores = np.linspace(0, 1, 101).tolist()
        mine, theirs = strata(made(scores), bins).edges, strata(made(scores), WEIGHED).edges
        assert set(mine.tolist()) <= set(theirs.tolist())
    else:
        with pytest.raises(UserError, match=f"bins is {bins}; it must be one of 1, 2, 5, 10.*weighed in 10 score bins"):
            Ask(bins=bins)


def test_labels_are_weighed_in_the_bins_that_draws_fit() -> None:
    assert DRAWN == (1, 2, 5, 10) and lab.BINS == WEIGHED == 10
    assert acceptance.acceptance.__kwdefaults__ == {"bins": WEIGHED, "without": ()}


@pytest.mark.parametrize("bins", DRAWN)
def test_every_bin_of_weighing_is_a_fair_sample_however_it_was_drawn(bins: int) -> None:
    """Truth goes with the score inside a bin too: a draw that bends within it would bend the estimate."""
    scores = np.random.default_rng(2).beta(0.6, 3, 20_000).tolist()
    population = made(scores)
    wanted = strata(population, WEIGHED)
    draws = [[item.score for item in queue(population, Labels(), Ask(size=400, bins=bins, seed=seed)).items]
             for seed in range(12)]
    drawn = np.array([score for one in draws for score in one])
    for h in range(4):
        inside = drawn[wanted.of(drawn) == h]
        whole = np.array(scores)[wanted.of(scores) == h]
        assert abs(inside.mean() - whole.mean()) < 4 * whole.std() / np.sqrt(len(inside)), "4 standard errors"


def test_a_small_corpus_gives_all_it_has() -> None:
    found = queue(made([0.1, 0.9, 0.95]), Labels(), Ask(size=100))
    assert sorted(item.place for item in found.items) == [0, 1, 2] and found.drawn == 3
