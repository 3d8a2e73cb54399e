"""The steps to a model that hears, as a row of cards: what is done, what it gave, what is missing and how to get it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.widgets.markup import element, esc

Say = Callable[..., str]


@dataclass(frozen=True)
class Step:
    """One card. ``state``: done, working, failed, given, open or blocked; ``figure`` a short result in words;
    ``run`` the run that took it; ``needs`` the step that must come before; ``shown``: it is what the page shows."""

    name: str
    state: str
    figure: str = ""
    run: str = ""
    needs: str = ""
    following: bool = False
    shown: bool = False


def chain(steps: Sequence[Step], say: Say) -> str:
    """The cards; buttons carry ``data-act`` (``run`` or ``step``) and ``data-key`` (a run's id or a step's name)."""
    numbers = {step.name: place for place, step in enumerate(steps, 1)}
    return f'<ol class="sn-chain">{"".join(_card(step, numbers, say) for step in steps)}</ol>'


def _card(step: Step, numbers: dict[str, int], say: Say) -> str:
    name = say(f"speech.train.step.{step.name}")
    title = element("button", f"<i>{numbers[step.name]}</i><b>{esc(name)}</b>", type="button", class_="sn-name",
                    data_act="step", data_key=step.name, title=say(f"speech.train.step.{step.name}.help"))
    state = element("span", esc(say(f"speech.train.state.{step.state}")), class_=f"sn-state sn-is-{step.state}")
    told = element("p", esc(step.figure), class_="sn-figure") if step.figure else ""
    buttons = ""
    if step.run:
        buttons += _button("run", step.run, say("speech.train.show"))
    if step.state == "blocked" and step.needs in numbers:
        missing = say("speech.train.needs", step=numbers[step.needs],
                      name=say(f"speech.train.step.{step.needs}"))
        told += element("p", esc(missing), class_="sn-missing")
        buttons += _button("step", step.needs, say("speech.train.make", step=numbers[step.needs]))
    elif step.following:
        buttons += _button("step", step.name, say("speech.train.prepare"), True)
    classes = f"sn-step sn-is-{step.state}" + " sn-shown" * step.shown + " sn-next" * step.following
    return element("li", title + state + told + element("div", buttons, class_="sn-do"), class_=classes,
                   aria_current="step" if step.shown else None)


def _button(act: str, key: str, words: str, strong: bool = False) -> str:
    return element("button", esc(words), type="button", class_="sn-press" + " sn-strong" * strong, data_act=act,
                   data_key=key)
