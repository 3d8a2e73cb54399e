"""The Compare view: two sides as a note, their limits, outcomes and documents, saved recipes, exact runs, rights."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from backends.mdfg.explore.compare import CELLS, DIFFER, Side, compare, examples
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.judging import moved_recipe
from backends.mdfg.explore.shelf import Shelf
from backends.mdfg.filter_task import recipe_of
from backends.mdfg.recipes import dump_recipe, load_recipe, parse_recipe, presets
from backends.mdfg.requests import FilterRequest
from backends.mdfg.rules.verdicts import Test
from panels import corpus_compare as view
from panels import corpus_compare_draw as draw
from panels import corpus_compare_sides as sides
from panels.corpus_compare_sides import Chosen, Sides
from tests.panels.corpus_runs import TASK, made, put_run
from tests.panels.test_dialogue_scenarios import shell_of
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from workbench import registry, text
from workbench.contract import UserError
from workbench.fields import from_json, to_json
from workbench.runs import Run
from workbench.verbs.values import request_fields
from workbench.widgets import corpus_sides

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("comparing")) as built:
        yield built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("source"), count=160)


@pytest.fixture(scope="module")
def run(page: Page, source: Path) -> Run:
    """Ann's corpus."""
    return put_run(page, source, title="Crawl", fields={"sources": ["path:/data/a b"], "limit": 160})


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def corpus(shelf: Shelf, run: Run) -> Corpus:
    return shelf.get(run.path)


def drawn(page: Page, shelf: Shelf, run_id: str, note: str = "", shown: str = "", lang: str = "en",
          **who: str) -> dict[str, Any]:
    """The drawing by part."""
    found = view.drawing(shell_of(page), shelf, asking(lang=lang, **who), run_id, note, shown)
    names = ("pick_a", "pick_b", "editor_a", "editor_b", "yaml_a", "yaml_b", "result", "list")
    return dict(zip(names, found, strict=True))


def press(page: Page, shelf: Shelf, run_id: str, act: str, key: str = "", value: str = "", note: str = "",
          shown: str = "") -> list[Any]:
    data = {"act": act, "key": key, "value": value}
    return view.pressed(shell_of(page), shelf, asking(), run_id, note, shown, data)


# --- the note --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("state", [
    Sides("r1"), Sides("r1", Chosen("preset:zh-ratio", "", ((0, 1.5), (2, -3.0))), Chosen("run:r2")),
    Sides("r1", Chosen("yaml", "name: \"x\"\n# 中文 </textarea>"), Chosen())])
def test_a_note_is_read_back_as_it_was(state: Sides) -> None:
    assert sides.read(state.note, "r1") == state and sides.read(state.note, "r2") is None


@pytest.mark.parametrize("note", ["", "{", "[]", "null", '{"of": "r2"}', '{"of": ["r1"]}'])
def test_a_note_of_another_corpus_or_of_nothing_is_none(note: str) -> None:
    assert sides.read(note, "r1") is None and sides.read(note, "") is None


@pytest.mark.parametrize("part", [None, [], "x", {"moved": "x"}, {"moved": [[1], [1, 2, 3], ["a", 1], [0, None]]},
                                  {"source": "", "text": None, "moved": [[True, 1]]}])
def test_a_side_that_was_forged_is_the_recipe_of_the_corpus(part: Any) -> None:
    found = sides.read(json.dumps({"of": "r1", "a": part, "b": {"moved": [[1, 2]]}}), "r1")
    assert found == Sides("r1", Chosen(), Chosen(moved=((1, 2.0),)))


def test_at_first_the_recipe_stands_against_a_preset_that_stored_values_answer(corpus: Corpus) -> None:
    first = sides.first("r1", corpus.recipe)
    assert first.a == Chosen() and first.b == Chosen("preset:zh-ratio")
    english = sides.first("r1", load_recipe("en-fineweb"))
    assert english.b == Chosen("own"), "no other English preset"


