"""The Compare view as it is wired: what its buttons ask for, what a run shows, what a press does, rights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from backends.common.mt.requests import METRICS, CompareRequest
from backends.common.mt.roles import Choice
from panels import translation_compare as compare
from panels import translation_compare_form as forms
from panels import translation_compare_work as work
from panels.translation_compare_held import Held, held
from panels.translation_compare_look import Look, look
from tests.panels.compare_cases import acts, finished, holding, parsed, pressing, put
from tests.panels.test_dialogue_scenarios import shell_of
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from workbench import text
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.shell import PageShell

VIEW = "translation/compare"
SHARED = ("result_view", "run_list", "run_controls")
GOOD = {"A.txt": "one\ntwo\n", "B.txt": "one\nzwei\n", "ref.txt": "one\ntwo\n"}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("compare")) as built:
        yield built


@pytest.fixture
def shell(page: Page) -> PageShell:
    """What a view is given."""
    return shell_of(page)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifacts of a finished comparison of the practice sample."""
    folder = tmp_path_factory.mktemp("made")
    finished(folder)
    return folder / "run" / "artifacts"


def ask(page: Page, note: str, human: str = "", lang: str = "en", **changed: Any) -> tuple[str, dict, dict]:
    """What pressing Compare makes of these files and settings."""
    page.made.clear()
    block = page.find("translation_compare", "begin")
    values = [component.value for component in block.inputs][2:]
    given = {**dict(zip(forms.NAMES, values, strict=True)), **changed}
    block.fn(note, human, asking(lang=lang), *[given[name] for name in forms.NAMES])
    return page.made[-1]


# --- the form ---


def test_every_field_that_a_person_sets_is_on_the_form() -> None:
    by_hand = {"files", "columns", "human", "systems", "references", "source", "domains"}
    assert set(forms.NAMES) | by_hand == set(forms.SPECS)


def test_the_form_as_it_opens_asks_for_the_defaults(page: Page, shell: PageShell) -> None:
    of = holding(shell, GOOD).say(2, "text", name="Second")
    task, fields, more = ask(page, of.note())
    request = from_json(CompareRequest, fields)
    assert task == compare.COMPARE and more["visitor"] == ANN and more["title"] == "A, Second · 2 segments"
    assert request == CompareRequest(files=of.files, columns=(Choice(2, "text", "", "Second").text(),))


def test_numbers_keep_their_types_and_settings_arrive(page: Page, shell: PageShell) -> None:
    _, fields, more = ask(
        page,
        holding(shell, GOOD).note(),
        "path:/x/people.csv",
        "zh-CN",
        language="zh",
        tokenizer="13a",
        seed=7.0,
        metrics=["ter", "chrf++"],
        resamples=500.0,
        trials=None,
        level=0.01,
        human_format="mqm",
        human_exports=["pearmut", "wmt-esa"],
    )
    request = from_json(CompareRequest, fields)
    assert (request.language, request.tokenizer, request.metrics) == ("zh", "13a", ("ter", "chrf++"))
    assert (request.resamples, request.trials, request.level, request.seed) == (500, 10_000, 0.01, 7)
    assert request.human_exports == ("pearmut", "wmt-esa")
    assert request.human == "path:/x/people.csv" and request.human_format == "mqm" and "句段" in more["title"]


@pytest.mark.parametrize(
    ("texts", "changed", "words"),
    [
        ({}, {}, "no files yet"),
        ({"A.txt": "one\n"}, {}, "no reference"),
        ({"A.txt": "one\n", "ref.txt": "one\ntwo\n"}, {}, "lines"),
        (GOOD, {"metrics": []}, "No metric"),
        (GOOD, {"metrics": ["bertscore"]}, "bertscore needs a model"),
        (GOOD, {"resamples": 0, "trials": 0}, "both 0"),
        (GOOD, {"level": 7}, "level"),
        (GOOD, {"human_exports": ["wmt-da"]}, "no scores to write"),
    ],
)
def test_what_cannot_be_compared_is_told_and_nothing_is_started(
    page: Page, shell: PageShell, texts: dict, changed: dict, words: str
) -> None:
    with pytest.raises(gr.Error, match=words):
        ask(page, holding(shell, texts).note(), **changed)
    assert not page.made


