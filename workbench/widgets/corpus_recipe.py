"""A recipe as a sheet: its tests in order, what is measured, what is added, its hash; or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from workbench.contract import Json
from workbench.text import say
from workbench.widgets.corpus_numbers import amount, column_name, rule_name
from workbench.widgets.markup import element, esc

SIGNS: Mapping[str, str] = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}
LISTED = 12
"""Entries of a list that are shown."""


class Limited(Protocol):
    """What is shown of a test (``backends.mdfg.rules.verdicts.Test`` is one)."""

    @property
    def rule(self) -> str: ...
    @property
    def column(self) -> str: ...
    @property
    def drop_if(self) -> str: ...
    @property
    def limit(self) -> float: ...


def sign(test: Limited) -> str:
    """The comparison as one sign."""
    return SIGNS.get(test.drop_if, test.drop_if)


def condition(test: Limited, lang: str) -> str:
    """``characters ≤ 200`` with the column's own name in the tooltip; HTML."""
    name = element("span", esc(column_name(test.column, lang)), title=test.column)
    return f"{name} {esc(sign(test))} <b>{esc(amount(test.limit))}</b>"


def sheet(tests: Sequence[Limited], facts: Sequence[tuple[str, str]], warnings: Sequence[str], note: str,
          digest: str, lang: str) -> str:
    """Tests in order, settings in pairs, warnings above them."""
    told = "".join(f"<div><dt>{esc(name)}</dt><dd>{esc(value)}</dd></div>" for name, value in facts if value)
    warned = "".join(f'<p class="cf-warning" role="status">{esc(words)}</p>' for words in warnings)
    said = element("p", esc(note), class_="cf-help") if note else ""
    code = f'<p class="cf-hash">{esc(say(lang, "corpus_filter.hash"))} <code>{esc(digest)}</code></p>'
    return element("div", f"{said}{warned}{_tests(tests, lang)}{_settings(told, lang)}{code}",
                   class_="cf-sheet")


def _settings(told: str, lang: str) -> str:
    summary = f"<summary>{esc(say(lang, 'corpus_filter.settings'))}</summary>"
    return f"<details data-wb-fold='cf-settings'>{summary}<dl class='wb-pairs'>{told}</dl></details>" if told else ""


def _tests(tests: Sequence[Limited], lang: str) -> str:
    if not tests:
        return element("p", esc(say(lang, "corpus_filter.no_rules")), class_="cf-help")
    seen: dict[str, list[str]] = {}
    for test in tests:
        seen.setdefault(test.rule, []).append(f"<span>{condition(test, lang)}</span>")
    between = esc(say(lang, "corpus_filter.or"))
    rows = "".join(f'<tr><td>{i}</td><th scope="row" title="{esc(rule)}">{esc(rule_name(rule, lang))}</th>'
                   f"<td>{between.join(parts)}</td></tr>" for i, (rule, parts) in enumerate(seen.items(), 1))
    heads = "".join(f'<th scope="col">{esc(words)}</th>' for words in (
        "", say(lang, "corpus_filter.funnel.rule"), say(lang, "corpus_filter.drops")))
    return (f'<div class="cf-grid cf-rules"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>')


def wrong(message: str, advice: str, lang: str) -> str:
    """Why the text is no recipe."""
    return element("div", f"<b>{esc(say(lang, 'corpus_filter.wrong'))}</b> <span>{esc(message)}</span> "
                          f"<span>{esc(advice)}</span>", class_="cf-wrong", role="alert")


def plain(value: Json, lang: str) -> str:
    """A setting in words: yes and no, lists with commas."""
    if isinstance(value, bool):
        return say(lang, "corpus_filter.yes" if value else "corpus_filter.no")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value[:LISTED])) + (" …" if len(value) > LISTED else "")
    return f"{value:g}" if isinstance(value, float) else str(value)
