"""The list of runs: at most fifty rows, filtered and paged by the server, that keeps its place while it changes."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.runs import Run
from workbench.text import gloss, say
from workbench.widgets.markup import duration, element, esc, moment

PAGE = 50
ON_LOAD = """element.addEventListener('click', (e) => {
  const page = e.target.closest('[data-page]'), row = e.target.closest('[data-wb-row]');
  if (page) trigger('select', {page: Number(page.dataset.page)});
  else if (row && !(e.metaKey || e.ctrlKey || e.shiftKey)) {
    e.preventDefault();
    for (const other of element.querySelectorAll('[aria-current]')) other.removeAttribute('aria-current');
    row.setAttribute('aria-current', 'true');
    trigger('select', {run: row.dataset.wbRow});
  }
});"""
"""Rows are links, so Enter presses them and they can be opened elsewhere; a plain press stays on the page."""


def status_mark(status: str, lang: str) -> str:
    """A coloured word for a status; the word carries the meaning, the colour only helps."""
    return element("span", esc(say(lang, f"status.{status}")), class_=f"wb-status wb-status-{status}")


def run_list(runs: Sequence[Run], count: int, offset: int, chosen: str, lang: str) -> str:
    """One page of rows with its pager; the row of the run ``chosen`` is marked as current."""
    rows = "".join(_row(run, run.id == chosen, lang) for run in runs[:PAGE])
    listed = element("div", rows, class_="wb-runs", role="list", aria_label=say(lang, "runs.list"))
    return listed + _pager(len(runs), count, offset, lang)


def _row(run: Run, current: bool, lang: str) -> str:
    title = element("span", esc(gloss(lang, run.title) or run.task or run.id), class_="wb-run-title")
    shared = element("span", esc(say(lang, "runs.shared")), class_="wb-tag") if run.shared else ""
    took = duration(run.seconds, lang) if run.finished else ""
    facts = " · ".join(part for part in (esc(run.task), moment(run.created), took) if part)
    line = element("span", facts, class_="wb-run-facts") + (_bar(run) if run.active and run.total else "")
    return element("a", title + shared + status_mark(run.status, lang) + line, class_="wb-run", role="listitem",
                   href=f"?tab=runs&run={run.id}", data_wb_row=run.id, aria_current="true" if current else None)


def _bar(run: Run) -> str:
    share = min(1.0, run.step / run.total) if run.total else 0.0
    return f'<span class="wb-run-bar"><i style="width:{share:.1%}"></i></span>'


def _pager(shown: int, count: int, offset: int, lang: str) -> str:
    if not shown or count <= PAGE:
        return ""
    place = element("span", esc(say(lang, "runs.page", first=offset + 1, last=offset + shown, all=count)))
    newer = element("button", esc(say(lang, "runs.newer")), type="button", class_="wb-small",
                    data_page=max(0, offset - PAGE), disabled=offset == 0)
    older = element("button", esc(say(lang, "runs.older")), type="button", class_="wb-small",
                    data_page=offset + PAGE, disabled=offset + shown >= count)
    return element("div", newer + place + older, class_="wb-pager")