def test_moved_limits_are_handed_over_as_a_note() -> None:
    note = sides.against("r1", ((0, 300.0),))
    assert sides.read(note, "r1") == Sides("r1", Chosen(), Chosen(moved=((0, 300.0),)))


def test_moving_a_limit_keeps_the_others() -> None:
    chosen = sides.move(sides.move(Chosen(moved=((3, 1.0),)), 0, 5.0), 3, 2.0)
    assert chosen.moved == ((0, 5.0), (3, 2.0))
    assert Sides("r").put("b", chosen).b == chosen and Sides("r").put("a", chosen).of_side("a") == chosen


# --- a side ----------------------------------------------------------------------------------------------------------

def test_sides_come_from_the_corpus_a_preset_a_run_or_yaml(page: Page, corpus: Corpus, run: Run, source: Path) -> None:
    shell, other = shell_of(page), put_run(page, source)
    assert sides.base(shell, ANN, corpus, Chosen()) == Side(corpus.recipe)
    assert sides.base(shell, ANN, corpus, Chosen("preset:zh-ratio")).recipe.hash == load_recipe("zh-ratio").hash
    assert sides.base(shell, ANN, corpus, Chosen(f"run:{other.id}")).run == other.path
    typed = sides.base(shell, ANN, corpus, Chosen("yaml", dump_recipe(load_recipe("zh-strict-char"))))
    assert typed.recipe == load_recipe("zh-strict-char") and typed.run is None


def test_a_side_scores_what_the_corpus_scores(page: Page, corpus: Corpus) -> None:
    scored = SimpleNamespace(recipe=corpus.recipe.with_scorers(("bundled:mdfg-zh-quality",)))
    for chosen in (Chosen("preset:zh-ratio"), Chosen("yaml", dump_recipe(load_recipe("zh-ratio")))):
        found = sides.base(shell_of(page), ANN, scored, chosen)  # type: ignore[arg-type]
        assert found.recipe.scorers == ("bundled:mdfg-zh-quality",)


@pytest.mark.parametrize(("chosen", "words"), [
    (Chosen("preset:zh-rati"), "no recipe named"), (Chosen("nonsense"), "no recipe named"),
    (Chosen("run:20260101T000000-abcdef"), "no run"), (Chosen("yaml", "a: ["), "not valid YAML"),
    (Chosen("yaml"), "not a table"),
])
def test_a_side_that_is_not_there_is_refused(page: Page, corpus: Corpus, chosen: Chosen, words: str) -> None:
    with pytest.raises(UserError, match=words):
        sides.base(shell_of(page), ANN, corpus, chosen)


def test_runs_of_others_and_unfinished_ones_are_no_sides(page: Page, corpus: Corpus, source: Path) -> None:
    hidden, going = put_run(page, source, owner=BOB), put_run(page, status="running")
    scorer = put_run(page, task="mdfg.train_scorer.v1")
    shell = shell_of(page)
    for run_id, words in ((hidden.id, "no run"), (going.id, "has succeeded"), (scorer.id, "not a filtering run")):
        with pytest.raises(UserError, match=words):
            sides.base(shell, ANN, corpus, Chosen(f"run:{run_id}"))
    offered = {value for _, value in sides.choices(shell, ANN, "en", "r", corpus.recipe)}
    assert not {f"run:{one.id}" for one in (hidden, going, scorer)} & offered


def test_moving_a_limit_of_a_run_decides_over_the_corpus(corpus: Corpus, run: Run) -> None:
    own = Side(corpus.recipe, run.path)
    same = corpus.recipe.tests[0].limit
    assert sides.side(corpus, own, ()) is own and sides.side(corpus, own, ((0, same),)) is own
    moved = sides.side(corpus, own, ((0, 300.0),))
    assert moved.run is None and moved.recipe.tests[0].limit == 300 and moved.recipe.name == "zh-paper-code *"
    assert sides.side(corpus, moved, ((1, 5.0),)).recipe.name == "zh-paper-code *"
    with pytest.raises(UserError, match="no test 77"):
        sides.side(corpus, own, ((77, 1.0),))


