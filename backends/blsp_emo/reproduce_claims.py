"""The claims of ``reproduce blsp-emo``, each beside the control that would hold if it were no more than appearance."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from backends.blsp_emo import gate, prompts
from backends.blsp_emo.clips import Clips
from backends.blsp_emo.continuations import ANSWERS, read_answers
from backends.blsp_emo.evaluate import distance
from backends.blsp_emo.generate import likelihood
from backends.blsp_emo.lessons import Lesson
from backends.blsp_emo.model import BlspEmo
from backends.blsp_emo.probe import fit, kept_features
from backends.blsp_emo.reproduce_track import Track
from backends.blsp_emo.requests import EvaluateResult, GateRequest, GateResult
from backends.blsp_emo.ser import EMOTIONS, NONE
from backends.blsp_emo.storage import build, open_model, read_setup
from backends.common.speech.audio import Limits
from backends.common.speech.manifests import Row, read_manifest
from backends.common.speech.scores import score
from backends.common.speech.whisper import open_whisper
from workbench.evidence import Claim

CHANCE, CHANCE_LIMIT = 0.2, 0.3
LAYER = 2
"""Of the probe: the best one (``reproduce ser``)."""
NEARER, NEARER_QUICK = 0.30, 0.75
HEARD, HEARD_QUICK = 0.60, 0.50
CONTENT, CONTENT_QUICK = 0.5, 0.2
BROKEN = 2.0
DRAWS = 1000
Spread = tuple[float, float]


def gate_claims(track: Track) -> list[Claim]:
    """Stage 0: the language model answers by emotion and by content."""
    found = track.kept.once("gate", GateRequest(track.model), gate.run, GateResult)
    print(f"gate: {found.replies} replies, separated {found.separated:.3f}, content {found.content:.3f} of "
          f"{found.pool}, classifier {found.classifier:.3f}", flush=True)
    return [Claim(f"replies of the language model whose emotion a frozen classifier of words finds ({found.replies} "
                  "replies); control: chance", found.separated, gate.NEEDED,
                  found.passed and found.separated >= gate.NEEDED, CHANCE),
            Claim(f"replies that fit their own sentence best among {found.pool}; control: chance", found.content, 0.5,
                  found.content >= 0.5, 1 / found.pool)]


def alignment_claims(track: Track, quick: bool) -> list[Claim]:
    """Stage 1: speech is answered as its transcript is, on sentences and voices it has not heard."""
    model = Path(track.stage1().path)
    ratio, spread = nearness(track, model)
    print(f"response KL after stage 1: {ratio:.3f} of the untrained adapter's ({spread[0]:.3f} to {spread[1]:.3f})")
    limit, least = (NEARER_QUICK, CONTENT_QUICK) if quick else (NEARER, CONTENT)
    found = track.understood("stage1", model)
    without = track.understood("no-stage1", track.stage2("no-stage1").path)
    return [Claim("response KL on unseen sentences in unheard voices, as a share of the untrained adapter's; "
                  "control: the untrained adapter", ratio, limit, ratio <= limit, 1.0, spread),
            Claim(f"content: unseen sentences told from {found.content_pool - 1} others by ear; control: stage 2 "
                  f"without stage 1 (chance {1 / found.content_pool:.2f})", found.content, least,
                  found.content >= least and found.content > without.content, without.content)]


def nearness(track: Track, model: Path) -> tuple[float, Spread]:
    """Response KL of a model of stage 1 over that of its untrained adapter, with an interval over sentences."""
    context = track.kept.context(track.kept.folder / "nearness")
    trained, setup = open_model(model, context)
    manifest = read_manifest(Path(track.written("fresh", track.data.content, 1).path), "continuation")
    rows = list(manifest.rows)
    sources = [manifest.source(row) for row in rows]
    after, before = (distances(one, rows, sources) for one in (trained, build(setup, context)))
    texts = sorted(after)
    generator, found = random.Random(0), []
    for _ in range(DRAWS):
        drawn = generator.choices(texts, k=len(texts))
        found.append(sum(sum(after[t]) for t in drawn) / sum(sum(before[t]) for t in drawn))
    whole = sum(map(sum, after.values())) / sum(map(sum, before.values()))
    found.sort()
    return whole, (found[round(0.025 * DRAWS)], found[round(0.975 * DRAWS) - 1])


def answers_beside(path: str) -> Path:
    """``answers.jsonl`` of a run of continuations."""
    return Path(path).with_name(ANSWERS)


def distances(model: BlspEmo, rows: Sequence[Row], sources: Sequence[str]) -> dict[str, list[float]]:
    """Nats a token of KL(text || speech) of every clip on its own continuation, by sentence."""
    clips = Clips(sources, model, Limits(), keep=True)
    found: dict[str, list[float]] = {}
    for place, row in enumerate(rows):
        told = prompts.semantic()
        lesson = Lesson(place, row.text, NONE, row.output, row.early_stop, told)
        found.setdefault(row.text, []).append(distance(model, lesson, told, clips.states([place])))
    return found


def hearing_claims(track: Track, quick: bool) -> list[Claim]:
    """Stage 2: the emotion that is heard decides what is answered, on speakers of no training."""
    found = {"stage1": track.heard("stage1", track.stage1().path)}
    for name in ("stage2", "shuffled", "label") if quick else ("stage2", "shuffled", "no-ser", "no-stage1", "label",
                                                                "multitask"):
        found[name] = track.heard(name, track.stage2(name).path)
    main, target = found["stage2"], HEARD_QUICK if quick else HEARD
    what = "made speakers" if quick else "actors"
    claims = [
        Claim(f"behavioural SER on unseen {what} ({main.clips} clips, two sentences); control: the transcript alone",
              main.heard, target, main.heard >= target and main.told <= CHANCE_LIMIT, main.told, spread_of(main)),
        below("behavioural SER after stage 1 alone", found["stage1"]),
        below("behavioural SER with labels shuffled", found["shuffled"]),
        Claim("reply KL after training on labels alone over that of stage 2 (nats a token); control: stage 2 itself",
              found["label"].reply_gap / main.reply_gap, BROKEN, found["label"].reply_gap >= BROKEN * main.reply_gap,
              1.0)]
    if not quick:
        without = found["no-ser"]
        print(f"the emotion loss: behavioural SER {main.heard:.3f} with it, {without.heard:.3f} without; not claimed: "
              "these replies give their tone away, so the response loss alone teaches it", flush=True)
        claims += cascade_claims(track, main)
    return claims


def spread_of(found: EvaluateResult) -> Spread | None:
    """The interval over speakers, where there is one."""
    return (found.heard_interval[0], found.heard_interval[1]) if found.heard_interval else None


def below(what: str, found: EvaluateResult) -> Claim:
    """A control of its own: nothing was learned, so nothing may be told."""
    return Claim(f"{what} (chance is {CHANCE})", found.heard, CHANCE_LIMIT, found.heard <= CHANCE_LIMIT, CHANCE,
                 spread_of(found))


def cascade_claims(track: Track, main: EvaluateResult) -> list[Claim]:
    """The ordinary way, printed and held to nothing but chance: a probe names the emotion, the text model is told."""
    context = track.kept.context(track.kept.folder / "cascade")
    model, _ = open_model(Path(track.stage1().path), context)
    manifest = read_manifest(track.data.toned, "ser")
    whisper = open_whisper(context.resource(read_setup(Path(track.stage1().path)).base.encoder))
    features = kept_features(whisper, manifest, track.kept.folder)[:, LAYER]
    test = [i for i, row in enumerate(manifest.rows) if row.speaker in track.data.test]
    train = [i for i, row in enumerate(manifest.rows) if row.speaker not in {*track.data.test, *track.data.validation}]
    probe = fit(features[train], [manifest.rows[i].emotion for i in train], LAYER, EMOTIONS)
    answers = read_answers(answers_beside(track.answered().path))
    said = probe.tell(features[test])
    rows = [manifest.rows[i] for i in test]
    table = {(text, name): told_by(model, text, name, answers) for text in {row.text for row in rows}
             for name in EMOTIONS}
    truth, people = [row.emotion for row in rows], [row.speaker for row in rows]
    alone = score(truth, said, people, EMOTIONS)
    cascade = score(truth, [table[row.text, name] for row, name in zip(rows, said, strict=True)], people, EMOTIONS)
    print(f"probe of layer {LAYER} alone: UA {alone.ua:.3f}; cascade (its label told to the text model): "
          f"{cascade.ua:.3f}; speech-aware: {main.heard:.3f}", flush=True)
    return [Claim("behavioural SER of the cascade (a probe's label told to the text model), beside the probe alone",
                  cascade.ua, CHANCE_LIMIT, cascade.ua > CHANCE_LIMIT, alone.ua,
                  (cascade.ua_interval[0], cascade.ua_interval[1]) if cascade.ua_interval else None)]


def told_by(model: BlspEmo, text: str, emotion: str, answers: Mapping[str, Mapping[str, tuple[str, bool]]]) -> str:
    """The emotion whose answer is likeliest when the text model is told ``emotion``."""
    chances = likelihood(model, [model.layout.line(prompts.emotional(emotion), text, *answers[text][one])
                                 for one in EMOTIONS], None)
    return EMOTIONS[chances.index(max(chances))]
