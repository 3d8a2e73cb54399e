"""A scripted writer for the scenario tests: answers by what it is asked, in lines and in JSON, good and bad."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

from backends.sweetiechat.objects import Language
from backends.sweetiechat.scenarios.request import ScenarioRequest
from backends.sweetiechat.scenarios.writer import Writer, make_writer
from tests.backends.sweetie import LARGE, SMALL, ScriptedModel, words

NOUNS = (
    "pianos",
    "gardens",
    "trains",
    "ladders",
    "mirrors",
    "rivers",
    "lanterns",
    "bridges",
    "kitchens",
    "letters",
    "winters",
    "markets",
    "shadows",
    "engines",
    "harbours",
    "orchards",
    "deserts",
    "stations",
    "cellars",
    "clocks",
    "tunnels",
    "meadows",
    "hammers",
    "violins",
    "curtains",
    "islands",
    "chimneys",
    "baskets",
    "anchors",
    "feathers",
    "candles",
    "marbles",
    "saddles",
    "pillows",
    "barrels",
    "ribbons",
    "hedges",
    "stables",
    "ovens",
    "quarries",
)
MODEL = "path:writer"


def draw(text: str) -> random.Random:
    return random.Random(text)


def sentence(rng: random.Random, count: int, start: str = "The") -> str:
    """A sentence of words in no order: English by its first word, unlike any other one."""
    return f"{start} {' '.join(rng.sample(NOUNS, count))}."


def new_type(rng: random.Random) -> tuple[str, str]:
    return " ".join(rng.sample(NOUNS, 3)).capitalize(), sentence(rng, 9)


def scenario_fields(rng: random.Random) -> dict[str, str]:
    return {
        "situation": sentence(rng, 9),
        "situation_now": sentence(rng, 9, "Now the"),
        "trigger": sentence(rng, 6),
        "time_frame": f"{rng.randrange(2, 9)} months",
        "tried_already": sentence(rng, 6, "Hiding the"),
        "goal_of_seeker": sentence(rng, 6, "To have the"),
    }


def card_fields(rng: random.Random) -> dict[str, str]:
    return {
        "fact1": sentence(rng, 6, "I lost my"),
        "fact2": sentence(rng, 6, "My"),
        "fact3": sentence(rng, 6, "I hide"),
        "opening": sentence(rng, 5, "Hello, I think of"),
    }


def reply(prompt) -> str:
    """A good answer to whatever is asked, different for every key."""
    asked, rng = words(prompt), draw(prompt.key)
    if prompt.key.startswith("types/"):
        return lines_of_type(prompt, rng) if prompt.text else json_of_types(asked, rng)
    fields = scenario_fields(rng) if prompt.key.startswith("scenario/") else card_fields(rng)
    if prompt.text:
        return filled(prompt, fields)
    if "situation_now" in fields:
        fields["situation"] += " " + fields.pop("situation_now")
    return json.dumps(fields)


def lines_of_type(prompt, rng: random.Random) -> str:
    name, gloss = new_type(rng)
    return f"{prompt.prefill} {name} | {gloss}"


def json_of_types(asked: str, rng: random.Random) -> str:
    count = int(re.search(r"Write (\d+) new", asked)[1])
    category = re.search(r'problem types about "(.+?)"', asked)[1]
    rows = [
        dict(zip(("name", "gloss"), new_type(rng), strict=True), category=category, parent="Sleep problems")
        for _ in range(count)
    ]
    return json.dumps({"types": rows})


LABELS = {
    "What happened:": "situation",
    "How it is now:": "situation_now",
    "Trigger:": "trigger",
    "Since:": "time_frame",
    "Tried:": "tried_already",
    "Hope:": "goal_of_seeker",
    "Secret 1:": "fact1",
    "Secret 2:": "fact2",
    "Secret 3:": "fact3",
    "First words:": "opening",
}


def filled(prompt, fields: dict[str, str]) -> str:
    """Lines from the label that the prefill begins with."""
    labels = [label for label, name in LABELS.items() if name in fields]
    first = next(i for i, label in enumerate(labels) if prompt.prefill.startswith(label))
    return "\n".join(f"{label} {fields[LABELS[label]]}" for label in labels[first:])


def own_scores(prompt, continuations: list[str]) -> list[list[float]]:
    """Scores of a model for which every text fits what it was written for: the longest context is the likeliest."""
    return [[-1.0 / (1 + len(prompt.text))] for _ in continuations]


def scripted(answer: Callable | None = reply, card=SMALL, scores=None) -> ScriptedModel:
    return ScriptedModel(card, answer, scores)


def writer_of(model: ScriptedModel, language: Language = "en", **fields) -> Writer:
    request = ScenarioRequest(language=language, **{"fit": False, **fields})
    return make_writer(model, MODEL, request, random.Random, lambda: None)


def artifacts(run: Path) -> dict[str, list]:
    """The lines of every artifact of a run."""
    names = ("scenarios.jsonl", "cards.jsonl", "rejected.jsonl")
    return {
        name: [json.loads(line) for line in (run / "artifacts" / name).read_text(encoding="utf-8").splitlines()]
        for name in names
    }


__all__ = [
    "LARGE",
    "SMALL",
    "artifacts",
    "card_fields",
    "filled",
    "own_scores",
    "reply",
    "scenario_fields",
    "scripted",
    "writer_of",
]
