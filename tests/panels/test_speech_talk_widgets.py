"""The pieces of the Talk view: emotion bars, trajectory, times, turns and the microphone's element."""

from __future__ import annotations

import re
from functools import partial
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from backends.common.speech import emotions
from tests.panels.speech_talk_cases import WORDS, silent, spoiled, talk, turn
from workbench import text
from workbench.theme import FOLDER, stylesheet
from workbench.widgets import speech_talk, speech_talk_mic, speech_talk_times, speech_talk_tone
from workbench.widgets.speech_talk import Look
from workbench.widgets.speech_talk_tone import Reading

SAY = partial(text.say, "en")
HOSTILE = '<img src=x onerror="alert(1)">'
EN = Look("en", "20261123T010203-abcdef", acts=True)
VOTED = {"choice": "b", "side": "speech", "at": 2.0}
EMPTY = ("area", "br", "col", "hr", "img", "input", "meta", "source")


class Tree(HTMLParser):
    """Checks that every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


def well_formed(html: str) -> bool:
    tree = Tree()
    tree.feed(html)
    return not tree.wrong and not tree.open


def words_of(html: str) -> str:
    """What is read: no tags, one space."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


# --- emotions -------------------------------------------------------------------------------------------------------


def test_the_five_emotions_are_the_published_ones_in_their_order() -> None:
    assert speech_talk_tone.EMOTIONS == emotions.EMOTIONS


@pytest.mark.parametrize(("share", "told"), [(0.714, "71 %"), (0.0, "0 %"), (0.004, "< 1 %"), (0.0099, "< 1 %"),
                                             (0.01, "1 %"), (1.0, "100 %")])
def test_percent(share: float, told: str) -> None:
    assert speech_talk_tone.percent(share) == told


def test_a_reading_names_its_label_and_every_chance_with_a_bar() -> None:
    html = speech_talk_tone.bars(speech_talk_tone.reading(turn()), 0.4, "en")
    assert html.count('class="tk-bar ') == 5 and html.count("tk-on") == 1 and well_formed(html)
    assert 'tk-e-sad tk-on"' in html and "width:71.0%" in html and "<b>sad</b> <span>71 %</span>" in html
    assert 'aria-label="sad 71 %, neutral 12 %, angry 8 %, surprise 6 %, happy 3 %"' in html
    chinese = speech_talk_tone.bars(speech_talk_tone.reading(turn()), 0.4, "zh-CN")
    assert "悲伤" in chinese and "sad<" not in chinese


def test_uncertain_is_said_with_the_threshold_and_no_bar_is_marked() -> None:
    found = Reading({"neutral": 0.3, "angry": 0.33, "sad": 0.37}, "uncertain")
    html = speech_talk_tone.bars(found, 0.4, "en")
    assert "<b>uncertain</b>" in html and "nothing reaches 40 %" in html and "tk-on" not in html
    assert html.count('class="tk-bar ') == 3, "only emotions that may be told have a bar"


def test_a_corrected_emotion_says_that_a_person_gave_it_and_keeps_what_the_model_told() -> None:
    found = speech_talk_tone.reading(turn(emotion={"chances": {"angry": 0.62, "sad": 0.38}, "label": "sad",
                                                   "by": "person"}))
    html = speech_talk_tone.bars(found, 0.4, "en")
    assert found.person and found.top == "angry" and "as a person corrected it" in html and "62 %" in html
    assert 'tk-e-sad tk-on"' in html


@pytest.mark.parametrize("broken", [
    None, 3, [], {}, {"chances": 3, "label": 7}, {"chances": {"sad": "x", "joy": 1.0}}, {"label": HOSTILE},
    {"chances": {"sad": float("nan")}, "label": ""}, {"chances": {"sad": True}}])
def test_an_emotion_that_is_none_is_not_drawn(broken: Any) -> None:
    assert speech_talk_tone.bars(speech_talk_tone.reading({"emotion": broken}), 0.4, "en") == ""


@pytest.mark.parametrize(("given", "kept"), [(1.7, 1.0), (-3, 0.0), (10**400, None), (0.25, 0.25)])
def test_chances_stay_between_nothing_and_one(given: float, kept: float | None) -> None:
    found = speech_talk_tone.reading({"emotion": {"chances": {"sad": given}}})
    assert found.chances.get("sad") == kept


