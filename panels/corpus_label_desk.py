"""What the parts of the Label view share: whose labels of what, the scores of the corpus, the labels so far."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import gradio as gr

from panels.corpus_desk import corpus_of, folder_of
from workbench.contract import UserError
from workbench.panel import Shell
from workbench.text import known
from workbench.widgets.markup import element, esc

if TYPE_CHECKING:
    from backends.mdfg.explore.corpus import Corpus
    from backends.mdfg.explore.labels import Dimension, Labels
    from backends.mdfg.explore.population import Population
    from backends.mdfg.explore.training_overlap import Overlap

WHATS = ("quality", "toxicity", "domain")
SHOWS = ("all", "kept", "dropped")
Say = Callable[..., str]


@dataclass
class Populations:
    """The scores of open corpora, so that a press of a key does not ask for a million rows again. Thread-safe."""

    held: WeakKeyDictionary[Any, dict[tuple[str, str], Population]] = field(default_factory=WeakKeyDictionary)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, corpus: Corpus, what: str, show: str) -> Population:
        """Scores of one dimension over all, kept or dropped documents. Raises ``UserError`` where there is none."""
        from backends.mdfg.explore.scored import population
        from backends.mdfg.explore.selection import Selection

        with self.lock:
            known_ones = self.held.setdefault(corpus, {})
            found = known_ones.get((what, show))
        if found is None:
            shown: Any = show if show in SHOWS else "all"
            found = population(corpus, Selection(show=shown), what)
            with self.lock:
                known_ones[what, show] = found
        return found


@dataclass(frozen=True)
class LabelDesk:
    """The notes and settings that every part reads: ``shelf`` of corpora, the run that is looked at."""

    shelf: Any
    corpus: gr.Textbox
    what: gr.Radio
    show: gr.Radio
    changed: gr.Textbox
    populations: Populations = field(default_factory=Populations)

    @property
    def inputs(self) -> list[Any]:
        """Run, dimension and which documents."""
        return [self.corpus, self.what, self.show]


@dataclass(frozen=True)
class Work:
    """A corpus with what is labelled in it."""

    corpus: Corpus
    population: Population
    labels: Labels
    scale: Dimension


def at_work(shell: Shell, desk: LabelDesk, request: gr.Request, run_id: str, what: str, show: str) -> Work:
    """Open a corpus for labelling. Raises ``UserError`` where there is no such run, score or dimension."""
    from backends.mdfg.explore.labels import read_labels
    from backends.mdfg.explore.scored import dimension_of

    corpus = corpus_of(shell, desk.shelf, request, run_id)
    scale = dimension_of(corpus, what)
    return Work(corpus, desk.populations.of(corpus, what, show), read_labels(corpus.commands()), scale)


@dataclass(frozen=True)
class Learned:
    """``places`` of labelled documents that a scorer of the corpus has been trained on (or near-copies of them).
    ``unknown`` are scorers of which it is not, or not wholly, known what they learned from."""

    places: tuple[int, ...] = ()
    unknown: tuple[str, ...] = ()


def learned(shell: Shell, request: gr.Request, work: Work, what: str) -> Learned:
    """Labelled documents that figures about the scorers leave out. Only training runs that this visitor may see are
    looked into. Bundled scorers name their public data in their cards and are passed over."""
    places = tuple(sorted({label.place for label in work.labels.of(what) if label.place < work.corpus.total}))
    found, unknown = set[int](), list[str]()
    for reference in dict.fromkeys(work.corpus.recipe.scorers) if places else ():
        if reference.startswith("bundled:"):
            continue
        overlap = seen_by(shell, request, work.corpus, reference, places)
        if overlap is None or not overlap.known:
            unknown.append(reference)
        found |= set(overlap.places if overlap else ())
    return Learned(tuple(sorted(found)), tuple(unknown))


def seen_by(shell: Shell, request: gr.Request, corpus: Corpus, reference: str,
            places: tuple[int, ...]) -> Overlap | None:
    """Which of some documents a scorer has learned from, computed once for these documents; ``None`` for a scorer of
    no run, and for one whose run was deleted or is somebody else's."""
    from backends.mdfg.explore.training_overlap import overlap

    if not reference.startswith("run:"):
        return None
    try:  # the right to see the run is asked for at every look, the texts are compared once
        run = shell.service.run(shell.visitor(request), reference.removeprefix("run:").partition("/")[0]).path
    except UserError:
        return None
    return corpus.answer(("seen in training", str(run), places),
                         lambda: overlap({one.place: one.text for one in corpus.texts(places, light=True)}, run))


def not_known(found: Learned, say: Say) -> str:
    """Scorers of which it is not known what they learned from, in words; empty where there is none."""
    return say("label.not_known", names=", ".join(found.unknown)) if found.unknown else ""


def may_write(shell: Shell, request: gr.Request, run_id: str) -> None:
    """Raise ``UserError`` when the run belongs to another visitor: labels are kept with the run of their owner."""
    folder_of(shell, request, run_id)
    visitor = shell.visitor(request)
    if shell.service.run(visitor, run_id).owner != visitor:
        raise UserError(shell.t(shell.lang(request), "label.not_mine"))


def value_name(what: str, value: str, say: Say) -> str:
    """An answer in words: good, harmless, law, unsure."""
    for key in (f"label.value.{value}", f"label.domain.{value}"):
        if known(key):
            return say(key)
    return value


def values_name(what: str, values: Sequence[str], say: Say) -> str:
    """Several answers in words."""
    return say("label.and").join(value_name(what, value, say) for value in values)


def left_out(counts: Mapping[str, int], say: Say) -> str:
    """Labels that do not count, with the reasons; empty where all do."""
    parts = [say(f"label.left_out.{reason}", count=count) for reason, count in counts.items() if count]
    return say("label.left_out", reasons=say("label.and").join(parts)) if parts else ""


def note(words: str) -> str:
    """A sentence in the place of something that cannot be shown yet."""
    return f'<div class="dt">{element("p", esc(words), class_="tr-note", role="status")}</div>'


def written(text: str | None, what: str, low: float, high: float) -> float | None:
    """A number that may be left empty. Raises ``UserError`` for anything else."""
    plain = str(text or "").strip().removesuffix("%").strip()
    if not plain:
        return None
    try:
        value = float(plain)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise UserError(f"{what} is {plain[:40]!r}; it must be a number between {low:g} and {high:g}, or empty.")
    return value
