"""The cards of the bundled scorers: data, licence, held-out figures and weaknesses, as text beside the weights."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.contract import Json

TOXICITY_LIMITS = {
    "zh": ["It knows insults about race, region and gender in forum posts; other toxic text it has hardly seen.",
           "On long pages a toxic sentence among harmless ones is diluted: score sentences or pieces.",
           "Quoted, criticised and negated insults are often taken for insults."],
    "en": ["EDOS is about sexism, Davidson about hateful and offensive tweets; other kinds it has hardly seen.",
           "Davidson's labels are biased against African American English; do not judge people with this model.",
           "Quoted, criticised and negated insults are often taken for insults."]}
QUALITY_LIMITS = {
    "zh": ["Its good texts are six long documents and 33 topics of the bundled sample: other good writing often gets "
           "a low score.",
           "Its bad texts are planted; a real crawl has kinds of bad text that it has not seen.",
           "It sees form, not truth: a fluent lie gets a high score."],
    "en": ["Its good texts are technical reference prose and five topics of the bundled sample: other stories and talk "
           "often get a low score.",
           "Its bad texts are planted; a real crawl has kinds of bad text that it has not seen.",
           "It sees form, not truth: a fluent lie gets a high score."]}
DOMAIN_LIMITS = ["It counts keywords and has learned nothing: it is there to start from.",
                 "Train your own with keyword rounds on your corpus; the official classifier is much better.",
                 "Each language needs lists of its own; this one reads Chinese."]


def card(name: str, facts: Mapping[str, Json]) -> str:
    """A README in Markdown of what a scorer's ``card`` holds."""
    source = f"Made of {facts['texts']} texts from:" if facts["texts"] else "Made of:"
    lines = [f"# {name}", "", "A scorer of this project (Apache-2.0), made by "
             "`python launch.py reproduce mdfg-models`.", "", f"Language: {facts['language']}. {source}", ""]
    lines += [f"- {line}" for line in facts["data"]]
    for test, figures in facts["held out"].items():
        lines += ["", f"## Held out: {test}", "", "| figure | value |", "|---|---|"]
        lines += [f"| {key} | {_shown(value)} |" for key, value in figures.items()]
    lines += ["", "## Weaknesses, measured", "", *(f"- {line}" for line in facts["weaknesses"])]
    lines += ["", "## Limits", "", *(f"- {line}" for line in facts["limits"])]
    return "\n".join(lines) + "\n"


def _shown(value: Json) -> str:
    return "none chosen" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
