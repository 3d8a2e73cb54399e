"""The speech model as a server: what is kept and made again, replies with a history, calibration, the self-test."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backends.blsp_emo import infer, prompts
from backends.blsp_emo.calibrated import OWN, chances_of, label_of
from backends.blsp_emo.infer import Turn, hear
from backends.blsp_emo.kept import Kept, bytes_of
from backends.blsp_emo.ser import EMOTIONS
from backends.blsp_emo.serve import Listener, load
from backends.blsp_emo.storage import open_model
from backends.common.serving import LocalLine, result_of
from backends.common.speech.audio import load as load_sound
from tests.backends.blsp_cases import make_tiny_whisper
from tests.backends.talk_cases import clip, make_speech_model, wave, write
from workbench.context import MemoryContext
from workbench.contract import MissingResource, UserError

GREEDY = {"max_new_tokens": 6, "temperature": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_lm: Path) -> Path:
    here = tmp_path_factory.mktemp("served")
    return make_speech_model(here / "speech", make_tiny_whisper(here / "encoder"), tiny_lm)


@pytest.fixture
def listener(folder: Path, tmp_path: Path) -> Listener:
    return Listener(*open_model(folder, MemoryContext(tmp_path / "opening")))


def sound(number: int = 0, key: str = "", **fields: Any) -> dict[str, Any]:
    return {"key": key, "audio": str(clip(number)), "start": 0.0, "end": 0.0, **fields}


def done(work: Any) -> Any:
    """The result of an operation, whatever it yields on the way."""
    if not hasattr(work, "__next__"):
        return work
    try:
        while True:
            next(work)
    except StopIteration as ended:
        return ended.value


def test_what_is_heard_is_what_the_model_says(listener: Listener) -> None:
    told = listener.hear({"sound": sound()})
    vectors = hear(listener.model, load_sound(clip()).wave)
    expected = infer.emotion(listener.model, vectors).chances
    assert told["tokens"] == len(vectors) and told["encode_ms"] > 0
    assert told["chances"] == pytest.approx(expected, abs=2e-4)
    other = listener.hear({"sound": sound(1)})
    assert other["chances"] != told["chances"]


def test_a_part_of_a_sound_is_another_sound(listener: Listener) -> None:
    whole, part = listener.hear({"sound": sound()}), listener.hear({"sound": sound(start=0.4, end=1.2)})
    assert part["tokens"] < whole["tokens"] and part["chances"] != whole["chances"]


def test_vectors_are_kept_and_never_taken_for_another_sound(listener: Listener, tmp_path: Path) -> None:
    listener.hear({"sound": sound(0, "run/0")})
    listener.hear({"sound": sound(0, "run/0")})
    assert (len(listener.kept), listener.kept.made) == (1, 1)
    first = listener._vectors(sound(0, "run/0"))
    assert torch.equal(first, hear(listener.model, load_sound(clip(0)).wave))
    listener.hear({"sound": sound(1, "run/0")})
    assert listener.kept.made == 2, "the same key, another file"
    listener.hear({"sound": sound(1, "run/0", start=0.5)})
    assert listener.kept.made == 3, "another part"
    path = write(tmp_path / "said.wav", wave(0))
    mine = {"key": "run/9", "audio": str(path)}
    listener.hear({"sound": mine})
    write(path, wave(1))
    again = listener._vectors(mine)
    assert torch.equal(again, hear(listener.model, load_sound(path).wave)), "the file was written anew"


def test_without_a_key_nothing_is_kept(listener: Listener) -> None:
    listener.hear({"sound": sound()})
    assert len(listener.kept) == 0 and listener.kept.size == 0


def test_forgetting(listener: Listener) -> None:
    for run in ("a", "b"):
        for turn in range(2):
            listener.hear({"sound": sound(turn, f"{run}/{turn}")})
    assert listener.forget({"prefix": "a/"}) == 2 and len(listener.kept) == 2
    assert listener.forget({"keys": ["b/0", "none"]}) == 1 and listener.forget({}) == 0
    assert len(listener.kept) == 1


def test_the_least_used_goes_first_and_the_newest_stays() -> None:
    kept, size = Kept(limit=3 * 4 * 10), 4 * 10
    for name in "abc":
        kept.get(name, name, lambda: torch.zeros(2, 5))
    kept.get("a", "a", lambda: pytest.fail("it is there"))
    kept.get("d", "d", lambda: torch.zeros(2, 5))
    assert kept.size == 3 * size and set(kept._held) == {"c", "a", "d"}
    kept.get("big", "big", lambda: torch.zeros(100, 5))
    assert set(kept._held) == {"big"} and kept.size == bytes_of(torch.zeros(100, 5))
    assert kept.get("", "x", lambda: torch.ones(1)).sum() == 1 and "" not in kept._held


@pytest.mark.parametrize("seed", range(20))
def test_the_size_of_what_is_kept_is_its_sum(seed: int) -> None:
    """Property: after any order of keeping, replacing and forgetting, the size is right and within the limit."""
    import random

    generator, kept = random.Random(seed), Kept(limit=2000)
    for step in range(60):
        name = generator.choice("abcdefgh")
        if generator.random() < 0.2:
            kept.forget([name])
        elif generator.random() < 0.1:
            kept.forget(prefix=name)
        else:
            length = generator.randint(1, 30)
            found = kept.get(name, generator.randint(0, 2), lambda length=length: torch.zeros(length, 5))
            assert found.shape[1] == 5
        assert kept.size == sum(bytes_of(vectors) for _, vectors in kept._held.values()), step
        assert kept.size <= kept.limit or len(kept) == 1


def test_a_reply_is_that_of_the_conversation(listener: Listener) -> None:
    """The server and :func:`infer.chat` are one method: same history, same words."""
    model = listener.model
    spoken = [hear(model, load_sound(clip(n)).wave) for n in (0, 1)]
    history = infer.Conversation((Turn(spoken[0], reply="Yes."), Turn(text="Hm", reply="Well.")))
    expected = "".join(infer.chat(model, history, Turn(spoken[1]), infer.Reading(6, 0.0))).strip()
    told = done(listener.reply({"history": [{"sound": sound(0), "reply": "Yes."}, {"text": "Hm", "reply": "Well."}],
                                "sound": sound(1), "reading": GREEDY}))
    assert told["text"] == expected and told["dropped"] == 0
    assert told["prompt_tokens"] == infer.size_of(model, (*history.turns, Turn(spoken[1])))
    assert 1 <= told["tokens"] <= 6 and told["finish"] == ("length" if told["tokens"] == 6 else "stop")


def test_pieces_make_the_text(listener: Listener) -> None:
    line = LocalLine(load_of(listener))
    pieces: list[str] = []
    told = result_of(line.ask("reply", {"text": "Hello", "reading": GREEDY}),
                     lambda event: pieces.append(event["delta"][1]))
    assert "".join(pieces).strip() == told["text"]


def load_of(listener: Listener) -> Any:
    from backends.blsp_emo.serve import desk_of

    return desk_of(listener)


def test_words_in_an_emotion_are_told_as_in_training(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Turn] = []
    real = infer.trimmed
    monkeypatch.setattr(infer, "trimmed", lambda model, turns, most: seen.extend(turns) or real(model, turns, most))
    done(listener.reply({"text": "I lost my keys.", "emotion": "sad", "reading": GREEDY}))
    assert seen[0].text == prompts.CONTINUE_TONED.format(emotion="sad") + "I lost my keys."
    with pytest.raises(UserError, match="emotion"):
        done(listener.reply({"text": "Hm", "emotion": "bored", "reading": GREEDY}))


@pytest.mark.parametrize("payload", [{}, {"text": ""}, {"text": "", "emotion": "sad"}])
def test_a_turn_of_nothing_is_refused(listener: Listener, payload: dict) -> None:
    with pytest.raises(UserError, match="either speech or text"):
        done(listener.reply({**payload, "reading": GREEDY}))


def test_old_turns_go_whole_and_it_is_said(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    history = [{"text": f"question {n}" * 3, "reply": f"answer {n}" * 3} for n in range(6)]
    whole = done(listener.reply({"history": history, "text": "Now?", "reading": GREEDY}))
    assert whole["dropped"] == 0
    monkeypatch.setattr(infer, "WINDOW", whole["prompt_tokens"] // 2 + 6)
    short = done(listener.reply({"history": history, "text": "Now?", "reading": GREEDY}))
    assert 1 <= short["dropped"] < 6 and short["prompt_tokens"] <= whole["prompt_tokens"] // 2
    rest = done(listener.reply({"history": history[short["dropped"]:], "text": "Now?", "reading": GREEDY}))
    assert rest["text"] == short["text"], "what is left is whole turns"


def test_same_seed_same_reply_and_another_seed_another(listener: Listener) -> None:
    def drawn(seed: int) -> str:
        reading = {"max_new_tokens": 12, "temperature": 1.5, "top_p": 1.0, "seed": seed}
        return str(done(listener.reply({"sound": sound(), "reading": reading}))["text"])

    assert drawn(1) == drawn(1)
    assert len({drawn(seed) for seed in range(4)}) > 1


def test_the_sound_matters_and_a_deaf_model_is_found(listener: Listener) -> None:
    told = done(listener.selftest({"first": sound(0), "second": sound(1)}))
    assert told["passed"] and [check["name"] for check in told["checks"]] == ["other clip", "silence", "zeroed"]
    assert all(check["vectors"] > 1e-3 and check["logits"] > 1e-3 for check in told["checks"])
    same = done(listener.selftest({"first": sound(0), "second": sound(0)}))
    assert not same["passed"] and not same["checks"][0]["passed"], "the same clip twice is no other clip"
    with torch.no_grad():  # a model whose adapter says the same of everything: the fault the test is there for
        listener.model.adapter.norm.weight.zero_()
        listener.model.adapter.norm.bias.fill_(0.5)
    deaf = done(listener.selftest({"first": sound(0), "second": sound(1)}))
    assert not deaf["passed"] and not any(check["passed"] for check in deaf["checks"][:2])


def test_calibration_is_the_mean_of_the_scores(listener: Listener) -> None:
    told = done(listener.calibrate({"sounds": [sound(0), sound(1)]}))
    expected = [(a + b) / 2 for a, b in zip(*(listener._scores(listener._vectors(sound(n))) for n in (0, 1)),
                                           strict=True)]
    assert told["neutral"] == pytest.approx(expected, abs=1e-4) and told["clips"] == 2
    with pytest.raises(UserError, match="no sound"):
        done(listener.calibrate({"sounds": []}))
    plain = listener.hear({"sound": sound(0)})["chances"]
    own = done(listener.calibrate({"sounds": [sound(0)]}))["neutral"]
    calm = listener.hear({"sound": sound(0), "neutral": own})["chances"]
    assert calm != plain and calm["neutral"] == pytest.approx(OWN, abs=1e-3), "one's own neutral voice"


@pytest.mark.parametrize("scores", [(0.0,) * 5, (3.0, -2.0, 0.5, 9.0, -700.0), (1e4, 0.0, -1e4, 0.0, 1.0)])
def test_chances_add_up(scores: tuple[float, ...]) -> None:
    for allowed in (EMOTIONS, ("sad", "neutral"), ("happy",)):
        found = chances_of(scores, allowed)
        assert sum(found.values()) == pytest.approx(1, abs=1e-3) and set(found) == set(allowed)
        assert list(found) == [name for name in EMOTIONS if name in allowed]
    assert chances_of(scores, neutral=scores)["neutral"] == pytest.approx(OWN, abs=1e-3)


def test_restricting_keeps_the_odds() -> None:
    scores = (1.0, 2.0, -1.0, 0.5, 0.0)
    every, two = chances_of(scores), chances_of(scores, ("happy", "sad"))
    assert two["happy"] / two["sad"] == pytest.approx(math.exp(1.5), rel=1e-2)
    assert every["happy"] / every["sad"] == pytest.approx(math.exp(1.5), rel=1e-2)


@pytest.mark.parametrize(("arguments", "words"), [
    (((0.0,) * 5, ("bored",)), "bored"), (((0.0,) * 5, ()), "No emotion"),
    (((0.0,) * 5, EMOTIONS, [1.0, 2.0]), "Calibrate again")])
def test_chances_that_cannot_be(arguments: tuple, words: str) -> None:
    with pytest.raises(UserError, match=words):
        chances_of(*arguments)


@pytest.mark.parametrize(("chances", "surest", "label"), [
    ({"sad": 0.7, "happy": 0.3}, 0.4, "sad"), ({"sad": 0.39, "happy": 0.31, "angry": 0.3}, 0.4, "uncertain"),
    ({"sad": 0.4, "happy": 0.6}, 0.6, "happy"), ({}, 0.4, ""), ({"sad": 1.0}, 1.0, "sad")])
def test_a_label_or_uncertain(chances: dict, surest: float, label: str) -> None:
    assert label_of(chances, surest) == label


def test_what_runs_is_said(listener: Listener) -> None:
    listener.hear({"sound": sound(0, "a/0")})
    told = listener.info({})
    assert told["name"] == "Tiny" and told["stage"] == 2 and told["window"] == 4096
    assert told["kept"] == 1 and told["kept_bytes"] == listener.kept.size > 0 and told["encoded"] == 1
    assert told["base"]["model"].startswith("path:") and told["parameters"] > 1000 and not told["padded"]


def test_opening_finds_the_base_by_the_given_way(folder: Path) -> None:
    asked: list[str] = []

    def resource(reference: str) -> Path:
        asked.append(reference)
        return Path(reference.removeprefix("path:"))

    desk = load(str(folder), {"device": "cpu", "threads": 1, "resource": resource})
    assert len(asked) == 2 and result_of(LocalLine(desk).ask("info", {}))["device"] == "cpu"

    def missing(reference: str) -> Path:
        raise MissingResource("It is not here.")

    with pytest.raises(MissingResource, match="not here"):
        load(str(folder), {"device": "cpu", "threads": 1, "resource": missing})


def test_a_sound_that_is_gone_is_told_to_its_caller_only(listener: Listener, tmp_path: Path) -> None:
    path = write(tmp_path / "gone.wav", np.asarray(wave(0)))
    history = [{"sound": {"key": "a/0", "audio": str(path)}, "reply": "Yes."}]
    desk = load_of(listener)
    result_of(LocalLine(desk).ask("reply", {"history": history, "text": "Hm", "reading": GREEDY}))
    path.unlink()
    with pytest.raises(UserError, match="no sound file"):
        result_of(LocalLine(desk).ask("reply", {"history": history, "text": "Hm", "reading": GREEDY}))
    assert result_of(LocalLine(desk).ask("reply", {"text": "Hm", "reading": GREEDY}))["tokens"] >= 1
