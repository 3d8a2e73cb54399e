"""``reproduce translation-stats``: golden figures of public data, made again from the files.

WMT22 zh-en and en-zh (BLEU and chrF, reference A), Chinese scored with the right and with the wrong tokeniser, the
reference that favours a system, WMT24's ESA ratings, and sacreBLEU's own p-values. Needs ``shared/data/mt`` beside
the project.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.common.mt import bench, bias
from backends.common.mt.correlation import correlate
from backends.common.mt.human import Rating, Ratings, system_scores, times
from backends.common.mt.human_wmt import read_da, read_esa
from backends.common.mt.scores import scorer, sentence
from workbench.contract import MissingResource
from workbench.evidence import Claim, Reproduction

DATA = Path(__file__).parents[4] / "shared" / "data" / "mt"
ZH_EN = {"JDExploreAcademy": (33.51, 61.14), "LanguageX": (31.94, 60.52), "HuaweiTSC": (29.81, 58.47),
         "AISP-SJTU": (29.67, 59.22), "Online-G": (29.63, 59.71), "Online-B": (28.75, 58.23),
         "Lan-Bridge": (28.08, 57.84), "Online-A": (27.31, 57.32), "Online-Y": (27.14, 57.56),
         "NiuTrans": (26.22, 55.99), "DLUT": (24.98, 55.24), "Online-W": (23.96, 54.53)}
"""BLEU (13a) and chrF of WMT22 zh-en against reference A."""
EN_ZH, EN_ZH_13A, JUMP = 54.35, 20.31, 79.99
ESA = {"GPT-4": 90.9, "refA": 88.9, "IKUN-C": 82.0}


def lines(path: Path) -> list[str]:
    """The segments of a WMT file."""
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def folder() -> Path:
    """The data beside the project; ``MissingResource`` where there is none."""
    if not DATA.is_dir():
        raise MissingResource("The data of this reproduction is not here.",
                              advice="Put WMT22 and WMT24 files under shared/data/mt beside the project.")
    return DATA


def wmt22(data: Path, pair: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Systems and references of a WMT22 language pair."""
    target = pair[-2:]
    found = {kind: {file.name.split(f".{kind}.")[1].rsplit(".", 1)[0]: lines(file)
                    for file in sorted((data / "wmt22" / pair).glob(f"*.{kind}.*.{target}"))}
             for kind in ("hyp", "ref")}
    return found["hyp"], found["ref"]


def exact(what: str, value: float, target: float, digits: int = 2) -> Claim:
    """A figure that must be the target to the printed digits."""
    return Claim(what, round(value, digits), target, round(value, digits) == target)


def golden(data: Path, quick: bool) -> list[Claim]:
    """BLEU and chrF of all systems of zh-en, and how they go with the crowd's z."""
    systems, references = wmt22(data, "zh-en")
    ratings = read_da((data / "wmt22" / "ad-seg-scores-zh-en.csv").read_text(encoding="utf-8"))
    claims = []
    for place, name in enumerate(("bleu", "chrf")[:1 if quick else 2]):
        metric = scorer(name, [references["A"]], "en")
        stats = {system: metric.statistics(text) for system, text in systems.items()}
        corpus = {system: float(metric.score(table.sum(0))) for system, table in stats.items()}
        claims += [exact(f"WMT22 zh-en {system}, {name}", corpus[system], figures[place])
                   for system, figures in ZH_EN.items()]
        print(f"{name}: {metric.signature}")
        each = {system: sentence(metric, table) for system, table in stats.items()}
        found = correlate(name, corpus, each, official(data, ratings))
        claims.append(exact(f"WMT22 zh-en, {name} against human z over {found.systems} systems, Pearson", found.pearson,
                            (0.640, 0.571)[place], 3))
    return claims


