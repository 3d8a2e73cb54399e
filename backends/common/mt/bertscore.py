"""BERTScore: how well the word pieces of a translation and of a reference match as vectors in context.

Zhang and others 2020. With unit vectors x_i of the reference and h_j of the translation,

    R = sum_i w(x_i) max_j x_i . h_j / sum_i w(x_i)      P = the same from h to x      F = 2 P R / (P + R)

where w is 1, or the inverse document frequency log((M + 1) / (m + 1)) of the piece, m of the M references holding it.
As in the authors' code the pieces that the tokenizer adds itself ([CLS], [SEP]) weigh nothing but may be matched, an
empty text scores 0, and of several references the best counts. Departures: padding can never be matched (theirs scores
0 in a match, which is more than a negative one), and there is no rescaling by a baseline. Scores are in percent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from backends.common.mt.scores import Array
from workbench.contract import MissingResource, UserError

LAYERS = {("roberta", 12): 10, ("roberta", 24): 17, ("xlm-roberta", 24): 17, ("deberta", 24): 16,
          ("deberta-v2", 12): 10}
"""Layers that the authors found best on WMT16 where they are not three quarters of all, by architecture and depth."""
CHINESE = 21128
"""Size of the vocabulary of Chinese BERT, whose layer is 8."""
SPACED = ("roberta", "gpt2", "bart", "longformer", "led", "deberta")
"""Architectures whose tokenizers tell a word at the beginning from the same word later: a space is put before."""
SHIFTED = ("roberta", "xlm-roberta", "camembert", "longformer")
"""Architectures that count positions from behind the padding index."""
WINDOW = 512
PADDED = {"cpu": 4096, "cuda": 65_536}
"""Most word pieces of one pass through the network, padding counted."""
HELD = 32_768
"""Word pieces whose vectors are held at once."""
DIGITS = 4
"""Of a score in percent that are kept: what lies below differs between machines."""
Tick = Callable[[int, int], None]
Weigh = Callable[[Sequence[int]], list[float]]


@dataclass(frozen=True)
class Pieces:
    """A text as word pieces; ``added`` marks those that the tokenizer put there itself."""

    ids: tuple[int, ...]
    added: tuple[bool, ...]
    cut: bool


@dataclass(frozen=True)
class Encoder:
    """A network that gives vectors in context. ``layer`` counts from 1 and is the one that is taken of ``depth``;
    ``one_sided``: a piece sees only what stands before it."""

    tokenizer: Any
    network: Any
    layer: int
    depth: int
    window: int
    device: str
    space: bool
    one_sided: bool

    def pieces(self, text: str) -> Pieces:
        """The word pieces of a text without the spaces around it, cut to the window."""
        text = text.strip()
        text = f" {text}" if self.space and text else text
        options = {"return_special_tokens_mask": True, "verbose": False}
        found = self.tokenizer(text, truncation=True, max_length=self.window, **options)
        cut = len(found["input_ids"]) >= self.window and len(
            self.tokenizer(text, verbose=False)["input_ids"]) > self.window
        return Pieces(tuple(found["input_ids"]), tuple(map(bool, found["special_tokens_mask"])), cut)

    def vectors(self, texts: Sequence[Pieces]) -> list[torch.Tensor]:
        """Unit vectors (pieces, width) of every text."""
        found: list[torch.Tensor] = [torch.zeros(0, 1)] * len(texts)
        order = sorted((i for i, text in enumerate(texts) if text.ids), key=lambda i: len(texts[i].ids))
        limit = PADDED[self.device.split(":")[0]]
        while order:
            count = max(1, limit // len(texts[order[-1]].ids))
            batch, order = order[-count:], order[:-count]
            width = max(len(texts[i].ids) for i in batch)
            fill = self.tokenizer.pad_token_id or 0
            ids = torch.tensor([[*texts[i].ids, *[fill] * (width - len(texts[i].ids))] for i in batch])
            mask = torch.tensor([[1] * len(texts[i].ids) + [0] * (width - len(texts[i].ids)) for i in batch])
            with torch.inference_mode():
                out = self.network(input_ids=ids.to(self.device), attention_mask=mask.to(self.device),
                                   output_hidden_states=True)
                states = torch.nn.functional.normalize(out.hidden_states[self.layer].float(), dim=-1)
            for row, i in enumerate(batch):
                found[i] = states[row, :len(texts[i].ids)].clone()
        return found


def usual_layer(architecture: str, depth: int, vocabulary: int = 0) -> int:
    """The authors' layer for an architecture where they have one, else three quarters of the depth, rounded up."""
    if (architecture, depth, vocabulary) == ("bert", 12, CHINESE):
        return 8
    return LAYERS.get((architecture, depth), -(-3 * depth // 4))


def open_encoder(path: Path, layer: int = 0, device: str = "cpu") -> Encoder:
    """Open a model folder (safetensors only; of an encoder-decoder the encoder). ``layer`` 0 is the usual one.

    Raises ``MissingResource`` where there is no model and ``UserError`` for one that cannot be read or a layer that it
    does not have."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    if not (path / "config.json").is_file():
        raise MissingResource(f"{path.name} holds no model (there is no config.json).",
                              advice="Give an encoder, for example hub:google-bert/bert-base-multilingual-cased.")
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
        network: Any = AutoModel.from_pretrained(path, dtype=torch.float32, local_files_only=True, use_safetensors=True)
    except Exception as error:  # files of a model fail in many ways, all of them the folder's
        raise UserError(f"The model in {path.name} cannot be read: {str(error)[:300]}",
                        advice="It must be a model that transformers knows, in safetensors, with its tokenizer."
                        ) from error
    config = network.config
    if config.is_encoder_decoder:
        network = network.get_encoder()
    network = network.to(device).eval()
    depth = _depth(network, device)
    taken = layer or usual_layer(config.model_type, depth, int(config.vocab_size))
    if not 1 <= taken <= depth:
        raise UserError(f"neural_layer is {layer}; {path.name} has layers 1 to {depth}.",
                        advice="Choose one of them, or 0 for the usual one.")
    layers = getattr(getattr(network, "encoder", None), "layer", None)
    if isinstance(layers, torch.nn.ModuleList):  # a BERT: what lies above is never computed
        network.encoder.layer = layers[:taken]
    return Encoder(tokenizer, network, taken, depth, _window(config, tokenizer), device, config.model_type in SPACED,
                   not config.is_encoder_decoder and _one_sided(network, device, int(config.vocab_size)))


def _depth(network: Any, device: str) -> int:
    with torch.inference_mode():
        out = network(input_ids=torch.zeros(1, 1, dtype=torch.long, device=device), output_hidden_states=True)
    return len(out.hidden_states) - 1


def _one_sided(network: Any, device: str, vocabulary: int) -> bool:
    """Whether the first vector stays the same when a later piece is changed."""
    ids = [torch.tensor([[3, 4, last]], device=device) % vocabulary for last in (5, 6)]
    with torch.inference_mode():
        one, two = (network(input_ids=row, output_hidden_states=True).hidden_states[-1][0, 0] for row in ids)
    return bool(torch.equal(one, two))


def _window(config: Any, tokenizer: Any) -> int:
    positions = int(getattr(config, "max_position_embeddings", 0) or WINDOW)
    positions -= 2 if config.model_type in SHIFTED else 0
    return min(positions, int(min(tokenizer.model_max_length, 1 << 20)))


def frequencies(references: Sequence[Pieces]) -> Weigh:
    """Inverse document frequency over the references; a piece of none of them has log(M + 1)."""
    count = len(references)
    seen = Counter(chain.from_iterable(set(text.ids) for text in references))
    return lambda ids: [math.log((count + 1) / (seen[piece] + 1)) for piece in ids]


def flat(ids: Sequence[int]) -> list[float]:
    """Every piece weighs the same."""
    return [1.0] * len(ids)


def match(hypotheses: Sequence[torch.Tensor], references: Sequence[torch.Tensor], hypothesis_weights: Sequence[Array],
          reference_weights: Sequence[Array]) -> Array:
    """(P, R, F) of every pair, (pairs, 3), from unit vectors (pieces, width) and the weights of the pieces."""
    a, b = pad_sequence(list(hypotheses), batch_first=True), pad_sequence(list(references), batch_first=True)
    there = [torch.arange(side.shape[1], device=a.device) < torch.tensor([len(row) for row in rows],
                                                                        device=a.device)[:, None]
             for side, rows in ((a, hypotheses), (b, references))]
    alike = torch.bmm(a, b.transpose(1, 2))
    alike = alike.masked_fill(~(there[0][:, :, None] & there[1][:, None, :]), -math.inf)
    best = [alike.amax(axis).double().cpu().numpy() for axis in (2, 1)]
    found = np.zeros((len(hypotheses), 3))
    for i, weights in enumerate(zip(hypothesis_weights, reference_weights, strict=True)):
        if all(w.sum() > 0 for w in weights):
            p, r = (float((side[i, :len(w)] * w).sum() / w.sum()) for side, w in zip(best, weights, strict=True))
            found[i] = p, r, 2 * p * r / (p + r) if p + r else 0.0
    return found


@dataclass(frozen=True)
class Scores:
    """(segments, 3) of precision, recall and F in percent for every system, and how many of the texts were cut."""

    systems: dict[str, Array]
    texts: int
    cut: int


def bertscore(encoder: Encoder, systems: Mapping[str, Sequence[str]], references: Sequence[Sequence[str]],
              idf: bool = False, tick: Tick = lambda done, total: None) -> Scores:
    """Score every segment of every system. Each text is encoded once; vectors of few segments are held at a time."""
    rows = list(zip(*systems.values(), *references, strict=True))
    known = {text: encoder.pieces(text) for text in dict.fromkeys(chain.from_iterable(rows))}
    weigh = frequencies([known[text] for text in chain.from_iterable(references)]) if idf else flat
    found = {name: np.zeros((len(rows), 3)) for name in systems}
    done = 0
    while done < len(rows):
        tick(done, len(rows))
        end, size = done, 0
        while end < len(rows) and (end == done or size < HELD):
            size += sum(len(known[text].ids) for text in set(rows[end]))
            end += 1
        _part(encoder, known, weigh, rows, range(done, end), found)
        done = end
    return Scores({name: np.round(100 * table, DIGITS) for name, table in found.items()}, len(known),
                  sum(text.cut for text in known.values()))


def _part(encoder: Encoder, known: Mapping[str, Pieces], weigh: Weigh, rows: Sequence[Sequence[str]],
          places: range, found: dict[str, Array]) -> None:
    """Score the segments ``places``; of several references the one with the best F counts."""
    texts = list(dict.fromkeys(chain.from_iterable(rows[i] for i in places)))
    vectors = dict(zip(texts, encoder.vectors([known[text] for text in texts]), strict=True))
    weights = {text: np.array([0.0 if own else w for own, w in
                               zip(known[text].added, weigh(known[text].ids), strict=True)]) for text in texts}
    count = len(found)
    pairs = list(dict.fromkeys((made, wanted) for i in places for made in rows[i][:count] for wanted in rows[i][count:]
                               if weights[made].any() and weights[wanted].any()))
    scores: dict[tuple[str, str], Array] = {}
    pairs.sort(key=lambda pair: (len(known[pair[0]].ids), len(known[pair[1]].ids)))
    for start in range(0, len(pairs), 64):
        block = pairs[start:start + 64]
        sides = list(zip(*block, strict=True))
        matched = match(*([vectors[text] for text in side] for side in sides),
                        *([weights[text] for text in side] for side in sides))
        scores.update(zip(block, matched, strict=True))
    nothing = np.zeros(3)
    for i in places:
        for number, table in enumerate(found.values()):
            each = [scores.get((rows[i][number], wanted), nothing) for wanted in rows[i][count:]]
            table[i] = max(each, key=lambda row: float(row[2]))
