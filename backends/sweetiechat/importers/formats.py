"""The formats by name, and which of them a file is in. The order matters: the more particular ones come first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from backends.sweetiechat.importers import (
    convokit,
    emollm,
    esceval,
    esconv,
    esconv_tsv,
    escot,
    extes,
    messages,
    own,
    predictions,
    smile,
    turns_table,
    usr_sys,
)
from backends.sweetiechat.importers.draft import Format, Row, fields, shown
from workbench.contract import Json, UserError, unknown

ALL: tuple[Format, ...] = (
    own.FORM, esconv.FAILED, esconv.FORM, usr_sys.MULTIESC, usr_sys.PPDPP, esconv_tsv.FORM, extes.FORM, escot.FORM,
    smile.FORM, emollm.FORM, esceval.FORM, predictions.FORM, messages.SHAREGPT, messages.CHAT, convokit.FORM,
    turns_table.FORM)
FORMATS: Mapping[str, Format] = {form.name: form for form in ALL}
AUTO = "auto"


def format_named(name: str) -> Format:
    """The format of this name; ``UserError`` with the nearest names when there is none."""
    if name not in FORMATS:
        raise unknown("format", name, (AUTO, *FORMATS))
    return FORMATS[name]


def is_entry(value: Json) -> bool:
    """Whether a value is an entry of any format."""
    return recognise(value) is not None


def recognise(value: Json) -> Format | None:
    """The first format that knows an entry as its own."""
    return next((form for form in ALL if form.looks(value)), None)


def sniff(rows: Iterable[Row], file: str) -> Format:
    """The format of the first entry that is one. Raises ``UserError`` saying what the first entry is instead."""
    seen = list(rows)
    for row in seen:
        form = None if row.problem else recognise(row.value)
        if form is not None:
            return form
    whole = next((row for row in seen if not row.problem), None)
    if whole is None:
        what = f"{seen[0].where}: {seen[0].problem}" if seen else "it has no entry"
        raise UserError(f"{file} cannot be read ({what}).", advice=_known())
    value = whole.value
    has = f"a table with the fields {fields(value)}" if isinstance(value, Mapping) else shown(value)
    raise UserError(f"{file} is in none of the known formats: {whole.where} is {has}.", advice=_known())


def _known() -> str:
    return f"Known are {', '.join(FORMATS)}; a table needs the columns dialogue, role and text."
