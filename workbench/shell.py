"""The page: one Gradio app whose tabs are the registered panels, behind the layers of ``security.py``.

``build(service)`` lays out the page, ``application(service)`` wraps it for the network, ``serve(settings)`` runs it.
A panel that does not load becomes a tab that says why; the others are not touched.
"""

from __future__ import annotations

import functools
import json
import os
import traceback
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs

import gradio as gr
from fastapi import FastAPI

from workbench import registry, text, web
from workbench.contract import load
from workbench.document import Document
from workbench.panel import QUEUED, QUICK, Panel
from workbench.security import App, protect
from workbench.service import Service
from workbench.settings import Settings
from workbench.theme import theme
from workbench.widgets import api, markup
from workbench.widgets.page_shell import LOG, Opener, PageShell
from workbench.widgets.strip import brand, strip, switches

BRIDGE = "document.addEventListener('wb:open', (e) => trigger('select', {address: e.detail}));"
UNLOAD = """element.addEventListener('click', (e) => { const b = e.target.closest('[data-wb-unload]');
  if (b) trigger('select', {reference: b.dataset.wbUnload}); });"""


def panels(extra: Sequence[Panel] = ()) -> list[Panel]:
    """Every registered panel in its order; one that does not import is replaced by a tab that says why."""
    found = list(extra)
    for dotted in registry.panels():
        try:
            found.append(load(f"{dotted}:PANEL"))
        except Exception as error:
            LOG.error("the panel %s does not load", dotted, exc_info=error)
            found.append(_broken(dotted, traceback.format_exc(limit=-2)))
    return sorted(found, key=lambda panel: panel.order)


def _broken(dotted: str, trace: str) -> Panel:
    def build(shell: Any) -> None:
        _show_failure(dotted, trace)
    return Panel(dotted.rsplit(".", 1)[-1], dotted.rsplit(".", 1)[-1], 900, build)


def _show_failure(name: str, trace: str) -> None:
    gr.HTML(f'<div class="wb-failed"><h2>{text.mark("panel.failed")}</h2><p><b>{markup.esc(name)}</b></p>'
            f'<pre>{markup.esc(trace)}</pre><p>{text.mark("panel.failed.advice")}</p></div>')


def build(service: Service, extra: Sequence[Panel] = ()) -> gr.Blocks:
    """The whole page, with ``extra`` tabs beside the registered ones. It holds no visitor's data."""
    shell = PageShell(service)
    with gr.Blocks(title=text.mark("app.name"), analytics_enabled=False, fill_width=True,
                   delete_cache=(3600, 24 * 3600)) as page:
        with gr.Column(elem_id="wb-shelf") as shelf:
            nowhere = gr.HTML(visible=False)
        shell.shelf.append(shelf)
        api.offer(shell)  # before the tabs: a handler of theirs with the same name would take the endpoint's
        _top(shell)
        found = panels(extra)
        shell.panels.extend(found)
        with gr.Tabs(elem_id="wb-tabs", selected=found[0].id if found else None) as tabs:
            made = {panel.id: _tab(shell, panel) for panel in found}
        for name, tab in made.items():
            _rest(shell, name, tab)
        _wire(shell, page, tabs, list(made))
        _quiet(page, nowhere)
    return page


def _quiet(page: gr.Blocks, nowhere: gr.HTML) -> None:
    """Let events without a progress display report to one unseen component instead of to all their outputs.

    Measured (``bench page``): Gradio's browser code hands every change of every event's status to each component that
    was ever an output, and walks through all children of those that are layout; 60 updates then take 18 times as long
    beside a full page as beside an empty one."""
    for event in page.fns.values():
        if event.show_progress == "hidden" and not event.show_progress_on:
            event.show_progress_on = [nowhere]


def _top(shell: PageShell) -> None:
    words = {"data-wb-lang": text.mark("strip.language"), "data-wb-theme": text.mark("strip.theme"),
             "light": text.mark("strip.light"), "dark": text.mark("strip.dark"), "auto": text.mark("strip.auto")}
    with gr.Row(elem_id="wb-top"):
        gr.HTML(brand(text.mark("app.name")), elem_id="wb-brand", apply_default_css=False)
        status = gr.HTML(f'<div class="wb-cells"><span class="wb-cell">{text.mark("strip.wait")}</span></div>',
                         js_on_load=UNLOAD, elem_id="wb-strip", apply_default_css=False)
        gr.HTML(switches(words), elem_id="wb-switches", apply_default_css=False)
        sent = shell.note()

    def look(before: str, request: gr.Request) -> Any:
        now = strip(shell.service.status(), shell.lang(request))
        return (gr.skip(), gr.skip()) if (key := str(hash(now))) == before else (now, key)

    def unload(event: gr.EventData, request: gr.Request) -> None:
        reference = str(event._data.get("reference", ""))
        shell.service.unload(reference)
        gr.Info(shell.t(shell.lang(request), "strip.unloaded", name=markup.esc(reference)), duration=4)
    shell.on_poll(look, [sent], [status, sent], every=2.0)
    status.select(shell.guard(unload), None, None, **QUEUED)


