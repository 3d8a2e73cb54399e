"""Decisions on clusters of near-duplicates in the export of Inspect: who comes in, who goes out, what is counted."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from backends.mdfg.explore import decisions, queries
from backends.mdfg.explore.clusters import clusters, open_cluster
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.decisions import Change, Decision, decided_selection
from backends.mdfg.explore.selection import Selection, Span
from panels import corpus_take as taking
from panels.corpus_state import State
from tests.backends.explore_cases import table
from tests.panels.corpus_label_cases import corpus as made
from tests.panels.corpus_label_cases import put_run, shell_of
from tests.panels.test_dialogue_wiring import ANN, OTHER, Page, asking, noting
from workbench.runs import Run


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with noting(tmp_path_factory.mktemp("decided")) as built:
        yield built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that drops all but one of every cluster."""
    return made(tmp_path_factory.mktemp("source"), near_duplicates="drop")


@pytest.fixture(scope="module")
def corpus(source: Path) -> Iterator[Corpus]:
    opened = Corpus.open(source)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def change(corpus: Corpus) -> Change:
    """The first cluster of passing pairs is kept whole, the second is dropped whole."""
    both = [row.number for row in clusters(corpus).rows if row.kept == 1 and row.passing == 2][:2]
    commands = [decisions.accept_all(corpus, both[0]), decisions.reject_all(corpus, both[1])]
    return decisions.changed(corpus, decisions.decisions(commands))


@pytest.fixture
def run(page: Page, source: Path) -> Run:
    return put_run(page, source)


def records(page: Page, corpus: Corpus, selection: Selection, change: Change | None) -> list[dict[str, Any]]:
    path, written, shown = taking.write(shell_of(page), corpus, State("r", selection), "jsonl", change)
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert written == shown == len(found)
    return found


def keys(source: Path, places: Any) -> set[str]:
    rows = table(source)
    return {rows[place]["id"] for place in places}


def test_decisions_bring_documents_in_and_out(page: Page, source: Path, corpus: Corpus, change: Change) -> None:
    assert len(change.stays) == len(change.goes) == 1 and change.documents == 2
    plain = {one["id"] for one in records(page, corpus, Selection(show="kept"), None)}
    kept = records(page, corpus, Selection(show="kept"), change)
    assert {one["id"] for one in kept} == plain - keys(source, change.goes) | keys(source, change.stays)
    assert all(one["kept"] for one in kept)
    marked = [one for one in kept if one["cluster_decision"]]
    assert [(one["cluster_decision"], one["rules_failed"]) for one in marked] == [("kept", ["near_duplicate"])]


def test_kept_and_dropped_are_the_whole_and_share_nothing(page: Page, corpus: Corpus, change: Change) -> None:
    kept, dropped, every = ([one["id"] for one in records(page, corpus, Selection(show=show), change)]
                            for show in ("kept", "dropped", "all"))
    assert not set(kept) & set(dropped) and sorted(kept + dropped) == sorted(every) and len(every) == corpus.total
    both = records(page, corpus, Selection(), change)
    assert [one["id"] for one in both if one["kept"]] == kept, "the order of the list stays"
    gone = [one for one in both if one["cluster_decision"] == "dropped"]
    assert len(gone) == 1 and gone[0]["rules_failed"] == [] and not gone[0]["kept"]


def test_the_other_parts_of_the_filter_still_hold(page: Page, source: Path, corpus: Corpus, change: Change) -> None:
    rows = table(source)
    stays = change.stays[0]
    number = rows[stays]["dup_cluster"]
    inside = records(page, corpus, Selection(show="kept", cluster=number), change)
    assert {one["id"] for one in inside} == {row["id"] for row in rows if row["dup_cluster"] == number}
    length = float(rows[stays]["n_chars"])
    outside = Selection(show="kept", spans=(Span("n_chars", length + 1, None),))
    assert rows[stays]["id"] not in {one["id"] for one in records(page, corpus, outside, change)}


def test_without_the_option_nothing_is_changed(page: Page, corpus: Corpus) -> None:
    kept = records(page, corpus, Selection(show="kept"), None)
    assert all(one["kept"] and one["cluster_decision"] is None and not one["rules_failed"] for one in kept)
    assert len(kept) == queries.count(corpus, Selection(show="kept")).shown


def test_a_table_has_both_columns(page: Page, corpus: Corpus, change: Change) -> None:
    path, _, _ = taking.write(shell_of(page), corpus, State("r"), "csv", change)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(filter(None, (row["cluster_decision"] for row in rows))) == ["dropped", "kept"]
    assert {row["kept"] for row in rows} == {"True", "False"}


