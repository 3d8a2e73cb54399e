"""The pool of problem types: seeds, what has evolved from them, and the tree that both make."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from backends.sweetiechat.importers.topics import problem_id
from backends.sweetiechat.library import load_library
from backends.sweetiechat.metrics.text import corpus, rouge_l_each
from backends.sweetiechat.metrics.tokens import Tokenizer, default_name, tokenizer
from backends.sweetiechat.objects import Language, ProblemType
from workbench.contract import Json, UserError
from workbench.fields import from_json, to_json

EXTES = Path(__file__).with_name("extes_scenes.yaml")


@dataclass(frozen=True)
class Category:
    """One of the five categories."""

    id: str
    name_en: str
    name_zh: str

    def name(self, language: Language) -> str:
        """The name in this language."""
        return self.name_zh if language == "zh" else self.name_en


@dataclass(frozen=True)
class Pool:
    """The types in the order in which they came; ``born`` has round, similarity and nearest type of evolved ones."""

    language: Language
    categories: tuple[Category, ...]
    types: tuple[ProblemType, ...]
    born: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    @property
    def evolved(self) -> tuple[ProblemType, ...]:
        """The types that were not there at the start."""
        return tuple(kind for kind in self.types if kind.id in self.born)

    @property
    def seeds(self) -> tuple[ProblemType, ...]:
        """The types that were there at the start."""
        return tuple(kind for kind in self.types if kind.id not in self.born)

    def category(self, name: str) -> Category | None:
        """The category of this id or name, whatever its case and spaces; nothing when it is none of the five."""
        wanted = plain(name)
        return next((c for c in self.categories if wanted in (plain(c.id), plain(c.name(self.language)))), None)

    def text(self, kind: ProblemType) -> str:
        """Name and gloss, as similarity is measured on them."""
        return f"{kind.name(self.language)}: {kind.gloss(self.language)}"

    def with_type(self, kind: ProblemType, born: Mapping[str, Json]) -> Pool:
        """The pool with one more type."""
        return dataclasses.replace(self, types=(*self.types, kind), born={**self.born, kind.id: born})

    def free_id(self, name: str) -> str:
        """An id made of a name, that no type has yet."""
        base = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40] or (
            f"type-{hashlib.sha256(name.encode()).hexdigest()[:8]}")
        taken, number = {kind.id for kind in self.types}, 2
        free = base
        while free in taken:
            free, number = f"{base}-{number}", number + 1
        return free


def plain(text: str) -> str:
    """Letters and digits without case: two spellings of one name are equal."""
    return re.sub(r"[\W_]+", "", text.casefold())


def start(language: Language, seeds: str) -> Pool:
    """The pool before the first round: ``esconv``, ``bundled`` or ``esconv+extes`` (see the request)."""
    library = load_library(language)
    categories = tuple(Category(c["id"], c["name_en"], c["name_zh"]) for c in library.categories)
    kept = library.problems if seeds == "bundled" else tuple(p for p in library.problems if p.origin == "esconv")
    if seeds == "esconv+extes":
        kept = (*kept, *_extes_scenes(language, {kind.id for kind in kept}))
    return Pool(language, categories, kept)


def _extes_scenes(language: Language, taken: set[str]) -> list[ProblemType]:
    """ExTES' scenes as types without a gloss, but for those that are a seed already. English names only."""
    if language != "en":
        raise UserError("ExTES' scenes have English names only.", advice="Choose the seeds esconv or bundled.")
    table = yaml.safe_load(EXTES.read_text(encoding="utf-8"))["scenes"]
    return [ProblemType(key, category, name, name, name, name) for category, names in table.items()
            for name in names for key in [problem_id(name)] if key not in taken]


def similarities(pool: Pool, text: str, cut: Tokenizer | None = None) -> list[float]:
    """ROUGE-L (beta 1, so that it is symmetric) between a text and every type of the pool, 0..1."""
    cut = cut or tokenizer(default_name(pool.language))
    others = [pool.text(kind) for kind in pool.types]
    return rouge_l_each(corpus([text] * len(others), others, cut), 1.0) if others else []


def nearest(pool: Pool, text: str) -> tuple[float, ProblemType | None]:
    """The largest similarity to a type of the pool, and that type (the earliest of several)."""
    found = similarities(pool, text)
    if not found:
        return 0.0, None
    best = max(range(len(found)), key=lambda i: (found[i], -i))
    return found[best], pool.types[best]


def choose_examples(pool: Pool, category: str, count: int, rng: random.Random) -> tuple[ProblemType, ...]:
    """Types to show: half of them seeds, half evolved (seeds while there are too few), one of the asked category.

    The first half of the seeds shown comes from the category where it has any, since a parent is chosen among them.
    """
    evolved = rng.sample(pool.evolved, min(count // 2, len(pool.evolved)))
    wanted = count - len(evolved)
    own = [kind for kind in pool.seeds if kind.category == category]
    first = rng.sample(own, min(max(1, wanted // 2), len(own)))
    rest = [kind for kind in pool.seeds if kind not in first]
    shown = [*first, *rng.sample(rest, min(wanted - len(first), len(rest))), *evolved]
    rng.shuffle(shown)
    return tuple(shown)


def parent_of(pool: Pool, text: str, category: str, shown: Sequence[ProblemType],
              named: str = "") -> ProblemType | None:
    """The shown type that a new one grew out of: the one that the model named, else the most similar one of its own
    category, else of all shown."""
    for kind in shown:
        if named and plain(named) in (plain(kind.id), plain(kind.name(pool.language))):
            return kind
    own = [kind for kind in shown if kind.category == category] or list(shown)
    if not own:
        return None
    scores = similarities(dataclasses.replace(pool, types=tuple(own)), text)
    return own[max(range(len(own)), key=lambda i: (scores[i], -i))]


def smallest_categories(pool: Pool, count: int, rng: random.Random) -> list[str]:
    """The categories that the next prompts are about: those with the fewest types first, as evenly as possible."""
    sizes = Counter({category.id: 0 for category in pool.categories})
    sizes.update(kind.category for kind in pool.types)
    chosen = []
    for _ in range(count):
        least = min(sizes[category.id] for category in pool.categories)
        name = rng.choice([category.id for category in pool.categories if sizes[category.id] == least])
        sizes[name] += 1
        chosen.append(name)
    return chosen


def pool_to_json(pool: Pool, growth: Sequence[int] = (), stop: str = "") -> dict[str, Json]:
    """What ``pool.json`` holds: categories, every type with its parent and birth, and the size after each round."""
    types = [{**to_json(kind), "born": to_json(pool.born.get(kind.id))} for kind in pool.types]
    return {"language": pool.language, "categories": to_json(pool.categories), "types": types,
            "growth": list(growth), "stop": stop}


def pool_from_json(value: Mapping[str, Json]) -> Pool:
    """The inverse of :func:`pool_to_json`. Raises ``UserError`` for a file that is no pool."""
    try:
        rows = [dict(row) for row in value["types"]]
        born = {row["id"]: found for row in rows if (found := row.pop("born", None)) is not None}
        categories = tuple(from_json(Category, row) for row in value["categories"])
        return Pool(value["language"], categories, tuple(from_json(ProblemType, row) for row in rows), born)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"This is no pool of problem types ({json.dumps(str(error))}).",
                        advice="Take pool.json of a scenario run.") from error
