"""Form of a dialogue: both speak in turn, no role or strategy label in the text, right language, 3 to 80 tokens."""

from __future__ import annotations

import re
from itertools import pairwise

from backends.sweetiechat.metrics.tokens import Tokenizer
from backends.sweetiechat.objects import Dialogue, StrategySet
from backends.sweetiechat.quality.language import wrong_language
from backends.sweetiechat.quality.verdict import Limits, Verdict, turns_named

_ROLES = (r"(?:help[ -]?)?seeker|supporter|counsell?or|therapist|client|user|assistant|system|human|ai|bot|speaker|"
          r"listener|求助者|倾诉者|来访者|支持者|倾听者|咨询师|心理咨询师|顾问|用户|助手|系统")
_ROLE_LABEL = re.compile(
    rf"(?:^|[\n.!?。！？\"”])[\s*_#>\[(（【「]*(?:{_ROLES})(?:\s*\d+)?[\s*_\])）】」]*[:：]"
    rf"|^\s*[\[(（【]\s*(?:{_ROLES})\s*[\])）】]"
    r"|<\|[a-z_]+\|>|\[/?INST\]|^#{2,}\s*\w+\s*:|</?s>", re.IGNORECASE | re.MULTILINE)
WORDS = {"alternation": "the same speaker twice in a row", "label": "a role or strategy label in the text",
         "language": "another language", "length": "a length outside the limits"}


def check_format(dialogue: Dialogue, cut: Tokenizer, limits: Limits) -> Verdict:
    """Value: the turn numbers (from 0) of every kind of fault, and the tokenizer that lengths were counted with."""
    turns = dialogue.turns
    found: dict[str, list[int]] = {
        "alternation": [i + 1 for i, (now, after) in enumerate(pairwise(turns)) if now.role == after.role],
        "label": [i for i, turn in enumerate(turns) if has_label(turn.text, dialogue.strategy_set)],
        "language": [i for i, turn in enumerate(turns) if wrong_language(turn.text, dialogue.language)],
        "length": [i for i, turn in enumerate(turns)
                   if not limits.min_tokens <= len(cut(turn.text)) <= limits.max_tokens]}
    allowed = {"length": limits.max_odd_lengths}
    faults = [f"{WORDS[kind]} ({turns_named(places)})" for kind, places in found.items()
              if len(places) > allowed.get(kind, 0)]
    silent = [role for role in ("seeker", "supporter") if not any(turn.role == role for turn in turns)]
    faults += [f"the {role} says nothing" for role in silent]
    reason = "; ".join(faults) if faults else "the form is right"
    return Verdict("format", not faults, {**found, "silent": silent, "tokenizer": cut.name}, reason)


def has_label(text: str, strategies: StrategySet) -> bool:
    """Whether a text shows a role (``Supporter: ...``), a chat marker, or a strategy in brackets at its start."""
    if _ROLE_LABEL.search(text):
        return True
    start = re.match(r"\s*[\[(（【]([^\])）】]{1,60})[\])）】]", text)
    names = {name.casefold() for item in strategies.items for name in (item.key, item.label_en, item.label_zh)}
    return start is not None and start[1].strip().casefold() in names