def test_what_is_offered_begins_with_the_corpus_and_ends_with_yaml(page: Page, run: Run, source: Path) -> None:
    other = put_run(page, source, title="Other")
    found = sides.choices(shell_of(page), ANN, "zh-CN", run.id, load_recipe("zh-ratio"))
    assert found[0] == ("本语料的配方：zh-ratio", "own") and found[-1][1] == "yaml"
    values = [value for _, value in found]
    assert values[1:1 + len(presets())] == [f"preset:{name}" for name in presets()]
    assert f"run:{other.id}" in values and f"run:{run.id}" not in values


@pytest.mark.parametrize(("name", "file"), [("zh-ratio", "zh-ratio"), ("给我 ../../x <b>", "x-b"), ("***", "recipe"),
                                            ("a" * 99, "a" * 60)])
def test_files_have_plain_names(name: str, file: str) -> None:
    recipe = replace(load_recipe("zh-ratio"), name=name)
    assert sides.file_name(recipe) == f"{file}-{recipe.hash[:8]}.yaml"


# --- drawings --------------------------------------------------------------------------------------------------------

def test_without_a_corpus_there_is_a_hint_and_nothing_else(page: Page, shelf: Shelf) -> None:
    found = drawn(page, shelf, "")
    assert "No corpus is chosen" in found["result"] and found["pick_a"]["choices"] == [] and not found["list"]


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_the_first_drawing_has_everything_in_both_languages(page: Page, shelf: Shelf, run: Run, corpus: Corpus,
                                                            lang: str) -> None:
    found = drawn(page, shelf, run.id, lang=lang)
    a, b = Side(corpus.recipe), Side(load_recipe("zh-ratio"))
    counts = compare(corpus, a, b)
    assert found["pick_a"]["value"] == "own" and found["pick_b"]["value"] == "preset:zh-ratio"
    for name in CELLS:
        assert f"<b>{counts.cells[name].documents}</b>" in found["result"]
    assert counts.hash in found["result"] and counts.hash in found["list"]
    assert found["list"].count('data-act="open"') == examples(corpus, a, b, DIFFER).shown > 0
    assert parse_recipe(found["yaml_b"]).hash == b.recipe.hash and corpus.recipe.hash in found["editor_a"]
    whole = "".join(value for value in found.values() if isinstance(value, str))
    assert not re.findall(r">[^<]*corpus_(?:compare|filter)\.", whole), "a text is missing"


def test_pressing_an_outcome_or_a_rule_lists_its_documents(page: Page, shelf: Shelf, run: Run, corpus: Corpus) -> None:
    a, b = Side(corpus.recipe), Side(load_recipe("zh-ratio"))
    _, shown = press(page, shelf, run.id, "cell", "neither")
    found = drawn(page, shelf, run.id, shown=shown)
    told = re.search(r'status">(\d+) of 160 documents · dropped by both', found["list"])
    assert examples(corpus, a, b, "neither").shown == int(told[1])
    assert 'data-focus="cell.neither" aria-pressed="true"' in found["result"]
    _, shown = press(page, shelf, run.id, "rule", "traditional", shown=shown)
    assert json.loads(shown) == {"cell": "neither", "rule": "traditional", "offset": 0}
    both = drawn(page, shelf, run.id, shown=shown)["list"]
    assert examples(corpus, a, b, "neither", "traditional").shown == both.count('data-act="open"')
    _, shown = press(page, shelf, run.id, "cell", "", shown=shown)
    html = drawn(page, shelf, run.id, shown=shown)["list"]
    assert json.loads(shown)["cell"] == "" and "differ in traditional" in html


def test_documents_come_fifty_a_page(page: Page, shelf: Shelf, run: Run, corpus: Corpus) -> None:
    shown = json.dumps({"cell": "both", "rule": "", "offset": 50})
    html = drawn(page, shelf, run.id, shown=shown)["list"]
    total = compare(corpus, Side(corpus.recipe), Side(load_recipe("zh-ratio"))).cells["both"].documents
    assert html.count('data-act="open"') == 50 and f"51 – 100 of {total}" in html
    _, after = press(page, shelf, run.id, "page", "100", shown=shown)
    assert json.loads(after) == {"cell": "both", "rule": "", "offset": 100}


