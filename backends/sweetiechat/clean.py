"""From what a model wrote to one utterance: labels, stage directions, talk about the task and half sentences go.

The rules (phrases, lengths) are in ``assets/dialogue/prompts.<lang>.yaml`` under ``rules``; what was taken off is
returned, and the raw text stays in the turn's ``meta.raw``, so nothing is hidden.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from backends.sweetiechat.objects import Speaker
from backends.sweetiechat.wording import Wording

SENTENCE = re.compile(r"[^.!?。！？…]*[.!?。！？…]+[\"'”’)]*\s*|[^.!?。！？…]+$")
ENDS = tuple(".!?。！？…\"'”’)")
ASIDE = re.compile(r"\[[^\]]*\]|\*[^*\n]*\*|\([^)]*\)|（[^）]*）")
SAME = 0.6
"""An utterance that shares more than this part of its word pairs with an earlier one counts as said before."""


@dataclass(frozen=True)
class Cleaned:
    """The utterance, what was taken off it, and which rules it still breaks."""

    text: str
    removed: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def printable(text: str) -> str:
    """The text without control characters and lone surrogates; line ends and tabs become spaces."""
    text = text.encode("utf-8", "ignore").decode("utf-8")
    kept = "".join(" " if c in "\n\r\t\u2028\u2029" else c for c in text
                   if c in "\n\r\t\u2028\u2029" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cn", "Cs"))
    return re.sub(r"\s+", " ", kept).strip()


def clean(text: str, role: Speaker, wording: Wording, *, cut_off: bool, said: Sequence[str] = (),
          small: bool = False) -> Cleaned:
    """One utterance out of a model's raw text. ``cut_off``: the model had no room to finish, so a last half
    sentence goes where a whole one is left. ``said``: what this role said before, to notice repetition.
    ``small`` models lose their thread after a sentence or two, so less is kept of what they write."""
    rules, removed = wording.part("rules"), []
    bare = ASIDE.sub(" ", _own_lines(text, wording))
    bare = printable(wording.pattern("rules", "labels").sub("", bare)).strip("\"“”*# ")
    if bare != " ".join(text.split()):
        removed.append("labels or asides")
    sentences = [s.strip() for s in SENTENCE.findall(bare) if s.strip()]
    meta = wording.pattern("rules", "meta")
    kept = [s for s in sentences if not meta.search(s)]
    if len(kept) < len(sentences):
        removed.append("talk about the task")
    if small:
        kept, before = _without_comments(kept, role, wording), kept
        removed += ["comment on itself"] if len(kept) < len(before) else []
    if cut_off and len(kept) > 1 and not kept[-1].endswith(ENDS):
        kept.pop()
        removed.append("half sentence")
    old = {s.strip().lower() for other in said for s in SENTENCE.findall(other)}
    fresh = [s for s in kept if s.lower() not in old]
    unique = list(dict.fromkeys(fresh or kept))[: int(rules["sentences_small" if small else "sentences"][role])]
    if len(unique) < len(kept):
        removed.append("sentences beyond the limit or said twice")
    words = " ".join(unique) if wording.language == "en" else "".join(unique)
    result = _finish(_shorten(words, int(rules["longest_words"][role]), wording), wording)
    return Cleaned(result, tuple(removed), faults(result, role, wording, said))


def _without_comments(sentences: list[str], role: Speaker, wording: Wording) -> list[str]:
    """The sentences without those that only comment on the ones before, never all of them."""
    pattern = wording.pattern("rules", "drop", role)
    return [s for n, s in enumerate(sentences) if n == 0 or not pattern.search(s)]


def _own_lines(text: str, wording: Wording) -> str:
    """The lines up to where the model goes on as somebody else ("Supporter: ...")."""
    lines, label = [line for line in text.strip().split("\n") if line.strip()], wording.pattern("rules", "labels")
    own = [line for n, line in enumerate(lines) if not any(label.match(earlier) for earlier in lines[1:n + 1])]
    return " ".join(own)


def _shorten(text: str, longest: int, wording: Wording) -> str:
    """At most ``longest`` words (twice as many characters in Chinese), cut at a sentence or clause."""
    pieces = text.split() if wording.language == "en" else list(text)
    longest = longest if wording.language == "en" else 2 * longest
    if len(pieces) <= longest:
        return text
    short = (" " if wording.language == "en" else "").join(pieces[:longest])
    cut = max((short.rfind(mark) for mark in ".!?。！？"), default=-1)
    return short[: cut + 1] if cut > len(short) // 3 else short.rstrip(",;，；") + "…"


def _finish(text: str, wording: Wording) -> str:
    """A capital at the start and a full stop at the end."""
    text = text.strip()
    if not text:
        return ""
    if not text.endswith(ENDS):
        text = text.rstrip(",;:，；：—- ") + ("." if wording.language == "en" else "。")
    return text[0].upper() + text[1:]


def faults(text: str, role: Speaker, wording: Wording, said: Sequence[str]) -> tuple[str, ...]:
    """Names of the rules that an utterance breaks; a redraw may follow."""
    if not re.search(r"\w", text):
        return ("empty",)
    found = [name for name in wording.part("rules")["faults"].get(role, {})
             if wording.pattern("rules", "faults", role, name).search(text)]
    if any(overlap(text, other, 2, wording.language) > SAME for other in said):
        found.append("said before")
    return tuple(found)


def grams(text: str, n: int, language: str) -> set[tuple[str, ...]]:
    """The set of n-grams over lower-case words (characters in Chinese, punctuation left out)."""
    pieces = re.findall(r"\w+(?:['’]\w+)?", text.lower()) if language == "en" else re.findall(r"\w", text.lower())
    return {tuple(pieces[i:i + n]) for i in range(len(pieces) - n + 1)}


def overlap(text: str, other: str, n: int, language: str) -> float:
    """Share of the shorter text's n-grams that occur in the other, 0..1; short texts only when equal."""
    first, second = grams(text, n, language), grams(other, n, language)
    if not first or not second:
        return float(text.strip().lower() == other.strip().lower())
    return len(first & second) / min(len(first), len(second))
