"""A finished comparison as it is read and drawn: right figures, right order, and files edited by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from backends.common.mt.practice import practice
from panels import translation_compare_data as data
from panels import translation_compare_draw as draw
from panels.translation_compare_data import Compared
from panels.translation_compare_look import Look
from tests.backends.mt_cases import systems
from tests.panels.compare_cases import SCRIPT, acts, finished, parsed, written
from workbench.contract import UserError
from workbench.runs import Run

VIEWS = (draw.verdict, draw.pairs, draw.grams, draw.parts, draw.listing, draw.reader)
CHINESE = ["今天天气很好。", "我们去公园散步吧。", "他昨天没有来上班。", "请把门关上。"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """The practice sample under three metrics."""
    return finished(tmp_path_factory.mktemp("sample"), metrics=("bleu", "chrf", "ter"))


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Systems whose names and texts try to break the page, with two references and people's scores."""
    folder = tmp_path_factory.mktemp("odd")
    made, reference = systems(4, 30)
    texts = {
        "0.txt": made["system 0"],
        "1.txt": made["system 1"],
        "2.txt": [SCRIPT] * 30,
        "3.txt": made["system 3"],
        "ref.txt": reference,
        "ref2.txt": [line.upper() for line in reference],
    }
    place = written(folder, texts)
    rows = [f"{name}\t{i + 1}\t{90 - 10 * k + i % 3}" for k, name in enumerate(("0", "1", "3")) for i in range(30)]
    people = written(folder, {"people.tsv": ["system\tsegment\tscore", *rows]})
    named = ('[3, "text", "system", "<script>alert(1)</script>"]',)
    return finished(
        folder,
        files=tuple(place.values()),
        columns=named,
        human=people["people.tsv"],
        human_format="table",
        metrics=("chrf",),
    )


# --- reading ---


def test_segments_come_in_the_order_of_the_files(sample: Compared) -> None:
    made = practice()
    assert [one.index for one in sample.segments] == list(range(12)) and sample.systems == tuple(made.systems)
    assert [one.source for one in sample.segments] == list(made.source or ())
    assert [one.translations[2] for one in sample.segments] == list(made.systems["word for word"])
    assert sample.segments[1].domain == "home" and sample.segment_metric == "bleu" and sample.sign == 1.0


def test_rows_and_order_are_those_of_the_metric(sample: Compared) -> None:
    for metric in ("bleu", "chrf", "ter"):
        rows = data.rows(sample, metric)
        scores = [row.score for row in rows]
        assert scores == sorted(scores, reverse=metric != "ter") and len(rows) == 3
        assert [sample.systems[number] for number in data.order(sample, metric)] == [row.system for row in rows]
    assert data.rows(sample, "none") == [] and data.order(sample, "none") == [0, 1, 2]


def test_pairs_are_by_number_and_agree_with_the_wins(sample: Compared) -> None:
    found = data.pairs(sample, "bleu")
    assert [(p.first, p.second) for p in found] == [(1, 0), (1, 2), (0, 2)]
    rows = {row.system: row for row in data.rows(sample, "bleu")}
    for number, name in enumerate(sample.systems):
        wins = sum(p.better == (1 if p.first == number else -1) for p in found if number in (p.first, p.second))
        assert wins == rows[name].wins
    assert all(p.bootstrap is not None and p.randomisation_holm is not None for p in found)


@pytest.mark.parametrize("metric", ["bleu", "chrf", "ter"])
def test_pairs_name_the_better_system_first_in_the_order_of_the_table(sample: Compared, metric: str) -> None:
    order = data.order(sample, metric)
    found = data.pairs(sample, metric)
    assert [(p.first, p.second) for p in found] == [(a, b) for k, a in enumerate(order) for b in order[k + 1 :]]
    scores = {row.system: row.score for row in data.rows(sample, metric)}
    for pair in found:
        first, second = (scores[sample.systems[number]] for number in (pair.first, pair.second))
        assert pair.difference == pytest.approx(first - second, abs=0.01)
        assert pair.difference * (-1 if metric == "ter" else 1) >= 0 and pair.better >= 0


