"""Labels as files: every answer as it was given, or one row a document that a scorer can be trained on.

=============  ======================================================================================================
answers        one row an answer: id, place, what, value, by, note, drawn, within, shown, score, said, at
documents      one row a document whose annotators agree: id, text, label (several parted by |), people. The task
               mdfg.train_scorer.v1 reads it (text_field "text", label_field "label")
judged texts   the same of a run of toxicity rounds: id, text, label (toxic or harmless), people, judge, round
=============  ======================================================================================================

As JSON lines or CSV. In CSV a cell that a spreadsheet would run as a formula gets an apostrophe before it; JSON lines
hold every text as it is. Files are written under a temporary name first.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from backends.mdfg.explore.labels import PARTED, Label, agreed
from backends.mdfg.explore.population import Population
from backends.mdfg.explore.rounds import answered
from workbench.contract import Json, UserError
from workbench.fields import to_json
from workbench.files import dumps, write_text

if TYPE_CHECKING:
    from backends.mdfg.explore.corpus import Corpus

Rows = Literal["answers", "documents"]
Form = Literal["jsonl", "csv"]
FORMULA = ("=", "+", "-", "@", "\t", "\r")
BATCH = 100


def export(corpus: Corpus, labels: Sequence[Label], path: Path, *, rows: Rows = "answers", form: Form = "jsonl",
           population: Population | None = None, said: Mapping[int, str] | None = None) -> int:
    """Write labels to ``path``; returns how many rows. ``population`` and ``said`` bring each document's score and
    automatic label. Raises ``UserError`` when there is nothing to write."""
    found = list(answers(labels, population, said or {}) if rows == "answers" else documents(corpus, labels))
    if not found:
        what = "no label" if not labels else "no document whose annotators agree"
        raise UserError(f"There is {what} to export.", advice="Label documents first.")
    return _write(path, found, form)


def export_judged(run: Path, path: Path, form: Form = "jsonl") -> int:
    """Write what people say of the judged texts of a run of toxicity rounds; returns how many rows. Raises
    ``UserError`` when people have not answered, or agree on no text."""
    found: list[Mapping[str, Json]] = [
        {"id": one.id, "text": one.text, "label": one.person, "people": one.people, "judge": one.said,
         "round": one.round} for one in answered(run)]
    if not found:
        raise UserError("There is no judged text on which people agree, so there is nothing to export.",
                        advice="Answer judged texts first: toxic or harmless.")
    return _write(path, found, form)


def answers(labels: Iterable[Label], population: Population | None,
            said: Mapping[int, str]) -> Iterator[dict[str, Json]]:
    """One row an answer, in the order they were given."""
    every = list(labels)
    scores = population.scores_of([label.place for label in every]).tolist() if population else [None] * len(every)
    for label, score in zip(every, scores, strict=True):
        plain = to_json(label)
        yield {**{name: plain[name] for name in plain if name != "at"},
               "score": None if score is None or math.isnan(score) else score, "said": said.get(label.place, ""),
               "at": label.at}


def documents(corpus: Corpus, labels: Sequence[Label]) -> Iterator[dict[str, Json]]:
    """One row a document and its common label; documents without a majority are left out."""
    common = [one for one in agreed(labels) if one.value]
    for begin in range(0, len(common), BATCH):
        part = common[begin:begin + BATCH]
        for one, document in zip(part, corpus.texts([one.place for one in part]), strict=True):
            yield {"id": one.id, "text": document.text, "label": PARTED.join(one.value), "people": one.people}


def _write(path: Path, rows: Sequence[Mapping[str, Json]], form: Form) -> int:
    write_text(path, _csv(rows) if form == "csv" else "".join(f"{dumps(row)}\n" for row in rows))
    return len(rows)


def _csv(rows: Sequence[Mapping[str, Json]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _cell(value: Json) -> Json:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
