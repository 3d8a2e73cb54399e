"""When a scenario and a seeker card are kept: every rule with the value it found and its reason (all limits are ours
but for the two to four sentences of a situation).

==============  =================================================================================
length          situation 2 to 4 sentences and 12 to 120 words, every other field within its own bounds
form, language  no placeholder, label or repeated words; the language that was asked for
safety          no sign of a crisis, nothing that a support chat is not for
no_solution     no advice, cure or happy end: the seeker must not bring along what the talk is for
new             not nearly an earlier situation; hidden facts are not told by the situation or twice
own_words       no field and no sentence of the situation says what another one or a worked example says
first_person    hidden facts are said by the seeker: at most one has no word of the first person
fit             by the model's own scores the situation fits its problem better than other problems (where it can)
==============  =================================================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from backends.sweetiechat.metrics.text import corpus, rouge_l_each
from backends.sweetiechat.metrics.tokens import default_name, tokenizer
from backends.sweetiechat.quality.language import wrong_language
from backends.sweetiechat.quality.verdict import Verdict
from backends.sweetiechat.scenarios.verdicts import Words, bounded, clean_form, no_solution, safe, sentences

SENTENCES = (2, 4)
BOUNDS = {"en": {"situation": (12, 120), "trigger": (3, 40), "time_frame": (1, 10), "tried_already": (3, 40),
                 "goal_of_seeker": (3, 40), "fact": (4, 30), "opening": (3, 50)},
          "zh": {"situation": (20, 240), "trigger": (4, 80), "time_frame": (1, 20), "tried_already": (4, 80),
                 "goal_of_seeker": (4, 80), "fact": (6, 60), "opening": (4, 100)}}
UNITS = {"en": "words", "zh": "characters"}
ALIKE = 0.7
"""ROUGE-L from which two situations, or two facts, say the same."""
FEW = 7
IMPERSONAL = 1
TOLD = 0.8
COPIED, NEAREST = 0.75, 5
SHORT_FIELDS = ("time_frame",)
"""Words of a field whose script is looked at; facts that may do without the first person; share of a fact's words, in
any order, from which a situation tells it already; ROUGE-L from which a field copies, and how many pairs are measured;
and the field for which that says nothing ("two weeks")."""


def check_scenario(fields: Mapping[str, str], earlier: Sequence[str], words: Words,
                   shown: Mapping[str, Sequence[str]] | None = None) -> list[Verdict]:
    """All rules but ``fit`` for the texts of a scenario; ``earlier`` are the situations that were kept, ``shown`` the
    texts of worked examples by field."""
    situation = fields["situation"]
    count = bounded("length", "the situation", len(sentences(situation)), *SENTENCES, "sentences")
    return [count, *_lengths(fields, words), clean_form(words, fields), _language(fields, words), safe(words, fields),
            no_solution(words, {"situation": situation}), _new(situation, earlier, words),
            _own_words(fields, shown or {}, words)]


def check_card(fields: Mapping[str, str], situation: str, words: Words,
               shown: Mapping[str, Sequence[str]] | None = None) -> list[Verdict]:
    """All rules for the texts of a card: ``fact1`` .. and ``opening``; ``shown`` as in :func:`check_scenario`."""
    facts = [text for name, text in fields.items() if name.startswith("fact")]
    return [*_lengths(fields, words), clean_form(words, fields), _language(fields, words), safe(words, fields),
            no_solution(words, fields), _first_person(fields, words), _hidden(facts, situation, words),
            _own_words(fields, shown or {}, words)]


def _lengths(fields: Mapping[str, str], words: Words) -> list[Verdict]:
    bounds, unit = BOUNDS[words.language], UNITS[words.language]
    return [bounded("length", name, len(words.pieces(text)), *bounds[_field(name)], unit)
            for name, text in fields.items()]


def _field(name: str) -> str:
    """The field that a numbered one is of: ``fact2`` is a fact."""
    return "fact" if name.startswith("fact") else name


def _language(fields: Mapping[str, str], words: Words) -> Verdict:
    """The script of every field, and the commonest words over all of them: a short list of things may have none."""
    wrong = [f"{name}: {why}" for name, text in fields.items()
             if (why := wrong_language(" ".join(text.split()[:FEW]), words.language))]
    wrong = wrong or [why for why in [wrong_language(". ".join(fields.values()), words.language)] if why]
    return Verdict("language", not wrong, words.language, "; ".join(wrong) or "the right language")


def _rouge(texts: Sequence[str], others: Sequence[str], words: Words) -> list[float]:
    cut = tokenizer(default_name(words.language))
    return rouge_l_each(corpus(texts, others, cut), 1.0) if texts else []


def _new(situation: str, earlier: Sequence[str], words: Words) -> Verdict:
    scores = _rouge([situation] * len(earlier), list(earlier), words)
    highest = max(scores, default=0.0)
    return Verdict("new", highest < ALIKE, round(highest, 4),
                   f"{highest:.2f} like an earlier situation; it must be below {ALIKE:g}")


def _own_words(fields: Mapping[str, str], shown: Mapping[str, Sequence[str]], words: Words) -> Verdict:
    """Value: the pair of fields, or field and example, that are most alike, with their ROUGE-L; of a situation each
    sentence is compared."""
    texts = [(name, part) for name, text in fields.items() if name not in SHORT_FIELDS
             for part in (sentences(text) if name == "situation" else [text])]
    pairs = [(f"{a} and {b}", one, other) for place, (a, one) in enumerate(texts)
             for b, other in texts[:place] if a != b]
    pairs += [(f"{name} and an example", text, other) for name, text in texts for other in shown.get(_field(name), ())]
    pairs = sorted(pairs, key=lambda pair: -_shared(pair[1], pair[2], words))[:NEAREST]
    scores = _rouge([one for _, one, _ in pairs], [other for _, _, other in pairs], words)
    score, what = max(zip(scores, (what for what, _, _ in pairs), strict=True), default=(0.0, ""))
    return Verdict("own_words", score < COPIED, {"rouge-l": round(score, 4), "between": what},
                   f"{what} are {score:.2f} alike; it must be below {COPIED:g}" if what else "there is nothing to copy")


def _shared(one: str, other: str, words: Words) -> float:
    """F1 of two bags of words: no ROUGE-L of the same words is larger, so the nearest are found without it."""
    first, second = Counter(words.pieces(one)), Counter(words.pieces(other))
    return 2 * (first & second).total() / max(first.total() + second.total(), 1)


def _first_person(fields: Mapping[str, str], words: Words) -> Verdict:
    """At most ``IMPERSONAL`` of the facts may do without a word of the first person ("The house is not paid off")."""
    missing = [name for name, text in fields.items() if name.startswith("fact") and not words.first_person.search(text)]
    return Verdict("first_person", len(missing) <= IMPERSONAL, missing,
                   f"not said by the seeker: {', '.join(missing)}" if missing else "all is said by the seeker")


def _hidden(facts: Sequence[str], situation: str, words: Words) -> Verdict:
    """Facts that differ from each other and that the situation has not told. Value: the two highest shares."""
    pairs = [(a, b) for place, a in enumerate(facts) for b in facts[:place]]
    alike = max(_rouge([a for a, _ in pairs], [b for _, b in pairs], words), default=0.0)
    told = max((_recall(fact, situation, words) for fact in facts), default=0.0)
    value = {"between facts": round(alike, 4), "in the situation": round(told, 4)}
    return Verdict("new", alike < ALIKE and told < TOLD, value,
                   f"facts are {alike:.2f} like each other (below {ALIKE:g} wanted), {told:.2f} of one is in the "
                   f"situation (below {TOLD:g} wanted)")


def _recall(fact: str, situation: str, words: Words) -> float:
    """Share of a fact's pieces that stand in the situation, as a multiset."""
    own, there = words.pieces(fact), words.pieces(situation)
    found = 0
    for piece in own:
        if piece in there:
            there.remove(piece)
            found += 1
    return found / max(len(own), 1)
