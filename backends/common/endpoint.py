"""A :class:`~backends.common.language.LanguageModel` that lives on an OpenAI-compatible server.

Works with whatever speaks that language (vLLM, llama.cpp, Ollama, ``transformers serve``). Chat prompts go to
``chat/completions``, raw text to ``completions``. Fields beyond the standard are sent only when a person set them;
``no_repeat_ngram`` has no counterpart there and is not sent. Such servers do not score texts.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from backends.common.language import Completion, Decoding, OnToken, Prompt
from backends.common.server import Server, Unknown, nonsense
from backends.common.shown import Shown
from workbench.contract import Json, UserError

AT_ONCE = 8
"""Requests of one batch that are under way together (ours; servers queue the rest themselves)."""
LOOK = 0.1
"""Seconds between two looks at the caller's cancel."""


@dataclass
class _Reply:
    """One row while its answer comes in."""

    shown: Shown
    tokens: int = 0
    prompt_tokens: int = 0
    finish: Literal["stop", "length"] | None = None
    began: float = field(default_factory=time.perf_counter)

    def completion(self) -> Completion:
        return Completion(self.shown.text, self.tokens, self.prompt_tokens, 0,
                          time.perf_counter() - self.began, self.finish or "stop")


class EndpointModel:
    """A model on a server. ``name`` may be empty where the server offers a single one."""

    def __init__(self, server: Server, name: str = "", card: Mapping[str, Json] | None = None) -> None:
        self.card: Mapping[str, Json] = {
            "reference": f"endpoint:{server.base}" + (f"#{name}" if name else ""), "kind": "chat", "languages": [],
            **(card or {}), "can_score": False}
        self._server, self._name = server, name

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding, on_token: OnToken | None = None,
                 cancelled: Callable[[], None] | None = None) -> list[Completion]:
        """Reply to every prompt, up to eight requests at a time. Always streamed, so that a cancel is felt."""
        if not prompts:
            return []
        name = self._named()
        replies = [_Reply(Shown(decoding.stop)) for _ in prompts]
        news: queue.SimpleQueue[tuple[int, str | BaseException | None]] = queue.SimpleQueue()
        stop, gate = threading.Event(), threading.Semaphore(AT_ONCE)

        def fetch(row: int) -> None:
            with gate:
                try:
                    if not stop.is_set():
                        self._reply(name, prompts[row], decoding, row, replies[row], lambda t: news.put((row, t)), stop)
                    news.put((row, None))
                except Exception as error:  # carried to the caller's thread and raised there
                    news.put((row, error))

        for row in range(len(prompts)):
            threading.Thread(target=fetch, args=(row,), daemon=True).start()
        try:
            self._collect(len(prompts), news, on_token, cancelled)
        finally:
            stop.set()
        return [reply.completion() for reply in replies]

    def score(self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]) -> list[list[list[float]]]:
        """Always a ``UserError``: these servers do not tell the probability of a given text."""
        raise UserError(f"{self._server.base} cannot score given texts: OpenAI-compatible servers have no such "
                        "operation.", advice="Use a local model here, or choose the counselor mode 'prompt'.")

    def forget(self, keys: Sequence[str]) -> None:
        """Nothing is kept on this side."""

    def close(self) -> None:
        """Nothing is held open between requests."""

    def names(self) -> list[str]:
        """Names of the models that the server offers."""
        answer = self._server.get("models")
        try:
            return [str(entry["id"]) for entry in answer["data"]]
        except (KeyError, TypeError):
            raise nonsense(self._server.base, str(answer)) from None

    def _named(self) -> str:
        if not self._name:
            names = self.names()
            if len(names) != 1:
                offered = ", ".join(names[:8]) or "none by name"
                raise UserError(f"{self._server.base} offers several models or none ({offered}), and none was chosen.",
                                advice=f"Write endpoint:{self._server.base}#MODEL.")
            self._name = names[0]
        return self._name

    def _collect(self, rows: int, news: queue.SimpleQueue[tuple[int, str | BaseException | None]],
                 on_token: OnToken | None, cancelled: Callable[[], None] | None) -> None:
        while rows:
            if cancelled is not None:
                cancelled()
            try:
                row, item = news.get(timeout=LOOK)
            except queue.Empty:
                continue
            if isinstance(item, BaseException):
                raise item
            if item is None:
                rows -= 1
            elif on_token is not None:
                on_token(row, item)

    def _reply(self, name: str, prompt: Prompt, decoding: Decoding, row: int, reply: _Reply,
               say: Callable[[str], None], stop: threading.Event) -> None:
        path, body = request(name, prompt, decoding, row)
        reply.shown.begin(prompt.prefill)
        try:
            for event in self._server.stream(path, body):
                if stop.is_set():
                    return
                if self._take(event, reply):
                    break
                _tell(reply, say)
        except Unknown as error:
            raise self._unknown(name, error) from error
        if reply.finish is None:
            raise UserError(f"The answer of {self._server.base} broke off after {len(reply.shown.text)} characters.",
                            advice="Look into the server's log, then try again.")
        _tell(reply, say, last=True)

    def _take(self, event: Json, reply: _Reply) -> bool:
        """Add one event to the reply; true when a stop text ended it."""
        try:
            if "error" in event:
                raise UserError(f"{self._server.base} failed: {str(event['error'])[:300]}",
                                advice="Look into the server's own log.")
            usage = event.get("usage") or {}
            reply.prompt_tokens = int(usage.get("prompt_tokens") or reply.prompt_tokens)
            choices = event["choices"]
            if not choices:
                return False
            text = _text(choices[0])
            reply.tokens = int(usage.get("completion_tokens") or reply.tokens + bool(text))
            why = choices[0].get("finish_reason")
        except (KeyError, TypeError, AttributeError, ValueError):
            raise nonsense(self._server.base, str(event)) from None
        if why:
            reply.finish = "length" if why == "length" else "stop"
        if reply.shown.add(text):
            reply.finish = "stop"
            return True
        return False

    def _unknown(self, name: str, error: Unknown) -> UserError:
        try:
            names = self.names()
        except UserError:
            return error
        if name in names:
            return error
        return UserError(f"{self._server.base} has no model named {name!r}.",
                         advice=f"It offers: {', '.join(names[:8]) or 'none by name'}.")


