"""What a request says of the columns of its files, the script of a language, and the tables to take away."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from backends.common.mt import export
from backends.common.mt.compare import run
from backends.common.mt.requests import CompareRequest, SystemRow
from backends.common.mt.roles import LONGEST_NAME, Choice, choices
from backends.common.mt.uploads import Upload, gather, heads, opened, with_choices
from backends.common.mt.words import language_of
from tests.backends.mt_cases import REFERENCE, systems
from workbench.context import MemoryContext
from workbench.contract import UserError

# --- choices ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[1, "text"]', Choice(1, "text")),
        ('[1, "text", "system"]', Choice(1, "text", "system")),
        ('[2, "src", "source", ""]', Choice(2, "src", "source")),
        ('[2, "a \\" b", "ignore", " Mine "]', Choice(2, 'a " b', "ignore", "Mine")),
        ('[1, "译文", "system", "系统"]', Choice(1, "译文", "system", "系统")),
        ('[1, "", "", "name only"]', Choice(1, "", "", "name only")),
    ],
)
def test_a_choice_is_read_and_written(text: str, expected: Choice) -> None:
    assert choices([text], 2) == [expected]
    assert choices([expected.text()], 2) == [expected]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no choice"),
        ("text=system", "no choice"),
        ("{}", "no choice"),
        ("[1]", "no choice"),
        ('["1", "text"]', "no choice"),
        ('[true, "text"]', "no choice"),
        ('[1, "text", "system", "a", "b"]', "no choice"),
        ("[1, 2]", "no choice"),
        ('[1.0, "text"]', "no choice"),
        ("[" * 100_000, "no choice"),
        ('[0, "text"]', "file 0"),
        ('[3, "text"]', "there are 2 files"),
        ('[-1, "text"]', "file -1"),
        ('[1, "text", "translation"]', "role 'translation'; it may be source, reference"),
    ],
)
def test_what_is_no_choice_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        choices([text], 2)


def test_the_last_choice_of_a_column_counts_and_names_are_cut() -> None:
    found = choices(['[1, "a", "system"]', '[2, "a", "source"]', '[1, "a", "reference"]'], 2)
    assert [(c.file, c.role) for c in found] == [(1, "reference"), (2, "source")]
    assert len(choices([Choice(1, "a", "", "x" * 500).text()], 1)[0].name) == LONGEST_NAME


def test_choices_come_before_what_a_name_suggests() -> None:
    table = b"src\tref\tmine\nein\tone\ta\nzwei\ttwo\tb\n"
    said = [Choice(1, "src", "ignore"), Choice(1, "ref", "system", "copy"), Choice(1, "mine", "reference")]
    upload = with_choices(Upload("t.tsv", table), said)
    assert [(h.column, h.role, h.name) for h in heads(opened(upload))] == [
        ("src", "ignore", "src"),
        ("ref", "system", "copy"),
        ("mine", "reference", "mine"),
    ]
    made = gather([upload]).comparison
    assert made is not None and made.systems == {"copy": ("one", "two")} and made.source is None
    assert made.references == {"mine": ("a", "b")}


def test_a_single_column_is_called_as_its_file_until_it_is_renamed() -> None:
    plain = opened(Upload("newstest.hyp.ONLINE-B.en", b"one\ntwo\n"))
    assert [(h.column, h.role, h.name) for h in heads(plain)] == [("text", "system", "ONLINE-B")]
    named = opened(with_choices(Upload("a.txt", b"one\n"), [Choice(1, "text", "", "Better")]))
    assert heads(named)[0].name == "Better" and heads(named)[0].role == "system"
    assert heads(opened(Upload("a.txt", b"\x00"))) == []


def test_an_unreadable_file_does_not_keep_the_others_from_being_read() -> None:
    found = gather([Upload("a.txt", b"one\ntwo\n"), Upload("bad.txt", b"\xff\xfeo\x00"), Upload("ref.txt", b"x\ny\n")])
    assert [column.name for column in found.columns] == ["a", "ref"] and "UTF-16" in found.problems[0]
    assert found.comparison is None and found.preview[0] == {"system: a": "one", "reference: ref": "x"}


# --- the task with files and columns ---


def put(folder: Path, **texts: list[str]) -> dict[str, str]:
    found = {}
    for name, lines in texts.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        found[name] = f"path:{folder}/{name}.txt"
    return found


def test_files_are_told_apart_by_their_names_and_by_columns(tmp_path: Path) -> None:
    made, reference = systems(2)
    place = put(tmp_path, one=made["system 0"], two=made["system 1"], gold=reference)
    request = CompareRequest(
        files=tuple(place.values()),
        columns=(Choice(2, "text", "", "renamed").text(), Choice(3, "text", "reference").text()),
        resamples=20,
        trials=20,
    )
    result = run(request, MemoryContext(tmp_path / "run"))
    assert {row.system for row in result.rows} == {"one", "renamed"} and result.references == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"files": ("path:/a",), "systems": ("path:/b",)}, "only one way is read"),
        ({"files": ("path:/a",), "references": ("path:/b",)}, "only one way"),
        ({"files": ("path:/a",), "source": "path:/b"}, "only one way"),
        ({"files": ("path:/a",), "domains": "path:/b"}, "only one way"),
        ({"columns": ('[1, "text"]',)}, "there are 0 files"),
        ({"files": ("path:/a",), "columns": ("x",)}, "no choice"),
    ],
)
def test_a_request_that_says_two_things_is_refused(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        CompareRequest(**fields)


def test_every_reason_against_files_is_told_at_once(tmp_path: Path) -> None:
    place = put(tmp_path, a=REFERENCE, b=REFERENCE[:3], ref=REFERENCE)
    (tmp_path / "c.txt").write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(UserError) as told:
        run(CompareRequest(files=(*place.values(), f"path:{tmp_path}/c.txt")), MemoryContext(tmp_path / "run"))
    assert "5 too few" in str(told.value) and "no xlsx workbook" in str(told.value)


CHINESE = ["今天天气很好。", "我们去散步吧。", "他没有来。"]


@pytest.mark.parametrize(("language", "expected"), [("", "tok:zh"), ("zh", "tok:zh"), ("en", "tok:13a")])
def test_the_tokeniser_follows_the_script_where_no_language_is_given(
    tmp_path: Path, language: str, expected: str
) -> None:
    place = put(tmp_path, a=CHINESE, b=[*CHINESE[:2], "他没有去。"], ref=CHINESE)
    request = CompareRequest(files=tuple(place.values()), language=language, metrics=("bleu",), resamples=10, trials=0)
    made = MemoryContext(tmp_path / "run")
    assert expected in run(request, made).signatures["bleu"]
    told = json.loads((made.run / "artifacts" / "comparison.json").read_text(encoding="utf-8"))
    assert told["language"] == (language or "zh") and told["metrics"]["bleu"]["sign"] == 1.0


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (CHINESE, "zh"),
        (["これは本です。", "漢字", "日本"], "ja"),
        (["안녕하세요", "네"], "ko"),
        (["Good day.", "你好"], "zh"),
        (["Good day.", "Fine.", "你好"], ""),
        (["Привет"], ""),
        (["GPT-4 很好用", "OK"], "zh"),
        ([], ""),
        (["", "123", "!"], ""),
    ],
)
def test_the_script_tells_some_languages(segments: list[str], expected: str) -> None:
    assert language_of(segments) == expected


# --- tables to take away ---

ROWS = [
    SystemRow("bleu", "A_1 & B|C", 31.234, 30.1, 32.4, 2, 0),
    SystemRow("bleu", "plain", 20.0, 19.0, 21.0, 0, 1),
    SystemRow("chrf", "plain", 60.0, 59.0, 61.0, 1, 0),
]
SIGNED = {"bleu": "nrefs:1|tok:13a", "chrf": "nrefs:1|nc:6"}


def test_the_table_for_programs_has_every_row_and_no_broken_cell() -> None:
    rows = list(csv.DictReader(io.StringIO(export.systems_tsv(ROWS, SIGNED)), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [(row["system"], row["score"], row["rank"]) for row in rows] == [
        ("A_1 & B|C", "31.23", "1"),
        ("plain", "20.00", "2"),
        ("plain", "60.00", "1"),
    ]
    assert export.tsv(["a", "b"], [["x\ty", "one\r\ntwo"]]) == "a\tb\nx y\tone  two\n"


def test_markdown_has_all_metrics_of_a_system_in_one_line_and_the_signatures() -> None:
    lines = export.markdown(ROWS, SIGNED, 2037).split("\n")
    assert lines[0] == "| system | bleu | rank | chrf | rank |" and lines[1].count("|") == lines[0].count("|")
    assert lines[2].startswith(r"| A\_1 & B\|C | 31.23 [30.10, 32.40] | 1 |")
    assert "| 60.00 [59.00, 61.00] | 1 |" in lines[3] and "2,037 segments" in lines[5]
    assert "`nrefs:1|tok:13a`" in lines[6]


def test_latex_is_escaped_and_balanced() -> None:
    text = export.latex([*ROWS, SystemRow("bleu", "50% $#{}~^\\", 1.0, 1.0, 1.0, 0, 2)], SIGNED, 12)
    assert r"A\_1 \& B|C" in text and r"50\% \$\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}" in text
    assert text.count(r"\begin") == text.count(r"\end") == 2
    body = [line for line in text.split("\n") if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {4}


def test_the_task_leaves_the_tables_and_they_agree(tmp_path: Path) -> None:
    made = MemoryContext(tmp_path / "run")
    result = run(CompareRequest(resamples=20, trials=20), made)
    folder = made.run / "artifacts"
    rows = list(csv.DictReader((folder / "systems.tsv").open(encoding="utf-8"), delimiter="\t"))
    assert [(r["metric"], r["system"]) for r in rows] == [(r.metric, r.system) for r in result.rows]
    pairs = list(csv.DictReader((folder / "pairs.tsv").open(encoding="utf-8"), delimiter="\t"))
    assert len(pairs) == 3 * len(result.signatures) and all(0 < float(p["bootstrap p"]) <= 1 for p in pairs)
    segments = list(csv.DictReader((folder / "segments.tsv").open(encoding="utf-8"), delimiter="\t"))
    assert len(segments) == result.segments and segments[0]["word for word text"]
    spread = [float(row["disagreement"]) for row in segments]
    assert spread == sorted(spread, reverse=True)
    assert export.segments_tsv([], {}, "bleu") == ""


def test_a_test_that_was_not_made_leaves_its_cells_empty(tmp_path: Path) -> None:
    made = MemoryContext(tmp_path / "run")
    run(CompareRequest(resamples=0, trials=20, metrics=("chrf",)), made)
    pairs = list(csv.DictReader((made.run / "artifacts" / "pairs.tsv").open(encoding="utf-8"), delimiter="\t"))
    assert all(p["bootstrap p"] == "" and p["bootstrap p (Holm)"] == "" and p["randomisation p"] for p in pairs)
