"""Replies to speech, token by token: the prompt with PLoRA on its speech, then the untouched language model.

Row by row, without beams: in the published code beams only work for a single clip, because the mask is not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from backends.blsp_emo.model import BlspEmo, Speech
from backends.blsp_emo.objective import columns_of, next_labels, response_rows
from backends.blsp_emo.sequences import IGNORED, Line, pack
from workbench.contract import UserError


@dataclass(frozen=True)
class Reading:
    """How tokens are chosen. ``temperature`` 0 takes the likeliest (the paper's chat: 0.5)."""

    max_new_tokens: int = 256
    temperature: float = 0.5
    top_p: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.temperature < 0 or not 0 < self.top_p <= 1:
            raise UserError(f"max_new_tokens is {self.max_new_tokens}, temperature {self.temperature:g}, top_p "
                            f"{self.top_p:g}; they must be at least 1, at least 0, and between 0 and 1.")


def stream(model: BlspEmo, line: Line, speech: Speech | None, reading: Reading) -> Iterator[str]:
    """The reply to one sequence, in pieces of text. Closing the iterator ends it.

    A character whose bytes are spread over tokens is held back until it is whole."""
    tokenizer, ids, shown = model.layout.tokenizer, list[int](), ""
    for token in tokens(model, line, speech, reading):
        ids.append(token)
        text = tokenizer.decode(ids, skip_special_tokens=True)
        if len(text) > len(shown) and not text.endswith("\ufffd"):
            yield text[len(shown):]
            shown = text


def reply(model: BlspEmo, line: Line, speech: Speech | None, reading: Reading) -> str:
    """The whole reply."""
    return "".join(stream(model, line, speech, reading)).strip()


def tokens(model: BlspEmo, line: Line, speech: Speech | None, reading: Reading) -> Iterator[int]:
    """Token ids until an end token or the limit."""
    lengths = speech.lengths.tolist() if speech else []
    packed = pack([line], lengths, model.layout.padding).to(model.device)
    window = int(getattr(model.lm.config, "max_position_embeddings", 0) or 0)
    size = packed.ids.shape[1]
    if window and size + reading.max_new_tokens > window:
        raise UserError(f"The conversation has {size} tokens and the reply may take {reading.max_new_tokens}; this "
                        f"language model holds {window}.", advice="Shorten the conversation or the reply.")
    generator = torch.Generator(device="cpu").manual_seed(reading.seed)
    ends, past, token = ends_of(model), None, -1
    for number in range(reading.max_new_tokens):
        with torch.inference_mode():
            if past is None:
                out = _prompt(model, packed, speech)
            else:
                out = model.lm(input_ids=torch.tensor([[token]], device=model.device), past_key_values=past,
                               position_ids=torch.tensor([[size + number - 1]], device=model.device), use_cache=True)
        past = out.past_key_values
        token = choose(out.logits[0, -1].float().cpu(), reading, generator)
        if token in ends:
            return
        yield token


def _prompt(model: BlspEmo, packed: Any, speech: Speech | None) -> Any:
    call = {"inputs_embeds": model.embed(packed, speech), "attention_mask": packed.mask,
            "position_ids": packed.positions, "use_cache": True, **({"logits_to_keep": 1} if model.columns else {})}
    if model.plora is not None and speech is not None:
        with model.plora.on(packed.spoken):
            return model.lm(**call)
    return model.lm(**call)


def choose(logits: torch.Tensor, reading: Reading, generator: torch.Generator) -> int:
    """The next token: the likeliest, or drawn from the smallest set that holds ``top_p`` of the probability."""
    if reading.temperature == 0:
        return int(logits.argmax())
    chances, order = torch.softmax(logits / reading.temperature, dim=-1).sort(descending=True)
    keep = chances.cumsum(0) - chances < reading.top_p
    return int(order[torch.multinomial(chances * keep, 1, generator=generator)])


def ends_of(model: BlspEmo) -> frozenset[int]:
    """Every token that ends a reply."""
    named = getattr(model.lm.generation_config, "eos_token_id", None)
    listed = named if isinstance(named, list | tuple) else [named]
    return frozenset({int(token) for token in listed if token is not None} | set(model.layout.closing))


def likelihood(model: BlspEmo, lines: Sequence[Line], speech: Speech | None) -> list[float]:
    """log p of the learned tokens of every line (nats). Lines may share speech: each names its row."""
    packed = pack(lines, speech.lengths.tolist() if speech else [], model.layout.padding).to(model.device)
    rows = response_rows(packed.labels)
    columns = columns_of(rows)
    with torch.no_grad():
        logits = model.logits(packed, speech, columns).float()
    labels = next_labels(packed.labels)[:, columns]
    logp = torch.log_softmax(logits, dim=-1).gather(2, labels.clamp(min=0)[..., None])[..., 0]
    return [float(value) for value in (logp * (labels != IGNORED)).sum(1)]
