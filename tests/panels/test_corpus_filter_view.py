"""The Filter view: what the form offers and asks for, its recipe checked at once, looks at runs, files, rights."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import gradio as gr
import pyarrow.parquet as parquet
import pytest

from backends.mdfg.filter_task import UPLOAD, recipe_of
from backends.mdfg.filter_task import run as filter_run
from backends.mdfg.recipes import dump_recipe, load_recipe, presets
from backends.mdfg.requests import ExportName, FilterRequest
from backends.mdfg.rules.verdicts import Test
from panels import corpus_filter as view
from panels import corpus_filter_form as forms
from panels import corpus_filter_recipe as recipes
from panels import corpus_filter_work as work
from tests.panels.corpus_runs import made, put_run
from tests.panels.test_dialogue_scenarios import shell_of
from tests.panels.test_dialogue_wiring import ANN, BOB, Page, asking, noting
from workbench import text
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.widgets import corpus_recipe, corpus_work

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("filter")) as built:
        yield built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with problems and exports."""
    folder = tmp_path_factory.mktemp("source")
    rows: list[Any] = [{"text": "春天的雨下了一整夜，山里的路变得很滑。" * 20, "n": n} for n in range(30)]
    return made(folder, records=[*rows, {"title": SCRIPT}, {"text": 5}], exports=("jsonl", "ledger", "parquet"))


def values(page: Page, **changed: Any) -> dict[str, Any]:
    """The form's values as the page opens, some changed."""
    block = page.find("corpus_filter", "begin")
    names = forms.NAMES
    found = dict(zip(names, [component.value for component in block.inputs], strict=True))
    return {**found, **changed}


def asked(page: Page, lang: str = "en", **changed: Any) -> tuple[str, dict[str, Any], dict]:
    """What pressing the button makes of these values."""
    page.made.clear()
    given = values(page, **changed)
    page.find("corpus_filter", "begin").fn(asking(lang=lang), *[given[name] for name in forms.NAMES])
    return page.made[-1]


# --- the form --------------------------------------------------------------------------------------------------------

def test_every_field_of_the_request_is_on_the_form() -> None:
    assert sorted(forms.NAMES) == sorted(forms.SPECS)


def test_the_form_as_it_opens_asks_for_the_sample_by_the_papers_rules(page: Page) -> None:
    task, fields, more = asked(page)
    request = from_json(FilterRequest, fields)
    assert task == view.TASK and more["visitor"] == ANN and more["title"] == "Sample · zh-paper-code"
    assert request.sources == ("sample",) and request.recipe == "zh-paper-code"
    assert request.scorers == forms.CHINESE == tuple(sorted(forms.CHINESE))
    assert replace(request, scorers=()) == FilterRequest()


def test_the_example_is_the_sample_with_the_bundled_scorers(page: Page) -> None:
    page.made.clear()
    page.find("corpus_filter", "begin_example").fn(asking(lang="zh-CN"))
    _, fields, more = page.made[-1]
    assert from_json(FilterRequest, fields).scorers == forms.CHINESE and more["title"] == "示例 · zh-paper-code"
    assert (forms.BUNDLED / "mdfg-zh-quality").is_dir()


@pytest.mark.parametrize(("typed", "expected"), [
    ("sample", "sample"), ("/data/crawl", "path:/data/crawl"), (" ~/x.jsonl ", "path:~/x.jsonl"),
    ("datasets/CASIA-LM/ChineseWebText2.0", "hub:datasets/CASIA-LM/ChineseWebText2.0"),
    ("20261122T133020-54df97", "run:20261122T133020-54df97/documents"), ("run:x/kept.jsonl", "run:x/kept.jsonl"),
    ("a" * 64, "a" * 64), ("path:/a b", "path:/a b"),
])
def test_what_is_typed_as_a_source_becomes_a_reference(typed: str, expected: str) -> None:
    assert forms.reference(typed) == expected


@pytest.mark.parametrize(("changed", "wrong"), [
    ({"sources": []}, "No texts are chosen"), ({"sources": None}, "No texts"),
    ({"sources": ["  "]}, "No texts are chosen. Choose"),
    ({"recipe": "rules: ["}, "not valid YAML"), ({"recipe": "name: x\nlanguage: zh"}, "needs the field rules"),
    ({"recipe": "zh-papercode"}, "no recipe named"),
])
def test_a_form_that_cannot_be_sent_says_why(page: Page, changed: dict[str, Any], wrong: str) -> None:
    with pytest.raises(gr.Error, match=wrong):
        asked(page, **changed)
    assert not page.made


