"""The counselor's classifier (spec A.5, mode 3): p(s | history) by multinomial logistic regression, and how it is kept.

    p(s | x) = softmax_s(w_s . x + b_s),   loss = sum over turns of weight(s) * -log p(s | x) + |w|^2 / (2 C)
    weight(s) = (1 / frequency of s) ** gamma, scaled to mean 1 over the turns

x are words and the strategy history (:mod:`classifier_features`), or what a language model makes of the history
(:mod:`classifier_lm`). Saved as ``weights.npz`` (arrays only) and ``classifier.json``; reading them needs neither
scikit-learn nor torch, so the dialogue tasks can use one directly.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.classifier_features import Case, Vocabulary, next_case
from backends.sweetiechat.objects import Dialogue
from workbench.contract import Json, UserError

Array = NDArray[np.float64]
MOST_ROUNDS, TOLERANCE = 300, 1e-3
"""Stopping of the solver (our defaults): tighter ones change no figure in the third place and take twice as long."""


@dataclass(frozen=True)
class StrategyClassifier:
    """``weights`` (strategies, features) and ``bias`` (strategies,) for the strategies ``keys``, over words."""

    keys: tuple[str, ...]
    vocabulary: Vocabulary
    weights: Array
    bias: Array
    facts: Mapping[str, Json]

    def scores(self, cases: Sequence[Case]) -> Array:
        """p(s | case), shape (cases, strategies)."""
        numbers = self.vocabulary.numbers()
        logits = np.tile(self.bias, (len(cases), 1))
        for place, case in enumerate(cases):
            row = self.vocabulary.row(case, numbers)
            if row:
                logits[place] += self.weights[:, list(row)] @ np.fromiter(row.values(), float, len(row))
        return softmax(logits)

    def next_strategy(self, dialogue: Dialogue) -> dict[str, float]:
        """p(s | h) for the turn that would come next. Raises ``UserError`` for a classifier of utterances."""
        self._must_read("history")
        row = self.scores([next_case(dialogue)])[0]
        return dict(zip(self.keys, row.tolist(), strict=True))

    def of_utterances(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """p(s | utterance) for each text: the scorer of ``quality.strategy_consistency``."""
        self._must_read("utterance")
        rows = self.scores([Case(0, (), text, "") for text in texts])
        return [dict(zip(self.keys, row.tolist(), strict=True)) for row in rows]

    def _must_read(self, wanted: str) -> None:
        if self.vocabulary.reads != wanted:
            raise UserError(f"This classifier reads the {self.vocabulary.reads}; what is asked for needs one that "
                            f"reads the {wanted}.", advice=f"Train one with reads = {wanted}.")

    def save(self, folder: Path) -> Path:
        """Write the two files."""
        folder.mkdir(parents=True, exist_ok=True)
        v = self.vocabulary
        np.savez(folder / "weights.npz", weights=self.weights.astype(np.float32), bias=self.bias,
                 idf=np.array(list(v.idf.values())))
        value = {"kind": "linear", "keys": self.keys, "reads": v.reads, "names": v.names, "words": len(v.idf),
                 "facts": dict(self.facts)}
        (folder / "classifier.json").write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
        return folder

    @staticmethod
    def load(folder: Path) -> StrategyClassifier:
        """Read them again. Raises ``UserError`` when they are missing or do not belong together."""
        try:
            value = json.loads((folder / "classifier.json").read_text(encoding="utf-8"))
            with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
                weights, bias, idf = (arrays[name].astype(np.float64) for name in ("weights", "bias", "idf"))
            names, keys = tuple(value["names"]), tuple(value["keys"])
            if weights.shape != (len(keys), len(names)) or bias.shape != (len(keys),) or len(idf) != value["words"]:
                raise ValueError(f"{weights.shape} weights for {len(keys)} strategies and {len(names)} features")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder} holds no strategy classifier that can be read ({error}).",
                            advice="Train one with the task sweetiechat.classifier.v1.") from error
        words = dict(zip(names, idf.tolist(), strict=False))
        return StrategyClassifier(keys, Vocabulary(value["reads"], names, words), weights, bias, value["facts"])


def softmax(logits: Array) -> Array:
    """Rows that add up to 1."""
    wide = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(wide / wide.sum(axis=1, keepdims=True))


def class_weights(labels: Sequence[str], gamma: float) -> dict[str, float]:
    """(1 / frequency) ** gamma for each label, scaled so that the mean over the labels is 1."""
    counts = Counter(labels)
    raw = {key: (len(labels) / count) ** gamma for key, count in counts.items()}
    mean = sum(raw[key] * count for key, count in counts.items()) / len(labels)
    return {key: value / mean for key, value in raw.items()}


def solve(features: object, labels: Sequence[str], strength: float,
          gamma: float) -> tuple[tuple[str, ...], Array, Array]:
    """(keys, weights, bias) of the regression; ``features`` is a dense or sparse matrix (turns, features)."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if len(set(labels)) < 2:
        raise UserError(f"Only the strategy {labels[0] if labels else '(none)'} occurs; at least two are needed.",
                        advice="Give more dialogues.")
    model = LogisticRegression(C=strength, class_weight=class_weights(labels, gamma), max_iter=MOST_ROUNDS,
                               tol=TOLERANCE)
    with threadpool_limits(1):  # threads that wait for each other make small products slower
        model.fit(features, np.array(labels))
    weights, bias = np.asarray(model.coef_, dtype=np.float64), np.asarray(model.intercept_, dtype=np.float64)
    if len(weights) == 1:  # two classes: scikit-learn keeps one row, the log-odds of the second
        weights, bias = np.vstack([-weights / 2, weights / 2]), np.array([-bias[0] / 2, bias[0] / 2])
    return tuple(str(key) for key in model.classes_), weights, bias


def train_linear(cases: Sequence[Case], reads: str, strength: float = 0.5, gamma: float = 0.6,
                 facts: Mapping[str, Json] | None = None) -> StrategyClassifier:
    """Fit the word classifier on cases. Raises ``UserError`` when fewer than two strategies occur."""
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    vocabulary = Vocabulary.of(cases, reads)
    numbers = vocabulary.numbers()
    rows = [vocabulary.row(case, numbers) for case in cases]
    places = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    columns = np.array([column for row in rows for column in row], dtype=np.int64)
    values = np.array([value for row in rows for value in row.values()])
    matrix = csr_matrix((values, (places, columns)), shape=(len(rows), len(vocabulary.names)))
    keys, weights, bias = solve(matrix, [case.label for case in cases], strength, gamma)
    return StrategyClassifier(keys, vocabulary, weights, bias, dict(facts or {}))


def top(scores: Mapping[str, float], count: int) -> list[str]:
    """The ``count`` likeliest strategies, the best first; ties in the order of the set."""
    return sorted(scores, key=lambda key: -scores[key])[:count]