def test_the_matrix_tells_the_p_value_of_a_pair_from_both_sides(sample: Compared) -> None:
    titles = [str(a["title"]) for tag, a in parsed(draw.pairs(sample, Look(), "en")).tags if a.get("data-act") == "pair"
              and a.get("title")]
    told = {tuple(sorted(title.split(":")[0].split(" against "))): set() for title in titles}
    for title in titles:
        told[tuple(sorted(title.split(":")[0].split(" against ")))].add(title.split("corrected p ")[1])
    assert len(titles) == 6 and len(told) == 3 and all(len(ps) == 1 and "–" not in str(ps) for ps in told.values())


def test_buckets_cover_every_segment_once(sample: Compared) -> None:
    kinds = data.buckets(sample, "chrf")
    assert set(kinds) == {"length", "source frequency", "domain"}
    for parts in kinds.values():
        assert sorted(i for _, members in parts for i in members) == list(range(12))
        assert all(part.segments == len(members) and part.small for part, members in parts)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("segments.jsonl", None, "segments.jsonl is missing"),
        ("comparison.json", None, "comparison.json is missing"),
        ("segments.jsonl", "", "not whole"),
        ("segments.jsonl", '{"index": 0}\n{"index": 0}\n', "not whole"),
        ("segments.jsonl", '{"index": "a"}\n', "not whole"),
        ("comparison.json", "[]", "not whole"),
        ("comparison.json", '{"systems": {}}', "not whole"),
        ("comparison.json", "{", "not whole"),
    ],
)
def test_files_that_are_gone_or_not_whole_are_told(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    finished(tmp_path)
    path = tmp_path / "run" / "artifacts" / name
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError, match=words):
        data.load(Run("r", tmp_path / "run"))


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": {}},
        {"metrics": {"bleu": 5, "chrf": {"tests": [], "buckets": {"length": [{"segments": ["x"], "scores": 3}]}}}},
        {"metrics": {"bleu": {"tests": {"pairs": [{"first": "nobody"}, 7], "wins": [1]}, "sign": "up"}}},
        {"rows": [{"metric": "bleu", "system": None, "score": "high"}, 3]},
        {"correlations": [{"points": [[1], ["a", "b", "c"]], "intervals": {"pearson": [1]}, "segment_tau": "x"}, 4]},
        {"warnings": {"a": 1}, "bias": [{"text": SCRIPT}, 9], "level": SCRIPT},
        {"references": []},
    ],
)
@pytest.mark.parametrize("look", [Look(), Look(pair="0.1", open=2, bucket="length.0", metric="bleu", search="e")])
def test_what_was_edited_by_hand_never_breaks_the_page(tmp_path: Path, change: dict, look: Look) -> None:
    finished(tmp_path)
    path = tmp_path / "run" / "artifacts" / "comparison.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    of = data.load(Run("r", tmp_path / "run"))
    for view in VIEWS:
        assert SCRIPT not in view(of, look, "en")
        parsed(view(of, look, "zh-CN"))


# --- what passes the filter ---


def indices(of: Compared, **look: object) -> list[int]:
    return [one.index for one in data.chosen(of, Look(**look))]  # type: ignore[arg-type]


def test_most_disagreement_comes_first_or_the_order_of_the_files(sample: Compared) -> None:
    spreads = [one.spread for one in data.chosen(sample, Look())]
    assert spreads == sorted(spreads, reverse=True) and len(spreads) == 12
    assert indices(sample, sort="index") == list(range(12))


def test_a_pair_leaves_the_segments_where_the_two_differ_widest_first(sample: Compared) -> None:
    found = data.chosen(sample, Look(pair="0.1"))
    made = practice().systems
    assert {one.index for one in found} == {i for i in range(12) if made["plain"][i] != made["free"][i]}
    gaps = [abs(data.gap(one, (0, 1))) for one in found]
    assert gaps == sorted(gaps, reverse=True)
    assert indices(sample, pair="0.9") == indices(sample) and indices(sample, pair="x") == indices(sample)


@pytest.mark.parametrize(
    ("search", "count"), [("BREAD", 1), ("Brot", 1), ("the", 12), ("departs", 1), ("nowhere", 0), (".*", 0)]
)
def test_search_looks_in_every_text_whatever_the_case(sample: Compared, search: str, count: int) -> None:
    found = indices(sample, search=search)
    assert len(found) == count or (search == "the" and 6 < len(found) <= 12)


