"""``reproduce`` part: what a training run must be able to prove (spec A.8, 1.H).

A small Transformer is trained on the practice dialogues by the task ``sweetiechat.train.v1`` itself. One run is killed
with SIGKILL between two of its steps and continued by another process; its weights must be those of a run that nobody
disturbed, bit for bit. And the loss is taken apart: which tokens are learned, what packing changes, what the seeker's
turns pull at, whether replies end, and whether training reads the ids of use.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.common.prompts import encode
from backends.common.training.examples import CONTEXT, END, LEARNED, Example, apart, end_ids, pack, prepare
from backends.sweetiechat import train
from backends.sweetiechat.agent import Agent
from backends.sweetiechat.conditioning_small import Size, make_model, tokenizer_for
from backends.sweetiechat.evaluate_turns import cases_of
from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.train_requests import TrainRequest
from backends.sweetiechat.train_text import Variant, lines_of, replies_of
from workbench import hub
from workbench.context import MemoryContext
from workbench.contract import MissingResource
from workbench.evidence import Claim, Reproduction
from workbench.machine import ROOT
from workbench.settings import Settings

SMALL = Size(width=32, layers=2, vocabulary=400)
STEPS, KILL_AT = 8, 3
WAIT = 180.0
VARIANTS: tuple[Variant, ...] = ("joint", "given", "plain")
WINDOW = 100_000
"""So long that no chat of the checks is cut."""


class Slow(MemoryContext):
    """Waits after every report, so that a kill falls between two steps."""

    def report(self, step: int, total: int, message: str = "") -> None:
        super().report(step, total, message)
        if step >= KILL_AT:
            time.sleep(0.25)


def training(settings: Settings, quick: bool = False) -> Reproduction:
    """All claims; under a minute on one free core."""
    began = time.monotonic()
    dialogues = import_dialogues(ASSETS / "practice.esconv.json").dialogues
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model = make_model(place / "start", tokenizer_for(dialogues, SMALL), SMALL, 0)
        found = [killed(place, model, settings, method) for method in (("lora",) if quick else ("lora", "full"))]
        found += taken_apart(model, dialogues)
        found += ids_of_use(settings, model, dialogues)
    return Reproduction("training", tuple(found), time.monotonic() - began)


def request(model: Path, method: str, seed: int = 0) -> TrainRequest:
    """A short run with dropout, so that the state of the random numbers matters."""
    return TrainRequest(model=f"path:{model}", method=method, rank=4, alpha=8, dropout=0.2,  # type: ignore[arg-type]
                        max_steps=STEPS, batch=2, length=512, save_every=1, held_out=0.2, learning_rate=1e-3, seed=seed)


def weights(run: Path) -> dict[str, str]:
    """sha256 of the bytes of every tensor that a run saved."""
    from safetensors import safe_open

    found: dict[str, str] = {}
    for path in sorted((run / "artifacts" / "model").glob("*.safetensors")):
        with safe_open(str(path), framework="np") as file:
            found |= {name: hashlib.sha256(file.get_tensor(name).tobytes()).hexdigest() for name in list(file.keys())}
    return found


def killed(place: Path, model: Path, settings: Settings, method: str) -> Claim:
    """Three runs: undisturbed, killed and continued, and one with another seed as the control."""
    whole, broken, other = (place / f"{method}-{name}" for name in ("whole", "broken", "other"))
    train.run(request(model, method), MemoryContext(whole, settings=settings))
    at = start_and_kill(broken, model, method)
    train.run(request(model, method), MemoryContext(broken, settings=settings))
    train.run(request(model, method, seed=1), MemoryContext(other, settings=settings))
    expected, found, control = (weights(run) for run in (whole, broken, other))
    differ = [sum(expected[name] != table[name] for name in expected) for table in (found, control)]
    return Claim(f"{method} run of {STEPS} steps, killed with SIGKILL after step {at} and continued by another "
                 f"process: tensors of {len(expected)} that differ in any bit from those of an undisturbed run; "
                 "control: those that differ with another seed", float(differ[0]), 0.0,
                 differ[0] == 0 and 0 < at < STEPS and differ[1] > 0, float(differ[1]))


def start_and_kill(run: Path, model: Path, method: str) -> int:
    """Start the run in a process of its own and kill it once its third checkpoint is there; the newest step."""
    command = [sys.executable, "-m", "backends.sweetiechat.reproduce_training", str(run), str(model), method]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             start_new_session=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        until = time.monotonic() + WAIT
        while time.monotonic() < until and child.poll() is None and len(_steps(run)) < 2:
            time.sleep(0.05)
        while time.monotonic() < until and child.poll() is None and max(_steps(run), default=0) < KILL_AT:
            time.sleep(0.02)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    finally:
        child.wait()
    return max(_steps(run), default=0) if child.returncode == -signal.SIGKILL else 0


def _steps(run: Path) -> list[int]:
    return [int(path.name.partition("-")[2]) for path in (run / "checkpoints").glob("step-*")]


def taken_apart(path: Path, dialogues: Sequence[Dialogue]) -> list[Claim]:
    """Mask, packing, the seeker's gradient, and the ends of the replies, in float64."""
    from backends.common.loading import open_tokenizer, open_weights

    tokenizer, model = prepare(open_tokenizer(path)), open_weights(path, "float64", "cpu")
    some = dialogues[:3]
    packed = [e for d in some for e in pack(tokenizer, d.id, replies_of(d, "joint"), WINDOW)]
    single = [e for d in some for e in apart(tokenizer, d.id, replies_of(d, "joint"), WINDOW)]
    expected = sum(len(tokenizer(text, add_special_tokens=False)["input_ids"]) for d in some
                   for reply in replies_of(d, "joint") for text in (reply.head, reply.text))
    ends = [kind == END for e in packed for kind in e.kinds]
    learned = sum(e.learned for e in packed)
    everything = sum(len(e.ids) for e in packed)
    loss, together = _loss(model, single), _loss(model, packed)
    seeker = [Example(e.name, e.ids, (CONTEXT,) * len(e.ids), e.replies) for e in packed]
    finished = sum(_ends_in(e, tokenizer) for e in single) / len(single)
    return [
        Claim(f"learned tokens ({learned}) minus the tokens of the supporter's strategies, words and ends; control: "
              "the same with nothing masked", float(learned - expected - sum(ends)), 0.0,
              learned == expected + sum(ends), float(everything - expected - sum(ends))),
        Claim(f"loss of {len(packed)} packed dialogues against {len(single)} single replies, relative difference",
              abs(together - loss) / loss, 1e-9, abs(together - loss) < 1e-9 * loss),
        Claim("length of the gradient of a batch in which only the seeker speaks; control: of the same batch with its "
              "replies", _gradient(model, seeker), 0.0, _gradient(model, seeker) == 0.0 < _gradient(model, packed),
              _gradient(model, packed)),
        Claim("share of replies whose last learned token is the end of a reply", finished, 1.0, finished == 1.0)]


