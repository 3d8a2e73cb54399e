"""A supporter without a role-play: one model (and who counsels it) for candidate replies and for evaluation."""

from __future__ import annotations

from backends.sweetiechat.agent import Agent, find_agent
from backends.sweetiechat.cast import Cast, Opener, opened_lines
from backends.sweetiechat.classifier_at_work import Trained
from backends.sweetiechat.crisis import load_rules
from backends.sweetiechat.objects import Role
from backends.sweetiechat.requests import TalkSettings
from backends.sweetiechat.train_text import Variant
from backends.sweetiechat.wording import load_wording
from workbench.contract import Context


def open_alone(context: Context, settings: TalkSettings, opener: Opener, *, chat: Variant | None = None,
               prompts: bool = False, trained: Trained | None = None) -> Cast:
    """The cast of ``settings.supporter_model`` and, where another one is named, ``settings.counselor_model``.

    ``chat`` speaks to an ordinary model in the text of agents of that variant, ``prompts`` to an agent in the words of
    the role-play; without either it is spoken to as fits. Raises ``UserError`` for a model that does not speak the
    language."""
    references: dict[Role, str] = {"supporter": settings.supporter_model.strip() or context.default_model}
    references["counselor"] = settings.counselor_model.strip() or references["supporter"]
    with opened_lines(context, references, settings.language, opener) as lines:
        agent = None if prompts else find_agent(context, references["supporter"])
        if agent is None and chat is not None:
            agent = Agent(references["supporter"], chat, None)
    return Cast({role: lines[reference] for role, reference in references.items()}, references, settings,
                load_wording(settings.language), load_rules(), context.generator, trained=trained, agent=agent)
