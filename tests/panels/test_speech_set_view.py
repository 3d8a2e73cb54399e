"""The Data set view as it is wired: what its buttons ask for, what a run shows, what a press does, who hears."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import soundfile

from backends.blsp_emo.recognise_requests import PROBE, RecogniseRequest
from backends.common.speech.practice import PRACTICE
from panels import speech_set as view
from panels import speech_set_data as data
from panels import speech_set_form as forms
from panels import speech_set_work as work
from panels.speech_desk import RECOGNISE, STAGE2
from panels.speech_set_files import bring_together, labelled, manifest_at
from panels.speech_set_look import Look, look
from tests.backends.blsp_cases import tone
from tests.backends.recognise_cases import make_clips, rows_of, write_rows
from tests.panels.compare_cases import acts, parsed, pressing
from tests.panels.speech_set_cases import ANSWERS, put
from tests.panels.test_dialogue_scenarios import shell_of
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from tests.panels.translation_runs import put as put_run
from workbench import text
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.files import write_json
from workbench.runs import load_run
from workbench.shell import PageShell

VIEW = "speech/set"
SHARED = ("result_view", "run_list", "run_controls")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("speech-set")) as built:
        yield built


@pytest.fixture
def shell(page: Page) -> PageShell:
    """What a view is given."""
    return shell_of(page)


def ask(page: Page, lang: str = "en", **changed: Any) -> tuple[str, dict, dict]:
    """What pressing Measure makes of the form with these changes."""
    page.made.clear()
    block = page.find("speech_set", "begin_measure")
    values = {name: component.value for name, component in zip(forms.NAMES, block.inputs, strict=True)}
    block.fn(asking(lang=lang), *[{**values, **changed}[name] for name in forms.NAMES])
    return page.made[-1]


# --- the form ---


def test_every_field_that_a_person_sets_is_on_the_form() -> None:
    assert {*forms.NAMES, "features"} == set(forms.SPECS), "features are found by the page itself"


def test_the_form_as_it_opens_measures_the_practice_clips(page: Page) -> None:
    task, fields, more = ask(page)
    assert task == RECOGNISE and more["visitor"] == ANN and more["title"] == "practice clips, a probe learned here"
    assert from_json(RecogniseRequest, fields) == RecogniseRequest()


def test_settings_arrive_in_their_own_types(page: Page) -> None:
    _, fields, more = ask(page, "zh-CN", manifest="/data/x.jsonl", root=" /data ", folds="leaky", parts=3.0, layer=1.0,
                          calibration="both", neutral_clips=1.0, uncertain=0.5, emotions=["sad", "happy"], limit=None,
                          draws=0.0, padded=True, save=False, learn_from="~/y.jsonl", learn_root="path:/y")
    request = from_json(RecogniseRequest, fields)
    assert (request.manifest, request.root) == ("path:/data/x.jsonl", "path:/data")
    assert (request.learn_from, request.learn_root) == ("path:~/y.jsonl", "path:/y")
    assert (request.folds, request.parts, request.layer, request.calibration) == ("leaky", 3, 1, "both")
    assert request.emotions == ("sad", "happy") and request.limit == 0 and request.draws == 0 and request.padded
    assert more["title"].startswith("x.jsonl，")


def test_what_has_learned_already_learns_from_nothing(page: Page) -> None:
    _, fields, more = ask(page, recogniser="run:r1/recogniser", learn_from="path:/y", learn_root="path:/z")
    request = from_json(RecogniseRequest, fields)
    assert (request.recogniser, request.learn_from, request.learn_root) == ("run:r1/recogniser", "", "")
    assert more["title"] == "practice clips, recogniser"
    assert from_json(RecogniseRequest, ask(page, recogniser="", learn_root="path:/z")[1]) == RecogniseRequest()


@pytest.mark.parametrize(("changed", "words"), [({"emotions": ["sad"]}, "emotions"), ({"parts": 0}, "parts"),
                                                ({"uncertain": 3}, "uncertain"), ({"layer": 200}, "layer")])
def test_a_bad_setting_is_told_and_nothing_is_started(page: Page, changed: dict, words: str) -> None:
    with pytest.raises(gr.Error, match=words):
        ask(page, **changed)
    assert not page.made


def test_the_example_is_the_practice_clips(page: Page) -> None:
    page.made.clear()
    page.find("speech_set", "begin_practice").fn(asking(lang="zh-CN"))
    task, fields, more = page.made[-1]
    assert task == RECOGNISE and fields == {} and more["title"] == "练习片段，在此学习的探针"


def test_clips_that_were_heard_before_are_not_heard_again(page: Page) -> None:
    plain = {"manifest": "path:/seen.jsonl", "emotions": ["sad", "happy"]}
    run = put(page.service, fields={**RecogniseRequest().__dict__, **plain, "emotions": ["happy", "sad"]})
    (run.path / "artifacts" / "features.npy").write_bytes(b"")
    page.service.index.sync()
    assert ask(page, **plain)[1]["features"] == f"run:{run.id}"
    assert ask(page, **plain, layer=3.0, calibration="both")[1]["features"] == f"run:{run.id}"
    for other in ({"root": "path:/x"}, {"padded": True}, {"limit": 5}, {"encoder": "package:whisper-base"},
                  {"recogniser": "run:r/recogniser"}):
        assert "features" not in ask(page, **{**plain, **other})[1], other
    theirs = put(page.service, owner=BOB, fields={**RecogniseRequest().__dict__, "manifest": "path:/theirs.jsonl"})
    (theirs.path / "artifacts" / "features.npy").write_bytes(b"")
    assert "features" not in ask(page, manifest="path:/theirs.jsonl")[1]


def test_recognisers_to_choose_are_bundled_ones_and_this_visitors(page: Page, shell: PageShell) -> None:
    mine, theirs = put(page.service, kept=True), put(page.service, kept=True, owner=BOB)
    trained = put_run(page.service.settings, STAGE2, {}, {}, title="Stage <2>")
    (trained.path / "artifacts" / "model").mkdir()
    write_json(trained.path / "artifacts" / "model" / "config.json", {"model_type": "blsp_emo"})
    page.service.index.sync()
    found = [value for _, value in forms.recognisers(shell, ANN, "en")]
    assert found[0] == PROBE and f"run:{mine.id}/recogniser" in found and f"run:{trained.id}/model" in found
    assert not any(theirs.id in value for value in found)
    offered = page.call("speech_set", "offer_recognisers", "hub:own/one", asking())["choices"]
    assert offered[-1] == ("hub:own/one", "hub:own/one")


def test_a_recogniser_that_another_view_hands_over_is_chosen(page: Page) -> None:
    assert page.call("speech_set", "handed_recogniser", "run:r/model") == "run:r/model"
    assert page.call("speech_set", "handed_recogniser", "") == gr.skip()


# --- clips that are brought ---


def test_a_manifest_and_its_clips_are_kept_together(page: Page, shell: PageShell, tmp_path: Path) -> None:
    manifest = make_clips(tmp_path, speakers=2, takes=1)
    note, emptied = page.call("speech_set", "bring_clips", [str(path) for path in tmp_path.iterdir()])
    assert emptied is None and note.startswith("path:") and note.endswith("/manifest.jsonl")
    kept = Path(note.removeprefix("path:"))
    assert len(list(kept.parent.iterdir())) == 9 and kept.read_bytes() == manifest.read_bytes()
    assert len(manifest_at(shell, ANN, note, "").rows) == 8
    again, _ = page.call("speech_set", "bring_clips", [str(path) for path in tmp_path.iterdir()])
    assert again == note, "the same files are kept once"
    html = page.call("speech_set", "draw_clips", note, "", asking())
    assert "8 clips of 2 speakers" in html and "sad 2" in html
    assert page.call("speech_set", "bring_clips", None) == (gr.skip(), None)
    assert not [path for path in kept.parent.parent.iterdir() if path.name.endswith(".tmp")]


def test_clips_whose_names_say_the_emotion_need_no_manifest(shell: PageShell, tmp_path: Path) -> None:
    for name in ("03a01Fa.wav", "08a02Tb.wav", "03-01-05-01-02-01-12.wav"):
        soundfile.write(tmp_path / name, tone(0.3), 16_000)
    found = manifest_at(shell, ANN, bring_together(shell, list(tmp_path.iterdir())), "")
    assert {(row.speaker, row.emotion) for row in found.rows} == {("emodb_03", "happy"), ("emodb_08", "sad"),
                                                                 ("ravdess_12", "angry")}
    assert labelled("03a01La.wav").emotion == "boredom", "it is told as one of the rows that cannot be used"


def test_files_that_cannot_be_taken_in_are_told(shell: PageShell, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "voice.wav", tone(0.3), 16_000)
    one, two, empty = (write_rows(tmp_path / name, rows) for name, rows in (
        ("a.jsonl", [{"audio": "a"}]), ("b.jsonl", [{"audio": "a"}]), ("c.jsonl", [])))
    for files, words in (([tmp_path / "voice.wav"], "without a manifest"), ([one, two], "both manifests"),
                         ([empty], "empty"), ([], "No file")):
        with pytest.raises(UserError, match=words):
            bring_together(shell, files)
    with pytest.raises(UserError, match="the most"):
        bring_together(shell, [one] * 2001)


def test_bad_rows_are_named_before_anything_is_measured(page: Page, tmp_path: Path) -> None:
    manifest = make_clips(tmp_path, speakers=2, takes=1)
    rows = [*rows_of(manifest), {"audio": "gone.wav", "emotion": "sad"}, {"audio": "p0-0-sad.wav", "emotion": "bored"},
            {"audio": "p0-0-sad.wav", "emotion": "sad", "speaker": ""}]
    write_rows(manifest, rows)
    for lang in text.LANGUAGES:
        html = page.call("speech_set", "draw_clips", str(manifest), "", asking(lang=lang))
        parsed(html)
        assert "gone.wav" in html and "bored" in html and "speech_set." not in html
    assert "no speaker" in page.call("speech_set", "draw_clips", str(manifest), "", asking())


@pytest.mark.parametrize(("manifest", "root", "words"), [
    ("/nowhere/m.jsonl", "", "There is no manifest"), ("nonsense", "", "There is no manifest"),
    ("run:20200101T000000-abcdef/m.jsonl", "", "There is no manifest"), ("{own}", "/nowhere", "There is no folder"),
    ("{own}", "{own}", "There is no folder")])
def test_a_manifest_that_cannot_be_read_says_why(page: Page, tmp_path: Path, manifest: str, root: str, words: str
                                                 ) -> None:
    own = str(make_clips(tmp_path, speakers=1, takes=1))
    html = page.call("speech_set", "draw_clips", manifest.format(own=own), root.format(own=own), asking())
    assert words in html


def test_a_large_manifest_is_read_by_the_run_only(page: Page, shell: PageShell, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    from panels import speech_set_files

    monkeypatch.setattr(speech_set_files, "LARGEST", 10)
    with pytest.raises(UserError, match="will be read when it is measured"):
        manifest_at(shell, ANN, str(make_clips(tmp_path, speakers=1)), "")
    assert "8 clips of 2 speakers" in page.call("speech_set", "draw_clips", "", "", asking())
    assert len(manifest_at(shell, ANN, PRACTICE, "").rows) == 8


# --- a run ---


def look_at(shell: PageShell, run_id: str, sent: str = "{}", lang: str = "en", cookie: str = "a" * 32
            ) -> dict[str, Any]:
    updates = work.tick(shell, run_id, sent, asking(cookie, lang))
    return dict(zip((*work.PARTS, *work.CONTROLS, "done", "sent"), updates, strict=True))


def test_a_finished_run_is_told_once_with_its_files(page: Page, shell: PageShell) -> None:
    run = put(page.service, kept=True)
    seen = look_at(shell, run.id)
    assert seen["done"] == run.id and "Some clips" in seen["head"]
    assert "clips.jsonl" in seen["files"] and f"run:{run.id}/recogniser" in seen["files"]
    assert "A &lt;b&gt;card" in seen["files"] and "license" not in seen["files"]
    assert seen["stop"]["visible"] is seen["continue"]["visible"] is False
    again = work.tick(shell, run.id, seen["sent"], asking())
    assert all(update == gr.skip() for update in again)
    assert "带走" in look_at(shell, run.id, seen["sent"], "zh-CN")["files"]
    bare = look_at(shell, put(page.service).id)
    assert "recogniser" not in bare["files"]


@pytest.mark.parametrize(("state", "stop", "again"), [("queued", True, False), ("running", True, False),
                                                      ("failed", False, True), ("lost", False, True)])
def test_a_run_that_is_not_done_can_be_stopped_or_continued(page: Page, state: str, stop: bool, again: bool) -> None:
    run = load_run(put(page.service, status=state, files=False).path)
    seen = work.looks(run, [], ANN, "en")
    if run.status == state:
        assert (seen["stop"], seen["continue"], seen["done"]) == (stop, again, "")
    others = work.looks(run, [], BOB, "en")
    assert others["stop"] is others["continue"] is False


def test_another_visitors_run_shows_and_sounds_nothing(page: Page, shell: PageShell) -> None:
    run = put(page.service, owner=BOB)
    seen = look_at(shell, run.id)
    assert "There is no run" in seen["head"] and seen["done"] == "" and seen["files"] == ""
    panes = view.READER.drawing(shell, asking(), run.id, Look(of=run.id, open=0).note())
    assert "There is no run" in panes[0] and panes[1:] == [""] * 4
    with pytest.raises(UserError, match="no run"):
        view.READER.after(shell, asking(), run.id, "{}", {"act": "step", "value": "1"})
    assert "<audio" in view.READER.drawing(shell, asking(OTHER), run.id, Look(of=run.id, open=0).note())[4]


def test_a_run_of_another_task_is_not_drawn(page: Page, shell: PageShell) -> None:
    seen = look_at(shell, put(page.service, task=STAGE2).id)
    assert "this view shows measurements" in seen["head"] and seen["done"] == ""


def test_leaving_a_run_empties_the_view(shell: PageShell) -> None:
    assert work.tick(shell, "", "{}", asking()) == gr.skip()
    seen = look_at(shell, "", '{"run": "r/en", "head": 5}')
    assert seen["done"] == "" and seen["sent"] == "{}" and seen["head"] == ""


def test_buttons_stop_and_go_on_and_earlier_runs_are_listed(page: Page, shell: PageShell) -> None:
    page.call("run_list", "list_runs", "", asking(), within=VIEW)
    mine, theirs = put(page.service), put(page.service, owner=BOB)
    offered = [value for _, value in work.choices(shell, ANN, "en")]
    assert mine.id in offered and theirs.id not in offered
    assert page.call("run_list", "list_runs", mine.id, asking(), within=VIEW)["value"] == mine.id


# --- what is looked at ---


def panes_of(shell: PageShell, run_id: str, now: Look | None = None, lang: str = "en") -> dict[str, str]:
    made = view.READER.drawing(shell, asking(lang=lang), run_id, (now or Look(of=run_id)).note())
    return dict(zip(view.VIEWS, made, strict=True))


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_a_finished_measurement_is_drawn_whole(page: Page, shell: PageShell, lang: str) -> None:
    run = put(page.service)
    panes = panes_of(shell, run.id, Look(of=run.id, open=1), lang)
    for pane in panes.values():
        parsed(pane)
        assert pane and "speech_set." not in pane and "speech_wave." not in pane and "<script" not in pane
    assert "50.0 %" in panes["verdict"] and "41.6 %" in panes["verdict"] and "30.0 – 70.0" in panes["verdict"]
    assert "q.wav is silent" in panes["verdict"] and "anna" in panes["speakers"]
    assert acts(panes["clips"], "open") == ["1", "3", "5"], "the errors, the surest first"


def test_only_what_has_changed_is_sent_again(page: Page) -> None:
    run = put(page.service)
    *_, marks = page.call("result_view", "redraw", run.id, "{}", "{}", asking(), within=VIEW)
    same = page.call("result_view", "redraw", run.id, "{}", marks, asking(), within=VIEW)
    assert same == [gr.skip()] * (len(view.VIEWS) + 1)
    opened = page.call("result_view", "redraw", run.id, Look(of=run.id, open=1).note(), marks, asking(), within=VIEW)
    sent = [name for name, pane in zip(view.VIEWS, opened, strict=False) if isinstance(pane, str)]
    assert sent == ["clips", "reader"]
    *empty, _ = page.call("result_view", "redraw", "", "{}", "{}", asking(), within=VIEW)
    assert empty == [""] * len(view.VIEWS)


@pytest.mark.parametrize(("now", "expected"), [
    (Look(), [1, 3, 5]), (Look(kind="right"), [0, 4, 2]), (Look(kind="unsure"), [2, 5]),
    (Look(kind="all", sort="index"), list(range(7))),
    (Look(kind="all", cell="happy.sad"), [1]), (Look(kind="all", cell="sad."), []), (Look(speaker="anna"), []),
    (Look(kind="all", speaker="anna", sort="doubt"), [6, 2, 4, 0]), (Look(search="SENTENCE 3"), [3]),
    (Look(search="clip5"), [5]), (Look(search="nobody"), []), (Look(kind="all", cell="neutral."), [])])
def test_which_clips_are_listed(page: Page, now: Look, expected: list[int]) -> None:
    of = data.read(put(page.service))
    assert [one.index for one in data.chosen(of, now)] == expected
    assert len(of.clips) == len(ANSWERS) and of.clips[6].scored is False


def test_a_clip_sounds_when_it_is_opened_unless_it_shall_not(page: Page, shell: PageShell) -> None:
    run = put(page.service)
    loud, mute = (panes_of(shell, run.id, Look(of=run.id, open=2, play=play))["reader"] for play in (True, False))
    assert "<audio autoplay " in loud and "autoplay" not in mute
    assert "data:audio/wav;base64," in mute and "data:image/png;base64," in mute and "35 %" in mute
    assert panes_of(shell, run.id, Look(of=run.id, open=99))["reader"] == ""


def test_a_sound_that_is_gone_is_told_beside_its_probabilities(page: Page, shell: PageShell) -> None:
    run = put(page.service)
    (run.path / "sounds" / "clip1.wav").unlink()
    html = panes_of(shell, run.id, Look(of=run.id, open=1))["reader"]
    assert "There is no sound file" in html and "ss-chances" in html and "<audio" not in html


@pytest.mark.parametrize("sources", [None, [], "text", {"0": "/etc/passwd"}, [5] * 7])
def test_only_places_that_the_run_wrote_down_are_read(page: Page, sources: Any) -> None:
    run = put(page.service)
    place = run.path / "checkpoints" / "sources.json"
    place.unlink() if sources is None else write_json(place, sources)
    with pytest.raises(UserError, match="not known where"):
        data.sound(data.read(run), 0)


def test_presses_lead_from_the_confusion_to_a_clip(page: Page, shell: PageShell) -> None:
    run, note = put(page.service), "{}"
    panes = panes_of(shell, run.id)
    note = page.call("result_view", "press", run.id, note, asking(),
                     pressing("cell", acts(panes["confusion"], "cell")[1]), within=VIEW)
    assert look(note, run.id).cell == "neutral.sad" and look(note).kind == "all"
    panes = panes_of(shell, run.id, look(note, run.id))
    assert acts(panes["clips"], "open") == ["5"] and acts(panes["clips"], "unchip") == ["cell"]
    note = view.READER.after(shell, asking(), run.id, note, {"act": "open", "key": "5"})
    assert "Sentence 5" in panes_of(shell, run.id, look(note, run.id))["reader"]


def test_the_keys_go_along_the_list_and_stop_at_its_ends(page: Page, shell: PageShell) -> None:
    run, seen = put(page.service), []
    note = Look(of=run.id, kind="all", sort="index").note()
    for _ in range(9):
        note = view.READER.after(shell, asking(), run.id, note, {"act": "step", "value": "1"})
        seen.append(look(note).open)
    assert seen == [*range(7), 6, 6]
    assert look(view.READER.after(shell, asking(), run.id, note, {"act": "step", "value": "-1"})).open == 5


def test_files_that_are_gone_or_not_whole_are_told(page: Page, shell: PageShell) -> None:
    run = put(page.service)
    (run.path / "artifacts" / "clips.jsonl").unlink()
    assert "clips.jsonl is missing" in panes_of(shell, run.id)["verdict"]
    (run.path / "artifacts" / "clips.jsonl").write_text('{"index": 4}\n')
    assert "not whole" in panes_of(shell, run.id)["verdict"]


def test_a_file_edited_by_hand_draws_what_is_left_of_it(page: Page, shell: PageShell) -> None:
    run = put(page.service)
    place = run.path / "artifacts" / "scores.json"
    told = json.loads(place.read_text())
    for odd in (None, "x", [1], {"a": 2}, True, -7, 1e400):
        changed = {name: odd for name in told if name != "classes"} | {"classes": told["classes"]}
        place.write_text(json.dumps(changed))
        panes = panes_of(shell, run.id)
        for pane in panes.values():
            parsed(pane)
        assert panes["clips"] and panes["verdict"]


def test_the_head_of_a_model_and_a_leaky_split_are_told(page: Page, shell: PageShell) -> None:
    head = panes_of(shell, put(page.service, told_by="head", folds=1, learned_on=0, warnings=()).id)["verdict"]
    assert "emotion head" in head and "Learned from" not in head
    leaky = panes_of(shell, put(page.service, apart_ua=0.31, warnings=({"code": "leaky", "values": {}, "text": ""},)
                                ).id)["verdict"]
    assert "UA, speakers apart" in leaky and leaky.index("31.0 %") < leaky.index("50.0 %") and "flatters" in leaky
    odd = panes_of(shell, put(page.service, told_by="<b>", certain=0.0).id)["verdict"]
    assert "&lt;b&gt;" in odd and "certain ones" not in odd


# --- notes and rules ---


@pytest.mark.parametrize("note", ["", "{", "[]", '{"kind": 5}', '{"kind": "odd", "sort": "odd", "cell": "x.y"}',
                                  '{"page": -4, "open": -9, "search": null}', "[" * 100_000])
def test_a_note_that_was_changed_by_hand_is_as_it_comes(note: str) -> None:
    made = look(note)
    assert (made.kind, made.sort, made.cell, made.page, made.open) == ("wrong", "sure", "", 0, -1)


def test_a_look_at_an_earlier_run_is_not_used_for_this_one() -> None:
    note = Look(of="one", open=3, search="x", play=False).note()
    assert look(note, "two") == Look(of="two", play=False) and look(note, "one").open == 3


@pytest.mark.parametrize(("press", "expected"), [
    ({"act": "cell", "key": "sad.happy"}, Look(cell="sad.happy", kind="all")), ({"act": "cell", "key": "odd"}, Look()),
    ({"act": "speaker", "key": "anna"}, Look(speaker="anna")), ({"act": "kind", "key": "all"}, Look(kind="all")),
    ({"act": "kind", "key": "odd"}, Look()), ({"act": "search", "value": " x "}, Look(search="x")),
    ({"act": "sort", "value": "index"}, Look(sort="index")), ({"act": "page", "key": "50"}, Look(page=50)),
    ({"act": "page", "key": "x"}, Look()), ({"act": "open", "key": "4"}, Look(open=4)),
    ({"act": "play"}, Look(play=False)),
    ({"act": "open", "key": "-1"}, Look()), ({"act": "nothing"}, Look()), ({}, Look()),
    ({"act": "step", "value": "1"}, Look())])
def test_what_a_press_does(press: dict[str, str], expected: Look) -> None:
    from panels.speech_set_look import pressed

    assert pressed(Look(), press) == expected


def test_a_second_press_takes_it_back() -> None:
    from panels.speech_set_look import pressed

    now = Look(cell="sad.happy", kind="all", speaker="anna", search="x")
    assert pressed(now, {"act": "cell", "key": "sad.happy"}).cell == ""
    assert pressed(now, {"act": "speaker", "key": "anna"}).speaker == ""
    for key in ("cell", "speaker", "search"):
        assert getattr(pressed(now, {"act": "unchip", "key": key}), key) == ""
    assert pressed(now, {"act": "unchip", "key": "kind"}) == now


def test_every_handler_is_private_and_refusals_are_shown(page: Page) -> None:
    blocks = [block for module in ("speech_set", *SHARED) for block in page.handlers(f"panels.{module}")]
    assert len(blocks) > 10 and {block.api_visibility for block in blocks} == {"private"}
    for block in blocks:
        if hasattr(block.fn, "__wrapped__") and {e for _, e in block.targets} & {"click", "select", "upload"}:
            assert block.queue, block.fn.__name__


def test_every_text_is_there_in_both_languages() -> None:
    keys = [f"speech_set.knob.{name}{end}" for name in forms.NAMES for end in ("", ".help")]
    keys += [f"speech_set.do.{name}" for name in work.CONTROLS]
    english, chinese = (text.catalogue(lang) for lang in text.LANGUAGES)
    assert [key for key in keys if not english.get(key) or not chinese.get(key)] == []
    own = [key for key in english if key.startswith(("speech_set.", "speech_wave."))]
    assert len(own) > 120 and all(chinese.get(key) for key in own)


def test_what_the_method_says_has_a_chinese_entry() -> None:
    from workbench.registry import task

    offered = task(RECOGNISE)
    said = [offered.title, *(spec.knob.help for spec in forms.SPECS.values())]
    assert [words for words in said if text.gloss("zh-CN", words) == words] == []
