"""A request dataclass as a form: one component a field, and the way back from component values to fields.

The same definition gives the command line its flags and the API its names, so a form's keys are the field names
(``decoding.temperature`` for a field inside a field). Limits, help, groups and ``shown_if`` come from each ``Knob``.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Union, cast, get_args, get_origin

import gradio as gr
from gradio.components import Component

from workbench.contract import Json, Knob, UserError
from workbench.fields import FieldSpec, describe, fields_of, from_json, to_json
from workbench.panel import QUICK

Say = Callable[[str], str]
"""From a text's key to the text, or to its mark; and from a method's English words to the reader's."""
TUPLES: Mapping[type, str] = {str: "lines", float: "numbers", int: "numbers"}
"""How a list is written: texts one a line, numbers in one line with commas."""
FEW = 3
"""Up to this many choices are laid open as radio buttons."""


@dataclass(frozen=True)
class Entry:
    """One field of the flattened request: its dotted key and its definition."""

    key: str
    spec: FieldSpec
    group: str


@dataclass(frozen=True)
class Form:
    """The components of a form by key, in the order of the request's fields."""

    request: type
    components: Mapping[str, Component]
    base: Mapping[str, Json]

    def inputs(self) -> list[Component]:
        """The components to give as ``inputs`` to the event that sends the form."""
        return list(self.components.values())

    def fields(self, values: Sequence[Any]) -> dict[str, Json]:
        """The request's fields from the components' values, checked. Raises ``UserError`` naming the field."""
        return collect(self.request, dict(zip(self.components, values, strict=True)), self.base)


@dataclass(frozen=True)
class Words:
    """How a form speaks: texts of the page, a method's own words, the models that may be named, and what else may be
    picked: (label, value) choices by field, beside which anything can be typed."""

    say: Say
    gloss: Say
    models: Sequence[tuple[str, str]]
    picks: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)

    def name(self, field: str) -> str:
        """``min_turns`` as a label: ``Min turns``, in the reader's language."""
        return self.gloss(field[:1].upper() + field[1:].replace("_", " "))

    def info(self, spec: FieldSpec, shape: str) -> str | None:
        """The help under a label, with the bounds of a number and the way to write what is no plain text."""
        knob = spec.knob
        said = [self.gloss(knob.help)]
        if shape in ("int", "float") and knob.low is not None and knob.high is not None:
            said.append(f"{number(knob.low)} – {number(knob.high)}")
        said += [self.say(f"form.{shape}.help")] if shape in ("lines", "json") else []
        return " · ".join(part.rstrip(".。") if len(said) > 1 else part for part in said if part) or None