def test_the_trajectory_has_a_row_for_each_emotion_and_a_column_for_each_turn() -> None:
    html = speech_talk_tone.trajectory([turn(1), turn(2), turn(3)], "en")
    assert html.count('class="tk-cell"') == 15 and html.count('class="tk-mark"') == 4, "three turns and the key"
    assert html.count('class="tk-way"') == 1 and well_formed(html)
    assert 'aria-label="Emotion told in each turn: 1: sad; 2: sad; 3: sad"' in html


def test_a_likelier_emotion_is_darker() -> None:
    html = speech_talk_tone.trajectory([turn()], "en")
    shades = [float(value) for value in re.findall(r"opacity:([\d.]+)", html)]
    assert len(shades) == 5 and max(shades) == shades[speech_talk_tone.EMOTIONS.index("sad")]
    assert min(shades) == shades[speech_talk_tone.EMOTIONS.index("happy")] and max(shades) <= 1
    assert "tk-way" not in html, "one turn has no course"


def test_marks_tell_uncertain_and_corrected_apart_without_colour() -> None:
    unsure = turn(2, emotion={"chances": {"neutral": 0.3, "angry": 0.33}, "label": "uncertain", "by": "head"})
    put_right = turn(3, emotion={"chances": {"angry": 0.6}, "label": "sad", "by": "person"})
    html = speech_talk_tone.trajectory([turn(1), unsure, put_right], "en")
    assert html.count('<circle class="tk-ring"') == 2 and html.count('<rect class="tk-mark"') == 2
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)" r="4"><title>', html)]
    assert heights[1] == speech_talk_tone._y(speech_talk_tone.EMOTIONS.index("angry")), "a ring is at the likeliest"
    assert "told by the model" in html and "uncertain, at the likeliest" in html and "corrected by a person" in html
    assert "corrected by a person" not in speech_talk_tone.trajectory([turn(1), turn(2)], "en")


def test_turns_without_a_voice_leave_no_mark_and_keep_the_numbers_of_the_others() -> None:
    html = speech_talk_tone.trajectory([silent(1), turn(2), spoiled(3), turn(4)], "en")
    assert html.count('class="tk-cell"') == 10 and "2: sad; 4: sad" in html
    assert ">2</text>" in html and ">4</text>" in html and ">1</text>" not in html
    assert speech_talk_tone.trajectory([silent(1), spoiled(2)], "en") == ""


def test_a_long_conversation_shows_its_end_and_few_numbers() -> None:
    html = speech_talk_tone.trajectory([turn(n) for n in range(1, 101)], "en")
    assert html.count("<title>") == speech_talk_tone.MOST and ">61</text>" in html and ">60</text>" not in html
    assert html.count('text-anchor="middle"') == 10


def test_the_human_figure_is_the_one_that_the_votes_give() -> None:
    assert "41.6 %" in speech_talk_tone.human("en") and "41.6 %" in speech_talk_tone.human("zh-CN")
    assert "CREMA-D" in speech_talk_tone.human("en")


@pytest.mark.parametrize(("given", "found"), [
    (["sad", "neutral"], ("neutral", "sad")), ([], speech_talk_tone.EMOTIONS), (None, speech_talk_tone.EMOTIONS),
    (["joy"], speech_talk_tone.EMOTIONS)])
def test_the_emotions_that_may_be_told(given: Any, found: tuple[str, ...]) -> None:
    assert speech_talk_tone.allowed({"emotions": given}) == found


def test_labels_are_counted() -> None:
    unsure = turn(3, emotion={"chances": {"sad": 0.3}, "label": "uncertain", "by": "head"})
    assert speech_talk_tone.counted(talk([turn(1), turn(2), unsure, silent(4)])) == {"sad": 2, "uncertain": 1}


# --- times ----------------------------------------------------------------------------------------------------------


