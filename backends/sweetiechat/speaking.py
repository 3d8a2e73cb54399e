"""One utterance for each of many dialogues in one model call; what breaks a rule is drawn again.

A redraw has another seed (and, for small models, other first words); the draw with the fewest faults is kept and
the number of redraws, the faults left and the raw text go into the turn's ``meta``.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backends.common.language import Completion, Prompt
from backends.sweetiechat.cast import Cast, seed_of
from backends.sweetiechat.clean import Cleaned, clean
from backends.sweetiechat.objects import Dialogue, Speaker
from workbench.contract import Json
from workbench.fields import to_json

OnText = Callable[[int, str], None]
"""Called with (row, the whole text so far) while a row is being written."""
JSON_ROOM = 120
"""New tokens that the private state may take beside the utterance when both come as JSON."""


@dataclass(frozen=True)
class Spoken:
    """One utterance with what is to be remembered of its making. ``value``: the JSON it came in, if any."""

    text: str
    meta: Mapping[str, Json]
    tokens: int
    value: Mapping[str, Json] | None = None


@dataclass(frozen=True)
class Form:
    """How a reply is written: ``read`` turns it into utterance and value, ``partial`` gives the utterance of one that
    is half written. ``room`` new tokens more than the utterance's are allowed for what stands around it; a reply that
    is ``free`` may have several lines and be as short as it likes (JSON)."""

    read: Callable[[str], tuple[str, Mapping[str, Json] | None]] = lambda text: (text, None)
    partial: Callable[[str], str] = str.strip
    room: int = 0
    free: bool = False


PLAIN = Form()
"""The reply is the utterance."""


def speak(role: Speaker, dialogues: Sequence[Dialogue], prompt_of: Callable[[int, int], Prompt], cast: Cast,
          form: Form = PLAIN, on_text: OnText | None = None,
          cancelled: Callable[[], None] | None = None) -> list[Spoken]:
    """An utterance of ``role`` for every dialogue. ``prompt_of(row, draw)`` makes the prompt."""
    kept: dict[int, Spoken] = {}
    spent = [0] * len(dialogues)
    rows = list(range(len(dialogues)))
    for draw in range(cast.settings.redraws + 1):
        prompts = [prompt_of(row, draw) for row in rows]
        began = time.monotonic()
        replies = _generate(role, dialogues[0], prompts, draw, cast, form, rows, on_text, cancelled)
        seconds = (time.monotonic() - began) / len(rows)
        for row, prompt, reply in zip(rows, prompts, replies, strict=True):
            spent[row] += reply.tokens
            new = _spoken(role, dialogues[row], prompt, reply, cast, form, draw, seconds)
            old = kept.get(row)
            if old is None or len(new.meta["faults"]) < len(old.meta["faults"]):
                kept[row] = new
        rows = [row for row in rows if kept[row].meta["faults"]]
        if not rows or (cast.settings.temperature == 0 and not any(p.prefill for p in prompts)):
            break
    return [Spoken(s.text, s.meta, spent[row], s.value) for row, s in sorted(kept.items())]


def _generate(role: Speaker, first: Dialogue, prompts: Sequence[Prompt], draw: int, cast: Cast, form: Form,
              rows: Sequence[int], on_text: OnText | None, cancelled: Callable[[], None] | None) -> list[Completion]:
    settings, voice = cast.settings, cast.voice(role)
    seed = seed_of(settings.seed, len(first.turns), role, draw)
    most = settings.max_new_tokens + form.room
    if form.free:
        decoding = cast.decoding(seed, max_new_tokens=most, min_new_tokens=0)
    else:
        whole = settings.min_new_tokens == settings.max_new_tokens  # a fixed length was asked for, as in benchmarks
        one_line = voice.small or voice.trained or not voice.chat
        decoding = cast.decoding(seed, max_new_tokens=most, stop=("\n",) if one_line and not whole else ())
    parts = [""] * len(prompts)  # the prefill is a part of the reply and comes first

    def on_token(place: int, text: str) -> None:
        parts[place] += text
        if on_text is not None:
            on_text(rows[place], form.partial(parts[place]))

    return cast.models[role].generate(prompts, decoding, on_token if on_text else None, cancelled)


def _spoken(role: Speaker, dialogue: Dialogue, prompt: Prompt, reply: Completion, cast: Cast,
            form: Form, draw: int, seconds: float) -> Spoken:
    text, value = form.read(reply.text)
    said = [turn.text for turn in dialogue.said_by(role)]
    cut_off = reply.finish == "length" and value is None
    cleaned: Cleaned = clean(text, role, cast.wording, cut_off=cut_off, said=said, small=cast.voice(role).small)
    seed = seed_of(cast.settings.seed, len(dialogue.turns), role, draw)
    meta: dict[str, Json] = {
        "author": "model", "model": cast.references[role], "seed": seed,
        "temperature": cast.settings.temperature, "prompt_hash": hash_of(prompt), "prompts": cast.wording.version,
        "tokens": reply.tokens, "prompt_tokens": reply.prompt_tokens, "reused_tokens": reply.reused_tokens,
        "latency_ms": round(1000 * seconds), "finish": reply.finish, "prefill": prompt.prefill, "raw": reply.text,
        "removed": list(cleaned.removed), "faults": list(cleaned.faults), "redraws": draw}
    return Spoken(cleaned.text or "…", meta, reply.tokens, value)


def hash_of(prompt: Prompt) -> str:
    """The first 16 hex digits of the sha256 of a prompt's words: the same prompt has the same hash anywhere."""
    words = {**to_json(prompt), "key": ""}
    return hashlib.sha256(json.dumps(words, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]


def partial_utterance(text: str) -> str:
    """The utterance inside a JSON reply that is still being written."""
    match = re.search(r'"utterance"\s*:\s*"((?:[^"\\]|\\.)*)', text)
    return re.sub(r"\\(.)", r"\1", match.group(1)) if match else ""
