"""Cutting text into tokens, by a name that every number carries: two tokenisers give numbers that do not compare.

============  ===========================================================================================
``treebank``  English default: lower case, then the splits of NLTK's ``word_tokenize`` (clitics as in ``do n't``,
              ``gon na``; hyphenated words stay whole). Ours in place of NLTK because its sentence model is a
              separate download; a full stop ends a sentence unless it follows an abbreviation or an initial.
``words``     lower case, then runs of word characters and single other signs, ``\\w+|[^\\w\\s]``
``chars``     Chinese default: every Han character, every run of Latin letters or digits, every other sign
``jieba``     Chinese words by jieba, when it is installed; never chosen by itself, since a number must not
              change its meaning because somebody installed a package
============  ===========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from backends.sweetiechat.objects import Language
from workbench.contract import MissingResource, UserError

Tokens = tuple[str, ...]

_WORDS = re.compile(r"\w+|[^\w\s]")
_CHARS = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]|[^\W\u3400-\u9fff\uf900-\ufaff"
                    r"\U00020000-\U0002fa1f]+|[^\w\s]")
_TREEBANK = re.compile(r"""
    \.{2,}
  | (?P<opening>(?<![^\s(\[{<])(?:"|''))
  | (?P<closing>"|'')
  | --
  | `+
  | [«»“”„‘’;@#$%&?!*()\[\]{}<>‒–—―]
  | [:,](?!\d)
  | (?P<word>(?:(?!''|--)[^\s"`«»“”„‘’;@#$%&?!*()\[\]{}<>‒–—―:,.]|[:,](?=\d)|\.(?!\.))+)
  | \.
""", re.VERBOSE)
_CLITIC = re.compile(r"(.*[^'])(n't|'(?:s|m|d|ll|re|ve)?)")
_LEADING_QUOTE = re.compile(r"'(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)")
_TAIL = re.compile(r"[\s\"')\]}>]*\Z")
_INITIALS = re.compile(r"(?:[a-z]\.)*[a-z]\.")
_ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "jr.", "sr.", "vs.", "etc.", "approx.",
                            "dept."})
_FUSED = {"cannot": ("can", "not"), "gonna": ("gon", "na"), "gotta": ("got", "ta"), "wanna": ("wan", "na"),
          "gimme": ("gim", "me"), "lemme": ("lem", "me"), "'tis": ("'t", "is"), "'twas": ("'t", "was")}


@dataclass(frozen=True)
class Tokenizer:
    """A way to cut text, with the name that goes into every output."""

    name: str
    split: Callable[[str], Tokens]

    def __call__(self, text: str) -> Tokens:
        """The tokens of a text; nothing for an empty one."""
        return self.split(text)


def default_name(language: Language) -> str:
    """The tokenizer that a language is measured with unless another one is named."""
    return "chars" if language == "zh" else "treebank"


def tokenizer(name: str) -> Tokenizer:
    """The tokenizer of this name: ``treebank``, ``words``, ``chars`` or ``jieba``.

    Raises ``UserError`` for an unknown name and ``MissingResource`` when jieba is not installed.
    """
    if name == "jieba":
        return Tokenizer(name, _jieba())
    known = {"treebank": _treebank, "words": _words, "chars": _chars}
    if name not in known:
        raise UserError(f"The tokenizer is {name!r}; it must be one of {', '.join([*known, 'jieba'])}.")
    return Tokenizer(name, known[name])


def _words(text: str) -> Tokens:
    return tuple(_WORDS.findall(text.lower()))


def _chars(text: str) -> Tokens:
    return tuple(_CHARS.findall(text.lower()))


def _treebank(text: str) -> Tokens:
    return tuple(_treebank_tokens(text.lower()))


def _treebank_tokens(text: str) -> Iterator[str]:
    for match in _TREEBANK.finditer(text):
        if match["opening"]:
            yield "``"
        elif match["closing"]:
            yield "''"
        elif match["word"]:
            yield from _split_word(match["word"], last=bool(_TAIL.match(text, match.end())))
        else:
            yield match[0]


def _split_word(word: str, last: bool) -> Iterator[str]:
    """Quote in front, clitic behind, full stop last: the order in which they stand in the text.

    The last full stop of a text always ends it, after an abbreviation too.
    """
    if len(word) > 1 and _LEADING_QUOTE.match(word) and word not in _FUSED:
        yield "'"
        word = word[1:]
    kept = word in _ABBREVIATIONS or (word != "i." and _INITIALS.fullmatch(word))
    stop = len(word) > 1 and word.endswith(".") and (last or not kept)
    word = word[:-1] if stop else word
    parts = _FUSED.get(word)
    clitic = _CLITIC.fullmatch(word)
    if parts:
        yield from parts
    elif clitic:
        yield from clitic.groups()
    else:
        yield word
    if stop:
        yield "."


def _jieba() -> Callable[[str], Tokens]:
    try:
        module = import_module("jieba")
    except ImportError:
        raise MissingResource("The tokenizer jieba is not installed.",
                              advice="Install it with: pip install jieba, or use the tokenizer chars.") from None

    def split(text: str) -> Tokens:
        return tuple(token for token in module.lcut(text.lower()) if token.strip())

    return split
