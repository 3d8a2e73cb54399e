"""Whether a text is in English or in Chinese, from its script and its commonest words.

No language model: Chinese is told by its script, English by Latin script and, from eight words on, by at least one
of its commonest words, which catches a generator that slips into another European language (our default).
"""

from __future__ import annotations

import re

from backends.sweetiechat.objects import Language

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_KANA_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_LATIN = re.compile(r"[A-Za-z]")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")
_COMMON = frozenset({
    "the", "a", "an", "and", "or", "but", "to", "of", "in", "on", "at", "for", "with", "from", "about", "i", "you",
    "he", "she", "it", "we", "they", "my", "your", "his", "her", "our", "their", "me", "is", "am", "are", "was", "were",
    "be", "been", "do", "does", "did", "have", "has", "had", "can", "could", "will", "would", "should", "not", "no",
    "yes", "that", "this", "these", "those", "what", "how", "when", "why", "who", "there", "so", "if", "as", "because",
    "just", "like", "feel", "feeling", "know", "think", "im", "dont", "hi", "hello", "thanks", "thank", "good"})
ENOUGH_WORDS = 8
HAN_SHARE = 0.3
"""A Chinese sentence may hold English words (names, abbreviations); each counts as many letters."""


def wrong_language(text: str, language: Language) -> str:
    """What is wrong with the language of a text; empty when nothing is (or it has no letters at all)."""
    letters = len(_LETTER.findall(text))
    if not letters:
        return ""
    if _KANA_HANGUL.search(text):
        return "Japanese or Korean letters"
    han = len(_HAN.findall(text)) / letters
    if language == "zh":
        return "" if han >= HAN_SHARE else f"only {han:.0%} Chinese letters"
    latin = len(_LATIN.findall(text)) / letters
    if latin < 0.8:
        return f"only {latin:.0%} Latin letters"
    words = [word.lower() for word in _WORD.findall(text)]
    if len(words) >= ENOUGH_WORDS and not _COMMON.intersection(words):
        return "no common English word"
    return ""
