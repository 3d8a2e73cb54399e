"""A speech model in a process of its own, shared by all visitors: what ``workbench.resident`` loads for a BLSP-Emo.

A *sound* is ``{"key", "audio": path, "start", "end"}`` (s). Its vectors are kept under the key, which callers make of
their run and turn, and made again from the file where they are gone; the process keeps no conversation. Whoever asks
brings the history, so two visitors cannot get into each other's.

==========  ==============================================================================================
operation   what it does
==========  ==============================================================================================
hear        ``sound``, ``emotions`` (allowed ones), ``neutral`` (from ``calibrate``): chances of the emotions,
            speech tokens, ``encode_ms``
calibrate   ``sounds`` of a speaker's neutral voice: the mean scores of the head, to be given to ``hear``
reply       ``history`` (``sound`` or ``text``, and ``reply``, of every turn), ``sound`` or ``text`` (with ``emotion``
            the words are answered as if said so), ``reading``: deltas, then text, tokens, finish, dropped turns
selftest    ``first``, ``second``: does another sound, silence, or no sound change what the model makes of it
forget      ``keys`` or ``prefix``: drops kept vectors
info        what runs, on which base, and how much is kept
==========  ==============================================================================================
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from backends.blsp_emo import infer, prompts
from backends.blsp_emo.calibrated import chances_of
from backends.blsp_emo.generate import Reading, tokens
from backends.blsp_emo.infer import Turn
from backends.blsp_emo.kept import Kept
from backends.blsp_emo.model import BlspEmo, Speech
from backends.blsp_emo.sequences import Heard, pack
from backends.blsp_emo.ser import EMOTIONS
from backends.blsp_emo.storage import Setup, open_model
from backends.common.serving import Desk, Work
from backends.common.speech.serve import part_of
from backends.common.threads import choose_speed
from workbench.contract import Context, Json, UserError
from workbench.fields import from_json, to_json

CHANGED = 1e-3
"""Smallest difference that counts as one in the self-test (vectors are normalised to about 1; scores are in nats)."""


@dataclass(frozen=True)
class _Where:
    """The part of a context that opening a model needs."""

    resource: Callable[[str], Path]
    device: str


class Listener:
    """The operations of one model."""

    def __init__(self, model: BlspEmo, setup: Setup, kept: Kept | None = None) -> None:
        self.model, self.setup = model, setup
        self.kept = Kept() if kept is None else kept

    def hear(self, payload: Mapping[str, Json]) -> Json:
        """The emotion of a sound; its vectors are kept."""
        began = time.perf_counter()
        vectors = self._vectors(payload["sound"])
        chances = chances_of(self._scores(vectors), payload.get("emotions") or EMOTIONS, payload.get("neutral"))
        return {"chances": chances, "tokens": len(vectors), "encode_ms": round(1000 * (time.perf_counter() - began), 2)}

    def calibrate(self, payload: Mapping[str, Json]) -> Work:
        """The mean of the head's scores over neutral sounds of one speaker."""
        found = []
        for sound in payload["sounds"]:
            found.append(self._scores(self._vectors(sound)))
            yield None
        if not found:
            raise UserError("There is no sound to calibrate with.", advice="Record one or two calm sentences.")
        return {"neutral": [round(sum(column) / len(found), 5) for column in zip(*found, strict=True)],
                "clips": len(found)}

    def reply(self, payload: Mapping[str, Json]) -> Work:
        """One reply, token by token."""
        reading: Reading = from_json(Reading, payload.get("reading") or {})
        turns = []
        for past in payload.get("history") or ():
            turns.append(self._turn(past, str(past.get("reply", ""))))
            yield None
        every = (*turns, self._turn(payload))
        kept = infer.trimmed(self.model, every, reading.max_new_tokens)
        line, spoken = infer.line_of(self.model, kept)
        speech = infer.batch_of(spoken, self.model) if spoken else None
        tokenizer, ids, shown = self.model.layout.tokenizer, list[int](), ""
        for token in tokens(self.model, line, speech, reading):
            ids.append(token)
            text = tokenizer.decode(ids, skip_special_tokens=True)
            if len(text) > len(shown) and not text.endswith("\ufffd"):
                yield {"delta": [0, text[len(shown):]]}
                shown = text
            else:
                yield None
        return {"text": shown.strip(), "tokens": len(ids), "dropped": len(every) - len(kept),
                "finish": "length" if len(ids) >= reading.max_new_tokens else "stop",
                "prompt_tokens": infer.size_of(self.model, kept)}

    def selftest(self, payload: Mapping[str, Json]) -> Work:
        """Whether the sound matters (lmms-eval #1081: an argument was dropped and every clip gave one answer)."""
        first = self._vectors(payload["first"])
        heard = self._scored(first)
        yield None
        silent = infer.hear(self.model, part_of(payload["first"]) * 0)
        others = {"other clip": self._vectors(payload["second"]), "silence": silent, "zeroed": first * 0}
        checks = []
        for name, vectors in others.items():
            apart = float((vectors.mean(0) - first.mean(0)).abs().max())
            changed = float((self._scored(vectors) - heard).abs().max())
            checks.append({"name": name, "vectors": round(apart, 5), "logits": round(changed, 5),
                           "passed": apart > CHANGED and changed > CHANGED})
            yield None
        return {"checks": checks, "passed": all(check["passed"] for check in checks)}

    def forget(self, payload: Mapping[str, Json]) -> Json:
        """How many sounds were dropped."""
        return self.kept.forget(payload.get("keys") or (), str(payload.get("prefix") or ""))

    def info(self, payload: Mapping[str, Json]) -> Json:
        """What runs and how."""
        model = self.model
        return {"name": self.setup.name, "stage": self.setup.stage, "base": to_json(self.setup.base),
                "padded": model.padded, "layer": model.layer, "device": str(model.device),
                "threads": torch.get_num_threads(), "parameters": sum(p.numel() for p in model.parameters()),
                "window": int(getattr(model.lm.config, "max_position_embeddings", 0) or infer.WINDOW),
                "kept": len(self.kept), "kept_bytes": self.kept.size, "encoded": self.kept.made}

    def _turn(self, told: Mapping[str, Json], reply: str = "") -> Turn:
        if told.get("sound"):
            return Turn(self._vectors(told["sound"]), reply=reply)
        text, emotion = str(told.get("text") or ""), str(told.get("emotion") or "")
        return Turn(text=prompts.emotional(emotion).instruction + text if emotion and text else text, reply=reply)

    def _vectors(self, sound: Mapping[str, Json]) -> torch.Tensor:
        path = Path(str(sound["audio"]))
        seen = path.stat() if path.is_file() else None
        source = (str(path), seen and (seen.st_size, seen.st_mtime_ns), sound.get("start"), sound.get("end"))
        return self.kept.get(str(sound.get("key") or ""), source, lambda: infer.hear(self.model, part_of(sound)))

    def _scores(self, vectors: torch.Tensor) -> list[float]:
        with torch.no_grad():
            scores: list[float] = self.model.emotions(infer.batch_of([vectors], self.model))[0].float().tolist()
        return scores

    def _scored(self, vectors: torch.Tensor) -> torch.Tensor:
        """Scores of the first token of the reply to one sound."""
        packed = pack([self.model.layout.line(prompts.chat(), Heard(0))], [len(vectors)], self.model.layout.padding)
        speech = Speech(vectors[None], torch.tensor([len(vectors)], device=self.model.device))
        with torch.no_grad():
            return self.model.logits(packed.to(self.model.device), speech)[0, -1].float()


def desk_of(listener: Listener) -> Desk:
    """The operations by name."""
    names: Sequence[str] = ("hear", "calibrate", "reply", "selftest", "forget", "info")
    return Desk({name: getattr(listener, name) for name in names})


def load(path: str, options: Mapping[str, Any]) -> Desk:
    """What the resident process calls. ``options``: ``device``, ``threads`` (0: measured), ``memo`` (file of the
    measurement) and ``resource``, which finds the language model and the encoder that this model stands on.

    Raises ``UserError`` or ``MissingResource`` as :func:`~backends.blsp_emo.storage.open_model` does."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    choice = choose_speed(Path(path), {**options, "dtype": "float32"})
    torch.set_num_threads(choice.threads)
    where = _Where(options["resource"], choice.device)
    model, setup = open_model(Path(path), cast(Context, where))
    return desk_of(Listener(model, setup))
