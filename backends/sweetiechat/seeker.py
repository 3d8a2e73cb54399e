"""The seeker: what it says, and the private state behind it (spec A.4), scored or returned as JSON.

``seeker_state="scored"`` (our default, works with a 135-million-weight model): after the utterance the model scores
five continuations of "at this moment my <emotion> is ..."; e = sum_i i * softmax_i(mean log p_i) is the reading, and

    level(t) = level(t-1) + clip(3 (e(t) - e(t-1)), -1, 1) * (openness / 5 when falling, else 1)

from level(0) = intensity_0 and within 1..5, so that only the model's change of mind counts and not its habit of
preferring one word (the 3 is our default: small models change their mind by tenths). A fact counts as revealed when
the turn's aim was to tell it or when more than half of its content words were said.

``seeker_state="json"``: the model returns utterance and state together; a reply that is not such JSON is taken as
plain words, and the state is scored where the model can score, else kept. ``meta.state`` says which it was.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from backends.sweetiechat.aims import Aim, next_aim
from backends.sweetiechat.cast import Cast, seed_of
from backends.sweetiechat.clean import printable
from backends.sweetiechat.counselor_prompted import first_object
from backends.sweetiechat.counselor_terms import softmax
from backends.sweetiechat.objects import Dialogue, Private, Turn
from backends.sweetiechat.speaking import JSON_ROOM, PLAIN, Form, OnText, Spoken, partial_utterance, speak
from backends.sweetiechat.views import view_for
from workbench.contract import Json

TOLD = 0.5
GAIN = 3.0
SHORT_WORD = 3


def seeker_turns(dialogues: Sequence[Dialogue], cast: Cast, on_text: OnText | None = None,
                 cancelled: Callable[[], None] | None = None) -> list[tuple[Turn, int]]:
    """The next seeker turn of every dialogue and the new tokens it took."""
    rngs = [cast.generator(seed_of(cast.settings.seed, d.root, len(d.turns), "aim")) for d in dialogues]
    aims = [next_aim(d, cast.wording, rng, cast.settings.min_turns) for d, rng in zip(dialogues, rngs, strict=True)]
    picks = [rng.randrange(1000) for rng in rngs]
    as_json, voice = cast.settings.seeker_state == "json", cast.voice("seeker")
    spoken = speak("seeker", dialogues, lambda row, draw: view_for(
        "seeker", dialogues[row], cast.wording, voice, task="json" if as_json else "speak", aim=aims[row],
        pick=picks[row] + draw), cast, Form(read_json, partial_utterance, JSON_ROOM, free=True) if as_json else PLAIN,
        on_text, cancelled)
    turns = [Turn(len(d.turns), "seeker", s.text, meta=s.meta) for d, s in zip(dialogues, spoken, strict=True)]
    states = _states(dialogues, turns, aims, spoken, cast)
    return [(Turn(t.idx, t.role, t.text, private=private, meta={**t.meta, "state": how}), s.tokens)
            for t, s, (private, how) in zip(turns, spoken, states, strict=True)]


def read_json(text: str) -> tuple[str, Mapping[str, Json] | None]:
    """Utterance and private state out of a JSON reply; the words themselves and nothing when it is no JSON."""
    value = first_object(text)
    utterance = value.get("utterance") if value else None
    if not isinstance(utterance, str) or not utterance.strip():
        return (partial_utterance(text) or ("" if text.lstrip().startswith("{") else text)), None
    state = value.get("private") if value else None
    return utterance, state if isinstance(state, Mapping) else None


def _states(dialogues: Sequence[Dialogue], turns: Sequence[Turn], aims: Sequence[Aim], spoken: Sequence[Spoken],
            cast: Cast) -> list[tuple[Private, str]]:
    given = [private_from_json(d, t.text, s.value) if s.value else None
             for d, t, s in zip(dialogues, turns, spoken, strict=True)]
    open_rows = [row for row, private in enumerate(given) if private is None]
    readings: dict[int, float] = {}
    if open_rows and cast.can_score("seeker"):
        after = [dialogues[row].with_turn(turns[row]) for row in open_rows]
        readings = dict(zip(open_rows, read_levels(after, cast), strict=True))
    result = []
    for row, (d, turn, aim) in enumerate(zip(dialogues, turns, aims, strict=True)):
        own = given[row]
        if own is not None:
            result.append((own, "json"))
        else:
            private = private_from_reading(d, turn.text, readings.get(row), aim, cast)
            result.append((private, "scored" if row in readings else "kept"))
    return result


def read_levels(dialogues: Sequence[Dialogue], cast: Cast) -> list[float]:
    """The expected level 1..5 of the feeling, as the model's scores of five words say it (see above)."""
    levels = list(cast.wording.part("seeker")["levels"])
    voice = cast.voice("seeker")
    prompts = [view_for("seeker", d, cast.wording, voice, task="state") for d in dialogues]
    scores = cast.models["seeker"].score(prompts, [levels] * len(prompts))
    expected = []
    for row in scores:
        shares = softmax([sum(tokens) / len(tokens) if tokens else -math.inf for tokens in row], 1.0)
        expected.append(sum(level * share for level, share in enumerate(shares, 1)))
    return expected


