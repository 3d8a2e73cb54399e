"""Endpoints: servers that behave, servers that do not, and one real server process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backends.common.endpoint import AT_ONCE, EndpointModel, request
from backends.common.language import Decoding, Message, Prompt, open_model
from backends.common.server import KEY, Server, is_local, spoken
from tests.backends.engine_cases import chat, greedy, reference
from tests.backends.servers import Handler, piece, serving, sse
from workbench.contract import Cancelled, UserError

GREEDY = Decoding(temperature=0.0, max_new_tokens=12)
HELLO = [piece("Hel"), piece("lo"), piece("", "stop")]


def good(handler: Handler, path: str, body: dict) -> None:
    if path.endswith("/models"):
        handler.models("only")
    elif path.endswith("/completions") and "prompt" in body:
        choice = {"text": " upon a time", "finish_reason": "length"}
        handler.answer(sse({"choices": [choice]}), kind="text/event-stream")
    else:
        handler.answer(sse(*HELLO, {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}),
                       kind="text/event-stream")


def model(base: str, name: str = "only", silence: float = 1.0) -> EndpointModel:
    return EndpointModel(Server(base, silence=silence, connect=1.0), name)


def test_a_streamed_chat_reply() -> None:
    pieces: list[tuple[int, str]] = []
    with serving(good) as (base, seen):
        done = model(base, "").generate([chat("hi")], GREEDY, lambda row, text: pieces.append((row, text)))[0]
    assert (done.text, done.finish, done.tokens) == ("Hello", "stop", 2)
    assert pieces == [(0, "Hel"), (0, "lo")]
    path, body, _ = seen[0]
    assert path == "/v1/chat/completions"
    assert body["messages"] == [{"role": "system", "content": "You are kind."}, {"role": "user", "content": "hi"}]
    assert (body["model"], body["stream"], body["max_tokens"], body["temperature"]) == ("only", True, 12, 0.0)
    assert not {"stop", "top_k", "repetition_penalty", "min_tokens"} & set(body), "only what was set is sent"


def test_raw_text_goes_to_completions() -> None:
    with serving(good) as (base, seen):
        done = model(base).generate([Prompt(text="Once", prefill="!")], GREEDY)[0]
    assert (done.text, done.finish) == ("! upon a time", "length")
    assert (seen[0][0], seen[0][1]["prompt"]) == ("/v1/completions", "Once!")


def test_a_whole_answer_instead_of_a_stream_is_taken_too() -> None:
    def whole(handler: Handler, path: str, body: dict) -> None:
        handler.answer(b'{"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}')

    with serving(whole) as (base, _):
        assert model(base).generate([chat("hi")], GREEDY)[0].text == "Hello"


def test_options_beyond_the_standard_are_sent_when_they_are_set() -> None:
    decoding = Decoding(temperature=0.5, top_k=4, repetition_penalty=1.2, min_new_tokens=3, stop=("\n",), seed=5)
    path, body = request("m", chat("hi", prefill="I feel"), decoding, 2)
    assert path == "chat/completions"
    assert {k: body[k] for k in ("top_k", "repetition_penalty", "min_tokens", "stop", "seed")} == {
        "top_k": 4, "repetition_penalty": 1.2, "min_tokens": 3, "stop": ["\n"], "seed": 7}
    assert body["messages"][-1] == {"role": "assistant", "content": "I feel"}
    assert body["continue_final_message"] is True and body["add_generation_prompt"] is False


def test_a_stop_text_is_kept_even_by_a_server_that_ignores_it() -> None:
    with serving(good) as (base, _):
        done = model(base).generate([chat("hi")], Decoding(stop=("llo",)))[0]
    assert (done.text, done.finish) == ("He", "stop")


def test_a_batch_runs_at_once_but_not_without_limit() -> None:
    running = most = 0

    def slow(handler: Handler, path: str, body: dict) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.15)
        running -= 1
        text = body["messages"][-1]["content"]
        handler.answer(sse(piece(text, "stop")), kind="text/event-stream")

    with serving(slow) as (base, _):
        done = model(base).generate([chat(str(i)) for i in range(12)], GREEDY)
    assert [c.text for c in done] == [str(i) for i in range(12)]
    assert 2 <= most <= AT_ONCE


def hang(handler: Handler, path: str, body: dict) -> None:
    time.sleep(3)


def garbage(handler: Handler, path: str, body: dict) -> None:
    handler.answer(b"<html>I am a router</html>", kind="text/html")


def garbage_stream(handler: Handler, path: str, body: dict) -> None:
    handler.answer(b"data: {not json\n\n", kind="text/event-stream")


def wrong_shape(handler: Handler, path: str, body: dict) -> None:
    handler.answer(sse({"answer": 42}), kind="text/event-stream")


def wrong_types(handler: Handler, path: str, body: dict) -> None:
    handler.answer(sse({"choices": [{"delta": {"content": ["a", "list"]}}]}), kind="text/event-stream")


def a_list(handler: Handler, path: str, body: dict) -> None:
    handler.answer(b"[1, 2]")


def broken(handler: Handler, path: str, body: dict) -> None:
    handler.answer(b'{"error": {"message": "CUDA out of memory"}}', 500)


def error_in_stream(handler: Handler, path: str, body: dict) -> None:
    handler.answer(sse(piece("Hel"), {"error": {"message": "engine died"}}), kind="text/event-stream")


def half(handler: Handler, path: str, body: dict) -> None:
    handler.open_stream()
    handler.part(sse(piece("Hel"), done=False))


def cut(handler: Handler, path: str, body: dict) -> None:
    handler.open_stream(length=10_000)
    handler.part(sse(piece("Hel"), done=False))


def stall(handler: Handler, path: str, body: dict) -> None:
    handler.open_stream()
    handler.part(sse(piece("Hel"), done=False), pause=3)


def endless(handler: Handler, path: str, body: dict) -> None:
    handler.open_stream()
    for _ in range(200):
        handler.part(b"x" * 100_000)


def elsewhere(handler: Handler, path: str, body: dict) -> None:
    handler.answer(b"", 307, Location="http://127.0.0.1:9/steal")


def locked(handler: Handler, path: str, body: dict) -> None:
    handler.answer(b'{"detail": "no key"}', 401)


def crowded(handler: Handler, path: str, body: dict) -> None:
    handler.answer(b'{"error": "too many requests"}', 429)


def hang_up(handler: Handler, path: str, body: dict) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("behave", "says"), [
    (hang, "sent nothing for 1 seconds"), (stall, "sent nothing for 1 seconds"),
    (garbage, "does not answer like an OpenAI-compatible server.*router"),
    (garbage_stream, "does not answer like"), (wrong_shape, "does not answer like.*42"),
    (wrong_types, "does not answer like"), (a_list, "does not answer like"),
    (broken, r"failed \(500\): CUDA out of memory"), (error_in_stream, "failed.*engine died"),
    (half, "broke off after 3 characters"), (cut, "broke off in the middle"), (hang_up, "broke off in the middle"),
    (endless, "more than 8,388,608 bytes"), (elsewhere, r"sends us elsewhere \(307\)"),
    (locked, rf"refuses.*no key.*{KEY}"), (crowded, r"busy \(429\): too many requests")],
    ids=lambda value: getattr(value, "__name__", ""))
def test_a_server_that_misbehaves_is_told_in_a_sentence(behave: Callable, says: str) -> None:
    with serving(behave) as (base, _), pytest.raises(UserError, match=says) as caught:
        model(base).generate([chat("hi")], GREEDY)
    assert caught.value.advice and base in str(caught.value)


def test_nobody_at_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    for name in ("", "some"):
        with pytest.raises(UserError, match="No model server answers"):
            model(base, name).generate([chat("hi")], GREEDY)


def test_a_wrong_model_name_is_answered_with_the_right_ones() -> None:
    def unknown(handler: Handler, path: str, body: dict) -> None:
        if path.endswith("/models"):
            handler.models("alpha", "beta")
        else:
            handler.answer(b'{"error": {"message": "model not found"}}', 404)

    with serving(unknown) as (base, _):
        with pytest.raises(UserError, match=r"no model named 'gamma'.*alpha, beta"):
            model(base, "gamma").generate([chat("hi")], GREEDY)
        with pytest.raises(UserError, match=r"several models or none \(alpha, beta\).*#MODEL"):
            model(base, "").generate([chat("hi")], GREEDY)


def test_a_wrong_address_keeps_its_own_words() -> None:
    def nothing(handler: Handler, path: str, body: dict) -> None:
        handler.answer(b"not here", 404, kind="text/plain")

    with serving(nothing) as (base, _), pytest.raises(UserError, match=r"answers 404: not here.*usually ends in /v1"):
        model(base).generate([chat("hi")], GREEDY)


def test_one_bad_row_ends_the_batch_at_once() -> None:
    def second_fails(handler: Handler, path: str, body: dict) -> None:
        if body["messages"][-1]["content"] == "1":
            handler.answer(b"{}", 500)
        else:
            handler.open_stream()
            for _ in range(30):
                handler.part(sse(piece("a"), done=False), 0.1)

    began = time.monotonic()
    with serving(second_fails) as (base, _):
        with pytest.raises(UserError, match="500"):
            model(base).generate([chat(str(i)) for i in range(3)], GREEDY)
        assert time.monotonic() - began < 2.0


def test_a_cancel_is_felt_within_a_second_even_while_the_server_is_silent() -> None:
    began = time.monotonic()

    def cancelled() -> None:
        if time.monotonic() - began > 0.3:
            raise Cancelled

    with serving(hang) as (base, _):
        with pytest.raises(Cancelled):
            model(base, silence=30).generate([chat("hi")], GREEDY, None, cancelled)
        assert time.monotonic() - began < 1.0


def test_the_key_is_sent_from_its_variable_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    monkeypatch.setenv(KEY, "very-secret-key")
    monkeypatch.setenv("HF_TOKEN", "hf_someone_elses")
    with serving(good) as (base, seen):
        mine = model(base)
        mine.generate([chat("hi")], GREEDY)
        monkeypatch.delenv(KEY)
        mine.generate([chat("hi")], GREEDY)
    assert seen[0][2]["Authorization"] == "Bearer very-secret-key"
    assert "Authorization" not in seen[1][2], "no other key may be sent in its place"
    assert "very-secret-key" not in str(mine.card) + repr(vars(mine)) + caplog.text
    with serving(locked) as (base, _), pytest.raises(UserError) as caught:
        monkeypatch.setenv(KEY, "very-secret-key")
        model(base).generate([chat("hi")], GREEDY)
    assert "very-secret-key" not in str(caught.value)


def test_a_proxy_is_never_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(good) as (base, _):
        assert model(base).generate([chat("hi")], GREEDY)[0].text == "Hello"


def test_scoring_is_refused_with_advice() -> None:
    mine = model("http://127.0.0.1:9/v1")
    assert mine.card["can_score"] is False
    with pytest.raises(UserError, match=r"cannot score.*local model"):
        mine.score([chat("hi")], [["a"]])
    mine.forget(["a"])
    mine.close()
    assert mine.generate([], GREEDY) == []


@pytest.mark.parametrize(("base", "url"), [
    ("http://h:1", "http://h:1/v1/models"), ("http://h:1/", "http://h:1/v1/models"),
    ("http://h:1/v1", "http://h:1/v1/models"), ("https://h/api/v3/", "https://h/api/v3/models")])
def test_addresses(base: str, url: str) -> None:
    assert Server(base).url("models") == url


@pytest.mark.parametrize(("text", "words"), [
    ('{"error": {"message": "a b"}}', "a b"), ('{"error": "x"}', "x"), ('{"detail": [1]}', "[1]"), ("plain\n text",
     "plain text"), ("", "no reason given"), ("[]", "[]"), ("x" * 999, "x" * 300)])
def test_what_an_error_says(text: str, words: str) -> None:
    assert spoken(text) == words


@pytest.mark.parametrize(("host", "local"), [("localhost", True), ("127.0.0.2", True), ("::1", True), ("", False),
                                             ("10.0.0.1", False), ("localhost.evil.org", False)])
def test_what_is_this_machine(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_open_model_goes_to_the_server_of_the_card(tmp_path: Path) -> None:
    from workbench.context import MemoryContext
    from workbench.settings import Settings

    with serving(good) as (base, _):
        context = MemoryContext(tmp_path / "run", settings=Settings(home=tmp_path / "home"))
        mine = open_model(context, f"endpoint:{base}#only")
        assert isinstance(mine, EndpointModel) and mine.card["reference"] == f"endpoint:{base}#only"
        assert mine.generate([Prompt((Message("user", "hi"),))], GREEDY)[0].text == "Hello"


@pytest.fixture(scope="module")
def served(tiny_lm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """``transformers serve`` with the tiny model, as somebody else would run it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(tiny_lm), "--host", "127.0.0.1",
               "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    cache = tmp_path_factory.mktemp("hub-cache")  # it lists what lies there and fails where there is no such folder
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_CACHE": str(cache)}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    base, deadline = f"http://127.0.0.1:{port}/v1", time.monotonic() + 180
    try:
        while True:
            try:
                Server(base).get("models")
                break
            except UserError:
                if child.poll() is not None or time.monotonic() > deadline:
                    child.kill()
                    pytest.fail(f"transformers serve did not start: {child.communicate()[1][-2000:]!r}")
                time.sleep(0.3)
        yield base, tiny_lm
    finally:
        child.terminate()
        child.wait(20)


def test_a_real_server_gives_the_models_own_reply(served: tuple[str, Path]) -> None:
    from transformers import AutoTokenizer

    base, path = served
    mine = EndpointModel(Server(base), str(path))
    prompts = [chat("hello"), chat("how are you")]
    pieces: dict[int, str] = {0: "", 1: ""}
    done = mine.generate(prompts, GREEDY, lambda row, text: pieces.__setitem__(row, pieces[row] + text))
    tokenizer, plain = AutoTokenizer.from_pretrained(path), reference(path)
    for row, (prompt, reply) in enumerate(zip(prompts, done, strict=True)):
        assert reply.text == pieces[row]
        assert reply.text.rstrip("\ufffd") == greedy(plain, tokenizer, prompt, 12)
    with pytest.raises(UserError):
        EndpointModel(Server(base), "no/such-model").generate(prompts, GREEDY)
