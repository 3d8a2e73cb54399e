"""How large a model of a request would be and about how long its training takes, before anything is started. No torch.

    seconds = slowness (steps * STEP + passes * weights * tokens / RATE)

``passes`` is 2 where a step reads the batch twice (``sm2``, ``prefix``), else 1; ``tokens`` are target tokens over all
steps. STEP and RATE were measured on one core for models of 0.2, 1.4 and 7.6 million weights (0.10, 0.85 and 1.58
seconds a step of 1,020, 2,048 and 1,020 tokens; the formula says 0.10, 0.71 and 1.78). ``slowness`` is what earlier
trainings of this machine took against the formula, 1 without any. Attention over long sentences is not in it.
"""

from __future__ import annotations

import gzip
import statistics
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.sm2.requests import TrainRequest
from workbench.contract import Json

SYNTHETIC_PAIRS, SYNTHETIC_TOKENS = 20_000, 12.0
ORDER_PIECES = 85
BYTES_A_TOKEN = 4.0
"""UTF-8 bytes of a piece, roughly the same for English and for Chinese (ours)."""
FILLED = 0.75
"""Share of a step's places that hold target tokens (ours)."""
RATE, STEP = 9e9, 0.06
"""Weights times target tokens a second, and seconds that a step costs besides (ours, see above)."""
LOOKED_AT = 8 << 20
"""Bytes of a file that are read to count its lines; the rest is in proportion."""


@dataclass(frozen=True)
class Estimate:
    """``measured`` says that the time follows this machine's trainings. ``weights`` is 0 when fine-tuning an unknown
    model; then ``seconds`` says nothing."""

    pairs: int
    steps: int
    weights: int
    seconds: float
    measured: bool


@dataclass(frozen=True)
class Size:
    """Of a text file: lines, and bytes of one."""

    lines: int
    bytes_a_line: float


def weights(request: TrainRequest) -> int:
    """Weights of a new model: the embedding, attention (4 d^2 + 4 d), feed-forward (2 d f + d + f), layer norms (2 d),
    the confidence head."""
    d, f, n = request.width, request.inner, request.layers
    attention, feed, norm = 4 * d * d + 4 * d, 2 * d * f + d + f, 2 * d
    encoder, decoder = attention + feed + 2 * norm, 2 * attention + feed + 3 * norm
    pieces = request.vocabulary if request.source else ORDER_PIECES
    return pieces * d + n * (encoder + decoder) + 2 * norm + d + 1


def size_of(path: Path) -> Size | None:
    """Lines of a text file, counted in its first part; nothing for what is no text (xlsx) or cannot be read."""
    if path.suffix.lower() in (".xlsx", ".json"):
        return None
    try:
        whole = path.stat().st_size
        with path.open("rb") as file:
            packed = path.suffix.lower() == ".gz"
            part = gzip.GzipFile(fileobj=file).read(LOOKED_AT) if packed else file.read(LOOKED_AT)
            used = file.tell()
    except (OSError, EOFError, zlib.error):
        return None
    lines = part.count(b"\n") + (not part.endswith(b"\n") and bool(part))
    if not lines:
        return None
    share = max(1.0, whole / max(1, used)) if len(part) == LOOKED_AT else 1.0
    return Size(round(lines * share), len(part) / lines)


def passes(objective: str) -> int:
    """How often a step reads its batch."""
    return 2 if objective in ("sm2", "prefix") else 1


def formula(objective: str, count: float, steps: float, tokens: float) -> float:
    """Seconds of a training with ``count`` weights by the formula, slowness 1."""
    return steps * STEP + passes(objective) * count * tokens / RATE


def slowness_of(results: Iterable[tuple[Mapping[str, Json], Mapping[str, Json]]]) -> float | None:
    """How much longer earlier trainings (request, result) took than the formula says: the median, nothing without
    any."""
    found = []
    for request, result in results:
        count, steps, took, speed = (result.get(name) for name in ("weights", "steps", "train_seconds",
                                                                   "tokens_per_second"))
        if all(isinstance(value, int | float) and value > 0 for value in (count, steps, took, speed)):
            said = formula(str(request.get("objective", "sm2")), float(count), float(steps),  # type: ignore[arg-type]
                           float(took) * float(speed))  # type: ignore[arg-type]
            found.append(float(took) / said)  # type: ignore[arg-type]
    return statistics.median(found) if found else None


def estimate(request: TrainRequest, sizes: Sequence[Size], slowness: float | None = None,
             known: int = 0) -> Estimate | None:
    """Of a request whose source files have these sizes (none: the order language). ``known`` are the weights of the
    model that is fine-tuned. Nothing when the number of steps hangs on files whose size is not known."""
    lines = sum(size.lines for size in sizes)
    if request.source and not lines and not request.max_steps:
        return None
    pairs = lines if request.source else request.pairs or SYNTHETIC_PAIRS
    pairs = min(pairs, request.pairs) if request.pairs and lines else pairs
    whole = sum(size.lines * size.bytes_a_line for size in sizes)
    a_pair = whole / lines / BYTES_A_TOKEN + 1 if lines else SYNTHETIC_TOKENS
    steps = request.max_steps or max(1, round(request.epochs * pairs * a_pair / FILLED / request.tokens))
    count = known if request.start else weights(request)
    seconds = formula(request.objective, count, steps, steps * request.tokens * FILLED)
    return Estimate(pairs, steps, count, seconds * (slowness or 1.0), slowness is not None)