def test_each_path_is_made_of_its_own_parts_and_they_sum_to_its_total() -> None:
    speech, cascade = speech_talk_times.paths(turn(), ["speech", "cascade"])
    assert speech.parts == (("vad", 60.0), ("encode", 140.0), ("token", 210.0), ("rest", 1420.0))
    assert cascade.parts == (("vad", 60.0), ("asr", 820.0), ("token", 270.0), ("rest", 1250.0))
    for path in (speech, cascade):
        assert sum(ms for _, ms in path.parts) == path.total
        assert sum(ms for _, ms in path.parts[:-1]) == path.first


def test_both_bars_have_one_scale() -> None:
    html = speech_talk_times.breakdown(turn(), ["speech", "cascade"], "en")
    rows = re.findall(r'<span class="tk-stack".*?</span>', html)
    shares = [sum(float(w) for w in re.findall(r"width:([\d.]+)%", row)) for row in rows]
    assert shares == pytest.approx([76.25, 100.0], abs=0.05) and well_formed(html)
    assert "first word 0.41 s, all 1.83 s" in html and "first word 1.15 s, all 2.40 s" in html
    assert words_of(html).count("writing it down") == 1, "the legend names what occurs once"


@pytest.mark.parametrize(("changed", "sides", "count"), [
    ({}, ["speech"], 1), ({"times": {}}, ["speech", "cascade"], 2), ({"replies": {}}, ["speech"], 0),
    ({"replies": {"speech": {"text": "x", "first_ms": None, "total_ms": 3}}}, ["speech"], 0),
    ({"times": {"vad_ms": "x", "encode_ms": -4}}, ["speech"], 1), ({}, ["other", 3], 0)])
def test_what_was_not_measured_is_not_drawn(changed: dict[str, Any], sides: list[Any], count: int) -> None:
    assert len(speech_talk_times.paths(turn(**changed), sides)) == count
    assert isinstance(speech_talk_times.breakdown(turn(**changed), sides, "en"), str)


def test_parts_longer_than_the_first_token_do_not_make_a_bar_go_backwards() -> None:
    odd = turn(times={"vad_ms": 500.0, "encode_ms": 500.0})
    (path,) = speech_talk_times.paths(odd, ["speech"])
    assert all(ms >= 0 for _, ms in path.parts)
    widths = re.findall(r"width:([\d.]+)%", speech_talk_times.breakdown(odd, ["speech"], "en"))
    assert sum(map(float, widths)) <= 100.05


@pytest.mark.parametrize(("ms", "told"), [(412.0, "0.41 s"), (9_994.0, "9.99 s"), (18_400.0, "18.4 s"),
                                          (0.0, "0.00 s")])
def test_seconds(ms: float, told: str) -> None:
    assert speech_talk_times.seconds(ms) == told


def test_the_whole_wait_names_no_path() -> None:
    told = words_of(speech_talk_times.waited(turn(), "en"))
    assert told == "You waited 0.41 s for the first word and 2.50 s for everything."
    assert speech_talk_times.waited(turn(times={}), "en") == ""


# --- turns ----------------------------------------------------------------------------------------------------------


def test_a_turn_has_sound_words_tone_and_both_replies() -> None:
    html = speech_talk.conversation(talk([turn()]), EN)
    told = words_of(html)
    assert WORDS in told and "2.1 s" in told and "sad 71 %" in told and well_formed(html)
    assert 'data-tk-play="/workbench/runs/20261123T010203-abcdef/turn-001.wav"' in html
    assert "I am sorry to hear that." in told and "I see. You mention" in told
    assert html.index("I see. You mention") < html.index("I am sorry to hear"), "in the drawn order"


def test_before_a_blind_vote_nothing_tells_which_reply_is_whose() -> None:
    one, other = turn(), turn(sides=["speech", "cascade"])
    for made in (one, other):
        html = speech_talk.conversation(talk([made]), EN)
        assert "hears the voice" not in html and "reads the transcript" not in html
        assert not re.search(r"cascade|speech", html), "not in a class or attribute"
        assert "1.15 s" not in html and "1.83 s" not in html and "by voice" not in html
        assert html.count('data-act="vote"') == 3 and "shown after the vote" in html
    first, second = (words_of(speech_talk.conversation(talk([made]), EN)) for made in (one, other))
    assert first != second, "the drawn order is kept"