def test_search_in_a_pair_does_not_find_the_third_system(sample: Compared) -> None:
    assert indices(sample, search="clock off") and not indices(sample, search="clock off", pair="0.1")


def test_a_part_leaves_its_segments_and_joins_with_a_search(sample: Compared) -> None:
    home = indices(sample, bucket="domain.0")
    assert len(home) == 6 and set(indices(sample, bucket="domain.0", search="bread")) <= set(home)
    assert indices(sample, bucket="domain.9") == indices(sample, bucket="none.x") == indices(sample)


# --- drawing ---


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize(
    "look",
    [Look(), Look(metric="ter", pair="2.0", open=11, pairs=50), Look(open=3, against="t1", unit="char", page=50)],
)
def test_every_view_is_whole_in_both_languages(sample: Compared, look: Look, lang: str) -> None:
    for view in VIEWS:
        html = view(sample, look, lang)
        parsed(html)
        assert len(html) < 60_000


def test_names_and_texts_of_people_are_escaped_everywhere(odd: Compared) -> None:
    place = odd.systems.index(SCRIPT)
    for look in (Look(), Look(pair=f"0.{place}", open=4, search="<script"), Look(open=1, against=f"t{place}")):
        for view in VIEWS:
            html = view(odd, look, "en")
            parsed(html)
            assert "&lt;script&gt;" in html or view in (draw.parts, draw.reader, draw.listing, draw.verdict, draw.grams)


def test_the_verdict_counts_what_was_compared(odd: Compared) -> None:
    html = draw.verdict(odd, Look(), "en")
    assert "systems: 4 · references: 2 · segments: 30" in html and "nrefs:2" in html
    assert [row.system for row in data.rows(odd, "chrf")][-1] == SCRIPT


def test_people_are_drawn_against_the_metric_with_r_and_its_interval(odd: Compared) -> None:
    one = data.scatters(odd)[0]
    assert {name for name, _, _ in one.points} == {"0", "1", "3"} and one.pearson > 0.8
    html = draw.parts(odd, Look(), "en")
    assert html.count("<circle") == 3 and "Pearson r" in html and "chrF against people, systems: 3" in html


def test_a_pair_shows_its_n_grams_both_ways_and_a_chip(sample: Compared) -> None:
    html = draw.grams(sample, Look(pair="0.2"), "en")
    assert "plain has right more often than word for word" in html
    assert "word for word has right more often than plain" in html
    for key in acts(html, "open"):
        assert 0 <= int(key) < 12
    assert acts(draw.listing(sample, Look(pair="0.2", bucket="domain.1", search="a"), "en"), "unchip") == [
        "pair",
        "bucket",
        "search",
    ]
    for nothing in ("", "0.0", "0.9", "x"):
        assert draw.grams(sample, Look(pair=nothing), "en") == ""


def test_a_list_past_its_end_begins_again(sample: Compared) -> None:
    assert acts(draw.listing(sample, Look(page=5000), "en"), "open") == acts(draw.listing(sample, Look(), "en"), "open")


# --- one segment ---


@pytest.mark.parametrize("opened", [-1, 12, 10**9])
def test_no_segment_no_reader(sample: Compared, opened: int) -> None:
    assert draw.reader(sample, Look(open=opened), "en") == ""


def plain_text(html: str, mark: str) -> str:
    """What stands in the article of the text named ``mark``, without what was removed from it."""
    article = next(part for part in html.split("<article")[1:] if f"<bdi>{mark}</bdi>" in part)
    inner = re.search(r"<p dir=\"auto\">(.*?)</p>", article, re.DOTALL)
    assert inner is not None
    return re.sub(r"<[^>]+>", "", re.sub(r"<del>.*?</del>", "", inner[1]))


@pytest.mark.parametrize("unit", ["word", "char"])
@pytest.mark.parametrize("against", ["r0", "t0", "none", "gone"])
def test_marks_never_change_a_translation(sample: Compared, unit: str, against: str) -> None:
    for number, one in enumerate(sample.segments):
        html = draw.reader(sample, Look(open=number, unit=unit, against=against), "en")
        for place, name in enumerate(sample.systems):
            assert plain_text(html, name) == one.translations[place].replace("'", "&#x27;")


