"""``reproduce ser``: what the frozen ear of Whisper tiny.en knows about emotion, told honestly.

RAVDESS (the 20 actors that lie beside the project), five emotions. A linear probe on every layer, actors never on both
sides. The first claim holds each actor out in turn and learns from the 19 others. The second splits the same actors
into 6 folds, which leaves 17 to learn from and comes out about a point lower, just under 80 %; the target comes from
24 actors in 6 folds, which learn from 20. Both figures are stated; the penalty of the probe was tuned on neither.

Controls: the words alone (two sentences, the same for every emotion), shuffled labels, and the split of clips at random
that many publish. Then a list of folds that others use (EmoBox), German acted speech it never learned from (EMO-DB),
and how often people hear the intended emotion in CREMA-D, recomputed from the votes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backends.blsp_emo.probe import cross_validate, fit, kept_features
from backends.common.speech.emotions import EMOTIONS
from backends.common.speech.folds import at_random, by_list, by_speaker, read_list
from backends.common.speech.manifests import Manifest, read_manifest
from backends.common.speech.scores import Scores, human_reference, score
from backends.common.speech.whisper import open_whisper
from workbench.context import MemoryContext
from workbench.contract import MissingResource
from workbench.evidence import Claim, Reproduction

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "speech"
MODEL = "package:whisper-tiny-en"
LAYER, FOLDS = 2, 6
TARGET, FEWER_TARGET, QUICK_TARGET, LEAK = 0.80, 0.78, 0.55, 0.05
GERMAN = ("neutral", "happy", "angry", "sad")
QUICK_ACTORS = 6


@dataclass(frozen=True, eq=False)
class Corpus:
    """Clips of one corpus with the features of every layer (clips, layers + 1, n)."""

    features: np.ndarray[Any, Any]
    labels: tuple[str, ...]
    speakers: tuple[str, ...]
    texts: tuple[str, ...]


def run(settings: Any, quick: bool = False) -> Reproduction:
    """Encode (kept between runs), probe, and state the claims. ``quick``: six actors and the one layer."""
    import torch

    began = time.monotonic()
    torch.set_num_threads(max(1, int(getattr(settings, "threads", 0) or 1)))
    if not (DATA / "ser_manifest.jsonl").is_file():
        raise MissingResource("The clips of RAVDESS are not beside the project (shared/data/speech).",
                              advice="Put them there with a ser_manifest.jsonl; the licence forbids bundling them.")
    place = Path(settings.home) / "reproduce" / "ser"
    manifest = read_manifest(DATA / "ser_manifest.jsonl", "ser")
    if quick:
        manifest = smaller(manifest, QUICK_ACTORS)
    whisper = open_whisper(MemoryContext(place / "run", settings=settings).resource(MODEL))
    used = time.process_time()
    every = kept_features(whisper, manifest, place, _said)
    print(f"{len(every)} clips, {sum(row.seconds for row in manifest.rows) / 60:.1f} min of sound; encoding and "
          f"reading took {time.process_time() - used:.1f} s of one processor (0 where kept)")
    ravdess, emodb = part(manifest, every, "ravdess"), part(manifest, every, "emodb")
    claims = [*probe_claims(ravdess, quick), *controls(ravdess)]
    if not quick:
        claims += [emobox_claim(ravdess), german_claim(ravdess, emodb)]
    claims.append(human_claim())
    return Reproduction("ser", tuple(claims), round(time.monotonic() - began, 1))


def _said(done: int, total: int) -> None:
    if done % 120 < 8 or done == total:
        print(f"encoded {done} of {total} clips", flush=True)


def smaller(manifest: Manifest, actors: int) -> Manifest:
    """The clips of the first few actors of RAVDESS."""
    people = sorted({row.speaker for row in manifest.rows if row.speaker.startswith("ravdess")})[:actors]
    return replace(manifest, rows=tuple(row for row in manifest.rows if row.speaker in people))


def part(manifest: Manifest, features: np.ndarray[Any, Any], corpus: str) -> Corpus:
    """The clips whose speaker is of a corpus."""
    chosen = [i for i, row in enumerate(manifest.rows) if row.speaker.startswith(corpus)]
    rows = [manifest.rows[i] for i in chosen]
    return Corpus(features[chosen], tuple(r.emotion for r in rows), tuple(r.speaker for r in rows),
                  tuple(r.text for r in rows))


def at_layer(corpus: Corpus, layer: int, folds: Sequence[Any], labels: Sequence[str] = ()) -> Scores:
    """Scores of the probe on one layer."""
    labels = labels or corpus.labels
    told = cross_validate(corpus.features[:, layer], labels, folds, layer, EMOTIONS)
    return score(labels, told, corpus.speakers, EMOTIONS)


def probe_claims(corpus: Corpus, quick: bool) -> list[Claim]:
    """Every layer with actors apart; the split at random beside it."""
    people = len(set(corpus.speakers))
    apart = by_speaker(corpus.speakers, min(FOLDS, people))
    layers = [LAYER] if quick else list(range(corpus.features.shape[1]))
    found = {layer: at_layer(corpus, layer, apart) for layer in layers}
    for layer, one in found.items():
        print(f"layer {layer}: WA {one.wa:.3f}, UA {one.ua:.3f} ({one.ua_interval[0]:.3f} to {one.ua_interval[1]:.3f})")
    main = at_layer(corpus, LAYER, by_speaker(corpus.speakers, people))
    print(f"layer {LAYER}, every actor held out in turn: WA {main.wa:.3f}, UA {main.ua:.3f}")
    print("recall:", ", ".join(f"{name} {value:.2f}" for name, value in zip(EMOTIONS, main.recall, strict=True)
                               if value is not None))
    leaky = at_layer(corpus, LAYER, at_random(corpus.labels, len(apart)))
    print(f"random split (leaks): WA {leaky.wa:.3f}, UA {leaky.ua:.3f}")
    words = by_words(corpus, apart)
    target = QUICK_TARGET if quick else TARGET
    claims = [Claim(f"UA of layer {LAYER}, each of {people} actors held out in turn; control: the words alone", main.ua,
                    target, main.ua >= target and words.ua <= 0.25, words.ua, main.ua_interval)]
    if not quick:
        best, last = max(found, key=lambda n: found[n].ua), max(found)
        fewer = found[LAYER]
        claims += [
            Claim(f"UA of layer {LAYER} in {len(apart)} folds of whole actors, which learn from fewer", fewer.ua,
                  FEWER_TARGET, fewer.ua >= FEWER_TARGET, None, fewer.ua_interval),
            Claim("what a random split adds to UA: clips of one actor on both sides, as many folds",
                  leaky.ua - fewer.ua, LEAK, leaky.ua - fewer.ua >= LEAK),
            Claim(f"UA of the best layer ({best}) above the last layer's", found[best].ua - found[last].ua, 0.0,
                  best not in (0, last))]
    return claims


def by_words(corpus: Corpus, folds: Sequence[Any]) -> Scores:
    """The same probe on which words occur: it cannot know what the two sentences do not say."""
    known = sorted({word for text in corpus.texts for word in text.lower().split()})
    table = np.array([[float(word in text.lower().split()) for word in known] for text in corpus.texts])
    return score(corpus.labels, cross_validate(table, corpus.labels, folds, LAYER, EMOTIONS), corpus.speakers, EMOTIONS)


def controls(corpus: Corpus) -> list[Claim]:
    """Shuffled labels: nothing is left."""
    shuffled = list(corpus.labels)
    random.Random(7).shuffle(shuffled)
    found = at_layer(corpus, LAYER, by_speaker(corpus.speakers, min(FOLDS, len(set(corpus.speakers)))), shuffled)
    return [Claim("UA with shuffled labels (chance is 0.2)", found.ua, 0.30, found.ua <= 0.30)]


def emobox_claim(corpus: Corpus) -> Claim:
    """The published list of folds, as far as its actors are here."""
    folds = by_list(corpus.speakers, read_list(DATA / "ravdess_emobox_folds.json"))
    found = at_layer(corpus, LAYER, folds)
    return Claim(f"UA of layer {LAYER} on the {len(folds)} folds of EmoBox (its actors that are here)", found.ua, 0.78,
                 found.ua >= 0.78, None, found.ua_interval)


def german_claim(corpus: Corpus, german: Corpus) -> Claim:
    """Learned from English actors, told about German ones, among the four emotions both have."""
    probe = fit(corpus.features[:, LAYER], corpus.labels, LAYER, EMOTIONS)
    found = score(german.labels, probe.tell(german.features[:, LAYER], GERMAN), german.speakers, GERMAN)
    print(f"EMO-DB, never learned from: WA {found.wa:.3f}, UA {found.ua:.3f}")
    return Claim("UA on EMO-DB, learned from RAVDESS only; control: chance of four classes", found.ua, 0.40,
                 found.ua_interval[0] > 0.25, 0.25, found.ua_interval)


def human_claim() -> Claim:
    """The share of CREMA-D clips whose intended emotion most listeners heard."""
    heard = human_reference(DATA / "cremad_votes" / "summaryTable.csv")
    print(f"people, CREMA-D, {heard['clips']:.0f} clips, six emotions: voice {heard['voice']:.3f}, face "
          f"{heard['face']:.3f}, both {heard['both']:.3f}")
    return Claim("share of clips whose intended emotion people hear (CREMA-D, voice only); control: with the face",
                 heard["voice"], 0.416, abs(heard["voice"] - 0.416) < 0.001, heard["both"])
