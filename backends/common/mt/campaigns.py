"""Campaigns of the two annotation servers: Appraise (WMT until 2024) and Pearmut. Items, and answers where there are.

Appraise: a list of batches, each with ``items`` {sourceText, targetText, targetID (the system), documentID, itemID,
itemType, mqm}. Pearmut: a campaign {info, campaign_id, data: tasks of documents of items {src, tgt: {system: text}}},
or its answers: {campaign: [{user_id, item: [...], annotation: [{system: {score, error_spans}}]}]}, or the same entries
as JSON lines, which is how Pearmut keeps them. An entry ``"annotation": "__RESET__"`` takes back what the person had
answered before. Answers of the MQM protocol have no score but error spans with categories: they are scored by MQM's
weights.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backends.common.mt.human import Rating, RatingKind, Ratings
from backends.common.mt.human_wmt import span, weight
from workbench.contract import Json, UserError

APART = ("welcome_", "random_", "goodbye_")
RESET = "__RESET__"
_MARKS = re.compile(r"[ _]#[ _](?!.*[ _]#[ _])")
"""The last ``_#_`` of an item's id, behind which it has its number in the document."""


@dataclass(frozen=True)
class Item:
    """A segment as it is shown to annotators, with every system's translation."""

    name: str
    document: str
    source: str
    targets: dict[str, str]
    kind: RatingKind = "target"
    reference: str = ""


@dataclass(frozen=True)
class Campaign:
    """The items of a campaign, and the ratings it has so far."""

    protocol: str
    items: tuple[Item, ...]
    ratings: Ratings


def parsed(text: str, name: str = "the file") -> Json:
    """A file of JSON, or of JSON lines as a list. Raises ``UserError`` for neither."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as whole:
        try:
            return [json.loads(line) for line in text.split("\n") if line.strip()]
        except (ValueError, RecursionError):
            raise UserError(f"{name} is not valid JSON ({whole}).", advice="Export it again.") from whole


def read_appraise(value: Json, name: str = "the file") -> Campaign:
    """Appraise's batches. They hold what is shown, not what was answered: answers are exported as the ESA csv."""
    with _formed(name, "Appraise"):
        return _appraise(value, name)


def read_pearmut(value: Json, name: str = "the file") -> Campaign:
    """A Pearmut campaign, or the answers that Pearmut exports. Raises ``UserError`` for anything else."""
    with _formed(name, "Pearmut"):
        return _pearmut(value, name)


@contextlib.contextmanager
def _formed(name: str, what: str) -> Iterator[None]:
    """Whatever a foreign file lacks somewhere inside is a sentence about the file."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(f"{name} looks like a campaign of {what} and is not formed like one ({error}).",
                        advice="Export it again.") from error


def _appraise(value: Json, name: str) -> Campaign:
    batches = value if isinstance(value, list) else [value]
    if not all(isinstance(batch, dict) and isinstance(batch.get("items"), list) for batch in batches) or not batches:
        raise UserError(f"{name} is no Appraise campaign: it needs a list of batches with 'items'.",
                        advice="Choose another format.")
    items, protocol = [], "DA"
    for item in (item for batch in batches for item in batch["items"]):
        missing = [key for key in ("sourceText", "targetText", "targetID", "itemID") if key not in item]
        if missing:
            raise UserError(f"{name}: an item lacks {', '.join(missing)}.")
        marks = item.get("mqm")
        protocol = "ESA" if marks is not None else protocol
        tutorial = (isinstance(marks, dict) and "tutorial" in marks) or "tutorial" in str(item.get("documentID"))
        kind: RatingKind = "tutorial" if tutorial else "target" if item.get("itemType") == "TGT" else "bad"
        items.append(Item(str(item["itemID"]), str(item.get("documentID", "")), str(item["sourceText"]),
                          {str(item["targetID"]): str(item["targetText"])}, kind))
    return Campaign(protocol, tuple(items), Ratings(protocol, ()))


def _pearmut(value: Json, name: str) -> Campaign:
    if isinstance(value, dict) and "data" in value:
        protocol = str(value.get("info", {}).get("protocol", "ESA"))
        found = [item for document in _documents(value["data"]) for item in document]
        return Campaign(protocol, tuple(_item(item, name, i) for i, item in enumerate(found)), Ratings(protocol, ()))
    entries = _entries(value)
    if not entries:
        raise UserError(f"{name} is no Pearmut campaign: it has neither 'data' nor answers with 'annotation'.",
                        advice="Choose another format.")
    return _answered(entries, name)


def _documents(value: Json) -> Iterator[Sequence[Mapping[str, Json]]]:
    """Lists of items, however deep: tasks hold documents, a shared pool holds documents directly."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _documents(inner)


