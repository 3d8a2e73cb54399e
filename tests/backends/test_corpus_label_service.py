"""Labels through the service, several people at once; that the page pays for no torch; figures checked another way."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg import domain_task
from backends.mdfg.domain_requests import DomainRoundsRequest
from backends.mdfg.explore.agreement import agreement, fleiss
from backends.mdfg.explore.lab import Sample, at_threshold, sample
from backends.mdfg.explore.labels import (
    TEXTS,
    TOXICITY,
    Label,
    agreed,
    carried,
    command_of,
    read_labels,
    undo_of,
)
from backends.mdfg.explore.population import Population
from backends.mdfg.explore.queue import Ask, queue
from backends.mdfg.explore.shares import Counted, part_of, share, weighted
from backends.mdfg.explore.strata import merged, strata
from tests.backends.label_cases import label, made, world
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.files import read_lines
from workbench.runs import create_run
from workbench.service import Service

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("labels", "population", "strata", "shares", "queue", "sampled", "agreement", "acceptance", "lab", "scored",
           "label_export", "rounds", "training_overlap")


def finished(service: Service, owner: str = "ann", shared: bool = False) -> str:
    """A filtering run that is there to be labelled."""
    return create_run(service.settings.home, "mdfg.filter.v1", {}, owner=owner, shared=shared).id


def test_labels_are_commands_of_the_run(settings) -> None:
    service = Service(settings)
    run = finished(service)
    first = label(3, "good", note="说明 <script>alert(1)</script>")
    service.command("ann", run, command_of(first))
    service.command("ann", run, {"do": "cluster", "cluster": 1, "keep": [3]})
    service.command("ann", run, command_of(label(3, "bad")))
    service.command("ann", run, undo_of(first))
    found = read_labels(service.commands("ann", run))
    assert [(one.value, one.note) for one in found.current] == [("good", first.note)]
    assert found.current[0].at > 1.6e9, "the service says when"
    assert len(read_lines(service.run("ann", run).path / "commands.jsonl")) == 4, "the history stays"


def test_only_the_owner_labels_a_run(settings) -> None:
    service = Service(settings)
    private, shared = finished(service), finished(service, shared=True)
    for run in (private, shared):
        with pytest.raises(UserError):
            service.command("eve", run, command_of(label(1, by="eve")))
        assert not read_labels(service.commands("ann", run)).current


def test_people_who_label_at_the_same_time_lose_nothing(settings) -> None:
    service = Service(settings)
    run = finished(service)

    def work(by: str) -> None:
        for place in range(25):
            service.command("ann", run, command_of(label(place, "good" if place % 2 else "bad", by)))
    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_labels(service.commands("ann", run))
    assert len(found.current) == 75 and found.broken == 0 and set(found.counts("quality").values()) == {3}
    assert agreement(found.of("quality")).fleiss == 1.0


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_field_that_is_too_long_or_no_text_is_named(name: str) -> None:
    fields = {"place": 1, "id": "x", "what": "quality", "value": "good", "by": "ann"}
    least, most = TEXTS[name]
    assert getattr(Label(**{**fields, name: "x" * most}), name) == "x" * most
    for bad in ("x" * (most + 1), 3, None, ["x"], *([""] if least else [])):
        with pytest.raises(UserError, match=f"{name} is .*; it must be text of {least} to {most} characters"):
            Label(**{**fields, name: bad})


@pytest.mark.parametrize("place", [-1, 2**62 + 1, True, 1.0, "1", None])
def test_a_place_that_is_none_is_refused(place) -> None:
    with pytest.raises(UserError, match="place is"):
        Label(place, "x", "quality", "good", "ann")


@pytest.mark.parametrize("at", ["now", None, True])
def test_a_time_that_is_none_is_refused(at) -> None:
    with pytest.raises(UserError, match="at is"):
        Label(1, "x", "quality", "good", "ann", at=at)


def test_labels_follow_their_texts_to_another_run() -> None:
    """Two runs over the same texts have them at other places: what was said is carried by the hash of the text."""
    given_ = [label(place, "good" if place % 3 else "bad", by) for place in range(12) for by in ("a", "b")]
    moved = carried(given_, {f"id{place}": 100 - place for place in range(0, 12, 2)})
    assert len(moved) == 12 and {one.place for one in moved} == {100 - place for place in range(0, 12, 2)}
    before = {one.id: one.value for one in agreed(given_)}
    assert all(before[one.id] == one.value for one in agreed(moved))
    assert all(one.drawn == "bins" for one in moved), "how they were drawn is not forgotten"


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 5000), st.floats(0.05, 0.95), st.integers(2, 12))
def test_precision_is_the_weighted_mean_of_labelled_documents(seed: int, threshold: float, bins: int) -> None:
    """The same figure from documents: sum of w_i y_i over sum of w_i, with w_i = N_h / n_h."""
    population, truth = world(seed, 600, rare=bool(seed % 2))
    places = [item.place for item in queue(population, read_labels([]), Ask(size=90, seed=seed)).items]
    known = Sample(population.scores_of(places), truth[places], 0, {})
    found = at_threshold(population, known, threshold, bins=bins)
    parts = merged(strata(population, bins, threshold), strata(population, bins, threshold).counted(known.scores),
                   threshold)
    member, labelled = parts.of(known.scores), parts.counted(known.scores)
    weights = parts.documents[member] / labelled[member]
    above = known.scores >= threshold
    if found.precision.value is None:
        assert not above.any()
        return
    assert math.isclose(found.precision.value, (weights * known.truth)[above].sum() / weights[above].sum(),
                        rel_tol=1e-9, abs_tol=1e-12)
    if found.recall.value is not None and (weights * known.truth).sum():
        assert math.isclose(found.recall.value, (weights * known.truth)[above].sum() / (weights * known.truth).sum(),
                            rel_tol=1e-9, abs_tol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.floats(0, 1), st.integers(1, 5000),
       st.integers(1, 5000))
def test_a_part_lies_in_its_interval_and_in_0_to_1(n: int, m: int, p: float, q: float, a: int, b: int) -> None:
    found = part_of(share(round(p * n), n), a, share(round(q * m), m), b)
    if found.value is None:
        assert round(p * n) == 0 == round(q * m)
    else:
        assert 0 <= found.low <= found.value + 1e-12 and found.value - 1e-12 <= found.high <= 1


def test_more_labels_make_narrower_intervals() -> None:
    widths = []
    for labelled in (5, 20, 80, 320):
        found = weighted([Counted(5000, labelled, labelled * 0.6), Counted(5000, labelled, labelled * 0.2)])
        widths.append(found.high - found.low)
    assert widths == sorted(widths, reverse=True) and widths[0] > 4 * widths[-1]


def test_intervals_of_precision_hold_for_rare_toxic_documents() -> None:
    """Pitfall: few documents are toxic. A few in a thousand, all of them at high scores, 60 labels by bins."""
    inside, widths = 0, []
    for seed in range(40):
        draw = np.random.default_rng(seed)
        scores = np.concatenate([draw.beta(1, 30, 19_900), draw.random(100)])
        truth = np.concatenate([np.zeros(19_900, dtype=bool), draw.random(100) < scores[19_900:]])
        population = Population("toxicity", np.arange(20_000), scores, np.full(20_000, 10))
        items = queue(population, read_labels([]), Ask(what="toxicity", size=60, seed=seed)).items
        labels = [label(item.place, TOXICITY.values[not truth[item.place]], what="toxicity") for item in items]
        known = sample(population, labels, TOXICITY)
        found = at_threshold(population, known, 0.5)
        right = float(truth[scores >= 0.5].mean())
        inside += found.precision.low - 1e-9 <= right <= found.precision.high + 1e-9
        widths.append(found.precision.high - found.precision.low)
        assert found.chosen.documents == int((scores >= 0.5).sum()) < 100
    assert inside >= 35 and 0.05 < np.mean(widths) < 0.6


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3).filter(lambda row: sum(row) >= 2), min_size=1,
                max_size=12))
def test_fleiss_kappa_does_not_depend_on_order(rows: Sequence[Sequence[int]]) -> None:
    table = np.array(rows)
    value, turned = fleiss(table), fleiss(table[::-1, [2, 0, 1]])
    assert (value is None) == (turned is None)
    if value is not None and turned is not None:
        assert math.isclose(value, turned, abs_tol=1e-9) and value <= 1 + 1e-12


def test_agreement_is_the_same_for_the_same_labels() -> None:
    given_ = [label(place, ("good", "bad")[place % step == 0], by) for place in range(30)
              for step, by in ((2, "a"), (3, "b"), (4, "c"))]
    assert agreement(given_) == agreement(list(reversed(given_)))
    assert agreement(given_, seed=1).interval != agreement(given_, seed=2).interval


def test_a_round_that_is_worked_on_again_ends_with_the_same_files(tmp_path: Path) -> None:
    """A run that was killed begins its round anew in the same folder."""
    request = DomainRoundsRequest(practice=120, epochs=2)
    context = MemoryContext(tmp_path / "run")
    first = domain_task.run(request, context)
    folder = tmp_path / "run" / "artifacts"
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = domain_task.run(request, context)
    after = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert before == after and again.proposals == first.proposals and again.counts == first.counts
    assert {Path("scorer/scorer.json"), Path("round/state.json"), Path("changes.jsonl")} <= set(after)


def test_the_page_pays_for_neither_torch_nor_scikit_learn() -> None:
    heavy = ("torch", "sklearn", "transformers", "gradio", "pandas")
    code = "\n".join([*(f"import backends.mdfg.explore.{name}" for name in MODULES),
                      "import sys, backends.mdfg.domain_requests",
                      f"print([name for name in {heavy} if name in sys.modules])"])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_queue_of_a_million_documents_is_exact() -> None:
    population = made(np.linspace(0, 1, 1_000_000).tolist())
    found = queue(population, read_labels([]), Ask(size=50))
    lows = [item.low for item in found.items]
    assert [lows.count(low) for low in sorted(set(lows))] == [5] * 10
    near = queue(population, read_labels([]), Ask(kind="uncertain", size=5, threshold=0.25)).items
    slow = np.argsort(np.abs(population.scores - 0.25), kind="stable")[:5]
    assert {item.place for item in near} == set(slow.tolist())