def test_what_a_drawing_sends_is_under_200_kb(page: Page, shelf: Shelf, run: Run) -> None:
    found = drawn(page, shelf, run.id, shown=json.dumps({"cell": "both"}))
    assert sum(len(value.encode()) for value in found.values() if isinstance(value, str)) < 100_000


def test_a_moved_limit_is_marked_and_counted_at_once(page: Page, shelf: Shelf, run: Run, corpus: Corpus) -> None:
    note, _ = press(page, shelf, run.id, "limit", "b.0", "330")
    assert sides.read(note, run.id) == Sides(run.id, Chosen(), Chosen("preset:zh-ratio", "", ((0, 330.0),)))
    found = drawn(page, shelf, run.id, note)
    moved = moved_recipe(load_recipe("zh-ratio"), ((0, 330.0),))
    expected = compare(corpus, Side(corpus.recipe), Side(moved))
    assert f"<b>{expected.cells['only_a'].documents}</b>" in found["result"]
    assert "cc-moved" in found["editor_b"] and "was 200" in found["editor_b"] and "cc-moved" not in found["editor_a"]
    assert moved.hash in found["editor_b"] and 'data-act="reset"' in found["editor_b"]
    back, _ = press(page, shelf, run.id, "reset", "b", note=note)
    assert sides.read(back, run.id) == sides.first(run.id, corpus.recipe)


@pytest.mark.parametrize("value", ["", "x", "nan", "inf", "1e999", "٣x"])
def test_a_limit_that_is_no_number_is_refused(page: Page, shelf: Shelf, run: Run, value: str) -> None:
    with pytest.raises(UserError, match="must be a finite number"):
        press(page, shelf, run.id, "limit", "b.0", value)


@pytest.mark.parametrize(("act", "key"), [("open", "5"), ("", ""), ("drop", "a"), ("sort", "x")])
def test_other_presses_change_nothing(page: Page, shelf: Shelf, run: Run, act: str, key: str) -> None:
    assert all(isinstance(part, dict) for part in press(page, shelf, run.id, act, key))


@pytest.mark.parametrize("shown", ["", "{", "[]", '{"cell": "all", "rule": 5, "offset": "x"}', '{"offset": -9}',
                                   '{"rule": "no such rule"}', '{"cell": "both", "offset": 1e18}'])
def test_a_forged_choice_of_documents_is_harmless(page: Page, shelf: Shelf, run: Run, shown: str) -> None:
    assert drawn(page, shelf, run.id, shown=shown)["list"]


def test_a_forged_index_of_a_limit_is_told_on_its_side(page: Page, shelf: Shelf, run: Run) -> None:
    note, _ = press(page, shelf, run.id, "limit", "b.99", "5")
    found = drawn(page, shelf, run.id, note)
    assert "no test 99" in found["editor_b"] and "cc-limits" in found["editor_a"] and not found["result"]
    negative, _ = press(page, shelf, run.id, "limit", "b.x", "5")
    assert "no test -1" in drawn(page, shelf, run.id, negative)["editor_b"]


def test_values_that_the_corpus_does_not_hold_are_told_in_place_of_the_outcomes(page: Page, shelf: Shelf,
                                                                                run: Run) -> None:
    note = Sides(run.id, Chosen(), Chosen("preset:zh-fineweb2")).note
    found = drawn(page, shelf, run.id, note)
    assert "which this corpus does not hold" in found["result"] and "Filter the same texts" in found["result"]
    assert "cc-limits" in found["editor_b"] and not found["list"]
    assert "cf-warning" not in found["editor_b"], "one sentence says it for all of them"