def _entries(value: Json) -> list[Mapping[str, Json]]:
    """Entries with answers that were not taken back later."""
    one = isinstance(value, dict) and "annotation" in value
    lists = [[value]] if one else list(value.values()) if isinstance(value, dict) else [value]
    kept: list[Mapping[str, Json]] = []
    for entries in lists:
        for entry in entries if isinstance(entries, list) else []:
            if not isinstance(entry, dict) or "annotation" not in entry:
                continue
            who = (entry.get("user_id"), entry.get("item_i"))
            if entry["annotation"] == RESET:
                kept = [one for one in kept if (one.get("user_id"), one.get("item_i")) != who]
            elif isinstance(entry["annotation"], list) and isinstance(entry.get("item"), list):
                kept.append(entry)
    return kept


def _item(item: Mapping[str, Json], name: str, number: int, kind: RatingKind = "target") -> Item:
    targets = item.get("tgt", item.get("tgt_text"))
    if not isinstance(targets, dict) or not all(isinstance(text, str) for text in targets.values()):
        raise UserError(f"{name}, item {number + 1} has no 'tgt' that names systems.",
                        advice='It must look like {"src": "...", "tgt": {"system": "..."}}.')
    label = str(item.get("item_id", number))
    if item.get("validation"):
        kind = "tutorial" if item.get("skippable") else "bad"
    return Item(label, str(item.get("doc", _MARKS.split(label)[0])), str(item.get("src", item.get("src_text", ""))),
                dict(targets), kind, str(item.get("ref", "")))


def _answered(entries: Sequence[Mapping[str, Json]], name: str) -> Campaign:
    items: dict[str, Item] = {}
    numbers: dict[str, int] = {}
    answers: list[tuple[str, int, Mapping[str, Json], str, Item]] = []
    for entry in entries:
        apart = str(entry.get("item_i", "")).startswith(APART)
        for item, answer in zip(entry["item"], entry["annotation"], strict=False):
            if not isinstance(item, dict) or ("form" in item and "tgt" not in item):
                continue
            one = _item(item, name, len(items), "bad" if apart else "target")
            label = one.name if "item_id" in item else f"{item.get('doc', '')} {one.source}"
            items.setdefault(label, one)
            number = numbers.setdefault(label, len(numbers))
            answers += [(system, number, given, str(entry.get("user_id", "")), one)
                        for system, given in (answer if isinstance(answer, dict) else {}).items()
                        if isinstance(given, dict)]
    scored = any(_number(given.get("score")) for _, _, given, _, _ in answers)
    mqm = not scored and any(mark.get("category") for _, _, given, _, _ in answers
                             for mark in given.get("error_spans") or ())
    ratings, without = [], 0
    for system, number, given, person, one in answers:
        if not mqm and not _number(given.get("score")):
            without += 1
            continue
        spans = tuple(span(value) for value in given.get("error_spans") or ())
        score = -sum(weight(mark.category, mark.severity) for mark in spans) + 0.0 if mqm else float(given["score"])
        ratings.append(Rating(system, number, score, person, one.document, one.kind, spans))
    protocol = "MQM" if mqm else "ESA" if any(rating.spans for rating in ratings) else "DA"
    notes = (f"{without} answers have no score and are left out",) if without else ()
    return Campaign(protocol, tuple(items.values()),
                    Ratings(protocol, tuple(ratings), notes, tuple(items), tuple(i.source for i in items.values())))


def _number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
