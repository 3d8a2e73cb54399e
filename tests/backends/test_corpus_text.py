"""Code points, character tables, the conversion to zh-cn, personal data, words."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backends.mdfg.rules import counting
from backends.mdfg.text import personal
from backends.mdfg.text.codes import codes_of
from backends.mdfg.text.splitting import SPLITTERS, splitter
from backends.mdfg.text.tables import LAST_CASED, SPECIAL, tables
from backends.mdfg.text.variants import build, variants
from tests.backends.corpus_cases import texts
from workbench.contract import UserError

zhconv = pytest.importorskip("zhconv")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=8), max_size=5))
@example(["\ud83d", "\udc00"])
@example([])
def test_code_points_of_many_texts(batch: list[str]) -> None:
    codes, offsets = codes_of(batch)
    assert len(offsets) == len(batch) + 1
    assert [codes[a:b].tolist() for a, b in pairwise(offsets)] == [
        [ord(c) for c in text] for text in batch]
    assert codes.dtype == np.uint32


def test_tables_say_what_python_says() -> None:
    table = tables()
    for code in [*range(0x3000), *range(0xA640, 0xAC00), *range(0xFE00, 0x10000), *range(0x10400, 0x10D00)]:
        character = chr(code)
        assert bool(table.space[code]) == character.isspace()
        small = character.lower()
        if code == ord("Σ") or len(small) > 1:
            assert table.lower[code] == SPECIAL
        else:
            assert table.lower[code] == ord(small)


def test_no_character_beyond_the_tables_has_a_lower_case() -> None:
    assert all(chr(code).lower() == chr(code) and not chr(code).isspace()
               for code in range(LAST_CASED, sys.maxunicode + 1, 7))


ZH = "國国門门臺台乾幹干《》「」妳你著着芯晶片公尺米份份額元素微博軟體软件计算机程式信息資訊後后皇后里裡"


@settings(max_examples=300, deadline=None)
@given(st.text(ZH, max_size=40))
def test_the_verdict_is_zhconvs(text: str) -> None:
    changed = bool(variants().spans(text))
    assert changed == (zhconv.convert(text, "zh-cn") != text)


def test_replacing_the_places_gives_zhconvs_text() -> None:
    for text in texts(300, seed=2):
        made, place = [], 0
        for begin, end, new in variants().spans(text, 10_000):
            made += [text[place:begin], new]
            place = end
        assert "".join([*made, text[place:]]) == zhconv.convert(text, "zh-cn")


@pytest.mark.parametrize(("text", "spans"), [
    ("他说「好」。", [(2, 3, "“"), (4, 5, "”")]), ("这是简体。", []), ("", []), ("國國", [(0, 1, "国"), (1, 2, "国")])])
def test_quotes_and_words_change_too(text: str, spans: list) -> None:
    assert variants().spans(text) == spans


def test_the_longest_entry_wins_and_may_change_nothing() -> None:
    table = build({"乾": "干", "乾坤": "乾坤", "臺": "台"}, {"乾": "干", "臺": "台"})
    assert table.spans("乾坤乾") == [(2, 3, "干")]
    assert table.spans("乾", 0) == []
    assert table.single[ord("乾")] == 1


def test_strict_characters_ignore_quotes_and_vocabulary() -> None:
    single = variants().single
    assert not single[ord("「")]
    assert single[ord("國")]
    assert not single[ord("国")]
    assert 3000 < int(single.sum()) < 6000


VALID = "11010519491231002X"


@pytest.mark.parametrize(("text", "kinds"), [
    (f"证件{VALID}。", ["identity"]), (f"证件{VALID[:-1]}0。", []), ("11010519491331002X", []), (f"9{VALID}", []),
    ("电话13912345678", ["phone"]), ("139 1234 5678", ["phone"]), ("139-1234-5678", ["phone"]), ("12912345678", []),
    ("+8613912345678", ["phone"]), ("x13912345678", []), ("139123456789", []), ("a.b+c@example.com", ["email"]),
    ("@someone", []), ("a@b", []), ("一二三@例子.com", []), ("订单号 20231231 0000", [])])
def test_personal_data(text: str, kinds: list[str]) -> None:
    assert [kind for _, _, kind in personal.find(text)] == kinds
    assert personal.counts(text) == tuple(kinds.count(kind) for kind in personal.KINDS)


def test_places_of_personal_data_are_those_of_the_text() -> None:
    text = f"联系 13912345678 或 me@example.org，证件 {VALID}"
    assert [text[a:b] for a, b, _ in personal.find(text)] == ["13912345678", "me@example.org", VALID]


def test_an_address_cannot_stop_a_run() -> None:
    assert personal.find("a" * 50_000 + "@" + "b." * 50_000) == []


@pytest.mark.parametrize(("text", "run", "at"), [
    ("1234", 4, 0), ("139 1234-5678", 11, 0), ("1,2", 1, 0), ("a@b", 0, 1), ("2020年12月", 4, 0), ("", 0, 0)])
def test_marks_that_ask_for_a_closer_look(text: str, run: int, at: int) -> None:
    codes, offsets = codes_of([text])
    found = counting.counted(codes, offsets, counting.script_table("han"))[0]
    assert (found[counting.RUN], found[counting.AT]) == (run, at)


def test_everything_that_is_found_is_looked_for() -> None:
    """The cheap marks never hide a number from the expressions."""
    for text in ("13912345678", "139-1234 5678", VALID, "x@y.cn"):
        codes, offsets = codes_of([text])
        found = counting.counted(codes, offsets, counting.script_table("han"))[0]
        assert found[counting.RUN] >= personal.LONGEST_RUN or found[counting.AT]


def test_scripts_and_splitters_have_names() -> None:
    assert splitter("spaces")("Don't stop, 2 dogs.") == ["Don't", "stop", ",", "2", "dogs", "."]
    assert splitter("characters")("春天abc，好") == ["春", "天", "abc", "，", "好"]
    assert "".join(splitter("jieba")("春天的雨下了")) == "春天的雨下了"
    assert counting.script_table("latin")[ord("é")] == 1
    for wrong in (lambda: splitter("words"), lambda: counting.script_table("runes")):
        with pytest.raises(UserError, match="There is no"):
            wrong()
    assert set(SPLITTERS) == {"spaces", "jieba", "characters"}
