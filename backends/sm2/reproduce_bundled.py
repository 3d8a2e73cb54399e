"""``reproduce sm2-bundled``: the bundled translator, German and Chinese to English, learned from Tatoeba.

One model for both languages; the source says which it is. The data are under CC BY 2.0 FR, so weights may be passed
on. It translates whole sentences and simultaneously. The test sentences are a function of the English text
(:mod:`~backends.sm2.tatoeba`); no pair of theirs was learned from.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from backends.sm2 import reproduce_models
from backends.sm2.requests import CurveRequest, CurveResult, TrainRequest
from backends.sm2.tatoeba import LANGUAGES, Split, read
from workbench.context import MemoryContext
from workbench.contract import Json
from workbench.evidence import Claim, Reproduction
from workbench.files import write_text

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "mt" / "tatoeba"
MODEL = ROOT / "assets" / "models" / "sm2-tatoeba-en"
MOST_MB = 25.0
THRESHOLDS, WAITS = (0.3, 0.5, 0.7, 0.9), (1, 3, 5)
NAMES = {"de": "German", "zh": "Chinese"}
STEPS = 2200


def request(folder: Path, steps: int = STEPS) -> TrainRequest:
    """The training: 128 wide, 2 + 2 layers, 5,000 pieces (the Chinese side alone has some 3,000 characters)."""
    source, target = (tuple(f"path:{folder / f'train.{language}.{side}.txt'}" for language in LANGUAGES)
                      for side in ("source", "target"))
    return TrainRequest(source, target, vocabulary=5000, width=128, inner=512, heads=4, layers=2, dropout=0.1,
                        tokens=2048, max_steps=steps, learning_rate=2e-3, warmup=min(400, steps),
                        schedule="cosine", average=0.1, held_out=500, longest=60, seed=3, precision="bfloat16",
                        half=True, licence="cc-by-2.0", name="SM2 of Tatoeba, German and Chinese to English")


def run(settings: Any, quick: bool = False) -> Reproduction:
    """Train, measure on the held-out pairs, and keep the model with its card. ``quick``: the model that comes with the
    project is measured on a few of them; a few steps are trained where it is not there, and nothing is kept."""
    began = time.monotonic()
    folder = Path(settings.home) / "reproduce" / "sm2-bundled"
    split = read(DATA)
    write(split, folder)
    there = quick and (MODEL / "config.json").is_file()
    model = MODEL if there else trained(request(folder, 20 if quick else STEPS), folder, settings)
    claims, tables = [], {}
    for language in LANGUAGES:
        curve = measured(model, folder, language, settings, 40 if quick else 2000)
        tables[language] = curve
        claims += stated(curve, language)
        print(table(curve, language))
    size = sum(path.stat().st_size for path in model.iterdir()) / 1e6
    claims.append(Claim("size of the folder in MB", round(size, 2), MOST_MB, size <= MOST_MB))
    if not quick:
        keep(model, tables, split)
    return Reproduction("sm2-bundled", tuple(claims), round(time.monotonic() - began, 1))


def trained(asked: TrainRequest, folder: Path, settings: Any) -> Path:
    """The model of a request: the one that is there already, or a new one."""
    return reproduce_models.trained(asked, folder, "tatoeba", settings)


def write(split: Split, folder: Path) -> None:
    """The files that are trained and tested on."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, both in (("train", split.train), ("test", split.test)):
        for language, pairs in both.items():
            write_text(folder / f"{part}.{language}.source.txt", "\n".join(pairs.source) + "\n")
            write_text(folder / f"{part}.{language}.target.txt", "\n".join(pairs.target) + "\n")


def measured(model: Path, folder: Path, language: str, settings: Any, sentences: int) -> CurveResult:
    """The held-out pairs of a language by all policies."""
    from backends.sm2.curve import run as curve

    asked = CurveRequest(model=f"path:{model}", source=f"path:{folder / f'test.{language}.source.txt'}",
                         target=f"path:{folder / f'test.{language}.target.txt'}", sentences=sentences, language="en",
                         thresholds=THRESHOLDS, waits=WAITS)
    return curve(asked, MemoryContext(folder / f"curve-{language}", settings=settings))


def stated(curve: CurveResult, language: str) -> list[Claim]:
    """BLEU of whole sentences, with the most eager wait-k as control; and what SM2 keeps of it."""
    by = {point.policy: point for point in curve.points}
    full, eager, sm2 = by["full sentence"], by["wait-1"], by["SM2 0.7"]
    name = NAMES[language]
    early = (sm2.words["AL"] or 0.0) / max(1e-9, full.words["AL"] or 0.0)
    return [Claim(f"{name}: BLEU of whole held-out sentences; control: wait-1", full.bleu, eager.bleu,
                  full.bleu > eager.bleu, eager.bleu, (full.bleu_low, full.bleu_high)),
            Claim(f"{name}: AL of SM2 0.7 as a share of the full sentence's (BLEU {sm2.bleu:.1f} of {full.bleu:.1f})",
                  early, 1.0, early < 1.0)]


def table(curve: CurveResult, language: str) -> str:
    """The curve as Markdown."""
    lines = [f"{NAMES[language]} to English, {curve.sentences:,} held-out sentences (`{curve.signature}`)", "",
             "| policy | BLEU | 95 % | AL (words) | LAAL | AP |", "|---|---|---|---|---|---|"]
    for point in curve.points:
        words = [f"{point.words[name]:.2f}" for name in ("AL", "LAAL", "AP")]
        lines.append(f"| {point.policy} | {point.bleu:.1f} | {point.bleu_low:.1f} to {point.bleu_high:.1f} | "
                     + " | ".join(words) + " |")
    return "\n".join(lines)


def keep(model: Path, tables: dict[str, CurveResult], split: Split) -> None:
    """Copy the model to its place in the project and write the whole card."""
    shutil.rmtree(MODEL, ignore_errors=True)
    shutil.copytree(model, MODEL)
    card = (MODEL / "README.md").read_text(encoding="utf-8").rstrip()
    card = card.replace("---\n", f"---\nlanguage: [{', '.join([*LANGUAGES, 'en'])}]\n", 1)
    counts: dict[str, Json] = {language: len(split.train[language].source) for language in LANGUAGES}
    words = [card, "", "## Data", "",
             f"Sentence pairs of Tatoeba (tatoeba.org, by way of manythings.org/anki), CC BY 2.0 FR: {counts['de']:,} "
             f"German and {counts['zh']:,} Chinese pairs with English to learn from. Held out: 2.5 % of the English "
             "sentences, chosen by a hash of their letters. Most are short; the German file ends at eight words.", "",
             "## Measured", "", *(table(curve, language) + "\n" for language, curve in tables.items()),
             "## Made by", "", "`python3 launch.py reproduce sm2-bundled`", "",
             "## Limits", "", "Small and trained on everyday sentences: names, news and long sentences come out wrong. "
             "For work, give a larger model by reference.", ""]
    write_text(MODEL / "README.md", "\n".join(words))
