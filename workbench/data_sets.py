"""The data sets that the workbench knows by name, and where each lies on this machine."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from workbench import hub_remote
from workbench.contract import UserError
from workbench.hub_cards import ROOT, parse
from workbench.settings import Settings

LIST = ROOT / "assets" / "data.toml"


@dataclass(frozen=True)
class DataSet:
    """One entry of ``assets/data.toml``. Exactly one of ``reference`` and ``bundled`` says where it comes from."""

    name: str
    title: str
    size: str
    licence: str
    languages: tuple[str, ...] = ()
    reference: str = ""
    bundled: str = ""

    def __post_init__(self) -> None:
        if bool(self.reference) == bool(self.bundled):
            raise UserError(f"The data set {self.name} must have a reference or be bundled, and not both.")


def data_sets(path: Path = LIST) -> list[DataSet]:
    """Every known data set. Raises ``UserError`` where the list is not of the documented form."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["data"]
        return [DataSet(**{**entry, "languages": tuple(entry.get("languages", ()))}) for entry in entries]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{path} has an entry that cannot be used: {error}.") from error


def place_of(entry: DataSet, settings: Settings) -> Path | None:
    """Where a data set lies: with the project, in ``home/data/NAME``, or in the hub's cache; ``None``: not here."""
    if entry.bundled:
        folder = LIST.parent / entry.bundled
        return folder if folder.is_dir() else None
    own = settings.home / "data" / entry.name
    if own.exists():
        return own
    return hub_remote.cached(parse(entry.reference))
