"""Two recipes on one corpus: counts against plain Python, other runs matched by id, what stored values cannot tell."""

from __future__ import annotations

import json
import random
import shlex
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.mdfg.explore import compare as module
from backends.mdfg.explore.compare import (
    CELLS,
    DIFFER,
    SNIPPET,
    Side,
    cell_of,
    compare,
    examples,
    failed,
    notes,
    pair_hash,
    run_side,
)
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.judging import moved_recipe
from backends.mdfg.explore.measured import (
    GIVEN,
    SETTINGS,
    columns_of,
    differences,
    not_measured,
    setting_of,
)
from backends.mdfg.recipes import Measure, Recipe, dump_recipe, load_recipe, parse_recipe, presets
from backends.mdfg.rules.evaluate import Evaluator
from backends.mdfg.rules.verdicts import Test, decide
from backends.mdfg.words import NONE, WordList
from tests.backends.explore_cases import filtered, full_texts, given, table
from workbench import cli
from workbench.contract import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 240 planted documents by the paper's rules."""
    return filtered(tmp_path_factory.mktemp("compare"), 240)


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Iterator[Corpus]:
    opened = Corpus.open(folder)
    yield opened
    opened.close()


def masks(rows: list[dict[str, Any]], recipe: Recipe) -> list[int]:
    """Masks by the engine's own decision over the stored table."""
    columns = {test.column: np.array([np.nan if row[test.column] is None else row[test.column] for row in rows])
               for test in recipe.tests}
    return [int(mask) for mask in decide(columns, recipe.tests, len(rows)).rule_fail]


def plainly(rows: list[dict[str, Any]], a: Recipe, b: Recipe) -> dict[str, list[int]]:
    """Places by outcome, the slow way."""
    found: dict[str, list[int]] = {name: [] for name in CELLS}
    for place, (x, y) in enumerate(zip(masks(rows, a), masks(rows, b), strict=True)):
        found["both" if not x and not y else "only_a" if not x else "only_b" if not y else "neither"].append(place)
    return found


def moved(corpus: Corpus, *limits: tuple[int, float]) -> Side:
    return Side(moved_recipe(corpus.recipe, limits))


PAIRS: list[tuple[str, tuple[tuple[int, float], ...], str, tuple[tuple[int, float], ...]]] = [
    ("zh-paper-code", (), "zh-ratio", ()),
    ("zh-paper-code", (), "zh-strict-char", ()),
    ("zh-strict-char", (), "zh-paper-code", ((0, 400.0),)),
    ("zh-paper-code", ((0, 100.0), (4, 0.1)), "zh-paper-code", ((0, 300.0), (5, 0.2))),
    ("zh-paper-code", ((3, -1.0),), "zh-ratio", ((2, 2.0),)),
]


# --- the four outcomes -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("one", "by", "other", "by_other"), PAIRS)
def test_outcomes_are_those_of_the_engines_own_decision(corpus: Corpus, folder: Path, one: str, by: Any, other: str,
                                                        by_other: Any) -> None:
    a, b = moved_recipe(load_recipe(one), by), moved_recipe(load_recipe(other), by_other)
    rows = table(folder)
    slow, found = plainly(rows, a, b), compare(corpus, Side(a), Side(b))
    assert {name: cell.documents for name, cell in found.cells.items()} == {n: len(p) for n, p in slow.items()}
    assert {name: cell.characters for name, cell in found.cells.items()} == {
        name: sum(rows[place]["n_chars"] for place in places) for name, places in slow.items()}
    assert found.total == found.compared == len(rows) == sum(len(places) for places in slow.values())
    assert found.kept("a") == sum(not mask for mask in masks(rows, a))
    assert found.kept("b") == sum(not mask for mask in masks(rows, b))


