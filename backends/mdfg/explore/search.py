"""Search in the texts of a corpus: words without word boundaries, patterns, meaning, concepts; and where they occur.

Chinese has no spaces, so a word is found wherever its characters stand together. The texts stay in their Parquet files
and DuckDB looks through them; nothing is held in memory but places and scores. A pattern is read by RE2, whose time
grows with the length of a text only, so no pattern can hang the page. The limit of time is for large corpora. What is
found in a text is counted without a list of it, so a pattern such as ``.`` takes no more memory than the text; at most
:data:`COUNTED` are counted.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from backends.mdfg.explore.bounds import Turns, enough_memory
from backends.mdfg.explore.query import Hits, Query
from workbench.contract import UserError

SECONDS = 60.0
"""A search of texts ends after so long, with an error (our default)."""
COUNTED = 10_000
"""Most matches in one document that its score tells apart (our default)."""
GROUP = 32
"""Files that one statement looks through."""
FULL, HALF = 0xFF01, 0x21
WIDE = 0xFEE0
"""U+FF01..FF5E are U+0021..007E, this much further."""
_TOKEN = re.compile(r'(-?)(?:"([^"]+)"|(\S+))')
_COLUMNS = "list_position($files, filename) AS file, file_row_number AS row"
_SOURCE = "read_parquet($files, filename = true, file_row_number = true)"


class Searched(Protocol):
    """What a search needs of a corpus."""

    run: Path
    index: Path | None
    total: int
    scans: Turns

    def cursor(self) -> Any:
        """A DuckDB cursor of this thread that knows the table ``docs``."""


@dataclass(frozen=True)
class Words:
    """A search for words: every one of ``wanted`` occurs, none of ``unwanted`` does."""

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]


def find(corpus: Searched, query: Query, seconds: float = SECONDS) -> Hits:
    """The documents that a query finds. Scores: for words and patterns how often they occur, for meaning the cosine,
    for a concept the probability. Raises ``UserError`` for a pattern that cannot be read, for a search of meaning
    without an index, and when the time is over."""
    if query.kind == "meaning":
        from backends.mdfg.explore.semantic import find_meaning

        return find_meaning(corpus, query)
    if query.kind == "concept":
        from backends.mdfg.explore.concept import find_concept

        return find_concept(corpus, query)
    condition, score, values = _pattern(corpus, query.text) if query.kind == "regex" else _words(query.text)
    places, scores = _scanned(corpus, f"SELECT {_COLUMNS}, {score} AS score FROM {_SOURCE} WHERE {condition}", values,
                              seconds)
    keep = scores >= query.least
    return Hits(query, places[keep], scores[keep])


def read_words(text: str) -> Words:
    """Words are parted by white space (the ideographic one too); quotes hold some together; ``-`` before one means
    that it must not occur. Raises ``UserError`` when nothing is left."""
    wanted: list[str] = []
    unwanted: list[str] = []
    for minus, quoted, bare in _TOKEN.findall(text):
        (unwanted if minus else wanted).append(quoted or bare)
    if not (wanted or unwanted):
        raise UserError("The search has no word.", advice="Write the words that should occur.")
    return Words(tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(unwanted)))


def same(character: str) -> str:
    """Every form of a character that counts as the same: small and capital letters, full and half width; sorted."""
    code = ord(character)
    base = " " if code == 0x3000 else chr(code - WIDE) if FULL <= code <= 0xFF5E else character
    forms = {character, base} | {form for form in (base.lower(), base.upper()) if len(form) == 1}
    forms |= {chr(ord(form) + WIDE) for form in forms if HALF <= ord(form) <= 0x7E}
    return "".join(sorted(forms | {"\u3000"} if " " in forms else forms))


def loose(word: str) -> str:
    """A pattern of a word in all its forms, which RE2 and Python read alike."""
    return "".join(f"[{''.join(_escaped(form) for form in same(character))}]" for character in word)


def _escaped(character: str) -> str:
    return f"\\{character}" if character in "\\]^-[&~|" else character


def _words(text: str) -> tuple[str, str, dict[str, str]]:
    """(condition, score, values) of a search for words. Words of one form only are compared as they are, which is the
    fastest."""
    words = read_words(text)
    conditions, counts, values = [], [], {}
    for number, (word, wanted) in enumerate([*((word, True) for word in words.wanted),
                                             *((word, False) for word in words.unwanted)]):
        name = f"w{number}"
        plain = all(len(same(character)) == 1 for character in word)
        values[name] = word if plain else loose(word)
        occurs = f"contains(text, ${name})" if plain else f"regexp_matches(text, ${name})"
        conditions.append(occurs if wanted else f"NOT {occurs}")
        if wanted:
            counts.append(f"(length(text) - length(replace(text, ${name}, ''))) // {len(word)}" if plain
                          else _matches(name))
    return " AND ".join(conditions), f"least({' + '.join(counts) or '1'}, {COUNTED})", values


def _matches(name: str) -> str:
    """SQL: how often a pattern is found: every match is written out with one character more, and those are counted."""
    return f"(length(regexp_replace(text, ${name}, '\\0_', 'g')) - length(text))"


def _pattern(corpus: Searched, pattern: str) -> tuple[str, str, dict[str, str]]:
    check_pattern(corpus.cursor(), pattern)
    return "regexp_matches(text, $pattern)", f"least({_matches('pattern')}, {COUNTED})", {"pattern": pattern}


def check_pattern(cursor: Any, pattern: str) -> None:
    """Raise ``UserError`` with RE2's own words for a pattern that it cannot read."""
    import duckdb

    try:
        cursor.execute("SELECT regexp_matches('', $pattern)", {"pattern": pattern}).fetchall()
    except duckdb.Error as error:
        why = str(error).partition("Error:")[2].strip().splitlines()
        raise UserError(f"The pattern {pattern[:80]!r} cannot be read: {why[0] if why else error}.",
                        advice="It is an RE2 pattern: without look-ahead, look-behind and back-references, and at most "
                               "1,000 repeats. To find these characters as they are, search for words.") from error


