"""The page as it is built: tabs, guards, polls, hand-over by run id, and the document that leaves the server."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from workbench import document, registry, shell, text, web
from workbench.contract import UserError
from workbench.panel import QUICK, Panel
from workbench.service import Service
from workbench.settings import Settings
from workbench.widgets.page_shell import PageShell

TOKEN = "0123456789abcdef0123456789abcdef"


def asker(token: str = TOKEN, lang: str = "en", wish: str = "") -> Any:
    """A stand-in for ``gr.Request``: what handlers read of it."""
    made = gr.Request.__new__(gr.Request)
    made.request = types.SimpleNamespace(
        cookies={"wb_visitor": token, "wb_lang": lang}, headers={"accept-language": wish}
    )
    return made


@pytest.fixture
def host(settings: Settings, toys: str) -> PageShell:
    return PageShell(Service(settings))


@pytest.fixture
def page(settings: Settings, toys: str) -> gr.Blocks:
    return shell.build(Service(settings))


def with_panels(monkeypatch: pytest.MonkeyPatch, *panels: Any) -> None:
    """Let these panels be the registered ones; a text is a module that does not exist."""
    module = types.ModuleType("made_up_panels")
    names = []
    for number, panel in enumerate(panels):
        if isinstance(panel, str):
            names.append(panel)
            continue
        inner = types.ModuleType(f"made_up_{number}")
        inner.PANEL = panel
        monkeypatch.setitem(__import__("sys").modules, f"made_up_{number}", inner)
        names.append(f"made_up_{number}")
    monkeypatch.setattr(registry, "panels", lambda: tuple(names))
    assert module


# -- the whole page -------------------------------------------------------------------------------------------------


def test_every_registered_panel_is_a_tab_in_its_order(page: gr.Blocks) -> None:
    tabs = [
        block.id
        for block in page.blocks.values()
        if isinstance(block, gr.Tab) and str(block.elem_id).startswith("tab-")
    ]
    assert tabs == [panel.id for panel in shell.panels()] and tabs[-1] == "runs"


def test_no_event_is_public_but_the_listed_ones(page: gr.Blocks) -> None:
    public = sorted(str(fn.api_name) for fn in page.fns.values() if fn.api_visibility == "public")
    assert public == sorted(name.strip("/") for name in Path(__file__).with_name("public_api.txt").read_text().split())


def test_every_timer_answers_outside_the_queue_and_never_twice_at_once(page: gr.Blocks) -> None:
    ticks = [fn for fn in page.fns.values() if any(event == "tick" for _, event in fn.targets)]
    assert len(ticks) >= 3
    for fn in ticks:
        assert fn.queue is False and fn.trigger_mode == "once"
    assert all(timer.value >= 0.1 for timer in page.blocks.values() if isinstance(timer, gr.Timer))


def test_nothing_large_is_part_of_the_page(page: gr.Blocks) -> None:
    for component in page.get_config_file()["components"]:
        value = component["props"].get("value")
        assert len(json.dumps(value, default=str)) < 50_000, component["type"]
    assert not any(isinstance(block, gr.Dataframe) for block in page.blocks.values())


def test_every_mark_of_the_page_has_a_text(page: gr.Blocks) -> None:
    config = json.dumps(page.get_config_file(), ensure_ascii=False, default=str)
    marks = set(re.findall(r"⟦([^⟧]+)⟧", config))
    assert len(marks) > 20 and not sorted(key for key in marks if not text.known(key))


def test_no_component_offers_to_share_outside(page: gr.Blocks) -> None:
    for block in page.blocks.values():
        assert "share" not in (getattr(block, "buttons", None) or [])


def test_a_panel_that_does_not_import_is_a_tab_that_says_why(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    with_panels(monkeypatch, "panels.not_there", Panel("fine", "runs.title", 1, lambda s: gr.HTML("I am fine")))
    page = shell.build(Service(settings))
    shown = " ".join(str(b.value) for b in page.blocks.values() if isinstance(b, gr.HTML))
    assert "panels.not_there" in shown and "No module named" in shown and "I am fine" in shown
    assert "⟦panel.failed.advice⟧" in shown


def test_a_panel_that_fails_half_way_takes_nothing_with_it(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    def half(s: Any) -> None:
        box = gr.Textbox("half built")
        s.on_open("half", lambda run: run, None, [box])
        raise RuntimeError("half way")

    with_panels(
        monkeypatch,
        Panel("half", "runs.title", 1, half),
        Panel("fine", "runs.title", 2, lambda s: gr.HTML("I am fine")),
    )
    page = shell.build(Service(settings))
    config = page.get_config_file()
    placed = json.dumps(config["layout"])
    broken = next(c["id"] for c in config["components"] if c["props"].get("value") == "half built")
    assert f'"id": {broken}' not in placed.replace(f'"id": {broken}0', "")
    assert any("half way" in str(b.value) for b in page.blocks.values() if isinstance(b, gr.HTML))
    assert not [fn for fn in page.fns.values() if broken in [getattr(o, "_id", 0) for o in fn.outputs]]


def test_without_any_panel_the_page_still_stands(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    with_panels(monkeypatch)
    assert shell.build(Service(settings)).get_config_file()["title"] == "⟦app.name⟧"


# -- guards ---------------------------------------------------------------------------------------------------------


def test_what_the_reader_can_put_right_is_shown_as_text(host: PageShell) -> None:
    def handler(value: int, request: gr.Request) -> None:
        raise UserError("<b>beta</b> is 3.", advice="Choose less.")

    with pytest.raises(gr.Error) as caught:
        host.guard(handler)(1, asker(lang="zh-CN"))
    assert caught.value.message == "&lt;b&gt;beta&lt;/b&gt; is 3. Choose less." and caught.value.title == "操作未成功"


def test_what_nobody_foresaw_is_logged_and_not_shown(host: PageShell, caplog: pytest.LogCaptureFixture) -> None:
    def handler() -> None:
        raise ZeroDivisionError("secret/path.py")

    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as caught:
        host.guard(handler)()
    assert "ZeroDivisionError" in caught.value.message and "secret" not in caught.value.message
    assert "secret/path.py" in caplog.text and caught.value.__suppress_context__


def test_a_guarded_generator_streams_and_fails_in_words(host: PageShell) -> None:
    def handler() -> Iterator[int]:
        yield 1
        raise UserError("No more.")

    stream = host.guard(handler)()
    assert next(stream) == 1
    with pytest.raises(gr.Error, match=r"No more\."):
        next(stream)


def test_a_message_of_gradio_itself_passes(host: PageShell) -> None:
    error = gr.Error("mine")

    def handler() -> None:
        raise error

    with pytest.raises(gr.Error) as caught:
        host.guard(handler)()
    assert caught.value is error


def test_a_guard_keeps_the_request_annotation_that_gradio_looks_for(host: PageShell) -> None:
    def handler(value: str, request: gr.Request) -> str:
        return value

    inputs, *_ = gr.helpers.special_args(host.guard(handler), ["x"], request=asker())
    assert inputs[0] == "x" and isinstance(inputs[1], gr.Request)


# -- who asks, and in which language ---------------------------------------------------------------------------------


def test_a_visitor_is_known_by_cookie_alone(host: PageShell) -> None:
    assert host.visitor(asker()) == host.visitor(asker()) != host.visitor(asker("f" * 32))
    for bad in ("", "x", TOKEN + "0"):
        with pytest.raises(UserError, match="visitor"):
            host.visitor(asker(bad))


@pytest.mark.parametrize(
    ("cookie", "wish", "expected"), [("en", "zh", "en"), ("zh-CN", "en", "zh-CN"), ("", "zh-CN,zh", "zh-CN")]
)
def test_the_language_of_a_request(host: PageShell, cookie: str, wish: str, expected: str) -> None:
    assert host.lang(asker(lang=cookie, wish=wish)) == expected
    assert host.t(expected, "runs.title") and host.label("runs.title") == "⟦runs.title⟧"


# -- polls ----------------------------------------------------------------------------------------------------------


def test_a_poll_faster_than_ten_a_second_is_refused(host: PageShell) -> None:
    with gr.Blocks(), pytest.raises(ValueError, match=r"0\.1"):
        host.on_poll(lambda: None, None, [], every=0.05)


def test_a_poll_that_fails_changes_nothing_and_is_logged_once(
    host: PageShell, caplog: pytest.LogCaptureFixture
) -> None:
    def look() -> str:
        raise UserError("gone")

    with gr.Blocks() as page:
        box = gr.Textbox()
        host.on_poll(look, None, [box], every=1.0)
    polled = next(fn.fn for fn in page.fns.values() if any(event == "tick" for _, event in fn.targets))
    with caplog.at_level(logging.WARNING):
        assert polled() == polled() == gr.skip()
    assert caplog.text.count("gone") == 1


def test_timers_of_other_tabs_sleep(page: gr.Blocks) -> None:
    selects = [fn for fn in page.fns.values() if fn.js and "wb.tab(" in str(fn.js)]
    assert len(selects) == len(shell.panels())
    for fn in selects:
        wanted = json.loads(re.search(r"return (.*); }", fn.js)[1])
        states = [s["active"] for s in (wanted if isinstance(wanted, list) else [wanted])]
        assert len(states) == len(fn.outputs) and any(states) and not all(states)


# -- hand-over ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "verb", "expected"),
    [
        ("?tab=runs&run=r1", "", "r1"),
        ("?tab=other&run=r1", "", gr.skip()),
        ("", "", ""),
        ("?run=r1", "", ""),
        ("?tab=runs&run=r1&do=again", "", gr.skip()),
        ("?tab=runs&run=r1&do=again", "again", "r1"),
        ("?tab=runs&run=r1", "again", gr.skip()),
        ("", "again", gr.skip()),
        ("?tab=runs", "", ""),
        ("?tab=runs&run=r%26x&n=4", "", "r&x"),
        (None, "", ""),
    ],
)
def test_only_the_named_tab_and_verb_get_the_run(address: Any, verb: str, expected: Any) -> None:
    opener = shell.Opener("runs", verb, lambda run, other: (run, other), [], [])
    got = shell._for_panel(opener)(address, "kept")
    assert got == expected if isinstance(expected, dict) else got == (expected, "kept")


def test_the_tab_for_a_task_is_the_one_that_says_so(host: PageShell) -> None:
    panel = Panel("count", "runs.title", 1, lambda s: None, shows=("toys.",))
    host.panels.extend([Panel("none", "runs.title", 0, lambda s: None), panel])
    assert host.panel_for("toys.count.v1") is panel and host.panel_for("other.v1") is None


def test_links_are_real_addresses(host: PageShell) -> None:
    assert 'href="?tab=dialogue&amp;run=r1"' in host.open_link("dialogue", "r1", "Open")
    assert "do=again" in host.open_link("runs", "r1", "Again", verb="again")


def test_the_action_bar_follows_the_run_and_hides_what_is_not_ours(
    settings: Settings, toys: str, host: PageShell
) -> None:
    from workbench.widgets.actions import bar

    mine, other = host.visitor(asker()), host.visitor(asker("f" * 32))
    run = host.service.submit("toys.add.v1" if False else "toys.count.v1", {"steps": 3}, visitor=mine)
    shown = bar(host.service, mine, run, "en")
    assert run in shown and "launch.py run toys.count.v1" in shown and "service.submit" in shown and "do=again" in shown
    assert "There is no run" in bar(host.service, other, run, "en") and "launch.py" not in bar(
        host.service, other, run, "en"
    )
    assert host.service.wait(mine, run, 30).status == "succeeded"


# -- the document ---------------------------------------------------------------------------------------------------

PAGE = (
    '<!doctype html>\n<html\n\tlang="en"\n><head><meta property="og:url" content="https://x" />\n'
    '<meta\n name="twitter:a" />'
    '<script>window.gradio_config = {"components":[{"type":"tabs","props":{"selected":"dialogue","elem_id":"wb-tabs"}},'
    '{"props":{"elem_id":"tab-runs"}},{"props":{"label":"⟦runs.title⟧"}}]};</script><script data-x></script></head>'
)


def reader(**changes: Any) -> document.Reader:
    return document.Reader(**{"lang": "en", "theme": "", "nonce": "N0", "tab": "", **changes})


def test_the_document_speaks_the_readers_language_from_the_first_byte() -> None:
    made = document.rewrite(PAGE, reader(lang="zh-CN"), "b", "s")
    assert '<html\n\tlang="zh-CN"' in made and '"label":"运行"' in made and "<title>语言研究工作台</title>" in made
    assert 'lang: "zh-CN"' in made and "⟦" not in made


def test_the_document_gives_every_script_its_nonce_and_loses_outside_addresses() -> None:
    made = document.rewrite(PAGE, reader(), "b", "s")
    assert made.count('<script nonce="N0"') == made.count("<script") == 5
    assert made.index("answers.js?s") < made.index("page.js?s")
    assert "https://" not in made and "/workbench/static/style.css?s" in made and 'boot: "b"' in made


@pytest.mark.parametrize(
    ("tab", "expected"), [("runs", "runs"), ("", "dialogue"), ("nope", "dialogue"), ('"><script>', "dialogue")]
)
def test_the_document_opens_the_tab_of_its_address(tab: str, expected: str) -> None:
    made = document.rewrite(PAGE, reader(tab=tab), "b", "s")
    assert f'"selected":"{expected}"' in made and "<script>" not in made.replace('<script nonce="N0">', "")


@pytest.mark.parametrize(("theme", "expected"), [("dark", 'theme: "dark"'), ("", 'theme: ""')])
def test_the_document_knows_light_and_dark(theme: str, expected: str) -> None:
    assert expected in document.rewrite(PAGE, reader(theme=theme), "b", "s")


def serve(path: str, headers: dict[str, str], status: int = 200, body: str = PAGE) -> tuple[dict[str, str], bytes]:
    """One answer of the document layer alone."""
    sent: list[dict] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert b"accept-encoding" not in dict(scope["headers"]) or path not in ("/", "/config")
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"1")]})
        for part in (body[:40], body[40:]):
            await send({"type": "http.response.body", "body": part.encode(), "more_body": part == body[:40]})

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": path,
        "query_string": b"tab=runs",
        "nonce": "N0",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }
    asyncio.run(document.Document(app, "b", "s")(scope, None, send))
    start = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return start, b"".join(message.get("body", b"") for message in sent[1:])


def test_the_layer_rewrites_the_two_descriptions_of_the_page_only() -> None:
    headers, body = serve("/", {"cookie": "wb_lang=zh-CN; wb_theme=dark"})
    assert "运行" in body.decode() and 'theme: "dark"' in body.decode() and headers["content-length"] == str(len(body))
    assert '"selected":"runs"' in body.decode() and headers["cache-control"] == "no-store"
    assert "运行" in serve("/config", {"accept-language": "zh"})[1].decode()
    assert serve("/other", {})[1].decode() == PAGE
    assert "⟦" in serve("/", {}, status=500)[1].decode()


def test_a_made_up_theme_cookie_is_no_theme() -> None:
    body = serve("/", {"cookie": "wb_theme=</script>"})[1].decode()
    assert 'theme: ""' in body


def test_the_document_is_compressed_when_asked() -> None:
    import gzip

    headers, body = serve("/", {"accept-encoding": "gzip, br"}, body=PAGE + " " * 2000)
    assert headers["content-encoding"] == "gzip" and "Runs" in gzip.decompress(body).decode()


# -- the server -----------------------------------------------------------------------------------------------------


def test_a_taken_port_is_said_in_words(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match=r"running already\? Stop it"):
            web.listen(Settings(home=tmp_path, port=taken.getsockname()[1]))


def test_an_address_that_is_not_ours_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="host and port"):
        web.listen(Settings(home=tmp_path, host="203.0.113.7", port=0))


@pytest.mark.parametrize(
    ("host", "names", "key", "start", "end"),
    [
        ("127.0.0.1", (), "", "http://127.0.0.1:", "/"),
        ("0.0.0.0", ("gpu-box.lan",), "k", "http://gpu-box.lan:", "/?key=k"),
    ],
)
def test_the_address_to_open(tmp_path: Path, host: str, names: tuple[str, ...], key: str, start: str, end: str) -> None:
    settings = Settings(home=tmp_path, host=host, port=0, allowed_hosts=names)
    with web.listen(settings) as listener:
        made = web.address(settings, listener, key)
        assert made.startswith(start) and made.endswith(end) and listener.getsockname()[1] > 0


def test_the_stamp_follows_the_assets_and_boots_differ() -> None:
    assert web.stamp() == web.stamp() and len(web.stamp()) == 12 and web.new_boot() != web.new_boot()


def test_quick_events_are_private() -> None:
    assert QUICK["api_visibility"] == "private" and QUICK["queue"] is False
