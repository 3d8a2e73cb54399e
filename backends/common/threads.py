"""Which precision and how many threads are fastest on this machine: measured once, remembered with the figures.

Two threads are not twice as fast as one: on shared cores the OpenMP threads wait for each other, and the same model
was 3-5 times slower in wall time than with one (measured). bfloat16 halves the memory traffic but is slow on
processors without bfloat16 arithmetic. So both are timed on products of the shape a decoding step has.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from backends.common.linear import pack_linears
from workbench.contract import Json, UserError

ROWS, WIDTH, INNER, LAYERS = 16, 576, 1536, 24
KV_HEADS, KNOWN, HEAD = 3, 384, 64
"""A step of 16 rows that know 384 tokens each, through 24 layers of a model of 135 million parameters."""
MARGIN = 1.15
"""More threads must be this much faster: they take cores from everything else."""
DTYPES = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Choice:
    """How a model runs here. ``measured`` holds milliseconds by "dtype x threads" and the load they were taken at."""

    device: str
    dtype: str
    threads: int
    why: str
    measured: dict[str, float] = field(default_factory=dict)


def choose_speed(path: Path, settings: Mapping[str, Json]) -> Choice:
    """Device, precision and threads from the settings, from the remembered measurement, or from a new one."""
    device = pick_device(str(settings.get("device", "auto")))
    dtype, threads = str(settings.get("dtype", "auto")), int(settings.get("threads", 0) or 0)
    if dtype not in DTYPES:
        raise UserError(f"dtype is {dtype!r}; it must be one of {', '.join(DTYPES)}.")
    if device != "cpu":
        return Choice(device, "bfloat16" if dtype == "auto" else dtype, threads or 1, "a GPU computes in bfloat16")
    if dtype != "auto" and threads:
        return Choice(device, dtype, threads, "set by hand")
    memo = settings.get("memo")
    times = remembered(Path(memo)) if memo else {}
    if not times:
        times = measure()
        if memo:
            remember(Path(memo), times)
    chosen_dtype, chosen_threads = best(times, dtype, threads)
    return Choice(device, chosen_dtype, threads or chosen_threads, "fastest of those measured here", times)


def pick_device(wanted: str) -> str:
    """``auto`` is the first GPU when there is one, else the CPU."""
    has_gpu = torch.cuda.is_available()
    if wanted in ("auto", ""):
        return "cuda:0" if has_gpu else "cpu"
    if wanted.startswith("cuda") and not has_gpu:
        raise UserError(f"device is {wanted!r}, but torch sees no GPU here.", advice="Set device to auto or cpu.")
    if wanted != "cpu" and not wanted.startswith("cuda"):
        raise UserError(f"device is {wanted!r}; it must be auto, cpu or cuda:<number>.")
    return "cuda:0" if wanted == "cuda" else wanted


def measure() -> dict[str, float]:
    """Milliseconds of one imitated step, by "dtype x threads"; the best of a few, and the load average before."""
    before = torch.get_num_threads()
    most = os.cpu_count() or 1
    counts = sorted({1, *(n for n in (2, 4, 8, 16, 32) if n <= most), most})
    times = {"load": round(os.getloadavg()[0], 2)}
    try:
        for threads in counts:
            torch.set_num_threads(threads)
            for name in ("float32", "bfloat16"):
                times[f"{name} x {threads}"] = round(_step_ms(getattr(torch, name)), 3)
    finally:
        torch.set_num_threads(before)
    return times


def _step_ms(dtype: torch.dtype) -> float:
    layers = [nn.Sequential(*(nn.Linear(*shape, bias=False, dtype=dtype) for shape in ((WIDTH, INNER), (INNER, WIDTH))))
              for _ in range(LAYERS)]
    for layer in layers:
        pack_linears(layer)
    held = [torch.ones(ROWS * KV_HEADS, KNOWN, HEAD, dtype=dtype) for _ in range(12)]
    rows, asked = torch.ones(ROWS, WIDTH, dtype=dtype), torch.ones(ROWS * KV_HEADS, HEAD, 3, dtype=dtype)
    taken: list[float] = []
    while len(taken) < 2 or (len(taken) < 7 and sum(taken) < 0.5):
        begin = time.perf_counter()
        with torch.inference_mode():
            for index, layer in enumerate(layers):
                layer(rows)
                scores = torch.bmm(held[index % 12], asked).transpose(1, 2)
                torch.bmm(scores, held[(index + 6) % 12])
        taken.append(time.perf_counter() - begin)
    return min(taken) * 1000


def best(times: Mapping[str, float], dtype: str, threads: int) -> tuple[str, int]:
    """The fastest allowed pair; fewer threads win unless more are ``MARGIN`` times as fast."""
    pairs = [(name.split(" x ")[0], int(name.split(" x ")[1])) for name in times if " x " in name]
    allowed = [p for p in pairs if (dtype in ("auto", p[0])) and (threads in (0, p[1]))]
    if not allowed:
        allowed = [p for p in pairs if dtype in ("auto", p[0])]
    return min(allowed, key=lambda p: times[f"{p[0]} x {p[1]}"] * (1 if p[1] == 1 else MARGIN))


def machine() -> dict[str, Json]:
    """What a measurement belongs to: another processor, core count or torch is measured anew."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return {"processor": model, "cores": os.cpu_count() or 1, "torch": torch.__version__}


def remembered(memo: Path) -> dict[str, float]:
    """The measurement of this machine in ``memo``; empty when there is none, or it was taken on a busy machine."""
    try:
        found = json.loads(memo.read_text())
        times = {str(k): float(v) for k, v in found["milliseconds"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    quiet = times.get("load", 0.0) < 0.5 * (os.cpu_count() or 1)
    return times if found.get("machine") == machine() and quiet else {}


def remember(memo: Path, times: Mapping[str, float]) -> None:
    """Write the measurement; a disk that refuses only means measuring again next time."""
    try:
        memo.parent.mkdir(parents=True, exist_ok=True)
        temporary = memo.with_name(f".{memo.name}.{os.getpid()}")
        temporary.write_text(json.dumps({"machine": machine(), "milliseconds": dict(times)}, indent=1))
        temporary.replace(memo)
    except OSError:
        return


def cache_budget(device: str) -> int:
    """Bytes for the keys and values of finished conversations: a quarter of the free memory, 4 GB at most (ours)."""
    if device.startswith("cuda"):
        free = torch.cuda.mem_get_info(device)[0]
    else:
        import psutil

        free = psutil.virtual_memory().available
    return int(min(4 * 2**30, free // 4))


