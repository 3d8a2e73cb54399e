"""The empty state: what will be here, why that is useful, and (beside it, as a button) one example to press."""

from __future__ import annotations

from workbench.widgets.markup import element, esc


def empty(title: str, words: str) -> str:
    """Title and a sentence or two; texts are plain, not HTML."""
    return element("div", f"<h3>{esc(title)}</h3><p>{esc(words)}</p>", class_="wb-empty")
