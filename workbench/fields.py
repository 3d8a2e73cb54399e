"""Request and result dataclasses: read their fields, check their values, turn them to JSON and back.

One definition of a request gives the form, the command-line flags, the API, the provenance record and
the documentation table; this module is what all of them read it with. Standard library only.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from workbench.contract import Json, Knob, UserError


@dataclass(frozen=True)
class FieldSpec:
    """One field of a request as :func:`fields_of` reads it: name, bare type, default and knob."""

    name: str
    kind: Any
    default: Json
    knob: Knob


def fields_of(request: type) -> tuple[FieldSpec, ...]:
    """Read the fields of a request dataclass with their knobs; a field without one gets an empty knob."""
    hints = get_type_hints(request, include_extras=True)
    specs = []
    for item in dataclasses.fields(request):
        hint = hints[item.name]
        knob = next((k for k in getattr(hint, "__metadata__", ()) if isinstance(k, Knob)), Knob(""))
        kind = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
        default = item.default
        if item.default_factory is not dataclasses.MISSING:
            default = item.default_factory()
        specs.append(FieldSpec(item.name, kind, default, knob))
    return tuple(specs)


def validate(request: Any) -> None:
    """Check every field against its type and knob; call it from ``__post_init__``.

    Raises ``UserError`` naming the field, its value and what is allowed.
    """
    for spec in fields_of(type(request)):
        value = getattr(request, spec.name)
        if not _fits(value, spec.kind):
            raise UserError(f"{spec.name} is {_shown(value)}; it must be {describe(spec.kind)}.")
        _check_bounds(spec, value)


def _check_bounds(spec: FieldSpec, value: Json) -> None:
    low, high = spec.knob.low, spec.knob.high
    if isinstance(value, bool) or value is None or (low is None and high is None):
        return
    sized = isinstance(value, str | tuple | list)
    amount = len(value) if sized else value
    unit = (" characters" if isinstance(value, str) else " entries") if sized else ""
    if (low is not None and not amount >= low) or (high is not None and not amount <= high):
        bounds = f"between {low:g} and {high:g}" if low is not None and high is not None else (
            f"at least {low:g}" if low is not None else f"at most {high:g}")
        raise UserError(f"{spec.name} is {amount:g}{unit}; it must lie {bounds}.")


def _fits(value: Json, kind: Any) -> bool:
    origin = get_origin(kind)
    if kind is Any:
        return True
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(kind))
    if origin in (Union, types.UnionType):
        return any(_fits(value, k) for k in get_args(kind))
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(v, get_args(kind)[0]) for v in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and value == value
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _shown(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def describe(kind: Any) -> str:
    """A type in words, for error messages, command-line help and documentation tables."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(repr(choice) for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(k) for k in arguments)
    if origin is tuple:
        return f"a list of {describe(arguments[0])}"
    if dataclasses.is_dataclass(kind):
        return f"a table with the fields of {getattr(kind, '__name__', kind)}"
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false",
             type(None): "nothing", dict: "a table"}
    return names.get(origin or kind, str(kind))


def to_json(value: Any) -> Json:
    """Turn a request or result (nested dataclasses, tuples, paths) into plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def from_json(kind: Any, value: Json) -> Any:
    """Build a dataclass (nested ones too) from plain JSON values: the inverse of :func:`to_json`.

    Raises ``UserError`` for an unknown or missing field, so that a hand-edited file says what is wrong.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if hasattr(kind, "__metadata__"):
        return from_json(arguments[0], value)
    if origin in (Union, types.UnionType):
        chosen = next((k for k in arguments if k is not type(None)), type(None))
        return None if value is None else from_json(chosen, value)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(from_json(arguments[0], v) for v in value)
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return _build(kind, value)
    return float(value) if kind is float and type(value) is int else value


def _build(kind: Any, value: Mapping[str, Json]) -> Any:
    known = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise UserError(f"{kind.__name__} has no field {', '.join(unknown)}; it has {', '.join(known)}.")
    hints = get_type_hints(kind)
    missing = [n for n, f in known.items() if n not in value
               and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
    if missing:
        raise UserError(f"{kind.__name__} needs the field {', '.join(missing)}.")
    return kind(**{name: from_json(hints[name], v) for name, v in value.items()})
