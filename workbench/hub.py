"""The door to models and data: what a reference is, whether it is here, and how it gets here.

Knows no torch and no transformers. The six forms of a reference are in :mod:`workbench.hub_cards`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from workbench import hub_package, hub_remote
from workbench.contract import Json, MissingResource, UserError, unknown
from workbench.files import write_json
from workbench.hub_cards import FORMS, ModelCard, PackagedModel, Reference, packaged, parse, speaks
from workbench.hub_files import Say, disk_errors, manifest, read_object
from workbench.hub_local import BUNDLED, card_of, check_weights, is_model, locate
from workbench.settings import Settings

__all__ = ["FORMS", "ModelCard", "Reference", "Resolved", "State", "accept", "accepted", "card", "catalogue",
           "check_endpoint", "parse", "resolve", "speaks", "state"]

ACCEPTED = "accepted.json"


@dataclass(frozen=True)
class State:
    """Whether a reference can be used now; ``detail`` says in one line what is missing or how it was found."""

    status: Literal["ready", "to fetch", "to convert", "needs acceptance", "missing"]
    detail: str = ""


@dataclass(frozen=True)
class Resolved:
    """A reference on this machine: its path, its files as ``{"path", "size", "sha256"}``, its card."""

    path: Path
    files: tuple[Mapping[str, Json], ...]
    card: ModelCard


def catalogue(settings: Settings | None = None) -> list[ModelCard]:
    """Cards of every model known by name: packaged ones, the home's own, bundled ones."""
    cards = [model.card for model in packaged(settings.home if settings else None).values()]
    bundled = sorted(path for path in BUNDLED.glob("*") if is_model(path))
    return cards + [card_of(f"bundled:{path.name}", path) for path in bundled]


def card(reference: str, settings: Settings | None = None) -> ModelCard:
    """What a model can do, as far as its files or the catalogue say. Never downloads.

    A hub model that is not here yet gives a card with nothing stated. Raises ``UserError`` for a text that is
    no reference or an unknown package, ``MissingResource`` for an absent path."""
    settings = settings or Settings()
    ref = parse(reference)
    if ref.kind == "package":
        return _package(ref, settings).card
    if ref.kind == "endpoint":
        title = f"{ref.revision or 'default model'} at {ref.name}"
        return ModelCard(str(ref), title, "chat", notes="Answers come from another server.", can_score=False)
    if ref.kind == "hub":
        here = hub_remote.cached(ref)
        if here is None:
            kind: Literal["chat", "data"] = "data" if ref.name.startswith("datasets/") else "chat"
            return ModelCard(str(ref), ref.name, kind, notes="Not fetched yet: nothing is known about it.")
        return card_of(str(ref), here, ref.name)
    path = locate(ref, settings)
    return card_of(str(ref), path)


def state(reference: str, settings: Settings) -> State:
    """Whether a reference can be used now. Cheap: no network, no import, no checksum. Raises as ``parse``."""
    ref = parse(reference)
    try:
        if ref.kind == "package":
            return _package_state(_package(ref, settings), settings)
        if ref.kind == "hub":
            return _hub_state(ref, settings)
        if ref.kind == "endpoint":
            return State("ready", f"model server {hub_remote.check_endpoint(ref, settings)[0]}")
        path = locate(ref, settings)
        check_weights(path)
        return State("ready", str(path))
    except UserError as error:
        return State("missing", str(error))


def _package_state(model: PackagedModel, settings: Settings) -> State:
    if model.card.accept_licence and model.card.reference not in accepted(settings):
        return State("needs acceptance", f"{model.card.licence}: {model.card.licence_url}")
    if hub_package.is_ready(model, settings):
        return State("ready", str(hub_package.folder_of(model, settings)))
    if hub_package.is_fetched(model, settings):
        return State("to convert", "fetched; converted once, in about a minute")
    if settings.offline:
        return State("missing", f"offline; {model.card.size_mb} MB are to be fetched")
    return State("to fetch", f"{model.card.size_mb} MB")


def _hub_state(ref: Reference, settings: Settings) -> State:
    here = hub_remote.cached(ref)
    if here:
        return State("ready", str(here))
    if hub_remote.is_offline(settings):
        return State("missing", f"offline, and not in {hub_remote.cache_folder()}")
    return State("to fetch", "from the hub")


def resolve(reference: str, settings: Settings, say: Say | None = None) -> Resolved:
    """Bring a reference to this machine where need be and return where it is.

    ``say(text)`` hears the progress several times a second; an exception it raises cancels. Raises
    ``MissingResource`` with the command that helps, or ``UserError``."""
    ref, say = parse(reference), say or _silent
    if ref.kind == "endpoint":
        raise UserError(f"{ref} is a model server: it has no files.", advice="Open it as a model instead.")
    if ref.kind == "package":
        model = _package(ref, settings)
        if model.card.accept_licence and model.card.reference not in accepted(settings):
            raise MissingResource(
                f"{model.card.title} is under the {model.card.licence} ({model.card.licence_url}).",
                advice=f"Read them; if you agree: python3 launch.py models --accept {model.card.reference}")
        path = hub_package.install(model, settings, say)
        return Resolved(path, hub_package.files_of(model, settings), model.card)
    path = hub_remote.fetch(ref, settings, say) if ref.kind == "hub" else locate(ref, settings)
    check_weights(path)
    from workbench.store import Index  # here, because asking for a state or a card needs no database

    files = manifest(path, Index(settings.home))
    return Resolved(path, files, card_of(str(ref), path, ref.name if ref.kind == "hub" else ""))


def check_endpoint(reference: str, settings: Settings) -> tuple[str, str]:
    """Base address and model name of an ``endpoint:`` reference; ``UserError`` where it is not allowed."""
    ref = parse(reference)
    if ref.kind != "endpoint":
        raise UserError(f"{ref} is not an endpoint.", advice="Write endpoint:http://HOST:PORT/v1[#MODEL].")
    return hub_remote.check_endpoint(ref, settings)


def accepted(settings: Settings) -> Mapping[str, Json]:
    """The licences that were accepted in this home: reference -> licence and time."""
    return read_object(settings.home / ACCEPTED)


def accept(reference: str, settings: Settings) -> ModelCard:
    """Record that the person accepts the licence of a packaged model; returns its card."""
    found = card(reference, settings)
    if not found.accept_licence:
        raise UserError(f"{found.title} ({found.licence or 'no licence stated'}) needs no acceptance.")
    record = {"licence": found.licence, "url": found.licence_url,
              "at": datetime.now(UTC).isoformat(timespec="seconds")}
    with disk_errors(settings.home):
        settings.home.mkdir(parents=True, exist_ok=True)
        write_json(settings.home / ACCEPTED, {**accepted(settings), found.reference: record})
    return found


def _package(ref: Reference, settings: Settings) -> PackagedModel:
    known = packaged(settings.home)
    if ref.name not in known:
        raise unknown("packaged model", ref.name, known)
    return known[ref.name]


def _silent(_: str) -> None:
    """The listener of a caller that wants no progress."""