def _ends_in(example: Example, tokenizer: Any) -> bool:
    last = max(place for place, kind in enumerate(example.kinds) if kind in LEARNED)
    return example.kinds[last] == END and example.ids[last] == end_ids(tokenizer)[-1]


def _value(model: Any, examples: Sequence[Example]) -> Any:
    from backends.common.training.batches import collate
    from backends.common.training.objective import Objective, loss_of

    return loss_of(Objective(model)(collate(examples, 0)), 1.0, float(sum(e.replies for e in examples)))


def _loss(model: Any, examples: Sequence[Example]) -> float:
    total = sum(e.replies for e in examples)
    return float(sum(_value(model, [e]).item() * e.replies for e in examples) / total)


def _gradient(model: Any, examples: Sequence[Example]) -> float:
    model.zero_grad(set_to_none=True)
    _value(model, examples).backward()
    return float(sum(float((p.grad**2).sum()) for p in model.parameters() if p.grad is not None) ** 0.5)


def ids_of_use(settings: Settings, small: Path, dialogues: Sequence[Dialogue]) -> list[Claim]:
    """Chat-template equality: the prompt of every turn is, token for token, the beginning of the training example."""
    from backends.common.loading import open_tokenizer

    folders = {"the small model": small}
    with contextlib.suppress(MissingResource):  # the claim is then made for one tokenizer, and says so
        folders["the default model"] = hub.resolve(settings.default_model, settings).path
    made = []
    for name, folder in folders.items():
        tokenizer = prepare(open_tokenizer(folder))
        wrong = total = 0
        for variant in VARIANTS:
            for dialogue in dialogues[:4]:
                bad, seen = compare_ids(tokenizer, dialogue, Agent("", variant, None))
                wrong, total = wrong + bad, total + seen
        made.append(Claim(f"prompts in use whose ids are not those of training, of {total} (three variants, tokenizer "
                          f"of {name})", float(wrong), 0.0, wrong == 0 < total))
    return made


def compare_ids(tokenizer: Any, dialogue: Dialogue, agent: Agent) -> tuple[int, int]:
    """(prompts that differ, prompts compared) over the turns of a dialogue."""
    wrong = total = 0
    (example, *_) = pack(tokenizer, dialogue.id, replies_of(dialogue, agent.variant), WINDOW)
    for case in cases_of(dialogue, 0):
        if len(lines_of(case.history)) != len(case.history.turns):
            continue  # turns of one speaker in a row are one line
        for key in ("", case.gold):
            ids = encode(tokenizer, agent.prompt(case.history, key))
            wrong += list(example.ids[:len(ids)]) != ids
            total += 1
    return wrong, total


def main() -> None:
    """The run that is going to be killed."""
    run, model, method = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    train.run(request(model, method), Slow(run, settings=Settings(home=run / "home", threads=1)))


if __name__ == "__main__":
    main()
