"""Labels that people give documents: commands of the run, so that nothing is ever overwritten.

A label says who (``by``) found what (``value``) of which document (``place``) in which dimension (``what``). The latest
one of (by, what, place) counts; an undo takes the latest back, and the one before it counts again. The commands are
the history. Lines of other kinds are passed over, lines that cannot be a label are counted as broken.

``drawn`` says how the document came before the person (:mod:`queue`): labels of documents that somebody picked by hand
or that were drawn for their uncertainty are no sample, and figures about the corpus leave them out. ``within`` is the
hash of the selection it was drawn from, empty for the whole corpus. ``shown`` is the automatic label the person saw,
empty when it was hidden.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from backends.mdfg.domain import LABELS
from workbench.contract import Json, UserError, unknown

DO, UNDO = "label", "unlabel"
UNSURE, CHOSEN, PARTED = "unsure", "chosen", "|"
FAIR = ("bins", "toxic", "random")
"""Queues that draw at random within a score bin, so that labels stand for other documents (:mod:`queue`)."""


@dataclass(frozen=True)
class Dimension:
    """One thing that is judged. ``values`` are what can be said besides "unsure"; ``positive`` is what a high score
    stands for (empty where a score stands for one of many labels); ``threshold`` is what the automatic label takes
    where nobody says otherwise: .99 for toxicity as published, .5 for quality as in EvalWeb's classifier."""

    what: str
    values: tuple[str, ...]
    positive: str = ""
    threshold: float = 0.0

    @property
    def negative(self) -> str:
        """What a low score stands for."""
        return next((value for value in self.values if value != self.positive), "") if self.positive else ""


QUALITY = Dimension("quality", ("good", "bad"), "good", 0.5)
TOXICITY = Dimension("toxicity", ("toxic", "harmless"), "toxic", 0.99)
DOMAIN = Dimension("domain", LABELS)
DIMENSIONS = (QUALITY, TOXICITY, DOMAIN)


def dimension(what: str, domains: Sequence[str] = ()) -> Dimension:
    """The dimension of that name; ``domains`` are the corpus's own labels. Raises ``UserError`` for another name."""
    found = next((one for one in DIMENSIONS if one.what == what), None)
    if found is None:
        raise unknown("dimension", what, [one.what for one in DIMENSIONS])
    return Dimension(what, tuple(domains)) if domains and not found.positive else found


TEXTS = {"id": (1, 80), "what": (1, 40), "value": (1, 400), "by": (1, 60), "note": (0, 2000), "drawn": (0, 40),
         "within": (0, 40), "shown": (0, 400)}
"""Shortest and longest text of each field of a label, in characters."""
MOST_PLACE = 2**62


@dataclass(frozen=True)
class Label:
    """One label (see above). ``id`` is the hash of the text; several domains in ``value`` are parted by ``|``; ``at``
    is seconds since 1970. Raises ``UserError`` naming a field that is too long, missing or of another kind. (Checked by
    hand: a page reads thousands of labels at once.)"""

    place: int
    id: str
    what: str
    value: str
    by: str
    note: str = ""
    drawn: str = ""
    within: str = ""
    shown: str = ""
    at: float = 0.0

    def __post_init__(self) -> None:
        if type(self.place) is not int or not 0 <= self.place <= MOST_PLACE:
            raise UserError(f"place is {str(self.place)[:60]}; it must be a whole number from 0.")
        if type(self.at) not in (int, float):
            raise UserError(f"at is {str(self.at)[:60]}; it must be seconds since 1970.")
        for name, (least, most) in TEXTS.items():
            value = getattr(self, name)
            if type(value) is not str or not least <= len(value) <= most:
                raise UserError(f"{name} is {str(value)[:60]!r}; it must be text of {least} to {most} characters.")

    @property
    def key(self) -> tuple[str, str, int]:
        """What a newer label replaces: one of the same person, dimension and document."""
        return self.by, self.what, self.place

    @property
    def values(self) -> tuple[str, ...]:
        """The single answers in ``value``."""
        return tuple(part for part in self.value.split(PARTED) if part)

    @property
    def sampled(self) -> bool:
        """Whether the document was drawn so that it may stand for others."""
        return self.drawn in FAIR


NAMES = tuple(field.name for field in fields(Label))


