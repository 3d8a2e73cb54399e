"""``bench sm2``: many sentences at once with kept states, against one at a time without any.

The peer is the authors' way of decoding: for every single state the prefix is encoded and the whole target prefix
decoded again, one sentence after the other. Same model, same thread, same policy; the result is the same when every
action and every token is. The model is the bundled one of the order language; ``wide`` repeats the measurement with
random weights of a usual size, where arithmetic and not overhead decides. Seconds are those of the processor on one
thread, so that other programs do not count.
"""

from __future__ import annotations

import random
import time
from typing import Any

import torch

from backends.sm2.decode import ROWS, translate, translate_plainly
from backends.sm2.model import Shape, Sm2
from backends.sm2.order_language import Language, sentences
from backends.sm2.policy import Policy
from backends.sm2.storage import open_translator
from backends.sm2.translate import PRACTICE
from workbench.contract import Json

SENTENCES, SHARE = 256, 48
QUICK = (96, 16)
POLICY = Policy("sm2", threshold=0.5)


def compare(model: Sm2, sources: list[tuple[int, ...]], share: int, policy: Policy, rows: int = ROWS
            ) -> tuple[float, float, bool]:
    """Seconds a sentence of ours (all sources) and of the peer (every n-th, ``share`` of them), and whether actions and
    tokens are the same."""
    clock = time.perf_counter if model.embedding.weight.is_cuda else time.process_time
    translate(model, sources[:8], policy)
    began = clock()
    mine = translate(model, sources, policy, rows)
    ours = (clock() - began) / len(sources)
    places = list(range(0, len(sources), max(1, len(sources) // share)))[:share]
    began = clock()
    theirs = [translate_plainly(model, sources[i], policy) for i in places]
    peer = (clock() - began) / len(places)
    again = clock()
    translate(model, sources, policy, rows)
    ours = (ours + (clock() - again) / len(sources)) / 2
    same = all(mine[i].actions == one.actions and mine[i].tokens == one.tokens
               for i, one in zip(places, theirs, strict=True))
    return ours, peer, same


def run(settings: Any, quick: bool = False) -> dict[str, Json]:
    """Measure; the shape of ``workbench.evidence.Bench``. ``ratio`` is the peer's seconds a sentence over ours."""
    torch.set_num_threads(1)
    count, share = QUICK if quick else (SENTENCES, SHARE)
    sources = [one.pair.source for one in sentences(Language(), count, random.Random(5))]
    model = open_translator(PRACTICE).model
    ours, peer, same = compare(model, sources, share, POLICY)
    print(f"order language: ours {1 / ours:.0f} sentences a second, theirs {1 / peer:.1f}; "
          f"{'same' if same else 'DIFFERENT'} actions and tokens of {share} sentences")
    if not quick:
        torch.manual_seed(0)
        wide = Sm2(Shape(Language().vocabulary, 256, 4, 1024, 3, 3, dropout=0.0)).eval()
        wider, widest, alike = compare(wide, sources[:64], 8, Policy("wait-k", k=3))
        print(f"256 wide, random weights, wait-3: ours {1 / wider:.1f}, theirs {1 / widest:.2f} sentences a second, "
              f"{widest / wider:.1f} times; {'same' if alike else 'DIFFERENT'}")
        same = same and alike
    return {"name": "sm2", "peer": "one sentence at a time, every state anew (the authors' loop)",
            "ratio": round(peer / ours, 2), "ours": round(ours, 5), "theirs": round(peer, 5), "same_result": same}
