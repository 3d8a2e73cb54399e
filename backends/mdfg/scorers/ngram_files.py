"""How an n-gram scorer is kept: ``scorer.json`` (what it is, and its card) and ``scorer.safetensors`` (its numbers).

The table is stored in half precision: at 2**18 buckets 0.5 MB an output, so that eleven labels stay below 6 MB. What is
read is what was scored with when the card's figures were measured, since the model is rounded before it is measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.ngram import NgramScorer
from workbench.contract import MissingResource, UserError
from workbench.fields import from_json, to_json
from workbench.files import Damaged, load_json, write_json

FORMAT = "mdfg.ngram.v1"
FACTS, NUMBERS = "scorer.json", "scorer.safetensors"
MOST_BYTES = 25_000_000
SMALL = ("bias", "scale", "shift", "empty")


def save(scorer: NgramScorer, folder: Path) -> Path:
    """Write both files. Raises ``UserError`` when the table is larger than a bundled scorer may be (25 MB)."""
    from safetensors.numpy import save_file

    size = scorer.table.size * 2
    if size > MOST_BYTES:
        raise UserError(f"{scorer.name} would take {size / 1e6:.0f} MB; a scorer has at most "
                        f"{MOST_BYTES / 1e6:.0f} MB.",
                        advice="Train it with fewer buckets (a smaller number of bits).")
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {"table": np.ascontiguousarray(scorer.table.astype(np.float16))}
    tensors |= {name: np.ascontiguousarray(getattr(scorer, name)) for name in SMALL}
    temporary = folder / f".{NUMBERS}.part"
    save_file(tensors, temporary)
    temporary.replace(folder / NUMBERS)
    write_json(folder / FACTS, {"format": FORMAT, "name": scorer.name, "outputs": list(scorer.outputs),
                                "grams": to_json(scorer.grams), "link": scorer.link, "power": scorer.power,
                                "version": rounded(scorer).version, "card": to_json(dict(scorer.card))})
    return folder


def rounded(scorer: NgramScorer) -> NgramScorer:
    """The scorer as it will be read again (its table in half precision and back)."""
    import dataclasses

    return dataclasses.replace(scorer, table=scorer.table.astype(np.float16).astype(np.float32))


def load(folder: Path) -> NgramScorer:
    """Read a scorer. Raises ``MissingResource`` when there is none and ``UserError`` when the files are damaged, of
    another kind, or do not belong together."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not (folder / FACTS).is_file():
        raise MissingResource(f"{folder.name} holds no scorer (there is no {FACTS}).",
                              advice="Train one with the task mdfg.train_scorer.v1.")
    try:
        facts, numbers = load_json(folder / FACTS), load_file(folder / NUMBERS)
        if facts["format"] != FORMAT:
            raise ValueError(f"its format is {facts['format']!r}, this program reads {FORMAT!r}")
        scorer = _built(facts, numbers)
        if scorer.version != facts["version"]:
            raise ValueError(f"its numbers are of version {scorer.version}, its facts of {facts['version']}")
    except (Damaged, OSError, SafetensorError, KeyError, TypeError, ValueError, UserError) as error:
        raise UserError(f"The scorer in {folder.name} cannot be read: {error}.",
                        advice="Copy both files again, or train it anew.") from error
    return scorer


def _built(facts: dict[str, Any], numbers: dict[str, Any]) -> NgramScorer:
    small = {name: numbers[name].astype(np.float64) for name in SMALL}
    grams: Grams = from_json(Grams, facts["grams"])
    if facts["link"] not in ("ova", "softmax"):
        raise ValueError(f"its link is {facts['link']!r}")
    return NgramScorer(str(facts["name"]), tuple(map(str, facts["outputs"])), grams,
                       np.ascontiguousarray(numbers["table"].astype(np.float32)), link=facts["link"],
                       power=float(facts["power"]), card=dict(facts["card"]), **small)