def _scanned(corpus: Searched, statement: str, values: dict[str, str], seconds: float) -> tuple[Any, Any]:
    """(places, scores) of the rows that a statement gives, by place."""
    cursor, folder = corpus.cursor(), corpus.run / "artifacts" / "documents"
    parts = cursor.execute('SELECT part, min(place - "row") FROM docs GROUP BY part ORDER BY part').fetchall()
    places, scores = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    with corpus.scans.one(), limited(cursor, seconds):
        for begin in range(0, len(parts), GROUP):
            group = parts[begin:begin + GROUP]
            files = [str(folder / f"part-{part:05d}.parquet") for part, _ in group]
            found = cursor.execute(statement, {"files": files, **values}).fetchnumpy()
            firsts = np.asarray([first for _, first in group], dtype=np.int64)
            places.append(firsts[found["file"].astype(np.int64) - 1] + found["row"].astype(np.int64))
            scores.append(found["score"].astype(np.float64))
    every, score = np.concatenate(places), np.concatenate(scores)
    order = np.argsort(every, kind="stable")
    return every[order], score[order]


@contextmanager
def limited(cursor: Any, seconds: float) -> Iterator[None]:
    """End what a cursor does after so many seconds, as a ``UserError``."""
    import duckdb

    late = threading.Event()

    def stop() -> None:
        late.set()
        cursor.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        with enough_memory():
            yield
    except duckdb.IOException as error:
        raise UserError(f"The texts of this corpus cannot be read: {str(error).splitlines()[0][:200]}.",
                        advice="Run the filter again.") from error
    except duckdb.InvalidInputException as error:
        raise UserError(f"The search cannot be carried out: {str(error).partition('Error:')[2].strip()}.",
                        advice="Change the pattern.") from error
    except duckdb.InterruptException as error:
        if not late.is_set():
            raise
        raise UserError(f"The search was ended after {seconds:g} seconds; it had not read all texts.",
                        advice="Search for words (Chinese ones are the fastest), or in a smaller run.") from error
    finally:
        timer.cancel()


def highlights(corpus: Searched, query: Query, text: str) -> tuple[tuple[int, int], ...]:
    """Where in a text the query is found, as (begin, end) in characters, ascending and apart. Of a search by meaning
    or concept: the sentences that are the closest."""
    if query.kind == "words":
        patterns = [loose(word) for word in read_words(query.text).wanted]
        return apart([found.span() for pattern in patterns for found in re.finditer(pattern, text)])
    if query.kind == "regex":
        return _marked(corpus.cursor(), query.text, text)
    from backends.mdfg.explore.closest import sentences

    return sentences(corpus, query, text)


def apart(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans that touch or overlap joined, empty ones left out, in order."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return tuple(joined)


def _marked(cursor: Any, pattern: str, text: str) -> tuple[tuple[int, int], ...]:
    """RE2 itself puts marks around what it finds: no other engine reads the pattern in quite the same way."""
    check_pattern(cursor, pattern)
    free = [mark for mark in map(chr, range(0xE000, 0xF8FF)) if mark not in text][:2]
    if len(free) < 2:
        return ()
    (made,), = cursor.execute("SELECT regexp_replace($text, $pattern, $marks, 'g')",
                              {"text": text, "pattern": pattern, "marks": f"{free[0]}\\0{free[1]}"}).fetchall()
    spans, place, begin = [], 0, 0
    for character in made:
        if character == free[0]:
            begin = place
        elif character == free[1]:
            spans.append((begin, place))
        else:
            place += 1
    return apart(spans)
