"""Request fields as small components, for the forms of the Dialogue tab: texts of their own, values back as fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

import gradio as gr
from gradio.components import Component

from workbench.contract import Json
from workbench.fields import FieldSpec, fields_of
from workbench.panel import Shell


def specs_of(request: type) -> dict[str, FieldSpec]:
    """The fields of a request by name."""
    return {spec.name: spec for spec in fields_of(request)}


def knob(shell: Shell, spec: FieldSpec, part: str) -> Component:
    """A component for one plain field; its texts are ``<part>.knob.<name>`` with ``.help``, choices ``.<choice>``
    (with ``-`` for ``+``)."""
    key = f"{part}.knob.{spec.name}"
    texts: dict[str, Any] = {"label": shell.label(key), "info": shell.label(f"{key}.help")}
    if spec.kind is bool:
        return gr.Checkbox(bool(spec.default), **texts)
    if spec.kind in (int, float):
        return gr.Number(spec.default, minimum=spec.knob.low, maximum=spec.knob.high, step=spec.knob.step or 1,
                         precision=0 if spec.kind is int else None, min_width=120, **texts)
    if get_origin(spec.kind) is Literal:
        choices = [(shell.label(f"{key}.{str(choice).replace('+', '-')}"), choice) for choice in get_args(spec.kind)]
        return gr.Dropdown(choices, value=spec.default, filterable=False, **texts)
    return gr.Textbox(str(spec.default), max_lines=1, **texts)


def fields_from(specs: Mapping[str, FieldSpec], values: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    """Fields of the request in their own types; an emptied number takes its default by being left out."""
    found: dict[str, Json] = {}
    for name, value in values:
        if value is None or (value == "" and specs[name].kind is not str):
            continue
        kind = specs[name].kind
        found[name] = round(float(value)) if kind is int else float(value) if kind is float else value
    return found
