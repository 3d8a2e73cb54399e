"""Files that are broken, hostile or of another kind: what is good is kept, what is not is named in a clear sentence."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from backends.sweetiechat.importers import import_dialogues, reading
from backends.sweetiechat.importers.formats import is_entry
from backends.sweetiechat.importers.reading import read_rows
from tests.backends import importer_cases as cases
from tests.backends.importer_cases import put, taken
from workbench.contract import MissingResource, UserError

GOOD = json.dumps(cases.MULTIESC)
DEEP = "[" * 200_000


def rows(path: Path) -> list:
    return list(read_rows(path, is_entry, path.name))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", b"", "x.json is empty"),
        ("x.json", b" \n\t ", "x.json is empty"),
        ("x.json", b"\xef\xbb\xbf", "x.json is empty"),
        ("x.json", b"\x00\x01\x02[1]", "binary file or UTF-16 (byte 0 at position 0)"),
        ("x.json", "[1]".encode("utf-16"), "binary file or UTF-16"),
        ("x.xlsx", b"PK\x03\x04rest", "a zip archive or an Office file, not plain text"),
        ("x.json.gz", gzip.compress(b"[]", mtime=0), "a gzip archive"),
        ("x.pdf", b"%PDF-1.7 ...", "a PDF"),
        ("x.parquet", b"PAR1....", "a Parquet file"),
        ("x.sqlite", b"SQLite format 3", "a database"),
        ("x.json", '["焦虑"]'.encode("gbk"), "is not UTF-8 text (byte 0x"),
        ("x.csv", "dialogue,role,text\n1,用户,你好".encode("gbk"), "is not UTF-8 text"),
        ("x.json", b"{", "x.json cannot be read: it is not valid JSON"),
        ("x.json", b'{"a": [1,\n2', "not valid JSON"),
        ("x.json", ('{"a":' * 100_000).encode(), "nested too deeply"),
        ("x.json", b"[]", "it has no entry"),
        ("x.json", b"[1, 2]", "is in none of the known formats"),
        ("x.json", b"[[[1]]]", "none of the known formats"),
        ("x.json", b"null", "it has no entry"),
        ("x.json", b'{"a": 1, "b": 2}', "a table with the fields a, b"),
        ("x.jsonl", b'{"a": 1}\n{"b": 2}\n', "x.jsonl, line 1 is a table with the fields a"),
        ("x.txt", b"Dear diary,\ntoday was long.\n", "it has 1 column and the header has 2 columns"),
        ("x.csv", b"a,b,c\n1,2,3\n", "a table with the fields a, b, c"),
        ("x.csv", b"dialogue,role\n1,seeker\n", "a table with the fields dialogue, role"),
        ("x.csv", b"dialogue,role,text\n", "it has no entry"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(UserError) as refused:
        taken(tmp_path, name, content)
    assert said in str(refused.value)
    assert refused.value.advice


def test_deeply_nested_junk_is_said_to_be_that(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nested too deeply"):
        taken(tmp_path, "x.json", DEEP)
    found = taken(tmp_path, "y.jsonl", f"{GOOD}\n{DEEP}\n{GOOD}\n")
    assert len(found.dialogues) == 2
    assert found.skipped == (("y.jsonl, line 2", "it is nested too deeply to be read"),)


def test_a_missing_file_and_an_empty_folder_are_missing_resources(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match=r"no file nothing\.json"):
        import_dialogues(tmp_path / "nothing.json")
    (tmp_path / "sub").mkdir()
    put(tmp_path / "sub", "readme.md", "# x")
    with pytest.raises(MissingResource, match="holds no data file"):
        import_dialogues(tmp_path / "sub")


def test_a_file_above_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST_MB", 0)
    with pytest.raises(UserError, match="at most 0 MB are read"):
        taken(tmp_path, "x.json", "[1]")


def test_bad_lines_are_named_and_good_ones_kept(tmp_path: Path) -> None:
    lines = [GOOD, "", "{broken", "[]", "3", '"text"', "null", json.dumps({"dialog": "no list"}), GOOD]
    found = taken(tmp_path, "valid.jsonl", "\n".join(lines))
    assert len(found.dialogues) == 2
    where = [where for where, _ in found.skipped]
    assert where == [f"valid.jsonl, line {number}" for number in (3, 5, 6, 7, 8)]
    whys = dict(found.skipped)
    assert "not valid JSON" in whys["valid.jsonl, line 3"]
    assert "dialog is 'no list'; it must be a list of messages" in whys["valid.jsonl, line 8"]


def test_the_first_lines_may_be_broken(tmp_path: Path) -> None:
    found = taken(tmp_path, "x.jsonl", f"not json\n{{}}\n{GOOD}\n")
    assert found.format == "multiesc" and len(found.dialogues) == 1 and len(found.skipped) == 2


@pytest.mark.parametrize(
    "layout",
    ["[{0},\n{0}]", "[\n{0},\n{0}\n]", "[\n{0}\n,\n{0}\n]", '{{"data": [\n{0},\n{0}\n]}}', '{{\n"data":\n[{0}, {0}]}}'],
)
def test_an_array_with_an_entry_on_each_line_is_no_jsonl(tmp_path: Path, layout: str) -> None:
    found = taken(tmp_path, "x.json", layout.format(GOOD))
    assert len(found.dialogues) == 2 and found.skipped == ()


def test_a_line_that_is_not_utf8_costs_only_itself(tmp_path: Path) -> None:
    found = taken(tmp_path, "x.jsonl", GOOD.encode() + b'\n{"dialog": "\xff"}\n' + GOOD.encode())
    assert len(found.dialogues) == 2
    assert found.skipped[0][0] == "x.jsonl, line 2" and "0xff" in found.skipped[0][1]


def test_entries_of_an_array_are_named_by_their_line(tmp_path: Path) -> None:
    text = json.dumps([cases.ESCONV, {"dialog": []}, cases.ESCONV], indent=2)
    found = taken(tmp_path, "a.json", text)
    line = text[: text.index('"dialog": []')].count("\n")
    assert len(found.dialogues) == 2
    assert found.skipped == (
        (f"a.json, line {line} (entry 2)", "dialog is a list of 0; it must be a list of messages"),
    )


@pytest.mark.parametrize("tail", ["", ",", ', {"dialog": [', ', {"dialog": [}]', ", tru"])
def test_an_array_that_was_cut_off_keeps_what_is_whole(tmp_path: Path, tail: str) -> None:
    found = taken(tmp_path, "a.json", "[\n" + json.dumps(cases.ESCONV) + tail)
    assert len(found.dialogues) == 1
    [(where, why)] = found.skipped
    assert "(entry 2)" in where and "nothing after this place was read" in why


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    text = "\ufeff" + json.dumps([cases.ESCONV], indent=1).replace("\n", "\r\n")
    assert len(taken(tmp_path, "a.json", text).dialogues) == 1
    table = "\ufeff" + cases.TABLE.replace("\n", "\r\n")
    assert len(taken(tmp_path, "a.csv", table).dialogues) == 2
    lines = "\ufeff" + f"{GOOD}\r\n{GOOD}\r\n"
    assert len(taken(tmp_path, "a.jsonl", lines).dialogues) == 2


def test_what_a_file_holds_is_not_told_by_its_name(tmp_path: Path) -> None:
    assert taken(tmp_path, "a.txt", json.dumps([cases.ESCONV])).format == "esconv"
    assert taken(tmp_path, "b.csv", GOOD).format == "multiesc"
    assert taken(tmp_path, "c.json", cases.TABLE).format == "csv"


def test_rows_of_a_table_with_other_columns_are_left_out(tmp_path: Path) -> None:
    table = "dialogue,role,text\n1,seeker,Hello\n1,supporter\n1,supporter,Hi,there\n\n1,robot,Beep\n2,user,Yes\n"
    found = taken(tmp_path, "t.csv", table)
    assert len(found.dialogues) == 1
    whys = dict(found.skipped)
    assert whys["t.csv, line 3"] == "it has 2 columns and the header has 3 columns"
    assert whys["t.csv, line 4"] == "it has 4 columns and the header has 3 columns"
    assert whys["t.csv, line 2"] == "the speaker is 'robot', which is neither a seeker nor a supporter"


def test_a_cell_that_is_too_large_for_a_table_is_named(tmp_path: Path) -> None:
    table = f'dialogue,role,text\n1,seeker,Hello\n2,seeker,"{"x" * 140_000}"\n3,seeker,Hi\n'
    found = taken(tmp_path, "t.csv", table)
    assert len(found.dialogues) >= 1
    assert any("cannot be read as a table row" in why for _, why in found.skipped)


def test_quotes_are_ordinary_in_tabbed_tables(tmp_path: Path) -> None:
    found = taken(tmp_path, "t.tsv", 'dialogue\trole\ttext\n1\tseeker\tHe said "no\n1\tsupporter\tOh."\n')
    assert [turn.text for turn in found.dialogues[0].turns] == ['He said "no', 'Oh."']


LONG = "word " * 20_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"content": LONG}, "message 2 has 100,000 characters; at most 20,000 are read"),
        ({"content": 5}, "content of message 2 is 5; it must be text"),
        ({"content": None}, "content of message 2 is missing; it must be text"),
        ({"content": ["a"]}, "content of message 2 is a list of 1; it must be text"),
        ({"content": {"a": 1}}, "a table with a"),
        ({"speaker": "narrator"}, "the speaker is 'narrator'"),
        ({"speaker": None}, "the speaker is missing"),
        ({"speaker": 3}, "the speaker is 3"),
        ({"annotation": "x"}, "the annotation of message 2 is 'x'; it must be a table"),
        ({"annotation": {"feedback": "6"}}, "the feedback of turn 1 is '6'; it must be a whole number from 1 to 5"),
        ({"annotation": {"feedback": []}}, "the feedback of turn 1 is a list of 0"),
        ({"annotation": {"feedback": True}}, "the feedback of turn 1 is True"),
    ],
)
def test_a_message_that_cannot_be_used_costs_its_dialogue_only(tmp_path: Path, change: dict, said: str) -> None:
    bad = json.loads(json.dumps(cases.ESCONV))
    bad["dialog"][1] |= change
    found = taken(tmp_path, "x.json", [cases.ESCONV, bad, cases.ESCONV])
    assert len(found.dialogues) == 2
    assert said in found.skipped[0][1], found.skipped


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"survey_score": []}, None),
        ({"survey_score": "x"}, "survey_score is 'x'"),
        ({"survey_score": {"seeker": "x"}}, "must hold the tables seeker and supporter"),
        ({"survey_score": {"seeker": {"empathy": "9"}}}, "empathy is '9'; it must be a whole number from 1 to 5"),
        ({"survey_score": {"seeker": {"empathy": ""}}}, None),
        ({"situation": ["x"]}, "situation is a list of 1; it must be text"),
        ({"situation": "x" * 5000}, "the situation has 5,000 characters; at most 4,000"),
        ({"emotion_type": {}}, "emotion_type is a table with no field at all"),
        ({"emotion_type": None, "problem_type": None, "situation": None}, None),
        ({"dialog": [None]}, "message 1 is missing; it must be a table"),
        ({"dialog": [{}]}, "message 1 has no field content; it has no field at all"),
        ({"dialog": [{"speaker": "seeker", "content": " \n"}]}, "it has no message with any text"),
        ({"dialog": [{"speaker": "seeker", "content": "x"}] * 2001}, "it has 2,001 messages; at most 2,000"),
    ],
)
def test_every_field_is_held_against_its_kind(tmp_path: Path, change: dict, said: str | None) -> None:
    found = taken(tmp_path, "x.json", [cases.ESCONV, {**cases.ESCONV, **change}], format="esconv")
    if said is None:
        assert len(found.dialogues) == 2, found.skipped
    else:
        assert len(found.dialogues) == 1 and said in found.skipped[0][1], found.skipped


def test_nothing_usable_says_why(tmp_path: Path) -> None:
    bad = {**cases.ESCONV, "dialog": [{"speaker": "robot", "content": "Beep"}]}
    with pytest.raises(UserError) as refused:
        taken(tmp_path, "x.json", [bad, bad])
    assert "Nothing in x.json can be imported. x.json, line 2 (entry 1): the speaker is 'robot'" in str(refused.value)


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    put(folder, "a.json", [cases.ESCONV])
    put(folder, "b.jsonl", [cases.PPDPP, cases.PPDPP])
    put(folder, "c.json", b"\x00\x00")
    put(folder, "notes.md", "not read")
    found = import_dialogues(folder)
    assert found.format == "esconv+ppdpp" and len(found.dialogues) == 3
    assert [where for where, _ in found.skipped] == ["c.json"]
    assert found.dialogues[1].id + "-2" == found.dialogues[2].id


def test_the_limit_ends_the_reading(tmp_path: Path) -> None:
    path = put(tmp_path, "x.jsonl", [cases.MULTIESC] * 50)
    assert len(import_dialogues(path, limit=7).dialogues) == 7
    assert len(import_dialogues(path, limit=500).dialogues) == 50


def test_reading_can_be_ended_from_outside(tmp_path: Path) -> None:
    path, seen = put(tmp_path, "x.jsonl", [cases.MULTIESC] * 50), []

    def stop(count: int) -> None:
        seen.append(count)
        if count == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dialogues(path, cancelled=stop)
    assert seen == [0, 1, 2, 3, 4, 5]


def test_reports_use_the_name_that_people_know(tmp_path: Path) -> None:
    path = put(tmp_path, "3fa9.txt", GOOD + "\nbroken\n")
    found = import_dialogues(path, name="my talks.jsonl")
    assert found.skipped[0][0] == "my talks.jsonl, line 2"
    assert found.dialogues[0].qc["source"]["file"] == "my talks.jsonl"
    with pytest.raises(UserError, match="my talks is empty"):
        import_dialogues(put(tmp_path, "e.txt", ""), name="my talks")


def test_rows_carry_their_place(tmp_path: Path) -> None:
    path = put(tmp_path, "r.jsonl", '[{"a": 1}, {"a": 2}]\n{"a": 3}\n')
    assert [(row.where, row.value["a"]) for row in rows(path)] == [
        ("r.jsonl, line 1, entry 1", 1),
        ("r.jsonl, line 1, entry 2", 2),
        ("r.jsonl, line 2", 3),
    ]
    messages = put(tmp_path, "m.jsonl", '[{"role": "user", "content": "x"}]\n')
    assert rows(messages)[0].value == {"messages": [{"role": "user", "content": "x"}]}