def test_a_chosen_document_that_a_moved_limit_drops_stays_dropped(corpus: Corpus, change: Change) -> None:
    """A decision is about duplicates only: other rules judge all the same, with the limits as they are now."""
    index = next(i for i, test in enumerate(corpus.recipe.tests) if test.column == "n_chars")
    moved = ((index, 1e6),)
    rows = corpus.rows("SELECT DISTINCT dup_cluster FROM docs WHERE place IN (SELECT unnest(?::BIGINT[]))",
                       [list(change.stays)])
    places = [place for (place,) in corpus.rows("SELECT place FROM docs WHERE dup_cluster = ?", [rows[0][0]])]
    made = {rows[0][0]: Decision(rows[0][0], tuple(places))}
    assert decisions.changed(corpus, made).stays == change.stays
    strict = decisions.changed(corpus, made, moved)
    assert not strict.stays and not strict.goes and set(strict.blocked) == set(places)
    assert queries.count(corpus, decided_selection(Selection(show="kept", moved=moved), strict)).shown == 0


def test_a_selection_after_decisions_is_counted_apart(corpus: Corpus, change: Change) -> None:
    """Answers are kept by their question; the plain selection must not get the count of the other one."""
    plain = Selection(show="dropped")
    more = decided_selection(plain, Change(1, (), change.goes, (), 0))
    assert queries.count(corpus, more).shown == queries.count(corpus, plain).shown + 1
    assert more != plain and decided_selection(Selection(), change).where(corpus).sql == "true"


# --- the page ---------------------------------------------------------------------------------------------------------

def decide(page: Page, run: Run, act: str) -> int:
    """Ann's decision on a cluster of which one document is kept; its number."""
    corpus = Corpus.open(run.path)
    row = next(row for row in clusters(corpus).rows if row.kept == 1 and row.passing == 2)
    made = decisions.accept_all if act == "all" else decisions.reject_all
    page.service.command(ANN, run.id, made(corpus, row.number))
    assert open_cluster(corpus, row.number).cluster.size == row.size
    corpus.close()
    return row.number


@pytest.mark.parametrize(("act", "en", "zh"), [
    ("all", "1 of {total} documents change (1 kept instead of dropped, 0", "1 篇改为保留，0 篇"),
    ("none", "1 of {total} documents change (0 kept instead of dropped, 1", "0 篇改为保留，1 篇")])
def test_the_option_says_how_many_documents_it_changes(page: Page, run: Run, corpus: Corpus, act: str, en: str,
                                                       zh: str) -> None:
    assert page.call("corpus_take", "offer", run.id, "", asking())["visible"] is False
    number = decide(page, run, act)
    shown = page.call("corpus_take", "offer", run.id, "", asking())
    assert shown["visible"] and en.format(total=corpus.total) in shown["label"] and "value" not in shown
    assert zh in page.call("corpus_take", "offer", run.id, "", asking(lang="zh-CN"))["label"]
    page.service.command(ANN, run.id, decisions.undo(number))
    assert page.call("corpus_take", "offer", run.id, "", asking())["visible"] is False


@pytest.mark.parametrize(("held", "text", "cookie"), [(False, "", ""), (True, "", OTHER), (True, "show=<odd>", "")])
def test_where_nothing_can_be_exported_the_option_is_not_there(page: Page, run: Run, held: bool, text: str,
                                                               cookie: str) -> None:
    """No corpus, a stranger, an address that nobody can read: the view says it once, this stays silent."""
    decide(page, run, "all")
    request = asking(cookie) if cookie else asking()
    assert page.call("corpus_take", "offer", run.id if held else "", text, request)["visible"] is False


@pytest.mark.parametrize(("apply", "more"), [(True, 1), (False, 0)])
def test_the_button_applies_decisions_only_when_asked(page: Page, run: Run, corpus: Corpus, apply: bool, more: int,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(gr, "Info", lambda words, duration: told.append(words))
    decide(page, run, "all")
    given = page.call("corpus_take", "give", "jsonl", run.id, "show=kept", apply, asking())
    lines = Path(given["value"]).read_text(encoding="utf-8").splitlines()
    assert len(lines) == queries.count(corpus, Selection(show="kept")).shown + more
    assert told[0].startswith(f"{len(lines)} documents are in the file.")
    assert ("Decisions on 1 clusters change 1 documents: 1 are kept" in told[0]) == apply


def test_the_option_is_on_until_somebody_turns_it_off(page: Page) -> None:
    box = page.find("corpus_take", "give").inputs[-1]
    assert isinstance(box, gr.Checkbox) and box.value is True and box.visible is False
    assert page.find("corpus_take", "offer").outputs == [box]
