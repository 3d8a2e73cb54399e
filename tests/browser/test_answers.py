"""No answer is lost where an event is sent while the stream of answers ends: the page's own care, on streams made here,
and presses in quick succession on the real page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Sealed
from tests.pageserver import PageServer

FAKE = """async ({streams, joins, wait}) => {
  // `streams` are what the server sends, one list of pieces after another; `joins` are [milliseconds, id] of events
  const calls = [], held = [], encoder = new TextEncoder();
  const later = (ms) => new Promise((go) => setTimeout(go, ms));
  const fetch = async (input) => {
    const url = String(input?.url ?? input);
    calls.push(url.split('/').slice(-2).join('/'));
    if (url.endsWith('/queue/join')) {
      const [ms, id, status] = joins.shift();
      await later(ms);
      return new Response(JSON.stringify({event_id: id}), {status: status || 200});
    }
    if (!url.includes('/queue/data')) return new Response('other');
    const pieces = streams.shift();
    if (!pieces) return new Response('', {status: 404});
    return new Response(new ReadableStream({async start(out) {
      for (const piece of pieces) {
        await later(wait);
        out.enqueue(encoder.encode(piece));
      }
      out.close();
    }}), {headers: {'content-type': 'text/event-stream'}});
  };
  const steady = window.wb.steady(fetch), root = location.origin + '/gradio_api';
  const before = joins.length;
  for (let i = 0; i < before; i++) held.push(steady(root + '/queue/join', {method: 'POST'}).then((a) => a.json()));
  let text = '', failed = '';
  try {
    const answer = await steady(new Request(root + '/queue/data?session_hash=a'));
    text = await answer.text();
  } catch (error) { failed = String(error); }
  return {text, failed, calls, ids: (await Promise.all(held)).map((one) => one.event_id),
          other: await (await steady(root + '/info')).text()};
}"""
END = 'data: {"msg":"close_stream","event_id":null}\n\n'


def done(name: str, output: str = "") -> str:
    return f'data: {{"msg":"process_completed","event_id":"{name}","output":"{output}"}}\n\n'


@pytest.fixture(scope="module")
def page(browser: Any, server: PageServer) -> Any:
    return Sealed(browser).open(server.url)


def sent(page: Any, streams: list[list[str]], joins: list[list[Any]] | None = None, wait: int = 30) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(FAKE, {"streams": streams, "joins": joins or [], "wait": wait})
    assert found["other"] == "other"
    return found


def opened(found: dict[str, Any]) -> int:
    return sum("data" in call for call in found["calls"])


def test_the_end_is_passed_on_when_nothing_waits(page: Any) -> None:
    found = sent(page, [[done("a"), END]], [[0, "a"]])
    assert found["text"].startswith(done("a")) and found["text"].count("close_stream") == 1 and opened(found) == 1
    assert found["ids"] == ["a"]


def test_an_event_sent_before_the_end_is_waited_for(page: Any) -> None:
    """``b`` was sent in time, but the server had ended the stream: its answer comes with a second one."""
    found = sent(page, [[done("a"), END], [done("b"), END]], [[0, "a"], [0, "b"]])
    assert found["text"].index(done("a")) < found["text"].index(done("b"))
    assert found["text"].count("close_stream") == 1 and opened(found) == 2


def test_an_event_still_on_its_way_at_the_end_is_waited_for(page: Any) -> None:
    found = sent(page, [[done("a"), END], [done("b"), END]], [[0, "a"], [120, "b"]])
    assert done("b") in found["text"] and opened(found) == 2 and found["ids"] == ["a", "b"]


def test_an_answer_may_come_before_the_event_has_its_name(page: Any) -> None:
    found = sent(page, [[done("a"), done("b"), END]], [[0, "a"], [200, "b"]], wait=20)
    assert found["text"].count("process_completed") == 2 and found["text"].count("close_stream") == 1
    again = sent(page, [[done("c"), END]], [[0, "c"]])
    assert opened(again) == 1


def test_a_refused_event_is_not_waited_for(page: Any) -> None:
    found = sent(page, [[done("a"), END]], [[0, "a"], [0, "b", 422]])
    assert found["text"].count("close_stream") == 1 and opened(found) == 1


@pytest.mark.parametrize("size", [1, 7, 64])
def test_messages_come_whole_however_they_are_cut(page: Any, size: int) -> None:
    whole = done("a", "模型 " * 20) + done("b") + END
    pieces = [whole[i:i + size] for i in range(0, len(whole), size)]
    found = sent(page, [pieces], [[0, "a"], [0, "b"]], wait=0)
    assert found["text"].startswith(done("a", "模型 " * 20) + done("b")) and opened(found) == 1


def test_a_server_that_is_gone_is_not_asked_again(page: Any) -> None:
    """Without an end the stream just stops: the client says that the connection is broken."""
    found = sent(page, [[done("a")], [done("b"), END]], [[0, "a"], [0, "b"]])
    assert found["text"] == done("a") and opened(found) == 1


def test_a_stream_that_does_not_open_again_is_an_error(page: Any) -> None:
    found = sent(page, [[done("a"), END]], [[0, "a"], [0, "b"]])
    assert found["failed"] and not found["text"] and opened(found) == 2


def test_a_refused_stream_is_passed_as_it_is(page: Any) -> None:
    found = sent(page, [])
    assert found["text"] == "" and not found["failed"] and opened(found) == 1


def test_the_page_fetches_with_that_care(page: Any) -> None:
    assert "JOIN" in page.evaluate("String(window.fetch)")
