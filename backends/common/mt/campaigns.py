"""Campaigns of the two annotation servers: Appraise (WMT until 2024) and Pearmut. Items, and answers where there are.

Appraise: a list of batches, each with ``items`` {sourceText, targetText, targetID (the system), documentID, itemID,
itemType, mqm}. Pearmut: a campaign {info, campaign_id, data: tasks of documents of items {src, tgt: {system: text}}},
or its answers: {campaign: [{user_id, item: [...], annotation: [{system: {score, error_spans}}]}]}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backends.common.mt.human import Rating, RatingKind, Ratings
from backends.common.mt.human_wmt import span
from workbench.contract import Json, UserError

APART = ("welcome_", "random_", "goodbye_")


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


def read_appraise(value: Json, name: str = "the file") -> Campaign:
    """Appraise's batches. They hold what is shown, not what was answered: answers are exported as the ESA csv."""
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


def read_pearmut(value: Json, name: str = "the file") -> Campaign:
    """A Pearmut campaign, or the answers that Pearmut exports. Raises ``UserError`` for anything else."""
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
    lists = list(value.values()) if isinstance(value, dict) else [value]
    return [entry for entries in lists if isinstance(entries, list) for entry in entries
            if isinstance(entry, dict) and "annotation" in entry and "item" in entry]


def _item(item: Mapping[str, Json], name: str, number: int, kind: RatingKind = "target") -> Item:
    targets = item.get("tgt", item.get("tgt_text"))
    if not isinstance(targets, dict) or not all(isinstance(text, str) for text in targets.values()):
        raise UserError(f"{name}, item {number + 1} has no 'tgt' that names systems.",
                        advice='It must look like {"src": "...", "tgt": {"system": "..."}}.')
    label = str(item.get("item_id", number))
    if item.get("validation"):
        kind = "tutorial" if item.get("skippable") else "bad"
    return Item(label, str(item.get("doc", label.split(" # ")[0])), str(item.get("src", item.get("src_text", ""))),
                dict(targets), kind, str(item.get("ref", "")))


def _answered(entries: Sequence[Mapping[str, Json]], name: str) -> Campaign:
    items: dict[str, Item] = {}
    ratings, without = [], 0
    for entry in entries:
        apart = str(entry.get("item_i", "")).startswith(APART)
        for item, answer in zip(entry["item"], entry["annotation"], strict=False):
            one = _item(item, name, len(items), "bad" if apart else "target")
            label = f"{one.name} {one.source}" if "item_id" not in item else one.name
            items.setdefault(label, one)
            number = list(items).index(label) if label in items else len(items)
            for system, given in (answer or {}).items():
                if given.get("score") is None:
                    without += 1
                    continue
                spans = tuple(span(value) for value in given.get("error_spans") or ())
                ratings.append(Rating(system, number, float(given["score"]), str(entry.get("user_id", "")),
                                      one.document, one.kind, spans))
    spans_seen = any(rating.spans for rating in ratings)
    protocol = "ESA" if spans_seen else "DA"
    notes = (f"{without} answers have no score and are left out",) if without else ()
    return Campaign(protocol, tuple(items.values()), Ratings(protocol, tuple(ratings), notes, tuple(items)))
