"""Two recipes on the same documents: the limits of each side to change, the four outcomes, the rules, the documents.

A press sends ``act`` and ``key`` (:mod:`corpus_press`): ``limit`` of ``a.3``, ``reset`` of ``a``, ``cell`` of an
outcome, ``rule`` of a name, ``open`` of a place, ``page`` of an offset.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from workbench.contract import Json
from workbench.text import say
from workbench.widgets.corpus_numbers import amount, column_name, count, exact, field, part, rule_name
from workbench.widgets.corpus_recipe import Limited, plain, sign
from workbench.widgets.markup import copy_button, element, esc

SideName = Literal["a", "b"]
CELLS = ("both", "only_a", "only_b", "neither")
NAMED = 3
"""Values that a warning names."""


class Pair(Protocol):
    """What is shown of a rule (``backends.mdfg.explore.compare.RulePair`` is one)."""

    @property
    def rule(self) -> str: ...
    @property
    def a(self) -> int | None: ...
    @property
    def b(self) -> int | None: ...
    @property
    def more_a(self) -> int: ...
    @property
    def more_b(self) -> int: ...
    @property
    def blamed_a(self) -> int: ...
    @property
    def blamed_b(self) -> int: ...
    @property
    def tests_a(self) -> Sequence[Limited]: ...
    @property
    def tests_b(self) -> Sequence[Limited]: ...


@dataclass(frozen=True)
class Outcome:
    """Documents with one outcome, and means of quality and toxicity where there are scores."""

    name: str
    documents: int
    characters: int
    quality: float | None
    toxicity: float | None


@dataclass(frozen=True)
class Listed:
    """A document of the list."""

    place: int
    where: str
    characters: int
    snippet: str
    failed_a: Sequence[str]
    failed_b: Sequence[str]


@dataclass(frozen=True)
class Editor:
    """A side: the limits now and in its own recipe, its hash, its YAML and the command that replays it.

    ``warnings`` are what its figures cannot tell."""

    side: SideName
    tests: Sequence[Limited]
    own: Sequence[Limited]
    digest: str
    yaml: str
    file: str
    command: str
    warnings: Sequence[str] = ()


def editor(of: Editor, lang: str) -> str:
    """The limits of a side as fields, with what was moved, and the recipe to take away."""
    rows = "".join(_limit(of, index, lang) for index in range(len(of.tests)))
    empty = element("p", esc(say(lang, "corpus_filter.no_rules")), class_="cf-help")
    grid = f'<div class="cf-grid cc-limits"><table><tbody>{rows}</tbody></table></div>' if rows else empty
    data = base64.b64encode(of.yaml.encode()).decode()
    take = element("a", esc(say(lang, "corpus_compare.yaml")), class_="wb-link", download=of.file,
                   href=f"data:text/yaml;charset=utf-8;base64,{data}")
    moved = list(of.tests) != list(of.own)
    reset = element("button", esc(say(lang, "corpus_compare.reset")), type="button", class_="wb-link",
                    data_act="reset", data_key=of.side) if moved else ""
    warned = "".join(f'<p class="cf-warning" role="status">{esc(words)}</p>' for words in of.warnings)
    line = (f'<p class="cf-hash"><code>{esc(of.digest)}</code> {take} '
            f"{copy_button(of.command, say(lang, 'actions.command'))} {reset}</p>")
    return element("div", warned + grid + line, class_=f"co cc-side cc-{of.side}")


def _limit(of: Editor, index: int, lang: str) -> str:
    test, own = of.tests[index], of.own[index]
    moved = test.limit != own.limit
    name = rule_name(test.rule, lang)
    label = f"{of.side.upper()}: {name}, {column_name(test.column, lang)} {sign(test)}"
    box = field(type="number", step="any", value=exact(test.limit), data_act="limit", data_key=f"{of.side}.{index}",
                data_focus=f"limit.{of.side}.{index}", aria_label=label)
    was = element("small", esc(say(lang, "corpus_compare.was", limit=amount(own.limit)))) if moved else ""
    again = index > 0 and of.tests[index - 1].rule == test.rule  # one rule of several tests
    return (f'<tr class="{"cc-moved" if moved else ""}"><th scope="row" title="{esc(test.rule)}">'
            f'{"" if again else esc(name)}</th>'
            f'<td title="{esc(test.column)}">{esc(column_name(test.column, lang))} {esc(sign(test))}</td>'
            f"<td>{box}{was}</td></tr>")


def warning(columns: Sequence[str], setting: str, was: Json, wanted: Json, lang: str) -> str:
    """Values that the corpus holds otherwise than the recipe measures them, in one sentence."""
    if setting == "rules":
        return say(lang, "corpus_compare.other_rules")
    names = [column_name(column, lang) for column in dict.fromkeys(columns)]
    more = f" +{len(names) - NAMED}" if len(names) > NAMED else ""
    return say(lang, "corpus_compare.differs", column=", ".join(names[:NAMED]) + more, setting=setting,
               was=plain(was, lang) or "–", wanted=plain(wanted, lang) or "–")


def outcomes(cells: Sequence[Outcome], chosen: str, compared: int, total: int, digest: str, lang: str) -> str:
    """Four boxes to press, the counts of each side above them, and how many documents are compared."""
    by = {cell.name: cell for cell in cells}
    boxes = "".join(_cell(by[name], compared, name == chosen, lang) for name in CELLS)
    bar = "".join(f'<i class="cc-{name}" style="width:{100 * by[name].documents / compared:.3f}%"></i>'
                  for name in CELLS) if compared else ""
    kept = "".join(
        f'<span class="cc-{side}"><i></i>{esc(say(lang, "corpus_compare.kept", side=side.upper(), n=count(n)))} '
        f"({part(n, compared)})</span>" for side, n in (
            ("a", by["both"].documents + by["only_a"].documents), ("b", by["both"].documents + by["only_b"].documents)))
    key = "corpus_compare.all" if compared == total else "corpus_compare.some"
    told = say(lang, key, n=count(compared), total=count(total), filter=digest)
    return (f'<div class="co cc-result"><p class="cc-kept">{kept}</p><div class="cc-bar" role="img" '
            f'aria-label="{esc(told)}">{bar}</div><div class="cc-cells" role="group" '
            f'aria-label="{esc(say(lang, "corpus_compare.outcomes"))}">{boxes}</div>'
            f'<p class="co-count" role="status">{esc(told)}</p></div>')


def _cell(cell: Outcome, compared: int, chosen: bool, lang: str) -> str:
    means = [say(lang, "corpus_compare.characters", n=count(cell.characters))]
    for name, value in (("quality", cell.quality), ("toxicity", cell.toxicity)):
        if value is not None:
            means.append(f"{column_name(name, lang)} {value:.3f}")
    inner = (f"<span>{esc(say(lang, f'corpus_compare.cell.{cell.name}'))}</span><b>{count(cell.documents)}</b>"
             f"<em>{part(cell.documents, compared)}</em><small>{esc(' · '.join(means))}</small>")
    return element("button", inner, type="button", class_=f"cc-cell cc-{cell.name}", data_act="cell",
                   data_key="" if chosen else cell.name, data_focus=f"cell.{cell.name}",
                   aria_pressed="true" if chosen else "false")


def rules(pairs: Sequence[Pair], chosen: str, lang: str) -> str:
    """Every rule on both sides: documents that fail it, those that fail it on one side only, those it decides."""
    heads = "".join(f'<th scope="col" title="{esc(say(lang, f"corpus_compare.rules.{name}.help"))}">'
                    f'{esc(say(lang, f"corpus_compare.rules.{name}"))}</th>'
                    for name in ("rule", "a", "b", "more_a", "more_b", "blamed_a", "blamed_b"))
    body = "".join(_rule(pair, pair.rule == chosen, lang) for pair in pairs)
    return (f'<div class="co cf-part"><h4>{esc(say(lang, "corpus_compare.rules"))}</h4><p class="cf-help">'
            f'{esc(say(lang, "corpus_compare.rules.help"))}</p><div class="cf-grid cc-rules"><table><thead><tr>{heads}'
            f"</tr></thead><tbody>{body}</tbody></table></div></div>")


def _rule(pair: Pair, chosen: bool, lang: str) -> str:
    name = element("button", esc(rule_name(pair.rule, lang)), type="button", class_="wb-link", data_act="rule",
                   data_key="" if chosen else pair.rule, data_focus=f"rule.{pair.rule}", title=pair.rule,
                   aria_pressed="true" if chosen else "false",
                   disabled=not (pair.more_a or pair.more_b) and not chosen)
    sides = [_limits(tests, lang) for tests in (pair.tests_a, pair.tests_b) if tests]
    limits = element("small", " → ".join(sides)) if list(pair.tests_a) != list(pair.tests_b) else ""
    cells = "".join(element("td", "–" if value is None else count(value), class_="" if value else "co-dim")
                    for value in (pair.a, pair.b, pair.more_a, pair.more_b, pair.blamed_a, pair.blamed_b))
    return f'<tr class="{"co-opened" if chosen else ""}"><th scope="row">{name}{limits}</th>{cells}</tr>'


def _limits(tests: Sequence[Limited], lang: str) -> str:
    return esc(", ".join(f"{column_name(test.column, lang)} {sign(test)} {amount(test.limit)}" for test in tests))


def documents(rows: Sequence[Listed], shown: int, offset: int, limit: int, what: str, lang: str) -> str:
    """One page of documents with the rules that they fail on each side; a press opens one in the reader."""
    title = f'<h4>{esc(say(lang, "corpus_compare.documents"))}</h4><p class="co-count" role="status">{esc(what)}</p>'
    if not rows:
        none = element("p", esc(say(lang, "corpus_compare.none")), class_="co-dim")
        return element("div", title + none, class_="co cf-part")
    heads = "".join(f'<th scope="col"{" class=co-v" * (i in (0, 2))}>{esc(words)}</th>' for i, words in enumerate((
        say(lang, "corpus.table.place"), say(lang, "corpus.table.text"), column_name("n_chars", lang),
        say(lang, "corpus_compare.in_a"), say(lang, "corpus_compare.in_b"))))
    body = "".join(_row(row, lang) for row in rows)
    table = element("div", f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>", class_="co-table",
                    tabindex="0", aria_label=say(lang, "corpus_compare.documents"))
    return element("div", title + table + _pager(len(rows), shown, offset, limit, lang), class_="co cf-part")


def _row(row: Listed, lang: str) -> str:
    text = element("button", esc(row.snippet or say(lang, "corpus.table.empty")), type="button", class_="co-open",
                   data_act="open", data_key=row.place, data_focus=f"open.{row.place}", dir="auto", title=row.where)
    return (f'<tr><td class="co-v co-dim">{count(row.place)}</td>'
            f'<td>{text}</td><td class="co-v">{count(row.characters)}</td>'
            f'<td class="co-tags">{tags(row.failed_a, lang)}</td>'
            f'<td class="co-tags">{tags(row.failed_b, lang)}</td></tr>')


def tags(failed: Sequence[str], lang: str) -> str:
    """The rules that a document fails as small labels, or that it is kept."""
    names: Mapping[str, str] = {rule: rule_name(rule, lang) for rule in failed}
    if not names:
        return element("span", esc(say(lang, "corpus.kept")), class_="co-tag co-good")
    return "".join(element("span", esc(name), class_="co-tag co-bad", title=rule) for rule, name in names.items())


def _pager(listed: int, shown: int, offset: int, limit: int, lang: str) -> str:
    if shown <= limit:
        return ""
    place = say(lang, "corpus.table.page", first=count(offset + 1), last=count(offset + listed), shown=count(shown))
    back = element("button", esc(say(lang, "corpus.table.back")), type="button", class_="wb-small", data_act="page",
                   data_key=max(0, offset - limit), data_focus="page.back", disabled=offset == 0)
    on = element("button", esc(say(lang, "corpus.table.on")), type="button", class_="wb-small", data_act="page",
                 data_key=offset + listed, data_focus="page.on", disabled=offset + listed >= shown)
    return element("div", f"{back}<span>{esc(place)}</span>{on}", class_="co-pager")