def test_after_the_vote_names_times_and_the_choice_are_shown() -> None:
    html = speech_talk.conversation(talk([turn(vote=VOTED)]), EN)
    told = words_of(html)
    assert "B hears the voice preferred" in told and "A reads the transcript only" in told
    assert "You preferred the reply that hears the voice." in told
    assert html.count("tk-chosen") == 1 and 'data-act="vote"' not in html and "first word 1.15 s" in told


@pytest.mark.parametrize(("side", "told"), [("speech", "hears the voice."), ("cascade", "transcript only."),
                                            ("same", "no difference."), (HOSTILE, "no difference.")])
def test_what_was_voted(side: str, told: str) -> None:
    html = speech_talk.conversation(talk([turn(vote={"choice": "a", "side": side})]), EN)
    assert told in words_of(html) and "<img" not in html and html.count("tk-chosen") == (side in speech_talk.SIDES)


def test_without_blindness_names_are_there_at_once_and_a_vote_is_still_asked_for() -> None:
    html = speech_talk.conversation(talk([turn()]), Look("en", "r", acts=True, blind=False))
    assert "hears the voice" in html and html.count('data-act="vote"') == 3 and "shown after the vote" not in html


@pytest.mark.parametrize("replies", [
    {"speech": {"text": "x"}, "cascade": {"text": ""}}, {"speech": {"text": "x"}},
    {"speech": {"text": "x"}, "cascade": 4}])
def test_there_is_no_vote_while_one_reply_is_missing(replies: dict[str, Any]) -> None:
    assert 'data-act="vote"' not in speech_talk.conversation(talk([turn(replies=replies)]), EN)


def test_a_written_turn_has_one_reply_with_its_name_and_nothing_to_vote() -> None:
    written = turn(by="text", audio=None, emotion={"chances": {}, "label": "", "by": ""}, sides=["speech"],
                   replies={"speech": turn()["replies"]["speech"]}, times={"first_ms": 200.0, "total_ms": 900.0})
    html = speech_talk.conversation(talk([written]), EN)
    assert "data-tk-play" not in html and 'data-act="vote"' not in html and "hears the voice" in html
    assert "tk-tone" not in html and 'data-act="look"' not in html


def test_silence_and_a_spoiled_sound_are_said_and_offer_nothing() -> None:
    html = speech_talk.conversation(talk([silent(1), spoiled(2)]), EN)
    assert "Nobody speaks in this sound, so there is no emotion and no reply." in html
    assert "The sound is 0.10 s long" in html and html.count('role="alert"') == 1
    assert "tk-tone" not in html and 'data-act="correct"' not in html and "tk-reply" not in html
    assert html.count('data-act="look"') == 1, "the silent sound can still be looked at"


def test_remarks_about_a_sound_and_a_reply_are_small_print() -> None:
    replies = {"speech": {"text": "Well", "finish": "interrupted", "dropped": 2},
               "cascade": {"text": "I see", "finish": "length"}}
    told = words_of(speech_talk.conversation(talk([turn(notes=["mixed from 2 channels", "resampled from 48000 Hz"],
                                                        replies=replies)]), EN))
    assert "mixed from 2 channels · resampled from 48000 Hz" in told
    assert "interrupted · 2 older turns no longer fit" in told and "cut at the limit of tokens" in told


def test_corrections_show_what_was_and_what_is() -> None:
    made = turn(corrections=[{"at": 1, "field": "transcript", "was": "Kits are walking.", "now": WORDS},
                             {"at": 2, "field": "emotion", "was": "uncertain", "now": "sad"},
                             {"at": 3, "field": "colour", "was": "x", "now": "y"}, 7])
    html = speech_talk.conversation(talk([made]), EN)
    assert "<del>Kits are walking.</del>" in html and "<del>uncertain</del> <ins>sad</ins>" in html
    assert html.count("tk-was") == 2


def test_another_tone_is_offered_once_each_and_its_reply_is_marked_as_such() -> None:
    made = turn(what_if=[{"emotion": "happy", "text": "How lovely!", "finish": "stop"}])
    html = speech_talk.conversation(talk([made], emotions=["happy", "angry", "sad"]), EN)
    offered = re.findall(r'data-act="what_if" data-turn="0" data-key="(\w+)"( disabled)?', html)
    assert offered == [("happy", " disabled"), ("angry", ""), ("sad", " disabled")], "what was heard is no other tone"
    assert "Said happy: How lovely!" in words_of(html)