def test_numbers_and_lists_keep_their_types_and_an_emptied_number_its_default(page: Page) -> None:
    _, fields, _ = asked(page, limit=50.0, workers=2.0, shard_mb=None, exports=["csv"], engine="local",
                         near_duplicates="drop", text_field="body")
    request = from_json(FilterRequest, fields)
    assert (request.limit, request.workers, request.exports, request.near_duplicates) == (50, 2, ("csv",), "drop")
    assert isinstance(fields["limit"], int) and "shard_mb" not in fields and request.text_field == "body"


@pytest.mark.parametrize("name", presets())
def test_the_text_of_a_preset_is_sent_by_its_name_and_a_changed_one_as_it_is(page: Page, name: str) -> None:
    whole = forms.preset_text(name)
    assert load_recipe(whole).hash == load_recipe(name).hash
    assert asked(page, recipe=f"\n{whole}\n")[1]["recipe"] == name
    changed = whole.replace("limit: 0.3", "limit: 0.35")
    assert asked(page, recipe=changed)[1]["recipe"] == (changed if changed != whole else name)


def test_choosing_a_preset_fills_its_text_and_the_scorers_of_its_language(page: Page) -> None:
    recipe, scorers = page.call("corpus_filter", "fill", "en-fineweb")
    assert "language: en" in recipe and scorers == ["bundled:mdfg-en-quality", "bundled:mdfg-en-toxicity"]
    recipe, scorers = page.call("corpus_filter", "fill", "../../secrets")
    assert isinstance(recipe, dict) and scorers == [] and forms.preset_text("../../secrets") == ""


def test_titles_name_texts_and_recipe(page: Page) -> None:
    several = ["path:/data/a/part-1.parquet", f"{'c' * 64}/新闻.jsonl", "sample"]
    assert asked(page, sources=several)[2]["title"] == "part-1.parquet, 新闻.jsonl +1 · zh-paper-code"
    assert len(asked(page, sources=["path:/" + "x" * 500])[2]["title"]) <= 120


def test_every_text_of_the_form_is_there_in_both_languages() -> None:
    keys = [f"corpus_filter.preset.{name}" for name in presets()] + [f"corpus_filter.note.{n}" for n in presets()]
    keys += [f"corpus_filter.export.{name}" for name in get_args(ExportName)]
    keys += [f"corpus_filter.knob.{name}{end}" for name in forms.MORE for end in ("", ".help")]
    keys += [f"corpus_filter.do.{name}" for name in work.CONTROLS]
    keys += [f"corpus_filter.set.{name}" for name in recipes.ASKED]
    keys += [f"corpus_filter.scorer.{folder.name}" for folder in forms.bundled()]
    keys += [f"corpus_filter.knob.{name}.{choice}" for name in ("near_duplicates", "engine")
             for choice in get_args(forms.SPECS[name].kind)]
    keys += [f"corpus_filter.is.{status}" for status in ("queued", "running", "paused", "succeeded", "failed",
                                                         "cancelled", "lost")]
    assert [key for key in keys for lang in text.LANGUAGES if key not in text.catalogue(lang)] == []


# --- what is offered -------------------------------------------------------------------------------------------------

def test_texts_of_finished_runs_are_offered_to_their_owner(page: Page, source: Path) -> None:
    mine, bobs = put_run(page, source, title="Crawl"), put_run(page, source, owner=BOB)
    going = put_run(page, status="running")
    found = {reference: name for name, reference in forms.sources(shell_of(page), ANN, "en", "{}")}
    assert next(iter(found)) == "sample"
    assert found[f"run:{mine.id}/kept.parquet"] == "Kept by: Crawl"
    assert found[f"run:{mine.id}/documents"] == "All texts of: Crawl"
    assert not [name for name in found if bobs.id in name or going.id in name]


