"""The local language model: requests in, events out, one forward pass a step.

:class:`Engine` serves many requests at once (the resident process drives it); :class:`LocalModel` is the same for
one caller in the same process. Rows of all requests step together, whoever asked for them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import torch

from backends.common import scoring
from backends.common.batch import Batcher, piece_for
from backends.common.language import Completion, Decoding, OnToken, Prompt
from backends.common.loading import Loaded, open_folder
from backends.common.prompts import check_fit, continuation, encode
from backends.common.rows import Row
from backends.common.sampling import row_generator
from backends.common.shown import Detokenizer, Shown
from backends.common.threads import Choice, cache_budget, choose_speed
from workbench.contract import Json, UserError
from workbench.fields import from_json, to_json

Event = tuple[str, Json]
"""(request id, event): ``{"delta": [row, text]}``, ``{"result": ...}`` or ``{"error": text, "advice": text}``."""


@dataclass
class _Asked:
    """A generate request under way: which rows are its, and what they ended in."""

    rows: list[int]
    done: dict[int, Completion] = field(default_factory=dict)


class Engine:
    """Serves requests on one model. Not thread-safe: one thread calls it."""

    def __init__(self, loaded: Loaded, choice: Choice) -> None:
        self.loaded, self.choice = loaded, choice
        self._piece = piece_for(loaded.parameters, loaded.device.partition(":")[0])
        self._batch = Batcher(loaded.runner, loaded.ends, self._piece)
        self._numbers = count(2)
        self._asked: dict[str, _Asked] = {}
        self._scoring: dict[str, Generator[Json, None, None]] = {}
        self._events: list[Event] = []

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._asked or self._scoring or self._events)

    def submit(self, request: str, operation: str, payload: Mapping[str, Json]) -> None:
        """Take a request; what is wrong with it comes back as its error event."""
        operations = {"generate": self._generate, "score": self._score, "forget": self._forget, "info": self._info}
        try:
            if operation not in operations:
                raise UserError(f"A model cannot {operation!r}; it can {', '.join(operations)}.")
            operations[operation](request, payload)
        except UserError as error:
            self._events.append((request, {"error": error.message, "advice": error.advice}))

    def cancel(self, request: str) -> None:
        """Drop a request and its rows; unknown ones are no error (it may just have ended)."""
        asked, scores = self._asked.pop(request, None), self._scoring.pop(request, None)
        with torch.inference_mode():
            for number in asked.rows if asked else ():
                self._batch.drop(number)
            if scores is not None:
                scores.close()

    def step(self) -> list[Event]:
        """One forward pass of the batch and one of each scoring request; everything that happened."""
        with torch.inference_mode():
            for request, work in list(self._scoring.items()):
                result = next(work)
                if result is not None:
                    del self._scoring[request]
                    self._events.append((request, {"result": result}))
            if self._batch.busy:
                for row in self._batch.step():
                    self._finish(row)
        events, self._events = self._events, []
        return events

    def generate(self, request: str, prompts: Sequence[Prompt], decoding: Decoding, stream: bool) -> None:
        """Queue one row a prompt; all prompts are checked before the first is queued."""
        tokenizer, tokens = self.loaded.tokenizer, []
        for prompt in prompts:
            tokens.append(encode(tokenizer, prompt))
            check_fit(len(tokens[-1]), decoding.max_new_tokens, self.loaded.window)
        names = _names(prompts)
        rows = []
        for index, (prompt, ids) in enumerate(zip(prompts, tokens, strict=True)):
            say = self._say(request, index) if stream else None
            rows.append(Row(next(self._numbers), ids, prompt.prefill, prompt.key, decoding,
                            row_generator(decoding.seed, names[index], ids),
                            Detokenizer(tokenizer, ids), Shown(decoding.stop), say))
        self._asked[request] = _Asked([row.number for row in rows])
        for row in rows:
            self._batch.add(row)

    def info(self) -> dict[str, Json]:
        """What runs and how: precision, threads, window, memory."""
        loaded = self.loaded
        return {"dtype": loaded.dtype, "device": loaded.device, "threads": torch.get_num_threads(),
                "window": loaded.window, "vocabulary": loaded.vocabulary, "parameters": loaded.parameters,
                "packed": loaded.packed, "chat": bool(getattr(loaded.tokenizer, "chat_template", None)),
                "chosen": to_json(self.choice), "bytes": loaded.runner.memory()}

    def _generate(self, request: str, payload: Mapping[str, Json]) -> None:
        prompts = [from_json(Prompt, value) for value in payload["prompts"]]
        decoding = from_json(Decoding, payload["decoding"])
        if not prompts:
            self._events.append((request, {"result": []}))
            return
        self.generate(request, prompts, decoding, bool(payload.get("stream")))

    def _score(self, request: str, payload: Mapping[str, Json]) -> None:
        prompts = [from_json(Prompt, value) for value in payload["prompts"]]
        continuations = payload["continuations"]
        if len(prompts) != len(continuations):
            raise UserError(f"There are {len(prompts)} prompts but {len(continuations)} lists of continuations; "
                            "each prompt needs its own list.")
        questions = []
        for prompt, texts in zip(prompts, continuations, strict=True):
            ids = encode(self.loaded.tokenizer, prompt)
            tails = [continuation(self.loaded.tokenizer, prompt, ids, text) for text in texts]
            check_fit(len(ids), max(map(len, tails), default=0), self.loaded.window)
            questions.append(scoring.Question(next(self._numbers), prompt.key, ids, tails))
        self._scoring[request] = scoring.score(self.loaded.runner, questions, self.loaded.vocabulary,
                                               self._piece)

    def _forget(self, request: str, payload: Mapping[str, Json]) -> None:
        for key in payload["keys"]:
            self.loaded.runner.store.drop(key)
        self._events.append((request, {"result": None}))

    def _info(self, request: str, payload: Mapping[str, Json]) -> None:
        self._events.append((request, {"result": self.info()}))

    def _say(self, request: str, index: int) -> Callable[[str], None]:
        return lambda text: self._events.append((request, {"delta": [index, text]}))

    def _finish(self, row: Row) -> None:
        for request, asked in self._asked.items():
            if row.number in asked.rows:
                asked.done[row.number] = row.completion()
                if len(asked.done) == len(asked.rows):
                    del self._asked[request]
                    result = [to_json(asked.done[number]) for number in asked.rows]
                    self._events.append((request, {"result": result}))
                return


def _names(prompts: Sequence[Prompt]) -> list[str]:
    """What each row's randomness is named after: its key, numbered when it occurs again, or its place."""
    seen: dict[str, int] = {}
    names = []
    for index, prompt in enumerate(prompts):
        again = seen.get(prompt.key, 0)
        seen[prompt.key] = again + 1
        names.append(f"{prompt.key}#{again}" if prompt.key else str(index))
    return names


