"""What a model hears: scores of answers, replies token by token, conversations that never mix, evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from backends.blsp_emo import infer, prompts
from backends.blsp_emo.evaluate import contrast
from backends.blsp_emo.evaluate import run as evaluate
from backends.blsp_emo.gate import frozen_classifier
from backends.blsp_emo.generate import Reading, choose, ends_of, likelihood, reply, stream, tokens
from backends.blsp_emo.infer import Conversation, Turn, chat, hear, trimmed, unparsed_rate
from backends.blsp_emo.plora import PloraShape
from backends.blsp_emo.requests import EvaluateRequest
from backends.blsp_emo.sequences import Heard, Text, pack
from backends.blsp_emo.ser import EMOTIONS
from backends.blsp_emo.storage import Setup, base_of, save_model
from backends.common.speech.manifests import Row
from tests.backends.blsp_cases import SENTENCES, make_data, some_mels, tiny_model, tone, wake
from workbench.context import MemoryContext
from workbench.contract import UserError

GREEDY = Reading(8, 0.0)


@pytest.fixture(scope="module")
def model(whisper: Path, tiny_lm: Path):
    made = tiny_model(whisper, tiny_lm)
    made.add_plora(PloraShape(2, dropout=0.0))
    wake(made.plora)
    with torch.no_grad():
        made.head.weight.copy_(torch.randn(made.head.weight.shape, generator=torch.Generator().manual_seed(5)))
    made.train_only(())
    return made


@pytest.fixture(scope="module")
def spoken(model):
    return [hear(model, tone(0.5, pitch)) for pitch in (150, 320)]


def test_cached_generation_equals_a_whole_pass_every_time(model) -> None:
    """PLoRA on the prompt's speech only, then the untouched model: the same as one pass over prompt and reply."""
    with torch.no_grad():
        speech = model.listen(model.encode(some_mels(model.speech_encoder, 0.6)))
        line = model.layout.line(prompts.chat(), Heard(0))
        made = list(tokens(model, line, speech, GREEDY))
        ids: list[int] = []
        for _ in range(8):
            packed = pack([(*line, *([Text(tuple(ids))]
                                     if ids else []))], speech.lengths.tolist(), 0)
            token = int(model.logits(packed, speech)[0, -1].argmax())
            if token in ends_of(model):
                break
            ids.append(token)
    assert made == ids and made


def test_pieces_make_the_reply_and_other_sounds_make_another(model, spoken) -> None:
    line, found = model.layout.line(prompts.chat(), Heard(0)), []
    for one in spoken:
        speech = infer.batch_of([one], model)
        pieces = list(stream(model, line, speech, GREEDY))
        assert "".join(pieces).strip() == reply(model, line, speech, GREEDY)
        found.append(model.logits(pack([line], speech.lengths.tolist(), 0), speech)[0, -1])
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_sampling_repeats_by_seed_and_keeps_to_the_likeliest() -> None:
    logits = torch.tensor([3.0, 2.9, -5.0, -5.0])
    drawn = [[choose(logits, Reading(temperature=1.0, top_p=0.9), torch.Generator().manual_seed(seed))
              for seed in range(40)] for _ in range(2)]
    assert drawn[0] == drawn[1] and set(drawn[0]) == {0, 1}
    assert choose(logits, Reading(temperature=0.0), torch.Generator()) == 0
    assert choose(logits, Reading(temperature=5.0, top_p=0.01), torch.Generator().manual_seed(1)) == 0


