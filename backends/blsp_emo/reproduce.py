"""``reproduce blsp-emo``: does the model answer the emotion it *hears*? The whole chain with controls.

The language model is the project's own (2 million weights, stage 0 on the practice talk), the ear is Whisper tiny.en,
frozen, of whose layers the adapter learns a mix (spec G.2: the last one understands words sooner and tones worse).
Stage 1 learns from sentences that espeak-ng and flite say, stops by others in other voices, and is measured on a third
set of sentences in a third set of voices.
Stage 2 learns from actors of RAVDESS, stops by other actors and is tested on a third group: two sentences, so the words
cannot help. Controls: the transcript alone, stage 1 alone, labels shuffled, no emotion loss, no stage 1, label training
alone, two tasks side by side, and the cascade (a probe's label given to the text model).

``--quick`` goes the same way with few sentences and five *settings of espeak-ng* instead of actors: synthetic, which
shows that the method works and nothing about people.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from backends.blsp_emo.reproduce_claims import alignment_claims, gate_claims, hearing_claims
from backends.blsp_emo.reproduce_kept import Kept
from backends.blsp_emo.reproduce_speech import (
    TONED,
    UNHEARD,
    fresh_lines,
    semantic_lines,
    sentences,
    spoken,
    toned_lines,
    voices,
)
from backends.blsp_emo.reproduce_track import Data, Steps, Track
from backends.common.speech.manifests import read_manifest, write_manifest
from workbench.contract import MissingResource
from workbench.evidence import Reproduction

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "data" / "speech"
MODEL = "bundled:blsp-emo-lm"
SEED, LEARNED, HELD = 0, 3000, 40
"""The sentences of stage 0: 3,000 learned; 40 more for the gate and to stop stage 1, and 40 more to measure it."""
FULL = Steps(epochs=4, rate=1e-3, toned_epochs=16, toned_rate=1.5e-3, mix=True)
QUICK = Steps(epochs=4, rate=1.5e-3, toned_epochs=14, toned_rate=2e-3, batch=8, patience=0, toned_patience=0)
SPOKEN, SPOKEN_QUICK = 1500, 300
TEXTS, PEOPLE = 2, (5, 1, 2)
"""Of ``--quick``: toned sentences, and made speakers that train, stop and test."""
ACTORS = (12, 3, 5)


def run(settings: Any, quick: bool = False) -> Reproduction:
    """Train what is not there yet, measure, state the claims."""
    import torch

    began = time.monotonic()
    torch.set_num_threads(max(1, int(getattr(settings, "threads", 0) or 1)))
    folder = Path(settings.home) / "reproduce" / ("blsp-emo-quick" if quick else "blsp-emo")
    kept = Kept(folder / "runs", settings)
    track = Track(kept, MODEL, made_data(folder) if quick else real_data(folder), QUICK if quick else FULL)
    claims = [*gate_claims(track), *alignment_claims(track, quick), *hearing_claims(track, quick)]
    return Reproduction("blsp-emo", tuple(claims), round(time.monotonic() - began, 1))


def semantic(folder: Path, count: int, held: int) -> tuple[Path, Path, tuple[str, ...]]:
    """Made speech for stage 1, the clips it is measured on, and the voices that stop it.

    Three sets of sentences and three of voices: learned, asked when to stop, measured.
    """
    known, unseen = sentences(SEED, LEARNED + HELD, HELD)
    manifest = spoken(folder / "said", semantic_lines(known[:count], unseen[:held], SEED))
    fresh = spoken(folder / "fresh", fresh_lines(known[LEARNED:LEARNED + held]))
    return manifest, fresh, tuple(one.title for one in voices(UNHEARD))


def made_data(folder: Path) -> Data:
    """Everything made by espeak-ng (and flite where it is there)."""
    known, _ = sentences(SEED, LEARNED, HELD)
    train, stop, test = PEOPLE
    people = [one.title for one in TONED[:sum(PEOPLE)]]
    toned = spoken(folder / "toned", toned_lines(known[:TEXTS], train + stop + test))
    manifest, content, unheard = semantic(folder, SPOKEN_QUICK, 8)
    return Data(manifest, content, unheard, toned, tuple(people[train:train + stop]), tuple(people[train + stop:]))


def real_data(folder: Path) -> Data:
    """Made speech for stage 1, RAVDESS for stage 2. Raises ``MissingResource`` without the clips."""
    if not (CORPUS / "ser_manifest.jsonl").is_file():
        raise MissingResource("The clips of RAVDESS are not beside the project (shared/data/speech).",
                              advice="Put them there with a ser_manifest.jsonl, or run it with --quick.")
    source = read_manifest(CORPUS / "ser_manifest.jsonl", "ser")
    rows = [row for row in source.rows if row.speaker.startswith("ravdess")]
    people = sorted({row.speaker for row in rows})
    folder.mkdir(parents=True, exist_ok=True)
    toned = folder / "ravdess.jsonl"
    write_manifest(toned, [replace_audio(row, source.source(row)) for row in rows])
    manifest, content, unheard = semantic(folder, SPOKEN, HELD)
    test, stop = people[-ACTORS[2]:], people[-ACTORS[2] - ACTORS[1]:-ACTORS[2]]
    return Data(manifest, content, unheard, toned, tuple(stop), tuple(test))


def replace_audio(row: Any, place: str) -> Any:
    """A row whose clip is named by its whole path."""
    from dataclasses import replace

    return replace(row, audio=place)