def test_bundled_scorers_and_those_of_ones_own_runs_are_offered(page: Page) -> None:
    run = put_run(page, task="mdfg.train_scorer.v1", title="My quality")
    none = put_run(page, task="mdfg.train_scorer.v1")
    (run.path / "artifacts" / "scorer").mkdir(parents=True)
    found = {reference: name for name, reference in forms.scorers(shell_of(page), ANN, "zh-CN")}
    assert set(forms.CHINESE) <= set(found) and found["bundled:mdfg-zh-quality"] == "质量 · 中文"
    assert found[f"run:{run.id}/scorer"] == f"My quality · {run.id}" and f"run:{none.id}/scorer" not in found
    assert not {f"run:{run.id}/scorer"} & {ref for _, ref in forms.scorers(shell_of(page), BOB, "en")}


def test_the_lists_are_filled_when_the_view_is_opened(page: Page) -> None:
    sources, scorers = page.call("corpus_filter", "offer", json.dumps({"a" * 64: "x.csv"}), asking())
    assert ("x.csv", "a" * 64) in sources["choices"] and "value" not in sources
    assert {reference for _, reference in scorers["choices"]} >= set(forms.CHINESE)


# --- files that are taken in -----------------------------------------------------------------------------------------

def test_a_file_is_kept_by_its_checksum_and_chosen_in_place_of_the_sample(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "新闻 <1>.jsonl"
    path.write_bytes(b'{"text": "x"}\n' * 100_000)
    brought, update = page.call("corpus_filter", "take", str(path), "{}", ["sample"], asking())
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    kept = page.service.settings.home / "uploads" / f"{sha}.txt"
    reference = f"{sha}/{path.name}"
    assert json.loads(brought) == {reference: path.name} and update["value"] == [reference]
    assert kept.read_bytes() == path.read_bytes() and not list(kept.parent.glob(".*"))
    again, update = page.call("corpus_filter", "take", str(path), brought, [reference, "run:x"], asking())
    assert update["value"] == ["run:x", reference] and json.loads(again) == json.loads(brought)
    assert (path.name, reference) in update["choices"]
    assert UPLOAD.fullmatch(reference) and forms.reference(reference) == reference


@pytest.mark.parametrize("name", ["a\\b\n.jsonl", "x" * 300 + ".jsonl", "..", "../.."])
def test_whatever_a_file_is_called_its_reference_is_one(page: Page, tmp_path: Path, name: str) -> None:
    path = SimpleNamespace(name=name, open=lambda mode: BytesIO(b"text"))
    (page.service.settings.home / "uploads").mkdir(exist_ok=True)
    (page.service.settings.home / "uploads" / f"{hashlib.sha256(b'text').hexdigest()}.txt").write_bytes(b"text")
    reference, called = forms.take_in(shell_of(page), path)  # type: ignore[arg-type]
    assert UPLOAD.fullmatch(reference) and "/" not in called and len(called) <= 200


def test_a_file_that_was_taken_in_keeps_its_name_in_the_run(tmp_path: Path) -> None:
    data = b'{"text": "\xe6\x98\xa5"}\nnot json\n'
    sha = hashlib.sha256(data).hexdigest()
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / f"{sha}.txt").write_bytes(data)
    for given, source in ((sha, f"{sha}.txt"), (f"{sha}/新闻 1.jsonl", "新闻 1.jsonl")):
        context = MemoryContext(tmp_path / "runs" / source[:4])
        result = filter_run(FilterRequest(sources=(given,), exports=()), context)
        problem = json.loads((context.run / "artifacts" / "problems.jsonl").read_text())
        assert (result.documents, result.problems) == (1, 1) and problem["where"] == f"{source}, line 2"
    with pytest.raises(UserError, match=r"The file gone\.csv that was taken in is no longer here"):
        filter_run(FilterRequest(sources=(f"{'e' * 64}/gone.csv",)), MemoryContext(tmp_path / "runs" / "x"))


def test_an_empty_file_is_refused(page: Page, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"")
    with pytest.raises(UserError, match=r"empty\.jsonl is empty"):
        forms.take_in(shell_of(page), tmp_path / "empty.jsonl")


@pytest.mark.parametrize("note", ["", "{", "[]", "null", '{"a": 1}'])
def test_a_note_that_is_none_holds_no_files(note: str) -> None:
    assert forms.taken(note) == ({"a": "1"} if "1" in note else {})


