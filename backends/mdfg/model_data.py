"""Texts that the bundled scorers are trained on, only such whose licence lets the scorers be given away.

Chinese prose: FlagData's long documents (Apache-2.0), and topics of this project (``library``). English prose: the
Python language reference that comes with Python (PSF-2.0), scikit-learn's data set descriptions (BSD-3-Clause), and
topics of this project. Bad texts are planted (``planted``) in these, or posts of the toxicity sets. There is little of
it, and the cards say what follows from that.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from backends.mdfg.labelled import Labelled
from backends.mdfg.library import library
from backends.mdfg.planted import KINDS, Language, clips, plant
from backends.mdfg.practice import practice
from workbench.contract import UserError

SIZES = (120, 240, 480)
PER_TOPIC = 8
"""Documents of each topic of the library. More make the model know the topics and take other writing for bad."""
Parts = tuple[list[Labelled], list[Labelled]]
"""(to learn from, held out)."""


def flagdata(path: Path) -> list[str]:
    """The long Chinese documents, from a JSONL file with ``raw_content``."""
    with path.open(encoding="utf-8") as file:
        return [str(json.loads(line)["raw_content"]) for line in file if line.strip()]


def english_documents() -> list[str]:
    """Chapters of Python's own reference and scikit-learn's descriptions, as installed."""
    from pydoc_data import topics

    found = [text for _, text in sorted(topics.topics.items())]
    folder = files("sklearn.datasets").joinpath("descr")
    found += [item.read_text(encoding="utf-8") for item in sorted(folder.iterdir(), key=lambda entry: entry.name)
              if item.name.endswith(".rst")]
    return [text for text in found if len(text) > max(SIZES)]


def quality_parts(documents: Sequence[str], posts: Sequence[str], language: Language, generator: random.Random,
                  held: float = 0.25) -> Parts:
    """Good clips (label ``score``) and as many bad ones, split by document; ``posts`` are one more kind of bad text.

    Raises ``UserError`` for fewer than two documents."""
    if len(documents) < 2:
        raise UserError(f"There are {len(documents)} documents; at least two are needed, one of them to measure on.")
    order = list(documents)
    generator.shuffle(order)
    count = max(1, round(len(order) * held))
    rows = [row for row in practice("quality", language, 200, generator) if row.labels]
    cut = len(posts) // 4
    return ([*rows, *_mixed(order[count:], posts[cut:], language, generator)],
            _mixed(order[:count], posts[:cut], language, generator))


def library_parts(posts: Sequence[str], language: Language, generator: random.Random) -> Parts:
    """As :func:`quality_parts`, from the bundled library: every fourth topic is held out."""
    books = library(language)
    parts: Parts = ([], [])
    for place, topic in enumerate(books.topics):
        for _ in range(PER_TOPIC):
            text = books.write(topic, generator).text
            parts[place % 4 == 3].extend((Labelled(text, ("score",), "prose"), _bad(text, posts, language, generator)))
    return parts


def _mixed(documents: Sequence[str], posts: Sequence[str], language: Language,
           generator: random.Random) -> list[Labelled]:
    good = [clip for text in documents for size in SIZES for clip in clips(text, size)]
    return [*(Labelled(text, ("score",), "prose") for text in good),
            *(_bad(text, posts, language, generator) for text in good)]


def _bad(good: str, posts: Sequence[str], language: Language, generator: random.Random) -> Labelled:
    kind = generator.choice((*KINDS, "posts") if posts else KINDS)
    made = _joined(posts, len(good), generator) if kind == "posts" else plant(kind, good, language, generator)
    return Labelled(made, (), kind)


def _joined(posts: Sequence[str], size: int, generator: random.Random) -> str:
    text = ""
    while len(text) < size:
        text += generator.choice(posts) + "\n"
    return text[:size]
