"""ExTES (Zheng et al. 2023): ``[{scene, description, content: [{"User": ..}, {"AI Strategy": .., "AI": ..}]}]``.

The dialogues were written by a model; a cell of ``AI Strategy`` may name several strategies or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backends.sweetiechat.importers.draft import Draft, Format, Said, fields, list_in, text_in, text_of
from workbench.contract import Json, UserError

SEEKER, SUPPORTER, LABEL = "User", "AI", "AI Strategy"


def read(entry: Json) -> Draft:
    """One dialogue; ``scene`` is its problem, ``description`` its situation."""
    said = tuple(part for number, message in enumerate(list_in(entry, "content"), 1) for part in _said(message, number))
    return Draft(said, text_of(entry, "description"), problem=text_of(entry, "scene"))


def _said(message: Json, number: int) -> Iterator[Said]:
    what = f"message {number}"
    if not isinstance(message, Mapping) or not (SEEKER in message or SUPPORTER in message):
        has = fields(message) if isinstance(message, Mapping) else "no fields"
        raise UserError(f"{what} has neither {SEEKER} nor {SUPPORTER}; it has {has}")
    if SEEKER in message:
        yield Said("seeker", text_in(message, SEEKER, what))
    if SUPPORTER in message:
        label = text_of(message, LABEL)
        yield Said("supporter", text_in(message, SUPPORTER, what), (label,) if label.strip() else ())


def _looks(entry: Json) -> bool:
    content = entry.get("content") if isinstance(entry, Mapping) else None
    return isinstance(content, list) and any(
        isinstance(message, Mapping) and (SEEKER in message or SUPPORTER in message) for message in content[:10])


FORM = Format("extes", "ExTES (User, AI Strategy, AI)", _looks, read, strategies="extes-16", language="en",
              made_by="model")
