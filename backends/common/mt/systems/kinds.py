"""What a reference to a translation system is, seen from the reference and the files behind it. No torch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from workbench.contract import Context, Json, UserError, load

PRACTICE, APERTIUM, ENDPOINT = "practice", "apertium", "endpoint"
PRACTICE_FOLDER = "backends.sm2.system:practice"
"""Dotted name of the function that tells the folder of the practice model."""
KINDS: Mapping[str, str] = MappingProxyType({"sm2": "backends.sm2.system:open_system",
                                             "seq2seq": "backends.common.mt.systems.seq2seq:open_system"})
"""Models that run in a process of their own: kind -> dotted name of ``open_system(folder, options)``."""
WORDS_COUNTED = (APERTIUM,)
"""Kinds whose speed is in words, because they have no tokens."""
_UNSAFE = re.compile(r"[^\w.+()-]+")


@dataclass(frozen=True)
class Named:
    """A system as the page and the files call it. ``file`` is a name that every file system takes."""

    name: str
    reference: str

    @property
    def file(self) -> str:
        """The artifact with its translations."""
        return f"{_UNSAFE.sub('-', self.name).strip('-.') or 'system'}.txt"


def named(references: Sequence[str]) -> list[Named]:
    """Short names for references, each its own; a reference that is there twice is translated twice."""
    found: list[Named] = []
    for reference in references:
        plain = reference.strip()
        short = name_of(plain)
        taken = {one.file.lower() for one in found} | {"source.txt", "reference.txt"}
        number = 1
        while Named(_numbered(short, number), plain).file.lower() in taken:
            number += 1
        found.append(Named(_numbered(short, number), plain))
    return found


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name} ({number})"


def name_of(reference: str) -> str:
    """What a reference is called: its last telling part."""
    kind, _, rest = reference.partition(":")
    if kind == ENDPOINT:
        address, _, model = rest.partition("#")
        return (model or re.sub(r"^https?://|/v1/?$", "", address))[:60] or ENDPOINT
    if kind == "run":
        return f"run {rest.partition('/')[0].rpartition('-')[2]}"
    if kind == APERTIUM:
        return f"{APERTIUM} {rest}".strip()
    return (rest.partition("@")[0].rstrip("/").rpartition("/")[2] or reference)[:60]


def kind_of(reference: str, folder: Path | None = None) -> str:
    """The kind of a reference; of a model folder by its ``config.json``. Raises ``UserError`` for another model."""
    head = reference.partition(":")[0]
    if reference == PRACTICE:
        return "sm2"
    if head in (APERTIUM, ENDPOINT):
        return "causal" if head == ENDPOINT else APERTIUM
    config = _config(folder, reference)
    model = str(config.get("model_type") or "")
    if model == "sm2":
        return "sm2"
    if config.get("is_encoder_decoder") is True or model in ("marian", "t5", "mt5", "m2m_100", "mbart"):
        return "seq2seq"
    architectures = config.get("architectures")
    if any(str(name).endswith(("ForCausalLM", "LMHeadModel"))
           for name in (architectures if isinstance(architectures, list) else ())):
        return "causal"
    raise UserError(f"{reference} is a model of type {model or 'unknown'!r}, which does not translate.",
                    advice="Name an SM2 model, a sequence-to-sequence model (Marian, NLLB, mBART, T5) or a causal "
                           "language model.")


def _config(folder: Path | None, reference: str) -> dict[str, Json]:
    path = folder / "config.json" if folder else None
    try:
        value = json.loads(path.read_text(encoding="utf-8")) if path else None
    except (OSError, ValueError) as error:
        raise UserError(f"{reference} has no readable config.json.",
                        advice="Name the folder of a model, not a file.") from error
    return value if isinstance(value, dict) else {}


def folder_of(reference: str, context: Context) -> Path | None:
    """Where the files of a reference lie, fetched where need be; ``None`` for what has none."""
    if reference.partition(":")[0] in (APERTIUM, ENDPOINT):
        return None
    if reference != PRACTICE:
        return context.resource(reference)
    try:
        folder: Path = load(PRACTICE_FOLDER)()
    except ImportError as error:
        raise UserError("The practice model belongs to the method sm2, which is not installed.",
                        advice="Name another system.") from error
    return folder
