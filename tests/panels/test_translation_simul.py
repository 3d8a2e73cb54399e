"""The Simultaneous view without a browser: what is asked, shown, kept, saved and measured, and who may do it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from backends.sm2.models import Facts, default_model
from panels import translation_simul as view
from panels import translation_simul_curve as curve
from panels import translation_simul_states as states
from panels.translation_desk import Handed
from panels.translation_simul_states import ORDER, Asked, Shelf
from tests.panels.simul_cases import SENTENCE, curve_result, made, practice, small
from tests.panels.test_dialogue_wiring import ANN, BOB, COOKIE, OTHER, Page, asking, noting
from workbench import shell as page_shell
from workbench.contract import UserError
from workbench.files import write_json
from workbench.runs import Run, create_run
from workbench.service import Service
from workbench.settings import Settings
from workbench.widgets.sm2_states import play_of

SAVED = {"act": "save", "kind": "html", "threshold": 0.5, "track": -1, "at": 3}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests; a sentence's states are those of the practice model, computed once here."""
    with noting(tmp_path_factory.mktemp("simul")) as built, pytest.MonkeyPatch.context() as patch:
        built.asked = []

        def stream(task: str, fields: dict[str, Any], *, visitor: str) -> Iterator[Any]:
            built.asked.append((task, fields, visitor))
            if "refuse" in fields["text"]:
                raise UserError("The language of this model has no word 'refuse'.")
            yield practice(fields["text"], fields["k"], fields["min_read"])
        patch.setattr(built.service, "stream", stream)
        yield built


@pytest.fixture
def desk(settings: Settings) -> page_shell.PageShell:
    """A shell over an empty home."""
    return page_shell.PageShell(Service(settings))


def told(**data: Any) -> SimpleNamespace:
    """An event of a widget."""
    return SimpleNamespace(_data=data)


def call(page: Page, name: str, *values: Any, module: str = "translation_simul", number: int = 0) -> Any:
    """Call a handler of exactly this module (others begin with its name)."""
    found = [block for block in page.handlers(f"panels.{module}")
             if block.fn.__module__ == f"panels.{module}" and block.fn.__name__ == name]
    result = found[number].fn(*values)
    assert not isinstance(result, list | tuple) or len(found[number].outputs) in (1, len(result)), name
    return result


def put(settings: Settings, model: str = "practice", *, owner: str = ANN, status: str = "succeeded",
        result: Any = None) -> Run:
    """A measuring as the task leaves it."""
    run = create_run(settings.home, curve.CURVE, {"model": model, "sentences": 200}, owner=owner, title="Curve")
    state = json.loads((run.path / "state.json").read_text())
    write_json(run.path / "state.json", {**state, "status": status, "step": 1, "total": 4})
    if status == "succeeded":
        write_json(run.path / "result.json", curve_result() if result is None else result)
    return run


# --- what is asked -------------------------------------------------------------------------------------------------

def test_a_note_is_read_back_as_it_was_written() -> None:
    wanted = Asked("svo n1", "practice", 4, 1, True, 0.25)
    assert states.asked(wanted.note()) == wanted
    again = states.asked(wanted.note(now=True))
    assert again and replace(again, nonce="") == wanted and again.nonce
    assert wanted.fields == {"text": "svo n1", "model": "practice", "k": 4, "min_read": 1, "forbid_early_end": True}


@pytest.mark.parametrize("note", [
    "", "{}", "[]", "no json", '"text"', "null", '{"view": "compare", "text": "a"}', '{"view": "simul"}',
    '{"view": "simul", "text": "  ", "model": "practice"}', '{"view": "simul", "text": "a", "model": 3}',
    '{"view": "simul", "text": "a", "model": "practice", "k": 0}',
    '{"view": "simul", "text": "a", "model": "practice", "k": "many"}',
    '{"view": "simul", "text": "a", "model": "practice", "min_read": 101}',
    '{"view": "simul", "text": "a", "model": "practice", "threshold": 0}',
    '{"view": "simul", "text": "a", "model": "practice", "threshold": 1.5}',
    '{"view": "simul", "text": "a", "model": "practice", "unknown": 1}',
    json.dumps({"view": "simul", "text": "x" * 301, "model": "practice"}), "[" * 5000])
def test_an_address_that_somebody_wrote_by_hand_asks_for_nothing(note: str) -> None:
    assert states.asked(note) is None


