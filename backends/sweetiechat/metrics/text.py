"""Metrics of text: BLEU, ROUGE-L, Distinct, unigram F1, length and perplexity (spec A.9), each named exactly.

All are computed over a whole corpus as in ESConv's released code, are given in percent where the literature does
so, and carry the name of their tokenizer. Per-utterance rows (``bleu_rows``) can be added up, which is what the
bootstrap of ``intervals`` needs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.metrics.tokens import Tokenizer, Tokens
from workbench.contract import UserError

Unit = Literal["percent", "tokens", "perplexity"]


@dataclass(frozen=True)
class Score:
    """One number with everything needed to compare it: ``name`` says the variant, ``items`` how many texts."""

    name: str
    value: float
    unit: Unit
    tokenizer: str
    items: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """Texts cut into tokens. ``references[i]`` are the right answers to ``hypotheses[i]`` (none: no comparison)."""

    hypotheses: tuple[Tokens, ...]
    references: tuple[tuple[Tokens, ...], ...]
    tokenizer: str


def corpus(hypotheses: Sequence[str], references: Sequence[str | Sequence[str]] | None, cut: Tokenizer) -> Corpus:
    """Tokenise texts and their references; a reference is one text or several.

    Raises ``UserError`` without a text, for lengths that differ, and for a text whose references are an empty list.
    """
    if not hypotheses:
        raise UserError("There is no text to measure.", advice="Give at least one reply.")
    many = [[r] if isinstance(r, str) else list(r) for r in references] if references is not None else []
    if references is not None and len(many) != len(hypotheses):
        raise UserError(f"There are {len(hypotheses)} texts and {len(many)} references; each text needs its own.")
    if any(not r for r in many):
        raise UserError(f"Text {[bool(r) for r in many].index(False)} has no reference; each text needs one or more.")
    return Corpus(tuple(cut(h) for h in hypotheses), tuple(tuple(cut(r) for r in rs) for rs in many), cut.name)


def _pairs(texts: Corpus, name: str) -> list[tuple[Tokens, tuple[Tokens, ...]]]:
    if not texts.references:
        raise UserError(f"{name} compares with references and there are none.",
                        advice="Give a reference for every text, or use distinct and average_length.")
    return list(zip(texts.hypotheses, texts.references, strict=True))


def ngrams(tokens: Tokens, n: int) -> list[Tokens]:
    """All runs of n tokens, in order; none when the text is shorter."""
    if n < 1:
        raise UserError(f"n is {n}; an n-gram has at least 1 token.")
    return [tokens[i:i + n] for i in range(len(tokens) - n + 1)]


def bleu_rows(texts: Corpus, n: int) -> NDArray[np.float64]:
    """One row a text: clipped matches of order 1..n, n-grams of order 1..n (at least 1, as in NLTK), its length,
    and the length of the closest reference (the shorter one when two are as close). Shape (texts, 2 n + 2)."""
    if n < 1:
        raise UserError(f"BLEU was asked for with n = {n}; n must be at least 1.")
    rows = np.zeros((len(texts.hypotheses), 2 * n + 2))
    for row, (hypothesis, references) in zip(rows, _pairs(texts, "BLEU"), strict=True):
        for order in range(1, n + 1):
            found = Counter(ngrams(hypothesis, order))
            allowed: Counter[Tokens] = Counter()
            for reference in references:
                allowed |= Counter(ngrams(reference, order))
            row[order - 1] = (found & allowed).total()
            row[n + order - 1] = max(1, found.total())
        length = len(hypothesis)
        row[2 * n] = length
        row[2 * n + 1] = min((len(r) for r in references), key=lambda size: (abs(size - length), size))
    return rows


def bleu_of_rows(total: NDArray[np.float64]) -> float:
    """BLEU x 100 from added-up rows: exp(mean of log p_1..p_n) times the brevity penalty, with smoothing method 3:
    the k-th order without a match counts 1 / 2^k matches (NIST geometric). No match of order 1: 0."""
    n = (len(total) - 2) // 2
    matches, counts, length, reference = total[:n], total[n:2 * n], total[2 * n], total[2 * n + 1]
    if matches[0] == 0:
        return 0.0
    empty = 0
    logs = []
    for match, count in zip(matches, counts, strict=True):
        empty += match == 0
        logs.append(math.log((match or 0.5**empty) / count))
    brevity = 1.0 if length > reference else math.exp(1 - reference / length)
    return 100 * brevity * math.exp(sum(logs) / n)


def bleu(texts: Corpus, n: int = 4) -> Score:
    """Corpus BLEU-n x 100: uniform weights over orders 1..n, smoothing method 3; equals NLTK's ``corpus_bleu``."""
    rows = bleu_rows(texts, n)
    return Score(f"bleu-{n}", bleu_of_rows(rows.sum(axis=0)), "percent", texts.tokenizer, len(rows))


