"""What a person can get wrong: damaged folders, odd texts, sentences that are too long, hostile input."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from backends.sm2.curve import run as curve
from backends.sm2.decode import translate
from backends.sm2.model import Shape
from backends.sm2.policy import Policy
from backends.sm2.requests import CurveRequest, PolicyFields, StatesRequest, TrainRequest, TranslateRequest
from backends.sm2.states import LONGEST, Session
from backends.sm2.states import whole as held
from backends.sm2.storage import open_translator
from backends.sm2.train import run as train
from backends.sm2.train_card import bare, card, facts
from backends.sm2.translate import run, states
from backends.sm2.vocabulary import learn, open_vocabulary
from backends.sm2.weights import read_weights
from tests.backends.sm2_cases import folder_of, small, some
from workbench.context import MemoryContext
from workbench.contract import MissingResource, UserError

FEW = settings(max_examples=30, deadline=None)


def configure(folder: Path, **fields) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.update(fields)
    config = {key: value for key, value in config.items() if value is not ...}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def reshape(folder: Path, **fields) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    configure(folder, shape={**config["shape"], **fields})


def rename(folder: Path, old: str, new: str) -> None:
    weights = load_file(folder / "model.safetensors")
    weights[new] = weights.pop(old)
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda p: (p / "model.safetensors").unlink(), MissingResource, "m has no weights.*|Bring model"),
        (lambda p: (p / "model.safetensors").write_bytes(b""), UserError, r"model\.safetensors of m is damaged"),
        (lambda p: (p / "model.safetensors").write_bytes(b"\x00" * 4096), UserError, "is damaged"),
        (
            lambda p: (p / "model.safetensors").write_bytes((p / "model.safetensors").read_bytes()[:-100]),
            UserError,
            "is damaged",
        ),
        (lambda p: rename(p, "confidence.bias", "confidence.offset"), UserError, r"2 differ.*confidence\.bias"),
        (lambda p: reshape(p, inner=64), UserError, "do not fit its config.json"),
        (lambda p: reshape(p, encoder_layers=1), UserError, "do not fit its config.json"),
        (lambda p: reshape(p, width="wide"), UserError, "width is 'wide'"),
        (lambda p: reshape(p, heads=7), UserError, "heads 7"),
        (lambda p: reshape(p, depth=3), UserError, "depth"),
        (lambda p: configure(p, shape=...), UserError, "needs the field vocabulary"),
        (lambda p: configure(p, model_type="t5"), UserError, "type 't5'"),
        (lambda p: (p / "config.json").write_text("[1, 2]"), UserError, "holds no object"),
        (lambda p: (p / "words.txt").write_text("a\n" * 300), UserError, "has 300 pieces and its model takes 85"),
        (lambda p: (p / "words.txt").write_bytes(b"\xff\xfe\xfa"), UserError, r"words\.txt of m is damaged"),
    ],
)
def test_a_damaged_folder_says_what_is_wrong(tmp_path: Path, spoil, error: type, words: str) -> None:
    folder = folder_of(tmp_path / "m")
    spoil(folder)
    with pytest.raises(error, match=words):
        open_translator(folder)


def test_a_damaged_tokenizer_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": {}}', encoding="utf-8")
    with pytest.raises(UserError, match=r"tokenizer\.json of .* is damaged"):
        open_vocabulary(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(MissingResource, match="no vocabulary"):
        open_vocabulary(tmp_path)


@FEW
@given(st.binary(max_size=200))
def test_any_bytes_as_weights_are_refused(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        file.write_bytes(data)
        try:
            assert read_weights(file) == {}
        except UserError as error:
            assert "damaged" in str(error)


@pytest.mark.parametrize(
    ("training", "alpha"),
    [
        ({"request": {"alpha": 0.5}}, 0.5),
        ({"request": {"alpha": "much"}}, 0.1),
        ({"request": {"alpha": -1}}, 0.1),
        ({"request": None}, 0.1),
        (None, 0.1),
        (..., 0.1),
    ],
)
def test_the_floor_is_of_the_models_own_alpha(tmp_path: Path, training, alpha: float) -> None:
    folder = folder_of(tmp_path / "m")
    configure(folder, training=training)
    assert open_translator(folder).alpha == alpha
    found = states(StatesRequest("sov n1 v3", f"path:{folder}"), MemoryContext(tmp_path / "run"))
    assert found.floor == pytest.approx(alpha / (1 + alpha)) and found.complete


def test_more_translations_than_are_listed_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small(1)
    source = max((one.pair.source for one in some(3)), key=lambda ids: len(Session(model, ids).sweep(most=5)))
    session = Session(model, source)
    assert len(session.sweep()) > 3 and session.sweep()[-1].high == 1.0
    few = session.sweep(most=3)
    assert len(few) == 3 and few[-1].high == 1.0, "the highest threshold is never left out"
    assert all(one.high <= two.low for one, two in pairwise(few)) and not held(few) and held(session.sweep())
    for one in few:
        same = next(other for other in session.sweep() if other.high == one.high)
        assert (same.low, same.trace.actions) == (one.low, one.trace.actions), "a range keeps both its ends"
    whole = Session.sweep
    monkeypatch.setattr(Session, "sweep", lambda self, policy=None: whole(self, policy, 2))
    folder = folder_of(tmp_path / "m", model)
    text = open_translator(folder).vocabulary.decode(source)
    found = states(StatesRequest(text, f"path:{folder}"), MemoryContext(tmp_path / "run"))
    assert not found.complete and len(found.ranges) == 2


def test_a_grid_of_the_same_text_is_made_once() -> None:
    session = Session(small(), some(1)[0].pair.source)
    one, two = session.grid((20, 21, 2)), session.grid([20, 21, 2])
    assert one is two and session.grid((20, 22, 2)) is not one and len(session.grids) == 2


def test_the_states_of_a_very_long_sentence_are_refused() -> None:
    model = small(positions=512)
    assert Session(model, [5] * LONGEST).size == LONGEST
    with pytest.raises(UserError, match=f"has {LONGEST + 1} tokens; the states of at most {LONGEST}"):
        Session(model, [5] * (LONGEST + 1))


LONG = " ".join(["n1"] * 90)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"sov n1 v3\n{LONG}\nsvo n2", "Sentence 2 has 91 tokens; this model takes 64"),
        (LONG, "The sentence has 91 tokens"),
        ("sov n1 </s> v3", "no word '</s>'"),
        ("<pad>", "no word '<pad>'"),
        ("sov n1\x00", "no word"),
        ("\u2028\n\t\n", "no text"),
        ("日本", "no word '日本'"),
    ],
)
def test_text_that_cannot_be_translated_is_refused_before_anything_is_made(
    tmp_path: Path, text: str, words: str
) -> None:
    folder = folder_of(tmp_path / "m")
    events = run(TranslateRequest(text, f"path:{folder}", PolicyFields("full")), MemoryContext(tmp_path / "run"))
    with pytest.raises(UserError, match=words):
        next(events)


def test_the_sentence_that_cannot_be_translated_is_named() -> None:
    with pytest.raises(UserError, match="Sentence 3 has no token"):
        translate(small(), [(5, 2), (6, 2), ()], Policy())
    with pytest.raises(UserError, match="Sentence 1,001 has 70 tokens"):
        translate(small(), [*[(5, 2)] * 1000, (5,) * 70], Policy())


def test_windows_lines_and_empty_lines_are_no_sentences(tmp_path: Path) -> None:
    events = list(run(TranslateRequest("svo n1 v3\r\n\r\n   \r\nsov n2 v1\r\n"), MemoryContext(tmp_path / "run")))
    assert [e["log"]["source"] for e in events[:-1]] == ["svo n1 v3", "sov n2 v1"]
    assert events[-1]["done"]["sentences"] == 2


def test_a_test_set_with_a_sentence_that_is_too_long_names_it(tmp_path: Path) -> None:
    for name, lines in (("s", ["svo n1 v3", LONG]), ("t", ["N1 V3", "N1"])):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = CurveRequest(f"path:{folder_of(tmp_path / 'm')}", f"path:{tmp_path}/s.txt", f"path:{tmp_path}/t.txt")
    with pytest.raises(UserError, match="Sentence 2 has 91 tokens"):
        curve(asked, MemoryContext(tmp_path / "run"))


@pytest.mark.parametrize("text", ["a </s> b", "<s>", "<pad> <pad>", "</s></s>", "<unk> hello"])
def test_names_of_special_tokens_are_text_like_any_other(tmp_path: Path, text: str) -> None:
    made = learn(["hello a b < / s > p d u n k"] * 2, 60)
    made.save(tmp_path)
    for vocabulary in (made, open_vocabulary(tmp_path)):
        ids = vocabulary.encode(text)
        assert ids[-1] == 2 and not {0, 1, 2} & {*ids[:-1]} and vocabulary.decode(ids) == text


@FEW
@given(st.text(max_size=30))
def test_any_text_becomes_ids_with_one_end(text: str) -> None:
    vocabulary = learn(["hello world 你好"] * 2, 40)
    ids = vocabulary.encode(text)
    assert ids.count(2) == 1 and ids[-1] == 2 and 0 not in ids and 1 not in ids
    assert len(vocabulary.pieces(ids)) == len(vocabulary.begun(ids)) == len(ids)
    vocabulary.decode(ids)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("path:/home/ann/data/train.de.gz", "train.de.gz"),
        ("path:/home/ann/model/", "model"),
        ("path:model", "model"),
        ("run:20260101T000000-abcdef", "run:20260101T000000-abcdef"),
        ("hub:Helsinki-NLP/opus-mt-de-en", "hub:Helsinki-NLP/opus-mt-de-en"),
        ("", ""),
    ],
)
def test_cards_name_files_and_not_folders(reference: str, expected: str) -> None:
    assert bare(reference) == expected


def test_neither_card_nor_configuration_says_where_the_files_were() -> None:
    from backends.sm2.requests import TrainResult

    asked = TrainRequest(source=("path:/home/ann/a.de",), target=("path:/home/ann/a.en",), start="path:/home/ann/old")
    result = TrainResult("/home/ann/x", 5, 100, 0, 3, 1000, 77, 2.0, 1.0, (), 1.0, 10.0)
    for text in (card(asked, result), json.dumps(facts(asked, result))):
        assert "/home/ann" not in text and "a.de" in text
    assert facts(asked, result)["training"]["request"]["start"] == "old"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"width": 16.5}, "width is 16.5"),
        ({"norm": "none"}, "norm"),
        ({"dropout": "a lot"}, "dropout"),
        ({"causal_encoder": 1}, "causal_encoder"),
        ({"inner": 0}, "at least 1"),
    ],
)
def test_shapes_of_the_wrong_kind_are_refused(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Shape(**{"vocabulary": 10, "width": 16, "heads": 2, **fields})


def test_the_practice_model_can_be_trained_on(tmp_path: Path) -> None:
    asked = TrainRequest(pairs=60, held_out=6, start="practice", max_steps=2, tokens=256, learning_rate=1e-4, warmup=1)
    result = train(asked, MemoryContext(tmp_path / "run"))
    assert result.measured[-1].full < 0.5, "it knows the language already"
    assert open_translator(Path(result.path)).ready
    with pytest.raises(UserError, match="no word 'der'"):
        (tmp_path / "a").write_text("der Hund\n" * 20, encoding="utf-8")
        file = f"path:{tmp_path}/a"
        train(TrainRequest((file,), (file,), start="practice"), MemoryContext(tmp_path / "other"))
