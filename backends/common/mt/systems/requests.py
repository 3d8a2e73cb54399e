"""What several systems can be asked to translate, and what comes of it; forms and records are made from these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from workbench.contract import Knob, UserError
from workbench.fields import validate

TEXT, SYSTEMS, MODELS = "Text", "Systems", "How models write"
TEMPLATE = "Translate this from {source} into {target}:\n{source}: {text}\n{target}:"
"""The shape of ALMA (Xu and others 2024). ``{source}`` and ``{target}`` are names of languages in English."""


@dataclass(frozen=True)
class SystemsRequest:
    """Translate a text with several systems at once. Every line of the text is translated for itself."""

    text: Annotated[str, Knob("What is translated, one segment a line (empty: the file)", None, 1_000_000, group=TEXT,
                              widget="text")] = ""
    file: Annotated[str, Knob("File of the text instead (path: or run:), one segment a line", None, 500,
                              group=TEXT)] = ""
    reference: Annotated[str, Knob("A reference translation, line by line, kept for the comparison (may be empty)",
                                   None, 1_000_000, group=TEXT, widget="text")] = ""
    source: Annotated[str, Knob("Language of the text, for example de, zh, en", 2, 12, group=TEXT)] = "de"
    target: Annotated[str, Knob("Language to translate into", 2, 12, group=TEXT)] = "en"
    systems: Annotated[tuple[str, ...], Knob(
        "References of systems: practice, bundled:, path:, run:, hub:, package:, endpoint:, apertium: or "
        "apertium:MODE", 1, 12, group=SYSTEMS)] = ("practice",)
    at_once: Annotated[int, Knob("Systems that work at the same time; each holds its own memory", 1, 12, 1,
                                 group=SYSTEMS)] = 2
    template: Annotated[str, Knob("What a language model is asked, with {source}, {target} and {text}", 1, 8000,
                                  group=MODELS, widget="text")] = TEMPLATE
    longest: Annotated[int, Knob("Most tokens of one translation", 1, 4096, 16, group=MODELS)] = 256
    beams: Annotated[int, Knob("Beams of sequence-to-sequence models; with 1 they are seen writing", 1, 32, 1,
                               group=MODELS)] = 1

    def __post_init__(self) -> None:
        validate(self)
        if bool(self.text.strip()) == bool(self.file.strip()):
            given = "both text and file are" if self.file.strip() else "neither text nor file is"
            raise UserError(f"There must be one text to translate; {given} given.")
        if "{text}" not in self.template:
            raise UserError("template has no {text}, so a model would never see what it is to translate.",
                            advice="Put {text} where the source belongs.")
        if any(not name.strip() for name in self.systems):
            raise UserError("systems has an empty reference.", advice="Take it out, or name a system.")


@dataclass(frozen=True)
class SystemOutcome:
    """How one system did. ``unit`` is what ``tokens`` counts; ``failed`` lines have no translation; ``cut`` ones ended
    at the most tokens. ``first_seconds`` is from its turn to its first word, with the time to load it."""

    name: str
    reference: str
    kind: str
    lines: int
    failed: int
    cut: int
    tokens: int
    unit: str
    seconds: float
    first_seconds: float
    tokens_per_second: float
    error: dict[str, str]


@dataclass(frozen=True)
class SystemsResult:
    """All systems; the texts are the artifacts ``translations.json`` and one ``NAME.txt`` a system."""

    systems: tuple[SystemOutcome, ...]
    lines: int
    seconds: float
