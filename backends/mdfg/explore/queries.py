"""The questions that the page asks, in one place: counts, the funnel, charts, what a limit does, pages of documents.

All of them are answered from the stored table under the selection's moved limits; nothing is measured again.
"""

from __future__ import annotations

from backends.mdfg.explore.charts import Bar, Bars, Heat, Histogram, bars, heat, histogram
from backends.mdfg.explore.counts import Count, count, tallied
from backends.mdfg.explore.margins import Margin, margin
from backends.mdfg.explore.pages import Page, Row, page

__all__ = ["Bar", "Bars", "Count", "Heat", "Histogram", "Margin", "Page", "Row", "bars", "count", "heat", "histogram",
           "margin", "page", "tallied"]