def private_from_reading(dialogue: Dialogue, text: str, reading: float | None, aim: Aim, cast: Cast) -> Private:
    """The state after an utterance, from the reading (none: the level stays) and the turn's aim."""
    before, scenario = dialogue.last_private(), dialogue.scenario
    level = before.level if before else float(scenario.intensity_0)
    value = reading if reading is not None else (before.reading if before else 0.0)
    if before and before.reading and reading is not None:
        change = max(-1.0, min(1.0, GAIN * (reading - before.reading)))
        openness = dialogue.card.openness if dialogue.card else 3
        level = max(1.0, min(5.0, level + change * (openness / 5 if change < 0 else 1.0)))
    revealed = {*(before.revealed if before else ()), *told(dialogue, text)}
    if aim.kind == "reveal" and aim.item is not None:
        revealed.add(aim.item)
    leaving = aim.kind == "close" or bool(cast.wording.pattern("rules", "farewell").search(text))
    return Private(scenario.emotion, _whole(level), tuple(sorted(revealed)), leaving, round(level, 3), round(value, 3),
                   str(aim))


def _whole(level: float) -> int:
    return max(1, min(5, math.floor(level + 0.5)))


def private_from_json(dialogue: Dialogue, text: str, value: Mapping[str, Json]) -> Private | None:
    """The state as the model returned it; nothing when its intensity is not a number from 1 to 5."""
    intensity = value.get("intensity")
    if isinstance(intensity, bool) or not isinstance(intensity, int | float) or not 1 <= intensity <= 5:
        return None
    count = len(dialogue.card.hidden_facts) if dialogue.card else 0
    rows = value.get("revealed")
    numbers = {n - 1 for n in rows if isinstance(n, int) and 1 <= n <= count} if isinstance(rows, list) else set()
    before = dialogue.last_private()
    revealed = {*numbers, *(before.revealed if before else ()), *told(dialogue, text)}
    emotion = printable(str(value.get("emotion") or dialogue.scenario.emotion))[:60]
    return Private(emotion, _whole(float(intensity)), tuple(sorted(revealed)), value.get("want_to_stop") is True,
                   float(intensity), float(intensity))


def told(dialogue: Dialogue, text: str) -> set[int]:
    """Numbers of the hidden facts of which more than half of the content words (two-character pieces in Chinese)
    occur in a text."""
    heard, found = _content(text, dialogue.language), set()
    for number, fact in enumerate(dialogue.card.hidden_facts if dialogue.card else ()):
        words = _content(fact, dialogue.language)
        if words and len(words & heard) / len(words) > TOLD:
            found.add(number)
    return found


def _content(text: str, language: str) -> set[str]:
    if language == "zh":
        kept = re.findall(r"\w", text)
        return {a + b for a, b in pairwise(kept)}
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > SHORT_WORD}