def number(value: float) -> str:
    """A bound as one reads it: ``0.05``, ``2,147,483,647``."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"


def entries(request: type, prefix: str = "", group: str = "") -> list[Entry]:
    """Every field of a request, fields of nested dataclasses included, each with its group."""
    found = []
    for spec in fields_of(request):
        inner = spec.knob.group or group
        if dataclasses.is_dataclass(spec.kind) and isinstance(spec.kind, type):
            found += entries(spec.kind, f"{prefix}{spec.name}.", spec.knob.group or spec.name)
        else:
            found.append(Entry(prefix + spec.name, spec, inner))
    return found


def build(request: type, say: Say, values: Mapping[str, Json] | None = None,
          models: Sequence[tuple[str, str]] = (), gloss: Say = str,
          picks: Mapping[str, Sequence[tuple[str, str]]] | None = None, opened: int = 1,
          hidden: Sequence[str] = ()) -> Form:
    """Lay out the form in the current Gradio context, filled with ``values`` (nested JSON; defaults where missing).

    ``say`` turns keys into texts, ``gloss`` a method's English words into the reader's language; ``models`` are
    (label, reference) choices for fields that name a model, ``picks`` choices for other fields of text or of a list of
    texts. The first ``opened`` groups are unfolded. Fields in ``hidden`` are not laid out: they keep their value.
    """
    words = Words(say, gloss, models, picks or {})
    base = dict(values or {})
    all_entries = [entry for entry in entries(request) if entry.spec.knob.widget != "hidden"
                   and entry.key not in hidden]
    made: dict[str, Component] = {}
    groups = list(dict.fromkeys(entry.group for entry in all_entries))
    for group in groups:
        members = [entry for entry in all_entries if entry.group == group]
        if not group:
            _lay(members, base, words, made)
            continue
        with gr.Accordion(words.name(group), open=group in groups[:opened], elem_classes="wb-group"):
            _lay(members, base, words, made)
    _link(all_entries, made, {entry.key: _current(entry, base) for entry in entries(request) if entry.key in hidden})
    return Form(request, {entry.key: made[entry.key] for entry in all_entries}, base)


def _lay(members: Sequence[Entry], base: Mapping[str, Json], words: Words, made: dict[str, Component]) -> None:
    wide = [entry for entry in members if _is_wide(entry.spec)]
    narrow = [entry for entry in members if not _is_wide(entry.spec)]
    for entry in wide:
        made[entry.key] = component(entry, _current(entry, base), words)
    if narrow:
        with gr.Row(elem_classes="wb-fields"):
            for entry in narrow:
                made[entry.key] = component(entry, _current(entry, base), words)


def _is_wide(spec: FieldSpec) -> bool:
    return spec.knob.widget == "text" or _shape(spec.kind) == "json"


def _current(entry: Entry, base: Mapping[str, Json]) -> Json:
    value: Json = base
    for name in entry.key.split("."):
        if not isinstance(value, Mapping) or name not in value:
            default = entry.spec.default
            return None if default is dataclasses.MISSING else to_json(default)
        value = value[name]
    return value


def _shape(kind: Any) -> str:
    """Which sort of component a type needs: choice, several, bool, int, float, text, lines, numbers or json."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "choice"
    if origin in (Union, types.UnionType):
        shapes = {_shape(k) for k in arguments if k is not type(None)}
        if len(shapes) > 1:
            return "text" if shapes <= {"text", "json"} else "json"
        return shapes.pop()
    if origin is tuple:
        return "several" if get_origin(arguments[0]) is Literal else TUPLES.get(arguments[0], "json")
    return {bool: "bool", int: "int", float: "float", str: "text"}.get(kind, "json")


def component(entry: Entry, value: Json, words: Words) -> Component:
    """The component of one field."""
    spec, knob = entry.spec, entry.spec.knob
    shape = _shape(spec.kind)
    common: dict[str, Any] = {"label": words.name(spec.name), "info": words.info(spec, shape), "min_width": 180,
                              "interactive": True}
    if entry.key in words.picks:
        return _picker(shape, value, words.picks[entry.key], {**common, "info": words.gloss(knob.help)})
    if knob.widget == "model":
        offered = [(words.say("form.default_model"), ""), *words.models]
        if value not in [reference for _, reference in offered]:
            offered.append((str(value), str(value)))
        return gr.Dropdown(offered, value=value or "", allow_custom_value=True, **common)
    if shape == "choice":
        choices = [(words.gloss(str(choice)), choice) for choice in _choices(spec.kind)]
        return (gr.Radio if len(choices) <= FEW else gr.Dropdown)(choices, value=value, **common)
    if shape == "several":
        some = [(words.gloss(str(choice)), choice) for choice in get_args(get_args(spec.kind)[0])]
        return gr.CheckboxGroup(some, value=list(value or ()), **common)
    if shape == "bool":
        return gr.Checkbox(bool(value), label=common["label"], info=common["info"], min_width=180,
                           interactive=True)
    if shape in ("int", "float"):
        # no minimum and maximum: Gradio would refuse with words of its own that do not name the field
        return gr.Number(value, precision=0 if shape == "int" else None,
                         step=knob.step or (1 if shape == "int" else 0.01), **common)
    return _text_box(shape, value, knob, common)


def _picker(shape: str, value: Json, offered: Sequence[tuple[str, str]], common: Mapping[str, Any]) -> Component:
    """A list of choices to pick from; what is chosen already and what a person types is a choice too."""
    chosen = [str(part) for part in value or ()] if shape == "lines" else str(value or "")
    known = [reference for _, reference in offered]
    more = [part for part in (chosen if isinstance(chosen, list) else [chosen]) if part and part not in known]
    return gr.Dropdown([*offered, *((part, part) for part in more)], value=chosen, multiselect=shape == "lines",
                       allow_custom_value=True, elem_classes="wb-wide", **common)


