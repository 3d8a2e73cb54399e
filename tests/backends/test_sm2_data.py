"""Vocabularies, parallel files and the order language."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from pathlib import Path

import pytest

from backends.sm2.corpora import as_text, read_parallel, synthetic, words_of
from backends.sm2.order_language import SOV, SVO, Language, sentence, sentences, staircase
from backends.sm2.vocabulary import learn, open_vocabulary
from tests.backends.sm2_cases import LANGUAGE, some
from workbench.context import MemoryContext
from workbench.contract import UserError

SPOILT = gzip.compress(b"".join(b"line %d\n" % (i * 7919 % 10_007) for i in range(20_000)), mtime=0)
TEXT = ["Der Hund schläft unter dem Tisch.", "The dog sleeps under the table.", "我们去北京。", "it's a test"] * 20


def test_a_learned_vocabulary_gives_text_back(tmp_path: Path) -> None:
    made = learn(TEXT, 200)
    for line in TEXT[:4]:
        ids = made.encode(line)
        assert ids[-1] == made.end == 2 and made.decode(ids) == line and made.pieces(ids)[-1] == "</s>"
    assert made.begun(made.encode("The dog sleeps"))[-1] == 3 and made.begun(made.encode("我们去"))[-1] == 3
    made.save(tmp_path)
    again = open_vocabulary(tmp_path)
    assert again.encode(TEXT[0]) == made.encode(TEXT[0]) and again.size == made.size
    assert made.decode(made.encode("日")) != "日", "a character that was never seen is unknown"


def test_a_vocabulary_must_hold_the_characters() -> None:
    with pytest.raises(UserError, match="different characters"):
        learn(["".join(chr(0x4E00 + i) for i in range(300))], 200)


def test_words(tmp_path: Path) -> None:
    made = words_of(LANGUAGE)
    assert made.size == LANGUAGE.vocabulary and made.encode("svo n0 v1")[0] == SVO and made.encode("sov")[0] == SOV
    assert made.decode(made.encode("N1 V2")) == "N1 V2" and made.begun(made.encode("N1 V2")) == [1, 2, 2]
    with pytest.raises(UserError, match="no word 'cat'"):
        made.encode("cat")
    made.save(tmp_path)
    assert open_vocabulary(tmp_path).encode("sov n1") == made.encode("sov n1")


def test_a_sentence_is_translated_word_by_word_with_the_verb_second() -> None:
    seen = Counter()
    for one in some(200, 1):
        source, target = one.pair.source, one.pair.target
        seen[one.sov] += 1
        assert source[0] == (SOV if one.sov else SVO) and source[-1] == target[-1] == 2
        assert sorted(word + LANGUAGE.shift for word in source[1:-1]) == sorted(target[:-1])
        for place, need in enumerate(one.needed[:-1]):
            assert target[place] == source[need - 1] + LANGUAGE.shift
        verb = max(range(len(target) - 1), key=lambda i: target[i])
        assert one.needed[verb] == (len(source) - 1 if one.sov else verb + 2), (
            "the verb needs the end only when it is last"
        )
        assert len(source) <= LANGUAGE.longest
    assert 70 < seen[True] < 130


def test_the_language_repeats_with_the_seed_and_fits_its_text() -> None:
    one, two = (sentences(Language(), 20, random.Random(s)) for s in (4, 4))
    assert one == two and sentences(Language(), 20, random.Random(5)) != one
    text, words = as_text(LANGUAGE, one), words_of(LANGUAGE)
    assert [tuple(words.encode(line)) for line in text.source] == [s.pair.source for s in one]
    assert [tuple(words.encode(line)) for line in text.target] == [s.pair.target for s in one]


def test_a_staircase() -> None:
    assert staircase([1, 3], 3) == [[True, True, True], [False, False, True]]
    one = sentence(LANGUAGE, random.Random(2))
    assert all(row[-1] for row in staircase(one.needed, len(one.pair.source)))


def reference(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return f"path:{path}"


def test_parallel_files(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    de = reference(tmp_path / "a.de", b"eins\nzwei\n")
    en = reference(tmp_path / "a.en.gz", gzip.compress(b"one\r\ntwo\r\n"))
    table = reference(tmp_path / "t.txt", "Hi.\t嗨。\nRun.\t跑。\n".encode())
    rows = reference(tmp_path / "r.jsonl", b'{"ref": "three", "src": "drei"}\n')
    made = read_parallel((de,), (en,), False, context)
    assert made.source == ("eins", "zwei") and made.target == ("one", "two") and "CR LF" in made.notes[0]
    assert read_parallel((table,), (), False, context).source == ("Hi.", "Run.")
    assert read_parallel((table,), (), True, context).source == ("嗨。", "跑。")
    joint = read_parallel((table, rows), (), True, context)
    assert joint.source == ("嗨。", "跑。", "drei"), "named columns are not swapped"
    assert len(synthetic(LANGUAGE, 7, 0, context).source) == 7


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        (b"a\nb\n", b"a\n", "a.de has 2 lines and a.en 1"),
        (b"a\n", None, "has the column text only"),
        (b"\x1f\x8b\x00broken", b"a\n", "damaged gzip"),
        (SPOILT[:40] + b"\xff" * 50 + SPOILT[90:], b"a\n", "a.de is a damaged gzip"),
        (SPOILT[:-9], b"a\n", "damaged gzip"),
        (b"", b"a\n", "is empty"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, source: bytes, target: bytes | None, words: str) -> None:
    one = reference(tmp_path / "a.de", source)
    two = (reference(tmp_path / "a.en", target),) if target is not None else ()
    with pytest.raises(UserError, match=words):
        read_parallel((one,), two, False, MemoryContext(tmp_path / "run"))


def test_tatoeba_and_multi30k_as_they_lie_there(shared: Path, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    folder = shared / "mt"
    made = read_parallel((f"path:{folder}/tatoeba/cmn.txt",), (), True, context)
    assert len(made.source) == 20_133 and made.source[0] == "嗨。" and made.target[0] == "Hi."
    small = read_parallel(
        (f"path:{folder}/multi30k/val.de.gz",), (f"path:{folder}/multi30k/val.en.gz",), False, context
    )
    assert len(small.source) == len(small.target) == 1014


def test_marians_two_vocabularies(tmp_path: Path) -> None:
    import io
    import json

    import sentencepiece

    from backends.sm2.vocabulary import Marian

    pieces: dict[str, int] = {"</s>": 0, "<unk>": 1}
    for side, lines in (("source", TEXT[0::4]), ("target", TEXT[1::4])):
        out = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=out, vocab_size=30, hard_vocab_limit=False, minloglevel=2
        )
        (tmp_path / f"{side}.spm").write_bytes(out.getvalue())
        model = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
        for i in range(model.get_piece_size()):
            pieces.setdefault(model.id_to_piece(i), len(pieces))
    pieces["<pad>"] = len(pieces)
    (tmp_path / "vocab.json").write_text(json.dumps(pieces), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text('{"source_lang": "de", "target_lang": "en"}', encoding="utf-8")
    made = open_vocabulary(tmp_path)
    assert isinstance(made, Marian)
    ids = made.encode(TEXT[1], target=True)
    assert ids[-1] == 0 and made.decode(ids) == TEXT[1] and made.begun(ids)[-1] == 6
    assert made.encode(TEXT[0]) != made.encode(TEXT[0], target=True), "each side has its own pieces"