@pytest.mark.parametrize("fields", [{"max_new_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}])
def test_readings_are_checked(fields: dict) -> None:
    with pytest.raises(UserError, match="must be at least 1"):
        Reading(**fields)


def test_the_likelihood_of_answers(model, spoken) -> None:
    speech = infer.batch_of(spoken[:1], model)
    lines = [model.layout.line(prompts.heard(), Heard(0), text, stop) for text, stop in (("ab", False), ("ab", True))]
    both = likelihood(model, lines, speech)
    assert both[0] < both[1] < 0, "the end token costs something"
    assert likelihood(model, lines[:1], speech)[0] == pytest.approx(both[0], abs=1e-3)
    whole = pack(lines[:1], speech.lengths.tolist(), 0)
    with torch.no_grad():
        logp = torch.log_softmax(model.logits(whole, speech)[0], -1)
    places = (whole.labels[0] >= 0).nonzero()[:, 0]
    expected = sum(float(logp[at - 1, whole.labels[0, at]]) for at in places)
    assert both[0] == pytest.approx(expected, abs=1e-3)


def test_an_emotion_by_both_ways(model, spoken) -> None:
    found = infer.emotion(model, spoken[0])
    assert set(found.chances) == set(EMOTIONS) and sum(found.chances.values()) == pytest.approx(1, abs=1e-5)
    assert found.parsed == prompts.parse_emotion(found.answer)
    assert infer.emotion(model, spoken[1]).chances != found.chances, "another sound"
    made = [infer.Emotion({}, "sad", "sad"), infer.Emotion({}, "hm", "")]
    assert unparsed_rate(made) == 0.5
    with pytest.raises(UserError, match="no answer"):
        unparsed_rate([])


def test_two_visitors_never_share_a_history(model, spoken) -> None:
    one, two = Conversation(), Conversation()
    turn = Turn(spoken[0])
    said = "".join(chat(model, one, turn, GREEDY))
    one = one.after(turn, said)
    assert two.turns == () and len(one.turns) == 1 and one.turns[0].reply == said
    again = "".join(chat(model, two, turn, GREEDY))
    assert again == said, "a fresh conversation knows nothing of the other one"
    asked = Turn(text="And you?")
    assert infer.line_of(model, (*one.turns, asked))[0] != infer.line_of(model, (asked,))[0]


def test_kept_vectors_are_used_again(model, spoken, monkeypatch: pytest.MonkeyPatch) -> None:
    history = Conversation((Turn(spoken[0], reply="ok"), Turn(text="Hm", reply="yes")))
    monkeypatch.setattr(type(model), "encode", lambda *_: pytest.fail("speech of the past was encoded again"))
    assert isinstance("".join(chat(model, history, Turn(spoken[1]), GREEDY)), str)
    line, heard = infer.line_of(model, (*history.turns, Turn(spoken[1])))
    assert [piece.place for piece in line if isinstance(piece, Heard)] == [0, 1] and len(heard) == 2


@pytest.mark.parametrize("window", [150, 220, 300, 500, 900])
def test_trimming_drops_whole_turns_and_keeps_the_newest(model, spoken, window: int,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infer, "WINDOW", window)
    turns = tuple(Turn(spoken[i % 2], reply=f"reply {i}") if i % 3 else Turn(text=f"question {i}", reply=f"reply {i}")
                  for i in range(9))
    newest = Turn(text="last")
    kept = trimmed(model, (*turns, newest), 10)
    assert kept == (*turns, newest)[-len(kept):] and kept[-1] is newest
    assert infer.size_of(model, kept) <= window - 10
    if len(kept) <= len(turns):
        assert infer.size_of(model, (*turns, newest)[-len(kept) - 1:]) > window - 10, "not one turn too many is gone"


def test_a_turn_that_cannot_fit_is_refused(model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infer, "WINDOW", 120)
    with pytest.raises(UserError, match="there is room for 110"):
        chat(model, Conversation(), Turn(text="x" * 200), Reading(10, 0.0))
    for fields in ({}, {"text": "a", "spoken": torch.zeros(1, 2)}):
        with pytest.raises(UserError, match="either speech or text"):
            Turn(**fields)


def test_the_window_of_the_language_model_holds(model) -> None:
    with pytest.raises(UserError, match="this language model holds 4096"):
        list(tokens(model, model.layout.line(prompts.chat(), "x" * 4000), None, Reading(200, 0.0)))


def test_contrast_counts_the_right_direction_only() -> None:
    classifier, _ = frozen_classifier()
    rows = [Row("a", "T", "happy"), Row("b", "T", "sad"), Row("c", "U", "sad")]
    glad, sorry = "That is wonderful! Tell me more!", "I am sorry to hear that. You are not alone."
    assert contrast(rows, [glad, sorry, sorry], classifier) == 1.0
    assert contrast(rows, [sorry, glad, sorry], classifier) == 0.0
    assert contrast(rows, [glad, glad, glad], classifier) == 0.0, "equal replies are no contrast"
    assert contrast(rows[1:], [sorry, sorry], classifier) == -1.0, "no sentence in two emotions"


def test_evaluation_of_a_saved_model(whisper: Path, tiny_lm: Path, tmp_path: Path) -> None:
    data = make_data(tmp_path / "clips", speakers=3, seconds=0.3)
    context = MemoryContext(tmp_path / "run")
    base = base_of(f"path:{tiny_lm}", f"path:{whisper}", context)
    folder = save_model(tiny_model(whisper, tiny_lm), Setup(1, base, bottleneck=8), tmp_path / "model", "card", {})
    request = EvaluateRequest(f"path:{folder}", f"path:{data}/manifest.jsonl", f"path:{data}/answers.jsonl",
                              speakers=("s0", "s2"), replies=True)
    result = evaluate(request, context)
    assert result.clips == 20 and result.told == pytest.approx(0.2), "one sentence in five tones: the words say nothing"
    assert result.head == pytest.approx(0.2), "an untrained head says the same of all"
    assert result.content_pool == len(SENTENCES) and 0 <= result.content <= 1 and result.contrast >= 0
    assert result.gap > 0 and set(result.gap_by_emotion) == set(EMOTIONS)
    low, high = result.heard_interval
    assert sum(map(sum, result.confusion)) == 20 and low <= result.heard <= high
    rows = json.loads((context.run / "artifacts" / "clips.json").read_text(encoding="utf-8"))
    assert len(rows) == 20 and {row["speaker"] for row in rows} == {"s0", "s2"}
    with pytest.raises(UserError, match="by nobody"):
        evaluate(EvaluateRequest(request.model, request.manifest, request.answers, speakers=("nobody",)), context)
