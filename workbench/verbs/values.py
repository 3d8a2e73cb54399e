"""``--set seed=3 --set decoding.temperature=0.5``: text from a command line as the fields of a request.

A value is read by the type of its field: text stays text, everything else is JSON, and where a field takes
several types, JSON is tried first. A dot goes into a nested table.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from workbench.contract import Json, Task, UserError, unknown
from workbench.fields import describe, fields_of, from_json, to_json


def request_fields(task: Task, settings: Sequence[str], files: Sequence[str], example: bool) -> dict[str, Json]:
    """The fields of a request of ``task``: its example or nothing, with every ``KEY=VALUE`` put in; checked.

    Raises ``UserError`` for a key that there is not (with the nearest ones), a bad value or a missing field."""
    fields: dict[str, Json] = to_json(task.example) if example else {}
    for pair in settings:
        key, value = _split(pair, "--set")
        put(task.request, fields, key, value)
    for pair in files:
        key, name = _split(pair, "--set-file")
        put(task.request, fields, key, _read(name))
    return dict(to_json(from_json(task.request, fields)))


def _split(pair: str, flag: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not equals or not key.strip():
        raise UserError(f"{flag} {pair!r} has no KEY=VALUE form.", advice=f"Write {flag} seed=3.")
    return key.strip(), value


def _read(name: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{name} cannot be read as text: {error}.") from error


def put(request: type, fields: dict[str, Json], key: str, text: str) -> None:
    """Set the field ``key`` (dotted where nested) of the plain JSON ``fields`` of a request dataclass."""
    kind: Any = request
    parts = key.split(".")
    for depth, part in enumerate(parts):
        inner = _dataclass_of(kind)
        if inner is not None:
            known = {spec.name: spec for spec in fields_of(inner)}
            if part not in known:
                raise unknown(f"field of {inner.__name__}", part, known)
            kind = known[part].kind
            start = known[part].default
        else:
            kind, start = Any, None
        if depth == len(parts) - 1:
            fields[part] = read_value(kind, text, key)
            return
        if _dataclass_of(kind) is None and not any(k is Any or dict in (k, get_origin(k)) for k in _choices(kind)):
            raise UserError(f"{'.'.join(parts[: depth + 1])} is {describe(kind)}; it has no inner fields.")
        if not isinstance(fields.get(part), dict):
            inherited = to_json(start) if dataclasses.is_dataclass(start) else {}
            fields[part] = inherited
        fields = fields[part]


def _choices(kind: Any) -> tuple[Any, ...]:
    """The types a field may have."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _dataclass_of(kind: Any) -> type | None:
    """The dataclass a field holds, alone or as one of several types."""
    return next((k for k in _choices(kind) if dataclasses.is_dataclass(k) and isinstance(k, type)), None)


def read_value(kind: Any, text: str, key: str = "value") -> Json:
    """``text`` as a value of ``kind``: text fields take it as it stands, others as JSON or one of their words."""
    choices = _choices(kind)
    if choices == (str,):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if str in choices and not _is_other(value, choices):
        return text
    if get_origin(kind) is tuple and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, str) and kind in (int, float, bool):
        raise UserError(f"{key} is {text!r}; it must be {describe(kind)}.")
    return value


def _is_other(value: Json, choices: tuple[Any, ...]) -> bool:
    """Whether a JSON value belongs to one of the types beside text."""
    if value is None:
        return type(None) in choices
    if isinstance(value, dict):
        return any(k is dict or get_origin(k) is dict or dataclasses.is_dataclass(k) for k in choices)
    if isinstance(value, list):
        return any(get_origin(k) in (tuple, list) for k in choices)
    return isinstance(value, bool | int | float) and any(type(value) is k or k is float for k in choices)
