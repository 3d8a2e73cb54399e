"""The supporter: one short utterance that carries out the counselor's strategy and nothing else (spec A.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from backends.sweetiechat.cast import Cast, seed_of
from backends.sweetiechat.objects import Counsel, Dialogue, Turn
from backends.sweetiechat.speaking import OnText, speak
from backends.sweetiechat.views import view_for
from workbench.contract import Json


def supporter_turns(dialogues: Sequence[Dialogue], counsels: Sequence[Counsel | None], cast: Cast,
                    on_text: OnText | None = None,
                    cancelled: Callable[[], None] | None = None) -> list[tuple[Turn, int]]:
    """The next supporter turn of every dialogue and the new tokens it took. A small model's first words go
    round the strategy's list, from a place that the dialogue's seed decides."""
    voice = cast.voice("supporter")
    starts = [cast.generator(seed_of(cast.settings.seed, d.id, "opener")).randrange(1000) + len(d.turns) // 2
              for d in dialogues]
    spoken = speak("supporter", dialogues, lambda row, draw: view_for(
        "supporter", dialogues[row], cast.wording, voice, counsel=counsels[row], pick=starts[row] + draw),
        cast, None, on_text, cancelled)
    return [(supporter_turn(d, s.text, counsel, s.meta), s.tokens)
            for d, counsel, s in zip(dialogues, counsels, spoken, strict=True)]


def supporter_turn(dialogue: Dialogue, text: str, counsel: Counsel | None, meta: Mapping[str, Json]) -> Turn:
    """A supporter turn with the decision it followed."""
    return Turn(len(dialogue.turns), "supporter", text, counsel.chosen or None if counsel else None, counsel,
                meta=meta)
