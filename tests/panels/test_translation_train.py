"""The Train view of translation: the form, what is started, what is shown of a run, curves side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import gradio as gr
import pytest

from backends.sm2.estimate import formula
from backends.sm2.models import default_model
from backends.sm2.requests import CurveRequest, TrainRequest
from panels import translation_chart as widget
from panels import translation_curves as curves
from panels import translation_train as train
from panels import translation_train_form as forms
from panels import translation_train_view as view
from panels.translation_desk import CURVE, TRAIN, handed
from tests.panels.test_dialogue_panel import skipped
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from tests.panels.translation_runs import TRAINED, curve_result, lines, point, put, put_curve, put_training
from workbench import shell as page_shell
from workbench.contract import UserError
from workbench.fields import from_json, to_json
from workbench.files import append_line, write_json
from workbench.runs import Run
from workbench.text import say


def english(key: str, **values: object) -> str:
    return say("en", key, **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with noting(tmp_path_factory.mktemp("train")) as built:
        yield built


def ready(shell: page_shell.PageShell, run: Run) -> Run:
    shell.service.index.sync()
    return shell.service.run(run.owner, run.id)


# --- what is started -----------------------------------------------------------------------------------------------

def test_the_example_is_a_request_of_the_order_language() -> None:
    request = from_json(TrainRequest, dict(forms.EXAMPLE))
    assert not request.source and request.objective == "sm2" and request.max_steps <= 500


def test_paths_that_are_typed_become_references(shell: page_shell.PageShell, started: list) -> None:
    fields = {**to_json(TrainRequest()), "source": ["/data/a.de", "run:x/y"], "target": ["~/a.en", " path:/b.en "]}
    assert forms.start(shell, asking(), fields) == "r-1"
    task, made, more = started[0]
    assert task == TRAIN and made["source"] == ["path:/data/a.de", "run:x/y"]
    assert made["target"] == ["path:~/a.en", "path:/b.en"]
    assert more["visitor"] == ANN and "SM2" in more["title"]


@pytest.mark.parametrize(("changed", "words"), [
    ({"source": ["/a", "/b"], "target": ["/c"]}, "2 files and target 1"),
    ({"objective": "multipath"}, "Set encoder to causal"),
    ({"alpha": 50}, "alpha is 50"), ({"width": 3}, "width is 3")])
def test_what_cannot_work_is_refused_before_a_run_is_made(shell: page_shell.PageShell, started: list,
                                                         changed: dict, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        forms.start(shell, asking(), {**to_json(TrainRequest()), **changed})
    assert not started


def test_every_model_gets_a_curve_of_its_own(shell: page_shell.PageShell, started: list) -> None:
    run = put_training(shell.service.settings)
    shell.service.index.sync()
    asked = [f"run:{run.id}/model", "practice", "practice"]
    fields = {**to_json(CurveRequest(thresholds=(0.4,))), "source": "/t.de", "target": "/t.en"}
    assert forms.measure(shell, asking(), asked, fields) == "r-1"
    assert [made["model"] for _, made, _ in started] == asked[:2], "none twice"
    assert all(task == CURVE and made["source"] == "path:/t.de" and made["thresholds"] == [0.4]
               for task, made, _ in started)
    assert started[0][2]["title"] == "a small model on t.de"


def test_a_curve_needs_a_model_and_both_files_or_none(shell: page_shell.PageShell, started: list) -> None:
    with pytest.raises(UserError, match="No model is chosen"):
        forms.measure(shell, asking(), [], to_json(CurveRequest()))
    with pytest.raises(UserError, match="Only one of source and target"):
        forms.measure(shell, asking(), ["practice"], {**to_json(CurveRequest()), "source": "/t.de"})
    with pytest.raises(UserError, match="没有选择模型"):
        forms.measure(shell, asking(lang="zh-CN"), [], to_json(CurveRequest()))
    assert not started


def test_no_more_models_than_the_page_offers(shell: page_shell.PageShell, started: list) -> None:
    forms.measure(shell, asking(), [f"path:/m{n}" for n in range(20)], to_json(CurveRequest()))
    assert len(started) == forms.MOST_MODELS


def test_the_form_is_planned_with_what_a_visitor_may_choose(shell: page_shell.PageShell) -> None:
    mine, theirs = put_training(shell.service.settings), put_training(shell.service.settings, owner=BOB)
    shell.service.index.sync()
    wanted = forms.asked(forms.plan(shell, asking(), "translator"))
    assert wanted and wanted.kind == "translator" and wanted.lang == "en"
    offered = [reference for _, reference in wanted.known]
    assert f"run:{mine.id}/model" in offered and f"run:{theirs.id}/model" not in offered
    curve = forms.asked(forms.plan(shell, asking(lang="zh-CN"), "curve"))
    assert curve and curve.models == (default_model(),) and curve.lang == "zh-CN"
    assert from_json(CurveRequest, dict(curve.fields)) == CurveRequest()


@pytest.mark.parametrize("note", ["", "no json", "[]", "{}", '{"kind": "other"}', '{"kind": 3}'])
def test_a_plan_that_is_none_draws_nothing(note: str) -> None:
    assert forms.asked(note) is None


def test_pairs_of_a_plan_that_are_none_are_left_out() -> None:
    wanted = forms.asked('{"kind": "curve", "lang": "en", "fields": {}, "known": [["a"], 3, ["a", "b"]], "models": 4}')
    assert wanted and wanted.known == (("a", "b"),) and wanted.models == ()


# --- files and the estimate ----------------------------------------------------------------------------------------

def test_files_are_added_to_a_list_and_replace_a_single_one(shell: page_shell.PageShell, tmp_path: Path) -> None:
    one, two = lines(tmp_path, "a.de"), lines(tmp_path, "b.de", 7)
    note, update = forms.bring(shell, [str(one)], "", [])
    note, update = forms.bring(shell, [str(two)], note, update["value"])
    assert [name for name, _ in update["choices"]] == ["a.de", "b.de"]
    assert [reference.rpartition("/")[2] for reference in update["value"]] == ["a.de", "b.de"]
    assert len(json.loads(note)) == 2
    _, update = forms.bring(shell, [str(two)], note, update["value"])
    assert len(update["value"]) == 2, "the same file is chosen once"
    _, single = forms.bring(shell, [str(one)], note, "path:/elsewhere")
    assert single["value"].endswith("/a.de")
    _, kept = forms.bring(shell, [], note, "path:/elsewhere")
    assert kept["value"] == "path:/elsewhere"


def told(shell: page_shell.PageShell, request: TrainRequest, **more: str) -> str:
    return forms.estimated(shell, asking(**more), request)


def test_the_estimate_says_pairs_steps_weights_and_time(shell: page_shell.PageShell, tmp_path: Path) -> None:
    path = lines(tmp_path, "a.de", 2000)
    request = TrainRequest(source=(str(path),), target=("/b",), width=64, inner=128, layers=1, vocabulary=1000)
    words = told(shell, request)
    assert "2,000 pairs" in words and "million weights" in words and "guessed for one processor core" in words
    assert "2,000 个句对" in told(shell, request, lang="zh-CN")


def test_the_estimate_uses_what_earlier_trainings_took(shell: page_shell.PageShell) -> None:
    put_training(shell.service.settings)
    shell.service.index.sync()
    said = formula("sm2", TRAINED["weights"], TRAINED["steps"], TRAINED["train_seconds"] * TRAINED["tokens_per_second"])
    assert forms.slowness(shell, ANN) == pytest.approx(TRAINED["train_seconds"] / said)
    assert forms.slowness(shell, BOB) is None
    assert "earlier trainings" in told(shell, TrainRequest()) and "guessed" in told(shell, TrainRequest(), cookie=OTHER)


def test_files_that_are_not_here_give_no_estimate_without_steps(shell: page_shell.PageShell) -> None:
    missing = TrainRequest(source=("/nowhere/a.de",), target=("/nowhere/a.en",))
    assert told(shell, missing) == ""
    assert told(shell, replace(missing, max_steps=50)) == ""


def test_weights_of_a_model_to_fine_tune_are_counted(shell: page_shell.PageShell) -> None:
    run = put_training(shell.service.settings)
    shell.service.index.sync()
    reference = f"run:{run.id}/model"
    assert forms.weights_of(shell, ANN, reference) > 1000
    for other in ("", "hub:org/name", "run:none/model", "path:/nowhere"):
        assert forms.weights_of(shell, ANN, other) == 0
    assert forms.weights_of(shell, BOB, reference) == 0
    assert "weights" not in told(shell, TrainRequest(start="hub:org/name"))


# --- what is shown -------------------------------------------------------------------------------------------------

def test_a_finished_training_offers_its_model(shell: page_shell.PageShell) -> None:
    run = ready(shell, put_training(shell.service.settings))
    look = view.looks(shell, ANN, run, "en")
    assert {name for name in view.CONTROLS if look[name]} == {"translate", "play", "measure", "tune"}
    result = str(look["result"])
    assert "173,185" in result and "0.250" in result and "3.500" in result and "200 pairs" in result
    assert "&lt;b&gt;card&lt;/b&gt;" in result and "<b>card" not in result
    assert list(look) == [*view.PARTS, *view.CONTROLS], "outputs and looks are in the same order"


def test_a_training_without_a_model_offers_none(shell: page_shell.PageShell) -> None:
    run = ready(shell, put_training(shell.service.settings, model=False))
    assert not any(view.looks(shell, ANN, run, "en")[name] for name in view.CONTROLS)


@pytest.mark.parametrize(("objective", "shown", "hidden"), [
    ("sm2", ("random prefix", "mixture", "mean confidence"), ()),
    ("prefix", ("random prefix",), ("mixture", "mean confidence")),
    ("offline", ("whole source",), ("random prefix", "mixture", "mean confidence")),
    ("multipath", ("whole source",), ("random prefix", "mixture", "mean confidence"))])
def test_what_an_objective_has_not_is_not_shown(shell: page_shell.PageShell, objective: str, shown: tuple,
                                                hidden: tuple) -> None:
    run = ready(shell, put_training(shell.service.settings, objective))
    for step in (1, 2):
        append_line(run.path / "metrics.jsonl", {"step": step, "loss": 2.0, "full": 1.0, "prefix": 0.0, "mixed": 0.0,
                                                 "confidence": 1.0, "gradient_norm": 3.0})
    table = view.held_table(TRAINED, objective, shell, "en").split("<p")[0]
    assert all(words in table for words in shown) and not any(words in table for words in hidden)
    charts = view.curve_part(shell, ANN, run, "en")
    assert "loss, nats a token" in charts and ("mean confidence" in charts) == (objective == "sm2")
    assert "gradient" not in charts


def test_without_held_out_pairs_it_is_said(shell: page_shell.PageShell) -> None:
    assert "No pair was held out" in view.held_table({**TRAINED, "measured": []}, "sm2", shell, "en")
    assert "No pair was held out" in view.held_table({"measured": "edited"}, "sm2", shell, "en")


@pytest.mark.parametrize(("status", "offered"), [("running", "stop"), ("queued", "stop"), ("failed", "continue"),
                                                 ("cancelled", "continue"), ("lost", "continue")])
def test_a_run_at_work_can_be_stopped_and_a_stopped_one_continued(shell: page_shell.PageShell, status: str,
                                                                  offered: str) -> None:
    run = put(shell.service.settings, TRAIN, to_json(TrainRequest()), None, status=status, shared=True)
    run = replace(ready(shell, run), status=status)
    look = view.looks(shell, ANN, run, "en")
    assert [name for name in view.CONTROLS if look[name]] == [offered] and look["result"] == ""
    assert not any(view.looks(shell, BOB, run, "en")[name] for name in view.CONTROLS), "only its owner may"


def test_a_finished_curve_shows_chart_table_and_gains(shell: page_shell.PageShell) -> None:
    run = ready(shell, put_curve(shell.service.settings, title="<i>A</i>"))
    look = view.looks(shell, ANN, run, "en")
    assert {name for name in view.CONTROLS if look[name]} == {"beside", "family"}
    result = str(look["result"])
    assert "<svg" in result and "SM2 0.9" in result and "full sentence" in result and "12 sentences" in result
    assert "tok:13a" in result and "+6.25" in result and "not told apart (beyond the curve" in result
    assert "<i>A</i>" not in result and len(result) < 50_000


WHOLE = to_json(curve_result())
POINT = WHOLE["points"][0]


@pytest.mark.parametrize("result", [
    {}, {"points": 3}, {"points": [{"policy": "x"}]}, {"points": [], "signature": 1}, {**WHOLE, "points": 3},
    {**WHOLE, "points": [3]}, {**WHOLE, "gains": [4]}, {**WHOLE, "sentences": "many"}, {**WHOLE, "signature": None},
    {**WHOLE, "points": [{**POINT, "bleu": "high"}]}, {**WHOLE, "points": [{**POINT, "words": {"AL": "late"}}]},
    {**WHOLE, "points": [{**POINT, "kind": ["sm2"]}]}])
def test_a_result_that_was_edited_by_hand_breaks_nothing(shell: page_shell.PageShell, result: dict) -> None:
    run = put_curve(shell.service.settings)
    write_json(run.path / "result.json", result)
    look = view.looks(shell, ANN, ready(shell, run), "en")
    assert look["result"] == ""


def test_the_list_has_trainings_and_curves_newest_first(shell: page_shell.PageShell) -> None:
    first, second = put_training(shell.service.settings), put_curve(shell.service.settings)
    put_training(shell.service.settings, owner=BOB)
    shell.service.index.sync()
    assert {run_id for _, run_id in view.choices(shell, ANN, "en")} == {first.id, second.id}


def test_a_tick_sends_only_what_changed(shell: page_shell.PageShell) -> None:
    run = ready(shell, put_training(shell.service.settings))
    first = train.tick(shell, run.id, "", asking())
    assert len(first) == len(view.PARTS) + len(view.CONTROLS) + 1 and isinstance(first[0], str)
    again = train.tick(shell, run.id, first[-1], asking())
    assert all(skipped(part) for part in again)
    assert isinstance(train.tick(shell, run.id, first[-1], asking(lang="zh-CN"))[0], str), "another language, anew"
    assert skipped(train.tick(shell, "", "", asking()))


# --- curves side by side -------------------------------------------------------------------------------------------

def test_only_curves_of_the_same_sentences_are_offered(shell: page_shell.PageShell) -> None:
    settings = shell.service.settings
    mine, same = put_curve(settings, title="mine"), put_curve(settings, 1.0, title="same")
    put_curve(settings, test="other", title="other")
    put_curve(settings, owner=BOB)
    put_training(settings)
    shell.service.index.sync()
    beside, family, pane = curves.offered(shell, asking(), mine.id)
    assert [run_id for _, run_id in beside["choices"]] == [same.id] and beside["value"] == []
    assert {run_id for _, run_id in family["choices"]} == {mine.id, same.id} and family["value"] == mine.id
    assert pane == ""


@pytest.mark.parametrize("run_id", ["", "20260101T000000-abcdef"])
def test_without_a_curve_nothing_is_offered(shell: page_shell.PageShell, run_id: str) -> None:
    beside, family, _ = curves.offered(shell, asking(), run_id)
    assert beside["choices"] == family["choices"] == []
    trained = ready(shell, put_training(shell.service.settings))
    assert curves.offered(shell, asking(), trained.id)[0]["choices"] == []


def test_two_curves_stand_in_one_chart_with_gains_over_one_of_them(shell: page_shell.PageShell) -> None:
    settings = shell.service.settings
    one, two = put_curve(settings, title="one"), put_curve(settings, 2.0, title="two")
    shell.service.index.sync()
    html = curves.beside(shell, asking(), one.id, [two.id], "")
    assert html.count("<svg viewBox=\"0 0 480") == 1 and "one · SM2 0.3" in html and "two · SM2 0.9" in html
    assert "over the wait-k of one" in html
    assert "over the wait-k of two" in curves.beside(shell, asking(), one.id, [two.id], two.id)
    assert curves.beside(shell, asking(), one.id, [], "") == "" == curves.beside(shell, asking(), one.id, [], one.id)
    lone = curves.beside(shell, asking(), one.id, [], two.id)
    assert "over the wait-k of two" in lone, "one curve against another's wait-k"


def test_curves_of_one_name_are_told_apart(shell: page_shell.PageShell) -> None:
    one, two = put_curve(shell.service.settings), put_curve(shell.service.settings, 1.0)
    shell.service.index.sync()
    html = curves.beside(shell, asking(), one.id, [two.id], "")
    assert "A (2) · SM2 0.3" in html


def test_what_cannot_be_compared_is_refused(shell: page_shell.PageShell) -> None:
    settings = shell.service.settings
    mine, other = put_curve(settings, title="mine"), put_curve(settings, test="other", title="other")
    bare, theirs = put_curve(settings, statistics=False), put_curve(settings, owner=BOB)
    trained = put_training(settings)
    shell.service.index.sync()
    with pytest.raises(UserError, match="different sentences"):
        curves.beside(shell, asking(), mine.id, [other.id], "")
    for run_id in (bare.id, theirs.id, trained.id, "nothing"):
        with pytest.raises(UserError):
            curves.beside(shell, asking(), mine.id, [run_id], "")


# --- the widget ----------------------------------------------------------------------------------------------------

def numbers(html: str, pattern: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(pattern, html)]


def test_marks_stand_where_latency_and_bleu_say() -> None:
    html = widget.chart({"A": curve_result()}, english)
    dots = numbers(html.split("<ul")[0], r'<circle cx="([\d.]+)" cy="([\d.]+)" r="4"')
    assert len(dots) == 2 and dots[0][0] < dots[1][0] and dots[0][1] > dots[1][1], "later is right, better is up"
    inside = [widget.LEFT <= x <= widget.WIDTH and widget.TOP <= y <= widget.HEIGHT for x, y in dots]
    assert all(inside)
    assert html.count('class="tl-point"') == 5 and html.count("tl-dashed") == 1


def test_models_have_colours_of_their_own_and_a_legend() -> None:
    html = widget.chart({f"model {n}": curve_result(n) for n in range(8)}, english)
    assert [f"--wb-c{n})" in html for n in range(1, 8)] == [True] * 6 + [False]
    assert html.count("tl-swatch") == 6
    assert "tl-swatch" not in widget.chart({"A": curve_result()}, english)


def test_hostile_names_are_escaped() -> None:
    name = '"><script>x</script>'
    html = widget.chart({name: curve_result()}, english) + widget.gained({name: curve_result().gains, "b": ()}, english)
    assert "<script" not in html and "&lt;script&gt;" in html


def test_points_without_a_latency_are_left_out() -> None:
    whole = curve_result()
    empty = replace(whole, points=tuple(replace(p, words={}) for p in whole.points))
    assert widget.chart({"A": empty}, english) == "" == widget.chart({}, english)
    some = replace(whole, points=(*whole.points[:2], point("wait-9", "wait-k", 3.0, None)))
    assert widget.chart({"A": some}, english).count('class="tl-point"') == 2
    table = widget.points(some, english)
    assert "wait-9" in table and "–" in table and "nan" not in table


@pytest.mark.parametrize("bleu", [0.0, 100.0, 37.0])
def test_a_single_point_has_an_axis(bleu: float) -> None:
    one = replace(curve_result(), points=(point("SM2 0.5", "sm2", bleu, 0.0),))
    html = widget.chart({"A": one}, english)
    assert "<circle" in html and "nan" not in html and "inf" not in html


@pytest.mark.parametrize(("values", "low", "high"), [([1, 2, 9], 0, 10), ([50], 40, 60), ([], 0, 2), ([0, 0], 0, 1),
                                                     ([98, 99.9], 97, 100)])
def test_an_axis_holds_its_values_with_round_ticks(values: list[float], low: float, high: float) -> None:
    made = widget.axis(values, 0.0, 100.0, 100.0)
    assert low <= made.low <= min(values, default=0.5) and max(values, default=0.5) <= made.high <= high + 1e-9
    assert all(made.low - 1e-9 <= tick <= made.high + 1e-9 for tick in made.ticks)
    assert made.at(made.low) == 0.0 and made.at(made.high) == 100.0 and made.at(1e9) == 100.0


@pytest.mark.parametrize(("value", "words"), [(1.234, "+1.23"), (-0.5, "\u22120.50"), (0.0, "+0.00")])
def test_differences_have_signs(value: float, words: str) -> None:
    assert widget.signed(value) == words


def test_a_verdict_follows_the_interval() -> None:
    gain = curve_result().gains[0]
    assert widget.verdict(gain).endswith(".above")
    assert widget.verdict(replace(gain, low=-2.0, high=-1.0)).endswith(".below")
    assert widget.verdict(replace(gain, low=-1.0, beyond=True)).endswith(".open.beyond")
    assert english(widget.verdict(gain)) == "above"


def test_sufficiency_is_a_column_where_it_is_known() -> None:
    whole = curve_result()
    assert "sufficiency" not in widget.points(whole, english)
    known = replace(whole, points=tuple(replace(p, sufficiency=0.75) for p in whole.points))
    assert "sufficiency" in widget.points(known, english) and "0.750" in widget.points(known, english)


def test_the_full_sentence_is_named_in_the_readers_language() -> None:
    assert 'scope="row">full sentence' in widget.points(curve_result(), english)
    chinese = widget.points(curve_result(), partial(say, "zh-CN"))
    assert 'scope="row">整句' in chinese and "full sentence" not in chinese and 'scope="row">SM2 0.3' in chinese


# --- on the built page ---------------------------------------------------------------------------------------------

def test_the_view_opens_with_a_form_and_keeps_what_was_typed(page: Page) -> None:
    made = page.call("translation_train", "show", "", "translator", asking())
    assert json.loads(made)["kind"] == "translator"
    assert skipped(page.call("translation_train", "show", made, "translator", asking()))
    assert json.loads(page.call("translation_train", "show", made, "curve", asking()))["kind"] == "curve"
    other = page.call("translation_train", "show", made, "translator", asking(lang="zh-CN"))
    assert json.loads(other)["lang"] == "zh-CN"


def test_buttons_reach_the_run(page: Page) -> None:
    run = put_training(page.service.settings)
    page.service.index.sync()
    assert page.call("translation_train", "begin_example", asking()) == "r-new"
    assert page.made[-1][0] == TRAIN
    page.call("run_controls", "stop", run.id, asking())
    page.call("run_controls", "proceed", run.id, asking())
    assert page.cancelled[-1] == page.resumed[-1] == run.id
    listed = page.call("run_list", "list_runs", run.id, asking(), within="translation/train")
    assert listed["value"] == run.id and run.id in [run_id for _, run_id in listed["choices"]]


def test_a_model_goes_to_the_other_views(page: Page) -> None:
    modes, note = page.call("translation_train", "translate", "r-1")
    assert isinstance(modes, gr.Tabs) and modes.selected == "translate" and handed(note).model == "run:r-1/model"
    modes, note = page.call("translation_train", "play", "r-1")
    assert modes.selected == "simul" and handed(note).model == "run:r-1/model"


def test_a_model_is_fine_tuned_and_measured_from_its_own_request(page: Page) -> None:
    run = put_training(page.service.settings, "offline")
    page.service.index.sync()
    kind, note = page.call("translation_train", "tune", run.id, asking())
    wanted = forms.asked(note)
    assert kind == "translator" and wanted is not None
    again = from_json(TrainRequest, dict(wanted.fields))
    assert (again.start, again.objective, again.name) == (f"run:{run.id}/model", "sm2", "Mine")
    kind, note = page.call("translation_train", "measure", run.id, asking())
    wanted = forms.asked(note)
    assert kind == "curve" and wanted is not None and wanted.models == (f"run:{run.id}/model",)


def test_another_person_cannot_fine_tune_a_model(page: Page) -> None:
    run = put_training(page.service.settings)
    page.service.index.sync()
    with pytest.raises(gr.Error):
        page.call("translation_train", "tune", run.id, asking(OTHER))
