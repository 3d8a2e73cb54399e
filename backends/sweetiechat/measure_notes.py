"""What is to be known about a figure, each as a code with its English words; the page has its own words for each."""

from __future__ import annotations

import re
from collections.abc import Iterable

from backends.sweetiechat.measure_request import Note
from backends.sweetiechat.metrics.intervals import FEW, Interval

TEXTS = {
    "few": "only {n} dialogues: the interval is rough",
    "one": "one dialogue has no interval",
    "undefined": "undefined in {n} of {draws} draws, which are left out",
    "size": "falls as a corpus grows: compare equal sizes; no interval, since redrawn dialogues repeat their n-grams",
    "tilted": "a redrawn mix is less even: the interval of a divergence lies high, that of an entropy low",
    "short": "no text is long enough",
    "samples": "the file holds {n} samples, each a history with a reply; only the replies are measured",
    "several": "{n} turns carry several strategies; the first one counts",
    "unlabelled": "{n} of {total} supporter turns have no strategy",
    "other-set": "{n} dialogues use another strategy set than {set}; their strategies are left out",
    "mapped": "strategies of {from} are mapped to those of esconv-8",
    "unmapped": "{from} cannot be mapped to esconv-8; the reference says nothing about it",
    "other-language": "{n} of {total} dialogues are in another language; their words are left out",
    "unknown-label": "{n} predicted strategies are none of the set; they are left out",
    "no-gold": "there is no gold strategy beside a predicted one, so agreement, preference and bias cannot be computed",
    "no-labels": "no supporter turn has a strategy",
    "skipped": "{n} entries could not be read; the first: {first}",
    "filtered": "{n} of {total} dialogues are left out by quality control",
    "limited": "only the first {n} dialogues are taken",
    "never-gold": "{keys}: never gold, so the F1 counts as 0",
    "half-loss": "{key} is predicted for other strategies and never missed; half a miss is assumed",
    "never-confused": "{key} is never confused; its preference is taken as 1",
    "oracle": "the gold strategy was given to the model",
    "samples-as-units": "redrawn by situation, since many samples come from one dialogue",
}
_UNDEFINED = re.compile(r"undefined in (\d+) of (\d+) draws")


def note(code: str, **values: object) -> Note:
    """The note of a code with its places filled in."""
    return Note(code, TEXTS[code].format_map(values), values)


def of_interval(found: Interval) -> tuple[Note, ...]:
    """The notes of an interval, by code."""
    notes = []
    match = next((m for text in found.notes if (m := _UNDEFINED.match(text))), None)
    if match:
        notes.append(note("undefined", n=int(match[1]), draws=int(match[2])))
    if found.dialogues == 1:
        notes.append(note("one"))
    elif found.dialogues < FEW:
        notes.append(note("few", n=found.dialogues))
    return tuple(notes)


def of_preference(warnings: Iterable[str]) -> tuple[Note, ...]:
    """The warnings of ``metrics.preference``, by code."""
    return tuple(note("half-loss" if "half a miss" in text else "never-confused", key=text.split(" is ")[0])
                 for text in warnings if "half a miss" in text or "never confused" in text)
