"""The comparison as tables to take away: tab-separated for programs, Markdown and LaTeX for papers.

No score goes out without its signature. A name or a translation that a spreadsheet would take for a formula (``=...``,
``- ...``) gets an apostrophe before it, which :mod:`~backends.common.mt.reading` takes off again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from backends.common.mt.paired import AllPairs, Pair
from backends.common.mt.requests import SystemRow
from backends.common.mt.segments import Segment
from workbench.contract import Json

DECIMALS = 2
_TEX = str.maketrans({"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
                      "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"})


def rank(row: SystemRow) -> int:
    """1 + the number of systems that are better by the test: systems that cannot be told apart may share a rank."""
    return 1 + row.losses


def _cells(row: SystemRow) -> list[str]:
    return [row.metric, row.system, f"{row.score:.{DECIMALS}f}", f"{row.low:.{DECIMALS}f}", f"{row.high:.{DECIMALS}f}",
            str(rank(row)), str(row.wins), str(row.losses)]


HEADS = ("metric", "system", "score", "low", "high", "rank", "wins", "losses", "signature")
PAIR_HEADS = ("metric", "first", "second", "difference", "bootstrap p", "bootstrap p (Holm)", "randomisation p",
              "randomisation p (Holm)", "better", "signature")
_FORMULA = re.compile(r"[=+@-]")
_FIGURE = re.compile(r"[+-]?\d+(\.\d+)?")


def tsv(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A tab-separated table; tabs and line ends inside a cell become spaces."""
    return "".join("\t".join(map(_cell, row)) + "\n" for row in (heads, *rows))


def _cell(text: str) -> str:
    """One line that no spreadsheet takes for a formula; a figure may begin with its sign."""
    text = re.sub(r"[\t\r\n]", " ", text)
    return f"'{text}" if _FORMULA.match(text) and not _FIGURE.fullmatch(text) else text


def systems_tsv(rows: Sequence[SystemRow], signatures: Mapping[str, str]) -> str:
    """Score, 95 % interval, rank, wins and losses of every system under every metric."""
    return tsv(HEADS, [[*_cells(row), signatures[row.metric]] for row in rows])


def pairs_tsv(tests: Sequence[AllPairs]) -> str:
    """Every pair of systems with its p-values."""
    return tsv(PAIR_HEADS, [[one.metric, *_pair(pair), one.signature] for one in tests for pair in one.pairs])


def _pair(pair: Pair) -> list[str]:
    ps = (pair.bootstrap, pair.bootstrap_holm, pair.randomisation, pair.randomisation_holm)
    return [pair.first, pair.second, f"{pair.difference:.4f}", *("" if p is None else f"{p:.6f}" for p in ps),
            pair.verdict]


def segments_tsv(ranked: Sequence[Segment], texts: Mapping[int, Mapping[str, Json]], metric: str) -> str:
    """Every segment, most disagreement first: source, references, then score and translation of each system."""
    if not ranked:
        return ""
    first = texts[ranked[0].index]
    systems, references = list(first["translations"]), list(first["references"])
    heads = ["segment", "disagreement", "source", *references,
             *(f"{name} {what}" for name in systems for what in (metric, "text"))]
    rows = []
    for row in ranked:
        text = texts[row.index]
        cells = [str(row.index + 1), f"{row.disagreement:.4f}", str(text["source"] or "")]
        cells += [str(text["references"][name]) for name in references]
        for name in systems:
            cells += [f"{row.scores[name]:.{DECIMALS}f}", str(text["translations"][name])]
        rows.append(cells)
    return tsv(heads, rows)


def _wide(rows: Sequence[SystemRow]) -> tuple[list[str], dict[str, dict[str, SystemRow]]]:
    """Metrics in order, and rows by system in the order of the first metric."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    table: dict[str, dict[str, SystemRow]] = {}
    for row in rows:
        table.setdefault(row.system, {})[row.metric] = row
    return metrics, table


def markdown(rows: Sequence[SystemRow], signatures: Mapping[str, str], segments: int) -> str:
    """One line a system with all metrics, the signatures below."""
    metrics, table = _wide(rows)
    lines = ["| system | " + " | ".join(f"{metric} | rank" for metric in metrics) + " |",
             "|---|" + "---:|---:|" * len(metrics)]
    for system, by in table.items():
        cells = [f"{by[m].score:.2f} [{by[m].low:.2f}, {by[m].high:.2f}] | {rank(by[m])}" if m in by else " | "
                 for m in metrics]
        name = re.sub(r"([|\\`*_<>\[\]])", r"\\\1", system).replace("\n", " ")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    notes = [f"{segments:,} segments; brackets: 95 % bootstrap interval; rank: 1 + systems significantly better.",
             *(f"`{signature}`" for signature in signatures.values())]
    return "\n".join([*lines, "", *(f"{note}  " for note in notes)]) + "\n"


def latex(rows: Sequence[SystemRow], signatures: Mapping[str, str], segments: int) -> str:
    """A booktabs table with all metrics, the signatures in the caption."""
    metrics, table = _wide(rows)
    lines = [r"\begin{table}", r"\centering", r"\begin{tabular}{l" + "rr" * len(metrics) + "}", r"\toprule",
             "System & " + " & ".join(f"{metric.translate(_TEX)} & rank" for metric in metrics) + r" \\", r"\midrule"]
    for system, by in table.items():
        cells = [f"{by[m].score:.2f} {{\\footnotesize [{by[m].low:.2f}, {by[m].high:.2f}]}} & {rank(by[m])}"
                 if m in by else "& " for m in metrics]
        lines.append(f"{system.translate(_TEX)} & " + " & ".join(cells) + r" \\")
    told = "; ".join(r"\texttt{" + signature.translate(_TEX) + "}" for signature in signatures.values())
    caption = (f"{segments:,} segments. Brackets: 95\\,\\% bootstrap interval. Rank: 1 + systems significantly better. "
               f"Signatures: {told}.")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\caption{" + caption + "}", r"\end{table}"]) + "\n"
