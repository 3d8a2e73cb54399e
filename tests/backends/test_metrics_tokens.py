"""Tokenisers: the English one against the output of NLTK 3.10's word tokenizer, and what their names promise."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.sweetiechat.metrics.tokens import default_name, tokenizer
from workbench.contract import MissingResource, UserError

NLTK = [
    ("I can't do this.", ["i", "ca", "n't", "do", "this", "."]),
    ("They've said they'll come, but she's late!",
     ["they", "'ve", "said", "they", "'ll", "come", ",", "but", "she", "'s", "late", "!"]),
    ("Don't you think it's the dog's?", ["do", "n't", "you", "think", "it", "'s", "the", "dog", "'s", "?"]),
    ("I cannot go; I'm gonna cry.", ["i", "can", "not", "go", ";", "i", "'m", "gon", "na", "cry", "."]),
    ("Gimme a sec, lemme think.", ["gim", "me", "a", "sec", ",", "lem", "me", "think", "."]),
    ("It cost $3.88 (about 3,36 euros).", ["it", "cost", "$", "3.88", "(", "about", "3,36", "euros", ")", "."]),
    ("We met at 10:30: he was late.", ["we", "met", "at", "10:30", ":", "he", "was", "late", "."]),
    ('"I like my weight," she said.', ["``", "i", "like", "my", "weight", ",", "''", "she", "said", "."]),
    ("well-being and self-esteem matter...", ["well-being", "and", "self-esteem", "matter", "..."]),
    ("His parents' house -- it's gone", ["his", "parents", "'", "house", "--", "it", "'s", "gone"]),
    ("'hello' she wrote", ["'", "hello", "'", "she", "wrote"]),
    ("Is that so?! Yes!!", ["is", "that", "so", "?", "!", "yes", "!", "!"]),
    ("one,two:three", ["one", ",", "two", ":", "three"]),
    ("I don’t know", ["i", "don", "’", "t", "know"]),
    ("the '90s were fun", ["the", "'", "90s", "were", "fun"]),
    ("50% of us & you @ home #1", ["50", "%", "of", "us", "&", "you", "@", "home", "#", "1"]),
    ("i want you'd", ["i", "want", "you", "'d"]),
    ("what's up, doc?", ["what", "'s", "up", ",", "doc", "?"]),
    ("you'll've gone", ["you'll", "'ve", "gone"]),
    ("rock 'n' roll", ["rock", "'n", "'", "roll"]),
    ("I wanna go", ["i", "wan", "na", "go"]),
    ("that's 5'", ["that", "'s", "5", "'"]),
]
SENTENCES = [
    ("I went home. It was late.", ["i", "went", "home", ".", "it", "was", "late", "."]),
    ("Dr. Lee met Mr. Fox.", ["dr.", "lee", "met", "mr.", "fox", "."]),
    ("He lives in the U.S. now.", ["he", "lives", "in", "the", "u.s.", "now", "."]),
    ("So am I. And you?", ["so", "am", "i", ".", "and", "you", "?"]),
    ("Eggs, milk, etc.", ["eggs", ",", "milk", ",", "etc", "."]),
]


@pytest.mark.parametrize(("text", "expected"), NLTK)
def test_treebank_cuts_one_sentence_as_nltk_does(text: str, expected: list[str]) -> None:
    assert list(tokenizer("treebank")(text)) == expected


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_treebank_ends_sentences_without_a_sentence_model(text: str, expected: list[str]) -> None:
    assert list(tokenizer("treebank")(text)) == expected


@pytest.mark.parametrize(("name", "text", "expected"), [
    ("words", "I can't stop!", ["i", "can", "'", "t", "stop", "!"]),
    ("words", "well-being, ok", ["well", "-", "being", ",", "ok"]),
    ("chars", "我在NASA工作3年了。", ["我", "在", "nasa", "工", "作", "3", "年", "了", "。"]),
    ("chars", "你 好", ["你", "好"]),
    ("chars", "ok了", ["ok", "了"]),
    ("words", "", []), ("treebank", "   ", []), ("chars", "\n", []),
])
def test_the_other_tokenizers(name: str, text: str, expected: list[str]) -> None:
    assert list(tokenizer(name)(text)) == expected


@pytest.mark.parametrize(("language", "name"), [("en", "treebank"), ("zh", "chars")])
def test_each_language_has_a_default(language: str, name: str) -> None:
    assert default_name(language) == name
    assert tokenizer(name).name == name


def test_an_unknown_name_is_refused_with_the_choices() -> None:
    with pytest.raises(UserError, match=r"'spaces'.*treebank, words, chars, jieba"):
        tokenizer("spaces")


@pytest.mark.skipif(importlib.util.find_spec("jieba") is not None, reason="jieba is installed here")
def test_jieba_says_how_to_get_it() -> None:
    with pytest.raises(MissingResource, match="pip install jieba"):
        tokenizer("jieba")


def test_jieba_is_used_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    fake = types.ModuleType("jieba")
    fake.lcut = lambda text: ["我们", " ", text[-1]]
    monkeypatch.setitem(sys.modules, "jieba", fake)
    assert tokenizer("jieba")("我们好") == ("我们", "好")
    assert default_name("zh") == "chars", "an installed package must not change a default"


@pytest.mark.parametrize("name", ["treebank", "words", "chars"])
@given(text=st.text(max_size=60))
def test_no_token_is_empty_or_has_a_blank_and_nothing_visible_is_lost(name: str, text: str) -> None:
    tokens = tokenizer(name)(text)
    assert all(token and not any(c.isspace() for c in token) for token in tokens)
    letters = [c for c in text.lower() if c.isalnum()]
    assert [c for token in tokens for c in token if c.isalnum()] == letters


@pytest.mark.parametrize("name", ["treebank", "words", "chars"])
@given(text=st.text("abc'.,? \"-iI", max_size=40))
def test_case_makes_no_difference(name: str, text: str) -> None:
    assert tokenizer(name)(text) == tokenizer(name)(text.upper())
