"""When a new problem type joins the pool: every rule with the value it found and its reason (spec A.3; limits are ours
but for the similarity of 0.5).

==========  =====================================================================================
shape       the line or the JSON entry was whole
length      name 1 to 7 words, gloss 4 to 30 (Chinese: 2 to 14 and 6 to 60 characters)
form        no placeholder or label, no run of words twice, the gloss is one whole sentence that says more than
            the name, the name no piece of advice
language    the language of the pool
category    one of the five
new_name    no type of the pool has this name
similarity  ROUGE-L of name and gloss to every type of the pool is below the limit
safety      no sign of a crisis, no kind of problem that a support chat is not for
fit         by the model's own scores the gloss fits its name better than other names (where it can score)
==========  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.sweetiechat.objects import ProblemType
from backends.sweetiechat.quality.language import wrong_language
from backends.sweetiechat.quality.verdict import Verdict
from backends.sweetiechat.scenarios.pool import Pool, nearest, plain
from backends.sweetiechat.scenarios.replies import Candidate
from backends.sweetiechat.scenarios.verdicts import Words, bounded, clean_form, safe, sentences

NAME = {"en": (1, 7), "zh": (2, 14)}
GLOSS = {"en": (4, 30), "zh": (6, 60)}
UNITS = {"en": "words", "zh": "characters"}
DISTINCT = 0.65
MORE = {"en": 3, "zh": 4}
END = (".", "!", "。", "！")


def check_type(candidate: Candidate, pool: Pool, words: Words, max_similarity: float) -> list[Verdict]:
    """All rules but ``fit``, which costs a model call. A candidate whose shape is wrong is not looked at further."""
    if candidate.problem:
        return [Verdict("shape", False, candidate.gloss, candidate.problem)]
    language, texts = pool.language, {"name": candidate.name, "gloss": candidate.gloss}
    shape = Verdict("shape", True, None, "the line is whole")
    return [shape, *_lengths(candidate, words), _form(candidate, words), _said_once(candidate, words),
            _language(candidate, language), _category(candidate, pool), _new_name(candidate, pool),
            _similarity(candidate, pool, max_similarity),
            safe(words, texts)]


def _lengths(candidate: Candidate, words: Words) -> list[Verdict]:
    unit = UNITS[words.language]
    return [bounded("length", "the name", len(words.pieces(candidate.name)), *NAME[words.language], unit),
            bounded("length", "the gloss", len(words.pieces(candidate.gloss)), *GLOSS[words.language], unit)]


def _form(candidate: Candidate, words: Words) -> Verdict:
    verdict = clean_form(words, {"name": candidate.name, "gloss": candidate.gloss})
    if verdict.passed is False:
        return verdict
    count = len(sentences(candidate.gloss))
    whole = candidate.gloss.endswith(END) and count == 1 and not candidate.name.endswith((*END, "?", "？", ":", "："))
    if not whole or words.advice_name.search(candidate.name):
        return Verdict("form", False, count, "the gloss must be one sentence with its full stop, and the name the name "
                       "of a problem")
    more = set(words.pieces(candidate.gloss)) - set(words.pieces(candidate.name))
    enough = len(more) >= MORE[words.language]
    return Verdict("form", enough, len(more), "the form is right" if enough else
                   f"the gloss says only {len(more)} {UNITS[words.language]} that are not in the name")


def _said_once(candidate: Candidate, words: Words) -> Verdict:
    """A gloss of at least eight pieces in which more than ``DISTINCT`` of them are different ones."""
    pieces = words.pieces(candidate.gloss)
    share = len(set(pieces)) / max(len(pieces), 1)
    passed = len(pieces) < 8 or share > DISTINCT
    reason = "the words differ" if passed else f"only {share:.0%} of its words differ"
    return Verdict("form", passed, round(share, 3), reason)


def _language(candidate: Candidate, language: str) -> Verdict:
    wrong = wrong_language(f"{candidate.name}. {candidate.gloss}", "zh" if language == "zh" else "en")
    return Verdict("language", not wrong, language, wrong or "the right language")


def _category(candidate: Candidate, pool: Pool) -> Verdict:
    known = pool.category(candidate.category)
    return Verdict("category", known is not None, candidate.category[:60],
                   f"it is {known.id}" if known else "it is none of the five categories")


def _new_name(candidate: Candidate, pool: Pool) -> Verdict:
    taken = {plain(kind.name(pool.language)): kind.id for kind in pool.types}
    taken |= {plain(category.name(pool.language)): category.id for category in pool.categories}
    same = taken.get(plain(candidate.name))
    return Verdict("new_name", same is None, same, f"it has the name of {same}" if same else "the name is new")


def _similarity(candidate: Candidate, pool: Pool, limit: float) -> Verdict:
    score, kind = nearest(pool, f"{candidate.name}: {candidate.gloss}")
    name = kind.id if kind else ""
    return Verdict("similarity", score < limit - 1e-9, {"rouge-l": round(score, 4), "nearest": name},
                   f"{score:.2f} like {name}; it must be below {limit:g}" if name else "the pool is empty")


def accepted_type(candidate: Candidate, pool: Pool, parent: ProblemType | None) -> ProblemType:
    """The new type. Its name is in the language of the pool; the other language shows the same words."""
    category = pool.category(candidate.category)
    return ProblemType(pool.free_id(candidate.name), category.id if category else "", candidate.name, candidate.name,
                       candidate.gloss, candidate.gloss, parent.id if parent else None, "evolved",
                       parent.depth + 1 if parent else 0)


def reasons(verdicts: Sequence[Verdict]) -> list[str]:
    """Names of the rules that failed, each once."""
    return list(dict.fromkeys(verdict.rule for verdict in verdicts if verdict.passed is False))
