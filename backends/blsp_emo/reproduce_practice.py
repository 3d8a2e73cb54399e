"""The bundled practice model again: ``bundled:blsp-emo-practice``, made with the tasks that everybody has.

Stage 1 is that of ``reproduce blsp-emo`` (made speech). Stage 2 learns from EMO-DB (acted German, CC0), told in
English, from sentences of espeak-ng in four settings of its voice (synthetic), and from plain sentences without an
emotion, so that the words are not forgotten. Four emotions: it has never heard surprise. Nothing of RAVDESS is in it.
The speakers of the practice clips that come with the project (03 and 08) are in no training, one more stops it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.blsp_emo import stages
from backends.blsp_emo.reproduce import CORPUS, FULL, HELD, LEARNED, MODEL, SEED, SPOKEN, semantic
from backends.blsp_emo.reproduce_kept import Kept
from backends.blsp_emo.reproduce_speech import TONED, Line, sentences, spoken
from backends.blsp_emo.reproduce_track import Data, Track
from backends.blsp_emo.requests import EvaluateResult, Stage2Request, StageResult
from backends.blsp_emo.storage import build, load_weights, read_setup, save_model
from backends.blsp_emo.talk import SAYINGS
from backends.common.speech.manifests import Row, read_manifest, write_manifest
from workbench.contract import MissingResource

GERMAN = ("Der Lappen liegt auf dem Eisschrank.", "Das will sie am Mittwoch abgeben.",
          "Heute abend könnte ich es ihm sagen.",
          "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
          "In sieben Stunden wird es soweit sein.",
          "Was sind denn das für Tüten, die da unter dem Tisch stehen.",
          "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
          "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
          "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
          "Die wird auf dem Platz sein, wo wir sie immer hinlegen.")
"""The sentences of EMO-DB, in the order of :data:`~backends.blsp_emo.talk.SAYINGS`."""
TONES = ("neutral", "happy", "angry", "sad")
TEST, STOP = ("emodb_03", "emodb_08"), ("emodb_11", TONED[8].title)
VOICES, TEXTS, PLAIN = 9, 6, 200


def practice_model(settings: Any, out: Path) -> Path:
    """Train the bundled practice model (or take what is kept) and write it to ``out`` with its scores."""
    folder = Path(settings.home) / "reproduce" / "blsp-emo"
    said, content, unheard = semantic(folder, SPOKEN, HELD)
    toned = gathered(folder / "practice")
    kept = Kept(folder / "runs", settings)
    track = Track(kept, MODEL, Data(said, content, unheard, toned, STOP, TEST), FULL)
    first = track.stage1()
    lessons = joined(folder / "practice" / "lessons.jsonl", Path(track.answered().path),
                     Path(track.written("said", said, 1).path))
    request = Stage2Request(f"path:{lessons}", validation=STOP, leave_out=TEST, start=f"path:{first.path}",
                            tune_encoder=False, epochs=14, learning_rate=1.5e-3, batch=16, micro=16, patience=5,
                            dropout=0.1, shortest=0.3, conversation=True, spec_augment=True, half=True,
                            licence="apache-2.0", name="BLSP-Emo practice")
    result = kept.once("practice", request, stages.stage2, StageResult)
    heard = track.heard("practice", result.path)
    model = Path(result.path)
    setup = read_setup(model)
    opened = build(setup, kept.context(folder / "practice" / "run"))
    load_weights(opened, setup, model)
    facts = json.loads((model / "config.json").read_text(encoding="utf-8"))["training"]
    text = described((model / "README.md").read_text(encoding="utf-8"), heard)
    return save_model(opened, setup, out, text, {"training": facts}, half=True)


def gathered(folder: Path) -> Path:
    """The toned clips: EMO-DB told in English, and espeak-ng in four tones. ``MissingResource`` without EMO-DB."""
    if not (CORPUS / "ser_manifest.jsonl").is_file():
        raise MissingResource("The clips of EMO-DB are not beside the project (shared/data/speech).",
                              advice="Put them there with a ser_manifest.jsonl.")
    english = dict(zip(GERMAN, (one.text for one in SAYINGS), strict=True))
    source = read_manifest(CORPUS / "ser_manifest.jsonl", "ser")
    rows = [replace(row, audio=source.source(row), text=english[row.text]) for row in source.rows
            if row.speaker.startswith("emodb")]
    texts = sentences(SEED, LEARNED, HELD)[0][-TEXTS:]
    made = spoken(folder / "toned", [Line(text, speaker, tone) for speaker in TONED[:VOICES] for text in texts
                                     for tone in TONES])
    rows += [replace(row, audio=str(made.parent / row.audio)) for row in read_manifest(made, "ser").rows]
    write_manifest(folder / "toned.jsonl", rows)
    return folder / "toned.jsonl"


def joined(out: Path, toned: Path, plain: Path) -> Path:
    """Toned clips with their answers, and some plain ones without an emotion among them."""
    first = list(read_manifest(toned, "continuation").rows)
    second: list[Row] = list(read_manifest(plain, "continuation").rows)[:PLAIN]
    write_manifest(out, [*first, *second])
    return out


def described(card: str, heard: EvaluateResult) -> str:
    """The card with what was learned from and how well it went."""
    low, high = heard.heard_interval
    return card.rstrip() + "\n" + "\n".join([
        "- Learned from: EMO-DB (Burkhardt and others 2005, acted German, CC0-1.0; sentences told in English), "
        "espeak-ng in four settings of rate, pitch and loudness, espeak-ng and flite saying the practice talk "
        "(synthetic). Nothing of RAVDESS.",
        "- Four emotions: neutral, happy, angry, sad. It has never heard surprise and does not name it.",
        f"- Two speakers of EMO-DB that it has never heard, {heard.clips} clips: behavioural SER (the likeliest of its "
        f"own five replies) UA {heard.heard:.3f} (95 % interval {low:.3f} to {high:.3f}; of the transcript alone "
        f"{heard.told:.3f}), emotion head UA {heard.head:.3f}. Chance: 0.25 of four, 0.2 of five.",
        "- Its words are those of the practice talk. What it was not taught is answered as if it were.",
        "- Made by `backends.blsp_emo.reproduce_practice:practice_model` (seeds inside).", ""])


