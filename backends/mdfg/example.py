"""The bundled sample corpus: documents of eleven domains with planted defects, so that a bare machine has a corpus.

Written by :mod:`library` from texts of this project; synthetic, nobody's text. About half are sound Chinese documents,
an eighth English ones; each of the others has one defect, whose name is kept beside it (``planted``), so that what the
rules and scorers find can be compared with what was planted. Their domain stands in the record like that of an imported
one (``given.domain``); what a domain scorer says goes before it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from backends.mdfg import sample
from backends.mdfg.library import Library, Written, library
from backends.mdfg.planted import plant
from backends.mdfg.practice import rude_posts

SIZE, SEED = 600, 7
ENGLISH, LONG = 0.125, 0.15
"""Share of the English documents, and of those that treat two topics of their domain."""
SHARES = {"copy": 3, "near_copy": 6, "short": 3, "thin_lines": 2, "traditional": 3, "one_traditional": 2, "quotes": 2,
          "spam": 4, "repeated": 3, "personal": 2, "markup": 1, "special": 1, "edge": 1, "scramble": 2, "holes": 2,
          "menu": 2, "advert": 2, "codes": 1, "rude": 4}
"""Documents of a hundred that have this defect (our choice); the Chinese ones only."""
INVENTED = ("menu", "advert", "codes")
"""Defects that have no topic: made from nothing."""
RECENT = 150
"""Copies are taken from so many documents before."""
_SIMPLE = ("国门风书这来电画机们图馆声时问说话过还对从会为开长东车马鱼鸟见观视觉听读写论语词课题师学习业产经济银"
           "钱贷购卖买价资费财务账单条约证据决诉讼权义责赔偿医疗药术检验诊断状热头脑网络软设备数线连续发传输运动")
_COMPLEX = ("國門風書這來電畫機們圖館聲時問說話過還對從會為開長東車馬魚鳥見觀視覺聽讀寫論語詞課題師學習業產經濟銀"
            "錢貸購賣買價資費財務賬單條約證據決訴訟權義責賠償醫療藥術檢驗診斷狀熱頭腦網絡軟設備數線連續發傳輸運動")
TRADITIONAL = str.maketrans(_SIMPLE, _COMPLEX)
_SENTENCE = re.compile(r"[^。！？\n]*[。！？]")
Draw = random.Random


@dataclass(frozen=True)
class Example:
    """One document of the sample; ``planted`` is empty for a sound one, ``domain`` and ``topic`` where it has none."""

    text: str
    title: str
    language: str
    domain: str
    topic: str
    planted: str = ""

    def record(self, number: int) -> dict[str, object]:
        """The line of the sample's file. The address says what was planted, so that the reader of the page sees it."""
        domain = {"single_label": self.domain, "multi_label": [self.domain]}
        return {"text": self.text, "title": self.title, "planted": self.planted, "language": self.language,
                "topic": self.topic, "source_domain": f"sample-{self.language}",
                "url": f"https://sample.invalid/{number}?planted={self.planted or 'nothing'}",
                **({"domain": domain} if self.domain else {})}


def documents(count: int = SIZE, seed: int = SEED) -> Iterator[Example]:
    """``count`` documents; the same seed gives the same ones. Topics take turns in an order drawn anew each round."""
    draw = random.Random(seed)
    chinese, english = _endless(library("zh"), draw), _endless(library("en"), draw)
    earlier: list[Example] = []
    defects, sound = list(SHARES), 100 - sum(SHARES.values())
    for _ in range(count):
        if draw.random() < ENGLISH:
            yield _example(next(english), "en")
            continue
        defect = draw.choices(["", *defects], [sound, *SHARES.values()])[0]
        if defect in ("copy", "near_copy") and not earlier:
            defect = ""
        made = _with(defect, chinese, earlier, draw)
        if not defect:
            earlier = [*earlier[-RECENT:], made]
        yield made


def _endless(books: Library, draw: Draw) -> Iterator[Written]:
    while True:
        for topic in draw.sample(books.topics, len(books.topics)):
            written = books.write(topic, draw)
            yield books.write_on(written, draw) if draw.random() < LONG else written


def _example(written: Written, language: str, planted: str = "") -> Example:
    return Example(written.text, written.title, language, written.topic.domain, written.topic.name, planted)


def _with(defect: str, chinese: Iterator[Written], earlier: list[Example], draw: Draw) -> Example:
    if defect in ("copy", "near_copy"):
        found = replace(draw.choice(earlier), planted=defect)
        return found if defect == "copy" else replace(found, text=edited(found.text, draw))
    made = _example(next(chinese), "zh", defect)
    if not defect:
        return made
    if defect in INVENTED:
        return Example(plant(defect, made.text, "zh", draw), "", "zh", "", "", defect)
    own = OWN.get(defect) or sample.PLANT.get(defect)
    return replace(made, text=own(made.text, draw) if own else plant(defect, made.text, "zh", draw))


def edited(text: str, draw: Draw) -> str:
    """The text with one sentence less and a few words more: a near-duplicate as websites make them."""
    sentences = _SENTENCE.findall(text)
    if len(sentences) > 4:
        text = text.replace(draw.choice(sentences[1:-1]), "", 1)
    for note in draw.sample(("（图文无关）", "（转载）", "编者按：", "【来源于网络】", "（完）"), 2):
        place = draw.choice([match.end() for match in _SENTENCE.finditer(text)] or [len(text)])
        text = f"{text[:place]}{note}{text[place:]}"
    return text


def _traditional(text: str, draw: Draw) -> str:
    return text.translate(TRADITIONAL)


def _repeated(text: str, draw: Draw) -> str:
    line = draw.choice(_SENTENCE.findall(text) or [text])
    return "\n".join([text[:draw.randint(60, 200)], *[line] * draw.randint(12, 25)])


def _rude(text: str, draw: Draw) -> str:
    posts = rude_posts("zh", draw.randint(6, 8), draw)
    return "\n".join([text[:draw.randint(60, 130)], *(f"网友评论：{post}" for post in posts)])


OWN: dict[str, Callable[[str, Draw], str]] = {"traditional": _traditional, "repeated": _repeated, "rude": _rude}


def write_jsonl(path: Path, count: int = SIZE, seed: int = SEED) -> Path:
    """Write the sample as JSON lines: text, title, url, domain, and what was planted."""
    with path.open("wb") as file:
        for number, document in enumerate(documents(count, seed), 1):
            file.write(orjson.dumps(document.record(number), option=orjson.OPT_APPEND_NEWLINE))
    return path
