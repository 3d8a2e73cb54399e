"""Scoring a corpus of files: read as it is scored, kept part by part, gone on with after a crash."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from backends.mdfg import score_task
from backends.mdfg.records import document_id
from backends.mdfg.scorer_requests import ScoreRequest
from backends.mdfg.scorer_sources import each_text, files_of, plain_texts
from backends.mdfg.scorers import keywords, ngram_files
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.keywords import KeywordScorer
from backends.mdfg.scorers.ngram import NgramScorer
from backends.mdfg.scorers.opening import open_scorer
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toxicity scorer with drawn weights and a domain one that counts keywords."""
    folder = tmp_path_factory.mktemp("scorers")
    draw = np.random.default_rng(0)
    zero, one = np.zeros(1), np.ones(1)
    table = draw.normal(0, 3, size=(1 << 10, 1)).astype(np.float32)
    ngram_files.save(NgramScorer("toxicity", ("score",), Grams(1, 2, 10), table, zero, one, zero, zero),
                     folder / "toxicity")
    lists = {"law": ("法院", "判决"), "news": ("记者", "报道")}
    keywords.save(KeywordScorer("domain", ("law", "news", "general"), lists), folder / "domain")
    return folder


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of forty texts in batches of fifteen, so that ends fall inside and between them."""
    monkeypatch.setattr(score_task, "PART", 40)
    monkeypatch.setattr(score_task, "BATCH", 15)


def texts(count: int) -> list[str]:
    kinds = ("法院判决了第{}号案件，记者报道", "今天天气不错 {}", "", "\u3000 \n", "记者报道{}，法院判决，法院")
    return [kinds[i % len(kinds)].format(i) for i in range(count)]


def write(path: Path, values: list[str], field: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({field: value}) + "\n" for value in values))
    return path


def request(scorers: Path, *data: Path, names: tuple[str, ...] = ("toxicity", "domain"), **fields: Any) -> ScoreRequest:
    return ScoreRequest(tuple(f"path:{path}" for path in data),
                        scorers=tuple(f"path:{scorers / name}" for name in names), **fields)


def rows(path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


@pytest.mark.parametrize("count", [1, 14, 15, 16, 39, 40, 41, 80, 83])
def test_no_text_is_lost_where_parts_and_batches_end(scorers: Path, small_parts: None, tmp_path: Path,
                                                     count: int) -> None:
    """The published code never writes its last batch."""
    made = texts(count)
    result = score_task.run(request(scorers, write(tmp_path / "a.jsonl", made)), MemoryContext(tmp_path / "run"))
    table = rows(result.path)
    assert result.texts == len(table) == count
    assert [row["row"] for row in table] == list(range(count))
    assert [row["id"] for row in table] == [document_id(text) for text in made]


def test_every_row_is_what_the_scorer_says_of_its_text_alone(scorers: Path, small_parts: None, tmp_path: Path) -> None:
    made = texts(97)
    result = score_task.run(request(scorers, write(tmp_path / "a.jsonl", made)), MemoryContext(tmp_path / "run"))
    toxicity, domain = (open_scorer(scorers / name) for name in ("toxicity", "domain"))
    for row, text in zip(rows(result.path), made, strict=True):
        assert row["toxicity.score"] == pytest.approx(float(toxicity.score([text])[0, 0]), abs=1e-6)
        for column, value in zip(domain.outputs, domain.score([text])[0], strict=True):
            assert row[f"domain.{column}"] == pytest.approx(float(value), abs=1e-6)


def test_means_and_counts_are_those_of_the_table(scorers: Path, small_parts: None, tmp_path: Path) -> None:
    result = score_task.run(request(scorers, write(tmp_path / "a.jsonl", texts(103))), MemoryContext(tmp_path / "run"))
    table = rows(result.path)
    for name in result.columns:
        assert result.means[name] == pytest.approx(np.mean([row[name] for row in table]), rel=1e-5)
    assert result.counts["empty"] == sum(row["empty"] for row in table) == sum(not t.strip() for t in texts(103))
    assert result.counts["toxic"] == sum(row["toxicity.label"] for row in table)
    for label in ("law", "general"):
        assert result.counts.get(f"domain {label}", 0) == sum(row["domain.single_label"] == label for row in table)


@pytest.mark.parametrize("least", [0.0, 0.3, 0.9, 1.0])
def test_a_row_says_when_no_domain_reaches_the_threshold(scorers: Path, tmp_path: Path, least: float) -> None:
    asked = request(scorers, write(tmp_path / "a.jsonl", texts(30)), domain_from=least)
    table = rows(score_task.run(asked, MemoryContext(tmp_path / "run")).path)
    for row in table:
        assert row["domain.below"] is (not row["domain.multi_label"])
        assert row["empty"] is (row["toxicity.flag"] == "empty")
        assert row["empty"] <= row["domain.below"]
    assert any(row["domain.below"] for row in table)


def test_parts_of_another_form_are_made_again(scorers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, asked = [open_scorer(scorers / "domain")], request(scorers, names=("domain",))
    folder = score_task.parts_folder(tmp_path / "parts", asked, opened, [])
    (folder / "part-000000.parquet").write_bytes(b"old")
    assert list(score_task.parts_folder(tmp_path / "parts", asked, opened, []).glob("part-*"))
    monkeypatch.setattr(score_task, "FORMAT", 99)
    assert not list(score_task.parts_folder(tmp_path / "parts", asked, opened, []).glob("part-*"))


def test_the_parts_do_not_show_in_the_result(scorers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, found = texts(90), []
    for number, (part, batch) in enumerate([(20_000, 1000), (7, 3), (45, 45), (30, 90)]):
        monkeypatch.setattr(score_task, "PART", part)
        monkeypatch.setattr(score_task, "BATCH", batch)
        context = MemoryContext(tmp_path / str(number))
        found.append(rows(score_task.run(request(scorers, write(tmp_path / "a.jsonl", made)), context).path))
    assert all(table == found[0] for table in found)


def test_a_run_that_was_stopped_goes_on_after_its_last_part(scorers: Path, small_parts: None, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(scorers, write(tmp_path / "a.jsonl", texts(200)))
    whole = score_task.run(asked, MemoryContext(tmp_path / "whole"))
    with pytest.raises(Cancelled):
        score_task.run(asked, MemoryContext(tmp_path / "run", cancel_after=8))
    kept = sorted((tmp_path / "run" / "checkpoints" / "scores").glob("part-*.parquet"))
    assert 1 <= len(kept) < 5
    seen: list[int] = []
    original = score_task.rows_of

    def counting(part: Any, begin: int, *rest: Any) -> dict[str, Any]:
        seen.extend(range(begin, begin + len(part)))
        return original(part, begin, *rest)
    monkeypatch.setattr(score_task, "rows_of", counting)
    again = score_task.run(asked, MemoryContext(tmp_path / "run"))
    assert seen == list(range(40 * len(kept), 200)), "nothing is scored twice, nothing is left out"
    assert rows(again.path) == rows(whole.path)
    assert (again.means, again.counts) == (whole.means, whole.counts)


def test_parts_are_gone_when_the_run_is_over(scorers: Path, small_parts: None, tmp_path: Path) -> None:
    score_task.run(request(scorers, write(tmp_path / "a.jsonl", texts(90))), MemoryContext(tmp_path / "run"))
    assert not (tmp_path / "run" / "checkpoints" / "scores").exists()
    assert [path.name for path in (tmp_path / "run" / "artifacts").iterdir()] == ["scores.parquet"]


@pytest.mark.parametrize("change", ["request", "scorer", "file"])
def test_parts_made_in_another_way_are_not_gone_on_with(scorers: Path, small_parts: None, tmp_path: Path,
                                                        change: str) -> None:
    data = write(tmp_path / "a.jsonl", texts(120))
    asked, context = request(scorers, data), MemoryContext(tmp_path / "run")
    folder = tmp_path / "parts"

    def parts(asked: ScoreRequest, names: tuple[str, ...] = ("toxicity", "domain")) -> Path:
        opened = [open_scorer(scorers / name) for name in names]
        return score_task.parts_folder(folder, asked, opened, files_of(asked.data, context))
    parts(asked)
    (folder / "part-000000.parquet").write_bytes(b"made before")
    parts(asked)
    assert (folder / "part-000000.parquet").exists(), "nothing changed: it is used again"
    if change == "request":
        parts(request(scorers, data, toxic_from=0.5))
    elif change == "scorer":
        parts(asked, ("domain",))
    else:
        write(data, texts(121))
        parts(asked)
    assert not (folder / "part-000000.parquet").exists()


def test_a_part_that_was_being_written_is_written_again(scorers: Path, small_parts: None, tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", texts(60))
    folder = tmp_path / "run" / "checkpoints" / "scores"
    asked = request(scorers, data)
    score_task.parts_folder(folder, asked, [open_scorer(scorers / n) for n in ("toxicity", "domain")], [data])
    (folder / "part-000000.tmp").write_bytes(b"half of it")
    result = score_task.run(asked, MemoryContext(tmp_path / "run"))
    assert result.texts == 60 == len(rows(result.path))


def test_several_files_and_folders_are_read_in_order(scorers: Path, tmp_path: Path) -> None:
    write(tmp_path / "in" / "b.jsonl", ["second"])
    write(tmp_path / "in" / "a.jsonl", ["first"])
    (tmp_path / "in" / "notes.txt").write_text("not a table")
    with (tmp_path / "c.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text"], ["third, with a comma"], ["fourth\nwith a line"]])
    asked = request(scorers, tmp_path / "in", tmp_path / "c.csv")
    result = score_task.run(asked, MemoryContext(tmp_path / "run"))
    wanted = ["first", "second", "third, with a comma", "fourth\nwith a line"]
    assert [row["id"] for row in rows(result.path)] == [document_id(text) for text in wanted]


@pytest.mark.parametrize(("lines", "message"), [
    (['{"text": "a"}', "nonsense"], r"Line 2 of a\.jsonl is not JSON"),
    (['{"text": "a"}', "[1]"], r"Line 2 of a\.jsonl is no object"),
    (['{"text": "a"}', '{"text": 3}'], r"Line 2 of a\.jsonl has no text in the field 'text'; its fields are text"),
    (['{"words": "a"}'], r"Line 1 of a\.jsonl has no text in the field 'text'; its fields are words"),
    (["{}"], r"its fields are \(none\)"),
    (["__import__('os').system('touch /tmp/never')"], r"Line 1 of a\.jsonl is not JSON"),
    (["[" * 100_000], r"Line 1 of a\.jsonl is not JSON")])
def test_a_line_that_cannot_be_read_is_named(scorers: Path, tmp_path: Path, lines: list[str], message: str) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    with pytest.raises(UserError, match=message):
        score_task.run(request(scorers, tmp_path / "a.jsonl"), MemoryContext(tmp_path / "run"))
    assert not (tmp_path / "run" / "artifacts" / "scores.parquet").exists()


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_files_without_a_text_are_refused(scorers: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(UserError, match="There is no text to score"):
        score_task.run(request(scorers, tmp_path / "a.jsonl"), MemoryContext(tmp_path / "run"))


def test_a_folder_without_a_table_says_which_endings_count(scorers: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(MissingResource, match="in holds no table"):
        score_task.run(request(scorers, tmp_path / "in"), MemoryContext(tmp_path / "run"))


def test_another_field_may_hold_the_text(scorers: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", ["一", "二"], "content")
    result = score_task.run(request(scorers, data, text_field="content"), MemoryContext(tmp_path / "run"))
    assert result.texts == 2


@pytest.mark.parametrize(("toxic_from", "domain_from"), [(0.0, 0.0), (0.5, 0.3), (0.99, 0.9), (1.0, 1.0)])
def test_verdicts_follow_the_limits_of_the_request(scorers: Path, tmp_path: Path, toxic_from: float,
                                                   domain_from: float) -> None:
    data = write(tmp_path / "a.jsonl", texts(50))
    result = score_task.run(request(scorers, data, toxic_from=toxic_from, domain_from=domain_from),
                            MemoryContext(tmp_path / "run"))
    for row in rows(result.path):
        score = row["toxicity.score"]
        assert row["toxicity.label"] == int(not row["empty"] and not row["toxicity.flag"] and score > 0.5
                                            and score >= toxic_from)
        if not row["empty"]:
            reach = {label for label in ("law", "news", "general") if row[f"domain.{label}"] >= domain_from}
            assert set(row["domain.multi_label"]) == reach


def test_practice_texts_are_scored_where_there_are_no_data(scorers: Path, tmp_path: Path) -> None:
    one = score_task.run(request(scorers, practice=60), MemoryContext(tmp_path / "one"))
    two = score_task.run(request(scorers, practice=60), MemoryContext(tmp_path / "two"))
    other = score_task.run(request(scorers, practice=60, seed=1), MemoryContext(tmp_path / "three"))
    assert one.texts == 60 and rows(one.path) == rows(two.path) != rows(other.path)


def test_texts_are_read_one_by_one(tmp_path: Path) -> None:
    """The second line is never parsed when only the first is asked for."""
    (tmp_path / "a.jsonl").write_text('{"text": "first"}\nnot JSON at all\n')
    found = each_text([tmp_path / "a.jsonl"], "text")
    assert next(found) == "first"
    with pytest.raises(UserError, match="Line 2"):
        next(found)


def test_reading_all_texts_at_once_gives_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", texts(25))
    context = MemoryContext(tmp_path / "run")
    assert plain_texts((f"path:{path}",), "text", context) == texts(25) == list(each_text([path], "text"))


def test_lone_surrogates_and_half_characters_do_not_stop_a_run(scorers: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "\\ud800 half"}\n{"text": "bad \xff byte"}\n{"text": "\\u0000"}\n')
    result = score_task.run(request(scorers, tmp_path / "a.jsonl"), MemoryContext(tmp_path / "run"))
    assert result.texts == 3 and all(0 <= row["toxicity.score"] <= 1 for row in rows(result.path))


@pytest.mark.parametrize("names", [("domain",), ("toxicity",), ("domain", "toxicity")])
def test_columns_come_from_the_scorers_that_were_asked_for(scorers: Path, tmp_path: Path,
                                                           names: tuple[str, ...]) -> None:
    result = score_task.run(request(scorers, write(tmp_path / "a.jsonl", texts(5)), names=names),
                            MemoryContext(tmp_path / "run"))
    table = rows(result.path)[0]
    assert set(result.scorers) == set(names)
    assert ("toxicity.label" in table) == ("toxicity" in names)
    assert ("domain.single_label" in table) == ("domain" in names)
    for name in names:
        assert result.scorers[name] == {"version": open_scorer(scorers / name).version,
                                        "reference": f"path:{scorers / name}"}
