"""``bench compare``: all pairs of twelve systems, tested by us and by sacreBLEU's own ``PairedTest``.

The work is the same: BLEU statistics of every system, then the paired bootstrap and the approximate randomisation of
every pair. sacreBLEU compares one baseline with the others, so all pairs need a call for each baseline; each pair is
tested once, in the direction that ours has. The result is the same when all p-values of both tests are equal.
The data is WMT22 zh-en where it lies beside the project; otherwise twelve systems made by dropping words.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.common.mt.paired import all_pairs
from backends.common.mt.practice import practice
from backends.common.mt.scores import scorer
from workbench.contract import Json

SYSTEMS, RESAMPLES, TRIALS = 12, 1000, 10_000
QUICK = (5, 200, 500)
DATA = Path(__file__).parents[4] / "shared" / "data" / "mt" / "wmt22" / "zh-en"


def data(count: int) -> tuple[dict[str, list[str]], list[str], str]:
    """``count`` systems, one reference, and what they are."""
    if DATA.is_dir():
        files = sorted(DATA.glob("*.hyp.*.en"))[:count]
        reference = (DATA / "generaltest2022.zh-en.ref.A.en").read_text(encoding="utf-8").split("\n")[:-1]
        return ({file.name.split(".hyp.")[1][:-3]: file.read_text(encoding="utf-8").split("\n")[:-1] for file in files},
                reference, "WMT22 zh-en")
    base = list(practice().references["reference"]) * 40
    generator = random.Random(1)
    made = {f"drop {k}": [" ".join(w for w in line.split() if generator.random() > 0.05 + 0.004 * k) for line in base]
            for k in range(count)}
    return made, base, "words dropped at random"


def theirs(systems: Mapping[str, Sequence[str]], reference: Sequence[str], samples: Mapping[str, int]
           ) -> dict[tuple[str, str, str], float]:
    """p-values by sacreBLEU: (test, first, second)."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.significance import PairedTest

    names = list(systems)
    found = {}
    for place, first in enumerate(names[:-1]):
        named: list[tuple[str, Sequence[str]]] = [(name, list(systems[name])) for name in names[place:]]
        for test, count in samples.items():
            metrics: dict[str, Any] = {"BLEU": BLEU(references=[list(reference)])}
            table: Any = PairedTest(named, metrics, None, test_type=test, n_samples=count)()[1]
            for name, result in zip(table["System"][1:], table["BLEU"][1:], strict=True):
                found[(test, first, str(name))] = float(result.p_value)
    return found


def ours(systems: Mapping[str, Sequence[str]], reference: Sequence[str], resamples: int, trials: int
         ) -> dict[tuple[str, str, str], float]:
    """The same by :mod:`~backends.common.mt.paired`."""
    metric = scorer("bleu", [reference])
    table = all_pairs(metric, {name: metric.statistics(lines) for name, lines in systems.items()}, resamples, trials)
    found = {}
    for pair in table.pairs:
        found[("bs", pair.first, pair.second)] = float(pair.bootstrap or 0)
        found[("ar", pair.first, pair.second)] = float(pair.randomisation or 0)
    return found


def run(settings: Any, quick: bool = False) -> dict[str, Json]:
    """Measure; the shape of ``workbench.evidence.Bench``. ``ratio`` is sacreBLEU's seconds over ours."""
    count, resamples, trials = QUICK if quick else (SYSTEMS, RESAMPLES, TRIALS)
    systems, reference, what = data(count)
    print(f"{len(systems)} systems, {len(reference)} segments ({what}), {resamples} resamples, {trials} trials")
    began = time.perf_counter()
    mine = ours(systems, reference, resamples, trials)
    middle = time.perf_counter()
    peer = theirs(systems, reference, {"bs": resamples, "ar": trials})
    end = time.perf_counter()
    same = mine.keys() == peer.keys() and all(mine[key] == peer[key] for key in mine)
    print(f"{len(mine)} p-values, {sum(mine[key] == peer.get(key) for key in mine)} equal; ours "
          f"{middle - began:.1f} s, theirs {end - middle:.1f} s")
    return {"name": "compare", "peer": "sacreBLEU PairedTest, one call a baseline",
            "ratio": round((end - middle) / (middle - began), 2), "ours": round(middle - began, 2),
            "theirs": round(end - middle, 2), "same_result": same}