def test_values_that_were_measured_otherwise_are_warned_of(page: Page, shelf: Shelf, run: Run) -> None:
    found = drawn(page, shelf, run.id, Sides(run.id, Chosen(), Chosen("preset:zh-paper-text")).note)
    assert "measured with measure.last_window = no; this recipe wants yes" in found["editor_b"]
    assert "cf-warning" not in found["editor_a"] and "cc-cells" in found["result"]


def test_a_run_as_a_side_says_so(page: Page, shelf: Shelf, run: Run, source: Path) -> None:
    other = put_run(page, source)
    found = drawn(page, shelf, run.id, Sides(run.id, Chosen(), Chosen(f"run:{other.id}")).note)
    assert "verdicts of that run itself" in found["editor_b"] and "160 documents compared" in found["result"]
    moved = drawn(page, shelf, run.id, Sides(run.id, Chosen(), Chosen(f"run:{other.id}", "", ((0, 9.0),))).note)
    assert "verdicts of that run itself" not in moved["editor_b"] and "cc-moved" in moved["editor_b"]


def test_two_equal_sides_have_no_document_to_show(page: Page, shelf: Shelf, run: Run) -> None:
    found = drawn(page, shelf, run.id, Sides(run.id).note)
    assert "No document is like that" in found["list"]
    assert 'data-act="rule"' in found["result"] and "disabled" in found["result"]


def test_a_corpus_of_somebody_else_is_not_drawn(page: Page, shelf: Shelf, run: Run) -> None:
    found = drawn(page, shelf, run.id, cookie=OTHER)
    assert "There is no run" in found["result"] and not found["list"] and not found["editor_a"]
    with pytest.raises(UserError, match="There is no run"):
        view.held(shell_of(page), shelf, asking(OTHER), run.id, "")


def test_documents_and_names_are_escaped(page: Page, shelf: Shelf, tmp_path: Path) -> None:
    recipe = replace(load_recipe("zh-paper-code"), name=SCRIPT, rules=(Test(SCRIPT, "n_chars", "<", 60),))
    rows = [f"{SCRIPT}\n{'书店在街角开了三十年。' * 20}", "\"><img src=x onerror=alert(1)>", "短"]
    run = put_run(page, made(tmp_path, texts=rows, recipe=dump_recipe(recipe)), title=SCRIPT)
    shown = json.dumps({"cell": "neither"})
    note = Sides(run.id, Chosen(), Chosen(moved=((0, 99.0),))).note
    html = drawn(page, shelf, run.id, note, shown)
    assert "<script" not in html["editor_a"] + html["result"] + html["list"] and "<img" not in html["list"]


# --- saved and run ---------------------------------------------------------------------------------------------------

def test_the_saved_yaml_and_command_make_the_same_recipe_again(page: Page, shelf: Shelf, run: Run,
                                                               tmp_path: Path) -> None:
    note, _ = press(page, shelf, run.id, "limit", "b.3", "0.5")
    html = drawn(page, shelf, run.id, note)["editor_b"]
    data = re.search(r'download="([^"]+)" href="data:text/yaml;charset=utf-8;base64,([^"]+)"', html)
    (tmp_path / data[1]).write_bytes(base64.b64decode(data[2]))
    command = shlex.split(re.search(r'data-wb-copy="([^"]+)"', html)[1].replace("&#x27;", "'").replace("&quot;", '"'))
    assert command[:4] == ["python3", "launch.py", "run", TASK]
    given = {flag: [command[i + 1] for i, part in enumerate(command) if part == flag]
             for flag in ("--set", "--set-file")}
    files = [f"recipe={tmp_path / given['--set-file'][0].removeprefix('recipe=')}"]
    fields = request_fields(registry.task(TASK), given["--set"], files, False)
    request = from_json(FilterRequest, fields)
    assert recipe_of(request).hash in html and recipe_of(request).tests[3].limit == 0.5
    assert request.sources == ("path:/data/a b",) and request.limit == 160 and data[1].endswith(".yaml")