@pytest.mark.parametrize(("one", "by", "other", "by_other"), PAIRS)
def test_rules_are_counted_on_both_sides(corpus: Corpus, folder: Path, one: str, by: Any, other: str,
                                         by_other: Any) -> None:
    a, b = moved_recipe(load_recipe(one), by), moved_recipe(load_recipe(other), by_other)
    rows = table(folder)
    of_a, of_b = ([set(failed(r, mask)) for mask in masks(rows, r)] for r in (a, b))
    for pair in compare(corpus, Side(a), Side(b)).rules:
        in_a, in_b = [pair.rule in f for f in of_a], [pair.rule in f for f in of_b]
        assert (pair.a, pair.b) == (sum(in_a), sum(in_b))
        assert pair.more_a == sum(x and not y for x, y in zip(in_a, in_b, strict=True))
        assert pair.more_b == sum(y and not x for x, y in zip(in_a, in_b, strict=True))
        assert pair.blamed_a == sum(x and not f for x, f in zip(in_a, of_b, strict=True))
        assert pair.blamed_b == sum(y and not f for y, f in zip(in_b, of_a, strict=True))


def test_means_of_scores_are_of_documents_that_have_one(corpus: Corpus, folder: Path) -> None:
    b = load_recipe("zh-ratio")
    rows, found = table(folder), compare(corpus, Side(corpus.recipe), Side(b))
    for name, places in plainly(rows, corpus.recipe, b).items():
        for column, got in (("given.quality", found.cells[name].quality), ("given.toxicity",
                                                                          found.cells[name].toxicity)):
            values = [rows[place][column] for place in places if not np.isnan(rows[place][column])]
            assert got == (pytest.approx(np.mean(values)) if values else None)


def test_a_side_against_itself_differs_nowhere(corpus: Corpus) -> None:
    found = compare(corpus, Side(corpus.recipe), Side(corpus.recipe))
    assert found.cells["only_a"].documents == found.cells["only_b"].documents == 0
    assert found.cells["both"].documents == corpus.summary["kept"]
    assert all(pair.more_a == pair.more_b == pair.blamed_a == pair.blamed_b == 0 for pair in found.rules)
    assert examples(corpus, Side(corpus.recipe), Side(corpus.recipe), DIFFER).shown == 0


def test_exchanging_the_sides_exchanges_every_count(corpus: Corpus) -> None:
    a, b = Side(corpus.recipe), Side(load_recipe("zh-ratio"))
    there, back = compare(corpus, a, b), compare(corpus, b, a)
    mirror = {"both": "both", "only_a": "only_b", "only_b": "only_a", "neither": "neither"}
    assert {mirror[name]: cell for name, cell in there.cells.items()} == dict(back.cells)
    assert [(p.rule, p.a, p.more_a, p.blamed_a) for p in there.rules] == [
        (p.rule, p.b, p.more_b, p.blamed_b) for p in back.rules]
    assert there.hash != back.hash


def test_a_rule_of_one_side_only_has_no_count_on_the_other(corpus: Corpus) -> None:
    fewer = replace(corpus.recipe, rules=corpus.recipe.rules[1:])
    extra = replace(fewer, rules=(*fewer.rules, Test("personal", "phones", ">", 0)))
    pairs = {pair.rule: pair for pair in compare(corpus, Side(corpus.recipe), Side(extra)).rules}
    assert pairs["length"].b is None and pairs["length"].a and not pairs["length"].tests_b
    assert pairs["personal"].a is None and pairs["personal"].b and pairs["personal"].tests_b[0].column == "phones"
    assert list(pairs)[:1] == ["length"] and list(pairs)[-1] == "personal"


def test_a_recipe_without_rules_keeps_everything(corpus: Corpus) -> None:
    found = compare(corpus, Side(replace(corpus.recipe, rules=())), Side(corpus.recipe))
    assert found.kept("a") == corpus.total and found.kept("b") == corpus.summary["kept"]


def test_several_tests_of_one_rule_are_one_bit(corpus: Corpus, folder: Path) -> None:
    two = replace(corpus.recipe, rules=(Test("size", "n_chars", "<", 250), Test("size", "n_chars", ">", 500)))
    found = compare(corpus, Side(two), Side(replace(two, rules=())))
    outside = sum(row["n_chars"] < 250 or row["n_chars"] > 500 for row in table(folder))
    assert [pair.rule for pair in found.rules] == ["size"] and found.rules[0].a == outside


def test_a_value_that_is_missing_drops_nothing(corpus: Corpus, folder: Path) -> None:
    strict = replace(corpus.recipe, rules=(Test("quality", "given.quality", "<", 2.0),))
    found = compare(corpus, Side(strict), Side(strict))
    assert found.kept("a") == sum(np.isnan(row["given.quality"]) for row in table(folder)) > 0


