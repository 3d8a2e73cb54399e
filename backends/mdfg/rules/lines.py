"""Rules on lines, from FineWeb (Penedo et al. 2024) and Gopher (Rae et al. 2021, table A1); used by presets only.

=================  ===============================================================================
line_punct         share of the non-empty lines that end in a mark that ends a sentence
short_lines        share of the non-empty lines of at most 30 characters
line_chars_again   characters of non-empty lines that occurred before / characters without newlines
lines_again        share of the lines that occurred before (runs of newlines split)
line_text_again    characters of those / n
paragraphs_again   share of the paragraphs (two newlines or more between) that occurred before
paragraph_again    characters of those / n
=================  ===============================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable

COLUMNS = ("line_punct", "short_lines", "line_chars_again", "lines_again", "line_text_again", "paragraphs_again",
           "paragraph_again")
SHORT = 30
ENDS = tuple(".!?。！？．…｡‼⁇⁈⁉؟۔।॥։፧።෴၊။។៕")
"""Marks that end a sentence, of the scripts that we know; like FineWeb's, the list holds no closing quote."""
_LINES, _PARAGRAPHS = re.compile(r"\n+"), re.compile(r"\n{2,}")


def measure(text: str) -> tuple[float, ...]:
    """The values of :data:`COLUMNS`; an empty text has no good line and no repeated one."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    _, again = _repeated(lines)
    lines_again, line_text = _repeated(every := _LINES.split(text))
    paragraphs_again, paragraph_text = _repeated(paragraphs := _PARAGRAPHS.split(text.strip()))
    return (sum(line.endswith(ENDS) for line in lines) / len(lines),
            sum(len(line) <= SHORT for line in lines) / len(lines),
            again / max(1, len(text) - text.count("\n")),
            lines_again / len(every), line_text / len(text),
            paragraphs_again / len(paragraphs), paragraph_text / len(text))


def _repeated(pieces: Iterable[str]) -> tuple[int, int]:
    seen: set[str] = set()
    count = characters = 0
    for piece in pieces:
        if piece in seen:
            count, characters = count + 1, characters + len(piece)
        else:
            seen.add(piece)
    return count, characters
