"""Swapped roles: a supporter who speaks as the seeker, or a seeker who gives advice.

A sentence *tells* a fact when it holds at least ``fact_overlap`` of the fact's content words (English: words
without endings and function words; Chinese: pairs of characters). The supporter is at fault for telling a hidden
fact that the seeker has not told yet, and for telling any hidden fact or sentence of the situation in the first
person without addressing the seeker. The phrases and limits are ours.
"""

from __future__ import annotations

import re

from backends.sweetiechat.objects import Dialogue, Language
from backends.sweetiechat.quality.verdict import Limits, Verdict, turns_named

_SENTENCE = re.compile(r"[^.!?。！？\n]+")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+")
_ENDING = re.compile(r"(?:ing|edly|ed|es|s|ly)$")
_FUNCTION = frozenset({
    "the", "and", "but", "for", "with", "from", "about", "into", "that", "this", "these", "those", "than", "then",
    "you", "your", "she", "her", "his", "him", "our", "their", "them", "they", "was", "were", "are", "been", "being",
    "have", "has", "had", "having", "does", "did", "not", "can", "could", "will", "would", "should", "just", "very",
    "really", "what", "how", "when", "why", "who", "there", "because", "some", "any", "all", "it's", "i'm", "don't",
    "i've", "didn't", "can't", "still", "also", "too", "out", "its"})
_FIRST = {"en": re.compile(r"\b(?:i|i'm|i've|i'd|i'll|my|me|mine|myself)\b", re.IGNORECASE), "zh": re.compile("我")}
_SECOND = {"en": re.compile(r"\b(?:you|your|yours|yourself|you're|you've|you'd)\b", re.IGNORECASE),
           "zh": re.compile("[你您]")}
_ADVICE = {
    "en": re.compile(
        r"(?<!said )(?<!says )(?<!told me )(?<!tells me )(?<!you think )\byou should(?!'ve| have| know| see)\b|"
        r"(?:^|[.!?,;]\s*|\b(?:and|but|so|maybe|perhaps|then|think|also)\s+)"
        r"(?:you (?:could try|might want to|need to try|ought to|can (?:try|also))|why don'?t you|"
        r"have you (?:tried|considered|thought about)|let me know how i can help|how can i (?:help|support) you|"
        r"what would you like to talk about)|"
        r"\bi(?:'d| would)? (?:suggest|recommend|advise)(?: that)? you|\bmy advice (?:is|would be)|"
        r"\bi(?:'| a)m here (?:for you|to (?:help|listen|support))|\byou(?:'re| are) not alone\b|"
        r"\bit(?:'s| is) (?:normal|okay|ok|understandable) (?:for you )?to feel|\bit (?:sounds|seems) like you\b|"
        r"\bi understand (?:how|that) you\b|\bhow (?:are|do) you feel|\btell me more\b", re.IGNORECASE),
    "zh": re.compile(r"我?建议你|你(?:应该|不妨|可以(?:试|尝试|考虑))|(?:你)?要不要试试|有没有(?:试过|考虑过)|"
                     r"我(?:会|在这里)?(?:一直)?陪(?:着)?你|有什么(?:我)?(?:可以|能)帮(?:到|助)?你|我能理解你的感受")}


def check_role_flip(dialogue: Dialogue, limits: Limits) -> Verdict:
    """Value: the supporter's and the seeker's turns at fault (from 0). More than ``max_advising`` seeker turns fail."""
    sharing = sharing_turns(dialogue, limits.fact_overlap)
    advising = [turn.idx for turn in dialogue.said_by("seeker") if gives_advice(turn.text, dialogue.language)]
    faults = []
    if sharing:
        faults.append(f"the supporter tells the seeker's own story ({turns_named(sharing)})")
    if len(advising) > limits.max_advising:
        faults.append(f"the seeker gives advice ({turns_named(advising)})")
    reason = "; ".join(faults) if faults else "both keep their roles"
    return Verdict("role_flip", not faults, {"supporter": sharing, "seeker": advising}, reason)


def gives_advice(text: str, language: Language) -> bool:
    """Whether a seeker's turn counsels the other person; reported speech ("he said you should ...") does not."""
    return _ADVICE[language].search(text.replace("’", "'")) is not None


def sharing_turns(dialogue: Dialogue, share: float) -> list[int]:
    """Supporter turns that tell a hidden fact too early, or the seeker's story in the first person."""
    language = dialogue.language
    hidden = [terms(fact, language) for fact in (dialogue.card.hidden_facts if dialogue.card else ())]
    story = [terms(part, language) for part in _SENTENCE.findall(dialogue.scenario.situation)]
    told: set[str] = set()
    revealed: set[int] = set()
    places = []
    for turn in dialogue.turns:
        if turn.role == "seeker":
            told |= terms(turn.text, language)
            revealed |= set(turn.private.revealed if turn.private else ())
            continue
        open_facts = [fact for i, fact in enumerate(hidden)
                      if i not in revealed and not _tells(told, fact, share / 2)]
        for sentence in _SENTENCE.findall(turn.text):
            own = terms(sentence, language)
            first_person = bool(_FIRST[language].search(sentence)) and not _SECOND[language].search(sentence)
            secret = any(_tells(own, fact, share) for fact in open_facts)
            if secret or (first_person and any(_tells(own, fact, share) for fact in (*hidden, *story))):
                places.append(turn.idx)
                break
    return places


def terms(text: str, language: Language) -> set[str]:
    """Content terms: English words of three letters or more without common endings; Chinese pairs of characters."""
    if language == "zh":
        return {run[i:i + 2] for run in _HAN_RUN.findall(text) for i in range(len(run) - 1)}
    words = (word for word in _WORD.findall(text.lower().replace("’", "'"))
             if (len(word) > 2 or word.isdigit()) and word not in _FUNCTION)
    return {_ENDING.sub("", word) if len(word) > 4 else word for word in words}


def _tells(own: set[str], fact: set[str], share: float) -> bool:
    """A fact of fewer than three terms is too common to be told apart and counts as never told."""
    return len(fact) >= 3 and len(own & fact) >= share * len(fact)
