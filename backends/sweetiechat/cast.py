"""The three models of a dialogue, how to speak to each, and whether they can hold it at all."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from backends.common.language import Decoding, LanguageModel, open_model
from backends.sweetiechat.agent import Agent, check_agent, find_agent
from backends.sweetiechat.classifier_at_work import Trained, open_trained
from backends.sweetiechat.crisis import CrisisRules, load_rules
from backends.sweetiechat.library import choose_strategies
from backends.sweetiechat.objects import CounselorMode, Dialogue, Language, Role
from backends.sweetiechat.requests import TalkSettings
from backends.sweetiechat.wording import Voice, Wording, load_wording, voice_of
from workbench.contract import Context, UserError

Opener = Callable[[Context, str], LanguageModel]
NAMES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True)
class Cast:
    """Models by role, with what every step needs. ``nulls`` keeps the counselor's scores of an empty history,
    which are the same for every dialogue of one strategy set, so that they are computed once; ``trained`` is the
    classifier that counsels in mode ``classifier``, ``agent`` the supporter where its model is a trained agent."""

    models: Mapping[Role, LanguageModel]
    references: Mapping[Role, str]
    settings: TalkSettings
    wording: Wording
    crisis: CrisisRules
    generator: Callable[[int], random.Random]
    nulls: dict[str, list[float]] = field(default_factory=dict)
    trained: Trained | None = None
    agent: Agent | None = None

    def voice(self, role: Role) -> Voice:
        """How to speak to the model of a role."""
        if role == "supporter" and self.agent is not None:
            return Voice(trained=True)
        return voice_of(self.models[role].card)

    def decoding(self, seed: int, **changes: object) -> Decoding:
        """The request's decoding with this seed; ``changes`` override fields."""
        s = self.settings
        values: dict[str, object] = {
            "max_new_tokens": s.max_new_tokens, "min_new_tokens": s.min_new_tokens, "temperature": s.temperature,
            "top_p": s.top_p, "top_k": s.top_k, "repetition_penalty": s.repetition_penalty,
            "no_repeat_ngram": s.no_repeat_ngram, "seed": seed}
        return Decoding(**{**values, **changes})  # type: ignore[arg-type]

    def named(self) -> dict[str, str]:
        """References by role, as a dialogue keeps them; a classifier that counsels is the counselor."""
        named = {str(role): reference for role, reference in self.references.items()}
        return {**named, "counselor": self.settings.classifier.strip()} if self.trained else named

    def can_score(self, role: Role) -> bool:
        """Whether the model of a role gives log-probabilities."""
        return bool(self.models[role].card.get("can_score", True))


def seed_of(*parts: object) -> int:
    """A seed from anything that has a stable text: the same parts give the same seed on every machine."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:6], "big")


def roles_for(counselor: CounselorMode) -> tuple[Role, ...]:
    """The roles that a language model is opened for. A classifier counsels by itself; without a counselor, and where
    the trained agent chooses its own strategy, nobody is asked."""
    alone: tuple[CounselorMode, ...] = ("none", "agent", "classifier")
    return ("seeker", "supporter") if counselor in alone else ("seeker", "counselor", "supporter")


def open_cast(context: Context, settings: TalkSettings, roles: tuple[Role, ...], opener: Opener = open_model) -> Cast:
    """Open the models of these roles, one line for each different reference, and the classifier that counsels.

    Raises ``UserError`` when a model does not speak the dialogue's language, or the classifier cannot be used.
    """
    counsels = getattr(settings, "counselor", "") == "classifier"
    trained = open_trained(context, settings.classifier.strip()) if counsels else None
    references = {role: getattr(settings, f"{role}_model").strip() or context.default_model for role in roles}
    with opened_lines(context, references, settings.language, opener) as lines:
        agent = find_agent(context, references["supporter"]) if "supporter" in references else None
        check_agent(agent, getattr(settings, "counselor", ""), choose_strategies(settings.strategy_set),
                    references.get("supporter", ""))
    models = {role: lines[reference] for role, reference in references.items()}
    return Cast(models, references, settings, load_wording(settings.language), load_rules(), context.generator,
                trained=trained, agent=agent)


@contextmanager
def opened_lines(context: Context, references: Mapping[Role, str], language: Language,
                 opener: Opener) -> Iterator[dict[str, LanguageModel]]:
    """One line for each different reference, left open; all are closed when what stands inside fails."""
    lines: dict[str, LanguageModel] = {}
    try:
        for role, reference in references.items():
            if reference not in lines:
                lines[reference] = opener(context, reference)
            check_language(lines[reference], reference, role, language)
        yield lines
    except BaseException:
        for line in lines.values():
            line.close()
        raise


def check_language(model: LanguageModel, reference: str, role: Role, language: Language) -> None:
    """Refuse a model whose card names its languages and does not name this one."""
    spoken = tuple(model.card.get("languages") or ())
    if spoken and language not in spoken:
        title = model.card.get("title") or reference
        known = ", ".join(NAMES.get(code, code) for code in spoken)
        raise UserError(f"{title} speaks {known} only; it cannot play the {role} in {NAMES[language]}.",
                        advice="Choose a model that speaks the language, or change the language of the dialogue.")


def forget(cast: Cast, dialogues: Iterable[Dialogue]) -> None:
    """Let the models drop what they keep of these talks: keys and values of their prompts.

    Text that is read at once and text that is read in parts differ in the last digits, so that a result that must not
    depend on what was asked before begins with nothing remembered."""
    keys = [f"{dialogue.root}/{place}" for dialogue in dialogues for place in (*cast.models, "counselor/null")]
    for model in _lines(cast):
        model.forget(keys)


def close_cast(cast: Cast) -> None:
    """Give every line back."""
    for model in _lines(cast):
        model.close()


def _lines(cast: Cast) -> list[LanguageModel]:
    """Every line once: two roles may share one."""
    return list({id(model): model for model in cast.models.values()}.values())
