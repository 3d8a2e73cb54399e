"""The scorer of strategy consistency: a trained classifier of utterances, p(strategy | utterance)."""

from __future__ import annotations

from backends.sweetiechat.objects import StrategySet
from backends.sweetiechat.quality.strategy_consistency import Scorer
from workbench.contract import Context, UserError


def open_scorer(context: Context, reference: str, strategies: StrategySet) -> Scorer | None:
    """The scorer that a request names; nothing for an empty reference (the rule is then not checked, and says so).

    Raises ``UserError`` for a folder without a classifier of words, for one that reads histories, and for one that does
    not know all strategies of the set.
    """
    if not reference.strip():
        return None
    from backends.sweetiechat.classifier import StrategyClassifier

    folder = context.resource(reference.strip())
    if not (folder / "classifier.json").is_file() and (folder / "lm-head.json").is_file():
        raise UserError(f"checker is {reference}, which needs a language model for every reply; quality control works "
                        "with words.", advice="Train one with kind = linear or both, and reads = utterance.")
    found = StrategyClassifier.load(folder)
    if found.vocabulary.reads != "utterance":
        raise UserError(f"checker is {reference}, which reads the {found.vocabulary.reads}; a reply's strategy is told "
                        "by a classifier of utterances.", advice="Train one with reads = utterance.")
    missing = [key for key in strategies.keys if key not in found.keys]
    if missing:
        raise UserError(f"checker is {reference}, which does not know {', '.join(missing)} of the strategy set "
                        f"{strategies.name}.", advice="Use one that was trained on dialogues of this set.")
    return found.of_utterances