def request(name: str, prompt: Prompt, decoding: Decoding, row: int) -> tuple[str, dict[str, Json]]:
    """Path and body of one request. The seed of row i is ``seed + i``, so that rows of one batch differ."""
    body: dict[str, Json] = {
        "model": name, "stream": True, "max_tokens": decoding.max_new_tokens, "temperature": decoding.temperature,
        "top_p": decoding.top_p, "seed": (decoding.seed + row) % 2**31}
    extra = {"stop": list(decoding.stop), "top_k": decoding.top_k, "min_tokens": decoding.min_new_tokens,
             "repetition_penalty": decoding.repetition_penalty if decoding.repetition_penalty != 1.0 else 0}
    body |= {key: value for key, value in extra.items() if value}
    if prompt.text:
        return "completions", {**body, "prompt": prompt.text + prompt.prefill}
    messages = [{"role": m.role, "content": m.content} for m in prompt.messages]
    if prompt.prefill:
        messages.append({"role": "assistant", "content": prompt.prefill})
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    return "chat/completions", {**body, "messages": messages}


def _text(choice: Mapping[str, Json]) -> str:
    """The text of a streamed or whole answer, of the chat or the completions operation."""
    part = choice.get("delta") or choice.get("message")
    text = (part.get("content") if part is not None else choice.get("text")) or ""
    if not isinstance(text, str):
        raise ValueError("content is not text")
    return text


def _tell(reply: _Reply, say: Callable[[str], None], last: bool = False) -> None:
    text = reply.shown.ready(last)
    if text:
        say(text)
