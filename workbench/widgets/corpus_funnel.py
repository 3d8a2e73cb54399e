"""The rules in their order: what each one drops, counted three ways, and a slider on the curve of what is kept.

``first`` counts a document where the first rule fails (the paper's funnel; these sum to all that is dropped),
``every`` wherever a rule fails whatever the others say, ``only`` where it is the one reason: what would come back
without it.
The curve over a slider is the number of kept documents for each limit that the slider can stand on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.files import dumps
from workbench.text import say
from workbench.widgets.corpus_numbers import amount, column_name, compared, count, exact, field, part, rule_name
from workbench.widgets.markup import element, esc

HEIGHT = 34
COUNTS = ("first", "every", "only")
ACTS = {"first": "first", "every": "failed", "only": "only"}
"""What a press on each number sends: show the documents that the number counts."""


@dataclass(frozen=True)
class Slider:
    """One test: ``limit`` is the recipe's, ``now`` where it stands, ``stops`` (ascending) where it can stand, ``kept``
    how many documents all rules together keep at each stop. ``newly_*``: against the recipe's own limits."""

    test: int
    column: str
    drop_if: str
    limit: float
    now: float
    stops: tuple[float, ...]
    kept: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """One rule with its counts and its sliders. ``before`` documents reach it when rules are applied in order."""

    rule: str
    before: int
    first: int
    every: int
    only: int
    sliders: tuple[Slider, ...] = ()


def funnel(steps: Sequence[Step], documents: int, chosen: Sequence[str], lang: str) -> str:
    """All rules. ``chosen`` are ``"first length"``, ``"failed script"`` ..: numbers that the filter holds now."""
    if not steps:
        return element("p", esc(say(lang, "corpus.funnel.none")), class_="co-dim")
    heads = "".join(element("span", esc(say(lang, f"corpus.funnel.{name}")),
                            title=say(lang, f"corpus.funnel.{name}.help")) for name in COUNTS)
    head = element("div", element("span") + element("span") + heads, class_="co-step co-step-head")
    rows = "".join(_step(step, documents, chosen, lang) for step in steps)
    return element("div", head + rows, class_="co-funnel", role="group", aria_label=say(lang, "corpus.funnel.label"))


def _step(step: Step, documents: int, chosen: Sequence[str], lang: str) -> str:
    name = element("span", esc(rule_name(step.rule, lang)), class_="co-rule", title=step.rule)
    whole = max(1, documents)
    after = step.before - step.first
    said = say(lang, "corpus.funnel.bar", before=count(step.before), dropped=count(step.first), after=count(after),
               share=part(step.first, step.before))
    bar = element("span", element("i", class_="co-stay", style=f"width:{100 * after / whole:.2f}%")
                  + element("i", class_="co-go", style=f"width:{100 * step.first / whole:.2f}%"), class_="co-flow",
                  role="img", aria_label=said, title=said)
    numbers = "".join(_number(step, kind, chosen, lang) for kind in COUNTS)
    sliders = "".join(_slider(slider, lang) for slider in step.sliders)
    return element("div", name + bar + numbers, class_="co-step") + sliders


def _number(step: Step, kind: str, chosen: Sequence[str], lang: str) -> str:
    n = getattr(step, kind)
    on = f"{ACTS[kind]} {step.rule}" in chosen
    return element("button", count(n), type="button", class_="co-n", aria_pressed="true" if on else "false",
                   disabled=not n and not on, data_act=ACTS[kind], data_key=step.rule,
                   data_focus=f"{kind}.{step.rule}", aria_label=say(lang, f"corpus.funnel.{kind}.press", n=count(n),
                                                                    rule=rule_name(step.rule, lang)))


def _slider(slider: Slider, lang: str) -> str:
    name = column_name(slider.column, lang)
    words = say(lang, "corpus.slider.drop", name=name, compare=compared(slider.drop_if))
    place = nearest(slider.now, slider.stops)
    top = max(1, len(slider.stops) - 1)
    own = nearest(slider.limit, slider.stops)
    marks = (f'<i class="co-own" style="left:{100 * own / top:.2f}%" title="'
             f'{esc(say(lang, "corpus.slider.own", limit=amount(slider.limit)))}"></i>'
             f'<i class="co-now" data-now style="left:{100 * place / top:.2f}%"></i>')
    chart = element("div", curve(slider.kept) + marks, class_="co-curve", title=say(
        lang, "corpus.slider.curve", low=count(min(slider.kept, default=0)), high=count(max(slider.kept, default=0))))
    key = str(slider.test)
    slide = field(type="range", min=0, max=top, step=1, value=place, data_stops=dumps(
        [float(exact(stop)) for stop in slider.stops]), data_act="move", data_key=key, data_focus=f"slide{key}",
        aria_label=words, aria_valuetext=amount(slider.now))
    number = field(type="number", step="any", value=exact(slider.now), data_act="move", data_key=key,
                   data_focus=f"number{key}", aria_label=words)
    reset = element("button", esc(say(lang, "corpus.slider.reset", limit=amount(slider.limit))), type="button",
                    class_="wb-link co-reset", data_act="reset", data_key=key) if slider.now != slider.limit else ""
    fields = element("div", slide + number, class_="co-slide")
    return element("div", element("span", esc(words), class_="co-test") + element("div", chart + fields,
                                                                                 class_="co-lane") + reset,
                   class_="co-slider co-moved" if reset else "co-slider")


def nearest(value: float, stops: Sequence[float]) -> int:
    """The place of the stop that is nearest to ``value``; 0 where there is none."""
    return min(range(len(stops)), key=lambda i: abs(stops[i] - value)) if stops else 0


def curve(kept: Sequence[int]) -> str:
    """A line through the counts, from the lowest of them (bottom) to the highest."""
    if len(kept) < 2:
        return ""
    low, high = min(kept), max(kept)
    tall = HEIGHT - 4
    points = [(i, HEIGHT - 2 - tall * (n - low) / max(1, high - low)) for i, n in enumerate(kept)]
    line = " ".join(f"{x},{y:.1f}" for x, y in points)
    last = len(kept) - 1
    return (f'<svg viewBox="0 0 {last} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true"><polygon '
            f'points="0,{HEIGHT} {line} {last},{HEIGHT}"/><polyline points="{line}"/></svg>')


def overlap(rules: Sequence[str], counts: Sequence[Sequence[int]], lang: str) -> str:
    """Documents that two rules both drop; the diagonal is what each one drops. The fullest cell is darkest."""
    if not rules or len(counts) != len(rules):
        return ""
    names = [rule_name(rule, lang) for rule in rules]
    heads = "".join(element("th", element("span", esc(name)), scope="col") for name in names)
    top = max(1, *(max(row) for row in counts))
    places = range(len(rules))
    body = "".join(element("tr", element("th", esc(names[i]), scope="row") + "".join(
        _both(names[i], names[j], counts[i][j], top, i == j, lang) for j in places)) for i in places)
    table = element("table", element("thead", element("tr", element("td") + heads)) + element("tbody", body),
                    aria_label=say(lang, "corpus.overlap"))
    return element("div", table, class_="hm co-overlap", tabindex="0")


def _both(one: str, other: str, n: int, top: int, same: bool, lang: str) -> str:
    title = say(lang, "corpus.overlap.self" if same else "corpus.overlap.cell", one=one, other=other, n=count(n))
    return element("td", count(n) if n else "·", title=title, style=f"--s:{45 * n / top:.0f}%",
                   class_="co-self" if same else None)