# --- rights ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("part", ["words", "scorers"])
def test_a_recipe_may_not_name_the_run_of_somebody_else(page: Page, source: Path, part: str) -> None:
    bobs = put_run(page, source, owner=BOB)
    recipe = load_recipe("zh-paper-code")
    named = f"run:{bobs.id}/scorer"
    mine = replace(recipe, scorers=(named,)) if part == "scorers" else replace(
        recipe, measure=replace(recipe.measure, words=named))
    page.made.clear()
    with pytest.raises(gr.Error, match="There is no run"):
        asked(page, recipe=dump_recipe(mine))
    assert not page.made
    forms.readable(shell_of(page), BOB, dump_recipe(mine))


# --- the sheet of the recipe -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", presets())
@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_every_preset_has_a_sheet_without_a_warning(name: str, lang: str) -> None:
    html = recipes.shown(name, [], "recipe", lang)
    recipe = load_recipe(name)
    assert recipe.hash in html and "cf-warning" not in html and "cf-wrong" not in html
    assert html.count("<tr>") == len(recipe.names) + 1
    assert not re.findall(r"corpus(?:_filter)?\.[a-z_.]+", html), "a text is missing"


def test_the_sheet_follows_what_the_form_adds(page: Page) -> None:
    plain = recipes.shown("zh-paper-code", [], "recipe", "en")
    scored = recipes.shown("zh-paper-code", ["bundled:mdfg-zh-quality"], "recipe", "en")
    dropping = recipes.shown("zh-paper-code", [], "drop", "en")
    assert load_recipe("zh-paper-code").hash in plain and load_recipe("zh-paper-code").hash not in scored
    assert "mdfg-zh-quality" in scored and "near-duplicate" in dropping and "dup_keep" in dropping
    request = FilterRequest(scorers=("bundled:mdfg-zh-quality",), near_duplicates="drop")
    assert recipe_of(request).hash in recipes.shown("zh-paper-code", list(request.scorers), "drop", "en")
    assert recipes.mode_of("nonsense") == "off"


def test_a_rule_whose_value_nobody_measures_is_warned_of() -> None:
    recipe = load_recipe("zh-paper-code")
    typo = replace(recipe, rules=(*recipe.rules, Test("mine", "quality.score", "<", 0.3)))
    assert "quality.score" in recipes.shown(dump_recipe(typo), [], "recipe", "en").split("cf-warning")[1]
    assert "cf-warning" not in recipes.shown(dump_recipe(typo), ["bundled:mdfg-zh-quality"], "recipe", "en")


@pytest.mark.parametrize(("yaml", "words"), [
    ("a: [", "not valid YAML"), ("- 1\n- 2", "not a table"), ("name: [x]\nlanguage: zh\nrules: []", "must be text"),
    ("name: x\nlanguage: zh\nrules:\n- {rule: a, column: b, drop_if: '=', limit: 1}", "drop_if is"),
    (f"name: '{SCRIPT}'\nlanguage: 5\nrules: []", "language is 5"),
    ("name: x\nlanguage: zh\nrules: []\nwords: y", "has no field words"),
])
def test_what_is_no_recipe_is_said_at_once_and_escaped(yaml: str, words: str) -> None:
    html = recipes.shown(yaml, [], "recipe", "en")
    assert words in html and "cf-wrong" in html and "<script" not in html


def test_names_and_notes_of_a_recipe_are_escaped() -> None:
    recipe = replace(load_recipe("zh-ratio"), name=SCRIPT, note=SCRIPT,
                     rules=(Test(SCRIPT, SCRIPT, "<", 1.0),))
    assert "<script" not in recipes.described(recipe, "en")


def test_a_rule_of_several_tests_is_one_row() -> None:
    html = recipes.shown("en-fineweb", [], "recipe", "en")
    assert html.count('title="top_grams"') == 1 and " or <span>" in html


def test_a_recipe_without_rules_says_what_that_means() -> None:
    assert "every document is kept" in recipes.described(replace(load_recipe("zh-ratio"), rules=()), "en")


