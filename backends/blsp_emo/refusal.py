"""Continuations that are no continuations: a language model that declines.

Five patterns of the published filter (cwang621/blsp-emo, ``data_process/clean_noise_examples.py``), which also read
"I am" for "I'm", and three of ours for what small models say besides. There is no other filter in the published code;
a continuation that ignores the emotion stays. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

APOSTROPHE = "['’]"
ME = rf"(i{APOSTROPHE}m|i am)"
PUBLISHED: Mapping[str, str] = MappingProxyType({
    "cannot": rf"^\W*{ME} sorry, but i (cannot|can{APOSTROPHE}t)\b",
    "unsure": rf"^\W*{ME} sorry, but {ME} not sure\b",
    "machine": r"\bas an ai language model\b",
    "apology": rf"\b{ME} sorry, but i\b",
    "unclear": rf"\b{ME} not sure what you\b",
})
"""Name of each pattern and its regular expression, on lower-case text."""
OWN: Mapping[str, str] = MappingProxyType({
    "other machine": r"\bas an? (ai|artificial intelligence|large language|language)( language)? (model|assistant)\b",
    "regret": rf"^\W*(i apologi[sz]e,? but|unfortunately,? i)\b.*\b(cannot|can{APOSTROPHE}?t|unable)\b",
    "more context": r"\b(could|can|please) (you )?(please )?provide (me )?(with )?(some |any )?(more|additional"
                    r"|further) (context|information|details)\b",
})


def refusal(text: str) -> str:
    """The name of the first pattern that the text meets, or ``""``; ``"empty"`` for no text."""
    plain = " ".join(text.lower().split())
    if not plain:
        return "empty"
    return next((name for name, pattern in {**PUBLISHED, **OWN}.items() if re.search(pattern, plain)), "")