@pytest.mark.parametrize(("a", "b", "cell"), [(0, 0, "both"), (0, 4, "only_a"), (1, 0, "only_b"), (3, 8, "neither")])
def test_cell_of(a: int, b: int, cell: str) -> None:
    assert cell_of(a, b) == cell


def test_the_hash_names_the_pair_by_meaning(corpus: Corpus, folder: Path) -> None:
    a, b = Side(corpus.recipe), moved(corpus, (0, 300.0))
    assert pair_hash(a, b) == pair_hash(Side(replace(corpus.recipe, name="other words", note="n")), b)
    assert len({pair_hash(a, b), pair_hash(b, a), pair_hash(a, a), pair_hash(Side(a.recipe, folder), b)}) == 4
    assert len(pair_hash(a, b)) == 8 and int(pair_hash(a, b), 16) >= 0


# --- documents -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("cell", [*CELLS, DIFFER, ""])
def test_documents_of_an_outcome_in_order_with_the_rules_they_fail(corpus: Corpus, folder: Path, cell: str) -> None:
    a, b = corpus.recipe, moved(corpus, (0, 330.0), (3, 5.0)).recipe
    rows, slow = table(folder), plainly(table(folder), corpus.recipe, b)
    of = [name for name in CELLS if name == cell or not cell or (cell == DIFFER and name.startswith("only"))]
    wanted = sorted(place for name in of for place in slow[name])
    found = examples(corpus, Side(a), Side(b), cell, limit=1000)
    assert found.shown == len(wanted) and [row.place for row in found.rows] == wanted
    of_a, of_b = masks(rows, a), masks(rows, b)
    for row in found.rows:
        assert row.failed_a == failed(a, of_a[row.place]) and row.failed_b == failed(b, of_b[row.place])
        assert (row.source, row.number) == (rows[row.place]["source"], rows[row.place]["number"])
        assert row.characters == rows[row.place]["n_chars"]


def test_documents_that_differ_in_one_rule(corpus: Corpus, folder: Path) -> None:
    a, b = corpus.recipe, load_recipe("zh-ratio")
    of_a, of_b = (masks(table(folder), recipe) for recipe in (a, b))
    bit = a.names.index("traditional")
    wanted = [i for i, (x, y) in enumerate(zip(of_a, of_b, strict=True)) if (x ^ y) >> bit & 1]
    found = examples(corpus, Side(a), Side(b), rule="traditional", limit=500)
    assert [row.place for row in found.rows] == wanted and wanted
    assert examples(corpus, Side(a), Side(b), rule="length").shown == 0


def test_a_rule_of_one_side_differs_wherever_it_fails(corpus: Corpus) -> None:
    fewer = replace(corpus.recipe, rules=corpus.recipe.rules[1:])
    found = examples(corpus, Side(corpus.recipe), Side(fewer), rule="length", limit=500)
    pair = next(p for p in compare(corpus, Side(corpus.recipe), Side(fewer)).rules if p.rule == "length")
    assert found.shown == pair.a == pair.more_a


def test_pages_follow_each_other_without_gap_and_an_offset_beyond_the_end_shows_the_last(corpus: Corpus) -> None:
    a, b = Side(corpus.recipe), moved(corpus, (0, 330.0))
    whole = [row.place for row in examples(corpus, a, b, limit=1000).rows]
    pages = [examples(corpus, a, b, offset=at, limit=70) for at in (0, 70, 140, 210)]
    assert [row.place for page in pages for row in page.rows] == whole
    last = examples(corpus, a, b, offset=10**9, limit=70)
    assert last.offset == 210 and [row.place for row in last.rows] == whole[210:]
    assert examples(corpus, a, b, offset=-5, limit=70).offset == 0


def test_snippets_are_short_and_of_one_line(corpus: Corpus, folder: Path) -> None:
    texts = full_texts(folder)
    for row in examples(corpus, Side(corpus.recipe), Side(corpus.recipe), limit=240).rows:
        assert len(row.snippet) <= SNIPPET and "\n" not in row.snippet
        assert " ".join(texts[row.place].split()).startswith(row.snippet)


@pytest.mark.parametrize(("cell", "rule", "words"), [
    ("most", "", "outcome named 'most'"), ("", "lenght", "length"), ("both'; DROP TABLE docs; --", "", "outcome"),
    ("", "x\" OR true --", "rule named")])