def load(path: str, settings: Mapping[str, Json]) -> Engine:
    """What the resident process calls: open the model folder ``path``.

    ``settings``: ``device`` ("auto", "cpu", "cuda:0"), ``threads`` (0 = measured), ``memo`` (file that remembers
    the measurement), ``trust_remote_code``, and ``dtype`` ("auto", "float32", "bfloat16")."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    choice = choose_speed(Path(path), settings)
    torch.set_num_threads(choice.threads)
    loaded = open_folder(Path(path), choice.dtype, choice.device, cache_budget(choice.device),
                         bool(settings.get("trust_remote_code", False)))
    return Engine(loaded, choice)


class LocalModel:
    """A :class:`~backends.common.language.LanguageModel` in this process, for benchmarks and tests."""

    def __init__(self, path: Path, card: Mapping[str, Json] | None = None, **settings: Any) -> None:
        self.card: Mapping[str, Json] = {"reference": f"path:{path}", "can_score": True, **(card or {})}
        self.engine = load(str(path), settings)

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding, on_token: OnToken | None = None,
                 cancelled: Callable[[], None] | None = None) -> list[Completion]:
        payload = {"prompts": to_json(prompts), "decoding": to_json(decoding), "stream": on_token is not None}
        return [from_json(Completion, value) for value in self._run("generate", payload, on_token, cancelled)]

    def score(self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]) -> list[list[list[float]]]:
        found: list[list[list[float]]] = self._run(
            "score", {"prompts": to_json(prompts), "continuations": to_json(continuations)}, None, None)
        return found

    def forget(self, keys: Sequence[str]) -> None:
        self._run("forget", {"keys": list(keys)}, None, None)

    def ask(self, operation: str, payload: Json) -> Iterator[Json]:
        """The same as a line to a resident process (``contract.Model``), for tasks that are run in this one."""
        yield {"result": self._run(operation, payload, None, None)}

    def close(self) -> None:
        """Drop weights and caches."""
        del self.engine

    def _run(self, operation: str, payload: Json, on_token: OnToken | None,
             cancelled: Callable[[], None] | None) -> Json:
        self.engine.submit("only", operation, payload)
        try:
            while True:
                for _, event in self.engine.step():
                    if "error" in event:
                        raise UserError(event["error"], advice=event["advice"])
                    if "delta" in event and on_token is not None:
                        on_token(*event["delta"])
                    if "result" in event:
                        return event["result"]
                if cancelled is not None:
                    cancelled()
        finally:
            self.engine.cancel("only")