@pytest.mark.parametrize(("acts", "tools"), [(True, {"look", "correct", "what_if", "vote"}), (False, {"look"})])
def test_only_who_may_act_is_offered_to(acts: bool, tools: set[str]) -> None:
    html = speech_talk.conversation(talk([turn()]), Look("en", "r", acts=acts))
    assert set(re.findall(r'data-act="(\w+)"', html)) == tools


def test_voices_of_replies_can_be_played() -> None:
    made = turn(vote=VOTED)
    made["replies"]["speech"]["voice"] = "turn-001-b.wav"
    html = speech_talk.conversation(talk([made]), EN)
    assert html.count("data-tk-play") == 2 and "/turn-001-b.wav" in html and "Listen to reply B" in html


def test_a_long_conversation_shows_its_end_and_offers_the_rest() -> None:
    many = talk([turn(n) for n in range(1, 61)])
    html = speech_talk.conversation(many, EN)
    assert html.count('class="tk-turn"') == speech_talk.WINDOW and "Show 20 earlier turns" in html
    assert "<b>60</b>" in html and "<b>20</b>" not in html
    assert speech_talk.conversation(many, Look("en", "r", shown=80)).count('class="tk-turn"') == 60


def test_waves_are_drawn_where_they_are_known() -> None:
    html = speech_talk.conversation(talk([turn(1), turn(2)]), Look("en", "r", waves={"turn-002.wav": "<svg></svg>"}))
    assert html.count("<svg></svg>") == 1 and html.index("<svg></svg>") > html.index("turn-002.wav")


def test_a_page_of_turns_stays_small() -> None:
    full = talk([turn(n, transcript="&" * 300) for n in range(1, 200)])
    assert len(speech_talk.conversation(full, EN).encode()) < 350_000


def test_what_people_and_models_write_is_inert() -> None:
    replies = {side: {"text": HOSTILE, "voice": HOSTILE, "finish": HOSTILE} for side in speech_talk.SIDES}
    made = turn(transcript=HOSTILE, audio=HOSTILE, notes=[HOSTILE], problem=HOSTILE, replies=replies, vote=VOTED,
                corrections=[{"field": "transcript", "was": HOSTILE, "now": HOSTILE}],
                what_if=[{"emotion": HOSTILE, "text": HOSTILE}])
    html = speech_talk.conversation(talk([made]), Look("en", HOSTILE, acts=True))
    live = speech_talk.unfinished(talk([turn(done=False, transcript=HOSTILE)], state="working"),
                                  {"phase": HOSTILE, "speech": HOSTILE}, Look("en", HOSTILE))
    for made_html in (html, live):
        assert "<img" not in made_html and well_formed(made_html)


@pytest.mark.parametrize("broken", [
    {}, {"turns": 3}, {"turns": [3, None]}, {"turns": [{}]}, {"turns": [{"replies": 3, "sides": 7, "vote": "x"}]},
    {"turns": [{"sides": ["speech"], "replies": {"speech": None}, "what_if": 3, "corrections": "x", "notes": 5}]},
    {"turns": [{"seconds": "long", "audio": 4, "times": [], "words": None}]}])
def test_a_conversation_edited_by_hand_breaks_nothing(broken: dict[str, Any]) -> None:
    working = {**broken, "state": "working"}
    for html in (speech_talk.conversation(broken, EN), speech_talk.unfinished(working, None, EN)):
        assert isinstance(html, str) and well_formed(html)


# --- the turn that is being worked on -------------------------------------------------------------------------------


def test_a_turn_in_the_making_shows_what_is_known_of_it() -> None:
    now = talk([turn(1), turn(2, done=False, replies={})], state="working")
    live = {"turn": 1, "phase": "replying", "speech": "That sounds", "cascade": "I see"}
    html = speech_talk.unfinished(now, live, EN)
    told = words_of(html)
    assert "<b>2</b>" in html and WORDS in told and "sad 71 %" in told and html.count("tk-caret") == 2
    assert "A I see" in told and "B That sounds" in told and "hears the voice" not in told, "also blind"
    assert "data-act" not in html
    assert speech_talk.conversation(now, EN).count('class="tk-turn"') == 1, "and is not shown twice"


