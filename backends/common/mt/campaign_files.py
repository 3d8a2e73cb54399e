"""Campaigns for Pearmut and Appraise, and ratings as Pearmut's answers: the way out.

Names of systems are in the files, as both servers need them; neither shows them to annotators. What is written here
and read back is the same, spans included.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from backends.common.mt.campaigns import Campaign, Item
from backends.common.mt.human_files import mark
from backends.common.mt.uploads import Comparison
from workbench.contract import Json, UserError

BATCH = 100
"""Items of one of Appraise's tasks."""
PROTOCOLS = ("DA", "ESA", "MQM")


def items_of(comparison: Comparison) -> tuple[Item, ...]:
    """The segments of a comparison as items; a domain takes the place of a document. Raises without a source."""
    if comparison.source is None:
        raise UserError("There is no source text, which annotators need.", advice="Add the source.")
    reference = next(iter(comparison.references.values()), None)
    return tuple(Item(str(i), comparison.domains[i] if comparison.domains else "test", comparison.source[i],
                      {name: lines[i] for name, lines in comparison.systems.items()}, "target",
                      reference[i] if reference else "") for i in range(comparison.size))


def documents(items: Sequence[Item]) -> dict[str, list[Item]]:
    """The items to be judged by document, in their order."""
    found: dict[str, list[Item]] = {}
    for item in items:
        if item.kind == "target":
            found.setdefault(item.document, []).append(item)
    return found


def pearmut_campaign(items: Sequence[Item], name: str, protocol: str = "ESA", users: int = 1) -> dict[str, Json]:
    """A Pearmut campaign from which ``users`` people draw documents at random, all systems of an item side by side."""
    if protocol not in PROTOCOLS:
        raise UserError(f"The protocol is {protocol!r}; it may be {', '.join(PROTOCOLS)}.")
    if users < 1:
        raise UserError(f"users is {users}; it must be at least 1.")
    info: dict[str, Json] = {"assignment": "single-stream", "protocol": protocol, "users": users, "shuffle": True,
                             "show_model_names": False}
    return {"info": info, "campaign_id": name,
            "data": [[_pearmut(item) for item in group] for group in documents(items).values()]}


def _pearmut(item: Item) -> dict[str, Json]:
    shown: dict[str, Json] = {"item_id": item.name, "doc": item.document, "src": item.source, "tgt": dict(item.targets)}
    return {**shown, "ref": item.reference} if item.reference else shown


def pearmut_answers(campaign: Campaign) -> list[dict[str, Json]]:
    """The ratings of a campaign as Pearmut's entries, one a person and item; what somebody rated twice has two."""
    given: dict[tuple[str, int, int], dict[str, Json]] = {}
    times: Counter[tuple[str, str, int]] = Counter()
    for rating in campaign.ratings.ratings:
        if rating.kind == "target":
            before = times[rating.system, rating.annotator, rating.segment]
            times[rating.system, rating.annotator, rating.segment] += 1
            answer = given.setdefault((rating.annotator, rating.segment, before), {})
            answer[rating.system] = {"score": None if campaign.protocol == "MQM" else rating.score,
                                     "error_spans": [mark(span) for span in rating.spans], "textfield": None}
    return [{"user_id": person, "item_i": place, "item": [_pearmut(campaign.items[place])], "annotation": [answer],
             "actions": []} for (person, place, _), answer in given.items()]


def appraise_batches(items: Sequence[Item], source: str, target: str, generator: random.Random, size: int = BATCH
                     ) -> list[dict[str, Json]]:
    """Appraise's batches for ESA: documents of one system each, shuffled, never split; ``itemID`` is the place of the
    segment. Three-letter languages. A batch has at most ``size`` items, a longer document one of its own."""
    if size < 1:
        raise UserError(f"size is {size}; a batch has at least 1 item.")
    places = {id(item): place for place, item in enumerate(items)}
    blocks = [[_appraise(item, places[id(item)], system, f"{source}-{target}") for item in group
               if system in item.targets]
              for group in documents(items).values() for system in dict.fromkeys(s for i in group for s in i.targets)]
    generator.shuffle(blocks)
    batches: list[list[dict[str, Json]]] = []
    for block in blocks:
        if not batches or len(batches[-1]) + len(block) > size:
            batches.append([])
        batches[-1] += block
    return [{"items": batch, "task": {"batchNo": number, "randomSeed": 0, "requiredAnnotations": 1,
                                      "sourceLanguage": source, "targetLanguage": target}}
            for number, batch in enumerate(batches, 1)]


def _appraise(item: Item, place: int, system: str, pair: str) -> dict[str, Json]:
    return {"mqm": [], "documentID": item.document, "sourceID": pair, "targetID": system, "itemType": "TGT",
            "sourceText": item.source, "targetText": item.targets[system], "itemID": place, "_item": "",
            "isCompleteDocument": False}