def lcs(first: Tokens, second: Tokens) -> int:
    """Length of the longest common subsequence, a row of the table at a time in one integer (Hyyro 2004)."""
    places: dict[str, int] = {}
    for i, token in enumerate(first):
        places[token] = places.get(token, 0) | 1 << i
    full = (1 << len(first)) - 1
    open_ = full
    for token in second:
        hit = open_ & places.get(token, 0)
        open_ = (open_ + hit | open_ - hit) & full
    return len(first) - open_.bit_count()


def rouge_l_each(texts: Corpus, beta: float = 1.2) -> list[float]:
    """ROUGE-L of every text (0..1): P = lcs / |hypothesis|, R = lcs / |reference|, the largest of each over the
    references, F = (1 + beta^2) P R / (R + beta^2 P)."""
    scores = []
    for hypothesis, references in _pairs(texts, "ROUGE-L"):
        common = [lcs(reference, hypothesis) for reference in references]
        precision = max(common) / max(len(hypothesis), 1)
        recall = max(c / max(len(r), 1) for c, r in zip(common, references, strict=True))
        weight = beta**2
        scores.append((1 + weight) * precision * recall / (recall + weight * precision) if max(common) else 0.0)
    return scores


def rouge_l(texts: Corpus, beta: float = 1.2) -> Score:
    """Mean ROUGE-L x 100. ``beta`` 1.2 is ESConv's; 1 is that of Google's ``rouge_score``: the name says which."""
    scores = rouge_l_each(texts, beta)
    return Score(f"rouge-l-beta-{beta:g}", 100 * sum(scores) / len(scores), "percent", texts.tokenizer, len(scores))


def unigram_f1_each(texts: Corpus) -> list[float]:
    """F1 of the bags of tokens of every text (0..1), the largest over its references."""
    scores = []
    for hypothesis, references in _pairs(texts, "Unigram F1"):
        best = 0.0
        for reference in references:
            common = (Counter(hypothesis) & Counter(reference)).total()
            best = max(best, 2 * common / max(len(hypothesis) + len(reference), 1))
        scores.append(best)
    return scores


def unigram_f1(texts: Corpus) -> Score:
    """Mean unigram F1 x 100."""
    scores = unigram_f1_each(texts)
    return Score("unigram-f1", 100 * sum(scores) / len(scores), "percent", texts.tokenizer, len(scores))


def distinct(texts: Corpus, n: int, *, esconv_compat: bool = False) -> Score:
    """Distinct-n x 100: different n-grams / n-grams, over the whole corpus.

    ESConv's released code leaves out the last n-gram of every text; ``esconv_compat`` does the same, for
    comparison with numbers that were made with it. Falls with the size of the corpus: compare equal sizes.
    """
    grams = [gram for text in texts.hypotheses for gram in ngrams(text[:-1] if esconv_compat else text, n)]
    name = f"distinct-{n}-esconv" if esconv_compat else f"distinct-{n}"
    notes = () if grams else (f"no text has {n + esconv_compat} tokens or more",)
    value = 100 * len(set(grams)) / max(len(grams), 1)
    return Score(name, value, "percent", texts.tokenizer, len(texts.hypotheses), notes)


def average_length(texts: Corpus) -> Score:
    """Mean number of tokens of a text."""
    sizes = [len(text) for text in texts.hypotheses]
    return Score("average-length", sum(sizes) / len(sizes), "tokens", texts.tokenizer, len(sizes))


def perplexity(losses: Sequence[float], tokens: Sequence[int], tokenizer_name: str) -> Score:
    """exp(sum of negative log-likelihoods / sum of tokens); one pair a text, natural logarithm.

    Only comparable between models of one tokenizer, so its name is asked for. Raises ``UserError`` without tokens.
    """
    if len(losses) != len(tokens) or sum(tokens) <= 0 or min(tokens) < 0:
        raise UserError(f"Perplexity needs a loss and a number of tokens for every text; there are {len(losses)} "
                        f"losses for {len(tokens)} texts with {sum(tokens)} tokens in all.")
    return Score("perplexity", math.exp(sum(losses) / sum(tokens)), "perplexity", tokenizer_name, len(losses))


def all_scores(texts: Corpus) -> tuple[Score, ...]:
    """Every metric that the corpus allows: both Distinct variants and length, and with references BLEU-1..4,
    ROUGE-L in both variants and unigram F1."""
    scores = [distinct(texts, n, esconv_compat=compat) for compat in (False, True) for n in (1, 2, 3)]
    scores.append(average_length(texts))
    if texts.references:
        scores += [bleu(texts, n) for n in (1, 2, 3, 4)]
        scores += [rouge_l(texts, 1.2), rouge_l(texts, 1.0), unigram_f1(texts)]
    return tuple(scores)