def test_an_unknown_outcome_or_rule_is_refused(corpus: Corpus, cell: str, rule: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        examples(corpus, Side(corpus.recipe), Side(corpus.recipe), cell, rule)
    assert corpus.rows("SELECT count(*) FROM docs") == [(corpus.total,)]


# --- other runs ------------------------------------------------------------------------------------------------------

def test_another_run_over_the_same_texts_counts_as_its_recipe_does(corpus: Corpus,
                                                                   tmp_path: Path) -> None:
    other = filtered(tmp_path, 240, "zh-ratio")
    a, b = Side(corpus.recipe), run_side(other)
    by_run, by_values = compare(corpus, a, b), compare(corpus, a, Side(b.recipe))
    assert by_run.cells == by_values.cells and by_run.rules == by_values.rules and by_run.compared == 240
    assert notes(corpus, b) == () and b.run == other and by_run.hash != by_values.hash
    assert compare(corpus, b, b).cells["only_a"].documents == 0
    assert [row.failed_b for row in examples(corpus, a, b, DIFFER, limit=99).rows] == [
        row.failed_b for row in examples(corpus, a, Side(b.recipe), DIFFER, limit=99).rows]


def test_the_run_itself_as_a_side_has_its_own_verdicts(corpus: Corpus, folder: Path) -> None:
    found = compare(corpus, run_side(folder), Side(corpus.recipe))
    assert found.cells["only_a"].documents == found.cells["only_b"].documents == 0


def test_texts_are_matched_by_id_whatever_their_order(corpus: Corpus, tmp_path: Path) -> None:
    rows = given(240)
    random.Random(3).shuffle(rows)
    other = filtered(tmp_path, records=rows, recipe="zh-ratio")
    a = Side(corpus.recipe)
    shuffled, straight = compare(corpus, a, run_side(other)), compare(corpus, a, Side(load_recipe("zh-ratio")))
    assert shuffled.cells == straight.cells and shuffled.compared == 240


def test_documents_of_one_side_only_are_left_out_and_said_so(corpus: Corpus, tmp_path: Path) -> None:
    other = filtered(tmp_path, records=[*given(240)[:100], {"text": "只在这里。" * 60}])
    found = compare(corpus, Side(corpus.recipe), run_side(other))
    copies = Counter(row["id"] for row in table(corpus.run))
    there = Counter(row["id"] for row in table(other))
    assert found.compared == sum(min(copies[one], count) for one, count in there.items() if one in copies)
    assert 0 < found.compared < found.total == 240
    assert sum(cell.documents for cell in found.cells.values()) == found.compared


def test_the_nth_copy_is_matched_with_the_nth_copy(tmp_path: Path) -> None:
    good, again = "春天的雨下了一整夜，山里的路变得很滑。" * 2, "书店在街角开了三十年，老板记得每一位客人。" * 9
    texts = [again, good, again, again]
    one = filtered(tmp_path / "one", texts=texts, near_duplicates="mark")
    two = filtered(tmp_path / "two", texts=texts, near_duplicates="drop")
    corpus = Corpus.open(one)
    found = compare(corpus, run_side(one), run_side(two))
    assert found.compared == 4
    dropped = [row.place for row in examples(corpus, run_side(one), run_side(two), rule="near_duplicate").rows]
    assert dropped == [place for place, row in enumerate(table(two)) if not row["dup_keep"]] and len(dropped) == 2
    corpus.close()


def test_runs_without_a_common_text_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    other = filtered(tmp_path, texts=["另一篇完全不同的文章。" * 30])
    with pytest.raises(UserError, match="no document in common"):
        compare(corpus, Side(corpus.recipe), run_side(other))


def test_verdicts_of_a_run_that_was_made_anew_are_read_anew(corpus: Corpus, tmp_path: Path) -> None:
    other = filtered(tmp_path, 240, "zh-ratio")
    a = Side(corpus.recipe)
    before = compare(corpus, a, run_side(other))
    path = other / "artifacts" / "attributes.parquet"
    whole = pq.read_table(path)
    index = whole.schema.get_field_index("rule_fail")
    pq.write_table(whole.set_column(index, "rule_fail", pa.array(np.zeros(whole.num_rows, np.uint32))), path)
    after = compare(corpus, a, run_side(other))
    assert after.kept("b") == 240 > before.kept("b")


def test_a_folder_that_is_no_finished_run_is_no_side(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UserError, match="no recipe that can be read"):
        run_side(tmp_path)
    (tmp_path / "artifacts").mkdir()
    shutil.copy(folder / "artifacts" / "recipe.yaml", tmp_path / "artifacts")
    with pytest.raises(UserError, match="no table of documents"):
        run_side(tmp_path)
    (tmp_path / "artifacts" / "recipe.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="no recipe that can be read"):
        run_side(tmp_path)


def test_many_threads_may_match_the_same_run_at_once(folder: Path, tmp_path: Path) -> None:
    corpus, other = Corpus.open(folder), run_side(filtered(tmp_path, 240, "zh-ratio"))
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(compare(corpus, Side(corpus.recipe), other).cells["only_b"].documents)
        except Exception as error:
            found.append(error)
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [found[0]] * 6 and isinstance(found[0], int)
    corpus.close()


# --- what stored values cannot tell ----------------------------------------------------------------------------------

def test_a_value_that_the_corpus_does_not_hold_is_named(corpus: Corpus) -> None:
    with pytest.raises(UserError, match=r"lines_again of zh-fineweb2 reads the value lines_again"):
        compare(corpus, Side(corpus.recipe), Side(load_recipe("zh-fineweb2")))
    unscored = replace(corpus.recipe, rules=(Test("good", "quality.score", "<", 0.5),))
    with pytest.raises(UserError, match=r"quality\.score, which this corpus does not hold"):
        compare(corpus, Side(unscored), Side(corpus.recipe))


def test_a_column_name_is_never_code(corpus: Corpus) -> None:
    bad = replace(corpus.recipe, rules=(Test("x", 'n_chars" > 0 OR true --', ">", 0),))
    with pytest.raises(UserError, match="does not hold"):
        compare(corpus, Side(bad), Side(corpus.recipe))


def test_clusters_that_were_not_looked_for_are_no_value(tmp_path: Path) -> None:
    run = filtered(tmp_path, 40, near_duplicates="off")
    corpus = Corpus.open(run)
    dropping = replace(corpus.recipe, near=replace(corpus.recipe.near, mode="drop"))
    with pytest.raises(UserError, match="dup_keep, which this corpus does not hold"):
        compare(corpus, Side(corpus.recipe), Side(dropping))
    corpus.close()


@pytest.mark.parametrize(("change", "column", "setting"), [
    ({"measure": Measure(last_window=True)}, "dup_ratio", "measure.last_window"),
    ({"measure": Measure(gram=5)}, "dup_ratio", "measure.gram"),
    ({"measure": Measure(words="none")}, "sens_ratio", "measure.words"),
    ({"measure": Measure(script="latin")}, "script_ratio", "measure.script"),
])
def test_settings_under_which_a_value_was_measured_otherwise_are_told(corpus: Corpus, change: Any, column: str,
                                                                      setting: str) -> None:
    other = replace(corpus.recipe, **change)
    found = [(note.column, note.setting, note.was, note.wanted) for note in notes(corpus, Side(other))]
    assert (column, setting, setting_of(corpus.recipe, setting), setting_of(other, setting)) in found
    unread = replace(other, rules=tuple(test for test in other.rules if test.column != column))
    assert column not in [note.column for note in notes(corpus, Side(unread))], "only values that a test reads matter"


def test_what_only_the_name_or_a_limit_changes_is_exact(corpus: Corpus) -> None:
    assert notes(corpus, Side(replace(corpus.recipe, name="x", note="y"))) == ()
    assert notes(corpus, moved(corpus, (0, 1.0))) == ()
    assert differences(load_recipe("zh-paper-code"), load_recipe("zh-ratio")) == ()
    assert [d.column for d in differences(load_recipe("zh-paper-code"), load_recipe("zh-paper-text"))] == ["dup_ratio"]


def test_which_copy_stays_depends_on_the_other_limits(corpus: Corpus) -> None:
    dropping = replace(corpus.recipe, near=replace(corpus.recipe.near, mode="drop"))
    assert differences(dropping, dropping) == ()
    shorter = moved_recipe(dropping, ((0, 20.0),))
    assert [d.setting for d in differences(dropping, shorter)] == ["rules"]
    other = replace(dropping, near=replace(dropping.near, keep="first", similarity=0.9))
    assert {d.setting for d in differences(dropping, other)} == {"near.keep", "near.similarity"}


def test_values_of_scorers_depend_on_the_scorers() -> None:
    recipe = replace(load_recipe("zh-ratio"), rules=(Test("good", "quality.score", "<", 0.5),),
                     scorers=("bundled:mdfg-zh-quality",))
    assert differences(recipe, recipe) == ()
    assert [d.setting for d in differences(recipe, replace(recipe, scorers=("bundled:mdfg-en-quality",)))] == [
        "scorers"]
    given_only = replace(recipe, rules=(Test("good", "given.quality", "<", 0.5),))
    assert differences(recipe, replace(given_only, scorers=())) == ()


@pytest.mark.parametrize("name", presets())
def test_the_columns_of_a_recipe_are_those_that_its_evaluator_measures(name: str) -> None:
    recipe = load_recipe(name)
    measured = set(Evaluator(recipe, WordList(NONE)).measure(["春天的雨下了一整夜。\n\nA b."]).columns)
    assert columns_of(recipe) == measured | {"dup_cluster", "dup_keep", "dup_size"} | set(GIVEN)
    assert not_measured(recipe) == () and set(SETTINGS) - columns_of(recipe) <= set(SETTINGS)


def test_the_columns_of_a_recipe_are_those_of_the_stored_table(corpus: Corpus, folder: Path) -> None:
    stored = {name for name, value in table(folder)[0].items() if isinstance(value, int | float)}
    assert columns_of(corpus.recipe) == stored - {"part", "row", "number", "rule_fail", "first_fail", "kept"}


@pytest.mark.parametrize(("recipe", "rules"), [
    (Recipe("x", "zh", (Test("words", "words", "<", 5),)), ["words"]),
    (Recipe("x", "zh", (Test("good", "quality.score", "<", 0.5),)), ["good"]),
    (Recipe("x", "zh", (Test("good", "quality.score", "<", 0.5),), scorers=("bundled:mdfg-zh-quality",)), []),
    (Recipe("x", "zh", (Test("typo", "n_char", "<", 5),), scorers=("bundled:mdfg-zh-quality",)), ["typo"]),
    (Recipe("x", "zh", (Test("phones", "phones", ">", 0),), measure=Measure(personal=False)), ["phones"]),
    (Recipe("x", "zh", (Test("lines", "short_lines", ">", 0),), measure=Measure(lines=True)), []),
])
def test_tests_whose_value_nobody_measures_are_found(recipe: Recipe, rules: list[str]) -> None:
    assert [test.rule for test in not_measured(recipe)] == rules


# --- replayed --------------------------------------------------------------------------------------------------------

def test_a_saved_recipe_gives_the_same_hash_and_documents_on_the_command_line(
        corpus: Corpus, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    """What the page counts from stored values is what `launch.py run mdfg.filter.v1` does with the saved YAML."""
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    side = moved(corpus, (0, 330.0), (3, 2.0), (4, 0.05))
    side = Side(replace(side.recipe, name="给我看 <b>*"))
    file = tmp_path / "saved.yaml"
    file.write_text(dump_recipe(side.recipe), encoding="utf-8")
    source = next(folder.parent.glob("source.jsonl"))
    command = (f"run mdfg.filter.v1 --set-file recipe={shlex.quote(str(file))} --json "
               f"--set 'sources=[\"path:{source}\"]' --set 'exports=[]'")
    assert cli.main(shlex.split(command)) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    expected = compare(corpus, Side(corpus.recipe), side)
    assert told["result"]["recipe_hash"] == side.recipe.hash == parse_recipe(file.read_text(encoding="utf-8")).hash
    assert told["result"]["kept"] == expected.kept("b") and told["result"]["documents"] == expected.total
    assert {pair.rule: pair.b for pair in expected.rules} == told["result"]["every"]
    exact = compare(corpus, Side(corpus.recipe), run_side(Path(told["path"])))
    assert exact.cells == expected.cells and exact.rules == expected.rules


def test_the_module_needs_no_page_and_no_torch() -> None:
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert "gradio" not in source and "torch" not in source
