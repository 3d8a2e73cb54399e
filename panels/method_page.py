"""The page of a method, read inside its tab: ``assets/docs/<method>.md`` in the reader's language."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from workbench.panel import QUEUED, Shell

DOCS = Path(__file__).resolve().parent.parent / "assets" / "docs"


def page(method: str, lang: str) -> str:
    """The Markdown of a method's page; the English one where there is none in this language."""
    own = DOCS / f"{method}.{lang}.md"
    return (own if own.is_file() else DOCS / f"{method}.md").read_text(encoding="utf-8")


def lay_out(shell: Shell, tab: gr.Tab, method: str) -> gr.Markdown:
    """Lay out the page inside ``tab``; it is sent only when the tab is opened."""
    shown = gr.Markdown("", elem_classes="wb-method", sanitize_html=True)

    def opened(request: gr.Request) -> str:
        return page(method, shell.lang(request))

    tab.select(shell.guard(opened), None, shown, **QUEUED)
    return shown