def checked(label: Label, scale: Dimension) -> Label:
    """The label, if it says something that the dimension knows. Raises ``UserError`` naming what is allowed."""
    if not label.by.strip():
        raise UserError("There is no name of the annotator.", advice="Write a name; labels are counted by person.")
    wrong = [value for value in label.values if value not in (*scale.values, UNSURE)]
    if not label.values or wrong:
        raise UserError(f"{scale.what} is {', '.join(wrong) or '(nothing)'}; it must be one of "
                        f"{', '.join((*scale.values, UNSURE))}.")
    if len(label.values) > 1 and (scale.positive or UNSURE in label.values):
        raise UserError(f"{scale.what} has {len(label.values)} answers ({label.value}); it takes one.")
    return label


def command_of(label: Label) -> dict[str, Json]:
    """The command that gives a label. The service adds ``at``."""
    plain = {name: value for name in NAMES if name != "at" and (value := getattr(label, name)) != ""}
    return {"do": DO, **plain}


def undo_of(label: Label) -> dict[str, Json]:
    """The command that takes the latest label of this person, dimension and document back."""
    return {"do": UNDO, "place": label.place, "what": label.what, "by": label.by}


@dataclass(frozen=True)
class Labels:
    """What counts now, oldest first; how many commands there were, were undone, and could not be read."""

    current: tuple[Label, ...] = ()
    given: int = 0
    undone: int = 0
    broken: int = 0

    def of(self, what: str, by: str = "") -> tuple[Label, ...]:
        """Labels of one dimension, of everybody or of one person."""
        return tuple(one for one in self.current if one.what == what and (not by or one.by == by))

    def annotators(self, what: str) -> tuple[str, ...]:
        """Who labelled, those with the most labels first."""
        return tuple(name for name, _ in Counter(one.by for one in self.of(what)).most_common())

    def last(self, by: str) -> Label | None:
        """The newest label of a person: what an undo takes back."""
        return next((one for one in reversed(self.current) if one.by == by), None)

    def at(self, place: int) -> tuple[Label, ...]:
        """Every label of one document."""
        return tuple(one for one in self.current if one.place == place)

    def counts(self, what: str) -> dict[int, int]:
        """How many people labelled each document."""
        return dict(Counter(one.place for one in self.of(what)))


def read_labels(commands: Iterable[Mapping[str, Json]]) -> Labels:
    """The labels of a run from its commands, oldest first (``Service.commands``)."""
    held: dict[tuple[str, str, int], list[tuple[int, Label]]] = {}
    given = undone = broken = 0
    for number, command in enumerate(commands):
        if command.get("do") == UNDO:
            stack = held.get(_key(command))
            if stack:
                stack.pop()
                undone += 1
        elif command.get("do") == DO:
            label = _label(command)
            if label is None:
                broken += 1
            else:
                given += 1
                held.setdefault(label.key, []).append((number, label))
    latest = sorted((stack[-1] for stack in held.values() if stack), key=lambda one: one[0])
    return Labels(tuple(label for _, label in latest), given, undone, broken)


def _key(command: Mapping[str, Json]) -> tuple[str, str, int]:
    by, what, place = command.get("by"), command.get("what"), command.get("place")
    return str(by), str(what), place if isinstance(place, int) and not isinstance(place, bool) else -1


def _label(command: Mapping[str, Json]) -> Label | None:
    try:
        return Label(**{name: value for name, value in command.items() if name in NAMES})
    except (UserError, TypeError):
        return None


@dataclass(frozen=True)
class Agreed:
    """What the annotators of one document say together: the answers that more than half of them gave. Empty where no
    answer has a majority. ``people`` gave an answer; those who were unsure are ``unsure``."""

    place: int
    id: str
    value: tuple[str, ...]
    people: int
    unsure: int


def agreed(labels: Sequence[Label]) -> tuple[Agreed, ...]:
    """One entry a document, by place. ``labels`` are of one dimension."""
    by_place: dict[int, list[Label]] = {}
    for label in labels:
        by_place.setdefault(label.place, []).append(label)
    found = []
    for place, held in sorted(by_place.items()):
        sure = [label for label in held if UNSURE not in label.values]
        votes = Counter(value for label in sure for value in set(label.values))
        value = tuple(sorted(name for name, count in votes.items() if 2 * count > len(sure)))
        found.append(Agreed(place, held[0].id, value, len(sure), len(held) - len(sure)))
    return tuple(found)


def carried(labels: Sequence[Label], place_of: Mapping[str, int]) -> tuple[Label, ...]:
    """The labels for another run over the same texts: places from ``place_of`` (id -> place), others left out."""
    return tuple(replace(label, place=place_of[label.id]) for label in labels if label.id in place_of)
