"""p(strategy | history) from the hidden state of a causal language model and a linear head (spec A.5, mode 3).

A dialogue goes through the frozen model once, because the model is causal: the state of the last layer at the token
before a reply begins has read the whole history and nothing of the reply. For ``utterance`` it is the state at the
reply's last token, in a text without any strategy. States are scaled to mean 0 and variance 1 over the training turns.

The head is read in this process together with its model; lines to resident models carry no hidden states.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.common.training.examples import END, Example, Reply, pack, prepare
from backends.common.training.measure import replies_of
from backends.sweetiechat.classifier import Array, softmax, solve
from backends.sweetiechat.classifier_features import Case
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.train_text import SILENCE, lines_of
from backends.sweetiechat.train_text import replies_of as dialogue_replies
from workbench.contract import UserError

STRENGTH = 1e-3
"""C of the head (our default): hidden states are many and alike, so the head is held short."""


class Reader:
    """A frozen language model that turns dialogues into states."""

    def __init__(self, folder: Path, device: str = "cpu", length: int = 2048) -> None:
        from backends.common.linear import pack_linears
        from backends.common.loading import open_tokenizer, open_weights

        self.tokenizer = prepare(open_tokenizer(folder))
        self.device, self.length = device, length
        model = open_weights(folder, "float32" if device == "cpu" else "bfloat16", device)
        if device == "cpu":
            pack_linears(model)
        self._body: Any = model.get_decoder()

    def states(self, dialogue: Dialogue, reads: str) -> NDArray[np.float32]:
        """(turns, width) for the supporter turns with a strategy; for ``history`` without an opening turn, as in
        :func:`classifier_features.cases_of`. A turn that does not fit into the window has a state of zeros."""
        lines = lines_of(dialogue)
        if reads == "utterance":
            keyed = [bool(line.used) for line in lines if line.role == "supporter"]
            replies = [r for r, wanted in zip(dialogue_replies(dialogue, "plain"), keyed, strict=True) if wanted]
        else:
            opens = bool(lines) and lines[0].role == "supporter" and bool(lines[0].used)
            replies = dialogue_replies(dialogue, "given")[opens:]
        return self._read(replies, reads)

    def next_state(self, dialogue: Dialogue) -> NDArray[np.float32]:
        """(1, width): the state before the turn that would come next."""
        from backends.sweetiechat.train_text import prompt_for

        return self._read([Reply(prompt_for(dialogue, "given").messages, SILENCE)], "history")

    def _read(self, replies: Sequence[Reply], reads: str) -> NDArray[np.float32]:
        examples = pack(self.tokenizer, "", replies, self.length)
        if sum(example.replies for example in examples) == len(replies):
            found = [state for example in examples for state in self._states(example, reads)]
        else:
            found = [self._alone(reply, reads) for reply in replies]
        return np.stack(found) if found else self._nothing()[None][:0]

    def _alone(self, reply: Reply, reads: str) -> NDArray[np.float32]:
        examples = pack(self.tokenizer, "", [reply], self.length)
        return self._states(examples[0], reads)[0] if examples else self._nothing()

    def _nothing(self) -> NDArray[np.float32]:
        return np.zeros(self._body.config.hidden_size, dtype=np.float32)

    def _states(self, example: Example, reads: str) -> list[NDArray[np.float32]]:
        import torch

        with torch.inference_mode():
            hidden = self._body(input_ids=torch.tensor([example.ids], device=self.device), use_cache=False)[0][0]
        found = []
        for at, head, rest in replies_of(example):
            last = at + len(head) + len(rest) - 1
            place = at - 1 if reads == "history" else last - (example.kinds[last] == END)
            found.append(hidden[place].float().cpu().numpy())
        return found


@dataclass(frozen=True)
class LmHead:
    """A linear head over hidden states: scaling (width,), ``weights`` (strategies, width), ``bias`` (strategies,)."""

    keys: tuple[str, ...]
    reads: str
    model: str
    mean: Array
    scale: Array
    weights: Array
    bias: Array

    def scores(self, states: NDArray[np.generic]) -> Array:
        """p(s | state), shape (turns, strategies)."""
        return softmax(((np.asarray(states, dtype=np.float64) - self.mean) / self.scale) @ self.weights.T + self.bias)

    def save(self, folder: Path) -> Path:
        """Write ``lm-head.npz`` and ``lm-head.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "lm-head.npz", mean=self.mean, scale=self.scale, weights=self.weights.astype(np.float32),
                 bias=self.bias)
        value = {"kind": "lm", "keys": self.keys, "reads": self.reads, "model": self.model}
        (folder / "lm-head.json").write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
        return folder

    @staticmethod
    def load(folder: Path) -> LmHead:
        """Read them again; ``UserError`` when they are missing or damaged."""
        try:
            value = json.loads((folder / "lm-head.json").read_text(encoding="utf-8"))
            with np.load(folder / "lm-head.npz", allow_pickle=False) as arrays:
                parts = [arrays[name].astype(np.float64) for name in ("mean", "scale", "weights", "bias")]
            if parts[2].shape != (len(value["keys"]), len(parts[0])):
                raise ValueError("the arrays do not belong together")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder} holds no head of a language model that can be read ({error}).",
                            advice="Train one with the task sweetiechat.classifier.v1.") from error
        return LmHead(tuple(value["keys"]), value["reads"], value["model"], *parts)


def train_head(states: NDArray[np.generic], labels: Sequence[str], reads: str, model: str = "", gamma: float = 0.6,
               strength: float = STRENGTH) -> LmHead:
    """Fit a head on states (turns, width)."""
    values = np.asarray(states, dtype=np.float64)
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-6
    keys, weights, bias = solve((values - mean) / scale, labels, strength, gamma)
    return LmHead(keys, reads, model, mean, scale, weights, bias)


def together(first: Array, second: Array) -> Array:
    """Both opinions: the normalised geometric mean of two tables of probabilities."""
    return softmax((np.log(first + 1e-12) + np.log(second + 1e-12)) / 2)


def read_all(reader: Reader, dialogues: Sequence[Dialogue], reads: str,
             tick: Callable[[int], None] = lambda done: None) -> list[NDArray[np.float32]]:
    """States of every dialogue."""
    found = []
    for number, dialogue in enumerate(dialogues):
        found.append(reader.states(dialogue, reads))
        tick(number + 1)
    return found


def index(cases: Sequence[Case], states: Sequence[NDArray[np.float32]]) -> dict[int, NDArray[np.float32]]:
    """State of each case by ``id``: the cases of a dialogue in their order are its states in theirs."""
    place: dict[int, int] = {}
    found = {}
    for case in cases:
        number = place.get(case.dialogue, 0)
        found[id(case)] = states[case.dialogue][number]
        place[case.dialogue] = number + 1
    return found