def test_a_run_of_a_side_filters_the_same_texts_by_its_recipe(page: Page, shelf: Shelf, run: Run) -> None:
    page.made.clear()
    note, _ = press(page, shelf, run.id, "limit", "b.0", "330")
    waiting = page.call("corpus_compare", "begin", run.id, note, asking(), number=1)
    task, fields, more = page.made[-1]
    assert task == TASK and more["parents"] == (run.id,) and more["title"] == "zh-ratio * on Crawl"
    request = from_json(FilterRequest, fields)
    assert recipe_of(request) == sides.side(shelf.get(run.path), Side(load_recipe("zh-ratio")), ((0, 330.0),)).recipe
    assert request.sources == ("path:/data/a b",) and request.limit == 160
    assert json.loads(waiting) == {"of": run.id, "side": "b", "run": "r-new"}


def test_near_duplicates_and_scorers_of_the_corpus_stay_in_the_recipe_of_a_run() -> None:
    recipe = replace(load_recipe("zh-ratio").with_scorers(("bundled:mdfg-zh-quality",)),
                     near=replace(load_recipe("zh-ratio").near, mode="drop"))
    fields = {**to_json(FilterRequest(near_duplicates="off", scorers=("bundled:mdfg-en-quality",)))}
    request = from_json(FilterRequest, draw.fields_for(fields, dump_recipe(recipe)))
    assert recipe_of(request) == recipe


def test_a_preset_whose_values_are_missing_can_be_run(page: Page, run: Run) -> None:
    page.made.clear()
    note = Sides(run.id, Chosen(), Chosen("preset:zh-fineweb2")).note
    page.call("corpus_compare", "begin", run.id, note, asking(), number=1)
    assert recipe_of(from_json(FilterRequest, page.made[-1][1])).hash == load_recipe("zh-fineweb2").hash
    with pytest.raises(gr.Error, match="no recipe named"):
        page.call("corpus_compare", "begin", run.id, Sides(run.id, Chosen(), Chosen("preset:x")).note, asking(),
                  number=1)


def test_a_side_waits_for_its_run_and_becomes_it(page: Page, shelf: Shelf, run: Run, source: Path) -> None:
    going = put_run(page, status="running", message="80 documents", finished=None)
    waiting = json.dumps({"of": run.id, "side": "b", "run": going.id})
    shell = shell_of(page)
    html, still, note = view.waited(shell, shelf, asking(), waiting, run.id, "")
    assert "80 documents" in html and isinstance(still, dict) and isinstance(note, dict)
    done = put_run(page, source)
    waiting = json.dumps({"of": run.id, "side": "b", "run": done.id})
    assert view.waited(shell, shelf, asking(), waiting, run.id, "")[:2] == ["", ""]
    assert sides.read(view.waited(shell, shelf, asking(), waiting, run.id, "")[2], run.id).b == Chosen(f"run:{done.id}")
    assert view.waited(shell, shelf, asking(), waiting, "another", "")[:2] == ["", ""]
    assert all(isinstance(part, dict) for part in view.waited(shell, shelf, asking(), "", run.id, ""))


def test_a_run_that_failed_says_why(page: Page, shelf: Shelf, run: Run) -> None:
    failed = put_run(page, status="failed", failure={"cause": f"{SCRIPT} broke.", "advice": "Try."})
    waiting = json.dumps({"of": run.id, "side": "a", "run": failed.id})
    html, after, _ = view.waited(shell_of(page), shelf, asking(), waiting, run.id, "")
    assert "broke." in html and "<script" not in html and after == ""


# --- the wired view --------------------------------------------------------------------------------------------------

def test_choosing_a_source_forgets_moved_limits_and_keeps_typed_yaml(page: Page, run: Run) -> None:
    note = Sides(run.id, Chosen(), Chosen("yaml", "text", ((0, 1.0),))).note
    found = page.call("corpus_compare", "choose", "preset:zh-strict-char", run.id, note, asking(), number=1)
    assert sides.read(found, run.id).b == Chosen("preset:zh-strict-char", "text")
    assert sides.read(page.call("corpus_compare", "choose", None, run.id, note, asking()), run.id).a == Chosen()


