"""What a tab of the page is, and everything a tab is given: the whole plug-in contract of the page.

A tab is one module under ``panels/`` with ``PANEL = Panel("dialogue", "dialogue.title", 10, build)``; ``build(shell)``
is called once, inside the tab's own Gradio context, and lays out components and handlers. A tab sees the
workbench only through ``shell`` and hands over to other tabs by run id, never by component values.

No Gradio here: component types are only named for the type checker, so command-line code may import this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from workbench.contract import Json

if TYPE_CHECKING:
    import gradio as gr
    from gradio.components import Component

    from workbench.service import Service

Lang = Literal["en", "zh-CN"]

QUICK: Mapping[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""Event options of a short read or write that answers in milliseconds (``button.click(fn, ..., **QUICK)``).

``gr.Info`` and ``gr.Warning`` reach the page from queued events only; ``UserError`` always does."""

QUEUED: Mapping[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
"""Event options of anything that may take longer, or that streams."""

LATEST: Mapping[str, Any] = {**QUEUED, "trigger_mode": "always_last"}
"""The same for what follows several fields: when more of them change while it works, it is asked once more at the end.

Without it, Gradio drops those later changes, and the page shows what fitted the fields of a moment ago."""


@dataclass(frozen=True)
class Panel:
    """One tab: a short ``id`` for addresses (``?tab=id``), the key of its title, its place, and its builder.

    ``shows`` are the beginnings of the task names whose runs the tab can show (``("sweetiechat.",)``): the Runs tab
    then offers to open such a run there, which calls what the tab registered with :meth:`Shell.on_open`."""

    id: str
    title_key: str
    order: int
    build: Callable[[Shell], None]
    shows: tuple[str, ...] = ()


class Shell(Protocol):
    """What ``build`` is given. Every method is safe to call while building unless it takes a ``request``.

    Three things learned by measuring. Give ``apply_default_css=False`` to every ``gr.HTML``: Gradio's default dresses
    buttons and headings its own way. Never listen to ``gr.HTML(..).change``: it fires again after every answer,
    without end; use ``select`` with data of your own. No layout (``Column`` ..) as output of a poll or a stream."""

    @property
    def service(self) -> Service:
        """The one door to runs, models and tasks."""

    def visitor(self, request: gr.Request) -> str:
        """Who asks: an opaque owner id made from the visitor cookie. Pass it to every ``service`` call."""

    def lang(self, request: gr.Request) -> Lang:
        """The reader's language: the switch's cookie, else the browser's wish, else English."""

    def t(self, lang: str, key: str, **values: Json) -> str:
        """The text for ``key`` (``assets/text/*.json``) with ``{name}`` places filled in; not HTML-escaped."""

    def label(self, key: str) -> str:
        """A mark for fixed texts (labels, button texts, choices, placeholders), given while building.

        It becomes the reader's language when the page is sent out; never use it in a value a handler returns
        (there use :meth:`t`)."""

    def guard(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a handler or generator: ``UserError`` becomes a message to the reader, anything else is
        logged and becomes "something went wrong here" without a trace of internals."""

    def on_poll(self, handler: Callable[..., Any], inputs: Sequence[Component] | None,
                outputs: Sequence[Component], every: float = 1.0) -> gr.Timer:
        """Call ``handler`` every ``every`` seconds (>= 0.1) while the tab is in view. It must be quick and return
        ``gr.skip()`` for whatever has not changed. Errors are logged, never shown again and again.

        Outside a tab (the status strip) it is called whatever tab is open."""

    def on_open(self, panel_id: str, handler: Callable[..., Any], inputs: Sequence[Component] | None,
                outputs: Sequence[Component], verb: str = "") -> None:
        """``handler(run_id, *inputs)`` is called when this tab is asked to show a run: by the page's address, or by
        a link of any tab. ``run_id`` is ``""`` when the page opens without one. May take a ``gr.Request``.
        With a ``verb`` it answers ``?do=verb`` links only (the Runs tab has ``again``)."""

    def open_link(self, panel_id: str, run_id: str, text: str, verb: str = "") -> str:
        """HTML of a link that brings a run to a tab (a real address, so it can also be opened elsewhere)."""

    def panel_for(self, task: str) -> Panel | None:
        """The tab that can show runs of this task, if one says so."""

    def note(self, value: str = "") -> gr.Textbox:
        """An unseen text that the browser keeps and sends back: the current run id, a digest of what was sent.

        It outlives a restart of the server, unlike ``gr.State``. The reader can change it: check rights."""

    def keep_run(self, panel_id: str, run: gr.Textbox) -> None:
        """Keep the run named by this :meth:`note` in the page's address, so that a reload opens it again."""

    def keep_state(self, panel_id: str, state: gr.Textbox) -> None:
        """Keep the text of this :meth:`note` (a filter, say) in the page's address, and put it back on a reload.

        The reader can write anything there: read it with care."""

    def example_button(self, key: str) -> gr.Button:
        """The one button of an empty state: a bundled example to press, titled by the text of ``key``."""

    def actions(self, run: gr.Textbox) -> None:
        """Lay out the actions every output carries, for the run named by this note: run id and badge, run
        again / change, copy as command, copy as Python, open in the Runs tab. They follow the note's changes."""
