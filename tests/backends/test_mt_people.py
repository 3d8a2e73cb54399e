"""Human scores beside a comparison: numbers of segments, tables of scores, and what is only a remark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.common.mt import reading
from backends.common.mt.campaign_files import items_of, pearmut_answers
from backends.common.mt.campaigns import Campaign
from backends.common.mt.compare import run
from backends.common.mt.human import Rating, Ratings, aligned
from backends.common.mt.human_wmt import read_esa
from backends.common.mt.people import read_scores
from backends.common.mt.practice import practice
from backends.common.mt.requests import CompareRequest
from backends.common.mt.scores import scorer, sentence
from tests.backends.mt_cases import jsonl, wmt, workbook
from workbench.context import MemoryContext
from workbench.contract import UserError

SMALL = {"resamples": 50, "trials": 50, "metrics": ("chrf",)}
MQM_HEAD = "system\tdoc\tdoc_id\tseg_id\trater\tsource\ttarget\tcategory\tseverity"


def rated(*segments: int) -> tuple[Rating, ...]:
    return tuple(Rating("A", segment, float(10 * segment), "p") for segment in segments)


def compared(tmp_path: Path, name: str, data: str | bytes, format: str, **more) -> tuple:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    context = MemoryContext(tmp_path / "run")
    result = run(CompareRequest(human=f"path:{path}", human_format=format, **{**SMALL, **more}), context)
    told = json.loads((context.run / "artifacts" / "human.json").read_text(encoding="utf-8"))
    return result, told, context


def test_segments_get_the_numbers_of_the_test_set() -> None:
    found = aligned(Ratings("MQM", rated(0, 1, 2), (), (), ("c", " a  b ", "gone")), ("x", "a b", "c"))
    assert [r.segment for r in found.ratings] == [2, 1, -3]
    assert found.notes == ("1 of 3 rated segments are not in the source; they count for their systems only",)
    plain = Ratings("DA", rated(0, 1))
    assert aligned(plain, ("x",)) is plain, "a file that counts lines needs no text"
    blind = aligned(Ratings("MQM", rated(0), (), (), ("c",)), None)
    assert blind.ratings[0].segment == -1 and "cannot be told without the source" in blind.notes[0]


def test_equal_texts_are_told_apart_by_their_order() -> None:
    found = aligned(Ratings("MQM", rated(0, 1, 2), (), (), ("yes", "yes", "yes")), ("no", "yes", "yes"))
    assert [r.segment for r in found.ratings] == [1, 2, -3]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=8), st.lists(st.sampled_from("abcd"), max_size=8))
def test_no_two_rated_segments_get_one_number(rated_texts: list, source: list) -> None:
    found = aligned(Ratings("MQM", rated(*range(len(rated_texts))), (), (), tuple(rated_texts)), source)
    numbers = [r.segment for r in found.ratings]
    assert len(set(numbers)) == len(numbers)
    assert all(source[n] == rated_texts[i] for i, n in enumerate(numbers) if n >= 0)
    assert sum(n >= 0 for n in numbers) == sum(min(rated_texts.count(t), source.count(t)) for t in set(source))


@pytest.mark.parametrize(("name", "data"), [
    ("a.csv", b"system,segment,score,annotator\nA,1,90,p\nB,2,10.5,q\n"),
    ("a.tsv", b"Score\tSegment\tSystem\tannotator\n90\t1\tA\tp\n10.5\t2\tB\tq\n"),
    ("a.jsonl", jsonl([{"system": "A", "segment": 1, "score": 90, "annotator": "p"},
                       {"system": "B", "segment": 2, "score": 10.5, "annotator": "q"}])),
    ("a.xlsx", workbook([["system", "segment", "score", "annotator"], ["A", 1, 90, "p"], ["B", 2, 10.5, "q"]])),
])
def test_a_table_of_scores(name: str, data: bytes) -> None:
    found = read_scores(name, data)
    assert found.ratings == (Rating("A", 0, 90.0, "p"), Rating("B", 1, 10.5, "q"))


@pytest.mark.parametrize(("data", "words"), [
    (b"system,score\nA,1\n", "has the columns system, score; segment is missing"),
    (b"system,segment,score\nA,one,1\n", "entry 1: segment is 'one'"),
    (b"system,segment,score\nA,1,good\n", "score 'good'"),
    (b"system,segment,score\nA,0,1\n", "segments count from 1"),
    (b"system,segment,score\nA,1,nan\n", "finite"),
    (b"system,segment,score\nA,1,inf\n", "finite"),
    (b"", "is empty"),
])
def test_a_table_that_is_none(data: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_scores("a.csv", data)


def test_scores_of_the_practice_systems(tmp_path: Path) -> None:
    lines = ["system,segment,score,annotator"] + [
        f"{name},{i + 1},{score - i % 4},{who}" for name, score in (("plain", 90), ("free", 80), ("word for word", 20))
        for i in range(12) for who in "pq"]
    result, told, _ = compared(tmp_path, "scores.csv", "\n".join(lines) + "\n", "table")
    assert [row["system"] for row in told["systems"]] == ["plain", "free", "word for word"]
    one = told["correlations"][0]
    assert one["systems"] == 3 and "few" in one["warning"] and "segment_tau" in one["intervals"]
    assert not any("human scores" in text for text in result.warnings)


def test_pearmut_answers_find_their_segments(tmp_path: Path) -> None:
    """Answers come in any order and for some items only; their segments are found by the source text."""
    items = tuple(reversed(items_of(practice())))
    ratings = [Rating(name, place, 100.0 - 10 * k - place, "p")
               for place in (7, 2, 5) for k, name in enumerate(practice().systems)]
    entries = pearmut_answers(Campaign("DA", items, Ratings("DA", tuple(ratings))))
    result, told, _ = compared(tmp_path, "log.jsonl", "\n".join(json.dumps(e) for e in entries), "pearmut")
    metric = scorer("chrf", list(practice().references.values()))
    each = {name: sentence(metric, metric.statistics(lines)) for name, lines in practice().systems.items()}
    places = [11 - place for place in (7, 2, 5)]
    agreement = [len({round(float(each[name][p]), 6) for name in each}) > 1 for p in places]
    assert told["correlations"][0]["segments"] == sum(agreement) and result.segments == 12
    assert not any("not in the source" in text for text in told["notes"])


def test_mqm_rows_find_their_segments(tmp_path: Path) -> None:
    sample = practice()
    rows = [MQM_HEAD]
    for line in (9, 3):
        for name, severity in (("plain", "No-error"), ("free", "Minor"), ("word for word", "Major")):
            rows.append("\t".join([name, "d", "1", str(line), "r", f"<v>{sample.source[line]}</v>",
                                   sample.systems[name][line], "Accuracy/Mistranslation", severity]))
    _, told, _ = compared(tmp_path, "mqm.tsv", "\n".join(rows) + "\n", "mqm")
    assert told["protocol"] == "MQM" and told["correlations"][0]["segments"] == 2
    assert [row["mean"] for row in told["systems"]] == [0.0, -1.0, -5.0]


def test_a_bad_file_of_scores_ends_it_before_any_metric(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    (tmp_path / "bad.csv").write_text("nothing of the kind\n", encoding="utf-8")
    with pytest.raises(UserError, match="WMT's DA scores begin with"):
        run(CompareRequest(human=f"path:{tmp_path}/bad.csv", **SMALL), context)
    assert not any("chrf" in message for _, _, message in context.reports)
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"bad\.json is not valid JSON"):
        run(CompareRequest(human=f"path:{tmp_path}/bad.json", human_format="pearmut", **SMALL), context)


@pytest.mark.parametrize(("names", "words"), [
    (("one", "two", "three"), "0 systems have both"),
    (("plain", "free"), "2 systems have both"),
])
def test_systems_of_other_names_are_a_remark(tmp_path: Path, names: tuple, words: str) -> None:
    lines = ["system,segment,score"] + [f"{name},{i},{i * (k + 1)}" for k, name in enumerate(names) for i in (1, 2)]
    result, told, context = compared(tmp_path, "s.csv", "\n".join(lines) + "\n", "table")
    assert any(words in text for text in result.warnings) and told["correlations"] == []
    assert len(result.rows) == 3 and (context.run / "artifacts" / "comparison.json").exists(), "nothing else is lost"


def test_annotators_without_a_spread_and_attention_checks_are_remarks(tmp_path: Path) -> None:
    rows = [f'p,{name},{i},{kind},deu,eng,{score},d#1,False,[],0.0,5.0' for k, name in enumerate(practice().systems)
            for i, kind, score in ((0, "TGT", 90 - 20 * k), (1, "TGT", 80 - 9 * k), (2, "BAD", 3))]
    rows.append("once,plain,3,TGT,deu,eng,50,d#1,False,[],0.0,5.0")
    result, told, _ = compared(tmp_path, "esa.csv", "\n".join(rows) + "\n", "wmt-esa", human_pair="deu-eng")
    assert any("3 attention checks are not counted" in text for text in result.warnings)
    assert any("1 annotators have one rating" in text for text in result.warnings)
    assert sum(row["ratings"] for row in told["systems"]) == 7


def test_a_file_that_is_too_large_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST_MB", 1)
    (tmp_path / "big.txt").write_bytes(b"x" * (2 * 2**20))
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("it was read"))
    for fields in ({"human": f"path:{tmp_path}/big.txt"},
                   {"systems": (f"path:{tmp_path}/big.txt",), "references": (f"path:{tmp_path}/big.txt",)}):
        with pytest.raises(UserError, match=r"big\.txt has 2 MB; at most 1 MB"):
            run(CompareRequest(**fields, **SMALL), MemoryContext(tmp_path / "run"))


def test_numbers_of_esa_items_are_lines_from_0(shared: Path) -> None:
    """Every rating lies in the document that the test set has at that line; one line off would lose a quarter."""
    folder = shared / "mt" / "wmt24"
    names = [line.split("\t")[1] for line in wmt(folder / "en-zh" / "documents.en-zh.docs")]
    for wave in (2, 3):
        text = (folder / f"esa_generalMT2024_wave{wave}.csv").read_text(encoding="utf-8")
        targets = read_esa(text, "esa", "eng", "zho").targets
        assert all(names[rating.segment] == rating.document for rating in targets)
        assert sum(names[rating.segment - 1] == rating.document for rating in targets) < 0.9 * len(targets)