def test_many_systems_have_a_short_title(page: Page, shell: PageShell) -> None:
    texts = {f"{'long name ' * 9}{i}.txt": "x\n" for i in range(9)} | {"ref.txt": "x\n"}
    _, fields, more = ask(page, holding(shell, texts).note())
    assert len(more["title"]) <= 120 and "+6" in more["title"] and len(fields["files"]) == 10


def test_the_example_is_the_practice_sample(page: Page) -> None:
    page.made.clear()
    page.find("translation_compare", "begin_example").fn(asking(lang="zh-CN"))
    task, fields, more = page.made[-1]
    assert task == compare.COMPARE and from_json(CompareRequest, fields) == CompareRequest()
    assert more["title"].startswith("练习样本")


def test_files_text_and_human_scores_come_in_through_the_page(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "A.txt"
    path.write_text("one\ntwo\n")
    note, emptied = page.call("translation_compare", "bring", [str(path)], "{}")
    assert emptied is None and len(held(note).files) == 1
    note, text_left, name_left = page.call("translation_compare", "paste", "one\ntwo", "ref", note)
    assert (text_left, name_left) == ("", "") and len(held(note).files) == 2
    with pytest.raises(gr.Error, match="empty"):
        page.call("translation_compare", "paste", "", "ref", note)
    assert "side by side" in page.call("translation_compare", "draw_files", note, "", "", asking())
    gone = page.call("translation_compare", "press", note, asking(), pressing("remove", 1), number=0)
    assert len(held(gone).files) == 1
    assert page.call("translation_compare", "bring_human", None) == ""
    assert page.call("translation_compare", "bring_human", str(path)).endswith("/A.txt")
    assert page.call("translation_compare", "bring", None, note)[0] == note


def test_every_text_is_there_in_both_languages() -> None:
    keys = [
        f"translation_compare.knob.{name}{end}"
        for name in (*forms.MORE, *forms.NEURAL, "human_format", "human_pair")
        for end in ("", ".help")
    ]
    keys += [f"translation_compare.metric.{name.replace('+', 'p')}" for name in METRICS]
    keys += [f"translation_compare.is.{s}" for s in ("queued", "running", "paused", "cancelled", "lost", "failed")]
    keys += [f"translation_compare.do.{name}" for name in work.CONTROLS]
    english, chinese = (text.catalogue(lang) for lang in text.LANGUAGES)
    assert [key for key in keys if not english.get(key) or not chinese.get(key)] == []
    own = [key for key in english if key.startswith("translation_compare.")]
    assert len(own) > 150 and all(chinese.get(key) for key in own)


# --- a run ---


def look_at(shell: PageShell, run_id: str, sent: str = "{}", lang: str = "en", cookie: str = "a" * 32) -> Any:
    return work.tick(shell, run_id, sent, asking(cookie, lang))


def names(updates: list) -> dict[str, Any]:
    return dict(zip((*work.PARTS, *work.CONTROLS, "done", "sent"), updates, strict=True))


def test_a_finished_run_is_told_once_with_its_files(page: Page, shell: PageShell, sample: Path) -> None:
    run = put(page.service, sample)
    seen = names(look_at(shell, run.id))
    assert seen["done"] == run.id and seen["strip"] == "" and "Some systems" in seen["head"]
    assert "systems.tsv" in seen["files"] and "systems.tex" in seen["files"] and "segments.jsonl" not in seen["files"]
    assert "synthetic" in seen["head"] and seen["stop"]["visible"] is seen["continue"]["visible"] is False
    again = look_at(shell, run.id, seen["sent"])
    assert all(isinstance(u, dict) and u == gr.skip() for u in again)
    assert "导出" in names(look_at(shell, run.id, seen["sent"], "zh-CN"))["files"]


def test_a_comparison_of_files_has_no_badge_of_ours(page: Page, shell: PageShell, sample: Path) -> None:
    run = put(page.service, sample, fields={"files": ["path:/a"]})
    assert "wb-badge" not in names(look_at(shell, run.id))["head"]


@pytest.mark.parametrize(
    ("state", "words", "stop", "again"),
    [
        ({"status": "queued", "message": ""}, "waiting for its turn", True, False),
        ({"status": "running", "message": "bleu: A", "step": 1, "total": 4}, "width:25.0%", True, False),
        ({"status": "running", "message": "", "step": 9, "total": 4}, "width:100.0%", True, False),
        ({"status": "cancelled", "message": ""}, "stopped", False, True),
        ({"status": "failed", "failure": {"cause": "<b>bad", "advice": "do this"}}, "&lt;b&gt;bad", False, True),
        ({"status": "lost", "message": ""}, "lost", False, True),
    ],
)
def test_a_run_that_is_not_done_says_what_it_is(
    page: Page, shell: PageShell, state: dict, words: str, stop: bool, again: bool
) -> None:
    from workbench.runs import load_run

    run = put(page.service, **{"message": "", **state})
    looks = work.looks(load_run(run.path), [], ANN, "en")
    assert words in looks["strip"] or state["status"] in ("queued", "running")
    assert (looks["stop"], looks["continue"], looks["done"]) == (stop, again, "") or state["status"] == "running"
    parsed(looks["strip"])
    others = work.looks(load_run(run.path), [], BOB, "en")
    assert others["stop"] is others["continue"] is False


def test_another_visitors_run_shows_nothing(page: Page, shell: PageShell, sample: Path) -> None:
    run = put(page.service, sample, owner=BOB)
    seen = names(look_at(shell, run.id))
    assert "There is no run" in seen["strip"] and seen["done"] == "" and seen["files"] == ""
    assert names(look_at(shell, run.id, cookie=OTHER))["done"] == run.id
    with pytest.raises(UserError, match="no run"):
        compare.READER.after(shell, asking(), run.id, "{}", {"act": "step", "value": "1"})


def test_a_run_of_another_task_is_not_drawn(page: Page, shell: PageShell) -> None:
    run = put(page.service, task="sm2.curve.v1")
    seen = names(look_at(shell, run.id))
    assert "does not show" in seen["strip"] and seen["done"] == ""


def test_leaving_a_run_empties_the_view(shell: PageShell) -> None:
    assert look_at(shell, "") == gr.skip()
    seen = names(look_at(shell, "", '{"run": "r/en", "strip": 5}'))
    assert seen["done"] == "" and seen["sent"] == "{}" and seen["head"] == ""


def test_buttons_stop_and_go_on(page: Page) -> None:
    page.call("run_controls", "stop", "r1", asking())
    page.call("run_controls", "proceed", "r2", asking())
    assert page.cancelled[-1] == "r1" and page.resumed[-1] == "r2"


def test_earlier_comparisons_are_this_visitors_newest_first(page: Page, shell: PageShell, sample: Path) -> None:
    mine, theirs = put(page.service, sample), put(page.service, sample, owner=BOB)
    offered = [value for _, value in work.choices(shell, ANN, "en")]
    assert mine.id in offered and theirs.id not in offered
    assert page.call("run_list", "list_runs", mine.id, asking(), within=VIEW)["value"] == mine.id


# --- what is looked at ---


def test_a_finished_comparison_is_drawn_whole_and_small(page: Page, shell: PageShell, sample: Path) -> None:
    run = put(page.service, sample)
    note = Look(of=run.id, open=2, pair="0.1").note()
    for lang in text.LANGUAGES:
        *panes, _ = page.call("result_view", "redraw", run.id, note, "{}", asking(lang=lang), within=VIEW)
        assert all(pane for pane in panes) and sum(map(len, panes)) < 200_000
        for pane in panes:
            parsed(pane)
    *empty, _ = page.call("result_view", "redraw", "", "{}", "{}", asking(), within=VIEW)
    assert empty == [""] * len(compare.VIEWS)


def test_only_what_has_changed_is_sent_again(page: Page, sample: Path) -> None:
    run = put(page.service, sample)
    *_, marks = page.call("result_view", "redraw", run.id, "{}", "{}", asking(), within=VIEW)
    same = page.call("result_view", "redraw", run.id, "{}", marks, asking(), within=VIEW)
    assert same == [gr.skip()] * (len(compare.VIEWS) + 1)
    opened = page.call("result_view", "redraw", run.id, Look(of=run.id, open=2).note(), marks, asking(), within=VIEW)
    sent = [name for name, pane in zip(compare.VIEWS, opened, strict=False) if isinstance(pane, str)]
    assert sent == ["reader", "segments"]
    other = put(page.service, sample)
    fresh = page.call("result_view", "redraw", other.id, "{}", marks, asking(), within=VIEW)
    assert all(isinstance(pane, str) for pane in fresh)


def test_a_look_at_an_earlier_run_is_not_used_for_this_one(page: Page, shell: PageShell, sample: Path) -> None:
    run = put(page.service, sample)
    panes = compare.READER.drawing(shell, asking(), run.id, Look(of="another", open=2, search="zzz").note())
    drawn = dict(zip(compare.VIEWS, panes, strict=True))
    assert drawn["reader"] == "" and "12 of 12 segments" in drawn["segments"]


def test_files_that_are_gone_are_told_in_place_of_the_verdict(page: Page, shell: PageShell, sample: Path) -> None:
    run = put(page.service, sample)
    (run.path / "artifacts" / "segments.jsonl").unlink()
    panes = compare.READER.drawing(shell, asking(), run.id, "{}")
    assert "segments.jsonl is missing" in panes[0] and panes[1:] == [""] * (len(compare.VIEWS) - 1)


def test_presses_lead_from_the_matrix_to_a_segment(page: Page, shell: PageShell, sample: Path) -> None:
    run, note = put(page.service, sample), "{}"
    panes = dict(zip(compare.VIEWS, compare.READER.drawing(shell, asking(), run.id, note), strict=True))
    for pane, act in (("verdict", "metric"), ("pairs", "pair"), ("segments", "open"), ("parts", "bucket")):
        key = acts(panes[pane], act)[-1]
        note = compare.READER.after(shell, asking(), run.id, note, {"act": act, "key": key})
        panes = dict(zip(compare.VIEWS, compare.READER.drawing(shell, asking(), run.id, note), strict=True))
    now = look(note, run.id)
    assert now.metric == "chrf" and now.pair and now.open >= 0 and now.bucket and now.of == run.id
    assert "mt-grams" in panes["grams"] and panes["reader"] and len(acts(panes["segments"], "unchip")) == 2


def test_the_keys_go_along_the_list_and_stop_at_its_ends(page: Page, shell: PageShell, sample: Path) -> None:
    run, note, seen = put(page.service, sample), Look(sort="index").note(), []
    note = Look(of=run.id, sort="index").note()
    for _ in range(14):
        note = compare.READER.after(shell, asking(), run.id, note, {"act": "step", "value": "1"})
        seen.append(look(note).open)
    assert seen == [*range(12), 11, 11]
    assert look(compare.READER.after(shell, asking(), run.id, note, {"act": "step", "value": "-1"})).open == 10


def test_a_comparison_handed_over_is_shown_and_texts_are_held(page: Page, sample: Path) -> None:
    run = put(page.service, sample)
    assert page.call("translation_compare", "handed", run.id, asking())[0] == run.id
    other = put(page.service, task="common.translate.v1")
    shown, note = page.call("translation_compare", "handed", other.id, asking())
    assert shown == "" and held(note) == Held()
    assert page.call("translation_compare", "handed", "", asking()) == [gr.skip(), gr.skip()]


def test_every_handler_is_private_and_refusals_are_shown(page: Page) -> None:
    blocks = [block for module in ("translation_compare", *SHARED) for block in page.handlers(f"panels.{module}")]
    assert len(blocks) > 12 and {block.api_visibility for block in blocks} == {"private"}
    for block in blocks:
        if hasattr(block.fn, "__wrapped__") and {e for _, e in block.targets} & {"click", "select", "upload"}:
            assert block.queue, block.fn.__name__


def test_the_note_of_a_page_that_was_changed_by_hand_starts_nothing(page: Page) -> None:
    for note in ("", "[]", json.dumps({"files": ["nonsense"]}), json.dumps({"files": ["path:/gone"]})):
        with pytest.raises(gr.Error):
            ask(page, note)
    assert not page.made