def _tab(shell: PageShell, panel: Panel) -> gr.Tab:
    title = text.mark(panel.title_key) if text.known(panel.title_key) else panel.title_key
    kept = len(shell.openers)
    shell.timers[panel.id] = []
    with gr.Tab(title, id=panel.id, elem_id=f"tab-{panel.id}") as tab:
        group = gr.Column(elem_classes="wb-tab")
        try:
            with group:
                panel.build(shell)
        except Exception as error:
            LOG.error("the panel %s does not build", panel.id, exc_info=error)
            del shell.openers[kept:]
            group.children.clear()
            with group:
                _show_failure(panel.id, traceback.format_exc(limit=-3))
    return tab


def _rest(shell: PageShell, name: str, tab: gr.Tab) -> None:
    """When a tab is opened: keep it in the address, wake its timers and put those of the other tabs to sleep."""
    timers = [(owner == name, timer) for owner, owned in shell.timers.items() if owner for timer in owned]
    active = json.dumps([{"__type__": "update", "active": mine} for mine, _ in timers])
    tab.select(None, None, [timer for _, timer in timers], **QUICK,
               js=f"() => {{ window.wb.tab('{name}'); return {active if len(timers) != 1 else active[1:-1]}; }}")


def _wire(shell: PageShell, page: gr.Blocks, tabs: gr.Tabs, ids: Sequence[str]) -> None:
    """Bring ``?tab=..&run=..&do=..`` to the panel it names, when the page opens and when a link is pressed.

    Both ways set one unseen text, whose change calls every panel. (The bridge's own ``change`` would not do: Gradio
    fires it again after every answer, without end.)"""
    address = shell.note()
    bridge = gr.HTML("", js_on_load=BRIDGE, elem_id="wb-bridge")

    def pressed(event: gr.EventData) -> str:
        return str(event._data.get("address", ""))

    def turn(address: str) -> Any:
        wanted = _address(address).get("tab", "")
        return gr.Tabs(selected=wanted) if wanted in ids else gr.skip()
    page.load(None, None, [address], js="() => window.wb.first || '?'", **QUICK)
    bridge.select(pressed, None, [address], **QUICK)
    address.change(turn, [address], [tabs], trigger_mode="multiple", **QUICK)
    for opener in shell.openers:
        address.change(shell.guard(_for_panel(opener)), [address, *opener.inputs], list(opener.outputs),
                       trigger_mode="multiple", **QUICK)


def _for_panel(opener: Opener) -> Callable[..., Any]:
    @functools.wraps(opener.handler)
    def opened(address: str, *values: Any) -> Any:
        asked = _address(address)
        mine = asked.get("tab", "") == opener.panel_id and asked.get("do", "") == opener.verb
        if not mine and (opener.verb or asked.get("tab")):
            return gr.skip()
        return opener.handler(asked.get("run", "") if mine else "", *values)
    return opened


def _address(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(str(query or "").lstrip("?")).items()}


def application(service: Service, key: str = "", extra: Sequence[Panel] = ()) -> App:
    """The page as an ASGI application: the workbench's own routes, Gradio beneath them, every layer around both."""
    boot, stamp = web.new_boot(), web.stamp()
    outer = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, routes=web.routes(service, boot))
    page = build(service, extra)
    gr.mount_gradio_app(
        outer, page, "/", server_name=service.settings.host, server_port=service.settings.port, footer_links=[],
        run_history=False, app_kwargs={"openapi_url": None}, allowed_paths=[],
        blocked_paths=[str(service.settings.home / name) for name in ("runs", "models", "index.sqlite")],
        show_error=False, max_file_size=service.settings.upload_mb * 2**20, ssr_mode=False, enable_monitoring=False,
        pwa=False, mcp_server=False, theme=theme())
    page.config = page.get_config_file()  # mounting took it before the theme was known
    return protect(Document(outer, boot, stamp), service.settings, key)


def serve(settings: Settings) -> None:
    """Serve the page until interrupted. Raises ``UserError`` when the address cannot be taken."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(settings.home / "cache" / "page")
    key = web.access_key(settings)
    web.run(lambda: application(Service(settings), key), settings, key)