def test_an_earlier_turn_that_is_answered_again_keeps_its_place() -> None:
    now = talk([turn(1), turn(2, done=False), turn(3)], state="working")
    html = speech_talk.conversation(now, EN)
    assert html.index("<b>1</b>") < html.index("<b>2</b>") < html.index("<b>3</b>")
    assert html.count('class="tk-turn tk-again"') == 1 and html.count('class="tk-turn"') == 2
    live = speech_talk.unfinished(now, {"turn": 1, "phase": "replying", "speech": "That sounds"}, EN)
    assert "<b>2</b>" in live and "That sounds" in words_of(live)


@pytest.mark.parametrize(("phase", "told"), [
    ("listening", "Listening"), ("transcribing", "Writing down what was said"), ("loading", "The models are loading"),
    ("replying", "Replying"), ("speaking", "Preparing the voice"), ("", "Working"), ("waiting", "Working")])
def test_the_phase_is_said_while_there_are_no_words(phase: str, told: str) -> None:
    assert told in words_of(speech_talk.unfinished(talk(state="working"), {"phase": phase}, EN))


def test_nothing_is_in_the_making_while_it_waits() -> None:
    assert speech_talk.unfinished(talk([turn()]), {"phase": "waiting"}, EN) == ""


# --- the microphone -------------------------------------------------------------------------------------------------


def test_the_microphone_has_all_that_its_script_asks_for() -> None:
    html = speech_talk_mic.microphone(SAY)
    script = speech_talk_mic.script()
    assert well_formed(html)
    for name in set(re.findall(r'part\("([\w-]+)"\)', script)):
        assert f'data-tk="{name}"' in html, name
    asked = set(re.findall(r'word\("(\w+)"\)', script)) | set(re.findall(r'"(\w+)" : "(?:\w+)"\)', script))
    assert asked and asked <= set(speech_talk_mic.WORDS), asked
    for name in speech_talk_mic.WORDS:
        assert f'data-tk-word="{name}"' in html and text.known(f"speech_talk.mic.{name}")


def test_the_microphone_can_be_named_by_marks_which_need_no_escaping() -> None:
    assert "⟦speech_talk.mic.speak⟧" in speech_talk_mic.microphone(text.mark)
    for lang in text.LANGUAGES:
        words = [value for key, value in text.catalogue(lang).items() if key.startswith("speech_talk.mic.")]
        assert words and not any(set(value) & set("<>&") for value in words)


def test_the_pause_can_be_set_between_its_bounds() -> None:
    slider = re.search(r'<input[^>]*data-tk="pause"[^>]*>', speech_talk_mic.microphone(SAY))
    assert slider and 'min="0.3"' in slider[0] and 'max="3.0"' in slider[0] and 'value="0.8"' in slider[0]


def test_the_scripts_are_there_and_load_nothing_from_elsewhere() -> None:
    script, worklet = speech_talk_mic.script(), (FOLDER / "speech_talk_worklet.js").read_text(encoding="utf-8")
    assert re.findall(r'"(/workbench/static/[\w.]+)"', script) == ["/workbench/static/speech_talk_worklet.js"]
    assert 'registerProcessor("tk-take"' in worklet and '"tk-take"' in script
    assert "http" not in script + worklet and speech_talk_mic.on_load().startswith(script)


def test_every_class_that_is_drawn_has_a_style() -> None:
    made = [turn(1, vote=VOTED, corrections=[{"field": "emotion", "was": "sad", "now": "angry"}], notes=["x"],
                 what_if=[{"emotion": "happy", "text": "x"}]), turn(2), silent(3), spoiled(4)]
    html = speech_talk.conversation(talk(made), EN) + speech_talk_mic.microphone(SAY) + speech_talk_tone.trajectory(
        made, "en") + speech_talk.unfinished(talk([turn(1, done=False)], state="working"), {"speech": "x"}, EN)
    css = stylesheet()
    classes = {name for found in re.findall(r'class="([^"]+)"', html) for name in found.split()
               if name.startswith("tk-")}
    unknown = {name for name in classes if f".{name}" not in css} - {"tk-no", "tk-live"}
    assert len(classes) > 35 and not unknown
