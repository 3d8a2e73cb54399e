"""The practice talk, the gate and stage 0; continuations and what becomes of them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from backends.blsp_emo import gate, talk
from backends.blsp_emo.continuations import read_answers, read_written
from backends.blsp_emo.continuations import run as write_continuations
from backends.blsp_emo.prompts import emotion_words
from backends.blsp_emo.refusal import refusal
from backends.blsp_emo.requests import ContinuationsRequest, GateRequest, Stage0Request
from backends.blsp_emo.ser import EMOTIONS
from backends.blsp_emo.stage0 import run as stage0
from backends.common.language import Completion
from backends.common.speech.manifests import read_manifest
from tests.backends.blsp_cases import SENTENCES, Direct, gated, make_data
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError


class Speaker:
    """A language model with a rule instead of weights: ``answer(text, emotion)``."""

    def __init__(self, answer) -> None:
        self.answer, self.card = answer, {"reference": "a rule"}

    def parts(self, prompt) -> tuple[str, str]:
        user = prompt.messages[1].content
        named = emotion_words(user.split("\n")[0])
        return user.split("\n", 1)[1], named[0] if named else ""

    def generate(self, prompts, decoding, on_token=None, cancelled=None):
        assert decoding.temperature == 0 and decoding.max_new_tokens == 48 and decoding.min_new_tokens == 1
        return [Completion(self.answer(*self.parts(prompt)), 5, 9, 0, 0.0, "stop") for prompt in prompts]

    def score(self, prompts, continuations):
        """A reply is likely after the sentence whose words it has."""
        found = []
        for prompt, row in zip(prompts, continuations, strict=True):
            words = set(self.parts(prompt)[0].lower().strip(".").split())
            found.append([[-float(len(words - set(reply.lower().strip(".!?").split())))] for reply in row])
        return found

    def close(self) -> None:
        pass


TEXTS = [said.text for said in talk.divided(0, 1, 12)[1]]


def by_tone(text: str, emotion: str) -> str:
    return f"{talk.OPENINGS[emotion or 'neutral'][0]} {text}"


def test_a_model_that_answers_by_emotion_and_content_passes() -> None:
    result = gate.check(Speaker(by_tone), TEXTS, "w", lambda: None)
    assert result.passed and result.separated > 0.9 and result.content > 0.9 and result.classifier > 0.95
    assert (result.replies, result.pool, result.weights, result.why) == (60, 10, "w", "")


@pytest.mark.parametrize(("answer", "words", "separated"), [
    (lambda text, emotion: f"I see. {text}", "only 20%", 0.2),
    (lambda text, emotion: talk.OPENINGS[emotion or "neutral"][0], "fit their own sentence", 1.0)],
    ids=["the emotion is ignored", "canned by label"])
def test_what_the_gate_keeps_out(answer, words: str, separated: float) -> None:
    result = gate.check(Speaker(answer), TEXTS, "w", lambda: None)
    assert not result.passed and words in result.why
    assert result.separated == pytest.approx(separated, abs=0.1)


def test_the_classifier_is_the_same_every_time() -> None:
    (one, own), (two, other) = gate.frozen_classifier(), gate.frozen_classifier()
    replies = [by_tone(text, emotion) for text in TEXTS for emotion in EMOTIONS]
    assert own == other > 0.95 and one.chances(replies) == two.chances(replies)
    assert all(sum(row.values()) == pytest.approx(1) for row in one.chances(replies[:3]))


def test_the_gate_ends_when_it_is_asked_to() -> None:
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        gate.check(Speaker(by_tone), TEXTS, "w", stop)


def test_sentences_are_many_and_differ() -> None:
    said = talk.sentences(random.Random(0), 100_000)
    assert len(said) > 5000 and len({one.text for one in said}) == len(said)
    train, held = talk.divided(3, 200, 50)
    assert not {one.text for one in train} & {one.text for one in held} and len(held) == 50
    assert talk.divided(3, 200, 50) == (train, held) != talk.divided(4, 200, 50)


def test_replies_take_up_the_sentence_and_show_the_tone() -> None:
    generator = random.Random(1)
    pairs = talk.pairs(talk.sentences(generator, 20), generator)
    assert len(pairs) == 20 * 6
    for pair in pairs:
        assert refusal(pair.output) == "" and pair.output[0].isupper() and "{" not in pair.output
        tone = pair.emotion or "neutral"
        assert any(pair.output.startswith(opening) for opening in talk.OPENINGS[tone])
        assert sum(pair.output.startswith(o) for openings in talk.OPENINGS.values() for o in openings) == 1
    by_text: dict[str, set[str]] = {}
    for pair in pairs:
        by_text.setdefault(pair.text, set()).add(pair.output)
    assert all(len(outputs) >= 5 for outputs in by_text.values())
    said = talk.Said("My neighbours are here.", "your neighbours here")
    assert "your neighbours here" in talk.reply(said, "sad", generator)


def test_stage_0_makes_a_model_with_a_report(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    request = Stage0Request(width=32, layers=1, vocabulary=400, sentences=30, max_steps=30, batch=8, checked=3)
    result = stage0(request, context)
    folder = Path(result.path)
    assert result.last_loss < 0.9 * result.first_loss and result.pairs == 180 and result.steps == 30
    assert not result.gate.passed and result.gate.replies == 15, "thirty steps are not enough, and it says so"
    with pytest.raises(UserError, match="did not pass the gate"):
        gate.require("", folder, result.gate.weights, context)
    assert json.loads((folder / "gate.json").read_text(encoding="utf-8"))["weights"] == result.gate.weights
    assert "synthetic" in (folder / "README.md").read_text(encoding="utf-8")


def test_stage_0_learns_own_pairs_with_adapters_on_a_model(tmp_path: Path, tiny_lm: Path) -> None:
    own = tmp_path / "pairs.jsonl"
    lines = [{"text": text, "emotion": emotion, "output": f"{emotion}!"} for text in SENTENCES for emotion in EMOTIONS]
    own.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    request = Stage0Request(model=f"path:{tiny_lm}", pairs=f"path:{own}", max_steps=3, batch=4, checked=2)
    result = stage0(request, MemoryContext(tmp_path / "run"))
    assert result.pairs == 10 and result.parameters < 60_000, "adapters only"
    own.write_text('{"text": "a", "emotion": "", "output": ""}\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"Line 1 of pairs\.jsonl lacks"):
        stage0(request, MemoryContext(tmp_path / "bad"))
    own.write_text('{"text": "a", "emotion": "bored", "output": "b"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="'bored'"):
        stage0(request, MemoryContext(tmp_path / "bad"))


def test_the_gate_task_asks_a_model(tmp_path: Path, tiny_lm: Path) -> None:
    line = Direct(tiny_lm)
    context = MemoryContext(tmp_path / "run", model_factory=lambda _: line)
    result = gate.run(GateRequest(f"path:{tiny_lm}", checked=2), context)
    assert not result.passed and line.asked == 10 + 10 and result.pool == 2
    with pytest.raises(UserError, match="did not pass"):
        gate.require(f"path:{context.run}/artifacts/gate.json", tiny_lm, result.weights, context)
    good = gated(tiny_lm, tmp_path / "gate.json")
    gate.require(f"path:{good}", tiny_lm, result.weights, context)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "clips", speakers=2, seconds=0.3)


@pytest.mark.parametrize(("stage", "prompts", "rows"), [(1, 2, 20), (2, 10, 20)])
def test_each_prompt_is_asked_once(tmp_path: Path, tiny_lm: Path, data: Path, stage: int, prompts: int,
                                   rows: int) -> None:
    line = Direct(tiny_lm)
    context = MemoryContext(tmp_path / "run", model_factory=lambda _: line)
    request = ContinuationsRequest(f"path:{data}/manifest.jsonl", stage=stage, max_new_tokens=4)
    result = write_continuations(request, context)
    assert line.asked == result.prompts == prompts and result.rows + sum(result.dropped.values()) == rows
    written = read_manifest(Path(result.path), "continuation").rows
    assert len(written) == result.rows and result.cut == sum(row.early_stop for row in written)
    assert all(emotion_words(row.instruction) == [] and Path(row.audio).is_file() for row in written)
    outputs = {(row.text, row.emotion if stage == 2 else ""): row.output for row in written}
    assert all(outputs[(row.text, row.emotion if stage == 2 else "")] == row.output for row in written)


def test_a_cut_run_goes_on_with_what_it_wrote(tmp_path: Path, tiny_lm: Path, data: Path) -> None:
    line = Direct(tiny_lm)
    request = ContinuationsRequest(f"path:{data}/manifest.jsonl", stage=2, max_new_tokens=3, together=2,
                                   every_emotion=True)
    with pytest.raises(Cancelled):
        write_continuations(request, MemoryContext(tmp_path / "run", model_factory=lambda _: line, cancel_after=5))
    before = line.asked
    kept = read_written(tmp_path / "run" / "checkpoints" / "written.jsonl")
    assert 0 < len(kept) < 10
    context = MemoryContext(tmp_path / "run", model_factory=lambda _: line)
    write_continuations(request, context)
    assert line.asked - before == 10 - len(kept)
    answers = read_answers(context.run / "artifacts" / "answers.jsonl")
    assert set(answers) == set(SENTENCES) and all(set(row) == set(EMOTIONS) for row in answers.values())
    assert all(answers[text][emotion] == value for (text, emotion), value in kept.items())


def test_continuations_that_cannot_be_written(tmp_path: Path, data: Path) -> None:
    with pytest.raises(UserError, match="only stage 2 names emotions"):
        ContinuationsRequest("path:x", every_emotion=True)
    bare = data / "bare.jsonl"
    bare.write_text('{"audio": "s0-0-sad.wav", "emotion": "sad", "text": ""}\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"no usable row|transcript"):
        write_continuations(ContinuationsRequest(f"path:{bare}", stage=2), MemoryContext(tmp_path / "run"))
    (data / "part.jsonl").write_text('{"text": "a", "emotion": "sad", "output": "b", "early_stop": false}\n')
    for name, words in (("part.jsonl", "lacks an emotion"), ("bare.jsonl", "has no answers")):
        with pytest.raises(UserError, match=words):
            read_answers(data / name)
