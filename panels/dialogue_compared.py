"""What the Compare view shows: the chosen branches read out of their runs, and every part of the view made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import gradio as gr

from backends.sweetiechat.branch_request import Change, request_of
from backends.sweetiechat.compare import MOST, Figures, figures, intensities, shared_turns
from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.objects import Dialogue, dialogue_from_json, dialogue_to_json
from panels import dialogue_cases as cases
from panels import dialogue_family as family
from panels import dialogue_models as models
from panels.dialogue_form import MODEL_ROLES
from workbench.contract import TERMINAL, Json, UserError
from workbench.panel import Shell
from workbench.runs import Run
from workbench.service import Service
from workbench.widgets import branches, levelchart, outcome
from workbench.widgets.badge import badge
from workbench.widgets.transcript import strategy_labels

Say = Callable[..., str]
EXAMPLE_TURN = 5
EXAMPLE_STRATEGIES = ("question", "suggestions")
EXAMPLE_TURNS = 6


@dataclass(frozen=True)
class Pick:
    """What is looked at: a family's key, the keys of its chosen members, and their letters in the family."""

    family: str = ""
    members: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """The pick as the page keeps it."""
        return json.dumps({"family": self.family, "members": self.members, "letters": self.letters})


def picked(note: str) -> Pick:
    """The pick that a page's note holds; an empty one where it cannot be read."""
    try:
        value = json.loads(note or "{}")
        members, letters = (tuple(str(x) for x in value.get(name) or ()) for name in ("members", "letters"))
        letters = letters if len(letters) == len(members) else tuple("ABCD"[:len(members)])
        return Pick(str(value.get("family") or ""), members[:MOST], letters[:MOST])
    except (ValueError, AttributeError, TypeError):
        return Pick()


@dataclass(frozen=True)
class Column:
    """One chosen member: its key, its run, its dialogue, and the column that is drawn of it."""

    key: str
    run: Run
    dialogue: Dialogue
    branch: branches.Branch


def columns(shell: Shell, visitor: str, pick: Pick, lang: str) -> list[Column]:
    """The chosen members of a family; those that can no longer be read are left out."""
    say = partial(shell.t, lang)
    found: list[Column] = []
    for member, letter in zip(pick.members, pick.letters, strict=True):
        try:
            run, value = family.read(shell.service, visitor, member)
            dialogue = dialogue_from_json(value)
        except (UserError, KeyError, TypeError, ValueError):
            continue
        live = shell.service.live(visitor, run.id) if run.status not in TERMINAL and run.task == family.TASK else None
        state = "" if dialogue.ended else outcome.phase(run.status, value, live, run.message, say)
        link = shell.open_link("dialogue", run.id, say("compare.open"))
        changed = family.changed(family.note_of(value), strategy_labels(value, lang), say)
        found.append(Column(member, run, dialogue, branches.Branch(letter, value, changed, link, state, live)))
    return found


def labels_of(service: Service, visitor: str, chosen: family.Family, lang: str) -> dict[str, str]:
    """Labels of the strategies of a family's set."""
    for member in chosen.members:
        try:
            return strategy_labels(family.read(service, visitor, member.key)[1], lang)
        except UserError:
            continue
    return {}


def look(found: Sequence[Column], lang: str, say: Say, *, mark: bool, cells: int) -> dict[str, Json]:
    """Every part of the view by name."""
    drawn = [column.branch for column in found]
    if len(found) < 2:
        few = f'<div class="dt"><p class="dt-none">{say("compare.few")}</p></div>'
        return {"legend": few, "chart": "", "table": "", "trunk": "", "columns": ""}
    shared = shared_turns([column.dialogue for column in found])
    lines = [levelchart.Line(column.branch.letter, tuple(intensities(column.dialogue))) for column in found]
    rows = measured([column.dialogue for column in found], shared, lang, say)
    stopped = any(column.dialogue.stop_reason == "safety" for column in found)
    crisis = outcome.crisis_card(cases.crisis_resources(lang), say) if stopped else ""
    made = list(dict.fromkeys(name for column in found for name in column.dialogue.models.values()))
    mark_of = f'<div class="dt-made">{badge("synthetic", made, lang)}</div>' if made else ""
    chart = levelchart.chart(lines, shared, say)
    plain = "" if chart else f'<p class="dt-none">{say("compare.chart.none")}</p>'
    title = f'<div class="dt"><h3 class="dt-title">{say("compare.chart.title")}</h3>{plain}</div>'
    return {"legend": branches.legend(drawn, say) + mark_of + crisis, "chart": title + chart,
            "table": branches.measures([branch.letter for branch in drawn], rows, say),
            "trunk": branches.trunk(drawn[0], shared, say, lang),
            "columns": branches.columns(drawn, shared, say, lang, mark=mark, cells=cells)}


