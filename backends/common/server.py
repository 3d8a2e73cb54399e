"""One request to an OpenAI-compatible server: sent, read piece by piece, and every way it can fail in words.

Over ``httpx2`` (which huggingface_hub brings) and not ``huggingface_hub.InferenceClient``, because that client refuses
even a server on this machine when the hub is offline, follows redirects, and sends the person's stored hub token to
any address when no other key is given.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from workbench.contract import Json, UserError

KEY = "WORKBENCH_ENDPOINT_KEY"
"""Environment variable with the server's key. It is read from nowhere else and written nowhere."""
CONNECT_SECONDS, SILENCE_SECONDS = 5.0, 120.0
"""Longest wait for a connection, and for the next piece of an answer (ours: a big model may think before it speaks)."""
MOST_BYTES = 8 * 2**20
"""An answer longer than this is no answer."""


@dataclass(frozen=True)
class Server:
    """An address such as ``http://localhost:8000/v1`` and how long to wait for it."""

    base: str
    silence: float = SILENCE_SECONDS
    connect: float = CONNECT_SECONDS

    def url(self, path: str) -> str:
        """The address of one operation; a base without any path gets ``/v1``."""
        base = self.base.rstrip("/")
        return f"{base if urlsplit(base).path.strip('/') else base + '/v1'}/{path}"

    def get(self, path: str) -> Json:
        """The JSON at ``path``. ``UserError`` for every failure."""
        with self._client() as client:
            try:
                return self._json(self._checked(client.get(self.url(path))))
            except httpx2.HTTPError as error:
                raise self._broken(error) from error

    def stream(self, path: str, body: Mapping[str, Json]) -> Iterator[Json]:
        """Send ``body`` and yield the JSON of every ``data:`` line until ``[DONE]``; a plain JSON answer is yielded
        as the only one. ``UserError`` for every failure, also for an answer that breaks off."""
        with self._client() as client:
            try:
                with client.stream("POST", self.url(path), json=dict(body)) as response:
                    if response.status_code != 200:
                        response.read()
                    self._checked(response)
                    if "text/event-stream" in response.headers.get("content-type", ""):
                        yield from self._events(response)
                    else:
                        yield self._json(response)
            except httpx2.HTTPError as error:
                raise self._broken(error) from error

    def _events(self, response: httpx2.Response) -> Iterator[Json]:
        for line in _bounded(response, self.base):
            if not line.startswith("data:"):
                continue
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                return
            try:
                yield json.loads(data)
            except ValueError:
                raise nonsense(self.base, data) from None

    def _json(self, response: httpx2.Response) -> Json:
        text = "\n".join(_bounded(response, self.base))
        try:
            return json.loads(text)
        except ValueError:
            raise nonsense(self.base, text) from None

    def _client(self) -> httpx2.Client:
        key = os.environ.get(KEY, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        local = is_local(urlsplit(self.base).hostname or "")
        limits = httpx2.Timeout(self.silence, connect=self.connect)
        return httpx2.Client(headers=headers, timeout=limits, follow_redirects=False, trust_env=not local)

    def _checked(self, response: httpx2.Response) -> httpx2.Response:
        status = response.status_code
        if status == 200:
            return response
        said = spoken(response.text)
        if status in (401, 403):
            raise UserError(f"{self.base} refuses the request ({status}): {said}",
                            advice=f"Put the server's key into the environment variable {KEY} and start again.")
        if status in (404, 405):
            raise Unknown(f"{self.base} answers {status}: {said}",
                          advice="Check the address (it usually ends in /v1) and the model's name.")
        if status == 429:
            raise UserError(f"{self.base} is busy ({status}): {said}", advice="Wait a little or run fewer at once.")
        if 300 <= status < 400:
            raise UserError(f"{self.base} sends us elsewhere ({status}).", advice="Give the final address itself.")
        raise UserError(f"{self.base} failed ({status}): {said}",
                        advice="Look into the server's own log." if status >= 500 else "Check model name and settings.")

    def _broken(self, error: httpx2.HTTPError) -> UserError:
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            return UserError(f"No model server answers at {self.base}.",
                             advice="Start it, or correct the address of the endpoint.")
        if isinstance(error, httpx2.TimeoutException):
            return UserError(f"{self.base} sent nothing for {self.silence:g} seconds.",
                             advice="The server may be overloaded or stuck; try a shorter reply or look into its log.")
        return UserError(f"The answer of {self.base} broke off in the middle ({type(error).__name__}).",
                         advice="Look into the server's log, then try again.")


def is_local(host: str) -> bool:
    """Whether a host is this machine; no proxy is asked for it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Unknown(UserError):
    """The server does not know the address or the model."""


def nonsense(base: str, text: str) -> UserError:
    """The error for an answer that is not what an OpenAI-compatible server sends."""
    shown = " ".join(text.split())[:120]
    return UserError(f"{base} does not answer like an OpenAI-compatible server; it sent: {shown!r}.",
                     advice="Check the address; it usually ends in /v1.")


def spoken(text: str) -> str:
    """What an error answer says, at most 300 characters: the usual JSON places, else its text."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        found = text
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    return " ".join(str(found).split())[:300] or "no reason given"


def _bounded(response: httpx2.Response, base: str) -> Iterator[str]:
    """Lines of an answer of bounded size."""
    read, rest = 0, b""
    for piece in response.iter_bytes():
        read += len(piece)
        if read > MOST_BYTES:
            raise UserError(f"{base} sent more than {MOST_BYTES:,} bytes for one reply.",
                            advice="This is no answer of a language model; check the address.")
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
    if rest:
        yield rest.decode("utf-8", "replace")