def official(data: Path, ratings: Ratings) -> Ratings:
    """The crowd's ratings with WMT's published system z in place of the mean over segments (WMT weighs people)."""
    rows = [line.split() for line in lines(data / "wmt22" / "ad-sys-scores-zh-en.csv")[1:]]
    return Ratings("DA", tuple(Rating(name.rsplit(".", 1)[0], 0, float(raw), "WMT", z=float(z))
                               for raw, z, _, name, _ in rows), ratings.notes)


def chinese(data: Path, quick: bool) -> list[Claim]:
    """en-zh: the right tokeniser, the wrong one with its warning, and the biased reference."""
    systems, references = wmt22(data, "en-zh")
    right, wrong = scorer("bleu", [references["A"]], "zh"), scorer("bleu", [references["A"]], "zh", "13a")
    values = [float(metric.score(metric.statistics(systems["LanguageX"]).sum(0))) for metric in (right, wrong)]
    both = scorer("bleu", list(references.values()), "zh")
    jump = float(both.score(both.statistics(systems["Online-B"]).sum(0)))
    names = ("Online-B", "HuaweiTSC", "Online-A") if quick else tuple(systems)
    flags = bias.flags(bias.likeness({name: systems[name] for name in names}, references), len(references["A"]))
    found = {(flag.reference, flag.system) for flag in flags}
    print(*(flag.text for flag in flags), sep="\n")
    told = bool(wrong.warning) and not right.warning
    return [exact("WMT22 en-zh LanguageX, BLEU with zh", values[0], EN_ZH),
            exact("WMT22 en-zh LanguageX, BLEU with 13a (wrong)", values[1], EN_ZH_13A),
            Claim("13a for Chinese carries a warning, zh does not", float(told), 1.0, told),
            exact("WMT22 en-zh Online-B, BLEU with references A and B", jump, JUMP),
            Claim("references flagged as made from a system (B from Online-B, and no other)", float(len(found)), 1.0,
                  found == {("B", "Online-B")})]


def human(data: Path) -> list[Claim]:
    """WMT24's ESA ratings of English to Chinese, both waves."""
    ratings: list[Rating] = []
    for wave in (2, 3):
        text = (data / "wmt24" / f"esa_generalMT2024_wave{wave}.csv").read_text(encoding="utf-8")
        ratings += read_esa(text, f"wave {wave}", "eng", "zho").ratings
    every = Ratings("ESA", tuple(ratings))
    scores = {row.system: row for row in system_scores(every)}
    counts = {"ratings without tutorials": (len(every.targets), 8784),
              "attention checks": (sum(r.kind == "bad" for r in ratings), 1278),
              "error spans of all rows": (sum(len(r.spans) for r in ratings), 5551),
              "ratings with a time above one second": (times(every.targets).usable, 2888),
              "systems": (len(scores), 13)}
    return [*(Claim(f"WMT24 ESA en-zh, {what}", float(value), float(target), value == target)
              for what, (value, target) in counts.items()),
            *(exact(f"WMT24 ESA en-zh, mean of {name}", scores[name].mean, target, 1) for name, target in ESA.items())]


def same_tests(quick: bool) -> list[Claim]:
    """The p-values of sacreBLEU's own code and ours, same seed."""
    systems, reference, what = bench.data(3 if quick else 4)
    few: Mapping[str, Sequence[str]] = systems
    samples = {"bs": 200, "ar": 200} if quick else {"bs": 1000, "ar": 2000}
    peer, mine = bench.theirs(few, reference, samples), bench.ours(few, reference, samples["bs"], samples["ar"])
    gap = max(abs(mine[key] - peer[key]) for key in peer)
    return [Claim(f"largest difference of {len(peer)} p-values from sacreBLEU's, seed 12345 ({what})", gap, 0.0,
                  gap == 0.0)]


def run(settings: Any, quick: bool = False) -> Reproduction:
    """Make every figure again. ``MissingResource`` without the data."""
    began = time.monotonic()
    data = folder()
    claims = [*golden(data, quick), *chinese(data, quick), *human(data), *same_tests(quick)]
    return Reproduction("translation-stats", tuple(claims), round(time.monotonic() - began, 1))
