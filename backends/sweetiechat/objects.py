"""What a dialogue is made of (spec A.1): frozen dataclasses that go to JSON and back without loss.

``workbench.fields.to_json`` and ``from_json`` do the conversion; nothing here knows a model or a file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from workbench.contract import Json, Knob, UserError
from workbench.fields import from_json, to_json, validate

CODE_VERSION = "sweetiechat-1"
"""Kept in every dialogue; rises when the same request would give another dialogue."""
Language = Literal["en", "zh"]
Speaker = Literal["seeker", "supporter"]
Role = Literal["seeker", "counselor", "supporter"]
Stage = Literal["exploration", "comforting", "action", "any"]
CounselorMode = Literal["prompt", "scored", "classifier", "agent", "oracle", "none", "you"]
StopReason = Literal["running", "want_to_stop", "goodbye", "relieved", "max_turns", "repetition", "safety",
                     "budget", "user", "imported"]
STOP_REASONS: tuple[StopReason, ...] = ("want_to_stop", "goodbye", "relieved", "max_turns", "repetition",
                                        "safety", "budget", "user", "imported")


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem people bring; ``parent_id`` and ``depth`` place evolved types in a tree."""

    id: str
    category: str
    name_en: str
    name_zh: str
    gloss_en: str = ""
    gloss_zh: str = ""
    parent_id: str | None = None
    origin: Literal["esconv", "evolved", "user"] = "user"
    depth: int = 0

    def name(self, language: Language) -> str:
        """The name in this language."""
        return self.name_zh if language == "zh" else self.name_en

    def gloss(self, language: Language) -> str:
        """One line of explanation in this language."""
        return self.gloss_zh if language == "zh" else self.gloss_en


@dataclass(frozen=True)
class Scenario:
    """One situation of one problem type. ``intensity_0`` is how strong the emotion is at the start (1..5)."""

    id: str
    problem_type_id: str
    emotion: Annotated[str, Knob("The main feeling, one word", 1, 60)]
    intensity_0: Annotated[int, Knob("How strong it is at the start", 1, 5)]
    situation: Annotated[str, Knob("Two to four sentences in the first person", 1, 4000, widget="text")]
    trigger: Annotated[str, Knob("What set it off", None, 1000)] = ""
    time_frame: Annotated[str, Knob("Since when", None, 200)] = ""
    tried_already: Annotated[str, Knob("What was tried already", None, 1000)] = ""
    goal_of_seeker: Annotated[str, Knob("What the person hopes for", None, 1000)] = ""
    language: Language = "en"

    def __post_init__(self) -> None:
        validate(self)
        if not self.situation.strip():
            raise UserError("The situation is empty; it must say in a few sentences what happened.",
                            advice="Write two to four sentences, or choose a bundled scenario.")


@dataclass(frozen=True)
class SeekerCard:
    """Who the seeker is. The seeker alone sees it; ``hidden_facts`` come out one by one."""

    id: str
    scenario_id: str
    age_band: Annotated[str, Knob("For example 25-34", None, 60)] = ""
    gender: Annotated[str, Knob("In the person's own words", None, 60)] = ""
    occupation: Annotated[str, Knob("What they do", None, 200)] = ""
    family: Annotated[str, Knob("Who they live with", None, 400)] = ""
    personality: Annotated[tuple[str, ...], Knob("Three traits", None, 8)] = ()
    talk_style: Literal["terse", "chatty", "guarded"] = "guarded"
    openness: Annotated[int, Knob("How easily they open up and take comfort", 1, 5)] = 3
    hidden_facts: Annotated[tuple[str, ...], Knob("Told only little by little; first person", None, 8)] = ()
    opening: Annotated[str, Knob("How the person might begin to talk", None, 1000)] = ""

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Strategy:
    """One support strategy; ``key`` is its name in files, the labels are for people and prompts."""

    key: str
    label_en: str
    label_zh: str
    definition_en: str = ""
    definition_zh: str = ""
    stage: Stage = "any"
    example_en: str = ""
    example_zh: str = ""

    def label(self, language: Language) -> str:
        """The label in this language."""
        return self.label_zh if language == "zh" else self.label_en

    def definition(self, language: Language) -> str:
        """What the strategy means, in this language."""
        return self.definition_zh if language == "zh" else self.definition_en

    def example(self, language: Language) -> str:
        """One sentence that carries it out, in this language."""
        return self.example_zh if language == "zh" else self.example_en