def test_typed_yaml_is_checked_before_it_is_used(page: Page, run: Run) -> None:
    yaml = dump_recipe(load_recipe("zh-strict-char"))
    found = page.call("corpus_compare", "use", yaml, run.id, "", asking())
    assert sides.read(found, run.id).a == Chosen("yaml", yaml)
    with pytest.raises(gr.Error, match="not valid YAML"):
        page.call("corpus_compare", "use", "a: [", run.id, "", asking())


def test_a_press_on_a_document_asks_for_its_place(page: Page, run: Run) -> None:
    def event(**data: str) -> SimpleNamespace:
        return SimpleNamespace(_data=data)
    assert page.call("corpus_compare", "open_one", event(act="open", key="17")) == "17"
    for data in ({"act": "page", "key": "50"}, {"act": "open", "key": "1; x"}, {"act": "open"}):
        assert isinstance(page.call("corpus_compare", "open_one", event(**data)), dict)


def test_wired_drawings_have_a_value_for_every_output(page: Page, run: Run) -> None:
    assert len(page.call("corpus_compare", "redraw", run.id, "", "", asking())) == 8
    assert len(page.call("corpus_compare", "relist", run.id, "", '{"cell": "both"}', asking())) == 2
    event = SimpleNamespace(_data={"act": "cell", "key": "both", "value": ""})
    assert json.loads(page.call("corpus_compare", "press", run.id, "", "", asking(), event)[1])["cell"] == "both"
    assert len(page.call("corpus_compare", "follow", "", run.id, "", asking())) == 3


def test_every_handler_is_private_and_presses_are_queued(page: Page) -> None:
    blocks = list(page.handlers("panels.corpus_compare"))
    assert len(blocks) >= 12 and {block.api_visibility for block in blocks} == {"private"}
    for block in blocks:
        events = {event for _, event in block.targets}
        if hasattr(block.fn, "__wrapped__") and events & {"click", "select", "input"}:
            assert block.queue, block.fn.__name__


def test_every_text_of_the_outcomes_is_there_in_both_languages() -> None:
    keys = [f"corpus_compare.cell.{name}" for name in (*CELLS, DIFFER)]
    keys += [f"corpus_compare.rules.{name}{end}" for name in ("rule", "a", "b", "more_a", "more_b", "blamed_a",
                                                              "blamed_b") for end in ("", ".help")]
    assert [key for key in keys for lang in text.LANGUAGES if key not in text.catalogue(lang)] == []


def test_a_note_about_other_rules_is_a_sentence_of_its_own() -> None:
    words = corpus_sides.warning(["dup_keep"], "rules", (), (), "en")
    assert "cluster of near-duplicates" in words and "setting" not in words
    assert "= –;" in corpus_sides.warning(["sens_ratio"], "measure.words", "", "none", "en")
    many = corpus_sides.warning([f"c{n}" for n in (1, 1, 2, 3, 4, 5)], "measure.words", "a", "b", "en")
    assert "c1, c2, c3 +2" in many


def test_a_part_of_the_documents_is_said_to_be_one() -> None:
    cells = [corpus_sides.Outcome(name, 10, 100, None, None) for name in CELLS]
    html = corpus_sides.outcomes(cells, "", 40, 100, "abcd", "en")
    assert "40 of 100 documents are in both" in html and "comparison abcd" in html and "A keeps 20" in html
    assert "(50.0 %)" in html and corpus_sides.outcomes(
        [replace(cell, documents=0) for cell in cells], "", 0, 0, "x", "en")


def test_limits_are_fields_that_name_themselves() -> None:
    tests = load_recipe("zh-ratio").tests
    of = corpus_sides.Editor("a", tests, tests, "h", "y", "f.yaml", "c")
    html = corpus_sides.editor(of, "en")
    assert html.count("<input") == len(tests) and 'value="0.02"' in html
    assert 'aria-label="A: length, characters ≤"' in html
    assert "every document is kept" in corpus_sides.editor(replace(of, tests=(), own=()), "en")