def _text_box(shape: str, value: Json, knob: Knob, common: Mapping[str, Any]) -> Component:
    if shape == "lines":
        return gr.Textbox("\n".join(str(v) for v in value or ()), lines=2, **common)
    if shape == "numbers":
        return gr.Textbox(", ".join(f"{v:g}" for v in value or ()), **common)
    if shape == "json":
        return gr.Textbox(json.dumps(value, ensure_ascii=False, indent=1), lines=4, max_lines=16, **common)
    shown = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    longest = int(knob.high) if knob.high is not None else None
    lines = {"lines": 4, "max_lines": 16} if knob.widget == "text" else {"lines": 1, "max_lines": 4}
    return gr.Textbox(shown, max_length=longest, **lines, **common)


def _choices(kind: Any) -> list[Json]:
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [choice for inner in get_args(kind) if inner is not type(None) for choice in get_args(inner)]


def _link(all_entries: Sequence[Entry], made: Mapping[str, Component], kept: Mapping[str, Json]) -> None:
    """Show a field only while the field it depends on has one of its values; the browser does it alone. A field that is
    not laid out keeps its value (``kept``), and so decides once."""
    for entry in all_entries:
        if entry.spec.knob.shown_if is None:
            continue
        other, wanted = entry.spec.knob.shown_if
        prefix = entry.key.rpartition(".")[0]
        name = f"{prefix}.{other}" if prefix else other
        source, target = made.get(name), cast(Any, made[entry.key])
        if name in kept:
            target.visible = kept[name] in wanted
            continue
        if source is None:
            raise ValueError(f"{entry.key} is shown by {other}, which is no field of the form")
        target.visible = source.value in wanted
        allowed = json.dumps(list(wanted))
        source.change(None, [source], [target], **QUICK,
                      js=f"(v) => ({{__type__: 'update', visible: {allowed}.includes(v)}})")


def collect(request: type, values: Mapping[str, Any], base: Mapping[str, Json] | None = None) -> dict[str, Json]:
    """Fields of a request from component values by key, laid over ``base`` (for fields that the form hides).

    Raises ``UserError`` naming the field, its value and what is allowed.
    """
    fields: dict[str, Json] = json.loads(json.dumps(dict(base or {})))
    for entry in entries(request):
        if entry.key in values:
            *path, name = entry.key.split(".")
            place = fields
            for step in path:
                place = place.setdefault(step, {})
            place[name] = read(entry, values[entry.key])
    checked: dict[str, Json] = to_json(from_json(request, fields))
    return checked


def read(entry: Entry, value: Any) -> Json:
    """One component's value as the field's JSON value."""
    kind, shape = entry.spec.kind, _shape(entry.spec.kind)
    optional = type(None) in get_args(kind)
    if value is None or (value == "" and optional):
        if optional:
            return None
        if shape in ("int", "float"):
            raise UserError(f"{entry.key} is empty; it must be {describe(kind)}.")
    if shape == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if shape == "lines" and isinstance(value, list):
        return [str(part).strip() for part in value if str(part).strip()]
    if shape == "lines":
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]
    if shape == "numbers":
        return _numbers(entry, str(value or ""))
    if shape == "json" or (shape == "text" and kind is not str and str(value).lstrip()[:1] in ("{", "[")):
        return _json(entry.key, str(value or "null"))
    return value


def _numbers(entry: Entry, text: str) -> list[int | float]:
    """``"3, 1, 1"`` (also as JSON) as numbers of the field's kind."""
    kind = get_args(entry.spec.kind)[0]
    try:
        return [kind(part) for part in re.split(r"[,;，；\s]+", text.strip().strip("[]")) if part]
    except ValueError as error:
        raise UserError(f"{entry.key} is {text!r}; it must be numbers with commas between them.") from error


def _json(key: str, text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"{key} is not valid JSON: {error}.",
                        advice="Correct it, or copy the example again.") from error
