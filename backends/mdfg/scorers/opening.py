"""Open a scorer from its folder, whatever kind it is: the opener that worker processes are given.

``SCORER`` is the dotted path for ``ScorerReference.opener``. Torch is loaded only for a BERTEval model.
"""

from __future__ import annotations

from pathlib import Path

from backends.mdfg.scorers import keywords, ngram_files
from backends.mdfg.scorers.base import Scorer
from workbench.contract import MissingResource

SCORER = "backends.mdfg.scorers.opening:open_scorer"


def open_scorer(path: str | Path, device: str = "cpu") -> Scorer:
    """The scorer kept in a folder; a network goes to ``device``, n-grams stay on the processor.

    Raises ``MissingResource`` for none, ``UserError`` for a damaged one."""
    folder = Path(path)
    if (folder / ngram_files.FACTS).is_file():
        return ngram_files.load(folder)
    if (folder / keywords.FACTS).is_file():
        return keywords.load(folder)
    if (folder / "berteval.json").is_file():
        from backends.mdfg.bert_eval.scorer import BertEvalScorer

        return BertEvalScorer.open(folder, device)
    raise MissingResource(f"{folder.name} holds no scorer ({ngram_files.FACTS}, {keywords.FACTS} or berteval.json).",
                          advice="Train one with the task mdfg.train_scorer.v1, or name the folder of one.")
