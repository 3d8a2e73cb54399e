"""Decode logs: one JSON object a sentence that SimulEval's tools read (``instances.log``), with more beside.

SimulEval counts words: ``delays`` are in source words for each word of ``prediction``, ``source_length`` in words.
Beside them stand the tokens' ``token_delays``, ``token_source_length``, ``actions`` ("RRWRW...") and ``confidence``,
one for each action (``null`` for a READ that the policy does without looking).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.sm2.latency import Latency, in_words, latency
from backends.sm2.policy import Trace, replayed
from backends.sm2.vocabulary import SPACE, Vocabulary, words
from workbench.contract import Json, UserError
from workbench.files import dumps


@dataclass(frozen=True)
class Log:
    """A translated sentence with what was done."""

    index: int
    prediction: str
    delays: tuple[int, ...]
    source_length: int
    reference: str
    source: str
    actions: str
    confidence: tuple[float | None, ...]
    token_delays: tuple[int, ...]
    token_source_length: int
    source_pieces: tuple[str, ...]
    target_pieces: tuple[str, ...]
    source_begun: tuple[int, ...]

    def words(self) -> Latency:
        """Word-level latency."""
        return latency(self.delays, max(1, self.source_length), len(words(self.reference)))

    def tokens(self, reference: int = 0) -> Latency:
        """Token-level latency; ``reference`` in tokens."""
        return latency(self.token_delays, self.token_source_length, reference)


def make_log(index: int, trace: Trace, source_ids: Sequence[int], source: str, reference: str,
             vocabulary: Vocabulary, end: int) -> Log:
    """The log of a trace."""
    ids = trace.tokens[:-1] if trace.tokens and trace.tokens[-1] == end else trace.tokens
    begun = vocabulary.begun(source_ids)
    delays = in_words(trace.delays[:len(ids)], begun, belonging(vocabulary.begun(ids), vocabulary.pieces(ids)))
    return Log(index, vocabulary.decode(ids), tuple(delays), begun[-1] if begun else 0, reference, source,
               trace.actions, trace.confidence, trace.delays, trace.size, tuple(vocabulary.pieces(source_ids)),
               tuple(vocabulary.pieces(trace.tokens)), tuple(begun))


def belonging(begun: Sequence[int], pieces: Sequence[str]) -> list[int]:
    """Words begun with each target piece, where a space that is a piece of its own belongs to the word behind it: the
    word before it was written before it."""
    found = list(begun)
    for place in range(len(found) - 2, -1, -1):
        if not pieces[place].strip(SPACE) and found[place + 1] == found[place] + 1:
            found[place] += 1
    return found


def line_of(log: Log) -> str:
    """One line of ``instances.log``. ``elapsed`` repeats the delays, as SimulEval writes for text."""
    figures: Mapping[str, Json] = {
        "index": log.index, "prediction": log.prediction, "delays": list(log.delays), "elapsed": list(log.delays),
        "prediction_length": len(log.delays), "reference": log.reference, "source": log.source,
        "source_length": log.source_length, "actions": log.actions,
        "confidence": [None if c is None else round(c, 4) for c in log.confidence],
        "token_delays": list(log.token_delays), "token_source_length": log.token_source_length,
        "source_pieces": list(log.source_pieces), "target_pieces": list(log.target_pieces)}
    return dumps(figures)


def read_line(line: str, where: str) -> dict[str, Json]:
    """Check and return a line of such a log, ours or SimulEval's. Raises ``UserError`` naming what is wrong."""
    try:
        value = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where} is not valid JSON ({error}).") from error
    if not isinstance(value, dict):
        raise UserError(f"{where} holds no object; it is no SimulEval log.")
    missing = [key for key in ("index", "prediction", "delays", "source_length") if key not in value]
    if missing:
        raise UserError(f"{where} lacks {', '.join(missing)}; it is no SimulEval log.")
    if "actions" in value and replayed(str(value["actions"])) != value.get("token_delays"):
        raise UserError(f"{where}: the actions do not lead to the token delays.", advice="The log was changed by hand.")
    delays = value["delays"]
    if not isinstance(delays, list) or any(not isinstance(d, int | float) or not math.isfinite(d) for d in delays):
        raise UserError(f"{where}: delays must be numbers.")
    return value
