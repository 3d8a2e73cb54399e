// No answer is lost. The server ends the stream of answers when it has nothing more to say, and Gradio's client (seen in
// 6.31) then closes it even if an event was sent in that very moment: nobody fetches that event's answer, and the press
// seems to have done nothing. So the end is passed on only when no event is waiting; otherwise the stream is opened again
// behind the client's back. It reads the addresses and the heads of messages, nothing else.
const JOIN = "/queue/join", DATA = "/queue/data";
const KIND = /"msg":\s*"(\w+)"/, EVENT = /"event_id":\s*"([^"]+)"/, HEAD = 300;

// `fetch` with that care taken; `fetch` is the browser's own.
window.wb.steady = (fetch) => {
  const waiting = new Set(), answered = new Set(), sending = new Set();

  const named = async (answer) => {
    const {event_id: id} = answer.ok ? await answer.clone().json() : {};
    if (id && !answered.delete(id)) waiting.add(id);
  };
  const join = async (...request) => {
    const answer = fetch(...request), known = answer.then(named).catch(() => {});
    sending.add(known);
    await known;
    sending.delete(known);
    return answer;
  };
  // whether an event waits for its answer; events on their way get their names first
  const awaited = async () => {
    await Promise.all(sending);
    return waiting.size > 0;
  };

  // messages of one answer go to `out` as they come; says whether the server ended it
  const passed = async (reader, out) => {
    const encoder = new TextEncoder();
    let rest = "";
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return false;
      const messages = (rest + value).split("\n\n");
      rest = messages.pop();
      for (const message of messages) {
        const head = message.slice(0, HEAD), kind = KIND.exec(head)?.[1], id = EVENT.exec(head)?.[1];
        if (kind === "close_stream") return true;
        if (kind === "process_completed" && id && !waiting.delete(id)) answered.add(id);
        out.enqueue(encoder.encode(message + "\n\n"));
      }
    }
  };

  const stream = async (...request) => {
    const [input, options] = request;
    const again = () => fetch(input instanceof Request ? input.clone() : input, options);
    const first = await again();
    if (!first.ok || !first.body) return first;
    const read = (answer) => answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let reader = read(first);
    const start = async (out) => {
      try {
        let ended = await passed(reader, out);
        while (ended && await awaited()) {
          reader.cancel();
          const answer = await again();
          if (!answer.ok) throw new Error(`the stream of answers could not be opened again: ${answer.status}`);
          reader = read(answer);
          ended = await passed(reader, out);
        }
        reader.cancel();
        if (ended) out.enqueue(new TextEncoder().encode('data: {"msg":"close_stream"}\n\n'));
        out.close();
      } catch (error) {
        out.error(error);
      }
    };
    const body = new ReadableStream({start(out) { start(out); }, cancel: () => reader.cancel()});
    return new Response(body, {status: first.status, statusText: first.statusText, headers: first.headers});
  };

  return (...request) => {
    const {pathname} = new URL(request[0]?.url ?? request[0], location.href);
    return (pathname.endsWith(JOIN) ? join : pathname.endsWith(DATA) ? stream : fetch)(...request);
  };
};
window.fetch = window.wb.steady(window.fetch.bind(window));