@pytest.mark.parametrize(("value", "words"), [
    (True, "yes"), (False, "no"), ((), ""), (("a", "b"), "a, b"), (0.5, "0.5"), (13, "13"), ("han", "han"),
    (tuple(map(str, range(20))), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 …")])
def test_settings_in_words(value: Any, words: str) -> None:
    assert corpus_recipe.plain(value, "en") == words


# --- looks at a run --------------------------------------------------------------------------------------------------

PLACES = {name: place for place, name in enumerate((*work.PARTS, *work.CONTROLS, "sent"))}


def look(page: Page, run_id: str, sent: str = "{}", lang: str = "en", **who: str) -> Any:
    return work.tick(shell_of(page), run_id, sent, asking(lang=lang, **who))


def test_a_finished_run_is_drawn_once_with_counts_files_and_problems(page: Page, source: Path) -> None:
    run = put_run(page, source)
    found = look(page, run.id)
    summary = json.loads((source / "artifacts" / "summary.json").read_text())
    outcome = found[PLACES["outcome"]]
    assert "synthetic" not in outcome and "real data" in outcome and summary["recipe_hash"] in outcome
    assert f"<b>{summary['kept']}</b>" in outcome and "of 30 documents kept" in outcome
    assert "kept.jsonl" in found[PLACES["files"]] and f"/workbench/runs/{run.id}/dropped.jsonl" in found[
        PLACES["files"]]
    problems = found[PLACES["problems"]]
    assert "source.jsonl, line 31" in problems and "it has no field text" in problems and "line 32" in problems
    assert [found[PLACES[name]]["visible"] for name in work.CONTROLS] == [True, True, False, False]
    assert isinstance(look(page, run.id, found[-1]), dict), "nothing is sent twice"
    assert "保留" in look(page, run.id, found[-1], lang="zh-CN")[PLACES["outcome"]]


def test_the_funnel_shows_first_every_and_only(page: Page, tmp_path: Path) -> None:
    folder = made(tmp_path)
    summary = json.loads((folder / "artifacts" / "summary.json").read_text())
    html = corpus_work.outcome(summary, "en")
    for rule in summary["rules"]:
        row = html.split(f'<tr><th scope="row">{text.say("en", f"corpus.rule.{rule}")}<')[1].split("</tr>")[0]
        counts = [int(found.replace(",", "")) for found in re.findall(r"<td>([\d,]+)</td>", row)]
        assert counts == [summary["first"][rule], summary["every"][rule], summary["only"][rule]]
    assert sum(summary["first"].values()) == summary["documents"] - summary["kept"] < sum(summary["every"].values())


def test_problems_are_escaped() -> None:
    html = corpus_work.problems([{"where": f"{SCRIPT}, line 3", "why": SCRIPT}], 1, "en")
    assert "<script" not in html and html.count("&lt;script&gt;") == 2


def test_many_problems_are_cut_and_counted() -> None:
    rows = [{"where": f"a.jsonl, line {n}", "why": "x"} for n in range(60)]
    html = corpus_work.problems(rows, 123_456, "en")
    assert html.count("<li>") == corpus_work.PROBLEMS and "123,406 more" in html
    assert corpus_work.problems(rows, 0, "en") == ""


def test_a_run_at_work_says_how_far_and_how_fast_it_is(page: Page) -> None:
    run = put_run(page, status="running", step=2048, total=8192, message="1,500 documents", finished=None)
    html = look(page, run.id)[PLACES["strip"]]
    assert 'aria-valuenow="25"' in html and "1,500" in html and "Filtering" in html and "MB" in html
    chinese = look(page, run.id, lang="zh-CN")[PLACES["strip"]]
    assert "过滤中" in chinese and "篇" in chinese


def test_before_the_first_document_the_runs_own_words_are_shown(page: Page) -> None:
    run = put_run(page, status="running", message="reading the recipe", finished=None)
    html = look(page, run.id)[PLACES["strip"]]
    assert "reading the recipe" in html and "progressbar" not in html


def test_stages_of_a_run_at_work_are_those_of_its_finished_shards(page: Page, source: Path) -> None:
    run = put_run(page, source, status="running", finished=None)
    (run.path / "artifacts" / "summary.json").unlink()
    html = look(page, run.id)[PLACES["stages"]]
    shards = work.finished(run.path)
    assert len(shards) == 1 and "over the 1 shards" in html and "signatures (MinHash)" in html
    speed = work.throughput(shards)
    assert speed["all"]["cpu_seconds"] == pytest.approx(sum(v["cpu_seconds"] for k, v in speed.items() if k != "all"))
    assert "wall" not in speed and speed["read"]["documents_per_second"] == pytest.approx(
        30 / speed["read"]["cpu_seconds"])


def test_the_stages_so_far_are_those_of_the_summary_in_the_end(page: Page, source: Path) -> None:
    summary = json.loads((source / "artifacts" / "summary.json").read_text())["throughput_per_second"]
    found = work.throughput(work.finished(source))
    assert set(found) == set(summary)
    for stage, values_of in summary.items():
        assert found[stage]["cpu_seconds"] == pytest.approx(values_of["cpu_seconds"], abs=1e-4)


@pytest.mark.parametrize("broken", ["", "[]", '{"seconds": 3}', '{"seconds": {"read": "x"}, "documents": null}'])
def test_a_shard_that_cannot_be_read_is_left_out(page: Page, broken: str) -> None:
    run = put_run(page, status="running")
    folder = run.path / "checkpoints" / "shards" / "00000"
    folder.mkdir(parents=True)
    (folder / "done.json").write_text(broken)
    assert work.throughput(work.finished(run.path)) == {} and look(page, run.id)[PLACES["stages"]] == ""


def test_a_failed_run_says_why_and_can_go_on(page: Page) -> None:
    failure = {"class": "user error", "cause": f"{SCRIPT} is gone.", "advice": "Bring it again."}
    run = put_run(page, status="failed", failure=failure)
    found = look(page, run.id)
    assert "Bring it again." in found[0] and "<script" not in found[0] and found[PLACES["outcome"]] == ""
    assert [found[PLACES[name]]["visible"] for name in work.CONTROLS] == [False, False, False, True]


def test_somebody_elses_shared_run_can_be_looked_at_and_not_stopped(page: Page, source: Path) -> None:
    run = put_run(page, source, owner=BOB, status="running", shared=True)
    found = look(page, run.id)
    assert found[PLACES["stop"]]["visible"] is False
    hidden = put_run(page, source, owner=BOB)
    with pytest.raises(UserError, match="There is no run"):
        look(page, hidden.id)


def test_no_run_and_a_strange_note_change_nothing(page: Page, source: Path) -> None:
    assert isinstance(look(page, ""), dict)
    run = put_run(page, source)
    for note in ("", "x", "[]", '{"run": 5}'):
        assert len(look(page, run.id, note)) == len(PLACES)


@pytest.mark.parametrize("damage", ["", "{}", "[1]", '{"documents": "x", "kept": 1}', '{"documents": 5, "kept": null}',
                                    '{"documents": 1, "kept": 1, "rules": [null], "every": 3}'])
def test_a_summary_that_was_edited_by_hand_breaks_nothing(page: Page, source: Path, damage: str) -> None:
    run = put_run(page, source)
    (run.path / "artifacts" / "summary.json").write_text(damage)
    assert len(look(page, run.id)) == len(PLACES)


def test_what_a_look_sends_is_small(page: Page, tmp_path: Path) -> None:
    rows: list[Any] = [{"text": 5, "x" * 200: 1} for _ in range(3000)]
    folder = made(tmp_path, records=[{"text": "山里的路变得很滑，村口的老树又发了新芽。" * 20}, *rows])
    run = put_run(page, folder)
    assert sum(len(part) for part in look(page, run.id) if isinstance(part, str)) < 50_000


# --- the wired view --------------------------------------------------------------------------------------------------

def test_stop_continue_look_and_compare_act_on_the_watched_run(page: Page, source: Path) -> None:
    run = put_run(page, source)
    page.call("run_controls", "stop", run.id, asking())
    page.call("run_controls", "proceed", run.id, asking())
    assert page.cancelled[-1] == page.resumed[-1] == run.id
    corpus, modes = page.call("corpus_filter", "inspect", run.id)
    assert corpus == run.id and modes.selected == "inspect"
    assert page.call("corpus_filter", "compare", run.id)[1].selected == "compare"


def test_runs_are_listed_newest_first_with_the_watched_one_chosen(page: Page, source: Path) -> None:
    older, newer = put_run(page, source, title="Older"), put_run(page, source, title="Newer")
    update = page.call("corpus_filter", "list_runs", older.id, asking())
    names = [name for name, _ in update["choices"]]
    assert names.index(f"Newer · {newer.id}") < names.index(f"Older · {older.id}") and update["value"] == older.id
    assert page.call("corpus_filter", "list_runs", "", asking())["value"] is None
    assert newer.id not in {run for _, run in work.choices(shell_of(page), BOB, "en")}


def test_every_handler_is_private_and_what_a_person_does_is_queued(page: Page) -> None:
    blocks = [block for block in page.handlers("panels.corpus_filter") if block.fn.__module__ == "panels.corpus_filter"]
    assert len(blocks) >= 10 and {block.api_visibility for block in blocks} == {"private"}
    for block in blocks:
        if hasattr(block.fn, "__wrapped__") and {event for _, event in block.targets} & {"click", "upload"}:
            assert block.queue, block.fn.__name__


def test_the_look_of_the_wired_timer_has_a_value_for_every_output(page: Page, source: Path) -> None:
    run = put_run(page, source)
    assert len(page.call("corpus_filter", "look", run.id, "{}", asking())) == len(PLACES)
    assert page.call("corpus_filter", "check", "zh-ratio", None, "recipe", SimpleNamespace(
        cookies={}, headers={})).startswith('<div class="cf-sheet">')


@pytest.mark.parametrize(("value", "words"), [(8305.7, "8,306"), (21.04, "21.0"), (0.351, "0.35"), (None, "–"),
                                              ("x", "–"), (float("nan"), "–"), (float("inf"), "–")])
def test_speeds_in_words(value: Any, words: str) -> None:
    assert corpus_work.rate(value) == words


@pytest.mark.parametrize(("part", "whole", "words"), [(1, 3, "33.3 %"), (0, 5, "0.0 %"), (1, 0, "–"), (None, 1, "–")])
def test_shares_in_words(part: Any, whole: Any, words: str) -> None:
    assert corpus_work.percent(part, whole) == words


@pytest.mark.parametrize(("value", "words"), [(0.0072, "0.0072"), (0.5243, "0.524"), (5.0, "5.000"),
                                              (12.44, "12.4"), (1204.4, "1,204")])
def test_seconds_in_words(value: float, words: str) -> None:
    assert corpus_work.seconds_of(value) == words


# --- what the offered sources hold -----------------------------------------------------------------------------------

@pytest.mark.parametrize(("offered", "which"), [("documents", "documents"), ("kept.parquet", "kept"),
                                                ("kept.jsonl", "kept")])
def test_texts_of_a_run_can_be_filtered_again(tmp_path: Path, offered: str, which: str) -> None:
    """The sources that the form offers of a finished run are read whole, and decide as before."""
    folder = made(tmp_path / "one", exports=("jsonl", "parquet"), near_duplicates="off")
    before = json.loads((folder / "artifacts" / "summary.json").read_text())
    context = MemoryContext(tmp_path / "two")
    source = f"path:{folder / 'artifacts' / offered}"
    after = filter_run(FilterRequest(sources=(source,), exports=(), near_duplicates="off"), context)
    assert after.problems == 0 and after.documents == before[which] and after.kept == before["kept"]
    assert after.recipe_hash == before["recipe_hash"]
    if which == "documents":
        assert dict(after.every) == before["every"] and dict(after.first) == before["first"]
    else:
        assert set(after.every.values()) == {0}


def test_the_form_with_every_bundled_scorer_ends_with_their_columns(tmp_path: Path) -> None:
    """What the button of the empty state asks for, on a few of its documents."""
    context = MemoryContext(tmp_path / "run")
    fields = {**forms.EXAMPLE, "limit": 40, "scorers": [f"path:{forms.BUNDLED / name.removeprefix('bundled:')}"
                                                        for name in forms.CHINESE]}
    result = filter_run(from_json(FilterRequest, fields), context)
    names = set(parquet.read_schema(context.run / "artifacts" / "attributes.parquet").names)
    assert result.documents == 40 and result.provenance == "synthetic"
    assert {"quality", "toxicity", "domain"} == {name.partition(".")[0] for name in names
                                                 if "." in name and not name.startswith("given.")}


@pytest.mark.parametrize("preset", presets())
def test_the_scorers_of_a_preset_are_of_its_language(preset: str) -> None:
    language = load_recipe(preset).language
    found = forms.scorers_for(preset)
    assert found and all(name.startswith(f"bundled:mdfg-{language}-") for name in found)
    assert all((forms.BUNDLED / name.removeprefix("bundled:")).is_dir() for name in found)
