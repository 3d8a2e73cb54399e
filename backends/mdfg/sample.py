"""Synthetic documents with planted defects, for tests, the benchmark and the example: nobody's text, no licence.

Sentences are put together from clauses written for this project, in an order drawn from the seed. A share of the
documents then gets one defect, whose name is kept beside the text, so that what a rule finds can be compared with what
was planted. The texts read like filler, because they are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

CLAUSES = (
    "春天的雨下了一整夜", "山里的路变得很滑", "村口的老树又发了新芽", "孩子们在河边数石头", "老师把地图挂在墙上",
    "火车晚点了二十分钟", "实验室的温度一直很稳定", "工程师检查了每一根电缆", "软件在夜里自动更新",
    "数据先保存再上传", "面团要放在温暖的地方", "汤里加一点盐就够了", "菜刀用完应当擦干", "医生建议每天散步",
    "图书馆周末开放到九点", "博物馆新来了一批陶器", "考古队在沙地上画格子", "合同的第三条写得很清楚",
    "法院下周公布结果", "银行调整了存款利率", "果园今年的收成不错", "风从海面上吹过来", "渔船在傍晚回港",
    "天文台记录到一颗流星", "学生们讨论了两个方案", "作者在序言里解释了书名", "翻译保留了原来的节奏",
    "运动员按计划恢复训练", "裁判看了三次录像", "机器的声音比去年小", "仓库的货架重新编了号",
    "客服回答了所有的问题", "地铁站换了新的指示牌", "邻居送来一篮橘子", "猫睡在窗台上", "手表的电池可以用两年",
    "相机需要清洁镜头", "画家先画轮廓再上色", "琴声从楼上传下来", "冬天的湖面结了冰")
LINKS = ("，", "，而且", "，所以", "，但是", "；", "，后来", "，同时")
ENGLISH = (
    "The meeting starts at nine", "Rain fell on the hills all night", "She fixed the old radio",
    "Bread needs time", "They counted the boats in the harbour", "Nobody had read the second page",
    "The engine was quiet again")
SPAM = ("点击下方链接", "全场包邮", "在线赌场", "关键词排名优化", "私服发布网", "首存送彩金", "刷单兼职")
TRADITIONAL = {
    "国": "國", "门": "門", "风": "風", "书": "書", "这": "這", "来": "來", "电": "電", "画": "畫", "机": "機",
    "们": "們", "图": "圖", "馆": "館", "声": "聲", "时": "時", "问": "問"}
DEFECTS = ("short", "thin_lines", "english", "traditional", "one_traditional", "quotes", "spam", "repeated", "personal",
           "markup", "special", "copy", "near_copy", "edge")
SHARE = 0.45
"""Share of documents with a defect."""
Draw = random.Random
Document = tuple[str, str]
"""Text, and the planted defect (empty for none)."""


def documents(count: int, seed: int = 7, share: float = SHARE, lines: int = 12) -> Iterator[Document]:
    """``count`` documents of at most ``lines`` lines before the defects; the same seed gives the same ones."""
    draw = random.Random(seed)
    earlier: list[str] = []
    for _ in range(count):
        text = article(draw, lines)
        defect = draw.choice(DEFECTS) if draw.random() < share else ""
        if defect in ("copy", "near_copy"):
            text = draw.choice(earlier) if earlier else text
            if defect == "near_copy":
                place = draw.randrange(len(text))
                text = f"{text[:place]}{draw.choice(CLAUSES)}{text[place:]}"
        elif defect:
            text = PLANT[defect](text, draw)
        else:
            earlier = [*earlier[-200:], text]
        yield text, defect


def article(draw: Draw, lines: int = 12) -> str:
    """A text of 2 to ``lines`` lines."""
    return "\n".join("".join(sentence(draw) for _ in range(draw.randint(2, 6))) for _ in range(draw.randint(2, lines)))


def sentence(draw: Draw) -> str:
    """Two to four clauses and an end."""
    clauses = draw.sample(CLAUSES, draw.randint(2, 4))
    text = clauses[0] + "".join(draw.choice(LINKS) + clause for clause in clauses[1:])
    return f"{text}{draw.randint(1, 99)}次。" if draw.random() < 0.2 else f"{text}。"


def _short(text: str, draw: Draw) -> str:
    return text[:draw.randint(5, 190)]


def _thin(text: str, draw: Draw) -> str:
    return "\n".join(text[i:i + 4] for i in range(0, len(text), 4))


def _english(text: str, draw: Draw) -> str:
    return ". ".join(draw.choice(ENGLISH) for _ in range(draw.randint(12, 30))) + ". " + text[:40]


def _traditional(text: str, draw: Draw) -> str:
    return "".join(TRADITIONAL.get(character, character) for character in text)


def _one(text: str, draw: Draw) -> str:
    place = draw.randrange(len(text))
    return f"{text[:place]}{draw.choice(list(TRADITIONAL.values()))}{text[place:]}"


def _quotes(text: str, draw: Draw) -> str:
    return text.replace("。", "」。「", 2)


def _spam(text: str, draw: Draw) -> str:
    words = draw.sample(SPAM, draw.randint(1, 4))
    flat = text.replace("\n", "") if draw.random() < 0.5 else text
    place = draw.randrange(len(flat))
    return flat[:place] + "".join(words) + flat[place:]


def _repeated(text: str, draw: Draw) -> str:
    line = sentence(draw)
    return "\n".join([text[:draw.randint(0, 200)], *[line] * draw.randint(3, 20)])


def _personal(text: str, draw: Draw) -> str:
    digits = "".join(str(draw.randint(0, 9)) for _ in range(8))
    return f"{text}\n联系电话：139{digits}，邮箱：test{draw.randint(1, 99)}@example.com。"


def _markup(text: str, draw: Draw) -> str:
    return f"<script>alert('{draw.randint(1, 99)}')</script><p>{text}</p>"


def _special(text: str, draw: Draw) -> str:
    marks = draw.sample(["İstanbul ", "ΟΔΟΣ ", "\u3000\u3000", "\U00020000\U0002000b", "😀", "ＡＢＣ", "\t\t", "\r\n",
                         "\u2028", "A a A a A a A a "], 4)
    for mark in marks:
        place = draw.randrange(len(text) + 1)
        text = f"{text[:place]}{mark * draw.randint(1, 20)}{text[place:]}"
    return draw.choice(["", " ", "\u3000", "\n"]) + text + draw.choice(["", "\n\n", "\x1f"])


def _edge(text: str, draw: Draw) -> str:
    size = draw.choice([0, 1, 9, 10, 12, 13, 14, 15, 199, 200, 201])
    return (text.replace("\n", "") * 3)[:size]


PLANT: dict[str, Callable[[str, Draw], str]] = {
    "short": _short, "thin_lines": _thin, "english": _english, "traditional": _traditional, "one_traditional": _one,
    "quotes": _quotes, "spam": _spam, "repeated": _repeated, "personal": _personal, "markup": _markup,
    "special": _special, "edge": _edge}


def write_jsonl(path: Path, count: int, seed: int = 7) -> Path:
    """Write documents as JSON lines with ``text`` and ``planted``."""
    with path.open("wb") as file:
        for text, defect in documents(count, seed):
            file.write(orjson.dumps({"text": text, "planted": defect}, option=orjson.OPT_APPEND_NEWLINE))
    return path
