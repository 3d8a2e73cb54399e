"""The task ``mdfg.domain_rounds.v1``: one round of keyword bootstrapping (spec A4), begun or continued.

    accepted words join the lists -> a text has the labels of its keywords, and those that the classifier of the round
    before was sure of (p > .9) -> a new OVA classifier -> proposals from the texts that it is sure of

One round is one run, because a person reviews in between. Artifacts: ``scorer``, ``round`` (for the next round),
``changes.jsonl`` (every text whose labels differ from the round before: id, gained, lost, text begins with).
Lists and the number of rounds of the paper are not public; what is proposed is never taken without a person.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from backends.mdfg.domain import REST, decide, empty_row
from backends.mdfg.domain_keywords import (
    Candidate,
    candidates,
    difference,
    keyword_labels,
    parse_keywords,
    read_keywords,
)
from backends.mdfg.domain_requests import DomainRoundsRequest, DomainRoundsResult, Proposal
from backends.mdfg.domain_rounds import sure_of, together
from backends.mdfg.domain_state import Labelling, Lists, State, joined, load, reviewed, save, texts_hash, without
from backends.mdfg.domain_texts import beginning, drawn, practice_texts
from backends.mdfg.labelled import Labelled
from backends.mdfg.leakage import leaks
from backends.mdfg.metrics_domain import domain_figures
from backends.mdfg.records import document_id
from backends.mdfg.scorer_sources import labelled_texts
from backends.mdfg.scorers.ngram import NgramScorer
from backends.mdfg.train_scorer_task import batch_of
from workbench.contract import Context, UserError
from workbench.files import dumps, write_text

OWN = Path(__file__).resolve().parents[2] / "assets" / "corpus" / "keywords.zh.yaml"
HELD_OUT = 0.2
STEPS, MOST_BATCH = 400, 64
"""Steps of training where nothing is asked for (our default): with fewer, hardly a text of a small set is sure."""
AROUND, BEGINS = 12, 80
"""Characters on each side of a proposed word in its example, and of a changed text that are listed."""


@dataclass(frozen=True)
class Before:
    """Where a round begins: the state that it continues and what that round labelled."""

    state: State
    labelling: Labelling
    continued: bool


def run(request: DomainRoundsRequest, context: Context) -> DomainRoundsResult:
    """Read, label, train, propose, compare, save. Raises ``UserError`` for lists or texts that cannot be used."""
    began = time.monotonic()
    context.report(0, 4, "reading the texts")
    before, texts, gold = _begin(request, context)
    state = _reviewed(request, before.state)
    context.report(1, 4, f"labelling {len(texts):,} texts by keywords")
    found = together(keyword_labels(texts, state.keywords, request.least), before.labelling.sure)
    scorer, unused = _trained(texts, found, state, request, context)
    context.report(3, 4, "looking for keywords")
    sure = sure_of(scorer, texts)
    proposals = proposed(texts, sure, state, request.proposals, lambda: context.report(3, 4, "looking for keywords"))
    changes = difference(before.labelling.labels, found) if before.continued else []
    tested, leaked, figures = _measured(scorer, texts, gold, request, context)
    folder = context.run / "artifacts"
    _write(folder, scorer, state, Labelling(tuple(found), tuple(sure)), texts, context)
    write_text(folder / "changes.jsonl", "".join(
        dumps({"id": document_id(texts[one.text]), "row": one.text, "gained": one.gained, "lost": one.lost,
               "begins": texts[one.text][:BEGINS]}) + "\n" for one in changes))
    context.artifact("changes.jsonl", folder / "changes.jsonl", "table")
    context.report(4, 4, f"round {state.number}: {len(proposals)} proposals, {len(changes):,} texts changed")
    return DomainRoundsResult(
        str(folder / "scorer"), state.number, len(texts), counted(found), counted(sure),
        {label: len(words) for label, words in state.keywords.items()}, proposals, len(changes),
        counted([one.gained for one in changes]), counted([one.lost for one in changes]), unused, figures, tested,
        leaked, "synthetic" if state.practice else "real data", time.monotonic() - began)


def _begin(request: DomainRoundsRequest, context: Context) -> tuple[Before, tuple[str, ...], tuple[Labelled, ...]]:
    """(where the round begins, its texts, practice texts with known labels to measure on)."""
    if request.previous.strip():
        state, labelling = load(context.resource(request.previous.strip()))
        if request.data and request.data != state.data:
            raise UserError("data names other texts than the round before; its labels belong to its own texts.",
                            advice="Leave data empty to go on, or leave previous empty to begin.")
        if not request.data and any(reference.startswith("run:") for reference in state.data):
            raise UserError("The round before read texts of a run; name them again in data, so that it is seen whether "
                            "you may read them.", advice=f"Set data to {', '.join(state.data)}.")
        texts, gold = _texts(state, context)
        if texts_hash(texts) != state.texts or len(texts) != len(labelling.labels):
            raise UserError("The texts have changed since the round before.",
                            advice="Begin again: leave previous empty.")
        if request.keywords.strip():
            state = replace(state, keywords=_lists(request.keywords))
        return Before(replace(state, number=state.number + 1), labelling, True), texts, gold
    own = read_keywords(OWN)
    lists = _lists(request.keywords) if request.keywords.strip() else own if request.data else beginning(own)
    state = State(1, lists, {}, request.data, request.text_field, request.sample,
                  0 if request.data else request.practice, request.seed, "")
    texts, gold = _texts(state, context)
    if len(texts) < 10:
        raise UserError(f"There are {len(texts)} texts with content; a round needs at least 10.")
    nothing: tuple[tuple[str, ...], ...] = ((),) * len(texts)
    return Before(replace(state, texts=texts_hash(texts)), Labelling(nothing, nothing), False), texts, gold


def _lists(text: str) -> Lists:
    try:
        return parse_keywords(yaml.safe_load(text), "keywords")
    except yaml.YAMLError as error:
        raise UserError(f"keywords is no YAML ({' '.join(str(error).split())[:160]}).",
                        advice="Write `law: [court, judge]`, one label a line.") from error


def _texts(state: State, context: Context) -> tuple[tuple[str, ...], tuple[Labelled, ...]]:
    """The texts of a state: always the same ones for the same files."""
    generator = context.generator(state.seed)
    if not state.practice:
        return drawn(state.data, state.text_field, state.sample, generator, context).texts, ()
    rows = practice_texts(read_keywords(OWN), state.practice, generator)
    count = round(len(rows) * HELD_OUT)
    return tuple(row.text for row in rows[count:]), tuple(rows[:count])


def _reviewed(request: DomainRoundsRequest, state: State) -> State:
    labels = tuple(state.keywords)
    taken, refused = reviewed(request.accepted, labels, "accepted"), reviewed(request.rejected, labels, "rejected")
    both = [f"{label}: {word}" for label, words in taken.items() for word in words if word in refused.get(label, ())]
    if both:
        raise UserError(f"{both[0]} is accepted and rejected at once.", advice="Decide for one of the two.")
    lists = joined(without(state.keywords, refused), taken)
    bare = [label for label, words in lists.items() if not words]
    if bare:
        raise UserError(f"{bare[0]} has no keyword left.", advice="Accept a word for it, or take it out of the lists.")
    return replace(state, keywords=lists, rejected=joined(without(state.rejected, taken), refused))


def _trained(texts: Sequence[str], labels: Sequence[tuple[str, ...]], state: State, request: DomainRoundsRequest,
             context: Context) -> tuple[NgramScorer, tuple[str, ...]]:
    """(classifier of the labels that occur, the labels that do not)."""
    import torch

    from backends.mdfg.scorers.train_ngram import Recipe, labels_of, train

    torch.set_num_threads(1)
    held = counted(labels)
    names = tuple(label for label in (*(label for label in state.keywords if label != REST), REST) if held.get(label))
    if len(names) < 2:
        raise UserError(f"Keywords find {', '.join(names) or 'no label'} only in {len(texts)} texts; at least two "
                        "labels must occur.", advice="Give keywords of these texts, or a smaller least.")

    def say(step: int, total: int, loss: float) -> None:
        context.metric(step, loss=loss)
        context.report(2, 4, f"training, step {step} of {total}")
    batch = min(MOST_BATCH, batch_of(len(texts)))
    recipe = Recipe(epochs=request.epochs or min(30, max(5, -(-STEPS * batch // len(texts)))), batch=batch)
    card = {"name": "domain", "data": list(state.data) or ["practice texts"], "texts": len(texts),
            "round": state.number, "labels from": "keywords and sure texts of the rounds before, not from people"}
    blank = empty_row(names) if REST in names else ()
    scorer = train("domain", texts, labels_of(labels, names), names, recipe, context.generator(request.seed + 1),
                   empty=blank, card=card, report=say)
    return scorer, tuple(label for label in state.keywords if label not in names)


def proposed(texts: Sequence[str], sure: Sequence[tuple[str, ...]], state: State, count: int,
             tick: Callable[[], None]) -> tuple[Proposal, ...]:
    """New words for every label, the strongest first; neither listed nor refused ones."""
    inside = counted(sure)
    return tuple(_proposal(one, inside.get(label, 0), len(texts), _example(one.word, label, texts, sure))
                 for label, found in candidates(texts, sure, state.keywords, count, state.rejected, tick).items()
                 for one in found)


def _proposal(one: Candidate, inside: int, texts: int, example: str) -> Proposal:
    a, b = one.inside + 0.5, inside - one.inside + 0.5
    c, d = one.outside + 0.5, texts - inside - one.outside + 0.5
    return Proposal(one.label, one.word, math.log(a / b) - math.log(c / d), one.strength, one.inside, one.outside,
                    example)


def _example(word: str, label: str, texts: Sequence[str], sure: Sequence[tuple[str, ...]]) -> str:
    for text, labels in zip(texts, sure, strict=True):
        place = text.lower().find(word) if label in labels else -1
        if place >= 0:
            return " ".join(text[max(0, place - AROUND):place + len(word) + AROUND].split())
    return ""


def counted(labels: Sequence[Sequence[str]]) -> dict[str, int]:
    """How many texts have each label, most first."""
    return dict(Counter(label for held in labels for label in held).most_common())


def _measured(scorer: NgramScorer, texts: Sequence[str], gold: Sequence[Labelled], request: DomainRoundsRequest,
              context: Context) -> tuple[int, int, Mapping[str, float]]:
    """(labelled texts measured on, those left out as copies of the round's own texts, figures)."""
    rows = labelled_texts(request.test, request.text_field, request.label_field, context) if request.test else gold
    rows = [row for row in rows if row.text.strip() and row.labels]
    copies = {leak.test for leak in leaks(texts, [row.text for row in rows])} if rows else set()
    fair = [row for place, row in enumerate(rows) if place not in copies]
    if not fair:
        return 0, len(copies), {}
    verdicts = decide(scorer.score([row.text for row in fair]), scorer.outputs)
    one = domain_figures([(verdict.single_label,) for verdict in verdicts], [row.labels for row in fair])
    several = domain_figures([verdict.multi_label for verdict in verdicts], [row.labels for row in fair])
    return len(fair), len(copies), {
        "top-1 precision": one.precision, "top-1 recall": one.recall, "precision": several.precision,
        "recall": several.recall, "micro-F1": several.micro_f1, "macro-F1": several.macro_f1}


def _write(folder: Path, scorer: NgramScorer, state: State, labelling: Labelling, texts: Sequence[str],
           context: Context) -> None:
    from backends.mdfg.scorers import ngram_files

    ngram_files.save(scorer, folder / "scorer")
    context.artifact("scorer", folder / "scorer", "scorer")
    save(folder / "round", state, labelling, texts)
    context.artifact("round", folder / "round", "round")