@dataclass(frozen=True)
class StrategySet:
    """The strategies that the counselor chooses from, in a fixed order."""

    name: str
    version: str
    items: tuple[Strategy, ...]
    source: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys in order."""
        return tuple(item.key for item in self.items)

    def get(self, key: str) -> Strategy:
        """The strategy of this key; ``UserError`` with all keys when there is none."""
        for item in self.items:
            if item.key == key:
                return item
        raise UserError(f"{key!r} is not a strategy of {self.name}; it has {', '.join(self.keys)}.")


@dataclass(frozen=True)
class Ranked:
    """One strategy with its score and every term the score is made of (spec A.5)."""

    strategy: str
    score: float
    probability: float = 0.0
    terms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Counsel:
    """The counselor's decision for one supporter turn; ``address`` says what to speak to next."""

    stage: Stage
    ranking: tuple[Ranked, ...]
    chosen: str
    rationale: str
    mode: CounselorMode
    address: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Private:
    """The seeker's own state, never shown to the other two. ``level`` is ``intensity`` before rounding,
    ``reading`` what the model was read to say of it, ``aim`` what the seeker meant to do in this turn."""

    emotion: str
    intensity: int
    revealed: tuple[int, ...] = ()
    want_to_stop: bool = False
    level: float = 0.0
    reading: float = 0.0
    aim: str = ""


@dataclass(frozen=True)
class Turn:
    """One utterance. ``meta`` has author (``model`` or ``person``), model, seed, temperature, prompt_hash,
    tokens, latency_ms, finish, raw and, once edited, ``history`` with every earlier text."""

    idx: int
    role: Speaker
    text: str
    strategy: str | None = None
    counselor: Counsel | None = None
    private: Private | None = None
    meta: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Dialogue:
    """A whole dialogue. ``stop_reason`` is required: ``"running"`` until it ends, then why it ended."""

    id: str
    scenario: Scenario
    card: SeekerCard | None
    strategy_set: StrategySet
    turns: tuple[Turn, ...]
    stop_reason: StopReason
    language: Language = "en"
    counselor: CounselorMode = "scored"
    models: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    qc: Mapping[str, Json] = field(default_factory=dict)
    split: str = ""
    created: str = ""
    code_version: str = ""

    def __post_init__(self) -> None:
        if self.stop_reason not in ("running", *STOP_REASONS):
            raise UserError(f"stop_reason is {self.stop_reason!r}; it must be one of {', '.join(STOP_REASONS)}.")

    @property
    def ended(self) -> bool:
        """Whether the dialogue is over."""
        return self.stop_reason != "running"

    @property
    def root(self) -> str:
        """The id of the dialogue that this one branches off, however many forks ago; its own id without a fork.

        Every draw is seeded by it, so that a branch in which nothing was changed repeats what was said."""
        branch = self.qc.get("branch")
        root = branch.get("root") if isinstance(branch, Mapping) else None
        return str(root.get("id") or self.id) if isinstance(root, Mapping) else self.id

    def said_by(self, role: Speaker) -> tuple[Turn, ...]:
        """The turns of one speaker, in order."""
        return tuple(turn for turn in self.turns if turn.role == role)

    def last_private(self) -> Private | None:
        """The seeker's newest state, or nothing before the first seeker turn."""
        return next((t.private for t in reversed(self.turns) if t.private is not None), None)

    def with_turn(self, turn: Turn) -> Dialogue:
        """The dialogue with one more turn."""
        return dataclasses.replace(self, turns=(*self.turns, turn))


def dialogue_from_json(value: Mapping[str, Json]) -> Dialogue:
    """Read a dialogue out of JSON, leaving aside the run state that ``dialogue.json`` carries beside it."""
    names = {f.name for f in dataclasses.fields(Dialogue)}
    dialogue: Dialogue = from_json(Dialogue, {k: v for k, v in value.items() if k in names})
    return dialogue


def dialogue_to_json(dialogue: Dialogue) -> dict[str, Json]:
    """The dialogue as plain JSON values."""
    value: dict[str, Json] = to_json(dialogue)
    return value
