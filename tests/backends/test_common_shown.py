"""Streaming text: never half a character, never a piece of a stop text, and the pieces are the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.common.shown import BROKEN, Detokenizer, Shown
from tests.tiny import make_tokenizer

TOKENIZER = make_tokenizer()
"""One token a byte: a Chinese character takes three tokens, an emoji four."""


def pieces_of(tokens: list[int], prompt: tuple[int, ...] = ()) -> list[str]:
    detokenizer = Detokenizer(TOKENIZER, prompt)
    return [*(detokenizer.add(token) for token in tokens), detokenizer.finish()]


def ids(text: str) -> list[int]:
    return TOKENIZER(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("text", ["plain words", "我今天很难过", "mixed 难过 and 😢 here", "é à ü", "", "end in 难"])
def test_pieces_are_whole_characters_and_make_up_the_text(text: str) -> None:
    pieces = pieces_of(ids(text))
    assert "".join(pieces) == text
    assert not any(BROKEN in piece for piece in pieces)


@given(st.text(max_size=40))
def test_any_text_comes_back(text: str) -> None:
    assert "".join(pieces_of(ids(text))) == text.encode("utf-8", "replace").decode()


@given(st.lists(st.integers(2, 257), max_size=60))
def test_bytes_that_are_no_text_are_shown_as_the_decoder_shows_them(tokens: list[int]) -> None:
    assert "".join(pieces_of(tokens)).rstrip(BROKEN) == TOKENIZER.decode(tokens).rstrip(BROKEN)


def test_a_character_that_never_ends_is_dropped() -> None:
    assert "".join(pieces_of(ids("ok难")[:-1])) == "ok"


def test_special_tokens_are_not_text() -> None:
    assert "".join(pieces_of([0, *ids("a"), 1, *ids("b")])) == "ab"


def test_garbage_does_not_hold_everything_back() -> None:
    shown = "".join(pieces_of([TOKENIZER.convert_tokens_to_ids("Ä")] * 200)[:-1])
    assert len(shown) > 150


def test_the_window_begins_with_the_end_of_the_prompt() -> None:
    class Spaced:
        """Decodes like SentencePiece: the space before the first word of a text is lost."""

        words = ("▁I", "▁feel", "▁sad")

        def decode(self, tokens, **_):
            return "".join(self.words[t] for t in tokens).replace("▁", " ").lstrip(" ")

    detokenizer = Detokenizer(Spaced(), [0])
    assert detokenizer.add(1) + detokenizer.add(2) == " feel sad"


@pytest.mark.parametrize(("pieces", "stops", "text", "stopped"), [
    (["Hello", "\nUser", ": hi"], ("\nUser:",), "Hello", True),
    (["Hello", "\nUse"], ("\nUser:",), "Hello\nUse", False),
    (["a", "b", "c"], ("abc",), "", True),
    (["aab", "aabX"], ("aabX",), "aab", True),
    (["one two three"], ("three", "two"), "one ", True),
    (["你好。", "再见"], ("。",), "你好", True),
    (["no stops"], (), "no stops", False)])
def test_a_stop_text_ends_the_reply_wherever_the_pieces_fall(pieces, stops, text: str, stopped: bool) -> None:
    shown, sent, done = Shown(stops), "", False
    for piece in pieces:
        done = shown.add(piece)
        sent += shown.ready(last=done)
        assert shown.text.startswith(sent)
        if done:
            break
    assert (shown.text, done) == (text, stopped)
    assert sent + shown.ready(last=True) == text


@given(st.text("ab", max_size=12), st.text("ab", min_size=1, max_size=4), st.integers(1, 3))
def test_what_was_shown_is_never_taken_back(text: str, stop: str, size: int) -> None:
    shown, sent = Shown((stop,)), ""
    for start in range(0, len(text), size):
        stopped = shown.add(text[start:start + size])
        sent += shown.ready(last=stopped)
        if stopped:
            break
    sent += shown.ready(last=True)
    assert sent == shown.text == text.split(stop)[0]


def test_no_stop_text_is_looked_for_in_the_prefill() -> None:
    shown = Shown(("I",))
    shown.begin("I feel")
    assert shown.ready() == "I feel"
    assert not shown.add(" sad")
    assert shown.add(" I")
    assert shown.text == "I feel sad "


def test_before_the_least_length_a_stop_text_is_text() -> None:
    shown = Shown(("\n",))
    assert not shown.add("a\n", may_stop=False)
    assert shown.ready() == "a\n"
    assert not shown.add("b")
    assert shown.add("c\nd")
    assert shown.text == "a\nbc"
