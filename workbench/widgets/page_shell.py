"""What the page gives to its tabs: :class:`workbench.panel.Shell` made of Gradio components."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.components import Component

from workbench import text
from workbench.contract import Json, UserError
from workbench.panel import QUICK, Lang, Panel
from workbench.security import VISITOR_COOKIE, visitor_id
from workbench.service import Service
from workbench.widgets import actions, markup

LOG = logging.getLogger("workbench.page")
FASTEST_POLL = 0.1
"""Seconds; at most ten updates a second reach the page."""


@dataclass(frozen=True)
class Opener:
    """A handler that a tab registered for being asked to show a run."""

    panel_id: str
    verb: str
    handler: Callable[..., Any]
    inputs: Sequence[Component]
    outputs: Sequence[Component]


@dataclass(frozen=True)
class PageShell:
    """The :class:`workbench.panel.Shell` of a Gradio page."""

    service: Service
    panels: list[Panel] = field(default_factory=list)
    openers: list[Opener] = field(default_factory=list)
    timers: dict[str, list[gr.Timer]] = field(default_factory=dict)
    """Timers by the tab they are in; the key ``""`` is the page itself."""
    shelf: list[gr.Column] = field(default_factory=list)
    """Where notes lie, at the very front of the page: Gradio's browser code looks components up from the front for
    every update, and the notes are in every update."""

    def visitor(self, request: gr.Request) -> str:
        """The owner id of who asks; ``UserError`` when a caller has no visitor cookie."""
        owner = visitor_id(str(request.cookies.get(VISITOR_COOKIE, ""))) if request else ""
        if not owner:
            raise UserError("This request carries no visitor cookie.", advice="Load the page again.")
        return owner

    def lang(self, request: gr.Request) -> Lang:
        """The reader's language."""
        return text.choose(request.cookies.get(text.COOKIE), request.headers.get("accept-language"))

    def t(self, lang: str, key: str, **values: Json) -> str:
        """A text in ``lang``; see :func:`workbench.text.say`."""
        return text.say(lang, key, **values)

    def label(self, key: str) -> str:
        """A mark that becomes a text when the page is sent; see :func:`workbench.text.mark`."""
        return text.mark(key)

    def guard(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """``handler`` whose errors are shown in words; generators stay generators."""
        if inspect.isgeneratorfunction(handler):
            @functools.wraps(handler)
            def streamed(*values: Any) -> Any:
                try:
                    yield from handler(*values)
                except Exception as error:
                    raise self._shown(error, values) from None
            return streamed

        @functools.wraps(handler)
        def guarded(*values: Any) -> Any:
            try:
                return handler(*values)
            except Exception as error:
                raise self._shown(error, values) from None
        return guarded

    def _shown(self, error: Exception, values: Sequence[Any]) -> Exception:
        shown: Exception = error
        if isinstance(error, gr.Error):
            return shown
        request = next((v for v in values if isinstance(v, gr.Request)), None)
        lang = self.lang(request) if request else "en"
        if isinstance(error, UserError):
            shown = gr.Error(markup.esc(error), title=self.t(lang, "error.title"), duration=12, print_exception=False)
            return shown
        LOG.error("a handler failed", exc_info=error)
        shown = gr.Error(self.t(lang, "error.unexpected", kind=type(error).__name__),
                         title=self.t(lang, "error.title"), duration=12, print_exception=False)
        return shown

    def on_poll(self, handler: Callable[..., Any], inputs: Sequence[Component] | None,
                outputs: Sequence[Component], every: float = 1.0) -> gr.Timer:
        """Call ``handler`` regularly while in view; an error changes nothing on screen and is logged once each."""
        if every < FASTEST_POLL:
            raise ValueError(f"every is {every} seconds; it must be at least {FASTEST_POLL}")
        said: set[str] = set()

        @functools.wraps(handler)
        def polled(*values: Any) -> Any:
            try:
                return handler(*values)
            except Exception as error:
                if (line := f"{type(error).__name__}: {error}") not in said and len(said) < 100:
                    said.add(line)
                    LOG.warning("a poll failed: %s", line, exc_info=not isinstance(error, UserError))
                return gr.skip()
        timer = gr.Timer(every)
        self.timers.setdefault(self.building, []).append(timer)
        timer.tick(polled, list(inputs or ()), list(outputs), trigger_mode="once", **QUICK)
        return timer

    def on_open(self, panel_id: str, handler: Callable[..., Any], inputs: Sequence[Component] | None,
                outputs: Sequence[Component], verb: str = "") -> None:
        """Register what happens when this tab is asked to show a run (or to do ``verb`` with it)."""
        self.openers.append(Opener(panel_id, verb, handler, list(inputs or ()), list(outputs)))

    def open_link(self, panel_id: str, run_id: str, text: str, verb: str = "") -> str:
        """HTML of a link that brings a run to a tab."""
        return markup.open_link(panel_id, run_id, text, verb)

    @property
    def building(self) -> str:
        """The tab that is being laid out; ``""`` outside tabs."""
        return next(reversed(self.timers), "")

    def panel_for(self, task: str) -> Panel | None:
        """The tab that can show runs of this task."""
        return next((panel for panel in self.panels if panel.shows and task.startswith(panel.shows)), None)

    def note(self, value: str = "") -> gr.Textbox:
        """An unseen text that the browser keeps and sends back."""
        with self.shelf[0] if self.shelf else contextlib.nullcontext():
            return gr.Textbox(value, visible=False, show_label=False, container=False)

    def keep_run(self, panel_id: str, run: gr.Textbox) -> None:
        """Keep the run of this note in the page's address."""
        run.change(None, [run], None, js=f"(id) => {{ window.wb.keep('{panel_id}', id); }}", **QUICK)

    def keep_state(self, panel_id: str, state: gr.Textbox) -> None:
        """Keep the text of this note in the page's address, and put it back when the page is loaded."""
        gr.on(None, None, None, [state], js=f"() => window.wb.held('{panel_id}')", **QUICK)
        state.change(None, [state], None, js=f"(text) => {{ window.wb.hold('{panel_id}', text); }}", **QUICK)

    def example_button(self, key: str) -> gr.Button:
        """The button of an empty state."""
        return gr.Button(self.label(key), variant="primary", size="md", elem_classes="wb-example")

    def actions(self, run: gr.Textbox) -> None:
        """The actions that every output carries, for the run named by this note."""
        bar = gr.HTML(elem_classes="wb-actions", apply_default_css=False)

        def follow(run_id: str, request: gr.Request) -> str:
            return actions.bar(self.service, self.visitor(request), run_id, self.lang(request)) if run_id else ""
        run.change(self.guard(follow), [run], [bar], **QUICK)
