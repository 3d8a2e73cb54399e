"""The words of every prompt of this package, and the prompts made of them: one language, two forms.

Lines: a text that the model continues, with worked examples before it and the beginning of the answer given. JSON: a
chat that asks for one object. A repair goes on from what was good (lines) or says what was wrong (JSON).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from backends.common.language import Message, Prompt
from backends.sweetiechat.objects import Language, ProblemType
from backends.sweetiechat.scenarios.pool import Pool
from workbench.contract import Json

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Words:
    """The file of one language; ``lines`` says which of the two forms the model is asked in."""

    language: Language
    table: Mapping[str, Json]
    lines: bool

    def part(self, kind: str) -> Mapping[str, Json]:
        """The wording of ``types``, ``scenario`` or ``card`` in the form that is asked in."""
        section: Mapping[str, Json] = self.table[kind]["lines" if self.lines else "chat"]
        return section

    def labels(self, kind: str) -> Mapping[str, str]:
        """The fields of a text in order, with the labels of their lines."""
        labels: Mapping[str, str] = self.table[kind]["lines"]["labels"]
        return labels

    def context(self, problem: str) -> str:
        """What a situation of this problem would follow, for scoring."""
        return str(self.table["scenario"]["lines"]["context"]).format(problem=problem)


@cache
def load_wording(language: Language, lines: bool) -> Words:
    """The wording of one language; read once, never changed."""
    return Words(language, yaml.safe_load((FOLDER / f"wording.{language}.yaml").read_text(encoding="utf-8")), lines)


def types_prompt(words: Words, pool: Pool, shown: Sequence[ProblemType], category: str, count: int, key: str,
                 wrong: tuple[str, str] | None = None) -> Prompt:
    """Ask for new types of a category. ``wrong``: the reply that could not be used and why, for the repair."""
    part, names = words.part("types"), {c.id: c.name(pool.language) for c in pool.categories}
    form = part["line"] if words.lines else part["example"]
    rows = [form.format(category=names.get(kind.category, kind.category), name=kind.name(pool.language),
                        gloss=kind.gloss(pool.language)) for kind in shown]
    if words.lines:
        begin = part["begin"].format(category=names[category])
        return Prompt(text=f"{part['head']}\n\n" + "\n".join(rows) + "\n", prefill=begin, key=key)
    ask = part["ask"].format(categories=", ".join(names.values()), examples="\n".join(rows), count=count,
                             category=names[category])
    return _chat(part, ask, key, wrong)


def text_prompt(words: Words, kind: str, facts: Mapping[str, Json], examples: Sequence[tuple[Mapping[str, Json],
                Mapping[str, str]]], key: str, good: Mapping[str, str], wrong: tuple[str, str] | None = None) -> Prompt:
    """Ask for a scenario or a card. ``facts`` fill the wording; ``examples`` are (facts, fields) of bundled ones;
    ``good`` fields are given and the model goes on after them (lines)."""
    part = words.part(kind)
    if not words.lines:
        return _chat(part, part["ask"].format(**facts), key, wrong)
    labels = words.labels(kind)
    blocks = [part["who"].format(**who) + "\n" + _filled(labels, fields) for who, fields in examples]
    start = part["who"].format(**facts) + "\n" + _filled(labels, good)
    following = labels[next(name for name in labels if name not in good)]
    begin = part.get("begin", "") if not good else ""
    return Prompt(text="\n\n".join([part["head"], *(block.rstrip() for block in blocks), start]),
                  prefill=following + begin, key=key)


def _filled(labels: Mapping[str, str], fields: Mapping[str, str]) -> str:
    gap = "" if next(iter(labels.values())).endswith("：") else " "
    return "".join(f"{label}{gap}{fields[name]}\n" for name, label in labels.items() if name in fields)


def _chat(part: Mapping[str, Json], ask: str, key: str, wrong: tuple[str, str] | None) -> Prompt:
    messages = [Message("system", part["system"]), Message("user", ask)]
    if wrong is not None:
        reply, problem = wrong
        again = part["repair"].format(problem=problem)
        messages += [Message("assistant", reply.strip() or "{}"), Message("user", again)]
    return Prompt(messages=tuple(messages), key=key)
