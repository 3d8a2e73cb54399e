"""The real-text part of ``reproduce sm2``: Multi30k, German to English, 29,000 pairs, tested on test2016.

Four trainings with the same shape, vocabulary, data and number of steps: SM2 from scratch; wait-k paths (multi-path,
causal encoder), which is what SM2 is held against; an offline model; and that offline model fine-tuned by SM2 for a
third of the steps. wait-k is translated in both ways, by the states that SM2 has trained (test-time wait-k) and by the
multi-path model. A threshold of SM2 must lie above the curve of the multi-path model; how far it lies above SM2's own
test-time wait-k is given beside it, as control. What is trained stays under the workbench's home and is used again
while the request is the same, so a run that was cut off goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.common.mt.scores import Scorer, scorer
from backends.sm2 import reproduce_models
from backends.sm2.curve import Chosen, Measured, chosen_set, measure
from backends.sm2.frontier import Cloud, Gain, gains
from backends.sm2.policy import Policy
from backends.sm2.requests import CurveRequest, TrainRequest
from backends.sm2.storage import Translator, open_translator
from workbench.context import MemoryContext
from workbench.evidence import Claim

DATA = Path(__file__).parents[3] / "shared" / "data" / "mt" / "multi30k"
THRESHOLDS = (0.3, 0.5, 0.7, 0.8, 0.9)
WAITS = (1, 3, 5, 7)
KEPT = -1.0
"""BLEU that the fine-tuned model may lose at full sentence (the issue's bar)."""
STEPS = 3000


def base(steps: int = STEPS) -> TrainRequest:
    """What all trainings share: 128 wide, 2 + 2 layers, 4,000 pieces, about 1.4 million weights (ours)."""
    return TrainRequest(source=(f"path:{DATA / 'train.de.gz'}",), target=(f"path:{DATA / 'train.en.gz'}",),
                        vocabulary=4000, width=128, inner=512, heads=4, layers=2, dropout=0.1, tokens=2048,
                        max_steps=steps, learning_rate=2e-3, warmup=min(400, steps), schedule="cosine", average=0.1,
                        held_out=500, seed=1, precision="bfloat16")


def trainings(steps: int = STEPS) -> dict[str, TrainRequest]:
    """The three that start from nothing."""
    one = base(steps)
    return {"sm2": replace(one, name="SM2"), "offline": replace(one, objective="offline", name="offline"),
            "multipath": replace(one, objective="multipath", encoder="causal", name="wait-k paths")}


def trained(request: TrainRequest, settings: Any, name: str) -> Path:
    """The model of a request: the one that is there already, or a new one."""
    return reproduce_models.trained(request, Path(settings.home) / "reproduce", f"sm2-{name}", settings)


@dataclass(frozen=True)
class Desk:
    """The test set and how it is scored."""

    request: CurveRequest
    metric: Scorer
    context: MemoryContext

    def measured(self, folder: Path, policies: Sequence[Policy], name: str) -> dict[str, Measured]:
        """A model by several policies, printed as a table."""
        translator: Translator = open_translator(folder)
        test: Chosen = chosen_set(self.request, translator, self.context)
        found = {}
        for policy in policies:
            one = found[policy.label] = measure(translator, test, policy, self.metric, self.request, self.context)
            point = one.point
            words = point.words["AL"]
            print(f"{name:10s} {point.policy:22s} BLEU {point.bleu:5.2f} [{point.bleu_low:.2f}, {point.bleu_high:.2f}]"
                  f" AL words {words:5.2f} [{point.words_al_low:5.2f}, {point.words_al_high:5.2f}]"
                  f" tokens {point.tokens['AL']:5.2f} {point.seconds:.0f} s")
        return found

    def clouds(self, measured: dict[str, Measured]) -> dict[str, Cloud]:
        """For :func:`~backends.sm2.frontier.gains`: BLEU against AL of words."""
        return {name: Cloud(one.bleu, [log.words().al for log in one.logs]) for name, one in measured.items()}


def desk(settings: Any, folder: Path, sentences: int = 1000) -> Desk:
    """test2016 with sacreBLEU's BLEU (13a, cased)."""
    request = CurveRequest(source=f"path:{DATA / 'test_2016_flickr.de.gz'}",
                           target=f"path:{DATA / 'test_2016_flickr.en.gz'}", sentences=sentences, language="en")
    context = MemoryContext(folder, settings=settings)
    references = context_lines(request, context)
    return Desk(request, scorer("bleu", [references], "en"), context)


def context_lines(request: CurveRequest, context: MemoryContext) -> tuple[str, ...]:
    """The references of a curve's request."""
    from backends.sm2.corpora import read_parallel

    return read_parallel((request.source,), (request.target,), False, context).target[:request.sentences]


def run(settings: Any, folder: Path, steps: int = STEPS) -> list[Claim]:
    """Train what is missing, translate test2016, and state the claims."""
    requests = trainings(steps)
    models = {name: trained(request, settings, name) for name, request in requests.items()}
    tuned = replace(requests["sm2"], start=f"path:{models['offline']}", max_steps=steps // 3, warmup=min(100, steps),
                    learning_rate=1e-3, name="SM2 from the offline model")
    models["tuned"] = trained(tuned, settings, "tuned")
    test = desk(settings, folder)
    full, by = [Policy("full")], [Policy("sm2", threshold=t) for t in THRESHOLDS]
    sm2 = test.measured(models["sm2"], [*by, *(Policy("wait-k", k=k) for k in WAITS), *full], "SM2")
    paths = test.measured(models["multipath"], [*(Policy("multipath", k=k) for k in WAITS), *full], "wait-k")
    offline = test.measured(models["offline"], full, "offline")
    adapted = test.measured(models["tuned"], [*by, *full], "fine-tuned")
    return [*above(test, sm2, paths), *kept(test, offline, adapted), *regained(test, adapted, paths)]


def above(test: Desk, sm2: dict[str, Measured], paths: dict[str, Measured]) -> list[Claim]:
    """SM2's thresholds against multi-path wait-k; as control, against wait-k by SM2's own states."""
    tested = {name: cloud for name, cloud in test.clouds(sm2).items() if name.startswith("SM2")}
    own = {name: cloud for name, cloud in test.clouds(sm2).items() if name not in tested}
    control = {gain.policy: gain for gain in gains(tested, own, test.metric)}
    for gain in control.values():
        print(f"control: {told(gain, 'test-time wait-k of the same model')}")
    return stated(gains(tested, test.clouds(paths), test.metric), "multi-path wait-k", control)


def stated(found: Sequence[Gain], family: str, control: Mapping[str, Gain] | None = None) -> list[Claim]:
    """A claim for every threshold that wait-k has an equal latency for. One that is earlier than wait-1 has none: it is
    printed with what it loses to wait-1, and nothing is claimed of it."""
    for gain in found:
        if gain.beyond:
            print(told(gain, family))
    return [claim(gain, family, (control or {}).get(gain.policy)) for gain in found if not gain.beyond]


def told(gain: Gain, family: str) -> str:
    """A gain in words."""
    end = " (no equal latency: held against the nearest end)" if gain.beyond else ""
    return (f"{gain.policy}, AL {gain.latency:.2f} words: BLEU {gain.gain:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}] "
            f"over {family}{end}")


def claim(gain: Gain, family: str, control: Gain | None = None) -> Claim:
    """Above the curve: the difference is above 0. Whether its interval is too is printed with it."""
    return Claim(f"BLEU of {gain.policy} over {family} at the same AL of {gain.latency:.2f} words", gain.gain, 0.0,
                 gain.gain > 0, control.gain if control else None, (gain.low, gain.high))


def kept(test: Desk, offline: dict[str, Measured], adapted: dict[str, Measured]) -> list[Claim]:
    """What fine-tuning costs at full sentence."""
    one, two = test.clouds(adapted), test.clouds(offline)
    (gain,) = gains({"full": replace_latency(one["full sentence"])}, {"full": replace_latency(two["full sentence"])},
                    test.metric)
    return [Claim("BLEU at full sentence: offline model fine-tuned by SM2, minus the offline model", gain.gain, KEPT,
                  gain.gain >= KEPT, None, (gain.low, gain.high))]


def replace_latency(cloud: Cloud) -> Cloud:
    """The same with one latency everywhere: only quality is compared."""
    return Cloud(cloud.quality, [0.0] * len(cloud.quality))


def regained(test: Desk, adapted: dict[str, Measured], paths: dict[str, Measured]) -> list[Claim]:
    """The fine-tuned model's thresholds against multi-path wait-k."""
    tested = {name: cloud for name, cloud in test.clouds(adapted).items() if name.startswith("SM2")}
    return stated(gains(tested, test.clouds(paths), test.metric), "multi-path wait-k (fine-tuned from offline)")