def test_translations_come_best_first_and_a_pair_alone(sample: Compared) -> None:
    html = draw.reader(sample, Look(open=0), "en")
    scores = [float(s) for s in re.findall(r"</bdi><b>([\d.]+)</b>", html)]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    assert len(re.findall(r"</bdi><b>", draw.reader(sample, Look(open=0, pair="0.1"), "en"))) == 2


def test_chinese_is_marked_by_the_character(tmp_path: Path) -> None:
    place = written(
        tmp_path,
        {"a.txt": [line.replace("我们", "咱们").replace("没有", "没") for line in CHINESE], "ref.txt": CHINESE},
    )
    of = finished(tmp_path, files=tuple(place.values()), metrics=("bleu",))
    assert data.unit_of(of.segments[1], Look()) == "char" and data.unit_of(of.segments[1], Look(unit="word")) == "word"
    html = draw.reader(of, Look(open=1), "en")
    assert "<del>我</del><ins>咱</ins>们去公园" in html


def test_a_wrong_tokeniser_is_told_before_remarks_on_the_files(tmp_path: Path) -> None:
    windows = "\r\n".join(CHINESE).encode("utf-8-sig")
    place = written(tmp_path, {f"{name}.txt": windows for name in ("a", "b", "c", "d", "ref")})
    of = finished(tmp_path, files=tuple(place.values()), metrics=("chrf", "bleu"), tokenizer="13a", language="zh")
    html = draw.verdict(of, Look(metric="bleu"), "en")
    assert html.index("far too low") < html.index("CR LF") and html.index("far too low") < html.index("<details")
    assert html.count("mt-warn") > 8


def test_chinese_n_grams_have_no_spaces_and_mixed_ones_keep_theirs(tmp_path: Path) -> None:
    lines = [f"{line} GPU 内存 {k}" for k, line in enumerate(CHINESE * 3)]
    wrong = [line.replace("公园", "花园").replace("GPU 内存", "CPU 存储") for line in lines]
    place = written(tmp_path, {"a.txt": lines, "b.txt": wrong, "ref.txt": lines})
    of = finished(tmp_path, files=tuple(place.values()), metrics=("bleu",))
    html = draw.grams(of, Look(pair="0.1"), "zh-CN")
    grams = re.findall(r"<td[^>]*dir=\"auto\"[^>]*>([^<]+)</td>", html)
    assert "公园" in grams and "内存" in grams and "GPU 内" in grams
    assert not any(re.search("[\u4e00-\u9fff] [\u4e00-\u9fff]", gram) for gram in grams)
    parsed(html)


def test_a_text_that_is_too_long_is_not_marked_and_says_so(tmp_path: Path) -> None:
    long = ["word " * 2000, "short one"]
    place = written(tmp_path, {"a.txt": [line.replace("word", "term") for line in long], "ref.txt": long})
    of = finished(tmp_path, files=tuple(place.values()), metrics=("bleu",), trials=0, resamples=10)
    html = draw.reader(of, Look(open=0), "en")
    assert "too long to be marked" in html and "<ins>term" not in html
    assert "too long" not in draw.reader(of, Look(open=1), "en")


def test_one_system_without_a_source_is_drawn(tmp_path: Path) -> None:
    place = written(tmp_path, {"a.txt": ["one", "two", ""], "ref.txt": ["one", "three", "four"]})
    of = finished(tmp_path, files=tuple(place.values()), metrics=("chrf",), trials=0)
    for view in VIEWS:
        parsed(view(of, Look(open=2), "en"))
    assert "one system" in draw.pairs(of, Look(), "en") and "<i>empty</i>" in draw.reader(of, Look(open=2), "en")
    assert "are empty" in draw.verdict(of, Look(), "en")


def test_a_biased_reference_is_told_first(tmp_path: Path) -> None:
    made, reference = systems(3, 60)
    place = written(
        tmp_path, {"good.txt": reference, "b.txt": made["system 2"], "c.txt": made["system 1"], "ref.txt": reference}
    )
    html = draw.verdict(finished(tmp_path, files=tuple(place.values()), trials=0), Look(), "en")
    assert "A reference favours a system." in html and "looks made from good" in html
    assert html.count("looks made from good") == 1 and html.index("mt-bias") < html.index("mt-systems")
