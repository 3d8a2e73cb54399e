"""``bench dialogue``: sixteen dialogues in one batch against the same turns one by one with ``generate``.

Ours is the loop of the task ``sweetiechat.generate.v1`` over the in-process engine: sixteen rows a step, each role's
keys and values kept from turn to turn. The peer answers the very same prompts (recorded from our run) one after the
other with Hugging Face ``generate``, with the same weights, precision and number of threads. Both are greedy and make
exactly ``TOKENS`` new tokens a turn, so turns and total tokens are equal. The headline has no counselor and no scored
state, because the peer has neither; what the ``scored`` counselor and state add is printed beside it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from backends.common.language import Completion, Prompt
from backends.sweetiechat.generate import run as generate
from backends.sweetiechat.recording import Recorder
from backends.sweetiechat.requests import GenerateRequest
from workbench import hub
from workbench.context import MemoryContext
from workbench.contract import Json
from workbench.fields import to_json
from workbench.settings import Settings

DIALOGUES, TURNS, TOKENS = 16, 8, 24
QUICK = (8, 4, 16)


def run(settings: Settings, quick: bool = False) -> dict[str, Json]:
    """Measure and return the shape of ``workbench.evidence.Bench``; ``ratio`` is the peer's seconds over ours."""
    from backends.common.engine import LocalModel

    size = QUICK if quick else (DIALOGUES, TURNS, TOKENS)
    found = hub.resolve(settings.default_model, settings)
    model = LocalModel(found.path, to_json(found.card), threads=settings.threads, device=settings.device)
    info = model.engine.info()
    print(f"{found.card.title}: {info['dtype']}, {info['threads']} threads, {size[0]} dialogues of {size[1]} turns of "
          f"{size[2]} tokens")
    _ours(model, (2, 2, 8), "none", settings)  # warm-up: allocations and lazy imports
    first, record = _ours(model, size, "none", settings)
    prompts, peer, half = [prompt for prompt, _ in record.replies], Peer(found.path, info), len(record.replies) // 2
    theirs, replies = peer.answer(prompts[:half], size[2])
    second, _ = _ours(model, size, "none", settings)  # in between and after, so that a busier minute harms both
    more, rest = peer.answer(prompts[half:], size[2])
    third, _ = _ours(model, size, "none", settings)
    with_scores, _ = _ours(model, size, "scored", settings)
    theirs, replies, seconds = theirs + more, replies + rest, sorted((first, second, third))[1]
    print(f"ours {first:.1f}, {second:.1f}, {third:.1f} s; with scored counselor and state {with_scores:.1f} s")
    model.close()
    made = [completion for _, completion in record.replies]
    same = _same(made, replies)
    print(f"theirs {theirs:.1f} s with generate one by one; {same['texts']:.0%} of the texts are equal, "
          f"tokens {same['ours']} and {same['theirs']}")
    return {"name": "dialogue", "peer": "transformers generate, one dialogue at a time",
            "ratio": round(theirs / seconds, 3), "ours": round(seconds, 3), "theirs": round(theirs, 3),
            "same_result": same["ours"] == same["theirs"] and len(made) == len(replies) == size[0] * size[1]}


def _ours(model: Any, size: tuple[int, int, int], counselor: Literal["none", "scored"],
          settings: Settings) -> tuple[float, Recorder]:
    count, turns, tokens = size
    card = {**model.card, "can_score": counselor == "scored"}
    record = Recorder(model, card)
    request = GenerateRequest(count=count, batch=count, counselor=counselor, min_turns=2, max_turns=turns, redraws=0,
                              temperature=0.0, choice_temperature=0.0, repetition_penalty=1.0, no_repeat_ngram=0,
                              min_new_tokens=tokens, max_new_tokens=tokens, stop_early=False)
    with tempfile.TemporaryDirectory() as folder:
        context = MemoryContext(Path(folder) / "run", settings=settings)
        began = time.perf_counter()
        generate(request, context, lambda _context, _reference: record)
        return time.perf_counter() - began, record


def _same(ours: Sequence[Completion], theirs: Sequence[tuple[int, str]]) -> dict[str, float]:
    equal = sum(mine.text.strip() == text.strip() for mine, (_, text) in zip(ours, theirs, strict=True))
    return {"ours": sum(mine.tokens for mine in ours), "theirs": sum(count for count, _ in theirs),
            "texts": equal / max(1, len(ours))}


class Peer:
    """Hugging Face's own loop: one prompt at a time, the whole prompt read anew for every turn."""

    def __init__(self, path: Path, info: Mapping[str, Json]) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(int(info["threads"]))
        dtype = getattr(torch, str(info["dtype"]).replace("torch.", ""))
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
        self.model = model
        self.model.to(str(info["device"]))
        self.model.eval()

    def answer(self, prompts: Sequence[Prompt], tokens: int) -> tuple[float, list[tuple[int, str]]]:
        """Seconds, and (new tokens, prefill and text) of every reply; exactly ``tokens`` new ones each."""
        import torch

        from backends.common.prompts import encode

        replies = []
        began = time.perf_counter()
        with torch.inference_mode():
            for prompt in prompts:
                ids = torch.tensor([encode(self.tokenizer, prompt)], device=self.model.device)
                out = self.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False,
                                          min_new_tokens=tokens, max_new_tokens=tokens,
                                          pad_token_id=self.tokenizer.eos_token_id)
                new = out[0, ids.shape[1]:]
                text = str(self.tokenizer.decode(new, skip_special_tokens=True))
                replies.append((len(new), prompt.prefill + text))
        return time.perf_counter() - began, replies