def measured(dialogues: Sequence[Dialogue], shared: int, lang: str, say: Say) -> list[branches.Measure]:
    """The lines of the table: each with its unit, variant, tokenizer and number in its name or hint."""
    every = [figures(dialogue, shared) for dialogue in dialogues]
    labels = strategy_labels(dialogue_to_json(dialogues[0]), lang)
    cut = every[0].tokenizer
    n = say("compare.n", counts=" / ".join(str(one.supporter_turns) for one in every))

    def line(name: str, value: Callable[[Figures], str], hint: str = "") -> branches.Measure:
        return branches.Measure(say(f"compare.measure.{name}"), hint, tuple(value(one) for one in every))
    lines = [line("counselor", lambda one: family.mode_name(one.counselor, say)),
             line("stop", lambda one: say(f"dialogue.stop.{one.stop_reason}")),
             line("turns", lambda one: str(one.turns)),
             line("intensity", lambda one: "–" if one.first is None else f"{one.first} → {one.last}",
                  say("compare.measure.intensity.help")),
             line("drop", _drop),
             line("strategies", lambda one: ", ".join(labels.get(key, key) for key in one.strategies) or "–",
                  say("compare.after"))]
    for place in range(3):
        lines.append(line(f"distinct{place + 1}", partial(_distinct, place), f"{n} · {cut}"))
    lines.append(line("length", lambda one: "–" if one.length is None else f"{one.length:.1f}", f"{n} · {cut}"))
    roles = [role for role in MODEL_ROLES if len({one.models.get(role, "") for one in every}) > 1]
    return lines + [branches.Measure(say(f"dialogue.role.{role}"), say("compare.measure.model"),
                                     tuple(one.models.get(role) or "–" for one in every)) for role in roles]


def _drop(one: Figures) -> str:
    return "–" if one.drop is None else f"{one.drop:+d}".replace("-", "\u2212") if one.drop else "0"


def _distinct(place: int, one: Figures) -> str:
    return "–" if one.distinct is None else f"{one.distinct[place]:.1f}"


@lru_cache(maxsize=1)
def bundled() -> Dialogue:
    """The first practice dialogue, which the example branches off."""
    return import_dialogues(ASSETS / "practice.esconv.json", limit=1).dialogues[0]


def example(shell: Shell, request: gr.Request) -> Pick:
    """Start two branches of a bundled talk that differ in one strategy; the pick that compares them."""
    settings, lang = shell.service.settings, shell.lang(request)
    say, visitor = partial(shell.t, lang), shell.visitor(request)
    reference = models.default("en", settings)
    models.check([reference], "en", settings, say)
    keys = []
    for strategy in EXAMPLE_STRATEGIES:
        change = Change(strategy, models=dict.fromkeys(MODEL_ROLES, reference))
        fields = request_of(dialogue_to_json(bundled()), EXAMPLE_TURN, change)
        fields |= {"max_turns": EXAMPLE_TURN + EXAMPLE_TURNS, "stop_early": False}
        title = say("compare.example.run", what=strategy_labels(fields["origin"], lang).get(strategy, strategy))
        keys.append(f"{shell.service.submit(family.TASK, fields, visitor=visitor, title=title)}/0")
    return Pick(bundled().id, tuple(keys))
