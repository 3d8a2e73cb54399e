"""The files of a comparison as people bring them: what each holds, what its columns are, how the lines stand together.

A press or a changed field sends ``act`` and ``key`` (:mod:`corpus_press`): ``role`` and ``name`` of ``FILE.COLUMN`` by
their numbers, ``remove`` of a file's number, ``dismiss`` of what was refused, ``clear``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.text import say
from workbench.widgets.markup import element, esc

ROLES = ("system", "reference", "source", "domain", "ignore")
FIRST = {"source": 0, "reference": 1}
"""Roles whose texts stand first in the preview."""
SHOWN = 50
"""Columns of one file that are shown."""
NOTES = 6
"""Remarks on one file that are shown at once."""
SNIPPET = 160


@dataclass(frozen=True)
class ColumnView:
    """One column: the head it has in the file, what it is taken for, what it is called, its first segment."""

    head: str
    role: str
    name: str
    first: str


@dataclass(frozen=True)
class FileView:
    """One file: its number from 1; ``problem`` says why it could not be read."""

    number: int
    name: str
    format: str
    rows: int
    notes: tuple[str, ...]
    columns: tuple[ColumnView, ...]
    problem: str = ""


@dataclass(frozen=True)
class IntakeView:
    """Everything that was brought: files, sentences about what was not taken, what stands in the way of comparing,
    and the first segments side by side."""

    files: tuple[FileView, ...]
    refused: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    preview: tuple[Mapping[str, str], ...] = ()
    token: tuple[str, str] = ("", "")


def intake(view: IntakeView, lang: str) -> str:
    """All of it; nothing while nothing was brought."""
    if not view.files and not view.refused:
        return ""
    inner = _refused(view.refused, lang) + "".join(_file(file, lang) for file in view.files)
    if view.files:
        inner += _together(view, lang)
    return element("div", inner, class_="co mt mt-intake")


def _refused(sentences: Sequence[str], lang: str) -> str:
    if not sentences:
        return ""
    items = "".join(element("li", esc(text)) for text in sentences)
    close = element("button", esc(say(lang, "translation_compare.dismiss")), type="button", class_="wb-link",
                    data_act="dismiss")
    head = element("b", esc(say(lang, "translation_compare.refused", n=len(sentences))))
    return element("div", f"{head}<ul>{items}</ul>{close}", class_="mt-problems", role="alert")


def _file(file: FileView, lang: str) -> str:
    told = say(lang, "translation_compare.file.lines", n=f"{file.rows:,}", columns=f"{len(file.columns):,}",
               format=file.format) if not file.problem else ""
    remove = element("button", esc(say(lang, "translation_compare.remove")), type="button", class_="wb-link",
                     data_act="remove", data_key=file.number, data_focus=f"remove.{file.number}",
                     aria_label=say(lang, "translation_compare.remove.of", name=file.name))
    head = element("header", element("b", esc(file.name), title=file.name) + element("span", esc(told)) + remove)
    if file.problem:
        return element("section", head + element("p", esc(file.problem), class_="mt-wrong", role="alert"),
                       class_="mt-file mt-file-bad")
    notes = "".join(element("li", esc(note)) for note in file.notes[:NOTES])
    if len(file.notes) > NOTES:
        notes += element("li", esc(say(lang, "translation_compare.more", n=len(file.notes) - NOTES)))
    body = (element("ul", notes, class_="mt-notes") if notes else "") + "".join(
        _column(file, number, column, lang) for number, column in enumerate(file.columns[:SHOWN]))
    if len(file.columns) > SHOWN:
        body += element("p", esc(say(lang, "translation_compare.columns.more", n=SHOWN, total=len(file.columns))),
                        class_="co-dim")
    return element("section", head + body, class_="mt-file" + (" mt-file-one" if len(file.columns) == 1 else ""))


def _column(file: FileView, number: int, column: ColumnView, lang: str) -> str:
    key = f"{file.number}.{number}"
    options = "".join(element("option", esc(say(lang, f"translation_compare.role.{role}")), value=role,
                              selected=role == column.role) for role in ROLES)
    of = column.head if len(file.columns) > 1 else file.name
    role = element("select", options, data_act="role", data_key=key, data_focus=f"role.{key}",
                   aria_label=say(lang, "translation_compare.role.of", name=of))
    name = element("input", "", type="text", value=column.name, maxlength=120, data_act="name", data_key=key,
                   data_focus=f"name.{key}", disabled=column.role in ("ignore", "source", "domain"),
                   aria_label=say(lang, "translation_compare.name.of", name=of))
    head = element("code", esc(column.head)) if len(file.columns) > 1 else ""
    first = element("span", esc(column.first[:SNIPPET]), class_="mt-first", dir="auto", title=column.first[:400])
    return element("div", role + name + head + first, class_=f"mt-col mt-is-{column.role}")


def _together(view: IntakeView, lang: str) -> str:
    """What stands in the way, else the first segments side by side and the tokeniser."""
    if view.problems:
        items = "".join(element("li", esc(text)) for text in view.problems)
        return element("div", element("b", esc(say(lang, "translation_compare.problems")))
                       + f"<ul>{items}</ul>", class_="mt-problems", role="alert")
    token, warning = view.token
    told = element("p", esc(token), class_="mt-token") if token else ""
    told += element("p", esc(warning), class_="mt-warn", role="status") if warning else ""
    return told + preview(view.preview, lang)


def preview(rows: Sequence[Mapping[str, str]], lang: str) -> str:
    """The first segments, one block a segment with one line a column: source, references, then the others."""
    if not rows:
        return ""
    blocks = ""
    for number, row in enumerate(rows, 1):
        cells = sorted(row.items(), key=lambda cell: FIRST.get(cell[0].partition(": ")[0], len(FIRST)))
        lines = "".join(f"<dt>{esc(_named(name, lang))}</dt><dd dir='auto'>{esc(text[:SNIPPET]) or '–'}</dd>"
                        for name, text in cells[:SHOWN])
        blocks += element("li", element("dl", lines), value=number)
    summary = element("summary", esc(say(lang, "translation_compare.preview", n=len(rows))))
    return element("details", summary + element("ol", blocks), class_="mt-preview")


def _named(name: str, lang: str) -> str:
    role, _, rest = name.partition(": ")
    return f"{say(lang, f'translation_compare.role.{role}')}: {rest}" if role in ROLES else name
