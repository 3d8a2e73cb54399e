"""Domain rounds: labels by domain, which texts changed, proposed keywords to accept or reject, the next round."""

from __future__ import annotations

import json
from collections.abc import Mapping

from panels.corpus_label_desk import Say, value_name
from workbench.contract import Json, UserError
from workbench.files import read_lines
from workbench.runs import Run
from workbench.text import gloss
from workbench.widgets import corpus_rounds as widget
from workbench.widgets.facts import fold
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.markup import element, esc
from workbench.widgets.measured import grid, number

MOST_CHANGES = 40
COLUMNS = ("counts", "sure", "keywords", "gained", "lost")
ACTS = ("accept", "reject")


def figures(run: Run, result: Mapping[str, Json], say: Say, lang: str) -> str:
    """Texts of each domain, what the classifier is sure of, how labels changed; figures where there are labels."""
    columns = [table(result.get(name)) for name in COLUMNS]
    names = list(dict.fromkeys(name for column in columns[:3] for name in column))
    rows = [[esc(value_name("domain", name, say)), *(widget.counted(column.get(name, 0)) for column in columns)]
            for name in names]
    head = ["", *(esc(say(f"label.domains.{name}")) for name in COLUMNS)]
    title = say("label.domains.title", number=result.get("number", 1), texts=widget.counted(result.get("texts")))
    unused = say("label.and").join(value_name("domain", str(name), say) for name in listed(result.get("unused")))
    notes = [say("label.domains.unused", names=unused)] if unused else []
    return (f"<h3>{esc(title)}</h3>{grid(head, rows)}"
            + "".join(element("p", esc(note), class_="tr-note") for note in notes)
            + measured(result, say, lang) + changed(run, result, say))


def measured(result: Mapping[str, Json], say: Say, lang: str) -> str:
    """Figures on labelled texts; nothing where there were none."""
    found = table(result.get("figures"))
    rows = [[esc(gloss(lang, str(name))), number(value)] for name, value in found.items() if finite(value)]
    if not rows:
        return ""
    words = say("label.domains.tested", tested=widget.counted(result.get("tested")),
                leaked=widget.counted(result.get("leaked")))
    return grid(["", esc(say("label.value"))], rows) + element("p", esc(words), class_="tr-note")


def changed(run: Run, result: Mapping[str, Json], say: Say) -> str:
    """The texts whose labels differ from the round before, folded."""
    count = result.get("changed")
    if not count:
        return ""
    rows = read_lines(run.path / "artifacts" / "changes.jsonl")[:MOST_CHANGES]
    inner = widget.changes([{**row, "text": row.get("begins", "")} for row in rows], say,
                           lambda name: value_name("domain", name, say))
    return fold("changes", say("label.domains.changed", count=widget.counted(count), shown=len(rows)), inner)


def held(picks: str) -> dict[str, str]:
    """The decisions in the note of the page, ``{"law|court": "accept"}``; anything else in it is passed over."""
    try:
        value = json.loads(picks or "{}")
    except (ValueError, RecursionError):
        value = {}
    return {name: word for name, word in table(value).items() if word in ACTS and all(name.partition("|"))}


def toggled(picks: str, key: str, act: str) -> str:
    """The decisions after a press: ``act`` is ``accept`` or ``reject``, ``key`` is ``domain|word``; a second press
    on the same button takes the decision back."""
    found = held(picks)
    if act in ACTS and "|" in key:
        if found.get(key) == act:
            found.pop(key)
        else:
            found[key] = act
    return json.dumps(found, ensure_ascii=False)


def proposals(result: Mapping[str, Json], picks: str, say: Say) -> str:
    """The proposed keywords by domain with what was decided so far."""
    by_label: dict[str, list[Mapping[str, Json]]] = {}
    for row in tables(result.get("proposals")):
        by_label.setdefault(str(row.get("label")), []).append(row)
    return widget.proposals([(label, value_name("domain", label, say), rows) for label, rows in by_label.items()],
                            held(picks), say)


def next_round(run: Run, picks: str, say: Say) -> dict[str, Json]:
    """The request of the next round: the same settings, this round, what was decided. Raises ``UserError`` when
    nothing was."""
    found = held(picks)
    chosen = {act: [key.replace("|", ": ", 1) for key, value in found.items() if value == act]
              for act in ACTS}
    if not found:
        raise UserError(say("label.words.undecided"))
    data = run.fields.get("data") or []
    named = isinstance(data, list | tuple) and any(str(reference).startswith("run:") for reference in data)
    left = ("keywords",) if named else ("keywords", "data")  # runs are named again: who may read them is checked anew
    kept = {name: value for name, value in run.fields.items() if name not in left}
    return {**kept, "previous": f"run:{run.id}/round", "accepted": chosen["accept"], "rejected": chosen["reject"]}