@pytest.mark.parametrize(("values", "words"), [
    (("", "practice", 3, 2, False), "no sentence to play"), ((" \n ", "practice", 3, 2, False), "no sentence to play"),
    (("x" * 301, "practice", 3, 2, False), "has 301 characters; this view takes 300"),
    (("svo", "practice", None, 2, False), "k is None; it must be a whole number"),
    (("svo", "practice", 2.5, 2, False), "k is 2.5; it must be a whole number"),
    (("svo", "practice", 0, 2, False), "k is 0"), (("svo", "practice", 3, 0, False), "min_read is 0"),
    (("svo", "practice", 3, True, False), "min_read is True"), (("svo", "m" * 501, 3, 2, False), "model is")])
def test_what_cannot_be_asked_is_refused_by_name(values: tuple[Any, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        states.wanted_of(*values)


def test_a_sentence_becomes_one_line_and_an_empty_model_the_default_one() -> None:
    wanted = states.wanted_of(" svo\n n1\t n2 ", " ", 3, 2, False)
    assert (wanted.text, wanted.model, wanted.threshold) == ("svo n1 n2", default_model(), 0.5)


# --- computing and showing -----------------------------------------------------------------------------------------

def test_pressing_translate_shows_the_player_at_the_threshold_of_before(page: Page) -> None:
    before = Asked("svo n1", "practice", threshold=0.25).note()
    note = call(page, "begin", SENTENCE, "practice", 3, 2, False, before)
    wanted = states.asked(note)
    assert wanted and wanted.text == SENTENCE and wanted.threshold == 0.25
    waiting, shown = list(page.find("translation_simul", "show").fn(note, asking()))
    assert "computing every state" in waiting[0] and waiting[3]["visible"] is True
    assert 'class="sp"' in shown[0] and 'data-threshold="0.25"' in shown[0] and shown[3]["visible"] is False
    assert "launch.py run sm2.states.v1" in shown[1] and "sov n1 n2" in shown[1] and "synthetic" in shown[1]
    assert states.asked(shown[2]) == replace(wanted, nonce="")
    assert len(json.dumps(shown)) < 200_000
    task, fields, visitor = page.asked[-1]
    assert (task, visitor) == (states.TASK, ANN) and fields == wanted.fields


def test_the_same_press_again_asks_again(page: Page) -> None:
    first, second = (call(page, "begin", SENTENCE, "practice", 3, 2, False, "") for _ in range(2))
    assert states.asked(first).fields == states.asked(second).fields
    count = len(page.asked)
    list(page.find("translation_simul", "show").fn(second, asking()))
    assert len(page.asked) == count + 1, "a model may have changed: a press computes anew"


def test_a_refusal_is_shown_where_the_player_would_be(page: Page) -> None:
    note = Asked("refuse <b>this</b>", "practice").note(now=True)
    *_, shown = list(page.find("translation_simul", "show").fn(note, asking()))
    assert 'role="alert"' in shown[0] and "no word" in shown[0] and "<b>" not in shown[0]
    assert shown[3]["visible"] is False and shown[2] == gr.skip()


def test_an_empty_note_shows_nothing(page: Page) -> None:
    assert list(page.find("translation_simul", "show").fn("", asking())) == [[gr.skip()] * 4]


def test_chinese_readers_get_chinese(page: Page) -> None:
    note = Asked(SENTENCE, "practice").note(now=True)
    waiting, shown = list(page.find("translation_simul", "show").fn(note, asking(lang="zh-CN")))
    assert "正在打开" in waiting[0] and "阈值" in shown[0] and "播放" in shown[0]


def test_the_states_come_from_a_process_of_their_own(home: Path) -> None:
    """The one test that starts it."""
    shell = page_shell.PageShell(Service(Settings(home=home)))
    play = states.computed(shell, Shelf(), asking(), Asked("svo n1 n2 v3 o4 o5 o6 o7", "practice"))
    assert play.written(play.at(0.9)) == "N1 N2 V3 O4 O5 O6 O7" and len(play.others) == 2
    with pytest.raises(UserError, match="no word"):
        states.computed(shell, Shelf(), asking(), Asked("guten tag", "practice"))
    with pytest.raises(UserError, match="There is no run"):
        states.computed(shell, Shelf(), asking(), Asked("svo", "run:20260101T000000-abcdef/model"))


# --- examples ------------------------------------------------------------------------------------------------------

def test_the_example_button_plays_something(page: Page) -> None:
    values = call(page, "example", "practice", asking())
    assert values[0] == ORDER[0] and states.asked(values[5]).model == "practice"
    values = call(page, "example", "path:/nowhere", asking())
    assert values[:2] == [ORDER[0], "practice"], "a model without examples: the practice one"


def test_examples_are_in_the_languages_of_the_model(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = page_shell.PageShell(page.service)
    assert states.examples(shell, asking(), "practice") == ORDER
    assert states.examples(shell, asking(), "hub:some/model") == ()
    monkeypatch.setattr(states, "facts_of", lambda *_: Facts("T", "sm2", 0.1, {"request": {"source": ["a.txt"]}}))
    for languages, count in ((("de", "zh", "en"), 6), (("zh",), 3), (("fr",), 0), ((), 0)):
        monkeypatch.setattr(states.hub, "card", lambda *_, found=languages: SimpleNamespace(languages=found))
        assert len(states.examples(shell, asking(), "bundled:sm2-x")) == count
    monkeypatch.setattr(states, "facts_of", lambda *_: Facts("T", "sm2", 0.1, {"request": {"source": []}}))
    assert states.examples(shell, asking(), "run:x/model") == ORDER


def test_every_example_fits_the_practice_model_and_the_view() -> None:
    for text in ORDER:
        assert play_of(practice(text), "practice").ranges
    for found in states.EXAMPLES.values():
        assert all(states.checked(Asked(text, "practice")) for text in found) and len(found) >= 3


def test_a_pressed_example_is_filled_in_and_asked_for(page: Page) -> None:
    shown = call(page, "suit", "practice", asking())
    assert shown.count("data-act") == len(ORDER) and "Try:" in shown
    text, note = call(page, "pick", told(act="example", key=ORDER[1]), "practice", 5, 2, False)
    assert text == ORDER[1] and states.asked(note).k == 5


def test_models_are_offered_with_the_chosen_one_kept(page: Page) -> None:
    offered = call(page, "offer", "hub:org/marian", asking())
    references = [reference for _, reference in offered["choices"]]
    assert "practice" in references and references[-1] == "hub:org/marian"
    assert default_model() == call(page, "offer", "", asking())["choices"][0][1]


# --- handing over and the address ----------------------------------------------------------------------------------

def test_a_line_of_another_view_is_played(page: Page) -> None:
    values = call(page, "receive", Handed("svo n1 v3 o2", "practice").note())
    assert values[:2] == ["svo n1 v3 o2", "practice"] and states.asked(values[5]).text == "svo n1 v3 o2"
    assert call(page, "receive", "") == [gr.skip()] * 6
    with pytest.raises(gr.Error, match="301 characters"):
        call(page, "receive", Handed("x" * 301, "practice").note())


def test_the_address_brings_a_sentence_back_once(page: Page) -> None:
    held = Asked(SENTENCE, "practice", 4, threshold=0.9)
    values = call(page, "restore", held.note(), "")
    assert values[:3] == [SENTENCE, "practice", 4] and states.asked(values[5]).threshold == 0.9
    assert call(page, "restore", held.note(), values[5]) == [gr.skip()] * 6, "it is being computed already"
    moved = replace(held, threshold=0.1)
    assert call(page, "restore", moved.note(), values[5]) == [gr.skip()] * 6, "a moved slider computes nothing"
    assert call(page, "restore", '{"view": "compare"}', "") == [gr.skip()] * 6


def test_a_threshold_at_rest_is_kept_in_the_address(page: Page) -> None:
    state, file = call(page, "told", told(act="rest", threshold=0.123456789), Asked(SENTENCE, "practice").note(),
                       asking())
    assert states.asked(state).threshold == 0.123457 and file == gr.skip()
    for wrong in (None, "x", 0, 2, True, float("nan")):
        state, _ = call(page, "told", told(act="rest", threshold=wrong), Asked(SENTENCE, "practice").note(), asking())
        assert states.asked(state).threshold == 0.5
    with pytest.raises(gr.Error, match="No sentence is shown"):
        call(page, "told", told(act="rest", threshold=0.5), "", asking())


# --- files ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("kind", "begins"), [("html", b"<!doctype html>"), ("png", b"\x89PNG"), ("gif", b"GIF89a")])
def test_what_the_player_shows_becomes_a_file(page: Page, kind: str, begins: bytes) -> None:
    count, note = len(page.asked), Asked(SENTENCE, "practice", k=3 + len(kind + begins.decode("latin-1"))).note()
    state, file = call(page, "told", told(**{**SAVED, "kind": kind}), note, asking())
    path = Path(file["value"])
    assert path.read_bytes().startswith(begins) and path.suffix == f".{kind}" and file["visible"] is True
    assert "sov-n1" in path.name and len(page.asked) == count + 1 and states.asked(state)
    call(page, "told", told(**{**SAVED, "kind": kind}), note, asking())
    assert len(page.asked) == count + 1, "the second file is made of kept states"


def test_files_of_a_sentence_that_is_kept_ask_nothing(page: Page) -> None:
    note = Asked(SENTENCE, "practice", k=9).note(now=True)
    list(page.find("translation_simul", "show").fn(note, asking()))
    count = len(page.asked)
    call(page, "told", told(**SAVED), note, asking())
    assert len(page.asked) == count
    call(page, "told", told(**SAVED), note, asking(OTHER))
    assert len(page.asked) == count + 1, "what Ann computed is not Bob's"


@pytest.mark.parametrize(("kind", "words"), [("exe", "exe.* cannot be made"), (None, "cannot be made"),
                                             ("../x", "cannot be made")])
def test_no_other_files_are_made(page: Page, kind: Any, words: str) -> None:
    with pytest.raises(gr.Error, match=words):
        call(page, "told", told(**{**SAVED, "kind": kind}), Asked(SENTENCE, "practice").note(), asking())


@pytest.mark.parametrize("data", [
    {}, {"threshold": "x", "track": "y", "at": "z"}, {"threshold": -1, "track": 99, "at": 10**9},
    {"threshold": float("inf"), "track": -5, "at": -4}, {"threshold": 1, "track": 1, "at": 2}])
def test_whatever_a_browser_sends_a_picture_is_drawn_or_refused(desk: page_shell.PageShell, tmp_path: Path,
                                                                data: dict[str, Any]) -> None:
    for result in (small(), made(("▁a", "</s>"), [])):
        for kind in ("html", "png", "gif"):
            path, _ = states.save(play_of(result, "m"), {**data, "kind": kind}, "en", tmp_path, desk)
            assert path.parent == tmp_path and path.stat().st_size > 200
    assert {Image.open(path).format for path in tmp_path.glob("*.[pg]*")} <= {"PNG", "GIF"}


def test_a_name_of_a_file_has_no_path_in_it(desk: page_shell.PageShell, tmp_path: Path) -> None:
    result = made(("▁../../etc/passwd", "▁<b>", "</s>"), [(0, 1, ("▁x", "</s>"), "RRRWW")])
    path, remark = states.save(play_of(result, "m"), {"kind": "html"}, "en", tmp_path, desk)
    assert path.parent == tmp_path and "/" not in path.name and remark == ""


def test_a_picture_without_a_chinese_font_says_so(desk: page_shell.PageShell, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    play = play_of(made(("▁我", "</s>"), [(0, 1, ("▁I", "</s>"), "RRWW")]), "m")
    monkeypatch.setattr(states.sm2_film, "CJK_FONTS", ())
    assert "fonts-noto-cjk" in states.save(play, {"kind": "png"}, "en", tmp_path, desk)[1]
    assert "Noto" in states.save(play, {"kind": "gif"}, "zh-CN", tmp_path, desk)[1]
    assert states.save(play, {"kind": "html"}, "en", tmp_path, desk)[1] == ""


def test_the_shelf_forgets_the_oldest_and_keeps_visitors_apart() -> None:
    shelf, play = Shelf(), play_of(small(), "m")
    for number in range(states.KEPT + 5):
        shelf.put(ANN, Asked(f"s{number}", "practice"), play)
    assert len(shelf.plays) == states.KEPT and shelf.get(ANN, Asked("s0", "practice")) is None
    newest = Asked(f"s{states.KEPT + 4}", "practice")
    assert shelf.get(ANN, newest) is play and shelf.get(BOB, newest) is None
    assert shelf.get(ANN, replace(newest, threshold=0.1, nonce="x")) is play, "the threshold asks for nothing new"
    assert shelf.get(ANN, replace(newest, k=4)) is None


# --- the curve -----------------------------------------------------------------------------------------------------

def test_curves_of_the_model_are_offered_to_who_may_read_them(page: Page) -> None:
    settings = page.service.settings
    mine, other = put(settings), put(settings, "bundled:sm2-tatoeba-en")
    going = put(settings, status="running")
    put(settings, owner=BOB)
    page.service.index.sync()
    offered, chosen = call(page, "offer", "practice", "", asking(), module="translation_simul_curve")
    assert {run_id for _, run_id in offered["choices"]} == {mine.id, going.id}
    assert chosen == mine.id == offered["value"], "the newest that has ended"
    _, kept = call(page, "offer", "practice", going.id, asking(), module="translation_simul_curve")
    assert kept == going.id
    _, chosen = call(page, "offer", "bundled:sm2-tatoeba-en", going.id, asking(), module="translation_simul_curve")
    assert chosen == other.id, "another model, another curve"
    _, none = call(page, "offer", "hub:x/y", mine.id, asking(), module="translation_simul_curve")
    assert none == ""


def test_a_finished_curve_is_drawn_and_sent_once(page: Page) -> None:
    run = put(page.service.settings)
    page.service.index.sync()
    state, drawn, key = call(page, "look", run.id, "", asking(), module="translation_simul_curve")
    assert state == "" and 'class="sp-curve"' in drawn and "BLEU 60.00" in drawn
    assert call(page, "look", run.id, key, asking(), module="translation_simul_curve") == [gr.skip()] * 3
    refused = call(page, "look", run.id, "", asking(OTHER), module="translation_simul_curve")
    assert "There is no run" in refused[0] and refused[1] == ""


@pytest.mark.parametrize("status", ["queued", "running", "failed", "cancelled"])
def test_a_measuring_that_has_not_succeeded_is_told(page: Page, status: str) -> None:
    run = put(page.service.settings, status=status)
    page.service.index.sync()
    looks = curve.looks(page_shell.PageShell(page.service), run.id, asking())
    assert "wb-progress" in looks[0] and looks[1] == ""


def test_no_run_shows_nothing(page: Page) -> None:
    assert curve.looks(page_shell.PageShell(page.service), "", asking()) == ["", ""]
    assert call(page, "choose", None, module="translation_simul_curve") == ""


def test_measuring_the_practice_model_needs_no_files(page: Page) -> None:
    call(page, "start", "practice", "", "", asking(), module="translation_simul_curve")
    task, fields, more = page.made[-1]
    assert task == curve.CURVE and fields == {"model": "practice", "sentences": curve.SENTENCES,
                                              "thresholds": list(curve.THRESHOLDS)}
    assert more["visitor"] == ANN and "order language" in more["title"]


def test_another_model_needs_a_test_set(page: Page, tmp_path: Path) -> None:
    with pytest.raises(gr.Error, match="needs a test set"):
        call(page, "start", "hub:org/marian", "", "", asking(), module="translation_simul_curve")
    source, target = tmp_path / "a.de", tmp_path / "a.en"
    for path in (source, target):
        path.write_text("x\n", encoding="utf-8")
    call(page, "start", "hub:org/marian", str(source), f"path:{target}", asking(), module="translation_simul_curve")
    fields = page.made[-1][1]
    assert fields["source"] == f"path:{source}" and fields["target"] == f"path:{target}"
    assert fields["thresholds"] == [], "no trained confidence is known: wait-k and the full sentence"


def test_a_brought_file_gets_a_reference(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "test.de"
    path.write_text("Guten Tag\n", encoding="utf-8")
    for number in range(2):
        reference = call(page, "bring", str(path), module="translation_simul_curve", number=number)
        assert reference.startswith("path:") and reference.endswith("/test.de")
    (tmp_path / "empty.de").touch()
    with pytest.raises(gr.Error, match="is empty"):
        call(page, "bring", str(tmp_path / "empty.de"), module="translation_simul_curve")


# --- rules that every handler keeps --------------------------------------------------------------------------------

def test_handlers_are_private_and_refusals_are_shown(page: Page) -> None:
    blocks = list(page.handlers("panels.translation_simul"))
    assert len(blocks) >= 15 and {block.api_visibility for block in blocks} == {"private"}
    for block in blocks:
        events = {event for _, event in block.targets}
        if hasattr(block.fn, "__wrapped__") and events & {"click", "select", "upload", "input"}:
            assert block.queue, block.fn.__name__


def test_the_script_travels_once_for_each_pane_and_is_small(page: Page) -> None:
    panes = [block for block in page.blocks.blocks.values() if isinstance(block, gr.HTML)]
    with_script = [block for block in panes if "sm2.watch" in str(block.js_on_load)]
    assert len(with_script) == 2
    assert all(len(block.js_on_load) < 40_000 for block in with_script)


def test_values_of_another_visitors_note_do_not_reach_their_runs(page: Page) -> None:
    """Rights are asked for at every computing: the note of the browser is only a wish."""
    service = Service(page.service.settings)
    run = put(page.service.settings, owner=BOB)
    service.index.sync()
    shell = page_shell.PageShell(service)
    with pytest.raises(UserError, match="There is no run"):
        states.computed(shell, Shelf(), asking(COOKIE), Asked("svo", f"run:{run.id}/model"))


def test_view_holds_what_the_tab_needs(page: Page) -> None:
    names = set(view.View.__dataclass_fields__)
    assert {"run", "asked", "state", "shelf", "fields", "buttons", "html", "file", "curve"} == names
    for block in page.handlers("panels.translation_simul"):
        assert len(block.inputs) <= 7
